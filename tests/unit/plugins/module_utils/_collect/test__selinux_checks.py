# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks settled with a policy of secilc and a kernel that answers as one with that policy would, and the ways to endpoints that they make up."""

import os
import shutil
import socket
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux as kernels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_policy as policies
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_way as way

HTTPD = "system_u:system_r:httpd_t:s0"
FOLDER = os.path.join(os.path.dirname(__file__), "recordings")
CLASSES = {
    "tcp_socket": (1, {"name_connect": 26, "name_bind": 22}), "unix_stream_socket": (2, {"connectto": 3}), "sock_file": (3, {"write": 4}),
    "dir": (4, {"search": 5}), "lnk_file": (5, {"read": 6}), "process": (6, {"fork": 1}),
}
# What this kernel allows: (type of the target, class number).
ALLOWED = {("var_run_t", 4), ("root_t", 4), ("var_run_t", 5), ("httpd_runtime_t", 4), ("httpd_runtime_t", 3), ("httpd_t", 2), ("cache_port_t", 1)}
KNOWN = ("http_port_t", "httpd_runtime_t")


def answer(path, question):
    """Stand for the kernel at access and context."""
    words = question.decode("ascii").split()
    if path.endswith("/context"):
        if words[0].split(":")[2] not in KNOWN:
            raise OSError(22, "Invalid argument")
        return question
    source, target, number = words
    allowed = (target.split(":")[2], int(number)) in ALLOWED
    flags = 1 if source.split(":")[2] == "permissive_t" else 0
    return "{0} ffffffff 0 ffffffff 9 {1}".format("ffffffff" if allowed else "0", flags).encode("ascii")


def write(root, path, content):
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    write(tmp_path, "/sys/fs/selinux/enforce", "1")
    for name, (number, permissions) in CLASSES.items():
        write(tmp_path, "/sys/fs/selinux/class/{0}/index".format(name), str(number))
        for permission, bit in permissions.items():
            write(tmp_path, "/sys/fs/selinux/class/{0}/perms/{1}".format(name, permission), str(bit))
    shutil.copy(os.path.join(FOLDER, "selinux-policy.33"), str(tmp_path / "sys/fs/selinux/policy"))
    write(tmp_path, "/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=default\n")
    (tmp_path / "var/lib/selinux/default/active").mkdir(parents=True)
    return tmp_path


def connect(port, source=HTTPD):
    return kernels.check(source, "tcp_socket", "name_connect", port=port)


def settled(root, *checks):
    return kernels.settle(_host.Host(str(root)), list(checks), ask=answer)[0]


def test_a_port_that_is_denied_says_what_would_allow_it(root):
    found = settled(root, connect(3000), connect(8080))
    assert {name: found[0][name] for name in ("target", "port_type", "record", "local", "allowed", "booleans", "why")} == {
        "target": "system_u:object_r:ntop_port_t:s0", "port_type": "ntop_port_t", "record": [3000, 3001], "local": False, "allowed": False,
        "booleans": ["can_connect"], "why": "",
    }
    # Of the usual types this policy knows one.
    assert found[0]["labels"] == [{"type": "http_port_t", "allowed": False, "booleans": ["can_connect", "can_relay"]}]
    assert (found[1]["allowed"], found[1]["booleans"], found[1]["labels"]) == (True, [], [])


def test_a_label_that_is_allowed_needs_no_boolean(root, monkeypatch):
    monkeypatch.setattr(kernels, "PORT_TYPES", ("cache_port_t",))
    monkeypatch.setattr(kernels.Kernel, "knows", lambda self, context: True)
    assert settled(root, connect(3000))[0]["labels"] == [{"type": "cache_port_t", "allowed": True, "booleans": []}]


def test_records_of_an_administrator_are_told(root):
    write(root, "/var/lib/selinux/default/active/ports.local", "# auto\n\nportcon tcp 3000-3001 system_u:object_r:ntop_port_t:s0\nportcon udp 8080 x:y:z:s0\n")
    assert [item["local"] for item in settled(root, connect(3000), connect(8080))] == [True, False]


def test_where_the_store_cannot_be_seen_nothing_is_said_of_it(root):
    shutil.rmtree(str(root / "var/lib/selinux"))
    assert settled(root, connect(3000))[0]["local"] is None


def test_a_permissive_domain_is_refused_nothing(root):
    found = settled(root, connect(3000, "system_u:system_r:permissive_t:s0"))[0]
    assert (found["allowed"], found["permissive"], found["booleans"]) == (True, True, [])


def test_a_port_without_a_record_cannot_be_told(root):
    found = settled(root, connect(22))[0]
    assert (found["allowed"], found["target"], found["why"]) == (None, "", "the policy has no record of port 22")


