# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups have more than one server, and which of them nginx has put aside.

Source: ngx_http_upstream_get_round_robin_peer(), ngx_http_upstream_get_peer() and
ngx_http_upstream_free_round_robin_peer() in nginx's http/ngx_http_upstream_round_robin.c.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg, loopback
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

NO_LIVE = "no-live-upstreams"
_FIXED = (1, 19, 6)
# For how long it is worth a word that a group was put aside, in seconds.
_RECENT = 3600.0


@dataclass(frozen=True)
class Ejection:
    """A group whose servers nginx has all put aside.

    legs      the servers that it may use
    alive     those that answer
    failures  how often each is said to have failed
    lasts     whether the servers are still put aside: a failure counts no longer than fail_timeout
    """

    route: routes.Route
    instance: Instance
    group: dict
    legs: tuple[Leg, ...]
    alive: tuple[Leg, ...]
    failures: tuple[tuple[Leg, int], ...]
    lasts: bool

    @property
    def at(self) -> Place:
        """Return where the group is written."""
        return self.route.upstream.at if self.route.upstream else self.route.at

    @property
    def written(self) -> str:
        """Return the group in words."""
        if not self.route.upstream:
            return f"{self.route.directive} {self.route.written}: {len(self.legs)} addresses"
        return f"upstream {self.route.group}: {len(self.legs)} servers"

    @property
    def limited(self) -> bool:
        """Return whether the limits of connections are what puts the servers aside."""
        return bool(self.legs) and all(leg.peer.max_conns for leg in self.legs) and not (self.failures and any(leg.peer.max_fails for leg in self.legs))

    @property
    def counted_wrongly(self) -> bool:
        """Return whether this nginx counts servers that are marked "down" wrongly."""
        version = self.instance.configuration.version
        return bool(version) and version < _FIXED and any(peer.down for peer in self.route.peers)

    @property
    def why(self) -> str:
        """Return what puts the servers aside."""
        if self.limited:
            return f"max_conns is {max(leg.peer.max_conns for leg in self.legs)}"
        peer = max((leg.peer for leg in self.legs if leg.peer.max_fails), key=lambda item: item.fail_timeout, default=None)
        if not peer:
            return "those without max_fails have reached max_conns"
        return f"{peer.max_fails} failed {'request' if peer.max_fails == 1 else 'requests'} put each aside for {peer.fail_timeout:g} s"

    @property
    def remedy(self) -> str:
        """Return what would put it right."""
        if self.limited:
            return f"Raise max_conns at {self.at}, or add servers."
        if self.counted_wrongly:
            return f"Remove the server that is marked down at {self.at}, or upgrade nginx; a reload forgets what failed."
        if not self.route.upstream:
            names = list(dict.fromkeys(leg.endpoint for leg in self.alive))
            # Only of localhost are the addresses sure to stay.
            alone = f", or to {names[0]}" if len(names) == 1 and loopback(names[0].address) else ""
            return f"Reload, which forgets what failed; for good, pass to an upstream group of its addresses, which can have max_fails{alone}, at {self.at}."
        return f"Reload, which forgets what failed; for good, raise max_fails or lower fail_timeout at {self.at}."


def ejections(host: Host) -> Iterator[Ejection]:
    """Yield the groups that nginx has, or lately had, wholly put aside, by its log, and of which a server answers."""
    if not any(group["class"] == NO_LIVE for group in host.groups):
        return
    by_route: dict[str, list[Leg]] = {}
    for leg in host.legs:
        if leg.instance.running and (leg.peer.resolve or not leg.peer.run_time):
            by_route.setdefault(leg.route.key, []).append(leg)
    # Where the workers hold other addresses than the names have now, those that answer are not in use.
    old = {item.route.key for item in naming.stale_addresses(host)}
    for key, legs in by_route.items():
        route, instance = legs[0].route, legs[0].instance
        # A server that is marked down, or a backup, makes it two: only a server that is alone is never put aside.
        alone = sum(len(peer.endpoints) for peer in route.peers) == 1
        group = _newest(host, legs, instance)
        if not group or key in old or alone and not legs[0].peer.max_conns:
            continue
        alive = tuple(leg for leg in legs if leg.serves and (leg.answers or not leg.probe))
        if alive and all(leg.peer.max_fails or leg.peer.max_conns for leg in alive):
            longest = max(leg.peer.fail_timeout for leg in legs)
            yield Ejection(route, instance, group, tuple(legs), alive, _failures(legs), host.now - group["last"] <= longest)


def _newest(host: Host, legs: list[Leg], instance: Instance) -> dict | None:
    """Return the newest record of the running workers that no server was left, or None."""
    found = [
        group
        for leg in legs
        for group in leg.logged(NO_LIVE)
        if host.wrote(instance, group.get("pids") or ()) and instance.served_at(group["last"]) and host.now - group["last"] <= _RECENT
    ]
    return max(found, key=lambda group: group["last"], default=None)


def _failures(legs: list[Leg]) -> tuple[tuple[Leg, int], ...]:
    counted = [(leg, sum(group["count"] for group in leg.errors if group["class"] != NO_LIVE)) for leg in legs]
    return tuple((leg, count) for leg, count in counted if count)


def all_down(host: Host) -> Iterator[tuple[routes.Route, Place]]:
    """Yield the routes whose group has no server that is not marked "down"."""
    for instance in host.instances:
        for route in host.routes if instance.running else ():
            group = route.upstream
            if route.instance == instance.id and group and group.peers and all(peer.down for peer in group.peers) and not route.open_ended:
                if route.at.file not in instance.newer_files and group.at.file not in instance.newer_files:
                    yield route, group.at
