# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that closes idle connections before, and one that does after nginx."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"


def _world(seconds: str) -> World:
    group = f"upstream shop {{ server {TCP}; keepalive 16; keepalive_timeout {seconds}; }}"
    site = 'location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    return World().site(site, outside=(group,)).service("shop.service", TCP).reply(TCP, {"keep_alive": {"kept": True, "seconds": 5.0}})


def firing() -> World:
    """It keeps them for 5 s, nginx for 60 s, and POST requests failed."""
    return _world("60s").logged(TCP, "closed-early", methods={"POST": 5})


def silent() -> World:
    """nginx keeps them for 4 s."""
    return _world("4s")
