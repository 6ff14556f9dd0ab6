# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo what a checkpoint's journal says, with or without a controller.

A module calls undo(); the host's own timer runs the copy of this file that lies in the checkpoint's folder (main). Neither it nor
_safe_files, _container_state and _selinux_local, the only files that it imports, need anything else of the collection.

A checkpoint is a folder: journal (JSON lines, each flushed to the disk before the change that it announces), saved/ (bytes of files), restore.pyz
(this code), and reserve, until it is closed: space, so that undoing has some when the disk is full meanwhile. A line that was cut short announces
nothing. The RECORDs, by "do":

    open       id, reason, by, at (epoch), uptime, boot, confirm_within (seconds); the first
    watched    by, armed: what undoes the change when nobody confirms it
    alive      uptime: who changes the host is still at work, and the time to confirm begins anew
    save       path, before (STATE of _safe_files), blob (name in saved/ or ""), foreign (others change it, so that any state of it is ours)
    foreign    path: of a file that was saved before
    write      path, temp, after (STATE); blob (name in saved/) where it is written in place, with temp ""
    setting    key, before (KEY as a list, and STATE, of _selinux_local)
    unit       name, active, enabled;  member: user, group, was;  program: manager, name, user, home, command, state
    container  engine, connects, and its STATE of _container_state
    after      unit, action: what to do when the files are back
    reload     pid, started (ticks since boot), exe, title, container: an nginx master is told to read its configuration
    master     the same, workers [[pid, started]]: an nginx master that may be told so by others
    confirmed  at, after: {path: STATE}, empty when the changes were yet to come, settings: [[KEY, STATE]]
    undoing    at, forced; then restoring: path, temp;  resetting: keys;  changing: what;  done: step
    undone     at, restored, conflicts, unverified

Undoing twice, or again after it was killed, gives the same. A file that is neither as it was nor as the change left it has been changed by
somebody else: it is left, and said, unless forced.

This module is private to the collection.
"""

import errno
import fcntl
import grp
import json
import os
import pwd
import re
import select
import signal
import subprocess
import sys
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _container_state as containers
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local

OPEN, CONFIRMED, ROLLED_BACK, UNVERIFIED = "open", "confirmed", "rolled-back", "unverified"
RUNNING = ("active", "reloading", "activating")
ENABLING = {
    "enabled": ["enable"], "enabled-runtime": ["enable", "--runtime"], "disabled": ["disable"],
    "masked": ["mask"], "masked-runtime": ["mask", "--runtime"],
}
RESERVE = "reserve"
UP_PROGRAMS = ("RUNNING", "STARTING", "BACKOFF", "online", "launching")

_UNIT_FOLDERS = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
_CONTAINER = re.compile(br"[0-9a-f]{64}")
_COMMAND_SECONDS = 120
# How long a role that is used alone may take from saving to its last change.
_CHANGING_SECONDS = 3600
_RELOAD_SECONDS = 15.0
_LOCK_SECONDS = 900.0
_MAX_LIST = 32 << 20


class Locked(Exception):
    """Somebody else of us is at work on this host."""


class Lock:
    """The one who may change the checkpoints of a host, from take() to the end of a with; the kernel ends it with its process. wait is in seconds."""

    def __init__(self, root, wait):
        self.path = os.path.join(root, "lock")
        self.wait = wait
        self.descriptor = None

    def take(self):
        """Wait for the lock. Raises Locked and OSError."""
        deadline = time.monotonic() + self.wait
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR) or time.monotonic() > deadline:
                    os.close(self.descriptor)
                    raise Locked("another task of webops.bad_gateway changes this host; it held its lock for {0:g} s".format(self.wait))
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        os.close(self.descriptor)


class Journal:
    """The records of a checkpoint."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "journal")

    def read(self):
        """Return the RECORDs; what is no record was cut short, and announced nothing."""
        with open(self.path, "rb") as file:
            lines = file.read().split(b"\n")
        records = []
        for line in lines:
            try:
                record = json.loads(line.decode("ascii"))
            except ValueError:
                continue
            if isinstance(record, dict) and "do" in record:
                records.append(record)
        return records

    def add(self, do, **more):
        """Write a record, and return when it is on the disk. Raises OSError."""
        line = json.dumps(dict(more, do=do), sort_keys=True).encode("ascii") + b"\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Item:
    """A file, link or folder: its STATE before, where its bytes are, and the STATEs that are our doing.

    foreign: others change it, and any STATE is our doing; closed: the time (epoch) when a checkpoint was confirmed before they did;
    underway: an attempt to put it back was not ended; written: names in saved/ of what was written in place, in its order.
    """

    def __init__(self, record):
        self.path = record["path"]
        self.before = record["before"]
        self.blob = record["blob"]
        self.foreign = record["foreign"]
        self.closed = None
        self.underway = False
        self.after = []
        self.written = []

    def ours(self, now):
        """Return whether a STATE is one that the change may have left, but for one of which a write in place was cut short."""
        if self.underway or self.foreign and (self.closed is None or now.get("ctime", 0) < self.closed + _CHANGING_SECONDS):
            return True
        return any(not files.differences(now, state) for state in self.after)


