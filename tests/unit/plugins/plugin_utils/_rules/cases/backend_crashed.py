# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that dies while it serves, and one that was restarted while another died."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


def firing() -> World:
    """systemd noted a segmentation fault of the unit in the second in which nginx lost a request."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000", started=NOW - 58)
    world.logged("127.0.0.1:3000", "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    return world.ended("shop.service", "exit", by="systemd", signal=11, at=(NOW - 59.6,))


def silent() -> World:
    """The unit was restarted by somebody, which cost a request, in the second in which a unit that nginx does not use died."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000", started=NOW - 58).unit("mailer.service", "127.0.0.1:2525")
    world.logged("127.0.0.1:3000", "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    return world.ended("mailer.service", "exit", by="systemd", signal=11, at=(NOW - 59.6,))
