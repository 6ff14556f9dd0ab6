# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remediations that do not come to their end, or that do not help: the hosts are as they were, and nothing goes on.

Three hosts that are broken in a way that a remediation puts right. On the first the controller is killed in the middle of it, on the second the
application does not answer as it should once it runs, and the third would be the next.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import lab_faults
import lab_hosts
import lab_remedies
import pytest
from lab_base import ROOT

FAULT = "backend-not-running/node-unit"
NAMES = ["host-a", "host-b", "host-c"]
# The shortest that may be set.
CONFIRM_SECONDS = 60
KILL_SECONDS = 120
FAILING = "require('http').createServer((_request, response) => { response.statusCode = 500; response.end(); }).listen(3000, '127.0.0.1');\n"


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[lab_hosts.Host]]:
    """Three hosts whose backend does not run."""
    fault = lab_faults.load()[FAULT]
    try:
        started = lab_hosts.start(NAMES)
        for host in started:
            lab_hosts.bring_into(host, fault, "fault")
        yield started
    finally:
        if os.environ.get("LAB_KEEP") != "1":
            lab_hosts.remove(NAMES)


def runs(host: lab_hosts.Host) -> bool:
    """Return whether the backend runs."""
    return lab_hosts.attempt_on(host, ["systemctl", "is-active", "--quiet", "shop"])[0] == 0


def until(seconds: float, wanted: object) -> bool:
    """Wait until wanted() holds; return whether it came to that in time."""
    end = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_a_host_undoes_by_itself_what_a_controller_that_was_killed_left(hosts: list[lab_hosts.Host], tmp_path: Path) -> None:
    """SIGKILL of ansible-playbook when the backend was started: nobody confirms, and the host stops it again."""
    host, fault = hosts[0], lab_faults.load()[FAULT]
    before = lab_remedies.taken(host)
    lab_hosts.write_inventory(tmp_path / "inventory.yml", [host])
    argv = lab_remedies.command("remediate", tmp_path / "inventory.yml", tmp_path, {"bad_gateway_confirm_within": CONFIRM_SECONDS})
    with (tmp_path / "output.txt").open("w") as output:
        ran = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **lab_remedies.environment()}, cwd=ROOT, start_new_session=True
        )
        until(KILL_SECONDS, lambda: runs(host) or ran.poll() is not None)
        if ran.poll() is None:
            os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()
    said = (tmp_path / "output.txt").read_text(encoding="utf-8")
    assert "Confirm what was done" not in said and "PLAY RECAP" not in said, said
    assert until(CONFIRM_SECONDS + 30, lambda: not runs(host)), said
    assert until(30, lambda: lab_remedies.taken(host) == before), sorted(lab_remedies.taken(host) ^ before)
    assert lab_hosts.prove(host, fault.states["fault"].requests) == []
    # Nothing of it is in the way of the next run.
    played = lab_remedies.play("remediate", tmp_path / "inventory.yml", tmp_path / "again", {})
    assert (played.code, played.failed) == (0, {"localhost": 0, host.name: 0}), played.output
    assert lab_hosts.prove(host, fault.remedy.requests) == []


def test_what_does_not_help_is_undone_and_the_next_host_is_left_alone(hosts: list[lab_hosts.Host], tmp_path: Path) -> None:
    """The application answers 500 once it runs: it is stopped again, the host fails, and the run ends there."""
    fault = lab_faults.load()[FAULT]
    bad, following = hosts[1:]
    lab_hosts.write_files(bad, (lab_faults.File("/srv/shop/app.js", FAILING.encode(), 0o644, "root:root"),))
    before = {host: lab_remedies.taken(host) for host in (bad, following)}
    lab_hosts.write_inventory(tmp_path / "inventory.yml", [bad, following])
    played = lab_remedies.play("remediate", tmp_path / "inventory.yml", tmp_path, {"bad_gateway_serial": [1]})
    assert played.code != 0
    assert played.failed[bad.name] == 1, played.output
    assert played.changed.get(following.name, 0) == 0, played.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["hosts"]
    assert report[bad.name]["remediation"]["outcome"] == "rolled_back", played.output
    assert "remediation" not in report[following.name]
    for host in (bad, following):
        assert sorted(lab_remedies.taken(host) ^ before[host]) == []
        assert lab_hosts.prove(host, fault.states["fault"].requests) == []


def test_a_fix_by_hand_is_verified(hosts: list[lab_hosts.Host], tmp_path: Path) -> None:
    """The report stays that of the diagnosis: the same at first, and better once somebody starts the backend."""
    host = hosts[2]
    lab_hosts.write_inventory(tmp_path / "inventory.yml", [host])
    lab_remedies.play("diagnose", tmp_path / "inventory.yml", tmp_path, {})
    verdicts = []
    for command in ("true", "systemctl start shop && wait-for 127.0.0.1:3000"):
        lab_hosts.run_on(host, ["sh", "-c", command])
        played = lab_remedies.play("verify", tmp_path / "inventory.yml", tmp_path, {})
        report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["hosts"][host.name]
        assert [finding["id"] for finding in report["findings"] if finding["kind"] == "cause"] == ["backend-not-running"]
        (route,) = report["verification"]["routes"]
        verdicts.append((played.code == 0, report["verification"]["verdict"], route["before"], route["after"]))
    assert verdicts == [(False, "same", "not asked", "502"), (True, "better", "not asked", "200")]
