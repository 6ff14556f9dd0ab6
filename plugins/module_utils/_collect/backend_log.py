# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backends' own logs, their managers and the kernel say of processes that ended, grouped on the host.

Read are the journal of the units that nginx may send requests to, PHP-FPM's error log and slow logs, the logs that gunicorn, uWSGI, supervisor and
PM2 write, what such containers wrote to their standard streams, the kernel's log and the names of core dumps. Each is read from its end and
bounded, and only lines that _backend_log.py knows leave the host. A program's log holds what the program likes, and so perhaps what a client likes;
what systemd or the kernel says is told apart ("by"). The end of a process that was asked to stop is no event.

This module is private to the collection.
"""

import collections
import errno
import json
import os
import re
import stat
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _backend_log as backend_log
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_sources as log_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "backend_log"
ASKED = "journalctl, logs of PHP-FPM, gunicorn, uWSGI, supervisor, PM2 and containers, /dev/kmsg, /var/lib/systemd/coredump"

TAIL = 1 << 19
LOGS = 40
UNITS = 24
CONTAINERS = 12
CONTAINER_RECORDS = (2000, 200, 20)
CONTAINER_BYTES = 2 << 20
CONTAINER_SECONDS = 8.0
GROUPS = 200
MOMENTS = 40
PIDS = 8
SAMPLE = 300
WORDS = 5
WORDS_OF = 3
SLOW_LOGS = 10
SLOW_PLACES = 10
JOURNAL_RECORDS = 2000
JOURNAL_TAIL = 3000
JOURNAL_BYTES = 8 << 20
# A unit that writes a line for each request has a million of them a day, which take three seconds; then the last ones have to do.
JOURNAL_SECONDS = 2
KERNEL_RECORDS = 20000
KERNEL_SECONDS = 1.0
CORES = 100

AROUND = 40
NEAR = 3.0

_PORT = re.compile(r"[0-9]{1,5}\Z")
_RESPAWNED = re.compile(rb"^(?:.{24} - )?Respawned uWSGI worker \d+ \(new pid: (\d{1,9})\)")
_BRACKETED = re.compile(r"\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]")
_FIELDS = "MESSAGE,UNIT,_SYSTEMD_UNIT,_PID,__REALTIME_TIMESTAMP"
# nginx itself, and what logs for the containers that it runs.
_OTHERS = re.compile(r"^(?:nginx|openresty|angie|docker|containerd|crio|podman|kubelet|snapd)[.@-]")
_CORES = "/var/lib/systemd/coredump"
_CORE = re.compile(r"core\.(?P<comm>.{1,64})\.(?P<uid>\d{1,10})\.[0-9a-f]{32}\.(?P<pid>\d{1,10})\.(?P<time>\d{10,17})(?:\.\w+)?$")
_KERNEL_HINT = r"oom-kill:|Killed process|: segfault at |^traps: |general protection|invalid opcode|SYN flooding|nf_conntrack: .*table full"
_KERNEL = (
    (
        "oom-constraint",
        re.compile(r"oom-kill:constraint=(?P<constraint>\w+),.*?task_memcg=(?P<group>[^,]*),task=(?P<comm>.{1,16}),pid=(?P<pid>\d+),uid=\d+"),
    ),
    (
        "oom-kill",
        re.compile(
            r"(?P<constraint>Memory cgroup out of memory|Out of memory)(?: \([^)]*\))?: Kill(?:ed)? process (?P<pid>\d+) \((?P<comm>.{1,16})\)"
            r"(?:.*?anon-rss:(?P<anon>\d+)kB)?"
        ),
    ),
    ("oom-kill", re.compile(r"Killed process (?P<pid>\d+) \((?P<comm>.{1,16})\)(?:.*?anon-rss:(?P<anon>\d+)kB)?")),
    ("segfault", re.compile(r"^(?P<comm>.{1,16})\[(?P<pid>\d+)\]: segfault at ")),
    ("segfault", re.compile(r"^traps: (?P<comm>.{1,16})\[(?P<pid>\d+)\] (?:general protection|trap (?:invalid opcode|divide error|int3|stack segment))")),
    ("syn-flood", re.compile(r"request_sock_TCP: Possible SYN flooding on port (?:\S+:)?(?P<port>\d+)\.")),
    ("conntrack-full", re.compile(r"nf_conntrack: (?:nf_conntrack: )?table full, dropping packet")),
)


def collect(host, redactor, processes, since, nginx, listeners, php_fpm, backends, containers=None):
    """Return the `backend_log` value of docs/architecture.md as a Partial.

    processes are those of _processes.scan(); nginx, listeners, php_fpm, backends and containers are the values of these questions, or None;
    since is the length of the window in seconds.
    """
    begin = host.now() - since
    events, hidden = _Events(redactor, begin), []
    named = _Named(nginx)
    versions = {version["unit"]: version for version in (php_fpm or {}).get("versions", ())}
    sources = _journal(host, events, _units(named, listeners, php_fpm, backends), versions, begin)
    for log in _logs(named, php_fpm, backends)[:LOGS]:
        sources.append(_read(host, events, log, begin, processes))
    for pool in _slow_pools(named, php_fpm)[:SLOW_LOGS]:
        sources.append(_read_slow(host, events, pool, begin))
    sources += _containers(host, events, named, containers, begin)
    kernel = evidence.ask("/dev/kmsg, journalctl -k", _kernel, host, begin)
    cores = evidence.ask(_CORES, _core_dumps, host, begin)
    hidden += ["{0}: {1}".format(source["source"], source["why"]) for source in sources if source["why"] and source["status"] != evidence.ABSENT]
    value = {"since": begin, "sources": sources, "events": events.value(), "kernel": kernel, "cores": cores, "core_pattern": _core_pattern(host)}
    return evidence.Partial(value, events.overflowed or any(source["truncated"] for source in sources), hidden)


class _Named:
    """The endpoints that the nginx of this host sends requests to."""

    def __init__(self, nginx):
        self._sockets, self._ports = set(), set()
        for instance in (nginx or {}).get("instances", ()):
            self._sockets |= {"unix:" + path for path in passes.sockets(instance)}
            ports = passes.ports(instance)
            self._ports = None if ports is None or self._ports is None else self._ports | ports

    def takes(self, endpoint):
        """Return whether a request may go to an endpoint such as "*:3000" or "unix:/run/x.sock"."""
        if self._ports is None or endpoint in self._sockets:
            return True
        port = endpoint.rpartition(":")[2]
        return not endpoint.startswith("unix:") and _PORT.match(port) is not None and int(port) in self._ports


def _items(backends, name):
    return ((backends or {}).get(name) or {}).get("value") or []


def _claimed(named, item):
    # What says nothing of where it listens may listen anywhere.
    return not item["claims"] or any(named.takes(claim["endpoint"]) for claim in item["claims"])


def _units(named, listeners, php_fpm, backends):
    """Return the names of the services that nginx may send requests to, those that are known to take them first."""
    holding = set()
    for item in (listeners or {}).get("tcp", ()):
        if named.takes("{0}:{1}".format(item["address"], item["port"])):
            holding |= {owner["unit"] for owner in item["owners"]}
    for item in (listeners or {}).get("unix", ()):
        if named.takes("unix:" + item["path"]):
            holding |= {owner["unit"] for owner in item["owners"]}
    holding |= {version["unit"] for version in (php_fpm or {}).get("versions", ())}
    units = _items(backends, "units")
    claiming = [unit["name"] for unit in units if unit["claims"] and _claimed(named, unit)]
    down = [unit["name"] for unit in units if not unit["claims"] and (unit["active"] == "failed" or unit["sub"] == "auto-restart")]
    found = sorted(name for name in holding if name.endswith(".service")) + claiming + down
    return [name for at, name in enumerate(found) if name.endswith(".service") and name not in found[:at] and not _OTHERS.match(name)][:UNITS]


def _logs(named, php_fpm, backends):
    """Return the files to read: (kind and name of the owner, path, manager whose own words they are, user that the file must belong to)."""
    found = []
    for version in (php_fpm or {}).get("versions", ()):
        if version.get("error_log", "").startswith("/"):
            found.append((("pool", version), version["error_log"], "", None))
    for unit in _items(backends, "units"):
        if _claimed(named, unit):
            found += [(("unit", unit["name"]), path, "", None) for path in unit["logs"]]
    for program in _items(backends, "supervisor"):
        if _claimed(named, program):
            found += [(("program", program["name"]), path, "", None) for path in program["logs"]]
            found.append((("program", ""), program["manager_log"], "supervisor", None))
    for app in _items(backends, "pm2"):
        if _claimed(named, app):
            found += [(("app", app["name"]), path, "", app["user"]) for path in app["logs"]]
            found.append((("app", ""), app["manager_log"], "pm2", app["user"]))
    for process in _items(backends, "processes"):
        if _claimed(named, process) and process["unit"].endswith(".service"):
            found += [(("unit", process["unit"]), path, "", None) for path in process["logs"]]
    paths = [path for _owner, path, _manager, _user in found]
    return [log for at, log in enumerate(found) if log[1].startswith("/") and log[1] not in paths[:at]]


class _Events:
    """What was recognised, grouped."""

    def __init__(self, redactor, begin):
        self._redactor = redactor
        self._begin = begin
        self._groups = {}
        self._words = {}
        self.overflowed = False

    def add(self, kind, owner, source, by, event, values, moment, line):
        """Count one event; one that is older than the window is none."""
        if moment is not None and moment < self._begin:
            return
        values = dict(values)
        pid, number, code = values.pop("pid", None), values.pop("signal", None), values.pop("code", None)
        measured = {name: values.pop(name) for name in ("lived", "size", "after", "queued") if name in values}
        for name in ("worker", "try", "number", "owner", "request", "spawning", "idle", "total"):
            values.pop(name, None)
        key = (kind, owner, source, by, event, number, code, tuple(sorted(values.items())))
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= GROUPS:
                self.overflowed = True
                return
            group = {"detail": dict(values), "count": 0, "first": None, "last": None, "moments": [], "pids": [], "sample": line, "words": []}
            self._groups[key] = group
        group["count"] += 1
        for name, value in measured.items():
            group["detail"][name] = max(value, group["detail"].get(name, value))
        if moment is not None:
            group["first"] = moment if group["first"] is None else min(group["first"], moment)
            group["last"] = moment if group["last"] is None else max(group["last"], moment)
            group["moments"] = (group["moments"] + [moment])[-MOMENTS:]
        if pid:
            group["pids"] = (group["pids"] + [pid])[-PIDS:]

    def value(self):
        """Return the EVENTs."""
        self._add_words()
        return [self._shown(key, group) for key, group in self._groups.items()]

    def _shown(self, key, group):
        kind, owner, source, by, event, number, code, _rest = key
        return {
            "kind": kind, "owner": text.harmless(owner, 256), "source": text.harmless(source, 300), "by": by, "event": event, "signal": number, "code": code,
            "count": group["count"], "first": group["first"], "last": group["last"], "moments": sorted(group["moments"]), "pids": group["pids"],
            "detail": {name: self._harmless(value) if not isinstance(value, (int, float)) else value for name, value in group["detail"].items()},
            "sample": self._harmless(group["sample"]), "words": [self._harmless(line) for line in group["words"]],
        }

    def keep_words(self, kind, owner, written, lines):
        """Keep the last lines of a program's own log for the end that they were written at, if there is such."""
        if lines and written > self._words.get((kind, owner), (0.0, ()))[0]:
            self._words[(kind, owner)] = (written, lines)

    def _add_words(self):
        for key, group in self._groups.items():
            for (kind, owner), (written, lines) in self._words.items():
                same = key[0] == kind and key[4] == "exit" and key[1] in (owner, owner.rpartition(":")[2])
                if same and group["last"] and abs(group["last"] - written) <= 3.0:
                    group["words"] = lines

    def ended(self):
        """Return (unit, group) of the main processes that ended by themselves, the last first."""
        found = [(key[1], group) for key, group in self._groups.items() if key[0] == "unit" and key[3:5] == ("systemd", "exit") and group["last"]]
        return sorted(found, key=lambda item: -item[1]["last"])

    def _harmless(self, line):
        return text.harmless(self._redactor.text(line), SAMPLE)


