# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host as the rules see it: its routes, joined with everything that is known of their endpoints.

A leg is one route to one endpoint. Rules ask legs; they never read an answer's raw shape.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
import posixpath
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, resolvers, routes, selinux
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container, Containers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import RUNNING, Owner, owners_of
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config

# The clocks that are compared are the kernel's start time of a process, in ticks of 10 ms, and a
# file's time; a file written by the same command as the reload must not count as newer.
_CLOCK_SLACK = 0.1

# What nginx only meets where the host itself lets it connect.
_LET_THROUGH = ("connect-refused", "connect-timeout")
_CONNECTED = ("SSL handshaking to upstream", "sending request to upstream", "reading response header from upstream", "reading upstream")

# Where a shell finds a program by its name, and the configuration of a build that is not known.
_IN_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_USUAL_FILE = "/etc/nginx/nginx.conf"

_NOT_ASKED = evidence.no_answer("", evidence.ABSENT, "this was not asked")


@dataclass(frozen=True)
class Process:
    """Who holds a listening socket."""

    pid: int
    comm: str
    exe: str
    argv: tuple[str, ...]
    user: str
    unit: str
    mnt: str
    started: float
    container: str = ""
    uid: int | None = None

    @property
    def quoted_unit(self) -> str:
        """Return the name of its unit as a shell takes it."""
        return shlex.quote(self.unit)

    @property
    def label(self) -> str:
        """Return "node (pid 12, shop.service)"."""
        # That of a container is its long id.
        unit = f", {self.unit}" if self.unit and not self.container else ""
        return f"{self.comm} (pid {self.pid}{unit})"


@dataclass(frozen=True)
class Listener:
    """A listening socket, in the network namespace net."""

    endpoint: Endpoint
    net: str
    v6only: bool | None
    accept_queue: int | None
    backlog: int | None
    processes: tuple[Process, ...]

    def accepts(self, endpoint: Endpoint) -> bool:
        """Return whether a connection to an endpoint reaches this socket (tcp(7), ipv6(7))."""
        if self.endpoint.kind != endpoint.kind:
            return False
        if endpoint.kind == "unix":
            return self.endpoint.usual_path == endpoint.usual_path
        if self.endpoint.port != endpoint.port:
            return False
        if self.endpoint.address == endpoint.address:
            return True
        if self.endpoint.address == "0.0.0.0":
            return ":" not in endpoint.address
        return self.endpoint.address == "::" and (":" in endpoint.address or not self.v6only)

    @property
    def label(self) -> str:
        """Return "127.0.0.1:3001 by node (pid 12, shop.service)"."""
        return f"{self.endpoint} by {self.processes[0].label}" if self.processes else str(self.endpoint)


@dataclass(frozen=True)
class Probe:
    """What a connection to an endpoint showed, made as nginx would make it.

    otherwise  of keys of routes, the path that was asked for too where path gave a 404
    decided    what the kernel's SELinux decides about nginx's own connection
    given      a person named the path
    behind     an earlier request of ours was taken at this endpoint and not answered yet: this one may have waited for it
    """

    endpoint: Endpoint
    path: str
    wait: float
    connect: dict
    tries: tuple[dict, ...]
    queue: dict = field(default_factory=dict)
    behind: bool = False
    tls: dict = field(default_factory=dict)
    otherwise: dict[str, str] = field(default_factory=dict)
    given: bool = False
    decided: dict | None = None

    @property
    def asked(self) -> dict:
        """Return the try that speaks as the pass does; {} when the connection failed."""
        return self.tries[0] if self.tries else {}

    def other_path(self, route: str) -> tuple[str, dict]:
        """Return the other path of a route, by its key, and the try of it; ("", {}) when there was none."""
        path = self.otherwise.get(route, "")
        paths = list(dict.fromkeys(self.otherwise.values()))
        tries = [attempt for attempt in self.tries if attempt["speak"] == "other-path"]
        return (path, tries[paths.index(path)]) if path and paths.index(path) < len(tries) else ("", {})

    def spoke(self, *protocols: str) -> dict:
        """Return the first successful try in one of the protocols, or {}."""
        for attempt in self.tries:
            if attempt["status"] == "ok" and attempt["speak"] in protocols:
                return attempt
        return {}


