# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way through a configuration: from a listener through a server and a location to a pass and its endpoints.

Which handler takes a location, what is handed down and what is not: ngx_http_upstream_add() in
nginx's http/ngx_http_upstream.c, the *_pass functions of http/modules/, stream/ngx_stream_proxy_module.c.

This module is private to the collection.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, locations, passage, patterns, resolvers, sent, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, TCP, UNIX, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import Location, Server
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import Request
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM, Site
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.target import Target
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.target import parse as parse_target
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Configuration, Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

_CACHED = 128
_GROUP_PORT = 80
# Patterns of "rewrite" that every path matches, and what may follow the prefix of a location in one.
_EVERY_PATH = re.compile(r"\^?(?:/?\(?\.\*\)?\$?|/)?")
_REST = re.compile(r"(?:/?\(?\.\*\)?\$?)?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_-]+")
# How many times our longest wait an answer is waited for that comes too late for nginx: how late, if it comes at all, is what has to be known.
_PATIENCE = 3.0
_CAPTURE_OF_PATH = re.compile(r"\((?:\?P?<\w+>)?\\?/")


@dataclass(frozen=True)
class Peer:
    """One "server" of a group, or the pass itself.

    written    the address as it stands in the file
    endpoints  the places that it stands for; a name that was not resolved is an endpoint of kind "name"
    by_name    it is written as a host name
    run_time   nginx looks the name up while it runs, by the "resolver" that is in force there, or None; else once, at start and reload
    service    the SRV service that is looked up, or ""
    """

    written: str
    endpoints: tuple[Endpoint, ...]
    at: Place
    down: bool = False
    backup: bool = False
    by_name: bool = False
    weight: int = 1
    max_fails: int = 1
    fail_timeout: float = 10.0
    max_conns: int = 0
    resolve: bool = False
    run_time: bool = False
    resolver: resolvers.Resolver | None = None
    service: str = ""

    @property
    def host_name(self) -> str:
        """Return the host name that is written, in lower case; "" for an address."""
        return Endpoint.parse(self.written).name if self.by_name else ""


@dataclass(frozen=True, eq=False)
class Group:
    """An "upstream" block. keepalive is the directive in it, or None."""

    name: str
    at: Place
    peers: tuple[Peer, ...]
    unresolved: str
    statement: Statement = field(repr=False)

    @property
    def keepalive(self) -> directives.Directive | None:
        """Return the "keepalive" directive, or None."""
        found = directives.in_force("keepalive", (self.statement.block or (),))
        return found[0] if found else None


