# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict for a person at a terminal.

What needs somebody comes first: causes that hosts share, then hosts with causes of their own, hosts that
could not be diagnosed, and so on down to the healthy ones in a line, and at the end what is advised. A shared
finding is told once. However large the fleet, the text stays short; everything is in report.json.

Text that came from a host goes on deeper than it began, so that it cannot wrap into a line that looks like
one of ours ("next", "fix").

Each line is a pair (style, text) of at most WIDTH columns, drawn in ASCII. Only the text is meant to be
kept; a style is one of STYLES and is for a terminal that shows colours.

This module is private to the collection.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _finding as finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import plan
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns, fleet
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.gate import number
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY

HEADING = "head"
BAD = "bad"
WARNING = "warn"
GOOD = "good"
PLAIN = "plain"
QUIET = "dim"
STYLES = (HEADING, BAD, WARNING, GOOD, PLAIN, QUIET)
# As Ansible names colours.
COLOURS = {BAD: "red", WARNING: "yellow", GOOD: "green", QUIET: "dark gray", HEADING: "bright blue"}

WIDTH = 80

Line = tuple[str, str]

# How much is told before "and N more": hosts of a section, findings of a host, lines of a finding.
_HOSTS = {"with_cause": 50, "unexplained": 20, "undiagnosed": 20, "partial": 20, "healthy": 20, "no_nginx": 20}
_SHARED = 20
_CAUSES = 10
_NOTES = 5
_ROUTES = 3
_EVIDENCE = 8
_ALTERNATIVES = 4

_NAME = 40
_ENDPOINT = 44
_PARAGRAPH = 400
_NAMES = 200
_LABEL = 7

# Deeper than any label of ours.
_DEEP = " " * 6
_PATCH = 40

# Ids of an unknown that name no fault.
_GAPS = {"configuration", "error log", "probe", "route", "socket path"}

_STATES = {
    "with_cause": "with a cause",
    "unexplained": "failing without a known cause",
    "undiagnosed": "not diagnosed",
    "partial": "partly diagnosed",
    "healthy": "healthy",
    "no_nginx": "without nginx",
}
_STATE_STYLE = {"with_cause": BAD, "unexplained": BAD, "undiagnosed": BAD, "partial": WARNING, "healthy": GOOD, "no_nginx": QUIET}


def render(results: Iterable[finding.HostResult], report_file: str = "", decision: str = "", inventory: Sequence[str] = ()) -> list[Line]:
    """Return the lines of the verdict; decision is the sentence of gate.decision(), or ""; inventory what the run was given as one, for a next command."""
    results = sorted(results, key=lambda result: result.name)
    shared = fleet.shared(results)
    lines = list(_headline(results))
    lines += _shared_findings(shared)
    lines += _hosts(results, {item.key for item in shared})
    lines += _advice(results)
    lines += _remediable(results, inventory)
    lines.append((PLAIN, ""))
    if report_file:
        lines += block(PLAIN, "report: ", columns.clean(report_file, _PARAGRAPH), "")
    if decision:
        lines += block(HEADING, "", decision, "")
    return lines


def _headline(results: list[finding.HostResult]) -> Iterator[Line]:
    counts = fleet.summary(results)
    parts = [f"{counts[state]} {_STATES[state]}" for state in fleet.STATES if counts[state]] or ["nothing to judge"]
    yield from block(HEADING, "", f"{number(counts['hosts'], 'host')}: {', '.join(parts)}", "  ")


def _shared_findings(shared: tuple[fleet.Shared, ...]) -> Iterator[Line]:
    causes = [item for item in shared if item.example.kind == finding.CAUSE]
    risks = [item for item in shared if item.example.kind == finding.RISK]
    if causes:
        yield PLAIN, ""
        yield HEADING, "Causes that hosts share"
    for item in causes[:_SHARED]:
        yield from _shared_cause(item)
    yield from _more("  ", len(causes) - _SHARED, "shared cause")
    if risks:
        yield PLAIN, ""
        yield HEADING, "Risks that hosts share"
    for item in risks[:_SHARED]:
        yield from _note(item.example, f" on {len(item.hosts)} hosts")
        yield from labelled(QUIET, "    ", "hosts", _names(item.hosts))
    yield from _more("  ", len(risks) - _SHARED, "shared risk")


