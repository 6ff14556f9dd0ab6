# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux, on a folder that is made like selinuxfs: the kernels of the lab run without SELinux, so no test here
asks a real one. The form of files, question and reply is that of security/selinux/selinuxfs.c.
"""

import base64
import os

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


# --- nginx

CONFIGURATION = b"""
http {
    server { listen 80; listen [::]:443 ssl; listen unix:/run/n.sock; listen 443 quic; }
    server { listen 8088; }
    server { listen 127.0.0.1:40000; }
}
stream { server { listen 5300 udp; } }
"""


def instance(master=True):
    process = {"pid": 12, "exe": "/usr/sbin/nginx"}
    return {
        "id": "/etc/nginx/nginx.conf", "master": process if master else None, "workers": [{"pid": 13}] if master else [], "binary": "/usr/sbin/nginx",
        "files": [{"content": base64.b64encode(CONFIGURATION).decode("ascii")}],
    }


def of_process(root, pid, context):
    folder = root / "proc/{0}/attr".format(pid)
    folder.mkdir(parents=True)
    (folder / "current").write_text(context + "\0")


LISTENERS = {
    "tcp": [{"port": 80, "owners": [{"pid": 12}, {"pid": 13}]}, {"port": 8088, "owners": [{"pid": 77}]}],
    "unix": [{"owners": [{"pid": 90}]}],
}
NETWORK = {"/etc/nginx/nginx.conf": {"ports": {"first": 32768, "last": 60999, "reserved": 0}}}
RECORDED = {
    "443": {"type": "http_port_t", "low": 443, "high": 443, "local": False}, "8088": {"type": "unreserved_port_t", "low": 1024, "high": 65535, "local": False},
    "40000": {"type": "unreserved_port_t", "low": 1024, "high": 65535, "local": False},
}


@pytest.fixture(name="kernel")
def fixture_kernel(root, monkeypatch):
    """A kernel that lets httpd_t bind to http_port_t alone, and a policy with the records of Debian 12."""
    for name, permission, bit in (("tcp_socket", "name_bind", 22), ("process", "fork", 1)):
        folder = root / "sys/fs/selinux/class" / name / "perms"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / permission).write_text(str(bit))
        (folder.parent / "index").write_text("22" if name == "tcp_socket" else "2")
    monkeypatch.setattr(kernels, "_records", lambda host, reader, ports: ({str(port): RECORDED[str(port)] for port in ports}, ""))
    monkeypatch.setattr(kernels._Reader, "booleans", lambda self, *question: [])

    def ask(path, question):
        if path.endswith("/create"):
            assert question == b"system_u:system_r:init_t:s0 system_u:object_r:httpd_exec_t:s0 2"
            return HTTPD.encode() + b"\0"
        if path.endswith("/context"):
            raise OSError(22, "Invalid argument")
        allowed = b"ffffffff" if b"http_port_t" in question else b"0"
        return allowed + (b" ffffffff 0 ffffffff 9 1" if question.startswith(b"system_u:system_r:loose_t") else b" ffffffff 0 ffffffff 9 0")

    return ask


def about_nginx(root, kernel, found=None, listeners=None, known=True):
    return selinux.collect(host(root), {"instances": [found or instance()]}, listeners, NETWORK if known else None, ask=kernel)


def test_contexts_are_those_of_nginx_and_of_what_listens(root, kernel):
    for pid, context in ((12, HTTPD), (13, "system_u:system_r:loose_t:s0"), (77, "system_u:system_r:app_t:s0"), (90, "\x1b[2J:x:y")):
        of_process(root, pid, context)
    value = about_nginx(root, kernel, listeners=LISTENERS).value
    assert value["contexts"] == {"12": HTTPD, "13": "system_u:system_r:loose_t:s0", "77": "system_u:system_r:app_t:s0", "90": "\\x1b[2J:x:y"}
    assert value["permissive_domains"] == ["loose_t"]


def test_listens_are_those_that_nginx_does_not_hold(root, kernel):
    of_process(root, 12, HTTPD)
    value = about_nginx(root, kernel, listeners=LISTENERS).value
    assert [(item["port"], item["type"], item["allowed"], item["booleans"]) for item in value["listens"]] == [
        (443, "http_port_t", True, []), (8088, "unreserved_port_t", False, []),
        # Nobody is asked about a port that connections are given.
        (40000, "unreserved_port_t", True, []),
    ]
    assert value["listens"][1] == {
        "instance": "/etc/nginx/nginx.conf", "port": 8088, "protocol": "tcp", "type": "unreserved_port_t", "record": [1024, 65535], "local": False,
        "source": HTTPD, "allowed": False, "permissive": False, "booleans": [], "why": "", "labels": [],
    }


def test_where_it_is_not_known_which_ports_are_free_the_policy_counts(root, kernel):
    of_process(root, 12, HTTPD)
    value = about_nginx(root, kernel, listeners=LISTENERS, known=False).value
    assert [item["allowed"] for item in value["listens"]] == [True, False, False]


def test_an_nginx_that_holds_all_its_ports_is_asked_nothing(root, kernel, monkeypatch):
    of_process(root, 12, HTTPD)
    held = {"tcp": [{"port": port, "owners": [{"pid": 12}]} for port in (80, 443, 8088, 40000)], "unix": []}
    monkeypatch.setattr(kernels.inside, "call", None)
    value = about_nginx(root, kernel, listeners=held).value
    assert value["listens"] == [] and value["records"] == {}


def test_an_nginx_that_does_not_run_is_asked_about_as_it_would_be_started(root, kernel, monkeypatch):
    of_process(root, 1, "system_u:system_r:init_t:s0")
    monkeypatch.setattr(selinux.os, "getxattr", lambda path, name: b"system_u:object_r:httpd_exec_t:s0\0")
    (root / "proc/sys/net/ipv4").mkdir(parents=True)
    (root / "proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("1024\n")
    monkeypatch.setitem(RECORDED, "80", {"type": "http_port_t", "low": 80, "high": 80, "local": False})
    answer = about_nginx(root, kernel, instance(master=False))
    assert [(item["port"], item["source"], item["allowed"]) for item in answer.value["listens"]] == [
        (80, HTTPD, True), (443, HTTPD, True), (8088, HTTPD, False), (40000, HTTPD, True),
    ]


def test_a_context_that_cannot_be_told_leaves_the_listens_out_and_says_so(root, kernel):
    answer = about_nginx(root, kernel)
    assert answer.value["listens"] == [] and answer.hidden[0].startswith("/etc/nginx/nginx.conf: in which context nginx listens cannot be told")


@pytest.mark.parametrize(
    ("configured", "line", "boot"),
    [
        ("enforcing", "root=/dev/vda rw", "enforcing"), ("permissive", "", "permissive"), ("disabled", "enforcing=1", "disabled"),
        ("enforcing", "enforcing=0", "permissive"), ("permissive", "enforcing=1 quiet", "enforcing"), ("enforcing", "selinux=0", "disabled"), ("odd", "", ""),
    ],
)
def test_the_mode_of_the_next_boot(root, configured, line, boot):
    (root / "etc/selinux/config").write_text("#SELINUX=permissive\nSELINUX={0}\nSELINUXTYPE=targeted\n".format(configured))
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cmdline").write_text(line + "\n")
    assert selinux.collect(host(root)).value["boot"] == boot


def test_booleans_of_the_next_boot_are_those_of_the_policy_that_it_loads(root):
    folder = root / "etc/selinux/targeted/policy"
    folder.mkdir(parents=True)
    with open(os.path.join(os.path.dirname(__file__), "recordings", "selinux-policy.33"), "rb") as file:
        (folder / "policy.33").write_bytes(file.read())
    (root / "sys/fs/selinux/policyvers").write_text("33")
    answer = selinux.collect(host(root))
    assert answer.value["booleans_at_boot"]["can_db"] is True and answer.hidden == ()


def test_labels_of_paths(root):
    folder = root / "etc/selinux/targeted/contexts/files"
    folder.mkdir(parents=True)
    (folder / "file_contexts").write_text("/run/php(/.*)?\tsystem_u:object_r:httpd_runtime_t:s0\n")
    value = selinux.collect(host(root), paths=[("/run/php/x.sock", "socket"), ("/srv/x.sock", "socket")]).value
    assert value["labels"] == {"/run/php/x.sock": "system_u:object_r:httpd_runtime_t:s0", "/srv/x.sock": ""}


def test_denials_are_looked_for_under_the_names_of_the_programs(root, kernel, monkeypatch):
    of_process(root, 12, HTTPD)
    asked = []

    def collect(place, begin, commands, hidden):
        asked.append(commands)
        return [{"port": 3000}], True

    monkeypatch.setattr(selinux.denials, "collect", collect)
    found = dict(instance(), binary="/opt/openresty/nginx/sbin/openresty-with-a-long-name")
    answer = selinux.collect(host(root), {"instances": [found]}, None, NETWORK, 3600.0, ask=kernel)
    assert answer.value["denials"] == [{"port": 3000}] and answer.truncated is True
    assert asked == [{"nginx", "openresty-with-"}]
