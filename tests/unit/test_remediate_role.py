# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that works through a plan: it knows each remedy and hands it what is planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.remedies import ORDER

ROLES = Path(__file__).resolve().parents[2] / "roles"
REMEDIES = ROLES / "remediate" / "tasks" / "remedies"
# Roles that are no remedies: those of whole runs, and one that remedies share.
OTHERS = {"diagnose", "report", "remediate", "server_option"}


def test_every_role_is_known():
    assert {folder.name for folder in ROLES.iterdir()} - OTHERS == set(ORDER) == {file.stem for file in REMEDIES.iterdir()}


@pytest.mark.parametrize("name", ORDER)
def test_each_remedy_is_handed_its_part_of_the_plan(name):
    wanted = {
        "name": f"Carry out {name}",
        "ansible.builtin.include_role": {"name": f"webops.bad_gateway.{name}"},
        "vars": {
            f"{name}_changes": f"{{{{ remediate_plan.steps.{name} }}}}",
            f"{name}_checkpoint": "{{ remediate_checkpoint.id | default('') }}",
        },
    }
    assert yaml.safe_load((REMEDIES / f"{name}.yml").read_text(encoding="utf-8")) == [wanted]


def test_each_role_takes_what_it_is_handed():
    for name in ORDER:
        specs = yaml.safe_load((ROLES / name / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
        options = specs["argument_specs"]["main"]["options"]
        assert options[f"{name}_changes"]["type"] == "list" and options[f"{name}_checkpoint"]["type"] == "str"
