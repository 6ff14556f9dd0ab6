# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a person at a terminal, before anything is done.

First the hosts that are changed: what, why, where, how it is verified and undone. Then what is left to a person, and what is held back.
Lines are as in terminal.py.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Held, Manual, Plan, Step
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.remedies import REMEDIES
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.gate import number
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.terminal import (
    BAD, GOOD, HEADING, PLAIN, QUIET, WARNING, Line, block, command, labelled,
)

_HOSTS = 50
_STEPS = 23
_CAUSES = 5
_LEFT = 10
_BATCHES = 8
_NAME = 40
_NAMES = 200
_PARAGRAPH = 400
_PATCH = 60
_VERIFIED = "by new evidence that is judged as this was, and by requests through nginx to each route above"


def render(plans: Sequence[Plan], batches: Sequence[Sequence[str]], file: str = "") -> list[Line]:
    """Return the lines of the plan; batches are the hosts that are changed together, in order."""
    changed = [plan for plan in plans if plan.steps]
    left = [plan for plan in plans if not plan.steps and (plan.manual or plan.held)]
    lines = list(block(HEADING, "", f"Plan for {number(len(plans), 'host')}: {_headline(plans, changed, left)}", "  "))
    for plan in (changed + left)[:_HOSTS]:
        lines.append((PLAIN, ""))
        lines += _host(plan)
    lines += _more("", len(changed) + len(left) - _HOSTS, "host")
    unknown = [plan for plan in plans if not plan.steps and plan.status in ("unreachable", "failed")]
    if unknown:
        lines.append((PLAIN, ""))
        lines += block(BAD, "not diagnosed: ", columns.listed([_name(plan.host) for plan in unknown], _NAMES), "  ")
    if batches:
        lines.append((PLAIN, ""))
        lines += _order(batches)
    lines.append((PLAIN, ""))
    if file:
        lines += block(PLAIN, "plan: ", columns.clean(file, _PARAGRAPH), "")
    return lines


def _headline(plans: Sequence[Plan], changed: Sequence[Plan], left: Sequence[Plan]) -> str:
    parts = [f"{len(changed)} to be changed"] if changed else ["nothing to be done"]
    if left:
        parts.append(f"{len(left)} only for a person, or held back")
    rest = len(plans) - len(changed) - len(left)
    if changed and rest:
        parts.append(f"{rest} without anything to do")
    return ", ".join(parts)


def _host(plan: Plan) -> Iterator[Line]:
    words = number(len(plan.steps), "step") if plan.steps else "nothing is changed"
    yield from block(HEADING if plan.steps else WARNING, "", f"{_name(plan.host)}: {words}", "  ")
    for place, step in enumerate(plan.steps[:_STEPS], 1):
        yield from _step(place, step)
    if plan.steps:
        yield from labelled(QUIET, "  ", "verify", _VERIFIED)
    for item in plan.manual[:_LEFT]:
        yield from _manual(item)
    yield from _more("  ", len(plan.manual) - _LEFT, "thing for a person", "things for a person")
    for held in plan.held[:_LEFT]:
        yield from _held(held)
    yield from _more("  ", len(plan.held) - _LEFT, "thing held back", "things held back")


def _step(place: int, step: Step) -> Iterator[Line]:
    remedy = REMEDIES[step.remedy]
    yield from block(GOOD if step.safety == "safe" else WARNING, f"  {place}. ", f"{step.remedy} ({step.safety}): {remedy.does}", "     ")
    for finding in step.findings[:_CAUSES]:
        yield from labelled(PLAIN, "     ", "for", f"{finding.id}: {columns.clean(finding.says, _PARAGRAPH)}")
        yield from _where(finding)
        yield from labelled(PLAIN, "     ", "do", columns.clean(finding.fix.summary, _PARAGRAPH))
    yield from _more("     ", len(step.findings) - _CAUSES, "finding like this", "findings like this")
    yield from _patch("     ", step.diff)
    for note in step.notes:
        yield from labelled(WARNING, "     ", "note", columns.clean(note, _PARAGRAPH))
    yield from labelled(QUIET, "     ", "undo", remedy.undone)


def _where(finding: Finding) -> Iterator[Line]:
    routes = [route for route in (finding.route, *finding.also) if route]
    for route in routes[:_CAUSES]:
        way = " ".join(filter(None, (columns.clean(route[part], _NAME) for part in ("listen", "server", "location"))))
        yield from labelled(PLAIN, "     ", "route", f"{way} -> {columns.clean(route['endpoint'], _NAME)}")
    yield from _more("     ", len(routes) - _CAUSES, "route like this", "routes like this")
    if finding.at:
        yield from labelled(PLAIN, "     ", "at", columns.clean(str(finding.at), 66))
        if finding.where:
            yield from labelled(PLAIN, "     ", "", columns.clean(finding.where, 400))


def _manual(item: Manual) -> Iterator[Line]:
    finding = item.finding
    yield from block(WARNING, "  by hand: ", f"{finding.id} ({finding.certainty}): {columns.clean(finding.says, _PARAGRAPH)}", "      ")
    if item.why:
        yield from labelled(PLAIN, "     ", "why", columns.clean(item.why, _PARAGRAPH))
    if finding.fix:
        yield from labelled(PLAIN, "     ", "do", columns.clean(finding.fix.summary, _PARAGRAPH))
    yield from _patch("     ", item.patch)
    if finding.next.strip():
        yield from command("     ", finding.next)


def _held(item: Held) -> Iterator[Line]:
    finding = item.finding
    yield from block(QUIET, "  held back: ", f"{finding.id}: {columns.clean(item.why, _PARAGRAPH)}", "      ")
    yield from labelled(QUIET, "     ", "is", columns.clean(finding.says, _PARAGRAPH))
    if finding.fix:
        yield from labelled(QUIET, "     ", "would", columns.clean(finding.fix.summary, _PARAGRAPH))
    if item.setting:
        yield from labelled(QUIET, "     ", "allow", columns.clean(item.setting, _PARAGRAPH))


def _patch(indent: str, patch: str) -> Iterator[Line]:
    """Show a patch line by line, unbroken: it is there to be taken over."""
    lines = columns.lines(patch)
    for line in lines[:_PATCH]:
        yield PLAIN, f"{indent}  {line}"
    yield from _more(f"{indent}  ", len(lines) - _PATCH, "line")


def _order(batches: Sequence[Sequence[str]]) -> Iterator[Line]:
    for place, batch in enumerate(batches[:_BATCHES], 1):
        label = "canary: " if place == 1 and len(batch) == 1 and len(batches) > 1 else f"batch {place}: "
        yield from block(PLAIN, label, columns.listed([_name(host) for host in batch], _NAMES), "  ")
    yield from _more("", len(batches) - _BATCHES, "batch", "batches")


def _name(host: str) -> str:
    return columns.clean(host, _NAME)


def _more(indent: str, count: int, noun: str, nouns: str = "") -> Iterator[Line]:
    if count > 0:
        yield QUIET, f"{indent}... and {count} more {noun if count == 1 else nouns or noun + 's'} in plan.json"
