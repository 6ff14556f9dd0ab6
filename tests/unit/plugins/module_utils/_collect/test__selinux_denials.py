# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AVC records as Debian 12's kernel 6.1 and auditd 3.0 wrote them when nginx was denied something, and lines that only look like them."""

import json

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_denials as denials

HTTPD = "scontext=system_u:system_r:httpd_t:s0"
CONNECT = (
    'type=AVC msg=audit(1795759229.704:150): avc:  denied  { name_connect } for  pid=595 comm="nginx" dest=9999 '
    + HTTPD + " tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0"
)
BIND = (
    'type=AVC msg=audit(1795758292.148:55): avc:  denied  { name_bind } for  pid=385 comm="nginx" src=8088 '
    + HTTPD + " tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0"
)
WRITE = (
    'type=AVC msg=audit(1795759273.212:163): avc:  denied  { write } for  pid=728 comm="nginx" name="app.sock" dev="vda" ino=20718 '
    + HTTPD + " tcontext=unconfined_u:object_r:user_home_t:s0 tclass=sock_file permissive=0"
)
CONNECTTO = (
    'type=AVC msg=audit(1795759275.044:165): avc:  denied  { connectto } for  pid=728 comm="nginx" path="/run/php/app.sock" '
    + HTTPD + " tcontext=unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 tclass=unix_stream_socket permissive=0"
)
KERNEL = (
    'audit: type=1400 audit(1795759402.404:182): avc:  denied  { name_bind } for  pid=785 comm="nginx" src=8088 '
    + HTTPD + " tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0"
)
PERMISSIVE = CONNECT.replace("permissive=0", "permissive=1").replace(":150)", ":151)")
SYSCALL = 'type=SYSCALL msg=audit(1795758292.148:55): arch=c000003e syscall=49 success=no exit=-13 pid=385 comm="nginx" exe="/usr/sbin/nginx"'
NOW = 1795760000.0


class Logs(_host.Host):
    """A host with logs alone; journal is what journalctl prints."""

    def __init__(self, root, journal=None):
        super().__init__(str(root))
        self.journal = journal

    def now(self):
        return NOW

    def run(self, argv, timeout=10, limit=1 << 20):
        assert argv[0] == "journalctl" and "_TRANSPORT=audit" in argv, argv
        if isinstance(self.journal, Exception):
            raise self.journal
        return _host.Output(0, self.journal, b"")


@pytest.fixture(autouse=True)
def no_ring(monkeypatch):
    ring = {"lines": [], "error": ()}

    def read(host, booted, hint):
        for error in ring["error"]:
            raise error
        return [(0.0, line) for line in ring["lines"] if hint in line], True

    monkeypatch.setattr(denials.backend_log, "ring", read)
    return ring


def logged(tmp_path, *lines, name="audit.log"):
    folder = tmp_path / "var/log/audit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(line + "\n" for line in lines))


def collected(host, begin=0.0):
    hidden = []
    found, cut = denials.collect(host, begin, {"nginx"}, hidden)
    return found, cut, hidden


def test_what_a_record_says(tmp_path):
    logged(tmp_path, BIND, SYSCALL, CONNECT, WRITE, CONNECTTO)
    found, cut, hidden = collected(Logs(tmp_path))
    assert not cut and not hidden
    assert found[0] == {
        "scontext": "system_u:system_r:httpd_t:s0", "tcontext": "system_u:object_r:unreserved_port_t:s0", "tclass": "tcp_socket",
        "permissions": ["name_bind"], "comm": "nginx", "port": 8088, "path": "", "permissive": False, "from": "audit log",
        "count": 1, "first": 1795758292.148, "last": 1795758292.148,
    }
    shown = [(item["tclass"], item["permissions"], item["port"], item["path"]) for item in found[1:]]
    assert shown == [
        ("tcp_socket", ["name_connect"], 9999, ""), ("sock_file", ["write"], None, "app.sock"),
        ("unix_stream_socket", ["connectto"], None, "/run/php/app.sock"),
    ]


def test_those_that_are_alike_are_counted(tmp_path):
    later = CONNECT.replace("1795759229.704:150", "1795759300.000:170").replace("pid=595", "pid=600")
    logged(tmp_path, CONNECT, later, PERMISSIVE)
    found = collected(Logs(tmp_path))[0]
    assert sorted((item["permissive"], item["count"], item["first"], item["last"]) for item in found) == [
        (False, 2, 1795759229.704, 1795759300.0), (True, 1, 1795759229.704, 1795759229.704),
    ]


def test_only_within_the_window_and_only_of_nginx(tmp_path):
    other = CONNECT.replace('comm="nginx"', 'comm="php-fpm8.2"')
    logged(tmp_path, BIND, other, CONNECT)
    found = collected(Logs(tmp_path), 1795759000.0)[0]
    assert [item["port"] for item in found] == [9999]


