# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put into report.json what was done on a host and what came of it, and say so."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, terminal, verification, verification_terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'report': path or "", 'remediation': {...}}."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {
                "report_dir": _settings.REPORT_DIR,
                "outcome": {"type": "str", "required": True, "choices": list(verification_terminal.OUTCOMES)},
                "why": {"type": "str", "default": ""},
                "remedies": {"type": "list", "elements": "str", "default": []},
                "checkpoint": {"type": "str", "default": ""},
                "left": {"type": "list", "elements": "str", "default": []},
            }
        )
        host = task_vars["inventory_hostname"]
        try:
            folder = _settings.report_folder(settings["report_dir"])
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        part = document.safe({key: settings[key] for key in ("outcome", "why", "remedies", "checkpoint", "left")})
        part["verified"] = verification.read(_settings.stage_folder(folder, _settings.AFTER), host)
        part["rolled_back"] = verification.read(_settings.stage_folder(folder, _settings.ROLLED_BACK), host)
        report = document.amend(folder, host, "remediation", part)
        for style, line in verification_terminal.outcome(host, part):
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        result.update(changed=False, report=report, remediation=part, says=document.safe(verification_terminal.sentence_of(part)))
        return result