@dataclass(frozen=True)
class Instance:
    """One nginx of the host: its processes, its configuration, and whether the two agree."""

    raw: dict
    configuration: config.Configuration

    @property
    def id(self) -> str:
        """Return the path of its configuration."""
        return self.raw["id"]

    @property
    def running(self) -> bool:
        """Return whether it has a master process."""
        return bool(self.raw.get("running"))

    @property
    def proposed(self) -> bool:
        """Return whether it is a configuration in a folder, not an nginx of the host."""
        return bool(self.raw.get("proposed"))

    @property
    def container(self) -> str:
        """Return the id of the container whose files it reads, or "" where they are those of the host."""
        master = self.raw.get("master") or {}
        return master.get("container") or "" if master.get("own_root") else ""

    def file(self, path: str) -> dict:
        """Return what was collected of one of its files, or {}."""
        return next((file for file in self.raw.get("files") or () if file["path"] == path), {})

    @property
    def identity(self) -> dict:
        """Return the worker's ids: user, uid, gid, groups."""
        return self.raw.get("identity") or {}

    def stranger(self, path: str) -> str:
        """Return who but root decides what this nginx asks for in one of its files, as "uid 1000", or ""."""
        uid = (self.raw.get("master") or {}).get("uid")
        if uid:
            return f"uid {uid}, who runs this nginx,"
        file = self.file(path)
        if file.get("uid"):
            return f"uid {file['uid']}, whose file {path} is,"
        writes = int(file.get("mode") or "0", 8) & (0o022 if file.get("gid") else 0o002)
        return f"whoever may write to {path}" if writes else ""

    @property
    def workers(self) -> list[dict]:
        """Return the workers that take new requests."""
        return [worker for worker in self.raw.get("workers") or () if not worker.get("shutting_down")]

    @property
    def net(self) -> str:
        """Return its network namespace; "" when it does not run."""
        return (self.raw.get("master") or {}).get("net") or ""

    @property
    def mnt(self) -> str:
        """Return its mount namespace; "" when it does not run."""
        return (self.raw.get("master") or {}).get("mnt") or ""

    @property
    def unit(self) -> dict:
        """Return its systemd unit, or {}."""
        return self.raw.get("unit") or {}

    @property
    def test(self) -> dict:
        """Return the answer of the configuration test."""
        return self.raw.get("test") or _NOT_ASKED

    @cached_property
    def loaded(self) -> float:
        """Return when what runs was loaded: the start of its oldest serving worker; 0.0 when none runs."""
        return min((worker["started"] for worker in self.workers if worker.get("started")), default=0.0)

    @cached_property
    def newer_files(self) -> tuple[str, ...]:
        """Return the configuration files whose content changed after the workers started."""
        return self._newer("mtime")

    @cached_property
    def touched_files(self) -> tuple[str, ...]:
        """Return the files that were changed, moved or replaced after the workers started."""
        return self._newer("ctime")

    def _newer(self, clock: str) -> tuple[str, ...]:
        if not self.loaded:
            return ()
        return tuple(file["path"] for file in self.raw.get("files") or () if (file.get(clock) or 0.0) > self.loaded + _CLOCK_SLACK)

    def in_force_at(self, moment: float) -> bool:
        """Return whether the configuration that runs is the one that ran at a moment: not loaded, or not changed, since."""
        return self.served_at(moment) or moment > self._changed

    @cached_property
    def _changed(self) -> float:
        return max((file.get("mtime") or 0.0 for file in self.raw.get("files") or ()), default=0.0)

    def served_at(self, moment: float) -> bool:
        """Return whether the workers that run were there at a moment of the log, which has whole seconds."""
        return moment >= int(self.loaded)

    def in_force_for(self, group: dict) -> bool:
        """Return the same for the last record of a log group. The log tells whole seconds: in that of the load, the worker tells which side it was."""
        last, pids = group.get("last") or 0.0, set(group.get("pids") or ())
        if pids and int(last) == int(self.loaded):
            return last > self._changed or bool({worker["pid"] for worker in self.workers} & pids)
        return self.in_force_at(last)

    @property
    def meant_to_run(self) -> bool:
        """Return whether its unit says that it should run; a proposed configuration is one that shall."""
        return self.proposed or self.unit.get("enabled") in ("enabled", "enabled-runtime", "alias", "linked") or self.unit.get("active") == "failed"

    def command(self, *options: str) -> str:
        """Return how a person calls this nginx: a plain "nginx" is another one where its program, its prefix or its configuration is not the one built in."""
        build = self.raw.get("build") or {}
        built = build.get("value") or {}
        program, prefix, path = self.raw.get("binary") or "", self.raw.get("prefix") or "", self.raw.get("conf_path") or ""
        words = ["nginx" if posixpath.dirname(program) in _IN_PATH else program or "nginx", *options]
        usual = built.get("prefix") or ""
        if usual and prefix and posixpath.normpath(usual) != prefix:
            words += ["-p", prefix]
        if path and path != posixpath.normpath(posixpath.join(usual, built.get("conf_path") or _USUAL_FILE)):
            words += ["-c", path]
        return shlex.join(words)

    @property
    def test_command(self) -> str:
        """Return the command that tests the configuration."""
        return self.command("-t")

    @property
    def reload_command(self) -> str:
        """Return the command that tests the configuration and loads it."""
        unit = self.unit.get("name")
        return f"{self.test_command} && " + (f"systemctl reload {shlex.quote(unit)}" if unit else self.command("-s", "reload"))

    def reload(self, force: bool = False) -> dict:
        """Return what the remedy reload_nginx is to do; force: to resolve names and read certificates anew, though no file was changed."""
        master = self.raw.get("master") or {}
        asked = {"path": self.raw.get("conf_path") or self.id}
        # Its path is not enough where it has the same one as another.
        return asked | ({"master": master["pid"]} if master.get("own_root") or self.id != asked["path"] else {}) | ({"force": True} if force else {})


