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

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import probes

MODULE = "ansible_collections.webops.bad_gateway.plugins.modules.probe_info"


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
    code, result = run(targets=[{"id": "a", "endpoint": "127.0.0.1:1"}, {"id": "b", "endpoint": "unix:/nonexistent.sock"}], _ansible_check_mode=check)
    assert (code, result["changed"]) == (0, False)
    answer = result["probes"]
    assert (answer["status"], answer["truncated"], answer["hidden"]) == ("ok", False, [])
    assert [(found["id"], found["connect"]["status"]) for found in answer["value"]["probes"]] == [("a", "refused"), ("b", "absent")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_identity():
    identity = {"uid": 65534, "gid": 65534, "groups": [33, 65534]}
    _code, result = run(targets=[{"id": "a", "endpoint": "127.0.0.1:1"}], identity=identity)
    assert result["probes"]["value"]["identity"] == dict(identity, pid=None)


def test_failure_is_an_answer():
    code, result = run(targets=[{"id": "a", "endpoint": "127.0.0.1:1"}], identity={"pid": 2**22 + 1})
    assert code == 0
    assert (result["probes"]["status"], result["probes"]["value"]) == ("absent", None)
    assert result["probes"]["why"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"targets": [{"id": "a"}]},
        {"targets": [{"id": "a", "endpoint": "x", "speak": "smtp"}]},
        {"targets": [{"id": "a", "endpoint": "x", "method": "POST"}]},
        {"targets": [], "identity": {"uid": 0}},
    ],
)
def test_wrong_arguments_fail(arguments):
    code, result = run(**arguments)
    assert (code, result["failed"]) == (1, True)


def test_documentation_agrees_with_the_code():
    module = importlib.import_module(MODULE)
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    for documented, spec in ((options["identity"]["suboptions"], module._IDENTITY), (options["targets"]["suboptions"], module._TARGET)):
        assert set(documented) == set(spec)
        for name, option in spec.items():
            for key in ("type", "elements", "default", "choices", "required"):
                assert documented[name].get(key) == option.get(key), (name, key)
    assert (options["connect_timeout"]["default"], options["total_timeout"]["default"]) == (probes.LIMITS["connect"], probes.LIMITS["total"])
    assert set(yaml.safe_load(module.RETURN)["probes"]["contains"]) == set(evidence.answer("x", None))
