# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's side of the story: it crashes, the kernel or its own manager kills it, or it gave up at boot."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns, verdict

T = NOW - 3 * 3600
NODE = "127.0.0.1:3000"
SOCKET = "unix:/run/php/shop.sock"


def causes(result: HostResult) -> list[tuple[str, str]]:
    return [item[0:1] + item[2:3] for item in verdict(result) if item[1] == "cause"]


def risks(result: HostResult) -> list[str]:
    return [item[0] for item in verdict(result) if item[1] == "risk"]


def only(result: HostResult):
    (finding,) = result.of_kind("cause")
    return finding


def node(**more) -> World:
    return World().passes(f"http://{NODE}").service("shop.service", NODE, started=T + 1, **more)


def lost(world: World, *moments: float, what: str = "closed-early", peer: str = NODE) -> World:
    return world.logged(peer, what, count=len(moments), last=max(moments), first=min(moments), moments=sorted(moments))


# --- backend-crashed


def test_a_crash_hours_ago_is_told_although_it_answers_now():
    result = lost(node(), T).ended("shop.service", "exit", by="systemd", code=1, at=(T + 0.4,)).judge()
    assert causes(result) == [("backend-crashed", "likely")]
    assert "It answers now" in only(result).says and "ended with code 1" in only(result).says
    assert unknowns(result) == [] and result.recovered == ()


def test_a_crash_that_the_probe_meets_too_is_proven():
    world = lost(node(), T, T + 60).ended("shop.service", "exit", by="systemd", signal=11, at=(T, T + 61))
    result = world.reply(NODE, {"status": "closed", "why": "the backend closed the connection without an answer", "seconds": 0.1}).judge()
    assert causes(result) == [("backend-crashed", "proven")]


def test_the_core_dump_and_the_kernels_word_are_shown():
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=11, at=(T,))
    cores = [{"name": "core." + comm, "comm": comm, "pid": 9, "time": T} for comm in ("node", "other")]
    world.backend_log["cores"] = evidence.answer("cores", cores)
    line = {"event": "segfault", "time": T, "pid": 9, "comm": "node", "unit": "", "constraint": "", "memory": None, "port": None}
    world.backend_log["kernel"]["value"]["events"].append({**line, "sample": "node[9]: segfault at 0"})
    shown = {(item.from_, item.shows) for item in only(world.judge()).evidence}
    assert {("core dump", "core.node"), ("kernel log", "node[9]: segfault at 0")} <= shown
    assert ("core dump", "core.other") not in shown


def test_a_kill_from_outside_is_never_proven_to_be_a_crash():
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=9, at=(T,))
    finding = only(world.reply(NODE, {"status": "closed", "seconds": 0.1}).judge())
    assert (finding.id, finding.certainty, finding.alternatives) == ("backend-crashed", "likely", ("backend-closes-early",))


def test_a_kill_whose_reason_the_kernel_does_not_tell():
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=9, at=(T,))
    world.units[0]["memory"]["limit"] = 150 << 20
    world.backend_log["kernel"] = evidence.no_answer("/dev/kmsg", evidence.DENIED, "/dev/kmsg: Operation not permitted")
    finding = only(world.judge())
    assert (finding.id, finding.certainty, finding.alternatives) == ("backend-crashed", "likely", ("backend-oom-killed",))
    assert any("150 MiB" in item.shows for item in finding.evidence)


def test_one_crash_among_many_lost_requests_is_only_possible():
    moments = [T + 600 * number for number in range(1, 9)]
    result = lost(node(), *moments).ended("shop.service", "exit", by="systemd", signal=11, at=(moments[3],)).judge()
    assert ("backend-crashed", "possible") in causes(result)


def test_refused_connections_until_it_was_started_again():
    world = node().logged(NODE, "connect-refused", count=9, first=T + 1, last=T + 20, moments=[T + 1, T + 5, T + 20])
    assert causes(world.ended("shop.service", "exit", by="systemd", signal=6, at=(T,)).judge()) == [("backend-crashed", "likely")]


