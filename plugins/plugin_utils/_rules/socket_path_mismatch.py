# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's Unix socket has another path than nginx uses.

## What it is
The socket that the pass names does not exist, and the backend listens on a socket elsewhere: PHP was
upgraded from 8.1 to 8.2, a pool was renamed, a unit got a RuntimeDirectory. nginx gets "no such file or
directory" (2), logged at [crit], and answers 502. Where something is written behind the socket, as the slash in
http://unix:/run/app.sock/, without the colon that ends the path, it gets "not a directory" (20).

## How it is recognised
The path is missing in nginx's own mount namespace, and a pool or program that fits the pass listens on
another path. Or the path goes on behind a socket that is there and has a listener.

## Fix
Point the pass at the socket that is there. Safe when there is exactly one that fits, else risky. What is written behind the socket,
a person has to put behind a colon, where it is more than a slash: as the path to ask the backend for.

## When it stays silent
The path exists; the pool that owns the path is stopped (backend-not-running); the same path is there in
the backend's private /tmp (socket-private-tmp).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import PROVEN, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, SAFE, Rule, by_hand, on_leg, repoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_absence


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each missing socket whose backend listens on another one."""
    for found in absence.absences(host, absence.PATH_MISMATCH):
        leg = found.leg
        if found.behind:
            yield _behind(host, found)
            continue
        safety = SAFE if found.certainty == PROVEN and not found.others else RISKY
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"nginx connects to {leg.endpoint}, where nothing listens; the backend listens on {found.elsewhere.label}.",
            show_absence(host, found),
            repoint(found, safety),
            f"grep -nF -- {leg.endpoint.quoted_path} {leg.peer.at.quoted_file}",
            found.alternatives,
        )


def _behind(host: Host, found: absence.Absence) -> Finding:
    leg, behind = found.leg, quote(found.behind, 200)
    says = f"nginx takes all of {leg.endpoint} for the path of a socket, and no path leads through one: {found.elsewhere.label} is a socket."
    fix = repoint(found, RISKY)
    if leg.route.family == "proxy" and not leg.route.group:
        colon = f"To ask the backend for {behind} in place of the location, write a colon: {found.elsewhere.endpoint}:{behind}"
        fix = by_hand(colon) if found.behind != "/" else replace(fix, summary=f"{fix.summary} {colon}")
    look = f"grep -nF -- {leg.endpoint.quoted_path} {leg.peer.at.quoted_file}"
    return on_leg(host, RULE.id, leg, found.certainty, says, show_absence(host, found), fix, look)


RULE = Rule(
    id="socket-path-mismatch",
    title="The backend's socket has another path",
    needs=("nginx", "listeners", "paths", "php_fpm", "backends.units"),
    check=check,
)
