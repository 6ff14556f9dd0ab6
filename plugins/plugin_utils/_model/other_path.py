# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other path a proxy_pass may be meant to ask for: with its slash, with the prefix of the location, without it.

This module is private to the collection.
"""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations, routes, variables


def of(route: routes.Route, path: str, given: bool) -> str:
    """Return the path that another way to write the pass would ask for when a client asks for a path, or "".

    given  a person named the path. The first path of a location says nothing of what is below it, so that leaving its prefix out is then no
           question: most backends answer "/".
    """
    location = route.site.location
    if route.directive != "proxy_pass" or not location or location.modifier not in (locations.PREFIX, locations.SHIELD):
        return ""
    asked = route.upstream_uri(path)
    if asked is None or variables.names_in(route.written) or not path.startswith(location.path) or any(location.statement.named("rewrite")):
        return ""
    uri, rest = route.target.uri, path[len(location.path) :].lstrip("/")
    if not uri:
        other = "/" + rest if given and location.path != "/" else ""
    elif uri.endswith("/") != location.path.endswith("/"):
        other = uri.rstrip("/") + "/" + rest
    else:
        other = path
    return other if other != asked else ""
