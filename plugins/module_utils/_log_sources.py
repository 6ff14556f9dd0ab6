# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the records of an error_log or access_log directive can be read back.

A plain file is itself. What nginx writes to its standard error is where descriptor 2 of its master leads:
a file, the journal, or the log that a container engine keeps. What it sends to the local syslog is in the
journal and in the files of a syslog daemon. What went to another machine, into memory or to /dev/null
cannot be read back, and that is said: silence of such a log means nothing.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _engine_api as engine_api

MAX_DESCRIPTORS = 2048
JOURNAL_RECORDS = 8000
JOURNAL_SECONDS = 10
JOURNAL_LIMIT = 16 << 20
ENGINE_RECORDS = (8000, 800, 80)
ENGINE_LIMIT = 16 << 20
ENGINE_SECONDS = 10
SYSLOG_FILES = ("/var/log/syslog", "/var/log/messages", "/var/log/daemon.log", "/var/log/local7.log")

_STREAMS = {
    "stderr": 2, "/dev/stderr": 2, "/dev/fd/2": 2, "/proc/self/fd/2": 2, "/dev/stdout": 1, "/dev/fd/1": 1, "/proc/self/fd/1": 1,
}
_OPTION = re.compile(r"([a-z]+)=([^,]*)")
_TAG = re.compile(r"[\w.:/-]{1,64}\Z", re.ASCII)
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\])(?::\d+)?\Z", re.ASCII)
_ID = re.compile(r"[0-9a-f]{64}\Z")
_UNIT = re.compile(r"[\w:.\\@-]{1,255}\.(?:service|scope)\Z", re.ASCII)
_DELETED = " (deleted)"
_ENGINE_FILE = re.compile(r"/[^\0\n]*(?:-json|/ctr)\.log\Z")


class File:
    """A file at path; root is that of a container ("" for our own). held is (pid, descriptor) of one that is deleted and still written to."""

    __slots__ = ("path", "root", "held", "note")

    def __init__(self, path, root="", held=None, note=""):
        self.path = path
        self.root = root
        self.held = held
        self.note = note

    @property
    def key(self):
        """Return what two sources have in common that are the same."""
        return self.root, self.path, self.held

    def open(self, host, path=None):
        """Return (binary file, os.stat_result) of the file, or of another one in its place."""
        if self.held:
            return log_files.open_held(host, self.held[0], self.held[1], self.path)
        return log_files.open_log(host, path or self.path, self.root)


class Journal:
    """Records of systemd's journal that match one of several groups of fields."""

    __slots__ = ("path", "matches")

    def __init__(self, path, matches):
        self.path = path
        self.matches = matches

    @property
    def key(self):
        """Return what two sources have in common that are the same."""
        return self.matches

    def read(self, host, begin):
        """Return (bytes, truncated) of the messages since begin, the oldest first. Raises Unanswered."""
        argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines={0}".format(JOURNAL_RECORDS), "--since=@{0}".format(int(begin))]
        for match in self.matches:
            argv += ["+"] * (match is not self.matches[0]) + [match]
        out = host.run(argv, timeout=JOURNAL_SECONDS, limit=JOURNAL_LIMIT)
        if out.rc != 0:
            raise evidence.Unanswered(evidence.ERROR, "journalctl ended with {0}: {1}".format(out.rc, text.harmless(text.decode(out.err), 200)))
        if not out.out and os.geteuid() != 0:
            raise evidence.Unanswered(evidence.DENIED, "the journal of the system may be read by root only")
        return out.out, out.truncated or out.out.count(b"\n") >= JOURNAL_RECORDS


