# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Unix socket is opened to the nginx worker, and to as few others as possible, as items of the role socket_access; and why not.

A folder is opened to the worker's user alone, by an access list, and only where nobody but root can put another folder in its place.
A socket is given a group of the worker and the mode 0660, by whoever makes it: PHP-FPM's pool, a systemd socket, or the unit of the
program, which keeps its own group beside it. What already serves somebody else by its group is left to a person, and so is what
somebody else than root has nginx ask for: it would be opened to him.

This module is private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access, owners, servers, settings, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_FOLDER = re.compile(r"/[A-Za-z0-9_./@+-]{1,1000}", re.ASCII)
# What is below is made anew at each boot.
_VOLATILE = ("/run/", "/var/run/", "/tmp/", "/var/tmp/", "/dev/shm/")


@dataclass(frozen=True)
class Opening:
    """How the worker gets to a socket.

    items    of socket_access_changes; () where a person has to do it
    how      what they do, in words
    why_not  why there are none, or ""
    """

    items: tuple[dict, ...] = ()
    how: str = ""
    why_not: str = ""


def opening(host: Host, leg: Leg) -> Opening:
    """Return how every step of the way to the socket of a leg is opened to the worker; there is one at least that denies it."""
    identity = leg.instance.identity
    stranger = leg.instance.stranger(leg.route.at.file) or leg.instance.stranger(leg.peer.at.file)
    if stranger:
        return Opening(why_not=f"{stranger} would get at whatever nginx is made to ask for")
    steps = [step for step in leg.walk["walk"] if step["type"] != "link"]
    items, words = [], []
    for index, step in enumerate(steps):
        is_socket = index == len(steps) - 1 and step["type"] != "dir"
        if access.allowed(step, identity, "w" if is_socket else "x"):
            continue
        found = _socket(host, leg, step) if is_socket else _folder(host, leg, steps[: index + 1])
        if found.why_not:
            return found
        items += found.items
        words.append(found.how)
    return Opening(tuple(items), "; ".join(words))


def _folder(host: Host, leg: Leg, steps: list[dict]) -> Opening:
    """Return how the last of some folders is opened, for the user alone to whom it is closed."""
    step, user = steps[-1], leg.instance.identity.get("user") or ""
    path, others = step["path"], step.get("acl") or ()
    if not _NAME.fullmatch(user) or not _FOLDER.fullmatch(path):
        return Opening(why_not=f"{path} or {user} is no plain name")
    if (path + "/").startswith("/root/"):
        return Opening(why_not="the home of root is not opened; move the socket below /run")
    if any(_replaceable(above) for above in steps[:-1]):
        return Opening(why_not=f"others than root can put another folder in the place of {path}; move the socket below /run")
    if any(entry["tag"] == "mask" and "x" not in entry["perm"] for entry in others):
        return Opening(why_not=f"the mask of the access list of {path} would have to be opened, and with it other entries")
    folder = {"path": path, "user": user}
    if (path + "/").startswith(_VOLATILE):
        unit = _unit_that_makes(host, leg, path)
        if not unit:
            return Opening(why_not=f"{path} is made anew at each boot, and what makes it is not known")
        folder["unit"] = unit
    return Opening(({"directory": folder},), f"let {user} alone cross {path}, by an access list")


def _replaceable(folder: dict) -> bool:
    """Return whether others than root can replace what is in a folder."""
    return folder["uid"] != 0 or bool(int(folder["mode"], 8) & 0o022)


def _unit_that_makes(host: Host, leg: Leg, path: str) -> str:
    """Return the unit of the leg's backend whose RuntimeDirectory= a folder is, or ""."""
    units = {process.unit for listener in leg.listeners for process in listener.processes}
    for name in sorted(units):
        made = starting.unit_named(host, name).get("runtime_directory") or ()
        if starting.UNIT.fullmatch(name) and path in [f"/run/{folder}" for folder in made]:
            return name
    return ""


def _socket(host: Host, leg: Leg, step: dict) -> Opening:
    group = _group(host, leg)
    named = [owner for owner in host.owners if owner.claim_on(leg.endpoint)]
    if leg.endpoint.path != step["path"] and leg.endpoint.plain_path != step["path"]:
        return Opening(why_not="its path leads elsewhere by a link")
    server = servers.server_of(host, leg)
    if server and server.kind == "php-fpm" and server.pool:
        return _of_pool(host, leg, step, server.pool, group)
    by_socket = next((owner for owner in named if owner.name.endswith(".socket")), None)
    if by_socket:
        return _of_socket_unit(host, leg, step, by_socket, group)
    main = [owner for owner in named if owner.kind == "systemd unit" and _runs(owner, leg)]
    if len(main) != 1:
        return Opening(why_not="no unit is known whose own program makes the socket")
    return _of_unit(host, leg, step, main[0], server, group)


def _runs(owner: owners.Owner, leg: Leg) -> bool:
    """Return whether the main process of a unit holds the socket of a leg."""
    return any(process.pid in owner.pids for listener in leg.listeners for process in listener.processes)


