#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: plan
short_description: Plan what puts bad gateways right
version_added: 0.3.0
description:
  - Judges the bundles that M(webops.bad_gateway.collect) wrote, and makes of the proven causes a plan for each host of the play. It is shown,
    and written to C(plan.json) in the report folder, together with the C(report.json) that it is made of, before anything is done.
  - A plan has steps (what a remedy does, where, why, how it is verified and undone), what is left to a person, and what is held back and why.
  - Runs on the controller alone; no host is contacted.
  - What is allowed on a host is said by its variables C(bad_gateway_apply), C(bad_gateway_allow), C(bad_gateway_edit_managed) and
    C(bad_gateway_ca_file).
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  only:
    description: Plan for these ids alone. Empty means all.
    type: list
    elements: str
    default: []
  skip:
    description: Do not plan for these ids.
    type: list
    elements: str
    default: []
  serial:
    description:
      - How many hosts are changed together, batch by batch; numbers, or shares of the hosts that are changed, such as V(10%).
      - A batch is smaller where it would hold two hosts that stand for one another, or more hosts than Ansible has forks.
    type: list
    elements: raw
    default: [1, 10%, 50%, 100%]
  max_hosts:
    description: How many hosts are changed in one run at most. The steps of the others are held back.
    type: int
    default: 50
  alone:
    description:
      - Plan for the host of this task alone, from its newest bundle. Nothing is shown or written.
    type: bool
    default: false
  shown:
    description: With O(alone), the file of a plan that was shown. Of its steps, those that are still wanted are returned, and no others.
    type: path
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Plan what is to be done on all hosts
  webops.bad_gateway.plan:
  run_once: true
  register: whole

- name: Plan for each host anew
  webops.bad_gateway.plan:
    alone: true
    shown: "{{ whole.plan }}"
"""

RETURN = r"""
plan:
  description: The file of the plan.
  type: str
  returned: without O(alone)
order:
  description: The hosts that have steps, in the order in which they are changed.
  type: list
  elements: str
  returned: without O(alone)
batches:
  description: How many hosts are changed together, batch by batch. Empty where nothing is to be done.
  type: list
  elements: int
  returned: without O(alone)
host:
  description: The name of the host.
  type: str
  returned: with O(alone)
steps:
  description: What each role is to do, as its argument C(<role>_changes), by the name of the role.
  type: dict
  returned: with O(alone)
remedies:
  description: The names of those roles, in the order in which they are used.
  type: list
  elements: str
  returned: with O(alone)
remedy_order:
  description: The names of all such roles, in the order in which they are used. Hosts that are changed at once keep it together.
  type: list
  elements: str
  returned: with O(alone)
ids:
  description: The ids of what the steps put right.
  type: list
  elements: str
  returned: with O(alone)
findings:
  description: What the steps put right, as M(webops.bad_gateway.requests) and M(webops.bad_gateway.verify) take it.
  type: list
  elements: dict
  returned: with O(alone)
reloads:
  description: The nginx that are loaded anew, each with the C(path) of its main configuration file, and the C(container) that it is in.
  type: list
  elements: dict
  returned: with O(alone)
new:
  description: The ids of what could be done too, but was not in the plan that was shown.
  type: list
  elements: str
  returned: with O(alone)
"""
