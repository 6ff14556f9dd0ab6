# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs, or should run, the programs behind nginx: systemd, supervisor, PM2, bare processes.

Four questions with an answer each, since a host seldom has all of these managers.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims, _pm2, _server_logs, _supervisor, _systemd

KEY = "backends"
ASKED = "systemctl, supervisord, PM2, /proc"

MAX_PROCESSES = 300

_PROGRAMS = (
    ("php-fpm", re.compile(r"^php-fpm")),
    ("uwsgi", re.compile(r"^uwsgi")),
    ("node", re.compile(r"^(?:node|nodejs|bun|deno)$")),
    ("java", re.compile(r"^java$")),
    ("dotnet", re.compile(r"^dotnet$")),
    ("python", re.compile(r"^(?:python|pypy)[\d.]*$")),
    ("ruby", re.compile(r"^(?:ruby|jruby)[\d.]*$")),
)
_INTERPRETERS = ("node", "java", "dotnet", "python", "ruby")
# Servers that run inside an interpreter: by the title that they write, or by the script that was started.
_TITLES = (
    ("gunicorn", re.compile(r"^gunicorn: ")),
    ("puma", re.compile(r"^puma(?:: cluster worker)?[: ]")),
    ("unicorn", re.compile(r"^unicorn(?:_rails)? ")),
    ("passenger", re.compile(r"^Passenger ")),
)
_SCRIPT = re.compile(r"(?:^|/)(gunicorn|uvicorn|hypercorn|daphne|waitress-serve|puma|unicorn)(?:[\d_-].*)?$")
_DAEMON = re.compile(r"^PM2 v")


def collect(host, redactor, processes):
    """Return the `backends` value of docs/architecture.md: four answers, none of which fails another."""
    return {
        "units": evidence.ask(_systemd.ASKED, _systemd.units, host, redactor),
        "supervisor": evidence.ask(_supervisor.ASKED, _supervisor.programs, host, redactor, processes),
        "pm2": evidence.ask(_pm2.ASKED, _pm2.apps, host, redactor, processes),
        "processes": evidence.ask("/proc", servers, host, redactor, processes),
    }


def servers(host, redactor, processes):
    """Return the PROCESSes as a Partial: the application servers, without the workers that they forked.

    A program of a mere interpreter is told when it claims an endpoint. Files that a command line
    names are read only for processes in this host's own file system.
    """
    kinds = {process.pid: kind_of(process) for process in processes}
    users = _processes.user_names(host)
    found = []
    for process in processes:
        kind = kinds[process.pid]
        # A worker has the kind of its master, or shows as the interpreter behind it.
        if not kind or kinds.get(process.ppid, "") in (kind, "gunicorn", "puma", "unicorn"):
            continue
        server = _server(host, redactor, process, kind, users)
        if server["claims"] or kind not in _INTERPRETERS:
            found.append(server)
    return evidence.Partial(found[:MAX_PROCESSES], processes.truncated or len(found) > MAX_PROCESSES, processes.hidden)


def kind_of(process):
    """Return what kind of application server a process is, or ""."""
    if not process.argv or _DAEMON.match(process.argv[0]):
        return ""
    for kind, pattern in _TITLES:
        if pattern.match(process.argv[0]):
            return kind
    program = process.program()
    kind = next((kind for kind, pattern in _PROGRAMS if pattern.match(program)), "")
    script = next((match for match in map(_SCRIPT.search, process.argv[:4]) if match), None)
    # A wrapper (timeout, sudo) has the script in its command line too; its program is no interpreter.
    return script.group(1) if script and kind in _INTERPRETERS else kind


def _server(host, redactor, process, kind, users):
    claims = _claims.Claims()
    folder = "" if process.container else _folder(host, process.pid)
    # A program that renamed itself (Node under PM2) has its whole command line in one word.
    argv = process.argv if len(process.argv) > 1 else process.title().split()
    if kind != "php-fpm":
        _claims.from_argv(claims, argv, "argv", folder)
        if not process.container:
            _claims.from_files(claims, host, argv, folder)
    return {
        "pid": process.pid,
        "kind": kind,
        "argv": _processes.shown_argv(process.argv, redactor),
        "user": text.harmless(users.get(process.uid, str(process.uid)), 256),
        "unit": text.harmless(process.unit, 256),
        "started": process.started,
        "claims": claims.items,
        "logs": _server_logs.paths(host, argv, folder) if folder else [],
    }


def _folder(host, pid):
    """Return the working directory of a process; "" when it may not be read."""
    try:
        return text.decode(os.fsencode(host.link("/proc/{0}/cwd".format(pid))))
    except evidence.Unanswered:
        return ""
