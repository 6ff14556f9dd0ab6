# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DNS client: what it asks, which answers it takes, and a bound on the waiting."""

import socket
import struct
import threading
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _dns as dns


def name(text):
    return b"".join(struct.pack("B", len(label)) + label for label in text.encode().split(b".")) + b"\0"


def response(question, records=(), code=0, flags=0x8180, ident=None):
    """Return an answer to the bytes of a question; records are (type, ttl, data)."""
    got = struct.unpack_from(">H", question)[0] if ident is None else ident
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data for kind, ttl, data in records)
    return struct.pack(">HHHHHH", got, flags | code, 1, len(records), 0, 0) + question[12:] + body


def kind_of(question):
    return struct.unpack(">H", question[-4:-2])[0]


def sockets():
    """Return a UDP and a TCP socket on one port."""
    while True:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            continue
        return udp, tcp


class Server:
    """A name server on loopback; answer(question, tcp) gives the datagrams that it sends back."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.udp, self.tcp = sockets()
        self.tcp.listen(8)
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @property
    def place(self):
        return self.udp.getsockname()[:2]

    def serve_udp(self):
        while True:
            try:
                raw, sender = self.udp.recvfrom(4096)
            except OSError:
                return
            self.asked.append(raw)
            for out in self.answer(raw, False):
                self.udp.sendto(out, sender)

    def serve_tcp(self):
        while True:
            try:
                channel = self.tcp.accept()[0]
            except OSError:
                return
            with channel:
                size = struct.unpack(">H", channel.recv(2))[0]
                for out in self.answer(channel.recv(size), True):
                    channel.sendall(struct.pack(">H", len(out)) + out)

    def close(self):
        self.udp.close()
        self.tcp.close()


@pytest.fixture(name="serve")
def _serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(server, wanted="app.internal", seconds=2.0):
    return dns.ask([server.place], [wanted], seconds)[server.place][wanted]


FOUR, SIX = (1, 60, b"\x0a\0\0\x05"), (28, 30, socket.inet_pton(socket.AF_INET6, "fd00::5"))


def test_both_kinds_are_asked_for(serve):
    server = serve(lambda raw, tcp: [response(raw, [FOUR if kind_of(raw) == 1 else SIX])])
    assert ask(server) == {
        "a": {"status": "ok", "addresses": ["10.0.0.5"], "ttl": 60, "why": ""},
        "aaaa": {"status": "ok", "addresses": ["fd00::5"], "ttl": 30, "why": ""},
    }
    assert all(raw[2:4] == b"\x01\x00" and raw[12:-4] == name("app.internal") for raw in server.asked)
    assert len({raw[:2] for raw in server.asked}) > 1 or len(server.asked) == 2


@pytest.mark.parametrize(("code", "status"), [(2, "servfail"), (3, "nxdomain"), (4, "notimp"), (5, "refused")])
def test_codes_that_nginx_hands_on(serve, code, status):
    server = serve(lambda raw, tcp: [response(raw, code=code)])
    assert {said["status"] for said in ask(server).values()} == {status}


@pytest.mark.parametrize("code", [1, 9])
def test_codes_that_nginx_drops_end_in_a_timeout(serve, code):
    server = serve(lambda raw, tcp: [response(raw, code=code)])
    said = ask(server, seconds=0.3)["a"]
    assert said["status"] == "timeout" and said["why"]


def test_a_name_without_an_address_of_one_kind(serve):
    server = serve(lambda raw, tcp: [response(raw, [FOUR] if kind_of(raw) == 1 else [])])
    said = ask(server)
    assert (said["a"]["status"], said["aaaa"]["status"]) == ("ok", "empty")


def test_an_alias_with_its_address(serve):
    server = serve(lambda raw, tcp: [response(raw, [(5, 9, name("b.internal")), FOUR])])
    assert ask(server)["a"] == {"status": "ok", "addresses": ["10.0.0.5"], "ttl": 9, "why": ""}


def test_an_alias_alone_is_followed(serve):
    def answer(raw, _tcp):
        return [response(raw, [(5, 7, name("b.internal"))] if raw[12:].startswith(name("app.internal")) else [FOUR])]

    assert ask(serve(answer))["a"] == {"status": "ok", "addresses": ["10.0.0.5"], "ttl": 7, "why": ""}


def test_an_alias_of_one_kind_does_not_spoil_the_addresses_of_the_other(serve):
    def answer(raw, _tcp):
        if raw[12:].startswith(name("b.internal")):
            return [response(raw, code=5)]
        return [response(raw, [(5, 7, name("b.internal"))] + ([FOUR] if kind_of(raw) == 1 else []))]

    said = ask(serve(answer))
    assert (said["a"]["status"], said["aaaa"]["status"]) == ("ok", "empty")


def test_an_alias_of_itself_ends(serve):
    server = serve(lambda raw, tcp: [response(raw, [(5, 7, name("app.internal"))])])
    assert ask(server)["a"]["status"] == "empty"
    assert len(server.asked) <= 2 * (dns.MAX_ALIASES + 1)


def test_what_is_no_answer_to_the_question_is_passed_over(serve):
    def answer(raw, _tcp):
        wrong = response(raw, [(1, 60, b"\x06\x06\x06\x06")], ident=struct.unpack_from(">H", raw)[0] ^ 1)
        other = response(raw[:12] + name("other.internal") + raw[-4:], [(1, 60, b"\x06\x06\x06\x06")])
        query = response(raw, [(1, 60, b"\x06\x06\x06\x06")], flags=0x0100)
        return [wrong, other, query, b"", b"\0" * 11, b"\xff" * 600, raw[:2] + b"\x81\x80\0\x01\0\xff\0\0\0\0" + raw[12:], response(raw, [FOUR])]

    assert ask(serve(answer))["a"]["addresses"] == ["10.0.0.5"]


def test_a_name_that_points_at_itself_is_no_answer():
    question = dns.query(1, "a", dns.A)
    looped = struct.pack(">HHHHHH", 1, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c" + question[-4:]
    with pytest.raises(dns.Bad):
        dns.parse(looped, 1, "a", dns.A)


def test_an_answer_that_was_cut_off_is_asked_for_over_tcp(serve):
    server = serve(lambda raw, tcp: [response(raw, [FOUR])] if tcp else [response(raw, flags=0x8380)])
    assert ask(server)["a"]["addresses"] == ["10.0.0.5"]


def test_an_answer_that_is_cut_off_over_tcp_too(serve):
    server = serve(lambda raw, tcp: [response(raw, flags=0x8380)])
    assert ask(server)["a"]["status"] == "error"


def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.05):
                theirs.sendall(b"\0")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        started = time.monotonic()
        with pytest.raises(socket.timeout):
            dns._exactly(ours, 65535, started + 0.3)
        assert time.monotonic() - started < 2
        stop.set()
        thread.join()


def test_a_lost_question_is_sent_again(serve, monkeypatch):
    monkeypatch.setattr(dns, "RESEND", 0.1)
    seen = []

    def answer(raw, _tcp):
        seen.append(raw)
        return [response(raw, [FOUR])] if len(seen) > 2 else []

    assert ask(serve(answer))["a"]["status"] == "ok"


def test_silence_is_not_waited_for(serve):
    server = serve(lambda raw, tcp: [])
    started = time.monotonic()
    assert {said["status"] for said in ask(server, seconds=0.3).values()} == {"timeout"}
    assert time.monotonic() - started < 1


def test_a_port_where_nobody_is_answers_at_once():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        place = held.getsockname()
    started = time.monotonic()
    said = dns.ask([place], ["a", "b"], 5.0)[place]
    assert {one["status"] for kinds in said.values() for one in kinds.values()} == {"unreachable"}
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("word", ["", ".", "a..b", "x" * 64 + ".internal", "a." * 130])
def test_what_is_no_name_is_not_sent(serve, word):
    server = serve(lambda raw, tcp: [response(raw, [FOUR])])
    assert ask(server, word)["a"]["status"] == "error"
    assert server.asked == []


def test_one_server_that_is_silent_does_not_hold_up_another(serve):
    good, silent = serve(lambda raw, tcp: [response(raw, [FOUR])]), serve(lambda raw, tcp: [])
    said = dns.ask([silent.place, good.place], ["app.internal"], 0.5)
    assert said[good.place]["app.internal"]["a"]["status"] == "ok"
    assert said[silent.place]["app.internal"]["a"]["status"] == "timeout"
