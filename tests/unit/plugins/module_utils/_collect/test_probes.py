# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against real servers on loopback: healthy, broken, hostile and silent ones."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import probes

NOBODY = {"uid": 65534, "gid": 65534, "groups": [65534]}
QUICK = {"connect": 1.0, "try": 0.3, "further": 1.2, "total": 20.0}
OK_ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextlib.contextmanager
def serving(answer, family=socket.AF_INET, path=None, mode=0o777):
    """Serve answer(connection) on each connection; give (endpoint, list of first bytes that came)."""
    server = socket.socket(family)
    came = []
    if family == socket.AF_UNIX:
        server.bind(path)
        os.chmod(path, mode)
        endpoint = "unix:" + path
    else:
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        endpoint = ("127.0.0.1:{0}" if family == socket.AF_INET else "[::1]:{0}").format(server.getsockname()[1])
    server.listen(16)

    def loop():
        while True:
            try:
                connection, _peer = server.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection):
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            answer(connection, came)

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield endpoint, came
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def say(raw):
    """Return a server that reads once and says raw."""

    def answer(connection, came):
        came.append(connection.recv(65536))
        connection.sendall(raw)

    return answer


def reset(connection, came):
    """Read, then reset the connection."""
    came.append(connection.recv(65536))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection, came):
    """Read, and keep the connection until the other side leaves it."""
    while connection.recv(65536):
        came.append(b"")


def probe(endpoint, **target):
    """Return the probe of one target."""
    target = dict({"id": "p1", "endpoint": endpoint, "host": "shop.example", "wait": 1.0}, **target)
    result = probes.collect(None, [target], QUICK)
    assert result.hidden == ()
    (found,) = result.value["probes"]
    assert found["id"] == "p1"
    return found


def first(endpoint, **target):
    """Return the first try of one target."""
    found = probe(endpoint, **target)
    assert found["connect"]["status"] == "ok", found
    return found["tries"][0]


@pytest.fixture(scope="module")
def folder():
    """Return a folder that every user may enter, unlike pytest's own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="probes"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(str(path))


@pytest.fixture(scope="module")
def certified(folder):
    """Return (certificate file, key file) for shop.example."""
    files = str(folder / "c.pem"), str(folder / "k.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=shop.example",
            "-addext",
            "subjectAltName=DNS:shop.example,IP:127.0.0.1",
            "-out",
            files[0],
            "-keyout",
            files[1],
        ],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return files


def tls(certified, raw, require_name=False, plain_answer=b"", protocols=()):
    """Return a TLS server that says raw; plain_answer goes to a client without TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certified)
    if protocols:
        context.set_alpn_protocols(list(protocols))

    def named(_connection, name, _context):
        return None if name == "shop.example" or not require_name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.set_servername_callback(named)

    def answer(connection, came):
        if connection.recv(1, socket.MSG_PEEK) != b"\x16" and plain_answer:
            came.append(connection.recv(65536))
            connection.sendall(plain_answer)
            return
        with context.wrap_socket(connection, server_side=True) as session:
            came.append(session.recv(65536))
            session.sendall(raw)

    return answer


# Connecting


def test_nothing_listens():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        found = probe("127.0.0.1:{0}".format(server.getsockname()[1]))
    assert (found["connect"]["status"], found["connect"]["errno"], found["tries"]) == ("refused", 111, [])
    assert found["connect"]["why"]


def test_every_family(folder):
    for family, path in ((socket.AF_INET, None), (socket.AF_INET6, None), (socket.AF_UNIX, str(folder / "family.sock"))):
        with serving(say(OK_ANSWER), family, path) as (endpoint, _came):
            found = probe(endpoint)
            assert (found["endpoint"], found["connect"]["status"], found["connect"]["errno"]) == (endpoint, "ok", None)
            assert found["tries"][0]["status"] == "ok"


def test_unix_socket_that_is_not_there(folder):
    assert probe("unix:{0}/nothing/x.sock".format(folder))["connect"]["errno"] == 2
    assert probe("unix:{0}/nothing/x.sock".format(folder))["connect"]["status"] == "absent"


