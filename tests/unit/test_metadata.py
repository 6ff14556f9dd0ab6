# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the collection's metadata against what is in the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
USES = [*(CHECKOUT / "playbooks").rglob("*.yml"), *(CHECKOUT / "roles").rglob("tasks/**/*.yml")]
HEADER = (
    "# Copyright (c) 2026 WebOps",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)
PLUGINS = sorted((CHECKOUT / "plugins").rglob("*.py"))


def load(path: str):
    """Return what a YAML file of the checkout says."""
    return yaml.safe_load((CHECKOUT / path).read_text(encoding="utf-8"))


def test_every_module_is_in_the_action_group():
    modules = sorted(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py"))
    assert load("meta/runtime.yml")["action_groups"]["bad_gateway"] == modules


def test_changelog_has_the_version_of_galaxy_yml():
    assert str(load("galaxy.yml")["version"]) in load("changelogs/changelog.yaml")["releases"]


def test_readme_names_the_oldest_ansible_core_that_is_accepted():
    oldest = re.fullmatch(r">=(\d+\.\d+)\.0", load("meta/runtime.yml")["requires_ansible"]).group(1)
    assert f"ansible-core {oldest}" in (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_readme_names_every_info_module():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_]+_info)` \|", readme, re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*_info.py"))


def test_readme_lists_every_setting_of_the_playbook():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(bad_gateway_\w+)` \|", readme, re.MULTILINE))
    texts = "".join(path.read_text(encoding="utf-8") for path in USES)
    used = set(re.findall(r"(?<![.\w])bad_gateway_\w+(?=\s*[|}\]]| is defined)", texts))
    assert listed == used


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_file_begins_with_the_licence(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    lines = [line for line in lines if not line.startswith("# -*-")]
    assert tuple(lines[:3]) == HEADER


@pytest.mark.parametrize("folder", ["module_utils", "plugin_utils"])
def test_shared_code_is_private(folder):
    public = [path.name for path in (CHECKOUT / "plugins" / folder).iterdir() if not path.name.startswith("_")]
    assert public == []