@dataclass(frozen=True, eq=False)
class Route:
    """One way from a client to a backend.

    key         differs between any two routes of a host, the same in each visit
    instance    id of the nginx
    listens     "*:80", "[::]:443", "127.0.0.1:53 udp", "unix:/run/x.sock"
    server      the server's first name, "" without one; names: all of them
    location    "/api", "\\.php$", "@app"; "" in stream{}
    modifier    "", "=", "^~", "~", "~*" or "@"
    directive   "proxy_pass", "fastcgi_pass", ...
    scheme      "http", "https", "fastcgi", "uwsgi", "suwsgi", "scgi", "grpc", "grpcs", "memcached", "stream"; "" when not known
    written     the argument as it stands in the file
    uri         the URI part of the target; "" without one or when not known
    at          where the pass stands
    group       name of the "upstream" block that it uses, or None
    upstream    that block, or None
    groups      every such block to which it can go, several for a variable with several values
    peers       all that it can go to, several for a variable with several values
    unresolved  why the target is not, or not wholly, known; or ""
    open_ended  only a request tells where it goes, or where it goes too
    """

    key: str
    instance: str
    listens: tuple[str, ...]
    server: str
    names: tuple[str, ...]
    location: str
    modifier: str
    directive: str
    scheme: str
    written: str
    uri: str
    at: Place
    group: str | None
    peers: tuple[Peer, ...]
    unresolved: str
    open_ended: bool
    upstream: Group | None = field(repr=False)
    groups: tuple[Group, ...] = field(repr=False)
    site: Site = field(repr=False)
    target: Target = field(repr=False)

    @property
    def family(self) -> str:
        """Return "proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached" or "stream"."""
        return STREAM if self.site.block.name == STREAM else self.directive.partition("_")[0]

    @property
    def location_label(self) -> str:
        """Return the location as it is written, with the "if" or "limit_except" that the pass stands in."""
        outer = self.site.location.label if self.site.location else ""
        inner = self.site.inner
        return f"{outer} {inner.name} {' '.join(inner.args)}" if inner else outer

    @property
    def internal(self) -> bool:
        """Return whether only nginx itself leads requests here."""
        return self.modifier == locations.NAMED or any(directives.in_force("internal", self.site.levels))

    def value(self, name: str) -> directives.Directive | None:
        """Return the directive in force: "read_timeout" is the family's own; None when there is none."""
        found = self.values(name)
        return found[-1] if found else None

    def patience(self, longest: float) -> float:
        """Return for how many seconds an answer is waited for that comes later than nginx waits; 0.0 where nginx waits longer than we do at all."""
        timeout = self.value("read_timeout")
        return _PATIENCE * longest if timeout and timeout.seconds and timeout.seconds < longest else 0.0

    def values(self, name: str) -> tuple[directives.Directive, ...]:
        """Return every line of a directive in force, such as each "proxy_set_header"."""
        family = "proxy" if self.family == STREAM else self.family
        return self.site.in_force(directives.family_name(name, family))

    def takes(self, path: str) -> bool:
        """Return whether a request for a path comes to this location."""
        if not self.site.location or self.modifier == locations.NAMED:
            return False
        try:
            found = locations.find_location(self.site.server, path)
        except locations.Unknown:
            return False
        return found is not None and found.location is self.site.location and not found.redirected

    @cached_property
    def sample_path(self) -> str | None:
        """Return a path whose request comes to this location, or None when none is easily seen."""
        location = self.site.location
        if not location or self.modifier == locations.NAMED:
            return None
        if location.is_regex:
            found = patterns.sample(location.path)
            return found if found and self.takes(found) else None
        return location.path if location.path.startswith("/") else None

    def upstream_uri(self, path: str | None) -> str | None:
        """Return the URI that nginx asks a backend for when a client asks for a path; None when that is not known."""
        if path is None or self.family == STREAM:
            return None
        exact = self._travelled(path) if self.directive == "proxy_pass" and self.modifier != locations.NAMED else None
        return sent.mapped_uri(self.site, self.directive, self.written, path) if exact is None else exact

    def _travelled(self, path: str) -> str | None:
        """Return the URI as it is after the rewrites of the server and the location; None where the request ends elsewhere, or that is not known."""
        server = self.site.server
        around = passage.Surroundings((server,), next((item.address for item in server.listens if not item.udp), ""), self._site_of)
        host = (server.usable_name or "localhost").encode()
        found = passage.go(around, Request(path.encode("utf-8", "surrogateescape"), host, tls=self.site.tls == (True,)), passage.NO_FILES)
        here = found.end == passage.PASS and found.statement.at == self.at and found.site.location is self.site.location
        return found.uri.decode("utf-8", "surrogateescape") if here else None

    def _site_of(self, server: Server, location: Location | None, inner: Statement | None) -> Site:
        return replace(self.site, server=server, location=location, inner=inner)

    def host_header(self, endpoint: Endpoint, asked: str = "") -> str:
        """Return the Host that the backend at an endpoint is asked for by a client that asks for a name, by default the server's own."""
        return sent.host_header(self.site, self.family, self.target, endpoint, asked)

    @property
    def sni(self) -> str:
        """Return the name that nginx sends in a TLS handshake, or ""."""
        return sent.server_name(self.site, "proxy" if self.family == STREAM else self.family, self.target)

    def params(self, path: str) -> dict[str, str]:
        """Return the FastCGI, uwsgi or SCGI parameters for a path, as far as they are known."""
        return sent.params(self.site, self.family, path)


