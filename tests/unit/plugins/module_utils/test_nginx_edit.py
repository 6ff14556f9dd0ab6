# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of an nginx configuration: what is written, what stays, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as edit
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text

MAIN = "/etc/nginx/nginx.conf"


def configuration(main, matches=None, reals=None, originals=None, **files):
    """The files of one nginx: the main one, and others by the last part of their names."""
    raws = {MAIN: main.encode()}
    raws.update({f"/etc/nginx/{name}": raw.encode() for name, raw in files.items()})
    found = {f"/etc/nginx/{pattern}": [f"/etc/nginx/{name}" for name in names] for pattern, names in (matches or {}).items()}
    return edit.Configuration(MAIN, raws, reals or {}, found, originals)


def directive(name, *args, state=edit.PRESENT, replaces=None, key=None, at=None):
    return edit.Directive(name, edit.encode(args), state, None if replaces is None else edit.encode(replaces), key, at and edit.Place(*at))


def changed(main, context, *directives, **more):
    """Return the main file after edits in one context."""
    files = configuration(main, **more)
    for one in directives:
        files.apply(edit.Context(**context), one)
    return files.files[MAIN].raw.decode()


def refusal(main, context, *directives, **more):
    with pytest.raises(edit.Refused) as refused:
        changed(main, context, *directives, **more)
    return str(refused.value)


HTTP = {"block": "http"}
TIMEOUT = directive("proxy_read_timeout", "120s")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http {\n    a b;\n}\n", "http {\n    a b;\n    proxy_read_timeout 120s;\n}\n"),
        ("http {\n\ta b;\n}\n", "http {\n\ta b;\n\tproxy_read_timeout 120s;\n}\n"),
        ("http {\r\n  a b;\r\n}\r\n", "http {\r\n  a b;\r\n  proxy_read_timeout 120s;\r\n}\r\n"),
        ("http { a b; }", "http { a b; proxy_read_timeout 120s; }"),
        ("http {a b;}", "http {a b; proxy_read_timeout 120s;}"),
        ("http {}", "http { proxy_read_timeout 120s; }"),
        ("http { }", "http { proxy_read_timeout 120s; }"),
        ("http {\n}", "http {\n    proxy_read_timeout 120s;\n}"),
        ("http {\n  a b; # why\n}\n", "http {\n  a b; # why\n  proxy_read_timeout 120s;\n}\n"),
        ("http {\n  a b;\n  # last }\n}\n", "http {\n  a b;\n  # last }\n  proxy_read_timeout 120s;\n}\n"),
        ("http {\n  a b; c d;\n}\n", "http {\n  a b; c d;\n  proxy_read_timeout 120s;\n}\n"),
        ("http {\n  a b;\n\n}\n", "http {\n  a b;\n  proxy_read_timeout 120s;\n\n}\n"),
        ("http {\n  a b; }\n", "http {\n  a b; proxy_read_timeout 120s; }\n"),
        ("http { # top\n}\n", "http { # top\n    proxy_read_timeout 120s;\n}\n"),
        ("http {\n  x { a; }\n", None),
        ("http {\n  x_by_lua_block { s = '}' }\n}\n", "http {\n  x_by_lua_block { s = '}' }\n  proxy_read_timeout 120s;\n}\n"),
        ("http {\n  proxy_read_timeout 60s;\n}\n", "http {\n  proxy_read_timeout 120s;\n}\n"),
        ("http {\n  proxy_read_timeout\n    '60s' # why\n ;\n}\n", "http {\n  proxy_read_timeout\n    '120s' # why\n ;\n}\n"),
        ("http {\n  proxy_read_timeout;\n}\n", "http {\n  proxy_read_timeout 120s;\n}\n"),
        ('http {\n  proxy_read_timeout "6"0;\n}\n', None),
    ],
)
def test_a_directive_is_set(before, after):
    if after is None:
        assert "nginx does not read it" in refusal(before, HTTP, TIMEOUT)
        return
    assert changed(before, HTTP, TIMEOUT) == after
    assert changed(after, HTTP, TIMEOUT) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http {\n  a b;\n  proxy_read_timeout 1;\n}\n", "http {\n  a b;\n}\n"),
        ("http {\r\n  proxy_read_timeout 1;\r\n}\r\n", "http {\r\n}\r\n"),
        ("http { a b; proxy_read_timeout 1; }", "http { a b; }"),
        ("http { proxy_read_timeout 1; a b; }", "http { a b; }"),
        ("http {\n  proxy_read_timeout 1; a b;\n}", "http {\n  a b;\n}"),
        ("http {\n  proxy_read_timeout 1; # why\n}", "http {\n  # why\n}"),
        ("http {\n  proxy_read_timeout 1; }\n", "http {\n  }\n"),
        ("http {\n  proxy_read_timeout\n 1\n;\n  a b;\n}\n", "http {\n  a b;\n}\n"),
    ],
)
def test_a_directive_is_removed(before, after):
    gone = directive("proxy_read_timeout", state=edit.ABSENT)
    assert changed(before, HTTP, gone) == after
    assert changed(after, HTTP, gone) == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"120s", b"120s"),
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b"$host:${port}", b"$host:${port}"),
        (b'say "x"', b'"say \\"x\\""'),
        (b"it's", b'"it\'s"'),
        (b"#top", b'"#top"'),
        (b"a;b", b'"a;b"'),
        (b"^/[a-z]{2}/", b'"^/[a-z]{2}/"'),
        (b"\\.php$", b"\\.php$"),
        (b"\\n", b"\\\\n"),
        (b"a\\", b"a\\\\"),
        (b"a \\", b'"a \\\\"'),
        (b"a\nb\tc\rd", b'"a\\nb\\tc\\rd"'),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"}", b'"}"'),
        (b")", b")"),
        (b"$", b"$"),
        (b"${", b'"${"'),
    ],
)
def test_words_are_quoted_as_nginx_decodes_them(value, written):
    assert edit.quote(value) == written
    read = nginx_text.read(b"x " + written + b";")
    assert read.error is None and read.statements[0].args == [value]


