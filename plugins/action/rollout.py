# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what came of each host that was planned to be put right, and what to do next."""

from __future__ import annotations

import os

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, plan_document, rollout_terminal, terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'ended', 'outcomes': {outcome: count}}."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec({"report_dir": _settings.REPORT_DIR, "at_end": {"type": "bool", "default": False}})
        try:
            folder = _settings.report_folder(settings["report_dir"])
            plan = plan_document.read(os.path.join(folder, plan_document.NAME))
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"there is no plan to tell of: {error}") from None
        # What an earlier run left in the report is not what came of a run in check mode.
        report = {"hosts": {}} if self._task.check_mode else document.read(folder) or {"hosts": {}}
        came = list(rollout_terminal.outcomes(plan, report).values())
        # In check mode no host comes to any end; the last batch is the end.
        ended = task_vars["inventory_hostname"] in (plan["batches"] or [[]])[-1] if self._task.check_mode else rollout_terminal.ended(came)
        given = tuple(name for name in context.CLIARGS.get("inventory") or () if isinstance(name, str))
        lines = rollout_terminal.foreseen(plan) if self._task.check_mode else rollout_terminal.render(plan, report, given)
        for style, line in lines if ended or not settings["at_end"] else ():
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        result.update(changed=False, ended=ended, outcomes={outcome: came.count(outcome) for outcome in came})
        return result
