# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults as data: reads faults/<cause>/<id>.yml. README.md describes the keys."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml
from lab_base import HERE, LabError

FOLDER = HERE / "faults"
PARTS = HERE / "parts"
STATES = ("fault", "healthy")
KINDS = ("cause", "risk", "advice")
# A container; one with a Docker engine and containers of its own; a virtual machine whose kernel enforces SELinux.
ENGINE = "engine"
SELINUX = "selinux"
MACHINES = ("container", ENGINE, SELINUX)


@dataclass(frozen=True)
class File:
    """A file on the host. `owner` is "user:group" there, `mode` the permission bits."""

    path: str
    content: bytes
    mode: int
    owner: str


@dataclass(frozen=True)
class Steps:
    """Files to write, then a script for `sh -eu`, in this order."""

    files: tuple[File, ...]
    commands: str


@dataclass(frozen=True)
class Request:
    """A request through nginx and the status that the client must get, or one of `also`; 0 is no answer at all.

    It is sent `times` times, `parallel` of them at once, `pause` seconds apart; `some`: one answer with the status is enough.
    """

    host: str
    path: str
    status: int
    method: str = "GET"
    body: int = 0
    times: int = 1
    parallel: int = 1
    pause: float = 0.0
    some: bool = False
    also: tuple[int, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """One of the two ways that a host can be brought into, and what its clients get there."""

    description: str
    steps: Steps
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Expectation:
    """What a diagnosis must say first of its `kind`: one of `causes`, with one of `certainties`, about `endpoint`, at `file`:`line`.

    "" and 0 stand for anything. `evidence` are words that its evidence must hold.

    Advice need not come first: there is always something to advise. `beside` are causes from which it follows.
    """

    kind: str
    causes: tuple[str, ...]
    certainties: tuple[str, ...]
    endpoint: str
    file: str
    line: int
    evidence: tuple[str, ...]
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Remedy:
    """How a remediation puts a fault right.

    apply     what is allowed of it: "safe" or "risky"; allow: ids that are allowed besides
    settings  further variables of the host, by their names
    requests  what the client must get afterwards
    undone    and once it is undone
    changed   patterns of paths that may be others then (as of fnmatch); nothing else may
    diff      words that `--check --diff` must show, where it is run too; () where it is not
    """

    apply: str
    allow: tuple[str, ...]
    settings: dict[str, Any]
    requests: tuple[Request, ...]
    undone: tuple[Request, ...]
    changed: tuple[str, ...]
    diff: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """One way to break a host, and its healthy look-alike.

    `machine`: what kind of host it needs. `expect`: one for each thing that is wrong with it, all of which must be found and nothing else; a single one
    must come first. `traffic`: visitors of the host's own go on while it is diagnosed.
    `remedy` is None where no remediation puts it right.
    """

    id: str
    machine: str
    description: str
    setup: Steps
    states: dict[str, State]
    expect: tuple[Expectation, ...]
    traffic: bool
    remedy: Remedy | None


def check_keys(where: str, given: Any, known: set[str], needed: set[str]) -> dict[str, Any]:
    """Return the mapping, or raise LabError when it is none, lacks a key, or has one that nothing reads."""
    if not isinstance(given, dict):
        raise LabError(f"{where} is not a mapping")
    wrong = sorted(set(given) - known) + sorted(f"{key} (missing)" for key in needed - set(given))
    if wrong:
        raise LabError(f"{where} has the wrong keys: {', '.join(wrong)}")
    return given


def read_file(where: str, given: Any) -> File:
    """Read one entry of `files`."""
    data = check_keys(where, given, {"path", "content", "from", "mode", "owner"}, {"path"})
    if ("content" in data) == ("from" in data):
        raise LabError(f"{where}: {data['path']} needs either content or from")
    content = data["content"].encode() if "content" in data else (PARTS / data["from"]).read_bytes()
    return File(data["path"], content, int(str(data.get("mode", "0644")), 8), data.get("owner", "root:root"))


def read_steps(where: str, data: dict[str, Any]) -> Steps:
    """Read `files` and `commands`."""
    return Steps(tuple(read_file(where, each) for each in data.get("files", ())), str(data.get("commands", "")))


def read_state(where: str, given: Any) -> State:
    """Read `fault` or `healthy`."""
    data = check_keys(where, given, {"description", "files", "commands", "requests"}, {"description", "requests"})
    return State(data["description"], read_steps(where, data), read_requests(where, data["requests"]))


def read_requests(where: str, given: Any) -> tuple[Request, ...]:
    """Read `requests`."""
    known = {each.name for each in fields(Request)}
    return tuple(Request(**{"path": "/", **check_keys(f"{where}: request", each, known, {"host", "status"})}) for each in given)


def read_remedy(where: str, given: Any, broken: State) -> Remedy:
    """Read `remedy`; its requests are by default those of the fault, answered with 200, and as they are once it is undone."""
    data = check_keys(where, given, {"apply", "allow", "settings", "requests", "undone", "changed", "diff"}, set())
    if data.get("apply", "safe") not in ("safe", "risky"):
        raise LabError(f"{where}: apply is {data['apply']!r}; it is safe or risky")
    asked = read_requests(where, data["requests"]) if "requests" in data else tuple(replace(each, status=200, also=()) for each in broken.requests)
    undone = read_requests(where, data["undone"]) if "undone" in data else broken.requests
    lists = {key: tuple(data.get(key, ())) for key in ("allow", "changed", "diff")}
    return Remedy(data.get("apply", "safe"), settings=dict(data.get("settings", {})), requests=asked, undone=undone, **lists)


def find_line(where: str, files: tuple[File, ...], path: str, text: str) -> int:
    """Return the number of the only line with `text` in the file as it stands after the last write."""
    content = [each.content for each in files if each.path == path]
    lines = [number for number, line in enumerate(content[-1].decode().splitlines(), 1) if text in line] if content else []
    if len(lines) != 1:
        raise LabError(f"{where}: {path} has {len(lines)} lines with {text!r}")
    return lines[0]


def read_expectation(where: str, given: Any, files: tuple[File, ...]) -> Expectation:
    """Read `expect`, or one of its entries; `files` are those of the broken host."""
    data = check_keys(where, given, {"cause", "kind", "certainty", "endpoint", "file", "text", "evidence", "beside"}, {"cause"})
    kind, file = data.get("kind", "cause"), data.get("file", "")
    if kind not in KINDS:
        raise LabError(f"{where}: there is no kind {kind}")
    causes, certainties = (tuple(each) if isinstance(each, list) else (each,) for each in (data["cause"], data.get("certainty", "proven")))
    line = find_line(where, files, file, data["text"]) if file else 0
    return Expectation(kind, causes, certainties, data.get("endpoint", ""), file, line, tuple(data.get("evidence", ())), tuple(data.get("beside", ())))


def read(path: Path) -> Fault:
    """Read one fault. Raises LabError that names the file and what is wrong in it."""
    name = f"{path.parent.name}/{path.stem}"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as problem:
        raise LabError(f"{name} cannot be read: {problem}") from problem
    needed = {"description", "expect", *STATES}
    data = check_keys(name, data, needed | {"machine", "setup", "traffic", "remedy"}, needed)
    machine = data.get("machine", MACHINES[0])
    if machine not in MACHINES:
        raise LabError(f"{name}: there is no machine {machine}; there are {', '.join(MACHINES)}")
    setup = read_steps(name, check_keys(f"{name}: setup", data.get("setup", {}), {"files", "commands"}, set()))
    states = {state: read_state(f"{name}: {state}", data[state]) for state in STATES}
    given = data["expect"] if isinstance(data["expect"], list) else [data["expect"]]
    expect = tuple(read_expectation(f"{name}: expect", each, setup.files + states["fault"].steps.files) for each in given)
    remedy = read_remedy(f"{name}: remedy", data["remedy"], states["fault"]) if "remedy" in data else None
    return Fault(name, machine, data["description"], setup, states, expect, bool(data.get("traffic")), remedy)


def load() -> dict[str, Fault]:
    """Return every fault by its id, "<cause>/<file name>", in order."""
    faults = [read(path) for path in sorted(FOLDER.glob("*/*.yml"))]
    return {fault.id: fault for fault in faults}
