# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain port that is asked in TLS, and in plain text."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It speaks no TLS."""
    world = World().passes("https://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "https", "status": "not-tls", "code": None}, {"speak": "http"})


def silent() -> World:
    """It is asked in plain text."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
