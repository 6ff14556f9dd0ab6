# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in a container, and the application in the next one."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx goes to its own loopback."""
    return _world("container:none")


def silent() -> World:
    """The application shares the network of the container that nginx runs in."""
    return _world("")


def _world(apart: str) -> World:
    world = World().docker_network("shop_default", "172.18.0.0/16").container("shop-web-1", "shop_default=172.18.0.2", service="web")
    if apart:
        world.container("shop-app-1", "shop_default=172.18.0.3", service="app")
    else:
        world.container("shop-app-1", mode=f"container:{world.contained('shop-web-1')['id']}", service="app")
    world.listen("0.0.0.0:3000", inside="shop-app-1")
    return world.nginx_in("shop-web-1").passes("http://127.0.0.1:3000")
