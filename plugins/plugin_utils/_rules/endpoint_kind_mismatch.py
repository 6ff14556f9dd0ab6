# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx uses TCP and the backend a Unix socket, or the reverse.

## What it is
The pass names a port while the application listens on a Unix socket, or a socket while it listens on a
port. Common after a PHP-FPM or gunicorn upgrade brought a new default. nginx gets "connection refused"
(111) or "no such file" (2) and answers 502.

## How it is recognised
Nothing listens at the endpoint, and the pool or program that should be there listens at an endpoint of the
other kind.

## Fix
Point the pass at the endpoint that the backend has. Risky: it chooses a side.

## When it stays silent
Something listens at the endpoint, or the backend has one of each kind and the right one is up.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, on_leg, repoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence

_KINDS = {"tcp": "a TCP port", "unix": "a Unix socket"}


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend has one of the other kind."""
    for found in absence.absences(host, absence.KIND_MISMATCH):
        leg, real = found.leg, found.elsewhere.endpoint
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"nginx connects to {_KINDS[leg.endpoint.kind]}, {leg.endpoint}, where nothing listens; "
            f"the backend listens on {_KINDS[real.kind]}: {found.elsewhere.label}.",
            show_absence(host, found),
            repoint(found, RISKY),
            "ss -lxp" if real.kind == "unix" else "ss -ltnp",
            found.alternatives,
        )


RULE = Rule(
    id="endpoint-kind-mismatch",
    title="nginx and the backend use different kinds of endpoint",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
