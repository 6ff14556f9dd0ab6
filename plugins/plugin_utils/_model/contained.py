# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a way that leads out of a container, or into one.

One leg that fails has one cause. It is decided here, in one place, by where its endpoint is:

1. the loopback of the container that nginx runs in: nothing is there, and another container, or the host, has the port; or it is that of a container
   which nginx's joined, and which has another network by now;
2. an address or a published port of a container: that is paused, listens on its own loopback alone, on another port, or nowhere;
3. a port of the host that leads nowhere, while a container listens on it in its own network and does not publish it;
4. an address that a network of the engine has, and none of its containers any more;
5. a name that the engine does not resolve: the container that has it is down, or on none of nginx's networks.

What a container has as a service of Docker Swarm is not judged: its addresses are of no container. Where the engine did not tell of a
container, or nothing is known of its sockets, nothing is said either. Beside an engine that told nothing, what others told stands; only what could be
in that one is not proven.

Sources: docker-proxy takes a connection before it makes its own into the container, and closes it where that fails (cmd/docker-proxy/tcp_proxy.go of
moby); rootlessport and slirp4netns of Podman do the same. Without it the kernel hands the connection on, and the refusal is the container's.

This module is private to the collection.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import akin
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Attachment, Container, Published
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, TCP, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, Listener, loopback, taking

LOCALHOST = "container-localhost"
LOOPBACK_BIND = "container-loopback-bind"
NETWORK_MISMATCH = "container-network-mismatch"
PORT_MAPPING = "container-port-mapping"
NOT_RUNNING = "backend-not-running"
START_FAILING = "backend-start-failing"
WRONG_ADDRESS = "backend-wrong-address"

PROVEN, LIKELY, POSSIBLE = "proven", "likely", "possible"

# How: of PORT_MAPPING a published port used between containers, another port of the container, one that is published to no socket,
# one that is not published, one that is published elsewhere; of NOT_RUNNING a container that is paused, listens nowhere, does not run,
# or may be the one whose address no container has any more.
BETWEEN, OTHER_PORT, MAPPED_WRONG, UNPUBLISHED, ELSEWHERE = "between", "other port", "mapped wrong", "unpublished", "elsewhere"
PAUSED, SILENT, DOWN, GONE = "paused", "silent", "down", "gone"
# How: of LOCALHOST, beside DOWN, several containers of which nothing tells one from the others.
SEVERAL = "several"
# How: of WRONG_ADDRESS a program that takes IPv6 alone, in a container that has IPv4 alone.
FAMILY = "family"
# How: of NETWORK_MISMATCH two containers apart, or together on a network without names alone; or nginx's is left in the network of a container
# that it joined, which was made anew or started again without it; or that is so of a backend that joined the container to which nginx goes.
APART, NAMELESS, LEFT, STRANDED = "apart", "nameless", "left", "stranded"

# So long after its start, in seconds, a program may not listen yet.
_SETTLED = 30.0
# What listens on a published port for a container: docker-proxy, rootlessport and slirp4netns; conmon holds those of root's Podman.
_PROXIES = ("docker-proxy", "rootlessport", "slirp4netns", "pasta", "pasta.avx2", "conmon")


@dataclass(frozen=True)
class Verdict:
    """Why a leg fails.

    cause     one of the ids above, or "" where nothing may be said: the endpoint is one of Docker Swarm
    how       what form of it, or ""
    own       the container whose network nginx has, or None
    inside    the container that nginx runs in: the same, or one that joined that network
    target    the container that is meant, or None: then it is a program of the host
    listener  the socket that is meant, or None
    endpoint  where nginx would reach it as things are, where that is an address, or None
    place     where nginx would reach it, as it is to be written: "app:3000"
    home      the host whose containers these are
    port      what is published of the container, where nginx goes to that
    network   the network, with names, on which place holds; or the one that is meant
    others    further sockets or containers that would fit
    """

    leg: Leg
    cause: str
    certainty: str = PROVEN
    how: str = ""
    own: Container | None = None
    inside: Container | None = None
    target: Container | None = None
    listener: Listener | None = None
    endpoint: Endpoint | None = None
    place: str = ""
    home: Host | None = None
    port: Published | None = None
    network: str = ""
    others: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """A socket that may be meant, of a container or, without one, of the host itself; port is the one under which others reach it."""

    container: Container | None
    listener: Listener
    port: int

    @property
    def label(self) -> str:
        return f"{self.listener.label} in {self.container.label}" if self.container else f"{self.listener.label} on the host"


