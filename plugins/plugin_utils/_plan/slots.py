# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change touches: the files it names, and the places that no other change may want to be different.

A change is an item of a role's argument, so that only the words that all roles share are known: "context" and "at" (file and line),
"replaces". Two changes of one remedy that name the same place and differ want it to be different.

This module is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

# What the host put in place of a word that may be a secret.
_MARK = "redacted:"
# Remedies that write the line of the pass itself anew.
_OF_THE_PASS = ("repoint_upstream", "upstream_scheme", "upstream_uri", "upstream_resolver")
# Keys that say where, not what.
_WHERE = ("context", "at", "module", "owner", "unit", "units", "manager", "name", "user", "pool", "program", "path", "file", "service")


def text(item: Any) -> str:
    """Return a text that is equal for equal changes."""
    return json.dumps(item, sort_keys=True, ensure_ascii=True)


def is_hidden(item: Any) -> bool:
    """Return whether a change holds a word that was hidden on the host."""
    return _MARK in text(item)


def files(items: Iterable[Any]) -> tuple[str, ...]:
    """Return the files of nginx's configuration that changes name."""
    return tuple(dict.fromkeys(place["file"] for item in items for place in _places(item)))


def _places(value: Any) -> Iterator[dict]:
    """Yield every {"file", "line"} in a change; the main level of a file has {"file", "block"}."""
    if isinstance(value, dict):
        if isinstance(value.get("file"), str) and ("line" in value or "block" in value):
            yield value
        for inner in value.values():
            yield from _places(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _places(inner)


def of(remedy: str, item: dict) -> dict[tuple, str]:
    """Return the places that a change sets, and what to."""
    if remedy in _OF_THE_PASS:
        place = item.get("at") or item.get("context") or {}
        return {("pass", place.get("file"), place.get("line")): text(item)}
    where = text({key: value for key, value in item.items() if key in _WHERE})
    wanted = {key: text(value) for key, value in item.items() if key not in _WHERE and key != "replaces"}
    return {(remedy, where, key): value for key, value in ({"": ""} | wanted).items()}


def clash(one: dict[tuple, str], other: dict[tuple, str]) -> bool:
    """Return whether two changes want a place to be different."""
    return any(one[place] != other[place] for place in one.keys() & other.keys())
