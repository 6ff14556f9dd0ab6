# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the backend of an endpoint is when nothing answers there.

One endpoint without a listener has one cause. It is decided here, in one place, so that the rules
for a stopped, failing, moved or hidden backend can never contradict each other:

1. the same socket path is open in another mount namespace, or the path goes on behind the socket;
2. its owner says that it listens there, and is failing or stopped; where that is the near end of a tunnel, the tunnel is down;
3. the same port is open at another address, or its owner runs and listens elsewhere;
4. exactly one program that no route uses listens elsewhere and speaks what the pass speaks;
5. a stopped or failing program fits by name that says nothing of where it listens, or fails beside another that has its place;
6. nobody is known.

What is wrong with the way to or from a container, contained.py decides before all of these.
Where the very endpoint is open, and yet nginx does not get there, none of these is true. When it is a loopback address in another
network namespace, as with containers, the address is wrong; else (a socket whose file was removed) nothing is said, but of somebody who is
started again and again, and may be there when its socket is looked at and gone when its port is tried.

This module is private to the collection.
"""

from __future__ import annotations

import functools
import posixpath
import re
from dataclasses import dataclass, replace

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import akin, contained, ends, owners, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg, Listener, loopback

NOT_RUNNING = "backend-not-running"
START_FAILING = "backend-start-failing"
WRONG_PORT = "backend-wrong-port"
WRONG_ADDRESS = "backend-wrong-address"
KIND_MISMATCH = "endpoint-kind-mismatch"
PATH_MISMATCH = "socket-path-mismatch"
PRIVATE_TMP = "socket-private-tmp"
TUNNEL_DOWN = "tunnel-down"

PROVEN, LIKELY, POSSIBLE = "proven", "likely", "possible"

# Programs that listen on most hosts and are nobody's web backend, by the kernel's name for them
# (cut at 15 characters, comm in proc(5)).
_PLUMBING = frozenset(
    """agetty atd auditd avahi-daemon chronyd cockpit-ws containerd crond cron cupsd dbus-broker dbus-daemon dhclient dnsmasq
    docker-proxy dockerd dovecot epmd exim exim4 fail2ban-server freshclam gssproxy haproxy init inetd kubelet lvmetad mariadbd
    master memcached mongod multipathd mysqld named NetworkManager nginx nmbd node_exporter nscd ntpd ntpsec openvpn php-fpm
    polkitd postgres postmaster prometheus rabbitmq-server redis-server redis-sentinel rpc.mountd rpc.statd rpcbind rsyslogd
    sentinel slapd smbd snapd snmpd sshd sssd supervisord systemd systemd-journal systemd-logind systemd-network systemd-resolve
    systemd-udevd systemd-userdbd unbound valkey-server vsftpd xinetd zabbix_agentd zabbix_agent2""".split()
)
# Units of engines that publish the ports of their containers; Podman needs none for that.
_ENGINES = ("docker.service",)
# What is to be said of one beside its state.
GONE = " Which ports its containers publish is not known while it does not run."
_PRIVATE = ("/tmp/", "/var/tmp/")
# What Node and the C library call EADDRINUSE.
_IN_USE = re.compile(r"EADDRINUSE|[Aa]ddress already in use|[Cc]onnection in use")
# What was refused longer ago may well be over.
_JUST_NOW = 900.0


@dataclass(frozen=True)
class Absence:
    """Why nothing answers at the endpoint of a leg.

    cause       one of the ids above
    owner       the unit, pool, program or app that explains it, or None
    elsewhere   the socket where the backend does listen, or None
    others      further sockets or owners that would fit
    seen_on     the host whose listeners and owners were looked at: the peer's own, where it is in the fleet
    brief       it is there now and then, for a moment each time
    behind      what is written of the path behind the socket elsewhere, as "/api/", else ""
    twin        the other loopback address of the same name, where the same is true
    """

    leg: Leg
    cause: str
    certainty: str
    owner: owners.Owner | None = None
    elsewhere: Listener | None = None
    others: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    seen_on: Host | None = None
    brief: bool = False
    behind: str = ""
    twin: str = ""

    @property
    def place(self) -> str:
        """Return where nothing listens, the same for both loopback addresses that a name has: they are one backend."""
        both = " and ".join(sorted((self.leg.endpoint.address, self.twin)))
        return f"{self.leg.peer.host_name}:{self.leg.endpoint.port} ({both})" if self.twin else str(self.leg.endpoint)

    @property
    def of_engine(self) -> bool:
        """Return whether what explains it is an engine, whose containers are not known while it does not run."""
        return bool(self.owner) and self.owner.name in _ENGINES

    @property
    def beyond(self) -> bool:
        """Return whether the socket elsewhere is the very endpoint, in a network namespace that is not the one nginx goes to."""
        net, there = self.leg.net, self.elsewhere
        return bool(there) and self.leg.local and there.endpoint.kind == "tcp" and bool(net and there.net) and there.net != net

    @property
    def reachable(self) -> Endpoint | None:
        """Return the endpoint under which nginx would reach the socket elsewhere; None when it would not."""
        if self.beyond:
            return None
        if not self.elsewhere or self.leg.local and not self.leg.crosses:
            return self.elsewhere and reachable_as(self.elsewhere)
        moved = replace(self.leg.endpoint, port=self.elsewhere.endpoint.port)
        return moved if self.elsewhere.accepts(moved) else None


def absences(host: Host, cause: str) -> list[Absence]:
    """Return the legs of a host on which nothing answers for this cause."""
    return [found for found in _all(host) if found.cause == cause]


@functools.lru_cache(maxsize=8)
def _all(host: Host) -> tuple[Absence, ...]:
    every = [found for found in (explain(host, leg) for leg in host.legs) if found]
    by_name: dict[tuple, list[Absence]] = {}
    for found in every:
        by_name.setdefault(_name_of(found.leg), []).append(found)
    # What is told of both addresses of a name is told at the one where the backend is to listen.
    return tuple(sorted((replace(found, twin=_twin(found, by_name[_name_of(found.leg)])) for found in every), key=_aside))


def _aside(found: Absence) -> bool:
    claim = found.owner.claim_on(found.leg.endpoint) if found.owner else None
    meant = claim.endpoint.address if claim and loopback(claim.endpoint.address) else "127.0.0.1"
    return bool(found.twin) and found.leg.endpoint.address != meant


def _name_of(leg: Leg) -> tuple:
    """Return the route, name and port of a leg to a loopback address of this host that a name stands for ("localhost" has two); empty of all others."""
    named = leg.local and leg.peer.host_name and loopback(leg.endpoint.address)
    return (leg.route.key, leg.peer.host_name, leg.endpoint.port) if named else ()


def _twin(found: Absence, alike: list[Absence]) -> str:
    """Return the other address of the same name at which the same is wrong for the same reason, or ""."""
    if not _name_of(found.leg):
        return ""
    told = (found.cause, found.owner, found.elsewhere, found.certainty)
    addresses = {other.leg.endpoint.address for other in alike if (other.cause, other.owner, other.elsewhere, other.certainty) == told}
    addresses.discard(found.leg.endpoint.address)
    return addresses.pop() if len(addresses) == 1 else ""


def absent(leg: Leg) -> bool:
    """Return whether nothing listens where a leg points; False when that is not known."""
    if leg.connect == "ok" or leg.connect in ("denied", "timeout", "full"):
        return False
    if leg.endpoint.kind == "unix":
        if leg.walk and leg.walk["status"] == "absent" or leg.connect == "absent":
            return True
        return bool(leg.walk) and leg.walk["status"] == "ok" and leg.connect in ("refused", "") and not leg.listeners
    if leg.endpoint.kind != "tcp":
        return False
    return not leg.listeners if leg.local else leg.connect == "refused"


def only_logged(host: Host, leg: Leg) -> bool:
    """Return whether another host refused the connections of a stream server just now: none is made to try, since nobody knows what is spoken there."""
    if leg.route.family != "stream" or leg.endpoint.kind != "tcp" or leg.local or leg.probe:
        return False
    return _logged_just_now(host, leg, "connect-refused")


def _logged_just_now(host: Host, leg: Leg, *classes: str) -> bool:
    return any((group["last"] or 0.0) >= host.now - _JUST_NOW for group in leg.logged(*classes))


def explain(host: Host, leg: Leg) -> Absence | None:
    """Return why nothing answers on a leg, or None when something listens there or it is not known."""
    if _of_stopped_nginx(host, leg) or contained.decides(host, leg):
        return None
    through = _through(host, leg)
    if through:
        return through
    if not (absent(leg) or only_logged(host, leg)):
        return _between_lives(host, leg)
    if leg.local:
        return _find(host, leg)
    peer = host.peer_at(leg.endpoint.address)
    listeners = peer.answer("listeners") if peer else {}
    if listeners.get("status") != evidence.OK or listeners["truncated"]:
        return Absence(leg, NOT_RUNNING, LIKELY if leg.probe else POSSIBLE, alternatives=(WRONG_PORT, WRONG_ADDRESS, "firewall-blocked"))
    if peer.takes(leg.endpoint):
        return None
    # Seen from the peer there is no nginx of ours whose namespaces would matter.
    found = _find(peer, replace(leg, instance=Instance({"id": leg.instance.id}, leg.instance.configuration), net=peer.net))
    return replace(found, leg=leg, seen_on=peer) if found else None


def _through(host: Host, leg: Leg) -> Absence | None:
    """The path goes on behind the socket, as where the colon is missing that ends it: the kernel takes the socket as a folder (ENOTDIR), and so never connects.

    ngx_parse_unix_domain_url() in nginx's core/ngx_inet.c takes the whole text for the path where there is no second colon.
    """
    steps = leg.walk["walk"] if leg.endpoint.kind == "unix" and leg.walk else ()
    if leg.connect == "ok" or not steps or steps[-1]["type"] != "socket":
        return None
    path, socket = leg.endpoint.path, steps[-1]["path"]
    if path.startswith(socket + "/"):
        rest = path[len(socket) + 1 :]
    else:
        # A folder on the way may be a link, as /var/run is.
        before, _name, rest = path.rpartition("/" + posixpath.basename(socket) + "/")
        if not before:
            return None
    there = host.listening_at(Endpoint.unix(socket), "")
    if len(there) != 1:
        return None
    return Absence(leg, PATH_MISMATCH, PROVEN, host.owner_of(there[0]), there[0], seen_on=host, behind="/" + rest)


def _between_lives(host: Host, leg: Leg) -> Absence | None:
    """Somebody is started again and again, and each of its lives is shorter than it takes to look at its state, its socket and its port.

    So its socket may be there and its port refuse, or the other way round. What ends by the requests that it gets did start: backend_crashed.py tells.
    """
    gone = bool(leg.listeners) and leg.connect in ("refused", "absent")
    cut = ends.fails_now(leg) and not any(one["status"] == "ok" for one in leg.probe.tries)
    failed = not leg.listeners or _logged_just_now(host, leg, *ends.AWAY) or ends.boots_in_vain(host, leg, host.now - _JUST_NOW)
    if not leg.local or not (gone or cut and failed):
        return None
    claiming = [owner for owner in map(host.owner_of, leg.listeners) if owner] if leg.listeners else _claimants(host, leg)
    failing = [owner for owner in claiming if owner.state == owners.FAILING and not owner.container]
    if not failing or len(failing) != len(claiming) or ends.by_requests(host, leg):
        return None
    cause = TUNNEL_DOWN if failing[0].tunnel_at(leg.endpoint) else START_FAILING
    return Absence(leg, cause, LIKELY, failing[0], alternatives=(NOT_RUNNING,), brief=True)


def _of_stopped_nginx(host: Host, leg: Leg) -> bool:
    """Return whether the endpoint is that of a nginx which is down: then that is what is wrong."""
    stopped = [instance for instance in host.instances if not instance.running]
    listens = {listen for instance in stopped for listen in routes.sockets_of(instance.configuration, host.names_of(instance.id))}
    wildcard = f"[::]:{leg.endpoint.port}" if ":" in leg.endpoint.address else f"*:{leg.endpoint.port}"
    return leg.local and bool(listens & {str(leg.endpoint), wildcard})


def _find(host: Host, leg: Leg) -> Absence | None:
    found = _hidden(host, leg) or _idle_claimant(host, leg)
    if not found and host.listening_at(leg.endpoint, ""):
        return _beyond(host, leg)
    found = found or _moved(host, leg) or _running_claimant(host, leg) or _of_engine(host, leg, _elsewhere(host, leg)) or _unclaimed(host, leg)
    if found.owner and found.owner.tunnel_at(leg.endpoint) and found.cause in (NOT_RUNNING, START_FAILING):
        found = replace(found, cause=TUNNEL_DOWN)
    return replace(found, seen_on=host)


def _hidden(host: Host, leg: Leg) -> Absence | None:
    """The same path in another mount namespace."""
    for item in host.listeners if leg.endpoint.kind == "unix" else ():
        hidden = item.endpoint == leg.endpoint and item.processes and leg.instance.mnt
        if hidden and all(process.mnt and process.mnt != leg.instance.mnt for process in item.processes):
            owner = host.owner_of(item)
            if leg.endpoint.path.startswith(_PRIVATE) or (owner and owner.private_tmp):
                return Absence(leg, PRIVATE_TMP, PROVEN, owner, item)
    return None


def _beyond(host: Host, leg: Leg) -> Absence | None:
    """The loopback of nginx's own network namespace, and the same endpoint is open in another: nginx or the backend is in a container."""
    net = leg.instance.net
    if leg.endpoint.kind != "tcp" or not loopback(leg.endpoint.address) or leg.listeners or leg.connect not in ("refused", "") or not net:
        return None
    there = [item for item in host.listening_at(leg.endpoint, "") if item.net and item.net != net and item.processes]
    there = _one_per_program([item for item in there if not any(process.comm.startswith("nginx") for process in item.processes)])
    if not there:
        return None
    owner, others = host.owner_of(there[0]), tuple(item.label for item in there[1:])
    # Programs in containers often have one port, each in a namespace of its own: without a claim it may be anybody's.
    meant = bool(leg.connect and owner and owner.claim_on(leg.endpoint) and not others)
    return Absence(leg, WRONG_ADDRESS, LIKELY if meant else POSSIBLE, owner, there[0], others, (NOT_RUNNING,), host)


