# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs into a compose file, as a patch for a person: nothing here writes one.

A compose file belongs to whoever wrote it. A patch changes the lines that have to change, and keeps every other byte: PyYAML, which is ansible-core's own,
says where things stand, never how a file is written. What a patch makes of a file is read again, and is given only where it means what was wanted and
nothing else. Files whose meaning does not stand in one place - anchors, merges, "extends", tags, flow style over several lines - get the lines in words.

This module is private to the collection.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import yaml

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK

_CONTEXT = 3
# PyYAML's time grows with the square of how deep lists in flow style are in one another, and no compose file of a person has so many.
_MANY = (("[", 500), ("{", 1000), ("- -", 500), (",", 4000))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_LOOPBACK = re.compile(r"(?<![\w.:-])(?:127\.0\.0\.1|localhost)(?![\w.-])")
_ITEM = re.compile(r" *- +(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\r?\Z")
_MEANS_ELSEWHERE = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)
HEALTHY, STARTED = "service_healthy", "service_started"


@dataclass(frozen=True)
class Wanted:
    """What a service of a compose file is to have.

    ports     mappings as "127.0.0.1:8080:3000"; one to a port of the container that is mapped otherwise takes the place of that
              where moves names the port
    expose    ports of the container
    networks  names of networks of the engine; what another project than that of the file made is declared as such
    project   name of the project of the file
    healthy   services that it waits for until they are healthy
    bind      its command names an address to listen on, which is to be every one
    """

    service: str
    ports: tuple[str, ...] = ()
    expose: tuple[int, ...] = ()
    networks: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    bind: bool = False
    moves: int | None = None
    project: str = ""


@dataclass(frozen=True)
class Patch:
    """diff: a unified diff, or "" where only words can be given; words: the lines that the file is to have; why: why there is no diff, or ""."""

    diff: str
    words: str
    why: str = ""


class _Inexact(Exception):
    """Why a file cannot be edited exactly, in words."""


def patch(file: dict, wanted: Wanted) -> Patch:
    """Return the Patch of a compose file as it was collected: {"path", "status", "why", "text", "sha256", "managed"}."""
    words = _words(wanted)
    try:
        if file.get("status") != "ok":
            raise _Inexact(f"the file could not be read: {file.get('why') or file.get('status')}")
        if file.get("managed"):
            raise _Inexact(f"the file says that it is written by {file['managed']}")
        return Patch(_diff(file, _made(file["text"], wanted)), words)
    except _Inexact as why:
        return Patch("", words, str(why))
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, KeyError, AttributeError):
        return Patch("", words, "the file cannot be read as a compose file")


def for_service(files: Iterable[dict], paths: Iterable[str], wanted: Wanted) -> Patch:
    """Return the Patch of the file of a project that has the service; paths are those of the project, in the order in which compose reads them."""
    known = {file["path"]: file for file in files}
    made = [patch(known[path], wanted) for path in paths if path in known]
    return next((one for one in made if one.diff), made[0] if made else Patch("", _words(wanted), "the file was not collected"))


def _diff(file: dict, after: str) -> str:
    before = file["text"]
    if after == before:
        raise _Inexact("the file has it already: the containers are not of this file, or not of its newest state")
    # Lines around a change are those of the file only where nothing was taken out of it.
    whole = hashlib.sha256(before.encode("utf-8")).hexdigest() == file.get("sha256")
    path = file["path"]
    lines = list(difflib.unified_diff(before.split("\n"), after.split("\n"), path, path, n=_CONTEXT if whole else 0, lineterm=""))
    if not whole and any("#" in line or MARK in line for line in lines[2:] if line.startswith("-")):
        raise _Inexact("a line that would change has a comment, or a word that may be a secret")
    return "\n".join(lines)


def _made(text: str, wanted: Wanted) -> str:
    """Return the text with all that is wanted, each edit proved."""
    if "{{" in text or "{%" in text:
        raise _Inexact("the file is a template")
    if any(text.count(mark) > many for mark, many in _MANY):
        raise _Inexact("the file is not written as a person does")
    if any(isinstance(token, _MEANS_ELSEWHERE) for token in yaml.scan(text, yaml.SafeLoader)):
        raise _Inexact("the file uses anchors or tags of YAML")
    for edit in _edits(wanted, _load(text)):
        made, expected = edit.text(_File(text, wanted.service)), edit.meaning(_load(text))
        if _load(made) != expected:
            raise _Inexact("the file is written in a way that is not edited")
        text = made
    return text


