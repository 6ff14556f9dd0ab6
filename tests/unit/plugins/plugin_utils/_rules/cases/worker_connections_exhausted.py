# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker whose connections are used up, and one that is as full and drops nobody."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, MAIN_TEXT, WORKERS, World


def _full() -> World:
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.file(MAIN, MAIN_TEXT.replace("events {}", "events { worker_connections 256; }"))
    world.limits["processes"][str(WORKERS[0])].update(descriptors=270, sockets=257)
    return world


def firing() -> World:
    """All 256 are in use, and the log says that they were not enough."""
    return _full().logged("127.0.0.1:3000", "connections-exhausted")


def silent() -> World:
    """As many are open, but of idle clients that nginx can drop."""
    return _full()