def _moved(host: Host, leg: Leg) -> Absence | None:
    """The same port at another address."""
    same = _same_port(host, leg)
    if not same:
        return None
    fitting = [item for item in same if _of_family(host, leg, item) and not _refuted(host, item)]
    chosen = (fitting or same)[0]
    certain = len(fitting) == 1 and len(same) == 1
    others = tuple(item.label for item in same if item is not chosen)
    return Absence(leg, WRONG_ADDRESS, PROVEN if certain else LIKELY, host.owner_of(chosen), chosen, others, () if fitting else (NOT_RUNNING,))


def _same_port(host: Host, leg: Leg) -> list[Listener]:
    if leg.endpoint.kind != "tcp":
        return []
    return _one_per_program([item for item in _reachable(host, leg) if item.endpoint.kind == "tcp" and item.endpoint.port == leg.endpoint.port])


def _claimants(host: Host, leg: Leg) -> list[owners.Owner]:
    found = [owner for owner in host.owners if owner.claim_on(leg.endpoint)] if _of_host(host, leg) else []
    return [owner for owner in found if _believed(host, owner)] or found


def _believed(host: Host, owner: owners.Owner) -> bool:
    """Return whether a claim is not only the word of a user's engine."""
    container = host.containers.by_id(owner.container)
    return not container or host.containers.believed(container.engine)


