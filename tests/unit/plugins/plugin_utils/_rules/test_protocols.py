# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls-to-plain-backend and plain-to-tls-backend, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.handshakes import explained, shaken
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NOW, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
TLS = {"version": "TLSv1.3", "cipher": "x", "names": ["shop.example"], "not_after": 0.0}


def tried(speak, status="ok", code=None, **more):
    return {"speak": speak, "status": status, "code": code if code or status != "ok" else 200, "header_bytes": 180 if status == "ok" else None, **more}


def world(scheme, *tries, **options) -> World:
    return World().passes(f"{scheme}://{TCP}", **options).service("shop.service", TCP).reply(TCP, *tries)


def one(rule, certainty="proven", kind="cause"):
    return [(rule, kind, certainty, TCP, SHOP)]


@pytest.mark.parametrize(
    "tries",
    [
        (tried("https", "not-tls"), tried("https-sni", "not-tls"), tried("http")),
        (tried("https", "not-tls"), tried("http", code=400)),
        (tried("https", "closed"), tried("http")),
        (tried("https", "reset"), tried("http", code=404)),
        (tried("https", "timeout"), tried("http", code=301)),
        (tried("https-sni", "not-tls"), tried("http")),
    ],
)
def test_tls_to_a_plain_port(tries):
    result = world("https", *tries).judge()
    assert verdict(result) == one("tls-to-plain-backend")
    assert result.findings[0].fix.summary == f"Write http:// instead of https:// at {SHOP}."


@pytest.mark.parametrize(
    "tries",
    [
        # A name is wanted: the port does speak TLS.
        (tried("https", "tls-alert"), tried("https-sni")),
        (tried("https", "tls-alert"), tried("https-sni", "tls-alert"), tried("http", code=400)),
        # A TLS port that refuses plain text with a 400.
        (tried("https", "closed"), tried("http", code=400)),
        # This host could not try TLS at all.
        (tried("https", "error"), tried("http")),
        # TLS was spoken, what came in it was wrong.
        (tried("https", "invalid"), tried("http", code=400)),
        (tried("https", "not-tls"), tried("http", "closed")),
    ],
)
def test_tls_that_fails_for_another_reason_is_not_explained_so(tries):
    result = world("https", *tries).judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", TCP, "open")])


def test_tls_that_is_answered_is_silent_with_and_without_a_name():
    assert verdict(world("https", tried("https", tls=TLS)).judge()) == []
    assert verdict(world("https", tried("https-sni", tls=TLS)).judge()) == []


def test_the_log_alone_makes_it_likely():
    host = world("https", tried("https", "closed")).logged(TCP, "tls-wrong-version")
    assert verdict(host.judge()) == one("tls-to-plain-backend", "likely")


def test_a_log_from_before_the_change_that_was_loaded_makes_nothing():
    host = world("https", tried("https", tls=TLS), mtime=LOADED - 60).logged(TCP, "tls-wrong-version", last=LOADED - 600, pids=(77,))
    result = host.judge()
    assert (verdict(result), unknowns(result), len(result.recovered)) == ([], [], 1)


@pytest.mark.parametrize(
    "tries",
    [
        (tried("http", code=400), tried("https", tls=TLS)),
        (tried("http", code=400), tried("https", "tls-alert"), tried("https-sni", tls=TLS)),
        (tried("http", "closed"), tried("https", tls=TLS)),
        (tried("http", "reset"), tried("https", tls=TLS)),
        (tried("http", "invalid"), tried("https", tls=TLS)),
        (tried("http", "timeout", seconds=10.0), tried("https", tls=TLS)),
    ],
)
def test_plain_text_to_a_tls_port(tries):
    result = world("http", *tries).judge()
    assert verdict(result) == one("plain-to-tls-backend")
    assert result.findings[0].fix.summary.startswith(f"Write https:// instead of http:// at {SHOP}")


def test_the_fix_says_when_a_name_is_needed():
    result = world("http", tried("http", "closed"), tried("https", "tls-alert"), tried("https-sni", tls=TLS)).judge()
    assert "proxy_ssl_server_name on;" in result.findings[0].fix.summary


@pytest.mark.parametrize("code", [200, 301, 401, 403, 404, 421, 500, 502, 503])
def test_plain_text_that_is_answered_is_silent(code):
    assert verdict(world("http", tried("http", code=code)).judge()) == []


def test_a_400_of_the_application_is_silent():
    assert verdict(world("http", tried("http", code=400), tried("https", "not-tls")).judge()) == []


def test_plain_text_and_neither_answers_is_open():
    result = world("http", tried("http", "closed"), tried("https", "not-tls")).judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", TCP, "open")])


