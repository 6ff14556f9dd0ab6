# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx that gave up at boot on a name which resolves now, and one that was started again since."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


# What is true all the same where the evidence does not tell why.
WITH = ("nginx-not-running",)
EMERGENCY = 'host not found in upstream "orders.internal" in /etc/nginx/sites-enabled/shop:3'


def world() -> World:
    found = World().passes("http://orders.internal:3000").resolve("orders.internal", "10.0.0.5").service("orders.service", "10.0.0.5:3000")
    return found.refused_reload(EMERGENCY, pids=(88,), last=NOW - 3500)


def firing() -> World:
    """nginx is down since; its configuration is good."""
    return world().stopped(active="failed")


def silent() -> World:
    """nginx was started again."""
    return world()
