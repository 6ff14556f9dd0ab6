# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's own time-out does not fit the one of nginx.

## What it is
gunicorn (--timeout, sync workers), uWSGI (harakiri) and PHP-FPM (request_terminate_timeout) end a request that takes too
long. Where that comes before nginx gives up, a slow request gives a 502, and raising *_read_timeout alone changes nothing.
Where it never comes, or much later, a worker goes on for a client that nginx has long answered with a 504, and the client's
next try takes another one.

## How it is recognised
Both times are known: that of nginx from the directive in force on the route, that of the backend from its own settings.
The backend's is shorter, and one of the two was set on purpose; or it is longer, or none, and requests do run into the
time-out of nginx.

## Fix
Let the backend end a request a little before nginx does, and choose both for the route that needs it.
max_execution_time of PHP is no help: on Linux it counts processor time, not waiting.

## When it stays silent
Both are defaults and nothing runs into them. gunicorn with threads or an asynchronous worker: its --timeout does not end requests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import servers, settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise, by_role, route_of

_NAMES = {"gunicorn": "--timeout", "uwsgi": "harakiri", "php-fpm": "request_terminate_timeout"}


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each server whose time-out and those of its routes do harm together."""
    found: dict[tuple, Finding] = {}
    for leg in host.legs:
        server, timeout = servers.server_of(host, leg), leg.route.value("read_timeout")
        kills = server.kills_after if server else None
        if not kills or not timeout or not timeout.seconds or leg.route.family == "stream":
            continue
        name, limit = _NAMES[server.kind], timeout.seconds
        place = f"{timeout.name}, {timeout.at or 'the default'}"
        if 0 < kills.value < limit and (kills.at or timeout.at):
            says = (
                f"{server.label} ends a request after {kills.value:g} s ({name}, {kills.place}), before nginx gives up after {limit:g} s ({place}): "
                "a slow request gives a 502, and a longer time in nginx changes nothing."
            )
        elif (not kills.value or kills.value > limit) and _runs_into(leg, limit):
            ends = f"ends a request only after {kills.value:g} s" if kills.value else "never ends a request"
            says = (
                f"nginx gives up on {leg.endpoint} after {limit:g} s ({place}), {server.label} {ends} ({name}, {kills.place}): "
                "its workers go on working for clients that are gone."
            )
        else:
            continue
        evidence = [
            Evidence(str(timeout.at or "nginx default"), f"{timeout} is in force"),
            Evidence(kills.place, f"{name} is {kills.value:g} s" if kills.value else f"{name} is off"),
        ]
        # It is the server's setting that is to be chosen: said once, with the other routes to it.
        key = (leg.instance.id, server.listener.endpoint, 0 < kills.value < limit)
        first = found.get(key)
        if first:
            found[key] = dataclasses.replace(first, also=(*first.also, route_of(leg)))
            continue
        found[key] = advise(RULE.id, leg, says, evidence, _align(host, leg, server, name, timeout.name))
    yield from found.values()


def _align(host: Host, leg: Leg, server: servers.Server, name: str, waits: str) -> Fix:
    seconds = settings.coherent_timeout(host, server)
    if seconds is None:
        summary = f"Set {name} a little below the {waits} of the route, both as long as its slowest request needs."
        return by_role("backend_timeout", summary, settings.Change(None, "how long nginx waits on another route there is not known"))
    summary = f"Set {name} to {seconds} s, a little below what nginx waits on its slowest route there, if its slowest request needs that."
    return by_role("backend_timeout", summary, settings.change(host, leg, server, "timeout", seconds))


def _runs_into(leg: Leg, limit: float) -> bool:
    return bool(leg.logged("read-timeout")) or leg.waited is not None and leg.waited > limit


RULE = Rule(
    id="timeouts-misaligned",
    title="The time-outs of nginx and the backend do not fit",
    needs=("nginx", "listeners", "servers"),
    check=check,
)
