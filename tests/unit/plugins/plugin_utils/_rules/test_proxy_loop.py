# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy-loop, judged by all rules: ways that come back, and ways that only look like it."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _targets
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns, verdict

HTTP = "0.0.0.0:80"


def world(text: str, *sockets: str) -> World:
    """Return a host whose nginx has a site and the sockets."""
    return World().file("/etc/nginx/sites-enabled/shop", text).listen_of_nginx(HTTP, *sockets)


def loops(host: World, *peers: World) -> list[tuple[str, str, str]]:
    return [(item[1], item[2], item[3]) for item in verdict(host.judge(*peers)) if item[0] == "proxy-loop"]


SERVER = "server { listen 80; server_name shop.example; %s }"
ROUND = [
    SERVER % "location / { proxy_pass http://127.0.0.1; }",
    SERVER % "location / { proxy_pass http://127.0.0.1:80; proxy_set_header Host $host; }",
    SERVER % "location / { proxy_pass http://10.0.0.5/; proxy_set_header Host $http_host; }",
    # The path grows each time.
    SERVER % "location / { proxy_pass http://127.0.0.1/app/; }",
    SERVER % "location /api/ { proxy_pass http://127.0.0.1; }",
    SERVER % "location /a/ { proxy_pass http://127.0.0.1/b/; } location /b/ { proxy_pass http://127.0.0.1/a/; }",
    # A name that is sent and belongs to the same server.
    SERVER % "location / { proxy_pass http://127.0.0.1; proxy_set_header Host www.shop.example; }",
    "server { listen 80 default_server; server_name _; location / { proxy_pass http://127.0.0.1; proxy_set_header Host $host; } }",
    "upstream shop { server 127.0.0.1:80; } " + SERVER % "location / { proxy_pass http://shop; }",
    # Two servers, each to the other.
    "server { listen 80; server_name a.example; location / { proxy_pass http://127.0.0.1; proxy_set_header Host b.example; } } "
    "server { listen 80; server_name b.example; location / { proxy_pass http://127.0.0.1; proxy_set_header Host a.example; } }",
]


@pytest.mark.parametrize("text", ROUND)
def test_a_request_that_comes_back(text):
    host = world(text)
    found = loops(host)
    assert found and {item[:2] for item in found} == {("cause", "proven")}
    assert [item for item in unknowns(host.judge()) if item[0] == "probe"] == []


@pytest.mark.parametrize("text", ROUND)
def test_no_probe_is_sent_into_a_loop(text):
    assert [batch["targets"] for batch in _targets.batches(world(text).bundle(), "", "GET", 10.0)] == []


AWAY = [
    # Another server by its name, its port, its address.
    SERVER % "location / { proxy_pass http://127.0.0.1; proxy_set_header Host app.example; }"
    + " server { listen 80; server_name app.example; location / { proxy_pass http://127.0.0.1:3000; } }",
    SERVER % "location / { proxy_pass http://127.0.0.1:8080; }" + " server { listen 8080; location / { proxy_pass http://127.0.0.1:3000; } }",
    SERVER % "location / { proxy_pass http://127.0.0.1; }" + " server { listen 127.0.0.1:80; location / { return 200; } }",
    # Without a Host that is set, the address is sent: the default server takes it.
    "server { listen 80 default_server; return 200; } " + SERVER % "location / { proxy_pass http://127.0.0.1; }",
    # Another location of the same server.
    SERVER % "location /api/ { proxy_pass http://127.0.0.1/; } location / { root /srv; }",
    SERVER % "location / { proxy_pass http://127.0.0.1/cached/; } location /cached/ { proxy_pass http://127.0.0.1:3000/; }",
    # The peer beside it is a backend.
    "upstream shop { server 127.0.0.1:80; server 127.0.0.1:3000; } " + SERVER % "location / { proxy_pass http://shop; }",
    # What only a request, or a rewrite, tells.
    SERVER % "if ($http_x_seen) { return 508; } location / { proxy_pass http://127.0.0.1; proxy_set_header X-Seen 1; }",
    SERVER % "location / { if ($http_x_seen) { return 508; } proxy_pass http://127.0.0.1; }",
    SERVER % "location / { deny 127.0.0.1; proxy_pass http://127.0.0.1; }",
    SERVER % "rewrite ^/old/ /new/; location / { proxy_pass http://127.0.0.1; }",
    # TLS on the other side: nginx answers 400 to plain text, and the reverse is a handshake that fails.
    "server { listen 443 ssl; server_name shop.example; location / { proxy_pass http://127.0.0.1:443; } }",
    "server { listen 80 proxy_protocol; server_name shop.example; location / { proxy_pass http://127.0.0.1; } }",
]


