# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gRPC pass to a web server, and to a gRPC server."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """It answers the preface of HTTP/2 with a 400 of HTTP/1."""
    world = World().passes("grpc_pass grpc://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    return world.reply("127.0.0.1:3000", {"speak": "http2", "status": "invalid", "code": None, "start": "HTTP/1.1 400 Bad Request"}, {"speak": "http"})


def silent() -> World:
    """It speaks HTTP/2."""
    return World().passes("grpc_pass grpc://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000").reply("127.0.0.1:3000", {"speak": "http2", "code": None})
