# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of their limits nginx's processes use now: open descriptors and sockets, beside what the kernel allows them.

From /proc alone (proc(5)). The links in /proc/PID/fd, which tell a socket from a file, are read for a bounded number
of descriptors only; their count costs one listing of a folder.

This module is private to the collection.
"""

import os

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

KEY = "limits"
ASKED = "/proc/PID/limits, /proc/PID/fd, /proc/PID/status, /proc/sys/fs/file-nr, /proc/sys/fs/nr_open"

MAX_PROCESSES = 256
MAX_LINKS = 20000

# capabilities(7), linux/capability.h.
CAP_SYS_RESOURCE = 24
# The identity mapping of the first user namespace (user_namespaces(7)): a capability in another does not count for a limit.
ALL_IDS = [["0", "0", "4294967295"]]


def collect(host, nginx):
    """Return the `limits` value of docs/architecture.md as a Partial. nginx is the value of that answer."""
    hidden, truncated = [], False
    value = {"open_files": _open_files(host, hidden), "processes": {}, "nr_open": _nr_open(host)}
    counted = []
    for instance in nginx["instances"]:
        master = [instance["master"]["pid"]] if instance["master"] else []
        for pid in master + [worker["pid"] for worker in instance["workers"]]:
            if len(value["processes"]) >= MAX_PROCESSES:
                truncated = True
                break
            try:
                found = _process(host, pid)
            except (evidence.Unanswered, OSError) as error:
                if getattr(error, "status", evidence.ABSENT) != evidence.ABSENT:
                    hidden.append("limits of process {0}: {1}".format(pid, error.why))
                continue
            value["processes"][str(pid)] = found
            if pid not in master and found["descriptors"] is not None:
                counted.append((found["descriptors"], pid))
            elif pid not in master:
                hidden.append("the open descriptors of process {0} may not be read".format(pid))
    # The fullest first: it is they that matter when not all can be looked at.
    left = MAX_LINKS
    for descriptors, pid in sorted(counted, reverse=True):
        if descriptors <= left:
            value["processes"][str(pid)]["sockets"] = _sockets(host, pid)
            left -= descriptors
    return evidence.Partial(value, truncated, hidden)


def _open_files(host, hidden):
    """Return {"used", "max"} of the whole system, or None when it is not told."""
    try:
        words = host.text("/proc/sys/fs/file-nr", 256).split()
        return {"used": int(words[0]) - int(words[1]), "max": int(words[2])}
    except (evidence.Unanswered, OSError, ValueError, IndexError) as error:
        hidden.append("/proc/sys/fs/file-nr: {0}".format(getattr(error, "why", "not as expected")))
        return None


def _nr_open(host):
    """Return the most that any limit can be, or None when it is not told."""
    try:
        return int(host.text("/proc/sys/fs/nr_open", 64))
    except (evidence.Unanswered, OSError, ValueError):
        return None


def _raises(host, pid):
    """Return whether a process may set a limit above its hard one (setrlimit(2)); None when that is not told."""
    try:
        status = host.text("/proc/{0}/status".format(pid), 65536)
        ids = host.text("/proc/{0}/uid_map".format(pid), 4096)
    except (evidence.Unanswered, OSError):
        return None
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            able = int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1
            return bool(able) and [row.split() for row in ids.splitlines()] == ALL_IDS
    return None


def _process(host, pid):
    soft, hard = parse_limits(host.text("/proc/{0}/limits".format(pid), 8192))
    try:
        descriptors = len(host.names("/proc/{0}/fd".format(pid)))
    except evidence.Unanswered as error:
        if error.status == evidence.ABSENT:
            raise
        descriptors = None
    return {"descriptors": descriptors, "sockets": None, "soft": soft, "hard": hard, "raises": _raises(host, pid)}


def parse_limits(shown):
    """Return (soft, hard) of "Max open files" in /proc/PID/limits; None stands for unlimited. Raises Unanswered without such a line."""
    for line in shown.splitlines():
        if line.startswith("Max open files"):
            words = line[len("Max open files"):].split()
            if len(words) >= 2:
                return tuple(int(word) if word.isdigit() else None for word in words[:2])
    raise evidence.Unanswered(evidence.ERROR, "/proc/PID/limits has no line for open files")


def _sockets(host, pid):
    """Return how many descriptors of a process are sockets, or None when that may not be read."""
    folder = "/proc/{0}/fd".format(pid)
    count = 0
    try:
        for name in os.listdir(host.path(folder)):
            try:
                count += os.readlink(host.path(folder + "/" + name)).startswith("socket:")
            except FileNotFoundError:
                # It was closed since the listing.
                continue
    except OSError:
        return None
    return count
