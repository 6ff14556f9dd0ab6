#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: settings_check
short_description: Check the settings of a diagnosis before any host is asked
version_added: 0.1.0
description:
  - Checks every C(bad_gateway_*) variable of a run on the controller and fails with one sentence that says what was set and what may be.
  - A variable that begins with C(bad_gateway_) and that nothing reads is refused too, because it is most often a typing error.
  - The report folder is made and tried. No host is contacted.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
  - webops.bad_gateway._collecting
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  bundles:
    description: Folder on the controller with evidence that was collected before.
    type: path
    version_added: 0.2.0
  since:
    description: How far back the logs are read, as a number with a unit (V(s), V(m), V(h), V(d), V(w)).
    type: str
    default: 24h
  only:
    description: Look for these ids alone. Empty means all.
    type: list
    elements: str
    default: []
  skip:
    description: Do not look for these ids.
    type: list
    elements: str
    default: []
  fail_on:
    description: What makes the run fail.
    type: str
    choices: [never, cause, risk]
    default: never
  url:
    description: The URL that M(webops.bad_gateway.trace) is to explain, with V(http://) or V(https://). It is checked where it is given, even empty.
    type: str
    version_added: 0.2.0
  checkpoint:
    description: Which checkpoint M(webops.bad_gateway.checkpoint) is to undo, V(newest), V(list) or an id. Where it is given, no report folder is made.
    type: str
    version_added: 0.3.0
  force:
    description: Whether undoing takes back what somebody else has changed since.
    type: bool
    default: false
    version_added: 0.3.0
  apply:
    description: The riskiest remedy that is used unasked.
    type: str
    choices: [none, safe, risky]
    default: safe
    version_added: 0.3.0
  allow:
    description: What is put right besides, by id.
    type: list
    elements: str
    default: []
    version_added: 0.3.0
  edit_managed:
    description: Whether files are edited that say they are written by another program.
    type: bool
    default: false
    version_added: 0.3.0
  install_packages:
    description: Whether packages of the distribution are installed that a remedy needs on a host.
    type: bool
    default: false
    version_added: 0.4.0
  ca_file:
    description: A file on each host with the authorities that nginx is to trust for its backends.
    type: str
    default: ""
    version_added: 0.3.0
  serial:
    description: How many hosts are changed together, batch by batch; numbers or shares such as V(10%).
    type: list
    elements: raw
    default: [1, 10%, 50%, 100%]
    version_added: 0.3.0
  max_hosts:
    description: How many hosts are changed in one run at most.
    type: int
    default: 50
    version_added: 0.3.0
  confirm_within:
    description: After how many seconds a host undoes by itself what nobody confirmed.
    type: int
    default: 600
    version_added: 0.3.0
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Check what was asked for
  webops.bad_gateway.settings_check:
    only:
      - backend-not-running
  run_once: true
"""

RETURN = r"""
report_dir:
  description: The absolute path of the report folder; empty where there is none.
  type: str
  returned: success
"""
