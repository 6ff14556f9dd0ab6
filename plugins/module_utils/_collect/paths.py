# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to each Unix socket of the configuration: every folder and link on it, with its permissions.

As path_resolution(7), in the mount namespace and below the root of nginx. POSIX ACLs are decoded from
system.posix_acl_access (linux/posix_acl_xattr.h), the SELinux label is security.selinux.

This module is private to the collection.
"""

import errno
import os
import stat
import struct

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "paths"
ASKED = "lstat, readlink and getxattr on the way to each socket"

MAX_PATHS = 500
MAX_LINKS = 40
SECONDS = 10.0

_ACL_VERSION = 2
_ACL_TAGS = {0x01: "owner", 0x02: "user", 0x04: "owning_group", 0x08: "group", 0x10: "mask", 0x20: "other"}
_NAMED = (0x02, 0x08)


def collect(host, nginx):
    """Return the `paths` value of docs/architecture.md as a Partial. nginx is the value of that answer."""
    answers, hidden, truncated = {}, [], False
    for instance in nginx["instances"]:
        wanted = sorted(passes.sockets(instance) - set(answers))
        room = max(0, MAX_PATHS - len(answers))
        truncated = truncated or len(wanted) > room
        wanted = wanted[:room]
        if not wanted:
            continue
        try:
            answers.update(_walk_where(host, instance["master"], wanted))
        except evidence.Unanswered as error:
            hidden.append("{0}: {1}".format(instance["id"], error.why))
            answers.update((path, _answer(error.status, [], error.why)) for path in wanted)
    return evidence.Partial(answers, truncated, hidden)


def _walk_where(host, master, wanted):
    if master is None or not master["own_root"] and master["mnt"] in ("", _inside.namespace("self", "mnt")):
        return walk_all(host, wanted)
    return _inside.call(walk_there, (wanted,), pid=master["pid"], timeout=SECONDS)


def walk_there(wanted):
    """Return walk_all() of the place that a child of ours has entered."""
    return walk_all(_host.Host(), wanted)


def walk_all(host, wanted):
    """Return {path: answer}."""
    users, groups = _processes.user_names(host), _processes.group_names(host)
    return {path: walk(host, path, users, groups) for path in wanted}


def walk(host, path, users, groups):
    """Return the answer for one path; users and groups are {id: name}."""
    if not path.startswith("/"):
        return _answer(evidence.ERROR, [], "the path is relative to nginx's working directory")
    steps, links = [], 0
    at, waiting = "/", [part for part in reversed(path.split("/")) if part not in ("", ".")]
    while True:
        try:
            step = _step(host, at, users, groups)
        except evidence.Unanswered as error:
            missing = text.harmless(at, 4096) if error.status == evidence.ABSENT else ""
            return _answer(error.status, steps, error.why, missing)
        except ValueError as error:
            return _answer(evidence.ERROR, steps, str(error))
        steps.append(step)
        if step["type"] == "link":
            links += 1
            if links > MAX_LINKS:
                return _answer(evidence.ERROR, steps, os.strerror(errno.ELOOP))
            target = host.link(at)
            step["target"] = text.harmless(text.decode(os.fsencode(target)), 4096)
            waiting.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
            at = "/" if target.startswith("/") else os.path.dirname(at)
        if not waiting:
            return _answer(evidence.OK, steps)
        part = waiting.pop()
        at = os.path.dirname(at) if part == ".." else os.path.join(at, part)


def _step(host, path, users, groups):
    status = host.stat(path, follow=False)
    return {
        "path": text.harmless(text.decode(os.fsencode(path)), 4096),
        "type": _kind(status.st_mode),
        "mode": "{0:04o}".format(stat.S_IMODE(status.st_mode)),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "user": text.harmless(users.get(status.st_uid, str(status.st_uid)), 256),
        "group": text.harmless(groups.get(status.st_gid, str(status.st_gid)), 256),
        "acl": decode_acl(_attribute(host, path, "system.posix_acl_access")),
        "label": text.harmless(text.decode(_attribute(host, path, "security.selinux").rstrip(b"\0")), 256),
        "target": "",
    }


def _kind(mode):
    for test, kind in ((stat.S_ISDIR, "dir"), (stat.S_ISSOCK, "socket"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "link")):
        if test(mode):
            return kind
    return "other"


def _attribute(host, path, name):
    """Return an extended attribute, b"" when there is none."""
    try:
        return os.getxattr(host.path(path), name, follow_symlinks=False)
    except OSError:
        # ENODATA, or a file system without them. What may be looked up may be asked for these.
        return b""


def decode_acl(raw):
    """Return [{"tag", "id", "perm"}] of an access ACL as the kernel gives it, or None when there is none."""
    if len(raw) < 4 or struct.unpack_from("<I", raw)[0] != _ACL_VERSION or (len(raw) - 4) % 8:
        return None
    entries = []
    for tag, bits, number in struct.iter_unpack("<HHI", raw[4:]):
        perm = "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append({"tag": _ACL_TAGS.get(tag, "other"), "id": number if tag in _NAMED else None, "perm": perm})
    return entries


def _answer(status, steps, why="", missing=""):
    return {"status": status, "why": text.harmless(why, 500), "missing": missing, "walk": steps}
