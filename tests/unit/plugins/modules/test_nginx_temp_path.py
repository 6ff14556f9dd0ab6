# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A temporary folder of nginx is given to its worker, and what is not nginx's own stays as it is."""

import os
import stat

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.modules import nginx_temp_path as module

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
WORKER, OTHER = 33, 34


@pytest.fixture
def top(tmp_path):
    """A folder of nginx in one that others cannot write to; pytest's own are owned by root too."""
    os.chmod(str(tmp_path), 0o755)
    path = tmp_path / "body"
    for name in ("1/00", "2/17", "other/1", "2/notes"):
        (path / name).mkdir(parents=True)
    (path / "1" / "00" / "0000000001").write_bytes(b"x")
    (path / "3").symlink_to("/etc")
    os.chmod(str(path), 0o700)
    return path


def run(tmp_path, path, check=False, user="33", checkpoint=None):
    root = tmp_path / "checkpoints"
    root.mkdir(mode=0o700, exist_ok=True)
    return module.run({"path": str(path), "user": user, "checkpoint": checkpoint}, check, str(root))


def owners(path):
    """Return {path below: (uid, mode)} of everything."""
    found = {}
    for folder, folders, names in os.walk(str(path)):
        for name in [""] + folders + names:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.relpath(os.path.join(folder, name), str(path))] = (status.st_uid, stat.S_IMODE(status.st_mode))
    return found


def test_the_folder_and_what_nginx_made_in_it(tmp_path, top):
    before = owners(top)
    etc = os.stat("/etc").st_uid
    result = run(tmp_path, top)
    ours = {"1/00", "1", "2/17", "2", "."}
    assert result["changed"] and {os.path.relpath(path, str(top)) for path in result["folders"]} == ours
    after = owners(top)
    assert {name for name in after if after[name] != before[name]} == ours
    assert all(after[name] == (WORKER, before[name][1]) for name in ours)
    assert os.stat("/etc").st_uid == etc
    assert run(tmp_path, top)["changed"] is False
    with _checkpoint.locked(str(tmp_path / "checkpoints")):
        undone = _checkpoint.find(result["checkpoint"], str(tmp_path / "checkpoints")).roll_back()
    assert (undone["conflicts"], undone["unverified"]) == ([], [])
    assert owners(top) == before


def test_check_mode(tmp_path, top):
    before = owners(top)
    result = run(tmp_path, top, check=True)
    assert result["changed"] and result["checkpoint"] == ""
    assert owners(top) == before
    assert "{0} uid=0 mode=0700".format(top) in result["diff"]["before"]
    assert "{0} uid=33 mode=0700".format(top) in result["diff"]["after"]


def test_a_mode_that_keeps_the_worker_out(tmp_path, top):
    os.chown(str(top), WORKER, OTHER)
    for name in ("1/00", "1", "2/17", "2"):
        os.chown(str(top / name), WORKER, OTHER)
    os.chmod(str(top), 0o2050)
    result = run(tmp_path, top)
    assert result["folders"] == [str(top)]
    status = os.stat(str(top))
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (WORKER, OTHER, 0o2750)


def test_a_folder_that_is_gone_is_made(tmp_path):
    os.chmod(str(tmp_path), 0o755)
    result = run(tmp_path, tmp_path / "proxy")
    status = os.stat(str(tmp_path / "proxy"))
    assert result["changed"] and (status.st_uid, stat.S_IMODE(status.st_mode)) == (WORKER, 0o700)
    assert run(tmp_path, tmp_path / "proxy")["changed"] is False


def test_a_link_of_root_is_followed(tmp_path, top):
    (tmp_path / "link").symlink_to(top)
    assert run(tmp_path, tmp_path / "link")["changed"]
    assert os.stat(str(top)).st_uid == WORKER


def test_a_folder_that_somebody_else_could_exchange_is_refused(tmp_path):
    os.chmod(str(tmp_path), 0o755)
    home = tmp_path / "home"
    (home / "body").mkdir(parents=True)
    os.chown(str(home), OTHER, OTHER)
    (home / "passwd").symlink_to("/etc")
    for path in (home / "body", home / "passwd"):
        with pytest.raises((files.Refused, _checkpoint.CheckpointError)):
            run(tmp_path, path)
    assert os.stat(str(home / "body")).st_uid == 0


@pytest.mark.parametrize("path, user, why", [
    ("gone/body", "33", "No such file"), ("file", "33", "is no folder"), ("body", "nobody-at-all", "there is no user"),
])
def test_what_cannot_be_done_is_said(tmp_path, path, user, why):
    os.chmod(str(tmp_path), 0o755)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((module.Failed, OSError), match=why):
        run(tmp_path, tmp_path / path, user=user)
