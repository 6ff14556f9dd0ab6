# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Unix socket's owner, group, mode or ACL denies the nginx worker.

## What it is
Connecting to a Unix socket needs write permission on it (unix(7)). The worker's user is not its owner, not
in its group, and not in its ACL, or the mode does not give write. nginx gets "permission denied" (13),
logged at [crit], and answers 502.

## How it is recognised
A connection made with the worker's own uid, gid and groups is denied, and the permissions of the socket,
computed for these ids, deny writing while every directory above lets it through.

## Fix
PHP-FPM: listen.group and listen.mode = 0660 of the pool, or listen.acl_users where ACLs are in use (they win over
owner and group). It gives them to a socket when it makes it, so that it has to be restarted; a reload keeps the old one.
Others: SocketGroup= of a systemd socket, or Group= of the unit beside its own group, and UMask=0007 or the program's own
option (gunicorn --umask 007, uWSGI chmod-socket = 660). Risky: it widens access. Never mode 0666.
Where nginx's user was put into the group since the workers were started, which keep the groups that he had then: reload nginx. Safe.
A socket that another user than root has nginx ask for, in his own nginx or in a file that is his, is left to a person.

## When it stays silent
The worker may write to the socket; a directory above denies it (socket-directory-permission); the
permissions allow it and it is denied all the same (selinux-socket-label, apparmor-denied).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, let_in, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_groups, show_log, show_probe


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each socket that its own permissions close to the worker."""
    for leg in host.legs:
        denied = access.denial(leg)
        if not denied or denied.directory:
            continue
        yield on_leg(
            host,
            RULE.id,
            leg,
            denied.certainty,
            f"{denied.who} may not write to {leg.endpoint}: it is {denied.what}.",
            [show_config(leg), Evidence(f"stat {denied.path}", denied.what), *show_groups(leg, denied), *show_probe(leg), *show_log(leg, "connect-denied")],
            let_in(host, leg, denied, f"Let the backend make its socket with a group that {denied.user} is in, and mode 0660."),
            f"namei -l {leg.endpoint.quoted_path}",
        )


RULE = Rule(
    id="socket-permission",
    title="The socket's permissions deny nginx",
    needs=("nginx", "paths"),
    check=check,
)