def test_refused_connections_long_after_a_crash_have_nothing_to_do_with_it():
    world = node().logged(NODE, "connect-refused", count=1, last=T + 3000, moments=[T + 3000])
    result = world.ended("shop.service", "exit", by="systemd", signal=6, at=(T,)).judge()
    assert causes(result) == [] and len(result.recovered) == 1


@pytest.mark.parametrize("code", [129, 130, 131, 143])
def test_what_ends_with_the_code_of_a_signal_that_asks_did_not_crash(code):
    """A Java server that is sent SIGTERM by a deploy ends with 143."""
    result = lost(node(), T).ended("shop.service", "exit", by="systemd", code=code, at=(T,)).judge()
    assert verdict(result) == [] and len(result.recovered) == 1


def test_what_ends_with_the_code_of_another_signal_crashed():
    result = lost(node(), T).ended("shop.service", "exit", by="systemd", code=139, at=(T,)).judge()
    assert causes(result) == [("backend-crashed", "likely")]


@pytest.mark.parametrize("signal", [1, 2, 3, 15])
def test_what_ends_by_a_signal_that_asks_did_not_crash(signal):
    result = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=signal, at=(T,)).judge()
    assert causes(result) == [] and len(result.recovered) == 1 and unknowns(result) == []


def test_a_crash_at_another_time_explains_nothing():
    result = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=11, at=(T - 600,)).judge()
    assert causes(result) == []


def test_a_crash_of_another_backend_explains_nothing():
    world = lost(node(), T).unit("mailer.service", "127.0.0.1:2525").ended("mailer.service", "exit", by="systemd", signal=11, at=(T,))
    assert causes(world.judge()) == []


def test_of_two_endpoints_the_one_whose_backend_crashed():
    world = World().site("location / { proxy_pass http://127.0.0.1:3000; }", "location /b { proxy_pass http://127.0.0.1:4000; }")
    world.service("a.service", "127.0.0.1:3000", started=T + 1).service("b.service", "127.0.0.1:4000", started=T + 1)
    lost(lost(world, T), T, peer="127.0.0.1:4000").ended("b.service", "exit", by="systemd", signal=11, at=(T,))
    assert [finding.endpoint for finding in world.judge().of_kind("cause")] == ["127.0.0.1:4000"]


@pytest.mark.parametrize("event", ["worker-killed", "worker-exit"])
def test_a_child_of_a_php_fpm_pool(event):
    world = World().passes(f"fastcgi_pass {SOCKET}").pool(SOCKET, name="shop")
    lost(world, T, what="reset-early", peer=SOCKET)
    how = {"signal": 11} if event == "worker-killed" else {"code": 255}
    world.ended("shop (PHP 8.2)", event, kind="pool", at=(T,), pids=(77,), source="/var/log/php8.2-fpm.log", lived=6.4, **how)
    finding = only(world.judge())
    assert (finding.id, finding.certainty) == ("backend-crashed", "likely")
    assert "A worker of PHP-FPM pool shop (PHP 8.2)" in finding.says


def test_a_child_of_another_pool_of_the_same_master():
    world = World().passes(f"fastcgi_pass {SOCKET}").pool(SOCKET, name="shop").pool("unix:/run/php/www.sock", name="www")
    lost(world, T, what="reset-early", peer=SOCKET).ended("www (PHP 8.2)", "worker-killed", kind="pool", signal=11, at=(T,))
    assert causes(world.judge()) == []


def test_a_program_of_supervisor_and_an_app_of_pm2():
    world = World().passes(f"http://{NODE}").program("shop:shop_00", "RUNNING", NODE, pid=50)
    world.listen(NODE, pid=50, unit="supervisor.service", started=T + 1)
    lost(world, T).ended("shop_00", "exit", kind="program", by="supervisor", code=1, at=(T,), source="/var/log/supervisor/supervisord.log")
    assert causes(world.judge()) == [("backend-crashed", "likely")]
    world = World().passes(f"http://{NODE}").app("shop", "online", NODE, pid=50)
    world.listen(NODE, pid=50, started=T + 1)
    lost(world, T).ended("shop", "exit", kind="app", by="pm2", code=1, at=(T,), source="/home/deploy/.pm2/pm2.log")
    assert causes(world.judge()) == [("backend-crashed", "likely")]


