# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that speaks WebSocket is not told that the client wants to.

## What it is
A WebSocket begins as an HTTP/1.1 request with the headers Upgrade and Connection. nginx does not hand them on by
itself: without proxy_set_header for both the backend sees a plain request and refuses it (426, 400, 404), or closes
the connection, which gives a 502. The lines are often there, at an outer level: one proxy_set_header at an inner level
drops all of those. Before nginx 1.29.7 proxy_http_version 1.1 is needed too: some servers refuse an upgrade in HTTP/1.0.

## How it is recognised
The headers in force on the route lack one of the two, the backend switches protocols (101) when it is asked as a
client would ask, and refuses the plain request that nginx makes of it: proven. The same for the version, where
HTTP/1.0 is in force and the backend switches in HTTP/1.1 only. Where the plain request is answered it is a risk:
other clients are served there. Backends are asked only where the name of the location, half of the headers, or an
answer 426 says that they may speak WebSocket.

## Fix
Set both headers and the version on that route, and repeat there the headers of the outer levels. Connection is "upgrade"
for a request with Upgrade and is left out for any other, by a map. Risky: it changes what the backend is asked.

## When it stays silent
Both headers reach the backend, or may do so; it does not switch protocols.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import upgrade
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ERROR, RISKY, TIMEOUT, Rule, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

_USUAL_MAP, _OWN_MAP = "connection_upgrade", "$bad_gateway_connection_upgrade"
_FAILURES = {"closed": ERROR, "reset": ERROR, "timeout": TIMEOUT}


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route that keeps a WebSocket from its backend."""
    for leg in host.legs:
        if leg.route.family != "proxy" or not leg.probe or not leg.probe.spoke("websocket"):
            continue
        handed = upgrade.handed(leg.route)
        tried = {attempt["speak"]: attempt for attempt in leg.probe.tries}
        old = handed.version == "1.0" and tried.get("websocket-1.0", {}).get("status") in ("invalid", "closed", "reset")
        if handed.headers and not old:
            continue
        finding = on_leg(
            host,
            RULE.id,
            leg,
            PROVEN,
            _says(leg, handed),
            [show_config(leg), *_in_force(leg, handed), *show_probe(leg, "websocket", "websocket-1.0"), *show_log(leg, "closed-early", "reset-early")],
            _fix(leg, handed),
            f"grep -nE 'proxy_set_header|proxy_http_version' {leg.route.at.quoted_file}",
            at=leg.route.at,
            failure=_FAILURES.get(leg.probe.asked.get("status") or "", ANSWER),
        )
        yield or_risk(finding, _refused(leg))


def _refused(leg: Leg) -> bool:
    """Return whether the request without the headers fails; else other clients than those of WebSocket are served."""
    asked = leg.probe.asked
    return asked["status"] != "ok" or (asked.get("code") or 0) >= 400


def _says(leg: Leg, handed: upgrade.Handed) -> str:
    if handed.headers:
        return f"{leg.endpoint} speaks WebSocket in HTTP/1.1 only; nginx asks it in HTTP/1.0."
    missing = " and ".join(name for name, there in (("Upgrade", handed.upgrade), ("Connection", handed.connection)) if not there)
    where = f"; the line at {handed.dropped.at} is dropped by an inner proxy_set_header" if handed.dropped else ""
    return f"{leg.endpoint} speaks WebSocket; nginx does not hand it {missing}{where}."


def _in_force(leg: Leg, handed: upgrade.Handed) -> list[Evidence]:
    lines = leg.route.values("set_header")
    version = leg.route.value("http_version")
    shown = "; ".join(" ".join(item.args) for item in lines[:8]) or "none"
    return [
        Evidence(str(lines[0].at) if lines else "nginx default", f"proxy_set_header in force: {shown}"),
        Evidence(str(version.at) if version and version.at else "nginx default", f"proxy_http_version {handed.version}"),
    ]


def _fix(leg: Leg, handed: upgrade.Handed) -> Fix:
    """Return the fix: where both headers are there, the version alone is set."""
    block = _edit.home(leg.route.site)
    change: dict[str, object] = {"context": _edit.context(block)}
    wanted = []
    if handed.version == "1.0":
        wanted.append("proxy_http_version 1.1;")
    else:
        change["http_version"] = False
    if handed.headers:
        change["headers"] = False
    else:
        connection = _known_map(leg)
        wanted += ["proxy_set_header Upgrade $http_upgrade;", f"proxy_set_header Connection {connection or _OWN_MAP};"]
        change |= {"connection": connection} if connection else {}
        wanted += [] if connection else ['with a map of $http_upgrade that makes it "upgrade", or empty for a request without.']
    outer = leg.route.values("set_header")
    repeat = ""
    if outer and not handed.headers and not any(block.named("proxy_set_header")):
        repeat = f" Repeat there the proxy_set_header lines of {outer[0].at}, which these would drop."
    summary = f"In location {leg.route.location_label}: {' '.join(wanted)}{repeat}"
    if not _edit.legible(*block.args):
        return by_hand(summary)
    return Fix(remedy="websocket_headers", safety=RISKY, summary=summary, changes=(change,))


def _known_map(leg: Leg) -> str:
    """Return the variable of nginx's own documentation where a map makes it; none for a route that sends a Connection already: that may be kept open."""
    made = leg.route.site.definitions.maps.get(_USUAL_MAP)
    sends = any(item.args[:1] and item.args[0].lower() == "connection" for item in leg.route.values("set_header"))
    return f"${_USUAL_MAP}" if made and made.args[:1] == ("$http_upgrade",) and not sends else ""


RULE = Rule(
    id="websocket-headers-missing",
    title="A WebSocket backend is not told that the client wants one",
    needs=("nginx", "probes"),
    check=check,
)
