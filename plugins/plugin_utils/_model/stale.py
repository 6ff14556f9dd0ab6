# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs that what nginx runs is not what its files say.

This module is private to the collection.
"""

from __future__ import annotations

import re

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, routes, selinux
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Listener

_EVERY = ("0.0.0.0", "::")


def failures(host: Host, instance: Instance) -> list[dict]:
    """Return the log groups of failures that running workers met on an upstream which no file names.

    A log record can be forged by a client, but its pid must then be that of a worker that runs now.
    A route whose target is a name or a variable may go anywhere, so its records say nothing here. Where a
    part of the files is not known, neither is what they do not name. Look-ups that failed for want of a
    resolver count too, where the files have one by now.
    """
    if instance.configuration.gaps:
        return []
    found = []
    for group in fresh_foreign(host, instance):
        if not any(_open_ended(route) for route in routes.routes_for(host.routes, group.get("server") or "", tuple(group.get("paths") or ()), "")):
            found.append(group)
    return sorted(found + naming.mended(host, instance), key=lambda group: -group["count"])


def fresh_foreign(host: Host, instance: Instance) -> list[dict]:
    """Return the log groups of failures on an upstream which no file names, written by the workers that run now."""
    return [
        group
        for group in host.foreign_errors
        if group.get("status") in (500, 502, 504)
        and host.wrote(instance, group.get("pids") or ())
        and instance.served_at(group.get("last") or 0.0)
        and not _of_another(host, instance, group.get("server") or "")
    ]


def _of_another(host: Host, instance: Instance, server: str) -> bool:
    """Return whether a server is one of other nginx alone: process ids in the logs of containers do not tell whose record it is."""
    having = {route.instance for route in host.routes if route.server == server}
    return bool(having) and instance.id not in having


def _open_ended(route: routes.Route) -> bool:
    return bool(route.unresolved) or any(peer.by_name for peer in route.peers)


# How nginx says that it was not let bind a port (ngx_open_listening_sockets()).
_NOT_BOUND = re.compile(r"bind\(\) to (?:\S*:)?(?P<port>[0-9]{1,5}) failed \(13: ")
_FIRST_FREE_PORT = 1024


def unbindable(host: Host, instance: Instance) -> tuple[selinux.Bind, ...]:
    """Return the ports in the files that SELinux does not let an nginx bind, by the kernel's own decision."""
    return tuple(bind for bind in host.selinux.listens if host.selinux.enforcing and bind.instance == instance.id and bind.refused)


def not_bound(record: dict) -> int:
    """Return the port that nginx was not permitted to bind, as an [emerg] record says; 0 for what says something else."""
    match = _NOT_BOUND.search(record["text"])
    return int(match.group("port")) if match else 0


def privileged(instance: Instance, port: int) -> bool:
    """Return whether a port is one that only root may bind (ip_unprivileged_port_start has this default), and the master is somebody else."""
    return port < _FIRST_FREE_PORT and bool((instance.raw.get("master") or {}).get("uid"))


def unheld_listens(host: Host, instance: Instance) -> list[str]:
    """Return the listen addresses in the files on which the running master has no socket."""
    if host.answer("listeners")["hidden"]:
        return []
    pids = {(instance.raw.get("master") or {}).get("pid"), *(worker["pid"] for worker in instance.raw.get("workers") or ())}
    held = {_as_listen(str(item.endpoint)) for item in host.listeners if pids & {process.pid for process in item.processes}}
    wanted = routes.sockets_of(instance.configuration, host.names_of(instance.id))
    return sorted(wanted - held) if held else []


def taken_listens(host: Host, instance: Instance) -> list[tuple[str, Listener]]:
    """Return (address in the files, the socket in its way) where others of the host listen on what an nginx that is down is to listen on.

    bind(2) is refused where a socket listens on the same port at the same address, or one of the two has all addresses of its family. Sockets that
    share a port (SO_REUSEPORT) do not tell so here: an nginx that asks for that is left out.
    """
    if instance.running or not host.net or _shares_ports(instance):
        return []
    found = []
    for listen in sorted(routes.sockets_of(instance.configuration, host.names_of(instance.id))):
        wanted = Endpoint.parse(listen)
        if wanted.kind != "tcp":
            continue
        address = "0.0.0.0" if wanted.address == "*" else wanted.address
        six = ":" in address
        for item in host.sockets_in(host.net):
            other = item.endpoint.address
            alike = (":" in other) == six and (other == address or address in _EVERY or other in _EVERY)
            both = other == "::" and item.v6only is False and not six
            if item.endpoint.port == wanted.port and (alike or both):
                found.append((listen, item))
                break
    return found


def _shares_ports(instance: Instance) -> bool:
    return any(statement.name == "listen" and "reuseport" in statement.args for statement in instance.configuration.everywhere())


def _as_listen(endpoint: str) -> str:
    """Return a socket's address as a listen directive has it."""
    return endpoint.replace("0.0.0.0:", "*:") if endpoint.startswith("0.0.0.0:") else endpoint


def refused_reloads(host: Host, instance: Instance) -> list[dict]:
    """Return the [emerg] records that the running master wrote after its workers were started."""
    # In a container it is the first process mostly.
    masters = {1, (instance.raw.get("master") or {}).get("pid")} if instance.container else {(instance.raw.get("master") or {}).get("pid")}
    records = (host.answer("error_log")["value"] or {}).get("configuration") or ()
    late = (record for record in records if record["level"] == "emerg" and (record["last"] or 0.0) > instance.loaded)
    return [record for record in late if masters & set(record.get("pids") or ())]
