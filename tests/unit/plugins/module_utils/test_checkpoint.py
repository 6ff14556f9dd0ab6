# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: what is saved before a change, kept, undone, and what keeps a second run out."""

from __future__ import annotations

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _restore, _safe_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture
def tree(tmp_path):
    """A folder with a file, a link to it and a second file."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "nginx.conf").write_bytes(b"events {}\r\n")
    os.chmod(folder / "nginx.conf", 0o640)
    os.chown(folder / "nginx.conf", 0, 33)
    (folder / "shop.conf").write_bytes(b"server {}\n\xff")
    (folder / "link.conf").symlink_to("shop.conf")
    return folder


def snapshot(folder):
    """Return everything that must be as it was: names, bytes, owners, modes, attributes, targets, times of files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        kept = (status.st_mode, status.st_uid, status.st_gid, path.is_file() and not path.is_symlink() and (path.read_bytes(), status.st_mtime_ns))
        attributes = {} if path.is_symlink() else {name: os.getxattr(path, name) for name in os.listxattr(path)}
        found[str(path.relative_to(folder))] = (kept, attributes, os.readlink(path) if path.is_symlink() else "")
    return found


def test_a_written_file_keeps_owner_and_mode_and_is_put_back(root, tree):
    before = snapshot(tree)
    with _checkpoint.attach(None, "test", root) as point:
        said = point.write_file(str(tree / "nginx.conf"), b"new", expected=_safe_files.digest(b"events {}\r\n"))
    assert said["changed"] and (tree / "nginx.conf").read_bytes() == b"new"
    status = (tree / "nginx.conf").stat()
    assert (status.st_mode & 0o7777, status.st_gid) == (0o640, 33)
    with _checkpoint.locked(root):
        undone = _checkpoint.newest_to_undo(root)
        assert undone.id == point.id
        assert undone.roll_back() == {"restored": [f"{tree}/nginx.conf (content)"], "conflicts": [], "unverified": []}
        assert undone.state == _restore.ROLLED_BACK
    assert snapshot(tree) == before


def test_an_exception_undoes_a_checkpoint_of_its_own(root, tree):
    before = snapshot(tree)
    with pytest.raises(RuntimeError):
        with _checkpoint.attach(None, "test", root) as point:
            point.write_file(str(tree / "link.conf"), b"new")
            assert (tree / "link.conf").is_symlink() and (tree / "shop.conf").read_bytes() == b"new"
            raise RuntimeError
    assert snapshot(tree) == before


def test_a_file_that_somebody_else_changed_is_not_written(root, tree):
    before = snapshot(tree)
    with pytest.raises(_checkpoint.CheckpointError, match="somebody else"):
        with _checkpoint.attach(None, "test", root) as point:
            point.write_file(str(tree / "nginx.conf"), b"new", expected=_safe_files.digest(b"something older"))
    assert snapshot(tree) == before
