# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a configuration is to be written so that nginx looks a name up while it runs, and gets an answer.

A server of a group gets the word "resolve", and the group a "zone" (since nginx 1.27.3). A pass gets a variable that holds the name. That
leaves what is asked for as it is only where the pass has no URI part: then nginx hands the request line on in both cases. It makes a
difference for redirects of the backend, which nginx rewrites by the pass where that has no variable; the same rule is then written down.

Source: ngx_http_upstream_server() and ngx_http_upstream_resolve_names() in nginx's http/ngx_http_upstream.c,
ngx_http_proxy_create_request(), ngx_http_proxy_redirect() and ngx_http_proxy_merge_loc_conf() in http/modules/ngx_http_proxy_module.c.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import resolvers, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement

RESOLVE_SINCE = (1, 27, 3)
# How long nginx keeps an answer, whatever its nameserver says: a name that moves is followed within that time.
_VALID = "30s"
# The name server of Docker in its containers says 600 s, whatever becomes of them.
_OF_ENGINE, _VALID_THERE = "127.0.0.11", "10s"
_OPTIONS = re.compile(r"(?P<name>valid|ipv6)=(?P<value>[0-9a-zA-Z]+)")
# What ends the rewrite phase of a location, so that a "set" after it may not be carried out.
_ENDING = ("return", "rewrite", "break", "if", "try_files")
_MOST_SERVERS = 3


def resolver(block: Statement, servers: Iterable[str]) -> dict | None:
    """Return what upstream_resolver is told so that a block has a resolver of these name servers ("10.0.0.2:53"); None where that is not known."""
    written = [server.removesuffix(":53") for server in servers][:_MOST_SERVERS]
    if not written or not _edit.legible(*block.args, *written):
        return None
    return {"context": _edit.context(block), "servers": written, "valid": _VALID_THERE if written[0] == _OF_ENGINE else _VALID}


def other_resolver(leg: Leg, found: resolvers.Resolver, servers: Iterable[str], ipv6: bool) -> tuple[dict, ...]:
    """Return what upstream_resolver is told so that the resolver in force asks others, or not for IPv6; () where a person has to do it."""
    spots = [spot for spot in _edit.spots(leg.instance.configuration, found.at) if spot.statement.name == "resolver"]
    args = {spot.statement.args for spot in spots}
    if len(args) != 1 or not _edit.legible(*spots[0].block.args, *spots[0].statement.args):
        return ()
    options = {}
    for arg in spots[0].statement.args:
        match = _OPTIONS.fullmatch(arg)
        if match:
            options[match["name"]] = match["value"]
        elif "=" in arg:
            return ()
    written = [server.removesuffix(":53") for server in servers][:_MOST_SERVERS]
    change = {"context": _edit.context(spots[0].block), "servers": written, "replaces": list(spots[0].statement.args)}
    change |= {"valid": options["valid"]} if "valid" in options else {}
    change |= {} if ipv6 and options.get("ipv6") != "off" else {"ipv6": False}
    return (change,)


def name(host: Host, instance: Instance, wanted: str) -> tuple[dict, ...]:
    """Return what upstream_resolver is told so that nginx follows a name in every place that has it; () where a person has to do it.

    One place that stays would keep the addresses of the start for the others too.
    """
    knowing = [one.server for one in host.name_servers(instance.id).ask_system(wanted) if one.status == resolvers.OK]
    places = {}
    for leg in host.legs:
        group = leg.route.upstream
        grouped = bool(group) and leg.peer in group.peers
        if leg.instance is instance and leg.peer.host_name == wanted:
            places.setdefault((leg.peer.at, leg.peer.written, grouped or (leg.route.location_label, leg.route.written)), (leg, grouped))
    changes: dict[tuple, dict] = {}
    for leg, grouped in places.values():
        made = _of_group(leg, knowing) if grouped else _of_pass(leg, knowing)
        if not made:
            return ()
        key = tuple(sorted(made["context"].items()))
        if key in changes:
            changes[key]["also"] += made["also"]
        else:
            changes[key] = made
    return tuple(changes.values()) if knowing and (instance.container or not (instance.raw.get("master") or {}).get("own_root")) else ()


def _of_group(leg: Leg, knowing: list[str]) -> dict | None:
    """Return the change for the server of a group."""
    group, peer = leg.route.upstream, leg.peer
    if (leg.instance.configuration.version or (0,)) < RESOLVE_SINCE or peer.run_time:
        return None
    spots = [spot for spot in _edit.spots(leg.instance.configuration, peer.at) if spot.block is group.statement and spot.statement.args[:1] == (peer.written,)]
    made = resolver(group.statement, knowing)
    if len(spots) != 1 or not made or not _edit.legible(*spots[0].statement.args):
        return None
    statement = spots[0].statement
    lines = [{"name": "server", "args": [*statement.args, "resolve"], "replaces": list(statement.args), "at": _edit.place(statement)}]
    if not _edit.own(group.statement, "zone"):
        lines.append({"name": "zone", "args": [group.name, "64k"]})
    return {**_needed(made, (leg.route.site.block.block or (), group.statement.block or ())), "also": [{"context": made["context"], "directives": lines}]}


def _of_pass(leg: Leg, knowing: list[str]) -> dict | None:
    """Return the change for a pass to the name itself."""
    route, site = leg.route, leg.route.site
    made = resolver(site.statement, knowing)
    place = Endpoint.parse(route.target.host, route.target.port)
    plain = route.directive == "proxy_pass" and not variables.names_in(route.written) and not route.uri and route.written.count("://") == 1
    if not made or not plain or site.inner or not site.location or route.upstream or any(site.statement.named(*_ENDING)):
        return None
    scheme, _mark, host = route.written.partition("://")
    bare, _colon, port = host.partition(":")
    variable = "$bad_gateway_" + re.sub(r"\W", "_", place.name)
    redirects = site.in_force("proxy_redirect")
    if not _edit.legible(route.written) or any("default" in item.args for item in redirects) or next(site.statement.named("set"), None):
        return None
    statement = next(site.statement.named("proxy_pass"))
    lines = [
        {"name": "set", "args": [variable, bare]},
        {"name": "proxy_pass", "args": [f"{scheme}://{variable}" + (f":{port}" if port else "")], "replaces": [route.written], "at": _edit.place(statement)},
    ]
    if not redirects:
        lines.append({"name": "proxy_redirect", "args": [f"{route.written}/", "/"]})
    return {**_needed(made, site.levels), "also": [{"context": made["context"], "directives": lines}]}


def _needed(made: dict, levels: tuple) -> dict:
    """Return the change without name servers where a resolver is in force."""
    found = resolvers.resolver_of(levels)
    return {"context": made["context"]} if found else made
