# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of findings that take several remedies, as those about SELinux do."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Allowed, Plan, build
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, NOW, World, file_check, peer_check, port_check

ALL = Allowed("risky", ids=("reload-pending",))
LABELS = ({"type": "http_port_t", "allowed": False, "booleans": ["httpd_can_network_connect", "httpd_graceful_shutdown"]},)


def plan(world: World) -> Plan:
    return build(world.judge(), Host.of(world.bundle()), ALL)


def steps(world: World) -> dict[str, list[dict]]:
    return {step.remedy: [change.item for change in step.changes] for step in plan(world).steps}


def in_a_home() -> World:
    path = "/home/deploy/shop/run/shop.sock"
    world = World().passes(f"http://unix:{path}").service("shop.service", f"unix:{path}").selinux()
    folder = file_check("/home/deploy/shop", "user_home_t", False, "user_home_t", "dir")
    folder["booleans"] = ["httpd_read_user_content"]
    labels = [{"type": "httpd_runtime_t", "allowed": True, "booleans": []}]
    return world.decides(f"unix:{path}", folder, file_check(path, "user_home_t", False, "user_home_t", labels=labels), peer_check("httpd_t", True))


def test_a_label_and_a_boolean_for_one_socket():
    made = steps(in_a_home())
    assert list(made) == ["selinux_boolean", "selinux_fcontext"]
    assert made["selinux_boolean"] == [{"name": "httpd_read_user_content", "value": True}]


def test_a_port_is_labelled_before_nginx_is_started():
    world = World().site("listen 8088;", "location / { return 200; }").selinux().may_not_bind(8088).stopped(active="failed")
    assert list(steps(world)) == ["selinux_port", "start_nginx"]


def test_a_port_to_listen_on():
    world = World().site("listen 8088;", "location / { return 200; }", mtime=NOW - 10).selinux().may_not_bind(8088).listen_of_nginx("0.0.0.0:80")
    assert steps(world) == {"selinux_port": [{"port": 8088, "protocol": "tcp", "type": "http_port_t", "booleans": [], "listen": MAIN}]}


def test_a_port_to_listen_on_waits_for_what_would_be_loaded_with_it():
    lines = ("listen 8088;", "location / { proxy_pass http://127.0.0.1:3000; }")
    world = World().site(*lines, mtime=NOW - 10).selinux().may_not_bind(8088).listen_of_nginx("0.0.0.0:80")
    made = plan(world)
    assert not made.steps and any("a reload would also load" in held.why for held in made.held)


def test_two_ports_of_a_host_and_their_booleans():
    ends = {"127.0.0.1:3000": "ntop_port_t", "127.0.0.1:5000": "commplex_main_port_t"}
    world = World().site(*[f"location /{number} {{ proxy_pass http://{end}; }}" for number, end in enumerate(ends)]).selinux()
    for end, kind in ends.items():
        world.service(f"app{end[-4:]}.service", end).decides(end, port_check(int(end[-4:]), kind, ["httpd_can_network_connect"], LABELS))
        world.answers["selinux"]["value"]["contexts"][str(world.units[-1]["main_pid"])] = "system_u:system_r:initrc_t:s0"
    assert [(item["port"], item["booleans"]) for item in steps(world)["selinux_port"]] == [
        (3000, ["httpd_graceful_shutdown"]),
        (5000, ["httpd_graceful_shutdown"]),
    ]
