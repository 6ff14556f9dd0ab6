# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container engine for tests: a Unix socket that answers each path with what was set for it."""

import json
import os
import socket
import threading

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Components": [{"Name": "Engine"}]}


class EngineServer:
    """Answers GET requests on a Unix socket below a folder.

    answers is {path: answer}: bytes are sent as they are, a function gets the connection, anything else is sent
    as JSON with status 200. A path that is not there is answered with 404. asked is the list of request lines.
    """

    def __init__(self, path, answers):
        self.answers = dict({"/version": VERSION, "/v1.41/containers/json?all=1": [], "/v1.41/networks": []}, **answers)
        self.asked = []
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen(16)
        self._stop = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._stop.set()
        # This ends the wait for a connection, too.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self):
        while not self._stop.is_set():
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with connection, connection.makefile("rb") as reader:
            try:
                while True:
                    line = reader.readline().decode("ascii").strip()
                    while reader.readline().strip():
                        pass
                    if not line:
                        return
                    self.asked.append(line)
                    self._answer(connection, line.split()[1])
            except OSError:
                return

    def _answer(self, connection, path):
        if path not in self.answers:
            connection.sendall(response({"message": "page not found"}, "404 Not Found"))
        elif callable(self.answers[path]):
            self.answers[path](connection)
        elif isinstance(self.answers[path], bytes):
            connection.sendall(self.answers[path])
        else:
            connection.sendall(response(self.answers[path]))


def response(value, status="200 OK"):
    """Return the bytes of a response with a body as JSON."""
    body = json.dumps(value).encode("ascii")
    return "HTTP/1.1 {0}\r\nContent-Type: application/json\r\nContent-Length: {1}\r\n\r\n".format(status, len(body)).encode("ascii") + body


def chunked(body, size=7):
    """Return the bytes of a response whose body comes in chunks, as engines send long ones."""
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
