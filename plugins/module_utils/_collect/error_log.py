# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx's error logs say about failing upstreams, grouped on the host.

A log is read from its end, in blocks, until the window begins or a bound is met; then the rotated files
that still belong to the window. Most lines of most logs are none of ours and are turned away on their
bytes; a line of the usual shape is recognised by one regular expression and a table of the shapes already
understood; only what is left is taken apart. So a gigabyte costs seconds and little memory.

Everything in a log is the client's to write. A log is therefore never evidence of more than "look
here", its texts leave the host harmless and without secrets, and a link that another user may have put
in the log's place is not followed.

This module is private to the collection.
"""

import os
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_sources as log_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_log as nginx_log
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "error_log"

LIMIT = 16 << 20
GROUPS = 500
# Groups held while reading: a client that forges many different records must not push out the true ones.
GROUPS_HELD = 4 * GROUPS
CONFIGURATION = 100
NOTICES = 50
LOGS = 512
JOURNALS = 4
UNSEEN = 20
PATHS = 5
PIDS = 8
# Seconds in which records were written, the newest part of the log first: what a backend's own log is joined with.
MOMENTS = 40
METHODS = 8
SAMPLES = 5
SAMPLE_LENGTH = 1000
PATH_LENGTH = 200
FIELD_LENGTH = 300
SHAPES = 4000
SECONDS = 60.0
RECORD_LINES = 64
NEAR_END = 1 << 13
SLACK = log_files.SLACK

_QUIET = ("crit", "alert", "emerg")

# A record of the usual shape, with a quick way to what tells one group from another. Sets of one character
# are what the expression engine runs over fastest.
_USUAL = re.compile(
    rb"[0-9/]{10} [0-9:]{8} (\[(?:error|crit|warn|info)\] [0-9]{1,10})#[0-9]+: \*[0-9]+ ([^,]*), client: [^,]*, (server: [^,]*)"
    rb"(?:, request: \"([A-Z]{1,16}) ([^ ]*) HTTP/[0-9.]+\")?, (upstream: \"(?:[a-z]+://)?(?:unix:[^\":]*[\":]|[^\"/]*))"
)
_MARK = b"upstream"
# How the records begin that have no mark in them; every other line without it is none of ours. The expression
# begins with a newline, which is what the engine finds fastest, and goes by first letters, of which few fit.
_ELSEWHERE = re.compile(
    rb"\n(?:.{19} \[(?:"
    rb"(?:error|crit|warn|info)\] [0-9]+#[0-9]+: (?:\*[0-9]+ )?(?:"
    rb"c(?:lient (?:intended|sent plain|prem)|ould |ache |onnect\(\) .*while resolving)"
    rb"|a(?:ccept4?\(\) failed|uth request|n? (?:client|upstream) re)"
    rb"|SSL_set_"
    rb"|s(?:ubrequests cycle|cgi |uwsgi |ervice |(?:ocket|end)\(\) .*while resolving)"
    rb"|[FbefghiklmnprtuwzR0-9](?:astCGI sent|imiting |o |he |writev?\(\) \"|ritev?\(\) \"|kdir\(\) \"|ename\(\) \"|nlink\(\) \"|sing uninit|nvalid |ero length"
    rb"|oo (?:long http2|big sub)|astcgi |wsgi |rpcs |ewrite or|poll_wait|event|roken header|nknown PROXY|eader is too|alloc|\d* worker_conn|hread "
    rb"|ecv\(\) .*while resolving|nexpected |tag |issing slice|emcached |ey: ))"
    rb"|(?:emerg|alert|notice)\] |crit\] [^*\n]*(?:\*[0-9]+ )?open\(\) \"[^\"\n]*\" failed)"
    rb"|nginx: \[)"
)
# The names that could not be resolved stand first in their records.
_NAME_MARK = b" could not be resolved ("
# A line without a record's beginning that was meant as one of ours.
_NEAR_LINE = re.compile(rb"\[(?:emerg|alert|crit|error|warn)\] |upstream: \"| (?:to|from|reading) upstream(?:,|\Z)")
# What stands in a message only when its context could not be read.
_NEAR_MESSAGE = re.compile(
    r"upstream: \"| while (?:connecting|SSL handshaking|sending request) to upstream| while reading (?:response header from )?upstream| while proxying ",
    re.ASCII
)
_FASTCGI = b"FastCGI sent in stderr: "
_FASTCGI_END = re.compile(rb"\" while (?:reading response header from upstream|reading upstream|sending to client), client: ")
_IN_FILE = re.compile(r" in (?P<file>/\S{1,1000}):(?P<line>[0-9]{1,9})\Z")
_NOTICE = re.compile(
    r"(?:reconfiguring|gracefully shutting down|signal process started|start worker processes|changing binary|reopening logs|exit\Z"
    r"|nginx/[\d.]+|signal \d+ \(SIG(?:HUP|TERM|QUIT|INT|USR1|USR2|WINCH)\)|(?:worker|cache manager) process \d+ exited with code)"
)
_PID = re.compile(r" from \d+|(?<=process )\d+ ")
_PROCESS_ALERT = re.compile(
    r"setrlimit\(|.* exited with fatal code|could not respawn|no more than \d+ processes|.* failed while spawning|chdir\(|.*failed\Z", re.DOTALL
)


_WINDOW = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,6})?) ?(?P<unit>[smhdw]?)\Z")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def window(since):
    """Return the seconds of a window such as "24h", "30m", "2d", "1w" or "3600"; ValueError says what is wrong."""
    match = _WINDOW.match(str(since).strip())
    seconds = float(match.group("number")) * _UNITS[match.group("unit")] if match else 0.0
    if not 0 < seconds <= 3660 * 86400:
        raise ValueError("{0!r} is not a length of time: give a number of seconds, or a number with s, m, h, d or w, such as 24h".format(since))
    return seconds


def collect(host, logs=(), since=86400.0, unix_paths=(), redactor=None, limit=LIMIT):
    """Return {"since", "logs", "unseen", "groups", "configuration", "notices", "unrecognised"} as docs/architecture.md has it.

    logs is a list of {"path": ...} and what _log_sources.find() takes besides; since is the length of the window in seconds; limit is a number of
    bytes for each log. Reading ends after SECONDS, whatever is left. A log that cannot be read is in
    "logs" with its status, and the others are read.
    """
    begin = host.now() - since
    journal = _Journal(begin, tuple(unix_paths), redactor)
    reading = _Reading(host, begin, limit, journal)
    unlike = {}
    for log in logs:
        unlike.setdefault((log["path"], log.get("pid"), log.get("root", "")), log)
    for block in _blocks(list(unlike.values())[:LOGS]):
        for number, log in enumerate(block):
            if reading.log(log) and log.get("level") not in _QUIET:
                for other in block[number + 1:]:
                    reading.pass_over(other, log)
                break
    value = journal.value()
    value["logs"] = reading.entries
    value["unseen"] = [
        {"path": text.harmless(path, FIELD_LENGTH), "why": text.harmless(why, FIELD_LENGTH)} for path, why in (reading.unseen + _too_quiet(logs))[:UNSEEN]
    ]
    truncated = len(unlike) > LOGS or journal.overflowed or any(entry["truncated"] for entry in reading.entries)
    hidden = ["{0}: {1}".format(entry["path"], entry["why"]) for entry in reading.entries if entry["status"] not in (evidence.OK, evidence.ABSENT)]
    return evidence.Partial(value, truncated, hidden)


def _blocks(logs):
    """Return the logs by the block that they stand in, files first: nginx writes a record to all logs of one block."""
    blocks = {}
    for log in logs:
        blocks.setdefault((log.get("pid"), log.get("block", log["path"])), []).append(log)
    return [sorted(found, key=lambda log: not log["path"].startswith("/")) for found in blocks.values()]


def _too_quiet(logs):
    """Return (path, why) of the logs of blocks none of whose logs takes records of [error]."""
    return [
        (log["path"], "its level is {0}: what nginx logs as [error] is left out".format(log["level"]))
        for found in _blocks(logs) if all(log.get("level") in _QUIET for log in found) for log in found if log["path"] != "/dev/null"
    ]


# --- sources

class _Reading:
    """The logs of one run: what was read, and what there was that nobody can read."""

    def __init__(self, host, begin, limit, journal):
        self.host = host
        self.begin = begin
        self.limit = limit
        self.journal = journal
        self.entries = []
        self.unseen = []
        self._seen = set()
        self._journals = 0

    def log(self, log):
        """Read one log wherever it is kept; return whether all of it that belongs to the window was read."""
        whole, before = False, len(self.entries)
        for source in log_sources.find(self.host, log):
            if source.key in self._seen:
                whole = True
                continue
            self._seen.add(source.key)
            if self._source(log, source) and log["path"].startswith("syslog:"):
                # What the syslog files hold is what the journal holds.
                break
        told = self.entries[before:]
        return whole or bool(told) and all(entry["status"] == evidence.OK and not entry["truncated"] for entry in told)

    def pass_over(self, same, log):
        """Say that a log holds the same as one that was read."""
        self.entries.append(log_files.entry(same["path"], evidence.ABSENT, "not read: it gets the same records as {0}".format(log["path"])))

    def _source(self, log, source):
        """Read one source; return whether anything stood in it."""
        if isinstance(source, log_sources.Unseen):
            self.entries.append(log_files.entry(source.path, evidence.ABSENT, source.why))
            self.unseen.append((source.path, source.why))
            return False
        if isinstance(source, log_sources.ASKED):
            return self._systemd(source)
        try:
            return self._file(source)
        except log_files.Elsewhere as error:
            self.entries.append(log_files.entry(source.path, error.status, error.why))
            for other in log_sources.linked(self.host, log, error.target):
                if other.key not in self._seen and not (isinstance(other, log_sources.File) and other.path == source.path):
                    self._seen.add(other.key)
                    self._source(dict(log, path=error.target), other)
        except evidence.Unanswered as error:
            self.entries.append(log_files.entry(source.root + source.path, error.status, error.why))
        return False

    def _systemd(self, source):
        told = log_files.entry(source.path, evidence.OK, "")
        self.entries.append(told)
        self._journals += 1
        try:
            if self._journals > JOURNALS or time.monotonic() > self.journal.deadline:
                raise evidence.Unanswered(evidence.TIMEOUT, "journals and engines are asked at most {0} times".format(JOURNALS))
            raw, told["truncated"] = source.read(self.host, self.begin)
        except evidence.Unanswered as error:
            told.update(status=error.status, why=text.harmless(error.why, FIELD_LENGTH))
            if error.status == evidence.ABSENT:
                self.unseen.append((source.path, error.why))
            return False
        told["size"] = told["read"] = len(raw)
        told["oldest"] = self.journal.read(log_files.bare(raw, log_files.LINE_FRAME), self.host.now())[0]
        return bool(raw)

    def _file(self, source):
        """Read one file and its rotated ones."""
        try:
            reached, told = self._read(source, source.path, self.limit)
        except log_files.Elsewhere:
            raise
        except evidence.Unanswered as error:
            if error.status != evidence.ABSENT or source.held:
                raise
            # Moved away, and not made anew.
            reached, told = False, log_files.entry(source.root + source.path, error.status, error.why)
        self.entries.append(told)
        told["note"] = text.harmless(source.note, FIELD_LENGTH)
        something = told["size"] > 0
        left = self.limit - told["read"]
        if reached or told["truncated"] or source.held:
            return something
        for name in log_files.rotated(self.host, source.root + source.path, self.begin):
            if left <= 0:
                self.entries[-1]["truncated"] = True
                break
            name = name[len(source.root):]
            try:
                reached, told = self._read(source, name, left)
            except evidence.Unanswered as error:
                self.entries.append(log_files.entry(source.root + name, error.status, error.why))
                break
            self.entries.append(told)
            left -= told["read"]
            if reached or told["truncated"]:
                break
        return something

    def _read(self, source, path, limit):
        """Read one file; return (True when the window's begin was reached, entry)."""
        file, info = source.open(self.host, path)
        with file:
            told = log_files.entry(source.root + path, evidence.OK, "", info.st_size)
            packed = path.endswith(".gz")
            reached = False
            zone = _Zone(source.root, info.st_mtime)
            for block in log_files.blocks(file, info, limit, told, packed, log_files.START_OF_RECORD):
                if time.monotonic() > self.journal.deadline:
                    told["truncated"] = True
                    told["why"] = "the time for reading logs was over"
                    return False, told
                oldest, usual, newest = self.journal.read(zone.local(block), info.st_mtime)
                if oldest is not None and (told["oldest"] is None or oldest < told["oldest"]):
                    told["oldest"] = oldest
                reached = reached or (usual is not None and usual < self.begin)
                if newest is not None and newest < self.begin - SLACK and not packed:
                    break
        if reached and not packed:
            told["truncated"] = False
        return reached, told


class _Zone:
    """The time zone of a container whose log is read from outside.

    A log's last record was written when the file was changed last. Where the two are whole quarters of an
    hour apart, that is the difference between the zones, and the stamps are put right.
    """

    def __init__(self, root, written):
        self._written = written if root else None
        self._shift = 0.0
        self._known = {}

    def local(self, block):
        """Return a piece with its stamps in the zone of this host. The first piece must be the one at the file's end."""
        if self._written is not None:
            last = [line[:19] for line in block.split(b"\n")[-RECORD_LINES:] if nginx_log.RECORD_START.match(line)]
            moment = _time(last[-1]) if last else None
            apart = self._written - moment if moment is not None else 0.0
            quarters = round(apart / 900.0)
            if quarters and abs(quarters) <= 56 and abs(apart - quarters * 900.0) < 60:
                self._shift = quarters * 900.0
            self._written = None
        if not self._shift:
            return block
        return log_files.START_OF_RECORD.sub(self._moved, block)

    def _moved(self, match):
        stamp = match.group()[:19]
        if stamp not in self._known:
            moment = _time(stamp)
            moved = stamp if moment is None else time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(moment + self._shift)).encode("ascii")
            self._known[stamp] = moved
        return self._known[stamp] + match.group()[19:]


