# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend is up on the right port, at an address that nginx does not use.

## What it is
The pass names one address of the host (or "localhost", which is both 127.0.0.1 and ::1 on most), and the
application listens on the same port of another: on ::1 alone, on the network address alone, or on the
loopback of a host that others try to reach, the containers on it among them. A container that is made anew may get another address than the one that a pass
has. nginx gets "connection refused" (111) and answers 502.

## How it is recognised
No socket takes a connection to the address in the pass, and another program's socket has the same port. Likely where several have it, or the one that has
it is no PHP-FPM for fastcgi_pass, is a service of the system, or answers in another protocol. Where that address is open
in another network namespace than nginx's, and no engine told of containers: likely when who has it says that it listens there, else possible. An address that
a network of the engine has and none of its containers, while one container on that network listens on the port: proven.

## Fix
Write the address on which the backend listens, or let the backend listen where nginx connects. Risky: the
second widens who can reach it. Manual between namespaces: the name of the other container, or the host's address on their network.

## When it stays silent
A wildcard listener covers the address (0.0.0.0; [::] unless it is limited to IPv6). Where "localhost" is
two addresses and one of them answers, nginx tries the other next: that is a risk, not a cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_leg, repoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence, show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose backend listens at another address."""
    for found in absence.absences(host, absence.WRONG_ADDRESS):
        leg = found.leg
        if found.beyond:
            yield _beyond(host, found)
            continue
        place = "" if found.seen_on is host else f" on {found.seen_on.name}"
        own = host.container_of(leg.instance) if leg.crosses else None
        inside = [Evidence("nginx", f"runs in {own.label if own else 'a container'}: the loopback of the host is not its own")] if leg.crosses else []
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"Nothing listens on {leg.endpoint}; the backend listens on the same port at another address{place}: {found.elsewhere.label}.",
            show_absence(host, found) + inside,
            repoint(found, RISKY),
            f"ss -ltnp sport = :{leg.endpoint.port}",
            found.alternatives,
        )
    for found in contained.verdicts(host, contained.WRONG_ADDRESS):
        yield _of_family(host, found) if found.how == contained.FAMILY else _gone(host, found)


def _gone(host: Host, found: contained.Verdict) -> Finding:
    leg, target = found.leg, found.target
    also = "The engine gives addresses anew: for good, publish the port on the host, or use a name." if not found.own else ""
    fix = _docking.point(found)
    if found.others:
        # Which of them is meant, nothing tells.
        fix = by_hand(f"Point {leg.peer.at} at the container that is meant, such as {target.label} at {found.endpoint or found.place}.")
    return on_leg(
        host,
        RULE.id,
        leg,
        found.certainty,
        f"No container has the address {leg.endpoint.address}; on its network {target.label} listens on that port, at {found.endpoint or found.place}.",
        show_verdict(found),
        replace(fix, summary=f"{fix.summary} {also}".strip()),
        f"{_docking.program(target)} inspect {_docking.quoted(target)}",
        found.alternatives,
    )


def _of_family(host: Host, found: contained.Verdict) -> Finding:
    leg, target, bound = found.leg, found.target, found.listener.endpoint
    made = _docking.where_made(target, "the option or variable of its program that sets the address, such as --host 0.0.0.0 in command:")
    return on_leg(
        host,
        RULE.id,
        leg,
        found.certainty,
        f"{leg.endpoint} leads into {target.label}, which has IPv4 addresses alone; its program takes IPv6 alone, on {bound}.",
        show_verdict(found),
        by_hand(f"Let the program in {target.label} listen on 0.0.0.0:{bound.port}. {made}."),
        _docking.sockets(target),
        found.alternatives,
    )


def _beyond(host: Host, found: absence.Absence) -> Finding:
    leg = found.leg
    return on_leg(
        host,
        RULE.id,
        leg,
        found.certainty,
        f"Nothing listens on {leg.endpoint} in nginx's network namespace; what has that port is in another, as nginx or it runs in a container: "
        f"{found.elsewhere.label}.",
        show_absence(host, found),
        by_hand(f"Write in {leg.peer.at} what reaches it from nginx: the name of its container, a port that is published, or the host's address."),
        f"ss -ltnp sport = :{leg.endpoint.port}",
        found.alternatives,
    )


RULE = Rule(
    id="backend-wrong-address",
    title="The backend listens at another address",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
