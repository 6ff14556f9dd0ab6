# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that the kernel killed, and one that somebody killed."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


def firing() -> World:
    """The kernel's log names the unit, in the second in which nginx lost a request."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000", started=NOW - 58)
    world.units[0]["memory"]["limit"] = 64 << 20
    world.logged("127.0.0.1:3000", "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    return world.killed_for_memory("shop.service", pid=900)


def silent() -> World:
    """Somebody killed the unit with SIGKILL when nobody asked for it; the kernel killed another."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").unit("mailer.service", "127.0.0.1:2525")
    world.ended("shop.service", "exit", by="systemd", signal=9, at=(NOW - 1000,))
    return world.killed_for_memory("mailer.service", pid=900)
