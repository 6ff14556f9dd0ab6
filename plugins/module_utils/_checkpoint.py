# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of a host: what is needed to undo a change, on the disk before the change is made.

    with _checkpoint.attach(checkpoint_id, "nginx_directive") as point:     # None: one of its own, confirmed at the end, undone on an exception
        point.write_file("/etc/nginx/nginx.conf", content, expected=sha256_of_what_was_read)

Each is a folder of ROOT whose journal _restore describes. One may be open on a host; it keeps a second run out. When it is not confirmed in time
a timer of the host undoes it; where the timer could not (the host was started anew), the next run that opens one does.

This module is private to the collection.
"""

import calendar
import contextlib
import io
import os
import pwd
import re
import shutil
import stat
import sys
import time
import zipfile

from ansible_collections.webops.bad_gateway.plugins.module_utils import _container_state as containers
from ansible_collections.webops.bad_gateway.plugins.module_utils import _restore as restore
from ansible_collections.webops.bad_gateway.plugins.module_utils import _safe_files as files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local

ROOT = "/var/lib/webops_bad_gateway"
KEPT = 50
RESERVED = 1 << 20
CONFIRM_SECONDS = 600
# For one that a module opens and confirms by itself.
OWN_SECONDS = 120
LOCK_SECONDS = 30.0

ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{4}")
_CODE = "restore.pyz"
_UNIT = "webops-bad-gateway-{0}"
_PACKAGE = "ansible_collections/webops/bad_gateway/plugins/module_utils"
_MAIN = """import sys
from ansible_collections.webops.bad_gateway.plugins.module_utils import _restore
sys.exit(_restore.main(sys.argv[1:]))
"""


class CheckpointError(Exception):
    """Why nothing is changed, in words."""


class Checkpoint:
    """An open checkpoint, or one that can be undone; who has one holds the lock of the host.

    id, folder; notes: what a user should know of the files that were written; kept: False when it was confirmed and nothing had changed.
    """

    def __init__(self, root, name):
        self.id = name
        self.root = root
        self.folder = os.path.join(root, name)
        self.journal = restore.Journal(self.folder)
        self.book = restore.read(self.folder)
        self.notes = []
        self.watch = False
        self.kept = True

    @property
    def state(self):
        """One of open, confirmed, rolled-back and unverified."""
        return self.book.state

    def add(self, do, **more):
        """Write a record of _restore and take it in."""
        try:
            self.journal.add(do, **more)
        except OSError as error:
            raise CheckpointError("{0}: the journal cannot be written, so nothing is changed: {1}".format(self.folder, os.strerror(error.errno)))
        self.book.take(dict(more, do=do))

    def require_open(self):
        """Raise CheckpointError unless changes may be made under this checkpoint."""
        if self.state != restore.OPEN:
            undone = self.book.last("undone")
            when = " at {0}".format(clock(undone["at"])) if undone else ""
            raise CheckpointError("checkpoint {0} is {1}{2}, so nothing can be changed under it".format(self.id, self.state, when))

    def join(self):
        """Go on under an open checkpoint: the time to confirm it begins anew. Raises CheckpointError."""
        self.require_open()
        self.add("alive", uptime=restore.uptime())

    # Saving

    def save_file(self, path, only_root=False):
        """Save a file, link, folder (its own metadata) or absence that others will change; a link is saved with the file that it leads to.

        The oldest saved state of a path is the one that is put back. only_root: who changes it does so as root, and by its path, so nobody else may be
        able to put a link there meanwhile. Raises CheckpointError.
        """
        with _told(path):
            place, missing = _reach(path)
            with place:
                _settled(place, only_root)
                if missing:
                    # Others will make these folders too.
                    real = place.path
                    for name in missing:
                        self._save(real, {"kind": "absent"}, None, foreign=True)
                        real = real + "/" + name
                    self._save(real, {"kind": "absent"}, None, foreign=True)
                    return
                state, held = files.look(place, content=True)
                self._save(place.path, state, held, foreign=True)
            if state["kind"] == "link":
                with files.find(path) as target:
                    _settled(target, only_root)
                    state, held = files.look(target, content=True)
                    self._save(target.path, state, held, foreign=True)

    def saved_bytes(self, path):
        """Return what a file (its real path) held before the first change under this checkpoint; None where it was not saved. Raises CheckpointError."""
        item = self.book.items.get(path)
        if item is None or not item.blob:
            return None
        with _told(path), open(os.path.join(self.folder, "saved", item.blob), "rb") as file:
            return file.read()

    def write_file(self, path, content, expected=None, mode=0o644, in_place=False, links=True):
        """Write bytes to a file, or to the file that a link leads to, and return {"path", "real_path", "changed"}.

        expected  SHA-256 of the bytes from which content was made; "" when there was no file; None: whatever is there
        mode      permission bits of a file that is new; others keep owner, mode and attributes
        in_place  write into the file that is there, because a container holds it by its inode, and not over it
        links     whether links are followed: those that root of a container makes in a folder of this host are root's here

        The state of before is saved first. Raises CheckpointError: then the file is as it was.
        """
        with _told(path), files.find(path) as place:
            if place.followed and not links:
                raise files.Refused("{0}: {1} is a link now".format(files.shown(path), files.shown(place.followed[0])))
            now, held = files.look(place, content=True)
            if now["kind"] not in ("file", "absent"):
                raise files.Refused("{0}: it is a {1}".format(files.shown(path), now["kind"]))
            if expected is not None and now.get("sha256", "") != expected:
                raise files.Changed("{0}: somebody else has changed it since it was read".format(files.shown(path)))
            result = {"path": path, "real_path": place.path, "changed": held != content}
            if place.followed:
                self.notes.append("{0} is a link; the file that is written is {1}".format(files.shown(path), files.shown(place.path)))
            if held == content:
                return result
            self._save(place.path, now, held, foreign=False)
            after = dict(now, kind="file", sha256=files.digest(content), size=len(content), mtime_ns=None)
            if now["kind"] == "absent":
                # What the folder and the security policy give to a new file is right for it.
                after.update(mode=mode, uid=os.geteuid(), gid=os.getegid(), xattrs=None)
            if in_place:
                if now["kind"] == "absent":
                    raise files.Changed("{0}: it is not there any more".format(files.shown(path)))
                # Both contents are on the disk: whatever a write that is cut short leaves can be told, and put back.
                self.add("write", path=place.path, temp="", after=after, blob=self._keep(content))
                files.overwrite(place, content, after, now)
                return result
            temp = files.temporary(place)
            self.add("write", path=place.path, temp=temp, after=after)
            files.replace(place, content, after, temp, now)
            return result

    def save_unit(self, name):
        """Save whether a systemd unit is active and enabled. Raises CheckpointError."""
        state = restore.unit_state(name)
        if not state["active"]:
            raise CheckpointError("systemd does not say how unit {0} is, so it could not be put back".format(name))
        self.arm()
        self.add("unit", name=name, **state)

    def save_settings(self, keys):
        """Save settings of SELinux (KEYs of _selinux_local) that others will change; the oldest saved state is put back. Raises CheckpointError."""
        new = [key for key in keys if key not in self.book.settings]
        if not new:
            return
        try:
            found = local.states(new)
        except local.LocalError as error:
            raise CheckpointError("{0}, so a change could not be undone".format(error))
        self.arm()
        for key in new:
            self.add("setting", key=list(key), before=found[key])

    def save_member(self, user, group):
        """Save whether a user is a named member of a group. Raises CheckpointError."""
        try:
            was = restore.is_member(user, group)
        except KeyError:
            raise CheckpointError("there is no group {0}".format(group))
        self.arm()
        self.add("member", user=user, group=group, was=was)

    def save_program(self, manager, name, user="", home="", command=""):
        """Save the state of a program of supervisor or an app of PM2. Raises CheckpointError."""
        if user:
            try:
                pwd.getpwnam(user)
            except KeyError:
                raise CheckpointError("there is no user {0}".format(user))
        program = {"manager": manager, "name": name, "user": user, "home": home, "command": command}
        self.arm()
        self.add("program", state=restore.program_state(program), **program)

    def save_container(self, engine, name, networks=()):
        """Save whether a container runs, and the networks it is connected to; networks are those that it will be connected to. Raises CheckpointError."""
        try:
            state = containers.look(engine, name)
        except containers.Failed as error:
            raise CheckpointError("container {0} could not be put back: {1}".format(name, error))
        self.arm()
        self.add("container", engine=engine, connects=sorted(networks), **state)

    def add_after(self, unit, action):
        """Note what undoing must do when the files are back: restart or reload of a unit, or daemon-reload."""
        self.add("after", unit=unit, action=action)

    def record_reload(self, pid):
        """Note, before the signal is sent, that an nginx master is to read its configuration; undoing then lets it read that of before.

        Raises CheckpointError when there is no such process.
        """
        self.add("reload", **_process(pid))

    def record_master(self, pid):
        """Note, before its files are changed, an nginx master that others may tell to read them; undoing lets it read them again if it has new workers.

        Raises CheckpointError when there is no such process.
        """
        self.add("master", workers=restore.workers(pid), **_process(pid))

    # Ending

    def confirm(self, at_once=False):
        """Keep the change, and return whether there is anything that could be undone; a checkpoint without a change is removed.

        at_once: the changes are yet to come, made by others. Confirmed once more when they are made, undoing knows them from later ones.
        """
        if self.state != restore.CONFIRMED:
            self.require_open()
        elif at_once or self.book.known_after():
            return True
        if at_once:
            after, settings = {}, []
        elif would_change(self, force=True):
            after, settings = self._states(), self._settings()
        else:
            self.abandon()
            return False
        self.add("confirmed", at=time.time(), after=after, settings=settings)
        restore.release(self.folder)
        self._disarm()
        prune(self.root)
        return True

    def abandon(self):
        """Remove a checkpoint under which nothing was changed."""
        self._disarm()
        discard(self.folder)
        self.kept = False

    def roll_back(self, force=False):
        """Undo the change and return {"restored", "conflicts", "unverified"}: lists of sentences."""
        done = restore.undo(self.folder, force)
        self.book = restore.read(self.folder)
        self._disarm()
        return {"restored": done.restored, "conflicts": done.conflicts, "unverified": done.unverified}

    def arm(self):
        """Let the host undo this checkpoint when it is not confirmed in time, if it does not yet."""
        if self.watch and not self.book.last("watched"):
            armed, by = _arm(self, self.book.opened["confirm_within"])
            self.add("watched", armed=armed, by=by)

    def _states(self):
        """Return {path: STATE} of what the change left; what somebody else has changed meanwhile, or cannot be read, is not in it."""
        found = {}
        for path, item in self.book.items.items():
            state = {"kind": "absent"}
            try:
                with files.find(path, follow=False) as place:
                    state, _held = files.look(place)
            except FileNotFoundError:
                # The folder that it was in is gone too.
                pass
            except (OSError, files.Refused):
                continue
            if item.ours(state) or not files.differences(state, item.before):
                found[path] = state
        return found

    def _settings(self):
        """Return [[KEY, STATE]] of what the change left of settings of SELinux; none where they cannot be read."""
        try:
            return [[list(key), state] for key, state in sorted(local.states(self.book.settings).items())] if self.book.settings else []
        except local.LocalError:
            return []

    def _disarm(self):
        """Stop what would undo the change; it looks whether it must, so a failure does no harm."""
        watched = self.book.last("watched")
        if watched and watched["by"].endswith(".timer"):
            restore.run(["systemctl", "stop", "--", watched["by"]], timeout=20)

    def _save(self, path, state, held, foreign):
        """Save a state once; held are the bytes of a file."""
        if path in self.book.items:
            if foreign and not self.book.items[path].foreign:
                self.add("foreign", path=path)
            return
        self.arm()
        self.add("save", path=path, before=state, blob="" if held is None else self._keep(held), foreign=foreign)

    def _keep(self, held):
        """Save bytes, and return by what name."""
        name = os.urandom(8).hex()
        _write_new(os.path.join(self.folder, "saved", name), held)
        _flush(os.path.join(self.folder, "saved"))
        return name


def _process(pid):
    """Return what makes an nginx master known again. Raises CheckpointError."""
    found = restore.process(pid)
    if found is None:
        raise CheckpointError("there is no process {0}".format(pid))
    return {key: found[key] for key in ("pid", "started", "exe", "title", "container")}


def _reach(path):
    """Return (Place, names): of the path itself; or of the outermost name on the way that is absent, and the names (str) below it.

    A link at the end of the path is not followed.
    """
    missing = []
    while True:
        try:
            return files.find(path, follow=bool(missing)), missing
        except FileNotFoundError:
            path, _slash, name = path.rstrip("/").rpartition("/")
            missing.insert(0, name)


def _settled(place, only_root):
    """Raise Refused where another user decides what a place holds, and that does not do."""
    if only_root and place.tenant is not None:
        raise files.Refused("{0}: uid {1} decides what is there, and could lead root elsewhere".format(files.shown(place.path), place.tenant))


@contextlib.contextmanager
def _told(path):
    """Turn what goes wrong with a file into a CheckpointError."""
    try:
        yield
    except files.Refused as error:
        raise CheckpointError(str(error))
    except OSError as error:
        raise CheckpointError("{0}: {1}".format(files.shown(error.filename or path), os.strerror(error.errno) if error.errno else error))


def clock(seconds):
    """Return a time for a message."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def listed(root=ROOT):
    """Return the Checkpoints of a host, the newest last; folders in which none was opened are not among them."""
    try:
        names = sorted(name for name in os.listdir(root) if ID.fullmatch(name))
    except FileNotFoundError:
        return []
    found = [Checkpoint(root, name) for name in names]
    return [point for point in found if point.book.opened is not None]


