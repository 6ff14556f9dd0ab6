# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx's access logs say of requests that ended with 500, 502, 503 or 504, grouped on the host.

Each log is read in the format that the configuration gives it, from its end, within the window and a bound
for all logs together. A line is taken apart only when it may hold one of these statuses; the others are counted.

Who made a 502 is told by the times and sizes of the upstream, where the format has them: nginx notes the time of the
response header only when the backend sent one (ngx_http_upstream_process_header), and for a response of
its own no bytes at all were received.

Everything in a request is the client's to write: texts leave the host harmless and without secrets.

This module is private to the collection.
"""

import calendar
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_sources as log_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "access_log"
ASKED = "nginx access logs"

LIMIT = 4 << 20
LIMIT_OF_ALL = 16 << 20
SECONDS = 15.0
LOGS = 64
GROUPS = 200
PATHS = 5
LINE = 4096
FIELD_LENGTH = 300
PATH_LENGTH = 200
SLACK = 60.0

# ngx_http_combined_fmt of http/modules/ngx_http_log_module.c.
COMBINED = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_NUMBER = r"[0-9.]+|-|"
_LISTED = r"(?:[^\s\"]+(?:(?:(?<=,) | : )[^\s\"]+)*)?"
_SHAPES = {
    "time_local": r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}",
    "time_iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d",
    "msec": r"\d{1,12}\.\d{3}",
    "status": r"\d{3}",
    "request_time": _NUMBER,
    "request_method": r"[A-Z_-]{0,32}",
}
_WANTED = frozenset(_SHAPES) | frozenset((
    "request", "request_uri", "uri", "host", "http_host", "server_name", "upstream_addr", "upstream_status", "upstream_header_time",
    "upstream_bytes_received", "upstream_response_length",
))
_STATUS = re.compile(r"[0-9]{3}\Z")
_FAILED = re.compile(rb"50[0234]")
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_TIME_LOCAL = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z", re.ASCII)
_TIME_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([+-])(\d\d):(\d\d)\Z", re.ASCII)
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,15}\Z", re.ASCII)
_LIST = re.compile(r", | : ")


def collect(host, logs, since, redactor, limit=LIMIT, limit_of_all=LIMIT_OF_ALL):
    """Return the `access_log` value of docs/architecture.md as a Partial.

    logs: {"path", "format", "text", "names", "some"} and what _log_sources.find() takes besides. since is
    the length of the window in seconds; the limits are numbers of bytes.
    """
    reading = _Reading(host, host.now() - since, redactor, limit_of_all)
    by_path = {}
    for log in logs:
        by_path.setdefault((log.get("root", ""), log["path"]), []).append(log)
    for found in list(by_path.values())[:LOGS]:
        reading.log(found, limit)
    cut = len(by_path) > LOGS or reading.overflowed or any(entry["truncated"] for entry in reading.entries)
    hidden = ["{0}: {1}".format(entry["path"], entry["why"]) for entry in reading.entries if entry["status"] not in (evidence.OK, evidence.ABSENT)]
    return evidence.Partial({"since": reading.begin, "logs": reading.entries, "groups": reading.groups()}, cut, hidden)


def compiled(written):
    """Return (expression for a line of bytes, names in it) of a log format; None when it has no status, or is no format that lines can be told by."""
    made, names, at = [], set(), 0
    found = list(_VARIABLE.finditer(written))
    for number, match in enumerate(found):
        made.append(re.escape(written[at:match.start()]))
        at = match.end()
        name = match.group(1) or match.group(2)
        following = written[at:at + 1]
        if number + 1 < len(found) and found[number + 1].start() == at and name not in _SHAPES:
            return None
        shape = _shape(name, following)
        if name in _WANTED and name not in names:
            names.add(name)
            made.append("(?P<{0}>{1})".format(name, shape))
        else:
            made.append("(?:{0})".format(shape))
    if "status" not in names:
        return None
    made.append(re.escape(written[at:]))
    return re.compile("".join(made).encode("utf-8", "surrogateescape") + rb"\r?\Z", re.DOTALL), names


def _shape(name, following):
    if name in _SHAPES:
        return _SHAPES[name]
    if name.startswith("upstream_") and not name.startswith(("upstream_http_", "upstream_cookie_", "upstream_trailer_")):
        return _LISTED
    if not following:
        return ".*"
    if following == "\"":
        return r"(?:[^\"\\]|\\.)*"
    return "[^{0}]*".format(re.escape(following))


class _Reading:
    """The access logs of one run."""

    def __init__(self, host, begin, redactor, limit_of_all):
        self.host = host
        self.begin = begin
        self.entries = []
        self.overflowed = False
        self._redactor = redactor
        self._left = limit_of_all
        self._deadline = time.monotonic() + SECONDS
        self._groups = {}
        self._seen = set()
        self._times = {}

    def log(self, logs, limit):
        """Read one log, whichever directives name it."""
        log = logs[0]
        path = log["path"]
        if "$" in path:
            return self._unread(path, "its name is made of variables")
        if path.startswith("syslog:"):
            return self._unread(path, "it is sent to a syslog")
        expressions = [one for one in (compiled((each.get("text") or "").replace("\\t", "\t") or COMBINED) for each in _unlike(logs)) if one]
        if not expressions:
            return self._unread(path, "its format has no $status")
        sources = [source for source in log_sources.find(self.host, log) if isinstance(source, log_sources.File)]
        if not sources:
            return self._unread(path, "not a file that can be read back")
        names = log["names"][0] if log["names"] and all(each["names"] == log["names"] for each in logs) else ""
        about = {"format": log["format"], "some": any(each["some"] for each in logs), "names": names}
        for source in sources:
            self._source(log, source, about, expressions, limit)
        return None

    def _unread(self, path, why):
        self.entries.append(log_files.entry(self._shown(path, FIELD_LENGTH), evidence.ABSENT, why))

    def _source(self, log, source, about, expressions, limit):
        if source.key in self._seen:
            return
        self._seen.add(source.key)
        names = [source.path]
        while names:
            name = names.pop(0)
            told = log_files.entry(source.root + name, evidence.OK, "")
            told.update(format=about["format"], some=about["some"], requests=0, failed=0, unparsed=0)
            self.entries.append(told)
            try:
                reached = self._read(source, name, about, expressions, min(limit, self._left), told)
            except log_files.Elsewhere as error:
                told.update(status=error.status, why=text.harmless(error.why, FIELD_LENGTH))
                self._linked(log, error.target, about, expressions, limit)
                return
            except evidence.Unanswered as error:
                told.update(status=error.status, why=text.harmless(error.why, FIELD_LENGTH))
                return
            limit -= told["read"]
            self._left -= told["read"]
            if reached or told["truncated"] or limit <= 0 or self._left <= 0 or source.held:
                return
            if name == source.path:
                names = [other[len(source.root):] for other in log_files.rotated(self.host, source.root + source.path, self.begin)]

    def _linked(self, log, target, about, expressions, limit):
        """Read what a container writes to its standard output, other lines among it."""
        for source in log_sources.linked(self.host, log, target):
            if isinstance(source, log_sources.File) and source.path != log["path"]:
                self._source(log, source, dict(about, some=True), expressions, limit)

    def _read(self, source, path, about, expressions, limit, told):
        """Read one file; return whether the window's begin was reached."""
        file, info = source.open(self.host, path)
        with file:
            told["size"] = info.st_size
            if limit <= 0:
                told["truncated"] = info.st_size > 0
                return True
            packed = path.endswith(".gz")
            for block in log_files.blocks(file, info, limit, told, packed, log_files.START_OF_LINE):
                if time.monotonic() > self._deadline:
                    told.update(truncated=True, why="the time for reading logs was over")
                    return True
                if self._block(block, about, expressions, told) and not packed:
                    told["truncated"] = False
                    return True
        return False

    def _block(self, block, about, expressions, told):
        """Count the lines of a piece; return whether it begins before the window."""
        first = self._moment(expressions, block[:LINE].split(b"\n", 1)[0])
        if first is not None and (told["oldest"] is None or first < told["oldest"]):
            told["oldest"] = first
        before = first is not None and first < self.begin
        if before:
            block = self._within(block, expressions)
        told["requests"] += block.count(b"\n") + (not block.endswith(b"\n") and bool(block))
        done = 0
        for match in _FAILED.finditer(block):
            if match.start() < done:
                continue
            start = block.rfind(b"\n", 0, match.start()) + 1
            end = block.find(b"\n", match.start())
            done = len(block) if end < 0 else end + 1
            self._line(block[start:done].rstrip(b"\n"), about, expressions, told)
        return before and first < self.begin - SLACK

    def _within(self, block, expressions):
        """Return the lines of a piece that belong to the window; one that cannot be read belongs where the one before it does."""
        kept, inside = [], False
        for line in block.split(b"\n"):
            moment = self._moment(expressions, line) if line else None
            inside = inside if moment is None else moment >= self.begin
            if inside and line:
                kept.append(line)
        return b"\n".join(kept)

    def _match(self, expressions, line):
        if len(line) <= LINE:
            for expression, _names in expressions:
                match = expression.match(line)
                if match:
                    return match
        return None

    def _moment(self, expressions, line):
        match = self._match(expressions, line)
        return self._time(match.groupdict()) if match else None

    def _time(self, said):
        raw = said.get("time_local") or said.get("time_iso8601") or said.get("msec")
        if raw not in self._times:
            if len(self._times) > 100000:
                self._times.clear()
            self._times[raw] = _time(raw.decode("ascii", "replace")) if raw else None
        return self._times[raw]

    def _line(self, line, about, expressions, told):
        match = self._match(expressions, line)
        if match is None:
            told["unparsed"] += 1
            return
        said = match.groupdict()
        if not _FAILED.match(said["status"]):
            return
        told["failed"] += 1
        said = dict((name, text.decode(value)) for name, value in said.items() if value is not None)
        method, path = _request(said)
        addresses, statuses = _LIST.split(said.get("upstream_addr", "")), _LIST.split(said.get("upstream_status", ""))
        server = said.get("server_name") or about["names"]
        asked = (said.get("host") or said.get("http_host") or "").rsplit(":", 1)[0].lower()
        prefix = "/" + path.lstrip("/").split("/", 1)[0]
        key = (told["path"], server, asked, prefix, said["status"], addresses[-1], statuses[-1], _maker(said))
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= 4 * GROUPS:
                self.overflowed = True
                return
            group = self._groups[key] = {"count": 0, "first": None, "last": None, "methods": {}, "paths": [], "longest": None, "tries": 0}
        group["count"] += 1
        moment = self._time(match.groupdict())
        if moment is not None:
            group["first"] = moment if group["first"] is None else min(group["first"], moment)
            group["last"] = moment if group["last"] is None else max(group["last"], moment)
        group["tries"] = max(group["tries"], len(addresses) if addresses[0] else 0)
        if method in group["methods"] or len(group["methods"]) < 8:
            group["methods"][method] = group["methods"].get(method, 0) + 1
        if path and len(group["paths"]) < PATHS and path[:PATH_LENGTH] not in group["paths"]:
            group["paths"].append(path[:PATH_LENGTH])
        seconds = _number(said.get("request_time"))
        if seconds is not None:
            group["longest"] = max(seconds, group["longest"] or 0.0)

    def groups(self):
        """Return what was counted, the most frequent first."""
        found = sorted(self._groups.items(), key=lambda item: -item[1]["count"])
        self.overflowed = self.overflowed or len(found) > GROUPS
        return [self._show(key, group) for key, group in found[:GROUPS]]

    def _show(self, key, group):
        log, server, asked, prefix, status, address, answered, maker = key
        return {
            "log": log,
            "server": self._shown(server, FIELD_LENGTH),
            "host": self._shown(asked, FIELD_LENGTH),
            "prefix": self._shown(prefix, PATH_LENGTH),
            "status": int(status),
            "upstream": self._shown(address if address != "-" else "", FIELD_LENGTH),
            "upstream_status": int(answered) if _STATUS.match(answered) else None,
            "made_by": maker,
            "count": group["count"],
            "first": group["first"],
            "last": group["last"],
            "methods": dict(group["methods"]),
            "paths": [self._shown(path, PATH_LENGTH) for path in group["paths"]],
            "request_time": group["longest"],
            "tries": group["tries"],
        }

    def _shown(self, value, length):
        if self._redactor is not None:
            value = self._redactor.text(value)
        return text.harmless(value, length)


