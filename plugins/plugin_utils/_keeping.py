# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be written so that connections to a group are kept between requests: in its block, and on each route to it.

This module is private to the collection.
"""

from __future__ import annotations

import math

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import keepalive
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route

# Connections that a worker keeps: nginx's own default since 1.29.7.
_KEPT = 32
# Below the 5 s after which Node and uvicorn close, for a backend whose time is not known.
_SHORT = 4
# The first version with keepalive_timeout in "upstream".
_WITH_TIMEOUT = (1, 15, 3)
# Where the room for an own time below that of the backend ends.
_LEAST = 1


def below(idle: float) -> int:
    """Return whole seconds below a backend's own time for idle connections; 0 where there are none."""
    return max(0, math.ceil(idle) - 1)


def of_group(route: Route, timeout: int, kept: bool = False) -> tuple[dict, ...]:
    """Return what upstream_keepalive is told so that the group of a route keeps idle connections for that many seconds.

    kept: also so that it keeps any. () where a person has to do it: the version does not have it, or what stands there is not known.
    """
    group, version = route.upstream, route.site.configuration.version
    if not group or timeout < _LEAST or version and version < _WITH_TIMEOUT or not _edit.legible(*group.statement.args):
        return ()
    values = {"timeout": f"{timeout}s"} if not kept else {"keepalive": _KEPT, "timeout": f"{timeout}s"}
    names = {"keepalive": "keepalive", "timeout": "keepalive_timeout"}
    there = {key: _edit.own(group.statement, names[key]) for key in values}
    replaces = {key: " ".join(statement.args) for key, statement in there.items() if statement}
    return ({"context": _edit.context(group.statement), **values, **({"replaces": replaces} if replaces else {})},)


def of_route(route: Route) -> tuple[dict, ...]:
    """Return what upstream_keepalive is told so that a route undoes no "keepalive" of its group; () where it undoes none, or a person has to do it."""
    block, lacks = _edit.home(route.site), keepalive.lacks(route)
    if not lacks or not _edit.legible(*block.args):
        return ()
    values = {key: value for key, value in (("http_version", "1.1"), ("empty_connection", True), ("keep_conn", "on")) if key in lacks}
    own = {key: _edit.own(block, name) for key, name in (("http_version", "proxy_http_version"), ("keep_conn", "fastcgi_keep_conn"))}
    replaces = {key: own[key].args[0] for key in values if own.get(key)}
    return ({"context": _edit.context(block), **values, **({"replaces": replaces} if replaces else {})},)


def for_more_requests(route: Route, idle: float | None) -> tuple[dict, ...]:
    """Return what makes a route without kept connections keep them, below the backend's own time (None: not known); () as above."""
    if not route.upstream or route.family not in ("proxy", "fastcgi", "grpc", "memcached"):
        return ()
    on_route = of_route(route)
    if keepalive.lacks(route) and not on_route:
        return ()
    kept = keepalive.keeping(route)
    group = of_group(route, _SHORT if idle is None else below(idle), kept=True) if not kept else ()
    return (*group, *on_route) if kept or group else ()
