# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the last lines of a program say why it ended: an error's own line stands well above the end of what a program prints as it dies.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote

_MOST = 5
# So many of them for what they say, the others for being the last.
_CHOSEN = 3
# What names the error itself: an exception's line, the words of errno and of loaders.
_NAMES_IT = re.compile(
    r"^\W*(?:uncaught |caused by: |exception in thread \S+ )?(?:[\w$]+[.:]+)*\w*(?:error|exception|notfound|panic)\w*\b *(?:\[\w+\] *)?[:(]"
    r"|\bE(?:ACCES|ADDR\w+|CONN\w+|MFILE|NOENT|NOMEM|NOSPC|NOTFOUND|PERM)\b|\bpanicked at\b|\bno module named\b|\bnot found\b|\bin use\b"
    r"|\b(?:unable to|could ?n[o']t|cannot|can't) \w+|no such file|permission denied|access denied|connection refused|out of memory|(?:syntax|parse) error",
    re.IGNORECASE,
)
_IS_ONE = re.compile(r"error|exception|fatal|fail|emerg|crit|panic|denied|refused|invalid|unknown|unrecognized|missing|undefined|traceback", re.IGNORECASE)
# Where an error came from, and what systemd says whatever was wrong.
_BESIDE = re.compile(
    r"^\s*(?:at |File \"|#\d+ )|^(?:failed to start|starting|started|stopping|stopped) "
    r"|main process exited|failed with result|scheduled restart job|start request repeated too quickly",
    re.IGNORECASE,
)


def last_words(name: str, lines: Iterable[str]) -> list[Evidence]:
    """Show up to five of the last lines of what has a name, in their order: those that tell of an error, and the very last.

    Each attempt of what is started again and again says the same, but for numbers: it is shown once.
    """
    kept = list(lines)
    last = {re.sub(r"\d+", "0", line): number for number, line in enumerate(kept)}
    numbers = sorted(last.values())
    chosen = sorted((number for number in numbers if _weight(kept[number])), key=lambda number: (_weight(kept[number]), number))[-_CHOSEN:]
    others = sorted((number for number in numbers if number not in chosen), key=lambda number: (not _BESIDE.search(kept[number]), number))
    return [Evidence(f"last words of {name}", quote(kept[number])) for number in sorted(chosen + others[-(_MOST - len(chosen)) :])]


def _weight(line: str) -> int:
    """Return how much a line tells of an error: 2 when it names it, 1 when it is of one, else 0."""
    if _BESIDE.search(line):
        return 0
    return 2 if _NAMES_IT.search(line) else 1 if _IS_ONE.search(line) else 0