def test_without_a_policy_the_kernel_still_decides_on_what_has_a_label(root):
    (root / "sys/fs/selinux/policy").unlink()
    checks, records, why = kernels.settle(
        _host.Host(str(root)), [connect(3000), kernels.check(HTTPD, "sock_file", "write", "system_u:object_r:var_run_t:s0", path="/run/x")], ask=answer,
    )
    assert records is None and "types of ports" in why
    assert checks[0]["allowed"] is None and checks[0]["why"] == why
    assert (checks[1]["allowed"], checks[1]["booleans"]) == (False, None) and "selinux/policy" in checks[1]["why"]
    assert checks[1]["labels"] == [{"type": "httpd_runtime_t", "allowed": True, "booleans": []}]


@pytest.mark.parametrize("failure", ["hang", "crash", "memory"])
def test_a_policy_that_holds_or_crashes_its_reader_costs_no_more_than_an_answer(root, monkeypatch, failure):
    def read(raw):
        if failure == "hang":
            time.sleep(60)
        if failure == "crash":
            os.kill(os.getpid(), 9)
        raise MemoryError()

    monkeypatch.setattr(kernels, "SECONDS", 0.5 if failure == "hang" else 10.0)
    monkeypatch.setattr(kernels.policies, "Policy", read)
    began = time.monotonic()
    checks, records, why = kernels.settle(_host.Host(str(root)), [connect(3000)], ask=answer)
    assert time.monotonic() - began < 8 and records is None and why
    assert checks[0]["allowed"] is None and checks[0]["why"] == why


def test_nothing_to_settle_reads_nothing(root, monkeypatch):
    monkeypatch.setattr(kernels.inside, "call", None)
    assert kernels.settle(_host.Host(str(root)), []) == ([], {}, "")


@pytest.mark.parametrize(
    ("registered", "status"),
    [("nodev\tsysfs\nnodev\tselinuxfs\n", "error"), ("nodev\tsysfs\n", "absent"), (None, "absent")],
)
def test_a_kernel_that_cannot_be_asked_is_not_one_without_selinux(tmp_path, registered, status):
    if registered:
        write(tmp_path, "/proc/filesystems", registered)
    with pytest.raises(evidence.Unanswered) as caught:
        kernels.present(_host.Host(str(tmp_path)))
    assert caught.value.status == status


def test_what_a_program_is_started_as(root):
    def ask(path, question):
        assert path.endswith("/create") and question == b"system_u:system_r:init_t:s0 system_u:object_r:httpd_exec_t:s0 6"
        return b"system_u:system_r:httpd_t:s0\0"

    kernel = kernels.Kernel(_host.Host(str(root)), ask)
    assert kernel.started("system_u:system_r:init_t:s0", "system_u:object_r:httpd_exec_t:s0") == HTTPD
    with pytest.raises(evidence.Unanswered):
        kernel.started("system_u:system_r:init_t:s0", "")


# --- ways

STEPS = [
    {"path": "/", "type": "dir", "label": "system_u:object_r:root_t:s0"},
    {"path": "/var/run", "type": "link", "label": "system_u:object_r:var_run_t:s0"},
    {"path": "/run", "type": "dir", "label": "system_u:object_r:var_run_t:s0"},
    {"path": "/run/x.sock", "type": "socket", "label": "system_u:object_r:var_run_t:s0"},
]


def probed(root, monkeypatch, endpoints, peers=(), pid=12, same_root=True):
    write(root, "/proc/12/attr/current", HTTPD + "\0")
    write(root, "/etc/selinux/default/contexts/files/file_contexts", "/run/.*	system_u:object_r:httpd_runtime_t:s0\n")
    monkeypatch.setattr(way, "_walks", lambda wanted, pid: {path: {"status": "ok", "why": "", "walk": STEPS} for path in wanted})
    monkeypatch.setattr(way, "_same_root", lambda pid: same_root)
    probes = [{"id": endpoint, "endpoint": endpoint} for endpoint in endpoints]
    way.add(_host.Host(str(root)), probes, pid, dict(peers), answer)
    return [probe["selinux"] for probe in probes]


def test_the_way_by_tcp_is_the_port(root, monkeypatch):
    first, second = probed(root, monkeypatch, ["127.0.0.1:3000", "[::1]:8080"])
    assert {name: first[name] for name in ("status", "why", "source", "permissive")} == {"status": "ok", "why": "", "source": HTTPD, "permissive": False}
    assert [(item["class"], item["permission"], item["port"], item["allowed"]) for item in first["checks"]] == [("tcp_socket", "name_connect", 3000, False)]
    assert [(item["port"], item["allowed"]) for item in second["checks"]] == [(8080, True)]


