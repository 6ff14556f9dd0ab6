# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: where each pass goes, what is in force on it, what it sends, and which log records are its own."""

from __future__ import annotations

import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint


def endpoints(route):
    return [str(endpoint) for peer in route.peers for endpoint in peer.endpoints]


@pytest.mark.parametrize(
    ("statement", "family", "scheme", "expected"),
    [
        ("proxy_pass http://127.0.0.1:3000", "proxy", "http", ["127.0.0.1:3000"]),
        ("proxy_pass http://127.0.0.1", "proxy", "http", ["127.0.0.1:80"]),
        ("proxy_pass HTTPS://127.0.0.1/x", "proxy", "https", ["127.0.0.1:443"]),
        ("proxy_pass http://[::1]:3000/", "proxy", "http", ["[::1]:3000"]),
        ("proxy_pass http://[0::1]", "proxy", "http", ["[::1]:80"]),
        ("proxy_pass http://unix:/run/x.sock", "proxy", "http", ["unix:/run/x.sock"]),
        ("proxy_pass http://unix:/run/x.sock:/uri/", "proxy", "http", ["unix:/run/x.sock"]),
        ("proxy_pass http://localhost:3000", "proxy", "http", ["[::1]:3000", "127.0.0.1:3000"]),
        ("proxy_pass http://APP.internal", "proxy", "http", ["10.0.0.7:80"]),
        ("fastcgi_pass unix:/run/php/php8.2-fpm.sock", "fastcgi", "fastcgi", ["unix:/run/php/php8.2-fpm.sock"]),
        ("fastcgi_pass unix:/run/a:b", "fastcgi", "fastcgi", ["unix:/run/a:b"]),
        ("fastcgi_pass 127.0.0.1:9000", "fastcgi", "fastcgi", ["127.0.0.1:9000"]),
        ("uwsgi_pass uwsgi://127.0.0.1:3031", "uwsgi", "uwsgi", ["127.0.0.1:3031"]),
        ("uwsgi_pass suwsgi://127.0.0.1:3031", "uwsgi", "suwsgi", ["127.0.0.1:3031"]),
        ("uwsgi_pass unix:///run/u.sock", "uwsgi", "uwsgi", ["unix:///run/u.sock"]),
        ("scgi_pass localhost:4000", "scgi", "scgi", ["[::1]:4000", "127.0.0.1:4000"]),
        ("grpc_pass grpcs://127.0.0.1:50051", "grpc", "grpcs", ["127.0.0.1:50051"]),
        ("grpc_pass 127.0.0.1:50051", "grpc", "grpc", ["127.0.0.1:50051"]),
        ("memcached_pass 127.0.0.1:11211", "memcached", "memcached", ["127.0.0.1:11211"]),
    ],
)
def test_every_pass(route_in, statement, family, scheme, expected):
    route = route_in(f"location / {{ {statement}; }}")
    assert (route.family, route.scheme, endpoints(route), route.unresolved) == (family, scheme, expected, "")
    assert route.directive == statement.split()[0]
    assert route.written == statement.split()[1]
    assert (route.at.file, route.at.line) == ("/etc/nginx/nginx.conf", 4)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("proxy_pass 127.0.0.1:3000", "does not begin with a scheme"),
        ("proxy_pass ftp://127.0.0.1", "does not begin with a scheme"),
        ("proxy_pass http://", "no host"),
        ("proxy_pass http://*:80", "no address"),
        ("proxy_pass http://127.0.0.1:0", "no address"),
        ("proxy_pass http://a@b:80", "no address"),
        ("fastcgi_pass 127.0.0.1", "no port"),
        ("proxy_pass http://gone.internal", "gone.internal was not resolved: Name or service not known"),
        ("proxy_pass http://not.asked", "not.asked was not resolved"),
        ("proxy_pass http://$http_x", "$http_x: only a request tells its value"),
        ("proxy_pass $http_x", "$http_x: only a request tells its value"),
        ("proxy_pass http://127.0.0.1:$port", "$port: only a request tells its value"),
        ("proxy_pass http://app$1", "$1: only a request tells its value"),
        ('proxy_pass "http://\\x1b[31m{{ 7*7 }}<script>"', "no address"),
    ],
)
def test_why_a_target_is_not_known(route_in, statement, why):
    assert why in route_in(f"location / {{ {statement}; }}").unresolved


