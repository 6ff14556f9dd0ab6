# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What engines say of their containers: of the true ones as they said it, of any other without a failure of ours."""

import json
import hashlib
import os
import shutil
import struct
import sys
import tempfile
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _engine_api as engine_api
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import containers
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils._collect.engine_server import EngineServer, chunked, response

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="collectors are for Linux")

DOCKER = "/run/docker.sock"
ID = "0c" * 32
LIST = "/v1.41/containers/json?all=1"
ONE = "/v1.41/containers/{0}/json".format(ID)


@pytest.fixture(name="lab")
def _lab():
    """A root folder for engines, short enough for the path of a Unix socket."""
    lab = Lab(tempfile.mkdtemp(prefix="e", dir="/tmp"))
    yield lab
    lab.close()


class Lab:
    """A host in a folder with engines."""

    def __init__(self, root):
        self.root = root
        self.servers = []
        self.by_pid = {}

    def engine(self, path, answers=()):
        self.servers.append(EngineServer(self.root + path, dict(answers)))
        return self.servers[-1]

    def process(self, pid, *argv):
        os.makedirs("{0}/proc/{1}".format(self.root, pid))
        for name, content in (("comm", os.path.basename(argv[0]) + "\n"), ("cmdline", "\0".join(argv) + "\0")):
            with open("{0}/proc/{1}/{2}".format(self.root, pid, name), "w") as file:
                file.write(content)

    def ask(self):
        return evidence.ask("engines", containers.collect, Host(self.root), text.Redactor("key"), _processes.Processes(self.by_pid))

    def close(self):
        for server in self.servers:
            server.close()
        shutil.rmtree(self.root)


def only(answer):
    assert answer["status"] == "ok" and len(answer["value"]["containers"]) == 1, answer
    return answer["value"]["containers"][0]


def test_a_host_without_an_engine(lab):
    assert lab.ask()["status"] == "absent"


def test_an_engine_with_nothing_in_it(lab):
    server = lab.engine(DOCKER)
    answer = lab.ask()
    assert answer["value"] == {
        "engines": [
            {"socket": DOCKER, "kind": "docker", "version": "20.10.24", "api": "1.41", "uid": os.geteuid(), "status": "ok", "why": ""}
        ],
        "containers": [], "networks": [], "compose_files": [],
    }
    assert not answer["truncated"] and all(line.startswith("GET ") for line in server.asked)


def test_only_the_list_tells_of_a_container_that_cannot_be_asked_about(lab):
    listed = {"Id": ID, "Names": ["/shop", "/web/shop"], "Image": "shop:1", "State": "running", "Created": 5, "HostConfig": {"NetworkMode": "shop_net"}}
    lab.engine(DOCKER, {LIST: [listed], ONE: response({"message": "broken\x1b"}, "500 Internal Server Error")})
    answer = lab.ask()
    shown = only(answer)
    assert (shown["status"], shown["name"], shown["state"], shown["network_mode"]) == ("error", "shop", "running", "shop_net")
    assert shown["exit_code"] is None and "broken\\x1b" in shown["why"] and "shop" in answer["hidden"][0]


def test_a_container_removed_since_it_was_listed_is_not_there(lab):
    lab.engine(DOCKER, {LIST: [{"Id": ID, "State": "running"}]})
    assert lab.ask()["value"]["containers"] == []


def test_answers_in_chunks(lab):
    lab.engine(DOCKER, {LIST: chunked(json.dumps([{"Id": ID, "State": "exited"}]).encode()), ONE: chunked(json.dumps({"Name": "/shop"}).encode())})
    assert only(lab.ask())["name"] == "shop"


@pytest.mark.parametrize("state, code, asked", [("exited", 1, True), ("restarting", 1, True), ("exited", 0, False), ("running", 1, False)])
def test_the_last_words_of_a_container_that_failed(lab, state, code, asked):
    said = b"".join(struct.pack(">BxxxI", 2, len(line)) + line for line in (b"Traceback\n", b"password=hunter2 \x1b[2J\n"))
    one = {"Name": "/shop", "State": {"Status": state, "ExitCode": code}}
    lab.engine(DOCKER, {LIST: [{"Id": ID, "State": state}], ONE: one, "/v1.41/containers/{0}/logs?stdout=1&stderr=1&tail=40".format(ID): chunked(said)})
    words = only(lab.ask())["words"]
    assert words == (["Traceback", text.Redactor("key").text("password=hunter2") + " \\x1b[2J"] if asked else None)


