# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""file-descriptors-exhausted, worker-connections-exhausted, descriptor-headroom and selinux-not-enforcing, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding, HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, MAIN, MAIN_TEXT, WORKERS, World, unknowns, verdict

TCP = "127.0.0.1:3000"
FILES, CONNECTIONS, HEADROOM, SELINUX = "file-descriptors-exhausted", "worker-connections-exhausted", "descriptor-headroom", "selinux-not-enforcing"


def world(events: str = "", main: str = "", descriptors: int = 20, sockets: int = 8, soft: int | None = 1024, worker: int = WORKERS[0]) -> World:
    host = World().passes(f"http://{TCP}").service("shop.service", TCP)
    host.file(MAIN, main + MAIN_TEXT.replace("events {}", f"events {{ {events} }}"))
    host.limits["processes"][str(worker)].update(descriptors=descriptors, sockets=sockets, soft=soft)
    return host


def told(host: World, advice: bool = False) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge(), advice)]


def first(result: HostResult) -> Finding:
    """Return the finding of these rules."""
    (finding,) = [item for item in result.findings if item.id in (FILES, CONNECTIONS, HEADROOM, SELINUX)]
    return finding


@pytest.mark.parametrize(
    ("descriptors", "log", "expected"),
    [
        (1024, False, [(FILES, "cause", "proven")]),
        (1023, False, [(FILES, "cause", "proven")]),
        (1022, False, [(FILES, "risk", "proven")]),
        (922, False, [(FILES, "risk", "proven")]),
        (921, False, []),
        (922, True, [(FILES, "cause", "proven")]),
        (100, True, [(FILES, "cause", "likely")]),
        (100, False, []),
    ],
)
def test_open_descriptors_against_the_limit(descriptors, log, expected):
    host = world(descriptors=descriptors)
    if log:
        host.logged(TCP, "descriptors-exhausted")
    assert told(host) == expected


def test_any_worker_counts():
    assert told(world(descriptors=1024, worker=WORKERS[1])) == [(FILES, "cause", "proven")]


def test_no_limit_and_an_unread_worker_say_nothing():
    assert told(world(descriptors=90000, soft=None)) == []
    host = world()
    host.limits["processes"][str(WORKERS[0])].update(descriptors=None, sockets=None)
    assert told(host) == []


def test_records_from_before_the_workers_were_replaced_are_a_risk_and_those_of_another_configuration_nothing():
    assert told(world().logged(TCP, "descriptors-exhausted", last=LOADED - 60)) == [(FILES, "risk", "likely")]
    host = world().file(MAIN, MAIN_TEXT, mtime=LOADED - 30)
    assert told(host.logged(TCP, "descriptors-exhausted", last=LOADED - 60)) == []


def test_a_stopped_nginx_has_no_descriptors():
    assert [item for item in told(world().logged(TCP, "descriptors-exhausted").stopped()) if item[0] == FILES] == []


def test_records_without_an_upstream_are_of_the_accepting_side():
    host = world(descriptors=1023).logged("", "descriptors-exhausted", message="accept() failed", phase="", status=None, server="")
    assert told(host) == [(FILES, "cause", "proven")]


def test_the_table_of_the_whole_system():
    host = world().logged(TCP, "descriptors-exhausted", errno=23)
    finding = first(host.judge())
    assert (finding.id, finding.certainty, finding.fix.safety) == (FILES, "likely", "manual")
    host.limits["open_files"].update(used=1000, max=1000)
    finding = first(host.judge())
    assert (finding.certainty, "fs.file-max" in finding.says) == ("proven", True)


