# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in a container goes to its own loopback, and what it wants is elsewhere.

## What it is
In a container, 127.0.0.1 and localhost are that container itself. A pass that was written for a host, where all programs share one loopback, leads
nowhere once nginx is in a container of its own: "connection refused" (111), and 502, though the application runs in the next container or on the host.

## How it is recognised
The master of nginx is in a container with its own network namespace; no socket is at the endpoint there; and another container, or the host, has a
socket on that port. Proven when nginx is the program of its container and no other container shares its network, so that no backend belongs beside
it, and a container that has a network or a Compose project in common with it (or, else, one alone) has the port for others too; which of several is
meant, their names tell, or a person has to. Likely when the container that would have it is down, or when it listens for its own container alone.

## Fix
Write the name of the service and the port that it has in its container, "http://app:3000": risky, since what is meant is chosen. Between containers
that have no network in common, connect them first. What runs on the host is reached under host.docker.internal, where it listens on the address of
the network's gateway too: for a person.

## When it stays silent
Something listens at the endpoint in nginx's own container, or in one that shares its network; nginx uses the network of the host; nobody else has the
port. Where the engine was not asked, backend-wrong-address tells what the namespaces alone show.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, loopback
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each pass of an nginx in a container to its own loopback, where another has the port."""
    for found in contained.verdicts(host, contained.LOCALHOST):
        yield on_leg(
            host,
            RULE.id,
            found.leg,
            found.certainty,
            f"{found.leg.endpoint} is {_where(found)}, and nothing listens there; {_who(found)}.",
            show_verdict(found),
            _fix(found),
            _docking.sockets(found.own),
            found.alternatives,
        )


def _where(found: contained.Verdict) -> str:
    if found.inside is found.own:
        return f"{found.own.label} itself, in which nginx runs"
    return f"{found.own.label}, whose network {found.inside.label} has, in which nginx runs"


def _who(found: contained.Verdict) -> str:
    if not found.target:
        return f"{found.listener.label} has that port on the host"
    if found.how == contained.DOWN:
        return f"{found.target.label} would have that port, and is {found.target.says(found.home.now)}"
    if found.how == contained.SEVERAL:
        return f"{found.target.label} and others have that port"
    return f"{found.target.label} has that port"


def _fix(found: contained.Verdict) -> Fix:
    leg, target = found.leg, found.target
    if not target:
        gateway = next((item.gateway for item in found.own.attachments if item.gateway), "")
        there = f" (extra_hosts: host.docker.internal:host-gateway{f', which is {gateway}' if gateway else ''})"
        bound = loopback(found.listener.endpoint.address)
        also = f", and let {found.listener.processes[0].comm} listen there too, not on {found.listener.endpoint} alone" if bound else ""
        return by_hand(f"Point {leg.peer.at} at {found.place}{there} instead of {leg.endpoint}{also}.")
    if found.how == contained.SEVERAL:
        return by_hand(f"Point {leg.peer.at} at the name and port of the container that is meant, such as {found.place}, instead of {leg.endpoint}.")
    steps = []
    if found.how == contained.DOWN:
        steps.append(f"Start {target.label} too.")
    elif loopback(found.listener.endpoint.address):
        steps.append(f"Let its program listen on 0.0.0.0, not on {found.listener.endpoint} alone.")
    if not found.network:
        steps.append(f"Connect {found.own.label} and {target.label} to one network of their own first.")
    return _docking.point(found, " ".join(steps))


RULE = Rule(
    id="container-localhost",
    title="nginx in a container passes to its own loopback",
    needs=("nginx", "listeners", "containers"),
    check=check,
)
