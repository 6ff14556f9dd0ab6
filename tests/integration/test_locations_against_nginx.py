# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model against a running nginx: which server and location take a request, and what is sent to the backend.

route_proof.py writes random configurations and requests from a seed. BAD_GATEWAY_PAIRS sets how many pairs are compared,
BAD_GATEWAY_SEED where the seeds begin:

    BAD_GATEWAY_PAIRS=100000 BAD_GATEWAY_SEED=500000 scripts/integration 2.19 tests/integration/test_locations_against_nginx.py -k agree
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import http.client
import os
import random
import shutil
import socketserver
import threading
import time

import pytest
import route_proof
from route_proof import free_ports

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations, passage, request, routes

PAIRS = int(os.environ.get("BAD_GATEWAY_PAIRS", "10000"))
SEED = int(os.environ.get("BAD_GATEWAY_SEED", "1"))
# Of the planted errors each must show within so many pairs.
PLANTED_PAIRS = 6000


@pytest.fixture(autouse=True)
def _nginx_is_installed():
    if not shutil.which("nginx"):
        pytest.fail("nginx is not installed; install it with: apt-get install nginx-light")


def test_nginx_and_the_model_agree(tmp_path):
    tally = route_proof.run(tmp_path, PAIRS, SEED)
    assert not tally.wrong, "\n\n".join(tally.wrong)
    assert tally.pairs == PAIRS
    # What the model does not claim is no proof.
    assert tally.unknown < 0.02 * PAIRS, tally.seen
    ends = (passage.PASS, passage.ANSWER, passage.REDIRECT, passage.STATIC, passage.BAD)
    steps = ("rewrite", "set", "if", "break", "return", "try_files", "error_page")
    assert min(tally.seen.get(kind, 0) for kind in (*ends, *steps)) >= PAIRS // 500, tally.seen
    print(f"{tally.pairs} pairs, {len(tally.wrong)} mismatches, {tally.unknown} unknown: {tally.seen}")


def no_shield(original):
    def find(level, uri, outer, tried):
        return original([dataclasses.replace(item, modifier="") if item.modifier == "^~" else item for item in level], uri, outer, tried)

    return find


def shortest_prefix(original):
    def find(level, uri, outer, tried):
        final, found = original(level, uri, outer, tried)
        fitting = [item for item in level if item.modifier == "" and uri.startswith(item.raw_path)]
        return (final, found) if final or not fitting else (final, locations.Found(min(fitting, key=lambda item: len(item.path))))

    return find


def no_default_server(_original):
    return lambda group, listen: locations.Chosen(tuple(group)[0], locations.FIRST_SERVER)


def no_escape(_original):
    return lambda raw, kind: raw


def one_slash(original):
    return lambda path, merge_slashes=True: original(path, True)


def keeps_host(_original):
    return lambda written: written


def last_expression(original):
    def find(level, uri, outer, tried):
        return original([*[item for item in level if not item.is_regex], *[item for item in reversed(list(level)) if item.is_regex]], uri, outer, tried)

    return find


def break_as_last(original):
    def run(self, statements, server, depth=0):
        changed = [
            dataclasses.replace(item, args=(*item.args[:2], "last")) if item.name == "rewrite" and item.args[2:] == ("break",) else item for item in statements
        ]
        return original(self, changed, server, depth)

    return run


def forgets_capture(_original):
    return lambda self, match: None


def drops_query(original):
    return lambda self, uri, length: original(self, uri, length).partition(b"?")[0]


PLANTED = [
    (locations, "_find", no_shield),
    (locations, "_find", shortest_prefix),
    (locations, "_find", last_expression),
    (locations, "default_of", no_default_server),
    (request, "normalise", one_slash),
    (passage, "escape", no_escape),
    (passage, "host_of", keeps_host),
    (passage._Traveller, "_run", break_as_last),
    (passage._Traveller, "_matched", forgets_capture),
    (passage._Traveller, "_own_uri", drops_query),
]


@pytest.mark.parametrize(("place", "name", "change"), PLANTED, ids=lambda value: value.__name__ if callable(value) and not isinstance(value, type) else "")
def test_an_error_of_the_model_is_seen(tmp_path, monkeypatch, place, name, change):
    monkeypatch.setattr(place, name, change(getattr(place, name)))
    tally = route_proof.run(tmp_path, PLANTED_PAIRS, 70_000, most_wrong=1)
    assert tally.wrong
    # What is printed is enough to see it again: seed, request, both answers, the servers of its port.
    assert all(word in tally.wrong[0] for word in ("seed 7", " HTTP/1.", "  model Answer(", "  nginx Answer(", "server {"))


class Backend(socketserver.BaseRequestHandler):
    """Answers after DELAY seconds with a header of more than HEADER bytes."""

    DELAY = 0.4
    HEADER = 6000

    def handle(self):
        self.request.recv(65536)
        time.sleep(self.DELAY)
        with contextlib.suppress(OSError):
            self.request.sendall(b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * self.HEADER + b"\r\n\r\nok")


@pytest.fixture(name="backend")
def _backend():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def status_of(port, path):
    """Return the status that a GET gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": "x"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_timeouts_and_buffers_in_force(tmp_path, backend):
    chance = random.Random(7)

    def limits():
        timeout = chance.choice(("", "", "proxy_read_timeout 100ms; ", "proxy_read_timeout 5s; "))
        return timeout + chance.choice(("", "", "proxy_buffer_size 8k; ", "proxy_buffer_size 1k; "))

    port, echo = free_ports(2)
    passes = f"proxy_pass http://127.0.0.1:{backend};"
    tops = "".join(
        f"location /{number}/ {{ {limits()}{passes}\nlocation /{number}/in/ {{ {limits()}{passes}\n}}\nif ($arg_x) {{ {passes} }}\n}}\n" for number in range(30)
    )
    text = route_proof.whole(tmp_path, f"{limits()}\nserver {{ listen 127.0.0.1:{port}; {limits()}\n{tops}}}\n", echo)
    found = routes.routes_of(route_proof.configuration_of(text), {})
    assert len(found) == 90
    seen = set()
    with route_proof.Nginx(tmp_path, text) as nginx, concurrent.futures.ThreadPoolExecutor(8) as pool:
        nginx.wait(("127.0.0.1", port))
        asked = {route: pool.submit(status_of, port, route.sample_path + ("?x=1" if route.site.inner else "")) for route in found}
        for route, answer in asked.items():
            slow = route.value("read_timeout").seconds < Backend.DELAY
            long = route.value("buffer_size").size < Backend.HEADER
            assert answer.result() == (504 if slow else 502 if long else 200), f"{route.at} {route.location_label}\n{text}"
            seen.add((slow, long))
    assert len(seen) == 4
