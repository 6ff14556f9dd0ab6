# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that does not, and one that does take its connections."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"


def firing() -> World:
    """Its event loop is blocked for longer than nginx waits."""
    world = World().site(f"location / {{ proxy_pass http://{TCP}; proxy_read_timeout 2s; }}").service("shop.service", TCP)
    return world.reply(TCP, {"status": "timeout", "code": None, "seconds": 2.5, "why": "no answer"}, queue={"accepted": False, "length": 7, "backlog": 511})


def silent() -> World:
    """It is slow, and takes the connection."""
    world = World().site(f"location / {{ proxy_pass http://{TCP}; proxy_read_timeout 2s; }}").service("shop.service", TCP)
    return world.reply(TCP, {"seconds": 1.9})
