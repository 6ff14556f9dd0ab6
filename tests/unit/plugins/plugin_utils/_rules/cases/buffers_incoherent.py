# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger buffers without, and with, the one for the header."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """Only those for the body are larger."""
    return World().site("proxy_buffers 8 16k;", "location / { proxy_pass http://127.0.0.1:3000; }").service("shop.service", "127.0.0.1:3000")


def silent() -> World:
    """The one for the header is as well."""
    lines = ("proxy_buffer_size 16k;", "proxy_buffers 8 16k;", "location / { proxy_pass http://127.0.0.1:3000; }")
    return World().site(*lines).service("shop.service", "127.0.0.1:3000")
