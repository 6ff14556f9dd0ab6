# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees: exact words, errors with what stands before them, and the comparison of two readers."""

from __future__ import annotations

import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import _crossplane, tree


def test_words_are_those_that_nginx_sees():
    parsed = tree.parse(b'a "x\\ty" \'it\\\'s\' ${port} b;\nlocation ~ "^/[a-z]{2}$" { return 200 "#top"; } # note\n')
    first, second = parsed.nodes
    assert (first.name, first.args, first.line, first.block) == ("a", ("x\ty", "it's", "${port}", "b"), 1, None)
    assert (second.args, second.line) == (("~", "^/[a-z]{2}$"), 2)
    assert second.block[0].args == ("200", "#top")
    assert parsed.errors == ()


def test_a_broken_file_keeps_what_stands_before_the_error():
    parsed = tree.parse(b"user www;\nhttp {\n server {\n  listen 80\n }\n}\n")
    assert [node.name for node in parsed.nodes] == ["user", "http"]
    assert parsed.errors[0].line == 5 and parsed.errors[0].text == 'unexpected "}"'
    assert parsed.agreed is False


def test_bytes_that_are_not_utf8_are_shown():
    (node,) = tree.parse(b"server_name caf\xe9.example;").nodes
    assert node.args == ("caf\\xe9.example",)


def test_equal_files_are_parsed_once():
    assert tree.parse(b"worker_processes 3;") is tree.parse(bytes(bytearray(b"worker_processes 3;")))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"# only a comment",
        b"events {}\nhttp { server { listen 80; location / { proxy_pass http://a; } } }\n",
        b"listen ${PORT} default_server;",
        b'if ($a = "x y") { return 403; }',
        b"server_name caf\xe9;",
        b"location ~ \\.php$ {\n\n fastcgi_pass unix:/run/x.sock;\n}\n",
        b"content_by_lua_block { local a = {1} }\nlisten 80;",
        b"a 'one\ntwo'\n b;\nc d;",
    ],
)
def test_two_readers_agree(raw):
    assert tree.parse(raw).agreed is True


@pytest.mark.parametrize(
    "raw",
    [
        b"# off\rproxy_pass http://x;\n",  # a lone CR: all of it is a comment for nginx
        b"a b\xc2\xa0c;",  # a no-break space belongs to the word
        b"location ~ a}b { return 200; }",
        b"a { b; ",
        b"x" * 5000 + b";",
    ],
)
def test_two_readers_differ(raw):
    assert tree.parse(raw).agreed is False


def test_deep_nesting_is_an_error_and_no_crash():
    depth = 20_000
    parsed = tree.parse(b"a {" * depth + b"}" * depth)
    assert "nested more than" in parsed.errors[0].text
    assert parsed.agreed is False


def test_the_missing_library_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(_crossplane, "crossplane", None)
    assert not _crossplane.available()
    with pytest.raises(_crossplane.MissingLibrary, match="python3 -m pip install crossplane"):
        tree.parse(b"only_here on;").agreed  # pylint: disable=expression-not-assigned


def test_a_thousand_equal_files_cost_one():
    raw = b"server { listen 80; location / { proxy_pass http://127.0.0.1:1; } }\n" * 2000
    tree.parse(raw)
    started = time.process_time()
    for _index in range(1000):
        tree.parse(raw)
    assert time.process_time() - started < 1.0
