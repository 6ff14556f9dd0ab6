# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request reaches a backend that cannot keep up, though nginx could answer some from a cache.

## What it is
A cache in nginx, even of a second, answers equal GET requests without the backend; *_cache_use_stale answers from it while the
backend fails, *_cache_lock sends one of many equal requests only.

## How it is recognised
backend-workers-exhausted or backend-overloaded is found on the route, and no cache is in force on it.

## Fix
*_cache_path in http; *_cache, *_cache_valid, *_cache_lock and *_cache_use_stale on routes whose answers are the same for all clients.
Answers that depend on a session must not be cached: which do, only you know. The role response_cache does it for a location that you name.

## When it stays silent
Nothing shows that the backend is short of room, a cache is in force, or the protocol has none (gRPC, stream, memcached).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import load
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise

_CACHING = ("proxy", "fastcgi", "uwsgi", "scgi")


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each backend without room that is asked every time."""
    for found in load.struggles(host):
        leg = found.leg
        cache = leg.route.value("cache")
        if leg.route.family not in _CACHING or cache and cache.args != ("off",):
            continue
        name = f"{leg.route.family}_cache"
        yield advise(
            RULE.id,
            leg,
            f"No {name} is in force before {leg.endpoint}, which does not keep up with its requests.",
            [Evidence(str(leg.route.at), f"{leg.route.directive} {leg.route.written}")],
            f"Cache answers that are the same for all clients: {name}_path, {name}, {name}_valid, {name}_lock and {name}_use_stale: role response_cache.",
        )


RULE = Rule(
    id="no-response-cache",
    title="No cache before a backend without room",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
