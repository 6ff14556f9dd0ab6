# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's own manager ends the worker in the middle of a request.

## What it is
gunicorn's --timeout (30 s by default), uWSGI's harakiri and PHP-FPM's request_terminate_timeout end a worker whose request takes too
long. Where that is shorter than nginx waits, nginx sees the connection break and answers 502, where a slower end would have been a 504. (gunicorn from
22.0 on answers 500 itself.) uWSGI's evil-reload-on-rss and PM2's max_memory_restart do the same to what uses too much memory, and a reload of PHP-FPM to every
running request as long as process_control_timeout is 0, its default.

## How it is recognised
The route's own probe was cut off after just that timeout: proven. The master's log has such an end within seconds of requests that were
cut off, or was reloaded then: likely, and only possible where most of the lost requests have none nearby.

## Fix
Align the timeouts: the manager's as long as the slowest request needs, a little below nginx's *_read_timeout for that route; what lasts is a faster
request, or work that is done outside the request. Risky: the backend is restarted, and slow requests hold workers for longer.

## When it stays silent
Nothing was cut off at the times of the log, the worker died by itself (backend-crashed), or nginx gave up first (upstream-timeout).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, ends, servers, settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, by_role, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import (
    clock,
    quote,
    show_config,
    show_event,
    show_group,
    show_paths,
    show_probe,
    show_slow,
    times,
)

# Masters look after their workers about once a second, and gunicorn may need a second look.
_LATE = 3.0
_EARLY = 0.2
_NAMES = {"gunicorn": "gunicorn's --timeout", "uwsgi": "uWSGI's harakiri", "php-fpm": "PHP-FPM's request_terminate_timeout"}
_EVENTS = {
    "harakiri": _NAMES["uwsgi"],
    "terminate-timeout": _NAMES["php-fpm"],
    "memory-reload": "uWSGI's evil-reload",
    "worker-timeout": "its master",
}
_ALIGN = "as long as the slowest request needs, a little below what nginx waits; what lasts is a faster request."


@dataclass(frozen=True)
class Limit:
    """How long a master lets a request take, and where that is set."""

    name: str
    seconds: float
    source: str


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose requests were lost because its manager ended the worker."""
    for leg in host.legs:
        side = ends.side_of(host, leg)
        if not side or absence.absent(leg):
            continue
        joined = ends.join(leg, side.events(*ends.TIMEOUTS, "memory-reload"))
        limit = _limit(host, leg)
        proven = bool(limit) and _cut_at(leg, limit)
        if proven or joined.hits:
            yield _finding(host, leg, side, joined, limit, PROVEN if proven else LIKELY if joined.mostly else POSSIBLE)
            continue
        reloads = ends.join(leg, [event for event in side.events("reload") if event["detail"].get("what") == "Reloading in progress"])
        if reloads.hits and not _waits_for_requests(side):
            yield _cut_by_reload(host, leg, side, reloads)


def _limit(host: Host, leg: Leg) -> Limit | None:
    server = servers.server_of(host, leg)
    after = server.kills_after if server else None
    return Limit(_NAMES[server.kind], after.value, after.place) if after and after.value else None


def _cut_at(leg: Leg, limit: Limit) -> bool:
    seconds = leg.probe.asked.get("seconds") if ends.fails_now(leg) else None
    return seconds is not None and limit.seconds - _EARLY <= seconds <= limit.seconds + _LATE


def _waits_for_requests(side: ends.Side) -> bool:
    """Return whether PHP-FPM lets requests end before it reloads."""
    units = {owner.unit for owner in side.owners}
    versions = (side.home.answer("php_fpm")["value"] or {}).get("versions") or ()
    return any(version.get("process_control_timeout") for version in versions if version["unit"] in units)


def _let_finish(host: Host, side: ends.Side) -> settings.Change:
    """Return how PHP-FPM is told to wait for requests."""
    if side.home is not host:
        return settings.Change(None, "it runs on another host")
    units = {owner.unit for owner in side.owners}
    versions = [version for version in (host.answer("php_fpm")["value"] or {}).get("versions") or () if version["unit"] in units]
    if len(versions) != 1:
        return settings.Change(None, "which PHP-FPM it is, is not known")
    return settings.of_master(host, versions[0], [{"name": "process_control_timeout", "value": "30s"}])


def _cut_by_reload(host: Host, leg: Leg, side: ends.Side, joined: ends.Joined) -> Finding:
    """PHP-FPM's master ends its children at once when it reloads, unless process_control_timeout lets them finish (fpm_process_ctl.c)."""
    evidence = [show_config(leg), *(show_group(group) for group in joined.groups[:2]), *show_paths(leg, *ends.CUT)]
    evidence += [show_event(event) for event in joined.events[:3]]
    evidence.append(Evidence("php-fpm.conf", "process_control_timeout is 0, its default: running requests are not waited for"))
    summary = "Set process_control_timeout in php-fpm.conf to as long as the slowest request needs, such as 30s; it counts from the next start on."
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if joined.mostly else POSSIBLE,
        f"PHP-FPM was reloaded while {side.label(host)} served {leg.endpoint}, and ended the requests that were running "
        f"({times(sum(event['count'] for event in joined.events))}, last {clock(max(event['last'] for event in joined.events))}).",
        evidence,
        by_role("backend_timeout", summary, _let_finish(host, side)),
        side.first.look,
        ("backend-crashed",),
    )


