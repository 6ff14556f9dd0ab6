# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: whether what was found makes the run fail.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _finding as finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import fleet

NEVER = "never"


def decision(results: Iterable[finding.HostResult], fail_on: str) -> tuple[bool, str]:
    """Return whether the run fails, and the sentence that says why or why not; "" when there is no gate.

    "never" never fails. "cause" fails for a cause and for a host that could not be diagnosed, because
    nothing is known of it; "risk" fails for a risk too. A gate with no host to judge fails: nothing was
    shown. Raises ValueError for anything else.
    """
    if fail_on == NEVER:
        return False, ""
    if fail_on not in (finding.CAUSE, finding.RISK):
        raise ValueError(f"fail_on is {fail_on!r}; it must be never, cause or risk")
    counts = fleet.summary(results)
    reasons = _reasons(counts, fail_on)
    if reasons:
        return True, f"bad_gateway_fail_on={fail_on}: failed because {' and '.join(reasons)}."
    return False, f"bad_gateway_fail_on={fail_on}: passed{_reservation(counts)}."


def _reasons(counts: dict[str, int], fail_on: str) -> list[str]:
    if not counts["hosts"]:
        return ["there was no host to judge"]
    reasons = []
    if counts["causes"]:
        reasons.append(f"{number(counts['causes'], 'cause')} {_was(counts['causes'])} found on {number(counts['with_cause'], 'host')}")
    if fail_on == finding.RISK and counts["risks"]:
        reasons.append(f"{number(counts['risks'], 'risk')} {_was(counts['risks'])} found")
    if counts["undiagnosed"]:
        reasons.append(f"{number(counts['undiagnosed'], 'host')} could not be diagnosed")
    return reasons


def _reservation(counts: dict[str, int]) -> str:
    """Return what a reader must know before trusting a gate that passed."""
    held = []
    if counts["unexplained"]:
        held.append(f"{number(counts['unexplained'], 'host')} failing without a known cause")
    if counts["partial"]:
        held.append(f"{number(counts['partial'], 'host')} only partly diagnosed")
    return f", with {' and '.join(held)}" if held else ""


def number(count: int, noun: str) -> str:
    """Return "1 host" or "2 hosts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
