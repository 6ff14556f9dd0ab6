# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application servers of this host were told of workers, time-outs and idle connections, and how many workers run.

Read from command lines, the environment variable that gunicorn takes options from, and the text of configuration files;
nothing is executed. A value that is computed (Python in gunicorn.conf.py, %(variables) of uWSGI) is told as null: it is
set, and not known. The last of equal options counts, and a command line counts before a file, as in the servers
themselves (gunicorn/app/base.py; uWSGI takes all in the order of the command line).

This module is private to the collection.
"""

import re
import resource

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as safe_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims, backends

KEY = "servers"
ASKED = "command lines and configuration files of application servers, /proc"

MAX_SERVERS = 200
MAX_MEASURED = 50
MAX_FILE = 256 << 10

# Options of each server, by what they mean. The first word of a tuple is the name in a file.
_GUNICORN = {
    "workers": ("workers", "-w", "--workers"),
    "threads": ("threads", "--threads"),
    "class": ("worker_class", "-k", "--worker-class"),
    "timeout": ("timeout", "-t", "--timeout"),
    "keepalive": ("keepalive", "--keep-alive"),
    "backlog": ("backlog", "--backlog"),
}
_UWSGI = {
    "workers": ("processes", "workers", "-p", "--processes", "--workers"),
    "threads": ("threads", "--threads"),
    "async": ("async", "--async"),
    "gevent": ("gevent", "--gevent"),
    "timeout": ("harakiri", "-t", "--harakiri"),
    "backlog": ("listen", "-l", "--listen"),
    "http_timeout": ("http-timeout", "--http-timeout"),
    "socket_timeout": ("socket-timeout", "-z", "--socket-timeout"),
    "buffer_size": ("buffer-size", "-b", "--buffer-size"),
}
_UVICORN = {
    "workers": ("workers", "--workers"),
    "keepalive": ("timeout_keep_alive", "--timeout-keep-alive"),
    "backlog": ("backlog", "--backlog"),
    "concurrency": ("limit_concurrency", "--limit-concurrency"),
}
_HYPERCORN = {
    "workers": ("workers", "-w", "--workers"),
    "keepalive": ("keep_alive_timeout", "--keep-alive"),
    "backlog": ("backlog", "--backlog"),
    "class": ("worker_class", "-k", "--worker-class"),
}
_SERVERS = {"gunicorn": _GUNICORN, "uwsgi": _UWSGI, "uvicorn": _UVICORN, "hypercorn": _HYPERCORN}
_WORDS = ("class",)

_PHP_POOL = re.compile(r"^php-fpm: pool (?P<name>.+)$")
_NUMBER = re.compile(r"^\d{1,9}(?:\.\d{1,3})?$")
_TITLE = re.compile(r"^gunicorn: ")
_ASSIGNED = re.compile(r"^(?P<name>[a-z_]+)\s*=\s*(?P<value>[^#\n]+)")
_INI = re.compile(r"^\s*(?P<name>[a-z0-9-]+)\s*=\s*(?P<value>[^#;\n]*)")
_YAML = re.compile(r"^\s*\"?(?P<name>[a-z0-9-]+)\"?\s*:\s*(?P<value>[^#\n,]*)")
_XML = re.compile(r"^\s*<(?P<name>[a-z0-9-]+)>(?P<value>[^<]*)</")
# Options of uWSGI whose value is a file that is not read as configuration.
_WATCHED = re.compile(r"^--(?:touch|fs|emperor|static|check|route|pidfile|logto|log)")
_UWSGI_FILES = (".ini", ".xml", ".yml", ".yaml", ".json")


def collect(host, processes, commands):
    """Return the `servers` value of docs/architecture.md as a Partial.

    commands is {unit: argv} of the managers, for servers that wrote a title over their command line.
    """
    hidden = list(processes.hidden)
    kinds = {process.pid: backends.kind_of(process) for process in processes}
    found = _pools(host, processes)
    for process in processes:
        kind = kinds[process.pid]
        if kind not in _SERVERS or kinds.get(process.ppid) == kind:
            continue
        found.append(_server(host, processes, process, kind, commands, hidden))
    return evidence.Partial(found[:MAX_SERVERS], processes.truncated or len(found) > MAX_SERVERS, hidden)


def _pools(host, processes):
    """Return one entry for each PHP-FPM pool of each master: its children are its workers."""
    pools = {}
    for process in processes:
        match = _PHP_POOL.match(process.title())
        if match and (not process.exe or "php-fpm" in process.program()):
            pools.setdefault((process.ppid, match.group("name")), []).append(process)
    return [
        {
            "pid": master, "kind": "php-fpm", "name": text.harmless(name, 256), "unit": text.harmless(children[0].unit, 256), "running": len(children),
            "largest": _largest(host, children), "set": {}, "files": [], "not_roots": [],
        }
        for (master, name), children in sorted(pools.items())
    ]


def _server(host, processes, process, kind, commands, hidden):
    options = _SERVERS[kind]
    argv = [] if _TITLE.match(process.title()) else process.argv
    source = "command line of process {0}".format(process.pid)
    if not argv and process.unit in commands:
        argv, source = commands[process.unit], process.unit
    if not argv:
        hidden.append("the command line of {0} (pid {1}) is not known".format(kind, process.pid))
    # Without its command line nobody knows whether a default holds.
    told = {} if argv else None
    files = []
    if argv:
        folder = backends._folder(host, process.pid)  # pylint: disable=protected-access
        if not process.container:
            files = _files(kind, argv, folder)
            for path in files:
                _from_file(host, path, kind, options, told, hidden)
        if kind == "gunicorn":
            _from_argv(_environment(host, process.pid), options, told, "GUNICORN_CMD_ARGS")
        _from_argv(argv, options, told, source)
    workers = [child for child in processes.children(process.pid) if child.program() == process.program()]
    return {
        "pid": process.pid,
        "kind": kind,
        "name": "",
        "unit": text.harmless(process.unit, 256),
        "running": len(workers),
        "largest": _largest(host, workers or [process]),
        "set": told,
        "files": [text.harmless(path, 1024) for path in files],
        "not_roots": [text.harmless(path, 1024) for path in files if not safe_files.of_root(host.path(path))],
    }


def _largest(host, workers):
    """Return the memory in bytes that the largest of some processes has for itself, its resident pages without shared ones of files; None when not known."""
    sizes = []
    for process in workers[:MAX_MEASURED]:
        try:
            fields = host.text("/proc/{0}/statm".format(process.pid), 256).split()
            sizes.append((int(fields[1]) - int(fields[2])) * resource.getpagesize())
        except (evidence.Unanswered, OSError, IndexError, ValueError):
            # It ended meanwhile.
            continue
    return max(sizes) if sizes else None


def _environment(host, pid):
    """Return the words of GUNICORN_CMD_ARGS of a process; no other variable is looked at."""
    try:
        raw = host.read("/proc/{0}/environ".format(pid), 256 << 10)[0]
    except (evidence.Unanswered, OSError):
        return []
    for entry in raw.split(b"\0"):
        name, _equals, value = entry.partition(b"=")
        if name == b"GUNICORN_CMD_ARGS":
            return ["gunicorn"] + _claims.split(text.decode(value))
    return []


def _files(kind, argv, folder):
    """Return the paths of the configuration files that a command line names."""
    named = []
    for at, word in enumerate(argv[1:], 1):
        name, _equals, value = word.partition("=")
        following = argv[at + 1] if at + 1 < len(argv) else ""
        if kind == "gunicorn" and name in ("-c", "--config"):
            named.append(re.sub(r"^file:", "", value or following))
        elif kind == "uwsgi" and name in ("--ini", "--xml", "-x", "--xmlconfig", "--yaml", "--yml", "-y", "--json", "-j"):
            named.append(value or following)
        elif kind == "uwsgi" and word.endswith(_UWSGI_FILES) and not word.startswith("-") and not _WATCHED.match(argv[at - 1]):
            named.append(word)
        elif kind == "hypercorn" and name in ("-c", "--config"):
            named.append(value or following)
    if kind == "gunicorn" and not named:
        named.append("gunicorn.conf.py")
    named = [path.partition(":")[0] for path in named if path]
    return [path if path.startswith("/") else folder.rstrip("/") + "/" + path for path in named if path.startswith("/") or folder]


def _from_file(host, path, kind, options, told, hidden):
    """Add what a configuration file says, line by line."""
    try:
        raw, cut = host.read(path, MAX_FILE)
    except (evidence.Unanswered, OSError) as error:
        if getattr(error, "status", "") != evidence.ABSENT:
            hidden.append(text.harmless(getattr(error, "why", str(error)), 500))
            told.update((meaning, {"value": None, "from": text.harmless(path, 300)}) for meaning in options)
        return
    if cut:
        hidden.append(text.harmless("{0}: only its first {1} bytes were read".format(path, MAX_FILE), 500))
    forms = (_ASSIGNED,) if kind != "uwsgi" else (_XML,) if path.endswith(".xml") else (_YAML,) if path.endswith((".yml", ".yaml", ".json")) else (_INI,)
    by_name = {name: meaning for meaning, names in options.items() for name in names if not name.startswith("-")}
    for number, line in enumerate(text.decode(raw).splitlines(), 1):
        for form in forms:
            match = form.match(line[:500])
            if match and match.group("name") in by_name:
                _add(told, by_name[match.group("name")], match.group("value"), "{0}:{1}".format(path, number))


def _from_argv(argv, options, told, source):
    by_option = {option: meaning for meaning, names in options.items() for option in names if option.startswith("-")}
    for at, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        if name in by_option:
            _add(told, by_option[name], value if equals else argv[at + 1] if at + 1 < len(argv) else "", source)
        elif word[:2] in by_option and not word.startswith("--") and len(word) > 2:
            _add(told, by_option[word[:2]], word[2:], source)


def _add(told, meaning, written, source):
    written = written.strip().strip("\"'").strip()
    value = None
    if meaning in _WORDS:
        value = text.harmless(written, 100) if re.match(r"^[\w.:]+$", written) else None
    elif _NUMBER.match(written):
        value = float(written)
    told[meaning] = {"value": value, "from": text.harmless(source, 300)}