class Setting:
    """A setting of SELinux that others change: its KEY, its STATE before, and after, which is None until a checkpoint was confirmed that knew it.

    underway: an attempt to put it back was not ended.
    """

    def __init__(self, record):
        self.key = tuple(record["key"])
        self.before = record["before"]
        self.after = None
        self.underway = False

    def ours(self, now):
        """Return whether a STATE is one that the change may have left."""
        return self.underway or self.after is None or now == self.after


class Book:
    """What a journal in a folder says: state, opened (the first record), items {path: Item}, settings {KEY: Setting}, other records by what they do."""

    def __init__(self, records, folder=""):
        self.folder = folder
        self.records = []
        self.opened = None
        self.state = OPEN
        self.items = {}
        self.settings = {}
        for record in records:
            self.take(record)

    def take(self, record):
        """Take in the next record."""
        self.records.append(record)
        do, path = record["do"], record.get("path")
        if do == "open" and len(self.records) == 1:
            self.opened = record
        elif do == "save" and path not in self.items:
            self.items[path] = Item(record)
        elif do == "setting":
            self.settings.setdefault(tuple(record["key"]), Setting(record))
        elif do == "foreign":
            self.items[path].foreign = True
        elif do == "write":
            self.items[path].after.append(record["after"])
            if record.get("blob"):
                self.items[path].written.append(record["blob"])
        elif do == "confirmed":
            self.state = CONFIRMED
            for item in self.items.values():
                item.closed = record["at"]
                if item.path in record["after"]:
                    item.after.append(record["after"][item.path])
                    item.foreign = False
            for key, state in record.get("settings", ()):
                self.settings[tuple(key)].after = state
        elif do == "restoring":
            self.items[path].underway = True
        elif do == "resetting":
            for key in record["keys"]:
                self.settings[tuple(key)].underway = True
        elif do == "undone":
            for kept in list(self.items.values()) + list(self.settings.values()):
                kept.underway = False
            self.state = UNVERIFIED if record["conflicts"] or record["unverified"] else ROLLED_BACK

    def ours(self, item, now, held):
        """Return whether a STATE of an Item, with the bytes of a file, is one that the change may have left."""
        return item.ours(now) or held is not None and bool(item.written) and self._cut_short(item, held)

    def _cut_short(self, item, held):
        """Return whether bytes are what a write in place leaves that was not ended."""
        contents = [_kept(self.folder, name) for name in [item.blob] + item.written]
        return any(files.mixture(held, one, other) for one, other in zip(contents, contents[1:]))

    def all(self, do):
        """Return the records of one kind."""
        return [record for record in self.records if record["do"] == do]

    def known_after(self):
        """Return whether a confirmed checkpoint knows what its changes left."""
        confirmed = self.last("confirmed")
        return bool(confirmed["after"] or confirmed.get("settings"))

    def last(self, do):
        """Return the newest record of a kind, or None."""
        found = self.all(do)
        return found[-1] if found else None


