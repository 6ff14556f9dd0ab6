# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers at their limit of descriptors, and workers with many open that are far from it."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import WORKERS, World


def firing() -> World:
    """One worker has one descriptor left, and the log says that they ran out."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.limits["processes"][str(WORKERS[0])].update(descriptors=1023, sockets=1010)
    return world.logged("127.0.0.1:3000", "descriptors-exhausted")


def silent() -> World:
    """Eight hundred of 1024 are open."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.limits["processes"][str(WORKERS[0])].update(descriptors=800, sockets=790)
    return world
