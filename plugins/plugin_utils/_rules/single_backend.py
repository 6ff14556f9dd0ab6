# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend elsewhere on the network has no second one to go on to.

## What it is
A pass goes to one address on another host, and to no group with a second server or a backup. When that host is
restarted or the network fails, every request on the route gets a 502 or 504; nginx could have gone on to another.

## How it is recognised
All that a route can go to is one TCP address that is not the host's own. It is said once for each nginx.

## Fix
An "upstream" block with a second server, or a "backup" that at least says sorry. Manual.

## When it stays silent
A second address or a backup is there; the backend is on nginx's own host, and would mostly fail together with a second
one there; the route is only for nginx's own subrequests; where it goes is not wholly known.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, times


_SHOWN = 4


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each nginx with backends that have no second one."""
    alone: dict[tuple[str, Endpoint], list[Leg]] = {}
    for leg in host.legs:
        known = not (leg.peer.run_time or leg.route.open_ended or leg.route.unresolved)
        # What a network of the host's own containers has, or had, is no other host.
        here = leg.local or leg.endpoint.kind == "tcp" and host.containers.network_of(leg.endpoint.address, host.container_of(leg.instance))
        if leg.endpoint.kind == "tcp" and not here and known and len(leg.peer.endpoints) == 1 and not leg.route.internal and _alone(leg):
            alone.setdefault((leg.instance.id, leg.endpoint), []).append(leg)
    for instance in host.instances:
        mine = {endpoint: legs for (name, endpoint), legs in alone.items() if name == instance.id}
        if mine:
            yield _of(instance, mine)


def _of(instance: Instance, alone: dict[Endpoint, list[Leg]]) -> Finding:
    names = ", ".join(str(endpoint) for endpoint in list(alone)[:_SHOWN]) + (f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else "")
    evidence = []
    for legs in list(alone.values())[:_SHOWN]:
        failed = sum(group["count"] for group in legs[0].errors)
        shown = show_config(legs[0])
        evidence.append(Evidence(shown.from_, shown.shows + (f"; failures there in the error log: {times(failed)}" if failed else "")))
    return on_instance(
        RULE.id,
        instance,
        ADVICE,
        PROVEN,
        f"Routes have {names} as their only backend: when it fails, nginx has no other to go on to.",
        evidence,
        by_hand('Put such a backend into an "upstream" block with a second server or a backup.'),
        at=next(iter(alone.values()))[0].peer.at,
    )


def _alone(leg: Leg) -> bool:
    return not any(peer.endpoints and not peer.down for peer in leg.route.peers if peer is not leg.peer)


RULE = Rule(
    id="single-backend",
    title="A backend on the network has no second one",
    needs=("nginx",),
    check=check,
)