def test_without_auditd_the_kernel_and_the_journal_have_them(tmp_path, no_ring):
    (tmp_path / "run/systemd/journal").mkdir(parents=True)
    (tmp_path / "run/systemd/journal/socket").write_text("")
    journal = json.dumps({
        "MESSAGE": "AVC " + CONNECT.partition("): ")[2], "_AUDIT_ID": "150", "_SOURCE_REALTIME_TIMESTAMP": "1795759229704000",
        "__REALTIME_TIMESTAMP": "1795759229800000",
    })
    # The same record twice, in the kernel's log and in the journal.
    again = json.dumps({
        "MESSAGE": "AVC " + KERNEL.partition("): ")[2], "_AUDIT_ID": "182", "_SOURCE_REALTIME_TIMESTAMP": "1795759402404000",
        "__REALTIME_TIMESTAMP": "1795759402404999",
    })
    no_ring["lines"] = [KERNEL]
    found, _cut, hidden = collected(Logs(tmp_path, (journal + "\n" + again + "\n").encode()))
    assert not hidden
    assert [(item["port"], item["count"], item["from"]) for item in found] == [(9999, 1, "journal"), (8088, 1, "kernel log")]


def test_a_whole_audit_log_makes_the_journal_needless(tmp_path):
    (tmp_path / "run/systemd/journal").mkdir(parents=True)
    (tmp_path / "run/systemd/journal/socket").write_text("")
    logged(tmp_path, CONNECT)
    assert collected(Logs(tmp_path, AssertionError("asked")))[0][0]["from"] == "audit log"


def test_rotated_logs_are_read_as_far_as_the_window_reaches(tmp_path):
    logged(tmp_path, CONNECT)
    logged(tmp_path, BIND, name="audit.log.1")
    assert [item["port"] for item in collected(Logs(tmp_path))[0]] == [8088, 9999]
    assert [item["port"] for item in collected(Logs(tmp_path), 1795759229.0)[0]] == [9999]


def test_logs_that_may_not_be_read_are_said(tmp_path, no_ring):
    class Denied(Logs):
        def tail(self, path, limit=16 << 10):
            raise evidence.Unanswered("denied", "{0}: Permission denied".format(path))

    no_ring["error"] = [evidence.Unanswered("denied", "/dev/kmsg: Operation not permitted")]
    (tmp_path / "run/systemd/journal").mkdir(parents=True)
    (tmp_path / "run/systemd/journal/socket").write_text("")
    found, _cut, hidden = collected(Denied(tmp_path, evidence.Unanswered("timeout", "journalctl gave no answer in 2 s")))
    assert found == [] and [line.partition(": ")[0] for line in hidden] == ["denials in the audit log", "denials in the kernel log", "denials in the journal"]


def test_no_log_at_all_is_no_failure(tmp_path, no_ring):
    no_ring["error"] = [evidence.Unanswered("absent", "/dev/kmsg is no device")]
    assert collected(Logs(tmp_path)) == ([], False, [])


@pytest.mark.parametrize(
    "line",
    [
        # A program's own record, whose text it chose.
        'type=USER_AVC msg=audit(1795759229.704:150): pid=1 msg=\'avc:  denied  { name_connect } for comm="nginx" dest=1 ' + HTTPD + " tclass=tcp_socket'",
        "type=USER_CMD msg=audit(1795759229.704:150): pid=1 msg='cmd=\"" + CONNECT + "\"'",
        "nginx: " + KERNEL,
        CONNECT.replace("avc:  denied", "avc:  granted"),
        CONNECT.replace("audit(1795759229.704:150)", "audit(x:150)"),
        CONNECT[: CONNECT.index("}")],
        "", "\0" * 100, "avc:" * 1000,
    ],
)
def test_what_is_no_record_of_the_kernel(line):
    assert denials.parse(line) is None


def test_hostile_names_are_harmless():
    # A name with a space, a quote or a control character is printed in hexadecimal.
    name = "a.sock\x1b[2J scontext=forged_u:x:y:s0 \u202e".encode().hex().upper()
    record = denials.parse(WRITE.replace('"app.sock"', name))
    assert record["path"] == "a.sock\\x1b[2J scontext=forged_u:x:y:s0 \\u202e" and record["scontext"] == "system_u:system_r:httpd_t:s0"
    assert denials.parse(WRITE.replace('"app.sock"', "ABC"))["path"] == "ABC"
    assert denials.parse(CONNECT.replace("dest=9999", "dest=99999999"))["port"] is None
    assert denials.parse(CONNECT.replace("tcp_socket", "\x1b[2J"))["tclass"] == "\\x1b[2J"
