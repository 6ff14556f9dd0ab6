# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of the backend dies while it serves.

## What it is
A worker, or the whole program, ends in the middle of a request: by a signal (a segmentation fault, an abort), or with an error
code (an exception that nobody caught, an exit). The connection breaks, nginx says "prematurely closed" or "reset by peer" (104) and the client
gets a 502, or half of an answer. Where a manager starts the program again, connections are refused until it is back. Go's net/http
goes on where a handler panicked, and drops that connection alone.

## How it is recognised
The error log has requests that were cut off, and within seconds of them systemd, supervisor, PM2 or the server's master (PHP-FPM,
gunicorn, uWSGI, Unicorn) noted the end of a process behind that endpoint, or a worker of a Node cluster told of an exception that nobody
caught: likely, and only possible where most of the lost requests have no such end nearby. Proven when, besides, the route's own probe is
cut off now, and the program is not started again and again: that may end by itself.

## Fix
None that is automatic: the fault is in the program. What its log says just before, and a core dump, tell where.

## When it stays silent
The process was asked to end (a stop, a restart, SIGTERM), was recycled, or was ended by its master for its timeout
(backend-killed-by-manager). It ended because its workers fail to boot (backend-start-failing). The kernel killed it for want of memory
(backend-oom-killed). It died at another time than requests failed, or it belongs to another endpoint. The program is down now: then that it is
down is the cause.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, ends, memory
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import FAILING
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_config, show_event, show_group, show_paths, show_probe, times


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose requests were lost when a process behind it died."""
    for leg in host.legs:
        side = ends.side_of(host, leg)
        if not side or absence.absent(leg) or absence.explain(host, leg):
            continue
        kills = memory.kills(side)
        if kills and kills.joined(leg).hits:
            continue
        crashes = ends.crashes(side)
        joined = ends.join(leg, crashes)
        if not joined.hits:
            joined = ends.join_away(leg, crashes)
        if joined.hits:
            yield _finding(host, leg, side, joined, crashes)


def _finding(host: Host, leg: Leg, side: ends.Side, joined: ends.Joined, crashes: list[dict]) -> Finding:
    now = ends.fails_now(leg)
    pids = {pid for event in joined.events for pid in event["pids"]}
    # uWSGI tells the signal in a line of its own, which may have no time.
    told = [event for event in crashes if event["signal"] and pids & set(event["pids"])]
    worst = max(joined.events, key=lambda event: (event["by"] != "log", event["count"]))
    worst = told[0] if told and not worst["signal"] else worst
    # What is started again and again may end by itself, whether or not it gets requests.
    again_and_again = side.first.state == FAILING
    certainty = (PROVEN if now and not again_and_again else LIKELY) if joined.mostly else POSSIBLE
    killed = worst["signal"] == ends.KILL
    if killed and certainty == PROVEN:
        # Whoever sends SIGKILL is not the program itself.
        certainty = LIKELY
    kernel = (side.home.answer("backend_log")["value"] or {}).get("kernel") or {}
    unread = killed and kernel.get("status") != "ok"
    # A kernel log that was read has no such kill.
    alternatives = ("backend-oom-killed",) if unread else ("backend-start-failing",) if again_and_again else ("backend-closes-early",)
    evidence = [show_config(leg), *(show_group(group) for group in joined.groups[:2]), *(show_event(event) for event in joined.events[:4])]
    evidence += show_paths(leg, *ends.CUT)
    evidence += [Evidence(f"last words of {event['owner']}", quote(line)) for event in joined.events[:2] for line in event["words"]]
    evidence += _cores(side, joined) + show_probe(leg)
    if unread:
        limit = next((limit for owner in side.owners for limit in ((ends.unit_of(side.home, owner).get("memory") or {}).get("limit"),) if limit), None)
        allowed = f"; its unit may use {limit / (1 << 20):.0f} MiB of memory" if limit else ""
        evidence.append(Evidence("kernel log", f"not read ({quote(kernel.get('why') or '')}): a kill for want of memory is not ruled out{allowed}"))
    count = sum(event["count"] for event in joined.events)
    again = "The route's own probe is cut off too." if now else "It answers now." if leg.answers else ""
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        f"{_subject(side.label(host), worst)} {_how(worst)} while it served {leg.endpoint} ({times(count)} when requests failed, "
        f"last {clock(max(event['last'] for event in joined.events))}). {again}".strip(),
        evidence,
        by_hand("Look in its log just before these moments for what it was doing; then mend the program."),
        side.first.look,
        () if certainty == PROVEN else alternatives,
    )


def _subject(label: str, event: dict) -> str:
    return f"A worker of {label}" if event["event"].startswith("worker-") or event["event"] == "uncaught-exception" else f"The process of {label}"


def _how(event: dict) -> str:
    if event["event"] == "heap-exhausted":
        return "ended because its heap was full"
    if event["event"] == "uncaught-exception":
        return "ended by an exception that nobody caught"
    if event["event"] == "request-panic":
        return "panicked and closed the connection"
    if event["signal"]:
        try:
            name = signal.Signals(event["signal"]).name
        except ValueError:
            name = f"signal {event['signal']}"
        return f"was killed by {name}"
    return f"ended with code {event['code']}" if event["code"] else "ended"


def _cores(side: ends.Side, joined: ends.Joined) -> list[Evidence]:
    """Show the core dumps and the kernel's segfault lines of these moments."""
    moments = [moment for event in joined.events for moment in event["moments"]]
    pids = {pid for event in joined.events for pid in event["pids"]}
    names = {process.comm for item in side.listeners for process in item.processes}

    def fits(item: dict) -> bool:
        # The pid of a main process is not told; its name and the moment are.
        at_that_time = bool(item["time"]) and any(abs(item["time"] - moment) <= ends.SLACK for moment in moments)
        return item["pid"] in pids or not pids and at_that_time and item["comm"] in names

    cores = ((side.home.answer("backend_log")["value"] or {}).get("cores") or {}).get("value") or ()
    shown = [Evidence("core dump", quote(core["name"])) for core in cores if fits(core)][-2:]
    return shown + [Evidence("kernel log", quote(event["sample"])) for event in ends.kernel_events(side.home, "segfault") if fits(event)][-2:]


RULE = Rule(
    id="backend-crashed",
    title="The backend crashes while it serves",
    needs=("nginx", "error_log", "listeners", "backends.units", "backend_log"),
    check=check,
)
