# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures that no client sees: a copy of a request fails, or another location answers in place of the failed one.

Source: ngx_http_mirror_module.c; ngx_http_send_special_response() and ngx_http_core_error_page() in nginx's http/ngx_http_core_module.c:
an "error_page" hands on the status of what answers only with "=".

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement


# What nginx answers where a backend fails.
_FAILURES = ("502", "504")


def only_copies(route: Route) -> bool:
    """Return whether only copies of requests come to a route ("mirror"), whose answers nobody gets."""
    location = route.site.location
    if not location or route.modifier == locations.NAMED or not route.internal:
        return False
    led = {(statement.name, uri) for statement, uri in _leading(route.site.server.statement) if _found(route.site.server, uri) is location}
    return bool(led) and all(name == "mirror" for name, _uri in led)


def only_for_failures(route: Route) -> bool:
    """Return whether requests come to a route only where another backend failed ("error_page 502 504 = @spare")."""
    location, block = route.site.location, route.site.block
    if not location or not route.internal:
        return False
    server = route.site.server
    leading = [*_leading(server.statement), *((item, item.args[-1]) for item in block.named("error_page") if item.args)]
    led = [statement for statement, uri in leading if uri.startswith("$") or _found(server, uri) is location]
    return bool(led) and all(item.name == "error_page" and all(word.startswith("=") or word in _FAILURES for word in item.args[:-1]) for item in led)


def taken_over(host: Host, leg: Leg, status: int) -> bool:
    """Return whether another location, whose backend answers, gives its own answer where a leg makes nginx answer with a status."""
    for item in leg.route.values("error_page"):
        uri = item.args[-1] if item.args else ""
        if str(status) in item.args[:-1] and any(word in ("=", "=200") for word in item.args[1:-1]):
            there = _found(leg.route.site.server, uri)
            return there is not None and any(
                other.serves
                for other in host.legs
                if other.route is not leg.route and other.route.site.location and other.route.site.location.statement is there.statement
            )
    return False


def _leading(block: Statement) -> Iterator[tuple[Statement, str]]:
    """Yield what leads requests to another location of a server, with its URI: copies, questions, errors, files that are not there, rewrites."""
    for statement in block.block or ():
        if statement.name in ("mirror", "auth_request", "error_page", "try_files") and statement.args:
            yield statement, statement.args[-1]
        elif statement.name == "rewrite" and len(statement.args) > 1:
            yield statement, statement.args[1]
        yield from _leading(statement)


def _found(server: locations.Server, uri: str) -> locations.Location | None:
    """Return the location of a server that a name or path leads to, or None."""
    if uri.startswith(locations.NAMED):
        return next((item for item in server.locations if item.path == uri), None)
    if not uri.startswith("/"):
        return None
    try:
        found = locations.find_location(server, uri.partition("$")[0])
    except locations.Unknown:
        return None
    return found.location if found else None
