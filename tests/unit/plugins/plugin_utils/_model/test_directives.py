# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directives in force: four kinds of inheritance, defaults by version, and the units of nginx."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config


def levels(*texts):
    found = []
    for text in texts:
        raw = base64.b64encode(text.encode()).decode()
        found.append(config.load({"id": "/n", "conf_path": "/n", "files": [{"path": "/n", "content": raw}]}).statements)
    return found


def words(name, *texts):
    return [item.args for item in directives.in_force(name, levels(*texts))]


def test_the_innermost_level_wins():
    assert words("proxy_read_timeout", "proxy_read_timeout 1s;", "", "proxy_read_timeout 3s;", "") == [("3s",)]
    assert words("proxy_read_timeout", "", "") == []


def test_an_array_is_inherited_as_a_whole_or_not_at_all():
    outer = "proxy_set_header Host $host; proxy_set_header X-A 1;"
    assert words("proxy_set_header", outer, "", "") == [("Host", "$host"), ("X-A", "1")]
    assert words("proxy_set_header", outer, 'proxy_set_header Connection "";') == [("Connection", "")]


def test_a_bitmask_adds_up_within_a_level():
    outer = "proxy_next_upstream error; proxy_next_upstream timeout http_502;"
    assert words("proxy_next_upstream", outer) == [("error", "timeout", "http_502")]
    assert words("proxy_next_upstream", outer, "proxy_next_upstream off;") == [("off",)]


def test_what_belongs_to_a_block_is_not_handed_down():
    assert words("proxy_pass", "proxy_pass http://a;", "") == []
    assert words("try_files", "try_files a b;", "try_files c d;") == [("c", "d")]


def test_the_place_is_that_of_the_line_in_force():
    (found,) = directives.in_force("proxy_buffer_size", levels("proxy_buffer_size 4k;", "\n\nproxy_buffer_size 8k;"))
    assert (str(found.at), found.size, str(found)) == ("/n:3", 8192, "proxy_buffer_size 8k")


@pytest.mark.parametrize(
    ("name", "version", "args"),
    [
        ("proxy_http_version", None, ("1.0",)),
        ("proxy_http_version", (1, 22, 1), ("1.0",)),
        ("proxy_http_version", (1, 29, 6), ("1.0",)),
        ("proxy_http_version", (1, 29, 7), ("1.1",)),
        ("proxy_ssl_protocols", (1, 22, 1), ("TLSv1", "TLSv1.1", "TLSv1.2")),
        ("proxy_ssl_protocols", (1, 27, 3), ("TLSv1.2", "TLSv1.3")),
        ("fastcgi_read_timeout", (1, 22, 1), ("60s",)),
        ("uwsgi_buffers", (1, 22, 1), ("8", "4k")),
        ("memcached_next_upstream", None, ("error", "timeout")),
    ],
)
def test_defaults(name, version, args):
    found = directives.default(name, version)
    assert (found.args, found.at) == (args, None)


@pytest.mark.parametrize("name", ["grpc_buffers", "memcached_buffering", "scgi_ssl_verify", "proxy_no_such_thing", "proxy_set_header"])
def test_what_has_no_default_has_none(name):
    assert directives.default(name, (1, 22, 1)) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("60", 60.0), ("60s", 60.0), ("500ms", 0.5), ("1m30s", 90.0), ("1h 5m", 3900.0), ("2d", 172800.0), ("1M", 2592000.0), ("1m", 60.0), ("0", 0.0)]
    + [(bad, None) for bad in ("", "s", "1.5s", "-1", "1s1m", "60z", "$timeout", "\u0661s", "9" * 5000, "redacted:0badcafe")],
)
def test_times(written, expected):
    assert directives.seconds(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("4096", 4096), ("4k", 4096), ("4K", 4096), ("1m", 1048576), ("1G", 1 << 30)] + [(bad, None) for bad in ("", "k", "4kb", "-1", "1.5k", "$x", "9" * 50)],
)
def test_sizes(written, expected):
    assert directives.size(written) == expected


def test_flags():
    assert [directives.flag(word) for word in ("on", "OFF", "yes", "")] == [True, False, None, None]


def test_a_name_without_family_gets_that_of_the_pass():
    assert directives.family_name("read_timeout", "fastcgi") == "fastcgi_read_timeout"
    assert directives.family_name("set_header", "grpc") == "grpc_set_header"
    assert directives.family_name("client_max_body_size", "proxy") == "client_max_body_size"
    assert directives.family_name("index", "fastcgi") == "index"
    assert directives.family_name("fastcgi_index", "fastcgi") == "fastcgi_index"
