# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""websocket-headers-missing and proxy-pass-uri-mismatch: what is asked for, and what is said of the answers."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _judge, _targets
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

TCP = "127.0.0.1:3000"
RULE = "websocket-headers-missing"
SPEAKS = ({"speak": "http", "code": 426}, {"speak": "websocket", "code": 101})
PASS = f"proxy_pass http://{TCP};"
HEADERS = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
MAP = ("map $http_upgrade $connection_upgrade { default upgrade; '' close; }",)


def world(*lines: str, tries=SPEAKS, **more) -> World:
    return World().site(*lines, **more).service("shop.service", TCP).reply(TCP, *tries)


def asked(host: World) -> list[dict]:
    return [target for batch in _targets.batches(host.bundle(), "", "GET", 10.0) for target in batch["targets"]]


def found(host: World) -> list[tuple]:
    return [(item[1], item[2]) for item in verdict(host.judge()) if item[0] == RULE]


@pytest.mark.parametrize(
    ("line", "versions"),
    [
        (f"location /ws {{ {PASS} }}", ["1.1"]),
        (f"location /socket.io/ {{ {PASS} }}", ["1.1"]),
        (f"location ~ ^/socket\\.io/ {{ {PASS} }}", ["1.1"]),
        (f"location /cable {{ {PASS} }}", ["1.1"]),
        (f"location /api/websocket {{ {PASS} }}", ["1.1"]),
        (f"location /live {{ {PASS} }}", []),
        (f"location /live/websocket {{ {PASS} }}", ["1.1"]),
        (f"location /news/ {{ {PASS} }}", []),
        (f"location / {{ {PASS} }}", []),
        (f"location /rows/ {{ {PASS} }}", []),
        # Half of it, or the version.
        (f"location / {{ proxy_set_header Upgrade $http_upgrade; {PASS} }}", ["1.1"]),
        (f"location / {{ proxy_set_header Connection upgrade; {PASS} }}", ["1.1"]),
        (f"location / {{ {HEADERS} {PASS} }}", ["1.1", "1.0"]),
        (f"location / {{ proxy_http_version 1.1; {HEADERS} {PASS} }}", []),
        (f"location /ws {{ proxy_http_version 1.1; {HEADERS} {PASS} }}", []),
        # Not HTTP.
        ("location /ws { fastcgi_pass 127.0.0.1:3000; }", []),
    ],
)
def test_only_where_something_says_so_a_backend_is_asked(line, versions):
    (target,) = asked(world(line))
    assert target["upgrade"] == versions


@pytest.mark.parametrize(
    "lines",
    [
        (f"location /ws/ {{ {PASS} }}",),
        (f"location / {{ {PASS} }}",),
        (f'location /ws/ {{ proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection ""; {PASS} }}',),
        (f"location /ws/ {{ proxy_set_header Upgrade $http_upgrade; {PASS} }}",),
        (f"proxy_http_version 1.1; {HEADERS}", f"location /ws/ {{ proxy_set_header Host $host; {PASS} }}"),
    ],
)
def test_headers_that_do_not_reach_the_backend(lines):
    assert found(world(*lines)) == [("cause", "proven")]


def test_the_line_that_an_inner_one_drops_is_named():
    result = world(f"proxy_http_version 1.1; {HEADERS}", f"location /ws/ {{ proxy_set_header Host $host; {PASS} }}").judge()
    assert "the line at /etc/nginx/sites-enabled/shop:3 is dropped" in result.findings[0].says


def test_the_fix_says_which_lines_it_would_drop():
    result = world("proxy_set_header Host $host;", f"location /ws/ {{ {PASS} }}").judge()
    assert result.findings[0].fix.summary == (
        'In location /ws/: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $bad_gateway_connection_upgrade; '
        'with a map of $http_upgrade that makes it "upgrade", or empty for a request without.'
        " Repeat there the proxy_set_header lines of /etc/nginx/sites-enabled/shop:3, which these would drop."
    )


@pytest.mark.parametrize("status", ["closed", "reset", "timeout"])
def test_a_backend_that_closes_what_is_no_websocket(status):
    tries = ({"speak": "http", "status": status, "code": None}, SPEAKS[1])
    assert found(world(f"location /ws/ {{ {PASS} }}", tries=tries)) == [("cause", "proven")]


def test_a_plain_request_that_is_answered_makes_it_a_risk():
    assert found(world(f"location /ws/ {{ {PASS} }}", tries=({"speak": "http"}, SPEAKS[1]))) == [("risk", "proven")]


@pytest.mark.parametrize(
    "line",
    [
        f"location /ws/ {{ proxy_http_version 1.1; {HEADERS} {PASS} }}",
        f"location /ws/ {{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; {PASS} }}",
        f"location /ws/ {{ proxy_http_version 1.1; proxy_set_header Upgrade websocket; proxy_set_header Connection $http_connection; {PASS} }}",
    ],
)
@pytest.mark.parametrize("outside", [MAP, ("map $http_upgrade $connection_upgrade { default redacted:4926d5fe; redacted:acf33475 redacted:74855c82; }",)])
def test_headers_that_reach_the_backend(line, outside):
    assert found(world(line, outside=outside)) == []


def test_a_backend_that_does_not_switch():
    assert found(world(f"location /ws/ {{ {PASS} }}", tries=({"speak": "http", "code": 404}, {"speak": "websocket", "status": "invalid", "code": 404}))) == []


