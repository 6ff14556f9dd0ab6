# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gateway-protocol-mismatch and http2-protocol-mismatch, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _targets
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import spoken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
UNIX = "unix:/run/shop.sock"
GATEWAY, HTTP2 = "gateway-protocol-mismatch", "http2-protocol-mismatch"
SETTINGS = "\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x00\\x00"


def tried(speak, status="ok", code=None, start=""):
    return {"speak": speak, "status": status, "code": code if code or status != "ok" else 200, "header_bytes": 180 if status == "ok" else None, "start": start}


def world(directive, *tries, endpoint=TCP) -> World:
    scheme = {"http": "proxy_pass http://", "https": "proxy_pass https://"}.get(directive, directive + " ")
    target = endpoint + ":" if scheme.startswith("proxy") and endpoint.startswith("unix:") else endpoint
    return World().passes(scheme + target).service("shop.service", endpoint).reply(endpoint, *tries)


def one(rule, certainty="proven", endpoint=TCP):
    return [(rule, "cause", certainty, endpoint, SHOP)]


# What real servers answer to what is not theirs: php-fpm 8.2, uWSGI 2.0.21, gunicorn 20.1, node 18, memcached 1.6, OpenSSH 9.2.
REAL = [
    ("http", (tried("http", "reset"), tried("https", "reset"), tried("fastcgi-ping")), "FastCGI"),
    ("https", (tried("https", "reset"), tried("http", "reset"), tried("fastcgi-ping")), "FastCGI"),
    ("grpc_pass", (tried("http2", "reset"), tried("http", "reset"), tried("http2-tls", "reset"), tried("fastcgi-ping")), "FastCGI"),
    ("http", (tried("http", "closed"), tried("https", "closed"), tried("scgi", "closed"), tried("uwsgi")), "uwsgi"),
    ("http", (tried("http", "closed"), tried("https", "timeout"), tried("fastcgi-ping", "timeout"), tried("scgi")), "SCGI"),
    ("http", (tried("http", "closed"), tried("https", "not-tls", start="ERROR\\x0d"), tried("memcached")), "memcached"),
    ("http", (tried("http", "invalid", start="SSH-2.0-OpenSSH_9.2p1"), tried("https", "not-tls", start="SSH-2.0-OpenSSH_9.2p1")), "SSH"),
    ("http", (tried("http", "invalid", start="-ERR wrong number of arguments for 'get' command"),), "the protocol of Redis"),
    ("http", (tried("http", "invalid", start="J\\x00\\x00\\x00\\x0a8.0.36\\x00"),), "the protocol of MySQL"),
    ("fastcgi_pass", (tried("fastcgi-ping", "invalid", start="HTTP/1.1 400 Bad Req"), tried("http")), "HTTP/1"),
    ("fastcgi_pass", (tried("fastcgi-ping", "timeout"), tried("http", code=404)), "HTTP/1"),
    ("fastcgi_pass", (tried("fastcgi-ping", "closed"), tried("http", "closed"), tried("https")), "HTTP/1 over TLS"),
    ("fastcgi_pass", (tried("fastcgi-ping", "closed"), tried("http", "closed"), tried("https", "closed"), tried("uwsgi")), "uwsgi"),
    ("fastcgi_pass", (tried("fastcgi-ping", "invalid", start="HTTP/1.0 408 Request Time-out"), tried("http", "timeout")), "HTTP/1"),
    ("uwsgi_pass", (tried("uwsgi", code=400), tried("http")), "HTTP/1"),
    ("uwsgi_pass", (tried("uwsgi", "timeout"), tried("http")), "HTTP/1"),
    ("uwsgi_pass", (tried("uwsgi", "reset"), tried("http", "reset"), tried("fastcgi-ping")), "FastCGI"),
    ("uwsgi_pass", (tried("uwsgi", "invalid", start=SETTINGS), tried("http2")), "HTTP/2"),
    ("scgi_pass", (tried("scgi", "closed"), tried("http", "closed"), tried("uwsgi")), "uwsgi"),
    ("scgi_pass", (tried("scgi", code=400), tried("http", code=302)), "HTTP/1"),
    ("memcached_pass", (tried("memcached", "reset"), tried("http", "reset"), tried("fastcgi-ping")), "FastCGI"),
]


@pytest.mark.parametrize(("directive", "tries", "speaks"), REAL)
def test_a_backend_of_another_protocol(directive, tries, speaks):
    result = world(directive, *tries).judge()
    assert verdict(result) == one(GATEWAY)
    assert result.findings[0].says.endswith(f", which speaks {speaks}.")
    assert unknowns(result) == []


