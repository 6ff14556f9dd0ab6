# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one URL on one host: on which sockets it can come in, and the passage from each of them.

Source: ngx_http_init_connection() in nginx's http/ngx_http_request.c for the address that counts.

This module is private to the collection.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _url
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations, passage, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.passage import Passage
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import Request
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import Site

_LINK_LOCAL = "fe80:"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A server or location that was looked at; taken is whether it took the request, says what spoke for or against it."""

    label: str
    at: Place
    taken: bool
    says: str


@dataclass(frozen=True, eq=False)
class Entry:
    """One way of a URL into a host.

    listens    the addresses of "listen" from which the way is this one: "*:443"
    addresses  the host's own addresses that lead there; () when they are not known
    passage    the way; None where a stream server takes the connection
    route      the route that it ends in, or None
    legs       what that route connects to for this request
    """

    instance: Instance
    listens: tuple[str, ...]
    addresses: tuple[str, ...]
    passage: Passage | None
    route: routes.Route | None
    legs: tuple[Leg, ...]
    servers: tuple[locations.Server, ...] = field(default=(), repr=False)

    def server_candidates(self) -> tuple[Candidate, ...]:
        """Return the servers of the socket, in the order of the configuration."""
        chosen = self.passage.chosen if self.passage else None
        return tuple(_server_candidate(server, self.listens[0], chosen) for server in locations.servers_on(self.servers, self.listens[0]))

    def location_candidates(self) -> tuple[Candidate, ...]:
        """Return the locations that could have taken the path of the last look-up, in the order in which nginx weighs them."""
        going = self.passage
        if not going or not going.chosen or not going.found or (going.found.location and going.found.location.modifier == locations.NAMED):
            return ()
        return tuple(_location_candidates(going.chosen.server.locations, going))


def entries(host: Host, url: _url.Url) -> tuple[Entry, ...]:
    """Return the ways of a URL into a host, those that are the same from several sockets as one."""
    found: dict[tuple, Entry] = {}
    for instance in host.instances:
        for block in routes.blocks_of(instance.configuration, host.names_of(instance.id), host.name_servers(instance.id)):
            for listen, addresses in _listens(block.servers, host, instance, url):
                entry = _entry(host, instance, block, url, listen, addresses)
                key = (instance.id, block.kind, *_outcome(entry))
                first = found.get(key)
                if first:
                    entry = dataclasses.replace(first, listens=(*first.listens, listen), addresses=(*first.addresses, *addresses))
                found[key] = entry
    return tuple(found.values())


def ports(host: Host) -> tuple[str, ...]:
    """Return what the host's nginx listen on, in words: "*:80", "*:443 (TLS)"."""
    found: dict[str, bool] = {}
    for instance in host.instances:
        for block in routes.blocks_of(instance.configuration, host.names_of(instance.id), host.name_servers(instance.id)):
            for server in block.servers:
                for item in server.listens:
                    label = item.label + _published_at(host, instance, item.address)
                    found[label] = found.get(label, False) or item.tls
    return tuple(f"{label} (TLS)" if tls else label for label, tls in found.items())


def _apart(host: Host, instance: Instance) -> Container | None:
    """Return the container whose network an nginx has, where that is not the host's: requests come to it by what is published."""
    inside = host.container_of(instance)
    own = host.containers.networked(inside) if inside else None
    return own if own and own.known and own.network_mode != "host" else None


def _published_at(host: Host, instance: Instance, listen: str) -> str:
    """Return where on the host a listen address in a container is published, in words, or ""."""
    own, port = _apart(host, instance), Endpoint.parse(listen).port
    if not own:
        return ""
    places = sorted({one.place for one in own.published if one.port == port and one.protocol == "tcp" and one.host_port})
    return f" of {own.label}, published at {' and '.join(places)}" if places else f" of {own.label}, not published"


def _listens(servers: Iterable[locations.Server], host: Host, instance: Instance, url: _url.Url) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the addresses of "listen" that a connection to the port can belong to, with the host's addresses that lead there."""
    servers, own = tuple(servers), _apart(host, instance)
    if own:
        yield from _listens_inside(servers, own, url)
        return
    local = sorted(address for address in host.addresses if not address.startswith(_LINK_LOCAL))
    if url.address and url.address in local:
        local = [url.address]
    found: dict[str, list[str]] = {}
    for address in local:
        listen = locations.listen_for(servers, address, url.port)
        if listen:
            found.setdefault(listen, []).append(address)
    if not host.addresses:
        every = {item.address for server in servers for item in server.listens if not item.udp}
        found = {listen: [] for listen in sorted(every) if Endpoint.parse(listen).port == url.port}
    yield from ((listen, tuple(addresses)) for listen, addresses in found.items())


