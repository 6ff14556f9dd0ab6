# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is newer than the workers, and one that is older."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World


def firing() -> World:
    """The file was changed after the workers were started."""
    return World().passes("http://127.0.0.1:3000", mtime=NOW - 60).service("shop.service", "127.0.0.1:3000")


def silent() -> World:
    """It was changed before."""
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
