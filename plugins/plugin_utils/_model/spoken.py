# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which protocol an endpoint speaks, by what it answered to the probe and by the numbers in logs that are letters of another protocol.

Sources: ngx_http_fastcgi_process_record(), ngx_http_grpc_process_header() and ngx_http_memcached_process_header() in
nginx's http/modules; proto/base.c of uWSGI ("invalid request block size"); RFC 4253, 5321, 1939, 3501 (greetings); RESP; the
initial handshake packet of MySQL; AMQP 0-9-1, 4.2.2.

This module is private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Leg, Probe

HTTP, HTTPS, HTTP2, HTTP2_TLS = "HTTP/1", "HTTP/1 over TLS", "HTTP/2", "HTTP/2 over TLS"
FASTCGI, UWSGI, SCGI, MEMCACHED = "FastCGI", "uwsgi", "SCGI", "memcached"

_BY_TRY = {
    "http": HTTP,
    "https": HTTPS,
    "https-sni": HTTPS,
    "http2": HTTP2,
    "http2-tls": HTTP2_TLS,
    "fastcgi": FASTCGI,
    "fastcgi-ping": FASTCGI,
    "uwsgi": UWSGI,
    "uwsgi-ping": UWSGI,
    "suwsgi": UWSGI,
    "scgi": SCGI,
    "memcached": MEMCACHED,
}
_BY_SCHEME = {
    "http": HTTP,
    "https": HTTPS,
    "grpc": HTTP2,
    "grpcs": HTTP2_TLS,
    "fastcgi": FASTCGI,
    "uwsgi": UWSGI,
    "suwsgi": UWSGI,
    "scgi": SCGI,
    "memcached": MEMCACHED,
}
# An HTTP server takes a request of uwsgi or SCGI for a bad one of its own and says so in HTTP.
_BAD_REQUEST = (400, 501, 505)
_LIKE_HTTP = ("uwsgi", "suwsgi", "scgi")
# How servers of other protocols begin to talk, or refuse what they do not understand.
_GREETINGS = (
    (re.compile(r"SSH-[12]\."), "SSH"),
    (re.compile(r"220[ -]"), "SMTP or FTP"),
    (re.compile(r"\+OK "), "POP3"),
    (re.compile(r"\* OK "), "IMAP"),
    (re.compile(r"-(?:ERR|NOAUTH|DENIED) "), "the protocol of Redis"),
    (re.compile(r".{1,4}\\x00\\x00\\x00\\x0a[0-9]+\.[0-9]+"), "the protocol of MySQL"),
    (re.compile(r"AMQP"), "AMQP"),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PRI")
_BLOCK_SIZE = re.compile(r"invalid request block size: ([0-9]{1,5})")


@dataclass(frozen=True)
class Spoken:
    """What an endpoint speaks, and the try that showed it; by_bytes: not by an answer to its own protocol, but by how it answered another."""

    protocol: str
    attempt: dict
    by_bytes: bool = False


def wanted(leg: Leg) -> str:
    """Return what the pass of a leg speaks, in the words of Spoken; "" when that is not known or not asked here."""
    if leg.route.family == "stream":
        return ""
    speaks = _BY_SCHEME.get(leg.route.scheme, "")
    version = leg.route.value("http_version") if leg.route.family == "proxy" else None
    if version and version.args[:1] == ("2",):
        return {HTTP: HTTP2, HTTPS: HTTP2_TLS}.get(speaks, speaks)
    return speaks


def spoken(probe: Probe) -> Spoken | None:
    """Return what an endpoint speaks where it is known."""
    # What comes in TLS is not told by its first bytes here, and a server of uwsgi or SCGI may begin its answers as one of HTTP does.
    in_http = [attempt for attempt in probe.tries if not attempt.get("tls") and attempt["speak"] not in _LIKE_HTTP and _begins_as_http(attempt)]
    for attempt in probe.tries:
        # One that answers in HTTP whatever it is asked does not speak uwsgi or SCGI, though nginx might take its answer for one of these.
        if attempt["speak"] in _BY_TRY and _understood(attempt) and not (in_http and attempt["speak"] in _LIKE_HTTP and _begins_as_http(attempt)):
            return Spoken(_BY_TRY[attempt["speak"]], attempt)
    if in_http:
        return Spoken(HTTP, in_http[0], by_bytes=True)
    for attempt in probe.tries:
        for pattern, protocol in _GREETINGS:
            if not attempt.get("tls") and pattern.match(attempt.get("start") or ""):
                return Spoken(protocol, attempt, by_bytes=True)
    return None


def _begins_as_http(attempt: dict) -> bool:
    return (attempt.get("start") or "").startswith("HTTP/")


def _understood(attempt: dict) -> bool:
    return attempt["status"] == "ok" and not (attempt["speak"] in _LIKE_HTTP and attempt.get("code") in _BAD_REQUEST)


def fastcgi_version(number: int) -> str:
    """Return what the "FastCGI protocol version" of an answer really is, or ""."""
    if number == 72:
        return '72 is "H", the first letter of "HTTP/1.1": the backend answers in HTTP'
    if number in (20, 21, 22, 23):
        return f"{number} begins a TLS record: the backend speaks TLS"
    if number == 0:
        return ""
    return f'{number} is "{chr(number)}": the backend answers in words, not in FastCGI' if 32 < number < 127 else ""


def frame_length(number: int) -> str:
    """Return what the length of an "http2 frame" really is, or "": three letters of another protocol."""
    letters = number.to_bytes(3, "big") if 0 < number < 1 << 24 else b""
    if letters == b"HTT":
        return f'{number} is "HTT", the first letters of "HTTP/1.1": the backend answers in HTTP/1'
    return f'{number} is "{letters.decode()}": the backend answers in words, not in HTTP/2' if re.fullmatch(rb"[ -!#-~]{3}", letters) else ""


def block_size(number: int) -> str:
    """Return the request that a uWSGI server took for a packet of that size, or "": the size is its second and third letter."""
    for method in _METHODS:
        if method[1:3].encode() == number.to_bytes(2, "little"):
            return f'{number} are the letters "{method[1:3]}" of "{method}": a request in HTTP came to a socket of the uwsgi protocol'
    return ""


def told_by_uwsgi(lines: tuple[str, ...]) -> str:
    """Return what the last lines of a uWSGI server say of requests in another protocol, or ""."""
    for line in reversed(lines):
        match = _BLOCK_SIZE.search(line)
        told = block_size(int(match.group(1))) if match and int(match.group(1)) < 1 << 16 else ""
        if told:
            return f"invalid request block size: {told}"
    return ""