@dataclass(frozen=True)
class _Block:
    """An http{} or stream{} block and what its servers share."""

    configuration: Configuration
    statement: Statement
    names: dict
    servers: tuple[Server, ...]
    groups: dict[str, Group]
    definitions: variables.Definitions
    answers: resolvers.Answers

    def site(self, server: Server, location: Location | None, inner: Statement | None) -> Site:
        tls = {self._is_tls(listen.address, server) for listen in server.listens if not listen.udp} or {False}
        return Site(self.configuration, self.statement, server, location, inner, self.definitions, tuple(sorted(tls)))

    def _is_tls(self, address: str, server: Server) -> bool:
        # One server's "ssl" makes the socket a TLS socket for all of its servers.
        if any(statement.args == ("on",) for statement in server.statement.named("ssl")):
            return True
        return address in self.tls_addresses

    @cached_property
    def implicit(self) -> frozenset[Endpoint]:
        """Return the names that a pass without variables has made nginx resolve at start: they serve every other pass to the same name and port."""
        return frozenset(_static_names(self.statement))

    @cached_property
    def tls_addresses(self) -> frozenset[str]:
        return frozenset(listen.address for server in self.servers for listen in server.listens if listen.tls)


def routes_of(configuration: Configuration, names: dict, answers: resolvers.Answers = resolvers.Answers()) -> tuple[Route, ...]:
    """Return the routes of a configuration, in its order; names are the answers of the question "names", answers those of its name servers.

    A route that a "return" of its own location or server always answers first is left out.
    """
    return _routes(configuration, _key(names), answers)


def _key(names: dict) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    return tuple(sorted((name, tuple(_addresses(answer)), answer.get("why") or "") for name, answer in names.items()))


@dataclass(frozen=True)
class Http:
    """An http{} or stream{} block: its servers, and how a place in them is looked at; its servers are those of the routes."""

    kind: str
    servers: tuple[Server, ...]
    site: Callable[[Server, Location | None, Statement | None], Site] = field(repr=False)


def blocks_of(configuration: Configuration, names: dict, answers: resolvers.Answers = resolvers.Answers()) -> tuple[Http, ...]:
    """Return the http{} and stream{} blocks of a configuration; names and answers as for routes_of()."""
    return tuple(Http(block.statement.name, block.servers, block.site) for block in _cached_blocks(configuration, _key(names), answers))


@functools.lru_cache(maxsize=_CACHED)
def _cached_blocks(configuration: Configuration, names: tuple[tuple[str, tuple[str, ...], str], ...], answers: resolvers.Answers) -> tuple[_Block, ...]:
    return tuple(_blocks(configuration, {name.lower(): {"addresses": addresses, "why": why} for name, addresses, why in names}, answers))


@functools.lru_cache(maxsize=_CACHED)
def _routes(configuration: Configuration, names: tuple[tuple[str, tuple[str, ...], str], ...], answers: resolvers.Answers) -> tuple[Route, ...]:
    found: list[Route] = []
    for block in _cached_blocks(configuration, names, answers):
        for server in block.servers:
            for site, statement in _passes(block, server):
                found.append(_route(block, site, statement, f"{configuration.id}#{len(found)}"))
    return tuple(found)


def _addresses(answer: dict) -> Iterable[str]:
    return answer.get("addresses") or () if answer.get("status", "ok") == "ok" else ()


def _blocks(configuration: Configuration, names: dict, answers: resolvers.Answers = resolvers.Answers()) -> Iterator[_Block]:
    for kind in ("http", STREAM):
        for statement in configuration.blocks(kind):
            servers = locations.servers_of(statement, names, configuration.privileged, kind == STREAM)
            groups = {group.name.lower(): group for group in reversed(tuple(_groups(statement, names, kind == STREAM, answers)))}
            yield _Block(configuration, statement, names, servers, groups, variables.definitions_of(statement), answers)


