# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that gunicorn and uWSGI write their own log to, from a command line and the configuration that it names.

gunicorn: --error-logfile and its other name --log-file, errorlog in a Python file (config.py). uWSGI: --logto and its like, --daemonize, and
--logger file:PATH; ini and YAML files (core/uwsgi.c). A path that is computed is not known.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims

MAX_LOGS = 6

_OPTIONS = {
    "gunicorn": ("--error-logfile", "--log-file", "errorlog"),
    "uwsgi": ("--logto", "--logto2", "--daemonize", "-d", "--daemonize2", "--logger", "logto", "logto2", "daemonize", "daemonize2", "logger"),
}
_LINE = re.compile(r"^\s*(?P<name>[A-Za-z_][\w-]*)\s*[:=]\s*(?P<value>[^#;\n]*)")
_FILES = (".py", ".ini", ".yml", ".yaml", ".conf")


def paths(host, argv, folder=""):
    """Return the paths of the logs of a server's command line; none for any other program."""
    argv = list(argv)
    server = next((name for name in sorted(_OPTIONS) for word in argv[:4] if _is_program(word, name)), None)
    if not server:
        return []
    written = list(_from_options(server, argv))
    for path in _claims.files_of(host, argv, folder):
        if path.endswith(_FILES) and not _is_code(path):
            written += _from_file(host, server, path)
    found = [path for path in (_path(value, folder) for value in written) if path]
    return [text.harmless(path, 1024) for at, path in enumerate(found) if path not in found[:at]][:MAX_LOGS]


def _is_program(word, name):
    return re.match(r"{0}(?:[\d_.-].*)?$".format(name), word.lstrip("-@+!:").rsplit("/", 1)[-1]) is not None


def _is_code(path):
    # A WSGI file beside a configuration: only what is called a configuration is one.
    return path.endswith(".py") and "conf" not in os.path.basename(path)


def _from_options(server, argv):
    for at, word in enumerate(argv[1:], 1):
        name, equals, value = word.partition("=")
        if name.startswith("-") and name in _OPTIONS[server]:
            yield value if equals else argv[at + 1] if at + 1 < len(argv) else ""


def _from_file(host, server, path):
    try:
        raw = host.read(path, _claims.MAX_FILE)[0]
    except (evidence.Unanswered, OSError):
        return []
    magic = {"%n": os.path.splitext(os.path.basename(path))[0], "%d": os.path.dirname(path) + "/", "%p": path} if server == "uwsgi" else {}
    found = []
    for line in raw.split(b"\n"):
        match = _LINE.match(text.decode(line[:_claims.MAX_LINE]))
        if match and match.group("name") in _OPTIONS[server]:
            value = match.group("value").strip().strip("\"'")
            for name, meant in magic.items():
                value = value.replace(name, meant)
            found.append(value)
    return found


def _path(value, folder):
    # uWSGI: "file:PATH", or with a name for routing, "app file:PATH".
    value = value.partition("file:")[2] if re.match(r"^(?:\w+ )?file:", value) else value
    path = value.strip().split(",")[0]
    if not path or path == "-" or ":" in path or "%" in path or "$" in path:
        return ""
    return path if path.startswith("/") else os.path.normpath(folder + "/" + path) if folder.startswith("/") else ""
