# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host is, and which addresses are its own.

Sources: os-release(5), proc(5), rtnetlink(7) with linux/if_addr.h.

This module is private to the collection.
"""

import os
import platform
import shlex
import socket
import struct
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "host"
ASKED = "uname, /etc/os-release, /proc, rtnetlink"

_CLOCK_BOOTTIME = 7  # linux/time.h; Python names it since 3.7
_MAX_ADDRESSES = 4096
_SECONDS = 2.0
# linux/netlink.h and linux/rtnetlink.h
_RTM_NEWADDR, _RTM_GETADDR, _NLMSG_ERROR, _NLMSG_DONE = 20, 22, 2, 3
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEADER = struct.Struct("=IHHII")


def collect(host):
    """Return the `host` value of docs/architecture.md as a Partial."""
    hidden = []
    value = {
        "hostname": text.harmless(text.decode(os.fsencode(os.uname().nodename)), 256),
        "os": _system(host, hidden),
        "kernel": text.harmless(os.uname().release, 256),
        "python": platform.python_version(),
        "uid": os.geteuid(),
        "init": _init(host, hidden),
        "booted": round(host.now() - time.clock_gettime(_CLOCK_BOOTTIME), 2),
        "now": host.now(),
        "addresses": [],
    }
    try:
        value["addresses"] = addresses()
    except OSError as error:
        hidden.append("local addresses: {0}".format(error.strerror or type(error).__name__))
    return evidence.Partial(value, bool(not value["addresses"]), hidden)


def _system(host, hidden):
    said = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            said = parse_os_release(host.text(path))
            break
        except evidence.Unanswered as error:
            hidden.append(error.why)
    return {key.lower(): text.harmless(said.get(key, ""), 256) for key in ("ID", "VERSION_ID", "PRETTY_NAME")}


def parse_os_release(content):
    """Return {name: value} of an os-release file; a line that is no assignment is passed over."""
    said = {}
    for line in content.splitlines():
        name, equals, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        if equals and not line.startswith("#"):
            said[name.strip()] = words[0] if words else ""
    return said


def _init(host, hidden):
    try:
        return text.harmless(host.text("/proc/1/comm").strip(), 64)
    except evidence.Unanswered as error:
        hidden.append(error.why)
        return ""


def addresses():
    """Return the addresses (str) of all interfaces of this network namespace, sorted. Raises OSError."""
    found = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as netlink:
        netlink.settimeout(_SECONDS)
        netlink.sendto(_HEADER.pack(24, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + b"\0" * 8, (0, 0))
        while len(found) < _MAX_ADDRESSES:
            done = parse_addresses(netlink.recv(1 << 18), found)
            if done:
                break
    return sorted(found)


def parse_addresses(raw, found):
    """Add the addresses of a netlink datagram to the set found; return whether it is the last one. Raises OSError."""
    at = 0
    while at + _HEADER.size <= len(raw):
        length, kind = _HEADER.unpack_from(raw, at)[:2]
        if kind == _NLMSG_DONE or length < _HEADER.size:
            return True
        if kind == _NLMSG_ERROR:
            code = -struct.unpack_from("=i", raw, at + _HEADER.size)[0]
            raise OSError(code, os.strerror(code))
        if kind == _RTM_NEWADDR:
            address = _address(raw[at + _HEADER.size:at + length])
            if address:
                found.add(address)
        at += (length + 3) & ~3
    return False


def _address(message):
    """Return the address of an ifaddrmsg: IFA_LOCAL where there is one (a point-to-point link), else IFA_ADDRESS."""
    family, attributes, at = message[0], {}, 8
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if length < 4:
            break
        attributes[kind] = message[at + 4:at + length]
        at += (length + 3) & ~3
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed and family in (socket.AF_INET, socket.AF_INET6):
        return socket.inet_ntop(family, packed)
    return ""