def sockets_of(configuration: Configuration, names: dict) -> frozenset[str]:
    """Return the TCP and Unix addresses on which this configuration makes nginx open a socket: "*:80", "[::]:443"."""
    known = {name.lower(): answer for name, answer in names.items()}
    servers = [server for block in _blocks(configuration, known) for server in block.servers]
    return locations.sockets(servers)


def servers_of(configuration: Configuration, names: dict) -> Iterator[tuple[str, tuple[Server, ...], frozenset[str]]]:
    """Yield "http" or "stream", the servers of such a block, and the addresses on which they speak TLS."""
    for block in _blocks(configuration, {name.lower(): answer for name, answer in names.items()}):
        switched = {
            listen.address for server in block.servers for listen in server.listens if any(item.args == ("on",) for item in server.statement.named("ssl"))
        }
        yield block.statement.name, block.servers, block.tls_addresses | switched


def _groups(block: Statement, names: dict, stream: bool, answers: resolvers.Answers) -> Iterator[Group]:
    for statement in block.named("upstream"):
        if statement.block is None or not statement.args:
            continue
        peers, whys = [], []
        resolver = resolvers.resolver_of((block.block or (), statement.block))
        for item in statement.named("server"):
            if item.args:
                peer, why = _group_peer(item, names, 0 if stream else _GROUP_PORT, resolver, answers)
                peers.append(peer)
                whys += [why] if why else []
        yield Group(statement.args[0], statement.at, tuple(peers), "; ".join(whys[:3]), statement)


def _group_peer(statement: Statement, names: dict, port: int, resolver: resolvers.Resolver | None, answers: resolvers.Answers) -> tuple[Peer, str]:
    written, *options = statement.args
    given = dict(option.partition("=")[::2] for option in options)
    place = Endpoint.parse(written, port)
    service = given.get("service", "")
    run_time = "resolve" in options and place.kind == NAME
    if service:
        names = {place.name: {"why": f"it stands for the servers of the service {service}"}}
    elif run_time:
        names = _at_run_time(place.name, names, resolver, answers)
    endpoints, by_name, why = _resolved(place, names)
    fail_timeout = directives.seconds(given.get("fail_timeout", ""))
    peer = Peer(
        written=written,
        endpoints=endpoints,
        at=statement.at,
        down="down" in options,
        backup="backup" in options,
        by_name=by_name,
        weight=_number(given.get("weight"), 1),
        max_fails=_number(given.get("max_fails"), 1),
        fail_timeout=10.0 if fail_timeout is None else fail_timeout,
        max_conns=_number(given.get("max_conns"), 0),
        resolve="resolve" in options,
        run_time=run_time,
        resolver=resolver if run_time else None,
        service=service,
    )
    return peer, why


def _at_run_time(name: str, names: dict, resolver: resolvers.Resolver | None, answers: resolvers.Answers) -> dict:
    """Return the answers for a name that nginx looks up while it runs; where its servers were not asked, those of the host."""
    if not resolver:
        return {name: {"why": "no resolver is set there"}}
    said = answers.ask(resolver, name)
    if not said:
        return names
    found = [address for lookup in said for address in lookup.addresses]
    return {name: {"addresses": found, "why": "" if found else f"{said[0].server}: {said[0].says}"}}


def _static_names(block: Statement) -> Iterator[Endpoint]:
    for statement in block.block or ():
        if statement.name in locations.PASSES and len(statement.args) == 1 and "$" not in statement.args[0]:
            if block.name == STREAM or block.name == "server" and statement.name == "proxy_pass" and "://" not in statement.args[0]:
                yield Endpoint.parse(statement.args[0])
            else:
                target = parse_target(statement.name, variables.Value((statement.args[0],)))
                yield Endpoint.parse(target.host, target.port)
        elif statement.block is not None:
            yield from _static_names(statement)


