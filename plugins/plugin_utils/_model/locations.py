# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server and which location take a request, as nginx decides it.

Source: nginx's http/ngx_http.c (ngx_http_add_listen, ngx_http_init_listening), http/ngx_http_request.c
(ngx_http_find_virtual_server), http/ngx_http_core_module.c (ngx_http_core_location,
ngx_http_core_find_location), http/ngx_http_parse.c (ngx_http_parse_complex_uri).

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import patterns
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, TCP, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

EXACT, PREFIX, SHIELD, REGEX, REGEX_CASELESS, NAMED = "=", "", "^~", "~", "~*", "@"
PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")

# Parameters of "listen" that give the address a socket of its own, even beside a wildcard.
_BINDING = re.compile(r"(?:bind|deferred|reuseport|ipv6only=.*|(?:backlog|rcvbuf|sndbuf|accept_filter|fastopen|setfib|so_keepalive)=.*)", re.DOTALL)
_MAX_PORT_RANGE = 1000
_PORT_RANGE = re.compile(r"(.*?:|)([0-9]{1,5})-([0-9]{1,5})", re.ASCII | re.DOTALL)


class Unknown(Exception):
    """What nginx would choose cannot be told here."""


@dataclass(frozen=True)
class Listen:
    """One address that a server listens on.

    address  "*:80" for every IPv4 address, "[::]:80", "127.0.0.1:8080", "unix:/run/x.sock"
    options  its parameters as they are written
    bound    its parameters ask for a socket of its own
    v6only   whether an IPv6 wildcard leaves IPv4 to others
    """

    address: str
    default: bool = False
    tls: bool = False
    udp: bool = False
    bound: bool = False
    v6only: bool = True
    at: Place | None = None
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the address, with "udp" where it is not of TCP."""
        return f"{self.address} udp" if self.udp else self.address


@dataclass(frozen=True, eq=False)
class Location:
    """A "location" block.

    path  what follows the modifier: "/api/", "\\.php$", "@app"
    """

    modifier: str
    path: str
    statement: Statement = field(repr=False)
    parent: Location | None = field(repr=False)
    children: list[Location] = field(default_factory=list, repr=False)

    @property
    def at(self) -> Place:
        """Return where it is written."""
        return self.statement.at

    @property
    def label(self) -> str:
        """Return it as it is written: "/api/", "~ \\.php$", "= /x", "@app"."""
        return f"{self.modifier} {self.path}" if self.modifier not in (PREFIX, NAMED) else self.path

    @property
    def is_regex(self) -> bool:
        """Return whether it matches by a regular expression."""
        return self.modifier in (REGEX, REGEX_CASELESS)

    @cached_property
    def raw_path(self) -> bytes:
        """Return the path as bytes."""
        return self.path.encode("utf-8", "surrogateescape")

    @cached_property
    def redirects(self) -> bool:
        """Return whether nginx answers "/name" with a redirect to "/name/" (auto_redirect)."""
        return self.modifier != NAMED and not self.is_regex and self.path.endswith("/") and any(self.statement.named(*PASSES))

    @property
    def how(self) -> str:
        """Return in words how it takes requests."""
        return {EXACT: "exact", PREFIX: "prefix", SHIELD: "prefix that keeps regular expressions off", NAMED: "named"}.get(self.modifier, "regular expression")

    def match(self, uri: bytes) -> re.Match[bytes] | None:
        """Return how its regular expression matches a normalised path; raises Unknown."""
        try:
            return patterns.search(self.path, uri, self.modifier == REGEX_CASELESS)
        except patterns.Unmatchable as error:
            raise Unknown(str(error)) from error


@dataclass(frozen=True, eq=False)
class Server:
    """A "server" block of http{} or stream{}; names are in lower case, except regular expressions.

    merges_slashes  whether "//" in a path counts as "/" for a request that came to it first
    """

    statement: Statement = field(repr=False)
    listens: tuple[Listen, ...]
    names: tuple[str, ...]
    locations: tuple[Location, ...] = field(repr=False)
    merges_slashes: bool = True

    @property
    def at(self) -> Place:
        """Return where it is written."""
        return self.statement.at

    @property
    def log_name(self) -> str:
        """Return what the error log calls it: the first name, without a leading dot."""
        first = self.names[0] if self.names else ""
        return first[1:] if first.startswith(".") else first

    @cached_property
    def usable_name(self) -> str:
        """Return a host name that a client may ask for, or ""."""
        for name in self.names:
            if name.startswith("*."):
                name = "www" + name[1:]
            name = name.lstrip(".")
            if re.fullmatch(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", name):
                return name
        return ""


@dataclass(frozen=True)
class Found:
    """What takes a request: a location, or None for the server itself; redirected when it only adds the last slash.

    tried  the regular expressions that were tried, in order, with their matches; the last match is the one that $1 is of
    """

    location: Location | None
    redirected: bool = False
    tried: tuple[tuple[Location, re.Match[bytes] | None], ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Chosen:
    """The server that takes a request, and why.

    rule   one of the rules below
    name   the name that decided, or ""
    match  how that name matches, when it is a regular expression
    tried  the regular expressions that did not match, in order
    """

    server: Server
    rule: str
    name: str = ""
    match: re.Match[bytes] | None = None
    tried: tuple[str, ...] = ()


ONLY = "only server"
EXACT_NAME = "exact name"
BEFORE_NAME = "longest wildcard name at the beginning"
AFTER_NAME = "longest wildcard name at the end"
REGEX_NAME = "first regular expression that matches"
DEFAULT_SERVER = "default_server"
FIRST_SERVER = "first in order"


def servers_of(block: Statement, names: dict, privileged: bool, stream: bool = False) -> tuple[Server, ...]:
    """Return the servers of an http{} or stream{} block, in the order of the configuration.

    names are the answers of the question "names", for a "listen" by host name.
    """
    found = []
    merges = _merges(block, True)
    for statement in block.named("server"):
        if statement.block is None:
            continue
        listens = tuple(listen for item in statement.named("listen") for listen in _listens(item, names))
        if not listens and not stream:
            listens = (Listen("*:80" if privileged else "*:8000"),)
        written = [word if word.startswith("~") else word.lower() for item in statement.named("server_name") for word in item.args]
        found.append(Server(statement, listens, tuple(written), () if stream else _locations(statement, None), _merges(statement, merges)))
    return tuple(found)


def _merges(block: Statement, otherwise: bool) -> bool:
    written = [statement.args[0].lower() for statement in block.named("merge_slashes") if statement.args]
    return written[-1] != "off" if written else otherwise


def _listens(statement: Statement, names: dict) -> Iterator[Listen]:
    if not statement.args:
        return
    written, *options = statement.args
    if "quic" in options:
        # HTTP/3 shares the address with TCP servers and has no connection of its own here.
        return
    for address in _addresses(written, names):
        yield Listen(
            address=address,
            default="default_server" in options or "default" in options,
            tls="ssl" in options,
            udp="udp" in options,
            bound=any(_BINDING.fullmatch(option) for option in options),
            v6only="ipv6only=off" not in options,
            at=statement.at,
            options=tuple(options),
        )


def _addresses(written: str, names: dict) -> Iterator[str]:
    """Yield the addresses of the first argument of "listen": "80", "*:80", "127.0.0.1", "[::]:80", "8000-8010", "localhost:80"."""
    ranged = _PORT_RANGE.fullmatch(written)
    if ranged:
        host, first, last = ranged.group(1), int(ranged.group(2)), int(ranged.group(3))
        for port in range(first, min(last, first + _MAX_PORT_RANGE) + 1):
            yield from _addresses(f"{host}{port}", names)
        return
    if re.fullmatch(r"[0-9]+", written, re.ASCII):
        written = "*:" + written
    endpoint = Endpoint.parse(written, 80)
    if endpoint.kind == TCP and endpoint.address == "0.0.0.0":
        yield f"*:{endpoint.port}"
    elif endpoint.kind == NAME and (names.get(endpoint.name) or {}).get("addresses"):
        for address in names[endpoint.name]["addresses"]:
            yield str(Endpoint.tcp(address, endpoint.port))
    else:
        yield str(endpoint)


def sockets(servers: Iterable[Server]) -> frozenset[str]:
    """Return the addresses on which nginx opens a TCP or Unix socket.

    Beside a wildcard of the same port and family, an address has no socket of its own, unless its
    parameters ask for one.
    """
    listens = [listen for server in servers for listen in server.listens if not listen.udp]
    bound = {listen.address for listen in listens if listen.bound}
    every = {listen.address for listen in listens}
    return frozenset(address for address in every if address in bound or address == _wildcard(address) or _wildcard(address) not in every)


def _wildcard(address: str) -> str:
    endpoint = Endpoint.parse(address)
    if endpoint.kind != TCP:
        return address
    return f"[::]:{endpoint.port}" if ":" in endpoint.address else f"*:{endpoint.port}"


def _locations(statement: Statement, parent: Location | None) -> tuple[Location, ...]:
    found = []
    for inner in statement.named("location"):
        parsed = _modifier_and_path(inner.args)
        if inner.block is None or not parsed:
            continue
        location = Location(*parsed, inner, parent)
        location.children.extend(_locations(inner, location))
        found.append(location)
    return tuple(found)


def _modifier_and_path(args: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the two parts of a location's arguments; a modifier may be glued to its path."""
    if len(args) == 2:
        return (args[0], args[1]) if args[0] in (EXACT, SHIELD, REGEX, REGEX_CASELESS) else None
    if len(args) != 1:
        return None
    for modifier in (EXACT, SHIELD, REGEX_CASELESS, REGEX):
        if args[0].startswith(modifier):
            return modifier, args[0][len(modifier) :]
    return (NAMED if args[0].startswith(NAMED) else PREFIX), args[0]


