# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that has no label which nginx may connect to, and one that a boolean has opened since."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, port_check

ENDPOINT = "127.0.0.1:3000"
LABELS = ({"type": "http_port_t", "allowed": False, "booleans": ["httpd_can_network_connect", "httpd_can_network_relay", "httpd_graceful_shutdown"]},)


def _world() -> World:
    world = World().passes(f"http://{ENDPOINT}").service("shop.service", ENDPOINT).logged(ENDPOINT, "connect-denied", level="crit")
    pid = world.units[-1]["main_pid"]
    return world.selinux(domains={pid: "initrc_t"})


def firing() -> World:
    """The kernel denies it."""
    return _world().decides(ENDPOINT, port_check(3000, "ntop_port_t", ["httpd_can_network_connect"], LABELS, record=[3000, 3001]))


def silent() -> World:
    """The kernel allows it by now; the log is of before."""
    return _world().decides(ENDPOINT, port_check(3000, "ntop_port_t", allowed=True))
