# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the columns of a terminal.

A column is counted on the safe side, so that no line is ever longer than it says, whatever the text
and the terminal: a character from U+1100 on takes two (none below it is wide, Unicode UAX 11), and a
combining one takes as many as a base would (a flood of them would make a short line endless).

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

_WIDE_FROM = "\u1100"
_CUT = "..."
_LONGEST_COMMAND = 1000

# A shell word as written: plain characters, escapes and quoted strings without a gap.
_SHELL_WORD = re.compile(r"(?:[^ '\"\\]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")+")


def width(shown: str) -> int:
    """Return how many columns a text takes at most."""
    if shown.isascii():
        return len(shown)
    return sum(_width(char) for char in shown)


def clean(said: str, limit: int) -> str:
    """Return a host's text on one line, harmless, with single spaces, cut in its middle to limit columns."""
    if len(said) > 4 * limit:
        said = f"{said[: 2 * limit]}{_CUT}{said[-2 * limit :]}"
    return shorten(" ".join(text.harmless(said).split()), limit)


def lines(patch: str) -> list[str]:
    """Return the lines of a patch, each harmless and unbroken, as it is there to be taken over."""
    found = patch.rstrip("\n").split("\n") if patch else []
    return ["\t".join(map(text.harmless, line.removesuffix("\r").split("\t"))) for line in found]


def shorten(shown: str, room: int) -> str:
    """Return a text in room columns; what does not fit is taken out of its middle.

    The end of a path, an endpoint or a place says most, so the end keeps two thirds.
    """
    if width(shown) <= room:
        return shown
    if room <= len(_CUT):
        return _CUT[:room]
    left = (room - len(_CUT)) // 3
    head = _fit(shown, left)
    tail = _fit(shown[::-1], room - len(_CUT) - left)[::-1]
    return head + _CUT + tail


def wrap(shown: str, room: int) -> list[str]:
    """Return a text in lines of room columns, broken at spaces; a word that is longer is broken anywhere."""
    lines = [""]
    for word in shown.split(" "):
        while word:
            space = " " if lines[-1] else ""
            if width(lines[-1] + space + word) <= room:
                lines[-1] += space + word
                break
            if lines[-1]:
                lines.append("")
                continue
            lines[-1] = _fit(word, max(room, 2))
            word = word[len(lines[-1]) :]
            lines.append("")
    return [line for line in lines if line]


def wrap_command(command: str, room: int) -> list[str]:
    """Return a shell command in lines that can be pasted, or [] when it cannot be broken into such.

    A line that goes on ends in a backslash, between two words and never within a quoted one.
    """
    if len(command) > _LONGEST_COMMAND or text.harmless(command) != command:
        return []
    if _SHELL_WORD.sub("", command).strip(" "):
        return []
    words = _SHELL_WORD.findall(command)
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}".strip()
        if width(joined) <= room - 2:
            lines[-1] = joined
        elif width(word) <= room - 2:
            lines.append(word)
        else:
            return []
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def listed(names: Iterable[str], room: int, more: str = "more") -> str:
    """Return names joined by commas in room columns, with "and 12 more" for those that do not fit."""
    names = list(names)
    shown: list[str] = []
    taken = 0
    for name in names:
        taken += width(name) + 2
        if shown and taken > room:
            return f"{', '.join(shown)} and {len(names) - len(shown)} {more}"
        shown.append(name)
    return ", ".join(shown)


def _width(char: str) -> int:
    return 2 if char >= _WIDE_FROM else 1


def _fit(shown: str, room: int) -> str:
    """Return as much of a text's start as room columns take."""
    taken = 0
    for index, char in enumerate(shown):
        taken += _width(char)
        if taken > room:
            return shown[:index]
    return shown
