# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow one URL through the evidence of all hosts, write trace.json and print the way."""

from __future__ import annotations

import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet, _settings, _url, _version
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import terminal, trace_document, trace_terminal


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'trace': path, 'url': without its secrets, 'taken_by': names of hosts}."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {"url": {**_settings.URL, "required": True}, "report_dir": _settings.REPORT_DIR, "hosts": {"type": "list", "elements": "str"}}
        )
        try:
            url = _url.parse(settings["url"])
            folder = _settings.report_folder(settings["report_dir"])
        except (_settings.BadSetting, _url.BadUrl) as error:
            raise AnsibleActionFail(str(error)) from None
        hosts = task_vars["ansible_play_hosts_all"] if settings["hosts"] is None else settings["hosts"]
        files = _bundle.files(folder, hosts)
        pairs = [(trace_document.model_of(_bundle.read(files[verdict.name], verdict.name)), verdict) for verdict in _fleet.judge(files)]
        trace = trace_document.build(url, pairs, _version.VERSION, time.time())
        file = trace_document.write(folder, trace)
        for style, line in trace_terminal.render(trace, trace_document.findings(pairs, url), file):
            self._display.display(line, color=terminal.COLOURS.get(style) if ANSIBLE_COLOR else None)
        result.update(changed=False, trace=file, url=trace["url"], taken_by=[name for name, host in trace["hosts"].items() if host["entries"]])
        return result
