# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buffers that are set in part, so that the response header has no more room than before.

## What it is
The whole response header must fit into *_buffer_size, whatever *_buffers says: those are for the body. Raising
*_buffers or *_busy_buffers_size alone, the usual answer to "upstream sent too big header", leaves the header
with one page of memory. So does a smaller *_buffer_size at an inner level: it undoes the larger one around it.

## How it is recognised
The buffers in force on a route are larger than the default one for the header, or only the busy size is set, or the size
for the header is smaller than at an outer level.

## Fix
Set *_buffer_size, with *_buffers and *_busy_buffers_size that go with it: the larger of buffer size and one buffer must be at
most the busy size, and the busy size at most all buffers but one.

## When it stays silent
All is nginx's default; *_buffer_size is set itself, and not below an outer one; responses are not buffered. A combination that
nginx refuses is an invalid configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise

_FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi")


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each set of buffers that does not do what it seems to."""
    for leg in host.legs:
        buffering = leg.route.value("buffering")
        if leg.route.family not in _FAMILIES or not buffering or not buffering.flag:
            continue
        found = _undone(leg) or _partly(leg)
        if found:
            yield found


def _partly(leg: Leg) -> Finding | None:
    """Return what to say of buffers that were raised without the one for the header."""
    header, several, busy = (leg.route.value(name) for name in ("buffer_size", "buffers", "busy_buffers_size"))
    if not header or header.at or not header.size:
        return None
    if several and several.at and (several.size or 0) > header.size:
        raised, size = several, several.size or 0
    elif busy and busy.at and not (several and several.at) and (busy.size or 0) > 2 * header.size:
        raised, size = busy, (busy.size or 0) // 2
    else:
        return None
    family = leg.route.family
    one = _written(size)
    count = 8 if not several or not several.at or not several.args[0].isdecimal() else max(int(several.args[0]), 4)
    return advise(
        RULE.id,
        leg,
        f"{raised} ({raised.at}) gives the response header no more room: it must fit into {header.name}, which is {header.size} bytes, the default.",
        [Evidence(str(raised.at), str(raised)), Evidence("nginx default", str(header))],
        f"Add {family}_buffer_size {one}; {family}_buffers {count} {one}; {family}_busy_buffers_size {_written(2 * size)}; at that level.",
        at=raised.at,
    )


def _undone(leg: Leg) -> Finding | None:
    """Return what to say of a size for the header that is smaller than the one around it."""
    name = f"{leg.route.family}_buffer_size"
    levels = leg.route.site.levels
    depth = next((number for number in range(len(levels), 0, -1) if directives.in_force(name, levels[number - 1 : number])), 0)
    inner = directives.in_force(name, levels[:depth])
    outer = directives.in_force(name, levels[: depth - 1]) if depth else ()
    if not outer or not inner[0].size or not outer[0].size or inner[0].size >= outer[0].size:
        return None
    return advise(
        RULE.id,
        leg,
        f"{inner[0]} ({inner[0].at}) undoes {outer[0]} ({outer[0].at}): the response header has less room in {leg.route.location_label}.",
        [Evidence(str(outer[0].at), str(outer[0])), Evidence(str(inner[0].at), str(inner[0]))],
        f"Take {inner[0].name} away at {inner[0].at}, or raise it to that of the outer level.",
        at=inner[0].at,
    )


def _written(size: int) -> str:
    return f"{size // 1024}k" if size % 1024 == 0 else str(size)


RULE = Rule(
    id="buffers-incoherent",
    title="Buffers that leave the response header no more room",
    needs=("nginx",),
    check=check,
)
