# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at a terminal is told of a verification, and of what was done on a host.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns, terminal, verification

_ROUTES = 10
_REASONS = 8
_LONG = 400
_ROUTE = 44
_STYLES = {verification.BETTER: terminal.GOOD, verification.SAME: terminal.PLAIN, verification.WORSE: terminal.BAD}
_OUTCOMES = {
    "remedied": (terminal.GOOD, "remedied"),
    "rolled_back": (terminal.BAD, "put back, because it did not help"),
    "rollback_failed": (terminal.BAD, "changed, did not help, and could not be put back"),
    "unchanged": (terminal.PLAIN, "nothing was changed"),
    "failed": (terminal.BAD, "failed before anything was verified"),
}
OUTCOMES = tuple(_OUTCOMES)


def verdict(document: dict) -> Iterator[terminal.Line]:
    """Return the lines of a verdict."""
    style = terminal.BAD if document["failed"] else _STYLES[document["verdict"]]
    gone = f"; gone: {', '.join(document['gone'])}" if document["gone"] else ""
    yield from terminal.block(style, "", f"{columns.clean(document['host'], _ROUTE)}: {document['verdict']}{gone}", "  ")
    yield from _reasons(document)
    yield from _routes(document)


def outcome(host: str, part: dict) -> Iterator[terminal.Line]:
    """Return the lines of what was done on a host."""
    style, words = _OUTCOMES[part["outcome"]]
    by = f" ({', '.join(columns.clean(name, _ROUTE) for name in part['remedies'])})" if part["remedies"] else ""
    yield from terminal.block(style, "", f"{columns.clean(host, _ROUTE)}: {words}{by}", "  ")
    if part["why"]:
        yield from terminal.labelled(terminal.PLAIN, "  ", "why", columns.clean(part["why"], _LONG))
    if part["verified"]:
        yield from _reasons(part["verified"])
        yield from _routes(part["verified"])
    if part["checkpoint"]:
        yield from terminal.labelled(terminal.QUIET, "  ", "undo", columns.clean(f"checkpoint {part['checkpoint']}", _LONG))


def _reasons(document: dict) -> Iterator[terminal.Line]:
    for sentence in document["why"][:_REASONS]:
        yield from terminal.labelled(terminal.WARNING, "  ", "but", columns.clean(sentence, _LONG))


def _routes(document: dict) -> Iterator[terminal.Line]:
    """Tell what a client gets where it gets something else than before, or something bad."""
    telling = [item for item in document["routes"] if item["affected"] and item["before"] != item["after"] or item["bad"]]
    for item in telling[:_ROUTES]:
        route = item["route"]
        label = columns.clean(" ".join(filter(None, (route["listen"], route["server"], route["location"]))), _ROUTE)
        line = f"{label}: {columns.clean(item['before'], _ROUTE)} -> {columns.clean(item['after'], _ROUTE)}"
        yield from terminal.labelled(terminal.BAD if item["bad"] else terminal.GOOD, "  ", "route", line)
    if len(telling) > _ROUTES:
        yield terminal.QUIET, f"  ... and {len(telling) - _ROUTES} more routes in report.json"
