# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that a remedy writes, told from the evidence: those that the role itself writes, and none where the evidence does not have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import patch
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, SITES, World

SHOP = SITES + "shop"
ROLES = Path(__file__).resolve().parents[5] / "roles"


def at(line: int, expects: str) -> dict:
    return {"file": SHOP, "line": line, "expects": expects}


def diff(remedy: str, *items: dict, lines=("location / {", "    proxy_pass http://127.0.0.1:3000;", "    proxy_read_timeout 60s;", "}")) -> str:
    world = World().site(*lines)
    world.instance["includes"] = [{"pattern": SITES + "*", "at": {"file": MAIN, "line": 4}, "matches": [SHOP], "status": "ok"}]
    return patch.of(Host.of(world.bundle()).instances[0], remedy, items)


def test_a_time_is_set_in_its_place():
    item = {"context": at(3, "location /"), "module": "proxy", "read": "120s", "replaces": {"read": "60s"}}
    assert diff("upstream_timeout", item) == f"--- {SHOP}\n+++ {SHOP}\n@@ -5 +5 @@\n-    proxy_read_timeout 60s;\n+    proxy_read_timeout 120s;"


def test_a_pass_is_led_elsewhere():
    item = {
        "context": at(3, "location /"), "directive": "proxy_pass", "args": ["http://127.0.0.1:3001"], "replaces": ["http://127.0.0.1:3000"],
        "at": {"file": SHOP, "line": 4},
    }
    assert diff("repoint_upstream", item).splitlines()[-2:] == ["-    proxy_pass http://127.0.0.1:3000;", "+    proxy_pass http://127.0.0.1:3001;"]


def test_the_changes_of_one_step_are_one_diff():
    here = {"context": at(3, "location /"), "module": "proxy"}
    assert diff("upstream_timeout", {**here, "read": "120s"}, {**here, "connect": "5s"}).count("+    proxy_") == 2


@pytest.mark.parametrize(
    "lines",
    [
        ("location / {", "    proxy_pass http://127.0.0.1:3000;", "    proxy_read_timeout 60s; #", "}"),
        ("location / {", "    proxy_set_header X redacted:01234567; proxy_read_timeout 60s;", "}"),
        ("location / {", "    proxy_read_timeout 61s;", "}"),
        ("location /other {", "    proxy_read_timeout 60s;", "}"),
    ],
)
def test_what_is_hidden_or_otherwise_is_not_told(lines):
    assert diff("upstream_timeout", {"context": at(3, "location /"), "read": "120s", "replaces": {"read": "60s"}}, lines=lines) == ""


def test_what_another_remedy_writes_is_not_told():
    assert diff("rate_limit", {"context": at(3, "location /"), "zone": "z", "rate": "1r/s"}) == ""


@pytest.mark.parametrize("remedy", sorted(patch.VALUES))
def test_the_directives_are_those_of_the_role(remedy):
    tasks = yaml.safe_load((ROLES / remedy / "tasks" / "main.yml").read_text(encoding="utf-8"))
    (own,) = (task["vars"][f"{remedy}_directives"] for task in tasks if f"{remedy}_directives" in task.get("vars", {}))
    assert {option: list(words) for option, words in patch.VALUES[remedy].items()} == own
