# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend answers more slowly than nginx waits: a 504.

## What it is
Between two reads of the response nginx waits *_read_timeout (60 s by default). A backend that needs longer
for its first byte gives the client a 504, not a 502.

## How it is recognised
A probe of the route waited for longer than the timeout in force: proven. Records "upstream timed out (110)
while reading response header" within the log window, made under the configuration that runs: likely.

## Fix
Raise the timeout for that location alone, with a ceiling; the real fix is in the backend, or in doing long
work outside the request. Risky: a longer timeout holds connections and workers for longer.

## When it stays silent
The answer came within the timeout, and the log has no such record, or only those from before the timeout was
changed. The probe gave up before nginx would have: then it says nothing. A timeout while connecting is another
fault (firewall-blocked, backend-overloaded).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, TIMEOUT, Rule, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend is slower than its read timeout."""
    for leg in host.legs:
        timeout = leg.route.value("read_timeout")
        limit = timeout.seconds if timeout else None
        if not limit:
            continue
        measured = leg.waited
        proven = measured is not None and measured > limit
        if not proven and not (leg.runs_with(timeout) and leg.logged("read-timeout")):
            continue
        where = f"set at {timeout.at}" if timeout.at else "the default"
        slow = f"took longer than {measured:.1f} s" if measured is not None and proven else "timed out"
        evidence = [show_config(leg), Evidence(str(timeout.at or "nginx default"), f"{timeout.name} {' '.join(timeout.args)} is in force")]
        evidence += show_probe(leg) + show_log(leg, "read-timeout") + show_paths(leg, "read-timeout")
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if proven else LIKELY,
            f"{leg.endpoint} {slow} while nginx waits {limit:g} s ({timeout.name}, {where}); the client gets a 504.",
            evidence,
            Fix(
                remedy="upstream_timeout",
                safety=RISKY,
                summary=f"Raise {timeout.name} in location {leg.route.location_label} alone; what lasts is a faster answer, or the work done outside of it.",
                diff="",
            ),
            _ask(leg),
            () if proven else ("backend-workers-exhausted", "backend-overloaded"),
            at=timeout.at,
            failure=TIMEOUT,
        )


def _ask(leg: Leg) -> str:
    if leg.endpoint.kind == "tcp" and leg.route.directive == "proxy_pass" and leg.probe:
        return f"curl -so /dev/null -w '%{{time_starttransfer}} s\\n' {shlex.quote(f'{leg.route.scheme}://{leg.endpoint}{leg.probe.path}')}"
    return f"grep -n read_timeout {leg.route.at.quoted_file}"


RULE = Rule(
    id="upstream-timeout",
    title="The backend is slower than nginx waits",
    needs=("nginx", "error_log"),
    check=check,
)
