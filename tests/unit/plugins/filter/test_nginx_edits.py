# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits out of changes."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.filter.nginx_edits import FilterModule

HERE = {"server_name": "shop.example", "location": "/"}
NAMES = {"read": ["*_read_timeout"], "buffers": ["*_buffers"], "keepalive": ["keepalive"], "close": ["proxy_set_header", "Connection", "close"]}

nginx_edits = FilterModule().filters()["nginx_edits"]


def test_each_value_is_a_directive_of_its_module():
    changes = [{"context": HERE, "read": "120s"}, {"context": HERE, "module": "fastcgi", "read": "60s", "buffers": "8 16k"}]
    assert nginx_edits(changes, NAMES) == [
        {"context": HERE, "directives": [{"name": "proxy_read_timeout", "args": ["120s"]}]},
        {"context": HERE, "directives": [{"name": "fastcgi_read_timeout", "args": ["60s"]}, {"name": "fastcgi_buffers", "args": ["8", "16k"]}]},
    ]


def test_what_is_to_be_there_before_goes_with_it():
    (edit,) = nginx_edits([{"context": HERE, "read": "120s", "buffers": "8 16k", "replaces": {"buffers": "8 4k"}}], NAMES)
    assert edit["directives"] == [
        {"name": "proxy_read_timeout", "args": ["120s"]},
        {"name": "proxy_buffers", "args": ["8", "16k"], "replaces": ["8", "4k"]},
    ]


def test_numbers_and_flags():
    (edit,) = nginx_edits([{"context": HERE, "keepalive": 32, "close": True}], NAMES)
    assert edit["directives"] == [{"name": "keepalive", "args": ["32"]}, {"name": "proxy_set_header", "args": ["Connection", "close"]}]


def test_a_change_that_sets_nothing_makes_no_edit():
    assert nginx_edits([{"context": HERE, "close": False, "read": None}, {"context": HERE, "other": 1}], NAMES) == []
