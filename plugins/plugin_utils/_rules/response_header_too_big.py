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
Raise the buffer size of that location with buffers and busy size that go with it. nginx refuses a
configuration in which they do not: the larger of buffer size and one buffer must be at most the busy size,
and the busy size at most all buffers but one. Safe up to 32k; a header above that is for the application to
shrink.

## When it stays silent
The header fits, and the log has no such record, or only those from before the buffer was changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import INVALID_HEADER, MANUAL, SAFE, Rule, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_probe

_CEILING = 32 * 1024
_USUAL = 16 * 1024
_PAGE = 4 * 1024
# Families whose buffer size is tied to *_buffers and *_busy_buffers_size; grpc and memcached have a size alone.
_WITH_BUFFERS = ("proxy", "fastcgi", "uwsgi", "scgi")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose response header outgrows its buffer."""
    for leg in host.legs:
        buffer = leg.route.value("buffer_size")
        size = buffer.size if buffer else None
        if not size:
            continue
        header = leg.header_bytes
        if header <= size and not (leg.runs_with(buffer) and leg.logged("header-too-big")):
            continue
        where = f"set at {buffer.at}" if buffer.at else "the default"
        seen = f"a response header of {header} bytes" if header > size else "a response header that is too big"
        needed = _fitting(header) if header > size else _larger(size)
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
            _fix(leg.route.family, leg.route.location_label, needed),
            f"grep -n buffer {leg.route.at.quoted_file}",
            at=buffer.at,
            failure=INVALID_HEADER,
        )


def _fitting(header: int) -> int:
    size = _PAGE
    while size < header:
        size *= 2
    return size


def _larger(size: int) -> int:
    """Return the next buffer to try for a header whose size the log does not tell."""
    return min(max(2 * size, _USUAL), _CEILING) if size < _CEILING else 2 * size


def _fix(family: str, location: str, needed: int) -> Fix:
    if needed > _CEILING:
        return Fix(remedy=None, safety=MANUAL, summary="Shrink the header in the application: it is larger than any sensible buffer.")
    size = f"{needed // 1024}k"
    lines = f"{family}_buffer_size {size};"
    if family in _WITH_BUFFERS:
        lines += f" {family}_buffers 8 {size}; {family}_busy_buffers_size {2 * needed // 1024}k;"
    return Fix(remedy="response_buffers", safety=SAFE, summary=f"In location {location}: {lines}")


RULE = Rule(
    id="response-header-too-big",
    title="The response header does not fit into the buffer",
    needs=("nginx", "error_log"),
    check=check,
)
