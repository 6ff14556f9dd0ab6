# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a connection goes: a TCP address and port, the path of a Unix socket, or a name.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from functools import cached_property

TCP = "tcp"
UNIX = "unix"
NAME = "name"
UNKNOWN = "unknown"

_UNIX = "unix:"
_SLASHES = re.compile("//+")
_PORT = re.compile(r"0*([0-9]{1,5})", re.ASCII)
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?", re.DOTALL)
# What may be a host name; nginx itself is not choosy, but anything else is no place to connect to.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)


@dataclass(frozen=True)
class Endpoint:
    """One place to connect to. Two that mean the same are equal: "[0:0::1]:80" and "[::1]:80".

    kind     "tcp", "unix", "name" (a host name that is not resolved) or "unknown"
    address  "127.0.0.1", "::1", or "*" for every address, of a "tcp"
    port     1 to 65535; 0 when there is none
    path     of a "unix"; one that begins with "@" is abstract
    name     of a "name", in lower case; what was written, of an "unknown"
    """

    kind: str
    address: str = ""
    port: int = 0
    path: str = ""
    name: str = ""

    @classmethod
    def tcp(cls, address: str, port: int) -> Endpoint:
        """Return the endpoint of an IP address; an address that is none makes an "unknown"."""
        normal = "*" if address == "*" else _address(address)
        if normal is None:
            return cls(UNKNOWN, name=f"{address}:{port}")
        return cls(TCP, address=normal, port=port)

    @classmethod
    def unix(cls, path: str) -> Endpoint:
        """Return the endpoint of a Unix socket."""
        return cls(UNIX, path=path)

    @classmethod
    def parse(cls, written: str, default_port: int = 0) -> Endpoint:
        """Return the endpoint that is written as "host:port", "[v6]:port", "*:port" or "unix:/path".

        default_port counts where no port is written; 0 stands for none. Nothing that is written is
        an exception: what cannot be understood is an "unknown".
        """
        if written[: len(_UNIX)].lower() == _UNIX:
            path = written[len(_UNIX) :]
            return cls.unix(path) if path else cls(UNKNOWN, name=written)
        bracketed = _BRACKETED.fullmatch(written)
        host, port_text = bracketed.groups() if bracketed else _split(written)
        port = default_port if port_text is None else _port(port_text)
        if port is None:
            return cls(UNKNOWN, name=written)
        if host == "*" and not bracketed:
            return cls(TCP, address="*", port=port)
        address = _address(host)
        if address is not None and (":" in address) == bool(bracketed):
            return cls(TCP, address=address, port=port)
        if address is None and not bracketed and _NAME.fullmatch(host):
            return cls(NAME, port=port, name=host.lower())
        return cls(UNKNOWN, name=written)

    @cached_property
    def _text(self) -> str:
        if self.kind == UNIX:
            return _UNIX + self.path
        if self.kind == UNKNOWN:
            return self.name
        host = self.name if self.kind == NAME else self.address
        host = f"[{host}]" if ":" in host else host
        return f"{host}:{self.port}" if self.port else host

    def __str__(self) -> str:
        return self._text

    @property
    def plain_path(self) -> str:
        """Return the path of a Unix socket to compare: nginx, uWSGI and Puma keep the slashes of "unix:///run/x.sock", the kernel takes them as one."""
        return _SLASHES.sub("/", self.path)

    @property
    def usual_path(self) -> str:
        """Return plain_path without the link at its begin: /var/run is one to /run wherever systemd runs, and settings have the one or the other."""
        return re.sub("^/var(?=/run/)", "", self.plain_path)

    @property
    def quoted_path(self) -> str:
        """Return the path of a Unix socket as a shell takes it."""
        return shlex.quote(self.path)


def _split(written: str) -> tuple[str, str | None]:
    host, colon, port = written.partition(":")
    return host, (port if colon else None)


def _port(written: str) -> int | None:
    match = _PORT.fullmatch(written)
    port = int(match.group(1)) if match else 0
    return port if 1 <= port <= 65535 else None


def _address(written: str) -> str | None:
    """Return an IP address in its usual form, or None. Octets may have leading zeros, as ngx_inet_addr() takes them."""
    if len(written) > 64:
        return None
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9}){3}", written, re.ASCII):
        octets = [int(octet) for octet in written.split(".")]
        return ".".join(map(str, octets)) if max(octets) < 256 else None
    try:
        return str(ipaddress.IPv6Address(written))
    except ValueError:
        return None
