# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets as the kernel tells them over netlink: sock_diag(7).

It knows more than /proc/net: the size of the accept queue, IPV6_V6ONLY, and the exact bytes of a Unix
socket's name (/proc/net/unix prints a newline in a name as it is, so a name can forge a whole row).
Shapes and numbers are of include/uapi/linux/{inet_diag,unix_diag,sock_diag,netlink}.h.

This module is private to the collection.
"""

import ctypes
import os
import socket
import struct
import threading

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

MAX_SOCKETS = 20000
TIMEOUT = 5.0

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 0x001  # NLM_F_REQUEST
_REQUEST_DUMP = _REQUEST | 0x300  # NLM_F_DUMP
_DONE = 3
_ERROR = 2
_LISTEN = 1 << 10
_ESTABLISHED, _SYN_SENT = 1, 2
# INET_DIAG_REQ_BYTECODE and its instructions that compare the remote port.
_BYTECODE, _JUMP, _REMOTE_FROM, _REMOTE_TO = 1, 1, 4, 5
_CLONE_NEWNET = 0x40000000

_HEADER = struct.Struct("=IHHII")
_INET_REQUEST = struct.Struct("=BBBBI48s")
_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_INET_MESSAGE = struct.Struct("=BBBB2s2s16s16s12sIIIII")
_UNIX_MESSAGE = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
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
    channel = _channel(pid)
    try:
        channel.settimeout(TIMEOUT)
        if kind == "unix":
            request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTEN, 0, _SHOW_NAME_AND_QUEUE, 0xFFFFFFFF, 0xFFFFFFFF)
            return _dump(channel, request, _unix)
        sockets, truncated = [], False
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN, b"")
            more, cut = _dump(channel, request, _inet)
            sockets += more
            truncated = truncated or cut
        return sockets, truncated
    except socket.timeout:
        raise evidence.Unanswered(evidence.TIMEOUT, "sock_diag gave no answer in {0} s".format(TIMEOUT))
    finally:
        channel.close()


def accepted(connection, timeout=0.5):
    """Return whether the process at the other end of a connected socket has accepted the connection.

    A connection that no process has accepted yet has no file, and so its inode is 0. None when the kernel does not tell:
    the other end is on another host, in another network namespace, or gone.
    """
    channel = _open()
    try:
        channel.settimeout(timeout)
        if connection.family == socket.AF_UNIX:
            inode = os.fstat(connection.fileno()).st_ino & 0xFFFFFFFF
            request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, _SHOW_PEER, _ANY_COOKIE, _ANY_COOKIE)
            found = [_attributes(message, _UNIX_MESSAGE.size).get(_PEER, b"") for message in _ask(channel, request, _REQUEST)]
            return struct.unpack("=I", found[0])[0] != 0 if found and len(found[0]) == 4 else None
        ours, theirs = connection.getsockname()[1], connection.getpeername()[1]
        ports = struct.pack(">HH", theirs, ours) + b"\0" * 44
        request = _INET_REQUEST.pack(connection.family, socket.IPPROTO_TCP, 0, 0, _OPEN, ports)
        inodes = [_INET_MESSAGE.unpack_from(message)[13] for message in _ask(channel, request, _REQUEST_DUMP)]
        return all(inodes) if inodes else None
    except (OSError, struct.error, evidence.Unanswered):
        return None
    finally:
        channel.close()


def queue_at(family, address, timeout=0.5):
    """Return (length, backlog) of the accept queue of the socket that listens at an address; None when the kernel does not tell.

    address is a path or (host, port) as connect() takes it.
    """
    channel = _open()
    try:
        channel.settimeout(timeout)
        if family == socket.AF_UNIX:
            request = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTEN, 0, _SHOW_NAME_AND_QUEUE, _ANY_COOKIE, _ANY_COOKIE)
            name = os.fsencode(address)
            found = [item for item in map(_unix, _ask(channel, request, _REQUEST_DUMP)) if item["name"].rstrip(b"\0") == name]
        else:
            found = []
            for each in (socket.AF_INET, socket.AF_INET6):
                request = _INET_REQUEST.pack(each, socket.IPPROTO_TCP, 0, 0, _LISTEN, struct.pack(">H", address[1]) + b"\0" * 46)
                found += [item for item in map(_inet, _ask(channel, request, _REQUEST_DUMP)) if _takes(item["address"], family, address[0])]
        # Several sockets share a port with SO_REUSEPORT: which of them a connection meets is not told.
        return (found[0]["accept_queue"], found[0]["backlog"]) if len(found) == 1 and found[0]["backlog"] is not None else None
    except (OSError, ValueError, struct.error, evidence.Unanswered):
        return None
    finally:
        channel.close()


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
    channel = _channel(pid)
    try:
        channel.settimeout(TIMEOUT)
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, states, b"") + _ATTRIBUTE.pack(_ATTRIBUTE.size + len(code), _BYTECODE) + code
            more, cut = _dump(channel, request, _remote)
            found += more
            truncated = truncated or cut
        return found, truncated
    except socket.timeout:
        raise evidence.Unanswered(evidence.TIMEOUT, "sock_diag gave no answer in {0} s".format(TIMEOUT))
    finally:
        channel.close()


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


def _channel(pid):
    if pid is None:
        return _open()
    namespace = os.open("/proc/{0}/ns/net".format(pid), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _open_in(namespace)
    finally:
        os.close(namespace)


def _open():
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)


def _open_in(namespace):
    """Open the socket in a network namespace.

    A namespace belongs to a thread and a socket stays in the one that it was made in, so a thread
    that ends at once can do it without moving the rest of the process.
    """
    results = []

    def enter():
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace, _CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            results.append(_open())
        except (OSError, AttributeError) as error:
            results.append(error)

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if not results:
        raise evidence.Unanswered(evidence.TIMEOUT, "the network namespace could not be entered in {0} s".format(TIMEOUT))
    if isinstance(results[0], AttributeError):
        raise evidence.Unanswered(evidence.ERROR, "the C library has no setns()")
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]


def _dump(channel, request, parse):
    found = [parse(message) for message in _ask(channel, request, _REQUEST_DUMP)]
    return found[:MAX_SOCKETS], len(found) > MAX_SOCKETS


def _ask(channel, request, flags):
    """Return the messages that answer a request; a request for one socket (no dump) has one answer."""
    channel.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, flags, 1, 0) + request)
    found = []
    while True:
        raw = channel.recv(1 << 16)
        for kind, message in messages(raw):
            if kind == _DONE:
                return found
            if kind == _ERROR:
                number = -struct.unpack_from("=i", message)[0]
                raise OSError(number, os.strerror(number))
            found.append(message)
            if flags == _REQUEST:
                return found


def messages(raw):
    """Yield (type, bytes after the header) of each netlink message in a datagram."""
    at = 0
    while at + _HEADER.size <= len(raw):
        length, kind = _HEADER.unpack_from(raw, at)[:2]
        if length < _HEADER.size:
            return
        yield kind, raw[at + _HEADER.size:at + length]
        at += (length + 3) & ~3


def _attributes(raw, at):
    found = {}
    while at + _ATTRIBUTE.size <= len(raw):
        length, kind = _ATTRIBUTE.unpack_from(raw, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = raw[at + _ATTRIBUTE.size:at + length]
        at += (length + 3) & ~3
    return found


def _inet(message):
    fields = _INET_MESSAGE.unpack_from(message)
    family, port, source = fields[0], fields[4], fields[6]
    v6only = _attributes(message, _INET_MESSAGE.size).get(_SKV6ONLY)
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
    attributes = _attributes(message, _UNIX_MESSAGE.size)
    queue, backlog = _TWO.unpack(attributes[_RQLEN]) if len(attributes.get(_RQLEN, b"")) == _TWO.size else (None, None)
    return {"name": attributes.get(_NAME, b""), "inode": _UNIX_MESSAGE.unpack_from(message)[4], "accept_queue": queue, "backlog": backlog}
