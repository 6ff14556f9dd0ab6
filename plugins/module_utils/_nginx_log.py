# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record of nginx's error log says, and what it means for the client.

A record is what one call of ngx_log_error_core() writes (core/ngx_log.c): at most 2048 bytes, context
included, and not always one line, because what a FastCGI program says is copied with its newlines.

    2026/11/22 10:27:08 [error] 3193#0: *1 MESSAGE (SSL: ...) (111: Connection refused) while PHASE,
        client: A, server: B, request: "R", subrequest: "S", upstream: "SCHEME://PEER/URI", host: "H", referrer: "F"

nginx escapes nothing: the request line, Host and Referer are whatever the client sent, and a newline in
a URI can even begin a record that nginx never wrote. So the context is read from its first field on, in
the order in which nginx writes it, and nothing here proves anything about the host.

Messages are told apart by their text and by the number of the system error, never by its words: they
depend on the C library, and nginx before 1.19.8 prints "Unknown error" for most of them.

This module is private to the collection.
"""

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

# NGX_MAX_ERROR_STR is 2048 (core/ngx_log.h); what follows is not of the same record.
RECORD_LIMIT = 4096
LEVELS = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")

_STAMP = rb"\d{4}/[01]\d/[0-3]\d [0-2]\d:[0-5]\d:[0-6]\d"
RECORD_START = re.compile(_STAMP + rb" \[(?:emerg|alert|crit|error|warn|notice|info|debug)\] \d+#\d+: ")
_RECORD = re.compile(
    r"(?P<stamp>[0-9]{4}/[01][0-9]/[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]) \[(?P<level>[a-z]+)\] (?P<pid>[0-9]{1,10})[0-9]*#[0-9]+: "
    r"(?:\*(?P<connection>[0-9]+) )?(?P<rest>.*)\Z", re.DOTALL | re.ASCII
)
_COMMAND_LINE = re.compile(r"nginx: \[(?P<level>emerg|alert|crit|error|warn|notice)\] (?P<rest>.*)\Z", re.DOTALL | re.ASCII)

CONNECTING = "connecting to upstream"
HANDSHAKING = "SSL handshaking to upstream"
SENDING = "sending request to upstream"
READING_HEADER = "reading response header from upstream"
READING_BODY = "reading upstream"
TO_CLIENT = "sending to client"
UPGRADED = "proxying upgraded connection"
RESOLVING = "resolving"
# Until the response header is complete nginx can still answer for the upstream (ngx_http_upstream_next).
BEFORE_HEADER = frozenset((CONNECTING, HANDSHAKING, SENDING, READING_HEADER))
_UPSTREAM_BODY = frozenset((READING_BODY, UPGRADED))
_SESSION = frozenset(("proxying connection", "proxying and reading from upstream", "proxying and sending to upstream"))

_PHASE = re.compile(
    r" while (?P<phase>connecting to upstream|SSL handshaking to upstream|sending request to upstream|reading response header from upstream"
    r"|reading upstream|sending to client|sending early hints to client|proxying upgraded connection"
    r"|proxying and (?:reading from|sending to) (?:client|upstream)|proxying connection|resolving|reading PROXY protocol|SSL handshaking"
    r"|reading client [a-z ]{1,40}|closing request|logging request|keepalive|waiting for request|initializing session|prereading client data"
    r"|passing connection to port|requesting certificate status|logging to syslog|checking trailers)\Z", re.ASCII
)
_CONTEXT = re.compile(r", (?:udp )?client: (?P<client>[^,\"]{1,300}), server: (?P<server>[^,\"]{0,1100})(?=, |\Z)", re.ASCII)
_RESOLVER = re.compile(r", resolver: (?P<resolver>\S{1,300})\Z", re.ASCII)
_SYSLOG = re.compile(r"(?<= while logging to syslog), server: \S{1,300}\Z", re.ASCII)
_FASTCGI_END = re.compile(r"\" while (?:reading response header from upstream|reading upstream|sending to client), client: ", re.ASCII)
# The request line ends with its version. Before 1.21.1 it may hold spaces and quotes, and so a false ", upstream: ".
_REQUEST = re.compile(r", request: \"(?P<value>.*?)(?: HTTP/\d(?:\.\d)?\"(?=, (?:subrequest|upstream|host|referrer): \"|\Z)|\Z)", re.DOTALL | re.ASCII)
_OLD_REQUEST = re.compile(r", request: \"(?P<value>.*?)\"(?=, (?:subrequest|upstream|host|referrer): \"|\Z)", re.DOTALL | re.ASCII)
_SUBREQUEST = re.compile(r", subrequest: \"(?P<value>.*?)\"(?=, (?:upstream|host|referrer): \"|\Z)", re.DOTALL | re.ASCII)
_STREAM_END = re.compile(r", bytes from/to client:-?\d+/-?\d+, bytes from/to upstream:-?\d+/-?\d+\Z", re.ASCII)
_UPSTREAM = re.compile(r", upstream: \"(?P<value>[^\"]*)", re.ASCII)
_ERRNO = re.compile(r" \((?P<errno>\d{1,4}): [^()]*(?:\([^()]*\)[^()]*)?\)\Z", re.ASCII)
_SSL = re.compile(r" \(SSL: (?P<ssl>.*?)\)?\Z", re.DOTALL | re.ASCII)
_TCP_PEER = re.compile(r"(?:(?P<scheme>[a-z]{1,12})://)?(?P<peer>\[[0-9a-fA-F:.%]{1,60}\](?::\d{1,5})?|[^/\"\[\]\s]{1,300})", re.ASCII)
_UNIX_PEER = re.compile(r"(?:(?P<scheme>[a-z]{1,12})://)?unix:(?P<rest>.*)\Z", re.DOTALL | re.ASCII)
_SOCKET_NAME = re.compile(r"(?P<path>/.*?\.(?:sock|socket))(?=/|\Z)", re.ASCII)
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,15}\Z", re.ASCII)


class Record:
    """One record, taken apart. Every text is as nginx wrote it: hostile, neither harmless nor free of secrets.

    stamp ("YYYY/MM/DD HH:MM:SS", local time of the host, "" on the command line), level, pid, connection
    (None outside a connection), message (without errno, phase and context), errno (None when there is
    none), ssl, phase, client, server, request, subrequest, upstream, resolver ("" when not there),
    stream (True for a record of the stream module).
    """

    __slots__ = (
        "stamp", "level", "pid", "connection", "message", "errno", "ssl", "phase",
        "client", "server", "request", "subrequest", "upstream", "resolver", "stream",
    )

    def __init__(self, stamp, level, pid, connection):
        self.stamp = stamp
        self.level = level
        self.pid = pid
        self.connection = connection
        self.message = self.ssl = self.phase = ""
        self.errno = None
        self.client = self.server = self.request = self.subrequest = self.upstream = self.resolver = ""
        self.stream = False

    @property
    def method(self):
        """The request's method; "" without a request, "OTHER" when it is not a plain token."""
        if not self.request:
            return ""
        word = self.request.split(" ", 1)[0]
        return word if _METHOD.match(word) else "OTHER"

    @property
    def path(self):
        """The request's path without the query string; "" without a request."""
        words = self.request.split(" ", 1)
        return words[1].split("?", 1)[0].split(" HTTP/", 1)[0] if len(words) == 2 else ""