def test_the_way_to_a_socket_is_every_step_and_what_listens(root, monkeypatch):
    write(root, "/proc/40/attr/current", "system_u:system_r:app_t:s0\0")
    peer = {"context": "system_u:system_r:app_t:s0-s0:c0.c1023", "pid": 40}
    found = probed(root, monkeypatch, ["unix:/var/run/x.sock"], {"unix:/var/run/x.sock": peer})[0]
    assert [(item["class"], item["permission"], item["path"], item["target"].split(":")[2], item["allowed"], item["booleans"]) for item in found["checks"]] == [
        ("dir", "search", "/", "root_t", True, []),
        ("lnk_file", "read", "/var/run", "var_run_t", True, []),
        ("dir", "search", "/run", "var_run_t", True, []),
        ("sock_file", "write", "/run/x.sock", "var_run_t", False, None),
        ("unix_stream_socket", "connectto", "", "app_t", False, ["off_to_allow"]),
    ]
    # The level is that of the process: what the connection is told has the prober's.
    assert found["checks"][-1]["target"] == "system_u:system_r:app_t:s0"
    assert found["checks"][3]["expected"] == "system_u:object_r:httpd_runtime_t:s0"
    assert found["checks"][3]["labels"] == [{"type": "httpd_runtime_t", "allowed": True, "booleans": []}]


def test_the_file_contexts_say_nothing_of_a_container(root, monkeypatch):
    found = probed(root, monkeypatch, ["unix:/var/run/x.sock"], same_root=False)[0]
    assert {item["expected"] for item in found["checks"]} == {""}


def test_a_way_that_cannot_be_seen_is_said_and_costs_the_others_nothing(root, monkeypatch):
    walks = {"/a": {"status": "denied", "why": "/a: Permission denied", "walk": []}}
    endpoints = ["unix:/a", "127.0.0.1:8080", "app:3000"]
    probed(root, monkeypatch, [])
    monkeypatch.setattr(way, "_walks", lambda wanted, pid: walks)
    probes = [{"id": endpoint, "endpoint": endpoint} for endpoint in endpoints]
    way.add(_host.Host(str(root)), probes, 12, {}, answer)
    assert [(probe["selinux"]["status"], len(probe["selinux"]["checks"])) for probe in probes] == [("denied", 0), ("ok", 1), ("error", 0)]


def test_without_a_worker_nothing_is_asked(root, monkeypatch):
    found = probed(root, monkeypatch, ["127.0.0.1:3000"], pid=None)[0]
    assert found["status"] == "absent" and found["checks"] == []
    found = probed(root, monkeypatch, ["127.0.0.1:3000"], pid=13)[0]
    assert found["status"] == "absent" and "/proc/13" in found["why"]


def test_a_defect_costs_no_probe(root, monkeypatch):
    monkeypatch.setattr(kernels, "process_context", lambda host, pid: 1 / 0)
    probes = [{"endpoint": "127.0.0.1:3000"}]
    way.add(_host.Host(str(root)), probes, 12, {}, answer)
    assert (probes[0]["selinux"]["status"], probes[0]["selinux"]["checks"]) == ("error", [])


def test_without_selinux_there_is_none(tmp_path):
    probes = [{"endpoint": "127.0.0.1:3000"}]
    way.add(_host.Host(str(tmp_path)), probes, 12, {}, answer)
    assert probes[0]["selinux"] is None


def test_a_kernel_that_cannot_be_asked_is_said(tmp_path):
    write(tmp_path, "/proc/filesystems", "nodev\tselinuxfs\n")
    probes = [{"endpoint": "127.0.0.1:3000"}]
    way.add(_host.Host(str(tmp_path)), probes, 12, {}, answer)
    assert probes[0]["selinux"]["status"] == "error" and probes[0]["selinux"]["checks"] == []


def test_a_peer_of_a_kernel_without_selinux_is_none():
    left, right = socket.socketpair()
    with left, right:
        told = way.peer(left)
    assert told is None or set(told) == {"context", "pid"}
    with socket.socket(socket.AF_INET) as other:
        assert way.peer(other) is None


def test_policies_are_read_once_for_all_checks(root, monkeypatch):
    reads = root / "reads"

    class Counted(policies.Policy):
        def __init__(self, raw, of_symbols=False):
            super().__init__(raw, of_symbols)
            with open(str(reads), "a") as file:
                file.write("x")

    monkeypatch.setattr(kernels.policies, "Policy", Counted)
    settled(root, connect(3000), connect(3306), connect(80))
    assert reads.read_text() == "x"
