# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule for the backend's port, and one for another port beside a backend that is down."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _world() -> World:
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")


def firing() -> World:
    """Connections of the worker to 3000 are dropped."""
    return _world().filters("127.0.0.1:3000").reply("127.0.0.1:3000", connect="timeout", seconds=5.0)


def silent() -> World:
    """Connections to 3001 are."""
    return _world().filters("127.0.0.1:3001")