def _of_host(host: Host, leg: Leg) -> bool:
    """Return whether an endpoint is where the managers of the host start programs, not in a container."""
    return leg.endpoint.kind != "tcp" or not leg.net or not host.net or leg.net == host.net


def _idle_claimant(host: Host, leg: Leg) -> Absence | None:
    """Somebody's own configuration says that it listens there, and it does not run.

    Beside a program that runs and says the same, or that has the same port, it may be a leftover: then it is
    likely, or nothing when it is not even meant to run. So may one that is not meant to run, beside one that took its place.
    """
    claiming = _claimants(host, leg)
    rivals = [owner.label for owner in claiming if owner.state == owners.RUNNING and _sockets_of(host, leg, owner)]
    rivals += [item.label for item in _same_port(host, leg)]
    claiming = [owner for owner in claiming if owner.enabled or owner.state == owners.FAILING or not rivals]
    for state, cause in ((owners.FAILING, START_FAILING), (owners.STOPPED, NOT_RUNNING), (owners.STARTING, NOT_RUNNING)):
        idle = [owner for owner in claiming if owner.state == state]
        if idle:
            # Of two that claim one place, the one that is meant to run.
            owner = next((owner for owner in idle if owner.enabled), idle[0])
            rivals += _successors(host, leg) if state == owners.STOPPED and not owner.enabled else []
            others = tuple(dict.fromkeys([*rivals, *(other.label for other in claiming if other is not owner)]))
            moved = WRONG_ADDRESS if _same_port(host, leg) else _elsewhere_cause(leg)
            certainty = LIKELY if rivals or not _believed(host, owner) else PROVEN
            return Absence(leg, cause, certainty, owner, others=others, alternatives=(moved,) if rivals else ())
    return None


