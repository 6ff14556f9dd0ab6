# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx speaks plain text to a port that wants TLS.

## What it is
The pass says http:// (or grpc://), and the backend wants TLS. What the client gets depends on the backend:
a 502 when it closes or resets, its own 400, or the bytes of a TLS alert.

## How it is recognised
A plain request to the endpoint is not answered, or is answered with a 400 or a TLS alert, and a TLS handshake
with the same endpoint succeeds.

## Fix
Write https:// (grpcs://), with proxy_ssl_server_name where the backend has several names, and with trust
settings where its certificate is to be verified. Risky: it changes how the backend is reached.

## When it stays silent
The plain request gets any other answer; the endpoint does not speak TLS.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import PROVEN, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ERROR, RISKY, Rule, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

_TLS = {"http": ("https", ("https", "https-sni")), "grpc": ("grpcs", ("https", "https-sni"))}
# nginx's 497, Go's and others' answer to plain text on a TLS port; 426 is an upgrade that is asked for.
_REFUSING = (400, 426, 497)


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each plain pass whose endpoint wants TLS."""
    for leg in host.legs:
        if leg.route.scheme not in _TLS or leg.route.family not in ("proxy", "grpc") or not leg.probe:
            continue
        scheme, protocols = _TLS[leg.route.scheme]
        tls = leg.probe.spoke(*protocols)
        if not tls or not _refused(leg):
            continue
        name = " and proxy_ssl_server_name on;" if tls["speak"] == "https-sni" and not leg.probe.spoke("https") else ""
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN,
            f"nginx speaks plain text to {leg.endpoint} ({leg.route.scheme}://), which wants TLS.",
            [show_config(leg), *show_probe(leg, *protocols), *show_log(leg, "closed-early", "reset-early", "header-invalid")],
            Fix(
                remedy="upstream_scheme",
                safety=RISKY,
                summary=f"Write {scheme}:// instead of {leg.route.scheme}:// at {leg.route.at}{name}",
                diff="",
            ),
            f"curl -skI https://{leg.endpoint}/" if leg.endpoint.kind == "tcp" else "",
            at=leg.route.at,
            failure=ERROR if leg.probe.asked["status"] in ("closed", "reset") else ANSWER,
        )


def _refused(leg: Leg) -> bool:
    asked = leg.probe.asked
    return asked["status"] != "ok" or asked.get("code") in _REFUSING


RULE = Rule(
    id="plain-to-tls-backend",
    title="nginx speaks plain text to a TLS backend",
    needs=("nginx", "probes"),
    check=check,
)