def verdicts(host: Host, cause: str) -> list[Verdict]:
    """Return the legs of a host that fail for this cause."""
    return [found for found in _all(host).values() if found.cause == cause]


def verdict(host: Host, leg: Leg) -> Verdict | None:
    """Return why a leg of a host fails, or None where it is not for a container."""
    return _all(host).get(id(leg))


def decides(host: Host, leg: Leg) -> bool:
    """Return whether what can be said of a leg is said here: there is a verdict, or its endpoint is the address of a container."""
    return id(leg) in _all(host) or leg.endpoint.kind == TCP and host.containers.at(leg.endpoint.address, host.container_of(leg.instance)) and leg.crosses


@functools.lru_cache(maxsize=8)
def _all(host: Host) -> dict[int, Verdict]:
    found = ((id(leg), _of(host, leg)) for leg in host.legs)
    return {key: one for key, one in found if one and _told(one)}


def _told(found: Verdict) -> bool:
    """Return whether the engines of both sides told all."""
    return all(found.home.containers.told(item.engine) for item in (found.own, found.target) if item)


def fails(leg: Leg) -> bool | None:
    """Return whether connections fail on a leg, or are cut off, as they do when nobody is there; None when it was not tried."""
    if leg.endpoint.kind == NAME:
        return True
    if not leg.probe:
        return None
    if leg.connect == "ok":
        return leg.probe.asked.get("status") in ("closed", "reset", "timeout")
    return leg.connect in ("refused", "unreachable", "timeout")


def _single(leg: Leg, inside: Container) -> bool:
    """Return whether nginx is the program of its container, so that no backend is to run beside it."""
    master = leg.instance.raw.get("master") or {}
    words = [word.rpartition("/")[2] for word in inside.command[:4]]
    return bool(inside.pid) and master.get("pid") == inside.pid or any(word.startswith("nginx") for word in words)


def _of(host: Host, leg: Leg) -> Verdict | None:
    if leg.endpoint.kind not in (TCP, NAME) or fails(leg) is False:
        return None
    home = host if leg.local or leg.endpoint.kind == NAME else host.peer_at(leg.endpoint.address) or host
    if not home.containers.every:
        return None
    inside = host.container_of(leg.instance)
    inside = inside if inside and inside.network_mode != "host" else None
    own = host.containers.networked(inside) if inside else None
    if not inside and leg.instance.net != host.net and not host.containers.known:
        # It may be in a container of an engine that told nothing.
        return None
    start = Verdict(leg, "", own=own, inside=inside, home=home)
    if leg.endpoint.kind == NAME:
        return _named(start) if own else None
    if loopback(leg.endpoint.address) and (own or leg.net != host.net):
        # Of a namespace that is neither the host's nor that of a known container nothing is known.
        return _localhost(start) if own else None
    target = home.containers.at(leg.endpoint.address, own) if home is host else None
    if target:
        return _inside(start, target) if not own or target.net != own.net else None
    if leg.local or home is not host:
        return _published(start)
    return _gone(start)


def _seen(home: Host, container: Container) -> bool:
    """Return whether the sockets of a container are known: that none is there, means that there is none."""
    listeners = home.answer("listeners")
    return container.known and bool(container.net) and listeners["status"] == evidence.OK and not listeners["truncated"]


# --- the loopback of nginx's own container


def _localhost(start: Verdict) -> Verdict | None:
    leg, own, home = start.leg, start.own, start.home
    if leg.listeners or not _seen(home, own):
        return None
    left = _left_behind(start) or _stranded(start, own, leg.endpoint.port)
    if left:
        return left
    beside = [item for item in home.containers.believable(own) if item.network_mode == f"container:{own.id}" and not item.up]
    if beside:
        return _down(start, beside[0], LIKELY if len(beside) > 1 else PROVEN)
    found = _without_nginx(_elsewhere(home, own, leg.endpoint.port))
    near = [item for item in found if item.container and (item.container.shared(own) or item.container.of_project(own))]
    like = [item for item in near if akin.akin(leg, akin.words(item.container.reached_as))]
    chosen = (like or near or found)[0] if found else None
    if not chosen:
        return _localhost_of_stopped(start)
    meant = (bool(near) or len(found) == 1) and not _own_loopback(chosen)
    # Beside others, one of them may be meant.
    alone = _single(leg, start.inside) and len(home.containers.in_net(own.net)) == 1
    certain = fails(leg) and alone and meant and home.containers.known
    # Whichever of several is meant, it is not there.
    several = len(like or near or found) > 1
    shown = replace(
        start,
        cause=LOCALHOST,
        certainty=PROVEN if certain else LIKELY,
        target=chosen.container,
        listener=chosen.listener,
        how=SEVERAL if several else "",
        others=tuple(dict.fromkeys(item.label for item in near + found if item is not chosen))[:4],
        alternatives=() if certain else (NOT_RUNNING,),
    )
    return _reaching(shown, chosen.port) if chosen.container else replace(shown, place=f"host.docker.internal:{leg.endpoint.port}")