@dataclass(frozen=True)
class Leg:
    """One route to one endpoint.

    local  the endpoint is on this host, or in one of its containers
    net    the network namespace in which the endpoint is; "" where that is not known, or on another host
    """

    route: routes.Route
    endpoint: Endpoint
    instance: Instance
    peer: routes.Peer
    probe: Probe | None
    errors: tuple[dict, ...]
    listeners: tuple[Listener, ...]
    walk: dict | None
    local: bool
    net: str = ""
    selinux: selinux.Access | None = None

    @property
    def crosses(self) -> bool:
        """Return whether the endpoint is on this host, in another network namespace than nginx's."""
        return self.endpoint.kind == "tcp" and bool(self.net and self.instance.net) and self.net != self.instance.net

    @property
    def connect(self) -> str:
        """Return how the probe's connection went: "ok", "refused", ...; "" when there was none."""
        return self.probe.connect["status"] if self.probe else ""

    @property
    def header_bytes(self) -> int:
        """Return the size of the response header that the probe got; 0 when it got none."""
        return (self.probe.asked.get("header_bytes") or 0) if self.probe else 0

    @property
    def waited(self) -> float | None:
        """Return how long the probe waited for the header, in seconds; None when it says nothing of it.

        Behind a request of our own that was not answered yet, it may have waited for that one.
        """
        attempt = self.probe.asked if self.probe and not self.probe.behind else {}
        return attempt.get("seconds") if attempt.get("status") in ("ok", "timeout") else None

    @property
    def late(self) -> dict:
        """Return {"status", "seconds"}: what came of an answer that the probe waited for longer than nginx does; {} where that says nothing."""
        attempt = self.probe.asked if self.probe and not self.probe.behind else {}
        return (attempt.get("late") or {}) if attempt.get("status") == "timeout" else {}

    @property
    def answers(self) -> bool:
        """Return whether the endpoint answers now, in the protocol of the pass, with what nginx can hand on."""
        if self.connect != "ok" or self.probe.asked.get("status") != "ok":
            return False
        buffer, timeout = self.route.value("buffer_size"), self.route.value("read_timeout")
        fits = not buffer or not buffer.size or self.header_bytes <= buffer.size
        return fits and (not timeout or not timeout.seconds or (self.waited or 0.0) <= timeout.seconds)

    @property
    def kept_out(self) -> bool:
        """Return whether SELinux denies nginx the endpoint, by the kernel's own decision; the probe, in another domain, may get through all the same."""
        return bool(self.selinux) and self.selinux.denies

    @property
    def met_groups(self) -> list[dict]:
        """Return the log groups of failures that the running workers only met where this host let them connect."""
        served = [group for group in self.errors if self.instance.served_at(group["last"] or 0.0)]
        return [group for group in served if group.get("phase") in _CONNECTED or group["class"] in _LET_THROUGH]

    @property
    def serves(self) -> bool:
        """Return whether the endpoint answers now, and nginx may connect to it; where it was not asked, whether something listens there."""
        if self.kept_out:
            return False
        return self.answers if self.probe and not self.probe_was_unlike else bool(self.listeners)

    @property
    def probe_was_unlike(self) -> bool:
        """Return whether the probe failed where nginx does otherwise (its own certificate, a name from the request): it says nothing then."""
        return bool(self.probe) and self.probe.asked.get("status") == "unlike"

    @property
    def probe_gave_up(self) -> bool:
        """Return whether the probe ended before nginx would have: it says nothing then, unless the endpoint answered in another protocol."""
        timeout = self.route.value("read_timeout")
        limit = timeout.seconds if timeout else None
        asked = self.probe.asked if self.probe else {}
        # A ping is no other protocol: it is answered while a page takes its time.
        otherwise = asked and any(item["status"] == "ok" and item["speak"] != f"{asked['speak']}-ping" for item in self.probe.tries)
        timed_out = asked.get("status") == "timeout" and not otherwise
        return timed_out and bool(limit) and (self.waited or 0.0) <= limit

    @property
    def pending(self) -> bool:
        """Return whether the route stands in a file that the running workers have not read."""
        return self.route.at.file in self.instance.newer_files

    def runs_with(self, directive: directives.Directive) -> bool:
        """Return whether the running workers have read the file that a directive is written in."""
        return directive.at is None or directive.at.file not in self.instance.newer_files

    @property
    def listening_since(self) -> float:
        """Return when the oldest process that listens at the endpoint was started (epoch), or 0.0 where that is not known."""
        return min((process.started for item in self.listeners for process in item.processes if process.started), default=0.0)

    def logged(self, *classes: str) -> list[dict]:
        """Return the log groups of these classes that were met under the configuration that runs, the most frequent first."""
        found = [group for group in self.errors if group["class"] in classes and self.instance.in_force_for(group)]
        return sorted(found, key=lambda group: -group["count"])


