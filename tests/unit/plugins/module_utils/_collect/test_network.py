# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a peer, as this machine's own kernel tells it, and with recorded answers of the tools."""

import base64
import errno
import json
import os
import socket

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _netlink
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import network

CONFIGURATION = b"""http { upstream a { server 127.0.0.1:3000; server [::1]:3001; server app.example; }
    server { location / { proxy_pass https://a; } location /b { fastcgi_pass 127.0.0.1:9000; } location /c { proxy_pass https://app.example/x; }
             location /u { proxy_pass http://unix:/run/x.sock:/; } } }"""


def instance(**more):
    files = [{"path": "x", "content": base64.b64encode(CONFIGURATION).decode()}]
    return {"id": "x", "files": files, "master": None, "workers": [], "identity": {"uid": os.getuid(), "gid": os.getgid()}, **more}


def test_the_peers_of_a_configuration():
    names = {"app.example": {"status": "ok", "addresses": ["10.0.0.7", "fd00::7"]}}
    expected = {("127.0.0.1", 3000), ("::1", 3001), ("127.0.0.1", 9000), ("10.0.0.7", 80), ("10.0.0.7", 443), ("fd00::7", 80), ("fd00::7", 443)}
    assert network.peers(instance(), names) == expected
    assert network.peers(instance(), {}) == {("127.0.0.1", 3000), ("::1", 3001), ("127.0.0.1", 9000)}


def test_this_machine():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    port = server.getsockname()[1]
    clients = [socket.create_connection(("127.0.0.1", port)) for _number in range(3)]
    hidden = []
    try:
        value, truncated = network.look(_host.Host(), None, [("127.0.0.1", port)], {"uid": 0, "gid": 0}, hidden)
    finally:
        for client in clients:
            client.close()
        server.close()
    assert not truncated
    assert value["routes"]["127.0.0.1"] == {"status": "ok", "errno": None, "dev": "lo", "gateway": "", "source": "127.0.0.1", "local": True}
    assert value["sockets"] == {f"127.0.0.1:{port}": {"established": 3, "syn_sent": 0, "time_wait": 0, "other": 0, "ports": 3}}
    assert value["ports"]["first"] < value["ports"]["last"]
    assert [link["name"] for link in value["links"]][0] == "lo"


def test_a_route_that_the_kernel_refuses():
    class Refusing:
        def __init__(self, number):
            self.number = number

        def ask(self, _kind, _body):
            raise OSError(self.number, os.strerror(self.number))

    for number, status in (
        (errno.ENETUNREACH, "none"), (errno.EHOSTUNREACH, "unreachable"), (errno.EACCES, "prohibit"), (errno.EINVAL, "blackhole"), (errno.ENOMEM, "error"),
    ):
        found = _netlink.route(Refusing(number), "10.0.0.7", 33)
        assert (found["status"], found["errno"]) == (status, number)


def test_nginx_in_a_namespace_of_its_own_that_may_not_be_entered(monkeypatch):
    def denied(*_args):
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(_netlink, "call", denied)
    answer = evidence.ask("x", network.collect, _host.Host(), {"instances": [instance()]}, {})
    assert (answer["status"], answer["value"]) == ("error", None)


def test_what_fails_in_the_thread_is_raised_here():
    with pytest.raises(OSError):
        _netlink.call(999999999, int)


class Tools(_host.Host):
    """A host whose tools print what is given, and which has no modules to load."""

    def __init__(self, root, printed):
        super().__init__(root)
        self.printed = printed
        self.ran = []

    def run(self, argv, timeout=10, limit=1 << 20):
        self.ran.append(argv[0])
        if argv[0] not in self.printed:
            raise evidence.Unanswered(evidence.ABSENT, argv[0] + " is not installed")
        rc, out = self.printed[argv[0]]
        return _host.Output(rc, out.encode()[:limit], b"failed", len(out) > limit)


def xt(family="ip"):
    return json.dumps({"nftables": [
        {"chain": {"family": family, "table": "filter", "name": "OUTPUT", "handle": 1, "type": "filter", "hook": "output", "prio": 0, "policy": "accept"}},
        {"rule": {"family": family, "table": "filter", "chain": "OUTPUT", "handle": 2, "expr": [{"xt": {"type": "match", "name": "owner"}}, {"drop": None}]}},
    ]})


SAVED = "*filter\n:OUTPUT ACCEPT [0:0]\n[3:180] -A OUTPUT -p tcp -m owner --uid-owner 33 -m tcp --dport 3000 -j DROP\nCOMMIT\n"
ROUTES = {"127.0.0.1": {"status": "ok", "dev": "lo", "gateway": "", "source": "127.0.0.1", "local": True}}


