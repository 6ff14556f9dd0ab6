# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nginx keeps connections to a group open between requests, for how long, and what undoes it.

Sources: nginx's http/modules/ngx_http_upstream_keepalive_module.c (60 s; 32 connections in every group since 1.29.7),
ngx_http_proxy_module.c (its default headers: "Connection: close" until 1.29.7), ngx_http_fastcgi_module.c.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route

_ON_BY_DEFAULT = (1, 29, 7)
_DEFAULT = directives.Directive("keepalive", ("32", "local"), None)
_TIMEOUT = directives.Directive("keepalive_timeout", ("60s",), None)


@dataclass(frozen=True)
class Keeping:
    """What a group keeps for a route.

    written  the "keepalive" in force; its at is None for the default
    timeout  the "keepalive_timeout" in force: how long an idle connection is kept
    undone   why the connections of this route are closed all the same, or ""
    at       where that is written or has to be written
    sure     False where it depends on a variable that is not known
    """

    written: directives.Directive
    timeout: directives.Directive
    undone: str
    at: Place
    sure: bool

    @property
    def works(self) -> bool:
        """Return whether connections are kept, as far as the configuration tells."""
        return not self.undone and self.sure


def keeping(route: Route) -> Keeping | None:
    """Return what the group of a route keeps; None when it keeps nothing or there is no group."""
    if not route.upstream or route.family == "stream":
        return None
    version = route.site.configuration.version
    newer = bool(version) and version >= _ON_BY_DEFAULT
    written = route.upstream.keepalive or (_DEFAULT if newer else None)
    if not written or written.args[:1] == ("0",):
        return None
    block = (route.upstream.statement.block or (),)
    found = directives.in_force("keepalive_timeout", block)
    undone, at, sure = _undone(route, newer)
    return Keeping(written, found[0] if found else _TIMEOUT, undone, at or route.at, sure)


def lacks(route: Route) -> frozenset[str]:
    """Return what a route needs so that its group can keep connections: "http_version" and "empty_connection", or "keep_conn".

    What depends on a variable is not known to be lacking.
    """
    if route.family == "fastcgi":
        keep = route.value("fastcgi_keep_conn")
        return frozenset() if keep and keep.flag else frozenset(("keep_conn",))
    version = route.value("http_version")
    if route.family != "proxy" or version and version.args[:1] == ("2",):
        return frozenset()
    configured = route.site.configuration.version
    found = {"http_version"} if version and version.args[:1] == ("1.0",) else set()
    if _by_header(route, bool(configured) and configured >= _ON_BY_DEFAULT)[0]:
        found.add("empty_connection")
    return frozenset(found)


def _undone(route: Route, newer: bool) -> tuple[str, Place | None, bool]:
    """Return (why the connections are not kept, or ""; where; whether that is sure)."""
    if route.family == "proxy":
        version = route.value("http_version")
        if version and version.args[:1] == ("1.0",):
            how = "is the default" if version.at is None else f"is set at {version.at}"
            return f"proxy_http_version 1.0 {how}, which ends every connection after one request", version.at, True
        if version and version.args[:1] == ("2",):
            # What a connection does after a stream, no header says (ngx_http_proxy_v2_module.c).
            return "", None, True
        return _by_header(route, newer)
    if route.family == "fastcgi":
        keep = route.value("fastcgi_keep_conn")
        if not keep or not keep.flag:
            return "fastcgi_keep_conn is off, so that the backend closes every connection", keep.at if keep else None, True
    if route.family in ("uwsgi", "scgi"):
        return f"the {route.family} protocol has one request on each connection", None, True
    return "", None, True


def _by_header(route: Route, newer: bool) -> tuple[str, Place | None, bool]:
    every = route.values("set_header")
    lines = [item for item in every if len(item.args) == 2 and item.args[0].lower() == "connection"]
    if not lines:
        if newer:
            return "", None, True
        lost = f"; the proxy_set_header lines at {every[0].at} replace those of the outer level" if every else ""
        return f'nginx sends its default "Connection: close"{lost}', every[0].at if every else None, True
    values = [value.text for value in route.site.scope.values(lines[-1].args[1])]
    if any(value is None for value in values):
        return "", lines[-1].at, False
    # A request that is upgraded has its connection for itself; what matters is what the others send.
    usual = [value.lower() for value in values if value.lower() != "upgrade"]
    if usual and all("close" in value for value in usual):
        return f'"Connection: close" is sent, set at {lines[-1].at}', lines[-1].at, True
    return "", None, True
