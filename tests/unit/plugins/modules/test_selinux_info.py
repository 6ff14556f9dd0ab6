# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module selinux_info returns the whole answer, changes nothing, and never fails because of a question."""

import pytest
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.modules import selinux_info


class Done(Exception):
    """exit_json() was called."""


class FakeModule:
    """Keeps what the module asked of AnsibleModule and said at its end."""

    params: dict = {"ports": [], "questions": [], "paths": [], "since": "24h", "nginx": False}
    made: dict = {}

    def __init__(self, **kwargs):
        type(self).made = kwargs

    def exit_json(self, **result):
        raise Done(result)


@pytest.mark.parametrize("status", ["ok", "denied"])
def test_the_whole_answer_is_returned(monkeypatch, status):
    def question(*args, **kwargs):
        if status == "ok":
            return evidence.Partial({}, True, ["x"])
        raise evidence.Unanswered(status, "why")

    monkeypatch.setattr(selinux_info, "AnsibleModule", FakeModule)
    monkeypatch.setattr(selinux_info.selinux, "collect", question)
    with pytest.raises(Done) as caught:
        selinux_info.main()
    result = caught.value.args[0]
    assert result["changed"] is False and sorted(result) == sorted(["changed", "selinux"])
    assert result["selinux"]["status"] == status and sorted(result["selinux"]) == ["asked", "hidden", "status", "truncated", "value", "why"]
    assert FakeModule.made["supports_check_mode"] is True
