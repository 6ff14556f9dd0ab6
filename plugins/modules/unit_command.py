#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: an option in the command of a systemd unit."""

DOCUMENTATION = r"""
module: unit_command
short_description: Set an option in the command of a systemd unit, by a drop-in
version_added: 0.3.0
author:
  - WebOps (@webops)
description:
  - Takes the command (C(ExecStart)) that is in force for a service, sets one option in it, and writes the result to the drop-in
    C(/etc/systemd/system/UNIT.d/zz-bad-gateway.conf). The unit's own file is left alone.
  - Only the option's value is put into the command as it is written, or the option at its end. Quotes, variables and specifiers stay.
  - Does nothing where the command has that value already.
  - Refuses a unit with several commands, a command that starts the program by way of a shell, and a drop-in that would be read after this one.
  - Neither tells systemd of it nor restarts anything.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
    details:
      - Secrets in the command are replaced by marks.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Written for Linux with systemd.
options:
  unit:
    description: Name of the service, with its suffix.
    type: str
    required: true
  program:
    description: Name of the program whose option it is, such as V(gunicorn). An interpreter may stand before it.
    type: str
    required: true
  option:
    description: The option, such as V(--timeout).
    type: str
    required: true
  aliases:
    description: Other names of the option, such as V(-t).
    type: list
    elements: str
    default: []
  value:
    description: Its value. Letters, digits and C(_./:-) are allowed.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Let gunicorn take 58 seconds for a request
  webops.bad_gateway.unit_command:
    unit: billing.service
    program: gunicorn
    option: --timeout
    aliases: [-t]
    value: "58"
  notify: Restart billing

- name: Restart billing
  ansible.builtin.systemd_service:
    name: billing.service
    state: restarted
    daemon_reload: true
"""

RETURN = r"""
path:
  description: The drop-in.
  returned: success
  type: str
  sample: /etc/systemd/system/billing.service.d/zz-bad-gateway.conf
"""

import binascii
import functools
import operator
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _unit_text as unit_text

_NAME = "zz-bad-gateway.conf"
_UNIT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,249}\.service$")
_OPTION = re.compile(r"^--?[A-Za-z0-9][A-Za-z0-9-]*$")


class Refused(Exception):
    """The unit cannot be changed. str() says why."""


def main():
    """Read the arguments, set the option."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "program": {"type": "str", "required": True},
            "option": {"type": "str", "required": True},
            "aliases": {"type": "list", "elements": "str", "default": []},
            "value": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    names = [given["option"]] + given["aliases"]
    if not _UNIT.match(given["unit"]):
        module.fail_json(msg="unit is {0}; it must be the name of a service, such as shop.service".format(text.harmless(repr(given["unit"]), 300)))
    for name in names:
        if not _OPTION.match(name):
            module.fail_json(msg="option is {0}; it must be the name of an option, such as --timeout or -t".format(text.harmless(repr(name), 300)))
    host = _host.Host()
    try:
        files = unit_files(host, given["unit"])
        before, after, path = change(host, given["unit"], files, given["program"], names, given["value"])
        # A command that not everybody may read in the unit's own files must not be readable here.
        mode = 0o644 & functools.reduce(operator.and_, (host.stat(name).st_mode for name in files))
    except (Refused, unit_text.NotUnderstood, evidence.Unanswered, OSError) as error:
        module.fail_json(msg=text.harmless("The command of {0} was not changed: {1}. Set {2} by hand".format(
            given["unit"], getattr(error, "why", None) or error, given["option"]), 500))
    result = {"changed": after is not None, "path": path}
    if after is not None:
        result["diff"] = shown(path, before, after)
        if not module.check_mode:
            write(module, path, after, mode)
    module.exit_json(**result)


def unit_files(host, unit):
    """Return the paths of a unit's files in the order in which systemd reads them; raises Refused."""
    output = host.run(["systemctl", "show", "--property=LoadState,FragmentPath,DropInPaths", "--", unit], timeout=20)
    told = dict(line.partition("=")[::2] for line in text.decode(output.out).split("\n"))
    fragment = told.get("FragmentPath", "")
    if told.get("LoadState") != "loaded" or not fragment.startswith("/"):
        raise Refused("systemd has not loaded it from a file")
    return [fragment] + told.get("DropInPaths", "").split()


def change(host, unit, files, program, names, value):
    """Return (the drop-in's text or "", its new text or None where none is needed, its path); raises Refused and NotUnderstood."""
    path = "/etc/systemd/system/{0}.d/{1}".format(unit, _NAME)
    # What was written a moment ago is in force from the next daemon-reload on.
    if path not in files and host.exists(path):
        files = files + [path]
    texts = [decoded(host, name) for name in files]
    found = unit_text.commands(texts)
    if len(found) != 1:
        raise Refused("it has {0} commands (ExecStart)".format(len(found)))
    command, index = found[0]
    if os.path.basename(files[index]) > _NAME and index > 0:
        raise Refused("{0} is read later and sets the command too".format(files[index]))
    wanted = unit_text.with_option(command, program, names, value)
    before = texts[files.index(path)] if path in files else ""
    if wanted == command:
        return before, None, path
    return before, unit_text.drop_in(wanted, files[0]), path


def decoded(host, path):
    """Return the text of a unit file; raises Refused where its bytes would not come back."""
    try:
        return host.read(path)[0].decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("{0} is not UTF-8".format(path))


def shown(path, before, after):
    """Return the diff without its secrets."""
    redactor = text.Redactor(binascii.hexlify(os.urandom(16)).decode("ascii"))

    def lines(content):
        return "".join(text.harmless(" ".join(redactor.argv(line.split(" ")))) + "\n" for line in content.splitlines())

    return {"before_header": path if before else "/dev/null", "after_header": path, "before": lines(before), "after": lines(after)}


def write(module, path, content, mode):
    """Write the drop-in; its folder is made where it is not there."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o755)
    handle, temporary = tempfile.mkstemp(prefix=".zz-bad-gateway.", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, mode)
    module.atomic_move(temporary, path)


if __name__ == "__main__":
    main()
