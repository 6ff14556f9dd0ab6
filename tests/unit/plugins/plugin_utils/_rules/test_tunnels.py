# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tunnel-down, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Finding, HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import tunnel_of
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

NEAR = "127.0.0.1:8080"
SSH = ["/usr/bin/ssh", "-N", "-L", "8080:10.9.0.2:80", "tunnel@office.example"]
CLOSED = {"status": "closed", "code": None, "header_bytes": None, "why": "the backend closed the connection without an answer"}


def told(host: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge())]


def first(result: HostResult) -> Finding:
    return next(item for item in result.findings if item.kind != ADVICE)


def down(**unit) -> World:
    return World().passes(f"http://{NEAR}").unit("office.service", NEAR, **{"active": "inactive", "command": SSH, **unit})


@pytest.mark.parametrize(
    "command",
    [
        SSH,
        ["/usr/bin/autossh", "-M", "0", "-N", "-L8080:localhost:80", "office"],
        ["/usr/bin/ssh", "-NL", "8080:localhost:80", "office"],
        ["/bin/sh", "-c", "exec ssh -N -L 8080:localhost:80 office"],
        ["/usr/bin/env", "AUTOSSH_GATETIME=0", "autossh", "-L", "8080:localhost:80", "office"],
        ["/usr/bin/stunnel4", "/etc/stunnel/office.conf"],
        ["/usr/bin/socat", "TCP-LISTEN:8080,fork", "TCP:10.9.0.2:80"],
        ["/usr/bin/kubectl", "port-forward", "svc/shop", "8080:80"],
    ],
)
def test_the_near_end_of_a_stopped_tunnel(command):
    finding = first(down(command=command).judge())
    assert (finding.id, finding.kind, finding.certainty) == ("tunnel-down", "cause", "proven")
    assert (finding.fix.safety, finding.next) == ("risky", "systemctl start office.service")


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/bin/ssh", "office", "uptime"],
        ["/usr/bin/node", "/srv/ssh/app.js"],
        ["/usr/bin/kubectl", "proxy"],
        ["/usr/sbin/sshd", "-D"],
        ["ssh", "-R", "1:b:2", "c"],
        [],
    ],
)
def test_what_is_no_tunnel(command):
    assert tunnel_of(command) == ""
    assert told(down(command=command)) == [("backend-not-running", "cause", "proven")]


def test_a_script_that_opens_the_tunnel():
    host = down(command=["/bin/sh", "/usr/local/bin/office"])
    host.units[0]["claims"][0]["tunnel"] = "ssh"
    finding = first(host.judge())
    assert (finding.id, finding.certainty) == ("tunnel-down", "proven") and "(ssh)" in finding.says


def test_a_tunnel_that_fails():
    finding = first(down(active="failed", result="exit-code", status=255, code="exited", journal=["ssh: connect to host office.example: refused"]).judge())
    assert (finding.id, finding.certainty, finding.fix.safety) == ("tunnel-down", "proven", "manual")
    assert any("refused" in item.shows for item in finding.evidence)


def test_a_tunnel_that_runs_without_its_port():
    finding = first(down(active="active", pid=77).judge())
    assert (finding.id, finding.certainty) == ("tunnel-down", "likely")
    assert "runs, but does not listen there" in finding.says


def test_a_supervisor_program():
    host = World().passes(f"http://{NEAR}").program("office", "STOPPED", NEAR)
    host.programs[0]["command"] = " ".join(SSH)
    assert told(host) == [("tunnel-down", "cause", "proven")]


def up(*tries: dict, comm: str = "ssh", argv=tuple(SSH)) -> World:
    host = World().passes(f"http://{NEAR}").service("office.service", NEAR, comm=comm, argv=argv)
    return host.reply(NEAR, *tries)


def test_a_far_end_that_closes_everything():
    finding = first(up(CLOSED, {**CLOSED, "speak": "https"}).judge())
    assert (finding.id, finding.certainty) == ("tunnel-down", "likely")
    assert "closes every connection at once" in finding.says and finding.alternatives


def test_a_far_end_that_speaks_something_else_or_answers():
    assert "tunnel-down" not in [item[0] for item in told(up(CLOSED, {"status": "ok", "speak": "https"}))]
    assert told(up({})) == []
    assert "tunnel-down" not in [item[0] for item in told(up(CLOSED, comm="node", argv=("/usr/bin/node", "app.js")))]
    assert "tunnel-down" not in [item[0] for item in told(up({**CLOSED, "start": "HTTP/1.1 2"}))]