def _source(owner, source, status=evidence.OK, why=""):
    return {"owner": text.harmless(owner, 256), "source": text.harmless(source, 300), "status": status, "why": text.harmless(why, 300), "truncated": False}


# --- the journal

def _journal(host, events, units, versions, begin):
    """Read the journal of some units; return its one source."""
    if not units:
        return []
    source = _source("", "journal")
    try:
        if not host.exists("/run/systemd/system"):
            return []
        records, source["truncated"] = journal_records(host, ["--unit=" + name for name in units], begin, backend_log.HINT)
    except evidence.Unanswered as error:
        return [_source("", "journal", error.status, error.why)]
    if os.geteuid() != 0:
        source["why"] = "without root only a part of it may be read"
    known, stopping = set(units), set()
    for record in records:
        name = next((record[key] for key in ("UNIT", "_SYSTEMD_UNIT") if record.get(key) in known), None)
        line = journal_message(record.get("MESSAGE"))
        own = record.get("_PID") == "1"
        # The unit that systemd speaks about is in UNIT; whoever else writes that field is not believed.
        if name is None or not line or ("UNIT" in record and not own):
            continue
        told = backend_log.recognise(line, "systemd" if own else "")
        if told and told[0] in ("stopping", "started"):
            (stopping.add if told[0] == "stopping" else stopping.discard)(name)
        elif told and not (own and name in stopping):
            event, values = told
            kind, owner = _owner("pool", versions[name], values) if name in versions else ("unit", name)
            events.add(kind, owner, "journal", "systemd" if own else "log", event, values, journal_moment(record), line)
    _add_words_of_units(host, events)
    return [source]


