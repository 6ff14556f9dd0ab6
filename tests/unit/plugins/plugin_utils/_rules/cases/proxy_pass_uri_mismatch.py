# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that has its prefix in its paths, and one that answers below them only."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx takes the prefix away."""
    world = World().site("location /api/ { proxy_pass http://127.0.0.1:3000/; }").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "http", "code": 404}, {"speak": "other-path", "code": 200})


def silent() -> World:
    """Neither path is there: only what is below them."""
    world = World().site("location /api/ { proxy_pass http://127.0.0.1:3000/; }").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "http", "code": 404}, {"speak": "other-path", "status": "ok", "code": 404})
