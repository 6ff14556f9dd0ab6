# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a word with variables can stand for.

A variable of "set", "map", "geo" or "split_clients" whose branches are all written down has a known
set of values. What only a request tells stays in the text as a Variable, with the reason.

Source: nginx's http/ngx_http_script.c (ngx_http_script_compile), http/modules/ngx_http_rewrite_module.c,
ngx_http_map_module.c, ngx_http_geo_module.c, ngx_http_split_clients_module.c.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

MAX_VALUES = 64
_MAX_DEPTH = 10
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|([1-9]|\w+))", re.ASCII)
_MAP_WORDS = frozenset(("hostnames", "volatile"))
_GEO_WORDS = frozenset(("ranges", "delete", "proxy", "proxy_recursive"))
_TOO_MANY = f"it has more than {MAX_VALUES} values"
_TOO_DEEP = f"it is defined through more than {_MAX_DEPTH} others"
_CIRCULAR = "it is defined by itself"
_FROM_REQUEST = "only a request tells its value"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable whose value is not known, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Value:
    """One thing that a word can stand for: text and unknown variables in order; at is where the last part that matters is defined."""

    parts: tuple[str | Variable, ...]
    at: Place | None = None

    @property
    def text(self) -> str | None:
        """Return the value; None when it has a variable that is not known."""
        return "".join(self.parts) if all(isinstance(part, str) for part in self.parts) else None

    @property
    def unknown(self) -> tuple[Variable, ...]:
        """Return the variables that are not known."""
        return tuple(part for part in self.parts if isinstance(part, Variable))


@dataclass(frozen=True)
class Definitions:
    """The variables that an http{} or stream{} block defines for all its servers: name to block."""

    maps: Mapping[str, Statement] = field(default_factory=dict)
    geos: Mapping[str, Statement] = field(default_factory=dict)
    splits: Mapping[str, Statement] = field(default_factory=dict)


def definitions_of(block: Statement) -> Definitions:
    """Return the variables that a block defines; of two definitions the last one counts."""
    found: dict[str, dict[str, Statement]] = {"map": {}, "geo": {}, "split_clients": {}}
    for statement in block.named("map", "geo", "split_clients"):
        if statement.block is not None and statement.args and statement.args[-1].startswith("$"):
            found[statement.name][statement.args[-1][1:].lower()] = statement
    return Definitions(found["map"], found["geo"], found["split_clients"])


@dataclass(frozen=True)
class Scope:
    """What variables can be on one route.

    programs  the statements of the server and of the location whose "set" are carried out in order
    others    statements elsewhere in the server: their "set" count when no program sets the variable
    fixed     variables whose values follow from the configuration: "server_name" to ("shop.example",)
    """

    definitions: Definitions
    programs: tuple[Sequence[Statement], ...] = ()
    others: tuple[Statement, ...] = ()
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def values(self, word: str) -> tuple[Value, ...]:
        """Return everything that a word can stand for, at least one Value; without variables, the word itself."""
        return _Expansion(self).expand(word, None, 0)