def _add_words_of_units(host, events):
    """Add what a unit said in the moments before its process ended by itself: a program names its error there."""
    for name, group in events.ended()[:WORDS_OF]:
        argv = ["journalctl", "--no-pager", "--quiet", "--output=json", "--unit=" + name, "-n", "60"]
        argv += ["--since=@{0}".format(int(group["last"]) - 5), "--until=@{0}".format(int(group["last"]) + 1)]
        try:
            records = _parsed(host.run(argv, JOURNAL_SECONDS, 1 << 20).out)
        except evidence.Unanswered:
            continue
        own = [record for record in records if record.get("_PID") != "1" and (journal_moment(record) or 0.0) <= group["last"] + 0.05]
        group["words"] = _telling([journal_message(record.get("MESSAGE")) for record in own])


def _telling(lines):
    """Return the last lines that are no part of a stack trace."""
    return [line for line in lines if line.strip() and not line[0].isspace() and not line.startswith("Node.js v")][-WORDS:]


def journal_records(host, matches, begin, hint, fields=_FIELDS):
    """Return (records, truncated) of journalctl, newest last. Where it knows no --grep, or is slow with it, the last lines of all."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=json", "--since=@{0}".format(int(begin))]
    try:
        chosen = ["--output-fields=" + fields, "--case-sensitive=yes", "--grep=" + hint, "-n", str(JOURNAL_RECORDS)]
        output = host.run(argv + chosen + matches, JOURNAL_SECONDS, JOURNAL_BYTES)
        # Nothing found is 1 in some versions.
        if output.rc == 0 or output.rc == 1 and not output.err:
            records = _parsed(output.out)
            return records, len(records) >= JOURNAL_RECORDS or output.truncated
    except evidence.Unanswered as error:
        if error.status != evidence.TIMEOUT:
            raise
    output = host.run(argv + ["-n", str(JOURNAL_TAIL)] + matches, JOURNAL_SECONDS, JOURNAL_BYTES)
    if output.rc != 0:
        raise evidence.Unanswered(evidence.ERROR, "journalctl: " + (text.harmless(text.decode(output.err).strip(), 300) or "failed"))
    lines, wanted = output.out.split(b"\n"), re.compile(hint.encode("ascii"))
    kept = [line for line in lines if wanted.search(line) or b'"MESSAGE":[' in line]
    return _parsed(b"\n".join(kept)), len(lines) > JOURNAL_TAIL or output.truncated


def _parsed(raw):
    records = []
    for line in raw.split(b"\n"):
        try:
            record = json.loads(text.decode(line))
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    records.sort(key=lambda record: journal_moment(record) or 0.0)
    return records


def journal_moment(record, field="__REALTIME_TIMESTAMP"):
    """Return the time of a record, or None."""
    stamp = record.get(field)
    return int(stamp) / 1e6 if isinstance(stamp, str) and stamp.isdigit() and len(stamp) < 18 else None


def journal_message(message):
    """Return MESSAGE of a record: journalctl prints bytes that are not UTF-8 as a list of numbers."""
    if isinstance(message, list):
        return text.decode(bytes(number for number in message if isinstance(number, int) and 0 <= number < 256))
    return message if isinstance(message, str) else ""


# --- files

def _read(host, events, log, begin, processes):
    (kind, owner), path, manager, user = log
    shown = "PHP " + owner["version"] if kind == "pool" else owner
    source = _source(shown, path)
    try:
        raw, size, written = _tail(host, path, user)
    except evidence.Unanswered as error:
        return _source(shown, path, error.status, error.why)
    except OSError as error:
        return _source(shown, path, evidence.ERROR, error.strerror or type(error).__name__)
    if written < begin:
        return source
    if size <= TAIL:
        raw = _rotated(host, path, user, begin) + raw
    lines, asked_to_stop = raw.split(b"\n"), set()
    for number, line in enumerate(lines):
        told = backend_log.recognise(text.decode(line[:4096]), manager) if backend_log.may_tell(line) else None
        if not told:
            continue
        event, values = told
        if event == "memory-reload" and manager == "pm2":
            values["owner"] = _app_of(lines, number, values["number"])
        about, name = _owner(kind, owner, values)
        if event == "stopped" and manager == "pm2":
            # What it logs next of this instance is the end that was asked for; a cluster has several, and it stops some at once.
            asked_to_stop.add((name, values.get("number")))
        elif event == "exit" and (name, values.get("number")) in asked_to_stop:
            asked_to_stop.discard((name, values.get("number")))
            continue
        line = text.decode(line[:4096])
        moment = backend_log.stamp(line) or _between(lines, number, processes)
        events.add(about, name, path, manager or "log", event, values, moment, line)
    if size > TAIL:
        oldest = _next_stamp(lines)
        source["truncated"] = oldest is None or oldest > begin
    if kind in ("program", "app") and not manager:
        events.keep_words(kind, owner, written, _telling([text.decode(line[:1000]) for line in lines[-40:]]))
    return source


def _slow_pools(named, php_fpm):
    """Return the pools that write a slow log and that nginx may send requests to."""
    pools = (php_fpm or {}).get("pools", ())
    return [pool for pool in pools if pool.get("slowlog") and pool.get("request_slowlog_timeout") and pool["listen"] and named.takes(pool["listen"])]


def _read_slow(host, events, pool, begin):
    """Count the slow requests of a pool by the place in which they were; of the many that a log may have, the most frequent ones."""
    path = pool["slowlog"]
    owner = "{0} (PHP {1})".format(pool["name"], pool["version"]) if pool["version"] else pool["name"]
    source = _source("pool " + owner, path)
    try:
        raw, size, written = _tail(host, path, None)
    except evidence.Unanswered as error:
        return _source("pool " + owner, path, error.status, error.why)
    except OSError as error:
        return _source("pool " + owner, path, evidence.ERROR, error.strerror or type(error).__name__)
    if written < begin:
        return source
    requests = list(backend_log.slow_requests(text.decode(line[:1000]) for line in raw.split(b"\n")))
    own = [item for item in requests if item[0] == pool["name"] and item[2] is not None and item[2] >= begin]
    most = {place for place, _count in collections.Counter(_place(item) for item in own).most_common(SLOW_PLACES)}
    for item in own:
        _name, pid, moment, values = item
        kept = values if _place(item) in most else dict.fromkeys(values, "")
        events.add("pool", owner, path, "log", "slow-request", dict(kept, pid=pid), moment, _slow_sample(kept))
    if size > TAIL:
        source["truncated"] = not requests or requests[0][2] is None or requests[0][2] > begin
    return source


def _place(item):
    return tuple(sorted(item[3].items()))


def _slow_sample(values):
    return "script_filename = {0}: {1} {2}".format(values["script"], values["function"], values["at"]) if values["script"] else "slow requests elsewhere"


def _containers(host, events, named, containers, begin):
    """Read what those containers wrote that nginx may send requests to; return their sources."""
    sources, holders = [], {engine["socket"]: engine["uid"] for engine in (containers or {}).get("engines", ())}
    deadline = time.monotonic() + CONTAINER_SECONDS
    every = (containers or {}).get("containers", ())
    # What is told goes by names, and an engine of a user gives any.
    taken = {one["name"] for one in every if holders.get(one["engine"]) == 0}
    every = [one for one in every if holders.get(one["engine"]) == 0 or one["name"] not in taken]
    for container in [one for one in every if _may_answer(named, one)][:CONTAINERS]:
        name = container["name"] or container["id"][:12]
        source = _source(name, "log of container {0}".format(name))
        sources.append(source)
        log = log_sources.EngineLog(source["source"], host.path(container["engine"]), (holders.get(container["engine"]),), container["id"], "")
        try:
            if time.monotonic() > deadline:
                raise evidence.Unanswered(evidence.TIMEOUT, "the time for the logs of containers was over")
            lines, source["truncated"] = log.lines(begin, CONTAINER_RECORDS, CONTAINER_BYTES)
        except evidence.Unanswered as error:
            source.update(status=error.status, why=text.harmless(error.why, 300))
            continue
        for line in lines:
            written, _space, said = line[:4096].partition(b" ")
            told = backend_log.recognise(text.decode(said)) if backend_log.may_tell(said) else None
            if told:
                # Processes have other numbers in there.
                values = {key: value for key, value in told[1].items() if key != "pid"}
                events.add("container", name, source["source"], "log", told[0], values, log_files.moment(written), text.decode(said))
    return sources


def _may_answer(named, container):
    """Return whether nginx may send requests to a container; one that was never started has written nothing."""
    ports = set(container["exposed"]) | {port[kind] for port in container["published"] for kind in ("port", "host_port")} - {None}
    return container["status"] == evidence.OK and container["started"] is not None and (not ports or any(named.takes("*:{0}".format(port)) for port in ports))


def _app_of(lines, number, identity):
    """Return the name of the app of which PM2 told the number alone: it names both in what it does next."""
    for line in lines[number + 1:number + 1 + AROUND]:
        told = backend_log.recognise(text.decode(line[:4096]), "pm2")
        if told and told[1].get("number") == identity and told[1].get("owner"):
            return told[1]["owner"]
    return ""


def _between(lines, number, processes):
    """Return the time of a line that has none: that of the worker which was started in place of the one that died, or of its neighbours.

    None where the lines around it are too far apart to tell.
    """
    for line in lines[number + 1:number + 4]:
        replaced = _RESPAWNED.match(line)
        process = processes.get(int(replaced.group(1))) if replaced else None
        if process and "uwsgi" in process.program():
            return process.started
    before, after = _next_stamp(lines[max(0, number - AROUND):number][::-1]), _next_stamp(lines[number + 1:number + 1 + AROUND])
    return before if before is not None and after is not None and 0 <= after - before <= NEAR else None


def _next_stamp(lines):
    """Return the first time that some lines tell, at their begin or as uWSGI tells a request's."""
    for line in lines:
        line = text.decode(line[:300])
        moment = backend_log.stamp(line)
        if moment is None:
            bracketed = _BRACKETED.search(line)
            moment = backend_log.stamp(bracketed.group(1)) if bracketed else None
        if moment is not None:
            return moment
    return None


