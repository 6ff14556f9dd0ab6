#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: outcome
short_description: Keep what was done on a host and what came of it in the report
version_added: 0.3.0
description:
  - Writes into C(report.json), as C(remediation) of the host, which remedies were applied, what M(webops.bad_gateway.verify) said of them, and how it ended.
  - Tells it on the terminal. Runs on the controller alone; no host is contacted.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  outcome:
    description:
      - V(begun) is that a checkpoint is open, and stays in the report where nothing more is said of the host; V(remedied) that the host is better,
        V(rolled_back) that it was not and was put back, V(rollback_failed) that it could not be put back or that this is not sure,
        V(unchanged) that there was nothing to do, V(failed) that a remedy failed before anything was changed.
    type: str
    required: true
    choices: [begun, remedied, rolled_back, rollback_failed, unchanged, failed]
  why:
    description: Why it ended so.
    type: str
    default: ''
  remedies:
    description: The remedies that were applied, in their order.
    type: list
    elements: str
    default: []
  checkpoint:
    description: Id of the checkpoint that undoes them.
    type: str
    default: ''
  left:
    description: With V(rollback_failed), what is not as it was, or not known to be.
    type: list
    elements: str
    default: []
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.verify
"""

EXAMPLES = r"""
- name: Keep what came of it
  webops.bad_gateway.outcome:
    outcome: remedied
    remedies:
      - start_backend
    checkpoint: 20260131T120000Z-1a2b
"""

RETURN = r"""
report:
  description: The C(report.json) that holds it; empty where it does not have this host.
  type: str
  returned: success
says:
  description: What became of the host, in one sentence.
  type: str
  returned: success
remediation:
  description: What was written.
  type: dict
  returned: success
  sample: {outcome: remedied, why: '', remedies: [start_backend], checkpoint: 20260131T120000Z-1a2b, left: [], verified: {verdict: better}, rolled_back: null}
"""
