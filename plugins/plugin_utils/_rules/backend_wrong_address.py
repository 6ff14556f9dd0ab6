# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is up on the right port, at an address that nginx does not use.

## What it is
The pass names one address of the host (or "localhost", which is both 127.0.0.1 and ::1 on most), and the
application listens on the same port of another: on ::1 alone, on the network address alone, or on the
loopback of a host that others try to reach. nginx gets "connection refused" (111) and answers 502.

## How it is recognised
No socket takes a connection to the address in the pass, and another program's socket has the same port.

## Fix
Write the address on which the backend listens, or let the backend listen where nginx connects. Risky: the
second widens who can reach it.

## When it stays silent
A wildcard listener covers the address (0.0.0.0; [::] unless it is limited to IPv6). Where "localhost" is
two addresses and one of them answers, nginx tries the other next: that is a risk, not a cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, on_leg, repoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend listens at another address."""
    for found in absence.absences(host, absence.WRONG_ADDRESS):
        leg = found.leg
        place = "" if found.seen_on is host else f" on {found.seen_on.name}"
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"Nothing listens on {leg.endpoint}; the backend listens on the same port at another address{place}: {found.elsewhere.label}.",
            show_absence(host, found),
            repoint(found, RISKY),
            f"ss -ltnp sport = :{leg.endpoint.port}",
            found.alternatives,
        )


RULE = Rule(
    id="backend-wrong-address",
    title="The backend listens at another address",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
