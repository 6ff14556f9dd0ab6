# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of backends, on a host of files and recorded commands."""

import base64
import json
import os
import pwd
import shutil
import struct
import tempfile
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host, _processes, _text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _server_logs, backend_log
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils._collect.engine_server import EngineServer, chunked

NOW = 1_800_000_000.0
T = NOW - 600


class Host(_host.Host):
    """A folder, and the records of a journal: {"unit": [record]}, or an Unanswered for each call."""

    def __init__(self, root):
        super().__init__(str(root))
        self.records = []
        self.kernel = []
        self.calls = []
        self.failures = []

    def now(self):
        return NOW

    def run(self, argv, timeout=10, limit=1 << 20):
        self.calls.append(list(argv))
        for failure in self.failures:
            raise failure
        records = self.kernel if "--dmesg" in argv else self.records
        return _host.Output(0, b"\n".join(json.dumps(record).encode() for record in records), b"")


@pytest.fixture
def host(tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    name = pwd.getpwuid(os.geteuid()).pw_name
    (tmp_path / "etc/passwd").write_text("{0}:x:{1}:0::/root:/bin/sh\n".format(name, os.geteuid()))
    return Host(tmp_path)


def nginx(target="http://127.0.0.1:3000"):
    raw = "server {{ listen 80; location / {{ proxy_pass {0}; }} }}\n".format(target)
    return {"instances": [{"files": [{"content": base64.b64encode(raw.encode()).decode()}]}]}


def unit(name="shop.service", *claims, **more):
    claims = [{"endpoint": item, "from": "ExecStart"} for item in claims or ("127.0.0.1:3000",)]
    return dict({"name": name, "claims": claims, "logs": [], "active": "active", "sub": "running"}, **more)


def backends(units=(), programs=(), apps=(), processes=()):
    parts = (("units", units), ("supervisor", programs), ("pm2", apps), ("processes", processes))
    return {name: evidence.answer(name, list(value)) for name, value in parts}


def record(message, unit_name="shop.service", pid="500", at=T, **more):
    told = {"MESSAGE": message, "_PID": pid, "__REALTIME_TIMESTAMP": str(int(at * 1e6))}
    told["UNIT" if pid == "1" else "_SYSTEMD_UNIT"] = unit_name
    return dict(told, **more)


def collect(host, found=None, php=None, since=3600.0, target="http://127.0.0.1:3000", running=()):
    processes = _processes.Processes({process.pid: process for process in running})
    return backend_log.collect(host, _text.Redactor("k"), processes, since, nginx(target), {"tcp": [], "unix": []}, php, found or backends([unit()]))


def told(answer):
    return [(event["kind"], event["owner"], event["by"], event["event"], event["signal"], event["code"], event["count"]) for event in answer.value["events"]]


def write(host, path, content, at=NOW):
    place = host.path(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="utf-8") as file:
        file.write(content)
    os.utime(place, (at, at))
    return place


def stamped(form, at=T):
    return time.strftime(form, time.localtime(at))


# --- the journal


def test_systemd_is_told_apart_from_the_program(host):
    host.records = [
        record("shop.service: Main process exited, code=killed, status=11/SEGV", pid="1"),
        record("shop.service: Main process exited, code=killed, status=9/KILL"),
        record("shop.service: Main process exited, code=killed, status=9/KILL", UNIT="shop.service"),
        record("[2026-11-26 23:18:59 +0000] [139] [ERROR] Worker (pid:151) was sent SIGKILL! Perhaps out of memory?"),
        record("[2026-11-26 23:18:59 +0000] [139] [ERROR] Worker (pid:152) was sent SIGKILL! Perhaps out of memory?", at=T + 5),
    ]
    answer = collect(host)
    assert told(answer) == [("unit", "shop.service", "systemd", "exit", 11, None, 1), ("unit", "shop.service", "log", "worker-killed", 9, None, 2)]
    assert answer.value["events"][1]["pids"] == [151, 152]
    assert (answer.value["events"][1]["first"], answer.value["events"][1]["last"]) == (T, T + 5)


def test_what_was_asked_to_stop_did_not_end_by_itself(host):
    host.records = [
        record("Stopping shop.service - Shop...", pid="1", at=T),
        record("shop.service: Main process exited, code=exited, status=143/n/a", pid="1", at=T + 1),
        record("shop.service: Failed with result 'exit-code'.", pid="1", at=T + 1),
        record("Started shop.service - Shop.", pid="1", at=T + 2),
        record("shop.service: Main process exited, code=exited, status=1/FAILURE", pid="1", at=T + 30),
    ]
    assert told(collect(host)) == [("unit", "shop.service", "systemd", "exit", None, 1, 1)]


def test_its_own_words_before_it_ended(host):
    host.records = [
        record("Error: boom ?token=hunter2", at=T - 0.2),
        record("    at Server.<anonymous> (/srv/app.js:2:27)", at=T - 0.1),
        record("Node.js v18.20.4", at=T - 0.1),
        record("shop.service: Main process exited, code=exited, status=1/FAILURE", pid="1", at=T),
    ]
    exception, event = collect(host).value["events"]
    assert (exception["event"], event["event"]) == ("uncaught-exception", "exit")
    assert len(event["words"]) == 1 and event["words"][0].startswith("Error: boom") and "hunter2" not in event["words"][0]


def test_only_units_that_nginx_may_send_to(host):
    collect(host, backends([unit(), unit("mailer.service", "127.0.0.1:2525"), unit("idle.service", active="failed", sub="failed", claims=[])]))
    (asked,) = [call for call in host.calls if "--dmesg" not in call]
    assert [word for word in asked if word.startswith("--unit")] == ["--unit=shop.service", "--unit=idle.service"]


def test_a_variable_may_name_any(host):
    collect(host, backends([unit(), unit("mailer.service", "127.0.0.1:2525")]), target="http://$app")
    assert any("--unit=mailer.service" in call for call in host.calls)


def test_no_unit_no_question(host):
    collect(host, backends([unit("mailer.service", "127.0.0.1:2525")]))
    assert [call for call in host.calls if "--dmesg" not in call] == []


def test_a_journal_that_does_not_answer_is_said(host):
    host.failures.append(evidence.Unanswered(evidence.DENIED, "no permission"))
    answer = collect(host)
    assert [(source["source"], source["status"]) for source in answer.value["sources"]] == [("journal", "denied")]
    assert answer.hidden == ("journal: no permission",)


def test_without_grep_the_last_lines_of_all(host):
    def run(argv, timeout=10, limit=1 << 20):
        if any(word.startswith("--grep") for word in argv):
            return _host.Output(1, b"", b"unrecognized option '--grep'")
        lines = [record("a"), record("shop.service: Main process exited, code=killed, status=11/SEGV", pid="1")]
        return _host.Output(0, b"\n".join(json.dumps(line).encode() for line in lines), b"")

    host.run = run
    assert told(collect(host)) == [("unit", "shop.service", "systemd", "exit", 11, None, 1)]


# --- files


def test_php_fpm_names_the_pool(host):
    write(host, "/var/log/php8.2-fpm.log", (
        "[{0}] WARNING: [pool www] child 12 exited on signal 11 (SIGSEGV) after 6.4 seconds from start\n"
        "[{0}] NOTICE: Reloading in progress ...\n"
        "[{1}] WARNING: [pool www] child 9 exited on signal 11 (SIGSEGV) after 6.4 seconds from start\n"
    ).format(stamped("%d-%b-%Y %H:%M:%S"), stamped("%d-%b-%Y %H:%M:%S", NOW - 90000)))
    php = {"versions": [{"version": "8.2", "unit": "php8.2-fpm.service", "error_log": "/var/log/php8.2-fpm.log"}]}
    assert told(collect(host, backends(), php)) == [
        ("pool", "www (PHP 8.2)", "log", "worker-killed", 11, None, 1), ("unit", "php8.2-fpm.service", "log", "reload", None, None, 1),
    ]


SLOW = (
    "\n[{0}]  [pool www] pid 12\nscript_filename = /srv/x.php\n[0x00007f9acc2131f0] sleep() /srv/x.php:3\n[0x00007f9acc213180] {{closure}}() /srv/x.php:9\n"
)


def slow_pool(**more):
    pool = {"name": "www", "version": "8.2", "listen": "127.0.0.1:3000", "slowlog": "/var/log/slow.log", "request_slowlog_timeout": 1.0}
    return {"versions": [], "pools": [dict(pool, **more)]}


def test_slow_requests_of_a_pool_by_their_place(host):
    other = SLOW.replace("x.php:3", "y.php:7").replace("sleep", "curl_exec").replace("pid 12", "pid 13")
    stamps = [stamped("%d-%b-%Y %H:%M:%S", at) for at in (NOW - 90000, T, T + 5)]
    cut = "\n[{0}]  [pool www] pid 14\nscript_filename = /srv/z.php".format(stamps[1])
    another = SLOW.replace("[pool www]", "[pool api]").format(stamps[1])
    write(host, "/var/log/slow.log", "".join(SLOW.format(stamp) for stamp in stamps) + other.format(stamps[1]) + another + cut)
    answer = collect(host, backends(), slow_pool())
    assert told(answer) == [("pool", "www (PHP 8.2)", "log", "slow-request", None, None, count) for count in (2, 1, 1)]
    first, second, third = [event["detail"] for event in answer.value["events"]]
    assert first == {"script": "/srv/x.php", "function": "sleep()", "at": "/srv/x.php:3"}
    assert (second["function"], second["at"]) == ("curl_exec()", "/srv/y.php:7")
    assert third == {"script": "/srv/z.php", "function": "", "at": ""}
    assert (answer.value["events"][0]["moments"], answer.value["events"][0]["pids"]) == ([T, T + 5], [12, 12])


def test_many_places_of_slow_requests_are_bounded(host):
    at = stamped("%d-%b-%Y %H:%M:%S")
    places = [SLOW.replace("x.php:3", "x.php:{0}".format(number)).format(at) for number in range(3, 303)]
    write(host, "/var/log/slow.log", "".join(places + places[-1:]))
    events = collect(host, backends(), slow_pool()).value["events"]
    assert sorted(event["count"] for event in events) == [1] * 9 + [2, 290]
    assert [event["detail"]["at"] for event in events if event["count"] == 290] == [""]


@pytest.mark.parametrize("more", [{"request_slowlog_timeout": 0.0}, {"slowlog": ""}, {"listen": "127.0.0.1:4000"}, {"listen": ""}])
def test_no_slow_log_is_read(host, more):
    write(host, "/var/log/slow.log", SLOW.format(stamped("%d-%b-%Y %H:%M:%S")))
    answer = collect(host, backends(), slow_pool(**more))
    assert answer.value["events"] == [] and answer.value["sources"] == []


def test_a_slow_log_that_cannot_be_read_is_said(host):
    (source,) = collect(host, backends(), slow_pool()).value["sources"]
    assert (source["owner"], source["source"], source["status"]) == ("pool www (PHP 8.2)", "/var/log/slow.log", "absent")


def test_hostile_slow_log_leaves_harmless(host):
    content = SLOW.replace("/srv/x.php", "/srv/\x1b[2J" + "x" * 5000 + ".php").format(stamped("%d-%b-%Y %H:%M:%S"))
    write(host, "/var/log/slow.log", content + "[0x1] \n[0x2] ?\n[pool www]\n")
    (event,) = collect(host, backends(), slow_pool()).value["events"]
    assert "\x1b" not in json.dumps(event, ensure_ascii=False)
    assert len(event["detail"]["script"]) <= 310


def program(**more):
    claims = [{"endpoint": "127.0.0.1:3000", "from": "environment"}]
    return dict({"name": "shop", "claims": claims, "logs": ["/var/log/shop-err.log"], "manager_log": "/var/log/supervisord.log"}, **more)


def test_supervisor_and_the_words_of_its_program(host):
    write(host, "/var/log/supervisord.log", "{0},123 WARN exited: shop (exit status 1; not expected)\n".format(stamped("%Y-%m-%d %H:%M:%S")))
    write(host, "/var/log/shop-err.log", "Traceback (most recent call last):\n  File \"a.py\"\nValueError: x\n", T + 1)
    answer = collect(host, backends(programs=[program()]))
    assert told(answer) == [("program", "shop", "supervisor", "exit", None, 1, 1)]
    assert answer.value["events"][0]["words"] == ["Traceback (most recent call last):", "ValueError: x"]


def app(user, **more):
    claims = [{"endpoint": "127.0.0.1:3000", "from": "PM2 environment"}]
    return dict({"name": "shop", "claims": claims, "logs": [], "manager_log": "/home/deploy/.pm2/pm2.log", "user": user}, **more)


PM2 = (
    "{0}: PM2 log: App [shop:0] exited with code [1] via signal [SIGINT]\n"
    "{0}: PM2 log: Stopping app:shop id:0\n"
    "{0}: PM2 log: App [shop:0] exited with code [0] via signal [SIGINT]\n"
)


def test_pm2_and_what_it_was_asked_to_stop(host):
    write(host, "/home/deploy/.pm2/pm2.log", PM2.format(stamped("%Y-%m-%dT%H:%M:%S")))
    answer = collect(host, backends(apps=[app(pwd.getpwuid(os.geteuid()).pw_name)]))
    assert told(answer) == [("app", "shop", "pm2", "exit", None, 1, 1), ("app", "shop", "pm2", "stopped", None, None, 1)]


def test_pm2_and_what_used_too_much_memory(host):
    write(host, "/home/deploy/.pm2/pm2.log", (
        "{0}: PM2 log: [PM2][WORKER] Process 0 restarted because it exceeds --max-memory-restart value (current_memory=3 max_memory_limit=2 [octets])\n"
        "{0}: PM2 log: Stopping app:other id:1\n{0}: PM2 log: Stopping app:shop id:0\n{0}: PM2 log: App [shop:0] exited with code [0] via signal [SIGINT]\n"
    ).format(stamped("%Y-%m-%dT%H:%M:%S")))
    found = told(collect(host, backends(apps=[app(pwd.getpwuid(os.geteuid()).pw_name)])))
    assert ("app", "shop", "pm2", "memory-reload", None, None, 1) in found and not [item for item in found if item[3] == "exit"]


def test_pm2_stops_some_of_a_cluster_at_once(host):
    lines = ["Stopping app:shop id:0", "Stopping app:shop id:1"] + [f"App [shop:{number}] exited with code [143] via signal [SIGINT]" for number in (0, 1, 2)]
    write(host, "/home/deploy/.pm2/pm2.log", "".join(f"{stamped('%Y-%m-%dT%H:%M:%S')}: PM2 log: {line}\n" for line in lines))
    answer = collect(host, backends(apps=[app(pwd.getpwuid(os.geteuid()).pw_name)]))
    assert [item[3:] for item in told(answer)] == [("stopped", None, None, 2), ("exit", None, 143, 1)]


def test_a_log_that_its_user_linked_to_elsewhere_is_not_read(host):
    place = write(host, "/home/deploy/.pm2/pm2.log", PM2.format(stamped("%Y-%m-%dT%H:%M:%S")))
    user = pwd.getpwuid(os.geteuid()).pw_name
    os.link(place, place + ".copy")
    answer = collect(host, backends(apps=[app(user)]))
    assert told(answer) == [] and [source["status"] for source in answer.value["sources"]] == ["denied"]
    os.unlink(place + ".copy")
    answer = collect(host, backends(apps=[app("somebody-else")]))
    assert told(answer) == [] and [source["status"] for source in answer.value["sources"]] == ["denied"]


def test_a_log_that_is_larger_than_its_bound(host):
    line = "{0},123 WARN exited: shop (exit status 1; not expected)\n"
    filler = "{0},123 INFO spawned: 'other' with pid 12\n".format(stamped("%Y-%m-%d %H:%M:%S")) * 20000
    write(host, "/var/log/supervisord.log", line.format(stamped("%Y-%m-%d %H:%M:%S")) + filler)
    answer = collect(host, backends(programs=[program(logs=[])]))
    assert told(answer) == [] and answer.truncated and answer.value["sources"][0]["truncated"]


def test_a_log_that_was_rotated_within_the_window(host):
    line = "{0},123 WARN exited: shop (exit status 1; not expected)\n"
    write(host, "/var/log/supervisord.log.1", line.format(stamped("%Y-%m-%d %H:%M:%S")), T)
    write(host, "/var/log/supervisord.log", line.format(stamped("%Y-%m-%d %H:%M:%S", T + 60)))
    assert told(collect(host, backends(programs=[program(logs=[])]))) == [("program", "shop", "supervisor", "exit", None, 1, 2)]


DIED = "DAMN ! worker 1 (pid: 144) died, killed by signal 11 :( trying respawn ...\n"
RESPAWNED = "Respawned uWSGI worker 1 (new pid: 159)\n"


def served(at):
    return "[pid: 1|app: 0|req: 1/1] 127.0.0.1 () {{24 vars}} [{0}] GET / => generated 3 bytes in 1 msecs\n".format(stamped("%a %b %d %H:%M:%S %Y", at))


def worker(pid, started):
    process = _processes.Process()
    process.pid, process.started, process.exe, process.argv = pid, started, "/usr/bin/uwsgi-core", ["uwsgi"]
    return process


@pytest.mark.parametrize(("content", "running", "expected"), [
    (served(T - 900) + DIED + RESPAWNED, [(159, T)], [T]),
    (served(T) + DIED + RESPAWNED + served(T + 2), [], [T]),
    (served(T - 900) + DIED + RESPAWNED + served(T + 2), [], []),
    (DIED + RESPAWNED, [], []),
    ("Thu Jan  1 00:00:00 2026 - *** HARAKIRI ON WORKER 1 (pid: 9, try: 1) ***\n" + DIED, [], []),
])
def test_the_time_of_a_line_that_has_none(host, content, running, expected):
    write(host, "/var/log/uwsgi.log", content)
    answer = collect(host, backends([unit(logs=["/var/log/uwsgi.log"])]), running=[worker(*item) for item in running])
    (event,) = [event for event in answer.value["events"] if event["event"] == "worker-killed"]
    assert event["moments"] == expected


def test_a_log_that_was_last_written_before_the_window_tells_nothing(host):
    write(host, "/var/log/uwsgi.log", DIED, NOW - 90000)
    assert told(collect(host, backends([unit(logs=["/var/log/uwsgi.log"])]))) == []


def test_hostile_text_leaves_harmless(host):
    write(host, "/var/log/php.log", "[{0}] WARNING: [pool a\x1b[2Jb] child 1 exited on signal 11 (SIGSEGV) after 6.4 seconds from start\n".format(
        stamped("%d-%b-%Y %H:%M:%S")))
    php = {"versions": [{"version": "", "unit": "", "error_log": "/var/log/php.log"}]}
    (event,) = collect(host, backends(), php).value["events"]
    assert "\x1b" not in json.dumps(event, ensure_ascii=False)


def test_many_different_events_are_bounded(host):
    lines = "".join("[{0}] WARNING: [pool p{1}] server reached pm.max_children setting (5), consider raising it\n".format(
        stamped("%d-%b-%Y %H:%M:%S"), number) for number in range(400))
    write(host, "/var/log/php.log", lines)
    answer = collect(host, backends(), {"versions": [{"version": "", "unit": "", "error_log": "/var/log/php.log"}]})
    assert len(answer.value["events"]) == backend_log.GROUPS and answer.truncated


# --- the kernel

OOM = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={0},task_memcg={0},task=node,pid=20750,uid=33",
    "Memory cgroup out of memory: Killed process 20750 (node) total-vm:611248kB, anon-rss:98256kB, file-rss:4252kB, shmem-rss:1456kB, UID:33",
)


