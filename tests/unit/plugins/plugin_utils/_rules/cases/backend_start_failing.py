# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that fails to start, and another that nginx has no use for."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The unit that is to listen where nginx connects has failed."""
    said = ["Error: Cannot find module 'orders'", "Require stack:", "- /srv/shop/app.js", "    at Module.require (node:internal/modules/cjs/loader:1231:19)"]
    return World().passes("http://127.0.0.1:3000").unit("shop.service", "127.0.0.1:3000", active="failed", journal=said)


def silent() -> World:
    """A unit that nginx does not use has failed."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").unit("mailer.service", "127.0.0.1:2525", active="failed")
