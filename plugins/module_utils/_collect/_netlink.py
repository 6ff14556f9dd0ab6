# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells of a network namespace over netlink: routes, neighbours, links, sockets in use; and how it is asked.

Nothing is changed and no program is run. Shapes and numbers are of include/uapi/linux/{rtnetlink,neighbour,if_link,
if_addr,inet_diag}.h and of linux/netfilter/{nfnetlink,nf_tables}.h; rtnetlink(7), sock_diag(7).

This module is private to the collection.
"""

import ctypes
import errno
import os
import socket
import struct
import threading
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

TIMEOUT = 5.0
SECONDS = 3.0  # for one dump
MAX_SOCKETS = 500000

_ROUTE, _SOCK_DIAG, _NETFILTER = 0, 4, 12
_CLONE_NEWNET = 0x40000000
_REQUEST, _DUMP = 0x001, 0x001 | 0x300
_DONE, _ERROR = 3, 2
_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH = 18, 22, 26, 30
SOCK_DIAG_BY_FAMILY = 20
_GETTABLE = (10 << 8) | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE

_HEADER = struct.Struct("=IHHII")
_RTMSG = struct.Struct("=BBBBBBBBI")
_NDMSG = struct.Struct("=BBHiHBB")
_IFINFO = struct.Struct("=BBHiII")
_IFADDR = struct.Struct("=BBBBI")
INET_REQUEST = struct.Struct("=BBBBI48s")
_ATTRIBUTE = struct.Struct("=HH")

_ROUTE_TYPES = {1: "ok", 2: "ok", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "none"}
# What a look-up fails with: fib_props in net/ipv4/fib_semantics.c, ip6_rt_type_to_error() in net/ipv6/route.c.
_ROUTE_ERRORS = {
    errno.ENETUNREACH: "none", errno.EHOSTUNREACH: "unreachable", errno.EACCES: "prohibit", errno.EPERM: "prohibit", errno.EINVAL: "blackhole",
}
_STATES = ((0x01, "incomplete"), (0x02, "reachable"), (0x04, "stale"), (0x08, "delay"), (0x10, "probe"), (0x20, "failed"), (0x40, "noarp"), (0x80, "permanent"))
_UP, _LOWER_UP = 0x1, 0x10000
_ESTABLISHED, _SYN_SENT, _TIME_WAIT = 1, 2, 6
# All states but LISTEN and CLOSE.
_IN_USE = 0xFFF & ~(1 << 10) & ~(1 << 7)


def call(pid, function, *args):
    """Return function(*args), called in the network namespace of a process; None is our own.

    The namespace belongs to a thread that ends at once; what the function starts is in it too. The rest of the
    process stays where it is. Raises Unanswered or OSError.
    """
    if pid is None:
        return function(*args)
    namespace = os.open("/proc/{0}/ns/net".format(pid), os.O_RDONLY | os.O_CLOEXEC)
    results = []

    def work():
        try:
            _enter(namespace)
            results.append((function(*args), None))
        except Exception as error:  # pylint: disable=broad-except
            results.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        thread.join(60.0)
    finally:
        os.close(namespace)
    if not results:
        raise evidence.Unanswered(evidence.TIMEOUT, "the network namespace of nginx gave no answer in time")
    value, failure = results[0]
    if failure is not None:
        raise failure
    return value


def _enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        entered = libc.setns(namespace, _CLONE_NEWNET) == 0
    except AttributeError:
        raise evidence.Unanswered(evidence.ERROR, "the C library has no setns()")
    if not entered:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Channel:
    """A netlink socket of one protocol: ask() for one answer, dump() for many. It stays in the namespace that it was made in."""

    def __init__(self, protocol, timeout=TIMEOUT):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(timeout)
        self._timeout = timeout
        self._number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self._socket.close()

    def ask(self, kind, body):
        """Return the body of the first answer; raises OSError with the kernel's number."""
        for _kind, message in self._messages(kind, _REQUEST, body):
            return message
        raise evidence.Unanswered(evidence.ERROR, "netlink gave no answer")

    def dump(self, kind, body):
        """Yield the body of each answer."""
        for _kind, message in self._messages(kind, _DUMP, body):
            yield message

    def _messages(self, kind, flags, body):
        self._number += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._number, 0) + body)
        while True:
            try:
                raw = self._socket.recv(1 << 18)
            except socket.timeout:
                raise evidence.Unanswered(evidence.TIMEOUT, "netlink gave no answer in {0} s".format(self._timeout))
            for found, message in messages(raw):
                if found == _DONE:
                    return
                if found == _ERROR:
                    number = -struct.unpack_from("=i", message)[0]
                    if number == 0:
                        return
                    raise OSError(number, os.strerror(number))
                yield found, message


def messages(raw):
    """Yield (type, bytes after the header) of each netlink message in a datagram."""
    at = 0
    while at + _HEADER.size <= len(raw):
        length, kind = _HEADER.unpack_from(raw, at)[:2]
        if length < _HEADER.size:
            return
        yield kind, raw[at + _HEADER.size:at + length]
        at += (length + 3) & ~3


