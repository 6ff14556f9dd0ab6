# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of the project's tests, each with a headline and its time.

    stages.py check         what a change has to pass in two minutes
    stages.py test          everything but what CI alone runs after it: more faults of the same causes, and the virtual machines
    stages.py NAME...       only these stages

Stages of one lane run one after the other, and the lanes beside each other: the lab mostly waits for its hosts, and leaves a processor to the
rest. The virtual machines keep both busy, and so run apart. The first stage that fails ends the run, and what to do about
it is printed. A stage whose Python interpreter is not on the machine is not run, and said so; with CI=true in the environment it fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv" / "bin"
PYTEST = (str(VENV / "python"), "-m", "pytest", "-q")


@dataclass(frozen=True)
class Stage:
    """One step: what runs, how long it may take (seconds), and which Python it cannot do without."""

    name: str
    title: str
    command: tuple[str, ...]
    limit: int
    python: str = ""
    advice: str = ""
    lane: str = "code"


# What differs between series of ansible-core in the middle: how documentation and specifications are checked. The Pythons of managed hosts are
# those of the oldest and the newest series, which also tell what modules may import; the rest (style, file modes and the like) gives one
# answer for one file, so that these two are enough for it, and for pylint the newest alone.
ACROSS = ("--python=default", "--test=ansible-doc", "--test=validate-modules")
# What of a host's text Ansible itself handles, and how; how a run is started and ends is the same in all series.
HOSTILE = ("tests/integration/hostile/test_hostile_hosts.py", "tests/integration/hostile/test_bad_input.py")
# pylint alone takes longer than all the others, and each Python more its share of the imports.
QUICK = ("--python=default", "--skip-test=pylint")
ADVICE_LAB = "`make lab-logs` shows the engine's log; `make demo-down` removes what is left of the lab."

STAGES = (
    Stage("lint", "Lint: shellcheck, yamllint, ansible-lint (production)", ("scripts/lint",), 300),
    Stage("sanity-quick", "Sanity: ansible-test of ansible-core 2.19, one Python, without pylint", ("scripts/sanity", "2.19", *QUICK), 900, lane="quick"),
    Stage("sanity", "Sanity: ansible-test of ansible-core 2.19", ("scripts/sanity", "2.19"), 1500),
    Stage("unit-quick", "Unit tests, without the exhaustive ones", PYTEST + ("tests/unit", "-m", "not exhaustive"), 600),
    Stage("unit", "Unit tests", PYTEST + ("tests/unit",), 900),
    Stage("docs", "Documentation: antsibull-docs", ("scripts/lint-docs",), 300),
    Stage("changelog", "Changelog fragments: antsibull-changelog", (str(VENV / "antsibull-changelog"), "lint"), 60),
    Stage("targets-3.6", "Managed hosts: unit tests on Python 3.6", ("scripts/unit-target", "3.6", "2.16"), 600, "3.6"),
    Stage("targets-3.13", "Managed hosts: unit tests on Python 3.13", ("scripts/unit-target", "3.13", "2.19"), 600, "3.13"),
    Stage("sanity-2.17", "Sanity: ansible-test of ansible-core 2.17, what differs", ("scripts/sanity", "2.17", *ACROSS), 900),
    Stage("sanity-2.18", "Sanity: ansible-test of ansible-core 2.18, what differs", ("scripts/sanity", "2.18", *ACROSS), 900),
    Stage("integration", "Held against a real nginx", ("scripts/integration", "2.19", "--ignore=tests/integration/hostile"), 900),
    Stage("hostile-2.16", "Hostile input with ansible-core 2.16", ("scripts/integration", "2.16", "tests/integration/hostile"), 1500),
    Stage("hostile-2.17", "Hostile input with ansible-core 2.17, what differs", ("scripts/integration", "2.17", *HOSTILE), 900),
    Stage("hostile-2.18", "Hostile input with ansible-core 2.18, what differs", ("scripts/integration", "2.18", *HOSTILE), 900),
    Stage("hostile-2.19", "Hostile input with ansible-core 2.19", ("scripts/integration", "2.19", "tests/integration/hostile"), 1500),
    Stage("lab-variants", "Lab: more faults of the same causes", ("scripts/lab-tests", "-m", "variant"), 2400, advice=ADVICE_LAB, lane="lab"),
    Stage("lab-selinux", "Lab: what SELinux refuses, on virtual machines", ("scripts/lab-tests", "-m", "selinux"), 2400, advice=ADVICE_LAB, lane="lab"),
    Stage("lab", "Lab: every cause on a real host", ("scripts/lab-tests", "-m", "not (engine or selinux or variant)"), 3000, advice=ADVICE_LAB, lane="lab"),
    Stage("lab-engine", "Lab: containers on a real engine", ("scripts/lab-tests", "-m", "engine"), 1300, advice=ADVICE_LAB, lane="lab"),
    Stage("installed", "The built collection, installed, diagnoses a real host", ("scripts/installed",), 600, advice=ADVICE_LAB, lane="lab"),
    Stage("molecule", "Molecule scenarios", ("scripts/molecule",), 900, advice=ADVICE_LAB, lane="lab"),
    # In the lane that ends sooner.
    Stage("sanity-2.16", "Sanity: ansible-test of ansible-core 2.16, without pylint", ("scripts/sanity", "2.16", "--skip-test=pylint"), 1500, lane="lab"),
)
CHECK = ("lint", "sanity-quick", "unit-quick")
# Part of another stage of a whole run, or too much beside it.
APART = ("sanity-quick", "unit-quick", "lab-variants", "lab-selinux")