def _load(text: str) -> dict:
    return yaml.load(text, yaml.SafeLoader)  # noqa: S506  # SafeLoader makes plain values alone


@dataclass(frozen=True)
class _Edit:
    """One edit: of the text, and of what the text means."""

    text: Callable[[_File], str]
    meaning: Callable[[dict], dict]


def _edits(wanted: Wanted, data: dict) -> Iterator[_Edit]:
    service, moved = wanted.service, wanted.moves
    for port in wanted.ports:
        yield _Edit(lambda file, port=port: file.publish(port, moved), lambda data, port=port: _published(data, service, port, moved))
    for number in wanted.expose:
        written = str(number)
        yield _Edit(lambda file, written=written: file.add("expose", written), lambda data, written=written: _added(data, service, "expose", written))
    for name in wanted.networks:
        if not _NAME.match(name):
            raise _Inexact("the name of the network is not a plain one")
        own = name.removeprefix(f"{wanted.project}_")
        if wanted.project and own != name and (own == "default" or own in (data.get("networks") or {})):
            # One that the file itself makes has the name of its project before its own.
            yield _Edit(lambda file, own=own: file.join(own), lambda data, own=own: _joined(data, service, own))
            continue
        yield _Edit(lambda file, name=name: file.join(name), lambda data, name=name: _joined(data, service, name))
        yield _Edit(lambda file, name=name: file.declare(name), lambda data, name=name: _declared(data, name))
    for other in wanted.healthy:
        yield _Edit(lambda file, other=other: file.wait(other), lambda data, other=other: _waiting(data, service, other))
    if wanted.bind:
        yield _Edit(lambda file: file.bind(), lambda data: _bound(data, service))


# What each edit means

def _service(data: dict, name: str) -> dict:
    return data["services"][name]


def _added(data: dict, service: str, key: str, value: str) -> dict:
    made = copy.deepcopy(data)
    own = _service(made, service)
    have = own.get(key)
    if value not in map(str, have or ()):
        own[key] = [*(have or ()), value]
    return made


def _published(data: dict, service: str, port: str, moved: int | None) -> dict:
    made = copy.deepcopy(data)
    own = _service(made, service)
    have = list(own.get("ports") or ())
    places = [at for at, item in enumerate(have) if _container_port(item) == moved] if moved else []
    if places:
        have[places[0]] = port
    elif port not in have:
        have.append(port)
    own["ports"] = have
    return made


def _container_port(item: object) -> int | None:
    """Return the port of the container in a mapping in its short form."""
    last = str(item).rpartition(":")[2].partition("/")[0]
    return int(last) if last.isdecimal() else None


def _joined(data: dict, service: str, name: str) -> dict:
    made = copy.deepcopy(data)
    own = _service(made, service)
    have = own.get("networks")
    if isinstance(have, dict):
        own["networks"] = have if name in have else {**have, name: None}
    elif name not in (have or ()):
        # One without networks is in the default one, and stays there.
        own["networks"] = [*(have or ["default"]), name]
    return made


def _declared(data: dict, name: str) -> dict:
    known = data.get("networks") or {}
    return {**data, "networks": known if name in known else {**known, name: {"external": True}}}


def _waiting(data: dict, service: str, other: str) -> dict:
    made = copy.deepcopy(data)
    own = _service(made, service)
    have = own.get("depends_on") or {}
    conditions = {name: {"condition": STARTED} for name in have} if isinstance(have, list) else have
    own["depends_on"] = {**conditions, other: {**conditions.get(other, {}), "condition": HEALTHY}}
    return made


def _bound(data: dict, service: str) -> dict:
    made = copy.deepcopy(data)
    own = _service(made, service)
    have = own["command"]
    own["command"] = [_LOOPBACK.sub("0.0.0.0", word) for word in have] if isinstance(have, list) else _LOOPBACK.sub("0.0.0.0", have)
    return made


# How each is written

