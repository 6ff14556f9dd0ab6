# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's virtual machines: a Debian whose kernel enforces SELinux, emulated by QEMU, for what no container can show.

A container shares the kernel of this machine. A virtual machine has its own, wherever the lab runs: QEMU emulates the processor, since a machine that
is itself virtual mostly cannot lend its own. The disk is built once from Debian packages, with its labels, so that the first boot enforces already.
It is booted once, and the memory of the machine that is up is kept with the disk: each further machine is a copy that goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import lab_engine
import lab_image
from lab_base import CACHE, HERE, KEY, ROOT, LabError, attempt, authorized_key, run, say

# Package of Debian and Ubuntu by the program that is needed from it.
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "unshare": "util-linux",
    "ssh": "openssh-client",
}
PACKAGES = (
    "acl",
    "auditd",
    "curl",
    "dbus",
    "gunicorn",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    # /etc/protocols, without which `semanage port` fails.
    "netbase",
    "nginx-light",
    "nodejs",
    "openssh-server",
    "php8.2-fpm",
    "policycoreutils",
    "policycoreutils-python-utils",
    "procps",
    "python3",
    "python3-selinux",
    "python3-semanage",
    "selinux-policy-default",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)
FINISH = HERE / "image" / "finish_vm.sh"
LABEL = HERE / "image" / "label_disk.sh"
DISK_SIZE = "3G"
MEMORY = "1024"
BOOT_SECONDS = 600
RESUME_SECONDS = 120
SAVE_SECONDS = 300
CONNECT_SECONDS = 10
# How often other ports are tried where somebody else took one just before QEMU did.
TRIES = 5
VMS = CACHE / "vms"
SAVED = "up"
# The machine that is booted so that its memory can be kept.
FIRST = "first"
# Python is read from the disk once, for all the machines that go on from here.
WARM = "python3 -c 'import ctypes, json, selectors, subprocess, tarfile, urllib.request, zipfile'; sync"


def folder() -> Path:
    """Return where the disk, the kernel and its initial file system lie: a folder named by the hash of everything that they are made from."""
    recipe = hashlib.sha256()
    for part in (lab_image.SUITE, " ".join(PACKAGES), DISK_SIZE):
        recipe.update(part.encode() + b"\0")
    for file in (FINISH, LABEL, lab_image.WAIT):
        recipe.update(file.read_bytes() + b"\0")
    recipe.update(authorized_key())
    # Another QEMU may not read the memory that this one writes.
    recipe.update(run(["qemu-system-x86_64", "--version"]).encode())
    return CACHE / f"vm-{recipe.hexdigest()[:12]}"


