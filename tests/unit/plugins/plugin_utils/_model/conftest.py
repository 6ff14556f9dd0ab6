# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration in a test."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import routes
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config

NAMES = {
    "localhost": {"status": "ok", "addresses": ["::1", "127.0.0.1"], "why": ""},
    "app.internal": {"status": "ok", "addresses": ["10.0.0.7"], "why": ""},
    "gone.internal": {"status": "absent", "addresses": [], "why": "Name or service not known"},
}


@pytest.fixture(name="load")
def _load():
    def load(text, version="1.22.1", uid=0, prefix="/usr/share/nginx"):
        raw = text if isinstance(text, bytes) else text.encode()
        return config.load(
            {
                "id": "/etc/nginx/nginx.conf",
                "conf_path": "/etc/nginx/nginx.conf",
                "prefix": prefix,
                "master": {"uid": uid},
                "build": {"status": "ok", "value": {"version": version}},
                "files": [{"path": "/etc/nginx/nginx.conf", "status": "ok", "content": base64.b64encode(raw).decode()}],
            }
        )

    return load


@pytest.fixture(name="routes_of")
def _routes_of(load):
    """Return the routes of the text of a main file."""

    def routes_of(text, names=None, **more):
        return routes.routes_of(load(text, **more), NAMES if names is None else names)

    return routes_of


@pytest.fixture(name="route_in")
def _route_in(routes_of):
    """Return the only route of a server; text stands in it."""

    def route_in(text, outside="", **more):
        found = routes_of(f"http {{\n{outside}\nserver {{\n{text}\n}}\n}}", **more)
        assert len(found) == 1, found
        return found[0]

    return route_in
