# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the scripts that set up and run the other tests."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def load(name: str):
    """Import a script from its file."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def wheel_with(path: Path, collections: dict[str, dict[str, str]]) -> Path:
    """Write a wheel as the `ansible` package has it; the argument maps names to dependencies."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, dependencies in collections.items():
            prefix = f"ansible_collections/{name.replace('.', '/')}/"
            info = {"version": "1.2.3", "dependencies": dependencies}
            archive.writestr(f"{prefix}MANIFEST.json", json.dumps({"collection_info": info}))
            archive.writestr(f"{prefix}plugins/modules/thing.py", "")
    return path


def test_unpacks_a_collection_with_what_it_depends_on_and_no_other(tmp_path):
    wheel = wheel_with(tmp_path / "ansible.whl", {"a.wanted": {"b.needed": ">=1"}, "b.needed": {}, "c.other": {}})
    versions = load("fetch_collections").unpack(wheel, ["a.wanted"], tmp_path)
    assert versions == {"a.wanted": "1.2.3", "b.needed": "1.2.3"}
    assert (tmp_path / "ansible_collections/b/needed/plugins/modules/thing.py").exists()
    assert not (tmp_path / "ansible_collections/c").exists()


def test_says_which_collection_the_wheel_lacks(tmp_path):
    wheel = wheel_with(tmp_path / "ansible.whl", {"a.wanted": {}})
    with pytest.raises(SystemExit, match="z.absent is not in ansible.whl"):
        load("fetch_collections").unpack(wheel, ["z.absent"], tmp_path)


def test_galaxy_that_refuses_is_not_taken_for_success(tmp_path, monkeypatch):
    fetch = load("fetch_collections")
    (tmp_path / "ansible-galaxy").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "ansible-galaxy").chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(tmp_path / "python"))
    assert fetch.from_galaxy({"a.wanted": ">=1"}, tmp_path) is False


def test_get_pip_runs_the_wheel_of_the_version_asked_for(tmp_path):
    for version in ("1.0", "2.0"):
        with zipfile.ZipFile(tmp_path / f"pip-{version}-py3-none-any.whl", "w") as archive:
            archive.writestr("pip/__main__.py", f"import os, sys; print({version!r}, sys.argv[1:], 'GET_PIP' in os.environ)")
    copy = tmp_path / "get_pip_2_0.py"
    copy.write_bytes((SCRIPTS / "get_pip.py").read_bytes())
    done = subprocess.run(
        [sys.executable, str(copy), "--no-cache-dir", "pip==2.0", "--no-setuptools", "--no-wheel"],
        env=dict(os.environ, GET_PIP=str(copy)), capture_output=True, text=True, check=True,
    )
    assert done.stdout.strip() == f"2.0 ['install', '--quiet', '--find-links', '{tmp_path}', '--no-cache-dir', 'pip==2.0'] False"


def test_stages_run_in_their_own_order_whatever_was_asked():
    stages = load("stages")
    assert [stage.name for stage in stages.selected(["unit", "lint"])] == ["lint", "unit"]
    assert [stage.name for stage in stages.selected(["check"])] == ["lint", "sanity-quick", "unit-quick"]
    assert stages.selected(["test"]) == [stage for stage in stages.STAGES if stage.name not in ("sanity-quick", "unit-quick", "lab-variants", "lab-selinux")]


@pytest.mark.parametrize("names", [["nothing"], []])
def test_a_stage_that_is_not_there_ends_with_the_names_of_those_that_are(names):
    with pytest.raises(SystemExit, match="there are: check, test, lint, "):
        load("stages").selected(names)


def staged(monkeypatch, capsys, *stages):
    """Run stages made up for a test; return the exit code and what was printed."""
    module = load("stages")
    monkeypatch.setattr(module, "STAGES", tuple(module.Stage(**{"title": "A stage", "limit": 30, **stage}) for stage in stages))
    monkeypatch.setattr(module.sys, "argv", ["stages.py", "test"])
    return module.main(), capsys.readouterr().out


def test_the_first_failure_ends_the_run_and_names_what_was_not_reached(monkeypatch, capsys):
    code, printed = staged(
        monkeypatch, capsys,
        {"name": "good", "command": ("true",)}, {"name": "bad", "command": ("false",), "advice": "Look there."}, {"name": "later", "command": ("true",)},
    )
    assert code == 1
    assert "make stage S=bad. Look there." in printed
    assert "Stages not reached: later" in printed
    assert printed.endswith("1 passed, 1 failed\n")


def test_lanes_run_beside_each_other_and_each_line_names_its_own(monkeypatch, capsys, tmp_path):
    code, printed = staged(
        monkeypatch, capsys,
        {"name": "waits", "command": ("sh", "-c", f"until [ -e {tmp_path}/there ]; do sleep 0.05; done"), "lane": "code"},
        {"name": "makes", "command": ("sh", "-c", f"echo made; touch {tmp_path}/there"), "lane": "hosts"},
    )
    assert code == 0
    assert "hosts | made\n" in printed and "code  | -- waits: passed" in printed
    assert printed.endswith("2 passed, 0 failed\n")


def test_a_failure_ends_the_other_lane(monkeypatch, capsys):
    started = time.monotonic()
    code, printed = staged(
        monkeypatch, capsys,
        {"name": "long", "command": ("sleep", "60"), "lane": "code"}, {"name": "after", "command": ("true",), "lane": "code"},
        {"name": "bad", "command": ("sh", "-c", "sleep 0.3; false"), "lane": "hosts"},
    )
    assert code == 1 and time.monotonic() - started < 20
    assert "bad failed." in printed and "long: ended in" in printed and "Stages not reached: long, after" in printed
    assert printed.endswith("0 passed, 1 failed\n")


def test_a_stage_over_its_time_is_ended_and_fails(monkeypatch, capsys):
    code, printed = staged(monkeypatch, capsys, {"name": "slow", "command": ("sleep", "60"), "limit": 1})
    assert code == 1
    assert "not done after 1 s, ended" in printed


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_missing_interpreter_is_said_and_fails_in_continuous_integration(monkeypatch, capsys, ci, code):
    monkeypatch.setenv("CI", ci)
    result, printed = staged(monkeypatch, capsys, {"name": "old", "command": ("true",), "python": "3.99"})
    assert result == code
    assert "old: NOT RUN, there is no Python 3.99 here" in printed
