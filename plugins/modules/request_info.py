#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what nginx answers to a client."""

DOCUMENTATION = r"""
module: request_info
short_description: Send requests through the nginx of a host, and tell what a client gets
version_added: 0.3.0
author:
  - WebOps (@webops)
description:
  - Sends one C(GET) or C(HEAD) of HTTP/1.1 for each request to a socket on which nginx listens, from the host itself, in the
    network namespace, the mount namespace and the root directory of nginx.
  - The requests go through nginx to the applications behind it, in check mode too.
  - Connects to what listens in C(stream{}), sends nothing, and says whether nginx holds the session. Where it gets no backend, it closes it at once.
  - Follows no redirect and sends no request body. Of a response body at most 1 MiB is read, for a second.
  - The certificate of nginx is not verified.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  pid:
    description:
      - A process of the nginx, best its master. Its namespaces are entered; only root can. Left out, the requests are made from where the module runs.
      - Where it has ended, the master that runs takes its place, when there is one alone.
    type: int
  requests:
    description: What to ask. At most 128 are asked; the answer says how many are left.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the request, given back in the answer.
        type: str
        required: true
      endpoint:
        description: Socket of nginx, such as V(127.0.0.1:80), V([::1]:443) or V(unix:/run/nginx.sock). Names are not resolved.
        type: str
        required: true
      kind:
        description: Whether the socket is one of C(http{}) or of C(stream{}).
        type: str
        choices: [http, stream]
        default: http
      tls:
        description: Whether the socket speaks TLS.
        type: bool
        default: false
      proxy_protocol:
        description: Whether nginx expects the header of the PROXY protocol there.
        type: bool
        default: false
      server_name:
        description: Name of the server, sent as C(Host) and in the TLS handshake. V(localhost) when empty.
        type: str
        default: ""
      method:
        description: Request method.
        type: str
        choices: [GET, HEAD]
        default: GET
      path:
        description: Request target, with its query string. What is not allowed in one is percent-encoded.
        type: str
        default: /
      upgrade:
        description: Whether to ask as a client of WebSocket does. The method is GET then.
        type: bool
        default: false
      timeout:
        description: Seconds to wait for the whole header of the response, at most 300.
        type: float
        default: 10.0
      queue:
        description: Requests of one queue are made one after the other, others side by side.
        type: str
        default: ""
  total_timeout:
    description: Seconds for everything. Requests whose turn has not come by then are left out, and the answer says so.
    type: float
    default: 120.0
"""

EXAMPLES = r"""
- name: Ask the shop through nginx
  webops.bad_gateway.request_info:
    requests:
      - id: shop
        endpoint: 127.0.0.1:443
        tls: true
        server_name: shop.example
        path: /cart
  register: asked

- name: Stop when the shop is a bad gateway
  ansible.builtin.assert:
    that: asked.requests.value[0].code not in [0, 500, 502, 503, 504]
  when: asked.requests.status == 'ok'
"""

RETURN = r"""
requests:
  description: The answer. C(value) is null unless C(status) is V(ok).
  returned: always
  type: dict
  contains:
    status:
      description: V(ok), V(absent), V(denied), V(timeout) or V(error).
      type: str
      returned: always
    asked:
      description: What was asked.
      type: str
      returned: always
    why:
      description: Why there is no value.
      type: str
      returned: always
    truncated:
      description: Whether some requests were not made.
      type: bool
      returned: always
    hidden:
      description: Sentences about what was not asked, and why.
      type: list
      elements: str
      returned: always
    value:
      description:
        - One entry for each request.
        - C(status) is V(ok) where nginx answered, or holds the session of a stream. C(code) is the status of the answer, 0 where there was none;
          C(why) says why. C(seconds) count from before the connection to the end of the header of the response.
      type: list
      elements: dict
      returned: always
      sample:
        - {id: shop, status: ok, code: 200, seconds: 0.012, why: ""}
        - {id: api, status: refused, code: 0, seconds: 0.0001, why: Connection refused}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import requests

_REQUEST = {
    "id": {"type": "str", "required": True},
    "endpoint": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["http", "stream"], "default": "http"},
    "tls": {"type": "bool", "default": False},
    "proxy_protocol": {"type": "bool", "default": False},
    "server_name": {"type": "str", "default": ""},
    "method": {"type": "str", "choices": list(requests.METHODS), "default": "GET"},
    "path": {"type": "str", "default": "/"},
    "upgrade": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 10.0},
    "queue": {"type": "str", "default": ""},
}


def main():
    """Read the arguments, ask, and give the answer."""
    module = AnsibleModule(
        argument_spec={
            "pid": {"type": "int"},
            "requests": {"type": "list", "elements": "dict", "required": True, "options": _REQUEST},
            "total_timeout": {"type": "float", "default": requests.TOTAL},
        },
        supports_check_mode=True,
    )
    params = module.params
    module.exit_json(changed=False, requests=evidence.ask(requests.ASKED, requests.collect, params["pid"], params["requests"], params["total_timeout"]))


if __name__ == "__main__":
    main()
