# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One configuration file as a tree, with exactly the words that nginx sees.

The words come from the exact reader that both sides share (module_utils/_nginx_text.py). crossplane
reads the file too, when somebody asks whether the two agree: a file on which they do not is read for
diagnosis, and never edited.

Equal files of a fleet are read once.

This module is private to the collection.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import _crossplane

# nginx has no limit of its own; deeper nesting than this is no configuration that serves anybody.
MAX_DEPTH = 100
_CACHED_FILES = 1024


@dataclass(frozen=True, slots=True)
class Node:
    """One directive of a file.

    name   the first word, decoded as nginx decodes it; a byte that is not UTF-8 is shown as \\xff
    args   the other words
    line   of the name, counted from 1
    block  the directives inside "{ }", or None when it ends with ";"; () for the opaque body of a
           "*_by_lua_block"
    """

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Error:
    """Why nginx reads no further: its own words, and the line that it names."""

    text: str
    line: int


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """What is in a file: the statements before the first error, and the error."""

    nodes: tuple[Node, ...]
    errors: tuple[Error, ...]
    _raw: bytes = field(repr=False)

    @functools.cached_property
    def agreed(self) -> bool:
        """Return whether crossplane reads the same; raises MissingLibrary.

        False for every file with an error. Compared are names, nesting, lines and the number of
        arguments, except where crossplane is known to differ on valid files: bytes that are not
        UTF-8, the parentheses of "if", "${name}" that swallows the blank after it, and Lua code.
        """
        if self.errors:
            return False
        theirs = _crossplane.read(self._raw)
        return theirs is not None and _same(nginx_text.read(self._raw).statements, theirs)


@functools.lru_cache(maxsize=_CACHED_FILES)
def parse(raw: bytes) -> ParsedFile:
    """Read the bytes of one file. A bad file is no exception: see ParsedFile.errors."""
    read = nginx_text.read(raw)
    errors = [Error(read.error.text, read.error.line)] if read.error else []
    nodes = _nodes(read.statements, errors, 1)
    return ParsedFile(nodes, tuple(errors), raw)


def _nodes(statements: list, errors: list[Error], depth: int) -> tuple[Node, ...]:
    found = []
    for statement in statements:
        block = None
        if statement.block is not None:
            if depth < MAX_DEPTH:
                block = _nodes(statement.block, errors, depth + 1)
            else:
                block = ()
                errors.append(Error(f"blocks are nested more than {MAX_DEPTH} deep", statement.line))
        name, *args = (text.decode(word.value) for word in statement.words)
        found.append(Node(name, tuple(args), statement.line, block))
    return tuple(found)


def _same(ours: list, theirs: list[dict]) -> bool:
    return len(ours) == len(theirs) and all(_same_statement(mine, other) for mine, other in zip(ours, theirs))


def _same_statement(mine, other: dict) -> bool:
    name = mine.name.decode("utf-8", "replace")
    if name != other["directive"] or mine.line != other["line"]:
        return False
    if mine.code is not None:
        return True
    block = other.get("block")
    if (mine.block is None) != (block is None):
        return False
    if name != "if" and len(mine.args) != _count(other["args"], len(mine.args)):
        return False
    return block is None or _same(mine.block, block)


def _count(args: list[str], expected: int) -> int:
    """Return how many arguments crossplane saw, without those that "${name} next" glued together."""
    if len(args) == expected:
        return expected
    return sum(len(arg.split()) if "${" in arg else 1 for arg in args)