def test_a_worker_that_its_master_ended_did_not_crash():
    world = World().passes(f"http://{NODE}").service("shop.service", NODE, comm="gunicorn", started=T - 1000)
    world.server(world.units[0]["main_pid"], "gunicorn", told={"timeout": 2.0})
    lost(world, T).ended("shop.service", "worker-timeout", at=(T,), pids=(50,)).ended("shop.service", "worker-killed", signal=9, at=(T + 1,), pids=(50,))
    assert causes(world.judge()) == [("backend-killed-by-manager", "likely")]


def test_a_recycled_worker_is_no_crash():
    world = lost(node(), T).ended("shop.service", "worker-leaving", at=(T,), pids=(50,))
    assert causes(world.judge()) == []


def test_a_crash_of_what_is_down_now_is_told_as_down():
    world = World().passes(f"http://{NODE}").unit("shop.service", NODE, active="failed", result="signal", code="killed", status=11, started=T - 100, exited=T)
    lost(world, T).ended("shop.service", "exit", by="systemd", signal=11, at=(T,))
    assert causes(world.judge()) == [("backend-not-running", "proven")]


def test_a_remote_backend_is_not_judged_by_this_hosts_events():
    world = World().passes("http://10.9.9.9:3000").unit("shop.service", "*:3000")
    lost(world, T, peer="10.9.9.9:3000").ended("shop.service", "exit", by="systemd", signal=11, at=(T,))
    assert "backend-crashed" not in [name for name, _certainty in causes(world.judge())]


def test_a_backend_on_another_host_of_the_fleet():
    world = lost(World().passes("http://10.0.0.9:3000"), T, peer="10.0.0.9:3000").reply("10.0.0.9:3000", {})
    peer = World("app1", "10.0.0.9").service("shop.service", "0.0.0.0:3000", started=T + 1)
    finding = only(world.judge(peer.ended("shop.service", "exit", by="systemd", signal=11, at=(T,))))
    assert (finding.id, finding.certainty) == ("backend-crashed", "likely")
    assert "systemd unit shop.service on app1" in finding.says


def test_a_log_that_could_not_be_read_is_said():
    world = node()
    world.backend_log["sources"].append({"owner": "x", "source": "/var/log/php8.2-fpm.log", "status": "denied", "why": "Permission denied", "truncated": False})
    result = world.judge()
    assert ("backend log", "/var/log/php8.2-fpm.log", "denied") in unknowns(result)


# --- backend-oom-killed


def oom(**more) -> World:
    world = node(**more)
    world.units[0]["memory"] = {"limit": 64 << 20, "peak": 64 << 20, "oom_kills": 0}
    return world


def test_a_kill_that_the_kernels_log_tells_of():
    finding = only(lost(oom(), T).killed_for_memory("shop.service", pid=50, at=T).judge())
    assert (finding.id, finding.certainty) == ("backend-oom-killed", "likely")
    assert "limit of 64 MiB" in finding.says
    assert any("had 64 MiB" in item.shows for item in finding.evidence)


def test_a_kill_that_the_unit_is_down_of():
    world = World().passes(f"http://{NODE}").unit("shop.service", NODE, active="failed", result="oom-kill", code="killed", status=9, started=T - 50, exited=T)
    assert causes(world.judge()) == [("backend-oom-killed", "proven")]


def test_a_kill_again_and_again_at_the_start():
    world = World().passes(f"http://{NODE}").unit("shop.service", NODE, active="activating", result="oom-kill", restarts=9, started=T - 1, exited=T)
    assert causes(world.judge()) == [("backend-oom-killed", "proven")]


def test_a_kill_by_somebody_of_a_unit_with_a_limit():
    world = World().passes(f"http://{NODE}").unit("shop.service", NODE, active="failed", result="signal", code="killed", status=9, started=T - 50, exited=T)
    world.units[0]["memory"] = {"limit": 64 << 20, "peak": None, "oom_kills": None}
    assert causes(world.judge()) == [("backend-not-running", "proven")]