def _successors(host: Host, leg: Leg) -> list[str]:
    """Return what runs elsewhere, is led to by no route, and is named like the pass: what was stopped and disabled may have been given up for it."""
    return [item.label for item in candidates(host, leg) if not _refuted(host, item) and akin.akin(leg, akin.words_of(item))]


def _running_claimant(host: Host, leg: Leg) -> Absence | None:
    """Somebody's own configuration says that it listens there; it runs, and listens elsewhere or nowhere."""
    claiming = _claimants(host, leg)
    for owner in claiming:
        fitting = _sockets_of(host, leg, owner)
        if owner.state == owners.RUNNING and fitting:
            certainty = PROVEN if len(fitting) == 1 and _believed(host, owner) else LIKELY
            others = tuple(item.label for item in fitting[1:])
            return Absence(leg, _moved_to(leg, fitting[0]), certainty, owner, fitting[0], others, () if certainty == PROVEN else (NOT_RUNNING,))
    if claiming:
        return Absence(leg, NOT_RUNNING, LIKELY, claiming[0], alternatives=(START_FAILING,))
    return None


def _sockets_of(host: Host, leg: Leg, owner: owners.Owner) -> list[Listener]:
    """Return the sockets of an owner where the backend may be."""
    mine = [item for item in _one_per_program(_reachable(host, leg)) if _belongs(item, owner) and not _claimed_by_another(host, item, owner)]
    return [item for item in mine if not _refuted(host, item)]


