# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request as nginx reads it: the request line and Host.

Source: nginx's http/ngx_http_parse.c (ngx_http_parse_request_line, ngx_http_parse_complex_uri),
http/ngx_http_request.c (ngx_http_process_request_uri, ngx_http_validate_host), core/ngx_string.c (ngx_escape_uri).

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import Unknown, normalise

_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/? ]*)", re.DOTALL)
_HOST_IN_LINE = re.compile(rb"(?:\[[0-9A-Za-z:._~!$&'()*+,;=-]*\]|[A-Za-z0-9.-]*)(?::[0-9]*)?")
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
# What every version of nginx takes in a host; later ones refuse more than earlier ones.
_PLAIN_HOST = re.compile(rb"(?:\[[0-9A-Za-z:._~!$&'()*+,;=-]*\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::(?P<port>[0-9]*))?", re.DOTALL)


_SERVER_NAME = re.compile(rb"(?=[^:]*[a-z_-])[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


class BadRequest(Exception):
    """nginx answers 400 before any configuration of a location counts."""


@dataclass(frozen=True)
class Request:
    """What a client sends.

    target   the second word of the request line: b"/a?b", b"http://shop.example/a"
    host     the Host header, None without one
    method   "GET"
    version  "1.0" or "1.1"
    tls      whether it comes over TLS
    headers  further headers by lower-case name; None where they are not known
    given    further variables that are known: b"127.0.0.1" of "remote_addr"
    """

    target: bytes
    host: bytes | None
    method: str = "GET"
    version: str = "1.1"
    tls: bool = False
    headers: Mapping[str, bytes] | None = None
    given: Mapping[str, bytes] | None = None


@dataclass(frozen=True)
class Line:
    """What nginx takes from a request line.

    host        the host in it, or None
    unparsed    path, query and fragment as they came
    as_it_came  whether that can be handed on unchanged
    path        the path as it came; uri() gives the one that locations are matched with
    args        the query
    quoted      "%" in the path
    plus        "+" in the path
    """

    host: bytes | None
    unparsed: bytes
    as_it_came: bool
    path: bytes
    args: bytes
    quoted: bool
    plus: bool

    def uri(self, merge_slashes: bool) -> bytes:
        """Return the path that locations are matched with; raises BadRequest."""
        found = normalise(self.path.decode("utf-8", "surrogateescape"), merge_slashes)
        if found is None:
            raise BadRequest("the path is not one that nginx takes")
        return found


def line_of(target: bytes) -> Line:
    """Return what nginx takes from the target of a request line; raises BadRequest."""
    host, rest, as_it_came = None, target, True
    absolute = _ABSOLUTE.match(target)
    if absolute:
        host, rest = absolute.group(1), target[absolute.end() :]
        if not _HOST_IN_LINE.fullmatch(host):
            raise BadRequest("the host in the request line is not one that nginx takes")
        as_it_came = not rest.startswith(b"?")
    if _CONTROL.search(target) or not (absolute or rest.startswith(b"/")):
        raise BadRequest("the request line is not one that nginx takes")
    rest = rest or b"/"
    before, _hash, _fragment = rest.partition(b"#")
    path, _mark, args = before.partition(b"?")
    path = path or b"/"
    return Line(host, rest, as_it_came, path, args, b"%" in path, b"+" in path or b"%2b" in path.lower())


def host_of(written: bytes) -> bytes:
    """Return a host as nginx compares it: in lower case, without port and last dot; raises BadRequest and Unknown."""
    if b".." in written or b"/" in written or _CONTROL.search(written):
        raise BadRequest("the host is not one that nginx takes")
    plain = _PLAIN_HOST.fullmatch(written)
    if not plain or int(plain["port"] or 0) > 65535:
        raise Unknown("whether nginx takes this host depends on its version")
    host = written
    if written.startswith(b"["):
        host = written[: written.index(b"]") + 1]
    elif b":" in written:
        host = written[: written.index(b":")]
    host = host[:-1] if host.endswith(b".") else host
    if not host:
        raise BadRequest("the host is empty")
    return host.lower()


def tls_name(host: bytes) -> bytes | None:
    """Return the name that a client sends in the TLS handshake for a host of host_of(): itself, None for an address (RFC 6066)."""
    return host if _SERVER_NAME.fullmatch(host) else None


# What is not escaped: the rest of the printable characters of ASCII are.
_URI = frozenset(b"!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~")
_ARGS = _URI - frozenset(b"&+;")
_ESCAPES = {kind: [bytes((byte,)) if byte in kept else b"%%%02X" % byte for byte in range(256)] for kind, kept in (("uri", _URI), ("args", _ARGS))}


def escape(raw: bytes, kind: str) -> bytes:
    """Return bytes as they stand in a URI; kind is "uri" or "args"."""
    table = _ESCAPES[kind]
    return b"".join(table[byte] for byte in raw)


def unescape_redirect(raw: bytes) -> bytes:
    """Return the target of a redirect with what needs no escape written plainly, up to its query."""
    kept, at = b"", 0
    while at < len(raw):
        if raw[at : at + 1] == b"?":
            break
        code = re.match(rb"%([0-9A-Fa-f]{2})", raw[at : at + 3])
        if not code:
            if raw[at : at + 1] == b"%":
                raise Unknown("a redirect has a broken escape")
            kept += raw[at : at + 1]
            at += 1
            continue
        byte = int(code.group(1), 16)
        at += 3
        if byte == 0x3F:
            return kept + b"?" + raw[at:]
        kept += bytes((byte,)) if 0x25 < byte < 0x7F else code.group(0)
    return kept + raw[at:]
