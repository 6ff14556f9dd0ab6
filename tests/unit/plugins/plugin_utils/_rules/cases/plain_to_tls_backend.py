# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS port that is asked in plain text, and in TLS."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It answers 400 to plain text and speaks TLS."""
    return (
        World()
        .passes("http://127.0.0.1:3000")
        .service("shop.service", "127.0.0.1:3000")
        .reply("127.0.0.1:3000", {"speak": "http", "code": 400}, {"speak": "https"})
    )


def silent() -> World:
    """It is asked in TLS."""
    return World().passes("https://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").reply("127.0.0.1:3000", {"speak": "https"})
