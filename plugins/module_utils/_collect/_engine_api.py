# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading questions to the container engines of a host: Docker's HTTP API over a Unix socket, which Podman speaks too.

Only GET is sent. Answers are bounded in time and bytes, and what they hold is not trusted: a socket in
a user's own folder is answered by whatever that user runs.

An engine is asked only where one runs: on a host whose Docker is stopped, systemd holds its socket and would
start it, and with it containers. Podman has no daemon; its service answers and ends by itself.

Sources: Docker's api/swagger.yaml (versions 1.41 and later; "/version" is asked without a version), Podman's pkg/api/handlers/compat.

This module is private to the collection.
"""

import http.client
import json
import os
import re
import socket
import struct
import threading
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_REPLY = 16 << 20
TIMEOUT = 10.0  # for the whole of one answer; the first one of Podman waits until systemd has started it
SECONDS = 20.0  # for all questions to one engine

SYSTEM_SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock")
USER_SOCKETS = ("docker.sock", "podman/podman.sock")  # below /run/user/UID

API = (1, 41)  # Docker 20.10; a newer engine answers in it, unless it has forgotten it
_PIECE = 1 << 16
# Engines that gave no answer in this visit: each log of each container would wait for them again.
_SILENT = set()
_STREAMS = ("stdin", "stdout", "stderr")  # the first byte of a frame
_FRAME = struct.Struct(">BxxxI")
_PEER = struct.Struct("=iII")
_OF_USER = re.compile(r".*?/run/user/[0-9]+/")
_STATUSES = {401: evidence.DENIED, 403: evidence.DENIED, 404: evidence.ABSENT}


def sockets(host, hidden):
    """Return [(path, user ids one of which must hold it, or None for whoever)] of the sockets of engines, one for each real path.

    A folder that may not be looked into is added to hidden as a sentence.
    """
    wanted = [(path, None) for path in SYSTEM_SOCKETS] + [(path, None) for path in _given(host)]
    for user in _numbers(host, "/run/user"):
        wanted += [("/run/user/{0}/{1}".format(user, name), (0, user)) for name in USER_SOCKETS]
    found, seen = [], set()
    for path, holders in wanted:
        try:
            there = host.exists(path)
        except evidence.Unanswered as error:
            hidden.append("container engines: {0}".format(text.harmless(error.why, 300)))
            continue
        real = os.path.realpath(host.path(path))
        if there and not real.startswith(_folder(host.path(path))):
            # A user would have root talk to any socket, and systemd start what is behind it.
            hidden.append("container engines: {0} leads out of the folder of its user, and was not connected to".format(path))
        elif there and real not in seen:
            seen.add(real)
            found.append((path, holders))
    return found


def check_runs(host, path, holders=None):
    """Raise Unanswered where a connection to a socket of Docker, of which holders are as sockets() has them, would start Docker."""
    if "podman" in os.path.realpath(host.path(path)) or _read(host, 1, "comm") != b"systemd\n":
        return
    if not _dockers(host, holders):
        raise evidence.Unanswered(evidence.ABSENT, "Docker does not run; its socket was not connected to, which would start it")


def _folder(path):
    """Return the real path of the folder of the user whose socket it is, with a slash; "" where it is no user's."""
    found = _OF_USER.match(path)
    return os.path.realpath(found.group()) + "/" if found else ""


def _given(host):
    """Return the paths of sockets that root's Docker was told to listen on."""
    found = []
    for pid in _dockers(host, None):
        words = [word for part in _read(host, pid, "cmdline").split(b"\0") for word in (part.split(b"=", 1) if part.startswith(b"--host=") else [part])]
        for option, value in zip(words, words[1:]):
            if option in (b"-H", b"--host") and value.startswith(b"unix:///"):
                found.append(value[len(b"unix://"):].decode("utf-8", "backslashreplace"))
    return found


def _dockers(host, users):
    """Return the pids of the running Docker daemons of some users; None: of root, who owns /proc, and outside of containers."""
    found = []
    for pid in _numbers(host, "/proc"):
        if _read(host, pid, "comm") == b"dockerd\n":
            try:
                owner, root = host.stat("/proc/{0}".format(pid)).st_uid, host.stat("/proc").st_uid
            except evidence.Unanswered:
                # It has ended.
                continue
            if owner == root and not _in_container(host, pid) if users is None else owner in users:
                found.append(pid)
    return found


