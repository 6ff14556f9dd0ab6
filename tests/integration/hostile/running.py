# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of ansible-playbook, as a user would make it, and what must hold of everything that it says."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import content
from lab_base import ROOT, collections_path

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

# The ansible-core under test is the one whose Python runs the tests.
PROGRAMS = Path(sys.executable).parent
PLAYBOOK = ROOT / "playbooks" / "diagnose.yml"
RUN_SECONDS = 240


@dataclass(frozen=True)
class Run:
    """What came of a run: its exit status, output and errors, and the report folder."""

    code: int
    out: bytes
    err: bytes
    folder: Path

    @property
    def said(self) -> str:
        """Return output and errors as text."""
        return (self.out + self.err).decode("utf-8", "backslashreplace")

    @property
    def report(self) -> dict:
        """Return report.json."""
        return json.loads((self.folder / "report.json").read_text(encoding="ascii"))

    def bundles(self) -> dict[str, dict]:
        """Return the bundles by file name."""
        return {file.name: json.loads(file.read_text(encoding="ascii")) for file in sorted((self.folder / "bundles").glob("*.json"))}


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a run: the caller's, without what it sets for Ansible or for colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PY")) and name not in ("NO_COLOR", "FORCE_COLOR")}
    kept |= {"ANSIBLE_COLLECTIONS_PATH": collections_path(), "PYTHONDONTWRITEBYTECODE": "1", "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    return kept | settings


def play(folder: Path, inventory: Path | str, *words: str, playbook: Path = PLAYBOOK, cwd: Path = ROOT, terminal: bool = False, **settings: str) -> Run:
    """Run a playbook; words are further words of the command line, settings go into its environment.

    The report goes into `folder`, unless a word sets bad_gateway_report_dir. With `terminal` the output goes to one.
    """
    command = [str(PROGRAMS / "ansible-playbook"), str(playbook), "-i", str(inventory)]
    if not any("bad_gateway_report_dir" in word for word in words):
        command += ["-e", json.dumps({"bad_gateway_report_dir": str(folder)})]
    command += words
    if terminal:
        command = ["script", "--quiet", "--return", "--command", shlex.join(command), "/dev/null"]
    done = subprocess.run(command, cwd=cwd, env=environment(**settings), stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS, check=False)
    return Run(done.returncode, done.stdout, done.stderr, folder)


def assert_harmless(said: bytes) -> None:
    """Fail when a terminal would act on the bytes."""
    shown = said.decode("utf-8", "surrogateescape")
    wrong = [line for line in shown.split("\n") if text.harmless(line) != line]
    assert not wrong, [text.harmless(line, 300) for line in wrong[:5]]


def assert_no_secret(where: str, said: bytes) -> None:
    """Fail when one of the planted secrets is in the bytes."""
    found = [place for place, secret in content.SECRETS.items() if secret.encode() in said]
    assert not found, f"{where}: the secret in {found} left its host: {[near(said, content.SECRETS[place].encode()) for place in found]}"


def near(said: bytes, secret: bytes) -> str:
    """Return what stands around a secret, for the message of a failed test."""
    at = said.index(secret)
    return text.harmless(said[max(0, at - 120) : at + 60].decode("utf-8", "backslashreplace"))


def texts(value: Any) -> list[str]:
    """Return every text in a value of JSON, names of keys too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in (key, *texts(item))]
    if isinstance(value, list):
        return [found for item in value for found in texts(item)]
    return []


def assert_clean(run: Run) -> None:
    """Fail when anything that a run left anywhere holds a planted secret, or a character that a terminal acts on."""
    assert_harmless(run.out)
    assert_harmless(run.err)
    assert_no_secret("output", run.out + run.err)
    assert_no_secret("report.json", (run.folder / "report.json").read_bytes())
    for said in texts(run.report):
        assert text.harmless(said.replace("\n", "")) == said.replace("\n", ""), said
    for name, bundle in run.bundles().items():
        assert_no_secret(name, json.dumps(bundle).encode())
        for instance in (bundle["answers"].get("nginx", {}).get("value") or {}).get("instances", ()):
            for file in instance["files"]:
                assert_no_secret(f"{name}: {file['path']}", base64.b64decode(file.pop("content", "") or ""))
        # The path of a target is what the backend is asked for; its file is ASCII.
        targets = [{**target, "path": ""} for target in bundle.get("targets", ())]
        for said in texts({**bundle, "targets": targets}):
            assert text.harmless(said) == said, (name, said)


def first_cause(report: dict, host: str) -> dict:
    """Return what the report puts first on a host."""
    causes = [finding for finding in report["hosts"][host]["findings"] if finding["kind"] == "cause"]
    assert causes, report["hosts"][host]
    return min(causes, key=lambda finding: finding["rank"])
