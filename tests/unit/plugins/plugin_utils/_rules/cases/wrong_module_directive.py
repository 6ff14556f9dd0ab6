# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timeout of proxy_pass in a server that has only fastcgi_pass, and in one that has both."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

PHP = r"location ~ \.php$ { fastcgi_pass unix:/run/php/php8.2-fpm.sock; }"


def firing() -> World:
    """Nobody reads it."""
    return World().site("proxy_read_timeout 300s;", PHP).pool("unix:/run/php/php8.2-fpm.sock")


def silent() -> World:
    """Another location of the server passes in HTTP."""
    world = World().site("proxy_read_timeout 300s;", PHP, "location / { proxy_pass http://127.0.0.1:3000; }")
    return world.pool("unix:/run/php/php8.2-fpm.sock").service("shop.service", "127.0.0.1:3000")
