# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at files and replace them as root, on a host where others write too.

A path is walked folder by folder through open descriptors, and refused where somebody else could make it lead elsewhere. A file is replaced by
renaming a finished one over it, so that it is whole at every moment; what it keeps is its owner, mode and extended attributes (ACL, SELinux
label). The new file's name begins with a dot until it is there: nginx includes no such name by "*". What cannot be replaced in this
way is refused: a file with several names (the others would keep the old bytes), and one that is itself a mount point (rename(2) cannot).
A file that a container holds by its inode is written in place instead, by overwrite(); who was killed meanwhile leaves a mixture() of two contents.

This file imports nothing of the collection: it is copied to where a change may have to be undone without us.

STATE: {"kind": "absent"}
       {"kind": "file", "sha256", "size", "mtime_ns"} and {"kind": "folder"} and {"kind": "other", "type": S_IFMT bits},
       each with "mode" (permission bits), "uid", "gid", "xattrs": {name: base64}
       {"kind": "link", "target", "uid", "gid"}; and each but the first "ctime" (epoch)

Paths and targets are str with surrogates for bytes that are no UTF-8, whatever the locale.

This module is private to the collection.
"""

import base64
import errno
import grp
import hashlib
import os
import pwd
import stat

MAX_FILE = 64 << 20
MAX_LINKS = 40

_ACL = "system.posix_acl_access"
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """A file is not touched; the text says which, and why."""


class Changed(Refused):
    """A file is not what it was when it was read: somebody else is at work on it."""


def raw(path):
    """Return the bytes of a path."""
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")


def text(path):
    """Return a path (bytes) as it is kept in a journal."""
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path


def shown(path):
    """Return a path (str) for a message: without surrogates, which no JSON parser has to take."""
    return raw(path).decode("utf-8", "backslashreplace")


def digest(held):
    """Return the SHA-256 of bytes, as a STATE has it."""
    return hashlib.sha256(held).hexdigest()


class Place:
    """A name in a folder that was reached safely: folder (descriptor), name (bytes), path (str, without links), followed (paths of links).

    tenant: uid of the one other than root and us who can put something else there at any time, or None.
    """

    def __init__(self, folder, name, path, followed, tenant=None):
        self.folder = folder
        self.name = name
        self.path = path
        self.followed = followed
        self.tenant = tenant

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        os.close(self.folder)


class _Walk:
    """The folders on the way from the root: a stack of (descriptor, name, status)."""

    def __init__(self, path):
        self.path = path
        self.trusted = {0, os.geteuid()}
        self.tenant = None
        self.followed = []
        descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.stack = [(descriptor, b"", os.fstat(descriptor))]

    def close(self):
        """Close every folder."""
        while self.stack:
            os.close(self.stack.pop()[0])

    def here(self, name=b""):
        """Return the path (bytes) of a name in the last folder."""
        return b"/" + b"/".join([part for _descriptor, part, _status in self.stack[1:]] + ([name] if name else []))

    def refuse(self, why):
        """Raise Refused about the path."""
        raise Refused("{0}: {1}".format(shown(self.path), why))

    def enter(self, name):
        """Go into a folder, if nobody else can exchange it or what is in it."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self.stack[-1][0])
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno), text(self.here(name)))
        status = os.fstat(descriptor)
        self.stack.append((descriptor, name, status))
        self.owned(status, self.here())
        sticky = status.st_mode & stat.S_ISVTX
        if not sticky and (status.st_mode & 0o002 or (status.st_mode & 0o020 and self._group_writes(descriptor, status))):
            self.refuse("others may write to the folder {0}".format(shown(self.here())))

    def owned(self, status, path):
        """Note to whom a folder on the way belongs: root, us, or one and the same other user."""
        if status.st_uid in self.trusted or status.st_uid == self.tenant:
            return
        if self.tenant is not None:
            self.refuse("{0} belongs to uid {1}, and uid {2} decides what is there".format(shown(path), status.st_uid, self.tenant))
        self.tenant = status.st_uid

    def entry(self, name):
        """Return the status of a name in the last folder, or None."""
        descriptor, _name, folder = self.stack[-1]
        try:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        # In a sticky folder that others write to, only the owner of an entry can exchange it.
        if folder.st_mode & stat.S_ISVTX and folder.st_mode & 0o022 and status.st_uid not in self.trusted | {self.tenant}:
            self.refuse("{0} belongs to uid {1}, in a folder that everybody writes to".format(shown(self.here(name)), status.st_uid))
        return status

    def follow(self, name, todo):
        """Put the target of a link before what is left of the path."""
        self.followed.append(text(self.here(name)))
        if len(self.followed) > MAX_LINKS:
            self.refuse("too many symbolic links")
        target = os.readlink(name, dir_fd=self.stack[-1][0])
        if target.startswith(b"/"):
            while len(self.stack) > 1:
                os.close(self.stack.pop()[0])
        todo.extend(reversed(_parts(target)))

    def _group_writes(self, descriptor, status):
        """Return whether the group of a folder, or another by its ACL, is more than root and the folder's owner."""
        if _ACL in _xattrs("/proc/self/fd/{0}".format(descriptor)):
            return True
        if status.st_gid == 0:
            return False
        return bool(_members(status.st_gid) - self.trusted - {status.st_uid})


