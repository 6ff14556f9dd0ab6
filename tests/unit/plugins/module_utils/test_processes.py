# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over /proc: what is a process, whose it is, and what hostile names do."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import HOST_MNT, HOST_NET, add_process, add_self

ID = "0123456789abcdef" * 4


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], cgroup="0::/init.scope", uid=0, ppid=0)
    return tmp_path


def scan(root):
    return _processes.scan(Host(str(root)), booted=1000.0)


def test_a_process_is_told_whole(root):
    add_process(root, 12, [b"/usr/bin/node", b"/srv/app.js"], comm=b"node", exe=b"/usr/bin/node", cgroup="0::/system.slice/shop.service", ticks=250)
    found = scan(root)
    process = found.get(12)
    assert (process.comm, process.exe, process.argv, process.uid, process.gid, process.groups) == (
        "node", "/usr/bin/node", ["/usr/bin/node", "/srv/app.js"], 33, 33, [33, 44])
    assert (process.unit, process.container, process.net, process.mnt) == ("shop.service", "", HOST_NET, HOST_MNT)
    assert process.started == 1000.0 + 250 / os.sysconf("SC_CLK_TCK")
    assert [child.pid for child in found.children(1)] == [12]
    assert (found.net, found.mnt, found.truncated, found.hidden) == (HOST_NET, HOST_MNT, False, ())


def test_kernel_threads_and_zombies_are_no_processes(root):
    add_process(root, 2, [], flags=0x200000, ppid=0)
    add_process(root, 13, [], state="Z")
    assert [process.pid for process in scan(root)] == [1]


def test_hostile_names_neither_break_the_pass_nor_reach_a_terminal(root):
    add_process(root, 14, [b"a) S 1\x1b[2J", b"--token", b"s3cret", b"\xff\n{{x}}"], comm=b") R 0 (x\n", exe=b"/tmp/\xff (deleted)")
    process = scan(root).get(14)
    assert process.comm == ") R 0 (x\n" and process.deleted and process.exe == "/tmp/\\xff"
    shown = _processes.owner(process, text.Redactor("key"), {})
    assert shown["comm"] == ") R 0 (x\\x0a"
    assert shown["argv"][0] == "a) S 1\\x1b[2J" and shown["argv"][2].startswith("redacted:") and shown["argv"][3] == "\\xff\\x0a{{x}}"
    assert shown["user"] == "33"


def test_a_title_written_over_the_command_line_is_one_word(root):
    add_process(root, 15, [b"nginx: master process /usr/sbin/nginx", b"", b"", b""])
    assert scan(root).get(15).argv == ["nginx: master process /usr/sbin/nginx"]


def test_a_process_that_vanishes_is_passed_over(root):
    add_process(root, 16, [b"x"])
    (root / "proc" / "16" / "status").unlink()
    (root / "proc" / "17").mkdir()
    assert [process.pid for process in scan(root)] == [1]


def test_what_may_not_be_seen_is_said(root):
    add_process(root, 18, [b"x"])
    (root / "proc" / "18" / "ns" / "net").unlink()
    assert "namespaces and program files of 1 processes" in scan(root).hidden[0]


def test_hidepid_is_said(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 18, [b"x"])
    assert scan(tmp_path).hidden == ("/proc hides the processes of other users (hidepid)",)


def test_no_proc_is_no_answer(tmp_path):
    with pytest.raises(Unanswered) as caught:
        scan(tmp_path)
    assert caught.value.status == "absent"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/system-app.slice/app@one.service", "app@one.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@1000.service"),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope"),
        ("/system.slice/docker-" + ID + ".scope/system.slice/nginx.service", "docker-" + ID + ".scope"),
        ("/docker/" + ID + "/system.slice/nginx.service", ""),
        ("/_cpu.service", "cpu.service"),
        ("/system.slice", ""),
        ("/", ""),
    ],
)
def test_the_unit_of_a_control_group(path, unit):
    assert _processes.unit_of(path) == unit


@pytest.mark.parametrize(
    ("path", "container"),
    [
        ("/docker/" + ID, ID),
        ("/system.slice/docker-" + ID + ".scope", ID),
        ("/machine.slice/libpod-" + ID + ".scope/container", ID),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + ID + ".scope", ID),
        ("/machine.slice/libpod-conmon-" + ID + ".scope", ""),
        ("/lxc.payload.web", "web"),
        ("/lxc/web/system.slice", "web"),
        ("/system.slice/nginx.service", ""),
    ],
)
def test_the_container_of_a_control_group(path, container):
    assert _processes.container_of(path) == container


@pytest.mark.parametrize("line", ["0::{0}", "1:name=systemd:{0}\n0::/", "4:memory:/\n1:name=systemd:{0}"])
def test_a_host_that_is_a_container_sees_its_own_units(tmp_path, line):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], cgroup=line.format("/docker/" + ID + "/init.scope"))
    add_process(tmp_path, 20, [b"nginx"], cgroup=line.format("/docker/" + ID + "/system.slice/nginx.service"))
    process = scan(tmp_path).get(20)
    assert (process.unit, process.container) == ("nginx.service", "")


def test_a_container_on_version_1_is_known_by_any_controller(root):
    add_process(root, 21, [b"x"], cgroup="4:memory:/docker/" + ID + "\n0::/")
    assert scan(root).get(21).container == ID


def test_names_come_from_the_files_and_are_not_asked_for(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_bytes(b"root:x:0:0::/:\nbad line\nwww\xff:x:33:33::/:\nother:x:33:33::/:\nx:x:notanumber:1::\n")
    assert _processes.user_names(Host(str(tmp_path))) == {0: "root", 33: "www\\xff"}
    assert _processes.group_names(Host(str(tmp_path))) == {}


def test_this_very_process_is_found_on_this_very_host():
    found = _processes.scan(Host())
    mine = found.get(os.getpid())
    assert mine.uid == os.geteuid() and mine.net == found.net and mine.exe == os.path.realpath("/proc/self/exe")
