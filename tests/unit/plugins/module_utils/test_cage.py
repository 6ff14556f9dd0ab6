# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which system calls the program of a container may make, and where it is not run at all."""

import os
import struct
import subprocess

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _cage
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
X86, ARM = (_cage._CALLS[machine] for machine in ("x86_64", "aarch64"))


def decision(program, machine, number, first=0):
    """What the kernel would answer: the instructions of linux/filter.h that the program is made of."""
    data = struct.pack("=IIQQ", number, machine, 0, first)
    steps, at, held = list(struct.iter_unpack("=HBBI", program)), 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            at += yes if {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code] else no


@pytest.mark.parametrize("known, allowed, refused", [
    (X86, (0, 1, 2, 41, 42, 49, 59, 257), (165, 272, 308, 101, 250, 304, 321, 425, 428, 442)),
    (ARM, (56, 63, 64, 198, 200, 203, 221), (40, 97, 268, 117, 219, 265, 280, 425, 428, 442)),
])
def test_calls(known, allowed, refused):
    program = _cage._program(*known)
    assert [number for number in allowed if decision(program, known[0], number) != ALLOW] == []
    assert [number for number in refused if decision(program, known[0], number) != EPERM] == []
    assert decision(program, known[0], 435) == ENOSYS
    # A thread, a process, and a process in a user namespace of its own.
    assert [decision(program, known[0], known[1], flags) for flags in (0x3D0F00, 17, 0x10000011)] == [ALLOW, ALLOW, EPERM]
    assert decision(program, known[0], 0x40000000) == EPERM
    assert decision(program, 0x40000003, 0) == KILL


def test_a_user_namespace_is_not_entered(monkeypatch):
    monkeypatch.setattr(_cage._inside, "namespace", lambda pid, kind: "1" if pid == "self" else "2")
    with pytest.raises(evidence.Unanswered) as caught:
        _cage.Cage(1)
    assert caught.value.status == "denied" and "user namespace" in caught.value.why


@pytest.mark.skipif(not os.path.exists("/proc/self/ns/user"), reason="needs /proc of Linux")
def test_an_unknown_machine_runs_nothing(monkeypatch):
    monkeypatch.setattr(_cage, "_CALLS", {})
    with pytest.raises(evidence.Unanswered) as caught:
        _cage.Cage("self")
    assert caught.value.status == "error"


@pytest.mark.parametrize("target, hidden", [("/proc", True), ("/proc/kcore", True), ("/dev/shm", True), ("/developer", False), ("/", False)])
def test_what_is_not_shown(target, hidden):
    assert _cage.Cage.hides(target) is hidden


@pytest.mark.skipif(not os.path.exists("/proc/self/oom_score_adj"), reason="needs /proc of Linux")
def test_what_runs_in_it_is_killed_first_where_memory_runs_out():
    cage = object.__new__(_cage.Cage)
    cage._proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        said = subprocess.check_output(["cat", "/proc/self/oom_score_adj"], preexec_fn=cage._give_up_memory_first)
    finally:
        os.close(cage._proc)
    assert said == b"1000\n"
