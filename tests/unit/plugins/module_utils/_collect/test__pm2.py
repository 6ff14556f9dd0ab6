# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2: a daemon that is asked over its socket as PM2 7.0 answers, and one that is gone."""

import json
import os
import socket
import struct
import threading

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _pm2
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self

# getMonitorData of PM2 7.0.4, without what is not read: one app that serves, one that exits with 3 at once.
LISTED = [
    {"pid": 6019, "name": "app", "pm_id": 0, "pm2_env": {
        "name": "app", "status": "online", "restart_time": 0, "pm_exec_path": "/srv/app/app.js", "pm_cwd": "/srv/app", "username": "deploy",
        "env": {"PORT": "3456", "SECRET_TOKEN": "hunter2", "DB_PORT": "5432"}, "PORT": "3456", "SECRET_TOKEN": "hunter2",
        "pm_err_log_path": "/home/deploy/.pm2/logs/app-error.log"}},
    {"pid": 0, "name": "crash", "pm_id": 1, "pm2_env": {
        "name": "crash", "status": "errored", "restart_time": 15, "exit_code": 3, "pm_exec_path": "/srv/app/crash.js", "pm_cwd": "/srv/app",
        "args": ["--port", "3457"], "pm_err_log_path": "/home/deploy/.pm2/logs/crash-error.log", "env": {}}},
]
HOME = "/home/deploy/.pm2"


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    (tmp_path / "home/deploy/.pm2/logs").mkdir(parents=True)
    (tmp_path / "home/deploy/.pm2/logs/crash-error.log").write_bytes(b"Error: token=hunter2\n\x1b[2J\xff\n")
    (tmp_path / "srv/app").mkdir(parents=True)
    (tmp_path / "srv/app/app.js").write_text("http.createServer().listen(3456, '127.0.0.1');\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"deploy:x:{os.getuid()}:0::/home/deploy:/bin/sh\nshort:line\n")
    return tmp_path


def run_daemon(root, home=HOME, uid=None):
    title = f"PM2 v7.0.4: God Daemon ({home})".encode()
    add_process(root, 6008, [title], comm=b"PM2 v7.0.4: God", exe=b"/usr/bin/node", uid=os.getuid() if uid is None else uid)


def apps(root, ask=None):
    host = Host(str(root))
    answer = _pm2.apps(host, text.Redactor("key"), _processes.scan(host, booted=0.0), ask)
    return {app["name"]: app for app in answer.value}, answer


def test_a_daemon_tells_its_apps(root):
    run_daemon(root)
    asked = []
    found, answer = apps(root, lambda home, daemon: asked.append((home, daemon.pid)) or LISTED)
    assert asked == [(str(root) + HOME, 6008)] and answer.hidden == ()
    app, crash = found["app"], found["crash"]
    assert (app["status"], app["pid"], app["restarts"], app["exit_code"], app["log"]) == ("online", 6019, 0, None, [])
    assert (app["script"], app["user"]) == ("/srv/app/app.js", "deploy")
    assert app["claims"] == [{"endpoint": "*:3456", "from": "PM2 environment"}, {"endpoint": "127.0.0.1:3456", "from": "/srv/app/app.js:1"}]
    assert (crash["status"], crash["pid"], crash["restarts"], crash["exit_code"]) == ("errored", None, 15, 3)
    assert crash["claims"] == [{"endpoint": "*:3457", "from": "PM2 args"}]
    assert crash["log"][0].startswith("Error: token=redacted:") and crash["log"][1] == "\\x1b[2J\\xff"
    assert "hunter2" not in json.dumps(answer.value)


def test_without_a_daemon_the_saved_apps_are_stopped_and_none_is_started(root):
    (root / "home/deploy/.pm2/dump.pm2").write_text(json.dumps([dict(app["pm2_env"], status="online") for app in LISTED]))
    before = sorted(str(path) for path in root.rglob("*"))
    found, answer = apps(root, lambda home, daemon: pytest.fail("there is no daemon to ask"))
    assert {(app["status"], app["pid"]) for app in found.values()} == {("stopped", None)}
    assert "no PM2 daemon runs" in answer.hidden[0]
    assert sorted(str(path) for path in root.rglob("*")) == before


def test_a_daemon_that_does_not_answer_leaves_the_saved_apps_unknown(root):
    run_daemon(root)
    (root / "home/deploy/.pm2/dump.pm2").write_text(json.dumps([LISTED[0]["pm2_env"]]))
    found, answer = apps(root)
    assert found["app"]["status"] == "unknown" and "No such file" in answer.hidden[0]


def test_a_home_without_saved_apps_has_none(root):
    assert apps(root)[1].value == []


@pytest.mark.parametrize("dump", [b"{", b"\xff\xfe", b"[1, null, \"x\"]", b"{}"])
def test_a_dump_that_is_broken_has_no_apps(root, dump):
    (root / "home/deploy/.pm2/dump.pm2").write_bytes(dump)
    assert apps(root)[0] == {}


def test_apps_of_odd_types_do_no_harm(root):
    run_daemon(root)
    odd = {"name": 5, "status": None, "env": [], "args": 3 * [None], "pm_err_log_path": 7, "restart_time": "many"}
    listed = [{"pid": "x", "pm2_env": odd}, {"pm2_env": None}, 7]
    found, answer = apps(root, lambda home, daemon: listed)
    assert len(answer.value) == 2 and found[""]["restarts"] == 0


def test_a_log_of_another_user_is_not_read(root):
    run_daemon(root, uid=os.getuid() + 1)
    assert apps(root, lambda home, daemon: LISTED)[0]["crash"]["log"] == []


def test_no_pm2_is_absent(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"])
    with pytest.raises(Unanswered) as caught:
        apps(tmp_path)
    assert caught.value.status == "absent"


def serve(path, reply, requests):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path / "rpc.sock"))
    server.listen(1)

    def answer():
        connection, _address = server.accept()
        with connection, server:
            connection.settimeout(1)
            try:
                requests.append(connection.recv(65536))
                connection.sendall(reply)
            except OSError:
                pass

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


