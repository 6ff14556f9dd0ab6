# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files: opened without trust, read from their end or unpacked, within bounds, followed back through rotation.

Whoever may write to a log's folder could put a link to any file in the log's place, and this code runs
as root. So only regular files are read, only links of root or of our own are followed, and a file with a
second name is refused where others than root may write beside it.

What syslog, a container engine or a container's runtime puts before each record is taken off.

This module is private to the collection.
"""

import calendar
import errno
import gzip
import json
import os
import re
import stat
import time
import zlib

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_log as nginx_log
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

BLOCK = 1 << 18
ROTATED = 8
HOPS = 8
FIELD_LENGTH = 300
SAMPLE = 1 << 16
# A file is older than the window only when it is so by more than this: workers write out of order by moments,
# and a clock that was set back leaves older stamps among newer ones.
SLACK = 3600.0

START_OF_RECORD = re.compile(rb"^" + nginx_log.RECORD_START.pattern, re.MULTILINE)
START_OF_LINE = re.compile(rb"^", re.MULTILINE)
_ELSEWHERE = re.compile(r"/dev/(?:null|stdout|stderr|console|log|tty.*|pts/.*|fd/.*)\Z|/proc/(?:self|[0-9]+)/fd/.*", re.DOTALL)
_ROTATED_DATE = re.compile(r"-\d{8}(?:[-_.]?\d{1,10})?(?:\.gz)?\Z")
# Syslog in its old and its new form, "journalctl -o short", the container runtime interface, "docker compose logs".
_FRAME = re.compile(
    rb"^(?:<\d{1,3}>)?(?:(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|\d{4}-\d{2}-\d{2}[T ][0-9:.,+Z-]{8,24}) )?"
    rb"(?:(?:stdout|stderr) [FP] |(?:[\w.:-]{1,255} )?[\w./-]{1,64}(?:\[\d{1,10}\])?: |[\w.-]{1,64} *\| )?(?=" + nginx_log.RECORD_START.pattern + rb")",
    re.MULTILINE
)
# A container's runtime writes its own time in UTC, and a record that nginx wrote in the zone of the container.
_RUNTIME = re.compile(rb"^(\d{4}-\d{2}-\d{2}T[0-9:]{8}\.\d{1,9}Z) (?:stdout|stderr) [FP] \d{4}/[01]\d/[0-3]\d [0-2]\d:[0-5]\d:[0-6]\d(?= \[)", re.MULTILINE)
_UTC = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?=[.Z])", re.ASCII)
_OF_ENGINE = re.compile(r"-json\.log(?:\.[0-9]+)?(?:\.gz)?\Z")
JSON_FRAME, LINE_FRAME = "json", "line"
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Elsewhere(evidence.Unanswered):
    """A link in the log's place leads to a device or to a standard stream: target says which."""

    def __init__(self, path, target):
        super().__init__(evidence.ABSENT, "{0} is a link to {1}".format(path, target))
        self.target = target


def entry(path, status, why, size=0):
    """Return what is told of one log that was read, or why it was not."""
    return {
        "path": text.harmless(path, FIELD_LENGTH), "status": status, "why": text.harmless(why, FIELD_LENGTH), "size": size,
        "read": 0, "oldest": None, "truncated": False,
    }


def is_elsewhere(path):
    """Whether a path is that of a device or of a standard stream: opened, it would be this process's own."""
    return bool(_ELSEWHERE.match(path))


def rotated(host, path, begin):
    """Return the rotated files of a log that still reach into the window, newest first."""
    folder, _unused, name = path.rpartition("/")
    try:
        names = host.names(folder or "/")
    except evidence.Unanswered:
        return []
    dated = sorted((other for other in names if other.startswith(name) and _ROTATED_DATE.match(other[len(name):])), reverse=True)
    present = set(names)
    numbered = [other for number in range(ROTATED + 1) for other in (name + "." + str(number), name + "." + str(number) + ".gz") if other in present]
    found = []
    for other in (numbered + dated)[: 2 * ROTATED]:
        candidate = folder + "/" + other
        try:
            if host.stat(candidate, follow=False).st_mtime >= begin - SLACK:
                found.append(candidate)
        except evidence.Unanswered:
            continue
    return found


