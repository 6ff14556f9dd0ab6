# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where a collector touches the system. It reads and runs; it changes nothing.

Every verb is bounded and raises Unanswered when the system does not answer.

This module is private to the collection.
"""

import os
import selectors
import signal
import stat
import subprocess
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence

SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Output:
    """What a command printed: rc (int), out and err (bytes), truncated (bool)."""

    def __init__(self, rc, out, err, truncated=False):
        self.rc = rc
        self.out = out
        self.err = err
        self.truncated = truncated


class Host:
    """The system that this code runs on.

    root is a prefix for every path; tests put a folder there.
    """

    def __init__(self, root=""):
        self.root = root.rstrip("/")

    def path(self, path):
        """Return where a path of the host really is."""
        return self.root + path

    def read(self, path, limit=1 << 20, owners=None):
        """Return (bytes, truncated) of a file. Only regular files are read: no device, no pipe; where owners (user ids) are given, only theirs."""
        with self._open(path) as file:
            if owners is not None and os.fstat(file.fileno()).st_uid not in owners:
                raise evidence.Unanswered(evidence.DENIED, "{0} belongs to somebody else".format(path))
            raw = file.read(limit + 1)
        return raw[:limit], len(raw) > limit

    def tail(self, path, limit=16 << 10):
        """Return the last bytes of a regular file, at most limit; a line that was cut is left out."""
        with self._open(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - limit))
            raw = file.read(limit)
        return raw.partition(b"\n")[2] if size > limit else raw

    def text(self, path, limit=1 << 20):
        """Return the text of a file that is small by nature; longer than limit is an error."""
        raw, truncated = self.read(path, limit)
        if truncated:
            raise evidence.Unanswered(evidence.ERROR, "{0} is larger than {1} bytes".format(path, limit))
        return raw.decode("utf-8", "backslashreplace")

    def _open(self, path):
        # O_NONBLOCK: a named pipe must not hold the run; it has no effect on a regular file.
        try:
            descriptor = os.open(self.path(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise evidence.unanswered_by(error, path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise evidence.Unanswered(evidence.ERROR, "{0} is not a regular file".format(path))
        return os.fdopen(descriptor, "rb")

    def stat(self, path, follow=True):
        """Return os.stat_result of a path."""
        try:
            return os.stat(self.path(path)) if follow else os.lstat(self.path(path))
        except OSError as error:
            raise evidence.unanswered_by(error, path)

    def exists(self, path):
        """Return whether a path can be looked up; a denied look-up raises Unanswered."""
        try:
            self.stat(path)
        except evidence.Unanswered as error:
            if error.status == evidence.ABSENT:
                return False
            raise
        return True

    def names(self, path):
        """Return the sorted names in a folder."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError as error:
            raise evidence.unanswered_by(error, path)

    def link(self, path):
        """Return where a symbolic link points."""
        try:
            return os.readlink(self.path(path))
        except OSError as error:
            raise evidence.unanswered_by(error, path)

    def program(self, name):
        """Return the path of a program on the fixed search path; Unanswered when it is not there."""
        for folder in SEARCH_PATH:
            path = folder + "/" + name
            if os.access(self.path(path), os.X_OK):
                return path
        raise evidence.Unanswered(evidence.ABSENT, "{0} is not installed".format(name))

    def run(self, argv, timeout=10, limit=1 << 20, before=None):
        """Run a command without a shell, in the C locale, and return its Output.

        argv[0] is a path or a name on SEARCH_PATH. A command that is over time is killed with
        everything that it started. before is called in the child, right before the command.
        """
        argv = list(argv)
        if not argv[0].startswith("/"):
            argv[0] = self.program(argv[0])
        environment = {"PATH": ":".join(SEARCH_PATH), "LC_ALL": "C", "HOME": "/", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=environment, cwd="/", close_fds=True, start_new_session=True, preexec_fn=before,
            )
        except subprocess.SubprocessError as error:
            raise evidence.Unanswered(evidence.ERROR, "{0} was not run: {1}".format(argv[0], error))
        except OSError as error:
            raise evidence.unanswered_by(error, argv[0])
        try:
            out, err = _printed(process, timeout, limit)
        except subprocess.TimeoutExpired:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                process.kill()
            process.wait()
            raise evidence.Unanswered(evidence.TIMEOUT, "{0} gave no answer in {1} s".format(" ".join(argv), timeout))
        finally:
            process.stdout.close()
            process.stderr.close()
        return Output(process.returncode, out[:limit], err[:limit], len(out) > limit)

    def now(self):
        """Return the host's clock, in seconds since the epoch."""
        return time.time()


def _printed(process, timeout, limit):
    """Return the first limit + 1 bytes of each pipe of a process that ends in time; raises TimeoutExpired. It may print without end."""
    deadline = time.monotonic() + timeout
    held = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in held:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for ready, _events in selector.select(left):
                piece = os.read(ready.fd, 65536)
                if not piece:
                    selector.unregister(ready.fileobj)
                held[ready.fileobj] += piece[: limit + 1 - len(held[ready.fileobj])]
    process.wait(timeout=max(0.1, deadline - time.monotonic()))
    return bytes(held[process.stdout]), bytes(held[process.stderr])
