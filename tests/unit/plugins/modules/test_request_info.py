# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module hands its arguments over as documented and answers whatever happens."""

import importlib
import json
import os
import subprocess
import sys

import pytest
import yaml

MODULE = "ansible_collections.webops.bad_gateway.plugins.modules.request_info"


def run(**arguments):
    """Run the module in a process of its own, as Ansible does; return (exit code, result)."""
    ran = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)),
        timeout=60,
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.parametrize("check", [False, True])
def test_answer(check):
    requests = [{"id": "a", "endpoint": "127.0.0.1:1"}, {"id": "b", "endpoint": "unix:/nonexistent.sock", "tls": True, "kind": "stream"}]
    code, result = run(requests=requests, _ansible_check_mode=check)
    assert (code, result["changed"]) == (0, False)
    answer = result["requests"]
    assert (answer["status"], answer["truncated"], answer["hidden"]) == ("ok", False, [])
    assert [(found["id"], found["status"], found["code"]) for found in answer["value"]] == [("a", "refused", 0), ("b", "absent", 0)]


def test_documentation_has_every_argument():
    module = importlib.import_module(MODULE)
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    documented = options["requests"]["suboptions"]
    assert set(documented) == set(module._REQUEST)
    for name, spec in module._REQUEST.items():
        assert documented[name].get("default") == spec.get("default")
        assert documented[name].get("choices") == spec.get("choices")