def test_two_peers_that_both_refuse_with_a_400_are_causes():
    """nginx hands a 400 on; it does not go to the next peer."""
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    host = World().passes("http://shop", outside=group)
    for endpoint in (TCP, "127.0.0.1:3001"):
        host.service(f"{endpoint[-1]}.service", endpoint).reply(endpoint, tried("http", code=400), tried("https", tls=TLS))
    assert [(item[0], item[1]) for item in verdict(host.judge())] == [("plain-to-tls-backend", "cause")] * 2


def test_the_command_for_a_person_holds_no_word_of_the_host():
    host = world("http", tried("http", "closed"), tried("https", tls=TLS))
    assert host.judge().findings[0].next == "curl -skI https://127.0.0.1:3000/"


def test_records_of_tls_that_happened_while_it_answers_now_are_open():
    result = world("https", tried("https", tls=TLS)).logged(TCP, "tls-wrong-version", last=NOW - 5).judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", TCP, "open")])


@pytest.mark.parametrize(
    ("target", "asked", "plain", "scheme"),
    [
        (f"grpc_pass grpcs://{TCP}", "http2", "http2", "grpc"),
        (f"uwsgi_pass suwsgi://{TCP}", "suwsgi", "uwsgi", "uwsgi"),
        (f"uwsgi_pass suwsgi://{TCP}", "suwsgi", "uwsgi-ping", "uwsgi"),
    ],
)
def test_tls_to_a_plain_port_in_other_families(target, asked, plain, scheme):
    host = World().passes(target).service("shop.service", TCP).reply(TCP, tried(asked, "not-tls"), tried(plain))
    result = host.judge()
    assert verdict(result) == one("tls-to-plain-backend")
    assert result.findings[0].fix.summary.startswith(f"Write {scheme}:// instead of")


def test_tls_of_a_stream_to_a_plain_port():
    text = f"user www-data;\nevents {{}}\nstream {{\nserver {{ listen 5000; proxy_ssl on; proxy_pass {TCP}; }}\n}}\n"
    host = World().file("/etc/nginx/nginx.conf", text).service("shop.service", TCP).reply(TCP, tried("tls", "not-tls"))
    result = host.judge()
    assert [item[:3] for item in verdict(result)] == [("tls-to-plain-backend", "cause", "proven")]
    assert "proxy_ssl off;" in result.findings[0].fix.summary


def test_what_answers_neither_is_not_called_plain_for_its_log():
    host = world("https", tried("https", "not-tls"), tried("http", "invalid")).logged(TCP, "tls-wrong-version")
    assert verdict(host.judge()) == []


def test_a_plain_answer_in_the_log_alone():
    host = world("https", tried("https", "closed")).logged(TCP, "tls-plain-response")
    assert verdict(host.judge()) == one("tls-to-plain-backend", "likely")


def test_a_tls_server_that_answers_plain_requests_with_a_redirect_is_no_plain_one():
    taken = explained(shaken("shop.example"))
    host = World().passes(f"https://{TCP}").service("shop.service", TCP).reply(TCP, tried("https", "closed"), tried("http", code=301), tls=taken)
    assert "tls-to-plain-backend" not in [item[0] for item in verdict(host.judge())]


@pytest.mark.parametrize(
    ("tries", "spoken"),
    [
        ((tried("http", code=400), tried("https", "timeout", tls=TLS)), True),
        ((tried("http", "closed"), tried("https", "tls-alert"), tried("https-sni", "tls-alert")), True),
        ((tried("http", code=200), tried("https", "tls-alert")), False),
        ((tried("http", "closed"), tried("https", "invalid", tls=TLS)), False),
        ((tried("http", "closed"), tried("https", "reset")), False),
    ],
)
def test_what_shows_tls(tries, spoken):
    assert verdict(world("http", *tries).judge()) == (one("plain-to-tls-backend") if spoken else [])


@pytest.mark.parametrize(("status", "spoken"), [("closed", True), ("ok", False)])
def test_plain_uwsgi_to_a_tls_port(status, spoken):
    """Where a web server answers over TLS, the protocol is another one."""
    host = World().passes(f"uwsgi_pass {TCP}").service("shop.service", TCP).reply(TCP, tried("uwsgi", "closed"), tried("https", status, tls=TLS))
    assert [item[0] for item in verdict(host.judge())] == ["plain-to-tls-backend" if spoken else "gateway-protocol-mismatch"]


# --- what upstream_scheme is told

TO_TLS = (tried("http", "closed"), tried("https", tls=TLS))
TO_TLS_NAMED = (tried("http", "closed"), tried("https", "tls-alert"), tried("https-sni", tls=TLS))
TO_PLAIN = (tried("https", "not-tls"), tried("http"))