def _finding(host: Host, leg: Leg, side: ends.Side, joined: ends.Joined, limit: Limit | None, certainty: str) -> Finding:
    timeout = leg.route.value("read_timeout")
    waits = f"nginx waits {timeout.seconds:g} s ({timeout.name}, {timeout.at or 'the default'})" if timeout and timeout.seconds else ""
    who = limit.name if limit else _EVENTS[joined.events[0]["event"]]
    of_memory = bool(joined.events) and all(event["event"] == "memory-reload" for event in joined.events)
    summary = f"Set that timeout {_ALIGN}"
    if limit and not of_memory:
        how = f"{limit.name} ends the worker after {limit.seconds:g} s ({limit.source})"
    else:
        how = f"{who} ended the worker" + (" for its memory" if of_memory else "")
        if of_memory and joined.events[0]["by"] == "pm2":
            how = "PM2's max_memory_restart ended the process for its memory"
            summary = "Let the program end its requests on SIGINT within kill_timeout, or raise max_memory_restart; find what needs the memory."
        elif of_memory:
            summary = "Use reload-on-rss, which ends a worker between requests; find what needs the memory."
    fix = by_hand(summary) if of_memory or not limit else _align(host, leg, limit)
    last = ""
    if joined.hits:
        last = f", {times(sum(event['count'] for event in joined.events))} by its log, last {clock(max(event['last'] for event in joined.events))}"
    evidence = [show_config(leg)]
    evidence += [Evidence(quote(limit.source), f"{limit.name}: {limit.seconds:g} s")] if limit else []
    evidence += [Evidence(str(timeout.at or "nginx default"), f"{timeout.name} {' '.join(timeout.args)} is in force")] if waits else []
    evidence += show_probe(leg) + [show_group(group) for group in joined.groups[:2]] + show_paths(leg, *ends.CUT)
    evidence += [show_event(event) for event in joined.events[:3]]
    scripts = sorted({str(event["detail"]["script"]) for event in joined.events if event["detail"].get("script")})
    evidence += [Evidence("scripts that were ended", quote(", ".join(scripts[:3])))] if scripts else []
    evidence += [] if of_memory else show_slow(host, leg)
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        f"{how} in the middle of a request of {leg.endpoint}{', while ' + waits if waits and not of_memory else ''}{last}; the client gets a 502.",
        evidence,
        fix,
        side.first.look,
        () if certainty == PROVEN else ("backend-crashed",),
    )


def _align(host: Host, leg: Leg, limit: Limit) -> Fix:
    """Return the fix of a manager that ends requests before nginx gives up on them."""
    server = servers.server_of(host, leg)
    seconds = settings.coherent_timeout(host, server)
    if seconds is None or seconds <= limit.seconds:
        why = "nginx waits no longer than that, so its own time-out must be raised first"
        return by_role("backend_timeout", f"Set {limit.name} {_ALIGN}", settings.Change(None, why))
    summary = f"Set {limit.name} to {seconds} s, a little below what nginx waits on its slowest route there; what lasts is a faster request."
    return by_role("backend_timeout", summary, settings.change(host, leg, server, "timeout", seconds))


RULE = Rule(
    id="backend-killed-by-manager",
    title="The backend's own manager ends the worker in the middle of a request",
    needs=("nginx", "error_log", "listeners", "php_fpm", "backends.units", "servers", "backend_log"),
    check=check,
)
