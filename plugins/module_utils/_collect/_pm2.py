# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The apps of PM2: the APP shape of docs/architecture.md.

`pm2 jlist` starts a daemon where none runs, so it is never called. A living daemon is asked itself, over
the socket that pm2 uses (PM2_HOME/rpc.sock), for what jlist prints: getMonitorData. The protocol, as
PM2 5 to 7 speak it: one AMP message, a byte with version 1 and the number of parts, each part a length
of 4 bytes and its data; a part "j:" is JSON, a part "s:" is a text that the reply repeats. Without a
daemon the apps are those of the last `pm2 save` (PM2_HOME/dump.pm2).

This module is private to the collection.
"""

import json
import re
import socket
import stat
import struct
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims

ASKED = "PM2's daemons (getMonitorData), PM2_HOME/dump.pm2"

MAX_HOMES = 200
MAX_APPS = 500
MAX_REPLY = 32 << 20
MAX_DUMP = 8 << 20
TIMEOUT = 3.0
LOG_LINES = 40

_DAEMON = re.compile(r"^PM2 v[\w.-]+: God Daemon \((?P<home>/.*)\)$")
_PROGRAMS = ("/usr/local/bin/pm2", "/usr/bin/pm2")
_PEER = struct.Struct("=iII")


def apps(host, redactor, processes, ask=None):
    """Return the APPs as a Partial; raises Unanswered "absent" when no user of this host has PM2.

    An app of a daemon that does not run has status "stopped" and of one that does not answer
    "unknown". claims come from the variables that name a port or a host (others are dropped unread),
    the arguments and the script. log is told for apps that are not online, when the log belongs to
    the user of the daemon. ask(home, daemon) -> list of apps replaces the socket in tests.
    """
    users = _processes.user_names(host)
    daemons = _daemons(processes)
    homes = _homes(host, daemons)
    if not homes:
        raise evidence.Unanswered(evidence.ABSENT, "no user has a PM2 daemon or a PM2_HOME")
    found, hidden = [], []
    for home in homes[:MAX_HOMES]:
        daemon = daemons.get(home)
        listed, status, uid = _listed(host, home, daemon, ask or question, hidden)
        about = {
            "home": text.harmless(home, 1024),
            "daemon": daemon is not None,
            "program": _program(host, daemon),
            "manager_log": text.harmless(home + "/pm2.log", 1024),
        }
        saved = _saved_names(host, home) if listed else ()
        found += [dict(_app(host, redactor, app, status, uid, users), saved=app.get("name") in saved, **about) for app in listed]
    return evidence.Partial(found[:MAX_APPS], len(found) > MAX_APPS or len(homes) > MAX_HOMES, hidden)


def _daemons(processes):
    """Return {PM2_HOME: daemon}. The title holds the home; the user is the kernel's word."""
    daemons = {}
    for process in processes:
        match = _DAEMON.match(process.title())
        if match and not process.container:
            daemons.setdefault(match.group("home"), process)
    return daemons


def _homes(host, daemons):
    """Return the homes to look at: those of the daemons, and .pm2 in the homes of users."""
    homes = list(daemons)
    for folder in _user_homes(host):
        home = folder + "/.pm2"
        try:
            there = home not in homes and stat.S_ISDIR(host.stat(home, follow=False).st_mode)
        except evidence.Unanswered:
            continue
        if there:
            homes.append(home)
    return homes


def _program(host, daemon):
    """Return the pm2 that goes with a daemon: beside its Node (nvm), or where programs usually are; "" when it is at none of these places."""
    beside = [daemon.exe.rpartition("/")[0] + "/pm2"] if daemon and daemon.exe.startswith("/") else []
    return next((text.harmless(path, 1024) for path in beside + list(_PROGRAMS) if _is_there(host, path)), "")


def _saved_names(host, home):
    """Return the names of the apps that a start of the daemon brings back."""
    try:
        return [app.get("name") for app in _dictionaries(json.loads(host.text(home + "/dump.pm2", MAX_DUMP)))]
    except (evidence.Unanswered, OSError, ValueError):
        return []


def _user_homes(host):
    try:
        lines = text.decode(host.read("/etc/passwd", 4 << 20)[0]).split("\n")
    except (evidence.Unanswered, OSError):
        lines = []
    folders = {line.split(":")[5].rstrip("/") for line in lines if line.count(":") >= 6 and line.split(":")[5].startswith("/")}
    try:
        folders.update("/home/" + name for name in host.names("/home"))
    except evidence.Unanswered:
        pass
    return sorted(folders | {"/root"})[:4096]


def _listed(host, home, daemon, ask, hidden):
    """Return (apps as PM2 tells them, status for all of them or None, uid of the home's user)."""
    status = "stopped"
    if daemon:
        try:
            return [dict(app.get("pm2_env") or {}, pid=app.get("pid")) for app in _dictionaries(ask(host.path(home), daemon))], None, daemon.uid
        except (evidence.Unanswered, OSError) as error:
            status = "unknown"
            hidden.append(text.harmless("PM2 daemon of {0}: {1}".format(home, getattr(error, "why", error)), 500))
    elif not _is_there(host, home + "/dump.pm2"):
        return [], status, None
    else:
        hidden.append(text.harmless("{0}: no PM2 daemon runs; its apps are those of the last pm2 save".format(home), 500))
    try:
        uid = host.stat(home, follow=False).st_uid
        saved = json.loads(host.text(home + "/dump.pm2", MAX_DUMP))
    except (evidence.Unanswered, OSError, ValueError) as error:
        hidden.append(text.harmless(getattr(error, "why", None) or "{0}/dump.pm2 is not JSON".format(home), 500))
        return [], status, None
    return [dict(app, pid=None) for app in _dictionaries(saved)], status, uid


