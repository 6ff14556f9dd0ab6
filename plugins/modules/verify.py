#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: verify
short_description: Say whether a host is better than it was
version_added: 0.3.0
description:
  - Judges the fresh evidence of a host by the same rules as M(webops.bad_gateway.report) and compares it with what was there before, together with what
    M(webops.bad_gateway.requests) got through nginx before and now.
  - A host is better when the findings that were to be put right are gone, no route has a cause that it did not have, no route gets a bad answer
    (500, 502, 503, 504, or none) that got a good one, and those that were to be put right get a good one.
  - Writes the verdict to C(verified/<host>.json) in the folder of the stage, and into C(report.json) as C(verification) of the host.
  - Fails when a finding stands, an affected route still gets a bad answer, something is worse, or the host cannot be judged any more.
  - Runs on the controller alone; no host is contacted. Run M(webops.bad_gateway.requests) and then M(webops.bad_gateway.collect) before it.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description:
      - Folder on the controller with the report and the evidence of before.
      - The fresh evidence is in its folder C(after), where M(webops.bad_gateway.collect) and M(webops.bad_gateway.requests) put it.
    type: path
    default: bad_gateway_report
  stage:
    description:
      - What is compared with V(before). V(after) is a change; V(rolled_back) is that it was undone, when the requests alone are compared, and must get
        what they got before.
    type: str
    choices: [before, after, rolled_back]
    default: after
  findings:
    description: What was to be put right. One without routes is about nginx as a whole. The default is every cause that the report names.
    type: list
    elements: dict
    suboptions:
      id:
        description: Id of the finding.
        type: str
        required: true
      kind:
        description: What it was.
        type: str
        choices: [cause, risk, advice]
        default: cause
      routes:
        description: Its routes, as C(report.json) has them.
        type: list
        elements: dict
        default: []
        suboptions:
          listen:
            description: Sockets of the server.
            type: str
            default: ''
          server:
            description: Name of the server.
            type: str
            default: ''
          location:
            description: The location as it is written.
            type: str
            default: ''
          pass:
            description: The directive that passes the request on.
            type: str
            default: ''
          endpoint:
            description: Where it goes.
            type: str
            default: ''
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.requests
  - module: webops.bad_gateway.outcome
"""

EXAMPLES = r"""
- name: Ask the same again
  webops.bad_gateway.requests:
    stage: after

- name: Collect fresh evidence
  webops.bad_gateway.collect:
    report_dir: bad_gateway_report/after

- name: Say whether it is better
  webops.bad_gateway.verify:
    findings:
      - id: backend-not-running
        routes:
          - {listen: '*:80', server: shop.example, location: /api/}
"""

RETURN = r"""
better:
  description: Whether the host is better, and nothing speaks against it.
  type: bool
  returned: always
verdict:
  description: V(better), V(same) or V(worse).
  type: str
  returned: always
why:
  description: What speaks against it, in sentences.
  type: list
  elements: str
  returned: always
before:
  description: What a client got on each route before. They are in RV(file) too.
  type: list
  elements: dict
  returned: success
  sample:
    - {listen: '*:80', server: shop.example, location: /api/, pass: 'proxy_pass http://127.0.0.1:3000', got: '502', affected: true}
after:
  description: What a client gets on each route now. They are in RV(file) too.
  type: list
  elements: dict
  returned: success
  sample:
    - {listen: '*:80', server: shop.example, location: /api/, pass: 'proxy_pass http://127.0.0.1:3000', got: '200', affected: true}
file:
  description: The file that holds the verdict.
  type: str
  returned: always
report:
  description: The C(report.json) that holds it too; empty where it does not have this host.
  type: str
  returned: always
"""
