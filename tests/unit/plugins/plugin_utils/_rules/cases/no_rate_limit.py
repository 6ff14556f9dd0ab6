# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full pool without and with a limit."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

WITH = ("backend-workers-exhausted",)
PHP = "unix:/run/php/php8.2-fpm.sock"


def firing() -> World:
    """Its queue is full, and every request goes there."""
    world = World().site(f"location / {{ fastcgi_pass {PHP}; }}").pool(PHP)
    return world.reply(PHP, connect="full", queue={"accepted": False, "length": 129, "backlog": 128})


def silent() -> World:
    """It answers, with nothing before it."""
    return World().site(f"location / {{ fastcgi_pass {PHP}; }}").pool(PHP)