def _rotated(host, path, user, begin):
    """Return the last bytes of the newest rotated file of a log, where that still belongs to the window."""
    for name in log_files.rotated(host, path, begin)[:1]:
        if not name.endswith(".gz"):
            try:
                return _tail(host, name, user)[0]
            except (evidence.Unanswered, OSError):
                break
    return b""


def _owner(kind, owner, values):
    """Return (kind, name) of the one that a line is about, as the model names it; of PHP-FPM's own lines, that of a pool or of its unit."""
    named = values.get("owner")
    if kind == "pool":
        if not named:
            return "unit", owner["unit"]
        return kind, "{0} (PHP {1})".format(named, owner["version"]) if owner["version"] else named
    return kind, owner or named or ""


def _tail(host, path, user):
    """Return (last bytes from a whole line on, size, time of the last write) of a log.

    One that its user may have put there must be that user's, and have one name.
    """
    file, info = log_files.open_log(host, path)
    with file:
        if user is not None:
            uids = {uid for uid, name in _processes.user_names(host).items() if name == user}
            if info.st_uid not in uids or info.st_nlink != 1 or not stat.S_ISREG(info.st_mode):
                raise evidence.Unanswered(evidence.DENIED, "{0} does not belong to {1}".format(path, user))
        file.seek(max(0, info.st_size - TAIL))
        raw, left = b"", TAIL
        while left > 0:
            part = file.read(left)
            if not part:
                break
            raw += part
            left -= len(part)
    return (raw.partition(b"\n")[2] if info.st_size > TAIL else raw), info.st_size, info.st_mtime


