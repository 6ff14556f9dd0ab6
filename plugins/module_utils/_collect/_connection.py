# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection of ours: to a backend as nginx makes it, or to nginx as a client does.

Non-blocking, with a deadline for all of it; plain or over TLS. What was read first is kept, so that a wrong answer can be looked at.

This module is private to the collection.
"""

import errno
import os
import re
import select
import socket
import time

try:
    import ssl
except ImportError:  # a Python built without OpenSSL
    ssl = None

from ansible_collections.webops.bad_gateway.plugins.module_utils import _certificate as certificate
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _tls as tls

_CONNECT_STATUS = {
    errno.ECONNREFUSED: "refused", errno.ENOENT: "absent", errno.EACCES: "denied", errno.EPERM: "denied",
    errno.ETIMEDOUT: "timeout", errno.ENETUNREACH: "unreachable", errno.EHOSTUNREACH: "unreachable", errno.EAGAIN: "full",
}


class Failed(Exception):
    """A try that ended without the answer; status is one of the contract's."""

    def __init__(self, status, why, code=None):
        super().__init__(why)
        self.status = status
        self.why = why
        self.code = code


class Channel:
    """A connected, non-blocking socket with a deadline; seen holds the first bytes that came, peer says who is at the other end."""

    def __init__(self, connection, deadline, peer="the backend"):
        self._connection = connection
        self._deadline = deadline
        self.peer = peer
        self.seen = b""

    def send(self, raw):
        """Send all bytes; raises Failed."""
        while raw:
            self._wait(select.POLLOUT)
            try:
                raw = raw[self._connection.send(raw):]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost(error)

    def receive(self):
        """Return some bytes, or b"" at the end; raises Failed."""
        while True:
            self._wait(select.POLLIN)
            try:
                raw = self._connection.recv(65536)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost(error)
            if len(self.seen) < wire.MAX_HEADER:
                self.seen += raw
            return raw

    def limit(self, seconds):
        """Bring the deadline nearer."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def go_on(self, deadline):
        """Wait until another deadline, after a time-out."""
        self._deadline = deadline

    def _wait(self, event):
        poll = select.poll()
        poll.register(self._connection, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Failed("timeout", "no complete answer within the time; {0} bytes came".format(len(self.seen)))

    def _lost(self, error):
        if error.errno in (errno.ECONNRESET, errno.EPIPE):
            return Failed("reset", "{0} reset the connection ({1}: {2})".format(self.peer, error.errno, error.strerror))
        return Failed("error", "{0}: {1}".format(error.errno, error.strerror))


class TlsChannel:
    """TLS over a Channel. The records go through memory, so that a wrong answer can be looked at."""

    def __init__(self, channel, context, name):
        self._channel = channel
        self.peer = channel.peer
        self._ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name or None)

    @property
    def seen(self):
        """The first bytes that came, encrypted as they are."""
        return self._channel.seen

    def limit(self, seconds):
        """Bring the deadline nearer."""
        self._channel.limit(seconds)

    def go_on(self, deadline):
        """Wait until another deadline, after a time-out."""
        self._channel.go_on(deadline)

    def shake_hands(self):
        """Return {"version", "cipher", "names", "not_after"}; raises Failed."""
        self._pump(self._tls.do_handshake)
        names, not_after = certificate.describe(self._tls.getpeercert(True) or b"")
        return {"version": self._tls.version(), "cipher": (self._tls.cipher() or ("",))[0], "names": names, "not_after": not_after}

    def verify(self, settings, trust):
        """Return the number of intermediate certificates, None when it cannot be told; raises Failed when nginx would not take what was verified."""
        code, why, between = tls.objection(self._tls, self.seen, settings, trust)
        if code:
            raise Failed("untrusted", why, code)
        return between

    def chain(self):
        """Return the certificates (DER) that came, as far as they can be seen."""
        try:
            return tls.chain(self._tls, self.seen)
        except ValueError:
            return []

    def send(self, raw):
        """Send all bytes; raises Failed."""
        while raw:
            raw = raw[self._pump(lambda: self._tls.write(raw)):]

    def receive(self):
        """Return some bytes, or b"" at the end; raises Failed."""
        try:
            return self._pump(lambda: self._tls.read(65536))
        except Failed as failure:
            if failure.status == "closed":
                return b""
            raise

    def _pump(self, operation):
        """Do one operation, moving records to and fro for as long as it wants more of them."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush()
                raw = self._channel.receive()
                if raw:
                    self._incoming.write(raw)
                else:
                    self._ended = True
                    self._incoming.write_eof()
            except ssl.SSLZeroReturnError:
                raise Failed("closed", self.peer + " ended the TLS session")
            except ssl.SSLError as error:
                untrusted = tls.verify_error(error)
                if untrusted:
                    raise Failed("untrusted", untrusted[1], untrusted[0])
                raise self._failure(error.reason or str(error))
            else:
                self._flush()
                return result

    def _flush(self):
        self._channel.send(self._outgoing.read())

    def _failure(self, reason):
        raw = self._channel.seen
        alert = wire.tls_alert(raw, reason)
        if alert:
            return Failed("tls-alert", "TLS alert {0} ({1})".format(*alert), alert[0])
        if len(raw) > 1 and not wire.looks_like_tls(raw):
            return Failed("not-tls", "the answer is not TLS")
        # Not by the reason: a Python older than its OpenSSL gives it a wrong name.
        if self._ended:
            return Failed("closed", self.peer + " closed the connection in TLS")
        return Failed("error", "TLS: {0}".format(reason))