def _number(written: str | None, otherwise: int) -> int:
    return int(written) if written and re.fullmatch(r"[0-9]{1,9}", written, re.ASCII) else otherwise


def _resolved(endpoint: Endpoint, names: dict) -> tuple[tuple[Endpoint, ...], bool, str]:
    """Return the endpoints of one that is written, whether it is a name, and why it is not known where it goes, or ""."""
    if endpoint.kind == UNIX:
        return (endpoint,), False, ""
    if endpoint.kind == TCP and endpoint.address != "*":
        return ((endpoint,), False, "") if endpoint.port else ((), False, f"{endpoint} has no port")
    if endpoint.kind == NAME and endpoint.port:
        answer = names.get(endpoint.name) or {}
        found = tuple(dict.fromkeys(Endpoint.tcp(address, endpoint.port) for address in answer.get("addresses") or ()))
        why = "" if found else f"{endpoint.name} was not resolved" + (f": {answer['why']}" if answer.get("why") else "")
        return found or (endpoint,), True, why
    return (), endpoint.kind == NAME, f"{str(endpoint)!r} is no address that nginx can connect to"


def _passes(block: _Block, server: Server) -> Iterator[tuple[Site, Statement]]:
    """Yield the pass that takes effect at each place of a server."""
    if block.statement.name == STREAM:
        statement = _last(server.statement, ("proxy_pass",))
        if statement:
            yield block.site(server, None, None), statement
        return
    if not _answered(server.statement, None):
        for location in server.locations:
            yield from _passes_in(block, server, location)


def _passes_in(block: _Block, server: Server, location: Location) -> Iterator[tuple[Site, Statement]]:
    if not _answered(location.statement, location):
        for inner in (None, *location.statement.named("if", "limit_except")):
            statement = _last(inner or location.statement, locations.PASSES)
            if statement:
                yield block.site(server, location, inner), statement
    for child in location.children:
        yield from _passes_in(block, server, child)


def _last(block: Statement, names: tuple[str, ...]) -> Statement | None:
    """Return the last pass directly in a block: it takes the content handler from those before it."""
    found = [statement for statement in block.named(*names) if len(statement.args) == 1]
    return found[-1] if found else None


def _answered(block: Statement, location: Location | None) -> bool:
    """Return whether a "return" answers every request of a server or a location before a pass can, or a "rewrite" leads every one away."""
    first = next(block.named("return", "rewrite", "break", "if"), None)
    if first is None or first.name != "rewrite" or len(first.args) < 2:
        return first is not None and first.name == "return"
    pattern, to, *flag = first.args
    prefix = location.path if location and not location.is_regex and _PLAIN_PATH.fullmatch(location.path) else ""
    if not _EVERY_PATH.fullmatch(pattern) and not (prefix and pattern.startswith("^" + prefix) and _REST.fullmatch(pattern[len(prefix) + 1 :])):
        return False
    elsewhere = flag == ["last"] and location is not None and to.startswith("/") and not to.startswith(location.path)
    return elsewhere or flag in (["redirect"], ["permanent"]) or to.startswith(("http://", "https://", "$scheme"))


