# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts: containers and virtual machines that run systemd, sshd and nginx, reached over SSH and HTTP on 127.0.0.1."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import re
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lab_engine
import lab_image
import lab_vm
from lab_base import CACHE, KEY, ROOT, LabError, attempt, authorized_key, run
from lab_faults import ENGINE, MACHINES, SELINUX, Fault, File, Request, Steps

# Each checkout has a lab of its own on the engine that all share.
LABEL = f"bad-gateway-lab={hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
PREFIX = f"bad-gateway-{LABEL.partition('=')[2]}-"
STATE = CACHE / "hosts"
BOOT_SECONDS = 90
# By what a host is: what is emulated takes longer.
STEP_SECONDS = {"container": 90, ENGINE: 90, SELINUX: 300}
ANSWER_SECONDS = 20
AT_ONCE = 4

# What systemd needs in a container without --privileged; IPv6 so that [::1] is there.
OPTIONS = (
    f"--label={LABEL}",
    "--cap-add=SYS_ADMIN",
    # Routes and packet filters of the host's own network namespace.
    "--cap-add=NET_ADMIN",
    # Root of a real host may look at the processes of all users.
    "--cap-add=SYS_PTRACE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
    "--publish=127.0.0.1::22",
    "--publish=127.0.0.1::80",
)
# What else each kind of container needs.
OF_MACHINE = {
    MACHINES[0]: ("--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"),
    # An engine in it: control groups of its own, so that its containers have the names there that they have anywhere; a /proc whose sysctls it may
    # set, since not every machine can give --privileged; and volumes, for a layer of a file system cannot lie on another one.
    ENGINE: ("--cgroupns=private", "--security-opt=systempaths=unconfined", "--volume=/var/lib/docker", "--volume=/var/lib/containers"),
}


@dataclass(frozen=True)
class Host:
    """A running host, the ports of this machine that lead to its SSH server and its nginx, and what kind of machine it is: one of `lab_faults.MACHINES`."""

    name: str
    ssh_port: int
    http_port: int
    machine: str = MACHINES[0]

    @property
    def container(self) -> str:
        """The container's name; the host inside knows itself only by `name`."""
        return PREFIX + self.name


def published(name: str, port: int) -> int:
    """Return the port of this machine that leads to the host's `port`."""
    answer = run(["docker", "port", PREFIX + name, f"{port}/tcp"])
    found = re.search(r"127\.0\.0\.1:(\d+)", answer)
    if not found:
        raise LabError(f"port {port} of {name} is not published: {answer!r}")
    return int(found.group(1))


def find(name: str) -> Host:
    """Return a running host by its name."""
    if name not in names():
        raise LabError(f"no host {name} runs. Start it: python tests/lab/lab.py up {name}")
    try:
        return Host(name, **json.loads((STATE / f"{name}.json").read_text(encoding="utf-8")))
    except FileNotFoundError as problem:
        raise LabError(f"{name} did not come up. Remove it: python tests/lab/lab.py down {name}") from problem


def names() -> list[str]:
    """Return the names of all hosts of the lab that run."""
    listed = run(["docker", "ps", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]) if lab_engine.answers() else ""
    return sorted([line[len(PREFIX) :] for line in listed.split() if line.startswith(PREFIX)] + lab_vm.names())


