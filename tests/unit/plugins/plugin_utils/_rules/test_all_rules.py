# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every rule: its manual page, its id, what it says when it was not told what it needs, and that its failure is its own."""

from __future__ import annotations

import dataclasses
import re
import shlex
import sys

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _judge, _rules
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, CAUSE, PROVEN, Finding, HostResult, Unknown
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.every_case import FIRING, SILENT, WITH
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, unknowns, verdict

# Every id of a version stays: none is renamed or used again.
RELEASED = (
    "backend-crashed",
    "backend-killed-by-manager",
    "backend-not-running",
    "backend-oom-killed",
    "backend-start-failing",
    "backend-wrong-address",
    "backend-wrong-port",
    "config-invalid",
    "endpoint-kind-mismatch",
    "nginx-not-running",
    "plain-to-tls-backend",
    "reload-pending",
    "response-header-too-big",
    "socket-directory-permission",
    "socket-path-mismatch",
    "socket-permission",
    "socket-private-tmp",
    "startup-order",
    "tls-to-plain-backend",
    "upstream-timeout",
    "uwsgi-request-too-big",
)
HEADINGS = ("What it is", "How it is recognised", "Fix", "When it stays silent")
RULES = {rule.id: rule for rule in _rules.ALL}

IDS = tuple(sorted(RULES))
# Questions to which "there is none" is an answer.
NONE_IS_AN_ANSWER = ("php_fpm", "backends.units", "paths", "selinux", "apparmor", "containers")


def unanswer(world: World, question: str, status: str) -> World:
    answer = {"status": status, "asked": question, "value": None, "why": f"{status} by the test", "truncated": False, "hidden": []}
    first, _dot, rest = question.partition(".")
    if question in ("nginx.test", "nginx.start"):
        world.instance["test"] = answer
    elif rest:
        world.answers[first]["value"][rest] = answer
    else:
        world.answers[first] = answer
    return world


def truncate(world: World, question: str) -> World:
    first, _dot, rest = question.partition(".")
    answer = world.instance["test"] if question in ("nginx.test", "nginx.start") else world.answers[first]["value"][rest] if rest else world.answers[first]
    answer["truncated"] = True
    return world


def with_probes(world: World, change) -> dict:
    bundle = world.bundle()
    bundle["probes"] = change(bundle["probes"])
    return bundle


def judge_without(world: World, question: str, status: str):
    if question == "probes":
        given = (
            (lambda answer: {**answer, "truncated": True}) if status == "truncated" else (lambda _answer: evidence.no_answer("probes", status, "by the test"))
        )
        return _judge.judge(with_probes(world, given))
    return (truncate(world, question) if status == "truncated" else unanswer(world, question, status)).judge()


def test_the_ids_of_this_version():
    assert set(RELEASED) <= set(IDS)
    assert set(FIRING) == set(SILENT) == set(IDS)


