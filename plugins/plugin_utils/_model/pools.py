# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PHP-FPM pool says of itself: its status page (fpm_status.c) and its slow log (fpm_php_trace.c).

The page is asked for after the probe of a route, so that it tells of the moment in which that waits. The queue of a Unix socket is
always 0 there: PHP-FPM reads it by TCP_INFO.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

_WAIT = 1.0
_LOOPBACK = (("*:", "127.0.0.1:"), ("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:"))


@dataclass(frozen=True)
class Slow:
    """The slow requests of a pool within the window: the events of its log, the most frequent place first."""

    pool: dict
    events: tuple[dict, ...]

    @property
    def count(self) -> int:
        """Return how many there were."""
        return sum(event["count"] for event in self.events)


def pool_of(host: Host, leg: Leg) -> dict:
    """Return the PHP-FPM pool that listens at the endpoint of a leg, or {}."""
    server = servers.server_of(host, leg)
    return server.pool if server and server.kind == "php-fpm" else {}


def status_target(host: Host, leg: Leg) -> dict:
    """Return what asks the pool of a leg for its status page, without an id; {} where it has none, or is on another host."""
    pool = pool_of(host, leg) if leg.local and leg.route.family == "fastcgi" else {}
    if not (pool.get("status_path") or "").startswith("/"):
        return {}
    endpoint = pool.get("status_listen") or str(leg.endpoint)
    for every, one in _LOOPBACK:
        if endpoint.startswith(every):
            endpoint = one + endpoint[len(every) :]
    target = {"endpoint": endpoint, "speak": "fastcgi-status", "host": "", "method": "GET", "path": pool["status_path"], "sni": "", "params": {}}
    return {**target, "wait": _WAIT, "identify": False, "otherwise": {}, "given": False, "routes": [], "pool": _name(pool)}


def status(host: Host, leg: Leg) -> dict:
    """Return what the status page of the pool of a leg said, in the names of docs/architecture.md; {} when it was not there or did not answer."""
    pool = pool_of(host, leg)
    for target in host.bundle.get("targets") or () if pool else ():
        probe = host.probes.get(target["id"]) if leg.local and target.get("pool") == _name(pool) else None
        said = (probe.asked.get("pool") or {}) if probe else {}
        if said and said.get("pool") == pool["name"]:
            return said
    return {}


def all_busy(said: dict, pool: dict) -> bool:
    """Return whether a status page says that every child that there may be works on a request, and that more requests wait."""
    most = pool.get("max_children")
    return bool(said and most) and said.get("active_processes", 0) >= most <= said.get("total_processes", 0) and said.get("listen_queue", 0) > 0


def slow(host: Host, leg: Leg) -> Slow | None:
    """Return the slow requests of the pool of a leg; None where its log has none."""
    pool, side = pool_of(host, leg), ends.side_of(host, leg)
    events = side.events("slow-request") if side and pool.get("slowlog") else []
    own = sorted((event for event in events if event["source"] == pool["slowlog"]), key=lambda event: (not event["detail"].get("at"), -event["count"]))
    return Slow(pool, tuple(own)) if own else None


def _name(pool: dict) -> str:
    return f"{pool['name']} (PHP {pool['version']})" if pool.get("version") else pool["name"]
