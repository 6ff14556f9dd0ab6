# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx does not run.

## What it is
nginx is installed and configured, and no master process runs. Clients get "connection refused", or the 502
of a load balancer in front.

## How it is recognised
The process table has no master of this configuration, and its configuration test passes. A unit that is
enabled, or was running, says that it should run. A container whose program is nginx and that has a restart policy is meant to run as well, as long as no other
has its ports.

Where a program that is not this nginx listens on one of its addresses, it is named: a start would be refused (Address in use).

## Fix
Start its unit. Safe where the configuration tests clean and the unit is enabled or has failed. Where the kernel's own decision says that SELinux does
not let it bind a port: label the port first. Risky. One that somebody disabled or masked is for a
person to start, and so is an nginx without a unit. Where somebody else has its
port, a person decides who is to have it.

## When it stays silent
A master runs for this configuration, or nginx is installed and nobody means it to run: its unit is disabled
or masked and no other sign speaks for it. That is said as a risk, and not at all where another nginx runs. It gave up
at its start on a name that resolves now (startup-order).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking, _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import boot, naming, proxies, stale
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Listener
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux import Bind
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import SAFE, Rule, by_each, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_bind


# They hold ports for others: to stop their unit stops all of those.
_FORWARDERS = ("docker-proxy", "rootlessport", "conmon", "supervisord")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx that is down although its configuration is good."""
    for instance in host.instances:
        if instance.running or instance.proposed or not (instance.test["value"] or {}).get("valid", True):
            continue
        if naming.unfound(host, instance) or boot.nginx_too_early(host, instance):
            continue
        unit = instance.unit
        evidence = [Evidence("process table", f"no master process runs for {instance.id}")]
        if unit:
            evidence.append(Evidence(f"systemctl show {unit['name']}", quote(_state(unit))))
        if instance.test["status"] == "ok":
            evidence.append(Evidence("configuration test", "passes"))
        denied = stale.unbindable(host, instance)
        taken = stale.taken_listens(host, instance)
        ports = ", ".join(f"TCP port {bind.port} ({bind.type})" for bind in denied[:3])
        why = f" SELinux does not let it, in {denied[0].domain}, bind {ports}." if denied else ""
        why += f" It cannot start: {_holders(taken)}." if taken else ""
        yield on_instance(
            RULE.id,
            instance,
            CAUSE if instance.meant_to_run else RISK,
            PROVEN if instance.test["status"] == "ok" else LIKELY,
            f"nginx does not run ({instance.id})" + (f"; {unit['name']} is {_state(unit)}." if unit else ".") + why,
            [
                *evidence,
                *(item for bind in denied[:3] for item in show_bind(bind)),
                *(Evidence("listening sockets", f"{listener.label}, where {listen} is to be") for listen, listener in taken[:3]),
            ],
            _free(host, instance, taken) if taken and instance.meant_to_run else _fix(host, instance, denied),
            f"ss -ltnp 'sport = :{taken[0][1].endpoint.port}'" if taken else _start(instance),
        )


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that its engine is to start again by itself, and that is down."""
    for found in proxies.down(host, RULE.id):
        own = found.container
        says = f"nginx in {own.label} does not run: it is {own.says(host.now)}, and its restart policy is {own.restart_policy}."
        yield _docking.of_proxy(RULE.id, found, says, _docking.started(host, (own,)), f"{_docking.program(own)} start {_docking.quoted(own)}", host)


def _holders(taken: list[tuple[str, Listener]]) -> str:
    """Return who has the addresses that nginx is to listen on, each once."""
    having: dict[str, list[str]] = {}
    for listen, listener in taken:
        who = listener.processes[0].label if listener.processes else f"another program ({listener.endpoint})"
        having.setdefault(who, []).append(listen)
    return "; ".join(f"{who} has {', '.join(dict.fromkeys(listens))}" for who, listens in list(having.items())[:3])


def _free(host: Host, instance: Instance, taken: list[tuple[str, Listener]]) -> Fix:
    """Return what a person does about the addresses that somebody else has: which of the two is to have them, no machine knows."""
    ways = []
    for _listen, listener in taken:
        container = host.container_behind(listener)
        process = next(iter(listener.processes), None)
        if container:
            ways.append(f"{_docking.program(container)} stop {_docking.quoted(container)}")
        elif process and process.unit.endswith(".service") and process.comm not in _FORWARDERS:
            ways.append(f"systemctl disable --now {process.quoted_unit}")
    stop = f" ({'; '.join(list(dict.fromkeys(ways))[:3])})" if ways else ""
    start = f"start nginx: {_start(instance)}"
    return by_hand(f"Decide which of them is to have it. Stop the other{stop}, or let one listen elsewhere; then {start}.")


def _fix(host: Host, instance: Instance, denied: tuple[Bind, ...]) -> Fix:
    start = _start_of(instance)
    if not denied:
        return start
    fix = by_each([_widening.to_listen(host, bind) for bind in denied], f" Then: {start.summary}")
    return replace(fix, more=tuple((start.remedy, item) for item in start.changes)) if fix.remedy and start.remedy else by_hand(fix.summary)


def _start_of(instance: Instance) -> Fix:
    if not instance.unit:
        return by_hand("Start it the way it was started; no unit does.")
    name, enabled = instance.unit["name"], instance.unit.get("enabled")
    if enabled in ("masked", "masked-runtime"):
        return by_hand(f"Somebody masked {name}. Find out why; systemctl unmask lets it be started.")
    if not instance.meant_to_run:
        return by_hand(f"Start {name} if it is to run: nothing says so, since it is {enabled or 'not enabled'}.")
    return Fix(remedy="start_nginx", safety=SAFE, summary=f"Start {name}.", changes=({"unit": name},))


def _state(unit: dict) -> str:
    result = f", result {unit['result']}" if unit.get("result") not in (None, "", "success") else ""
    return f"{unit.get('active')} ({unit.get('sub')}){result}, {unit.get('enabled') or 'not enabled'}"


def _start(instance: Instance) -> str:
    return f"systemctl start {shlex.quote(instance.unit['name'])}" if instance.unit else f"nginx -c {shlex.quote(instance.raw['conf_path'])}"


RULE = Rule(
    id="nginx-not-running",
    title="nginx does not run",
    needs=("nginx",),
    check=check,
    down=down,
)