def test_where_the_master_may_not_the_unit_has_to():
    host = world(descriptors=1024)
    host.limits["processes"]["100"]["hard"] = 1024
    finding = first(host.judge())
    assert "LimitNOFILE=" in finding.fix.summary and "nginx.service" in finding.fix.summary
    assert (finding.fix.safety, finding.fix.changes) == ("manual", ())
    host.limits["processes"]["100"]["raises"] = True
    finding = first(host.judge())
    assert "LimitNOFILE=" not in finding.fix.summary and finding.fix.changes
    finding = first(world(descriptors=1024).judge())
    assert "LimitNOFILE=" not in finding.fix.summary


LIMITS = {"context": {"block": "main", "file": MAIN}}
EVENTS = {"context": {"file": MAIN, "line": 2, "expects": "events"}}


def of_master(host: World, hard: int | None = 524288, raises: bool = False, nr_open: int | None = None) -> World:
    host.limits["processes"]["100"].update(hard=hard, raises=raises)
    host.limits["nr_open"] = nr_open
    return host


@pytest.mark.parametrize(
    ("main", "soft", "hard", "raises", "wanted"),
    [
        ("", 1024, 524288, False, 2048),
        ("", 1024, 1500, False, 1500),
        ("", 1024, 1024, False, None),
        ("", 1024, 1024, True, 2048),
        ("", 65536, 524288, False, 131072),
        ("", 400000, 524288, False, 524288),
        ("", 524288, 524288, True, 1048576),
        ("", 1048576, 1048576, True, None),
        ("", 1024, None, False, 2048),
        ("worker_rlimit_nofile 1024; ", 1024, 524288, False, 2048),
    ],
)
def test_more_descriptors_as_far_as_the_master_can_give_them(main, soft, hard, raises, wanted):
    host = of_master(world(main=main, descriptors=soft, soft=soft), hard, raises)
    for pid in WORKERS:
        host.limits["processes"][str(pid)]["soft"] = soft
    replaces = {"replaces": {"worker_rlimit_nofile": "1024"}} if main else {}
    fix = first(host.judge()).fix
    assert fix.changes == (({**LIMITS, "worker_rlimit_nofile": wanted, **replaces},) if wanted else ())
    assert (fix.remedy, fix.safety) == (("nginx_limits", "risky") if wanted else (None, "manual"))


@pytest.mark.parametrize(
    ("events", "soft", "hard", "wanted"),
    [
        ("worker_connections 256;", 1024, 524288, [(EVENTS, 1024), (LIMITS, 2048)]),
        ("worker_connections 256;", 4096, 4096, [(EVENTS, 1024)]),
        ("worker_connections 10000;", 1024, 524288, [(EVENTS, 20000), (LIMITS, 40000)]),
        ("worker_connections 10000;", 1024, 30000, [(EVENTS, 15000), (LIMITS, 30000)]),
        ("worker_connections 10000;", 1024, 20000, []),
        ("", 1024, 524288, [(EVENTS, 1024), (LIMITS, 2048)]),
    ],
)
def test_more_connections_and_two_descriptors_for_each(events, soft, hard, wanted):
    count = int(events.split()[-1].strip(";")) if events else 512
    host = of_master(world(events, sockets=count, soft=soft), hard).logged(TCP, "connections-exhausted")
    for pid in WORKERS:
        host.limits["processes"][str(pid)]["soft"] = soft
    (fix,) = [finding.fix for finding in host.judge().findings if finding.id == CONNECTIONS]
    found = {("events" if "worker_connections" in item else "main"): item for item in fix.changes}
    expected = {}
    for where, value in wanted:
        name = "worker_connections" if where is EVENTS else "worker_rlimit_nofile"
        replaces = {"replaces": {name: str(count)}} if where is EVENTS and events else {}
        expected["events" if where is EVENTS else "main"] = {**where, name: value, **replaces}
    assert found == expected


def test_a_master_that_was_not_looked_at_is_left_to_a_person():
    host = world(descriptors=1024)
    del host.limits["processes"]["100"]
    fix = first(host.judge()).fix
    assert fix.changes == () and "what the master may have is not known" in fix.summary


