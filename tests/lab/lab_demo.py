# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of four web servers, of which three fail for different reasons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import lab_engine
import lab_faults
import lab_hosts
from lab_base import ROOT, say

INVENTORY = ROOT / ".cache" / "demo" / "inventory.yml"
# Host: the fault on it and which of the fault's states.
FLEET = {
    "web1": ("backend-not-running/node-unit", "fault"),
    "web2": ("socket-permission/php-pool", "fault"),
    "web3": ("upstream-timeout/node-report", "fault"),
    "web4": ("backend-wrong-port/node-unit", "healthy"),
}


def up() -> None:
    """Start the fleet, show what its clients get, and write its inventory."""
    faults = lab_faults.load()
    hosts = lab_hosts.start(list(FLEET))

    def bring(host: lab_hosts.Host) -> None:
        """Bring one host into its state."""
        fault, state = FLEET[host.name]
        lab_hosts.bring_into(host, faults[fault], state)

    with ThreadPoolExecutor(lab_hosts.AT_ONCE) as pool:
        list(pool.map(bring, hosts))
    for host in hosts:
        fault, state = FLEET[host.name]
        request = faults[fault].states[state].requests[-1]
        say(f"{host.name}: curl http://127.0.0.1:{host.http_port}{request.path}  gives {request.status}")
    lab_hosts.write_inventory(INVENTORY, hosts)
    say(f"inventory: {INVENTORY.relative_to(ROOT)}")


def down() -> None:
    """Remove the fleet and its inventory."""
    if lab_engine.answers():
        lab_hosts.remove(list(FLEET))
    INVENTORY.unlink(missing_ok=True)


COMMANDS = {"up": up, "down": down}
