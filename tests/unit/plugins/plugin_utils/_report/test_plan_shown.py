# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as it is written down and shown, what of it is still wanted on a host's turn, and how a run is told to have ended."""

from __future__ import annotations

import json

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Change, Held, Manual, Plan, Step, Undone
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import plan_document, plan_terminal, rollout_terminal

SHOP = {"manager": "systemd", "name": "shop.service"}
SLOW = {"context": {"file": "/etc/nginx/sites-enabled/shop", "line": 12, "expects": "location /api"}, "module": "proxy", "read": "120s"}
HOSTILE = "\x1b]0;x\x07\u202e\n{{ 7*7 }}"


def step(make, remedy="start_backend", item=None, safety="safe", **more):
    return Step(remedy, (Change(item or SHOP, (make.finding(fix=Fix(remedy, safety, "Start it: systemctl start shop.service", changes=({},)), **more),)),))


def plans(make):
    slow = make.finding(id="upstream-timeout", rank=2, says="127.0.0.1:3000 is slow.", fix=Fix("upstream_timeout", "risky", "Wait longer.", changes=(SLOW,)))
    manual = make.finding(id="firewall-blocked", rank=3, says="A rule drops it.", fix=Fix(None, "manual", "Let it through."), next="nft list ruleset")
    elsewhere = make.finding(id="backend-wrong-port", rank=4, says="It listens on 3001.", fix=Fix("repoint_upstream", "risky", "Point it there."), next="")
    return [
        Plan(
            "web1",
            "diagnosed",
            "",
            steps=(step(make),),
            manual=(Manual(manual), Manual(elsewhere, "the file says that it is written by Ansible; change it where it comes from", "-a;\n+b;")),
            held=(Held(slow, "it is risky", "bad_gateway_apply=risky, or bad_gateway_allow=upstream-timeout"),),
        ),
        Plan("web2", "diagnosed", "", steps=(step(make),)),
        Plan("web3", "diagnosed", ""),
        Plan("web4", "unreachable", "no route"),
    ]


GOLDEN = """\
Plan for 4 hosts: 2 to be changed, 2 without anything to do

web1: 1 step
  1. start_backend (safe): starts the backend, and enables it where it was meant
     to start by itself
     for    backend-not-running: Nothing listens on 127.0.0.1:3000: the systemd
            unit shop.service is inactive (dead).
     route  0.0.0.0:80 shop.example /api -> 127.0.0.1:3000
     at     /etc/nginx/sites-enabled/shop:12
     do     Start it: systemctl start shop.service
     undo   the backend is stopped, and disabled where it was
  verify by new evidence that is judged as this was, and by requests through
         nginx to each route above
  by hand: firewall-blocked (proven): A rule drops it.
     do     Let it through.
     next   nft list ruleset
  by hand: backend-wrong-port (proven): It listens on 3001.
     why    the file says that it is written by Ansible; change it where it
            comes from
     do     Point it there.
       -a;
       +b;
  held back: upstream-timeout: it is risky
     is     127.0.0.1:3000 is slow.
     would  Wait longer.
     allow  bad_gateway_apply=risky, or bad_gateway_allow=upstream-timeout

web2: 1 step
  1. start_backend (safe): starts the backend, and enables it where it was meant
     to start by itself
     for    backend-not-running: Nothing listens on 127.0.0.1:3000: the systemd
            unit shop.service is inactive (dead).
     route  0.0.0.0:80 shop.example /api -> 127.0.0.1:3000
     at     /etc/nginx/sites-enabled/shop:12
     do     Start it: systemctl start shop.service
     undo   the backend is stopped, and disabled where it was
  verify by new evidence that is judged as this was, and by requests through
         nginx to each route above

not diagnosed: web4

canary: web1
batch 2: web2

plan: /srv/ops/plan.json"""


def shown(lines) -> str:
    return "\n".join(line for _style, line in lines)


def test_the_plan_is_shown_before_anything_is_done(make):
    assert shown(plan_terminal.render(plans(make), [["web1"], ["web2"]], "/srv/ops/plan.json")) == GOLDEN


