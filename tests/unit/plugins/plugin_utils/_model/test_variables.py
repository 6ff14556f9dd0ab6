# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables: all values that are written down, and a reason where one is not."""

from __future__ import annotations

import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import variables


@pytest.fixture(name="scope_of")
def _scope_of(load):
    def scope_of(outside, inside="", others="", fixed=None):
        (block,) = load(f"http {{\n{outside}\nserver {{\n{inside}\n{others}\n}} }}").blocks("http")
        (server,) = block.named("server")
        own = tuple(item for item in server.block if item.name != "location")
        return variables.Scope(variables.definitions_of(block), (own,), tuple(server.named("location")), fixed or {})

    return scope_of


def texts(scope, word):
    return [value.text for value in scope.values(word)]


def test_a_word_without_variables_is_itself(scope_of):
    assert texts(scope_of(""), "http://127.0.0.1:1/") == ["http://127.0.0.1:1/"]
    assert texts(scope_of(""), "") == [""]


def test_set_in_order(scope_of):
    assert texts(scope_of("", "set $a one; set $a two;"), "x-${a}-y") == ["x-two-y"]
    assert texts(scope_of("", "set $a one; if ($x) { set $a two; }"), "$a") == ["one", "two"]
    assert texts(scope_of("", "set $host_part app; set $target http://$host_part:80;"), "$target") == ["http://app:80"]


def test_set_elsewhere_counts_when_nothing_nearer_sets_it(scope_of):
    assert texts(scope_of("", "", "location / { set $a here; } location /b { location /b/c { if ($z) { set $a there; } } }"), "$a") == ["here", "there"]


def test_all_branches_of_a_map_with_their_places(scope_of):
    scope = scope_of("map $http_x $up {\n hostnames;\n default a:1;\n x b:2;\n ~y b:2;\n z '';\n}")
    assert [(value.text, value.at.line) for value in scope.values("$up")] == [("a:1", 4), ("b:2", 5), ("b:2", 6)]


def test_a_map_of_a_constant_takes_its_branch(scope_of):
    assert texts(scope_of("map $server_name $up { default a; shop.example b; }", fixed={"server_name": ("shop.example",)}), "$up") == ["b"]


def test_geo_and_split_clients(scope_of):
    scope = scope_of("geo $g { ranges; default one; 10.0.0.0-10.0.0.9 $two; } geo $remote_addr $h { default h; } split_clients $x $s { 10% a; * b; }")
    assert texts(scope, "$g") == ["one", "$two"]
    assert texts(scope, "$h$s") == ["ha", "hb"]


@pytest.mark.parametrize("word", ["$http_x", "${arg_y}", "$1", "a$host"])
def test_what_only_a_request_tells_is_unknown(scope_of, word):
    (value,) = scope_of("").values(word)
    assert value.text is None
    assert value.unknown[0].why == "only a request tells its value"


def test_a_branch_that_is_unknown_does_not_hide_the_others(scope_of):
    values = scope_of("map $x $up { default $http_y; a b; }").values("$up")
    assert [value.text for value in values] == [None, "b"]


def test_circles_depth_and_number_are_bounded(scope_of):
    assert scope_of("", "set $a $b; set $b $a;").values("$a")[0].unknown[0].why == "it is defined by itself"
    chain = "".join(f"map $x $v{n} {{ default $v{n + 1}; }}" for n in range(500))
    assert "through more than" in scope_of(chain).values("$v0")[0].unknown[0].why
    many = "map $x $m { " + "".join(f"k{n} v{n}; " for n in range(2000)) + "}"
    assert "more than" in scope_of(many).values("$m")[0].unknown[0].why


def test_maps_of_maps_take_no_time(scope_of):
    rows = "".join(f"k{n} $v1$v2$v3; " for n in range(60))
    blocks = "".join(f"map $x $v{n} {{ {rows.replace('$v1', f'$v{n + 1}').replace('$v2', f'$v{n + 2}').replace('$v3', f'$v{n + 3}')} }}" for n in range(30))
    scope = scope_of(blocks)
    started = time.process_time()
    assert scope.values("$v0")
    assert time.process_time() - started < 1.0
