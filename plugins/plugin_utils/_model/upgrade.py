# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route hands on of a client's wish to speak WebSocket, and whether its backend is to be asked for it.

nginx drops the client's Upgrade and Connection unless proxy_set_header sets them, and asks in HTTP/1.0 before 1.29.7.

Source: ngx_http_proxy_headers[] and ngx_http_proxy_merge_loc_conf() in nginx's http/modules/ngx_http_proxy_module.c; RFC 6455, 4.1.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, routes, sent

# How locations for WebSocket are called: of ws, Socket.IO, SockJS, Action Cable, SignalR, Phoenix, STOMP, Reverb.
# Not "live": so are the checks called whether a program lives, and some servers take WebSocket at whatever path.
_CALLED = re.compile(
    r"(?:^|[/_.-])(?:wss?|websockets?|sockets?|socket\.io|sockjs|cable|signalr|hubs?|stomp|realtime|reverb|hmr)(?:$|[/_.?-])", re.IGNORECASE
)
_CLIENT = {"http_upgrade": "websocket", "http_connection": "Upgrade"}
_HEADER = "proxy_set_header"


@dataclass(frozen=True)
class Handed:
    """What a backend is told: whether Upgrade and Connection reach it, in which version of HTTP, and which line for Upgrade an inner level drops."""

    upgrade: bool
    connection: bool
    version: str
    dropped: directives.Directive | None

    @property
    def headers(self) -> bool:
        """Return whether both headers reach the backend."""
        return self.upgrade and self.connection


def handed(route: routes.Route) -> Handed:
    """Return what a route hands on."""
    lines = [item for item in route.site.in_force(_HEADER) if len(item.args) == 2]
    version = route.value("http_version")
    upgrade = _set(route, lines, "upgrade", "")
    return Handed(
        upgrade=upgrade,
        connection=_set(route, lines, "connection", "upgrade"),
        version=version.args[0] if version else "1.0",
        dropped=None if upgrade else next(_outer(route), None),
    )


def versions_to_ask(route: routes.Route) -> tuple[str, ...]:
    """Return the versions of HTTP in which the backend is to be asked for WebSocket; () when nothing says that it could speak it."""
    if route.family != "proxy" or route.scheme not in ("http", "https"):
        return ()
    now = handed(route)
    if now.headers:
        return ("1.1", "1.0") if now.version == "1.0" else ()
    meant = now.upgrade or now.connection or now.dropped is not None
    return ("1.1",) if meant or _CALLED.search(route.location.replace("\\", "")) else ()


def _set(route: routes.Route, lines: list[directives.Directive], name: str, word: str) -> bool:
    """Return whether a header is set to something that has a word in it; what is not known counts as that."""
    found = [item for item in lines if item.args[0].lower() == name]
    if not found:
        return False
    scope = route.site.at_request({**sent.of_request(route.site, "/"), **_CLIENT})
    values = [value.text for value in scope.values(found[-1].args[1])]
    # The values of a map do not leave the host.
    return any(value is None or MARK in value or value and word in value.lower() for value in values)


def _outer(route: routes.Route) -> Iterator[directives.Directive]:
    """Yield what outer levels set for Upgrade, the nearest first."""
    for level in reversed(route.site.levels[:-1]):
        for statement in level:
            if statement.name == _HEADER and len(statement.args) == 2 and statement.args[0].lower() == "upgrade" and statement.args[1]:
                yield directives.Directive(_HEADER, statement.args, statement.at)
