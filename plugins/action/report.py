# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the bundles of all hosts, write report.json and print the verdict."""

from __future__ import annotations

import time

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet, _rules, _settings, _version
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, gate, terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'report': path, 'summary': {...}}; fail when the gate says so."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {
                "report_dir": _settings.REPORT_DIR,
                "hosts": {"type": "list", "elements": "str"},
                "bundles": _settings.BUNDLES,
                "only": _settings.IDS,
                "skip": _settings.IDS,
                "fail_on": _settings.FAIL_ON,
            }
        )
        known = [rule.id for rule in _rules.ALL]
        try:
            _settings.check_ids("bad_gateway_only", settings["only"], known)
            _settings.check_ids("bad_gateway_skip", settings["skip"], known)
            folder = _settings.report_folder(settings["report_dir"])
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        hosts = task_vars["ansible_play_hosts_all"] if settings["hosts"] is None else settings["hosts"]
        try:
            files = _bundle.files(folder, hosts) if settings["bundles"] is None else _settings.bundles(settings["bundles"])
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        results = _fleet.judge(files, tuple(settings["only"]), tuple(settings["skip"]))
        report = document.build(results, _version.VERSION, time.time())
        file = document.write(folder, report)
        failed, decision = gate.decision(results, settings["fail_on"])
        given = () if settings["bundles"] is not None else tuple(name for name in context.CLIARGS.get("inventory") or () if isinstance(name, str))
        for style, line in terminal.render(results, file, decision, given):
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        result.update(changed=False, report=file, summary=report["summary"])
        if failed:
            result.update(failed=True, msg=decision)
        return result
