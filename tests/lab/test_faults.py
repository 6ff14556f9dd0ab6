# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks real hosts, proves by requests that they are broken, and holds the diagnosis against what was done to them.

Every fault must be named first, or several on one host all and nothing else, and its healthy look-alike must give no cause; neither host may be
changed by the diagnosis. Hosts are started in batches of BATCH, diagnosed in one run over SSH, and removed.

A fault that a remediation puts right is put right on the same host, which the requests must prove; doing it again must change nothing, and
undoing it must bring back what was there. The healthy look-alike, on which everything is allowed, must not be touched.
LAB_KEEP=1 in the environment leaves the hosts of a batch where a test can be repeated by hand.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import lab_faults
import lab_hosts
import lab_remedies
import pytest
from lab_base import LabError, attempt

BATCH = 8
# What is emulated takes a processor for itself.
BATCH_EMULATED = 2
NAMES = dict(zip(lab_faults.MACHINES, ("host", "node", "server")))
DIAGNOSE_SECONDS = 300
# What a diagnosis has no business to touch. Owner, mode, size and both times of each file there.
WATCHED = "find /etc /srv /usr /var/lib/nginx /var/log/nginx /run/nginx.pid -xdev -printf '%p %y %m %U %G %s %T@ %C@\\n' 2>&1 | sort"
LOGS = "/var/log/nginx"
# A question or a rule that ended in an exception of ours; what a host refuses has other words.
DEFECT = re.compile(r"\b(?:Attribute|Index|Key|Name|Type|Value|UnboundLocal|Recursion|Assertion)Error\b|this rule failed|struct\.error")


@dataclass(frozen=True)
class Case:
    """A fault, or its healthy look-alike."""

    fault: lab_faults.Fault
    state: str

    def __str__(self) -> str:
        return f"{self.fault.id}-{self.state}"


@dataclass(frozen=True)
class Outcome:
    """What the run said about a case's host: its part of report.json, and the watched files that changed."""

    report: dict
    changed: list[str]
    remedied: lab_remedies.Remedied | LabError | None = None


# Those with a remedy first: a batch is put right as a whole.
FAULTS = sorted(lab_faults.load().values(), key=lambda fault: fault.remedy is None)
# The first fault of each cause; the others are variants of it, which continuous integration runs apart.
FIRST = set({frozenset(cause for expect in fault.expect for cause in expect.causes): fault.id for fault in reversed(FAULTS)}.values())
CASES = [Case(fault, state) for fault in FAULTS for state in lab_faults.STATES]
REMEDIABLE = [case for case in CASES if case.fault.remedy]


def params(cases: list[Case]) -> list:
    """Return the cases as parameters of a test, marked with the kind of machine that they need, and on ordinary hosts as variants."""
    return [pytest.param(case, id=str(case), marks=[getattr(pytest.mark, mark) for mark in marks(case.fault)]) for case in cases]


def marks(fault: lab_faults.Fault) -> list[str]:
    """Return the marks of a fault."""
    return [fault.machine, "variant"] if fault.machine == lab_faults.MACHINES[0] and fault.id not in FIRST else [fault.machine]


def diagnose(folder: Path, hosts: list[lab_hosts.Host]) -> dict:
    """Run the collection's playbook on the hosts and return the hosts of report.json."""
    inventory = folder / "inventory.yml"
    lab_hosts.write_inventory(inventory, hosts)
    code, output = attempt(lab_remedies.command("diagnose", inventory, folder, {}), timeout=DIAGNOSE_SECONDS, env=lab_remedies.environment())
    (folder / "output.txt").write_text(output, encoding="utf-8")
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise LabError(f"no report ({problem}); ansible-playbook ended with {code}:\n{output[-6000:]}") from problem
    return report["hosts"]


def watched(host: lab_hosts.Host) -> set[str]:
    """Return a line for each watched file of the host."""
    return set(lab_hosts.run_on(host, ["sh", "-c", WATCHED]).splitlines())