def route(channel, address, uid):
    """Return the route to an address for a connection of a user: {"status", "errno", "dev" (index), "gateway", "source", "local"}.

    status is "ok", "none", "unreachable", "prohibit", "blackhole" or "error", as fib_lookup() decides.
    """
    raw = packed(address)
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    body = _RTMSG.pack(family, 8 * len(raw), 0, 0, 0, 0, 0, 0, 0) + attribute(1, raw)
    if uid is not None:
        body += attribute(25, struct.pack("=I", uid))
    found = {"status": "ok", "errno": None, "dev": 0, "gateway": "", "source": "", "local": False}
    try:
        message = channel.ask(_GETROUTE, body)
    except OSError as error:
        found.update(status=_ROUTE_ERRORS.get(error.errno, "error"), errno=error.errno)
        return found
    kind = _RTMSG.unpack_from(message)[7]
    attributes = attributes_of(message, _RTMSG.size)
    found["status"] = _ROUTE_TYPES.get(kind, "ok")
    found["local"] = kind == 2
    if 4 in attributes:
        found["dev"] = struct.unpack("=i", attributes[4][:4])[0]
    found["gateway"] = _address(attributes.get(5, b"")) or _address(attributes.get(18, b"\0\0")[2:])
    found["source"] = _address(attributes.get(7, b""))
    return found


def neighbours(channel, family):
    """Return {(link index, address): state} of the neighbour table of a family."""
    found = {}
    for message in channel.dump(_GETNEIGH, _NDMSG.pack(family, 0, 0, 0, 0, 0, 0)):
        _family, _pad, _pad2, index, state, _flags, _type = _NDMSG.unpack_from(message)
        address = _address(attributes_of(message, _NDMSG.size).get(1, b""))
        if address:
            found[(index, address)] = next((name for bit, name in _STATES if state & bit), "none")
    return found


def links(channel):
    """Return {index: {"name", "up", "carrier", "kind", "addresses": ["10.0.0.5/24"]}}."""
    found = {}
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0) + attribute(29, struct.pack("=I", 1 << 3))
    for message in channel.dump(_GETLINK, body):
        _family, _pad, _type, index, flags, _change = _IFINFO.unpack_from(message)
        attributes = attributes_of(message, _IFINFO.size)
        kind = attributes_of(attributes.get(18, b""), 0).get(1, b"")
        found[index] = {
            "name": attributes.get(3, b"").rstrip(b"\0").decode("utf-8", "backslashreplace"),
            "up": bool(flags & _UP),
            "carrier": bool(flags & _LOWER_UP),
            "kind": kind.rstrip(b"\0").decode("ascii", "backslashreplace"),
            "addresses": [],
        }
    for message in channel.dump(_GETADDR, _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        _family, length, _flags, _scope, index = _IFADDR.unpack_from(message)
        attributes = attributes_of(message, _IFADDR.size)
        address = _address(attributes.get(2) or attributes.get(1, b""))
        if address and index in found:
            found[index]["addresses"].append("{0}/{1}".format(address, length))
    return found


def connections(channel, wanted):
    """Return ({(address, port): {"established", "syn_sent", "time_wait", "other", "ports"}}, truncated) of the sockets to some places.

    wanted are pairs of packed address and port; ports is the greatest number of local ports that one local address
    uses towards the place, which is what the range of local ports bounds.
    """
    keys = {struct.pack(">H", port) + raw.ljust(16, b"\0") for raw, port in wanted}
    states, local, seen, truncated = {}, {}, 0, False
    end = time.monotonic() + SECONDS
    for family in sorted({socket.AF_INET if len(raw) == 4 else socket.AF_INET6 for raw, _port in wanted}):
        for message in channel.dump(SOCK_DIAG_BY_FAMILY, INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _IN_USE, b"")):
            seen += 1
            if seen > MAX_SOCKETS or not seen % 1000 and time.monotonic() > end:
                truncated = True
                break
            key = message[6:8] + message[24:40]
            if key in keys:
                counts = states.setdefault(key, {})
                counts[message[1]] = counts.get(message[1], 0) + 1
                local.setdefault(key, {}).setdefault(message[8:24], set()).add(message[4:6])
        if truncated:
            break
    found = {}
    for raw, port in wanted:
        key = struct.pack(">H", port) + raw.ljust(16, b"\0")
        counts = states.get(key)
        if counts:
            named = {"established": counts.get(_ESTABLISHED, 0), "syn_sent": counts.get(_SYN_SENT, 0), "time_wait": counts.get(_TIME_WAIT, 0)}
            named["other"] = sum(counts.values()) - sum(named.values())
            named["ports"] = max(len(ports) for ports in local[key].values())
            found[(_address(raw), port)] = named
    return found, truncated


def has_nf_tables():
    """Return whether any table of nf_tables exists; raises OSError where that may not be asked or the kernel has none."""
    with Channel(_NETFILTER) as channel:
        return any(True for _message in list(channel.dump(_GETTABLE, b"\0\0\0\0")))


def route_channel():
    """Return a Channel for routes, neighbours and links."""
    return Channel(_ROUTE)


def diag_channel(timeout=TIMEOUT):
    """Return a Channel for sockets."""
    return Channel(_SOCK_DIAG, timeout)


def packed(address):
    """Return the bytes of an IP address; raises OSError when it is none."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _address(raw):
    if len(raw) not in (4, 16):
        return ""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def attribute(kind, raw):
    """Return the bytes of an attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(raw), kind) + raw.ljust((len(raw) + 3) & ~3, b"\0")


def attributes_of(raw, at):
    """Return {kind: bytes} of the attributes that stand from an offset on."""
    found = {}
    while at + _ATTRIBUTE.size <= len(raw):
        length, kind = _ATTRIBUTE.unpack_from(raw, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = raw[at + _ATTRIBUTE.size:at + length]
        at += (length + 3) & ~3
    return found
