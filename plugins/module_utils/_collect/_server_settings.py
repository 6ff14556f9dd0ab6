# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command line and the configuration that it names say of an application server's own limits and logs.

gunicorn (config.py: --timeout 30, --error-logfile and its other name --log-file, a Python file), uWSGI (core/uwsgi.c:
--harakiri, --buffer-size 4096, --logto and its like, ini and YAML files). A command line comes before a file in gunicorn and
after it in uWSGI, where the last one counts; a value that is computed is not known.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims

MAX_LOGS = 6

_GUNICORN_TIMEOUT = 30.0
_UWSGI_BUFFER = 4096
_SERVERS = ("gunicorn", "uwsgi")
_OPTIONS = {
    "gunicorn": {
        "timeout": ("--timeout", "-t", "timeout"),
        "log": ("--error-logfile", "--log-file", "errorlog", "logfile"),
        "worker_class": ("--worker-class", "-k", "worker_class"),
        "threads": ("--threads", "threads"),
    },
    "uwsgi": {
        "timeout": ("--harakiri", "-t", "harakiri"),
        "buffer_size": ("--buffer-size", "-b", "buffer-size"),
        "log": ("--logto", "--logto2", "--daemonize", "-d", "--daemonize2", "--logger", "logto", "logto2", "daemonize", "daemonize2", "logger", "log-master-file"),
    },
}
_KEYS = dict((server, dict((word, key) for key, words in options.items() for word in words)) for server, options in _OPTIONS.items())
_LINE = re.compile(r"^\s*(?P<name>[A-Za-z_][\w-]*)\s*[:=]\s*(?P<value>[^#;\n]*)")


def settings(host, argv, folder=""):
    """Return (SERVER or None, paths of its logs) of a command line, as docs/architecture.md has them."""
    argv = list(argv)
    server = next((name for name in _SERVERS for word in argv[:4] if _is_program(word, name)), None)
    if not server:
        return None, []
    found, logs = _defaults(server), []
    files = [path for path in _claims.files_of(host, argv, folder) if path.endswith((".py", ".ini", ".yml", ".yaml", ".conf")) and not _is_code(path)]
    given, written = [_from_options(server, argv)], [_from_file(host, server, path) for path in files]
    for pairs in written + given if server == "gunicorn" else given + written:
        for key, value, place in pairs:
            if key == "log":
                path = _log_path(value, folder)
                if path and path not in logs and len(logs) < MAX_LOGS:
                    logs.append(path)
            else:
                found[key] = _setting(key, value, place)
    return found, logs


def _is_program(word, name):
    return re.match(r"{0}(?:[\d_.-].*)?$".format(name), word.lstrip("-@+!:").rsplit("/", 1)[-1]) is not None


def _is_code(path):
    # A WSGI file beside a configuration: only what is called a configuration is one.
    return path.endswith(".py") and "conf" not in os.path.basename(path)


def _defaults(server):
    found = {"server": server, "timeout": {"value": 0.0, "from": "default"}}
    if server == "gunicorn":
        found["timeout"]["value"] = _GUNICORN_TIMEOUT
        found["worker_class"] = {"value": "sync", "from": "default"}
    else:
        found["buffer_size"] = {"value": _UWSGI_BUFFER, "from": "default"}
    return found


def _from_options(server, argv):
    keys = _KEYS[server]
    for at, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        if name.startswith("-") and name in keys:
            following = argv[at + 1] if at + 1 < len(argv) else ""
            yield keys[name], value if equals else following, "command line"
        elif re.match(r"^-t\d+$", word):
            yield "timeout", word[2:], "command line"
        elif re.match(r"^-b\d+$", word) and server == "uwsgi":
            yield "buffer_size", word[2:], "command line"


def _from_file(host, server, path):
    try:
        raw = host.read(path, _claims.MAX_FILE)[0]
    except (evidence.Unanswered, OSError):
        return []
    magic = {"%n": os.path.splitext(os.path.basename(path))[0], "%d": os.path.dirname(path) + "/", "%p": path}
    found = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        match = _LINE.match(text.decode(line[:_claims.MAX_LINE]))
        key = _KEYS[server].get(match.group("name")) if match else None
        if key:
            value = match.group("value").strip().strip("\"'")
            for name, meant in magic.items() if server == "uwsgi" else ():
                value = value.replace(name, meant)
            found.append((key, value, "{0}:{1}".format(path, number)))
    return found


def _setting(key, value, place):
    number = None
    if key != "worker_class":
        number = float(value) if re.match(r"^\d{1,9}(?:\.\d{1,3})?$", value) else None
        if key != "timeout" and number is not None:
            number = int(number)
        return {"value": number, "from": text.harmless(place, 300)}
    return {"value": text.harmless(value, 100), "from": text.harmless(place, 300)}


def _log_path(value, folder):
    value = value.partition("file:")[2] if value.startswith(("file:", "rsyslog:", "syslog")) or " file:" in value else value
    path = value.strip().split(",")[0]
    if not path or path == "-" or ":" in path or "%" in path or "$" in path:
        return ""
    return path if path.startswith("/") else os.path.normpath(folder + "/" + path) if folder.startswith("/") else ""
