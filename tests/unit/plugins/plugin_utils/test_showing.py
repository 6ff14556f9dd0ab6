# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How evidence is put into words."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _show
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


@pytest.mark.parametrize(("count", "words"), [(1, "once"), (2, "2 times"), (0, "0 times")])
def test_times(count, words):
    assert _show.times(count) == words


@pytest.mark.parametrize(("seconds", "words"), [(None, "at an unknown time"), (0.0, "at an unknown time"), (1_700_000_000.9, "2023-11-14 22:13:20 UTC")])
def test_clock(seconds, words):
    assert _show.clock(seconds) == words


def test_words_of_a_host_stay_on_one_line_and_are_cut():
    assert _show.quote("a\nb\x1b[2J\u202e") == "a\\x0ab\\x1b[2J\\u202e"
    assert len(_show.quote("x" * 1000)) == 160


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        ({"status": "ok", "code": 200, "seconds": 0.012, "header_bytes": 321}, "answered 200 in 0.01 s with a header of 321 bytes"),
        ({"status": "ok", "code": None, "seconds": None, "header_bytes": None}, "answered"),
        ({"status": "closed", "why": ""}, "closed"),
        ({"status": "tls-alert", "why": "alert 40"}, "alert 40"),
    ],
)
def test_a_try(attempt, words):
    assert _show.show_try(attempt) == words


def shown(world: World) -> list[tuple[str, str]]:
    (finding,) = world.judge().findings
    return [(item.from_, item.shows) for item in finding.evidence]


def test_a_missing_listener_is_shown_with_who_should_be_there():
    world = (
        World()
        .passes("http://127.0.0.1:3000")
        .unit("shop.service", "127.0.0.1:3000", active="inactive", source="Environment")
        .logged("127.0.0.1:3000", count=1)
    )
    assert shown(world) == [
        ("/etc/nginx/sites-enabled/shop:3", "proxy_pass http://127.0.0.1:3000"),
        ("listening sockets", "nothing listens on 127.0.0.1:3000"),
        ("probe as www-data", "connect to 127.0.0.1:3000: Connection refused"),
        ("Environment", "systemd unit shop.service is to listen on 127.0.0.1:3000"),
        ("systemctl show shop.service", "systemd unit shop.service: inactive (dead), enabled"),
        ("error log", "connect() failed (111) while connecting to upstream: once, last 2023-11-14 22:12:20 UTC"),
    ]


def test_a_missing_path_is_shown_from_its_first_missing_part():
    world = World().passes("http://unix:/run/shop/app.sock").missing("/run/shop/app.sock", "/run/shop")
    assert ("path walk", "/run/shop does not exist for nginx") in shown(world)


def test_where_the_backend_listens_and_that_it_answers():
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3001", pid=77)
    assert ("listening sockets", "127.0.0.1:3001 by node (pid 77, shop.service)") in shown(world)
    assert ("probe of 127.0.0.1:3001", "http: answered 200 in 0.01 s with a header of 180 bytes") in shown(world)
