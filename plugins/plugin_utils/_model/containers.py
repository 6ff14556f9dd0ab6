# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a host, their networks and the engines that run them.

Which of them a listener, an nginx, an address or a name belongs to is asked here; what is wrong between two of them, contained.py says.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import TCP, Endpoint

# A container that lived this long, in seconds, did start; one that ended sooner did not.
_LIVED = 10.0
# So many restarts are a loop, even when it happens to be up at the moment of asking.
_LOOPING = 3
# 128 and the number of the signal with which somebody ended it: HUP, INT, KILL, TERM.
_KILLED = (129, 130, 137, 143)
# As Docker and Podman have it; a user's engine may say otherwise.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_EVERY = ("", "0.0.0.0", "::")
# Networks whose addresses are taken by several hosts, or by none in particular: a service of Docker Swarm has one that is no container's.
_SWARM = ("overlay", "ingress")
_DEFAULT = ("bridge", "podman")
_JOINED = "container:"
_ID = re.compile(_JOINED + "[0-9a-f]{64}")


@dataclass(frozen=True)
class Engine:
    """One engine, and whether it told of its containers; uid is of the user that holds its socket."""

    socket: str
    kind: str
    version: str
    status: str
    why: str
    uid: int | None = None

    @property
    def of_user(self) -> bool:
        """Return whether it is not root's: then it says what its user likes."""
        return bool(self.uid)


@dataclass(frozen=True)
class Network:
    """A network of an engine."""

    engine: str
    name: str
    id: str
    driver: str
    subnets: tuple[str, ...]

    @property
    def swarm(self) -> bool:
        """Return whether it may span several hosts."""
        return self.driver in _SWARM

    def has(self, address: str) -> bool:
        """Return whether an address is one of its range."""
        return any(_within(address, subnet) for subnet in self.subnets)


@dataclass(frozen=True)
class Attachment:
    """A network that a container is connected to; without addresses where it does not run."""

    name: str
    id: str
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]
    gateway: str

    @property
    def named(self) -> bool:
        """Return whether the engine resolves names on it: the default network of Docker has no name server, nor that of Podman."""
        return self.name not in _DEFAULT


@dataclass(frozen=True)
class Published:
    """A port of a container that the host has too; address is "" for every one, host_port None where the engine chooses it."""

    port: int
    protocol: str
    address: str
    host_port: int | None

    @property
    def place(self) -> str:
        """Return where on the host, as "0.0.0.0:8080"."""
        return str(Endpoint.tcp(self.address or "0.0.0.0", self.host_port or 0))

    def takes(self, endpoint: Endpoint) -> bool:
        """Return whether a connection to an endpoint of the host leads into the container."""
        same = self.address == endpoint.address or self.address in _EVERY and ((":" in endpoint.address) == (":" in self.address) or not self.address)
        return self.protocol == "tcp" and self.host_port == endpoint.port and same


@dataclass(frozen=True)
class Compose:
    """Where a container of Compose comes from. needs has the services that it waits for, with the condition; None where only its file would tell."""

    project: str
    service: str
    folder: str
    files: tuple[str, ...]
    needs: tuple[tuple[str, str], ...] | None

    @property
    def file(self) -> str:
        """Return the file that is to be edited, or "its compose file"."""
        return self.files[0] if self.files else "its compose file"


