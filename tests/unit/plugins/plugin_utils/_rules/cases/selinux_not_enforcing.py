# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux that only looks on, and SELinux that enforces."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _mode(mode: str) -> World:
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.answers["selinux"] = evidence.answer("/sys/fs/selinux", {"mode": mode, "policy": "targeted", "booleans": {}, "ports": {}, "decisions": []})
    return world


def firing() -> World:
    """It is permissive."""
    return _mode("permissive")


def silent() -> World:
    """It enforces."""
    return _mode("enforcing")
