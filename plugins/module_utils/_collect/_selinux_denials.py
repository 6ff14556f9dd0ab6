# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says that SELinux denied nginx: AVC records.

auditd writes them to its log. Without it the kernel prints them to its own log, and systemd's journal may keep them besides. A record
names what was denied, to whom and on what (slow_avc_audit(), security/selinux/avc.c); a dontaudit rule silences it, so that no record
proves nothing. The same record in two places is told once, by its stamp. Any process can take the name of an nginx: what a record proves
is in its contexts. Only what the kernel wrote is taken for a record, not what a program said in one of its own.

This module is private to the collection.
"""

import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backend_log

AUDIT_LOG = "/var/log/audit/audit.log"
# Bytes of each audit log that are read, from its end, and how many rotated ones.
MAX_LOG = 4 << 20
ROTATED = 4
MAX_DENIALS = 100

_HINT = "avc:"
_JOURNAL = "MESSAGE,_AUDIT_ID,_SOURCE_REALTIME_TIMESTAMP"
_STAMP = re.compile(r"(?:node=\S+ |audit: )?type=(?:AVC|1400) (?:msg=)?audit\((?P<time>\d{1,12}\.\d{1,6}):(?P<serial>\d{1,20})\): ")
_TEXT = re.compile(r"(?:AVC )?avc:\s+denied\s+\{(?P<permissions>[a-z0-9_ ]{1,500})\} for\s(?P<rest>.*)", re.DOTALL)
# Values that hold a space or a quote are printed in hexadecimal (audit_log_untrustedstring()).
_FIELD = re.compile(r"\b(?P<name>[a-z_]+)=(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>\S+))")
_HEXADECIMAL = re.compile(r"(?:[0-9A-F]{2})+\Z")
_UNTRUSTED = frozenset(("comm", "path", "name"))
_NUMBER = re.compile(r"[0-9]{1,5}\Z")


def collect(host, begin, commands, hidden):
    """Return the `denials` of docs/architecture.md, the oldest first, and whether some were left out.

    begin is a moment; a record is about nginx where its command is one of those given: its domain may be shared with PHP-FPM or Apache.
    What could not be read is put into hidden.
    """
    found, complete = {}, False
    for name, read in (("audit log", _from_audit_log), ("kernel log", _from_kernel), ("journal", _from_journal)):
        if name == "journal" and complete:
            # auditd has them all, but for those from while it was down: the kernel's own log has those.
            break
        try:
            records, whole = read(host, begin)
        except evidence.Unanswered as error:
            if error.status != evidence.ABSENT:
                hidden.append("denials in the {0}: {1}".format(name, error.why))
            continue
        for record in records:
            if record["time"] >= begin and record["comm"] in commands:
                found.setdefault(record["stamp"], dict(record, **{"from": name}))
        complete = complete or name == "audit log" and whole
        if not whole:
            hidden.append("denials in the {0}: its begin was not read, or is gone".format(name))
    grouped = {}
    for record in sorted(found.values(), key=lambda record: record["time"]):
        key = tuple(str(record[part]) for part in ("scontext", "tcontext", "tclass", "permissions", "comm", "port", "path", "permissive"))
        shown = {name: value for name, value in record.items() if name not in ("time", "stamp")}
        group = grouped.setdefault(key, dict(shown, count=0, first=record["time"]))
        group.update(count=group["count"] + 1, last=record["time"])
    denials = sorted(grouped.values(), key=lambda group: group["last"])
    return denials[-MAX_DENIALS:], len(denials) > MAX_DENIALS


def _from_audit_log(host, begin):
    """Return (records, whether they reach back to begin)."""
    records, whole = [], False
    for path in (AUDIT_LOG,) + tuple("{0}.{1}".format(AUDIT_LOG, number) for number in range(1, ROTATED + 1)):
        try:
            lines = text.decode(host.tail(path, MAX_LOG)).split("\n")
        except evidence.Unanswered as error:
            if path == AUDIT_LOG or error.status != evidence.ABSENT:
                raise
            # The oldest there is.
            return records, True
        first = next((float(stamp) for stamp in re.findall(r"audit\((\d{1,12}\.\d{1,6}):", "\n".join(lines[:50]))), None)
        records += [record for record in map(parse, (line for line in lines if _HINT in line)) if record]
        if first is not None and first < begin:
            return records, True
    return records, whole


def _from_kernel(host, _begin):
    lines, _whole = backend_log.ring(host, host.now() - time.clock_gettime(time.CLOCK_MONOTONIC), _HINT)
    return [record for record in (parse(line) for _moment, line in lines) if record], True


def _from_journal(host, begin):
    if not host.exists("/run/systemd/journal/socket"):
        raise evidence.Unanswered(evidence.ABSENT, "no journal")
    found = []
    records, cut = backend_log.journal_records(host, ["_TRANSPORT=audit"], begin, _HINT, _JOURNAL)
    for record in records:
        moment, serial = backend_log.journal_moment(record, "_SOURCE_REALTIME_TIMESTAMP"), record.get("_AUDIT_ID")
        if moment is not None and isinstance(serial, str) and serial.isdigit():
            parsed = parse_text(backend_log.journal_message(record.get("MESSAGE")), moment, serial[:20])
            found += [parsed] if parsed else []
    return found, not cut


def parse(line):
    """Return the record of a line of the audit log or of the kernel's log, or None where it holds none."""
    stamp = _STAMP.match(line)
    return parse_text(line[stamp.end():], float(stamp.group("time")), stamp.group("serial")) if stamp else None


def parse_text(line, moment, serial):
    """Return the record of a text without its stamp, which the journal keeps in fields of their own; None where it holds none."""
    match = _TEXT.match(line)
    return _record(match, moment, serial) if match else None


def _record(match, moment, serial):
    fields = {}
    for field in _FIELD.finditer(match.group("rest")):
        # The first of a name: what a user has a say in (comm, path) is quoted, or printed in hexadecimal.
        fields.setdefault(field.group("name"), _value(field))
    port = fields.get("dest") or fields.get("src") or ""
    return {
        "stamp": "{0:.3f}:{1}".format(moment, serial),
        "time": moment,
        "scontext": text.harmless(fields.get("scontext", ""), 300),
        "tcontext": text.harmless(fields.get("tcontext", ""), 300),
        "tclass": text.harmless(fields.get("tclass", ""), 64),
        "permissions": sorted(set(match.group("permissions").split())),
        "comm": text.harmless(fields.get("comm", ""), 64),
        "port": int(port) if _NUMBER.match(port) else None,
        "path": text.harmless(fields.get("path") or fields.get("name") or "", 1000),
        "permissive": fields.get("permissive") == "1",
    }


def _value(match):
    if match.group("quoted") is not None:
        return match.group("quoted")
    bare = match.group("bare")
    if match.group("name") in _UNTRUSTED and _HEXADECIMAL.match(bare):
        return text.decode(bytes.fromhex(bare))
    return bare
