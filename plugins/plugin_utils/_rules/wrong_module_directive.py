# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directive of one module is written where another module passes requests on.

## What it is
Each pass has directives of its own: proxy_read_timeout has no effect on fastcgi_pass, nor fastcgi_buffer_size on
uwsgi_pass. nginx says nothing of it: the directive is valid, and nobody reads it. What was meant to be
longer or larger keeps its default.

## How it is recognised
A server or a location sets directives of a module of which no pass stands anywhere in it, and has passes of another one.

## Fix
Write the directive of the module that passes the requests on.

## When it stays silent
Some pass in that server or location is of the module; the module that does pass has the same setting of its own
(settings that are written for every module at once); the directive stands at the level of http, where one file is often
kept for many hosts.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise

# Not settings of a pass: the pass itself, and what belongs to http as a whole.
_NO_SETTINGS = ("pass", "cache_path", "temp_path", "headers_hash_max_size", "headers_hash_bucket_size", "protocol", "protocol_timeout")
_MOST_SHOWN = 6


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each server or location that sets what its passes do not read."""
    seen: set[tuple[int, str]] = set()
    for leg in host.legs:
        if leg.route.family not in directives.FAMILIES:
            continue
        for block in _blocks(leg):
            for family, idle in _idle(leg, block).items():
                if (id(block), family) not in seen:
                    seen.add((id(block), family))
                    yield _advice(leg, family, idle)


def _blocks(leg: Leg) -> Iterator[Statement]:
    """Yield the location of a leg, those around it, and its server."""
    location = leg.route.site.location
    while location:
        yield location.statement
        location = location.parent
    yield leg.route.site.server.statement


def _idle(leg: Leg, block: Statement) -> dict[str, list[Statement]]:
    """Return the directives directly in a block that no pass in it reads, by family."""
    found: dict[str, list[Statement]] = {}
    for statement in block.block or ():
        family, _underscore, suffix = statement.name.partition("_")
        if statement.block is None and suffix and family in directives.FAMILIES and family != leg.route.family and suffix not in _NO_SETTINGS:
            found.setdefault(family, []).append(statement)
    return {
        family: kept
        for family, statements in found.items()
        if not _passes(block, f"{family}_pass") and (kept := [item for item in statements if not _set_too(leg, item)])
    }


def _passes(block: Statement, name: str) -> bool:
    return any(item.name == name or _passes(item, name) for item in block.block or ())


def _set_too(leg: Leg, statement: Statement) -> bool:
    """Return whether the module that passes has the same setting, written somewhere."""
    return any(item.at for item in leg.route.site.in_force(_own_name(leg, statement)))


def _own_name(leg: Leg, statement: Statement) -> str:
    return f"{leg.route.family}_{statement.name.partition('_')[2]}"


def _advice(leg: Leg, family: str, idle: list[Statement]) -> Finding:
    names = ", ".join(dict.fromkeys(item.name for item in idle))
    one = len(idle) == 1
    return advise(
        RULE.id,
        leg,
        f"{names} at {idle[0].at} {'has' if one else 'have'} no effect on {leg.route.directive}: only {family}_pass reads {'it' if one else 'them'}.",
        [Evidence(str(item.at), " ".join((item.name, *item.args))) for item in idle[:_MOST_SHOWN]]
        + [Evidence(str(leg.route.at), f"{leg.route.directive} {leg.route.written}")],
        " ".join(dict.fromkeys(_instead(leg, item) for item in idle[:_MOST_SHOWN])),
        at=idle[0].at,
    )


def _instead(leg: Leg, statement: Statement) -> str:
    """Return the directive that would do, as a sentence."""
    own, suffix = _own_name(leg, statement), statement.name.partition("_")[2]
    known = directives.default(own, leg.route.site.configuration.version) is not None or suffix in ("busy_buffers_size", "hide_header", "pass_header")
    if known or suffix == "set_header" and leg.route.family == "grpc":
        return f"Write {' '.join((own, *statement.args))};"
    if suffix == "set_header" and leg.route.family in ("fastcgi", "uwsgi", "scgi") and len(statement.args) == 2:
        header = statement.args[0].upper().replace("-", "_")
        return f"Write {leg.route.family}_param HTTP_{header} {statement.args[1]};"
    return f"Take {statement.name} away: {leg.route.directive} has nothing like it."


RULE = Rule(
    id="wrong-module-directive",
    title="A directive of another module than the pass",
    needs=("nginx",),
    check=check,
)
