#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: trace
short_description: Show the way of one URL through the nginx of all hosts
version_added: 0.2.0
description:
  - Reads the bundles that M(webops.bad_gateway.collect) wrote with the same O(url), and shows for each host which socket, server and location
    take it and why, what nginx asks which backend for, what each backend answered, and what is wrong with that way.
  - Writes C(trace.json) and prints a summary. A user, a password and the secrets of a query are in neither.
  - Runs on the controller alone; no host is contacted. It never fails because of what it finds.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  url:
    description: The URL, with V(http://) or V(https://).
    type: str
    required: true
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  hosts:
    description:
      - The hosts to tell of. One without a bundle is told as failed. The default is all hosts of the play.
    type: list
    elements: str
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Ask each host, and what the URL leads to there
  webops.bad_gateway.collect:
    url: https://shop.example/cart/a.json

- name: Show the way of the URL
  webops.bad_gateway.trace:
    url: https://shop.example/cart/a.json
  run_once: true
"""

RETURN = r"""
trace:
  description: The file of the trace.
  type: str
  returned: success
url:
  description: The URL without its secrets.
  type: str
  returned: success
taken_by:
  description: The hosts whose nginx take the URL.
  type: list
  elements: str
  returned: success
"""
