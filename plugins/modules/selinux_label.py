#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give what is there at a path another SELinux type."""

DOCUMENTATION = r"""
module: selinux_label
short_description: Give a socket, folder or file another SELinux type
version_added: 0.4.0
description:
  - Sets the type in the SELinux label of what is at a path. User, role and level stay as they are, and so does everything else.
  - The path may be in a folder of an application's own user. It is walked folder by folder, and what was looked at is what is labelled, whatever that user
    puts there meanwhile. Nothing is labelled there that does not belong to that user, and no link, and no file that has several names.
  - The label lasts until labels are set anew, as by C(restorecon). The role P(webops.bad_gateway.selinux_fcontext#role) records it in the policy too.
  - What is changed can be undone with M(webops.bad_gateway.checkpoint).
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
      - Written for Linux with SELinux.
options:
  path:
    description: The socket, folder or file.
    type: path
    required: true
  type:
    description: The type, such as V(httpd_var_run_t).
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
- name: Let nginx use the socket of the shop
  webops.bad_gateway.selinux_label:
    path: /srv/shop/run/app.sock
    type: httpd_var_run_t
  become: true
"""

RETURN = r"""
label:
  description: The label, as it is now or would be.
  type: str
  returned: success
  sample: system_u:object_r:httpd_var_run_t:s0
checkpoint:
  description: Id of the checkpoint that holds what was there before. Empty in check mode, and where nothing was changed.
  type: str
  returned: success
  sample: 20261127T020900-3fa2
"""

import os
import re
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

ATTRIBUTE = "security.selinux"
CONTEXT = "/sys/fs/selinux/context"
_TYPE = re.compile(r"[A-Za-z0-9_]{1,255}\Z")


class Failed(Exception):
    """Why nothing is done."""


def labelled(path, kind, write=False):
    """Return (label, label with the type) of what is at a path; write: give it the second. Raises Failed, Refused and OSError."""
    shown = files.shown(path)
    with files.find(path, follow=False) as place:
        held = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
        try:
            # From here on it is this one, whatever gets its name meanwhile.
            status = os.fstat(held)
            if not (stat.S_ISSOCK(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
                raise Failed("{0} is no socket, folder or file".format(shown))
            if place.tenant is not None and status.st_uid != place.tenant:
                raise Failed("{0} does not belong to uid {1}, who decides what is there".format(shown, place.tenant))
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                raise Failed("{0} has {1} names".format(shown, status.st_nlink))
            via = "/proc/self/fd/{0}".format(held)
            before = _label(via, shown)
            parts = before.split(":", 3)
            if len(parts) < 3:
                raise Failed("{0} has a label that is none: {1}".format(shown, before))
            after = _named(":".join(parts[:2] + [kind] + parts[3:]))
            if write and after != before:
                os.setxattr(via, ATTRIBUTE, after.encode("utf-8") + b"\0")
            return before, after
        finally:
            os.close(held)


def _named(label):
    """Return a label as the kernel names it: a type may have further names. Raises Failed for one that the policy does not know."""
    try:
        held = os.open(CONTEXT, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # Without SELinux nobody names it otherwise.
        return label
    try:
        os.write(held, label.encode("utf-8") + b"\0")
        return os.read(held, 4096).rstrip(b"\0").decode("utf-8", "backslashreplace")
    except OSError:
        raise Failed("the policy does not know {0}".format(label))
    finally:
        os.close(held)


def _label(via, shown):
    try:
        return os.getxattr(via, ATTRIBUTE).rstrip(b"\0").decode("utf-8", "backslashreplace")
    except OSError as error:
        raise Failed("{0} has no label of SELinux: {1}".format(shown, os.strerror(error.errno)))


def run(params, check, root=_checkpoint.ROOT):
    """Return the result. Raises what can go wrong."""
    path, kind = params["path"], params["type"]
    if not _TYPE.match(kind):
        raise Failed("{0!r} is no type of SELinux".format(kind))
    before, after = labelled(path, kind)
    result = {
        "changed": before != after, "label": text.harmless(after), "checkpoint": "",
        "diff": {"before": text.harmless(before) + "\n", "after": text.harmless(after) + "\n"},
    }
    if before != after and not check:
        with _checkpoint.attach(params["checkpoint"], "selinux_label", root) as point:
            point.save_file(path)
            labelled(path, kind, write=True)
        result["checkpoint"] = point.id
    return result


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "type": {"type": "str", "required": True}, "checkpoint": {"type": "str"}},
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
