# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts share, and what they do not."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Unknown
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import fleet


@pytest.mark.parametrize("endpoint", ["10.0.0.9:8080", "[2001:db8::1]:80", "app.internal:3000", "app:80", "redis", "172.17.0.2:80"])
def test_remote_endpoints(endpoint):
    assert fleet.is_remote(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    ["", "127.0.0.1:3000", "127.8.8.8:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "localhost:80", "LOCALHOST.:80", "unix:/run/x.sock",
     "0.0.0.0:80", "[::]:80", "[fe80::1]:80", "169.254.1.1:80", "$backend", "a b:80", "\x1b[2J:80", "<script>:1"],
)
def test_endpoints_of_the_host_itself(endpoint):
    assert not fleet.is_remote(endpoint)


def test_a_remote_endpoint_is_shared_wherever_it_is_written(make):
    first = make.remote()
    second = make.remote(at=Place(file="/etc/nginx/other.conf", line=99))
    (shared,) = fleet.shared([make.result("web2", second), make.result("web1", first, first)])
    assert shared.hosts == ("web1", "web2")
    assert shared.count == 3
    assert shared.example is first and shared.example_host == "web1"


def test_a_local_endpoint_is_shared_only_at_the_same_line(make):
    other = make.finding(at=Place(file="/etc/nginx/sites-enabled/shop", line=13))
    assert len(fleet.shared([make.result("web1", make.finding()), make.result("web2", make.finding())])) == 1
    assert fleet.shared([make.result("web1", make.finding()), make.result("web2", other)]) == ()


def test_one_host_shares_nothing_with_itself(make):
    assert fleet.shared([make.result("web1", make.remote(), make.remote())]) == ()


def test_different_causes_at_one_endpoint_are_not_shared(make):
    assert fleet.shared([make.result("web1", make.remote()), make.result("web2", make.remote(id="network-unreachable"))]) == ()


def test_a_finding_without_a_place_is_a_hosts_own(make):
    nowhere = make.finding(route=None, at=None)
    assert fleet.shared([make.result("web1", nowhere), make.result("web2", nowhere)]) == ()


def test_the_most_certain_finding_is_the_example(make):
    doubtful = make.finding(certainty="possible")
    (shared,) = fleet.shared([make.result("web1", doubtful), make.result("web2", make.finding())])
    assert shared.example_host == "web2"


def test_states_add_up(make):
    counts = fleet.summary(make.fleet())
    assert counts == {
        "hosts": 9, "with_cause": 3, "healthy": 3, "unexplained": 0, "partial": 1, "no_nginx": 1, "undiagnosed": 1, "causes": 3, "risks": 0, "advice": 1,
    }


def test_a_status_that_is_not_known_is_not_healthy(make):
    assert fleet.state(make.result("web1", status="surprise")) == "undiagnosed"


def test_a_failure_without_a_known_cause_is_neither_healthy_nor_partial(make):
    unexplained = Unknown("unexplained", "127.0.0.1:3000", "open", "")
    assert fleet.state(make.result("web1", unknown=(unexplained,))) == "unexplained"
    assert fleet.state(make.result("web1", make.finding(), unknown=(unexplained,))) == "with_cause"
