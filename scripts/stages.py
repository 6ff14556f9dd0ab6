# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of the project's tests one after the other, each with a headline and its time.

    stages.py check         what a change has to pass in two minutes
    stages.py test          everything
    stages.py NAME...       only these stages

The first stage that fails ends the run, and what to do about it is printed. A stage whose Python interpreter is not on the
machine is not run, and said so; with CI=true in the environment it fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


# What differs between series of ansible-core: what modules may import, how documentation and specifications are checked. The rest
# (style, file modes and the like) gives one answer for one file, so that the newest and the oldest series are enough for it.
ACROSS = ("--test=action-plugin-docs", "--test=ansible-doc", "--test=compile", "--test=import", "--test=validate-modules")
# pylint alone takes longer than all the others, and each Python more its share of the imports.
QUICK = ("--python=default", "--skip-test=pylint")
ADVICE_LAB = "`make lab-logs` shows the engine's log; `make demo-down` removes what is left of the lab."

STAGES = (
    Stage("lint", "Lint: shellcheck, yamllint, ansible-lint (production)", ("scripts/lint",), 300),
    Stage("sanity-quick", "Sanity: ansible-test of ansible-core 2.19, one Python, without pylint", ("scripts/sanity", "2.19", *QUICK), 600),
    Stage("sanity", "Sanity: ansible-test of ansible-core 2.19", ("scripts/sanity", "2.19"), 600),
    Stage("unit", "Unit tests", PYTEST + ("tests/unit",), 600),
    Stage("docs", "Documentation: antsibull-docs", ("scripts/lint-docs",), 300),
    Stage("changelog", "Changelog fragments: antsibull-changelog", (str(VENV / "antsibull-changelog"), "lint"), 60),
    Stage("targets-3.6", "Managed hosts: unit tests on Python 3.6", ("scripts/unit-target", "3.6", "2.16"), 600, "3.6"),
    Stage("targets-3.13", "Managed hosts: unit tests on Python 3.13", ("scripts/unit-target", "3.13", "2.19"), 600, "3.13"),
    Stage("sanity-2.16", "Sanity: ansible-test of ansible-core 2.16", ("scripts/sanity", "2.16"), 900),
    Stage("sanity-2.17", "Sanity: ansible-test of ansible-core 2.17, what differs", ("scripts/sanity", "2.17", *ACROSS), 600),
    Stage("sanity-2.18", "Sanity: ansible-test of ansible-core 2.18, what differs", ("scripts/sanity", "2.18", *ACROSS), 600),
    Stage("integration", "Held against a real nginx", ("scripts/integration", "2.19", "--ignore=tests/integration/hostile"), 900),
    Stage("hostile-2.16", "Hostile input with ansible-core 2.16", ("scripts/integration", "2.16", "tests/integration/hostile"), 600),
    Stage("hostile-2.17", "Hostile input with ansible-core 2.17", ("scripts/integration", "2.17", "tests/integration/hostile"), 600),
    Stage("hostile-2.18", "Hostile input with ansible-core 2.18", ("scripts/integration", "2.18", "tests/integration/hostile"), 600),
    Stage("hostile-2.19", "Hostile input with ansible-core 2.19", ("scripts/integration", "2.19", "tests/integration/hostile"), 600),
    Stage("lab", "Lab: every fault on a real host", ("scripts/lab-tests",), 1500, advice=ADVICE_LAB),
    Stage("installed", "The built collection, installed, diagnoses a real host", ("scripts/installed",), 600, advice=ADVICE_LAB),
    Stage("molecule", "Molecule scenarios", ("scripts/molecule",), 900, advice=ADVICE_LAB),
)
CHECK = ("lint", "sanity-quick", "unit")
# Part of another stage of a whole run.
CHECK_ONLY = ("sanity-quick",)


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


def run(stage: Stage) -> bool:
    """Run a stage within its time; kill all that it started when the time is over."""
    process = subprocess.Popen(stage.command, cwd=CHECKOUT, env=environment(), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(stage.limit) == 0
    except subprocess.TimeoutExpired:
        print(f"-- {stage.name}: not done after {stage.limit} s, ended", flush=True)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def selected(names: list[str]) -> list[Stage]:
    """Return the stages that the arguments name, in the order of STAGES."""
    if names == ["test"]:
        return [stage for stage in STAGES if stage.name not in CHECK_ONLY]
    wanted = CHECK if names == ["check"] else names
    unknown = sorted(set(wanted) - {stage.name for stage in STAGES})
    if unknown or not wanted:
        known = ", ".join(stage.name for stage in STAGES)
        sys.exit(f"stages.py: no stage {', '.join(unknown)}; there are: check, test, {known}")
    return [stage for stage in STAGES if stage.name in wanted]


def main() -> int:
    """Run the stages and print the closing line."""
    stages = selected(sys.argv[1:])
    times: list[str] = []
    left_out: list[str] = []
    failed: Stage | None = None
    for stage in stages:
        print(f"\n== {stage.title} [{stage.name}]", flush=True)
        if stage.python and not has_python(stage.python):
            print(f"-- {stage.name}: NOT RUN, there is no Python {stage.python} here (with pyenv: pyenv install {stage.python})", flush=True)
            left_out.append(stage.name)
            if os.environ.get("CI") != "true":
                continue
            failed = stage
            break
        started = time.monotonic()
        passed = run(stage)
        seconds = time.monotonic() - started
        print(f"-- {stage.name}: {'passed' if passed else 'FAILED'} in {seconds:.0f} s", flush=True)
        if not passed:
            failed = stage
            break
        times.append(f"{stage.name} {seconds:.0f} s")
    print("\n== Stages passed: " + (", ".join(times) or "none"))
    if left_out:
        print(f"== Stages not run: {', '.join(left_out)}")
    if failed:
        advice = f" {failed.advice}" if failed.advice else ""
        print(f"== {failed.name} failed. Once it is put right: make stage S={failed.name}.{advice}")
        print(f"== Stages not reached: {', '.join(stage.name for stage in stages[stages.index(failed) + 1:]) or 'none'}")
    print(f"{len(times)} passed, {1 if failed else 0} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
