# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application in a container with a published port, and nginx on the host."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It listens on the loopback of its container."""
    return _world("127.0.0.1:3000")


def silent() -> World:
    """It listens on every address of its container."""
    return _world("0.0.0.0:3000")


def _world(listen: str) -> World:
    world = World().docker_network("shop_default", "172.18.0.0/16")
    world.container("shop-app-1", "shop_default=172.18.0.3", ports=["127.0.0.1:3000:3000"], service="app")
    world.listen(listen, inside="shop-app-1")
    return world.passes("http://127.0.0.1:3000")