def environment() -> dict[str, str]:
    """Return the environment of every stage."""
    values = dict(os.environ)
    values["PATH"] = f"{VENV}:{values['PATH']}"
    values["PYTHONDONTWRITEBYTECODE"] = "1"
    values["NO_COLOR"] = values["ANSIBLE_NOCOLOR"] = "1"
    return values


def has_python(version: str) -> bool:
    """Tell whether the scripts find an interpreter of that version."""
    probe = ["bash", "-c", '. scripts/lib.sh; find_python "$1"', "bash", version]
    return subprocess.run(probe, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode == 0


class Run:
    """A run of stages: what passed, what was left out, what failed; and the processes to end when something fails."""

    def __init__(self, stages: list[Stage]) -> None:
        self.lanes = [[stage for stage in stages if stage.lane == lane] for lane in dict.fromkeys(stage.lane for stage in stages)]
        self.passed: list[str] = []
        self.left_out: list[str] = []
        self.failed: Stage | None = None
        self._processes: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def go(self) -> None:
        """Run the lanes, in threads when there are several."""
        if len(self.lanes) == 1:
            self._lane(self.lanes[0], "")
            return
        threads = [threading.Thread(target=self._lane, args=(lane, f"{lane[0].lane:<5} | ")) for lane in self.lanes]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self._fail(next(stage for lane in self.lanes for stage in lane))
            raise

    def _lane(self, stages: list[Stage], prefix: str) -> None:
        for stage in stages:
            with self._lock:
                if self.failed:
                    return
            self._say(prefix, f"\n== {stage.title} [{stage.name}]")
            if stage.python and not has_python(stage.python):
                self._say(prefix, f"-- {stage.name}: NOT RUN, there is no Python {stage.python} here (with pyenv: pyenv install {stage.python})")
                self.left_out.append(stage.name)
                if os.environ.get("CI") == "true":
                    self._fail(stage)
                continue
            started = time.monotonic()
            passed = self._stage(stage, prefix)
            seconds = time.monotonic() - started
            with self._lock:
                ended = not passed and self.failed
            self._say(prefix, f"-- {stage.name}: {'passed' if passed else 'ended' if ended else 'FAILED'} in {seconds:.0f} s")
            if passed:
                self.passed.append(f"{stage.name} {seconds:.0f} s")
            else:
                self._fail(stage)

    def _stage(self, stage: Stage, prefix: str) -> bool:
        """Run a stage within its time; kill all that it started when the time is over."""
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if prefix else {}
        process = subprocess.Popen(stage.command, cwd=CHECKOUT, env=environment(), stdin=subprocess.DEVNULL, start_new_session=True, **output)
        with self._lock:
            self._processes.add(process)
        late = threading.Timer(stage.limit, self._late, (stage, process, prefix))
        late.start()
        try:
            for line in process.stdout or ():
                self._say(prefix, line.decode("utf-8", "backslashreplace").rstrip("\n"))
            return process.wait() == 0
        finally:
            late.cancel()
            kill(process)
            with self._lock:
                self._processes.discard(process)

    def _late(self, stage: Stage, process: subprocess.Popen, prefix: str) -> None:
        self._say(prefix, f"-- {stage.name}: not done after {stage.limit} s, ended")
        kill(process)

    def _fail(self, stage: Stage) -> None:
        """Note the first stage that fails, and end those of the other lanes."""
        with self._lock:
            if self.failed:
                return
            self.failed = stage
            others = list(self._processes)
        for process in others:
            kill(process)

    def _say(self, prefix: str, text: str) -> None:
        with self._lock:
            print("\n".join(f"{prefix}{line}" if line else "" for line in text.split("\n")), flush=True)


def kill(process: subprocess.Popen) -> None:
    """End a process and all that it started, if it runs."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def selected(names: list[str]) -> list[Stage]:
    """Return the stages that the arguments name, in the order of STAGES."""
    if names == ["test"]:
        return [stage for stage in STAGES if stage.name not in APART]
    wanted = CHECK if names == ["check"] else names
    unknown = sorted(set(wanted) - {stage.name for stage in STAGES})
    if unknown or not wanted:
        known = ", ".join(stage.name for stage in STAGES)
        sys.exit(f"stages.py: no stage {', '.join(unknown)}; there are: check, test, {known}")
    return [stage for stage in STAGES if stage.name in wanted]


def main() -> int:
    """Run the stages and print the closing line."""
    stages = selected(sys.argv[1:])
    run = Run(stages)
    run.go()
    print("\n== Stages passed: " + (", ".join(run.passed) or "none"))
    if run.left_out:
        print(f"== Stages not run: {', '.join(run.left_out)}")
    failed = run.failed
    if failed:
        advice = f" {failed.advice}" if failed.advice else ""
        print(f"== {failed.name} failed. Once it is put right: make stage S={failed.name}.{advice}")
        done = {line.split()[0] for line in run.passed} | {failed.name}
        print(f"== Stages not reached: {', '.join(stage.name for stage in stages if stage.name not in done) or 'none'}")
    print(f"{len(run.passed)} passed, {1 if failed else 0} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
