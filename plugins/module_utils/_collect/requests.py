# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx answers to a client: requests that go through it, made on its own host, in its network and mount namespace.

Each is one GET or HEAD of HTTP/1.1 without a body, or the opening handshake of WebSocket; what listens in stream{} is connected
to, and watched for a moment: nginx closes the connection of a client for whom it gets no backend. Redirects are not followed.
The certificate of nginx is not verified: it is that of the server that is asked, and the names and the clock of a client are
not those of this host. Of a body so much is read as lets a short one end: a backend whose client hangs up may complain of it.

Requests of one queue are made one after the other: a backend with a single worker must not look slow because of us.

This module is private to the collection.
"""

import os
import re
import time
from concurrent.futures.thread import ThreadPoolExecutor

try:
    import ssl
except ImportError:  # a Python built without OpenSSL
    ssl = None

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _connection as connections

ASKED = "requests through nginx"
METHODS = ("GET", "HEAD")
MAX_REQUESTS = 128
MAX_THREADS = 16
MAX_TIMEOUT = 300.0
TOTAL = 120.0

# How long a session of stream{} is watched, and how long and how far a body is read.
_WATCH = 1.0
_BODY_SECONDS = 1.0
_BODY_BYTES = 1 << 20
_CONNECT = 5.0
_NGINX = "nginx"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r\n]")
_LONGEST_LINE = 13
_HEADER_END = re.compile(rb"\n\r?\n")
_CONTROL = re.compile("[\x00-\x20\x7f]")
_ADDRESS = re.compile(r"[0-9.]*\Z|\[")
_TITLE = re.compile(r"(?:nginx|openresty|angie|tengine|freenginx): (master|worker) process")
_GRACE = 5.0  # seconds for what a request that was begun in time still does


def collect(pid, requests, total=TOTAL):
    """Return a list of {"id", "status", "code", "seconds", "why"} as a Partial, in the order of the requests.

    pid       a process of the nginx, or None; where it has ended meanwhile, the one nginx that runs is taken
    requests  list of dict: id, endpoint ("127.0.0.1:80", "unix:/run/x.sock"), and what _request() fills in
    total     seconds for all of them

    status is "ok" where nginx answered, or holds the session of a stream; code is the status of the answer, else 0.
    The other words are those of probes. Raises Unanswered where the namespaces of nginx cannot be entered.
    """
    hidden = []
    asked = [_request(request) for request in requests[:MAX_REQUESTS]]
    if len(requests) > MAX_REQUESTS:
        hidden.append("{0} more requests were not made: the limit is {1}".format(len(requests) - MAX_REQUESTS, MAX_REQUESTS))
    if pid is not None and os.geteuid() != 0:
        hidden.append("the requests were made as uid {0}, from its own namespaces: only root enters those of nginx".format(os.geteuid()))
        pid = None
    # Made here: behind a new root OpenSSL would read that root's configuration.
    made = inside.call(_ask_all, (asked, _context(), total), _alive(pid), None, total + _GRACE)
    if len(made) < len(asked):
        hidden.append("{0} requests were not made: the {1:g} s for all of them were over".format(len(asked) - len(made), total))
    return evidence.Partial(made, truncated=bool(hidden), hidden=hidden)


def _request(given):
    """Return a request with every key. timeout is in seconds, for the whole header of the answer."""
    request = {
        "id": "", "endpoint": "", "kind": "http", "tls": False, "proxy_protocol": False, "server_name": "", "method": "GET", "path": "/",
        "upgrade": False, "timeout": 10.0, "queue": "",
    }
    request.update((key, value) for key, value in given.items() if value is not None)
    request["timeout"] = min(max(float(request["timeout"]), 0.1), MAX_TIMEOUT)
    return request


def _alive(pid):
    """Return the process whose namespaces are entered: the one that was named while it is an nginx, else a master while there is one alone."""
    if pid is None:
        return None
    processes = _processes.scan(_host.Host())
    named = processes.get(pid)
    if named is not None and (_TITLE.match(named.title()) or _NGINX in named.program()):
        return pid
    titles = [(process, _TITLE.match(process.title())) for process in processes]
    masters = [process for process, title in titles if title and title.group(1) == "master"]
    if len(masters) > 1:
        raise evidence.Unanswered(evidence.ABSENT, "process {0} of nginx has ended, and several nginx run: which of them it was cannot be told".format(pid))
    return masters[0].pid if masters else None


def _context():
    """Return what speaks TLS with nginx; None when this Python has no TLS."""
    if ssl is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask_all(requests, context, total):
    """Make all requests; runs in the child that is where nginx is."""
    deadline = time.monotonic() + total
    queues = {}
    for position, request in enumerate(requests):
        queues.setdefault(request["queue"] or "#{0}".format(position), []).append((position, request))
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        lists = list(pool.map(lambda queue: [(position, _ask(request, context, deadline)) for position, request in queue], queues.values()))
    made = sorted((pair for pairs in lists for pair in pairs if pair[1] is not None), key=lambda pair: pair[0])
    return [answer for _position, answer in made]


def _ask(request, context, deadline):
    """Make one request; None when there is not the time left for it."""
    began = time.monotonic()
    if began + request["timeout"] > deadline:
        return None
    refusal = _refusal(request)
    if refusal:
        return _answer(request, began, "error", refusal)
    connection, connect = connections.connect(request["endpoint"], began + min(_CONNECT, request["timeout"]))
    if connection is None:
        return _answer(request, began, connect["status"], connect["why"])
    channel = connections.Channel(connection, began + request["timeout"], _NGINX)
    try:
        lead = _proxy_header(connection) if request["proxy_protocol"] else b""
        if request["tls"]:
            channel.send(lead)
            channel, lead = _over_tls(channel, context, request["server_name"]), b""
        return (_watched if request["kind"] == "stream" else _answered)(request, channel, lead, began)
    except connections.Failed as failure:
        return _answer(request, began, failure.status, failure.why)
    except (OSError, ValueError) as error:
        return _answer(request, began, "error", "{0}: {1}".format(type(error).__name__, error))
    finally:
        connection.close()


def _over_tls(channel, context, name):
    if context is None:
        raise connections.Failed("error", "this Python has no ssl module")
    speaks = connections.TlsChannel(channel, context, "" if _ADDRESS.match(name) else name)
    speaks.shake_hands()
    return speaks


def _answered(request, channel, lead, began):
    """Ask, and return what nginx answers; lead goes before the request."""
    host = _host_header(request)
    if request["upgrade"]:
        asked = wire.websocket_request(request["path"], host, "1.1", "{0}://{1}".format("https" if request["tls"] else "http", host))
    else:
        asked = wire.http_request(request["method"], request["path"], host, "1.1")
    channel.send(lead + asked)
    raw, verdict = connections.read_answer(channel, read_status)
    answer = _answer(request, began, verdict.status, verdict.why, verdict.code or 0)
    _drain(channel, len(raw))
    return answer


def _watched(request, channel, lead, began):
    """Return whether nginx holds the session of a stream for a moment."""
    channel.send(lead)
    channel.limit(_WATCH)
    try:
        said = channel.receive()
    except connections.Failed as failure:
        if failure.status != "timeout":
            raise
        return _answer(request, began, "ok", "")
    return _answer(request, began, "ok", "") if said else _answer(request, began, "closed", "nginx closed the session at once")


def _drain(channel, taken):
    """Read what is left of a short body."""
    channel.limit(_BODY_SECONDS)
    try:
        while taken < _BODY_BYTES:
            part = channel.receive()
            if not part:
                return
            taken += len(part)
    except connections.Failed:
        # The status is known; how the body went on is not asked.
        return


def read_status(raw):
    """Read the status of an answer; one that only announces another (1xx) is passed over."""
    while True:
        line = _STATUS_LINE.match(raw)
        if line is None:
            if len(raw) < _LONGEST_LINE:
                return None
            return wire.Verdict("invalid", None, None, "the answer does not begin with an HTTP status line")
        code = int(line.group(1))
        if code >= 200 or code == 101:
            return wire.Verdict("ok", code, None, "")
        end = _HEADER_END.search(raw)
        if end is None:
            return None
        raw = raw[end.end():]


def _proxy_header(connection):
    """Return the header of the PROXY protocol, version 1, for a connection of ours: it says who the client is, and that is us."""
    ours, theirs = connection.getsockname(), connection.getpeername()
    if not isinstance(ours, tuple):
        return b"PROXY UNKNOWN\r\n"
    family = "TCP6" if ":" in ours[0] else "TCP4"
    return "PROXY {0} {1} {2} {3} {4}\r\n".format(family, ours[0], theirs[0], ours[1], theirs[1]).encode("ascii")


def _host_header(request):
    """Return Host as a browser has it: with the port where it is not the usual one."""
    name = request["server_name"] or "localhost"
    port = "" if request["endpoint"].startswith("unix:") else request["endpoint"].rpartition(":")[2]
    return name if port in ("", "443" if request["tls"] else "80") else "{0}:{1}".format(name, port)


def _refusal(request):
    """Return why a request cannot be made as given, or ""."""
    if _CONTROL.search(request["server_name"]):
        return "the server name holds a space or control character"
    if request["method"] not in METHODS:
        return "unknown method"
    return ""


def _answer(request, began, status, why, code=0):
    return {"id": request["id"], "status": status, "code": code, "seconds": connections.since(began), "why": text.harmless(why, 300)}
