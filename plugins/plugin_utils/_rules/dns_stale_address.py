# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx holds an address that a name does not have any more.

## What it is
A name in a pass without variables, or in a server of an "upstream" block without "resolve", is resolved when nginx
starts and reloads, and never again. When the name moves (a new container, a failover, a cloud's load balancer),
nginx keeps using the old address: 502 or 504, until it is reloaded.

## How it is recognised
The workers that run failed at an address to which no line of their route leads by now, while the route has a name with that port which stands for
other addresses. Proven when a worker holds a connection to the old address or tries to make one, when the name is in the hosts file and that was
changed after the workers were started, or when the name is that of a container that was started after them, and no container of that name has the old
address of its network; else likely: a log line alone proves nothing. A risk where the workers also hold connections to addresses that the name still
has: it lost one of several, and nginx goes on to the next.

## Fix
Reload, which resolves anew: safe. For good: "resolver" with "resolve" (since nginx 1.27.3) or a variable in the pass.

## When it stays silent
The name has the address, or has it among others; the failures are older than the workers; the route goes to an
address that is written down; the name does not resolve at all (dns-host-not-found).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import SAFE, Rule, by_hand, of_route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, show_group


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each address that the workers use and that its name has lost."""
    seen = set()
    for found in naming.stale_addresses(host):
        name, instance = " or ".join(found.names), found.instance
        if not found.now or (found.route.key, found.old) in seen:
            continue
        seen.add((found.route.key, found.old))
        moved = _moved(host, found)
        if found.lost and not moved:
            # The address may have been that of the name that stands for none now, of which others tell.
            continue
        changed = naming.hosts_changed(host, instance) if any(naming.hosts_rows(host, instance, one) for one in found.names) else 0.0
        now = ", ".join(str(endpoint) for endpoint in found.now[:4])
        evidence = [
            Evidence(str(found.peer.at), found.peer.written),
            Evidence("getaddrinfo where nginx is", f"{', '.join(found.names)}: {', '.join(endpoint.address for endpoint in found.now[:4])}"),
            Evidence("workers", f"running since {clock(instance.loaded)}"),
        ]
        evidence += [Evidence("file times", f"/etc/hosts, where the name is, was changed at {clock(changed)}")] if changed else []
        if moved:
            evidence.append(Evidence(host.owner_named(moved).source, f"{moved.label} was started at {clock(moved.started)}, with {found.now[0].address}"))
        evidence += [Evidence("connections of the workers", f"{item['state']} to {found.old}: {item['count']}") for item in found.held]
        evidence += [show_group(found.group)] if found.group else []
        evidence += [Evidence("connections of the workers", f"{item['state']} to {item['address']}: {item['count']}") for item in found.others[:2]]
        proven = bool(changed or found.held or moved)
        yield of_route(
            RULE.id,
            found.route,
            RISK if found.others else CAUSE,
            PROVEN if proven else LIKELY,
            f"nginx still goes to {found.old} for {name}, which it resolved when it was loaded; the name stands for {now} now.",
            evidence,
            _fix(host, found),
            _docking.reload_command(host, instance),
            _alternatives(found, proven),
            at=found.peer.at,
            endpoint=str(found.old),
        )


def _moved(host: Host, found: naming.Stale) -> Container | None:
    """Return the container that has the name, where it got its address after the workers had started; None where another of that name has the old one."""
    every = host.containers
    own = host.container_of(found.instance)
    now = [item for item in (every.at(endpoint.address, own) for endpoint in found.now) if item]
    network = every.network_of(found.old.address, own)
    holder = every.at(found.old.address, own)
    mine = holder and set(found.names) & holder.names
    ours = bool(network) and not network.swarm and all(network.has(endpoint.address) for endpoint in found.now)
    new = [item for item in now if item.started > found.instance.loaded]
    return new[0] if ours and not mine and new and len(new) == len(now) else None


def _alternatives(found: naming.Stale, proven: bool) -> tuple[str, ...]:
    if proven:
        return ()
    return ("reload-pending",) if found.instance.newer_files else ("backend-not-running",)


def _fix(host: Host, found: naming.Stale) -> Fix:
    if not (found.instance.test["value"] or {}).get("valid", True):
        return by_hand("Mend the configuration first: its test fails, so that a reload would be refused.")
    return Fix(
        remedy="reload_nginx",
        safety=SAFE,
        summary=f"Reload, so that {found.names[0]} is resolved anew: {_docking.reload_command(host, found.instance)}. "
        f"For good, {naming.for_good(host, found.instance, found.names[0])}.",
        changes=(found.instance.reload(force=True),),
    )


RULE = Rule(
    id="dns-stale-address",
    title="nginx uses an address that the name has lost",
    needs=("nginx", "names", "error_log"),
    check=check,
)
