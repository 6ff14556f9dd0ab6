# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pass leads back to nginx itself.

## What it is
The target of the pass is an address on which nginx listens, and the server and the location that take the request there
pass it on to the same place. Each request opens connection after connection until the worker has none left (502 or 500), the
headers that grow on the way are too large (400), or a timeout ends it (504). One request is enough to do so.

## How it is recognised
The socket at the endpoint is held by nginx, and the request is followed through the configuration as nginx would
take it: listen address, server by the name that is sent, location by the path that is sent, pass, and so on, on this host and
on the others of the run. It comes back to where it was, or has not left after twelve passes: proven. Where a
file on disk would be answered instead ("try_files"), it is likely. No probe is sent into a loop. Where a request names the target
("proxy_pass http://$http_host"), and the log says that nginx had no connection left on its way to an address on which it listens itself
and to which no other pass leads, it is likely too.

## Fix
Point the pass at the application, or send a name for which another server is meant. Only a person knows which. A pass to what a request
names should know the names that it may go to, by a map.

## When it stays silent
Another server or location takes the request and answers it: a pass to another port, name or path of the same nginx is common.
So it does where the way is not known for sure: a rewrite, an "if", an access rule, a variable of which the log shows nothing; and where one of
the peers is a backend.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import limits, loops
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, Rule, by_hand, of_route, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_group, show_log, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route that leads back to itself."""
    for leg in host.legs:
        found = loops.of(host, leg)
        if not found or not found.sure and leg.answers and (leg.probe.asked.get("code") or 0) < 400:
            continue
        way = " -> ".join(found.passes[:4]) + (" -> ..." if len(found.passes) > 4 else "")
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if found.sure else LIKELY,
            f"A request to {leg.route.location_label} of {leg.route.server or leg.route.listens[0]} never leaves nginx: {leg.endpoint} is its own address.",
            [
                show_config(leg),
                *(Evidence("listening sockets", taken) for taken in found.taken[:3]),
                Evidence("way of a request", way),
                *show_probe(leg),
                *show_log(leg, "connections-exhausted", "connections-low", "closed-early", "read-timeout", "descriptors-exhausted"),
            ],
            by_hand(f"Point {leg.peer.at} at the application instead of nginx itself."),
            f"grep -nE 'listen|server_name|_pass' {leg.route.at.quoted_file}",
            alternatives=() if found.sure else ("upstream-timeout",),
            failure=ANSWER,
        )
    yield from _named(host)


def _named(host: Host) -> Iterator[Finding]:
    """Yield a finding for each pass whose target a request names, and by which one came back."""
    seen = set()
    for instance in host.instances if host.answer("error_log")["status"] == "ok" else ():
        for found in loops.named(host, instance, limits.without_connection(host, instance)) if instance.running else ():
            route = found.route
            if (route.key, found.endpoint) in seen:
                continue
            seen.add((route.key, found.endpoint))
            yield of_route(
                RULE.id,
                route,
                CAUSE,
                LIKELY,
                f"{route.directive} {route.written} goes where a request says, and requests said {found.endpoint}, on which nginx itself listens.",
                [Evidence(str(route.at), f"{route.directive} {route.written}"), Evidence("listening sockets", found.taken), show_group(found.group)],
                by_hand(f"Let {route.at} pass to names that are meant alone, by a map, and refuse others; nobody else should be able to use it as a proxy."),
                f"grep -nE 'listen|server_name|_pass' {route.at.quoted_file}",
                alternatives=("worker-connections-exhausted",),
                endpoint=str(found.endpoint),
            )


RULE = Rule(
    id="proxy-loop",
    title="The pass leads back to nginx itself",
    needs=("nginx", "listeners"),
    check=check,
)
