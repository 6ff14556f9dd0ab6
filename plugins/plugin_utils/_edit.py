# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of an nginx configuration says of where it belongs, as the roles that edit one take it.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import Site
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Configuration, Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place


def context(block: Statement) -> dict:
    """Return {"file", "line", "expects"}: the block whose opening statement stands at that line, and the words that it must have there."""
    return {"file": block.at.file, "line": block.at.line, "expects": " ".join((block.name, *block.args))}


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
    counts: dict[Place, int] = {}
    rest = list(configuration.statements)
    while rest:
        statement = rest.pop()
        if statement.at in wanted:
            counts[statement.at] = counts.get(statement.at, 0) + 1
        rest += statement.block or ()
    several = sorted((str(at), count) for at, count in counts.items() if count > 1)
    return " ".join(f"{at} is included in {count} places, which all get it." for at, count in several)