@dataclass(frozen=True)
class Container:
    """A container as its engine tells of it; known is False where only the list of containers has it."""

    engine: str
    id: str
    name: str
    known: bool
    state: str
    exit_code: int | None
    oom_killed: bool
    error: str
    restarts: int
    restart_policy: str
    health: str
    healthcheck: bool | None
    health_log: tuple[str, ...]
    started: float
    finished: float
    pid: int | None
    net: str
    network_mode: str
    attachments: tuple[Attachment, ...]
    published: tuple[Published, ...]
    exposed: tuple[int, ...]
    compose: Compose | None
    command: tuple[str, ...]
    memory: dict
    words: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the container as a person calls it."""
        return f"container {self.name or self.id[:12]}"

    @property
    def word(self) -> str:
        """Return its name as a shell and an engine take it; its id where the name is none that an engine would give."""
        return self.name if _NAME.fullmatch(self.name) else self.id[:12]

    @property
    def running(self) -> bool:
        """Return whether its processes run."""
        return self.state == "running"

    @property
    def paused(self) -> bool:
        """Return whether its processes are frozen: the kernel goes on taking connections for them."""
        return self.state == "paused"

    @property
    def up(self) -> bool:
        """Return whether it has processes, and so its addresses and published ports."""
        return self.running or self.paused

    @property
    def names(self) -> frozenset[str]:
        """Return the names, in lower case, under which containers on its networks find it."""
        every = [self.name, *(alias for item in self.attachments for alias in item.aliases)]
        return frozenset(name.lower() for name in every if name) | ({self.compose.service.lower()} if self.compose else frozenset())

    @property
    def reached_as(self) -> str:
        """Return the name by which others on its networks should go to it: that of its service, else its own."""
        return self.compose.service if self.compose else self.name

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return its addresses on its networks."""
        return tuple(address for item in self.attachments for address in item.addresses)

    def shared(self, other: Container) -> tuple[Attachment, ...]:
        """Return its networks that another container is on too."""
        theirs = {(other.engine, item.id or item.name) for item in other.attachments}
        return tuple(item for item in self.attachments if (self.engine, item.id or item.name) in theirs and item.name not in ("host", "none"))

    def of_project(self, other: Container) -> bool:
        """Return whether both are of one project of Compose."""
        return bool(self.compose and other.compose) and self.compose.project == other.compose.project

    def failing(self, now: float) -> bool:
        """Return whether it is meant to run and does not manage to: it ended soon after its start by itself, or is started again and again."""
        soon = bool(self.started and self.finished) and 0 <= self.finished - self.started < _LIVED
        if self.state == "restarting":
            return True
        if self.running:
            return self.restarts >= _LOOPING and bool(self.started) and now - self.started < _LIVED
        if self.state == "created":
            return bool(self.error)
        return self.state in ("exited", "dead") and not self.oom_killed and (bool(self.error) or soon and self.exit_code not in (None, 0, *_KILLED))

    def says(self, now: float) -> str:
        """Return its state in words, such as "down (exited with code 1 after 2 s, 5 minutes ago), restarted 5 times"."""
        words = self.state or "in an unknown state"
        if self.state in ("exited", "dead", "restarting", "created"):
            lived = self.finished - self.started if self.started and self.finished else -1.0
            known = self.exit_code is not None and self.state != "created"
            parts = f"exited with code {self.exit_code}" if known else self.state
            parts += f" after {lived:.0f} s" if 0 <= lived < 60 else ""
            parts += f", {_ago(now - self.finished)} ago" if self.finished and now > self.finished else ""
            parts += ", out of memory (OOMKilled)" if self.oom_killed else ""
            words = f"{'restarting' if self.state == 'restarting' else 'down'} ({parts})"
        if self.running and self.started and now > self.started:
            words = f"up for {_ago(now - self.started)}"
        if self.restarts:
            words += f", restarted {self.restarts} times"
        if self.health in ("starting", "unhealthy") and self.up:
            words += f", {self.health if self.health == 'unhealthy' else 'its health check has not passed yet'}"
        return words + (f": {self.error}" if self.error else "")


