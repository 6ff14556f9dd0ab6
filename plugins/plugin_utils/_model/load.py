# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends that are alive and do not take the connections that nginx makes to them.

The kernel takes a connection for a listening program and keeps it in a queue until a process accepts it. A connection
that stays there says that every worker is busy, or hangs; a Unix socket whose queue is full refuses with 11 (EAGAIN,
unix_stream_connect() in net/unix/af_unix.c), a TCP port ignores the connection, which shows as a time-out.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, pools, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.servers import Server

QUEUE_FULL, NO_ROOM, NOT_TAKEN, BUSY, LOGGED, SAID = "queue full", "no room", "not taken", "busy", "logged", "said"
ALL_BUSY, COUNTED = "all busy", "counted"
# What a backend that does not take connections leaves in the log of nginx.
_CLASSES = ("connect-queue-full", "connect-timeout", "read-timeout")
# How a server's own log says that it has no free worker. PHP-FPM says it once until one is free again.
_WORDS = ("max-children", "process-max", "queue-full")
_EPISODE = 60.0
# Of one core, or of as many as a program has processes.
_SATURATED = 0.9


@dataclass(frozen=True)
class Struggle:
    """A leg whose backend does not take connections.

    how        QUEUE_FULL: refused with 11; NO_ROOM: a TCP queue is full, the connection is ignored; NOT_TAKEN: connected, and
               no process accepted it; BUSY: accepted, and the program used all the processor time that it can before it was asked;
               LOGGED: the log had 11, now it answers; SAID: requests timed out after the
               backend's own log said that it had no free worker; ALL_BUSY: the kernel does not tell whether the connection was
               accepted, and the pool's status page has every child busy and requests waiting; COUNTED: the page counts
               that pm.max_children was reached, of which no log tells when, and requests timed out
    live       it was seen by the probe, not only in the log
    failing    requests fail of it; otherwise nginx waits longer than the probe did, and the log has no failure
    waiting    (connections in the queue, backlog), or None
    seconds    how long the probe waited
    events     what the backend's own log says
    """

    leg: Leg
    server: Server | None
    how: str
    live: bool
    failing: bool
    waiting: tuple[int, int] | None
    seconds: float
    events: tuple[dict, ...] = ()

    @property
    def of_workers(self) -> bool:
        """Return whether the server has workers that take one connection each."""
        return bool(self.server) and self.server.one_each


def struggles(host: Host) -> list[Struggle]:
    """Return the legs of a host whose backends do not take connections."""
    found = [struggle(host, leg) for leg in host.legs]
    return [item for item in found if item]


def struggle(host: Host, leg: Leg) -> Struggle | None:
    """Return how the backend of a leg struggles, or None."""
    how, seconds = _seen(host, leg)
    said = _said(host, leg)
    if how:
        name = "connect_timeout" if how == NO_ROOM else "read_timeout"
        limit = leg.route.value(name)
        over = how == QUEUE_FULL or bool(limit and limit.seconds) and seconds >= limit.seconds
        return Struggle(leg, servers.server_of(host, leg), how, True, over or bool(leg.logged(*_CLASSES)), _waiting(host, leg), seconds, said)
    # 11 of a TCP port is no full queue: that one ignores the connection.
    refused = leg.logged("connect-queue-full") if leg.endpoint.kind == "unix" else []
    how, groups = (LOGGED, refused) if refused else (SAID, leg.logged(*_CLASSES) if said else [])
    if not groups:
        how, groups = COUNTED, _counted(host, leg)
    if not groups or _restarted_since(host, leg, groups):
        return None
    return Struggle(leg, servers.server_of(host, leg), how, False, True, _waiting(host, leg), 0.0, said)


def _said(host: Host, leg: Leg) -> tuple[dict, ...]:
    """Return the words of the backend's own log that it had no free worker, as far as requests timed out soon after."""
    limit = leg.route.value("read_timeout")
    after = _EPISODE + ((limit.seconds or 0.0) if limit else 0.0)
    side = ends.side_of(host, leg)
    joined = ends.join(leg, side.events(*_WORDS) if side else (), _CLASSES, after)
    return joined.events if joined.hits else ()


