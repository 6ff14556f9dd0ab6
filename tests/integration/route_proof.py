# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random configurations and requests, put to a running nginx and to the model of routes.

A configuration is made of several ports that know nothing of each other, each with servers of its own, so that
one start of nginx serves many small configurations. Every location passes to an echo server of the same nginx,
which tells the URI, method, Host and headers that it got; every block marks its answers with a header.
"""

from __future__ import annotations

import base64
import contextlib
import pathlib
import random
import re
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import locations, passage, routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import BadRequest, Request, host_of, line_of, tls_name
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config

IPV6 = pathlib.Path("/proc/net/if_inet6").exists() and "0" * 31 + "1 " in pathlib.Path("/proc/net/if_inet6").read_text()
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3") + (("[::1]",) if IPV6 else ())
SEGMENTS = ("a", "b", "ab", "x.php", "A", "static", "a b", "é", "a+b", "a&b")
PLAIN_SEGMENTS = ("a", "b", "ab", "x.php", "A", "static")
# As a client writes them.
WRITTEN = (
    "a",
    "b",
    "ab",
    "x.php",
    "A",
    "static",
    "a",
    "b",
    "aa",
    "..",
    ".",
    "",
    "%61",
    "b%2Fa",
    "a%20b",
    "%C3%A9",
    "a+b",
    "a%2Bb",
    "%41",
    "a%26b",
    "%25",
    "a;b",
    "%3F",
)
BROKEN = ("/%zz", "/a/%", "/../a", "/a/../../b", "/%00", "/a%2", "a", "//..//..")
QUERIES = ("", "", "", "", "?", "?x=1", "?x=1&y=a%20b", "?y=2&x=", "?X=0", "?a/../b", "?x=1#f", "#f")
EXPRESSIONS = (
    r"\.php$",
    r"^/a/(.*)$",
    r"/b",
    r"^/(a|ab)/",
    r"[A-Z]",
    r"^/(?<first>[^/]+)/b",
    r"\.(?:php|html)$",
    r"^/a$",
    r"^/$",
    "static",
    r"b/?$",
    r"/a{2}",
    r"^(/[a-z]+)(/.*)?$",
    r"\s",
    r"^/([^/]*)/([^/]*)/?$",
    r"\+b$",
    "^",
    "^/(.*)$",
    "^(.*)/(.*)$",
)
NAMES = (
    "shop.example",
    "www.shop.example",
    "*.shop.example",
    ".shop.example",
    "shop.*",
    "www.*",
    "*.example",
    "other.test",
    '""',
    "_",
    "127.0.0.1",
    "[::1]",
) + (
    r"~^www\d*\.",
    r"~Shop",
    r"~^(?<who>.+)\.test$",
    r"~^(\w+)\.(?:shop\.)?example$",
)
HOSTS = ("shop.example", "www.shop.example", "a.b.shop.example", "shop.test", "www.other.test", "other.test", "SHOP.Example", "www7.example", "nobody") + (
    "shop.example.",
    "shop.example:8080",
    "127.0.0.1",
    "[::1]",
    "[::1]:80",
    "shop..example",
    "",
    ":80",
    "shop.example.:1",
)
REPLACEMENTS = (
    "/$1",
    "/b/$1",
    "/new",
    "/a/b",
    "/x.php",
    "$uri/",
    "/q?p=$1",
    "/q?p=$1&z=2?",
    "/drop?",
    "/$first/$2",
    "$1$2",
    "/$arg_x",
    "/a$is_args$args",
    "/$host",
    "/static/$1/",
) + (
    "/é/$1",
    "$s1",
    "/a//b",
)
CONDITIONS = (
    "$arg_x",
    "-f $request_filename",
    "!-d $document_root/a",
    "!-e $request_filename",
    "$arg_x = 1",
    "$arg_x != 1",
    "$uri ~ ^/a",
    "$uri !~ b",
    "$args ~* (X)=(.)",
    "$host = shop.example",
    "$request_method = POST",
    "$s1",
    "$who",
    "$m1 = two",
    "$request_uri ~* ^/(a+)(.*)$",
    "$http_x_client = yes",
    "$is_args",
)
TRIES = ("$uri $uri/ /x.php?q=$uri&$args", "$uri @n0", "/none =404", "$uri =418", "$uri $uri/ /a/b", "$uri /$arg_x/$host", "$uri =503")
ACTIONS = ("return 418;", "return 418;", "return 503;", "return 503;", "return 302 /r$uri;", "return http://x.test$request_uri;", "return 204;", "", "") + (
    'return 410 "gone $uri";',
)
ABSOLUTE = ("shop.example", "OTHER.test:81", "www.shop.example", "[::1]", "nobody.")
VALUES = (
    "$1",
    "v$1",
    "0",
    "x",
    "$uri",
    "$args",
    "$host",
    "$m1",
    "$m2",
    "$2-$1",
    "$request_uri",
    "$scheme:$server_name",
    "$s1$s2",
    "$document_uri$is_args$query_string",
    "$first",
)


@dataclass(frozen=True)
class Ask:
    """One request of the proof."""

    address: str
    port: int
    method: str
    target: str
    host: str | None
    version: str
    client: str
    tls: bool = False

    @property
    def sni(self) -> str | None:
        """Return the name that it sends in the TLS handshake: that of its Host, as clients do."""
        with contextlib.suppress(BadRequest, locations.Unknown):
            name = tls_name(host_of(self.host.encode())) if self.tls and self.host is not None else None
            return name.decode() if name else None
        return None

    @property
    def raw(self) -> bytes:
        """Return it as bytes that keep the connection open."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}", "Connection: keep-alive", "Content-Length: 0"]
        lines += [] if self.host is None else [f"Host: {self.host}"]
        lines += [f"X-Client: {self.client}"] if self.client else []
        return "\r\n".join((*lines, "", "")).encode()

    @property
    def request(self) -> Request:
        """Return it as the model takes it."""
        host = None if self.host is None else self.host.encode()
        headers = {"connection": b"keep-alive", "content-length": b"0"} | ({"x-client": self.client.encode()} if self.client else {})
        return Request(self.target.encode(), host, self.method, self.version, self.tls, headers)

    def __str__(self) -> str:
        return f"{self.address}:{self.port} Host {self.host!r} {self.method} {self.target} HTTP/{self.version} X-Client {self.client!r}"


