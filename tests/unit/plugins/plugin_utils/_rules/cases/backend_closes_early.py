# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that breaks off what is sent to it, and one from which a download broke off."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"
SENDING = {"phase": "sending request to upstream", "message": "writev() failed"}


def firing() -> World:
    """Uploads broke off while they were sent."""
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    return world.logged(TCP, "reset-early", path="/upload", methods={"POST": 5}, **SENDING)


def silent() -> World:
    """Only the client saw an end, of an answer that had begun."""
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    return world.logged(TCP, "reset-early", status=None, **{"class": "body-cut", "phase": "reading upstream"})
