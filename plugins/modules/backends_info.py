#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what runs, or should run, the programs behind nginx."""

DOCUMENTATION = r"""
module: backends_info
short_description: Tell what runs, or should run, the programs behind nginx
version_added: 0.1.0
description:
  - Lists the systemd units, supervisor programs, PM2 apps and application processes of a host that can stand behind a reverse proxy, with
    their states and with the endpoints that their own configuration claims.
  - A claim is read from command lines, environment variables that name a port or a host, and the files that a command line names. It says
    where a program will probably listen; only a listening socket proves that it does.
  - Nothing is started or changed. PM2 is asked only where its daemon already runs.
  - Secrets are replaced by marks, and control characters by their escapes, before anything leaves the host.
  - The module does not fail when the question cannot be answered; the answer says why. Run it as root to see everything.
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
  - module: webops.bad_gateway.php_fpm_info
  - module: ansible.builtin.service_facts
"""

EXAMPLES = r"""
- name: Ask what manages the applications
  webops.bad_gateway.backends_info:
  register: result
  become: true

- name: Show the units that failed
  ansible.builtin.debug:
    msg: "{{ result.backends.value.units.value | selectattr('active', 'equalto', 'failed') | map(attribute='name') }}"
  when: result.backends.value.units.status == 'ok'
"""

RETURN = r"""
backends:
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
      description: One answer for each manager. None unless RV(backends.status) is V(ok).
      type: dict
      returned: always
      contains:
        units:
          description: The systemd service and socket units that can matter. An answer of its own.
          type: dict
          returned: always
          contains:
            status:
              description: How the question was answered.
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
            truncated:
              description: Whether a bound cut the answer short.
              type: bool
              returned: always
            hidden:
              description: What this answer could not see.
              type: list
              elements: str
              returned: always
            value:
              description: The systemd service and socket units that can matter.
              type: list
              elements: dict
              returned: always
              sample:
                - name: shop.service
                  description: The shop
                  load: loaded
                  active: activating
                  sub: auto-restart
                  result: exit-code
                  enabled: enabled
                  type: simple
                  main_pid: null
                  status: 1
                  code: exited
                  restarts: 5
                  restart: on-failure
                  started: 1795343119.25
                  exited: 1795343119.75
                  changed: 1795343119.75
                  asked_to_stop: false
                  user: www-data
                  group: ""
                  private_tmp: false
                  working_directory: /srv/shop
                  command: [/usr/bin/node, /srv/shop/app.js]
                  fragment: /etc/systemd/system/shop.service
                  claims:
                    - endpoint: "*:3000"
                      from: "/srv/shop/app.js:12"
                  journal: ["Error: Cannot find module 'express'"]
        supervisor:
          description: The programs of supervisor. An answer of its own.
          type: dict
          returned: always
          contains:
            status:
              description: How the question was answered.
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
            truncated:
              description: Whether a bound cut the answer short.
              type: bool
              returned: always
            hidden:
              description: What this answer could not see.
              type: list
              elements: str
              returned: always
            value:
              description: The programs of supervisor.
              type: list
              elements: dict
              returned: always
              sample:
                - name: shop
                  state: FATAL
                  pid: null
                  why: Exited too quickly (process log may have details)
                  command: /usr/bin/gunicorn -b 127.0.0.1:8000 shop
                  at: {file: /etc/supervisor/conf.d/shop.conf, line: 1}
                  claims:
                    - endpoint: 127.0.0.1:8000
                      from: command
                  log: ["ModuleNotFoundError: No module named 'shop'"]
        pm2:
          description: The apps of PM2, of all users. An answer of its own.
          type: dict
          returned: always
          contains:
            status:
              description: How the question was answered.
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
            truncated:
              description: Whether a bound cut the answer short.
              type: bool
              returned: always
            hidden:
              description: What this answer could not see.
              type: list
              elements: str
              returned: always
            value:
              description: The apps of PM2, of all users.
              type: list
              elements: dict
              returned: always
              sample:
                - name: shop
                  status: errored
                  pid: null
                  restarts: 15
                  exit_code: 1
                  script: /srv/shop/app.js
                  user: deploy
                  claims:
                    - endpoint: "*:3000"
                      from: PM2 environment
                  log: ["Error: listen EADDRINUSE: address already in use :::3000"]
        processes:
          description: The application servers that run, whatever manages them. An answer of its own.
          type: dict
          returned: always
          contains:
            status:
              description: How the question was answered.
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
            truncated:
              description: Whether a bound cut the answer short.
              type: bool
              returned: always
            hidden:
              description: What this answer could not see.
              type: list
              elements: str
              returned: always
            value:
              description: The application servers that run, whatever manages them.
              type: list
              elements: dict
              returned: always
              sample:
                - pid: 812
                  kind: gunicorn
                  argv: [/usr/bin/python3, /usr/bin/gunicorn, -b, "127.0.0.1:8000", shop]
                  user: www-data
                  unit: shop.service
                  started: 1795343119.25
                  claims:
                    - endpoint: 127.0.0.1:8000
                      from: argv
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backends


def managed(key):
    """Scan the processes and return what manages the programs."""
    host = _host.Host()
    return backends.collect(host, text.Redactor(key), _processes.scan(host))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={"mark_key": {"type": "str", "no_log": True}}, supports_check_mode=True)
    answer = evidence.ask(backends.ASKED, managed, module.params["mark_key"] or secrets.token_hex(32))
    module.exit_json(changed=False, backends=answer)


if __name__ == "__main__":
    main()
