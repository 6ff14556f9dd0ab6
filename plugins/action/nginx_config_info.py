# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the nginx configuration of a host, and parse it on the controller."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import _crossplane, config


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return the module's result, with "tree" and "doubtful" added to each instance."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        if result.get("failed"):
            return result
        try:
            for instance in (result["nginx"]["value"] or {}).get("instances", ()):
                configuration = config.load(instance)
                instance["tree"] = [_as_data(statement) for statement in configuration.statements]
                instance["doubtful"] = [text.harmless(said) for said in configuration.doubtful]
        except _crossplane.MissingLibrary as error:
            raise AnsibleActionFail(str(error)) from error
        return result


def _as_data(statement: config.Statement) -> dict:
    """Return a statement, and what is in its block, as the documentation of the module has it.

    A result is shown on terminals, where Ansible escapes no bidirectional marks.
    """
    words = [text.harmless(word) for word in (statement.name, *statement.args)]
    data = {"name": words[0], "args": words[1:], "file": text.harmless(statement.at.file), "line": statement.at.line}
    if statement.block is not None:
        data["block"] = [_as_data(inner) for inner in statement.block]
    return data
