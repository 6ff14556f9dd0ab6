# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends that are alive and do not keep up, and connections that end between the two, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NET, NOW, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
OTHER = "127.0.0.1:3001"
UNIX = "unix:/run/app.sock"
PHP = "unix:/run/php/php8.2-fpm.sock"
WORKERS, LOAD, SLOW, EARLY, RACE = "backend-workers-exhausted", "backend-overloaded", "upstream-timeout", "backend-closes-early", "keepalive-race"
FULL = {"accepted": False, "length": 129, "backlog": 128}
NOT_TAKEN = {"accepted": False, "length": 3, "backlog": 128}
TAKEN = {"accepted": True, "length": 0, "backlog": 128}
SILENCE = {"status": "timeout", "code": None, "seconds": 2.5, "why": "no answer"}


def told(result) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(result)]


def advice(result) -> set[str]:
    return {item.id for item in result.findings if item.kind == ADVICE}


def http(endpoint=TCP, kind="node", directives="proxy_read_timeout 2s;", told_=None, **options) -> World:
    world = World().site(f"location / {{ proxy_pass http://{endpoint}; {directives} }}", **options)
    world.service("shop.service", endpoint, comm=kind, pid=1500)
    return world if kind == "node" else world.server(1500, kind, told=told_ or {})


# --- who does not take connections


@pytest.mark.parametrize(
    ("kind", "settings", "cause"),
    [
        ("gunicorn", {}, WORKERS),
        ("gunicorn", {"workers": 4.0}, WORKERS),
        ("gunicorn", {"threads": 8.0}, LOAD),
        ("gunicorn", {"class": "gevent"}, LOAD),
        ("gunicorn", {"class": None}, LOAD),
        ("uwsgi", {}, WORKERS),
        ("uwsgi", {"gevent": 100.0}, LOAD),
        ("uvicorn", {}, LOAD),
        ("node", None, LOAD),
    ],
)
@pytest.mark.parametrize("endpoint", [TCP, UNIX])
def test_a_connection_that_nobody_takes(kind, settings, cause, endpoint):
    result = http(endpoint, kind, told_=settings).reply(endpoint, SILENCE, queue=NOT_TAKEN).judge()
    assert told(result) == [(cause, "cause", "proven")]
    assert unknowns(result) == []
    assert {"no-rate-limit", "no-response-cache"} <= advice(result)


def test_a_connection_that_is_taken_is_answered_too_slowly():
    assert told(http(kind="gunicorn").reply(TCP, SILENCE, queue=TAKEN).judge()) == [(SLOW, "cause", "proven")]
    assert told(http(kind="gunicorn").reply(TCP, SILENCE, queue={**TAKEN, "accepted": None}).judge()) == [(SLOW, "cause", "proven")]
    assert told(http(kind="gunicorn").reply(TCP, SILENCE).judge()) == [(SLOW, "cause", "proven")]


def test_a_full_queue_of_a_socket_refuses_at_once():
    result = http(UNIX, "gunicorn").reply(UNIX, connect="full", queue=FULL).judge()
    assert told(result) == [(WORKERS, "cause", "proven")]
    assert "(129 wait, backlog 128)" in result.findings[0].says


def test_a_full_queue_whose_figures_the_kernel_does_not_tell():
    assert told(http(UNIX, "gunicorn").reply(UNIX, connect="full").judge()) == [(WORKERS, "cause", "proven")]


@pytest.mark.parametrize(("limit", "kind"), [("3s", "cause"), ("60s", "risk")])
def test_a_full_queue_of_a_port_ignores_connections(limit, kind):
    world = http(directives=f"proxy_connect_timeout {limit};").reply(TCP, connect="timeout", queue=FULL, seconds=5.0)
    assert told(world.judge()) == [(LOAD, kind, "proven")]


def test_connecting_in_vain_to_a_queue_with_room_is_another_fault():
    result = http().reply(TCP, connect="timeout", queue={"accepted": False, "length": 0, "backlog": 128}, seconds=5.0).judge()
    assert (LOAD not in str(verdict(result))) and (WORKERS not in str(verdict(result)))


