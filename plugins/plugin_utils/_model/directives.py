# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which value of a directive is in force at a place, and where it is written.

nginx has four ways to hand a directive down, by the merge function of its module
(ngx_conf_merge_*_value in core/ngx_conf_file.h, ngx_http_*_merge_loc_conf in http/modules/*.c):

    override   the innermost level that has it wins
    bitmask    the same; several at one level add up
    array      the same; one at an inner level drops all those of the outer levels
    own        it belongs to its own block and is handed down to none

Defaults are those of the same merge functions.

This module is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

OVERRIDE = "override"
BITMASK = "bitmask"
ARRAY = "array"
OWN = "own"

# Families of directives by the first word of their names.
FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached")
_BUFFERED = ("proxy", "fastcgi", "uwsgi", "scgi")
_TLS = ("proxy", "uwsgi", "grpc")

_TIME_UNITS = {"y": 31536000, "M": 2592000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_TIME = re.compile("".join(rf"(?:([0-9]{{1,10}}){unit}(?![a-z]) ?)?" for unit in _TIME_UNITS), re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,18})([kKmMgG]?)", re.ASCII)
# The page of memory that the table below is for.
_PAGE = 4096
_SIZE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive in force: its name, its arguments, and its place; at is None for nginx's default."""

    name: str
    args: tuple[str, ...]
    at: Place | None

    def __str__(self) -> str:
        return " ".join((self.name, *self.args))

    @property
    def seconds(self) -> float | None:
        """Return the first argument as a time; None when it is none."""
        return seconds(self.args[0]) if self.args else None

    @property
    def size(self) -> int | None:
        """Return the last argument as a number of bytes: of "8 4k", that of one buffer; None when it is none."""
        return size(self.args[-1]) if self.args else None

    @property
    def flag(self) -> bool | None:
        """Return whether it is "on"; None when it is neither "on" nor "off"."""
        return flag(self.args[0]) if self.args else None


def seconds(written: str) -> float | None:
    """Return a time such as "60", "60s", "1m30s" or "500ms" in seconds, or None (ngx_parse_time() in core/ngx_parse.c)."""
    if _SECONDS.fullmatch(written):
        return float(written)
    match = _TIME.fullmatch(written)
    if not match or not any(match.groups()):
        return None
    return float(sum(int(count) * unit for count, unit in zip(match.groups(), _TIME_UNITS.values()) if count))


def size(written: str) -> int | None:
    """Return a size such as "4096", "4k" or "1m" in bytes, or None (ngx_parse_size(), ngx_parse_offset() in core/ngx_parse.c)."""
    match = _SIZE.fullmatch(written)
    return int(match.group(1)) * _SIZE_UNITS[match.group(2).lower()] if match else None


def flag(written: str) -> bool | None:
    """Return whether "on" or "off" is written, or None (ngx_conf_set_flag_slot() in core/ngx_conf_file.c)."""
    return {"on": True, "off": False}.get(written.lower())


def _each(families: Sequence[str], *suffixes: str) -> set[str]:
    return {f"{family}_{suffix}" for family in families for suffix in suffixes}


_BITMASKS = _each(FAMILIES, "next_upstream") | _each(_BUFFERED, "ignore_headers", "cache_use_stale") | _each(_TLS, "ssl_protocols") | {"ssl_protocols"}
_ARRAYS = (
    _each(FAMILIES, "param", "set_header", "pass_header", "hide_header", "cache_valid", "cache_bypass", "no_cache", "ssl_conf_command", "redirect")
    | _each(("proxy",), "cookie_domain", "cookie_path", "cookie_flags")
    | set("add_header add_trailer error_page access_log error_log allow deny limit_req limit_conn index sub_filter gzip_types mirror ssl_conf_command".split())
)
_OWN = _each(FAMILIES, "pass") | set("rewrite set return if break try_files limit_except server_name listen auto_redirect".split())


def kind(name: str) -> str:
    """Return how a directive is handed down: OVERRIDE, BITMASK, ARRAY or OWN."""
    if name in _OWN:
        return OWN
    if name in _ARRAYS:
        return ARRAY
    return BITMASK if name in _BITMASKS else OVERRIDE


def in_force(name: str, levels: Sequence[Sequence[Statement]]) -> tuple[Directive, ...]:
    """Return what is set for a directive; () when no level sets it.

    levels are the statements of http, server, location, ... from the outermost to the innermost.
    Several come back for an array; a bitmask comes back as one, with the words of all.
    """
    how = kind(name)
    for level in list(reversed(levels))[: 1 if how == OWN else None]:
        found = [Directive(name, statement.args, statement.at) for statement in level if statement.name == name and statement.block is None]
        if found and how == BITMASK:
            return (Directive(name, tuple(word for item in found for word in item.args), found[0].at),)
        if found:
            return tuple(found) if how in (ARRAY, OWN) else (found[-1],)
    return ()


def default(name: str, version: tuple[int, ...] | None, page_size: int = _PAGE) -> Directive | None:
    """Return nginx's own value, or None when there is none, or this table does not have it. No version means an old one."""
    changed = _CHANGED.get(name)
    if changed:
        args = next((args for since, args in changed if since <= (version or (0,))), None)
    else:
        args = _DEFAULTS.get(name)
        if args and name in _PAGES:
            args = (*args[:-1], f"{(size(args[-1]) or 0) * page_size // _PAGE // 1024}k")
    return Directive(name, args, None) if args else None


def _defaults() -> dict[str, tuple[str, ...]]:
    common = {
        "connect_timeout": "60s",
        "send_timeout": "60s",
        "read_timeout": "60s",
        "buffer_size": "4k",
        "next_upstream": "error timeout",
        "next_upstream_tries": "0",
        "next_upstream_timeout": "0",
        "socket_keepalive": "off",
    }
    buffered = {
        "buffering": "on",
        "request_buffering": "on",
        "buffers": "8 4k",
        "max_temp_file_size": "1024m",
        "ignore_client_abort": "off",
        "force_ranges": "off",
        "pass_request_headers": "on",
        "pass_request_body": "on",
        "limit_rate": "0",
        "cache": "off",
        "cache_lock": "off",
        "cache_lock_timeout": "5s",
        "cache_lock_age": "5s",
        "cache_use_stale": "off",
        "cache_min_uses": "1",
        "store": "off",
    }
    tls = {"ssl_verify": "off", "ssl_server_name": "off", "ssl_session_reuse": "on", "ssl_verify_depth": "1", "ssl_ciphers": "DEFAULT"}
    found = {f"{family}_{name}": value for family in FAMILIES for name, value in common.items()}
    found |= {f"{family}_{name}": value for family in _BUFFERED for name, value in buffered.items()}
    found |= {f"{family}_{name}": value for family in _TLS for name, value in tls.items()}
    found |= {f"{family}_intercept_errors": "off" for family in (*_BUFFERED, "grpc")}
    found |= {
        "proxy_ssl_name": "$proxy_host",
        "grpc_ssl_name": "$proxy_host",
        "fastcgi_keep_conn": "off",
        "client_header_timeout": "60s",
        "client_body_timeout": "60s",
        "client_max_body_size": "1m",
        "client_body_buffer_size": "8k",
        "client_header_buffer_size": "1k",
        "large_client_header_buffers": "4 8k",
        "send_timeout": "60s",
        "keepalive_timeout": "75s",
        "keepalive_requests": "1000",
        "resolver_timeout": "30s",
        "lingering_timeout": "5s",
        "merge_slashes": "on",
        "root": "html",
        "index": "index.html",
    }
    return {name: tuple(value.split()) for name, value in found.items()}


_DEFAULTS = _defaults()
# Those that are a number of pages of memory.
_PAGES = _each(FAMILIES, "buffer_size") | _each(_BUFFERED, "buffers") | {"client_body_buffer_size"}
_PROTOCOLS = (
    ((1, 27, 3), ("TLSv1.2", "TLSv1.3")),
    ((1, 23, 4), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
    ((0,), ("TLSv1", "TLSv1.1", "TLSv1.2")),
)
# Defaults that changed, the newest first: (the version since when, the value).
_CHANGED = {
    "proxy_http_version": (((1, 29, 7), ("1.1",)), ((0,), ("1.0",))),
    **{name: _PROTOCOLS for name in (*_each(_TLS, "ssl_protocols"), "ssl_protocols")},
}
_STREAM = {"proxy_connect_timeout": ("60s",), "proxy_timeout": ("10m",), "proxy_next_upstream": ("on",), "proxy_buffer_size": ("16k",)}


def stream_default(name: str) -> Directive | None:
    """Return the value that stream{} has for a directive which no level sets, or None (ngx_stream_proxy_merge_srv_conf())."""
    args = _STREAM.get(name)
    return Directive(name, args, None) if args else None


def family_name(name: str, family: str) -> str:
    """Return the full name of a directive of a family: "read_timeout" is "proxy_read_timeout" for "proxy"; others are themselves."""
    return f"{family}_{name}" if name in _SUFFIXES else name


# "index" and "limit_rate" are also directives of their own, and those are meant when no family is written.
_WITHOUT_DEFAULT = _each(FAMILIES, "pass", "busy_buffers_size", "temp_file_write_size", "temp_path", "method", "bind")
_SUFFIXES = frozenset(
    name.split("_", 1)[1]
    for name in (*_DEFAULTS, *_CHANGED, *_BITMASKS, *_ARRAYS, *_STREAM, *_WITHOUT_DEFAULT)
    if name.split("_", 1)[0] in FAMILIES
) - {"limit_rate", "index"}
