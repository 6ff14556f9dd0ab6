# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The "resolver" that is in force at a place, and what nginx gets from it for a name.

Source: ngx_resolver_create(), ngx_resolver_send_query() and ngx_resolver_process_a() in nginx's
core/ngx_resolver.c.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

OK, EMPTY, NXDOMAIN = "ok", "empty", "nxdomain"
# What nginx logs of each: ngx_resolver_strerror().
LOGGED = {"formerr": 1, "servfail": 2, NXDOMAIN: 3, "notimp": 4, "refused": 5, "timeout": 110, "unreachable": 110, "error": 110}
_SILENT = ("timeout", "unreachable", "error")
_WORDS = {
    NXDOMAIN: "it knows no such name",
    "servfail": "server failure",
    "refused": "it refuses the query",
    "notimp": "it does not implement the query",
    "timeout": "no answer",
    "unreachable": "nothing answers there",
    "error": "no usable answer",
}


@dataclass(frozen=True)
class Resolver:
    """A "resolver" directive.

    servers  its name servers as written; port 53 is not
    """

    at: Place
    servers: tuple[str, ...]
    ipv4: bool = True
    ipv6: bool = True


@dataclass(frozen=True)
class Said:
    """What one server said to one question, A or AAAA."""

    status: str
    addresses: tuple[str, ...] = ()
    ttl: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Lookup:
    """What nginx gets for a name from one server: OK with addresses, or why it gets none."""

    server: str
    status: str
    addresses: tuple[str, ...] = ()
    ttl: int | None = None
    why: str = ""

    @property
    def silent(self) -> bool:
        """Return whether the server gave no answer at all."""
        return self.status in _SILENT

    @property
    def says(self) -> str:
        """Return what came back, in words."""
        if self.status == OK:
            return ", ".join(self.addresses[:4]) + (f" for {self.ttl} s" if self.ttl is not None else "")
        words = _WORDS.get(self.status, self.status)
        return f"{words} ({self.why})" if self.why else words


def resolver_of(levels: Sequence[Sequence[Statement]]) -> Resolver | None:
    """Return the resolver in force; levels from the outermost to the innermost, as for directives.in_force()."""
    found = directives.in_force("resolver", levels)
    if not found:
        return None
    directive = found[-1]
    options = dict(arg.partition("=")[::2] for arg in directive.args if "=" in arg)
    return Resolver(
        at=directive.at or Place("", 0),
        servers=tuple(arg for arg in directive.args if "=" not in arg),
        ipv4=options.get("ipv4") != "off",
        ipv6=options.get("ipv6") != "off",
    )


@dataclass(frozen=True)
class Answers:
    """What the name servers of one nginx said. Equal evidence makes equal answers."""

    servers: tuple[tuple[str, tuple[tuple[str, Said, Said], ...]], ...] = ()
    named: tuple[tuple[str, tuple[str, ...]], ...] = ()
    system: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: dict | None) -> Answers:
        """Return the answers of one nginx in the value of the question "resolvers"."""
        if not value:
            return cls()
        servers = tuple(
            (server, tuple((name, _said(kinds["a"]), _said(kinds["aaaa"])) for name, kinds in sorted(names.items())))
            for server, names in sorted(value["servers"].items())
        )
        named = tuple((word, tuple(found)) for word, found in sorted(value["named"].items()))
        return cls(servers, named, tuple(value["system"]["servers"]))

    @cached_property
    def _by_server(self) -> dict[str, dict[str, tuple[Said, Said]]]:
        return {server: {name: (first, second) for name, first, second in names} for server, names in self.servers}

    @cached_property
    def _named(self) -> dict[str, tuple[str, ...]]:
        return dict(self.named)

    def servers_of(self, resolver: Resolver) -> tuple[str, ...]:
        """Return the addresses of the servers of a resolver."""
        return tuple(dict.fromkeys(server for word in resolver.servers for server in self._named.get(word, ())))

    def ask(self, resolver: Resolver, name: str) -> tuple[Lookup, ...]:
        """Return what nginx gets for a name from each server of a resolver; () when it was not asked."""
        return self._ask(self.servers_of(resolver), name, resolver.ipv4, resolver.ipv6)

    def ask_system(self, name: str) -> tuple[Lookup, ...]:
        """Return what the nameservers of the host's own resolv.conf say of a name."""
        return self._ask(self.system, name, True, True)

    def _ask(self, servers: tuple[str, ...], name: str, ipv4: bool, ipv6: bool) -> tuple[Lookup, ...]:
        found = []
        for server in servers:
            said = self._by_server.get(server, {}).get(name.rstrip(".").lower()) or self._by_server.get(server, {}).get(name.lower())
            if said:
                found.append(_combined(server, [item for used, item in zip((ipv4, ipv6), said) if used]))
        return tuple(found)

    def alive(self, resolver: Resolver) -> bool | None:
        """Return whether any server of a resolver answered any question; None when none was asked."""
        said = [self._answering[server] for server in self.servers_of(resolver) if server in self._answering]
        return any(said) if said else None

    @cached_property
    def _answering(self) -> dict[str, bool]:
        return {server: any(item.status not in _SILENT for pair in names.values() for item in pair) for server, names in self._by_server.items()}


def _combined(server: str, said: list[Said]) -> Lookup:
    """Return what nginx makes of the answers of both kinds: it waits for both, and one error spoils the other's addresses."""
    for item in sorted(said, key=lambda one: one.status not in _SILENT):
        if item.status not in (OK, EMPTY):
            return Lookup(server, item.status, why=item.why)
    addresses = tuple(dict.fromkeys(address for item in said for address in item.addresses))
    if not addresses:
        return Lookup(server, NXDOMAIN, why="it has no address")
    return Lookup(server, OK, addresses, min((item.ttl for item in said if item.addresses and item.ttl is not None), default=None))


def _said(raw: dict) -> Said:
    return Said(raw["status"], tuple(address for address in raw["addresses"] if _is_address(address)), raw["ttl"], raw["why"])


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
