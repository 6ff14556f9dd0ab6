# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host is better than it was: the same rules on fresh evidence, and the same requests through nginx, before and after.

    {"schema": 1, "host": "web1", "verdict": "better|same|worse", "failed": false, "why": [""], "gone": [ID],
     "standing": [ID], "new": [ID], "routes": [{"route": {"listen", "server", "location", "pass"}, "before": "502", "after": "200",
                                                "affected": true, "bad": false, "why": ""}]}

ID is that of a finding. One is gone when none of its id and kind, or of a worse kind, is left on any of its routes. What "before" and "after" say is
what a client got: a status, "session held", "no answer (...)" or "not asked". failed: a finding stands, an affected route is still
bad, something is worse, or it cannot be told.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge, _requests
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _finding as finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document

SCHEMA = 1
FILES = "verified"
BETTER, SAME, WORSE = "better", "same", "worse"
_NOTHING = ("", "", "")


@dataclass
class _Verdict:
    """What speaks for and against: reasons to fail, what became worse, whether a client gets a good answer where it got none, or gets none still."""

    against: list[str] = field(default_factory=list)
    worse: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    routes: list[dict] = field(default_factory=list)
    improved: bool = False
    still_bad: bool = False


def causes_of(before: dict) -> list[dict]:
    """Return the causes of a host's part of report.json as {"id", "kind", "routes"}."""
    return [
        {"id": item["id"], "kind": item["kind"], "routes": [route for route in (item["route"], *item["also"]) if route]}
        for item in before["findings"]
        if item["kind"] == finding.CAUSE
    ]


def part_of(report: dict | None, host: str, bundle: dict) -> dict | None:
    """Return a host's part of a report.json; without one, what its bundle says; None where that says nothing."""
    part = (report or {"hosts": {}})["hosts"].get(document.safe(host))
    alone = None if part else _judge.judge(bundle)
    return document.host_of(alone) if alone and alone.judged else part


def compare(host: str, before: dict, old: dict, fresh: dict, asked: tuple[dict | None, dict | None], findings: list[dict] | None) -> dict:
    """Return the verdict on a host.

    before    its part of report.json
    old       its bundle of then
    fresh     its bundle of now
    asked     what its requests gave then and now (documents of _requests), or None
    findings  {"id", "kind", "routes"} of what was to be put right; None: every cause of before
    """
    named = causes_of(before) if findings is None else findings
    verdict = _Verdict()
    after = _judge.judge(fresh)
    _judge_findings(verdict, named, before, _judge.judge(old), after, _good(asked[1]))
    _judge_requests(verdict, named, asked)
    if after.judged:
        _judge_unexplained(verdict, named, before, after)
    return _document(host, verdict)


def compare_requests(host: str, asked: tuple[dict | None, dict | None]) -> dict:
    """Return whether a host that was put back is as it was, by its requests alone."""
    verdict = _Verdict()
    _judge_requests(verdict, [], asked)
    return _document(host, verdict)


def _document(host: str, verdict: _Verdict) -> dict:
    if verdict.worse:
        word = WORSE
    elif verdict.improved or verdict.gone and not verdict.still_bad:
        word = BETTER
    else:
        word = SAME
    return {
        "schema": SCHEMA,
        "host": document.safe(host),
        "verdict": word,
        "failed": bool(verdict.worse or verdict.against),
        "why": document.safe(list(dict.fromkeys(verdict.worse + verdict.against))),
        "gone": verdict.gone,
        "standing": verdict.standing,
        "new": verdict.new,
        "routes": document.safe(verdict.routes),
    }


