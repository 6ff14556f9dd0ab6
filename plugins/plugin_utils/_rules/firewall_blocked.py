# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A packet filter drops or rejects nginx's connections to the backend.

## What it is
nginx's connection to a TCP backend does not get through a packet filter (nftables, iptables, firewalld, ufw), on this
host, on the backend's, or between. A dropped one is never answered: a 504 after the connect timeout. A rejected
one is refused (111) or "host unreachable" (113): a 502. Refused looks exactly like a backend that is down.

## How it is recognised
A connection as the worker's user fails, and the rules of this host, followed as the kernel does for just this
connection (protocol, addresses, port, links, user), end in a drop or a rejection, or the table of connections is full:
proven. The backend's host is in the run and its socket is open there, or it is this host and nginx is in a container, whose connections
the host filters by rules of its own (ufw does), or its host answers "unreachable" at once: likely. No answer at all, with nothing on this
host that explains it: possible.

## Fix
None by itself: a rule of a filter is somebody's intention. The finding names the rule, and the endpoint that has to
be let through. A full table of connections wants more room, not a rule.

## When it stays silent
The connection works, the rule is about another port, address, user or link, or one before it accepts. There
is no route, or nobody answers on the link: that is network-unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import network
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ERROR, TIMEOUT, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

# Of the table of connections: no rule lets more through.
_ROOM = "Raise net.netfilter.nf_conntrack_max as far as memory allows, and look for what opens, or leaves open, so many connections."
_COUNT = "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"
_LOOK = {"firewalld": "firewall-cmd --list-all", "ufw": "ufw status verbose", "fail2ban": "fail2ban-client status"}


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint that a packet filter keeps nginx from."""
    for found in network.blocked(host, RULE.id):
        leg, verdict = found.leg, found.way.verdict
        here = bool(found.shown) and found.shown[0][0].startswith("packet filter")
        full = bool(found.shown) and found.shown[0][0] == "nf_conntrack_count"
        where = "on this host" if here else f"on {leg.endpoint.address} and on the way"
        evidence = [show_config(leg), *show_probe(leg), *[Evidence(*pair) for pair in found.shown]]
        if leg.local and leg.listeners:
            evidence.append(Evidence("listening sockets", leg.listeners[0].label))
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"{found.why[0].upper()}{found.why[1:]}.",
            evidence + show_log(leg, "connect-timeout", "connect-refused", "connect-unreachable"),
            by_hand(_ROOM if full else f"Let TCP connections to {leg.endpoint} through {where}."),
            _COUNT if full else _LOOK.get(verdict.get("by", "") if here else "", "nft list ruleset" if here else f"ip route get {leg.endpoint.address}"),
            found.alternatives,
            failure=TIMEOUT if leg.connect == "timeout" else ERROR,
        )


RULE = Rule(
    id="firewall-blocked",
    title="A packet filter keeps nginx from the backend",
    needs=("nginx", "network"),
    check=check,
)
