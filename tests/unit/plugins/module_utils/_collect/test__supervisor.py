# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""supervisor: its configuration, and what supervisord 4.2.5 tells over its socket."""

import os
import socket
import threading
import time
import xmlrpc.client

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _sock_diag, _supervisor, _supervisor_rpc
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self

MAIN = """; supervisor config file
[unix_http_server]
file=/run/supervisor.sock   ; (the path to the socket file)
username = admin
password = hunter2
[include]
files = conf.d/*.conf
"""
SHOP = """
[program:shop]
command=/usr/bin/gunicorn -b 127.0.0.1:8000 shop ; the shop
directory=%(here)s
environment=PORT="8001",SECRET_KEY="hunter2"
stderr_logfile=/var/log/%(program_name)s.err
[program:multi]
command=/usr/bin/worker --port 80%(process_num)02d
process_name=%(program_name)s_%(process_num)02d
numprocs=2
[fcgi-program:php]
socket=unix:///run/%(program_name)s.sock
command=/usr/bin/php-cgi
"""
# getAllProcessInfo of supervisord 4.2.5, without what is not read.
INFOS = [
    {
        "name": "shop", "group": "shop", "statename": "FATAL", "pid": 0, "spawnerr": "Exited too quickly (process log may have details)",
        "description": "x", "stdout_logfile": "/var/log/shop.out",
    },
    {"name": "multi_00", "group": "multi", "statename": "RUNNING", "pid": 712, "spawnerr": "", "description": "pid 712, uptime 0:01:00"},
    {"name": "php", "group": "web", "statename": "STOPPED", "pid": 0, "spawnerr": "", "description": "Nov 23 12:00 AM"},
]


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    for path, content in (("supervisord.conf", MAIN), ("conf.d/shop.conf", SHOP)):
        (tmp_path / "etc/supervisor" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc/supervisor" / path).write_text(content)
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "var/log/shop.err").write_bytes(b"old\n" * 9000 + b"password=hunter2\n\x1b[2Jlast \xff\n")
    (tmp_path / "run").mkdir()
    return tmp_path


def run_daemon(root):
    add_process(root, 700, [b"/usr/bin/python3", b"/usr/bin/supervisord", b"-n", b"-c", b"/etc/supervisor/supervisord.conf"], exe=b"/usr/bin/python3.11", uid=0)


def programs(root):
    host = Host(str(root))
    answer = _supervisor.programs(host, text.Redactor("key"), _processes.scan(host, booted=0.0))
    return {program["name"]: program for program in answer.value}, answer


