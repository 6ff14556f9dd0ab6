# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend at another address, and at every address."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It listens on ::1 alone."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "[::1]:3000")


def silent() -> World:
    """It listens on every address."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "0.0.0.0:3000")
