# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend answers to nginx: connects as nginx would, where nginx is, and asks once.

Each target gets one connection and one GET or HEAD without a body, in the protocol of the pass. Only
when that fails, short further tries find out what the endpoint speaks: greetings, and HEAD / where a
protocol has none (uWSGI answers a ping only where its ping plugin is built in). Endpoints are asked
side by side, the targets of one endpoint one after the other: a backend with a single worker must not
look slow because of us. Redirects are not followed, bodies are not read. A certificate is verified
where nginx verifies it: see _tls.

header_bytes of a try is what nginx must fit into its *_buffer_size: see _wire. HTTP/2 has none.
Where nothing answers in time, the kernel is asked whether any process took the connection at all, and
how many wait: a busy backend and a slow one look the same from outside. What was taken is waited for further,
up to the target's patience: that tells a slow backend from one that hangs.

seconds count from the start of the try, connecting included, as $upstream_header_time does.

This module is private to the collection.
"""

import functools
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
from ansible_collections.webops.bad_gateway.plugins.module_utils import _response_header as response_header
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _connection as connections
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_way as way
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _sock_diag
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _tls as tls

KEY = "probes"

SPEAKS = ("http", "https", "fastcgi", "uwsgi", "suwsgi", "scgi", "grpc", "grpcs", "memcached", "tls", "fastcgi-status")
METHODS = ("GET", "HEAD")
VERSIONS = ("1.0", "1.1")
# connect: bound on one connect; try: on one further try; further: no other further try begins after
# that; total: on everything. What total would cut short is not begun: its time-out would be ours.
LIMITS = {"connect": 5.0, "try": 2.0, "further": 6.0, "total": 90.0}
MAX_TARGETS = 64
MAX_THREADS = 16
MAX_WAIT = 60.0
MAX_VALUE = 16 * 1024
MAX_OTHERWISE = 4

_FURTHER = {
    "http": ("https", "https-sni", "fastcgi-ping", "scgi", "uwsgi-ping", "uwsgi", "http2", "memcached"),
    "https": ("https-sni", "http", "fastcgi-ping", "uwsgi-ping", "uwsgi", "http2-tls"),
    "https-sni": ("https", "http", "fastcgi-ping", "uwsgi-ping", "uwsgi", "http2-tls"),
    "fastcgi": ("http", "fastcgi-ping", "https", "scgi", "uwsgi-ping", "uwsgi", "memcached"),
    "fastcgi-ping": ("fastcgi", "http", "https", "scgi", "uwsgi-ping", "uwsgi", "memcached"),
    "uwsgi": ("http", "https", "fastcgi-ping", "scgi", "uwsgi-ping", "memcached"),
    "scgi": ("http", "https", "fastcgi-ping", "uwsgi-ping", "uwsgi", "memcached"),
    "http2": ("http", "http2-tls", "https", "fastcgi-ping", "scgi", "uwsgi"),
    "suwsgi": ("uwsgi-ping", "uwsgi", "http"),
    "tls": ("http",),
    "memcached": ("http", "fastcgi-ping", "scgi", "uwsgi-ping", "uwsgi", "https"),
}
_TLS_TRIES = ("https", "https-sni")
# The handshake of WebSocket by the version of HTTP that it is asked in.
_UPGRADES = {"1.1": "websocket", "1.0": "websocket-1.0"}
# What a backend that takes the handshake and wants a certificate of nginx may do without one.
_WITHOUT_CERTIFICATE = ("tls-alert", "closed", "reset")
_HELLOS = {
    "fastcgi-ping": (wire.fastcgi_ping, wire.read_fastcgi_ping),
    "uwsgi-ping": (wire.uwsgi_ping, wire.read_uwsgi_ping),
    "http2": (wire.http2_hello, wire.read_http2),
    "http2-tls": (wire.http2_hello, wire.read_http2),
    "memcached": (wire.memcached_hello, wire.read_memcached),
}
# An HTTP server takes a uwsgi or SCGI request for a bad one of its own: RFC 9110, 15.5.1 and 15.6.
_BAD_REQUEST = (400, 501, 505)
_CONTROL = re.compile("[\x00-\x20\x7f]")
_START = 64
_HINT_BYTES = 2048


def collect(identity, targets, limits=None, decide=()):
    """Return the value of the Probes section of docs/architecture.md.

    identity  {"pid": int or None, "uid": int or None, "gid": int, "groups": [int]}; None: as we are
    targets   list of dict; what a target leaves out is filled in as _target() says
    limits    seconds, see LIMITS
    decide    endpoints that are not connected to, about which SELinux alone is asked

    Raises Unanswered when nginx's namespaces or identity cannot be entered.
    """
    limits = dict(LIMITS, **(limits or {}))
    hidden = []
    asked = [_target(target) for target in targets[:MAX_TARGETS]]
    if len(targets) > MAX_TARGETS:
        hidden.append("{0} more endpoints were not probed: the limit is {1}".format(len(targets) - MAX_TARGETS, MAX_TARGETS))
    ids = _ids(identity)
    if ids is not None and os.geteuid() != 0 and ids["uid"] != os.geteuid():
        # A socket file may answer differently to nginx: better not asked than asked as somebody else.
        unix = [target for target in asked if target["endpoint"].startswith("unix:")]
        asked = [target for target in asked if target not in unix]
        hidden.append("probed as uid {0}: only root can act as uid {1}; {2} Unix sockets were not probed".format(os.geteuid(), ids["uid"], len(unix)))
        ids = None
    # Made here: behind a new root OpenSSL would read that root's configuration.
    contexts = _contexts()
    trust = tls.Trust(asked, (identity or {}).get("pid"))
    result = inside.call(_probe_all, (asked, limits, contexts, trust), (identity or {}).get("pid"), ids, limits["total"] + limits["try"])
    if len(result["probes"]) < len(asked):
        hidden.append("{0} endpoints were not probed: the {1:g} s for all of them were over".format(len(asked) - len(result["probes"]), limits["total"]))
    result["identity"]["pid"] = (identity or {}).get("pid")
    result["decided"] = [{"endpoint": endpoint} for endpoint in decide[:MAX_TARGETS]]
    way.add(_host.Host(), result["probes"] + result["decided"], result["identity"]["pid"], result.pop("peers"))
    return evidence.Partial(result, truncated=bool(hidden), hidden=hidden)


def _ids(identity):
    if not identity or identity.get("uid") is None:
        return None
    return {"uid": identity["uid"], "gid": identity["gid"], "groups": list(identity["groups"])}


def _target(given):
    """Return a target with every key. wait is in seconds, as proxy_read_timeout would bound it."""
    target = {"id": "", "endpoint": "", "speak": "http", "host": "", "method": "GET", "path": "/", "sni": "", "params": {}, "wait": 5.0, "version": "1.0"}
    target.update(identify=True, keep=False, tls=None, nginx="", upgrade=[], otherwise=[], patience=0.0)
    target.update((key, value) for key, value in given.items() if value is not None)
    target["host"] = target["host"] or "localhost"
    target["wait"] = min(max(float(target["wait"]), 0.1), MAX_WAIT)
    target["patience"] = min(max(float(target["patience"]), 0.0), MAX_WAIT)
    return target


def _contexts():
    """Return {protocol to negotiate or "": SSLContext}; {} when this Python has no TLS."""
    if ssl is None:
        return {}
    contexts = {}
    for protocol in ("", "h2"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # As nginx: proxy_ssl_ciphers DEFAULT, and the oldest version that the library still has.
        context.set_ciphers("DEFAULT")
        if hasattr(ssl, "TLSVersion"):
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        if protocol:
            context.set_alpn_protocols([protocol])
        contexts[protocol] = context
    return contexts


def _probe_all(targets, limits, contexts, trust):
    """Probe all targets; runs in the child that is where nginx is."""
    deadline = time.monotonic() + limits["total"]
    places = {}
    for position, target in enumerate(targets):
        place = places.setdefault(target["endpoint"], ({}, []))
        place[1].append((position, _Probe(target, limits, contexts, trust, deadline, place[0])))
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        lists = list(pool.map(lambda place: [(position, probe.run()) for position, probe in place[1]], places.values()))
    done = sorted((pair for pairs in lists for pair in pairs if pair[1] is not None), key=lambda pair: pair[0])
    identity = {"uid": os.geteuid(), "gid": os.getegid(), "groups": sorted(os.getgroups())}
    peers = {endpoint: known["peer"] for endpoint, (known, _probes) in places.items() if known.get("peer")}
    return {"identity": identity, "probes": [probe for _position, probe in done], "peers": peers}


class _Probe:
    """One target: its connection, the try that the pass asks for, and the further ones.

    known is shared by the targets of one endpoint: {(what to try further, server name): the tries}, "left" where a
    request of ours was left unanswered, and "peer", what listens there.
    They are made once.
    """

    def __init__(self, target, limits, contexts, trust, deadline, known):
        self.target = target
        self.limits = limits
        self.contexts = contexts
        self.tls = tls.settings(target["tls"])
        self.trusts, self.trust = trust, trust.of(self.tls)
        self.deadline = deadline
        self.known = known
        self.queue = None
        # The key is thrown away: the marks of backends' own words need not be compared.
        self.redactor = text.Redactor(os.urandom(16).hex())

    def run(self):
        """Return the probe of the contract; None when there is not the time left to make it."""
        began = time.monotonic()
        connect_limit = min(self.limits["connect"], self.target["wait"])
        if began + connect_limit + self.target["wait"] > self.deadline:
            return None
        probe = {"id": self.target["id"], "endpoint": text.harmless(self.target["endpoint"], 4096), "connect": None, "tries": [], "queue": None}
        probe["behind"] = bool(self.known.get("left"))
        refusal = _refusal(self.target) or self._not_to_be_asked()
        if refusal:
            probe["connect"] = connections.outcome("error", None, 0.0, refusal)
            return probe
        connection, probe["connect"] = connections.connect(self.target["endpoint"], began + connect_limit)
        if connection is None:
            if probe["connect"]["status"] in ("full", "timeout"):
                probe["queue"] = _queue(self.target["endpoint"], False)
                self.known["full"] = True
            return probe
        self.known["peer"] = way.peer(connection)
        first = self._first_speak()
        deadline = time.monotonic() + self.target["wait"]
        tried, raw = self._try(first, connection, began, deadline, self.target["method"], self.target["path"], own=True)
        probe["queue"] = self.queue
        # Where the kernel does not tell, the connection may wait too.
        self.known["full"] = self.known.get("full") or self.queue is not None and not self.queue["accepted"]
        unlike = self._unlike(tried)
        if unlike:
            probe["tries"] = [dict(tried, status="unlike", why="{0}; the probe failed: {1}".format(unlike, tried["why"] or tried["code"]))]
            return probe
        if first == "fastcgi-status":
            probe["tries"] = [tried]
            return probe
        speaks = _further_speaks(first, tried, raw, self._asked_as()) if self.target["identify"] else ()
        key = speaks, self._server_name()
        if key not in self.known:
            self.known[key] = self._further(speaks)
        probe["tries"] = _own_first([tried] + self.known[key]) + self._routed(tried)
        # What was taken and not answered may keep the only worker busy while the next target of this endpoint is asked.
        taken = self.queue is None or self.queue["accepted"] is not False
        self.known["left"] = self.known.get("left") or taken and any(item["status"] == "timeout" for item in probe["tries"])
        if self.contexts and self._encrypted(first, True) and self.target["identify"] and self._explicable(tried, self.known[key]):
            probe["tls"] = self._explanation(tried)
            if probe["tls"]["requested"] and tried["status"] in _WITHOUT_CERTIFICATE:
                tried["why"] += "; the backend asks for a certificate of nginx, and none is set here (*_ssl_certificate)"
        return probe

    def _not_to_be_asked(self):
        """Return why a status page is not asked for, or "": it is for those alone whom the pool still takes."""
        full = self.target["speak"] == "fastcgi-status" and self.known.get("full")
        return "not asked: an earlier connection to this endpoint was not taken" if full else ""

    def _encrypted(self, speak, own):
        """Return whether a try is made over TLS: those that always are, and the pass's own where its protocol is."""
        return speak in _TLS_TRIES or speak == "http2-tls" or own and self.target["speak"] in ("https", "grpcs", "suwsgi", "tls")

    def _unlike(self, tried):
        """Return in what nginx differs from a try that failed in TLS, so that the try says nothing of nginx; "" when in nothing."""
        if self.tls["client_certificate"] and (tried["status"] in _WITHOUT_CERTIFICATE or tried["code"] == 400):
            return "nginx shows a certificate of its own here, which the probe does not have"
        failed = tried["tls"] is None and tried["status"] in _WITHOUT_CERTIFICATE + ("error", "untrusted")
        return text.harmless(self.tls["unlike"], 300) if failed else ""

    @staticmethod
    def _explicable(tried, further):
        """Return whether a handshake failed that further ones may explain: not with what answers in plain text, nor with what says nothing.

        One that is closed or reset may be either: a TLS server can answer a plain request too, with a redirect to itself.
        """
        if tried["tls"] or tried["status"] not in ("tls-alert", "closed", "reset", "error", "untrusted"):
            return False
        return tried["status"] != "error" or not any(item["status"] == "ok" and item["speak"] not in _TLS_TRIES for item in further)

    def _explanation(self, tried):
        end = min(time.monotonic() + self.limits["further"], self.deadline - self.limits["try"])
        key = "explained", self.target["sni"], repr(sorted(self.tls.items()))
        if key not in self.known:
            alpn = "h2" if self.target["speak"] == "grpcs" else ""
            self.known[key] = tls.Explanation(self.target, self.trusts, self.trust, alpn, self._shaken, end).make(tried)
        return dict(self.known[key], trust={"changed": self.trust["changed"], "why": text.harmless(self.trust["why"], 300)})

    def _shaken(self, context, why, name, settings, trust):
        """Make one handshake and no request; see tls.Explanation."""
        found = {"status": "untestable", "code": None, "why": why, "version": "", "chain": [], "requested": False}
        if context is None:
            return found
        deadline = time.monotonic() + self.limits["try"]
        connection, connect = connections.connect(self.target["endpoint"], deadline)
        if connection is None:
            return dict(found, status="error", why="connect: " + connect["why"])
        channel = None
        try:
            channel = connections.TlsChannel(connections.Channel(connection, deadline), context, name)
            shaken = channel.shake_hands()
            found.update(status="ok", version=shaken["version"] or "")
            if trust:
                channel.verify(settings, trust)
        except connections.Failed as failure:
            found.update(status="untestable" if tls.refused_by_us(failure.why) else failure.status, code=failure.code, why=failure.why)
        except (OSError, ValueError) as error:
            found.update(status="error", why="{0}: {1}".format(type(error).__name__, error))
        finally:
            connection.close()
        if channel:
            found.update(requested=tls.wants_certificate(channel.seen), chain=channel.chain())
        return dict(found, why=self._shown(found["why"], 300))

    def _routed(self, tried):
        """Return the tries that show whether nginx asks an HTTP backend for the right thing: for WebSocket, and for another path."""
        if self.target["speak"] not in ("http", "https"):
            return []
        wanted = list(self.target["upgrade"]) or (["1.1"] if tried["code"] == 426 else [])
        asked = [(_UPGRADES[version], "GET", self.target["path"]) for version in wanted if version in _UPGRADES]
        if tried["status"] == "ok" and tried["code"] == 404:
            asked += [("other-path", self.target["method"], path) for path in self.target["otherwise"][:MAX_OTHERWISE]]
        tries = []
        for speak, method, path in asked:
            began = time.monotonic()
            connection, connect = connections.connect(self.target["endpoint"], began + self.limits["try"])
            if connection is None:
                tries.append(_tried(speak, "error", connect["seconds"], "connect: " + connect["why"]))
            else:
                tries.append(self._try(speak, connection, began, began + self.limits["try"], method, path, own=True)[0])
        return tries

    def _first_speak(self):
        speak = self.target["speak"]
        if speak in ("grpc", "grpcs"):
            return "http2"
        if speak == "https" and self.target["sni"]:
            return "https-sni"
        if speak == "fastcgi" and not self.target["params"].get("SCRIPT_FILENAME"):
            return "fastcgi-ping"
        return speak

    def _asked_as(self):
        """Return what the first try was in the words of the further ones."""
        return "http2-tls" if self.target["speak"] == "grpcs" else self._first_speak()

    def _further(self, speaks):
        """Return tries, made until one of them is understood or the time for them is over."""
        tries, left = [], list(speaks)
        end = min(time.monotonic() + self.limits["further"], self.deadline - self.limits["try"])
        while left:
            speak = left.pop(0)
            if speak == "https-sni" and not (self._server_name() and _says_anything(tries)):
                continue
            began = time.monotonic()
            deadline = began + self.limits["try"]
            if began >= end:
                break
            connection, connect = connections.connect(self.target["endpoint"], deadline)
            if connection is None:
                status = "timeout" if connect["status"] == "timeout" else "error"
                tries.append(_tried(speak, status, connect["seconds"], "connect: " + connect["why"]))
                break
            tried, raw = self._try(speak, connection, began, deadline, "HEAD", "/")
            tries.append(tried)
            if _understood(tried):
                break
            left = _hinted_first(left, raw, [self._asked_as()] + [item["speak"] for item in tries])
        return tries

    def _try(self, speak, connection, began, deadline, method, path, own=False):
        """Ask once over a fresh connection, close it, and return (try, the bytes that came); own: over TLS where the pass is."""
        tried = _tried(speak)
        channel, raw = connections.Channel(connection, deadline), b""
        try:
            request, read = self._question(speak, method, path)
            if self._encrypted(speak, own):
                channel = self._tls(channel, speak, own)
                shaken = channel.shake_hands()
                if own and self.tls["verify"]:
                    shaken.update(self._verified(channel))
                tried["tls"] = shaken
            channel.send(request)
            raw, verdict = connections.read_answer(channel, read) if read else (channel.seen, wire.Verdict("ok", None, None, ""))
            tried["seconds"] = connections.since(began)
            tried.update(status=verdict.status, code=verdict.code, header_bytes=verdict.header_bytes, why=verdict.why)
            if own and self.target["keep"] and self.target["version"] == "1.1" and speak in ("http", "https", "https-sni") and verdict.status == "ok":
                tried["keep_alive"] = wire.kept_open(raw)
            if speak == "fastcgi-status":
                tried["pool"] = self._page(raw)
            if speak == "http" and verdict.code == 400:
                raw = _read_hint(channel, raw)
        except connections.Failed as failure:
            tried.update(status=failure.status, code=failure.code, why=failure.why, seconds=connections.since(began))
            raw = channel.seen
            if own and failure.status == "timeout" and not raw:
                self.queue = _queue(self.target["endpoint"], _sock_diag.accepted(connection))
            if own and failure.status == "timeout" and (tried["tls"] or not raw):
                tried["late"] = self._late(channel, read, began)
        except (OSError, ValueError) as error:
            tried.update(status="error", why="{0}: {1}".format(type(error).__name__, error), seconds=connections.since(began))
        finally:
            connection.close()
        tried["why"] = self._shown(tried["why"], 300)
        tried["start"] = self._shown(text.decode(raw[:_START]), 4 * _START)
        return tried, raw

    def _late(self, channel, read, began):
        """Wait on for what did not come in time, to tell what is slow from what hangs; return {"status", "seconds"}, or None where that was not done."""
        end = min(began + self.target["patience"], self.deadline - self.limits["try"])
        if self.queue and self.queue["accepted"] is False or end <= time.monotonic():
            return None
        channel.go_on(end)
        try:
            status = connections.read_answer(channel, read)[1].status
        except connections.Failed as failure:
            status = failure.status
        return {"status": status, "seconds": connections.since(began)}

    def _page(self, raw):
        page = wire.status_page(raw)
        return page and {name: self._shown(value, 100) if isinstance(value, str) else value for name, value in page.items()}

    def _shown(self, word, limit):
        return text.harmless(self.redactor.text(word), limit)

    def _tls(self, channel, speak, own):
        if not self.contexts:
            raise connections.Failed("error", "this Python has no ssl module")
        protocol = "h2" if speak in ("http2", "http2-tls") else ""
        if not own:
            return connections.TlsChannel(channel, self.contexts[protocol], self._server_name() if speak in ("https-sni", "http2-tls") else "")
        context = self.contexts[protocol]
        if self.target["tls"]:
            trust = self.trust if self.tls["verify"] and not self.trust["why"] else None
            try:
                context = self.trusts.context(self.tls["protocols"], self.tls["ciphers"], protocol, trust)
            except (ssl.SSLError, ValueError) as error:
                raise connections.Failed("error", "TLS as it is set here cannot be spoken by this host's Python: {0}".format(error))
        return connections.TlsChannel(channel, context, self._server_name() if self.target["sni"] else "")

    def _verified(self, channel):
        """Return what is known of the verification that nginx makes here; raises connections.Failed where nginx would not go on."""
        if self.trust["why"]:
            return {"verified": False, "why": text.harmless(self.trust["why"], 300)}
        between = channel.verify(self.tls, self.trust)
        return {"verified": True, "why": "", "intermediates": between, "trusted_since": self.trust["changed"]}

    def _server_name(self):
        """Return the name for TLS; "" when there is none: RFC 6066 allows no address."""
        return _name_part(self.target["sni"]) or _name_part(self.target["host"])

    def _question(self, speak, method, path):
        """Return (bytes to send, reader of the answer)."""
        target, known = self.target, response_header.version(self.target["nginx"])
        if speak in _UPGRADES.values():
            origin = "{0}://{1}".format(target["speak"], target["host"])
            return wire.websocket_request(path, target["host"], "1.1" if speak == "websocket" else "1.0", origin), wire.read_websocket
        if speak in ("http", "https", "https-sni", "other-path"):
            return wire.http_request(method, path, target["host"], target["version"], target["keep"]), functools.partial(wire.read_http, known=known)
        if speak in ("fastcgi", "uwsgi", "suwsgi", "scgi"):
            variables = wire.cgi_params(method, path, target["host"], target["params"])
            if speak == "fastcgi":
                return wire.fastcgi_request(variables), functools.partial(wire.read_fastcgi, known=known)
            return (wire.scgi_request if speak == "scgi" else wire.uwsgi_request)(variables), functools.partial(wire.read_cgi, known=known)
        if speak == "tls":
            return b"", None
        if speak == "fastcgi-status":
            return wire.fastcgi_status(path), wire.read_fastcgi_status
        ask, read = _HELLOS[speak]
        return ask(), read


