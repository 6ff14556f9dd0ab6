# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How hard this host is pressed: stalled time, load, and connections that listening sockets had to drop.

Sources: Documentation/accounting/psi.rst, proc(5), net/ipv4/proc.c (a drop is counted where a SYN or the
end of a handshake meets a full accept queue). The counters are read twice, at the begin and the end of the
visit: since boot they tell little, a rise while we look tells much. The processor time of application servers too.

This module is private to the collection.
"""

import os
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backends

KEY = "pressure"
ASKED = "/proc/pressure, /proc/loadavg, /proc/meminfo, /proc/net/netstat"

_RESOURCES = ("cpu", "memory", "io")
MAX_SERVERS = 300
# What uses, or wants, less of a core is not worth telling; over a shorter time, ticks of 10 ms tell nothing.
_BUSY = 0.5
_LEAST_SECONDS = 0.25
_COUNTERS = ("ListenOverflows", "ListenDrops")


class Counters:
    """The counters of the network namespaces of this code and of some processes, and the times of servers, at one moment."""

    def __init__(self, host, processes, pids):
        self.read = time.monotonic()
        self.by_net = {}
        self.ticks = {}
        self.hidden = []
        places = {processes.net: "self"}
        for pid in pids:
            process = processes.get(pid)
            if process is not None and process.net:
                places.setdefault(process.net, str(pid))
        for net, place in places.items():
            path = "/proc/{0}/net/netstat".format(place)
            try:
                self.by_net[net] = parse_netstat(host.text(path))
            except (evidence.Unanswered, OSError) as error:
                self.hidden.append(getattr(error, "why", "{0}: {1}".format(path, error)))
        servers = [process.pid for process in processes if backends.kind_of(process)]
        for pid in servers[:MAX_SERVERS]:
            try:
                self.ticks[pid] = _used(host, pid), _wanted(host, pid)
            except (evidence.Unanswered, OSError, IndexError, ValueError):
                # It ended meanwhile.
                continue


def collect(host, before, after):
    """Return the `pressure` value of docs/architecture.md as a Partial; before and after are Counters."""
    hidden = before.hidden + [why for why in after.hidden if why not in before.hidden]
    value = {"cores": _cores(), "load": [], "somaxconn": None, "memory": None, "stalled": {}, "drops": [], "busy": []}
    value["seconds"] = round(after.read - before.read, 3)
    try:
        value["load"] = [float(word) for word in host.text("/proc/loadavg").split()[:3]]
    except (evidence.Unanswered, OSError, ValueError) as error:
        hidden.append(getattr(error, "why", str(error)))
    try:
        value["somaxconn"] = int(host.text("/proc/sys/net/core/somaxconn"))
    except (evidence.Unanswered, OSError, ValueError) as error:
        hidden.append(getattr(error, "why", str(error)))
    try:
        value["memory"] = parse_meminfo(host.text("/proc/meminfo"))
    except (evidence.Unanswered, OSError, ValueError) as error:
        hidden.append(getattr(error, "why", str(error)))
    for resource in _RESOURCES:
        try:
            value["stalled"][resource] = parse_pressure(host.text("/proc/pressure/" + resource))
        except (evidence.Unanswered, OSError, ValueError) as error:
            # A kernel without it (before 4.20, or psi=0) lacks the files, or refuses to read them.
            hidden.append(getattr(error, "why", str(error)))
    for net in sorted(after.by_net):
        now, then = after.by_net[net], before.by_net.get(net, {})
        for name in _COUNTERS:
            if name in now:
                risen = max(now[name] - then[name], 0) if name in then else None
                value["drops"].append({"net": net, "counter": name, "total": now[name], "risen": risen})
    seconds = after.read - before.read
    for pid in sorted(after.ticks) if seconds >= _LEAST_SECONDS else ():
        share = max((now - then) / seconds for now, then in zip(after.ticks[pid], before.ticks[pid])) if pid in before.ticks else 0.0
        if share >= _BUSY:
            value["busy"].append({"pid": pid, "share": round(share, 2)})
    return evidence.Partial(value, False, hidden)


def begin(host, processes, pids):
    """Return the Counters as they are now."""
    return Counters(host, processes, pids)


def end(host, processes, pids, before):
    """Return the Counters at the end of the visit. A visit that was too short to tell how busy a server is that did something meanwhile is made longer."""
    after = Counters(host, processes, pids)
    rest = _LEAST_SECONDS - (after.read - before.read)
    if rest <= 0 or all(times == before.ticks.get(pid) for pid, times in after.ticks.items()):
        return after
    time.sleep(rest)
    return Counters(host, processes, pids)


def parse_netstat(content):
    """Return {name: count} of /proc/net/netstat: pairs of lines, names and then values, both begun by the protocol."""
    found = {}
    lines = content.splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        if names.startswith("TcpExt:") and values.startswith("TcpExt:"):
            found.update((name, int(value)) for name, value in zip(names.split()[1:], values.split()[1:]) if value.lstrip("-").isdigit())
    return found


def parse_meminfo(content):
    """Return {"total", "available"} in bytes of /proc/meminfo; None for one that is not there (MemAvailable came with Linux 3.14)."""
    given = dict(line.partition(":")[::2] for line in content.splitlines())
    numbers = {name: re.match(r"\s*(\d{1,15}) kB", given.get(key, "")) for name, key in (("total", "MemTotal"), ("available", "MemAvailable"))}
    return {name: int(match.group(1)) * 1024 if match else None for name, match in numbers.items()}


def parse_pressure(content):
    """Return {"some": [10 s, 60 s, 300 s], "full": [...]} in percent of the time, of a file in /proc/pressure."""
    found = {}
    for line in content.splitlines():
        words = line.split()
        given = dict(word.partition("=")[::2] for word in words[1:])
        if words and words[0] in ("some", "full"):
            found[words[0]] = [float(given[name]) for name in ("avg10", "avg60", "avg300") if name in given]
    return found


def _used(host, pid):
    """Return the processor time of a process, all threads, in seconds: utime and stime of its stat."""
    fields = host.read("/proc/{0}/stat".format(pid), 4096)[0].rpartition(b") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _wanted(host, pid):
    """Return for how long the main thread of a process ran or waited for a processor, in seconds; 0.0 on a kernel that does not count.

    On a host without a processor to spare a program that is never idle gets less than a core.
    """
    try:
        fields = host.read("/proc/{0}/schedstat".format(pid), 4096)[0].split()
        return (int(fields[0]) + int(fields[1])) / 1e9
    except (evidence.Unanswered, OSError, IndexError, ValueError):
        return 0.0


def _cores():
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1
