# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar and the meaning of error-log records, held against what running nginx wrote.

data/recorded_lines.json: [lab, case, versions, what the client got, records], from nginx 1.18.0 to 1.31.5.
data/messages.json: [message, phase, kind of context, level, class, status], every message of the upstream path.
"""

import json
import os
import re
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_log as nginx_log

DATA = os.path.join(os.path.dirname(__file__), "data")
PREFIX = "2026/11/22 10:27:08 [error] 3193#0: *1 "
END = ', client: 192.0.2.7, server: shop.example, request: "GET /api?x=1 HTTP/1.1", upstream: "http://127.0.0.1:3000/api?x=1", host: "h"'


def _load(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return json.load(file)


RECORDED = _load("recorded_lines.json")
MESSAGES = _load("messages.json")

# Cases where the log alone does not say what the client got, and why.
UNDECIDED = {
    "b502": "the backend itself answered 502: nginx logs nothing",
    "next502_default_0": "the backend itself answered 502: nginx logs nothing",
    "errpage_502_200": "error_page 502 =200",
    "ka_race": "the failed keepalive connection was tried again, and the other try was answered",
    "post_two_nonidem_0": "the next peer answered",
    "ephemeral_exhausted": "several requests in one observation",
    "gunicorn_unix_backlog": "several requests in one observation",
    "f_stderr_fatal": "the program sent its own 500",
    "php_mem": "the program sent its own 500",
    "php_parse": "the program sent its own 500",
    "gunicorn_sync_sysexit": "the program sent its own 500",
    "gunicorn_sync_raise": "the program sent its own 500",
    "gunicorn_sync_crlf": "the program sent its own 500",
    "uvicorn_raise": "the program sent its own 500",
}


def _understand(line):
    record = nginx_log.parse(line.encode("utf-8", "surrogateescape"))
    return record, nginx_log.classify(record)


def _status(client):
    word = str(client).split()[0] if client else ""
    return int(word) if word.isdigit() else None


@pytest.mark.parametrize("lab, case, versions, client, lines", [row for row in RECORDED if row[0] != "startup"])
def test_recorded(lab, case, versions, client, lines):
    statuses = []
    for line in lines:
        record, meaning = _understand(line)
        assert record is not None
        if meaning is not None and meaning.status is not None:
            statuses.append(meaning.status)
    if case in UNDECIDED:
        return
    if statuses:
        assert statuses[-1] == _status(client)
    else:
        assert _status(client) not in (500, 502, 503, 504)


def test_every_recorded_failure_is_known():
    unknown = []
    for lab, case, versions, client, lines in RECORDED:
        for line in lines:
            if lab == "startup" or "[notice]" in line or "[info]" in line:
                continue
            record, meaning = _understand(line)
            ignored = ", ignored" in record.message or record.message.startswith("the \"listen ... http2\" directive")
            if meaning is None and not ignored and record.level != "emerg":
                unknown.append(line)
    assert unknown == []


@pytest.mark.parametrize("message, phase, kind, level, name, status", MESSAGES)
def test_catalogue(message, phase, kind, level, name, status):
    context = {
        "http": ', client: 192.0.2.7, server: s, request: "GET /api?x=1 HTTP/1.1"'
                + (', upstream: "http://127.0.0.1:3000/api"' if phase else "") + ', host: "h"',
        "stream": ', client: 192.0.2.7, server: 0.0.0.0:1234, upstream: "127.0.0.1:7", bytes from/to client:0/0, bytes from/to upstream:0/0',
        "none": ", resolver: 127.0.0.1:53" if phase == "resolving" else "",
    }[kind]
    line = "2026/11/22 10:27:08 [{0}] 5#5: {1}{2}{3}{4}".format(level, "" if kind == "none" else "*1 ", message, " while " + phase if phase else "", context)
    record, meaning = _understand(line)
    assert record.phase == phase
    assert (meaning and meaning.name, meaning and meaning.status) == (name, status)


@pytest.mark.parametrize("errno, name", [
    (111, "connect-refused"), (2, "connect-no-socket"), (13, "connect-denied"), (1, "connect-denied"), (110, "connect-timeout"), (113, "connect-unreachable"),
    (101, "connect-unreachable"), (11, "connect-queue-full"), (99, "connect-no-port-left"), (104, "connect-reset"),
    (22, "connect-invalid-address"), (5, "connect-failed"),
])
@pytest.mark.parametrize("words", ["Unknown error", "Address not available", "Connection refused"])
def test_connect_goes_by_the_number(errno, name, words):
    record, meaning = _understand(PREFIX + "connect() failed ({0}: {1}) while connecting to upstream".format(errno, words) + END)
    assert (meaning.name, meaning.status, record.errno) == (name, 502, errno)


@pytest.mark.parametrize("ssl, name, detail", [
    ("error:0A00010B:SSL routines::wrong version number", "tls-wrong-version", {"reason": "wrong version number"}),
    ("error:1408F10B:SSL routines:ssl3_get_record:wrong version number", "tls-wrong-version", {"reason": "wrong version number"}),
    ("error:0A0000C6:SSL routines::packet length too long", "tls-wrong-version", {"reason": "packet length too long"}),
    ("error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112", "tls-alert", {"reason": "tlsv1 unrecognized name", "alert": 112}),
    ("error:0A000126:SSL routines::unexpected eof while reading", "tls-closed", {"reason": "unexpected eof while reading"}),
    ("error:0A000102:SSL routines::unsupported protocol", "tls-incompatible", {"reason": "unsupported protocol"}),
    ("error:0A00018A:SSL routines::dh key too small", "tls-incompatible", {"reason": "dh key too small"}),
    ("error:0A000086:SSL routines::certificate verify failed", "tls-verify", {"reason": "certificate verify failed"}),
    ("error:0A0000BF:SSL routines::something new", "tls-failed", {"reason": "something new"}),
])
def test_handshake(ssl, name, detail):
    record, meaning = _understand(PREFIX + "SSL_do_handshake() failed (SSL: {0}) while SSL handshaking to upstream".format(ssl) + END)
    assert record.message == "SSL_do_handshake() failed"
    assert (meaning.name, meaning.status, meaning.detail) == (name, 502, detail)


@pytest.mark.parametrize("line", [
    PREFIX + 'open() "/var/www/x" failed (2: No such file or directory), client: 192.0.2.7, server: s, request: "GET /x HTTP/1.1", host: "h"',
    PREFIX + 'open() "/var/www/0000000001" failed (13: Permission denied), client: 192.0.2.7, server: s, request: "GET /0000000001 HTTP/1.1", host: "h"',
    PREFIX + "access forbidden by rule, client: 192.0.2.7, server: s, request: \"GET /.git HTTP/1.1\", host: \"h\"",
    "2026/11/22 10:27:08 [crit] 5#5: *1 SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, "
    "client: 192.0.2.7, server: 0.0.0.0:443",
    "2026/11/22 10:27:08 [info] 5#5: *1 recv() failed (104: Connection reset by peer) while sending to client" + END,
    "2026/11/22 10:27:08 [info] 5#5: *1 writev() failed (32: Broken pipe) while sending to client" + END,
    "2026/11/22 10:27:08 [info] 5#5: *1 client 192.0.2.7:1 connected to 0.0.0.0:1",
    "2026/11/22 10:27:08 [alert] 5#5: *1 setsockopt(SO_KEEPALIVE) failed, ignored (22: Invalid argument) while connecting to upstream" + END,
    "2026/11/22 10:27:08 [error] 5#5: accept4() failed (103: Software caused connection abort)",
    # What nginx meets on its way to a syslog daemon has a context of its own.
    "2026/11/22 10:27:08 [alert] 5#5: *1 connect() failed (2: No such file or directory) while logging to syslog, server: unix:/dev/log",
    "2026/11/22 10:27:08 [error] 5#5: *1 send() failed (111: Connection refused) while logging to syslog, server: 192.0.2.9:514",
    "2026/11/22 10:27:08 [alert] 5#5: socket() failed (24: No file descriptors available) while logging to syslog, server: unix:/dev/log",
    "2026/11/22 10:27:08 [emerg] 5#5: bind() to 0.0.0.0:80 failed (98: Address already in use)",
])
def test_silence(line):
    assert _understand(line)[1] is None


def test_record_is_taken_apart():
    record, meaning = _understand(
        '2026/11/22 10:27:08 [error] 17817#17817: *231 connect() failed (111: Connection refused) while connecting to upstream, client: 2001:db8::1, '
        'server: lab.test, request: "POST /case/a?token=b HTTP/2.0", subrequest: "/auth?x", upstream: "http://[::1]:7/auth", host: "lab.test", referrer: "r"'
    )
    assert (record.stamp, record.level, record.pid, record.connection) == ("2026/11/22 10:27:08", "error", 17817, "231")
    assert (record.message, record.errno, record.phase) == ("connect() failed", 111, "connecting to upstream")
    assert (record.client, record.server, record.method, record.path) == ("2001:db8::1", "lab.test", "POST", "/case/a")
    assert nginx_log.peer(record) == ("http", "[::1]:7")
    # What a failed subrequest gives the client is decided by who made it.
    assert (meaning.name, meaning.status, meaning.detail) == ("connect-refused", None, {"subrequest": "/auth"})


def test_fastcgi_record_of_several_lines():
    record, meaning = _understand(
        PREFIX + 'FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Exception: x, client: 6.6.6.6, server: forged in /srv/x.php:1\n'
        'Stack trace:\n#0 {main}\n  thrown in /srv/x.php on line 1" while reading response header from upstream, client: 192.0.2.7, server: s, '
        'request: "GET /x.php HTTP/1.1", upstream: "fastcgi://unix:/run/php/x.sock:", host: "h"'
    )
    assert (record.client, record.server) == ("192.0.2.7", "s")
    assert nginx_log.peer(record) == ("fastcgi", "unix:/run/php/x.sock")
    assert (meaning.name, meaning.status, meaning.detail) == ("fastcgi-stderr", None, {"says": "php-fatal"})


def test_cut_at_2048_bytes():
    record, meaning = _understand((PREFIX + 'FastCGI sent in stderr: "PHP message: PHP Warning:  noise' + "n" * 3000)[:2048])
    assert meaning.name == "fastcgi-stderr"
    record, meaning = _understand(
        (PREFIX + 'connect() to unix:/run/x.sock failed (2: No such file or directory) while connecting to upstream, client: 192.0.2.7, server: s, '
         'request: "GET /' + "a" * 3000)[:2048])
    assert (meaning.name, meaning.status) == ("connect-no-socket", 502)
    assert nginx_log.peer(record) == ("", "unix:/run/x.sock")
    assert record.method == "GET"


@pytest.mark.parametrize("value, message, configured, expected", [
    ("http://unix:/run/app.sock:/api/x", "connect() failed", (), "unix:/run/app.sock"),
    ("http://unix:/run/app.sock/api", "upstream timed out", (), "unix:/run/app.sock"),
    ("http://unix:/run/app/api/x", "upstream timed out", ("/run/app", "/run"), "unix:/run/app"),
    ("http://unix:/run/app/api", "upstream timed out", (), "unix:/run/app"),
    ("http://unix:/run/a.sock.d/b.sock/x", "upstream timed out", ("/run/a.sock", "/run/a.sock.d/b.sock"), "unix:/run/a.sock.d/b.sock"),
    ("fastcgi://unix:/run/php/php8.2-fpm.sock", "upstream timed out", (), "unix:/run/php/php8.2-fpm.sock"),
    ("fastcgi://unix:/run/php.sock:", "recv() failed", (), "unix:/run/php.sock"),
    ("http://u_dead/x", "no live upstreams", (), "u_dead"),
    ("grpcs://[2001:db8::1]:443", "connect() failed", (), "[2001:db8::1]:443"),
    ("https://shop:8443/x:y", "connect() failed", (), "shop:8443"),
])
def test_peer(value, message, configured, expected):
    context = ', client: 192.0.2.7, server: s, request: "GET /api HTTP/1.1", upstream: "' + value + '"'
    record, _meaning = _understand(PREFIX + message + " while reading response header from upstream" + context)
    assert nginx_log.peer(record, configured)[1] == expected
    assert nginx_log.peer(record, configured)[0] == value.split(":")[0]


@pytest.mark.parametrize("line", [
    # A Referer, a quoted URI, and the request line with spaces that nginx took before 1.21.1.
    PREFIX + 'connect() failed (111: x) while connecting to upstream, client: 192.0.2.7, server: s, request: "GET /inj HTTP/1.1", '
    'upstream: "http://127.0.0.1:7/inj", host: "h", referrer: "x", upstream: "http://6.6.6.6:1/", host: "evil"',
    PREFIX + 'connect() failed (111: x) while connecting to upstream, client: 192.0.2.7, server: s, '
    'request: "GET /inj?",upstream:"http://6.6.6.6:1/ HTTP/1.1", '
    'upstream: "http://127.0.0.1:7/inj?",upstream:"http://6.6.6.6:1/", host: "h"',
    PREFIX + 'connect() failed (111: x) while connecting to upstream, client: 192.0.2.7, server: s, request: "GET /x", upstream: "http://6.6.6.6:1/ HTTP/1.1", '
    'upstream: "http://127.0.0.1:7/", host: "h"',
])
def test_forged_upstream(line):
    record, _meaning = _understand(line)
    assert nginx_log.peer(record) == ("http", "127.0.0.1:7")


def test_upstream_in_a_referrer_alone_is_none():
    record, _meaning = _understand(
        PREFIX + 'no resolver defined to resolve app, client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", '
        'host: "h", referrer: "x", upstream: "http://6.6.6.6:1/"')
    assert nginx_log.peer(record) == ("", "")


def test_stream():
    record, meaning = _understand(
        PREFIX + 'connect() failed (111: x) while connecting to upstream, udp client: 192.0.2.7, server: 0.0.0.0:1, upstream: "unix:/run/x.sock", '
        'bytes from/to client:27/0, bytes from/to upstream:0/27')
    assert nginx_log.peer(record) == ("stream", "unix:/run/x.sock")
    assert (meaning.name, meaning.status) == ("connect-refused", None)


@pytest.mark.parametrize("raw", [
    b"", b"\n", b"\0", b"\xff\xfe" * 100, b"2026/99/99 99:99:99 [error] 1#1: x", b"2026/11/22 10:27:08 [bogus] 1#1: x", b"nginx: [warn]", b"x" * 10000,
    b"2026/11/22 10:27:08 [error] " + b"1" * 5000,
])
def test_other_bytes(raw):
    assert nginx_log.parse(raw) is None


@pytest.mark.parametrize("filler", [
    " (SSL: ", ", client: ", " while ", " (1: ", ", request: \"", "upstream: \"", "error:00000000:",
    "\n", "\x1b[31m", "{{ 7*7 }}", "a" * 50,
])
def test_hostile_repetition_is_quick(filler):
    start = time.process_time()
    for head in ("connect() failed", "FastCGI sent in stderr: \"", "upstream sent duplicate header line: \"", "key: \"", ""):
        record = nginx_log.parse((PREFIX + head + filler * 4000).encode())
        nginx_log.classify(record)
        nginx_log.peer(record, ("/run/x.sock",))
    assert time.process_time() - start < 1


@pytest.mark.parametrize("digit", ["\u00b2", "\u0661", "\u2460"])
def test_digits_of_other_scripts_are_text(digit):
    record, meaning = _understand(PREFIX + "upstream SSL certificate verify error: (18:" + digit + ") while SSL handshaking to upstream" + END)
    assert meaning.detail == {"code": 18, "reason": digit}
    assert nginx_log.parse(("2026/11/22 10:27:08 [error] " + digit + "#1: x").encode("utf-8")) is None


# --- the same records as other systems write them

def _said(line):
    record, meaning = _understand(line)
    return meaning and (meaning.name, meaning.status, record.errno, record.phase)


def _numbers_only(words):
    """Put other words for the number of a system error: those of musl, or of an nginx that does not know them."""
    return lambda line: re.sub(r"\((\d{1,3}): (?:Unknown error|[A-Z][A-Za-z ]+)\)(?= while |, client: |$)", r"(\1: " + words + ")", line)


# Those of the start, which nginx -t prints, have no context.
LOGGED = [line for row in RECORDED if row[0] != "startup" for line in row[4]]

MUTATIONS = {
    "threads": lambda line: re.sub(r"\] (\d+)#\d+: ", r"] \1#\1: ", line, count=1),
    "no threads": lambda line: re.sub(r"\] (\d+)#\d+: ", r"] \1#0: ", line, count=1),
    "musl": _numbers_only("Address not available"),
    "old glibc": _numbers_only("Unknown error"),
    "busy worker": lambda line: re.sub(r": \*\d+ ", ": *18446744073709551615 ", line, count=1),
    "carriage return": lambda line: line + "\r",
    "client of IPv6": lambda line: re.sub(r", client: [^,]+, ", ", client: 2001:db8::7, ", line, count=1),
    "client of a socket": lambda line: re.sub(r", client: [^,]+, ", ", client: unix:, ", line, count=1),
    "server of many words": lambda line: re.sub(r", server: [^,]*, ", ", server: *.a-b.example, ", line, count=1),
    "long referrer": lambda line: line + ', referrer: "http://shop.example/' + "r" * 3000 + '"' if ', request: "' in line else line,
    "forged referrer": lambda line: line + ', referrer: "x", upstream: "http://6.6.6.6:1/", client: 6.6.6.6, server: x' if ', request: "' in line else line,
    "request of HTTP/2": lambda line: line.replace(" HTTP/1.1\"", " HTTP/2.0\"", 1),
    "peer of IPv6": lambda line: re.sub(r'(upstream: "[a-z]+://)127\.0\.0\.1:', r"\1[::1]:", line, count=1),
    "peer with odd letters": lambda line: re.sub(r'(upstream: "[a-z]+://)unix:[^":]+\.sock', r"\1unix:/run/a b@c+d,e.sock", line, count=1),
}


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_others_like_the_recorded_ones(name):
    changed = 0
    for line in LOGGED:
        other = MUTATIONS[name](line)
        changed += other != line
        assert _said(other) == _said(line), other
    assert changed


def test_recorded_ones_that_were_cut_keep_their_meaning():
    for line in LOGGED:
        record, meaning = _understand(line)
        if meaning is None or ", request: \"" not in line or record.message.startswith("FastCGI"):
            continue
        cut, less = _understand((line[: line.index(", request: \"")] + ", request: \"GET /" + "a" * 3000)[:2048])
        assert less is not None or meaning.name in ("body-cut", "client-gone", "client-timeout"), line
        if less is not None:
            assert (cut.phase, cut.errno, cut.server) == (record.phase, record.errno, record.server)
            assert less.name == meaning.name or less.status is None, line