def daemon(pid=None, uid=None):
    process = _processes.Process()
    process.pid, process.uid = os.getpid() if pid is None else pid, os.getuid() if uid is None else uid
    return process


def test_the_protocol_is_that_of_pm2(tmp_path):
    requests = []
    body = b"j:" + json.dumps({"args": [LISTED]}).encode()
    serve(tmp_path, _pm2.pack(body, b"s:webops:0"), requests)
    assert _pm2.question(str(tmp_path), daemon()) == LISTED
    request = requests[0]
    length = struct.unpack(">I", request[1:5])[0]
    assert request[0] == 0x12 and json.loads(request[7:5 + length]) == {"type": "call", "method": "getMonitorData", "args": [{}]}


@pytest.mark.parametrize("other", [{"pid": 1}, {"uid": 4711}])
def test_nothing_is_sent_to_anyone_but_the_daemon(tmp_path, other):
    requests = []
    thread = serve(tmp_path, b"", requests)
    with pytest.raises(Unanswered) as caught:
        _pm2.question(str(tmp_path), daemon(**other))
    thread.join(2)
    assert caught.value.status == "denied" and requests in ([], [b""])


@pytest.mark.parametrize("reply", [b"", b"\x12\xff\xff\xff\xff", b"\x11\x00\x00\x00\x05j:{}]", b"\x10", b"\x11\x00\x00\x00\x04j:{}"])
def test_a_reply_that_is_none_is_no_empty_list(tmp_path, reply):
    serve(tmp_path, reply, [])
    with pytest.raises(Unanswered) as caught:
        _pm2.question(str(tmp_path), daemon())
    assert caught.value.status == "error"


def test_a_daemon_that_says_nothing_is_a_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(_pm2, "TIMEOUT", 0.1)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "rpc.sock"))
    server.listen(1)
    with server, pytest.raises(Unanswered) as caught:
        _pm2.question(str(tmp_path), daemon())
    assert caught.value.status == "timeout"