def find_server(servers: Iterable[Server], listen: str, host: str) -> Server | None:
    """Return the server that takes a request which came in on a listen address ("*:80") for a host; raises Unknown.

    host is what the client asked for, without its port.
    """
    found = choose_server(servers, listen, host)
    return found.server if found else None


def servers_on(servers: Iterable[Server], listen: str) -> tuple[Server, ...]:
    """Return the servers of a listen address, in the order of the configuration."""
    return tuple(server for server in servers if any(item.address == listen and not item.udp for item in server.listens))


def options_of(servers: Iterable[Server], listen: str) -> frozenset[str]:
    """Return the parameters of an address: what one server says of its socket holds for all, such as "proxy_protocol" and "ssl"."""
    return frozenset(option for server in servers for item in server.listens if item.address == listen and not item.udp for option in item.options)


def choose_server(servers: Iterable[Server], listen: str, host: str) -> Chosen | None:
    """Return the server as find_server() does, with the rule that decided; raises Unknown."""
    group = servers_on(servers, listen)
    if not group:
        return None
    if len(group) == 1 and not _captures(group[0]):
        return Chosen(group[0], ONLY)
    host = host.lower()
    host = host[:-1] if host.endswith(".") else host
    found = _Names(group).find(host)
    if found:
        return found
    if any("$hostname" in server.names for server in group):
        raise Unknown("a server has the name $hostname")
    return _by_expression(group, host) or default_of(group, listen)


