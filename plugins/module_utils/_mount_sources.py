# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on this host a file lies that a process in a container has by another path.

A container sees its image, and what is mounted into it: folders and files of the host, volumes of its engine. The kernel tells both sides of
a mount: /proc/PID/mountinfo has its place in the container and the path within its file system, ours has where that file system is here
(proc_pid_mountinfo(5)). Whether both paths lead to one file is then seen by its device and inode.

A file that is mounted by itself is held by its inode: one that is renamed over it is not seen in the container, which keeps the old one.

This module is private to the collection.
"""

import os
import re

MAX_MOUNTS = 4 << 20

HOST, IMAGE, REPLACED, ELSEWHERE = "host", "image", "replaced", "elsewhere"
# What engines write themselves, and write again.
_KEPT = ("/var/lib/docker/containers/", "/var/lib/containers/storage/overlay-containers/", "/run/containers/", "/var/lib/kubelet/", "/run/secrets/")
_ESCAPED = re.compile(br"\\([0-7]{3})")
_DELETED = "//deleted"


class Source:
    """Where a file is: kind HOST with path (str), single where it is mounted by itself; or why not (a clause without its path).

    IMAGE, REPLACED with the path where another file is by now ("" where that cannot be told), or ELSEWHERE.
    """

    __slots__ = ("kind", "path", "single", "why")

    def __init__(self, kind, path="", single=False, why=""):
        self.kind = kind
        self.path = path
        self.single = single
        self.why = why


class Mounts:
    """The mounts of a process, and ours. Raises Unanswered."""

    def __init__(self, host, pid):
        self.host = host
        self.root = "/proc/{0}/root".format(pid)
        self.theirs = parse(host.read("/proc/{0}/mountinfo".format(pid), MAX_MOUNTS)[0])
        self.ours = parse(host.read("/proc/self/mountinfo", MAX_MOUNTS)[0])

    def source(self, path):
        """Return the Source of a path of the process (absolute, without links); of one that is absent, that of its folder decides."""
        mount = _covering(self.theirs, path)
        if mount is None or mount.target == "/":
            return Source(IMAGE, why="it is in the image of the container")
        if mount.root.endswith(_DELETED):
            mount.root = mount.root[:-len(_DELETED)]
            place = next((place for place in self._places(mount, path) if os.path.lexists(self.host.path(place))), "")
            mount.root += _DELETED
            return Source(REPLACED, place, why="it is mounted into the container, and its file on the host was replaced since: restart the container")
        for place in self._places(mount, path):
            if place.startswith(_KEPT):
                return Source(ELSEWHERE, why="it is kept by the container engine itself, in {0}".format(place))
            if self._same(path, place):
                return Source(HOST, place, mount.target == path)
        return Source(ELSEWHERE, why="where it is mounted from cannot be seen on the host ({0})".format(mount.kind))

    def _places(self, mount, path):
        """Yield the paths here that a path behind one of the container's mounts may have."""
        rest = path[len(mount.target.rstrip("/")):]
        inner = mount.root.rstrip("/") + rest
        for own in self.ours:
            base = own.root.rstrip("/")
            if own.device == mount.device and (inner + "/").startswith(base + "/"):
                place = own.target.rstrip("/") + inner[len(base):]
                if _covering(self.ours, place) is own:
                    yield place

    def _same(self, path, place):
        """Return whether a path there and one here are one file; of absent ones, whether their folders are one."""
        ends = [self.host.path(self.root + path), self.host.path(place)]
        if os.path.realpath(ends[1]) != ends[1]:
            # Whoever writes in the container put a link there: it leads elsewhere here.
            return False
        try:
            return os.path.samestat(*map(os.lstat, ends))
        except FileNotFoundError:
            absent = not any(map(os.path.lexists, ends))
        except OSError:
            return False
        try:
            return absent and os.path.samestat(*[os.lstat(os.path.dirname(end)) for end in ends])
        except OSError:
            return False


class _Mount:
    __slots__ = ("device", "root", "target", "kind")

    def __init__(self, device, root, target, kind):
        self.device = device
        self.root = root
        self.target = target
        self.kind = kind


def parse(raw):
    """Return the mounts of a mountinfo file (bytes), in its order."""
    found = []
    for line in raw.split(b"\n"):
        fields, _dash, rest = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) > 5 and rest:
            found.append(_Mount(words[2], _path(words[3]), _path(words[4]), os.fsdecode(rest.split(b" ")[0])))
    return found


def _path(word):
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match.group(1), 8) & 255]), word))


def _covering(mounts, path):
    """Return the mount that a path lies on: that with the longest target, the last of equal ones."""
    above = [mount for mount in mounts if (path + "/").startswith(mount.target.rstrip("/") + "/")]
    return max(enumerate(above), key=lambda item: (len(item[1].target), item[0]))[1] if above else None