def test_the_kernels_count_and_a_worker_killed_when_requests_failed():
    world = lost(oom(comm="gunicorn"), T)
    world.units[0]["memory"]["oom_kills"] = 2
    world.ended("shop.service", "worker-killed", signal=9, at=(T + 0.5,), pids=(60,))
    assert causes(world.judge()) == [("backend-oom-killed", "likely")]


def test_the_kernels_count_and_a_probe_that_is_cut_off():
    world = lost(oom(comm="gunicorn"), T)
    world.units[0]["memory"]["oom_kills"] = 2
    world.ended("shop.service", "worker-killed", signal=9, at=(T + 0.5,), pids=(60,)).reply(NODE, {"status": "closed", "seconds": 0.4})
    assert causes(world.judge()) == [("backend-oom-killed", "proven")]


def test_the_kernels_count_alone_is_a_risk():
    world = oom()
    world.units[0]["memory"]["oom_kills"] = 1
    result = world.judge()
    assert causes(result) == [] and risks(result) == ["backend-oom-killed"]


@pytest.mark.parametrize(("pids", "endpoints"), [((7,), [SOCKET]), ((), [SOCKET, "unix:/run/php/blog.sock"])])
def test_a_kill_is_of_the_pool_whose_child_the_master_names(pids, endpoints):
    world = World().site(f"location /shop {{ fastcgi_pass {SOCKET}; }}", "location /blog { fastcgi_pass unix:/run/php/blog.sock; }")
    world.pool(SOCKET, name="shop").pool("unix:/run/php/blog.sock", name="blog")
    world.killed_for_memory("php8.2-fpm.service", pid=7, comm="php-fpm8.2", at=T)
    lost(world, T, what="reset-early", peer=SOCKET).ended("shop (PHP 8.2)", "worker-killed", kind="pool", signal=9, at=(T,), pids=pids)
    assert sorted(item[3] for item in verdict(world.judge()) if item[0] == "backend-oom-killed") == sorted(endpoints)


def test_an_old_kill_does_not_hide_a_crash():
    world = lost(oom(), T).ended("shop.service", "exit", by="systemd", signal=11, at=(T,))
    world.units[0]["memory"]["oom_kills"] = 2
    result = world.judge()
    assert causes(result) == [("backend-crashed", "likely")] and risks(result) == ["backend-oom-killed"]
    world = lost(oom(), T).ended("shop.service", "exit", by="systemd", signal=11, at=(T,)).killed_for_memory("shop.service", pid=50, at=T - 7200)
    assert causes(world.judge()) == [("backend-crashed", "likely")]


def test_a_kill_without_a_unit_is_joined_by_process_and_time():
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=9, at=(T,))
    assert causes(world.killed_for_memory("", pid=50, comm="node", at=T + 1, constraint="host").judge()) == [("backend-oom-killed", "likely")]
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=9, at=(T,))
    assert causes(world.killed_for_memory("", pid=50, comm="mysqld", at=T + 1, constraint="host").judge()) == [("backend-crashed", "likely")]


def test_of_the_programs_of_one_supervisor_the_one_that_ended_then():
    def programs() -> World:
        world = World().passes(f"http://{NODE}").program("shop", "RUNNING", NODE, pid=50).unit("supervisor.service", pid=40)
        world.listen(NODE, pid=50, unit="supervisor.service", started=T + 1)
        return lost(world, T).killed_for_memory("supervisor.service", pid=49, at=T)

    world = programs().ended("shop", "exit", kind="program", by="supervisor", signal=9, at=(T,), source="/var/log/supervisor/supervisord.log")
    assert causes(world.judge()) == [("backend-oom-killed", "likely")]
    world = programs().ended("mailer", "exit", kind="program", by="supervisor", signal=9, at=(T,), source="/var/log/supervisor/supervisord.log")
    assert causes(world.judge()) == []


def test_a_kill_in_a_container():
    world = lost(node(), T).ended("shop.service", "exit", by="systemd", signal=9, at=(T,))
    world.killed_for_memory("/docker/" + "5" * 64, pid=50, comm="node", at=T)
    assert causes(world.judge()) == [("backend-crashed", "likely")]


