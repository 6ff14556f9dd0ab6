# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as PHP-FPM 8.2, gunicorn 20.1 to 23.0, uWSGI 2.0.21, systemd 219 and 252, supervisor 4.2, PM2 7.0, Node 18, Java, Go, Puma and Unicorn print them."""

import calendar
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _backend_log as backend_log

FPM = "[26-Nov-2026 23:19:00] WARNING: "
LINES = (
    (FPM + "[pool www] child 14893 exited on signal 11 (SIGSEGV) after 6.411310 seconds from start", "worker-killed",
     {"owner": "www", "pid": 14893, "signal": 11, "lived": 6.41131}),
    (FPM + "[pool www] child 14893 exited on signal 11 (SIGSEGV - core dumped) after 6.411310 seconds from start", "worker-killed",
     {"owner": "www", "pid": 14893, "signal": 11, "lived": 6.41131}),
    ("WARNING: [pool www] child 7 exited with code 255 after 1.0 seconds from start", "worker-exit", {"owner": "www", "pid": 7, "code": 255, "lived": 1.0}),
    (FPM + "[pool term] child 14895, script '/srv/doc/sleep30.php' (request: \"GET /r?x\") execution timed out (2.001 sec), terminating", "terminate-timeout",
     {"owner": "term", "pid": 14895, "script": "/srv/doc/sleep30.php", "request": "GET /r?x", "after": 2.001}),
    (FPM + "[pool www] child 5, script '/srv/a.php' (request: \"GET /a\") executing too slow (3.5 sec), logging", "slow",
     {"owner": "www", "pid": 5, "script": "/srv/a.php", "request": "GET /a", "after": 3.5}),
    (FPM + "[pool www] server reached pm.max_children setting (5), consider raising it", "max-children", {"owner": "www", "limit": 5}),
    (FPM + "[pool www] server reached max_children setting (5), consider raising it", "max-children", {"owner": "www", "limit": 5}),
    ("[26-Nov-2026 23:19:00.123456] WARNING: pid 9, fpm_children_bury(), line 265: [pool www] child 3 exited on signal 9 (SIGKILL) after 2.0 seconds",
     "worker-killed", {"owner": "www", "pid": 3, "signal": 9, "lived": 2.0}),
    ("[26-Nov-2026 23:19:00] NOTICE: Reloading in progress ...", "reload", {"what": "Reloading in progress"}),
    ("[2026-11-26 23:19:00 +0000] [139] [CRITICAL] WORKER TIMEOUT (pid:146)", "worker-timeout", {"pid": 146}),
    ("[2026-11-26 23:18:59 +0000] [139] [WARNING] Worker with pid 146 was terminated due to signal 9", "worker-killed", {"pid": 146, "signal": 9}),
    ("[2026-11-26 23:18:59 +0000] [139] [ERROR] Worker (pid:22636) was sent SIGKILL! Perhaps out of memory?", "worker-killed", {"pid": 22636, "signal": 9}),
    ("[2026-11-26 23:18:59 +0000] [139] [ERROR] Worker (pid:22636) exited with code 1.", "worker-exit", {"pid": 22636, "code": 1}),
    ("[2026-11-26 23:18:59 +0000] [146] [INFO] Worker exiting (pid: 146)", "worker-leaving", {"pid": 146}),
    ("[2026-11-26 23:19:01 +0000] [139] [INFO] Reason: Worker failed to boot.", "boot-failed", {"what": "Worker failed to boot"}),
    ("Thu Nov 26 23:19:11 2026 - *** HARAKIRI ON WORKER 1 (pid: 165, try: 1) ***", "harakiri", {"worker": 1, "pid": 165, "try": 1}),
    ("Thu Nov 26 23:19:11 2026 - *** HARAKIRI ON WORKER 1 (pid: 165, try: 1, graceful: yes) ***", "harakiri", {"worker": 1, "pid": 165, "try": 1}),
    ("DAMN ! worker 1 (pid: 144) died, killed by signal 9 :( trying respawn ...", "worker-killed", {"worker": 1, "pid": 144, "signal": 9}),
    ("DAMN ! worker 1 (pid: 144) died :( trying respawn ...", "worker-exit", {"worker": 1, "pid": 144}),
    ("!!! uWSGI process 159 got Segmentation Fault !!!", "worker-killed", {"pid": 159, "signal": 11}),
    ("Thu Nov 26 23:19:11 2026 - *** EVIL RELOAD ON WORKER 2 RSS: 140000000 (pid: 165) ***", "memory-reload",
     {"worker": 2, "what": "RSS", "size": 140000000, "pid": 165}),
    ("invalid request block size: 4246 (max 4096)...skip", "request-too-big", {"size": 4246, "limit": 4096}),
    ("invalid HTTP request size (max 4096)...skip", "request-too-big", {"limit": 4096}),
    ("Thu Nov 26 23:19:11 2026 - *** uWSGI listen queue of socket \"127.0.0.1:8002\" (fd: 3) full !!! (101/100) ***", "queue-full",
     {"socket": "127.0.0.1:8002", "queued": 101, "limit": 100}),
    ("[48246] ! Terminating timed out worker: 48247", "worker-timeout", {"pid": 48247}),
    ("[48246] ! Terminating timed out worker (worker failed to check in within 60 seconds): 48247", "worker-timeout", {"pid": 48247}),
    ("E, [2026-11-26T23:19:00.123456 #12] ERROR -- : worker=0 PID:15 timeout (61s > 60s), killing", "worker-timeout",
     {"worker": 0, "pid": 15, "after": 61.0, "limit": 60}),
    ("E, [2026-11-26T23:19:00.123456 #12] ERROR -- : reaped #<Process::Status: pid 15 SIGKILL (signal 9)> worker=0", "worker-killed", {"pid": 15, "signal": 9}),
    ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "heap-exhausted", {}),
    ("Terminating due to java.lang.OutOfMemoryError: Java heap space", "heap-exhausted", {}),
    ("2026/11/26 23:20:28 http: panic serving 127.0.0.1:41036: assignment to entry in nil map", "request-panic", {}),
    ("http: panic serving [::1]:41036: runtime error: index out of range [11] with length 3", "request-panic", {}),
    ("Node.js v18.19.0", "uncaught-exception", {}),
)
MANAGERS = (
    ("systemd", "n.service: Main process exited, code=killed, status=9/KILL", "exit", {"signal": 9}),
    ("systemd", "n.service: Main process exited, code=dumped, status=11/SEGV", "exit", {"signal": 11}),
    ("systemd", "n.service: Main process exited, code=exited, status=1/FAILURE", "exit", {"code": 1}),
    ("systemd", "n.service: main process exited, code=killed, status=9/KILL", "exit", {"signal": 9}),
    ("systemd", "Unit n.service entered failed state.", "result", {}),
    ("systemd", "start request repeated too quickly for n.service", "restarts-exhausted", {}),
    ("systemd", "n.service: Failed with result 'oom-kill'.", "result", {"result": "oom-kill"}),
    ("systemd", "n.service: A process of this unit has been killed by the OOM killer.", "oom-kill", {}),
    ("systemd", "Stopping n.service - Shop...", "stopping", {}),
    ("supervisor", "2026-11-26 23:20:15,429 WARN exited: s (exit status 1; not expected)", "exit", {"owner": "s", "code": 1, "expected": "not expected"}),
    ("supervisor", "2026-11-26 23:20:17,653 INFO exited: s (terminated by SIGKILL; not expected)", "exit",
     {"owner": "s", "signal": 9, "expected": "not expected"}),
    ("supervisor", "2026-11-26 23:21:02,317 WARN stopped: s (terminated by SIGTERM)", "stopped", {"owner": "s"}),
    ("pm2", "2026-11-26T23:20:28: PM2 log: App [p:0] exited with code [1] via signal [SIGINT]", "exit", {"owner": "p", "number": 0, "code": 1}),
    ("pm2", "2026-11-26T23:20:31: PM2 log: App [p:0] exited with code [0] via signal [SIGKILL]", "exit", {"owner": "p", "number": 0, "code": 0, "signal": 9}),
    ("pm2", "2026-11-27T00:32:53: PM2 log: [PM2][WORKER] Process 0 restarted because it exceeds --max-memory-restart value "
     "(current_memory=214585344 max_memory_limit=104857600 [octets])", "memory-reload", {"number": 0, "size": 214585344, "limit": 104857600}),
    ("pm2", "2026-11-26T23:21:03: PM2 log: Stopping app:p id:0", "stopped", {"owner": "p", "number": 0}),
)
OTHERS = (
    "[26-Nov-2026 23:19:00] NOTICE: [pool www] child 3 exited with code 0 after 300.0 seconds from start",
    "[26-Nov-2026 23:19:00] WARNING: [pool www] child 3 said into stderr: \"WARNING: [pool www] child 5 exited on signal 11 (SIGSEGV) after 1.0 seconds\"",
    "127.0.0.1 - GET /WORKER TIMEOUT (pid:12)",
    "user asked: Worker (pid:1) was sent SIGKILL!",
    "n.service: Main process exited, code=killed, status=9/KILL",
    "2026-11-26 23:20:15,429 WARN exited: s (exit status 1; not expected)",
    "listening on port 3000",
    "Node.js v18.19.0 is what this runs on",
)


