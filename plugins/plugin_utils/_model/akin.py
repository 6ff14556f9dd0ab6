# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a program and a route have names in common that say something.

This module is private to the collection.
"""

from __future__ import annotations

import re

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Leg, Listener

_DULL = frozenset(
    """app apps available backend bin com conf container containers data default docker enabled etc example home http https image index java latest lib
    library local localhost main net nginx node opt org php podman python python3 root ruby run server service share site sites sock srv system systemd
    upstream usr var web www""".split()
)


def akin(leg: Leg, found: set[str]) -> bool:
    """Return whether the words of a program and the names of a route share one."""
    route = leg.route
    return bool(found & words(route.group or "", route.location, route.at.file, leg.endpoint.path, *route.names))


def words_of(item: Listener) -> set[str]:
    """Return the words in the names of the programs behind a socket."""
    return set().union(*(words(process.unit, *process.argv[:4]) for process in item.processes), words(item.endpoint.path))


def words(*texts: str) -> set[str]:
    """Return the words of some texts that tell one program from another."""
    return {word for text in texts for word in re.findall(r"[a-z0-9]{3,}", text.lower()) if word not in _DULL and not word.isdigit()}
