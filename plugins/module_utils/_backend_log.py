# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of application servers and of their managers say about the end of a process.

Texts as the programs print them: PHP-FPM 7.0 to 8.4 (fpm_children.c, fpm_process_ctl.c, fpm_request.c), gunicorn
19.9 to 23.0 (arbiter.py), uWSGI 2.0 (master.c, master_checks.c, protocol code), systemd 219 to 252 (unit.c,
service.c), supervisor 4 (process.py), PM2 5 to 7 (God.js), V8 and Node 18, Java's HotSpot (debug.cpp), Go's net/http (server.go), Puma 4
to 6, Unicorn 5 and 6. A line is taken apart only when it is wholly one of theirs: an application may print anything into the same log.

This module is private to the collection.
"""

import calendar
import re
import signal
import time

# What one of these lines must hold somewhere, for a quick look; journalctl --grep is given it too.
HINT = (
    r"exited|signal|WORKER TIMEOUT|HARAKIRI|DAMN !|EVIL RELOAD|timed out|max_children|seems busy|process\.max|threshold|too slow"
    r"|block size|request size|listen queue|failed to boot|failed to load|Segmentation Fault|was sent SIG|Failed with result|OOM killer|oomd killed"
    r"|heap out of memory|in progress \.\.\.|Finishing \.\.\.|Terminating|killing|reaped|stopped: |Stopping |Started "
    r"|Worker exiting|exceeds --max-memory|Watchdog timeout|entered failed state|panic serving|due to java.lang.OutOfMemoryError|repeated too quickly"
    r"|Node\.js v"
)
_HINT = re.compile(HINT.encode("ascii"))

_MONTHS = dict((name, number) for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1))

# gunicorn "[2026-11-26 23:19:00 +0000]"; PHP-FPM "[26-Nov-2026 23:19:00]", with microseconds at level debug; supervisor
# "2026-11-26 23:20:15,429"; PM2 "2026-11-26T23:20:28: "; uWSGI "Thu Nov 26 23:19:11 2026 - "; Ruby's Logger
# "[2026-11-26T23:20:28.123456 #12]"; Go "2026/11/26 23:20:28 ".
_ISO = re.compile(r"[\[A-Z, ]{0,4}(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?: ?(Z|[+-]\d\d:?\d\d))?")
_FPM = re.compile(r"\[(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d):(\d\d)(?:\.\d+)?\]")
_CTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})")

_GUNICORN = r"^(?:\[[^\]]{10,40}\] \[\d+\] \[[A-Z]+\] )?"
_PHP = r"^(?:\[[^\]]{10,40}\] )?[A-Z]+: (?:pid \d+, \w+\(\), line \d+: )?"
_UWSGI = r"^(?:[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} - )?"
_SUPERVISOR = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ "
_PM2 = r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: )?PM2 (?:log: )?"
_RUBY = r"^(?:[A-Z], \[[^\]]{10,60}\] +[A-Z]+ -- : )?"


def _pattern(event, words, **more):
    return event, re.compile(words), more


# (event, words, fixed values). Groups: pid, signal (number or name), code, owner, and what goes into detail.
_PATTERNS = (
    # PHP-FPM. A child that ends with code 0 was recycled (pm.max_requests) or asked to; it is not told.
    _pattern(
        "worker-killed",
        _PHP + r"\[pool (?P<owner>[^\]]+)\] child (?P<pid>\d+) exited on signal (?P<signal>\d+)"
        r" \(SIG\w+(?: - core dumped)?\) after (?P<lived>[\d.]+) seconds",
    ),
    _pattern("worker-exit", _PHP + r"\[pool (?P<owner>[^\]]+)\] child (?P<pid>\d+) exited with code (?P<code>[1-9]\d*) after (?P<lived>[\d.]+) seconds"),
    _pattern(
        "terminate-timeout",
        _PHP + r"\[pool (?P<owner>[^\]]+)\] child (?P<pid>\d+), script '(?P<script>[^']*)' \(request: \"(?P<request>[^\"]*)\"\)"
        r" execution timed out \((?P<after>[\d.]+) sec\), terminating",
    ),
    _pattern(
        "slow",
        _PHP + r"\[pool (?P<owner>[^\]]+)\] child (?P<pid>\d+), script '(?P<script>[^']*)' \(request: \"(?P<request>[^\"]*)\"\)"
        r" executing too slow \((?P<after>[\d.]+) sec\), logging",
    ),
    _pattern("max-children", _PHP + r"\[pool (?P<owner>[^\]]+)\] server reached (?:pm\.)?max_children setting \((?P<limit>\d+)\), consider"),
    _pattern(
        "busy",
        _PHP + r"\[pool (?P<owner>[^\]]+)\] seems busy \(.*spawning (?P<spawning>\d+) children, there are (?P<idle>\d+) idle, and (?P<total>\d+) total",
    ),
    _pattern("process-max", _PHP + r"The maximum number of processes has been reached\."),
    _pattern("emergency-restart", _PHP + r"failed processes threshold \((?P<limit>\d+) in (?P<within>\d+) sec\) is reached, initiating reload"),
    _pattern("reload", _PHP + r"(?P<what>Reloading in progress|Finishing|Terminating) \.\.\.$"),
    # gunicorn
    _pattern("worker-timeout", _GUNICORN + r"WORKER TIMEOUT \(pid:(?P<pid>\d+)\)$"),
    _pattern("worker-killed", _GUNICORN + r"Worker \(pid:(?P<pid>\d+)\) was sent (?P<signal>SIG\w+)!"),
    _pattern("worker-killed", _GUNICORN + r"Worker with pid (?P<pid>\d+) was terminated due to signal (?P<signal>\d+)$"),
    _pattern("worker-exit", _GUNICORN + r"Worker \(pid:(?P<pid>\d+)\) exited with code (?P<code>\d+)\.?$"),
    _pattern("worker-leaving", _GUNICORN + r"Worker exiting \(pid: (?P<pid>\d+)\)$"),
    _pattern("boot-failed", _GUNICORN + r"(?:Reason: |\w+Error: )?(?P<what>Worker failed to boot|App failed to load)\.$"),
    # uWSGI
    _pattern("harakiri", _UWSGI + r"\*\*\* HARAKIRI ON WORKER (?P<worker>\d+) \(pid: (?P<pid>\d+), try: (?P<try>\d+)(?:, graceful: \w+)?\) \*\*\*"),
    _pattern("worker-killed", _UWSGI + r"DAMN ! worker (?P<worker>\d+) \(pid: (?P<pid>\d+)\) (?:died, |MISTERIOUSLY )killed by signal (?P<signal>\d+) :\("),
    _pattern("worker-exit", _UWSGI + r"DAMN ! worker (?P<worker>\d+) \(pid: (?P<pid>\d+)\) died :\("),
    _pattern("worker-killed", _UWSGI + r"!!! uWSGI process (?P<pid>\d+) got Segmentation Fault !!!", signal=11),
    _pattern("memory-reload", _UWSGI + r"\*\*\* EVIL RELOAD ON WORKER (?P<worker>\d+) (?P<what>ADDRESS SPACE|RSS): (?P<size>\d+) \(pid: (?P<pid>\d+)\) \*\*\*"),
    _pattern("request-too-big", _UWSGI + r"invalid request block size: (?P<size>\d+) \(max (?P<limit>\d+)\)\.\.\.skip"),
    _pattern("request-too-big", _UWSGI + r"invalid HTTP request size \(max (?P<limit>\d+)\)\.\.\.skip"),
    _pattern("queue-full", _UWSGI + r"(?:\*\*\* uWSGI )?listen queue of socket \"(?P<socket>[^\"]*)\" \(fd: \d+\) full !!! \((?P<queued>\d+)/(?P<limit>\d+)\)"),
    # Puma, Unicorn
    _pattern("worker-timeout", r"^(?:\[\d+\] )?! Terminating timed out worker(?: \([^)]*\))?: (?P<pid>\d+)$"),
    _pattern("worker-timeout", _RUBY + r"worker=(?P<worker>\d+) PID:(?P<pid>\d+) timeout \((?P<after>\d+)s > (?P<limit>\d+)s\), killing"),
    _pattern("worker-killed", _RUBY + r"reaped #<Process::Status: pid (?P<pid>\d+) SIG\w+ \(signal (?P<signal>\d+)\)(?: \(core dumped\))?> worker="),
    _pattern("worker-exit", _RUBY + r"reaped #<Process::Status: pid (?P<pid>\d+) exit (?P<code>[1-9]\d*)> worker="),
    # Go: net/http takes the panic of a handler, closes the connection and goes on
    _pattern("request-panic", r"^(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:\S+\.go:\d+: )?)?http: panic serving \S+: "),
    # The Java machine, with ExitOnOutOfMemoryError or CrashOnOutOfMemoryError
    _pattern("heap-exhausted", r"^(?:Terminating|Aborting) due to java\.lang\.OutOfMemoryError: "),
    # Node
    _pattern("heap-exhausted", r"^(?:\d+\|[^|]*\| )?FATAL ERROR: .*JavaScript heap out of memory"),
    # The last line of what it prints of an exception that nobody caught, since 17 (PrintUncaughtException()).
    _pattern("uncaught-exception", r"^(?:\d+\|[^|]*\| )?Node\.js v\d+\.\d+\.\d+$"),
)
_MANAGER_PATTERNS = {
    "systemd": (
        _pattern("stopping", r"^Stopping .*\.\.\.$"),
        _pattern("started", r"^Started "),
        _pattern("exit", r": [Mm]ain process exited, code=(?P<how>exited|killed|dumped), status=(?P<status>\d+)"),
        _pattern("oom-kill", r": (?:A process of this unit has been killed by the OOM killer|systemd-oomd killed \d+ process\(es\) in this unit)\."),
        _pattern("result", r": (?:Failed with result '(?P<result>[a-z-]+)'|Unit entered failed state)\.$|^Unit \S+ entered failed state\.$"),
        _pattern("restarts-exhausted", r": Start request repeated too quickly\.$|^start request repeated too quickly for \S+$"),
        _pattern("watchdog", r": Watchdog timeout \(limit (?P<limit>\w+)\)!"),
    ),
    "supervisor": (
        _pattern("exit", _SUPERVISOR + r"exited: (?P<owner>\S+) \(terminated by (?P<signal>SIG\w+)(?:; (?P<expected>not expected|expected))?\)"),
        _pattern("exit", _SUPERVISOR + r"exited: (?P<owner>\S+) \(exit status (?P<code>\d+)(?:; (?P<expected>not expected|expected))?\)"),
        _pattern("stopped", _SUPERVISOR + r"stopped: (?P<owner>\S+) \("),
    ),
    "pm2": (
        _pattern("exit", _PM2 + r"App \[(?P<owner>.+):(?P<number>\d+)\] exited with code \[(?P<code>\d+)\] via signal \[(?P<signal>SIG\w+)\]$"),
        _pattern(
            "exit",
            _PM2 + r"App \[(?P<owner>.+)\] with id \[(?P<number>\d+)\] and pid \[(?P<pid>\d+)\], exited with code \[(?P<code>\d+)\]"
            r" via signal \[(?P<signal>SIG\w+)\]$",
        ),
        _pattern("stopped", _PM2 + r"Stopping app:(?P<owner>.+) id:(?P<number>\d+)$"),
        _pattern(
            "memory-reload",
            _PM2 + r"\[PM2\]\[WORKER\] Process (?P<number>\d+) restarted because it exceeds --max-memory-restart value"
            r" \(current_memory=(?P<size>\d+) max_memory_limit=(?P<limit>\d+)",
        ),
    ),
}
_NUMBERS = ("pid", "code", "status", "limit", "size", "worker", "queued", "spawning", "idle", "total", "number", "within", "try")


# fpm_php_trace.c: a line of its own for the request, the script, and the functions, the innermost first. Only that one is kept.
_SLOW_BEGIN = re.compile(r"(?P<time>\[[^\]]{20,27}\])  \[pool (?P<pool>[^\]]{1,200})\] pid (?P<pid>\d{1,9})$")
_SLOW_SCRIPT = re.compile(r"script_filename = (?P<script>.*)$")
_SLOW_FRAME = re.compile(r"\[0x[0-9a-f]+\] ")


def slow_requests(lines):
    """Yield (pool, pid, time or None, {"script", "function", "at"}) of each request in the lines (str) of PHP-FPM's slow log.

    One that is cut at the end of the lines, or that could not be traced, has no function and no place.
    """
    begun, values = None, {}
    for line in list(lines) + [""]:
        found = _SLOW_BEGIN.match(line)
        if begun and (found or not line):
            yield begun + (values,)
            begun = None
        if found:
            begun = found.group("pool"), int(found.group("pid")), stamp(found.group("time"))
            values = {"script": "", "function": "", "at": ""}
            continue
        script, frame = _SLOW_SCRIPT.match(line), _SLOW_FRAME.match(line)
        if begun and script and not values["script"]:
            values["script"] = script.group("script")[:300]
        elif begun and frame and not values["function"]:
            function, brackets, place = line[frame.end():].partition("() ")
            if brackets:
                values.update(function=function[:200] + "()", at=place[:300])


def may_tell(raw):
    """Return whether a line (bytes) may be one of these."""
    return bool(_HINT.search(raw))


def recognise(line, manager=""):
    """Return (event, values) of one line, or None.

    manager is "systemd", "supervisor" or "pm2" for a line that is the manager's own, "" for one of the program's.
    values may have pid, signal (a number), code (that of exit()), owner, and what else the line tells.
    """
    for event, pattern, more in _MANAGER_PATTERNS.get(manager, _PATTERNS):
        match = pattern.search(line)
        if match:
            return event, _values(event, match, more)
    return None


def _values(event, match, more):
    values = dict(more)
    for name, value in match.groupdict().items():
        if value is None:
            continue
        if name == "signal":
            number = signal_number(value)
            if number:
                values[name] = number
        elif name == "after" or name == "lived":
            values[name] = float(value)
        else:
            values[name] = int(value) if name in _NUMBERS and len(value) < 16 else value
    if event == "exit" and "how" in values:
        # systemd gives one number for both.
        values["code" if values.pop("how") == "exited" else "signal"] = values.pop("status")
    if event == "exit" and "number" in values and (values.get("code") or values.get("signal") == signal.SIGINT):
        # PM2 names SIGINT where there was no signal.
        values.pop("signal", None)
    return values


def signal_number(name):
    """Return the number of a signal that is given as "9" or "SIGKILL"; 0 for none."""
    if name.isdigit():
        return int(name) if len(name) < 4 else 0
    return int(getattr(signal, name, 0)) if re.match(r"SIG[A-Z0-9]+$", name) else 0


def stamp(line):
    """Return the time that a line begins with, in seconds since the epoch; None when it has none.

    Without a zone it is the host's local time.
    """
    match = _ISO.match(line)
    if match:
        numbers = [int(part) for part in match.groups()[:6]]
        return _time(numbers, match.group(7))
    match = _FPM.match(line)
    if match:
        day, month, year, hour, minute, second = match.groups()
        return _time([int(year), _MONTHS.get(month, 0), int(day), int(hour), int(minute), int(second)], None)
    match = _CTIME.match(line)
    if match:
        month, day, hour, minute, second, year = match.groups()
        return _time([int(year), _MONTHS.get(month, 0), int(day), int(hour), int(minute), int(second)], None)
    return None


def _time(numbers, zone):
    year, month, day, hour, minute, second = numbers
    if not (1970 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    try:
        if not zone:
            return float(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
        moment = float(calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0)))
    except (OverflowError, ValueError):
        return None
    if zone == "Z":
        return moment
    offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return moment - offset if zone[0] == "+" else moment + offset
