# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that is collected in one run and judged in another, with no host touched."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Fleet
from running import PLAYBOOK, Run, assert_clean, first_cause, play

COLLECT = PLAYBOOK.with_name("collect.yml")
ANALYZE = PLAYBOOK.with_name("analyze.yml")


def hosts_of(run: Run) -> dict:
    """Return what a report says of each host."""
    return run.report["hosts"]


def test_the_verdict_is_the_one_of_a_diagnosis(fleet: Fleet, tmp_path: Path) -> None:
    """The same bundles give the same report, and taking them judges nothing."""
    variables = {
        "none": {"ansible_port": fleet.plain.ssh_port},
        "edge": {"ansible_port": fleet.edge.ssh_port},
        "gone": {"ansible_host": "no-such-host.invalid"},
    }
    hosts = fleet.inventory(tmp_path / "hosts.json", variables)
    diagnosed = play(tmp_path / "diagnosed", hosts)
    again = play(tmp_path / "again", "localhost,", "-e", json.dumps({"bad_gateway_bundles": str(tmp_path / "diagnosed")}), playbook=ANALYZE)
    assert (diagnosed.code, again.code) == (0, 0), again.said[-4000:]
    assert hosts_of(again) == hosts_of(diagnosed)
    assert again.report["fleet"] == diagnosed.report["fleet"]
    assert_clean(again)

    collected = play(tmp_path / "collected", hosts, playbook=COLLECT)
    assert collected.code == 0, collected.said[-4000:]
    assert not (tmp_path / "collected" / "report.json").exists()
    assert f"bad_gateway_bundles={tmp_path / 'collected'}".encode() in collected.out.replace(b"\n", b"").replace(b"        ", b" ")
    judged = play(tmp_path / "judged", "localhost,", "-e", json.dumps({"bad_gateway_bundles": str(tmp_path / "collected" / "bundles")}), playbook=ANALYZE)
    assert {name: host["status"] for name, host in hosts_of(judged).items()} == {"none": "no-nginx", "edge": "diagnosed", "gone": "unreachable"}
    assert first_cause(judged.report, "edge")["id"] == first_cause(diagnosed.report, "edge")["id"]


def test_the_gate_of_an_analysis(fleet: Fleet, tmp_path: Path) -> None:
    """A cause in old evidence fails a pipeline as a fresh one does."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}})
    assert play(tmp_path / "taken", hosts, playbook=COLLECT).code == 0
    settings = {"bad_gateway_bundles": str(tmp_path / "taken"), "bad_gateway_fail_on": "cause"}
    assert play(tmp_path / "judged", "localhost,", "-e", json.dumps(settings), playbook=ANALYZE).code == 2


def test_a_folder_without_evidence_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    """What was asked, what came back, and nothing judged."""
    (tmp_path / "empty").mkdir()
    done = play(tmp_path / "report", "localhost,", "-e", json.dumps({"bad_gateway_bundles": str(tmp_path / "empty")}), playbook=ANALYZE)
    assert done.code == 2
    assert "there is no bundle" in done.said
    assert not (tmp_path / "report" / "report.json").exists()
