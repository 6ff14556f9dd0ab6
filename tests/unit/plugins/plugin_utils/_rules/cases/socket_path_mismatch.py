# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket of a PHP that was replaced, and that of the one that runs."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The site still names the old version."""
    world = World().passes("fastcgi_pass unix:/run/php/php8.1-fpm.sock").missing("/run/php/php8.1-fpm.sock")
    return world.pool("unix:/run/php/php8.2-fpm.sock")


def silent() -> World:
    """It names the new one."""
    return World().passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock").pool("unix:/run/php/php8.2-fpm.sock")
