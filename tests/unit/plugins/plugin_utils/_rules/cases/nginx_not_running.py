# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stopped nginx, and one that runs."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It is enabled and stopped."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").stopped()


def silent() -> World:
    """It runs, although its unit is disabled: something else started it."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.instance["unit"].update(enabled="disabled", active="inactive", sub="dead")
    return world
