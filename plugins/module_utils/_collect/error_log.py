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

import errno
import gzip
import os
import re
import stat
import time
import zlib

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_log as nginx_log
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "error_log"

BLOCK = 1 << 18
LIMIT = 16 << 20
GROUPS = 500
# Groups held while reading: a client that forges many different records must not push out the true ones.
GROUPS_HELD = 4 * GROUPS
CONFIGURATION = 100
NOTICES = 50
LOGS = 64
ROTATED = 8
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
HOPS = 8
# A block is older than the window only when its newest record is: workers write out of order by moments,
# and a clock that was set back leaves older stamps among newer ones.
SLACK = 3600.0

_NO_FILE = re.compile(r"(?:stderr|syslog:.*|memory:.*|off|/dev/(?:null|stdout|stderr|console|log|tty.*|fd/.*)|/proc/(?:self|[0-9]+)/fd/.*|\|.*)\Z", re.DOTALL)
_ROTATED_DATE = re.compile(r"-\d{8}(?:[-_.]?\d{1,10})?(?:\.gz)?\Z")
_START_OF_LINE = re.compile(rb"^" + nginx_log.RECORD_START.pattern, re.MULTILINE)

# A record of the usual shape, with a quick way to what tells one group from another. Sets of one character
# are what the expression engine runs over fastest.
_USUAL = re.compile(
    rb"([0-9/]{10} [0-9:]{8} \[(?:error|crit|warn|info)\] [0-9]{1,10})#[0-9]+: \*[0-9]+ ([^,]*), client: [^,]*, (server: [^,]*)"
    rb", request: \"([A-Z]{1,16}) ([^ ]*) HTTP/[0-9.]+\", (upstream: \"[a-z]*://(?:unix:[^\":]*[\":]|[^\"/]*))"
)
# How the records begin that have no "upstream" in them; every other line without it is none of ours.
_ELSEWHERE = re.compile(
    rb".{19} \[(?:"
    rb"(?:emerg|alert|notice)\] "
    rb"|[a-z]+\] \d+#\d+: (?:\*\d+ )?(?:"
    rb"FastCGI sent|open\(\) \"[^\"]*(?:/\d{10}\" failed|\" failed \(2[34]:)|p?writev?\(\) \"|mkdir\(\) \"|rename\(\) \"|unlink\(\) \""
    rb"|accept4?\(\) failed|auth request|limiting |no |the \"\$memc|using uninit|invalid |zero length|too long http2|too big sub"
    rb"|(?:fastcgi|uwsgi|scgi|grpcs|suwsgi) |could not find named|rewrite or|subrequests cycle|client (?:intended|sent plain|prem)"
    rb"|epoll_wait|kevent|broken header|unknown PROXY|header is too|cache |service |malloc|\d+ worker_conn|thread |an? (?:client|upstream) re"
    rb"|[^ \"]+ could not be resolved|(?:connect|socket|send|recv)\(\) .*while resolving|SSL_set_|unexpected |etag |missing slice|memcached |key: )"
    rb")|nginx: \["
)
_MARK = b"upstream"
# The first bytes of the messages above: almost every other line ends its way here. Missing files are the most
# frequent record of all.
_HEADS = frozenset((
    b"FastC", b"open(", b"pwrit", b"write", b"mkdir", b"renam", b"unlin", b"accep", b"auth ", b"limit", b"no li", b"no re", b"no po",
    b"no up", b"no bu", b"no co", b"the \"", b"using", b"inval", b"zero ", b"too l", b"too b", b"fastc", b"uwsgi", b"scgi ", b"grpcs", b"suwsg",
    b"could", b"rewri", b"subre", b"clien", b"epoll", b"keven", b"broke", b"unkno", b"heade", b"cache", b"servi", b"mallo", b"threa", b"a cli",
    b"an up", b"conne", b"socke", b"send(", b"recv(", b"SSL_s", b"unexp", b"etag ", b"missi", b"memca", b"key: ",
))
_NAME_MARK = b" could not be resolved ("
_NO_FILE_MARK = b"\" failed (2: "
_STAR = ord("*")
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
    """Return {"since", "logs", "groups", "configuration", "notices", "unrecognised"} as docs/architecture.md has it.

    logs is a list of {"path": ...}; since is the length of the window in seconds; limit is a number of
    bytes for each log. Reading ends after SECONDS, whatever is left. A log that cannot be read is in
    "logs" with its status, and the others are read.
    """
    begin = host.now() - since
    journal = _Journal(begin, tuple(unix_paths), redactor)
    seen, entries, truncated = set(), [], False
    for log in logs:
        path = log["path"]
        if path in seen:
            continue
        seen.add(path)
        if len(seen) > LOGS:
            truncated = True
            break
        entries.extend(_log(host, path, begin, limit, journal))
    value = journal.value()
    value["logs"] = entries
    truncated = truncated or journal.overflowed or any(entry["truncated"] for entry in entries)
    hidden = ["{0}: {1}".format(entry["path"], entry["why"]) for entry in entries if entry["status"] not in (evidence.OK, evidence.ABSENT)]
    return evidence.Partial(value, truncated, hidden)


