# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocols that nginx speaks to a backend: bytes to send, and what the bytes that come back say.

No sockets here. A reader takes all bytes received so far and returns a Verdict, or None while it needs
more. header_bytes counts from the first byte of the response to the last byte of its header, as it
goes through nginx's buffer: with FastCGI the record headers, the padding and the standard error that
come before that byte count too. nginx accepts a header of exactly *_buffer_size bytes.

Sources: nginx src/http/ngx_http_parse.c (status and header lines), modules/ngx_http_fastcgi_module.c,
ngx_http_uwsgi_module.c, ngx_http_scgi_module.c; FastCGI specification 1.0; the uwsgi protocol; SCGI;
RFC 9113 (HTTP/2); RFC 8446 (TLS alerts); memcached protocol.txt.

This module is private to the collection.
"""

import collections
import json
import re
import struct
import urllib.parse

from ansible_collections.webops.bad_gateway.plugins.module_utils import _response_header as response_header
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

AGENT = "webops.bad_gateway (probe)"
MAX_HEADER = 64 * 1024
MAX_STATUS = 16 * 1024

# code: HTTP status, or the number of a TLS alert, or None; header_bytes: int or None; why: str
Verdict = collections.namedtuple("Verdict", "status code header_bytes why")

_HEADER_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/\d+\.\d+ +(\d{3})(?=[ .\r\n])")
# What of a status line may be there while more of it is on its way.
_STATUS_LINE_BEGUN = re.compile(rb"H(?:T(?:T(?:P(?:/(?:\d+(?:\.(?:\d+(?: +\d{0,3})?)?)?)?)?)?)?)?\Z")
# ngx_http_parse_header_line() since 1.21.1: no control characters and no space in a name, no NUL.
_BAD_NAME = re.compile(rb"[\x00-\x20\x7f]")

_TLS_HINT = re.compile(rb"(?i)plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|speaking plain HTTP to an SSL-enabled server")

_FCGI_BEGIN, _FCGI_END, _FCGI_PARAMS, _FCGI_STDIN, _FCGI_STDOUT, _FCGI_STDERR = 1, 3, 4, 5, 6, 7
_FCGI_GET_VALUES, _FCGI_GET_VALUES_RESULT = 9, 10
# The smallest of nginx's buffers by default. What came to standard error first is read into it too, and forgotten as soon as it is full of nothing else.
_FCGI_SMALLEST = 4096
# What is kept of the status page of a PHP-FPM pool: fpm_status.c.
_STATUS_WORDS = ("pool", "process manager")
_STATUS_NUMBERS = (
    "start time", "accepted conn", "listen queue", "max listen queue", "listen queue len", "idle processes", "active processes", "total processes",
    "max active processes", "max children reached", "slow requests",
)

_ALERTS = {
    0: "close notify", 10: "unexpected message", 20: "bad record mac", 22: "record overflow", 40: "handshake failure",
    42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked", 45: "certificate expired",
    46: "certificate unknown", 47: "illegal parameter", 48: "unknown ca", 49: "access denied", 50: "decode error",
    51: "decrypt error", 70: "protocol version", 71: "insufficient security", 80: "internal error",
    86: "inappropriate fallback", 90: "user canceled", 109: "missing extension", 110: "unsupported extension",
    112: "unrecognized name", 113: "bad certificate status response", 115: "unknown psk identity",
    116: "certificate required", 120: "no application protocol",
}
# The name of a reason, or its words where Python is older than its OpenSSL: "[SSL] tlsv13 alert certificate required (_ssl.c:2309)".
_ALERT_REASON = re.compile(r"(?:\[SSL\] )?(?:SSLV3|TLSV1|TLSV13)[_ ](?:ALERT[_ ])?([A-Z0-9_ ]+?)(?: \(_ssl\.c:[0-9]+\))?\Z", re.IGNORECASE)


def quote_path(path):
    """Return a request target that begins with "/" and holds nothing that could end its line."""
    return urllib.parse.quote(path if path.startswith("/") else "/" + path, safe="/%?&=:@!$'()*+,;~-._")


def cgi_params(method, path, host, params):
    """Return the variables (dict of str) of a request without a body; params win over the usual ones.

    Whatever params say, the method is that of the argument and there is no body. PATH_INFO is for
    servers that run an application, not a file.
    """
    path = quote_path(path)
    name, _question, query = path.partition("?")
    variables = {
        "REQUEST_URI": path, "DOCUMENT_URI": name, "SCRIPT_NAME": "", "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": host, "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host, "HTTP_USER_AGENT": AGENT, "GATEWAY_INTERFACE": "CGI/1.1",
    }
    if "SCRIPT_FILENAME" not in params:
        variables["PATH_INFO"] = urllib.parse.unquote(name)
    variables.update(params)
    variables.update({"REQUEST_METHOD": method, "CONTENT_LENGTH": "", "CONTENT_TYPE": ""})
    return variables


def http_request(method, path, host, version, keep=False):
    """Return one HTTP/1 request (bytes); version is "1.0" or "1.1"; keep asks for a connection that stays open."""
    lines = ["{0} {1} HTTP/{2}".format(method, quote_path(path), version), "Host: " + host]
    lines += ["User-Agent: " + AGENT, "Accept: */*"] if keep and version == "1.1" else ["Connection: close", "User-Agent: " + AGENT, "Accept: */*"]
    return _bytes("\r\n".join(lines + ["", ""]))


def kept_open(raw):
    """Return {"kept": bool, "seconds": float or None} of the response header to an HTTP/1.1 request that asked for an open connection.

    seconds is how long the server keeps an idle connection, where it tells. A response without a length ends with the connection.
    """
    end = _HEADER_END.search(raw)
    header = raw[:end.end()] if end else raw
    words = b",".join(re.findall(rb"(?im)^connection:([^\r\n]*)", header)).lower()
    told = re.search(rb"(?im)^keep-alive:[^\r\n]*?\btimeout=(\d{1,9})", header)
    sized = re.search(rb"(?im)^(?:content-length|transfer-encoding):", header) or re.match(rb"HTTP/\S+ +(?:204|304)", header)
    kept = b"close" not in words and bool(sized) and (not header.startswith(b"HTTP/1.0") or b"keep-alive" in words)
    return {"kept": kept, "seconds": float(told.group(1)) if told and kept else None}


def read_http(raw, known=None):
    """Read an HTTP/1 response header as an nginx of a known version takes it; None stands for the newest, here as in the other readers."""
    line = _STATUS_LINE.match(raw)
    if line is None:
        if _STATUS_LINE_BEGUN.match(raw[:64]):
            return None
        return Verdict("invalid", None, None, "the answer does not begin with an HTTP status line")
    end = _HEADER_END.search(raw)
    if end is None:
        return None
    return _header(raw[raw.index(b"\n") + 1:end.end()], int(line.group(1)), end.end(), known)


def websocket_request(path, host, version, origin):
    """Return the opening handshake of WebSocket as a browser sends it (RFC 6455, 4.1); Engine.IO wants its transport named."""
    path = quote_path(path)
    if "/socket.io" in path and "?" not in path:
        path += "?EIO=4&transport=websocket"
    lines = [
        "GET {0} HTTP/{1}".format(path, version), "Host: " + host, "Connection: Upgrade", "Upgrade: websocket", "Origin: " + origin,
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "User-Agent: " + AGENT, "", "",
    ]
    return _bytes("\r\n".join(lines))


def read_websocket(raw):
    """Read the answer to websocket_request(): a switch of protocols."""
    verdict = read_http(raw)
    if verdict and verdict.status == "ok" and verdict.code != 101:
        return verdict._replace(status="invalid", why="it answered {0}, not 101".format(verdict.code))
    return verdict


def hinted(raw):
    """Return the protocol that an answer looks like, in the words of a try: "http", "https", "http2", "memcached", "fastcgi-ping", or ""."""
    if raw[:5] == b"HTTP/":
        return "http"
    if raw[:2] in (b"\x15\x03", b"\x16\x03"):
        return "https"
    if len(raw) >= 9 and read_http2(raw).status == "ok":
        return "http2"
    if raw[:6] in (b"ERROR\r", b"ERROR\n"):
        return "memcached"
    return "fastcgi-ping" if len(raw) >= 8 and raw[0] == 1 and raw[1] in (_FCGI_END, _FCGI_STDOUT, _FCGI_STDERR, _FCGI_GET_VALUES_RESULT, 11) else ""


def hints_at_tls(raw):
    """Return whether an answer to plain HTTP says that TLS was expected."""
    return raw[:2] == b"\x15\x03" or bool(_TLS_HINT.search(raw))


def read_cgi(raw, known=None):
    """Read a response header as nginx takes it from uwsgi and SCGI: a status line may be there or not."""
    if _STATUS_LINE.match(raw) or _STATUS_LINE_BEGUN.match(raw[:64]):
        return read_http(raw, known)
    end = _header_end(raw)
    if end is None:
        return _early_refusal(raw)
    return _header(raw[:end], _cgi_status(raw[:end]), end, known, True)


def fastcgi_request(variables):
    """Return one FastCGI request of role responder (bytes)."""
    content = b"".join(_fastcgi_pair(name, value) for name, value in variables.items())
    records = [_record(_FCGI_BEGIN, struct.pack(">HB5x", 1, 0))]
    for start in range(0, len(content), 32768):
        records.append(_record(_FCGI_PARAMS, content[start:start + 32768]))
    return b"".join(records) + _record(_FCGI_PARAMS, b"") + _record(_FCGI_STDIN, b"")


def fastcgi_ping():
    """Return a FastCGI management record that asks for the server's limits and runs nothing."""
    names = b"".join(_fastcgi_pair(name, "") for name in ("FCGI_MAX_CONNS", "FCGI_MPXS_CONNS"))
    return _record(_FCGI_GET_VALUES, names, request=0)


