#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether the local settings of SELinux can be changed on a host, and what they are."""

DOCUMENTATION = r"""
module: selinux_local_info
short_description: Tell whether the local settings of SELinux can be changed on a host, and what they are
version_added: 0.4.0
description:
  - M(ansible.posix.seboolean), M(community.general.seport) and M(community.general.sefcontext) need Python modules that come with the host. This tells
    whether the interpreter that Ansible uses there has them, and which packages do where it does not.
  - Tells of booleans, ports and patterns of paths what an administrator has set, in the words of the policy store.
  - The module does not fail when the question cannot be answered; the answer says why. V(absent) means that the kernel runs without SELinux.
options:
  booleans:
    description: Names of booleans whose values are told.
    type: list
    elements: str
    default: []
  ports:
    description: TCP ports whose local records are told.
    type: list
    elements: int
    default: []
  patterns:
    description: Patterns of paths, for all kinds of files, whose local records are told.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.selinux_info
  - module: webops.bad_gateway.checkpoint
"""

EXAMPLES = r"""
- name: Ask what has been set for nginx
  webops.bad_gateway.selinux_local_info:
    booleans: [httpd_can_network_connect]
    ports: [3000]
  register: result
  become: true

- name: Show it
  ansible.builtin.debug:
    msg: "{{ result.selinux_local.value.settings }}"
  when: result.selinux_local.status == 'ok'
"""

RETURN = r"""
selinux_local:
  description: The answer.
  returned: always
  type: dict
  contains:
    status:
      description: How the question was answered. One of V(ok), V(absent), V(denied), V(timeout) and V(error).
      type: str
      returned: always
      sample: ok
    asked:
      description: What was asked.
      type: str
      returned: always
    why:
      description: Why there is no value, or an empty string.
      type: str
      returned: always
      sample: ""
    truncated:
      description: Whether a bound cut the answer short.
      type: bool
      returned: always
      sample: false
    hidden:
      description: What this answer could not see.
      type: list
      elements: str
      returned: always
      sample: []
    value:
      description: What can be changed, and what is set. None unless RV(selinux_local.status) is V(ok).
      type: dict
      returned: always
      contains:
        missing:
          description: Python modules that the interpreter cannot import.
          type: list
          elements: str
          returned: always
          sample: [seobject]
        packages:
          description: The packages of this distribution that have them; empty where none is missing, or where they are not known.
          type: list
          elements: str
          returned: always
          sample: [policycoreutils-python-utils]
        interpreter:
          description: The interpreter that was asked.
          type: str
          returned: always
          sample: /usr/bin/python3
        other:
          description: Another interpreter of the host that has all of them, where this one has not; or an empty string.
          type: str
          returned: always
          sample: ""
        says:
          description: What is missing, and what to do about it, in one sentence; or an empty string.
          type: str
          returned: always
          sample: ""
        settings:
          description: What is set, in the order of the options. None where it cannot be read, for which RV(selinux_local.hidden) has the reason.
          type: list
          elements: dict
          returned: always
          contains:
            name:
              description: What it is about.
              type: str
              returned: always
              sample: SELinux type of port tcp 3000
            local:
              description: The local record, a value or a context; none where there is none, and the policy's own word holds.
              type: raw
              returned: always
              sample: system_u:object_r:http_port_t:s0
            value:
              description: The value in force of a boolean.
              type: bool
              returned: for booleans
        patterns:
          description: Each of O(patterns) as a local record has to have it, where the policy takes its path for another one.
          type: dict
          returned: always
          sample: {"/var/run/shop(/.*)?": "/run/shop(/.*)?"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_tools as tools


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "booleans": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
            "patterns": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = [module.params[option] for option in ("booleans", "ports", "patterns")]
    module.exit_json(changed=False, selinux_local=evidence.ask(tools.ASKED, tools.collect, _host.Host(), *wanted))


if __name__ == "__main__":
    main()