def told(host: World) -> list[tuple]:
    return [
        (change["directive"], change["replaces"], change["args"], change.get("server_name", ""))
        for finding in host.judge().findings
        for change in finding.fix.changes
    ]


def test_the_pass_is_told_with_its_block_and_its_old_words():
    assert world("http", *TO_TLS).judge().findings[0].fix.changes == (
        {
            "context": {"file": "/etc/nginx/sites-enabled/shop", "line": 3, "expects": "location /"},
            "directive": "proxy_pass",
            "args": [f"https://{TCP}"],
            "replaces": [f"http://{TCP}"],
            "at": {"file": "/etc/nginx/sites-enabled/shop", "line": 3},
        },
    )


def site(line: str, *tries, endpoint=TCP, outside=()) -> World:
    host = World().site(line, outside=outside)
    return host.service("shop.service", endpoint).reply(endpoint, *tries)


@pytest.mark.parametrize(
    ("line", "tries", "endpoint", "expected"),
    [
        (f"location / {{ proxy_pass https://{TCP}/x?y; }}", TO_PLAIN, TCP, ("proxy_pass", [f"https://{TCP}/x?y"], [f"http://{TCP}/x?y"])),
        ("location / { proxy_pass https://127.0.0.1; }", TO_PLAIN, "127.0.0.1:443", ("proxy_pass", ["https://127.0.0.1"], ["http://127.0.0.1:443"])),
        ("location / { proxy_pass http://127.0.0.1/x; }", TO_TLS, "127.0.0.1:80", ("proxy_pass", ["http://127.0.0.1/x"], ["https://127.0.0.1:80/x"])),
        ("location / { proxy_pass http://unix:/run/s.sock:/x; }", TO_TLS, "unix:/run/s.sock",
         ("proxy_pass", ["http://unix:/run/s.sock:/x"], ["https://unix:/run/s.sock:/x"])),
        (f"set $b https://{TCP}; location / {{ proxy_pass $b; }}", TO_PLAIN, TCP, ("set", ["$b", f"https://{TCP}"], ["$b", f"http://{TCP}"])),
        (f"set $b {TCP}; location / {{ proxy_pass https://$b$request_uri; }}", TO_PLAIN, TCP,
         ("proxy_pass", ["https://$b$request_uri"], ["http://$b$request_uri"])),
    ],
)
def test_the_port_and_the_rest_of_the_pass_stay(line, tries, endpoint, expected):
    assert told(site(line, *tries, endpoint=endpoint)) == [(*expected, "")]


@pytest.mark.parametrize(
    ("target", "tries", "written"),
    [
        (f"grpc_pass {TCP}", (tried("http2", "closed"), tried("http2-tls", tls=TLS)), f"grpcs://{TCP}"),
        (f"grpc_pass grpcs://{TCP}", (tried("http2", "not-tls"), tried("http2")), f"grpc://{TCP}"),
    ],
)
def test_a_scheme_that_is_implied_is_written(target, tries, written):
    host = World().passes(target).service("shop.service", TCP).reply(TCP, *tries)
    assert [change[2] for change in told(host)] == [[written]]


def test_the_name_that_the_backend_wants_goes_into_the_handshake():
    assert [change[3] for change in told(site(f"location / {{ proxy_set_header Host $host; proxy_pass http://{TCP}; }}", *TO_TLS_NAMED))] == ["shop.example"]
    finding = site(f"location / {{ proxy_pass http://{TCP}; }}", *TO_TLS_NAMED).judge().findings[0]
    assert (finding.fix.remedy, finding.fix.safety) == (None, "manual")


@pytest.mark.parametrize(
    ("line", "outside"),
    [
        ("location / { proxy_pass https://$b; }", ("map $host $b { default 127.0.0.1; }",)),
        ("location / { proxy_pass $b; }", (f"map $host $b {{ default https://{TCP}; }}",)),
    ],
)
def test_a_scheme_or_port_that_a_map_gives_is_left_to_a_person(line, outside):
    for endpoint in (TCP, "127.0.0.1:443"):
        assert told(site(line, *TO_PLAIN, endpoint=endpoint, outside=outside)) == []


def test_another_server_of_the_group_that_answers_as_it_is_asked_keeps_its_scheme():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    host = World().passes("https://shop", outside=group).service("a.service", TCP).reply(TCP, *TO_PLAIN)
    host.service("b.service", "127.0.0.1:3001").reply("127.0.0.1:3001", tried("https", tls=TLS))
    finding = next(item for item in host.judge().findings if item.id == "tls-to-plain-backend")
    assert (finding.fix.remedy, finding.fix.safety, finding.fix.changes) == (None, "manual", ())
