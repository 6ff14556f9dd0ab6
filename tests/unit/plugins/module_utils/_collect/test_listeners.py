# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets: the kernel's own answers on this host, and /proc tables as kernels print them."""

import os
import socket
import struct

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _netlink, _sock_diag, listeners
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import HOST_NET, add_process, add_self

REDACTOR = text.Redactor("key")

# Linux 6.1, x86-64: a listener, an IPv4 connection, and a time-wait of the same port.
TCP = b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000003 00:00000000 00000000    33        0 18214 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18215 1 0000000000000000 100 0 0 10 0
   2: 0100007F:0BB8 0100007F:D1C2 01 00000000:00000000 00:00000000 00000000    33        0 18999 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:0BB8 0100007F:D1C4 06 00000000:00000000 03:00000F3B 00000000     0        0 0 3 0000000000000000
"""
TCP6 = b"""  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18216 1 0
   1: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18217 1 0
   2: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18218 1 0
"""
UNIX = b"""Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 17001 /run/php/php 8.2.sock
0000000000000000: 00000002 00000000 00010000 0001 01 17002 @abstract@x
0000000000000000: 00000003 00000000 00000000 0001 03 17003 /run/connected.sock
0000000000000000: 00000002 00000000 00010000 0001 01 17004
0000000000000000: 00000002 00000000 00010000 0005 01 17005 /run/a
forged: x y zz 0001 01 17006 /run/forged.sock
"""


def refused(kind, pid):
    raise PermissionError(1, "Operation not permitted")


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0, ppid=0)
    (tmp_path / "proc" / "self" / "net" / "tcp").write_bytes(TCP)
    (tmp_path / "proc" / "self" / "net" / "tcp6").write_bytes(TCP6)
    (tmp_path / "proc" / "self" / "net" / "unix").write_bytes(UNIX)
    return tmp_path


def collect(root, pids=(), diag=refused):
    host = Host(str(root))
    return listeners.collect(host, REDACTOR, _processes.scan(host, booted=0.0), pids, diag)


def test_the_tables_of_the_kernel_are_read(root):
    add_process(root, 12, [b"/usr/bin/node", b"app.js"], comm=b"node", sockets=(18214, 17001), cgroup="0::/system.slice/shop.service")
    add_process(root, 13, [b"/usr/bin/node", b"app.js"], comm=b"node", sockets=(18214,), ppid=12)
    answer = collect(root)
    tcp = {(entry["address"], entry["port"]): entry for entry in answer.value["tcp"]}
    assert list(tcp) == [("0.0.0.0", 22), ("127.0.0.1", 3000), ("::", 8080), ("::1", 8081), ("127.0.0.1", 8082)]
    node = tcp["127.0.0.1", 3000]
    assert (node["accept_queue"], node["backlog"], node["v6only"], node["family"], node["net"], node["inode"]) == (3, None, None, "inet", HOST_NET, 18214)
    assert [(owner["pid"], owner["unit"]) for owner in node["owners"]] == [(12, "shop.service"), (13, "")]
    assert tcp["127.0.0.1", 8082]["family"] == "inet"
    assert [(entry["path"], len(entry["owners"])) for entry in answer.value["unix"]] == [("/run/a", 0), ("/run/php/php 8.2.sock", 1), ("@abstract@x", 0)]
    assert not answer.truncated and answer.hidden == ()


def test_a_kernel_without_ipv6_is_no_failure(root):
    (root / "proc" / "self" / "net" / "tcp6").unlink()
    assert len(collect(root).value["tcp"]) == 2


def test_tables_that_cannot_be_read_are_no_empty_answer(root):
    (root / "proc" / "self" / "net" / "tcp").unlink()
    with pytest.raises(evidence.Unanswered) as caught:
        collect(root)
    assert caught.value.status == "absent"


def test_the_namespaces_of_the_given_processes_are_read_too(root):
    add_process(root, 30, [b"nginx"], net="4026532999")
    add_process(root, 31, [b"nginx"], net="4026532999", ppid=30)
    net = root / "proc" / "30" / "net"
    net.mkdir()
    (net / "tcp").write_bytes(TCP.replace(b"0BB8", b"0BB9"))
    (net / "unix").write_bytes(UNIX)
    answer = collect(root, pids=[30, 31, 1])
    found = [(entry["port"], entry["net"]) for entry in answer.value["tcp"]]
    assert [entry for entry in found if entry[0] in (3000, 3001)] == [(3000, HOST_NET), (3001, "4026532999")]


def test_of_the_namespaces_of_containers_the_tcp_sockets_are_read(root, monkeypatch):
    """A path of a Unix socket in a container is another file than the same path of the host."""
    first = "12:memory:/docker/" + "ab" * 32
    add_process(root, 40, [b"app"], net="4026533001", cgroup=first, sockets=(18214,))
    add_process(root, 41, [b"app"], net="4026533001", cgroup="12:memory:/docker/" + "cd" * 32)
    add_process(root, 42, [b"rootless"], net="4026533002")
    add_process(root, 43, [b"a unit with a network of its own"], net="4026533003")
    for pid in (40, 42, 43):
        net = root / "proc" / str(pid) / "net"
        net.mkdir()
        (net / "tcp").write_bytes(TCP.replace(b"0BB8", b"%04X" % (4000 + pid)))
        (net / "unix").write_bytes(UNIX)
    host = Host(str(root))
    value = listeners.collect(host, REDACTOR, _processes.scan(host, booted=0.0), (), refused, inside={42}).value
    found = {entry["net"]: entry for entry in value["tcp"] if entry["port"] in (4040, 4042, 4043)}
    assert sorted(found) == ["4026533001", "4026533002"] and {entry["net"] for entry in value["unix"]} == {HOST_NET}
    assert [owner["container"] for owner in found["4026533001"]["owners"]] == ["ab" * 32]
    monkeypatch.setattr(listeners, "MAX_CONTAINERS", 1)
    assert listeners.collect(host, REDACTOR, _processes.scan(host, booted=0.0), (), refused, inside={42}).truncated


def test_a_namespace_that_cannot_be_read_is_said_and_hides_nothing_else(root):
    add_process(root, 32, [b"nginx"], net="4026532999")
    answer = collect(root, pids=[32, 4711])
    assert len(answer.value["tcp"]) == 5
    assert any("process 4711" in line for line in answer.hidden) and any("process 32" in line for line in answer.hidden)


def test_owners_that_may_not_be_seen_are_said(root, monkeypatch):
    add_process(root, 33, [b"x"], sockets=(18214,))
    names = Host.names

    def denied(self, path):
        if path == "/proc/33/fd":
            raise evidence.Unanswered(evidence.DENIED, "denied")
        return names(self, path)

    monkeypatch.setattr(Host, "names", denied)
    answer = collect(root)
    assert answer.value["tcp"][1]["owners"] == []
    assert "open files of 1 processes" in answer.hidden[-1]


def test_the_answer_of_sock_diag_is_preferred_and_its_names_are_exact(root):
    add_process(root, 34, [b"gunicorn"], sockets=(2, 3), cwd=b"/srv/shop")

    def diag(kind, pid):
        if kind == "tcp":
            address = socket.inet_pton(socket.AF_INET6, "::ffff:10.0.0.5")
            return [{"address": address, "port": 80, "v6only": False, "accept_queue": 1, "backlog": 511, "inode": 1}], True
        return [
            {"name": b"shop.sock", "inode": 2, "accept_queue": 5, "backlog": 4},
            {"name": b"/run/a\nforged: 1\x1b[2J\xff.sock", "inode": 3, "accept_queue": 0, "backlog": 4},
            {"name": b"\0abs\0x", "inode": 4, "accept_queue": None, "backlog": None},
            {"name": b"", "inode": 5, "accept_queue": 0, "backlog": 4},
        ], False

    answer = collect(root, diag=diag)
    assert answer.truncated
    assert [(entry["address"], entry["family"], entry["backlog"], entry["v6only"]) for entry in answer.value["tcp"]] == [("10.0.0.5", "inet", 511, False)]
    assert [entry["path"] for entry in answer.value["unix"]] == ["/run/a\\x0aforged: 1\\x1b[2J\\xff.sock", "/srv/shop/shop.sock", "@abs\\x00x"]


def test_ten_thousand_sockets_are_fine(root):
    row = b"%4d: 0100007F:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 %d 1 0 100 0 0 10 0\n"
    (root / "proc" / "self" / "net" / "tcp").write_bytes(
        TCP.split(b"\n", maxsplit=1)[0] + b"\n" + b"".join(row % (at, 1024 + at, 100000 + at) for at in range(10000))
    )
    add_process(root, 35, [b"x"], sockets=tuple(range(100000, 100500)))
    answer = collect(root)
    assert len(answer.value["tcp"]) == 10003
    assert sum(1 for entry in answer.value["tcp"] if entry["owners"]) == 500


def test_malformed_messages_end_the_walk():
    header = struct.Struct("=IHHII")
    assert list(_netlink.messages(header.pack(0, 20, 0, 0, 0) + b"x" * 40)) == []
    assert list(_netlink.messages(header.pack(20, 20, 0, 0, 0) + b"abcd" + b"\1\2")) == [(20, b"abcd")]


def test_the_kernel_of_this_host_tells_its_listeners(tmp_path):
    path = str(tmp_path / "a b.sock")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix, socket.socket() as client:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(7)
        client.connect(tcp.getsockname())
        unix.bind(path)
        unix.listen(3)
        host = Host()
        processes = _processes.scan(host)
        for diag in (_sock_diag.listening, refused):
            value = listeners.collect(host, REDACTOR, processes, (), diag).value
            mine = next(entry for entry in value["tcp"] if entry["port"] == tcp.getsockname()[1])
            assert (mine["address"], mine["accept_queue"]) == ("127.0.0.1", 1)
            assert mine["backlog"] in ((None,) if diag is refused else (7, None))
            assert os.getpid() in [owner["pid"] for owner in mine["owners"]]
            assert path in [entry["path"] for entry in value["unix"]]
