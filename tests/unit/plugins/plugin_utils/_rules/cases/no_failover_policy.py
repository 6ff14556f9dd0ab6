# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group whose second server is never asked, and one with nginx's own policy."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _world(*lines: str) -> World:
    group = "upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }"
    world = World().site(*lines, "location / { proxy_pass http://shop; }", outside=[group])
    return world.service("shop.service", "127.0.0.1:3000").service("shop2.service", "127.0.0.1:3001")


def firing() -> World:
    """It is switched off."""
    return _world("proxy_next_upstream off;")


def silent() -> World:
    """It has a limit that leaves a second try."""
    return _world("proxy_next_upstream_tries 2;")
