#!/usr/bin/python
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: wait until endpoints take connections."""

DOCUMENTATION = r"""
module: endpoint_wait
short_description: Wait until endpoints take connections
version_added: 0.3.0
author:
  - WebOps (@webops)
description:
  - Connects to each endpoint, over TCP or a Unix socket, until all of them take the connection; nothing is sent.
  - A socket file that a dead process left behind takes no connection. M(ansible.builtin.wait_for) would be content with it.
  - Fails when the time is over, and says how each endpoint that is left refuses.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - In check mode nothing is waited for, and nothing is connected to.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: none
    details:
      - This module never changes anything, so there is no difference to show.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
options:
  endpoints:
    description: Where to connect, such as V(127.0.0.1:3000), V([::1]:3000) or V(unix:/run/shop.sock). Names are not resolved.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for all of them.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Restart the shop
  ansible.builtin.systemd_service:
    name: shop.service
    state: restarted

- name: Wait until it takes connections again
  webops.bad_gateway.endpoint_wait:
    endpoints: ["127.0.0.1:3000"]
"""

RETURN = r"""
seconds:
  description: How long it took until all of them took a connection.
  returned: success
  type: float
  sample: 0.4
refusing:
  description: The endpoints that took no connection, with the reason.
  returned: failure
  type: dict
  sample: {"127.0.0.1:3000": "Connection refused"}
"""

import socket
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

_PAUSE = 0.1
# How long one attempt may take: a full accept queue of a TCP port does not answer at all.
_ATTEMPT = 2.0


def main():
    """Read the arguments and wait."""
    module = AnsibleModule(
        argument_spec={"endpoints": {"type": "list", "elements": "str", "required": True}, "timeout": {"type": "float", "default": 30.0}},
        supports_check_mode=True,
    )
    try:
        addresses = {endpoint: address_of(endpoint) for endpoint in module.params["endpoints"]}
    except ValueError as error:
        module.fail_json(msg=str(error))
    started = time.monotonic()
    refusing = {} if module.check_mode else wait(addresses, module.params["timeout"])
    if refusing:
        shown = "; ".join("{0}: {1}".format(text.harmless(endpoint, 300), why) for endpoint, why in sorted(refusing.items()))
        module.fail_json(msg="No connection after {0:g} s to {1}".format(module.params["timeout"], shown), refusing=refusing)
    module.exit_json(changed=False, seconds=round(time.monotonic() - started, 3))


def address_of(endpoint):
    """Return (family, address) of an endpoint; raises ValueError for what is none."""
    if endpoint.startswith("unix:/"):
        return socket.AF_UNIX, endpoint[len("unix:"):]
    host, _colon, port = endpoint.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") and host.endswith("]") else socket.AF_INET
    try:
        bare = socket.inet_ntop(family, socket.inet_pton(family, host[1:-1] if family == socket.AF_INET6 else host))
        if 0 < int(port) < 65536:
            return family, (bare, int(port))
    except (OSError, ValueError):
        pass
    raise ValueError("{0} is no endpoint: an address and a port, or unix: and a path".format(text.harmless(endpoint, 300)))


def wait(addresses, timeout, clock=time.monotonic, pause=time.sleep):
    """Return {endpoint: why} of those that take no connection within timeout seconds; each is tried once at least."""
    deadline = clock() + timeout
    left = dict(addresses)
    while True:
        refusing = {}
        for endpoint, (family, address) in left.items():
            why = refusal(family, address, min(_ATTEMPT, max(0.1, deadline - clock())))
            if why:
                refusing[endpoint] = why
        left = {endpoint: left[endpoint] for endpoint in refusing}
        if not left or clock() >= deadline:
            return refusing
        pause(_PAUSE)


def refusal(family, address, timeout):
    """Return why a connection is not taken, or ""."""
    channel = socket.socket(family, socket.SOCK_STREAM)
    try:
        channel.settimeout(timeout)
        channel.connect(address)
        return ""
    except OSError as error:
        return text.harmless(error.strerror or str(error), 200)
    finally:
        channel.close()


if __name__ == "__main__":
    main()
