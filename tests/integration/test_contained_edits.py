# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an nginx in a container are changed on the host, where they are mounted from, and nginx loads them there.

Needs root, nginx and unshare(1); the container is this system's own files behind another root.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

MODULES = "ansible_collections.webops.bad_gateway.plugins.modules."


def run(module, **arguments):
    """Run a module in a process of its own, as Ansible does; return its result."""
    ran = subprocess.run(
        [sys.executable, "-m", MODULES + module], input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), capture_output=True, text=True, timeout=120,
        check=False, env=dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)),
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


class Container:
    """An nginx behind another root, whose main file is mounted by itself and read-only, and whose other files are in a mounted folder."""

    def __init__(self):
        self.host, self.root = (Path(tempfile.mkdtemp(prefix="contained-", dir="/srv")) for _number in range(2))
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        # Where the container has them: nothing of that is on the host.
        self.inside = f"/mnt/{self.host.name}"
        self.main = f"{self.inside}/nginx.conf"
        (self.host / "conf.d").mkdir()
        for one in (self.host, self.root, self.host / "conf.d"):
            one.chmod(0o755)
        temporary = " ".join(f"{kind}_temp_path /tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.host / "main").write_text(
            f"daemon off; worker_processes 1; pid /tmp/pid; error_log /tmp/error.log; events {{ }}\n"
            f"http {{ access_log off; {temporary}\n  include {self.inside}/conf.d/*.conf;\n  include {self.inside}/image.conf;\n}}\n"
        )
        (self.host / "conf.d" / "one.conf").write_text(f"server {{\n  listen 127.0.0.1:{self.port};\n  location / {{ return 200 one; }}\n}}\n")
        # As an engine does it: an overlay over the files of an image, and mounts in it.
        room, root = self.root, self.root / "merged"
        made = [
            f"mount -t tmpfs none {room}", f"mkdir {room}/upper {room}/work {root}",
            f"mount -t overlay none -o lowerdir=/,upperdir={room}/upper,workdir={room}/work {root}",
            f"mount --rbind /proc {root}/proc", f"mount --rbind /dev {root}/dev", f"mount -t tmpfs none {root}/tmp", f"chmod 1777 {root}/tmp",
            f"mkdir -p {root}{self.inside}/conf.d", f"touch {root}{self.main}", f"echo '# image' > {root}{self.inside}/image.conf",
            f"mount --bind {self.host}/main {root}{self.main}", f"mount -o remount,ro,bind {root}{self.main}",
            f"mount --bind {self.host}/conf.d {root}{self.inside}/conf.d",
            f"mkdir {root}/old", f"cd {root}", "pivot_root . old",
            f"exec chroot . sh -c 'umount -l /old && exec /usr/sbin/nginx -c {self.main} -e /tmp/error.log'",
        ]
        self.process = subprocess.Popen(["unshare", "--mount", "--uts", "--ipc", "sh", "-c", " && ".join(made)], start_new_session=True)
        self.until(lambda: self.answer() == "one")

    def answer(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return answer.read().decode()
        except OSError as error:
            return str(error)

    def until(self, true):
        deadline = time.monotonic() + 20
        while not true():
            assert time.monotonic() < deadline and self.process.poll() is None, self.answer()
            time.sleep(0.05)

    def seen(self):
        """Return what the container has as its main file."""
        return Path(f"/proc/{self.process.pid}/root{self.main}").read_text()

    def edit(self, context, name, *args, **more):
        return run("nginx_directive", path=self.main, context=context, directives=[{"name": name, "args": list(args)}], **more)

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.host)
        self.root.rmdir()


@pytest.fixture(name="container")
def fixture_container():
    assert os.geteuid() == 0, "run these tests as root: they make mount namespaces"
    made = Container()
    yield made
    made.end()


def test_a_file_that_is_mounted_by_itself_is_written_in_place_and_put_back_in_place(container):
    file = container.host / "main"
    before, inode, times = file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns
    result = container.edit({"block": "http"}, "proxy_read_timeout", "120s")
    assert result["changed"] and result["files"] == [str(file)], result
    assert file.stat().st_ino == inode and "proxy_read_timeout 120s;" in container.seen()
    assert not container.edit({"block": "http"}, "proxy_read_timeout", "120s")["changed"]
    undone = run("checkpoint", state="rolled_back", checkpoint=result["checkpoint"])
    assert undone["restored"][0] == f"{file} (content)" and not undone["unverified"], undone
    assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns, container.seen()) == (before, inode, times, before.decode())


def test_a_file_in_a_mounted_folder_is_replaced_loaded_and_put_back(container):
    result = container.edit({"location": "/"}, "return", "200", "two")
    assert result["changed"] and result["files"] == [str(container.host / "conf.d" / "one.conf")], result
    loaded = run("nginx_reload", path=container.main, checkpoint=None)
    assert loaded["changed"] and loaded["master"] == container.process.pid, loaded
    container.until(lambda: container.answer() == "two")
    undone = run("checkpoint", state="rolled_back", checkpoint=result["checkpoint"])
    assert not undone["unverified"] and "has read its configuration again" in undone["restored"][-1], undone
    container.until(lambda: container.answer() == "one")


def test_nothing_is_written_that_the_nginx_of_the_container_does_not_take(container):
    before = (container.host / "conf.d" / "one.conf").read_bytes()
    result = container.edit({"location": "/"}, "proxy_pass", "http://nobody.invalid")
    assert "host not found in upstream" in result["msg"] and (container.host / "conf.d" / "one.conf").read_bytes() == before


def test_a_file_of_no_mount_of_the_host_is_refused(container):
    result = run("nginx_directive", path=container.main, context={"block": "http"}, directives=[{"name": "gzip", "args": ["on"]}],
                 files=[{"path": f"{container.inside}/new.conf", "content": "# new\n"}])
    assert "cannot be changed here" in result["msg"] and "gzip" not in container.seen()


def test_a_file_that_was_replaced_on_the_host_since_is_refused(container):
    (container.host / "new").write_bytes((container.host / "main").read_bytes())
    os.rename(container.host / "new", container.host / "main")
    result = container.edit({"block": "http"}, "gzip", "on")
    assert "cannot be changed here" in result["msg"], result


def test_a_file_of_a_user_is_edited_where_he_owns_all_of_the_way(container):
    for path in (container.host, container.host / "conf.d", container.host / "conf.d" / "one.conf", container.host / "main"):
        os.chown(path, 1234, 1234)
    result = container.edit({"block": "http"}, "gzip", "on")
    assert result["changed"] and (container.host / "main").stat().st_uid == 1234, result
    os.chown(container.host / "main", 0, 0)
    result = container.edit({"block": "http"}, "gzip", "off")
    assert "uid 1234 decides what is there" in result["msg"], result
