# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedies, each a role of the same name, in the order in which a host needs them.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

_FILES_BACK = "the files get their old bytes, owner and mode back, and nginx is loaded anew"
_BACKEND_BACK = "its files get their old bytes, owner and mode back, and the backend is loaded with them again"

_RECORDS_BACK = "booleans get their old values in force, and they and ports the local records that they had, or none"


@dataclass(frozen=True)
class Remedy:
    """What a remedy does to a host.

    does    in the words of a plan
    undone  how a rollback takes it back
    edits   it changes files of nginx's configuration
    loads   nginx is loaded anew for it
    """

    does: str
    undone: str
    edits: bool = False
    loads: bool = False


def _edit(does: str) -> Remedy:
    return Remedy(does, _FILES_BACK, edits=True, loads=True)


# What a remedy needs comes before it: folders of nginx, then owners of endpoints, then where nginx goes, whether it may, how it
# speaks there, and how much it waits and takes. nginx itself is loaded anew, or started, last.
REMEDIES = {
    "temp_path_owner": Remedy("gives a temporary folder of nginx back to its worker", "the folder gets its old owner and mode back"),
    "unit_order": Remedy("orders the start of units by a drop-in", "the drop-in is removed, and systemd reads its units again"),
    "start_backend": Remedy("starts the backend, and enables it where it was meant to start by itself", "the backend is stopped, and disabled where it was"),
    "connect_network": Remedy("connects a container to the network of the other", "the container leaves that network again"),
    "start_container": Remedy(
        "starts or restarts a container", "the container is stopped again where it was stopped; that it was restarted cannot be taken back"),
    "fpm_listen": Remedy("sets where a PHP-FPM pool listens", _BACKEND_BACK),
    "repoint_upstream": _edit("leads a pass to where the backend listens"),
    "upstream_scheme": _edit("changes the scheme of a pass"),
    "upstream_uri": _edit("adds or drops the URI part of a pass"),
    "upstream_resolver": _edit("lets nginx look a name up while it runs"),
    "socket_access": Remedy("lets nginx's worker reach the backend's socket", _BACKEND_BACK),
    "selinux_boolean": Remedy("turns an SELinux boolean on, at once and for good", _RECORDS_BACK),
    "selinux_port": Remedy("gives a port the SELinux type that nginx may use, and turns on what that needs", _RECORDS_BACK),
    "selinux_fcontext": Remedy("gives a socket or folder the SELinux label that nginx may use", "its label and the record for it are as they were"),
    "upstream_tls": _edit("sets how nginx speaks TLS with the backend"),
    "websocket_headers": _edit("hands the headers of a WebSocket on"),
    "upstream_group": _edit("sets how nginx goes on to another server of a group"),
    "upstream_keepalive": _edit("keeps connections to the backend open"),
    "response_buffers": _edit("makes the buffer for the header of a response larger"),
    "uwsgi_buffer": Remedy("makes the request buffer of uWSGI larger, and restarts it", _BACKEND_BACK),
    "upstream_timeout": _edit("sets how long nginx waits for the backend"),
    "backend_timeout": Remedy("sets how long the backend's manager lets a request take", _BACKEND_BACK),
    "backend_workers": Remedy("sets how many workers the backend has", _BACKEND_BACK),
    "rate_limit": _edit("limits the rate of requests"),
    "response_cache": _edit("caches responses"),
    "nginx_limits": _edit("raises nginx's limits of connections and descriptors"),
    "reload_nginx": Remedy("loads the configuration that is on disk", "nothing: the configuration on disk was not changed", loads=True),
    "start_nginx": Remedy("starts nginx", "nginx is stopped"),
}
ORDER = tuple(REMEDIES)


def loads(remedy: str, item: dict) -> bool:
    """Return whether nginx is loaded anew for a change: for a label of a port, where it is to listen there."""
    return REMEDIES[remedy].loads or remedy == "selinux_port" and "listen" in item