@pytest.mark.parametrize(("group", "name"), [
    ("/system.slice/shop.service", "shop.service"),
    ("/system.slice/system-php.slice/php@8.2.service", "php@8.2.service"),
    ("/docker/" + "5" * 64, "/docker/" + "5" * 64),
])
def test_the_kernel_names_the_unit(host, group, name):
    host.kernel = [record(line.format(group), pid="0") for line in OOM]
    kernel = collect(host).value["kernel"]
    assert kernel["value"]["source"] == "journalctl -k"
    (event,) = kernel["value"]["events"]
    assert (event["event"], event["pid"], event["comm"], event["unit"], event["constraint"], event["memory"]) == (
        "oom-kill", 20750, "node", name, "group", 98256 << 10)


@pytest.mark.parametrize(("line", "expected"), [
    ("Out of memory: Killed process 7 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB", ("oom-kill", 7, "java", "host")),
    ("Out of memory: Kill process 7 (java) score 900 or sacrifice child", ("oom-kill", 7, "java", "host")),
    ("php-fpm8.2[5558]: segfault at 7ffe742abff8 ip 000055ebae9042d7 sp 00007ffe742ac000 error 6 in php-fpm8.2[2152d7]", ("segfault", 5558, "php-fpm8.2", "")),
    ("traps: node[12] trap invalid opcode ip:7f sp:7f error:0 in libnode.so", ("segfault", 12, "node", "")),
    ("nf_conntrack: nf_conntrack: table full, dropping packet", ("conntrack-full", None, "", "")),
])
def test_other_records_of_the_kernel(host, line, expected):
    host.kernel = [record(line, pid="0")]
    (event,) = collect(host).value["kernel"]["value"]["events"]
    assert (event["event"], event["pid"], event["comm"], event["constraint"]) == expected