def find(name, root=ROOT):
    """Return a Checkpoint by its id. Raises CheckpointError."""
    if not ID.fullmatch(name):
        raise CheckpointError("{0!r} is no id of a checkpoint".format(name))
    point = Checkpoint(root, name)
    if point.book.opened is None:
        raise CheckpointError("there is no checkpoint {0} on this host; webops.bad_gateway.checkpoint_info lists those that there are".format(name))
    return point


def newest_to_undo(root=ROOT):
    """Return the newest Checkpoint that is not undone and whose undoing would change something; None when there is none.

    Raises CheckpointError when another run may be at work under it.
    """
    for point in reversed(listed(root)):
        if point.state == restore.ROLLED_BACK:
            continue
        if point.state == restore.OPEN and not overdue(point):
            raise CheckpointError("{0}. Another run may be at work under it; name it to undo it all the same".format(about(point)))
        if point.state in (restore.OPEN, restore.UNVERIFIED) or would_change(point, force=True):
            return point
    return None


def changed_by_others(point):
    """Return sentences about the files and settings that undoing would leave, as somebody else has changed them since."""
    return [
        "{0}: somebody else has changed it since ({1})".format(files.shown(path), ", ".join(different))
        for path, different, ours in restore.pending(point.book) if not ours
    ] + [
        "{0}: somebody else has changed it since ({1})".format(local.told(key), was)
        for key, was, ours in restore.pending_settings(point.book) if not ours
    ]


