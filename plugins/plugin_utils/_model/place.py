# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place type of the model; it is made where configuration files are read.

This module is private to the collection.
"""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

__all__ = ("Place",)
