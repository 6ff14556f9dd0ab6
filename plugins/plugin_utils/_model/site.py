# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place in a configuration where a pass stands, and what is in force there.

This module is private to the collection.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import Location, Server
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Configuration, Statement

STREAM = "stream"


@dataclass(frozen=True, eq=False)
class Site:
    """A server of stream{}, or a location, or an "if" or "limit_except" block in one.

    block   the http{} or stream{} around it
    inner   the "if" or "limit_except" block, or None
    tls     whether clients reach its server over TLS: (False,), (True,), or both
    """

    configuration: Configuration = field(repr=False)
    block: Statement = field(repr=False)
    server: Server
    location: Location | None
    inner: Statement | None
    definitions: variables.Definitions = field(repr=False)
    tls: tuple[bool, ...] = (False,)

    @property
    def statement(self) -> Statement:
        """Return the innermost block."""
        return self.inner or (self.location.statement if self.location else self.server.statement)

    @cached_property
    def levels(self) -> tuple[Sequence[Statement], ...]:
        """Return the statements of each level, from http or stream inwards."""
        chain = []
        location = self.location
        while location:
            chain.append(location.statement.block or ())
            location = location.parent
        inner = (self.inner.block or (),) if self.inner else ()
        return (self.block.block or (), self.server.statement.block or (), *reversed(chain), *inner)

    def in_force(self, name: str) -> tuple[directives.Directive, ...]:
        """Return every line of a directive that is in force, or nginx's default, or ()."""
        found = directives.in_force(name, self.levels)
        if found:
            return found
        if self.block.name == STREAM:
            default = directives.stream_default(name)
        else:
            default = directives.default(name, self.configuration.version, self.configuration.page_size) or self._computed(name)
        return (default,) if default else ()

    def _computed(self, name: str) -> directives.Directive | None:
        """Return a default that follows from other directives: twice the larger of buffer size and one of the buffers."""
        family, _underscore, suffix = name.partition("_")
        if suffix not in ("busy_buffers_size", "temp_file_write_size") or family not in directives.FAMILIES:
            return None
        sizes = [item.size for item in (*self.in_force(f"{family}_buffer_size"), *self.in_force(f"{family}_buffers"))]
        if len(sizes) != 2 or None in sizes:
            return None
        return directives.Directive(name, (str(2 * max(sizes)),), None)

    @cached_property
    def scope(self) -> variables.Scope:
        """Return what variables can be here, whatever the request."""
        programs = [self.server.statement.block or ()]
        if self.location:
            programs.append(self.location.statement.block or ())
        if self.inner and self.inner.name == "if":
            programs.append(self.inner.block or ())
        return variables.Scope(self.definitions, tuple(programs), tuple(self.server.statement.named("location")), self._fixed)

    @cached_property
    def _fixed(self) -> dict[str, tuple[str, ...]]:
        fixed = {"server_name": (self.server.log_name,)}
        fixed["scheme"] = tuple("https" if tls else "http" for tls in self.tls)
        ports = tuple(dict.fromkeys(listen.address.rpartition(":")[2] for listen in self.server.listens if not listen.address.startswith("unix:")))
        if ports:
            fixed["server_port"] = ports
        return fixed

    def at_request(self, given: dict[str, str]) -> variables.Scope:
        """Return what variables are for one request; given are those that the request tells."""
        return replace(self.scope, fixed={**self._fixed, **{name: (value,) for name, value in given.items()}})

    @cached_property
    def folder(self) -> tuple[str, bool] | None:
        """Return ("root" or "alias" as a path, whether it is an alias); None when it has variables.

        The one at the inner level counts.
        """
        for depth in range(len(self.levels), 0, -1):
            for name in ("alias", "root"):
                found = directives.in_force(name, self.levels[depth - 1 : depth])
                if found and found[0].args:
                    return self._path(found[0].args[0], name == "alias")
        return self._path("html", False)

    def _path(self, written: str, alias: bool) -> tuple[str, bool] | None:
        values = self.scope.values(written)
        if len(values) != 1 or values[0].text is None:
            return None
        return posixpath.join(self.configuration.prefix or "/", values[0].text), alias
