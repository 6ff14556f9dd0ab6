# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions of a configuration, matched on the controller.

nginx matches bytes with PCRE; Python's "re" means the same for most patterns, and other things for
some. A pattern whose meaning may differ, or whose matching may take long, is answered by Unmatchable:
what a host sends must be able to neither mislead nor delay.

Source: pcre2pattern(3) and the documentation of Python's "re".

This module is private to the collection.
"""

from __future__ import annotations

import functools
import math
import re

MAX_PATTERN = 512
MAX_SUBJECT = 512
# So many steps are well under a second.
_MAX_STEPS = 1_000_000

# The pieces of a pattern that PCRE and "re" take alike. Left out, so that they are refused: \Q, \K, \R,
# \h, \v, \z, \Z, \p, \x{}, back references, POSIX classes, "{,n}", possessive and atomic groups,
# conditions, recursion and verbs.
_ESCAPE = r"\\(?:[dDwWsSbBAnrtfa]|x[0-9a-fA-F]{2}|[^A-Za-z0-9])"
_TOKEN = re.compile(
    rf"(?P<plain>{_ESCAPE}|\[\^?\]?(?:{_ESCAPE}|(?!\[[:.=])[^\]\\])*\]|[^\\()\[|?*+{{]|\{{(?![0-9,]))"
    r"|(?P<open>\((?:\?(?:[:=!]|<[=!]|P?<[A-Za-z_]\w*>))?(?![?*+]))|(?P<close>\))|(?P<either>\|)"
    r"|(?P<repeat>(?P<unbounded>[*+]|\{[0-9]+,[0-9]*\})|\{[0-9]+\}|\?)(?P<lazy>\??)(?!\+)",
    re.DOTALL,
)
_CASELESS = "(?i)"


class Unmatchable(Exception):
    """What a pattern matches is not known here."""


def search(pattern: str, subject: bytes, caseless: bool = False) -> re.Match[bytes] | None:
    """Return the match of a PCRE pattern in a subject, or None; raises Unmatchable."""
    compiled, repeats = _compiled(pattern, caseless)
    if len(subject) > MAX_SUBJECT or (len(subject) + 1) ** repeats / math.factorial(repeats) > _MAX_STEPS:
        raise Unmatchable(f"matching {pattern!r} could take long")
    return compiled.search(subject)


@functools.lru_cache(maxsize=2048)
def _compiled(pattern: str, caseless: bool) -> tuple[re.Pattern[bytes], int]:
    """Return the compiled pattern and the degree of the steps that matching takes at most."""
    if pattern.startswith(_CASELESS):
        pattern, caseless = pattern[len(_CASELESS) :], True
    if len(pattern) > MAX_PATTERN:
        raise Unmatchable(f"{pattern[:32]!r}... is too long to be matched here")
    repeats = _repeats(pattern)
    translated = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern)
    try:
        return re.compile(translated.encode("utf-8", "surrogateescape"), re.IGNORECASE if caseless else 0), repeats
    except (re.error, OverflowError, RecursionError):
        raise Unmatchable(f"{pattern!r} is not understood here") from None


def _repeats(pattern: str) -> int:
    """Return the number of repeats without a bound, one more for a search that may begin anywhere.

    A repeated group that holds a repeat or an alternative can take exponentially long: Unmatchable.
    """
    count = 0 if pattern.startswith("^") and "|" not in pattern else 1
    risky = [False]
    closed = False
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if not token:
            raise Unmatchable(f"{pattern!r} is not understood here")
        at = token.end()
        if token["open"]:
            risky.append(False)
        elif token["close"] and len(risky) > 1:
            closed = risky.pop()
            risky[-1] = risky[-1] or closed
            continue
        elif token["repeat"]:
            if closed and token["repeat"] != "?":
                raise Unmatchable(f"matching {pattern!r} could take long")
            count += bool(token["unbounded"])
            risky[-1] = True
        elif token["either"]:
            risky[-1] = True
        closed = False
    return count


def sample(pattern: str) -> str | None:
    r"""Return a path that a pattern matches, where one is easily seen: "/index.php" of "\.php$", "/api/" of "^/api/"; else None."""
    plain = re.sub(r"\((?:\?:|\?P?<\w+>)?([^()|?*+\[\]]*)(?:\|[^()]*)?\)(?![?*+{])", r"\1", pattern)
    head = re.match(r"\^?((?:\\[/.\-_]|[A-Za-z0-9/_.\-])*)", plain).group(1)
    tail = re.search(r"((?:\\[/.\-_]|[A-Za-z0-9/_\-])*)\$?\Z", plain).group(1)
    anywhere = () if pattern.startswith("^") else ("/index" + tail,)
    for literal in (*anywhere, head, "/" + head, head + "/", head + "x", head + "/x", "/index" + tail):
        candidate = literal.replace("\\", "")
        try:
            if candidate.startswith("/") and search(pattern, candidate.encode()):
                return candidate
        except Unmatchable:
            return None
    return None
