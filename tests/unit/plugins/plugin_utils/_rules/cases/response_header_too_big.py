# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A response header above and at the size of the buffer."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """5000 bytes do not fit into 4096."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").reply("127.0.0.1:3000", {"header_bytes": 5000})


def silent() -> World:
    """4096 bytes do."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").reply("127.0.0.1:3000", {"header_bytes": 4096})
