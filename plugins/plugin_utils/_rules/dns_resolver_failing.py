# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolver that is set does not give nginx the address of a name.

## What it is
A pass with a variable, or a server with "resolve", is looked up by nginx's own client from the servers of
"resolver" alone. It reads neither the hosts file nor search domains nor multicast DNS. When the server is dead,
refuses, fails, or does not know a name that the host knows, the request gets a 502 and the log says "could not be
resolved". One bad answer for the IPv6 address spoils a good one for IPv4.

## How it is recognised
Each server of the resolver is asked for each such name, from nginx's own network namespace, and what nginx would
make of the answers is worked out. With several servers nginx asks each in turn: where only some fail, it is a cause
when the log shows failed look-ups, else a risk; so it is where they answer for other names and the host itself knows
this one, for nginx waits longer than the collection. A name that only a request tells has to be in the log; then it is
likely at most, unless no server of the resolver answers anything.

## Fix
Set a resolver that knows the name: one of the host's own nameservers, where they do; "ipv6=off" where only the
answer for IPv6 is bad; the address or the full name in place of one that only the hosts file or a search domain
explains. Risky.

## When it stays silent
The servers give an address; the name exists nowhere (dns-host-not-found); no resolver is set (dns-resolver-missing);
the name is resolved at start.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _following, _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, resolvers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, of_route, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_group, show_log, show_lookup

_TIMEOUT = "timeout"


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each name that nginx's resolver does not turn into an address."""
    for lookup in naming.lookups(host):
        if lookup.cause == naming.FAILING:
            yield _of(host, lookup)
    yield from _of_requests(host)


def _of(host: Host, lookup: naming.Lookup) -> Finding:
    leg, first = lookup.leg, lookup.failing[0]
    finding = on_leg(
        host,
        RULE.id,
        leg,
        lookup.certainty,
        f"The resolver of nginx{'' if lookup.always else ' sometimes'} gives no address for {lookup.name}: {first.server}: {first.says}{_where(lookup)}.",
        [show_config(leg), Evidence(str(lookup.resolver.at), f"resolver {' '.join(lookup.resolver.servers)}")]
        + [*show_lookup(lookup), *show_log(leg, naming.NOT_RESOLVED)],
        _fix(lookup),
        _dig(lookup.failing[0].server, lookup.name),
        () if lookup.certainty == PROVEN else ("network-unreachable",),
        at=lookup.resolver.at,
    )
    return or_risk(finding, lookup.always and not _merely_slow(lookup) or bool(leg.logged(naming.NOT_RESOLVED)))


def _merely_slow(lookup: naming.Lookup) -> bool:
    """Return whether the servers live, the host knows the name, and the answer only took longer than we waited; nginx waits for 30 s."""
    return bool(lookup.alive) and lookup.known_here and all(one.status == _TIMEOUT for one in lookup.said)


def _of_requests(host: Host) -> Iterator[Finding]:
    """Yield what the log says of names that only a request tells."""
    seen = set()
    for route, group in naming.open_ended(host, naming.NOT_RESOLVED):
        resolver = naming.resolver_of(route)
        if not resolver or route.key in seen:
            continue
        seen.add(route.key)
        alive = host.name_servers(route.instance).alive(resolver)
        code = group["detail"].get("code")
        # A client may have made up a name that does not exist; that a server is dead or refuses is no client's doing.
        certainty = PROVEN if alive is False else POSSIBLE if code == resolvers.LOGGED[resolvers.NXDOMAIN] else LIKELY
        dead = ", which gives no answer at all" if alive is False else ""
        yield of_route(
            RULE.id,
            route,
            CAUSE,
            certainty,
            f"Names in {route.directive} {route.written} could not be resolved by {' '.join(resolver.servers)}{dead}.",
            [Evidence(str(resolver.at), f"resolver {' '.join(resolver.servers)}"), show_group(group)]
            + ([Evidence("DNS", f"{' '.join(resolver.servers)}: no answer to any question")] if alive is False else []),
            by_hand(f"Set a working resolver at {resolver.at}."),
            next((_dig(server, "localhost") for server in host.name_servers(route.instance).servers_of(resolver)), ""),
            () if certainty == PROVEN else (naming.NOT_FOUND,),
        )


def _where(lookup: naming.Lookup) -> str:
    if not all(one.status == resolvers.NXDOMAIN for one in lookup.failing):
        return ""
    if lookup.hosts:
        return f"; the name is in the hosts file ({lookup.hosts[0]}), which nginx's resolver does not read"
    if lookup.helpful:
        return f"; the host's own nameserver {lookup.helpful[0]} does"
    if lookup.search and lookup.name.count(".") < 2:
        return "; the host finds it under a search domain, which nginx's resolver does not try"
    return "; the host finds it in another way, which nginx's resolver does not know"


def _fix(lookup: naming.Lookup) -> Fix:
    leg, at = lookup.leg, lookup.resolver.at
    remedy, changes = "upstream_resolver", ()
    if lookup.resolver.ipv4 and lookup.resolver.ipv6 and _only_ipv6_is_bad(lookup):
        summary = f"Add ipv6=off to the resolver at {at}: only the answer for IPv6 is bad."
        changes = _following.other_resolver(leg, lookup.resolver, lookup.resolver.servers, ipv6=False)
    elif lookup.helpful:
        summary = f"Set the resolver at {at} to {lookup.helpful[0]}, which knows {lookup.name}."
        changes = _following.other_resolver(leg, lookup.resolver, lookup.helpful, ipv6=True)
    elif lookup.hosts:
        summary = f"Write the address {lookup.hosts[0]} in place of {lookup.name} at {leg.route.at}, or set a resolver that reads the hosts file."
        remedy, changes = "repoint_upstream", _pointing.addressed(leg, lookup.hosts[0]) if len(lookup.hosts) == 1 else ()
    elif lookup.search and lookup.known_here:
        summary = f"Write the full name in place of {lookup.name} at {leg.route.at} (search domains here: {' '.join(lookup.search[:3])})."
    else:
        summary = f"Set a working resolver at {at}, or mend the one that is set."
    return by_changes(remedy, summary, changes)


def _only_ipv6_is_bad(lookup: naming.Lookup) -> bool:
    return bool(lookup.ipv4_alone) and all(one.status == resolvers.OK for one in lookup.ipv4_alone)


def _dig(server: str, name: str) -> str:
    host, _colon, port = server.rpartition(":")
    return f"dig @{shlex.quote(host.strip('[]'))} -p {shlex.quote(port)} {shlex.quote(name)}"


RULE = Rule(
    id="dns-resolver-failing",
    title="The resolver does not answer for a name",
    needs=("nginx", "names", "resolvers"),
    check=check,
)
