# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a request. That it is nginx's is held against a running nginx in tests/integration; here is what a user is told."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import asked, locations, passage, request, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import Request


@pytest.fixture(name="go")
def _go(load):
    """Return the passage of a GET through the only server of a configuration; text stands in it."""

    def go(text, target="/a", host="shop.example", outside="", granted=passage.PLAIN, **more):
        text = f"http {{ {outside}\nserver {{ listen 80; server_name shop.example;\n{text}\n}} }}"
        (block,) = routes.blocks_of(load(text), {})
        around = passage.Surroundings(block.servers, "*:80", block.site, 80)
        return passage.go(around, Request(target.encode(), host.encode(), **more), granted)

    return go


def kinds(going):
    return [step.kind for step in going.steps]


@pytest.mark.parametrize(
    ("text", "target", "uri"),
    [
        ("location / { proxy_pass http://b; }", "/a//%62?x=%20", "/a//%62?x=%20"),
        ("location /a { proxy_pass http://b/; }", "/a/c d".replace(" ", "%20") + "?x", "//c%20d?x"),
        ("location /a/ { proxy_pass http://b/v1/; }", "/a/c?x", "/v1/c?x"),
        ("location = /a { proxy_pass http://b/new; }", "/a?x", "/new?x"),
        ("location /a { rewrite ^/a(.*)$ /z$1 break; proxy_pass http://b/v1/; }", "/a/c?x", "/z/c?x"),
        ("location /a { rewrite ^/a(.*)$ /z$1 last; }\nlocation /z { proxy_pass http://b/v1; }", "/a/c?x", "/v1/c?x"),
        ("location /a { rewrite ^ /z?q=1; }\nlocation /z { proxy_pass http://b; }", "/a?x=2", "/z?q=1&x=2"),
        ("location /a { rewrite ^ /z?q=1? break; proxy_pass http://b; }", "/a?x=2", "/z?q=1"),
        ("rewrite ^/a$ /z;\nlocation /z { proxy_pass http://b/q; }", "/a", "/q"),
        ("set $u b; location / { proxy_pass http://$u/only; }", "/a?x", "/only"),
        ("set $u b; location / { proxy_pass http://$u; }", "/a?x", "/a?x"),
        ("location / { try_files $uri /i.php?$args; }\nlocation ~ php { proxy_pass http://b; }", "/a?x", "/i.php?x"),
        ("error_page 418 = @n; location / { return 418; }\nlocation @n { proxy_pass http://b; }", "/a?x", "/a?x"),
        ("location / { if ($arg_x = 1) { rewrite ^ /one break; } proxy_pass http://b; }", "/a?x=1", "/one?x=1"),
        ("location /a { fastcgi_pass b:9000; }", "/a%20b?x", "/a%20b?x"),
    ],
)
def test_what_the_backend_is_asked_for(go, text, target, uri):
    going = go(text, target)
    assert (going.end, going.uri) == (passage.PASS, uri.encode()), going


@pytest.mark.parametrize(
    ("text", "end", "status", "uri"),
    [
        ("return 301 https://$host$request_uri;", passage.REDIRECT, 301, b"https://shop.example/a"),
        ("location / { return 403; }", passage.ANSWER, 403, None),
        ("location / { return 200 ok; }", passage.ANSWER, 200, b"ok"),
        ("location /a/ { proxy_pass http://b; }", passage.REDIRECT, 301, b"/a/"),
        ("location / { root /srv; }", passage.STATIC, None, None),
        ("location / { stub_status; }", passage.HANDLER, None, None),
        ("location / { internal; proxy_pass http://b; }", passage.ANSWER, 404, None),
        ("location / { rewrite ^ /a last; }", passage.ANSWER, 500, None),
        ("error_page 503 @none; location / { return 503; }", passage.ANSWER, 500, None),
        ("location / { rewrite ^/(.*)$ http://x.test/$1 permanent; }", passage.REDIRECT, 301, b"http://x.test/a"),
        ("location / { try_files $uri =404; proxy_pass http://b; }", passage.ANSWER, 404, None),
    ],
)
def test_where_no_backend_is_asked(go, text, end, status, uri):
    going = go(text)
    assert (going.end, going.status, going.uri) == (end, status, uri), going


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("location / { if ($remote_addr ~ ^10) { return 403; } proxy_pass http://b; }", "remote_addr"),
        ("location / { if ($geoip_country_code) { return 403; } proxy_pass http://b; }", "geoip_country_code"),
        ("location / { proxy_pass http://$remote_addr; }", "remote_addr"),
        ("location ~ (a+)+$ { proxy_pass http://b; }", "could take long"),
        (r"location ~ \p{L} { proxy_pass http://b; }", "not understood"),
        ("location / { rewrite_by_lua_file /x.lua; proxy_pass http://b; }", "rewrite_by_lua_file"),
        ("location / { if ($uri) { if ($uri) { set $x 1; } } proxy_pass http://b; }", "stands in another"),
        ("location / { if ($uri > 1) { return 403; } proxy_pass http://b; }", "not understood"),
        ('location / { if ($arg_key = "redacted:0123abcd") { return 403; } proxy_pass http://b; }', "a secret that stays on the host"),
        ("js_set $x f; location / { proxy_pass http://$x; }", "only a request tells $x"),
        ("location / { set $host x; proxy_pass http://b; }", "$host is set"),
    ],
)
def test_what_is_unknown_is_said(go, text, why):
    going = go(text, "/a?key=1")
    assert going.end == passage.UNKNOWN and why in going.why, going