def test_a_kill_of_another_unit():
    assert verdict(oom().unit("mailer.service").killed_for_memory("mailer.service", pid=50).judge()) == []


# --- backend-killed-by-manager


def php(**more) -> World:
    return World().passes(f"fastcgi_pass {SOCKET}").pool(SOCKET, name="shop", **more)


def test_php_fpm_ended_what_took_too_long():
    world = lost(php(request_terminate_timeout=2.0, slowlog="/var/log/shop.slow", request_slowlog_timeout=1.0), T, what="reset-early", peer=SOCKET)
    world.ended("shop (PHP 8.2)", "terminate-timeout", kind="pool", at=(T,), pids=(7,), script="/srv/report.php", after=2.4)
    world.ended("shop (PHP 8.2)", "slow-request", kind="pool", source="/var/log/shop.slow", script="/srv/report.php", function="curl_exec()", at=(T,))
    world.backend_log["events"][-1]["detail"]["at"] = "/srv/api.php:12"
    world.ended("shop (PHP 8.2)", "worker-killed", kind="pool", signal=15, at=(T,), pids=(7,))
    finding = only(world.judge())
    assert (finding.id, finding.certainty) == ("backend-killed-by-manager", "likely")
    assert "after 2 s" in finding.says and "nginx waits 60 s" in finding.says
    assert any("/srv/report.php" in item.shows for item in finding.evidence)
    assert any("slow log: 1 request longer than 1 s, mostly in curl_exec() /srv/api.php:12 (/srv/report.php)" in item.shows for item in finding.evidence)


@pytest.mark.parametrize(("seconds", "expected"), [(2.0, True), (4.6, True), (0.3, False), (9.0, False)])
def test_a_probe_that_was_cut_off_after_that_time(seconds, expected):
    world = World().passes(f"http://{NODE}").service("shop.service", NODE, comm="gunicorn")
    world.server(world.units[0]["main_pid"], "gunicorn", told={"timeout": 2.0})
    result = world.reply(NODE, {"status": "closed", "seconds": seconds, "why": "closed"}).judge()
    assert (("backend-killed-by-manager", "proven") in causes(result)) == expected


@pytest.mark.parametrize("more", [{"class": "gthread"}, {"threads": 4.0}])
def test_the_timeout_of_workers_that_report_meanwhile_is_none_of_the_request(more):
    world = World().passes(f"http://{NODE}").service("shop.service", NODE, comm="gunicorn")
    world.server(world.units[0]["main_pid"], "gunicorn", told={"timeout": 2.0, **more})
    assert causes(world.reply(NODE, {"status": "closed", "seconds": 2.1, "why": "closed"}).judge()) != [("backend-killed-by-manager", "proven")]


def test_harakiri():
    world = lost(World().passes(f"uwsgi_pass {NODE}").service("shop.service", NODE, comm="uwsgi", started=T - 9), T)
    world.server(world.units[0]["main_pid"], "uwsgi", told={"timeout": 2.0})
    world.ended("shop.service", "harakiri", at=(T - 0.2,), pids=(7,)).ended("shop.service", "worker-killed", signal=9, at=(T + 1,), pids=(7,))
    assert causes(world.judge()) == [("backend-killed-by-manager", "likely")]


def reloaded(**version) -> World:
    world = lost(php(), T, what="reset-early", peer=SOCKET)
    world.php["versions"].append({"version": "8.2", "unit": "php8.2-fpm.service", "running": True, "pid": 1, "process_control_timeout": 0.0, **version})
    return world.ended("php8.2-fpm.service", "reload", at=(T,), source="/var/log/php8.2-fpm.log", what="Reloading in progress")


def test_a_reload_of_php_fpm_that_cut_requests():
    finding = only(reloaded().judge())
    assert (finding.id, finding.certainty) == ("backend-killed-by-manager", "likely")
    assert "process_control_timeout" in finding.fix.summary


def test_a_reload_that_waits_for_requests():
    assert causes(reloaded(process_control_timeout=30.0).judge()) == []


