# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of a client that comes to a route, so that nginx can be asked whether the route works.

Each candidate (socket, name, path) is followed through the configuration; one is taken only when it ends in the pass of the route.
A location that only nginx itself leads to is reached through those that lead there.

Sources: nginx's http/ngx_http_request.c (ngx_http_wait_request_handler() takes HTTP/2 and HTTP/1 on one plain socket since 1.25.1).

This module is private to the collection.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import asked, locations, passage, patterns, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import TCP, UNIX, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import Request
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM

# Names that lead to a server without one that a client could ask for.
_ANY_NAME = ("localhost", "127.0.0.1", "name.invalid")
# What no application has as a file of its own, for locations that come after "try_files".
_NO_FILE = "webops-bad-gateway"
_BOTH_HTTP = (1, 25, 1)
_MOST_PATHS = 40


@dataclass(frozen=True)
class Way:
    """One request.

    endpoint        socket of nginx: "127.0.0.1:80", "unix:/run/nginx.sock"
    stream          whether it is one of stream{}, where there is no request but a connection
    tls             whether the socket speaks TLS
    proxy_protocol  whether it expects the PROXY protocol
    server_name     Host, and the name in TLS; "" in stream{}
    path            "" in stream{}
    sure            False where it hangs on something that is not known here, such as a file or a variable
    """

    endpoint: str
    stream: bool = False
    tls: bool = False
    proxy_protocol: bool = False
    server_name: str = ""
    path: str = ""
    sure: bool = True


def way_to(host: Host, route: Route, path: str = "", method: str = "GET") -> tuple[Way | None, str]:
    """Return the request that comes to a route, or None and why there is none; path is the one that is preferred, where it leads there."""
    instance = host.instance_of(route)
    block = _block_of(host, instance, route)
    sockets = list(_sockets(host, instance, block, route)) if block else []
    if not sockets:
        datagrams = all(item.udp for item in route.site.server.listens)
        return None, "it takes datagrams alone" if datagrams else "it has no socket on which a request of HTTP/1.1 is known to be taken"
    if route.family == STREAM:
        return sockets[0][1], ""
    unsure: Way | None = None
    for (listen, socket), name in itertools.product(sockets, _names(route)):
        for candidate in _paths(route, path) if _chosen(block, listen, name, route) else ():
            found = _leads(host, instance, block, route, listen, Request(candidate.encode("utf-8", "surrogateescape"), name.encode(), method, tls=socket.tls))
            way = Way(socket.endpoint, False, socket.tls, socket.proxy_protocol, name, candidate, found == _SURELY)
            if found == _SURELY:
                return way, ""
            unsure = unsure or (way if found == _PERHAPS else None)
    return (unsure, "") if unsure else (None, _why_none(route, method))


_SURELY, _PERHAPS, _NOT = "surely", "perhaps", "not"


def _block_of(host: Host, instance: Instance, route: Route) -> routes.Http | None:
    names = host.names_of(instance.id)
    for block in routes.blocks_of(instance.configuration, names, host.name_servers(instance.id)):
        if any(server.statement is route.site.server.statement for server in block.servers):
            return block
    return None


def _sockets(host: Host, instance: Instance, block: routes.Http, route: Route) -> Iterator[tuple[str, Way]]:
    """Yield the "listen" addresses of a route's server, each with a socket address that leads there."""
    for item in route.site.server.listens:
        if item.udp:
            continue
        options = locations.options_of(block.servers, item.address)
        tls = _speaks_tls(block, item.address, options)
        version = instance.configuration.version
        if "http2" in options and not tls and version and version < _BOTH_HTTP:
            continue
        endpoint = _endpoint(host, block, item.address)
        if endpoint:
            yield item.address, Way(endpoint, block.kind == STREAM, tls, "proxy_protocol" in options)


