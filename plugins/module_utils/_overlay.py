# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx -t without a trace on the host.

As root, nginx -t creates logs, temporary and cache folders and an empty pid file, and changes owners
(ngx_init_cycle() in nginx's core/ngx_cycle.c, ngx_create_paths() in core/ngx_file.c). So it runs in a
private mount namespace, where every file system that it could write to lies under an overlay whose
upper layer is in memory. Everything vanishes with the namespace; the host keeps every byte.

An overlay shows one file system only, so each mount below "/" gets one of its own; what cannot be a
lower layer, or holds no files (/proc), is bound read-only. What is mounted where containers keep their
files is not there.

A proposed configuration is written into the overlay, at its real paths, before nginx reads it there.

The program of a container is not trusted, and runs in a cage (_cage.py).

The network namespace is ours: the test binds the addresses of `listen` and closes them, as it always
does. A new one would make every address that is not 127.0.0.1 fail. The one thing that leaves a name
behind, a Unix socket, is made in the overlay.

Sources: unshare(2), mount(2), the kernel's Documentation/filesystems/overlayfs.rst.

This module is private to the collection.
"""

import ctypes
import errno
import functools
import os
import re
import shutil
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _cage
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_MOUNTS = 300
MAX_FILES = 4000
LARGE_FILE = 64 << 10
MAX_COPY = 4 << 20
MAX_MESSAGES = 200
MAX_OUTPUT = 1 << 20
UPPER_OPTIONS = "size=64m,nr_inodes=20000,mode=0755"

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 0x1, 0x2, 0x4, 0x20
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_NO_NEW_PRIVS = 38

# File systems that hold no files of their own.
_PSEUDO = frozenset("proc sysfs cgroup cgroup2 devpts mqueue debugfs tracefs securityfs pstore bpf configfs binfmt_misc fusectl efivarfs".split())
_UNSEEN = frozenset("autofs nsfs".split())
_CONTAINERS = ("/var/lib/docker/", "/var/lib/containers/", "/var/lib/containerd/", "/run/containerd/", "/run/docker/", "/var/lib/kubelet/", "/run/user/")
_ESCAPED = re.compile(r"\\([0-7]{3})")
# With a prefix of its own, or as in a log where the build logs to stderr (Debian 12).
_MESSAGE = re.compile(
    r"(?:nginx: |[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8} )\[(?P<level>[a-z]+)\] (?:[0-9]+#[0-9]+: )?"
    r"(?P<text>.*?)(?: in (?P<file>/[^\n]*?):(?P<line>[0-9]+))?$"
)


def test(argv, logs=(), pid=None, identity=None, timeout=20.0, staged=None, hidden=(), caged=False):
    """Return {"valid": bool, "messages": [{"level", "text", "file", "line"}], "how": "overlay"}.

    argv      the program and the options of the master, -p absolute; "-t" is added
    logs      absolute paths of files that nginx appends to
    pid       a process in whose mount namespace the files are; None: in ours
    identity  {"uid", "gid", "groups"} to run as; None: as root
    timeout   seconds
    staged    {absolute path (str): bytes, or None for a file that is to be absent}: what nginx is to see in
              place of what is there. Links are followed to what they name, but for an absent one, where the
              name itself goes. An existing file keeps owner, mode and attributes; a new file and
              the folders it needs take theirs from the folder above.
    hidden    absolute paths of folders that nginx is to see empty, but for what is staged in them
    caged     whether the program is that of the container that pid is in: it is run as _cage.py has it

    Raises Unanswered where we may not make the overlay, cannot stage a file, or nginx gives no answer.
    """
    if os.geteuid() != 0:
        raise evidence.Unanswered(evidence.DENIED, "only root can make the private overlay")
    cage = _cage.Cage(pid) if caged else None
    try:
        arguments = (argv, list(logs), dict(staged or {}), list(hidden), identity, max(1.0, timeout - 2), cage)
        said = _inside.call(_test_inside, arguments, pid=pid, timeout=timeout)
    finally:
        if cage:
            cage.close()
    return {"valid": said["rc"] == 0, "messages": parse(said["err"]), "how": "overlay"}


def test_plainly(argv, pid=None, identity=None, timeout=20.0):
    """Return the same, with "how": "plain", from nginx -t as it is: as root it makes logs, folders and a pid file, and changes owners."""
    said = _inside.call(_run_test, (argv, max(1.0, timeout - 2)), pid=pid, identity=identity, timeout=timeout)
    return {"valid": said["rc"] == 0, "messages": parse(said["err"]), "how": "plain"}


def parse(printed):
    """Return the messages that nginx -t printed (str); the two closing lines are none of them."""
    messages = []
    for line in printed.split("\n"):
        match = _MESSAGE.match(line)
        if match:
            message = {"level": match.group("level"), "text": match.group("text"), "file": match.group("file") or "", "line": int(match.group("line") or 0)}
            if message not in messages:
                # The same is said to stderr and to a log that is stderr.
                messages.append(message)
        elif messages and line and not line.startswith("nginx: "):
            # A value with a line feed in it.
            messages[-1]["text"] += "\n" + line
    return messages[:MAX_MESSAGES]


def _test_inside(argv, logs, staged, hidden, identity, timeout, cage):
    """Make the overlay around this process, which ends soon, and run the test."""
    _enter_overlay(_large_files(logs), cage)
    for folder in hidden:
        if os.path.isdir(folder):
            _mount("tmpfs", folder, "tmpfs", _MS_NOSUID, UPPER_OPTIONS)
    for path, content in sorted(staged.items()):
        _stage(path, content)
    if cage:
        cage.part()
        return _run_test(argv, timeout, functools.partial(cage.enter, identity or {"uid": 0, "gid": 0, "groups": []}))
    if identity is not None:
        os.setgroups(identity["groups"])
        os.setresgid(identity["gid"], identity["gid"], identity["gid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    _check(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    return _run_test(argv, timeout)


def _run_test(argv, timeout, before=None):
    out = _host.Host().run(argv + ["-t"], timeout=timeout, limit=MAX_OUTPUT, before=before)
    err = text.decode(out.err)
    if out.rc != 0 and not parse(err):
        why = text.harmless(err.strip(), 300) or "no message"
        raise evidence.Unanswered(evidence.ERROR, "nginx -t ended with {0}: {1}".format(out.rc, why))
    return {"rc": out.rc, "err": err}


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        failure = evidence.unanswered_by(OSError(code, os.strerror(code)), what)
        raise evidence.Unanswered(evidence.DENIED if code in (errno.EPERM, errno.EACCES) else failure.status, failure.why)


def _mount(source, target, kind, flags, options=None):
    arguments = [os.fsencode(word) if word is not None else None for word in (source, target, kind)]
    data = os.fsencode(options) if options is not None else None
    _check(_libc().mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), data), "mounting {0} in the private overlay".format(target))


def _enter_overlay(emptied, cage=None):
    """Make this process see the host, or a container, under overlays that only it sees.

    emptied: files that are to be seen empty. nginx opens its logs to append to them, and an overlay
    would first copy them whole into memory.
    """
    _check(_libc().unshare(_CLONE_NEWNS), "a private mount namespace")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    mounts = _mounts(cage)
    room = _room([target for target, _kind in mounts])
    files = {target: [path for path in emptied if _mount_of(path, mounts) == target] for target, _kind in mounts}
    _mount("tmpfs", room, "tmpfs", _MS_NOSUID, UPPER_OPTIONS)
    root = room + "/root"
    os.mkdir(root)
    for number, (target, kind) in enumerate(mounts):
        _cover(room + "/" + str(number), target, kind, root, files[target], _MS_NOSUID | _MS_NODEV if cage else 0)
    if cage:
        cage.furnish(root, _mount)
    os.chroot(root)
    os.chdir("/")


def _cover(layer, target, kind, root, emptied, flags):
    """Show one mount of the host below the new root, so that nothing can be written through it. flags are of mount(2)."""
    place = root + ("" if target == "/" else target)
    if kind in _PSEUDO or not os.path.isdir(target) or re.search(r"[,:\\]", target):
        try:
            _bind(target, place, flags)
        except evidence.Unanswered:
            if not os.path.isfile(target) or os.stat(target).st_size > MAX_COPY:
                raise
            # What was deleted where it is mounted from is not mounted again (ENOENT): nginx reads a copy.
            shutil.copyfile(target, layer)
            _copy_ids(os.stat(target), layer)
            _bind(layer, place, flags)
        return
    for folder in (layer, layer + "/upper", layer + "/work"):
        os.mkdir(folder)
    _copy_ids(os.stat(target), layer + "/upper")
    for path in emptied:
        _stand_in(target.rstrip("/"), path, layer + "/upper")
    options = "lowerdir={0},upperdir={1}/upper,workdir={1}/work".format(target, layer)
    try:
        _mount("overlay", place, "overlay", flags, options)
    except evidence.Unanswered:
        if target == "/":
            raise
        # A file system that cannot be a lower layer: nginx sees it, and cannot write to it.
        _bind(target, place, flags)


def _bind(target, place, more):
    _mount(target, place, None, _MS_BIND)
    flags = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME | os.ST_RELATIME)
    _mount("none", place, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _mount_flags(flags) | more)


def _mount_flags(shown):
    """Return the flags of mount(2) for those of statvfs(3): a remount must not drop any."""
    pairs = (
        (os.ST_NOSUID, 0x2), (os.ST_NODEV, 0x4), (os.ST_NOEXEC, 0x8),
        (os.ST_NOATIME, 0x400), (os.ST_NODIRATIME, 0x800), (os.ST_RELATIME, 0x200000),
    )
    return sum(flag for bit, flag in pairs if shown & bit)


def _stand_in(target, path, upper):
    """Put an empty file with the owner and mode of path into an upper layer, and the folders above it."""
    lower = target
    for name in path[len(target):].strip("/").split("/")[:-1]:
        lower, upper = lower + "/" + name, upper + "/" + name
        if not os.path.isdir(upper):
            os.mkdir(upper)
            _copy_ids(os.stat(lower), upper)
    new = upper + "/" + os.path.basename(path)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _copy_ids(os.stat(path), new)


def _stage(path, content):
    """Make a file of the overlay hold content, or be absent; called behind the new root, where no write reaches the host."""
    if not path.startswith("/") or "\0" in path:
        raise evidence.Unanswered(evidence.ERROR, "a staged path must be absolute: {0}".format(path))
    if content is None:
        if os.path.lexists(path):
            os.unlink(path)
        return
    path = os.path.realpath(path)
    if not os.path.lexists(path):
        _stage_folder(os.path.dirname(path))
        _write(path, content, os.O_CREAT | os.O_EXCL)
        status = os.stat(os.path.dirname(path))
        os.chown(path, status.st_uid, status.st_gid)
        os.chmod(path, stat.S_IMODE(status.st_mode) & 0o666)
        return
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise evidence.Unanswered(evidence.ERROR, "{0} is not a regular file".format(path))
    try:
        _write(path, content, os.O_TRUNC)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        _stage_over(path, content, status)


def _stage_folder(folder):
    """Make a folder and those above it, each with the owner and mode of the one above."""
    if not os.path.isdir(folder):
        _stage_folder(os.path.dirname(folder))
        os.mkdir(folder)
        _copy_ids(os.stat(os.path.dirname(folder)), folder)


def _stage_over(path, content, status):
    """Mount content over a file that is a mount of its own, or on a file system that got no overlay: those are read-only."""
    new = "/.staged-{0}".format(os.getpid())
    _write(new, content, os.O_CREAT | os.O_EXCL)
    _copy_ids(status, new)
    _mount(new, path, None, _MS_BIND)
    os.unlink(new)


def _write(path, content, flags):
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _copy_ids(status, path):
    os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, stat.S_IMODE(status.st_mode))


def _large_files(paths):
    """Return the real paths of those files that are worth a stand-in."""
    found = set()
    for path in paths[:MAX_FILES]:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and status.st_size > LARGE_FILE:
            found.add(os.path.realpath(path))
    return sorted(found)


def _mounts(cage=None):
    """Return [(target, type)] of what is mounted, "/" first, without what containers keep for themselves."""
    if cage:
        raw = cage.mounts()
    else:
        with open("/proc/self/mountinfo", "rb") as file:
            raw = file.read(MAX_OUTPUT)
    lines = raw.decode("utf-8", "surrogateescape").splitlines()
    found = {}
    for line in lines:
        fields, _dash, rest = line.partition(" - ")
        target = _ESCAPED.sub(lambda match: chr(int(match.group(1), 8)), fields.split()[4])
        if cage and cage.hides(target):
            continue
        if not target.startswith(_CONTAINERS) and rest.split()[0] not in _UNSEEN:
            found[target] = rest.split()[0]
    if "/" not in found or len(found) > MAX_MOUNTS:
        raise evidence.Unanswered(evidence.ERROR, "{0} mounts: too many, or none at /".format(len(found)))
    return sorted(item for item in found.items() if _is_seen(item[0]))


def _is_seen(target):
    """Return whether a mount is not hidden below another that came later."""
    try:
        os.lstat(target)
    except OSError:
        return False
    return True


def _mount_of(path, mounts):
    """Return the target of the mount that a path lies on."""
    above = [target for target, _kind in mounts if target == "/" or (path + "/").startswith(target + "/")]
    return max(above, key=len)


def _room(targets):
    """Return a folder to mount our memory on: seen there by this process only, and the overlay shows what it hides.

    So nothing is created on the host.
    """
    for folder in ("/mnt", "/media", "/srv", "/opt", "/home", "/root", "/usr/share", "/tmp"):
        if os.path.realpath(folder) == folder and os.path.isdir(folder) and not any((target + "/").startswith(folder + "/") for target in targets):
            return folder
    raise evidence.Unanswered(evidence.ERROR, "no folder without mounts for the private overlay")