def parse(raw):
    """Return the Record that bytes hold (joined physical lines), or None when nginx did not write them."""
    line = text.decode(raw[:RECORD_LIMIT]).rstrip("\r\n")
    match = _RECORD.match(line)
    if match and match.group("level") in LEVELS:
        connection = match.group("connection")
        record = Record(match.group("stamp"), match.group("level"), int(match.group("pid")), connection)
        _take_apart(record, match.group("rest"))
        return record
    match = _COMMAND_LINE.match(line)
    if match is None:
        return None
    record = Record("", match.group("level"), 0, None)
    record.message = match.group("rest")
    return record


def _take_apart(record, rest):
    body, context = _cut_context(rest)
    if context:
        _read_context(record, context)
    resolver = _RESOLVER.search(body)
    if resolver:
        record.resolver = resolver.group("resolver")
        body = body[: resolver.start()]
    body = _SYSLOG.sub("", body)
    phase = _PHASE.search(body)
    if phase:
        record.phase = phase.group("phase")
        body = body[: phase.start()]
    errno = _ERRNO.search(body)
    if errno and "could not be resolved" not in body:
        record.errno = int(errno.group("errno"))
        body = body[: errno.start()]
    ssl = _SSL.search(body)
    if ssl and not body.startswith("FastCGI "):
        record.ssl = ssl.group("ssl")
        body = body[: ssl.start()]
    record.message = body


def _cut_context(rest):
    """Return (what comes before the context, the context).

    The first context counts: everything behind it may be the client's. What a FastCGI program says may
    hold one too, but nginx closes it with a quote and a phase.
    """
    if rest.startswith("FastCGI sent in stderr: "):
        end = _FASTCGI_END.search(rest)
        if end is None:
            return rest, ""
        cut = end.end() - len(", client: ")
        return rest[:cut], rest[cut:]
    match = _CONTEXT.search(rest)
    if match is None:
        return rest, ""
    return rest[: match.start()], rest[match.start():]


def _read_context(record, context):
    match = _CONTEXT.match(context)
    if match is None:
        return
    record.client = match.group("client")
    record.server = match.group("server")
    position = match.end()
    request = _REQUEST.match(context, position)
    if request is None:
        record.stream = bool(_STREAM_END.search(context, position)) or (context.startswith(", upstream: \"", position) and "://" not in context[position:])
    else:
        old = _OLD_REQUEST.match(context, position)
        if request.end() == len(context) and old is not None:
            request = old
        record.request = request.group("value")
        position = request.end()
        subrequest = _SUBREQUEST.match(context, position)
        if subrequest:
            record.subrequest = subrequest.group("value")
            position = subrequest.end()
    upstream = _UPSTREAM.match(context, position)
    if upstream:
        record.upstream = upstream.group("value")