def filtered(host):
    answer = evidence.ask("x", network._filtered, host, None, [("127.0.0.1", 3000)], ROUTES, (33, 33))
    found = (answer["value"] or {}).get("127.0.0.1:3000")
    return (found and (found["verdict"], found["certain"], found["packets"])), answer["hidden"], answer["truncated"], host.ran


def legacy(tmp_path):
    (tmp_path / "proc/self/net").mkdir(parents=True)
    (tmp_path / "proc/self/net/ip_tables_names").write_text("filter\n")
    return str(tmp_path)


def test_no_tables_no_tools(tmp_path, monkeypatch):
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: False)
    assert filtered(Tools(str(tmp_path), {})) == (None, [], False, [])


def test_a_table_of_iptables_in_nf_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: True)
    host = Tools(str(tmp_path), {"nft": (0, xt()), "iptables-nft-save": (0, SAVED)})
    assert filtered(host) == (("drop", True, 3), [], False, ["nft", "iptables-nft-save"])


def test_a_table_of_legacy_iptables(tmp_path, monkeypatch):
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: False)
    host = Tools(legacy(tmp_path), {"iptables-save": (0, SAVED)})
    assert filtered(host) == (("drop", True, 3), [], False, ["iptables-legacy-save", "iptables-save"])


def test_tools_that_are_missing_or_fail_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: True)
    verdict, hidden, truncated, _ran = filtered(Tools(str(tmp_path), {}))
    assert (verdict, truncated, len(hidden)) == (None, True, 1) and "nft is not installed" in hidden[0]
    assert filtered(Tools(str(tmp_path), {"nft": (1, "")}))[1:3] == (["nft list ruleset: failed"], True)
    assert filtered(Tools(str(tmp_path), {"nft": (0, "[")}))[2] is True
    assert filtered(Tools(str(tmp_path), {"nft": (0, '{"nftables": [{"rule": 7}]}')}))[2] is True
    host = Tools(str(tmp_path), {"nft": (0, xt()), "iptables-save": (1, "")})
    assert filtered(host)[1] == ["iptables-save: failed"]


def test_a_kernel_that_may_not_be_asked_says_so(tmp_path, monkeypatch):
    def denied():
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(_netlink, "has_nf_tables", denied)
    assert filtered(Tools(str(tmp_path), {}))[1] == ["nf_tables: Operation not permitted"]


def test_a_module_is_not_loaded_by_asking(tmp_path, monkeypatch):
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: pytest.fail("asked"))
    folder = tmp_path / "lib/modules" / os.uname().release
    folder.mkdir(parents=True)
    (folder / "modules.builtin").write_text("kernel/net/ipv4/tcp.ko\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").write_text("ext4 1 0 - Live 0x0\n")
    assert filtered(Tools(str(tmp_path), {}))[0] is None
    (tmp_path / "proc/modules").write_text("nf_tables 1 0 - Live 0x0\n")
    monkeypatch.setattr(_netlink, "has_nf_tables", lambda: False)
    assert filtered(Tools(str(tmp_path), {}))[0] is None


def test_the_range_of_local_ports(tmp_path):
    folder = tmp_path / "proc/sys/net/ipv4"
    folder.mkdir(parents=True)
    (folder / "ip_local_port_range").write_text("32768\t60999\n")
    (folder / "ip_local_reserved_ports").write_text("80,40000-40009,60999-61010\n")
    assert network._ports(_host.Host(str(tmp_path))) == {"first": 32768, "last": 60999, "reserved": 11}
    (folder / "ip_local_reserved_ports").write_text("\n")
    assert network._ports(_host.Host(str(tmp_path)))["reserved"] == 0
    assert network._ports(_host.Host(str(tmp_path / "none"))) is None


def test_connection_tracking(tmp_path):
    assert network._conntrack(_host.Host(str(tmp_path))) is None
    folder = tmp_path / "proc/sys/net/netfilter"
    folder.mkdir(parents=True)
    (folder / "nf_conntrack_count").write_text("262144\n")
    (folder / "nf_conntrack_max").write_text("262144\n")
    assert network._conntrack(_host.Host(str(tmp_path))) == {"count": 262144, "max": 262144}


def test_a_secret_in_the_comment_of_a_rule_stays_on_the_host(monkeypatch):
    told = {"10.0.0.7:80": {"rule": "-A OUTPUT -m comment --comment password=hunter2 -j DROP"}}
    monkeypatch.setattr(network._netlink, "call", lambda *_args: ({"filter": evidence.answer("x", told)}, False))
    found = network.collect(_host.Host(), {"instances": [instance()]}, {}, "", text.Redactor("k")).value
    shown = next(iter(found.values()))["filter"]["value"]["10.0.0.7:80"]["rule"]
    assert "hunter2" not in shown and shown.startswith("-A OUTPUT")