@pytest.mark.parametrize(("old", "said"), [({"status": "ok", "code": 101}, []), ({"status": "invalid", "code": 400}, [("cause", "proven")])])
def test_an_upgrade_in_http_1_0(old, said):
    tries = (*SPEAKS, {"speak": "websocket-1.0", **old})
    assert found(world(f"location /ws/ {{ {HEADERS} {PASS} }}", tries=tries)) == said


def other(host: World) -> list[str]:
    return [path for target in asked(host) for path in target["otherwise"]]


@pytest.mark.parametrize(
    ("location", "target", "paths"),
    [
        ("/api/", "/", ["/api/"]),
        ("/api/", "/v1", ["/v1/"]),
        ("/api/", "/v1/", ["/api/"]),
        ("/api", "/v1/", []),
        ("/api/", "", []),
        ("/", "/", []),
        ("/", "", []),
        ("~ ^/api/", "", []),
    ],
)
def test_the_other_path_of_a_location(location, target, paths):
    assert other(world(f"location {location} {{ proxy_pass http://{TCP}{target}; }}")) == paths


def judged(line: str, path: str, *tries: dict) -> list[tuple]:
    """Judge a host on which a person named the path to probe."""
    return [(item[0], item[2]) for item in verdict(result(line, path, *tries))]


def result(line: str, path: str, *tries: dict) -> HostResult:
    host = world(line, tries=tries)
    bundle = host.bundle()
    made = [host._probe(target) for batch in _targets.batches(bundle, path, "GET", 10.0) for target in batch["targets"]]
    bundle["probes"]["value"]["probes"] = made
    return _judge.judge(bundle)


MISSING, THERE = {"speak": "http", "code": 404}, {"speak": "other-path", "code": 200}


@pytest.mark.parametrize("target", ["", "/", "/v1"])
def test_a_path_that_a_person_named_proves_it(target):
    assert judged(f"location /api/ {{ proxy_pass http://{TCP}{target}; }}", "/api/users", MISSING, THERE) == [("proxy-pass-uri-mismatch", "proven")]


@pytest.mark.parametrize("code", [301, 404, 500])
def test_what_the_other_path_gives(code):
    said = [("proxy-pass-uri-mismatch", "proven")] if code == 301 else []
    assert judged(f"location /api/ {{ proxy_pass http://{TCP}; }}", "/api/users", MISSING, {**THERE, "code": code}) == said


def test_two_locations_share_one_probe_and_each_has_its_own_path():
    host = world(
        f"location /a/ {{ proxy_pass http://{TCP}/; }}", f"location /b/ {{ proxy_pass http://{TCP}/; }}", tries=(MISSING, {**THERE, "code": 404}, THERE)
    )
    assert [target["otherwise"] for target in asked(host)] == [["/a/", "/b/"]]
    result = host.judge()
    assert [(finding.id, finding.route["location"]) for finding in result.findings if finding.kind == "cause"] == [("proxy-pass-uri-mismatch", "/b/")]


@pytest.mark.parametrize(
    ("location", "target", "written"),
    [
        ("/api/", "", f"http://{TCP}/"),
        ("/api/", "/v1", f"http://{TCP}/v1/"),
        ("/api", "/v1/", f"http://{TCP}/v1"),
        ("/api/", "/", f"http://{TCP}"),
        ("/api/", "/v1/", f"http://{TCP}"),
        ("/api", "/", None),
    ],
)
def test_what_upstream_uri_is_told(location, target, written):
    findings = result(f"location {location} {{ proxy_pass http://{TCP}{target}; }}", "/api/users", MISSING, THERE).findings
    fix = next(finding.fix for finding in findings if finding.id == "proxy-pass-uri-mismatch")
    assert [change["args"] for change in fix.changes] == ([[written]] if written else [])
    assert (fix.remedy, fix.safety) == (("upstream_uri", "risky") if written else (None, "manual"))


# --- what websocket_headers is told

SOCKET = {"context": {"file": "/etc/nginx/sites-enabled/shop", "line": 3, "expects": "location /ws/"}}


@pytest.mark.parametrize(
    ("lines", "outside", "expected"),
    [
        ("", (), SOCKET),
        ("proxy_http_version 1.1;", (), {**SOCKET, "http_version": False}),
        ("", MAP, {**SOCKET, "connection": "$connection_upgrade"}),
        # A Connection that is empty keeps connections to the group open; the map of the documentation closes them.
        ("proxy_set_header Connection '';", MAP, SOCKET),
        ("", ("map $scheme $connection_upgrade { default upgrade; }",), SOCKET),
    ],
)
def test_what_websocket_headers_is_told(lines, outside, expected):
    host = world(f"location /ws/ {{ {lines} {PASS} }}", outside=outside)
    assert [change for finding in host.judge().findings if finding.id == RULE for change in finding.fix.changes] == [expected]


def test_the_version_alone():
    tries = ({"speak": "http", "code": 426}, {"speak": "websocket", "code": 101}, {"speak": "websocket-1.0", "status": "closed", "code": None})
    host = world(f"location /ws/ {{ {HEADERS} {PASS} }}", tries=tries)
    assert [change for finding in host.judge().findings if finding.id == RULE for change in finding.fix.changes] == [{**SOCKET, "headers": False}]