@dataclass(frozen=True)
class Containers:
    """All that the engines of a host tell.

    known  every engine told of all its containers: what is not here is not there
    cut    not all of them were asked about, whatever an engine says
    """

    engines: tuple[Engine, ...] = ()
    every: tuple[Container, ...] = ()
    networks: tuple[Network, ...] = ()
    known: bool = False
    cut: bool = False

    @classmethod
    def of(cls, answer: dict) -> Containers:
        """Return the model of an answer to the question "containers"."""
        value = answer.get("value") or {}
        engines = tuple(
            Engine(item["socket"], item["kind"], item["version"], item["status"], item["why"], item.get("uid")) for item in value.get("engines") or ()
        )
        # Of two with one id, that of root's engine.
        told = sorted(value.get("containers") or (), key=lambda item: any(one.socket == item.get("engine") and one.of_user for one in engines))
        every: dict[str, dict] = {}
        for item in told:
            every.setdefault(item["id"], item)
        asked = [item for item in engines if item.status != evidence.ABSENT]
        cut = answer.get("status") != evidence.OK or bool(answer.get("truncated"))
        known = not cut and all(item.status == evidence.OK for item in asked)
        return cls(
            engines,
            tuple(map(_container, every.values())),
            tuple(_network(item) for item in value.get("networks") or ()),
            known or answer.get("status") == evidence.ABSENT,
            cut,
        )

    @property
    def apart(self) -> tuple[Container, ...]:
        """Return those whose network namespace is not the host's: before those that share one, the container that it was made for."""
        found = [item for item in self.every if item.network_mode != "host"]
        return tuple(sorted(found, key=lambda item: item.network_mode.startswith(_JOINED)))

    def engine(self, container: Container) -> Engine | None:
        """Return the engine of a container, or None."""
        return next((item for item in self.engines if item.socket == container.engine), None)

    def told(self, socket: str) -> bool:
        """Return whether an engine told of all its containers and networks, whatever others did."""
        return not self.cut and any(item.socket == socket and item.status == evidence.OK for item in self.engines)

    def believed(self, socket: str, by: Container | None = None) -> bool:
        """Return whether an engine is believed about ways of an nginx, which is in a container of some engine or in none: root's is, or its own."""
        return bool(by) and by.engine == socket or not any(item.socket == socket and item.of_user for item in self.engines)

    def believable(self, by: Container | None = None) -> tuple[Container, ...]:
        """Return the containers of engines that are believed."""
        return tuple(item for item in self.every if self.believed(item.engine, by))

    def by_id(self, id_: str) -> Container | None:
        """Return the container with an id, or None."""
        return next((item for item in self.every if id_ and item.id == id_), None)

    def in_net(self, net: str) -> tuple[Container, ...]:
        """Return the containers in a network namespace that is not the host's, the one that it was made for first."""
        return tuple(item for item in self.apart if net and item.net == net)

    def joined(self, container: Container) -> Container | None:
        """Return the container whose network a container joined, or None: it joined none, or that one is gone."""
        return self.by_id(container.network_mode[len(_JOINED) :]) if container.network_mode.startswith(_JOINED) else None

    def lost(self, container: Container) -> bool:
        """Return whether a container joined the network of one that there is no more, as an engine that told all of them says."""
        named = _ID.fullmatch(container.network_mode)
        return bool(named) and self.told(container.engine) and not self.joined(container)

    def networked(self, container: Container) -> Container:
        """Return the container whose networks a container uses: itself, or the one that it joined."""
        return self.joined(container) or container

    def at(self, address: str, by: Container | None = None) -> Container | None:
        """Return the container that has an address on a network, by an engine that is believed; None where there is none, or several networks have it."""
        found = [item for item in self.believable(by) if address in item.addresses]
        one = len(found) == 1 or len({item.net for item in found}) == 1
        return min(found, key=lambda item: item.network_mode.startswith(_JOINED)) if found and one else None

    def called(self, name: str, by: Container) -> tuple[Container, ...]:
        """Return the containers that a name means where another container asks for it; that of a service only within its project."""
        name = name.lower().rstrip(".")
        found = []
        for item in self.every:
            own = {item.name.lower(), *(alias.lower() for attachment in item.attachments for alias in attachment.aliases)}
            service = bool(item.compose) and item.compose.service.lower() == name and item.of_project(by)
            if item.engine == by.engine and item.id != by.id and (name in own or service):
                found.append(item)
        return tuple(sorted(found, key=lambda item: not item.up))

    def publishing(self, endpoint: Endpoint) -> tuple[tuple[Container, Published], ...]:
        """Return the containers into which a connection to an endpoint of the host leads, or would when they ran: those that run first."""
        if endpoint.kind != TCP:
            return ()
        found = [(item, port) for item in self.every for port in item.published if port.takes(endpoint)]
        return tuple(sorted(found, key=lambda pair: not pair[0].up))

    def network_of(self, address: str, by: Container | None = None) -> Network | None:
        """Return the network whose range has an address, by an engine that is believed, or None."""
        return next((item for item in self.networks if item.has(address) and self.believed(item.engine, by)), None)

    def network_named(self, attachment: Attachment, engine: str) -> Network | None:
        """Return the network of an attachment, or None."""
        return next((item for item in self.networks if item.engine == engine and (item.id == attachment.id or item.name == attachment.name)), None)


def _within(address: str, subnet: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False


def _ago(seconds: float) -> str:
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{int(seconds)} s"


def _network(item: dict) -> Network:
    return Network(item["engine"], item["name"], item["id"], item["driver"], tuple(item["subnets"]))


def _container(item: dict) -> Container:
    compose = item.get("compose")
    return Container(
        engine=item.get("engine") or "",
        id=item["id"],
        name=item.get("name") or "",
        known=(item.get("status") or evidence.OK) == evidence.OK,
        state=item.get("state") or "",
        exit_code=item.get("exit_code"),
        oom_killed=bool(item.get("oom_killed")),
        error=item.get("error") or "",
        restarts=item.get("restarts") or 0,
        restart_policy=item.get("restart_policy") or "",
        health=item.get("health") or "",
        healthcheck=item.get("healthcheck"),
        health_log=tuple(item.get("health_log") or ()),
        started=item.get("started") or 0.0,
        finished=item.get("finished") or 0.0,
        pid=item.get("pid"),
        net=item.get("net") or "",
        network_mode=item.get("network_mode") or "",
        attachments=tuple(_attachment(one) for one in item.get("networks") or ()),
        published=tuple(Published(one["port"], one["protocol"], one["address"], one["host_port"]) for one in item.get("published") or () if one["port"]),
        exposed=tuple(item.get("exposed") or ()),
        compose=_compose(compose) if compose else None,
        command=tuple(item.get("command") or ()),
        memory=item.get("memory") or {},
        words=tuple(item.get("words") or ()),
    )


def _attachment(item: dict) -> Attachment:
    return Attachment(item["name"], item.get("id") or "", tuple(item["addresses"]), tuple(item["aliases"]), item.get("gateway") or "")


def _compose(item: dict) -> Compose:
    told = item.get("depends_on")
    needs = None if told is None else tuple((one["service"], one["condition"]) for one in told)
    return Compose(item["project"], item["service"], item["folder"], tuple(item["files"]), needs)
