# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of nginx and of the backend have no network in common.

## What it is
Containers find each other by name, and reach each other, on a network that both are connected to. Projects of Compose have a network each, so that
containers of two projects are apart unless somebody connects them. Where nginx asks for the name, it is not found ("host not found", "could not be
resolved"); where it has the address, nothing answers (110). On the default network of Docker, "bridge", containers reach each other by address, and no
name is resolved at all.

## How it is recognised
The name in the pass does not resolve where nginx is, and a container has that name, as its own or an alias; the engine says which networks the two are
connected to, and none with names is among those that they share: proven. An address of a container on a network that nginx's container is not on, which does
not answer: proven too.

A container that joined the network of another (`--network container:app`, `network_mode: service:app`) stays in the network that the other had: where that
one is gone, or has another network namespace since it was started again, nginx is alone with its loopback: proven. So is a backend
that joined the container to which nginx goes.

## Fix
Connect nginx's container to the network of the backend (`docker network connect`), or the reverse where only nginx has one with names. Risky: more
containers reach each other. What Compose makes anew is apart again, so that both belong on one network in its file.
What was left behind is restarted where the container that it joined is still there, or made anew. Manual.

## When it stays silent
They share a network with names. nginx is on the host, or in a container with the host's network: it reaches every bridge. No container has that name
(dns-host-not-found). A network is one of Docker Swarm.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained, containers, proxies
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ERROR, TIMEOUT, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint that is in a container apart from nginx's."""
    for found in contained.verdicts(host, contained.NETWORK_MISMATCH):
        leg, own, target = found.leg, found.own, found.target
        if found.how in (contained.LEFT, contained.STRANDED):
            yield _left(host, found)
            continue
        says = f"{leg.endpoint} is {target.label}, on {_networks(target)}; nginx runs in {own.label}, on {_networks(own)}: they have no network in common."
        if found.how == contained.NAMELESS:
            says = (
                f"{leg.endpoint} is {target.label}; it and {own.label}, in which nginx runs, have only the engine's default network in common, "
                "on which no names are resolved."
            )
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            says,
            show_verdict(found, "connect-timeout", "connect-unreachable", "connect-refused", "name-not-resolved"),
            _fix(found),
            f"{_docking.program(own)} inspect -f '{{{{json .NetworkSettings.Networks}}}}' {_docking.quoted(own)} {_docking.quoted(target)}",
            found.alternatives,
            failure=TIMEOUT if leg.connect == "timeout" else ERROR,
        )


def _left(host: Host, found: contained.Verdict) -> Finding:
    """Return the finding of a container that joined the network of another one, and was left in the one that that had before: nginx's, or the backend's."""
    leg, target = found.leg, found.target
    stranded = found.how == contained.STRANDED
    lone = target if stranded else found.own
    program, word = _docking.program(lone), _docking.quoted(lone)
    joined = found.home.containers.joined(lone)
    command = f"{program} inspect -f '{{{{.HostConfig.NetworkMode}}}}' {word}"
    if joined:
        gone = f"{joined.label} was started again since, with a network of its own"
        seen = f"{joined.label} has network namespace {joined.net}, {lone.label} {lone.net}"
        fix = by_hand(f"Restart {lone.label}, so that it joins the network that {joined.label} has now: {program} restart {word}.")
        command = f"{program} restart {word}"
    else:
        gone = "that container was made anew"
        seen = f"it has the network of container {lone.network_mode[10:22]}, and there is none with that id"
        where = f"--network container:{_docking.quoted(target)}" if target and not stranded else "the network of the container that is meant"
        made = f"Make {lone.label} anew with {where}: a restart is refused, since it still names the old one."
        if lone.compose:
            made = f"Make it anew: docker compose up --detach --force-recreate {shlex.quote(lone.compose.service)} (in {lone.compose.folder})."
        fix = by_hand(f"{made} Whoever makes the one anew must make the other anew too.")
    if stranded:
        says = f"Nothing listens on {leg.endpoint}: {lone.label}, which has that port, joined another container's network when it was started, and {gone}."
    else:
        whom = f"{target.label} listens on port {leg.endpoint.port} in another" if target else f"port {leg.endpoint.port} is in others"
        says = f"{leg.endpoint} is in the network that {lone.label}, in which nginx runs, joined when it was started, and {gone}: {whom}."
    shown = [*show_verdict(found), Evidence(f"{program} inspect {word}", seen)]
    return on_leg(host, RULE.id, leg, found.certainty, says, shown, fix, command, found.alternatives)


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that ended because it is apart from one whose name it needs."""
    for found in proxies.down(host, RULE.id):
        own, target = found.container, found.target
        network = next((item.name for item in target.attachments if item.named), "")
        fix = _docking.connect(host, own, network) if network else by_hand(f"Connect {own.label} and {target.label} to one network with names.")
        says = f"nginx in {own.label} did not start: it looks {found.name} up, which is {target.label}, on {_networks(target)}; nginx's is on {_networks(own)}."
        yield _docking.of_proxy(RULE.id, found, says, fix, f"{_docking.program(own)} logs --tail 20 {_docking.quoted(own)}", host)


def _networks(container: containers.Container) -> str:
    names = [item.name for item in container.attachments]
    return ("networks " if len(names) > 1 else "network ") + ", ".join(names) if names else "no network"


def _fix(found: contained.Verdict) -> Fix:
    leg, own, target = found.leg, found.own, found.target
    theirs = next((item for item in target.attachments if item.named and (not found.network or item.name == found.network)), None)
    if theirs:
        return _docking.connect(found.home, own, theirs.name)
    mine = next((item for item in own.attachments if item.named), None)
    if mine and leg.peer.by_name:
        alias = "" if leg.peer.host_name == target.name.lower() else leg.peer.host_name
        return _docking.connect(found.home, target, mine.name, alias)
    return by_hand(f"Make a network (docker network create shop), and connect {own.label} and {target.label} to it.")


RULE = Rule(
    id="container-network-mismatch",
    title="nginx's container and the backend's have no network in common",
    needs=("nginx", "names", "containers"),
    check=check,
    down=down,
)