def would_change(point, force=False):
    """Return sentences about what undoing would put back."""
    book = point.book
    found = ["{0} ({1})".format(files.shown(path), ", ".join(different)) for path, different, ours in restore.pending(book) if ours or force]
    found += ["{0} ({1})".format(local.told(key), was) for key, was, ours in restore.pending_settings(book) if ours or force]
    for record in book.all("unit"):
        now = restore.unit_state(record["name"])
        if (record["active"] in restore.RUNNING) != (now["active"] in restore.RUNNING) or record["enabled"] != now["enabled"]:
            found.append("{0} (was {1}, {2})".format(record["name"], record["active"], record["enabled"] or "not installed"))
    for record in book.all("program"):
        if (record["state"] in restore.UP_PROGRAMS) != (restore.program_state(record) in restore.UP_PROGRAMS):
            found.append("{0} (was {1})".format(record["name"], record["state"] or "unknown"))
    for record in restore.saved_containers(book):
        found += _container_differs(record)
    for record in book.all("member"):
        if _is_member(record) != record["was"]:
            found.append("{0} {1} {2}".format(record["user"], "was in" if record["was"] else "was not in", record["group"]))
    return found


def _container_differs(record):
    """Return sentences about how a container is not what it was; one that is gone cannot be put back, and is told when it is tried."""
    try:
        return [what for _way, _network, what in containers.differences(record, containers.look(record["engine"], record["id"]))]
    except containers.Failed:
        return []


