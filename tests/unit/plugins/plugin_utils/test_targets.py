# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the second visit connects to."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _targets
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import WORKERS, World

TCP = "127.0.0.1:3000"


def batches(world: World, path="", method="GET", longest=10.0):
    bundle = _bundle.new("web1", _bundle.COLLECTED, "", world.answers)
    return _targets.batches(bundle, path, method, longest), bundle["targets"]


def targets(world: World, **options):
    return [target for batch in batches(world, **options)[0] for target in batch["targets"]]


def node(*lines: str) -> World:
    return World().site(*(lines or (f"location / {{ proxy_pass http://{TCP}; }}",))).service("shop.service", TCP)


def test_one_target_as_nginx_would_ask():
    (batch,), noted = batches(node())
    assert batch["identity"] == {"uid": 33, "gid": 33, "groups": [33], "pid": WORKERS[0]}
    (target,) = batch["targets"]
    assert {key: target[key] for key in ("endpoint", "speak", "method", "path", "version", "sni", "wait")} == {
        "endpoint": TCP,
        "speak": "http",
        "method": "GET",
        "path": "/",
        "version": "1.0",
        "sni": "",
        "wait": 10.0,
    }
    assert "routes" not in target
    assert noted == [
        {"id": target["id"], "endpoint": TCP, "path": "/", "wait": 10.0, "given": False, "otherwise": {}, "routes": ["/etc/nginx/nginx.conf#0"]}
    ]


def test_routes_that_ask_the_same_share_a_target():
    found = targets(node(f"location / {{ proxy_pass http://{TCP}/; }}", f"location /a/ {{ proxy_pass http://{TCP}/; }}"))
    assert len(found) == 1


def test_each_location_is_asked_for_its_own_path():
    found = targets(node(f"location / {{ proxy_pass http://{TCP}; }}", f"location /api/ {{ proxy_pass http://{TCP}/v1/; }}"))
    assert [target["path"] for target in found] == ["/", "/v1/"]


def test_the_path_of_the_user_is_asked_where_it_leads():
    world = node(f"location / {{ proxy_pass http://{TCP}; }}", f"location /api/ {{ proxy_pass http://{TCP}; }}")
    assert [target["path"] for target in targets(world, path="/health", method="HEAD")] == ["/health", "/api/"]


@pytest.mark.parametrize(("written", "wait"), [("", 10.0), ("proxy_read_timeout 2s;", 2.5), ("proxy_read_timeout 5m;", 10.0), ("proxy_read_timeout 0;", 10.0)])
def test_a_probe_waits_a_little_longer_than_nginx_and_never_longer_than_it_may(written, wait):
    assert targets(node(f"location / {{ proxy_pass http://{TCP}; {written} }}"))[0]["wait"] == wait


@pytest.mark.parametrize(("written", "patience"), [("", 0.0), ("proxy_read_timeout 2s;", 30.0), ("proxy_read_timeout 10s;", 0.0)])
def test_what_is_late_for_nginx_is_waited_for(written, patience):
    assert targets(node(f"location / {{ proxy_pass http://{TCP}; {written} }}"))[0]["patience"] == patience


@pytest.mark.parametrize(
    ("directive", "speak"),
    [
        ("proxy_pass http://127.0.0.1:3000", "http"),
        ("proxy_pass https://127.0.0.1:3000", "https"),
        ("fastcgi_pass 127.0.0.1:3000", "fastcgi"),
        ("uwsgi_pass 127.0.0.1:3000", "uwsgi"),
        ("scgi_pass 127.0.0.1:3000", "scgi"),
        ("grpc_pass grpc://127.0.0.1:3000", "grpc"),
        ("grpc_pass grpcs://127.0.0.1:3000", "grpcs"),
        ("memcached_pass 127.0.0.1:3000", "memcached"),
    ],
)
def test_each_pass_is_asked_in_its_own_protocol(directive, speak):
    assert [target["speak"] for target in targets(node(f"location / {{ {directive}; }}"))] == [speak]


