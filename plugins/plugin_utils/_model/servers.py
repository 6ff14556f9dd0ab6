# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application server behind an endpoint: its workers, its own time-out, how long it keeps an idle connection.

Defaults are those of the servers: gunicorn/config.py, uWSGI core/init.c, uvicorn/config.py, hypercorn/config.py, php-fpm.conf.

This module is private to the collection.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, Listener, Process

# Servers whose workers take one connection each and come back for the next one when it is done.
_ONE_EACH = ("php-fpm", "uwsgi", "gunicorn", "unicorn")
_DEFAULTS = {
    "gunicorn": {"workers": 1.0, "threads": 1.0, "class": "sync", "timeout": 30.0, "keepalive": 2.0, "backlog": 2048.0},
    "uwsgi": {"workers": 1.0, "threads": 1.0, "timeout": 0.0, "backlog": 100.0, "buffer_size": 4096.0},
    "uvicorn": {"workers": 1.0, "keepalive": 5.0, "backlog": 2048.0},
    "hypercorn": {"workers": 1.0, "keepalive": 5.0, "backlog": 100.0},
}
_TITLES = {"workers": {"gunicorn": "--workers", "uwsgi": "--processes", "php-fpm": "pm.max_children"}, "backlog": {"uwsgi": "--listen"}}


@dataclass(frozen=True)
class Setting:
    """A number that a server works with, and where it was read; at is "" for the server's default."""

    value: float
    at: str

    @property
    def place(self) -> str:
        """Return where it comes from, for a sentence."""
        return self.at or "the default"


@dataclass(frozen=True)
class Server:
    """The server behind an endpoint.

    kind      "php-fpm", "gunicorn", ...; the name of the program where it is none that is known
    label     as a person calls it
    running   how many workers run; None when they were not counted
    seen      what the evidence tells of it: an item of "servers", or {}
    """

    kind: str
    label: str
    listener: Listener
    running: int | None
    pool: dict = field(default_factory=dict)
    told: dict | None = None
    seen: dict = field(default_factory=dict)

    def setting(self, name: str) -> Setting | None:
        """Return a setting; None when there is none of that name, or its value is not known."""
        if self.kind == "php-fpm":
            return self._of_pool(name)
        if self.told is None:
            return None
        given = self.told.get(name)
        if given:
            return None if given.get("value") is None else Setting(given["value"], given.get("from") or "")
        default = _DEFAULTS.get(self.kind, {}).get(name)
        return None if default is None else Setting(default, "")

    def _of_pool(self, name: str) -> Setting | None:
        at = self.pool.get("at") or {}
        place = f"pool {self.pool.get('name')} ({at.get('file', '')})"
        if name == "workers" and self.pool.get("max_children"):
            return Setting(float(self.pool["max_children"]), place)
        if name == "timeout" and self.pool:
            limit = self.pool.get("request_terminate_timeout") or 0.0
            return Setting(limit, place if limit else "")
        return None

    @property
    def one_each(self) -> bool:
        """Return whether a worker serves one connection at a time, so that a request waits when all of them are busy."""
        if self.kind == "gunicorn":
            return self._sync
        if self.kind == "uwsgi":
            return not (self.told or {}).get("async") and not (self.told or {}).get("gevent")
        return self.kind in _ONE_EACH

    @property
    def _sync(self) -> bool:
        if self.told is None:
            return True
        worker = self.setting("class")
        threads = self.setting("threads")
        return bool(worker) and worker.value == "sync" and bool(threads) and threads.value == 1

    @property
    def idle(self) -> Setting | None:
        """Return how long it keeps an idle connection; None when that is not known; 0 where it closes each after its answer."""
        if self.kind == "gunicorn" and self.told is not None and self._sync:
            return Setting(0.0, "")
        return self.setting("keepalive")

    @property
    def kills_after(self) -> Setting | None:
        """Return after how many seconds it ends a request that still runs; 0 for never; None when that is not known."""
        if self.kind == "gunicorn":
            return self.setting("timeout") if self._sync else None
        return self.setting("timeout") if self.kind in ("uwsgi", "php-fpm") else None

    def option(self, name: str) -> str:
        """Return how this server calls a setting."""
        return _TITLES.get(name, {}).get(self.kind) or ("listen.backlog" if self.kind == "php-fpm" else f"--{name}")

    @property
    def look(self) -> str:
        """Return the command that shows its queue: Recv-Q against Send-Q."""
        endpoint = self.listener.endpoint
        return f"ss -lx src {shlex.quote(endpoint.path)}" if endpoint.kind == "unix" else f"ss -ltn sport = {endpoint.port}"


def home_of(host: Host, leg: Leg) -> Host | None:
    """Return the host on which the endpoint of a leg is: this one, one of the fleet, or None."""
    return host if leg.local else host.peer_at(leg.endpoint.address) if leg.endpoint.kind == "tcp" else None


def listeners_of(host: Host, leg: Leg) -> tuple[Listener, ...]:
    """Return the sockets that take the connections of a leg."""
    if leg.local:
        return leg.listeners
    home = home_of(host, leg)
    return home.listening_at(leg.endpoint, "") if home else ()


def server_of(host: Host, leg: Leg) -> Server | None:
    """Return the server that listens at the endpoint of a leg; None when it is not seen."""
    home, found = home_of(host, leg), listeners_of(host, leg)
    if not home or not found:
        return None
    listener = found[0]
    pool = _pool(home, listener)
    told = home.answer("servers")["value"] or []
    pids = {process.pid for process in listener.processes}
    if pool:
        counted = [item for item in told if item["kind"] == "php-fpm" and item["name"] == pool["name"] and item["pid"] in pids]
        seen = counted[0] if len(counted) == 1 else {}
        return Server("php-fpm", f"PHP-FPM pool {pool['name']}", listener, seen.get("running"), pool, seen=seen)
    for item in told:
        if item["pid"] in pids and item["kind"] != "php-fpm":
            return Server(item["kind"], _label(item["kind"], listener), listener, item["running"], told=item["set"], seen=item)
    comm = next((process.comm for process in _holders(listener)), "")
    return Server("php-fpm" if comm.startswith("php-fpm") else comm, _label("", listener), listener, None)


def _pool(home: Host, listener: Listener) -> dict:
    if not any(process.comm.startswith("php-fpm") for process in listener.processes):
        return {}
    pools = (home.answer("php_fpm")["value"] or {}).get("pools") or ()
    for owner in home.owners:
        if owner.kind == "PHP-FPM pool" and owner.claim_on(listener.endpoint):
            named = (pool for pool in pools if owner.name in (pool["name"], f"{pool['name']} (PHP {pool.get('version')})"))
            return next((pool for pool in named if pool.get("running")), {})
    return {}


def _holders(listener: Listener) -> list[Process]:
    """Return the processes that hold a socket, the eldest first; systemd keeps those that it passes on, and does not serve."""
    return sorted((process for process in listener.processes if process.pid != 1), key=lambda process: process.pid)


def _label(kind: str, listener: Listener) -> str:
    first = next(iter(_holders(listener)), None)
    if not first:
        return f"the program on {listener.endpoint}"
    unit = f", {first.unit}" if first.unit else ""
    return f"{kind or first.comm} (pid {first.pid}{unit})"
