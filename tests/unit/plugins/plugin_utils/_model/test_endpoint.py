# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: what is written, what it means, and hostile text."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint


@pytest.mark.parametrize(
    ("written", "kind", "shown"),
    [
        ("127.0.0.1:3000", "tcp", "127.0.0.1:3000"),
        ("127.000.0.01:080", "tcp", "127.0.0.1:80"),
        ("[::1]:3000", "tcp", "[::1]:3000"),
        ("[0:0::0001]:3000", "tcp", "[::1]:3000"),
        ("[::1]", "tcp", "[::1]"),
        ("10.0.0.5", "tcp", "10.0.0.5"),
        ("*:3000", "tcp", "*:3000"),
        ("unix:/run/php/x.sock", "unix", "unix:/run/php/x.sock"),
        ("UNIX:/run/x", "unix", "unix:/run/x"),
        ("unix:@hidden", "unix", "unix:@hidden"),
        ("LocalHost:9000", "name", "localhost:9000"),
        ("app_1.internal", "name", "app_1.internal"),
        ("256.1.1.1:80", "name", "256.1.1.1:80"),
    ],
)
def test_what_is_written_is_understood(written, kind, shown):
    endpoint = Endpoint.parse(written)
    assert (endpoint.kind, str(endpoint)) == (kind, shown)
    assert Endpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    "written",
    ["", ":", "unix:", "a:0", "a:65536", "a:99999999999999999999999", "a:\u0663", "[::1", "[127.0.0.1]:80", "[x]:1", "::1"]
    + ["a b:1", "\x1b[31m:80", "{{ x }}:80", "a\nb:1", "\ud800:1", "x" * 300 + ":1", "1" * 5000],
)
def test_what_is_no_endpoint_is_unknown(written):
    endpoint = Endpoint.parse(written)
    assert endpoint.kind == "unknown"
    assert str(endpoint) == written


def test_the_default_port_counts_where_none_is_written():
    assert str(Endpoint.parse("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(Endpoint.parse("127.0.0.1:81", 80)) == "127.0.0.1:81"


def test_equal_meaning_is_equality():
    assert Endpoint.parse("[0:0:0::1]:80") == Endpoint.tcp("::1", 80)
    assert len({Endpoint.parse("[::1]:80"), Endpoint.tcp("0::1", 80), Endpoint.tcp("127.0.0.1", 80)}) == 2
    assert Endpoint.tcp("no address", 80).kind == "unknown"


def test_a_path_is_quoted_for_a_shell():
    assert Endpoint.unix("/run/a b;rm -rf $HOME").quoted_path == "'/run/a b;rm -rf $HOME'"