@pytest.mark.parametrize("text", AWAY)
def test_a_request_that_is_answered_elsewhere(text):
    host = world(text, "0.0.0.0:8080", "0.0.0.0:443")
    host.listen("127.0.0.1:3000")
    assert loops(host) == []


def test_tls_to_itself():
    text = "server { listen 443 ssl; server_name shop.example; location / { proxy_pass https://127.0.0.1; proxy_set_header Host $host; } }"
    assert loops(world(text, "0.0.0.0:443")) == [("cause", "proven", "127.0.0.1:443")]


def test_a_socket_of_another_program_at_the_same_port_is_no_loop():
    host = World().passes("http://127.0.0.1:80").listen_of_nginx("10.0.0.5:80")
    host.listen("127.0.0.1:80", comm="node")
    assert loops(host) == []


def test_unix_sockets():
    text = "server { listen 80; listen unix:/run/n.sock; server_name shop.example; location / { proxy_pass http://unix:/run/n.sock; } }"
    assert loops(world(text, "unix:/run/n.sock")) == [("cause", "proven", "unix:/run/n.sock")]


def test_a_fallback_of_try_files_is_likely_and_silent_when_it_is_answered():
    text = SERVER % "root /srv/shop; location / { try_files $uri @app; } location @app { proxy_pass http://127.0.0.1; proxy_set_header Host $host; }"
    assert loops(world(text).reply("127.0.0.1:80", {"code": 500})) == [("cause", "likely", "127.0.0.1:80")]
    assert loops(world(text).reply("127.0.0.1:80", {"code": 200})) == []


def test_a_named_location_to_another_server():
    text = SERVER % "location / { try_files $uri @app; } location @app { proxy_pass http://127.0.0.1; proxy_set_header Host app.example; }"
    text += " server { listen 80; server_name app.example; location / { root /srv; } }"
    assert loops(world(text).reply("127.0.0.1:80", {"code": 500})) == []


def test_through_a_stream_server():
    host = World().file(
        "/etc/nginx/nginx.conf",
        "user www-data;\nevents {}\nstream { server { listen 127.0.0.1:9080; proxy_pass 127.0.0.1:80; } }\n"
        "http { server { listen 80; location / { proxy_pass http://127.0.0.1:9080; } } }\n",
    )
    assert loops(host.listen_of_nginx(HTTP, "127.0.0.1:9080")) == [("cause", "proven", "127.0.0.1:9080")]


def test_across_two_hosts_of_the_run():
    text = "server { listen 80; server_name shop.example; location / { proxy_pass http://%s; proxy_set_header Host $host; } }"
    first, second = World("web1", "10.0.0.5"), World("web2", "10.0.0.6")
    first.file("/etc/nginx/sites-enabled/shop", text % "10.0.0.6").listen_of_nginx(HTTP)
    second.file("/etc/nginx/sites-enabled/shop", text % "10.0.0.5").listen_of_nginx(HTTP)
    assert loops(first, second) == [("cause", "proven", "10.0.0.6:80")]
    assert loops(first) == []
    second.file("/etc/nginx/sites-enabled/shop", text % "127.0.0.1:3000")
    assert loops(first, second) == []


def test_a_loop_that_is_not_loaded_yet_is_a_risk():
    host = World().passes("http://127.0.0.1:80", mtime=NOW - 10).listen_of_nginx(HTTP)
    assert [item[0] for item in loops(host)] == ["risk"]


def test_nginx_that_is_down_has_no_loop():
    assert loops(World().passes("http://127.0.0.1:80").stopped()) == []


def test_many_peers_that_are_itself_are_judged_in_no_time():
    peers = " ".join(f"server 127.0.0.{number}:80;" for number in range(1, 12))
    assert loops(world(f"upstream shop {{ {peers} }} " + SERVER % "location / { proxy_pass http://shop/x/; }")) != []


def test_connections_that_a_loop_takes_are_no_cause_of_their_own():
    host = World().passes("http://127.0.0.1:80").listen_of_nginx(HTTP).logged("127.0.0.1:80", "connections-exhausted", detail={"limit": 768})
    assert [item[0] for item in verdict(host.judge())] == ["proxy-loop"]
