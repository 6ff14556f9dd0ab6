# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of a host, one for each route, and what is kept of them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _requests
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MASTER, World

TCP = "http://127.0.0.1:3000"


def chosen(world: World, path: str = "") -> list[dict]:
    return _requests.chosen(world.bundle(), path, "HEAD", 7.0)


def test_one_request_for_each_route():
    (entry,) = chosen(World().passes(TCP))
    assert entry == {
        "id": "/etc/nginx/nginx.conf#0",
        "route": {"listen": "*:80", "server": "shop.example", "location": "/", "pass": f"proxy_pass {TCP}"},
        "request": {
            "pid": MASTER,
            "endpoint": "127.0.0.1:80",
            "kind": "http",
            "tls": False,
            "proxy_protocol": False,
            "server_name": "shop.example",
            "method": "HEAD",
            "path": "/",
            "upgrade": False,
            "timeout": 7.0,
            "queue": "127.0.0.1:3000",
        },
        "why": "",
        "put_aside": 0.0,
        "answer": None,
    }


def test_a_route_that_no_request_comes_to_says_why():
    (entry,) = chosen(World().site(f"location /x/ {{ internal; proxy_pass {TCP}; }}"))
    assert entry["request"] is None
    assert entry["why"].startswith("only nginx itself")
    assert _requests.batches([entry]) == []


def test_only_root_enters_the_namespaces_of_nginx():
    world = World().passes(TCP)
    world.host["uid"] = 1000
    entries = chosen(world)
    assert entries[0]["request"]["pid"] is None
    assert "pid" not in _requests.batches(entries)[0]


def test_batches_are_as_large_as_the_module_takes():
    entries = [{**chosen(World().passes(TCP))[0], "id": str(number)} for number in range(130)]
    found = _requests.batches(entries)
    assert [(batch["pid"], len(batch["requests"])) for batch in found] == [(MASTER, 128), (MASTER, 2)]
    assert found[1]["requests"][0]["id"] == "128"
    assert "pid" not in found[0]["requests"][0]


@pytest.mark.parametrize(
    ("servers", "seconds"),
    [
        ("server 10.0.0.7:80;", 0.0),
        ("server 10.0.0.7:80; server 10.0.0.8:80;", 10.0),
        ("server 10.0.0.7:80 fail_timeout=30s; server 10.0.0.8:80;", 30.0),
        ("server 10.0.0.7:80 max_fails=0; server 10.0.0.8:80 max_fails=0;", 0.0),
        ("server 10.0.0.7:80; server 10.0.0.8:80 down;", 0.0),
    ],
)
def test_how_long_nginx_leaves_a_peer_aside(servers, seconds):
    world = World().site("location / { proxy_pass http://app; }", outside=(f"upstream app {{ {servers} }}",))
    assert chosen(world)[0]["put_aside"] == seconds


@pytest.mark.parametrize(
    ("status", "code", "bad", "shown"),
    [
        ("ok", 200, False, "200"),
        ("ok", 404, False, "404"),
        ("ok", 0, False, "session held"),
        ("ok", 503, True, "503"),
        ("refused", 0, True, "no answer (Connection refused)"),
    ],
)
def test_what_a_client_gets(status, code, bad, shown):
    entry = {"answer": {"status": status, "code": code, "seconds": 0.1, "why": "" if status == "ok" else "Connection refused"}}
    assert (_requests.bad(entry), _requests.shown(entry)) == (bad, shown)
    assert (_requests.bad({"answer": None}), _requests.shown({"answer": None})) == (False, "not asked")


def test_which_routes_findings_are_about():
    (entry,) = chosen(World().passes(TCP))
    route = {**entry["route"], "pass": "another", "endpoint": "another"}
    assert _requests.concerned(entry, None)
    assert _requests.concerned(entry, [{"id": "x", "routes": []}])
    assert _requests.concerned(entry, [{"id": "x", "routes": [{**route, "location": "/x/"}, route]}])
    assert not _requests.concerned(entry, [{"id": "x", "routes": [{**route, "location": "/x/"}]}])
    assert not _requests.concerned(entry, [])


def test_what_is_older_than_the_evidence_is_not_of_before(tmp_path):
    folder = str(tmp_path)
    assert _requests.read(folder, "web1") is None
    document = _requests.new("web1", routes=chosen(World().passes(TCP)))
    file = _requests.write(folder, document)
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert _requests.read(folder, "web1") == _requests.read_before(folder, "web1") == document
    (tmp_path / "bundles").mkdir()
    _bundle.write(folder, World().bundle())
    os.utime(file, (1, 1))
    assert _requests.read_before(folder, "web1") is None
    assert _requests.read(folder, "web1") == document


def test_a_backend_that_speaks_websocket_is_asked_for_it():
    world = World().site(f"location /ws/ {{ proxy_pass {TCP}; }}", f"location / {{ proxy_pass {TCP}; }}").service("shop.service", "127.0.0.1:3000")
    world.reply("127.0.0.1:3000", {"speak": "http", "code": 426}, {"speak": "websocket", "code": 101})
    asked = {entry["route"]["location"]: entry["request"]["upgrade"] for entry in chosen(world)}
    assert asked["/ws/"] is True
