# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that ask a host, and the one that checks what was asked for, take of a proposed configuration and of probes.

This doc fragment is private to the collection.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options of collecting evidence."""

    DOCUMENTATION = r"""
options:
  config:
    description:
      - Folder with a proposed configuration, which is asked about in place of the one of the host. Only what a configuration alone tells is judged then.
    type: path
    version_added: 0.3.0
  config_path:
    description: Where the main file of the proposed configuration will be. Its folder is the place of O(config).
    type: path
    default: /etc/nginx/nginx.conf
    version_added: 0.3.0
  config_test:
    description:
      - How the proposed configuration is tested with C(nginx -t). V(overlay) leaves no trace and needs root with the right to mount. V(plain) needs
        the files in their place and leaves what C(nginx -t) leaves, empty logs and folders, and is for a container that is thrown away.
        V(none) does not test.
    type: str
    choices: [overlay, plain, none]
    default: overlay
    version_added: 0.3.0
  config_stand_ins:
    description:
      - Whether certificates, host names, users and folders that are not there are stood in for in the test, and said, rather than taken for errors.
    type: bool
    default: true
    version_added: 0.3.0
  probe:
    description: Whether the endpoints in the configuration are connected to.
    type: bool
    default: true
  probe_path:
    description: The path to ask for; empty means one that fits each location.
    type: str
    default: ''
  probe_method:
    description: The method to ask with.
    type: str
    choices: [GET, HEAD]
    default: GET
  probe_timeout:
    description: The longest wait for one answer, in seconds; three times that for one that nginx waits for less long.
    type: float
    default: 10.0
"""
