# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No local port is left for a connection to the backend.

## What it is
Each connection to one backend address and port takes a local port of its own, and one that ended keeps it for a minute
more (TIME_WAIT) on the side that closed first. Without keepalive to the backend, every request takes a new one. When all
of ip_local_port_range are taken towards that backend, connect() fails with "cannot assign requested address" (99): a 502.

## How it is recognised
The sockets towards the endpoint are counted against the range of local ports in nginx's network namespace. A
connection as the worker fails with 99 and the ports are used up: proven. Error 99 alone: likely, or only possible where
few ports are in use, or were within the minute. Most ports taken for good, with nothing failing yet: a risk.

## Fix
Keep connections to the backend open: keepalive in the upstream group, with a keepalive_timeout below the backend's own time, or 4 s
where that is not known; proxy_http_version 1.1 and an empty Connection header on the route. A person has to do it where there is no
group, or where the backend closes each connection. A wider ip_local_port_range, or several addresses of the backend, only move the
limit. Risky.

## When it stays silent
Many sockets wait, but within the range, or the kernel may reuse them (tcp_tw_reuse). Error 99 for an IPv6 peer on
a host without IPv6 is network-unreachable; that of bind() is a wrong proxy_bind.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit, _keeping
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import network, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint towards which local ports are used up, or nearly so."""
    for found in network.blocked(host, RULE.id):
        yield _finding(host, found.leg, found.way, found.certainty, f"{found.why[0].upper()}{found.why[1:]}.", found.alternatives)
    for leg in host.legs:
        way = network.way_of(host, leg)
        if leg.endpoint.kind == "tcp" and leg.connect in ("", "ok") and way.ports_running_out and not leg.logged("connect-no-port-left"):
            says = f"{way.ports_blocked} of {way.port_range} local ports towards {leg.endpoint} are taken; when all are, connections fail with 99."
            yield or_risk(_finding(host, leg, way, PROVEN, says, ()), False)


def _finding(host: Host, leg: Leg, way: network.Way, certainty: str, says: str, alternatives: tuple[str, ...]) -> Finding:
    evidence = [show_config(leg)]
    if way.sockets:
        counts = ", ".join(f"{way.sockets[name]} {name.replace('_', '-')}" for name in ("established", "time_wait", "syn_sent", "other") if way.sockets[name])
        evidence.append(Evidence(f"sockets to {leg.endpoint}", counts or "none"))
    if way.facts.get("ports"):
        ports = way.facts["ports"]
        evidence.append(Evidence("ip_local_port_range", f"{ports['first']} to {ports['last']}, {ports['reserved']} reserved"))
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        says,
        evidence + show_probe(leg) + show_log(leg, "connect-no-port-left"),
        _fix(host, leg),
        f"ss -tan dst {leg.endpoint.address}" if ":" not in leg.endpoint.address else "ss -6tan",
        alternatives,
    )


def _fix(host: Host, leg: Leg) -> Fix:
    route, server = leg.route, servers.server_of(host, leg)
    pool = f"keepalive in upstream {route.group}" if route.group else "an upstream group with keepalive"
    summary = f"Reuse connections: {pool}"
    if route.family == "proxy":
        summary += f", {route.family}_http_version 1.1 and an empty Connection header"
    if server and server.kind == "php-fpm":
        return by_hand("Let the pool listen on a Unix socket: a kept connection would hold one of its children.")
    idle = server.idle if server and route.family == "proxy" else None
    if idle and not idle.value:
        return by_hand(f"{summary}; {server.label} closes each connection after its answer, and has to keep them first.")
    changes = _keeping.for_more_requests(route, idle.value if idle else None)
    if not changes:
        return by_hand(f"{summary}.")
    places = [Place(change["context"]["file"], change["context"]["line"]) for change in changes]
    return Fix(
        remedy="upstream_keepalive", safety=RISKY, summary=f"{summary}. {_edit.shared(route.site.configuration, places)}".strip(), changes=changes
    )


RULE = Rule(
    id="ephemeral-ports-exhausted",
    title="No local port is left towards the backend",
    needs=("nginx", "network"),
    check=check,
)
