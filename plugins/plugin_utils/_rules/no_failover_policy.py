# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group has several servers, and nginx is told not to go on to the next.

## What it is
"*_next_upstream off" or "*_next_upstream_tries 1" keeps nginx from asking a second server when the first fails, so that
each failure reaches a client although the group has others. With "max_fails=0" on every server none is ever left out:
each request may try a dead one first.

## How it is recognised
The directives in force on a route whose group has more than one server that is not marked "down". It is said once for
each place where such a directive stands.

## Fix
Let it go on: "error timeout", which is the default, with more than one try; a request that changes something (POST)
is not repeated then either, unless "non_idempotent" is set. "max_fails=3" for "fail_timeout=10s". Risky.

## When it stays silent
The group has one server; nothing is set, so that nginx goes on after "error timeout".
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _failover
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, on_instance


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each place that keeps nginx from another server of a group."""
    told = set()
    for route in host.routes:
        group = route.upstream
        peers = [peer for peer in group.peers if not peer.down] if group else []
        if sum(len(peer.endpoints) for peer in peers) < 2:
            continue
        instance = host.instance_of(route)
        for at, written, effect, changes in _obstacles(route, peers):
            if (route.instance, at, written) in told:
                continue
            told.add((route.instance, at, written))
            yield on_instance(
                RULE.id,
                instance,
                ADVICE,
                PROVEN,
                f"{written} is set for {group.name}, which has {len(peers)} servers: {effect}.",
                [Evidence(str(at), written), Evidence(str(group.at), f"upstream {group.name} with {', '.join(peer.written for peer in peers[:4])}")],
                by_changes("upstream_group", f"Remove {written} at {at}, or say why one failure is to reach the client.", changes),
                at=at,
            )


def _obstacles(route: routes.Route, peers: list[routes.Peer]) -> Iterator[tuple[Place, str, str, tuple[dict, ...]]]:
    given_up = "when one fails, the client gets the error although another may answer"
    policy, tries = route.value("next_upstream"), route.value("next_upstream_tries")
    if policy and policy.at and "off" in policy.args:
        yield policy.at, str(policy), given_up, _failover.goes_on(route, "next_upstream", len(peers))
    elif tries and tries.at and tries.args == ("1",):
        yield tries.at, str(tries), given_up, _failover.goes_on(route, "next_upstream_tries", len(peers))
    if all(peer.max_fails == 0 for peer in peers):
        yield peers[0].at, "max_fails=0", "a dead one is never left out, and each request may try it first", _failover.steadier(route.upstream)


RULE = Rule(
    id="no-failover-policy",
    title="nginx may not go on to the next server of a group",
    needs=("nginx",),
    check=check,
)
