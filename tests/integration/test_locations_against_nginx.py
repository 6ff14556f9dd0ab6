# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model against a running nginx: which server and location take a request, and what is sent to the backend.

Random configurations (from a fixed seed) are served by nginx, whose every location passes to an echo
server of the same nginx. The echo tells the location that nginx chose, the URI, method and Host that
it sent, and which proxy_set_header was in force; the model must say the same.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import http.client
import random
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config

ROUNDS = 50
REQUESTS = 40
SEGMENTS = ("a", "b", "ab", "x.php", "A", "static")
EXPRESSIONS = (r"\.php$", r"^/a/(.*)$", r"/b", r"^/(a|ab)/", r"[A-Z]", r"^/(?<first>[^/]+)/b", r"\.(?:php|html)$", r"^/a$", r"^/$", "static", r"b/?$", r"/a{2}")
NAMES = ("shop.example", "www.shop.example", "*.shop.example", ".shop.example", "shop.*", "www.*", "*.example", "other.test", '""', "_") + (
    r"~^www\d*\.",
    r"~Shop",
    r"~^(?<who>.+)\.test$",
)
HOSTS = ("shop.example", "www.shop.example", "a.b.shop.example", "shop.test", "www.other.test", "other.test", "SHOP.Example", "www7.example") + (
    "nobody",
    "shop.example.",
)


class Nginx:
    """An nginx in the foreground, on loopback ports, with everything below one folder."""

    def __init__(self, folder, text):
        self._folder = folder
        self._path = folder / "nginx.conf"
        self._path.write_text(text)

    def __enter__(self):
        command = ["nginx", "-p", str(self._folder), "-c", str(self._path), "-e", str(self._folder / "error.log")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=20)
        assert checked.returncode == 0, checked.stderr + self._path.read_text()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_error):
        self._process.terminate()
        self._process.wait(timeout=10)

    def ask(self, address, port, host, path):
        """Return (status, body) of a GET."""
        deadline = time.monotonic() + 5
        while True:
            connection = http.client.HTTPConnection(address, port, timeout=5)
            try:
                connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
                connection.putheader("Host", host)
                connection.putheader("Connection", "close")
                connection.endheaders()
                response = connection.getresponse()
                return response.status, response.read().decode("latin-1")
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and self._process.poll() is None, (self._folder / "error.log").read_text()
                time.sleep(0.01)
            finally:
                connection.close()


def head(folder):
    """Return the beginning of a configuration, up to and into http{}."""
    paths = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"daemon off; master_process off; error_log {folder}/error.log crit; pid {folder}/pid;\nevents {{ worker_connections 50; }}\n"
        f"http {{ access_log off; server_names_hash_bucket_size 128; {paths}"
    )


class Generator:
    """Writes one random configuration that nginx accepts."""

    def __init__(self, seed, port, echo):
        self.random = random.Random(seed)
        self.port = port
        self.echo = echo
        self.count = 0

    def text(self, folder):
        servers = "\n".join(self.server(index) for index in range(self.random.randint(2, 5)))
        return (
            f"{head(folder)}{self.inherited()}\n{servers}\n"
            f'server {{ listen 127.0.0.1:{self.echo}; return 200 "$http_x_id|$request_uri|$request_method|$http_host|$http_x_level"; }}\n}}\n'
        )

    def server(self, index):
        addresses = self.random.sample(("127.0.0.1", "127.0.0.2"), self.random.randint(1, 2))
        default = " default_server" if index == 1 and self.random.random() < 0.5 else ""
        listens = " ".join(f"listen {address}:{self.port}{default};" for address in addresses)
        names = " ".join(name if not name.startswith("~") else f'"{name}"' for name in self.random.sample(NAMES, self.random.randint(0, 3)))
        return f"server {{ {listens} {f'server_name {names};' if names else ''} {self.inherited()}\n{self.level('', 0, False)}\n}}"

    def inherited(self):
        """Directives of two kinds: one that is replaced as a whole, one that is overridden."""
        if self.random.random() < 0.4:
            self.count += 1
            host = self.random.choice(("", "proxy_set_header Host $host; ", "proxy_set_header Host $proxy_host; ", "proxy_set_header Host fixed.test:81; "))
            method = self.random.choice(("", "proxy_method PUT; ", "proxy_method DELETE; "))
            return f"{host}{method}proxy_set_header X-Level level{self.count}; "
        return ""

    def level(self, prefix, depth, in_expression):
        found, used = [], set()
        for _index in range(self.random.randint(1, 5 if depth == 0 else 2)):
            # In a location with an expression, nginx takes no other kind.
            kind = self.random.choice(("~", "~*") if in_expression else ("=", "", "", "", "^~", "~", "~*"))
            path = self.random.choice(EXPRESSIONS) if kind.startswith("~") else self.path(prefix)
            same = (kind == "=", path)
            if kind.startswith("~") or same not in used:
                used.add(same)
                found.append(self.location(kind, path, depth))
        return "\n".join(found)

    def path(self, prefix):
        path = prefix or "/"
        for _index in range(self.random.randint(0, 2)):
            path += ("" if path.endswith("/") else self.random.choice(("/", ""))) + self.random.choice(SEGMENTS)
        return path + self.random.choice(("", "/" if not path.endswith("/") else ""))

    def location(self, kind, path, depth):
        self.count += 1
        uri = "" if kind.startswith("~") else self.random.choice(("", "", "/", "/base", "/base/"))
        identity = f"proxy_set_header X-Id {self.count}; " if self.random.random() < 0.9 else ""
        action = f"proxy_pass http://127.0.0.1:{self.echo}{uri};"
        if self.random.random() < 0.15:
            action, identity = f'return 200 "{self.count}";', ""
        inner = self.level(path, depth + 1, kind.startswith("~")) if depth < 2 and kind != "=" and self.random.random() < 0.4 else ""
        words = f'"{kind}{path}"' if self.random.random() < 0.2 else f'{kind} "{path}"'
        return f"location {words} {{\n{identity}{self.inherited()}{action}\n{inner}}}"

    def request(self):
        path = "/" + "/".join(self.random.choice((*SEGMENTS, *SEGMENTS, "aa", "", "..", ".", "%61", "b%2Fa")) for _index in range(self.random.randint(0, 3)))
        return self.random.choice(("127.0.0.1", "127.0.0.2")), self.random.choice(HOSTS), path + self.random.choice(("", "", "/"))