def serve(path, status, body, requests):
    """Answer one request on a Unix socket."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(1)

    def answer():
        connection, _address = server.accept()
        with connection, server:
            request = b""
            while b"</methodCall>" not in request:
                request += connection.recv(65536)
            requests.append(request)
            connection.sendall(b"HTTP/1.0 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    threading.Thread(target=answer, daemon=True).start()


def test_a_running_supervisord_tells_its_programs(root):
    run_daemon(root)
    requests = []
    serve(root / "run/supervisor.sock", 200, xmlrpc.client.dumps((INFOS,), methodresponse=True).encode(), requests)
    found, answer = programs(root)
    assert b"POST /RPC2" in requests[0] and b"Authorization: Basic YWRtaW46aHVudGVyMg==" in requests[0]
    assert sorted(found) == ["multi:multi_00", "shop", "web:php"] and answer.hidden == ()
    shop = found["shop"]
    assert (shop["state"], shop["pid"], shop["why"], shop["at"]) == (
        "FATAL", None, "Exited too quickly (process log may have details)", {"file": "/etc/supervisor/conf.d/shop.conf", "line": 2})
    assert shop["claims"] == [{"endpoint": "*:8001", "from": "environment"}, {"endpoint": "127.0.0.1:8000", "from": "command"}]
    assert len(shop["log"]) == _supervisor.LOG_LINES and shop["log"][-2].startswith("password=redacted:") and shop["log"][-1] == "\\x1b[2Jlast \\xff"
    assert (found["multi:multi_00"]["state"], found["multi:multi_00"]["pid"], found["multi:multi_00"]["log"]) == ("RUNNING", 712, [])
    assert found["multi:multi_00"]["claims"] == []
    assert found["web:php"]["claims"] == [{"endpoint": "unix:/run/php.sock", "from": "socket"}]
    assert "hunter2" not in str(answer.value)


def test_without_supervisord_the_programs_come_from_the_configuration(root):
    found, answer = programs(root)
    assert sorted(found) == ["multi", "php", "shop"] and answer.hidden == ()
    assert {(program["state"], program["why"]) for program in found.values()} == {("UNKNOWN", "supervisord does not run")}
    assert found["shop"]["command"] == "/usr/bin/gunicorn -b 127.0.0.1:8000 shop"


def test_a_supervisord_that_does_not_answer_is_unknown_and_said(root):
    run_daemon(root)
    found, answer = programs(root)
    assert found["shop"]["state"] == "UNKNOWN" and "No such file" in found["shop"]["why"] and "No such file" in answer.hidden[0]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, b"", "denied"),
        (500, b"", "error"),
        (200, b"<not xml", "error"),
        (200, b"<!DOCTYPE x [<!ENTITY a \"b\">]><methodResponse/>", "error"),
        (200, xmlrpc.client.dumps(("text",), methodresponse=True).encode(), "error"),
    ],
)
def test_a_reply_that_is_none_is_no_empty_list(tmp_path, status, body, outcome):
    serve(tmp_path / "s", status, body, [])
    with pytest.raises(Unanswered) as caught:
        _supervisor_rpc.processes(str(tmp_path / "s"))
    assert caught.value.status == outcome


def test_a_password_is_not_sent_to_another_user(tmp_path):
    requests = []
    serve(tmp_path / "s", 200, b"", requests)
    with pytest.raises(Unanswered) as caught:
        _supervisor_rpc.processes(str(tmp_path / "s"), "admin", "hunter2", {os.geteuid() + 1})
    assert caught.value.status == "denied" and not requests
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        place = "127.0.0.1:{0}".format(taken.getsockname()[1])
        with pytest.raises(Unanswered) as caught:
            _supervisor_rpc.processes(place, "admin", "hunter2", {os.geteuid() + 1})
        assert caught.value.status == "denied"
        assert _sock_diag.users_at(taken.getsockname()[1]) == {os.geteuid()}


def test_who_may_read_the_configuration_is_trusted_with_its_password(root):
    run_daemon(root)
    add_process(root, 701, [b"/usr/bin/supervisord"], uid=1234)
    path, host = root / "etc/supervisor/supervisord.conf", Host(str(root))
    daemons = list(_processes.scan(host, booted=0.0))
    for mode, known in ((0o600, False), (0o644, True)):
        path.chmod(mode)
        assert (1234 in _supervisor._trusted(host, "/etc/supervisor/supervisord.conf", daemons)) is known


def test_a_supervisord_that_sends_a_byte_now_and_then_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(_supervisor_rpc, "SECONDS", 0.3)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen(1)

    def trickle():
        connection, _address = server.accept()
        with connection, server:
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n")
            try:
                for _number in range(200):
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                return

    threading.Thread(target=trickle, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(Unanswered):
        _supervisor_rpc.processes(str(tmp_path / "s"))
    assert time.monotonic() - started < 5


def test_an_option_without_a_value_is_none(root):
    (root / "etc/supervisor/supervisord.conf").write_text("[unix_http_server]\nfile\n[program:a]\ncommand=/bin/a\ndirectory\n")
    run_daemon(root)
    assert programs(root)[1].hidden == ("state of supervisor's programs: supervisord has no control socket",)


def test_the_supervisord_of_another_user_hides_none_of_root(root):
    add_process(root, 600, [b"/usr/bin/supervisord", b"-c", b"/tmp/other.conf"], uid=1234)
    run_daemon(root)
    assert "shop" in programs(root)[0]


def test_one_broken_file_hides_no_other(root):
    (root / "etc/supervisor/conf.d/broken.conf").write_text("no section\nx=1\n")
    (root / "etc/supervisor/conf.d/gone.conf").symlink_to("/nowhere")
    found, answer = programs(root)
    assert len(found) == 3 and len(answer.hidden) == 2


def test_no_supervisor_is_absent(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"])
    with pytest.raises(Unanswered) as caught:
        programs(tmp_path)
    assert caught.value.status == "absent"
