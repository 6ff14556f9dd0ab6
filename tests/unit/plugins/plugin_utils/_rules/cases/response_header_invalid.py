# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A response header that nginx refuses, and one that its version takes."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"


def firing() -> World:
    """A name of it holds a space."""
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    return world.reply(TCP, {"status": "invalid", "code": 200, "why": 'the header name "X Trace" holds a space; nginx 1.21.1 and later refuse that'})


def silent() -> World:
    """The answer is an error of the application's own, with a proper header."""
    return World().passes(f"http://{TCP}").service("shop.service", TCP).reply(TCP, {"code": 500})
