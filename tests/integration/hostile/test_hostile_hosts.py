# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose every text means harm: the run ends, names the true cause, evaluates nothing, and no secret leaves a host."""

from __future__ import annotations

import json
from pathlib import Path

import conftest
import pytest
from conftest import Fleet
from lab_base import run as run_command
from running import Run, assert_clean, assert_harmless, assert_no_secret, first_cause, play

MODULES = ("nginx_config_info", "listeners_info", "error_log_info", "backends_info", "php_fpm_info", "selinux_info", "evidence_info")
PROBE = {"identity": {"pid": None, "uid": 33, "gid": 33, "groups": [33]}, "targets": [{"id": "p1", "endpoint": "127.0.0.1:3000", "speak": "http"}]}

# What a diagnosis has no business to touch: owner, mode, size, both times and the bytes of each file, the processes and the listening sockets.
# A login of any kind has systemd, PAM and utmp write their own notes in /run.
STATE = r"""
find /etc /run /srv /usr /var/lib/nginx /var/log/nginx /root /home -xdev \
    \( -path /run/systemd -o -path /run/log -o -path /run/user -o -path /run/utmp -o -path '/run/motd*' -o -path /run/sudo \
    -o -path /root/.ansible -o -path /home/\*/.ansible \) -prune \
    -o -printf '%p %y %m %U %G %s %T@ %C@ %l\n' | grep -v '^/run d ' | sort
find /etc /run/nginx.pid /var/log/nginx -xdev -type f -exec sha256sum {} + | sort
ss -H -l -n -t -x | awk '{print $1, $2, $5}' | sort
ps -eo pid,ppid,user,lstart,comm --no-headers | grep -v -E ' (sshd|ssh|sh|ps|sort|grep|find|ss|awk|sudo|systemd-tmpfile|\(sd-pam\)|kworker.*)$' | sort
"""


@pytest.fixture(scope="module")
def before(fleet: Fleet) -> str:
    """Return the state of the host before anything was asked."""
    return state(fleet)


@pytest.fixture(scope="module")
def told(fleet: Fleet, before: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Diagnose the hostile hosts with the highest verbosity that people use."""
    folder = tmp_path_factory.mktemp("told")
    assert before
    return play(folder / "report", inventory(fleet, folder), "-vvv")


def state(fleet: Fleet) -> str:
    """Return a text that is the same as long as nothing changed on the host."""
    return run_command(["docker", "exec", fleet.edge.container, "sh", "-c", STATE])


def inventory(fleet: Fleet, folder: Path) -> Path:
    """Write the inventory of the hostile hosts."""
    return fleet.inventory(folder / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}, "site": {"ansible_port": fleet.site.ssh_port}})


def test_the_run_ends_and_is_clean(told: Run) -> None:
    """Exit status 0, a report, and nothing in any output that harms or betrays, with -vvv."""
    assert told.code == 0, told.said[-4000:]
    # The secrets were met: their marks are there, and -vvv shows what the modules sent.
    assert b"redacted:" in told.out
    assert_clean(told)


def test_the_true_cause_is_named(told: Run) -> None:
    """The unit that was stopped is named first, whatever the logs claim."""
    cause = first_cause(told.report, "edge")
    assert (cause["id"], cause["certainty"], cause["route"]["endpoint"]) == ("backend-not-running", "proven", "127.0.0.1:3000")
    assert "shop" in cause["says"] + cause["fix"]["summary"]


def test_forged_records_prove_nothing(told: Run) -> None:
    """A record that a client made up never makes a proven cause."""
    for finding in told.report["hosts"]["edge"]["findings"]:
        if "/run/php/other.sock" in json.dumps(finding) or "3999" in json.dumps(finding):
            assert finding["certainty"] != "proven", finding


def test_the_refused_configuration_is_named(told: Run) -> None:
    """nginx refuses a statement that is a secret: the place is named, the secret is not."""
    ids = [finding["id"] for finding in told.report["hosts"]["site"]["findings"]]
    assert "config-invalid" in ids, told.report["hosts"]["site"]


def test_nothing_was_evaluated_on_the_hosts(fleet: Fleet, told: Run) -> None:
    """No template, no shell, on the hosts either."""
    assert told.code == 0
    assert not conftest.marker_on(fleet.edge)
    assert not conftest.marker_on(fleet.site)


def test_nothing_was_changed(fleet: Fleet, before: str, told: Run) -> None:
    """Files, processes and listening sockets of the host are as they were before it was diagnosed."""
    assert told.code == 0
    assert sorted(set(before.splitlines()) ^ set(state(fleet).splitlines())) == []


def test_a_quiet_run_is_clean(fleet: Fleet, tmp_path: Path) -> None:
    """The same without -v, which is what most people see; the marks of a run differ from those of any other."""
    quiet = play(tmp_path / "report", inventory(fleet, tmp_path))
    assert quiet.code == 0, quiet.said[-4000:]
    assert_clean(quiet)
    assert b"backend-not-running" in quiet.out


def test_single_modules(fleet: Fleet, tmp_path: Path) -> None:
    """Each module's own result is clean when Ansible shows all of it."""
    tasks = [{"name": f"Ask {name}", f"webops.bad_gateway.{name}": {}, "register": "answer"} for name in MODULES]
    tasks += [{"name": "Show", "ansible.builtin.debug": {"var": "answer"}}, {"name": "Probe", "webops.bad_gateway.probe_info": PROBE}]
    playbook = tmp_path / "modules.yml"
    playbook.write_text(json.dumps([{"hosts": "edge", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    done = play(tmp_path, inventory(fleet, tmp_path), "-v", playbook=playbook)
    assert done.code == 0, done.said[-4000:]
    assert b"failed=0" in done.out
    assert_harmless(done.out + done.err)
    assert_no_secret("output", done.out + done.err)
    assert not conftest.marker_on(fleet.edge)
