# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that has no rule for the backend's socket, and one that only complains."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

SOCKET = "/srv/shop/run.sock"


def _world() -> World:
    world = World().passes(f"http://unix:{SOCKET}").service("shop.service", f"unix:{SOCKET}")
    return world.socket(SOCKET, mode="0666").logged(f"unix:{SOCKET}", "connect-denied")


def firing() -> World:
    """It is enforced, and the kernel has the denial."""
    return _world().apparmor("nginx").apparmor_denied("nginx", name=SOCKET)


def silent() -> World:
    """It complains, and nothing failed."""
    world = World().passes(f"http://unix:{SOCKET}").service("shop.service", f"unix:{SOCKET}").socket(SOCKET, mode="0666")
    return world.apparmor("nginx", "complain")
