# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is slower than nginx waits: a 504.

## What it is
nginx waits *_connect_timeout for a connection and a TLS handshake, *_send_timeout between two writes of the request, and
*_read_timeout between two reads of the response (60 s each by default). A backend that needs longer gives the client a
504, not a 502.

## How it is recognised
A probe of the route waited for longer than the timeout in force: proven. Records "upstream timed out (110)" while reading
the response header, sending the request or in the TLS handshake, within the log window and made under the configuration
that runs: likely. While connecting, with a timeout below 5 s set and a backend that takes connections now: possible.
The status page of a PHP-FPM pool and its slow log are shown.

## Fix
Raise the timeout for that location alone: to twice the time that the answer took where it was measured, else to a little more than
the backend's own limit, else to 60 s, nginx's default; at most to 300 s (60 s for a connection). Where that is in force already, or
the probe went on waiting and got no answer in three times its own limit either, the
fix is for a person: the real one is in the backend, or in doing long work outside the request. Risky: a longer timeout holds
connections and workers for longer.

## When it stays silent
The answer came within the timeout, and the log has no such record, or only those from before the timeout was
changed. The probe gave up before nginx would have: then it says nothing. No process took the connection of the probe:
that is backend-workers-exhausted or backend-overloaded. A connection that is not made at all is another fault
(firewall-blocked, backend-overloaded).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import fallback, load, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.directives import Directive
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ONCE, RISKY, TIMEOUT, Rule, by_hand, on_leg, strikes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_pool, show_probe, show_slow

# What is too slow, by the class of its records: the directive that bounds it, and how a sentence calls it.
_PHASES = {
    "read-timeout": ("read_timeout", "answer"),
    "send-timeout": ("send_timeout", "take the request"),
    "tls-handshake-timeout": ("connect_timeout", "finish the TLS handshake"),
    "connect-timeout": ("connect_timeout", "take the connection"),
}
# A connection that needs longer than this is not slow but not made.
_SHORT = 5.0
# The longest time to wait: what needs longer is no work for a request, and a connection that needs longer is not made (connect(2)).
_CEILINGS = {"connect": 60, "send": 300, "read": 300}
_USUAL = 60
_STEPS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300)
_LASTING = "what lasts is a faster answer, or work done outside the request."