def test_a_plan_without_steps_says_so(make):
    assert shown(plan_terminal.render([Plan("web1", "diagnosed", "")], [])).strip() == "Plan for 1 host: nothing to be done"


def test_nothing_that_a_host_said_reaches_the_terminal_as_it_is(make):
    bad = make.finding(says=HOSTILE * 50, next=HOSTILE, fix=Fix("start_backend", "safe", HOSTILE, HOSTILE * 3, (SHOP,)))
    steps = (Step("start_backend", (Change(SHOP, (bad,)),), (HOSTILE,)),)
    made = Plan("web\x1b1", "diagnosed", HOSTILE, steps, (Manual(bad, HOSTILE, HOSTILE),), (Held(bad, HOSTILE),))
    for _style, line in plan_terminal.render([made] * 3, [["web\x1b1"]], HOSTILE):
        assert text.harmless(line) == line


def test_a_large_fleet_is_told_in_few_lines(make):
    many = [Plan(f"web{number}", "diagnosed", "", steps=(step(make),)) for number in range(1000)]
    assert len(plan_terminal.render(many, [[plan.host] for plan in many])) < 900


def test_the_document_can_be_read_again(make, tmp_path):
    document = plan_document.build(plans(make), [["web1"], ["web2"]], {"10.0.0.5": "web1", "10.0.0.6": ""}, "x", 0.0)
    assert plan_document.read(plan_document.write(str(tmp_path), document)) == json.loads(json.dumps(document))
    assert document["addresses"] == {"10.0.0.5": "web1"}
    assert [sorted(host) for host in document["hosts"].values()] == [["held", "manual", "reloads", "status", "steps", "why"]] * 4


@pytest.mark.parametrize("content", ["", "[", '{"schema": 99}'])
def test_another_file_is_no_plan(content, tmp_path):
    (tmp_path / "plan.json").write_text(content, encoding="ascii")
    with pytest.raises(ValueError):
        plan_document.read(str(tmp_path / "plan.json"))


# --- the host's own turn


def part(*steps: Step) -> dict:
    return plan_document.host(Plan("web1", "diagnosed", "", steps, reloads=({"path": "/etc/nginx/nginx.conf"},)))


def test_what_was_shown_is_what_is_done(make):
    then = part(step(make), step(make, "upstream_timeout", SLOW))
    now = part(step(make, "upstream_timeout", {**SLOW, "read": "180s"}))
    wanted = plan_document.still_wanted(now, then)
    assert [(item["remedy"], item["changes"]) for item in wanted["steps"]] == [("upstream_timeout", [SLOW])]
    assert (wanted["new"], wanted["reloads"]) == ([], [{"path": "/etc/nginx/nginx.conf"}])


def test_what_is_over_is_not_done(make):
    assert plan_document.still_wanted(part(), part(step(make)))["steps"] == []


def test_what_was_not_shown_is_not_done_but_named(make):
    now = part(step(make), step(make, "upstream_timeout", SLOW, id="upstream-timeout"))
    wanted = plan_document.still_wanted(now, part(step(make)))
    assert [item["remedy"] for item in wanted["steps"]] == ["start_backend"]
    assert wanted["new"] == ["upstream-timeout"]
    assert plan_document.still_wanted(now, None) == {"steps": [], "reloads": [], "new": ["backend-not-running", "upstream-timeout"]}


def test_what_is_verified_is_what_is_done(make):
    then = part(step(make))
    (cause,) = plan_document.findings(plan_document.still_wanted(part(step(make)), then))
    assert (cause["id"], cause["kind"], cause["routes"][0]["location"]) == ("backend-not-running", "cause", "/api")


@pytest.mark.parametrize(("outcome", "known"), [("rolled_back", True), ("rollback_failed", True), ("remedied", False), ("begun", False)])
def test_what_was_undone_is_known_from_the_report(outcome, known):
    part = {"remediation": {"outcome": outcome, "remedies": ["start_backend"]}}
    assert plan_document.failed(part) == (part["remediation"] if known else None)
    assert plan_document.failed({}) is None