def read_fastcgi(raw, known=None):
    """Read the header in a FastCGI response; what the backend wrote to standard error is in why.

    Of much that came to standard error before the header nginx keeps nothing (ngx_http_fastcgi_process_header()): it is not counted then.
    """
    header, errors, position, forgotten = bytearray(), bytearray(), 0, 0
    while True:
        refusal = _fastcgi_refusal(raw[position:position + 8])
        if refusal:
            return refusal
        if len(raw) < position + 8:
            return None
        kind, size, padding = _record_header(raw, position)
        content = raw[position + 8:position + 8 + size]
        if kind == _FCGI_STDOUT:
            before = len(header)
            header += content
            end = _header_end(bytes(header))
            if end is not None:
                size = position + 8 + end - before - (forgotten if forgotten > _FCGI_SMALLEST else 0)
                verdict = _header(bytes(header[:end]), _cgi_status(bytes(header[:end])), size, known, True)
                return verdict._replace(why=verdict.why or _shown(errors))
        elif kind == _FCGI_STDERR:
            errors += content
            forgotten = forgotten if header else position + 8 + size + padding
        elif kind == _FCGI_END:
            return Verdict("closed", None, None, _shown(errors) or "the request ended without a response header")
        else:
            return Verdict("invalid", None, None, "unexpected FastCGI record of type {0}".format(kind))
        position += 8 + size + padding


