# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts broken hosts right with the collection's playbooks, and tells what that changed on them."""

from __future__ import annotations

import fnmatch
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lab_hosts
from lab_base import LabError, attempt, collections_path
from lab_faults import Fault, Request

# An emulated host takes minutes to change its policy.
PLAY_SECONDS = 900
# The kernel gives up a peer that is gone after about 20 s: until then a request gets no answer.
SETTLE_SECONDS = 60
# A line for each file, folder and link that a change could be in, with owner, mode and content, for each ACL, and for each unit (that one is
# enabled, a link in /etc says), and for each container (one that is started again and again is now in this state and now in that) with its networks;
# where SELinux is on, for each boolean, each local record of its policy, and the label of each folder and socket.
# What programs of the host write by themselves is left out: logs, pids, what Ansible left; and what is compiled
# of the policy and its local records, whose bytes are others once a boolean was set for good and back, while all that it is made from is the same.
TAKEN = r"""
skip='/\.ansible(/|$)|/\.pm2/(logs|pids|[^/]*\.(log|pid|sock))|\.(log|pid|pyc)$|__pycache__|/tmp\.|^/etc/(mtab|resolv\.conf|ld\.so\.cache|\.pwd\.lock)$'
skip="$skip|(^| )/etc/selinux/[^/]*/(policy/|contexts/files/file_contexts\.local)"
places='/etc /srv /opt /usr/local /var/www /home /root'
find $places -xdev \( -type d -printf 'd %m %U:%G %p\n' -o -type l -printf 'l %l %U:%G %p\n' \) | grep -Ev "$skip"
find $places -xdev -type f -printf 'm %m %U:%G %p\n' | grep -Ev "$skip"
find $places -xdev -type f -print0 | grep -Evz "$skip" | xargs -0r sha256sum | sed 's/^/f /'
find /var/lib/nginx /var/log/nginx /var/cache/nginx -type d -printf 'd %m %U:%G %p\n' 2>/dev/null
getfacl -Rsp /etc /srv /run/php 2>/dev/null | paste -sd '|' | sed 's/||/\n/g' | sed 's/^/a /'
systemctl list-units --all --type=service,socket,timer --no-legend --plain |
    awk '$1 !~ /^(user|session|systemd-|webops|run-|dbus|getty|ssh@|podman\.service)/ && $3 == "active" {print "s active", $1}'
state='{{if eq (print .RestartCount) "0"}}{{.State.Status}}{{else}}again and again{{end}}'
networks='{{range $name, $place := .NetworkSettings.Networks}}{{$name}} {{end}}'
for engine in docker podman; do
    ! systemctl is-active --quiet $engine.socket || $engine ps --all --quiet | xargs -r $engine inspect --format "c $engine $state $networks{{.Id}} {{.Name}}"
done
if [ -e /sys/fs/selinux/enforce ]; then
    getsebool -a | awk '{print "b", $3, $1}'
    find /var/lib/selinux/*/active -name '*.local' -exec awk '!/^#/ && NF {print "r", $0, FILENAME}' {} +
    find /srv /home /run -xdev \( -path /run/systemd -o -path /run/udev -o -path /run/user \) -prune -o -type d,s -printf 'z %Z %p\n'
fi
"""
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass
class Remedied:
    """What a remediation did to a host.

    changed    tasks that reported a change: of the first run, the second, and undoing it
    wrong      sentences about requests that got something else than they should, after the first run and after undoing
    touched    what was on the host and is not, or the other way round, after the first run
    again      the same between the first and the second run
    left       the same between before and after undoing
    diff       what --check --diff showed, and checked: what that changed
    output     of all runs, for a person
    """

    changed: list[int] = field(default_factory=list)
    wrong: list[list[str]] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    diff: str = ""
    checked: list[str] = field(default_factory=list)
    output: str = ""


@dataclass(frozen=True)
class Played:
    """How a playbook went: its exit code and output, and for each host how many tasks changed something, and how many failed."""

    code: int
    output: str
    changed: dict[str, int]
    failed: dict[str, int]


def taken(host: lab_hosts.Host) -> set[str]:
    """Return a line for each thing on a host that a remediation could change."""
    return set(lab_hosts.run_on(host, ["sh", "-c", TAKEN], timeout=120).splitlines())


def command(name: str, inventory: Path, folder: Path, settings: dict[str, Any], *more: str) -> list[str]:
    """Return the command that runs a playbook of the collection."""
    given = json.dumps({"bad_gateway_report_dir": str(folder), **settings})
    return [str(Path(sys.executable).parent / "ansible-playbook"), f"webops.bad_gateway.{name}", "-i", str(inventory), "--forks=8", "-e", given, *more]


def environment() -> dict[str, str]:
    """Return what ansible-playbook needs in its environment."""
    return {"ANSIBLE_COLLECTIONS_PATH": collections_path(), "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"}