def test_unix_socket_left_behind(folder):
    path = str(folder / "stale.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    assert (probe("unix:" + path)["connect"]["status"], probe("unix:" + path)["connect"]["errno"]) == ("refused", 111)
    (folder / "plain").write_text("")
    assert probe("unix:{0}/plain".format(folder))["connect"]["errno"] == 111


def test_unix_accept_queue_full(folder):
    path = str(folder / "full.sock")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(path)
        server.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(path)
        found = probe("unix:" + path)
    assert (found["connect"]["status"], found["connect"]["errno"], found["tries"]) == ("full", 11, [])


def test_tcp_accept_queue_full():
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _turn in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        found = probe("127.0.0.1:{0}".format(server.getsockname()[1]))
    assert (found["connect"]["status"], found["connect"]["errno"], found["tries"]) == ("timeout", None, [])
    assert 0.9 < found["connect"]["seconds"] < 3


@needs_root
def test_unreachable():
    process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        result = probes.collect({"pid": process.pid}, [{"id": "a", "endpoint": "203.0.113.1:80"}], QUICK)
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
    connect = result.value["probes"][0]["connect"]
    assert (connect["status"], connect["errno"]) == ("unreachable", 101)
    assert result.value["identity"]["pid"] == process.pid


@needs_root
def test_connects_as_the_worker(folder):
    path = str(folder / "mode.sock")
    with serving(say(OK_ANSWER), socket.AF_UNIX, path, 0o660) as (endpoint, _came):
        targets = [{"id": "a", "endpoint": endpoint, "wait": 1.0}]
        denied = probes.collect(NOBODY, targets, QUICK).value
        assert denied["identity"] == dict(NOBODY, pid=None)
        assert (denied["probes"][0]["connect"]["status"], denied["probes"][0]["connect"]["errno"]) == ("denied", 13)
        os.chown(path, 0, 4242)
        member = dict(NOBODY, groups=[4242])
        assert probes.collect(member, targets, QUICK).value["probes"][0]["connect"]["status"] == "ok"


@needs_root
def test_directory_that_the_worker_cannot_cross(folder):
    closed = folder / "closed"
    closed.mkdir()
    with serving(say(OK_ANSWER), socket.AF_UNIX, str(closed / "x.sock")) as (endpoint, _came):
        closed.chmod(0o700)
        value = probes.collect(NOBODY, [{"id": "a", "endpoint": endpoint}], QUICK).value
    assert value["probes"][0]["connect"]["status"] == "denied"


@needs_root
def test_without_root_unix_sockets_are_not_asked(folder):
    def as_nobody():
        with contextlib.suppress(evidence.Unanswered):
            result = probes.collect(
                {"uid": 33, "gid": 33, "groups": []},
                [
                    {"id": "tcp", "endpoint": "127.0.0.1:1"},
                    {"id": "unix", "endpoint": "unix:/run/x.sock"},
                ],
                QUICK,
            )
            return [[found["id"] for found in result.value["probes"]], result.value["identity"]["uid"], result.truncated, list(result.hidden)]

    ids, uid, truncated, hidden = inside.call(as_nobody, identity=NOBODY)
    assert (ids, uid, truncated) == (["tcp"], 65534, True)
    assert hidden == ["probed as uid 65534: only root can act as uid 33; 1 Unix sockets were not probed"]


def test_worker_that_is_gone():
    with pytest.raises(evidence.Unanswered) as caught:
        probes.collect({"pid": 2**22 + 1}, [{"id": "a", "endpoint": "127.0.0.1:1"}])
    assert caught.value.status == "absent"


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "127.0.0.1:80\n",
        "shop.example:80",
        "[::1]",
        "[::1:80",
        "unix:",
        "unix:relative",
        "unix:/a\0b",
        "unix:/" + "x" * 200,
        "$backend:80",
        "127.0.0.1:\u0661",
    ],
)
def test_endpoint_that_is_none(endpoint):
    found = probe(endpoint)
    assert (found["connect"]["status"], found["tries"]) == ("error", [])
    assert found["connect"]["why"]


# One request


def test_request_is_the_one_of_the_pass():
    with serving(say(OK_ANSWER)) as (endpoint, came):
        tried = first(endpoint, path="/a?b=c", method="HEAD", version="1.1")
    assert came == [wire.http_request("HEAD", "/a?b=c", "shop.example", "1.1")]
    assert tried == dict(tried, speak="http", status="ok", code=200, header_bytes=30, why="", tls=None)
    assert tried["start"] == "HTTP/1.1 200 OK\\x0d\\x0aServer: x\\x0d\\x0a\\x0d\\x0abody"
    assert 0 < tried["seconds"] < 1


@pytest.mark.parametrize(
    "given",
    [
        {"host": "a\r\nX: y"},
        {"host": "a b"},
        {"host": "a\0"},
        {"sni": "a\n"},
        {"method": "POST"},
        {"method": "GET / HTTP/1.0\r\n"},
        {"version": "9"},
        {"speak": "smtp"},
        {"params": {"A": "b\r\nC: d"}},
        {"params": {"A\0": "b"}},
        {"params": {"A": "x" * 20000}},
        {"path": "/" + "x" * 20000},
    ],
)
def test_what_could_break_a_request_is_not_sent(given):
    with serving(say(OK_ANSWER)) as (endpoint, came):
        found = probe(endpoint, **given)
    assert (found["connect"]["status"], found["tries"], came) == ("error", [], [])


