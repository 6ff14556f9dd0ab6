# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask one host everything, probe what its configuration names, and keep the answers in a bundle."""

from __future__ import annotations

import os
import secrets
import tempfile
import time

import ansible.constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _settings, _targets, _url

_NO_PYTHON = ("not found", "no such file or directory", "no python interpreter", "interpreter discovery")
_TRACEBACK = "Traceback (most recent call last):"
_NO_ROOT = ("sudo", "become", "privilege", "password is required", "incorrect su", "doas")


class ActionModule(ActionBase):
    """The documentation is in the module of the same name.

    A host that cannot be asked is a result, not a failure: it must not end the play for the others,
    and the report says what is known of it.
    """

    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        """Return {'changed': False, 'status', 'why', 'bundle': path, 'probed': count}."""
        result = super().run(tmp, task_vars)
        _unused, settings = self.validate_argument_spec(
            {"report_dir": _settings.REPORT_DIR, "since": _settings.SINCE, "url": _settings.URL, **_settings.PROBE, **_settings.CONFIG}
        )
        host = task_vars["inventory_hostname"]
        started = time.monotonic()
        try:
            folder = _settings.report_folder(settings["report_dir"])
            since = _settings.seconds(settings["since"])
            url = None if settings["url"] is None else _url.parse(settings["url"])
        except (_settings.BadSetting, _url.BadUrl) as error:
            raise AnsibleActionFail(str(error)) from None
        _bundle.remove(folder, host)
        bundle = self._collect(host, since, settings, task_vars, url)
        file = _bundle.write(folder, bundle)
        probed = len((bundle["probes"]["value"] or {}).get("probes", ()))
        seconds = time.monotonic() - started
        self._display.display(text.harmless(f"{host}: {_progress(bundle, probed)} in {seconds:.1f} s", 200))
        result.update(changed=False, status=bundle["status"], why=bundle["why"], bundle=file, probed=probed)
        return result

    def _collect(self, host, since, settings, task_vars, url):
        try:
            visit = self._visit(*_questions(since, settings), task_vars)
        except AnsibleConnectionFailure as error:
            return _bundle.new(host, _bundle.UNREACHABLE, _sentence(error))
        except AnsibleError as error:
            return _bundle.new(host, _bundle.FAILED, _sentence(error))
        if "answers" not in visit:
            return _bundle.new(host, _bundle.FAILED, _why_failed(visit))
        answers = visit["answers"]
        status = _bundle.NO_NGINX if answers["nginx"]["status"] == evidence.ABSENT else _bundle.COLLECTED
        bundle = _bundle.new(host, status, visit.get("why", ""), answers)
        if settings["config"] is not None:
            return _proposed(bundle, visit, settings["config_test"])
        if status == _bundle.COLLECTED:
            bundle["probes"] = self._probe(bundle, settings, task_vars, url)
            if url:
                # A query that was asked for is in the evidence only without its secrets.
                bundle.update({part: url.masked(bundle[part]) for part in ("probes", "targets") if part in bundle})
        return bundle

    def _probe(self, bundle, settings, task_vars, url):
        if not settings["probe"]:
            return evidence.no_answer("probes", evidence.ABSENT, "probing is off (bad_gateway_probe=false)")
        try:
            batches = _targets.batches(bundle, settings["probe_path"], settings["probe_method"], settings["probe_timeout"], url)
        except Exception as error:  # pylint: disable=broad-except
            # Evidence that the model cannot read must cost this host its probes, not its report.
            return evidence.no_answer("probes", evidence.ERROR, f"what to probe cannot be told from the evidence: {_sentence(error)}")
        made, decided, hidden, truncated = [], [], [], False
        for batch in batches:
            try:
                visit = self._visit("probe_info", batch, task_vars)
            except AnsibleError as error:
                return evidence.no_answer("probes", evidence.ERROR, _sentence(error))
            answer = visit.get("probes") or evidence.no_answer("probes", evidence.ERROR, _why_failed(visit))
            if answer["status"] != evidence.OK:
                return answer
            made += answer["value"]["probes"]
            decided += answer["value"].get("decided") or []
            hidden += answer["hidden"]
            truncated = truncated or answer["truncated"]
        return evidence.answer("connections as nginx makes them", {"probes": made, "decided": decided}, truncated, hidden)

    def _visit(self, module, arguments, task_vars):
        """Run a module on the host; where root is refused, run it as the user that logged in and say so."""
        name = f"webops.bad_gateway.{module}"
        try:
            visit = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
            refused = "" if not visit.get("failed") else _why_failed(visit)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            refused, visit = _sentence(error), {}
        become = self._connection.become
        if not refused or not become or not any(word in refused.lower() for word in _NO_ROOT):
            if refused and not visit:
                raise AnsibleError(refused)
            return visit
        self._connection.set_become_plugin(None)
        visit = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
        visit["why"] = f"root was refused ({refused}); asked as the user that logged in"
        return visit


def _questions(since: float, settings: dict) -> tuple[str, dict]:
    """Return the module that asks, and its arguments."""
    if settings["config"] is None:
        return "evidence_info", {"since": since, "mark_key": _mark_key()}
    asked = {"tree": os.path.abspath(settings["config"]), "path": settings["config_path"], "stand_ins": settings["config_stand_ins"]}
    return "proposal_info", {**asked, "test": settings["config_test"], "mark_key": _mark_key()}


def _proposed(bundle: dict, visit: dict, test: str) -> dict:
    """Return the bundle of a proposed configuration; one whose test could not be made has failed, since a gate must not let it pass unseen."""
    tests = [instance["test"] for instance in (bundle["answers"]["nginx"]["value"] or {}).get("instances", ())]
    for answer in tests if test != "none" else ():
        if answer["status"] in (evidence.DENIED, evidence.TIMEOUT, evidence.ERROR):
            return bundle | {"status": _bundle.FAILED, "why": f"nginx -t: {answer['why']}; bad_gateway_config_test says how else it may be tested"}
    return bundle | {"why": "; ".join(visit["notes"])}


def _mark_key() -> str:
    """Return the key of this run's redaction marks, the same in each of its worker processes.

    Ansible removes its local temporary folder when the run ends, and the key with it.
    """
    file = os.path.join(C.DEFAULT_LOCAL_TMP, "webops_bad_gateway_mark_key")
    if not os.path.exists(file):
        descriptor, temporary = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
        try:
            os.link(temporary, file)
        except FileExistsError:
            pass
        os.unlink(temporary)
    with open(file, encoding="ascii") as stream:
        return stream.read()


def _progress(bundle: dict, probed: int) -> str:
    if bundle["status"] == _bundle.COLLECTED:
        return f"evidence collected, {probed} endpoint{'' if probed == 1 else 's'} probed"
    return bundle["status"] + (f" ({bundle['why']})" if bundle["why"] else "")


def _sentence(error: Exception) -> str:
    return text.harmless(" ".join(str(error).split()), 300)


def _why_failed(visit: dict) -> str:
    """Return why a module gave no result, in one sentence.

    What the host itself said comes before what Ansible made of it.
    """
    said = str(visit.get("module_stderr") or visit.get("module_stdout") or visit.get("msg") or "")
    if _TRACEBACK in said:
        said = said.strip().splitlines()[-1]
    said = text.harmless(" ".join(said.split()), 300)
    if any(word in said.lower() for word in _NO_ROOT):
        return said
    if visit.get("rc") == 127 or any(word in said.lower() for word in _NO_PYTHON):
        return f"no Python that Ansible can use on this host: {said}"
    return said or "the module ended without an answer"
