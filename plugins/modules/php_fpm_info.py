#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the PHP-FPM versions and pools of a host."""

DOCUMENTATION = r"""
module: php_fpm_info
short_description: Tell the PHP-FPM versions and pools of a host
version_added: 0.1.0
description:
  - Reads the PHP-FPM configurations of a host, of every version and packager that it knows and of every master process that runs, and tells
    where each pool listens, with which owner and mode, and whether it runs.
  - The module does not fail when the question cannot be answered; the answer says why. Run it as root to see everything.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.listeners_info
  - module: webops.bad_gateway.backends_info
"""

EXAMPLES = r"""
- name: Ask for the pools
  webops.bad_gateway.php_fpm_info:
  register: result
  become: true

- name: Show where they listen
  ansible.builtin.debug:
    msg: "{{ result.php_fpm.value.pools | map(attribute='listen') }}"
  when: result.php_fpm.status == 'ok'
"""

RETURN = r"""
php_fpm:
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
      description: The versions and their pools. None unless RV(php_fpm.status) is V(ok).
      type: dict
      returned: always
      contains:
        versions:
          description: The versions that have a configuration or run. C(binary) is empty when only the configuration is left.
          type: list
          elements: dict
          returned: always
          sample:
            - version: "8.2"
              binary: /usr/sbin/php-fpm8.2
              configuration: /etc/php/8.2/fpm/php-fpm.conf
              unit: php8.2-fpm.service
              running: true
              pid: 701
        pools:
          description:
            - The pools, with the place of the section and of its C(listen). C(roots) says whether the file is a plain one that root alone decides on.
          type: list
          elements: dict
          returned: always
          sample:
            - name: www
              version: "8.2"
              at: {file: /etc/php/8.2/fpm/pool.d/www.conf, line: 4}
              listen: unix:/run/php/php8.2-fpm.sock
              listen_at: {file: /etc/php/8.2/fpm/pool.d/www.conf, line: 41}
              roots: true
              owner: www-data
              group: www-data
              mode: ""
              acl_users: []
              acl_groups: []
              user: www-data
              pm: dynamic
              max_children: 5
              request_terminate_timeout: 0.0
              ping_path: ""
              status_path: ""
              status_listen: ""
              slowlog: ""
              request_slowlog_timeout: 0.0
              unit: php8.2-fpm.service
              running: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import php_fpm


def pools():
    """Scan the processes and return the versions and pools."""
    host = _host.Host()
    return php_fpm.collect(host, _processes.scan(host))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, php_fpm=evidence.ask(php_fpm.ASKED, pools))


if __name__ == "__main__":
    main()