@pytest.mark.parametrize("value", [b"a\0b", b"x" * 4096, b" " * 4094])
def test_words_that_nginx_cannot_hold_are_refused(value):
    with pytest.raises(edit.Refused):
        edit.quote(value)


SITES = """http {
  proxy_set_header Host $host;
  proxy_set_header X-Real-IP $remote_addr;
  upstream shop {
    server 127.0.0.1:3000;
    server 127.0.0.1:3001 backup;
    keepalive 16;
  }
  server {
    listen 80;
    server_name shop.example www.shop.example;
    location /api/ { proxy_pass http://shop; }
    location ~ \\.php$ {
      proxy_set_header Host shop;
      if ($arg_x) { return 404; }
    }
  }
  server {
    listen 127.0.0.1:8080;
    server_name other.example;
    location /api/ { proxy_pass http://shop; }
  }
}
"""


@pytest.mark.parametrize(
    ("context", "line"),
    [
        ({"server_name": "SHOP.example", "location": "/api/"}, "    location /api/ { proxy_pass http://shop; proxy_read_timeout 120s; }"),
        ({"listen": "8080", "server_name": "other.example"}, None),
        ({"listen": "127.0.0.1:8080"}, "    proxy_read_timeout 120s;"),
        ({"listen": "*:80", "location": "~ \\.php$", "block": "if"}, "      if ($arg_x) { return 404; proxy_read_timeout 120s; }"),
        ({"location": "~\\.php$"}, "      proxy_read_timeout 120s;"),
        ({"upstream": "shop"}, "    proxy_read_timeout 120s;"),
        ({"file": MAIN, "line": 21, "expects": "location /api/"}, "    location /api/ { proxy_pass http://shop; proxy_read_timeout 120s; }"),
        ({"file": MAIN, "line": 21, "expects": "location /"}, None),
        ({"file": MAIN, "line": 3}, None),
        ({"file": MAIN, "line": 21, "location": "/api/"}, None),
        ({"line": 21}, None),
        ({"file": "/etc/passwd", "line": 21}, None),
        ({"location": "/api/"}, None),
        ({"block": "server"}, None),
        ({"block": "stream"}, None),
        ({"upstream": "nobody"}, None),
        ({}, None),
    ],
)
def test_the_block_that_is_named(context, line):
    if line is None:
        assert refusal(SITES, context, TIMEOUT)
        return
    new = set(changed(SITES, context, TIMEOUT).splitlines()) - set(SITES.splitlines())
    assert new == {line}