def play(name: str, inventory: Path, folder: Path, settings: dict[str, Any], *more: str) -> Played:
    """Run a playbook of the collection. Raises LabError when it does not end, or comes to no host."""
    code, output = attempt(command(name, inventory, folder, settings, *more), timeout=PLAY_SECONDS, env=environment())
    recap = RECAP.findall(output.rpartition("PLAY RECAP")[2])
    if not recap:
        raise LabError(f"{name} ended with {code} and came to no host:\n{output[-6000:]}")
    return Played(
        code, output, {host: int(changed) for host, changed, _lost, _failed in recap}, {host: int(lost) + int(failed) for host, _changed, lost, failed in recap}
    )


def settled(host: lab_hosts.Host, requests: tuple[Request, ...]) -> list[str]:
    """Return a sentence for each request that does not get what it should, after a while at most."""

    def proven() -> list[str]:
        try:
            return lab_hosts.prove(host, requests)
        except LabError as problem:
            return [str(problem)]

    end = time.monotonic() + SETTLE_SECONDS
    wrong = proven()
    while wrong and time.monotonic() < end:
        time.sleep(1)
        wrong = proven()
    return wrong


def cycle(folder: Path, cases: dict[lab_hosts.Host, tuple[Fault, str]]) -> dict[str, Remedied]:
    """Put hosts right, do that again, and undo it; return what came of it by the names of hosts.

    Everything is allowed on a healthy host: it proves that there is nothing to do. It gets the first run alone.
    """
    results = {host.name: Remedied() for host in cases}
    broken = [host for host, (_fault, state) in cases.items() if state == "fault"]
    variables = {host.name: allowed(*case) for host, case in cases.items()}
    inventory, only = folder / "remedies.yml", f"--limit={','.join(['localhost', *(host.name for host in broken)])}"
    lab_hosts.write_inventory(inventory, list(cases), variables)
    settings = {"bad_gateway_serial": ["100%"], "bad_gateway_confirm_within": PLAY_SECONDS}
    with ThreadPoolExecutor(lab_hosts.AT_ONCE) as pool:
        at_first = dict(zip(cases, pool.map(taken, cases)))

        def compared(hosts: list[lab_hosts.Host], earlier: dict[lab_hosts.Host, set[str]]) -> dict[lab_hosts.Host, tuple[set[str], list[str]]]:
            return {host: (now, sorted(earlier[host] ^ now)) for host, now in zip(hosts, pool.map(taken, hosts))}

        shown = [host for host in broken if cases[host][0].remedy.diff]
        if shown:
            names = f"--limit={','.join(['localhost', *(host.name for host in shown)])}"
            played = noted(results, play("remediate", inventory, folder / "check", settings, "--check", "--diff", names), folder, "check")
            for host, (_now, differs) in compared(shown, at_first).items():
                results[host.name].diff, results[host.name].checked = played.output, differs
        played = noted(results, play("remediate", inventory, folder / "first", settings), folder, "first")
        after = compared(list(cases), at_first)
        for host, (_now, differs) in after.items():
            results[host.name].touched = differs
            results[host.name].changed.append(played.changed.get(host.name, 0))
        for host, wrong in zip(broken, pool.map(lambda host: settled(host, cases[host][0].remedy.requests), broken)):
            results[host.name].wrong.append(wrong)
        if not broken:
            return results
        played = noted(results, play("remediate", inventory, folder / "second", settings, only), folder, "second")
        for host, (_now, differs) in compared(broken, {host: now for host, (now, _differs) in after.items()}).items():
            results[host.name].again = differs
            results[host.name].changed.append(played.changed.get(host.name, 0))
        played = noted(results, play("rollback", inventory, folder / "undone", {}, only), folder, "undone")
        for host, wrong in zip(broken, pool.map(lambda host: settled(host, cases[host][0].remedy.undone), broken)):
            results[host.name].wrong.append(wrong)
        for host, (_now, differs) in compared(broken, at_first).items():
            results[host.name].left = differs
            results[host.name].changed.append(played.changed.get(host.name, 0))
    return results


def allowed(fault: Fault, state: str) -> dict[str, Any]:
    """Return the variables of a host that say what may be done on it."""
    remedy = fault.remedy
    return {"bad_gateway_apply": remedy.apply if state == "fault" else "risky", "bad_gateway_allow": list(remedy.allow), **remedy.settings}


def noted(results: dict[str, Remedied], played: Played, folder: Path, name: str) -> Played:
    """Keep the output of a run where a person finds it, and with each host that it was about."""
    (folder / f"{name}.txt").write_text(played.output, encoding="utf-8")
    for host in played.changed:
        if host in results:
            results[host].output += f"{name}: {folder / name}.txt\n{said_of(played.output, host)}\n"
    return played


def said_of(output: str, host: str) -> str:
    """Return the lines of a run that are about a host, or its failures."""
    about = [line for line in output.splitlines() if re.search(rf"\b{re.escape(host)}\b", line)]
    return "\n".join(line for line in about if not line.startswith(("ok:", "skipping:", "included:")))


def unexpected(touched: list[str], patterns: tuple[str, ...]) -> list[str]:
    """Return what was touched and is not one of the patterns: the last word of a line is a path or the name of a unit."""
    return [line for line in touched if not any(fnmatch.fnmatch(line.rpartition(" ")[2], pattern) for pattern in patterns)]
