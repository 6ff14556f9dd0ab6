# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of subrequests: nginx notes the request's own path with them, and another location took them."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

TCP = "127.0.0.1:3000"
LINES = (
    f"location / {{ auth_request /_session; proxy_pass http://{TCP}; }}",
    f"location = /_session {{ internal; proxy_read_timeout 1s; proxy_pass http://{TCP}/check; }}",
)


def findings(**more):
    world = World().site(*LINES).service("shop.service", TCP)
    return world.logged(TCP, "read-timeout", count=2, path="/orders", **more).judge().findings


def test_the_location_of_the_subrequest_is_too_slow():
    (found,) = findings(detail={"subrequest": "/_session"})
    assert found.id == "upstream-timeout" and found.route["location"] == "= /_session"
    assert "waits 1 s" in found.says


def test_the_location_of_the_request_is_too_slow():
    (found,) = findings()
    assert found.id == "upstream-timeout" and found.route["location"] == "/"
    assert "waits 60 s" in found.says


def test_a_subrequest_of_no_known_place_is_about_all_that_have_the_peer():
    host = World().site(*LINES).service("shop.service", TCP).logged(TCP, "read-timeout", server="_", path="/", detail={"subrequest": "/_session"})
    assert {item[0] for item in verdict(host.judge())} == {"upstream-timeout"}