def test_waiting_for_less_than_nginx_is_a_risk_until_the_log_shows_a_failure():
    world = http(kind="gunicorn", directives="").reply(TCP, {**SILENCE, "seconds": 10.0}, queue=NOT_TAKEN)
    assert told(world.judge()) == [(WORKERS, "risk", "proven")]
    assert told(world.logged(TCP, "read-timeout").judge()) == [(WORKERS, "cause", "proven")]


def test_a_queue_in_which_some_wait_is_no_fault():
    world = http(kind="gunicorn").reply(TCP, {"seconds": 1.9})
    world.listeners["tcp"][0].update(accept_queue=400, backlog=511)
    result = world.judge()
    assert (verdict(result), unknowns(result), advice(result) & {"no-rate-limit", "no-response-cache"}) == ([], [], set())


def test_a_long_poll_is_no_fault():
    result = http(directives="").reply(TCP, {**SILENCE, "seconds": 10.0}, queue=TAKEN).judge()
    assert (verdict(result), unknowns(result)) == ([], [("probe", TCP, "timeout")])


def test_a_slow_page_of_a_pool_that_answers_a_ping_is_no_fault():
    ping = {"speak": "fastcgi-ping", "code": None, "header_bytes": None}
    result = World().passes(f"fastcgi_pass {PHP}").pool(PHP).reply(PHP, {**SILENCE, "seconds": 10.0}, ping, queue=TAKEN).judge()
    assert (verdict(result), unknowns(result)) == ([], [("probe", PHP, "timeout")])


def test_the_next_peer_takes_over():
    group = (f"upstream shop {{ server {UNIX}; server {OTHER}; }}",)
    world = World().site("location / { proxy_pass http://shop; }", outside=group).service("a.service", UNIX).service("b.service", OTHER)
    world.reply(UNIX, connect="full", queue=FULL)
    assert told(world.judge()) == [(LOAD, "risk", "proven")]


def test_php_pools_are_told_with_their_children():
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, max_children=2)
    world.server(world.units[0]["main_pid"], "php-fpm", running=2, name="www").reply(PHP, connect="full", queue=FULL)
    (finding,) = [item for item in world.judge().findings if item.kind != ADVICE]
    shows = [(item.from_, item.shows) for item in finding.evidence]
    assert ("/proc", "PHP-FPM pool www has 2 workers") in shows
    assert ("pool www (/etc/php/8.2/fpm/pool.d/www.conf)", "pm.max_children is 2") in shows
    assert finding.next == "ss -lx src /run/php/php8.2-fpm.sock"
    assert finding.fix.summary.startswith("Raise pm.max_children of PHP-FPM pool www (2 now, ")


def test_a_backend_on_a_host_of_the_fleet():
    peer = World("app1", "10.0.0.9")
    pid = peer.listen("0.0.0.0:8000", comm="gunicorn")
    peer.server(pid, "gunicorn").listeners["tcp"][0].update(accept_queue=12, backlog=10)
    world = World().site("location / { proxy_pass http://10.0.0.9:8000; proxy_connect_timeout 3s; }").reply("10.0.0.9:8000", connect="timeout", seconds=3.0)
    assert (WORKERS, "cause", "proven") in told(world.judge(peer))
    assert WORKERS not in str(verdict(world.judge()))


@pytest.mark.parametrize("queue", [NOT_TAKEN, TAKEN, None])
def test_a_probe_behind_our_own_request_proves_nothing(queue):
    result = http(kind="gunicorn").reply(TCP, SILENCE, queue=queue, behind=True).judge()
    assert (verdict(result), unknowns(result)) == ([], [("probe", TCP, "timeout")])
    assert verdict(http(kind="gunicorn").reply(TCP, {"seconds": 2.4}, behind=True).judge()) == []


def test_a_socket_that_only_systemd_holds_has_no_busy_program():
    world = World().site(f"location / {{ proxy_pass http://{TCP}; proxy_read_timeout 2s; }}")
    world.listen(TCP, comm="systemd", unit="init.scope", pid=1)
    assert LOAD not in str(verdict(world.reply(TCP, SILENCE, queue=NOT_TAKEN).judge()))


