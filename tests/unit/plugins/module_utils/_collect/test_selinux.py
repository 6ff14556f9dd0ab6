# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux, on a folder that is made like selinuxfs: the kernels of the lab run without SELinux, so no test here
asks a real one. The form of files, question and reply is that of security/selinux/selinuxfs.c.
"""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux as kernels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import selinux
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered

HTTPD = "system_u:system_r:httpd_t:s0"
NTOP = "system_u:object_r:ntop_port_t:s0"

# semanage 3.4, `semanage port -l -n`
PORTS = """http_port_t                    tcp      80, 81, 443, 488, 8008, 8009, 8443, 9000
http_port_t                    udp      80, 443
ntop_port_t                    tcp      3000-3001
unreserved_port_t              tcp      61001-65535, 1024-32767
"""


class FakeHost(_host.Host):
    """A host whose semanage prints what it is told."""

    def __init__(self, root, output):
        super().__init__(root)
        self.output = output

    def run(self, argv, timeout=10, limit=1 << 20):
        assert argv == ["semanage", "port", "-l", "-n"]
        if isinstance(self.output, Exception):
            raise self.output
        return self.output


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    folder = tmp_path / "sys/fs/selinux"
    (folder / "booleans").mkdir(parents=True)
    (folder / "class/tcp_socket/perms").mkdir(parents=True)
    (folder / "enforce").write_text("1")
    (folder / "booleans/httpd_can_network_connect").write_text("0 1")
    (folder / "booleans/httpd_enable_cgi").write_text("1 1")
    (folder / "class/tcp_socket/index").write_text("22")
    (folder / "class/tcp_socket/perms/name_connect").write_text("26")
    (tmp_path / "etc/selinux").mkdir(parents=True)
    (tmp_path / "etc/selinux/config").write_text("# SELINUXTYPE=none\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
    return tmp_path


def host(root, out=PORTS, rc=0, err=b""):
    return FakeHost(str(root), out if isinstance(out, Exception) else _host.Output(rc, out.encode(), err))


def test_mode_policy_and_booleans(root):
    answer = selinux.collect(host(root))
    assert answer.value == {
        "mode": "enforcing", "boot": "enforcing", "policy": "targeted", "booleans": {"httpd_can_network_connect": False, "httpd_enable_cgi": True},
        "booleans_at_boot": None, "contexts": {}, "permissive_domains": [], "listens": [], "denials": [], "ports": {}, "records": {}, "labels": {},
        "decisions": [],
    }
    (root / "sys/fs/selinux/enforce").write_text("0")
    (root / "etc/selinux/config").unlink()
    value = selinux.collect(host(root)).value
    assert (value["mode"], value["policy"]) == ("permissive", "")


@pytest.mark.parametrize(
    ("reply", "allowed"),
    [
        (b"2000000 ffffffff 0 ffffffff 9 0", True),
        (b"1ffffff ffffffff 0 ffffffff 9 0", False),
        (b"0 ffffffff 0 ffffffff 9 1", True),
        (b"0 ffffffff 0 ffffffff 9", False),
    ],
)
def test_the_kernel_decides(root, reply, allowed):
    asked = []

    def ask(path, question):
        asked.append((path, question))
        return reply

    question = (HTTPD, "port:3000", "tcp_socket", "name_connect")
    answer = selinux.collect(host(root), questions=[question], ask=ask)
    decision = answer.value["decisions"][0]
    assert (decision["target"], decision["allowed"]) == (NTOP, allowed)
    assert answer.value["ports"] == {"3000": "ntop_port_t"}
    assert answer.value["records"] == {"3000": {"type": "ntop_port_t", "low": 3000, "high": 3001, "local": None}}
    kernels.Kernel(host(root), ask).decide(HTTPD, NTOP, "tcp_socket", "name_connect")
    assert asked == [(str(root) + "/sys/fs/selinux/access", "{0} {1} 22".format(HTTPD, NTOP).encode())]


def test_the_narrowest_record_of_a_port_counts(root):
    assert selinux.collect(host(root), ports=[80, 3001, 8123, 70]).value["ports"] == {"80": "http_port_t", "3001": "ntop_port_t", "8123": "unreserved_port_t"}


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (Unanswered("absent", "semanage is not installed"), "semanage is not installed"),
        (Unanswered("timeout", "semanage gave no answer in 20 s"), "no answer"),
    ],
)
def test_ports_that_cannot_be_told_are_null_and_said(root, output, why):
    answer = selinux.collect(host(root, output), questions=[(HTTPD, "port:3000", "tcp_socket", "name_connect")], ask=lambda path, question: b"")
    assert answer.value["ports"] is None and answer.value["decisions"] == []
    assert why in answer.hidden[0] and "name_connect" in answer.hidden[-1] and why in answer.hidden[-1]


def test_a_semanage_that_fails_is_no_empty_list(root):
    answer = selinux.collect(host(root, "", 1, b"ValueError: SELinux policy is not managed\x1b[2J"), ports=[80])
    assert answer.value["ports"] is None and "semanage: ValueError: SELinux policy is not managed\\x1b[2J" in answer.hidden[0]


@pytest.mark.parametrize(
    "question",
    [
        (HTTPD + " x", NTOP, "tcp_socket", "name_connect"),
        (HTTPD, NTOP, "../../booleans", "name_connect"),
        (HTTPD, NTOP, "tcp_socket", "no_such_permission"),
        (HTTPD, "\x1b[2J", "tcp_socket", "name_connect"),
    ],
)
def test_a_question_that_is_none_is_never_put(root, question):
    def ask(path, question):
        raise AssertionError(question)

    answer = selinux.collect(host(root), questions=[question], ask=ask)
    assert answer.value["decisions"] == [] and len(answer.hidden) == 2 and "\x1b" not in str(answer.hidden)


@pytest.mark.parametrize("failure", [PermissionError(13, "Permission denied"), OSError(22, "Invalid argument")])
def test_a_refusal_of_the_kernel_is_no_denial_for_nginx(root, failure):
    def ask(path, question):
        raise failure

    answer = selinux.collect(host(root), questions=[(HTTPD, NTOP, "tcp_socket", "name_connect")], ask=ask)
    assert answer.value["decisions"] == [] and failure.strerror in answer.hidden[-1]


def test_a_kernel_without_selinux_is_absent(tmp_path):
    with pytest.raises(Unanswered) as caught:
        selinux.collect(_host.Host(str(tmp_path)))
    assert caught.value.status == "absent"