class _File:
    """The lines of a compose file, and where a service of it stands. Every edit returns the text of all of it."""

    def __init__(self, text: str, service: str):
        self.lines = text.split("\n")
        self.end = "\r" if self.lines[0].endswith("\r") else ""
        loader = yaml.SafeLoader(text)
        try:
            self.root = loader.get_single_node()
        finally:
            loader.dispose()
        self.services = self.entry(self.root, "services")
        if self.services is None:
            raise _Inexact("the file has no services")
        found = self.entry(self.services[1], service)
        if found is None:
            raise _Inexact("the file does not have the service")
        self.service = found[1]
        for key in ("extends", "<<"):
            if self.entry(self.service, key):
                raise _Inexact(f"the service has its settings from elsewhere ({key})")

    @staticmethod
    def entry(mapping: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
        """Return the key and the value of an entry of a mapping in block style."""
        if not isinstance(mapping, yaml.MappingNode) or mapping.flow_style or not mapping.value:
            raise _Inexact("the file is written in flow style, or in no style of compose")
        found = [pair for pair in mapping.value if pair[0].value == key]
        if len(found) > 1:
            raise _Inexact(f"the file has {key} twice")
        return found[0] if found else None

    def text(self, at: int, taken: int, *new: str) -> str:
        """Return the text with lines in place of so many that begin at a line."""
        return "\n".join([*self.lines[:at], *(line + self.end for line in new), *self.lines[at + taken:]])

    def line(self, at: int) -> str:
        """Return a line that is to change, without its end."""
        return self.lines[at].rstrip("\r")

    def first(self, mapping: yaml.Node) -> tuple[int, str]:
        """Return the line of the first key of a mapping, and the indentation of its keys: where a key is added, nothing comes between one and its value."""
        mark = mapping.value[0][0].start_mark
        indent = " " * mark.column
        if self.line(mark.line)[:mark.column] != indent:
            raise _Inexact("the file is written in a way that is not edited")
        return mark.line, indent

    def add(self, key: str, value: str) -> str:
        """Add a word to a list of the service."""
        found = self.entry(self.service, key)
        if found is None:
            at, indent = self.first(self.service)
            return self.text(at, 0, f"{indent}{key}:", f"{indent}  - {_written(value)}")
        node = found[1]
        if isinstance(node, yaml.ScalarNode) and not node.value:
            indent = " " * found[0].start_mark.column
            return self.text(found[0].start_mark.line + 1, 0, f"{indent}  - {_written(value)}")
        items = self.items(node)
        if value in (item.value for item in items):
            return "\n".join(self.lines)
        if node.flow_style:
            return self.within(node.end_mark.line, node.end_mark.column - 1, 0, f"{', ' if items else ''}{_written(value)}")
        return self.text(items[-1].end_mark.line + 1, 0, f"{' ' * node.start_mark.column}- {_written(value)}")

    def items(self, node: yaml.Node) -> list[yaml.ScalarNode]:
        """Return the items of a list of words, each of which stands in one line, and all in one in flow style."""
        if not isinstance(node, yaml.SequenceNode) or not all(
            isinstance(item, yaml.ScalarNode) and item.start_mark.line == item.end_mark.line and item.style in (None, '"', "'") for item in node.value
        ):
            raise _Inexact("the file has items of several lines, or in their long form")
        if node.flow_style and node.start_mark.line != node.end_mark.line:
            raise _Inexact("the file has a list in flow style of several lines")
        if not node.flow_style and any(self.line(item.start_mark.line)[:item.start_mark.column].strip() != "-" for item in node.value):
            raise _Inexact("the file is written in a way that is not edited")
        return node.value

    def within(self, at: int, column: int, taken: int, new: str) -> str:
        """Return the text with other letters in a line."""
        line = self.line(at)
        return self.text(at, 1, f"{line[:column]}{new}{line[column + taken:]}")

    def publish(self, port: str, moved: int | None) -> str:
        """Publish a port, in place of another mapping of a port of the container."""
        found = self.entry(self.service, "ports") if moved else None
        for item in self.items(found[1]) if found and isinstance(found[1], yaml.SequenceNode) else ():
            if _container_port(item.value) == moved:
                start, end = item.start_mark, item.end_mark
                return self.within(start.line, start.column, end.column - start.column, json.dumps(port))
        return self.add("ports", port)

    def join(self, name: str) -> str:
        """Connect the service to a network."""
        if self.entry(self.service, "network_mode"):
            raise _Inexact("the service has a network_mode")
        found = self.entry(self.service, "networks")
        if found is None:
            at, indent = self.first(self.service)
            return self.text(at, 0, f"{indent}networks:", f"{indent}  - default", f"{indent}  - {name}")
        if isinstance(found[1], yaml.MappingNode):
            if self.entry(found[1], name):
                return "\n".join(self.lines)
            at, indent = self.first(found[1])
            return self.text(at, 0, f"{indent}{name}:")
        if not isinstance(found[1], yaml.SequenceNode):
            raise _Inexact("the networks of the service are written in a way that is not edited")
        return self.add("networks", name)

    def declare(self, name: str) -> str:
        """Let the file know a network that another project made."""
        found = self.entry(self.root, "networks")
        if found is None:
            at = self.services[0].start_mark.line
            return self.text(at, 0, "networks:", f"  {name}:", "    external: true", "")
        if isinstance(found[1], yaml.ScalarNode) and not found[1].value:
            return self.text(found[0].start_mark.line + 1, 0, f"  {name}:", "    external: true")
        if self.entry(found[1], name):
            return "\n".join(self.lines)
        at, indent = self.first(found[1])
        return self.text(at, 0, f"{indent}{name}:", f"{indent}  external: true")

    def wait(self, other: str) -> str:
        """Let the service wait until another one is healthy."""
        new = (f"{other}:", f"  condition: {HEALTHY}")
        found = self.entry(self.service, "depends_on")
        if found is None:
            at, indent = self.first(self.service)
            return self.text(at, 0, f"{indent}depends_on:", *(f"{indent}  {line}" for line in new))
        node, deeper = found[1], " " * (found[0].start_mark.column + 2)
        if isinstance(node, yaml.MappingNode):
            entry = self.entry(node, other)
            if entry is None:
                at, indent = self.first(node)
                return self.text(at, 0, *(indent + line for line in new))
            condition = self.entry(entry[1], "condition")
            if condition is None or condition[1].start_mark.line != condition[1].end_mark.line:
                raise _Inexact("the dependency is written in a way that is not edited")
            start, end = condition[1].start_mark, condition[1].end_mark
            return self.within(start.line, start.column, end.column - start.column, HEALTHY)
        names = [item.value for item in self.items(node)]
        if not all(map(_NAME.match, names)):
            raise _Inexact("the dependencies are written in a way that is not edited")
        # The long form has a condition for each.
        made = [f"{deeper}{line}" for name in names if name != other for line in (f"{name}:", f"  condition: {STARTED}")]
        made += [deeper + line for line in new]
        if node.flow_style:
            at = node.start_mark.line
            if self.line(at)[node.end_mark.column:].strip() or found[0].start_mark.line != at:
                raise _Inexact("the dependencies are written in a way that is not edited")
            return self.text(at, 1, self.line(at)[:node.start_mark.column].rstrip(), *made)
        at = node.start_mark.line
        if not all(_ITEM.match(line) for line in self.lines[at:at + len(names)]):
            raise _Inexact("the dependencies are written in a way that is not edited")
        return self.text(at, len(names), *made)

    def bind(self) -> str:
        """Let the command name every address in place of the loopback."""
        found = self.entry(self.service, "command")
        if found is None:
            raise _Inexact("the address that the program listens on is not in the command of its service")
        start, end = found[1].start_mark.line, found[1].end_mark.line
        places = [at for at in range(start, min(end + 1, len(self.lines))) if _LOOPBACK.search(self.line(at)) and "#" not in self.line(at)]
        if len(places) != 1 or len(_LOOPBACK.findall(self.line(places[0]))) != 1:
            raise _Inexact("the address that the program listens on is not in the command of its service, or more than once")
        return self.text(places[0], 1, _LOOPBACK.sub("0.0.0.0", self.line(places[0])))


def _written(value: str) -> str:
    """Return a word as a scalar: as it is where that is a word for YAML too."""
    return value if value[:1].isalpha() and _NAME.match(value) and _load(value) == value else json.dumps(value)


# The same in words

def _words(wanted: Wanted) -> str:
    """Return the lines that a file is to have, as if it had no others."""
    inner = [*_list("ports", wanted.ports), *_list("expose", map(str, wanted.expose)), *_list("networks", wanted.networks)]
    if wanted.healthy:
        inner += ["depends_on:", *(line for name in wanted.healthy for line in (f"  {name}:", f"    condition: {HEALTHY}"))]
    if wanted.bind:
        inner.append("command: # with 0.0.0.0 in place of the loopback address")
    lines = ["services:", f"  {wanted.service}:", *(f"    {line}" for line in inner)]
    if wanted.networks:
        lines += ["networks:", *(line for name in wanted.networks for line in (f"  {name}:", "    external: true"))]
    return "\n".join(lines)


def _list(key: str, values: Iterable[str]) -> list[str]:
    found = list(values)
    return [f"{key}:", *(f"  - {json.dumps(value)}" for value in found)] if found else []