def test_pm2_ended_an_app_for_its_memory():
    world = World().passes(f"http://{NODE}").app("shop", "online", NODE, pid=50)
    world.listen(NODE, pid=50, started=T + 1)
    lost(world, T).ended("shop", "memory-reload", kind="app", by="pm2", at=(T,), source="/home/deploy/.pm2/pm2.log", size=214585344, limit=104857600)
    finding = only(world.judge())
    assert (finding.id, finding.certainty) == ("backend-killed-by-manager", "likely")
    assert "max_memory_restart" in finding.says and "kill_timeout" in finding.fix.summary


# --- uwsgi-request-too-big


def test_a_bare_request_that_does_not_fit_either_is_proven():
    world = lost(World().passes(f"uwsgi_pass {NODE}").service("shop.service", NODE, comm="uwsgi", started=T - 9), T, what="reset-early")
    world.ended("shop.service", "request-too-big", at=(T,), size=5120, limit=4096)
    finding = only(world.reply(NODE, {"status": "reset", "seconds": 0.01}).judge())
    assert (finding.id, finding.certainty) == ("uwsgi-request-too-big", "proven")
    assert "buffer-size = 8192" in finding.fix.summary


def test_a_buffer_that_was_raised_since():
    world = lost(World().passes(f"uwsgi_pass {NODE}").service("shop.service", NODE, comm="uwsgi", started=T + 9), T, what="reset-early")
    world.server(world.units[0]["main_pid"], "uwsgi", told={"buffer_size": 16384.0}).ended("shop.service", "request-too-big", at=(T,), size=5120, limit=4096)
    result = world.judge()
    assert causes(result) == [] and unknowns(result) == [] and len(result.recovered) == 1


def test_a_log_without_times_makes_it_possible():
    world = lost(World().passes(f"uwsgi_pass {NODE}").service("shop.service", NODE, comm="uwsgi", started=T - 9), T, what="reset-early")
    world.ended("shop.service", "request-too-big", at=(T,), size=5120, limit=4096)
    world.backend_log["events"][0].update(moments=[], first=None, last=None)
    assert causes(world.judge()) == [("uwsgi-request-too-big", "possible")]


def test_over_http_the_message_has_no_size():
    world = lost(World().passes(f"http://{NODE}").service("shop.service", NODE, comm="uwsgi", started=T - 9), T, what="reset-early")
    assert causes(world.ended("shop.service", "request-too-big", at=(T,), limit=4096).judge()) == [("uwsgi-request-too-big", "likely")]


def test_http_on_a_socket_of_the_uwsgi_protocol_is_another_fault():
    world = lost(World().passes(f"http://{NODE}").service("shop.service", NODE, comm="uwsgi", started=T - 9), T)
    result = world.ended("shop.service", "request-too-big", at=(T,), size=21573, limit=4096).judge()
    assert "uwsgi-request-too-big" not in [name for name, _certainty in causes(result)]


# --- startup-order

WORDS = "Error: connect ECONNREFUSED 127.0.0.1:5432"


def early(words: str = WORDS, began: float = T + 20, **more) -> World:
    world = World().passes(f"http://{NODE}").unit("shop.service", NODE, active="failed", result="exit-code", code="exited", status=1, started=T - 1, exited=T)
    world.units[0].update({"journal": [words], **more})
    world.service("postgresql.service", "127.0.0.1:5432", comm="postgres", started=began)
    return world


@pytest.mark.parametrize(
    "words",
    [
        WORDS,
        'psycopg2.OperationalError: connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "Error: connect ECONNREFUSED ::ffff:127.0.0.1:5432 localhost:5432",
        "dial tcp 127.0.0.1:5432: connect: connection refused",
        "Can't connect to server on 'localhost:5432' (111)",
    ],
)
def test_a_backend_that_gave_up_before_its_database_was_there(words):
    finding = only(early(words).judge())
    assert (finding.id, finding.certainty, finding.endpoint) == ("startup-order", "proven", NODE)
    assert "20 s later" in finding.says and "postgresql.service" in finding.fix.summary