def _claimed_by_another(host: Host, item: Listener, owner: owners.Owner) -> bool:
    """Return whether a socket is another owner's by its own configuration: one PHP-FPM master holds those of all its pools."""
    return not owner.claim_on(item.endpoint) and any(other.claim_on(item.endpoint) for other in host.owners if other is not owner)


def _refuted(host: Host, item: Listener) -> bool:
    """Return whether a socket was asked in the protocol of the pass and did not answer in it."""
    probe = host.candidate_probe(reachable_as(item))
    return bool(probe) and probe.asked.get("status") != "ok"


def _elsewhere(host: Host, leg: Leg) -> Absence | None:
    """A program that no route uses listens elsewhere, and speaks what the pass speaks."""
    fitting = [item for item in candidates(host, leg) if not _refuted(host, item)]
    named = [item for item in fitting if akin.akin(leg, akin.words_of(item)) or _only_it_speaks(host, leg, item)]
    answering = [item for item in fitting if host.candidate_probe(reachable_as(item))]
    chosen = next(iter(named or answering), None)
    if not chosen or _akin_idle(host, leg):
        return None
    alone = answering == fitting == [chosen] and not _idle(host)
    free = not any(chosen.accepts(other.endpoint) for other in host.legs)
    certain = alone and named == fitting
    # That it speaks HTTP alone does not prove that a program is the one that was meant.
    certainty = PROVEN if certain else LIKELY if alone and free or len(named) == 1 else POSSIBLE
    return Absence(
        leg,
        _moved_to(leg, chosen),
        certainty,
        host.owner_of(chosen),
        chosen,
        tuple(item.label for item in fitting if item is not chosen),
        () if certain else (NOT_RUNNING,),
    )