def _is_member(record):
    try:
        return restore.is_member(record["user"], record["group"])
    except KeyError:
        return False


@contextlib.contextmanager
def locked(root=ROOT, wait=LOCK_SECONDS):
    """Hold the lock of the host. Raises CheckpointError."""
    if os.geteuid() != 0:
        raise CheckpointError("only root can change a host and keep what is needed to undo it: run this with become")
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        status = os.lstat(root)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o077:
            raise CheckpointError("{0} must be a folder of root that nobody else can read (mode 0700)".format(root))
        lock = restore.Lock(root, wait)
        lock.take()
    except restore.Locked as error:
        raise CheckpointError(str(error))
    except OSError as error:
        raise CheckpointError("{0}: {1}".format(error.filename or root, os.strerror(error.errno) if error.errno else error))
    with lock:
        yield


def open_new(reason, confirm_within=CONFIRM_SECONDS, root=ROOT, watch=True):
    """Open a checkpoint, under the lock, and return (Checkpoint, what became of one that was left open or None).

    The second is {"id", "restored", "conflicts", "unverified"}. watch: let the host undo it when it is not confirmed in time, from its first change on.
    Raises CheckpointError while another one is open and may still be confirmed.
    """
    recovered = _recover(root)
    point = Checkpoint(root, _new_id(root))
    try:
        os.mkdir(point.folder, 0o700)
        os.mkdir(os.path.join(point.folder, "saved"), 0o700)
        _write_new(os.path.join(point.folder, _CODE), _code())
        _keep_space(os.path.join(point.folder, restore.RESERVE))
        _flush(point.folder)
        _flush(root)
    except OSError as error:
        discard(point.folder)
        raise CheckpointError("{0}: a checkpoint cannot be made, so nothing is changed: {1}".format(point.folder, os.strerror(error.errno)))
    try:
        point.add(
            "open", id=point.id, reason=reason, by=_who(), at=time.time(), uptime=restore.uptime(), boot=restore.boot(),
            confirm_within=confirm_within,
        )
        _flush(point.folder)
    except CheckpointError:
        discard(point.folder)
        raise
    point.watch = watch
    return point, recovered