def _in_use(instances: list[Instance]) -> tuple[Instance, ...]:
    """Return the instances without those that somebody disabled and that are stopped, where another one runs: nobody misses them."""
    if not any(item.running for item in instances):
        return tuple(instances)
    return tuple(item for item in instances if item.running or item.meant_to_run or not item.unit)


def _alone(_address: str) -> Host | None:
    """The fleet of a host that is judged alone."""
    return None


@dataclass(frozen=True, eq=False)
class Host:
    """A host and its evidence. Build it with Host.of().

    peer_at(address) gives the model of the host of the fleet that has an address, or None.
    """

    name: str
    bundle: dict
    answers: dict
    instances: tuple[Instance, ...]
    owners: tuple[Owner, ...]
    listeners: tuple[Listener, ...]
    peer_at: Callable[[str], Host | None] = _alone

    @classmethod
    def of(cls, bundle: dict, peer_at: Callable[[str], Host | None] = _alone) -> Host:
        """Return the model of a bundle; a part whose question went unanswered is empty."""
        answers = bundle["answers"]
        raw = ((answers.get("nginx") or {}).get("value") or {}).get("instances") or ()
        return cls(
            name=bundle["host"],
            bundle=bundle,
            answers=answers,
            instances=_in_use([Instance(item, config.load(item)) for item in raw]),
            owners=owners_of(answers),
            listeners=tuple(_listeners((answers.get("listeners") or {}).get("value") or {})),
            peer_at=peer_at,
        )

    def answer(self, question: str) -> dict:
        """Return the answer to a question, such as "listeners" or "backends.units"."""
        first, _dot, rest = question.partition(".")
        found = self.bundle["probes"] if first == "probes" else self.answers.get(first) or _NOT_ASKED
        if rest and found["status"] == evidence.OK:
            return (found["value"] or {}).get(rest) or _NOT_ASKED
        return found

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Return the addresses of the host."""
        return frozenset((self.answer("host")["value"] or {}).get("addresses") or ())

    @cached_property
    def now(self) -> float:
        """Return the host's clock when it was asked."""
        return (self.answer("host")["value"] or {}).get("now") or 0.0

    @property
    def proposed(self) -> bool:
        """Return whether a proposed configuration was read, and the host was asked nothing else."""
        return any(instance.proposed for instance in self.instances)

    @cached_property
    def selinux(self) -> selinux.Selinux:
        """Return what SELinux does on the host."""
        return selinux.Selinux.of(self.answer("selinux")["value"])

    def is_local(self, endpoint: Endpoint, instance: Instance | None = None) -> bool:
        """Return whether an endpoint, to which an nginx goes, is on this host, or in one of its containers."""
        if endpoint.kind == "unix":
            return True
        if endpoint.kind != "tcp":
            return False
        if loopback(endpoint.address) or endpoint.address in self.addresses:
            return True
        return self.containers.at(endpoint.address, self.container_of(instance) if instance else None) is not None

    @cached_property
    def containers(self) -> Containers:
        """Return the containers of the host."""
        return Containers.of(self.answer("containers"))

    @cached_property
    def net(self) -> str:
        """Return the network namespace of the host itself, as opposed to that of a container; "" where that cannot be told."""
        inside = {item.net for item in self.containers.apart if item.net}
        shares = {item.id for item in self.containers.every if item.network_mode == "host"} | {"", None}
        own = [item.net for item in self.instances if item.net and item.net not in inside and (item.raw.get("master") or {}).get("container") in shares]
        held = [item.net for item in self.listeners if item.net and item.net not in inside and not any(process.container for process in item.processes)]
        return max(own or held, key=(own or held).count, default="")

    def lands_in(self, instance: Instance, endpoint: Endpoint) -> str:
        """Return the network namespace in which an endpoint is that an nginx goes to; "" where that is not known, or on another host."""
        if endpoint.kind != "tcp" or loopback(endpoint.address):
            return instance.net
        container = self.containers.at(endpoint.address, self.container_of(instance))
        if container:
            return container.net
        return (self.net or instance.net) if endpoint.address in self.addresses else ""

    def container_of(self, instance: Instance) -> Container | None:
        """Return the container that an nginx runs in, or None; one with the host's network is in its control group alone."""
        named = self.containers.by_id((instance.raw.get("master") or {}).get("container") or "")
        return named or next(iter(self.containers.in_net(instance.net)), None)

    def container_behind(self, listener: Listener) -> Container | None:
        """Return the container whose socket a listener is, or into which the engine's own hands its connections on; None where it is neither."""
        for process in listener.processes:
            container = self.containers.by_id(process.container)
            if container:
                return container
        if listener.net and listener.net == self.net:
            handed = [item for item, _port in self.containers.publishing(listener.endpoint) if item.up and self._holds(item, listener)]
            return next(iter(handed), None)
        return next(iter(self.containers.in_net(listener.net)), None)

    def _holds(self, container: Container, listener: Listener) -> bool:
        """Return whether an engine is believed that a socket of the host leads into its container: root's is, and that of the user whose process has it."""
        engine = self.containers.engine(container)
        return self.containers.believed(container.engine) or bool(engine) and any(process.uid == engine.uid for process in listener.processes)

    def may_have(self, owner: Owner, listeners: Iterable[Listener]) -> bool:
        """Return whether one that claims the endpoint of sockets is not merely a container of which a user's engine says so."""
        container = self.containers.by_id(owner.container)
        return not container or self.containers.believed(container.engine) or any(self._holds(container, item) for item in listeners)

    def sockets_in(self, net: str) -> tuple[Listener, ...]:
        """Return the sockets of programs in a network namespace: without the name server that Docker puts into those of containers."""
        return tuple(item for item in self.listeners if net and item.net == net and item.endpoint.kind == "tcp" and item.endpoint.address != "127.0.0.11")

    def listening_at(self, endpoint: Endpoint, net: str) -> tuple[Listener, ...]:
        """Return the sockets that take a connection to an endpoint, made in a network namespace; paths are no matter of that (unix(7))."""
        anywhere = not net or endpoint.path.startswith("/")
        return tuple(item for item in self.listeners if item.accepts(endpoint) and (anywhere or not item.net or item.net == net))

    @cached_property
    def routes(self) -> tuple[routes.Route, ...]:
        """Return the routes of every nginx of the host."""
        found: list[routes.Route] = []
        for instance in self.instances:
            found += routes.routes_of(instance.configuration, self.names_of(instance.id), self.name_servers(instance.id))
        return tuple(found)

    def names_of(self, instance: str) -> dict[str, dict[str, Any]]:
        """Return what the host names in the configuration resolve to where an nginx is."""
        return self._names.get(instance, self._names[""])

    @cached_property
    def _names(self) -> dict[str, dict[str, dict[str, Any]]]:
        told = self.answer("names")["value"] or {}
        others = {name: (answer or {}).get("elsewhere") or {} for name, answer in told.items()}
        instances = {instance for found in others.values() for instance in found}
        return {"": told} | {instance: {name: others[name].get(instance, answer) for name, answer in told.items()} for instance in instances}

    def name_servers(self, instance: str) -> resolvers.Answers:
        """Return what the name servers of an nginx said."""
        return self._name_servers.get(instance) or resolvers.Answers()

    @cached_property
    def _name_servers(self) -> dict[str, resolvers.Answers]:
        return {instance: resolvers.Answers.of(value) for instance, value in (self.answer("resolvers")["value"] or {}).items()}

    def instance_of(self, route: routes.Route) -> Instance:
        """Return the nginx that a route is of."""
        return self._instances_by_id[route.instance]

    @cached_property
    def _instances_by_id(self) -> dict[str, Instance]:
        return {instance.id: instance for instance in self.instances}

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """Return every route to every endpoint; a peer that is marked "down" gets no request and has no leg."""
        found = []
        for route in self.routes:
            for peer in route.peers:
                if not peer.down:
                    found += [self._leg(route, peer, endpoint, self.instance_of(route)) for endpoint in peer.endpoints]
        return tuple(found)

    def _leg(self, route: routes.Route, peer: routes.Peer, endpoint: Endpoint, instance: Instance) -> Leg:
        walk = (self.answer("paths")["value"] or {}).get(endpoint.path) if endpoint.kind == "unix" else None
        net = self.lands_in(instance, endpoint)
        listeners = self.listening_at(endpoint, net or instance.net) or self._handed_on(endpoint, net)
        if not listeners and walk and walk["status"] == evidence.OK and walk["walk"]:
            # The path leads through a link, as /var/run is one to /run; the kernel tells where the socket was made.
            listeners = self.listening_at(Endpoint.unix(walk["walk"][-1]["path"]), instance.net)
        probe = self._probes_by_route.get((route.key, str(endpoint)))
        return Leg(
            route=route,
            endpoint=endpoint,
            instance=instance,
            peer=peer,
            probe=probe,
            errors=tuple(self._errors_by_leg.get((route.key, str(endpoint)), ())),
            listeners=listeners,
            walk=walk,
            local=self.is_local(endpoint, instance),
            net=net,
            selinux=selinux.Access.of(probe.decided if probe else self._decided(instance, str(endpoint)), self.selinux.mode),
        )

    def takes(self, endpoint: Endpoint) -> bool:
        """Return whether a connection to an address of this host, from elsewhere, finds a socket."""
        return bool(self.listening_at(endpoint, self.net) or self._handed_on(endpoint, self.net))

    def _handed_on(self, endpoint: Endpoint, net: str) -> tuple[Listener, ...]:
        """Return the sockets in a container into which the kernel leads a published port, where the engine has no process of its own that listens."""
        for container, port in self.containers.publishing(endpoint) if net and net == self.net else ():
            # The engine of a user has a process that listens.
            if container.up and self.containers.believed(container.engine):
                return taking(self.sockets_in(container.net), container, port.port)
        return ()

    def _decided(self, instance: Instance, endpoint: str) -> dict | None:
        """Return what SELinux decides about an endpoint that was not connected to, for the context of a worker of an nginx."""
        contexts = {self.selinux.contexts.get(str(worker["pid"])) for worker in instance.raw.get("workers") or ()}
        told = (self.answer("probes")["value"] or {}).get("decided") or ()
        found = [item["selinux"] for item in told if item["endpoint"] == endpoint and item.get("selinux")]
        return next((item for item in found if item["source"] in contexts), None)

    @cached_property
    def probes(self) -> dict[str, Probe]:
        """Return the probes by the id of their target."""
        targets = {target["id"]: target for target in self.bundle.get("targets") or ()}
        made = (self.answer("probes")["value"] or {}).get("probes") or ()
        return {probe["id"]: _probe(targets[probe["id"]], probe) for probe in made if probe["id"] in targets}

    @cached_property
    def _probes_by_route(self) -> dict[tuple[str, str], Probe]:
        found = {}
        for target in self.bundle.get("targets") or ():
            probe = self.probes.get(target["id"])
            for key in target["routes"] if probe else ():
                found[(key, target["endpoint"])] = probe
        return found

    def candidate_probe(self, endpoint: Endpoint) -> Probe | None:
        """Return the probe of a socket that no route names, or None when it was not made."""
        for target in self.bundle.get("targets") or ():
            if not target["routes"] and not target.get("pool") and target["endpoint"] == str(endpoint):
                return self.probes.get(target["id"])
        return None

    @cached_property
    def groups(self) -> list[dict]:
        """Return the groups of the error log."""
        return (self.answer("error_log")["value"] or {}).get("groups") or []

    @cached_property
    def _matched(self) -> tuple[dict[tuple[str, str], list[dict]], list[dict]]:
        """Return the log groups by (route key, endpoint), and those that fit no route on disk."""
        by_leg: dict[tuple[str, str], list[dict]] = {}
        foreign = []
        for group in self.groups:
            # nginx notes the path of the request; a subrequest is taken by the location for its own.
            own = (group.get("detail") or {}).get("subrequest")
            paths = (own,) if own else tuple(group.get("paths") or ())
            matches = routes.routes_for(self.routes, group.get("server") or "", paths, group.get("peer") or "")
            writers = self._writers(group)
            for route in [route for route in matches if route.instance in writers] or matches:
                for endpoint in _endpoints_named(route, group.get("peer") or ""):
                    by_leg.setdefault((route.key, str(endpoint)), []).append(group)
            if not matches and group.get("peer"):
                foreign.append(group)
        return by_leg, foreign

    def wrote(self, instance: Instance, pids: Iterable[int]) -> bool:
        """Return whether the workers of an nginx may have written records with these process ids; in the log of one in a container they are its own count."""
        mine = {worker["pid"] for worker in instance.raw.get("workers") or ()}
        if mine & set(pids) or not instance.container or not mine:
            return bool(mine & set(pids))
        return not any(worker["pid"] in set(pids) for other in self.instances if not other.container for worker in other.raw.get("workers") or ())

    def _writers(self, group: dict) -> set[str]:
        """Return which of several nginx wrote a log group; empty where its workers are not all known, as those of before a reload are not."""
        if len(self.instances) < 2:
            return set()
        pids = set(group.get("pids") or ())
        workers = {instance.id: {worker["pid"] for worker in instance.raw.get("workers") or ()} for instance in self.instances}
        return {name for name, mine in workers.items() if mine & pids} if pids and pids <= set().union(*workers.values()) else set()

    @property
    def _errors_by_leg(self) -> dict[tuple[str, str], list[dict]]:
        return self._matched[0]

    @property
    def foreign_errors(self) -> list[dict]:
        """Return the log groups whose upstream no route on disk names."""
        return self._matched[1]

    def owner_named(self, container: Container) -> Owner:
        """Return a container of this host as an owner."""
        return next(owner for owner in self.owners if owner.container == container.id)

    def owner_of(self, listener: Listener) -> Owner | None:
        """Return the unit, pool, program, app or container behind a listening socket, or None."""
        container = self.container_behind(listener)
        if container:
            return self.owner_named(container)
        pids = {process.pid for process in listener.processes}
        units = {process.unit for process in listener.processes if process.unit}
        for owner in self.owners:
            if owner.claim_on(listener.endpoint) and owner.state == RUNNING and self.may_have(owner, (listener,)):
                return owner
        for owner in self.owners:
            if pids & set(owner.pids) or (owner.kind == "systemd unit" and owner.name in units):
                return owner
        return None


