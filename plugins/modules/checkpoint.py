#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Save what a change will touch, keep the change, or undo it."""

DOCUMENTATION = r"""
module: checkpoint
short_description: Save what a change will touch, keep the change, or undo it
version_added: 0.3.0
description:
  - Keeps on the host what is needed to undo a change - the bytes, owner, mode, ACL and label of files, the states of units, programs, group
    memberships and containers, and the local settings of SELinux - in C(/var/lib/webops_bad_gateway), on the disk before the change is made.
  - An open checkpoint that is not confirmed in time is undone by the host itself, without the controller.
  - One checkpoint may be open on a host; it keeps a second run out. One that was left open, and whose time is over, is undone when the next is opened.
  - Files that somebody else has changed since are left as they are, and named, unless O(force) is set.
options:
  state:
    description:
      - V(open) opens a checkpoint and saves what is named.
      - V(saved) saves what is named, in the open checkpoint O(checkpoint). Without one the module makes a checkpoint of its own, which is confirmed at
        once and not watched by the host.
      - V(confirmed) keeps the change. A checkpoint under which nothing has changed is removed. For one that V(saved) had made of its own, this says that
        its changes are made, so that undoing can tell them from later ones; without it, what was changed within an hour is taken for them.
      - V(rolled_back) undoes the change, and fails when not everything is as it was afterwards.
    type: str
    choices: [open, saved, confirmed, rolled_back]
    required: true
  checkpoint:
    description:
      - Id of a checkpoint. Required when O(state=confirmed). When O(state=rolled_back), the default is the newest one that would change something;
        one that is open is undone before its time is over only when it is named, as another run may be at work under it.
    type: str
  reason:
    description: For what the checkpoint is made. It is shown to those who meet it.
    type: str
    default: ""
  confirm_within:
    description:
      - After how many seconds the host undoes a checkpoint that is opened now, unless it is confirmed. They begin anew with each task that works under it,
        so they need not be enough for the whole run, only for the longest pause in it.
    type: int
    default: 600
  paths:
    description:
      - Absolute paths of files, links and folders that will be changed or created. Of a folder, owner, mode and attributes alone are saved. A link is saved
        with the file that it leads to, and a path that is absent with the folders on the way that are absent too.
      - A path is refused that others than root, or than the one user who owns all of it, could make lead elsewhere, and so is a file with several hard links
        or one that is a mount point.
    type: list
    elements: str
    default: []
  only_root:
    description:
      - Refuse O(paths) that lie in a folder of another user. He could put a link there after they are saved, and modules that change a path as root follow it.
    type: bool
    default: false
  units:
    description: Names of systemd units whose being active or enabled will change.
    type: list
    elements: str
    default: []
  members:
    description: Memberships that will change.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: Name of the user.
        type: str
        required: true
      group:
        description: Name of the group.
        type: str
        required: true
  programs:
    description: Programs of supervisor and apps of PM2 that will be started or stopped.
    type: list
    elements: dict
    default: []
    suboptions:
      manager:
        description: What runs the program.
        type: str
        choices: [supervisor, pm2]
        required: true
      name:
        description: Name of the program or app.
        type: str
        required: true
      user:
        description: User whose PM2 it is; the default is root.
        type: str
        default: ""
      home:
        description: Its C(PM2_HOME); the default is C(.pm2) in the home of the user.
        type: str
        default: ""
      command:
        description: Its C(pm2); the default is the one in the usual folders.
        type: str
        default: ""
  containers:
    description:
      - Containers that will be started, restarted or connected to networks. Undone, one that was stopped is stopped again by its engine, and the
        networks of O(containers[].networks) in which it was not are left again. A restart is not taken back.
    type: list
    elements: dict
    default: []
    version_added: 0.4.0
    suboptions:
      engine:
        description: The Unix socket of the engine, of Docker or Podman.
        type: path
        default: /run/docker.sock
      name:
        description: Id or name of the container.
        type: str
        required: true
      networks:
        description: Names of the networks that it will be connected to. Others are none of this change.
        type: list
        elements: str
        default: []
  booleans:
    description:
      - Names of SELinux booleans that will be set. Their values in force are saved, and their local records or that they have none.
      - This, O(ports) and O(fcontexts) need the Python module C(semanage) on the host, for the interpreter that Ansible uses; without it nothing is saved,
        and the module fails. M(webops.bad_gateway.selinux_local_info) tells which package has it.
    type: list
    elements: str
    default: []
    version_added: 0.4.0
  ports:
    description: Ports whose SELinux types will be set. Their local records are saved, or that they have none.
    type: list
    elements: dict
    default: []
    version_added: 0.4.0
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
  fcontexts:
    description:
      - Patterns of paths whose SELinux labels will be set. Their local records are saved, or that they have none. The labels that paths have now are saved by
        O(paths).
    type: list
    elements: dict
    default: []
    version_added: 0.4.0
    suboptions:
      pattern:
        description: The pattern, a regular expression, as the local record has it.
        type: str
        required: true
      ftype:
        description: For which kind of file it is, as in C(semanage fcontext --ftype); V(a) is for all.
        type: str
        choices: [a, b, c, d, f, l, p, s]
        default: a
  after:
    description: What undoing must do when the files are back, if it changed anything.
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: Name of the unit. One that does not run is left so. Not needed for V(daemon-reload).
        type: str
        default: ""
      action:
        description: What to do.
        type: str
        choices: [restart, reload, daemon-reload]
        required: true
  force:
    description: When O(state=rolled_back), undo also what somebody else has changed since.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - In check mode nothing is saved, and RV(id) is O(checkpoint) or empty. With O(state=rolled_back), RV(restored) holds what would be put back, and
        RV(conflicts) what would be left.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: partial
    details:
      - When O(state=rolled_back), the difference names what is put back, without contents, which may hold secrets.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Written for Linux. Needs root.
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.checkpoint_info
"""

