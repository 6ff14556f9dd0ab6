# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the processes behind an endpoint ended, joined in time with the requests that nginx lost.

The error log says that a connection was closed or reset; why, only the backend's side knows: its manager, its own log and the
kernel. Both keep the time, so an end within a few seconds of a lost request is taken for what lost it.

This module is private to the collection.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, Listener
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import STOPPED, Owner

# The classes of the error log that a backend leaves which goes away in the middle of a request,
CUT = ("closed-early", "reset-early", "body-cut")
# and those that it leaves until it is back.
AWAY = ("connect-refused", "connect-no-socket")

TIMEOUTS = ("worker-timeout", "harakiri", "terminate-timeout")
_BOOT_FAILED = "boot-failed"
# Signals by which processes are asked to end (signal(7)): HUP, INT, QUIT, TERM.
ASKED = (1, 2, 3, 15)
_BY_SIGNAL = 128
KILL = 9

# A backend's log may be written some seconds before or after nginx notes the lost request: masters look after their workers
# once a second, and uWSGI notes harakiri before it kills.
SLACK = 4.0
# The log of nginx has whole seconds, a manager the very moment of an end.
_EXACT = 1.5
# For so long after an end may connections be refused before the manager has started it again.
_GAP = 60.0
_KINDS = {"unit": "systemd unit", "pool": "PHP-FPM pool", "program": "supervisor program", "app": "PM2 app", "container": "container"}


@dataclass(frozen=True)
class Joined:
    """Lost requests and the ends that they coincide with.

    groups   groups of the error log
    events   events of the backend's log, those that coincide with a lost request first
    hits     how many of the seconds in which requests were lost have such an event nearby
    seconds  how many such seconds are known
    """

    groups: tuple[dict, ...]
    events: tuple[dict, ...]
    hits: int
    seconds: int

    @property
    def mostly(self) -> bool:
        """Return whether at least half of the lost requests coincide with an end."""
        return self.hits > 0 and self.hits * 2 >= self.seconds

    @property
    def lost(self) -> int:
        """Return how many requests the groups count."""
        return sum(group["count"] for group in self.groups)


@dataclass(frozen=True)
class Side:
    """The backend's side of a leg: the host that it is on, where that was asked too, and who is behind the endpoint there."""

    home: Host
    owners: tuple[Owner, ...]
    listeners: tuple[Listener, ...]

    @property
    def first(self) -> Owner:
        """Return the one to name."""
        return self.owners[0]

    def events(self, *names: str) -> list[dict]:
        """Return the events of its owners; of all kinds where no name is given."""
        return events_of(self.home, self.owners, *names)

    def label(self, host: Host) -> str:
        """Return who it is, and where when it is on another host."""
        return self.first.label + (f" on {self.home.name}" if self.home is not host else "")


def side_of(host: Host, leg: Leg) -> Side | None:
    """Return the backend's side of a leg; None when nobody is known there.

    It is who holds the endpoint's socket, who claims it, and the units that these run in. Beside one that holds the socket, one that only claims it
    and is stopped does not count.
    """
    home = servers.home_of(host, leg)
    if not home:
        return None
    listeners = servers.listeners_of(host, leg)
    known, key = _known(home), (leg.endpoint, listeners)
    if key not in known:
        known[key] = _owners_at(home, leg.endpoint, listeners)
    found = known[key]
    return Side(home, found, listeners) if found else None


@functools.lru_cache(maxsize=8)
def _known(_home: Host) -> dict[tuple, tuple[Owner, ...]]:
    """Return what was found out of a host's endpoints. Of few hosts at a time: a fleet is judged one by one."""
    return {}


def _owners_at(home: Host, endpoint: Endpoint, listeners: tuple[Listener, ...]) -> tuple[Owner, ...]:
    holders = [owner for owner in (home.owner_of(item) for item in listeners) if owner]
    claiming = [owner for owner in home.owners if owner.claim_on(endpoint) and home.may_have(owner, listeners)]
    found = holders + [owner for owner in claiming if not holders or owner.state != STOPPED]
    units = {process.unit for item in listeners for process in item.processes if process.unit} | {owner.unit for owner in found if owner.unit}
    found += [owner for owner in home.owners if owner.kind == "systemd unit" and owner.name in units]
    return tuple(dict.fromkeys(found))


def unit_of(host: Host, owner: Owner) -> dict:
    """Return what systemd tells of an owner's unit, or {}."""
    return next((unit for unit in host.answer("backends.units")["value"] or () if unit["name"] == owner.unit), {})


def events_of(host: Host, found: Iterable[Owner], *names: str) -> list[dict]:
    """Return the events of some owners; of all kinds where no name is given."""
    every = (host.answer("backend_log")["value"] or {}).get("events") or ()
    keys = {(owner.kind, name) for owner in found for name in (owner.name, owner.name.rpartition(":")[2])}
    return [event for event in every if (_KINDS.get(event["kind"]), event["owner"]) in keys and (not names or event["event"] in names)]


def kernel_events(host: Host, *names: str) -> list[dict]:
    """Return the events of the kernel's log."""
    answer = (host.answer("backend_log")["value"] or {}).get("kernel") or {}
    return [event for event in (answer.get("value") or {}).get("events") or () if event["event"] in names]


