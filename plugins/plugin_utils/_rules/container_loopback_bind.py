# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application in a container listens on its own loopback alone.

## What it is
Many development servers listen on 127.0.0.1 by default. In a container that is the loopback of the container: nobody outside reaches it, whether the port is
published or not. With a published port the connection seems to work: the engine's proxy takes it and then cuts it off, so that nginx says
"connection reset" (104) or "prematurely closed"; otherwise the connection is refused (111). A 502 in both cases.

## How it is recognised
In the network namespace of the container to which the endpoint leads (by its address, or by a published port), the port is open on 127.0.0.1 or ::1, and
on no other address. Proven when the probe was refused or cut off besides; likely where none was made.

## Fix
Let the application listen on 0.0.0.0 in its container, by its own option, and start the container anew. Manual: only its author knows how, and who
may reach it is decided by what is published. Publish for nginx on the host at 127.0.0.1 ("127.0.0.1:3000:3000").

## When it stays silent
The application listens on every address, or on that of a network. It shares nginx's network namespace (network_mode "container:" or "host"), where
the loopback is the right one. Its sockets could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_verdict


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose container listens on its own loopback alone."""
    for found in contained.verdicts(host, contained.LOOPBACK_BIND):
        leg, target, bound = found.leg, found.target, found.listener.endpoint
        how = f"{leg.endpoint} leads into {target.label}" if found.port else f"{leg.endpoint} is {target.label}"
        tell = "; the engine's proxy takes the connection and then cuts it off" if found.port and leg.connect == "ok" else ""
        made = _docking.where_made(target, "the option or variable of its program that sets the address, such as --host 0.0.0.0 in command:")
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"{how}, whose program listens on {bound} alone: that is the container's own loopback, which nobody outside reaches{tell}.",
            show_verdict(found),
            _docking.with_patch(found.home, target, by_hand(f"Let the program in {target.label} listen on 0.0.0.0:{bound.port}. {made}."), bind=True),
            _docking.sockets(target),
            found.alternatives,
        )


RULE = Rule(
    id="container-loopback-bind",
    title="The application in a container listens on its own loopback",
    needs=("nginx", "listeners", "containers"),
    check=check,
)