class _Expansion:
    """One look-up of a word in a scope. Every variable is worked out once, which bounds the time."""

    def __init__(self, scope: Scope):
        self._scope = scope
        self._known: dict[str, tuple[Value, ...]] = {}

    def expand(self, word: str, at: Place | None, depth: int) -> tuple[Value, ...]:
        found: tuple[Value, ...] = (Value((), at),)
        for part in parts_of(word):
            choices = self._variable(part.name.lower(), depth) if isinstance(part, Variable) else (Value((part,)),)
            if len(found) * len(choices) > MAX_VALUES:
                choices = _not_known(part.name, _TOO_MANY)
            found = tuple(Value(first.parts + second.parts, second.at or first.at) for first in found for second in choices)
        return found

    def _variable(self, name: str, depth: int) -> tuple[Value, ...]:
        if name not in self._known:
            self._known[name] = _not_known(name, _CIRCULAR)
            self._known[name] = self._work_out(name, depth + 1)
        return self._known[name]

    def _work_out(self, name: str, depth: int) -> tuple[Value, ...]:
        if depth > _MAX_DEPTH:
            return _not_known(name, _TOO_DEEP)
        if name in self._scope.fixed:
            return tuple(Value((text,)) for text in self._scope.fixed[name])
        definitions = self._scope.definitions
        if name in definitions.geos:
            # The values of geo are taken as they stand.
            values = [Value((word,), at) for _key, word, at in _rows(definitions.geos[name], _GEO_WORDS)]
        else:
            written = self._written(name, depth)
            if len(written) > MAX_VALUES:
                return _not_known(name, _TOO_MANY)
            values = [value for word, at in written for value in self.expand(word, at, depth)]
        if not values:
            return _not_known(name, _FROM_REQUEST)
        # A branch without a value cannot be a target; where it is the only one, it is the value.
        return tuple(dict.fromkeys(value for value in values if value.text != "")) or (Value(("",)),)

    def _written(self, name: str, depth: int) -> list[tuple[str, Place]]:
        """Return what is written for a variable, with its places; [] when nothing is."""
        scope = self._scope
        found = _assigned(name, scope.programs) or [pair for statement in scope.others for pair in _every_set(name, statement)]
        if found:
            return found
        if name in scope.definitions.maps:
            return self._of_map(scope.definitions.maps[name], depth)
        if name in scope.definitions.splits:
            return [(word, at) for _key, word, at in _rows(scope.definitions.splits[name], frozenset())]
        return []

    def _of_map(self, statement: Statement, depth: int) -> list[tuple[str, Place]]:
        """Return the branches of a map; the one that is taken, where its source is known and stands there."""
        rows = list(_rows(statement, _MAP_WORDS))
        source = self.expand(statement.args[0], None, depth)
        if len(source) == 1 and source[0].text is not None:
            taken = [(word, at) for key, word, at in rows if key.lower() == source[0].text.lower()]
            if taken:
                return taken[:1]
        return [(word, at) for _key, word, at in rows]


def _not_known(name: str, why: str) -> tuple[Value, ...]:
    return (Value((Variable(name, why),)),)


def parts_of(word: str) -> Iterator[str | Variable]:
    """Yield the text and the variables of a word, in order."""
    at = 0
    for match in _REFERENCE.finditer(word):
        if match.start() > at:
            yield word[at : match.start()]
        yield Variable(match.group(1) or match.group(2), "")
        at = match.end()
    if at < len(word):
        yield word[at:]


def names_in(word: str) -> tuple[str, ...]:
    """Return the names of the variables in a word."""
    return tuple(part.name for part in parts_of(word) if isinstance(part, Variable))


def _rows(statement: Statement, words: frozenset[str]) -> Iterator[tuple[str, str, Place]]:
    for row in statement.block or ():
        if row.args and row.name not in words:
            yield row.name, row.args[-1], row.at


def _assigned(name: str, programs: Sequence[Sequence[Statement]]) -> list[tuple[str, Place]]:
    """Return what "set" gives a variable when statements are carried out in order; what stands in an "if" may or may not count."""
    found: list[tuple[str, Place]] = []
    for program in programs:
        for statement in program:
            if statement.name == "set" and _sets(statement, name):
                found = [(statement.args[1], statement.at)]
            elif statement.name == "if":
                found += [(inner.args[1], inner.at) for inner in statement.named("set") if _sets(inner, name)]
    return found


def _every_set(name: str, statement: Statement) -> Iterator[tuple[str, Place]]:
    if statement.name == "set" and _sets(statement, name):
        yield statement.args[1], statement.at
    for inner in statement.block or ():
        yield from _every_set(name, inner)


def _sets(statement: Statement, name: str) -> bool:
    return len(statement.args) == 2 and statement.args[0].lower() == "$" + name
