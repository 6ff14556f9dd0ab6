# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the access logs add to a verdict: how many requests failed, and that a backend's own 502 is not nginx's."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns

TCP = "127.0.0.1:3000"


def evidence_of(world: World) -> list[str]:
    return [item.shows for finding in world.judge().of_kind("cause") for item in finding.evidence if item.from_ == "access log"]


def down() -> World:
    """A site whose backend does not run."""
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive")
    return world.logged(TCP)


def opened(world: World) -> list[str]:
    return [item.why for item in world.judge().unknown if item.id == "unexplained"]


def test_a_cause_tells_how_many_requests_failed():
    world = down().visited(502, TCP, count=7, total=100)
    (shown,) = evidence_of(world)
    assert shown.startswith("7 requests ended with 502, of 100 from 2023-11-14")


@pytest.mark.parametrize("change", [
    {"upstream": "127.0.0.1:4000"}, {"server": "other.example", "upstream": "127.0.0.1:9"}, {"last": NOW - 90000},
])
def test_requests_of_others_are_left_out(change):
    assert evidence_of(down().visited(502, **{"upstream": TCP, "last": NOW - 60, **change})) == []


def test_a_format_without_the_upstream_counts_for_the_route():
    world = down().visited(502, "", made_by="", count=1)
    assert evidence_of(world)[0].startswith("1 request ended with 502")


def test_a_shared_log_that_does_not_name_the_server_counts_for_none():
    world = down().passes("http://127.0.0.1:4000", name="other").service("other.service", "127.0.0.1:4000")
    assert evidence_of(world.visited(502, "", host="")) == []
    assert len(evidence_of(world.visited(502, "", host="shop.example"))) == 1


def test_the_answer_of_the_backend_itself_is_said_and_not_blamed_on_nginx():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP).visited(502, TCP, made_by="backend", count=3)
    result = world.judge()
    assert not result.of_kind("cause")
    (why,) = opened(world)
    assert why.startswith("the backend itself answered 502 3 times (/), last 2023-11-14") and f"look at what is behind {TCP}" in why
    assert unknowns(result) == [("unexplained", TCP, "open")]


@pytest.mark.parametrize("options", [{"made_by": "nginx"}, {"made_by": ""}, {"made_by": "backend", "status": 500}])
def test_what_is_not_known_to_be_the_backends_is_not_said_to_be(options):
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    world.visited(**{"status": 502, "upstream": TCP, **options})
    assert opened(world) == []


@pytest.mark.parametrize("code, said", [(502, True), (503, True), (504, True), (200, False), (500, False), (404, False)])
def test_a_probe_that_is_answered_so(code, said):
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    world.reply(TCP, {"code": code})
    assert [why.split(";")[0] for why in opened(world)] == ([f"the backend itself answers {code} to /"] if said else [])


def test_a_log_that_shows_nothing_is_said_and_is_no_failure():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    world.log["unseen"].append({"path": "/dev/null", "why": "nothing that is written there is kept"})
    result = world.judge()
    assert (result.status, unknowns(result)) == ("diagnosed", [("error log", "/dev/null", "absent")])


def test_records_that_are_not_known_are_said():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    world.log["unrecognised"] = {"count": 12, "samples": ["2026/11/22 10:27:08 [error] 5#5: *1 upstream did \x1b[31mthis"]}
    result = world.judge()
    (item,) = result.unknown
    assert (result.status, item.id, item.status) == ("diagnosed", "error log", "not recognised")
    assert item.why == "12 records about an upstream that this version does not know, such as 2026/11/22 10:27:08 [error] 5#5: *1 upstream did \\x1b[31mthis"


def test_a_pending_route_is_no_risk_where_the_log_cannot_be_seen():
    world = World().passes("http://127.0.0.1:3999", mtime=NOW - 60).unit("shop.service", TCP, active="inactive")
    assert not world.judge().of_kind("cause")
    world.log["unseen"].append({"path": "/dev/null", "why": "nothing that is written there is kept"})
    assert world.judge().of_kind("cause")
