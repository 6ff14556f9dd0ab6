# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stopped SSH forwarding at the endpoint, and one from a port that nginx does not use."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

COMMAND = ["/usr/bin/ssh", "-N", "-L", "8080:10.9.0.2:80", "tunnel@office.example"]


def firing() -> World:
    """Its unit is stopped."""
    return World().passes("http://127.0.0.1:8080").unit("office.service", "127.0.0.1:8080", active="inactive", command=COMMAND)


def silent() -> World:
    """The unit that is stopped leads from 8081."""
    world = World().passes("http://127.0.0.1:8080").service("shop.service", "127.0.0.1:8080")
    return world.unit("office.service", "127.0.0.1:8081", active="inactive", command=[*COMMAND[:3], "8081:10.9.0.2:80", COMMAND[4]])
