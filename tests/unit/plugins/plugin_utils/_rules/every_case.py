# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of cases/ hold, one for each rule, named like it.

firing() is a host on which it finds its fault, silent() the closest look-alike on which it must not.
WITH, where there is one, names the rules that rightly speak beside it on firing(): advice that follows from a cause.

Rules are tested with them, and the pages of docs/causes show what each firing host is told.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules import cases
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

_MODULES = {item.name.replace("_", "-"): importlib.import_module(f"{cases.__name__}.{item.name}") for item in pkgutil.iter_modules(cases.__path__)}

FIRING: dict[str, Callable[[], World]] = {name: module.firing for name, module in sorted(_MODULES.items())}
SILENT: dict[str, Callable[[], World]] = {name: module.silent for name, module in sorted(_MODULES.items())}
WITH: dict[str, tuple[str, ...]] = {name: getattr(module, "WITH", ()) for name, module in _MODULES.items()}