# --- the end


def came(**outcomes: dict) -> dict:
    return {"hosts": {name: {"remediation": {"why": "", "left": [], "checkpoint": "c1", **part}} for name, part in outcomes.items()}}


BATCHES = {"batches": [["web1"], ["web2", "web3"], ["web4"]]}


def test_how_a_run_ended_is_told_with_those_first_that_need_somebody():
    report = came(
        web1={"outcome": "remedied"},
        web2={"outcome": "rolled_back", "why": "it did not help"},
        web3={"outcome": "rollback_failed", "why": "it did not help", "left": ["/etc/a is not as it was"]},
    )
    assert shown(rollout_terminal.render(BATCHES, report, ["hosts.yml"])) == """\
4 planned hosts: 1 ROLLBACK UNVERIFIED, 1 not remedied, rolled back and
  verified, 1 not begun, 1 remedied and verified
web3: ROLLBACK UNVERIFIED
  why    it did not help
  left   /etc/a is not as it was
  saved  /var/lib/webops_bad_gateway/c1
web2: not remedied, rolled back and verified
  why    it did not help
not begun: web4
remedied and verified: web1
next, undo what is left:
  ansible-playbook webops.bad_gateway.rollback -i hosts.yml -e \\
  bad_gateway_hosts=web3"""


@pytest.mark.parametrize(
    ("outcome", "playbook"),
    [
        ("begun", "rollback"),
        ("rollback_failed", "rollback"),
        ("rolled_back", "diagnose"),
        ("failed", "diagnose"),
        ("remedied", "remediate"),
        ("unchanged", "remediate"),
    ],
)
def test_the_next_command_fits_the_end(outcome, playbook):
    report = came(web1={"outcome": outcome})
    assert f"webops.bad_gateway.{playbook}" in shown(rollout_terminal.render({"batches": [["web1"], ["web2"]]}, report))
    assert rollout_terminal.outcomes({"batches": [["web1"], ["web2"]]}, report) == {"web1": outcome, "web2": "not_begun"}


def test_a_run_that_ended_well_is_looked_at_again_later():
    assert "webops.bad_gateway.verify" in shown(rollout_terminal.render({"batches": [["web1"]]}, came(web1={"outcome": "remedied"})))


def test_a_run_without_a_plan_has_no_end():
    assert rollout_terminal.render({"batches": []}, {"hosts": {}}) == []


def test_a_run_in_check_mode_ends_with_the_command_that_does_it():
    assert shown(rollout_terminal.foreseen(BATCHES)).endswith("nothing was changed, as this was check mode\nnext, do it: the same command without --check")
    assert rollout_terminal.foreseen({"batches": []}) == []


@pytest.mark.parametrize(
    ("outcomes", "over"),
    [
        (["remedied", "remedied"], True),
        (["remedied", "not_begun"], False),
        (["unchanged", "not_begun"], False),
        (["rolled_back", "not_begun"], True),
        (["begun", "not_begun"], True),
        ([], True),
    ],
)
def test_a_run_goes_on_while_all_is_well(outcomes, over):
    assert rollout_terminal.ended(outcomes) is over


@pytest.mark.parametrize(("remediation", "wanted"), [
    (None, Undone()),
    ({"remedies": ["start_backend"], "verified": None}, Undone(("start_backend",))),
    ({"remedies": ["start_backend"], "verified": {"verdict": "better", "gone": ["backend-not-running"], "new": []}},
     Undone(("start_backend",), ("backend-not-running",))),
    ({"remedies": ["start_backend"], "verified": {"verdict": "worse", "gone": ["backend-not-running"], "new": []}}, Undone(("start_backend",))),
    ({"remedies": ["start_backend"], "verified": {"verdict": "better", "gone": ["backend-not-running"], "new": ["proxy-loop"]}}, Undone(("start_backend",))),
])
def test_what_was_undone_tells_what_had_helped(remediation, wanted):
    assert plan_document.undone(remediation) == wanted