def test_no_kernel_log_is_no_empty_one(host):
    assert collect(host).value["kernel"]["status"] == "absent"


def test_core_dumps_by_their_names(host):
    name = "core.node.1000.{0}.4711.{1}.zst".format("a" * 32, int(T * 1e6))
    write(host, "/var/lib/systemd/coredump/" + name, "")
    write(host, "/var/lib/systemd/coredump/core.node.1000.{0}.1.{1}.zst".format("a" * 32, int((NOW - 90000) * 1e6)), "")
    write(host, "/var/lib/systemd/coredump/other", "")
    assert collect(host).value["cores"]["value"] == [{"name": name, "comm": "node", "pid": 4711, "time": T}]


# --- where servers log


@pytest.mark.parametrize(("argv", "expected"), [
    (["/usr/bin/gunicorn", "--error-logfile", "/var/log/shop/error.log", "app"], ["/var/log/shop/error.log"]),
    (["/usr/bin/python3", "/srv/venv/bin/gunicorn", "--log-file=log/e.log", "app"], ["/srv/log/e.log"]),
    (["/usr/bin/gunicorn", "--error-logfile", "-", "app"], []),
    (["/usr/bin/uwsgi", "--logto", "/var/log/u.log"], ["/var/log/u.log"]),
    (["/usr/bin/uwsgi-core", "--logger", "file:/var/log/u.log"], ["/var/log/u.log"]),
    (["/usr/bin/uwsgi", "--logger", "syslog:shop"], []),
    (["/usr/bin/node", "--error-logfile", "/x"], []),
])
def test_logs_of_a_command_line(host, argv, expected):
    assert _server_logs.paths(host, argv, "/srv") == expected