class EngineLog:
    """What a container writes to its standard streams, as its engine gives it back whatever it keeps it in.

    socket is that of the engine, which one of the users holders must hold; stream is "stdout", "stderr" or "" for both.
    """

    __slots__ = ("path", "socket", "holders", "container", "stream")

    def __init__(self, path, socket, holders, container, stream):
        self.path = path
        self.socket = socket
        self.holders = holders
        self.container = container
        self.stream = stream

    @property
    def key(self):
        """Return what two sources have in common that are the same."""
        return self.socket, self.container, self.stream

    def read(self, _host, begin):
        """Return (bytes, truncated) of the lines since begin, the oldest first, their records with the time of this host. Raises Unanswered."""
        lines, truncated = self.lines(begin, ENGINE_RECORDS, ENGINE_LIMIT)
        return log_files.restamped(lines), truncated

    def lines(self, begin, numbers, limit):
        """Return ([line as bytes, with its time before it], truncated) of the last lines since begin.

        numbers are how many lines are asked for, until their bytes are not more than limit. Raises Unanswered.
        """
        engine = engine_api.Engine(self.socket, self.holders, ENGINE_SECONDS, ENGINE_SECONDS)
        try:
            engine.introduce()
            streams = "stdout={0}&stderr={1}".format(int(self.stream != "stderr"), int(self.stream != "stdout"))
            for number in numbers:
                words = "{0}&timestamps=1&since={1}&tail={2}".format(streams, int(begin), number)
                raw = engine.raw("/containers/{0}/logs?{1}".format(self.container, words), limit=limit + 1, cut=True)
                if len(raw) <= limit:
                    # Of an answer that is cut, the newest would be missing.
                    found = _lines(raw)
                    return found, number != numbers[0] or len(found) >= number
        finally:
            engine.close()
        raise evidence.Unanswered(evidence.ERROR, "{0}: the last {1} lines are larger than {2} bytes".format(self.path, numbers[-1], limit))


# What is asked for, and read at once.
ASKED = (Journal, EngineLog)


class Unseen:
    """A log that cannot be read back, and why."""

    __slots__ = ("path", "why")

    def __init__(self, path, why):
        self.path = path
        self.why = why

    @property
    def key(self):
        """Return what two sources have in common that are the same."""
        return self.path, self.why


def find(host, log):
    """Return the sources of a log: {"path"} and, as far as they are known, "pid", "unit", "container", "root" of its nginx."""
    path = log["path"]
    if path.startswith("memory:"):
        return [Unseen(path, "nginx keeps it in its memory, where only a debugger finds it")]
    if path.startswith("syslog:"):
        return _syslog(host, log)
    if path in _STREAMS:
        return _stream(host, log, _STREAMS[path])
    if path == "/dev/null":
        return [Unseen(path, "nginx writes an error log there, and nothing of it is kept")]
    if log_files.is_elsewhere(path) or not path.startswith("/"):
        return [Unseen(path, "not a file that can be read back")]
    return _file(host, log)


def linked(host, log, target):
    """Return the sources of a log whose file is a link to a device or a standard stream."""
    return find(host, dict(log, path=target)) if not target.startswith("syslog:") else []


def _file(host, log):
    path, root, pid = log["path"], log.get("root", ""), log.get("pid")
    note, held = "", None
    for number, target in _descriptors(host, pid):
        if target == path + _DELETED:
            held = number
        elif target.startswith((path + ".", path + "-")) and not target.endswith(_DELETED):
            note = "nginx still writes to {0}: it was not told that the log was rotated".format(target)
    found = [File(path, root, note=note)]
    if held is not None:
        found.append(File(path, root, (pid, held), "nginx still writes to this file, which has been deleted"))
    return found


def _descriptors(host, pid):
    """Yield (number, target) of the files that a process holds open; none where they may not be looked at."""
    if not pid:
        return
    folder = "/proc/{0}/fd".format(pid)
    try:
        numbers = host.names(folder)
    except evidence.Unanswered:
        return
    for number in numbers[:MAX_DESCRIPTORS]:
        try:
            target = host.link(folder + "/" + number)
        except evidence.Unanswered:
            continue
        if target.startswith("/"):
            yield int(number), target


def _stream(host, log, number):
    path, pid = log["path"], log.get("pid")
    if not pid:
        if _UNIT.match(log.get("unit") or ""):
            return [_journal_of(log)]
        return [Unseen(path, "where it leads cannot be told while nginx does not run")]
    try:
        target = host.link("/proc/{0}/fd/{1}".format(pid, number))
    except evidence.Unanswered as error:
        return [Unseen(path, "where it leads cannot be seen: {0}".format(error.why))]
    if target.startswith("/"):
        if target == "/dev/null":
            return [Unseen(path, "it leads to /dev/null")]
        if log_files.is_elsewhere(target):
            return [Unseen(path, "it leads to {0}".format(target))]
        if target.endswith(_DELETED):
            return [File(target[: -len(_DELETED)], log.get("root", ""), (pid, number), "nginx still writes to this file, which has been deleted")]
        return [File(target, log.get("root", ""))]
    if log.get("container"):
        return _of_container(host, log, number)
    if target.startswith("socket:") and _UNIT.match(log.get("unit") or ""):
        return [_journal_of(log)]
    return [Unseen(path, "it leads to a {0} of whoever started nginx".format(target.partition(":")[0]))]


def _journal_of(log):
    return Journal("journal of {0}".format(log["unit"]), ("_SYSTEMD_UNIT={0}".format(log["unit"]),))


