# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A prohibited route to the backend, and one to somewhere else."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def firing() -> World:
    """The route to the backend is of type prohibit: permission denied."""
    return World().passes("http://10.0.0.7:3000").route("10.0.0.7", "prohibit").reply("10.0.0.7:3000", connect="denied")


def silent() -> World:
    """That to the next address is."""
    return World().passes("http://10.0.0.7:3000").route("10.0.0.7").route("10.0.0.8", "prohibit").reply("10.0.0.7:3000", {})
