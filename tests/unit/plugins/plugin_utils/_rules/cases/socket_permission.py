# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket that nginx may not write to, and one whose group is its own."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The mode lets its owner in alone."""
    return (
        World()
        .passes("http://unix:/run/shop/app.sock")
        .service("shop.service", "unix:/run/shop/app.sock")
        .socket("/run/shop/app.sock", mode="0600")
        .reply("unix:/run/shop/app.sock", connect="denied")
    )


def silent() -> World:
    """The mode lets the group in."""
    return World().passes("http://unix:/run/shop/app.sock").service("shop.service", "unix:/run/shop/app.sock").socket("/run/shop/app.sock", mode="0660")
