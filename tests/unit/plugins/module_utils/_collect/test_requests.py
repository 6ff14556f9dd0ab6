# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as a client makes them, against servers on loopback that answer as nginx does, or do not."""

import os
import socket
import ssl
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import requests
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils._collect.test_probes import (  # noqa: F401  pylint: disable=unused-import
    certified,
    folder,
    reset,
    say,
    serving,
    silent,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
BAD = b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>"


def ask(endpoint, **request):
    """Return the answer to one request."""
    result = requests.collect(None, [dict({"id": "r1", "endpoint": endpoint, "server_name": "shop.example", "timeout": 2.0}, **request)])
    assert (result.hidden, result.truncated) == ((), False)
    (answer,) = result.value
    assert answer["id"] == "r1"
    return answer


def closing(connection, came):
    """Close what was accepted, as nginx closes a session of stream{} that gets no backend."""
    came.append(b"")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (OK, "ok", 200),
        (BAD, "ok", 502),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 504 Gateway Time-out\r\n\r\n", "ok", 504),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "ok", 101),
        (b"HTTP/1.0 200 \r\n\r\n", "ok", 200),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "invalid", 0),
        (b"HTTP/1.1 103 Early Hints\r\nLink", "closed", 0),
        (b"", "closed", 0),
    ],
)
def test_the_status_is_that_of_the_last_answer(raw, status, code):
    with serving(say(raw)) as (endpoint, _came):
        answer = ask(endpoint)
    assert (answer["status"], answer["code"]) == (status, code)
    assert bool(answer["why"]) == (status != "ok")


def test_a_request_looks_like_that_of_a_client():
    with serving(say(OK)) as (endpoint, came):
        ask(endpoint, method="HEAD", path="/a b\r\nX: y?q=1")
        ask(endpoint, server_name="")
    first, second = [raw.split(b"\r\n") for raw in came]
    port = endpoint.rpartition(":")[2].encode()
    assert first[:2] == [b"HEAD /a%20b%0D%0AX:%20y?q=1 HTTP/1.1", b"Host: shop.example:" + port]
    assert second[:2] == [b"GET / HTTP/1.1", b"Host: localhost:" + port]


