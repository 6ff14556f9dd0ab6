# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A closed and an open folder above a socket."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx cannot cross the folder."""
    world = World().passes("http://unix:/run/shop/app.sock").service("shop.service", "unix:/run/shop/app.sock")
    return world.socket("/run/shop/app.sock", folders={"/run/shop": {"mode": "0700"}}).reply("unix:/run/shop/app.sock", connect="denied")


def silent() -> World:
    """It can."""
    return (
        World()
        .passes("http://unix:/run/shop/app.sock")
        .service("shop.service", "unix:/run/shop/app.sock")
        .socket("/run/shop/app.sock", folders={"/run/shop": {"mode": "0711"}})
    )
