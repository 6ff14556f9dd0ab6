# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux lets nginx's worker do on the way to each endpoint that was probed: the probe's own way says nothing of it.

By TCP the kernel asks for name_connect to the type of the port (selinux_socket_connect()). To a Unix socket it asks for search on each
folder, read on each link, write on the socket's file (unix_find_bsd()) and connectto on the socket that listens
(selinux_socket_unix_stream_connect()), whose context the probe's own connection was told (SO_PEERSEC).

This module is private to the collection.
"""

import socket
import struct

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _connection as connections
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux as kernels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import paths

_SO_PEERSEC = getattr(socket, "SO_PEERSEC", 31)
_MOST = 1024  # bytes that Python takes from getsockopt()
# What is asked of the file at each step of a way.
_STEPS = {"dir": ("dir", "search"), "link": ("lnk_file", "read"), "socket": ("sock_file", "write")}
_SHOWN = ("class", "permission", "target", "allowed", "booleans", "why", "path", "expected", "port", "port_type", "record", "local", "labels")


def peer(connection):
    """Return {"context", "pid"} of what listens at the other end of a connection to a Unix socket, None where the kernel does not tell."""
    if connection.family != socket.AF_UNIX:
        return None
    try:
        context = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERSEC, _MOST)
        pid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    except (OSError, struct.error):
        return None
    return {"context": text.decode(context).rstrip("\0"), "pid": pid}


def add(host, probes, pid, peers, ask=None):
    """Put `selinux` of docs/architecture.md into probes made for the worker pid; peers are {endpoint: peer()} of those that connected."""
    try:
        kernels.present(host)
    except evidence.Unanswered as error:
        for probe in probes:
            probe["selinux"] = None if error.status == evidence.ABSENT else _answer(error.status, error.why)
        return
    # Whatever happens here, the probes have been made.
    answer = evidence.ask("", _ways, host, {probe["endpoint"] for probe in probes}, pid, peers, ask)
    for probe in probes:
        probe["selinux"] = answer["value"][probe["endpoint"]] if answer["value"] else _answer(answer["status"], answer["why"])


def _answer(status, why, source="", permissive=False, checks=()):
    return {"status": status, "why": text.harmless(why, 500), "source": text.harmless(source, 300), "permissive": permissive, "checks": list(checks)}


def _ways(host, endpoints, pid, peers, ask):
    """Return {endpoint: `selinux` of its probes}. Raises Unanswered, OSError."""
    if pid is None:
        raise evidence.Unanswered(evidence.ABSENT, "no worker of nginx runs whose context could be asked about")
    source = kernels.process_context(host, pid)
    walks = _walks({endpoint[len("unix:"):] for endpoint in endpoints if endpoint.startswith("unix:")}, pid)
    found, failed = {}, {}
    for endpoint in sorted(endpoints):
        try:
            if endpoint.startswith("unix:"):
                found[endpoint] = _unix(host, source, walks[endpoint[len("unix:"):]], peers.get(endpoint))
            else:
                found[endpoint] = [kernels.check(source, "tcp_socket", "name_connect", port=connections.address_of(endpoint)[1][1])]
        except evidence.Unanswered as error:
            failed[endpoint] = _answer(error.status, error.why, source)
        except ValueError as error:
            failed[endpoint] = _answer(evidence.ERROR, str(error), source)
    settled = iter(kernels.settle(host, [item for checks in found.values() for item in checks], ask=ask)[0])
    same_root = _same_root(pid)
    try:
        permissive = kernels.Kernel(host, ask).permissive(source)
    except evidence.Unanswered:
        permissive = False
    ways = {}
    for endpoint, checks in found.items():
        ways[endpoint] = _answer(evidence.OK, "", source, permissive, [_shown(next(settled), same_root) for _item in checks])
    ways.update(failed)
    return ways


def _walks(wanted, pid):
    if not wanted:
        return {}
    try:
        return inside.call(paths.walk_there, (sorted(wanted),), pid=pid, timeout=paths.SECONDS)
    except evidence.Unanswered as error:
        return {path: {"status": error.status, "why": error.why, "walk": []} for path in wanted}


def _same_root(pid):
    try:
        return inside.same_root(pid)
    except evidence.Unanswered:
        return False


def _unix(host, source, walk, other):
    """Return the checks on the way to a Unix socket as far as there is one."""
    if not walk["walk"]:
        raise evidence.Unanswered(walk["status"], walk["why"])
    checks = []
    for step in walk["walk"]:
        if step["type"] in _STEPS:
            name, permission = _STEPS[step["type"]]
            checks.append(kernels.check(source, name, permission, step["label"], path=step["path"]))
    if other:
        checks.append(kernels.check(source, "unix_stream_socket", "connectto", _listening(host, other)))
    return checks


def _listening(host, other):
    """Return the context of a listening socket: what its connection is told has the level of our own, that of its process is the right one."""
    told = other["context"].split(":", 3)
    try:
        real = kernels.process_context(host, other["pid"]).split(":", 3) if other["pid"] > 0 else []
    except (evidence.Unanswered, OSError):
        real = []
    return ":".join(told[:3] + real[3:]) if len(told) > 3 and len(real) > 3 else other["context"]


def _shown(item, same_root):
    """Return a CHECK of docs/architecture.md. The policy's file contexts speak of this system's paths, not of those in a container."""
    shown = {name: item[name] for name in _SHOWN}
    shown["expected"] = item["expected"] if same_root else ""
    for name, limit in (("target", 300), ("why", 500), ("path", 4096), ("expected", 300)):
        shown[name] = text.harmless(shown[name], limit)
    return shown
