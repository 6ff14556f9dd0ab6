# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles that set how long nginx waits, how much it takes and what it keeps, as people use them, on the tree of a real nginx.

Each is run with --check --diff, for real, and again. Needs root and nginx, which runs on 127.0.0.1.
"""

import os

import pytest
from role_tree import NGINX, Tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(NGINX), reason="needs root and nginx")

CONFIGURATION = """\
user root; pid nginx.pid; worker_processes 1; error_log error.log;
events { worker_connections 64; }
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    upstream api { server 127.0.0.1:4000; least_conn; }
    server {
        listen 127.0.0.1:%d;
        server_name shop.example;
        location / { proxy_pass http://127.0.0.1:3000; }
        location /slow/ {
            proxy_pass http://127.0.0.1:3000;   # a report
            proxy_read_timeout 2s;
        }
        location /in/ {
            proxy_pass http://127.0.0.1:3000;
            location /in/side/ { proxy_pass http://127.0.0.1:3000; proxy_buffers 8 4k; }
        }
        location /api/ { proxy_pass http://api; }
        location ~ \\.php$ { fastcgi_pass unix:/run/php/php.sock; }
    }
}
"""


def location(path):
    return {"server_name": "shop.example", "location": path}


# For each role: its changes, and what then stands in the file.
CASES = {
    "upstream_timeout": (
        [
            {"context": location("/slow/"), "read": "20s", "connect": "5s", "replaces": {"read": "2s"}},
            {"context": location(r"~ \.php$"), "module": "fastcgi", "send": "90s", "read": "90s"},
        ],
        ["http://127.0.0.1:3000;   # a report\n            proxy_read_timeout 20s;\n            proxy_connect_timeout 5s;",
         "php.sock; fastcgi_send_timeout 90s; fastcgi_read_timeout 90s; }"],
    ),
    # Neither of the two would be taken alone: together they are tested, and in check mode too.
    "response_buffers": (
        [
            {"context": location("/in/"), "buffer_size": "16k", "buffers": "4 16k"},
            {"context": location("/in/side/"), "buffer_size": "16k", "buffers": "4 16k", "replaces": {"buffers": "8 4k"}},
            {"context": location(r"~ \.php$"), "module": "fastcgi", "buffer_size": "32k", "buffers": "4 32k", "busy_buffers_size": "64k",
             "temp_file_write_size": "64k", "max_temp_file_size": "0"},
        ],
        ["proxy_buffers 4 16k; proxy_buffer_size 16k; }", "proxy_buffer_size 16k;\n            proxy_buffers 4 16k;", "fastcgi_busy_buffers_size 64k;"],
    ),
    "upstream_keepalive": (
        [
            {"context": {"upstream": "api"}, "keepalive": 16, "timeout": "4s"},
            {"context": location("/api/"), "http_version": "1.1", "empty_connection": True},
            {"context": location(r"~ \.php$"), "keep_conn": "on"},
        ],
        ["least_conn; keepalive 16; keepalive_timeout 4s; }", "proxy_set_header Host $host;", "proxy_set_header X-Real-IP $remote_addr;",
         'proxy_set_header Connection "";', "proxy_http_version 1.1;", "fastcgi_keep_conn on;"],
    ),
    "nginx_limits": (
        [
            {"context": {"block": "events"}, "worker_connections": 512, "replaces": {"worker_connections": "64"}},
            {"context": {"block": "main"}, "worker_rlimit_nofile": 1024},
        ],
        ["events { worker_connections 512; }", "\nworker_rlimit_nofile 1024;"],
    ),
    "rate_limit": (
        [
            {"context": location("/"), "zone": "each", "rate": "5r/s", "burst": 20, "status": 429},
            {"context": location("/api/"), "zone": "each", "rate": "5r/s", "burst": 5, "nodelay": False},
        ],
        ["limit_req_zone $binary_remote_addr zone=each:10m rate=5r/s;", "limit_req zone=each burst=20 nodelay; limit_req_status 429; }",
         "limit_req zone=each burst=5; }"],
    ),
    "response_cache": (
        [
            {"context": location("/"), "zone": "pages", "path": "{folder}/pages", "valid": "1s"},
            {"context": location(r"~ \.php$"), "module": "fastcgi", "zone": "php", "path": "{folder}/php", "valid": "5s", "personal": ["$cookie_session"]},
        ],
        ["proxy_cache_path {folder}/pages levels=1:2 use_temp_path=off keys_zone=pages:10m max_size=1g inactive=10m;",
         "proxy_cache_key $scheme$host$request_uri;", "proxy_cache_bypass $http_authorization $http_cookie;",
         "fastcgi_cache_valid 200 5s;", "fastcgi_no_cache $cookie_session;"],
    ),
}


@pytest.fixture
def tree():
    made = Tree(CONFIGURATION)
    yield made
    made.close()


@pytest.mark.parametrize("role", sorted(CASES))
def test_a_role_changes_what_it_is_told_and_nothing_when_it_is_run_again(tree, role):
    changes, expected = CASES[role]
    before, workers = tree.files(), tree.workers()
    well, changed, said = tree.play(role, changes, "--check", "--diff")
    assert well and changed and "+++ after" in said, said
    assert tree.files() == before and tree.workers() == workers
    well, changed, said = tree.play(role, changes)
    assert well and changed, said
    after = "\n".join(tree.files().values())
    assert [line for line in expected if line.replace("{folder}", str(tree.folder)) not in after] == [], after
    # One reload for all changes, and it is that of the same master.
    assert tree.workers() != workers and tree.process.poll() is None
    workers = tree.workers()
    well, changed, said = tree.play(role, changes)
    assert well and not changed, said
    assert tree.workers() == workers


def test_a_reload_gives_the_workers_their_limits(tree):
    """No restart: the master is the same, and its new worker may open and connect more."""
    changes, _expected = CASES["nginx_limits"]
    well, _changed, said = tree.play("nginx_limits", changes)
    assert well, said
    (worker,) = tree.workers()
    with open(f"/proc/{worker}/limits", encoding="ascii") as file:
        assert [line.split()[3] for line in file if line.startswith("Max open files")] == ["1024"]


@pytest.mark.parametrize(
    ("role", "changes", "why"),
    [
        ("upstream_timeout", [{"context": location("/slow/"), "read": "20s", "replaces": {"read": "3s"}}], "was expected"),
        ("upstream_timeout", [{"context": location("/"), "read": "soon"}], "invalid value"),
        ("upstream_timeout", [{"context": location("/"), "wait": "20s"}], "wait"),
        ("response_buffers", [{"context": location("/"), "buffer_size": "16k"}], "proxy_busy_buffers_size"),
        ("response_buffers", [{"context": location("/in/"), "buffer_size": "16k", "buffers": "4 16k"}], "proxy_busy_buffers_size"),
        ("rate_limit", [{"context": location("/"), "zone": "each", "rate": "many", "burst": 1}], "rate"),
        ("response_cache", [{"context": location("/"), "zone": "pages", "path": "/nonexistent/a/b", "valid": "1s"}], "mkdir"),
    ],
)
def test_what_nginx_would_not_take_or_somebody_else_has_changed_is_never_written(tree, role, changes, why):
    before, workers = tree.files(), tree.workers()
    well, _changed, said = tree.play(role, changes)
    assert not well and why in said, said
    assert tree.files() == before and tree.workers() == workers