def _pairs(items: Iterable[dict]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield the id and the way of each route of findings as report.json has them; of one about nginx as a whole, the id alone."""
    for item in items:
        routes = [route for route in (item["route"], *item["also"]) if route]
        for way in [_requests.way(route) for route in routes] or [_NOTHING]:
            yield item["id"], way


def _judge_findings(verdict: _Verdict, named: list[dict], before: dict, alone: finding.HostResult, after: finding.HostResult, good: set[tuple]) -> None:
    if not after.judged:
        verdict.against.append(f"the host could not be diagnosed again: {after.why or after.status}")
        return
    if after.status == finding.NO_NGINX != alone.status:
        verdict.worse.append("there is no nginx any more")
        return
    found = document.host_of(after)["findings"]
    now = {(item["kind"], *pair): item for item in reversed(found) for pair in _pairs([item])}
    # What a fleet explains looks different on a host alone: neither is news.
    known = set(_pairs(before["findings"])) | set(_pairs(document.host_of(alone)["findings"]))
    for item in named:
        ways = {_requests.way(route) for route in item["routes"]} or {_NOTHING}
        kinds = finding.KINDS[: finding.KINDS.index(item["kind"]) + 1]
        left = next((now[kind, item["id"], way] for kind in kinds for way in sorted(ways) if _stands(now.get((kind, item["id"], way)), way in good)), None)
        missing = next((unknown for unknown in after.unknown if unknown.id == item["id"]), None)
        if left:
            verdict.standing.append(item["id"])
            verdict.against.append(f"{item['id']} is still there: {left['says']}")
        elif missing:
            verdict.standing.append(item["id"])
            verdict.against.append(f"whether {item['id']} is gone cannot be told: {missing.needs} ({missing.status}) {missing.why}".rstrip())
        elif item["id"] not in verdict.gone:
            verdict.gone.append(item["id"])
    for (kind, *pair), item in now.items():
        # What the logs alone tell may be of before the change, and be explained otherwise now that its cause is gone; requests show what is not.
        news = kind == finding.CAUSE and item["certainty"] == finding.PROVEN and tuple(pair) not in known
        if news and item["id"] not in verdict.new:
            verdict.new.append(item["id"])
            verdict.worse.append(f"{item['id']} is new: {item['says']}")
    verdict.gone[:] = [name for name in verdict.gone if name not in verdict.standing]


def _good(asked: dict | None) -> set[tuple]:
    """Return the ways of the routes that gave a good answer."""
    entries = asked["routes"] if asked and asked["status"] == _requests.ASKED else ()
    return {_requests.way(entry["route"]) for entry in entries if entry["answer"] and not _requests.bad(entry)}


def _stands(found: dict | None, good: bool) -> bool:
    """Return whether a finding is still true: of a route that gives good answers, what the logs alone tell is of the time before the change."""
    return bool(found) and (found["certainty"] == finding.PROVEN or found["kind"] != finding.CAUSE or not good)


def _judge_requests(verdict: _Verdict, named: list[dict], asked: tuple[dict | None, dict | None]) -> None:
    before, after = asked
    if after is None or after["status"] == _requests.OFF:
        return
    if after["status"] != _requests.ASKED:
        verdict.against.append(f"no requests could be sent through nginx: {after['why']}")
        return
    earlier = {entry["id"]: entry for entry in (before or {"routes": []})["routes"]}
    by_route = [item for item in named if item["routes"]]
    for entry in after["routes"]:
        old = earlier.get(entry["id"])
        was_bad, is_bad = bool(old) and _requests.bad(old), _requests.bad(entry)
        affected = _requests.concerned(entry, named)
        got = {"before": _requests.shown(old) if old else "not asked", "after": _requests.shown(entry)}
        verdict.routes.append({"route": entry["route"], **got, "affected": affected, "bad": is_bad, "why": entry["why"]})
        label = _label(entry["route"])
        if is_bad and old and old["answer"] and not was_bad:
            verdict.worse.append(f"{label} got {got['before']} before and gets {got['after']} now")
        elif is_bad and _requests.concerned(entry, by_route):
            verdict.still_bad = True
            verdict.against.append(f"{label} gets {got['after']}")
        verdict.improved = verdict.improved or was_bad and bool(entry["answer"]) and not is_bad
    asked_now = [item for item in verdict.routes if item["after"] != "not asked"]
    if len(by_route) < len(named) and asked_now and all(item["bad"] for item in asked_now):
        verdict.still_bad = True
        verdict.against.append("no request through nginx gets a good answer")


def _judge_unexplained(verdict: _Verdict, named: list[dict], before: dict, after: finding.HostResult) -> None:
    """Take a failure without a known cause as a reason to fail, where it is of a route that was to be put right and that could not be asked."""
    told = {item["needs"] for item in before["unknown"] if item["id"] == finding.UNEXPLAINED}
    answered = {_requests.way(item["route"]) for item in verdict.routes if item["after"] != "not asked"}
    ends = {route["endpoint"] for item in named for route in item["routes"] if _requests.way(route) not in answered}
    for unknown in after.unknown:
        if unknown.id == finding.UNEXPLAINED and unknown.needs in ends and unknown.needs not in told:
            verdict.against.append(f"{unknown.needs} fails for a reason that is not known: {unknown.why}")


def _label(route: dict) -> str:
    return " ".join(filter(None, (route["listen"], route["server"], route["location"])))


def read(folder: str, host: str) -> dict | None:
    """Return the verdict that a folder keeps of a host, or None."""
    found = _bundle.read_of(folder, host, FILES)
    return found if found and found.get("schema") == SCHEMA else None
