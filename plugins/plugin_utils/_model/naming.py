# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How nginx comes from a host name to an address, and where that fails.

A name is resolved once, at start and reload, by getaddrinfo(3), with the hosts file and all; or, in a pass
with variables and in "server ... resolve", while nginx runs, by its own client and from the servers of
"resolver" alone. Which of the causes below a failure has is decided here, in one place.

This module is private to the collection.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import resolvers, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import TCP, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

NOT_FOUND = "dns-host-not-found"
MISSING = "dns-resolver-missing"
FAILING = "dns-resolver-failing"

PROVEN, LIKELY, POSSIBLE = "proven", "likely", "possible"
NO_RESOLVER, NOT_RESOLVED = "no-resolver", "name-not-resolved"

_NOT_FOUND = re.compile(r'host not found in upstream "(?:\w+://)?([^"/?]{1,300})')
# A hosts file that was written by the same command as the reload is not newer than the workers.
_CLOCK_SLACK = 0.1


@dataclass(frozen=True)
class Lookup:
    """One name that nginx looks up while it runs, on one route.

    leg       a leg of the peer that is written so
    said      what each server of its resolver answers; () without a resolver, or when it was not asked
    here      what the host itself makes of the name: the answer of getaddrinfo(3), or {}
    hosts     its addresses in the hosts file
    search    the search domains of the host
    system    what the host's own nameservers answer
    alive     whether the resolver answers for any name at all; None when it was not asked
    """

    leg: Leg
    name: str
    resolver: resolvers.Resolver | None
    said: tuple[resolvers.Lookup, ...]
    here: dict
    hosts: tuple[str, ...]
    search: tuple[str, ...]
    system: tuple[resolvers.Lookup, ...]
    alive: bool | None
    answers: resolvers.Answers

    @property
    def ipv4_alone(self) -> tuple[resolvers.Lookup, ...]:
        """Return what its servers would give without IPv6."""
        return self.answers.ask(dataclasses.replace(self.resolver, ipv6=False), self.name) if self.resolver else ()

    @property
    def failing(self) -> tuple[resolvers.Lookup, ...]:
        """Return the servers from which nginx gets no address."""
        return tuple(one for one in self.said if one.status != resolvers.OK)

    @property
    def known_here(self) -> bool:
        """Return whether the host itself resolves the name."""
        return self.here.get("status") == evidence.OK or bool(self.hosts)

    @property
    def helpful(self) -> tuple[str, ...]:
        """Return the host's own nameservers that know the name."""
        return tuple(one.server for one in self.system if one.status == resolvers.OK)

    @property
    def cause(self) -> str:
        """Return the id of what is wrong, or ""."""
        if self.resolver is None:
            return MISSING
        if not self.failing:
            return ""
        unknown = all(one.status == resolvers.NXDOMAIN for one in self.said)
        return NOT_FOUND if unknown and not self.known_here else FAILING

    @property
    def always(self) -> bool:
        """Return whether every lookup fails, whichever server is asked."""
        return self.resolver is None or len(self.failing) == len(self.said)

    @property
    def certainty(self) -> str:
        """Return how certain the cause is."""
        if self.cause == NOT_FOUND:
            return PROVEN if self.here.get("status") == evidence.ABSENT else LIKELY
        if self.failing and all(one.status == "timeout" for one in self.failing) and self.alive:
            # The servers answer for other names, and nginx waits longer than we did.
            return PROVEN if self.leg.logged(NOT_RESOLVED) else LIKELY
        return PROVEN


@functools.lru_cache(maxsize=8)
def lookups(host: Host) -> tuple[Lookup, ...]:
    """Return the names that nginx looks up while it runs, once for each route and peer."""
    return tuple(_lookups(host))