def test_a_name_that_was_not_resolved_is_an_endpoint_of_its_own(route_in):
    (peer,) = route_in("location / { proxy_pass http://gone.internal:81; }").peers
    assert peer.by_name
    assert [(item.kind, str(item)) for item in peer.endpoints] == [("name", "gone.internal:81")]


def test_bytes_that_are_not_utf8(routes_of):
    (route,) = routes_of(b"http { server { server_name caf\xe9; location /\xff { proxy_pass http://unix:/run/\xe9.sock; } } }")
    assert (route.server, route.location, endpoints(route)) == ("caf\\xe9", "/\\xff", ["unix:/run/\\xe9.sock"])


def test_a_group(route_in):
    route = route_in(
        "location / { proxy_pass http://BackEnd/x; }",
        """upstream backend {
        server 127.0.0.1:3001 weight=5 max_fails=3 fail_timeout=30s; server 127.0.0.1:3002 down; server app.internal backup; server unix:/run/x.sock;
        keepalive 16; }""",
    )
    assert (route.group, route.upstream.keepalive.args, route.uri) == ("backend", ("16",), "/x")
    first, second, third, fourth = route.peers
    assert (first.written, first.weight, first.max_fails, first.fail_timeout, first.at.line) == ("127.0.0.1:3001", 5, 3, 30.0, 3)
    assert (second.down, third.backup, third.by_name) == (True, True, True)
    assert (second.max_fails, second.fail_timeout, second.weight) == (1, 10.0, 1)
    assert endpoints(route) == ["127.0.0.1:3001", "127.0.0.1:3002", "10.0.0.7:80", "unix:/run/x.sock"]
    assert str(fourth.at) == "/etc/nginx/nginx.conf:3"


def test_a_port_makes_it_no_group(route_in):
    assert route_in("location / { proxy_pass http://app.internal:81; }", "upstream app.internal { server 127.0.0.1:1; }").group is None


def test_server_and_location_of_a_route(routes_of):
    found = routes_of(
        """http { server { listen 443 ssl; listen [::]:443 ssl; server_name Shop.example *.shop.example;
        location /a/ { proxy_pass http://127.0.0.1:1;
            location ~ \\.php$ { fastcgi_pass 127.0.0.1:2; }
            location /a/b { }
            if ($arg_x) { proxy_pass http://127.0.0.1:3; }
            limit_except GET { proxy_pass http://127.0.0.1:4; } }
        location @app { internal; proxy_pass http://127.0.0.1:5; } } }"""
    )
    assert [(route.location_label, endpoints(route)) for route in found] == [
        ("/a/", ["127.0.0.1:1"]),
        ("/a/ if ($arg_x)", ["127.0.0.1:3"]),
        ("/a/ limit_except GET", ["127.0.0.1:4"]),
        ("~ \\.php$", ["127.0.0.1:2"]),
        ("@app", ["127.0.0.1:5"]),
    ]
    assert {route.listens for route in found} == {("*:443", "[::]:443")}
    assert found[0].names == ("shop.example", "*.shop.example")
    assert [route.internal for route in found] == [False, False, False, False, True]
    assert len({route.key for route in found}) == 5


def test_the_last_pass_of_a_location_wins(route_in):
    assert route_in("location / { proxy_pass http://127.0.0.1:1; fastcgi_pass 127.0.0.1:2; }").directive == "fastcgi_pass"


def test_a_pass_is_not_inherited(route_in):
    assert route_in("location / { proxy_pass http://127.0.0.1:1; location /a { location /a/b { } } }").location == "/"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("return 301 https://x; location / { proxy_pass http://127.0.0.1:1; }", 0),
        ("location / { proxy_pass http://127.0.0.1:1; return 404; location /a { proxy_pass http://127.0.0.1:2; } }", 1),
        ("if ($a) { return 403; } location / { proxy_pass http://127.0.0.1:1; }", 1),
        ("location / { if ($a) { return 403; } return 404; proxy_pass http://127.0.0.1:1; }", 1),
        ("rewrite ^/a /b last; return 404; location / { proxy_pass http://127.0.0.1:1; }", 1),
    ],
)
def test_a_pass_behind_a_return_is_no_route(routes_of, text, count):
    assert len(routes_of(f"http {{ server {{ {text} }} }}")) == count