# --- as Docker 20.10.24 said it

@pytest.fixture(name="recorded")
def _recorded(lab):
    """The containers of a recording by their names."""

    def replay(socket, name):
        path = os.path.join(os.path.dirname(__file__), "recordings", name)
        with open(path, "rb") as file:
            lab.engine(socket, json.loads(file.read().decode("utf-8")))
        answer = lab.ask()
        assert answer["hidden"] == [] and "hunter2" not in json.dumps(answer)
        return answer["value"], {shown["name"]: shown for shown in answer["value"]["containers"]}

    return replay


def test_docker(recorded):
    value, shown = recorded(DOCKER, "docker-20.10.24.json")
    assert [(one["kind"], one["version"], one["api"], one["status"]) for one in value["engines"]] == [("docker", "20.10.24+dfsg1", "1.41", "ok")]
    assert {(name, one["state"], one["exit_code"], one["oom_killed"]) for name, one in shown.items()} == {
        ("shop-web", "running", 0, False), ("shop-lo", "running", 0, False), ("shop-sick", "running", 0, False), ("shop-oom", "exited", 137, True),
    }
    web, unhealthy = shown["shop-web"], shown["shop-sick"]
    assert web["networks"] == [dict(web["networks"][0], name="shop_net", addresses=["172.18.0.3"], gateway="172.18.0.1")]
    assert web["published"] == [{"port": 80, "protocol": "tcp", "address": "127.0.0.1", "host_port": 18080}] and web["network_mode"] == "shop_net"
    assert {"kind": "bind", "source": "/srv/shop/nginx.conf", "target": "/etc/nginx/nginx.conf", "rw": False} in web["mounts"]
    assert (web["healthcheck"], web["health"], web["compose"], web["log_driver"]) == (False, "", None, "json-file")
    assert [port["address"] for port in shown["shop-lo"]["published"]] == ["0.0.0.0", "::"] and "lo" in shown["shop-lo"]["networks"][0]["aliases"]
    assert unhealthy["network_mode"].startswith("container:") and unhealthy["networks"] == []
    assert (unhealthy["health"], unhealthy["healthcheck"]) == ("unhealthy", True) and unhealthy["health_log"][0].startswith("exit code 1: token=redacted:")
    assert shown["shop-oom"]["memory"]["limit"] == 30 << 20 and shown["shop-oom"]["pid"] is None and shown["shop-oom"]["finished"] > 1e9
    assert {network["name"]: (network["driver"], network["subnets"]) for network in value["networks"]}["shop_net"] == ("bridge", ["172.18.0.0/16"])


def test_compose(recorded):
    """As docker-compose 1.29.2 made them."""
    _value, shown = recorded(DOCKER, "compose-1.29.2.json")
    assert shown["shop_web_1"]["compose"] == {
        "project": "shop", "service": "web", "folder": "/srv/shop", "files": ["/srv/shop/compose.yml"], "depends_on": None,
    }
    assert shown["shop_app_1"]["networks"][0]["name"] == "shop_default" and "app" in shown["shop_app_1"]["networks"][0]["aliases"]
    assert shown["shop_app_1"]["command"] == ["python3", "/srv/app.py", "--host", "0.0.0.0"]


def test_what_compose_writes_of_dependencies(lab):
    """The labels of Compose 2."""
    labels = {
        "com.docker.compose.project": "shop", "com.docker.compose.service": "web",
        "com.docker.compose.project.working_dir": "/srv/shop", "com.docker.compose.project.config_files": "/srv/shop/a.yaml,b.yaml",
        "com.docker.compose.depends_on": "db:service_healthy:false,app:service_started:true",
    }
    lab.engine(DOCKER, {LIST: [{"Id": ID}], ONE: {"Name": "/web", "Config": {"Labels": labels}}})
    compose = only(lab.ask())["compose"]
    assert compose["files"] == ["/srv/shop/a.yaml", "/srv/shop/b.yaml"]
    assert compose["depends_on"] == [{"service": "db", "condition": "service_healthy"}, {"service": "app", "condition": "service_started"}]


