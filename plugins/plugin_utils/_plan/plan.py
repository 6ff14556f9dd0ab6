# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done on a host: from its findings and what its user allows to ordered steps, work for a person, and what is held back.

Only what is proven is put right, and causes alone: a risk or a piece of advice only where its id is allowed by name.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, PROVEN, Finding, HostResult, order
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import managed, patch, slots
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.remedies import ORDER, REMEDIES, loads
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import MANUAL, RISKY
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import PATHS

NONE, SAFE_ONLY, ALL = "none", "safe", "risky"
# What lets the name of a container resolve, before a file is edited and tested.
_NAMING = ("connect_network", "start_container")
_MISSING = re.compile(r'host not found in upstream "(?P<name>[^":]+)(?::[0-9]+)?"')


@dataclass(frozen=True)
class Allowed:
    """What the user of a host allows.

    apply         "none", "safe" or "risky": the riskiest that is done unasked
    ids           what is done besides where apply is not "none", by id: risky ones, risks, advice
    edit_managed  files that say they are written by another program may be edited
    ca_file       a file on the host with the authorities that nginx is to trust for its backends, or ""
    """

    apply: str = SAFE_ONLY
    ids: tuple[str, ...] = ()
    edit_managed: bool = False
    ca_file: str = ""


@dataclass(frozen=True)
class Undone:
    """What the run before tried on a host and undid as a whole: its remedies, and the ids that were gone by them before that."""

    remedies: tuple[str, ...] = ()
    helped: tuple[str, ...] = ()

    def useless_for(self, finding: Finding) -> bool:
        """Return whether the remedy of a finding was tried and did not help."""
        return finding.fix.remedy in self.remedies and finding.id not in self.helped


