# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux does not enforce: a way around a fault that is still there.

## What it is
SELinux runs in permissive mode, or is switched off on a system that ships with it enforcing. It is commonly left
so after it denied nginx a port or a socket. The host has lost a layer of protection, and the denial comes back with
the next boot or the next audit that turns it on again.

## How it is recognised
The mode that the kernel itself reports; on a system of the Red Hat family, that its kernel runs without SELinux.

## Fix
Look at what would be denied, allow just that (a port label, a boolean), then switch it on. Never the
reverse: switching SELinux off is no remedy.

## When it stays silent
SELinux enforces, or the system is one that does not ship with it (Debian, Ubuntu, Alpine).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance

# ID of os-release(5) of the systems that ship with SELinux enforcing.
_SHIPS_ENFORCING = ("rhel", "centos", "rocky", "almalinux", "fedora", "ol", "eurolinux", "virtuozzo")


def check(host: Host) -> Iterator[Finding]:
    """Yield one piece of advice for the host."""
    answer = host.answer("selinux")
    system = ((host.answer("host")["value"] or {}).get("os") or {}).get("id")
    if answer["status"] == evidence.ABSENT:
        off = system in _SHIPS_ENFORCING
    else:
        off = (answer["value"] or {}).get("mode") == "permissive"
    if not off or not host.instances:
        return
    mode = "permissive" if answer["status"] == evidence.OK else "switched off"
    yield on_instance(
        RULE.id,
        host.instances[0],
        ADVICE,
        PROVEN,
        f"SELinux is {mode}: what it would deny nginx, such as a backend's port, is neither denied nor fixed.",
        [Evidence(answer["asked"] or "selinux", answer["why"] or f"mode {mode}")],
        by_hand("Allow what is logged as denied (a port label or a boolean, never more), then let SELinux enforce again."),
        "ausearch -m avc -ts recent",
    )


RULE = Rule(
    id="selinux-not-enforcing",
    title="SELinux does not enforce",
    needs=("nginx", "host", "selinux"),
    check=check,
)