def _of_container(host, log, number):
    """Return where an engine keeps what a container writes to a descriptor, as far as that can be seen from here."""
    name = log["container"]
    if not _ID.match(name):
        return [Unseen(log["path"], "the standard streams of container {0} are kept by its engine".format(name))]
    refused = None
    places = (
        "/var/lib/docker/containers/{0}/{0}-json.log".format(name),
        "/var/lib/containers/storage/overlay-containers/{0}/userdata/ctr.log".format(name),
    )
    for place in places:
        try:
            if host.exists(place):
                return [File(place)]
        except evidence.Unanswered as error:
            refused = Unseen(place, error.why)
    try:
        for pod in host.names("/var/log/containers"):
            if pod.endswith("-{0}.log".format(name)):
                return [File("/var/log/containers/" + pod)]
    except evidence.Unanswered:
        pass
    try:
        return [_kept(host, log, number)]
    except evidence.Unanswered as error:
        if refused is None and error.status == evidence.ABSENT and _has_journal(host):
            return [_journal_of_container(name)]
        return [refused or Unseen(log["path"], "the standard streams of container {0} are kept by its engine: {1}".format(name[:12], error.why))]


def _kept(host, log, number):
    """Return where the engine of a container says that it keeps its streams. Raises Unanswered."""
    name = log["container"]
    engine, said = engine_api.keeper(host, name)
    engine.close()
    about = {"HostConfig": {}, "Config": {}}
    about.update((key, said[key]) for key in about if isinstance(said.get(key), dict))
    kept = about["HostConfig"].get("LogConfig") if isinstance(about["HostConfig"].get("LogConfig"), dict) else {}
    driver = kept.get("Type")
    if driver in ("none", "passthrough"):
        return Unseen(log["path"], "what container {0} writes to its standard streams is not kept: its log driver is {1}".format(name[:12], driver))
    if driver == "journald" and _has_journal(host):
        return _journal_of_container(name)
    for place in (said.get("LogPath"), kept.get("Path")):
        # The word of an engine that is not root's does not open files of root's.
        if engine.uid == 0 and isinstance(place, str) and _ENGINE_FILE.match(place) and name in place and _is_there(host, place):
            return File(place)
    stream = "" if about["Config"].get("Tty") else ("stdin", "stdout", "stderr")[number]
    return EngineLog("log of container {0}".format(name[:12]), engine.path, (engine.uid,), name, stream)


def _journal_of_container(name):
    return Journal("journal of container {0}".format(name[:12]), ("CONTAINER_ID_FULL={0}".format(name),))


def _lines(raw):
    """Return the lines (bytes) of an engine's answer about a log, each with its time before it."""
    try:
        # A long line comes in several pieces.
        whole = b"".join(part for _stream, part in engine_api.pieces(raw))
    except ValueError:
        # That of a terminal comes as it is.
        whole = raw
    return whole.split(b"\n")


def _syslog(host, log):
    options = dict(_OPTION.findall(log["path"][len("syslog:"):]))
    server, tag = options.get("server", ""), options.get("tag", "nginx")
    if _LOOPBACK.match(server):
        found = [File(path) for path in SYSLOG_FILES if _is_there(host, path)]
        return found or [Unseen(log["path"], "it is sent to a syslog daemon of this host that keeps none of {0}".format(", ".join(SYSLOG_FILES)))]
    if not server.startswith("unix:"):
        return [Unseen(log["path"], "it is sent to the syslog at {0}".format(server))]
    if log.get("root"):
        return [Unseen(log["path"], "it is sent to the syslog of a container")]
    found = []
    if _has_journal(host):
        matches = ["SYSLOG_IDENTIFIER={0}".format(tag)] if _TAG.match(tag) else []
        # nginx puts the host's name before its tag, where the journal takes it for a part of the message.
        matches += ["_SYSTEMD_UNIT={0}".format(log["unit"])] if _UNIT.match(log.get("unit") or "") else ["_COMM=nginx"]
        found.append(Journal("journal, of {0}".format(text.harmless(tag, 64)), tuple(matches)))
    # The journal may be told to keep nothing: what a syslog daemon wrote is then all there is.
    found += [File(path) for path in SYSLOG_FILES if _is_there(host, path)]
    return found or [Unseen(log["path"], "no journal, and none of {0}".format(", ".join(SYSLOG_FILES)))]


def _has_journal(host):
    return _is_there(host, "/run/systemd/journal/socket")


def _is_there(host, path):
    try:
        return host.exists(path)
    except evidence.Unanswered:
        return False
