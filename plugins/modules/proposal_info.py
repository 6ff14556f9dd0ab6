#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and test a proposed configuration in a folder."""

DOCUMENTATION = r"""
module: proposal_info
short_description: Read and test a proposed configuration of nginx in a folder
version_added: 0.3.0
description:
  - Reads the files of a folder as if they lay where nginx will read them, and tests them there with C(nginx -t), in a private overlay of the file
    system that vanishes with the test. Nothing is installed, and nothing is changed.
  - A file that the folder has not and the configuration names, such as C(mime.types), is that of the machine. An include with a pattern sees the files
    of the folder alone, but for the folder C(modules-enabled).
  - Secrets in the files are replaced by marks, and text is made harmless, as M(webops.bad_gateway.nginx_config_info) does.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  tree:
    description: The folder.
    type: path
    required: true
  path:
    description: Where the main file will be. Its folder is the place of O(tree).
    type: path
    default: /etc/nginx/nginx.conf
  test:
    description:
      - V(overlay) tests in a private overlay, which needs root with the right to mount.
      - V(plain) runs C(nginx -t) as it is, which makes logs and folders that are not there. O(tree) must be the place itself then. It is for a
        container that is thrown away.
      - V(none) does not test.
    type: str
    choices: [overlay, plain, none]
    default: overlay
  stand_ins:
    description:
      - Whether certificates and their keys, names of backends, the user, and the folders of logs and temporary files that are not there are stood in for.
        With V(plain), a test that gives up at one of them has no result.
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
"""

EXAMPLES = r"""
- name: Read and test what is to be deployed
  webops.bad_gateway.proposal_info:
    tree: "{{ playbook_dir }}/nginx"
  register: proposal
  delegate_to: localhost
  become: true
"""

RETURN = r"""
answers:
  description: The answers to the questions C(host) and C(nginx), as M(webops.bad_gateway.evidence_info) gives them.
  type: dict
  returned: success
notes:
  description: What is not there and was stood in for, in sentences.
  type: list
  elements: str
  returned: success
  sample: ["a certificate and key of the test's own stood in place of /etc/ssl/shop.pem"]
"""

import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webops.bad_gateway.plugins.module_utils import _proposal as proposal
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "tree": {"type": "path", "required": True},
            "path": {"type": "path", "default": "/etc/nginx/nginx.conf"},
            "test": {"type": "str", "choices": [proposal.OVERLAY, proposal.PLAIN, proposal.NONE], "default": proposal.OVERLAY},
            "stand_ins": {"type": "bool", "default": True},
            "mark_key": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    redactor = text.Redactor(asked["mark_key"] or secrets.token_hex(32))
    answers, notes = proposal.answers(asked["tree"], asked["path"], redactor, asked["test"], asked["stand_ins"])
    module.exit_json(changed=False, answers=answers, notes=notes)


if __name__ == "__main__":
    main()
