# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which people run the diagnosis: options, settings and callbacks of Ansible, odd names, other folders, terminals."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Fleet
from running import assert_harmless, first_cause, play

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle

# Ansible takes any of them from an inventory in YAML or JSON. Some differ only in what a file name cannot hold.
NAMES = ["a/b", "a?b", "a b", "../../up", "..", ".hidden", "{{ 7*7 }}", "{% raw %}", "w\u00e9b", "x" * 300, "quote'\"", "<script>", "-rf", "CON"]
COLOUR = b"\x1b["


def plain(fleet: Fleet, **variables: object) -> dict:
    """Return the variables that reach the host without nginx: the quickest to ask."""
    return {"ansible_port": fleet.plain.ssh_port, **variables}


def files(folder: Path) -> set[str]:
    """Return the files below a folder."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_odd_names_in_check_mode(fleet: Fleet, tmp_path: Path) -> None:
    """Each host has a bundle of its own inside the report folder, whatever its name is; --check --diff asks like any run."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {name: plain(fleet) for name in NAMES})
    before = files(tmp_path)
    done = play(tmp_path / "deep" / "report", hosts, "--check", "--diff", "--forks=5")
    assert done.code == 0, done.said[-4000:]
    assert {name: host["status"] for name, host in done.report["hosts"].items()} == dict.fromkeys(NAMES, "no-nginx")
    made = files(tmp_path) - before
    assert len(made) == len(NAMES) + 1
    assert all(name == "deep/report/report.json" or (name.startswith("deep/report/bundles/") and name.count("/") == 3) for name in made), made
    assert_harmless(done.out + done.err)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A host whose name cannot even be looked up is one that could not be asked."""
    file = tmp_path / "hosts"
    file.write_bytes(b"fine.invalid\n\xff\x01.invalid\n")
    done = play(tmp_path / "report", file)
    assert done.code == 0, done.said[-4000:]
    assert {host["status"] for host in done.report["hosts"].values()} == {"unreachable"}
    assert len(done.report["hosts"]) == 2


def test_another_folder_and_what_an_earlier_run_left(fleet: Fleet, tmp_path: Path) -> None:
    """The report goes where the run was started; a host that cannot be asked now is not judged by what it said before."""
    folder = tmp_path / "elsewhere" / "bad_gateway_report"
    (folder / "bundles").mkdir(parents=True)
    stale = _bundle.new("gone", _bundle.NO_NGINX)
    for name in ("gone", "removed"):
        _bundle.write(str(folder), stale | {"host": name})
    hosts = fleet.inventory(tmp_path / "hosts.json", {"here": plain(fleet), "gone": {"ansible_host": "no-such-host.invalid"}})
    default = json.dumps({"bad_gateway_report_dir": "bad_gateway_report"})
    done = play(folder, hosts, "-e", default, cwd=folder.parent)
    assert done.code == 0, done.said[-4000:]
    assert {name: host["status"] for name, host in done.report["hosts"].items()} == {"here": "no-nginx", "gone": "unreachable"}


def test_a_pattern_with_the_free_strategy(fleet: Fleet, tmp_path: Path) -> None:
    """bad_gateway_hosts chooses; the report waits for all hosts though the user's strategy would not."""
    variables = {name: plain(fleet) for name in ("one", "two", "three")} | {"edge": {"ansible_port": fleet.edge.ssh_port}}
    hosts = fleet.inventory(tmp_path / "hosts.json", variables)
    done = play(tmp_path / "report", hosts, "-e", "bad_gateway_hosts=all:!two", "--forks=2", ANSIBLE_STRATEGY="free", ANSIBLE_STDOUT_CALLBACK="minimal")
    assert done.code == 0, done.said[-4000:]
    assert {name: host["status"] for name, host in done.report["hosts"].items()} == {"one": "no-nginx", "three": "no-nginx", "edge": "diagnosed"}
    assert first_cause(done.report, "edge")["id"] == "backend-not-running"
    assert b"backend-not-running" in done.out


def test_a_limit_with_the_json_callback(fleet: Fleet, tmp_path: Path) -> None:
    """Hosts outside of the limit are not in the report."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"one": plain(fleet), "two": plain(fleet)})
    done = play(tmp_path / "report", hosts, "--limit", "two", ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert done.code == 0, done.said[-4000:]
    assert set(done.report["hosts"]) == {"two"}


def test_colours_are_for_terminals(fleet: Fleet, tmp_path: Path) -> None:
    """A terminal shows the summary in colours, unless the user wants none; a pipe never does."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"one": plain(fleet)})
    coloured = play(tmp_path / "report", hosts, terminal=True)
    assert coloured.code == 0, coloured.said[-4000:]
    assert COLOUR in summary(coloured.out)
    without = play(tmp_path / "report", hosts, terminal=True, ANSIBLE_NOCOLOR="1")
    assert without.code == 0, without.said[-4000:]
    assert COLOUR not in without.out
    piped = play(tmp_path / "report", hosts)
    assert COLOUR not in piped.out + piped.err


def summary(out: bytes) -> bytes:
    """Return the lines that the report printed."""
    return b"\n".join(line for line in out.splitlines() if b"without nginx" in line)
