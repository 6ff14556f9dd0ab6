# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the hostile tests: containers of the lab, started once and removed at the end."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

import content  # noqa: E402
import lab_hosts  # noqa: E402
from lab_base import attempt, run  # noqa: E402

STATES = {"edge": content.EDGE, "site": content.BROKEN, "plain": content.PLAIN, "bare": content.BARE}


@dataclass(frozen=True)
class Fleet:
    """The hosts, by what they are.

    edge   nginx and backends full of hostile text and secrets; the backend at 127.0.0.1:3000 is stopped
    site   nginx whose configuration on disk is refused
    plain  no nginx
    bare   no Python
    """

    edge: lab_hosts.Host
    site: lab_hosts.Host
    plain: lab_hosts.Host
    bare: lab_hosts.Host

    def inventory(self, file: Path, hosts: dict[str, dict]) -> Path:
        """Write an inventory of some hosts, each with its own variables, and return its file."""
        data = json.loads(lab_hosts.inventory([]))
        data["all"]["hosts"] = hosts
        file.write_text(json.dumps(data), encoding="utf-8")
        return file


def marker_on(host: lab_hosts.Host) -> bool:
    """Tell whether something that a host said was evaluated there."""
    return attempt(["docker", "exec", host.container, "test", "-e", content.MARKER])[0] == 0


def forge(host: lab_hosts.Host) -> None:
    """Have nginx write a record that a client made up, then real ones."""
    date = run(["docker", "exec", host.container, "date", "+%Y/%m/%d %H:%M:%S"]).strip()
    for path in (content.forged_path(date), "/%7B%7B%207*7%20%7D%7D", f"/?token={content.SECRETS['query in a request']}"):
        connection = http.client.HTTPConnection("127.0.0.1", host.http_port, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": "shop.example", "Connection": "close"})
            status = connection.getresponse().status
        finally:
            connection.close()
        assert status == (404 if path.startswith("/static") else 502), (path, status)


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Start the hosts. A LabError says what to install where there is no container engine."""
    # Tests of several series may run at the same time.
    names = {kind: f"{kind}-{os.getpid()}" for kind in STATES}
    try:
        hosts = dict(zip(names, lab_hosts.start(list(names.values()))))
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(lambda kind: lab_hosts.apply(hosts[kind], STATES[kind]), hosts))
        forge(hosts["edge"])
        yield Fleet(**hosts)
    finally:
        if os.environ.get("LAB_KEEP") != "1":
            lab_hosts.remove(list(names.values()))


@pytest.fixture(autouse=True)
def _nothing_evaluated() -> Iterator[None]:
    """Hold that no text of any host was evaluated on the controller."""
    assert not os.path.lexists(content.MARKER)
    yield
    assert not os.path.lexists(content.MARKER)