def peer(record, unix_paths=()):
    """Return (scheme, peer) of a record's upstream: ("http", "127.0.0.1:3000"), ("fastcgi", "unix:/run/x.sock").

    The peer is the name of a group for "no live upstreams". unix_paths are the configured socket paths.
    When nginx gives up on a Unix socket after a timeout it prints no ":" between the path and the URI
    (ngx_http_upstream_next clears u->peer.sockaddr before it logs), so configured paths win, longest first.
    """
    value = record.upstream
    if not value:
        return _peer_of_message(record)
    match = _UNIX_PEER.match(value)
    if match:
        scheme = match.group("scheme") or _scheme(record)
        return scheme, "unix:" + _unix_path(record, scheme, match.group("rest"), unix_paths)
    match = _TCP_PEER.match(value)
    if match is None:
        return _scheme(record), ""
    return match.group("scheme") or _scheme(record), match.group("peer")


def _scheme(record):
    return "stream" if record.stream else ""


def _peer_of_message(record):
    # The context was cut off at 2048 bytes, or there is none: connect() still names its peer.
    match = _CONNECT_TO.match(record.message)
    return _scheme(record), match.group("to") if match and record.phase != RESOLVING else ""


_CONNECT_TO = re.compile(r"connect\(\) to (?P<to>\S{1,300}) failed", re.ASCII)


def _unix_path(record, scheme, rest, unix_paths):
    for path in sorted(unix_paths, key=len, reverse=True):
        if rest.startswith(path) and rest[len(path): len(path) + 1] in ("", ":", "/"):
            return path
    if not record.message.startswith("upstream timed out") or record.phase not in BEFORE_HEADER:
        return rest.split(":", 1)[0]
    if scheme not in ("http", "https", ""):
        return rest.rstrip(":")
    uri = record.request.split(" ", 1)[-1]
    if len(uri) > 1 and rest.endswith(uri) and len(rest) > len(uri):
        return rest[: -len(uri)]
    match = _SOCKET_NAME.match(rest)
    return match.group("path") if match else rest


class Meaning:
    """What a record means: name of its class, message without its values, status (int or None), detail (dict).

    status is what the client gets by default: no error_page, no other peer that answers, no stale cache.
    """

    __slots__ = ("name", "message", "status", "detail")

    def __init__(self, name, message, status, detail):
        self.name = name
        self.message = message
        self.status = status
        self.detail = detail


def classify(record):
    """Return the Meaning of a record on the upstream path, or None for any other record."""
    for heads, rules in _RULES:
        if not record.message.startswith(heads):
            continue
        for pattern, message, decide in rules:
            match = pattern.match(record.message)
            if match is None:
                continue
            verdict = decide(record)
            if verdict is None:
                return None
            detail = _detail(record, match)
            status = verdict[1]
            if record.stream or record.subrequest:
                # A stream session has no status; what a subrequest's failure gives the client is decided elsewhere.
                status = None
            return Meaning(verdict[0], message or match.group(), status, detail)
    return None


_NUMBER = re.compile(r"[0-9]{1,9}\Z")


def _detail(record, match):
    detail = dict((name, int(value) if _NUMBER.match(value) else value) for name, value in match.groupdict().items() if value)
    if record.ssl:
        detail.update(tls_detail(record.ssl))
    if record.message.startswith("FastCGI sent in stderr"):
        detail["says"] = _fastcgi_says(record.message)
    if record.subrequest:
        detail["subrequest"] = record.subrequest.split("?", 1)[0]
    return detail


# What a FastCGI program says is free text; these are PHP-FPM's own words and PHP's own levels.
_FASTCGI_SAYS = (
    ("Primary script unknown", "script-unknown"),
    ("Unable to open primary script", "script-unreadable"),
    ("has been denied (see security.limit_extensions)", "script-denied"),
    ("Allowed memory size of ", "php-memory"),
    ("Maximum execution time of ", "php-time"),
    ("PHP Fatal error", "php-fatal"),
    ("PHP Parse error", "php-parse"),
    ("PHP Warning", "php-warning"),
    ("PHP Notice", "php-warning"),
    ("PHP Deprecated", "php-warning"),
)


def _fastcgi_says(message):
    for words, says in _FASTCGI_SAYS:
        if words in message:
            return says
    return "other"


_SSL_REASON = re.compile(r"error:[0-9A-Fa-f]{8}:[^:]*:[^:]*:(?P<reason>[^:)]*)", re.ASCII)
_SSL_ALERT = re.compile(r"SSL alert number (?P<alert>\d{1,3})", re.ASCII)


def tls_detail(ssl):
    """Return {"reason": ..., "alert": 40} of what stands in "(SSL: ...)". Reasons, not codes: libraries number them differently."""
    detail = {}
    reason = _SSL_REASON.search(ssl)
    if reason:
        detail["reason"] = reason.group("reason").strip()
    alert = _SSL_ALERT.search(ssl)
    if alert:
        detail["alert"] = int(alert.group("alert"))
    return detail


# --- what a message means. Each function returns (class, status), or None when the record is not of the upstream path.

def _always(name, status=None):
    return lambda record: (name, status)


def _until_header(name, status=502, later="body-cut"):
    """A failure that nginx answers for until the response header is complete; afterwards the body is cut."""
    def decide(record):
        return (name, status) if record.phase in BEFORE_HEADER or not record.phase else (later, None)
    return decide


