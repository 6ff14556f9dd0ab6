# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path of a container is told to be one of the host only where the kernel's mounts say so, and both lead to one file."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host, _mount_sources

# The host: its root, and a disk of its own for volumes. Both have a space in a path, as the kernel writes it.
OURS = """\
21 1 254:0 / / rw,relatime - ext4 /dev/root rw
40 21 8:16 / /var/lib/docker/volumes rw - ext4 /dev/sdb rw
41 21 254:0 /srv/hidden /srv/over rw - ext4 /dev/root rw
42 21 0:5 / /proc rw - proc proc rw
"""
THEIRS = """\
300 290 0:70 / / rw - overlay overlay rw,lowerdir=/l
301 300 0:71 / /proc rw - proc proc rw
302 300 0:72 / /dev/shm rw - tmpfs shm rw
303 300 254:0 /srv/shop\\040a/nginx.conf /etc/nginx/nginx.conf ro - ext4 /dev/root rw
304 300 254:0 /srv/shop\\040a/conf.d /etc/nginx/conf.d rw - ext4 /dev/root rw
305 300 8:16 /vol/_data /etc/nginx/vol rw - ext4 /dev/sdb rw
306 300 254:0 /srv/gone.conf//deleted /etc/nginx/gone.conf rw - ext4 /dev/root rw
307 300 254:0 /var/lib/docker/containers/abc/hosts /etc/hosts rw - ext4 /dev/root rw
308 304 254:0 /srv/deeper /etc/nginx/conf.d/deeper rw - ext4 /dev/root rw
309 300 254:0 /srv/over/under /etc/nginx/under rw - ext4 /dev/root rw
"""


@pytest.fixture
def mounts(tmp_path):
    """Mounts of process 7, whose files are the same as those of the host: they are hard links to them."""
    for path in ("proc/self", "proc/7", "root-of-7"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(OURS)
    (tmp_path / "proc/7/mountinfo").write_text(THEIRS)
    (tmp_path / "proc/7/root").symlink_to(tmp_path / "root-of-7")
    for here, there in (
        ("srv/shop a/nginx.conf", "etc/nginx/nginx.conf"), ("srv/shop a/conf.d/shop.conf", "etc/nginx/conf.d/shop.conf"),
        ("var/lib/docker/volumes/vol/_data/a.conf", "etc/nginx/vol/a.conf"), ("srv/deeper/b.conf", "etc/nginx/conf.d/deeper/b.conf"),
        ("var/lib/docker/containers/abc/hosts", "etc/hosts"), ("srv/over/under/c.conf", "etc/nginx/under/c.conf"),
    ):
        for path in (tmp_path / here, tmp_path / "root-of-7" / there):
            path.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / here).write_text(here)
        os.link(str(tmp_path / here), str(tmp_path / "root-of-7" / there))
    return _mount_sources.Mounts(_host.Host(str(tmp_path)), 7)


@pytest.mark.parametrize(("path", "place", "single"), [
    ("/etc/nginx/nginx.conf", "/srv/shop a/nginx.conf", True),
    ("/etc/nginx/conf.d/shop.conf", "/srv/shop a/conf.d/shop.conf", False),
    ("/etc/nginx/vol/a.conf", "/var/lib/docker/volumes/vol/_data/a.conf", False),
    ("/etc/nginx/conf.d/deeper/b.conf", "/srv/deeper/b.conf", False),
])
def test_where_a_file_is_mounted_from(mounts, path, place, single):
    source = mounts.source(path)
    assert (source.kind, source.path, source.single, source.why) == (_mount_sources.HOST, place, single, "")


@pytest.mark.parametrize(("path", "kind", "said"), [
    ("/etc/nginx/mime.types", _mount_sources.IMAGE, "in the image"),
    ("/etc/nginx/nginx.confx", _mount_sources.IMAGE, "in the image"),
    ("/dev/shm/x", _mount_sources.ELSEWHERE, "cannot be seen on the host"),
    ("/etc/nginx/gone.conf", _mount_sources.REPLACED, "restart the container"),
    ("/etc/hosts", _mount_sources.ELSEWHERE, "kept by the container engine"),
    # Something else is mounted over the folder on the host: the path there leads to other files.
    ("/etc/nginx/under/c.conf", _mount_sources.ELSEWHERE, "cannot be seen on the host"),
])
def test_what_is_not_a_file_of_the_host(mounts, path, kind, said):
    source = mounts.source(path)
    assert (source.kind, source.path) == (kind, "") and said in source.why


def test_a_file_that_was_replaced_on_the_host_is_another_one(mounts, tmp_path):
    (tmp_path / "srv/shop a/nginx.conf").unlink()
    (tmp_path / "srv/shop a/nginx.conf").write_text("new")
    assert mounts.source("/etc/nginx/nginx.conf").kind == _mount_sources.ELSEWHERE


def test_what_replaced_a_file_on_the_host_is_named(mounts, tmp_path):
    (tmp_path / "srv/gone.conf").write_text("new")
    for _time in range(2):
        source = mounts.source("/etc/nginx/gone.conf")
        assert (source.kind, source.path) == (_mount_sources.REPLACED, "/srv/gone.conf")


def test_a_new_file_is_nowhere_while_its_folder_is_another_one(mounts):
    # A fake root has folders of its own.
    assert mounts.source("/etc/nginx/conf.d/new.conf").kind == _mount_sources.ELSEWHERE


def test_a_link_that_the_container_makes_on_the_way_is_not_followed_here(mounts, tmp_path):
    """Both ends lead to one file of this host: it is none of the container's."""
    (tmp_path / "etc/own").mkdir(parents=True)
    (tmp_path / "etc/own/x.conf").write_text("x")
    for folder in ("srv/shop a/conf.d", "root-of-7/etc/nginx/conf.d"):
        (tmp_path / folder / "sub").symlink_to(tmp_path / "etc/own")
    assert mounts.source("/etc/nginx/conf.d/sub/x.conf").kind == _mount_sources.ELSEWHERE
