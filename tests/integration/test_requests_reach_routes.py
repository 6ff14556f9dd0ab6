# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request that is chosen for a route comes to that route, in a running nginx; and the sockets of nginx are spoken to as it wants.

BAD_GATEWAY_CONFIGURATIONS and BAD_GATEWAY_SEED choose how many random configurations are tried, and which.
"""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import route_proof

from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import requests
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _requests
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import reach
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import PASSES
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, World

CONFIGURATIONS = int(os.environ.get("BAD_GATEWAY_CONFIGURATIONS", "10"))
SEED = int(os.environ.get("BAD_GATEWAY_SEED", "1"))
PORTS = 10


@pytest.fixture(autouse=True)
def _nginx_is_installed():
    if not shutil.which("nginx"):
        pytest.fail("nginx is not installed; install it with: apt-get install nginx-light")


def bundle_of(text: str) -> dict:
    """Return the evidence of this machine with a configuration."""
    world = World().file(MAIN, text)
    world.host["addresses"] = [address.strip("[]") for address in route_proof.ADDRESSES]
    world.host["uid"] = 1000
    return _bundle.new("web1", _bundle.COLLECTED, "", world.answers)


def asks_of(host: Host) -> Iterator[tuple[Route, bool, route_proof.Ask]]:
    """Yield the routes to which a request is known, whether it is sure, and the request."""
    for route in host.routes:
        way, why = reach.way_to(host, route)
        assert bool(way) != bool(why)
        if way:
            address, _colon, port = way.endpoint.rpartition(":")
            yield route, way.sure, route_proof.Ask(address.strip("[]"), int(port), "GET", way.path, way.server_name, "1.1", "", way.tls)


def marks_of(route: Route) -> set[str]:
    """Return the marks of a route's answers: that of its block, and those of an "if" there that takes over its pass."""
    marks = [item.args[1] for item in route.site.in_force("add_header")]
    inner = () if route.site.inner else route.site.location.statement.named("if", "limit_except")
    taken_over = [item.args[1] for block in inner if not any(block.named(*PASSES)) for item in block.named("add_header")]
    return {*marks[-1:], *taken_over} or {""}


def test_a_chosen_request_comes_to_its_route(tmp_path):
    """On random configurations; an answer has the mark of the block whose pass took the request."""
    sure, unsure, wrong, astray = 0, 0, [], 0
    for seed in range(SEED, SEED + CONFIGURATIONS):
        *free, echo = route_proof.free_ports(PORTS + 1)
        text = route_proof.whole(tmp_path, route_proof.Generator(seed, free, echo).text(), echo)
        asks = list(asks_of(Host.of(bundle_of(text))))
        with route_proof.Nginx(tmp_path, text) as nginx:
            for (route, certain, ask), seen in zip(asks, nginx.ask([ask for _route, _sure, ask in asks])):
                sure, unsure = sure + certain, unsure + (not certain)
                if seen.mark not in marks_of(route):
                    astray += not certain
                    wrong += [f"seed {seed}: {route.at} {route.location_label}: {ask}\n  {seen}"] if certain else []
    print(f"{sure} sure requests; {unsure} that are not, {astray} of them astray")
    assert not wrong, "\n".join(wrong[:5])
    assert sure > 20 * CONFIGURATIONS
    # What is not sure is for the most part right all the same.
    assert astray <= unsure // 2


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the configuration asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer."""
        self.send_response(int(self.headers["X-Code"]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture(name="backend")
def _backend() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_each_kind_of_socket_is_spoken_to_as_nginx_wants_it(tmp_path, backend):
    plain, tls, proxied, both, two, gone, echo = route_proof.free_ports(7)
    to = f"proxy_pass http://127.0.0.1:{backend}; proxy_set_header X-Code"
    servers = f"""
server {{ listen 127.0.0.1:{plain}; server_name shop.example; location / {{ {to} 201; }} location ~ \\.php$ {{ {to} 202; }} location = /x {{ {to} 502; }} }}
server {{ listen 127.0.0.1:{plain}; location / {{ {to} 203; }} }}
server {{ listen 127.0.0.1:{tls} ssl; server_name other.example; location / {{ {to} 204; }} }}
server {{ listen 127.0.0.1:{tls} ssl; server_name shop.example; location / {{ try_files $uri @app; }} location @app {{ {to} 205; }} }}
server {{ listen 127.0.0.1:{proxied} proxy_protocol; location / {{ {to} 206; }} }}
server {{ listen 127.0.0.1:{both} ssl http2 proxy_protocol; server_name shop.example; location / {{ {to} 207; }} }}
server {{ listen unix:{tmp_path}/n.sock; listen unix:{tmp_path}/p.sock proxy_protocol; location / {{ {to} 208; }} }}
server {{ listen 127.0.0.1:{two} http2; location / {{ {to} 209; }} }}
server {{ listen 127.0.0.1:{plain}; server_name down.example; location / {{ proxy_pass http://127.0.0.1:{gone}; }} }}
"""
    text = route_proof.whole(tmp_path, servers, echo)
    entries = _requests.chosen(bundle_of(text), "", "GET", 5.0)
    with route_proof.Nginx(tmp_path, text) as nginx:
        nginx.wait(("127.0.0.1", plain))
        (batch,) = _requests.batches(entries)
        got = {answer["id"]: (answer["status"], answer["code"]) for answer in requests.collect(None, batch["requests"]).value}
        # Nothing but HTTP/2 is answered there.
        alone = {"id": "two", "endpoint": f"127.0.0.1:{two}", "timeout": 5.0}
        assert requests.collect(None, [alone]).value[0]["code"] != 209
        second = {"id": "p", "endpoint": f"unix:{tmp_path}/p.sock", "timeout": 5.0, "proxy_protocol": True}
        assert requests.collect(None, [second]).value[0]["code"] == 208
    codes = [got.get(entry["id"], ("not asked", 0))[1] for entry in entries]
    # No name that a client may send leads to the server without one, and HTTP/1.1 not to that of HTTP/2 alone.
    assert codes == [201, 202, 502, 0, 204, 205, 206, 207, 208, 0, 502]


@pytest.mark.parametrize(("there", "status"), [(True, "ok"), (False, "closed")])
def test_a_session_of_a_stream_tells_whether_it_has_a_backend(tmp_path, there, status):
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    if not os.path.exists(module):
        pytest.skip(f"there is no {module}")
    front, behind = route_proof.free_ports(2)
    text = f"load_module {module}; daemon off; master_process off; error_log {tmp_path}/error.log crit; pid {tmp_path}/pid; events {{}}\n"
    text += f"stream {{ server {{ listen 127.0.0.1:{front}; proxy_pass 127.0.0.1:{behind}; }} }}\n"
    with socket.socket() as listener:
        if there:
            listener.bind(("127.0.0.1", behind))
            listener.listen()
        with route_proof.Nginx(tmp_path, text) as nginx:
            nginx.wait(("127.0.0.1", front))
            answer = requests.collect(None, [{"id": "a", "endpoint": f"127.0.0.1:{front}", "kind": "stream"}]).value[0]
    assert answer["status"] == status