def _listens_inside(servers: tuple[locations.Server, ...], own: Container, url: _url.Url) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the same for an nginx in a container, with its own addresses: what comes to a port of the host goes on to the one that is published there."""
    came = [one for one in own.published if one.host_port == url.port and one.protocol == "tcp"]
    ports = {one.port for one in came if not url.address or one.takes(Endpoint.tcp(url.address, url.port))}
    if url.address in own.addresses or not own.published:
        # One of a network whose addresses others reach publishes nothing.
        ports = {url.port}
    found: dict[str, list[str]] = {}
    for port in sorted(ports):
        for address in own.addresses:
            listen = locations.listen_for(servers, address, port)
            if listen:
                found.setdefault(listen, []).append(address)
    yield from ((listen, tuple(addresses)) for listen, addresses in found.items())


def _entry(host: Host, instance: Instance, block: routes.Http, url: _url.Url, listen: str, addresses: tuple[str, ...]) -> Entry:
    group = locations.servers_on(block.servers, listen)
    if block.kind != "http":
        taken = [route for route in host.routes if route.instance == instance.id and route.site.server.statement is group[0].statement]
        route = taken[0] if taken else None
        return Entry(instance, (listen,), addresses, None, route, _legs(host, route, None), block.servers)
    going = _passage(block, url, listen)
    route = route_at(host, instance, going)
    return Entry(instance, (listen,), addresses, going, route, _legs(host, route, going), block.servers)


def _passage(block: routes.Http, url: _url.Url, listen: str) -> Passage:
    tls = any(item.tls for server in block.servers for item in server.listens if item.address == listen)
    group = locations.servers_on(block.servers, listen)
    tls = tls or any(statement.args == ("on",) for server in group for statement in server.statement.named("ssl"))
    if tls != url.tls:
        why = "this socket speaks TLS: nginx answers 400 to plain HTTP" if tls else "this socket speaks plain HTTP: a TLS handshake fails here"
        return Passage(passage.BAD, why=why, status=400 if tls else None)
    asked = Request(url.target.encode("utf-8", "surrogateescape"), url.header.encode(), tls=url.tls)
    return passage.go(passage.Surroundings(block.servers, listen, block.site, url.port), asked)


def route_at(host: Host, instance: Instance, going: Passage) -> routes.Route | None:
    """Return the route that a passage ends in; one that an "if" inherits is looked at from within the "if"."""
    if going.end != passage.PASS:
        return None
    fitting = [
        route
        for route in host.routes
        if route.instance == instance.id
        and _same(route.site, going.site)
        and (route.at, route.directive, route.written) == (going.statement.at, going.statement.name, going.statement.args[0])
    ]
    exact = [route for route in fitting if route.site.inner is going.site.inner]
    return exact[0] if exact else fitting[0] if fitting else None


def _same(one: Site, other: Site) -> bool:
    """Return whether two sites are one place of one configuration; its statements outlive the objects that are made of them."""
    if one.server.statement is not other.server.statement or bool(one.location) != bool(other.location):
        return False
    return not one.location or one.location.statement is other.location.statement


def _legs(host: Host, route: routes.Route | None, going: Passage | None) -> tuple[Leg, ...]:
    """Return the legs of a route; where its target has variables, those that this request is for."""
    every = tuple(leg for leg in host.legs if leg.route is route) if route else ()
    if not going or not going.goal or going.goal.why:
        return every
    goal = Endpoint.parse(going.goal.host, going.goal.port)
    group = [leg for leg in every if leg.route.upstream and leg.route.upstream.name.lower() == going.goal.host.lower()]
    exact = [leg for leg in every if leg.endpoint == goal or leg.peer.written.lower() == going.goal.host.lower()]
    return tuple(group or exact) or every


def _outcome(entry: Entry) -> tuple:
    going = entry.passage
    if going is None:
        return (entry.route.key if entry.route else "",)
    chosen = (id(going.chosen.server), going.chosen.rule) if going.chosen else ()
    return (going.end, going.why, going.status, chosen, id(going.site.location) if going.site else 0, going.uri, going.host, going.steps)


def _server_candidate(server: locations.Server, listen: str, chosen: locations.Chosen | None) -> Candidate:
    taken = bool(chosen) and chosen.server is server
    default = any(item.default and item.address == listen for item in server.listens)
    said = " ".join(server.names) or "no name"
    return Candidate(said, server.at, taken, "default_server" if default else "")


def _location_candidates(level: Iterable[locations.Location], going: Passage) -> Iterator[Candidate]:
    """Yield the candidates of one level: exact and prefixes that match, the longest last, then regular expressions that were tried."""
    tried = {id(location): match for location, match in going.found.tried}
    taken = going.found.location
    level = tuple(level)
    uri = going.looked_up
    fixed = [item for item in level if (item.modifier == locations.EXACT and item.raw_path == uri) or _is_prefix(item, uri)]
    fixed.sort(key=lambda item: (item.modifier == locations.EXACT, len(item.raw_path)))
    for item in fixed:
        longest = item is fixed[-1]
        says = "exact match" if item.modifier == locations.EXACT else "longest prefix" if longest else "a shorter prefix"
        yield Candidate(item.label, item.at, item is taken, says)
        if longest:
            yield from _location_candidates(item.children, going)
    for item in level:
        if item.is_regex:
            match = tried.get(id(item), "not tried")
            says = "not tried" if match == "not tried" else "matches" if match else "does not match"
            yield Candidate(item.label, item.at, item is taken, says)
            if match and match != "not tried":
                yield from _location_candidates(item.children, going)


def _is_prefix(item: locations.Location, uri: bytes) -> bool:
    return item.modifier in (locations.PREFIX, locations.SHIELD) and uri.startswith(item.raw_path)


def location_rule(going: Passage) -> str:
    """Return the rule that gave the path to its location, in words."""
    found = going.found
    location = found.location if found else None
    if not location:
        return "no location matches: what stands in the server counts"
    if found.redirected:
        return "only the last slash is missing: nginx answers 301"
    expressions = len(found.tried)
    if location.modifier == locations.EXACT:
        return "exact match: nothing else is looked at"
    if location.modifier == locations.NAMED:
        return "named: only nginx itself leads here"
    if location.is_regex:
        return "first regular expression that matches" if expressions == 1 else f"first regular expression that matches, after {expressions - 1} that do not"
    if location.modifier == locations.SHIELD:
        return "longest prefix; ^~ keeps regular expressions off"
    none = f"; none of {expressions} regular expressions matches" if expressions > 1 else "; the only regular expression does not match" if expressions else ""
    return f"longest prefix{none}"