def test_a_program_that_got_its_socket_from_systemd_is_told_by_its_own_name():
    world = http(UNIX, "gunicorn").reply(UNIX, connect="full", queue=FULL)
    owners = world.listeners["unix"][0]["owners"]
    owners.insert(0, {**owners[0], "pid": 1, "comm": "systemd", "unit": "init.scope"})
    (finding,) = [item for item in world.judge().findings if item.kind != ADVICE]
    assert finding.id == WORKERS and "gunicorn (pid 1500, shop.service)" in finding.says


# --- what logs say


def test_the_log_of_nginx_alone():
    world = http(UNIX, "gunicorn").logged(UNIX, "connect-queue-full")
    result = world.judge()
    assert (told(result), unknowns(result)) == ([(WORKERS, "cause", "likely")], [])


def test_a_backend_that_was_started_since_is_over_it():
    world = http(UNIX, "gunicorn").logged(UNIX, "connect-queue-full")
    world.listeners["unix"][0]["owners"][0]["started"] = NOW - 30
    result = world.judge()
    assert (verdict(result), unknowns(result), len(result.recovered)) == ([], [], 1)


@pytest.mark.parametrize(("ago", "cause"), [(70.0, WORKERS), (4000.0, SLOW)])
def test_php_says_that_its_children_are_busy(ago, cause):
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP).logged(PHP, "read-timeout", last=NOW - 60, first=NOW - 60, moments=[NOW - 60])
    world.ended("www (PHP 8.2)", "max-children", kind="pool", at=(NOW - ago,), source="/var/log/php8.2-fpm.log")
    (found,) = [item for item in told(world.judge()) if item[1] == "cause"]
    assert found == (cause, "cause", "likely")


@pytest.mark.parametrize(("total", "risen", "certainty"), [(0, 0, None), (7, 0, "possible"), (7, 2, "likely")])
def test_time_outs_while_connecting_to_a_local_port(total, risen, certainty):
    world = http(directives="").logged(TCP, "connect-timeout")
    world.answers["pressure"]["value"]["drops"] = [{"net": NET, "counter": "ListenOverflows", "total": total, "risen": risen}]
    found = [item for item in told(world.judge()) if item[0] == LOAD]
    assert found == ([(LOAD, "cause", certainty)] if certainty else [])


def test_pressure_is_shown():
    world = http().reply(TCP, SILENCE, queue=NOT_TAKEN)
    world.answers["pressure"]["value"].update(cores=2, load=[9.0, 2.0, 1.0], stalled={"cpu": {"some": [81.0, 20.0, 3.0]}, "memory": {"some": [1.0, 1.0, 1.0]}})
    (finding,) = [item for item in world.judge().findings if item.kind != ADVICE]
    shows = [item.shows for item in finding.evidence]
    assert "something waits for cpu in 81 % of the time" in shows and "a load of 9 on 2 cores" in shows
    assert not [item for item in shows if "memory" in item]


@pytest.mark.parametrize(
    ("kind", "shares", "processes", "cause"),
    [
        ("node", [0.98], 1, LOAD),
        ("node", [0.7], 1, SLOW),
        ("node", [], 1, SLOW),
        ("node", [0.98], 2, SLOW),
        ("node", [0.98, 0.95], 2, LOAD),
        ("node", [3.9], 8, LOAD),
        ("gunicorn", [0.98], 1, SLOW),
    ],
)
def test_a_program_that_has_no_processor_time_left(kind, shares, processes, cause):
    world = http(kind=kind).reply(TCP, SILENCE, queue=TAKEN)
    owners = world.listeners["tcp"][0]["owners"]
    owners += [{**owners[0], "pid": 1501 + number} for number in range(processes - 1)]
    world.answers["pressure"]["value"]["busy"] = [{"pid": 1500 + number, "share": share} for number, share in enumerate(shares)]
    assert told(world.judge()) == [(cause, "cause", "proven")]


def test_a_busy_program_that_answers_in_time_is_no_fault():
    world = http().reply(TCP, {"seconds": 1.5})
    world.answers["pressure"]["value"]["busy"] = [{"pid": 1500, "share": 1.0}]
    assert verdict(world.judge()) == []


# --- timeouts of other phases


