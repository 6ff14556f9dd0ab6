# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the configuration of a running nginx anew, and prove that it was loaded.

Neither "nginx -s reload" nor "systemctl reload" says whether it was: they send a signal. A new port that
is taken, or a shared zone with another key, makes the master go on with the old configuration, although
nginx -t passes. ngx_master_process_cycle() in nginx's os/unix/ngx_process_cycle.c shows how the end can be seen:

- The master blocks its signals, but while it waits for one (sigsuspend). So a SIGHUP that is pending was not
  taken yet, a blocked one means that the master is at work, and neither means that it is done.
- When it is done, it either has new workers, or it refused the configuration, and its main error log says why.
- 100 ms after it made new workers it tells the old ones to end: they are gone then, or their title says that they shut down.
- A worker that ends is replaced, so one that cannot live shows as a worker that is gone again a moment later.

Nothing here starts, stops or restarts an nginx.

This module is private to the collection.
"""

import ctypes
import errno
import os
import re
import signal
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_sources as log_sources
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_files as nginx_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_log as nginx_log
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

POLL = 0.02
# Where the kernel does not show signals (gVisor), an idle master is one that does nothing for as long.
QUIET = 1.0
LOG_LIMIT = 4 << 20
MAX_MESSAGES = 20
MAX_REASONS = 10
LOOK_SECONDS = 20.0

PENDING, BUSY, IDLE = "pending", "busy", "idle"
_HANG_UP = 1 << (signal.SIGHUP - 1)
_PIDFD_OPEN, _PIDFD_SEND_SIGNAL = 434, 424  # the same numbers on every architecture: include/uapi/asm-generic/unistd.h

_LEAVING = "shutting down"
_HELPER = re.compile(r"[a-z]+: (?:cache (?:manager|loader)|privileged agent) process")
_WORKER = re.compile(r"[a-z]+: worker process")
_MASTER = re.compile(r"[a-z]+: master process")
_RECORD = re.compile(r"\[(?P<level>emerg|alert)\] (?P<pid>[0-9]+)#[0-9]+: (?P<rest>.*)", re.DOTALL)
# nginx goes on after these: "..., ignored", and a port that was not free yet, which it tries again.
_GOES_ON = re.compile(r", ignored\Z|\A(?:bind|listen)\(\) .* \(98: [^()]*\)\Z", re.DOTALL)
_ENDED = re.compile(r"(?:worker process|cache \w+ process|privileged agent process) (?P<pid>[0-9]+) exited ")
_GLOB = re.compile(r"[*?\[]")


class Failed(Exception):
    """The configuration was not loaded, or what was loaded does not hold. messages is what nginx said: list of str."""

    def __init__(self, why, messages=()):
        super().__init__(why)
        self.why = why
        self.messages = list(messages)


# --- which one, and whether

def choose(instances, path=None, pid=None, container=None):
    """Return the running Instance of a configuration file; without one, the only one that runs, or whose configuration is to be loaded.

    instances is what _collect.nginx.find() returned; pid, the master, and container, an id, tell apart what has the same file. Returns None
    where none runs, or several do and all of them have what is on disk. Raises Failed and Unanswered.
    """
    running = [one for one in instances if one.master is not None and (container is None or one.own_root and one.master.container == container)]
    found = [one for one in running if (path is None or os.path.normpath(path) == one.conf_path) and (pid is None or one.master.pid == pid)]
    if pid is None:
        # What runs in a container is meant when it is named, or when the host has none of its own: a reload that nobody asked for is none of ours.
        found = [one for one in found if not one.own_root] or found
    if path is not None and pid is None:
        # Any user can run a program that looks like the nginx of root.
        found = [one for one in found if one.master.uid == 0] or found
    if path is None and pid is None and len(found) > 1:
        found = [one for one in found if reasons(one)]
    if len(found) > 1:
        raise Failed("there are {0} nginx: {1}; say which one by `path` or `master`".format(len(found), ", ".join(map(_named, found))))
    return found[0] if found else None


def _named(instance):
    return "{0} (master {1})".format(shown(instance.conf_path), instance.master.pid)


def shown(path):
    """Return a path (str with surrogateescape) as it may leave the host."""
    return text.harmless(text.decode(os.fsencode(path)), 4096)


def reasons(instance):
    """Return why the configuration is to be loaded: sentences; [] when the workers have all of it. Raises Unanswered.

    A file's time of change (ctime) is what counts: nobody can set it, and moving a file into place, or
    giving it an old time, changes it. So do the folders whose files an include takes, and links on the way.
    """
    serving = [worker.started for worker, leaving in instance.live_workers() if not leaving]
    if not serving:
        return ["no worker serves"]
    if instance.why is not None:
        raise instance.why
    if instance.loaded["truncated"]:
        return ["not every file of the configuration could be looked at"]
    files = [file["path"] for file in instance.loaded["files"]]
    patterns = [include["pattern"] for include in instance.loaded["includes"] if _GLOB.search(include["pattern"])]
    if instance.pid is None:
        times = changes(instance.host, files, patterns)
    else:
        times = _inside.call(_changes_there, (files, patterns), pid=instance.pid, timeout=LOOK_SECONDS)
    found = ["{0} was changed after the workers were started".format(shown(path)) for path, changed in times if changed >= min(serving)]
    return found[:MAX_REASONS]


def changes(host, files, patterns):
    """Return [(path, seconds since the epoch)] of when files, links on the way to them, and the folders of glob patterns were changed."""
    folders = set()
    for pattern in patterns:
        folder = os.path.dirname(pattern)
        try:
            folders.update(nginx_files.expand(host, folder) if _GLOB.search(folder) else [folder])
        except evidence.Unanswered:
            continue
        while _GLOB.search(folder):
            folder = os.path.dirname(folder)
        folders.add(folder)
    return [(path, _changed(host, path)) for path in files + sorted(folders)]


def _changes_there(files, patterns):
    return changes(_host.Host(), files, patterns)


def _changed(host, path):
    """Return the newest time of change of a path and of the links on the way to it; 0.0 for what is not there."""
    newest, hops, done, waiting = 0.0, 0, "", path.split("/")[::-1]
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        done = os.path.dirname(done) if part == ".." else done + "/" + part
        try:
            status = host.stat(done, follow=False)
            if not os.path.islink(host.path(done)):
                continue
            target = host.link(done)
        except evidence.Unanswered:
            return newest
        newest = max(newest, status.st_ctime)
        hops += 1
        if hops > 40:
            return newest
        done = "" if target.startswith("/") else os.path.dirname(done)
        waiting += target.split("/")[::-1]
    try:
        return max(newest, host.stat(path).st_ctime)
    except evidence.Unanswered:
        return newest


# --- the master and what it has started

class Master:
    """A running master process, told by its start from another one that may get its number later."""

    def __init__(self, host, process):
        self.host = host
        self.pid = process.pid
        self.argv = process.argv
        self._born = None
        self._others = set()
        self._born = self.born(self.pid)
        if self._born is None or self._title(self.pid) != " ".join(process.argv):
            raise Failed("the master process {0} has ended meanwhile".format(self.pid))

    def hang_up(self):
        """Send SIGHUP to this very process. Raises Failed."""
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.syscall(_PIDFD_OPEN, self.pid, 0)
        code = ctypes.get_errno() if handle < 0 else 0
        try:
            # The handle stays with the process that it was opened for: looked at now, it cannot become another one.
            if self.state() is None:
                raise Failed("the master process {0} has ended meanwhile".format(self.pid))
            if handle < 0:
                if code not in (errno.ENOSYS, errno.EPERM):
                    raise Failed("the master process {0}: {1}".format(self.pid, os.strerror(code)))
                # Before Linux 5.3, and where a filter of system calls does not know it.
                os.kill(self.pid, signal.SIGHUP)
            elif libc.syscall(_PIDFD_SEND_SIGNAL, handle, int(signal.SIGHUP), None, 0) != 0:
                raise Failed("the signal to the master process {0}: {1}".format(self.pid, os.strerror(ctypes.get_errno())))
        except OSError as error:
            raise Failed("the signal to the master process {0}: {1}".format(self.pid, error.strerror))
        finally:
            if handle >= 0:
                os.close(handle)

    def state(self):
        """Return PENDING, BUSY or IDLE for what it does about the signal; None when it has ended."""
        if self.born(self.pid) != self._born:
            return None
        fields = dict(line.partition(b":")[::2] for line in self._read(self.pid, "status").splitlines())
        waiting, blocked = (self._bits(fields, names) for names in ((b"SigPnd", b"ShdPnd"), (b"SigBlk",)))
        return PENDING if waiting & _HANG_UP else BUSY if blocked & _HANG_UP else IDLE

    @staticmethod
    def _bits(fields, names):
        found = 0
        for name in names:
            try:
                found |= int(fields.get(name, b"0"), 16)
            except ValueError:
                continue
        return found

    def children(self):
        """Return {pid: (start, title)} of the processes that it has started, but for the helpers of caches and Lua."""
        found = {}
        for name in self.host.names("/proc"):
            if not name.isdigit() or int(name) in self._others:
                continue
            pid = int(name)
            fields = self._stat(pid)
            if fields is None or int(fields[1]) != self.pid:
                self._others.add(pid)
                continue
            title = self._title(pid)
            if not _HELPER.match(title):
                found[pid] = (fields[19], title)
        return found

    def upgrade(self):
        """Return the master that this one has started (an upgrade of the program is under way), or None."""
        return next((pid for pid, (_born, title) in self.children().items() if _MASTER.match(title)), None)

    def inner(self, pid):
        """Return the number that a process has in its own pid namespace: the one in nginx's log."""
        fields = dict(line.partition(b":")[::2] for line in self._read(pid, "status").splitlines())
        numbers = fields.get(b"NSpid", b"").split()
        return int(numbers[-1]) if numbers else pid

    def born(self, pid):
        """Return the start of a process in clock ticks since boot; None when it has ended."""
        fields = self._stat(pid)
        return None if fields is None else fields[19]

    def _stat(self, pid):
        fields = self._read(pid, "stat").rpartition(b") ")[2].split()
        return None if len(fields) < 20 or fields[0] in (b"Z", b"X") else fields

    def _title(self, pid):
        return " ".join(text.decode(word) for word in self._read(pid, "cmdline").rstrip(b"\0 ").split(b"\0"))

    def _read(self, pid, name):
        try:
            return self.host.read("/proc/{0}/{1}".format(pid, name), 65536)[0]
        except (evidence.Unanswered, OSError):
            return b""


