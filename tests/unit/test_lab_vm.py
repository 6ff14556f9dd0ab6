# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab's virtual machines that need none: how they are reached, found and ended, and when their disk is built."""

from __future__ import annotations

import importlib
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "lab"
# An argument of every kind that a shell reads otherwise.
ODD = ["sh", "-c", "echo \"$HOME\" '*' > /dev/null; true", "", "a b", "new\nline", "~", "\\"]
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def vm(monkeypatch, tmp_path):
    """The module, with its files in a folder of the test."""
    monkeypatch.setattr(sys, "path", [str(LAB), *sys.path])
    module = importlib.import_module("lab_vm")
    monkeypatch.setattr(module, "VMS", tmp_path / "vms")
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "authorized_key", lambda: b"ssh-ed25519 AAAA lab\n")
    monkeypatch.setattr(module, "run", lambda _argv: "QEMU emulator version 7.2.22\n")
    return module


@pytest.fixture
def machine(vm):
    """A process that has the name of a machine's file among its words, as QEMU has."""
    file = vm.VMS / "web1" / "pid"
    file.parent.mkdir(parents=True)
    process = subprocess.Popen([*SLEEP, str(file)])
    # The kernel takes over the words of a new program a moment after it has closed what the starting one waits for.
    while str(file).encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes() and process.poll() is None:
        time.sleep(0.01)
    file.write_text(f"{process.pid}\n", encoding="ascii")
    yield process
    process.kill()
    process.wait()


def test_the_words_of_a_command_reach_the_machine_as_they_are(vm):
    argv = vm.command("web1", 2222, ODD)
    assert argv[0] == "ssh" and argv[-2] == "root@127.0.0.1" and argv[argv.index("-p") + 1] == "2222"
    code = "import sys; print(ascii(sys.argv[1:]))"
    said = subprocess.run(["sh", "-c", argv[-1].replace("sh", shlex.join([sys.executable, "-c", code]), 1)], capture_output=True, text=True, check=True)
    assert said.stdout == ascii(ODD[1:]) + "\n"


def test_free_ports_are_all_others(vm):
    assert len(set(vm.free_ports(20))) == 20


def test_a_machine_is_found_and_ended_and_leaves_nothing(vm, machine):
    assert (vm.names(), vm.pid("web1")) == (["web1"], machine.pid)
    vm.remove(["web1", "never-there"])
    assert machine.wait(5) == -signal.SIGKILL
    assert list(vm.VMS.iterdir()) == []


def test_another_process_with_the_id_of_a_machine_is_left_alone(vm, machine):
    (vm.VMS / "web2").mkdir()
    (vm.VMS / "web2" / "pid").write_text(f"{machine.pid}\n", encoding="ascii")
    assert vm.pid("web2") is None
    assert (vm.names(), vm.names(ended=True)) == (["web1"], ["web1", "web2"])
    vm.remove(["web2"])
    assert machine.poll() is None
    assert vm.names(ended=True) == ["web1"]


def test_the_disk_is_another_when_its_recipe_is(vm, monkeypatch):
    first = vm.folder()
    assert vm.folder() == first
    monkeypatch.setattr(vm, "PACKAGES", (*vm.PACKAGES, "another"))
    second = vm.folder()
    monkeypatch.setattr(vm, "authorized_key", lambda: b"ssh-ed25519 BBBB lab\n")
    third = vm.folder()
    monkeypatch.setattr(vm, "run", lambda _argv: "QEMU emulator version 9.0.0\n")
    assert len({first, second, third, vm.folder()}) == 4


def test_only_root_builds_a_disk(vm, monkeypatch):
    monkeypatch.setattr(vm.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(vm, "PROGRAMS", {})
    with pytest.raises(vm.LabError, match="Once, as root: .* tests/lab/lab.py disk"):
        vm.ensure()


def test_a_disk_that_is_there_is_not_built_again(vm, monkeypatch):
    monkeypatch.setattr(vm, "PROGRAMS", {})
    monkeypatch.setattr(vm, "build", lambda _place: pytest.fail("it was built"))
    vm.folder().mkdir()
    assert vm.ensure() == vm.folder()


def test_what_is_missing_is_installed_first(vm, monkeypatch):
    installed = []
    monkeypatch.setattr(vm, "PROGRAMS", {"sh": "dash", "no-such-program": "a-package"})
    monkeypatch.setattr(vm.lab_engine, "install", installed.extend)
    vm.folder().mkdir()
    vm.ensure()
    assert installed == ["a-package"]
