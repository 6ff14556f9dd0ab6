# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a group is to be written so that nginx leaves a dead server out, and goes on to another one.

This module is private to the collection.
"""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Group, Route

# A server that fails that often within that time is left out for as long. nginx's default, one failure, takes a server out for one request
# that was cut; and a time that is longer keeps one out that is well again.
MAX_FAILS, FAIL_TIMEOUT = 3, "10s"
_MOST_TRIES = 3


def steadier(group: Group) -> tuple[dict, ...]:
    """Return what upstream_group is told so that each server of a group is left out after MAX_FAILS failures, for no longer than FAIL_TIMEOUT.

    () where they all are so already, or where what is written is not known.
    """
    servers = []
    for statement in group.statement.named("server"):
        options = dict(word.partition("=")[::2] for word in statement.args[1:])
        fails, pause = options.get("max_fails", "1"), options.get("fail_timeout", FAIL_TIMEOUT)
        wanted = {}
        if not fails.isdigit() or int(fails) < MAX_FAILS:
            wanted["max_fails"] = str(MAX_FAILS)
        if (directives.seconds(pause) or 0.0) > (directives.seconds(FAIL_TIMEOUT) or 0.0):
            wanted["fail_timeout"] = FAIL_TIMEOUT
        if not _edit.legible(*statement.args):
            return ()
        if wanted and "down" not in statement.args:
            kept = [word for word in statement.args if word.partition("=")[0] not in wanted]
            kept += [f"{name}={value}" for name, value in wanted.items()]
            servers.append({"args": kept, "replaces": list(statement.args), "at": _edit.place(statement)})
    if not servers or not _edit.legible(*group.statement.args):
        return ()
    return ({"context": _edit.context(group.statement), "servers": servers},)


def goes_on(route: Route, name: str, servers: int) -> tuple[dict, ...]:
    """Return what upstream_group is told so that nginx goes on to another server: name is "next_upstream", or "next_upstream_tries"; () as above.

    The line is changed where it is in force. What is not idempotent is not repeated.
    """
    found = route.value(name)
    spots = [spot for spot in _edit.spots(route.site.configuration, found.at) if spot.statement.name == found.name] if found and found.at else []
    if len({spot.statement.args for spot in spots}) != 1 or not _edit.legible(*spots[0].block.args):
        return ()
    family = "proxy" if route.family == "stream" else route.family
    if name == "next_upstream_tries":
        wanted: dict[str, object] = {"tries": min(servers, _MOST_TRIES)}
    else:
        wanted = {"next_upstream": ["on"] if route.family == "stream" else ["error", "timeout"]}
    replaces = {next(iter(wanted)): list(spots[0].statement.args)}
    return ({"context": _edit.context(spots[0].block), "module": family, **wanted, "replaces": replaces},)
