#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what backends answer to nginx."""

DOCUMENTATION = r"""
module: probe_info
short_description: Connect to backends as nginx would, and tell what they answer
version_added: 0.1.0
author:
  - WebOps (@webops)
description:
  - Connects to each endpoint with the user, the groups, the network namespace, the mount namespace and the root directory of
    an nginx worker, and sends one C(GET) or C(HEAD) in the protocol of the pass directive.
  - Says how the connection went, whether the answer is one that nginx accepts, how long its header took and how many bytes
    of C(*_buffer_size) it needs.
  - When the endpoint does not understand the protocol, a few short further tries find out which one it speaks.
  - Follows no redirect, sends no request body and reads no response body.
  - Verifies a certificate only where O(targets[].tls) says that nginx does. Never reads a private key.
  - The security label of nginx (SELinux, AppArmor) is not taken on. Where the kernel runs with SELinux, each probe says what SELinux lets
    the process in O(identity.pid) do on the way to the endpoint.
extends_documentation_fragment:
  - webops.bad_gateway._attributes
options:
  identity:
    description: Where and who the probes are. Left out, they are made as the user that runs the module.
    type: dict
    suboptions:
      pid:
        description: Process, usually an nginx worker, whose network namespace, mount namespace and root directory are entered.
        type: int
      uid:
        description:
          - User id to connect with. Only root can connect as another user.
          - Not as root, the connections over TCP are made all the same, those to Unix sockets are not, and the answer says so.
        type: int
      gid:
        description: Group id to connect with.
        type: int
      groups:
        description: Supplementary group ids to connect with.
        type: list
        elements: int
        default: []
  targets:
    description: What to ask. At most 64 are asked; the answer says how many are left.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the target, given back in the answer.
        type: str
        required: true
      endpoint:
        description: Where to connect, such as V(127.0.0.1:3000), V([::1]:3000) or V(unix:/run/shop.sock). Names are not resolved.
        type: str
        required: true
      speak:
        description:
          - Protocol that nginx would speak. V(tls) is a handshake alone, as for the TLS of a C(stream) proxy.
          - V(fastcgi-status) asks a PHP-FPM pool for its status page, whose C(pm.status_path) is O(targets[].path).
        type: str
        choices: [http, https, fastcgi, uwsgi, suwsgi, scgi, grpc, grpcs, memcached, tls, fastcgi-status]
        default: http
      host:
        description: Value of the C(Host) header. V(localhost) when empty.
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
      version:
        description: HTTP version of the request, as C(proxy_http_version) has it.
        type: str
        choices: ["1.0", "1.1"]
        default: "1.0"
      sni:
        description: Server name to send in TLS; none when empty, as nginx without C(proxy_ssl_server_name).
        type: str
        default: ""
      nginx:
        description: Version of the nginx, such as V(1.22.1). Which response headers are refused depends on it; the newest when empty.
        type: str
        version_added: 0.2.0
        default: ""
      tls:
        description: What is in force for TLS to this backend. Left out, any version is spoken and nothing is verified.
        type: dict
        version_added: 0.2.0
        suboptions:
          protocols:
            description: Versions, as C(proxy_ssl_protocols) has them.
            type: list
            elements: str
          ciphers:
            description: Ciphers, as C(proxy_ssl_ciphers) has them.
            type: str
          verify:
            description: Whether the certificate is verified.
            type: bool
          depth:
            description: Number of intermediate certificates that are allowed.
            type: int
          name:
            description: Name that the certificate must be for; not compared when empty.
            type: str
          trusted:
            description: File of the trusted certificates, in the mount namespace of O(identity.pid). Read as root; only certificates are kept.
            type: str
          crl:
            description: File of the revocation lists.
            type: str
          client_certificate:
            description: Whether nginx shows a certificate of its own. The probe has none, and says so when the backend asks for it.
            type: bool
          unlike:
            description: In what nginx differs from these settings. A handshake that fails then says nothing of nginx.
            type: str
          names:
            description: Server names to try when the handshake fails.
            type: list
            elements: str
      params:
        description:
          - Variables of a FastCGI, uwsgi or SCGI request, added to the usual ones.
          - FastCGI without C(SCRIPT_FILENAME) is only asked whether it is there; nothing is run.
        type: dict
        default: {}
      wait:
        description: Seconds to wait for the whole response header, at most 60.
        type: float
        default: 5.0
      patience:
        description:
          - Seconds after which an answer is waited for no longer that did not come within O(targets[].wait), at most 60.
          - What no process took is not waited for.
        type: float
        version_added: 0.3.0
        default: 0.0
      keep:
        description:
          - Whether the connection is asked to stay open (HTTP/1.1 only), as nginx does with C(keepalive), to see whether the server keeps it and for how long.
        type: bool
        version_added: 0.2.0
        default: false
      identify:
        description: Whether further tries find out what an endpoint speaks that does not understand O(targets[].speak).
        type: bool
        default: true
      upgrade:
        description: Versions of HTTP in which a handshake of WebSocket is tried too, whatever the answer to the plain request.
        type: list
        version_added: 0.2.0
        elements: str
        choices: ["1.0", "1.1"]
        default: []
      otherwise:
        description: Paths that are asked for too where O(targets[].path) is answered with a 404; at most four are.
        type: list
        version_added: 0.2.0
        elements: str
        default: []
  connect_timeout:
    description: Seconds to wait for one connection.
    type: float
    default: 5.0
  decide:
    description:
      - Endpoints to which no connection is made, and of which it is asked alone whether SELinux lets nginx connect to them. What they speak is not known, as
        of a C(stream) proxy.
    type: list
    elements: str
    default: []
    version_added: 0.4.0
  total_timeout:
    description: Seconds for everything. Targets whose turn has not come by then are left out, and the answer says so.
    type: float
    default: 90.0
"""

