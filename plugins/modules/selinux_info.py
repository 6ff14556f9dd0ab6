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
  - Tells the mode, policy and booleans of SELinux, now and after the next boot; in which contexts nginx and what listens on this host run;
    what SELinux lets nginx listen on; what it said that it denied nginx; the types of TCP ports and the labels of paths that are asked for;
    and what the kernel would decide on questions that are given.
  - Decisions come from the kernel itself, types of ports and booleans from the policy that it has loaded; nothing is tried and nothing is
    changed. Needs no SELinux package and no C(auditd).
  - The module does not fail when the question cannot be answered; the answer says why. V(absent) means that the kernel runs without SELinux.
options:
  nginx:
    description: Whether each nginx of this host is looked at, with what it is to listen on and what was denied to it.
    type: bool
    default: true
    version_added: 0.4.0
  since:
    description:
      - How far back denials are looked for, as a number of seconds or with one of the units V(s), V(m), V(h), V(d) and V(w).
    type: str
    default: 24h
    version_added: 0.4.0
  ports:
    description: TCP ports whose types are told.
    type: list
    elements: int
    default: []
  paths:
    description: Paths whose labels by the policy's file contexts are told.
    type: list
    elements: dict
    default: []
    version_added: 0.4.0
    suboptions:
      path:
        description: The path. It need not exist.
        type: str
        required: true
      kind:
        description: What is, or will be, there.
        type: str
        choices: [socket, dir, file, link]
        default: socket
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

- name: Show which booleans alone would allow it
  ansible.builtin.debug:
    msg: "{{ result.selinux.value.decisions[0].booleans }}"
  when: result.selinux.status == 'ok'
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
        boot:
          description:
            - The mode after the next boot by C(/etc/selinux/config) and the kernel's command line, one of V(enforcing), V(permissive) and
              V(disabled), or an empty string.
          type: str
          returned: always
          version_added: 0.4.0
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
        booleans_at_boot:
          description: The booleans with their values after the next boot. None when they cannot be told.
          type: dict
          returned: always
          version_added: 0.4.0
          sample: {httpd_can_network_connect: false}
        contexts:
          description: The contexts of nginx's processes and of those behind listeners, by the id of the process.
          type: dict
          returned: always
          version_added: 0.4.0
          sample: {"385": "system_u:system_r:httpd_t:s0"}
        permissive_domains:
          description: The types among these contexts to which nothing is denied.
          type: list
          elements: str
          returned: always
          version_added: 0.4.0
          sample: []
        listens:
          description:
            - The TCP ports that the files have an nginx listen on and that it does not hold, with the type of the port, the context that asks
              for it, whether that is allowed (none when it cannot be told, C(why) says why), which boolean or which other type of the port
              would allow it.
          type: list
          elements: dict
          returned: always
          version_added: 0.4.0
          sample:
            - instance: /etc/nginx/nginx.conf
              port: 8088
              protocol: tcp
              type: unreserved_port_t
              record: [1024, 65535]
              local: false
              source: system_u:system_r:httpd_t:s0
              allowed: false
              permissive: false
              booleans: []
              why: ""
              labels:
                - {type: http_port_t, allowed: true, booleans: []}
        denials:
          description: Records of what was denied to nginx, those that are alike once. That there are none proves nothing.
          type: list
          elements: dict
          returned: always
          version_added: 0.4.0
          sample:
            - scontext: system_u:system_r:httpd_t:s0
              tcontext: system_u:object_r:unreserved_port_t:s0
              tclass: tcp_socket
              permissions: [name_bind]
              comm: nginx
              port: 8088
              path: ""
              permissive: false
              from: audit log
              count: 1
              first: 1795758292.148
              last: 1795758292.148
        ports:
          description: The types of the ports that were asked for, and of those in C(listens). None when they cannot be told.
          type: dict
          returned: always
          sample: {"3000": ntop_port_t}
        records:
          description:
            - The records of the policy that give these ports their types, with their bounds, and whether an administrator made them
              (none when that cannot be seen). None when they cannot be told.
          type: dict
          returned: always
          version_added: 0.4.0
          sample: {"3000": {type: ntop_port_t, low: 3000, high: 3001, local: false}}
        labels:
          description: The labels of the paths that were asked for, an empty string where the policy gives none.
          type: dict
          returned: always
          version_added: 0.4.0
          sample: {/run/php/x.sock: "system_u:object_r:httpd_runtime_t:s0"}
        decisions:
          description:
            - The decisions, in the order of the questions. A question that the kernel refused is in RV(selinux.hidden) instead.
            - C(booleans) are those that are off and each of which alone, turned on, would allow what is denied; none when that cannot be told.
              C(labels) are types that a port could have instead, with what they would need.
          type: list
          elements: dict
          returned: always
          sample:
            - source: system_u:system_r:httpd_t:s0
              target: system_u:object_r:ntop_port_t:s0
              class: tcp_socket
              permission: name_connect
              allowed: false
              permissive: false
              booleans: [httpd_can_network_connect]
              labels:
                - {type: http_port_t, allowed: false, booleans: [httpd_can_network_connect, httpd_can_network_relay, httpd_graceful_shutdown]}
"""

import binascii
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import listeners
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import network
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import selinux

_FIELDS = ("source", "target", "class", "permission")
_KINDS = ("socket", "dir", "file", "link")


def ask(host, since, with_nginx, **asked):
    """Return the value of the answer; the other questions that it needs are put first."""
    seen = [None, None, None]
    if with_nginx:
        redactor = text.Redactor(binascii.hexlify(os.urandom(16)).decode("ascii"))
        scan = evidence.ask("/proc", _processes.scan, host)["value"]
        found = scan and evidence.ask(nginx.ASKED, nginx.collect, host, redactor, scan, False)["value"]
        if found:
            masters = [instance["master"]["pid"] for instance in found["instances"] if instance["master"]]
            held = evidence.ask(listeners.ASKED, listeners.collect, host, redactor, scan, masters)["value"]
            seen = [found, held, evidence.ask(network.ASKED, network.collect, host, found, {}, scan.net, redactor)["value"]]
    return selinux.collect(host, *seen, since=since if with_nginx else None, **asked)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "nginx": {"type": "bool", "default": True},
            "since": {"type": "str", "default": "24h"},
            "ports": {"type": "list", "elements": "int", "default": []},
            "paths": {
                "type": "list", "elements": "dict", "default": [],
                "options": {"path": {"type": "str", "required": True}, "kind": {"type": "str", "choices": list(_KINDS), "default": "socket"}},
            },
            "questions": {
                "type": "list", "elements": "dict", "default": [],
                "options": {field: {"type": "str", "required": True} for field in _FIELDS},
            },
        },
        supports_check_mode=True,
    )
    try:
        since = error_log.window(module.params["since"])
    except ValueError as error:
        module.fail_json(msg="since: " + text.harmless(str(error), 300))
    answer = evidence.ask(
        selinux.ASKED, ask, _host.Host(), since, module.params["nginx"],
        questions=[tuple(question[field] for field in _FIELDS) for question in module.params["questions"]],
        ports=module.params["ports"],
        paths=[(item["path"], item["kind"]) for item in module.params["paths"]],
    )
    module.exit_json(changed=False, selinux=answer)


if __name__ == "__main__":
    main()