def _members(gid):
    """Return the uids in a group, as far as the host names them."""
    names = set()
    try:
        names.update(grp.getgrgid(gid).gr_mem)
    except KeyError:
        # A group without a name has no members but those that have it as their own.
        names = set()
    return {user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid or user.pw_name in names}


def _parts(path):
    return [part for part in path.split(b"/") if part not in (b"", b".")]


def find(path, follow=True):
    """Return the Place of an absolute path, whose last name may be absent; follow says whether a link there is followed.

    Raises Refused, and OSError where a folder on the way is absent or cannot be entered.
    """
    if not raw(path).startswith(b"/") or b"\0" in raw(path):
        raise Refused("{0}: this is no absolute path".format(shown(path)))
    walk = _Walk(path)
    try:
        todo = list(reversed(_parts(raw(path))))
        while todo:
            name = todo.pop()
            if name == b"..":
                if len(walk.stack) > 1:
                    os.close(walk.stack.pop()[0])
                continue
            status = walk.entry(name)
            last = not todo
            if status is not None and stat.S_ISLNK(status.st_mode) and (follow or not last):
                walk.follow(name, todo)
            elif last:
                if status is not None:
                    _check_last(walk, name, status)
                return Place(os.dup(walk.stack[-1][0]), name, text(walk.here(name)), walk.followed, walk.tenant)
            else:
                walk.enter(name)
        raise Refused("{0}: this leads to a folder above itself".format(shown(path)))
    finally:
        walk.close()


def of_root(path):
    """Return whether a file is root's and one that can be replaced, in folders of root's; False too where that cannot be told."""
    try:
        with find(path) as place:
            return place.tenant is None and os.stat(place.name, dir_fd=place.folder, follow_symlinks=False).st_uid in (0, os.geteuid())
    except (OSError, Refused):
        return False


def _check_last(walk, name, status):
    """Hold the last entry against the user to whom folders on the way belong."""
    if walk.tenant is not None and status.st_uid != walk.tenant:
        walk.refuse("it belongs to uid {0}, and uid {1} decides what is there".format(status.st_uid, walk.tenant))
    if stat.S_ISREG(status.st_mode):
        if status.st_nlink > 1:
            walk.refuse("it has {0} names (hard links), and replacing one would part it from the others".format(status.st_nlink))
        if _mounted(walk.here(name)):
            walk.refuse("it is a mount point of its own (a file mounted into a container): change it where it comes from")


