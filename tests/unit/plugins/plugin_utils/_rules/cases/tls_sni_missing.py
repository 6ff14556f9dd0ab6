# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that wants a server name, and one that is sent it."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import explained, failed, passed, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"


def firing() -> World:
    """It takes a handshake with the name of the site alone."""
    world = World().passes(f"https://{TCP}").service("shop.service", TCP)
    return world.reply(TCP, failed(code=112), tls=explained(shaken("", "tls-alert", code=112), shaken("shop.example")))


def silent() -> World:
    """It is sent that name."""
    world = World().site("location / {", f"proxy_pass https://{TCP};", "proxy_ssl_server_name on;", "proxy_ssl_name shop.example;", "}")
    return world.service("shop.service", TCP).reply(TCP, passed(verified=False, speak="https-sni"))
