# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles that change where and how nginx reaches its backends, as people use them, on the tree of a real nginx.

Each is run with --check --diff, for real, and again. Needs root and nginx, which runs on 127.0.0.1.
"""

import os

import pytest
from role_tree import NGINX, Tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(NGINX), reason="needs root and nginx")

CONFIGURATION = """\
user root; pid nginx.pid; worker_processes 1; error_log error.log;
events {}
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_set_header Host $host;
    upstream api {
        server 127.0.0.1:4000 weight=2;   # the first
        server 127.0.0.1:4001;
    }
    server {
        listen 127.0.0.1:%d;
        server_name shop.example;
        set $blog http://127.0.0.1:2368;
        location / { proxy_pass http://127.0.0.1:3000; }
        location /ws/ {
            proxy_pass http://127.0.0.1:3000;
        }
        location /api/ {
            proxy_pass https://api;
            proxy_next_upstream off;
        }
        location /blog/ { proxy_pass $blog; }
        location ~ \\.php$ { fastcgi_pass unix:/run/php/old.sock; }
    }
}
"""


def location(path):
    return {"server_name": "shop.example", "location": path}


def lines(*pairs):
    return [{"name": name, "args": list(args)} for name, *args in pairs]


# For each role: its changes, and what then stands in the files.
CASES = {
    "repoint_upstream": (
        [
            {"context": location("/"), "args": ["http://127.0.0.1:3001"], "replaces": ["http://127.0.0.1:3000"]},
            {"context": location(r"~ \.php$"), "directive": "fastcgi_pass", "args": ["unix:/run/php/new.sock"]},
            {"context": {"upstream": "api"}, "directive": "server", "args": ["127.0.0.1:4002", "weight=2"], "replaces": ["127.0.0.1:4000", "weight=2"]},
            {"context": {"server_name": "shop.example"}, "directive": "set", "args": ["$blog", "http://[::1]:2368"],
             "replaces": ["$blog", "http://127.0.0.1:2368"]},
        ],
        ["location / { proxy_pass http://127.0.0.1:3001; }", "fastcgi_pass unix:/run/php/new.sock;", "server 127.0.0.1:4002 weight=2;   # the first",
         "set $blog http://[::1]:2368;"],
    ),
    "upstream_scheme": (
        [{"context": location("/ws/"), "args": ["https://127.0.0.1:3000"], "replaces": ["http://127.0.0.1:3000"], "server_name": "ws.internal"}],
        ["proxy_pass https://127.0.0.1:3000;\n            proxy_ssl_server_name on;\n            proxy_ssl_name ws.internal;"],
    ),
    "upstream_uri": ([{"context": location("/"), "args": ["http://127.0.0.1:3000/app/"]}], ["location / { proxy_pass http://127.0.0.1:3000/app/; }"]),
    "upstream_tls": (
        [{"context": location("/api/"), "server_name": True, "name": "api.internal", "protocols": ["TLSv1.2", "TLSv1.3"], "ciphers": "DEFAULT",
          "verify": True, "verify_depth": 2, "trusted_certificate": "{folder}/ca.pem", "session_reuse": False}],
        ["proxy_ssl_server_name on;", "proxy_ssl_name api.internal;", "proxy_ssl_protocols TLSv1.2 TLSv1.3;", "proxy_ssl_verify on;",
         "proxy_ssl_verify_depth 2;", "proxy_ssl_session_reuse off;"],
    ),
    "upstream_resolver": (
        [
            {"context": location("/blog/"), "servers": ["127.0.0.53", "[::1]:5353"], "valid": "10s", "ipv6": False},
            {"context": location("/ws/"), "servers": ["10.0.0.2"], "also": [{"context": location("/ws/"), "directives": lines(
                ("set", "$ws", "ws.internal"), ("proxy_pass", "http://$ws:3000"), ("proxy_redirect", "http://ws.internal:3000/", "/"))}]},
        ],
        ["resolver 127.0.0.53 [::1]:5353 valid=10s ipv6=off;", "proxy_pass http://$ws:3000;\n            resolver 10.0.0.2;\n            set $ws ws.internal;"],
    ),
    "websocket_headers": (
        [{"context": location("/ws/")}, {"context": location("/blog/"), "connection": "$http_connection", "http_version": False}],
        ["proxy_set_header Host $host;\n            proxy_set_header Upgrade $http_upgrade;\n"
         "            proxy_set_header Connection $bad_gateway_connection_upgrade;\n", "include {folder}/map.conf;",
         "map $http_upgrade $bad_gateway_connection_upgrade {"],
    ),
    "upstream_group": (
        [
            {"context": {"upstream": "shop"}, "create": "{folder}/upstream_shop.conf",
             "servers": [{"args": ["127.0.0.1:3000", "max_fails=3"]}, {"args": ["127.0.0.1:3009", "backup"]}],
             "also": [{"context": location("/"), "directives": lines(("proxy_pass", "http://shop"))}]},
            {"context": {"upstream": "api"}, "servers": [
                {"args": ["127.0.0.1:4000", "weight=2", "max_fails=3"], "replaces": ["127.0.0.1:4000", "weight=2"]},
                {"args": ["127.0.0.1:4001"], "state": "absent"}]},
            {"context": location("/api/"), "next_upstream": ["error", "timeout"], "tries": 2, "timeout": "10s", "replaces": {"next_upstream": ["off"]}},
        ],
        ["upstream shop {\n    server 127.0.0.1:3000 max_fails=3;\n    server 127.0.0.1:3009 backup;\n}", "location / { proxy_pass http://shop; }",
         "server 127.0.0.1:4000 weight=2 max_fails=3;   # the first\n    }", "proxy_next_upstream error timeout;",
         "proxy_next_upstream_tries 2;", "proxy_next_upstream_timeout 10s;"],
    ),
}
VARIABLES = {"websocket_headers_file": "{folder}/map.conf"}


@pytest.fixture
def tree():
    made = Tree(CONFIGURATION, VARIABLES)
    yield made
    made.close()


@pytest.mark.parametrize("role", sorted(CASES))
def test_a_role_changes_what_it_is_told_and_nothing_when_it_is_run_again(tree, role):
    changes, expected = CASES[role]
    before, workers = tree.files(), tree.workers()
    well, changed, said = tree.play(role, changes, "--check", "--diff")
    assert well and changed, said
    assert tree.files() == before and tree.workers() == workers
    assert "+++ after" in said
    well, changed, said = tree.play(role, changes)
    assert well and changed, said
    after = "\n".join(tree.files().values())
    assert [line for line in expected if line.replace("{folder}", str(tree.folder)) not in after] == []
    # One reload for all changes, and it is that of the same master.
    assert tree.workers() != workers and tree.process.poll() is None
    workers = tree.workers()
    well, changed, said = tree.play(role, changes)
    assert well and not changed, said
    assert tree.workers() == workers


def test_what_somebody_else_has_changed_meanwhile_is_left_alone(tree):
    before = tree.files()
    well, _changed, said = tree.play("repoint_upstream", [{"context": location("/"), "args": ["http://127.0.0.1:1"], "replaces": ["http://127.0.0.1:2"]}])
    assert not well and "was expected" in said
    assert tree.files() == before


@pytest.mark.parametrize(
    ("role", "changes"),
    [
        ("upstream_tls", [{"context": location("/api/"), "verify": True, "trusted_certificate": "/nonexistent/ca.pem"}]),
        ("upstream_group", [{"context": {"upstream": "api"}, "create": "{folder}/again.conf", "servers": [{"args": ["127.0.0.1:1"]}]}]),
        ("upstream_group", [{"context": {"upstream": "a; b"}, "create": "{folder}/again.conf", "servers": [{"args": ["127.0.0.1:1"]}]}]),
        ("upstream_group", [{"context": location("/api/"), "health_check": []}]),
        ("upstream_uri", [{"context": location(r"~ \.php$"), "directive": "fastcgi_pass", "args": ["127.0.0.1:1"]}]),
    ],
)
def test_what_nginx_would_not_take_is_never_written(tree, role, changes):
    before, workers = tree.files(), tree.workers()
    well, _changed, said = tree.play(role, changes)
    assert not well, said
    assert tree.files() == before and tree.workers() == workers
