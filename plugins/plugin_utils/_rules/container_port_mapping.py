# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx goes to a port that the container does not have there.

## What it is
A container has its ports in its own network. Others on that network use the port on which its program listens; the host has only what is published
("8080:3000": port 8080 of the host leads to port 3000 of the container). Mixed up, nothing listens where nginx goes: the published port used between
containers, a port that is not published used from the host, one published under another number, or to a port on which the program does not listen.
nginx gets "connection refused" (111), or a connection that the engine's proxy cuts off (104), and answers 502.

## How it is recognised
The container is known by the address, by its published ports, or, for a port that is not published at all, as the one in which that port is open. Its
sockets, read in its own network namespace, and what the engine publishes show which port is right. Proven for one right port;
likely where several would do, where the image promises the port that nginx uses, where the program was started just now, or, of a port that is not
published, where the container has no name in common with the route.

As advice it is said of a pass that has the address of a container written down and works: a published port, or a name, stays where that may not.

## Fix
Between containers, and where it is published elsewhere: point the pass at the right port (risky). Otherwise publish it, or publish another port,
where the container is made: manual, with the lines for its Compose file.

## When it stays silent
Something listens on the port in the container that nginx comes to. Nothing listens in it at all (backend-not-running). A program of the host claims
the port. The userland proxy is off: then the kernel hands connections on, and there is no listener on the host to miss.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, loopback
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, advise, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint with a port that its container does not have there."""
    for found in contained.verdicts(host, contained.PORT_MAPPING):
        yield on_leg(
            host,
            RULE.id,
            found.leg,
            found.certainty,
            _says(found),
            show_verdict(found),
            _fix(found),
            f"{_docking.program(found.target)} port {_docking.quoted(found.target)}",
            found.alternatives,
        )
    told = set()
    for leg in host.legs:
        own = host.container_of(leg.instance)
        target = host.containers.at(leg.endpoint.address, own) if leg.crosses and not leg.peer.by_name else None
        if target and leg.serves and (leg.instance.id, leg.endpoint) not in told:
            told.add((leg.instance.id, leg.endpoint))
            yield _advice(host, leg, target)


def _advice(host: Host, leg: Leg, target: Container) -> Finding:
    own = host.container_of(leg.instance)
    common = [item for item in target.shared(host.containers.networked(own)) if item.named] if own else []
    if common:
        fix = by_hand(f"Write its name at {leg.peer.at}: {target.reached_as}:{leg.endpoint.port}.")
    else:
        mapped = f"127.0.0.1:{leg.endpoint.port}:{leg.endpoint.port}"
        made = _docking.where_made(target, f'ports: ["{mapped}"]', f"-p {mapped}")
        fix = by_hand(f"{made}; then pass to 127.0.0.1:{leg.endpoint.port}.")
    return advise(
        RULE.id,
        leg,
        f"{leg.endpoint} is the address of {target.label} on its network: where it was not set by hand, the engine gives another once it is started anew.",
        [show_config(leg), Evidence(host.owner_named(target).source, f"{target.label} has {leg.endpoint.address} now")],
        fix,
    )


def _says(found: contained.Verdict) -> str:
    leg, target, real = found.leg, found.target, found.listener.endpoint.port
    port = leg.endpoint.port
    if found.how == contained.BETWEEN:
        return f"Port {port} is where {target.label} is published on the host; on its own network its program listens on {found.port.port}."
    if found.how == contained.OTHER_PORT:
        return f"Nothing listens on port {port} in {target.label}; its program listens on {real}."
    if found.how == contained.MAPPED_WRONG:
        return f"{leg.endpoint} is published to port {found.port.port} of {target.label}, on which nothing listens; its program listens on {real}."
    where = "the host" if found.home.is_local(leg.endpoint) else found.home.name
    if found.how == contained.ELSEWHERE:
        return f"Nothing listens on {leg.endpoint} of {where}: port {found.port.port} of {target.label} is published at {found.port.place}."
    return f"Nothing listens on {leg.endpoint} of {where}: {target.label} has port {port} on its own network, and does not publish it."


def _fix(found: contained.Verdict) -> Fix:
    leg, target, real = found.leg, found.target, found.listener.endpoint.port
    port = leg.endpoint.port
    bound = f" Its program listens on {found.listener.endpoint} alone: let it listen on 0.0.0.0." if loopback(found.listener.endpoint.address) else ""
    if found.how in (contained.BETWEEN, contained.OTHER_PORT) or found.network or found.how == contained.ELSEWHERE and found.endpoint:
        return _docking.point(found, bound.strip())
    # What is published for an nginx on the same host need not be open to others.
    address = f"{leg.endpoint.address}:" if loopback(leg.endpoint.address) else ""
    if ":" in leg.endpoint.address and address:
        # A name such as localhost has both families, and nginx goes on from one to the other.
        address = "127.0.0.1:" if leg.peer.by_name else f"[{leg.endpoint.address}]:"
    if found.how == contained.MAPPED_WRONG:
        mapped = f"{address}{port}:{real}"
        made = _docking.where_made(target, f'ports: ["{mapped}"] in place of the one to {found.port.port}', f"-p {mapped}")
        fix = by_hand(f"{made}; or let its program listen on {found.port.port}.")
        return _docking.with_patch(found.home, target, fix, ports=(mapped,), moves=found.port.port)
    mapped = f"{address}{port}:{port}"
    made = _docking.where_made(target, f'ports: ["{mapped}"]', f"-p {mapped}")
    return _docking.with_patch(found.home, target, by_hand(f"{made}.{bound}"), ports=(mapped,))


RULE = Rule(
    id="container-port-mapping",
    title="nginx uses a port that the container does not have there",
    needs=("nginx", "listeners", "containers"),
    check=check,
)
