# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json: the verdict for programs.

    {"schema": 1, "generated_at": "2026-01-31T12:00:00Z", "collection": "x.y.z", "summary": {<counts of fleet.summary>},
     "hosts": {"web1": {"status", "why", "nginx": {}, "findings": [FINDING], "unknown": [{"id", "needs", "status", "why"}], "recovered": [""]}},
     "fleet": {"shared": [{"id", "kind", "hosts": ["web1", "web2"], "endpoint", "at", "says", "count"}]}}
    FINDING = {"id", "kind", "certainty", "rank", "route": {"listen", "server", "location", "pass", "endpoint"} | null,
               "at": {"file", "line": 12 | null} | null, "says", "evidence": [{"from", "shows"}], "alternatives": [""],
               "fix": {"remedy": "" | null, "safety", "summary", "diff", "changes": [{}], "more": [{"remedy", "change": {}}]} | null, "next",
               "also": [<further routes of which the same is true>]}

A host that was verified later has a "verification" too, the document of verification.py; one on which something was done has
    "remediation": {"outcome": "begun|remedied|rolled_back|rollback_failed|unchanged|failed", "why": "", "remedies": ["start_backend"],
                    "checkpoint": "", "left": [""], "verified": <document of verification.py> | null,
                    "rolled_back": <the same of the host as it was put back> | null}

Keys may be added to schema 1; none changes its meaning. Hosts are sorted by name, findings by kind and rank.
No text in it holds a character that a terminal would act on, except the newlines of a diff.

This module is private to the collection.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable
from typing import Any

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _finding as finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import fleet

SCHEMA = 1
NAME = "report.json"
_LOCK = ".report.lock"

# Longer than any path of the kernel (PATH_MAX is 4096 bytes), so that only a flood is cut.
_TEXT_LIMIT = 8192


def build(results: Iterable[finding.HostResult], collection: str, now: float) -> dict:
    """Return the report; collection is the version of ours, now the seconds since the epoch."""
    results = sorted(results, key=lambda result: result.name)
    return {
        "schema": SCHEMA,
        "generated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "collection": collection,
        "summary": fleet.summary(results),
        "hosts": {text.harmless(result.name): host_of(result) for result in results},
        "fleet": {"shared": [_shared(item) for item in fleet.shared(results)]},
    }


def write(folder: str, report: dict) -> str:
    """Write the report into a folder, whole or not at all, readable by its owner alone; return its file."""
    file = os.path.join(folder, NAME)
    _bundle.write_json(file, report, indent=1)
    return file


def read(folder: str) -> dict | None:
    """Return the report of a folder; None where there is none that can be read."""
    try:
        with open(os.path.join(folder, NAME), encoding="utf-8") as stream:
            report = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    usable = isinstance(report, dict) and report.get("schema") == SCHEMA and isinstance(report.get("hosts"), dict)
    return report if usable else None


def amend(folder: str, host: str, key: str, part: dict) -> str:
    """Put a part into what the report of a folder says of a host; return the file, "" where no report has that host.

    Several hosts may be at it at once, each in a process of its own.
    """
    name = text.harmless(host)
    with open(os.path.join(folder, _LOCK), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = read(folder)
        if not report or name not in report["hosts"]:
            return ""
        report["hosts"][name][key] = part
        return write(folder, report)


def host_of(result: finding.HostResult) -> dict:
    return {
        "status": result.status,
        "why": safe(result.why),
        "nginx": safe(result.nginx),
        "findings": [finding_of(item) for item in sorted(result.findings, key=finding.order)],
        "unknown": [safe({"id": item.id, "needs": item.needs, "status": item.status, "why": item.why}) for item in result.unknown],
        "recovered": safe(result.recovered),
    }


def finding_of(item: finding.Finding) -> dict:
    return {
        "id": item.id,
        "kind": item.kind,
        "certainty": item.certainty,
        "rank": item.rank,
        "route": safe(item.route),
        "at": _at(item.at),
        "where": safe(item.where),
        "says": safe(item.says),
        "evidence": [{"from": safe(seen.from_), "shows": safe(seen.shows)} for seen in item.evidence],
        "alternatives": safe(item.alternatives),
        "fix": _fix(item.fix),
        "next": safe(item.next),
        "also": safe(item.also),
    }


def _fix(fix: finding.Fix | None) -> dict | None:
    if fix is None:
        return None
    return {
        "remedy": fix.remedy,
        "safety": fix.safety,
        "summary": safe(fix.summary),
        "diff": lines(fix.diff),
        "changes": safe(fix.changes),
        "more": safe([{"remedy": remedy, "change": item} for remedy, item in fix.more]),
    }


def lines(said: str) -> str:
    """Return a text of several lines, each of them harmless; a tab stays one, and an end of two characters too, so that a patch still fits."""
    return "\n".join("\t".join(map(text.harmless, line.removesuffix("\r").split("\t"))) + "\r" * line.endswith("\r") for line in said.split("\n"))


def _at(at: Place | None) -> dict | None:
    return {"file": safe(at.file), "line": at.line or None} if at else None


def _shared(item: fleet.Shared) -> dict:
    example = item.example
    return {
        "id": example.id,
        "kind": example.kind,
        "hosts": safe(item.hosts),
        "endpoint": safe(example.endpoint),
        "at": _at(example.at),
        "says": safe(example.says),
        "count": item.count,
    }


def safe(value: Any) -> Any:
    """Return a value of JSON with every text in it harmless."""
    if isinstance(value, str):
        return text.harmless(value, _TEXT_LIMIT)
    if isinstance(value, dict):
        return {text.harmless(str(key), _TEXT_LIMIT): safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe(item) for item in value]
    return value