def test_what_a_client_sends_can_be_given(go):
    text = "location / { if ($http_x_a = yes) { return 403; } proxy_pass http://b; }"
    assert go(text, headers={"x-a": b"yes"}).status == 403
    assert go(text, headers={}).end == passage.PASS
    plain = go(text)
    assert plain.end == passage.PASS and [(step.says, step.sure) for step in plain.steps if step.kind == "client"] == [("$http_x_a: taken as not sent", False)]
    assert go(text, granted=passage.NOTHING).end == passage.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "location / { try_files $uri @n; }\nlocation @n { proxy_pass http://b; }",
        "location / { if (!-f $request_filename) { rewrite ^ /i.php last; } }\nlocation = /i.php { proxy_pass http://b; }",
    ],
)
def test_files_are_assumed_to_be_absent(go, text):
    going = go(text)
    assert going.end == passage.PASS and not going.sure
    assert any("files are not looked at" in step.says for step in going.steps if not step.sure)
    assert go(text, granted=passage.NOTHING).end == passage.UNKNOWN


def test_the_index_of_a_folder(go):
    php = "location ~ php$ { fastcgi_pass b:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; root /srv; }"
    text = f"index index.html index.php; location / {{ root /srv; }}\n{php}"
    going = go(text, "/x/")
    assert (going.end, going.sure, going.path, going.params) == (passage.PASS, False, b"/x/index.php", {"SCRIPT_FILENAME": "/srv/x/index.php"})
    assert go(text, "/x/", granted=passage.NO_FILES).end == passage.STATIC


@pytest.mark.parametrize("target", ["/%zz", "/../x", "x", "/a\x01", "http://a b/"])
def test_a_bad_request(go, target):
    going = go("location / { proxy_pass http://b; }", target)
    assert (going.end, going.status, bool(going.why)) == (passage.BAD, 400, True)


@pytest.mark.parametrize("host", ["", ":80", "a..b", "a/b", "."])
def test_a_bad_host(go, host):
    assert go("location / { proxy_pass http://b; }", host=host).end == passage.BAD


def test_the_first_server_decides_about_slashes(load):
    text = """http { merge_slashes off;
    server { listen 80; server_name one; merge_slashes on; location / { return 200 $uri; } }
    server { listen 80; server_name two; location / { return 200 $uri; } } }"""
    (block,) = routes.blocks_of(load(text), {})
    around = passage.Surroundings(block.servers, "*:80", block.site)
    assert passage.go(around, Request(b"//a", b"two")).uri == b"/a"
    assert [server.merges_slashes for server in block.servers] == [True, False]
    assert passage.go(around, Request(b"//a", b"two", tls=True)).uri == b"//a"


def test_the_steps_are_told_in_order(go):
    text = "set $x 1;\nlocation /a { rewrite ^/a /b last; }\nlocation /b { if ($x) { set $y $x; } break; proxy_pass http://b; }"
    going = go(text)
    assert kinds(going) == ["set", "location", "rewrite", "location", "if", "set", "break"]
    assert [step.at.line for step in going.steps] == [3, 4, 4, 5, 5, 5, 5]
    assert going.looked_up == b"/b" and asked.location_rule(going) == "longest prefix"


@pytest.mark.parametrize(
    ("host", "rule", "name"),
    [
        ("a.example", locations.EXACT_NAME, "a.example"),
        ("x.b.example", locations.BEFORE_NAME, "*.b.example"),
        ("c.test", locations.AFTER_NAME, "c.*"),
        ("d77.org", locations.REGEX_NAME, r"~^d\d+\."),
        ("other", locations.DEFAULT_SERVER, ""),
    ],
)
def test_the_rule_that_chose_the_server(load, host, rule, name):
    text = r"""http {
    server { listen 80; server_name a.example *.b.example; }
    server { listen 80 default_server; server_name c.*; }
    server { listen 80; server_name "~^d\d+\."; } }"""
    (block,) = routes.blocks_of(load(text), {})
    chosen = locations.choose_server(block.servers, "*:80", host)
    assert (chosen.rule, chosen.name) == (rule, name)


def test_the_listen_of_an_address(load):
    text = "http { server { listen 80; listen 10.0.0.5:80; listen [::]:81 ipv6only=off; listen [::1]:80; } }"
    (block,) = routes.blocks_of(load(text), {})
    ways = (("10.0.0.5", 80), ("10.0.0.6", 80), ("::1", 80), ("::2", 80), ("10.0.0.5", 81), ("::2", 81))
    found = [locations.listen_for(block.servers, address, port) for address, port in ways]
    assert found == ["10.0.0.5:80", "*:80", "[::1]:80", "", "[::]:81", "[::]:81"]


@pytest.mark.parametrize(("host", "name"), [(b"shop.example", b"shop.example"), (b"10.0.0.5", None), (b"[::1]", None), (b"1.example", b"1.example")])
def test_the_name_of_a_handshake(host, name):
    assert request.tls_name(host) == name


def test_a_secret_that_stays_on_the_host(go):
    outside = 'map $arg_key $who { default nobody; "redacted:0123abcd" admin; other other; }'
    text = "location / { proxy_pass http://b/$who; }"
    assert go(text, "/a", outside=outside).uri == b"/nobody"
    assert go(text, "/a?key=other", outside=outside).uri == b"/other"
    assert go(text, "/a?key=x", outside=outside).end == passage.UNKNOWN


def test_an_if_without_a_pass_has_that_of_the_location(go):
    text = "location / { if ($uri) { proxy_pass http://one; } if ($host) { set $x 1; } proxy_pass http://two/v1/; }"
    assert (go(text).goal.host, go(text).uri) == ("two", b"/v1/a")
    assert go(text.replace("proxy_pass http://two/v1/;", "")).end == passage.UNKNOWN