def _left_behind(start: Verdict) -> Verdict | None:
    """The container whose network nginx's joined at its start has another one since, or is gone: what listens there is not where nginx is."""
    leg, inside, home = start.leg, start.inside, start.home
    joined = home.containers.joined(inside)
    lost = home.containers.lost(inside)
    if not (inside.net and (joined or lost)) or len(home.containers.in_net(inside.net)) > 1:
        return None
    port = leg.endpoint.port
    if joined:
        sockets = home.sockets_in(joined.net) if joined.up and joined.net != inside.net else ()
        there = [_Place(joined, item, port) for item in sockets if item.endpoint.port == port]
    else:
        there = [item for item in _without_nginx(_elsewhere(home, inside, port)) if item.container and item.container.engine == inside.engine]
        there = [item for item in there if item.container.of_project(inside)] or there
    if not there:
        return None
    return replace(
        start,
        cause=NETWORK_MISMATCH,
        how=LEFT,
        certainty=PROVEN if fails(leg) else LIKELY,
        own=inside,
        target=there[0].container if len(there) == 1 or joined else None,
        listener=there[0].listener if len(there) == 1 or joined else None,
        others=tuple(item.label for item in there)[:4] if len(there) > 1 and not joined else (),
    )


def _stranded(start: Verdict, target: Container, port: int) -> Verdict | None:
    """A backend joined the network of a container to which nginx goes, and that one has another network since, or was made anew."""
    home = start.home
    found = []
    for item in home.containers.every:
        if item.engine != target.engine or not (item.up and item.net) or item.net == target.net:
            continue
        joined, lost = home.containers.joined(item), home.containers.lost(item)
        sockets = [one for one in home.sockets_in(item.net) if one.endpoint.port == port]
        if sockets and (joined is target or lost and item.of_project(target)):
            found.append((item, sockets[0], joined is target))
    if len(found) != 1:
        return None
    item, listener, sure = found[0]
    certain = sure and fails(start.leg)
    alternatives = () if certain else (NOT_RUNNING,)
    shown = replace(start, cause=NETWORK_MISMATCH, how=STRANDED, certainty=PROVEN if certain else LIKELY, alternatives=alternatives)
    return replace(shown, target=item, listener=listener)


def _own_loopback(place: _Place) -> bool:
    """Return whether a container's program listens for that container alone: it may be another one's own."""
    return bool(place.container) and loopback(place.listener.endpoint.address)


def _localhost_of_stopped(start: Verdict) -> Verdict | None:
    """A container that does not run would have the port: started, it would not be on nginx's loopback either."""
    own, port = start.own, start.leg.endpoint.port
    found = [item for item in start.home.containers.apart if not item.up and item.id != own.id and item.engine == own.engine]
    found = [item for item in found if item.shared(own) or item.of_project(own)]
    found = [item for item in found if port in item.exposed or any(one.port == port or one.host_port == port for one in item.published)]
    if not found:
        return None
    others = tuple(item.label for item in found[1:])
    return _reaching(replace(start, cause=LOCALHOST, certainty=LIKELY, how=DOWN, target=found[0], others=others, alternatives=(NOT_RUNNING,)), port)


