# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes a real host inside a checkpoint, and has it undone: by the host itself when the controller was killed, and by the playbook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import lab_hosts
import pytest
import yaml
from lab_base import LabError, attempt, collections_path

SITE = "/etc/nginx/sites-enabled/default"
DROP_IN = "/etc/systemd/system/orders.service.d/limits.conf"
SETUP = f"""
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/orders.service
printf '[program:carts]\\ncommand=/bin/sleep 1000000\\nautostart=false\\n' > /etc/supervisor/conf.d/carts.conf
groupadd --force sockets
useradd --system --shell /usr/sbin/nologin orders
rm -f {SITE}
printf 'server {{ listen 80 default_server; return 200 old; }}\\n' > /etc/nginx/sites-available/shop
ln -s ../sites-available/shop {SITE}
systemctl daemon-reload
systemctl enable --now --quiet orders.service nginx.service supervisor.service
systemctl reload nginx.service
"""
# Folders and links are made again, and the tools of accounts write their files anew: their times count for nothing.
WATCHED = """
find /etc /srv -xdev ! -name '*.cache' ! -path '/etc/group*' ! -path '/etc/gshadow*' \\( \\
    -type f -printf '%p %y %m %U %G %s %T@\\n' -exec sha256sum {} + -o -printf '%p %y %m %U %G %l\\n' \\) | sort
"""


def on(host: lab_hosts.Host, script: str) -> str:
    """Run a script on the host and return what it printed."""
    return lab_hosts.run_on(host, ["sh", "-ec", script])


def state(host: lab_hosts.Host) -> dict[str, str]:
    """Return what must be as it was, and what a client gets."""
    return {
        "files": on(host, WATCHED),
        "orders": on(host, "systemctl is-active orders.service || :; systemctl is-enabled orders.service || :; systemctl show -P LimitNOFILE orders.service"),
        "carts": on(host, "supervisorctl status carts | awk '{print $2}' || :"),
        "member": on(host, "getent group sockets"),
        "answer": on(host, "curl -s http://127.0.0.1/"),
    }


@pytest.fixture(scope="module")
def host() -> Iterator[lab_hosts.Host]:
    """A host with nginx, a unit, a program of supervisor and a group."""
    (started,) = lab_hosts.start(["undo1"])
    on(started, SETUP)
    yield started
    if os.environ.get("LAB_KEEP") != "1":
        lab_hosts.remove(["undo1"])


class Play:
    """A playbook of the test on the host."""

    def __init__(self, folder: Path, host: lab_hosts.Host, tasks: list[dict]) -> None:
        self.inventory = folder / "inventory.yml"
        lab_hosts.write_inventory(self.inventory, [host])
        self.book = folder / "play.yml"
        play = {"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}
        self.book.write_text(yaml.safe_dump([play]), encoding="utf-8")
        self.settings = {
            "ANSIBLE_COLLECTIONS_PATH": collections_path(), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "json", "ANSIBLE_PIPELINING": "1",
        }

    def command(self, book: str, *words: str) -> list[str]:
        """Return the command line of a playbook."""
        return [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.inventory), book, *words]

    def run(self, book: str = "", *words: str) -> tuple[int, dict, str]:
        """Run a playbook, by default that of the test, and return (exit code, results by task, all output)."""
        code, output = attempt(self.command(book or str(self.book), *words), timeout=300, env=self.settings)
        try:
            tasks = json.loads(output[output.index("{"):])["plays"][-1]["tasks"]
        except (ValueError, IndexError) as problem:
            raise LabError(output[-4000:]) from problem
        return code, {task["task"]["name"]: next(iter(task["hosts"].values()), {}) for task in tasks}, output

    def start(self, log: Path) -> subprocess.Popen:
        """Start the playbook in a process group of its own."""
        with log.open("wb") as file:
            return subprocess.Popen(
                self.command(str(self.book)), stdout=file, stderr=file, env={**os.environ, **self.settings}, start_new_session=True
            )


