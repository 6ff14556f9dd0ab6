# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what leads to an endpoint is to be written so that it leads to another one, speaks otherwise, or asks for another path.

The line that leads there is a "server" of a group, the pass itself, or the "set" of a variable in the pass. What else is written in it stays, such as
the parameters of the server.

Source: ngx_parse_url() in nginx's core/ngx_inet.c, ngx_http_proxy_pass() in http/modules/ngx_http_proxy_module.c.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import tls, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import TCP, UNIX, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, Listener
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

_PLAIN_PATH = re.compile(r"/[\w./@+,=~-]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?:[0-9]{1,5}", re.ASCII)
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})", re.ASCII)
_WRITTEN = re.compile(r"(?P<scheme>[A-Za-z]+://)?(?P<host>(?i:unix:)[^:]*|\[[^\]]*\](?::[0-9]+)?|[^/?$]*)(?P<rest>.*)", re.DOTALL)


def moved(leg: Leg, real: Endpoint, listener: Listener | None = None) -> tuple[dict, ...]:
    """Return what repoint_upstream is told so that a leg leads to another endpoint, where a socket listens; () where a person has to decide.

    That is so for a variable that a map, or several lines, give its value, for a host name that stands for other hosts too, and where the
    name in a TLS handshake would change with the address.
    """
    host = _host(leg, real, listener)
    spot = _leading(leg)
    if not host or not spot:
        return ()
    if spot.block.name == "upstream":
        return _replaced(leg, spot, 0, host)
    return _rehosted(leg, spot, host)


def addressed(leg: Leg, address: str) -> tuple[dict, ...]:
    """Return what repoint_upstream is told so that a pass has an address in place of the host name, which nginx would look up; () as above."""
    spot, host = _leading(leg), Endpoint.tcp(address, leg.endpoint.port)
    if not spot or spot.block.name == "upstream" or host.kind != TCP or not host.port:
        return ()
    if spot.statement.name == "set" and spot.statement.args[1].lower() == leg.peer.host_name != leg.peer.written.lower():
        # The variable holds the name alone, and the pass has the port.
        return () if _named_in_handshake(leg, str(host)) else _replaced(leg, spot, 1, str(host).rpartition(":")[0])
    return _rehosted(leg, spot, str(host))


def named(leg: Leg, host: str) -> tuple[dict, ...]:
    """Return what repoint_upstream is told so that a leg leads to a host name with a port, as "app:3000"; () as above."""
    spot = _leading(leg)
    if not spot or not _NAME.fullmatch(host):
        return ()
    return _replaced(leg, spot, 0, host) if spot.block.name == "upstream" else _rehosted(leg, spot, host)


def _rehosted(leg: Leg, spot: _edit.Spot, host: str) -> tuple[dict, ...]:
    at = _index(spot)
    whole = spot.statement.name != "set" and not variables.names_in(spot.statement.args[at])
    word = _with_host(spot.statement.args[at], leg, host, whole)
    return () if _named_in_handshake(leg, host) else _replaced(leg, spot, at, word)


def spoken(leg: Leg, scheme: str, server_name: str = "") -> tuple[dict, ...]:
    """Return what upstream_scheme is told so that a pass speaks in another scheme, with a name in its TLS handshake or without; () as above.

    The port stays: one that the old scheme implied is written down.
    """
    route = leg.route
    spot = _speaking(leg)
    match = _WRITTEN.fullmatch(spot.statement.args[_index(spot)]) if spot else None
    if not match:
        return ()
    at, host = _index(spot), match["host"]
    if not match["scheme"] and (spot.statement.name == "set" or route.directive == "proxy_pass"):
        return ()
    target = Endpoint.parse(route.target.host)
    if route.group is None and target.kind != UNIX and not target.port:
        if host != route.target.host or not route.target.port:
            return ()
        host += f":{route.target.port}"
    if server_name and spot.block is not route.site.statement or server_name and route.site.inner:
        return ()
    changes = _replaced(leg, spot, at, f"{scheme}://{host}{match['rest']}")
    return tuple({**change, "server_name": server_name} if server_name else change for change in changes)


def asked_for(leg: Leg, uri: str) -> tuple[dict, ...]:
    """Return what upstream_uri is told so that a pass without variables has another URI part, or none; () as above."""
    spot = _only(leg, lambda spot: spot.statement.name == leg.route.directive and spot.statement.args == (leg.route.written,), leg.route.at)
    match = _WRITTEN.fullmatch(leg.route.written)
    if not spot or not match or variables.names_in(leg.route.written):
        return ()
    is_socket = match["host"].lower().startswith("unix:")
    return _replaced(leg, spot, 0, f"{match['scheme']}{match['host']}{':' if is_socket and uri else ''}{uri}")


def handshake(leg: Leg, prefix: str, **wanted: object) -> tuple[dict, ...]:
    """Return what upstream_tls is told so that a pass makes its TLS handshake otherwise; wanted are settings of that role."""
    block = _edit.home(leg.route.site)
    there = {name: _edit.own(block, f"{prefix}_ssl_{name}") for name in wanted}
    replaces = {name: list(statement.args) for name, statement in there.items() if statement}
    if _elsewhere(leg) or not _edit.legible(*block.args, *(word for args in replaces.values() for word in args)):
        return ()
    return ({"context": _edit.context(block), "module": prefix, **wanted, **({"replaces": replaces} if replaces else {})},)