def _lookups(host: Host) -> Iterator[Lookup]:
    seen = set()
    for leg in host.legs:
        names = {name.lower(): answer for name, answer in host.names_of(leg.route.instance).items()}
        key = (leg.route.key, leg.peer)
        if not leg.peer.run_time or leg.peer.service or key in seen:
            continue
        seen.add(key)
        name = leg.peer.host_name
        raw = _local(host, leg.instance)
        answers = host.name_servers(leg.instance.id)
        yield Lookup(
            leg=leg,
            name=name,
            resolver=leg.peer.resolver,
            said=answers.ask(leg.peer.resolver, name) if leg.peer.resolver else (),
            here=names.get(name) or {},
            hosts=tuple(raw.get("hosts", {}).get("rows", {}).get(name, ())),
            search=tuple(raw.get("system", {}).get("search", ())),
            system=answers.ask_system(name),
            alive=answers.alive(leg.peer.resolver) if leg.peer.resolver else None,
            answers=answers,
        )


def _local(host: Host, instance: Instance) -> dict:
    return (host.answer("resolvers")["value"] or {}).get(instance.id) or {}


def hosts_rows(host: Host, instance: Instance, name: str) -> tuple[str, ...]:
    """Return the addresses of a name in the hosts file that nginx sees."""
    return tuple(_local(host, instance).get("hosts", {}).get("rows", {}).get(name, ()))


def hosts_changed(host: Host, instance: Instance) -> float:
    """Return when that hosts file was changed, where that was after the workers had started; else 0.0."""
    changed = _local(host, instance).get("hosts", {}).get("changed") or 0.0
    return changed if instance.loaded and changed > instance.loaded + _CLOCK_SLACK else 0.0


@dataclass(frozen=True)
class Unfound:
    """A name that nginx resolves at start, and that does not resolve. said is the answer of getaddrinfo(3), or {}."""

    name: str
    at: Place
    said: dict
    message: str


def unfound(host: Host, instance: Instance) -> tuple[Unfound, ...]:
    """Return the names for which nginx can not start: by its own test; where that was not made, by getaddrinfo(3).

    A name that resolves by now is none of them. Without the answers for names nothing is said.
    """
    if host.answer("names")["status"] != evidence.OK:
        return ()
    names = {name.lower(): answer for name, answer in host.names_of(instance.id).items()}
    test = instance.test["value"]
    if instance.test["status"] == evidence.OK and test:
        message = _first_emerg(test)
        found = _NOT_FOUND.search(message.get("text") or "") if message else None
        if not found:
            return ()
        name = Endpoint.parse(found.group(1)).name or found.group(1).lower()
        said = names.get(name) or {}
        if said.get("status") == evidence.OK:
            return ()
        return (Unfound(name, Place(message.get("file") or instance.raw["conf_path"], message.get("line") or 0), said, message["text"]),)
    dead = {}
    for route in host.routes:
        for peer in route.peers if route.instance == instance.id else ():
            said = names.get(peer.host_name) or {}
            if peer.by_name and not peer.run_time and said.get("status") == evidence.ABSENT:
                dead.setdefault(peer.host_name, Unfound(peer.host_name, peer.at, said, ""))
    return tuple(dead.values())


def may_be_unfound(host: Host, instance: Instance) -> bool:
    """Return whether the test stops at a name of which nobody knows whether it resolves."""
    message = _first_emerg(instance.test["value"] or {"valid": True})
    return bool(message and _NOT_FOUND.search(message.get("text") or "")) and host.answer("names")["status"] != evidence.OK


def _first_emerg(test: dict) -> dict | None:
    if test.get("valid"):
        return None
    return next((message for message in test.get("messages") or () if message["level"] == "emerg"), None)


