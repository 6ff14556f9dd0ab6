# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that does not fit into uWSGI's buffer, and the same message of a client that speaks HTTP to it."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


SOCKET = "/run/shop/uwsgi.sock"


def world() -> World:
    return World().passes(f"uwsgi_pass unix:{SOCKET}").service("shop.service", f"unix:{SOCKET}", comm="uwsgi")


def firing() -> World:
    """uWSGI dropped a request in the second in which nginx lost one."""
    found = world().logged(f"unix:{SOCKET}", "reset-early", count=1, last=NOW - 60, moments=[NOW - 60])
    found.server(found.units[0]["main_pid"], "uwsgi")
    return found.ended("shop.service", "request-too-big", at=(NOW - 59.5,), size=5120, limit=4096)


def silent() -> World:
    """Somebody asked the socket in HTTP; nginx lost no request."""
    return world().ended("shop.service", "request-too-big", at=(NOW - 59.5,), size=21573, limit=4096)
