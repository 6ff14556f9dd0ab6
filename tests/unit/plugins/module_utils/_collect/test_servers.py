# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What application servers were told, from command lines and the text of files."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import servers
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self

GUNICORN = [b"/usr/bin/python3", b"/usr/bin/gunicorn"]
PYTHON = b"/usr/bin/python3.11"


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    (tmp_path / "srv").mkdir()
    return tmp_path


def collect(root, commands=None):
    host = Host(str(root))
    return servers.collect(host, _processes.scan(host, booted=0.0), commands or {})


def told(root, **more):
    (server,) = collect(root, **more).value
    return {name: setting["value"] for name, setting in server["set"].items()}


def gunicorn(root, *words, environment=b""):
    add_process(root, 10, [*GUNICORN, *words], exe=PYTHON, cwd=b"/srv")
    (root / "proc" / "10" / "environ").write_bytes(environment)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((b"--timeout", b"45", b"-w", b"3"), {"timeout": 45.0, "workers": 3.0}),
        ((b"--timeout=45", b"-w3", b"-k", b"gthread"), {"timeout": 45.0, "workers": 3.0, "class": "gthread"}),
        ((b"-t", b"soon", b"--keep-alive", b"2"), {"timeout": None, "keepalive": 2.0}),
        ((b"--timeout",), {"timeout": None}),
        ((), {}),
    ],
)
def test_the_command_line_of_gunicorn(root, words, expected):
    gunicorn(root, *words, b"shop:app")
    assert told(root) == expected


def test_command_line_before_environment_before_file(root):
    (root / "srv" / "gunicorn.conf.py").write_text("import os\nworkers = os.cpu_count() * 2\ntimeout = 10\nkeepalive = 3  # s\nbacklog = 64\n")
    gunicorn(root, b"--timeout", b"30", b"shop:app", environment=b"SECRET=x\0GUNICORN_CMD_ARGS=--timeout 20 --keep-alive 5\0")
    assert told(root) == {"workers": None, "timeout": 30.0, "keepalive": 5.0, "backlog": 64.0}
    (server,) = collect(root).value
    assert server["set"]["backlog"]["from"] == "/srv/gunicorn.conf.py:5"
    assert server["set"]["keepalive"]["from"] == "GUNICORN_CMD_ARGS"


def test_a_title_hides_the_command_line_and_the_unit_has_it(root):
    add_process(root, 10, [b"gunicorn: master [shop]"], exe=PYTHON, cgroup="0::/system.slice/shop.service")
    found = collect(root)
    assert found.value[0]["set"] is None and found.hidden == ("the command line of gunicorn (pid 10) is not known",)
    assert told(root, commands={"shop.service": ["/usr/bin/gunicorn", "--timeout", "99", "shop"]}) == {"timeout": 99.0}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("api.ini", "[uwsgi]\nprocesses = 4\nharakiri=20\nlisten = 64\n# threads = 9\n;threads=9\nsocket-timeout = %(x)\n"),
        ("api.xml", "<uwsgi>\n  <processes>4</processes>\n  <harakiri>20</harakiri>\n  <listen>64</listen>\n  <socket-timeout>x</socket-timeout>\n</uwsgi>"),
        ("api.yml", "uwsgi:\n  processes: 4\n  harakiri: 20 # s\n  listen: 64\n"),
        ("api.json", '{"uwsgi": {\n"processes": 4,\n"harakiri": 20,\n"listen": 64\n}}'),
    ],
)
def test_the_files_of_uwsgi(root, name, content):
    (root / "srv" / name).write_text(content)
    add_process(root, 20, [b"uwsgi", b"--master", b"/srv/" + name.encode(), b"--touch-reload", b"/srv/other.ini"], exe=b"/usr/bin/uwsgi-core")
    found = told(root)
    assert {key: found[key] for key in ("workers", "timeout", "backlog")} == {"workers": 4.0, "timeout": 20.0, "backlog": 64.0}
    assert found.get("socket_timeout") is None and "threads" not in found


def test_children_are_counted_and_are_no_servers(root):
    add_process(root, 93, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], exe=b"/usr/sbin/php-fpm8.2")
    for pid, name in ((94, b"www"), (95, b"www"), (96, b"api")):
        add_process(root, pid, [b"php-fpm: pool " + name], exe=b"/usr/sbin/php-fpm8.2", ppid=93)
    gunicorn(root)
    add_process(root, 11, GUNICORN, exe=PYTHON, ppid=10)
    assert [(item["kind"], item["name"], item["pid"], item["running"]) for item in collect(root).value] == [
        ("php-fpm", "api", 93, 1),
        ("php-fpm", "www", 93, 2),
        ("gunicorn", "", 10, 1),
    ]


def test_a_file_that_may_not_be_read_leaves_nothing_known(root):
    (root / "srv" / "gunicorn.conf.py").mkdir()
    gunicorn(root, b"--timeout", b"30")
    found = told(root)
    assert found["timeout"] == 30.0 and found["workers"] is None
    assert len(collect(root).hidden) == 1


def test_a_hostile_title_is_harmless(root):
    add_process(root, 94, [b"php-fpm: pool \x1b[2J"], exe=b"/usr/sbin/php-fpm8.2", ppid=93)
    assert "\x1b" not in collect(root).value[0]["name"]