def test_that_a_service_depends_on_nothing_is_a_label_too(lab):
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "com.docker.compose.depends_on": ""}
    lab.engine(DOCKER, {LIST: [{"Id": ID}], ONE: {"Name": "/web", "Config": {"Labels": labels}}})
    assert only(lab.ask())["compose"]["depends_on"] == []


# --- as Podman 4.3.1 said it

def test_podman(recorded):
    value, shown = recorded("/run/podman/podman.sock", "podman-4.3.1.json")
    assert [(one["kind"], one["version"], one["api"]) for one in value["engines"]] == [("podman", "4.3.1", "1.41")]
    assert {(name, one["state"], one["health"], one["healthcheck"]) for name, one in shown.items()} == {
        ("shop-web", "running", "", False), ("shop-app", "running", "", False), ("shop-lo", "running", "unhealthy", True),
    }
    assert shown["shop-web"]["published"] == [{"port": 80, "protocol": "tcp", "address": "", "host_port": 8090}]
    network, = [network for network in value["networks"] if network["name"] == "shop_net"]
    assert shown["shop-app"]["networks"][0]["id"] == network["id"] and "app" in shown["shop-app"]["networks"][0]["aliases"]
    assert (shown["shop-lo"]["log_driver"], shown["shop-lo"]["memory"]["limit"]) == ("journald", 64 << 20)
    assert shown["shop-web"]["mounts"][0]["target"] == "/etc/nginx/conf.d/default.conf"


def test_processes_of_containers_without_control_groups(lab, monkeypatch):
    """As Podman starts them without root where control groups are of version 1: the first process leads to the others by their mount namespace."""
    for pid, mnt, container in ((1, "1", ""), (50, "9", ""), (51, "9", ""), (52, "8", "ef" * 32), (53, "1", "")):
        process = _processes.Process()
        process.pid, process.net, process.mnt, process.container, process.unit = pid, "7", mnt, container, ""
        lab.by_pid[pid] = process
    for pid, user in (("self", 1), (50, 2), (52, 1), (53, 1)):
        os.makedirs("{0}/proc/{1}/ns".format(lab.root, pid))
        os.symlink("user:[{0}]".format(user), "{0}/proc/{1}/ns/user".format(lab.root, pid))
    monkeypatch.setattr(engine_api.Engine, "uid", property(lambda self: 1000, lambda self, uid: None), raising=False)
    one = {"Name": "/shop", "State": {"Status": "running", "Pid": 50}, "HostConfig": {"Memory": 4096}}
    lab.engine(DOCKER, {LIST: [{"Id": ID, "State": "running"}], ONE: one})
    answer = lab.ask()
    assert only(answer)["memory"] == {"limit": 4096, "peak": None, "oom_kills": None}
    containers.mark(_processes.Processes(lab.by_pid, mnt="1"), answer["value"])
    assert {pid: process.container for pid, process in lab.by_pid.items()} == {1: "", 50: ID, 51: ID, 52: "ef" * 32, 53: ""}
    containers.mark(_processes.Processes(lab.by_pid, mnt="1"), None)
    # A user's engine does not speak for the processes of others, nor for those of a container of root's.
    lab.by_pid[52].container = ID
    for pid in (53, 52):
        one["State"]["Pid"] = pid
        lab.servers[-1].answers[ONE] = one
        assert only(lab.ask())["net"] == ""


