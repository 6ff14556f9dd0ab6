# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private overlay: what nginx prints, and what is decided before any mount. tests/integration proves the rest on a real nginx."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _overlay as overlay

FAILED = """nginx: [warn] conflicting server name "a" on 0.0.0.0:80, ignored
nginx: [emerg] unknown directive "proxy_passs" in /etc/nginx/sites-enabled/shop:12
nginx: configuration file /etc/nginx/nginx.conf test failed
"""


def test_messages():
    assert overlay.parse(FAILED) == [
        {"level": "warn", "text": 'conflicting server name "a" on 0.0.0.0:80, ignored', "file": "", "line": 0},
        {"level": "emerg", "text": 'unknown directive "proxy_passs"', "file": "/etc/nginx/sites-enabled/shop", "line": 12},
    ]


def test_a_build_that_logs_to_stderr():
    line = '2026/11/23 01:00:02 [emerg] 11853#11853: unknown directive "a" in /x:4\n'
    expected = [{"level": "emerg", "text": 'unknown directive "a"', "file": "/x", "line": 4}]
    assert overlay.parse(line + 'nginx: [emerg] unknown directive "a" in /x:4\n') == expected


def test_the_closing_lines_are_no_messages():
    assert overlay.parse("nginx: the configuration file /x syntax is ok\nnginx: configuration file /x test is successful\n") == []


def test_a_value_with_a_line_feed_belongs_to_its_message():
    assert overlay.parse('nginx: [emerg] unknown directive "a\nb" in /x:3\n')[0]["text"].startswith('unknown directive "a\nb"')


def test_without_root_it_is_denied(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(evidence.Unanswered) as caught:
        overlay.test(["/bin/true"])
    assert caught.value.status == evidence.DENIED


def test_the_mount_of_a_path():
    mounts = [("/", "ext4"), ("/run", "tmpfs"), ("/run/a", "tmpfs"), ("/runner", "tmpfs")]
    assert [overlay._mount_of(path, mounts) for path in ("/etc/x", "/run/x", "/run/a/x", "/run/ab", "/runner")] == ["/", "/run", "/run/a", "/run", "/runner"]


def test_a_stand_in_is_empty_and_as_the_file_is(tmp_path):
    log = tmp_path / "host/var/log/e.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 100)
    log.chmod(0o640)
    log.parent.chmod(0o750)
    upper = tmp_path / "upper"
    upper.mkdir()
    overlay._stand_in(str(tmp_path / "host"), str(log), str(upper))
    made = upper / "var/log/e.log"
    assert (made.stat().st_size, made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0, 0o640, 0o750)
    assert log.read_bytes() == b"x" * 100


def test_only_large_files_get_a_stand_in(tmp_path):
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "large").write_bytes(b"x" * (overlay.LARGE_FILE + 1))
    (tmp_path / "link").symlink_to("large")
    paths = [str(tmp_path / name) for name in ("small", "large", "link", "none")] + ["/dev/null", "a\0b"]
    assert overlay._large_files(paths) == [str(tmp_path / "large")]
