# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket that has lost its label, and one that was given it back."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, file_check, peer_check

SOCKET = "/run/php/shop.sock"
RIGHT = {"type": "httpd_runtime_t", "allowed": True, "booleans": []}


def _world(kind: str, allowed: bool) -> World:
    world = World().passes(f"fastcgi_pass unix:{SOCKET}").pool(f"unix:{SOCKET}", name="shop").socket(SOCKET)
    folders = [file_check(path, label, True, label, "dir") for path, label in (("/", "root_t"), ("/run", "var_run_t"), ("/run/php", "httpd_runtime_t"))]
    checks = [*folders, file_check(SOCKET, kind, allowed, "httpd_runtime_t", labels=[] if allowed else [RIGHT]), peer_check("httpd_t", True)]
    return world.selinux().decides(f"unix:{SOCKET}", *checks).logged(f"unix:{SOCKET}", "connect-denied", level="crit")


def firing() -> World:
    """Somebody moved it there, and it kept the label of where it had been."""
    return _world("user_home_t", False)


def silent() -> World:
    """The kernel allows it by now; the log is of before."""
    return _world("httpd_runtime_t", True)
