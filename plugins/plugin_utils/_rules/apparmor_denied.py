# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AppArmor profile denies nginx the backend.

## What it is
A profile confines nginx, and it has no rule for the backend's socket, or none for the network. nginx gets "permission
denied" (13), exactly as from the permissions of the socket, although its user may do everything: a 502. Where it may
not even make a socket, a 500.

## How it is recognised
nginx's workers run under a profile in enforce mode, the kernel logged "DENIED" for that profile and this socket (or
for TCP sockets), and nginx's error log has the denial: proven. A probe does not take on the profile, so that it gets
through. Without the kernel's record: likely, where permissions do not explain the denial.

## Fix
None by itself: add the rule that is missing to the profile and load it. Never switch the profile off.

## When it stays silent
nginx is unconfined or its profile only complains, the denial is of another file or program, or permissions explain it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_config, show_log, show_probe, times

_DENIED = ("connect-denied", "connect-setup-failed")
_ERRNO = 13


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint that a profile keeps nginx from."""
    value = host.answer("apparmor")["value"] or {}
    for leg in host.legs:
        profile = _profile(leg, value)
        groups = [group for group in leg.logged(*_DENIED) if group.get("errno") == _ERRNO and leg.instance.served_at(group.get("last") or 0.0)]
        if not profile or not groups or leg.connect not in ("", "ok") or access.denial(leg) or leg.kept_out:
            continue
        denial = _denial(leg, profile, value)
        if not denial and leg.endpoint.kind == "tcp" and groups[0]["class"] == "connect-denied":
            # AppArmor denies making a socket, not connecting it.
            continue
        yield _finding(host, leg, profile, denial)


def _profile(leg: Leg, value: dict) -> str:
    """Return the profile that is enforced on a worker, or ""."""
    labels = value.get("labels") or {}
    found = (labels.get(str(worker["pid"])) or {} for worker in leg.instance.workers)
    return next((label["profile"] for label in found if label.get("mode") in ("enforce", "kill")), "")


def _denial(leg: Leg, profile: str, value: dict) -> dict:
    """Return the kernel's record of a denial on a leg, the newest; {} when there is none since the workers started."""
    for denial in reversed(value.get("denials") or ()):
        if denial["profile"] != profile or denial["time"] < leg.instance.loaded:
            continue
        if leg.endpoint.kind == "unix" and denial["name"] in _names(leg):
            return denial
        if leg.endpoint.kind == "tcp" and denial["family"] in ("inet", "inet6"):
            return denial
    return {}


def _names(leg: Leg) -> set[str]:
    """Return the paths under which the kernel may know a socket: as written, and with its links followed."""
    steps = (leg.walk or {}).get("walk") or []
    real = [step["path"] for step in steps if step["type"] == "socket"]
    return {leg.endpoint.path, *real}


def _finding(host: Host, leg: Leg, profile: str, denial: dict) -> Finding:
    what = f"{denial['operation']} {denial['name'] or denial['family']} ({denial['denied']})" if denial else f"a connection to {leg.endpoint}"
    rule = f"{leg.endpoint.path} rw," if leg.endpoint.kind == "unix" else "network inet stream, network inet6 stream,"
    shown = [show_config(leg), Evidence("/proc/PID/attr", f"nginx's workers run under profile {quote(profile)} (enforce)")]
    if denial:
        shown.append(Evidence("kernel log", f"AppArmor DENIED {quote(what)}: {times(denial['count'])}, last {clock(denial['time'])}"))
    return on_leg(
        host,
        RULE.id,
        leg,
        PROVEN if denial else LIKELY,
        f"The AppArmor profile {quote(profile)} denies nginx {quote(what)}; permissions alone would allow it.",
        [*shown, *show_probe(leg), *show_log(leg, *_DENIED)],
        by_hand(f"Add to the profile: {rule} then load it with apparmor_parser -r."),
        f"journalctl -k --no-pager --grep {shlex.quote('apparmor=.DENIED.')}",
        () if denial else _others(host, leg),
    )


def _others(host: Host, leg: Leg) -> tuple[str, ...]:
    """Return what else denies a connection that permissions allow."""
    if not host.selinux.mode:
        return ("another part of the kernel that logged nothing",)
    return ("selinux-socket-label" if leg.endpoint.kind == "unix" else "selinux-network-connect",)


RULE = Rule(
    id="apparmor-denied",
    title="An AppArmor profile denies nginx the backend",
    needs=("nginx", "error_log", "apparmor"),
    check=check,
)
