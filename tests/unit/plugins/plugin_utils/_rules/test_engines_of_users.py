# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any user can run what says that it is an engine: its word moves no request of root's nginx, and hides no container of root's engine."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

USER = 4001
SOCKET = f"/run/user/{USER}/docker.sock"
AWAY = "203.0.113.66"


def claimed(world: World, name: str = "app", *networks: str, ports=(), state: str = "running", subnet: str = "", called: str = "bridge2", **more) -> World:
    """Let the engine of a user tell of a container, which listens in a namespace of its own."""
    world.engine["engines"].append({"socket": SOCKET, "kind": "docker", "version": "1", "api": "1.41", "uid": USER, "status": "ok", "why": ""})
    before = list(world.listeners["tcp"])
    world.container(name, *networks, ports=ports, state=state, **more)
    # What it says of ports of the host is not so.
    world.listeners["tcp"][:] = before
    world.contained(name)["engine"] = SOCKET
    if subnet:
        world.docker_network(called, subnet)
        world.engine["networks"][-1]["engine"] = SOCKET
    return world


def told(world: World) -> list[tuple[str, str, str, str]]:
    return [item[:4] for item in verdict(world.judge())]


def plain(target: str) -> World:
    world = World().passes(target)
    world.listen("0.0.0.0:22", comm="sshd")
    return world


def cases() -> dict[str, World]:
    moved = claimed(plain("http://127.0.0.1:3000"), "app", f"bridge2={AWAY}", ports=(f"{AWAY}:3000:3000",))
    near = claimed(plain("http://127.0.0.1:3000"), "app", f"bridge2={AWAY}", ports=("127.0.0.1:4000:3000",))
    gone = claimed(plain("http://10.0.0.9:3000"), "app", f"bridge2={AWAY}", subnet="10.0.0.0/8")
    other = claimed(plain("http://10.0.0.9:3000"), "app", "bridge2=10.0.0.9", subnet="10.0.0.0/8")
    for world in (moved, near, gone, other):
        world.listen("0.0.0.0:3000", inside="app")
    other.listeners["tcp"].pop()
    other.listen("0.0.0.0:4000", inside="app")
    return {"moved": moved, "near": near, "gone": gone, "other": other}


@pytest.mark.parametrize("case", cases())
def test_what_a_user_claims_proves_nothing_and_moves_nothing(case):
    result = cases()[case].judge()
    for finding in result.findings:
        assert not (finding.certainty == "proven" and finding.id.startswith("container-")) and finding.fix.remedy is None, finding
        assert AWAY not in finding.fix.summary


def published(state: str = "running", listen: str = "0.0.0.0:3000") -> World:
    """nginx on the host, root's application in a container."""
    world = plain("http://127.0.0.1:3000").docker_network("shop_default", "172.18.0.0/16")
    world.container("shop-app-1", "shop_default=172.18.0.3", ports=("127.0.0.1:3000:3000",), service="app", state=state)
    if state == "running":
        world.listen(listen, inside="shop-app-1")
    return world


def addressed(listen: str) -> World:
    world = plain("http://172.18.0.3:3000").docker_network("shop_default", "172.18.0.0/16")
    world.container("shop-app-1", "shop_default=172.18.0.3", service="app").listen(listen, inside="shop-app-1")
    return world


ROOTS = {
    "well": published,
    "a unit is down": lambda: plain("http://127.0.0.1:3000").unit("shop.service", "127.0.0.1:3000", active="inactive"),
    "down": lambda: published("exited"),
    "on its loopback": lambda: published(listen="127.0.0.1:3000"),
    "another port": lambda: published(listen="0.0.0.0:8000"),
    "by address, well": lambda: addressed("0.0.0.0:3000"),
    "by address, another port": lambda: addressed("0.0.0.0:8000"),
}


@pytest.mark.parametrize("state", ["running", "paused", "exited", "restarting"])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("case", ROOTS)
def test_what_root_s_engine_tells_is_told_whatever_a_user_claims_besides(case, same, state):
    world = claimed(
        ROOTS[case](), "shop-app-9", "shop_default=172.18.0.3", ports=("127.0.0.1:3000:3000", "0.0.0.0:3000:4000"), state=state, service="app",
        subnet="172.18.0.0/16", called="shop_default")
    world.engine["containers"].insert(0, world.engine["containers"].pop())
    if same and len(world.engine["containers"]) > 1:
        world.contained("shop-app-9").update(id=world.contained("shop-app-1")["id"])
    assert told(world) == told(ROOTS[case]())


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_that_a_user_s_container_is_down_is_likely_at_most(state):
    assert {item[2] for item in told(claimed(plain("http://127.0.0.1:3000"), "app", ports=("127.0.0.1:3000:3000",), state=state))} == {"likely"}


@pytest.mark.parametrize("name", ["x;reboot", "$(reboot)", "--help", "a b", "-v"])
@pytest.mark.parametrize("command", [["nginx", "-g", "daemon off;"], ["node"]])
def test_what_a_person_may_type_has_no_name_that_is_none(name, command):
    world = claimed(plain("http://127.0.0.1:3000"), name, ports=("127.0.0.1:3000:3000",), state="exited", command=command, restart_policy="always")
    findings = [finding for finding in world.judge().findings if finding.kind != "advice"]
    typed = [finding.next for finding in findings] + [item.from_ for finding in findings for item in finding.evidence]
    assert findings and any("docker " in item for item in typed) and not [item for item in typed if "docker " in item and name in item]


def test_a_user_does_not_say_that_root_s_nginx_was_replaced():
    def down() -> World:
        world = plain("http://127.0.0.1:9").docker_network("shop_default", "172.18.0.0/16")
        return world.container("web", "shop_default=172.18.0.2", ports=("0.0.0.0:8080:80",), state="exited", service="web", command=["nginx"])

    world = claimed(down(), "web2", "shop_default=172.18.0.2", ports=("0.0.0.0:8080:80",), service="web", command=["nginx"])
    assert "nginx-not-running" in [item[0] for item in told(world)] and told(world) == told(down())


@pytest.mark.parametrize(("uid", "mine"), [(33, False), (USER, True)])
def test_a_socket_of_another_user_is_not_one_of_a_user_s_containers(uid, mine):
    world = plain("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3000")
    world.listeners["tcp"][-1]["owners"][0]["uid"] = uid
    host = Host.of(claimed(world, "app", ports=("127.0.0.1:3000:3000",)).bundle())
    (leg,) = host.legs
    (listener,) = leg.listeners
    assert bool(host.container_behind(listener)) == mine
    assert (host.owner_of(listener).kind == "container") == mine
    assert ("container" in [owner.kind for owner in ends.side_of(host, leg).owners]) == mine