def _captures(server: Server) -> bool:
    """Return whether nginx looks at the names of a server that is alone: for what a regular expression, the last one, captures."""
    expressions = [name for name in server.names if name.startswith("~")]
    return bool(expressions) and "(" in expressions[-1]


def default_of(group: Iterable[Server], listen: str) -> Chosen:
    """Return the server of those of an address that takes what none of them has a name for."""
    group = tuple(group)
    for server in group:
        if any(item.default and item.address == listen for item in server.listens):
            return Chosen(server, DEFAULT_SERVER)
    return Chosen(group[0], FIRST_SERVER if len(group) > 1 else ONLY)


def listen_for(servers: Iterable[Server], address: str, port: int) -> str:
    """Return the listen address that a TCP connection to an address and port of the host belongs to, or ""."""
    listens = {item.address: item for server in servers for item in server.listens if not item.udp}
    exact = str(Endpoint.tcp(address, port))
    wildcard = _wildcard(exact)
    if exact in listens or wildcard in listens:
        return exact if exact in listens else wildcard
    both = listens.get(f"[::]:{port}")
    return both.address if both and not both.v6only else ""


class _Names:
    """The names of the servers of one address, without those that nginx ignores for a conflict (ngx_hash_add_key())."""

    def __init__(self, group: Iterable[Server]):
        self.exact: dict[str, Server] = {}
        self.before: dict[str, tuple[Server, bool]] = {}
        self.after: dict[str, Server] = {}
        taken: set[str] = set()
        for server in group:
            for name in server.names or ("",):
                self._add(server, name, taken)

    def _add(self, server: Server, name: str, taken: set[str]) -> None:
        if name.startswith("*."):
            self.before.setdefault(name[2:], (server, False))
        elif name.endswith(".*"):
            self.after.setdefault(name[:-2], server)
        elif name.startswith(".") and name[1:] not in taken:
            # ".x" stands for "x" too, and loses both when "x" is another's.
            taken.add(name[1:])
            self.before.setdefault(name[1:], (server, True))
        elif not name.startswith(("~", ".")) and name not in taken:
            taken.add(name)
            self.exact[name] = server

    def find(self, host: str) -> Chosen | None:
        """Exact name, else the longest "*.name", else the longest "name.*"."""
        if host in self.exact:
            return Chosen(self.exact[host], EXACT_NAME, host)
        before = [name for name, (_server, itself) in self.before.items() if host.endswith("." + name) or (itself and host == name)]
        if before:
            name = max(before, key=len)
            server, itself = self.before[name]
            return Chosen(server, EXACT_NAME if host == name else BEFORE_NAME, f".{name}" if itself else f"*.{name}")
        after = [name for name in self.after if host.startswith(name + ".")]
        return Chosen(self.after[max(after, key=len)], AFTER_NAME, f"{max(after, key=len)}.*") if after else None