def test_redirect_is_not_followed_and_sends_one_request():
    with serving(say(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")) as (endpoint, came):
        found = probe(endpoint)
    assert [tried["code"] for tried in found["tries"]] == [302]
    assert len(came) == 1


@pytest.mark.parametrize("code", [400, 404, 500, 502, 503])
def test_an_answer_of_any_status_is_an_answer(code):
    with serving(say("HTTP/1.1 {0} No\r\n\r\n".format(code).encode())) as (endpoint, came):
        found = probe(endpoint)
    assert [(tried["status"], tried["code"]) for tried in found["tries"]] == [("ok", code)]
    assert len(came) == 1


def test_seconds_until_the_whole_header_is_there():
    def slow(connection, came):
        came.append(connection.recv(65536))
        for part in (b"HTTP/1.1 200 OK\r\n", b"Server: x\r\n", b"\r\n"):
            time.sleep(0.1)
            connection.sendall(part)
        time.sleep(5)

    with serving(slow) as (endpoint, _came):
        tried = first(endpoint)
    assert (tried["status"], tried["header_bytes"]) == ("ok", 30)
    assert 0.3 <= tried["seconds"] < 1


def test_silence_is_a_timeout_within_bounds():
    with serving(silent) as (endpoint, _came):
        began = time.monotonic()
        found = probe(endpoint, wait=0.5)
        assert time.monotonic() - began < 0.5 + QUICK["further"] + 1
    assert found["tries"][0]["status"] == "timeout"
    assert found["tries"][0]["seconds"] >= 0.5
    assert {tried["status"] for tried in found["tries"]} == {"timeout"}


@pytest.mark.parametrize(("pause", "came_of_it"), [(0.8, "ok"), (5, "timeout")])
def test_an_answer_that_comes_late_is_waited_for_with_patience(pause, came_of_it):
    def slow(connection, came):
        came.append(connection.recv(65536))
        time.sleep(pause)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with serving(slow) as (endpoint, _came):
        tried = first(endpoint, wait=0.3, patience=1.5, identify=False)
    assert (tried["status"], tried["late"]["status"]) == ("timeout", came_of_it)
    assert 0.3 <= tried["seconds"] < 0.7
    assert (0.8 if came_of_it == "ok" else 1.5) <= tried["late"]["seconds"] < 2.5


def test_who_has_no_patience_does_not_wait():
    with serving(silent) as (endpoint, _came):
        assert first(endpoint, wait=0.3, identify=False)["late"] is None


def test_half_a_header_is_a_timeout_with_its_start():
    def half(connection, came):
        came.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nServer")
        time.sleep(3)

    with serving(half) as (endpoint, _came):
        tried = first(endpoint, wait=0.3)
    assert (tried["status"], tried["code"], tried["header_bytes"]) == ("timeout", None, None)
    assert tried["start"].startswith("HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (say(b""), "closed"),
        (say(b"HTTP/1.1 200 OK\r\nServer: x"), "closed"),
        (reset, "reset"),
        (say(b"\xff\xfe\x00garbage\x1b]0;x\x07"), "invalid"),
        (say(b"<html>"), "invalid"),
    ],
)
def test_broken_answers(answer, status):
    with serving(answer) as (endpoint, _came):
        tried = first(endpoint)
    assert (tried["status"], tried["code"]) == (status, None)
    assert tried["why"]


def test_header_size_is_exact_when_it_is_big():
    header = b"HTTP/1.1 200 OK\r\nSet-Cookie: " + b"c" * 20000 + b"\r\n\r\n"
    with serving(say(header + b"x" * 100)) as (endpoint, _came):
        assert first(endpoint)["header_bytes"] == len(header)


def test_header_without_end_is_cut():
    def endless(connection, came):
        came.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")

    with serving(endless) as (endpoint, _came):
        tried = first(endpoint)
    assert tried["status"] == "invalid"
    assert tried["header_bytes"] >= wire.MAX_HEADER


def test_words_of_the_backend_are_harmless_and_without_secrets():
    with serving(say(b"Token: canary-secret \x1b[31m\xe2\x80\xae\xff {{ 7*7 }} <b>")) as (endpoint, _came):
        shown = repr(probe(endpoint))
    assert "canary" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


# What the endpoint speaks


def spoken(found):
    """Return {speak: status} of the tries in their order."""
    return [(tried["speak"], tried["status"]) for tried in found["tries"]]


def test_tls_backend(certified):
    with serving(tls(certified, OK_ANSWER)) as (endpoint, came):
        (tried,) = probe(endpoint, speak="https")["tries"]
    assert tried == dict(tried, speak="https", status="ok", code=200, header_bytes=30)
    assert tried["tls"]["version"] in ("TLSv1.2", "TLSv1.3")
    assert tried["tls"]["names"] == ["shop.example", "127.0.0.1"]
    assert 29 * 86400 < tried["tls"]["not_after"] - time.time() < 31 * 86400
    assert tried["tls"]["cipher"]
    assert came == [wire.http_request("GET", "/", "shop.example", "1.0")]


def test_tls_backend_that_wants_a_name(certified):
    with serving(tls(certified, OK_ANSWER, require_name=True)) as (endpoint, came):
        without = probe(endpoint, speak="https")
        wrong = probe(endpoint, speak="https", sni="other.example")
        right = probe(endpoint, speak="https", sni="shop.example")
    assert spoken(without) == [("https", "tls-alert"), ("https-sni", "ok")]
    assert (without["tries"][0]["code"], without["tries"][0]["why"]) == (112, "TLS alert 112 (unrecognized name)")
    assert spoken(wrong)[:2] == [("https-sni", "tls-alert"), ("https", "tls-alert")]
    assert spoken(right) == [("https-sni", "ok")]
    assert len(came) == 2


@pytest.mark.parametrize(
    ("plain", "status"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>", "ok"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "ok"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "invalid"),
    ],
)
def test_plain_to_tls(certified, plain, status):
    with serving(tls(certified, OK_ANSWER, plain_answer=plain)) as (endpoint, came):
        found = probe(endpoint)
    assert spoken(found) == [("http", status), ("https", "ok")]
    assert came[1] == wire.http_request("HEAD", "/", "shop.example", "1.0")


def test_hint_in_a_body_that_comes_later():
    def late(connection, came):
        came.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"Client sent an HTTP request to an HTTPS server.\n")

    with serving(late) as (endpoint, _came):
        assert [speak for speak, _status in spoken(probe(endpoint))] == ["http", "https", "https-sni"]


