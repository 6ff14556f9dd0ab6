# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets as the kernel tells them over netlink: sock_diag(7).

It knows more than /proc/net: the size of the accept queue, IPV6_V6ONLY, and the exact bytes of a Unix
socket's name (/proc/net/unix prints a newline in a name as it is, so a name can forge a whole row).
Shapes and numbers are of include/uapi/linux/{inet_diag,unix_diag,sock_diag}.h.

This module is private to the collection.
"""

import os
import socket
import struct

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _netlink

MAX_SOCKETS = 20000

_LISTEN = 1 << 10
_ESTABLISHED, _SYN_SENT = 1, 2
# INET_DIAG_REQ_BYTECODE and its instructions that compare the remote port.
_BYTECODE, _JUMP, _REMOTE_FROM, _REMOTE_TO = 1, 1, 4, 5

_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_INET_MESSAGE = struct.Struct("=BBBB2s2s16s16s12sIIIII")
_UNIX_MESSAGE = struct.Struct("=BBBBIII")
_TWO = struct.Struct("=II")
_INSTRUCTION = struct.Struct("=BBH")

_SKV6ONLY = 11
_NAME, _PEER, _RQLEN = 0, 2, 4
_SHOW_NAME_AND_QUEUE = 0x01 | 0x10
_SHOW_PEER = 0x04
# ESTABLISHED and CLOSE_WAIT, of include/net/tcp_states.h: the far end of a connection before and after we closed ours.
_OPEN = 1 << 1 | 1 << 8
_ANY_COOKIE = 0xFFFFFFFF


def listening(kind, pid=None):
    """Return (sockets, truncated) of kind "tcp" or "unix".

    pid names a process whose network namespace is asked; None is our own. Each socket is a
    dictionary: inode, accept_queue, backlog (int), and for tcp address (bytes, 4 or 16), port,
    v6only (bool or None); for unix name (bytes, abstract ones begin with NUL).
    Raises Unanswered or OSError when the kernel refuses.
    """
    with _netlink.call(pid, _netlink.diag_channel) as channel:
        if kind == "unix":
            return _dump(channel, _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTEN, 0, _SHOW_NAME_AND_QUEUE, 0xFFFFFFFF, 0xFFFFFFFF), _unix)
        sockets, truncated = [], False
        for family in (socket.AF_INET, socket.AF_INET6):
            more, cut = _dump(channel, _netlink.INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN, b""), _inet)
            sockets += more
            truncated = truncated or cut
        return sockets, truncated


def accepted(connection, timeout=0.5):
    """Return whether the process at the other end of a connected socket has accepted the connection.

    A connection that no process has accepted yet has no file, and so its inode is 0. None when the kernel does not tell:
    the other end is on another host, in another network namespace, or gone.
    """
    try:
        with _netlink.diag_channel(timeout) as channel:
            if connection.family == socket.AF_UNIX:
                inode = os.fstat(connection.fileno()).st_ino & 0xFFFFFFFF
                request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, _SHOW_PEER, _ANY_COOKIE, _ANY_COOKIE)
                peer = _netlink.attributes_of(channel.ask(_netlink.SOCK_DIAG_BY_FAMILY, request), _UNIX_MESSAGE.size).get(_PEER, b"")
                return struct.unpack("=I", peer)[0] != 0 if len(peer) == 4 else None
            ours, theirs = connection.getsockname()[1], connection.getpeername()[1]
            ports = struct.pack(">HH", theirs, ours) + b"\0" * 44
            inodes = [_INET_MESSAGE.unpack_from(message)[13] for message in _of_tcp(channel, connection.family, _OPEN, ports)]
            return all(inodes) if inodes else None
    except (OSError, struct.error, evidence.Unanswered):
        return None


def queue_at(family, address, timeout=0.5):
    """Return (length, backlog) of the accept queue of the socket that listens at an address; None when the kernel does not tell.

    address is a path or (host, port) as connect() takes it.
    """
    try:
        with _netlink.diag_channel(timeout) as channel:
            if family == socket.AF_UNIX:
                request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTEN, 0, _SHOW_NAME_AND_QUEUE, _ANY_COOKIE, _ANY_COOKIE)
                name = os.fsencode(address)
                found = [item for item in map(_unix, channel.dump(_netlink.SOCK_DIAG_BY_FAMILY, request)) if item["name"].rstrip(b"\0") == name]
            else:
                found = []
                for each in (socket.AF_INET, socket.AF_INET6):
                    port = struct.pack(">H", address[1]) + b"\0" * 46
                    found += [item for item in map(_inet, _of_tcp(channel, each, _LISTEN, port)) if _takes(item["address"], family, address[0])]
            # Several sockets share a port with SO_REUSEPORT: which of them a connection meets is not told.
            return (found[0]["accept_queue"], found[0]["backlog"]) if len(found) == 1 and found[0]["backlog"] is not None else None
    except (OSError, ValueError, struct.error, evidence.Unanswered):
        return None


def users_at(port):
    """Return the ids (set) of the users whose sockets listen on a TCP port here. Raises Unanswered or OSError when the kernel refuses."""
    found = set()
    with _netlink.diag_channel() as channel:
        for family in (socket.AF_INET, socket.AF_INET6):
            listening_there = _of_tcp(channel, family, _LISTEN, struct.pack(">H", port) + b"\0" * 46)
            found |= {_INET_MESSAGE.unpack_from(message)[12] for message in listening_there}
    return found


def _of_tcp(channel, family, states, ports):
    return channel.dump(_netlink.SOCK_DIAG_BY_FAMILY, _netlink.INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states, ports))


def _takes(listening, family, host):
    """Return whether a socket that listens on an address (bytes) takes connections to a host (text)."""
    return not any(listening) or listening == socket.inet_pton(family, host.partition("%")[0])


def connected(ports, pid=None):
    """Return ([(address, port, "established" or "connecting", inode)], truncated) of the TCP connections to some remote ports, address in bytes.

    pid as for listening(). The kernel picks them, so that a host with many connections answers with few.
    Raises Unanswered or OSError when the kernel refuses.
    """
    code = _to_ports(ports)
    states = 1 << _ESTABLISHED | 1 << _SYN_SENT
    found, truncated = [], False
    with _netlink.call(pid, _netlink.diag_channel) as channel:
        for family in (socket.AF_INET, socket.AF_INET6):
            more, cut = _dump(channel, _netlink.INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states, b"") + _netlink.attribute(_BYTECODE, code), _remote)
            found += more
            truncated = truncated or cut
    return found, truncated


def _to_ports(ports):
    """Return the filter that lets through what goes to one of some ports (inet_diag_bc_run() in net/ipv4/inet_diag.c).

    Of each instruction the second number says how far to go on when it is true, the third when it is not;
    what arrives exactly at the end is let through.
    """
    parts = []
    for place, port in enumerate(ports):
        rest = len(ports) - place - 1
        parts += [_INSTRUCTION.pack(_REMOTE_FROM, 8, 20), _INSTRUCTION.pack(0, 0, port), _INSTRUCTION.pack(_REMOTE_TO, 8, 12), _INSTRUCTION.pack(0, 0, port)]
        if rest:
            parts.append(_INSTRUCTION.pack(_JUMP, 4, 4 + 20 * rest - 4))
    return b"".join(parts)


def _dump(channel, request, parse):
    found = [parse(message) for message in channel.dump(_netlink.SOCK_DIAG_BY_FAMILY, request)]
    return found[:MAX_SOCKETS], len(found) > MAX_SOCKETS


def _inet(message):
    fields = _INET_MESSAGE.unpack_from(message)
    family, port, source = fields[0], fields[4], fields[6]
    v6only = _netlink.attributes_of(message, _INET_MESSAGE.size).get(_SKV6ONLY)
    return {
        "address": source[:4] if family == socket.AF_INET else source,
        "port": struct.unpack(">H", port)[0],
        "v6only": bool(v6only[0]) if v6only else None,
        "accept_queue": fields[10],
        "backlog": fields[11],
        "inode": fields[13],
    }


def _remote(message):
    fields = _INET_MESSAGE.unpack_from(message)
    address = fields[7][:4] if fields[0] == socket.AF_INET else fields[7]
    return address, struct.unpack(">H", fields[5])[0], "connecting" if fields[1] == _SYN_SENT else "established", fields[13]


def _unix(message):
    attributes = _netlink.attributes_of(message, _UNIX_MESSAGE.size)
    queue, backlog = _TWO.unpack(attributes[_RQLEN]) if len(attributes.get(_RQLEN, b"")) == _TWO.size else (None, None)
    return {"name": attributes.get(_NAME, b""), "inode": _UNIX_MESSAGE.unpack_from(message)[4], "accept_queue": queue, "backlog": backlog}