@dataclass(frozen=True)
class Answer:
    """What came back: status, the mark of the block, Location, and the body where it tells something."""

    status: int
    mark: str
    location: str
    body: str | None


class Generator:
    """Writes one random configuration that nginx accepts, and requests for it."""

    def __init__(self, seed: int, ports: list[int], echo: int):
        self.random = random.Random(seed)
        self.ports, self.echo = ports, echo
        self.count = 0
        self.reach: dict[int, list[str]] = {}
        self.tls: dict[int, bool] = {}
        self.paths: dict[int, list[str]] = {}

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def number(self) -> int:
        self.count += 1
        return self.count

    def text(self) -> str:
        """Return what stands in http{}: one block a line, so that a small one can be cut out."""
        parts = [
            'map $uri $m1 { default one; "/a" two; ~^/b(?<rest>.*)$ $rest; ~*\\.PHP$ php; }',
            "map $arg_x$host $m2 { 1shop.example both; default $uri; \\~ tilde; }",
            f"map $arg_x $peer {{ default 127.0.0.1:{self.echo}; none ''; }}",
        ]
        parts += [self.inherited()] if self.chance(0.5) else []
        parts += ["merge_slashes off;"] if self.chance(0.1) else []
        return "\n".join(parts + [self.servers(port) for port in self.ports])

    def servers(self, port: int) -> str:
        self.paths[port] = []
        wild = self.chance(0.3)
        tls = self.chance(0.2)
        self.tls[port] = tls
        listens: dict[str, bool] = {}
        found = []
        for _index in range(self.random.choice((1, 2, 3, 4, 5))):
            every = [*ADDRESSES, *(["*", *(["[::]"] if IPV6 else [])] if wild else [])]
            chosen = self.random.sample(every, self.random.randint(1, 2))
            words = []
            for address in chosen:
                default = not listens.get(address) and self.chance(0.2)
                listens[address] = listens.get(address, False) or default
                words.append(f"listen {address}:{port}{' ssl' if tls else ''}{' default_server' if default else ''};")
            found.append(self.server(port, " ".join(words)))
        self.reach[port] = [item.strip("[]") for item in ADDRESSES if item in listens or ("[::]" if item.startswith("[") else "*") in listens]
        return "\n".join(found)

    def server(self, port: int, listens: str) -> str:
        names = " ".join(f'"{name}"' if name.startswith("~") else name for name in self.random.sample(NAMES, self.random.randint(0, 3)))
        head = f"server {{ {listens} {f'server_name {names};' if names else ''} add_header X-Loc {self.number()} always; "
        head += "merge_slashes off; " if self.chance(0.15) else "merge_slashes on; " if self.chance(0.1) else ""
        head += self.inherited()
        named = [f"@n{index}" for index in range(2)]
        head += self.pages(named)
        rewrites = " ".join(self.rewrite(True, 0) for _index in range(self.random.choice((0, 0, 0, 1, 2))))
        inner = "\n".join(
            f"location {name} {{ add_header X-Loc {self.number()} always; {self.inherited()}{self.rewrites(0.3)}{self.proxy('')} }}" for name in named
        )
        return f"{head}{rewrites}\n{self.level(port, '', 0, False)}\n{inner} }}"

    def pages(self, named: list[str]) -> str:
        if not self.chance(0.35):
            return ""
        how = self.random.choice(("", "", "=", "=200", "=503"))
        goal = self.random.choice((*named, "/a/err", "/err?e=1", "$uri/x", "http://away.test/"))
        return f"error_page {self.random.choice(('418', '503 418', '503'))} {how} {goal}; " + ("recursive_error_pages on; " if self.chance(0.3) else "")

    def inherited(self) -> str:
        """Directives of two kinds: one that is replaced as a whole, one that is overridden."""
        if not self.chance(0.4):
            return ""
        host = self.random.choice(
            ("", "Host $host", "Host $proxy_host", "Host $http_host", "Host fixed.test:81", "Host $s1", "Host $host:$server_port", 'Host ""')
        )
        host = f"proxy_set_header {host}; " if host else ""
        method = self.random.choice(("", "proxy_method PUT; ", "proxy_method DELETE; "))
        return f"{host}{method}proxy_set_header X-Level level{self.number()}; "

    def level(self, port: int, prefix: str, depth: int, in_expression: bool) -> str:
        found, used = [], set()
        if depth == 0 and self.chance(0.6):
            used.add((False, "/"))
            found.append(self.location(port, self.random.choice(("", "", "^~")), "/", 0))
        for _index in range(self.random.randint(1, 6 if depth == 0 else 3)):
            # In a location with an expression, nginx takes no other kind.
            kind = self.random.choice(("~", "~*") if in_expression else ("=", "", "", "", "^~", "~", "~*"))
            path = self.random.choice(EXPRESSIONS) if kind.startswith("~") else self.path(prefix)
            same = (kind == "=", path)
            if kind.startswith("~") or same not in used:
                used.add(same)
                if not kind.startswith("~"):
                    self.paths[port].append(path)
                found.append(self.location(port, kind, path, depth))
        return "\n".join(found)

    def path(self, prefix: str) -> str:
        path = prefix or "/"
        for _index in range(self.random.randint(0, 2)):
            path += ("" if path.endswith("/") else self.random.choice(("/", "/", ""))) + self.random.choice(SEGMENTS if self.chance(0.2) else PLAIN_SEGMENTS)
        return path + self.random.choice(("", "/" if not path.endswith("/") else ""))

    def location(self, port: int, kind: str, path: str, depth: int) -> str:
        mark = f"add_header X-Loc {self.number()} always; " if self.chance(0.95) else ""
        mark += f"proxy_set_header X-Id {self.count}; " if self.chance(0.8) else ""
        mark += "internal; " if self.chance(0.06) else ""
        mark += self.pages(["@n0", "@n1"]) if self.chance(0.1) else ""
        mark += f"try_files {self.random.choice(TRIES)}; " if self.chance(0.08) else ""
        uri = "" if kind.startswith("~") else self.random.choice(("", "", "", "/", "/base", "/base/", "/b a?q=".replace(" ", "%20"), "?only=1"))
        action = self.proxy(uri)
        if self.chance(0.1):
            action = f'return 200 "{self.number()}|$uri|$args|{self.random.choice(VALUES)}";'
        elif self.chance(0.12):
            action = self.random.choice(ACTIONS)
        elif self.chance(0.06):
            own = self.random.choice(("", f"proxy_pass http://127.0.0.1:{self.echo};"))
            action += f" limit_except {self.random.choice(('GET', 'POST', 'PUT'))} {{ {own} }}"
        inner = self.level(port, path, depth + 1, kind.startswith("~")) if depth < 2 and kind != "=" and self.chance(0.4) else ""
        words = f'"{kind}{path}"' if self.chance(0.2) else f'{kind} "{path}"'
        return f"location {words} {{ {mark}{self.inherited()}{self.rewrites(0.35)}{action}\n{inner} }}"

    def proxy(self, uri: str) -> str:
        if self.chance(0.15):
            # A URI part after a variable is the whole URI.
            uri = self.random.choice(("", "", "/v", "$request_uri", "$uri", "/v$is_args$args", "/$1"))
            return self.random.choice((f"proxy_pass http://$peer{uri};", f"set $s2 127.0.0.1:{self.echo}; proxy_pass http://$s2{uri};"))
        return f"proxy_pass http://127.0.0.1:{self.echo}{uri};"

    def rewrites(self, share: float) -> str:
        return " ".join(self.rewrite(False, 0) for _index in range(self.random.choice((1, 1, 2, 3)))) + " " if self.chance(share) else ""

    def rewrite(self, server: bool, depth: int) -> str:
        kind = self.random.choice(("rewrite", "rewrite", "rewrite", "set", "set", "break", "if", "if"))
        if kind == "set":
            return f"set {self.random.choice(('$s1', '$s1', '$s2', '$args'))} \"{self.random.choice(VALUES)}\";"
        if kind == "break":
            return "break;" if self.chance(0.5) else ""
        if kind == "if" and depth == 0:
            condition = " ".join(word if index < 2 else f'"{word}"' for index, word in enumerate(self.random.choice(CONDITIONS).split(" ")))
            condition = re.sub(r'"([^"]*)"$', r'"\1"', condition)
            own = "" if server else f"add_header X-Loc {self.number()} always; " + self.random.choice(("", self.proxy("").rpartition("; ")[2]))
            body = self.random.choice((self.rewrite(server, 1), self.rewrite(server, 1), 'return 200 "if $uri $1";', "return 418;", ""))
            return f"if ({condition}) {{ {own}{body} }}"
        flag = self.random.choice(("", "last", "last", "break", "break", "redirect", "permanent") if not server else ("", "last", "last", "break", "redirect"))
        goal = self.random.choice(REPLACEMENTS) if not self.chance(0.05) else "https://$host/to$uri"
        return f'rewrite "{self.random.choice(EXPRESSIONS)}" "{goal}" {flag};'

    def ask(self) -> Ask:
        """Return a request that reaches a socket of the configuration."""
        port = self.random.choice(self.ports)
        pick = self.random.random()
        if pick < 0.45 and self.paths[port]:
            base = self.random.choice(self.paths[port])
            target = "".join(char if char.isascii() and char != " " else "".join(f"%{byte:02X}" for byte in char.encode()) for char in base)
            target += self.random.choice(("", "", "/", "x", "/b", "/x.php", "a", "//b", "/./", "/%61"))
            target = target.rstrip("/") or "/" if self.chance(0.1) else target
        elif pick < 0.97:
            target = "/" + "/".join(self.random.choice(WRITTEN) for _index in range(self.random.randint(0, 3))) + self.random.choice(("", "", "/"))
        else:
            target = self.random.choice(BROKEN)
        target += self.random.choice(QUERIES)
        host: str | None = self.random.choice(HOSTS[:9] if self.chance(0.8) else HOSTS)
        version = "1.1"
        if self.chance(0.04):
            target = f"http://{self.random.choice(ABSOLUTE)}" + (target if self.chance(0.8) else "?x=1")
        if self.chance(0.04):
            version = "1.0"
            host = None if self.chance(0.5) else host
        elif self.chance(0.01):
            host = None
        method = "POST" if self.chance(0.1) else "GET"
        return Ask(self.random.choice(self.reach[port]), port, method, target, host, version, "yes" if self.chance(0.2) else "", self.tls[port])


CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT.check_hostname = False
CLIENT.verify_mode = ssl.CERT_NONE


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        found = []
        for _index in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("0.0.0.0", 0))
            found.append(listener.getsockname()[1])
        return found


def whole(folder, text: str, echo: int) -> str:
    """Return a main file around what stands in http{}."""
    certificate = folder / "certificate.pem"
    if not certificate.exists():
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x", "-days", "2"]
        subprocess.run([*command, "-keyout", folder / "key.pem", "-out", certificate], check=True, capture_output=True)
    paths = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"daemon off; master_process off; error_log {folder}/error.log crit; pid {folder}/pid;\nevents {{ worker_connections 900; }}\n"
        f"http {{ access_log off; ssl_certificate {certificate}; ssl_certificate_key {folder}/key.pem;\n"
        "server_names_hash_bucket_size 128; variables_hash_bucket_size 128; proxy_headers_hash_bucket_size 128;\n"
        f"absolute_redirect off; root {folder}/nothing; uninitialized_variable_warn off; keepalive_requests 100000; {paths}\n{text}\n"
        # What it sets and captures makes the variables known everywhere.
        f'server {{ listen 127.0.0.1:{echo}; merge_slashes on; set $s1 x; set $s2 x; if ($uri ~ "^(?<who>!)(?<first>!)") {{ break; }}\n'
        'return 200 "$http_x_id|$request_uri|$request_method|$http_host|$http_x_level"; }\n}\n'
    )


