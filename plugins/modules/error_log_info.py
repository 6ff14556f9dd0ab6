#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Group the records of nginx's error logs that are about failing upstreams."""

DOCUMENTATION = r"""
module: error_log_info
short_description: Group the records of nginx error logs that are about failing upstreams
version_added: 0.1.0
description:
  - Reads error logs of nginx from their end, over a window of time, and groups the records that say why a request
    to an upstream failed. Files that logrotate has moved away are read too while they belong to the window.
  - Ordinary records, such as missing files, are passed over. Records that are about an upstream and are not known are counted.
  - Secrets are replaced by marks, and control characters by their escapes, before anything leaves the host.
  - Clients can write to an error log whatever they like, whole records included. Take what this module returns
    for a hint where to look, never for the reason of a change.
author:
  - WebOps (@webops)
options:
  paths:
    description:
      - The logs to read.
      - A name such as V(syslog:server=unix:/dev/log) stands for the journal and the files of the local syslog.
        Names behind which nothing can be read back, such as V(stderr) or V(memory:32m), are listed as absent.
    type: list
    elements: str
    default:
      - /var/log/nginx/error.log
  since:
    description:
      - How far back to read, as a number of seconds or with one of the units V(s), V(m), V(h), V(d) and V(w).
    type: str
    default: 24h
  limit:
    description:
      - How many bytes of each log to read at most, its rotated files included, counted from the end.
      - Records before that are left out, and the answer says that it is truncated.
    type: int
    default: 16777216
  unix_paths:
    description:
      - Paths of the Unix sockets that the configuration names. With them, a socket is told from the URI behind it
        in records of timeouts, where nginx leaves out what separates the two.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - webops.bad_gateway._attributes
seealso:
  - name: The error_log directive
    description: Where nginx writes its error log, and from which level on.
    link: https://nginx.org/en/docs/ngx_core_module.html#error_log
"""

EXAMPLES = r"""
- name: Group what nginx logged about its upstreams in the last hour
  webops.bad_gateway.error_log_info:
    since: 1h
  register: result

- name: Show the endpoints that refused connections
  ansible.builtin.debug:
    msg: "{{ result.error_log.value.groups | selectattr('class', 'equalto', 'connect-refused') | map(attribute='peer') | unique }}"
  when: result.error_log.status == 'ok'
"""

RETURN = r"""
error_log:
  description: The answer.
  returned: always
  type: dict
  contains:
    status:
      description: How the question was answered. One of V(ok), V(absent), V(denied), V(timeout) and V(error).
      type: str
      returned: always
      sample: ok
    asked:
      description: What was asked.
      type: str
      returned: always
      sample: nginx error logs
    why:
      description: Why there is no value, or an empty string.
      type: str
      returned: always
      sample: ""
    truncated:
      description: Whether a bound cut the answer short. Absence proves nothing then.
      type: bool
      returned: always
      sample: false
    hidden:
      description: What this answer could not see.
      type: list
      elements: str
      returned: always
      sample: []
    value:
      description: The records. None unless RV(error_log.status) is V(ok).
      type: dict
      returned: always
      contains:
        since:
          description: Begin of the window, in seconds since the epoch.
          type: float
          returned: always
          sample: 1795343119.0
        logs:
          description: The files that were read, each with its own status.
          type: list
          elements: dict
          returned: always
          sample:
            - path: /var/log/nginx/error.log
              status: ok
              why: ""
              size: 2048
              read: 2048
              oldest: 1795343119.0
              truncated: false
        unseen:
          description: Logs that cannot be read back, and why.
          type: list
          elements: dict
          returned: always
          sample: [{path: "memory:32m", why: "nginx keeps it in its memory, where only a debugger finds it"}]
        groups:
          description: Records that say the same, most frequent first.
          type: list
          elements: dict
          returned: always
          sample:
            - message: connect() failed
              class: connect-refused
              level: error
              errno: 111
              phase: connecting to upstream
              scheme: http
              peer: 127.0.0.1:3000
              upstream: http://127.0.0.1:3000/api
              server: shop.example
              methods: {GET: 3}
              paths: [/api]
              status: 502
              count: 3
              first: 1795343119.0
              last: 1795343149.0
              pids: [3193]
              detail: {}
              sample: "2026/11/22 10:27:08 [error] 3193#0: *1 connect() failed (111: Connection refused) while connecting to upstream, ..."
        configuration:
          description: Records of starts and reloads that failed.
          type: list
          elements: dict
          returned: always
          sample: []
        notices:
          description: Records of starts, reloads and stops, when the level of the log lets them through.
          type: list
          elements: dict
          returned: always
          sample: []
        unrecognised:
          description: Records that are about an upstream and are not known.
          type: dict
          returned: always
          sample: {count: 0, samples: []}
"""

import os
import binascii

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log

ASKED = "nginx error logs"


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "str", "default": ["/var/log/nginx/error.log"]},
            "since": {"type": "str", "default": "24h"},
            "limit": {"type": "int", "default": error_log.LIMIT},
            "unix_paths": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        since = error_log.window(module.params["since"])
    except ValueError as error:
        module.fail_json(msg="since: " + text.harmless(str(error), 300))
    if module.params["limit"] < 1:
        module.fail_json(msg="limit: give a number of bytes greater than 0")
    answer = evidence.ask(
        ASKED, error_log.collect, _host.Host(),
        logs=[{"path": path} for path in module.params["paths"]],
        since=since,
        unix_paths=module.params["unix_paths"],
        redactor=text.Redactor(binascii.hexlify(os.urandom(16)).decode("ascii")),
        limit=module.params["limit"],
    )
    module.exit_json(changed=False, error_log=answer)


if __name__ == "__main__":
    main()
