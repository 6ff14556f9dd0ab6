# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of an nginx configuration: what is written, what stays, and what is refused."""

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
        ("http {\n  a b; # why\n  # of x\n  x { }\n}\n", "http {\n  a b; # why\n  proxy_read_timeout 120s;\n  # of x\n  x { }\n}\n"),
        ("http {\n  x { }\n}\n", "http {\n  x { }\n  proxy_read_timeout 120s;\n}\n"),
        ("http { a b; x { } }", "http { a b; proxy_read_timeout 120s; x { } }"),
        ("http { a b;x { } }", "http { a b; proxy_read_timeout 120s;x { } }"),
        ("http { x { } a b;}", "http { x { } a b; proxy_read_timeout 120s;}"),
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


@pytest.mark.parametrize("expects", ["location /a\x1b\u202e\u00e9", "location /a\\x1b\\u202e\u00e9"])
def test_a_block_may_be_expected_by_its_harmless_words(expects):
    before = "http { server {\n location /a\x1b\u202e\u00e9 { }\n} }\n"
    assert changed(before, {"file": MAIN, "line": 2, "expects": expects}, TIMEOUT) != before
    assert "look again" in refusal(before, {"file": MAIN, "line": 2, "expects": "location /a"}, TIMEOUT)


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


def test_a_new_one_stands_by_those_of_its_name():
    got = changed(SITES, {"upstream": "shop"}, directive("server", "10.0.0.1"))
    assert got == SITES.replace("backup;\n", "backup;\n    server 10.0.0.1;\n")
    assert changed("http { a 1; b 2; }", HTTP, directive("a", "2", state=edit.APPENDED)) == "http { a 1; a 2; b 2; }"
    assert changed("http { set 1; b 2; }", HTTP, directive("set", "2", state=edit.APPENDED)) == "http { set 1; b 2; set 2; }"


@pytest.mark.parametrize("pattern", ["conf.d/*", "/etc/nginx/conf.d/a"])
def test_what_a_pattern_includes_is_not_included_again(pattern):
    main = f"http {{ include {pattern}; server {{ }} }}"
    files = edit.Configuration(
        MAIN, {MAIN: main.encode(), "/etc/nginx/conf.d/a": b""}, {},
        {f"/etc/nginx/{pattern}".replace("/etc/nginx//", "/"): ["/etc/nginx/conf.d/a"]},
    )
    assert not files.apply(edit.Context(**HTTP), directive("include", "conf.d/a", state=edit.APPENDED))
    assert files.apply(edit.Context(block="server"), directive("include", "conf.d/a", state=edit.APPENDED))


def test_a_zone_is_told_by_its_name():
    main = "http { limit_req_zone $a zone=x:1m rate=1r/s; limit_req_zone $a zone=y:1m rate=1r/s; }"
    got = changed(main, HTTP, directive("limit_req_zone", "$a", "zone=y:2m", "rate=5r/s"))
    assert got == main.replace("zone=y:1m rate=1r/s", "zone=y:2m rate=5r/s")


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


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        # ")" begins a word right after a quote.
        ('http { a "x")y; }', ["u", "v"], "http { a \"u\" v; }"),
        ('http { a "x")y; }', ["x", "v w"], 'http { a "x" "v w"; }'),
        ('http { a "x")y; }', ["x"], 'http { a "x"; }'),
        ("http { a 'x'; }", ["it's"], "http { a 'it\\'s'; }"),
        ("http { a x # 1\n y # 2\n; }", ["x"], "http { a x # 1\n  # 2\n; }"),
        ("http { a # 1\n; }", ["x"], "http { a x # 1\n; }"),
        ("http { a x\ty; }", ["x", "z"], "http { a x\tz; }"),
        ("http {a x;b y;}", ["$"], "http {a $;b y;}"),
    ],
)
def test_words_are_changed_where_they_stand(before, new, after):
    assert changed(before, HTTP, directive("a", *new)) == after


