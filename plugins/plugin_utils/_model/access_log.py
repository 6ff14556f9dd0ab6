# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the access logs say of the requests of one leg that failed.

As much as the format of a log tells: without the upstream's address a failed request counts for every leg
of the routes that take its path, and without times or sizes nobody knows who made its status.

This module is private to the collection.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

BACKEND = "backend"
_CACHED = 4


@dataclass(frozen=True)
class Failures:
    """Failed requests of one leg, with one status.

    total is how many requests their logs hold in the window, failed or not; 0 when a log takes only some.
    """

    status: int
    count: int
    first: float | None
    last: float | None
    total: int
    paths: tuple[str, ...]


def failures(host: Host, leg: Leg, made_by: str = "") -> list[Failures]:
    """Return the failed requests of a leg under the configuration that runs, by status, the most frequent first; made_by narrows the choice."""
    found: dict[int, list[dict]] = {}
    for group in _of_leg(host, leg):
        if (not made_by or group["made_by"] == made_by) and leg.instance.in_force_at(group["last"] or 0.0):
            found.setdefault(group["status"], []).append(group)
    return sorted((_summed(host, status, groups) for status, groups in found.items()), key=lambda item: -item.count)


def _summed(host: Host, status: int, groups: list[dict]) -> Failures:
    logs = {log["path"]: log for log in (host.answer("access_log")["value"] or {}).get("logs") or ()}
    named = [logs[path] for path in {group["log"] for group in groups} if path in logs]
    return Failures(
        status=status,
        count=sum(group["count"] for group in groups),
        first=min((group["first"] for group in groups if group["first"]), default=None),
        last=max((group["last"] for group in groups if group["last"]), default=None),
        total=0 if any(log.get("some") for log in named) else sum(log.get("requests") or 0 for log in named),
        paths=tuple(dict.fromkeys(path for group in groups for path in group["paths"]))[:3],
    )


def _of_leg(host: Host, leg: Leg) -> list[dict]:
    """Return the groups that are about a leg."""
    # Where no server is left, nginx logs the name of the group in place of an address.
    named = ("", str(leg.endpoint), leg.route.group or leg.route.target.host)
    return [group for group, keys in _joined(host) if leg.route.key in keys and group["upstream"].removesuffix(":") in named]


@functools.lru_cache(maxsize=_CACHED)
def _joined(host: Host) -> list[tuple[dict, frozenset[str]]]:
    """Return the groups, each with the keys of the routes that its requests took."""
    found = []
    for group in (host.answer("access_log")["value"] or {}).get("groups") or ():
        taken = routes.routes_for(_of_server(host.routes, group), group["server"], tuple(group["paths"]), "")
        if not group["upstream"] and len({id(route.site.server) for route in taken}) > 1:
            # A log that several servers share, in a format that names neither them nor the upstream.
            continue
        found.append((group, frozenset(route.key for route in taken)))
    return found


def _of_server(every: tuple[routes.Route, ...], group: dict) -> tuple[routes.Route, ...]:
    """Return the routes of the server that took the requests, as far as the log names it."""
    for name in (group["server"], group["host"]):
        named = tuple(route for route in every if name and name in route.names)
        if named:
            return named
    return every
