# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the argument of a pass directive says: scheme, host, and URI part.

Source: ngx_http_proxy_pass() and its like in nginx's http/modules/, ngx_parse_url() in core/ngx_inet.c.

This module is private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.variables import Value, Variable

# Of each directive: the schemes that may be written, with the port that counts where none is written
# (0: there must be one), and what an argument without a scheme means (None: it must have one).
SCHEMES: dict[str, tuple[dict[str, int], str | None]] = {
    "proxy_pass": ({"http": 80, "https": 443}, None),
    "fastcgi_pass": ({}, "fastcgi"),
    "uwsgi_pass": ({"uwsgi": 0, "suwsgi": 0}, "uwsgi"),
    "scgi_pass": ({}, "scgi"),
    "grpc_pass": ({"grpc": 0, "grpcs": 0}, "grpc"),
    "memcached_pass": ({}, "memcached"),
}
TLS_SCHEMES = ("https", "grpcs", "suwsgi")
_SCHEME = re.compile(r"([A-Za-z]+)://")
# Variables that are empty or begin with what ends a host.
_URI_VARIABLES = frozenset(("request_uri", "uri", "document_uri", "is_args"))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pass goes.

    scheme   "http", "fastcgi", ...; "" when it is not known
    host     "127.0.0.1:3000", "app", "[::1]", "unix:/run/x.sock"; "" when it is not known
    uri      the URI part of a proxy_pass, "" without one, None when it is there but not known
    port     that counts where host has none; 0 when it must have one
    why      why the host is not known, or ""
    """

    scheme: str
    host: str
    uri: str | None
    port: int
    why: str = ""


def parse(directive: str, value: Value, capture_is_path: bool = False) -> Target:
    """Return the target that one value of a pass directive means.

    capture_is_path: "$1" and the like begin with "/", by the regular expression of the location.
    """
    known, unknown = _lead(value)
    schemes, implied = SCHEMES[directive]
    match = _SCHEME.match(known)
    scheme, rest = (match.group(1).lower(), known[match.end() :]) if match and match.group(1).lower() in schemes else (implied or "", known)
    if not scheme:
        return Target("", "", None, 0, _why(unknown) or f"{known!r} does not begin with a scheme that {directive} takes")
    has_uri = directive == "proxy_pass"
    host, uri = _split(rest) if has_uri else (rest, "")
    if unknown:
        ends = has_uri and host and (uri or unknown.name in _URI_VARIABLES or (capture_is_path and unknown.name.isdigit()))
        if not ends:
            return Target(scheme, "", None, 0, _why(unknown))
        return Target(scheme, host, None, schemes.get(scheme, 0))
    return Target(scheme, host, uri, schemes.get(scheme, 0), "" if host else "no host is written")


def _lead(value: Value) -> tuple[str, Variable | None]:
    """Return the text before the first variable that is not known, and that variable."""
    known = ""
    for part in value.parts:
        if isinstance(part, Variable):
            return known, part
        known += part
    return known, None


def _why(unknown: Variable | None) -> str:
    return f"${unknown.name}: {unknown.why}" if unknown else ""


def _split(rest: str) -> tuple[str, str]:
    """Return the host and the URI part; the path of a Unix socket ends at a colon."""
    if rest[:5].lower() == "unix:":
        path, _colon, uri = rest[5:].partition(":")
        return rest[:5].lower() + path, uri
    at = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    return rest[:at], rest[at:]