@pytest.mark.parametrize(("directive", "tries", "speaks"), [REAL[0], REAL[3], REAL[9], REAL[14]])
def test_a_unix_socket_of_another_protocol(directive, tries, speaks):
    assert verdict(world(directive, *tries, endpoint=UNIX).judge()) == one(GATEWAY, endpoint=UNIX)


@pytest.mark.parametrize(
    ("directive", "tries"),
    [
        # An application that fails, or answers 400, in the right protocol.
        ("uwsgi_pass", (tried("uwsgi", code=400), tried("http", "closed"))),
        ("uwsgi_pass", (tried("uwsgi", "timeout"), tried("http", "closed"))),
        ("http", (tried("http", code=400), tried("https", "not-tls"))),
        ("fastcgi_pass", (tried("fastcgi", "closed"), tried("http", "reset"), tried("fastcgi-ping"))),
        ("fastcgi_pass", (tried("fastcgi", "timeout"), tried("http", "reset"), tried("fastcgi-ping", "timeout"))),
        # An HTTP server that closes on this request; to the others it says in HTTP that they are bad.
        ("http", (tried("http", "closed"), tried("fastcgi-ping", "invalid", start="HTTP/1.1 400 Bad Req"), tried("scgi", code=400), tried("uwsgi", code=400))),
        ("http", (tried("http", "closed"), tried("scgi", code=501), tried("uwsgi", code=505))),
        # uWSGI begins its answers as HTTP does; a header of it that nginx refuses, or that never ends.
        ("uwsgi_pass", (tried("uwsgi", "invalid", code=200, start="HTTP/1.1 200 OK\\x0d"), tried("http", "closed"))),
        ("uwsgi_pass", (tried("uwsgi", "timeout", start="HTTP/1.1 200 OK\\x0d"), tried("http", "closed"))),
        # Nothing is known of what it speaks.
        ("http", (tried("http", "timeout"), tried("https", "timeout"), tried("fastcgi-ping", "timeout"))),
        ("http", (tried("http", "invalid", start="hello"),)),
    ],
)
def test_a_backend_that_fails_in_its_own_protocol_is_not_explained_so(directive, tries):
    found = [item for item in verdict(world(directive, *tries).judge()) if item[0] in (GATEWAY, HTTP2)]
    assert found == []


def test_the_log_of_uwsgi_is_shown_with_its_number_as_letters():
    host = world("http", tried("http", "closed"), tried("uwsgi"))
    host.units[0]["journal"] = ["invalid request block size: 21573 (max 4096)...skip"]
    shown = " ".join(item.shows for item in host.judge().findings[0].evidence)
    assert '21573 are the letters "ET" of "GET"' in shown


@pytest.mark.parametrize(
    ("directive", "what", "detail", "sample", "says"),
    [
        ("fastcgi_pass", "fastcgi-protocol", {"version": 72}, "", "HTTP/1"),
        ("fastcgi_pass", "fastcgi-protocol", {"version": 21}, "", "HTTP/1 over TLS"),
        ("memcached_pass", "memcached-protocol", {}, 'memcached sent invalid response: "HTTP/1.1 400 Bad Request"', "HTTP/1"),
    ],
)
def test_records_alone_make_it_likely(directive, what, detail, sample, says):
    first = "memcached" if directive.startswith("mem") else "fastcgi-ping"
    result = world(directive, tried(first, "timeout")).logged(TCP, what, detail=detail, sample=sample).judge()
    assert verdict(result) == one(GATEWAY, "likely")
    assert result.findings[0].says.endswith(f", which speaks {says}.")


def test_records_of_a_backend_that_answers_now_make_nothing():
    result = world("fastcgi_pass", tried("fastcgi-ping")).logged(TCP, "fastcgi-protocol", detail={"version": 72}).judge()
    assert verdict(result) == []


def test_another_peer_that_answers_makes_it_a_risk():
    group = ("upstream php { server 127.0.0.1:3000; server 127.0.0.1:9000; }",)
    host = World().passes("fastcgi_pass php", outside=group).pool("127.0.0.1:9000").service("shop.service", TCP)
    host.reply(TCP, tried("fastcgi-ping", "closed"), tried("http"))
    assert [(item[0], item[1]) for item in verdict(host.judge())] == [(GATEWAY, "risk")]