def test_streams(routes_of):
    (route,) = routes_of("stream { proxy_timeout 1m; upstream db { server 127.0.0.1:5432; } server { listen 127.0.0.1:6000; listen 53 udp; proxy_pass db; } }")
    assert (route.family, route.scheme, route.group, endpoints(route)) == ("stream", "stream", "db", ["127.0.0.1:5432"])
    assert route.listens == ("127.0.0.1:6000", "*:53 udp")
    assert (str(route.value("timeout")), str(route.value("connect_timeout"))) == ("proxy_timeout 1m", "proxy_connect_timeout 60s")
    assert route.value("read_timeout") is None
    assert (route.sample_path, route.upstream_uri("/"), route.location_label) == (None, None, "")


def test_nothing_comes_of_nothing(routes_of):
    assert routes_of("") == ()
    assert routes_of("http { server { location / { root /srv; } } } http; server; upstream; location / { proxy_pass http://a; }") == ()
    assert routes_of("http { upstream { server; } server { location { proxy_pass; } location / { proxy_pass http://a b; } } }") == ()


# Variables


def test_a_constant_variable(route_in):
    route = route_in("set $up http://127.0.0.1:3000; location / { proxy_pass $up; }")
    assert (endpoints(route), route.unresolved, route.scheme) == (["127.0.0.1:3000"], "", "http")
    assert route.peers[0].at.line == 4


def test_every_branch_of_a_map_is_a_peer_where_it_is_written(route_in):
    outside = "map $cookie_v $up {\ndefault 127.0.0.1:1;\nnew 127.0.0.1:2;\n}\nupstream blue { server 127.0.0.1:3; }"
    route = route_in("location / { proxy_pass http://$up; }", outside)
    assert [(str(peer.endpoints[0]), peer.at.line) for peer in route.peers] == [("127.0.0.1:1", 3), ("127.0.0.1:2", 4)]
    assert (route.group, route.unresolved) == (None, "")


def test_a_variable_may_name_a_group(route_in):
    route = route_in("location / { proxy_pass http://$up$request_uri; }", "map $x $up { default blue; } upstream blue { server 127.0.0.1:3; }")
    assert (route.group, endpoints(route)) == ("blue", ["127.0.0.1:3"])


def test_known_branches_stay_when_one_is_not_known(route_in):
    route = route_in("location / { proxy_pass http://$up; }", "map $x $up { default $http_y; a 127.0.0.1:2; }")
    assert endpoints(route) == ["127.0.0.1:2"]
    assert "$http_y" in route.unresolved


def test_the_scheme_of_the_listener(route_in):
    assert route_in("listen 443 ssl; location / { proxy_pass $scheme://127.0.0.1; }").scheme == "https"
    assert sorted(endpoints(route_in("listen 80; listen 443 ssl; location / { proxy_pass $scheme://127.0.0.1; }"))) == ["127.0.0.1:443", "127.0.0.1:80"]


@pytest.mark.parametrize("tail", ["$request_uri", "$uri$is_args$args", "/$http_x", "/a$1"])
def test_a_uri_of_variables_does_not_hide_the_host(route_in, tail):
    assert endpoints(route_in(f"location / {{ proxy_pass http://127.0.0.1:3000{tail}; }}")) == ["127.0.0.1:3000"]


def test_a_capture_that_begins_with_a_slash(route_in):
    route = route_in("location ~ ^/api(/.*)$ { proxy_pass http://127.0.0.1:3000$1; }")
    assert (endpoints(route), route.upstream_uri("/api/x")) == (["127.0.0.1:3000"], "/x")
    assert "$1" in route_in("location ~ ^/(.*)$ { proxy_pass http://app$1; }").unresolved


# In force


