# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet, as the judge hands it over, and the means to make others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Finding, Fix, HostResult, Unknown
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place


def make_finding(**changes):
    values = {
        "id": "backend-not-running",
        "kind": "cause",
        "certainty": "proven",
        "rank": 1,
        "route": {
            "listen": "0.0.0.0:80",
            "server": "shop.example",
            "location": "/api",
            "pass": "proxy_pass http://127.0.0.1:3000",
            "endpoint": "127.0.0.1:3000",
        },
        "at": Place(file="/etc/nginx/sites-enabled/shop", line=12),
        "says": "Nothing listens on 127.0.0.1:3000: the systemd unit shop.service is inactive (dead).",
        "evidence": (
            Evidence("listening sockets", "nothing listens on 127.0.0.1:3000"),
            Evidence("systemd", "shop.service: inactive (dead) since 2026-01-31 02:58:11 UTC"),
            Evidence("error log", "connect() failed (111) while connecting to upstream: 212 times, last 2026-01-31 03:01:40 UTC"),
        ),
        "alternatives": (),
        "fix": Fix("start_backend", "safe", "Start it: systemctl start shop.service", ""),
        "next": "systemctl start shop.service",
    }
    endpoint = changes.pop("endpoint", None)
    values.update(changes)
    if endpoint is not None:
        values["route"] = {**values["route"], "endpoint": endpoint, "pass": f"proxy_pass http://{endpoint}"}
    return Finding(**values)


def make_result(name, *findings, **changes):
    values = {"status": "diagnosed", "why": "", "nginx": {"version": "1.22.1"}, "unknown": (), "recovered": ()}
    values.update(changes)
    return HostResult(name=name, findings=findings, **values)


def make_remote(**changes):
    return make_finding(
        certainty="likely",
        endpoint="10.0.0.9:8080",
        says="Nothing listens on 10.0.0.9:8080, and no unit, pool or program that is known on 10.0.0.9 says that it should.",
        evidence=(Evidence("probe as www-data", "connect to 10.0.0.9:8080: Connection refused"),),
        alternatives=("A firewall on 10.0.0.9 rejects the connection.",),
        fix=Fix(None, "manual", "Find the program that should serve this endpoint and start it.", ""),
        next="systemctl list-units --all --state=failed,inactive --type=service",
        **changes,
    )


def make_advice(**changes):
    return make_finding(
        id="single-backend",
        kind="advice",
        rank=2,
        says="The route has one backend: when it is down, every request fails.",
        evidence=(),
        fix=None,
        next="",
        **changes,
    )


def make_fleet():
    return [
        make_result("web1", make_finding(), make_advice()),
        make_result("web2", make_remote()),
        make_result("web3", make_remote()),
        make_result("web4", recovered=("127.0.0.1:9000 refused connections 12 times until 2026-01-31 01:10:00 UTC and answers now.",)),
        make_result("web5"),
        make_result("web6"),
        make_result(
            "web7",
            status="partial",
            unknown=(
                Unknown("backend-wrong-port", "listeners", "denied", "/proc/net/tcp: Permission denied"),
                Unknown("backend-not-running", "listeners", "denied", "/proc/net/tcp: Permission denied"),
            ),
        ),
        make_result("web8", status="unreachable", why="Failed to connect to the host via ssh: Connection timed out", nginx={}),
        make_result("db1", status="no-nginx", nginx={}),
    ]


@pytest.fixture
def make():
    """Return what makes findings, results and the small fleet."""
    return SimpleNamespace(finding=make_finding, result=make_result, remote=make_remote, advice=make_advice, fleet=make_fleet)
