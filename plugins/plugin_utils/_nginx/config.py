# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of one nginx, as nginx reads it: its files with their includes in place.

Only what the host recorded is used; nothing is looked up on the controller's disk. What could not be
read is not silently left out: see Configuration.gaps.

Source: ngx_conf_include() and ngx_conf_full_name() in nginx's core/ngx_conf_file.c; glob(3).

This module is private to the collection.
"""

from __future__ import annotations

import base64
import binascii
import functools
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import tree
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

# An include of an include of ... can multiply: this many statements are read and no more.
MAX_STATEMENTS = 200_000
_CACHED_CONFIGURATIONS = 128
# Where the host did not tell.
_PAGE_SIZE = 4096
_MAGIC = re.compile(r"[*?\[]")
_PIECE = re.compile(r"\\.|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)
TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Statement:
    """One directive: name, arguments as nginx decodes them, place, and the block, or None without one."""

    name: str
    args: tuple[str, ...]
    at: Place
    block: tuple[Statement, ...] | None

    def named(self, *names: str) -> Iterator[Statement]:
        """Yield the statements of these names that stand directly in the block."""
        return (inner for inner in self.block or () if inner.name in names)


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of the configuration that is not known: its path, status ("absent", "denied", "error", "truncated"), and why."""

    path: str
    status: str
    why: str
    at: Place | None = None


@dataclass(frozen=True, eq=False)
class Configuration:
    """What one nginx is told.

    id          path of the main file
    version     (1, 22, 1), or None when it is not known
    privileged  whether the master runs as root, which decides the default "listen"
    prefix      what relative paths in the files begin at, except those of "include"
    page_size   of memory, in bytes
    statements  of the main context, with every include in place
    gaps        what could not be read
    files       the parsed files by path
    """

    id: str
    version: tuple[int, ...] | None
    privileged: bool
    prefix: str
    page_size: int
    statements: tuple[Statement, ...]
    gaps: tuple[Gap, ...]
    files: dict[str, tree.ParsedFile]

    def everywhere(self) -> Iterator[Statement]:
        """Yield every statement, those in blocks after their block."""
        return _within(self.statements)

    def blocks(self, name: str) -> Iterator[Statement]:
        """Yield the blocks of the main context that have a name, such as "http"."""
        return (statement for statement in self.statements if statement.name == name and statement.block is not None)

    @functools.cached_property
    def doubtful(self) -> tuple[str, ...]:
        """Return the paths of the files that two parsers read differently; raises MissingLibrary."""
        return tuple(path for path, parsed in self.files.items() if not parsed.agreed)


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    real_path: str
    status: str
    why: str
    truncated: bool
    content: str


@dataclass(frozen=True, slots=True)
class _Include:
    pattern: str
    file: str
    line: int
    status: str
    matches: tuple[str, ...]


def _within(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    for statement in statements:
        yield statement
        yield from _within(statement.block or ())


def load(instance: dict) -> Configuration:
    """Return the configuration of one nginx of the evidence. Equal configurations of a fleet are read once."""
    build = (instance.get("build") or {}).get("value") or {}
    master = instance.get("master") or {}
    return _load(
        instance.get("conf_path") or instance["id"],
        instance["id"],
        _version(build.get("version") or ""),
        (master.get("uid") or 0) == 0,
        instance.get("prefix") or build.get("prefix") or "",
        instance.get("page_size") or _PAGE_SIZE,
        tuple(_file(item) for item in instance.get("files") or ()),
        tuple(_include(item) for item in instance.get("includes") or ()),
    )


def _file(item: dict) -> _File:
    return _File(
        item["path"],
        item.get("real_path") or "",
        item.get("status") or evidence.OK,
        item.get("why") or "",
        bool(item.get("truncated")),
        item.get("content") or "",
    )


def _include(item: dict) -> _Include:
    place = item.get("at") or {}
    return _Include(item["pattern"], place.get("file") or "", place.get("line") or 0, item.get("status") or evidence.OK, tuple(item.get("matches") or ()))


def _version(written: str) -> tuple[int, ...] | None:
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})", written)
    return tuple(int(part) for part in match.groups()) if match else None


@functools.lru_cache(maxsize=_CACHED_CONFIGURATIONS)
def _load(
    conf_path: str,
    name: str,
    version: tuple[int, ...] | None,
    privileged: bool,
    prefix: str,
    page_size: int,
    files: tuple[_File, ...],
    includes: tuple[_Include, ...],
) -> Configuration:
    reader = _Reader(conf_path, files, includes)
    statements = reader.read()
    return Configuration(name, version, privileged, prefix, page_size, statements, tuple(dict.fromkeys(reader.gaps)), reader.parsed)


