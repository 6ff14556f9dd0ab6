# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resolver that does not know a name of the hosts file, and one that does."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _world() -> World:
    world = World().site("resolver 127.0.0.53;", "set $to http://app.internal:3000;", "location / { proxy_pass $to; }")
    return world.hosts_row("app.internal", "127.0.0.1").service("shop.service", "127.0.0.1:3000")


def firing() -> World:
    """It knows no such name."""
    return _world().dns("127.0.0.53", "app.internal", status="nxdomain").logged("", "name-not-resolved", detail={"name": "app.internal", "code": 3})


def silent() -> World:
    """It knows the name, and has no IPv6 address for it."""
    return _world().dns("127.0.0.53", "app.internal", "127.0.0.1")
