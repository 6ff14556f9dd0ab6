# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Unix socket is in a /tmp that only one side sees.

## What it is
systemd gives a unit with PrivateTmp=yes a /tmp and /var/tmp of its own. A socket that such a backend makes
there does not exist for nginx, and the reverse. nginx gets "no such file or directory" (2) although the
backend listens on that very path, and answers 502.

## How it is recognised
A socket with exactly this path listens, its process is in another mount namespace than nginx, and the path
is missing in nginx's own.

## Fix
Move the socket to /run (RuntimeDirectory= of the unit) and point the pass there. Manual: both sides change.

## When it stays silent
nginx sees the socket; both sides share one mount namespace; the path is outside /tmp and /var/tmp and the
backend has no private /tmp.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_absence


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each socket that is hidden in a private /tmp."""
    for found in absence.absences(host, absence.PRIVATE_TMP):
        leg, backend = found.leg, found.elsewhere.processes[0]
        evidence = show_absence(host, found)
        evidence.append(Evidence("mount namespaces", f"nginx has {leg.instance.mnt}, {backend.label} has {backend.mnt}"))
        if found.owner and found.owner.private_tmp:
            evidence.append(Evidence(found.owner.source, "PrivateTmp=yes"))
        yield on_leg(
            host,
            RULE.id,
            leg,
            found.certainty,
            f"{backend.label} listens on {leg.endpoint} in another /tmp than the one that nginx sees.",
            evidence,
            by_hand(f"Let the backend make its socket below /run (RuntimeDirectory=) and point {leg.peer.at} there."),
            f"systemctl show -p PrivateTmp,RuntimeDirectory {backend.quoted_unit}" if backend.unit else "",
        )


RULE = Rule(
    id="socket-private-tmp",
    title="The socket is in a private /tmp",
    needs=("nginx", "listeners", "paths", "backends.units"),
    check=check,
)
