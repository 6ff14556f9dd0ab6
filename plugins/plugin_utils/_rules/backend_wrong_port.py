# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is up, on another port than nginx uses.

## What it is
Nothing listens on the port in the pass, while the application listens on another one: the port was
changed on one side only. nginx gets "connection refused" (111) and answers 502.

## How it is recognised
No socket listens on the port, and the program that should be there listens elsewhere: its manager says
so, or it is the only program that no route uses, it has the name of the site, and it speaks what the pass
speaks. With several such programs, or with one of another name, the cause is only possible.

## Fix
Point the pass at the port on which the backend listens, or the backend at the port in the pass. Risky:
which of the two sides is right, only their owner knows.

## When it stays silent
Something listens on the port; no other program fits; a stopped program claims the port
(backend-not-running).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, on_leg, repoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend listens on another port."""
    for found in absence.absences(host, absence.WRONG_PORT):
        leg = found.leg
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"Nothing listens on {found.place}; the backend listens on {found.elsewhere.label}.",
            show_absence(host, found),
            repoint(found, RISKY),
            f"grep -n {leg.endpoint.port} {leg.peer.at.quoted_file}",
            found.alternatives,
        )


RULE = Rule(
    id="backend-wrong-port",
    title="The backend listens on another port",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
