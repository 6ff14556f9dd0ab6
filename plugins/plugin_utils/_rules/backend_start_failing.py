# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is meant to run, and does not manage to start.

## What it is
Nothing listens at the endpoint because the backend's manager tries to start it and it dies: a systemd unit that is failed or waits for its next
start, a supervisor program in FATAL or BACKOFF, a PM2 app that is errored, a container that its engine starts again and again, or that ended with an
error at once. nginx gets "connection refused" (111), or "no such file" (2), and answers 502.

## How it is recognised
No socket listens at the endpoint, and the owner whose own configuration names it is in such a state.
One that is started again and again may listen for a moment each time, as gunicorn does before its workers fail to boot: its socket was there and its
port refused, or the other way round, or the connection was cut off. That makes it likely; with each of its ends a request may be lost.
Of the owner's last words those are shown that say why.

## Fix
None that is automatic: starting it again fails again. Its last words say what to mend.

## When it stays silent
The owner runs, was stopped by somebody (backend-not-running), died after it had served for a while, or dies of the requests that it
gets (backend-crashed).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._last_words import last_words
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence, show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend fails to start."""
    for found in absence.absences(host, absence.START_FAILING):
        leg, owner = found.leg, found.owner
        evidence = show_absence(host, found) + last_words(owner.name, owner.lines)
        there = f"{leg.endpoint} is open for a moment at a time" if found.brief else f"Nothing listens on {found.place}"
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"{there}: {owner.label} fails to start, it is {owner.says}.{absence.GONE if found.of_engine else ''}",
            evidence,
            by_hand(f"Mend what its last words name, then start it: {owner.start}"),
            owner.look,
            found.alternatives,
        )
    for found in contained.verdicts(host, contained.START_FAILING):
        owner = found.home.owner_named(found.target)
        yield on_leg(
            host,
            RULE.id,
            found.leg,
            found.certainty,
            f"{found.leg.endpoint} is {owner.label}, which fails to start: it is {owner.says}.",
            show_verdict(found) + last_words(owner.name, owner.lines),
            by_hand(f"Mend what its last words name ({owner.look}), then start it: {owner.start}"),
            owner.look,
            found.alternatives,
        )


RULE = Rule(
    id="backend-start-failing",
    title="The backend is meant to run and fails to start",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
