# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a bundle to a result: what is over, what is open, what is folded together, and evidence that makes no sense."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge, _rules
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns, verdict

TCP = "127.0.0.1:3000"


def node() -> World:
    return World().passes(f"http://{TCP}").service("shop.service", TCP)


@pytest.mark.parametrize("status", [_bundle.NO_NGINX, _bundle.UNREACHABLE, _bundle.FAILED])
def test_a_host_without_evidence_has_no_verdict(status):
    result = _judge.judge(_bundle.new("web1", status, "because"))
    assert (result.name, result.status, result.why, result.findings, result.unknown) == ("web1", status, "because", (), ())


def test_a_host_that_was_asked_without_root_is_partial():
    bundle = node().bundle()
    bundle["why"] = "root was refused"
    result = _judge.judge(bundle)
    assert (result.status, result.why) == ("partial", "root was refused")


def test_a_log_that_could_not_be_read_is_not_a_quiet_one():
    world = node()
    world.log["logs"].append(
        {"path": "/var/log/nginx/shop.log", "status": "denied", "why": "Permission denied", "size": 0, "read": 0, "oldest": None, "truncated": False}
    )
    result = world.judge()
    assert (result.status, unknowns(result)) == ("partial", [("error log", "/var/log/nginx/shop.log", "denied")])


def test_a_log_that_is_no_file_is_no_failure():
    world = node()
    world.log["logs"][0].update(path="stderr", status="absent", why="not a file that can be read back")
    assert (world.judge().status, unknowns(world.judge())) == ("diagnosed", [])


def test_an_endpoint_that_was_not_probed_is_said():
    bundle = node().bundle()
    bundle["probes"]["value"]["probes"] = []
    result = _judge.judge(bundle)
    assert (result.status, unknowns(result)) == ("partial", [("probe", TCP, "truncated")])


def test_with_probing_off_the_rules_that_need_it_are_unknown_and_nothing_is_invented():
    world = node()
    world.probing = False
    result = world.judge()
    assert verdict(result) == []
    asking = [rule.id for rule in _rules.ALL if "probes" in rule.needs]
    assert unknowns(result) == [(rule, "probes", "absent") for rule in asking]


def test_a_file_of_the_configuration_that_could_not_be_read():
    world = node()
    world.instance["files"].append(
        dict(world.instance["files"][0], path="/etc/nginx/sites-enabled/secret", real_path="", status="denied", why="Permission denied", content="")
    )
    assert unknowns(world.judge()) == [("configuration", "/etc/nginx/sites-enabled/secret", "denied")]


def test_a_name_that_was_not_resolved_is_a_route_of_unknown_target():
    result = World().passes("http://backend.internal:80").judge()
    assert verdict(result) == []
    assert unknowns(result) == [("route", "proxy_pass http://backend.internal:80", "unresolved")]


def test_one_cause_for_each_route_and_endpoint():
    """A closed socket that also refuses nobody: what keeps nginx from the backend comes first."""
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive").logged(TCP, "header-too-big").logged(TCP, "read-timeout")
    result = world.judge()
    assert [item[0] for item in verdict(result)] == ["backend-not-running"]


def test_one_cause_for_a_route_that_is_told_beside_another():
    world = World().passes(f"http://{TCP}", name="a").passes(f"http://{TCP}", name="b").unit("shop.service", TCP, active="inactive")
    (finding,) = world.logged(TCP, "header-too-big", server="b.example").judge().findings
    assert (finding.id, len(finding.also)) == ("backend-not-running", 1)


def test_two_likely_causes_of_one_route_are_told_as_one_with_an_alternative():
    world = node().logged(TCP, "header-too-big").logged(TCP, "read-timeout")
    (finding,) = world.judge().findings
    assert finding.id == "response-header-too-big"
    assert "upstream-timeout" in finding.alternatives


def test_the_more_failures_the_higher_the_rank():
    world = World().passes(f"http://{TCP}", name="a").passes("http://127.0.0.1:3001", name="b")
    world.unit("a.service", TCP, active="inactive").unit("b.service", "127.0.0.1:3001", active="inactive")
    world.logged(TCP, server="a.example", count=2).logged("127.0.0.1:3001", server="b.example", count=20)
    assert [(finding.rank, finding.endpoint) for finding in world.judge().findings] == [(1, "127.0.0.1:3001"), (2, TCP)]


def test_two_endpoints_that_failed_alike_are_both_told():
    world = World().passes(f"http://{TCP}", name="a").passes("http://127.0.0.1:3001", name="b").service("a.service", TCP).service("b.service", "127.0.0.1:3001")
    world.logged(TCP, server="a.example").logged("127.0.0.1:3001", server="b.example")
    assert len(world.judge().recovered) == 2


@pytest.mark.parametrize("what", ["closed-early", "connect-refused"])
def test_a_record_that_a_client_could_have_forged_proves_nothing(what):
    result = node().logged(TCP, what, pids=(4242,)).judge()
    assert [item for item in verdict(result) if item[2] == "proven"] == []


@pytest.mark.parametrize("record", [{"paths": []}, {"server": ""}, {"peer": ""}, {"pids": []}, {"status": None}, {"server": None, "paths": None, "peer": None}])
def test_records_with_little_in_them(record):
    world = node().logged(TCP)
    world.log["groups"][0].update(record)
    assert verdict(world.judge()) == []
    assert world.judge().status != "failed"