def test_a_user_does_not_put_his_processes_into_a_container_of_root_s():
    """Below the control group of his manager he may name others as he likes."""
    by_pid = {}
    for pid, unit in ((5, "user@1000.service"), (6, "docker-{0}.scope".format(ID)), (7, "user@1000.service")):
        process = _processes.Process()
        process.pid, process.mnt, process.container, process.unit = pid, "1", ID if pid < 7 else "ef" * 32, unit
        by_pid[pid] = process
    value = {"engines": [{"socket": DOCKER, "uid": 0}], "containers": [{"engine": DOCKER, "id": ID, "pid": 6, "net": "7"}]}
    containers.mark(_processes.Processes(by_pid, mnt="1"), value)
    assert [by_pid[pid].container for pid in (5, 6, 7)] == ["", ID, "ef" * 32]


# --- engines

def test_docker_that_does_not_run_is_not_started(lab):
    server = lab.engine(DOCKER)
    lab.process(1, "/usr/lib/systemd/systemd")
    answer = lab.ask()
    assert answer["value"]["engines"][0]["status"] == "absent" and server.asked == []
    lab.process(7, "/usr/bin/dockerd")
    assert lab.ask()["value"]["engines"][0]["status"] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")
def test_docker_of_a_user_is_not_that_of_root(lab):
    """A process may have any name: only root's is believed of what it says on its command line, and means that root's socket is its own."""
    lab.process(1, "/usr/lib/systemd/systemd")
    lab.process(8, "dockerd", "--host=unix:///run/own.sock")
    os.chown(lab.root + "/proc/8", os.geteuid() + 1, -1)
    server, own = lab.engine(DOCKER), lab.engine("/run/own.sock")
    assert [(one["socket"], one["status"]) for one in lab.ask()["value"]["engines"]] == [(DOCKER, "absent")]
    assert server.asked == own.asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="is root of this host and of a container")
@pytest.mark.parametrize("group, space, believed", [("/", "1", True), ("/docker/" + "1a" * 32, "1", False), ("/", "2", False), ("/", "", True)])
def test_root_of_a_container_is_not_the_docker_of_this_host(lab, group, space, believed):
    """Root's user id in a container is that of root here, and so is the end of a socket in a volume."""
    lab.process(1, "/usr/lib/systemd/systemd")
    lab.process(8, "dockerd", "--host=unix:///srv/volume/own.sock")
    with open(lab.root + "/proc/8/cgroup", "w") as file:
        file.write("0::{0}\n".format(group))
    for name, inode in (("self", "1"), ("8", space)) if space else ():
        os.makedirs("{0}/proc/{1}/ns".format(lab.root, name))
        os.symlink("pid:[{0}]".format(inode), "{0}/proc/{1}/ns/pid".format(lab.root, name))
    server = lab.engine("/srv/volume/own.sock")
    answer = lab.ask()
    assert (answer["status"] == "ok", bool(server.asked)) == (believed, believed)


def test_a_user_does_not_say_to_which_socket_root_talks(lab):
    other, own = lab.engine("/run/other/notify.sock"), lab.engine("/run/user/4001/podman/podman.sock")
    os.symlink(lab.root + "/run/other/notify.sock", lab.root + "/run/user/4001/docker.sock")
    answer = lab.ask()
    assert other.asked == [] and "4001/docker.sock" in answer["hidden"][0]
    assert [one["socket"] for one in answer["value"]["engines"]] == ["/run/user/4001/podman/podman.sock"]
    # Put there after it was looked at.
    with pytest.raises(evidence.Unanswered) as caught:
        engine_api.Engine(lab.root + "/run/user/4001/docker.sock", (os.geteuid(),)).introduce()
    assert caught.value.status == "denied" and other.asked == [] and own.asked


def test_several_engines_are_asked_each_for_itself(lab):
    user = os.geteuid()
    podman = dict(Version="4.3.1", ApiVersion="1.41", MinAPIVersion="1.24", Components=[{"Name": "Podman Engine"}])
    lab.engine(DOCKER, {"/version": response({}, "500 Internal Server Error")})
    lab.engine("/run/user/{0}/podman/podman.sock".format(user), {"/version": podman})
    lab.engine("/run/own.sock")
    lab.process(9, "/usr/bin/dockerd", "-H", "fd://", "--host=unix:///run/own.sock")
    engines = lab.ask()["value"]["engines"]
    assert [(engine["socket"], engine["kind"], engine["status"]) for engine in engines] == [
        (DOCKER, "docker", "error"), ("/run/own.sock", "docker", "ok"), ("/run/user/{0}/podman/podman.sock".format(user), "podman", "ok"),
    ]


