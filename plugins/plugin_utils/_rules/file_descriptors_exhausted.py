# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx worker has no file descriptor left.

## What it is
Every connection and every open file takes a descriptor, and a proxied request takes two: one to the client and one to
the backend. A worker at its limit (RLIMIT_NOFILE) gets "too many open files" (24). When that is for the connection to
the backend the client gets a 500, and no other peer is tried; when it is for the client's own connection, the client
gets no answer at all. Error 23 is the same for the whole system (fs.file-max).

## How it is recognised
The descriptors that each worker has open are counted against its limit in the kernel. Fewer than two left, or the
limit nearly reached and such records in the error log: proven. Records alone, written by the workers that run now:
likely. Older ones: a risk.

## Fix
Raise worker_rlimit_nofile in nginx.conf: a reload gives it to new workers, up to the hard limit of the master, and above where the
master has CAP_SYS_RESOURCE. Where it has not, as in a container, LimitNOFILE= of the unit and a restart are for a person.
/etc/security/limits.conf does not reach a service. Risky: the workers are replaced.

## When it stays silent
Many descriptors are open, but the limit is far; or the records are from before the limits or the configuration changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _raising
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import limits as model
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_group

# So much of the limit in use is "nearly reached" where the log says that it was.
_NEAR = 0.9
_SYSTEM = 23


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx whose workers run, or ran, out of descriptors."""
    for instance in host.instances:
        if instance.running:
            found = _system(host, instance) or _workers(host, instance)
            if found:
                yield found


def _workers(host: Host, instance: Instance) -> Finding | None:
    limits = model.limits_of(host, instance)
    groups = [group for group in model.logged(host, instance, "descriptors-exhausted") if group.get("errno") != _SYSTEM]
    fresh = model.fresh(instance, groups)
    full = limits.fullest
    none_left = bool(full) and full.descriptors_left < model.PER_REQUEST
    near = bool(full) and full.descriptors >= _NEAR * full.soft
    if not groups and not none_left and not near:
        return None
    used = f"worker {full.pid} has {full.descriptors} of {full.soft} descriptors open" if full else ""
    if none_left or near and fresh:
        kind, certainty, says = CAUSE, PROVEN, f"{used}: a request that needs one more gets a 500, or no answer."
    elif fresh:
        kind, certainty, says = CAUSE, LIKELY, f"nginx's workers ran out of file descriptors (24) under the limit of {_limit(limits)} that they have now."
    elif groups:
        kind, certainty, says = RISK, LIKELY, "nginx's workers ran out of file descriptors (24) before they were last replaced; the configuration is the same."
    else:
        kind, certainty, says = RISK, PROVEN, f"{used}; at the limit, requests get a 500 or no answer."
    evidence = [Evidence(f"/proc/{full.pid}/fd", used)] if full else []
    evidence.append(_written(limits))
    evidence += [show_group(group) for group in groups[:2]]
    at = limits.nofile.at if limits.nofile else None
    return on_instance(RULE.id, instance, kind, certainty, says, evidence, _fix(limits), _command(instance, full), at=at)


def _limit(limits: model.Limits) -> str:
    return str(limits.soft) if limits.soft is not None else "descriptors"


def _written(limits: model.Limits) -> Evidence:
    if limits.nofile:
        return Evidence(str(limits.nofile.at), f"worker_rlimit_nofile {limits.nofile.value}")
    hard = f"; the master may raise it up to {limits.master_hard}" if limits.master_hard is not None else ""
    return Evidence("configuration", f"no worker_rlimit_nofile: the workers have the limit that nginx was started with{hard}")


def _fix(limits: model.Limits) -> Fix:
    wanted, changes = _raising.descriptors(limits)
    lasting = "if it fills up again, look for what keeps so many connections open."
    if not changes:
        much = model.raise_to(limits)[1]
        return by_hand(f"Set worker_rlimit_nofile {much}; {_raising.by_unit(limits, much)}; {lasting}")
    return Fix(
        remedy="nginx_limits", safety=RISKY, summary=f"Set worker_rlimit_nofile {wanted}; in {limits.instance.id}; {lasting}", changes=changes
    )


def _command(instance: Instance, full: model.Worker | None) -> str:
    if full:
        return f"ls -l /proc/{full.pid}/fd"
    for worker in instance.workers[:1]:
        return f"prlimit --nofile --pid {worker['pid']}"
    return f"grep -n nofile {shlex.quote(instance.id)}"


def _system(host: Host, instance: Instance) -> Finding | None:
    """The table of the whole system: fs.file-max."""
    groups = model.fresh(instance, [group for group in model.logged(host, instance, "descriptors-exhausted") if group.get("errno") == _SYSTEM])
    table = (host.answer("limits")["value"] or {}).get("open_files")
    full = bool(table) and table["used"] >= 0.99 * table["max"]
    if not groups and not full:
        return None
    shown = [Evidence("/proc/sys/fs/file-nr", f"{table['used']} of {table['max']} open files")] if table else []
    proven = full and bool(groups)
    return on_instance(
        RULE.id,
        instance,
        CAUSE if groups else RISK,
        PROVEN if proven or not groups else LIKELY,
        f"The whole system {'is out' if groups else 'is about to run out'} of open files (23, fs.file-max).",
        shown + [show_group(group) for group in groups[:2]],
        by_hand("Find the program that holds so many files open, then raise fs.file-max."),
        "sysctl fs.file-nr",
    )


RULE = Rule(
    id="file-descriptors-exhausted",
    title="nginx's workers are out of file descriptors",
    needs=("nginx", "error_log", "limits"),
    check=check,
)
