# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PHP-FPM pool that is asked in HTTP, and in FastCGI."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It resets what is not FastCGI."""
    world = World().passes("http://127.0.0.1:9000").pool("127.0.0.1:9000")
    return world.reply("127.0.0.1:9000", {"speak": "http", "status": "reset", "code": None}, {"speak": "fastcgi-ping", "code": None})


def silent() -> World:
    """It is asked in FastCGI."""
    return World().passes("fastcgi_pass 127.0.0.1:9000").pool("127.0.0.1:9000")