# --- the kernel

def _kernel(host, begin):
    """Return {"source", "events"}; raises Unanswered where there is no kernel log or it may not be read."""
    booted = host.now() - time.clock_gettime(time.CLOCK_MONOTONIC)
    try:
        lines, whole = ring(host, booted, _KERNEL_HINT)
    except evidence.Unanswered as error:
        lines, whole, why = [], False, error
    else:
        why = None
    source = "/dev/kmsg"
    if not whole:
        try:
            records, _cut = journal_records(host, ["--dmesg"], begin, _KERNEL_HINT)
        except evidence.Unanswered as error:
            if why:
                raise why
            records = []
            source += " (journalctl -k: {0})".format(error.why)
        told = [(journal_moment(record), journal_message(record.get("MESSAGE"))) for record in records]
        if why and not told:
            raise why
        seen = {line for _moment_, line in lines}
        lines = [item for item in told if item[1] not in seen] + lines
        source = "journalctl -k" if why else source + ", journalctl -k"
    found, constraint = [], {}
    for moment, line in lines:
        for event, pattern in _KERNEL:
            match = pattern.search(line)
            if not match:
                continue
            if moment is None or moment >= begin:
                if event == "oom-constraint":
                    constraint = match.groupdict()
                else:
                    found.append(_kernel_event(event, match.groupdict(), moment, line, constraint))
            break
    return evidence.Partial({"source": text.harmless(source, 300), "events": found[-GROUPS:]}, len(found) > GROUPS)


