# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module selinux_local_info hands its options on, returns the whole answer, and never fails because of it."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.modules import selinux_local_info


class Done(Exception):
    """exit_json() was called."""


class FakeModule:
    """Keeps what the module said at its end."""

    params = {"booleans": ["a"], "ports": [3000], "patterns": ["/srv/x"]}

    def __init__(self, **kwargs):
        assert kwargs["supports_check_mode"] and sorted(kwargs["argument_spec"]) == sorted(self.params)

    def exit_json(self, **result):
        raise Done(result)


@pytest.mark.parametrize("status", ["ok", "absent"])
def test_the_whole_answer_is_returned(monkeypatch, status):
    def collect(_host, *asked):
        if status == "ok":
            return evidence.Partial({"asked": asked}, False, ["x"])
        raise evidence.Unanswered(status, "why")

    monkeypatch.setattr(selinux_local_info, "AnsibleModule", FakeModule)
    monkeypatch.setattr(selinux_local_info.tools, "collect", collect)
    with pytest.raises(Done) as caught:
        selinux_local_info.main()
    result = caught.value.args[0]
    assert result["changed"] is False and sorted(result) == ["changed", "selinux_local"]
    assert result["selinux_local"]["status"] == status
    assert result["selinux_local"]["value"] == ({"asked": (["a"], [3000], ["/srv/x"])} if status == "ok" else None)
