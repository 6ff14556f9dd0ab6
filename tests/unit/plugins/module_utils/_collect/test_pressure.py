# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stalled time, load and dropped connections."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import pressure
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import HOST_NET, add_process, add_self

NETSTAT = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 {0} {1}\nIpExt: InNoRoutes ListenDrops\nIpExt: 5 6\n"


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    add_process(tmp_path, 50, [b"nginx: master process nginx"], net="77")
    (tmp_path / "proc" / "50" / "net").mkdir()
    (tmp_path / "proc" / "sys" / "net" / "core").mkdir(parents=True)
    (tmp_path / "proc" / "pressure").mkdir()
    (tmp_path / "proc" / "sys" / "net" / "core" / "somaxconn").write_text("4096\n")
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:        2048 kB\nMemFree:          100 kB\nMemAvailable:    1024 kB\nHugePages_Total:       0\n")
    (tmp_path / "proc" / "loadavg").write_text("1.50 0.75 0.65 2/427 68\n")
    for name in ("cpu", "memory", "io"):
        (tmp_path / "proc" / "pressure" / name).write_text("some avg10=15.51 avg60=9.30 avg300=4.81 total=56927681\n")
    netstat(tmp_path, 3, 4)
    return tmp_path


def netstat(root, overflows, drops):
    for place in ("self", "50"):
        (root / "proc" / place / "net" / "netstat").write_text(NETSTAT.format(overflows, drops))


def collect(root, change=lambda root: None):
    host = Host(str(root))
    processes = _processes.scan(host, booted=0.0)
    before = pressure.begin(host, processes, [50, 51])
    change(root)
    return pressure.collect(host, before, pressure.begin(host, processes, [50, 51]))


def test_what_is_told(root):
    found = collect(root, lambda root: netstat(root, 5, 9))
    assert (found.value["load"], found.value["somaxconn"], found.value["stalled"]["io"]) == ([1.5, 0.75, 0.65], 4096, {"some": [15.51, 9.3, 4.81]})
    assert found.value["memory"] == {"total": 2048 << 10, "available": 1024 << 10}
    assert [(item["net"], item["counter"], item["total"], item["risen"]) for item in found.value["drops"]] == [
        (HOST_NET, "ListenOverflows", 5, 2), (HOST_NET, "ListenDrops", 9, 5), ("77", "ListenOverflows", 5, 2), ("77", "ListenDrops", 9, 5),
    ]
    assert (found.truncated, found.hidden) == (False, ())


def test_the_processor_time_of_servers(root, monkeypatch):
    add_process(root, 60, [b"/usr/bin/node", b"app.js"], exe=b"/usr/bin/node")
    add_process(root, 61, [b"/usr/bin/node", b"idle.js"], exe=b"/usr/bin/node")
    clock = iter((100.0, 101.0))
    monkeypatch.setattr(pressure.time, "monotonic", lambda: next(clock))

    def work(root):
        stat = root / "proc" / "60" / "stat"
        words = stat.read_text().split()
        words[13], words[14] = "60", "35"
        stat.write_text(" ".join(words))

    assert collect(root, work).value["busy"] == [{"pid": 60, "share": 0.95}]


def test_a_server_that_waits_for_a_processor_is_busy_too(root, monkeypatch):
    add_process(root, 60, [b"/usr/bin/node", b"app.js"], exe=b"/usr/bin/node")
    (root / "proc" / "60" / "schedstat").write_text("5000000000 1000000000 70\n")
    clock = iter((100.0, 101.0))
    monkeypatch.setattr(pressure.time, "monotonic", lambda: next(clock))
    found = collect(root, lambda root: (root / "proc" / "60" / "schedstat").write_text("5300000000 1650000000 90\n"))
    assert found.value["busy"] == [{"pid": 60, "share": 0.95}]


@pytest.mark.parametrize("works, slept", [(True, [0.15]), (False, [])])
def test_a_visit_is_long_enough_to_tell_how_busy_a_server_is(root, monkeypatch, works, slept):
    """A fast host is asked everything in a tenth of a second; one whose servers did nothing meanwhile is not waited for."""
    add_process(root, 60, [b"/usr/bin/node", b"app.js"], exe=b"/usr/bin/node")
    times = root / "proc" / "60" / "schedstat"
    times.write_text("5000000000 0 70\n")
    host = Host(str(root))
    processes = _processes.scan(host, booted=0)
    clock, waits = [100.0], []

    def sleep(seconds):
        waits.append(round(seconds, 2))
        clock[0] += seconds
        times.write_text("5240000000 0 90\n")

    monkeypatch.setattr(pressure.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(pressure.time, "sleep", sleep)
    before = pressure.begin(host, processes, [])
    clock[0] = 100.1
    if works:
        times.write_text("5010000000 0 71\n")
    after = pressure.end(host, processes, [], before)
    assert waits == slept
    assert pressure.collect(host, before, after).value["busy"] == ([{"pid": 60, "share": 0.96}] if works else [])


def test_what_is_not_there_is_said(root):
    for name in ("cpu", "memory", "io"):
        (root / "proc" / "pressure" / name).unlink()
    found = collect(root, lambda root: (root / "proc" / "50" / "net" / "netstat").unlink())
    assert found.value["stalled"] == {}
    assert len(found.hidden) == 4
    assert {item["net"] for item in found.value["drops"]} == {HOST_NET}


def test_a_broken_table_tells_nothing():
    assert pressure.parse_netstat("TcpExt: A B\nTcpExt: 1 x\nTcpExt:") == {"A": 1}
    assert pressure.parse_pressure("some avg10=1.00 avg60=2.00 avg300=3.00 total=1\nelse\n\n") == {"some": [1.0, 2.0, 3.0]}
