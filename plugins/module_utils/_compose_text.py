# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a compose file may leave its host: the lines that say how services are reached, and nothing else.

The file is read line by line, as far as indentation tells what belongs to what: no YAML parser is at hand here, and none is needed to leave things
out. A line that is not surely one of those below KEPT is emptied, so that environment variables, labels, build arguments, and whatever cannot be
told, stay where they are. Comments are emptied too. Every line keeps its number.

This module is private to the collection.
"""

import re

MAX_LINES = 4000

# By level: keys of the file, and those of a service. What stands below one of the second, or below "networks" of the file, is kept with it.
_OF_FILE = frozenset(("version", "name", "services", "networks", "include"))
_OF_SERVICE = frozenset((
    "image", "container_name", "hostname", "ports", "expose", "networks", "network_mode", "depends_on", "restart", "volumes", "extends", "<<",
))
# The head of what is left out: that it is there matters to who adds a key.
_HEADS = frozenset(("environment", "healthcheck", "build", "deploy", "labels", "entrypoint", "env_file", "profiles", "links"))
_KEY = re.compile(r"""(?P<indent> *)(?P<quote>["']?)(?P<key>[A-Za-z0-9_.<-]+)(?P=quote):(?P<rest>[ \t].*|)\Z""")
# Behind the name of a service: an anchor at most.
_NOTHING = re.compile(r" *(?:&[\w-]+)? *#?\Z")
_SPACES = re.compile(r" *")
# Of a command, whose words may be secrets, what says where a program listens: the line, or the items of a list.
_COMMAND = "command"
_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost|::1)")
_WORD = re.compile(r"""[^\s,"'\[\]]+""")
_PLAIN = re.compile(r""" (?:[^\s\[{|>&*!'"%@`][^#]*|\[[^\]]*\]|"[^"\\]*"|'[^']*')\Z""")


def shown(text, redactor):
    """Return the text of a compose file without what is not to leave the host; it may be no compose file at all."""
    return "\n".join(_lines(text.split("\n")[:MAX_LINES], redactor))


def _lines(lines, redactor):
    """Yield each line, or what is left of it."""
    section, service, below = "", None, None
    for raw in lines:
        end = "\r" if raw.endswith("\r") else ""
        line = _without_comment(raw.rstrip("\r"))
        if not line.strip() or line.strip() == "#":
            yield line.rstrip() + end
            continue
        depth = _SPACES.match(line).end()
        match = _KEY.match(line)
        if depth == 0:
            section, service, below = match.group("key") if match else "", None, None
            known = section in _OF_FILE
            # A value in the line may be anything: that of services is none.
            plain = section in ("version", "name", "include") or known and not match.group("rest").strip(" #")
            section = section if known and plain else ""
            yield (redactor.text(line) if section else "") + end
            continue
        if section in ("networks", "include"):
            yield redactor.text(line) + end
            continue
        if section != "services":
            yield end
            continue
        if service is None or depth <= service:
            # The name of a service.
            service, below = depth, None
            named = match is not None and _NOTHING.match(match.group("rest")) is not None
            if not named:
                # In flow style, or what is no service: nothing below it can be told.
                service = None
                section = ""
            yield (line if named else "") + end
            continue
        if below is None or depth <= below[0] and not _is_item(line, depth, below):
            below = (depth, match.group("key") if match else "")
            yield _of_service(line, match, redactor) + end
        elif below[1] == _COMMAND:
            yield (line if line[depth:depth + 2] == "- " and _ADDRESS.search(line) and not _has_secret(line, redactor) else "") + end
        else:
            yield (redactor.text(line) if below[1] in _OF_SERVICE else "") + end


def _of_service(line, match, redactor):
    """Return what is left of the line of a key of a service."""
    if match is None:
        return ""
    key = match.group("key")
    if key in _OF_SERVICE:
        return redactor.text(line)
    if key == _COMMAND and _PLAIN.match(match.group("rest")) and _ADDRESS.search(line) and not _has_secret(line, redactor):
        return line
    return line[:match.end("key") + len(match.group("quote")) + 1] if key in _HEADS or key == _COMMAND else ""


def _has_secret(line, redactor):
    """Return whether a line of words has one that would be marked."""
    words = _WORD.findall(line)
    return redactor.argv(words) != words or redactor.text(line) != line


def _is_item(line, depth, below):
    """Return whether a line at the indentation of a key is an item of its list, as YAML allows."""
    return depth == below[0] and line[depth:depth + 2] in ("- ", "-")


def _without_comment(line):
    """Return a line with its comment emptied: "#" stays."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[:at + 1]
    return line
