# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that fails its test, and one that passes with a warning."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx -t fails."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").invalid()


def silent() -> World:
    """nginx -t warns."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    warning = {"level": "warn", "text": 'conflicting server name "shop.example" on 0.0.0.0:80, ignored', "file": "", "line": 0}
    world.instance["test"] = evidence.answer("nginx -t", {"valid": True, "messages": [warning], "how": "overlay"})
    return world
