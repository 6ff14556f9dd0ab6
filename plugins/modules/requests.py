#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: requests
short_description: Send a request through the nginx of a host for each of its routes, and keep what a client gets
version_added: 0.3.0
description:
  - Chooses for each route of a host's nginx a request that comes to it, by the evidence that M(webops.bad_gateway.collect) wrote.
    Where none is known (a location that only nginx itself leads to, a regular expression without an example), it says so.
  - Visits the host and sends them (M(webops.bad_gateway.request_info)). They go to the applications, in check mode too.
  - Writes the answers to C(requests/<host>.json) in the report folder on the controller, or in the folder there of a later stage.
  - The same requests are sent again in a later stage, so that what a client gets can be compared by M(webops.bad_gateway.verify).
  - Does not fail when a host cannot be asked; the answers say why.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  stage:
    description:
      - When this is. In V(before) the requests are chosen, and what an earlier run kept of the later stages of this host is removed.
      - In V(after) and V(rolled_back) those of V(before) are sent again. Where there are none that are as new as the evidence in O(report_dir),
        they are chosen by the evidence in the folder C(after) or C(rolled_back) of O(report_dir).
    type: str
    choices: [before, after, rolled_back]
    default: before
  findings:
    description:
      - What was to be put right. In a later stage a bad answer is asked for again for a while where it is on a route of these, or was good before.
      - One without routes is about all routes. The default is that all routes are waited for.
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
  settle:
    description:
      - The longest wait for bad answers to become good, in seconds, in a later stage.
      - The default is 5, and for a route with several servers as long as nginx may leave one of them aside (C(fail_timeout)), at most a minute.
    type: float
  probe:
    description: Whether requests are sent at all.
    type: bool
    default: true
  probe_path:
    description: The path to ask for where it leads to a route; empty means one that fits each location.
    type: str
    default: ''
  probe_method:
    description: The method to ask with.
    type: str
    choices: [GET, HEAD]
    default: GET
  probe_timeout:
    description: The longest wait for one answer, in seconds.
    type: float
    default: 10.0
author:
  - WebOps (@webops)
seealso:
  - module: webops.bad_gateway.request_info
  - module: webops.bad_gateway.verify
"""

EXAMPLES = r"""
- name: Ask each route before anything is changed
  webops.bad_gateway.requests:

- name: Ask the same again, and wait for what was put right
  webops.bad_gateway.requests:
    stage: after
    findings:
      - id: backend-not-running
        routes:
          - {listen: '*:80', server: shop.example, location: /api/}
"""

RETURN = r"""
status:
  description: V(asked), V(failed), or V(off) where O(probe=false).
  type: str
  returned: success
why:
  description: Why nothing was asked, or not everything.
  type: str
  returned: success
file:
  description: The file that holds the answers.
  type: str
  returned: success
asked:
  description: How many routes were asked.
  type: int
  returned: success
bad:
  description: How many of them got no answer, or 500, 502, 503 or 504.
  type: int
  returned: success
routes:
  description: What a client gets on each route.
  type: list
  elements: dict
  returned: success
  sample:
    - {listen: '*:80', server: shop.example, location: /api/, pass: 'proxy_pass http://127.0.0.1:3000', got: '502', why: ''}
"""
