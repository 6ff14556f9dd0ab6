# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four questions about backends, and which processes are application servers."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backends
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    return tmp_path


def collect(root):
    host = Host(str(root))
    return backends.collect(host, text.Redactor("key"), _processes.scan(host, booted=0.0))


def servers(root):
    return [(server["pid"], server["kind"], [claim["endpoint"] for claim in server["claims"]]) for server in collect(root)["processes"]["value"]]


def test_a_host_without_managers_says_so_for_each(root):
    answers = collect(root)
    assert {name: answer["status"] for name, answer in answers.items()} == {"units": "absent", "supervisor": "absent", "pm2": "absent", "processes": "ok"}
    assert answers["processes"]["value"] == [] and all(answer["why"] for name, answer in answers.items() if name != "processes")


def test_masters_are_told_and_their_workers_are_not(root):
    add_process(root, 10, [b"/usr/bin/python3", b"/usr/bin/gunicorn", b"-b", b"unix:shop.sock", b"shop"], exe=b"/usr/bin/python3.11", cwd=b"/srv/shop")
    add_process(root, 11, [b"/usr/bin/python3", b"/usr/bin/gunicorn", b"-b", b"unix:shop.sock", b"shop"], exe=b"/usr/bin/python3.11", ppid=10)
    add_process(root, 20, [b"uwsgi", b"--socket", b"127.0.0.1:3031"], exe=b"/usr/bin/uwsgi-core")
    add_process(root, 21, [b"uwsgi", b"--socket", b"127.0.0.1:3031"], exe=b"/usr/bin/uwsgi-core", ppid=20)
    add_process(root, 30, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], exe=b"/usr/sbin/php-fpm8.2")
    add_process(root, 31, [b"php-fpm: pool www"], exe=b"/usr/sbin/php-fpm8.2", ppid=30)
    add_process(root, 40, [b"puma 5.6.5 (tcp://127.0.0.1:9292) [shop]"], exe=b"/usr/bin/ruby3.1")
    add_process(root, 41, [b"puma: cluster worker 0: 40 [shop]"], exe=b"/usr/bin/ruby3.1", ppid=40)
    assert servers(root) == [(10, "gunicorn", ["unix:/srv/shop/shop.sock"]), (20, "uwsgi", ["127.0.0.1:3031"]), (30, "php-fpm", []), (40, "puma", [])]


def test_a_mere_interpreter_counts_when_it_claims_an_endpoint(root):
    (root / "srv").mkdir()
    (root / "srv/app.js").write_text("server.listen(3000)\n")
    add_process(root, 50, [b"/usr/bin/node", b"app.js"], exe=b"/usr/bin/node", cwd=b"/srv")
    add_process(root, 51, [b"node /srv/app.js"], exe=b"/usr/bin/node")
    add_process(root, 52, [b"/usr/bin/python3", b"/usr/bin/unattended-upgrade"], exe=b"/usr/bin/python3.11")
    add_process(root, 53, [b"timeout", b"9", b"gunicorn", b"-b", b":8000"], exe=b"/usr/bin/timeout")
    add_process(root, 54, [b"PM2 v7.0.4: God Daemon (/root/.pm2)"], exe=b"/usr/bin/node", cgroup="0::/docker/" + "ab" * 32)
    assert servers(root) == [(50, "node", ["*:3000"]), (51, "node", ["*:3000"])]


def test_files_of_a_container_are_not_looked_for_on_the_host(root):
    (root / "app.js").write_text("server.listen(3000)\n")
    add_process(root, 60, [b"node", b"/app.js", b"--port", b"8080"], exe=b"/usr/bin/node", cgroup="0::/docker/" + "ab" * 32)
    assert servers(root) == [(60, "node", ["*:8080"])]


def test_secrets_and_control_characters_stay_on_the_host(root):
    add_process(root, 70, [b"/usr/bin/java", b"-Dserver.port=8080", b"--api-key", b"hunter2", b"\x1b]0;x\x07"], exe=b"/usr/bin/java")
    argv = collect(root)["processes"]["value"][0]["argv"]
    assert argv[3].startswith("redacted:") and argv[4] == "\\x1b]0;x\\x07"