def connect(endpoint, deadline):
    """Return (connected socket or None, connect of the contract)."""
    began = time.monotonic()
    connection = None
    try:
        family, address = address_of(endpoint)
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        code = _connected(connection, address, deadline)
    except Failed as failure:
        status, code, why = failure.status, None, failure.why
    except (ValueError, OSError) as error:
        # OSError without a number: Python itself refuses the address, for its length for example.
        status, code, why = "error", getattr(error, "errno", None), str(error)
    else:
        if code == 0:
            return connection, outcome("ok", None, since(began), "")
        status, why = _CONNECT_STATUS.get(code, "error"), os.strerror(code)
        if code == errno.EAGAIN and family != socket.AF_UNIX:
            # TCP: no free local port or no room in the route cache, connect(2); not the backend's queue.
            status = "error"
    if connection is not None:
        connection.close()
    return None, outcome(status, code, since(began), text.harmless(why, 300))


def _connected(connection, address, deadline):
    """Return the errno of a connect, 0 when it succeeded; raises Failed when the time is over first."""
    code = connection.connect_ex(address)
    if code == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Failed("timeout", "no answer within the time")
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code == 0 and connection.family != socket.AF_UNIX and connection.getsockname() == connection.getpeername():
        # Linux joins a socket to itself when the free local port that it is given is the one asked for.
        return errno.ECONNREFUSED
    return code


def address_of(endpoint):
    """Return (family, address) of "127.0.0.1:3000", "[::1]:3000" or "unix:/run/x.sock"; no name is looked up."""
    if endpoint.startswith("unix:"):
        path = endpoint[len("unix:"):]
        if not path.startswith("/") or "\0" in path:
            raise ValueError("not an absolute path")
        return socket.AF_UNIX, path
    host, colon, port = endpoint.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not (colon and re.match(r"[0-9]{1,5}\Z", port) and 0 < int(port) < 65536):
        raise ValueError("not an address with a port")
    try:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        family, _type, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)[0]
    except (socket.gaierror, UnicodeError):
        raise ValueError("not an IP address")
    return family, address


def read_answer(channel, read):
    """Return (bytes, Verdict) of an answer, read no further than its header needs."""
    raw = b""
    while True:
        part = channel.receive()
        if not part:
            how = "in the middle of the response header" if raw else "without an answer"
            return raw, wire.Verdict("closed", None, None, "{0} closed the connection {1}".format(channel.peer, how))
        raw += part
        verdict = read(raw)
        if verdict is not None:
            return raw, verdict
        if len(raw) >= wire.MAX_HEADER:
            return raw, wire.Verdict("invalid", None, len(raw), "the response header is longer than {0} bytes".format(wire.MAX_HEADER))


def outcome(status, code, seconds, why):
    """Return how a connect went, in the shape of the contract."""
    return {"status": status, "errno": code, "seconds": seconds, "why": why}


def since(began):
    """Return the seconds since a moment of time.monotonic()."""
    return round(time.monotonic() - began, 6)
