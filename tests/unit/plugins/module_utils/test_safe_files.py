# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths are refused, what a replaced file keeps, and what happens on a disk that is full, read-only or not for renaming."""

import os
import stat
import subprocess

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed here")

TENANT, OTHER = 12345, 12346


@pytest.fixture
def tree(tmp_path):
    """A folder that only root writes to, with a file."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    (folder / "a.conf").write_bytes(b"old\r\n")
    return folder


def write(path, held, expected=None):
    """Replace the bytes of a file and return its place's path."""
    with _safe_files.find(str(path)) as place:
        now, _held = _safe_files.look(place)
        wanted = dict(now, mtime_ns=None) if now["kind"] == "file" else {"mode": 0o644, "uid": 0, "gid": 0}
        _safe_files.replace(place, held, wanted, _safe_files.temporary(place), expected or now)
        return place.path


def names(folder):
    """Return all names in a folder."""
    return sorted(os.listdir(folder))


def test_a_link_is_kept_and_its_target_written(tree):
    (tree / "enabled").mkdir()
    (tree / "enabled" / "a").symlink_to("../available/a")
    (tree / "available").symlink_to(tree)
    (tree / "a").symlink_to("a.conf")
    with _safe_files.find(f"{tree}/enabled/./a") as place:
        assert place.path == f"{tree}/a.conf"
        assert place.followed == [f"{tree}/enabled/a", f"{tree}/available", f"{tree}/a"]
    assert write(tree / "enabled" / "a", b"new") == f"{tree}/a.conf"
    assert (tree / "enabled" / "a").is_symlink() and (tree / "a.conf").read_bytes() == b"new"


def test_a_link_that_is_not_followed(tree):
    (tree / "link").symlink_to("a.conf")
    with _safe_files.find(f"{tree}/link", follow=False) as place:
        state, _held = _safe_files.look(place)
    assert (place.path, state["kind"], state["target"]) == (f"{tree}/link", "link", "a.conf")


@pytest.mark.parametrize("path", ["a.conf", "", "/", "/etc/..", "/a\0b"])
def test_what_is_no_path_of_a_file(path):
    with pytest.raises(_safe_files.Refused):
        _safe_files.find(path)


def test_links_that_lead_in_a_circle(tree):
    (tree / "x").symlink_to("y")
    (tree / "y").symlink_to("x")
    with pytest.raises(_safe_files.Refused, match="too many symbolic links"):
        _safe_files.find(f"{tree}/x")


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_folder_that_everybody_writes_to_is_refused(tree, mode):
    os.chmod(tree, mode)
    with pytest.raises(_safe_files.Refused, match="others may write to the folder"):
        _safe_files.find(f"{tree}/a.conf")


def test_a_folder_that_a_group_writes_to_is_refused_when_somebody_is_in_it(tree, monkeypatch):
    os.chmod(tree, 0o775)
    os.chown(tree, 0, 4242)
    _safe_files.find(f"{tree}/a.conf").__exit__()
    monkeypatch.setattr(_safe_files, "_members", lambda gid: {0, OTHER})
    with pytest.raises(_safe_files.Refused, match="others may write to the folder"):
        _safe_files.find(f"{tree}/a.conf")
    os.chown(tree, TENANT, 4242)
    os.chown(tree / "a.conf", TENANT, 0)
    monkeypatch.setattr(_safe_files, "_members", lambda gid: {TENANT})
    _safe_files.find(f"{tree}/a.conf").__exit__()


def test_a_sticky_folder_is_entered_for_what_is_ours(tree):
    os.chmod(tree, 0o1777)
    write(tree / "a.conf", b"new")
    os.chown(tree / "a.conf", OTHER, OTHER)
    with pytest.raises(_safe_files.Refused, match="belongs to uid 12346"):
        _safe_files.find(f"{tree}/a.conf")


def test_what_one_user_owns_wholly_is_written_and_stays_theirs(tree):
    for path in (tree, tree / "a.conf"):
        os.chown(path, TENANT, TENANT)
    write(tree / "a.conf", b"new")
    assert (tree / "a.conf").stat().st_uid == TENANT
    write(tree / "new.conf", b"new")


def test_a_file_of_root_where_a_user_decides_what_is_there_is_refused(tree):
    os.chown(tree, TENANT, TENANT)
    with pytest.raises(_safe_files.Refused, match="uid 12345 decides"):
        _safe_files.find(f"{tree}/a.conf")


def test_a_link_of_a_user_to_a_file_of_root_is_refused(tree, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "site.conf").symlink_to(tree / "a.conf")
    os.chown(home, TENANT, TENANT)
    with pytest.raises(_safe_files.Refused, match="uid 12345 decides"):
        _safe_files.find(f"{home}/site.conf")


def test_the_folders_of_two_users_are_refused(tree):
    (tree / "b").mkdir()
    (tree / "b" / "c").mkdir()
    os.chown(tree / "b", TENANT, TENANT)
    os.chown(tree / "b" / "c", OTHER, OTHER)
    with pytest.raises(_safe_files.Refused, match="belongs to uid 12346"):
        _safe_files.find(f"{tree}/b/c/x")


def test_a_file_with_two_names_is_refused(tree):
    os.link(tree / "a.conf", tree / "b.conf")
    with pytest.raises(_safe_files.Refused, match="2 names"):
        _safe_files.find(f"{tree}/a.conf")


