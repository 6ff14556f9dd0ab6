# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file for each rule, named like it: firing() is a host on which it finds its fault, silent() the closest look-alike on which it must not.

Rules are tested with them, and the pages of docs/causes show what each firing host is told.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def _found(name: str) -> dict[str, Callable[[], World]]:
    modules = {item.name: importlib.import_module(f"{__name__}.{item.name}") for item in pkgutil.iter_modules(__path__)}
    return {file.replace("_", "-"): getattr(module, name) for file, module in sorted(modules.items())}


FIRING = _found("firing")
SILENT = _found("silent")
