#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: nginx_config_info
short_description: Read every nginx of a host and its configuration
version_added: 0.1.0
description:
  - Finds every nginx of a host, running or stopped, with its workers, its build, and the files of its configuration.
    OpenResty, Angie, Tengine and freenginx are found too.
  - Secrets in the files are replaced by marks before they leave the host. Every line keeps its number.
  - Nothing is changed. The configuration is tested in a private overlay of the file system that vanishes with the test.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  test:
    description:
      - Whether each configuration is tested with C(nginx -t) in a private overlay. This needs root.
      - The test resolves the names in the configuration and binds its addresses, as C(nginx -t) always does.
    type: bool
    default: true
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Read the configuration of nginx
  webops.bad_gateway.nginx_config_info:
  register: read
  become: true

- name: Show what nginx -t says
  ansible.builtin.debug:
    msg: "{{ read.nginx.value.instances | map(attribute='test') }}"
  when: read.nginx.status == 'ok'
"""

RETURN = r"""
nginx:
  description: The answer to the question which nginx there is.
  type: dict
  returned: success
  contains:
    status:
      description: V(ok), V(absent) when there is no nginx, V(denied), V(timeout) or V(error).
      type: str
      returned: always
    asked:
      description: What was asked.
      type: str
      returned: always
    why:
      description: Why there is no value.
      type: str
      returned: always
    truncated:
      description: Whether a bound cut the answer short.
      type: bool
      returned: always
    hidden:
      description: What could not be seen.
      type: list
      elements: str
      returned: always
    value:
      description: What was found; null unless the status is V(ok).
      type: dict
      returned: always
      contains:
        instances:
          description: One entry for each nginx.
          type: list
          elements: dict
          returned: always
          contains:
            id:
              description: Path of the configuration file, made unique where two nginx share it.
              type: str
              returned: always
            running:
              description: Whether a master process runs.
              type: bool
              returned: always
            master:
              description: The master process, or null.
              type: dict
              returned: always
            workers:
              description: The worker processes with their ids and namespaces.
              type: list
              elements: dict
              returned: always
            identity:
              description: Whom the workers run as, and where that is known from.
              type: dict
              returned: always
            binary:
              description: Path of the program.
              type: str
              returned: always
            build:
              description: Answer with the version, the build arguments and the default paths.
              type: dict
              returned: always
            conf_path:
              description: Path of the configuration file.
              type: str
              returned: always
            prefix:
              description: The folder that relative paths are relative to.
              type: str
              returned: always
            files:
              description:
                - The files of the configuration, in the order in which nginx opens them.
                - C(content) is the base64 of the bytes without secrets, C(sha256) that of the true bytes.
              type: list
              elements: dict
              returned: always
            includes:
              description: The include directives, and what they match.
              type: list
              elements: dict
              returned: always
            error_logs:
              description: The error logs, with their levels and where they are set.
              type: list
              elements: dict
              returned: always
            test:
              description: Answer of C(nginx -t), with C(valid) and the messages.
              type: dict
              returned: always
            unit:
              description: The systemd unit, or null.
              type: dict
              returned: always
            tree:
              description:
                - The directives as nginx reads them, with every include in its place. It is made on the controller.
                - A directive has C(name), C(args), C(file), C(line), and C(block) where it has one.
              type: list
              elements: dict
              returned: always
            doubtful:
              description: The files that crossplane, a second parser, reads differently.
              type: list
              elements: str
              returned: always
"""

import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx


def ask(test):
    """Return the `nginx` answer of this host."""
    host = _host.Host()
    redactor = text.Redactor(secrets.token_hex(16))
    return evidence.ask(nginx.ASKED, lambda: nginx.collect(host, redactor, _processes.scan(host), test))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={"test": {"type": "bool", "default": True}}, supports_check_mode=True)
    module.exit_json(changed=False, nginx=ask(module.params["test"]))


if __name__ == "__main__":
    main()
