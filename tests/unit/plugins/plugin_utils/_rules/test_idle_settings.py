# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrong-module-directive and buffers-incoherent: settings that do not do what they seem to."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"
SOCKET = "unix:/run/php/php8.2-fpm.sock"
PROXY = f"location / {{ proxy_pass http://{TCP}; }}"
PHP = f"location ~ \\.php$ {{ fastcgi_pass {SOCKET}; }}"


def advice(rule: str, *lines: str, **more) -> list:
    world = World().site(*lines, **more).pool(SOCKET).service("shop.service", TCP)
    return [finding for finding in world.judge().findings if finding.id == rule]


@pytest.mark.parametrize(
    ("lines", "instead"),
    [
        (("proxy_read_timeout 300s;", PHP), "Write fastcgi_read_timeout 300s;"),
        ((f"location / {{ proxy_buffer_size 16k; fastcgi_pass {SOCKET}; }}",), "Write fastcgi_buffer_size 16k;"),
        ((f"location / {{ proxy_set_header X-Real-IP $remote_addr; fastcgi_pass {SOCKET}; }}",), "Write fastcgi_param HTTP_X_REAL_IP $remote_addr;"),
        ((f"location / {{ proxy_http_version 1.1; fastcgi_pass {SOCKET}; }}",), "Take proxy_http_version away: fastcgi_pass has nothing like it."),
        ((f"location / {{ fastcgi_read_timeout 300s; proxy_pass http://{TCP}; }}",), "Write proxy_read_timeout 300s;"),
        ((f"location / {{ proxy_read_timeout 300s; grpc_pass grpc://{TCP}; }}",), "Write grpc_read_timeout 300s;"),
        ((f"location / {{ proxy_set_header X-A b; grpc_pass grpc://{TCP}; }}",), "Write grpc_set_header X-A b;"),
        ((f"location /a/ {{ uwsgi_buffer_size 8k; location /a/b/ {{ scgi_pass {TCP}; }} }}",), "Write scgi_buffer_size 8k;"),
    ],
)
def test_a_directive_of_another_module(lines, instead):
    (finding,) = advice("wrong-module-directive", *lines)
    assert (finding.kind, finding.fix.summary) == ("advice", instead)
    assert finding.at.line == 3


def test_several_are_one_piece_of_advice_that_names_each():
    lines = ("proxy_read_timeout 300s;", "proxy_send_timeout 300s;", "proxy_set_header Host $host;", PHP)
    (finding,) = advice("wrong-module-directive", *lines)
    assert finding.says.startswith("proxy_read_timeout, proxy_send_timeout, proxy_set_header at ")
    assert [item.from_.rpartition(":")[2] for item in finding.evidence[:3]] == ["3", "4", "5"]


@pytest.mark.parametrize(
    "lines",
    [
        (PROXY, PHP, "proxy_read_timeout 300s;", "fastcgi_read_timeout 300s;"),
        # Set for both modules at once.
        (PHP, "proxy_read_timeout 300s;", "fastcgi_read_timeout 300s;"),
        # A pass that another statement answers first, or that stands in an "if", is a pass.
        (PHP, "proxy_read_timeout 300s;", f"location /old/ {{ return 410; proxy_pass http://{TCP}; }}"),
        (PHP, "proxy_read_timeout 300s;", f"location /x/ {{ if ($arg_a) {{ proxy_pass http://{TCP}; }} }}"),
        # Nothing of a pass: no module, or that of http as a whole.
        (PHP, "client_body_timeout 300s;"),
        # Only static files.
        ("proxy_read_timeout 300s;", "location / { root /srv; }"),
    ],
)
def test_a_directive_that_is_read_or_that_is_for_all(lines):
    assert advice("wrong-module-directive", *lines) == []


def test_the_level_of_http_is_for_every_server():
    assert advice("wrong-module-directive", PHP, outside=("proxy_read_timeout 300s;",)) == []


@pytest.mark.parametrize(
    ("lines", "summary"),
    [
        (("proxy_buffers 8 16k;", PROXY), "Add proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k; at that level."),
        (("fastcgi_buffers 16 32k;", PHP), "Add fastcgi_buffer_size 32k; fastcgi_buffers 16 32k; fastcgi_busy_buffers_size 64k; at that level."),
        (("proxy_busy_buffers_size 24k;", PROXY), "Add proxy_buffer_size 12k; proxy_buffers 8 12k; proxy_busy_buffers_size 24k; at that level."),
        (
            ("proxy_buffer_size 32k; proxy_buffers 8 32k;", f"location / {{ proxy_buffer_size 8k; proxy_pass http://{TCP}; }}"),
            "Take proxy_buffer_size away at /etc/nginx/sites-enabled/shop:4, or raise it to that of the outer level.",
        ),
    ],
)
def test_buffers_that_leave_the_header_no_more_room(lines, summary):
    (finding,) = advice("buffers-incoherent", *lines)
    assert (finding.kind, finding.fix.summary) == ("advice", summary)


@pytest.mark.parametrize(
    "lines",
    [
        (PROXY,),
        ("proxy_buffer_size 8k;", PROXY),
        ("proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;", PROXY),
        ("proxy_buffers 32 4k;", PROXY),
        ("proxy_buffering off; proxy_buffers 8 16k;", PROXY),
        ("proxy_buffer_size 8k;", f"location / {{ proxy_buffer_size 16k; proxy_pass http://{TCP}; }}"),
        ("proxy_buffers 8 16k;", PHP),
        ("grpc_buffer_size 16k;", f"location / {{ grpc_pass grpc://{TCP}; }}"),
    ],
)
def test_buffers_that_go_together(lines):
    assert advice("buffers-incoherent", *lines) == []