def _group(host: Host, leg: Leg) -> str:
    """Return the first group of the worker, by its name where a path on the host has one."""
    gid = leg.instance.identity["gid"]
    walks = (host.answer("paths")["value"] or {}).values()
    names = {step["group"] for walk in walks for step in walk["walk"] if step["gid"] == gid and _NAME.fullmatch(step.get("group") or "")}
    return names.pop() if len(names) == 1 else str(gid)


def _group_writes(step: dict) -> bool:
    """Return whether the socket's own group may write."""
    entry = next((entry["perm"] for entry in step.get("acl") or () if entry["tag"] == "owning_group"), None)
    return "w" in entry if entry is not None else bool(int(step["mode"], 8) & 0o020)


def _in_use(step: dict) -> str:
    """Return why the group of a socket is not taken from it, or ""; the private group of its owner is used by nobody else."""
    if step["gid"] == 0 or not _group_writes(step) or step.get("group") == step.get("user"):
        return ""
    return f"its group {step.get('group') or step['gid']} may use it already and would lose it"


def _of_pool(host: Host, leg: Leg, step: dict, pool: dict, group: str) -> Opening:
    identity = leg.instance.identity
    if pool.get("acl_users") or pool.get("acl_groups"):
        users = [*(pool.get("acl_users") or ()), identity.get("user") or ""]
        if not all(_NAME.fullmatch(user) for user in users):
            return Opening(why_not="its access list holds more than plain names")
        options, how = [{"name": "listen.acl_users", "value": ",".join(users)}], f"add {users[-1]} to listen.acl_users of pool {pool['name']}"
    else:
        options, how = [{"name": "listen.mode", "value": "0660"}], f"set listen.mode = 0660 in pool {pool['name']}"
        if step["uid"] != identity["uid"] and step["gid"] not in {identity["gid"], *identity["groups"]}:
            why_not = _in_use(step)
            if why_not:
                return Opening(why_not=why_not)
            options.insert(0, {"name": "listen.group", "value": group})
            how = f"set listen.group = {group} and listen.mode = 0660 in pool {pool['name']}"
    found = settings.of_pool(host, pool, options, "restart")
    if not found.item:
        return Opening(why_not=found.why_not)
    # An owner, group or mode is given to a socket when it is made; a reload keeps the one that is there.
    return Opening(({"option": {**found.item, **starting.waited_for(leg.endpoint)}},), f"{how}, and restart {found.item['unit']}")


def _of_socket_unit(host: Host, leg: Leg, step: dict, owner: owners.Owner, group: str) -> Opening:
    unit = starting.unit_named(host, owner.name)
    why_not = _in_use(step) if step["gid"] not in {leg.instance.identity["gid"], *leg.instance.identity["groups"]} else ""
    if why_not or not starting.UNIT.fullmatch(owner.name) or unit.get("load") != "loaded":
        return Opening(why_not=why_not or f"systemd tells nothing of {owner.name}")
    above = [other for other in leg.walk["walk"] if other["type"] == "dir"]
    if not _FOLDER.fullmatch(step["path"]) or any(_replaceable(other) for other in above):
        return Opening(why_not=f"others than root can put another file in the place of {step['path']}")
    item = {"unit": owner.name, "path": step["path"], "group": group}
    return Opening(({"socket": item},), f"give {owner.name} SocketGroup={group} and SocketMode=0660, and its socket the same now")


def _of_unit(host: Host, leg: Leg, step: dict, owner: owners.Owner, server: servers.Server | None, group: str) -> Opening:
    unit = starting.unit_named(host, owner.name)
    why_not = _in_use(step) if step["gid"] not in {leg.instance.identity["gid"], *leg.instance.identity["groups"]} else ""
    if not starting.UNIT.fullmatch(owner.name) or unit.get("load") != "loaded" or unit.get("user") in (None, "", "root", "0"):
        why_not = why_not or f"{owner.name} runs as root, which may give its socket away itself"
    kept = step.get("group") or str(step["gid"])
    if why_not or not _NAME.fullmatch(kept):
        return Opening(why_not=why_not or f"{kept} is no plain name")
    at = starting.waited_for(leg.endpoint)
    item = {"unit": owner.name, "group": group, "keep": [] if kept in ("root", group) else [kept], **at}
    words = f"give {owner.name} Group={group} beside its own group"
    if _group_writes(step):
        return Opening(({"service": item},), f"{words}, and restart it")
    if server and server.kind == "gunicorn":
        # It sets its own umask, 0 unless it is told another one (gunicorn/sock.py).
        item["command"] = {"program": "gunicorn", "option": "--umask", "aliases": ["-m"], "value": "007"}
        return Opening(({"service": item},), f"{words} and gunicorn --umask 007, and restart it")
    if server and server.kind == "uwsgi" and server.seen.get("files"):
        files = server.seen["files"]
        if len(files) != 1 or not files[0].endswith(".ini") or not _FOLDER.fullmatch(files[0]):
            return Opening(why_not="chmod-socket is not in one ini file")
        item["ini"] = {"file": files[0], "section": "uwsgi", "options": [{"name": "chmod-socket", "value": "660"}]}
        return Opening(({"service": item},), f"{words}, set chmod-socket = 660 in {files[0]}, and restart it")
    return Opening(({"service": {**item, "umask": True}},), f"{words} and UMask=0007, and restart it")
