# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a /proc in a folder, in the form of proc(5), for the tests of the collectors."""

import os
from pathlib import Path

HOST_NET = "4026531840"
HOST_MNT = "4026531841"


def add_process(
    root: Path, pid: int, argv: list, *, comm: bytes = b"app", exe: bytes = b"/usr/bin/app", ppid: int = 1, uid: int = 33, state: str = "S",
    flags: int = 0x400000, ticks: int = 1000, cgroup: str = "0::/", net: str = HOST_NET, mnt: str = HOST_MNT, sockets: tuple = (), cwd: bytes = b"/",
) -> None:
    """Write one process."""
    folder = root / "proc" / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "fd").mkdir()
    middle = f"{state} {ppid} {pid} {pid} 0 -1 {flags} " + "0 " * 12 + f"{ticks} 0 0\n"
    (folder / "stat").write_bytes(b"%d (%s) " % (pid, comm) + middle.encode())
    (folder / "status").write_text(f"Name:\tapp\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nGroups:\t{uid} 44\n")
    (folder / "cmdline").write_bytes(b"".join(word + b"\0" for word in argv))
    (folder / "cgroup").write_text(cgroup + "\n")
    os.symlink(exe, bytes(folder / "exe"))
    os.symlink(cwd, bytes(folder / "cwd"))
    os.symlink(f"net:[{net}]", folder / "ns" / "net")
    os.symlink(f"mnt:[{mnt}]", folder / "ns" / "mnt")
    for number, inode in enumerate(sockets):
        os.symlink(f"socket:[{inode}]", folder / "fd" / str(number))
    os.symlink("/dev/null", folder / "fd" / "9999")


def add_self(root: Path) -> None:
    """Write what names the namespaces of the code that asks."""
    (root / "proc" / "self" / "ns").mkdir(parents=True)
    (root / "proc" / "self" / "net").mkdir()
    os.symlink(f"net:[{HOST_NET}]", root / "proc" / "self" / "ns" / "net")
    os.symlink(f"mnt:[{HOST_MNT}]", root / "proc" / "self" / "ns" / "mnt")
