#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which sockets accept connections, and who holds them."""

DOCUMENTATION = r"""
module: listeners_info
short_description: Tell which sockets accept connections, and who holds them
version_added: 0.1.0
description:
  - Lists the TCP and Unix sockets that listen on a host, with the processes that hold them, the systemd unit or container of each,
    and the fill of their accept queues. In the network namespaces of containers it lists the TCP sockets. It asks the kernel and starts no program.
  - Secrets are replaced by marks, and control characters by their escapes, before anything leaves the host.
  - The module does not fail when the question cannot be answered; the answer says why. Run it as root to see everything.
options:
  pids:
    description:
      - Processes whose network namespaces are read too, such as an nginx in a container.
    type: list
    elements: int
    default: []
  mark_key:
    description:
      - Key of the marks that stand for secrets. Equal secrets have equal marks under one key. The default is a key made for this call.
    type: str
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.backends_info
  - module: community.general.listen_ports_facts
"""

EXAMPLES = r"""
- name: Ask what listens
  webops.bad_gateway.listeners_info:
  register: result
  become: true

- name: Stop when nothing listens on port 3000
  ansible.builtin.assert:
    that: result.listeners.value.tcp | selectattr('port', 'equalto', 3000) | length > 0
  when: result.listeners.status == 'ok'
"""

RETURN = r"""
listeners:
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
      description: The listening sockets. None unless RV(listeners.status) is V(ok).
      type: dict
      returned: always
      contains:
        tcp:
          description:
            - The TCP sockets. An IPv4-mapped address is given as the IPv4 address. The queue lengths and C(v6only) are null where the
              kernel does not tell them.
          type: list
          elements: dict
          returned: always
          sample:
            - address: 127.0.0.1
              port: 3000
              family: inet
              net: "4026531840"
              inode: 18214
              v6only: null
              accept_queue: 0
              backlog: 511
              owners:
                - pid: 812
                  comm: node
                  exe: /usr/bin/node
                  argv: [/usr/bin/node, /srv/shop/app.js]
                  uid: 33
                  user: www-data
                  unit: shop.service
                  container: ""
                  net: "4026531840"
                  mnt: "4026531841"
                  started: 1795343119.25
        unix:
          description: The Unix sockets. The path of an abstract one begins with V(@).
          type: list
          elements: dict
          returned: always
          sample:
            - path: /run/php/php8.2-fpm.sock
              net: "4026531840"
              inode: 18301
              accept_queue: 0
              backlog: 511
              owners: []
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import listeners


def listening(pids, key):
    """Scan the processes and return what listens."""
    host = _host.Host()
    return listeners.collect(host, text.Redactor(key), _processes.scan(host), pids)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"pids": {"type": "list", "elements": "int", "default": []}, "mark_key": {"type": "str", "no_log": True}},
        supports_check_mode=True,
    )
    answer = evidence.ask(listeners.ASKED, listening, module.params["pids"], module.params["mark_key"] or secrets.token_hex(32))
    module.exit_json(changed=False, listeners=answer)


if __name__ == "__main__":
    main()
