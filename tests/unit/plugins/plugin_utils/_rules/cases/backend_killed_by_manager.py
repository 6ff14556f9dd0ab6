# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool whose request_terminate_timeout is over, and one whose request was ended for another client."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


SOCKET = "/run/php/shop.sock"


def world(**more) -> World:
    return World().passes(f"fastcgi_pass unix:{SOCKET}").pool(f"unix:{SOCKET}", name="shop", request_terminate_timeout=2.0, **more)


def firing() -> World:
    """The probe was cut off after just the timeout of the pool."""
    return world().reply(f"unix:{SOCKET}", {"status": "reset", "seconds": 2.6, "why": "the backend reset the connection (104)"})


def silent() -> World:
    """PHP-FPM ended a request, and nginx lost none."""
    return world().ended("shop (PHP 8.2)", "terminate-timeout", kind="pool", at=(NOW - 60,), source="/var/log/php8.2-fpm.log", script="/srv/report.php")
