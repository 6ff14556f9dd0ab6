# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All local ports towards the backend taken, and half of them."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """Every port of the range has a socket to it."""
    world = World().passes("http://10.0.0.7:3000").route("10.0.0.7").sockets_to("10.0.0.7:3000", time_wait=28000, established=232)
    return world.reply("10.0.0.7:3000", connect="error", errno=99)


def silent() -> World:
    """Half of them wait."""
    return World().passes("http://10.0.0.7:3000").route("10.0.0.7").sockets_to("10.0.0.7:3000", time_wait=14000).reply("10.0.0.7:3000", {})
