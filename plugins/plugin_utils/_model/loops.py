# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a request goes that nginx sends to itself.

A request is followed from pass to pass, through the servers and locations that nginx would choose, on this host and
on those of the run that it leads to. It goes round when it comes back to a place with the same name and path, or when it
has not left after so many passes: a path may grow with each. What is not known for sure ends the way, without a loop.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, locations, routes, target
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg, Listener
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM

_MOST_PASSES = 12
_MOST_STEPS = 400
# A name that no server has: what a client of a server without a usable name may ask for.
_ANY_NAME = "name.invalid"
# What may answer or refuse a request before the pass does, by what only the request tells.
_GUARDS = ("if", "rewrite", "return", "deny", "auth_basic", "auth_request", "auth_jwt", "limit_except")


@dataclass(frozen=True)
class Loop:
    """A way that does not end.

    passes  the places of the passes on it, in their order, the first one again at the end
    taken   the sockets of nginx that took the request
    sure    nothing on the way depends on what is on disk
    """

    passes: tuple[str, ...]
    taken: tuple[str, ...]
    sure: bool


@dataclass(frozen=True)
class Named:
    """A pass whose target a request names, by which one came back to nginx itself.

    endpoint  where it led: an address of nginx's own, to which no pass leads that is known
    taken     the socket of nginx that took the request
    group     the records that tell of it
    """

    route: routes.Route
    endpoint: Endpoint
    taken: str
    group: dict


@dataclass
class _Way:
    """What was passed so far; states has what each place was found to be, None while the way goes through it."""

    root: Host
    states: dict[tuple, bool | None] = field(default_factory=dict)
    passes: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    sure: bool = True
    steps: int = 0


@dataclass(frozen=True)
class _Request:
    """What a backend is asked for: scheme, name and path; of a stream, what is sent through it."""

    scheme: str
    name: str
    path: str


def of(host: Host, leg: Leg) -> Loop | None:
    """Return the loop that a request through a leg comes into, or None."""
    if leg.route.family != "proxy" or not leg.instance.running or not next(_taking(host, host, leg.endpoint, leg.instance), None):
        return None
    for path in _entries(leg.route):
        way = _Way(host, passes=[str(leg.route.at)])
        asked = _sent(leg.route, leg.endpoint, _Request("", leg.route.site.server.usable_name or _ANY_NAME, path))
        if asked and _returns(way, host, leg.endpoint, leg.instance, asked, 1):
            return Loop(tuple(way.passes), tuple(dict.fromkeys(way.taken)), way.sure)
    return None


def named(host: Host, instance: Instance, groups: list[dict]) -> Iterator[Named]:
    """Yield the passes to what a request names that led back to themselves, by these records of failed connections."""
    ours = [route for route in host.routes if route.instance == instance.id and route.open_ended and route.family == "proxy"]
    meant = {leg.endpoint for leg in host.legs if leg.instance is instance} if ours else set()
    for group in groups if ours else ():
        endpoint = Endpoint.parse(group.get("peer") or "")
        found = next(_taking(host, host, endpoint, instance), None) if endpoint not in meant else None
        if not found or found[1] is not instance:
            continue
        scheme, path = group.get("scheme") or "", next(iter(group.get("paths") or ()), "/")
        for route in ours:
            # The records do not say for what name it was asked: the address, or that of the server, which leads to it.
            names = (endpoint.address, route.site.server.usable_name or _ANY_NAME)
            same = route.site.server.log_name == (group.get("server") or "")
            if same and any(_handler(_Way(host), *found, endpoint, _Request(scheme, name, path)) is route for name in names):
                yield Named(route, endpoint, found[2].label, group)


def _entries(route: routes.Route) -> Iterator[str]:
    """Yield a path of a client whose request comes to a route."""
    if route.modifier != locations.NAMED:
        if route.sample_path and not route.internal and not _guarded(route.site.server.statement, route.site.location.statement):
            yield route.sample_path
        return
    for location in route.site.server.locations:
        if _fallback(location) == route.location and location.modifier in (locations.PREFIX, locations.SHIELD):
            yield location.path.rstrip("/") + "/x"


def _sent(route: routes.Route, endpoint: Endpoint, asked: _Request) -> _Request | None:
    """Return what a backend is asked for by a route that was asked for something; None when that is not known."""
    if route.family == STREAM:
        return asked
    uri = route.upstream_uri(asked.path)
    if uri is None:
        return None
    name = re.sub(r":[0-9]*\Z", "", route.host_header(endpoint, asked.name)).lower()
    return _Request(route.scheme, name, uri.partition("?")[0])


