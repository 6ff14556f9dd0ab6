# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What supervisord tells of its processes, over its XML-RPC: supervisor.getAllProcessInfo.

This module is private to the collection.
"""

import base64
import http.client
import socket
import struct
import threading
import xmlrpc.client

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _sock_diag

MAX_REPLY = 8 << 20
TIMEOUT = 5.0
SECONDS = 10.0  # for all of it

_PEER = struct.Struct("=iII")


def processes(where, user="", password="", trusted=()):
    """Return [{name, group, statename, pid, spawnerr, description, stdout_logfile, ...}].

    where is the path of a Unix socket, or "address:port", of which the port on this host is asked.
    A password is sent only where the socket is held by one of the trusted user ids: whoever has taken
    the place of a supervisord that is down must not learn it. Raises Unanswered.
    """
    headers = {"Content-Type": "text/xml"}
    if user:
        word = base64.b64encode("{0}:{1}".format(user, password).encode("utf-8"))
        headers["Authorization"] = "Basic " + word.decode("ascii")
    status, body = _post(where, xmlrpc.client.dumps((), "supervisor.getAllProcessInfo"), headers, trusted if user else None)
    if status != 200:
        raise evidence.Unanswered(evidence.DENIED if status == 401 else evidence.ERROR, "supervisord answered {0}".format(status))
    try:
        infos = xmlrpc.client.loads(body)[0][0]
    except Exception as error:  # pylint: disable=broad-except
        # The parser raises whatever expat and its own conversions do.
        raise evidence.Unanswered(evidence.ERROR, "supervisord's reply: {0}".format(type(error).__name__))
    if not isinstance(infos, list):
        raise evidence.Unanswered(evidence.ERROR, "supervisord's reply is no list")
    return [info for info in infos if isinstance(info, dict) and isinstance(info.get("name"), str) and isinstance(info.get("group"), str)]


def _post(where, request, headers, trusted):
    connection = _UnixConnection(where) if where.startswith("/") else _local(where)
    end = None
    try:
        connection.connect()
        if trusted is not None and not _holders(connection) <= set(trusted):
            raise evidence.Unanswered(evidence.DENIED, "another user than that of supervisord holds its socket")
        # A time-out is for each read: one that sends a byte now and then must not hold the run.
        end = threading.Timer(SECONDS, _hang_up, (connection.sock,))
        end.daemon = True
        end.start()
        connection.request("POST", "/RPC2", request, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_REPLY)
    except socket.timeout:
        raise evidence.Unanswered(evidence.TIMEOUT, "supervisord gave no answer in {0} s".format(TIMEOUT))
    except OSError as error:
        raise evidence.unanswered_by(error, where)
    except http.client.HTTPException as error:
        raise evidence.Unanswered(evidence.ERROR, "supervisord: {0}".format(type(error).__name__))
    finally:
        if end is not None:
            end.cancel()
        connection.close()


def _holders(connection):
    """Return the ids of the users that hold the socket at the other end."""
    if connection.sock.family == socket.AF_UNIX:
        return {_PEER.unpack(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[1]}
    return _sock_diag.users_at(connection.sock.getpeername()[1])


def _hang_up(channel):
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is closed already.
        return


def _local(address):
    port = address.rpartition(":")[2]
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise evidence.Unanswered(evidence.ERROR, "inet_http_server has no port")
    return http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self):
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)
