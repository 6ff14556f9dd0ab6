# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations: includes in place, with their places; whatever could not be read is a gap."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config

MAIN = "/etc/nginx/nginx.conf"


def file(path, text="", **more):
    raw = text.encode() if isinstance(text, str) else text
    return {"path": path, "real_path": path, "status": "ok", "content": base64.b64encode(raw).decode(), **more}


def load(*files, includes=(), **more):
    return config.load({"id": MAIN, "conf_path": MAIN, "files": list(files), "includes": list(includes), **more})


def shown(statements):
    return [(item.name, *item.args, str(item.at)) if item.block is None else (item.name, *item.args, str(item.at), shown(item.block)) for item in statements]


def test_includes_stand_in_place_and_keep_their_places():
    loaded = load(
        file(MAIN, "user www;\nhttp {\n include conf.d/*.conf;\n include /etc/nginx/one;\n}\n"),
        file("/etc/nginx/conf.d/b.conf", "b on;"),
        file("/etc/nginx/conf.d/a.conf", "\na on;"),
        file("/etc/nginx/conf.d/.hidden.conf", "hidden on;"),
        file("/etc/nginx/conf.d/deep/c.conf", "c on;"),
        file("/etc/nginx/one", "one on;"),
    )
    assert loaded.gaps == ()
    assert shown(loaded.statements) == [
        ("user", "www", f"{MAIN}:1"),
        ("http", f"{MAIN}:2", [("a", "on", "/etc/nginx/conf.d/a.conf:2"), ("b", "on", "/etc/nginx/conf.d/b.conf:1"), ("one", "on", "/etc/nginx/one:1")]),
    ]


def test_one_file_included_in_two_contexts_is_read_in_both():
    loaded = load(file(MAIN, "http { include x; server { include x; } }"), file("/etc/nginx/x", "root /srv;"))
    (http,) = loaded.blocks("http")
    assert [item.name for item in http.block] == ["root", "server"]
    assert [item.name for item in http.block[1].block] == ["root"]


def test_what_the_host_recorded_goes_before_our_own_matching():
    files = [file(MAIN, "include sites/*;"), file("/etc/nginx/sites/a", "a on;"), file("/etc/nginx/sites/b", "b on;")]
    include = {"pattern": "/etc/nginx/sites/*", "at": {"file": MAIN, "line": 1}, "matches": ["/etc/nginx/sites/b"], "status": "ok"}
    assert [item.name for item in load(*files, includes=[include]).statements] == ["b"]


@pytest.mark.parametrize("status", ["absent", "denied", "error"])
def test_a_file_that_was_not_read_is_a_gap(status):
    loaded = load(file(MAIN, "include /x/one;\nuser www;"), {"path": "/x/one", "status": status, "why": "so it went", "content": ""})
    assert [item.name for item in loaded.statements] == ["user"]
    (gap,) = loaded.gaps
    assert (gap.path, gap.status, gap.why, str(gap.at)) == ("/x/one", status, "so it went", f"{MAIN}:1")


def test_a_file_that_is_missing_from_the_evidence_is_a_gap():
    assert [(gap.path, gap.status) for gap in load(file(MAIN, "include nowhere.conf;")).gaps] == [("/etc/nginx/nowhere.conf", "absent")]
    assert [(gap.path, gap.status) for gap in load().gaps] == [(MAIN, "absent")]


def test_a_folder_that_could_not_be_listed_is_a_gap():
    include = {"pattern": "/root/*", "at": {"file": MAIN, "line": 1}, "matches": [], "status": "denied"}
    (gap,) = load(file(MAIN, "include /root/*;"), includes=[include]).gaps
    assert (gap.path, gap.status) == ("/root/*", "denied")


def test_a_pattern_that_matches_nothing_is_no_gap():
    assert load(file(MAIN, "include conf.d/*.conf;")).gaps == ()


def test_a_truncated_file_and_a_broken_one_are_gaps():
    loaded = load(file(MAIN, "include a;\ninclude b;"), file("/etc/nginx/a", "x on;\ny", truncated=True), file("/etc/nginx/b", "z {"))
    assert [(gap.path, gap.status) for gap in loaded.gaps] == [("/etc/nginx/a", "truncated"), ("/etc/nginx/b", "error")]
    assert [item.name for item in loaded.statements] == ["x", "z"]


def test_content_that_is_no_base64_is_a_gap():
    (gap,) = load({"path": MAIN, "status": "ok", "content": "%%%"}).gaps
    assert gap.status == "error"


def test_a_circle_of_includes_ends():
    loaded = load(file(MAIN, "include a;"), file("/etc/nginx/a", "x on;\ninclude nginx.conf;\ninclude a;"))
    assert [item.name for item in loaded.statements] == ["x"]
    assert [gap.why for gap in loaded.gaps] == ["the file includes itself", "the file includes itself"]


def test_includes_that_multiply_end(monkeypatch):
    monkeypatch.setattr(config, "MAX_STATEMENTS", 1000)
    files = [file(f"/etc/nginx/f{n}", f"x{n} on;" + f"include f{n + 1};" * 10) for n in range(8)]
    loaded = load(file(MAIN, "include f0;"), *files, file("/etc/nginx/f8", "y on;"))
    assert loaded.gaps and loaded.gaps[0].status == "truncated"


def test_equal_configurations_of_two_hosts_are_one_object():
    assert load(file(MAIN, "user one_and_only;")) is load(file(MAIN, "user one_and_only;"))
    assert load(file(MAIN, "user one_and_only;")) is not load(file(MAIN, "user another;"))


def test_the_version_and_the_master_are_kept():
    loaded = load(file(MAIN, ""), build={"status": "ok", "value": {"version": "1.29.7"}}, master={"uid": 33})
    assert (loaded.version, loaded.privileged) == ((1, 29, 7), False)
    assert load(file(MAIN, "")).version is None
    assert load(file(MAIN, ""), build={"status": "ok", "value": {"version": "\u0661.2.3\x1b[31m"}}).version is None


def test_doubtful_files_are_named():
    assert load(file(MAIN, "include a;\nuser www;"), file("/etc/nginx/a", "# off\rb on;\n")).doubtful == ("/etc/nginx/a",)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/a/b.conf", "/a/*.conf", True),
        ("/a/b/c.conf", "/a/*.conf", False),
        ("/a/.b.conf", "/a/*.conf", False),
        ("/a/.b.conf", "/a/.*.conf", True),
        ("/a/b1", "/a/b[0-9]", True),
        ("/a/bx", "/a/b[!0-9]", True),
        ("/a/b]", "/a/b[]]", True),
        ("/a/b", "/a/?", True),
        ("/a/*", "/a/\\*", True),
        ("/a/b", "/a/\\*", False),
        ("/a/b", "/a/[", False),
        ("/a/\u001b[0m", "/a/*", True),
        ("/a/" + "a" * 200, "/a/" + "*a" * 40 + "b", False),
    ],
)
def test_globs_are_those_of_the_c_library(path, pattern, expected):
    assert config.matches_glob(path, pattern) is expected