@pytest.mark.parametrize(("line", "event", "values"), LINES)
def test_a_line_of_a_program(line, event, values):
    assert backend_log.may_tell(line.encode())
    assert backend_log.recognise(line) == (event, values)


@pytest.mark.parametrize(("manager", "line", "event", "values"), MANAGERS)
def test_a_line_of_a_manager(manager, line, event, values):
    assert backend_log.may_tell(line.encode())
    assert backend_log.recognise(line, manager) == (event, values)


@pytest.mark.parametrize("line", OTHERS)
def test_what_only_looks_like_one(line):
    assert backend_log.recognise(line) is None


@pytest.mark.parametrize("line", [
    "[2026-11-26 23:19:00 +0000] [139] [INFO] x",
    "[2026-11-27 00:19:00 +0100] [139] [INFO] x",
    "2026-11-26T23:19:00Z x",
])
def test_a_time_with_a_zone(line):
    assert backend_log.stamp(line) == calendar.timegm((2026, 11, 26, 23, 19, 0))


@pytest.mark.parametrize("line", [
    "[26-Nov-2026 23:19:00] NOTICE: x",
    "[26-Nov-2026 23:19:00.123456] NOTICE: x",
    "2026-11-26 23:19:00,429 INFO x",
    "2026-11-26T23:19:00: PM2 log: x",
    "Thu Nov 26 23:19:00 2026 - x",
    "E, [2026-11-26T23:19:00.123456 #12] ERROR -- : x",
])
def test_a_local_time(line):
    assert backend_log.stamp(line) == time.mktime((2026, 11, 26, 23, 19, 0, 0, 0, -1))


@pytest.mark.parametrize("line", ["", "x", "[99-Foo-2026 23:19:00] x", "[2026-13-45 99:99:99 +0000] x", "Thu Nov"])
def test_no_time(line):
    assert backend_log.stamp(line) is None