class Lab:
    """Runs the chosen cases batch by batch, each batch when the first of its cases is asked for."""

    def __init__(self, cases: list[Case], remediable: set[str], folder: Path, tell: Callable[[str], None]) -> None:
        self.batches = [
            alike[first : first + size]
            for machine in lab_faults.MACHINES
            for emulated in [machine == lab_faults.SELINUX]
            # Healthy hosts get one run of a remediation, broken ones four: emulated, those that get as many are a batch.
            for alike in [sorted((case for case in cases if case.fault.machine == machine), key=lambda case: emulated and case.state == "healthy")]
            for size in [BATCH_EMULATED if emulated else BATCH]
            for first in range(0, len(alike), size)
        ]
        self.remediable = remediable
        self.folder = folder
        self.tell = tell
        self.outcomes: dict[str, Outcome | LabError] = {}

    def outcome(self, case: Case) -> Outcome:
        """Return what came of a case. Raises LabError when its host could not be brought into its state or was not diagnosed."""
        if str(case) not in self.outcomes:
            number, batch = next((number, batch) for number, batch in enumerate(self.batches) if case in batch)
            try:
                self.run_batch(number, batch)
            except LabError as problem:
                for each in batch:
                    self.outcomes.setdefault(str(each), problem)
        found = self.outcomes[str(case)]
        if isinstance(found, LabError):
            raise found
        return found

    def run_batch(self, number: int, batch: list[Case]) -> None:
        """Start a batch's hosts, bring each into its state, diagnose them together and remove them."""
        # Names that say nothing: the diagnosis may see them. Others for each kind of machine: stages may run beside each other.
        names = [f"{NAMES[batch[0].fault.machine]}{number * BATCH + place:02d}" for place in range(len(batch))]
        clock = Clock()
        try:
            cases = dict(zip(lab_hosts.start(names, batch[0].fault.machine), batch))
            clock.lap("booted")
            self.judge_batch(number, cases, clock)
        finally:
            self.tell(f"batch {number + 1} of {len(self.batches)}, {len(batch)} hosts: {clock}")
            if os.environ.get("LAB_KEEP") != "1":
                lab_hosts.remove(names)

    def judge_batch(self, number: int, cases: dict[lab_hosts.Host, Case], clock: Clock) -> None:
        """Bring hosts into their states and keep what the diagnosis says about each, and what a remediation does to it."""
        # All at once: most of it is waiting for what a fault takes, such as a timeout.
        with ThreadPoolExecutor(len(cases)) as pool:
            ready = {host: case for host, case in zip(pool.map(lambda item: self.bring(*item), cases.items()), cases.values()) if host}
        clock.lap("broken")
        if not ready:
            return
        before = {host: watched(host) for host in ready}
        folder = self.folder / f"batch{number:02d}"
        folder.mkdir()
        reports = diagnose(folder, list(ready))
        for host, case in ready.items():
            changed = sorted(line for line in before[host] ^ watched(host) if not (case.fault.traffic and line.startswith(LOGS)))
            self.outcomes[str(case)] = Outcome(reports.get(host.name, {}), changed)
        clock.lap("diagnosed")
        self.put_right(folder, {host: case for host, case in ready.items() if str(case) in self.remediable})
        clock.lap("put right and back")

    def put_right(self, folder: Path, cases: dict[lab_hosts.Host, Case]) -> None:
        """Put the hosts of some cases right, and back."""
        if not cases:
            return
        try:
            found = lab_remedies.cycle(folder, {host: (case.fault, case.state) for host, case in cases.items()})
        except LabError as problem:
            found = dict.fromkeys((host.name for host in cases), problem)
        for host, case in cases.items():
            self.outcomes[str(case)] = replace(self.outcomes[str(case)], remedied=found[host.name])

    def bring(self, host: lab_hosts.Host, case: Case) -> lab_hosts.Host | None:
        """Bring a host into its state and return it; None, and the reason kept, when that fails: the others go on.

        A host that does not get into its state is started anew, once: on a busy machine some loads come too late. Said aloud, so that a
        fault that often needs it is seen.
        """
        try:
            lab_hosts.bring_into(host, case.fault, case.state)
            return host
        except LabError as problem:
            self.tell(f"started anew: {problem}"[:300])
        try:
            (fresh,) = lab_hosts.start([host.name], host.machine)
            lab_hosts.bring_into(fresh, case.fault, case.state)
            return fresh
        except LabError as problem:
            self.outcomes[str(case)] = problem
            return None