class _Reader:
    """Follows the includes of one main file."""

    def __init__(self, conf_path: str, files: tuple[_File, ...], includes: tuple[_Include, ...]):
        self.gaps: list[Gap] = []
        self.parsed: dict[str, tree.ParsedFile] = {}
        self._conf_path = conf_path
        self._files = {file.path: file for file in reversed(files)}
        self._real = {file.real_path: file for file in reversed(files) if file.real_path}
        self._includes: dict[tuple[str, int], list[_Include]] = {}
        for include in includes:
            self._includes.setdefault((include.file, include.line), []).append(include)
        self._count = 0

    def read(self) -> tuple[Statement, ...]:
        return tuple(self._read_file(self._conf_path, None, (), 1))

    def _read_file(self, path: str, at: Place | None, opened: tuple[str, ...], depth: int) -> list[Statement]:
        file = self._files.get(path) or self._real.get(path)
        if path in opened:
            self.gaps.append(Gap(path, evidence.ERROR, "the file includes itself", at))
            return []
        if not file or file.status != evidence.OK:
            self.gaps.append(Gap(path, file.status if file else evidence.ABSENT, (file.why if file else "") or "the file was not read", at))
            return []
        parsed = self._parse(file)
        return self._expand(parsed.nodes, path, opened + (path,), depth)

    def _parse(self, file: _File) -> tree.ParsedFile:
        if file.path in self.parsed:
            return self.parsed[file.path]
        try:
            raw = base64.b64decode(file.content, validate=True)
        except (binascii.Error, ValueError):
            self.gaps.append(Gap(file.path, evidence.ERROR, "the recorded content is not base64"))
            raw = b""
        parsed = self.parsed[file.path] = tree.parse(raw)
        if file.truncated:
            self.gaps.append(Gap(file.path, TRUNCATED, "the file is too large and was read in part"))
        else:
            self.gaps += [Gap(file.path, evidence.ERROR, f"{error.text} in line {error.line}", Place(file.path, error.line)) for error in parsed.errors]
        return parsed

    def _expand(self, nodes: Iterable[tree.Node], path: str, opened: tuple[str, ...], depth: int) -> list[Statement]:
        found: list[Statement] = []
        for node in nodes:
            if self._count >= MAX_STATEMENTS or depth > tree.MAX_DEPTH:
                self.gaps.append(Gap(self._conf_path, TRUNCATED, f"more than {MAX_STATEMENTS} statements, or deeper than {tree.MAX_DEPTH} blocks and files"))
                break
            place = Place(path, node.line)
            if node.name == "include" and node.block is None and len(node.args) == 1:
                for match in self._matches(node.args[0], place):
                    found += self._read_file(match, place, opened, depth + 1)
                continue
            self._count += 1
            block = None if node.block is None else tuple(self._expand(node.block, path, opened, depth + 1))
            found.append(Statement(node.name, node.args, place, block))
        return found

    def _matches(self, written: str, at: Place) -> tuple[str, ...]:
        """Return the files that an include names: as the host recorded it, else among the files at hand."""
        pattern = posixpath.join(posixpath.dirname(self._conf_path), written)
        recorded = self._includes.get((at.file, at.line)) or []
        fitting = [item for item in recorded if item.pattern in (pattern, written)] or (recorded if len(recorded) == 1 else [])
        if fitting:
            if fitting[0].status != evidence.OK:
                self.gaps.append(Gap(fitting[0].pattern, fitting[0].status, "the included files could not be listed", at))
            return fitting[0].matches
        if not _MAGIC.search(pattern):
            return (pattern,)
        return tuple(sorted((path for path in self._files if matches_glob(path, pattern)), key=lambda path: path.encode("utf-8", "surrogateescape")))


def matches_glob(path: str, pattern: str) -> bool:
    """Return whether a path matches a pattern as glob(3) does: "*" stays within a folder and passes over dot files."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(_matches_name(name, wanted) for name, wanted in zip(names, patterns))


def _matches_name(name: str, pattern: str) -> bool:
    """Match one name. Only the last "*" is ever tried again, so that no pattern takes long."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    pieces = _pieces(pattern)
    at = piece = 0
    star, resume = -1, 0
    while at < len(name):
        if piece < len(pieces) and pieces[piece] == "*":
            star, resume = piece, at
            piece += 1
        elif piece < len(pieces) and _matches_one(name[at], pieces[piece]):
            at += 1
            piece += 1
        elif star >= 0:
            resume += 1
            at, piece = resume, star + 1
        else:
            return False
    return all(rest == "*" for rest in pieces[piece:])


@functools.lru_cache(maxsize=256)
def _pieces(pattern: str) -> tuple[str, ...]:
    """Return the pieces of a pattern of one name: "*", "?", a bracket expression, or one character, perhaps escaped."""
    return tuple(_PIECE.findall(pattern))


def _matches_one(character: str, piece: str) -> bool:
    if piece == "?":
        return True
    if len(piece) > 2 and piece.startswith("["):
        negated = piece[1] in "!^"
        inside = piece[2:-1] if negated else piece[1:-1]
        return _in_bracket(character, inside) != negated
    return character == piece[-1]


def _in_bracket(character: str, inside: str) -> bool:
    ranges = re.findall(r"(.)-(.)|(.)", inside, re.DOTALL)
    return any(first <= character <= last if first else character == single for first, last, single in ranges)
