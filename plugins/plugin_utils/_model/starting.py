# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the owner of an endpoint is started without a person, as an item of the role start_backend or start_container; and why not, where it is not.

Only units, programs, apps and containers that the host's own managers told of are named. A name that a manager would take for something else
(an option, "all", the number of an app, a pattern) is left to a person.

This module is private to the collection.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import owners
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, loopback

UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,249}\.(?:service|socket)", re.ASCII)
_PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,200}", re.ASCII)
_APP = re.compile(r"(?!\d+\Z|all\Z)[A-Za-z0-9_][A-Za-z0-9_@.:-]{0,200}", re.ASCII)
CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,250}", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9_./@+-]{1,1000}", re.ASCII)
_SUPERVISOR_UNITS = ("supervisor.service", "supervisord.service")


@dataclass(frozen=True)
class Start:
    """How to start an owner.

    item     of the changes of the remedy, or None
    command  what a person would type, or ""
    why_not  why there is no item, or ""
    """

    item: dict | None
    command: str = ""
    why_not: str = ""
    remedy: str = "start_backend"


def start_of(host: Host, owner: owners.Owner, endpoint: Endpoint) -> Start:
    """Return how to start an owner of a host, so that it listens at an endpoint."""
    if owner.kind == "container":
        return _container(host, owner, endpoint)
    if owner.kind == "supervisor program":
        found = _program(host, owner)
    elif owner.kind == "PM2 app":
        found = _app(host, owner)
    else:
        found = _unit(host, _starter(host, owner, endpoint)) if owner.unit else Start(None, why_not="no unit is known that runs it")
    if not found.item:
        return found
    return Start({**found.item, **waited_for(endpoint)}, found.command or owner.start)


def waited_for(endpoint: Endpoint) -> dict:
    """Return what a role is to wait for: {"endpoint": ...}, or {} where it cannot."""
    return {} if endpoint.kind not in ("tcp", "unix") or endpoint.path.startswith("@") else {"endpoint": str(endpoint)}


def unit_named(host: Host, name: str) -> dict:
    """Return what systemd tells of a unit, or {}."""
    return next((unit for unit in host.answer("backends.units")["value"] or () if unit["name"] == name), {})


def _starter(host: Host, owner: owners.Owner, endpoint: Endpoint) -> str:
    """Return the unit that is to be started for an owner's: the socket that starts it at the first connection, where it listens."""
    claim = owner.claim_on(endpoint)
    socket = claim.source.partition(" ")[0] if claim and owner.kind == "systemd unit" else ""
    return socket if socket.endswith(".socket") and unit_named(host, socket) else owner.unit


def _unit(host: Host, name: str) -> Start:
    unit = unit_named(host, name)
    if not UNIT.fullmatch(name) or not unit:
        return Start(None, why_not=f"systemd tells nothing of {name}")
    if unit.get("load") != "loaded" or unit.get("enabled") in ("masked", "masked-runtime"):
        return Start(None, why_not=f"{name} is {unit.get('enabled') or unit.get('load')}, which somebody did on purpose")
    disabled = unit.get("enabled") == "disabled"
    item = {"manager": "systemd", "name": name, **({"enabled": True} if disabled else {})}
    return Start(item, f"systemctl {'enable --now' if disabled else 'start'} {shlex.quote(name)}")


def _program(host: Host, owner: owners.Owner) -> Start:
    told = [item for item in host.answer("backends.supervisor")["value"] or () if item["name"] == owner.name]
    if len(told) != 1 or not _PROGRAM.fullmatch(owner.name):
        return Start(None, why_not="its name may mean something else to supervisorctl")
    if told[0].get("state") == "UNKNOWN":
        # supervisord itself is down: its unit starts it, and what is to start with it.
        for name in _SUPERVISOR_UNITS:
            if unit_named(host, name):
                return _unit(host, name)
        return Start(None, why_not="supervisord does not run, and no unit is known that runs it")
    place = told[0].get("at") or {}
    section = _section(owner.name, place.get("file") or "")
    off = told[0].get("autostart") is False and section
    return Start({"manager": "supervisor", "name": owner.name, **({"autostart": section} if off else {})})


def _section(name: str, file: str) -> dict:
    """Return where a program of its own (none of a group of several processes) is written, or {}; what is not in /etc may be another user's to replace."""
    return {"file": file, "section": f"program:{name}"} if file.startswith("/etc/") and _PATH.fullmatch(file) and ":" not in name else {}


def _app(host: Host, owner: owners.Owner) -> Start:
    told = [item for item in host.answer("backends.pm2")["value"] or () if item["name"] == owner.name]
    app = told[0] if len(told) == 1 else {}
    if not app or not _APP.fullmatch(owner.name):
        return Start(None, why_not="its name may mean something else to PM2")
    if not app.get("daemon"):
        unit = f"pm2-{app.get('user')}.service"
        if unit_named(host, unit):
            return _unit(host, unit)
        return Start(None, why_not=f"no PM2 daemon of {app.get('user')} runs, and no unit starts one: run pm2 resurrect as that user, then pm2 startup")
    words = {"user": app.get("user") or "", "home": app.get("home") or "", "program": app.get("program") or ""}
    if not _USER.fullmatch(words["user"]) or not _PATH.fullmatch(words["home"]) or not _PATH.fullmatch(words["program"]):
        return Start(None, why_not="where its pm2 is, is not known")
    return Start({"manager": "pm2", "name": owner.name, **words, **({} if app.get("saved", True) else {"save": True})})


def _container(host: Host, owner: owners.Owner, endpoint: Endpoint) -> Start:
    container = host.containers.by_id(owner.container)
    named = container_item(host, container) if container else None
    if not named:
        return Start(None, why_not="its engine is not that of the system, or its name is none that a program takes")
    # Only what the host itself has can be waited for: the loopback of a container is another one.
    mine = endpoint.kind == "tcp" and (loopback(endpoint.address) or endpoint.address in host.addresses) and owner.claim_on(endpoint)
    return Start({**named, "action": "start", **(waited_for(endpoint) if mine else {})}, owner.start, remedy="start_container")


def container_item(host: Host, container: Container) -> dict | None:
    """Return {"engine", "id", "name"} as the roles for containers take them; None for an engine of a user's, whose word is not root's."""
    engine = host.containers.engine(container)
    if not engine or engine.uid != 0 or not CONTAINER.fullmatch(container.name):
        return None
    return {"engine": container.engine, "id": container.id, "name": container.name}
