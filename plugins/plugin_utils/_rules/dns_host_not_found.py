# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host name in a pass does not exist.

## What it is
A pass or a server of an "upstream" block names a host that nothing resolves: a typing error, a record that
was removed, a container that is gone, a nameserver that does not answer. A name without variables is resolved
when nginx starts and reloads: then it does not start ("host not found in upstream"), or goes on with the
configuration from before. A name in a pass with variables, or with "resolve", is looked up while nginx runs:
then each such request gets a 502 ("could not be resolved (3: Host not found)").

## How it is recognised
nginx's own test stops at the name and getaddrinfo(3), asked where nginx is, does not resolve it now either. Of a
name that is looked up at run time, each server of the resolver says that there is none, and the host itself
knows none. It is a cause when nginx is down and should run, or requests fail for it; else a risk: the next start
will fail. When the host's name service gives no answer, the name is said not to resolve, not that there is none.

## Fix
Correct the name, or create the record. Manual.

## When it stays silent
The name resolves by now (then startup-order or nginx-not-running); the host knows a name that nginx's resolver
does not (dns-resolver-failing); the test fails for another reason (config-invalid). nginx runs in a container, and another container has the name: then
that it is down (backend-not-running), or on another network (container-network-mismatch), is the cause.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained, naming, proxies
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_config, show_group, show_log, show_lookup

_NO_ANSWER = ("timeout", "error")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each name that nginx needs and that does not resolve."""
    stale = naming.stale_addresses(host)
    told: dict[str, set[str]] = {}
    for leg in host.legs:
        # A container has the name: that it is down, or apart, is the cause.
        found = contained.verdict(host, leg) if leg.endpoint.kind == NAME and leg.instance.running else None
        if found and found.cause:
            told.setdefault(leg.instance.id, set()).add(leg.peer.host_name)
    for instance in host.instances:
        for found in naming.unfound(host, instance):
            if found.name in told.get(instance.id, ()):
                continue
            yield _at_start(host, instance, found, [item for item in stale if item.instance is instance and found.name in item.names])
    for lookup in naming.lookups(host):
        if lookup.cause == naming.NOT_FOUND and lookup.name not in told.get(lookup.leg.instance.id, ()):
            yield on_leg(
                host,
                RULE.id,
                lookup.leg,
                lookup.certainty,
                f"The name {lookup.name} does not exist: neither the resolver of nginx nor the host itself knows it.",
                [show_config(lookup.leg), *show_lookup(lookup), *show_log(lookup.leg, naming.NOT_RESOLVED)],
                _fix(host, lookup.leg.instance, lookup.name),
                _command(host, lookup.leg.instance, lookup.name),
                () if lookup.certainty == PROVEN else (naming.FAILING,),
            )


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that ended since it did not find a name which no container has."""
    for found in proxies.down(host, RULE.id):
        own = found.container
        says = f"nginx in {own.label} did not start, because it did not find {found.name}, and no container has that name."
        start = f"{_docking.program(own)} start {_docking.quoted(own)}"
        fix = by_hand(f"Correct the name {quote(found.name)} in its configuration, or start what has it, then: {start}")
        yield _docking.of_proxy(RULE.id, found, says, fix, f"{_docking.program(own)} logs --tail 20 {_docking.quoted(own)}", host)


def _at_start(host: Host, instance: Instance, found: naming.Unfound, stale: list[naming.Stale]) -> Finding:
    silent = found.said.get("status") in _NO_ANSWER
    effect = "the next reload is refused and the next start fails" if instance.running else "nginx cannot start"
    if stale:
        effect += f"; requests still go to {stale[0].old}, which it had"
    why = found.said.get("why") or "not found"
    evidence = [Evidence("nginx -t in a private overlay", quote(found.message, 300))] if found.message else []
    evidence += [Evidence("getaddrinfo where nginx is", f"{found.name}: {quote(why, 200)}")] if found.said else []
    evidence += [] if instance.running else [Evidence("process table", "no master process runs")]
    evidence += [show_group(item.group) for item in stale[:2] if item.group]
    return on_instance(
        RULE.id,
        instance,
        CAUSE if stale or (instance.meant_to_run and not instance.running) else RISK,
        PROVEN,
        f"The name {found.name} {'cannot be resolved now: the name service gives no answer' if silent else 'does not resolve'}, so {effect}.",
        evidence,
        by_hand("Make the name service of the host answer (/etc/resolv.conf); then start nginx.") if silent else _fix(host, instance, found.name),
        _command(host, instance, found.name),
        found.at,
    )


def _fix(host: Host, instance: Instance, name: str) -> Fix:
    group = naming.group_alike(instance, name)
    meant = f" There is an upstream block {group}: it may be meant." if group else ""
    own = host.container_of(instance)
    if own:
        others = [item for item in host.containers.every if item.id != own.id and item.up and any(one.named for one in item.shared(own))]
        called = sorted({item.reached_as for item in others})
        alike = next(iter(difflib.get_close_matches(name, called, 1, 0.6)), "")
        has = next(iter(host.containers.called(name, own)), None)
        if has:
            return by_hand(f"{has.label[0].upper()}{has.label[1:]} has that name, and is {has.says(host.now)}: see why its name is not found.{meant}")
        meant += f" No container has that name; on the networks of {own.label} there are: {', '.join(called[:8]) or 'none'}."
        meant += f" {alike} may be meant." if alike else ""
    else:
        found = next((item for item in host.containers.apart if name in item.names), None)
        ports = [one.place for one in found.published if one.host_port and one.protocol == "tcp"] if found else []
        way = f"it is published at {ports[0]}" if ports else "publish its port, and pass to 127.0.0.1"
        meant += f" {found.label[0].upper()}{found.label[1:]} has that name, which only containers on its networks know: {way}." if found else ""
    return by_hand(f"Correct the name {name} in the configuration, or create its record; then test and reload.{meant}")


def _command(host: Host, instance: Instance, name: str) -> str:
    """Return the command that looks a name up where nginx is: names of containers are known in them alone."""
    own = host.containers.by_id(instance.container)
    return f"{_docking.program(own)} exec {_docking.quoted(own)} getent hosts {shlex.quote(name)}" if own else f"getent ahosts {shlex.quote(name)}"


RULE = Rule(
    id="dns-host-not-found",
    title="A host name in a pass does not exist",
    needs=("nginx", "names"),
    check=check,
    down=down,
)
