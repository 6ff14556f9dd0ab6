# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the hosts file and resolv.conf, and who is asked."""

import base64
import os
import socket

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import resolvers


@pytest.fixture(name="elsewhere")
def _elsewhere(monkeypatch):
    """nginx is in other namespaces than we are."""
    monkeypatch.setattr(resolvers, "_is_here", lambda _pid: False)


def nginx(*contents):
    return {
        "instances": [
            {"id": str(number), "master": None, "files": [{"content": base64.b64encode(content).decode("ascii")}]} for number, content in enumerate(contents)
        ]
    }


def test_rows_of_the_hosts_file():
    content = "127.0.0.1 localhost App\n#10.0.0.1 app\n10.0.0.2\tx app # app\n10.0.0.2 app\nnonsense app\nfd00::1 app.\n10.0.0.3"
    assert resolvers.parse_hosts(content, ["app"]) == {"app": ["127.0.0.1", "10.0.0.2"]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "nameserver 10.0.0.2\nnameserver fd00::1\nsearch a.example b.example\noptions edns0 ndots:5",
            ([("10.0.0.2", 53), ("fd00::1", 53)], ["a.example", "b.example"], 5),
        ),
        ("# nameserver 10.0.0.2\n; x\ndomain a.example\nnameserver name\noptions ndots:x", ([("127.0.0.1", 53)], ["a.example"], 1)),
        ("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4", ([("1.1.1.1", 53), ("1.1.1.2", 53), ("1.1.1.3", 53)], [], 1)),
        ("", ([("127.0.0.1", 53)], [], 1)),
    ],
)
def test_resolv_conf(content, expected):
    assert resolvers.parse_resolv_conf(content) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("127.0.0.53", [("127.0.0.53", 53)]),
        ("127.0.0.1:5353", [("127.0.0.1", 5353)]),
        ("[::1]", [("::1", 53)]),
        ("[::1]:5353", [("::1", 5353)]),
        ("127.0.0.1:0", []),
        ("127.0.0.1:x", []),
        ("127.0.0.1:99999", []),
        ("no.such.name.invalid", []),
    ],
)
def test_servers_as_nginx_has_them(word, expected):
    assert resolvers._addresses(word) == expected


@pytest.mark.usefixtures("elsewhere")
def test_what_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(_inside, "call", lambda function, args, **more: asked.append(args) or {})
    answer = resolvers.collect(
        Host(),
        nginx(
            b"http { resolver 10.0.0.2 valid=5s; server { location / { proxy_pass http://App.internal; } } }",
            b"proxy_pass http://127.0.0.1;",
            b"resolver [::1];",
        ),
    )
    assert asked == [(["app.internal"], ["10.0.0.2"], resolvers.SECONDS), (["localhost"], ["[::1]"], resolvers.SECONDS)]
    assert sorted(answer.value) == ["0", "2"] and not answer.truncated


def test_a_host_that_names_nobody_is_not_asked(monkeypatch):
    monkeypatch.setattr(_inside, "call", lambda *_args, **_more: pytest.fail("asked"))
    assert resolvers.collect(Host(), nginx(b"proxy_pass http://localhost:3000;")).value == {}


def test_in_our_own_namespaces_no_child_is_needed(monkeypatch):
    called = []
    monkeypatch.setattr(_inside, "call", lambda function, args, **more: called.append(args[1]) or {})
    monkeypatch.setattr(resolvers, "look", lambda *args: {"servers": {}})
    assert resolvers.collect(Host(), nginx(b"resolver 127.0.0.53 [::1]:53;")).value["0"]["servers"] == {}
    assert called == []
    resolvers.collect(Host(), nginx(b"resolver 127.0.0.53 dns.internal;"))
    assert called == [["127.0.0.53", "dns.internal"]]


@pytest.mark.parametrize(("pid", "here"), [(None, True), (os.getpid(), True), (2 ** 22 + 1, False)])
def test_where_a_process_is(pid, here):
    assert resolvers._is_here(pid) is here


@pytest.mark.usefixtures("elsewhere")
def test_bounds(monkeypatch):
    monkeypatch.setattr(resolvers, "MAX_NAMES", 1)
    monkeypatch.setattr(_inside, "call", lambda function, args, **more: {})
    assert resolvers.collect(Host(), nginx(b"proxy_pass http://a.internal; proxy_pass http://b.internal;")).truncated


@pytest.mark.usefixtures("elsewhere")
def test_a_place_that_may_not_be_entered(monkeypatch):
    def call(*_args, **_more):
        raise evidence.Unanswered(evidence.DENIED, "not root")

    monkeypatch.setattr(_inside, "call", call)
    with pytest.raises(evidence.Unanswered):
        resolvers.collect(Host(), nginx(b"proxy_pass http://a.internal;"))
    answer = resolvers.collect(Host(), nginx(b"proxy_pass http://a.internal;", b"proxy_pass http://b.internal;"))
    assert answer.hidden == ("0: not root", "1: not root")


@pytest.mark.usefixtures("elsewhere")
def test_without_root_our_own_namespaces_are_asked_from(monkeypatch):
    def call(function, args, pid=None, **_more):
        if pid is not None:
            raise evidence.Unanswered(evidence.DENIED, "not root")
        return {"servers": {}}

    monkeypatch.setattr(_inside, "call", call)
    one = nginx(b"proxy_pass http://a.internal;")
    one["instances"][0]["master"] = {"pid": 12}
    answer = resolvers.collect(Host(), one)
    assert answer.value["0"]["servers"] == {} and "our own namespaces" in answer.hidden[0]


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("more", [1, 2, 5])
def test_connections_of_workers(family, address, more):
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        with socket.socket(family) as client:
            client.connect((address, port))
            one = {"workers": [{"pid": os.getpid(), "shutting_down": False}], "files": []}
            others = "".join("proxy_pass http://b{0}.internal:{0};".format(port % 60000 + number) for number in range(1, more))
            content = "proxy_pass http://a.internal:{0}/x; {1}".format(port, others).encode()
            one["files"] = nginx(content)["instances"][0]["files"]
            assert resolvers._connections(Host(), one) == {
                "status": "ok", "why": "", "peers": [{"address": address, "port": port, "state": "established", "count": 1}],
            }


def test_connections_of_others_and_of_nobody():
    assert resolvers._connections(Host(), {"workers": []})["status"] == "absent"
    one = dict(nginx(b"proxy_pass http://a.internal;")["instances"][0], workers=[{"pid": 2 ** 22 + 1, "shutting_down": False}])
    assert resolvers._connections(Host(), one)["status"] in ("absent", "error")


def test_look(monkeypatch):
    said = {("10.0.0.2", 53): {"app": {"a": {"status": "timeout", "addresses": [], "ttl": None, "why": "x\x1b"}}}}
    monkeypatch.setattr(resolvers.dns, "ask", lambda servers, names, seconds: said if ("10.0.0.2", 53) in servers else {})
    found = resolvers.look(["app"], ["10.0.0.2"], 1.0)
    assert found["servers"]["10.0.0.2:53"]["app"]["a"]["why"] == "x\\x1b"
    assert found["named"] == {"10.0.0.2": ["10.0.0.2:53"]}
    assert found["hosts"]["status"] == "ok" and found["hosts"]["changed"] > 0 and "content" not in found["system"]


def test_a_file_that_is_not_there_or_is_none(tmp_path):
    assert resolvers._read(str(tmp_path / "none"))["status"] == "absent"
    assert resolvers._read(str(tmp_path))["status"] == "error"
