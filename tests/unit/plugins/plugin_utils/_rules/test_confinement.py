# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apparmor-denied, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Finding, HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, World, verdict

SOCKET, TCP = "/srv/shop/run.sock", "127.0.0.1:3000"
RULE = "apparmor-denied"


def unix(mode: str = "enforce", log: bool = True, **socket) -> World:
    host = (
        World().passes(f"http://unix:{SOCKET}").service("shop.service", f"unix:{SOCKET}").socket(SOCKET, **{"mode": "0666", **socket}).apparmor("nginx", mode)
    )
    return host.logged(f"unix:{SOCKET}", "connect-denied") if log else host


def first(result: HostResult) -> Finding:
    return next(item for item in result.findings if item.kind != ADVICE)


def told(host: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge())]


def test_a_denied_socket():
    finding = first(unix().apparmor_denied("nginx", name=SOCKET).judge())
    assert (finding.id, finding.kind, finding.certainty, finding.fix.safety) == (RULE, "cause", "proven", "manual")
    assert f"{SOCKET} rw," in finding.fix.summary
    assert any("profile nginx (enforce)" in item.shows for item in finding.evidence)


def test_without_a_record_of_the_kernel_it_is_likely():
    assert told(unix()) == [(RULE, "cause", "likely")]
    assert told(unix().apparmor_denied("nginx", name="/other.sock")) == [(RULE, "cause", "likely")]
    assert told(unix().apparmor_denied("mysqld", name=SOCKET)) == [(RULE, "cause", "likely")]
    assert told(unix().apparmor_denied("nginx", name=SOCKET, last=LOADED - 60)) == [(RULE, "cause", "likely")]


@pytest.mark.parametrize("mode", ["complain", "unconfined", "mixed"])
def test_a_profile_that_does_not_deny(mode):
    assert RULE not in [item[0] for item in told(unix(mode).apparmor_denied("nginx", name=SOCKET))]


def test_permissions_that_deny_explain_it_themselves():
    host = unix(mode="enforce", **{}).apparmor_denied("nginx", name=SOCKET)
    host.socket(SOCKET, mode="0600").reply(f"unix:{SOCKET}", connect="denied")
    assert [item[0] for item in told(host)] == ["socket-permission"]


def test_nothing_failed():
    assert told(unix(log=False).apparmor_denied("nginx", name=SOCKET)) == []
    host = unix(log=False).apparmor_denied("nginx", name=SOCKET)
    assert told(host.logged(f"unix:{SOCKET}", "connect-denied", last=LOADED - 60)) == []


def test_no_socket_of_the_network():
    host = World().passes(f"http://{TCP}").service("shop.service", TCP).apparmor("nginx").logged(TCP, "connect-setup-failed")
    assert told(host.apparmor_denied("nginx", "create", family="inet", denied="create")) == [(RULE, "cause", "proven")]


def test_a_tcp_connection_that_is_denied_is_something_else():
    host = World().passes(f"http://{TCP}").service("shop.service", TCP).apparmor("nginx").logged(TCP, "connect-denied")
    assert RULE not in [item[0] for item in told(host)]