def _of_engine(host: Host, leg: Leg, found: Absence | None) -> Absence | None:
    """Return what was found elsewhere where that is certain; else a container engine that is meant to run and does not: what it published is gone with it."""
    engine = next((owner for owner in host.owners if owner.name in _ENGINES and owner.enabled and owner.state != owners.RUNNING), None)
    ours = leg.endpoint.kind == "tcp" and _of_host(host, leg)
    if not engine or not ours or found and found.certainty == PROVEN or any(item.status == evidence.OK for item in host.containers.engines):
        return found
    cause = START_FAILING if engine.state == owners.FAILING else NOT_RUNNING
    others = tuple(filter(None, (found.elsewhere and found.elsewhere.label, *found.others))) if found else ()
    return Absence(leg, cause, LIKELY, engine, others=others, alternatives=(found.cause if found else WRONG_PORT,))


def _only_it_speaks(host: Host, leg: Leg, item: Listener) -> bool:
    """Return whether no other route uses a socket that speaks FastCGI or uwsgi; nearly every program speaks HTTP."""
    return leg.route.family in ("fastcgi", "uwsgi") and not any(item.accepts(other.endpoint) for other in host.legs)


def _unclaimed(host: Host, leg: Leg) -> Absence:
    """A stopped or failing program that does not say where it listens, or nobody at all."""
    alike = _akin_idle(host, leg) if _of_host(host, leg) else []
    if len(alike) == 1:
        cause = START_FAILING if alike[0].state == owners.FAILING else NOT_RUNNING
        return Absence(leg, cause, LIKELY, alike[0], alternatives=(_elsewhere_cause(leg),))
    idle = alike or _idle(host)
    alone = () if _of_host(host, leg) else (contained.LOCALHOST,)
    return Absence(
        leg,
        NOT_RUNNING,
        POSSIBLE if idle or alone or _unseen(host) else LIKELY,
        others=tuple(owner.label for owner in idle),
        alternatives=(START_FAILING, _elsewhere_cause(leg), *alone),
    )


def _unseen(host: Host) -> bool:
    """Return whether there may be programs and managers that the evidence does not show."""
    managers = (host.answer(f"backends.{name}") for name in ("units", "supervisor", "pm2"))
    return bool(host.answer("listeners")["hidden"]) or any(answer["hidden"] or answer["status"] not in (evidence.OK, evidence.ABSENT) for answer in managers)


def _elsewhere_cause(leg: Leg) -> str:
    return WRONG_PORT if leg.endpoint.kind == "tcp" else PATH_MISMATCH


def candidates(host: Host, leg: Leg) -> list[Listener]:
    """Return the sockets where the backend of a dead leg might be: none of the system's, none in use by another route."""
    if leg.crosses:
        # Its address there is none for nginx.
        return []
    family = leg.route.family
    used = {str(other.endpoint) for other in host.legs}
    found = [item for item in _reachable(host, leg) if _of_family(host, leg, item)]
    # One PHP-FPM pool commonly serves many sites, so one in use is still a candidate.
    if family == "uwsgi":
        found = [item for item in found if str(item.endpoint) not in used]
    elif family != "fastcgi":
        found = [item for item in found if not any(item.accepts(other.endpoint) for other in host.legs)]
    same = [item for item in found if item.endpoint.kind == leg.endpoint.kind]
    return _one_per_program(same or found)


