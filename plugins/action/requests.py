# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests through the nginx of a host, one for each route, and keep what a client gets."""

from __future__ import annotations

import os
import time

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _requests, _settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import verification
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.document import safe

# Between two requests to a route whose backend may still be starting.
_PAUSE = 1.0
# What a backend that was just started may take, and the longest that nginx is waited for when it has put a peer aside.
_STARTING = 5.0
_LONGEST_ASIDE = 60.0
_BEYOND = 1.0


class ActionModule(ActionBase):
    """The documentation is in the module of the same name."""

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'status', 'why', 'file', 'asked', 'bad', 'routes': [...]}."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {
                "report_dir": _settings.REPORT_DIR,
                "stage": {**_settings.STAGE, "default": _settings.BEFORE},
                "findings": _settings.FINDINGS,
                "settle": {"type": "float"},
                **_settings.PROBE,
            }
        )
        host = task_vars["inventory_hostname"]
        try:
            folder = _settings.report_folder(settings["report_dir"])
            _settings.check_probe(settings["probe_path"], settings["probe_timeout"])
        except _settings.BadSetting as error:
            raise AnsibleActionFail(str(error)) from None
        if settings["stage"] == _settings.BEFORE:
            _forget(folder, host)
        document, before = self._document(folder, host, settings)
        self._ask(document["routes"], document, task_vars)
        if before:
            self._settle(document, before, settings, task_vars)
        file = _requests.write(_settings.stage_folder(folder, settings["stage"]), document)
        asked = [entry for entry in document["routes"] if entry["answer"]]
        bad = [entry for entry in asked if _requests.bad(entry)]
        said = document["why"] or f"{len(asked)} of {len(document['routes'])} routes asked through nginx, {len(bad)} bad"
        self._display.display(text.harmless(f"{host}: {said}", 300))
        result.update(changed=False, status=document["status"], why=document["why"], file=file, asked=len(asked), bad=len(bad))
        result["routes"] = safe([{**entry["route"], "got": _requests.shown(entry), "why": entry["why"]} for entry in document["routes"]])
        return result

    @staticmethod
    def _document(folder, host, settings):
        """Return the requests of this stage, and those that were made before, or None."""
        if not settings["probe"]:
            return _requests.new(host, _requests.OFF, "requests are off (bad_gateway_probe=false)"), None
        before = None if settings["stage"] == _settings.BEFORE else _requests.read_before(folder, host)
        if before and before["status"] == _requests.ASKED:
            return _requests.new(host, routes=[{**entry, "answer": None} for entry in before["routes"]]), before
        there = _bundle.path(_settings.stage_folder(folder, settings["stage"]), host)
        bundle = _bundle.read(there if os.path.exists(there) else _bundle.path(folder, host), host)
        if bundle["status"] != _bundle.COLLECTED:
            return _requests.new(host, _requests.FAILED, bundle["why"] or f"the evidence of this host is {bundle['status']}"), None
        try:
            entries = _requests.chosen(bundle, settings["probe_path"], settings["probe_method"], settings["probe_timeout"])
        except Exception as error:  # pylint: disable=broad-except
            # Evidence that the model cannot read costs this host its requests; what that means, the verdict says.
            return _requests.new(host, _requests.FAILED, f"what to ask cannot be told from the evidence: {_sentence(error)}"), None
        return _requests.new(host, routes=entries), None

    def _ask(self, entries, document, task_vars):
        """Send the requests of some entries, and put the answers there."""
        by_id = {entry["id"]: entry for entry in entries}
        for batch in _requests.batches(entries):
            try:
                visit = self._execute_module(module_name="webops.bad_gateway.request_info", module_args=batch, task_vars=task_vars)
                answer = visit.get("requests") or evidence.no_answer("", evidence.ERROR, str(visit.get("msg") or visit.get("module_stderr") or "no answer"))
            except AnsibleError as error:
                answer = evidence.no_answer("", evidence.ERROR, str(error))
            if answer["status"] != evidence.OK:
                document.update(status=_requests.FAILED, why=_sentence(answer["why"]))
                return
            document["hidden"] += [said for said in answer["hidden"] if said not in document["hidden"]]
            for given in answer["value"]:
                if given["id"] in by_id:
                    by_id[given["id"]]["answer"] = {key: given[key] for key in ("status", "code", "seconds", "why")}

    def _settle(self, document, before, settings, task_vars):
        """Ask again, while there is time, what is bad and need not be: a backend starts, and nginx puts aside for a while a peer that failed."""
        earlier = {entry["id"]: entry for entry in before["routes"]}
        began = time.monotonic()
        while document["status"] == _requests.ASKED:
            waited = time.monotonic() - began
            left = [
                entry
                for entry in document["routes"]
                if _requests.bad(entry)
                and (not _requests.bad(earlier[entry["id"]]) or _requests.concerned(entry, settings["findings"]))
                and waited < (_patience(entry) if settings["settle"] is None else settings["settle"])
            ]
            if not left:
                return
            time.sleep(_PAUSE)
            self._ask(left, document, task_vars)


def _forget(folder: str, host: str) -> None:
    """Remove what an earlier run kept of the later stages of a host, so that it cannot be taken for this one."""
    for stage in (_settings.AFTER, _settings.ROLLED_BACK):
        for kind in ("bundles", _requests.FILES, verification.FILES):
            _bundle.remove(_settings.stage_folder(folder, stage), host, kind)


def _patience(entry: dict) -> float:
    return max(_STARTING, min(entry["put_aside"], _LONGEST_ASIDE) + _BEYOND if entry["put_aside"] else 0.0)


def _sentence(error: object) -> str:
    return text.harmless(" ".join(str(error).split()), 300)