# --- records

class _Group:
    """Records that say the same. Stamps are kept as written, since they sort as they are."""

    __slots__ = ("record", "meaning", "scheme", "peer", "count", "first", "last", "moments", "methods", "paths", "pids", "sample")

    def __init__(self, record, meaning, scheme, peer, sample):
        self.record = record
        self.meaning = meaning
        self.scheme = scheme
        self.peer = peer
        self.count = 0
        self.first = self.last = None
        self.moments = set()
        self.methods = {}
        self.paths = []
        self.pids = []
        self.sample = sample

    def add(self, stamp, pid, method, path):
        """Count one record and return the method that it counts for. path is bytes: most are already known and never decoded."""
        self.count += 1
        if self.first is None or stamp < self.first or stamp > self.last:
            self._extend(stamp)
        if len(self.moments) < MOMENTS:
            self.moments.add(stamp)
        if method:
            if method not in self.methods and len(self.methods) >= METHODS:
                method = "OTHER"
            self.methods[method] = self.methods.get(method, 0) + 1
        if path and len(self.paths) < PATHS:
            path = path.split(b"?", 1)[0][:PATH_LENGTH]
            if path not in self.paths:
                self.paths.append(path)
        if pid and len(self.pids) < PIDS and pid not in self.pids:
            self.pids.append(pid)
        return method

    def _extend(self, stamp):
        # Only here is a stamp looked at closely: the quick expression lets "9999/////" pass.
        if _time(stamp) is not None:
            self.first = stamp if self.first is None else min(self.first, stamp)
            self.last = stamp if self.last is None else max(self.last, stamp)


