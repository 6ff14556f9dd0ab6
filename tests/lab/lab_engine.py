# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine that the lab's hosts run on: installed when it is missing, started when it does not answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab_base import CACHE, LabError, attempt, run, say

# Package of Debian and Ubuntu by the program that the lab needs from it.
PACKAGES = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap", "ssh-keygen": "openssh-client", "npm": "npm"}
START_SECONDS = 60


def answers() -> bool:
    """Say whether a Docker engine answers."""
    try:
        code, unused = attempt(["docker", "version", "--format", "{{.Server.Version}}"], timeout=15)
    except LabError:
        return False
    return code == 0


def find(program: str) -> str | None:
    """Return the program's path; dockerd lies where an ordinary user's PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def missing() -> list[str]:
    """Return the packages whose programs are not installed. An engine that answers needs no dockerd here."""
    return [package for program, package in PACKAGES.items() if not find(program) and (program != "dockerd" or not answers())]


def install(packages: list[str]) -> None:
    """Install packages with apt, or raise a LabError that says what to install."""
    wanted = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"the lab needs {wanted}. Install it (on Debian and Ubuntu, as root: apt-get install {wanted}) and try again.")
    say(f"installing with apt-get: {wanted}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "update", "-q"], timeout=300, env=quiet)
        run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], timeout=600, env=quiet)
    except LabError as problem:
        raise LabError(f"apt-get could not install {wanted}. Install it by hand and try again.\n{problem}") from problem


def start() -> None:
    """Start the engine: as a service where systemd runs, by hand elsewhere."""
    if Path("/run/systemd/system").is_dir():
        say("starting docker.service")
        run(["systemctl", "start", "docker.service"], timeout=START_SECONDS)
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / "dockerd.log"
    say(f"starting dockerd (log: {log})")
    program = find("dockerd")
    if program is None:
        raise LabError("dockerd is not installed. Install the package docker.io and try again.")
    with log.open("ab") as output:
        # Its own session: the engine outlives this command and the terminal.
        subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def ensure() -> None:
    """Return when a Docker engine answers. Raises LabError with what to install or where to look."""
    packages = missing()
    if packages:
        install(packages)
    if answers():
        return
    if os.geteuid() != 0:
        raise LabError("no Docker engine answers. Start one (systemctl start docker), or run this as a user who may use it.")
    start()
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if answers():
            return
        time.sleep(0.5)
    raise LabError(f"the Docker engine did not answer within {START_SECONDS} s. Its log: {CACHE / 'dockerd.log'}, or journalctl -u docker.")