def test_logs_of_a_configuration(host):
    write(host, "/etc/uwsgi/apps/shop.ini", "[uwsgi]\nlogto = /var/log/uwsgi/%n.log\n")
    assert _server_logs.paths(host, ["/usr/bin/uwsgi", "--ini", "/etc/uwsgi/apps/shop.ini"], "/") == ["/var/log/uwsgi/shop.log"]
    write(host, "/srv/gunicorn.conf.py", "errorlog = '/var/log/shop.log'\n")
    assert _server_logs.paths(host, ["/usr/bin/gunicorn", "app"], "/srv") == ["/var/log/shop.log"]


# --- containers

def container(name="shop-app", **more):
    return dict({"engine": "/run/docker.sock", "id": "ab" * 32, "name": name, "status": "ok", "started": 1.0, "exposed": [3000], "published": []}, **more)


def wrote(*lines):
    return b"".join(struct.pack(">BxxxI", 2, len(line)) + line for line in lines)


@pytest.fixture(name="kept")
def _kept():
    """A host in a folder that is short enough for the socket of an engine."""
    root = tempfile.mkdtemp(prefix="e", dir="/tmp")
    server = EngineServer(root + "/run/docker.sock", {})
    yield Host(root), server
    server.close()
    shutil.rmtree(root)