def test_a_client_of_websocket_asks_for_it():
    with serving(say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")) as (endpoint, came):
        answer = ask(endpoint, path="/ws/", upgrade=True)
    assert (answer["status"], answer["code"]) == ("ok", 101)
    said = came[0].lower().split(b"\r\n")
    assert said[0] == b"get /ws/ http/1.1" and b"upgrade: websocket" in said and b"connection: upgrade" in said


def test_the_usual_port_is_not_in_host():
    request = {"endpoint": "127.0.0.1:443", "tls": True, "server_name": "shop.example"}
    assert requests._host_header(request) == "shop.example"
    assert requests._host_header(dict(request, tls=False)) == "shop.example:443"
    assert requests._host_header(dict(request, endpoint="unix:/run/nginx.sock")) == "shop.example"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_proxy_protocol_names_the_client(kind, tmp_path):
    family, path = (socket.AF_UNIX, str(tmp_path / "n.sock")) if kind == "unix" else (socket.AF_INET, None)
    with serving(say(OK), family, path) as (endpoint, came):
        assert ask(endpoint, proxy_protocol=True)["code"] == 200
    line = came[0].split(b"\r\n")[0]
    if kind == "unix":
        assert line == b"PROXY UNKNOWN"
    else:
        words = line.split()
        assert words[:4] == [b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"]
        assert words[5] == endpoint.rpartition(":")[2].encode()


def test_no_answer_has_a_reason():
    assert ask("127.0.0.1:1")["status"] == "refused"
    assert ask("unix:/nonexistent.sock")["status"] == "absent"
    assert ask("shop.example:80")["status"] == "error"
    with serving(reset) as (endpoint, _came):
        answer = ask(endpoint)
        assert answer["status"] == "reset"
        assert answer["why"].startswith("nginx reset the connection")
    with serving(silent) as (endpoint, _came):
        answer = ask(endpoint, timeout=0.2)
    assert (answer["status"], answer["code"]) == ("timeout", 0)
    assert 0.2 <= answer["seconds"] < 1.5


def test_a_socket_that_speaks_no_tls_is_told():
    with serving(say(BAD)) as (endpoint, _came):
        assert ask(endpoint, tls=True)["status"] == "not-tls"


@pytest.mark.parametrize("bad", [{"server_name": "a\r\nX: y"}, {"server_name": "a b"}, {"method": "POST"}])
def test_what_would_be_another_request_is_refused(bad):
    with serving(say(OK)) as (endpoint, came):
        assert ask(endpoint, **bad)["status"] == "error"
    assert came == []


def test_a_session_of_a_stream_is_held_or_closed():
    with serving(closing) as (endpoint, _came):
        closed = ask(endpoint, kind="stream")
    with serving(silent) as (endpoint, _came):
        began = time.monotonic()
        held = ask(endpoint, kind="stream")
        assert time.monotonic() - began < 3
    with serving(lambda connection, came: connection.sendall(b"220 mail\r\n")) as (endpoint, _came):
        greeted = ask(endpoint, kind="stream")
    assert (closed["status"], held["status"], greeted["status"]) == ("closed", "ok", "ok")


def test_a_queue_is_asked_in_turn_and_others_side_by_side():
    def slow(connection, came):
        connection.recv(65536)
        came.append(time.monotonic())
        time.sleep(0.3)
        connection.sendall(OK)

    with serving(slow) as (endpoint, came):
        one = [{"id": str(number), "endpoint": endpoint, "queue": "x"} for number in range(3)]
        assert [answer["id"] for answer in requests.collect(None, one).value] == ["0", "1", "2"]
        assert max(came) - min(came) >= 0.6
        del came[:]
        requests.collect(None, [dict(request, queue="") for request in one])
        assert max(came) - min(came) < 0.3


@pytest.mark.parametrize(("kind", "status", "code"), [("http", "ok", 204), ("stream", "ok", 0)])
def test_tls_is_spoken_with_the_name_and_not_verified(certified, kind, status, code):
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certified)
    context.set_servername_callback(lambda _socket, name, _context: names.append(name))

    def encrypted(connection, came):
        with context.wrap_socket(connection, server_side=True) as channel:
            channel.settimeout(3)
            came.append(channel.recv(65536))
            channel.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with serving(encrypted) as (endpoint, came):
        answer = ask(endpoint, tls=True, kind=kind, server_name="other.example")
        ask(endpoint, tls=True, server_name="10.0.0.5")
    assert (answer["status"], answer["code"]) == (status, code)
    assert names == ["other.example", None]
    assert any(raw.startswith(b"GET / HTTP/1.1\r\nHost: 10.0.0.5:") for raw in came)


def test_what_is_not_asked_is_told():
    with serving(say(OK)) as (endpoint, _came):
        result = requests.collect(None, [{"id": "a", "endpoint": endpoint, "timeout": 5.0}], total=1.0)
    assert (result.value, result.truncated) == ([], True)
    assert result.hidden == ("1 requests were not made: the 1 s for all of them were over",)
    many = requests.collect(None, [{"id": str(number), "endpoint": "127.0.0.1:1"} for number in range(130)])
    assert len(many.value) == 128
    assert many.hidden == ("2 more requests were not made: the limit is 128",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters other namespaces")
def test_a_process_that_is_no_nginx_is_not_entered(monkeypatch):
    class Fake:
        def __init__(self, pid, title):
            self.pid, self.argv = pid, [title]

        def title(self):
            return self.argv[0]

        def program(self):
            return "bash"

    class Found(dict):
        def __iter__(self):
            return iter(self.values())

    found = Found({5: Fake(5, "nginx: master process /usr/sbin/nginx"), 6: Fake(6, "nginx: worker process"), 7: Fake(7, "bash")})
    monkeypatch.setattr(requests._processes, "scan", lambda host: found)
    assert [requests._alive(pid) for pid in (5, 6, 7, 99, None)] == [5, 6, 5, 5, None]
    found[8] = Fake(8, "nginx: master process nginx -c /srv/other.conf")
    with pytest.raises(evidence.Unanswered):
        requests._alive(99)
    found.clear()
    assert requests._alive(99) is None
