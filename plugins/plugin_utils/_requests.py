# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that are sent through the nginx of a host, one for each route, and what came back, in a file of the report folder.

    {"schema": 1, "host": "web1", "status": "asked|failed|off", "why": "", "hidden": [""],
     "routes": [{"id", "route": {"listen", "server", "location", "pass"}, "request": REQUEST | null, "why", "put_aside": 10.0,
                 "answer": {"status", "code", "seconds", "why"} | null}]}
    REQUEST = {"pid", "endpoint", "kind", "tls", "proxy_protocol", "server_name", "method", "path", "upgrade", "timeout", "queue"}

A request is null where none is known that comes to the route; why says so, or that it is not sure. put_aside is for how long nginx may leave a peer of the
route aside after it failed. answer is null where the request was not sent.

This module is private to the collection.
"""

from __future__ import annotations

import os

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import reach
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route

SCHEMA = 1
ASKED, FAILED, OFF = "asked", "failed", "off"
# What a client gets from a gateway that is bad, whoever made it.
BAD_CODES = (500, 502, 503, 504)
# A module takes so many at a time; a host with more routes than this is asked for the first of them.
BATCH = 128
_MOST = 512
# The folder of their files in a report folder.
FILES = "requests"


def new(host: str, status: str = ASKED, why: str = "", routes: list[dict] | None = None) -> dict:
    """Return the document of a host."""
    return {"schema": SCHEMA, "host": host, "status": status, "why": why, "hidden": [], "routes": routes or []}


def chosen(bundle: dict, path: str, method: str, longest: float) -> list[dict]:
    """Return an entry for each route of a host; path is what the user wants asked, or "", longest the wait for an answer, in seconds."""
    host = Host.of(bundle)
    upgrading = {leg.route.key for leg in host.legs if leg.probe and leg.probe.spoke("websocket")}
    return [_entry(host, route, path, method, longest, route.key in upgrading) for route in host.routes[:_MOST]]


def batches(entries: list[dict]) -> list[dict]:
    """Return the arguments of request_info for entries that have a request: at most BATCH of one nginx at a time."""
    by_pid: dict[int | None, list[dict]] = {}
    for entry in entries:
        if entry["request"]:
            by_pid.setdefault(entry["request"]["pid"], []).append(entry)
    found = []
    for pid, members in by_pid.items():
        for first in range(0, len(members), BATCH):
            requests = [{"id": entry["id"], **_without_pid(entry["request"])} for entry in members[first : first + BATCH]]
            found.append({"pid": pid, "requests": requests} if pid else {"requests": requests})
    return found


def bad(entry: dict) -> bool:
    """Return whether a request was sent and its client got no answer, or one of a bad gateway."""
    answer = entry["answer"]
    return bool(answer) and (answer["status"] != "ok" or answer["code"] in BAD_CODES)


def shown(entry: dict) -> str:
    """Return in a few words what a client gets: "502", "200", "session held", "no answer (Connection refused)", "not asked"."""
    answer = entry["answer"]
    if not answer:
        return "not asked"
    if answer["status"] != "ok":
        return f"no answer ({answer['why'] or answer['status']})"
    return str(answer["code"]) if answer["code"] else "session held"


def way(route: dict) -> tuple[str, str, str]:
    """Return what names a route before and after a change: its pass and its endpoint may be what is changed."""
    return route["listen"], route["server"], route["location"]


def concerned(entry: dict, findings: list[dict] | None) -> bool:
    """Return whether findings ({"id", "routes"}) are about a route; one without routes is about all, None stands for any."""
    if findings is None:
        return True
    return any(not item["routes"] or way(entry["route"]) in {way(route) for route in item["routes"]} for item in findings)


def write(folder: str, document: dict) -> str:
    """Write the document of a host whole or not at all; return its file."""
    return _bundle.write_of(folder, document["host"], FILES, document)


def read(folder: str, host: str) -> dict | None:
    """Return what was asked of a host, or None."""
    document = _bundle.read_of(folder, host, FILES)
    return document if document and document.get("schema") == SCHEMA else None


def read_before(folder: str, host: str) -> dict | None:
    """Return what was asked of a host before it was changed; None where nothing was, or where its evidence was collected anew since."""
    file, bundle = _bundle.path(folder, host, FILES), _bundle.path(folder, host)
    try:
        stale = os.path.exists(bundle) and os.stat(file).st_mtime < os.stat(bundle).st_mtime
    except OSError:
        return None
    return None if stale else read(folder, host)


def _without_pid(request: dict) -> dict:
    return {key: value for key, value in request.items() if key != "pid"}


def _entry(host: Host, route: Route, path: str, method: str, longest: float, upgrade: bool) -> dict:
    """Return the entry of a route; upgrade: its backend speaks WebSocket, and may refuse any other client."""
    instance = host.instance_of(route)
    way, why = reach.way_to(host, route, path, method)
    entry = {
        "id": route.key,
        "route": {"listen": ", ".join(route.listens), "server": route.server, "location": route.location_label, "pass": f"{route.directive} {route.written}"},
        "request": None,
        "why": why if not way or way.sure else "whether it comes to this route hangs on what is not known here",
        "put_aside": _put_aside(route),
        "answer": None,
    }
    if way:
        entry["request"] = {
            # Only root enters the namespaces of nginx; others ask from where they are.
            "pid": (instance.raw.get("master") or {}).get("pid") if (host.answer("host")["value"] or {}).get("uid") == 0 else None,
            "endpoint": way.endpoint,
            "kind": "stream" if way.stream else "http",
            "tls": way.tls,
            "proxy_protocol": way.proxy_protocol,
            "server_name": way.server_name,
            "method": method,
            "path": way.path or "/",
            "upgrade": upgrade,
            # As long as the probe: what a change lets nginx wait for may take that.
            "timeout": max(longest, route.patience(longest)),
            # A backend with a single worker must not look slow because all of its routes are asked at once.
            "queue": next((str(endpoint) for peer in route.peers for endpoint in peer.endpoints), ""),
        }
    return entry


def _put_aside(route: Route) -> float:
    """Return for how long nginx leaves a peer aside that failed, 0.0 where it never does: of one peer alone it has no choice."""
    several = sum(len(peer.endpoints) for peer in route.peers if not peer.down) > 1
    return max((peer.fail_timeout for peer in route.peers if peer.max_fails), default=0.0) if several else 0.0
