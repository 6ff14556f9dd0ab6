# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes behind an endpoint the kernel killed for want of memory.

Who says so: the kernel's log, with the control group or the process; systemd, as a unit's result or in its journal; the kernel's
counter of the unit's control group, which has no time of its own. A SIGKILL alone says nothing: anybody may send it.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, owners
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Leg

_OOM = "oom-kill"


@dataclass(frozen=True)
class Kills:
    """The kills behind one endpoint.

    owner     whose process it was
    unit      what systemd tells of its unit, or {}
    events    events of its log that tell of the kill: systemd's, or a worker's SIGKILL where the kernel's counter speaks
    kernel    events of the kernel's log
    counted   the counter of its control group; 0 when it is not known
    down_by   whether the unit is down now with this result
    """

    owner: owners.Owner
    unit: dict
    events: tuple[dict, ...]
    kernel: tuple[dict, ...]
    counted: int
    down_by: bool

    @property
    def moments(self) -> list[dict]:
        """Return the events in the form that ends.join() takes."""
        return [*self.events, *({"moments": [event["time"]]} for event in self.kernel if event["time"])]

    def joined(self, leg: Leg) -> ends.Joined:
        """Return the requests of a leg that these kills may have lost; without hits where they explain none."""
        cut = ends.join(leg, self.moments)
        return cut if cut.hits else ends.join_away(leg, self.moments)


def kills(side: ends.Side) -> Kills | None:
    """Return the kills behind an endpoint, or None when nobody tells of one."""
    units = [unit for unit in (ends.unit_of(side.home, owner) for owner in side.owners) if unit]
    told = [event for event in side.events() if event["by"] == "systemd" and _OOM in (event["event"], event["detail"].get("result"))]
    killed = [event for event in ends.crashes(side) if event["signal"] == ends.KILL]
    kernel = _of_kernel(side, killed)
    counting = next((unit for unit in units if (unit.get("memory") or {}).get("oom_kills")), None)
    down = next((unit for unit in units if unit.get("active") in ("failed", "activating") and (unit.get("result") == _OOM or _died_of(unit, kernel))), None)
    if not (told or kernel or counting or down):
        return None
    unit = down or counting or (units[0] if units else {})
    owner = next((owner for owner in side.owners if owner.unit == unit.get("name")), side.first)
    # Where the kernel counts or tells of kills, the SIGKILLs that a master noted are these.
    events = tuple(told + (killed if counting or kernel else []))
    return Kills(owner, unit, events, tuple(kernel), counting["memory"]["oom_kills"] if counting else 0, bool(down))


def _of_kernel(side: ends.Side, killed: list[dict]) -> list[dict]:
    """Return the kernel's kills of a process behind an endpoint.

    A unit or a pool has its control group for itself. In one that a manager's programs share, and where the kernel names none, it is a process
    whose end was noted elsewhere at that time.
    """
    processes = [process for item in side.listeners for process in item.processes]
    whole = {owner.unit for owner in side.owners if owner.unit} if side.first.kind in ("systemd unit", "PHP-FPM pool") else set()
    shared = {process.unit for process in processes} | {""}
    pids = {pid for event in killed for pid in event["pids"]}
    names = {process.comm for process in processes}
    moments = [moment for event in killed for moment in event["moments"]]
    told = []
    for event in ends.kernel_events(side.home, _OOM):
        at_that_time = bool(event["time"]) and any(abs(event["time"] - moment) <= ends.SLACK for moment in moments)
        if event["unit"] in whole:
            if not _of_another_pool(side, event):
                told.append(event)
        elif event["unit"] in shared and at_that_time and (event["pid"] in pids or not pids and (not names or event["comm"] in names)):
            told.append(event)
    return told


def _of_another_pool(side: ends.Side, event: dict) -> bool:
    """Return whether the master noted this kill for another pool: those of one version share a control group."""
    every = (side.home.answer("backend_log")["value"] or {}).get("events") or ()
    noted = [item for item in every if item["kind"] == "pool" and item["signal"] == ends.KILL and event["pid"] in item["pids"]]
    mine = side.events("worker-killed")
    return side.first.kind == "PHP-FPM pool" and bool(noted) and not any(item in mine for item in noted)


def _died_of(unit: dict, kernel: list[dict]) -> bool:
    exited = unit.get("exited") or 0.0
    return unit.get("code") == "killed" and unit.get("status") == ends.KILL and any(abs((event["time"] or 0.0) - exited) <= ends.SLACK for event in kernel)
