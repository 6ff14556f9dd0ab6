# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the settings of a run on the controller, before any host is asked anything."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _rules, _settings, _url


_SETTINGS = {
    "report_dir": _settings.REPORT_DIR,
    "bundles": _settings.BUNDLES,
    "since": _settings.SINCE,
    "only": _settings.IDS,
    "skip": _settings.IDS,
    "fail_on": _settings.FAIL_ON,
    "url": _settings.URL,
    "checkpoint": _settings.CHECKPOINT,
    "force": _settings.FORCE,
    **_settings.CONFIG,
    **_settings.PROBE,
    **_settings.APPLY,
    **_settings.ROLLOUT,
    "confirm_within": _settings.CONFIRM_WITHIN,
}


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'report_dir': absolute path}, or fail with one sentence."""
        result = super().run(tmp, task_vars)
        try:
            _check_kinds(self._task.args)
            _unused, settings = self.validate_argument_spec(_SETTINGS)
            _settings.check_names(_names(task_vars))
            _settings.seconds(settings["since"])
            known = [rule.id for rule in _rules.ALL]
            _settings.check_ids("bad_gateway_only", settings["only"], known)
            _settings.check_ids("bad_gateway_skip", settings["skip"], known)
            for host in task_vars["ansible_play_hosts_all"]:
                # What is allowed on a host is its own.
                _settings.allowed(task_vars["hostvars"][host], known)
            _settings.check_serial(settings["serial"])
            _settings.check_limits(settings["max_hosts"], settings["confirm_within"])
            _settings.check_probe(settings["probe_path"], settings["probe_timeout"])
            if settings["bundles"] is not None:
                _settings.bundles(settings["bundles"])
            if settings["config"] is not None:
                _settings.check_config(settings["config"], settings["config_path"])
            if settings["url"] is not None:
                _url.parse(settings["url"])
            if settings["checkpoint"] is not None:
                _settings.check_checkpoint(settings["checkpoint"])
                # Undoing writes no report.
                return dict(result, changed=False, report_dir="")
            folder = _settings.report_folder(settings["report_dir"])
        except (_settings.BadSetting, _url.BadUrl) as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(changed=False, report_dir=folder)
        return result


def _check_kinds(given: dict) -> None:
    """Refuse a value of the wrong kind by the name that its user knows: Ansible's own message has the name of the option."""
    for name, value in given.items():
        spec = _SETTINGS.get(name)
        if spec and ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages:
            raise _settings.wrong_kind(name, value, spec)


def _names(task_vars: dict) -> list[str]:
    """Return the names of the variables of all hosts of the play: one may be set for a group alone."""
    hostvars = task_vars["hostvars"]
    return sorted({*task_vars, *(name for host in task_vars["ansible_play_hosts_all"] for name in hostvars.raw_get(host))})