@pytest.mark.parametrize(
    ("what", "directive", "name", "certainty"),
    [
        ("send-timeout", "proxy_send_timeout 5s;", "proxy_send_timeout", "likely"),
        ("tls-handshake-timeout", "proxy_connect_timeout 5s;", "proxy_connect_timeout", "likely"),
        ("connect-timeout", "proxy_connect_timeout 1s;", "proxy_connect_timeout", "possible"),
    ],
)
def test_a_time_out_is_told_by_the_directive_that_bounds_it(what, directive, name, certainty):
    result = http(directives=directive).logged(TCP, what).judge()
    (finding,) = [item for item in result.findings if item.id == SLOW]
    assert (finding.kind, finding.certainty) == ("cause", certainty)
    assert name in finding.says and finding.alternatives and name in finding.fix.summary


def test_a_connection_that_takes_longer_than_its_timeout():
    assert told(http(directives="proxy_connect_timeout 1s;").reply(TCP, {}, seconds=1.2).judge()) == [(SLOW, "cause", "proven")]


# --- requests with a body, and kept connections


def test_resets_of_requests_with_a_body():
    world = http().logged(TCP, "reset-early", methods={"POST": 3, "PUT": 1})
    assert told(world.judge()) == [(EARLY, "cause", "likely")]
    world = http().logged(TCP, "reset-early", methods={"POST": 3, "GET": 1})
    assert EARLY not in str(verdict(world.judge()))


def test_a_backend_that_was_restarted_meanwhile_did_not_close_early():
    world = http().logged(TCP, "reset-early", methods={"POST": 3})
    world.listeners["tcp"][0]["owners"][0]["started"] = NOW - 300
    assert EARLY not in str(verdict(world.judge()))


def test_an_end_at_that_moment_is_a_crash():
    world = http().logged(TCP, "reset-early", methods={"POST": 3}, first=NOW - 60, last=NOW - 60, moments=[NOW - 60])
    world.ended("shop.service", "worker-killed", signal=11)
    assert told(world.judge()) == [("backend-crashed", "cause", "likely")]


NEEDED = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def keeping(upstream="keepalive 16;", location=NEEDED, keep=None, version="1.22.1", kind="node", settings=None):
    group = f"upstream shop {{ server {TCP}; {upstream} }}"
    world = World().site(f"location / {{ proxy_pass http://shop; {location} }}", outside=(group,)).service("shop.service", TCP, comm=kind, pid=1500)
    world.instance["build"]["value"]["version"] = version
    if kind != "node":
        world.server(1500, kind, told=settings or {})
    return world.reply(TCP, {"keep_alive": keep})


KEPT = {"kept": True, "seconds": 5.0}
POST = {"POST": 4}


@pytest.mark.parametrize(
    ("upstream", "keep", "kind", "settings", "expected"),
    [
        ("keepalive 16;", KEPT, "node", None, "risk"),
        ("keepalive 16; keepalive_timeout 4s;", KEPT, "node", None, None),
        ("keepalive 16; keepalive_timeout 5s;", KEPT, "node", None, "risk"),
        ("keepalive 16;", {"kept": True, "seconds": 75.0}, "node", None, None),
        ("keepalive 16;", {"kept": True, "seconds": None}, "node", None, None),
        ("keepalive 16;", {"kept": False, "seconds": None}, "uvicorn", {}, None),
        ("keepalive 16;", None, "uvicorn", {}, "risk"),
        ("keepalive 16;", None, "uvicorn", {"keepalive": 65.0}, None),
        ("keepalive 16;", None, "uvicorn", {"keepalive": None}, None),
        ("keepalive 16;", None, "gunicorn", {}, None),
        ("keepalive 16;", None, "gunicorn", {"threads": 4.0}, "risk"),
        ("", KEPT, "node", None, None),
    ],
)
def test_both_times_decide(upstream, keep, kind, settings, expected):
    result = keeping(upstream, keep=keep, kind=kind, settings=settings).judge()
    assert told(result) == ([(RACE, expected, "proven")] if expected else [])
    assert unknowns(result) == []