def test_an_ambiguous_block_is_refused_with_what_there_is():
    said = refusal(SITES, {"location": "/api/"}, TIMEOUT)
    assert f"location /api/ at {MAIN}:12" in said and f"location /api/ at {MAIN}:21" in said


def test_a_first_header_copies_those_that_it_would_cut_off():
    got = changed(SITES, {"server_name": "shop.example", "location": "/api/"}, directive("proxy_set_header", "connection", ""))
    assert "{ proxy_pass http://shop; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header connection \"\"; }" in got


def test_a_first_header_of_an_inherited_name_takes_its_place():
    got = changed(SITES, {"server_name": "shop.example", "location": "/api/"}, directive("proxy_set_header", "host", "shop"))
    assert "{ proxy_pass http://shop; proxy_set_header X-Real-IP $remote_addr; proxy_set_header host shop; }" in got


def test_a_header_that_is_in_force_is_left_to_be_inherited():
    assert changed(SITES, {"server_name": "shop.example", "location": "/api/"}, directive("proxy_set_header", "Host", "$host")) == SITES


def test_a_header_of_the_level_is_changed_in_place():
    got = changed(SITES, {"location": "~ \\.php$"}, directive("proxy_set_header", "Host", "$http_host"))
    assert got == SITES.replace("Host shop;", "Host $http_host;")


def test_the_server_of_a_group_is_told_by_what_it_replaces():
    context, new = {"upstream": "shop"}, directive("server", "127.0.0.1:3005", replaces=["127.0.0.1:3000"])
    once = changed(SITES, context, new)
    assert once == SITES.replace("server 127.0.0.1:3000;", "server 127.0.0.1:3005;")
    assert changed(once, context, new) == once
    assert "was expected" in refusal(SITES, context, directive("server", "127.0.0.1:3005", replaces=["127.0.0.1:9"]))


def test_the_method_of_a_group_stands_before_keepalive():
    assert changed(SITES, {"upstream": "shop"}, directive("least_conn")) == SITES.replace("    keepalive 16;", "    least_conn;\n    keepalive 16;")


def test_a_statement_of_an_inner_block_is_not_that_of_the_outer():
    said = refusal(SITES, {"location": "~ \\.php$"}, directive("return", "403", at=(MAIN, 15)))
    assert "if ($arg_x)" in said


SHARED = "http { server { listen 1; include p.conf; }\n server { listen 2; include p.conf; } }"


def test_an_included_file_is_changed_where_the_directive_stands_and_said():
    files = configuration(SHARED, {"p.conf": ["p.conf"]}, **{"p.conf": "proxy_read_timeout 60s;\n"})
    assert files.apply(edit.Context(listen="1"), TIMEOUT)
    assert files.changed() == {"/etc/nginx/p.conf": b"proxy_read_timeout 120s;\n"}
    (note,) = files.notes
    assert "included in 2 places" in note and f"{MAIN}:1" in note and f"{MAIN}:2" in note
    assert not files.apply(edit.Context(listen="2"), TIMEOUT)


def test_what_an_included_file_has_is_not_written_twice():
    files = configuration(SHARED, {"p.conf": ["p.conf"]}, **{"p.conf": "proxy_read_timeout 120s;\n"})
    assert not files.apply(edit.Context(listen="1"), TIMEOUT)
    assert files.changed() == {}


def test_lines_are_those_of_before_the_first_edit():
    before = "http {\n  server {\n    listen 1;\n  }\n  server {\n    listen 2;\n  }\n}\n"
    files = configuration(before)
    files.apply(edit.Context(file=MAIN, line=2), TIMEOUT)
    files.apply(edit.Context(file=MAIN, line=5, expects="server"), TIMEOUT)
    assert files.files[MAIN].raw.decode() == before.replace("  }\n", "    proxy_read_timeout 120s;\n  }\n")
    later = configuration(files.files[MAIN].raw.decode(), originals={MAIN: before.encode()})
    assert not later.apply(edit.Context(file=MAIN, line=5), TIMEOUT)


def test_secrets_are_not_in_a_refusal():
    main = "http { proxy_set_header Authorization 'Basic c2VjcmV0'; }"
    said = refusal(main, HTTP, directive("proxy_set_header", "Authorization", "Basic bmV3c2VjcmV0", replaces=["Authorization", "x"]))
    assert "c2VjcmV0" not in said and "bmV3c2VjcmV0" not in said and "Authorization" in said
