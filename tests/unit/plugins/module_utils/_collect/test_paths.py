# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking to a socket: links, missing folders, denied ones, ACLs."""

import os
import socket
import struct

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import paths


def walk(host, path):
    return paths.walk(host, path, {}, {})


@pytest.fixture
def host(tmp_path):
    (tmp_path / "run/php").mkdir(parents=True)
    (tmp_path / "run/php").chmod(0o710)
    here = os.getcwd()
    os.chdir(str(tmp_path / "run/php"))
    one = socket.socket(socket.AF_UNIX)
    one.bind("x.sock")
    one.close()
    os.chdir(here)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "run/link.sock").symlink_to("php/../php/x.sock")
    (tmp_path / "run/loop").symlink_to("loop")
    (tmp_path / "run/dead").symlink_to("php/none.sock")
    (tmp_path / "run/file").write_bytes(b"")
    return _host.Host(str(tmp_path))


def shown(answer):
    return [(step["path"], step["type"]) for step in answer["walk"]]


def test_a_socket(host):
    answer = walk(host, "/run/php/x.sock")
    assert (answer["status"], answer["missing"]) == ("ok", "")
    assert shown(answer) == [("/", "dir"), ("/run", "dir"), ("/run/php", "dir"), ("/run/php/x.sock", "socket")]
    assert answer["walk"][2]["mode"] == "0710"
    assert answer["walk"][2]["acl"] is None


def test_links_are_followed_step_by_step_below_the_root_of_nginx(host):
    answer = walk(host, "/var/run/link.sock")
    assert answer["status"] == "ok"
    assert shown(answer) == [
        ("/", "dir"), ("/var", "dir"), ("/var/run", "link"), ("/run", "dir"), ("/run/link.sock", "link"), ("/run/php", "dir"), ("/run", "dir"),
        ("/run/php", "dir"), ("/run/php/x.sock", "socket"),
    ]
    assert answer["walk"][2]["target"] == "/run"


@pytest.mark.parametrize("path, status, missing", [
    ("/run/php/gone.sock", "absent", "/run/php/gone.sock"),
    ("/run/gone/x.sock", "absent", "/run/gone"),
    ("/run/dead", "absent", "/run/php/none.sock"),
    ("/run/file/x.sock", "error", ""),
    ("/run/loop", "error", ""),
    ("relative.sock", "error", ""),
    ("/run/\0x", "error", ""),
    ("/" + "x" * 300, "error", ""),
])
def test_ways_that_do_not_end_at_a_socket(host, path, status, missing):
    answer = walk(host, path)
    assert (answer["status"], answer["missing"]) == (status, missing)
    assert answer["why"]


def test_a_denied_folder_is_not_an_absent_one(host, monkeypatch):
    real = host.stat

    def stat(path, follow=True):
        if path.startswith("/run/php/"):
            raise evidence.Unanswered(evidence.DENIED, "no")
        return real(path, follow)

    monkeypatch.setattr(host, "stat", stat)
    answer = walk(host, "/run/php/x.sock")
    assert (answer["status"], answer["missing"], len(answer["walk"])) == ("denied", "", 3)


def test_acls():
    def entry(tag, perm, number=0xFFFFFFFF):
        return struct.pack("<HHI", tag, perm, number)

    raw = struct.pack("<I", 2) + entry(1, 7) + entry(2, 6, 33) + entry(4, 0) + entry(8, 4, 34) + entry(0x10, 6) + entry(0x20, 0)
    assert paths.decode_acl(raw) == [
        {"tag": "owner", "id": None, "perm": "rwx"}, {"tag": "user", "id": 33, "perm": "rw-"}, {"tag": "owning_group", "id": None, "perm": "---"},
        {"tag": "group", "id": 34, "perm": "r--"}, {"tag": "mask", "id": None, "perm": "rw-"}, {"tag": "other", "id": None, "perm": "---"},
    ]
    assert paths.decode_acl(b"") is None
    assert paths.decode_acl(b"\2\0\0\0\1") is None
