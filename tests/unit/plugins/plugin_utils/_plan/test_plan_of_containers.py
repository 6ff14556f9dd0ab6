# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for an nginx in a container: which file of the host is edited, whose nginx is told, and when the image has to change."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding, Fix, HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import managed, slots
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Allowed, Plan, build
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, World

TCP = "127.0.0.1:3000"
ID = "ab" * 32


def slow(**more) -> Finding:
    change = {"context": {"file": MAIN, "line": 3, "expects": "location /"}, "module": "proxy", "read": "120s"}
    values = {
        "id": "upstream-timeout", "kind": "cause", "certainty": "proven", "rank": 1, "at": Place(MAIN, 3), "says": "It took long.", "evidence": (),
        "route": {"listen": "*:80", "server": "shop.example", "location": "/", "pass": f"proxy_pass http://{TCP}", "endpoint": TCP},
        "alternatives": (), "next": "", "fix": Fix("upstream_timeout", "risky", "Wait longer.", "", (change,)), "instance": MAIN,
    }
    return Finding(**{**values, **more})


def contained(**source) -> World:
    """Return a host whose only nginx is in a container; source is where its file of the shop comes from."""
    world = World().file(MAIN, f"http {{\nserver {{ server_name shop.example;\n    location / {{\n        proxy_pass http://{TCP};\n    }}\n}}\n}}\n")
    world.instance["master"].update(own_root=True, container=ID)
    next(file for file in world.instance["files"] if file["path"] == MAIN)["source"] = {"kind": "host", "path": "/srv/shop/shop.conf", "why": "", **source}
    return world


def plan(world: World, *findings: Finding) -> Plan:
    return build(HostResult("web1", "diagnosed", "", {}, findings or (slow(),), (), ()), Host.of(world.bundle()), Allowed("risky"))


def test_a_mounted_file_is_edited_where_it_comes_from_and_its_own_nginx_is_told():
    made = plan(contained())
    ((change,),) = [step.changes for step in made.steps]
    assert change.item["context"] == {"file": MAIN, "line": 3, "expects": "location /", "container": ID}
    assert made.reloads == ({"path": MAIN, "container": ID},)
    assert "--- /srv/shop/shop.conf" in made.steps[0].diff and "+        proxy_read_timeout 120s;" in made.steps[0].diff


@pytest.mark.parametrize(("source", "why"), [
    ({"kind": "image", "path": ""}, f"{MAIN} is in the image of container {ID[:12]}: the image must change, or the file be mounted into the container"),
    ({"kind": "elsewhere", "path": "", "why": "it is kept by the engine"}, f"{MAIN} is a file of the container that nginx runs in (it is kept by the engine)"),
    ({"path": "/srv/shop/releases/7/shop.conf"}, "is /srv/shop/releases/7/shop.conf, in a folder that is replaced as a whole"),
])
def test_a_file_that_cannot_be_changed_there_is_for_a_person(source, why):
    made = plan(contained(**source))
    assert not made.steps and why in made.manual[0].why


def test_the_image_is_named_as_its_engine_names_it():
    containers = ({"id": "cd" * 32, "name": "db"}, {"id": ID, "name": "web", "image": "shop/web:7"})
    instance = Host.of(contained(kind="image", path="").bundle()).instances[0]
    assert "is in the image of container web (image shop/web:7)" in managed.why(instance, MAIN, False, containers)


def test_every_context_of_a_change_is_told_the_container():
    item = {"context": {"block": "http"}, "servers": ["127.0.0.11"], "also": [{"context": {"upstream": "api"}, "directives": []}]}
    assert slots.within(item, ID) == {
        "context": {"block": "http", "container": ID}, "servers": ["127.0.0.11"],
        "also": [{"context": {"upstream": "api", "container": ID}, "directives": []}],
    }


def test_one_line_of_two_containers_is_not_one_place():
    at = {"file": MAIN, "line": 3}
    one, other = ({"context": {"container": name}, "at": at, "args": [name]} for name in (ID, "cd" * 32))
    assert not slots.clash(slots.of("repoint_upstream", one), slots.of("repoint_upstream", other))
    assert slots.clash(slots.of("repoint_upstream", one), slots.of("repoint_upstream", {**one, "args": ["x"]}))


def test_a_name_that_comes_with_a_container_that_is_started_first_is_no_reason_to_wait():
    route = {"listen": "*:80", "server": "shop.example", "location": "/o", "pass": "proxy_pass http://orders:3000", "endpoint": "orders:3000"}
    change = {"engine": "/run/docker.sock", "id": "cd" * 32, "name": "orders", "action": "start"}
    start = slow(id="backend-not-running", route=route, fix=Fix("start_container", "safe", "Start it.", "", (change,)))
    made = plan(contained().invalid('host not found in upstream "orders" in /etc/nginx/nginx.conf:4'), start, slow())
    assert [step.remedy for step in made.steps] == ["start_container", "upstream_timeout"]
    for text in ('host not found in upstream "search"', 'unknown directive "orders"'):
        made = plan(contained().invalid(text), start, slow())
        assert [step.remedy for step in made.steps] == ["start_container"] and "nginx refuses" in made.held[0].why
