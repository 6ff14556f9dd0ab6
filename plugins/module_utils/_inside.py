# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a function where another process is, and as somebody else, in a child of our own.

What nginx reaches is decided by its network namespace, its mount namespace, its root directory and
its user and groups. A child enters all of them; we stay where we are. It does not take on nginx's
security label (SELinux, AppArmor): what those deny to nginx is not denied here.

Sources: setns(2), namespaces(7), credentials(7), chroot(2).

This module is private to the collection.
"""

import ctypes
import encodings.idna  # noqa: F401  pylint: disable=unused-import  # sockets and TLS load it at the first name
import json
import os
import select
import signal
import socket
import sys
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

MAX_ANSWER = 64 << 20

_KINDS = {"net": 0x40000000, "mnt": 0x00020000}  # CLONE_NEWNET, CLONE_NEWNS of <sched.h>
_GRACE = 5.0  # seconds for a killed child to end: one that waits on a dead network disk may not


def namespace(pid, kind):
    """Return the inode number (str) of a namespace of a process; kind is "net", "mnt", ...

    pid is an int or "self". Raises Unanswered.
    """
    path = "/proc/{0}/ns/{1}".format(pid, kind)
    try:
        return os.readlink(path).partition("[")[2].rstrip("]")
    except OSError as error:
        raise evidence.unanswered_by(error, path)


def same_root(pid):
    """Return whether the root directory of a process is the same directory as ours.

    It may be while the mount namespaces differ (a unit with PrivateTmp=): compare namespace() too
    before you take a path of the process for one of ours. Raises Unanswered.
    """
    path = "/proc/{0}/root/".format(pid)
    try:
        return os.path.samestat(os.stat(path), os.stat("/"))
    except OSError as error:
        raise evidence.unanswered_by(error, path)


def call(function, args=(), pid=None, identity=None, timeout=30.0):
    """Return function(*args), called in a child process that is where and who it was told to be.

    pid       process whose network and mount namespace and root the child enters; None: ours
    identity  {"uid": int, "gid": int, "groups": [int]} that the child takes on; None: ours
    timeout   seconds; the child is killed then

    The function returns what JSON can carry, or an evidence.Partial of it. It cannot import: behind a
    new root that would run files of that root. It may raise Unanswered or OSError. Every failure, of
    the child and of the way there, raises Unanswered.
    """
    doors, root = ([], None) if pid is None else _doors(pid)
    try:
        _check_identity(identity)
        if root is not None:
            _load_early()
        return _result(_in_child(_Visit(function, args, doors, root, identity), timeout))
    finally:
        for descriptor, _flag in doors:
            os.close(descriptor)
        if root is not None:
            os.close(root)


class _Visit:
    """What the child does: go through the doors (descriptor, flag), change root and ids, call."""

    def __init__(self, function, args, doors, root, identity):
        self.function = function
        self.args = args
        self.doors = doors
        self.root = root
        self.identity = identity
        self.setns = ctypes.CDLL(None, use_errno=True).setns

    def go(self):
        """Return the message to the parent; called in the child only."""
        try:
            self._enter()
            value = self.function(*self.args)
            partial = value if isinstance(value, evidence.Partial) else evidence.Partial(value)
            message = {"value": partial.value, "truncated": partial.truncated, "hidden": partial.hidden, "partial": value is partial}
            return json.dumps(message).encode("ascii")
        except evidence.Unanswered as error:
            failure = error
        except OSError as error:
            failure = evidence.unanswered_by(error, str(error.filename or ""))
        except Exception as error:  # pylint: disable=broad-except
            failure = evidence.Unanswered(evidence.ERROR, "{0}: {1}".format(type(error).__name__, error))
        return json.dumps({"status": failure.status, "why": failure.why}).encode("ascii")

    def _enter(self):
        # Always, though it matters behind another root only: what imports late then fails in every test.
        sys.meta_path[:] = []
        for descriptor, flag in self.doors:
            if self.setns(descriptor, flag) != 0:
                code = ctypes.get_errno()
                raise evidence.unanswered_by(OSError(code, os.strerror(code)), "entering a namespace of nginx")
        if self.root is not None:
            os.fchdir(self.root)
            os.chroot(".")
            _read_resolver_again()
        os.chdir("/")
        if self.identity is not None:
            _become(self.identity)


def _doors(pid):
    """Return ([(descriptor, setns flag)], descriptor of the root or None) for what differs from ours.

    All are opened before the child enters any of them: behind a new root there may be no /proc.
    """
    doors = []
    try:
        for kind in ("net", "mnt"):
            if namespace(pid, kind) != namespace("self", kind):
                doors.append((_open("/proc/{0}/ns/{1}".format(pid, kind), 0), _KINDS[kind]))
        # Entering a mount namespace leads to its own root, so the process's root is needed then too.
        if same_root(pid) and not any(flag == _KINDS["mnt"] for _descriptor, flag in doors):
            return doors, None
        return doors, _open("/proc/{0}/root/".format(pid), os.O_DIRECTORY)
    except evidence.Unanswered:
        for descriptor, _flag in doors:
            os.close(descriptor)
        raise


def _open(path, flags):
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    except OSError as error:
        raise evidence.unanswered_by(error, path)


def _check_identity(identity):
    """Raise Unanswered when we may not take on an identity."""
    if identity is not None and os.geteuid() != 0 and not _is(identity):
        raise evidence.Unanswered(evidence.DENIED, "only root can act as uid {0}".format(identity["uid"]))


def _is(identity):
    """Return whether this process has exactly the ids of identity."""
    return (
        set(os.getresuid()) == {identity["uid"]}
        and set(os.getresgid()) == {identity["gid"]}
        and set(os.getgroups()) | {identity["gid"]} == set(identity["groups"]) | {identity["gid"]}
    )


def _become(identity):
    if _is(identity):
        return
    os.setgroups(identity["groups"])
    os.setresgid(identity["gid"], identity["gid"], identity["gid"])
    os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    if not _is(identity):
        raise evidence.Unanswered(evidence.ERROR, "the kernel did not give us the ids of uid {0}".format(identity["uid"]))


def _load_early():
    """Load what the C library would otherwise load from behind the new root.

    A library of a container must never run in a process of this host (CVE-2019-14271). The name
    service loads its libraries at first use; what is loaded already is not searched for again.
    """
    for service in _name_services():
        try:
            ctypes.CDLL("libnss_{0}.so.2".format(service))
        except OSError:
            continue
    try:
        socket.getaddrinfo("localhost", None)
    except OSError:
        # The host has no such name; the name service has read its configuration all the same.
        return


def _name_services():
    """Return the services that nsswitch.conf(5) names for hosts, and those always tried."""
    services = ["files", "dns"]
    try:
        with open("/etc/nsswitch.conf", "rb") as file:
            lines = file.read(65536).decode("ascii", "replace").splitlines()
    except OSError:
        return services
    for line in lines:
        database, _colon, names = line.partition("#")[0].partition(":")
        if database.strip() == "hosts":
            services += [name for name in names.split() if name.isalnum()]
    return services


def _read_resolver_again():
    """Make the C library read /etc/resolv.conf of the new root; before glibc 2.26 it reads it once."""
    try:
        reread = ctypes.CDLL(None).__res_init
    except AttributeError:
        # musl reads the file at every question.
        return
    reread()


def _in_child(visit, timeout):
    """Return the message (bytes) of a child that made the visit; it has ended when this returns."""
    deadline = time.monotonic() + timeout
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        raise evidence.unanswered_by(error, "fork")
    if pid == 0:
        _child(visit, reader, writer, timeout)
    os.close(writer)
    try:
        return _read_all(reader, deadline, timeout)
    finally:
        os.close(reader)
        _end(pid)


def _child(visit, reader, writer, timeout):
    """Make the visit and end the process, whatever happens."""
    code = 1
    try:
        os.setsid()
        os.close(reader)
        _silence()
        # Should the parent be killed, the alarm ends the child.
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, timeout + _GRACE)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(visit.go())
        code = 0
    finally:
        os._exit(code)  # pylint: disable=protected-access


def _silence():
    """Point standard input, output and error at /dev/null: they belong to the parent's answer."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _read_all(reader, deadline, timeout):
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    parts, size = [], 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise evidence.Unanswered(evidence.TIMEOUT, "no answer in {0:g} s".format(timeout))
        if not poll.poll(left * 1000):
            continue
        part = os.read(reader, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            raise evidence.Unanswered(evidence.ERROR, "the answer is larger than {0} bytes".format(MAX_ANSWER))


def _end(pid):
    """Kill what is left of the child and take its exit status, so that no zombie stays."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            # It has ended, or has not made its own group yet: then the other kill reaches it.
            continue
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return
        time.sleep(0.005)


def _result(message):
    """Return the value of a child's message, or raise what it says."""
    try:
        answer = json.loads(message.decode("ascii"))
    except ValueError:
        raise evidence.Unanswered(evidence.ERROR, "the child process ended without an answer")
    if "value" not in answer:
        raise evidence.Unanswered(answer["status"], answer["why"])
    if answer["partial"]:
        return evidence.Partial(answer["value"], answer["truncated"], answer["hidden"])
    return answer["value"]