@pytest.mark.parametrize(("version", "expected"), [("1.29.6", []), ("1.29.7", [(RACE, "risk", "proven")]), ("1.31.0", [(RACE, "risk", "proven")])])
def test_newer_versions_keep_connections_by_default(version, expected):
    assert told(keeping("", "", KEPT, version).judge()) == expected
    assert told(keeping("keepalive 0;", "", KEPT, version).judge()) == []


def test_requests_that_nginx_may_not_repeat_were_lost():
    assert told(keeping(keep=KEPT).logged(TCP, "closed-early", methods=POST).judge()) == [(RACE, "cause", "likely")]
    assert told(keeping(keep=KEPT).logged(TCP, "reset-early", methods=POST).judge()) == [(RACE, "cause", "likely")]
    assert told(keeping(keep=KEPT).logged(TCP, "closed-early", methods={"GET": 4}).judge()) == [(RACE, "risk", "proven")]
    off = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off;'
    assert told(keeping(location=off, keep=KEPT).logged(TCP, "closed-early", methods={"GET": 4}).judge()) == [(RACE, "cause", "likely")]


def test_a_time_that_is_not_known_leaves_a_possibility():
    result = keeping().logged(TCP, "closed-early", methods=POST).judge()
    assert told(result) == [(RACE, "cause", "possible")]
    assert "backend-crashed" in result.findings[0].alternatives
    assert RACE not in str(verdict(keeping().logged(TCP, "closed-early", methods={"GET": 4}).judge()))


@pytest.mark.parametrize(
    ("location", "version", "advised"),
    [
        ("", "1.22.1", True),
        ("proxy_http_version 1.1;", "1.22.1", True),
        ('proxy_set_header Connection "";', "1.22.1", True),
        ('proxy_http_version 1.1; proxy_set_header Connection "";', "1.22.1", False),
        ("proxy_http_version 1.1; proxy_set_header Connection close;", "1.31.0", True),
        ("proxy_http_version 1.0;", "1.31.0", True),
        ("proxy_http_version 2;", "1.29.5", False),
        ("proxy_http_version 2; proxy_set_header Connection close;", "1.31.0", False),
        ("proxy_set_header Host $host;", "1.31.0", False),
        ('proxy_http_version 1.1; proxy_set_header Connection "upgrade";', "1.22.1", False),
        ("proxy_http_version 1.1; proxy_set_header Connection $http_connection;", "1.22.1", False),
    ],
)
def test_what_undoes_a_keepalive(location, version, advised):
    assert ("keepalive-incomplete" in advice(keeping(location=location, version=version).judge())) is advised


def test_what_undoes_a_keepalive_is_said_once_for_a_group():
    group = f"upstream shop {{ server {TCP}; keepalive 4; }}"
    world = World().site("location / { proxy_pass http://shop; }", "location /api/ { proxy_pass http://shop/; }", outside=(group,))
    (finding,) = [item for item in world.judge().findings if item.id == "keepalive-incomplete"]
    assert len(finding.also) == 1


@pytest.mark.parametrize(("count", "phase", "certainty"), [
    (1, "reading response header from upstream", "possible"), (2, "reading response header from upstream", "likely"),
    (1, "sending request to upstream", "likely"),
])
def test_one_accident_of_an_upload_is_no_habit(count, phase, certainty):
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    world.logged(TCP, "reset-early", count=count, methods={"POST": count}, phase=phase)
    assert [item[:3] for item in verdict(world.judge())] == [(EARLY, "cause", certainty)]


@pytest.mark.parametrize(("since", "certainty"), [(5, "possible"), (600, "likely")])
def test_uploads_that_broke_at_one_moment_at_a_host_that_was_not_looked_at(since, certainty):
    world = World().passes("http://10.0.0.9:3000").route("10.0.0.9").reply("10.0.0.9:3000", {})
    world.logged("10.0.0.9:3000", "reset-early", methods={"POST": 5}, last=NOW - 60, first=NOW - 60 - since)
    assert [item[:3] for item in verdict(world.judge())] == [(EARLY, "cause", certainty)]