@pytest.mark.parametrize("rule", _rules.ALL, ids=lambda rule: rule.id)
def test_a_rule_is_one_file_with_a_manual_page(rule):
    module = sys.modules[rule.check.__module__]
    assert module.__name__.rpartition(".")[2].replace("_", "-") == rule.id
    assert [line[3:] for line in module.__doc__.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert rule.title and rule.needs


def told(result: HostResult, rule: str) -> list[Finding]:
    """Return the findings of a result, without the advice of other rules, of which there is always some, and without those that belong with it."""
    found = (finding for finding in result.findings if finding.id == rule or finding.kind != ADVICE and finding.id not in WITH[rule])
    return sorted(found, key=lambda finding: finding.rank)


def ids(result: HostResult, rule: str) -> list[str]:
    return [finding.id for finding in told(result, rule)]


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_finds_its_fault_and_no_other_rule_speaks(rule):
    result = FIRING[rule]().judge()
    assert ids(result, rule) == [rule]
    assert unknowns(result) == []
    (finding,) = told(result, rule)
    assert finding.says and finding.evidence and finding.fix
    assert finding.kind == ADVICE or finding.rank == 1
    assert finding.kind != CAUSE or (finding.certainty == PROVEN) == (not finding.alternatives)


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_stays_silent_on_the_look_alike(rule):
    result = SILENT[rule]().judge()
    assert ids(result, rule) == []
    assert unknowns(result) == []


UNANSWERED = [
    (rule.id, question, status)
    for rule in _rules.ALL
    for question in rule.needs
    for status in ("absent", "denied", "timeout", "error", "truncated")
    # The newest records of a log are worth having, and so are those decisions of SELinux that there are; what is missing proves nothing either way.
    if not (status == "absent" and question in NONE_IS_AN_ANSWER or status == "truncated" and question in ("error_log", "backend_log", "selinux"))
]


@pytest.mark.parametrize(("rule", "question", "status"), UNANSWERED)
def test_a_rule_that_was_not_told_what_it_needs_says_so_and_finds_nothing(rule, question, status):
    result = judge_without(FIRING[rule](), question, status)
    assert rule not in ids(result, rule)
    assert (rule, question, status) in unknowns(result)


@pytest.mark.exhaustive
@pytest.mark.parametrize("status", ["denied", "timeout", "error", "truncated"])
@pytest.mark.parametrize("question", [*World().answers, "probes"])
@pytest.mark.parametrize("rule", IDS)
def test_whatever_is_not_answered_no_rule_fails_and_no_other_fault_is_invented(rule, question, status):
    result = judge_without(FIRING[rule](), question, status)
    assert not [item for item in result.unknown if "failed:" in item.why], result.unknown
    assert [item for item in verdict(result) if item[0] not in (rule, *WITH[rule]) and item[1:3] == ("cause", "proven")] == []


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_that_fails_is_unknown_and_the_others_still_speak(rule, monkeypatch):
    def check(_host):
        raise KeyError("walk")

    broken = tuple(dataclasses.replace(item, check=check) if item.id != rule else item for item in _rules.ALL)
    monkeypatch.setattr(_rules, "ALL", broken)
    result = FIRING[rule]().judge()
    assert ids(result, rule) == [rule]
    # What only the broken rules would explain is open then.
    assert {item.id for item in result.unknown} - {"unexplained"} == set(IDS) - {rule}
    assert Unknown(next(item for item in IDS if item != rule), "", "error", "this rule failed: KeyError: 'walk'") in result.unknown
    assert result.status == "partial"


@pytest.mark.parametrize("rule", IDS)
def test_only_and_skip(rule):
    make = FIRING[rule]
    assert ids(make().judge(only=(rule,)), rule) == [rule]
    assert ids(make().judge(only=tuple(item for item in IDS if item != rule)), rule) == []
    assert rule not in ids(make().judge(skip=(rule,)), rule)
    assert ids(make().judge(skip=tuple(item for item in IDS if item != rule)), rule) == [rule]


HOSTILE = "x$(reboot)`id`;&|'\"<script>{{ 7*7 }}\\x1b[2J\n../\udc80"


@pytest.mark.parametrize("rule", IDS)
def test_hostile_names_raise_nothing_and_reach_no_shell(rule):
    """Every name that a host may choose, in every place where one may stand."""
    world = FIRING[rule]()
    for unit in world.units:
        unit.update(name=HOSTILE, description=HOSTILE, journal=[HOSTILE], fragment="/etc/systemd/system/" + HOSTILE, result=HOSTILE)
    for item in world.listeners["tcp"] + world.listeners["unix"]:
        for owner in item["owners"]:
            owner.update(comm=HOSTILE, exe=HOSTILE, argv=[HOSTILE], user=HOSTILE, unit=HOSTILE)
    for pool in world.php["pools"]:
        pool.update(name=HOSTILE, unit=HOSTILE)
        pool["listen_at"]["file"] = HOSTILE
    if world.instance["unit"]:
        world.instance["unit"]["name"] = HOSTILE
    for walk in world.paths.values():
        for step in walk["walk"]:
            step.update(user=HOSTILE, group=HOSTILE, label=HOSTILE)
    world.instance["identity"]["user"] = HOSTILE
    result = world.judge()
    assert not [item for item in result.unknown if "failed:" in item.why], result.unknown
    for finding in result.findings:
        assert words_of_a_shell(finding.next), finding.next


def words_of_a_shell(command: str) -> bool:
    """Return whether a command has no part that a shell would act on outside of quotes, but for our own && and |."""
    shlex.split(command)
    bare = re.sub(r"'[^']*'", "", command.replace("'\"'\"'", ""))
    return not re.search(r"[;`$<>\n]|\|(?!\|)", bare.replace(" && ", " "))


def test_a_command_with_a_bare_word_would_be_seen():
    assert not words_of_a_shell("systemctl start x;reboot")
    assert not words_of_a_shell("systemctl start $(id)")
    assert words_of_a_shell("systemctl start 'x;reboot $(id)'")
