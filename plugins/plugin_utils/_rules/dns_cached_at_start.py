# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name whose addresses change is resolved once, when nginx starts.

## What it is
nginx resolves a name in a pass without variables at start and reload alone. The name's own nameserver says that its
addresses are good for a short time, or gives several: a cloud's load balancer, a container, a cluster's service. When
they change, nginx keeps using the old ones until it is reloaded (dns-stale-address).

## How it is recognised
The host's nameservers were asked for the name: they give it a life of at most 300 s, or several addresses, or are the
nameserver of Docker (127.0.0.11). It is said once for each nginx.

## Fix
Set "resolver" and give the server of an "upstream" block with a "zone" the word "resolve" (since nginx 1.27.3), or pass
to a variable that holds the name. Mind that a variable in proxy_pass changes how the URI is made: a pass with a URI part is left to
a person. Risky, else manual.

## When it stays silent
The name is "localhost" or in the hosts file; its addresses are good for longer; the nameservers say nothing of it; it
is looked up at run time already.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _following
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, resolvers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, on_instance

_SHORT = 300
_SHOWN = 4
_DOCKER = "127.0.0.11:53"


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each nginx that resolves names once which do not stay."""
    told: dict[str, dict[str, tuple]] = {instance.id: {} for instance in host.instances}
    for leg in host.legs:
        name, mine = leg.peer.host_name, told[leg.instance.id]
        if name and name != "localhost" and name not in mine and not leg.peer.run_time:
            said = next((one for one in host.name_servers(leg.instance.id).ask_system(name) if one.status == resolvers.OK), None)
            why = _why(said) if said and not naming.hosts_rows(host, leg.instance, name) else ""
            mine[name] = (leg, said, why)
    for instance in host.instances:
        found = {name: item for name, item in told[instance.id].items() if item[2]}
        if found:
            yield _of(host, instance, found)


def _of(host: Host, instance: Instance, found: dict[str, tuple]) -> Finding:
    name = next(iter(found))
    leg, _said, why = found[name]
    others = f" (and {len(found) - 1} more names like it)" if len(found) > 1 else ""
    evidence = []
    for each, (other, said, _why) in list(found.items())[:_SHOWN]:
        evidence += [Evidence(str(other.peer.at), other.peer.written), Evidence(f"DNS query to {said.server}", f"{each}: {said.says}")]
    return on_instance(
        RULE.id,
        instance,
        ADVICE,
        PROVEN,
        f"nginx resolves {name}{others} only at start, and {why}: when they change, it keeps using the old ones until it is reloaded.",
        evidence,
        _fix(host, instance, tuple(found)),
        at=leg.peer.at,
    )


def _fix(host: Host, instance: Instance, names: tuple[str, ...]) -> Fix:
    changes = tuple(change for name in names for change in _following.name(host, instance, name))
    summary = f"To follow the name, {naming.for_good(host, instance, names[0])}."
    return by_changes("upstream_resolver", summary, changes)


def _why(said: resolvers.Lookup) -> str:
    if said.server == _DOCKER:
        return "Docker gives a container a new address when it is made anew"
    if said.ttl is not None and said.ttl <= _SHORT:
        return f"its addresses are good for {said.ttl} s"
    return f"it has {len(said.addresses)} addresses" if len(said.addresses) > 1 else ""


RULE = Rule(
    id="dns-cached-at-start",
    title="A name that changes is resolved once",
    needs=("nginx", "resolvers"),
    check=check,
)