def _shared_cause(item: fleet.Shared) -> Iterator[Line]:
    example = item.example
    certain = ", ".join(f"{count} {certainty}" for certainty, count in item.certain.items()) if len(item.certain) > 1 else example.certainty
    yield from block(BAD, "  * ", f"{example.id} ({certain}) on {len(item.hosts)} hosts", "    ")
    yield from labelled(PLAIN, "    ", "hosts", f"{_names(item.hosts)}; here as {_name(item.example_host)} sees it:")
    yield from told("    ", example)


def _hosts(results: list[finding.HostResult], shared: set[tuple]) -> Iterator[Line]:
    """Tell of each host what no shared finding has told, the hosts in trouble first."""
    by_state: dict[str, list[finding.HostResult]] = {state: [] for state in fleet.STATES}
    for result in results:
        by_state[fleet.state(result)].append(result)
    for state, members in by_state.items():
        telling = [result for result in members if _has_own(result, shared)]
        for result in telling[: _HOSTS[state]]:
            yield PLAIN, ""
            yield from _host(result, state, shared)
        if len(telling) > _HOSTS[state]:
            yield PLAIN, ""
            yield from _more("", len(telling) - _HOSTS[state], f"host {_STATES[state]}", f"hosts {_STATES[state]}")
        yield from _silent(state, [result for result in members if not _has_own(result, shared)])


def _has_own(result: finding.HostResult, shared: set[tuple]) -> bool:
    if result.why or result.unknown or result.recovered:
        return True
    return any(item.kind != finding.ADVICE and fleet.place_key(item) not in shared for item in result.findings)


def _silent(state: str, members: list[finding.HostResult]) -> Iterator[Line]:
    """Name the hosts of which there is nothing more to tell."""
    words = "only shared causes" if state == "with_cause" else _STATES[state]
    if members:
        yield PLAIN, ""
        yield from block(_STATE_STYLE[state], "", f"{words}: {_names([result.name for result in members])}", "  ")


def _host(result: finding.HostResult, state: str, shared: set[tuple]) -> Iterator[Line]:
    yield from block(_STATE_STYLE[state], "", f"{_name(result.name)}: {_status(result, state)}", "  ")
    if not set(result.why.split("; ")) <= {"", *(item.why for item in result.unknown)}:
        yield from block(PLAIN, "  ", columns.clean(result.why, _PARAGRAPH), _DEEP)
    own = {kind: [item for item in result.of_kind(kind) if fleet.place_key(item) not in shared] for kind in finding.KINDS}
    also = [item for item in result.of_kind(finding.CAUSE) if fleet.place_key(item) in shared]
    yield from _causes(own[finding.CAUSE])
    if also:
        yield from labelled(PLAIN, "  ", "shared", columns.listed(sorted({_title(item) for item in also}), _NAMES))
    risks = own[finding.RISK]
    for item in risks[:_NOTES]:
        yield from _note(item, f" on {len(item.also) + 1} routes" if item.also else "")
    yield from _more("  ", len(risks) - _NOTES, "risk")
    yield from _unknown(result.unknown)
    for sentence in result.recovered[:_NOTES]:
        yield from block(GOOD, "  recovered: ", columns.clean(sentence, _PARAGRAPH), _DEEP)
    yield from _more("  ", len(result.recovered) - _NOTES, "recovery", "recoveries")


def _status(result: finding.HostResult, state: str) -> str:
    if state == "undiagnosed":
        return f"not diagnosed ({columns.clean(result.status, _NAME)})"
    if state == "with_cause":
        whole = "diagnosed" if result.status == finding.DIAGNOSED and not result.unknown else "partly diagnosed"
        return f"{whole}, {number(len(result.of_kind(finding.CAUSE)), 'cause')}"
    return _STATES[state]


def _causes(causes: list[finding.Finding]) -> Iterator[Line]:
    for place, item in enumerate(causes[:_CAUSES], 1):
        yield from block(BAD, f"  {place}. ", f"{item.id} ({item.certainty})", "     ")
        yield from told("     ", item)
    yield from _more("  ", len(causes) - _CAUSES, "cause")


