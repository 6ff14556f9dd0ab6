#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which containers a host keeps, how they are, and on which networks."""

DOCUMENTATION = r"""
module: containers_info
short_description: Tell which containers a host keeps, how they are, and on which networks
version_added: 0.4.0
description:
  - Asks the container engines of a host, over their Unix sockets, for their containers and networks. Docker is understood from 20.10 on,
    and Podman over its compatible socket, with and without root. Several engines are asked, each for itself.
  - Only reading calls are made, and nothing but the Python standard library is needed. Docker is not asked where it does not run, because
    its socket would start it.
  - Environment variables are never returned, and of the labels only those of Compose. Secrets in command lines, in the output of health
    checks and in the last lines of a container that failed are replaced by marks, and control characters by their escapes, before anything leaves the host.
  - The module does not fail when the question cannot be answered; the answer says why.
options:
  mark_key:
    description:
      - Key of the marks that stand for secrets. Equal secrets have equal marks under one key. The default is a key made for this call.
    type: str
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.listeners_info
  - module: community.docker.docker_host_info
"""

EXAMPLES = r"""
- name: Ask for the containers
  webops.bad_gateway.containers_info:
  register: result
  become: true

- name: Name those that do not run
  ansible.builtin.debug:
    msg: "{{ result.containers.value.containers | rejectattr('state', 'equalto', 'running') | map(attribute='name') }}"
  when: result.containers.status == 'ok'
"""

RETURN = r"""
containers:
  description: The answer.
  returned: always
  type: dict
  contains:
    status:
      description: How the question was answered. One of V(ok), V(absent), V(denied), V(timeout) and V(error). V(absent) means that there is no engine.
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
      description: The engines, containers and networks. None unless RV(containers.status) is V(ok).
      type: dict
      returned: always
      contains:
        engines:
          description: The engines, and whether each answered. Absence of a container proves nothing where one did not.
          type: list
          elements: dict
          returned: always
          sample:
            - socket: /run/docker.sock
              kind: docker
              version: 20.10.24
              api: "1.41"
              uid: 0
              status: ok
              why: ""
        containers:
          description:
            - The containers, those that run first. Where the C(status) of one is not V(ok), what is null is not known.
            - Times are seconds since the epoch.
          type: list
          elements: dict
          returned: always
          sample:
            - engine: /run/docker.sock
              id: 0c1b2f0de8d0b4dc29d3b6f0f67dcb3f3f6d7a1b2c3d4e5f60718293a4b5c6d7
              name: shop-app-1
              image: shop:3
              status: ok
              why: ""
              state: exited
              exit_code: 137
              oom_killed: true
              error: ""
              restarts: 0
              restart_policy: "no"
              health: ""
              healthcheck: false
              health_log: []
              created: 1795756827.767
              started: 1795756828.413
              finished: 1795756955.23
              pid: null
              net: ""
              network_mode: shop_default
              networks:
                - name: shop_default
                  id: 80bfeeafc8ea7762ef161a4446503e95a4f7ae695ea0570e383394c96a47cba0
                  addresses: []
                  aliases: [app, shop-app-1]
                  gateway: ""
              published: []
              exposed: [3000]
              compose:
                project: shop
                service: app
                folder: /srv/shop
                files: [/srv/shop/compose.yaml]
                depends_on: []
              mounts: []
              log_driver: json-file
              log_path: /var/lib/docker/containers/0c1b/0c1b-json.log
              terminal: false
              command: [node, /srv/app.js]
              memory:
                limit: 67108864
                peak: null
                oom_kills: null
              words: [Killed]
        networks:
          description: The networks.
          type: list
          elements: dict
          returned: always
          sample:
            - engine: /run/docker.sock
              name: shop_default
              id: 80bfeeafc8ea7762ef161a4446503e95a4f7ae695ea0570e383394c96a47cba0
              driver: bridge
              internal: false
              subnets: [172.18.0.0/16]
        compose_files:
          description:
            - The files that containers of Compose say they come from. Only the lines that say how services are reached are told, without comments; each
              keeps its number. Environment variables, labels and what is not known are left out.
          type: list
          elements: dict
          returned: always
          sample:
            - path: /srv/shop/compose.yaml
              status: ok
              why: ""
              sha256: 0c1b80bfeeafc8ea7762ef161a4446503e95a4f7ae695ea0570e383394c96a47
              uid: 1000
              managed: ""
              text: "services:\n  app:\n    image: shop:1.4\n"
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import containers


def kept(key):
    """Scan the processes and return what the engines keep."""
    host = _host.Host()
    return containers.collect(host, text.Redactor(key), _processes.scan(host))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={"mark_key": {"type": "str", "no_log": True}}, supports_check_mode=True)
    answer = evidence.ask(containers.ASKED, kept, module.params["mark_key"] or secrets.token_hex(32))
    module.exit_json(changed=False, containers=answer)


if __name__ == "__main__":
    main()
