# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a host, from one pass over /proc that all collectors share.

Sources: proc(5) for stat, status, cmdline, exe and ns; cgroups(7) for cgroup; systemd's
cg_path_get_unit() (src/basic/cgroup-util.c) for the unit that a control group belongs to.

This module is private to the collection.
"""

import os
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_PROCESSES = 32768
MAX_CMDLINE = 64 * 1024
MAX_SHOWN_WORDS = 128
MAX_SHOWN_WORD = 1024

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
_CLOCK_BOOTTIME = 7  # include/uapi/linux/time.h; Python names it since 3.7

_DELETED = " (deleted)"  # d_path() of an unlinked file
_CONTAINER_ID = re.compile(r"(?:^|/)(?:(?!conmon-|[^/]*-conmon-)[^/]*-)?([0-9a-f]{64})(?:\.scope)?(?=/|$)")
_LXC_NAME = re.compile(r"(?:^|/)lxc(?:/|\.payload\.)([^/]+)")


class Process:
    """One process. Texts are as the kernel gave them, decoded but not yet harmless or redacted.

    pid, ppid   int
    comm        str, at most 15 bytes of the kernel's own name for it
    argv        list of str; a title that the process wrote over it is one word
    exe         str, path without " (deleted)"; "" when it may not be read
    deleted     bool, the file of exe is gone or replaced since the start
    uid, gid    int, effective ids
    groups      list of int, supplementary groups
    started     float, seconds since the epoch
    unit        str, "shop.service", "session-3.scope", or "" when no unit of this host holds it
    container   str, id or name of the container that it is in, seen from here, or ""
    net, mnt    str, inode number of its namespace; "" when it may not be read
    """

    __slots__ = ("pid", "ppid", "comm", "argv", "exe", "deleted", "uid", "gid", "groups", "started", "unit", "container", "net", "mnt")

    def title(self):
        """Return the command line as one text, as ps shows it."""
        return " ".join(self.argv)

    def program(self):
        """Return the name of the program file, or of argv[0] when the file may not be read."""
        path = self.exe or (self.argv[0] if self.argv else "")
        return path.rsplit("/", 1)[-1]


class Processes:
    """What scan() found.

    by_pid      {pid: Process}; kernel threads and zombies are not in it
    truncated   True when there are more than MAX_PROCESSES
    hidden      sentences about what could not be seen
    net, mnt    namespaces of this code itself
    """

    def __init__(self, by_pid, truncated=False, hidden=(), net="", mnt=""):
        self.by_pid = by_pid
        self.truncated = truncated
        self.hidden = tuple(hidden)
        self.net = net
        self.mnt = mnt

    def __iter__(self):
        return iter(self.by_pid.values())

    def get(self, pid):
        """Return the Process of a pid, or None."""
        return self.by_pid.get(pid)

    def children(self, pid):
        """Return the processes whose parent is pid."""
        return [process for process in self.by_pid.values() if process.ppid == pid]


def scan(host, booted=None):
    """Return the Processes of a host.

    booted is the time that /proc/PID/stat counts from, in seconds since the epoch; the default is
    that of the running kernel. Raises Unanswered when /proc cannot be listed.
    """
    pids = sorted(int(name) for name in host.names("/proc") if name.isdigit())
    ticks = os.sysconf("SC_CLK_TCK")
    booted = _booted(host) if booted is None else booted
    manager = _cgroups(_read(host, 1, "cgroup"))
    found, veiled = {}, 0
    for pid in pids[:MAX_PROCESSES]:
        process = _process(host, pid, booted, ticks, manager)
        if process is None:
            continue
        found[pid] = process
        if not process.net:
            veiled += 1
    return Processes(found, len(pids) > MAX_PROCESSES, _hidden(pids, veiled), _namespace(host, "self", "net"), _namespace(host, "self", "mnt"))


def user_names(host):
    """Return {uid: name} of /etc/passwd; {} when it cannot be read.

    The name service is not asked: it may wait on a network.
    """
    return _names_by_id(host, "/etc/passwd")


def group_names(host):
    """Return {gid: name} of /etc/group; {} when it cannot be read."""
    return _names_by_id(host, "/etc/group")


def owner(process, redactor, users):
    """Return the OWNER shape of docs/architecture.md for a Process, harmless and without secrets.

    users is {uid: name}; a uid without a name stands for itself.
    """
    return {
        "pid": process.pid,
        "comm": text.harmless(process.comm),
        "exe": text.harmless(process.exe, 4096),
        "argv": shown_argv(process.argv, redactor),
        "uid": process.uid,
        "user": text.harmless(users.get(process.uid, str(process.uid)), 256),
        "unit": text.harmless(process.unit, 256),
        "container": text.harmless(process.container, 256),
        "net": process.net,
        "mnt": process.mnt,
        "started": process.started,
    }


def shown_argv(argv, redactor):
    """Return a command line that may leave the host: bounded, harmless, without secrets."""
    return [text.harmless(word, MAX_SHOWN_WORD) for word in redactor.argv(argv[:MAX_SHOWN_WORDS])]


def unit_of(path):
    """Return the systemd unit of a control group path, or "" when there is none.

    The slices at the beginning are passed over, and the first component after them must be a unit;
    what the unit keeps below itself (a container's own system.slice) does not count. A leading
    underscore is systemd's escape for names that clash with the kernel's files.
    """
    for part in path.strip("/").split("/"):
        name = part[1:] if part.startswith("_") else part
        if name.endswith(".slice"):
            continue
        return name if name.endswith((".service", ".scope", ".socket", ".mount", ".swap")) else ""
    return ""


def container_of(path):
    """Return the id or name of the innermost container in a control group path, or ""."""
    ids = _CONTAINER_ID.findall(path)
    if ids:
        return ids[-1]
    names = _LXC_NAME.findall(path)
    return names[-1] if names else ""


def control_groups(host, pid):
    """Return {controllers: path} of a process, as proc(5) has it: "" names version 2; {} when it is gone."""
    return _cgroups(_read(host, pid, "cgroup"))


def container_holding(host, pid):
    """Return the id or name of the container that a process is in by its control groups, seen from here, or ""."""
    return _membership(control_groups(host, pid), control_groups(host, 1))[1]


def socket_at(host, path):
    """Return the inode of the socket behind an open file such as /proc/12/fd/3, or None."""
    try:
        target = host.link(path)
    except evidence.Unanswered:
        return None
    return int(target[8:-1]) if target.startswith("socket:[") else None


def _booted(host):
    # Not btime of /proc/stat: whole seconds only. Not /proc/uptime: lxcfs replaces it.
    return host.now() - time.clock_gettime(_CLOCK_BOOTTIME)


def _process(host, pid, booted, ticks, manager):
    """Return the Process of a pid; None when it is gone, a zombie or a kernel thread."""
    name, _paren, rest = _read(host, pid, "stat").rpartition(b") ")
    fields = rest.split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X") or int(fields[6]) & _KERNEL_THREAD:
        return None
    process = Process()
    process.pid = pid
    process.ppid = int(fields[1])
    process.comm = text.decode(name.partition(b"(")[2])
    process.started = round(booted + int(fields[19]) / float(ticks), 2)
    process.argv = _argv(_read(host, pid, "cmdline"))
    if not _ids(process, _read(host, pid, "status")):
        return None
    process.exe, process.deleted = _exe(host, pid)
    process.unit, process.container = _membership(_cgroups(_read(host, pid, "cgroup")), manager)
    process.net = _namespace(host, pid, "net")
    process.mnt = _namespace(host, pid, "mnt")
    return process


def _read(host, pid, name):
    """Return the bytes of a file of a process; b"" when the process is gone or hides it."""
    try:
        return host.read("/proc/{0}/{1}".format(pid, name), MAX_CMDLINE)[0]
    except (evidence.Unanswered, OSError):
        # A process may end between open and read: ESRCH.
        return b""


def _argv(raw):
    """Split a cmdline. A title (nginx, PHP-FPM) is padded with NUL or spaces to its old length."""
    words = raw.rstrip(b"\0 ").split(b"\0")
    return [text.decode(word) for word in words] if words != [b""] else []


def _ids(process, status):
    """Set the ids of a process from its status; return whether they were there."""
    fields = dict(line.partition(b":")[::2] for line in status.splitlines())
    uids, gids = fields.get(b"Uid", b"").split(), fields.get(b"Gid", b"").split()
    if len(uids) < 2 or len(gids) < 2:
        return False
    process.uid, process.gid = int(uids[1]), int(gids[1])
    process.groups = [int(group) for group in fields.get(b"Groups", b"").split()]
    return True


def _exe(host, pid):
    target = _link(host, "/proc/{0}/exe".format(pid))
    if target.endswith(_DELETED):
        return target[: -len(_DELETED)], True
    return target, False


def _link(host, path):
    try:
        return text.decode(os.fsencode(host.link(path)))
    except evidence.Unanswered:
        return ""


def _namespace(host, pid, kind):
    """Return the inode number in "net:[4026531840]", or ""."""
    return _link(host, "/proc/{0}/ns/{1}".format(pid, kind)).partition("[")[2].rstrip("]")


def _cgroups(raw):
    """Return {controllers: path} of a cgroup file: "name=systemd" and others for v1, "" for v2."""
    groups = {}
    for line in text.decode(raw).splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        groups[controllers] = path
    return groups


def _membership(groups, manager):
    """Return (unit, container) of a process from its control groups and those of process 1.

    What lies above process 1 is the container that this host itself is, so it is taken off first.
    """
    below = {}
    for controllers, path in groups.items():
        top = manager.get(controllers, "/")
        if top.endswith("/init.scope"):
            top = top[: -len("/init.scope")]
        top = top.rstrip("/")
        below[controllers] = path[len(top):] if (path + "/").startswith(top + "/") else path
    unit = ""
    for controllers in ("name=systemd", ""):
        unit = unit or unit_of(below.get(controllers, ""))
    containers = [container_of(path) for path in below.values()]
    return unit, next((name for name in containers if name), "")


def _hidden(pids, veiled):
    hidden = []
    if 1 not in pids:
        hidden.append("/proc hides the processes of other users (hidepid)")
    if veiled:
        hidden.append("namespaces and program files of {0} processes of other users may not be read".format(veiled))
    return hidden


def _names_by_id(host, path):
    try:
        raw = host.read(path, 4 << 20)[0]
    except (evidence.Unanswered, OSError):
        return {}
    names = {}
    for line in raw.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 3 and fields[2].isdigit():
            names.setdefault(int(fields[2]), text.decode(fields[0]))
    return names
