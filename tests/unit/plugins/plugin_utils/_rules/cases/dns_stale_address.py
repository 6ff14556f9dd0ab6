# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name that moved after nginx was started, and one that moved back."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, World


def _world() -> World:
    return World().passes("http://app.internal:3000").service("shop.service", "0.0.0.0:3000").logged("127.0.0.2:3000")


def firing() -> World:
    """The hosts file was changed later."""
    return _world().hosts_row("app.internal", "127.0.0.3", changed=LOADED + 600)


def silent() -> World:
    """The name has the address that failed, and something listens there."""
    return _world().hosts_row("app.internal", "127.0.0.2", changed=LOADED + 600)
