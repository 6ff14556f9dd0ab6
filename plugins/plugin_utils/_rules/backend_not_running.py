# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is stopped.

## What it is
Nothing listens at the endpoint, because the process behind it does not run: its systemd unit, PHP-FPM
pool, supervisor program, PM2 app or container is stopped. A Unix socket file that a killed process left behind
counts too. nginx gets "connection refused" (111), or "no such file" (2) for a socket, and answers 502. The name of a container that is
stopped is not found any more. For one that is paused the kernel still takes connections, and nobody answers: a 504.

## How it is recognised
No socket listens at the endpoint in nginx's network namespace, and an owner whose own configuration
names this endpoint is stopped. Without such an owner, or beside another program on the same port, the cause
is only likely. A container is known by the ports that it publishes, by a name that resolves no more, or by an address; its engine tells its state. One
that runs and in which nothing listens: likely.

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
from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, contained, proxies
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import RUNNING
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ERROR, SAFE, TIMEOUT, Rule, by_hand, on_leg, start, start_owner
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_absence, show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend is stopped."""
    for found in absence.absences(host, absence.NOT_RUNNING):
        leg, owner = found.leg, found.owner
        if owner and owner.state == RUNNING:
            says = f"Nothing listens on {found.place}, although {owner.label} runs and is to listen there: it is {owner.says}."
            fix = by_hand("Look at its log; it may have to be reloaded or restarted.")
            command = owner.look
        elif owner:
            says = f"Nothing listens on {found.place}: {owner.label} is {owner.says}.{absence.GONE if found.of_engine else ''}"
            fix, command = start(host, found, SAFE)
        else:
            says = f"{leg.endpoint} {'refuses' if leg.probe else 'refused'} connections, and its host was not looked at."
            if found.seen_on:
                where = "here" if leg.local else f"on {leg.endpoint.address}"
                says = f"Nothing listens on {found.place}, and no unit, pool or program that is known {where} says that it should."
            fix = by_hand("Find the program that should serve this endpoint and start it.")
            command = "systemctl list-units --all --state=failed,inactive --type=service"
        yield on_leg(host, RULE.id, leg, found.certainty, says, show_absence(host, found), fix, command, found.alternatives)
    for found in contained.verdicts(host, contained.NOT_RUNNING):
        yield _container(host, found)


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that ended since one whose name it needs is down."""
    for found in proxies.down(host, RULE.id):
        own, target = found.container, found.target
        says = f"nginx in {own.label} did not start, because it did not find {found.name}: {target.label}, which has that name, is {target.says(host.now)}."
        fix = _docking.started(host, (target, own))
        yield _docking.of_proxy(RULE.id, found, says, fix, f"{_docking.program(target)} logs --tail 20 {_docking.quoted(target)}", host)


def _container(host: Host, found: contained.Verdict) -> Finding:
    leg, target = found.leg, found.target
    owner = found.home.owner_named(target)
    says = f"{leg.endpoint} is {target.label}, which is {owner.says}"
    if found.how == contained.GONE:
        says = f"No container has the address {leg.endpoint.address}; {target.label}, on its network, would have port {leg.endpoint.port} and is {owner.says}"
    if found.how == contained.SILENT:
        says = f"Nothing listens in {target.label}, to which {leg.endpoint} leads: it is {owner.says}"
        fix = by_hand(f"Look at what it says ({owner.look}); it may need more time, a setting, or a restart.")
        command = owner.look
    elif found.home is host:
        fix, command = start_owner(host, owner, leg, SAFE)
        fix = replace(fix, summary=f"Let it go on: {owner.start}.") if found.how == contained.PAUSED else fix
    else:
        fix, command = by_hand(f"Start it on {found.home.name}: {owner.start}."), owner.start
    shown = show_verdict(found) + [Evidence(f"health check of {target.name}", quote(line)) for line in target.health_log[-2:] if target.health == "unhealthy"]
    failure = TIMEOUT if found.how == contained.PAUSED else ERROR
    return on_leg(host, RULE.id, leg, found.certainty, f"{says}.", shown, fix, command, found.alternatives, failure=failure)


RULE = Rule(
    id="backend-not-running",
    title="The backend is stopped",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
    down=down,
)