def changes(seconds: int) -> list[dict]:
    """Return tasks that open a checkpoint and change everything that one can undo."""
    return [
        {
            "name": "Open",
            "webops.bad_gateway.checkpoint": {
                "state": "open", "reason": "lab", "confirm_within": seconds, "paths": [SITE, DROP_IN], "units": ["orders.service"],
                "members": [{"user": "orders", "group": "sockets"}], "programs": [{"manager": "supervisor", "name": "carts"}],
                "after": [{"unit": "orders.service", "action": "restart"}],
            },
            "register": "point",
        },
        {"name": "Site", "ansible.builtin.copy": {"dest": SITE, "content": "server { listen 80 default_server; return 200 new; }\n"}},
        {"name": "Folder", "ansible.builtin.file": {"path": os.path.dirname(DROP_IN), "state": "directory", "mode": "0755"}},
        {"name": "Drop-in", "ansible.builtin.copy": {"dest": DROP_IN, "content": "[Service]\nLimitNOFILE=4242\n", "mode": "0644"}},
        # A sign that the run lives: the time to confirm begins anew.
        {"name": "More", "webops.bad_gateway.checkpoint": {"state": "saved", "checkpoint": "{{ point.id }}", "paths": ["/srv/none"]}},
        {"name": "Member", "ansible.builtin.user": {"name": "orders", "groups": ["sockets"], "append": True}},
        {"name": "Start", "ansible.builtin.command": {"argv": ["supervisorctl", "start", "carts"]}},
        {"name": "Reload", "webops.bad_gateway.nginx_reload": {"checkpoint": "{{ point.id }}"}},
        {"name": "Stop", "ansible.builtin.systemd_service": {"name": "orders.service", "state": "stopped", "enabled": False, "daemon_reload": True}},
    ]


def until(seconds: float, holds) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.5)


def timers(host: lab_hosts.Host) -> str:
    """Return the timers that are set on the host to undo a change."""
    return on(host, "systemctl list-timers --all --no-legend 'webops-bad-gateway-*'")


def test_a_change_whose_controller_was_killed_is_undone_by_the_host(host, tmp_path):
    before = state(host)
    play = Play(tmp_path, host, [*changes(90), {"name": "Wait", "ansible.builtin.pause": {"seconds": 300}}])
    log = tmp_path / "log"
    process = play.start(log)
    try:
        until(240, lambda: process.poll() is not None or on(host, "systemctl is-enabled orders.service || :").strip() == "disabled")
        assert process.poll() is None, log.read_text(encoding="utf-8")[-4000:]
        assert on(host, "curl -s http://127.0.0.1/") == "new"
        assert "webops-bad-gateway-" in timers(host)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    until(240, lambda: '"undone"' in on(host, "cat /var/lib/webops_bad_gateway/*/journal"))
    assert state(host) == before
    _code, tasks, _output = Play(tmp_path, host, [{"name": "Ask", "webops.bad_gateway.checkpoint_info": {}}]).run()
    (told,) = tasks["Ask"]["checkpoints"]["value"]
    assert told["state"] == "rolled-back"
    assert timers(host) == ""


def test_a_confirmed_change_stays_until_it_is_rolled_back(host, tmp_path):
    before = state(host)
    play = Play(tmp_path, host, [*changes(600), {"name": "Keep", "webops.bad_gateway.checkpoint": {"state": "confirmed", "checkpoint": "{{ point.id }}"}}])
    code, tasks, output = play.run()
    assert code == 0, output
    point = tasks["Open"]["id"]
    assert tasks["Keep"]["kept"] and timers(host) == ""
    assert state(host)["answer"] == "new"
    code, tasks, output = play.run("webops.bad_gateway.rollback", "--check")
    assert code == 0 and tasks["Undo"]["id"] == point and state(host)["answer"] == "new", output
    code, tasks, output = play.run("webops.bad_gateway.rollback", "-e", f"bad_gateway_checkpoint={point}")
    assert code == 0, output
    assert any(f"{SITE} " in line for line in tasks["Show what was put back"]["msg"])
    assert state(host) == before
    code, tasks, output = play.run("webops.bad_gateway.rollback")
    assert code == 0 and tasks["Show what was put back"]["msg"] == ["nothing to undo"], output


def test_an_open_checkpoint_keeps_a_second_run_out(host, tmp_path):
    opens = {"name": "Open", "webops.bad_gateway.checkpoint": {"state": "open", "reason": "first run"}}
    _code, tasks, _output = Play(tmp_path, host, [opens]).run()
    point = tasks["Open"]["id"]
    code, tasks, _output = Play(tmp_path, host, [opens]).run()
    assert code != 0 and point in tasks["Open"]["msg"] and "first run" in tasks["Open"]["msg"]
    code, tasks, output = Play(tmp_path, host, []).run("webops.bad_gateway.rollback", "-e", f"bad_gateway_checkpoint={point}")
    assert code == 0, output
    assert timers(host) == ""
