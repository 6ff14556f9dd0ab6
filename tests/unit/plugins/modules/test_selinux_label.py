# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a path gets a type, and nothing that the user of its folder would have labelled besides."""

import os
import socket

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.modules import selinux_label as module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root sets labels")
USER = 4001
OLD, NEW = "system_u:object_r:var_t:s0:c1,c2", "system_u:object_r:httpd_var_run_t:s0:c1,c2"


def set_label(path, label=OLD):
    try:
        os.setxattr(str(path), module.ATTRIBUTE, label.encode() + b"\0")
    except OSError:
        pytest.skip("this file system has no labels")


def label_of(path):
    return os.getxattr(str(path), module.ATTRIBUTE).decode().rstrip("\0")


@pytest.fixture
def run(tmp_path, monkeypatch):
    os.chmod(str(tmp_path), 0o755)
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))
    root = tmp_path / "checkpoints"
    root.mkdir(mode=0o700)

    def call(path, check=False, kind="httpd_var_run_t", checkpoint=None):
        return module.run({"path": str(path), "type": kind, "checkpoint": checkpoint}, check, str(root))

    return call


@pytest.fixture
def shop(tmp_path):
    """A socket in a folder of a user's."""
    folder = tmp_path / "shop"
    folder.mkdir()
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(folder / "shadow"))
    held.close()
    for path in (folder, folder / "shadow"):
        os.chown(str(path), USER, USER)
        set_label(path)
    return folder


def test_a_socket_and_its_folder(run, shop, tmp_path):
    for path in (shop, shop / "shadow"):
        assert run(path, check=True)["changed"] and label_of(path) == OLD
        result = run(path)
        assert (result["changed"], result["label"], label_of(path)) == (True, NEW, NEW)
        assert result["diff"] == {"before": OLD + "\n", "after": NEW + "\n"}
        assert not run(path)["changed"]
    point = _checkpoint.find(result["checkpoint"], str(tmp_path / "checkpoints"))
    point.roll_back()
    assert label_of(shop / "shadow") == OLD


def test_a_user_does_not_say_what_else_is_labelled(run, shop, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "shadow").write_text("root:x")
    set_label(own / "shadow")
    (shop / "link").symlink_to(own)
    os.chown(str(shop / "link"), USER, USER, follow_symlinks=False)
    with pytest.raises(files.Refused, match="belongs to uid 0"):
        run(shop / "link" / "shadow")
    with pytest.raises(module.Failed, match="no socket"):
        run(shop / "link")
    os.link(str(own / "shadow"), str(shop / "name"))
    with pytest.raises(files.Refused):
        run(shop / "name")
    # What is exchanged after it was found.
    find = files.find

    def exchanged(path, follow=True):
        place = find(path, follow)
        if os.path.basename(path) == "shadow":
            os.unlink(str(shop / "shadow"))
            os.link(str(own / "shadow"), str(shop / "shadow"))
        return place

    monkeypatch.setattr(files, "find", exchanged)
    with pytest.raises(module.Failed, match="does not belong to uid 4001"):
        run(shop / "shadow")
    assert label_of(own / "shadow") == OLD


@pytest.mark.parametrize("kind", ["", "shadow_t:s0", "a b", "-r"])
def test_what_is_no_type(run, shop, kind):
    with pytest.raises(module.Failed, match="no type"):
        run(shop, kind=kind)


def test_without_a_label(run, tmp_path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(module.Failed, match="no label"):
        run(tmp_path / "plain")
