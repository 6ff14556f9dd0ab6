# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One backend on another host, and two."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It is alone."""
    return World().passes("http://10.0.0.9:3000").reply("10.0.0.9:3000", {})


def silent() -> World:
    """It has a backup."""
    group = "upstream shop { server 10.0.0.9:3000; server 10.0.0.10:3000 backup; }"
    return World().passes("http://shop", outside=[group]).reply("10.0.0.9:3000", {}).reply("10.0.0.10:3000", {})
