# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket in the private /tmp of a unit, and in the /tmp of all."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import OTHER_MNT, World


def firing() -> World:
    """The unit has a /tmp of its own."""
    world = World().passes("http://unix:/tmp/app.sock").missing("/tmp/app.sock")
    world.listen("unix:/tmp/app.sock", comm="gunicorn", mnt=OTHER_MNT, path=False)
    return world


def silent() -> World:
    """It has not."""
    world = World().passes("http://unix:/tmp/app.sock")
    world.listen("unix:/tmp/app.sock", comm="gunicorn")
    return world