def test_servers_of_a_group_that_close_alike_are_one_risk():
    group = f"upstream shop {{ server {TCP}; server 127.0.0.1:3001; keepalive 4; }}"
    world = World().site('location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }', outside=(group,))
    for endpoint in (TCP, "127.0.0.1:3001"):
        world.service(f"shop{endpoint[-1]}.service", endpoint).reply(endpoint, {"keep_alive": {"kept": True, "seconds": 5.0}})
    (finding,) = world.judge().findings
    assert (finding.id, finding.kind, [route["endpoint"] for route in (finding.route, *finding.also)]) == (RACE, "risk", [TCP, "127.0.0.1:3001"])
    world.logged("127.0.0.1:3001", "closed-early", methods={"POST": 2})
    assert [item[:4] for item in verdict(world.judge())] == [(RACE, "cause", "likely", "127.0.0.1:3001"), (RACE, "risk", "proven", TCP)]


def test_a_short_time_out_of_a_server_is_said_once_for_its_routes():
    times = (("a", 60), ("b", 90), ("c", 20))
    world = World().site(*(f"location /{name} {{ proxy_pass http://{TCP}; proxy_read_timeout {seconds}s; }}" for name, seconds in times))
    pid = world.listen(TCP, comm="gunicorn")
    world.server(pid, "gunicorn", told={"timeout": 30.0})
    (finding,) = [item for item in world.judge().findings if item.id == "timeouts-misaligned"]
    assert [route["location"] for route in (finding.route, *finding.also)] == ["/a", "/b"]


def test_a_port_that_could_not_be_connected_to_for_want_of_a_local_port_has_no_full_queue():
    """connect(2) gives 11 for a full queue of a Unix socket alone; a TCP port ignores the connection."""
    world = World().passes(f"http://{TCP}").service("shop.service", TCP).logged(TCP, "connect-queue-full")
    assert verdict(world.judge()) == []


@pytest.mark.parametrize(("default", "advised"), [("''", False), ("close", True)])
def test_the_usual_map_of_websockets(default, advised):
    chosen = f"map $http_upgrade $wanted {{ default upgrade; '' {default}; }} upstream shop {{ server {TCP}; keepalive 4; }}"
    location = "proxy_http_version 1.1; proxy_set_header Connection $wanted; proxy_set_header Upgrade $http_upgrade;"
    world = World().site(f"location / {{ proxy_pass http://shop; {location} }}", outside=(chosen,)).service("shop.service", TCP)
    assert ("keepalive-incomplete" in advice(world.judge())) is advised


@pytest.mark.parametrize(("keep", "advised"), [("", True), ("fastcgi_keep_conn on;", False)])
def test_fastcgi_needs_a_word_of_its_own(keep, advised):
    group = f"upstream php {{ server {PHP}; keepalive 4; }}"
    world = World().site(f"location / {{ fastcgi_pass php; {keep} }}", outside=(group,)).pool(PHP)
    assert ("keepalive-incomplete" in advice(world.judge())) is advised


# --- the two time-outs


@pytest.mark.parametrize(
    ("directives", "settings", "logged", "advised"),
    [
        ("", {}, False, False),
        ("proxy_read_timeout 300s;", {}, False, True),
        ("", {"timeout": 20.0}, False, True),
        ("proxy_read_timeout 300s;", {"timeout": 290.0, "threads": 4.0}, False, False),
        ("proxy_read_timeout 300s;", {"timeout": 300.0}, False, False),
        ("proxy_read_timeout 10s;", {"timeout": 600.0}, False, False),
        ("proxy_read_timeout 10s;", {"timeout": 600.0}, True, True),
        ("proxy_read_timeout 10s;", {"timeout": 0.0}, True, True),
        ("proxy_read_timeout 300s;", {"timeout": None}, False, False),
    ],
)
def test_the_two_time_outs(directives, settings, logged, advised):
    world = http(UNIX, "gunicorn", directives, settings)
    if logged:
        world.logged(UNIX, "read-timeout", last=LOADED + 600)
    assert ("timeouts-misaligned" in advice(world.judge())) is advised


def test_a_limit_and_a_cache_are_not_advised_where_they_are():
    limited = "limit_req zone=all burst=20; proxy_cache pages;"
    result = http(UNIX, "gunicorn", limited).reply(UNIX, connect="full", queue=FULL).judge()
    assert told(result) == [(WORKERS, "cause", "proven")]
    assert advice(result) & {"no-rate-limit", "no-response-cache"} == set()