def read_fastcgi_ping(raw):
    """Read the answer to fastcgi_ping()."""
    refusal = _fastcgi_refusal(raw[:8])
    if refusal or len(raw) < 8:
        return refusal
    kind = _record_header(raw, 0)[0]
    if kind == _FCGI_GET_VALUES_RESULT:
        return Verdict("ok", None, None, "")
    return Verdict("invalid", None, None, "unexpected FastCGI record of type {0}".format(kind))


def fastcgi_status(path):
    """Return a FastCGI request for the status page of a PHP-FPM pool: its master compares SCRIPT_NAME with pm.status_path, and no script is run."""
    return fastcgi_request(cgi_params("GET", path + "?json", "localhost", {"SCRIPT_NAME": path, "SCRIPT_FILENAME": path}))


def read_fastcgi_status(raw):
    """Read a whole answer to fastcgi_status(); "invalid" where it is no such page."""
    refusal = _fastcgi_refusal(raw[:8])
    if refusal:
        return refusal
    output, ended = _fastcgi_output(raw)
    if not ended:
        return Verdict("invalid", None, None, "the status page is longer than {0} bytes".format(MAX_STATUS)) if len(raw) > MAX_STATUS else None
    if status_page(raw) is None:
        end = _header_end(output)
        return Verdict("invalid", _cgi_status(output[:end]) if end is not None else None, None, "the answer is no status page of PHP-FPM")
    return Verdict("ok", 200, None, "")


