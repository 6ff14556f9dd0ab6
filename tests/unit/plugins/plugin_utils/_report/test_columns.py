# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in the columns of a terminal."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns


def test_a_long_path_keeps_both_ends():
    assert columns.shorten("/etc/nginx/sites-enabled/customers/shop.example.conf:112", 30) == "/etc/ngin...p.example.conf:112"


@pytest.mark.parametrize("room", range(1, 40))
@pytest.mark.parametrize("shown", ["short", "/a/long/path/" * 9, "\u6f22" * 99, "a\u0301" * 99])
def test_shorten_and_wrap_keep_their_room(shown, room):
    assert columns.width(columns.shorten(shown, room)) <= room
    assert all(columns.width(line) <= max(room, 2) for line in columns.wrap(shown, room))


def test_wrap_loses_nothing():
    said = "a few words and one " + "x" * 50 + " in between"
    assert "".join(columns.wrap(said, 20)).replace(" ", "") == said.replace(" ", "")


def test_text_that_was_cut_shows_it():
    assert columns.clean("start" + " " * 10000 + "end", 40) == "start ... end"


def test_clean_is_bounded_before_it_looks():
    assert columns.width(columns.clean("\x1b" * 1_000_000, 40)) == 40


def test_names_that_do_not_fit_are_counted():
    assert columns.listed(["web1", "web2", "web3", "web4"], 13) == "web1, web2 and 2 more"
    assert columns.listed(["web1"], 1) == "web1"
    assert columns.listed([], 10) == ""


def test_a_quoted_string_is_one_word():
    assert columns.wrap_command("echo 'a b' \"c d\" e\\ f", 13) == ["echo 'a b' \\", "\"c d\" e\\ f"]