@contextlib.contextmanager
def attach(name, reason, root=ROOT):
    """Give an open checkpoint by its id, under the lock; or with None one of its own, confirmed at the end, undone on an exception.

    Raises CheckpointError.
    """
    with locked(root):
        if name is not None:
            point = find(name, root)
            point.join()
            yield point
            return
        point, recovered = open_new(reason, OWN_SECONDS, root)
        if recovered:
            point.notes.append("checkpoint {0} had been left open, and was rolled back first".format(recovered["id"]))
        try:
            yield point
        except BaseException:
            point.roll_back()
            raise
        point.confirm()


def _recover(root):
    """Undo a checkpoint that was left open. Raises CheckpointError when it may still be confirmed, or cannot be undone."""
    for point in listed(root):
        if point.state != restore.OPEN:
            continue
        if not overdue(point):
            raise CheckpointError(
                "{0}: another run is at work on this host. Wait for it, or undo it: "
                "ansible-playbook webops.bad_gateway.rollback -e bad_gateway_checkpoint={1}".format(about(point), point.id)
            )
        done = dict(point.roll_back(), id=point.id)
        if point.state == restore.UNVERIFIED:
            raise CheckpointError(
                "checkpoint {0} had been left open; it was rolled back, but not all of it is as it was: {1}. Its saved files stay in {2}".format(
                    point.id, "; ".join(done["conflicts"] + done["unverified"]), point.folder)
            )
        return done
    return None