class Nginx:
    """An nginx in the foreground with everything below one folder."""

    def __init__(self, folder, text: str):
        self._folder, self._path = folder, folder / "nginx.conf"
        self._path.write_text(text)

    def __enter__(self) -> Nginx:
        command = ["nginx", "-p", str(self._folder), "-c", str(self._path), "-e", str(self._folder / "error.log")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        self._process.stderr.close()

    def ask(self, asks: list[Ask]) -> list[Answer]:
        """Return the answers to requests; those for one socket go over one connection, one after another."""
        found: list[Answer | None] = [None] * len(asks)
        by_socket: dict[tuple[str, int, bool, str | None], list[int]] = {}
        for index, ask in enumerate(asks):
            by_socket.setdefault((ask.address, ask.port, ask.tls, ask.sni), []).append(index)
        for (address, port, tls, sni), indexes in by_socket.items():
            waiting = indexes
            while waiting:
                opened = self._connect((address, port))
                opened = CLIENT.wrap_socket(opened, server_hostname=sni) if tls else opened
                answers = self._batch(opened, [asks[index].raw for index in waiting[:32]])
                for index, answer in zip(waiting, answers):
                    found[index] = answer
                assert answers, f"no answer to {asks[waiting[0]]}"
                waiting = waiting[len(answers) :]
        return found

    @staticmethod
    def _batch(opened: socket.socket, raws: list[bytes]) -> list[Answer]:
        """Send requests at once; return the answers until the connection ends."""
        connection = _Connection(opened)
        try:
            connection.socket.sendall(b"".join(raws))
            answers = []
            for _raw in raws:
                answer = connection.read()
                if answer is None:
                    break
                answers.append(answer)
            return answers
        finally:
            connection.close()

    def wait(self, place: tuple[str, int]) -> None:
        """Wait until a socket is there."""
        self._connect(place).close()

    def _connect(self, place: tuple[str, int]) -> socket.socket:
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(place, timeout=10)
            except ConnectionRefusedError:
                assert self._process.poll() is None, self._refused()
                assert time.monotonic() < deadline
                time.sleep(0.005)

    def _refused(self) -> str:
        """Return why nginx did not start, with the line that it refuses."""
        said = self._process.stderr.read().decode()
        line = re.search(r":(\d+)$", said, re.MULTILINE)
        return said + (self._path.read_text().split("\n")[int(line.group(1)) - 1] if line else "")


class _Connection:
    """Reads answers, one after another."""

    def __init__(self, opened: socket.socket):
        self.socket = opened
        self._buffer = b""

    def close(self) -> None:
        self.socket.close()

    def read(self) -> Answer | None:
        """Return the next answer; None when the connection ended before it."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines)}
        status = int(first.split(" ")[1])
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length and self._more():
            pass
        body, self._buffer = self._buffer[:length].decode("latin-1"), self._buffer[length:]
        return Answer(status, headers.get("x-loc", ""), headers.get("location", ""), body)

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return False
        self._buffer += data
        return bool(data)


def configuration_of(text: str) -> config.Configuration:
    """Return a main file as the model reads it."""
    content = base64.b64encode(text.encode()).decode()
    build = {"value": {"version": "1.22.1"}}
    loaded = config.load({"id": "/n.conf", "conf_path": "/n.conf", "build": build, "files": [{"path": "/n.conf", "content": content}]})
    assert not loaded.gaps, loaded.gaps
    return loaded


def predict(block: routes.Http, ask: Ask, echo: str) -> tuple[Answer | None, passage.Passage | None]:
    """Return the answer that the model expects, None where it says that it does not know, and the passage."""
    listen = locations.listen_for(block.servers, ask.address, ask.port)
    around = passage.Surroundings(block.servers, listen, block.site, ask.port)
    found = passage.go(around, ask.request, granted=passage.NO_FILES)
    return _expected(found, echo), found


def _expected(found: passage.Passage, echo: str) -> Answer | None:
    if found.end == passage.UNKNOWN:
        return None
    if found.end == passage.BAD:
        return Answer(400, "", "", None)
    marks = [item.args[1] for item in found.site.in_force("add_header")]
    mark = marks[-1] if marks else ""
    if found.end == passage.STATIC:
        pages = [word for item in found.site.in_force("error_page") for word in item.args[:-1]]
        return None if "404" in pages else Answer(404, mark, "", None)
    if found.end == passage.REDIRECT:
        return Answer(found.status, mark, found.uri.decode("latin-1"), None)
    if found.end == passage.ANSWER:
        return Answer(found.status, mark, "", None if found.uri is None else found.uri.decode("latin-1"))
    if found.goal.why or found.goal.host != echo:
        # A word that is no place to go to.
        return Answer(found.status or 502, mark, "", None)
    try:
        echoed = found.uri.startswith(b"/") and line_of(found.uri).uri(True) and (found.host is None or host_of(found.host))
    except BadRequest:
        echoed = False
    except locations.Unknown:
        return None
    if not echoed:
        # The echo refuses it, as any nginx does.
        return Answer(found.status or 400, mark, "", None)
    sent = {item.args[0]: item.args[1] for item in found.site.in_force("proxy_set_header")}
    methods = found.site.in_force("proxy_method")
    method = methods[-1].args[0] if methods else found.method
    uri, host = found.uri.decode("latin-1"), (found.host or b"").decode("latin-1")
    return Answer(found.status or 200, mark, "", "|".join((sent.get("X-Id", ""), uri, method, host, sent.get("X-Level", ""))))


def differs(expected: Answer, seen: Answer) -> bool:
    """Return whether nginx did something else than the model says."""
    if expected.status == 400:
        return seen.status != 400
    if expected.status == 502:
        # 500 where the word is not even written as a place.
        return seen.status not in (500, 502)
    fixed = (expected.status, expected.mark, expected.location) != (seen.status, seen.mark, seen.location)
    return fixed or (expected.body is not None and expected.body != seen.body)


@dataclass
class Tally:
    """What a run of the proof counted; wrong are texts with a small reproduction each."""

    pairs: int
    unknown: int
    seen: dict[str, int]
    wrong: list[str]


def run(folder, pairs: int, first_seed: int, ports: int = 10, each: int = 500, most_wrong: int = 3) -> Tally:
    """Compare so many pairs of configuration and request, until most_wrong mismatches are found."""
    tally = Tally(0, 0, {}, [])
    seed = first_seed
    while tally.pairs < pairs and len(tally.wrong) < most_wrong:
        *free, echo = free_ports(ports + 1)
        generator = Generator(seed, free, echo)
        text = whole(folder, generator.text(), echo)
        (block,) = routes.blocks_of(configuration_of(text), {})
        asks = [generator.ask() for _index in range(min(each, pairs - tally.pairs))]
        with Nginx(folder, text) as nginx:
            for ask, seen in zip(asks, nginx.ask(asks)):
                expected, found = predict(block, ask, f"127.0.0.1:{echo}")
                tally.pairs += 1
                if expected is None:
                    tally.unknown += 1
                    why = found.why or "whether the echo takes this Host"
                    tally.seen[f"unknown: {why}"] = tally.seen.get(f"unknown: {why}", 0) + 1
                    continue
                tally.seen[found.end] = tally.seen.get(found.end, 0) + 1
                for step in found.steps:
                    tally.seen[step.kind] = tally.seen.get(step.kind, 0) + 1
                if differs(expected, seen):
                    tally.wrong.append(f"seed {seed}: {ask}\n  model {expected}\n  nginx {seen}\n{_steps(found)}\n{reproduction(text, ask)}")
        seed += 1
    return tally


def _steps(found: passage.Passage) -> str:
    return "\n".join(f"  {step.kind}: {step.says} ({step.at})" for step in found.steps)


def reproduction(text: str, ask: Ask) -> str:
    """Return the part of a configuration that can have to do with a request: http{} and the servers of its port."""
    kept, keep = [], True
    for line in text.split("\n"):
        if line.startswith("server {"):
            keep = f":{ask.port}" in line
        kept += [line] if keep else []
    return "\n".join(kept)
