# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Something was started before what it needs, gave up, and nobody started it again.

## What it is
At boot all units start at once unless they are ordered. nginx that cannot look up the name of an upstream ("host not found in upstream")
does not start at all; a backend whose database is not up yet may end. Minutes later all that was missing is there, and what gave up is still
down.

## How it is recognised
nginx: it is down and meant to run, its last [emerg] record (error log, or journal of its unit) names a host that was not found, the files were
not changed since, and the configuration test, which looks every name up, passes now. A backend: its unit has failed, its last words name an address or a
socket of this host that refused it, and there a process listens now that was started after the backend had ended. Both are proven. nginx in a container:
that is down after an [emerg] about a name, and a container on one of its networks has that name and runs, started after nginx had ended.

## Fix
Start it; and, so that the next boot goes well, order it after what it needs, or let it be started again until that is there. Risky: the order of a
boot is changed. A container is only started, which is safe; its order belongs into its Compose file (depends_on with condition: service_healthy).

## When it stays silent
What it needs is still not there (then starting it does not help), was there before it ended, or came up long after. The configuration was
edited since. It was stopped by somebody, or runs.

As advice it is said of nginx in a container of Compose that runs: it looks the name of another service up at its start, and does not wait until that is
healthy, or the service has no healthcheck to wait for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, CAUSE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import boot, proxies, settings, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, by_role, on_instance, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_config, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx and each endpoint that is down since the boot's order was wrong."""
    for instance in host.instances:
        early = boot.nginx_too_early(host, instance)
        if early:
            yield _nginx(host, instance, early)
    for found in boot.backends_too_early(host):
        yield _backend(host, found)
    for instance in host.instances:
        own = host.container_of(instance)
        early = _not_waited_for(host, instance, own) if own and own.compose else {}
        found = _advice(host, instance, own, early) if early else None
        # Where no label tells what Compose waits for, its file must: it does not wait where there is a patch by which it would.
        if found and (own.compose.needs is not None or found.fix.diff):
            yield found


def _not_waited_for(host: Host, instance: Instance, own: Container) -> dict[str, tuple[Leg, Container]]:
    """Return the services of its project whose names nginx looks up at its start, and that Compose does not wait for until they are healthy."""
    waits, found = dict(own.compose.needs or ()), {}
    for leg in host.legs:
        if leg.instance is not instance or not leg.peer.by_name or leg.peer.run_time:
            continue
        for target in host.containers.called(leg.peer.host_name, own):
            if target.of_project(own) and target.compose.service not in found and waits.get(target.compose.service) != "service_healthy":
                found[target.compose.service] = (leg, target)
    return found


def _advice(host: Host, instance: Instance, own: Container, early: dict[str, tuple[Leg, Container]]) -> Finding:
    waits, names = dict(own.compose.needs or ()), ", ".join(early)
    leg = next(iter(early.values()))[0]
    unchecked = [service for service, (_leg, target) in early.items() if target.healthcheck is False]
    evidence = [Evidence(str(leg.peer.at), f"{leg.route.directive} {leg.route.written}")]
    for service, (_leg, target) in list(early.items())[:4]:
        how = f"waits for {service} with condition {waits[service] or 'service_started'}" if service in waits else f"does not wait for {service}"
        checked = "has no healthcheck" if service in unchecked else "has a healthcheck"
        evidence.append(Evidence(host.owner_named(target).source, f"{own.compose.service} {how}, which {checked}"))
    lines = f"depends_on: {{{', '.join(f'{service}: {{condition: service_healthy}}' for service in early)}}}"
    health = f"; and give {', '.join(unchecked)} a healthcheck" if unchecked else ""
    again = "" if own.restart_policy not in ("", "no") else ", and ends where there is none yet; nothing starts it again then"
    return on_instance(
        RULE.id,
        instance,
        ADVICE,
        PROVEN,
        f"nginx in {own.label} looks {names} up at its start{again}; Compose starts it before they answer.",
        evidence,
        _waiting(host, own, by_hand(f"{_docking.where_made(own, lines)}{health}."), [target for _leg, target in early.values()]),
        at=leg.peer.at,
    )


