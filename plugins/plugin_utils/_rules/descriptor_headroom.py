# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""worker_connections promises more than the workers may open.

## What it is
Every connection takes a file descriptor. Where worker_connections is larger than the limit on descriptors, the
workers run out of descriptors (a 500, or no answer) before they reach what the configuration seems to allow.

## How it is recognised
worker_connections against the limit that the kernel has for the workers: the comparison that nginx itself makes at
start ("worker_connections exceed open file resource limit"). It looks further: nginx compares with
worker_rlimit_nofile as written, here it is what the workers really have.

## Fix
Set worker_rlimit_nofile to at least twice worker_connections, which leaves room for log files, temporary files and
caches; or lower worker_connections. Beyond the hard limit of a master without CAP_SYS_RESOURCE it takes LimitNOFILE= of the unit and a
restart, which is for a person.

## When it stays silent
The limit is at least worker_connections, as with the defaults of the packages (512, 768 or 1024 against 1024). Or the
workers run out already: that is file-descriptors-exhausted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _raising
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import limits as model
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rules import file_descriptors_exhausted


def check(host: Host) -> Iterator[Finding]:
    """Yield advice for each nginx whose workers may open less than worker_connections."""
    struck = {finding.at for finding in file_descriptors_exhausted.check(host)}
    for instance in host.instances:
        limits = model.limits_of(host, instance)
        wanted = limits.connections
        if limits.soft is None or limits.soft >= wanted.value or struck:
            continue
        where = f"set at {wanted.at}" if wanted.at else "the default"
        worker = [item for item in limits.workers if item.soft == limits.soft][0]
        yield on_instance(
            RULE.id,
            instance,
            ADVICE,
            PROVEN,
            f"worker_connections is {wanted.value} ({where}), but a worker may open only {limits.soft} descriptors.",
            [
                Evidence(str(wanted.at or "nginx default"), f"worker_connections {wanted.value}"),
                Evidence(f"/proc/{worker.pid}/limits", f"Max open files {worker.soft}"),
            ],
            _fix(limits),
            f"grep -rn -e worker_connections -e worker_rlimit_nofile {shlex.quote(instance.id)}",
            at=wanted.at,
        )


def _fix(limits: model.Limits) -> Fix:
    wanted = model.PER_REQUEST * limits.connections.value
    nofile, changes = _raising.descriptors(limits, wanted, least=limits.connections.value)
    if not changes:
        return by_hand(f"Lower worker_connections, or set worker_rlimit_nofile {wanted}; {_raising.by_unit(limits, wanted)}.")
    return Fix(remedy="nginx_limits", safety=RISKY, summary=f"Set worker_rlimit_nofile {nofile}.", changes=changes)


RULE = Rule(
    id="descriptor-headroom",
    title="worker_connections is larger than the limit on descriptors",
    needs=("nginx", "limits", "error_log"),
    check=check,
)