def _is_there(host, path):
    try:
        return host.exists(path)
    except evidence.Unanswered:
        return True


def _dictionaries(value):
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def question(home, daemon):
    """Ask a daemon for its apps; raises Unanswered or OSError.

    Nothing is sent before the kernel has said that the daemon's own user is at the other end: a home
    belongs to its user, who may put any link there.
    """
    deadline = time.monotonic() + TIMEOUT
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(TIMEOUT)
        channel.connect(home + "/rpc.sock")
        peer = _PEER.unpack(channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if peer[:2] != (daemon.pid, daemon.uid):
            raise evidence.Unanswered(evidence.DENIED, "the socket belongs to process {0}, not to the daemon".format(peer[0]))
        call = json.dumps({"type": "call", "method": "getMonitorData", "args": [{}]})
        channel.sendall(pack(("j:" + call).encode("ascii"), b"s:webops:0"))
        for part in _parts(channel, deadline):
            if part.startswith(b"j:"):
                return _apps_in(part[2:])
    except socket.timeout:
        raise evidence.Unanswered(evidence.TIMEOUT, "no answer in {0} s".format(TIMEOUT))
    finally:
        channel.close()
    raise evidence.Unanswered(evidence.ERROR, "the reply holds no list of apps")


def pack(*parts):
    """Return an AMP message."""
    return bytes([1 << 4 | len(parts)]) + b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _parts(channel, deadline):
    for _number in range(_receive(channel, 1, deadline)[0] & 0x0F):
        length = struct.unpack(">I", _receive(channel, 4, deadline))[0]
        if length > MAX_REPLY:
            raise evidence.Unanswered(evidence.ERROR, "the reply is larger than {0} bytes".format(MAX_REPLY))
        yield _receive(channel, length, deadline)


def _receive(channel, length, deadline):
    received = bytearray()
    while len(received) < length:
        if time.monotonic() > deadline:
            raise socket.timeout()
        piece = channel.recv(min(65536, length - len(received)))
        if not piece:
            raise evidence.Unanswered(evidence.ERROR, "the daemon closed the connection")
        received += piece
    return bytes(received)


def _apps_in(raw):
    try:
        reply = json.loads(text.decode(raw))
    except ValueError:
        raise evidence.Unanswered(evidence.ERROR, "the reply is not JSON")
    arguments = reply.get("args") if isinstance(reply, dict) else None
    if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], list):
        raise evidence.Unanswered(evidence.ERROR, "the reply holds no list of apps")
    return arguments[0]


def _app(host, redactor, app, status, uid, users):
    status = status or _word(app.get("status"))
    folder, script = _word(app.get("pm_cwd")), _word(app.get("pm_exec_path"))
    user = users.get(uid, str(uid)) if uid is not None else _word(app.get("username"))
    return {
        "name": text.harmless(_word(app.get("name")), 256),
        "status": text.harmless(status, 64),
        "pid": _whole(app.get("pid")) or None,
        "restarts": _whole(app.get("restart_time")) or 0,
        "exit_code": _whole(app.get("exit_code")),
        "script": text.harmless(script, 1024),
        "user": text.harmless(user, 256),
        "claims": _claims_of(host, app, folder, script),
        "logs": [text.harmless(path, 1024) for path in (_word(app.get("pm_err_log_path")), _word(app.get("pm_out_log_path"))) if path.startswith("/")],
        "log": [] if status == "online" else _log(host, redactor, app, uid),
    }


def _word(value):
    return value if isinstance(value, str) else ""


def _whole(value):
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _claims_of(host, app, folder, script):
    claims = _claims.Claims()
    settings = app.get("env") if isinstance(app.get("env"), dict) else {}
    variables = {}
    for name, value in list(settings.items()) + list(app.items()):
        if _claims.is_environment_name(name) and isinstance(value, (str, int)):
            variables[name] = str(value)
    _claims.from_environment(claims, variables, "PM2 environment", folder)
    written = app.get("args")
    arguments = _claims.split(written) if isinstance(written, str) else [word for word in written or () if isinstance(word, str)]
    _claims.from_argv(claims, [script] + arguments, "PM2 args", folder)
    _claims.from_files(claims, host, [script] + arguments, folder)
    return claims.items


def _log(host, redactor, app, uid):
    """Return the last lines of the error log. It must belong to the app's user, who chose its path."""
    path = _word(app.get("pm_err_log_path"))
    try:
        if not path.startswith("/") or host.stat(path, follow=False).st_uid != uid:
            return []
        lines = text.decode(host.tail(path)).split("\n")
    except (evidence.Unanswered, OSError):
        return []
    return [text.harmless(redactor.text(line), 500) for line in lines if line.strip()][-LOG_LINES:]