def _refusal(target):
    """Return why a target cannot be asked as given, or ""."""
    words = [target["host"], target["sni"], target["method"], target["version"]]
    if any(_CONTROL.search(word) for word in words):
        return "a host, server name, method or version holds a space or control character"
    if target["speak"] not in SPEAKS or target["method"] not in METHODS or target["version"] not in VERSIONS:
        return "unknown protocol, method or version"
    # A line break in a variable would become one in the backend's headers; SCGI ends its words with NUL.
    pairs = [str(word) for pair in target["params"].items() for word in pair]
    if any(character in word for word in pairs for character in "\0\r\n"):
        return "a parameter holds a control character"
    if sum(len(word) for word in pairs) + len(target["path"]) + len(target["host"]) > MAX_VALUE:
        return "the request would be longer than {0} bytes".format(MAX_VALUE)
    return ""


def _queue(endpoint, taken):
    """Return the queue of the contract: whether a process took our connection, and how many wait to be taken."""
    try:
        waiting = _sock_diag.queue_at(*connections.address_of(endpoint))
    except (ValueError, OSError):
        waiting = None
    return {"accepted": taken, "length": waiting[0] if waiting else None, "backlog": waiting[1] if waiting else None}


def _read_hint(channel, raw):
    """Return raw with the first words of the body of a 400, where a TLS server says what it is."""
    channel.limit(0.3)
    try:
        while len(raw) < _HINT_BYTES and not wire.hints_at_tls(raw):
            part = channel.receive()
            if not part:
                break
            raw += part
    except connections.Failed:
        return raw
    return raw


