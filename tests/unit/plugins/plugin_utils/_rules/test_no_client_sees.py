# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes that fail and that no client sees: copies of requests, locations that step in, passes that no request reaches."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

TCP, OTHER = "127.0.0.1:3000", "127.0.0.1:3001"


def kinds(*lines: str) -> list[tuple[str, str]]:
    """Judge a host on which 3001 answers and nothing listens on 3000, whose unit is stopped; return kind and endpoint."""
    host = World().site(*lines).service("other.service", OTHER).unit("shop.service", TCP, active="inactive")
    return [(item[1], item[3]) for item in verdict(host.judge()) if item[0] == "backend-not-running"]


MIRRORED = f"location / {{ mirror /copy; proxy_pass http://{OTHER}; }}"


def test_a_copy_that_fails_is_a_risk():
    assert kinds(MIRRORED, f"location = /copy {{ internal; proxy_pass http://{TCP}$request_uri; }}") == [("risk", TCP)]


@pytest.mark.parametrize(
    "lines",
    [
        # Clients may come there too, or a question is asked there.
        (MIRRORED, f"location = /copy {{ proxy_pass http://{TCP}; }}"),
        (f"location / {{ auth_request /copy; proxy_pass http://{OTHER}; }}", f"location = /copy {{ internal; proxy_pass http://{TCP}; }}"),
        (MIRRORED, "location /x/ { error_page 404 /copy; root /srv; }", f"location = /copy {{ internal; proxy_pass http://{TCP}; }}"),
    ],
)
def test_what_is_not_only_a_copy_fails(lines):
    assert kinds(*lines) == [("cause", TCP)]


@pytest.mark.parametrize("line", ["error_page 502 504 = @other;", "error_page 500 502 =200 @other;", "error_page 502 = /other/;"])
def test_another_location_that_steps_in(line):
    step_in = f"location @other {{ proxy_pass http://{OTHER}; }} location /other/ {{ internal; proxy_pass http://{OTHER}; }}"
    assert kinds(f"location / {{ {line} proxy_pass http://{TCP}; }} {step_in}") == [("risk", TCP)]
    assert kinds(f"{line} location / {{ proxy_pass http://{TCP}; }} {step_in}") == [("risk", TCP)]


@pytest.mark.parametrize(
    ("line", "rest", "kind"),
    [
        ("error_page 502 504 = @spare;", "", "risk"),
        ("error_page 502 @spare;", "", "risk"),
        # Requests come there for other reasons too.
        ("error_page 404 502 = @spare;", "", "cause"),
        ("error_page 502 = @spare;", "location /files/ { root /srv; try_files $uri @spare; }", "cause"),
        ("error_page 502 = @spare;", "location /old/ { error_page 404 = @spare; root /srv; }", "cause"),
        ("", "", "cause"),
    ],
)
def test_a_dead_location_to_which_requests_come_only_from_a_backend_that_failed(line, rest, kind):
    spare = f"location @spare {{ proxy_pass http://{TCP}; }}"
    assert kinds(f"location / {{ {line} proxy_pass http://{OTHER}; }} {rest} {spare}") == [(kind, TCP)]


def test_a_dead_location_to_which_a_request_did_come():
    host = World().site(f"location / {{ error_page 502 = @spare; proxy_pass http://{OTHER}; }} location @spare {{ proxy_pass http://{TCP}; }}")
    host.service("other.service", OTHER).unit("shop.service", TCP, active="inactive").logged(TCP)
    assert [item[1] for item in verdict(host.judge()) if item[0] == "backend-not-running"] == ["cause"]


@pytest.mark.parametrize(
    "line",
    [
        # The status stays, the page is of a file, another status is meant, the other one is dead too.
        "error_page 502 @other;",
        "error_page 502 =503 @other;",
        "error_page 502 = /50x.html;",
        "error_page 500 503 = @other;",
        "error_page 502 = @dead;",
        "error_page 502 = @none;",
    ],
)
def test_a_page_that_does_not_help(line):
    rest = f"location @other {{ proxy_pass http://{OTHER}; }} location @dead {{ proxy_pass http://{TCP}; }} location = /50x.html {{ root /srv; }}"
    assert ("cause", TCP) in kinds(f"location / {{ {line} proxy_pass http://{TCP}; }} {rest}")


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ((f"location /old/ {{ rewrite ^/old/(.*)$ /new/$1 last; proxy_pass http://{TCP}; }}",), 0),
        ((f"location /old {{ rewrite ^ https://new.example$request_uri? permanent; proxy_pass http://{TCP}; }}",), 0),
        (("rewrite ^(.*)$ https://new.example$1 redirect;", f"location / {{ proxy_pass http://{TCP}; }}"), 0),
        (("rewrite ^/(.*)$ $scheme://new.example/$1;", f"location / {{ proxy_pass http://{TCP}; }}"), 0),
        ((f"location / {{ return 301 /x; proxy_pass http://{TCP}; }}",), 0),
        # Some requests go on to the pass.
        (("rewrite ^/old/(.*)$ https://new.example/$1 permanent;", f"location / {{ proxy_pass http://{TCP}; }}"), 1),
        (("rewrite ^/(.*)$ /app/$1 last;", f"location / {{ proxy_pass http://{TCP}; }}"), 1),
        ((f"location /x/ {{ rewrite ^/x/(.*)$ /$1 break; proxy_pass http://{TCP}; }}",), 1),
        ((f"location /x/ {{ rewrite ^/x/a/(.*)$ /y/$1 last; proxy_pass http://{TCP}; }}",), 1),
        ((f"location /x/ {{ rewrite ^/x/(.*)$ /x/y/$1 last; proxy_pass http://{TCP}; }}",), 1),
        ((f"location / {{ rewrite ^(.*)\\.html$ $1 last; proxy_pass http://{TCP}; }}",), 1),
        ((f"location / {{ if ($arg_x) {{ return 403; }} rewrite ^ /y last; proxy_pass http://{TCP}; }}",), 1),
    ],
)
def test_a_pass_that_no_request_reaches_is_no_route(lines, count):
    assert len(Host.of(World().site(*lines).bundle()).routes) == count


PAIR = (f"upstream pair {{ server {TCP}; server {OTHER}; }}",)


@pytest.mark.parametrize(
    ("method", "policy", "kind"),
    [("GET", "", "risk"), ("POST", "", "cause"), ("PATCH", "", "cause"), ("POST", "proxy_next_upstream error timeout non_idempotent;", "risk")],
)
def test_a_request_that_nginx_sends_once_is_not_saved_by_another_peer(method, policy, kind):
    host = World().site(f"location / {{ {policy} proxy_pass http://pair; }}", outside=PAIR).service("shop.service", TCP).service("other.service", OTHER)
    (finding,) = [item for item in host.logged(TCP, "read-timeout", methods={method: 3}).judge().findings if item.id == "upstream-timeout"]
    assert finding.kind == kind and ("the client gets a 504" in finding.says) is (kind == "cause")


def test_a_slow_answer_in_whose_place_another_location_answers():
    lines = (f"location / {{ proxy_pass http://{TCP}; error_page 504 = @other; }}", f"location @other {{ proxy_pass http://{OTHER}; }}")
    host = World().site(*lines).service("shop.service", TCP).service("other.service", OTHER)
    (finding,) = [item for item in host.logged(TCP, "read-timeout", methods={"POST": 3}).judge().findings if item.id == "upstream-timeout"]
    assert finding.kind == "risk" and "no client sees it" in finding.says
