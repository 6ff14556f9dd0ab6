#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: evidence_info
short_description: Ask a host everything that bears on its bad gateways
version_added: 0.1.0
description:
  - Asks, in one visit, every passive question that the diagnosis of a bad gateway needs, and returns the answers. It changes nothing.
  - One question that fails does not fail the others; each answer says for itself how it went.
  - Secrets in configuration, logs and command lines are replaced by marks, and text from the host is made harmless, before it leaves the host.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  since:
    description: How far back the logs are read, in seconds.
    type: float
    default: 86400.0
  log_limit:
    description: How much of each log is read at most, in bytes from its end.
    type: int
    default: 16777216
  test:
    description:
      - Whether the configuration is tested with C(nginx -t), in a private overlay of the host in which it can change nothing.
    type: bool
    default: true
  mark_key:
    description:
      - Key of the marks that stand for secrets. Equal secrets have equal marks under one key. The default is a key made for this call.
    type: str
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.nginx_config_info
  - module: webops.bad_gateway.listeners_info
  - module: webops.bad_gateway.error_log_info
  - module: webops.bad_gateway.backends_info
  - module: webops.bad_gateway.containers_info
  - module: webops.bad_gateway.php_fpm_info
  - module: webops.bad_gateway.selinux_info
"""

EXAMPLES = r"""
- name: Ask everything
  webops.bad_gateway.evidence_info:
    since: 7200
  register: evidence
  become: true
"""

RETURN = r"""
answers:
  description:
    - The answer to each question, by its name. An answer has a C(status) of V(ok), V(absent), V(denied), V(timeout) or V(error),
      C(asked), C(value), C(why), C(truncated) and C(hidden).
  type: dict
  returned: always
  contains:
    host:
      description: What the host is, its clock and its addresses.
      type: dict
      returned: always
    nginx:
      description: Each nginx, its processes, build, configuration files and configuration test.
      type: dict
      returned: always
    names:
      description: What the host names in the configuration resolve to.
      type: dict
      returned: always
    paths:
      description: The way to each Unix socket in the configuration, with owners, modes and ACLs.
      type: dict
      returned: always
    temp_paths:
      description: The way to each temporary and cache folder of nginx, and the room that is left there.
      type: dict
      returned: always
    apparmor:
      description: The AppArmor profiles of the nginx processes, and what was denied under them.
      type: dict
      returned: always
    network:
      description: The routes, links, sockets and packet filter rules on the way to the TCP peers of the configuration.
      type: dict
      returned: always
    limits:
      description: The open descriptors of each nginx process and their limits.
      type: dict
      returned: always
    containers:
      description: The containers of Docker and Podman, how they are, and their networks.
      type: dict
      returned: always
      version_added: 0.4.0
    listeners:
      description: The listening sockets and who holds them.
      type: dict
      returned: always
    error_log:
      description: The records of the error logs, grouped.
      type: dict
      returned: always
    access_log:
      description: The requests in the access logs that ended with 500, 502, 503 or 504, grouped.
      type: dict
      returned: always
    php_fpm:
      description: The PHP-FPM versions and pools.
      type: dict
      returned: always
    backends:
      description: Units, supervisor programs, PM2 apps and application processes.
      type: dict
      returned: always
    backend_log:
      description: What the backends' logs, their managers and the kernel say of processes that ended.
      type: dict
      returned: always
    servers:
      description: What the application servers were told of workers, time-outs and idle connections, and how many workers run.
      type: dict
      returned: always
    pressure:
      description: Stalled time, load, and the connections that listening sockets dropped.
      type: dict
      returned: always
    selinux:
      description: The SELinux mode and booleans.
      type: dict
      returned: always
"""

import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _questions
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "since": {"type": "float", "default": 86400.0},
            "log_limit": {"type": "int", "default": error_log.LIMIT},
            "test": {"type": "bool", "default": True},
            "mark_key": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    redactor = text.Redactor(module.params["mark_key"] or secrets.token_hex(32))
    answers = _questions.ask_all(Host(), redactor, module.params["since"], module.params["log_limit"], module.params["test"])
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