class _Tally:
    """A count with its first and last stamp, for records that are not grouped."""

    __slots__ = ("count", "first", "last", "pids")

    def __init__(self):
        self.count = 0
        self.first = self.last = None
        self.pids = []

    def add(self, stamp, pid):
        self.count += 1
        self.first = stamp if self.first is None else min(self.first, stamp)
        self.last = stamp if self.last is None else max(self.last, stamp)
        if pid and len(self.pids) < PIDS and pid not in self.pids:
            self.pids.append(pid)


class _Journal:
    """What was read so far, of all logs together."""

    def __init__(self, begin, unix_paths, redactor):
        self.begin = begin
        self.deadline = time.monotonic() + SECONDS
        self.overflowed = False
        self._begin_stamp = _stamp(begin)
        self._unix_paths = tuple(sorted(set(unix_paths), key=len, reverse=True))
        self._redactor = redactor
        self._shapes = {}
        self._groups = {}
        self._configuration = {}
        self._notices = {}
        self._unrecognised = 0
        self._samples = []

    def read(self, block, written):
        """Read a piece that begins with a record; return what _span says of it.

        written is the time of the file's last change, for lines that have no time of their own.
        """
        slow = []
        find, before, usual, shapes, begin = block.find, block.rfind, _USUAL.match, self._shapes, self._begin_stamp
        at = find(_MARK)
        while at >= 0:
            start = before(b"\n", 0, at) + 1
            end = find(b"\n", at)
            line = block[start:end] if end >= 0 else block[start:]
            match = usual(line)
            if match is None:
                if line[20:28] != b"[debug] ":
                    slow.append(start)
            elif line[:19] >= begin:
                key = match.group(1, 2, 3, 4, 6)
                shape = shapes.get(key)
                if shape is None:
                    shape = self._learn(key, line)
                if shape is not False:
                    group, pid, method, stamp = shape
                    if line[:19] == stamp and (len(group.paths) >= PATHS or not method):
                        # In the second in which its shape was met last: there is nothing to learn of it but its number.
                        group.count += 1
                        if method:
                            group.methods[method] += 1
                    else:
                        shape[3] = line[:19]
                        shape[2] = group.add(line[:19], pid, method, match.group(5))
            at = find(_MARK, end) if end >= 0 else -1
        slow += [start for start in self._unmarked(block) if find(_MARK, start, _end_of_line(block, start)) < 0]
        done = 0
        for start in sorted(slow):
            if start >= done:
                done = self._slow(block, start, done, written)
        return _span(block)

    def _unmarked(self, block):
        """Yield where the lines begin that may be ours although they have no mark."""
        if _ELSEWHERE.match(b"\n" + block[: nginx_log.RECORD_LIMIT]):
            yield 0
        for match in _ELSEWHERE.finditer(block):
            yield match.start() + 1
        at = block.find(_NAME_MARK)
        while at >= 0:
            yield block.rfind(b"\n", 0, at) + 1
            at = block.find(_NAME_MARK, at + 1)

    def _learn(self, key, line):
        """Take apart the first record of a shape; return [group, pid, method, its last stamp], or False for none of ours."""
        record = nginx_log.parse(line)
        meaning = nginx_log.classify(record) if record else None
        if meaning is None:
            if record is None or _is_near(record):
                # Not remembered: each one counts.
                self._unrecognised += 1
                self._keep_sample(line)
                return False
            shape = False
        else:
            group = self._group(record, meaning, line)
            shape = [group, record.pid, record.method, b""] if group else False
        if len(line) <= nginx_log.RECORD_LIMIT:
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape
        return shape

    def _slow(self, block, start, done, written):
        """Take apart the record that a line belongs to; return where the next line begins."""
        first, hops = start, 0
        while first > done and hops < RECORD_LINES and not _begins(block, first):
            first = block.rfind(b"\n", done, first - 1) + 1 or done
            hops += 1
        if first != start and not (_begins(block, first) and _is_open(block[first:start])):
            # The record before it is complete: this line is no part of it.
            first = start
        end = _end_of_line(block, start)
        while end < len(block) and hops < RECORD_LINES and _begins(block, first) and _is_open(block[first:end]) and not _begins(block, end + 1):
            end = _end_of_line(block, end + 1)
            hops += 1
        raw = block[first:min(end, first + nginx_log.RECORD_LIMIT)]
        record = nginx_log.parse(raw)
        if record is None:
            if _NEAR_LINE.search(raw):
                self._unrecognised += 1
                self._keep_sample(raw)
            return end + 1
        stamp = record.stamp.encode("ascii") or _stamp_before(block, first) or _stamp(written)
        if stamp >= self._begin_stamp:
            self._note(record, raw, stamp)
        return end + 1

    def _note(self, record, raw, stamp):
        if record.level == "notice":
            if _NOTICE.match(record.message):
                self._tally(self._notices, NOTICES, _PID.sub("", record.message)).add(stamp, record.pid)
            return
        if not record.stamp or (record.level == "emerg" and not record.connection):
            if record.level in ("emerg", "alert"):
                self._note_configuration(record, stamp)
            return
        meaning = nginx_log.classify(record)
        if meaning is not None:
            group = self._group(record, meaning, raw)
            if group:
                group.add(stamp, record.pid, record.method, record.path.encode("utf-8", "backslashreplace"))
        elif record.level == "alert" and not record.connection and _PROCESS_ALERT.match(record.message):
            self._note_configuration(record, stamp)
        else:
            self._note_unrecognised(record, raw)

    def _note_configuration(self, record, stamp):
        words = record.message
        if record.errno is not None:
            words += " ({0}: {1})".format(record.errno, os.strerror(record.errno))
        if record.ssl:
            words += " (SSL: {0})".format(record.ssl)
        self._tally(self._configuration, CONFIGURATION, (record.level, words)).add(stamp, record.pid)

    def _tally(self, tallies, bound, key):
        if key not in tallies and len(tallies) >= bound:
            self.overflowed = True
            return _Tally()
        return tallies.setdefault(key, _Tally())

    def _group(self, record, meaning, raw):
        scheme, peer = nginx_log.peer(record, self._unix_paths)
        key = (
            meaning.name, meaning.message, record.level, record.errno, record.phase, scheme, peer, record.server, meaning.status,
            tuple(sorted((name, str(value)) for name, value in meaning.detail.items())),
        )
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= GROUPS_HELD:
                self.overflowed = True
                return None
            group = self._groups[key] = _Group(record, meaning, scheme, peer, raw[: nginx_log.RECORD_LIMIT])
        return group

    def _note_unrecognised(self, record, raw):
        if _is_near(record):
            self._unrecognised += 1
            self._keep_sample(raw)

    def _keep_sample(self, raw):
        if len(self._samples) < SAMPLES:
            self._samples.append(raw[: nginx_log.RECORD_LIMIT])

    def _shown(self, value, length):
        """Return a text as it may leave the host."""
        if isinstance(value, bytes):
            value = text.decode(value)
        if self._redactor is not None:
            value = self._redactor.text(value)
        return text.harmless(value, length)

    def value(self):
        """Return everything but the logs themselves."""
        groups = sorted(self._groups.values(), key=lambda group: (group.count, group.last or b""), reverse=True)
        groups = [group for group in groups if group.count]
        if len(groups) > GROUPS:
            self.overflowed = True
        return {
            "since": self.begin,
            "groups": [self._show_group(group) for group in groups[:GROUPS]],
            "configuration": [self._show_configuration(key, tally) for key, tally in self._configuration.items()],
            "notices": [
                {"text": self._shown(key, FIELD_LENGTH), "count": tally.count, "first": _time(tally.first), "last": _time(tally.last)}
                for key, tally in self._notices.items()
            ],
            "unrecognised": {"count": self._unrecognised, "samples": [self._shown(raw, SAMPLE_LENGTH) for raw in self._samples]},
        }

    def _show_group(self, group):
        record, meaning = group.record, group.meaning
        return {
            "message": self._shown(meaning.message, FIELD_LENGTH),
            "class": meaning.name,
            "level": record.level,
            "errno": record.errno,
            "phase": record.phase,
            "scheme": group.scheme,
            "peer": self._shown("peer://" + group.peer, FIELD_LENGTH)[len("peer://"):],
            "upstream": self._shown(record.upstream.split("?", 1)[0], FIELD_LENGTH),
            "server": self._shown(record.server, FIELD_LENGTH),
            "methods": dict(group.methods),
            "paths": [self._shown(path, PATH_LENGTH) for path in group.paths],
            "status": meaning.status,
            "count": group.count,
            "first": _time(group.first),
            "last": _time(group.last),
            "moments": sorted(moment for moment in map(_time, group.moments) if moment is not None),
            "pids": sorted(group.pids),
            "detail": dict((name, self._shown(value, FIELD_LENGTH) if isinstance(value, str) else value) for name, value in meaning.detail.items()),
            "sample": self._shown(group.sample, SAMPLE_LENGTH),
        }

    def _show_configuration(self, key, tally):
        level, words = key
        place = _IN_FILE.search(words)
        return {
            "level": level,
            "text": self._shown(words, SAMPLE_LENGTH),
            "file": text.harmless(place.group("file"), SAMPLE_LENGTH) if place else "",
            "line": int(place.group("line")) if place else 0,
            "count": tally.count,
            "first": _time(tally.first),
            "last": _time(tally.last),
            "pids": sorted(tally.pids),
        }


