# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing keeps a flood of requests from a backend that cannot keep up.

## What it is
Without limit_req or limit_conn one client, or one crawler, can keep every worker of a backend busy.

## How it is recognised
backend-workers-exhausted or backend-overloaded is found on the route, and neither limit is in force on it.

## Fix
limit_req_zone $binary_remote_addr in http, limit_req with a burst on the route. It trades a 502 for all against a 503
(or limit_req_status 429) for those who ask too much. It does not help where the load is that of many ordinary clients. The role
rate_limit does it, with numbers that only you know.

## When it stays silent
Nothing shows that the backend is short of room, or a limit is in force.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import load
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each backend without room to which every request may go."""
    for found in load.struggles(host):
        leg = found.leg
        if leg.route.family == "stream" or leg.route.values("limit_req") or leg.route.values("limit_conn"):
            continue
        yield advise(
            RULE.id,
            leg,
            f"No limit_req or limit_conn is in force before {leg.endpoint}, which does not keep up with its requests.",
            [Evidence(str(leg.route.at), f"{leg.route.directive} {leg.route.written}")],
            "Add a limit_req_zone on $binary_remote_addr and a limit_req with a burst to the route, and limit_req_status 429 (role rate_limit).",
        )


RULE = Rule(
    id="no-rate-limit",
    title="No rate limit before a backend without room",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