class Clock:
    """The seconds of each part of a batch."""

    def __init__(self) -> None:
        self.laps: list[str] = []
        self.began = time.monotonic()

    def lap(self, name: str) -> None:
        """End a part."""
        self.laps.append(f"{name} in {time.monotonic() - self.began:.0f} s")
        self.began = time.monotonic()

    def __str__(self) -> str:
        return ", ".join(self.laps)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab with the cases that this run chose."""
    chosen = [item for item in request.session.items if "case" in getattr(getattr(item, "callspec", None), "params", {})]
    names = {str(item.callspec.params["case"]) for item in chosen}
    remediable = {str(item.callspec.params["case"]) for item in chosen if item.function is not test_diagnosis}
    plugins = request.config.pluginmanager

    def tell(text: str) -> None:
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            plugins.getplugin("terminalreporter").write_line(f"lab: {text}")

    return Lab([case for case in CASES if str(case) in names], remediable, tmp_path_factory.mktemp("lab"), tell)


def remedied(case: Case, lab: Lab) -> lab_remedies.Remedied:
    """Return what a remediation did to the host of a case."""
    found = lab.outcome(case).remedied
    if isinstance(found, LabError):
        raise found
    assert found is not None
    return found


def first(report: dict, kind: str, ids: tuple[str, ...] = ()) -> dict | None:
    """Return the finding of a kind with the lowest rank, or None; ids narrow the choice."""
    found = [finding for finding in report["findings"] if finding["kind"] == kind and (not ids or finding["id"] in ids)]
    return min(found, key=lambda finding: finding["rank"], default=None)


@pytest.mark.parametrize("case", params(CASES))
def test_diagnosis(case: Case, lab: Lab) -> None:
    """The diagnosis names the fault first, or stays silent about the look-alike, and changes nothing."""
    outcome = lab.outcome(case)
    report, expected = outcome.report, case.fault.expect
    assert report.get("status") in ("diagnosed", "partial"), report
    assert outcome.changed == []
    assert [item for item in report["unknown"] if DEFECT.search(item["why"])] == []
    causes = [finding for finding in report["findings"] if finding["kind"] == "cause"]
    if case.state == "healthy":
        assert [finding["id"] for finding in causes] == []
        for expect in expected:
            assert first(report, expect.kind, expect.causes) is None
        return
    if len(expected) > 1:
        assert [finding for finding in causes if not any(is_meant(finding, expect) for expect in expected)] == []
    elif expected[0].kind != "cause":
        assert [finding["id"] for finding in causes if finding["id"] not in expected[0].beside] == []
    for expect in expected:
        holds(report, expect, len(expected) == 1)


def is_meant(finding: dict, expect: lab_faults.Expectation) -> bool:
    """Tell whether a finding is about what is expected."""
    return finding["kind"] == expect.kind and finding["id"] in expect.causes and (not expect.endpoint or finding["route"]["endpoint"] == expect.endpoint)


def holds(report: dict, expect: lab_faults.Expectation, alone: bool) -> None:
    """Hold a report against what is expected; where nothing else is wrong with the host, that must come first."""
    if alone:
        found = first(report, expect.kind, expect.causes if expect.kind == "advice" else ())
    else:
        found = next((finding for finding in report["findings"] if is_meant(finding, expect)), None)
    assert found is not None, (expect, report)
    assert found["id"] in expect.causes, found
    assert found["certainty"] in expect.certainties, found
    if expect.endpoint:
        assert found["route"]["endpoint"] == expect.endpoint, found
    if expect.file:
        assert (found["at"]["file"], found["at"]["line"]) == (expect.file, expect.line), found
    shown = "\n".join(f"{item['from']}: {item['shows']}" for item in found["evidence"])
    for words in expect.evidence:
        assert words in shown, found


@pytest.mark.parametrize("case", params([case for case in REMEDIABLE if case.state == "fault"]))
def test_remedy(case: Case, lab: Lab) -> None:
    """A remediation puts the host right by what it may change, changes nothing when it is run again, and can be undone to the last byte."""
    found, remedy = remedied(case, lab), case.fault.remedy
    if remedy.diff:
        assert found.checked == [], "--check changed something"
        assert [words for words in remedy.diff if words not in found.diff] == [], found.diff
    assert found.changed[0] > 0, found.output
    assert found.wrong[0] == [], found.output
    assert lab_remedies.unexpected(found.touched, remedy.changed) == [], found.output
    assert (found.changed[1], found.again) == (0, []), found.output
    assert found.wrong[1] == [], found.output
    assert found.left == [], found.output


@pytest.mark.parametrize("case", params([case for case in REMEDIABLE if case.state == "healthy"]))
def test_a_healthy_host_is_not_touched(case: Case, lab: Lab) -> None:
    """Whatever is allowed, there is nothing to do on the look-alike."""
    found = remedied(case, lab)
    assert (found.changed, found.touched) == ([0], []), found.output