@pytest.mark.parametrize(("hard", "raises", "wanted"), [(524288, False, 4000), (3000, False, 3000), (1024, False, None), (1024, True, 4000)])
def test_headroom_that_can_be_given(hard, raises, wanted):
    host = of_master(world("worker_connections 2000;"), hard, raises)
    assert first(host.judge()).fix.changes == (({**LIMITS, "worker_rlimit_nofile": wanted},) if wanted else ())


@pytest.mark.parametrize(
    ("sockets", "what", "expected"),
    [
        (257, "connections-exhausted", [(CONNECTIONS, "cause", "proven")]),
        (40, "connections-exhausted", [(CONNECTIONS, "cause", "likely")]),
        (None, "connections-exhausted", [(CONNECTIONS, "cause", "likely")]),
        (257, "connections-low", [(CONNECTIONS, "risk", "likely")]),
        (257, "", []),
    ],
)
def test_connections_against_worker_connections(sockets, what, expected):
    host = world("worker_connections 256;", descriptors=300, sockets=sockets)
    if what:
        host.logged(TCP, what)
    assert told(host) == expected


def test_the_default_is_512_and_the_place_is_that_of_the_directive():
    finding = first(world().logged(TCP, "connections-exhausted").judge())
    assert "worker_connections is 512 (the default)" in finding.says
    host = World().passes(f"http://{TCP}").service("shop.service", TCP).file(MAIN, MAIN_TEXT.replace("events {}", "events {\n worker_connections 64;\n}"))
    finding = first(host.logged(TCP, "connections-exhausted").judge())
    assert str(finding.at) == f"{MAIN}:3"


def test_of_two_nginx_the_one_whose_workers_wrote_the_record():
    host = world("worker_connections 256;").logged(TCP, "connections-exhausted", pids=(9,))
    other = {**host.instance, "id": "/opt/nginx.conf", "conf_path": "/opt/nginx.conf", "files": [], "workers": [{**host.instance["workers"][0], "pid": 9}]}
    host.answers["nginx"]["value"]["instances"].append(other)
    found = [finding for finding in host.judge().findings if finding.id == CONNECTIONS]
    assert [str(finding.at) for finding in found] == ["/opt/nginx.conf"]


@pytest.mark.parametrize(
    ("events", "soft", "advised"),
    [
        ("worker_connections 768;", 1024, False),
        ("worker_connections 1024;", 1024, False),
        ("", 1024, False),
        ("worker_connections 1025;", 1024, True),
        ("", 256, True),
        ("worker_connections 100000;", None, False),
    ],
)
def test_headroom(events, soft, advised):
    host = world(events)
    for pid in WORKERS:
        host.limits["processes"][str(pid)]["soft"] = soft
    assert told(host, advice=True) == ([(HEADROOM, "advice", "proven")] if advised else [])


def test_what_runs_out_already_is_not_advised_too():
    host = world("worker_connections 4096;", descriptors=1024)
    assert told(host, advice=True) == [(FILES, "cause", "proven")]


@pytest.mark.parametrize(("system", "advised"), [("rhel", True), ("rocky", True), ("debian", False), ("ubuntu", False), ("", False)])
def test_a_system_that_ships_with_selinux_runs_without(system, advised):
    host = world()
    host.host["os"] = {"id": system}
    assert told(host, advice=True) == ([(SELINUX, "advice", "proven")] if advised else [])


def test_advice_never_says_to_switch_selinux_off():
    host = world()
    host.answers["selinux"] = evidence.answer("/sys/fs/selinux", {"mode": "permissive"})
    finding = first(host.judge())
    assert "enforce again" in finding.fix.summary and "setenforce 0" not in finding.next


def test_limits_that_were_not_read_are_unknown():
    host = world(descriptors=1024).logged(TCP, "descriptors-exhausted")
    host.answers["limits"] = evidence.no_answer("/proc", "denied", "no")
    assert (FILES, "limits", "denied") in unknowns(host.judge())
