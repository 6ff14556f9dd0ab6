# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stopped unit, and one that runs."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """A unit that is to listen where nginx connects is stopped."""
    return World().passes("http://127.0.0.1:3000").unit("shop.service", "127.0.0.1:3000", active="inactive")


def silent() -> World:
    """It runs."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
