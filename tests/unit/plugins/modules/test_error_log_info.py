# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module runs as Ansible runs it: arguments in on standard input, one JSON document out."""

import json
import os
import subprocess
import sys
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.modules import error_log_info


def run(**arguments):
    process = subprocess.run(
        [sys.executable, error_log_info.__file__],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, timeout=60, check=False, env=dict(os.environ),
    )
    return process.returncode, json.loads(process.stdout)


def log(tmp_path):
    path = tmp_path / "error.log"
    path.write_text(
        time.strftime("%Y/%m/%d %H:%M:%S") + ' [error] 5#5: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, '
        'server: s, request: "GET /?token=hunter2secret HTTP/1.1", upstream: "http://127.0.0.1:3000/?token=hunter2secret", host: "h"\n',
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("check", [True, False])
def test_answer(tmp_path, check):
    rc, result = run(paths=[log(tmp_path)], since="1h", _ansible_check_mode=check)
    assert (rc, result["changed"], result["error_log"]["status"], result["error_log"]["truncated"]) == (0, False, "ok", False)
    groups = result["error_log"]["value"]["groups"]
    assert [(group["class"], group["peer"], group["count"]) for group in groups] == [("connect-refused", "127.0.0.1:3000", 1)]
    assert "hunter2secret" not in json.dumps(groups)


def test_a_log_that_is_not_there_is_no_failure(tmp_path):
    rc, result = run(paths=[str(tmp_path / "none.log")])
    assert rc == 0
    assert result["error_log"]["value"]["logs"][0]["status"] == "absent"


@pytest.mark.parametrize("arguments, words", [
    ({"since": "yesterday"}, "since: 'yesterday' is not a length of time"),
    ({"limit": 0}, "limit: give a number of bytes"),
])
def test_bad_arguments(arguments, words):
    rc, result = run(**arguments)
    assert rc == 1 and result["failed"]
    assert words in result["msg"]