def _unlike(logs):
    """Return the logs without those whose format is that of another."""
    return list({(log.get("text"), log["format"]): log for log in logs}.values())[:4]


def _request(said):
    """Return (method, path) of a request; "OTHER" for what is no plain token."""
    words = said.get("request", "").split(" ")
    method = said.get("request_method") or (words[0] if len(words) > 1 else "")
    path = said.get("request_uri") or (words[1] if len(words) > 1 else "") or said.get("uri", "")
    return (method if _METHOD.match(method) else "OTHER"), path.split("?", 1)[0]


def _maker(said):
    """Return who made the response: "backend", "nginx", or "" where the format does not tell."""
    if "upstream_status" not in said and "upstream_addr" not in said:
        return ""
    status = _LIST.split(said.get("upstream_status", ""))[-1]
    if "upstream_status" in said:
        if status in ("", "-"):
            return "nginx"
        if status != said["status"]:
            return ""
    if "upstream_header_time" in said:
        return "nginx" if _LIST.split(said["upstream_header_time"])[-1] in ("", "-") else "backend"
    for name in ("upstream_response_length", "upstream_bytes_received"):
        length = _number(_LIST.split(said.get(name, ""))[-1])
        if length is not None and name == "upstream_response_length" and length > 0:
            return "backend"
        if length is not None and name == "upstream_bytes_received" and length == 0:
            return "nginx"
    return ""


def _number(word):
    try:
        return float(word) if word not in (None, "", "-") else None
    except ValueError:
        return None


def _time(word):
    """Return the time that $time_local, $time_iso8601 or $msec stands for; None when it is none."""
    match = _TIME_LOCAL.match(word)
    if match:
        day, month, year = int(match.group(1)), _MONTHS.get(match.group(2), 0), int(match.group(3))
    else:
        match = _TIME_ISO.match(word)
        if match is None:
            return _number(word)
        year, month, day = (int(match.group(part)) for part in (1, 2, 3))
    if not 1 <= month <= 12 or not year:
        return None
    away = (int(match.group(8)) * 60 + int(match.group(9))) * 60
    moment = calendar.timegm((year, month, day, int(match.group(4)), int(match.group(5)), int(match.group(6))))
    return float(moment - away if match.group(7) == "+" else moment + away)
