# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx worker has no connection left: worker_connections is too low.

## What it is
worker_connections bounds everything that a worker has connected: clients, backends, listening sockets. A proxied
request takes two. When none is left for the backend, the client gets a 500 and no other peer is tried; when none is
left for the client, it gets no answer at all.

## How it is recognised
The error log has "worker_connections are not enough" from the workers that run now: likely. When in addition a worker
has as many sockets open as it may have connections: proven. The warning "reusing connections" alone, where idle
clients were dropped to make room, is a risk.

## Fix
Raise worker_connections together with the limit on descriptors. Where backends are slow, requests pile up and
fill any limit: then that is what to cure. Risky: the workers are replaced.

## When it stays silent
The log has no such record under the configuration that runs. Many open connections alone prove nothing, because
nginx gives up idle ones as soon as it needs them. A pass that leads back to nginx itself takes all that there are; that
is a cause of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _raising
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import limits as model
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import loops
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_group

_NEAR = 0.9


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx whose workers run, or ran, out of connections."""
    for instance in host.instances:
        if instance.running:
            found = _find(host, instance)
            if found and not _comes_back(host, instance):
                yield found


def _comes_back(host: Host, instance: Instance) -> bool:
    """Return whether a pass leads back to nginx itself, which takes all the connections that there are."""
    by_name = loops.named(host, instance, model.without_connection(host, instance))
    return any(True for _found in by_name) or any(loops.of(host, leg) for leg in host.legs if leg.instance is instance)


def _find(host: Host, instance: Instance) -> Finding | None:
    limits = model.limits_of(host, instance)
    groups = model.logged(host, instance, "connections-exhausted")
    fresh = model.fresh(instance, groups)
    low = model.fresh(instance, model.logged(host, instance, "connections-low"))
    if not groups and not low:
        return None
    busy, allowed = limits.busiest, limits.connections.value
    used = limits.connections_used(busy) if busy else 0
    set_at = f"set at {limits.connections.at}" if limits.connections.at else "the default"
    full = bool(busy) and (used >= _NEAR * allowed or used > allowed - model.PER_REQUEST)
    if fresh:
        kind, certainty = CAUSE, PROVEN if full else LIKELY
        now = f"worker {busy.pid} has {used} of them in use now: requests get" if full else "by the log its workers used them all: requests got"
        says = f"worker_connections is {allowed} ({set_at}), and {now} a 500, or no answer."
    elif groups:
        kind, certainty = RISK, LIKELY
        says = f"nginx's workers ran out of connections before they were last replaced; worker_connections is {allowed} ({set_at}) as it was then."
    else:
        kind, certainty = RISK, LIKELY
        says = f"worker_connections is {allowed} ({set_at}), and nginx dropped idle clients to make room: next, requests get a 500."
    shown = [Evidence(str(limits.connections.at or "nginx default"), f"worker_connections {allowed}")]
    if busy:
        shown.append(Evidence(f"/proc/{busy.pid}/fd", f"worker {busy.pid} has {busy.sockets} sockets open"))
    return on_instance(
        RULE.id,
        instance,
        kind,
        certainty,
        says,
        shown + [show_group(group) for group in (groups or low)[:2]],
        _fix(limits),
        f"ls -l /proc/{busy.pid}/fd" if busy else "ss -tan",
        at=limits.connections.at,
    )


def _fix(limits: model.Limits) -> Fix:
    connections, nofile, changes = _raising.connections(limits)
    lasting = "where slow backends pile requests up, cure those."
    if not changes:
        connections, nofile = model.raise_to(limits)
        both = f"Set worker_connections {connections} and worker_rlimit_nofile {nofile}"
        return by_hand(f"{both}; {_raising.by_unit(limits, nofile)}; {lasting}")
    both = f"worker_connections {connections}" + (f" and worker_rlimit_nofile {nofile}" if nofile else "")
    return Fix(remedy="nginx_limits", safety=RISKY, summary=f"Set {both}; {lasting}", changes=changes)


RULE = Rule(
    id="worker-connections-exhausted",
    title="worker_connections is too low",
    needs=("nginx", "error_log", "limits"),
    check=check,
)