def crashes(side: Side) -> list[dict]:
    """Return the ends that nobody asked for: by a signal, or with an error code.

    A worker that its master ended for its timeout or its memory did not crash, and what ends by SIGTERM and its like was asked to. Java, and a
    shell around a program, end with 128 and the signal's number then. What ends since its workers fail to boot has not served yet.
    """
    ended, in_vain = side.events(*TIMEOUTS, "memory-reload"), sorted(_ends(side.events(_BOOT_FAILED)))
    pids = {pid for event in ended for pid in event["pids"]}
    moments = sorted(_ends(ended))
    kept = []
    for event in side.events("exit", "worker-killed", "worker-exit", "heap-exhausted", "request-panic"):
        asked = event["signal"] in ASKED or (event["code"] or 0) - _BY_SIGNAL in ASKED
        if asked or event["event"] == "exit" and not event["signal"] and not event["code"]:
            continue
        if event["event"].startswith("worker-") and (pids & set(event["pids"]) or _near(event["moments"], moments, SLACK) == len(event["moments"]) > 0):
            continue
        if event["event"] in ("exit", "worker-exit") and event["code"] and _mostly(_near(event["moments"], in_vain, SLACK), event["moments"]):
            continue
        kept.append(event)
    return kept + _exceptions(side, kept)


def _exceptions(side: Side, ended: list[dict]) -> list[dict]:
    """Return the exceptions of Node that ended a process while another went on holding the socket, as a cluster's first one does.

    Where the one that holds it ended, its manager tells of that end. A program may print its version as Node does, but when it starts.
    """
    ends = sorted(_ends(ended))
    since = min((process.started for item in side.listeners for process in item.processes if process.started), default=0.0)
    found = []
    for event in side.events("uncaught-exception") if since else ():
        moments = [moment for moment in event["moments"] if moment > since + SLACK and not _any_within(ends, moment - SLACK, moment + SLACK)]
        if moments:
            found.append({**event, "moments": moments, "count": event["count"] if moments == event["moments"] else len(moments)})
    return found


def boots_in_vain(host: Host, leg: Leg, since: float) -> bool:
    """Return whether the application server behind a leg says that its workers failed to boot, at a moment since one."""
    side = side_of(host, leg)
    return any(moment >= since for moment in _ends(side.events(_BOOT_FAILED))) if side else False


def join(leg: Leg, events: Iterable[dict], classes: tuple[str, ...] = CUT, after: float = SLACK) -> Joined:
    """Return the lost requests of a leg with the events that coincide with one; after is how long after an event one may be lost by it."""
    groups = tuple(group for group in leg.errors if group["class"] in classes)
    lost = _lost(groups)
    if not lost:
        return Joined(groups, (), 0, 0)
    events = [event for event in events if event["moments"]]
    ends = sorted(_ends(events))
    hits = sum(1 for moment in lost if _any_within(ends, moment - after, moment + SLACK))
    near = [event for event in events if any(_any_within(lost, moment - SLACK, moment + after) for moment in event["moments"])]
    return Joined(groups, tuple(near), hits, len(lost))


def by_requests(host: Host, leg: Leg) -> bool:
    """Return whether most of the ends behind a leg coincide with a request that was lost in the middle: then requests may be what ends it.

    Of the end of a whole process its manager knows the moment, so that of one that is started again and again the ends before the first request do
    not count for being near it.
    """
    events = crashes(side) if (side := side_of(host, leg)) else []
    lost = _lost(group for group in leg.errors if group["class"] in CUT)
    near = sum(_near(event["moments"], lost, _EXACT if event["event"] == "exit" else SLACK) for event in events)
    return near > 0 and _mostly(near, _ends(events))


def join_away(leg: Leg, events: Iterable[dict]) -> Joined:
    """Return the refused connections of a leg with the events after which it was away."""
    return join(leg, events, AWAY, _GAP)


def _ends(events: Iterable[dict]) -> list[float]:
    return [moment for event in events for moment in event["moments"]]


def _mostly(near: int, moments: list[float]) -> bool:
    return near * 4 >= len(moments) * 3 > 0


def _lost(groups: Iterable[dict]) -> list[float]:
    """Return the moments in which requests were lost, in their order."""
    return sorted({moment for group in groups for moment in _moments(group)})


def _moments(group: dict) -> list[float]:
    return group.get("moments") or [moment for moment in (group.get("first"), group.get("last")) if moment]


def _near(moments: Iterable[float], others: list[float], slack: float) -> int:
    return sum(1 for moment in moments if _any_within(others, moment - slack, moment + slack))


def _any_within(moments: list[float], first: float, last: float) -> bool:
    """Return whether one of some moments, in their order, is within two."""
    at = bisect.bisect_left(moments, first)
    return at < len(moments) and moments[at] <= last


def fails_now(leg: Leg) -> bool:
    """Return whether the probe of a leg was cut off as nginx's requests are."""
    return bool(leg.probe) and leg.connect == "ok" and leg.probe.asked.get("status") in ("closed", "reset")


def lived_through(host: Host, leg: Leg, groups: Iterable[dict]) -> bool:
    """Return whether the backend of a leg ran through all of these lost requests: none of them coincides with an end, and no process is younger.

    The children of PHP-FPM come and go; there the log of the pool and the age of its master have to do. Of a backend that is not
    seen nothing speaks against it.
    """
    side = side_of(host, leg)
    if side and join(leg, [*crashes(side), *side.events(*TIMEOUTS, "memory-reload", "reload", "oom-kill")]).hits:
        return False
    first = min(group.get("first") or 0.0 for group in groups)
    starts = [process.started for item in servers.listeners_of(host, leg) for process in item.processes if process.started]
    pooled = bool(side) and any(owner.kind == "PHP-FPM pool" for owner in side.owners) and side.home.answer("backend_log")["status"] == "ok"
    return not starts or (min(starts) if pooled else max(starts)) <= first