# --- its logs

class Logs:
    """What is written from now on to the main error logs of an nginx: those it has open, and those of its configuration on disk.

    A configuration that cannot be read is complained of in the old ones, one that cannot be put in force in the new ones.
    """

    def __init__(self, host, instance):
        self.host = host
        self.instance = instance
        self.begin = host.now()
        self.unseen = []
        self._open = []
        self._late = []
        self._journals = []
        about = {
            "pid": instance.master.pid,
            "unit": instance.master.unit,
            "container": instance.master.container,
            "root": "/proc/{0}/root".format(instance.master.pid) if instance.own_root or instance.pid else "",
        }
        found = {}
        for path in self._paths():
            for source in log_sources.find(host, dict(about, path=path)):
                found.setdefault(source.key, source)
        for source in found.values():
            self._add(source, about)

    def _paths(self):
        """Return the paths of the main error logs on disk, and of what the master appends to and is no access log."""
        shown_logs = self.instance.error_logs()
        paths = [log["path"] for log in shown_logs if log["block"] == "main"]
        others = {log["path"] for log in self.instance.access_logs()} | {log["path"] for log in shown_logs if log["block"] != "main"}
        folder = "/proc/{0}/fd".format(self.instance.master.pid)
        try:
            numbers = self.host.names(folder)
        except evidence.Unanswered:
            numbers = []
        for number in numbers:
            try:
                target = self.host.link(folder + "/" + number)
                flags = re.search(r"^flags:\s*([0-7]+)", self.host.text("/proc/{0}/fdinfo/{1}".format(self.instance.master.pid, number)), re.MULTILINE)
            except evidence.Unanswered:
                continue
            if target.startswith("/") and not target.startswith("/dev/") and flags and int(flags.group(1), 8) & os.O_APPEND and target not in others:
                paths.append(target)
        return list(dict.fromkeys(paths))

    def _add(self, source, about):
        if isinstance(source, log_sources.Unseen):
            self.unseen.append("{0}: {1}".format(source.path, source.why))
        elif isinstance(source, log_sources.ASKED):
            self._journals.append(source)
        else:
            try:
                file, info = source.open(self.host)
            except log_files.Elsewhere as error:
                for other in log_sources.linked(self.host, dict(about, path=error.target), error.target):
                    if not (isinstance(other, log_sources.File) and other.path == source.path):
                        self._add(other, about)
            except evidence.Unanswered as error:
                if error.status == evidence.ABSENT:
                    self._late.append(source)
                else:
                    self.unseen.append(error.why)
            else:
                self._open.append((file, info.st_size))
                self._late.append(source)

    def records(self, journals=True):
        """Return [(level, pid as nginx wrote it, text)] of each [emerg] and [alert] since, the oldest of each log first."""
        raw = []
        for file, size in self._open:
            try:
                file.seek(size)
                raw.append(file.read(LOG_LIMIT))
            except OSError as error:
                self.unseen.append(str(error))
        known = {self._identity(os.fstat(file.fileno())) for file, _size in self._open}
        for source in self._late:
            # Made meanwhile, by the new configuration or by logrotate.
            try:
                file, info = source.open(self.host)
            except evidence.Unanswered:
                continue
            with file:
                if self._identity(info) not in known and info.st_ctime >= self.begin - 1:
                    raw.append(file.read(LOG_LIMIT))
        for source in self._journals if journals else ():
            try:
                raw.append(source.read(self.host, self.begin)[0])
            except evidence.Unanswered as error:
                self.unseen.append(error.why)
        return list(dict.fromkeys(record for part in raw for record in records(part)))

    @staticmethod
    def _identity(info):
        return info.st_dev, info.st_ino

    def close(self):
        """Close the files."""
        for file, _size in self._open:
            file.close()


