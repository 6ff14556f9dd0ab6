# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which label the file contexts of a policy give a path: what restorecon(8) would set.

Read as selabel_file(5) and label_file.c of libselinux have it: file_contexts, then that of home directories, then that of the administrator
(.local); a specification without a pattern counts before those with one, and of several the last. Aliases of folders (.subs, .subs_dist)
are applied first. The compiled copies (.bin) say the same and are not read.

This module is private to the collection.
"""

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

FILES = ("", ".homedirs", ".local")
MAX_FILE = 16 << 20

_KINDS = {"--": "file", "-d": "dir", "-s": "socket", "-l": "link", "-c": "other", "-b": "other", "-p": "other"}
# What a pattern begins with up to its first character that is one of pattern's, escaped ones being plain.
_PLAIN = re.compile(r"(?:[^.^$?*+|\[({\\]|\\[^\w])*")
_ESCAPE = re.compile(r"\\(.)")
_NONE = "<<none>>"


class FileContexts:
    """The file contexts of a policy, such as "targeted". Raises Unanswered where they cannot be read."""

    def __init__(self, host, policy):
        if not policy:
            raise evidence.Unanswered(evidence.ABSENT, "/etc/selinux/config names no policy")
        self._base = "/etc/selinux/{0}/contexts/files/file_contexts".format(policy)
        self._host = host
        self._specifications = []
        for name in FILES:
            for line in self._lines(name, name == ""):
                words = line.split()
                if len(words) in (2, 3):
                    self._specifications.append(_literal(words[0]) + (words[0], _KINDS.get(words[1], "none") if len(words) == 3 else "", words[-1]))
        self._aliases = [[line.split() for line in self._lines(name, False)] for name in (".subs", ".subs_dist")]

    def _lines(self, name, needed):
        try:
            lines = self._host.text(self._base + name, MAX_FILE).splitlines()
        except evidence.Unanswered as error:
            if needed or error.status != evidence.ABSENT:
                raise
            return []
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def expected(self, path, kind):
        """Return the context that a path of a kind ("dir", "socket", "link", "file") is to have; "" where none is given."""
        path = re.sub(r"/{2,}", "/", path)
        path = path.rstrip("/") or path
        for aliases in self._aliases:
            path = _substituted(path, aliases)
        exact = matched = ""
        for literal, whole, pattern, of_kind, context in self._specifications:
            if not path.startswith(literal) or of_kind not in ("", kind):
                continue
            if whole:
                exact = context if literal == path else exact
            elif _matches(pattern, path):
                matched = context
        found = exact or matched
        return "" if found == _NONE else found


def _substituted(path, aliases):
    """Replace the first alias that a path begins with."""
    for words in aliases:
        if len(words) == 2 and path.startswith(words[0]) and path[len(words[0]):len(words[0]) + 1] in ("", "/"):
            return words[1].rstrip("/") + path[len(words[0]):] or "/"
    return path


def _literal(pattern):
    """Return (the text that everything begins with that a pattern matches, whether that is all of it)."""
    plain = _PLAIN.match(pattern).group()
    whole = len(plain) == len(pattern)
    if not whole and pattern[len(plain)] in "?*{":
        # What one of these follows need not be there.
        plain = plain[:-2] if plain[-2:-1] == "\\" else plain[:-1]
    return (_ESCAPE.sub(r"\1", plain) if "\\" in plain else plain), whole


def _matches(pattern, path):
    try:
        return re.match(r"(?:{0})\Z".format(pattern), path, re.DOTALL) is not None
    except re.error:
        # Perl's and Python's patterns differ in corners that no policy uses.
        return False