def _in_container(host, pid):
    """Return whether a process is in a container: root in there is root's user id here, and may take the name of any program."""
    spaces = []
    for name in (pid, "self"):
        try:
            spaces.append(host.link("/proc/{0}/ns/pid".format(name)))
        except evidence.Unanswered:
            # Without root only its control groups tell.
            return bool(_processes.container_holding(host, pid))
    return spaces[0] != spaces[1] or bool(_processes.container_holding(host, pid))


def _numbers(host, folder):
    try:
        return [int(name) for name in host.names(folder) if name.isdecimal() and len(name) < 11]
    except evidence.Unanswered:
        return []


def _read(host, pid, name):
    try:
        return host.read("/proc/{0}/{1}".format(pid, name), 65536)[0]
    except (evidence.Unanswered, OSError):
        # It has ended, or belongs to another user and is hidden.
        return b""


class Engine:
    """One engine, asked over one connection that is kept.

    path      of its socket
    holders   user ids, one of which must hold the socket at the other end; None: whoever
    kind      "docker" or "podman"; version, api  as it says
    uid       of the user that holds the socket
    """

    def __init__(self, path, holders=None, timeout=TIMEOUT, seconds=SECONDS):
        self.path = path
        self.kind = self.version = self.api = ""
        self.uid = None
        self._timeout = timeout
        self._end = time.monotonic() + seconds
        self._holders = holders
        self._connection = None

    def introduce(self):
        """Ask who it is, and settle on the version of the API. Raises Unanswered; of one that once gave no answer, at once."""
        if self.path in _SILENT:
            raise evidence.Unanswered(evidence.TIMEOUT, "{0} gave no answer before".format(self.path))
        try:
            said = _mapping(self.get("/version", versioned=False))
        except evidence.Unanswered as error:
            if error.status == evidence.TIMEOUT:
                _SILENT.add(self.path)
            raise
        parts = [part.get("Name") for part in said.get("Components") or () if isinstance(part, dict)] if isinstance(said.get("Components"), list) else []
        self.kind = "podman" if "Podman Engine" in parts else "docker"
        self.version = text.harmless(str(said.get("Version", "")), 64)
        latest, oldest = _version(said.get("ApiVersion")), _version(said.get("MinAPIVersion"))
        if latest is None:
            raise evidence.Unanswered(evidence.ERROR, "{0} does not say the version of its API".format(self.path))
        self.api = "{0}.{1}".format(*max(min(API, latest), oldest or (1, 0)))

    def get(self, path, versioned=True, limit=MAX_REPLY):
        """Return what the JSON of an answer stands for. Raises Unanswered."""
        return _parsed(self.raw(path, versioned, limit), self.path)

    def raw(self, path, versioned=True, limit=MAX_REPLY, cut=False):
        """Return the bytes of an answer; cut: those of a longer one up to the limit. Raises Unanswered."""
        left = min(self._timeout, self._end - time.monotonic())
        if left <= 0:
            raise evidence.Unanswered(evidence.TIMEOUT, "{0}: the time for its answers was over".format(self.path))
        try:
            return self._ask("/v{0}{1}".format(self.api, path) if versioned else path, limit, cut, left)
        except evidence.Unanswered:
            self.close()
            raise
        except socket.timeout:
            self.close()
            raise evidence.Unanswered(evidence.TIMEOUT, self._late(left))
        except OSError as error:
            self.close()
            raise evidence.unanswered_by(error, self.path)
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise evidence.Unanswered(evidence.ERROR, "{0}: {1}".format(self.path, type(error).__name__))

    def _late(self, seconds):
        return "{0} gave no answer in {1:g} s".format(self.path, round(seconds, 1))

    def _ask(self, path, limit, cut, seconds):
        deadline = time.monotonic() + seconds
        connection = self._connected(seconds)
        # A time-out is for each read: one that sends a byte now and then must not hold the run.
        end = threading.Timer(seconds, _hang_up, (connection.sock,))
        end.daemon = True
        end.start()
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            body = _body(response, limit + 1)
            if len(body) > limit and not cut:
                raise evidence.Unanswered(evidence.ERROR, "{0}: the answer is larger than {1} bytes".format(self.path, limit))
            if len(body) > limit or response.will_close:
                self.close()
        except (OSError, http.client.HTTPException):
            if time.monotonic() >= deadline:
                raise evidence.Unanswered(evidence.TIMEOUT, self._late(seconds))
            raise
        finally:
            end.cancel()
        if time.monotonic() >= deadline:
            # What was hung up on looks like an answer that ended.
            raise evidence.Unanswered(evidence.TIMEOUT, self._late(seconds))
        if response.status != 200:
            raise evidence.Unanswered(_STATUSES.get(response.status, evidence.ERROR), "{0} answered {1}{2}".format(self.path, response.status, _message(body)))
        return body[:limit]

    def _connected(self, seconds):
        if self._connection is None:
            connection = _UnixConnection(self.path, seconds, _folder(self.path))
            connection.connect()
            self._connection = connection
            self.uid = _PEER.unpack(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[1]
            if self._holders is not None and self.uid not in self._holders:
                raise evidence.Unanswered(evidence.DENIED, "{0} is held by user {1}, whom it does not belong to".format(self.path, self.uid))
        self._connection.sock.settimeout(seconds)
        return self._connection

    def close(self):
        """End the connection; a further question makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _body(response, limit):
    """Return the bytes of a response, at most limit. In small pieces: http.client takes the memory for each before it comes."""
    parts, left = [], limit
    while left > 0:
        part = response.read(min(left, _PIECE))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def keeper(host, container):
    """Return (Engine, what it tells of a container) of the engine that keeps a container of some id; Unanswered where none does."""
    failure = evidence.Unanswered(evidence.ABSENT, "no engine keeps container {0}".format(container[:12]))
    end = time.monotonic() + SECONDS
    for path, holders in sockets(host, []):
        engine = Engine(host.path(path), holders, seconds=end - time.monotonic())
        try:
            check_runs(host, path, holders)
            engine.introduce()
            return engine, _mapping(engine.get("/containers/{0}/json".format(container)))
        except evidence.Unanswered as error:
            engine.close()
            if error.status != evidence.ABSENT:
                failure = error
    raise failure


def pieces(raw):
    """Return [(stream, bytes)] of the log of a container without a terminal: each piece has a head of eight bytes. The last may be cut.

    Raises ValueError for bytes of another form, as those of a terminal are.
    """
    found, at = [], 0
    while at + _FRAME.size <= len(raw):
        stream, length = _FRAME.unpack_from(raw, at)
        if stream >= len(_STREAMS) or raw[at + 1:at + 4] != b"\0\0\0":
            raise ValueError("no frame")
        at += _FRAME.size
        found.append((_STREAMS[stream], raw[at:at + length]))
        at += length
    return found


def _parsed(raw, path):
    # Python reads a number of a million digits for minutes.
    try:
        return json.loads(raw.decode("utf-8", "replace"), parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise evidence.Unanswered(evidence.ERROR, "{0}: the answer is no JSON that can be read ({1})".format(path, type(error).__name__))


def _number(digits):
    return int(digits) if len(digits) < 20 else None


def _mapping(said):
    return said if isinstance(said, dict) else {}


def _version(word):
    """Return (major, minor) of a version such as "1.41", or None."""
    major, _dot, minor = word.partition(".") if isinstance(word, str) and len(word) < 10 else ("", "", "")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None


def _message(body):
    """Return ": " and what an engine says of a failure, or ""."""
    try:
        said = _mapping(_parsed(body, "")).get("message")
    except evidence.Unanswered:
        return ""
    return ": " + text.harmless(said, 200) if isinstance(said, str) else ""


def _hang_up(channel):
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is closed already.
        return


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, whose real path begins with a folder."""

    def __init__(self, path, seconds, folder):
        super().__init__("localhost", timeout=seconds)
        self._path = path
        self._folder = folder

    def connect(self):
        """Connect to the socket. Raises Unanswered where it is elsewhere."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            if not self._folder:
                self.sock.connect(self._path)
                return
            # What is looked at is what is connected to, whatever its user puts there meanwhile.
            held = os.open(self._path, os.O_PATH | os.O_CLOEXEC)
            try:
                here = "/proc/self/fd/{0}".format(held)
                if not os.readlink(here).startswith(self._folder):
                    raise evidence.Unanswered(evidence.DENIED, "{0} leads out of the folder of its user".format(self._path))
                self.sock.connect(here)
            finally:
                os.close(held)
        except BlockingIOError:
            # The accept queue of a socket is full: nobody has taken a connection for some time.
            raise socket.timeout()
