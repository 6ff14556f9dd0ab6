#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what SELinux enforces, and what it would decide."""

DOCUMENTATION = r"""
module: selinux_info
short_description: Tell what SELinux enforces, and what it would decide
version_added: 0.1.0
description:
  - Tells the mode, policy and booleans of SELinux, the types of TCP ports, and what the kernel would decide on questions that are given.
  - Decisions come from the kernel itself; nothing is tried and nothing is changed. Needs no SELinux package for Python.
  - The module does not fail when the question cannot be answered; the answer says why. V(absent) means that the kernel runs without SELinux.
options:
  ports:
    description: TCP ports whose types are told. This needs C(semanage) on the host.
    type: list
    elements: int
    default: []
  questions:
    description: What the kernel is asked to decide.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: Context of the subject.
        type: str
        required: true
      target:
        description: Context of the object, or C(port:3000) for that of a TCP port.
        type: str
        required: true
      class:
        description: Class of the object.
        type: str
        required: true
      permission:
        description: The permission that is asked for.
        type: str
        required: true
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: ansible.posix.seboolean
  - module: community.general.seport
"""

EXAMPLES = r"""
- name: Ask whether nginx may connect to port 3000
  webops.bad_gateway.selinux_info:
    questions:
      - source: system_u:system_r:httpd_t:s0
        target: port:3000
        class: tcp_socket
        permission: name_connect
  register: result
  become: true
"""

RETURN = r"""
selinux:
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
      description: Whether a bound cut the answer short. Absence proves nothing then.
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
      description: What SELinux enforces and decides. None unless RV(selinux.status) is V(ok).
      type: dict
      returned: always
      contains:
        mode:
          description: V(enforcing) or V(permissive).
          type: str
          returned: always
          sample: enforcing
        policy:
          description: Name of the policy, or an empty string when its configuration does not tell it.
          type: str
          returned: always
          sample: targeted
        booleans:
          description: The booleans with their values in force.
          type: dict
          returned: always
          sample: {httpd_can_network_connect: false}
        ports:
          description: The types of the ports that were asked for. None when they cannot be told.
          type: dict
          returned: always
          sample: {"3000": ntop_port_t}
        decisions:
          description: The decisions, in the order of the questions. A question that the kernel refused is in RV(selinux.hidden) instead.
          type: list
          elements: dict
          returned: always
          sample:
            - source: system_u:system_r:httpd_t:s0
              target: system_u:object_r:ntop_port_t:s0
              class: tcp_socket
              permission: name_connect
              allowed: false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import selinux

_FIELDS = ("source", "target", "class", "permission")


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "int", "default": []},
            "questions": {
                "type": "list", "elements": "dict", "default": [],
                "options": {field: {"type": "str", "required": True} for field in _FIELDS},
            },
        },
        supports_check_mode=True,
    )
    questions = [tuple(question[field] for field in _FIELDS) for question in module.params["questions"]]
    answer = evidence.ask(selinux.ASKED, selinux.collect, _host.Host(), questions, module.params["ports"])
    module.exit_json(changed=False, selinux=answer)


if __name__ == "__main__":
    main()
