# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name whose address is good for a minute, and one whose address is good for a day."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _world(ttl: int) -> World:
    group = "upstream shop { server app.example.com:3000; server 127.0.0.1:3001 backup; }"
    world = World().passes("http://shop", outside=[group]).service("shop.service", "127.0.0.1:3001")
    world.resolve("app.example.com", "10.0.0.9").reply("10.0.0.9:3000", {})
    return world.dns("10.0.0.2", "app.example.com", "10.0.0.9", ttl=ttl, system=True)


def firing() -> World:
    """The record changes soon."""
    return _world(60)


def silent() -> World:
    """The record stays."""
    return _world(86400)
