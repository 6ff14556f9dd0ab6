# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was started before what it needs, gave up, and was not started again.

Two forms. nginx is down since it could not look up a name of its configuration, and the configuration is good now: the name
resolves. A backend is down since it could not reach something on this host, by its own last words, and that something listens now, in a
process that was started after the backend had ended.

This module is private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, ends, owners
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg, Listener

_NAME = re.compile(r"host not found in upstream \"(?P<name>[^\"]{1,255})\"")
# How programs say that nobody was there: libc's strerror in most languages, Node's and Go's codes, MySQL's (2002), (2003) and 111.
_REFUSED = re.compile(
    r"(?i)ECONNREFUSED|ENOENT|connection refused|actively refused|can(?:'|no)t connect|could not connect|failed to connect"
    r"|unable to connect|no such file or directory|\(111\)|\[Errno 111\]|Error 111"
)
_TCP = re.compile(
    r"(?<![\w.])(?P<address>\d{1,3}(?:\.\d{1,3}){3}|\[?::1\]?|localhost)[\"']?"
    r"(?:[:,]\s?(?:port\s)?|\s\(.{0,60}\),? port |\s)[\"']?(?P<port>\d{2,5})\b"
)
_UNIX = re.compile(r"(?P<path>/[\w.@+/-]{1,100}\.(?:sock|socket|s\.PGSQL\.\d+)|/[\w.@+/-]{1,100}/\.s\.PGSQL\.\d+)")
# A unit that ended long before what it needed came up did not lose a race at boot.
_RACE = 900.0


@dataclass(frozen=True)
class NginxTooEarly:
    """An nginx that gave up on a name which resolves now."""

    name: str
    record: dict


@dataclass(frozen=True)
class BackendTooEarly:
    """A backend that gave up on something which listens now.

    needs   the socket that it wanted
    began   when the process behind it was started
    ended   when the backend ended
    words   its own words
    """

    leg: Leg
    owner: owners.Owner
    unit: dict
    needs: Listener
    began: float
    ended: float
    words: str

    @property
    def ordered(self) -> bool:
        """Return whether its unit is to start after that of what it needs."""
        return any(process.unit in self.unit.get("after", ()) for process in self.needs.processes)

    @property
    def needed_unit(self) -> str:
        """Return the unit of what it needs, or ""."""
        return next((process.unit for process in self.needs.processes if process.unit.endswith(".service")), "")


def nginx_too_early(host: Host, instance: Instance) -> NginxTooEarly | None:
    """Return why an nginx that is down gave up at its start, when that was a name which it would find now."""
    # The test looks every name up, as the start did.
    if instance.running or not instance.meant_to_run or not (instance.test["value"] or {}).get("valid") or instance.test["truncated"]:
        return None
    emergencies = sorted(_emergencies(host, instance), key=lambda record: record["last"])
    if not emergencies:
        return None
    # The last thing that it said, and said of the files as they are.
    last = emergencies[-1]
    match = _NAME.search(last["text"])
    changed = max((file.get("mtime") or 0.0 for file in instance.raw.get("files") or ()), default=0.0)
    if not match or changed > last["last"] + 1.0:
        return None
    return NginxTooEarly(re.sub(r":\d+$", "", match.group("name")), last)


def _emergencies(host: Host, instance: Instance) -> list[dict]:
    """Return what nginx said at its failed starts: in its error log, and, as the test before a start says it, in the journal of its unit."""
    records = (host.answer("error_log")["value"] or {}).get("configuration") or ()
    found = [{**record, "from": "error log"} for record in records if record["level"] == "emerg" and record["last"]]
    for unit in host.answer("backends.units")["value"] or ():
        if unit["name"] == instance.unit.get("name") and unit.get("active") == "failed" and unit.get("changed"):
            said = [line.partition("[emerg] ")[2] for line in unit.get("journal") or () if "[emerg] " in line]
            found += [{"text": re.sub(r"^\d+#\d+: ", "", line), "last": unit["changed"], "from": f"journal of {unit['name']}"} for line in said[-1:]]
    return found


def backends_too_early(host: Host) -> list[BackendTooEarly]:
    """Return the backends that are down since they were started before what they need."""
    found = []
    known = all(host.answer(question)["status"] == evidence.OK and not host.answer(question)["truncated"] for question in ("listeners", "backends.units"))
    for leg in host.legs if known else ():
        if not leg.local or not absence.absent(leg):
            continue
        explained = absence.explain(host, leg)
        down = explained and explained.cause in (absence.NOT_RUNNING, absence.START_FAILING) and explained.certainty == absence.PROVEN
        early = _too_early(host, leg, explained.owner) if down and explained.owner and explained.seen_on is host else None
        if early:
            found.append(early)
    return found


def _too_early(host: Host, leg: Leg, owner: owners.Owner) -> BackendTooEarly | None:
    unit = ends.unit_of(host, owner) if owner.kind in ("systemd unit", "PHP-FPM pool") else {}
    if unit and (unit.get("active") != "failed" or unit.get("asked_to_stop")):
        return None
    ended = unit.get("exited") or max((event["last"] or 0.0 for event in ends.events_of(host, (owner,), "exit")), default=0.0)
    if not ended:
        return None
    for line in reversed(owner.lines):
        if not _REFUSED.search(line):
            continue
        for endpoint in _named(line):
            for item in host.listening_at(endpoint, leg.instance.net):
                began = min((process.started for process in item.processes if process.started), default=0.0)
                if ended < began <= ended + _RACE and not any(process.pid in owner.pids for process in item.processes):
                    return BackendTooEarly(leg, owner, unit, item, began, ended, line)
    return None


def _named(line: str) -> list[Endpoint]:
    """Return the endpoints that a line names."""
    found = []
    for match in _TCP.finditer(line):
        address = match.group("address").strip("[]")
        address = "127.0.0.1" if address == "localhost" else address
        if 0 < int(match.group("port")) < 65536 and all(int(part) < 256 for part in address.split(".") if part.isdigit()):
            found.append(Endpoint.tcp(address, int(match.group("port"))))
    return found + [Endpoint.unix(match.group("path")) for match in _UNIX.finditer(line)]