def test_owner_mode_and_attributes_stay(tree):
    path = tree / "a.conf"
    os.chown(path, 33, 34)
    os.chmod(path, 0o2640)
    os.setxattr(path, "user.note", b"\x00\xff")
    before = path.stat()
    write(path, b"x" * 100000)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, 33, 34) and after.st_ino != before.st_ino
    assert os.getxattr(path, "user.note") == b"\x00\xff" and os.listxattr(path) == ["user.note"]
    assert path.read_bytes() == b"x" * 100000


def test_a_name_of_any_bytes_and_length(tree):
    name = os.fsencode(str(tree)) + b"/" + b"\xff\xe9 \n" + b"n" * 250
    with open(name, "wb") as file:
        file.write(b"old")
    path = name.decode("utf-8", "surrogateescape")
    with _safe_files.find(path) as place:
        now, held = _safe_files.look(place, content=True)
        assert (place.path, held) == (path, b"old")
        temp = _safe_files.temporary(place)
        assert temp.startswith(".")
        _safe_files.replace(place, b"new", dict(now, mtime_ns=None), temp, now)
    with open(name, "rb") as file:
        assert file.read() == b"new"


def test_a_file_that_was_changed_meanwhile_is_left(tree):
    with _safe_files.find(f"{tree}/a.conf") as place:
        now, _held = _safe_files.look(place)
        (tree / "a.conf").write_bytes(b"of somebody else")
        with pytest.raises(_safe_files.Changed, match="somebody else has changed it meanwhile .content"):
            _safe_files.replace(place, b"new", now, ".a.conf.x", now)
    assert names(tree) == ["a.conf"] and (tree / "a.conf").read_bytes() == b"of somebody else"


def test_a_temporary_name_that_is_taken_is_never_written_through(tree):
    (tree / ".a.conf.x").symlink_to("/etc/passwd")
    with _safe_files.find(f"{tree}/a.conf") as place:
        now, _held = _safe_files.look(place)
        with pytest.raises(FileExistsError):
            _safe_files.replace(place, b"new", now, ".a.conf.x", now)
    assert (tree / "a.conf").read_bytes() == b"old\r\n"


def test_a_socket_has_a_state_and_no_content(tree):
    os.mkfifo(tree / "pipe")
    os.chmod(tree / "pipe", 0o620)
    with _safe_files.find(f"{tree}/pipe") as place:
        state, held = _safe_files.look(place, content=True)
        assert (state["kind"], state["type"], state["mode"], held) == ("other", stat.S_IFIFO, 0o620, None)
        _safe_files.dress(place, dict(state, mode=0o600, uid=33))
    assert (tree / "pipe").stat().st_mode & 0o7777 == 0o600 and (tree / "pipe").stat().st_uid == 33


def test_a_file_that_is_too_large(tree, monkeypatch):
    monkeypatch.setattr(_safe_files, "MAX_FILE", 4)
    with _safe_files.find(f"{tree}/a.conf") as place:
        with pytest.raises(_safe_files.Refused, match="larger than"):
            _safe_files.look(place)


@pytest.fixture
def mounted(tmp_path):
    """Mount things, and take them away afterwards."""
    places = []

    def mount(*words):
        if subprocess.run(["mount", *words], check=False, stderr=subprocess.DEVNULL).returncode != 0:
            pytest.skip("this machine does not let us mount")
        if words[-1] not in places:
            places.append(words[-1])

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_changes_nothing(tree, mounted):
    mounted("-t", "tmpfs", "-o", "size=64k,mode=0755", "none", str(tree))
    (tree / "a.conf").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write(tree / "a.conf", b"x" * 100000)
    assert names(tree) == ["a.conf"] and (tree / "a.conf").read_bytes() == b"old"


def test_a_read_only_file_system_changes_nothing(tree, mounted):
    mounted("--bind", str(tree), str(tree))
    mounted("-o", "remount,bind,ro", str(tree))
    with pytest.raises(OSError, match="Read-only"):
        write(tree / "a.conf", b"new")


def test_a_file_that_is_mounted_by_itself_is_refused(tree, tmp_path, mounted):
    (tmp_path / "source of it").write_bytes(b"outside")
    (tree / "a b").write_bytes(b"")
    mounted("--bind", str(tmp_path / "source of it"), str(tree / "a b"))
    with pytest.raises(_safe_files.Refused, match="mount point"):
        _safe_files.find(f"{tree}/a b")


def test_what_the_kernel_says_to_a_rename_over_a_mount_is_told(tree, tmp_path, mounted, monkeypatch):
    (tmp_path / "source").write_bytes(b"outside")
    mounted("--bind", str(tmp_path / "source"), str(tree / "a.conf"))
    monkeypatch.setattr(_safe_files, "_mounted", lambda path: False)
    with pytest.raises(_safe_files.Refused, match="mount point"):
        write(tree / "a.conf", b"new")
    assert names(tree) == ["a.conf"] and (tmp_path / "source").read_bytes() == b"outside"


def test_an_attribute_that_cannot_be_kept_stops_the_change(tree, monkeypatch):
    os.setxattr(tree / "a.conf", "user.note", b"1")

    def refuse(*_args, **_kwargs):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(_safe_files.Refused, match="attribute user.note cannot be kept"):
        write(tree / "a.conf", b"new")
    assert names(tree) == ["a.conf"] and (tree / "a.conf").read_bytes() == b"old\r\n"
