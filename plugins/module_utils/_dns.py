# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks name servers for addresses directly, as nginx's own resolver does: no hosts file, no search domains.

Source: RFC 1035 (messages, UDP and TCP), RFC 3596 (AAAA); which answers nginx takes, and how:
ngx_resolver_process_response() and ngx_resolver_process_a() in its core/ngx_resolver.c.

This module is private to the collection.
"""

import errno
import os
import select
import socket
import struct
import time

A, AAAA = 1, 28
OK, EMPTY, TIMEOUT, UNREACHABLE, ERROR = "ok", "empty", "timeout", "unreachable", "error"
# The response codes that nginx hands on; any other it drops, and waits on.
CODES = {1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"}
RESEND = 1.0
MAX_ADDRESSES = 64
MAX_ALIASES = 8
MAX_TCP = 4

_CNAME, _IN = 5, 1
_HEADER = struct.Struct(">HHHHHH")
_QUESTION = struct.Struct(">HH")
_RECORD = struct.Struct(">HHIH")
_RECURSE = 0x0100
_TRUNCATED = 0x0200
# QR must be set, opcode 0, Z 0: what nginx checks.
_FLAGS, _RESPONSE = 0xF870, 0x8000
_GONE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL, errno.EINVAL)


class Bad(ValueError):
    """Bytes that are no answer to what was asked."""


def query(ident, name, kind):
    """Return the bytes of a question. Raises Bad for what is no name."""
    labels = name.encode("ascii", "replace").rstrip(b".").split(b".")
    if len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise Bad("no name")
    asked = b"".join(struct.pack("B", len(label)) + label for label in labels) + b"\0"
    return _HEADER.pack(ident, _RECURSE, 1, 0, 0, 0) + asked + _QUESTION.pack(kind, _IN)


def parse(raw, ident, name, kind):
    """Return (answer, alias, truncated) of a response: alias is the name to ask for next, or "". Raises Bad."""
    try:
        return _parse(raw, ident, name, kind)
    except (struct.error, IndexError):
        raise Bad("short response")


def _parse(raw, ident, name, kind):
    got, flags, questions, records = _HEADER.unpack_from(raw)[:4]
    if got != ident or flags & _FLAGS != _RESPONSE or questions != 1:
        raise Bad("not the answer")
    asked, at = _name(raw, _HEADER.size)
    if asked != name.lower().rstrip(".") or _QUESTION.unpack_from(raw, at) != (kind, _IN):
        raise Bad("not the question")
    at += _QUESTION.size
    if flags & _TRUNCATED:
        return answer(ERROR, why="the answer was cut off"), "", True
    code = flags & 0xF
    if code:
        return answer(CODES.get(code, ERROR), why="" if code in CODES else "response code {0}".format(code)), "", False
    addresses, ttls, alias = [], [], ""
    for _number in range(records):
        _owner, at = _name(raw, at)
        what, group, ttl, size = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        if at + size > len(raw):
            raise Bad("short response")
        if group == _IN and what == kind and size == (4 if kind == A else 16):
            addresses.append(socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6, raw[at:at + size]))
            ttls.append(ttl)
        elif group == _IN and what == _CNAME:
            alias = _name(raw, at)[0]
            ttls.append(ttl)
        at += size
    if addresses:
        return answer(OK, addresses[:MAX_ADDRESSES], min(ttls)), "", False
    return answer(EMPTY, ttl=min(ttls) if ttls else None), alias, False


def _name(raw, at):
    """Return (name in lower case, offset behind it)."""
    labels, after, hops = [], None, 0
    while True:
        size = raw[at]
        if size & 0xC0:
            hops += 1
            if hops > 64:
                raise Bad("a name that points at itself")
            after = at + 2 if after is None else after
            at = struct.unpack_from(">H", raw, at)[0] & 0x3FFF
        elif size:
            if at + 1 + size > len(raw):
                raise Bad("short response")
            labels.append(raw[at + 1:at + 1 + size])
            at += 1 + size
        else:
            return b".".join(labels).decode("ascii", "backslashreplace").lower(), after or at + 1


def answer(status, addresses=(), ttl=None, why=""):
    """Return what one server said to one question."""
    return {"status": status, "addresses": list(addresses), "ttl": ttl, "why": why}


class _Question:
    """One name, one kind, one server. asked differs from name behind an alias."""

    def __init__(self, server, name, kind):
        self.server = server
        self.name = self.asked = name
        self.kind = kind
        self.aliases = 0
        self.ident = 0
        self.ttl = None
        self.answer = None
        self.heard = ""

    def renew(self):
        """Take a new random identifier and return the bytes to send."""
        self.ident = struct.unpack(">H", os.urandom(2))[0]
        return query(self.ident, self.asked, self.kind)


def ask(servers, names, seconds):
    """Return {server: {name: {"a": answer, "aaaa": answer}}}.

    servers are (address, port). All are asked at once, over UDP and again after RESEND, over TCP where
    the answer was cut off; what is not answered within seconds is a timeout.
    """
    deadline = time.monotonic() + seconds
    questions = [_Question(server, name, kind) for server in servers for name in names for kind in (A, AAAA)]
    channels = {}
    try:
        for server in servers:
            mine = [question for question in questions if question.server == server]
            try:
                channels[server] = _open(server, socket.SOCK_DGRAM)
            except OSError as error:
                _give_up(mine, UNREACHABLE, error.strerror or str(error))
        _converse(channels, questions, deadline)
    finally:
        for channel in channels.values():
            channel.close()
    return _found(questions, seconds)


def _found(questions, seconds):
    found, resolved = {}, set()
    for question in questions:
        if question.answer is None:
            question.answer = answer(TIMEOUT, why=question.heard or "no answer in {0:g} s".format(seconds))
        if question.answer["status"] == OK:
            resolved.add((question.server, question.name))
    for question in questions:
        # nginx asks for an alias only where neither kind came with an address.
        needless = question.aliases and question.answer["status"] != OK and (question.server, question.name) in resolved
        key = "a" if question.kind == A else "aaaa"
        found.setdefault(question.server, {}).setdefault(question.name, {})[key] = answer(EMPTY) if needless else question.answer
    return found


def _open(server, kind):
    address, port = server
    channel = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        channel.setblocking(False)
        # A connected socket takes answers from this server alone, and hears when nobody is there.
        channel.connect((address, port))
    except BlockingIOError:
        return channel
    except OSError:
        channel.close()
        raise
    return channel


def _converse(channels, questions, deadline):
    cut = []
    while True:
        waiting = [question for question in questions if question.answer is None and question not in cut]
        now = time.monotonic()
        if not waiting or now >= deadline:
            break
        _send(channels, waiting)
        _listen(channels, waiting, cut, min(deadline, now + RESEND))
    for question in cut[:MAX_TCP]:
        if question.answer is None:
            _over_tcp(question, max(deadline, time.monotonic() + 0.5))


def _send(channels, waiting):
    for question in waiting:
        if question.answer is not None or question.server not in channels:
            continue
        try:
            channels[question.server].send(question.renew())
        except Bad as error:
            question.answer = answer(ERROR, why=str(error))
        except BlockingIOError:
            continue
        except OSError as error:
            _failed(waiting, question.server, error)


def _failed(waiting, server, error):
    """A server that is not there answers nothing of what was asked of it."""
    if error.errno in _GONE:
        _give_up([question for question in waiting if question.server == server], UNREACHABLE, error.strerror or str(error))


def _give_up(questions, status, why):
    for question in questions:
        if question.answer is None:
            question.answer = answer(status, why=why)


def _listen(channels, waiting, cut, until):
    poll = select.poll()
    servers = dict((channel.fileno(), server) for server, channel in channels.items())
    for number in servers:
        poll.register(number, select.POLLIN)
    while True:
        left = until - time.monotonic()
        open_ = [question for question in waiting if question.answer is None and question not in cut]
        if left <= 0 or not open_:
            return
        for number, _event in poll.poll(left * 1000):
            server = servers[number]
            try:
                raw = channels[server].recv(65535)
            except BlockingIOError:
                continue
            except OSError as error:
                _failed(waiting, server, error)
                poll.unregister(number)
                continue
            _take(raw, [question for question in open_ if question.server == server and question.answer is None], channels[server], cut)


def _take(raw, open_, channel, cut):
    for question in open_:
        try:
            said, alias, truncated = parse(raw, question.ident, question.asked, question.kind)
        except Bad:
            continue
        if truncated:
            cut.append(question)
        elif said["status"] == ERROR or said["status"] == "formerr":
            question.heard = said["why"] or "the server answers {0}".format(said["status"])
        elif _settle(question, said, alias):
            try:
                channel.send(question.renew())
            except (Bad, OSError):
                question.answer = answer(ERROR, why="its alias cannot be asked for")
        return


def _settle(question, said, alias):
    """Keep an answer; return whether the name that it points to has to be asked for."""
    ttls = [ttl for ttl in (question.ttl, said["ttl"]) if ttl is not None]
    question.ttl = min(ttls) if ttls else None
    if alias and question.aliases < MAX_ALIASES:
        question.aliases += 1
        question.asked = alias
        return True
    question.answer = dict(said, ttl=question.ttl)
    return False


def _over_tcp(question, deadline):
    try:
        channel = _open(question.server, socket.SOCK_STREAM)
    except OSError as error:
        question.answer = answer(UNREACHABLE, why="over TCP: {0}".format(error.strerror or error))
        return
    try:
        channel.settimeout(max(0.1, deadline - time.monotonic()))
        raw = question.renew()
        select.select([], [channel], [], max(0.1, deadline - time.monotonic()))
        channel.sendall(struct.pack(">H", len(raw)) + raw)
        size = struct.unpack(">H", _exactly(channel, 2, deadline))[0]
        said, alias, truncated = parse(_exactly(channel, size, deadline), question.ident, question.asked, question.kind)
        if truncated or alias:
            raise Bad("no whole answer over TCP")
        _settle(question, said, "")
    except socket.timeout:
        question.answer = answer(TIMEOUT, why="no answer over TCP")
    except (Bad, OSError) as error:
        question.answer = answer(ERROR, why="over TCP: {0}".format(error))
    finally:
        channel.close()


def _exactly(channel, size, deadline):
    parts = b""
    while len(parts) < size:
        # A server that sends a byte now and then must not hold the run.
        channel.settimeout(max(0.01, deadline - time.monotonic()))
        part = channel.recv(size - len(parts))
        if not part:
            raise Bad("the server closed")
        parts += part
    return parts