def handshake_place(leg: Leg, prefix: str, name: str) -> Place:
    """Return where upstream_tls would write a setting: where the block of the pass has it, else at the pass."""
    there = _edit.own(_edit.home(leg.route.site), f"{prefix}_ssl_{name}")
    return there.at if there else leg.route.at


def _elsewhere(leg: Leg) -> bool:
    """Return whether the files of an nginx are neither those of the host nor of a container: it has a root folder of its own."""
    return bool((leg.instance.raw.get("master") or {}).get("own_root")) and not leg.instance.container


def alike(host: Host, leg: Leg) -> bool:
    """Return whether no other endpoint of the route answers as it is asked now: what helps one would break that one."""
    return not any(other.answers for other in host.legs if other.route is leg.route and other is not leg)


def _replaced(leg: Leg, spot: _edit.Spot, at: int, word: str) -> tuple[dict, ...]:
    """Return the change that puts a word in the place of one argument; () where there is none, or the files are not those of the host."""
    words = spot.statement.args
    if not word or _elsewhere(leg):
        return ()
    change = _edit.replacement(spot, *words[:at], word, *words[at + 1 :])
    return (change,) if change else ()


def _index(spot: _edit.Spot) -> int:
    """Return which argument has the address."""
    return 1 if spot.statement.name == "set" else 0


def _leading(leg: Leg) -> _edit.Spot | None:
    """Return the one line that says where a leg leads, or None."""
    route, peer = leg.route, leg.peer

    def leads(spot: _edit.Spot) -> bool:
        name, args = spot.statement.name, spot.statement.args
        if spot.block.name == "upstream":
            return name == "server" and args[:1] == (peer.written,)
        return _sets(spot, route.written) or name == route.directive and args == (route.written,) and _parted(args[0], leg) is not None

    return _only(leg, leads, peer.at)


def _speaking(leg: Leg) -> _edit.Spot | None:
    """Return the one line that says in which scheme a pass speaks, or None."""
    route = leg.route
    if not _VARIABLE.fullmatch(route.written):
        return _only(leg, lambda spot: spot.statement.name == route.directive and spot.statement.args == (route.written,), route.at)
    values = route.site.scope.values(route.written)
    at = values[0].at if len(values) == 1 else None
    return _only(leg, lambda spot: _sets(spot, route.written), at) if at else None


def _sets(spot: _edit.Spot, written: str) -> bool:
    """Return whether a line gives a plain value to a variable in a pass."""
    name, args = spot.statement.name, spot.statement.args
    return name == "set" and len(args) == 2 and not variables.names_in(args[1]) and args[0][1:].lower() in map(str.lower, variables.names_in(written))


def _only(leg: Leg, fits: Callable[[_edit.Spot], bool], at: Place) -> _edit.Spot | None:
    """Return the line at a place that fits, in the block of the leg where several include it; None where a block has it twice, or there is none."""
    found = [spot for spot in _edit.spots(leg.instance.configuration, at) if fits(spot)]
    blocks = [id(spot.block) for spot in found]
    if not found or len(blocks) != len(set(blocks)) or len({spot.statement.args for spot in found}) != 1:
        return None
    return next((spot for spot in found if spot.block is leg.route.site.statement), found[0])


def _host(leg: Leg, real: Endpoint, listener: Listener | None) -> str:
    """Return the endpoint as a pass has it, or ""; a host name stays where it leads to the same place as before."""
    if real.kind == UNIX:
        return str(real) if _PLAIN_PATH.fullmatch(real.path) else ""
    if real.kind != TCP or not real.port:
        return ""
    if leg.peer.by_name:
        accepted = listener and all(listener.accepts(replace(endpoint, port=real.port)) for endpoint in leg.peer.endpoints)
        if accepted and (leg.local or len(leg.peer.endpoints) == 1):
            name = leg.peer.written.partition(":")[0]
            return f"{name}:{real.port}"
        if not leg.local:
            return ""
    return str(real)


def _parted(word: str, leg: Leg) -> tuple[str, str, str] | None:
    """Return the scheme, the host and the rest of a word, where its host is that of the leg; else None."""
    match = _WRITTEN.fullmatch(word)
    mine = match and match["host"].lower() in (leg.peer.written.lower(), leg.route.target.host.lower())
    return (match["scheme"] or "", match["host"], match["rest"]) if mine else None


def _with_host(word: str, leg: Leg, host: str, whole: bool) -> str:
    """Return the word with another host in it, or "" where that is not known; whole: it is all that the pass has."""
    parts = _parted(word, leg)
    if not parts:
        return ""
    scheme, old, rest = parts
    was, will = old.lower().startswith("unix:"), host.startswith("unix:")
    if was == will:
        return scheme + host + rest
    if not whole and not (scheme and _VARIABLE.fullmatch(leg.route.written)):
        return ""
    # The path of a socket ends at a colon, an address at the URI part itself.
    uri = rest[1:] if was else rest
    if uri and not uri.startswith("/"):
        return ""
    return scheme + host + (f":{uri}" if will and uri else uri)


def _named_in_handshake(leg: Leg, host: str) -> bool:
    """Return whether another host in the pass would change the server name, or the name that the certificate has to have."""
    found = tls.settings(leg.route, leg.endpoint)
    kept = Endpoint.parse(host).name == Endpoint.parse(leg.peer.written).name
    return bool(found) and (found.verify or bool(found.sends)) and not kept and not any(item.at for item in leg.route.values("ssl_name"))