def _returns(way: _Way, host: Host, endpoint: Endpoint, by: Instance, asked: _Request, depth: int) -> bool:
    """Return whether a request that an nginx sends to an endpoint, after so many passes, never leaves nginx."""
    way.steps += 1
    if way.steps > _MOST_STEPS:
        return False
    found = next(_taking(way.root, host, endpoint, by), None)
    handler = _handler(way, *found, endpoint, asked) if found else None
    if not handler:
        return False
    there, instance, listener = found
    where = f" on {there.name}" if there is not way.root else ""
    state = (there.name, handler.key, asked)
    if state not in way.states:
        way.taken.append(listener.label + where)
        way.passes.append(f"{handler.at}{where}")
        way.states[state] = None
        ends = [item for peer in handler.peers if not peer.down and not peer.backup for item in peer.endpoints]
        deep = depth >= _MOST_PASSES
        round_ = bool(ends) and not handler.unresolved and (deep or all(_goes_on(way, there, instance, handler, item, asked, depth) for item in ends))
        way.states[state] = round_
    # None: the way came back to where it is.
    return way.states[state] is not False


def _goes_on(way: _Way, host: Host, by: Instance, route: routes.Route, endpoint: Endpoint, asked: _Request, depth: int) -> bool:
    sent = _sent(route, endpoint, asked)
    return sent is not None and _returns(way, host, endpoint, by, sent, depth + 1)


def _taking(root: Host, host: Host, endpoint: Endpoint, by: Instance) -> Iterator[tuple[Host, Instance, Listener]]:
    """Yield the nginx, and its socket, that takes a connection to an endpoint which an nginx of a host makes."""
    there = host if host.is_local(endpoint) else root if endpoint.address in root.addresses else root.peer_at(endpoint.address) if endpoint.address else None
    net = host.lands_in(by, endpoint) if there is host else ""
    for instance in there.instances if there else ():
        if net and instance.net and instance.net != net:
            continue
        pids = {process.get("pid") for process in (instance.raw.get("master") or {}, *instance.workers)}
        for listener in there.listening_at(endpoint, instance.net):
            if listener.processes and all(process.pid in pids for process in listener.processes):
                yield there, instance, listener


def _handler(way: _Way, host: Host, instance: Instance, listener: Listener, endpoint: Endpoint, asked: _Request) -> routes.Route | None:
    """Return the route that an nginx takes for a request to one of its sockets; None when it answers itself, or that is not known."""
    names = host.names_of(instance.id)
    own = [route for route in host.routes if route.instance == instance.id]
    for kind, servers, tls in routes.servers_of(instance.configuration, names):
        listen = _listen(servers, listener, endpoint)
        if not listen:
            continue
        if kind == STREAM:
            server = next((server for server in servers if any(item.address == listen and not item.udp for item in server.listens)), None)
            return next((route for route in own if server and route.site.server.statement is server.statement), None)
        if (listen in tls) != (asked.scheme in target.TLS_SCHEMES) or "proxy_protocol" in locations.options_of(servers, listen):
            return None
        return _handler_in(way, servers, own, listen, asked)
    return None


def _handler_in(way: _Way, servers: tuple[locations.Server, ...], own: list[routes.Route], listen: str, asked: _Request) -> routes.Route | None:
    try:
        server = locations.find_server(servers, listen, asked.name)
        found = locations.find_location(server, asked.path) if server else None
    except locations.Unknown:
        return None
    location = found.location if found and not found.redirected else None
    if not server or not location or _guarded(server.statement, location.statement) or any(location.statement.named("internal")):
        return None
    wanted = location.statement
    if any(location.statement.named("try_files")):
        # What is on disk is answered from there.
        way.sure = False
        name = _fallback(location)
        wanted = next((item.statement for item in server.locations if item.path == name), None) if name else wanted
        if wanted is None or _guarded(wanted):
            return None
    return next((route for route in own if route.site.location and route.site.location.statement is wanted and not route.site.inner), None)


def _listen(servers: tuple[locations.Server, ...], listener: Listener, endpoint: Endpoint) -> str:
    """Return the address of the "listen" lines that a connection to an endpoint belongs to: its own before that of the socket."""
    every = {item.address for server in servers for item in server.listens if not item.udp}
    socket = listener.endpoint
    wildcard = {"0.0.0.0": f"*:{socket.port}", "::": f"[::]:{socket.port}"}.get(socket.address, str(socket))
    return next((address for address in (str(endpoint), wildcard) if address in every), "")


def _guarded(*blocks) -> bool:
    return any(True for block in blocks for _statement in block.named(*_GUARDS))


def _fallback(location: locations.Location) -> str:
    """Return the named location that a "try_files" ends in, or ""."""
    found = directives.in_force("try_files", (location.statement.block or (),))
    return found[-1].args[-1] if found and found[-1].args and found[-1].args[-1].startswith(locations.NAMED) else ""