def release(folder):
    """Give back the space that was kept for undoing on a full disk."""
    try:
        os.unlink(os.path.join(folder, RESERVE))
    except OSError:
        # It was given back before.
        return


def read(folder):
    """Return the Book of a checkpoint's folder; its opened is None when it was never opened. Raises OSError."""
    try:
        return Book(Journal(folder).read(), folder)
    except FileNotFoundError:
        return Book([], folder)


def _kept(folder, name):
    """Return bytes that were saved. Raises OSError."""
    with open(os.path.join(folder, "saved", name), "rb") as file:
        return file.read()


def run(argv, timeout=_COMMAND_SECONDS, user=None, limit=2000):
    """Run a program without a shell and return (code, the end of what it printed); code is None when it is absent or took too long.

    user is a pwd entry, limit a number of bytes.
    """
    environment = dict(_ENVIRONMENT, HOME=user.pw_dir if user else "/root")
    demote = None
    if user is not None and user.pw_uid != os.geteuid():
        groups = os.getgrouplist(user.pw_name, user.pw_gid)

        def demote():
            os.setgroups(groups)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)

    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd="/",
            close_fds=True, start_new_session=True, preexec_fn=demote,
        )
    except OSError as error:
        return None, "{0}: {1}".format(argv[0], os.strerror(error.errno))
    try:
        said = _printed(process, timeout, limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None, "{0} took longer than {1} s".format(" ".join(argv), timeout)
    return process.returncode, said.decode("utf-8", "backslashreplace").strip()


def _printed(process, timeout, limit):
    """Return the last bytes that a process prints until it ends; raises TimeoutExpired. A program of another user may print without end."""
    deadline = time.monotonic() + timeout
    held, pipe = bytearray(), process.stdout.fileno()
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(pipe, 65536)
        if not piece:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
            return bytes(held)
        held += piece
        del held[:-limit]
        if time.monotonic() > deadline:
            break
    raise subprocess.TimeoutExpired(process.args, timeout)


def unit_state(name):
    """Return {"active", "enabled"} of a systemd unit, as systemctl says; empty strings where it cannot be asked."""
    code, said = run(["systemctl", "show", "--property=ActiveState,UnitFileState", "--", name], timeout=20)
    values = dict(line.split("=", 1) for line in said.split("\n") if "=" in line) if code == 0 else {}
    return {"active": values.get("ActiveState", ""), "enabled": values.get("UnitFileState", "")}


def is_member(user, group):
    """Return whether a user is one of the named members of a group. Raises KeyError when there is no such group."""
    return user in grp.getgrnam(group).gr_mem


def program_state(program):
    """Return the state of a program of supervisor or app of PM2 in its manager's word; "" when it has none."""
    if program["manager"] == "supervisor":
        _code, said = run(["supervisorctl", "status", program["name"]], timeout=20)
        words = said.split()
        return words[1] if len(words) > 1 and words[0] == program["name"] and words[1].isupper() else ""
    code, said = _pm2(program, ["jlist"])
    start = said.find("[{") if code == 0 else -1
    try:
        # There may be advice around it.
        apps = json.JSONDecoder().raw_decode(said, start)[0] if start >= 0 else []
        states = [app["pm2_env"]["status"] for app in apps if app["name"] == program["name"]]
    except (ValueError, KeyError, TypeError):
        return ""
    return "online" if "online" in states else "".join(states[:1])


def _pm2(program, words):
    user = pwd.getpwnam(program["user"]) if program["user"] else pwd.getpwuid(os.geteuid())
    home = program["home"] or os.path.join(user.pw_dir, ".pm2")
    if not _pm2_runs(home):
        return None, "PM2 does not run with {0}".format(home)
    command = program["command"] or "pm2"
    path = ":".join(filter(None, [os.path.dirname(command), _ENVIRONMENT["PATH"]]))
    return run(["env", "PM2_HOME=" + home, "PATH=" + path, command] + words, timeout=60, user=user, limit=_MAX_LIST)


def _pm2_runs(home):
    """Return whether PM2's daemon runs: every command of pm2 starts one where none does."""
    try:
        # The folder belongs to a user, who may have put a pipe there.
        descriptor = os.open(os.path.join(home, "pm2.pid"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            os.kill(int(file.read(20) or b""), 0)
    except (OSError, ValueError):
        return False
    return True


def process(pid):
    """Return {"pid", "parent", "started" (ticks since boot), "exe", "title", "container" (its id or "")} of a process, or None."""
    folder = "/proc/{0}/".format(pid)
    try:
        with open(folder + "stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(folder + "cmdline", "rb") as file:
            title = file.read(4096).rstrip(b"\0").decode("utf-8", "backslashreplace")
        with open(folder + "cgroup", "rb") as file:
            container = _CONTAINER.search(file.read(65536))
        exe = os.readlink(folder + "exe")
    except OSError:
        return None
    if fields[0] == b"Z":
        return None
    exe = exe[: -len(" (deleted)")] if exe.endswith(" (deleted)") else exe
    return {
        "pid": int(pid), "parent": int(fields[1]), "started": int(fields[19]), "exe": exe, "title": title,
        "container": container.group().decode("ascii") if container else "",
    }


def _processes():
    return [found for found in (process(name) for name in os.listdir("/proc") if name.isdigit()) if found]


class Undoing:
    """One attempt to undo a checkpoint: what it restored, left to others, and could not prove."""

    def __init__(self, folder, force):
        self.folder = folder
        self.force = force
        self.journal = Journal(folder)
        self.book = read(folder)
        self.restored = []
        self.conflicts = []
        self.unverified = []
        self.left = set()
        self.touched = bool(self.book.all("restoring") or self.book.all("changing"))
        self.steps = {record["step"] for record in self.book.all("done")}

    def note(self, do, **more):
        """Write a record; a journal that cannot be written must not keep the host broken."""
        try:
            self.journal.add(do, **more)
        except OSError as error:
            why = "the journal cannot be written: {0}".format(os.strerror(error.errno))
            if why not in self.unverified:
                self.unverified.append(why)

    def all(self):
        """Undo everything; the newest change first, and what runs after the files that it reads."""
        release(self.folder)
        self.note("undoing", at=time.time(), forced=self.force)
        for record in self.book.records:
            if record.get("temp"):
                self.attempt(record["path"], self.sweep, record)
        items = list(self.book.items.values())
        # Folders that are gone come first, as they were saved; folders that are to go come last.
        for item in [item for item in items if item.before["kind"] == "folder"]:
            self.attempt(item.path, self.file, item)
        for item in [item for item in reversed(items) if item.before["kind"] != "folder"]:
            self.attempt(item.path, self.file, item)
        for record in reversed(self.book.all("member")):
            self.attempt("{user} in {group}".format(**record), self.member, record)
        if self.book.settings:
            self.reset()
        self.reread_units()
        for record in _oldest(self.book.all("unit"), "name"):
            self.attempt(record["name"], self.unit, record)
        for record in _oldest(self.book.all("program"), "manager", "name", "user", "home"):
            self.attempt(record["name"], self.program, record)
        self.do_after()
        for record in _oldest(self.book.all("reload") + self.book.all("master"), "exe", "title", "container") if self.touched else []:
            self.attempt("nginx", self.nginx, record)
        # After nginx, which looks up the names of containers when it reads its configuration: one that is stopped again has none.
        for record in saved_containers(self.book):
            self.attempt("container " + record["name"], self.container, record)
        for item in items:
            if item.path not in self.left:
                self.attempt(item.path, self.verify, item)
        self.note("undone", at=time.time(), restored=self.restored, conflicts=self.conflicts, unverified=self.unverified)

    def attempt(self, what, step, *arguments):
        """Do a step; a failure is told, and the next one is done."""
        try:
            step(*arguments)
        except OSError as error:
            self.unverified.append("{0}: {1}".format(files.shown(what), os.strerror(error.errno) if error.errno else error))
            self.left.add(what)
        except files.Refused as error:
            self.unverified.append(str(error))
            self.left.add(what)
        except (KeyError, ValueError, containers.Failed) as error:
            self.unverified.append("{0}: {1}".format(files.shown(what), error))

    def sweep(self, record):
        """Remove the unfinished file that a write left when it was killed."""
        try:
            with files.find(record["path"], follow=False) as place:
                files.remove(place.folder, files.raw(record["temp"]))
        except FileNotFoundError:
            # Its folder is gone, and the file with it.
            return

    def file(self, item):
        """Give a file, link or folder its state of before."""
        try:
            place = files.find(item.path, follow=False)
        except FileNotFoundError:
            if item.before["kind"] == "absent":
                return
            raise
        with place:
            now, held = files.look(place, content=bool(item.written))
            different = files.differences(now, item.before)
            if not different:
                if item.underway and item.written and place.path == item.path:
                    # It may have been killed when the bytes were back, and their time was not.
                    files.dress(place, item.before)
                return
            if place.path != item.path:
                self.leave(item, "its folder is a link to another one now")
                return
            if not self.force and not self.book.ours(item, now, held):
                self.leave(item, "somebody else has changed it since ({0})".format(", ".join(different)))
                return
            temp = files.temporary(place)
            self.touched = True
            self.note("restoring", path=item.path, temp=temp)
            self.put(item, place, now, temp)
            self.restored.append("{0} ({1})".format(files.shown(item.path), ", ".join(different)))

    def leave(self, item, why):
        """Leave a file as somebody else wants it."""
        self.conflicts.append("{0}: {1}".format(files.shown(item.path), why))
        self.left.add(item.path)

    def put(self, item, place, now, temp):
        """Make a place what it was before."""
        before = item.before
        kind = before["kind"]
        if kind in ("folder", "other"):
            if kind == "folder" and now["kind"] == "absent":
                files.make_folder(place, before)
            elif now["kind"] != kind or now.get("type") != before.get("type"):
                raise files.Refused("{0}: it was a {1}, and is a {2} now".format(files.shown(item.path), kind, now["kind"]))
            else:
                files.dress(place, before)
            return
        if now["kind"] == "folder":
            if kind != "absent":
                raise files.Refused("{0}: it is a folder now".format(files.shown(item.path)))
            self.empty(item, place, now)
        elif kind == "absent":
            files.take_away(place, now)
        elif kind == "link":
            files.replace_link(place, before, temp, now)
        elif now["kind"] == "file" and now["sha256"] == before["sha256"]:
            files.dress(place, before)
        elif item.written and now["kind"] == "file":
            files.overwrite(place, self.saved(item), before, now)
        else:
            files.replace(place, self.saved(item), before, temp, now)

    def empty(self, item, place, now):
        """Remove a folder that was not there, when nothing is in it."""
        try:
            files.take_away(place, now)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            self.leave(item, "it was not there before, and holds files of others now")

    def saved(self, item):
        """Return the saved bytes of a file, proved by their hash."""
        held = _kept(self.folder, item.blob)
        if files.digest(held) != item.before["sha256"]:
            raise files.Refused("{0}: its saved bytes in {1} are damaged".format(files.shown(item.path), self.folder))
        return held

    def verify(self, item):
        """Look again whether a file is what it was."""
        try:
            with files.find(item.path, follow=False) as place:
                now, _held = files.look(place)
        except FileNotFoundError:
            now = {"kind": "absent"}
        different = files.differences(now, item.before)
        if different:
            self.unverified.append("{0}: it is not what it was ({1})".format(files.shown(item.path), ", ".join(different)))

    def change(self, what, argv, user=None):
        """Run a program that changes something back; raises ValueError with what it said when it fails."""
        self.touched = True
        self.note("changing", what=what)
        code, said = run(argv, user=user)
        if code != 0:
            raise ValueError("{0}: {1}".format(" ".join(argv), said or "ended with {0}".format(code)))
        self.restored.append(what)

    def member(self, record):
        """Take a user out of a group, or put him back."""
        user, group = record["user"], record["group"]
        if is_member(user, group) == record["was"]:
            return
        argv = ["gpasswd", "--add" if record["was"] else "--delete", user, group]
        self.change("{0} is {1} a member of {2}".format(user, "again" if record["was"] else "no longer", group), argv)
        if is_member(user, group) != record["was"]:
            raise ValueError("gpasswd changed nothing")

    def reset(self):
        """Give booleans, port types and labels of paths their records and values of before, in one change of the policy store."""
        wanted = {}
        try:
            now = local.states(self.book.settings)
            for key, setting in self.book.settings.items():
                if now[key] == setting.before:
                    continue
                if self.force or setting.ours(now[key]):
                    wanted[key] = setting.before
                else:
                    self.conflicts.append("{0}: somebody else has changed it since ({1})".format(local.told(key), local.described(now[key])))
            if wanted:
                self.touched = True
                self.note("resetting", keys=[list(key) for key in wanted])
                local.put_back(wanted)
                now = local.states(wanted)
        except local.LocalError as error:
            for key in wanted or self.book.settings:
                self.unverified.append("{0}: it was {1}: {2}".format(local.told(key), local.described(self.book.settings[key].before), error))
            return
        for key, state in sorted(wanted.items()):
            if now[key] == state:
                self.restored.append("{0} ({1})".format(local.told(key), local.described(state)))
            else:
                self.unverified.append("{0}: it was {1}, and is {2} now".format(local.told(key), local.described(state), local.described(now[key])))

    def reread_units(self):
        """Let systemd read unit files that were put back."""
        ours = [path for path in self.book.items if path.startswith(_UNIT_FOLDERS)]
        if self.touched and ours and os.path.isdir("/run/systemd/system"):
            self.attempt("systemd", self.change, "systemd has read its units again", ["systemctl", "daemon-reload"])

    def unit(self, record):
        """Make a unit active and enabled as it was."""
        name, now = record["name"], unit_state(record["name"])
        if record["enabled"] != now["enabled"]:
            if now["enabled"].startswith("masked"):
                self.change("{0} is no longer masked".format(name), ["systemctl", "unmask", "--", name])
            if record["enabled"] in ENABLING:
                self.change("{0} is {1} again".format(name, record["enabled"]), ["systemctl"] + ENABLING[record["enabled"]] + ["--", name])
        was, running = record["active"] in RUNNING, now["active"] in RUNNING
        if record["active"] and was != running:
            # One that was on its way up need not arrive there.
            words = ["start"] if record["active"] == "active" else ["start", "--no-block"] if was else ["stop"]
            self.change("{0} is {1} again".format(name, "running" if was else "stopped"), ["systemctl"] + words + ["--", name])
        now = unit_state(name)
        if record["enabled"] and now["enabled"] != record["enabled"]:
            raise ValueError("it was {0}, and is {1} now".format(record["enabled"], now["enabled"] or "unknown"))
        if record["active"] == "active" and now["active"] not in RUNNING or record["active"] in ("inactive", "failed") and now["active"] in RUNNING:
            raise ValueError("it was {0}, and is {1} now".format(record["active"], now["active"] or "unknown"))

    def program(self, record):
        """Start or stop a program of supervisor or an app of PM2 as it was."""
        was, running = record["state"] in UP_PROGRAMS, program_state(record) in UP_PROGRAMS
        if was == running:
            return
        what = "{0} is {1} again".format(record["name"], "running" if was else "stopped")
        word = "start" if was else "stop"
        if record["manager"] == "supervisor":
            self.change(what, ["supervisorctl", word, record["name"]])
        else:
            self.touched = True
            self.note("changing", what=what)
            code, said = _pm2(record, [word, record["name"]])
            if code != 0:
                raise ValueError(said[-2000:])
            self.restored.append(what)
        if (program_state(record) in UP_PROGRAMS) != was:
            raise ValueError("it was {0}, and is {1} now".format(record["state"], program_state(record) or "unknown"))

    def container(self, record):
        """Disconnect a container from the networks that it was connected to, and let it run, or not, as it did."""
        engine, identity = record["engine"], record["id"]
        try:
            now = containers.look(engine, identity)
        except containers.Failed as error:
            if not error.gone:
                raise
            self.conflicts.append("container {0}: somebody has removed it, or made it anew, since".format(record["name"]))
            return
        for way, network, what in containers.differences(record, now):
            self.touched = True
            self.note("changing", what=what)
            containers.put_back(engine, identity, way, network)
            self.restored.append(what)
        left = containers.differences(record, containers.look(engine, identity))
        if left:
            raise ValueError("it is not what it was: {0}".format(", ".join(what for _way, _network, what in left)))

    def do_after(self):
        """Do what belongs after the files, once, if anything was changed back."""
        for record in _oldest(self.book.all("after"), "unit", "action"):
            step = "{action} {unit}".format(**record)
            if self.touched and step not in self.steps:
                self.attempt(record["unit"], self.act, record["unit"], record["action"], step)

    def act(self, unit, action, step):
        """Let a running unit read its files again; one that does not run is left so."""
        if action == "daemon-reload":
            self.change("systemd has read its units again", ["systemctl", "daemon-reload"])
        elif unit_state(unit)["active"] in RUNNING:
            self.change("{0} {1}".format(unit, "restarted" if action == "restart" else "reloaded"), ["systemctl", action, "--", unit])
            if unit_state(unit)["active"] not in RUNNING:
                raise ValueError("it does not run after its {0}".format(action))
        self.note("done", step=step)

    def nginx(self, record):
        """Let an nginx that had read the change read what is there again, and see new workers of it."""
        for master in _masters(record):
            old = workers(master["pid"])
            if "workers" in record and master["pid"] == record["pid"] and all(worker in record["workers"] for worker in old):
                # It has never read the change.
                continue
            self.note("changing", what="nginx {0} reads its configuration".format(master["pid"]))
            os.kill(master["pid"], signal.SIGHUP)
            deadline = time.monotonic() + _RELOAD_SECONDS
            while all(worker in old for worker in workers(master["pid"])):
                if time.monotonic() > deadline:
                    raise ValueError("master process {0} was told to read its configuration, and has no new workers".format(master["pid"]))
                time.sleep(0.1)
            self.restored.append("nginx (process {0}) has read its configuration again".format(master["pid"]))


def workers(master):
    """Return the sorted [pid, started] of the processes of a master."""
    return sorted([found["pid"], found["started"]] for found in _processes() if found["parent"] == master)


def _masters(record):
    """Return the nginx master that a reload was for; if it is gone, those that were started in the same way since."""
    known = process(record["pid"])
    if known and known["started"] == record["started"]:
        return [known]
    return [found for found in _processes() if all(found[key] == record[key] for key in ("title", "exe", "container"))]


def saved_containers(book):
    """Return the first record of each container, with the networks of all of its records to be left, in reverse order."""
    records = book.all("container")
    return [
        dict(first, connects=sorted({network for record in records if _same(record, first) for network in record["connects"]}))
        for first in _oldest(records, "engine", "id")
    ]


def _same(record, other):
    return (record["engine"], record["id"]) == (other["engine"], other["id"])


def _oldest(records, *keys):
    """Return the first record of each key, in reverse order."""
    first = {}
    for record in records:
        first.setdefault(tuple(record[key] for key in keys), record)
    return list(reversed(list(first.values())))


def undo(folder, force=False):
    """Undo a checkpoint whose lock the caller holds; return its Undoing. Raises OSError when the journal cannot be read."""
    undoing = Undoing(folder, force)
    undoing.all()
    return undoing


def pending(book):
    """Return [(path, what differs, whether that is our doing)] of the files that are not what they were before."""
    found = []
    for item in book.items.values():
        now, held = {"kind": "absent"}, None
        try:
            with files.find(item.path, follow=False) as place:
                now, held = files.look(place, content=bool(item.written))
        except FileNotFoundError:
            # The folder that it was in is gone too.
            pass
        except (OSError, files.Refused) as error:
            found.append((item.path, ["cannot be read: {0}".format(error)], True))
            continue
        different = files.differences(now, item.before)
        if different:
            found.append((item.path, different, book.ours(item, now, held)))
    return found


def pending_settings(book):
    """Return [(KEY, what it was, whether what it is now is our doing)] of the settings that are not what they were before."""
    if not book.settings:
        return []
    try:
        now = local.states(book.settings)
    except local.LocalError as error:
        return [(key, "cannot be read: {0}".format(error), True) for key in book.settings]
    return [
        (key, "was {0}".format(local.described(setting.before)), setting.ours(now[key]))
        for key, setting in book.settings.items() if now[key] != setting.before
    ]


def uptime():
    """Return the seconds since the host was started; no clock that is set changes them."""
    with open("/proc/uptime", "rb") as file:
        return float(file.read().split()[0])


def boot():
    """Return the id of this run of the host."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode("ascii").strip()


def time_left(book):
    """Return for how many seconds a checkpoint can still be confirmed before it is undone."""
    opened = book.opened
    if opened["boot"] != boot():
        return 0.0
    since = max(record["uptime"] for record in [opened] + book.all("alive"))
    return max(0.0, since + opened["confirm_within"] - uptime())


def _undo_in_time(folder, root):
    """Wait until a checkpoint is closed, or the time to confirm it is over; then undo it. Return the Undoing or None. Raises Locked."""
    while True:
        book = read(folder)
        if book.opened is None or book.state != OPEN:
            return None
        left = time_left(book)
        if left > 0:
            time.sleep(min(2.0, left))
            continue
        lock = Lock(root, _LOCK_SECONDS)
        lock.take()
        with lock:
            book = read(folder)
            # It may have been confirmed, or worked under, while this process waited.
            if book.opened is not None and book.state == OPEN and time_left(book) <= 0:
                return undo(folder)


def _undo_now(folder, root):
    """Undo a checkpoint, unless it is undone; return the Undoing or None. Raises Locked."""
    lock = Lock(root, _LOCK_SECONDS)
    lock.take()
    with lock:
        book = read(folder)
        return None if book.opened is None or book.state == ROLLED_BACK else undo(folder)


def _detach():
    """Part this process from the session and the pipes of the one that started it."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def main(arguments):
    """Undo the checkpoint in the folder that holds this code; the exit code is 0 when it is undone, or need not be.

    Arguments: the folder; --unless-confirmed: when the time to confirm it is over; --detach: in a process of its own.
    """
    folder = arguments[0].rstrip("/")
    if "--detach" in arguments:
        if os.fork():
            return 0
        _detach()
    try:
        done = (_undo_in_time if "--unless-confirmed" in arguments else _undo_now)(folder, os.path.dirname(folder))
    except Locked as error:
        sys.stderr.write("{0}\n".format(error))
        return 1
    if done is None:
        return 0
    for line in done.restored + done.conflicts + done.unverified:
        sys.stderr.write(ascii(line) + "\n")
    return 1 if done.conflicts or done.unverified else 0