@pytest.mark.parametrize(
    ("words", "began"),
    [
        (WORDS, T - 50),
        (WORDS, T + 4000),
        ("Error: connect ECONNREFUSED 127.0.0.1:6379", T + 20),
        ("Error: password authentication failed for 127.0.0.1:5432", T + 20),
        ("listening on 127.0.0.1:5432", T + 20),
    ],
)
def test_a_backend_that_failed_for_another_reason(words, began):
    assert [name for name, _certainty in causes(early(words, began).judge())] == ["backend-start-failing"]


def test_a_backend_that_somebody_stopped_lost_no_race():
    assert [name for name, _certainty in causes(early(asked_to_stop=True).judge())] == ["backend-not-running"]


def order_of(world: World) -> dict:
    fix = only(world.judge()).fix
    assert (fix.remedy, fix.safety) == ("unit_order", "risky")
    (item,) = fix.changes
    return item


def test_a_backend_is_ordered_after_what_it_needs_and_started_again():
    assert order_of(early()) == {"unit": "shop.service", "after": ["postgresql.service"], "restart": True, "endpoint": NODE}


def test_a_backend_that_is_started_again_already_is_ordered_alone():
    assert order_of(early(restart="on-failure"))["restart"] is False


def test_a_backend_that_is_ordered_already_is_started_again():
    assert order_of(early(after=["postgresql.service"]))["after"] == []


def test_two_units_are_not_ordered_after_each_other():
    world = early()
    world.units[1]["after"] = ["shop.service"]
    assert order_of(world)["after"] == []


@pytest.mark.parametrize("more", [{"after": ["postgresql.service"], "restart": "always"}, {"enabled": "masked"}])
def test_a_backend_whose_order_cannot_be_mended_is_left_to_a_person(more):
    fix = only(early(**more).judge()).fix
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())


def test_a_supervisor_program_cannot_be_ordered():
    world = World().passes(f"http://{NODE}").program("shop", "FATAL", NODE).service("postgresql.service", "127.0.0.1:5432", comm="postgres", started=T + 20)
    world.programs[0]["log"] = [WORDS]
    world.ended("shop", "exit", kind="program", by="supervisor", code=1, at=(T,))
    finding = only(world.judge())
    assert (finding.id, finding.fix.remedy, finding.fix.changes) == ("startup-order", None, ())


def nginx_early(text: str = 'host not found in upstream "orders.internal" in /etc/nginx/sites-enabled/shop:3') -> World:
    return World().passes(f"http://{NODE}").service("shop.service", NODE).refused_reload(text, pids=(88,), last=NOW - 3500).stopped(active="failed")


def test_an_nginx_whose_test_before_the_start_told_the_journal_alone():
    world = World().passes(f"http://{NODE}").service("shop.service", NODE).stopped(active="failed")
    said = 'nginx: [emerg] host not found in upstream "orders.internal:3000" in /etc/nginx/sites-enabled/shop:3'
    world.unit("nginx.service", active="failed", fragment="/lib/systemd/system/nginx.service", journal=[said, "nginx: configuration file test failed"])
    finding = only(world.judge())
    assert (finding.id, finding.certainty, finding.evidence[0].from_) == ("startup-order", "proven", "journal of nginx.service")
    assert "orders.internal could not" in finding.says
    assert finding.fix.changes == ({"unit": "nginx.service", "after": ["network-online.target", "nss-lookup.target"], "restart": True},)


def test_an_nginx_whose_files_were_changed_since():
    world = nginx_early().passes(f"http://{NODE}", mtime=NOW - 100)
    assert causes(world.judge()) == [("nginx-not-running", "proven")]


def test_an_nginx_that_gave_up_on_something_else_later():
    world = nginx_early().refused_reload("bind() to 0.0.0.0:80 failed (98: Address already in use)", pids=(89,), last=NOW - 3000)
    assert causes(world.judge()) == [("nginx-not-running", "proven")]


def test_an_nginx_that_nobody_means_to_run():
    world = nginx_early().stopped(enabled="disabled", active="inactive")
    assert causes(world.judge()) == []
