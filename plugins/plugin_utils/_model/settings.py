# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an option of the server behind an endpoint is to be set, as an item of the role server_option; and why not, where it is not.

gunicorn takes an option of its command line before one of its file and of its environment (gunicorn/app/base.py), so it is set there,
by the unit. uWSGI takes the last of equal ones, so it is set where it stands. A pool's options stand in its file.

This module is private to the collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import servers, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

# By what they mean: the names on a command line, and the one in a file.
_GUNICORN = {"timeout": ("--timeout", "-t"), "workers": ("--workers", "-w")}
_UWSGI = {"timeout": ("--harakiri", "-t"), "workers": ("--processes", "-p", "--workers"), "buffer_size": ("--buffer-size", "-b")}
_POOL = {"timeout": "request_terminate_timeout", "workers": "pm.max_children"}

_SECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}", re.ASCII)
_FILE = re.compile(r"/[A-Za-z0-9_./@+-]{1,1000}", re.ASCII)
_AT_LINE = re.compile(r"(?P<file>/[^:]+):\d+")

# A nginx that gives up at the same moment as the backend would now and then be first.
_BEFORE = 2
# Half of what is free is left for what else needs memory; a worker that has just begun is smaller than it will be.
_SHARE = 0.5
_LEAST = 20 << 20


@dataclass(frozen=True)
class Change:
    """How to set an option.

    item     of server_option_changes, or None
    why_not  why there is no item, or ""
    """

    item: dict | None
    why_not: str = ""


def change(host: Host, leg: Leg, server: servers.Server, option: str, value: int) -> Change:
    """Return how to set an option ("timeout" in seconds, "workers", "buffer_size" in bytes) of the server of a leg."""
    if servers.home_of(host, leg) is not host:
        return Change(None, "it runs on another host")
    if server.kind == "php-fpm":
        found = of_pool(host, server.pool, [{"name": _POOL[option], "value": f"{value}s" if option == "timeout" else str(value)}], "reload")
    elif server.kind == "gunicorn":
        found = _of_command(host, server, "gunicorn", _GUNICORN[option], value)
    elif server.kind == "uwsgi":
        found = _of_uwsgi(host, server, option, value)
    else:
        found = Change(None, f"how {server.label} is told is not known")
    if not found.item:
        return found
    return Change({**found.item, **starting.waited_for(leg.endpoint)})


def of_pool(host: Host, pool: dict, options: list[dict], apply: str) -> Change:
    """Return how to set options of a PHP-FPM pool."""
    at, listen_at = pool.get("at") or {}, pool.get("listen_at") or {}
    file, unit = at.get("file") or "", pool.get("unit") or ""
    if not _FILE.fullmatch(file) or not _SECTION.fullmatch(pool.get("name") or "") or listen_at.get("file") != file:
        return Change(None, "its pool is written in more than one file")
    if not pool.get("roots", True):
        return Change(None, _not_roots(file))
    if not starting.unit_named(host, unit):
        return Change(None, "no unit is known that runs PHP-FPM")
    php_fpm = _tester(host, pool)
    if not php_fpm:
        return Change(None, "the PHP-FPM that would test the configuration is not found")
    return Change({"unit": unit, "apply": apply, "ini": {"file": file, "section": pool["name"], "options": options}, "php_fpm": php_fpm})


def of_master(host: Host, version: dict, options: list[dict]) -> Change:
    """Return how to set options of a PHP-FPM as a whole."""
    unit, php_fpm = version.get("unit") or "", _php_fpm(version)
    if not starting.unit_named(host, unit) or not php_fpm:
        return Change(None, "no unit is known that runs PHP-FPM")
    file = php_fpm["configuration"]
    return Change({"unit": unit, "apply": "reload", "ini": {"file": file, "section": "global", "options": options}, "php_fpm": php_fpm})


def _not_roots(file: str) -> str:
    return f"{file} is not a plain file of root's, in folders that root alone writes to"


