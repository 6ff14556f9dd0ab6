# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers are put back as they were by their engine, and what somebody else did with them since is told and left."""

import http.server
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _container_state
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils._collect.engine_server import EngineServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")

ID = "ab" * 32


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine with one container. asked are the changes that it was asked for; stubborn: it does none of them."""

    daemon_threads = True

    def __init__(self, path):
        socketserver.UnixStreamServer.__init__(self, path, Handler)
        self.path = path
        self.state = {"Running": False, "Paused": False, "Restarting": False}
        self.networks = {"bridge": {"NetworkID": "b" * 64}}
        self.asked = []
        self.gone = self.stubborn = False
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def told(self):
        return {"Id": ID, "Name": "/shop-app-1", "State": self.state, "NetworkSettings": {"Networks": self.networks}}

    def change(self, path, body):
        self.asked.append(path)
        match = re.match("/networks/(.*)/disconnect", path)
        if self.stubborn:
            return
        if match:
            name = next(name for name, end in self.networks.items() if match.group(1) in (end["NetworkID"], name))
            assert body == {"Container": ID}
            del self.networks[name]
        else:
            self.state.update({
                "stop": {"Running": False, "Restarting": False}, "start": {"Running": True}, "pause": {"Paused": True}, "unpause": {"Paused": False},
            }[path.rpartition("/")[2]])


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "unix"

    def log_message(self, *_words):
        pass

    def answer(self, status, value):
        raw = b"" if value is None else json.dumps(value).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if raw:
            self.wfile.write(raw)

    def do_GET(self):
        known = self.path in ("/containers/{0}/json".format(name) for name in (ID, "shop-app-1"))
        if self.server.gone or not known:
            self.answer(404, {"message": "No such container"})
        else:
            self.answer(200, self.server.told())

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.change(self.path, json.loads(raw.decode("ascii")) if raw else None)
        self.answer(204, None)


@pytest.fixture
def engine(tmp_path):
    made = Engine(str(tmp_path / "docker.sock"))
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def point(tmp_path, monkeypatch):
    """An open checkpoint that is undone only when the test says so."""
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))
    root = str(tmp_path / "state")
    with _checkpoint.locked(root):
        yield _checkpoint.open_new("test", root=root)[0]


def told(done):
    return {key: done[key] for key in ("restored", "conflicts", "unverified") if done[key]}


def test_a_container_that_was_started_is_stopped_again_and_that_once(engine, point):
    point.save_container(engine.path, "shop-app-1")
    engine.state["Running"] = True
    assert _checkpoint.would_change(point) == ["container shop-app-1 (was stopped)"]
    assert told(point.roll_back()) == {"restored": ["container shop-app-1 (was stopped)"]}
    assert (engine.state["Running"], engine.asked) == (False, ["/containers/{0}/stop".format(ID)])
    assert point.state == "rolled-back" and told(point.roll_back()) == {}


def test_what_is_as_it_was_is_left_alone(engine, point):
    engine.state["Running"] = True
    point.save_container(engine.path, ID, ["bridge"])
    assert (_checkpoint.would_change(point), told(point.roll_back()), engine.asked) == ([], {}, [])


def test_a_container_that_is_started_again_and_again_counts_as_one_that_runs(engine, point):
    engine.state.update(Running=False, Restarting=True)
    point.save_container(engine.path, ID)
    engine.state.update(Running=True, Restarting=False)
    assert (told(point.roll_back()), engine.asked) == ({}, [])


def test_a_paused_container_is_paused_again(engine, point):
    engine.state.update(Running=True, Paused=True)
    point.save_container(engine.path, ID)
    engine.state.update(Paused=False)
    assert told(point.roll_back()) == {"restored": ["container shop-app-1 (was paused)"]}
    assert engine.state == {"Running": True, "Paused": True, "Restarting": False}


def test_a_container_that_runs_no_more_is_started_again(engine, point):
    engine.state["Running"] = True
    point.save_container(engine.path, ID)
    engine.state["Running"] = False
    assert told(point.roll_back()) == {"restored": ["container shop-app-1 (was running)"]}


def test_a_network_that_it_was_connected_to_for_the_change_is_left_and_no_other(engine, point):
    point.save_container(engine.path, ID, ["shop", "edge", "bridge"])
    engine.networks.update(shop={"NetworkID": ""}, edge={"NetworkID": "e" * 64}, other={"NetworkID": "o" * 64})
    assert told(point.roll_back()) == {"restored": ["container shop-app-1 (was not in network edge)", "container shop-app-1 (was not in network shop)"]}
    assert sorted(engine.networks) == ["bridge", "other"]
    assert engine.asked == ["/networks/{0}/disconnect".format("e" * 64), "/networks/shop/disconnect"]


def test_the_state_of_before_the_first_change_is_the_one_that_comes_back(engine, point):
    point.save_container(engine.path, ID)
    engine.state["Running"] = True
    point.save_container(engine.path, ID)
    assert told(point.roll_back()) == {"restored": ["container shop-app-1 (was stopped)"]}


def test_networks_of_several_changes_are_all_left(engine, point):
    point.save_container(engine.path, ID, ["shop"])
    engine.networks["shop"] = {"NetworkID": "5" * 64}
    point.save_container(engine.path, ID, ["edge"])
    engine.networks["edge"] = {"NetworkID": "e" * 64}
    point.roll_back()
    assert sorted(engine.networks) == ["bridge"]


def test_a_container_that_was_made_anew_since_is_told_and_left(engine, point):
    point.save_container(engine.path, ID)
    engine.gone = True
    assert told(point.roll_back()) == {"conflicts": ["container shop-app-1: somebody has removed it, or made it anew, since"]}
    assert point.state == "unverified"


def test_what_the_engine_does_not_do_is_not_called_done(engine, point):
    point.save_container(engine.path, ID)
    engine.state["Running"], engine.stubborn = True, True
    assert told(point.roll_back())["unverified"] == ["container shop-app-1: it is not what it was: container shop-app-1 (was stopped)"]


def test_an_engine_that_is_gone_is_told(engine, point):
    point.save_container(engine.path, ID)
    os.unlink(engine.path)
    assert "No such file" in told(point.roll_back())["unverified"][0]
    assert _checkpoint.would_change(point) == []


@pytest.mark.parametrize("name", ("shop-app-2", "../../info", "shop app", ""))
def test_nothing_is_changed_about_a_container_that_the_engine_does_not_know(engine, point, name):
    with pytest.raises(_checkpoint.CheckpointError, match="could not be put back"):
        point.save_container(engine.path, name)


def test_a_path_that_is_no_socket_is_not_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(_container_state.Failed, match="no socket"):
        _container_state.look(str(tmp_path / "file"), ID)


def test_the_host_does_it_without_the_collection(engine, point):
    point.save_container(engine.path, ID, ["shop"])
    engine.state["Running"] = True
    engine.networks["shop"] = {"NetworkID": "5" * 64}
    lock = os.path.join(point.root, "lock")
    os.rename(lock, lock + ".held")
    ran = subprocess.run(
        [sys.executable, "-I", "-B", os.path.join(point.folder, "restore.pyz"), point.folder],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
    )
    assert (ran.returncode, engine.state["Running"], sorted(engine.networks)) == (0, False, ["bridge"]), ran.stderr


def again_and_again(start, piece):
    def answer(connection):
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)
    return answer


def of(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("answer", [
    again_and_again(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    again_and_again(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    again_and_again(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    of(b"[" * 1000000),
    of(b'{"Id": 1' + b"1" * 4000000 + b"}"),
    b"HTTP/1.1 500 No\r\nContent-Length: 1000013\r\n\r\n" + b'{"message":"' + b"x" * 999999 + b'"}',
])
def test_an_engine_does_not_hold_up_what_is_undone(tmp_path, monkeypatch, answer):
    server = EngineServer(str(tmp_path / "docker.sock"), {"/containers/{0}/json".format(ID): answer})
    monkeypatch.setattr(_container_state._call, "__defaults__", (None, 0.5))
    begin = time.monotonic()
    with pytest.raises(_container_state.Failed) as caught:
        _container_state.look(str(tmp_path / "docker.sock"), ID)
    server.close()
    assert time.monotonic() - begin < 10 and len(str(caught.value)) < 1000
