# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May the nginx worker reach a Unix socket? Computed from its real ids, as the kernel does.

Sources: path_resolution(7) for the directories, unix(7) for the socket, acl(5) "ACCESS CHECK
ALGORITHM" for POSIX ACLs.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Leg


@dataclass(frozen=True)
class Denial:
    """The first step of a socket's path that denies the worker.

    path is that step, what its permissions in words, directory whether it lies above the socket, acl
    whether an ACL decided; certainty is "proven" when a connection as the worker was denied too.
    outdated is whether workers that are started now would get there: their user was put into a group since these were started.
    """

    path: str
    what: str
    directory: bool
    acl: bool
    who: str
    user: str
    certainty: str
    outdated: bool = False


def denial(leg: Leg) -> Denial | None:
    """Return what denies the worker on a leg; None when nothing does, or the permissions do not explain it."""
    walk = leg.walk
    # A folder may deny the worker on the way to what root sees is not there: then the connection is denied.
    if not walk or leg.connect not in ("", "denied") or walk["status"] not in (("ok", "absent") if leg.connect else ("ok",)):
        return None
    identity = leg.instance.identity
    if identity.get("uid") is None:
        return None
    steps = [step for step in walk["walk"] if step["type"] != "link"]
    for step in steps:
        is_socket = step is steps[-1] and step["type"] != "dir"
        if not allowed(step, identity, "w" if is_socket else "x"):
            later = {**identity, "groups": leg.instance.raw.get("groups_after_reload") or ()}
            user = identity.get("user") or str(identity["uid"])
            return Denial(
                path=step["path"],
                what=in_words(step),
                directory=not is_socket,
                acl=bool(step.get("acl")),
                who=f"{user} (uid {identity['uid']})",
                user=user,
                certainty="proven" if leg.connect == "denied" else "likely",
                outdated=walk["status"] == "ok" and all(allowed(one, later, "w" if one is steps[-1] else "x") for one in steps),
            )
    return None


def allowed(step: dict, identity: dict, wanted: str) -> bool:
    """Return whether ids have a permission ("r", "w" or "x") on a step of a path walk."""
    uid = identity["uid"]
    if uid == 0:
        return True
    groups = {identity.get("gid"), *(identity.get("groups") or ())}
    entries = step.get("acl") or _mode_entries(step)
    mask = next((entry["perm"] for entry in entries if entry["tag"] == "mask"), "rwx")
    if uid == step["uid"]:
        return wanted in _perm(entries, "owner")
    for entry in entries:
        if entry["tag"] == "user" and entry["id"] == uid:
            return wanted in entry["perm"] and wanted in mask
    matching = [entry for entry in entries if entry["tag"] == "owning_group" and step["gid"] in groups or entry["tag"] == "group" and entry["id"] in groups]
    if matching:
        return wanted in mask and any(wanted in entry["perm"] for entry in matching)
    return wanted in _perm(entries, "other")


def _mode_entries(step: dict) -> list[dict]:
    mode = int(step["mode"], 8)
    names = (("owner", 6), ("owning_group", 3), ("other", 0))
    return [{"tag": tag, "id": None, "perm": "".join(letter for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if mode >> shift & bit)} for tag, shift in names]


def _perm(entries: list[dict], tag: str) -> str:
    return next((entry["perm"] for entry in entries if entry["tag"] == tag), "")


def in_words(step: dict) -> str:
    """Return the owner, mode and ACL of a step as a person says them."""
    words = f"owned by {step.get('user') or step['uid']}:{step.get('group') or step['gid']} with mode {step['mode']}"
    named = [f"{entry['tag']}:{entry['id']}:{entry['perm']}" for entry in step.get("acl") or () if entry["tag"] in ("user", "group", "mask")]
    return words + (f" and ACL {','.join(named)}" if named else "")
