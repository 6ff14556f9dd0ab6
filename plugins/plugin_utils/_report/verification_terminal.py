# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at a terminal is told of a verification, and of what was done on a host.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns, terminal, verification

_ROUTES = 10
_REASONS = 8
_LONG = 400
_ROUTE = 44
_STYLES = {verification.BETTER: terminal.GOOD, verification.SAME: terminal.PLAIN, verification.WORSE: terminal.BAD}
# What a run ended with when nothing more was said: the host was lost, or the controller.
BEGUN = "begun"
REMEDIED, ROLLED_BACK, ROLLBACK_FAILED, UNCHANGED, FAILED = "remedied", "rolled_back", "rollback_failed", "unchanged", "failed"
_OUTCOMES = {
    BEGUN: (terminal.QUIET, "begun"),
    REMEDIED: (terminal.GOOD, "remedied and verified"),
    ROLLED_BACK: (terminal.BAD, "not remedied; rolled back and verified"),
    ROLLBACK_FAILED: (terminal.BAD, "not remedied; ROLLBACK UNVERIFIED"),
    UNCHANGED: (terminal.PLAIN, "nothing was changed"),
    FAILED: (terminal.BAD, "not remedied; nothing was changed"),
}
OUTCOMES = tuple(_OUTCOMES)


def verdict(document: dict, undone: bool = False) -> Iterator[terminal.Line]:
    """Return the lines of a verdict; undone: it is of a host that was put back, by its requests alone."""
    style = terminal.BAD if document["failed"] else _STYLES[document["verdict"]]
    so = "" if document["failed"] else "; clients get what they got before" if undone else "; no cause stands"
    told = f"; gone: {', '.join(document['gone'])}" if document["gone"] else so
    yield from terminal.block(style, "", f"{columns.clean(document['host'], _ROUTE)}: {document['verdict']}{told}", "  ")
    yield from _reasons(document)
    yield from _routes(document)


def outcome(host: str, part: dict) -> Iterator[terminal.Line]:
    """Return the lines of what was done on a host."""
    style, words = _OUTCOMES[part["outcome"]]
    by = f" ({', '.join(columns.clean(name, _ROUTE) for name in part['remedies'])})" if part["remedies"] else ""
    yield from terminal.block(style, "", f"{columns.clean(host, _ROUTE)}: {words}{by}", "  ")
    if part["outcome"] == BEGUN:
        return
    if part["why"]:
        yield from terminal.labelled(terminal.PLAIN, "  ", "why", columns.clean(part["why"], _LONG))
    for sentence in part["left"][:_REASONS]:
        yield from terminal.labelled(terminal.BAD, "  ", "left", columns.clean(sentence, _LONG))
    if part["verified"]:
        yield from _reasons(part["verified"], part["why"])
        # What was undone since is no more what a client gets.
        yield from _routes(part["verified"], "tried" if part["outcome"] in (ROLLED_BACK, ROLLBACK_FAILED) else "route")
    if part["checkpoint"]:
        yield from terminal.labelled(terminal.QUIET, "  ", "saved", columns.clean(folder_of(part), _LONG))


def sentence_of(part: dict) -> str:
    """Return in one sentence what became of a host that was not put right."""
    words = _OUTCOMES[part["outcome"]][1]
    left = f"; left: {'; '.join(part['left'])}; what was saved is in {folder_of(part)}" if part["outcome"] == ROLLBACK_FAILED else ""
    return f"{words}, because: {part['why']}{left}"


def folder_of(part: dict) -> str:
    """Return where on the host the saved files of a checkpoint are."""
    return f"{_checkpoint.ROOT}/{part['checkpoint']}"


def _reasons(document: dict, told: str = "") -> Iterator[terminal.Line]:
    """Tell what speaks against it, but for what was told already."""
    for sentence in [item for item in document["why"] if item not in told][:_REASONS]:
        yield from terminal.labelled(terminal.WARNING, "  ", "but", columns.clean(sentence, _LONG))


def _routes(document: dict, name: str = "route") -> Iterator[terminal.Line]:
    """Tell what a client gets where it gets something else than before, or something bad."""
    telling = [item for item in document["routes"] if item["affected"] and item["before"] != item["after"] or item["bad"]]
    for item in telling[:_ROUTES]:
        route = item["route"]
        label = columns.clean(" ".join(filter(None, (route["listen"], route["server"], route["location"]))), _ROUTE)
        line = f"{label}: {columns.clean(item['before'], _ROUTE)} -> {columns.clean(item['after'], _ROUTE)}"
        yield from terminal.labelled(terminal.BAD if item["bad"] else terminal.GOOD, "  ", name, line)
    if len(telling) > _ROUTES:
        yield terminal.QUIET, f"  ... and {len(telling) - _ROUTES} more routes in report.json"
