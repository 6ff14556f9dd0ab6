# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Active health checks are not to be had with this nginx.

## What it is
"health_check" and "match" are directives of NGINX Plus. Open-source nginx refuses a configuration that has them, and
learns that a server is dead from the requests of clients alone ("max_fails", "fail_timeout").

## How it is recognised
The configuration has "health_check" in a location or server and the build is no NGINX Plus. Or a server of a group with
several did not take connections in the log window: said once for each nginx, because that is what passive checks cost.

## Fix
Remove the directive; set "max_fails" and "fail_timeout" on the servers of the group, or let something outside of
nginx check them. Manual.

## When it stays silent
The build is NGINX Plus, or is not known; no group has several servers, or each of them took connections.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_group

# A server that takes connections is not dead, whatever became of a request.
_FAILURES = ("connect-refused", "connect-no-socket", "connect-timeout", "connect-unreachable")


def check(host: Host) -> Iterator[Finding]:
    """Yield a piece of advice for each nginx that is to check its servers and cannot."""
    for instance in host.instances:
        build = instance.raw.get("build") or {}
        made = f"{build['value'].get('product') or 'nginx'} {build['value'].get('version') or ''}" if build.get("status") == "ok" else ""
        if not made or "plus" in made:
            continue
        wished = next((item for item in instance.configuration.everywhere() if item.name == "health_check"), None)
        failed = None if wished else _failed_for_clients(host, instance)
        if wished:
            yield on_instance(
                RULE.id,
                instance,
                ADVICE,
                PROVEN,
                "health_check is a directive of NGINX Plus: this nginx does not know it and cannot check servers by itself.",
                [Evidence(str(wished.at), "health_check"), Evidence("nginx -V", made)],
                by_hand("Remove health_check and its match block; set max_fails and fail_timeout on the servers of the group."),
                at=wished.at,
            )
        elif failed:
            yield on_instance(
                RULE.id,
                instance,
                ADVICE,
                PROVEN,
                f"This nginx learns only from the requests of clients that a server is dead, as {failed.endpoint} of {failed.route.group} was.",
                [show_group(failed.logged(*_FAILURES)[0])],
                by_hand("Set max_fails and fail_timeout to fit how the servers fail, or let something outside of nginx check them."),
                at=failed.peer.at,
            )


def _failed_for_clients(host: Host, instance: Instance) -> Leg | None:
    for leg in host.legs:
        if leg.instance is instance and leg.route.upstream and leg.errors and leg.logged(*_FAILURES):
            if sum(len(peer.endpoints) for peer in leg.route.peers if not peer.down) > 1:
                return leg
    return None


RULE = Rule(
    id="health-check-unavailable",
    title="Active health checks need NGINX Plus",
    needs=("nginx",),
    check=check,
)
