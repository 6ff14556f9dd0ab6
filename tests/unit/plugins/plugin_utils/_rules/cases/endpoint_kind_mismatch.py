# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port in nginx and a socket in the backend, and a backend with both."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The backend is to listen on the port, and listens on a socket."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "unix:/run/shop/app.sock", "127.0.0.1:3000")


def silent() -> World:
    """It listens on both."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").service("admin.service", "unix:/run/shop/app.sock")