def ring(host, booted, wanted):
    """Return ([(time, line)] of the lines of the kernel's ring buffer that match a pattern (str), whether it still holds the first line since boot)."""
    try:
        descriptor = os.open(host.path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise evidence.unanswered_by(error, "/dev/kmsg")
    hint, lines, first = re.compile(wanted.encode("ascii")), [], None
    deadline = time.monotonic() + KERNEL_SECONDS
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise evidence.Unanswered(evidence.ABSENT, "/dev/kmsg is no device")
        for _number in range(KERNEL_RECORDS):
            try:
                record = os.read(descriptor, 8192)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:
                    # Overwritten while it was read: go on with the next.
                    continue
                raise evidence.unanswered_by(error, "/dev/kmsg")
            if not record or time.monotonic() > deadline:
                return lines, False
            # Documentation/ABI/testing/dev-kmsg: "6,339,5140900,-;message"
            head, _semicolon, rest = record.partition(b";")
            fields = head.split(b",")
            message = rest.split(b"\n", 1)[0]
            if first is None:
                first = fields[1] if len(fields) > 2 else b""
            # Facility 0 is the kernel's; user space may write to the same buffer.
            if len(fields) > 2 and fields[0].isdigit() and int(fields[0]) < 8 and fields[2].isdigit() and hint.search(message):
                lines.append((booted + int(fields[2]) / 1e6, text.decode(message)))
    finally:
        os.close(descriptor)
    return lines, first in (None, b"0")


def _kernel_event(event, values, moment, line, constraint):
    about = {"event": event, "pid": None, "comm": text.harmless(values.get("comm") or "", 64), "unit": "", "constraint": "", "memory": None, "port": None}
    if values.get("pid"):
        about["pid"] = int(values["pid"])
    if values.get("port"):
        about["port"] = int(values["port"])
    if event == "oom-kill":
        about["constraint"] = "group" if (values.get("constraint") or "").startswith("Memory cgroup") else "host"
        about["memory"] = int(values["anon"]) * 1024 if values.get("anon") else None
        if constraint and constraint.get("pid") == values.get("pid"):
            # A group that is no unit of this host, such as a container's, is told whole.
            about["unit"] = text.harmless(_processes.unit_of(constraint["group"]) or constraint["group"], 256)
            about["constraint"] = "group" if constraint["constraint"] == "CONSTRAINT_MEMCG" else "host"
    return dict(about, time=moment, sample=text.harmless(line, SAMPLE))


def _core_dumps(host, begin):
    """Return [{"name", "comm", "pid", "time"}] of systemd-coredump's folder, by the names alone."""
    found = []
    for name in host.names(_CORES):
        match = _CORE.match(name)
        if match:
            moment = int(match.group("time")) / (1e6 if len(match.group("time")) > 12 else 1.0)
            if moment >= begin:
                found.append({"name": text.harmless(name, 300), "comm": text.harmless(match.group("comm"), 64), "pid": int(match.group("pid")), "time": moment})
    return found[-CORES:]


def _core_pattern(host):
    try:
        return text.harmless(host.text("/proc/sys/kernel/core_pattern", 4096).strip(), 300)
    except (evidence.Unanswered, OSError):
        return ""
