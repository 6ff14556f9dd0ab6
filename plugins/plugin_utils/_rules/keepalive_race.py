# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend closes idle keepalive connections before nginx does, and a request that is sent at that moment is lost.

## What it is
With "keepalive" in the upstream block (in every block since nginx 1.29.7), nginx keeps connections for the next request, for
keepalive_timeout (60 s by default). A backend that closes them earlier (Node and uvicorn after 5 s, gunicorn with threads
after 2 s) sometimes does so while nginx already sends: "prematurely closed" or 104, and a 502. nginx sends a GET again
over a new connection; a POST it may not repeat, so that mostly POST requests fail, a few in a hundred.

## How it is recognised
nginx keeps connections for longer than the backend, whose time is told by the Keep-Alive header of its answer to a probe or
by its own settings. With records of closed or reset connections before the response header, and processes that ran
through all of them: likely, because a log does not tell a reused connection. Without any: a risk, the times being
proven. Where the backend's time is not known and requests that cannot be repeated failed so: possible.

## Fix
keepalive_timeout in the upstream block below the backend's time; or the backend's above it (keepAliveTimeout of Node,
--timeout-keep-alive of uvicorn, --keep-alive of gunicorn). Risky: nginx opens connections more often.

## When it stays silent
Connections are not kept at all (keepalive-incomplete says why), the backend closes each after its answer, or keeps them for
longer than nginx. A backend that was started again after the records crashed or was restarted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit, _keeping
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, keepalive, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.keepalive import Keeping
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.servers import Setting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ONCE, RISKY, Rule, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_probe

_CLASSES = ("closed-early", "reset-early")
_OTHERS = ("backend-crashed", "backend-killed-by-manager", "backend-closes-early")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route on which nginx keeps connections for longer than the backend, a mere risk once for the servers of a group."""
    risks: dict[tuple, Finding] = {}
    shorter = list(_shorter(host))
    # The servers of a group share one time.
    shortest: dict[tuple, float] = {}
    for leg, _kept, idle in shorter:
        if idle:
            shortest[_group(leg)] = min(idle.value, shortest.get(_group(leg), idle.value))
    for leg, kept, idle in shorter:
        groups = leg.logged(*_CLASSES)
        once = _not_repeated(leg, groups)
        lived = bool(groups) and ends.lived_through(host, leg, groups)
        if idle and kept.sure:
            struck = lived and once
            found = or_risk(_finding(host, leg, kept, idle, LIKELY if struck else PROVEN, shortest[_group(leg)]), struck)
            if struck:
                yield found
                continue
            key = (*_group(leg), idle.value)
            first = risks.setdefault(key, found)
            if first is not found:
                risks[key] = dataclasses.replace(first, also=(*first.also, found.route))
        elif lived and once and leg.answers:
            yield _finding(host, leg, kept, None, POSSIBLE, 0.0)
    yield from risks.values()


def _shorter(host: Host) -> Iterator[tuple[Leg, Keeping, Setting | None]]:
    """Yield the legs whose backend does not keep idle connections for longer than nginx, as far as that is known, and for how long it does."""
    for leg in host.legs:
        kept = keepalive.keeping(leg.route)
        if not kept or kept.undone or not kept.timeout.seconds:
            continue
        idle, closes = _idle(host, leg)
        if not closes and not (idle and idle.value > kept.timeout.seconds):
            yield leg, kept, idle


def _group(leg: Leg) -> tuple:
    return leg.instance.id, leg.route.family, leg.route.group


def _not_repeated(leg: Leg, groups: list[dict]) -> bool:
    """Return whether some of the requests in the log are such that nginx does not send them again."""
    next_upstream = leg.route.value("next_upstream")
    if groups and next_upstream and next_upstream.args == ("off",):
        return True
    return any(method in ONCE for group in groups for method in group.get("methods") or ())


def _idle(host: Host, leg: Leg) -> tuple[Setting | None, bool]:
    """Return how long the backend keeps an idle connection, None when that is not known; and whether it closes each after its answer."""
    answer = (leg.probe.asked.get("keep_alive") or {}) if leg.probe else {}
    if answer and not answer.get("kept"):
        return None, True
    if answer.get("seconds") is not None:
        return Setting(answer["seconds"], "the Keep-Alive header of its answer"), False
    server = servers.server_of(host, leg)
    idle = server.idle if server and leg.route.family == "proxy" else None
    return (None, True) if idle and not idle.value else (idle, False)


def _finding(host: Host, leg: Leg, kept: Keeping, idle: Setting | None, certainty: str, shortest: float) -> Finding:
    group, limit = leg.route.upstream, kept.timeout.seconds
    evidence = [show_config(leg)]
    evidence.append(Evidence(str(kept.written.at or "nginx default"), f"{kept.written} of upstream {group.name} is in force"))
    evidence.append(Evidence(str(kept.timeout.at or "nginx default"), f"{kept.timeout} of upstream {group.name} is in force"))
    if idle:
        evidence.append(Evidence(idle.place, f"{leg.endpoint} closes a connection after {idle.value:g} s without a request"))
    evidence += show_probe(leg) + show_log(leg, *_CLASSES) + show_paths(leg, *_CLASSES)
    if idle:
        closes = f"{leg.endpoint} closes idle connections after {idle.value:g} s ({idle.place}), nginx keeps them for {limit:g} s"
        says = f"{closes}: a request that is sent as one closes fails."
    else:
        met = f"Requests to {leg.endpoint} that nginx may not repeat met a closed connection"
        says = f"{met}; nginx keeps idle connections for {limit:g} s, perhaps longer than the backend."
    return on_leg(
        host, RULE.id, leg, certainty, says, evidence, _fix(leg, kept, shortest), "", () if certainty == PROVEN else _OTHERS,
        at=kept.timeout.at or kept.written.at or group.at, failure=ANSWER,
    )


def _fix(leg: Leg, kept: Keeping, shortest: float) -> Fix:
    """Return what to do; shortest is the shortest time of the servers of the group, 0.0 where none is known."""
    group, changes = leg.route.upstream, _keeping.of_group(leg.route, _keeping.below(shortest))
    if not changes:
        longer = f"Let the backend keep idle connections for longer than the {kept.timeout.seconds:g} s of nginx"
        return by_hand(f"{longer}, or set keepalive_timeout in upstream {group.name} below its time.")
    also = _edit.shared(leg.route.site.configuration, (group.at,))
    summary = f"In upstream {group.name}: keepalive_timeout {changes[0]['timeout']}; or let the backend keep them for longer. {also}"
    return Fix(remedy="upstream_keepalive", safety=RISKY, summary=summary.strip(), changes=changes)


RULE = Rule(
    id="keepalive-race",
    title="The backend closes idle connections before nginx does",
    needs=("nginx", "error_log"),
    check=check,
)