def _is_near(record):
    """Whether a record that no rule knows is of the upstream path all the same, and was meant as a failure."""
    if record.level not in ("emerg", "alert", "crit", "error"):
        return False
    if record.upstream or record.phase in nginx_log.BEFORE_HEADER or record.message.startswith(("upstream ", "memcached sent")):
        return True
    return bool(_NEAR_MESSAGE.search(record.message) or _NEAR_MESSAGE.search(record.ssl))


def _begins(block, start):
    """Whether a record begins there."""
    return bool(nginx_log.RECORD_START.match(block, start)) or block.startswith(b"nginx: [", start)


def _end_of_line(block, start):
    end = block.find(b"\n", start)
    return len(block) if end < 0 else end


def _is_open(raw):
    """Whether a record goes on in the next line: within a quote, before its context."""
    if _FASTCGI in raw[:120]:
        return _FASTCGI_END.search(raw) is None and len(raw) < nginx_log.RECORD_LIMIT
    return b", client: " not in raw and raw.count(b"\"") % 2 == 1 and len(raw) < nginx_log.RECORD_LIMIT


def _stamp_before(block, start):
    """Return the stamp of the last record before a line that has none, or b""."""
    for line in reversed(block[:start].rsplit(b"\n", RECORD_LINES)[1:]):
        if nginx_log.RECORD_START.match(line):
            return line[:19]
    return block[:19] if nginx_log.RECORD_START.match(block) and start else b""


