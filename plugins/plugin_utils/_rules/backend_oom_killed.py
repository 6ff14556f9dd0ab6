# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel kills the backend because memory ran out.

## What it is
The memory of the host, or the limit of the backend's own control group (MemoryMax of its unit), is used up, and the kernel kills a process of
the backend. What it served breaks off: a 502. Where nobody starts it again, connections are refused from then on.

## How it is recognised
By the kernel's word, not by a SIGKILL alone, which anybody may send: a line of the kernel's log with the unit or the process, the result "oom-kill"
that systemd gives a unit, the flag OOMKilled that its engine gives a container, or the count of kills in the control group. Proven when the backend
is down with that result now, or when the kill coincides with lost requests and the route's own probe is cut off too; likely when it coincides with
lost requests and the endpoint answers now. A kill that cost no request within the log window is a risk.

## Fix
None that is automatic. The figures are given: the limit, the most that was used, what the killed process had. Find what needs the memory, use
fewer workers, or raise the limit.

## When it stays silent
No part of the host's evidence tells of a kill by the kernel, or it was another unit's process, or before the log window. A unit that was killed
by SIGKILL and of which the kernel says nothing is only down (backend-not-running) or crashed (backend-crashed).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, contained, ends, memory
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_config, show_event, show_group, show_paths, show_probe, times


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint behind which the kernel killed a process."""
    for leg in host.legs:
        container = _container(host, leg)
        if container and container.oom_killed and not container.up:
            yield _of_container(host, leg, container)
            continue
        serving = host.container_behind(leg.listeners[0]) if leg.local and leg.listeners else None
        if serving and serving.memory.get("oom_kills"):
            yield _in_container(host, leg, serving)
            continue
        side = ends.side_of(host, leg)
        kills = memory.kills(side) if side else None
        if not kills:
            continue
        killed = _killed(kills, f" on {side.home.name}" if side.home is not host else "")
        if absence.absent(leg):
            if kills.down_by:
                joined = ends.join_away(leg, kills.moments)
                yield _finding(host, leg, kills, joined, PROVEN, f"Nothing listens on {leg.endpoint}: {killed}, and it is {kills.owner.says}.")
            continue
        joined = kills.joined(leg)
        if joined.hits:
            certainty = (PROVEN if ends.fails_now(leg) else LIKELY) if joined.mostly else POSSIBLE
            again = " It answers now." if leg.answers else ""
            yield _finding(host, leg, kills, joined, certainty, f"{killed} while it served {leg.endpoint}.{again}")
        else:
            when = "" if kills.moments else f" at an unknown time since {clock(kills.unit.get('started'))}"
            says = f"{killed}{when}; no failed request of {leg.endpoint} shows it."
            yield or_risk(_finding(host, leg, kills, joined, PROVEN, says), False)


def _container(host: Host, leg: Leg) -> Container | None:
    """Return the container of this host that is down behind a leg, or None."""
    found = contained.verdict(host, leg)
    if found and found.cause in (contained.NOT_RUNNING, contained.START_FAILING) and found.home is host:
        return found.target
    explained = absence.explain(host, leg)
    down = explained and explained.owner and explained.seen_on is host and explained.cause in (absence.NOT_RUNNING, absence.START_FAILING)
    return host.containers.by_id(explained.owner.container) if down else None


def _of_container(host: Host, leg: Leg, container: Container) -> Finding:
    owner, limit = host.owner_named(container), container.memory.get("limit")
    evidence = [show_config(leg), Evidence(owner.source, f"OOMKilled, exit code {container.exit_code}, ended {clock(container.finished)}")]
    evidence += [Evidence("memory", f"limit {_mib(limit)}")] if limit else []
    evidence += [Evidence(f"last words of {owner.name}", quote(line)) for line in container.words[-3:]]
    more = "what uses the memory of the host, or give it more"
    if limit:
        more = f"what needs more than {_mib(limit)}, or give it more (mem_limit: in Compose, --memory)"
    return on_leg(
        host,
        RULE.id,
        leg,
        PROVEN,
        f"The kernel killed {owner.label}{f' at its limit of {_mib(limit)}' if limit else ''} for want of memory, and it is {owner.says}.",
        evidence + show_probe(leg),
        by_hand(f"Find {more}; then start it: {owner.start}"),
        owner.look,
    )


def _in_container(host: Host, leg: Leg, container: Container) -> Finding:
    """A process of a container that goes on: a worker, whose requests were cut off."""
    owner, limit, count = host.owner_named(container), container.memory.get("limit"), container.memory["oom_kills"]
    lost = [group for group in leg.logged(*ends.CUT) if (group["last"] or 0.0) >= container.started]
    at_limit = f" at its limit of {_mib(limit)}" if limit else ""
    evidence = [show_config(leg), *(show_group(group) for group in lost[:2])]
    evidence.append(Evidence(f"control group of {owner.name}", f"oom_kill: {times(count)} since its start{f', limit {_mib(limit)}' if limit else ''}"))
    finding = on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if lost else PROVEN,
        f"The kernel killed a process of {owner.label}{at_limit} for want of memory ({times(count)} since its start); the container goes on.",
        evidence + show_paths(leg, *ends.CUT) + show_probe(leg),
        by_hand("Find what needs that much, use fewer workers, or give the container more (mem_limit: in Compose, --memory)."),
        owner.look,
        ("backend-crashed",) if lost else (),
    )
    return or_risk(finding, bool(lost))


def _killed(kills: memory.Kills, where: str) -> str:
    limited = (kills.unit.get("memory") or {}).get("limit")
    of_group = any(event["constraint"] == "group" for event in kills.kernel) or not kills.kernel and limited
    why = f" at its limit of {_mib(limited)}" if of_group and limited else " because the memory of the host ran out" if kills.kernel and not of_group else ""
    return f"The kernel killed a process of {kills.owner.label}{where} for want of memory{why}"


def _finding(host: Host, leg: Leg, kills: memory.Kills, joined: ends.Joined, certainty: str, says: str) -> Finding:
    figures = kills.unit.get("memory") or {}
    evidence = [show_config(leg), *(show_group(group) for group in joined.groups[:2])]
    evidence += [Evidence("kernel log", quote(event["sample"])) for event in kills.kernel[-2:]]
    evidence += [Evidence(f"systemctl show {kills.unit['name']}", f"result {kills.unit['result']}")] if kills.unit.get("result") == "oom-kill" else []
    evidence += [show_event(event) for event in kills.events[:3]]
    if kills.counted:
        evidence.append(Evidence(f"control group of {kills.unit['name']}", f"oom_kill: {times(kills.counted)} since its start"))
    known = [f"{name} {_mib(value)}" for name, value in (("limit", figures.get("limit")), ("most in use", figures.get("peak"))) if value]
    known += [f"{event['comm']} had {_mib(event['memory'])}" for event in kills.kernel[-1:] if event["memory"]]
    if known:
        evidence.append(Evidence("memory", ", ".join(known)))
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        says,
        evidence + show_paths(leg, *ends.CUT) + show_probe(leg),
        by_hand(_advice(kills, figures)),
        f"systemctl show -p MemoryMax,MemoryCurrent,NRestarts,Result {shlex.quote(kills.unit['name'])}" if kills.unit else kills.owner.look,
        () if certainty == PROVEN else ("backend-crashed",),
    )


def _advice(kills: memory.Kills, figures: dict) -> str:
    if figures.get("limit"):
        return f"Find what needs more than {_mib(figures['limit'])}, use fewer workers, or raise MemoryMax of {kills.unit['name']}."
    return "Find what uses the memory of the host, use fewer workers, or give the host more."


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


RULE = Rule(
    id="backend-oom-killed",
    title="The kernel kills the backend for want of memory",
    needs=("nginx", "error_log", "listeners", "backends.units", "backend_log"),
    check=check,
)