def test_plain_to_tls_that_closes(certified):
    with serving(tls(certified, OK_ANSWER)) as (endpoint, _came):
        found = probe(endpoint)
    assert found["tries"][0]["status"] in ("closed", "reset", "invalid")
    assert spoken(found)[1] == ("https", "ok")


def test_tls_to_plain():
    with serving(say(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (endpoint, _came):
        found = probe(endpoint, speak="https")
    assert spoken(found) == [("https", "not-tls"), ("http", "ok")]
    assert found["tries"][0]["start"].startswith("HTTP/1.1 400")
    assert found["tries"][0]["tls"] is None


def test_address_is_no_server_name():
    with serving(say(OK_ANSWER)) as (endpoint, _came):
        assert spoken(probe(endpoint, speak="https", host=endpoint)) == [("https", "not-tls"), ("http", "ok")]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (say(b""), "closed"),
        (reset, "reset"),
        (say(b"\x15\x03\x03\x00\x02\x02\x28"), "tls-alert"),
        (silent, "timeout"),
        (say(b"\x16\x03\x03\xff\xff" + b"\xff" * 70), "error"),
    ],
)
def test_tls_handshake_that_fails(answer, status):
    with serving(answer) as (endpoint, _came):
        tried = first(endpoint, speak="https", wait=0.3)
    assert (tried["status"], tried["tls"]) == (status, None)
    assert tried["why"]


def test_name_that_tls_cannot_send():
    with serving(say(OK_ANSWER)) as (endpoint, _came):
        tried = first(endpoint, speak="https", sni="x" * 300)
    assert tried["status"] == "error"


def test_http2_backend(certified):
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    with serving(say(settings)) as (endpoint, came):
        assert spoken(probe(endpoint, speak="grpc")) == [("http2", "ok")]
        assert came == [wire.http2_hello()]
        assert spoken(probe(endpoint)) == [("http", "invalid"), ("http2", "ok")]
    with serving(tls(certified, settings, protocols=["h2"])) as (endpoint, _came):
        (tried,) = probe(endpoint, speak="grpcs")["tries"]
        assert (tried["speak"], tried["status"], tried["header_bytes"]) == ("http2", "ok", None)
        assert tried["tls"]["names"] == ["shop.example", "127.0.0.1"]


