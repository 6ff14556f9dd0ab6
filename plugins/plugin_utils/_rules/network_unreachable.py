# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""There is no way to the backend's host.

## What it is
The kernel has no usable route to the backend's address, or nobody answers for that address on the link. nginx gets
"network unreachable" (101), "no route to host" (113), "invalid argument" (22, a blackhole), or "permission
denied" (13) for a route of type prohibit, which is easily taken for SELinux, and answers 502.

## How it is recognised
The kernel is asked for the route of a connection of the worker's user, in nginx's network namespace: none,
unreachable, prohibit or blackhole is proof, and so is a link that is down. A failed address resolution (ARP, ND) of
the peer or its router is proof that it is gone. "Unreachable" from a router further on: likely.

## Fix
None by itself: bring the link, the route or the host back.

## When it stays silent
There is a route and the peer's host answers: then a packet filter (firewall-blocked) or the backend itself is the
cause. A prohibited route to other addresses is nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import network
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import RUNNING, Owner
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe


_CLASSES = ("connect-unreachable", "connect-denied", "connect-invalid-address", "connect-timeout", "connect-failed")


# Units that make networks of their own.
_NETWORKS = re.compile(r"(?:wg-quick@|openvpn|strongswan|ipsec|tailscaled|zerotier|nebula)")


def _idle_networks(host: Host) -> list[Owner]:
    return [owner for owner in host.owners if owner.kind == "systemd unit" and owner.state != RUNNING and _NETWORKS.match(owner.name)][:2]


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint to which there is no way."""
    for found in network.blocked(host, RULE.id):
        leg, route = found.leg, found.way.route
        shown = [Evidence(*pair) for pair in found.shown]
        address = leg.endpoint.address
        down = found.way.down_link(address)
        own = found.way.own_link
        what = f"Bring the host {address} back."
        if own and not own["up"]:
            what = f"Bring {own['name']} up."
        elif "no link of it" in found.why:
            what = f"Give {address} back to a link of this host."
        if down and not down["up"]:
            what = f"Bring {down['name']} up."
        elif down and down["kind"] == "bridge":
            what = f"Start the container or virtual machine that has {address}: none is connected to the bridge {down['name']}; its engine may be down."
        elif route.get("status", "ok") != "ok":
            what = f"Restore the route to {address}."
            for owner in _idle_networks(host):
                shown.append(Evidence(owner.source, f"{owner.label}: {owner.says}"))
                what = f"Restore the route to {address}; see whether it is that of {owner.name}, which does not run."
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"{found.why[0].upper()}{found.why[1:]}.",
            [show_config(leg), *shown, *show_probe(leg), *show_log(leg, *_CLASSES)],
            by_hand(what),
            f"ip route get {address}",
            found.alternatives,
        )


RULE = Rule(
    id="network-unreachable",
    title="There is no way to the backend's host",
    needs=("nginx", "network"),
    check=check,
)