def about(point):
    """Return who opened a checkpoint, when, what for, and for how long it can be confirmed."""
    opened = point.book.opened
    return "checkpoint {0} ({1}) was opened by {2} at {3} and can be confirmed for another {4:.0f} s".format(
        point.id, opened["reason"] or "no reason given", opened["by"], clock(opened["at"]), restore.time_left(point.book))


def overdue(point):
    """Return whether the time to confirm a checkpoint is over; the wall clock is not asked."""
    return restore.time_left(point.book) <= 0


def _new_id(root):
    """Return an id later than every other on the host, even when the clock was set back."""
    now = int(time.time())
    for name in os.listdir(root):
        if ID.fullmatch(name):
            now = max(now, _seconds(name) + 1)
    return time.strftime("%Y%m%dT%H%M%S-", time.gmtime(now)) + os.urandom(2).hex()


def _seconds(name):
    try:
        return calendar.timegm(time.strptime(name[:15], "%Y%m%dT%H%M%S"))
    except ValueError:
        return 0


def _who():
    """Return the user who logged in for this process."""
    try:
        with open("/proc/self/loginuid", "rb") as file:
            uid = int(file.read())
        return pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError, OverflowError):
        return "root"


def _code():
    """Return an archive (bytes) that Python can run: the code that undoes, and nothing else of the collection."""
    sources = {"__main__.py": _MAIN}
    package = _PACKAGE
    while package:
        sources[package + "/__init__.py"] = ""
        package = package.rpartition("/")[0]
    for module in (files, containers, local, restore):
        # This module may itself lie in the archive that Ansible sends.
        sources["{0}/{1}.py".format(_PACKAGE, module.__name__.rpartition(".")[2])] = module.__loader__.get_source(module.__name__)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, source in sources.items():
            # With a time of its own: a clock before 1980 fits in no archive.
            archive.writestr(zipfile.ZipInfo(name), source)
    return held.getvalue()


def _write_new(path, held):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(held)
        while view:
            view = view[os.write(descriptor, view):]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_space(path):
    """Make a file that holds RESERVED bytes of the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVED)
    finally:
        os.close(descriptor)


def _flush(folder):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _arm(point, seconds):
    """Let the host undo a checkpoint by itself; return (whether it will, what does it or why nothing does)."""
    code = [sys.executable, "-I", "-B", os.path.join(point.folder, _CODE), point.folder, "--unless-confirmed"]
    why = "systemd does not run here"
    if os.path.isdir("/run/systemd/system"):
        unit = _UNIT.format(point.id)
        argv = [
            "systemd-run", "--quiet", "--unit=" + unit, "--description=Undo what webops.bad_gateway changed, unless it is confirmed",
            "--on-active={0}s".format(seconds), "--timer-property=AccuracySec=1s", "--",
        ]
        ended, said = restore.run(argv + code, timeout=20)
        if ended == 0:
            return True, unit + ".timer"
        why = said
    ended, said = restore.run(code + ["--detach"], timeout=20)
    if ended == 0:
        return True, "a process of its own ({0})".format(why)
    return False, "{0}; {1}".format(why, said)


def discard(folder):
    """Remove a checkpoint's folder, its journal first: what is left of it is none then."""
    try:
        os.unlink(os.path.join(folder, "journal"))
    except OSError:
        # There is none.
        pass
    shutil.rmtree(folder, ignore_errors=True)


def prune(root):
    """Remove folders in which no checkpoint was opened, closed ones but for the newest KEPT, and saved states that were never changed.

    Those that could not be undone wholly stay.
    """
    points = listed(root)
    known = {point.id for point in points}
    closed = [point for point in points if point.state in (restore.CONFIRMED, restore.ROLLED_BACK)]
    for point in closed[:-KEPT]:
        discard(point.folder)
    for point in closed[-KEPT:]:
        confirmed = point.book.last("confirmed")
        # Younger ones may be about to be changed.
        if confirmed and not point.book.known_after() and confirmed["at"] < time.time() - 86400 and not would_change(point):
            discard(point.folder)
    for name in os.listdir(root):
        if ID.fullmatch(name) and name not in known:
            discard(os.path.join(root, name))
