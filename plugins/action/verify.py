# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether a host is better than it was, and fail when it is not."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _requests, _settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, terminal, verification, verification_terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'better', 'verdict', 'why', 'before', 'after', 'file', 'report'}; fail when a host is not better."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {"report_dir": _settings.REPORT_DIR, "stage": {**_settings.STAGE, "default": _settings.AFTER}, "findings": _settings.FINDINGS}
        )
        host = task_vars["inventory_hostname"]
        try:
            folder = _settings.report_folder(settings["report_dir"])
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        if settings["stage"] == _settings.BEFORE:
            raise AnsibleActionFail("stage is before; there is nothing to compare it with.")
        there = _settings.stage_folder(folder, settings["stage"])
        asked = (_requests.read_before(folder, host), _requests.read(there, host))
        if settings["stage"] == _settings.AFTER:
            old, fresh = (_bundle.read(_bundle.path(place, host), host) for place in (folder, there))
            before = verification.part_of(document.read(folder), host, old)
            if not before:
                raise AnsibleActionFail(f"{folder} has no report of {host}; diagnose it first, then there is something to compare with.")
            verdict = verification.compare(host, before, old, fresh, asked, settings["findings"])
        else:
            verdict = verification.compare_requests(host, asked)
        file = _bundle.write_of(there, host, verification.FILES, verdict)
        report = document.amend(folder, host, "verification", verdict)
        for style, line in verification_terminal.verdict(verdict, settings["stage"] == _settings.ROLLED_BACK):
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        better = verdict["verdict"] == verification.BETTER and not verdict["failed"]
        result.update(changed=False, better=better, verdict=verdict["verdict"], why=verdict["why"], file=file, report=report)
        for stage in ("before", "after") if not verdict["failed"] else ():
            # Of a task that failed Ansible shows the whole result, which would be each route twice.
            result[stage] = [{**item["route"], "got": item[stage], "affected": item["affected"]} for item in verdict["routes"]]
        if verdict["failed"]:
            result.update(failed=True, msg="; ".join(verdict["why"])[:1000])
        return result
