# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cannot be asked, or only in part: each has its own status and why, and none hides another."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from conftest import Fleet
from lab_base import run as run_command
from running import Run, assert_harmless, assert_no_secret, first_cause, play


@pytest.fixture(scope="module")
def told(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Diagnose a fleet in which almost every host is out of order in its own way."""
    folder = tmp_path_factory.mktemp("statuses")
    key = folder / "other_key"
    run_command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    with socket.socket() as closed:
        # Bound and not listening: nobody else gets the port meanwhile, and every connection is refused.
        closed.bind(("127.0.0.1", 0))
        edge = {"ansible_port": fleet.edge.ssh_port}
        hosts = {
            "edge": edge,
            "plain": {"ansible_port": fleet.plain.ssh_port},
            "bare": {"ansible_port": fleet.bare.ssh_port},
            "bare-auto": {"ansible_port": fleet.bare.ssh_port, "ansible_python_interpreter": "auto_silent"},
            "nowhere": {**edge, "ansible_python_interpreter": "/nowhere/python3"},
            "closed": {"ansible_port": closed.getsockname()[1]},
            "stranger": {"ansible_port": fleet.site.ssh_port, "ansible_user": "deploy", "ansible_ssh_private_key_file": str(key)},
            "nameless": {"ansible_host": "no-such-host.invalid"},
            "reader": {**edge, "ansible_user": "reader"},
            "asker": {**edge, "ansible_user": "asker"},
            "sudoless": {"ansible_port": fleet.site.ssh_port, "ansible_user": "reader"},
            "without-become": {**edge, "ansible_user": "reader", "ansible_become": False},
        }
        return play(folder / "report", fleet.inventory(folder / "hosts.json", hosts), "--forks=4", "-e", "bad_gateway_fail_on=never")


UNDIAGNOSED = {
    "bare": ("failed", ("Python",)),
    "bare-auto": ("failed", ("Python",)),
    "nowhere": ("failed", ("Python", "/nowhere/python3")),
    # "Connection refused", or, where ssh had ended before Ansible wrote to it, that data could not be sent.
    "closed": ("unreachable", ("127.0.0.1",)),
    "stranger": ("unreachable", ("Permission denied",)),
    "nameless": ("unreachable", ("no-such-host.invalid",)),
}


def test_the_run_succeeds(told: Run) -> None:
    """With fail_on=never the run is about the report; Ansible itself counts no failed host."""
    assert told.code == 0, told.said[-4000:]
    assert_harmless(told.out + told.err)
    assert_no_secret("output", told.out + told.err)
    assert b"fatal:" not in told.out + told.err


@pytest.mark.parametrize("host", UNDIAGNOSED)
def test_undiagnosed(told: Run, host: str) -> None:
    """A host that gave no evidence says why, in the report and in the summary."""
    status, words = UNDIAGNOSED[host]
    found = told.report["hosts"][host]
    assert found["status"] == status, found
    for word in words:
        assert word in found["why"], found
    assert "\\x" not in found["why"], found
    assert f"{host}: not diagnosed ({status})" in told.said


def test_no_nginx(told: Run) -> None:
    """A host without nginx is no failure."""
    assert told.report["hosts"]["plain"]["status"] == "no-nginx"
    assert "without nginx: plain" in told.said


@pytest.mark.parametrize(("host", "reason"), [("reader", "sudo"), ("asker", "password"), ("sudoless", "sudo: not found"), ("without-become", "")])
def test_without_root(told: Run, host: str, reason: str) -> None:
    """A host that refuses root is judged as far as its user sees, and says what it could not see."""
    found = told.report["hosts"][host]
    assert found["status"] == "partial", found
    assert reason in found["why"] and "deserialization" not in found["why"], found
    assert "Python" not in found["why"], found
    assert any(gap["status"] == "denied" for gap in found["unknown"]), found
    assert not [finding for finding in found["findings"] if finding["certainty"] == "proven" and finding["id"] != "backend-not-running"], found


def test_the_others_are_diagnosed(told: Run) -> None:
    """What is wrong with some hosts does not take the verdict from another."""
    assert told.report["hosts"]["edge"]["status"] == "diagnosed"
    assert first_cause(told.report, "edge")["id"] == "backend-not-running"
    assert told.report["summary"]["undiagnosed"] == len(UNDIAGNOSED)


@pytest.mark.parametrize("gate", ["cause", "risk"])
def test_an_undiagnosed_host_fails_the_gate(fleet: Fleet, tmp_path: Path, gate: str) -> None:
    """A gate never passes because a host could not be asked; the report is there all the same."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"plain": {"ansible_port": fleet.plain.ssh_port}, "nameless": {"ansible_host": "no-such-host.invalid"}})
    gated = play(tmp_path / "report", hosts, "-e", f"bad_gateway_fail_on={gate}")
    assert gated.code not in (0, 4), gated.said
    assert "1 host could not be diagnosed" in gated.said
    assert gated.report["hosts"]["plain"]["status"] == "no-nginx"


def test_a_gate_passes(fleet: Fleet, tmp_path: Path) -> None:
    """With nothing wrong it passes."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"plain": {"ansible_port": fleet.plain.ssh_port}})
    passed = play(tmp_path / "report", hosts, "-e", "bad_gateway_fail_on=risk")
    assert passed.code == 0, passed.said
    assert "passed" in passed.said
