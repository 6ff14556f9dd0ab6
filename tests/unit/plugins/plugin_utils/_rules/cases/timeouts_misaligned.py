# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn with a shorter and with a longer time-out than nginx."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

UNIX = "unix:/run/app.sock"


def _world(timeout: float) -> World:
    world = World().site(f"location / {{ proxy_pass http://{UNIX}; proxy_read_timeout 300s; }}").service("app.service", UNIX, comm="gunicorn", pid=1500)
    return world.server(1500, "gunicorn", told={"timeout": timeout})


def firing() -> World:
    """nginx waits 300 s, gunicorn 30 s."""
    return _world(30.0)


def silent() -> World:
    """Both wait as long as it takes."""
    return _world(300.0)
