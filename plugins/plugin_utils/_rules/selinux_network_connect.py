# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux denies nginx the TCP port of the backend.

## What it is
nginx runs in a domain (mostly httpd_t) that may connect to few types of ports. The port of the backend has another type, so that connect() fails
with "permission denied" (13) although the backend listens and root gets an answer: a 502. What a boolean lets it do beyond that, each policy says.

## How it is recognised
The kernel is asked what it decides for the context of a worker and the type of the port: it denies, and SELinux enforces. That is proof, whatever the
logs say. A probe runs in another domain, and that it gets through says nothing. Where the log says that nginx was connected after it was last denied:
likely. Without a decision of the kernel, its record of a denial (AVC) is a likely sign, and nginx's log alone a possible one.

## Fix
The narrowest that this policy has, by its own rules: a boolean that is made for what listens there (a database, memcached, LDAP, a web cache); a label
for the port, together with the boolean that lets nginx connect to that label; last httpd_can_network_connect. Risky: each opens more than this
connection, and the report says what. A port that a confined service of the host listens on keeps its label. Never permissive, never a module that
allows what was logged.

## When it stays silent
The kernel allows it now, whatever an old log says. SELinux is permissive, or the domain is: then nothing is denied, and what would be once it enforces
is a risk, and so is a boolean that is on until the next boot alone. The route to the address is of type prohibit (network-unreachable).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import network
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux import Access, Check
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, by_ways, on_leg, or_risk, other_ways
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, show_config, show_decision, show_denial, show_log, show_probe

_DENIED = "connect-denied"
_LOOK = "ausearch -m avc -ts recent"
_NO_ROUTE = "network-unreachable"


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each port that SELinux keeps nginx from."""
    for leg in host.legs:
        if leg.endpoint.kind != "tcp":
            continue
        access = leg.selinux
        if access and access.refused:
            yield _decided(host, leg, access, access.refused[0])
        elif access and access.enforced and access.allows:
            yield from _until_boot(host, leg, access)
        elif host.selinux.enforcing and (not access or access.undecided):
            yield from _seen(host, leg)


def _decided(host: Host, leg: Leg, access: Access, found: Check) -> Finding:
    ways = _widening.to_connect(host, leg, access, found)
    after = _widening.met_since(leg)
    doubt = access.enforced and bool(after)
    said = f"nginx, which runs in {access.domain}, a connection to {leg.endpoint}: TCP port {found.port} is of type {found.kind}"
    finding = on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if doubt else PROVEN,
        f"SELinux denies {said}." if access.enforced else f"SELinux would deny {said}; it does as soon as it enforces{_at_boot(host)}.",
        [
            show_config(leg),
            *show_decision(access),
            *show_denial(host.selinux.denial_at(leg.endpoint, (), leg.instance.loaded)),
            *show_probe(leg),
            *show_log(leg, _DENIED),
            *other_ways(ways),
        ],
        by_ways(ways),
        next((way.command for way in ways if way.command), _LOOK),
        (f"nginx was connected to it at {clock(after)}, so that something has changed since, or what is behind the port is not what it was",) if doubt else (),
    )
    return or_risk(finding, access.enforced)


def _at_boot(host: Host) -> str:
    return ", which the next boot brings" if host.selinux.boot == "enforcing" else ""


def _until_boot(host: Host, leg: Leg, access: Access) -> Iterator[Finding]:
    """Yield what the next boot takes back: a boolean that was turned on without -P is off again then."""
    port = next((item for item in access.checks if item.port is not None), None)
    names = _widening.on_until_boot(host, access, port.kind) if port and not access.permissive else ()
    if not names:
        return
    finding = on_leg(
        host,
        RULE.id,
        leg,
        LIKELY,
        f"SELinux allows nginx a connection to {leg.endpoint} only until the next boot: {', '.join(names)} is on, but not for good.",
        [show_config(leg), Evidence("SELinux policy of the next boot", f"{names[0]} is off"), *show_log(leg, _DENIED)],
        by_changes("selinux_boolean", f"Turn on {names[0]} for good.", ({"name": names[0], "value": True},)),
        f"setsebool -P {names[0]} on",
        ("a rule of the policy that needs no boolean",),
    )
    yield or_risk(finding, False)


def _seen(host: Host, leg: Leg) -> Iterator[Finding]:
    """Yield what the logs say where there is no decision of the kernel."""
    denial = host.selinux.denial_at(leg.endpoint, (), leg.instance.loaded)
    prohibited = network.way_of(host, leg).route.get("status") == "prohibit"
    if not leg.logged(_DENIED) or leg.connect not in ("", "ok") or prohibited or host.selinux.booleans.get("httpd_can_network_connect"):
        return
    why = f"what the kernel decides about port {leg.endpoint.port} is not known"
    yield on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if denial else POSSIBLE,
        f"SELinux enforces and {'denied' if denial else 'may deny'} nginx a connection to {leg.endpoint}; {why}.",
        [show_config(leg), *show_denial(denial), *show_probe(leg), *show_log(leg, _DENIED)],
        by_hand("Diagnose as root and with probes, so that the kernel can be asked; then the narrowest boolean or label of a port is told."),
        _LOOK,
        (_NO_ROUTE,),
    )


RULE = Rule(
    id="selinux-network-connect",
    title="SELinux denies nginx the port of the backend",
    needs=("nginx", "error_log", "selinux"),
    check=check,
)
