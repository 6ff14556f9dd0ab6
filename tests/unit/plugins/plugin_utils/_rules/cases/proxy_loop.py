# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pass to nginx's own address, to the same server and to another one."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The only server takes it again."""
    return World().passes("http://127.0.0.1:80").listen_of_nginx("0.0.0.0:80")


def silent() -> World:
    """Another server answers it from a folder."""
    world = World().passes("http://127.0.0.1:8080").listen_of_nginx("0.0.0.0:80", "0.0.0.0:8080")
    return world.site("root /srv/shop;", name="files", port=8080)
