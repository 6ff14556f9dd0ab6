# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wait-for ENDPOINT...: return when each takes a connection ("127.0.0.1:80", "[::1]:80", "unix:/run/x.sock"), or fail after 20 s."""

import socket
import sys
import time


def takes(endpoint):
    """Say whether a connection to the endpoint is taken."""
    if endpoint.startswith("unix:"):
        family, address = socket.AF_UNIX, endpoint[5:]
    else:
        host, port = endpoint.rsplit(":", 1)
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        address = (host.strip("[]"), int(port))
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0


end = time.monotonic() + 20
for wanted in sys.argv[1:]:
    while not takes(wanted):
        if time.monotonic() > end:
            sys.exit("nothing takes connections at " + wanted)
        time.sleep(0.05)
