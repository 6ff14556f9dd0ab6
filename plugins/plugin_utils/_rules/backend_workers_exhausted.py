# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every worker of the backend is busy, so that requests wait for one in vain: a 504, or a 502 when even the queue is full.

## What it is
PHP-FPM children, gunicorn sync workers and uWSGI processes serve one request each. While all of them are busy, the kernel
keeps new connections in the accept queue of the socket. nginx waits for the answer until its *_read_timeout ends (a 504).
Once the queue of a Unix socket is full, connect() fails at once with 11 (EAGAIN) and the client gets a 502; a TCP port
with a full queue ignores the connection until *_connect_timeout ends (a 504).

## How it is recognised
A probe was refused with 11; or it met a full TCP queue; or its connection was made and no process accepted it for longer
than nginx waits, as the kernel itself tells (sock_diag), or as a PHP-FPM pool's own status page tells where the kernel does
not: every child is active and requests wait: proven. Records with 11 in the log window, or time-outs soon after
PHP-FPM logged "server reached pm.max_children" (a pool of a fixed size never does) or uWSGI a full listen queue, from
workers that still run: likely. So are time-outs since the start of a pool whose status page counts that pm.max_children was
reached, where its log does not tell when. The status page, the queue, the backlog and the number of workers are shown.

## Fix
More workers, as far as memory allows (pm.max_children, --workers, --processes), or shorter requests: what keeps the workers
busy is often one slow query or remote call. A longer backlog only lets clients wait longer. A rate limit or a cache in
nginx keeps load away. Risky: more workers need more memory, and the backend has to be restarted.

## When it stays silent
The probe was accepted: then a worker works on it, and a slow one is upstream-timeout. Nothing was refused, and the log has
no 11, or only from before the backend was last started. A server that takes any number of connections at once (Node,
gunicorn with threads) is backend-overloaded instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import load, pools, settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.load import ALL_BUSY, COUNTED, LOGGED, NO_ROOM, QUEUE_FULL, SAID, Struggle
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ERROR, TIMEOUT, Rule, by_role, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import (
    show_config,
    show_log,
    show_paths,
    show_pool,
    show_pressure,
    show_probe,
    show_waiting,
    times,
)


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend has no free worker."""
    for found in load.struggles(host):
        if not found.of_workers:
            continue
        leg, server = found.leg, found.server
        evidence = [show_config(leg), *show_probe(leg), *show_waiting(found), *show_pool(host, leg)]
        evidence += show_log(leg, "connect-queue-full", "connect-timeout", "read-timeout") + show_paths(leg, "connect-queue-full") + show_pressure(host, leg)
        workers = server.setting("workers")
        now = f" ({workers.value:g} now, {workers.place})" if workers else ""
        wanted, why_not = settings.more_workers(host, server)
        change = settings.change(host, leg, server, "workers", wanted) if wanted else settings.Change(None, why_not)
        to = f" to {wanted}" if change.item else " as far as memory allows"
        finding = on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if found.live else LIKELY,
            _says(host, found),
            evidence,
            by_role("backend_workers", f"Raise {server.option('workers')} of {server.label}{now}{to}, or shorten what keeps its workers busy.", change),
            server.look,
            () if found.live else ("upstream-timeout",) if found.how in (SAID, COUNTED) else ("backend-overloaded",),
            failure=ERROR if found.how in (QUEUE_FULL, LOGGED) else TIMEOUT,
        )
        yield or_risk(finding, found.failing)


def _says(host: Host, found: Struggle) -> str:
    leg, server = found.leg, found.server
    if found.how == QUEUE_FULL:
        full = f" ({found.waiting[0]} wait, backlog {found.waiting[1]})" if found.waiting else ""
        return f"No worker of {server.label} is free and the queue of {leg.endpoint} is full{full}: connect() fails with 11 and the client gets a 502."
    if found.how == LOGGED:
        return f"The queue of {leg.endpoint} was full: every worker of {server.label} was busy, connect() failed with 11 and clients got a 502."
    if found.how == SAID:
        return f"{server.label} had no free worker by its own log, and requests to {leg.endpoint} timed out after that; clients got a 504."
    if found.how == COUNTED:
        reached = times(pools.status(host, leg)["max_children_reached"])
        return f"{server.label} reached pm.max_children {reached} since it was started, and requests to {leg.endpoint} timed out; clients got a 504."
    if found.how == ALL_BUSY:
        said = pools.status(host, leg)
        busy = f"all {said['active_processes']} are active by its status page, and {said['listen_queue']} requests wait"
        return f"No worker of {server.label} is free: {busy}; {leg.endpoint} gave no answer in {found.seconds:.1f} s, and the client gets a 504."
    waits = f"; {found.waiting[0]} connections wait there, backlog {found.waiting[1]}" if found.waiting else ""
    if found.how == NO_ROOM:
        full = f"No worker of {server.label} is free and the queue of {leg.endpoint} has no room{waits}"
        return f"{full}: a new connection is ignored until nginx gives up with a 504."
    none = f"No worker of {server.label} is free: none took a connection to {leg.endpoint} in {found.seconds:.1f} s{waits}"
    return f"{none}; the client gets a 504 when nginx gives up."


RULE = Rule(
    id="backend-workers-exhausted",
    title="All workers of the backend are busy",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
