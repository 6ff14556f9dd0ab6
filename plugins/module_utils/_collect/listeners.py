# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sockets accept connections on this host, and which processes hold them.

Asked of the kernel: sock_diag(7), and where that is refused /proc/net/{tcp,tcp6,unix} (proc(5), and
net/ipv4/tcp_ipv4.c for the meaning of the queues). Who holds a socket comes from one pass over
/proc/PID/fd. Read-only. Without root the sockets are all seen, the owners only of one's own.

This module is private to the collection.
"""

import os
import socket
import struct
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _sock_diag

KEY = "listeners"
ASKED = "sock_diag, /proc/net/tcp, /proc/net/tcp6, /proc/net/unix, /proc/*/fd"

MAX_TABLE = 64 << 20
MAX_NAMESPACES = 256
MAX_CONTAINERS = 200
MAX_OWNERS = 64
OWNERS_SECONDS = 10.0

_MAPPED = b"\0" * 10 + b"\xff\xff"
_ACCEPTS = 0x10000  # __SO_ACCEPTCON


def collect(host, redactor, processes, pids=(), diag=_sock_diag.listening, inside=()):
    """Return the `listeners` value of docs/architecture.md as a Partial.

    processes is what _processes.scan() found. pids are processes whose network namespaces are read
    besides our own. Those of containers are read too, for TCP alone: the same path is another file in each. inside are
    processes of containers that their control groups do not tell. diag is the netlink question, replaced in tests.

    An IPv4-mapped address is given as the IPv4 address that it accepts connections for, family
    "inet". The path of a Unix socket is absolute where its owner's working directory is known;
    bind() was perhaps given a relative one.
    """
    hidden, truncated = list(processes.hidden), processes.truncated
    value = {"tcp": [], "unix": []}
    spaces = _namespaces(processes, pids, hidden)
    more, cut = _of_containers(processes, inside, dict(spaces))
    truncated = truncated or cut
    for net, pid, kinds in [space + (("tcp", "unix"),) for space in spaces] + [space + (("tcp",),) for space in more]:
        for kind in kinds:
            try:
                found, cut = _sockets(host, kind, pid, diag)
            except evidence.Unanswered as error:
                if pid is None:
                    raise
                hidden.append("{0} sockets in the network namespace of process {1}: {2}".format(kind, pid, error.why))
                continue
            truncated = truncated or cut
            value[kind] += [dict(entry, net=net) for entry in found]
    inodes = {entry["inode"] for entries in value.values() for entry in entries}
    owners, cut = _owners(host, processes, inodes, hidden)
    users = _processes.user_names(host)
    shown = {process.pid: _processes.owner(process, redactor, users) for found in owners.values() for process in found}
    for entries in value.values():
        for entry in entries:
            entry["owners"] = [shown[process.pid] for process in owners.get(entry["inode"], ())]
    for entry in value["unix"]:
        entry["path"] = _path(host, entry.pop("name"), entry["owners"])
    value["tcp"].sort(key=lambda entry: (entry["net"], entry["port"], entry["address"], entry["inode"]))
    value["unix"].sort(key=lambda entry: (entry["net"], entry["path"], entry["inode"]))
    return evidence.Partial(value, truncated or cut, hidden)


def _namespaces(processes, pids, hidden):
    """Return [(namespace, pid)], our own first with pid None."""
    found = {processes.net: None}
    for pid in pids:
        process = processes.get(pid)
        if process is None or not process.net:
            hidden.append("the network namespace of process {0} may not be read".format(pid))
        elif len(found) < MAX_NAMESPACES:
            found.setdefault(process.net, pid)
    return list(found.items())


def _of_containers(processes, inside, known):
    """Return ([(namespace, pid)], whether there are more) of the containers, without those that are known."""
    found = {}
    for process in processes:
        if process.net and process.net not in known and (process.container or process.pid in inside):
            found.setdefault(process.net, process.pid)
    return list(found.items())[:MAX_CONTAINERS], len(found) > MAX_CONTAINERS


def _sockets(host, kind, pid, diag):
    try:
        found, truncated = diag(kind, pid)
    except (evidence.Unanswered, OSError):
        return _tables(host, kind, "self" if pid is None else pid)
    if kind == "tcp":
        return [_tcp(entry) for entry in found], truncated
    return [dict(entry) for entry in found if entry["name"]], truncated


def _tcp(entry):
    """Return a socket of sock_diag in the shape of the contract."""
    entry = dict(entry)
    address, family = written_address(entry["address"])
    entry.update(address=address, family=family)
    return entry


def written_address(raw):
    """Return (text, family) of an address of 4 or 16 bytes in network order."""
    if raw[:12] == _MAPPED and len(raw) == 16:
        raw = raw[12:]
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw), "inet"
    return socket.inet_ntop(socket.AF_INET6, raw), "inet6"


def _tables(host, kind, pid):
    """Return (sockets, truncated) from the tables in /proc."""
    if kind == "unix":
        raw, truncated = host.read("/proc/{0}/net/unix".format(pid), MAX_TABLE)
        return parse_unix(raw), truncated
    raw, truncated = host.read("/proc/{0}/net/tcp".format(pid), MAX_TABLE)
    try:
        more, cut = host.read("/proc/{0}/net/tcp6".format(pid), MAX_TABLE)
    except evidence.Unanswered as error:
        # A kernel without IPv6 has no such table.
        if error.status != evidence.ABSENT:
            raise
        more, cut = b"", False
    return parse_tcp(raw) + parse_tcp(more), truncated or cut


def parse_tcp(raw):
    """Return the listening sockets of /proc/net/tcp or tcp6.

    Addresses are printed as 32-bit words in the byte order of the machine. For a listening socket
    rx_queue is the number of connections that wait to be accepted; the backlog is not printed.
    """
    found = []
    for line in raw.split(b"\n")[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != b"0A":
            continue
        words, _colon, port = fields[1].decode("ascii", "replace").partition(":")
        address = b"".join(struct.pack("=I", int(words[at:at + 8], 16)) for at in range(0, len(words), 8))
        shown, family = written_address(address)
        found.append({
            "address": shown, "port": int(port, 16), "family": family, "inode": int(fields[9]), "v6only": None,
            "accept_queue": int(fields[4].partition(b":")[2], 16), "backlog": None,
        })
    return found


def parse_unix(raw):
    """Return the listening sockets of /proc/net/unix that have a name.

    Num RefCount Protocol Flags Type St Inode Path; the path is the rest of the line, spaces
    included, and "@" stands for each NUL of an abstract name. A row of another form is the rest of
    a name with a newline and is passed over.
    """
    found = []
    for line in raw.split(b"\n")[1:]:
        fields = line.split(None, 6)
        if len(fields) < 7 or not fields[0].endswith(b":"):
            continue
        inode, _space, name = fields[6].partition(b" ")
        try:
            accepts = int(fields[3], 16) & _ACCEPTS
            number = int(inode)
        except ValueError:
            continue
        if accepts and name:
            if name.startswith(b"@"):
                name = b"\0" + name[1:]
            found.append({"name": name, "inode": number, "accept_queue": None, "backlog": None})
    return found


def _owners(host, processes, inodes, hidden):
    """Return ({inode: [Process]}, truncated) from one pass over the open files of all processes."""
    owners, denied, deadline = {}, 0, time.monotonic() + OWNERS_SECONDS
    for process in processes:
        if time.monotonic() > deadline:
            hidden.append("owners of sockets: stopped after {0} s".format(OWNERS_SECONDS))
            return owners, True
        try:
            held = _held(host, process.pid)
        except evidence.Unanswered as error:
            denied += error.status == evidence.DENIED
            continue
        for inode in held & inodes:
            # Forked workers share the socket of their master, hundreds of them at times.
            if len(owners.setdefault(inode, [])) < MAX_OWNERS:
                owners[inode].append(process)
    if denied:
        hidden.append("open files of {0} processes of other users may not be read: the owners of their sockets are unknown".format(denied))
    return owners, False


def _held(host, pid):
    """Return the inodes of the sockets that a process holds."""
    folder = "/proc/{0}/fd".format(pid)
    return {_processes.socket_at(host, folder + "/" + name) for name in host.names(folder)} - {None}


def _path(host, name, owners):
    """Return the path of a Unix socket as text; "@" begins an abstract one."""
    if name.startswith(b"\0"):
        return text.harmless("@" + text.decode(name[1:]))
    path = text.decode(name.rstrip(b"\0"))
    if path.startswith("/") or not owners:
        return text.harmless(path)
    try:
        folder = host.link("/proc/{0}/cwd".format(owners[0]["pid"]))
    except evidence.Unanswered:
        return text.harmless(path)
    return text.harmless(os.path.normpath(text.decode(os.fsencode(folder)) + "/" + path))
