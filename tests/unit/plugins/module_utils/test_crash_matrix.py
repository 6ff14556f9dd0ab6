# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a change, and its undoing, before each thing that they do to the disk, and undoes what is left: the tree is as it was, or as it was to be."""

import os
import shutil
import signal
import sys

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _restore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")

# What changes the disk, or makes sure of it. Of open() only what makes a file.
CALLS = ("open", "write", "ftruncate", "fsync", "rename", "unlink", "chown", "chmod", "setxattr", "removexattr", "utime", "mkdir", "rmdir", "symlink")
ACL = "system.posix_acl_access"
# user::rw- user:33:r-- group::r-- mask::r-- other::---, as the kernel keeps it
ENTRIES = ((0x01, 6, 0xFFFFFFFF), (0x02, 4, 33), (0x04, 4, 0xFFFFFFFF), (0x10, 4, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF))
READABLE_BY_33 = b"\x02\x00\x00\x00" + b"".join(
    tag.to_bytes(2, "little") + permissions.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, permissions, who in ENTRIES
)
# The file that a container of the newest tree would hold.
HELD = {}


def make_tree(folder):
    """Make a small configuration in which everything has an owner, a mode or attributes of its own."""
    folder.mkdir()
    contents = {"nginx.conf": (b"events {}\r\n", 0o640, 33), "shop.conf": (b"server {}\n\xff", 0o604, 0), "pool.conf": (b"[www]\n", 0o600, 0)}
    contents["held.conf"] = (b"events {}\nuser shop;\n", 0o644, 33)
    for name, (held, mode, owner) in contents.items():
        (folder / name).write_bytes(held)
        os.chown(folder / name, owner, owner)
        os.chmod(folder / name, mode)
        os.utime(folder / name, ns=(10**18, 10**18 + 12345))
    HELD["inode"] = (folder / "held.conf").stat().st_ino
    os.setxattr(folder / "nginx.conf", ACL, READABLE_BY_33)
    os.setxattr(folder / "pool.conf", "user.note", b"\x00\xff")
    (folder / "enabled").mkdir(mode=0o751)
    (folder / "enabled" / "shop").symlink_to("../shop.conf")
    (folder / "enabled" / "old").symlink_to("/nowhere")


