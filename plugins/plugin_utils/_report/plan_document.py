# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""plan.json: what is to be done, for programs, and for the hosts' own turn in the run.

    {"schema": 1, "generated_at": "2026-01-31T12:00:00Z", "collection": "x.y.z",
     "batches": [["web1"], ["web2", "web3"]], "addresses": {"10.0.0.5": "web1"},
     "hosts": {"web1": {"status", "why", "steps": [STEP], "manual": [MANUAL], "held": [HELD], "reloads": [{"path", "container"}]}}}
    STEP = {"remedy", "safety", "ids": [""], "does", "undone", "notes": [""], "diff", "changes": [<items of the role's argument>],
            "for": [CAUSE]}
    CAUSE = {"id", "kind", "rank", "at": {"file", "line"} | null, "says", "fix", "routes": [<as in report.json>]}
    MANUAL = {"why": "" , "patch": "", "next": "", ...CAUSE}
    HELD = {"why": "", "setting": "" , "next": "", ...CAUSE}

"addresses" are those that one host of the run alone has: with them, a host is judged again without all the others.
Texts are harmless as in report.json. Changes are as they are handed to the roles.

This module is private to the collection.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import slots
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Plan, Step, Undone
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.remedies import REMEDIES
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.document import lines, safe
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.verification_terminal import ROLLBACK_FAILED, ROLLED_BACK

SCHEMA = 1
NAME = "plan.json"


def build(plans: Iterable[Plan], batches: Iterable[Iterable[str]], addresses: Mapping[str, str], collection: str, now: float) -> dict:
    """Return the document; collection is the version of ours, now the seconds since the epoch."""
    return {
        "schema": SCHEMA,
        "generated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "collection": collection,
        "batches": [list(batch) for batch in batches],
        "addresses": {address: name for address, name in addresses.items() if name},
        "hosts": {plan.host: host(plan) for plan in plans},
    }


def write(folder: str, document: dict) -> str:
    """Write the plan into a folder, whole or not at all, readable by its owner alone; return its file."""
    file = os.path.join(folder, NAME)
    _bundle.write_json(file, document, indent=1)
    return file


def read(file: str) -> dict:
    """Return the document in a file that write() wrote. Raises OSError or ValueError."""
    with open(file, encoding="ascii") as stream:
        document = json.load(stream)
    if document.get("schema") != SCHEMA:
        raise ValueError(f"{file} has a format that this version does not know")
    return document


def failed(part: dict) -> dict | None:
    """Return what a host's part of report.json says of remedies that were undone because they did not help, or None."""
    remediation = part.get("remediation") or {}
    return remediation if remediation.get("outcome") in (ROLLED_BACK, ROLLBACK_FAILED) else None


def undone(remediation: dict | None) -> Undone:
    """Return what failed() found as a plan takes it. Of what also made something worse, nothing is known to have helped."""
    if not remediation:
        return Undone()
    verified = remediation.get("verified") or {}
    return Undone(tuple(remediation["remedies"]), tuple(verified["gone"]) if verified and not verified["new"] and verified["verdict"] != "worse" else ())


def still_wanted(fresh: dict, shown: dict | None) -> dict:
    """Return what was shown of a host's steps and is still wanted, and the ids of what is wanted only by now.

    fresh and shown are hosts of the document; shown is None where nothing was shown of it. A value that was measured is
    not the same twice, so that places are compared, and what was shown is what is done.
    """
    if not shown:
        return {"steps": [], "reloads": [], "new": sorted({name for step in fresh["steps"] for name in step["ids"]})}
    now = {place for step in fresh["steps"] for change in step["changes"] for place in slots.of(step["remedy"], change)}
    causes = {step["remedy"]: step["for"] for step in fresh["steps"]}
    steps = [
        {
            **step,
            "changes": [item for item in step["changes"] if slots.of(step["remedy"], item).keys() & now],
            "for": [cause for cause in causes.get(step["remedy"], ()) if cause["id"] in step["ids"]],
        }
        for step in shown["steps"]
    ]
    then = {place for step in shown["steps"] for change in step["changes"] for place in slots.of(step["remedy"], change)}
    new = {
        name
        for step in fresh["steps"]
        if any(not slots.of(step["remedy"], item).keys() & then for item in step["changes"])
        for name in step["ids"]
    }
    return {"steps": [step for step in steps if step["changes"]], "reloads": shown["reloads"], "new": sorted(new)}


def findings(part: dict) -> list[dict]:
    """Return {"id", "kind", "routes"} of what the steps of a host put right, each once."""
    found: list[dict] = []
    for cause in (cause for step in part["steps"] for cause in step["for"]):
        said = {key: cause[key] for key in ("id", "kind", "routes")}
        if said not in found:
            found.append(said)
    return found


def host(plan: Plan) -> dict:
    """Return what is to be done on one host."""
    return {
        "status": plan.status,
        "why": safe(plan.why),
        "steps": [_step(step) for step in plan.steps],
        "manual": [{**_cause(item.finding), "why": safe(item.why), "patch": lines(item.patch), "next": safe(item.finding.next)} for item in plan.manual],
        "held": [{**_cause(item.finding), "why": safe(item.why), "setting": safe(item.setting), "next": safe(item.finding.next)} for item in plan.held],
        "reloads": list(plan.reloads),
    }


def _step(step: Step) -> dict:
    return {
        "remedy": step.remedy,
        "safety": step.safety,
        "ids": list(step.ids),
        "does": REMEDIES[step.remedy].does,
        "undone": REMEDIES[step.remedy].undone,
        "notes": safe(step.notes),
        "diff": lines(step.diff),
        "changes": [change.item for change in step.changes],
        "for": [_cause(finding) for finding in step.findings],
    }


def _cause(finding: Finding) -> dict:
    return {
        "id": finding.id,
        "kind": finding.kind,
        "rank": finding.rank,
        "at": {"file": safe(finding.at.file), "line": finding.at.line or None} if finding.at else None,
        "says": safe(finding.says),
        "fix": safe(finding.fix.summary) if finding.fix else "",
        "routes": safe([route for route in (finding.route, *finding.also) if route]),
    }
