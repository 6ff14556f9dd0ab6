# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate that does not pass the verification, and one that is not verified."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import explained, failed, issued, passed, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World

TCP = "127.0.0.1:3000"
VERIFIED = ("proxy_ssl_verify on;", "proxy_ssl_trusted_certificate /etc/ssl/own-ca.pem;", "proxy_ssl_name shop.example;")


def firing() -> World:
    """It is issued by a CA that the trusted file does not hold."""
    world = World().site("location / {", f"proxy_pass https://{TCP};", *VERIFIED, "}").service("shop.service", TCP)
    tried = failed("untrusted", 20, why="unable to get local issuer certificate")
    return world.reply(TCP, tried, tls=explained(shaken(""), chain=[issued()]))


def silent() -> World:
    """It ended long ago, and nothing is verified."""
    world = World().passes(f"https://{TCP}").service("shop.service", TCP)
    return world.reply(TCP, passed(verified=False, ends=NOW - 86400))
