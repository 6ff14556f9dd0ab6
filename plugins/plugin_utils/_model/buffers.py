# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx demands of the buffers for a response, and what goes with a larger one for the header.

Source: ngx_http_proxy_merge_loc_conf() in nginx's http/modules/ngx_http_proxy_module.c, and the same of fastcgi, uwsgi and scgi. It is
held at every level, in use or not. grpc and memcached have a size for the header and nothing else.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import Site
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement

# Modules that have buffers for the body too.
FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi")
# The directives of a module, without its name, in the order of Buffers.
NAMES = ("buffer_size", "buffers", "busy_buffers_size", "temp_file_write_size", "max_temp_file_size")
# With fewer, what is sent to the client at once has no room beside what is read.
_FEWEST = 4


@dataclass(frozen=True)
class Buffers:
    """The buffers in force at one level, in bytes; None for a default that follows from the others, or is large.

    header  *_buffer_size
    count   *_buffers, its number
    size    *_buffers, its size
    busy    *_busy_buffers_size: so much of them may be on its way to the client
    write   *_temp_file_write_size
    file    *_max_temp_file_size; 0 for no file
    """

    header: int
    count: int
    size: int
    busy: int | None = None
    write: int | None = None
    file: int | None = None

    @property
    def _larger(self) -> int:
        return max(self.header, self.size)

    @property
    def accepted(self) -> bool:
        """Return whether nginx takes them."""
        larger = self._larger
        busy = 2 * larger if self.busy is None else self.busy
        if self.count < 2 or not larger <= busy <= (self.count - 1) * self.size:
            return False
        return (self.write is None or self.write >= larger) and (not self.file or self.file >= larger)

    def coherent(self) -> Buffers:
        """Return buffers with room for the same header that nginx takes, of which as little as possible differs.

        Buffers that are smaller than the header become as large, and so many that they hold together what they held, at least four.
        """
        count, size = max(self.count, 2), self.size
        if size < self.header:
            count, size = max(_FEWEST, -(-count * size // self.header)), self.header
        most = (count - 1) * size
        busy = self.busy
        if not size <= (2 * size if busy is None else busy) <= most:
            busy = min(2 * size, most)
        write = 2 * size if self.write is not None and self.write < size else self.write
        file = size if self.file and self.file < size else self.file
        return Buffers(self.header, count, size, busy, write, file)

    def with_header(self, size: int) -> Buffers:
        """Return coherent buffers with that much room for the header."""
        return replace(self, header=size).coherent()

    def written(self) -> dict[str, str]:
        """Return what stands in a configuration by the names of NAMES, without what is None."""
        single = (self.busy, self.write, self.file)
        parts = (_size(self.header), f"{self.count} {_size(self.size)}", *(None if item is None else _size(item) for item in single))
        return {name: part for name, part in zip(NAMES, parts) if part is not None}


def at(site: Site, family: str) -> Buffers | None:
    """Return the buffers in force at a place; None where a number is not one, or the module has none but for the header."""
    if family not in FAMILIES:
        return None
    page = site.configuration.page_size
    found: Buffers | None = Buffers(page, 8, page)
    for level in site.levels:
        found = found and within(found, level, family)
    return found


def within(outer: Buffers, level: Sequence[Statement], family: str) -> Buffers | None:
    """Return the buffers in force at a level, given those around it; None where a number is not one."""
    header, several, busy, write, file = (next(iter(directives.in_force(f"{family}_{name}", (level,))), None) for name in NAMES)
    number = several.args[0] if several and len(several.args) == 2 else ""
    if several and not (number.isascii() and number.isdigit()) or any(item.size is None for item in (header, several, busy, write, file) if item):
        return None
    return Buffers(
        header.size if header else outer.header,
        int(number) if several else outer.count,
        several.size if several else outer.size,
        *(item.size if item else inherited for item, inherited in ((busy, outer.busy), (write, outer.write), (file, outer.file))),
    )


def _size(number: int) -> str:
    return f"{number // 1024}k" if number and number % 1024 == 0 else str(number)