def ask_containers(host, *found, engines=()):
    processes = _processes.Processes({})
    value = {"engines": [{"socket": "/run/docker.sock", "uid": os.geteuid()}] + list(engines), "containers": list(found)}
    return backend_log.collect(host, _text.Redactor("k"), processes, 3600.0, nginx(), {"tcp": [], "unix": []}, None, None, value)


def test_what_a_container_wrote(kept):
    host, server = kept
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(T))
    line = "{0}.123456789Z [2027-01-15 08:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:12)\n".format(stamp).encode()
    way = "/v1.41/containers/{0}/logs?stdout=1&stderr=1&timestamps=1&since={1}&tail=2000".format("ab" * 32, int(NOW - 3600))
    server.answers[way] = chunked(wrote(b"2027-01-15T07:00:00Z GET /?WORKER+TIMEOUT\n", line, line))
    others = [container("cache", exposed=[6379], id="cd" * 32), container("new", started=None, id="ef" * 32), container("late", status="timeout", id="01" * 32)]
    answer = ask_containers(host, container(), *others)
    event, = answer.value["events"]
    assert (event["kind"], event["owner"], event["event"], event["count"], event["by"]) == ("container", "shop-app", "worker-timeout", 2, "log")
    assert event["moments"] == [T, T] and event["pids"] == []
    assert [(source["owner"], source["status"]) for source in answer.value["sources"]] == [("shop-app", "ok")]


def test_a_container_of_a_user_does_not_speak_for_one_of_root_s(kept):
    host, _server = kept
    other = {"socket": "/run/user/4001/docker.sock", "uid": 4001}
    found = [container(engine=other["socket"], name=name, id="cd" * 32) for name in ("shop-app", "own")]
    root = {"socket": "/run/root.sock", "uid": 0}
    answer = ask_containers(host, container(engine=root["socket"]), *found, engines=(root, other))
    assert [source["owner"] for source in answer.value["sources"]] == ["shop-app", "own"]


def test_a_log_that_an_engine_does_not_give_is_said(kept):
    host, _server = kept
    answer = ask_containers(host, container(published=[{"port": 80, "host_port": 3000}], exposed=[]))
    assert answer.value["sources"][0]["status"] == "absent" and answer.value["events"] == []