EMPTIED = ["files", "includes", "workers", "error_logs"]


@pytest.mark.parametrize("value", [[], None])
@pytest.mark.parametrize("key", EMPTIED)
def test_an_instance_with_empty_parts(key, value):
    world = node()
    world.instance[key] = value
    assert world.judge().status in ("diagnosed", "partial")


@pytest.mark.parametrize("key", ["master", "unit", "identity", "test", "build"])
def test_an_instance_without_a_part(key):
    world = node()
    world.instance[key] = None
    result = world.judge()
    assert result.status in ("diagnosed", "partial")
    assert verdict(result) == []


@pytest.mark.parametrize(
    "key", ["claims", "journal", "enabled", "fragment", "restarts", "started", "exited", "main_pid", "result", "type", "active", "sub", "code", "status"]
)
def test_a_unit_without_a_property(key):
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive")
    world.units[0][key] = None
    result = world.judge()
    assert [item[:2] for item in verdict(result)] in ([("backend-not-running", "cause")], [("backend-start-failing", "cause")])
    assert not [item for item in result.unknown if "failed:" in item.why]


@pytest.mark.parametrize("key", ["comm", "exe", "argv", "user", "unit", "mnt", "started"])
def test_a_listener_whose_owner_is_half_known(key):
    world = World().passes(f"http://{TCP}").service("shop.service", "127.0.0.1:3001", "*:3001")
    world.listeners["tcp"][0]["owners"][0][key] = None
    result = world.judge()
    assert [item[0] for item in verdict(result)] == ["backend-wrong-port"]


def test_a_listener_whose_owners_are_hidden():
    world = World().passes(f"http://{TCP}")
    world.listen("127.0.0.1:3001")
    world.listeners["tcp"][0]["owners"] = []
    world.answers["listeners"]["hidden"] = ["owners of 1 socket"]
    assert verdict(world.judge())[0][:3] == ("backend-not-running", "cause", "possible")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bundle: bundle["answers"]["nginx"]["value"].update(instances=[{}]),
        lambda bundle: bundle["answers"]["nginx"]["value"].update(instances="x"),
        lambda bundle: bundle["answers"]["listeners"]["value"].update(tcp=[{"address": 5}]),
        lambda bundle: bundle["answers"].update(backends={"status": "ok"}),
        lambda bundle: bundle["answers"]["host"].update(value=[]),
        lambda bundle: bundle["probes"]["value"].update(probes=[{"id": "x"}]),
        lambda bundle: bundle["answers"]["backends"]["value"].update(units={"status": "ok", "value": [{}]}),
        lambda bundle: bundle["answers"]["php_fpm"]["value"].update(pools=[{}]),
        lambda bundle: bundle["answers"]["error_log"]["value"].update(groups=[{"peer": "127.0.0.1:3000"}]),
        lambda bundle: bundle["answers"]["paths"].update(value={"/x": None}),
        lambda bundle: bundle.pop("answers"),
        lambda bundle: bundle.update(targets=[{"id": "/etc/nginx/nginx.conf#0"}]),
    ],
)
def test_evidence_in_a_shape_of_its_own_fails_its_host_and_not_the_run(spoil):
    bundle = copy.deepcopy(node().bundle())
    spoil(bundle)
    result = _judge.judge(bundle)
    assert result.name == "web1"
    assert result.status in ("failed", "partial", "diagnosed")
    assert [item for item in verdict(result) if item[1] == "cause"] == []


def places(value, at=()):
    """Return the way to each part of an answer."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


@pytest.mark.exhaustive
def test_no_damage_to_the_evidence_of_a_healthy_host_makes_a_proven_cause():
    whole = node().passes("fastcgi_pass unix:/run/php/x.sock", name="blog").pool("unix:/run/php/x.sock").logged(TCP).bundle()
    # Whether it runs at all is said in one place.
    for way in (way for way in places(whole["answers"]) if way[-1] != "running"):
        bundle = copy.deepcopy(whole)
        part = bundle["answers"]
        for key in way[:-1]:
            part = part[key]
        part[way[-1]] = None
        result = _judge.judge(bundle)
        assert [item for item in verdict(result) if item[1:3] == ("cause", "proven")] == [], way


def test_a_time_that_is_none():
    world = node().logged(TCP)
    world.log["groups"][0].update(first=None, last=None)
    assert world.judge().recovered == (f"{TCP} answers again: connect() failed 5 times, last at an unknown time",)


def test_stream_routes_have_no_probe_and_are_judged_by_what_listens():
    world = World().file("/etc/nginx/nginx.conf", "events {}\nstream { server { listen 5432; proxy_pass 127.0.0.1:15432; } }")
    result = world.unit("db.service", "127.0.0.1:15432", active="inactive").judge()
    assert verdict(result) == [("backend-not-running", "cause", "proven", "127.0.0.1:15432", "/etc/nginx/nginx.conf:2")]
    assert unknowns(result) == []


def test_nothing_is_judged_twice_for_a_host_that_is_judged_twice():
    world = World().passes(f"http://{TCP}", mtime=NOW - 60).unit("shop.service", TCP, active="inactive")
    assert world.judge() == world.judge()
