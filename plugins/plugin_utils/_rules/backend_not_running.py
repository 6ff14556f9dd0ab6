# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is stopped.

## What it is
Nothing listens at the endpoint, because the process behind it does not run: its systemd unit, PHP-FPM
pool, supervisor program or PM2 app is stopped. A Unix socket file that a killed process left behind
counts too. nginx gets "connection refused" (111), or "no such file" (2) for a socket, and answers 502.

## How it is recognised
No socket listens at the endpoint in nginx's network namespace, and an owner whose own configuration
names this endpoint is stopped. Without such an owner, or beside another program on the same port, the cause
is only likely.

## Fix
Start the owner, and enable it so that it comes back after a boot. Safe: it restores what the
configuration intends.

## When it stays silent
Something listens there, a wildcard listener covers the port, the peer is marked "down", or the owner
is failing rather than stopped (backend-start-failing). Where the very endpoint is open and nginx does not
get there (a socket file that was removed), the failure is told as unexplained.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import RUNNING
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import SAFE, Rule, by_hand, on_leg, start
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend is stopped."""
    for found in absence.absences(host, absence.NOT_RUNNING):
        leg, owner = found.leg, found.owner
        if owner and owner.state == RUNNING:
            says = f"Nothing listens on {leg.endpoint}, although {owner.label} runs and is to listen there: it is {owner.says}."
            fix = by_hand("Look at its log; it may have to be reloaded or restarted.")
            command = owner.look
        elif owner:
            says = f"Nothing listens on {leg.endpoint}: {owner.label} is {owner.says}."
            fix, command = start(host, found, SAFE)
        else:
            says = f"{leg.endpoint} {'refuses' if leg.probe else 'refused'} connections, and its host was not looked at."
            if found.seen_on:
                where = "here" if leg.local else f"on {leg.endpoint.address}"
                says = f"Nothing listens on {leg.endpoint}, and no unit, pool or program that is known {where} says that it should."
            fix = by_hand("Find the program that should serve this endpoint and start it.")
            command = "systemctl list-units --all --state=failed,inactive --type=service"
        yield on_leg(host, RULE.id, leg, found.certainty, says, show_absence(host, found), fix, command, found.alternatives)


RULE = Rule(
    id="backend-not-running",
    title="The backend is stopped",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