@dataclass(frozen=True)
class Stale:
    """Requests that go to an address which a name does not have any more.

    peer    where the name is written, on the route
    names   the names that may have had the address: those on the route with its port
    now     the endpoints that they stand for by now; () when they do not resolve
    old     where the running workers went
    group   the records of the error log, or None
    held    the connections of the workers to the old address: made, or being tried
    others  those that they have to addresses which the names still have: of several, one was lost
    lost    those of the names that stand for no address by now
    """

    route: routes.Route
    instance: Instance
    peer: routes.Peer
    names: tuple[str, ...]
    old: Endpoint
    now: tuple[Endpoint, ...]
    group: dict | None
    held: tuple[dict, ...] = ()
    others: tuple[dict, ...] = ()
    lost: tuple[str, ...] = ()


@functools.lru_cache(maxsize=8)
def stale_addresses(host: Host) -> tuple[Stale, ...]:
    """Return where the running workers go to an address for which no line of a route stands now, though a name on it has the port.

    That a worker went there, its failures in the log tell, or a connection that it cannot make right now.
    """
    return tuple(_stale_addresses(host))


def _stale_addresses(host: Host) -> Iterator[Stale]:
    for instance in host.instances:
        if not instance.running:
            continue
        logged = set()
        for group in host.groups:
            old = Endpoint.parse(group.get("peer") or "")
            if old.kind == TCP and old.port and _of_workers(host, instance, group):
                for route, peers in _named_passes(host, instance, group, old):
                    logged.add(old)
                    yield _stale(host, route, instance, peers, old, group)
        for old in sorted(_tried(host, instance) - logged, key=str):
            for route, peer in _only_name(host, instance, old):
                yield _stale(host, route, instance, [peer], old, None)


def _stale(host: Host, route: routes.Route, instance: Instance, peers: list[routes.Peer], old: Endpoint, group: dict | None) -> Stale:
    names = tuple(dict.fromkeys(peer.host_name for peer in peers))
    now = tuple(dict.fromkeys(endpoint for peer in peers for endpoint in peer.endpoints if endpoint.kind == TCP))
    places = {leg.endpoint for leg in host.legs if leg.instance is instance and leg.peer.host_name not in names}
    held, others = [], []
    for item in _connections(host, instance):
        place = Endpoint.tcp(item["address"], item["port"])
        held += [item] if place == old else []
        others += [item] if place in now and place not in places and item["state"] == "established" else []
    lost = tuple(dict.fromkeys(peer.host_name for peer in peers if not any(endpoint.kind == TCP for endpoint in peer.endpoints)))
    return Stale(route, instance, peers[0], names, old, now, group, tuple(held), tuple(others), lost)


def _of_workers(host: Host, instance: Instance, group: dict) -> bool:
    """Return whether records of the log are failures of requests which the workers that run took."""
    fresh = host.wrote(instance, group.get("pids") or ()) and instance.served_at(group.get("last") or 0.0)
    return fresh and (group.get("status") in (500, 502, 504) or group.get("scheme") == STREAM and group["class"].startswith("connect-"))


def _connections(host: Host, instance: Instance) -> list[dict]:
    return _local(host, instance).get("connections", {}).get("peers", [])


def _tried(host: Host, instance: Instance) -> set[Endpoint]:
    """Return the places to which the workers try to connect right now, and to which nothing in the files leads.

    One to which they have connections too takes them: a name of a cloud's load balancer stands for some of its addresses at a time.
    """
    known = {leg.endpoint for leg in host.legs if leg.instance is instance}
    places = {True: set(), False: set()}
    for item in _connections(host, instance):
        places[item["state"] == "connecting"].add(Endpoint.tcp(item["address"], item["port"]))
    return places[True] - places[False] - known


def _only_name(host: Host, instance: Instance, old: Endpoint) -> list[tuple[routes.Route, routes.Peer]]:
    """Return the passes of the only name with a port; [] where the files leave it open who else may connect there."""
    mine = [route for route in host.routes if route.instance == instance.id]
    if instance.newer_files or instance.configuration.gaps or any(route.open_ended for route in mine):
        return []
    found = [(route, peer) for route in mine for peer in route.peers if any(endpoint.port == old.port for endpoint in peer.endpoints)]
    named = [(route, peer) for route, peer in found if peer.by_name and not peer.service]
    if len({peer.host_name for _route, peer in named}) != 1 or any(peer.run_time for _route, peer in named):
        return []
    return named