def _elsewhere(home: Host, own: Container | None, port: int) -> list[_Place]:
    """Return who has a port in another container, or on the host: of a published one the container, with the port that it has there."""
    found = []
    for container in home.containers.apart:
        if container.up and container.net and (not own or container.net != own.net) and home.containers.believed(container.engine, own):
            found += [_Place(container, item, port) for item in home.sockets_in(container.net) if item.endpoint.port == port]
    for item in home.sockets_in(home.net):
        if item.endpoint.port == port and item.processes:
            handed = [pair for pair in home.containers.publishing(item.endpoint) if home.containers.believed(pair[0].engine, own)]
            handed = next(((one, mapped) for one, mapped in handed if one.up), None)
            if handed and handed[0].network_mode != "host":
                found.append(_Place(handed[0], item, handed[1].port))
            else:
                found.append(_Place(None, item, port))
    kept: dict[tuple, _Place] = {}
    for place in found:
        kept.setdefault((place.container.net,) if place.container else ("", *(process.pid for process in place.listener.processes)), place)
    return [place for place in kept.values() if not own or not place.container or place.container.net != own.net]


def _without_nginx(found: list[_Place]) -> list[_Place]:
    """Return them without other nginx, where there is anybody else."""
    others = [place for place in found if not any(process.comm.startswith("nginx") for process in place.listener.processes)]
    return others or found


def _reaching(found: Verdict, port: int) -> Verdict:
    """Return a verdict with where nginx reaches a port of the container that is meant: its name, where both are on a network with names."""
    own, target = found.own, found.target
    if not own:
        address = next(iter(target.addresses), "")
        endpoint = Endpoint.tcp(address, port) if address else None
        return replace(found, place=str(endpoint or f"{target.label}:{port}"), endpoint=endpoint)
    common = [item for item in target.shared(own) if item.named]
    name = target.reached_as if not common or target.reached_as.lower() in _names_on(target, common) else target.name
    return replace(found, place=f"{name}:{port}", network=common[0].name if common else "")


def _names_on(container: Container, networks: Iterable[Attachment]) -> set[str]:
    return {container.name.lower(), *(alias.lower() for item in networks for alias in item.aliases)}


# --- an address or a published port of a container


def _inside(start: Verdict, target: Container) -> Verdict | None:
    leg, own, home = start.leg, start.own, start.home
    network = home.containers.network_of(leg.endpoint.address, own)
    if network and network.swarm:
        return start
    if own:
        there = next(item for item in target.attachments if leg.endpoint.address in item.addresses)
        if there not in target.shared(own):
            # Bridges are kept apart from one another; what gets through all the same is no matter of networks.
            certain = leg.connect in ("timeout", "unreachable")
            shown = replace(start, cause=NETWORK_MISMATCH, certainty=PROVEN if certain else LIKELY, how=APART, target=target)
            return replace(_reaching(shown, leg.endpoint.port), network=there.name) if leg.connect != "ok" else None
    return _at_port(replace(start, target=target), leg.endpoint.port)


def _published(start: Verdict) -> Verdict | None:
    """A port of the host."""
    leg, own, home = start.leg, start.own, start.home
    handed = home.containers.publishing(leg.endpoint)
    of_root = [pair for pair in handed if home.containers.believed(pair[0].engine, own)]
    # What a user's engine publishes, a program of its own listens on.
    handed = of_root or (handed if leg.listeners else ())
    for container, port in handed:
        if container.up and container.network_mode != "host":
            found = None if own and own.id == container.id else _at_port(replace(start, target=container, port=port), port.port)
            return found if not found or of_root else replace(found, certainty=LIKELY)
    if handed and _between_lives(leg, handed[0][0], home):
        return replace(_down(start, handed[0][0], LIKELY), port=handed[0][1], alternatives=(NOT_RUNNING,))
    if handed or home.takes(leg.endpoint) or leg.connect == "ok":
        # A container that would publish it and does not run is its owner: absence.py tells.
        return None
    return _unpublished(start)


def _between_lives(leg: Leg, container: Container, home: Host) -> bool:
    """Return whether a container that is started again and again was down when its engine was asked, and up when its port was: then somebody took connections.

    Its sockets, its state and its port are looked at one after the other, and each of its lives may be shorter than that.
    """
    if container.network_mode == "host" or not container.failing(home.now) or not fails(leg):
        return False
    taken = leg.connect == "ok" or bool(leg.listeners)
    return taken and all(process.comm in _PROXIES for item in leg.listeners for process in item.processes)