# --- files

def _log(host, path, begin, limit, journal):
    """Read one log and its rotated files; return their entries."""
    if _NO_FILE.match(path) or not path.startswith("/"):
        return [_entry(path, evidence.ABSENT, "not a file that can be read back")]
    try:
        reached, entry = _read(host, path, begin, limit, journal)
    except evidence.Unanswered as error:
        return [_entry(path, error.status, error.why)]
    entries = [entry]
    left = limit - entry["read"]
    if reached or entry["truncated"]:
        return entries
    for name in _rotated(host, path, begin):
        if left <= 0:
            entries[-1]["truncated"] = True
            break
        try:
            reached, entry = _read(host, name, begin, left, journal)
        except evidence.Unanswered as error:
            entries.append(_entry(name, error.status, error.why))
            break
        entries.append(entry)
        left -= entry["read"]
        if reached or entry["truncated"]:
            break
    return entries


def _entry(path, status, why, size=0):
    return {
        "path": text.harmless(path, FIELD_LENGTH), "status": status, "why": text.harmless(why, FIELD_LENGTH), "size": size,
        "read": 0, "oldest": None, "truncated": False,
    }


def _rotated(host, path, begin):
    """Return the rotated files of a log that still reach into the window, newest first."""
    folder, _unused, name = path.rpartition("/")
    try:
        names = host.names(folder or "/")
    except evidence.Unanswered:
        return []
    dated = sorted((other for other in names if other.startswith(name) and _ROTATED_DATE.match(other[len(name):])), reverse=True)
    present = set(names)
    numbered = [other for number in range(1, ROTATED + 1) for other in (name + "." + str(number), name + "." + str(number) + ".gz") if other in present]
    found = []
    for other in (numbered + dated)[: 2 * ROTATED]:
        candidate = folder + "/" + other
        try:
            if host.stat(candidate, follow=False).st_mtime >= begin - SLACK:
                found.append(candidate)
        except evidence.Unanswered:
            continue
    return found


def open_log(host, path):
    """Return (binary file, os.stat_result) of a log. Only a regular file, and only links of root or of our own.

    Whoever may write to the log's folder could put a link to any file there, and this code runs as root.
    """
    place = host.path(path)
    for _unused in range(HOPS):
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise evidence.unanswered_by(error, path)
        else:
            return _regular(descriptor, path)
        place = _follow(host, place, path)
    raise evidence.Unanswered(evidence.ERROR, "{0}: too many symbolic links".format(path))


def _regular(descriptor, path):
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        os.close(descriptor)
        raise evidence.Unanswered(evidence.ERROR, "{0} is not a regular file".format(path))
    return os.fdopen(descriptor, "rb", 0), info


def _follow(host, place, path):
    """Return where a trusted link points. The link is held open, so that it cannot change between look and use."""
    try:
        link = os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise evidence.unanswered_by(error, path)
    try:
        if os.fstat(link).st_uid not in (0, os.geteuid()):
            raise evidence.Unanswered(evidence.DENIED, "{0} is a symbolic link that does not belong to root".format(path))
        target = os.readlink("", dir_fd=link)
    except OSError as error:
        raise evidence.unanswered_by(error, path)
    finally:
        os.close(link)
    if _NO_FILE.match(target):
        # So in containers. Followed, it would be this process's own standard error.
        raise evidence.Unanswered(evidence.ABSENT, "{0} is a link to {1}".format(path, target))
    if target.startswith("/"):
        return host.path(target)
    return os.path.join(os.path.dirname(place), target)


def _read(host, path, begin, limit, journal):
    """Read one file; return (True when the window's begin was reached, entry)."""
    file, info = open_log(host, path)
    with file:
        entry = _entry(path, evidence.OK, "", info.st_size)
        packed = path.endswith(".gz")
        blocks = _gzip_blocks(file, limit, entry) if packed else _blocks_from_end(file, info.st_size, limit, entry)
        reached = False
        for block in blocks:
            if time.monotonic() > journal.deadline:
                entry["truncated"] = True
                entry["why"] = "the time for reading logs was over"
                return False, entry
            oldest, usual, newest = journal.read(block, info.st_mtime)
            if oldest is not None and (entry["oldest"] is None or oldest < entry["oldest"]):
                entry["oldest"] = oldest
            reached = reached or (usual is not None and usual < begin)
            if newest is not None and newest < begin - SLACK and not packed:
                break
    if reached and not packed:
        entry["truncated"] = False
    return reached, entry


def _blocks_from_end(file, size, limit, entry):
    """Give the file from its end, in pieces that begin with a record. entry["read"] and ["truncated"] are kept."""
    position, rest = size, b""
    floor = max(0, size - limit)
    while position > floor:
        length = min(BLOCK, position - floor)
        try:
            file.seek(position - length)
            block = _read_exactly(file, length)
        except OSError as error:
            raise evidence.unanswered_by(error)
        position -= length
        entry["read"] += length
        entry["truncated"] = position > 0 and position <= floor
        block += rest
        rest = b""
        if position > 0:
            start = _START_OF_LINE.search(block, 1)
            cut = start.start() if start else len(block)
            # What precedes belongs to a record that began earlier; nginx wrote no more than RECORD_LIMIT of it.
            block, rest = block[cut:], block[:cut][: nginx_log.RECORD_LIMIT]
        if block:
            yield block


