# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following includes, on a small tree of files."""

import base64
import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_files as nginx_files


def tree(folder, files):
    for name, content in files.items():
        path = folder.joinpath(*name.strip("/").split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return _host.Host(str(folder))


def load(host, path="/etc/nginx/nginx.conf"):
    parsed = {}
    loaded = nginx_files.load(host, path, os.path.dirname(path), parsed)
    return loaded, [file["path"] for file in loaded["files"]], parsed


def test_files_come_in_the_order_of_nginx(tmp_path):
    host = tree(tmp_path, {
        "/etc/nginx/nginx.conf": b"http { include conf.d/*.conf; include mime.types; }",
        "/etc/nginx/conf.d/b.conf": b"include /etc/nginx/deep;",
        "/etc/nginx/conf.d/a.conf": b"",
        "/etc/nginx/conf.d/B.conf": b"",
        "/etc/nginx/conf.d/.hidden.conf": b"",
        "/etc/nginx/conf.d/c.conf.bak": b"",
        "/etc/nginx/conf.d/sub/d.conf": b"",
        "/etc/nginx/deep": b"",
        "/etc/nginx/mime.types": b"types { }",
    })
    loaded, paths, parsed = load(host)
    names = ["nginx.conf", "conf.d/B.conf", "conf.d/a.conf", "conf.d/b.conf", "deep", "mime.types"]
    assert paths == ["/etc/nginx/" + name for name in names] == list(parsed)
    assert [include["status"] for include in loaded["includes"]] == ["ok", "ok", "ok"]
    assert base64.b64decode(loaded["files"][0]["data"]).startswith(b"http")
    assert loaded["files"][0]["mode"] and loaded["files"][0]["mtime"] > 0


def test_what_is_missing_or_no_file_is_said(tmp_path):
    content = b"include none.conf; include *.none; include pipe; include folder; include sub?;"
    host = tree(tmp_path, {"/etc/nginx/nginx.conf": content, "/etc/nginx/folder/x": b""})
    os.mkfifo(str(tmp_path / "etc/nginx/pipe"))
    (tmp_path / "etc/nginx/subx").symlink_to("gone")
    loaded, paths, _parsed = load(host)
    assert [include["status"] for include in loaded["includes"]] == ["absent", "ok", "ok", "ok", "ok"]
    assert {os.path.basename(file["path"]): file["status"] for file in loaded["files"]} == {
        "nginx.conf": "ok", "none.conf": "absent", "pipe": "error", "folder": "error", "subx": "absent",
    }
    assert "not a regular file" in loaded["files"][2]["why"]


def test_no_configuration_at_all(tmp_path):
    loaded, paths, parsed = load(tree(tmp_path, {}))
    assert loaded["files"][0]["status"] == "absent" and not parsed


def test_a_file_that_includes_itself_is_read_once(tmp_path):
    host = tree(tmp_path, {"/etc/nginx/nginx.conf": b"include nginx.conf; include a;", "/etc/nginx/a": b"include nginx.conf;"})
    assert load(host)[1] == ["/etc/nginx/nginx.conf", "/etc/nginx/a"]


def test_links_are_followed_and_named(tmp_path):
    host = tree(tmp_path, {"/etc/nginx/nginx.conf": b"include enabled/*;", "/etc/nginx/available/shop": b"listen 80;"})
    (tmp_path / "etc/nginx/enabled").mkdir()
    (tmp_path / "etc/nginx/enabled/shop").symlink_to("../available/shop")
    loaded = load(host)[0]
    assert (loaded["files"][1]["path"], loaded["files"][1]["real_path"]) == ("/etc/nginx/enabled/shop", "/etc/nginx/available/shop")


def test_bounds_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(nginx_files, "MAX_FILE", 10)
    monkeypatch.setattr(nginx_files, "MAX_FILES", 2)
    host = tree(tmp_path, {"/etc/nginx/nginx.conf": b"include a; include b; include c;", "/etc/nginx/a": b"", "/etc/nginx/b": b""})
    loaded = load(host)[0]
    assert loaded["truncated"] and loaded["files"][0]["truncated"] and loaded["hidden"]
    monkeypatch.setattr(nginx_files, "MAX_FILE", 1000)
    loaded, paths, _parsed = load(host)
    assert len(paths) == 2 and loaded["truncated"]


@pytest.mark.parametrize("pattern, expected", [
    ("/d/*", ["/d/a b", "/d/a1", "/d/a2", "/d/ax", "/d/s"]),
    ("/d/a?", ["/d/a1", "/d/a2", "/d/ax"]),
    ("/d/a[0-9]", ["/d/a1", "/d/a2"]),
    ("/d/a[!0-9]", ["/d/ax"]),
    ("/d/a[^0-9]", ["/d/ax"]),
    ("/d/a[", []),
    ("/d/a[2-1]", []),
    ("/d/.*", ["/d/.a"]),
    ("/d/\\*", []),
    ("/*/s/a?", ["/d/s/a3"]),
    ("/d/*/a3", ["/d/s/a3"]),
    ("/none/*", []),
    ("/d/a1/*", []),
])
def test_globs(tmp_path, pattern, expected):
    host = tree(tmp_path, {"/d/a1": b"", "/d/a2": b"", "/d/ax": b"", "/d/a b": b"", "/d/.a": b"", "/d/s/a3": b""})
    found = nginx_files.expand(host, pattern)
    assert [path for path in found if not path.endswith("/.") and not path.endswith("/..")] == expected


def test_a_pattern_of_hostile_names(tmp_path):
    host = tree(tmp_path, {"/etc/nginx/nginx.conf": b"include \xff*; include 'a\\nb'; include \"\x00\";"})
    loaded, _paths, _parsed = load(host)
    assert [include["status"] for include in loaded["includes"]][1] == "absent"
    assert all(include["status"] in evidence.STATUSES for include in loaded["includes"])


def test_accounts(tmp_path):
    host = tree(tmp_path, {
        "/etc/nginx/nginx.conf": b"", "/etc/passwd": b"root:x:0:0::/:/bin/sh\nwww:x:33:34:\xff:/:/x\nbroken\n", "/etc/group": b"web:x:34:\nx:x:5:www,other\n",
    })
    loaded = load(host)[0]
    assert loaded["users"] == {"root": [0, 0], "www": [33, 34]}
    assert loaded["groups"] == {"web": [34, []], "x": [5, ["www", "other"]]}