def test_http_backend_behind_other_passes():
    with serving(say(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (endpoint, _came):
        assert spoken(probe(endpoint, speak="fastcgi"))[0] == ("fastcgi-ping", "invalid")
        for speak in ("fastcgi", "uwsgi", "scgi", "grpc", "memcached"):
            found = probe(endpoint, speak=speak, params={"SCRIPT_FILENAME": "/x.php"})
            assert spoken(found)[-1] == ("http", "ok"), speak


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("speak", "answer", "last"),
    [
        ("http", SETTINGS, ("http2", "ok")),
        ("fastcgi", SETTINGS, ("http2", "ok")),
        ("https", SETTINGS, ("http2", "ok")),
        ("grpcs", SETTINGS, ("http2", "ok")),
        ("grpc", b"ERROR\r\n", ("memcached", "invalid")),
        ("grpc", b"HTTP/2.0 200 OK\r\n\r\n", ("http", "ok")),
    ],
)
def test_the_first_bytes_say_what_to_try_next(speak, answer, last):
    with serving(say(answer)) as (endpoint, _came):
        found = spoken(probe(endpoint, speak=speak))
    assert found[1] == last


def test_grpc_to_a_server_of_http2_over_tls(certified):
    with serving(tls(certified, SETTINGS, protocols=["h2"])) as (endpoint, _came):
        assert spoken(probe(endpoint, speak="grpc"))[-1] == ("http2-tls", "ok")


def test_an_http_server_that_refuses_uwsgi_does_not_speak_it():
    """It closes on HTTP and says to everything else, in HTTP, that it is bad."""

    def server(connection, came):
        came.append(connection.recv(65536))
        connection.sendall(b"" if came[-1][:4] in (b"GET ", b"HEAD") else b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(server) as (endpoint, _came):
        found = probe(endpoint)
    assert ("uwsgi", "ok") in spoken(found) and spoken(found)[-1] != ("uwsgi", "ok")


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def chat(connection, came):
    came.append(connection.recv(65536))
    connection.sendall(SWITCH if b"Upgrade: websocket" in came[-1] else b"HTTP/1.1 426 Upgrade Required\r\n\r\n")


def test_websocket_is_asked_for_where_the_answer_is_426():
    with serving(chat) as (endpoint, came):
        assert spoken(probe(endpoint, path="/socket.io/")) == [("http", "ok"), ("websocket", "ok")]
    assert came[1].startswith(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n")
    assert b"Origin: http://shop.example\r\n" in came[1]


def test_websocket_is_asked_for_where_the_target_says_so(certified):
    with serving(say(OK_ANSWER)) as (endpoint, came):
        found = probe(endpoint, upgrade=["1.1", "1.0"])
        assert spoken(found) == [("http", "ok"), ("websocket", "invalid"), ("websocket-1.0", "invalid")]
        assert found["tries"][1]["why"] == "it answered 200, not 101"
    assert [raw.split(b"\r\n")[0][-8:] for raw in came] == [b"HTTP/1.0", b"HTTP/1.1", b"HTTP/1.0"]
    with serving(tls(certified, SWITCH)) as (endpoint, _came):
        assert spoken(probe(endpoint, speak="https", upgrade=["1.1"]))[-1] == ("websocket", "ok")


def test_no_websocket_without_a_reason_and_no_other_path_where_the_first_is_there():
    with serving(say(OK_ANSWER)) as (endpoint, came):
        assert spoken(probe(endpoint, path="/ws", otherwise=["/x"])) == [("http", "ok")]
    assert len(came) == 1


def test_the_other_paths_where_the_first_is_not_there():
    def server(connection, came):
        came.append(connection.recv(65536).split()[1])
        connection.sendall(OK_ANSWER if came[-1] == b"/b" else b"HTTP/1.1 404 Not Found\r\n\r\n")

    with serving(server) as (endpoint, came):
        found = probe(endpoint, path="/x", otherwise=["/a", "/b"])
    assert [(tried["speak"], tried["code"]) for tried in found["tries"]] == [("http", 404), ("other-path", 404), ("other-path", 200)]
    assert came == [b"/x", b"/a", b"/b"]


def test_further_tries_are_made_once_for_an_endpoint():
    with serving(say(b"")) as (endpoint, came):
        targets = [{"id": str(number), "endpoint": endpoint, "host": "x", "path": "/{0}".format(number)} for number in range(5)]
        value = probes.collect(None, targets, QUICK).value
    assert len({str(spoken(found)) for found in value["probes"]}) == 1
    assert len(came) == 5 + len(value["probes"][0]["tries"]) - 1


def test_an_endpoint_that_is_not_to_be_identified_is_asked_once():
    with serving(say(b"")) as (endpoint, came):
        found = probe(endpoint, identify=False)
    assert spoken(found) == [("http", "closed")]
    assert len(came) == 1


def test_further_tries_are_made_for_each_server_name(certified):
    with serving(tls(certified, OK_ANSWER, require_name=True)) as (endpoint, _came):
        targets = [{"id": name, "endpoint": endpoint, "host": name, "speak": "https"} for name in ("other.example", "shop.example")]
        other, shop = probes.collect(None, targets, QUICK).value["probes"]
    assert ("https-sni", "ok") not in spoken(other)
    assert spoken(shop) == [("https", "tls-alert"), ("https-sni", "ok")]


def test_targets_of_one_endpoint_wait_for_each_other():
    lock, most = threading.Lock(), []

    def single(connection, came):
        most.append(lock.acquire(blocking=False))
        came.append(connection.recv(65536))
        time.sleep(0.1)
        if most[-1]:
            lock.release()
        connection.sendall(OK_ANSWER)

    with serving(single) as (endpoint, _came):
        probes.collect(None, [{"id": str(number), "endpoint": endpoint} for number in range(5)], QUICK)
    assert most == [True] * 5


# All of them


def test_endpoints_are_asked_side_by_side():
    with contextlib.ExitStack() as stack:
        endpoints = [stack.enter_context(serving(silent))[0] for _number in range(12)]
        began = time.monotonic()
        value = probes.collect(None, [{"id": str(number), "endpoint": endpoint, "wait": 0.5} for number, endpoint in enumerate(endpoints)], QUICK).value
        assert time.monotonic() - began < 4
    assert [found["id"] for found in value["probes"]] == [str(number) for number in range(12)]


def test_more_than_the_limit_is_said():
    result = probes.collect(None, [{"id": str(number), "endpoint": "127.0.0.1:1"} for number in range(70)], QUICK)
    assert (len(result.value["probes"]), result.truncated) == (64, True)
    assert result.hidden == ("6 more endpoints were not probed: the limit is 64",)


def test_time_that_is_over_is_said():
    with serving(silent) as (endpoint, _came):
        targets = [{"id": str(number), "endpoint": endpoint, "wait": 0.3} for number in range(20)]
        began = time.monotonic()
        result = probes.collect(None, targets, dict(QUICK, total=1.0))
        assert time.monotonic() - began < 3
    assert 0 < len(result.value["probes"]) < 20
    assert all(found["tries"][0]["seconds"] >= 0.3 for found in result.value["probes"])
    assert result.truncated
    assert "were not probed: the 1 s for all of them were over" in result.hidden[0]


def test_no_targets():
    result = probes.collect(None, [], QUICK)
    assert (result.value["probes"], result.truncated, result.hidden) == ([], False, ())


# Real servers


def program(name, package):
    """Return the path of a program, or fail with what to install."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
    if path is None:
        pytest.fail("{0} is not installed: apt-get install {1}".format(name, package))
    return path


def free_port():
    """Return a port of loopback that is free now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextlib.contextmanager
def running(argv, port, folder):
    """Run a server until the block ends; it listens on port when the block begins."""
    with open(str(folder / "server.log"), "ab") as log:
        process = subprocess.Popen(argv, cwd=str(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + 10
            while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
                assert process.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.05)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)


@contextlib.contextmanager
def php_fpm(folder, more=""):
    """Run PHP-FPM, more being lines of its pool; give (endpoint, script). The script sends a header of n letters, after err letters of stderr."""
    paths = sorted(pathlib.Path("/usr/sbin").glob("php-fpm*"))
    if not paths:
        pytest.fail("php-fpm is not installed: apt-get install php-fpm")
    port = free_port()
    script = folder / "big.php"
    script.write_text(
        "<?php parse_str($_SERVER['QUERY_STRING'], $q); if ($q['err'] ?? 0) error_log(str_repeat('e', (int)$q['err']));"
        " header('X-Big: '.str_repeat('a', (int)($q['n'] ?? 1))); echo 'body';"
    )
    configuration = folder / "fpm.conf"
    configuration.write_text(
        "[global]\nerror_log = {0}/fpm.log\n[www]\nuser = nobody\ngroup = nogroup\nlisten = 127.0.0.1:{1}\npm = static\npm.max_children = 1\n".format(
            folder, port
        )
        + more
    )
    with running([str(paths[-1]), "-n", "-F", "-y", str(configuration)], port, folder):
        yield "127.0.0.1:{0}".format(port), str(script)


@contextlib.contextmanager
def nginx(folder, location):
    """Run nginx with its default buffers; give a function that tells the status of a path."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        "daemon off; pid {0}/nginx.pid; error_log {0}/error.log; events {{}}\n"
        "http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n"
        "fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n"
        "server {{ listen 127.0.0.1:{1}; location / {{ {2} }} }} }}\n".format(folder, port, location)
    )

    def status(path):
        try:
            return urllib.request.urlopen("http://127.0.0.1:{0}{1}".format(port, path), timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    with running([program("nginx", "nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder):
        yield status


@needs_root
def test_php_fpm(folder):
    with php_fpm(folder) as (endpoint, script):
        (ping,) = probe(endpoint, speak="fastcgi")["tries"]
        (real,) = probe(endpoint, speak="fastcgi", params={"SCRIPT_FILENAME": script}, path="/?n=10")["tries"]
        gone = first(endpoint, speak="fastcgi", params={"SCRIPT_FILENAME": "/nonexistent.php"})
        mixed = probe(endpoint)
    assert (ping["speak"], ping["status"], ping["header_bytes"]) == ("fastcgi-ping", "ok", None)
    assert (real["speak"], real["status"], real["code"]) == ("fastcgi", "ok", 200)
    assert (gone["status"], gone["code"], gone["why"]) == ("ok", 404, "Primary script unknown")
    assert mixed["tries"][0]["status"] in ("reset", "closed")
    assert spoken(mixed)[-1] == ("fastcgi-ping", "ok")


@needs_root
def test_the_status_page_of_a_pool(folder):
    with php_fpm(folder, "pm.status_path = /status\n") as (endpoint, _script):
        found = probe(endpoint, speak="fastcgi-status", path="/status", identify=False)
        other = first(endpoint, speak="fastcgi-status", path="/other", identify=False)
    assert spoken(found) == [("fastcgi-status", "ok")]
    page = found["tries"][0]["pool"]
    assert {name: page[name] for name in ("pool", "process_manager", "active_processes", "idle_processes", "total_processes", "max_children_reached")} == {
        "pool": "www", "process_manager": "static", "active_processes": 1, "idle_processes": 0, "total_processes": 1, "max_children_reached": 0,
    }
    assert abs(page["start_time"] - time.time()) < 60
    assert set(page) <= {"pool", "process_manager"} | {name.replace(" ", "_") for name in wire._STATUS_NUMBERS}
    assert (other["status"], other["code"], other["pool"]) == ("invalid", 404, None)


@needs_root
def test_the_status_page_at_a_socket_of_its_own_while_every_child_is_busy(folder):
    status = "127.0.0.1:{0}".format(free_port())
    busy = folder / "busy.php"
    busy.write_text("<?php sleep(3);")
    with php_fpm(folder, "pm.status_path = /status\npm.status_listen = {0}\n".format(status)) as (endpoint, _script):
        connections = [socket.create_connection(endpoint.split(":")) for _number in range(2)]
        try:
            for connection in connections:
                connection.sendall(wire.fastcgi_request(wire.cgi_params("GET", "/", "x", {"SCRIPT_FILENAME": str(busy)})))
            # The master looks after its queues once a second.
            time.sleep(1.5)
            page = first(status, speak="fastcgi-status", path="/status", identify=False)["pool"]
        finally:
            for connection in connections:
                connection.close()
    assert (page["active_processes"], page["total_processes"], page["listen_queue"]) == (1, 1, 1)


def test_no_status_page_is_asked_of_a_pool_that_takes_no_connection():
    """The connection of the route is made, and no process accepts it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        endpoint = "127.0.0.1:{0}".format(server.getsockname()[1])
        targets = [
            {"id": "a", "endpoint": endpoint, "speak": "fastcgi", "wait": 0.3, "identify": False, "params": {"SCRIPT_FILENAME": "/x.php"}},
            {"id": "b", "endpoint": endpoint, "speak": "fastcgi-status", "path": "/status", "wait": 1.0, "identify": False},
        ]
        route, page = probes.collect(None, targets, QUICK).value["probes"]
    assert route["tries"][0]["status"] == "timeout" and route["queue"]["accepted"] is False
    assert page["tries"] == [] and page["connect"]["why"].startswith("not asked: ")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (
            b'{"pool":"\\u001b[2J","process manager":"static","active processes":1,"total processes":2,'
            b'"listen queue":true,"slow requests":-1,"accepted conn":1.5}',
            "ok",
            {"pool": "\\x1b[2J", "process_manager": "static", "active_processes": 1, "total_processes": 2},
        ),
        (b'{"pool":"www","process manager":"static"}', "invalid", None),
        (b"[" * 5000, "invalid", None),
        (b"[1]", "invalid", None),
        (b"<html>", "invalid", None),
        (b"x" * 60000, "invalid", None),
        (b'{"pool":1,"process manager":"static","active processes":1,"total processes":2}', "invalid", None),
    ],
)
def test_hostile_status_pages(body, status, expected):
    content = b"Content-Type: application/json\r\n\r\n" + body
    raw = wire._record(6, content) + wire._record(3, b"\0" * 8)
    with serving(say(raw)) as (endpoint, _came):
        tried = first(endpoint, speak="fastcgi-status", path="/status", identify=False)
    assert (tried["status"], tried["pool"]) == (status, expected)


def test_a_status_page_without_end_is_cut():
    def endless(connection, came):
        came.append(connection.recv(65536))
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(wire._record(6, b"a" * 1000))

    with serving(endless) as (endpoint, _came):
        tried = first(endpoint, speak="fastcgi-status", path="/status", identify=False)
    assert (tried["status"], tried["pool"]) == ("invalid", None)


@needs_root
@pytest.mark.parametrize("more", ["", "&err=500"])
def test_fastcgi_header_bytes_are_what_nginx_counts(folder, more):
    with php_fpm(folder) as (endpoint, script):

        def path(letters):
            return "/?n={0}{1}".format(letters, more)

        def size(letters):
            return first(endpoint, speak="fastcgi", params={"SCRIPT_FILENAME": script}, path=path(letters))["header_bytes"]

        letters = 3000 + 4096 - size(3000)
        assert (size(letters), size(letters + 1)) == (4096, 4097)
        pass_to = "fastcgi_param SCRIPT_FILENAME {0}; fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD GET; fastcgi_pass {1};"
        with nginx(folder, pass_to.format(script, endpoint)) as status:
            assert (status(path(letters)), status(path(letters + 1))) == (200, 502)


@pytest.mark.parametrize(
    ("speak", "begin", "location"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX: ", "proxy_pass http://{0};"),
        ("uwsgi", b"HTTP/1.1 200 OK\r\nX: ", "uwsgi_param QUERY_STRING $query_string; uwsgi_pass {0};"),
        ("scgi", b"Status: 200 OK\r\nX: ", "scgi_param QUERY_STRING $query_string; scgi_pass {0};"),
    ],
)
def test_header_bytes_are_what_nginx_counts(folder, speak, begin, location):
    def sized(connection, came):
        raw = connection.recv(65536)
        came.append(raw)
        size = 4097 if b"one=more" in raw else 4096
        connection.sendall(begin + b"a" * (size - len(begin) - 4) + b"\r\n\r\nbody")

    with serving(sized) as (endpoint, _came):
        with nginx(folder, location.format(endpoint)) as status:
            assert (status("/"), status("/?one=more")) == (200, 502)
            assert (first(endpoint, speak=speak)["header_bytes"], first(endpoint, speak=speak, path="/?one=more")["header_bytes"]) == (4096, 4097)


APPLICATION = "def application(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n    return [environ['PATH_INFO'].encode()]\n"


@needs_root
def test_uwsgi(folder):
    port = free_port()
    (folder / "app.py").write_text(APPLICATION)
    endpoint = "127.0.0.1:{0}".format(port)
    argv = [program("uwsgi", "uwsgi-core uwsgi-plugin-python3"), "--plugin", "python3", "--socket", endpoint, "--wsgi-file", "app.py", "--die-on-term"]
    with running(argv + ["--uid", "65534", "--gid", "65534"], port, folder):
        (real,) = probe(endpoint, speak="uwsgi", path="/x")["tries"]
        mixed = probe(endpoint)
    assert (real["speak"], real["status"], real["code"]) == ("uwsgi", "ok", 200)
    assert spoken(mixed)[0] == ("http", "closed")
    assert spoken(mixed)[-1] in (("uwsgi", "ok"), ("uwsgi-ping", "ok"))


@needs_root
def test_fastcgi_of_uwsgi(folder):
    """It does not take the question for its limits."""
    port = free_port()
    (folder / "app.py").write_text(APPLICATION)
    endpoint = "127.0.0.1:{0}".format(port)
    argv = [program("uwsgi", "uwsgi-core uwsgi-plugin-python3"), "--plugin", "python3", "--fastcgi-socket", endpoint, "--wsgi-file", "app.py", "--die-on-term"]
    with running(argv + ["--uid", "65534", "--gid", "65534"], port, folder):
        found = probe(endpoint, speak="fastcgi", wait=0.5)
    assert spoken(found) == [("fastcgi", "ok"), ("fastcgi-ping", "timeout")]


def test_gunicorn(folder, certified):
    (folder / "app.py").write_text(APPLICATION)
    for options, speaks in (([], [("http", "ok")]), (["--certfile", certified[0], "--keyfile", certified[1]], [("http", None), ("https", "ok")])):
        port = free_port()
        with running([program("gunicorn", "gunicorn"), "-b", "127.0.0.1:{0}".format(port)] + options + ["app:application"], port, folder):
            found = spoken(probe("127.0.0.1:{0}".format(port)))
        assert [speak for speak, _status in found] == [speak for speak, _status in speaks]
        assert found[-1] == speaks[-1]


def test_memcached(folder):
    port = free_port()
    with running([program("memcached", "memcached"), "-u", "nobody", "-l", "127.0.0.1", "-p", str(port)], port, folder):
        endpoint = "127.0.0.1:{0}".format(port)
        assert spoken(probe(endpoint, speak="memcached")) == [("memcached", "ok")]
        assert ("http", "ok") not in spoken(probe(endpoint))


@contextlib.contextmanager
def queueing(family, path):
    """Listen with a backlog of 1 and accept nothing; give the endpoint."""
    with socket.socket(family) as server:
        server.bind(path if family == socket.AF_UNIX else ("127.0.0.1", 0))
        server.listen(1)
        yield "unix:" + path if family == socket.AF_UNIX else "127.0.0.1:{0}".format(server.getsockname()[1])


def queue_of(endpoint, wait=0.3):
    target = {"id": "a", "endpoint": endpoint, "wait": wait, "identify": False}
    return probes.collect(None, [target], dict(QUICK, connect=0.3)).value["probes"][0]


@pytest.mark.parametrize(("family", "refusal"), [(socket.AF_UNIX, "full"), (socket.AF_INET, "timeout")])
def test_a_connection_that_no_process_takes_is_told_with_the_queue(family, refusal, tmp_path):
    with queueing(family, str(tmp_path / "x.sock")) as endpoint:
        first, second, third = (queue_of(endpoint) for _number in range(3))
    assert (first["connect"]["status"], first["tries"][0]["status"], first["queue"]) == ("ok", "timeout", {"accepted": False, "length": 1, "backlog": 1})
    assert second["queue"] == {"accepted": False, "length": 2, "backlog": 1}
    assert (third["connect"]["status"], third["queue"]) == (refusal, {"accepted": False, "length": 2, "backlog": 1})


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_connection_that_was_taken_and_not_answered(family, tmp_path):
    with serving(lambda connection, came: time.sleep(1), family, str(tmp_path / "x.sock")) as (endpoint, _came):
        found = queue_of(endpoint)
    assert (found["tries"][0]["status"], found["queue"]) == ("timeout", {"accepted": True, "length": 0, "backlog": 16})


def test_a_request_of_ours_that_was_left_unanswered_is_told_to_the_next():
    with serving(lambda connection, came: time.sleep(1)) as (endpoint, _came):
        targets = [{"id": str(number), "endpoint": endpoint, "wait": 0.3, "identify": False, "path": "/" + str(number)} for number in range(2)]
        assert [probe["behind"] for probe in probes.collect(None, targets, QUICK).value["probes"]] == [False, True]


def test_a_connection_that_nobody_took_keeps_nobody_busy(tmp_path):
    with queueing(socket.AF_UNIX, str(tmp_path / "x.sock")) as endpoint:
        targets = [{"id": str(number), "endpoint": endpoint, "wait": 0.3, "identify": False, "path": "/" + str(number)} for number in range(2)]
        assert [probe["behind"] for probe in probes.collect(None, targets, QUICK).value["probes"]] == [False, False]


def test_an_answer_asks_for_no_queue():
    with serving(lambda connection, came: connection.sendall(OK_ANSWER)) as (endpoint, _came):
        assert queue_of(endpoint)["queue"] is None


@pytest.mark.parametrize(("keep", "version", "asked"), [(True, "1.1", True), (True, "1.0", False), (False, "1.1", False)])
def test_a_connection_is_asked_to_stay_open_where_nginx_keeps_it(keep, version, asked):
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"
    received = []

    def reply(connection, came):
        received.append(connection.recv(4096))
        connection.sendall(answer)

    with serving(reply) as (endpoint, _came):
        target = {"id": "a", "endpoint": endpoint, "keep": keep, "version": version, "identify": False}
        (found,) = probes.collect(None, [target], QUICK).value["probes"]
    assert (b"Connection: close" in received[0]) is not asked
    assert found["tries"][0]["keep_alive"] == ({"kept": True, "seconds": 5.0} if asked else None)