def snapshot(folder):
    """Return everything that must be as it was: bytes, owner, mode, attributes, target, the time of a file, and the held file itself."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        state = [status.st_mode, status.st_uid, status.st_gid]
        if path.is_symlink():
            state.append(os.readlink(path))
        else:
            state.append({name: os.getxattr(path, name) for name in os.listxattr(path)})
            if path.is_file():
                state += [path.read_bytes(), status.st_mtime_ns]
            if path.name == "held.conf":
                state.append(status.st_ino == HELD["inode"])
        found[str(path.relative_to(folder))] = state
    return found


def change(folder, root):
    """Change the tree in every way that is undone, ourselves and as stock modules do, and confirm it."""
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", 0, root)
    with _checkpoint.attach(point.id, "", root) as point:
        point.write_file(f"{folder}/nginx.conf", b"events { worker_connections 9; }\n")
        point.write_file(f"{folder}/enabled/shop", b"server { listen 80; }\n")
        point.write_file(f"{folder}/new.conf", b"# new\n")
        point.write_file(f"{folder}/nginx.conf", b"events { worker_connections 99; }\n")
        point.write_file(f"{folder}/held.conf", b"events { worker_connections 9; }\nuser shop;\n", in_place=True)
        point.write_file(f"{folder}/held.conf", b"user web;\n", in_place=True)
    with _checkpoint.attach(point.id, "", root) as point:
        for path in ("pool.conf", "a/b/c.conf", "enabled/old", "enabled", "gone"):
            point.save_file(f"{folder}/{path}")
    (folder / "pool.conf").write_bytes(b"[www]\nlisten = 9000\n")
    os.chmod(folder / "pool.conf", 0o660)
    os.chown(folder / "pool.conf", 33, 33)
    os.removexattr(folder / "pool.conf", "user.note")
    os.setxattr(folder / "pool.conf", "user.other", b"1")
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c.conf").write_bytes(b"x")
    (folder / "enabled" / "old").unlink()
    (folder / "enabled" / "old").write_bytes(b"no link any more")
    os.chmod(folder / "enabled", 0o755)
    os.chown(folder / "enabled", 33, 33)
    with _checkpoint.attach(point.id, "", root) as point:
        point.save_file(f"{folder}/shop.conf")
    os.chmod(folder / "shop.conf", 0o644)
    os.chown(folder / "shop.conf", 33, 33)
    with _checkpoint.locked(root):
        _checkpoint.find(point.id, root).confirm()


class Killer:
    """Lets a number of CALLS pass and kills the process at the next; torn: in the middle of one that writes, and only those count."""

    def __init__(self, steps, torn):
        self.left = steps
        self.torn = torn

    def wrap(self, name):
        """Return a stand-in for a function of os."""
        true = getattr(os, name)

        def call(*args, **kwargs):
            if name == "write" or not self.torn and (name != "open" or args[1] & os.O_CREAT):
                if self.left == 0:
                    if self.torn:
                        true(args[0], bytes(args[1])[: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                self.left -= 1
            return true(*args, **kwargs)

        return call


def killed_at(steps, torn, function, *args):
    """Call a function in a child that is killed after a number of steps; return whether it was."""
    pid = os.fork()
    if pid == 0:
        try:
            killer = Killer(steps, torn)
            for name in CALLS:
                setattr(os, name, killer.wrap(name))
            function(*args)
            os._exit(0)
        except BaseException as problem:  # pylint: disable=broad-except
            sys.__stderr__.write(f"{problem!r}\n")
            os._exit(1)
    _pid, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def recover(root):
    """Do what the timer of the host does, and return the states of the checkpoints."""
    for name in os.listdir(root) if os.path.isdir(root) else []:
        if _checkpoint.ID.fullmatch(name):
            assert _restore.main([os.path.join(root, name), "--unless-confirmed"]) == 0
    return [point.state for point in _checkpoint.listed(root)]


def fresh(tmp_path):
    """Return a new tree and the folder for its checkpoints."""
    for name in ("etc", "state"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    make_tree(tmp_path / "etc")
    return tmp_path / "etc", str(tmp_path / "state")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Undo only when the test says so, and wait for no disk."""
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))
    # A killed process loses nothing that it has written; what a power cut loses, the order of the calls decides (the last test).
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.exhaustive
@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_a_change_that_is_killed_anywhere_is_undone(tmp_path, torn):
    folder, root = fresh(tmp_path)
    before = snapshot(folder)
    change(folder, root)
    after = {name: state[:5] + state[6:] for name, state in snapshot(folder).items()}
    outcomes = []
    for steps in range(10000):
        folder, root = fresh(tmp_path)
        killed = killed_at(steps, torn, change, folder, root)
        states = recover(root)
        outcomes.append(states)
        if states == ["confirmed"]:
            assert {name: state[:5] + state[6:] for name, state in snapshot(folder).items()} == after, steps
        else:
            assert states in ([], ["rolled-back"]), steps
            assert snapshot(folder) == before, steps
        if not killed:
            break
    assert outcomes.count(["rolled-back"]) > 10 and outcomes[-1] == ["confirmed"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_an_undoing_that_is_killed_anywhere_is_ended_by_the_next(tmp_path, torn):
    steps = 0
    killed = True
    while killed:
        folder, root = fresh(tmp_path)
        before = snapshot(folder)
        change(folder, root)
        (name,) = (name for name in os.listdir(root) if _checkpoint.ID.fullmatch(name))
        killed = killed_at(steps, torn, _restore.undo, os.path.join(root, name))
        assert _restore.main([os.path.join(root, name)]) == 0, steps
        assert snapshot(folder) == before, steps
        assert _checkpoint.find(name, root).state == "rolled-back"
        steps += 1
    assert steps > 5


def test_every_record_and_file_is_on_the_disk_before_what_follows(tmp_path, monkeypatch):
    folder, root = fresh(tmp_path)
    done = []

    def traced(name):
        true = getattr(os, name)

        def call(*args, **kwargs):
            path = os.readlink(f"/proc/self/fd/{args[0]}") if isinstance(args[0], int) else os.fsdecode(args[0])
            done.append((name, path))
            return true(*args, **kwargs)

        return call

    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", 0, root)
    with _checkpoint.attach(point.id, "", root) as point:
        for name in ("write", "fsync", "rename"):
            monkeypatch.setattr(os, name, traced(name))
        point.write_file(f"{folder}/nginx.conf", b"events {}\n")
    journal, saved = f"{root}/{point.id}/journal", f"{root}/{point.id}/saved"
    blob = next(path for _name, path in done if path.startswith(saved + "/"))
    temp = next(path for name, path in done if name == "write" and path.startswith(f"{folder}/."))
    assert done == [
        ("write", blob), ("fsync", blob), ("fsync", saved), ("write", journal), ("fsync", journal),
        ("write", journal), ("fsync", journal),
        ("write", temp), ("fsync", temp), ("rename", os.path.basename(temp)), ("fsync", str(folder)),
    ]
