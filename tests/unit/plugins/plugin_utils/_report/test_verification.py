# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Better, the same or worse."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge, _requests
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, terminal, verification, verification_terminal
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World

SHOP, API = "127.0.0.1:3000", "127.0.0.1:4000"
ROUTE = {"listen": "*:80", "server": "shop.example", "location": "/", "pass": "", "endpoint": SHOP}
NAMED = [{"id": "backend-not-running", "kind": "cause", "routes": [ROUTE]}]


def bundle(shop: bool = True, api: bool = True, nginx: bool = True) -> dict:
    """Return the evidence of a host with two routes, whose backends run or not."""
    world = World().site(f"location / {{ proxy_pass http://{SHOP}; }}", f"location /api/ {{ proxy_pass http://{API}; }}")
    for name, endpoint, there in (("shop.service", SHOP, shop), ("api.service", API, api)):
        if there:
            world.service(name, endpoint)
        else:
            world.unit(name, endpoint, active="inactive")
    return (world if nginx else world.stopped()).bundle()


def asked(shop: object = 200, api: object = 200, nginx: bool = True) -> dict:
    """Return what the requests got: a status, or a reason for none; None where nothing was sent."""
    entries = _requests.chosen(bundle(nginx=nginx), "", "GET", 10.0)
    assert [entry["route"]["location"] for entry in entries] == ["/", "/api/"]
    for entry, got in zip(entries, (shop, api)):
        if isinstance(got, str):
            entry["answer"] = {"status": got, "code": 0, "seconds": 0.1, "why": f"it was {got}"}
        elif got:
            entry["answer"] = {"status": "ok", "code": got, "seconds": 0.1, "why": ""}
    return _requests.new("web1", routes=entries)


def verdict(old: dict, fresh: dict, before: dict | None, after: dict | None, findings: list[dict] | None = None) -> dict:
    part = document.host_of(_judge.judge(old))
    return verification.compare("web1", part, old, fresh, (before, after), findings)


def test_a_cause_that_is_gone_is_better():
    found = verdict(bundle(shop=False), bundle(), asked(502), asked(200), NAMED)
    assert (found["verdict"], found["failed"], found["why"]) == ("better", False, [])
    assert (found["gone"], found["standing"], found["new"]) == (["backend-not-running"], [], [])
    assert [(item["before"], item["after"], item["affected"], item["bad"]) for item in found["routes"]] == [
        ("502", "200", True, False),
        ("200", "200", False, False),
    ]


def test_every_cause_of_the_report_is_looked_at_where_none_is_named():
    found = verdict(bundle(shop=False, api=False), bundle(api=False), asked(502, 502), asked(200, 502))
    assert (found["verdict"], found["failed"]) == ("better", True)
    assert found["standing"] == ["backend-not-running"]
    assert found["why"][-1] == "*:80 shop.example /api/ gets 502"


def test_what_was_not_to_be_put_right_may_stand():
    found = verdict(bundle(shop=False, api=False), bundle(api=False), asked(502, 502), asked(200, 502), NAMED)
    assert (found["verdict"], found["failed"]) == ("better", False)


def test_what_the_logs_tell_of_before_is_no_new_cause():
    """While it was down, that was the cause; now that it runs, the log has its end left, which is told as a crash."""
    world = World().site(f"location / {{ proxy_pass http://{SHOP}; }}", f"location /api/ {{ proxy_pass http://{API}; }}")
    world.service("shop.service", SHOP).service("api.service", API).logged(SHOP, "connect-refused", count=1, last=NOW - 60, moments=[NOW - 60])
    world.ended("shop.service", "exit", by="systemd", code=1, at=(NOW - 60.5,))
    fresh = world.bundle()
    assert [(item.id, item.certainty) for item in _judge.judge(fresh).findings if item.kind == "cause"] == [("backend-crashed", "likely")]
    found = verdict(bundle(shop=False), fresh, asked(502), asked(200), NAMED)
    assert (found["verdict"], found["failed"], found["new"]) == ("better", False, [])