def status_page(raw):
    """Return what an answer to fastcgi_status() says: {"pool": str, "process_manager": str, "active_processes": int, ...}; None for no such page."""
    output, ended = _fastcgi_output(raw[:2 * MAX_STATUS])
    end = _header_end(output)
    try:
        page = json.loads(text.decode(output[end:])) if ended and end is not None else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(page, dict):
        return None
    words = {name.replace(" ", "_"): text.harmless(page[name], 100) for name in _STATUS_WORDS if isinstance(page.get(name), str)}
    numbers = {name.replace(" ", "_"): page[name] for name in _STATUS_NUMBERS if _counts(page.get(name))}
    return dict(words, **numbers) if len(words) == len(_STATUS_WORDS) and "active_processes" in numbers and "total_processes" in numbers else None


def _counts(value):
    """Whether a value of JSON is a count: true and false are whole numbers to Python, and none here."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _fastcgi_output(raw):
    """Return (standard output, whether the request ended) of a FastCGI response as far as it came."""
    output, position = b"", 0
    while len(raw) >= position + 8:
        kind, size, padding = _record_header(raw, position)
        if kind == _FCGI_END:
            return output, True
        if kind == _FCGI_STDOUT:
            output += raw[position + 8:position + 8 + size]
        position += 8 + size + padding
    return output, False


def uwsgi_request(variables):
    """Return one uwsgi request (bytes): modifier 0. Raises ValueError when it is too big for a packet."""
    content = b""
    for name, value in variables.items():
        for word in (_bytes(name), _bytes(value)):
            content += struct.pack("<H", _at_most(len(word), 0xFFFF)) + word
    return struct.pack("<BHB", 0, _at_most(len(content), 0xFFFF), 0) + content


def uwsgi_ping():
    """Return a uwsgi packet of modifier 100, to which a server answers that it is there."""
    return struct.pack("<BHB", 100, 0, 0)


def read_uwsgi_ping(raw):
    """Read the answer to uwsgi_ping(): modifier 100 again, with 1 as second modifier."""
    if len(raw) < 4 and b"\x64\x00\x00\x01".startswith(raw):
        return None
    if raw[:4] == b"\x64\x00\x00\x01":
        return Verdict("ok", None, None, "")
    return Verdict("invalid", None, None, "not the answer to a uwsgi ping")


def scgi_request(variables):
    """Return one SCGI request (bytes)."""
    first = [("CONTENT_LENGTH", "0"), ("SCGI", "1")]
    rest = [(name, value) for name, value in variables.items() if name not in ("CONTENT_LENGTH", "SCGI")]
    content = b"".join(_bytes(name) + b"\0" + _bytes(value) + b"\0" for name, value in first + rest)
    return str(len(content)).encode("ascii") + b":" + content + b","


def http2_hello():
    """Return the client's connection preface with empty settings (RFC 9113, 3.4)."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


