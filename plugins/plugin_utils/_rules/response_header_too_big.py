# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's response header does not fit into nginx's buffer.

## What it is
The whole response header must fit into *_buffer_size (one memory page, 4k, by default). Large cookies or
tokens make it larger; nginx answers 502 and logs "upstream sent too big header". The body has nothing to do
with it.

## How it is recognised
The header that the probe got is larger than the buffer in force: proven. Records "upstream sent too big
header" within the log window, made under the configuration that runs: likely.

## Fix
Raise the buffer size of that location, and the buffers, busy size and temporary file sizes in force there as far as nginx
would refuse them otherwise: the larger of buffer size and one buffer must be at most the busy size, and the busy size at most
all buffers but one. A location within it whose own buffers would be refused then gets what it needs. Safe up to 32k; a header
above that is for the application to shrink.

## When it stays silent
The header fits, and the log has no such record, or only those from before the buffer was changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import buffers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.buffers import Buffers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.directives import Directive
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import Location
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import INVALID_HEADER, SAFE, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_probe

_CEILING = 32 * 1024
_USUAL = 16 * 1024
_PAGE = 4 * 1024


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose response header outgrows its buffer."""
    found = [(leg, buffer, needed) for leg in host.legs for buffer in (leg.route.value("buffer_size"),) if buffer for needed in _needed(leg, buffer)]
    # Several that share a location get one size, the largest that one of them needs.
    needs: dict[Place, int] = {}
    for leg, _buffer, needed in found:
        place = _edit.home(leg.route.site).at
        needs[place] = max(needs.get(place, 0), needed if needed <= _CEILING else 0)
    for leg, buffer, needed in found:
        size, header = buffer.size, leg.header_bytes
        where = f"set at {buffer.at}" if buffer.at else "the default"
        seen = f"a response header of {header} bytes" if header > size else "a response header that is too big"
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if header > size else LIKELY,
            f"{leg.endpoint} sends {seen}; {buffer.name} is {size} bytes ({where}).",
            [
                show_config(leg),
                Evidence(str(buffer.at or "nginx default"), f"{buffer.name} {' '.join(buffer.args)} is in force"),
                *show_probe(leg),
                *show_log(leg, "header-too-big"),
                *show_paths(leg, "header-too-big"),
            ],
            _fix(leg, needed, needs),
            f"grep -n buffer {leg.route.at.quoted_file}",
            at=buffer.at,
            failure=INVALID_HEADER,
        )


def _needed(leg: Leg, buffer: Directive) -> Iterator[int]:
    """Yield the size of the buffer that a leg needs where the one in force is too small for its header."""
    size, header = buffer.size, leg.header_bytes
    if size and header > size:
        yield _fitting(header)
    elif size and leg.runs_with(buffer) and leg.logged("header-too-big"):
        yield _larger(size)


def _fitting(header: int) -> int:
    size = _PAGE
    while size < header:
        size *= 2
    return size


def _larger(size: int) -> int:
    """Return the next buffer to try for a header whose size the log does not tell."""
    return min(max(2 * size, _USUAL), _CEILING) if size < _CEILING else 2 * size


def _fix(leg: Leg, needed: int, needs: dict[Place, int]) -> Fix:
    if needed > _CEILING:
        return by_hand("Shrink the header in the application: it is larger than any sensible buffer.")
    site, family = leg.route.site, leg.route.family
    block, now = _edit.home(site), buffers.at(site, family)
    outer = site.location
    while outer:
        needed, outer = max(needed, needs.get(outer.at, 0)), outer.parent
    if family in buffers.FAMILIES and not now or not _edit.legible(*block.args):
        return by_hand(f"Raise {family}_buffer_size to {needed // 1024}k, with {family}_buffers that go with it.")
    edits = [(block, {"buffer_size": f"{needed // 1024}k"})]
    if now:
        wanted = now.with_header(needed)
        edits = [(block, _missing(block, wanted, family)), *(_inside(site.location, now, wanted, family, needs) if site.location else ())]
    places = [place for statement, values in edits for place in _places(statement, values, family)]
    summary = " ".join(_sentence(statement, values, family) for statement, values in edits)
    return Fix(
        remedy="response_buffers",
        safety=SAFE,
        summary=f"{summary} {_edit.shared(site.configuration, places)}".strip(),
        changes=tuple(_change(statement, values, family) for statement, values in edits),
    )


def _inside(location: Location, before: Buffers, after: Buffers, family: str, needs: dict[Place, int]) -> Iterator[tuple[Statement, dict[str, str]]]:
    """Yield the locations within one whose own buffers would not go with what they inherit then, and what they need."""
    for child in location.children:
        block = child.statement
        was, here = (buffers.within(outer, block.block or (), family) for outer in (before, after))
        if was and here and not here.accepted:
            here = was.with_header(max(here.header, needs.get(child.at, 0)))
            yield block, _missing(block, here, family)
        if was and here:
            yield from _inside(child, was, here, family, needs)


def _missing(block: Statement, wanted: Buffers, family: str) -> dict[str, str]:
    """Return the directives that a block itself has not yet as wanted, so that it depends on no other block."""
    there = {name: _edit.own(block, f"{family}_{name}") for name in buffers.NAMES}
    own = buffers.within(wanted, block.block or (), family)
    values = own.written() if own else {}
    return {name: value for name, value in wanted.written().items() if not there[name] or values.get(name) != value}


def _change(block: Statement, values: dict[str, str], family: str) -> dict:
    there = {name: _edit.own(block, f"{family}_{name}") for name in values}
    replaces = {name: " ".join(statement.args) for name, statement in there.items() if statement}
    return {"context": _edit.context(block), "module": family, **values, **({"replaces": replaces} if replaces else {})}


def _places(block: Statement, values: dict[str, str], family: str) -> Iterator[Place]:
    yield block.at
    yield from (statement.at for statement in (_edit.own(block, f"{family}_{name}") for name in values) if statement)


def _sentence(block: Statement, values: dict[str, str], family: str) -> str:
    return f"In {' '.join((block.name, *block.args))}: {' '.join(f'{family}_{name} {value};' for name, value in values.items())}"


RULE = Rule(
    id="response-header-too-big",
    title="The response header does not fit into the buffer",
    needs=("nginx", "error_log"),
    check=check,
)