def _mounted(path):
    """Return whether something is mounted at a path (bytes)."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        # Without /proc rename(2) says so.
        return False
    escaped = path.replace(b"\\", b"\\134").replace(b" ", b"\\040").replace(b"\t", b"\\011").replace(b"\n", b"\\012")
    return any(line.split(b" ")[4:5] == [escaped] for line in lines)


def look(place, content=False):
    """Return (STATE, bytes) of a place; the bytes are None unless content is asked for and it is a regular file."""
    try:
        descriptor = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
    except FileNotFoundError:
        return {"kind": "absent"}, None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(place.name, dir_fd=place.folder)
            return {"kind": "link", "target": text(target), "uid": status.st_uid, "gid": status.st_gid, "ctime": status.st_ctime}, None
        state, held = _state(place, descriptor, status)
        return state, held if content else None
    finally:
        os.close(descriptor)


def _state(place, descriptor, status):
    """Return (STATE, bytes or None) of what is open at a place, and no link; status is its os.stat_result."""
    via = "/proc/self/fd/{0}".format(descriptor)
    state = {"mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid, "gid": status.st_gid, "xattrs": _xattrs(via), "ctime": status.st_ctime}
    if stat.S_ISDIR(status.st_mode):
        state["kind"] = "folder"
        return state, None
    if not stat.S_ISREG(status.st_mode):
        state.update(kind="other", type=stat.S_IFMT(status.st_mode))
        return state, None
    held = _read(place, via)
    state.update(kind="file", sha256=digest(held), size=len(held), mtime_ns=status.st_mtime_ns)
    return state, held


def _read(place, via):
    with open(via, "rb") as file:
        held = file.read(MAX_FILE + 1)
    if len(held) > MAX_FILE:
        raise Refused("{0}: it is larger than {1} MiB".format(shown(place.path), MAX_FILE >> 20))
    return held


def _xattrs(via):
    """Return {name: base64} of the extended attributes that can be read."""
    found = {}
    try:
        names = os.listxattr(via)
    except OSError:
        # The file system has none.
        return found
    for name in sorted(names):
        try:
            found[name] = base64.b64encode(os.getxattr(via, name)).decode("ascii")
        except OSError:
            # Gone meanwhile, or a trusted one that we may not see.
            continue
    return found


_COMPARED = ("type", "sha256", "target", "mode", "uid", "gid", "xattrs")
_NAMES = {"type": "kind", "sha256": "content", "uid": "owner", "gid": "owner", "xattrs": "attributes"}


def differences(now, before):
    """Return in what two STATEs differ: attributes, content, mode, owner, target, or what kind it was before; times do not count, nor attributes of None."""
    if now["kind"] != before["kind"]:
        return ["{0} before the change".format(before["kind"])]
    keys = [key for key in _COMPARED if now.get(key) != before.get(key)]
    if None in (now.get("xattrs", {}), before.get("xattrs", {})):
        keys = [key for key in keys if key != "xattrs"]
    return sorted({_NAMES.get(key, key) for key in keys})


def temporary(place):
    """Return a name (str) for the new file of a place: hidden, and nobody can foretell it."""
    return "." + text(place.name[:200]) + "." + os.urandom(6).hex()


def replace(place, held, wanted, temp, expected):
    """Put bytes with the metadata of a STATE at a place, by way of the name temp; expected is the STATE that is there.

    Raises Changed when something else is there by now, OSError, and Refused when the metadata cannot be kept. Nothing is changed then.
    """
    name = raw(temp)
    try:
        descriptor = os.open(name, _WRITE, 0o600, dir_fd=place.folder)
        try:
            _write(descriptor, held)
            _dress(descriptor, wanted, place.path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _exchange(place, name, expected)
    except BaseException:
        remove(place.folder, name)
        raise


def overwrite(place, held, wanted, expected):
    """Put bytes with the metadata of a STATE into the very file that is at a place, which keeps its inode; expected is the STATE that is there.

    It is not whole while it is written: who can be killed meanwhile has both contents elsewhere. What goes wrong otherwise puts the old bytes back.
    Raises as replace() does.
    """
    descriptor = os.open(place.name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        # From here on nobody can put another file in its place: this one is looked at, and written.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or expected["kind"] != "file":
            raise Changed("{0}: it is another file now".format(shown(place.path)))
        now, before = _state(place, descriptor, status)
        _compare(place, now, expected)
        try:
            _fill(descriptor, held)
        except BaseException:
            _fill(descriptor, before)
            raise
        _dress(descriptor, wanted, place.path)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mixture(held, one, other):
    """Return whether bytes are what may be left while one content is written over another: each byte is of one of them, or none was written there yet."""
    if not min(len(one), len(other)) <= len(held) <= max(len(one), len(other)):
        return False
    return all(byte in (one[at:at + 1], other[at:at + 1], b"\0") for at, byte in ((at, held[at:at + 1]) for at in range(len(held))))


def replace_link(place, wanted, temp, expected):
    """Put a symbolic link at a place, as replace() does a file."""
    name = raw(temp)
    try:
        os.symlink(raw(wanted["target"]), name, dir_fd=place.folder)
        os.chown(name, wanted["uid"], wanted["gid"], dir_fd=place.folder, follow_symlinks=False)
        _exchange(place, name, expected)
    except BaseException:
        remove(place.folder, name)
        raise


def take_away(place, expected):
    """Remove what is at a place, an empty folder too; expected is the STATE that is there."""
    _check(place, expected)
    if expected["kind"] == "folder":
        os.rmdir(place.name, dir_fd=place.folder)
    else:
        os.unlink(place.name, dir_fd=place.folder)
    os.fsync(place.folder)


def make_folder(place, wanted):
    """Make a folder with the metadata of a STATE."""
    os.mkdir(place.name, 0o700, dir_fd=place.folder)
    os.fsync(place.folder)
    dress(place, wanted)


def dress(place, wanted):
    """Give what is at a place (no link) the owner, mode and attributes of a STATE of the same kind."""
    descriptor = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISLNK(status.st_mode):
            raise Changed("{0}: it is a symbolic link now".format(shown(place.path)))
        _dress("/proc/self/fd/{0}".format(descriptor), wanted, place.path)
    finally:
        os.close(descriptor)
    os.fsync(place.folder)


def remove(folder, name):
    """Remove a name (bytes) from a folder (descriptor) if it is there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    os.fsync(folder)