def _probe(target: dict, probe: dict) -> Probe:
    return Probe(
        endpoint=Endpoint.parse(probe["endpoint"]),
        path=target["path"],
        wait=target["wait"],
        connect=probe["connect"],
        tries=tuple(probe["tries"]),
        queue=probe.get("queue") or {},
        behind=bool(probe.get("behind")),
        tls=probe.get("tls") or {},
        otherwise=target.get("otherwise") or {},
        given=bool(target.get("given")),
        decided=probe.get("selinux"),
    )


def _endpoints_named(route: routes.Route, peer: str) -> Iterator[Endpoint]:
    """Return the endpoints of a route that a log's peer names; a group's name stands for all of them."""
    every = [endpoint for item in route.peers for endpoint in item.endpoints]
    exact = [endpoint for endpoint in every if str(endpoint) == peer]
    return iter(exact or every)


def taking(found: Iterable[Listener], container: Container, port: int) -> tuple[Listener, ...]:
    """Return those of some sockets in a container that take connections to one of its addresses."""
    places = [Endpoint.tcp(address, port) for address in container.addresses] or [Endpoint.tcp("0.0.0.0", port)]
    return tuple(item for item in found if any(item.accepts(place) for place in places))


def loopback(address: str) -> bool:
    """Return whether an address is one of the loopback."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _listeners(value: dict) -> Iterator[Listener]:
    for item in value.get("tcp") or ():
        endpoint = Endpoint.tcp(item["address"], item["port"])
        yield Listener(endpoint, item.get("net") or "", item.get("v6only"), item.get("accept_queue"), item.get("backlog"), _processes(item))
    for item in value.get("unix") or ():
        endpoint = Endpoint.unix(item["path"])
        yield Listener(endpoint, item.get("net") or "", None, item.get("accept_queue"), item.get("backlog"), _processes(item))


def _processes(item: dict) -> tuple[Process, ...]:
    return tuple(
        Process(
            pid=owner["pid"],
            comm=owner.get("comm") or "",
            exe=owner.get("exe") or "",
            argv=tuple(owner.get("argv") or ()),
            user=owner.get("user") or "",
            unit=owner.get("unit") or "",
            mnt=owner.get("mnt") or "",
            started=owner.get("started") or 0.0,
            container=owner.get("container") or "",
            uid=owner.get("uid"),
        )
        for owner in item.get("owners") or ()
    )
