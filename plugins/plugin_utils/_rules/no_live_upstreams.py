# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx has put aside every server of a group, though one of them answers.

## What it is
After "max_fails" failures within "fail_timeout" (by default one in 10 seconds) a worker leaves a server out for
"fail_timeout". When it has left out all of them, requests get a 502 at once ("no live upstreams"), also after the
servers are well again. A limit of "max_conns" that is reached everywhere, or "down" on every server, does the same.
A name with several addresses is a group too: "localhost" with a backend on one of 127.0.0.1 and ::1 alone is left with
one server, which the next failure puts aside.

## How it is recognised
The log of the workers that run says "no live upstreams" for the group within its longest "fail_timeout", and a server
of it answers a probe now, in the protocol of the pass. Proven where the access log, which no client can write into, has a
502 of the route from the time of the record or later; else, and without a probe (stream), likely. Where the last
record is older, and not older than an hour, the servers are in use again: a risk, for it will come again. Where every
server is marked "down" the configuration alone proves it.

## Fix
Reload, which forgets what failed; for good, raise "max_fails" (to 3), lower "fail_timeout" (to 10 s), or raise "max_conns" (by hand). Risky:
more requests then wait on a server that is really dead. A name in a pass takes no "max_fails": pass to a group of its addresses instead, or,
in place of localhost, to the one that answers. nginx before 1.19.6 says "no live upstreams" wrongly in groups with a
server marked "down": upgrade, or remove that server.

## When it stays silent
No server of the group answers (then what is wrong with them is the cause); the last record is older than an hour, or
than the workers; the group has one server and no "max_conns", or one that answers has "max_fails=0": nginx never puts
such a one aside; the workers hold old addresses (dns-stale-address).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking, _failover
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access_log, ejection
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, of_route, route_of
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, show_group, show_probe, times


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose group is wholly put aside without need."""
    for found in ejection.ejections(host):
        route, alive = found.route, found.alive
        name = route.group or route.target.host
        evidence = [Evidence(str(found.at), found.written), show_group(found.group)]
        evidence += [item for leg in alive[:3] for item in show_probe(leg)]
        evidence += [Evidence("error log", f"failures of {leg.endpoint}: {times(count)}") for leg, count in found.failures[:3]]
        evidence += [Evidence("nginx -V", "nginx before 1.19.6 counts a server marked down wrongly")] if found.counted_wrongly else []
        # A client can write such a record into the error log, but not the 502 that goes with it into the access log.
        failed = any(item.status == 502 and (item.last or 0.0) >= found.group["last"] - 1 for leg in found.legs for item in access_log.failures(host, leg))
        proven = found.lasts and failed and any(leg.answers and not leg.kept_out for leg in alive)
        if found.lasts:
            says = f"nginx uses no server of {name} for now ({found.why}), though {_answering(found)}."
        else:
            says = f"nginx had put aside every server of {name} ({found.why}), last at {clock(found.group['last'])}; {_answering(found)} now."
        group = route.upstream if not found.limited and not found.counted_wrongly else None
        changes = _failover.steadier(group) if group else ()
        summary = found.remedy
        if changes:
            bounds = f"max_fails={_failover.MAX_FAILS} fail_timeout={_failover.FAIL_TIMEOUT}"
            summary = f"Let each server of {name} at {found.at} fail more than once before it is put aside ({bounds}); loading that forgets what failed."
        for leg in found.legs:
            yield of_route(
                RULE.id,
                route,
                CAUSE if found.lasts else RISK,
                PROVEN if proven else LIKELY,
                says,
                evidence,
                by_changes("upstream_group", summary, changes),
                _docking.reload_command(host, found.instance),
                () if proven else ("backend-not-running",),
                at=found.at,
                endpoint=route_of(leg)["endpoint"],
            )
    for route, at in ejection.all_down(host):
        yield of_route(
            RULE.id,
            route,
            CAUSE,
            PROVEN,
            f'Every server of {route.group} is marked "down", so nginx sends no request to any.',
            [Evidence(str(peer.at), f"server {peer.written} down") for peer in route.peers[:4]],
            by_hand(f'Remove "down" from a server of {route.group} that works.'),
            "nginx -T",
            at=at,
        )


def _answering(found: ejection.Ejection) -> str:
    names = list(dict.fromkeys(str(leg.endpoint) for leg in found.alive))
    return f"{', '.join(names[:3])} {'answers' if len(names) == 1 else 'answer'}"


RULE = Rule(
    id="no-live-upstreams",
    title="Every server of a group is put aside though one answers",
    needs=("nginx", "error_log"),
    check=check,
)