EXAMPLES = r"""
- name: Ask the backend of the shop as an nginx worker would
  webops.bad_gateway.probe_info:
    identity:
      pid: 812
      uid: 33
      gid: 33
      groups: [33]
    targets:
      - id: shop
        endpoint: 127.0.0.1:3000
        host: shop.example
        path: /health
      - id: php
        endpoint: unix:/run/php/php8.2-fpm.sock
        speak: fastcgi
  register: asked

- name: Show how the connections went
  ansible.builtin.debug:
    msg: "{{ asked.probes.value.probes | items2dict(key_name='id', value_name='connect') }}"
"""

RETURN = r"""
probes:
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
      description: Whether some targets were not asked.
      type: bool
      returned: always
    hidden:
      description: Sentences about what was not asked, and why.
      type: list
      elements: str
      returned: always
    value:
      description: The ids that the connections were really made with, one entry for each target, and one for each endpoint of O(decide).
      type: dict
      returned: always
      sample:
        identity: {pid: 812, uid: 33, gid: 33, groups: [33]}
        decided: [{endpoint: "10.0.0.7:5432", selinux: null}]
        probes:
          - id: shop
            endpoint: 127.0.0.1:3000
            connect: {status: ok, errno: null, seconds: 0.0002, why: ""}
            tries:
              - speak: http
                status: ok
                code: 200
                header_bytes: 321
                seconds: 0.012
                why: ""
                start: 'HTTP/1.1 200 OK\x0d\x0aContent-Type: text/html'
                tls: null
                keep_alive: null
                late: null
            queue: null
            behind: false
            selinux:
              status: ok
              why: ""
              source: system_u:system_r:httpd_t:s0
              permissive: false
              checks:
                - class: tcp_socket
                  permission: name_connect
                  target: system_u:object_r:ntop_port_t:s0
                  allowed: false
                  booleans: [httpd_can_network_connect]
                  why: ""
                  path: ""
                  expected: ""
                  port: 3000
                  port_type: ntop_port_t
                  record: [3000, 3001]
                  local: false
                  labels:
                    - {type: http_port_t, allowed: false, booleans: [httpd_can_network_connect, httpd_can_network_relay, httpd_graceful_shutdown]}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import probes

_IDENTITY = {
    "pid": {"type": "int"},
    "uid": {"type": "int"},
    "gid": {"type": "int"},
    "groups": {"type": "list", "elements": "int", "default": []},
}
_TLS = {
    "protocols": {"type": "list", "elements": "str"},
    "ciphers": {"type": "str"},
    "verify": {"type": "bool"},
    "depth": {"type": "int"},
    "name": {"type": "str"},
    "trusted": {"type": "str"},
    "crl": {"type": "str"},
    "client_certificate": {"type": "bool"},
    "unlike": {"type": "str"},
    "names": {"type": "list", "elements": "str"},
}
_TARGET = {
    "id": {"type": "str", "required": True},
    "endpoint": {"type": "str", "required": True},
    "speak": {"type": "str", "choices": list(probes.SPEAKS), "default": "http"},
    "host": {"type": "str", "default": ""},
    "method": {"type": "str", "choices": list(probes.METHODS), "default": "GET"},
    "path": {"type": "str", "default": "/"},
    "version": {"type": "str", "choices": list(probes.VERSIONS), "default": "1.0"},
    "sni": {"type": "str", "default": ""},
    "nginx": {"type": "str", "default": ""},
    "tls": {"type": "dict", "options": _TLS},
    "params": {"type": "dict", "default": {}},
    "wait": {"type": "float", "default": 5.0},
    "patience": {"type": "float", "default": 0.0},
    "keep": {"type": "bool", "default": False},
    "identify": {"type": "bool", "default": True},
    "upgrade": {"type": "list", "elements": "str", "choices": list(probes.VERSIONS), "default": []},
    "otherwise": {"type": "list", "elements": "str", "default": []},
}


def main():
    """Read the arguments, ask, and give the answer."""
    module = AnsibleModule(
        argument_spec={
            "identity": {"type": "dict", "options": _IDENTITY, "required_together": [("uid", "gid")]},
            "targets": {"type": "list", "elements": "dict", "required": True, "options": _TARGET},
            "decide": {"type": "list", "elements": "str", "default": []},
            "connect_timeout": {"type": "float", "default": probes.LIMITS["connect"]},
            "total_timeout": {"type": "float", "default": probes.LIMITS["total"]},
        },
        supports_check_mode=True,
    )
    limits = {"connect": module.params["connect_timeout"], "total": module.params["total_timeout"]}
    asked = module.params["identity"], module.params["targets"], limits, module.params["decide"]
    answer = evidence.ask("connections as nginx makes them", probes.collect, *asked)
    module.exit_json(changed=False, probes=answer)


if __name__ == "__main__":
    main()
