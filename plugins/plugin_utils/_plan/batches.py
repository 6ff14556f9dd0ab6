# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are changed together: a canary first, then growing batches, and never two members of one pool at a time.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Plan


def capped(plans: Iterable[Plan], most: int) -> list[Plan]:
    """Return the plans with the steps of all but the first so many hosts held back."""
    plans = list(plans)
    later = [plan for plan in plans if plan.steps][most:]
    why = f"{most} hosts are changed in one run at most; run again, or allow more"
    return [plan.without_steps(why, f"bad_gateway_max_hosts={most + len(later)}") if plan in later else plan for plan in plans]


def cut(hosts: Iterable[str], sizes: Iterable[int | str], pools: Iterable[frozenset[str]], widest: int) -> tuple[tuple[str, ...], ...]:
    """Return the hosts in batches.

    sizes   how many hosts a batch has at most: numbers, or shares of all hosts such as "10%"; the last one holds for all further batches
    pools   hosts of which two must never be in one batch
    widest  more hosts than this are never in one batch
    """
    waiting = list(hosts)
    count, sizes, pools = len(waiting), list(sizes), list(pools)
    made: list[tuple[str, ...]] = []
    while waiting:
        size = min(_number(sizes[min(len(made), len(sizes) - 1)], count), widest)
        batch: list[str] = []
        for host in waiting:
            if len(batch) < size and not any(host in pool and pool & set(batch) for pool in pools):
                batch.append(host)
        made.append(tuple(batch))
        waiting = [host for host in waiting if host not in batch]
    return tuple(made)


def _number(size: int | str, count: int) -> int:
    """Return a size in hosts, at least one; as Ansible's "serial" does, shares are rounded down."""
    return max(1, int(str(size).rstrip("%")) * count // 100 if str(size).endswith("%") else int(size))


def pools(models: Iterable[Host], by_address: Mapping[str, str]) -> frozenset[frozenset[str]]:
    """Return the hosts that stand for one another: the peers of one group, or of one name, in the configuration of any host of the run.

    by_address gives the name of the host of the run that has an address.
    """
    found = set()
    for model in models:
        for route in model.routes:
            members = {by_address.get(endpoint.address, "") for peer in route.peers for endpoint in peer.endpoints if endpoint.kind == "tcp"}
            found.add(frozenset(members - {""}))
    return frozenset(pool for pool in found if len(pool) > 1)
