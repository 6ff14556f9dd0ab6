# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx -t of a container: its program may be anybody's, and reaches nothing that the container does not.

Needs root, nginx and unshare(1); the container is this system's own files behind another root.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _overlay as overlay

# What a program that wants out would try. It says what came of it where nginx says what is wrong.
PROGRAM = r"""#!@PYTHON@
import ctypes, errno, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
said = {}

def attempt(name, function, *args):
    try:
        said[name] = function(*args)
    except OSError as error:
        said[name] = errno.errorcode[error.errno]

def call(name, function, *args):
    said[name] = "done" if function(*args) >= 0 else errno.errorcode[ctypes.get_errno()]

def write(path):
    with open(path, "wb") as file:
        file.write(b"x")
    return "done"

status = dict(line.partition(":")[::2] for line in open("/proc/self/status"))
said["capabilities"] = int(status["CapEff"], 16)
said["pid"] = os.getpid()
said["others"] = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
attempt("signal", os.kill, @VICTIM@, 9)
attempt("kernel setting", write, "/proc/sys/kernel/core_pattern")
attempt("sysrq", write, "/proc/sysrq-trigger")
attempt("device", os.mknod, "/tmp/disk", 0o60600, os.makedev(8, 0))
attempt("device of the container", lambda: os.close(os.open("@FOLDER@/device", os.O_RDONLY)))
attempt("null", write, "/dev/null")
attempt("file", write, "@FOLDER@/file")
attempt("standard error", write, "/dev/stderr")
call("mount", libc.mount, b"tmpfs", b"/tmp", b"tmpfs", 0, None)
call("user namespace", libc.unshare, 0x10000000)
call("chroot", libc.chroot, b"/tmp")
call("key", libc.syscall, 250, 0, -3, 0) if os.uname().machine == "x86_64" else None
pid = os.fork()
if pid == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", "@SECONDS@"])
sys.stderr.write("\nnginx: [emerg] " + json.dumps(said) + "\n")
sys.exit(1)
"""


@pytest.fixture(autouse=True)
def needs():
    assert os.geteuid() == 0, "run these tests as root: they make mount namespaces"


@pytest.fixture(name="container")
def fixture_container():
    """The pid of a process behind another root, with what Docker leaves of the capabilities, and a folder that both see."""
    folder, root = (Path(tempfile.mkdtemp(prefix="caged-", dir="/var/tmp")) for _number in range(2))
    for one in (folder, root):
        one.chmod(0o755)
    kept = "-all,+chown,+dac_override,+mknod,+net_bind_service"
    script = f"mount --rbind / {root} && mount -t tmpfs none {root}/mnt && exec chroot {root} setpriv --bounding-set {kept} --inh-caps -all sleep 1000"
    process = subprocess.Popen(["unshare", "--mount", "--uts", "--ipc", "sh", "-c", script], start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while not open(f"/proc/{process.pid}/cmdline", "rb").read().startswith(b"sleep"):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        yield process.pid, folder
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder)
        root.rmdir()


def test_a_program_that_wants_out_stays_in(container):
    pid, folder = container
    os.mknod(folder / "device", 0o60666, os.makedev(7, 0))
    (folder / "file").write_bytes(b"old")
    seconds = f"987{os.getpid()}"
    victim = subprocess.Popen(["sleep", "1000"])
    try:
        program = folder / "nginx"
        text = PROGRAM
        for word, value in (("PYTHON", os.path.realpath(sys.executable)), ("VICTIM", victim.pid), ("FOLDER", folder), ("SECONDS", seconds)):
            text = text.replace(f"@{word}@", str(value))
        program.write_text(text)
        program.chmod(0o755)
        before = open("/proc/sys/kernel/core_pattern", "rb").read()
        result = overlay.test([str(program)], pid=pid, caged=True)
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    said = json.loads(result["messages"][0]["text"])
    assert said.pop("capabilities") & ~(1 << 0 | 1 << 1 | 1 << 3 | 1 << 10) == 0
    assert said.pop("pid") == 1 and said.pop("others") == []
    assert said.pop("key", "EPERM") == "EPERM" and said.pop("sysrq") in ("EROFS", "ENOENT")
    assert said == {
        "signal": "ESRCH", "kernel setting": "EROFS", "device": "EPERM", "device of the container": "EACCES",
        "null": "done", "file": "done", "standard error": "done", "mount": "EPERM", "user namespace": "EPERM", "chroot": "EPERM",
    }
    assert (folder / "file").read_bytes() == b"old" and open("/proc/sys/kernel/core_pattern", "rb").read() == before
    # What it started has ended with it.
    commands = [open(f"/proc/{name}/cmdline", "rb").read() for name in os.listdir("/proc") if name.isdigit() and os.path.exists(f"/proc/{name}/cmdline")]
    assert not [command for command in commands if seconds.encode() in command]


@pytest.mark.parametrize("inside, valid, says", [
    ("", True, ""), ("proxy_pass_nothing on;", False, 'unknown directive "proxy_pass_nothing"'),
    ("location / { proxy_pass http://nobody.invalid; }", False, "host not found in upstream"),
])
def test_nginx_of_a_container(container, inside, valid, says):
    """As its well-known image has it: logs are links to the standard streams, and it runs as root."""
    pid, folder = container
    os.symlink("/dev/stderr", folder / "error.log")
    os.symlink("/dev/stdout", folder / "access.log")
    path = folder / "nginx.conf"
    path.write_text(
        f"pid {folder}/new.pid; error_log {folder}/error.log; user www-data; events {{ }}\nhttp {{ access_log {folder}/access.log;\n"
        f"client_body_temp_path {folder}/body; "
        f"server {{ listen 127.0.0.1:80; {inside} }} }}\n"
    )
    said = overlay.test(["/usr/sbin/nginx", "-c", str(path)], pid=pid, caged=True)
    assert said["valid"] is valid and (not says or says in said["messages"][-1]["text"]), said
    assert sorted(os.listdir(folder)) == ["access.log", "error.log", "nginx.conf"]


def test_nginx_of_a_container_that_is_no_root(container):
    pid, folder = container
    os.symlink("/dev/stderr", folder / "error.log")
    folder.chmod(0o777)
    path = folder / "nginx.conf"
    path.write_text(
        f"pid {folder}/new.pid; error_log {folder}/error.log; events {{ }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; server {{ listen 127.0.0.1:28999; }} }}\n"
    )
    said = overlay.test(["/usr/sbin/nginx", "-c", str(path)], pid=pid, caged=True, identity={"uid": 33, "gid": 33, "groups": [33]})
    assert said["valid"], said


def test_the_process_of_a_container_is_gone():
    with subprocess.Popen(["true"]) as process:
        process.wait()
        with pytest.raises(Exception) as caught:
            overlay.test(["/usr/sbin/nginx"], pid=process.pid, caged=True)
        assert caught.value.status == "absent"
