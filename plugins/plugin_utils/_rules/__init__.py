# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules, one file each, found by looking into this folder.

This module is private to the collection.
"""

from __future__ import annotations

import importlib
import pkgutil

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule

ALL: tuple[Rule, ...] = tuple(
    importlib.import_module(f"{__name__}.{module.name}").RULE for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
)
