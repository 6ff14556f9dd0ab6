# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that works through a plan: it knows each remedy and hands it what is planned."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _rules
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import has_remedy
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.remedies import ORDER, REMEDIES
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.every_case import FIRING

ROLES = Path(__file__).resolve().parents[2] / "roles"
TASKS = ROLES / "remediate" / "tasks" / "remedies"
GUIDE = ROLES.parent / "docs" / "remediate.md"
# Roles that are no remedies: those of whole runs, and those that remedies share.
OTHERS = {"diagnose", "report", "remediate", "server_option", "selinux_bindings"}


def test_every_role_is_known():
    assert {folder.name for folder in ROLES.iterdir()} - OTHERS == set(ORDER) == {file.stem for file in TASKS.iterdir()}


@pytest.mark.parametrize("name", ORDER)
def test_each_remedy_is_handed_its_part_of_the_plan(name):
    installs = f"{name}_install" in options_of(name)
    wanted = {
        "name": f"Carry out {name}",
        "ansible.builtin.include_role": {"name": f"webops.bad_gateway.{name}"},
        "vars": {
            f"{name}_changes": f"{{{{ remediate_plan.steps.{name} }}}}",
            **({f"{name}_install": "{{ bad_gateway_install_packages | default(false) }}"} if installs else {}),
            f"{name}_checkpoint": "{{ remediate_checkpoint.id | default('') }}",
        },
    }
    assert yaml.safe_load((TASKS / f"{name}.yml").read_text(encoding="utf-8")) == [wanted]


def test_all_hosts_of_a_batch_go_through_the_remedies_in_one_order():
    """Ansible puts what several hosts include at once into the order of the first one: each host includes the same, and leaves out what is not its own."""
    apply = yaml.safe_load((TASKS.parent / "apply.yml").read_text(encoding="utf-8"))
    (steps,) = [task for block in apply for task in block.get("block", ()) if task.get("ansible.builtin.include_tasks") == "step.yml"]
    assert steps["loop"] == "{{ remediate_plan.remedy_order | select('in', remediate_of_batch) }}" and "when" not in steps
    assert "ansible_play_batch" in steps["vars"]["remediate_of_batch"] and "remediate_plan.remedies" in steps["vars"]["remediate_of_batch"]
    (own,) = yaml.safe_load((TASKS.parent / "step.yml").read_text(encoding="utf-8"))
    assert own["when"] == f"{steps['loop_control']['loop_var']} in remediate_plan.remedies"


def test_what_a_remedy_needs_comes_before_it():
    assert set(ORDER) == set(REMEDIES)
    for first, then in (("connect_network", "start_container"), ("start_container", "repoint_upstream"), ("start_container", "reload_nginx")):
        assert ORDER.index(first) < ORDER.index(then)


def options_of(name):
    return yaml.safe_load((ROLES / name / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]


def test_each_role_takes_what_it_is_handed():
    for name in ORDER:
        options = options_of(name)
        assert options[f"{name}_changes"]["type"] == "list" and options[f"{name}_checkpoint"]["type"] == "str"


def told() -> dict[str, tuple[str, dict[str, set[str]]]]:
    """Return what the table of the guide says: by the name of a remedy what it does, and its ids by their safety."""
    rows = [line.strip("|").split("|") for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {
        name.strip("`"): (does, {"safe": set(filter(None, safe.split(", "))), "risky": set(filter(None, risky.split(", ")))})
        for name, does, safe, risky in cells
    }


def test_the_guide_has_each_remedy():
    table = told()
    assert [(name, does) for name, (does, _ids) in table.items()] == [(name, remedy.does) for name, remedy in REMEDIES.items()]
    assert {name for _does, ids in table.values() for group in ids.values() for name in group} <= {rule.id for rule in _rules.ALL}


def test_the_guide_says_what_each_remedy_is_for():
    table = told()
    fixed = [item for name, host in FIRING.items() for item in host().judge(only=(name,)).findings if has_remedy(item)]
    assert len(fixed) > len(ORDER)
    assert [(item.id, item.fix.remedy, item.fix.safety) for item in fixed if item.id not in table[item.fix.remedy][1][item.fix.safety]] == []