def _tester(host: Host, pool: dict) -> dict:
    versions = (host.answer("php_fpm")["value"] or {}).get("versions") or ()
    found = [version for version in versions if version["unit"] == pool.get("unit") and version["version"] == pool.get("version")]
    return _php_fpm(found[0]) if len(found) == 1 else {}


def _php_fpm(version: dict) -> dict:
    words = {"binary": version.get("binary") or "", "configuration": version.get("configuration") or ""}
    return words if all(_FILE.fullmatch(word) for word in words.values()) else {}


def _of_command(host: Host, server: servers.Server, program: str, names: tuple[str, ...], value: int) -> Change:
    unit, why_not = _unit(host, server)
    if not unit:
        return Change(None, why_not)
    command = {"program": program, "option": names[0], "aliases": list(names[1:]), "value": str(value)}
    return Change({"unit": unit, "apply": "restart", "command": command})


def _unit(host: Host, server: servers.Server) -> tuple[str, str]:
    """Return (the unit whose main process the server is, ""), or ("", why there is none)."""
    name = server.seen.get("unit") or ""
    unit = starting.unit_named(host, name)
    if not name.endswith(".service") or not starting.UNIT.fullmatch(name) or not unit or unit.get("load") != "loaded":
        return "", f"no unit is known that runs {server.label}"
    if unit.get("main_pid") != server.seen.get("pid"):
        return "", f"{name} does not run it itself"
    return name, ""


def _of_uwsgi(host: Host, server: servers.Server, option: str, value: int) -> Change:
    unit, why_not = _unit(host, server)
    if not unit:
        return Change(None, why_not)
    names, files = _UWSGI[option], server.seen.get("files") or ()
    written = _AT_LINE.fullmatch((server.told or {}).get(option, {}).get("from") or "")
    file = written.group("file") if written else files[0] if len(files) == 1 and option not in (server.told or {}) else ""
    if not file and (option in (server.told or {}) or not files):
        return _of_command(host, server, "uwsgi", names, value)
    if not file.endswith(".ini") or not _FILE.fullmatch(file):
        return Change(None, "its options are not in one ini file")
    if file in (server.seen.get("not_roots") or ()):
        return Change(None, _not_roots(file))
    return Change({"unit": unit, "apply": "restart", "ini": {"file": file, "section": "uwsgi", "options": [{"name": names[0][2:], "value": str(value)}]}})


def coherent_timeout(host: Host, server: servers.Server) -> int | None:
    """Return after how many seconds a server should end a request: a little before nginx gives up on the slowest route to it; None when not known."""
    waits = []
    for leg in host.legs:
        other, timeout = servers.server_of(host, leg), leg.route.value("read_timeout")
        if other and other.listener.endpoint == server.listener.endpoint:
            if not timeout or not timeout.seconds:
                return None
            waits.append(timeout.seconds)
    seconds = int(max(waits, default=0)) - _BEFORE
    return seconds if seconds >= 1 else None


def more_workers(host: Host, server: servers.Server) -> tuple[int | None, str]:
    """Return (how many workers a server may have instead, ""), at most twice as many; or (None, why there may not be more)."""
    now = server.setting("workers")
    each = max(server.seen.get("largest") or 0, _LEAST)
    memory = (host.answer("pressure")["value"] or {}).get("memory") or {}
    if not now or not server.seen.get("largest") or not memory.get("available"):
        return None, "what a worker needs of memory, or how much is free, is not known"
    room = memory["available"] * _SHARE
    unit = starting.unit_named(host, server.seen.get("unit") or "")
    limit = (unit.get("memory") or {}).get("limit")
    if limit:
        room = min(room, limit * (1 - _SHARE / 2) - each * (server.running or now.value))
    more = int(min(now.value, room // each))
    if more < max(1, now.value // 4):
        return None, f"memory does not allow more: a worker has {each >> 20} MiB, and {max(0, int(room)) >> 20} MiB may be used for more of them"
    return int(now.value) + more, ""
