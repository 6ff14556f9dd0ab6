#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: rollout
short_description: Tell what came of the hosts that were planned to be put right
version_added: 0.3.0
description:
  - Tells of each host that M(webops.bad_gateway.plan) planned what M(webops.bad_gateway.outcome) noted of it, and the next command to run.
  - In check mode it tells that nothing was changed.
  - Runs on the controller alone; no host is contacted.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  at_end:
    description: Tell nothing while there are hosts that have not had their turn, and all of those that had were put right.
    type: bool
    default: false
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.outcome
"""

EXAMPLES = r"""
- name: Tell how it ended
  webops.bad_gateway.rollout:
  run_once: true
"""

RETURN = r"""
ended:
  description: Whether all hosts had their turn, or one of them was not put right.
  type: bool
  returned: success
outcomes:
  description: How many hosts came to which end; those of M(webops.bad_gateway.outcome), and C(not_begun).
  type: dict
  returned: success
  sample: {remedied: 3, rolled_back: 1, not_begun: 5}
"""
