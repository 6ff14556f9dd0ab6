# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable in a pass without a resolver, and beside a pass that has the same name resolved at start."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The URI alone is variable, and the name must be looked up all the same."""
    return World().passes("http://localhost:3000$request_uri").resolve("localhost", "127.0.0.1").service("shop.service", "127.0.0.1:3000")


def silent() -> World:
    """Another location passes to the same name and port without a variable."""
    world = World().site("location / { proxy_pass http://localhost:3000$request_uri; }", "location /old { proxy_pass http://localhost:3000; }")
    return world.resolve("localhost", "127.0.0.1").service("shop.service", "127.0.0.1:3000")
