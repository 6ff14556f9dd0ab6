# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory above the Unix socket cannot be crossed by the nginx worker.

## What it is
Reaching a socket needs search permission (x) on every directory of its path (path_resolution(7)). A home
directory of mode 0700 or 0750 above the socket is enough to get "permission denied" (13) and a 502, however
open the socket itself is.

## How it is recognised
The path is walked from the root as nginx sees it, and the permissions of each directory are computed for the
worker's uid, gid, groups and ACLs. A connection as that user is denied.

## Fix
Move the socket below /run, or give the worker search permission on that one directory (an ACL, or its group). Risky: it
widens access, in a home to every file that others may read there. Where nginx's user was put into the group since the workers were
started, which keep the groups that he had then: reload nginx. Safe. What others than root can replace by another
directory is left to a person, and so is the home of root, and what another user than root has nginx ask for.

## When it stays silent
Every directory can be crossed, for whatever reason: owner, group, others, or an ACL.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, let_in, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_groups, show_log, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each socket below a directory that is closed to the worker."""
    for leg in host.legs:
        denied = access.denial(leg)
        if not denied or not denied.directory:
            continue
        yield on_leg(
            host,
            RULE.id,
            leg,
            denied.certainty,
            f"{denied.who} may not cross {denied.path}, above {leg.endpoint}: it is {denied.what}.",
            [show_config(leg), Evidence(f"stat {denied.path}", denied.what), *show_groups(leg, denied), *show_probe(leg), *show_log(leg, "connect-denied")],
            let_in(host, leg, denied, f"Move the socket below /run, or let {denied.user} cross {denied.path} (an ACL with x, or a group of that directory)."),
            f"namei -l {leg.endpoint.quoted_path}",
        )


RULE = Rule(
    id="socket-directory-permission",
    title="A directory above the socket denies nginx",
    needs=("nginx", "paths"),
    check=check,
)
