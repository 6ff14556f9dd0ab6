# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nginx worker cannot write its temporary files.

## What it is
A request body that is larger than client_body_buffer_size goes to a file, and so does a response that is larger than
its buffers. When the worker cannot make that file (its folder belongs to another user, is gone, read-only or full), the
request gets a 500 before it reaches the backend, and the response is cut short while its status stays that of the backend.

## How it is recognised
The way to each temporary and cache folder is walked as nginx sees it, and its permissions are computed for the
worker's ids. A denied, missing, read-only or full folder is proven by its state. It is a cause where the error log
says that it failed, otherwise a risk. "No space left" in the log alone is likely: the file that did not fit is gone.

## Fix
Give the folder, and those that nginx made in it, back to the worker's user: nginx does so with the folder itself at a
start or reload. Safe: it restores what nginx made. What is full, read-only, closed further up or in a container is for a person,
and so is a folder that another user than root names: in his own nginx, or in a file of the configuration that is his.

## When it stays silent
The worker may write there, by its user, its group or an ACL; or the folder is one that no route uses.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access, limits
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import SAFE, Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_group

_CLASSES = ("temp-file-denied", "temp-file-missing", "temp-file-failed", "disk-full", "disk-read-only")
# What is written to a file at once (a request body comes in pieces of client_body_buffer_size): with less than a few of them no file fits.
_FULL_BYTES = 65536


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each folder that a worker needs and cannot write to."""
    folders = host.answer("temp_paths")["value"] or {}
    for instance in host.instances:
        if not instance.running or instance.identity.get("uid") is None:
            continue
        routes = [route for route in host.routes if route.instance == instance.id and route.family != "stream"]
        for folder in folders.get(instance.id) or ():
            used = not _replaced(instance, folder) and any(_may_use(route, folder["directive"]) for route in routes)
            found = _folder(host, instance, folder) if used else None
            if found:
                yield found


def _replaced(instance: Instance, folder: dict) -> bool:
    """Return whether a folder is the built-in one of a directive that http{} sets to another, as in a file that it includes: nginx does not even make it."""
    around = instance.configuration.blocks("http")
    return not _written(instance, folder) and any(True for block in around for _statement in block.named(folder["directive"]))


def _may_use(route: Route, directive: str) -> bool:
    """Return whether requests of a route, or their responses, can come to lie in the folder of a directive."""
    if directive == "client_body_temp_path":
        buffers = route.value("request_buffering")
        return buffers is None or buffers.flag is not False
    if directive.split("_")[0] != route.family:
        return False
    if directive.endswith("_cache_path"):
        return True
    buffers, most = route.value("buffering"), route.value("max_temp_file_size")
    return (buffers is None or buffers.flag is not False) and (most is None or most.size != 0)


def _folder(host: Host, instance: Instance, folder: dict) -> Finding | None:
    path = folder["path"]
    groups = [group for group in limits.logged(host, instance, *_CLASSES) if f'"{path.rstrip("/")}/' in (group.get("sample") or "")]
    problem, certainty = _problem(host, instance, folder), PROVEN
    if not problem and any(group["class"] == "disk-full" for group in groups):
        # The file that did not fit is gone, and with it the want of space.
        problem, certainty = _too_large(folder), LIKELY
    if not problem:
        return None
    what, shown, fix = problem
    user = instance.identity.get("user") or instance.identity["uid"]
    if folder["directive"] == "client_body_temp_path":
        effect = "a request with a body larger than client_body_buffer_size gets a 500"
    else:
        effect = "a response larger than its buffers is cut short, with the status of the backend"
    at = _written(instance, folder)
    evidence = [Evidence(str(at) if at else "nginx build", f"{folder['directive']} {path}"), shown]
    return on_instance(
        RULE.id,
        instance,
        CAUSE if groups else RISK,
        certainty,
        f"nginx's worker ({user}) cannot write to {path}: {what}; {effect}.",
        evidence + [show_group(group) for group in groups[:2]],
        fix,
        _look(folder, shown),
        at=at,
    )


def _look(folder: dict, shown: Evidence) -> str:
    """Return the command that shows a person what is wrong with a folder."""
    path = shlex.quote(folder["path"])
    if shown.from_.startswith("stat "):
        return f"namei -l {path}"
    return f"df -i {path}" if (folder["space"] or {}).get("inodes") == 0 else f"df -h {path}"


def _too_large(folder: dict) -> tuple[str, Evidence, Fix] | None:
    space = folder["space"]
    if not space:
        return None
    left = f"{space['bytes'] >> 10} KiB"
    fix = by_hand("Give its file system more room, or the folder another file system.")
    return f"a file did not fit on its file system, which has {left} left now", Evidence(f"statvfs {folder['path']}", f"{left} free"), fix


def _problem(host: Host, instance: Instance, folder: dict) -> tuple[str, Evidence, Fix] | None:
    """Return (what is wrong, what shows it, the fix) of a folder, or None."""
    walk, path = folder["walk"], folder["path"]
    reload = f"Reload nginx, which makes it anew: {_docking.reload_command(host, instance)}"
    if walk["status"] == "absent":
        missing = walk.get("missing") or path
        itself = missing == path
        fix = by_hand(f"Make {missing} again.")
        if itself:
            fix = _give(instance, folder, reload)
        return f"{missing} does not exist", Evidence(f"stat {missing}", "No such file or directory"), fix
    if walk["status"] != "ok":
        return None
    steps = [step for step in walk["walk"] if step["type"] != "link"]
    for step in steps:
        last = step is steps[-1]
        if not all(access.allowed(step, instance.identity, wanted) for wanted in ("wx" if last else "x")):
            what = access.in_words(step)
            user = shlex.quote(str(instance.identity.get("user") or instance.identity["uid"]))
            if last:
                summary = f"chown {user} {shlex.quote(path)} && chmod u+rwx {shlex.quote(path)} (a reload of nginx does the same)"
                return f"it is {what}", Evidence(f"stat {path}", what), _give(instance, folder, summary)
            fix = by_hand(f"Let {user} cross {step['path']}, or move {folder['directive']} elsewhere.")
            return f"{step['path']} above it is {what}", Evidence(f"stat {step['path']}", what), fix
    space = folder["space"] or {}
    if space.get("read_only"):
        fix = by_hand("See why the file system is read-only (an error of the disk, or how it is mounted).")
        return "its file system is read-only", Evidence(f"statvfs {path}", "read-only"), fix
    if space and (space["bytes"] < _FULL_BYTES or space["inodes"] == 0):
        what = "no space" if space["bytes"] < _FULL_BYTES else "no inode"
        fix = by_hand("Make room on that file system.")
        return f"its file system has {what} left", Evidence(f"statvfs {path}", f"{space['bytes']} bytes, {space['inodes']} inodes free"), fix
    return None


def _give(instance: Instance, folder: dict, summary: str) -> Fix:
    """Return the fix that makes a folder the worker's."""
    at, path = _written(instance, folder), folder["path"]
    if (instance.raw.get("master") or {}).get("own_root"):
        return by_hand(f"In its container: {summary}")
    stranger = instance.stranger(at.file if at else "")
    if stranger:
        return by_hand(f"{summary}. By hand: {stranger} decides which folder it is.")
    user = instance.identity.get("user") or instance.identity["uid"]
    return Fix(remedy="temp_path_owner", safety=SAFE, summary=summary, changes=({"path": path, "user": str(user)},))


def _written(instance: Instance, folder: dict) -> Place | None:
    """Return where the folder is written in the configuration, or None where it is built in."""
    path = folder["path"]
    named = (statement for statement in instance.configuration.everywhere() if statement.name == folder["directive"] and statement.args)
    return next((statement.at for statement in named if path.endswith(statement.args[0].rstrip("/"))), None)


RULE = Rule(
    id="proxy-temp-permission",
    title="nginx cannot write its temporary files",
    needs=("nginx", "error_log", "temp_paths"),
    check=check,
)
