# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor's labels and denials, from text as kernels of Debian 12 and Ubuntu 24.04 and auditd print it; this machine's kernel has none."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import apparmor
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backend_log

NOW = 1700000100.0
CONNECT = (
    'audit: type=1400 audit(1700000000.123:456): apparmor="DENIED" operation="connect" profile="/usr/sbin/nginx" name="/run/shop.sock" '
    'pid=101 comm="nginx" requested_mask="wr" denied_mask="wr" fsuid=33 ouid=1000'
)
CREATE = (
    'audit: type=1400 audit(1700000001.000:457): apparmor="DENIED" operation="create" class="net" profile="/usr/sbin/nginx" pid=101 comm="nginx" '
    'family="inet" sock_type="stream" protocol=6 requested="create" denied="create"'
)
AUDITD = (
    'type=AVC msg=audit(1700000002.5:99): apparmor="DENIED" operation="connect" profile="nginx" name=2F72756E2F61206220632E736F636B '
    'pid=7 comm="nginx" requested_mask="wr" denied_mask="wr" fsuid=33 ouid=0'
)
ALLOWED = CONNECT.replace("DENIED", "ALLOWED")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("unconfined\n", ("unconfined", "unconfined")),
        ("nginx (enforce)\n", ("nginx", "enforce")),
        ("/usr/sbin/nginx (complain)\0", ("/usr/sbin/nginx", "complain")),
        ("docker-default (enforce)", ("docker-default", "enforce")),
        ("a (b)//&c (kill)", ("a (b)//&c", "kill")),
        ("", ("", "unconfined")),
    ],
)
def test_labels(shown, expected):
    found = apparmor.parse_label(shown)
    assert (found["profile"], found["mode"]) == expected


def test_denials():
    found = apparmor.parse_denial(CONNECT)
    assert found == {
        "time": 1700000000.123,
        "profile": "/usr/sbin/nginx",
        "operation": "connect",
        "name": "/run/shop.sock",
        "family": "",
        "denied": "wr",
        "comm": "nginx",
        "pid": 101,
    }
    found = apparmor.parse_denial(CREATE)
    assert (found["operation"], found["family"], found["denied"]) == ("create", "inet", "create")
    assert apparmor.parse_denial(AUDITD)["name"] == "/run/a b c.sock"


@pytest.mark.parametrize("line", ["", ALLOWED, 'apparmor="DENIED" without a stamp', "audit(1700000000.1:2): avc: denied"])
def test_what_is_no_denial(line):
    assert apparmor.parse_denial(line) is None


def test_harmful_characters_are_made_harmless():
    line = CONNECT.replace('name="/run/shop.sock"', "name=2F1B5B324A")
    assert apparmor.parse_denial(line)["name"] == "/\\x1b[2J"


class Host(_host.Host):
    """A host whose clock stands still."""

    def now(self):
        return NOW


def host(tmp_path, labels=(), enabled="Y", audit=None):
    if enabled:
        folder = tmp_path / "sys/module/apparmor/parameters"
        folder.mkdir(parents=True)
        (folder / "enabled").write_text(enabled + "\n")
    for pid, (name, label) in dict(labels).items():
        folder = tmp_path / "proc" / str(pid) / "attr" / os.path.dirname(name)
        folder.mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "attr" / name).write_text(label)
    if audit is not None:
        (tmp_path / "var/log/audit").mkdir(parents=True)
        (tmp_path / "var/log/audit/audit.log").write_text(audit)
    return Host(str(tmp_path))


def ask(host_, since=3600.0, workers=(101,)):
    instance = {"id": "x", "master": {"pid": 100}, "workers": [{"pid": pid} for pid in workers]}
    return evidence.ask("x", apparmor.collect, host_, {"instances": [instance]}, since)


@pytest.fixture
def ring(monkeypatch):
    lines = []
    monkeypatch.setattr(backend_log, "ring", lambda _host, _booted, _hint: ([(NOW, line) for line in lines], True))
    return lines


@pytest.mark.parametrize("enabled", ["", "N"])
def test_a_kernel_without(tmp_path, enabled):
    assert ask(host(tmp_path, enabled=enabled))["status"] == "absent"


def test_denials_of_nginx_alone_and_of_the_window(tmp_path, ring):
    ring += [
        CONNECT,
        CONNECT.replace("456", "458"),
        CONNECT.replace("/usr/sbin/nginx", "/usr/sbin/mysqld"),
        CREATE,
        CONNECT.replace("1700000000", "1600000000"),
    ]
    answer = ask(host(tmp_path, {100: ("current", "/usr/sbin/nginx (enforce)"), 101: ("current", "/usr/sbin/nginx (enforce)")}))
    assert answer["value"]["labels"]["101"] == {"profile": "/usr/sbin/nginx", "mode": "enforce"}
    assert [(item["operation"], item["count"]) for item in answer["value"]["denials"]] == [("connect", 2), ("create", 1)]


def test_the_label_among_other_modules_and_the_log_of_auditd(tmp_path, ring):
    answer = ask(host(tmp_path, {101: ("apparmor/current", "nginx (enforce)\n")}, audit=AUDITD + "\n"))
    assert [item["name"] for item in answer["value"]["denials"]] == ["/run/a b c.sock"]
    assert answer["hidden"] == []


def test_an_unconfined_nginx_costs_no_look_into_logs(tmp_path, monkeypatch):
    monkeypatch.setattr(backend_log, "ring", lambda *_args: pytest.fail("asked"))
    answer = ask(host(tmp_path, {101: ("current", "unconfined\n")}))
    assert answer["value"]["denials"] == []


def test_logs_that_may_not_be_read_are_said(tmp_path, monkeypatch):
    def denied(*_args):
        raise evidence.Unanswered(evidence.DENIED, "no")

    monkeypatch.setattr(backend_log, "ring", denied)
    answer = ask(host(tmp_path, {101: ("current", "nginx (enforce)")}))
    assert answer["hidden"] == ["the kernel's log: no"]