def start_one(name: str, image: str, machine: str) -> Host:
    """Start a host from nothing and return when its system is up and its SSH server takes our key."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise LabError(f"{name!r} is no name for a host: a letter, then letters, digits and hyphens")
    remove([name])
    host = Host(name, *lab_vm.start(name, Path(image)), machine) if machine == SELINUX else start_container(name, image, machine)
    STATE.mkdir(parents=True, exist_ok=True)
    kept = {"ssh_port": host.ssh_port, "http_port": host.http_port, "machine": host.machine}
    (STATE / f"{name}.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")
    return host


def start_container(name: str, image: str, machine: str) -> Host:
    """Start a host that is a container."""
    run(["docker", "run", "--detach", f"--name={PREFIX}{name}", f"--hostname={name}", *OPTIONS, *OF_MACHINE[machine], image], timeout=BOOT_SECONDS)
    end = time.monotonic() + BOOT_SECONDS
    state = ""
    while state not in ("running", "degraded"):
        if time.monotonic() > end:
            raise LabError(f"{name} did not boot within {BOOT_SECONDS} s: systemctl says {state!r}. See: docker logs {PREFIX}{name}")
        time.sleep(0.3)
        state = attempt(["docker", "exec", PREFIX + name, "systemctl", "is-system-running"])[1].strip()
    if state == "degraded":
        raise LabError(f"{name} booted with failed units: " + attempt(["docker", "exec", PREFIX + name, "systemctl", "--failed", "--plain"])[1])
    host = Host(name, published(name, 22), published(name, 80), machine)
    write_files(host, (File("/root/.ssh/authorized_keys", authorized_key(), 0o600, "root:root"),))
    return host


def start(wanted: list[str], machine: str = MACHINES[0]) -> list[Host]:
    """Start several hosts of one kind at once, each from nothing. Raises LabError for the first that does not come up."""
    authorized_key()
    if machine == SELINUX:
        image = str(lab_vm.ensure())
    else:
        lab_engine.ensure()
        image = lab_image.ensure(machine == ENGINE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda name: start_one(name, image, machine), wanted))


def remove(unwanted: list[str]) -> None:
    """Remove hosts and all that is in them; one that is not there is no error."""
    lab_vm.remove(unwanted)
    for name in unwanted:
        (STATE / f"{name}.json").unlink(missing_ok=True)
    if unwanted and lab_engine.answers():
        code, output = attempt(["docker", "rm", "--force", "--volumes", *(PREFIX + name for name in unwanted)], timeout=120)
        wrong = [line for line in output.splitlines() if line.startswith("Error") and "No such container" not in line]
        if code != 0 and wrong:
            raise LabError("\n".join(wrong))


def remove_all() -> list[str]:
    """Remove every container with the lab's label and every virtual machine, running or not, and return their names."""
    listed = run(["docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]) if lab_engine.answers() else ""
    there = sorted([line[len(PREFIX) :] for line in listed.split() if line.startswith(PREFIX)] + lab_vm.names(ended=True))
    remove(there)
    return there


def command_on(host: Host, argv: list[str], data: bool = False) -> list[str]:
    """Return the command that runs `argv` on a host as root, without a shell of this machine; `data`: it gets an input."""
    if host.machine == SELINUX:
        return lab_vm.command(host.name, host.ssh_port, argv)
    return ["docker", "exec", *(["--interactive"] if data else []), host.container, *argv]


def attempt_on(host: Host, argv: list[str], *, data: bytes | None = None, timeout: float = 60.0) -> tuple[int, str]:
    """Run a command on a host and return (exit code, its output and errors)."""
    return attempt(command_on(host, argv, data is not None), data=data, timeout=timeout)


def run_on(host: Host, argv: list[str], *, data: bytes | None = None, timeout: float = 60.0) -> str:
    """Run a command that must succeed on a host and return its output. Raises LabError with that output otherwise."""
    return run(command_on(host, argv, data is not None), data=data, timeout=timeout)


def write_files(host: Host, files: tuple[File, ...]) -> None:
    """Write files on a host with owner and mode, parent folders as needed. The clock of the host dates them."""
    if not files:
        return
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in files:
            entry = tarfile.TarInfo(each.path.lstrip("/"))
            entry.size, entry.mode = len(each.content), each.mode
            entry.uname, unused, entry.gname = each.owner.partition(":")
            archive.addfile(entry, io.BytesIO(each.content))
    run_on(host, ["tar", "--touch", "-xpf", "-", "-C", "/"], data=packed.getvalue())


def apply(host: Host, steps: Steps) -> None:
    """Write the files, then run the commands with `sh -eu`. Raises LabError with their output when one fails."""
    write_files(host, steps.files)
    if steps.commands:
        seconds = STEP_SECONDS[host.machine]
        run_on(host, ["timeout", str(seconds), "sh", "-euxc", steps.commands], timeout=seconds + 10)


def ask(host: Host, request: Request) -> int:
    """Send one request to the host's nginx and return the status, 0 when no answer comes."""
    connection = http.client.HTTPConnection("127.0.0.1", host.http_port, timeout=ANSWER_SECONDS)
    try:
        body = b"x" * request.body or None
        connection.request(request.method, request.path, body, headers={"Host": request.host, "Connection": "close", **request.headers})
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        # The engine takes the connection in place of a host where nothing listens, and drops it.
        return 0
    except OSError as problem:
        raise LabError(f"{host.name} did not answer {request.host}{request.path}: {problem}") from problem
    finally:
        connection.close()


def prove(host: Host, requests: tuple[Request, ...]) -> list[str]:
    """Send the requests and return a sentence for each whose status is not the expected one."""
    wrong = []
    for request in requests:
        statuses = answers(host, request)
        if (request.status not in statuses) if request.some else not set(statuses) <= {request.status, *request.also}:
            gave = ", ".join(f"{status:03d}" for status in sorted(set(statuses)))
            wrong.append(f"{host.name}: http://{request.host}{request.path} gave {gave}, expected {request.status:03d}")
    return wrong


def answers(host: Host, request: Request) -> list[int]:
    """Send a request as often as it wants and return the statuses; no more once it has the one that is enough."""
    statuses: list[int] = []
    with ThreadPoolExecutor(request.parallel) as pool:
        for number in range(request.times):
            time.sleep(request.pause if number else 0)
            statuses += pool.map(lambda _number: ask(host, request), range(request.parallel))
            if request.some and request.status in statuses:
                break
    return statuses


def bring_into(host: Host, fault: Fault, state: str) -> None:
    """Bring a fresh host into a state of a fault and prove it by requests. Raises LabError when it is not in it."""
    try:
        apply(host, fault.setup)
        apply(host, fault.states[state].steps)
    except LabError as problem:
        raise LabError(f"{fault.id} ({state}) on {host.name}: {problem}") from problem
    wrong = prove(host, fault.states[state].requests)
    if wrong:
        raise LabError(f"{fault.id} ({state}): " + "; ".join(wrong))


def inventory(hosts: list[Host], variables: dict[str, dict[str, Any]] | None = None) -> str:
    """Return an Ansible inventory (YAML, which JSON is) of hosts, with what SSH needs to reach them, and variables by the names of hosts."""
    reach = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(KEY),
        "ansible_python_interpreter": "/usr/bin/python3",
        # The hosts and their keys live for minutes: nothing of them belongs in known_hosts.
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
    }
    members = {host.name: {"ansible_port": host.ssh_port, **(variables or {}).get(host.name, {})} for host in hosts}
    return json.dumps({"all": {"hosts": members, "vars": reach}}, indent=2) + "\n"


def write_inventory(path: Path, hosts: list[Host], variables: dict[str, dict[str, Any]] | None = None) -> None:
    """Write the inventory of hosts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(inventory(hosts, variables), encoding="utf-8")
