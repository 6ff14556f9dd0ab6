# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that nginx reads for a configuration, found by following its includes on disk.

As ngx_conf_include() in nginx's core/ngx_conf_file.c: a pattern is relative to the folder of the
configuration file; without "*", "?" and "[" it names one file, which must exist; else it is a glob(7)
in the C locale: names in byte order, "/" and a leading "." are matched by themselves only, and no match
is no error.

This module is private to the collection.
"""

import base64
import hashlib
import os
import re
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _managed as managed
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_FILE = 2 << 20
MAX_FILES = 2000
MAX_ALL = 32 << 20
MAX_NAMES = 100000
MAX_ACCOUNTS = 4 << 20

_GLOB = re.compile(r"[*?\[]")


def load(host, conf_path, conf_prefix, parsed):
    """Return the files of the configuration at conf_path, and the accounts of its root, ready for JSON.

    host         a _host.Host
    conf_prefix  what relative includes are relative to
    parsed       a dictionary that gets {path: _nginx_text.Text} of each file that was read

        {"files": [FILE], "includes": [INCLUDE], "truncated": false, "hidden": [...], "users": {name: [uid, gid]}, "groups": {name: [gid, [member]]}}
        FILE = {"path", "real_path", "status", "why", "truncated", "sha256", "size", "mtime", "ctime", "uid", "gid", "mode",
                "managed", "data": base64}
        INCLUDE = {"pattern", "file", "line", "matches": [path], "status", "why"}

    Paths are str with surrogateescape. The first file is the one at conf_path.
    """
    loader = _Loader(host, conf_prefix, parsed)
    loader.load(conf_path)
    return {
        "files": list(loader.files.values()),
        "includes": loader.includes,
        "truncated": loader.truncated,
        "hidden": loader.hidden,
        "users": _users(host),
        "groups": _groups(host),
    }


def expand(host, pattern):
    """Return the sorted paths that glob(3) finds for an absolute pattern. Raises Unanswered.

    A folder that may not be read hides its matches: that raises, where nginx goes on without them.
    """
    found = ["/"]
    parts = [part for part in pattern.split("/") if part]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        found = [path for folder in found for path in _step(host, folder, part, last)]
        if len(found) > MAX_NAMES:
            raise evidence.Unanswered(evidence.ERROR, "{0} matches more than {1} paths".format(text.decode(os.fsencode(pattern)), MAX_NAMES))
    return sorted(found, key=os.fsencode)


def _step(host, folder, part, last):
    """Return the paths that one component of a pattern leads to."""
    if not _GLOB.search(part):
        path = os.path.join(folder, part.replace("\\", ""))
        return [path] if _is_there(host, path) else []
    matches = _component(os.fsencode(part)).match
    try:
        names = host.names(folder)
    except evidence.Unanswered as error:
        if error.status == evidence.DENIED:
            raise
        # No folder, or not a folder: nothing matches.
        return []
    paths = [os.path.join(folder, name) for name in names if matches(os.fsencode(name))]
    return paths if last else [path for path in paths if _is_there(host, path)]


def _is_there(host, path):
    try:
        host.stat(path, follow=False)
    except evidence.Unanswered as error:
        if error.status == evidence.DENIED:
            raise
        return False
    return True


def _component(part):
    """Return the compiled form of one component (bytes) of a glob(7) pattern."""
    made, at = b"", 0
    while at < len(part):
        byte = part[at:at + 1]
        at += 1
        if byte == b"*":
            made += b".*"
        elif byte == b"?":
            made += b"."
        elif byte == b"\\" and at < len(part):
            made += re.escape(part[at:at + 1])
            at += 1
        elif byte == b"[":
            made, at = _bracket(part, at, made)
        else:
            made += re.escape(byte)
    hidden = b"" if part.startswith((b".", b"\\.")) else rb"(?!\.)"
    return re.compile(hidden + made + rb"\Z", re.DOTALL)


def _bracket(part, at, made):
    """Add a bracket expression that begins before at; without an end it is an ordinary "["."""
    inverted = part[at:at + 1] in (b"!", b"^")
    first = at + inverted
    end = part.find(b"]", first + 1)
    if end < 0:
        return made + rb"\[", at
    members = part[first:end].replace(b"\\", b"\\\\").replace(b"[", b"\\[").replace(b"]", b"\\]").replace(b"^", b"\\^")
    expression = b"[" + (b"^" if inverted else b"") + members + b"]"
    try:
        re.compile(expression)
    except re.error:
        # A range that runs backwards matches nothing.
        expression = b"(?!)"
    return made + expression, end + 1


class _Loader:
    """Reads files once each, in the order in which nginx opens them."""

    def __init__(self, host, conf_prefix, parsed):
        self.host = host
        self.conf_prefix = conf_prefix
        self.parsed = parsed
        self.files = {}
        self.includes = []
        self.hidden = []
        self.truncated = False
        self.left = MAX_ALL

    def load(self, conf_path):
        waiting = [conf_path]
        while waiting:
            path = waiting.pop()
            if path in self.files:
                continue
            if len(self.files) >= MAX_FILES or self.left <= 0:
                self._cut("only {0} files and {1} bytes were read".format(len(self.files), MAX_ALL - self.left))
                return
            raw = self._read(path)
            if raw is None:
                continue
            self.parsed[path] = nginx_text.read(raw)
            waiting.extend(reversed(self._followed(path)))

    def _cut(self, why):
        self.truncated = True
        self.hidden.append(why)

    def _read(self, path):
        """Record one file and return its bytes, or None."""
        entry = {"path": path, "real_path": path, "status": evidence.OK, "why": "", "truncated": False, "managed": ""}
        self.files[path] = entry
        try:
            entry.update(_metadata(self.host.stat(path)))
            entry["real_path"] = _real_path(self.host, path)
            raw, entry["truncated"] = self.host.read(path, min(MAX_FILE, self.left))
        except evidence.Unanswered as error:
            entry.update(status=error.status, why=error.why)
            return None
        if entry["truncated"]:
            self._cut("{0} is larger than what was read".format(text.decode(os.fsencode(path))))
        self.left -= len(raw)
        entry["managed"] = managed.written_by(raw)
        entry["sha256"] = hashlib.sha256(raw).hexdigest()
        entry["data"] = base64.b64encode(raw).decode("ascii")
        return raw

    def _followed(self, path):
        """Record the includes of a file and return the paths that they lead to."""
        found = []
        for statement, _parents in self.parsed[path].walk():
            if statement.name != b"include" or len(statement.words) != 2:
                continue
            pattern = os.path.join(self.conf_prefix, os.fsdecode(statement.args[0].partition(b"\0")[0]))
            include = {"pattern": pattern, "file": path, "line": statement.line, "matches": [], "status": evidence.OK, "why": ""}
            self.includes.append(include)
            try:
                include["matches"] = expand(self.host, pattern) if _GLOB.search(pattern) else [pattern]
                if not _GLOB.search(pattern):
                    self.host.stat(pattern)
            except evidence.Unanswered as error:
                include.update(status=error.status, why=error.why)
            except ValueError:
                include.update(status=evidence.ERROR, why="not a path", matches=[])
            found += include["matches"][:MAX_FILES + 1]
        return found


def _metadata(status):
    return {
        "size": status.st_size,
        "mtime": status.st_mtime,
        "ctime": status.st_ctime,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mode": "{0:04o}".format(stat.S_IMODE(status.st_mode)),
    }


def _real_path(host, path):
    real = os.path.realpath(host.path(path))
    return real[len(host.root):] if real.startswith(host.root + "/") else real


def _accounts(host, path):
    """Yield the fields of an account file; nothing when it cannot be read."""
    try:
        raw = host.read(path, MAX_ACCOUNTS)[0]
    except evidence.Unanswered:
        return
    for line in raw.decode("utf-8", "surrogateescape").split("\n"):
        yield line.split(":")


def _users(host):
    users = {}
    for fields in _accounts(host, "/etc/passwd"):
        if len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():
            users.setdefault(fields[0], [int(fields[2]), int(fields[3])])
    return users


def _groups(host):
    groups = {}
    for fields in _accounts(host, "/etc/group"):
        if len(fields) > 3 and fields[2].isdigit():
            groups.setdefault(fields[0], [int(fields[2]), [name for name in fields[3].split(",") if name]])
    return groups
