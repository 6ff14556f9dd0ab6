# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name for which nginx does not start, and a stopped nginx whose name resolves."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """nginx is down, and its test stops at the name."""
    return World().passes("http://app.internal:3000").unresolved("app.internal").stopped().invalid('host not found in upstream "app.internal:3000"')


def silent() -> World:
    """The name resolves."""
    return World().passes("http://app.internal:3000").resolve("app.internal", "127.0.0.1").service("shop.service", "127.0.0.1:3000")
