# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""response-header-invalid, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NOW, World, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
RULE = "response-header-invalid"
REFUSED = {"status": "invalid", "code": 200, "why": 'the header name "X Trace" holds a space; nginx 1.21.1 and later refuse that'}
NO_HTTP = {"status": "invalid", "code": None, "header_bytes": None, "why": "the answer does not begin with an HTTP status line"}


def world(target: str = f"http://{TCP}", **more) -> World:
    return World().passes(target).service("shop.service", TCP, **more)


@pytest.mark.parametrize("target", [f"http://{TCP}", f"https://{TCP}", f"fastcgi_pass {TCP}", f"uwsgi_pass {TCP}", f"scgi_pass {TCP}"])
def test_every_family(target):
    result = world(target).reply(TCP, REFUSED).judge()
    assert verdict(result) == [(RULE, "cause", "proven", TCP, SHOP)]
    finding = result.findings[0]
    assert 'X Trace' in finding.says and (finding.fix.remedy, finding.fix.safety) == (None, "manual")


def test_an_nginx_of_unknown_version_may_be_less_strict():
    host = world().reply(TCP, REFUSED)
    host.instance["build"]["value"]["version"] = ""
    assert verdict(host.judge())[0][2] == "likely"


def test_a_broken_status_line():
    result = world().reply(TCP, {**NO_HTTP, "start": "HTTP/1.1 OK\\x0d\\x0a"}).judge()
    assert verdict(result) == [(RULE, "cause", "proven", TCP, SHOP)]
    assert "hands the bytes on" in result.findings[0].says


def test_a_server_that_says_the_same_whatever_it_is_asked_does_not_speak_scgi():
    broken = {**NO_HTTP, "start": "HTTP/1.1 OK\\x0d\\x0a"}
    others = {"speak": "https", "status": "not-tls", "code": None, "start": broken["start"]}, {"speak": "scgi", "start": broken["start"]}
    result = world().reply(TCP, broken, *others).judge()
    assert verdict(result) == [(RULE, "cause", "proven", TCP, SHOP)]


def test_what_is_not_http_at_all_is_something_else():
    result = world().reply(TCP, {**NO_HTTP, "start": "SSH-2.0-OpenSSH_9.2"}).judge()
    assert [item[0] for item in verdict(result)] == ["gateway-protocol-mismatch"]


def test_another_peer_takes_over_only_where_nginx_is_told_to():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    for lines, kind in (((), "cause"), (("proxy_next_upstream error invalid_header;",), "risk")):
        host = World().site("location / {", "proxy_pass http://shop;", *lines, "}", outside=group)
        host.service("one.service", TCP).service("two.service", "127.0.0.1:3001").reply(TCP, REFUSED)
        assert [item[:3] for item in verdict(host.judge())] == [(RULE, kind, "proven")]


def test_records_of_another_path():
    result = world().logged(TCP, "header-invalid", path="/report").judge()
    assert verdict(result) == [(RULE, "cause", "likely", TCP, SHOP)]
    assert "/report" in " ".join(item.shows for item in result.findings[0].evidence)


def test_records_of_the_path_that_is_answered_now_are_over():
    assert verdict(world().logged(TCP, "header-invalid", path="/").judge()) == []


def test_records_of_an_earlier_life_of_the_backend_are_over():
    assert verdict(world(started=NOW - 30).logged(TCP, "header-invalid", path="/report", last=NOW - 60).judge()) == []


def test_records_of_an_earlier_configuration_are_over():
    host = World().passes(f"http://{TCP}", mtime=LOADED - 60).service("shop.service", TCP, started=LOADED - 9000)
    assert verdict(host.logged(TCP, "header-invalid", path="/report", last=LOADED - 600).judge()) == []