# Numbers of Linux (asm-generic/errno.h); which of them nginx logs at which level: event/ngx_event_connect.c.
_CONNECT_CLASS = {
    1: "connect-denied", 2: "connect-no-socket", 11: "connect-queue-full", 13: "connect-denied", 22: "connect-invalid-address",
    97: "connect-invalid-address", 99: "connect-no-port-left", 100: "connect-unreachable", 101: "connect-unreachable", 104: "connect-reset",
    110: "connect-timeout", 111: "connect-refused", 112: "connect-unreachable", 113: "connect-unreachable",
}
_OUT_OF_DESCRIPTORS = (23, 24)
_OUT_OF_MEMORY = (12, 105)


def _connect(record):
    if record.phase == RESOLVING:
        return "resolver-unreachable", None
    if record.phase == "logging to syslog" or record.resolver or record.errno is None:
        return None
    if record.errno in (20, 40, 36):
        return "connect-no-socket", 502
    return _CONNECT_CLASS.get(record.errno, "connect-failed"), 502


def _socket(record):
    """socket() failed: ngx_event_connect_peer() returns NGX_ERROR, which is a 500 and is not retried."""
    if record.phase == RESOLVING:
        return "resolver-unreachable", None
    if record.phase == "logging to syslog":
        return None
    if record.errno in _OUT_OF_DESCRIPTORS:
        return "descriptors-exhausted", 500
    if record.errno in _OUT_OF_MEMORY:
        return "memory-exhausted", 500
    return ("connect-invalid-address" if record.errno == 97 else "connect-setup-failed"), 500


def _connect_setup(record):
    if record.phase == RESOLVING:
        return "resolver-unreachable", None
    return ("connect-setup-failed", 500) if record.phase == CONNECTING else None


def _send_setup(record):
    return ("connect-setup-failed", 500) if record.phase in BEFORE_HEADER else None


def _bind_local(record):
    """bind() of proxy_bind; that of a listening socket is "bind() to"."""
    if record.phase != CONNECTING:
        return None
    return ("connect-no-port-left" if record.errno == 98 else "bind-failed"), 500


def _socket_io(record):
    """recv(), readv(), send(), writev(), sendfile(), SSL_read(), SSL_write().

    ngx_connection_error() logs the client's side at [info] and the upstream's at [error].
    """
    phase = record.phase
    if phase in BEFORE_HEADER:
        if record.ssl:
            return _tls(record)
        return "reset-early", 502
    if phase == RESOLVING:
        return "resolver-unreachable", None
    if phase in _SESSION:
        return "session-cut", None
    if phase in _UPSTREAM_BODY:
        return "body-cut", None
    if phase == TO_CLIENT and record.upstream and record.level in ("error", "crit") and record.message.startswith(("recv", "readv", "SSL_read")):
        return "body-cut", None
    return None


_PLAIN_REASONS = (
    "wrong version number", "packet length too long", "http request", "unknown protocol", "record layer failure", "record too small",
    "bad record type", "wrong_version_number", "http_request", "invalid_record_type", "https proxy request", "tls_record_overflow",
)
_VERSION_REASONS = (
    "unsupported protocol", "no protocols available", "unsupported_protocol", "version too low", "no ciphers available", "no cipher match",
    "dh key too small", "ee key too small", "ca md too weak", "ca key too small", "unsafe legacy renegotiation disabled", "no shared cipher",
    "wrong ssl version", "wrong signature type", "wrong curve", "bad ecpoint", "no suitable signature algorithm", "legacy sigalg disallowed or unsupported",
    "inappropriate fallback", "unknown cipher returned", "wrong cipher returned",
)


def _tls(record):
    if record.phase in _SESSION:
        return "session-cut", None
    if record.phase not in BEFORE_HEADER:
        return ("body-cut", None) if record.phase in _UPSTREAM_BODY else None
    if record.errno == 104:
        return ("tls-closed" if record.phase == HANDSHAKING else "reset-early"), 502
    detail = tls_detail(record.ssl)
    reason = detail.get("reason", record.ssl).lower()
    if "alert" in detail or " alert " in " " + reason + " ":
        return "tls-alert", 502
    if any(word in reason for word in _PLAIN_REASONS):
        return "tls-wrong-version", 502
    if "unexpected eof" in reason:
        return "tls-closed", 502
    if "certificate verify failed" in reason:
        return "tls-verify", 502
    if any(word in reason for word in _VERSION_REASONS):
        return "tls-incompatible", 502
    return "tls-failed", 502


def _tls_closed(record):
    return ("tls-closed", 502) if record.phase == HANDSHAKING else None


def _tls_setup(record):
    """What nginx could not set up before the handshake, at run time. At start the same texts are [emerg]."""
    return ("tls-setup-failed", 500) if record.phase in (CONNECTING, HANDSHAKING) else None


_TIMEOUTS = {CONNECTING: "connect-timeout", HANDSHAKING: "tls-handshake-timeout", SENDING: "send-timeout", READING_HEADER: "read-timeout"}