def _waiting(host: Host, own: Container, fix: Fix, targets: list[Container]) -> Fix:
    """Return a fix with the patch by which Compose waits for others; none without healthchecks, for which it would wait in vain."""
    services = tuple(item.compose.service for item in targets)
    return _docking.with_patch(host, own, fix, healthy=services) if all(item.healthcheck for item in targets) else fix


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that ended since another one, whose name it needs, was not there yet."""
    for found in proxies.down(host, RULE.id):
        own, target = found.container, found.target
        says = (
            f"nginx in {own.label} did not start, because it did not find {found.name}: {target.label} has that name, was started "
            f"{clock(target.started)} and runs now; nginx's container is down since {clock(own.finished)}."
        )
        fix = _docking.started(host, (own,), _after(own, target))
        fix = _waiting(host, own, fix, [target]) if own.compose and own.of_project(target) else fix
        yield _docking.of_proxy(RULE.id, found, says, fix, f"{_docking.program(own)} start {_docking.quoted(own)}", host)


def _after(own: Container, target: Container) -> str:
    """Return how the container of nginx is started after what it needs, for good."""
    if own.compose and own.of_project(target):
        health = "" if target.healthcheck else f", and give {target.compose.service} a healthcheck"
        lines = f"depends_on: {{{target.compose.service}: {{condition: service_healthy}}}}"
        return f"{_docking.where_made(own, lines)}{health}; and restart: unless-stopped."
    return f"For good, {_docking.program(own)} update --restart=unless-stopped {_docking.quoted(own)}, so that it is started again until the name is there."


def _nginx(host: Host, instance: Instance, early: boot.NginxTooEarly) -> Finding:
    addresses = (host.names_of(instance.id).get(early.name) or {}).get("addresses") or ()
    unit = instance.unit.get("name") or "nginx.service"
    return on_instance(
        RULE.id,
        instance,
        CAUSE,
        PROVEN,
        f"nginx did not start, because {early.name} could not be looked up then; it resolves now, and nginx is still down.",
        [
            Evidence(early.record["from"], f"{quote(early.record['text'])}, last {clock(early.record['last'])}"),
            Evidence("configuration test", "passes, and it looks every name up"),
            *([Evidence("names", f"{early.name} is {', '.join(addresses[:3])} now")] if addresses else []),
            Evidence("process table", f"no master process runs for {instance.id}"),
        ],
        by_role(
            "unit_order",
            f"Start it; then order {unit} after what answers names (After=network-online.target nss-lookup.target, Wants= the same), "
            "and add Restart=on-failure to it.",
            _order_of_nginx(instance),
        ),
        f"systemctl start {shlex.quote(unit)}" if instance.unit else f"nginx -c {shlex.quote(instance.raw['conf_path'])}",
    )


def _backend(host: Host, found: boot.BackendTooEarly) -> Finding:
    needed = found.needed_unit
    order = "or let it be started again until that is there (Restart=on-failure, RestartSec=5)"
    if needed and not found.ordered:
        order = f"order it after {needed} (After= and Wants= in its unit), {order}"
    return on_leg(
        host,
        RULE.id,
        found.leg,
        PROVEN,
        f"Nothing listens on {found.leg.endpoint}: {found.owner.label} ended because {found.needs.endpoint} was not there yet; "
        f"that was started {found.began - found.ended:.0f} s later and is there now.",
        [
            show_config(found.leg),
            Evidence(f"last words of {found.owner.name}", quote(found.words)),
            Evidence(found.owner.source, f"{found.owner.says}; ended {clock(found.ended)}"),
            Evidence("listening sockets", f"{found.needs.label}, started {clock(found.began)}"),
            *show_probe(found.leg),
        ],
        by_role("unit_order", f"Start it: {found.owner.start}; then {order}.", _order_of_backend(host, found)),
        found.owner.start,
    )


def _order_of_nginx(instance: Instance) -> settings.Change:
    name = instance.unit.get("name") or ""
    if not starting.UNIT.fullmatch(name) or instance.unit.get("enabled") in ("masked", "masked-runtime"):
        return settings.Change(None, "no unit is known that starts it")
    return settings.Change({"unit": name, "after": ["network-online.target", "nss-lookup.target"], "restart": True})


def _order_of_backend(host: Host, found: boot.BackendTooEarly) -> settings.Change:
    """A unit that is ordered already lost the race all the same: what it needs was started before it, and not ready."""
    way = starting.start_of(host, found.owner, found.leg.endpoint)
    if not way.item or way.item["manager"] != "systemd" or way.item["name"] != found.owner.unit or not found.unit:
        return settings.Change(None, way.why_not or "only units can be ordered")
    needed = found.needed_unit
    circular = found.owner.unit in (starting.unit_named(host, needed).get("after") or ())
    after = [needed] if starting.UNIT.fullmatch(needed) and not found.ordered and not circular else []
    again = found.unit.get("restart") == "no"
    if not after and not again:
        return settings.Change(None, "it is ordered after what it needs and started again already")
    return settings.Change({"unit": found.owner.unit, "after": after, "restart": again, **starting.waited_for(found.leg.endpoint)})


RULE = Rule(
    id="startup-order",
    title="Something was started before what it needs, and is down since",
    needs=("nginx", "nginx.start", "error_log"),
    check=check,
    down=down,
)
