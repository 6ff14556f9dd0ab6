# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: what is saved before a change, kept, undone, and what keeps a second run out."""

import os
import subprocess
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _restore, _safe_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch):
    """Be on a host without systemd, whatever this one is."""
    monkeypatch.setattr(os.path, "isdir", lambda path, true=os.path.isdir: path != "/run/systemd/system" and true(path))


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


@pytest.mark.parametrize("expected", ["", "0" * 64])
def test_a_file_that_appeared_or_changed_since_it_was_read_is_not_written(root, tree, expected):
    with _checkpoint.attach(None, "test", root) as point:
        with pytest.raises(_checkpoint.CheckpointError, match="somebody else has changed it since it was read"):
            point.write_file(f"{tree}/nginx.conf", b"new", expected=expected)
    assert not point.kept


def test_what_is_there_already_is_not_written(root, tree):
    with _checkpoint.attach(None, "test", root) as point:
        assert point.write_file(f"{tree}/nginx.conf", b"events {}\r\n")["changed"] is False
    assert not point.kept and _checkpoint.listed(root) == []


def test_a_link_is_said(root, tree):
    with _checkpoint.attach(None, "test", root) as point:
        said = point.write_file(f"{tree}/link.conf", b"new")
        assert said["real_path"] == f"{tree}/shop.conf"
        assert point.notes == [f"{tree}/link.conf is a link; the file that is written is {tree}/shop.conf"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_not_written(root, tree, make):
    make(tree / "x")
    with pytest.raises(_checkpoint.CheckpointError, match="it is a"):
        with _checkpoint.attach(None, "test", root) as point:
            point.write_file(f"{tree}/x", b"new")


def test_a_new_file_is_removed_again(root, tree):
    before = snapshot(tree)
    with _checkpoint.attach(None, "test", root) as point:
        point.write_file(f"{tree}/new.conf", b"new", expected="", mode=0o640)
    assert (tree / "new.conf").stat().st_mode & 0o7777 == 0o640
    with _checkpoint.locked(root):
        point.roll_back()
    assert snapshot(tree) == before


def test_the_oldest_state_of_a_file_is_put_back(root, tree):
    before = snapshot(tree)
    with _checkpoint.locked(root):
        name = _checkpoint.open_new("test", root=root)[0].id
    for content in (b"1", b"2"):
        with _checkpoint.attach(name, "", root) as point:
            point.write_file(f"{tree}/nginx.conf", content)
            point.save_file(f"{tree}/nginx.conf")
    with _checkpoint.locked(root):
        assert _checkpoint.find(name, root).roll_back()["restored"] == [f"{tree}/nginx.conf (content)"]
    assert snapshot(tree) == before


def test_a_second_run_is_kept_out_in_words(root):
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("the first run", root=root)
        with pytest.raises(_checkpoint.CheckpointError) as caught:
            _checkpoint.open_new("the second", root=root)
        with pytest.raises(_checkpoint.CheckpointError, match="name it to undo it all the same"):
            _checkpoint.newest_to_undo(root)
    assert point.id in str(caught.value) and "the first run" in str(caught.value) and "rollback -e bad_gateway_checkpoint=" in str(caught.value)


def test_one_that_changes_a_host_at_this_moment_keeps_others_out(root):
    with _checkpoint.locked(root):
        with pytest.raises(_checkpoint.CheckpointError, match="another task"):
            with _checkpoint.locked(root, wait=0.2):
                pass
    with _checkpoint.locked(root, wait=0.2):
        pass


@pytest.mark.parametrize(
    ("uptime", "boot", "seconds", "over"),
    [(0, "", 600, False), (601, "", 600, True), (0, "another", 600, True), (599, "", 600, False)],
    ids=["fresh", "late", "started anew", "nearly"],
)
def test_one_that_was_left_open_is_undone_when_its_time_is_over(root, tree, monkeypatch, uptime, boot, seconds, over):
    before = snapshot(tree)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("left", seconds, root)
        point.write_file(f"{tree}/nginx.conf", b"broken")
        then = _restore.uptime()
        monkeypatch.setattr(_restore, "uptime", lambda: then + uptime)
        if boot:
            monkeypatch.setattr(_restore, "boot", lambda: boot)
        # What the clock on the wall says counts for nothing.
        monkeypatch.setattr("time.time", lambda: 1.0)
        if not over:
            with pytest.raises(_checkpoint.CheckpointError, match="another run is at work"):
                _checkpoint.open_new("next", root=root)
            return
        _next, recovered = _checkpoint.open_new("next", root=root)
    assert recovered == {"id": point.id, "restored": [f"{tree}/nginx.conf (content)"], "conflicts": [], "unverified": []}
    assert snapshot(tree) == before


def test_the_time_to_confirm_begins_anew_with_each_task(root, monkeypatch):
    with _checkpoint.locked(root):
        name = _checkpoint.open_new("test", 600, root)[0].id
    then = _restore.uptime()
    for minutes in (9, 18, 27):
        monkeypatch.setattr(_restore, "uptime", lambda now=then + 60 * minutes: now)
        with _checkpoint.attach(name, "", root) as point:
            assert not _checkpoint.overdue(point)
    monkeypatch.setattr(_restore, "uptime", lambda: then + 60 * 37.1)
    assert _checkpoint.overdue(_checkpoint.find(name, root))


def test_one_that_cannot_be_undone_wholly_is_said_and_stays(root, tree, monkeypatch):
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("left", 600, root)
        point.write_file(f"{tree}/nginx.conf", b"broken")
        (tree / "nginx.conf").write_bytes(b"of somebody else")
        monkeypatch.setattr(_checkpoint, "overdue", lambda point: True)
        with pytest.raises(_checkpoint.CheckpointError, match="not all of it is as it was.*somebody else"):
            _checkpoint.open_new("next", root=root)
        # The next run goes on: somebody was told.
        _checkpoint.open_new("next", root=root)
        monkeypatch.setattr(_checkpoint, "KEPT", 0)
        _checkpoint.prune(root)
    assert point.id in [each.id for each in _checkpoint.listed(root)]


def test_ids_grow_even_when_the_clock_is_set_back(root, monkeypatch):
    ids = []
    for now in (2_000_000_000.0, 1_999_000_000.0, 2_000_000_000.5, 1.0):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with _checkpoint.locked(root):
            point, _recovered = _checkpoint.open_new("test", root=root)
            point.roll_back()
        ids.append(point.id)
    assert ids == sorted(ids) and len({name[:15] for name in ids}) == 4
    assert [point.id for point in _checkpoint.listed(root)] == ids


def test_only_the_newest_are_kept(root, tree, monkeypatch):
    monkeypatch.setattr(_checkpoint, "KEPT", 3)
    ids = []
    for number in range(5):
        with _checkpoint.attach(None, "test", root) as point:
            point.write_file(f"{tree}/nginx.conf", str(number).encode())
        ids.append(point.id)
    os.mkdir(f"{root}/20200101T000000-0000")
    with _checkpoint.locked(root):
        _checkpoint.prune(root)
    assert [point.id for point in _checkpoint.listed(root)] == ids[2:]
    assert sorted(os.listdir(root)) == [*ids[2:], "lock"]


def test_states_that_were_saved_and_never_changed_do_not_stay(root, tree, monkeypatch):
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("role", root=root, watch=False)
        point.save_file(f"{tree}/nginx.conf")
        point.confirm(at_once=True)
        _checkpoint.prune(root)
        assert len(_checkpoint.listed(root)) == 1
        then = point.book.last("confirmed")["at"]
        monkeypatch.setattr("time.time", lambda: then + 90000)
        _checkpoint.prune(root)
        assert _checkpoint.listed(root) == []


def test_what_another_user_could_lead_elsewhere_is_not_saved_for_root_to_change(root, tree):
    os.mkdir(f"{tree}/home")
    os.chown(f"{tree}/home", 1000, 1000)
    for name in ("home/uwsgi.ini", "root.ini"):
        with open(f"{tree}/{name}", "wb"):
            os.chown(f"{tree}/{name}", 1000, 1000)
    os.symlink(f"{tree}/home/uwsgi.ini", f"{tree}/link.ini")
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("role", root=root, watch=False)
        for name in ("home/uwsgi.ini", "home/absent.ini", "home/absent/file", "link.ini"):
            with pytest.raises(_checkpoint.CheckpointError, match="uid 1000 decides what is there"):
                point.save_file(f"{tree}/{name}", only_root=True)
        for name in ("home", "root.ini", "absent"):
            point.save_file(f"{tree}/{name}", only_root=True)
        point.save_file(f"{tree}/home/uwsgi.ini")


def test_the_newest_that_would_change_something_is_undone(root, tree):
    with _checkpoint.attach(None, "one", root) as one:
        one.write_file(f"{tree}/nginx.conf", b"1")
    with _checkpoint.locked(root):
        idle, _recovered = _checkpoint.open_new("role", root=root, watch=False)
        idle.save_file(f"{tree}/shop.conf")
        idle.confirm(at_once=True)
        assert _checkpoint.newest_to_undo(root).id == one.id
        one.roll_back()
        assert _checkpoint.newest_to_undo(root) is None


def test_nothing_is_done_under_a_checkpoint_that_is_closed_or_unknown(root, tree):
    with _checkpoint.attach(None, "test", root) as point:
        point.write_file(f"{tree}/nginx.conf", b"1")
    for name, words in ((point.id, "is confirmed"), ("20200101T000000-0000", "there is no checkpoint"), ("../../etc", "is no id")):
        with pytest.raises(_checkpoint.CheckpointError, match=words):
            with _checkpoint.attach(name, "", root):
                pytest.fail("it was given")
    with _checkpoint.locked(root):
        point.roll_back()
    with pytest.raises(_checkpoint.CheckpointError, match="is rolled-back at 20"):
        with _checkpoint.attach(point.id, "", root):
            pytest.fail("it was given")


def test_a_confirmation_that_comes_too_late_is_refused(root, tree):
    before = snapshot(tree)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", 0, root)
        point.write_file(f"{tree}/nginx.conf", b"1")
    assert _restore.main([point.folder, "--unless-confirmed"]) == 0
    with _checkpoint.locked(root), pytest.raises(_checkpoint.CheckpointError, match="rolled-back"):
        _checkpoint.find(point.id, root).confirm()
    assert snapshot(tree) == before


def fill(path):
    """Write a file until its disk is full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="No space left"):
            while True:
                os.write(descriptor, b"x" * 4096)
    finally:
        os.close(descriptor)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "none", str(place)], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("this machine does not let us mount")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_where_checkpoints_are_kept_changes_nothing(small_disk, tree):
    root = str(small_disk / "state")
    before = snapshot(tree)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", root=root)
        fill(f"{small_disk}/other")
        with pytest.raises(_checkpoint.CheckpointError, match="No space left on device"):
            point.write_file(f"{tree}/shop.conf", b"new")
        assert snapshot(tree) == before
        assert point.roll_back() == {"restored": [], "conflicts": [], "unverified": []}
        fill(f"{small_disk}/another")
        with pytest.raises(_checkpoint.CheckpointError, match="cannot be made, so nothing is changed: No space left"):
            _checkpoint.open_new("test", root=root)
    assert snapshot(tree) == before


def test_a_disk_that_is_full_meanwhile_does_not_keep_a_change_from_being_undone(small_disk):
    root, conf = str(small_disk / "state"), small_disk / "a.conf"
    conf.write_bytes(b"old" * 50000)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", root=root)
        point.write_file(str(conf), b"new")
        fill(f"{small_disk}/other")
        assert point.roll_back() == {"restored": [f"{conf} (content)"], "conflicts": [], "unverified": []}
    assert conf.read_bytes() == b"old" * 50000


def fail(problem):
    """Raise it."""
    raise problem


def test_a_journal_that_cannot_be_written_changes_nothing(root, tree, monkeypatch):
    before = snapshot(tree)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", root=root)
        with monkeypatch.context() as broken:
            broken.setattr(os, "pread", lambda *_args: fail(OSError(5, "Input/output error")))
            with pytest.raises(_checkpoint.CheckpointError, match="journal cannot be written, so nothing is changed: Input/output error"):
                point.write_file(f"{tree}/nginx.conf", b"new")
    assert snapshot(tree) == before


def test_the_folder_of_checkpoints_must_be_roots_own(root):
    os.mkdir(root, 0o755)
    with pytest.raises(_checkpoint.CheckpointError, match="mode 0700"):
        with _checkpoint.locked(root):
            pytest.fail("it was taken")


def test_without_root_nothing_is_done(root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(_checkpoint.CheckpointError, match="only root"):
        with _checkpoint.locked(root):
            pytest.fail("it was taken")


def test_the_timer_of_systemd_is_set_and_stopped(root, tree, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)
    monkeypatch.setattr(_restore, "run", lambda argv, **_more: calls.append(argv) or (0, ""))
    with _checkpoint.attach(None, "test", root) as point:
        point.write_file(f"{tree}/nginx.conf", b"new")
    unit = f"webops-bad-gateway-{point.id}"
    assert calls[0][:3] == ["systemd-run", "--quiet", f"--unit={unit}"] and "--on-active=120s" in calls[0]
    assert calls[0][-3:] == [f"{point.folder}/restore.pyz", point.folder, "--unless-confirmed"]
    assert calls[1] == ["systemctl", "stop", "--", f"{unit}.timer"]


def test_without_systemd_a_process_of_its_own_undoes_it(root, tree):
    before = snapshot(tree)
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", 1, root)
        point.arm()
        assert point.book.last("watched")["armed"]
        point.write_file(f"{tree}/nginx.conf", b"new")
    end = time.monotonic() + 15
    while _checkpoint.find(point.id, root).state == "open" and time.monotonic() < end:
        time.sleep(0.1)
    assert snapshot(tree) == before


def test_where_nothing_can_undo_it_this_is_said(root, monkeypatch):
    monkeypatch.setattr(_restore, "run", lambda argv, **_more: (None, "no way"))
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", root=root)
        point.arm()
    watched = point.book.last("watched")
    assert not watched["armed"] and "no way" in watched["by"]
