# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that is slower and one that is faster than the timeout."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It needs 1.4 s, and nginx waits 1 s."""
    world = World().site("location / { proxy_pass http://127.0.0.1:3000; proxy_read_timeout 1s; }").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"seconds": 1.4})


def silent() -> World:
    """It needs 0.9 s."""
    world = World().site("location / { proxy_pass http://127.0.0.1:3000; proxy_read_timeout 1s; }").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"seconds": 0.9})
