# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be written so that nginx's workers may connect and open more, as far as its master can give it to them without a restart.

A worker sets its own limit while it is still root (ngx_worker_process_init()), so that a reload is enough. It comes up to the hard
limit of the master, and above only with CAP_SYS_RESOURCE, which a container mostly lacks. What is beyond takes LimitNOFILE= of the unit,
and a restart.

This module is private to the collection.
"""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.limits import PER_REQUEST, Limits, raise_to


def descriptors(limits: Limits, wanted: int = 0, least: int = 0) -> tuple[int, tuple[dict, ...]]:
    """Return (worker_rlimit_nofile, what nginx_limits is told); (0, ()) where no reload gives the workers more than they have, or than least.

    wanted is by default twice what the workers have, with room for twice the connections.
    """
    reached = min(wanted or raise_to(limits)[1], limits.most or 0)
    if reached <= max(limits.soft or 0, least - 1):
        return 0, ()
    return reached, _changes(limits, nofile=reached)


def connections(limits: Limits) -> tuple[int, int, tuple[dict, ...]]:
    """Return (worker_connections, worker_rlimit_nofile or 0 where it suffices, what nginx_limits is told); (0, 0, ()) as above."""
    wanted, nofile = raise_to(limits)
    have = min((worker.soft for worker in limits.workers if worker.soft is not None), default=None) if limits.workers else 0
    if have is None or have >= PER_REQUEST * wanted:
        return wanted, 0, _changes(limits, connections=wanted)
    reached = min(nofile, limits.most or 0)
    wanted = min(wanted, reached // PER_REQUEST)
    if wanted <= limits.connections.value:
        return 0, 0, ()
    return wanted, reached, _changes(limits, connections=wanted, nofile=reached)


def _changes(limits: Limits, connections: int = 0, nofile: int = 0) -> tuple[dict, ...]:
    instance, found = limits.instance, []
    if nofile:
        main = {"context": {"block": "main", "file": instance.raw["conf_path"]}, "worker_rlimit_nofile": nofile}
        found.append({**main, **({"replaces": {"worker_rlimit_nofile": str(limits.nofile.value)}} if limits.nofile else {})})
    events = next(instance.configuration.blocks("events"), None)
    if connections and events:
        there = _edit.own(events, "worker_connections")
        change = {"context": _edit.context(events), "worker_connections": connections}
        found.append({**change, **({"replaces": {"worker_connections": there.args[0]}} if there else {})})
    return tuple(found) if not connections or events else ()


def by_unit(limits: Limits, wanted: int) -> str:
    """Return in words how the master itself gets so many descriptors, which takes a restart."""
    unit = limits.instance.unit.get("name")
    where = f"LimitNOFILE={wanted} in a drop-in of {unit}" if unit else "the limit where nginx is started (limits.conf, for what a login starts)"
    has = "what the master may have is not known" if limits.most is None else f"the master may have only {limits.most}"
    return f"{has}: set {where}, and restart nginx, which a reload does not replace"
