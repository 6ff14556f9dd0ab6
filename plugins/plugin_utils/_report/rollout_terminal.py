# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended that was to put hosts right, for a person at a terminal: each planned host, and the next command.

It tells what plan.json planned and report.json says came of it. Lines are as in terminal.py.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.gate import number
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.terminal import (
    BAD, GOOD, HEADING, PLAIN, QUIET, WARNING, Line, block, labelled, playbook,
)
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.verification_terminal import (
    BEGUN, FAILED, REMEDIED, ROLLBACK_FAILED, ROLLED_BACK, UNCHANGED, folder_of,
)

NOT_BEGUN = "not_begun"
# How each outcome is told, those that need somebody first.
_TOLD = {
    ROLLBACK_FAILED: (BAD, "ROLLBACK UNVERIFIED"),
    BEGUN: (BAD, "lost while it was changed: it undoes that by itself"),
    FAILED: (BAD, "not remedied, nothing was changed"),
    ROLLED_BACK: (BAD, "not remedied, rolled back and verified"),
    NOT_BEGUN: (WARNING, "not begun"),
    REMEDIED: (GOOD, "remedied and verified"),
    UNCHANGED: (QUIET, "nothing was left to do"),
}
_NAME = 40
_NAMES = 200
_LONG = 400
_HOSTS = 20


def outcomes(plan: dict, report: dict) -> dict[str, str]:
    """Return what came of each planned host, in the order of the plan."""
    planned = [name for batch in plan["batches"] for name in batch]
    return {name: _part(report, name).get("outcome", NOT_BEGUN) for name in planned}


def ended(came: Iterable[str]) -> bool:
    """Return whether a run with these outcomes goes no further: all hosts had their turn, or one of them was not put right."""
    came = set(came)
    return NOT_BEGUN not in came or bool(came & {BEGUN, FAILED, ROLLED_BACK, ROLLBACK_FAILED})


def render(plan: dict, report: dict, inventory: Sequence[str] = ()) -> list[Line]:
    """Return the lines; inventory is what the run was given as one, for the next command."""
    came = outcomes(plan, report)
    if not came:
        return []
    counts = [f"{sum(outcome == name for outcome in came.values())} {words}" for name, (_style, words) in _TOLD.items() if name in came.values()]
    lines = list(block(HEADING, "", f"{number(len(came), 'planned host')}: {', '.join(counts)}", "  "))
    for name, (style, words) in _TOLD.items():
        members = [host for host, outcome in came.items() if outcome == name]
        if name in (REMEDIED, UNCHANGED, NOT_BEGUN):
            if members:
                lines += block(style, "", f"{words}: {columns.listed([columns.clean(host, _NAME) for host in members], _NAMES)}", "  ")
            continue
        for host in members[:_HOSTS]:
            lines += _told(host, style, words, _part(report, host))
    lines += _next(came, inventory)
    return lines


def foreseen(plan: dict) -> list[Line]:
    """Return the lines after a run in check mode: nothing came of any host, and the next command is this one."""
    planned = sum(len(batch) for batch in plan["batches"])
    if not planned:
        return []
    return [
        *block(HEADING, "", f"{number(planned, 'planned host')}: nothing was changed, as this was check mode", "  "),
        (PLAIN, "next, do it: the same command without --check"),
    ]


def _part(report: dict, host: str) -> dict:
    return (report["hosts"].get(host) or {}).get("remediation") or {}


def _told(host: str, style: str, words: str, part: dict) -> Iterator[Line]:
    yield from block(style, "", f"{columns.clean(host, _NAME)}: {words}", "  ")
    if part.get("why"):
        yield from labelled(PLAIN, "  ", "why", columns.clean(part["why"], _LONG))
    for sentence in part.get("left") or ():
        yield from labelled(BAD, "  ", "left", columns.clean(sentence, _LONG))
    if part["outcome"] in (BEGUN, ROLLBACK_FAILED) and part.get("checkpoint"):
        yield from labelled(PLAIN, "  ", "saved", columns.clean(folder_of(part), _LONG))


def _next(came: dict[str, str], inventory: Sequence[str]) -> Iterator[Line]:
    """Name the next command: what undoes, what goes on, or what looks again later."""
    unsure = [host for host, outcome in came.items() if outcome in (ROLLBACK_FAILED, BEGUN)]
    left = [host for host, outcome in came.items() if outcome in (ROLLED_BACK, FAILED)]
    waiting = [host for host, outcome in came.items() if outcome == NOT_BEGUN]
    if unsure:
        yield from _command("undo what is left:", "rollback", inventory, unsure)
    elif left:
        yield from _command("look again:", "diagnose", inventory, left)
    elif waiting:
        yield from _command("go on:", "remediate", inventory, [])
    else:
        yield from _command("later, see that it stays so:", "verify", inventory, [])


def _command(why: str, name: str, inventory: Sequence[str], hosts: Sequence[str]) -> Iterator[Line]:
    yield PLAIN, f"next, {why}"
    yield from playbook(name, inventory, *(["-e", f"bad_gateway_hosts={','.join(hosts)}"] if hosts else []))