def _timeout(record):
    """A timer of nginx: 504 while nothing of the header was sent, nothing but a cut response afterwards."""
    if record.phase in _TIMEOUTS:
        return _TIMEOUTS[record.phase], 504
    if record.phase == UPGRADED:
        return "tunnel-timeout", None
    if record.phase in _SESSION:
        return "session-timeout", None
    return "body-timeout", None


def _session_timeout(record):
    return ("session-timeout", None) if record.phase == "proxying connection" else None


def _closed(record):
    return ("closed-early", 502) if record.phase in BEFORE_HEADER or not record.phase else ("body-cut", None)


def _invalid_header(record):
    http2 = record.upstream.startswith(("grpc://", "grpcs://"))
    return _until_header("http2-protocol" if http2 else "header-invalid")(record)


def _not_resolved(record):
    # Outside a request it is the timer of an upstream zone: the old addresses are kept, or the group empties.
    return "name-not-resolved", (502 if record.client else None)


def _no_resolver(record):
    return "no-resolver", (502 if record.client else None)


def _connections(record):
    # Without a phase it was the accept path: that client gets no answer at all.
    return "connections-exhausted", (500 if record.phase == CONNECTING or record.upstream else None)


def _accept(record):
    if record.errno in _OUT_OF_DESCRIPTORS:
        return "descriptors-exhausted", None
    return ("memory-exhausted", None) if record.errno in _OUT_OF_MEMORY else None


_TEMPORARY_NAME = re.compile(r".*/\d{10}\Z", re.DOTALL | re.ASCII)
_FILE_CLASS = {
    1: "temp-file-denied", 2: "temp-file-missing", 13: "temp-file-denied", 20: "temp-file-missing", 28: "disk-full", 30: "disk-read-only", 122: "disk-full",
}


def _file_status(record):
    """While the response is read its header is out or is being sent; without an upstream it was the request's body: 500."""
    return None if record.phase in (READING_BODY, READING_HEADER, TO_CLIENT, UPGRADED) or record.upstream else 500


def _open(record):
    """open() of a temporary file. That of a static file is no matter of ours, unless descriptors ran out."""
    if record.level not in ("crit", "error", "alert"):
        return None
    if record.errno in _OUT_OF_DESCRIPTORS:
        return "descriptors-exhausted", (_file_status(record) if record.connection else None)
    name = record.message[len("open() \""):].split("\" failed", 1)[0]
    if record.level != "crit" or not (_TEMPORARY_NAME.match(name) or record.phase == READING_BODY):
        return None
    return _FILE_CLASS.get(record.errno, "temp-file-failed"), _file_status(record)


def _write(record):
    if " has written only " in record.message:
        return "disk-full", _file_status(record)
    return _FILE_CLASS.get(record.errno, "temp-file-failed"), (_file_status(record) if record.connection else None)


def _make_folder(record):
    """mkdir(), rename() and unlink() of proxy_store, caches and the levels of a temporary path."""
    if record.level != "crit" or not record.connection:
        return None
    if record.message.startswith("mkdir"):
        return _FILE_CLASS.get(record.errno, "temp-file-failed"), _file_status(record)
    return "store-failed", None


def _limited(name):
    def decide(record):
        return name, (None if ", dry run" in record.message else 503)
    return decide


def _client_timeout(record):
    return ("client-timeout", None) if record.upstream else None


def _proxy_protocol(record):
    return ("proxy-protocol", None) if record.phase == "reading PROXY protocol" else None


def _in_request(name, status):
    """Only at run time: at start the same text is [emerg] and refuses the configuration."""
    return lambda record: (name, status) if record.client else None


def _ignore(record):
    return None


_FASTCGI_PROTOCOL = _until_header("fastcgi-protocol", later="fastcgi-protocol")
_HTTP2 = _until_header("http2-protocol", later="http2-protocol")
_HEADER_INVALID = _until_header("header-invalid")
_MEMCACHED = _until_header("memcached-protocol")
_EXTRA = _always("extra-data")
_CUT = _always("body-cut")
_SLICE = _always("slice-mismatch")
_NOT_BUILT = _always("request-not-built", 500)
_CYCLE = _always("redirect-cycle", 500)
_CLIENT_GONE = _always("client-gone")


def _rule(pattern, decide, message=""):
    return re.compile(pattern, re.DOTALL | re.ASCII), message, decide


