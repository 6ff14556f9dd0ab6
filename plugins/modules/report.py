#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: report
short_description: Judge the evidence of all hosts and report
version_added: 0.1.0
description:
  - Reads the bundles that M(webops.bad_gateway.collect) wrote, finds the cause of each failing route, writes C(report.json) and prints a summary.
  - Runs on the controller alone; no host is contacted.
  - Fails when O(fail_on) says so, after the report is written.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  hosts:
    description:
      - The hosts to report on. One without a bundle is reported as failed. The default is all hosts of the play.
      - Leave it out for those, because ansible-core before 2.19 evaluates a host's name that looks like a template on its way here.
    type: list
    elements: str
  bundles:
    description:
      - Judge all bundles in this folder instead, whichever hosts they are of, and whenever they were collected.
      - A report folder does too; its bundles are taken.
    type: path
    version_added: 0.2.0
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
    description:
      - What makes the run fail.
      - V(cause) fails when a route fails, and when a host could not be diagnosed.
      - V(risk) fails for what will break later, too.
    type: str
    choices: [never, cause, risk]
    default: never
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Judge the evidence of all hosts
  webops.bad_gateway.report:
    fail_on: cause
  run_once: true

- name: Judge evidence that was collected before
  webops.bad_gateway.report:
    bundles: /var/tmp/bad_gateway/bundles
"""

RETURN = r"""
report:
  description: The file of the report.
  type: str
  returned: always
summary:
  description: How many hosts there are of each kind.
  type: dict
  returned: always
  contains:
    hosts:
      description: All hosts.
      type: int
      returned: always
    with_cause:
      description: Hosts with at least one cause.
      type: int
      returned: always
    healthy:
      description: Hosts that were wholly diagnosed and have no cause.
      type: int
      returned: always
    partial:
      description: Hosts without a cause of which something is unknown.
      type: int
      returned: always
    no_nginx:
      description: Hosts without nginx.
      type: int
      returned: always
    undiagnosed:
      description: Hosts that could not be reached or asked.
      type: int
      returned: always
    causes:
      description: Causes found, on all hosts.
      type: int
      returned: always
    risks:
      description: Risks found, on all hosts.
      type: int
      returned: always
    advice:
      description: Pieces of advice, on all hosts.
      type: int
      returned: always
"""