def _name_part(host):
    """Return the name in a Host value; "" for an address."""
    name = re.sub(r":[0-9]*\Z", "", host)
    return "" if ":" in name or re.match(r"[0-9.]*\Z", name) else name


def _further_speaks(first, tried, raw, asked):
    """Return what to try after the first try of a target, raw being the bytes that came; asked as _Probe._asked_as()."""
    if first == "http" and wire.hints_at_tls(raw):
        return _TLS_TRIES
    if tried["status"] == "untrusted":
        return ()
    if first in _TLS_TRIES and tried["status"] == "tls-alert":
        return tuple(speak for speak in _FURTHER[first] if speak in _TLS_TRIES)
    if first == "http" and wire.hinted(raw) == "http2":
        return ("http2",)
    if _understood(tried):
        return ()
    return tuple(_hinted_first(list(_FURTHER[first]), raw, [asked]))


def _own_first(tries):
    """Return tries with the one first that answers the pass: not every FastCGI server takes the question for its limits (uWSGI does not)."""
    if tries[0]["speak"] == "fastcgi-ping" and tries[-1]["speak"] == "fastcgi" and _understood(tries[-1]):
        return tries[-1:] + tries[:-1]
    return tries


def _understood(tried):
    """Return whether an answer is one of a server that speaks the protocol."""
    return tried["status"] == "ok" and not (tried["speak"] in ("uwsgi", "scgi") and tried["code"] in _BAD_REQUEST)


def _hinted_first(left, raw, tried):
    """Return what is left to try, first what the bytes that came look like."""
    hint = wire.hinted(raw)
    if hint == "https":
        # TLS with the protocol of the pass in it, where that is to be tried.
        hint = next((speak for speak in left if speak in ("https", "http2-tls")), hint)
    return [hint] + [speak for speak in left if speak != hint] if hint and hint not in tried else left


def _says_anything(tries):
    """Return whether a TLS server may be there that only wants a name: not when it was silent without one."""
    return not any(tried["speak"] == "https" and tried["status"] == "timeout" and not tried["start"] for tried in tries)


def _tried(speak, status="error", seconds=0.0, why=""):
    return {
        "speak": speak, "status": status, "code": None, "header_bytes": None, "seconds": seconds, "why": why, "start": "", "tls": None, "keep_alive": None,
        "late": None,
    }
