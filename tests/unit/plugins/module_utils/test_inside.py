# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child goes where and becomes who it is told to, answers in time, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside

NOBODY = {"uid": 65534, "gid": 65534, "groups": [65534, 33]}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter namespaces and become another user")


def unanswered(function, **options):
    """Return the Unanswered that a call raises."""
    with pytest.raises(evidence.Unanswered) as caught:
        inside.call(function, **options)
    return caught.value


def no_children():
    """Return whether this process has no child left, not even a zombie."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.fixture
def apart():
    """Return a process in network and mount namespaces of its own, where only /mnt/there exists."""
    script = "mount -t tmpfs none /mnt && : >/mnt/there && echo ready && exec sleep 60"
    process = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script], stdout=subprocess.PIPE)
    line = process.stdout.readline()
    try:
        assert line == b"ready\n"
        yield process
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def test_value_comes_back():
    assert inside.call(lambda first, second: {"sum": first + second}, (1, 2)) == {"sum": 3}
    assert no_children()


def test_no_value_is_a_value():
    assert inside.call(lambda: None) is None
    assert inside.call(lambda: []) == []


def test_partial_comes_back_as_partial():
    result = inside.call(lambda: evidence.Partial([1], truncated=True, hidden=["more"]))
    assert (result.value, result.truncated, result.hidden) == ([1], True, ("more",))


def test_lone_surrogates_survive():
    assert inside.call(lambda: "\udcff\x1b") == "\udcff\x1b"


def test_answer_larger_than_a_pipe():
    assert inside.call(lambda: "x" * 300000) == "x" * 300000


def test_over_time_is_killed():
    began = time.monotonic()
    failure = unanswered(lambda: time.sleep(30), timeout=0.3)
    assert failure.status == "timeout"
    assert time.monotonic() - began < 3
    assert no_children()


def test_deaf_child_is_killed():
    def deaf():
        import signal  # loaded already: the module under test uses it

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(30)

    assert unanswered(deaf, timeout=0.3).status == "timeout"
    assert no_children()


@pytest.mark.parametrize(("fail", "status", "why"), [
    (lambda: os.stat("/nonexistent/x"), "absent", "/nonexistent/x: No such file or directory"),
    (lambda: 1 // 0, "error", "ZeroDivisionError: integer division or modulo by zero"),
    (lambda: os._exit(0), "error", "the child process ended without an answer"),
    (lambda: os.kill(os.getpid(), 9), "error", "the child process ended without an answer"),
    (lambda: sys.exit(0), "error", "the child process ended without an answer"),
])
def test_failure_of_the_child(fail, status, why):
    failure = unanswered(fail)
    assert (failure.status, failure.why) == (status, why)
    assert no_children()


def test_value_that_json_cannot_carry():
    failure = unanswered(lambda: b"bytes")
    assert failure.status == "error"
    assert failure.why.startswith("TypeError: ")


def test_unanswered_of_the_child_keeps_its_status():
    def refuse():
        raise evidence.Unanswered(evidence.DENIED, "not for you \x1b")

    failure = unanswered(refuse)
    assert (failure.status, failure.why) == ("denied", "not for you \x1b")


def test_child_is_silent(capfd):
    def noise():
        os.write(1, b"out")
        os.write(2, b"err")
        return os.read(0, 1).decode()

    assert inside.call(noise) == ""
    assert capfd.readouterr() == ("", "")


def test_child_cannot_import():
    def late():
        import this_module_is_not_loaded

        return this_module_is_not_loaded.value

    sys.modules.pop("colorsys", None)
    assert "ModuleNotFoundError" in unanswered(late).why
    assert "ModuleNotFoundError" in unanswered(lambda: __import__("colorsys").__name__).why
    assert __import__("colorsys").__name__ == "colorsys"


def test_process_that_is_gone():
    process = subprocess.Popen(["true"])
    process.wait()
    assert unanswered(os.getuid, pid=process.pid).status == "absent"


def test_no_descriptor_is_left_open():
    before = len(os.listdir("/proc/self/fd"))
    inside.call(os.getpid, pid=os.getpid())
    unanswered(os.getpid, pid=2 ** 22 + 1)
    assert len(os.listdir("/proc/self/fd")) == before


@needs_root
def test_identity_is_taken_on_for_good():
    def who():
        try:
            os.setuid(0)
        except PermissionError:
            return [os.getresuid(), os.getresgid(), sorted(os.getgroups())]
        return "root again"

    assert inside.call(who, identity=NOBODY) == [[65534] * 3, [65534] * 3, [33, 65534]]
    assert os.geteuid() == 0


@needs_root
def test_denied_as_the_other_user(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    failure = unanswered(lambda: open(str(secret)).read(), identity=NOBODY)
    assert failure.status == "denied"


@needs_root
def test_only_root_can_be_another():
    def as_nobody():
        try:
            inside.call(os.getuid, identity={"uid": 33, "gid": 33, "groups": []})
        except evidence.Unanswered as error:
            return [error.status, error.why]
        return []

    assert inside.call(as_nobody, identity=NOBODY) == ["denied", "only root can act as uid 33"]
    assert inside.call(lambda: inside.call(os.getuid, identity=NOBODY), identity=NOBODY) == 65534


@needs_root
def test_namespaces_of_a_process(apart):
    def look():
        return [os.listdir("/mnt"), [name for _number, name in socket.if_nameindex()], os.getuid()]

    assert inside.call(look, pid=apart.pid, identity=NOBODY) == [["there"], ["lo"], 65534]
    assert "there" not in os.listdir("/mnt")


@needs_root
def test_root_of_a_process(tmp_path):
    jail = tmp_path / "jail"
    (jail / "only").mkdir(parents=True)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chroot(str(jail))
        os.close(reader)
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    try:
        os.close(writer)
        os.read(reader, 1)
        assert inside.same_root(pid) is False
        assert inside.namespace(pid, "mnt") == inside.namespace("self", "mnt")
        assert inside.call(lambda: [os.listdir("/"), os.getcwd()], pid=pid) == [["only"], "/"]
        assert unanswered(lambda: os.stat("/etc/passwd"), pid=pid).status == "absent"
        before = len(os.listdir("/proc/self/fd"))
        inside.call(os.getuid, pid=pid)
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        os.close(reader)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@needs_root
def test_same_root_in_another_mount_namespace(apart):
    assert inside.same_root(apart.pid) is True
    assert inside.namespace(apart.pid, "mnt") != inside.namespace("self", "mnt")
    assert inside.namespace(apart.pid, "net") != inside.namespace("self", "net")


def test_namespace_of_this_process():
    assert inside.namespace(os.getpid(), "net") == inside.namespace("self", "net")
    assert inside.namespace("self", "net").isdigit()
    assert inside.same_root("self") is True
    with pytest.raises(evidence.Unanswered) as caught:
        inside.namespace(2 ** 22 + 1, "net")
    assert caught.value.status == "absent"
