# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in a container of one project, and the application in one of another."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """Each is on the network of its project alone."""
    return _world("web_default=172.18.0.2").unresolved("app")


def silent() -> World:
    """nginx's container is on both networks."""
    return _world("web_default=172.18.0.2", "shop_default=172.19.0.2").resolve("app", "172.19.0.3")


def _world(*networks: str) -> World:
    world = World().docker_network("web_default", "172.18.0.0/16").docker_network("shop_default", "172.19.0.0/16")
    world.container("web-nginx-1", *networks, service="nginx", project="web")
    world.container("shop-app-1", "shop_default=172.19.0.3", service="app")
    world.listen("0.0.0.0:3000", inside="shop-app-1")
    return world.nginx_in("web-nginx-1").passes("http://app:3000")