def test_a_family_has_its_own_directives(route_in):
    route = route_in("proxy_read_timeout 5s; location / { fastcgi_pass 127.0.0.1:9000; fastcgi_read_timeout 7s; }")
    assert str(route.value("read_timeout")) == "fastcgi_read_timeout 7s"
    assert route.value("read_timeout").at.line == 4
    assert route.value("proxy_read_timeout").seconds == 5.0


def test_defaults_have_no_place(route_in):
    route = route_in("location / { proxy_pass http://127.0.0.1:1; }")
    assert (route.value("buffer_size").size, route.value("buffer_size").at, route.value("buffering").flag) == (4096, None, True)
    assert (route.value("busy_buffers_size").size, route.value("client_max_body_size").size, route.value("no_such")) == (8192, 1 << 20, None)
    assert route.value("set_header") is None and route.values("set_header") == ()


def test_a_computed_default_follows_the_larger(route_in):
    assert route_in("location / { proxy_pass http://127.0.0.1:1; proxy_buffer_size 16k; }").value("busy_buffers_size").size == 32768
    assert route_in("location / { proxy_pass http://127.0.0.1:1; proxy_buffers 4 32k; }").value("temp_file_write_size").size == 65536


def test_the_version_decides_defaults(route_in):
    text = "location / { proxy_pass http://127.0.0.1:1; }"
    assert route_in(text).value("http_version").args == ("1.0",)
    assert route_in(text, version="1.29.7").value("http_version").args == ("1.1",)


def test_inheritance_into_nested_and_if(routes_of):
    outer, inside, nested = routes_of(
        """http { proxy_set_header Host $host; proxy_next_upstream error;
        server { location /a { proxy_pass http://127.0.0.1:1; proxy_connect_timeout 1s; if ($x) { proxy_pass http://127.0.0.1:2; }
        location /a/b { proxy_pass http://127.0.0.1:3; proxy_set_header X-A 1; proxy_next_upstream http_502; proxy_next_upstream off; } } } }"""
    )
    assert [item.args for item in outer.values("set_header")] == [("Host", "$host")]
    assert [item.args for item in nested.values("set_header")] == [("X-A", "1")]
    assert nested.value("next_upstream").args == ("http_502", "off")
    assert [route.value("connect_timeout").seconds for route in (outer, inside, nested)] == [1.0, 1.0, 1.0]


# What is sent


@pytest.mark.parametrize(
    ("location", "target", "path", "expected"),
    [
        ("/", "http://h.test:1", "/a", "/a"),
        ("/t/", "http://h.test:1", "/t/a", "/t/a"),
        ("/t/", "http://h.test:1/", "/t/a", "/a"),
        ("/t/", "http://h.test:1/base", "/t/x", "/basex"),
        ("/t", "http://h.test:1/", "/t/x", "//x"),
        ("/t/", "http://unix:/run/x.sock:/y/", "/t/x", "/y/x"),
        ("/t/", "http://unix:/run/x.sock", "/t/x", "/t/x"),
        ("= /t", "http://h.test:1/base", "/t", "/base"),
        ("/t/", "http://h.test:1$uri", "/t/x", "/t/x"),
        ("/t/", "http://h.test:1$request_uri", "/t/x", "/t/x"),
        ("/t/", "http://h.test:1/$http_x", "/t/x", None),
        ("~ ^/t/(.*)$", "http://h.test:1/y/$1", "/t/x", "/y/x"),
        ("/t/", "http://h.test:1?x", "/t/a", "?xa"),
        ("/t/", "http://h.test:1/", "/other", None),
    ],
)
def test_the_uri_that_is_asked_for(route_in, location, target, path, expected):
    assert route_in(f"location {location} {{ proxy_pass {target}; }}").upstream_uri(path) == expected


@pytest.mark.parametrize(
    ("rewrite", "path", "expected"),
    [
        ("rewrite ^/api/(.*)$ /$1 break;", "/api/x", "/x"),
        ("rewrite ^/other/(.*)$ /$1 break;", "/api/x", "/base/x"),
        ("rewrite ^/api/(.+)$ /$1 last;", "/api/x", None),
        ("rewrite ^/api/(.*)$ /v2/$1?a=b break;", "/api/x", "/v2/x?a=b"),
        ("rewrite (?>x) /y break;", "/api/x", None),
        ("rewrite ^/api/x http://elsewhere/ break;", "/api/x", None),
    ],
)
def test_rewrites(route_in, rewrite, path, expected):
    assert route_in(f"location /api/ {{ {rewrite} proxy_pass http://127.0.0.1:1/base/; }}").upstream_uri(path) == expected