def _read_exactly(file, length):
    parts = []
    while length > 0:
        part = file.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _gzip_blocks(file, limit, entry):
    """Give the unpacked text from its begin, at most limit bytes of it, in pieces that end with a line."""
    rest = b""
    with gzip.GzipFile(fileobj=file) as packed:
        while entry["read"] < limit:
            try:
                block = packed.read(min(BLOCK, limit - entry["read"]))
            except (OSError, EOFError, zlib.error) as error:
                entry["truncated"] = True
                entry["why"] = "damaged: {0}".format(text.harmless(str(error), 100))
                break
            if not block:
                break
            entry["read"] += len(block)
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:][: nginx_log.RECORD_LIMIT]
            yield block[:cut]
        else:
            entry["truncated"] = True
    if rest:
        yield rest


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
        """Count one record. path is bytes: most are already known and never decoded."""
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
        lines = block.split(b"\n")
        done = 0
        usual, shapes, begin, names = _USUAL.match, self._shapes, self._begin_stamp, _NAME_MARK in block
        for index, line in enumerate(lines):
            if _MARK not in line:
                if _is_elsewhere(line, names) and index >= done:
                    done = self._slow(lines, index, done, written)
                continue
            match = usual(line)
            if match is None:
                if index >= done:
                    done = self._slow(lines, index, done, written)
                continue
            if line[:19] < begin:
                continue
            key = match.group(2, 3, 4, 6) + (line[20:match.end(1)],)
            shape = shapes.get(key)
            if shape is None:
                shape = self._learn(key, line)
            if shape is not False:
                group, pid, method = shape
                group.add(line[:19], pid, method, match.group(5))
        return _span(lines)

    def _learn(self, key, line):
        """Take apart the first record of a shape; return (group, pid, method), or False for none of ours."""
        record = nginx_log.parse(line)
        meaning = nginx_log.classify(record) if record else None
        if meaning is None:
            if _is_near(record):
                # Not remembered: each one counts.
                self._note_unrecognised(record, line)
                return False
            shape = False
        else:
            group = self._group(record, meaning, line)
            shape = (group, record.pid, record.method) if group else False
        if len(line) <= nginx_log.RECORD_LIMIT:
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape
        return shape

    def _slow(self, lines, index, done, written):
        """Take apart the record that a line belongs to; return the index of the next record's line."""
        start = index
        while start > done and index - start < RECORD_LINES and not nginx_log.RECORD_START.match(lines[start]):
            if lines[start].startswith(b"nginx: ["):
                break
            start -= 1
        end = index + 1
        while end < len(lines) and end - start < RECORD_LINES and not _begins(lines[end]):
            end += 1
        raw = b"\n".join(lines[start:end])[: nginx_log.RECORD_LIMIT]
        record = nginx_log.parse(raw)
        if record is None:
            self._unrecognised += 1
            self._keep_sample(raw)
            return end
        stamp = record.stamp.encode("ascii") or _stamp_before(lines, start) or _stamp(written)
        if stamp >= self._begin_stamp:
            self._note(record, raw, stamp)
        return end

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


def _is_elsewhere(line, names):
    """Whether a line without the mark may begin a record of ours. names: whether names were looked up in vain near it."""
    start = line.find(b": ", 26, 64) + 2
    if start > 1 and line[start] == _STAR:
        start = line.find(b" ", start) + 1
        head = line[start: start + 5]
        if head not in _HEADS or (head == b"open(" and _NO_FILE_MARK in line):
            return names and _NAME_MARK in line
    return bool(_ELSEWHERE.match(line))


def _is_near(record):
    """Whether a record that no rule knows is of the upstream path all the same, and was meant as a failure."""
    if record is None or record.level not in ("emerg", "alert", "crit", "error"):
        return False
    return bool(record.upstream) or record.phase in nginx_log.BEFORE_HEADER or record.message.startswith(("upstream ", "memcached sent"))


def _begins(line):
    return bool(nginx_log.RECORD_START.match(line)) or line.startswith(b"nginx: [")


def _stamp_before(lines, index):
    """Return the stamp of the last record before a line that has none, or b""."""
    for line in reversed(lines[max(0, index - RECORD_LINES): index]):
        if nginx_log.RECORD_START.match(line):
            return line[:19]
    return b""


def _span(lines):
    """Return (oldest, usual, newest) time of a piece, by its records near both ends; None without a record.

    usual is the middle one of those at its begin: a client can forge one old stamp, but not most of them.
    """
    head = sorted(line[:19] for line in lines[:RECORD_LINES] if nginx_log.RECORD_START.match(line))
    tail = [line[:19] for line in lines[-RECORD_LINES:] if nginx_log.RECORD_START.match(line)]
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