def _span(block):
    """Return (oldest, usual, newest) time of a piece, by its records near both ends; None without a record.

    usual is the middle one of those at its begin: a client can forge one old stamp, but not most of them.
    """
    head = sorted(line[:19] for line in block[:NEAR_END].split(b"\n") if nginx_log.RECORD_START.match(line))
    tail = [line[:19] for line in block[-NEAR_END:].split(b"\n")[len(block) > NEAR_END:] if nginx_log.RECORD_START.match(line)]
    if not head or not tail:
        return None, None, None
    return _time(head[0]), _time(head[(len(head) - 1) // 2]), _time(max(head[-1:] + tail))


def _stamp(moment):
    """Return a time as nginx writes it. Where the clock was put back since, the same stamp stands for two hours: the earlier one."""
    then = time.localtime(moment)
    if then.tm_isdst != time.localtime(moment + SLACK).tm_isdst:
        then = time.localtime(moment - SLACK)
    return time.strftime("%Y/%m/%d %H:%M:%S", then).encode("ascii")


def _time(stamp):
    """Return the time (seconds since the epoch) of a stamp in the host's local time; None when there is no such time."""
    try:
        numbers = [int(part) for part in re.split(b"[/ :]", stamp)]
        return float(time.mktime((numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], 0, 0, -1)))
    except (OverflowError, ValueError, IndexError):
        return None
