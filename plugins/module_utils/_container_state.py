# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container is, and putting it back: whether it runs, and to which networks it is connected.

Asked of its engine over the engine's own Unix socket, by the calls that Docker and Podman share (GET /containers/ID/json, POST .../stop, .../start,
.../pause, .../unpause and /networks/ID/disconnect; Docker's API 1.25 and later, libpod's compat/containers.go). A path without a version means
the engine's own.

This file imports nothing of the collection: it is copied to where a change may have to be undone without us.

STATE: {"id", "name", "state": "running" | "paused" | "stopped", "networks": {name: id}}

This module is private to the collection.
"""

import http.client
import json
import os
import re
import socket
import stat
import threading
import urllib.parse

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"
ASK_SECONDS = 20.0
# An engine waits for a container that is stopped, 10 s where its maker named no other time, before it kills it.
CHANGE_SECONDS = 150.0
MAX_ANSWER = 8 << 20

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


class Failed(Exception):
    """An engine did not say, or did not do, what it was asked to; gone: there is no such container or network."""

    def __init__(self, why, gone=False):
        super().__init__(why)
        self.gone = gone


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def _call(engine, method, path, body=None, timeout=ASK_SECONDS):
    """Return what an engine answers (from JSON, or None without a body). Raises Failed."""
    try:
        if not engine.startswith("/") or not stat.S_ISSOCK(os.stat(engine).st_mode):
            raise Failed("{0} is no socket of an engine".format(engine))
        connection = _Connection(engine, timeout)
        connection.connect()
        # A time-out is for each read: one that sends a byte now and then must not hold up what is to be undone.
        end = threading.Timer(timeout, _hang_up, (connection.sock,))
        end.daemon = True
        end.start()
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {} if sent is None else {"Content-Type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read(MAX_ANSWER + 1)
        finally:
            end.cancel()
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed("the engine at {0} does not answer: {1}".format(engine, error))
    if len(raw) > MAX_ANSWER:
        raise Failed("the engine at {0} answers with more than {1} MiB".format(engine, MAX_ANSWER >> 20))
    said = _parsed(raw)
    if answer.status >= 400:
        why = said.get("message") if isinstance(said, dict) else None
        raise Failed("the engine at {0}: {1}".format(engine, str(why)[:500] if why else "status {0}".format(answer.status)), answer.status == 404)
    return said


def _hang_up(channel):
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is closed already.
        return


def _parsed(raw):
    # Python reads a number of a million digits for minutes.
    try:
        return json.loads(raw.decode("utf-8", "replace"), parse_int=lambda digits: int(digits) if len(digits) < 20 else None)
    except (ValueError, RecursionError):
        return None


def look(engine, name):
    """Return the STATE of a container by its id or name. Raises Failed."""
    if not _NAME.match(name):
        raise Failed("{0!r} is no name of a container".format(name))
    said = _call(engine, "GET", "/containers/{0}/json".format(name))
    try:
        state = said["State"]
        networks = (said.get("NetworkSettings") or {}).get("Networks") or {}
        return {
            "id": str(said["Id"]),
            "name": str(said["Name"]).lstrip("/"),
            # One that is started again and again is not stopped.
            "state": PAUSED if state.get("Paused") else RUNNING if state.get("Running") or state.get("Restarting") else STOPPED,
            "networks": {str(network): str((end or {}).get("NetworkID") or "") for network, end in networks.items()},
        }
    except (KeyError, TypeError, AttributeError):
        raise Failed("the engine at {0} says nothing that can be understood of container {1}".format(engine, name))


def differences(record, now):
    """Return [(what to do, network or "", sentence)] that leads a STATE back to that of a record.

    record: STATE, and "connects": names of the networks that it was to be connected to. Other networks are somebody else's doing.
    """
    found = [
        ("disconnect", network, "container {0} (was not in network {1})".format(record["name"], network))
        for network in record["connects"] if network not in record["networks"] and network in now["networks"]
    ]
    if record["state"] != now["state"]:
        found.append((record["state"], "", "container {0} (was {1})".format(record["name"], record["state"])))
    return found


def put_back(engine, identity, way, network=""):
    """Do one thing of differences(). Raises Failed."""
    if way == "disconnect":
        # The id of a network is not told while the container does not run.
        known = look(engine, identity)["networks"][network] or urllib.parse.quote(network, safe="")
        _call(engine, "POST", "/networks/{0}/disconnect".format(known), {"Container": identity}, CHANGE_SECONDS)
        return
    now = look(engine, identity)["state"]
    if now == PAUSED:
        # Neither stopped nor started in that state by every engine.
        _call(engine, "POST", "/containers/{0}/unpause".format(identity), timeout=CHANGE_SECONDS)
    if way == STOPPED:
        _call(engine, "POST", "/containers/{0}/stop".format(identity), timeout=CHANGE_SECONDS)
    elif now == STOPPED:
        _call(engine, "POST", "/containers/{0}/start".format(identity), timeout=CHANGE_SECONDS)
    if way == PAUSED:
        _call(engine, "POST", "/containers/{0}/pause".format(identity), timeout=CHANGE_SECONDS)