@pytest.mark.parametrize(
    "name", ["", "a b", "a;b", "content_by_lua_block", "a\n", "server {", "\u00e9", "{{ x }}", "#a", "-a"]
)
def test_a_name_that_is_none_is_refused(name):
    assert refusal("http { }", HTTP, directive(name))


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800", "x" * 5000])
def test_a_value_that_no_file_can_hold_is_refused(value):
    with pytest.raises(edit.Refused):
        changed("http { }", HTTP, directive("a", value))


@pytest.mark.parametrize("value", ["$(id)", "{{ 7*7 }}", "`id`", "../../x", "; } events { }", "\x1b]0;x\x07", "\u202e", "\udcff"])
def test_a_hostile_value_stays_one_word(value):
    files = configuration("http { }")
    files.apply(edit.Context(**HTTP), directive("a", value))
    (http,) = files.files[MAIN].text.statements
    assert [inner.args for inner in http.block] == [edit.encode([value])[0:1]]


@pytest.mark.parametrize("block", ["map $a $b", "geo $a", "types", "split_clients $a $b"])
def test_rows_of_data_are_not_edited(block):
    assert "holds no directives" in refusal(f"http {{ {block} {{ default 1; }} }}", {"block": block.split()[0]}, directive("default", "2"))


def test_code_is_not_edited():
    lua = "http { content_by_lua_block { a = 1 } }"
    assert "holds no directives" in refusal(lua, {"block": "content_by_lua_block"}, directive("a", "2"))
    assert changed(lua, HTTP, directive("a", "2")) == "http { content_by_lua_block { a = 1 } a 2; }"


def test_a_file_that_nginx_does_not_read_is_not_edited():
    said = refusal("http { }\nserver {", HTTP, TIMEOUT)
    assert "put that right first" in said and "line 2" in said


def test_a_comment_inside_a_statement_is_not_lost():
    assert "comment inside" in refusal("http { a # b\n c; }", HTTP, directive("a", state=edit.ABSENT))


def test_several_statements_that_are_meant_are_listed():
    main = "http {\n add_header X a;\n add_header X b;\n}"
    said = refusal(main, HTTP, directive("add_header", "X", "c"))
    assert f"{MAIN}:2" in said and f"{MAIN}:3" in said
    assert changed(main, HTTP, directive("add_header", "X", "c", at=(MAIN, 3))) == main.replace("X b", "X c")
    assert changed(main, HTTP, directive("add_header", "X", "c", replaces=["X", "b"])) == main.replace("X b", "X c")
    assert changed(main, HTTP, directive("add_header", "X", "c", key=2)) == main.replace("}", " add_header X c;\n}")
    assert "look again" in refusal(main, HTTP, directive("add_header", "X", "c", at=(MAIN, 3), replaces=["X", "a"]))
    assert "look again" in refusal(main, HTTP, directive("add_header", "X", "c", at=(MAIN, 4)))


def test_what_is_replaced_is_gone_or_refused():
    main = "http { upstream u { server a; server b; } }"
    assert "so is what it replaces" in refusal(main, {"upstream": "u"}, directive("server", "b", replaces=["a"]))


def test_only_what_begins_with_the_given_arguments_goes():
    main = "http { proxy_set_header A 1; proxy_set_header B 2; proxy_set_header connection x; }"
    got = changed(main, HTTP, directive("proxy_set_header", "Connection", state=edit.ABSENT))
    assert got == "http { proxy_set_header A 1; proxy_set_header B 2; }"
    assert changed(main, HTTP, directive("proxy_set_header", "A", "2", state=edit.ABSENT)) == main
    assert "say which" in refusal(main, HTTP, directive("proxy_set_header", state=edit.ABSENT))
    assert "look again" in refusal(main, HTTP, directive("proxy_set_header", "A", state=edit.ABSENT, replaces=["A", "2"]))