def test_one_socket_with_two_names_is_one_engine(lab):
    lab.engine("/run/podman/podman.sock", {"/version": {"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}})
    os.symlink(lab.root + "/run/podman/podman.sock", lab.root + DOCKER)
    assert [engine["kind"] for engine in lab.ask()["value"]["engines"]] == ["podman"]


@pytest.mark.parametrize("latest, oldest, used", [("1.41", "1.12", "1.41"), ("1.52", "1.44", "1.44"), ("1.39", "1.12", "1.39"), ("1.50", None, "1.41")])
def test_the_version_of_the_api_is_one_that_both_speak(lab, latest, oldest, used):
    server = lab.engine(DOCKER, {"/version": {"Version": "x", "ApiVersion": latest, "MinAPIVersion": oldest}})
    lab.ask()
    assert server.asked[1].startswith("GET /v{0}/containers".format(used))


def test_a_socket_that_may_not_be_opened(lab, monkeypatch):
    lab.engine(DOCKER)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(engine_api._UnixConnection, "connect", refuse)
    engine = lab.ask()["value"]["engines"][0]
    assert engine["status"] == "denied" and DOCKER in engine["why"]


def test_a_socket_of_a_user_that_another_holds(lab):
    server = lab.engine("/run/user/4001/podman/podman.sock")
    with pytest.raises(evidence.Unanswered) as caught:
        engine_api.Engine(lab.root + "/run/user/4001/podman/podman.sock", (os.geteuid() + 1,)).introduce()
    assert caught.value.status == "denied" and server.asked == []


def test_a_socket_that_nobody_listens_on(lab):
    lab.engine(DOCKER)
    lab.servers.pop().close()
    assert lab.ask()["value"]["engines"][0]["status"] == "error"


def silent(_connection):
    time.sleep(5)


def dripping(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    for _unused in range(50):
        connection.sendall(b"[")
        time.sleep(0.1)


@pytest.mark.parametrize("kind", [silent, dripping])
def test_an_engine_that_hangs_is_not_waited_for(lab, monkeypatch, kind):
    lab.engine(DOCKER, {LIST: kind})
    quicken(monkeypatch)
    begin = time.monotonic()
    engine = lab.ask()["value"]["engines"][0]
    assert engine["status"] == "timeout" and "0.3 s" in engine["why"] and time.monotonic() - begin < 2


def test_users_do_not_hold_up_the_run_with_many_engines(lab, monkeypatch):
    monkeypatch.setattr(containers, "ENGINES_SECONDS", 1.0)
    monkeypatch.setattr(engine_api.Engine.__init__, "__defaults__", (None, 0.7, 20.0))
    for number in range(8):
        lab.engine("/run/user/{0}/docker.sock".format(number), {"/version": silent})
    begin = time.monotonic()
    engines = lab.ask()["value"]["engines"]
    assert len(engines) == 8 and time.monotonic() - begin < 3 and {engine["status"] for engine in engines} <= {"timeout", "denied"}
    with pytest.raises(evidence.Unanswered):
        engine_api.keeper(Host(lab.root), ID)


def test_containers_that_hang_are_not_asked_about_one_after_the_other(lab, monkeypatch):
    ids = ["{0:064x}".format(number) for number in range(9)]
    server = lab.engine(DOCKER, dict({LIST: [{"Id": one, "State": "running"} for one in ids]}, **{"/v1.41/containers/" + one + "/json": silent for one in ids}))
    quicken(monkeypatch)
    answer = lab.ask()
    assert [shown["status"] for shown in answer["value"]["containers"]] == ["timeout"] * 9 and len(answer["hidden"]) == 9
    assert sum("/json HTTP" in line for line in server.asked) == containers.SLOW


def test_an_engine_that_said_nothing_is_not_waited_for_again(lab, monkeypatch):
    server = lab.engine(DOCKER, {"/version": silent})
    quicken(monkeypatch)
    for why in ("in 0.3 s", "before"):
        engine = lab.ask()["value"]["engines"][0]
        assert engine["status"] == "timeout" and why in engine["why"]
    with pytest.raises(evidence.Unanswered) as caught:
        engine_api.keeper(Host(lab.root), ID)
    assert caught.value.status == "timeout" and len(server.asked) == 1


def quicken(monkeypatch):
    engine = engine_api.Engine
    monkeypatch.setattr(engine_api, "Engine", lambda path, holders, **more: engine(path, holders, timeout=0.3, **more))


# --- hostile answers

HOSTILE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[{]", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000, chunked(b"[" * 200000, 50000), chunked(b"9" * 1000000, 50000), response("text"), response([[]]),
    response([{"Id": "../../version"}]), response({"Id": ID}),
]


@pytest.mark.parametrize("reply", HOSTILE)
def test_a_hostile_list_makes_no_container_and_no_defect(lab, reply):
    def answer(connection):
        connection.sendall(reply)
        connection.shutdown(2)

    lab.engine(DOCKER, {LIST: answer})
    begin = time.monotonic()
    said = lab.ask()
    assert said["status"] == "ok" and said["value"]["containers"] == [] and time.monotonic() - begin < 3
    assert said["value"]["engines"][0]["status"] in ("ok", "error")


def test_an_answer_without_end_is_refused(lab):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    lab.engine(DOCKER, {LIST: endless})
    engine = lab.ask()["value"]["engines"][0]
    assert engine["status"] == "error" and "larger than" in engine["why"]


WRONG = [
    None, True, -1, 1.5, "x\x1b\u202e", [], {}, [None], [1], {"a": None}, {"80/tcp": 3}, {"80/tcp": [None, 4, {"HostPort": "999999"}]}, 10 ** 40, ["a", {}],
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_values_of_any_type_make_no_defect(lab, wrong, depth):
    """Each value of a true answer, down to a depth, in turn of another type."""
    true = {
        "Id": ID, "Name": "/shop", "Names": ["/shop"], "Created": "2026-11-27T05:20:27.76716801Z", "Path": "node", "Args": ["app.js"], "RestartCount": 1,
        "LogPath": "/x-json.log", "Labels": {"com.docker.compose.project": "p", "com.docker.compose.service": "s", "com.docker.compose.depends_on": "db"},
        "State": {"Status": "running", "Pid": 4, "ExitCode": 0, "OOMKilled": False, "StartedAt": "2026-11-27T05:20:28Z",
                  "Health": {"Status": "healthy", "Log": [{"ExitCode": 0, "Output": "fine"}]}},
        "Config": {"Image": "shop:1", "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["CMD", "x"]}, "Labels": {},
                   "Tty": False, "Env": ["PASSWORD=hunter2"]},
        "HostConfig": {"NetworkMode": "n", "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "RestartPolicy": {"Name": "no"},
                       "LogConfig": {"Type": "json-file"}, "Memory": 5},
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}, "Networks": {"n": {"IPAddress": "172.18.0.2", "Aliases": ["a"]}}},
        "Mounts": [{"Type": "bind", "Source": "/a", "Destination": "/b", "RW": True}], "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
    }
    server = lab.engine(DOCKER)
    for variant in variants(true, wrong, depth):
        server.answers.update({LIST: [dict(variant, Id=ID)], ONE: variant, "/v1.41/networks": [variant]})
        answer = lab.ask()
        assert answer["status"] == "ok" and "hunter2" not in json.dumps(answer), answer
        for shown in answer["value"]["containers"]:
            assert shown["status"] == "ok" and "\x1b" not in json.dumps(shown)


def variants(value, wrong, depth):
    """Yield a value with each of its parts, at one depth, replaced."""
    if depth == 0:
        yield wrong
    elif isinstance(value, dict):
        for key in value:
            for inner in variants(value[key], wrong, depth - 1):
                yield dict(value, **{key: inner})
    elif isinstance(value, list) and value:
        for inner in variants(value[0], wrong, depth - 1):
            yield [inner]


@pytest.mark.parametrize("written, seconds", [
    ("2026-11-27T05:20:28.412804462Z", 1795756828.413), ("2026-11-27T06:20:28+01:00", 1795756828.0), ("2026-11-27T02:50:28.5-02:30", 1795756828.5),
    ("0001-01-01T00:00:00Z", None), ("2026-13-27T05:20:28Z", None), ("", None),
])
def test_times(written, seconds):
    assert containers.moment(written) == seconds


def compose_file(lab, written, path="/srv/shop/docker-compose.yml", labelled=None):
    """Return what is told of the compose file that the only container names."""
    where = lab.root + "/srv/shop"
    os.makedirs(where)
    if written is not None:
        with open(lab.root + path, "wb") as file:
            file.write(written)
    labels = {
        "com.docker.compose.project": "shop", "com.docker.compose.service": "app", "com.docker.compose.project.working_dir": "/srv/shop",
        "com.docker.compose.project.config_files": labelled or path,
    }
    entry = {"Id": ID, "Names": ["/shop-app-1"], "State": "running", "Labels": labels}
    lab.engine(DOCKER, {LIST: [entry], ONE: dict(entry, State={"Status": "running"}, Config={"Labels": labels})})
    (told,) = lab.ask()["value"]["compose_files"]
    return told


def test_a_compose_file_is_told_without_what_is_not_to_leave_the_host(lab):
    written = b"services:\r\n  app:\r\n    ports: [80]\r\n    environment: {A: hunter2}\r\n"
    told = compose_file(lab, written, labelled="docker-compose.yml")
    assert told == {
        "path": "/srv/shop/docker-compose.yml", "status": "ok", "why": "", "uid": os.geteuid(), "managed": "",
        "sha256": hashlib.sha256(written).hexdigest(), "text": "services:\r\n  app:\r\n    ports: [80]\r\n    environment:\r\n",
    }


@pytest.mark.parametrize(("written", "more", "status"), [
    (None, {}, "absent"),
    (b"services:\n  app:\n    image: \xff\n", {}, "error"),
    (b"#" * (65 << 10), {}, "error"),
    (b"root:x", {"path": "/srv/shop/shadow"}, "error"),
    (b"services:\n", {"labelled": "../../etc/shadow"}, "error"),
])
def test_a_compose_file_that_cannot_be_told(lab, written, more, status):
    told = compose_file(lab, written, **more)
    assert (told["status"], told["text"], told["sha256"]) == (status, "", "") and told["why"]


def test_a_user_does_not_say_by_labels_what_root_reads(lab):
    collector = containers._Collector(Host(lab.root), text.Redactor("key"), _processes.Processes({}))
    os.makedirs(lab.root + "/srv")
    with open(lab.root + "/srv/compose.yml", "w") as file:
        file.write("services:\n")
    assert collector._compose_file("/srv/compose.yml", {0, os.geteuid()})["status"] == "ok"
    assert collector._compose_file("/srv/compose.yml", {os.geteuid() + 1000})["status"] == "denied"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else")
def test_a_user_does_not_exchange_what_root_reads(lab, monkeypatch):
    collector = containers._Collector(Host(lab.root), text.Redactor("key"), _processes.Processes({}))
    os.makedirs(lab.root + "/srv")
    for name, user in (("own.yml", 4001), ("other.yml", 0)):
        with open(lab.root + "/srv/" + name, "w") as file:
            file.write("services:\n")
        os.chown(lab.root + "/srv/" + name, user, -1)
    os.symlink("own.yml", lab.root + "/srv/compose.yml")
    assert collector._compose_file("/srv/compose.yml", {4001})["status"] == "ok"
    look = Host.stat

    def exchanged(host, path, follow=True):
        status = look(host, path, follow)
        os.unlink(lab.root + path)
        os.symlink("other.yml", lab.root + path)
        return status

    monkeypatch.setattr(Host, "stat", exchanged)
    told = collector._compose_file("/srv/compose.yml", {4001})
    assert (told["status"], told["text"], told["sha256"]) == ("denied", "", "")