def _one_per_program(found: list[Listener]) -> list[Listener]:
    """Return one socket for each program: 0.0.0.0:3000 and [::]:3000 of one process are one place."""
    kept: dict[tuple, Listener] = {}
    for item in sorted(found, key=lambda listener: (":" in listener.endpoint.address, str(listener.endpoint))):
        kept.setdefault((item.endpoint.port, item.endpoint.path, tuple(process.pid for process in item.processes)), item)
    return list(kept.values())


def reachable_as(item: Listener) -> Endpoint:
    """Return the endpoint under which nginx reaches a socket; a wildcard is reached on loopback."""
    if item.endpoint.kind == "tcp" and item.endpoint.address in ("0.0.0.0", "::"):
        address = "127.0.0.1" if item.endpoint.address == "0.0.0.0" or not item.v6only else "::1"
        return replace(item.endpoint, address=address)
    return item.endpoint


def _reachable(host: Host, leg: Leg) -> list[Listener]:
    """Return the sockets of other programs in the network namespace that nginx goes to."""
    net = leg.net or leg.instance.net
    return [
        item
        for item in host.listeners
        if item.processes
        and not any(process.comm.startswith("nginx") for process in item.processes)
        and (not net or not item.net or item.net == net)
        and not item.endpoint.path.startswith("@")
    ]


def _of_family(host: Host, leg: Leg, item: Listener) -> bool:
    """Return whether the program of a socket is of the kind that the pass of a leg goes to."""
    if leg.route.family == "fastcgi":
        return any(process.comm.startswith("php-fpm") for process in item.processes)
    if leg.route.family == "uwsgi":
        return any("uwsgi" in process.comm or "uwsgi" in process.exe for process in item.processes)
    return _could_be_backend(host, item)


def _could_be_backend(host: Host, item: Listener) -> bool:
    if any(process.comm in _PLUMBING or process.comm.startswith(("systemd", "php-fpm", "(")) for process in item.processes):
        return False
    if item.endpoint.kind == "tcp":
        return True
    return item.endpoint.path.startswith("/") and "/.pm2/" not in item.endpoint.path and host.owner_of(item) is not None


def _belongs(item: Listener, owner: owners.Owner) -> bool:
    return any(process.pid in owner.pids or (owner.unit and process.unit == owner.unit) for process in item.processes)


def _moved_to(leg: Leg, item: Listener) -> str:
    if item.endpoint.kind != leg.endpoint.kind:
        return KIND_MISMATCH
    return PATH_MISMATCH if leg.endpoint.kind == "unix" else WRONG_PORT


def _idle(host: Host) -> list[owners.Owner]:
    """Return the local administrator's own services that should run, do not, and say nothing of where they would listen.

    So does one that fails because another program has the place that it names: that need not be the one that was meant for it.
    """
    return [
        owner
        for owner in host.owners
        if owner.custom
        and (
            owner.state == owners.FAILING
            and (not owner.claims or _ousted(host, owner))
            or owner.state == owners.STOPPED
            and owner.enabled
            and not owner.claims
        )
    ]


def _ousted(host: Host, owner: owners.Owner) -> bool:
    """Return whether a program said at its end that its address is in use (EADDRINUSE), and others do listen wherever it is to."""
    said = any(_IN_USE.search(line) for line in owner.lines)
    return said and all(any(not _belongs(item, owner) for item in host.listening_at(claim.endpoint, host.net)) for claim in owner.claims)


def _akin_idle(host: Host, leg: Leg) -> list[owners.Owner]:
    return [owner for owner in _idle(host) if akin.akin(leg, akin.words(owner.name, owner.at))]