def build(place: Path) -> None:
    """Build the disk. Raises LabError with the builder's last lines."""
    if os.geteuid() != 0:
        raise LabError(f"only root can build the disk of a virtual machine. Once, as root: {sys.executable} tests/lab/lab.py disk")
    work = CACHE / "vm-new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    root, made = work / "root", work / "made"
    made.mkdir()
    say("building the disk of the virtual machine from Debian packages: about two minutes, once")
    begun = time.monotonic()
    command = [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        f'--customize-hook=sh {shlex.quote(str(FINISH))} "$1" {shlex.quote(str(KEY.with_suffix(".pub")))} {shlex.quote(str(lab_image.WAIT))}',
        lab_image.SUITE,
        str(root),
        *lab_image.mirrors(),
    ]
    path = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    try:
        run(command, timeout=900)
        for name, pattern in (("kernel", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            (found,) = (root / "boot").glob(pattern)
            shutil.copyfile(found, made / name)
        run(["unshare", "--mount", "sh", str(LABEL), str(root), str(made / "disk"), DISK_SIZE], timeout=300, env=path)
        boot_once(made)
        for old in CACHE.glob("vm-*"):
            if old != work:
                shutil.rmtree(old)
        made.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"built in {time.monotonic() - begun:.0f} s")


def boot_once(place: Path) -> None:
    """Boot the disk in `place`, and keep beside it what the machine has in its memory, and on its disk, once its system is up."""
    # Seen from where one is: the address of a socket is short.
    layer, monitor = place / "layer", VMS / FIRST / "monitor"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", str(layer), DISK_SIZE])
    try:
        ssh = power_on(FIRST, place, layer, "-monitor", f"unix:{os.path.relpath(monitor, ROOT)},server=on,wait=off")[0]
        wait_for(FIRST, ssh, BOOT_SECONDS)
        run(command(FIRST, ssh, ["sh", "-c", WARM]), timeout=BOOT_SECONDS)
        with socket.socket(socket.AF_UNIX) as console:
            console.settimeout(SAVE_SECONDS)
            console.connect(os.path.relpath(monitor))
            console.sendall(f"savevm {SAVED}\nquit\n".encode())
            while console.recv(4096):
                pass
    finally:
        remove([FIRST])


def ensure() -> Path:
    """Return the folder of the disk, building it when it is not there, and installing first what that and a machine take."""
    packages = [package for program, package in PROGRAMS.items() if not lab_engine.find(program)]
    if packages:
        lab_engine.install(packages)
    place = folder()
    if not place.is_dir():
        build(place)
    return place


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nothing listens on at this moment, each another."""
    held = [socket.socket() for unused in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def start(name: str, place: Path) -> tuple[int, int]:
    """Let a machine go on from what is kept in `place`; return its ports for SSH and HTTP on 127.0.0.1 once its system answers."""
    remove([name])
    home = VMS / name
    home.mkdir(parents=True)
    shutil.copyfile(place / "layer", home / "layer")
    ssh, http = power_on(name, place, home / "layer", "-loadvm", SAVED)
    wait_for(name, ssh, RESUME_SECONDS)
    # To it no time has gone by, and it still has no name.
    run(command(name, ssh, ["sh", "-ec", f"date -s @{time.time():.3f}; hostname {name}; echo {name} > /etc/hostname"]))
    return ssh, http


def wait_for(name: str, ssh: int, seconds: float) -> None:
    """Return when a machine answers over SSH that its system is up. Raises LabError when it does not in time."""
    console = VMS / name / "console.log"
    end = time.monotonic() + seconds
    state = ""
    while state != "running":
        if pid(name) is None:
            raise LabError(f"{name} ended while it started. See {console}")
        if state == "degraded":
            raise LabError(f"{name} booted with failed units: " + attempt(command(name, ssh, ["systemctl", "--failed", "--plain"]))[1])
        if time.monotonic() > end:
            raise LabError(f"{name} was not up within {seconds} s: {state[-500:]!r}. See {console}")
        time.sleep(0.5)
        # QEMU takes connections from the first moment on; an answer comes once sshd runs.
        state = attempt(command(name, ssh, ["systemctl", "is-system-running", "--wait"]), timeout=seconds)[1].strip()


def power_on(name: str, place: Path, layer: Path, *more: str) -> tuple[int, int]:
    """Start QEMU in the background, on a layer over the disk in `place`; return the ports that it listens on."""
    home = VMS / name
    home.mkdir(parents=True, exist_ok=True)
    under = f"backing.driver=raw,backing.file.driver=file,backing.file.filename={place / 'disk'}"
    for left in reversed(range(TRIES)):
        ssh, http = free_ports(2)
        machine = [
            "qemu-system-x86_64",
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            # Of the memory that translated code takes, by default as much again as the machine has, a part is enough.
            *("-accel", "tcg,thread=multi,tb-size=256"),
            *("-cpu", "max"),
            *("-m", MEMORY),
            *("-smp", "2"),
            *("-display", "none"),
            *("-serial", f"file:{home / 'console.log'}"),
            *("-kernel", str(place / "kernel")),
            *("-initrd", str(place / "initrd")),
            *("-append", "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 security=selinux enforcing=1"),
            *("-drive", f"if=virtio,cache=unsafe,driver=qcow2,file.driver=file,file.filename={layer},{under}"),
            # It reaches nothing, and is reached by these two ports alone.
            *("-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{ssh}-:22,hostfwd=tcp:127.0.0.1:{http}-:80"),
            *("-device", "virtio-net-pci,netdev=n0"),
            *("-device", "virtio-rng-pci"),
            "-daemonize",
            *("-pidfile", str(home / "pid")),
            *more,
        ]
        code, output = attempt(machine)
        if code == 0:
            return ssh, http
        if "host forwarding" not in output or not left:
            raise LabError(f"QEMU did not start {name}: {output[-2000:]}")
    raise AssertionError("the last try returns or raises")


def command(name: str, port: int, argv: list[str]) -> list[str]:
    """Return the command that runs `argv` on a machine as root, over one connection that the first call opens and the others share."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ControlMaster": "auto",
        "ControlPersist": "yes",
        # Short enough for the address of a socket wherever the checkout lies: every command runs in its root.
        "ControlPath": os.path.relpath(VMS / name / "ssh", ROOT),
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["ssh", "-F", "none", "-i", str(KEY), "-p", str(port), *words, "root@127.0.0.1", shlex.join(argv)]


def pid(name: str) -> int | None:
    """Return the id of a machine's process, or None when it does not run; another process that got the id since is not taken for it."""
    file = VMS / name / "pid"
    try:
        found = int(file.read_text(encoding="ascii"))
        words = Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return found if str(file).encode() in words else None


def names(ended: bool = False) -> list[str]:
    """Return the names of the machines that run; `ended`: and of those that left something behind."""
    return sorted(place.name for place in VMS.glob("*") if ended or pid(place.name) is not None)


def remove(unwanted: list[str]) -> None:
    """End machines and remove what they wrote; one that is not there is no error."""
    for name in unwanted:
        end = time.monotonic() + 10
        while (process := pid(name)) is not None and time.monotonic() < end:
            os.kill(process, signal.SIGKILL)
            time.sleep(0.05)
        shutil.rmtree(VMS / name, ignore_errors=True)
