# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times `diagnose` on lab hosts over SSH, as ratios: against a ping of the same hosts, and against stock modules.

    diagnose.py [--hosts 8] [--rounds 3]

Each round runs the three playbooks one after the other, beginning with another one each time, so that what else the machine does
falls on all of them. Every run opens its own SSH connections. A ratio is taken within a round; printed are the median and the range.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "lab"))

import lab_faults  # noqa: E402
import lab_hosts  # noqa: E402

CACHE = CHECKOUT / ".cache" / "bench"
INVENTORY = CACHE / "inventory.yml"
PLAYBOOK_SECONDS = 900
# What the design asks for: at most this many times a ping, and at most this part of the stock playbook.
LIMIT_PING = 2.5
LIMIT_STOCK = 0.1
PLAYBOOKS = {
    "ping": ("tests/bench/ping.yml",),
    "diagnose": ("playbooks/diagnose.yml", "--extra-vars", f"bad_gateway_report_dir={CACHE / 'report'}"),
    "stock": ("tests/bench/stock.yml",),
}


def seconds(name: str) -> float:
    """Run a playbook against the hosts and return how long it took. Ends the benchmark, with the output, when it fails."""
    with tempfile.TemporaryDirectory() as sockets:
        environment = dict(os.environ, ANSIBLE_SSH_CONTROL_PATH_DIR=sockets, ANSIBLE_NOCOLOR="1")
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory", str(INVENTORY), *PLAYBOOKS[name]]
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=PLAYBOOK_SECONDS, check=False,
        )
        spent = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(f"the playbook {name} failed:\n{done.stdout.decode('utf-8', 'backslashreplace')[-6000:]}")
    return spent


def round_of(number: int) -> dict[str, float]:
    """Time each playbook once."""
    names = list(PLAYBOOKS)
    first = number % len(names)
    return {name: seconds(name) for name in names[first:] + names[:first]}


def spread(values: list[float]) -> str:
    """Show a median with its range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def prepare(count: int) -> None:
    """Start the hosts, each broken in one of the lab's ways, and write their inventory."""
    hosts = lab_hosts.start([f"bench{number}" for number in range(1, count + 1)])
    faults = list(lab_faults.load().values())
    for number, host in enumerate(hosts):
        lab_hosts.bring_into(host, faults[number * len(faults) // count], "fault")
    lab_hosts.write_inventory(INVENTORY, hosts)


def report(rounds: list[dict[str, float]]) -> bool:
    """Print what was measured; True when both ratios are within what the design asks for."""
    for name in PLAYBOOKS:
        print(f"{name:9} {spread([times[name] for times in rounds])} s")
    against_ping = [times["diagnose"] / times["ping"] for times in rounds]
    against_stock = [times["diagnose"] / times["stock"] for times in rounds]
    print(f"diagnose / ping:  {spread(against_ping)}, at most {LIMIT_PING} asked for")
    print(f"diagnose / stock: {spread(against_stock)}, at most {LIMIT_STOCK} asked for")
    return statistics.median(against_ping) <= LIMIT_PING and statistics.median(against_stock) <= LIMIT_STOCK


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time diagnose against a ping and against stock modules.")
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    names = [f"bench{number}" for number in range(1, given.hosts + 1)]
    try:
        prepare(given.hosts)
        print(f"{given.hosts} hosts, {given.rounds} rounds, forks and pipelining as in ansible.cfg", flush=True)
        # The first run of each fills caches (of the controller's Python, of the page cache) and is not counted.
        round_of(0)
        rounds = []
        for number in range(given.rounds):
            rounds.append(round_of(number))
            print("  " + ", ".join(f"{name} {spent:.2f} s" for name, spent in rounds[-1].items()), flush=True)
        return 0 if report(rounds) else 1
    finally:
        lab_hosts.remove(names)


if __name__ == "__main__":
    sys.exit(main())
