# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nginx in containers that are down, and why: there is no process that could be asked, only what the engine tells and the last words.

A name that nginx did not find at its start is compared with the containers that there are now. That a container shares a network with it, and when
it was started, the engine says; the log says only where to look.

This module is private to the collection.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host

EARLY = "startup-order"
APART = "container-network-mismatch"
WAITING = "backend-not-running"
UNFOUND = "dns-host-not-found"
INVALID = "config-invalid"
STOPPED = "nginx-not-running"

PROVEN, LIKELY = "proven", "likely"

_EMERG = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<said>.+)")
_NAME = re.compile(r'host not found in upstream "(?P<name>[^":/]{1,255})')
# The exit status of nginx after an [emerg] at its start (main() in core/nginx.c).
_FAILED = 1


@dataclass(frozen=True)
class Down:
    """An nginx container that is down.

    cause   one of the ids above
    said    its last [emerg], or ""
    name    the name that it did not find, or ""
    target  the container that has the name, or None
    """

    container: Container
    cause: str
    certainty: str
    said: str = ""
    name: str = ""
    target: Container | None = None


def down(host: Host, cause: str) -> list[Down]:
    """Return the nginx containers of a host that are down for this cause."""
    return [found for found in _all(host) if found.cause == cause]


@functools.lru_cache(maxsize=8)
def _all(host: Host) -> tuple[Down, ...]:
    if host.answer("containers")["status"] != evidence.OK:
        return ()
    found = (_of(host, item) for item in host.containers.every if item.known and not item.up and _is_nginx(item))
    return tuple(one for one in found if one)


def _is_nginx(container: Container) -> bool:
    """Return whether nginx is the program of a container, perhaps behind the start script of its image."""
    return any(word.rpartition("/")[2] in ("nginx", "nginx-debug", "openresty") for word in container.command[:3])


def _of(host: Host, container: Container) -> Down | None:
    if _replaced(host, container):
        return None
    said = next((match["said"].strip() for line in reversed(container.words) if (match := _EMERG.search(line))), "")
    if not said or container.exit_code != _FAILED:
        meant = container.restart_policy in ("always", "unless-stopped", "on-failure") and container.state != "created"
        return Down(container, STOPPED, PROVEN) if meant else None
    match = _NAME.search(said)
    if not match:
        return Down(container, INVALID, LIKELY, said)
    name = match["name"]
    found = host.containers.called(name, container)
    if not found:
        return Down(container, UNFOUND, LIKELY, said, name)
    target = found[0]
    if not any(item.named for item in target.shared(container)):
        return Down(container, APART, PROVEN, said, name, target)
    if not target.up:
        return Down(container, WAITING, PROVEN, said, name, target)
    # One that its engine starts again finds the name at its next start.
    late = bool(container.finished) and target.started > container.finished
    return Down(container, EARLY, PROVEN if late else LIKELY, said, name, target) if container.state != "restarting" else None


def _replaced(host: Host, container: Container) -> bool:
    """Return whether its ports are in use by now, as by one that took its place."""
    ports = [port for port in container.published if port.host_port and port.protocol == "tcp"]
    used = {item.endpoint.port for item in host.sockets_in(host.net)}
    others = [item for item in host.containers.believable(container) if item.up]
    used |= {port.host_port for item in others for port in item.published}
    twin = [item for item in others if _is_nginx(item) and item.of_project(container) and item.reached_as == container.reached_as]
    return bool(twin) or any(port.host_port in used for port in ports)