@pytest.mark.parametrize(("got", "left"), [(200, []), (502, ["backend-crashed"])])
def test_a_cause_that_only_the_logs_still_tell_is_gone_where_the_route_gives_good_answers(got, left):
    world = World().site(f"location / {{ proxy_pass http://{SHOP}; }}", f"location /api/ {{ proxy_pass http://{API}; }}")
    world.service("shop.service", SHOP).service("api.service", API).logged(SHOP, "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    world.ended("shop.service", "exit", by="systemd", code=1, at=(NOW - 60.5,))
    named = [{"id": "backend-crashed", "kind": "cause", "routes": [ROUTE]}]
    assert verdict(bundle(shop=False), world.bundle(), asked(502), asked(got), named)["standing"] == left


def test_a_cause_that_stands_fails():
    found = verdict(bundle(shop=False), bundle(shop=False), asked(502), asked(502), NAMED)
    assert (found["verdict"], found["failed"], found["standing"]) == ("same", True, ["backend-not-running"])
    assert found["why"][0].startswith("backend-not-running is still there: Nothing listens on 127.0.0.1:3000")
    assert found["why"][1] == "*:80 shop.example / gets 502"


@pytest.mark.parametrize("got", [500, 503, 504, "refused", "timeout", "closed"])
def test_another_bad_answer_is_not_better(got):
    found = verdict(bundle(shop=False), bundle(), asked(502), asked(got), NAMED)
    assert (found["verdict"], found["failed"]) == ("same", True)
    assert found["why"] == [f"*:80 shop.example / gets {got if isinstance(got, int) else f'no answer (it was {got})'}"]


def test_an_answer_of_the_application_is_good():
    for code in (101, 204, 301, 401, 404, 426):
        assert not verdict(bundle(shop=False), bundle(), asked(502), asked(code), NAMED)["failed"]


def test_a_new_cause_is_worse():
    found = verdict(bundle(shop=False), bundle(api=False), asked(502), asked(200, 502), NAMED)
    assert (found["verdict"], found["failed"], found["new"], found["gone"]) == ("worse", True, ["backend-not-running"], ["backend-not-running"])
    assert found["why"][0].startswith("backend-not-running is new: Nothing listens on 127.0.0.1:4000")
    assert found["why"][1] == "*:80 shop.example /api/ got 200 before and gets 502 now"


def test_a_risk_that_becomes_a_cause_was_known():
    named = [{"id": "nginx-not-running", "kind": "cause", "routes": []}]
    found = verdict(bundle(api=False, nginx=False), bundle(api=False), asked("refused", "refused"), asked(200, 502), named)
    assert (found["verdict"], found["failed"], found["gone"]) == ("better", False, ["nginx-not-running"])


def test_nginx_must_answer_something_good_when_it_was_the_cause():
    named = [{"id": "nginx-not-running", "kind": "cause", "routes": []}]
    found = verdict(bundle(nginx=False), bundle(), asked("refused", "refused"), asked("refused", "refused"), named)
    assert (found["failed"], found["why"]) == (True, ["no request through nginx gets a good answer"])


def test_a_risk_that_was_to_be_put_right_is_gone_or_stands():
    down = bundle(shop=False, nginx=False)
    risk = [{**NAMED[0], "kind": "risk"}]
    assert verdict(down, down, None, None, risk)["standing"] == ["backend-not-running"]
    assert verdict(down, bundle(shop=False), None, None, risk)["standing"] == ["backend-not-running"]
    assert verdict(down, bundle(nginx=False), None, None, risk)["gone"] == ["backend-not-running"]
    assert verdict(down, down, None, None, NAMED)["gone"] == ["backend-not-running"]


def test_a_host_that_was_well_is_the_same():
    found = verdict(bundle(), bundle(), None, asked())
    assert (found["verdict"], found["failed"], found["why"]) == ("same", False, [])
    assert [item["before"] for item in found["routes"]] == ["not asked", "not asked"]


def test_a_host_that_cannot_be_diagnosed_again_fails():
    gone = _bundle.new("web1", _bundle.UNREACHABLE, "timed out")
    found = verdict(bundle(shop=False), gone, asked(502), asked(200), NAMED)
    assert (found["failed"], found["why"]) == (True, ["the host could not be diagnosed again: timed out"])
    found = verdict(bundle(shop=False), _bundle.new("web1", _bundle.NO_NGINX), asked(502), asked(200), NAMED)
    assert (found["verdict"], found["why"]) == ("worse", ["there is no nginx any more"])


def test_what_cannot_be_told_any_more_fails():
    fresh = bundle()
    fresh["answers"]["listeners"] = evidence.no_answer("listeners", evidence.DENIED, "not root")
    found = verdict(bundle(shop=False), fresh, asked(502), asked(200), NAMED)
    assert found["why"] == ["whether backend-not-running is gone cannot be told: listeners (denied) not root"]
    assert found["standing"] == ["backend-not-running"]


def test_requests_that_could_not_be_sent_fail_and_those_that_were_not_to_be_sent_do_not():
    old, fresh = bundle(shop=False), bundle()
    failed = verdict(old, fresh, asked(502), _requests.new("web1", _requests.FAILED, "the host is gone"), NAMED)
    assert failed["why"] == ["no requests could be sent through nginx: the host is gone"]
    off = verdict(old, fresh, None, _requests.new("web1", _requests.OFF), NAMED)
    assert (off["verdict"], off["failed"]) == ("better", False)
    assert not verdict(old, fresh, None, None, NAMED)["failed"]


def test_a_host_that_was_put_back_gets_what_it_got():
    same = verification.compare_requests("web1", (asked(502), asked(502)))
    assert (same["verdict"], same["failed"]) == ("same", False)
    worse = verification.compare_requests("web1", (asked(502), asked(502, "refused")))
    assert (worse["verdict"], worse["failed"]) == ("worse", True)


def test_the_report_of_a_host_or_else_its_evidence():
    part = document.host_of(_judge.judge(bundle(shop=False)))
    assert verification.part_of({"hosts": {"web1": part}}, "web1", bundle()) == part
    assert verification.part_of({"hosts": {}}, "web1", bundle(shop=False)) == part
    assert verification.part_of(None, "web1", _bundle.new("web1", _bundle.FAILED)) is None


def test_the_report_keeps_what_was_verified(tmp_path):
    result = _judge.judge(bundle(shop=False))
    document.write(str(tmp_path), document.build([result], "0.3.0", 0.0))
    assert document.amend(str(tmp_path), "web1", "verification", {"verdict": "better"}) == str(tmp_path / "report.json")
    assert document.amend(str(tmp_path), "web2", "verification", {}) == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["hosts"]["web1"].pop("verification") == {"verdict": "better"}
    assert report["hosts"]["web1"] == document.host_of(result)
    assert os.stat(tmp_path / "report.json").st_mode & 0o777 == 0o600
    (tmp_path / "report.json").write_text("[")
    assert document.amend(str(tmp_path), "web1", "verification", {}) == ""


def lines(found) -> list[str]:
    told = [line for _style, line in found]
    assert all(len(line) <= terminal.WIDTH for line in told)
    return told


def test_a_person_is_told():
    better = verdict(bundle(shop=False), bundle(), asked(502), asked(200), NAMED)
    assert lines(verification_terminal.verdict(better)) == [
        "web1: better; gone: backend-not-running",
        "  route  *:80 shop.example /: 502 -> 200",
    ]
    same = verdict(bundle(shop=False), bundle(shop=False), asked(502), asked("refused"), NAMED)
    told = lines(verification_terminal.verdict(same))
    assert told[0] == "web1: same"
    assert told[1].startswith("  but    backend-not-running is still there")
    assert told[-1] == "  route  *:80 shop.example /: 502 -> no answer (it was refused)"


def test_a_person_is_told_what_was_done():
    found = verdict(bundle(shop=False), bundle(), asked(502), asked(200), NAMED)
    part = {"outcome": "remedied", "why": "", "remedies": ["start_backend"], "checkpoint": "x1", "left": [], "verified": found, "rolled_back": None}
    assert lines(verification_terminal.outcome("web1", part)) == [
        "web1: remedied and verified (start_backend)",
        "  route  *:80 shop.example /: 502 -> 200",
        "  saved  /var/lib/webops_bad_gateway/x1",
    ]
    for outcome in verification_terminal.OUTCOMES:
        told = lines(verification_terminal.outcome("w\x1b[1meb" * 50, {**part, "outcome": outcome, "why": "because\n\x1b[2J" * 100, "left": ["\x1b[2J"]}))
        assert not any("\x1b" in line for line in told)


def test_what_was_tried_is_not_told_as_what_clients_get():
    found = verdict(bundle(shop=False), bundle(), asked(502), asked("refused"), NAMED)
    part = {"outcome": "rolled_back", "why": f"Verify: {found['why'][0]}", "remedies": ["start_backend"], "checkpoint": "", "left": [], "verified": found}
    assert lines(verification_terminal.outcome("web1", part)) == [
        "web1: not remedied; rolled back and verified (start_backend)",
        "  why    Verify: *:80 shop.example / gets no answer (it was refused)",
        "  tried  *:80 shop.example /: 502 -> no answer (it was refused)",
    ]
    again = verification.compare_requests("web1", (asked(502), asked(502)))
    assert lines(verification_terminal.verdict(again, undone=True))[0] == "web1: same; clients get what they got before"


def test_a_rollback_that_is_not_sure_says_where_the_files_are():
    part = {"outcome": "rollback_failed", "why": "it did not help", "remedies": [], "checkpoint": "x1", "left": ["/etc/a is not as it was"]}
    assert verification_terminal.sentence_of(part) == (
        "not remedied; ROLLBACK UNVERIFIED, because: it did not help; left: /etc/a is not as it was; what was saved is in /var/lib/webops_bad_gateway/x1"
    )
