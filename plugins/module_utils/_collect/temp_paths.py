# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nginx puts what does not fit into memory: the way to each temporary and cache folder, and the room that is left.

The paths are those of the configuration, and those that are built in where it has none (ngx_create_paths() in
core/ngx_file.c makes them at start). They are looked at where nginx is.

This module is private to the collection.
"""

import os
import posixpath

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import paths

KEY = "temp_paths"
ASKED = "lstat, getxattr and statvfs of temporary folders"

MAX_PATHS = 100
SECONDS = 10.0

_FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi")


def collect(host, nginx):
    """Return the `temp_paths` value of docs/architecture.md as a Partial. nginx is the value of that answer."""
    value, hidden, truncated = {}, [], False
    for instance in nginx["instances"]:
        wanted = list(dict.fromkeys(_configured(instance) + _built_in(instance)))
        truncated = truncated or len(wanted) > MAX_PATHS
        wanted = wanted[:MAX_PATHS]
        try:
            seen = _look_where(host, instance["master"], sorted({path for _directive, path in wanted}))
        except evidence.Unanswered as error:
            hidden.append("{0}: {1}".format(instance["id"], error.why))
            continue
        value[instance["id"]] = [dict(seen[path], directive=directive, path=text.harmless(path, 4096)) for directive, path in wanted]
    return evidence.Partial(value, truncated, hidden)


def _configured(instance):
    """Return [(directive, path)] of the configuration."""
    found = []
    for statement, _parents in passes.statements(instance):
        name = text.decode(statement.name)
        if statement.args and (name == "client_body_temp_path" or name.endswith(("_temp_path", "_cache_path")) and name.split("_")[0] in _FAMILIES):
            path = text.decode(statement.args[0])
            if "$" not in path and text.MARK not in path and path != "off":
                found.append((name, _absolute(instance, path)))
    return found


def _built_in(instance):
    """Return [(directive, path)] of the build, for the directives that http{} itself does not set."""
    build = instance["build"]["value"] if instance["build"]["status"] == evidence.OK else None
    if build is None:
        return []
    said = dict(word.partition("=")[::2] for word in build["arguments"])
    set_for_all = {text.decode(statement.name) for statement, parents in passes.statements(instance) if parents and parents[-1].name == b"http"}
    found = []
    for directive, option, default in [("client_body_temp_path", "--http-client-body-temp-path", "client_body_temp")] + [
        ("{0}_temp_path".format(family), "--http-{0}-temp-path".format(family), "{0}_temp".format(family)) for family in _FAMILIES
    ]:
        if directive not in set_for_all and "--without-http_{0}_module".format(directive.split("_")[0]) not in said:
            found.append((directive, _absolute(instance, said.get(option) or default)))
    return found


def _absolute(instance, path):
    return posixpath.normpath(posixpath.join(instance["prefix"] or "/", path))


def _look_where(host, master, wanted):
    if master is None or not master["own_root"] and master["mnt"] in ("", _inside.namespace("self", "mnt")):
        return look(host, wanted)
    return _inside.call(_look_there, (wanted,), pid=master["pid"], timeout=SECONDS)


def _look_there(wanted):
    return look(_host.Host(), wanted)


def look(host, wanted):
    """Return {path: {"walk": answer, "space": {...} or None}}."""
    walks = paths.walk_all(host, wanted)
    return {path: {"walk": walks[path], "space": _space(host, path)} for path in wanted}


def _space(host, path):
    """Return what is left for a user who is not root, or None when the folder cannot be asked."""
    try:
        found = os.statvfs(host.path(path))
    except OSError:
        return None
    return {
        "bytes": found.f_bavail * found.f_frsize,
        # Some file systems make inodes as they need them and count none.
        "inodes": found.f_favail if found.f_files else None,
        "read_only": bool(found.f_flag & os.ST_RDONLY),
    }
