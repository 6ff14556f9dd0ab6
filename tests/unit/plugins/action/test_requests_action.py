# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests are sent in which stage, and how long a bad answer is asked for again."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.webops.bad_gateway.plugins.action import requests as action
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _requests
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

SETTINGS = {"probe": True, "probe_path": "", "probe_method": "GET", "probe_timeout": 5.0, "stage": "before", "findings": None, "settle": None}
SERVERS = "server 127.0.0.1:3000; server 127.0.0.1:3001;"


def bundle(group: bool = False) -> dict:
    """Return the evidence of a host with two routes; with a group, the first has two servers."""
    first = "http://app" if group else "http://127.0.0.1:3000"
    lines = (f"location / {{ proxy_pass {first}; }}", "location /api/ { proxy_pass http://127.0.0.1:4000; }")
    return World().site(*lines, outside=(f"upstream app {{ {SERVERS} }}",) if group else ()).bundle()


class Asking(action.ActionModule):
    """The action, with a host that answers what it is told, one answer after the other for each route."""

    def __init__(self, *answers: dict[str, int]) -> None:
        self.answers = list(answers)
        self.sent: list[list[str]] = []

    def _execute_module(self, module_name, module_args, task_vars):
        assert module_name == "webops.bad_gateway.request_info"
        self.sent.append([request["path"] for request in module_args["requests"]])
        codes = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(codes, Exception):
            raise codes
        made = [{"id": item["id"], "status": "ok", "code": codes[item["path"]], "seconds": 0.1, "why": ""} for item in module_args["requests"]]
        return {"requests": evidence.answer("requests", made)}


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    """A clock that goes on while the action sleeps."""

    class Clock:
        now = 0.0

        def sleep(self, seconds):
            self.now += seconds

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(action, "time", clock)
    return clock


def asked(*codes: int, group: bool = False) -> dict:
    """Return a document whose routes got these codes."""
    document = _requests.new("web1", routes=_requests.chosen(bundle(group), "", "GET", 5.0))
    for entry, code in zip(document["routes"], codes):
        entry["answer"] = {"status": "ok", "code": code, "seconds": 0.1, "why": ""}
    return document


def got(document: dict) -> list[int]:
    return [entry["answer"]["code"] for entry in document["routes"]]


def settled(before: dict, findings, *answers: dict[str, int], settle=None) -> tuple[dict, Asking]:
    document = {**before, "routes": [{**entry, "answer": None} for entry in before["routes"]]}
    asking = Asking(*answers)
    asking._ask(document["routes"], document, {})
    asking._settle(document, before, {**SETTINGS, "findings": findings, "settle": settle}, {})
    return document, asking


def test_what_becomes_good_is_waited_for(clock):
    document, asking = settled(asked(502, 200), None, {"/": 502, "/api/": 200}, {"/": 502}, {"/": 200})
    assert got(document) == [200, 200]
    assert asking.sent == [["/", "/api/"], ["/"], ["/"]]
    assert clock.now == 2.0


@pytest.mark.parametrize(("group", "settle", "seconds"), [(False, None, 5.0), (True, None, 11.0), (True, 3.0, 3.0), (False, 0.0, 0.0)])
def test_no_longer_than_it_may_take(clock, group, settle, seconds):
    document, _asking = settled(asked(502, 200, group=group), None, {"/": 502, "/api/": 200}, settle=settle)
    assert got(document) == [502, 200]
    assert clock.now == seconds


def test_what_was_bad_and_is_not_to_be_put_right_is_not_waited_for(clock):
    elsewhere = [{"id": "x", "routes": [{"listen": "*:80", "server": "shop.example", "location": "/api/"}]}]
    document, _asking = settled(asked(502, 200), elsewhere, {"/": 502, "/api/": 200})
    assert (got(document), clock.now) == ([502, 200], 0.0)
    # What was good before is.
    settled(asked(200, 200), elsewhere, {"/": 502, "/api/": 200})
    assert clock.now == 5.0


def test_a_host_that_is_lost_is_told(clock):
    document, _asking = settled(asked(502, 502), None, AnsibleConnectionFailure("timed\nout"))
    assert (document["status"], document["why"], clock.now) == (_requests.FAILED, "timed out", 0.0)


def test_the_requests_of_each_stage(tmp_path):
    folder = str(tmp_path)
    document, before = action.ActionModule._document(folder, "web1", SETTINGS)
    assert (document["status"], document["routes"], before) == (_requests.FAILED, [], None)
    (tmp_path / "bundles").mkdir()
    _bundle.write(folder, bundle())
    document, before = action.ActionModule._document(folder, "web1", SETTINGS)
    assert (document["status"], len(document["routes"]), before) == (_requests.ASKED, 2, None)
    after = {**SETTINGS, "stage": "after"}
    # Nothing was sent before: the newest evidence says what to ask.
    assert action.ActionModule._document(folder, "web1", after) == (document, None)
    first = asked(502, 200)
    first["routes"].pop()
    _requests.write(folder, first)
    document, before = action.ActionModule._document(folder, "web1", after)
    assert (before, [entry["answer"] for entry in document["routes"]]) == (first, [None])
    assert action.ActionModule._document(folder, "web1", {**after, "probe": False})[0]["status"] == _requests.OFF


def test_a_new_run_forgets_the_stages_of_the_last(tmp_path):
    for stage in ("after", "rolled_back"):
        _requests.write(str(tmp_path / stage), asked(200, 200))
    _requests.write(str(tmp_path), asked(502, 502))
    action._forget(str(tmp_path), "web1")
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.json")] == ["requests/web1.json"]