EXAMPLES = r"""
- name: Change a unit, or leave everything as it was
  block:
    - name: Open a checkpoint
      webops.bad_gateway.checkpoint:
        state: open
        reason: more workers for the shop
        paths: [/etc/systemd/system/shop.service.d/workers.conf]
        after:
          - {unit: shop.service, action: restart}
      register: point

    - name: Write the drop-in
      ansible.builtin.copy:
        content: |
          [Service]
          Environment=WEB_CONCURRENCY=8
        dest: /etc/systemd/system/shop.service.d/workers.conf
        mode: "0644"

    - name: Restart the shop
      ansible.builtin.systemd_service:
        name: shop.service
        state: restarted
        daemon_reload: true

    - name: Keep the change
      webops.bad_gateway.checkpoint:
        state: confirmed
        checkpoint: "{{ point.id }}"
  rescue:
    - name: Undo it
      webops.bad_gateway.checkpoint:
        state: rolled_back
        checkpoint: "{{ point.id }}"
"""

RETURN = r"""
id:
  description: Id of the checkpoint; empty when there is none (in check mode, or when there is nothing to undo).
  type: str
  returned: always
  sample: 20261127T021836-cf25
folder:
  description: Folder on the host with all that was saved.
  type: str
  returned: always
  sample: /var/lib/webops_bad_gateway/20261127T021836-cf25
armed:
  description: Whether the host undoes the checkpoint by itself when it is not confirmed in time.
  type: bool
  returned: always
watched_by:
  description: What does so, or why nothing does.
  type: str
  returned: always
  sample: webops-bad-gateway-20261127T021836-cf25.timer
expires:
  description: When, in seconds since the epoch, unless another task works under it; 0 when it does not.
  type: float
  returned: always
kept:
  description: Whether there is anything that can be undone.
  type: bool
  returned: when O(state=confirmed)
restored:
  description: What was put back.
  type: list
  elements: str
  returned: always
  sample: ["/etc/nginx/nginx.conf (content)"]
conflicts:
  description: What somebody else has changed since, and was left.
  type: list
  elements: str
  returned: always
  sample: []
unverified:
  description: What could not be put back, or be proved to be as it was.
  type: list
  elements: str
  returned: always
  sample: []
recovered:
  description: Id of a checkpoint that had been left open and was undone first; empty when there was none.
  type: str
  returned: always
  sample: ""
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _restore
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_SENTENCE = 2000

OPTIONS = {
    "state": {"type": "str", "choices": ["open", "saved", "confirmed", "rolled_back"], "required": True},
    "checkpoint": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    "confirm_within": {"type": "int", "default": _checkpoint.CONFIRM_SECONDS},
    "paths": {"type": "list", "elements": "str", "default": []},
    "only_root": {"type": "bool", "default": False},
    "units": {"type": "list", "elements": "str", "default": []},
    "members": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"user": {"type": "str", "required": True}, "group": {"type": "str", "required": True}},
    },
    "programs": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "manager": {"type": "str", "choices": ["supervisor", "pm2"], "required": True},
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "default": ""},
            "home": {"type": "str", "default": ""},
            "command": {"type": "str", "default": ""},
        },
    },
    "containers": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "engine": {"type": "path", "default": "/run/docker.sock"},
            "name": {"type": "str", "required": True},
            "networks": {"type": "list", "elements": "str", "default": []},
        },
    },
    "booleans": {"type": "list", "elements": "str", "default": []},
    "ports": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"port": {"type": "int", "required": True}, "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"}},
    },
    "fcontexts": {
        "type": "list", "elements": "dict", "default": [],
        "options": {"pattern": {"type": "str", "required": True}, "ftype": {"type": "str", "choices": sorted(_selinux_local.FTYPES), "default": "a"}},
    },
    "after": {
        "type": "list", "elements": "dict", "default": [],
        "options": {
            "unit": {"type": "str", "default": ""},
            "action": {"type": "str", "choices": ["restart", "reload", "daemon-reload"], "required": True},
        },
    },
    "force": {"type": "bool", "default": False},
}


def save(point, params):
    """Save what is named."""
    for path in params["paths"]:
        point.save_file(path, params["only_root"])
    for name in params["units"]:
        point.save_unit(name)
    for member in params["members"]:
        point.save_member(**member)
    for program in params["programs"]:
        point.save_program(**program)
    for container in params["containers"]:
        point.save_container(**container)
    point.save_settings(settings(params))
    for action in params["after"]:
        point.add_after(**action)


def settings(params):
    """Return the KEYs of _selinux_local that are named."""
    keys = [(_selinux_local.BOOLEAN, name) for name in params["booleans"]]
    keys += [(_selinux_local.PORT, item["protocol"], item["port"], item["port"]) for item in params["ports"]]
    return keys + [(_selinux_local.FCONTEXT, item["pattern"], item["ftype"]) for item in params["fcontexts"]]


def described(point):
    """Return what the result says of a checkpoint."""
    watched = point.book.last("watched") or {"armed": False, "by": ""}
    armed = watched["armed"] and point.state == _restore.OPEN and point.kept
    return {
        "id": point.id if point.kept else "",
        "folder": point.folder if point.kept else "",
        "armed": armed,
        "watched_by": watched["by"],
        "expires": time.time() + _restore.time_left(point.book) if armed else 0.0,
    }


def opened(params, root):
    """Open a checkpoint and save what is named."""
    point, recovered = _checkpoint.open_new(params["reason"], params["confirm_within"], root)
    try:
        save(point, params)
    except _checkpoint.CheckpointError:
        # Nothing was changed yet, and nobody knows its id.
        point.abandon()
        raise
    point.arm()
    result = described(point)
    if recovered:
        result.update(changed=bool(recovered["restored"]), recovered=recovered["id"], restored=recovered["restored"])
    return result


def saved(params, root):
    """Save what is named in an open checkpoint, or in one that is confirmed at once."""
    if params["checkpoint"]:
        point = _checkpoint.find(params["checkpoint"], root)
        point.join()
        save(point, params)
        return described(point)
    point, recovered = _checkpoint.open_new(params["reason"], params["confirm_within"], root, watch=False)
    try:
        save(point, params)
    except _checkpoint.CheckpointError:
        point.abandon()
        raise
    point.confirm(at_once=True)
    result = described(point)
    if recovered:
        result.update(changed=bool(recovered["restored"]), recovered=recovered["id"], restored=recovered["restored"])
    return result


def confirmed(params, root):
    """Keep a change."""
    point = _checkpoint.find(params["checkpoint"], root)
    kept = point.confirm()
    return dict(described(point), kept=kept)


def rolled_back(params, root, check):
    """Undo a change, or say what would be undone."""
    if params["checkpoint"]:
        point = _checkpoint.find(params["checkpoint"], root)
    else:
        point = _checkpoint.newest_to_undo(root)
    if point is None or point.state == _restore.ROLLED_BACK:
        return described(point) if point else {}
    if check:
        would = _checkpoint.would_change(point, params["force"])
        return dict(described(point), changed=bool(would), restored=would, conflicts=[] if params["force"] else _checkpoint.changed_by_others(point))
    done = point.roll_back(params["force"])
    return dict(described(point), changed=bool(done["restored"]), **done)


def run(params, check, root=_checkpoint.ROOT):
    """Do what the state asks for and return the result. Raises CheckpointError."""
    empty = {
        "changed": False, "id": "", "folder": "", "armed": False, "watched_by": "", "expires": 0.0,
        "restored": [], "conflicts": [], "unverified": [], "recovered": "",
    }
    if check and params["state"] != "rolled_back":
        return dict(empty, id=params["checkpoint"] or "", **({"kept": False} if params["state"] == "confirmed" else {}))
    if params["confirm_within"] < 1:
        raise _checkpoint.CheckpointError("confirm_within must be at least 1 second")
    with _checkpoint.locked(root):
        if params["state"] == "rolled_back":
            result = rolled_back(params, root, check)
        else:
            result = {"open": opened, "saved": saved, "confirmed": confirmed}[params["state"]](params, root)
    result = dict(empty, **result)
    for key in ("restored", "conflicts", "unverified"):
        result[key] = [text.harmless(sentence, MAX_SENTENCE) for sentence in result[key]]
    result["watched_by"] = text.harmless(result["watched_by"], MAX_SENTENCE)
    return result


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, required_if=[("state", "confirmed", ["checkpoint"])], supports_check_mode=True)
    try:
        result = run(module.params, module.check_mode)
    except _checkpoint.CheckpointError as error:
        module.fail_json(msg=text.harmless(str(error), MAX_SENTENCE))
    if result["restored"] and module.params["state"] == "rolled_back":
        result["diff"] = {"before": "".join(line + "\n" for line in result["restored"]), "after": "", "before_header": "to be put back by " + result["id"]}
    left = result["conflicts"] + result["unverified"]
    if left and not module.check_mode:
        module.fail_json(
            msg="checkpoint {0} was rolled back, but not all of it is as it was: {1}. What was saved stays in {2}".format(
                result["id"], "; ".join(left), result["folder"]),
            **result
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
