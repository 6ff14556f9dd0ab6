# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that speaks WebSocket, and does not hear of it; and one that does."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"


def firing() -> World:
    """It refuses a plain request and switches protocols when it is asked to."""
    world = World().site("location /ws/ { proxy_pass http://127.0.0.1:3000; }").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "http", "code": 426}, {"speak": "websocket", "code": 101})


def silent() -> World:
    """It refuses a plain request too, and the route hands the headers on."""
    world = World().site(f"location /ws/ {{ {UPGRADE} proxy_pass http://127.0.0.1:3000; }}").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "http", "code": 426}, {"speak": "websocket", "code": 101})
