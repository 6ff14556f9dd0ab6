# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx and the application in containers of one network."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx uses the port that is published on the host."""
    return _world("http://app:8080")


def silent() -> World:
    """nginx uses the port of the container."""
    return _world("http://app:3000")


def _world(target: str) -> World:
    world = World().docker_network("shop_default", "172.18.0.0/16")
    world.container("shop-web-1", "shop_default=172.18.0.2", service="web")
    world.container("shop-app-1", "shop_default=172.18.0.3", ports=["0.0.0.0:8080:3000"], service="app")
    world.listen("0.0.0.0:3000", inside="shop-app-1")
    return world.nginx_in("shop-web-1").passes(target).resolve("app", "172.18.0.3")
