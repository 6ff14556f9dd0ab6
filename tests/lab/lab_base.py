# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab uses: its folders, its one kind of error, bounded commands, and its SSH key."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "lab"
KEY = CACHE / "id_ed25519"


class LabError(Exception):
    """The lab cannot go on. Its text says what failed and what to do about it."""


def say(text: str) -> None:
    """Tell the person at the terminal what happens now."""
    print(f"lab: {text}", flush=True)


def attempt(argv: list[str], *, data: bytes | None = None, timeout: float = 60.0, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command without a shell and return (exit code, its output and errors as one text).

    Raises LabError when the program is missing or takes longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            argv,
            input=b"" if data is None else data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env=None if env is None else {**os.environ, **env},
            cwd=ROOT,
            check=False,
        )
    except FileNotFoundError as problem:
        raise LabError(f"{argv[0]} is not installed") from problem
    except subprocess.TimeoutExpired as problem:
        said = (problem.stdout or b"").decode("utf-8", "backslashreplace")[-2000:]
        raise LabError(f"no end after {timeout:g} s: {' '.join(argv)}\n{said}".rstrip()) from problem
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")


def run(argv: list[str], *, data: bytes | None = None, timeout: float = 60.0, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed and return its output. Raises LabError with that output otherwise."""
    code, output = attempt(argv, data=data, timeout=timeout, env=env)
    if code != 0:
        raise LabError(f"exit code {code} from {' '.join(argv)}\n{output[-4000:]}".rstrip())
    return output


def authorized_key() -> bytes:
    """Return the public half of the lab's own SSH key, made on first use."""
    if not KEY.exists():
        KEY.parent.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(KEY)])
    return KEY.with_suffix(".pub").read_bytes()


def collections_path() -> str:
    """Return a folder for ANSIBLE_COLLECTIONS_PATH in which this checkout is the collection."""
    place = ROOT / ".cache" / "collections" / "ansible_collections" / "webops"
    place.mkdir(parents=True, exist_ok=True)
    link = place / "bad_gateway"
    if not link.is_symlink() and not link.exists():
        link.symlink_to(ROOT)
    return str(place.parents[1])
