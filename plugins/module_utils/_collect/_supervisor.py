# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of supervisor: the PROGRAM shape of docs/architecture.md.

Asked: its configuration, and supervisord itself through the socket that supervisorctl uses
(supervisor.getAllProcessInfo of its XML-RPC, what `supervisorctl status` prints), so no interpreter
need be started.

This module is private to the collection.
"""

import configparser
import glob
import os
import re
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _server_logs

ASKED = "supervisord.conf, supervisor.getAllProcessInfo"

CONFIGURATIONS = ("/etc/supervisor/supervisord.conf", "/etc/supervisord.conf", "/usr/local/etc/supervisord.conf")
MAX_FILE = 1 << 20
MAX_FILES = 500
MAX_PROGRAMS = 500
LOG_LINES = 40

NOT_RUNNING = "supervisord does not run"

# supervisor/datatypes.py: FALSY_STRINGS.
_FALSE = ("no", "off", "0", "false")
_SECTION = re.compile(r"^\[(?P<section>[^\]]+)\]")
_VARIABLE = re.compile(r"%\((\w+)\)(?:s|\d*d)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|'[^']*'|[^,]*)")


def programs(host, redactor, processes):
    """Return the PROGRAMs as a Partial; raises Unanswered "absent" when there is no supervisor.

    name is as supervisorctl takes it: "shop", or "group:shop_00" in a group of another name. state is
    "UNKNOWN", with the reason in why, when supervisord does not run or does not answer. log is told
    for programs that are not running.
    """
    # That of root first: any user may start one, and must not put its configuration in the place of the host's.
    daemons = sorted((process for process in processes if _is_supervisord(process) and not process.container), key=lambda process: process.uid != 0)
    path = _configuration(host, daemons)
    settings = _Settings(host)
    settings.read(path)
    hidden = settings.hidden
    infos, why = None, NOT_RUNNING
    if daemons:
        try:
            infos = _ask(host, settings, _trusted(host, path, daemons))
        except evidence.Unanswered as error:
            why = error.why
            hidden.append("state of supervisor's programs: {0}".format(why))
    if infos is None:
        found = [_program(host, redactor, settings, section, None, why) for section in settings.programs()]
    else:
        found = [_program(host, redactor, settings, settings.section_of(info), info, "") for info in infos]
    return evidence.Partial(found[:MAX_PROGRAMS], settings.truncated or len(found) > MAX_PROGRAMS, hidden)


def _is_supervisord(process):
    return any(word.rsplit("/", 1)[-1] == "supervisord" for word in process.argv[:3])


def _configuration(host, daemons):
    for process in daemons:
        for at, word in enumerate(process.argv):
            if word in ("-c", "--configuration") and at + 1 < len(process.argv) and process.argv[at + 1].startswith("/"):
                return process.argv[at + 1]
            if word.startswith("--configuration=/"):
                return word.partition("=")[2]
    for path in CONFIGURATIONS:
        if host.exists(path):
            return path
    raise evidence.Unanswered(evidence.ABSENT, "no configuration of supervisor")


class _Settings:
    """supervisord.conf and what it includes, as supervisor reads them (options.py: RawConfigParser)."""

    def __init__(self, host):
        self.hidden = []
        self.truncated = False
        self._host = host
        self._parser = _parser()
        self._places = {}

    def read(self, path):
        """Read the configuration and its includes; raises Unanswered when it cannot be read."""
        self._file(path, self._host.read(path, MAX_FILE))
        here = os.path.dirname(path)
        for pattern in self.value("include", "files", here).split():
            if not pattern.startswith("/"):
                pattern = here + "/" + pattern
            for included in sorted(glob.glob(glob.escape(self._host.root) + pattern))[:MAX_FILES]:
                included = included[len(self._host.root):]
                try:
                    self._file(included, self._host.read(included, MAX_FILE))
                except (evidence.Unanswered, OSError) as error:
                    self.hidden.append(text.harmless(getattr(error, "why", None) or "{0}: {1}".format(included, error), 500))

    def _file(self, path, content):
        raw, cut = content
        self.truncated = self.truncated or cut
        shown = text.decode(raw)
        try:
            # A parser of its own: an error in one file must leave the others whole.
            _parser().read_string(shown, path)
            self._parser.read_string(shown, path)
        except configparser.Error as error:
            self.hidden.append(text.harmless("{0}: {1}".format(path, str(error).split("\n", 1)[0]), 500))
            return
        for number, line in enumerate(shown.split("\n"), 1):
            match = _SECTION.match(line)
            if match:
                self._places[match.group("section")] = {"file": text.harmless(path), "line": number}

    def value(self, section, key, here="", program=""):
        """Return a value, "" when there is none. What else is variable stays as it is written."""
        written = self._parser.get(section, key) or "" if self._parser.has_option(section, key) else ""
        known = {"here": here or os.path.dirname(self.place(section)["file"]), "program_name": program}
        return _VARIABLE.sub(lambda match: known.get(match.group(1)) or match.group(), written)

    def place(self, section):
        """Return where a section begins."""
        return self._places.get(section, {"file": "", "line": 0})

    def programs(self):
        """Return the sections of programs."""
        return [section for section in self._parser.sections() if section.startswith(("program:", "fcgi-program:"))]

    def section_of(self, info):
        """Return the section that a process of supervisord comes from, or ""."""
        bare = re.sub(r"_?\d+$", "", info["name"])
        for name in (info["group"], info["name"], bare):
            for kind in ("program:", "fcgi-program:", "eventlistener:"):
                if self._parser.has_section(kind + name):
                    return kind + name
        return ""


def _parser():
    return configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"), allow_no_value=True, interpolation=None)


def _trusted(host, path, daemons):
    """Return the ids of the users who know what stands in the configuration: of those that run a supervisord, whoever may read it."""
    try:
        about = host.stat(path)
    except evidence.Unanswered:
        return {0}
    may = {0, about.st_uid, os.geteuid()}
    for daemon in daemons:
        if about.st_mode & stat.S_IROTH or about.st_mode & stat.S_IRGRP and about.st_gid in [daemon.gid] + daemon.groups:
            may.add(daemon.uid)
    return may


def _ask(host, settings, trusted):
    """Return what supervisord tells of its processes; raises Unanswered."""
    # Only here, because XML-RPC is dear to import and most hosts have no supervisor.
    from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _supervisor_rpc  # pylint: disable=import-outside-toplevel

    path, address = settings.value("unix_http_server", "file"), settings.value("inet_http_server", "port")
    if not path and not address:
        raise evidence.Unanswered(evidence.ABSENT, "supervisord has no control socket")
    section = "unix_http_server" if path else "inet_http_server"
    user, password = settings.value(section, "username"), settings.value(section, "password")
    return _supervisor_rpc.processes(host.path(path) if path else address, user, password, trusted)


def _program(host, redactor, settings, section, info, why):
    bare = section.partition(":")[2]
    name, state, pid = bare, "UNKNOWN", None
    if info:
        name = info["name"] if info["name"] == info["group"] else "{0}:{1}".format(info["group"], info["name"])
        state, pid = str(info.get("statename") or "UNKNOWN"), info.get("pid") or None
        why = "" if state == "RUNNING" else str(info.get("spawnerr") or info.get("description") or "")
    command = _claims.split(settings.value(section, "command", program=bare))
    logs = _server_logs.paths(host, command, settings.value(section, "directory", program=bare))
    return {
        "name": text.harmless(name, 256),
        "state": text.harmless(state, 64),
        "pid": pid if isinstance(pid, int) else None,
        "why": text.harmless(redactor.text(why), 500),
        "command": text.harmless(" ".join(redactor.argv(command)), 4096),
        "at": settings.place(section),
        "autostart": settings.value(section, "autostart").strip().lower() not in _FALSE,
        "claims": _claims_of(host, settings, section, command, bare),
        "logs": [text.harmless(path, 1024) for path in _log_paths(settings, section, info, bare)] + logs,
        "manager_log": text.harmless(settings.value("supervisord", "logfile"), 1024),
        "log": [] if state == "RUNNING" else _log(host, redactor, settings, section, info, bare),
    }


def _log_paths(settings, section, info, bare):
    """Return the files that a program's error log and output go to."""
    paths = [str((info or {}).get(key) or settings.value(section, key, program=bare)) for key in ("stderr_logfile", "stdout_logfile")]
    return [path for at, path in enumerate(paths) if path.startswith("/") and path not in paths[:at]]


def _claims_of(host, settings, section, command, bare):
    claims = _claims.Claims()
    folder = settings.value(section, "directory", program=bare) or "/"
    if section.startswith("fcgi-program:"):
        claims.add(_claims.endpoint_of(settings.value(section, "socket", program=bare)), "socket")
    variables = {name: value.strip().strip("\"'") for name, value in _ASSIGNMENT.findall(settings.value(section, "environment", program=bare))}
    _claims.from_environment(claims, variables, "environment", folder)
    _claims.from_argv(claims, command, "command", folder)
    _claims.from_files(claims, host, command, folder)
    return claims.items


def _log(host, redactor, settings, section, info, bare):
    """Return the last lines of the error log, or of the output when there are none."""
    for path in _log_paths(settings, section, info, bare):
        try:
            raw = host.tail(path)
        except (evidence.Unanswered, OSError):
            continue
        lines = [line for line in text.decode(raw).split("\n") if line.strip()]
        if lines:
            return [text.harmless(redactor.text(line), 500) for line in lines[-LOG_LINES:]]
    return []
