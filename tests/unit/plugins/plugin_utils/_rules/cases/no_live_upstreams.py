# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group whose servers are all put aside while they answer, and one that a reload has brought back."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NOW, World


def _world(last: float) -> World:
    group = "upstream shop { server 127.0.0.1:3000 fail_timeout=60s; server 127.0.0.1:3001 fail_timeout=60s; }"
    world = World().passes("http://shop", outside=[group]).service("shop.service", "127.0.0.1:3000").service("shop2.service", "127.0.0.1:3001")
    return world.logged("shop", "no-live-upstreams", last=last).visited(last=last)


def firing() -> World:
    """It was said ten seconds ago, and a failure counts for sixty."""
    return _world(NOW - 10)


def silent() -> World:
    """It was said before the workers were started."""
    return _world(LOADED - 1)
