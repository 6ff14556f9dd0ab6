# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A "keepalive" in an upstream block that has no effect on a route.

## What it is
"keepalive" alone keeps no connection: until nginx 1.29.7 a route needs proxy_http_version 1.1 and an empty Connection header
too, and a FastCGI route fastcgi_keep_conn. A location with a proxy_set_header of its own loses those of the outer level.

## How it is recognised
The upstream block has a "keepalive", and the directives in force on the route end every connection after one request.

## Fix
proxy_http_version 1.1 and proxy_set_header Connection "" where the route's other headers stand; fastcgi_keep_conn on; or no
"keepalive". A child of PHP-FPM serves the connection that it has: keep fewer than there are. Mind that kept connections bring
keepalive-race: keepalive_timeout belongs below the backend's own time.

## When it stays silent
The block has no "keepalive" of its own, the connection is kept, or the header depends on a variable that is not known
(a map for WebSocket that leaves it empty otherwise is right).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _keeping
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import keepalive
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, advise

_FIXES = {
    "proxy": 'Add proxy_http_version 1.1; and proxy_set_header Connection ""; beside the other headers of the route.',
    "fastcgi": "Add fastcgi_keep_conn on; to the route.",
}


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each group whose "keepalive" a route undoes."""
    for leg in host.legs:
        kept = keepalive.keeping(leg.route)
        if not kept or not kept.sure or not kept.undone or not kept.written.at:
            continue
        changes = _keeping.of_route(leg.route)
        found = advise(
            RULE.id,
            leg,
            f"{kept.written} of upstream {leg.route.group} has no effect on {leg.route.directive}: {kept.undone}.",
            [Evidence(str(kept.written.at), str(kept.written)), Evidence(str(kept.at), kept.undone)],
            _FIXES.get(leg.route.family, "Take the keepalive away: it cannot have an effect."),
            at=kept.at,
        )
        fix = dataclasses.replace(found.fix, remedy="upstream_keepalive", safety=RISKY, changes=changes) if changes else found.fix
        yield dataclasses.replace(found, fix=fix)


RULE = Rule(
    id="keepalive-incomplete",
    title="keepalive without what it needs",
    needs=("nginx",),
    check=check,
)
