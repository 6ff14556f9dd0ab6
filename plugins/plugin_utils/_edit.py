# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of an nginx configuration says of where it belongs, as the roles that edit one take it.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK, harmless
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import Site
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Configuration, Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place


@dataclass(frozen=True)
class Spot:
    """A statement without a block of its own, and the block that it stands in."""

    block: Statement
    statement: Statement


def context(block: Statement) -> dict:
    """Return {"file", "line", "expects"}: the block whose opening statement stands at that line, and the words, harmless, that it must have there."""
    return {"file": block.at.file, "line": block.at.line, "expects": harmless(" ".join((block.name, *block.args)))}


def place(statement: Statement) -> dict:
    """Return {"file", "line"} of a statement itself."""
    return {"file": statement.at.file, "line": statement.at.line}


def home(site: Site) -> Statement:
    """Return the block in which what holds for a pass is set: its location, or its server in stream{}; an "if" takes almost nothing."""
    return site.location.statement if site.location else site.server.statement


def own(block: Statement, name: str) -> Statement | None:
    """Return the directive that a block itself has, included or not; None where it inherits it. Of several the last one."""
    found = [statement for statement in block.named(name) if statement.block is None]
    return found[-1] if found else None


def shared(configuration: Configuration, places: Iterable[Place]) -> str:
    """Return a sentence for a reader where what stands at these places is read more than once, because its file is included so; else ""."""
    wanted = set(places)
    counts: dict[tuple, int] = {}
    rest = list(configuration.statements)
    while rest:
        statement = rest.pop()
        if statement.at in wanted:
            # A line may hold several statements.
            key = (statement.at, statement.name, statement.args)
            counts[key] = counts.get(key, 0) + 1
        rest += statement.block or ()
    several: dict[str, int] = {}
    for (at, _name, _args), count in counts.items():
        several[str(at)] = max(count, several.get(str(at), 0))
    return " ".join(f"{at} is included in {count} places, which all get it." for at, count in sorted(several.items()) if count > 1)


def spots(configuration: Configuration, at: Place) -> tuple[Spot, ...]:
    """Return the statements that begin in a line; one in a file that is included in several blocks is there for each of them."""
    return tuple(_spots(configuration.statements, at))


def _spots(statements: Iterable[Statement], at: Place) -> Iterator[Spot]:
    for block in statements:
        for inner in block.block or ():
            if inner.at == at and inner.block is None:
                yield Spot(block, inner)
        yield from _spots(block.block or (), at)


def legible(*words: str) -> bool:
    """Return whether words are what stands in the file: nothing was taken out of them on the host, and all of it can be written down."""
    return not any(MARK in word or any("\ud800" <= letter <= "\udfff" for letter in word) for word in words)


def replacement(spot: Spot, *args: str) -> dict | None:
    """Return what a role is told so that a statement gets other arguments; None where its words, or those of its block, are not known."""
    block, statement = spot.block, spot.statement
    if not legible(*block.args, *statement.args, *args):
        return None
    return {
        "context": context(block),
        "directive": statement.name,
        "args": list(args),
        "replaces": list(statement.args),
        "at": place(statement),
    }
