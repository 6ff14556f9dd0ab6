#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a temporary folder of nginx to its worker."""

DOCUMENTATION = r"""
module: nginx_temp_path
short_description: Give a temporary folder of nginx to its worker
version_added: 0.3.0
description:
  - Makes the folder of a C(*_temp_path) or C(*_cache_path) belong to the user of nginx's workers, with read, write and search permission for that user,
    and makes it when it is not there. This is what nginx does at its start.
  - The same is done for the folders below it that nginx made itself - up to three levels of names with one to three hexadecimal digits - which nginx
    does not do. Nothing else in the folder is touched, and no file.
  - Group, other permissions, ACL and security label stay as they are.
  - No link is followed that others than root could have made, and a folder that somebody else could exchange meanwhile is refused.
  - What is changed can be undone with M(webops.bad_gateway.checkpoint). A folder that was made stays, as nginx would make it again.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Written for Linux. It reads C(/proc).
options:
  path:
    description: The folder. The one above it must be there.
    type: path
    required: true
  user:
    description: Name or uid of the user that nginx's workers run as.
    type: str
    required: true
  checkpoint:
    description:
      - Id of the open checkpoint of M(webops.bad_gateway.checkpoint) to join. Without one the module makes a checkpoint of its own, which is confirmed
        when it is done, and undone when it fails.
    type: str
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.checkpoint
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Let nginx's workers write request bodies to their folder
  webops.bad_gateway.nginx_temp_path:
    path: /var/lib/nginx/body
    user: www-data
  become: true
"""

RETURN = r"""
folders:
  description: The folders that were changed or made, or would be in check mode, innermost first.
  type: list
  elements: str
  returned: success
  sample: [/var/lib/nginx/body/1, /var/lib/nginx/body]
checkpoint:
  description: Id of the checkpoint that holds what was there before. Empty in check mode, and where nothing was changed.
  type: str
  returned: success
  sample: 20261127T020900-3fa2
"""

import os
import pwd
import re
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

# Levels and characters of ngx_create_hashed_filename() in nginx's core/ngx_file.c: three levels of one to three characters.
LEVELS = 3
MAX_FOLDERS = 20000
MAX_SHOWN = 100
_HASHED = re.compile(r"[0-9a-f]{1,3}\Z")
_OWN = stat.S_IRUSR | stat.S_IWUSR | stat.S_IXUSR
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Failed(Exception):
    """Why nothing is done."""


def uid_of(user):
    """Return the uid of a name or number. Raises Failed."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        if re.match(r"[0-9]{1,9}\Z", user):
            return int(user)
    raise Failed("there is no user {0}".format(user))


def wanted(path, uid):
    """Return [(real path, STATE of before, STATE of after)] of what is to be changed, innermost first. Raises Failed, Refused and OSError."""
    with files.find(path) as place:
        state, _held = files.look(place)
        if state["kind"] == "absent":
            return [(place.path, state, {"kind": "folder", "mode": 0o700, "uid": uid, "gid": os.getegid(), "xattrs": None})]
        if state["kind"] != "folder":
            raise Failed("{0} is no folder".format(files.shown(place.path)))
        found = []
        top = os.open(place.name, _FOLDER, dir_fd=place.folder)
        try:
            _below(top, place.path, os.fstat(top).st_dev, LEVELS, found)
        finally:
            os.close(top)
    changes = []
    for one in found + [place.path]:
        with files.find(one, follow=False) as here:
            before, _held = files.look(here)
        after = dict(before, uid=uid, mode=before.get("mode", 0) | _OWN, xattrs=None)
        if before["kind"] == "folder" and (before["uid"], before["mode"]) != (after["uid"], after["mode"]):
            changes.append((one, before, after))
    return changes


def _below(folder, path, device, levels, found):
    """Add the paths of the folders that nginx made below an open one, innermost first."""
    for name in sorted(os.listdir(folder)):
        if not _HASHED.match(name):
            continue
        try:
            inner = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:
            # No folder, or it is gone.
            continue
        try:
            if os.fstat(inner).st_dev != device:
                continue
            if levels > 1:
                _below(inner, path + "/" + name, device, levels - 1, found)
            found.append(path + "/" + name)
            if len(found) > MAX_FOLDERS:
                raise Failed("more than {0} folders in it".format(MAX_FOLDERS))
        finally:
            os.close(inner)


def change(changes, point):
    """Do it, each folder after it was saved."""
    for path, before, after in changes:
        if before["kind"] != "absent":
            point.save_file(path)
        with files.find(path, follow=False) as place:
            if before["kind"] == "absent":
                files.make_folder(place, after)
            else:
                files.dress(place, after)


def described(changes, number):
    """Return one side of a diff: owner and mode of each folder."""
    lines = []
    for one in changes[:MAX_SHOWN]:
        state = one[number]
        lines.append("{0} {1}\n".format(
            text.harmless(files.shown(one[0])), "absent" if state["kind"] == "absent" else "uid={0} mode={1:04o}".format(state["uid"], state["mode"])))
    return "".join(lines)


def run(params, check, root=_checkpoint.ROOT):
    """Return the result. Raises what can go wrong."""
    uid = uid_of(params["user"])
    changes = wanted(params["path"], uid)
    result = {
        "changed": bool(changes), "folders": [text.harmless(files.shown(path)) for path, _before, _after in changes[:MAX_SHOWN]], "checkpoint": "",
        "diff": {"before": described(changes, 1), "after": described(changes, 2)},
    }
    if changes and not check:
        with _checkpoint.attach(params["checkpoint"], "nginx_temp_path", root) as point:
            change(changes, point)
        result["checkpoint"] = point.id if point.kept else ""
    return result


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "user": {"type": "str", "required": True}, "checkpoint": {"type": "str"}},
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except (Failed, files.Refused, _checkpoint.CheckpointError) as error:
        module.fail_json(msg=text.harmless(str(error), 1000))
    except OSError as error:
        module.fail_json(msg=text.harmless("{0}: {1}".format(error.filename or module.params["path"], error.strerror), 1000))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