def records(raw):
    """Return [(level, pid, text)] of each [emerg] and [alert] in a piece of a log (bytes)."""
    frame = log_files.frame_of(raw.split(b"\n"))
    if frame:
        raw = log_files.bare(raw, frame)
    starts = [match.start() for match in log_files.START_OF_RECORD.finditer(raw)]
    found = []
    for start, end in zip(starts, starts[1:] + [len(raw)]):
        match = _RECORD.search(text.decode(raw[start:end][: nginx_log.RECORD_LIMIT]).rstrip("\n"))
        if match and match.start() == len("2026/11/22 10:27:08 "):
            found.append((match.group("level"), int(match.group("pid")), match.group("rest")))
    return found


# --- the proof

class Reload:
    """One reload: run() sends the signal and returns when it is proven, or raises Failed.

    note            called with the master's pid before the signal is sent
    before, after   pids of the workers that served before, and serve now
    messages        what nginx logged as [emerg] or [alert] meanwhile and did not fail for: list of str, harmless, without secrets
    """

    def __init__(self, host, instance, timeout, settle, note=None):
        self.host = host
        self.instance = instance
        self.timeout = timeout
        self.settle = settle
        self.note = note
        self.master = Master(host, instance.master)
        self.before, self.after, self.messages = [], [], []
        self._known = {}
        self._new = {}
        self._inner = {}
        self._logs = None
        self._deadline = 0.0

    def run(self):
        """Do it."""
        if not _MASTER.match(" ".join(self.instance.master.argv)):
            raise Failed("it runs without a master process, so that a reload could not be proved")
        upgrade = self.master.upgrade()
        if upgrade is not None:
            raise Failed("an upgrade of its program is under way: its master {0} has started another one, {1}".format(self.master.pid, upgrade))
        self._logs = Logs(self.host, self.instance)
        try:
            self._known = self._children()
            self._inner[self.master.pid] = self.master.inner(self.master.pid)
            self.before = sorted(pid for pid, (_born, title) in self._known.items() if _serves(title))
            if self.note is not None:
                self.note(self.master.pid)
            self._deadline = time.monotonic() + self.timeout
            self.master.hang_up()
            self._until_read()
            self._until_handed_over()
            self._until_settled()
            said = self._logs.records()
            refused = [record for record in said if record[0] == "emerg" and record[1] == self._inner[self.master.pid] and not _GOES_ON.search(record[2])]
            if refused:
                raise self._failed("the master logged that it refused the configuration")
            self.messages = self._shown(said)
        finally:
            self._logs.close()
        self.after = sorted(self._new)

    def _until_read(self):
        """Wait until the master has read the files after the signal, and made its new workers."""
        idle_since, looks = None, 0
        while True:
            children = self._children()
            state = self._state()
            if state == PENDING:
                # Whatever it has started so far read the files before.
                self._known.update(children)
            new = self._unknown(children)
            if state != IDLE:
                idle_since, looks = None, 0
            elif new:
                self._new = new
                return
            else:
                idle_since, looks = idle_since or time.monotonic(), looks + 1
                quiet = time.monotonic() - idle_since
                if self.before and looks > 1 and not self._serving(children):
                    raise self._failed("the new workers ended as soon as they were started, and the old ones were told to end")
                if looks > 1 and (quiet >= QUIET or self._complaints()):
                    raise self._failed("nginx refused the configuration and goes on with the one it had")
            if time.monotonic() > self._deadline:
                what = "has not taken the signal" if state == PENDING else "is still at work on the configuration"
                raise self._failed("its master {0} after {1:g} s".format(what, self.timeout))
            time.sleep(POLL)

    def _until_handed_over(self):
        """Wait until the old workers are gone or take no new connection."""
        while True:
            children = self._children()
            self._state()
            left = sorted(self._serving(children))
            if not left:
                return
            if time.monotonic() > self._deadline:
                raise self._failed("the new workers run, and the old ones still serve after {0:g} s: {1}".format(self.timeout, ", ".join(map(str, left))))
            time.sleep(POLL)

    def _until_settled(self):
        """Wait until the new workers have lived for a moment."""
        since, rounds = time.monotonic(), 0
        while time.monotonic() - since < self.settle:
            time.sleep(POLL)
            self._state()
            now = self._unknown(self._children())
            gone = set(self._new) - set(now)
            self._new.update(now)
            if not gone:
                continue
            # Another reload may have replaced them; then the next ones stay, and nothing has crashed.
            rounds += 1
            if rounds > 1 or self._crashes():
                raise self._failed("the new workers do not live: {0} ended within {1:.1f} s".format(_numbers(gone), time.monotonic() - since + POLL))
            self._new, since = now, time.monotonic()
        if not self._new or not all(_serves(title) for _born, title in self._new.values()):
            raise self._failed("no new worker serves after {0:g} s".format(self.settle))
        if self._crashes(journals=True):
            raise self._failed("a new worker ended at once, and was replaced")

    def _state(self):
        state = self.master.state()
        if state is None:
            raise self._failed("its master {0} has ended".format(self.master.pid))
        return state

    def _unknown(self, children):
        """Return the children that were started after the signal was taken and are not shutting down."""
        return {pid: child for pid, child in children.items() if self._known.get(pid, ("", ""))[0] != child[0] and _LEAVING not in child[1]}

    def _serving(self, children):
        """Return the pids of the old workers that still take connections."""
        return [pid for pid, (born, title) in children.items() if self._known.get(pid, ("", ""))[0] == born and _serves(title)]

    def _children(self):
        """Return the children, and note their numbers in nginx's log."""
        children = self.master.children()
        for pid in children:
            if pid not in self._inner:
                self._inner[pid] = self.master.inner(pid)
        return children

    def _complaints(self):
        """Return whether a file says that the master logged an [emerg]. The journal takes longer to ask than the master to be done."""
        return any(level == "emerg" and pid == self._inner[self.master.pid] for level, pid, _text in self._logs.records(journals=False))

    def _crashes(self, journals=False):
        """Return whether the master logged that a worker crashed that is none of the old ones."""
        old = {self._inner[pid] for pid in self._known}
        ended = (_ENDED.match(said) for level, pid, said in self._logs.records(journals) if level == "alert" and pid == self._inner[self.master.pid])
        return any(match is not None and int(match.group("pid")) not in old for match in ended)

    def _shown(self, said):
        return ["[{0}] {1}".format(level, self.instance.say(words)) for level, _pid, words in said][-MAX_MESSAGES:]

    def _failed(self, why):
        """Return the Failed for a reason, with what nginx said since the signal."""
        self.after = sorted(self._new)
        said = self._shown(self._logs.records())
        if not said and self._logs.unseen:
            why += "; why is not known, since its error log could not be read: {0}".format(text.harmless("; ".join(self._logs.unseen[:3]), 500))
        return Failed(why, said)


def _serves(title):
    return bool(_WORKER.match(title)) and _LEAVING not in title


def _numbers(pids):
    return ", ".join(str(pid) for pid in sorted(pids)[:10])