def _route(block: _Block, site: Site, statement: Statement, key: str) -> Route:
    server, location = site.server, site.location
    peers: dict[Peer, None] = {}
    groups: dict[str, Group] = {}
    whys: list[str] = []
    targets = []
    for value in site.scope.values(statement.args[0]):
        target = _target(site, statement, value)
        targets.append(target)
        group = None if target.why else block.groups.get(target.host.lower())
        if target.why:
            whys.append(target.why)
        elif group:
            groups[group.name] = group
            peers.update(dict.fromkeys(group.peers))
            whys += [group.unresolved] if group.unresolved else []
        else:
            place = Endpoint.parse(target.host, target.port)
            run_time = place.kind == NAME and bool(variables.names_in(statement.args[0])) and place not in block.implicit
            resolver = resolvers.resolver_of(site.levels) if run_time else None
            endpoints, by_name, why = _resolved(place, _at_run_time(place.name, block.names, resolver, block.answers) if run_time else block.names)
            peer = Peer(target.host, endpoints, value.at or statement.at, by_name=by_name, run_time=run_time, resolver=resolver)
            peers[peer] = None
            whys += [why] if why else []
    only = next(iter(groups.values())) if len(groups) == 1 and all(not target.why and target.host.lower() in block.groups for target in targets) else None
    first = next((target for target in targets if not target.why), targets[0])
    return Route(
        key=key,
        instance=site.configuration.id,
        listens=tuple(listen.label for listen in server.listens),
        server=server.names[0] if server.names else "",
        names=server.names,
        location=location.path if location else "",
        modifier=location.modifier if location else "",
        directive=statement.name,
        scheme=first.scheme,
        written=statement.args[0],
        uri=first.uri or "",
        at=statement.at,
        group=only.name if only else None,
        peers=tuple(peers),
        unresolved="; ".join(dict.fromkeys(whys)),
        open_ended=any(target.why for target in targets),
        upstream=only,
        groups=tuple(groups.values()),
        site=site,
        target=first,
    )


def _target(site: Site, statement: Statement, value: variables.Value) -> Target:
    if site.block.name == STREAM:
        unknown = value.unknown
        why = f"${unknown[0].name}: {unknown[0].why}" if unknown else ""
        return Target(STREAM, "" if why else value.text or "", "", 0, why)
    capture = bool(site.location and site.location.is_regex and _CAPTURE_OF_PATH.search(site.location.path))
    return parse_target(statement.name, value, capture)


def routes_for(routes: tuple[Route, ...], server: str, paths: tuple[str, ...], peer: str) -> tuple[Route, ...]:
    """Return the routes that a record of the error log is about; () when none of them has its peer.

    server  what the log calls the server: its first name, "" for one without
    paths   paths of the requests
    peer    "127.0.0.1:3000", "unix:/run/x.sock", the name of a group or host; "" for any

    The peer must fit. Server and path narrow the choice; where they fit nothing (a request that was
    led elsewhere inside nginx), they are left aside.
    """
    found = _by_peer(routes).get(peer.lower(), ()) if peer else routes
    same = [route for route in found if route.site.server.log_name == server]
    narrowed = same or list(found)
    taken = {id(location) for route in narrowed for location in _taken(route.site.server, paths)}
    return tuple([route for route in narrowed if id(route.site.location) in taken] or narrowed)


@functools.lru_cache(maxsize=_CACHED)
def _by_peer(routes: tuple[Route, ...]) -> dict[str, tuple[Route, ...]]:
    """Return the routes by what the log may call their peers, in lower case."""
    found: dict[str, dict[str, Route]] = {}
    for route in routes:
        called = {route.group or "", route.target.host}
        for peer in route.peers:
            called |= {str(endpoint) for endpoint in peer.endpoints}
            # Of a name that is a group by itself "no live upstreams" names the host alone.
            called |= {peer.written, peer.host_name} if peer.by_name else set()
        for name in called:
            if name:
                found.setdefault(name.lower(), {})[route.key] = route
    return {name: tuple(fitting.values()) for name, fitting in found.items()}


@functools.lru_cache(maxsize=4096)
def _taken(server: Server, paths: tuple[str, ...]) -> tuple[Location, ...]:
    """Return the locations that take requests for the paths, as far as that is known."""
    found = {}
    for path in paths:
        try:
            taken = locations.find_location(server, path)
        except locations.Unknown:
            return ()
        if taken and taken.location:
            found[id(taken.location)] = taken.location
    return tuple(found.values())