def open_log(host, path, root=""):
    """Return (binary file, os.stat_result) of a log. root is that of another mount namespace, such as "/proc/12/root"; no link leads out of it."""
    if root:
        return _open_inside(host, root, path)
    place = host.path(path)
    for _unused in range(HOPS):
        try:
            descriptor = os.open(place, _READ | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise evidence.unanswered_by(error, path)
        else:
            return _regular(descriptor, path, os.path.dirname(place))
        place = _follow(host, place, path)
    raise evidence.Unanswered(evidence.ERROR, "{0}: too many symbolic links".format(path))


def _open_inside(host, root, path):
    """Open a path below a root that is not ours, one component after the other."""
    waiting, hops, folders = path.split("/")[::-1], 0, []
    try:
        folders.append(os.open(host.path(root) + "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        while waiting:
            part = waiting.pop()
            if part == ".." and len(folders) > 1:
                os.close(folders.pop())
            if part in ("", ".", ".."):
                continue
            place = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folders[-1])
            folders.append(place)
            if not stat.S_ISLNK(os.fstat(place).st_mode):
                continue
            target = os.readlink("", dir_fd=place)
            os.close(folders.pop())
            hops += 1
            if hops > HOPS:
                raise evidence.Unanswered(evidence.ERROR, "{0}: too many symbolic links".format(path))
            if is_elsewhere(target) and not waiting:
                raise Elsewhere(path, target)
            if target.startswith("/"):
                while len(folders) > 1:
                    os.close(folders.pop())
            waiting += reversed(target.split("/"))
        if not stat.S_ISREG(os.fstat(folders[-1]).st_mode):
            raise evidence.Unanswered(evidence.ERROR, "{0} is not a regular file".format(path))
        return _regular(os.open("/proc/self/fd/{0}".format(folders[-1]), _READ), path, "")
    except OSError as error:
        raise evidence.unanswered_by(error, path)
    finally:
        for folder in folders:
            os.close(folder)


def open_held(host, pid, number, path):
    """Return (binary file, os.stat_result) of a deleted log that a process still writes to.

    Its flags are looked at first: a process may hold any file by its place alone (O_PATH).
    """
    flags = re.search(r"^flags:\s*([0-7]+)", host.text("/proc/{0}/fdinfo/{1}".format(pid, number)), re.MULTILINE)
    if flags is None or int(flags.group(1), 8) & os.O_ACCMODE not in (os.O_WRONLY, os.O_RDWR) or int(flags.group(1), 8) & os.O_PATH:
        raise evidence.Unanswered(evidence.DENIED, "{0} is not open for writing".format(path))
    try:
        descriptor = os.open(host.path("/proc/{0}/fd/{1}".format(pid, number)), _READ)
    except OSError as error:
        raise evidence.unanswered_by(error, path)
    file, info = _regular(descriptor, path, "")
    if info.st_nlink:
        file.close()
        raise evidence.Unanswered(evidence.DENIED, "{0} has a name after all".format(path))
    return file, info


def _regular(descriptor, path, folder):
    info = os.fstat(descriptor)
    try:
        if not stat.S_ISREG(info.st_mode):
            raise evidence.Unanswered(evidence.ERROR, "{0} is not a regular file".format(path))
        if info.st_nlink > 1 and folder:
            about = os.stat(folder)
            if about.st_uid not in (0, os.geteuid()) or about.st_mode & 0o002:
                raise evidence.Unanswered(evidence.DENIED, "{0} has a second name, and others than root may write to its folder".format(path))
    except (evidence.Unanswered, OSError) as error:
        os.close(descriptor)
        raise error if isinstance(error, evidence.Unanswered) else evidence.unanswered_by(error, path)
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
    if is_elsewhere(target):
        # So in containers. Followed, it would be this process's own standard error.
        raise Elsewhere(path, target)
    if target.startswith("/"):
        return host.path(target)
    return os.path.join(os.path.dirname(place), target)


def blocks(file, info, limit, told, packed, start):
    """Give the pieces of an open log, each of which begins where start says, without what is wrapped around its records.

    A plain file comes from its end, a packed one from its begin. told (an entry) gets "read" and
    "truncated". start is START_OF_RECORD or START_OF_LINE.
    """
    if packed:
        found = _unpacked(file, limit, told)
        frame = JSON_FRAME if _OF_ENGINE.search(told["path"]) else None
    else:
        # A line of an access log may look like anything: there the name decides.
        frame = _frame_of(file, info.st_size) if start is START_OF_RECORD or _OF_ENGINE.search(told["path"]) else None
        found = _from_end(file, info.st_size, limit, told, START_OF_LINE if frame else start)
    for block in found:
        yield bare(block, frame) if frame else block


def _frame_of(file, size):
    """Return what is wrapped around the records of a log, by what stands at its end; None for nothing."""
    try:
        file.seek(max(0, size - SAMPLE))
        lines = _read_exactly(file, SAMPLE).split(b"\n")[1 if size > SAMPLE else 0:]
    except OSError as error:
        raise evidence.unanswered_by(error)
    return frame_of(lines)


def frame_of(lines):
    """Return what is wrapped around the records in lines: JSON_FRAME, LINE_FRAME or None."""
    if any(line.startswith(b"{\"log\":\"") for line in lines[-8:]):
        return JSON_FRAME
    if any(nginx_log.RECORD_START.match(line) for line in lines):
        return None
    return LINE_FRAME if any(_FRAME.match(line) for line in lines) else None


def bare(block, frame):
    """Return a piece without what is wrapped around its records."""
    if frame == LINE_FRAME:
        return _FRAME.sub(b"", _RUNTIME.sub(lambda match: _local(match.group(1).decode("ascii"), {}) or match.group(), block))
    known = {}
    return b"\n".join(_out_of_json(line, known) for line in block.split(b"\n"))


def _out_of_json(line, known):
    """Return what a container wrote. The stamp of a record is in the zone of the container: the engine's own time takes its place."""
    try:
        written = json.loads(line.decode("utf-8", "replace")) if line else None
        said = written["log"].rstrip("\n").encode("utf-8", "replace") if line else b""
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    return _restamped(said, str(written.get("time")), known) if line else said


def restamped(lines):
    """Return lines that an engine gave back, each with its time in UTC before it, as one piece: records with the time of this host, the others with none."""
    known, found = {}, []
    for line in lines:
        word, _space, said = line.partition(b" ")
        moment = word.decode("ascii", "replace")
        found.append(_restamped(said, moment, known) if _UTC.match(moment) else line)
    return b"\n".join(found)


def _restamped(said, moment, known):
    stamp = _local(moment, known) if nginx_log.RECORD_START.match(said) else b""
    return stamp + said[19:] if stamp else said


def moment(written):
    """Return the seconds since the epoch of the time (bytes) that an engine writes, or None."""
    match = _UTC.match(written.decode("ascii", "replace"))
    try:
        return float(calendar.timegm(tuple(int(part) for part in match.groups()))) if match else None
    except (ValueError, OverflowError):
        return None


def _local(written, known):
    """Return a time in UTC as nginx on this host would write it; b"" for what is no time. known keeps what was found."""
    moment = _UTC.match(written)
    if moment is None:
        return b""
    if moment.group() not in known:
        try:
            seconds = calendar.timegm(tuple(int(part) for part in moment.groups()))
            known[moment.group()] = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(seconds)).encode("ascii")
        except (ValueError, OverflowError):
            known[moment.group()] = b""
    return known[moment.group()]


def _from_end(file, size, limit, told, start):
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
        told["read"] += length
        told["truncated"] = position > 0 and position <= floor
        block += rest
        rest = b""
        if position > 0:
            first = start.search(block, 1)
            cut = first.start() if first else len(block)
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


def _unpacked(file, limit, told):
    """Give the unpacked text from its begin, at most limit bytes of it, in pieces that end with a line."""
    rest = b""
    with gzip.GzipFile(fileobj=file) as packed:
        while told["read"] < limit:
            try:
                block = packed.read(min(BLOCK, limit - told["read"]))
            except (OSError, EOFError, zlib.error) as error:
                told["truncated"] = True
                told["why"] = "damaged: {0}".format(text.harmless(str(error), 100))
                break
            if not block:
                break
            told["read"] += len(block)
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:][: nginx_log.RECORD_LIMIT]
            yield block[:cut]
        else:
            told["truncated"] = True
    if rest:
        yield rest