@pytest.mark.parametrize(
    ("server", "location", "expected"),
    [
        ("rewrite ^/a /b;", "", "/b"),
        ("if ($uri ~ ^/a) { rewrite ^ /c; }", "", "/c"),
        ("", "if ($args = '') { rewrite ^ /d break; }", "/d"),
        ("set $args x;", "", "/a?x"),
        ("rewrite ^/a /b redirect;", "", None),
    ],
)
def test_rewrites_of_the_server_and_within_if(route_in, server, location, expected):
    assert route_in(f"{server} location / {{ {location} proxy_pass http://127.0.0.1:1; }}").upstream_uri("/a") == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [("/", "/"), ("/api/", "/api/"), ("= /x", "/x"), ("^~ /s", "/s"), ("~ \\.php$", "/index.php")]
    + [("~ ^/v[0-9]+/", None), ("@app", None), ("~ ^/app/(.*)$", "/app/")],
)
def test_sample_paths(route_in, location, expected):
    route = route_in(f"location {location} {{ proxy_pass http://127.0.0.1:1; }}")
    assert route.sample_path == expected
    assert route.upstream_uri(route.sample_path) == expected
    if expected:
        assert route.takes(expected)


def test_a_path_that_another_location_takes_is_not_ours(routes_of):
    first, second = routes_of("http { server { location / { proxy_pass http://127.0.0.1:1; } location ~ \\.php$ { fastcgi_pass 127.0.0.1:2; } } }")
    assert (first.takes("/x"), first.takes("/x.php"), second.takes("/x.php"), second.takes("/..")) == (True, False, True, False)


@pytest.mark.parametrize(
    ("server", "target", "expected"),
    [
        ("", "http://127.0.0.1:3000", "127.0.0.1:3000"),
        ("", "http://app.internal:80", "app.internal"),
        ("", "https://app.internal", "app.internal"),
        ("", "http://unix:/run/x.sock", "localhost"),
        ("", "http://group", "group"),
        ("server_name shop.example; proxy_set_header Host $host;", "http://127.0.0.1:3000", "shop.example"),
        ("server_name *.shop.example; proxy_set_header host $http_host;", "http://127.0.0.1:3000", "www.shop.example"),
        ("server_name _; proxy_set_header Host $host;", "http://127.0.0.1:3000", "127.0.0.1:3000"),
        ("server_name a.test; proxy_set_header Host $host:$server_port;", "http://127.0.0.1:3000", "a.test:80"),
        ("proxy_set_header Host fixed.test;", "http://127.0.0.1:3000", "fixed.test"),
        ("proxy_set_header Host $proxy_host;", "http://127.0.0.1:3000", "127.0.0.1:3000"),
        ('proxy_set_header Host "";', "http://127.0.0.1:3000", ""),
        ("proxy_set_header X-A 1;", "http://127.0.0.1:3000", "127.0.0.1:3000"),
    ],
)
def test_the_host_that_is_asked_for(route_in, server, target, expected):
    route = route_in(f"{server} location / {{ proxy_pass {target}; }}", "upstream group { server 127.0.0.1:3000; }")
    assert route.host_header(Endpoint.parse("127.0.0.1:3000")) == expected


