# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's tokenizer, ported: what it reads, where, and where it stops. The expectations are recorded from nginx 1.22.1."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text


def error(raw):
    found = nginx_text.read(raw).error
    return None if found is None else (found.text, found.line)


def words(raw):
    return [[word.value for word in statement.words] for statement, _parents in nginx_text.read(raw).walk()]


@pytest.mark.parametrize("raw, expected", [
    (b"a b;", [[b"a", b"b"]]),
    (b"a\tb\r\nc;", [[b"a", b"b", b"c"]]),
    (b"a b#c;", [[b"a", b"b#c"]]),
    (b"a b}c;", [[b"a", b"b}c"]]),
    (b"location ~ a}b { }", [[b"location", b"~", b"a}b"]]),
    (b"listen ${PORT} default_server;", [[b"listen", b"${PORT}", b"default_server"]]),
    (b"a ${{x;", [[b"a", b"${{x"]]),
    (b"a x{ }", [[b"a", b"x"]]),
    (b'a "x;{}#" \'y "z"\';', [[b"a", b"x;{}#", b'y "z"']]),
    (b'a "x\\\\y" "\\t\\n\\r" \'it\\\'s\' "\\q";', [[b"a", b"x\\y", b"\t\n\r", b"it's", b"\\q"]]),
    (b"a b\\ c\\;d;", [[b"a", b"b\\ c\\;d"]]),
    (b'if ($a = "x y") { }', [[b"if", b"($a", b"=", b"x y", b")"]]),
    (b'a "";', [[b"a", b""]]),
    (b"a \xc2\xa0b\x0bc \xff;", [[b"a", b"\xc2\xa0b\x0bc", b"\xff"]]),
    (b"\xef\xbb\xbfuser x;", [[b"\xef\xbb\xbfuser", b"x"]]),
    (b'a b"c" d\'e;', [[b"a", b'b"c"', b"d'e"]]),
    (b"# off\rproxy_pass http://x;", []),
])
def test_reads_words_as_nginx_does(raw, expected):
    assert error(raw) is None
    assert words(raw) == expected


@pytest.mark.parametrize("raw, expected", [
    (b"a b", ('unexpected end of file, expecting ";" or "}"', 1)),
    (b"a {\n b;\n", ('unexpected end of file, expecting "}"', 3)),
    (b'a "b\n;\n', ('unexpected end of file, expecting ";" or "}"', 3)),
    (b"a b\\", ('unexpected end of file, expecting ";" or "}"', 1)),
    (b'a "b"c;', ('unexpected "c"', 1)),
    (b'a "b"}', ('unexpected "}"', 1)),
    (b"}\n", ('unexpected "}"', 1)),
    (b"a {\n b }", ('unexpected "}"', 2)),
    (b";", ('unexpected ";"', 1)),
    (b"a;\n\n{", ('unexpected "{"', 3)),
    (b"location ~ ^/[a-z]{2}/x { }\n", ('unexpected end of file, expecting "}"', 2)),
    (b"a " + b"x" * 4095 + b";", None),
    (b"a " + b"x" * 4095 + b" b;", ('too long parameter "xxxxxxxxxx..." started', 1)),
    (b"a " + b"x" * 4096 + b";", ('too long parameter "xxxxxxxxxx..." started', 1)),
    (b'a "' + b"x" * 5000 + b'";', ('too long parameter, probably missing terminating """ character', 1)),
    (b"a\n'" + b"x\n" * 5000 + b"';", ("too long parameter, probably missing terminating \"'\" character", 2)),
    (b"#" + b"x" * 5000 + b"\na;", ('too long parameter "#xxxxxxxxx..." started', 1)),
])
def test_stops_where_nginx_stops(raw, expected):
    assert error(raw) == expected


def test_places():
    raw = b'a {\n  b "c\nd" # e\n  f;\n}\n'
    text = nginx_text.read(raw)
    outer, inner = [statement for statement, _parents in text.walk()]
    assert (outer.line, outer.end_line, outer.block, raw[outer.close:outer.close + 1], outer.end) == (1, 1, [inner], b"}", len(raw) - 1)
    assert (inner.line, inner.end_line, inner.terminator, raw[inner.at:inner.at + 1]) == (2, 4, ";", b";")
    assert [raw[word.start:word.end] for word in inner.words] == [b"b", b'"c\nd"', b"f"]
    assert [word.line for word in inner.words] == [2, 2, 4]
    assert [(raw[comment.start:comment.end], comment.line) for comment in text.comments] == [(b"# e", 3)]


def test_what_stands_before_an_error_is_there():
    text = nginx_text.read(b"a b;\nc {\n d e;\n f")
    assert [statement.name for statement, _parents in text.walk()] == [b"a", b"c", b"d"]
    assert [word.value for word in text.dangling] == [b"f"]
    assert text.statements[1].close is None


@pytest.mark.parametrize("body", [
    b' local x = "}" ', b" -- }\n ", b" --[[ } ]] ", b" x = [==[ }]]} ]==] ", b" if a then { {} } end ", b" x = '\\'}' ",
])
def test_lua_is_opaque(body):
    raw = b"content_by_lua_block{" + body + b"}\nlisten 80;"
    text = nginx_text.read(raw)
    assert text.error is None
    assert [statement.name for statement in text.statements] == [b"content_by_lua_block", b"listen"]
    assert raw[slice(*text.statements[0].code)] == body
    assert text.statements[1].line == raw.count(b"\n") + 1


def test_lua_without_an_end():
    assert error(b"content_by_lua_block {\n x = 1\n")[0] == "unexpected end of file, expecting terminating characters for lua code block"
    assert 'closing long bracket "]=]"' in error(b"content_by_lua_block {\n [=[ }\n")[0]


def test_deep_nesting_is_no_matter():
    text = nginx_text.read(b"a {" * 5000 + b"}" * 5000)
    assert text.error is None
    assert sum(1 for _item in text.walk()) == 5000