def _distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings with each of them once."""
    return tuple({id(finding): finding for finding in findings}.values())


@dataclass(frozen=True)
class Change:
    """One item for the role of a remedy, and the findings that ask for it, the first to look at first."""

    item: dict
    findings: tuple[Finding, ...]

    @property
    def safety(self) -> str:
        """Return the worst safety of its findings."""
        return RISKY if any(finding.fix.safety == RISKY for finding in self.findings) else "safe"


@dataclass(frozen=True)
class Step:
    """What one remedy does on a host; notes are sentences that a reader should know before, diff the lines that are changed, or "" where they are not known."""

    remedy: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    diff: str = ""

    @property
    def safety(self) -> str:
        """Return the worst safety of its changes."""
        return RISKY if any(change.safety == RISKY for change in self.changes) else "safe"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what it puts right."""
        return _distinct(finding for change in self.changes for finding in change.findings)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of what it puts right."""
        return tuple(dict.fromkeys(finding.id for finding in self.findings))


@dataclass(frozen=True)
class Manual:
    """Work for a person: why it is not done here, or "" where no remedy does it; and the lines to change, as a unified diff, or ""."""

    finding: Finding
    why: str = ""
    patch: str = ""


@dataclass(frozen=True)
class Held:
    """A finding whose remedy is not used: why, and the setting that would allow it, or ""."""

    finding: Finding
    why: str
    setting: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be done on a host.

    status, why  as in its HostResult
    steps        in the order in which they are done
    manual, held in the order of the findings
    reloads      {"path"} of the main file, and {"container"}, of each nginx that is loaded anew because of an edit
    """

    host: str
    status: str
    why: str
    steps: tuple[Step, ...] = ()
    manual: tuple[Manual, ...] = ()
    held: tuple[Held, ...] = ()
    reloads: tuple[dict, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what the steps put right."""
        return _distinct(finding for step in self.steps for finding in step.findings)

    def without_steps(self, why: str, setting: str) -> Plan:
        """Return the plan with all of its steps held back."""
        held = tuple(Held(finding, why, setting) for finding in self.findings)
        return replace(self, steps=(), held=held + self.held, reloads=())


def build(result: HostResult, host: Host | None, allowed: Allowed, undone: Undone = Undone()) -> Plan:
    """Return the plan for a host.

    host    its model, None where there is none, and then there is nothing to do
    undone  what was undone on it in the run before: what did not help is not used again unasked
    """
    manual: list[Manual] = []
    held: list[Held] = []
    wanted: list[tuple[str, Change]] = []
    failing = set[str]().union(*(_endpoints(finding) for finding in result.findings if finding.kind == CAUSE))
    names = set[str]().union(*(_coming(finding, _sorted(finding, host, allowed, undone)) for finding in result.findings))
    for finding in sorted(result.findings, key=order):
        sorted_out = _sorted(_with_authorities(finding, allowed.ca_file), host, allowed, undone, names)
        if sorted_out and isinstance(sorted_out, list):
            sorted_out = _not_to_be_loaded(finding, host, failing | _endpoints(finding)) or sorted_out
        if isinstance(sorted_out, Manual):
            manual.append(sorted_out)
        elif isinstance(sorted_out, Held):
            held.append(sorted_out)
        else:
            wanted += sorted_out
    kept, refused = _without_conflicts(_merged(wanted))
    held += refused
    steps = tuple(_step(remedy, kept, host) for remedy in ORDER if any(name == remedy for name, _change in kept))
    return Plan(result.name, result.status, result.why, steps, tuple(manual), tuple(held), tuple(_reloads(kept, host)))


def _step(remedy: str, kept: Iterable[tuple[str, Change]], host: Host) -> Step:
    changes = tuple(change for name, change in kept if name == remedy)
    diffs = []
    for instance in host.instances if REMEDIES[remedy].edits else ():
        files = set(instance.configuration.files)
        own = [change.item for change in changes if slots.container(change.item) == instance.container and set(slots.files([change.item])) & files]
        diffs += [patch.of(instance, remedy, own)] if own else []
    diff = "\n".join(filter(None, diffs)) if all(diffs) else ""
    return Step(remedy, changes, (*_lines(remedy, changes, diff), *_notes(remedy, kept, host)), diff)


def _lines(remedy: str, changes: Iterable[Change], diff: str) -> Iterator[str]:
    """Return a sentence that names the places of edits that no diff shows, where they are several: a finding names one."""
    told = (change.item.get("at") or change.item.get("context") or {} for change in changes)
    places = dict.fromkeys(f"{place['file']}:{place['line']}" for place in told if "file" in place and "line" in place)
    if REMEDIES[remedy].edits and not diff and len(places) > 1:
        yield f"it edits {', '.join(places)}; --check --diff shows the lines"


def may_be_put_right(findings: Iterable[Finding], allowed: Allowed) -> bool:
    """Return whether a role can put any of the findings right, with what the user gives: then the model of the host is needed."""
    return any(has_remedy(_with_authorities(finding, allowed.ca_file)) for finding in findings)


def _with_authorities(finding: Finding, ca_file: str) -> Finding:
    """Return a finding that waits for authorities to trust with those that the user gives: which are the right ones, no host tells."""
    fix = finding.fix
    if not ca_file or not fix or fix.remedy != "upstream_tls" or not any(item.get("trusted_certificate") == "" for item in fix.changes):
        return finding
    changes = tuple({**item, "trusted_certificate": ca_file} for item in fix.changes)
    summary = f"Trust the authorities in {ca_file}, as bad_gateway_ca_file says."
    return replace(finding, fix=replace(fix, safety=RISKY, summary=summary, changes=changes))


def has_remedy(finding: Finding) -> bool:
    """Return whether a role can put a finding right, as far as the finding alone says."""
    fix = finding.fix
    return bool(fix and fix.remedy and fix.changes and fix.safety != MANUAL and all(remedy in REMEDIES for remedy, _item in fix.steps))


def _sorted(
    finding: Finding, host: Host | None, allowed: Allowed, undone: Undone, names: Collection[str] = ()
) -> Manual | Held | list[tuple[str, Change]]:
    """Return what becomes of a finding: work for a person, held back, or changes by the name of their remedy; names are as for _guarded()."""
    fix = finding.fix
    able = host is not None and has_remedy(finding)
    named = finding.id in allowed.ids
    if finding.kind != CAUSE and not named:
        return Held(finding, "nothing fails for it yet", f"bad_gateway_allow={finding.id}") if able and finding.certainty == PROVEN else []
    if not able:
        return Manual(finding, patch=fix.diff if fix else "")
    if finding.certainty != PROVEN:
        told = any(item.from_ == PATHS for item in finding.evidence)
        hint = "; where bad_gateway_probe_path is a path that fails, a probe may prove it" if told else ""
        return Held(finding, f"it is {finding.certainty}, not proven{hint}")
    if allowed.apply == NONE:
        return Held(finding, "bad_gateway_apply is none", f"bad_gateway_apply={fix.safety}")
    if fix.safety == RISKY and allowed.apply != ALL and not named:
        return Held(finding, "it is risky", f"bad_gateway_apply=risky, or bad_gateway_allow={finding.id}")
    if undone.useless_for(finding) and not named:
        return Held(finding, "it was tried in the run before, did not help and was undone; diagnose the host again first", f"bad_gateway_allow={finding.id}")
    items = [item for _remedy, item in fix.steps]
    if any(slots.is_hidden(item) for item in items):
        return Manual(finding, "a word that is hidden as a secret would be part of the change")
    if any(slots.is_harmful(item) for item in items):
        return Manual(finding, "a word with characters that a terminal acts on would be part of the change")
    return _guarded(finding, host, allowed, names)


def _coming(finding: Finding, sorted_out: Manual | Held | list[tuple[str, Change]]) -> set[str]:
    """Return the names that are there once the containers of a finding are started and connected."""
    comes = isinstance(sorted_out, list) and any(remedy in _NAMING for remedy, _change in sorted_out)
    return {endpoint.rpartition(":")[0] for endpoint in _endpoints(finding)} if comes else set()


def _waits(instance: Instance, names: Collection[str]) -> bool:
    """Return whether all that nginx refuses in a configuration is a name that is yet to come."""
    messages = (instance.test.get("value") or {}).get("messages") or ()
    missing = [_MISSING.match(message["text"]) for message in messages if message["level"] in ("emerg", "alert", "crit")]
    return bool(missing) and all(match and match["name"] in names for match in missing)


def _guarded(finding: Finding, host: Host, allowed: Allowed, names: Collection[str]) -> Manual | Held | list[tuple[str, Change]]:
    """Return the changes of a finding that is to be put right, unless what they touch may not be touched; names are there by then."""
    fix = finding.fix
    remedies = [REMEDIES[remedy] for remedy in dict.fromkeys(remedy for remedy, _item in fix.steps)]
    files = slots.files([item for _remedy, item in fix.steps])
    if any(remedy.edits for remedy in remedies):
        containers = (host.answer("containers")["value"] or {}).get("containers") or ()
        for instance in _alike(finding, host):
            for path in files:
                if path in instance.configuration.doubtful:
                    return Held(finding, f"{path} is read differently by two parsers, and is not edited")
                elsewhere = managed.why(instance, path, allowed.edit_managed, containers) if path in instance.configuration.files else ""
                if elsewhere:
                    return Manual(finding, f"{elsewhere}; change it where it comes from", patch.of(instance, fix.remedy, fix.changes))
    if any(loads(remedy, item) for remedy, item in fix.steps):
        for instance in _instances(finding, host, files):
            refused = (instance.test.get("value") or {}).get("valid") is False
            if refused and not _waits(instance, names):
                return Held(finding, f"nginx refuses {instance.id} as it stands, so that nothing can be loaded: mend that first")
    container = next((instance.container for instance in _alike(finding, host)), "")
    steps = ((remedy, slots.within(item, container) if container and REMEDIES[remedy].edits else item) for remedy, item in fix.steps)
    return [(remedy, Change(item, (finding,))) for remedy, item in steps]


def _not_to_be_loaded(finding: Finding, host: Host, failing: set[str]) -> Held | None:
    """Return why a finding waits whose remedy loads what nginx has not read yet, and would fail then: no rollback brings back what the workers have now.

    failing are the endpoints of causes, and its own: what fails already, or is put right, is no reason to wait.
    """
    loaded = any(loads(remedy, item) for remedy, item in finding.fix.steps)
    instances = _instances(finding, host, slots.files(finding.fix.changes)) if loaded else ()
    for leg in host.legs:
        alone = not any(other.serves for other in host.legs if other.route is leg.route)
        if leg.instance in instances and leg.instance.running and leg.pending and absence.absent(leg) and alone and str(leg.endpoint) not in failing:
            why = f"a reload would also load {leg.route.at}, which leads to {leg.endpoint}, where nothing listens: mend that first"
            return Held(finding, why)
    return None


def _instances(finding: Finding, host: Host, files: Iterable[str]) -> tuple[Instance, ...]:
    """Return the nginx that a finding is about: those that read one of the files, or the one that it stands in, else all."""
    places = {*files, *([finding.at.file] if finding.at else [])}
    alike = _alike(finding, host)
    found = tuple(instance for instance in alike if places & {instance.id, instance.raw.get("conf_path"), *instance.configuration.files})
    return found or alike


def _alike(finding: Finding, host: Host) -> tuple[Instance, ...]:
    """Return the nginx that see the files which the one of a finding sees: those of the host, or of its container. All where it is about none."""
    own = next((instance for instance in host.instances if instance.id == finding.instance), None)
    return host.instances if own is None else tuple(instance for instance in host.instances if instance.container == own.container)


def _merged(wanted: Iterable[tuple[str, Change]]) -> list[tuple[str, Change]]:
    """Return the changes with the same one of several findings once, and one in place of two where it does for both."""
    merged: list[tuple[str, Change]] = []
    for remedy, change in wanted:
        for index, (name, first) in enumerate(merged):
            item = first.item if first.item == change.item else slots.both(remedy, first.item, change.item)
            if name == remedy and item is not None:
                merged[index] = (remedy, Change(item, (*first.findings, *(found for found in change.findings if found not in first.findings))))
                break
        else:
            merged.append((remedy, change))
    return merged


def _without_conflicts(wanted: list[tuple[str, Change]]) -> tuple[list[tuple[str, Change]], list[Held]]:
    """Return the changes that stand, and what is held back because two changes want the same place to be different.

    What starts a backend stands before what leads nginx elsewhere; of any other two, neither is done: which one is right is for a person to say.
    """
    refused: dict[int, str] = {}
    for index, (remedy, change) in enumerate(wanted):
        for other_index, (other_remedy, other) in enumerate(wanted):
            if index == other_index:
                continue
            if remedy == "repoint_upstream" and other_remedy in ("start_backend", "start_container") and _same_endpoint(change, other):
                refused[index] = f"{other.findings[0].id} starts what listens there"
            elif slots.clash(slots.of(remedy, change.item), slots.of(other_remedy, other.item)):
                refused[index] = f"{other.findings[0].id} ({other_remedy}) wants the same place to be different; neither is done"
    kept = [pair for index, pair in enumerate(wanted) if index not in refused]
    whys = {id(finding): (finding, why) for index, why in sorted(refused.items()) for finding in wanted[index][1].findings}
    # What is done for a finding is done whole, or not at all.
    whole = [pair for pair in kept if any(id(finding) not in whys for finding in pair[1].findings)]
    return whole, [Held(finding, why) for finding, why in whys.values()]


def _same_endpoint(change: Change, other: Change) -> bool:
    ends = [set[str]().union(*map(_endpoints, item.findings)) for item in (change, other)]
    return bool(ends[0] & ends[1])


def _endpoints(finding: Finding) -> set[str]:
    """Return the endpoints that a finding is about."""
    return {route["endpoint"] for route in (finding.route, *finding.also) if route}


def _reloads(kept: Iterable[tuple[str, Change]], host: Host | None) -> Iterator[dict]:
    """Return the nginx of which files are edited."""
    needed = {
        (instance.raw.get("conf_path") or instance.id, instance.container)
        for remedy, change in kept
        if REMEDIES[remedy].edits
        for finding in change.findings
        for instance in _instances(finding, host, slots.files([change.item]))
    }
    told = dict.fromkeys((instance.raw.get("conf_path") or instance.id, instance.container) for instance in (host.instances if host else ()))
    return ({"path": path, **({"container": container} if container else {})} for path, container in told if (path, container) in needed)


def _notes(remedy: str, kept: Iterable[tuple[str, Change]], host: Host) -> Iterator[str]:
    """Return what a reader should know before a step: what else the reload loads."""
    if not REMEDIES[remedy].edits:
        return
    files = slots.files([change.item for name, change in kept if name == remedy])
    for instance in host.instances:
        newer = [path for path in instance.newer_files if instance.running]
        if newer and set(files) & set(instance.configuration.files):
            yield f"the reload also loads what was changed since nginx read its configuration: {', '.join(newer)}"
