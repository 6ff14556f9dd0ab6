# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Healthy hosts of each kind: no rule finds anything, and nothing is unknown."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MNT, NOW, World, unknowns, verdict

GROUP = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)


def node() -> World:
    return World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")


def php() -> World:
    return World().passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock").pool("unix:/run/php/php8.2-fpm.sock")


def gunicorn() -> World:
    return World().passes("http://unix:/run/shop/app.sock").service("shop.service", "unix:/run/shop/app.sock", comm="gunicorn")


def uwsgi() -> World:
    return World().passes("uwsgi_pass unix:/run/shop/uwsgi.sock").service("shop.service", "unix:/run/shop/uwsgi.sock", comm="uwsgi")


def tls() -> World:
    return World().passes("https://127.0.0.1:8443").service("shop.service", "127.0.0.1:8443").reply("127.0.0.1:8443", {"speak": "https"})


def group() -> World:
    return World().passes("http://shop", outside=GROUP).service("a.service", "127.0.0.1:3000").service("b.service", "127.0.0.1:3001")


def remote() -> World:
    return World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", {})


HEALTHY = (node, php, gunicorn, uwsgi, tls, group, remote)


@pytest.mark.parametrize("make", HEALTHY)
def test_a_healthy_host_is_silent(make):
    result = make().judge()
    assert (result.status, verdict(result), unknowns(result), result.recovered) == ("diagnosed", [], [], ())


@pytest.mark.parametrize("make", HEALTHY)
def test_a_healthy_host_is_silent_about_its_neighbourhood(make):
    """Units that are down for good reasons, and programs that nobody proxies to, explain nothing."""
    world = make()
    world.unit("apt-daily.service", active="failed", fragment="/lib/systemd/system/apt-daily.service")
    world.unit("migrate.service", "*:3000", active="failed", type="oneshot")
    world.unit("old-shop.service", "127.0.0.1:3000", "unix:/run/shop/app.sock", active="inactive", enabled="disabled")
    world.program("worker", "STOPPED").app("report", "stopped", "*:9999")
    world.listen("0.0.0.0:9100", comm="node_exporter")
    world.listen("127.0.0.1:5432", comm="postgres")
    assert verdict(world.judge()) == []


@pytest.mark.parametrize(
    ("listener", "options"),
    [
        ("0.0.0.0:3000", {}),
        ("[::]:3000", {"v6only": False}),
        ("[::]:3000", {"v6only": None}),
        ("127.0.0.1:3000", {"comm": "systemd", "pid": 1}),
        ("127.0.0.1:3000", {"comm": "docker-proxy", "pid": 900}),
    ],
)
def test_whatever_takes_the_connection_is_enough(listener, options):
    world = World().passes("http://127.0.0.1:3000")
    world.listen(listener, **options)
    assert verdict(world.judge()) == []


def test_a_published_port_that_only_the_firewall_forwards_is_no_missing_listener():
    """Without docker-proxy a published port has no listener; the probe gets through all the same."""
    assert verdict(World().passes("http://127.0.0.1:3000").unit("shop.service", "*:3000", active="inactive").reply("127.0.0.1:3000", {}).judge()) == []


def test_a_socket_in_another_network_namespace_is_reached_by_its_path():
    world = gunicorn()
    world.listeners["unix"][0]["net"] = "4026530001"
    world.probing = False
    assert verdict(world.judge()) == []


def test_failures_that_are_over_are_told_and_are_no_cause():
    result = node().logged("127.0.0.1:3000", count=12).judge()
    assert verdict(result) == []
    assert unknowns(result) == []
    assert result.recovered == ("127.0.0.1:3000 answers again: connect() failed 12 times, last 2023-11-14 22:12:20 UTC",)


def test_a_deploy_on_another_host_of_the_run_is_over():
    peer = World("app1", "10.0.0.9")
    peer.service("shop.service", "0.0.0.0:8080", started=NOW - 100)
    world = World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", {}).logged("10.0.0.9:8080", "closed-early", last=NOW - 103)
    result = world.judge(peer)
    assert (verdict(result), unknowns(result), len(result.recovered)) == ([], [], 1)


def test_a_failure_that_nothing_explains_is_said_to_be_open():
    result = node().logged("127.0.0.1:3000", "closed-early").judge()
    assert verdict(result) == []
    assert unknowns(result) == [("unexplained", "127.0.0.1:3000", "open")]


def test_a_failing_probe_that_nothing_explains_is_said_to_be_open():
    result = node().reply("127.0.0.1:3000", {"status": "closed", "code": None, "header_bytes": None, "why": "closed without an answer"}).judge()
    assert verdict(result) == []
    assert unknowns(result) == [("unexplained", "127.0.0.1:3000", "open")]
    assert "closed without an answer" in result.unknown[0].why


def test_a_probe_that_ended_before_nginx_would_have_says_nothing():
    result = node().reply("127.0.0.1:3000", {"status": "timeout", "code": None, "seconds": 10.0}).judge()
    assert (verdict(result), unknowns(result)) == ([], [("probe", "127.0.0.1:3000", "timeout")])


@pytest.mark.parametrize("where", ["group", "leg"])
def test_a_peer_that_is_marked_down_gets_no_request(where):
    world = (
        World()
        .passes("http://shop", outside=("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001 down; }",))
        .service("shop.service", "127.0.0.1:3000")
    )
    world.unit("other.service", "127.0.0.1:3001", active="failed")
    if where == "group":
        world.logged("127.0.0.1:3000")
    assert verdict(world.judge()) == []


def test_a_host_whose_socket_was_removed_under_a_running_backend_has_no_invented_cause():
    world = gunicorn().missing("/run/shop/app.sock")
    result = world.judge()
    assert verdict(result) == []
    assert unknowns(result) == [("unexplained", "unix:/run/shop/app.sock", "open")]


def test_a_listener_elsewhere_than_in_the_namespace_of_nginx_makes_nothing_proven():
    world = World().passes("http://127.0.0.1:3000")
    world.listen("127.0.0.1:3000", net="4026532500")
    (finding,) = world.judge().findings
    assert (finding.id, finding.certainty, finding.alternatives) == ("backend-wrong-address", "possible", ("backend-not-running",))


def test_the_same_path_in_the_same_mount_namespace_is_no_private_tmp():
    world = World().passes("http://unix:/tmp/app.sock").service("shop.service", "unix:/tmp/app.sock", mnt=MNT)
    assert verdict(world.judge()) == []


def test_files_that_were_only_touched_before_the_load_are_not_pending():
    world = node()
    world.passes("http://127.0.0.1:3000", mtime=NOW - 3600)
    assert verdict(world.judge()) == []