def test_the_host_for_fastcgi_is_that_of_the_client(route_in):
    route = route_in("server_name shop.example; location / { fastcgi_pass 127.0.0.1:9000; }")
    assert route.host_header(route.peers[0].endpoints[0]) == "shop.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxy_pass https://app.internal;", ""),
        ("proxy_pass https://app.internal:8443; proxy_ssl_server_name on;", "app.internal"),
        ("proxy_pass http://app.internal; proxy_ssl_server_name on;", ""),
        ("proxy_pass https://127.0.0.1; proxy_ssl_server_name on;", ""),
        ("proxy_pass https://group; proxy_ssl_server_name on;", "group"),
        ("proxy_pass https://group; proxy_ssl_server_name on; proxy_ssl_name real.test;", "real.test"),
        ("proxy_pass https://group; proxy_ssl_server_name on; proxy_ssl_name $host;", "shop.example"),
        ("grpc_pass grpcs://app.internal:1; grpc_ssl_server_name on;", "app.internal"),
    ],
)
def test_the_tls_server_name(route_in, text, expected):
    assert route_in(f"server_name shop.example; location / {{ {text} }}", "upstream group { server 127.0.0.1:1; }").sni == expected


def test_fastcgi_parameters(route_in):
    route = route_in(
        """listen 443 ssl; root /srv/shop/; fastcgi_index index.php; server_name shop.example;
        location ~ ^(.+\\.php)(/.*)?$ { fastcgi_split_path_info ^(.+\\.php)(/.*)$; fastcgi_pass unix:/run/p.sock;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param PATH_INFO $fastcgi_path_info if_not_empty;
        fastcgi_param HTTPS $https if_not_empty; fastcgi_param CLIENT $remote_addr; fastcgi_param SERVER_NAME $server_name; fastcgi_param FIXED a; }"""
    )
    assert route.params("/a.php") == {"SCRIPT_FILENAME": "/srv/shop/a.php", "HTTPS": "on", "SERVER_NAME": "shop.example", "FIXED": "a"}
    assert route.params("/a.php/b")["PATH_INFO"] == "/b"
    assert route.params("/a.php/b")["SCRIPT_FILENAME"] == "/srv/shop/a.php"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("root site;", "/x/", "/usr/share/nginx/site/x/index.php"),
        ("", "/x/", "/usr/share/nginx/html/x/index.php"),
        ("root $http_x;", "/x/", None),
        ("root /a; location /x/ { alias /b/; fastcgi_pass 127.0.0.1:1; }", "/x/", "/b//x/index.php"),
    ],
)
def test_the_document_root(route_in, text, path, expected):
    text = text if "location" in text else text + " location / { fastcgi_pass 127.0.0.1:1; }"
    route = route_in(f"fastcgi_index index.php; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; {text}")
    assert route.params(path).get("SCRIPT_FILENAME") == expected


def test_alias_and_request_filename(route_in):
    route = route_in("location /x/ { alias /b/; fastcgi_pass 127.0.0.1:1; fastcgi_param SCRIPT_FILENAME $request_filename; }")
    assert route.params("/x/y.php") == {"SCRIPT_FILENAME": "/b/y.php"}


def test_a_proxy_has_no_parameters(route_in):
    assert route_in("location / { proxy_pass http://127.0.0.1:1; }").params("/") == {}


# Log records


@pytest.fixture(name="shop")
def _shop(routes_of):
    return routes_of(
        """http { upstream Group { server 127.0.0.1:1; server 127.0.0.1:2; }
        server { server_name shop.example; location / { proxy_pass http://group; } location /api/ { proxy_pass http://127.0.0.1:1; } location ~ (?>x) { } }
        server { server_name .blog.example; location / { proxy_pass http://group; location /in { proxy_pass http://unix:/run/x.sock; } }
        location /l { proxy_pass http://app.internal; } }
        server { location / { proxy_pass http://127.0.0.1:9; } } }"""
    )


@pytest.mark.parametrize(
    ("server", "paths", "peer", "expected"),
    [
        ("shop.example", (), "127.0.0.1:1", [0, 1]),
        ("shop.example", ("/a",), "127.0.0.1:2", [0]),
        ("blog.example", ("/a",), "127.0.0.1:1", [2]),
        ("blog.example", ("/in/x", "/y"), "unix:/run/x.sock", [3]),
        ("blog.example", ("/in/x",), "", [3]),
        ("shop.example", ("/a",), "group", [0]),
        ("", ("/a",), "127.0.0.1:9", [5]),
        ("blog.example", ("/l",), "app.internal", [4]),
        ("blog.example", ("/l",), "10.0.0.7:80", [4]),
        ("unheard.of", ("/a",), "127.0.0.1:9", [5]),
        ("blog.example", ("/..", "\x1b[31m", "{{ 1 }}"), "127.0.0.1:1", [2]),
        ("shop.example", ("/a",), "127.0.0.1:4444", []),
        ("shop.example", ("/a",), "{{ x }}\n", []),
    ],
)
def test_whose_log_record_it_is(shop, server, paths, peer, expected):
    assert [shop.index(route) for route in routes.routes_for(shop, server, paths, peer)] == expected


