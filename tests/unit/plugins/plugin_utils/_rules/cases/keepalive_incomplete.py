# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A keepalive that a location undoes, and one that it lets be."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

GROUP = "upstream shop { server 127.0.0.1:3000; keepalive 16; }"


def _world(header: str) -> World:
    site = f"location / {{ proxy_pass http://shop; proxy_set_header {header}; }}"
    above = ("proxy_http_version 1.1;", 'proxy_set_header Connection "";')
    world = World().site(*above, site, outside=(GROUP,)).service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"keep_alive": {"kept": True, "seconds": 75.0}})


def firing() -> World:
    """Its own header drops the one of the server."""
    return _world("Host $host")


def silent() -> World:
    """Its own header is the one that is needed."""
    return _world('Connection ""')
