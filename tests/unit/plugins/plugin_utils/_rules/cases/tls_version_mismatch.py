# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend of TLS 1.3 behind an nginx that does not speak it, and behind one that does."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import explained, failed, passed, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"


def firing() -> World:
    """nginx 1.22 speaks TLS 1.2 at most unless it is told otherwise."""
    world = World().passes(f"https://{TCP}").service("shop.service", TCP)
    handshakes = [shaken("", "tls-alert", code=70), shaken("", versions=("TLSv1.3",), version="TLSv1.3"), shaken("", "tls-alert", ("TLSv1.2",), code=70)]
    return world.reply(TCP, failed(code=70), tls=explained(*handshakes))


def silent() -> World:
    """It is told."""
    world = World().site("location / {", f"proxy_pass https://{TCP};", "proxy_ssl_protocols TLSv1.2 TLSv1.3;", "}")
    return world.service("shop.service", TCP).reply(TCP, passed(verified=False))
