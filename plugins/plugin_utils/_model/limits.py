# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of an nginx: what its configuration sets, what the kernel allows its workers, and how much of both they use.

Sources: ngx_event.c (ngx_event_module_init(), worker_connections and its default 512), ngx_process_cycle.c
(worker_rlimit_nofile), ngx_connection.c (ngx_get_connection(): connections to clients and to backends come from one
pool, and so do the listening sockets and the channel to the master).

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place

# What one proxied request takes at once: the client's connection and the backend's.
PER_REQUEST = 2
_DEFAULT_CONNECTIONS = 512
# The kernel's default of fs.nr_open.
_NR_OPEN = 1048576


@dataclass(frozen=True)
class Setting:
    """A number of the configuration and where it is written; at is None for nginx's default."""

    value: int
    at: Place | None


@dataclass(frozen=True)
class Worker:
    """A worker and its use of the limits; None where that is not known, and for "no limit".

    descriptors  open now
    sockets      of these, sockets
    soft         the limit in force
    """

    pid: int
    descriptors: int | None
    sockets: int | None
    soft: int | None

    @property
    def descriptors_left(self) -> int | None:
        """Return how many more descriptors it may open, or None when that is not known or not limited."""
        return None if self.descriptors is None or self.soft is None else max(0, self.soft - self.descriptors)


@dataclass(frozen=True)
class Limits:
    """The limits of one nginx.

    most  what "worker_rlimit_nofile" can give a worker without a restart of the master; None where that is not known
    """

    instance: Instance
    connections: Setting
    nofile: Setting | None
    master_hard: int | None
    workers: tuple[Worker, ...]
    most: int | None = None

    @property
    def fullest(self) -> Worker | None:
        """Return the worker with the fewest descriptors left, or None when none is known."""
        return min((item for item in self.workers if item.descriptors_left is not None), key=lambda item: item.descriptors_left, default=None)

    @property
    def busiest(self) -> Worker | None:
        """Return the worker with the most sockets, or None when none is known."""
        return max((item for item in self.workers if item.sockets is not None), key=lambda item: item.sockets, default=None)

    @property
    def soft(self) -> int | None:
        """Return the lowest limit on descriptors of the workers; None when none is known."""
        return min((item.soft for item in self.workers if item.soft is not None), default=None)

    def connections_used(self, worker: Worker) -> int:
        """Return how many of its connections a worker uses at least: it also holds the channel of each other worker, which is none."""
        return max(0, (worker.sockets or 0) - (len(self.workers) - 1))


def limits_of(host: Host, instance: Instance) -> Limits:
    """Return the limits of an nginx; without the host's answer, those of its configuration alone."""
    processes = (host.answer("limits")["value"] or {}).get("processes") or {}
    master = processes.get(str((instance.raw.get("master") or {}).get("pid"))) or {}
    main = instance.configuration.statements
    events = [inner for block in instance.configuration.blocks("events") for inner in block.block or ()]
    return Limits(
        instance=instance,
        connections=_setting(events, "worker_connections", "connections") or Setting(_DEFAULT_CONNECTIONS, None),
        nofile=_setting(main, "worker_rlimit_nofile"),
        master_hard=master.get("hard"),
        most=_most(master, (host.answer("limits")["value"] or {}).get("nr_open")),
        workers=tuple(
            Worker(worker["pid"], found.get("descriptors"), found.get("sockets"), found.get("soft"))
            for worker in instance.workers
            for found in (processes.get(str(worker["pid"])),)
            if found
        ),
    )


def _most(master: dict, nr_open: int | None) -> int | None:
    """A worker sets its limit before it gives root up (ngx_worker_process_init()): above the hard one only with CAP_SYS_RESOURCE."""
    if not master:
        return None
    highest = nr_open or _NR_OPEN
    return highest if master.get("raises") or master.get("hard") is None else min(master["hard"], highest)


def _setting(statements: Iterable, *names: str) -> Setting | None:
    for statement in statements:
        if statement.name in names and statement.args and statement.args[0].isascii() and statement.args[0].isdigit():
            return Setting(int(statement.args[0]), statement.at)
    return None


def logged(host: Host, instance: Instance, *classes: str) -> list[dict]:
    """Return the log groups of these classes that are of an nginx, met under the configuration that runs; the most frequent first.

    Such records name no upstream. Where several nginx share the host, the workers that wrote them say whose they are.
    """
    alone = len(host.instances) == 1
    found = [
        group
        for group in host.groups
        if group["class"] in classes and instance.in_force_for(group) and (alone or host.wrote(instance, group.get("pids") or ()))
    ]
    return sorted(found, key=lambda group: -group["count"])


def fresh(instance: Instance, groups: list[dict]) -> list[dict]:
    """Return the log groups that the workers which run now can have written."""
    return [group for group in groups if instance.served_at(group.get("last") or 0.0)]


def without_connection(host: Host, instance: Instance) -> list[dict]:
    """Return the log groups of requests for which the workers that run now had no connection left to go on with."""
    return fresh(instance, logged(host, instance, "connections-exhausted"))


def raise_to(limits: Limits) -> tuple[int, int]:
    """Return (worker_connections, worker_rlimit_nofile) that leave room: twice the connections, and two descriptors for each."""
    connections = max(1024, 2 * limits.connections.value)
    return connections, max(PER_REQUEST * connections, 2 * (limits.soft or 0))