def _at_port(start: Verdict, port: int) -> Verdict | None:
    """Return what is wrong in the container that nginx's connections come to, at a port of it."""
    leg, target, home = start.leg, start.target, start.home
    if target.paused:
        return replace(start, cause=NOT_RUNNING, certainty=PROVEN if fails(leg) else LIKELY, how=PAUSED)
    if leg.connect == "ok" and leg.probe.asked.get("status") == "timeout":
        return None
    seen = _seen(home, target)
    sockets = home.sockets_in(target.net) if seen else ()
    if not seen or taking(sockets, target, port):
        # One that is started again and again may be gone before its sockets are looked at, or when its port is tried.
        ended = target.failing(home.now) and fails(leg) and (not target.net or leg.connect == "refused")
        return replace(_down(start, target, LIKELY), alternatives=(NOT_RUNNING,)) if ended else None
    tried = PROVEN if fails(leg) else LIKELY
    same = [item for item in sockets if item.endpoint.port == port]
    if same:
        if all(loopback(item.endpoint.address) for item in same):
            return replace(start, cause=LOOPBACK_BIND, certainty=tried, listener=same[0])
        family = all(item.endpoint.address == "::" and item.v6only for item in same) and target.addresses
        return replace(start, cause=WRONG_ADDRESS, certainty=tried, how=FAMILY, listener=same[0]) if family else None
    stranded = _stranded(start, target, port)
    if stranded:
        return stranded
    if not start.port:
        for mapped in target.published:
            if mapped.host_port == port and mapped.protocol == "tcp" and taking(sockets, target, mapped.port):
                found = replace(start, cause=PORT_MAPPING, how=BETWEEN, certainty=tried, port=mapped, listener=taking(sockets, target, mapped.port)[0])
                return _reaching(found, mapped.port)
    others = _programs(item for item in sockets if not loopback(item.endpoint.address))
    young = bool(target.started) and home.now - target.started < _SETTLED
    if not others:
        failing = target.failing(home.now)
        hidden = tuple(item.label for item in _programs(sockets))
        cause = START_FAILING if failing else NOT_RUNNING
        return replace(start, cause=cause, how=SILENT, certainty=LIKELY, others=hidden, alternatives=(NOT_RUNNING if failing else START_FAILING,))
    real = others[0]
    # What the image says that it listens on, it may do later.
    promised = port in target.exposed and real.endpoint.port not in target.exposed
    certain = len(others) == 1 and not promised and not young
    found = replace(
        start,
        cause=PORT_MAPPING,
        how=MAPPED_WRONG if start.port else OTHER_PORT,
        certainty=tried if certain else LIKELY,
        listener=real,
        others=tuple(item.label for item in others[1:4]),
        alternatives=() if certain else (NOT_RUNNING,),
    )
    return found if start.port else _reaching(found, real.endpoint.port)


def _programs(found: Iterable[Listener]) -> list[Listener]:
    """Return one socket for each port."""
    kept: dict[int, Listener] = {}
    for item in sorted(found, key=lambda item: (":" in item.endpoint.address, item.endpoint.port)):
        kept.setdefault(item.endpoint.port, item)
    return list(kept.values())


# --- a port of the host that leads nowhere


def _unpublished(start: Verdict) -> Verdict | None:
    leg, own, home = start.leg, start.own, start.home
    port = leg.endpoint.port
    if any(owner.claim_on(leg.endpoint) for owner in home.owners) or any(item.endpoint.port == port for item in home.sockets_in(home.net)):
        # A program of the host is meant, or has the port at another address.
        return _published_elsewhere(start)
    found = [place for place in _without_nginx(_elsewhere(home, own, port)) if place.container]
    # The name of a container of Compose has that of its project too.
    like = [place for place in found if akin.akin(leg, akin.words(place.container.name))]
    chosen = (like or found)[0] if found else None
    if not chosen:
        return _published_elsewhere(start)
    certain = bool(fails(leg)) and len(like) == 1 and home.containers.known
    others = tuple(place.label for place in found if place is not chosen)[:4]
    shown = replace(start, cause=PORT_MAPPING, target=chosen.container, listener=chosen.listener, others=others)
    shown = _reaching(shown, port) if own else shown
    mapped = next((one for one in chosen.container.published if one.port == port and one.host_port and one.protocol == "tcp"), None)
    if mapped:
        return _moved_to(shown, mapped, bool(fails(leg)) and (len(found) == 1 or len(like) == 1))
    certainty = PROVEN if certain else LIKELY if len(found) == 1 or like else POSSIBLE
    return replace(shown, how=UNPUBLISHED, certainty=certainty, alternatives=() if certain else (NOT_RUNNING,))


