# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and locations. tests/integration holds the same code against a running nginx."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations


@pytest.fixture(name="servers_of")
def _servers_of(load):
    def servers_of(text, privileged=True, names=None):
        (block,) = load(f"http {{ {text} }}").blocks("http")
        return locations.servers_of(block, names or {}, privileged)

    return servers_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["*:80"]),
        ("listen 8080;", ["*:8080"]),
        ("listen 0.0.0.0:80;", ["*:80"]),
        ("listen *:80 default_server; listen [::]:80 default_server;", ["*:80", "[::]:80"]),
        ("listen 127.0.0.1;", ["127.0.0.1:80"]),
        ("listen [0:0::1]:8443 ssl;", ["[::1]:8443"]),
        ("listen unix:/run/n.sock;", ["unix:/run/n.sock"]),
        ("listen localhost:81;", ["[::1]:81", "127.0.0.1:81"]),
        ("listen unknown.host:81;", ["unknown.host:81"]),
        ("listen 8000-8002;", ["*:8000", "*:8001", "*:8002"]),
        ("listen 443 quic reuseport; listen 443 ssl;", ["*:443"]),
    ],
)
def test_listens_in_one_form(servers_of, text, expected):
    (server,) = servers_of(f"server {{ {text} }}", names={"localhost": {"addresses": ["::1", "127.0.0.1"]}})
    assert [listen.address for listen in server.listens] == expected


def test_without_root_the_default_port_is_8000(servers_of):
    (server,) = servers_of("server { }", privileged=False)
    assert [listen.address for listen in server.listens] == ["*:8000"]


def test_beside_a_wildcard_an_address_has_no_socket_of_its_own(servers_of):
    servers = servers_of("server { listen 80; listen 127.0.0.1:80; listen 127.0.0.2:80 backlog=5; listen 127.0.0.1:81; listen [::1]:80; }")
    assert locations.sockets(servers) == {"*:80", "127.0.0.2:80", "127.0.0.1:81", "[::1]:80"}


def test_the_server_of_a_name(servers_of):
    servers = servers_of(
        """server { server_name a.test *.b.test; } server { server_name .c.test www.*; listen 80 default_server; }
        server { server_name "~^x\\d+$"; } server { listen 81; server_name other; }"""
    )
    first, second, third, other = servers
    expected = {"a.test": first, "A.TEST.": first, "x.b.test": first, "c.test": second, "y.c.test": second, "www.zz": second, "x12": third}
    for host, server in (*expected.items(), ("b.test", second), ("nobody", second)):
        assert locations.find_server(servers, "*:80", host) is server, host
    assert locations.find_server(servers, "*:81", "a.test") is other
    assert locations.find_server(servers, "127.0.0.1:80", "a.test") is None


def test_a_name_that_is_not_understood_makes_the_choice_unknown(servers_of):
    servers = servers_of('server { server_name a; } server { server_name "~(?>b)"; }')
    assert locations.find_server(servers, "*:80", "a") is servers[0]
    with pytest.raises(locations.Unknown):
        locations.find_server(servers, "*:80", "b")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", b"/"),
        ("/a//b", b"/a/b"),
        ("/a/./b/../c", b"/a/c"),
        ("/a/..", b"/"),
        ("/a/.", b"/a/"),
        ("/%61%2Fb?x=/..", b"/a/b"),
        ("/%252e", b"/%2e"),
        ("/a#b", b"/a"),
        ("/%ff", b"/\xff"),
        ("/..", None),
        ("/%0", None),
        ("/%00", None),
        ("*", None),
        ("", None),
        ("http://x/", None),
    ],
)
def test_paths_are_normalised(path, expected):
    assert locations.normalise(path) == expected


def test_slashes_stay_when_they_are_not_merged():
    assert locations.normalise("/a//b/", merge_slashes=False) == b"/a//b/"


def test_the_location_of_a_path(servers_of):
    (server,) = servers_of(
        """server {
        location = /exact { } location / { } location /a/ { location ^~ /a/b/ { } location ~ \\.jpg$ { } }
        location ^~ /static/ { } location ~ \\.php$ { } location ~* \\.PNG$ { } location /app/ { proxy_pass http://x; } location @named { }
        }"""
    )
    expected = {
        "/exact": "= /exact",
        "/exact/": "/",
        "/a/x": "/a/",
        "/a/x.jpg": "~ \\.jpg$",
        "/a/b/x": "^~ /a/b/",
        "/a/b/x.php": "~ \\.php$",
        "/static/x.php": "^~ /static/",
        "/x.png": "~* \\.PNG$",
        "/@named": "/",
    }
    for path, label in expected.items():
        assert locations.find_location(server, path).location.label == label, path
    assert locations.find_location(server, "/app").redirected
    assert locations.find_location(server, "/..") is None


def test_an_expression_that_is_not_understood_makes_the_choice_unknown(servers_of):
    (server,) = servers_of("server { location = /x { } location ^~ /y { } location / { } location ~ (?>z) { } }")
    assert locations.find_location(server, "/x").location.modifier == "="
    assert locations.find_location(server, "/y").location.modifier == "^~"
    with pytest.raises(locations.Unknown):
        locations.find_location(server, "/z")


def test_modifiers_may_be_glued(servers_of):
    (server,) = servers_of(
        'server { location =/a { } location ^~/b { } location ~*\\.c$ { } location "~ d" { } location @e { } location ! /x { } location { } }'
    )
    assert [(item.modifier, item.path) for item in server.locations] == [("=", "/a"), ("^~", "/b"), ("~*", "\\.c$"), ("~", " d"), ("@", "@e")]


def test_names_that_a_log_and_a_client_use(servers_of):
    servers = servers_of('server { server_name .Shop.example; } server { } server { server_name _ *.x.test; } server { server_name "~^A$"; }')
    assert [server.log_name for server in servers] == ["shop.example", "", "_", "~^A$"]
    assert [server.usable_name for server in servers] == ["shop.example", "", "www.x.test", ""]