def _named_passes(host: Host, instance: Instance, group: dict, old: Endpoint) -> Iterator[tuple[routes.Route, list[routes.Peer]]]:
    """Yield the passes to names, resolved at start, that a record of the error log with an address of no line may be about."""
    paths = tuple(group.get("paths") or ())
    server = group.get("server") or ""
    for route in routes.routes_for(host.routes, server, paths, ""):
        # In a record of stream{} the server is an address.
        same = route.family == STREAM if group.get("scheme") == STREAM else route.site.server.log_name == server
        if route.instance != instance.id or not same or old in {item for peer in route.peers for item in peer.endpoints}:
            continue
        if route.open_ended:
            continue
        named = [peer for peer in route.peers if peer.by_name and not peer.run_time and any(endpoint.port == old.port for endpoint in peer.endpoints)]
        if named:
            yield route, named


def open_ended(host: Host, kind: str) -> Iterator[tuple[routes.Route, dict]]:
    """Yield the routes whose target only a request tells, with the groups of the error log about names that failed there."""
    for group in host.groups:
        if group["class"] != kind or not group.get("status"):
            continue
        for route in routes.routes_for(host.routes, group.get("server") or "", tuple(group.get("paths") or ()), ""):
            instance = host.instance_of(route)
            live = instance.running and instance.in_force_at(group.get("last") or 0.0)
            known = (group.get("detail") or {}).get("name") in {peer.host_name for peer in route.peers}
            if live and route.open_ended and not known and route.site.server.log_name == (group.get("server") or ""):
                yield route, group


def mended(host: Host, instance: Instance) -> list[dict]:
    """Return the log groups of look-ups that failed for want of a resolver, on routes that have one, or need none, in files that are not loaded yet."""
    missing = {lookup.leg.route.key for lookup in lookups(host) if lookup.cause == MISSING}
    found = []
    for group in host.groups if instance.newer_files else ():
        if group["class"] != NO_RESOLVER or not _of_workers(host, instance, group):
            continue
        matches = routes.routes_for(host.routes, group.get("server") or "", tuple(group.get("paths") or ()), "")
        if matches and all(_mended(route, instance) and route.key not in missing for route in matches):
            found.append(group)
    return found


def _mended(route: routes.Route, instance: Instance) -> bool:
    resolver = resolver_of(route)
    files = {route.at.file} | ({resolver.at.file} if resolver else set())
    return route.instance == instance.id and bool(files & set(instance.newer_files)) and (resolver is not None or not route.open_ended)


def resolver_of(route: routes.Route) -> resolvers.Resolver | None:
    """Return the resolver in force where a pass stands."""
    return resolvers.resolver_of(route.site.levels)


def group_alike(instance: Instance, name: str) -> str:
    """Return the name of an "upstream" block that a name may be a misspelling of, or ""."""
    blocks = [block for kind in ("http", STREAM) for block in instance.configuration.blocks(kind)]
    groups = [statement.args[0] for block in blocks for statement in block.named("upstream") if statement.args]
    return next(iter(difflib.get_close_matches(name, groups, 1, 0.75)), "")


def for_good(host: Host, instance: Instance, name: str) -> str:
    """Return how a name is kept fresh by this version of nginx."""
    knowing = [one.server for one in host.name_servers(instance.id).ask_system(name) if one.status == resolvers.OK]
    if knowing:
        server = f'set "resolver {knowing[0].removesuffix(":53")}"'
    else:
        server = "set a resolver that knows the name (it reads no hosts file)"
    if (instance.configuration.version or (0,)) >= (1, 27, 3):
        return f'{server} and give the server of an upstream block with a zone the word "resolve"'
    return f"{server} and pass to a variable that holds the name"