def free_ports(count):
    with contextlib.ExitStack() as stack:
        found = []
        for _index in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found.append(listener.getsockname()[1])
        return found


def model_of(text):
    content = base64.b64encode(text.encode()).decode()
    build = {"value": {"version": "1.22.1"}}
    loaded = config.load({"id": "/n.conf", "conf_path": "/n.conf", "build": build, "files": [{"path": "/n.conf", "content": content}]})
    assert not loaded.gaps
    (http_block,) = loaded.blocks("http")
    return locations.servers_of(http_block, {}, True), {id(route.site.statement): route for route in routes.routes_of(loaded, {})}


def predicted(servers, by_statement, address, port, host, path):
    """Return (status, body) as the model says; None where it says that it does not know."""
    server = locations.find_server(servers, f"{address}:{port}", host)
    if server is None:
        return None, None
    found = locations.find_location(server, path)
    if found is None:
        return 400, None
    if found.redirected:
        return 301, None
    if found.location is None:
        return 404, None
    route = by_statement.get(id(found.location.statement))
    if route is None:
        return 200, next(found.location.statement.named("return")).args[1]
    sent = {item.args[0]: item.args[1] for item in route.values("set_header")}
    method = route.value("method")
    # nginx asks for the path as it came when the pass has no URI part, and for the normalised path when it has.
    uri = route.upstream_uri(locations.normalise(path).decode()) if route.uri else path
    seen_host = {"$host": host.lower().rstrip("."), "$proxy_host": route.target.host, None: route.target.host}.get(sent.get("Host"), sent.get("Host"))
    return 200, "|".join((sent.get("X-Id", ""), uri, method.args[0] if method else "GET", seen_host, sent.get("X-Level", "")))


@pytest.fixture(autouse=True)
def _nginx_is_installed():
    if not shutil.which("nginx"):
        pytest.fail("nginx is not installed; install it with: apt-get install nginx-light")


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


def test_timeouts_and_buffers_in_force(tmp_path, backend):
    chance = random.Random(7)

    def limits():
        timeout = chance.choice(("", "", "proxy_read_timeout 100ms; ", "proxy_read_timeout 5s; "))
        return timeout + chance.choice(("", "", "proxy_buffer_size 8k; ", "proxy_buffer_size 1k; "))

    (port,) = free_ports(1)
    passes = f"proxy_pass http://127.0.0.1:{backend};"
    tops = "".join(
        f"location /{number}/ {{ {limits()}{passes}\nlocation /{number}/in/ {{ {limits()}{passes}\n}}\nif ($arg_x) {{ {passes} }}\n}}\n" for number in range(30)
    )
    text = f"{head(tmp_path)}{limits()}\nserver {{ listen 127.0.0.1:{port}; {limits()}\n{tops}}}\n}}\n"
    _servers, by_statement = model_of(text)
    assert len(by_statement) == 90
    seen = set()
    with Nginx(tmp_path, text) as nginx, concurrent.futures.ThreadPoolExecutor(8) as pool:
        paths = {route: route.sample_path + ("?x=1" if route.site.inner else "") for route in by_statement.values()}
        asked = {route: pool.submit(nginx.ask, "127.0.0.1", port, "x", path) for route, path in paths.items()}
        for route, answer in asked.items():
            slow = route.value("read_timeout").seconds < Backend.DELAY
            long = route.value("buffer_size").size < Backend.HEADER
            assert answer.result()[0] == (504 if slow else 502 if long else 200), f"{route.at} {route.location_label}\n{text}"
            seen.add((slow, long))
    assert len(seen) == 4


def test_nginx_and_the_model_agree(tmp_path):
    compared, seen = 0, set()
    for seed in range(ROUNDS):
        port, echo = free_ports(2)
        generator = Generator(seed, port, echo)
        text = generator.text(tmp_path)
        servers, by_statement = model_of(text)
        reachable = {listen.address.rpartition(":")[0] for server in servers for listen in server.listens if listen.address.endswith(f":{port}")}
        with Nginx(tmp_path, text) as nginx:
            for _index in range(REQUESTS):
                address, host, path = generator.request()
                if address not in reachable:
                    address = "127.0.0.1" if address == "127.0.0.2" else "127.0.0.2"
                expected = predicted(servers, by_statement, address, port, host, path)
                status, body = nginx.ask(address, port, host, path)
                about = f"seed {seed}: {address}:{port} Host {host} GET {path}\n{text}"
                assert status == expected[0], about
                if expected[1] is not None:
                    assert re.sub(r"%20", " ", body) == expected[1], about
                compared += 1
                seen.add(status)
    assert compared == ROUNDS * REQUESTS
    assert seen == {200, 301, 400, 404}