def test_what_comes_into_force_again_is_said():
    files = configuration("http { add_header A 1; server { add_header B 2; } }")
    files.apply(edit.Context(block="server"), directive("add_header", "B", state=edit.ABSENT))
    (note,) = files.notes
    assert "in force there" in note and "http" in note


@pytest.mark.parametrize("state", [edit.PRESENT, edit.APPENDED])
def test_a_rule_of_access_is_not_put_before_or_behind_others_by_guess(state):
    assert "their order decides" in refusal("http { deny all; server { } }", {"block": "server"}, directive("allow", "10.0.0.1", state=state))
    assert changed("http { server { deny all; } }", {"block": "server"}, directive("allow", "::1")) == "http { server { deny all; allow ::1; } }"


@pytest.mark.parametrize(
    ("outer", "new", "inner"),
    [
        ("add_header A 1;", ("add_header", "B", "2"), "add_header A 1; add_header B 2;"),
        ("add_header A 1; add_header_inherit merge;", ("add_header", "B", "2"), "add_header B 2;"),
        ("add_header A 1; add_header_inherit Off;", ("add_header", "B", "2"), "add_header B 2;"),
        ("error_page 404 /x; error_page 500 =200 /y;", ("error_page", "502", "/z"), "error_page 404 /x; error_page 500 =200 /y; error_page 502 /z;"),
        ("error_page 404 /x;", ("error_page", "404", "/z"), "error_page 404 /z;"),
        ("access_log /a;", ("access_log", "/b"), "access_log /a; access_log /b;"),
        ("access_log /a;", ("access_log", "off"), "access_log off;"),
        ("access_log off;", ("access_log", "/b"), "access_log /b;"),
        ("index a;", ("index", "b"), "index b;"),
        ("gzip_types a/b;", ("gzip_types", "c/d"), "gzip_types c/d;"),
        ("xslt_string_param a 1;", ("xslt_param", "a", "2"), "xslt_string_param a 1; xslt_param a 2;"),
        ("limit_req zone=a; limit_req burst=1 zone=b;", ("limit_req", "zone=b", "burst=9"), "limit_req zone=a; limit_req zone=b burst=9;"),
        ("fastcgi_param A 1; fastcgi_param a 2;", ("fastcgi_param", "a", "3"), "fastcgi_param A 1; fastcgi_param a 3;"),
        ("proxy_next_upstream error;", ("proxy_next_upstream", "timeout"), "proxy_next_upstream timeout;"),
        ("proxy_set_header A \"x y\";", ("proxy_set_header", "B", "1"), "proxy_set_header A \"x y\"; proxy_set_header B 1;"),
    ],
)
def test_how_a_first_directive_of_a_block_hands_on_the_outer_ones(outer, new, inner):
    main = f"http {{ {outer} server {{ location / {{ }} }} }}"
    assert changed(main, {"location": "/"}, directive(*new)) == main.replace("location / { }", f"location / {{ {inner} }}")


def test_a_page_that_shares_codes_with_an_inherited_one_is_refused():
    assert "some of its codes" in refusal("http { error_page 404 500 /x; server { } }", {"block": "server"}, directive("error_page", "500", "/y"))


def test_an_included_block_that_inherits_differently_is_refused():
    main = "http { server { add_header A 1; include l; }\n server { add_header B 1; include l; } }"
    said = refusal(main, {"file": "/etc/nginx/l", "line": 1}, directive("add_header", "C", "1"), matches={"l": ["l"]}, l="location / { }")
    assert "not the same in each place" in said
    files = configuration(main.replace("B", "A"), {"l": ["l"]}, l="location / { }")
    files.apply(edit.Context(file="/etc/nginx/l", line=1), directive("add_header", "C", "1"))
    assert files.files["/etc/nginx/l"].raw == b"location / { add_header A 1; add_header C 1; }"
    assert any("included in 2 places" in note for note in files.notes)