def _published_elsewhere(start: Verdict) -> Verdict | None:
    """The very port of the host, published at another of its addresses alone."""
    port = start.leg.endpoint.port
    every = [item for item in start.home.containers.apart if item.up and start.home.containers.believed(item.engine, start.own)]
    found = [(item, one) for item in every for one in item.published if one.host_port == port and one.protocol == "tcp"]
    found = [(item, one) for item, one in found if taking(start.home.sockets_in(item.net), item, one.port)]
    if len(found) != 1:
        return None
    target, mapped = found[0]
    listener = taking(start.home.sockets_in(target.net), target, mapped.port)[0]
    return _moved_to(replace(start, cause=PORT_MAPPING, target=target, listener=listener), mapped, bool(fails(start.leg)))


def _moved_to(found: Verdict, mapped: Published, certain: bool) -> Verdict:
    """Return a verdict for a container whose port is published where nginx does not go."""
    leg = found.leg
    # An engine that told nothing may have a container that is meant.
    certain = certain and found.home.containers.known
    certainty = PROVEN if certain else LIKELY
    found = replace(found, how=ELSEWHERE, port=mapped, certainty=certainty, alternatives=() if certain else (NOT_RUNNING,))
    if found.own and loopback(mapped.address):
        # A container does not get to the loopback of the host.
        return _reaching(found, mapped.port)
    everywhere = mapped.address in ("", "0.0.0.0", "::")
    endpoint = Endpoint.tcp(leg.endpoint.address if everywhere else mapped.address, mapped.host_port)
    return replace(found, endpoint=endpoint, place=str(endpoint))


# --- an address that no container has


def _gone(start: Verdict) -> Verdict | None:
    leg, own, home = start.leg, start.own, start.home
    network = home.containers.network_of(leg.endpoint.address, own)
    if not network or leg.connect == "ok":
        return None
    if network.swarm:
        return start
    if network.driver not in ("bridge", "") or not home.containers.told(network.engine) or leg.peer.by_name:
        # A name that leads there was put there by somebody: what it should lead to is not known.
        return None
    there = [item for item in home.containers.apart if item.engine == network.engine]
    there = [item for item in there if any(one.id == network.id or one.name == network.name for one in item.attachments)]
    there = [item for item in there if not own or item.id != own.id]
    port, serving, other = leg.endpoint.port, [], ()
    for item in there:
        other = taking(home.sockets_in(item.net), item, port) if item.up else ()
        serving += [(item, other[0])] if other else []
    if serving:
        target, listener = serving[0]
        certain = len(serving) == 1 and bool(fails(leg))
        others = tuple(item.label for item, _listener in serving[1:4])
        shown = replace(start, cause=WRONG_ADDRESS, target=target, listener=listener, others=others, certainty=PROVEN if certain else LIKELY)
        return replace(_reaching(shown, port), alternatives=() if certain else (NOT_RUNNING,))
    idle = [item for item in there if not item.up and (port in item.exposed or any(one.port == port for one in item.published))]
    return replace(_down(start, idle[0], LIKELY), how=GONE, others=tuple(item.label for item in idle[1:4])) if idle else None


# --- a name that the engine does not resolve


def _named(start: Verdict) -> Verdict | None:
    leg, own, home = start.leg, start.own, start.home
    said = home.names_of(leg.route.instance).get(leg.peer.host_name) or {}
    found = home.containers.called(leg.peer.host_name, own)
    if said.get("status") != evidence.ABSENT or not found:
        return None
    target = found[0]
    common = target.shared(own)
    networks = [home.containers.network_named(item, target.engine) for item in (*target.attachments, *own.attachments)]
    if any(network and network.swarm for network in networks):
        return start
    if not any(item.named for item in common):
        how = NAMELESS if common else APART
        network = next((item.name for item in target.attachments if item.named), "")
        shown = replace(start, cause=NETWORK_MISMATCH, how=how, target=target, others=tuple(item.label for item in found[1:4]))
        return replace(shown, network=network, place=f"{leg.peer.host_name}:{leg.endpoint.port}", certainty=PROVEN if len(found) == 1 else LIKELY)
    # Between two starts its name is gone, though the engine may have been asked in the seconds in which it was up.
    return _down(start, target, PROVEN if len(found) == 1 else LIKELY) if not target.up or target.failing(home.now) else None


def _down(start: Verdict, target: Container, certainty: str) -> Verdict:
    """Return the verdict that a container does not run."""
    failing = target.failing(start.home.now)
    return replace(start, cause=START_FAILING if failing else NOT_RUNNING, how=DOWN, target=target, certainty=certainty)