def _counted(host: Host, leg: Leg) -> list[dict]:
    """Return the time-outs in the log since the pool of a leg was started, where it reached pm.max_children in that time and its own log says nothing of it.

    Where its log tells when, that decides. A pool that is older than the window may have reached it long before.
    """
    said, side = pools.status(host, leg), ends.side_of(host, leg)
    start = said.get("start_time") or 0.0
    since = (side.home.answer("backend_log")["value"] or {}).get("since") if side else None
    if not said.get("max_children_reached") or since is None or start < since or side.events(*_WORDS):
        return []
    if leg.probe and leg.probe.asked.get("status") == "timeout":
        return []
    return [group for group in leg.logged(*_CLASSES) if (group.get("last") or 0.0) >= start]


def _seen(host: Host, leg: Leg) -> tuple[str, float]:
    """Return what the probe met, and how long it waited."""
    if not leg.probe or _only_systemd(host, leg):
        return "", 0.0
    seconds = leg.probe.connect.get("seconds") or 0.0
    if leg.connect == "full" and leg.endpoint.kind == "unix":
        return QUEUE_FULL, seconds
    if leg.connect == "timeout":
        waiting = _waiting(host, leg)
        return (NO_ROOM, seconds) if waiting and waiting[0] >= waiting[1] > 0 else ("", 0.0)
    if leg.probe.asked.get("status") == "timeout" and leg.probe.queue.get("accepted") is False and not leg.probe.behind:
        return NOT_TAKEN, leg.waited or 0.0
    if leg.probe.asked.get("status") == "timeout" and leg.probe.queue.get("accepted") is None and not leg.probe.behind:
        if pools.all_busy(pools.status(host, leg), pools.pool_of(host, leg)):
            return ALL_BUSY, leg.waited or 0.0
    if leg.probe.asked.get("status") == "timeout" and not leg.probe.behind and saturation(host, leg):
        return BUSY, leg.waited or 0.0
    return "", 0.0


def saturation(host: Host, leg: Leg) -> float:
    """Return how many cores the program at an endpoint used during the visit, where that is all it can use; else 0.0."""
    home, server = servers.home_of(host, leg), servers.server_of(host, leg)
    value = (home.answer("pressure")["value"] or {}) if home else {}
    if not server or server.one_each:
        # A worker that computes is busy with a request; whether all are, the queue tells.
        return 0.0
    pids = {process.pid for item in servers.listeners_of(host, leg) for process in item.processes}
    shares = [item["share"] for item in value.get("busy") or () if item["pid"] in pids]
    return sum(shares) if shares and sum(shares) >= _SATURATED * min(len(pids), value.get("cores") or 1) else 0.0


def _only_systemd(host: Host, leg: Leg) -> bool:
    """Return whether systemd alone holds the socket: the service behind it does not run, whatever waits."""
    holders = [process for item in servers.listeners_of(host, leg) for process in item.processes]
    return bool(holders) and all(process.pid == 1 for process in holders)


def _waiting(host: Host, leg: Leg) -> tuple[int, int] | None:
    """Return the queue as it was when the probe failed, or else in the first visit; with SO_REUSEPORT, the fullest."""
    queue = leg.probe.queue if leg.probe else {}
    if queue.get("length") is not None and queue.get("backlog") is not None:
        return queue["length"], queue["backlog"]
    known = [(item.accept_queue, item.backlog) for item in servers.listeners_of(host, leg) if item.accept_queue is not None and item.backlog is not None]
    return max(known, key=lambda pair: pair[0] - pair[1], default=None)


def _restarted_since(host: Host, leg: Leg, groups: list[dict]) -> bool:
    """Return whether every process at the endpoint is younger than the last of some records: who failed then is gone."""
    starts = [process.started for item in servers.listeners_of(host, leg) for process in item.processes if process.started]
    return bool(starts) and min(starts) > max(group.get("last") or 0.0 for group in groups)


def dropped(host: Host, leg: Leg) -> tuple[int, int]:
    """Return (connections that full TCP queues dropped since boot, and during the visit) where the backend of a leg is."""
    home = servers.home_of(host, leg)
    value = (home.answer("pressure")["value"] or {}) if home else {}
    net = leg.instance.net if home is host else ""
    counts = [item for item in value.get("drops") or () if item["counter"] == "ListenOverflows" and (not net or item["net"] == net)]
    return sum(item["total"] for item in counts), sum(item["risen"] or 0 for item in counts)
