# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent is well formed whatever the arguments hold; what comes back is read as nginx reads it.

Sizes: nginx 1.22.1 with the default 4k buffers took an HTTP, SCGI, uwsgi and FastCGI response (PHP-FPM
8.2, also with 500 bytes of standard error before the header) of header_bytes 4096 and refused 4097.
"""

import struct

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire

# Recorded: PHP-FPM 8.2 to fastcgi_ping(), uWSGI with its ping plugin, nginx 1.22.1 as HTTP/2 server, memcached 1.6.18.
FPM_VALUES = b"\x01\x0a\x00\x00\x00\x12\x06\x00\x0f\x01FCGI_MPXS_CONNS0" + b"\0" * 6
UWSGI_PONG = b"\x64\x00\x00\x01"
HTTP2_SETTINGS = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff"


def record(kind, content, padding=0, version=1):
    """Return a FastCGI record."""
    return struct.pack(">BBHHBB", version, kind, 1, len(content), padding, 0) + content + b"\0" * padding


@pytest.mark.parametrize(("raw", "code", "size"), [
    (b"HTTP/1.1 200 OK\r\n\r\n", 200, 19),
    (b"HTTP/1.0 404\r\n\r\nbody", 404, 16),
    (b"HTTP/1.1 200 OK\nServer: x\n\nbody\n\n", 200, 27),
    (b"HTTP/1.1   503 \xff\xfe\r\nX: y\r\n\n\r\n", 503, 26),
    (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n", 302, 85),
])
def test_http_header(raw, code, size):
    assert wire.read_http(raw) == ("ok", code, size, "")


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
    b"HTTP/1.1 200 OK\nServer: x\n\n",
])
def test_http_header_that_is_still_coming(raw):
    for length in range(1, len(raw)):
        assert wire.read_http(raw[:length]) is None, raw[:length]


@pytest.mark.parametrize("raw", [
    b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    b"<html>", b"HTTPS", b"http/1.1 200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 20x", b"HTTP/1.1 2000 OK\r\n\r\n",
    b"Status: 200 OK\r\n\r\n", b"-ERR wrong number of arguments\r\n",
])
def test_no_http(raw):
    verdict = wire.read_http(raw)
    assert (verdict.status, verdict.code, verdict.header_bytes) == ("invalid", None, None)
    assert verdict.why


@pytest.mark.parametrize("line", [
    b"Bad Name: x", b"Bad\x01Name: x", b"Name : x", b"X: a\0b", b" folded", b"no colon here",
    b"Content-Length: 1\r\ncontent-length: 1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Content-Length: 1\r\nTransfer-Encoding: chunked",
])
def test_header_line_that_nginx_refuses(line):
    raw = b"HTTP/1.1 200 OK\r\nServer: x\r\n" + line + b"\r\n\r\n"
    verdict = wire.read_http(raw)
    assert (verdict.status, verdict.code, verdict.header_bytes) == ("invalid", 200, len(raw))
    assert verdict.why


def test_refused_line_does_not_show_its_value():
    verdict = wire.read_http(b"HTTP/1.1 200 OK\r\nSet Cookie: canary\r\n\r\n")
    assert "Set Cookie" in verdict.why
    assert "canary" not in verdict.why


@pytest.mark.parametrize("line", [b"X:\xff\xfe", b"X_Y: z", b"NoColon", b"X: a:b c", b"\xc3\xa9: x"])
def test_header_line_that_nginx_takes(line):
    assert wire.read_http(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n").status == "ok"


@pytest.mark.parametrize(("raw", "hint"), [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n<h1>400</h1><center>The plain HTTP request was sent to HTTPS port</center>", True),
    (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", True),
    (b"HTTP/1.1 400 Bad Request\r\n\r\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />", True),
    (b"\x15\x03\x01\x00\x02\x02\x46", True),
    (b"HTTP/1.1 400 Bad Request\r\n\r\nUse https for your order", False),
    (b"HTTP/1.1 200 OK\r\n\r\n", False),
    (b"", False),
])
def test_hint_at_tls(raw, hint):
    assert wire.hints_at_tls(raw) is hint


@pytest.mark.parametrize(("raw", "code", "size"), [
    (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 200, 25),
    (b"Status: 404 Not Found\r\nA: b\r\n\r\nbody", 404, 31),
    (b"Content-Type: text/html\r\n\r\n", 200, 27),
    (b"Location: /x\n\nbody", 302, 14),
    (b"\r\nbody", 200, 2),
])
def test_cgi_header(raw, code, size):
    assert wire.read_cgi(raw) == ("ok", code, size, "")


def test_cgi_header_that_is_still_coming():
    raw = b"Status: 200 OK\r\nHost: x\r\n\r\n"
    for length in range(1, len(raw)):
        assert wire.read_cgi(raw[:length]) is None


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", b"\x01\x06\x00\x01", b"not a header\r\n"])
def test_no_cgi(raw):
    assert wire.read_cgi(raw).status == "invalid"


def test_fastcgi_header():
    stdout = record(6, b"Status: 404 Not Found\r\nContent-type: text/html\r\n\r\nFile not found.\n", 7)
    stderr = record(7, b"Primary script unknown", 2)
    verdict = wire.read_fastcgi(stderr + stdout + record(3, b"\0" * 8))
    assert verdict == ("ok", 404, len(stderr) + 8 + 50, "Primary script unknown")


def test_much_on_standard_error_is_no_part_of_a_fastcgi_header():
    stdout = record(6, b"X: y\r\n\r\nbody")
    few, many = record(7, b"e" * 4000), record(7, b"e" * 4000) + record(7, b"e" * 100)
    assert wire.read_fastcgi(few + stdout).header_bytes == len(few) + 8 + 8
    assert wire.read_fastcgi(many + stdout).header_bytes == 8 + 8
    # What comes between the lines of the header stays in the buffer.
    assert wire.read_fastcgi(record(6, b"X: y\r\n") + many + record(6, b"\r\n")).header_bytes == 8 + 6 + len(many) + 8 + 2


def test_fastcgi_header_in_pieces():
    raw = record(6, b"X: y\r") + record(6, b"", 8) + record(6, b"\n\r\nbody")
    assert wire.read_fastcgi(raw) == ("ok", 200, 8 + 5 + 16 + 8 + 3, "")
    for length in range(8 + 5 + 16 + 8 + 3):
        assert wire.read_fastcgi(raw[:length]) is None


def test_fastcgi_without_a_header():
    verdict = wire.read_fastcgi(record(7, b"PHP Fatal error: Allowed memory size\n") + record(6, b"") + record(3, b"\0" * 8))
    assert verdict == ("closed", None, None, "PHP Fatal error: Allowed memory size")
    assert wire.read_fastcgi(record(3, b"\0" * 8)).why


@pytest.mark.parametrize("raw", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15", record(6, b"", version=2), record(11, b"\0" * 8), FPM_VALUES])
def test_no_fastcgi(raw):
    assert wire.read_fastcgi(raw).status == "invalid"


@pytest.mark.parametrize(("read", "good", "bad"), [
    (wire.read_fastcgi_ping, FPM_VALUES, [b"HTTP/1.1 400", record(6, b"x"), record(3, b"\0" * 8)]),
    (wire.read_uwsgi_ping, UWSGI_PONG, [b"HTTP", b"\x64\x00\x00\x00", b"\x64\x01", b"\x15\x03\x01"]),
    (wire.read_http2, HTTP2_SETTINGS, [b"HTTP/1.1 400 Bad Request", b"\x00\x00\x00\x04\x01\x00\x00\x00\x00", b"\x00\x00\x00\x07\x00\x00\x00\x00\x00"]),
    (wire.read_memcached, b"VERSION 1.6.18\r\n", [b"ERROR\r\n", b"HTTP/1.1 400", b"-ERR unknown\r\n"]),
])
def test_greetings(read, good, bad):
    assert read(good) == ("ok", None, None, "")
    assert read(good[:3]) is None
    for raw in bad:
        verdict = read(raw)
        assert verdict.status == "invalid"
        assert verdict.why


@pytest.mark.parametrize(("raw", "reason", "alert"), [
    (b"\x15\x03\x03\x00\x02\x02\x28", "SSLV3_ALERT_HANDSHAKE_FAILURE", (40, "handshake failure")),
    (b"\x15\x03\x01\x00\x02\x02\x46", None, (70, "protocol version")),
    (b"\x16\x03\x03\x00\x01x\x15\x03\x03\x00\x02\x02\x70", None, (112, "unrecognized name")),
    (b"\x15\x03\x03\x00\x02\x02\xfe", None, (254, "unknown")),
    (b"\x17\x03\x03\x00\x13" + b"x" * 19, "TLSV13_ALERT_CERTIFICATE_REQUIRED", (116, "certificate required")),
    (b"", "TLSV1_UNRECOGNIZED_NAME", (112, "unrecognized name")),
    (b"", "[SSL] tlsv13 alert certificate required (_ssl.c:2309)", (116, "certificate required")),
    (b"", "[SSL] unknown error (_ssl.c:2309)", None),
    (b"HTTP/1.1 400", "WRONG_VERSION_NUMBER", None),
    (b"\x16\x03\x03\xff\xff", "UNSUPPORTED_PROTOCOL", None),
    (b"", None, None),
])
def test_tls_alert(raw, reason, alert):
    assert wire.tls_alert(raw, reason) == alert


def test_http_request():
    assert wire.http_request("GET", "/a?b=c", "shop.example", "1.1") == (
        b"GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nUser-Agent: webops.bad_gateway (probe)\r\nAccept: */*\r\n\r\n"
    )


@pytest.mark.parametrize(("path", "sent"), [
    ("", b"/"), ("x", b"/x"), ("/a b", b"/a%20b"), ("/a\r\nX: y", b"/a%0D%0AX:%20y"), ("/\u00e9\0", b"/%C3%A9%00"),
    ("/a%20b%zz", b"/a%20b%zz"), ("/?q=<{{7*7}}>", b"/?q=%3C%7B%7B7*7%7D%7D%3E"), ("/a#b", b"/a%23b"),
])
def test_path_cannot_end_the_request_line(path, sent):
    assert wire.http_request("GET", path, "x", "1.0").partition(b"\r\n")[0] == b"GET " + sent + b" HTTP/1.0"


def test_params_never_make_another_method_or_a_body():
    hostile = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "99", "CONTENT_TYPE": "text/x", "HTTP_HOST": "other"}
    variables = wire.cgi_params("HEAD", "/a?b", "shop", hostile)
    assert (variables["REQUEST_METHOD"], variables["CONTENT_LENGTH"], variables["CONTENT_TYPE"]) == ("HEAD", "", "")
    assert (variables["HTTP_HOST"], variables["QUERY_STRING"], variables["PATH_INFO"]) == ("other", "b", "/a")
    assert "PATH_INFO" not in wire.cgi_params("GET", "/", "x", {"SCRIPT_FILENAME": "/a.php"})


def test_fastcgi_request_lengths():
    raw = wire.fastcgi_request({"A": "b", "L": "x" * 200})
    pairs = b"\x01\x01Ab" + b"\x01\x80\x00\x00\xc8L" + b"x" * 200
    assert raw == record(1, b"\x00\x01\x00" + b"\0" * 5) + record(4, pairs) + record(4, b"") + record(5, b"")
    assert len(wire.fastcgi_request({"A": "x" * 70000})) > 70000


def test_uwsgi_request_lengths():
    assert wire.uwsgi_request({"A": "bc"}) == b"\x00\x07\x00\x00" + b"\x01\x00A\x02\x00bc"
    with pytest.raises(ValueError):
        wire.uwsgi_request({"A": "x" * 65536})


def test_scgi_request():
    assert wire.scgi_request({"CONTENT_LENGTH": "7", "A": "b"}) == b"28:CONTENT_LENGTH\x000\x00SCGI\x001\x00A\x00b\x00,"


@pytest.mark.parametrize(
    ("raw", "kept", "seconds"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5, max=100\r\n\r\nok", True, 5.0),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nKeep-Alive: timeout=9", True, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nKeep-Alive: timeout=5\r\n\r\n", False, None),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", False, None),
        (b"HTTP/1.1 304 Not Modified\r\nKeep-Alive: timeout=3\r\n\r\n", True, 3.0),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", False, None),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\n", True, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: max=100\r\n\r\n", True, None),
    ],
)
def test_how_long_a_server_keeps_a_connection(raw, kept, seconds):
    assert wire.kept_open(raw) == {"kept": kept, "seconds": seconds}
