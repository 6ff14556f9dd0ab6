# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""response-header-too-big and upstream-timeout, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NOW, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
GROUP = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)


def world(*tries, directives="", **options) -> World:
    host = World().site(f"location / {{ proxy_pass http://{TCP}; {directives} }}", **options).service("shop.service", TCP)
    return host.reply(TCP, *tries) if tries else host


def one(rule, certainty="proven", at=SHOP, kind="cause"):
    return [(rule, kind, certainty, TCP, at)]


TOO_BIG = "response-header-too-big"
TIMEOUT = "upstream-timeout"


@pytest.mark.parametrize(
    ("size", "directives", "fits"),
    [
        (4096, "", True),
        (4097, "", False),
        (8192, "proxy_buffer_size 8k;", True),
        (8193, "proxy_buffer_size 8k;", False),
        (4097, "proxy_buffers 8 64k;", False),
        (1025, "proxy_buffer_size 1024;", False),
        (16000, "proxy_buffer_size 16k;", True),
    ],
)
def test_the_header_against_the_buffer_in_force(size, directives, fits):
    result = world({"header_bytes": size}, directives=directives).judge()
    assert verdict(result) == ([] if fits else one(TOO_BIG))
    assert unknowns(result) == []


@pytest.mark.parametrize(
    ("size", "safety", "summary"),
    [
        (4097, "safe", "In location /: proxy_buffer_size 8k; proxy_buffers 4 8k;"),
        (32768, "safe", "In location /: proxy_buffer_size 32k; proxy_buffers 4 32k;"),
        (32769, "manual", "Shrink the header in the application: it is larger than any sensible buffer."),
    ],
)
def test_the_fix_is_coherent_and_has_a_ceiling(size, safety, summary):
    (finding,) = world({"header_bytes": size}).judge().findings
    assert (finding.fix.safety, finding.fix.summary) == (safety, summary)


def test_the_buffer_of_the_family_counts():
    php = "unix:/run/php/php8.2-fpm.sock"
    host = World().site(f"location / {{ fastcgi_pass {php}; proxy_buffer_size 64k; }}").pool(php).reply(php, {"header_bytes": 5000})
    assert verdict(host.judge()) == [(TOO_BIG, "cause", "proven", php, SHOP)]


def test_the_log_alone_makes_it_likely():
    assert verdict(world().logged(TCP, "header-too-big").judge()) == one(TOO_BIG, "likely")


def test_a_log_from_before_the_buffer_was_raised_makes_nothing():
    host = world(directives="proxy_buffer_size 16k;", mtime=LOADED - 60).logged(TCP, "header-too-big", last=LOADED - 3000, pids=(77,))
    result = host.judge()
    assert (verdict(result), unknowns(result), len(result.recovered)) == ([], [], 1)


def test_a_log_of_former_workers_under_the_same_files_still_counts():
    host = world(mtime=LOADED - 9000).file("/etc/nginx/nginx.conf", "user www-data; http { include /etc/nginx/sites-enabled/*; }", mtime=LOADED - 9000)
    assert verdict(host.logged(TCP, "header-too-big", last=LOADED - 60, pids=(77,)).judge()) == one(TOO_BIG, "likely")


@pytest.mark.parametrize(("what", "directive"), [("header-too-big", "proxy_buffer_size 16k;"), ("read-timeout", "proxy_read_timeout 300s;")])
def test_a_value_that_the_workers_have_not_read_is_not_blamed(what, directive):
    result = world(directives=directive, mtime=NOW - 300).logged(TCP, what).judge()
    assert [item[:2] for item in verdict(result)] == [("reload-pending", "risk")]
    assert unknowns(result) == [("unexplained", TCP, "open")]


def test_nginx_does_not_go_on_from_a_header_that_is_too_big():
    host = World().passes("http://shop", outside=GROUP).service("a.service", TCP).service("b.service", "127.0.0.1:3001").reply(TCP, {"header_bytes": 5000})
    assert [item[:2] for item in verdict(host.judge())] == [(TOO_BIG, "cause")]


def test_nginx_goes_on_where_it_is_told_to():
    site = "location / { proxy_pass http://shop; proxy_next_upstream error invalid_header; }"
    host = World().site(site, outside=GROUP).service("a.service", TCP).service("b.service", "127.0.0.1:3001").reply(TCP, {"header_bytes": 5000})
    assert [item[:2] for item in verdict(host.judge())] == [(TOO_BIG, "risk")]
    host.reply("127.0.0.1:3001", {"header_bytes": 5000})
    assert [item[:2] for item in verdict(host.judge())] == [(TOO_BIG, "cause")] * 2


@pytest.mark.parametrize(
    ("tried", "limit", "fits"),
    [
        ({"seconds": 1.0}, "1s", True),
        ({"seconds": 1.01}, "1s", False),
        ({"status": "timeout", "code": None, "seconds": 1.5}, "1s", False),
        ({"seconds": 4.0}, "1m", True),
        ({"seconds": 0.3}, "500ms", True),
        ({"seconds": 0.6}, "500ms", False),
    ],
)
def test_the_answer_against_the_timeout_in_force(tried, limit, fits):
    result = world(tried, directives=f"proxy_read_timeout {limit};").judge()
    assert verdict(result) == ([] if fits else one(TIMEOUT))
    assert unknowns(result) == []


def test_a_slow_answer_within_a_long_timeout_is_silent():
    assert verdict(world({"seconds": 9.5}).judge()) == []


def test_the_log_alone_makes_a_timeout_likely():
    result = world().logged(TCP, "read-timeout", path="/report").judge()
    assert verdict(result) == one(TIMEOUT, "likely")
    assert result.findings[0].alternatives == ("backend-workers-exhausted", "backend-overloaded")
    assert ("error log, paths", "/report") in [(item.from_, item.shows) for item in result.findings[0].evidence]


def test_a_timeout_while_connecting_is_another_fault():
    result = World().passes("http://10.0.0.9:80").reply("10.0.0.9:80", connect="timeout").judge()
    assert [item[:3] for item in verdict(result)] == [("firewall-blocked", "cause", "possible")]


def test_nginx_goes_on_from_a_timeout_to_a_peer_that_answers():
    site = "location / { proxy_pass http://shop; proxy_read_timeout 1s; }"
    host = World().site(site, outside=GROUP).service("a.service", TCP).service("b.service", "127.0.0.1:3001").reply(TCP, {"seconds": 1.4})
    assert [item[:2] for item in verdict(host.judge())] == [(TIMEOUT, "risk")]
    host.reply("127.0.0.1:3001", {"seconds": 1.4})
    assert [item[:2] for item in verdict(host.judge())] == [(TIMEOUT, "cause")] * 2


def test_the_path_of_a_location_does_not_reach_a_shell():
    host = (
        World()
        .site("location '/a;reboot $(id)' { proxy_pass http://127.0.0.1:3000; proxy_read_timeout 1s; }")
        .service("shop.service", TCP)
        .reply(TCP, {"seconds": 1.4})
    )
    (finding,) = host.judge().findings
    assert finding.next == "curl -so /dev/null -w '%{time_starttransfer} s\\n' 'http://127.0.0.1:3000/a;reboot $(id)'"
