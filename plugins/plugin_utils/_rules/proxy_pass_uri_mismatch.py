# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx asks the backend for another path than it serves.

## What it is
With a path after the address (proxy_pass http://app/;), nginx replaces the prefix of the location by it; without one
it hands the path on as it is. One slash too many or too few asks for //users, /v1users or /api/users where the
application has /users. The backend answers 404, and nginx hands that on.

## How it is recognised
The path that nginx asks for gives a 404, and the path that the other way to write the pass would ask for is
answered. Proven for a path that a person named (bad_gateway_probe_path). For the first path of a location it is
likely, and asked only where the pass replaces the prefix: a 404 there is ordinary, and "/" is answered by most backends.

## Fix
Add or drop the path, or its last slash. Risky: every path below the location changes.

## When it stays silent
The path is answered, or refused with anything but a 404; the other one is not found either; the target has variables,
the location is a regular expression or has a rewrite.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, Rule, by_changes, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_try


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route that asks for a path which its backend does not have, and would find another one."""
    for leg in host.legs:
        probe = leg.probe
        path, other = probe.other_path(leg.route.key) if probe and probe.asked.get("code") == 404 else ("", {})
        if other.get("status") != "ok" or not 200 <= (other.get("code") or 0) < 400:
            continue
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if probe.given else LIKELY,
            f"nginx asks {leg.endpoint} for {probe.path}, which is not there, while {path} is.",
            [
                show_config(leg),
                Evidence(f"probe of {probe.path}", f"{probe.asked['speak']}: {show_try(probe.asked)}"),
                Evidence(f"probe of {path}", f"{probe.asked['speak']}: {show_try(other)}"),
            ],
            _fix(leg),
            f"grep -nE 'location|proxy_pass' {leg.route.at.quoted_file}",
            alternatives=() if probe.given else (f"Only what is below {probe.path} is meant to be there.",),
            at=leg.route.at,
            failure=ANSWER,
        )


def _fix(leg: Leg) -> Fix:
    location, uri = leg.route.location, leg.route.target.uri
    if not uri:
        wanted, summary = "/", f'End the target at {leg.route.at} in "/", so that {location} is left out of what the backend is asked for.'
    elif uri.endswith("/") != location.endswith("/"):
        wanted = uri.rstrip("/") + ("/" if location.endswith("/") else "")
        summary = f'Let both the location and the target at {leg.route.at} end in "/", or neither.'
        if not wanted:
            # Without any URI part the prefix would not be replaced at all: then the location has to end in "/".
            return by_hand(summary)
    else:
        wanted, summary = "", f'Drop "{uri}" from the target at {leg.route.at}, so that the backend is asked for the path as the client wrote it.'
    changes = _pointing.asked_for(leg, wanted)
    return by_changes("upstream_uri", summary, changes)


RULE = Rule(
    id="proxy-pass-uri-mismatch",
    title="nginx asks the backend for another path than it serves",
    needs=("nginx", "probes"),
    check=check,
)