def told(indent: str, item: finding.Finding) -> Iterator[Line]:
    """Tell a cause: what is wrong, where, what shows it, what else it could be, what to do."""
    yield from block(PLAIN, indent, columns.clean(item.says, _PARAGRAPH), f"{indent}  ")
    yield from _routes(indent, item)
    for seen in item.evidence[:_EVIDENCE]:
        shown = f"{columns.clean(seen.from_, _NAME)}: {columns.clean(seen.shows, _PARAGRAPH)}"
        yield from block(QUIET, f"{indent}- ", shown, f"{indent}  ")
    yield from _more(indent, len(item.evidence) - _EVIDENCE, "piece of evidence", "pieces of evidence")
    if item.certainty != finding.PROVEN:
        for sentence in item.alternatives[:_ALTERNATIVES]:
            yield from labelled(PLAIN, indent, "or", columns.clean(sentence, _PARAGRAPH))
        yield from _more(indent, len(item.alternatives) - _ALTERNATIVES, "alternative")
    if item.fix:
        yield from labelled(PLAIN, indent, "fix", f"[{item.fix.safety}] {columns.clean(item.fix.summary, _PARAGRAPH)}")
        yield from _patch(indent, item.fix.diff)
    if item.next.strip():
        yield from command(indent, item.next)


def _patch(indent: str, patch: str) -> Iterator[Line]:
    """Show the lines of a patch, as far as they fit; the report has them whole."""
    lines = columns.lines(patch)
    for line in lines[:_PATCH]:
        yield PLAIN, f"{indent}  {columns.shorten(line.expandtabs(4), WIDTH - len(indent) - 2)}"
    yield from _more(indent, len(lines) - _PATCH, "line")


def _routes(indent: str, item: finding.Finding) -> Iterator[Line]:
    routes = [route for route in (item.route, *item.also) if route]
    for route in routes[:_ROUTES]:
        yield from labelled(PLAIN, indent, "route", _route(route))
    yield from _more(indent, len(routes) - _ROUTES, "route like this", "routes like this")
    yield from place(PLAIN, indent, item)


def place(style: str, indent: str, item: finding.Finding) -> Iterator[Line]:
    """Tell where it is written: in which container, and where that is on the host."""
    if item.at:
        yield from labelled(style, indent, "at", _at(item))
        if item.where:
            yield from labelled(style, indent, "", columns.clean(item.where, _PARAGRAPH))


def _route(route: dict[str, str]) -> str:
    way = " ".join(filter(None, (columns.clean(route[part], _NAME) for part in ("listen", "server", "location"))))
    return f"{way} -> {columns.clean(route['endpoint'], _ENDPOINT)}"


def _at(item: finding.Finding) -> str:
    """Return where it is written, on one line: a place that is broken in two cannot be copied."""
    return columns.clean(str(item.at), WIDTH - 5 - _LABEL) if item.at else ""


def _note(item: finding.Finding, where: str) -> Iterator[Line]:
    """Tell a risk in short."""
    yield from block(WARNING, f"  {item.kind} ", f"{item.id}{where}: {columns.clean(item.says, _PARAGRAPH)}", _DEEP)
    yield from place(QUIET, "    ", item)


