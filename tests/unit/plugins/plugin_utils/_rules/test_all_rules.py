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
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Unknown
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns, verdict

# The ids of this version. None is renamed or used again.
IDS = (
    "backend-not-running",
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
    "tls-to-plain-backend",
    "upstream-timeout",
)
HEADINGS = ("What it is", "How it is recognised", "Fix", "When it stays silent")
RULES = {rule.id: rule for rule in _rules.ALL}

TCP, TLS, SOCK, PHP = "127.0.0.1:3000", "127.0.0.1:8443", "unix:/run/shop/app.sock", "unix:/run/php/php8.1-fpm.sock"


def node() -> World:
    return World().passes(f"http://{TCP}")


def moved_php() -> World:
    return World().passes(f"fastcgi_pass {PHP}").missing("/run/php/php8.1-fpm.sock").pool("unix:/run/php/php8.2-fpm.sock")


def private_tmp() -> World:
    world = World().passes("http://unix:/tmp/app.sock").missing("/tmp/app.sock")
    world.listen("unix:/tmp/app.sock", comm="gunicorn", mnt="4026532600", path=False)
    return world


def closed(**step) -> World:
    return World().passes(f"http://{SOCK}").service("shop.service", SOCK).socket("/run/shop/app.sock", **step).reply(SOCK, connect="denied")


def plain() -> World:
    return node().service("shop.service", TCP).reply(TCP, {"speak": "http", "code": 400}, {"speak": "https"})


def not_tls() -> World:
    return World().passes(f"https://{TCP}").service("shop.service", TCP).reply(TCP, {"speak": "https", "status": "not-tls", "code": None}, {"speak": "http"})


# A host for each rule on which it finds its fault.
FIRING = {
    "backend-not-running": lambda: node().unit("shop.service", TCP, active="inactive"),
    "backend-start-failing": lambda: node().unit("shop.service", TCP, active="failed"),
    "backend-wrong-address": lambda: node().service("shop.service", "[::1]:3000"),
    "backend-wrong-port": lambda: node().service("shop.service", "127.0.0.1:3001"),
    "config-invalid": lambda: node().service("shop.service", TCP).invalid(),
    "endpoint-kind-mismatch": lambda: node().service("shop.service", SOCK, TCP),
    "nginx-not-running": lambda: node().service("shop.service", TCP).stopped(),
    "plain-to-tls-backend": plain,
    "reload-pending": lambda: World().passes(f"http://{TCP}", mtime=NOW - 60).service("shop.service", TCP),
    "response-header-too-big": lambda: node().service("shop.service", TCP).reply(TCP, {"header_bytes": 5000}),
    "socket-directory-permission": lambda: closed(folders={"/run/shop": {"mode": "0700"}}),
    "socket-path-mismatch": moved_php,
    "socket-permission": lambda: closed(mode="0600"),
    "socket-private-tmp": private_tmp,
    "tls-to-plain-backend": not_tls,
    "upstream-timeout": lambda: World()
    .site(f"location / {{ proxy_pass http://{TCP}; proxy_read_timeout 1s; }}")
    .service("shop.service", TCP)
    .reply(TCP, {"seconds": 1.4}),
}
# Questions to which "there is none" is an answer.
NONE_IS_AN_ANSWER = ("php_fpm", "backends.units", "paths")


def unanswer(world: World, question: str, status: str) -> World:
    answer = {"status": status, "asked": question, "value": None, "why": f"{status} by the test", "truncated": False, "hidden": []}
    first, _dot, rest = question.partition(".")
    if question == "nginx.test":
        world.instance["test"] = answer
    elif rest:
        world.answers[first]["value"][rest] = answer
    else:
        world.answers[first] = answer
    return world


def truncate(world: World, question: str) -> World:
    first, _dot, rest = question.partition(".")
    answer = world.instance["test"] if question == "nginx.test" else world.answers[first]["value"][rest] if rest else world.answers[first]
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
    assert tuple(sorted(RULES)) == IDS
    assert set(FIRING) == set(IDS)


@pytest.mark.parametrize("rule", _rules.ALL, ids=lambda rule: rule.id)
def test_a_rule_is_one_file_with_a_manual_page(rule):
    module = sys.modules[rule.check.__module__]
    assert module.__name__.rpartition(".")[2].replace("_", "-") == rule.id
    assert [line[3:] for line in module.__doc__.splitlines() if line.startswith("## ")] == list(HEADINGS)
    assert rule.title and rule.needs


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_finds_its_fault_and_no_other_rule_speaks(rule):
    result = FIRING[rule]().judge()
    assert [item[0] for item in verdict(result)] == [rule]
    assert unknowns(result) == []
    (finding,) = result.findings
    assert finding.says and finding.evidence and finding.fix and finding.rank == 1
    assert (finding.certainty == "proven") == (not finding.alternatives)


UNANSWERED = [
    (rule.id, question, status)
    for rule in _rules.ALL
    for question in rule.needs
    for status in ("absent", "denied", "timeout", "error", "truncated")
    # The newest records of a log are worth having; older ones that are missing prove nothing either way.
    if not (status == "absent" and question in NONE_IS_AN_ANSWER or status == "truncated" and question == "error_log")
]


@pytest.mark.parametrize(("rule", "question", "status"), UNANSWERED)
def test_a_rule_that_was_not_told_what_it_needs_says_so_and_finds_nothing(rule, question, status):
    result = judge_without(FIRING[rule](), question, status)
    assert rule not in [item[0] for item in verdict(result)]
    assert (rule, question, status) in unknowns(result)


@pytest.mark.parametrize("status", ["denied", "timeout", "error", "truncated"])
@pytest.mark.parametrize("question", ["nginx", "listeners", "error_log", "paths", "php_fpm", "backends", "names", "probes", "host"])
@pytest.mark.parametrize("rule", IDS)
def test_whatever_is_not_answered_no_rule_fails_and_no_other_fault_is_invented(rule, question, status):
    result = judge_without(FIRING[rule](), question, status)
    assert not [item for item in result.unknown if "failed:" in item.why], result.unknown
    assert [item for item in verdict(result) if item[0] != rule and item[1:3] == ("cause", "proven")] == []


@pytest.mark.parametrize("rule", IDS)
def test_a_rule_that_fails_is_unknown_and_the_others_still_speak(rule, monkeypatch):
    def check(_host):
        raise KeyError("walk")

    broken = tuple(dataclasses.replace(item, check=check) if item.id != rule else item for item in _rules.ALL)
    monkeypatch.setattr(_rules, "ALL", broken)
    result = FIRING[rule]().judge()
    assert [item[0] for item in verdict(result)] == [rule]
    assert {item.id for item in result.unknown} == set(IDS) - {rule}
    assert Unknown(next(item for item in IDS if item != rule), "", "error", "this rule failed: KeyError: 'walk'") in result.unknown
    assert result.status == "partial"


@pytest.mark.parametrize("rule", IDS)
def test_only_and_skip(rule):
    make = FIRING[rule]
    assert [item[0] for item in verdict(make().judge(only=(rule,)))] == [rule]
    assert verdict(make().judge(only=tuple(item for item in IDS if item != rule))) == []
    assert rule not in [item[0] for item in verdict(make().judge(skip=(rule,)))]
    assert [item[0] for item in verdict(make().judge(skip=tuple(item for item in IDS if item != rule)))] == [rule]


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