def read_http2(raw):
    """Read the server's connection preface: a SETTINGS frame on stream 0."""
    if len(raw) < 9:
        return Verdict("invalid", None, None, "the answer does not begin with an HTTP/2 frame") if raw[:5] == b"HTTP/" else None
    if raw[3] == 4 and not raw[4] & 1 and raw[5:9] == b"\0\0\0\0":
        return Verdict("ok", None, None, "")
    return Verdict("invalid", None, None, "the answer does not begin with an HTTP/2 SETTINGS frame")


def memcached_hello():
    """Return the memcached question for the server's version."""
    return b"version\r\n"


def read_memcached(raw):
    """Read the answer to memcached_hello()."""
    if raw[:8] == b"VERSION " and b"\n" in raw:
        return Verdict("ok", None, None, "")
    if b"VERSION ".startswith(raw[:8]) or raw[:8] == b"VERSION ":
        return None
    return Verdict("invalid", None, None, "not the answer of a memcached server")


def looks_like_tls(raw):
    """Return whether bytes begin like a TLS record (RFC 8446, 5.1)."""
    return len(raw) > 1 and 20 <= raw[0] <= 23 and raw[1] == 3


def tls_alert(raw, reason):
    """Return (number, name) of a TLS alert, or None.

    It is looked for in the received records, as long as they are not encrypted, and in the reason
    that OpenSSL gives, such as SSLV3_ALERT_HANDSHAKE_FAILURE.
    """
    number, position = None, 0
    while number is None and looks_like_tls(raw[position:]) and len(raw) >= position + 7:
        size = struct.unpack_from(">H", raw, position + 3)[0]
        if raw[position] == 21 and size == 2:
            number = raw[position + 6]
        position += 5 + size
    match = _ALERT_REASON.match(reason or "")
    if number is None and match:
        names = {name: number for number, name in _ALERTS.items()}
        number = names.get(match.group(1).lower().replace("_", " "))
    return None if number is None else (number, _ALERTS.get(number, "unknown"))


def _bytes(word):
    return word.encode("utf-8", "backslashreplace")


def _at_most(number, limit):
    if number > limit:
        raise ValueError("the request is too big for its protocol")
    return number


def _shown(raw):
    return text.decode(bytes(raw[:512])).strip()


def _header_end(raw):
    """Return the length of a header that has no status line before it, or None; it may be empty."""
    for empty in (b"\r\n", b"\n"):
        if raw.startswith(empty):
            return len(empty)
    end = _HEADER_END.search(raw)
    return end.end() if end else None


def _early_refusal(raw):
    """Return the Verdict on a first line that cannot become a header line, or None."""
    name = raw.partition(b"\n")[0].rstrip(b"\r").partition(b":")[0]
    if _BAD_NAME.search(name):
        return Verdict("invalid", None, None, "the answer does not begin with a header line")
    return None


def _header(lines, code, size, known=None, cgi=False):
    """Return the Verdict on a complete header."""
    why = response_header.refusal(lines, known, cgi)
    return Verdict("invalid" if why else "ok", code, size, why)


def _cgi_status(header):
    """Return the status that nginx makes of a CGI header."""
    status = re.search(rb"(?im)^status:[ \t]*(\d{3})", header)
    if status:
        return int(status.group(1))
    return 302 if re.search(rb"(?im)^location:", header) else 200


def _fastcgi_pair(name, value):
    name, value = _bytes(name), _bytes(value)
    return b"".join(bytes([len(word)]) if len(word) < 128 else struct.pack(">I", len(word) | 0x80000000) for word in (name, value)) + name + value


def _record(kind, content, request=1):
    return struct.pack(">BBHHBB", 1, kind, request, len(content), 0, 0) + content


def _record_header(raw, position):
    """Return (type, content length, padding length)."""
    _version, kind, _request, size, padding = struct.unpack_from(">BBHHB", raw, position)
    return kind, size, padding


def _fastcgi_refusal(head):
    if head and head[0] != 1:
        return Verdict("invalid", None, None, "the answer is not FastCGI (version {0})".format(head[0]))
    return None
