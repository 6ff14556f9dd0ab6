# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL that a user asks about, taken apart as a client does, and kept out of what is shown where it holds secrets.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

PORTS = {"http": 80, "https": 443}
MASK = "***"

_LONGEST = 8000
_SHOWN = 200
_EXAMPLE = "https://shop.example/cart/a.json"
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})", re.ASCII)
_SECRET = re.compile(r"passw|passphrase|pwd|secret|token|key|credential|auth|cookie|session|sid$|jwt|bearer|signature|sig$|code$|otp|^pin$|dsn", re.IGNORECASE)
_LIKE_SECRET = re.compile(r"eyJ[\w-]{8,}\.|[A-Za-z0-9_+/=-]{24,}")
# A secret as short as this is masked only where its name stands before it: it would be found everywhere.
_SHORT = 4


class BadUrl(ValueError):
    """A URL that cannot be asked for; its text says what was set, and what to do."""


@dataclass(frozen=True)
class Url:
    """A URL as a client asks for it.

    scheme   "http" or "https"
    host     in lower case; an IPv6 address in brackets
    port     80 and 443 where none is written
    target   path and query as they stand in the request line
    secrets  what is never shown
    """

    scheme: str
    host: str
    port: int
    target: str
    secrets: tuple[tuple[str, str], ...]

    @property
    def tls(self) -> bool:
        """Return whether it is asked for over TLS."""
        return self.scheme == "https"

    @property
    def header(self) -> str:
        """Return the Host header of a client."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """Return the IP address that stands for the host, or "" for a name."""
        try:
            return str(ipaddress.ip_address(self.host.strip("[]")))
        except ValueError:
            return ""

    @property
    def shown(self) -> str:
        """Return it without what is never shown."""
        return f"{self.scheme}://{self.header}{self.mask(self.target)}"

    def mask(self, said: str) -> str:
        """Return a text in which the secrets of the URL are masked."""
        for name, value in self.secrets:
            for form in _forms(value):
                said = said.replace(form, MASK) if len(form) >= _SHORT else said.replace(f"{name}={form}", f"{name}={MASK}")
        return said

    def masked(self, value: object) -> object:
        """Return a value of JSON with every text in it masked."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {self.mask(key): self.masked(item) for key, item in value.items()}
        return [self.masked(item) for item in value] if isinstance(value, (list, tuple)) else value


def parse(written: str) -> Url:
    """Return the URL that is written; raises BadUrl."""
    if not written.strip():
        raise BadUrl(f"bad_gateway_url is not set; give the URL that fails, such as -e bad_gateway_url={_EXAMPLE}.")
    if len(written) > _LONGEST:
        raise BadUrl(f"bad_gateway_url has {len(written)} characters; it may have at most {_LONGEST}.")
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)(?:#.*)?", written.strip(), re.DOTALL)
    if not match or match.group(1).lower() not in PORTS:
        raise _bad(written, "begin with http:// or https:// and a host name")
    scheme, authority, rest = match.group(1).lower(), match.group(2), match.group(3)
    _userinfo, _at, place = authority.rpartition("@")
    if re.search(r"[\x00-\x1f\x7f]", written) or text.harmless(written) != written:
        raise _bad(written, "hold no control character")
    host, port = _host(written, place, PORTS[scheme])
    if not rest.startswith("/"):
        rest = f"/{rest}"
    target = urllib.parse.quote(rest, safe="/%?!$&'()*+,;=:@-._~[]|{}\"\\^`<>", encoding="utf-8", errors="surrogateescape")
    return Url(scheme, host, port, target, tuple(_secrets(target)))


def _host(written: str, place: str, otherwise: int) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{0,5}))?", place)
    if not match:
        raise _bad(written, "name a host, and a port between 1 and 65535 if any")
    host = match.group(1).lower()
    port = int(match.group(2)) if match.group(2) else otherwise
    if not 1 <= port <= 65535:
        raise _bad(written, "have a port between 1 and 65535")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise _bad(written, "name a host or an address") from None
        return host, port
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _bad(written, "name a host that DNS can have") from None
    if not _HOST.fullmatch(host) or ".." in host:
        raise _bad(written, "name a host of letters, digits, dots and hyphens")
    return host, port


def _bad(written: str, wanted: str) -> BadUrl:
    # What stands before "@", and a query, may be a secret.
    shown = re.sub(r"\?.*", "?...", re.sub(r"//[^/?#]*@", "//", written), flags=re.DOTALL)
    return BadUrl(f"bad_gateway_url is {text.harmless(repr(shown), _SHOWN)}; it must {wanted}, such as {_EXAMPLE}.")


def _secrets(target: str) -> list[tuple[str, str]]:
    found = []
    for pair in re.split("[&;]", target.partition("?")[2]):
        name, _mark, value = pair.partition("=")
        if value and (_SECRET.search(urllib.parse.unquote(name)) or _LIKE_SECRET.search(value)):
            found.append((name, value))
    return found


def _forms(value: str) -> list[str]:
    """Return a secret as it may stand somewhere: as it came, decoded, and encoded anew; the longest first."""
    plain = urllib.parse.unquote(value)
    return sorted({value, plain, urllib.parse.quote(plain, safe=""), urllib.parse.quote(plain)}, key=len, reverse=True)
