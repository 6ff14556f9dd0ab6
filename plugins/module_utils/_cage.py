# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of a container, run by root of the host with fewer rights than it has in the container.

Whoever made the container's image made the program too, and it must not get out. It sees what the container
sees (_overlay.py shows it that, without the container's device files), in the container's IPC, UTS and network
namespace, and besides:

- processes of its own namespace only, which all end with it: it can signal neither the host's nor the container's;
- of the capabilities four at most, and of those what the container's process has;
- /proc read-only, so that no setting of the kernel can be written; device files only those that hold nothing;
- none of the system calls that lead out of containers, as Docker's default profile forbids them; no new privileges;
- where the host runs out of memory, it is what the kernel kills first.

What is not there: the limits of the container's control group (so that it may use up processors until its time is over), and its
AppArmor profile. A container with a user namespace of its own is not entered: its mounts are locked together in a copy of ours, so that
no overlay covers them.

Sources: namespaces(7), capabilities(7), seccomp(2) and linux/seccomp.h; Docker's profiles/seccomp/default.json.

This module is private to the collection.
"""

import ctypes
import os
import stat
import struct

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside

_CLONE = {"ipc": 0x08000000, "uts": 0x04000000}
_CLONE_NEWPID, _CLONE_NEWUSER = 0x20000000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 23, 24, 47, 38, 22
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
# CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_NET_BIND_SERVICE: what nginx -t makes use of.
_KEPT = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 10
_LAST = 63

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}

# By machine: AUDIT_ARCH_*, clone, and the numbers of asm/unistd.h of: acct add_key bpf chroot clock_adjtime clock_settime create_module delete_module
# finit_module init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mount move_pages name_to_handle_at nfsservctl
# open_by_handle_at perf_event_open pivot_root process_vm_readv process_vm_writev ptrace quotactl reboot request_key setns settimeofday
# swapoff swapon umount2 unshare userfaultfd.
_CALLS = {
    "x86_64": (0xC000003E, 56, (
        163, 248, 321, 161, 305, 227, 174, 176, 313, 175, 173, 172, 312, 320, 246, 250, 212, 165, 279, 303, 180, 304, 298, 155, 310, 311, 101, 179, 169, 249,
        308, 164, 168, 167, 166, 272, 323)),
    "aarch64": (0xC00000B7, 220, (
        89, 217, 280, 51, 266, 112, 106, 273, 105, 272, 294, 104, 219, 18, 40, 239, 264, 42, 265, 241, 41, 270, 271, 117, 60, 142, 218, 268, 170, 225, 224, 39,
        97, 282)),
}
# Those that have one number on every machine: io_uring_*, open_tree, move_mount, fs*, pidfd_getfd, mount_setattr, quotactl_fd, and what is newer.
_NEWER = tuple(range(425, 434)) + (438, 442, 443)
_CLONE3 = 435
_X32 = 0x40000000
_EPERM, _ENOSYS = 1, 38


class Cage:
    """How a program of the container of a process is to be run. Made before roots are changed; close() it.

    Raises Unanswered where it cannot be: another machine than those that are known, a user namespace, a process that is gone.
    """

    def __init__(self, pid):
        machine = os.uname().machine
        if machine not in _CALLS or struct.calcsize("P") != 8:
            raise evidence.Unanswered(evidence.ERROR, "a program of a container is not run on {0}: its system calls are not known here".format(machine))
        if _inside.namespace(pid, "user") != _inside.namespace("self", "user"):
            raise evidence.Unanswered(evidence.DENIED, "not tested: the container has a user namespace of its own")
        self._filter = _program(*_CALLS[machine])
        self._doors = []
        self._proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._kept = _KEPT & _capabilities(pid)
            for kind, flag in sorted(_CLONE.items()):
                if _inside.namespace(pid, kind) != _inside.namespace("self", kind):
                    self._doors.append((_open("/proc/{0}/ns/{1}".format(pid, kind)), flag))
        except evidence.Unanswered:
            self.close()
            raise

    def close(self):
        """Close what is open."""
        for descriptor in [door for door, _flag in self._doors] + [self._proc]:
            os.close(descriptor)
        self._doors = []

    def mounts(self):
        """Return the bytes of our own mountinfo: behind the container's root its /proc does not know us."""
        with os.fdopen(os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc), "rb") as file:
            return file.read(1 << 20)

    @staticmethod
    def hides(target):
        """Return whether what is mounted somewhere is not shown."""
        return (target + "/").startswith(("/proc/", "/dev/"))

    @staticmethod
    def furnish(root, mount):
        """Put what the program needs of /dev below a new root, and a place for /proc. mount is that of _overlay.py."""
        for name in ("/proc", "/dev"):
            if not os.path.lexists(root + name):
                os.mkdir(root + name, 0o555)
            if not stat.S_ISDIR(os.lstat(root + name).st_mode):
                raise evidence.Unanswered(evidence.ERROR, "{0} of the container is no folder".format(name))
        mount("tmpfs", root + "/dev", "tmpfs", _MS_NOSUID | _MS_NOEXEC, "size=64k,nr_inodes=64,mode=0755")
        for name, numbers in _DEVICES.items():
            os.mknod("{0}/dev/{1}".format(root, name), stat.S_IFCHR | 0o666, os.makedev(*numbers))
            os.chmod("{0}/dev/{1}".format(root, name), 0o666)
        for name, target in _LINKS.items():
            os.symlink(target, "{0}/dev/{1}".format(root, name))
        os.mkdir(root + "/dev/shm", 0o1777)

    def part(self):
        """Make our next child the first process of a namespace of its own."""
        _checked(_libc().unshare(_CLONE_NEWPID), "a namespace of processes")

    def enter(self, identity):
        """Take the rights away; called in that child, right before the program. identity is that of the container's process."""
        libc = _libc()
        self._give_up_memory_first()
        _checked(libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(_MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC), None), "/proc of the program")
        for descriptor in (1, 2):
            # What is linked to the standard streams is opened anew, by whoever it runs as.
            os.fchown(descriptor, identity["uid"], identity["gid"])
        for descriptor, flag in self._doors:
            _checked(libc.setns(descriptor, flag), "a namespace of the container")
        for number in range(_LAST + 1):
            if libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1 and not self._kept >> number & 1:
                _checked(libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), "giving up capability {0}".format(number))
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        os.setgroups(identity["groups"])
        os.setresgid(identity["gid"], identity["gid"], identity["gid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
        code = ctypes.create_string_buffer(self._filter, len(self._filter))
        head = struct.pack("@HP", len(self._filter) // 8, ctypes.addressof(code))
        _checked(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0), "a filter of system calls")

    def _give_up_memory_first(self):
        try:
            held = os.open("self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            # A /proc that is read-only: then it counts as any other program.
            return
        try:
            os.write(held, b"1000")
        finally:
            os.close(held)


def _capabilities(pid):
    path = "/proc/{0}/status".format(pid)
    try:
        with open(path, "rb") as file:
            lines = file.read(65536).split(b"\n")
    except OSError as error:
        raise evidence.unanswered_by(error, path)
    return next((int(line.split()[1], 16) for line in lines if line.startswith(b"CapEff:")), 0)


def _open(path):
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise evidence.unanswered_by(error, path)


def _program(machine, clone, denied):
    """Return the filter: instructions of linux/filter.h over struct seccomp_data (number at 0, machine at 4, first argument at 16)."""
    load, equal, above, all_of, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    refuse = 0x00050000 | _EPERM

    def step(code, value, yes=0, no=0):
        return struct.pack("=HBBI", code, yes, no, value)

    code = step(load, 4) + step(equal, machine, 1, 0) + step(give, kill) + step(load, 0)
    code += step(above, _X32, 0, 1) + step(give, refuse)
    code += step(equal, _CLONE3, 0, 1) + step(give, 0x00050000 | _ENOSYS)
    for number in denied + _NEWER:
        code += step(equal, number, 0, 1) + step(give, refuse)
    # A user namespace of its own would make it root there.
    code += step(equal, clone, 0, 3) + step(load, 16) + step(all_of, _CLONE_NEWUSER, 0, 1) + step(give, refuse)
    return code + step(give, allow)


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise evidence.unanswered_by(OSError(number, os.strerror(number)), what)
