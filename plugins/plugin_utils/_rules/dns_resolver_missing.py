# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pass needs a name looked up for each request, and no resolver is set.

## What it is
A pass with a variable in it (even "proxy_pass http://localhost:3000$request_uri;") is not resolved when nginx
starts: nginx looks the host name up for each request, by its own client, and that has no server to ask. Every
such request gets a 502, and the log says "no resolver defined to resolve ...".

## How it is recognised
The pass has a variable, its value is a host name and no address, no "upstream" block has that name, no pass
without variables goes to the same name and port (its addresses would serve this one too), and no "resolver" is in
force there. Where only a request tells the name, the log has to say that one was not resolved for want of a
resolver; then it is likely.

## Fix
Set a resolver: one of the host's own nameservers (127.0.0.11 in a container of Docker) that knows the name. It
reads neither the hosts file nor search domains: for "localhost" write 127.0.0.1. Risky.

## When it stays silent
The value is an address, a Unix socket or the name of a group; a resolver is in force; the route is not loaded yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit, _following, _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, of_route, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_config, show_group, show_log, show_lookup


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each pass whose name nginx cannot look up for want of a resolver."""
    for lookup in naming.lookups(host):
        if lookup.cause == naming.MISSING:
            leg = lookup.leg
            yield on_leg(
                host,
                RULE.id,
                leg,
                lookup.certainty,
                f"{leg.route.directive} {leg.route.written} has a variable, so nginx looks {lookup.name} up for each request, and no resolver is set.",
                [show_config(leg), Evidence(str(leg.route.at), "no resolver is in force here"), *show_lookup(lookup), *show_log(leg, naming.NO_RESOLVER)],
                _fix(host, lookup),
                "grep nameserver /etc/resolv.conf",
                at=leg.route.at,
            )
    seen = set()
    for route, group in naming.open_ended(host, naming.NO_RESOLVER):
        name = quote(str(group["detail"].get("name") or ""), 100)
        if naming.resolver_of(route) or route.key in seen:
            continue
        seen.add(route.key)
        yield of_route(
            RULE.id,
            route,
            CAUSE,
            LIKELY,
            f"{route.directive} {route.written} stands for host names such as {name}, and no resolver is set to look them up.",
            [Evidence(str(route.at), f"{route.directive} {route.written}; no resolver is in force here"), show_group(group)],
            by_hand(f"Set a resolver for {route.at} that knows these names."),
            "grep nameserver /etc/resolv.conf",
            (naming.NOT_FOUND,),
        )


def _fix(host: Host, lookup: naming.Lookup) -> Fix:
    leg, at = lookup.leg, lookup.leg.route.at
    remedy, changes = "repoint_upstream", ()
    if lookup.name == "localhost":
        summary = f"Write 127.0.0.1 in place of localhost at {at}; an address needs no resolver."
        ends = [Endpoint.tcp(address, leg.endpoint.port) for address in ("127.0.0.1", "::1")]
        changes = next((_pointing.addressed(leg, end.address) for end in ends if host.listening_at(end, leg.instance.net)), ())
    elif lookup.helpful:
        summary = f"Set a resolver for {at}: {lookup.helpful[0]} knows {lookup.name}."
        made = _following.resolver(_edit.home(leg.route.site), lookup.helpful)
        remedy, changes = "upstream_resolver", (made,) if made else ()
    elif lookup.hosts:
        summary = f"{lookup.name} is in the hosts file alone, which nginx's resolver does not read: write its address {lookup.hosts[0]} at {at}."
        changes = _pointing.addressed(leg, lookup.hosts[0]) if len(lookup.hosts) == 1 else ()
    else:
        summary = f"Set a resolver for {at} that knows {lookup.name}; the host's own nameservers do not."
    return by_changes(remedy, summary, changes)


RULE = Rule(
    id="dns-resolver-missing",
    title="A pass with a variable has no resolver",
    needs=("nginx",),
    check=check,
)