# (how a message begins, ((pattern, message without values, meaning), ...)). The first pattern that matches
# decides, so the longer of two texts stands first. Named groups become the detail. Texts: the calls of
# ngx_log_error() and ngx_connection_error() from 1.18.0 to 1.31.5. A pattern asks only for the beginning,
# because nginx may have cut the rest.
_RULES = (
    (("connect() ", "kevent() reported that connect() "), (
        _rule(r"(?:kevent\(\) reported that )?connect\(\) failed", _connect, "connect() failed"),
        _rule(r"connect\(\) to \S{1,1000} failed", _connect, "connect() failed"),
    )),
    (("upstream ",), (
        _rule(r"upstream timed out", _timeout),
        _rule(r"upstream prematurely closed connection", _closed),
        _rule(r"upstream prematurely closed FastCGI stdout", _FASTCGI_PROTOCOL),
        _rule(r"upstream prematurely closed FastCGI request", _CUT),
        _rule(r"upstream prematurely closed stream", _HTTP2),
        _rule(r"upstream prematurely sent response", _always("tls-plain-response", 502)),
        _rule(r"upstream sent too big header", _until_header("header-too-big")),
        _rule(r"upstream sent too large http2 header\Z", _until_header("header-too-big")),
        _rule(r"upstream sent too big early hints", _ignore),
        _rule(r"upstream sent too big trailers", _CUT),
        _rule(r"upstream sent no valid HTTP/1\.0 header", _always("not-http")),
        _rule(r"upstream sent HTTP/1\.0 response with early hints", _HEADER_INVALID),
        _rule(r"upstream sent duplicate header line: .*, ignored\Z", _ignore),
        _rule(r"upstream sent duplicate header line: \"(?P<header>[^:\"]{0,100})", _HEADER_INVALID, "upstream sent duplicate header line"),
        _rule(r"upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time", _HEADER_INVALID),
        _rule(r"upstream sent invalid \"Content-Length\" header", _HEADER_INVALID),
        _rule(r"upstream sent unknown \"Transfer-Encoding\"", _HEADER_INVALID),
        _rule(r"upstream sent invalid status", _HEADER_INVALID),
        _rule(r"upstream sent invalid header: \"(?P<header>[^:\"]{0,100})", _invalid_header, "upstream sent invalid header"),
        _rule(r"upstream sent invalid header \"(?P<header>[^:\"]{0,100})", _HTTP2, "upstream sent invalid header"),
        _rule(r"upstream sent invalid header(?=\Z| )", _invalid_header),
        _rule(r"upstream sent invalid encoded header", _HTTP2),
        _rule(
            r"upstream sent unsupported FastCGI protocol version(?:: (?P<version>\d+))?", _FASTCGI_PROTOCOL,
            "upstream sent unsupported FastCGI protocol version"),
        _rule(r"upstream sent invalid FastCGI record type(?:: (?P<type>\d+))?", _FASTCGI_PROTOCOL, "upstream sent invalid FastCGI record type"),
        _rule(r"upstream sent unexpected FastCGI (?:record|request id (?:high|low) byte)", _FASTCGI_PROTOCOL),
        _rule(r"upstream sent invalid chunked response", _CUT),
        _rule(r"upstream sent (?:more data than specified in \"Content-Length\" header|data after (?:final chunk|trailers))", _EXTRA),
        # Frames of the body, some of which were read together with the header: the phase may still name the header.
        _rule(
            r"upstream sent (?:response body larger than indicated content length|data frame for unknown stream|frame for closed stream"
            r"|invalid trailer(?! *:)|trailer without end stream flag|too short http2 frame|http2 frame with too long padding)", _always("http2-protocol")),
        _rule(r"upstream violated (?:stream|connection) flow control", _always("http2-protocol")),
        _rule(r"upstream sent invalid trailer: ", _CUT, "upstream sent invalid trailer"),
        _rule(r"upstream sent (?:too large http2 frame|unexpected http2 frame)(?:: (?P<frame>\d+))?", _HTTP2, "upstream sent an http2 frame that is not one"),
        _rule(r"upstream (?:sent goaway|rejected request) with error(?: (?P<error>\d+))?", _HTTP2, "upstream refused with an http2 error"),
        _rule(
            r"upstream sent (?:frame for unknown stream|unexpected push promise frame|duplicate :status header|(?:invalid|unexpected) :status"
            r"|no :status header|headers frame with invalid length|truncated http2 header|invalid http2 (?:table index|dynamic table size update)"
            r"|http2 table index with continuation flag|zero http2 header name length|too large http2 header (?:name|value) length"
            r"|rst stream frame with invalid length|goaway frame with (?:non-zero stream id|invalid length)|window update frame with invalid length"
            r"|(?:too large|zero) window update"
            r"|settings frame with (?:non-zero stream id|ack flag and non-zero length|invalid length|too large initial window size)"
            r"|ping frame with (?:non-zero stream id|invalid length|ack flag)|too many (?:settings|ping) frames)", _HTTP2),
        _rule(r"upstream SSL certificate verify error: \((?P<code>\d+):(?P<reason>[^)]*)", _always("tls-verify", 502), "upstream SSL certificate verify error"),
        _rule(r"upstream SSL certificate does not match \"(?P<name>[^\"]{0,255})", _always("tls-verify", 502), "upstream SSL certificate does not match"),
        _rule(r"upstream server temporarily disabled", _always("peer-disabled")),
    )),
    (("no ",), (
        _rule(r"no live upstreams", _always("no-live-upstreams", 502)),
        _rule(r"no resolver defined to resolve (?P<name>\S{1,255})", _no_resolver, "no resolver defined to resolve"),
        _rule(r"no port in upstream(?: \"(?P<name>[^\"]{0,255}))?", _in_request("request-not-built", 500), "no port in upstream"),
        _rule(r"no upstream configuration", _NOT_BUILT),
        _rule(r"no connection data found for keepalive http2 connection", _HTTP2),
        _rule(r"no buffer space in (?:grpc|HTTP/2) create request", _NOT_BUILT),
        _rule(r"no complete length in slice response", _SLICE),
    )),
    (("FastCGI sent in stderr: ",), (
        _rule(r"FastCGI sent in stderr: ", _always("fastcgi-stderr"), "FastCGI sent in stderr"),
    )),
    (("recv() ", "readv() ", "send() ", "writev() failed", "sendfile() ", "SSL_read() ", "SSL_write() ", "SSL_sendfile() ", "kevent() reported "), (
        _rule(r"(?:recv|readv|send|writev|sendfile|SSL_read|SSL_write|SSL_sendfile)\(\) failed", _socket_io),
        _rule(r"kevent\(\) reported (?:that upstream closed connection|about an closed connection)", _socket_io),
        _rule(r"kevent\(\) reported that client prematurely closed connection", _CLIENT_GONE, "client prematurely closed connection"),
    )),
    (("SSL_do_handshake() failed",), (
        _rule(r"SSL_do_handshake\(\) failed", lambda record: _tls(record) if record.phase in BEFORE_HEADER else None),
    )),
    (("peer closed connection in SSL handshake", "handshake rejected"), (
        _rule(r"peer closed connection in SSL handshake", _tls_closed),
        _rule(r"handshake rejected", lambda record: ("tls-failed", 502) if record.phase == HANDSHAKING else None),
    )),
    (("SSL_", "cannot load certificate"), (
        _rule(r"SSL_set_tlsext_host_name\(\"(?P<name>[^\"]{0,255})\"\) failed", _tls_setup, "SSL_set_tlsext_host_name() failed"),
        _rule(r"SSL_(?:set_alpn_protos|new|set_fd|set_ex_data|set_session)\(\) failed", _tls_setup),
        _rule(r"SSL_(?:use_certificate|set0_chain|use_PrivateKey)\(\"(?P<file>[^\"]{0,1000})\"\) failed", _tls_setup, "cannot use certificate"),
        _rule(r"cannot load certificate(?: key)? \"(?P<file>[^\"]{0,1000})\"", _tls_setup, "cannot load certificate"),
    )),
    (("socket() failed",), (_rule(r"socket\(\) failed", _socket),)),
    (("the new socket has number",), (
        _rule(r"the new socket has number \d+, but only \d+ files are available", lambda record: ("descriptors-exhausted", 500 if record.upstream else None),
              "the new socket has too high a number"),
    )),
    (("bind(",), (_rule(r"bind\((?P<address>[^)]{1,300})\) failed", _bind_local, "bind() failed"),)),
    (("setsockopt(", "ioctl(", "could not enable transparent", "close() socket failed", "epoll_ctl("), (
        _rule(r"setsockopt\([^)]*\) failed, ignored", _ignore),
        _rule(r"setsockopt\(!?TCP_(?:NODELAY|CORK|NOPUSH)\) failed", _send_setup, "setsockopt() failed"),
        _rule(r"(?:setsockopt\((?:SO_RCVBUF|SO_REUSEADDR|SO_BINDANY|IP_TRANSPARENT|IP_BINDANY|IPV6_TRANSPARENT|IPV6_BINDANY)\)|ioctl\(!?FIONBIO\)) failed",
              _connect_setup),
        _rule(r"could not enable transparent proxying for IPv6 on this platform", _connect_setup),
        _rule(r"close\(\) socket failed", _connect_setup),
        _rule(r"epoll_ctl\([^)]*\) failed", _connect_setup, "epoll_ctl() failed"),
    )),
    (("memcached ", "key: ", "the \"$memcached_key\""), (
        _rule(r"memcached sent invalid (?:key|flags|length) in response", _MEMCACHED),
        _rule(r"memcached sent invalid response", _MEMCACHED),
        _rule(r"memcached sent invalid trailer", _CUT),
        _rule(r"key: \".*\" was not found by memcached", _always("memcached-miss", 404), "key was not found by memcached"),
        _rule(r"the \"\$memcached_key\" variable is not set", _NOT_BUILT),
    )),
    (("invalid ", "zero length URI", "fastcgi request ", "uwsgi request ", "scgi request ", "too long http2 ", "grpcs protocol ", "suwsgi protocol "), (
        _rule(r"invalid URL prefix in \"", _in_request("request-not-built", 500), "invalid URL prefix"),
        _rule(r"invalid header after joining FastCGI records", _until_header("header-invalid", 500)),
        _rule(r"invalid local address \"(?P<address>[^\"]{0,255})", _in_request("bind-ignored", None), "invalid local address"),
        _rule(r"invalid (?:host|port) in upstream", _in_request("request-not-built", 500)),
        _rule(r"invalid range in slice response", _SLICE),
        _rule(r"zero length URI to proxy", _NOT_BUILT),
        _rule(r"(?:fastcgi|uwsgi|scgi) request (?:record is too big|length mismatch|is too little|is too big)", _NOT_BUILT),
        _rule(r"too long http2 (?:method|URI|host|header name|header value)", _NOT_BUILT),
        _rule(r"(?:grpcs|suwsgi) protocol requires SSL support", _in_request("request-not-built", 500)),
    )),
    (("open() ",), (_rule(r"open\(\) \"", _open, "open() failed"),)),
    (("pwrite() ", "write() ", "pwritev() ", "writev() \""), (
        _rule(r"p?writev?\(\) \".*\" (?:failed|has written only)", _write, "write() failed"),
    )),
    (("mkdir() ", "rename() ", "unlink() "), (
        _rule(r"mkdir\(\) \"", _make_folder, "mkdir() failed"),
        _rule(r"rename\(\) \"", _make_folder, "rename() failed"),
        _rule(r"unlink\(\) \"", _make_folder, "unlink() failed"),
    )),
    (("a client request body is buffered", "an upstream response is buffered"), (
        _rule(r"a client request body is buffered to a temporary file", _always("request-buffered")),
        _rule(r"an upstream response is buffered to a temporary file", _always("response-buffered")),
    )),
    (("accept() failed", "accept4() failed"), (_rule(r"accept4?\(\) failed", _accept, "accept() failed"),)),
    (("malloc(", "posix_memalign(", "memalign("), (
        _rule(r"(?:malloc|posix_memalign|memalign)\([^)]*\) failed", _always("memory-exhausted", 500), "malloc() failed"),
    )),
    (("worker process ", "cache manager process ", "cache loader process "), (
        _rule(r"(?:worker|cache manager|cache loader) process \d+ exited on signal (?P<signal>\d+)", _always("worker-killed"), "process exited on signal"),
    )),
    (("auth request unexpected status",), (
        _rule(r"auth request unexpected status(?:: (?P<status>\d+))?", _always("auth-request-failed", 500), "auth request unexpected status"),
    )),
    (("limiting ",), (
        _rule(r"limiting requests", _limited("limit-requests")),
        _rule(r"limiting connections", _limited("limit-connections")),
    )),
    (("could not find named location", "rewrite or internal redirection cycle", "subrequests cycle", "too big subrequest response", "connection upgrade in"), (
        _rule(r"could not find named location", _always("named-location-missing", 500)),
        _rule(r"rewrite or internal redirection cycle", _CYCLE),
        _rule(r"subrequests cycle", _CYCLE),
        _rule(r"too big subrequest response", _always("subrequest-too-big")),
        _rule(r"connection upgrade in subrequest", _always("subrequest-upgrade")),
    )),
    (("using uninitialized ",), (
        _rule(r"using uninitialized \"(?P<name>[^\"]{0,100})\" variable", _always("variable-unset"), "using uninitialized variable"),
    )),
    (("unexpected ", "etag mismatch", "missing slice response"), (
        _rule(r"unexpected (?:status code \d+|range) in slice response", _SLICE, "unexpected slice response"),
        _rule(r"etag mismatch in slice response|missing slice response", _SLICE),
    )),
    (("epoll_wait() reported ", "client ",), (
        _rule(r"(?:epoll_wait\(\) reported that )?client prematurely closed connection", _CLIENT_GONE, "client prematurely closed connection"),
        _rule(r"client timed out", _client_timeout),
        _rule(r"client intended to send too large (?:chunked )?body", _always("client-body-too-large", 413)),
        _rule(r"client sent plain HTTP request to HTTPS port", _always("client-plain-http", 400)),
    )),
    (("broken header: ", "unknown PROXY protocol version", "header is too large"), (
        _rule(r"broken header: |unknown PROXY protocol version|header is too large", _proxy_protocol, "broken PROXY protocol header"),
    )),
    (("connection timed out",), (_rule(r"connection timed out", _session_timeout),)),
    (("could not send PROXY protocol header",), (_rule(r"could not send PROXY protocol header", _always("session-cut")),)),
    (("cannot add new server to upstream",), (
        _rule(r"cannot add new server to upstream \"(?P<name>[^\"]{0,255})", _always("zone-full"), "cannot add new server to upstream"),
    )),
    (("cache ",), (
        _rule(r"cache file \".*\" contains invalid header", _always("cache-corrupt"), "cache file contains invalid header"),
        _rule(r"cache \"(?P<name>[^\"]{0,255})\" not found", _always("cache-not-found", 500), "cache not found"),
    )),
    (("service ",), (
        _rule(r"service (?P<service>\S{1,100}) of (?P<name>\S{1,255}) could not be resolved \((?P<code>\d+)", _not_resolved, "could not be resolved"),
    )),
    (("thread operation took too long", "thread pool "), (
        _rule(r"thread operation took too long", _always("thread-slow")),
        _rule(r"thread pool \".*\" queue overflow", _always("thread-slow"), "thread pool queue overflow"),
    )),
    (tuple("0123456789"), (
        _rule(
            r"\d+ worker_connections are not enough, reusing connections", _always("connections-low"),
            "worker_connections are not enough, reusing connections"),
        _rule(r"(?P<limit>\d+) worker_connections are not enough\Z", _connections, "worker_connections are not enough"),
    )),
    # These begin with a name or a reason that is the configuration's or the client's.
    (("",), (
        _rule(r"(?P<name>\S{1,255}) could not be resolved \((?P<code>\d+)", _not_resolved, "could not be resolved"),
        _rule(r"[a-z][a-zA-Z /]{1,60} in upstream \"", _in_request("request-not-built", 500), "invalid address in upstream"),
    )),
)