def test_a_directive_of_an_include_counts_as_one_of_its_block():
    files = configuration("http { proxy_set_header A 1;\n server { include h; } }", {"h": ["h"]}, h="proxy_set_header B 1;\n")
    files.apply(edit.Context(block="server"), directive("proxy_set_header", "C", "1"))
    assert files.changed() == {MAIN: b"http { proxy_set_header A 1;\n server { include h; proxy_set_header C 1; } }"}


def test_two_names_of_one_file_are_one_file():
    main = "http { include sites/*; }"
    reals = {"/etc/nginx/sites/a": "/etc/nginx/real", "/etc/nginx/sites/b": "/etc/nginx/real"}
    raws = {MAIN: main.encode(), "/etc/nginx/sites/a": b"server { }", "/etc/nginx/sites/b": b"server { }"}
    files = edit.Configuration(MAIN, raws, reals, {"/etc/nginx/sites/*": ["/etc/nginx/sites/a", "/etc/nginx/sites/b"]})
    files.apply(edit.Context(file="/etc/nginx/sites/b", line=1), TIMEOUT)
    assert files.changed() == {"/etc/nginx/real": b"server { proxy_read_timeout 120s; }"}
    assert "included in 2 places" in files.notes[0]


def test_a_file_that_includes_itself_is_read_once():
    files = configuration("http { include a; }", {"a": ["a"]}, a="include a;\nx 1;\n")
    files.apply(edit.Context(**HTTP), directive("x", "2"))
    assert files.files["/etc/nginx/a"].raw == b"include a;\nx 2;\n"


def test_blocks_that_are_nested_without_end_are_refused():
    with pytest.raises(edit.Refused):
        configuration("a { " * 3000 + "}" * 3000)


def test_the_main_level():
    assert changed("# c", {"block": "main"}, directive("user", "x")) == "# c\nuser x;"
    assert changed("", {"block": "main"}, directive("user", "x")) == "user x;\n"
    assert changed("events { }\r\n", {"block": "main"}, directive("user", "x")) == "events { }\r\nuser x;\r\n"
    assert changed("events { }", {"block": "main"}, directive("user", "x")) == "events { }\nuser x;"
    assert changed("events { }\nuser x;", {"block": "main"}, directive("user", state=edit.ABSENT)) == "events { }"


def test_a_statement_is_found_again_after_an_earlier_edit():
    before = "http {\n upstream u {\n  server a;\n  server b;\n }\n}\n"
    now = before.replace("  server a;", "  zone z;\n  server a;")
    files = configuration(now, originals={MAIN: before.encode()})
    files.apply(edit.Context(file=MAIN, line=2, expects="upstream u"), directive("server", "c", replaces=["b"], at=(MAIN, 4)))
    assert files.files[MAIN].raw.decode() == now.replace("server b", "server c")
    assert not files.apply(edit.Context(file=MAIN, line=2), directive("server", "c", replaces=["b"], at=(MAIN, 4)))
    assert files.apply(edit.Context(file=MAIN, line=2), directive("server", state=edit.ABSENT, at=(MAIN, 3)))
    assert not files.apply(edit.Context(file=MAIN, line=2), directive("server", state=edit.ABSENT, at=(MAIN, 3)))


def test_other_blocks_than_those_of_the_line_are_refused():
    files = configuration("http {\n server { }\n}\n", originals={MAIN: b"http {\n}\n"})
    with pytest.raises(edit.Refused):
        files.apply(edit.Context(file=MAIN, line=1), TIMEOUT)


def test_blocks_inside_that_do_not_get_it_are_said():
    files = configuration("http {\n server {\n proxy_read_timeout 5s;\n location / { } } }")
    files.apply(edit.Context(block="http"), TIMEOUT)
    (note,) = files.notes
    assert f"server at {MAIN}:2" in note and "1 block inside" in note
    files = configuration("http { server { listen 1; } }")
    files.apply(edit.Context(block="http"), TIMEOUT)
    assert files.notes == []
