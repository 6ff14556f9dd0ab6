# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what is wrong with a container is put right, and what of it belongs into the file that the container is made from.

This module is private to the collection.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _compose, _edit, _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import proxies, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.contained import Verdict
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, taking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, SAFE, by_hand
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote

CHECKED = "The patch is for a person; once it is in: docker compose --file {path} config --quiet, and then up --detach."


def program(container: Container) -> str:
    """Return the program by which a person asks the engine of a container."""
    return "podman" if "podman" in container.engine else "docker"


def quoted(container: Container) -> str:
    """Return the name of a container as a shell takes it."""
    return shlex.quote(container.word)


def test_command(host: Host, instance: Instance) -> str:
    """Return the command with which a person tests the configuration of an nginx, in its container where it is in one."""
    own = host.container_of(instance) if instance.container else None
    return f"{program(own)} exec {quoted(own)} {instance.test_command}" if own else instance.test_command


def reload_command(host: Host, instance: Instance) -> str:
    """Return the command with which a person loads the configuration of an nginx, in its container where it is in one."""
    own = host.container_of(instance) if instance.container else None
    return f"{program(own)} exec {quoted(own)} {instance.command('-s', 'reload')}" if own else instance.reload_command


def sockets(container: Container) -> str:
    """Return the command with which a person sees what listens in a container."""
    return f"nsenter --target {container.pid} --net ss -ltnp" if container.pid else f"{program(container)} top {quoted(container)}"


def of_proxy(rule: str, down: proxies.Down, says: str, fix: Fix, command: str, host: Host) -> Finding:
    """Return a finding about an nginx container that is down."""
    container = down.container
    evidence = [Evidence(f"{program(container)} inspect {quoted(container)}", f"{container.label} is {quote(container.says(host.now), 300)}")]
    evidence += [Evidence(f"{program(container)} logs {quoted(container)}", quote(down.said, 300))] if down.said else []
    if down.target:
        target = down.target
        networks = ", ".join(item.name for item in target.attachments) or target.network_mode
        evidence.append(Evidence(f"{program(target)} inspect {quoted(target)}", f"{target.label} is {quote(target.says(host.now), 300)}, on {networks}"))
    others = () if down.certainty == PROVEN else (proxies.STOPPED,)
    return Finding(rule, CAUSE, down.certainty, 0, None, None, says, tuple(evidence), others, fix, command)


def started(host: Host, containers: Iterable[Container], more: str = "") -> Fix:
    """Return the fix that starts containers of this host, in their order."""
    items = [starting.container_item(host, item) for item in containers]
    command = " && ".join(f"{program(item)} start {quoted(item)}" for item in containers)
    summary = f"Start {'it' if len(items) == 1 else 'them'}: {command}.{f' {more}' if more else ''}"
    if not all(items):
        return by_hand(summary)
    return Fix(remedy="start_container", safety=SAFE, summary=summary, changes=tuple({**item, "action": "start"} for item in items))


def where_made(container: Container, lines: str, option: str = "") -> str:
    """Return what belongs where a container is made: lines of its service in Compose, or an option of "run"."""
    if container.compose:
        return f"In {container.compose.file}, service {container.compose.service}: {lines}"
    return f"Make {container.label} anew with {option}" if option else f"Make {container.label} anew so"


def with_patch(home: Host, container: Container, fix: Fix, **wanted: Any) -> Fix:
    """Return a fix with the patch that the compose file of a container wants; wanted is what its service is to have, as _compose.Wanted names it."""
    compose = container.compose
    if compose is None:
        return fix
    files = (home.answer("containers")["value"] or {}).get("compose_files") or ()
    made = _compose.for_service(files, compose.files, _compose.Wanted(compose.service, project=compose.project, **wanted))
    if made.diff:
        return replace(fix, diff=made.diff, summary=f"{fix.summary} {CHECKED.format(path=shlex.quote(compose.file))}")
    return replace(fix, summary=f"{fix.summary} There is no patch: {made.why}.") if files else fix


def point(found: Verdict, also: str = "") -> Fix:
    """Return the fix of a pass that leads where a container cannot be reached: the name, or the endpoint, that reaches it."""
    leg = found.leg
    changes = _pointing.named(leg, found.place) if found.network else _pointing.moved(leg, found.endpoint) if found.endpoint else ()
    summary = f"Point {leg.peer.at} at {found.place} instead of {leg.peer.written or leg.endpoint}.{f' {also}' if also else ''}"
    others = _of_that_name(found)
    if others:
        named = ", ".join(item.label for item in others)
        return by_hand(
            f"The name {leg.peer.host_name} is also that of {named}, on which that would not hold: nginx goes to all of them. Pass to the name of the "
            "container that is meant, or take the name from the other."
        )
    if not changes or also:
        return by_hand(summary)
    more = _edit.shared(leg.route.site.configuration, (leg.peer.at,))
    return Fix(remedy="repoint_upstream", safety=RISKY, summary=f"{summary} {more}".strip(), changes=changes)


def _of_that_name(found: Verdict) -> list[Container]:
    """Return the further containers to which the name in the pass leads, and which do not take connections at the port that would be right for the target."""
    leg, home = found.leg, found.home
    if not found.own or not found.target or not leg.peer.by_name or not found.listener:
        return []
    called = [item for item in home.containers.called(leg.peer.host_name, found.own) if item.up and item.id != found.target.id]
    there = [item for item in called if any(one.named for one in item.shared(found.own))]
    return [item for item in there if not taking(home.sockets_in(item.net), item, found.listener.endpoint.port)]


def connect(host: Host, container: Container, network: str, alias: str = "") -> Fix:
    """Return the fix that connects a container to a network."""
    option = f"--alias {shlex.quote(alias)} " if alias else ""
    command = f"{program(container)} network connect {option}{shlex.quote(network)} {quoted(container)}"
    # Compose puts the name of the project before those of its networks.
    project = f"{container.compose.project}_" if container.compose else ""
    own = network[len(project) :] if project and network.startswith(project) else ""
    lines = f"networks: [{own or network}], beside those that it has{'' if own else f', and below networks: {network}: {{external: true}}'}"
    made = where_made(container, lines)
    summary = f"Connect {container.label} to network {network}: {command}. {made}, or the next container that is made of it is apart again."
    item = starting.container_item(host, container)
    fix = by_hand(summary)
    if item and starting.CONTAINER.fullmatch(network):
        change = {**item, "network": network, **({"alias": alias} if alias else {})}
        fix = Fix(remedy="connect_network", safety=RISKY, summary=summary, changes=(change,))
    # A name of its own on one network is more than a patch is made for; so is what the file calls a network of its project.
    return fix if alias or own else with_patch(host, container, fix, networks=(network,))