def _speaks_tls(block: routes.Http, listen: str, options: frozenset[str]) -> bool:
    group = locations.servers_on(block.servers, listen)
    return "ssl" in options or any(statement.args == ("on",) for server in group for statement in server.statement.named("ssl"))


def _endpoint(host: Host, block: routes.Http, listen: str) -> str:
    """Return an address of the host whose connections belong to a "listen" address; "" where none is known."""
    written = Endpoint.parse(listen)
    if written.kind == UNIX:
        return str(written) if written.path.startswith("/") else ""
    if written.kind != TCP:
        return ""
    if not listen.startswith(("*:", "[::]:")):
        return listen
    loopback = "::1" if listen.startswith("[") else "127.0.0.1"
    own = sorted(address for address in host.addresses if (":" in address) == (":" in loopback) and not address.startswith("fe80:"))
    for address in (loopback, *own):
        if locations.listen_for(block.servers, address, written.port) == listen:
            return str(Endpoint.tcp(address, written.port))
    return ""


def _names(route: Route) -> tuple[str, ...]:
    """Return the names by which a client may ask for the server of a route, the best first."""
    server = route.site.server
    written = [name for name in server.names if not name.startswith(("~", "*", ".", "$")) and not name.endswith("*") and name]
    return tuple(dict.fromkeys([*([server.usable_name] if server.usable_name else []), *written[:4], *_ANY_NAME]))


def _chosen(block: routes.Http, listen: str, name: str, route: Route) -> bool:
    try:
        found = locations.find_server(block.servers, listen, name)
    except locations.Unknown:
        return False
    return found is not None and found.statement is route.site.server.statement


def _paths(route: Route, preferred: str) -> tuple[str, ...]:
    """Return paths that may come to a route: the preferred one, its own, then those of the locations around it, which may lead there."""
    own = [route.sample_path] if route.sample_path else []
    others = [sample for location in _every(route.site.server.locations) for sample in _samples(location)]
    beneath = [path.rstrip("/") + f"/{_NO_FILE}" for path in (*own, "/")]
    return tuple(dict.fromkeys(([preferred] if preferred else []) + own + beneath[: len(own)] + others + beneath))[:_MOST_PATHS]


def _every(level: tuple[locations.Location, ...] | list[locations.Location]) -> Iterator[locations.Location]:
    for location in level:
        yield location
        yield from _every(location.children)


def _samples(location: locations.Location) -> Iterator[str]:
    if location.modifier == locations.NAMED:
        return
    path = patterns.sample(location.path) if location.is_regex else location.path
    if path and path.startswith("/"):
        yield path
        if location.modifier != locations.EXACT and not location.is_regex:
            yield path.rstrip("/") + f"/{_NO_FILE}"


def _leads(host: Host, instance: Instance, block: routes.Http, route: Route, listen: str, request: Request) -> str:
    """Return whether a request ends in the pass of a route: surely where every step is known, and files make no difference."""
    around = passage.Surroundings(block.servers, listen, block.site, Endpoint.parse(listen).port)
    ends, unknown = [], False
    for granted in (passage.PLAIN, passage.NO_FILES):
        going = passage.go(around, request, granted)
        if going.end == passage.UNKNOWN:
            here = bool(going.chosen) and going.chosen.server.statement is route.site.server.statement
            ends.append(here and not route.site.inner and route.takes(request.target.decode("utf-8", "surrogateescape")))
            unknown = True
        else:
            # An error page that is asked of a backend has the status of what failed before it.
            ends.append(asked.route_at(host, instance, going) is route and going.status is None)
    if all(ends) and not unknown:
        return _SURELY
    return _PERHAPS if any(ends) else _NOT


def _why_none(route: Route, method: str) -> str:
    if route.internal:
        return "only nginx itself leads requests there, and no plain request is known that it leads there"
    if route.site.location and route.site.location.is_regex and not route.sample_path:
        return "no path is known that its regular expression matches"
    return f"no plain {method} is known that ends there"
