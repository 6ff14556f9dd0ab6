# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend wants a server name that nginx does not send.

## What it is
A TLS server with several names takes the one that the client sends in its handshake (SNI). nginx sends none to a
backend unless proxy_ssl_server_name is on, and then the host of the pass, which may be the name of an upstream
group. The backend refuses the handshake, or shows the certificate of another site.

## How it is recognised
The handshake that nginx makes fails twice, and the same one with another server name succeeds: proven. Where the
certificate is verified, the same counts when the other name brings another certificate that passes. The alert
"unrecognized name" (112) alone, in a handshake or in the log of the configuration that runs: likely; "handshake failure" (40) has several
causes: possible, where no handshake could be tried.

## Fix
proxy_ssl_server_name on; and proxy_ssl_name with the name, where it is not the host of the pass (grpc_ and uwsgi_
likewise). Risky: the backend chooses its site by it.

## When it stays silent
The handshake succeeds as it is, now or at the second attempt; no name makes it succeed; only another version of TLS does;
the backend asks for a client certificate.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import tls
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_handshakes, show_log, show_probe, show_tls

_UNRECOGNIZED, _FAILURE = 112, 40
_OTHERS = ("tls-version-mismatch", "the backend wants a certificate of nginx")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each TLS pass whose backend wants another server name."""
    for leg in host.legs:
        found = tls.settings(leg.route, leg.endpoint)
        if not found:
            continue
        taken = _taken(leg, found)
        certainty = PROVEN if taken else _by_log(leg, found)
        if not certainty:
            continue
        name = taken["name"] if taken else next(iter(found.names), "")
        sends = f"the server name {found.sends}" if found.sends else "no server name"
        wants = f"takes it with {name}" if taken and name else "takes it without one" if taken else "wants a name that it knows"
        yield on_leg(
            host,
            RULE.id,
            leg,
            certainty,
            f"nginx sends {sends} in its TLS handshake with {leg.endpoint}, which {wants}.",
            [
                show_config(leg),
                *show_tls(leg, found.prefix, "server_name", "name"),
                *show_probe(leg),
                *(show_handshakes(leg, [taken]) if taken else ()),
                *show_log(leg, "tls-alert", "tls-closed", "tls-verify"),
            ],
            _fix(host, leg, found, name, bool(taken)),
            f"openssl s_client -connect {leg.endpoint} -servername {shlex.quote(name)}" if name and leg.endpoint.kind == "tcp" else "",
            alternatives=_OTHERS if certainty == POSSIBLE else (),
            at=leg.route.at,
        )


def _taken(leg: Leg, found: tls.Settings) -> dict:
    """Return the handshake that differs in its name alone and succeeded, or {}."""
    own = tls.own_again(leg, found)
    if not own or found.unlike:
        return {}
    untrusted = leg.probe.asked["status"] == "untrusted"
    for item in tls.shaken(leg, versions=own["versions"], ciphers=own["ciphers"], status="ok"):
        if item["name"] in ("", *found.names) and item["name"] != own["name"] and (not untrusted or item["verified"] and item["leaf"] != own["leaf"]):
            return item
    return {}


def _by_log(leg: Leg, found: tls.Settings) -> str:
    """Return how certain the log makes it; nothing where the probe's own handshakes say otherwise."""
    if not tls.open_to_log(leg):
        return ""
    alerts = tls.alerts(leg)
    if _UNRECOGNIZED in alerts:
        return LIKELY
    # What the further handshakes did not find is not supposed.
    return POSSIBLE if _FAILURE in alerts and not tls.shaken(leg) and not found.sends and not found.shows else ""


def _fix(host: Host, leg: Leg, found: tls.Settings, name: str, known: bool) -> Fix:
    if not name and not known:
        summary = f"At {leg.route.at}: {found.prefix}_ssl_server_name on; and {found.prefix}_ssl_name with a name that the backend knows."
        return by_hand(summary)
    wanted: dict[str, object] = {"server_name": bool(name)} if bool(name) != bool(found.sends) else {}
    if name and name != found.name.lower():
        wanted["name"] = name
    lines = [f"{found.prefix}_ssl_server_name {'on' if name else 'off'};"] if "server_name" in wanted else []
    lines += [f"{found.prefix}_ssl_name {name};"] if "name" in wanted else []
    summary = f"At {leg.route.at}: {' '.join(lines)}"
    changes = _pointing.handshake(leg, found.prefix, **wanted) if wanted and _pointing.alike(host, leg) else ()
    return by_changes("upstream_tls", summary, changes)


RULE = Rule(
    id="tls-sni-missing",
    title="The backend wants a server name that nginx does not send",
    needs=("nginx", "error_log"),
    check=check,
)
