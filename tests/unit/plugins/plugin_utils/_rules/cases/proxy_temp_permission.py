# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for request bodies that belongs to root, and one that is the worker's by its group."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import WWW_DATA, World

BODY = "/var/lib/nginx/body"


def _world() -> World:
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")


def firing() -> World:
    """It is root's alone, and uploads failed."""
    world = _world().temp_path("client_body_temp_path", BODY, uid=0)
    return world.logged("", "temp-file-denied", sample=f'open() "{BODY}/0000000001" failed (13: Permission denied)')


def silent() -> World:
    """It is root's, and its group may write."""
    return _world().temp_path("client_body_temp_path", BODY, uid=0, gid=WWW_DATA, mode="0770")
