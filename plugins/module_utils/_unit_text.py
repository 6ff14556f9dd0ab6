# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a systemd unit as it is written, and with an option set in it.

Only text: an option's value is put where the old one stands, or the option at the end of the command, and every other character
stays, so that quotes, escapes, specifiers and variables mean what they meant. Syntax: systemd.syntax(7), "COMMAND LINES" of systemd.service(5).

This module is private to the collection.
"""

import re

_SECTION = re.compile(r"^\[(?P<name>[^\]]*)\]\s*$")
_PREFIXES = "@-:+!"
_INTERPRETER = re.compile(r"^(?:python|pypy)[\d.]*$")
# What systemd, or the program that it starts, takes for more than itself.
_SPECIAL = re.compile(r"[\"'\\$%]")
_VALUE = re.compile(r"^[A-Za-z0-9_./:-]+$")
# How far from the start of a command its program may stand: /usr/bin/python3 -m gunicorn.
_WITHIN = 4


class NotUnderstood(Exception):
    """A command that is not simple enough to be changed. str() says why."""


class Word:
    """A word of a command: its text as written, and from where to where it stands."""

    def __init__(self, text, start, end):
        self.text = text
        self.start = start
        self.end = end

    @property
    def plain(self):
        """Return whether the word means itself."""
        return not _SPECIAL.search(self.text)


def commands(texts):
    """Return the ExecStart values in force of a unit's files, given in the order in which systemd reads them, as (value, index of the file)."""
    found = []
    for index, text in enumerate(texts):
        for section, name, value in _assignments(text):
            if section == "Service" and name == "ExecStart":
                found = found + [(value, index)] if value else []
    return found


def _assignments(text):
    """Yield (section, name, value); a line that ends in a backslash goes on, and comments between its parts are passed over."""
    section, held = "", ""
    for line in text.split("\n"):
        if line.lstrip().startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        line, held = held + line, ""
        match = _SECTION.match(line.strip())
        if match:
            section = match.group("name")
        elif "=" in line:
            name, _equals, value = line.partition("=")
            yield section, name.strip(), value.strip()


def with_option(command, program, names, value):
    """Return a command with an option of its program set to a value; the same command when it has that already.

    names are those of the option, the one to write first: ("--timeout", "-t"). Raises NotUnderstood.
    """
    if not _VALUE.match(value):
        raise NotUnderstood("{0} is no plain value".format(value))
    words = split(command)
    if any(word.text in (";", "--") for word in words):
        raise NotUnderstood("it is more than one command, or ends its options itself")
    at = _program_at(words, program)
    found = None
    for index in range(at + 1, len(words)):
        found = _value_of(words, index, names) or found
    if not found:
        return "{0} {1} {2}".format(command.rstrip(), names[0], value)
    start, end = found
    return command if command[start:end] == value else command[:start] + value + command[end:]


def _program_at(words, program):
    """Return the index of the word that names the program; words after it are its own."""
    pattern = re.compile("^" + re.escape(program) + r"[\d.-]*$")
    first = words[0].text.lstrip(_PREFIXES) if words else ""
    if pattern.match(first.rpartition("/")[2]):
        return 0
    if _INTERPRETER.match(first.rpartition("/")[2]):
        for index, word in enumerate(words[1:_WITHIN], 1):
            if word.plain and pattern.match(word.text.rpartition("/")[2]):
                return index
    raise NotUnderstood("it does not start {0} itself".format(program))


def _value_of(words, index, names):
    """Return (start, end) of the value that an option has which stands at an index, or None; raises NotUnderstood for a value that is not plain."""
    word = words[index]
    name, equals, _value = word.text.partition("=")
    if equals and name in names and name.startswith("--"):
        place = word.start + len(name) + 1, word.end
    elif word.text in names:
        if index + 1 >= len(words):
            raise NotUnderstood("{0} has no value".format(word.text))
        place = words[index + 1].start, words[index + 1].end
        word = words[index + 1]
    elif word.text[:2] in names and not word.text.startswith("--") and len(word.text) > 2:
        place = word.start + 2, word.end
    else:
        return None
    if not word.plain:
        raise NotUnderstood("the value of {0} is not written plainly".format(name))
    return place


def split(command):
    """Return the Words of a command; raises NotUnderstood where it is not certain what they are.

    A quote inside a word begins a quotation in some versions of systemd and is text in others: that makes a difference where a blank follows.
    """
    words, start, quote, inside, at = [], None, "", False, 0
    while at < len(command):
        char = command[at]
        if char == "\\" and at + 1 < len(command):
            start = at if start is None else start
            at += 2
            continue
        if quote:
            if inside and char in " \t":
                raise NotUnderstood("a quote stands inside a word of it")
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote, inside = char, start is not None
            start = at if start is None else start
        elif char in " \t":
            if start is not None:
                words.append(Word(command[start:at], start, at))
            start = None
        elif start is None:
            start = at
        at += 1
    if quote:
        raise NotUnderstood("a quote in it does not end")
    if start is not None:
        words.append(Word(command[start:], start, len(command)))
    return words


def drop_in(command, source):
    """Return the text of a drop-in that gives a unit another command."""
    return "# Written by webops.bad_gateway: the command of {0} with other options.\n[Service]\nExecStart=\nExecStart={1}\n".format(source, command)