@dataclass(frozen=True)
class Slow:
    """What is too slow on a leg.

    name      the class of its records
    timeout   the one in force
    measured  seconds that the probe waited, or 0.0
    """

    certainty: str
    name: str
    timeout: Directive
    measured: float

    @property
    def limit(self) -> float:
        """Return the seconds that nginx waits."""
        return self.timeout.seconds or 0.0


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend is slower than a timeout of nginx; one for each leg, the proven before the likely."""
    slow: list[tuple[Leg, Slow]] = []
    for leg in host.legs:
        struggle = load.struggle(host, leg)
        if struggle and struggle.live:
            continue
        found = [item for item in (_phase(leg, name) for name in _PHASES) if item]
        if found:
            slow.append((leg, min(found, key=lambda item: (PROVEN, LIKELY, POSSIBLE).index(item.certainty))))
    # Several that share the line to be changed get one time, the longest that one of them needs.
    wanted = [((_where(leg, found.timeout), found.certainty), _longer(host, leg, found)) for leg, found in slow]
    longest: dict[tuple, tuple[int, str]] = {}
    for place, own in wanted:
        longest[place] = max(longest.get(place, own), own, key=lambda item: item[0])
    for (leg, found), (place, own) in zip(slow, wanted):
        yield _finding(host, leg, found, longest[place] if own[0] else own)


def _where(leg: Leg, timeout: Directive) -> tuple:
    """Return what is equal for legs whose timeout is to be set by the same line: one that is there, also of an included file, or a new one."""
    block = _edit.home(leg.route.site)
    there = _edit.own(block, timeout.name)
    return (timeout.name, there.at) if there else (timeout.name, block.at, block.args)


def _phase(leg: Leg, name: str) -> Slow | None:
    """Return what is too slow in one phase, or None."""
    timeout = leg.route.value(_PHASES[name][0])
    limit = timeout.seconds if timeout else None
    if not limit:
        return None
    measured = _measured(leg, name)
    if measured > limit:
        return Slow(PROVEN, name, timeout, measured)
    if not leg.runs_with(timeout) or not leg.logged(name):
        return None
    if name == "connect-timeout":
        return Slow(POSSIBLE, name, timeout, 0.0) if limit < _SHORT and leg.connect == "ok" else None
    return Slow(LIKELY, name, timeout, 0.0)


def _measured(leg: Leg, name: str) -> float:
    """Return how long the probe waited for what a phase is about; 0.0 when it says nothing of it."""
    if name == "read-timeout":
        return leg.waited or 0.0
    if name == "connect-timeout" and leg.connect == "ok":
        return leg.probe.connect.get("seconds") or 0.0
    return 0.0


def _finding(host: Host, leg: Leg, found: Slow, wanted: tuple[int, str]) -> Finding:
    name, timeout, measured = found.name, found.timeout, found.measured
    verb = _PHASES[name][1]
    where = f"set at {timeout.at}" if timeout.at else "the default"
    if name == "read-timeout":
        late = leg.late if measured else {}
        slow = f"took longer than {measured:.1f} s" if measured else "timed out"
        slow = f"took {late['seconds']:.1f} s" if late.get("status") == "ok" else f"gave no answer in {late['seconds']:.1f} s" if late else slow
    else:
        slow = f"took {measured:.1f} s to {verb}" if measured else f"did not {verb} in time"
    evidence = [show_config(leg), Evidence(str(timeout.at or "nginx default"), f"{timeout.name} {' '.join(timeout.args)} is in force")]
    evidence += show_probe(leg) + show_log(leg, name) + show_paths(leg, name) + show_slow(host, leg) + show_pool(host, leg)
    once = _met_by_what_is_sent_once(leg, name) and not fallback.taken_over(host, leg, 504)
    failure = ANSWER if once else TIMEOUT
    in_use = leg.instance.running and not leg.pending
    effect = "no client sees it now" if in_use and not strikes(host, leg, failure) else "the client gets a 504"
    others = ("backend-workers-exhausted", "backend-overloaded") + (() if name == "read-timeout" else ("firewall-blocked",))
    return on_leg(
        host,
        RULE.id,
        leg,
        found.certainty,
        f"{leg.endpoint} {slow} while nginx waits {timeout.seconds:g} s ({timeout.name}, {where}); {effect}.",
        evidence,
        _fix(leg, found, *wanted),
        _ask(leg, timeout),
        () if found.certainty == PROVEN else others,
        at=timeout.at,
        failure=failure,
    )


def _fix(leg: Leg, found: Slow, wanted: int, why: str) -> Fix:
    phase, timeout = _PHASES[found.name][0].partition("_")[0], found.timeout
    if not wanted:
        return by_hand(f"{timeout.name} {why}; {_LASTING}")
    block = _edit.home(leg.route.site)
    if not _edit.legible(*block.args):
        return by_hand(f"Set {timeout.name} {wanted}s in that location only ({why}); {_LASTING}")
    change = {"context": _edit.context(block), "module": timeout.name.partition("_")[0], phase: f"{wanted}s"}
    places = [block.at]
    there = _edit.own(block, timeout.name)
    if there:
        change["replaces"] = {phase: there.args[0]}
        places.append(there.at)
    where = f"location {leg.route.location_label}" if leg.route.site.location else f"the server at {block.at}"
    summary = f"Set {timeout.name} {wanted}s in {where} only ({why}); {_LASTING}"
    also = _edit.shared(leg.route.site.configuration, places)
    return Fix(remedy="upstream_timeout", safety=RISKY, summary=f"{summary} {also}".strip(), changes=(change,))


def _longer(host: Host, leg: Leg, found: Slow) -> tuple[int, str]:
    """Return (the seconds to wait instead, or 0 where no longer time makes sense; why)."""
    name, limit, measured = found.name, found.limit, found.measured
    ceiling = _CEILINGS[_PHASES[name][0].partition("_")[0]]
    if max(limit, measured) >= ceiling:
        return 0, f"is {limit:g} s, and more than {ceiling} s is not for a request"
    server = servers.server_of(host, leg)
    kills = server.kills_after if server and name == "read-timeout" else None
    if measured and (name == "connect-timeout" or leg.probe.asked.get("status") == "ok"):
        enough, why = 2 * measured, f"twice the {measured:.1f} s that were measured"
    elif measured and leg.late.get("status") == "ok":
        enough, why = 2 * leg.late["seconds"], f"twice the {leg.late['seconds']:.1f} s that were measured"
    elif measured and leg.late:
        return 0, f"is {limit:g} s, and in {leg.late['seconds']:.0f} s no answer came either: whether one ever comes is not known, so no time is the right one"
    elif kills and kills.value > limit:
        enough, why = kills.value + 1, f"{server.label} ends a request after {kills.value:g} s"
    elif limit < _USUAL:
        enough, why = _USUAL, "nginx's default; how long it takes was not measured"
    else:
        enough, why = ceiling, "the longest that makes sense; how long it takes was not measured"
    if enough > ceiling:
        why += f"; {ceiling} s is the longest that makes sense"
    return next(step for step in _STEPS if step >= min(enough, ceiling)), why


def _met_by_what_is_sent_once(leg: Leg, name: str) -> bool:
    """Return whether some of the records are of requests with which nginx, once they were sent, goes on to no other peer (ngx_http_upstream_next())."""
    policy = leg.route.value("next_upstream")
    again = bool(policy) and "non_idempotent" in policy.args
    sent = name in ("read-timeout", "send-timeout") and not again
    return sent and any(method in ONCE for group in leg.logged(name) for method in group.get("methods") or ())


def _ask(leg: Leg, timeout: Directive) -> str:
    if leg.endpoint.kind == "tcp" and leg.route.directive == "proxy_pass" and leg.probe:
        return f"curl -so /dev/null -w '%{{time_starttransfer}} s\\n' {shlex.quote(f'{leg.route.scheme}://{leg.endpoint}{leg.probe.path}')}"
    return f"grep -n {timeout.name} {leg.route.at.quoted_file}"


RULE = Rule(
    id="upstream-timeout",
    title="The backend is slower than nginx waits",
    needs=("nginx", "error_log"),
    check=check,
)
