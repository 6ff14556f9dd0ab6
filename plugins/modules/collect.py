#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: collect
short_description: Ask a host what its nginx does and keep the answers
version_added: 0.1.0
description:
  - Visits a host once to ask every passive question (M(webops.bad_gateway.evidence_info)), and once more to connect to the endpoints
    that its nginx configuration names (M(webops.bad_gateway.probe_info)).
  - Writes the answers to C(bundles/<host>.json) in the report folder on the controller. Secrets are replaced by marks before they leave the host.
  - A host that cannot be reached or asked does not fail; its bundle says why.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
  - webops.bad_gateway._collecting
options:
  report_dir:
    description: Folder on the controller for the report and the evidence.
    type: path
    default: bad_gateway_report
  since:
    description: How far back the logs are read, as a number with a unit (V(s), V(m), V(h), V(d), V(w)).
    type: str
    default: 24h
  url:
    description:
      - The URL that is asked about. Only the backends that it leads to are connected to, with exactly the request that nginx would send for it.
      - Without it, every endpoint of the configuration is connected to.
    type: str
    version_added: 0.2.0
author:
  - WebOps (@webops)
"""

EXAMPLES = r"""
- name: Ask each host
  webops.bad_gateway.collect:
    report_dir: /var/tmp/bad_gateway
    since: 2h
"""

RETURN = r"""
status:
  description: V(collected), V(no-nginx), V(unreachable) or V(failed).
  type: str
  returned: success
why:
  description: Why there is less than everything, or nothing.
  type: str
  returned: success
bundle:
  description: The file that holds the evidence.
  type: str
  returned: success
probed:
  description: How many endpoints were connected to.
  type: int
  returned: success
"""
