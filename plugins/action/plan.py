# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the bundles of hosts, and make, show and write down the plan of what is to be done on them."""

from __future__ import annotations

import time

import ansible.constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet, _rules, _settings, _version
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import batches, plan, remedies
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document, plan_document, plan_terminal, terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'plan': path, 'order', 'batches'}; of one host alone, 'steps' and 'reloads' instead."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {
                "report_dir": _settings.REPORT_DIR,
                "only": _settings.IDS,
                "skip": _settings.IDS,
                "alone": {"type": "bool", "default": False},
                "shown": {"type": "path"},
                **_settings.ROLLOUT,
            }
        )
        self._known = [rule.id for rule in _rules.ALL]
        try:
            _settings.check_ids("bad_gateway_only", settings["only"], self._known)
            _settings.check_ids("bad_gateway_skip", settings["skip"], self._known)
            _settings.check_serial(settings["serial"])
            folder = _settings.report_folder(settings["report_dir"])
            made = self._alone(folder, settings, task_vars) if settings["alone"] else self._whole(folder, settings, task_vars)
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(changed=False, **made)
        return result

    def _whole(self, folder, settings, task_vars):
        """Plan for all hosts of the play, show the plan and write it, with the report that it follows from."""
        hosts = list(task_vars["ansible_play_hosts_all"])
        run = _fleet.Fleet(_bundle.files(folder, hosts))
        before = document.read(folder) or {"hosts": {}}
        failed = {host: plan_document.failed(before["hosts"].get(document.safe(host)) or {}) for host in hosts}
        plans, verdicts = [], []
        for host in hosts:
            verdict = run.judge(host, tuple(settings["only"]), tuple(settings["skip"]))
            verdicts.append(verdict)
            plans.append(self._plan(run, verdict, task_vars, failed[host]))
        plans = batches.capped(plans, settings["max_hosts"])
        order = [item.host for item in plans if item.steps]
        pools = batches.pools(filter(None, map(run.model, hosts)), run.addresses) if len(order) > 1 else ()
        cut = batches.cut(order, settings["serial"], pools, max(1, C.DEFAULT_FORKS))
        now = time.time()
        report = document.build(verdicts, _version.VERSION, now)
        for host, part in failed.items():
            if part and host not in order:
                # It is not forgotten before somebody looks at the host again.
                report["hosts"][document.safe(host)]["remediation"] = part
        document.write(folder, report)
        file = plan_document.write(folder, plan_document.build(plans, cut, run.addresses, _version.VERSION, now))
        for style, line in plan_terminal.render(plans, cut, file):
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        return {"plan": file, "order": [host for batch in cut for host in batch], "batches": [len(batch) for batch in cut]}

    def _alone(self, folder, settings, task_vars):
        """Plan for this host from its newest bundle; of a plan that was shown, keep what is still wanted."""
        host = task_vars["inventory_hostname"]
        shown = self._shown(settings["shown"])
        addresses = shown["addresses"] if shown else {}
        run = _fleet.Fleet(_bundle.files(folder, sorted({host, *addresses.values()})), addresses)
        verdict = run.judge(host, tuple(settings["only"]), tuple(settings["skip"]))
        made = plan_document.host(self._plan(run, verdict, task_vars))
        if shown:
            made = plan_document.still_wanted(made, shown["hosts"].get(host))
        return {
            "host": host,
            "steps": {step["remedy"]: step["changes"] for step in made["steps"]},
            "remedies": [step["remedy"] for step in made["steps"]],
            "remedy_order": list(remedies.ORDER),
            "findings": plan_document.findings(made),
            "ids": sorted({name for step in made["steps"] for name in step["ids"]}),
            "reloads": made["reloads"],
            "new": made.get("new", []),
        }

    def _plan(self, run, verdict, task_vars, failed=None):
        """Return the plan for a host; failed is what its part of report.json says of remedies that were undone there in the run before."""
        allowed = self._allowed(verdict.name, task_vars)
        # A model is only made where it is needed.
        model = run.model(verdict.name) if plan.may_be_put_right(verdict.findings, allowed) else None
        return plan.build(verdict, model, allowed, plan_document.undone(failed))

    def _shown(self, file):
        """Return the plan in a file, or None where none was shown."""
        if file is None:
            return None
        try:
            return plan_document.read(file)
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"the plan that was shown cannot be read: {error}") from None

    def _allowed(self, host, task_vars):
        """Return what the variables of a host allow on it; those of a play's command line are variables of every host."""
        allowed = _settings.allowed(task_vars["hostvars"][host], self._known)
        return plan.Allowed(allowed["apply"], tuple(allowed["allow"]), allowed["edit_managed"], allowed["ca_file"])