def _advice(results: list[finding.HostResult]) -> Iterator[Line]:
    """Tell what is advised, each thing once for the whole fleet, with one place as an example."""
    by_id: dict[str, list[tuple[str, finding.Finding]]] = {}
    for result in results:
        for item in result.of_kind(finding.ADVICE):
            by_id.setdefault(item.id, []).append((result.name, item))
    if by_id:
        yield PLAIN, ""
        yield HEADING, "Advice"
    for name, members in sorted(by_id.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        host, example = members[0]
        yield from block(PLAIN, "  ", f"{name}: {columns.clean(example.says, _PARAGRAPH)}", _DEEP)
        hosts = sorted({member for member, _item in members})
        if len(hosts) > 1 and example.at:
            yield from labelled(QUIET, "    ", "at", f"{_at(example)} on {_name(host)}")
        else:
            yield from place(QUIET, "    ", example)
        yield from labelled(QUIET, "    ", "hosts", _names(hosts))
        yield from _more("    ", len(members) - 1, "place", "places")


def _remediable(results: list[finding.HostResult], inventory: Sequence[str]) -> Iterator[Line]:
    """Say what can be put right without a person, and by which command."""
    causes = [item for result in results for item in result.of_kind(finding.CAUSE) if item.certainty == finding.PROVEN and plan.has_remedy(item)]
    if not causes:
        return
    risky = sum(item.fix.safety == RISKY for item in causes)
    counts = ((len(causes) - risky, "safe"), (risky, "risky (add -e bad_gateway_apply=risky)"))
    how = ", ".join(f"{count} {safety}" for count, safety in counts if count)
    yield PLAIN, ""
    yield from block(HEADING, "", f"{number(len(causes), 'cause')} can be put right by a remedy: {how}. To see what it would do:", "  ")
    yield from playbook("remediate", inventory, "--check", "--diff")


def playbook(name: str, inventory: Sequence[str], *more: str) -> Iterator[Line]:
    """Show the command that runs a playbook of ours; inventory is what this run was given as one."""
    words = ["ansible-playbook", f"webops.bad_gateway.{name}", *(word for given in inventory for word in ("-i", given)), *more]
    for line in columns.wrap_command(shlex.join(words), WIDTH - 2) or [f"ansible-playbook webops.bad_gateway.{name}"]:
        yield PLAIN, f"  {line}"


def _unknown(unknown: tuple[finding.Unknown, ...]) -> Iterator[Line]:
    """Say what could not be judged, once for each thing that is missing; what fails unexplained comes first."""
    groups: dict[tuple[bool, str, str, str], list[str]] = {}
    for item in unknown:
        groups.setdefault((item.id != finding.UNEXPLAINED, item.needs or item.id, item.status, item.why), []).append(item.id)
    for (explained, needs, status, why), ids in sorted(groups.items())[:_NOTES]:
        reason = f": {columns.clean(why, _NAMES)}" if why else ""
        if not explained:
            yield from block(BAD, "  unexplained ", f"{columns.clean(needs, _NAME)}{reason}", _DEEP)
            continue
        yield from block(WARNING, "  unknown ", f"{columns.clean(needs, _NAME)} ({columns.clean(status, _NAME)}){reason}", _DEEP)
        faults = sorted(set(ids) - _GAPS - {needs})
        if faults:
            yield from block(QUIET, "    not judged: ", columns.listed(faults, _NAMES), _DEEP)
    yield from _more("  ", len(groups) - _NOTES, "unknown")


def _title(item: finding.Finding) -> str:
    endpoint = f" {columns.clean(item.endpoint, _ENDPOINT)}" if item.endpoint else ""
    return f"{item.id}{endpoint}"


def _name(name: str) -> str:
    return columns.clean(name, _NAME)


def _names(names: Iterable[str]) -> str:
    return columns.listed([_name(name) for name in names], _NAMES)


def command(indent: str, written: str) -> Iterator[Line]:
    """Show a command so that it can be pasted, or say where it is whole."""
    lines = columns.wrap_command(written, WIDTH - len(indent) - _LABEL)
    if not lines:
        yield from labelled(PLAIN, indent, "next", 'cannot be shown in lines; it is the "next" of this finding in report.json')
    for index, line in enumerate(lines):
        yield PLAIN, f"{indent}{'' if index else 'next':<{_LABEL}}{line}"


def labelled(style: str, indent: str, label: str, shown: str) -> Iterator[Line]:
    return block(style, f"{indent}{label:<{_LABEL}}", shown, indent + " " * _LABEL)


def block(style: str, first: str, shown: str, rest: str) -> Iterator[Line]:
    """Return text in lines: first stands before the first one, rest before the others."""
    room = WIDTH - max(len(first), len(rest))
    for index, line in enumerate(columns.wrap(shown, room)):
        yield style, (rest if index else first) + line


def _more(indent: str, count: int, noun: str, nouns: str = "") -> Iterator[Line]:
    """Say how many things are left out, if any."""
    if count > 0:
        yield QUIET, f"{indent}... and {count} more {noun if count == 1 else nouns or noun + 's'} in report.json"