# --- what a PHP-FPM pool says of itself


BUSY = {"active_processes": 5, "idle_processes": 0, "total_processes": 5, "listen_queue": 3, "max_children_reached": 0, "start_time": LOADED}
UNTOLD = {"accepted": None, "length": None, "backlog": None}
SLOWLOG = "/var/log/php8.2-fpm.slow"


def php(**said) -> World:
    world = World().site(f"location / {{ fastcgi_pass {PHP}; fastcgi_read_timeout 2s; }}")
    world.pool(PHP, status_path="/status", status_listen="127.0.0.1:9001", slowlog=SLOWLOG, request_slowlog_timeout=1.0)
    return world.pool_says("www", **said) if said else world


def shown(result) -> str:
    return "\n".join(f"{item.from_}: {item.shows}" for finding in result.findings for item in finding.evidence)


@pytest.mark.parametrize(
    ("said", "queue", "cause"),
    [
        (BUSY, UNTOLD, WORKERS),
        (BUSY, NOT_TAKEN, WORKERS),
        (BUSY, TAKEN, SLOW),
        ({**BUSY, "listen_queue": 0}, UNTOLD, SLOW),
        ({**BUSY, "active_processes": 4}, UNTOLD, SLOW),
        ({**BUSY, "total_processes": 4, "active_processes": 4}, UNTOLD, SLOW),
        ({}, UNTOLD, SLOW),
    ],
)
def test_a_pool_whose_children_are_all_busy_by_its_own_word(said, queue, cause):
    result = php(**said).reply(PHP, SILENCE, queue=queue).judge()
    assert told(result) == [(cause, "cause", "proven")]
    assert ("status page of PHP-FPM pool www" in shown(result)) == bool(said)


def test_a_page_of_another_pool_is_not_believed():
    world = php(**BUSY)
    world.pages["www (PHP 8.2)"]["pool"] = "api"
    assert told(world.reply(PHP, SILENCE, queue=UNTOLD).judge()) == [(SLOW, "cause", "proven")]


def test_a_busy_pool_that_answers_is_healthy():
    assert told(php(**BUSY).reply(PHP, {"seconds": 1.0}).judge()) == []


@pytest.mark.parametrize(
    ("start", "reached", "logged", "cause"),
    [
        (NOW - 600, 2, False, WORKERS),
        (NOW - 600, 0, False, SLOW),
        (NOW - 30, 2, False, SLOW),
        (NOW - 900000, 2, False, SLOW),
        (NOW - 600, 2, True, SLOW),
    ],
)
def test_a_pool_that_counts_what_no_log_tells(start, reached, logged, cause):
    """Time-outs of before its start, a start of before the window, and a log that tells other times are none of it."""
    world = php(**{**BUSY, "start_time": start, "max_children_reached": reached, "listen_queue": 0, "active_processes": 1})
    world.logged(PHP, "read-timeout")
    if logged:
        world.ended("www (PHP 8.2)", "max-children", kind="pool", at=[NOW - 500], limit=5)
    result = world.judge()
    assert [item[:3] for item in verdict(result)][0] == (cause, "cause", "likely")


def test_the_slow_log_tells_where_a_pool_is_slow():
    world = php().reply(PHP, SILENCE, queue=TAKEN)
    for number, at in ((1, [NOW - 90]), (3, [NOW - 60, NOW - 50])):
        world.ended("www (PHP 8.2)", "slow-request", kind="pool", source=SLOWLOG, at=at, script="/srv/x.php", function="sleep()")
        world.backend_log["events"][-1]["detail"] = {"script": "/srv/x.php", "function": "sleep()", "at": f"/srv/x.php:{number}"}
    result = world.judge()
    assert told(result) == [(SLOW, "cause", "proven")]
    assert f"{SLOWLOG}: slow log: 3 requests longer than 1 s, mostly in sleep() /srv/x.php:3 (/srv/x.php), last " in shown(result)


def test_a_slow_log_alone_is_no_fault():
    world = php()
    world.ended("www (PHP 8.2)", "slow-request", kind="pool", source=SLOWLOG, script="/srv/x.php", function="sleep()")
    assert told(world.judge()) == []
