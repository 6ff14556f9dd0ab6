# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More connections than descriptors, and as many of both."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, MAIN_TEXT, World


def _allowing(connections: int) -> World:
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    return world.file(MAIN, MAIN_TEXT.replace("events {}", f"events {{ worker_connections {connections}; }}"))


def firing() -> World:
    """Connections for 4096, descriptors for 1024."""
    return _allowing(4096)


def silent() -> World:
    """The 1024 of the package of nginx.org, against the 1024 of systemd."""
    return _allowing(1024)
