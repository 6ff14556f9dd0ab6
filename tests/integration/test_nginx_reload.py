# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads of a real nginx: those that load, and those that "nginx -s reload" calls a success although nothing was loaded.

Needs root and nginx; everything listens on 127.0.0.1.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import pytest

NGINX = "/usr/sbin/nginx"
MODULES = "ansible_collections.webops.bad_gateway.plugins.modules."
HTTP = "access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def reload(**arguments):
    """Run the module in a process of its own, as Ansible does; return its result."""
    return run("nginx_reload", **arguments)


def run(module, *before, **arguments):
    """Run a module, after the words of another command."""
    ran = subprocess.run(
        [*before, sys.executable, "-m", MODULES + module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True, text=True, timeout=120, check=False,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)),
    )
    assert ran.stdout, ran.stderr
    result = json.loads(ran.stdout)
    assert result.get("failed", False) == (ran.returncode != 0), ran.stderr
    return result


class Server:
    """An nginx of the test's own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.path = os.path.join(folder, "nginx.conf")
        self.log = os.path.join(folder, "error.log")
        self.process = None

    def write(self, answer="one", main="", http="", server="", workers=2):
        """Write a configuration that answers every request with a word."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(
                f"user www-data; pid nginx.pid; worker_processes {workers}; error_log {self.log} crit; daemon off; {main}\nevents {{ }}\n"
                f"http {{ {HTTP}\n{http}\nserver {{ listen 127.0.0.1:{self.port}; location / {{ return 200 \"{answer}\"; }} {server} }} }}\n"
            )

    def start(self, *before):
        self.process = subprocess.Popen([*before, NGINX, "-p", self.folder, "-c", self.path, "-e", self.log])
        self.until(lambda: self.answer() == "one")

    def answer(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return answer.read().decode()
        except OSError as error:
            return str(error)

    @staticmethod
    def until(condition, seconds=10):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def reload(self, **arguments):
        return reload(path=self.path, **arguments)

    def stop(self):
        if self.process is not None:
            if self.process.poll() is None:
                # unshare waits for nginx, and takes no signal meanwhile.
                inner = children(self.process.pid) if self.process.args[0] == "unshare" else []
                os.kill((inner + [self.process.pid])[0], signal.SIGTERM)
            self.process.wait(timeout=20)


@pytest.fixture
def server():
    assert os.geteuid() == 0, "run these tests as root"
    assert os.path.exists(NGINX), "install nginx for these tests: apt-get install nginx-light"
    folder = tempfile.mkdtemp(prefix="reload-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    one = Server(folder)
    yield one
    one.stop()
    shutil.rmtree(folder)


@pytest.fixture
def running(server):
    server.write()
    server.start()
    return server


def test_a_change_is_loaded_once(running):
    result = running.reload()
    assert (result["changed"], result["reasons"]) == (False, [])
    running.write("two")
    assert running.answer() == "one"
    result = running.reload()
    assert (result["changed"], running.answer()) == (True, "two")
    assert result["reasons"] == [f"{running.path} was changed after the workers were started"]
    before, after = result["workers"]["before"], result["workers"]["after"]
    assert len(before) == len(after) == 2 and not set(before) & set(after)
    assert result["master"] == running.process.pid
    result = running.reload()
    assert (result["changed"], result["workers"]) == (False, {"before": after, "after": after})


def test_check_mode_says_what_it_would_do(running):
    running.write("two")
    result = running.reload(_ansible_check_mode=True)
    assert (result["changed"], len(result["reasons"]), running.answer()) == (True, 1, "one")
    running.write("two", http="nonsense on;")
    result = running.reload(_ansible_check_mode=True)
    assert result["failed"] and 'unknown directive "nonsense"' in result["msg"]


def test_by_force(running):
    result = running.reload(force=True)
    assert (result["changed"], result["reasons"]) == (True, ["it was asked for"])
    assert result["workers"]["before"] != result["workers"]["after"]


@pytest.mark.parametrize("change", ["add", "remove", "swap a link", "move an old file"])
def test_what_is_a_change(server, change):
    sites = os.path.join(server.folder, "sites")
    for name in ("a", "b"):
        os.makedirs(os.path.join(server.folder, name))
        with open(os.path.join(server.folder, name, "x.conf"), "w", encoding="utf-8") as file:
            file.write(f"add_header X {name};")
    with open(os.path.join(server.folder, "old.conf"), "w", encoding="utf-8") as file:
        file.write("# old")
    os.symlink("a", sites)
    server.write(http="include sites/*.conf;")
    time.sleep(0.1)
    server.start()
    assert server.reload()["changed"] is False
    if change == "add":
        with open(os.path.join(sites, "y.conf"), "w", encoding="utf-8") as file:
            file.write("# new")
    elif change == "remove":
        os.unlink(os.path.join(sites, "x.conf"))
    elif change == "swap a link":
        os.symlink("b", sites + ".new")
        os.rename(sites + ".new", sites)
    else:
        os.rename(os.path.join(server.folder, "old.conf"), os.path.join(sites, "x.conf"))
    assert server.reload()["changed"] is True
    assert server.reload()["changed"] is False


def test_an_invalid_configuration_is_not_loaded(running):
    running.write("two", http="nonsense on;")
    for test in (True, False):
        result = running.reload(test=test)
        assert result["failed"] and not result["changed"]
        assert any('unknown directive "nonsense"' in message for message in result["messages"])
    assert running.answer() == "one"


def refused(running, words):
    """Hold that nginx -t and nginx -s reload call a success what the module finds refused, in nginx's own words."""
    options = [NGINX, "-p", running.folder, "-c", running.path, "-e", running.log, "-q"]
    assert subprocess.run(options + ["-t"], check=False).returncode == 0
    size = os.path.getsize(running.log)
    assert subprocess.run(options + ["-s", "reload"], check=False).returncode == 0
    running.until(lambda: os.path.getsize(running.log) > size)
    time.sleep(3)
    began = time.monotonic()
    result = running.reload()
    assert time.monotonic() - began < 10
    assert result["failed"] and not result["changed"]
    assert "refused" in result["msg"] and words in result["msg"]
    assert result["workers"]["before"] == result["workers"]["after"] and len(result["workers"]["after"]) == 2
    assert running.answer() == "one"


def test_a_port_that_another_process_has(running):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running.write("two", server=f"listen 127.0.0.1:{port};")
        refused(running, f"bind() to 127.0.0.1:{port} failed (98: ")
        # The same once more: it is pending still.
        assert running.reload()["failed"]
    assert running.reload()["changed"] and running.answer() == "two"


def test_a_port_that_becomes_free_in_time(running):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.write("two", server=f"listen 127.0.0.1:{other.getsockname()[1]};")

        def leave():
            running.until(lambda: "bind()" in open(running.log, encoding="utf-8").read(), 60)
            other.close()

        thread = threading.Thread(target=leave)
        thread.start()
        result = running.reload()
        thread.join()
    assert result["changed"] and running.answer() == "two"
    assert result["messages"] and "bind()" in result["messages"][0]


def test_the_key_of_a_limit(server):
    server.write(http="limit_req_zone $binary_remote_addr zone=a:1m rate=9r/s;")
    server.start()
    server.write("two", http="limit_req_zone $server_name zone=a:1m rate=9r/s;")
    refused(server, 'limit_req "a" uses the "$server_name" key while previously it used the "$binary_remote_addr" key')


def test_the_path_of_a_cache(server):
    server.write(http="proxy_cache_path cache1 keys_zone=a:1m;")
    server.start()
    server.write("two", http="proxy_cache_path cache2 keys_zone=a:1m;")
    refused(server, 'cache "a" uses the')


def test_a_log_of_the_new_configuration(running):
    """What cannot be put in force is complained of in the new log, which did not exist before."""
    old = running.log
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.log = os.path.join(running.folder, "new.log")
        running.write("two", server=f"listen 127.0.0.1:{other.getsockname()[1]};")
        result = running.reload()
    assert result["failed"] and "bind() to" in result["msg"]
    assert "bind() to" not in open(old, encoding="utf-8").read()


def test_without_a_log_the_refusal_is_seen_all_the_same(running):
    running.log = "/dev/null"
    running.write()
    assert running.reload()["changed"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.write("two", server=f"listen 127.0.0.1:{other.getsockname()[1]};")
        result = running.reload()
    assert result["failed"] and "refused" in result["msg"] and "its error log could not be read" in result["msg"]
    assert running.answer() == "one"


def test_workers_that_cannot_start(running):
    """They end with the code of a fatal error, and are not replaced: nobody serves any more."""
    running.write("two", main="working_directory /nonexistent;")
    result = running.reload()
    assert result["failed"] and "ended" in result["msg"]
    assert any("/nonexistent" in message for message in result["messages"])
    running.write("three")
    result = running.reload()
    assert result["changed"] and running.answer() == "three"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_workers_that_crash_in_a_loop(running):
    old = set(children(running.process.pid))
    done = threading.Event()

    def crash():
        while not done.wait(0.3):
            for pid in set(children(running.process.pid)) - old:
                os.kill(pid, signal.SIGSEGV)

    running.write("two")
    thread = threading.Thread(target=crash)
    thread.start()
    try:
        result = running.reload()
    finally:
        done.set()
        thread.join()
    assert result["failed"] and "do not live" in result["msg"]
    assert any("exited on signal 11" in message for message in result["messages"])


def test_an_old_worker_that_does_not_end(running):
    stuck = children(running.process.pid)[0]
    os.kill(stuck, signal.SIGSTOP)
    try:
        running.write("two")
        result = running.reload(timeout=2)
        assert result["failed"] and f"still serve after 2 s: {stuck}" in result["msg"]
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_an_old_worker_that_shuts_down_is_no_hindrance(running):
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.2)
        running.write("two")
        result = running.reload()
        assert result["changed"] and running.answer() == "two"
        titles = [open(f"/proc/{pid}/cmdline", "rb").read() for pid in children(running.process.pid)]
        assert any(b"is shutting down" in title for title in titles)


def test_a_master_that_does_not_take_the_signal(running):
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        running.write("two")
        result = running.reload(timeout=1.5)
        assert result["failed"] and "has not taken the signal after 1.5 s" in result["msg"]
    finally:
        os.kill(running.process.pid, signal.SIGCONT)


def waiting(pid):
    """Return whether a SIGHUP is pending for a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        pending = re.search(r"^ShdPnd:\s*([0-9a-f]+)", file.read(), re.MULTILINE).group(1)
    return int(pending, 16) & 1 << signal.SIGHUP - 1


def test_a_reload_that_is_under_way_is_not_taken_for_ours(running):
    """Somebody else's reload has read the old file, and waits for a port: its workers come after our signal, and are not what we want."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.write("zero", server=f"listen 127.0.0.1:{other.getsockname()[1]};")
        os.kill(running.process.pid, signal.SIGHUP)
        running.until(lambda: "bind()" in open(running.log, encoding="utf-8").read())
        running.write("two")
        results, answers = [], []
        thread = threading.Thread(target=lambda: results.append(running.reload()))
        thread.start()
        # The port is given back when the signal is there: the master takes none while it waits for the port.
        running.until(lambda: waiting(running.process.pid), 60)
    while thread.is_alive():
        answers.append(running.answer())
        time.sleep(0.01)
    thread.join()
    assert results[0]["changed"] and running.answer() == "two"
    assert "zero" in answers and len(results[0]["workers"]["after"]) == 2


def test_a_stopped_nginx_is_not_started(server):
    server.write()
    result = server.reload()
    assert result["failed"] and "a reload never starts one." in result["msg"]
    assert server.reload(missing="ignore")["changed"] is False
    assert "refused" in server.answer()


def test_the_one_that_is_meant(running):
    other = Server(os.path.join(running.folder, "other"))
    os.mkdir(other.folder)
    os.chmod(other.folder, 0o755)
    other.write()
    other.start()
    try:
        running.write("two")
        other.write("zero")
        result = reload()
        assert result["failed"] and "say which one by `path` or `master`" in result["msg"]
        assert running.reload()["changed"]
        assert (running.answer(), other.answer()) == ("two", "one")
        other.write("two")
        assert reload(master=other.process.pid)["conf_path"] == other.path
        assert other.answer() == "two"
        assert reload()["changed"] is False
        other.write("three")
        assert reload()["conf_path"] == other.path
        assert (running.answer(), other.answer()) == ("two", "three")
    finally:
        other.stop()


def test_an_upgrade_under_way_is_left_alone(server):
    server.write()
    # nginx upgrades itself only when who started it is gone.
    server.start("sh", "-c", '"$@" & sleep 0.2', "sh")
    server.process.wait()
    master = int(open(os.path.join(server.folder, "nginx.pid"), encoding="ascii").read())
    try:
        os.kill(master, signal.SIGUSR2)
        server.until(lambda: os.path.exists(os.path.join(server.folder, "nginx.pid.oldbin")))
        server.until(lambda: any(b"master" in open(f"/proc/{pid}/cmdline", "rb").read() for pid in children(master)))
        result = reload(master=master, force=True)
        assert result["failed"] and "an upgrade of its program is under way" in result["msg"]
        result = server.reload(force=True)
        assert result["failed"] and "say which one by `path` or `master`" in result["msg"]
    finally:
        pids = children(master) + [master]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        server.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def test_a_single_process_cannot_be_proved(server):
    server.write(main="master_process off;")
    server.start()
    server.write("two", main="master_process off;")
    result = server.reload()
    assert result["failed"] and "without a master process" in result["msg"]
    assert server.answer() == "one"


def test_in_namespaces_of_its_own(server):
    """As in a container: other numbers of processes, and files that only it sees."""
    server.write()
    inside = os.path.join(server.folder, "inside")
    os.mkdir(inside)
    server.start("unshare", "--pid", "--fork", "--mount", "--propagation", "private", "--mount-proc", "--kill-child")
    master = children(server.process.pid)[0]
    before = children(master)
    server.write("two")
    result = server.reload()
    assert result["changed"] and server.answer() == "two"
    assert (result["master"], result["workers"]["before"]) == (master, sorted(before))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server.write("three", server=f"listen 127.0.0.1:{other.getsockname()[1]};")
        result = server.reload()
    assert result["failed"] and "bind() to" in result["msg"]


@pytest.fixture
def keeper():
    """Words before a command that let it see a /var/lib of the test's own."""
    process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", "mount -t tmpfs none /var/lib && echo x && exec cat"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"x\n"
    yield ("nsenter", "-m", "-t", str(process.pid))
    process.communicate()


def test_undoing_loads_the_files_that_are_back(running, keeper):
    point = run("checkpoint", *keeper, state="open", paths=[running.path])["id"]
    running.write("two")
    assert run("nginx_reload", *keeper, path=running.path, checkpoint=point)["changed"] and running.answer() == "two"
    undone = run("checkpoint", *keeper, state="rolled_back", checkpoint=point)
    assert any("nginx" in one for one in undone["restored"])
    running.until(lambda: running.answer() == "one")
    result = run("nginx_reload", *keeper, path=running.path, checkpoint=point, force=True)
    assert result["failed"] and "is rolled-back" in result["msg"]


def test_undoing_an_edit_loads_the_old_files_though_the_reload_came_later(running, keeper):
    edit = {"context": {"block": "http"}, "directives": [{"name": "server_tokens", "args": ["off"]}]}
    edited = run("nginx_directive", *keeper, path=running.path, **edit)
    assert edited["changed"], edited
    workers = run("nginx_reload", *keeper, path=running.path)["workers"]["after"]
    undone = run("checkpoint", *keeper, state="rolled_back", checkpoint=edited["checkpoint"])
    assert any("nginx" in one for one in undone["restored"])
    running.until(lambda: not set(workers) & set(children(running.process.pid)))
    assert running.reload()["changed"] is False