def test_the_places_where_a_dead_backend_may_be_are_asked_too():
    world = World().passes(f"http://{TCP}").service("shop.service", "0.0.0.0:3001")
    world.listen("127.0.0.1:5432", comm="postgres")
    found, noted = batches(world)
    assert [target["endpoint"] for target in found[0]["targets"]] == [TCP, "127.0.0.1:3001"]
    assert [entry["routes"] for entry in noted] == [["/etc/nginx/nginx.conf#0"], []]


def test_nothing_but_the_endpoints_of_the_configuration_is_asked_when_they_are_up():
    world = node().service("other.service", "127.0.0.1:3001")
    assert [target["endpoint"] for target in targets(world)] == [TCP]


def test_peers_that_are_down_and_targets_that_are_not_known_are_not_asked():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001 down; }",)
    world = World().site("location / { proxy_pass http://shop; }", "location /x { proxy_pass http://$arg_to; }", outside=group).service("shop.service", TCP)
    assert [target["endpoint"] for target in targets(world)] == [TCP]


def test_without_root_no_process_is_entered():
    world = node()
    world.host["uid"] = 1000
    assert "pid" not in batches(world)[0][0]["identity"]


def test_of_very_many_endpoints_some_are_asked_and_the_rest_is_said():
    servers = " ".join(f"server 10.1.0.{number}:80;" for number in range(1, 101))
    world = World().passes("http://shop", outside=(f"upstream shop {{ {servers} }}",))
    world.replies = {f"10.1.0.{number}:80": {"connect": "ok", "tries": [{}]} for number in range(1, 101)}
    assert len(targets(world)) == 64
    result = world.judge()
    assert (result.status, len([item for item in result.unknown if item.id == "probe"])) == ("partial", 36)


def test_a_host_whose_nginx_does_not_run_is_asked_from_where_it_is():
    (batch,), _noted = batches(node().stopped())
    assert batch["identity"]["pid"] is None


class TestStatusPages:
    PHP = "unix:/run/php/php8.2-fpm.sock"

    def test_once_for_a_pool_and_after_its_routes(self):
        world = World().site(f"location / {{ fastcgi_pass {self.PHP}; }}", f"location /a/ {{ fastcgi_pass {self.PHP}; fastcgi_read_timeout 2s; }}")
        found, noted = batches(world.pool(self.PHP, status_path="/status"))
        asked = found[0]["targets"]
        assert [target["speak"] for target in asked] == ["fastcgi", "fastcgi", "fastcgi-status"]
        assert {key: asked[-1][key] for key in ("endpoint", "path", "wait", "identify")} == {
            "endpoint": self.PHP, "path": "/status", "wait": 1.0, "identify": False,
        }
        assert "pool" not in asked[-1] and noted[-1]["pool"] == "www (PHP 8.2)" and noted[-1]["routes"] == []

    @pytest.mark.parametrize(
        ("written", "endpoint"),
        [("*:9001", "127.0.0.1:9001"), ("[::]:9001", "[::1]:9001"), ("127.0.0.1:9001", "127.0.0.1:9001"), ("unix:/run/s.sock", "unix:/run/s.sock")],
    )
    def test_at_a_socket_of_its_own(self, written, endpoint):
        world = World().passes(f"fastcgi_pass {self.PHP}").pool(self.PHP, status_path="/status", status_listen=written)
        assert targets(world)[-1]["endpoint"] == endpoint

    @pytest.mark.parametrize("more", [{}, {"status_path": "status"}, {"status_path": "/status", "running": False}])
    def test_not_where_there_is_none(self, more):
        world = World().passes(f"fastcgi_pass {self.PHP}").pool(self.PHP, **more)
        assert "fastcgi-status" not in [target["speak"] for target in targets(world)]