def _by_expression(group: Iterable[Server], host: str) -> Chosen | None:
    tried: list[str] = []
    for server in group:
        for name in server.names:
            if name.startswith("~") and host:
                try:
                    # nginx compiles a name with a capital letter caseless: the host is in lower case.
                    match = patterns.search(name[1:], host.encode("utf-8", "surrogateescape"), bool(re.search("[A-Z]", name)))
                except patterns.Unmatchable as error:
                    raise Unknown(str(error)) from error
                if match:
                    return Chosen(server, REGEX_NAME, name, match, tuple(tried))
                tried.append(name)
    return None


def normalise(path: str, merge_slashes: bool = True) -> bytes | None:
    """Return the path of a request line as nginx matches it: decoded, without query, "." and ".."; None for a bad request."""
    raw = re.split(rb"[?#]", path.encode("utf-8", "surrogateescape"), maxsplit=1)[0]
    if not raw.startswith(b"/") or re.search(rb"%(?![0-9A-Fa-f]{2})", raw):
        return None
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match.group(1), 16),)), raw)
    if b"\0" in raw:
        return None
    kept: list[bytes] = []
    parts = raw[1:].split(b"/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == b"..":
            if not kept:
                return None
            kept.pop()
        if part in (b".", b".."):
            kept += [b""] if last else []
        elif part or last or not merge_slashes:
            kept.append(part)
    return b"/" + b"/".join(kept)


def find_location(server: Server, path: str) -> Found | None:
    """Return what takes a request for a path (of the request line) in a server; None for a bad request; raises Unknown."""
    uri = normalise(path, server.merges_slashes)
    return None if uri is None else location_of(server, uri)


def location_of(server: Server, uri: bytes) -> Found:
    """Return what takes a normalised path in a server; raises Unknown."""
    tried: list[tuple[Location, re.Match[bytes] | None]] = []
    found = _find(server.locations, uri, None, tried)[1]
    return replace(found, tried=tuple(tried))


def _find(locations: Iterable[Location], uri: bytes, outer: Location | None, tried: list) -> tuple[bool, Found]:
    """Return (final, found); what is not final may still lose to a regular expression of an outer level."""
    prefix, redirect = None, None
    for location in locations:
        if location.modifier == EXACT and location.raw_path == uri:
            return True, Found(location)
        if location.modifier in (PREFIX, SHIELD) and uri.startswith(location.raw_path) and (not prefix or len(location.raw_path) > len(prefix.raw_path)):
            prefix = location
        if location.redirects and location.raw_path == uri + b"/":
            redirect = location
    if redirect:
        # An exact location of the same name gives its directives to the redirect, even one without a pass.
        redirect = next((location for location in locations if location.modifier == EXACT and location.raw_path == redirect.raw_path), redirect)
    if redirect and not (prefix and prefix.raw_path == uri):
        return True, Found(redirect, redirected=True)
    found = Found(prefix or outer)
    if prefix:
        final, found = _find(prefix.children, uri, prefix, tried)
        if final:
            return True, found
    if not (prefix and prefix.modifier == SHIELD):
        for location in locations:
            if location.is_regex:
                match = location.match(uri)
                tried.append((location, match))
                if match:
                    return True, _find(location.children, uri, location, tried)[1]
    return False, found