def _write(descriptor, held):
    view = memoryview(held)
    while view:
        view = view[os.write(descriptor, view):]


def _fill(descriptor, held):
    """Make a file hold these bytes and no others, and return when they are on the disk."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    _write(descriptor, held)
    os.ftruncate(descriptor, len(held))
    os.fsync(descriptor)


def _dress(target, wanted, path):
    """Set owner, mode, attributes and time; target is a descriptor, or the path of one in /proc. In this order: chown(2) drops bits and capabilities."""
    os.chown(target, wanted["uid"], wanted["gid"])
    os.chmod(target, wanted["mode"])
    if wanted.get("xattrs") is not None:
        _set_xattrs(target, wanted["xattrs"], path)
        # An ACL of the folder that was inherited and taken away again has changed the bits of the group.
        os.chmod(target, wanted["mode"])
    if wanted.get("mtime_ns") is not None:
        os.utime(target, ns=(wanted["mtime_ns"], wanted["mtime_ns"]))


def _set_xattrs(target, wanted, path):
    via = "/proc/self/fd/{0}".format(target) if isinstance(target, int) else target
    there = _xattrs(via)
    for name in sorted(set(there) | set(wanted)):
        if there.get(name) == wanted.get(name):
            continue
        try:
            if name in wanted:
                os.setxattr(target, name, base64.b64decode(wanted[name]))
            else:
                os.removexattr(target, name)
        except OSError as error:
            raise Refused("{0}: its attribute {1} cannot be kept: {2}".format(shown(path), name, os.strerror(error.errno)))


def _exchange(place, name, expected):
    """Rename a finished file over a place where still is what was there."""
    _check(place, expected)
    try:
        os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Refused("{0}: it is a mount point of its own: change it where it comes from".format(shown(place.path)))
        raise OSError(error.errno, os.strerror(error.errno), place.path)
    os.fsync(place.folder)


def _check(place, expected):
    _compare(place, look(place)[0], expected)


def _compare(place, now, expected):
    different = differences(now, expected)
    if different:
        raise Changed("{0}: somebody else has changed it meanwhile ({1})".format(shown(place.path), ", ".join(different)))
