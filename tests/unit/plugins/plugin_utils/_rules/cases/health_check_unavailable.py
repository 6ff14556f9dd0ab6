# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_check in open-source nginx, and in NGINX Plus."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _world() -> World:
    return World().site("location / { proxy_pass http://127.0.0.1:3000; health_check; }").service("shop.service", "127.0.0.1:3000")


def firing() -> World:
    """It is not loaded yet."""
    return _world()


def silent() -> World:
    """The build has it."""
    world = _world()
    world.instance["build"]["value"]["version"] = "1.25.5 (nginx-plus-r32)"
    return world
