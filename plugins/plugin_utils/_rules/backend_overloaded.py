# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is alive and cannot keep up: it does not take the connections that wait for it.

## What it is
A program that serves many connections in one process (Node, gunicorn with threads, uvicorn, a Java server) takes no new
ones while its event loop is blocked, its processor time is used up, or it hangs. They wait in the accept queue of its
socket; when that is full, a Unix socket refuses (11, a 502) and a TCP port ignores them (a time-out, a 504).

## How it is recognised
A probe was refused with 11; or it met a full TCP queue; or its connection was made and no process accepted it for longer
than nginx waits, as the kernel itself tells (sock_diag); or it was accepted and not answered by a program that had used a whole
core (each of its processes, or every core) for all of the first visit: proven. Records with 11 from a program that still runs; or time-outs while
connecting to a local port, while full queues drop connections during the visit or the kernel logged that this port's
queue overflowed ("SYN flooding"): likely. Such time-outs on a host whose queues dropped connections since boot: possible.
What presses the host (/proc/pressure, load) is shown.

## Fix
More instances behind the group, and less load: a rate limit, a cache, work taken out of the request. Look first at what
the program does: one that hangs needs no second instance but a repair.

## When it stays silent
The connection of the probe was accepted, by a program that had processor time left: upstream-timeout. Time-outs while
connecting to another host that is not in the fleet: a packet filter shows itself so too. Workers that serve one request each are backend-workers-exhausted.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, load, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.load import BUSY, LOGGED, NO_ROOM, QUEUE_FULL, Struggle
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ERROR, TIMEOUT, Rule, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_config, show_log, show_pressure, show_probe, show_waiting

_LOGGED = ("connect-queue-full", "connect-timeout", "read-timeout")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend does not take its connections."""
    for leg in host.legs:
        found = load.struggle(host, leg)
        if found and not found.of_workers:
            yield _struggling(host, found)
        elif not found:
            yield from _dropping(host, leg)


def _struggling(host: Host, found: Struggle) -> Finding:
    leg = found.leg
    evidence = [show_config(leg), *show_probe(leg), *show_waiting(found), *show_log(leg, *_LOGGED), *show_pressure(host, leg)]
    alternatives = () if found.live else ("backend-workers-exhausted",)
    failure = ERROR if found.how in (QUEUE_FULL, LOGGED) else TIMEOUT
    return or_risk(_finding(host, leg, PROVEN if found.live else LIKELY, _says(found), evidence, alternatives, failure), found.failing)


def _dropping(host: Host, leg: Leg) -> Iterator[Finding]:
    """Yield a finding where connecting to a local port timed out on a host whose queues drop connections."""
    groups = leg.logged("connect-timeout")
    if not groups or leg.endpoint.kind != "tcp" or not servers.listeners_of(host, leg):
        return
    total, risen = load.dropped(host, leg)
    flooded = [event for event in ends.kernel_events(host, "syn-flood") if leg.local and event["port"] == leg.endpoint.port]
    if not total and not flooded:
        return
    during = f", {risen} of them during this visit" if risen else ""
    evidence = [show_config(leg), *show_probe(leg), *show_log(leg, "connect-timeout")]
    evidence += [Evidence("/proc/net/netstat", f"full accept queues dropped {total} connections since boot{during}"), *show_pressure(host, leg)]
    evidence += [Evidence("kernel log", quote(event["sample"])) for event in flooded[-1:]]
    says = f"Connecting to {leg.endpoint} timed out although something listens there, and full accept queues dropped {total} connections{during}."
    yield _finding(host, leg, LIKELY if risen or flooded else POSSIBLE, says, evidence, ("firewall-blocked",), TIMEOUT)


def _finding(host: Host, leg: Leg, certainty: str, says: str, evidence: list[Evidence], alternatives: tuple[str, ...], failure: str) -> Finding:
    server = servers.server_of(host, leg)
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        says,
        evidence,
        by_hand(f"Find what keeps the program on {leg.endpoint} busy; then add instances to the group, a rate limit or a cache."),
        server.look if server else "",
        alternatives,
        failure=failure,
    )


def _says(found: Struggle) -> str:
    leg = found.leg
    label = found.server.label if found.server else f"the program on {leg.endpoint}"
    waits = f" ({found.waiting[0]} wait, backlog {found.waiting[1]})" if found.waiting else ""
    if found.how == QUEUE_FULL:
        return f"{label} does not take its connections and the queue of {leg.endpoint} is full{waits}: connect() fails with 11 and the client gets a 502."
    if found.how == LOGGED:
        return f"The queue of {leg.endpoint} was full: {label} did not take its connections, connect() failed with 11 and clients got a 502."
    if found.how == NO_ROOM:
        full = f"{label} does not take its connections and the queue of {leg.endpoint} has no room{waits}"
        return f"{full}: a new one is ignored until nginx gives up with a 504."
    if found.how == BUSY:
        used = f"{label} used all the processor time it can even before it was asked"
        return f"{used}, and did not answer on {leg.endpoint} in {found.seconds:.1f} s; the client gets a 504 when nginx gives up."
    return f"{label} did not take a connection to {leg.endpoint} in {found.seconds:.1f} s{waits}; the client gets a 504 when nginx gives up."


RULE = Rule(
    id="backend-overloaded",
    title="The backend cannot keep up",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
