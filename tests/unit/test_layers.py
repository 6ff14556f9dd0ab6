# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The direction of imports that docs/architecture.md draws, held for every file of plugins/."""

from __future__ import annotations

import ast
import pathlib
import sys
from collections.abc import Iterator

import pytest

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"
OURS = ("ansible_collections", "webops", "bad_gateway", "plugins")

# What the files of a folder may import, besides the standard library and, in plugin_utils, what is below them.
ALLOWED = {
    "modules": ("ansible.module_utils", "module_utils"),
    "module_utils": ("module_utils",),
    "plugin_utils": ("module_utils", "plugin_utils"),
    "action": ("ansible", "module_utils", "plugin_utils"),
    "doc_fragments": (),
    "filter": (),
}

# The parts of plugin_utils, the lowest first: a part may import itself and those in lines above its own.
LAYERS = (
    ("_version",),
    ("_bundle", "_compose", "_url"),
    ("_settings",),
    ("_nginx",),
    ("_model",),
    ("_edit", "_finding", "_requests", "_targets"),
    ("_failover", "_following", "_keeping", "_pointing", "_raising", "_show", "_widening"),
    ("_last_words", "_rule"),
    ("_docking",),
    ("_mounted",),
    ("_rules",),
    ("_judge",),
    ("_fleet",),
    ("_plan",),
    ("_report",),
)
LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# What ansible-core and nobody else brings, and crossplane: the one file that imports each.
HOMES = {"crossplane": ("plugin_utils", "_nginx", "_crossplane.py"), "yaml": ("plugin_utils", "_compose.py")}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Return (line, dotted name) of every import; a relative one keeps its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def violations(plugins: pathlib.Path) -> list[str]:
    """Return a sentence for each import against the arrows."""
    found = []
    for file in sorted(plugins.rglob("*.py")):
        place = file.relative_to(plugins).parts
        for line, name in imports(file.read_text(encoding="utf-8")):
            problem = _problem(place, name)
            if problem:
                found.append(f"{'/'.join(place)}:{line}: {name}: {problem}")
    return found


def _problem(place: tuple[str, ...], name: str) -> str:
    folder = place[0]
    if folder not in ALLOWED:
        return f"ALLOWED does not say what {folder} may import"
    if name.startswith("."):
        return "write the import in full"
    parts = tuple(name.split("."))
    if parts[: len(OURS)] == OURS:
        return _own_problem(place, parts[len(OURS) :])
    if parts[0] in HOMES:
        home = HOMES[parts[0]]
        return "" if place == home else f"only {'/'.join(home)} imports {parts[0]}"
    if parts[0] in sys.stdlib_module_names:
        return ""
    if any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED[folder]):
        return ""
    return f"{folder} may not import this"


def _own_problem(place: tuple[str, ...], target: tuple[str, ...]) -> str:
    folder = place[0]
    if target[0] not in ALLOWED[folder]:
        return f"{folder} may not import {target[0]}"
    if folder != "plugin_utils" or target[0] != "plugin_utils":
        return ""
    part, other = place[1].removesuffix(".py"), target[1]
    if part not in LEVELS or other not in LEVELS:
        return f"LAYERS does not say where {part if part not in LEVELS else other} belongs"
    if part != other and LEVELS[other] >= LEVELS[part]:
        return f"{part} may not import {other}"
    return ""


def test_the_imports_follow_the_arrows():
    assert violations(PLUGINS) == []


def test_every_layer_is_there():
    there = {file.name.removesuffix(".py") for file in (PLUGINS / "plugin_utils").iterdir() if not file.name.startswith("__")}
    assert there == set(LEVELS)


OWN = "ansible_collections.webops.bad_gateway.plugins"


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("modules/x.py", f"from {OWN}.plugin_utils import _bundle"),
        ("modules/x.py", f"from {OWN}.plugin_utils._rules import anything"),
        ("modules/x.py", "from ansible.plugins.action import ActionBase"),
        ("modules/x.py", "import requests"),
        ("module_utils/_x.py", f"import {OWN}.plugin_utils._bundle"),
        ("module_utils/_collect/x.py", f"def late():\n    from {OWN}.modules import probe_info"),
        ("module_utils/_x.py", "from ansible.module_utils.basic import AnsibleModule"),
        ("module_utils/_x.py", "from . import _text"),
        ("plugin_utils/_bundle.py", "import ansible"),
        ("plugin_utils/_bundle.py", f"from {OWN}.action import report"),
        ("plugin_utils/_rules/x.py", "import crossplane"),
        ("plugin_utils/_nginx/config.py", "from crossplane import parse"),
        ("plugin_utils/_nginx/config.py", f"from {OWN}.plugin_utils._model import host"),
        ("plugin_utils/_model/host.py", f"from {OWN}.plugin_utils import _finding"),
        ("plugin_utils/_rules/x.py", f"from {OWN}.plugin_utils._report import terminal"),
        ("plugin_utils/_bundle.py", f"from {OWN}.plugin_utils import _settings"),
        ("plugin_utils/_newcomer.py", f"from {OWN}.plugin_utils import _bundle"),
        ("plugin_utils/_report/x.py", "import yaml"),
        ("plugin_utils/_report/x.py", "import jinja2"),
        ("action/x.py", f"from {OWN}.modules import report"),
        ("lookup/x.py", "import os"),
    ],
)
def test_an_import_against_the_arrows_is_seen(tmp_path, file, source):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source + "\n", encoding="utf-8")
    (found,) = violations(tmp_path)
    assert found.startswith(f"{file}:")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("modules/x.py", f"import os\nfrom ansible.module_utils.basic import AnsibleModule\nfrom {OWN}.module_utils import _text"),
        ("module_utils/_collect/x.py", f"from {OWN}.module_utils._collect import listeners"),
        ("plugin_utils/_nginx/_crossplane.py", "import crossplane"),
        ("plugin_utils/_report/x.py", f"from {OWN}.plugin_utils._report import fleet\nfrom {OWN}.plugin_utils import _finding"),
        ("plugin_utils/_rules/x.py", f"from {OWN}.plugin_utils._model.host import Host"),
        ("action/x.py", f"import ansible.constants\nfrom {OWN}.plugin_utils._report import gate\nfrom {OWN}.module_utils import _text"),
    ],
)
def test_an_import_along_the_arrows_passes(tmp_path, file, source):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source + "\n", encoding="utf-8")
    assert violations(tmp_path) == []