@pytest.mark.parametrize(
    ("directive", "tries", "speaks", "certainty"),
    [
        ("grpc_pass", (tried("http2", "invalid", start="HTTP/1.1 400 Bad Req"), tried("http")), "HTTP/1", "proven"),
        ("grpc_pass", (tried("http2", "closed"), tried("http", code=404)), "HTTP/1", "proven"),
        ("grpc_pass", (tried("http2", "closed"), tried("http", "closed"), tried("http2-tls", "closed"), tried("https")), "HTTP/1 over TLS", "proven"),
        ("http", (tried("http", "invalid", start=SETTINGS), tried("http2")), "HTTP/2", "proven"),
        ("https", (tried("https", "not-tls", start=SETTINGS), tried("http2")), "HTTP/2", "proven"),
        ("http", (tried("http", "closed"), tried("https", "closed"), tried("http2")), "HTTP/2", "likely"),
        ("https", (tried("https", "closed"), tried("http2-tls")), "HTTP/2 over TLS", "likely"),
    ],
)
def test_the_wrong_version_of_http(directive, tries, speaks, certainty):
    result = world(directive, *tries).judge()
    assert verdict(result)[0] == one(HTTP2, certainty)[0]
    assert result.findings[0].says.endswith(f", which speaks {speaks}.")


def test_grpcs_to_http1_over_tls():
    tries = (tried("http2", "invalid", start="HTTP/1.1 400 Bad Req"), tried("http", "closed"), tried("https"))
    host = World().passes(f"grpc_pass grpcs://{TCP}").service("shop.service", TCP).reply(TCP, *tries)
    assert verdict(host.judge()) == one(HTTP2)


def test_grpc_to_http2_over_tls_is_a_matter_of_tls():
    tries = (tried("http2", "closed"), tried("http", "closed"), tried("http2-tls"))
    assert verdict(world("grpc_pass", *tries).judge()) == one("plain-to-tls-backend")


def test_grpcs_to_http2_in_plain_text_is_a_matter_of_tls():
    host = World().passes(f"grpc_pass grpcs://{TCP}").service("shop.service", TCP)
    assert verdict(host.reply(TCP, tried("http2", "not-tls", start=SETTINGS), tried("http2")).judge()) == one("tls-to-plain-backend")


@pytest.mark.parametrize("directive", ["http", "grpc_pass"])
def test_the_right_version_is_silent(directive):
    assert verdict(world(directive, tried("http" if directive == "http" else "http2")).judge()) == []


def test_the_frame_in_the_log_makes_it_likely():
    result = world("grpc_pass", tried("http2", "timeout"), tried("http", "timeout")).logged(TCP, "http2-protocol", detail={"frame": 4740180}).judge()
    assert verdict(result) == one(HTTP2, "likely")


def version_two(*tries) -> World:
    host = World().site(f"location / {{ proxy_http_version 2; proxy_pass http://{TCP}; }}").service("shop.service", TCP).reply(TCP, *tries)
    host.instance["build"]["value"]["version"] = "1.29.4"
    return host


def test_proxy_http_version_2_is_asked_in_http2_and_judged_so():
    host = version_two(tried("http2", "invalid", start="HTTP/1.1 400 Bad Req"), tried("http"))
    bundle = host.bundle()
    assert [target["speak"] for batch in _targets.batches(bundle, "", "GET", 10.0) for target in batch["targets"]] == ["grpc"]
    assert verdict(host.judge()) == one(HTTP2)
    assert verdict(version_two(tried("http2")).judge()) == []


@pytest.mark.parametrize(("number", "word"), [(72, '"H"'), (83, '"S"'), (22, "TLS"), (0, ""), (1, ""), (200, "")])
def test_a_version_of_fastcgi_as_a_letter(number, word):
    told = spoken.fastcgi_version(number)
    assert word in told if word else told == ""


@pytest.mark.parametrize(("number", "word"), [(4740180, "HTT"), (5460808, "SSH"), (0, ""), (16384, ""), (1 << 24, "")])
def test_the_length_of_a_frame_as_letters(number, word):
    told = spoken.frame_length(number)
    assert word in told if word else told == ""


@pytest.mark.parametrize(("number", "word"), [(21573, "GET"), (21327, "POST"), (16709, "HEAD"), (4246, ""), (65535, "")])
def test_a_block_size_as_letters(number, word):
    told = spoken.block_size(number)
    assert word in told if word else told == ""