def test_a_path_narrows_only_where_it_is_sure(routes_of):
    same = "proxy_pass http://127.0.0.1:1;"
    found = routes_of(f"http {{ server {{ server_name a; location / {{ {same} }} location /b {{ {same} }} location ~ c {{ try_files $uri /b; }} }} }}")
    assert [route.location for route in routes.routes_for(found, "a", ("/b/x",), "127.0.0.1:1")] == ["/b"]
    assert [route.location for route in routes.routes_for(found, "a", ("/c",), "127.0.0.1:1")] == ["/", "/b"]


# The whole


def test_sockets(load):
    http = "http { server { listen 80; listen 127.0.0.1:80; } server { listen 127.0.0.1:81; } }"
    loaded = load(http + "stream { server { listen 53 udp; } server { listen 6000; } }")
    assert routes.sockets_of(loaded, {}) == {"*:80", "127.0.0.1:81", "*:6000"}


def test_a_thousand_hosts_are_fast(load):
    locations = (f"location / {{ proxy_pass http://127.0.0.1:{n + 1}; proxy_read_timeout {n}s; }}" for n in range(20))
    servers = "".join(f"server {{ {location} }}\n" for location in locations)
    started = time.process_time()
    for _index in range(1000):
        assert len(routes.routes_of(load(f"http {{ {servers} }}"), {"localhost": {"status": "ok", "addresses": ["127.0.0.1"]}})) == 20
    assert time.process_time() - started < 2.0


def test_different_hosts_are_not_slow(load):
    started = time.process_time()
    for host in range(50):
        servers = "".join(f"server {{ server_name s{n}.h{host}.test; location / {{ proxy_pass http://127.0.0.1:{n + 1}; }} }}\n" for n in range(20))
        for route in routes.routes_of(load(f"http {{ {servers} }}"), {}):
            assert route.value("read_timeout").seconds == 60.0
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "text",
    [
        "http { server { location / { proxy_pass http://\x1b]0;x\x07:80; } } }",
        "http { server { server_name {{x}} <b>; location '/ {{ 1 }}' { proxy_pass 'http://{{ 7*7 }}:80'; } } }",
        'http { server { listen "a b:c"; listen ""; listen 99999999999999999999; listen 1-99999; location "" { proxy_pass "http://$"; } } }',
        "http { upstream a { server a; server a; } upstream A { server 127.0.0.1:1 weight=99999999999999999999 fail_timeout=x; }"
        " server { location / { proxy_pass http://a; } } }",
        "http { map $a; map { } geo { } map $a $b { x; } server { set $a; set; set $b $a$; if { } if ($x) ; location ~ ( { proxy_pass http://$b; } } }",
        "http { server { location ~ '" + "(a*)*" * 50 + "' { proxy_pass http://127.0.0.1:1;"
        " proxy_read_timeout; proxy_set_header Host; proxy_ssl_name; fastcgi_split_path_info; } } }",
    ],
)
def test_hostile_configurations_are_read_without_an_exception(routes_of, text):
    found = routes_of(text)
    for route in found:
        for endpoint in [endpoint for peer in route.peers for endpoint in peer.endpoints] or [Endpoint.parse("127.0.0.1:1")]:
            route.host_header(endpoint)
        assert isinstance(route.unresolved, str)
        assert isinstance(route.location_label + route.sni + (route.sample_path or "") + (route.upstream_uri("/") or ""), str)
        route.params("/")
        for name in ("read_timeout", "buffer_size", "busy_buffers_size", "set_header"):
            value = route.value(name)
            assert value is None or isinstance((value.seconds, value.size, value.flag), tuple)
    routes.routes_for(found, "x", ("/" + "a" * 3000, "/a"), "127.0.0.1:1")
