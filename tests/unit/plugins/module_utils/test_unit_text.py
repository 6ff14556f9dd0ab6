# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a unit, read and changed as text."""

import random

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _unit_text as unit_text

TIMEOUT = ("--timeout", "-t")


def with_timeout(command: str, value: str = "58", program: str = "gunicorn") -> str:
    return unit_text.with_option(command, program, TIMEOUT, value)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("/usr/bin/gunicorn app", "/usr/bin/gunicorn app --timeout 58"),
        ("/usr/bin/gunicorn --timeout 30 app", "/usr/bin/gunicorn --timeout 58 app"),
        ("/usr/bin/gunicorn --timeout=30 app", "/usr/bin/gunicorn --timeout=58 app"),
        ("/usr/bin/gunicorn -t 30 app", "/usr/bin/gunicorn -t 58 app"),
        ("/usr/bin/gunicorn -t30 app", "/usr/bin/gunicorn -t58 app"),
        ("/usr/bin/gunicorn --timeout 10 app -t 30", "/usr/bin/gunicorn --timeout 10 app -t 58"),
        ("-/srv/venv/bin/gunicorn3 app", "-/srv/venv/bin/gunicorn3 app --timeout 58"),
        ("@/usr/bin/gunicorn shop app", "@/usr/bin/gunicorn shop app --timeout 58"),
        ("/usr/bin/python3.11 -m gunicorn app", "/usr/bin/python3.11 -m gunicorn app --timeout 58"),
        ("/srv/v/bin/python /srv/v/bin/gunicorn app", "/srv/v/bin/python /srv/v/bin/gunicorn app --timeout 58"),
        ("/usr/bin/gunicorn $OPTIONS app", "/usr/bin/gunicorn $OPTIONS app --timeout 58"),
        ("/usr/bin/gunicorn --name 'a -t 3'  --bind  %t/x \"--timeout 4\"", "/usr/bin/gunicorn --name 'a -t 3'  --bind  %t/x \"--timeout 4\" --timeout 58"),
        ("/usr/bin/gunicorn --name=it's' app", "/usr/bin/gunicorn --name=it's' app --timeout 58"),
        ("/usr/bin/gunicorn --env A=\\ -t app", "/usr/bin/gunicorn --env A=\\ -t app --timeout 58"),
    ],
)
def test_an_option_is_set_where_it_stands_or_at_the_end(command, wanted):
    assert with_timeout(command) == wanted


@pytest.mark.parametrize("command", ["/usr/bin/gunicorn -t 58 app", "/usr/bin/gunicorn --timeout=58"])
def test_a_command_that_has_the_value_stays(command):
    assert with_timeout(command) == command


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/bin/sh -c 'gunicorn app'", "does not start gunicorn itself"),
        ("/usr/bin/env gunicorn app", "does not start gunicorn itself"),
        ("/usr/bin/python3 manage.py a b c gunicorn", "does not start gunicorn itself"),
        ("", "does not start gunicorn itself"),
        ("/usr/bin/gunicorn app ; /bin/true", "more than one command"),
        ("/usr/bin/gunicorn -- app", "more than one command"),
        ("/usr/bin/gunicorn -t", "has no value"),
        ("/usr/bin/gunicorn -t ${LIMIT} app", "not written plainly"),
        ("/usr/bin/gunicorn --timeout='30' app", "not written plainly"),
        ("/usr/bin/gunicorn --name 'app", "does not end"),
        ("/usr/bin/gunicorn --name it's --x y'z", "inside a word"),
        ("/usr/bin/gunicorn --env=\"A -t 3\"", "inside a word"),
    ],
)
def test_what_is_not_certain_is_refused(command, why):
    with pytest.raises(unit_text.NotUnderstood, match=why):
        with_timeout(command)


@pytest.mark.parametrize("value", ["", "5 8", "$X", "58\n[Install]", "'58'", "5;8"])
def test_a_value_that_would_mean_more_than_itself_is_refused(value):
    with pytest.raises(unit_text.NotUnderstood, match="no plain value"):
        with_timeout("/usr/bin/gunicorn app", value)


def test_the_last_assignments_of_all_files_are_in_force():
    main = "[Unit]\nExecStart=no\n[Service]\n# ExecStart=no\nExecStart=/usr/bin/a \\\n# ExecStart=no\n; no\n  --b c\nType=simple\n"
    assert unit_text.commands([main]) == [("/usr/bin/a    --b c", 0)]
    assert unit_text.commands([main, "[Service]\nExecStart=\nExecStart=/usr/bin/d\n"]) == [("/usr/bin/d", 1)]
    assert unit_text.commands([main, "[Service]\nExecStart=/usr/bin/d\n"]) == [("/usr/bin/a    --b c", 0), ("/usr/bin/d", 1)]
    assert unit_text.commands([main, "[Service]\nExecStart =\n"]) == []
    assert unit_text.commands(["[Install]\nExecStart=/usr/bin/d\n"]) == []


def test_a_drop_in_is_read_back_as_the_command():
    assert unit_text.commands(["[Service]\nExecStart=/a\n", unit_text.drop_in("/b -c 'd e'", "/x.service")]) == [("/b -c 'd e'", 1)]


def test_every_other_character_stays():
    """Whatever else is in a command, setting an option twice is setting it once, and taking the value out again gives what was there."""
    chance = random.Random(7)
    pieces = ["-w 3", "--bind unix:/run/x.sock", "'a b'", '"c  d"', "\\x41", "$VAR", "${VAR}", "%i", "app:make(\\)", "--x=y", "  "]
    for _round in range(2000):
        command = "/usr/bin/gunicorn " + " ".join(chance.choices(pieces, k=chance.randrange(8)))
        once = with_timeout(command)
        assert with_timeout(once) == once
        assert once == command.rstrip() + " --timeout 58"
        assert with_timeout(once, "7") == command.rstrip() + " --timeout 7"
