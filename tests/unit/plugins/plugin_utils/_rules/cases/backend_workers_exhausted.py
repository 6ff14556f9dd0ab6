# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool without and one with a free child."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

PHP = "unix:/run/php/php8.2-fpm.sock"


def firing() -> World:
    """Its queue is full."""
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, max_children=2)
    return world.reply(PHP, connect="full", queue={"accepted": False, "length": 129, "backlog": 128})


def silent() -> World:
    """Two wait, and the answer comes in time."""
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, max_children=2)
    world.listeners["unix"][0]["accept_queue"] = 2
    return world.reply(PHP, {"seconds": 4.0})
