# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx speaks plain text to a port that wants TLS.

## What it is
The pass says http:// (grpc://, uwsgi://), and the backend wants TLS. What the client gets depends on the backend:
a 502 when it closes or resets, its own 400, or the bytes of a TLS alert.

## How it is recognised
A plain request to the endpoint is not answered, or is answered with a 400 or a TLS alert, and a TLS handshake
with the same endpoint succeeds, or is answered with an alert of TLS.

## Fix
Write https:// (grpcs://, suwsgi://), with proxy_ssl_server_name where the backend has several names, and with trust
settings where its certificate is to be verified. Risky: it changes how the backend is reached.

## When it stays silent
The plain request gets any other answer; the endpoint does not speak TLS; a uwsgi request goes to a web server over TLS, which is another protocol.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import PROVEN, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ERROR, Rule, by_changes, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

_TLS = {"http": "https", "grpc": "grpcs", "uwsgi": "suwsgi"}
_TRIES = ("http2-tls", "https", "https-sni")
# nginx's 497, Go's and others' answer to plain text on a TLS port; 426 is an upgrade that is asked for.
_REFUSING = (400, 426, 497)


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each plain pass whose endpoint wants TLS."""
    for leg in host.legs:
        if leg.route.scheme not in _TLS or leg.route.family not in ("proxy", "grpc", "uwsgi") or not leg.probe:
            continue
        scheme = _TLS[leg.route.scheme]
        tls = _speaks_tls(leg)
        if not tls or not _refused(leg):
            continue
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN,
            f"nginx speaks plain text to {leg.endpoint} ({leg.route.scheme}://), which wants TLS.",
            [show_config(leg), *show_probe(leg, *_TRIES), *show_log(leg, "closed-early", "reset-early", "header-invalid")],
            _fix(host, leg, scheme, tls["speak"] == "https-sni"),
            f"curl -skI https://{leg.endpoint}/" if leg.endpoint.kind == "tcp" and scheme == "https" else "",
            at=leg.route.at,
            failure=ERROR if leg.probe.asked["status"] in ("closed", "reset") else ANSWER,
        )


def _fix(host: Host, leg: Leg, scheme: str, named: bool) -> Fix:
    """Return the fix; named: the backend took the handshake only with the name that it is asked for."""
    family, name = leg.route.family, Endpoint.parse(leg.route.host_header(leg.endpoint)).name if named else ""
    summary = f"Write {scheme}:// instead of {leg.route.scheme}:// at {leg.route.at}"
    if named:
        summary += f" and {family}_ssl_server_name on;" + (f" {family}_ssl_name {name};" if name else "")
    changes = _pointing.spoken(leg, scheme, name) if (name or not named) and _pointing.alike(host, leg) else ()
    return by_changes("upstream_scheme", summary, changes)


def _speaks_tls(leg: Leg) -> dict:
    """Return the try that shows TLS best, or {}: one without a server name before one with it, a handshake before an alert."""
    tries = [item for item in leg.probe.tries if item["speak"] in _TRIES]
    if leg.route.family == "uwsgi" and any(item["status"] == "ok" for item in tries):
        return {}
    if leg.route.family == "grpc" and any(item["speak"] == "http2-tls" and item["status"] != "ok" for item in tries) and leg.probe.spoke("https", "https-sni"):
        # TLS, and HTTP/1 in it: grpcs:// would not do either.
        return {}
    answered = [item for item in tries if item["status"] == "ok"]
    shaken = [item for item in tries if item.get("tls") and item["status"] not in ("ok", "invalid")]
    alerted = [item for item in tries if item["status"] == "tls-alert"]
    return next((item for found in (answered, shaken, alerted) for item in sorted(found, key=lambda item: _TRIES.index(item["speak"]))), {})


def _refused(leg: Leg) -> bool:
    asked = leg.probe.asked
    return asked["status"] != "ok" or asked.get("code") in _REFUSING


RULE = Rule(
    id="plain-to-tls-backend",
    title="nginx speaks plain text to a TLS backend",
    needs=("nginx", "probes"),
    check=check,
)
