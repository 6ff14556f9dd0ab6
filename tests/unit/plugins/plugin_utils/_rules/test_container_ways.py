# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways of nginx into containers, out of one, and from one to the next: what each fault is called, and that its look-alikes are nothing."""

from __future__ import annotations

import copy
import json
import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _judge
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NET, NOW, World, unknowns, verdict

APP, WEB = "shop-app-1", "shop-web-1"
LOOPBACK = "127.0.0.1:3000"
ANSWERED = {"status": "ok", "code": 200, "why": ""}


def published(listen: str = "0.0.0.0:3000", ports=("127.0.0.1:3000:3000",), target: str = "http://127.0.0.1:3000", state: str = "running", **more) -> World:
    """nginx on the host, an application in a container."""
    world = World().docker_network("shop_default", "172.18.0.0/16")
    world.container(APP, "shop_default=172.18.0.3", ports=ports, service="app", state=state, **more)
    if listen:
        world.listen(listen, inside=APP)
    return world.passes(target)


def beside(target: str, listen: str = "0.0.0.0:3000", *, web: str = "shop_default=172.18.0.2", app: str = "shop_default=172.18.0.3", **more) -> World:
    """nginx in a container, an application in another."""
    world = World().docker_network("shop_default", "172.18.0.0/16").docker_network("other", "172.19.0.0/16")
    world.container(WEB, web, service="web").container(APP, app, service="app", **more)
    if listen:
        world.listen(listen, inside=APP)
    return world.nginx_in(WEB).passes(target)


def without_proxy(world: World) -> World:
    """The kernel alone hands connections to published ports on."""
    world.listeners["tcp"][:] = [item for item in world.listeners["tcp"] if item["owners"][0]["comm"] != "docker-proxy"]
    return world.listen("0.0.0.0:22", comm="sshd") and world


def told(world: World) -> list[tuple[str, str, str, str]]:
    return [item[:4] for item in verdict(world.judge())]


def only(world: World) -> Finding:
    (finding,) = [item for item in world.judge().findings if item.kind != "advice"]
    return finding


def cause(name: str, endpoint: str = LOOPBACK, certainty: str = "proven") -> list[tuple[str, str, str, str]]:
    return [(name, "cause", certainty, endpoint)]


# --- nginx on the host, a published port


@pytest.mark.parametrize("make", [published, lambda: without_proxy(published()), lambda: published("[::]:3000")])
def test_a_published_port_on_which_the_application_listens_is_well(make):
    world = make()
    assert told(world) == [] and unknowns(world.judge()) == []
    world.probing = False
    assert told(world) == []


@pytest.mark.parametrize("listen", ["127.0.0.1:3000", "[::1]:3000"])
def test_the_engines_proxy_takes_a_connection_and_cuts_it_off_where_the_application_listens_on_its_own_loopback(listen):
    finding = only(published(listen))
    assert (finding.id, finding.certainty) == ("container-loopback-bind", "proven")
    assert "cuts it off" in finding.says and "0.0.0.0:3000" in finding.fix.summary and finding.fix.safety == "manual"


def test_without_a_probe_the_sockets_of_the_container_make_it_likely():
    world = published("127.0.0.1:3000")
    world.probing = False
    assert told(world) == cause("container-loopback-bind", certainty="likely")


def test_a_backend_that_breaks_off_by_itself_is_no_matter_of_containers():
    world = published().reply(LOOPBACK, {"status": "closed", "code": None, "why": "closed"})
    assert not [item for item in told(world) if item[0].startswith("container-") or item[0] == "backend-not-running"]


def test_the_port_is_published_to_one_on_which_nothing_listens():
    finding = only(published("0.0.0.0:8000"))
    assert finding.id == "container-port-mapping" and "listens on 8000" in finding.says
    assert '"127.0.0.1:3000:8000"' in finding.fix.summary and "/srv/shop/compose.yaml" in finding.fix.summary


def test_several_ports_leave_open_which_is_meant():
    world = published("0.0.0.0:8000")
    world.listen("0.0.0.0:9100", inside=APP)
    assert told(world) == cause("container-port-mapping", certainty="likely")


def test_a_port_that_the_image_promises_may_come_yet():
    assert told(published("0.0.0.0:9100", exposed=[3000])) == cause("container-port-mapping", certainty="likely")
    assert told(published("0.0.0.0:9100", exposed=[3000, 9100])) == cause("container-port-mapping")
    assert told(published("0.0.0.0:9100", started=NOW - 5)) == cause("container-port-mapping", certainty="likely")


def test_a_container_in_which_nothing_listens():
    finding = only(published(""))
    assert (finding.id, finding.certainty) == ("backend-not-running", "likely") and finding.fix.remedy is None
    assert told(published("", restarts=7, started=NOW - 2)) == cause("backend-start-failing", certainty="likely")


def test_a_container_whose_sockets_were_not_read_is_not_said_to_have_none():
    world = published("")
    world.contained(APP)["net"] = ""
    assert not [item for item in told(world) if item[2] == "proven"] and "container-port-mapping" not in [item[0] for item in told(world)]


@pytest.mark.parametrize("state", ["exited", "created", "dead"])
def test_a_container_that_is_down_publishes_nothing(state):
    finding = only(published("", state=state, exit_code=143))
    assert finding.id == ("backend-start-failing" if state == "dead" else "backend-not-running") and finding.certainty == "proven"
    if state != "dead":
        item = {"engine": "/run/docker.sock", "id": "01" * 32, "name": APP, "action": "start", "endpoint": LOOPBACK}
        assert (finding.fix.remedy, finding.fix.safety, finding.fix.changes) == ("start_container", "safe", (item,))


def test_a_container_that_stays_down_after_a_boot():
    assert "--restart=unless-stopped" in only(published("", state="exited", restart_policy="no")).fix.summary
    assert "--restart" not in only(published("", state="exited")).fix.summary


def test_an_engine_of_a_user_is_not_told_to_start_anything():
    world = published("", state="exited")
    world.engine["engines"][0]["uid"] = 1000
    assert only(world).fix.remedy is None


@pytest.mark.parametrize("name", ["-v", "a b", "x;reboot", ""])
def test_a_name_that_is_none_is_left_to_a_person(name):
    world = published("", state="exited")
    world.contained(APP)["name"] = name
    assert only(world).fix.remedy is None


def test_a_container_that_fails_to_start():
    crashed = only(published("", state="restarting", exit_code=1, restarts=7, words=["Error: no DATABASE_URL"]))
    assert (crashed.id, crashed.certainty) == ("backend-start-failing", "proven")
    assert "restarted 7 times" in crashed.says and any("DATABASE_URL" in item.shows for item in crashed.evidence)
    assert told(published("", state="exited", exit_code=1, started=NOW - 122)) == cause("backend-start-failing")
    assert told(published("", state="exited", exit_code=1, started=NOW - 900)) == cause("backend-not-running")
    assert told(published("", state="exited", exit_code=143, started=NOW - 122)) == cause("backend-not-running")
    assert told(published("", state="created", error="driver failed programming external connectivity")) == cause("backend-start-failing")


def cut_off(world: World) -> World:
    return world.reply(LOOPBACK, {"status": "reset", "code": None, "why": "Connection reset by peer"})


LOOP = {"restarts": 7, "exit_code": 1, "started": NOW - 2}


@pytest.mark.parametrize("proxy", ["", "docker-proxy", "rootlessport"])
def test_a_container_between_two_of_its_short_lives_whose_port_was_tried_in_one(proxy):
    world = cut_off(published("", state="restarting", **LOOP))
    if proxy:
        world.listen(LOOPBACK, comm=proxy)
    assert told(world) == cause("backend-start-failing", certainty="likely")


def test_a_container_that_ended_before_its_sockets_or_its_port_were_looked_at():
    for listen in ("", "0.0.0.0:3000"):
        world = cut_off(published(listen, **LOOP))
        world.contained(APP)["net"] = ""
        assert told(world) == cause("backend-start-failing", certainty="likely")
    assert told(published(**LOOP).reply(LOOPBACK, connect="refused")) == cause("backend-start-failing", certainty="likely")


def test_a_container_that_is_started_again_and_again_is_nothing_where_its_port_answers_or_is_somebody_elses():
    world = published("", state="restarting", **LOOP).reply(LOOPBACK, ANSWERED)
    world.listen(LOOPBACK, comm="docker-proxy")
    assert told(world) == told(published(**LOOP)) == []
    taken = cut_off(published("", state="restarting", **LOOP))
    taken.listen(LOOPBACK, comm="node")
    assert "backend-start-failing" not in [item[0] for item in told(taken)]


def test_a_container_that_the_kernel_killed():
    limits = {"limit": 64 << 20, "peak": None, "oom_kills": None}
    finding = only(published("", state="exited", exit_code=137, oom_killed=True, memory=limits))
    assert (finding.id, finding.certainty) == ("backend-oom-killed", "proven") and "64 MiB" in finding.says
    assert told(published("", state="exited", exit_code=137, started=LOADED)) == cause("backend-not-running")


def test_a_worker_of_a_container_that_the_kernel_killed():
    limits = {"limit": 64 << 20, "peak": None, "oom_kills": 2}
    assert told(published(memory=limits).logged(LOOPBACK, "closed-early")) == cause("backend-oom-killed", certainty="likely")
    assert [item[:3] for item in told(published(memory=limits))] == [("backend-oom-killed", "risk", "proven")]
    assert told(published(memory={**limits, "oom_kills": 0}).logged(LOOPBACK, "closed-early")) != cause("backend-oom-killed", certainty="likely")


def test_a_paused_container_takes_connections_and_answers_none():
    finding = only(published(state="paused"))
    assert (finding.id, finding.certainty) == ("backend-not-running", "proven") and "docker unpause" in finding.fix.summary


def test_a_stopped_container_beside_a_unit_that_took_its_place():
    taken = published("", state="exited", restart_policy="no").service("shop.service", "10.0.0.5:3000")
    assert told(taken) == cause("backend-wrong-address")
    meant = published("", state="exited").service("shop.service", "10.0.0.5:3000")
    assert told(meant) == cause("backend-not-running", certainty="likely")


# --- nginx on the host, a port that leads nowhere


def test_a_port_that_is_not_published():
    finding = only(published(ports=()))
    assert (finding.id, finding.certainty) == ("container-port-mapping", "proven") and 'ports: ["127.0.0.1:3000:3000"]' in finding.fix.summary


def test_a_container_that_is_called_otherwise_is_only_likely_meant():
    world = published(ports=())
    world.contained(APP).update(name="zeta", image="zeta:1", compose=None)
    assert told(world) == cause("container-port-mapping", certainty="likely")
    world.container("omega", "shop_default=172.18.0.4").listen("0.0.0.0:3000", inside="omega")
    assert told(world) == cause("container-port-mapping", certainty="possible")


def test_a_stopped_unit_that_claims_the_port_is_not_a_container_with_the_same_one():
    world = published(ports=()).unit("billing.service", LOOPBACK, active="inactive")
    assert told(world) == cause("backend-not-running")


@pytest.mark.parametrize(
    ("port", "place"),
    [("127.0.0.1:3001:3000", "127.0.0.1:3001"), ("10.0.0.5:3000:3000", "10.0.0.5:3000"), ("0.0.0.0:3001:3000", "127.0.0.1:3001")],
)
def test_a_port_that_is_published_elsewhere(port, place):
    finding = only(published(ports=(port,)))
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("container-port-mapping", "proven", "repoint_upstream")
    assert finding.fix.changes[0]["args"] == [f"http://{place}"]
    assert told(without_proxy(published(ports=(port,)))) == cause("container-port-mapping")


# --- nginx on the host, the address of a container


def test_the_address_of_a_container():
    assert told(published(target="http://172.18.0.3:3000", ports=())) == []
    assert told(published("127.0.0.1:3000", target="http://172.18.0.3:3000", ports=())) == cause("container-loopback-bind", "172.18.0.3:3000")
    finding = only(published("0.0.0.0:8000", target="http://172.18.0.3:3000", ports=()))
    assert finding.id == "container-port-mapping" and finding.fix.changes[0]["args"] == ["http://172.18.0.3:8000"]


def test_an_address_of_a_container_that_works_may_not_stay():
    def advice(world: World) -> list[Finding]:
        return [item for item in world.judge().findings if item.id == "container-port-mapping" and item.kind == "advice"]

    (outside,) = advice(published(target="http://172.18.0.3:3000", ports=()))
    assert 'ports: ["127.0.0.1:3000:3000"]' in outside.fix.summary
    (inside,) = advice(beside("http://172.18.0.3:3000"))
    assert "app:3000" in inside.fix.summary
    assert advice(beside("http://app:3000").resolve("app", "172.18.0.3")) == [] == advice(published())


def test_an_address_that_no_container_has_any_more():
    gone = published(target="http://172.18.0.9:3000", ports=())
    finding = only(gone)
    assert (finding.id, finding.certainty) == ("backend-wrong-address", "proven") and finding.fix.changes[0]["args"] == ["http://172.18.0.3:3000"]
    gone.route("172.18.0.9", neighbour="failed")
    assert told(gone) == cause("backend-wrong-address", "172.18.0.9:3000")
    down = published("", target="http://172.18.0.9:3000", ports=(), state="exited", exposed=[3000])
    assert told(down) == cause("backend-not-running", "172.18.0.9:3000", "likely")


# --- nginx in a container, its own loopback


def test_the_loopback_of_nginxs_own_container():
    finding = only(beside("http://127.0.0.1:3000"))
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("container-localhost", "proven", "repoint_upstream")
    assert finding.fix.changes[0]["args"] == ["http://app:3000"]


def test_of_several_containers_with_the_port_the_name_tells_which_is_meant():
    world = beside("http://127.0.0.1:3000").container("zeta", "shop_default=172.18.0.9")
    world.listen("0.0.0.0:3000", inside="zeta")
    finding = only(world)
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("container-localhost", "proven", None) and "and others" in finding.says
    world.container("shop", "shop_default=172.18.0.10").listen("0.0.0.0:3000", inside="shop")
    assert only(world).fix.changes[0]["args"] == ["http://shop:3000"]


def test_what_is_published_on_the_host_has_another_port_in_its_container():
    finding = only(beside("http://127.0.0.1:8080", ports=["0.0.0.0:8080:3000"]))
    assert finding.id == "container-localhost" and "app:3000" in finding.fix.summary


def test_a_program_of_the_host():
    world = beside("http://127.0.0.1:3000", "").service("shop.service", LOOPBACK)
    finding = only(world)
    assert (finding.id, finding.certainty) == ("container-localhost", "proven")
    assert "host.docker.internal:3000" in finding.fix.summary and "172.18.0.1" in finding.fix.summary


def test_beside_others_in_its_container_nginx_may_miss_one_of_them():
    world = beside("http://127.0.0.1:3000").nginx_in(WEB, alone=False)
    assert told(world) == cause("container-localhost", certainty="likely")


def test_what_listens_for_its_own_container_alone_may_be_another_ones():
    assert told(beside("http://127.0.0.1:3000", "127.0.0.1:3000")) == cause("container-localhost", certainty="likely")


def test_a_stopped_container_would_not_be_on_that_loopback_either():
    assert told(beside("http://127.0.0.1:3000", "", state="exited", exposed=[3000])) == cause("container-localhost", certainty="likely")


@pytest.mark.parametrize("unit", [False, True])
def test_nobody_has_the_port(unit):
    world = beside("http://127.0.0.1:3000", "")
    if unit:
        # Of the host: started, it would not be on that loopback.
        world.unit("shop.service", LOOPBACK, active="inactive")
    finding = only(world)
    assert (finding.id, finding.certainty) == ("backend-not-running", "possible") and "container-localhost" in finding.alternatives


def test_something_listens_in_nginxs_own_container():
    world = beside("http://127.0.0.1:3000")
    world.listen(LOOPBACK, inside=WEB)
    assert told(world) == []


def test_a_container_that_shares_the_network_of_nginxs():
    world = World().docker_network("shop_default", "172.18.0.0/16").container(WEB, "shop_default=172.18.0.2", service="web")
    world.container(APP, mode=f"container:{world.contained(WEB)['id']}", state="exited", service="app", exit_code=0).nginx_in(WEB)
    finding = only(world.passes("http://127.0.0.1:3000"))
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("backend-not-running", "proven", "start_container")


def test_beside_a_container_on_the_same_loopback_that_one_may_be_meant():
    world = World().docker_network("shop_default", "172.18.0.0/16").container("pod", "shop_default=172.18.0.2")
    world.container(WEB, mode=f"container:{world.contained('pod')['id']}").container(APP, "shop_default=172.18.0.3")
    world.listen("0.0.0.0:3000", inside=APP)
    finding = only(world.nginx_in(WEB).passes("http://127.0.0.1:3000"))
    assert (finding.id, finding.certainty, finding.alternatives) == ("container-localhost", "likely", ("backend-not-running",))
    assert f"container pod, whose network container {WEB} has" in finding.says


def test_of_several_containers_that_may_have_had_the_address_a_person_chooses():
    world = published(target="http://172.18.0.9:3000", ports=())
    assert only(world).fix.remedy == "repoint_upstream"
    world.container("other", "shop_default=172.18.0.4").listen("0.0.0.0:3000", inside="other")
    finding = only(world)
    assert (finding.id, finding.certainty, finding.fix.safety) == ("backend-wrong-address", "likely", "manual")


@pytest.mark.parametrize(
    ("target", "option"),
    [
        ("http://127.0.0.1:3000", "-p 127.0.0.1:3000:3000"),
        ("http://[::1]:3000", "-p [::1]:3000:3000"),
        ("http://localhost:3000", "-p 127.0.0.1:3000:3000"),
    ],
)
def test_what_is_published_for_the_loopback_is_open_to_nobody_else(target, option):
    world = without_proxy(World().docker_network("shop_default", "172.18.0.0/16").container(APP, "shop_default=172.18.0.3"))
    world.listen("0.0.0.0:3000", inside=APP)
    fixes = {item.fix.summary for item in world.resolve("localhost", "127.0.0.1", "::1").passes(target).judge().findings if item.kind == "cause"}
    assert fixes == {f"Make container {APP} anew with {option}."}


GONE = "container:" + "ab" * 32


def joined(joins: str, *, net: str, gone: bool = False, listen: str = "0.0.0.0:3000") -> World:
    """Of nginx and the application, the one that joins has the network of the other, as that was or is."""
    other = APP if joins == WEB else WEB
    world = World().docker_network("shop_default", "172.18.0.0/16")
    world.container(other, "shop_default=172.18.0.3", service="web" if other == WEB else "app")
    mode = GONE if gone else f"container:{world.contained(other)['id']}"
    world.container(joins, mode=mode, service="web" if joins == WEB else "app", **({"net": net} if net else {}))
    if listen:
        world.listen(listen, inside=APP)
    return world.nginx_in(WEB).passes("http://127.0.0.1:3000")


@pytest.mark.parametrize(
    ("joins", "gone", "certainty", "says", "does"),
    [
        (WEB, False, "proven", f"container {APP} was started again since", f"docker restart {WEB}"),
        (WEB, True, "proven", "made anew", "--force-recreate web (in /srv/shop)"),
        (APP, False, "proven", f"container {WEB} was started again since", f"docker restart {APP}"),
        (APP, True, "likely", "made anew", "--force-recreate app (in /srv/shop)"),
    ],
)
def test_a_container_is_left_in_the_network_that_another_had(joins, gone, certainty, says, does):
    finding = only(joined(joins, net="4026539999", gone=gone))
    assert (finding.id, finding.kind, finding.certainty, finding.fix.safety) == ("container-network-mismatch", "cause", certainty, "manual")
    assert says in finding.says
    assert does in finding.fix.summary


def test_a_container_that_still_has_the_network_that_it_joined():
    assert told(joined(WEB, net="")) == []
    assert told(joined(APP, net="")) == []
    assert told(joined(APP, net="", listen=LOOPBACK)) == []


@pytest.mark.parametrize("joins", [WEB, APP])
def test_without_a_socket_of_the_other_nothing_is_said_of_the_network(joins):
    assert all(item[0] != "container-network-mismatch" for item in told(joined(joins, net="4026539999", listen="")))


def test_a_backend_that_joined_a_container_which_nginx_reaches_by_its_address():
    world = World().docker_network("shop_default", "172.18.0.0/16").container("vpn", "shop_default=172.18.0.4", service="vpn")
    world.container(WEB, "shop_default=172.18.0.2", service="web")
    world.container(APP, mode=f"container:{world.contained('vpn')['id']}", service="app", net="4026539999").listen("0.0.0.0:3000", inside=APP)
    world.resolve("vpn", "172.18.0.4").nginx_in(WEB).passes("http://vpn:3000")
    finding = only(world)
    assert (finding.id, finding.certainty, finding.next) == ("container-network-mismatch", "proven", f"docker restart {APP}")
    world.contained(APP)["net"] = world.contained("vpn")["net"]
    for item in world.listeners["tcp"]:
        item["net"] = world.contained("vpn")["net"] if item["net"] == "4026539999" else item["net"]
    assert told(world) == []


def test_an_nginx_in_a_container_with_the_network_of_the_host():
    world = World().docker_network("shop_default", "172.18.0.0/16").container(WEB, mode="host", service="web")
    world.container(APP, "shop_default=172.18.0.3", ports=["127.0.0.1:3000:3000"], service="app").listen("0.0.0.0:3000", inside=APP)
    world.instance["master"].update(container=world.contained(WEB)["id"], own_root=True)
    assert told(world.passes("http://127.0.0.1:3000")) == []
    world.contained(APP)["published"] = []
    assert told(without_proxy(world)) == cause("container-port-mapping")


# --- nginx in a container, names


def test_a_name_on_a_common_network():
    assert told(beside("http://app:3000").resolve("app", "172.18.0.3")) == []


def test_a_name_is_not_found_while_its_container_is_down():
    finding = only(beside("http://app:3000", "", state="exited").unresolved("app"))
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("backend-not-running", "proven", "start_container")
    invalid = beside("http://app:3000", "", state="exited").unresolved("app").invalid('host not found in upstream "app"')
    assert told(invalid) == cause("backend-not-running", "app:3000")


def test_old_connections_to_a_container_that_is_down_are_explained_by_that():
    world = beside("http://app:3000", "", state="exited").unresolved("app").logged("172.18.0.3:3000", "connect-unreachable")
    assert told(world) == cause("backend-not-running", "app:3000") and unknowns(world.judge()) == []


def test_containers_without_a_common_network():
    world = beside("http://app:3000", app="other=172.19.0.3").unresolved("app")
    finding = only(world)
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("container-network-mismatch", "proven", "connect_network")
    assert finding.fix.changes == ({"engine": "/run/docker.sock", "id": "01" * 32, "name": WEB, "network": "other"},)
    assert "other: {external: true}" in finding.fix.summary
    inner = World().docker_network("shop_front", "172.18.0.0/16").docker_network("shop_back", "172.19.0.0/16")
    inner.container(WEB, "shop_front=172.18.0.2", service="web").container(APP, "shop_back=172.19.0.3", service="app")
    inner.engine["compose_files"] = [
        {"path": "/srv/shop/compose.yaml", "status": "ok", "why": "", "sha256": "", "uid": 0, "managed": "", "text": "services:\n  web:\n    image: x\n"}
    ]
    fix = only(inner.nginx_in(WEB).passes("http://app:3000").unresolved("app")).fix
    assert "networks: [back]" in fix.summary and "external" not in fix.summary and fix.diff == ""


def test_an_address_on_a_network_of_others():
    assert told(beside("http://172.19.0.3:3000", app="other=172.19.0.3")) == cause("container-network-mismatch", "172.19.0.3:3000")


def test_the_default_network_has_no_names():
    world = beside(f"http://{APP}:3000", web="bridge=172.17.0.2", app="bridge=172.17.0.3").unresolved(APP)
    finding = only(world)
    assert finding.id == "container-network-mismatch" and "no names are resolved" in finding.says and finding.fix.remedy is None
    connectable = beside(f"http://{APP}:3000", app="bridge=172.17.0.3").unresolved(APP)
    assert only(connectable).fix.changes[0] == {"engine": "/run/docker.sock", "id": "02" * 32, "name": APP, "network": "shop_default"}


def test_a_service_of_another_project_is_not_meant_by_its_name():
    world = beside("http://app:3000", app="other=172.19.0.3", project="billing").unresolved("app")
    world.contained(APP)["networks"][0]["aliases"] = []
    assert not [item for item in told(world) if item[0].startswith("container-")]


def test_a_name_that_no_container_has():
    world = beside("http://ap:3000").unresolved("ap").invalid('host not found in upstream "ap"')
    finding = next(item for item in world.judge().findings if item.id == "dns-host-not-found")
    assert "there are: app" in finding.fix.summary and "app may be meant" in finding.fix.summary


def test_a_name_server_that_gives_no_answer_says_nothing_of_containers():
    world = beside("http://app:3000", "", state="exited").unresolved("app", status="timeout", why="timed out")
    assert not [item for item in told(world) if item[0] == "backend-not-running"]


def test_a_published_port_between_containers():
    finding = only(beside("http://app:8080", ports=["0.0.0.0:8080:3000"]).resolve("app", "172.18.0.3"))
    assert finding.id == "container-port-mapping" and "app:3000" in finding.fix.summary


def test_another_port_of_the_container():
    finding = only(beside("http://app:8000").resolve("app", "172.18.0.3"))
    assert finding.id == "container-port-mapping" and "its program listens on 3000" in finding.says


def test_the_loopback_of_the_other_container():
    assert told(beside("http://app:3000", "127.0.0.1:3000").resolve("app", "172.18.0.3")) == cause("container-loopback-bind", "172.18.0.3:3000")


def test_a_paused_container_under_its_name():
    assert told(beside("http://app:3000", state="paused").resolve("app", "172.18.0.3")) == cause("backend-not-running", "172.18.0.3:3000")


def test_an_nginx_in_front_of_another():
    world = World().docker_network("shop_default", "172.18.0.0/16")
    world.container(WEB, "shop_default=172.18.0.2", service="web").container("inner", "shop_default=172.18.0.4", service="inner").nginx_in(WEB)
    world.listen("0.0.0.0:80", comm="nginx", inside=WEB, pid=100)
    world.listen("0.0.0.0:80", comm="nginx", inside="inner", pid=700)
    assert told(world.passes("http://inner:80").resolve("inner", "172.18.0.4")) == []
    assert told(world.passes("http://inner:8080").resolve("inner", "172.18.0.4")) == cause("container-port-mapping", "172.18.0.4:8080")


def test_the_log_of_a_container_has_its_own_process_ids():
    world = beside("http://app:3000", started=NOW - 300).resolve("app", "172.18.0.3")
    assert told(world.logged("172.18.0.9:3000", "connect-unreachable", pids=(7, 8))) == cause("dns-stale-address", "172.18.0.9:3000")
    outside = World().passes("http://app:3000").resolve("app", "10.0.0.8").logged("10.0.0.9:3000", "connect-unreachable", pids=(7, 8))
    assert "dns-stale-address" not in [item[0] for item in told(outside)]


def test_an_address_that_the_container_lost():
    world = beside("http://app:3000", started=NOW - 300).resolve("app", "172.18.0.3").logged("172.18.0.9:3000", "connect-unreachable")
    assert told(world) == cause("dns-stale-address", "172.18.0.9:3000")
    older = beside("http://app:3000", started=LOADED - 60).resolve("app", "172.18.0.3").logged("172.18.0.9:3000", "connect-unreachable")
    assert told(older) == cause("dns-stale-address", "172.18.0.9:3000", "likely")


def test_the_name_server_of_the_engine_is_asked_again_soon():
    world = beside("http://app:3000").site("set $app app;", "location / { proxy_pass http://$app:3000; }")
    finding = only(world.resolve("app", "172.18.0.3").dns("127.0.0.11", "app", "172.18.0.3", system=True, ttl=600))
    assert finding.id == "dns-resolver-missing"
    assert finding.fix.changes[0]["servers"] == ["127.0.0.11"] and finding.fix.changes[0]["valid"] == "10s"


# --- nginx in a container, the host


def test_a_program_of_the_host_that_containers_do_not_reach():
    finding = only(beside("http://172.17.0.1:3000", "").service("shop.service", LOOPBACK))
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("backend-wrong-address", "proven", None)
    assert "listen on 172.17.0.1:3000" in finding.fix.summary
    assert told(beside("http://172.17.0.1:3000", "").service("shop.service", "0.0.0.0:3000")) == []


def test_a_unit_of_the_host_that_is_stopped():
    world = beside("http://172.17.0.1:3000", "").unit("shop.service", "*:3000", active="inactive")
    assert told(world) == cause("backend-not-running", "172.17.0.1:3000")


def test_a_published_port_seen_from_a_container():
    assert told(beside("http://172.17.0.1:8080", ports=["0.0.0.0:8080:3000"])) == []
    finding = only(beside("http://172.17.0.1:8080", ports=["127.0.0.1:8080:3000"]))
    assert finding.id == "container-port-mapping" and "app:3000" in finding.fix.summary
    assert told(beside("http://172.17.0.1:8080", "127.0.0.1:3000", ports=["0.0.0.0:8080:3000"])) == cause("container-loopback-bind", "172.17.0.1:8080")


# --- an nginx container that is down


EMERG = '2026/11/27 06:00:00 [emerg] 1#1: host not found in upstream "app" in /etc/nginx/conf.d/default.conf:6'


def proxy_down(words: str = EMERG, *, proxy: str = "shop_default=", app: str = "shop_default=172.18.0.3", code: int = 1, policy: str = "no", **more) -> World:
    """No nginx of the host, and one in a container that ended two minutes ago."""
    world = World().docker_network("shop_default", "172.18.0.0/16").docker_network("other", "172.19.0.0/16")
    told = {"command": ["/docker-entrypoint.sh", "nginx", "-g", "daemon off;"], "restart_policy": policy, "words": [words] if words else None}
    world.container(WEB, proxy, service="web", state="exited", exit_code=code, started=NOW - 121, **told)
    world.container(APP, app, service="app", **{"started": NOW - 100, **more}).listen("0.0.0.0:3000", inside=APP)
    return world.stopped(enabled="disabled")


def whole(world: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(world.judge()) if item[1] == "cause"]


def test_nginx_was_started_before_the_container_whose_name_it_needs():
    world = proxy_down()
    assert whole(world) == [("startup-order", "cause", "proven")]
    finding = next(item for item in world.judge().findings if item.id == "startup-order")
    assert (finding.fix.remedy, finding.fix.safety) == ("start_container", "safe") and finding.fix.changes[0]["name"] == WEB
    assert "condition: service_healthy" in finding.fix.summary and "give app a healthcheck" in finding.fix.summary


def test_that_nginx_is_told_where_no_nginx_is_on_the_host():
    bundle = proxy_down().bundle()
    bundle["status"] = "no-nginx"
    bundle["answers"] = {key: bundle["answers"][key] for key in ("host", "containers")}
    result = _judge.judge(bundle)
    assert result.status == "diagnosed" and [item.id for item in result.findings] == ["startup-order"]
    bundle["answers"]["containers"]["value"]["containers"].clear()
    assert _judge.judge(bundle).status == "no-nginx"


def test_what_was_there_before_nginx_does_not_prove_its_order():
    assert whole(proxy_down(started=LOADED)) == [("startup-order", "cause", "likely")]


def test_nginx_did_not_start_for_want_of_a_container_that_is_down_or_apart():
    down = proxy_down(state="exited")
    assert whole(down) == [("backend-not-running", "cause", "proven")]
    finding = next(item for item in down.judge().findings if item.id == "backend-not-running")
    assert [item["name"] for item in finding.fix.changes] == [APP, WEB]
    assert whole(proxy_down(app="other=172.19.0.3")) == [("container-network-mismatch", "cause", "proven")]
    assert whole(proxy_down(EMERG.replace('"app"', '"ap"'))) == [("dns-host-not-found", "cause", "likely")]


def test_nginx_did_not_start_for_another_reason():
    assert whole(proxy_down('[emerg] 1#1: unknown directive "prxy_pass" in /etc/nginx/conf.d/default.conf:3')) == [("config-invalid", "cause", "likely")]


def test_a_stopped_nginx_container_is_missed_where_it_is_to_run():
    assert whole(proxy_down("", code=0, policy="always")) == [("nginx-not-running", "cause", "proven")]
    assert whole(proxy_down("", code=0)) == []
    assert whole(proxy_down(code=143)) == []


def test_a_stopped_nginx_container_is_not_missed_where_another_took_its_place():
    world = proxy_down(policy="always")
    world.contained(WEB)["published"] = [{"port": 80, "protocol": "tcp", "address": "0.0.0.0", "host_port": 8080}]
    world.listen("0.0.0.0:8080", comm="haproxy")
    assert whole(world) == []
    replaced = proxy_down(policy="always").container("shop-web-2", "shop_default=172.18.0.8", service="web", command=["nginx"])
    assert whole(replaced) == []


def advised(world: World) -> list[Finding]:
    return [item for item in world.judge().findings if item.id == "startup-order"]


def test_a_service_that_nginx_needs_at_its_start_is_to_be_healthy_first():
    def make(needs=None, target="http://app:3000", **more) -> World:
        world = beside(target, **more).resolve("app", "172.18.0.3")
        world.contained(WEB)["compose"]["depends_on"] = [{"service": one, "condition": condition} for one, condition in (needs or {}).items()]
        return world

    (advice,) = advised(make())
    assert (advice.kind, advice.certainty) == ("advice", "proven") and "does not wait for app" in str(advice.evidence)
    assert "app: {condition: service_healthy}" in advice.fix.summary and "give app a healthcheck" in advice.fix.summary
    (started,) = advised(make({"app": "service_started"}, healthcheck=True))
    assert "with condition service_started" in str(started.evidence) and "healthcheck" not in started.fix.summary
    assert advised(make({"app": "service_healthy"})) == []
    patched = make(healthcheck=True)
    text = "services:\n  web:\n    image: nginx\n  app:\n    image: app\n"
    patched.engine["compose_files"] = [
        {"path": "/srv/shop/compose.yaml", "status": "ok", "why": "", "sha256": "", "uid": 0, "managed": "", "text": text}
    ]
    assert "+        condition: service_healthy" in advised(patched)[0].fix.diff
    # Compose 1 labels nothing of it, so that the file must tell.
    patched.contained(WEB)["compose"]["depends_on"] = None
    assert "condition: service_healthy" in advised(patched)[0].fix.diff
    waiting = "    depends_on:\n      app:\n        condition: service_healthy\n"
    patched.engine["compose_files"][0]["text"] = text.replace("    image: nginx\n", f"    image: nginx\n{waiting}")
    assert advised(patched) == []
    patched.engine["compose_files"].clear()
    assert advised(patched) == []
    assert advised(make(project="billing")) == []
    looked_up = make().site("set $app app;", "resolver 127.0.0.11;", "location / { proxy_pass http://$app:3000; }").dns("127.0.0.11", "app", "172.18.0.3")
    assert advised(looked_up) == []


def test_what_was_on_a_network_of_containers_is_no_host_of_its_own():
    assert not [item for item in published(target="http://172.18.0.9:3000", ports=()).judge().findings if item.id == "single-backend"]


# --- what is not known


def test_a_service_of_a_swarm_is_not_judged():
    world = World().docker_network("ing", "10.9.0.0/24", driver="overlay").container("web", "ing=10.9.0.2").container("app", "ing=10.9.0.3")
    world.listen("0.0.0.0:3000", inside="app")
    world.nginx_in("web").passes("http://app:3000").resolve("app", "10.9.0.9")
    assert told(world) == [] and unknowns(world.judge()) == [("unexplained", "10.9.0.9:3000", "open")]


@pytest.mark.parametrize("status", ["denied", "timeout", "error"])
def test_an_engine_that_told_nothing_is_named(status):
    world = beside("http://127.0.0.1:3000")
    world.answers["containers"] = evidence.no_answer("the API of Docker", status, f"{status} by the test")
    result = world.judge()
    assert ("container-localhost", "containers", status) in unknowns(result)
    assert [item for item in verdict(result) if item[2] == "proven"] == []


def test_one_engine_that_is_closed_leaves_open_what_is_in_it():
    world = beside("http://127.0.0.1:3000", "")
    world.engine["engines"][0].update(status="denied", why="Permission denied")
    world.engine["containers"].clear()
    result = world.judge()
    assert ("container-localhost", "containers", "denied") in unknowns(result)
    assert [item for item in verdict(result) if item[2] == "proven"] == []


def beside_silent(world: World) -> World:
    """Podman runs too, and told nothing."""
    world.engine["engines"].append({**world.engine["engines"][0], "socket": "/run/podman/podman.sock", "kind": "podman", "status": "timeout", "why": "late"})
    return world


@pytest.mark.parametrize(
    "make",
    [
        lambda: published("127.0.0.1:3000"),
        lambda: published("0.0.0.0:8000"),
        lambda: published(state="exited", listen=""),
        lambda: beside(f"http://{APP}:8080", ports=("0.0.0.0:8080:3000",)).resolve(APP, "172.18.0.3"),
        lambda: beside("http://app:3000", app="other=172.19.0.3").unresolved("app"),
        lambda: beside("http://172.18.0.3:3000", "127.0.0.1:3000"),
    ],
)
def test_what_one_engine_told_stands_beside_one_that_is_silent(make):
    known = told(make())
    assert [item[2] for item in known] == ["proven"]
    result = beside_silent(make()).judge()
    assert [item[:4] for item in verdict(result)] == known
    assert [item for item in unknowns(result) if item[0].startswith("container-")] == []


def test_what_could_be_in_a_silent_engine_is_not_proven_and_said_to_be_unknown():
    for make in (
        lambda: beside("http://127.0.0.1:3000"),
        lambda: published(ports=("10.0.0.5:3000:3000",)),
        lambda: published(ports=()),
    ):
        result = beside_silent(make()).judge()
        assert told(make()) and "proven" not in [item[2] for item in verdict(result)]
        assert ("container-localhost", "containers", "timeout") in unknowns(result)


def test_of_an_nginx_in_a_container_of_a_silent_engine_nothing_is_said():
    world = beside_silent(beside("http://10.0.0.5:8080", "127.0.0.1:3000", ports=("0.0.0.0:8080:3000",)))
    world.engine["containers"] = [item for item in world.engine["containers"] if item["name"] != WEB]
    assert [item for item in told(world) if item[0].startswith("container-")] == []


def test_a_host_whose_routes_work_says_nothing_of_an_engine_that_is_closed():
    world = published()
    world.engine["engines"].append({**world.engine["engines"][0], "socket": "/run/podman/podman.sock", "status": "error", "why": "no answer"})
    assert unknowns(world.judge()) == []


def test_a_container_of_another_host_of_the_fleet():
    proxy = World().passes("http://10.0.0.7:3000").reply("10.0.0.7:3000", connect="refused")
    app = World("app1", "10.0.0.7").docker_network("shop_default", "172.18.0.0/16")
    app.container(APP, "shop_default=172.18.0.3", ports=["0.0.0.0:3000:3000"], service="app", state="exited")
    assert [item[:4] for item in verdict(proxy.judge(app))] == cause("backend-not-running", "10.0.0.7:3000")
    bound = World("app1", "10.0.0.7").docker_network("shop_default", "172.18.0.0/16")
    bound.container(APP, "shop_default=172.18.0.3", ports=["0.0.0.0:3000:3000"], service="app").listen("127.0.0.1:3000", inside=APP)
    assert [item[:4] for item in verdict(proxy.judge(bound))] == cause("container-loopback-bind", "10.0.0.7:3000")


# --- what real hosts said


def recorded(name: str) -> dict:
    with open(os.path.join(os.path.dirname(__file__), "..", "data", name), encoding="utf-8") as file:
        return json.load(file)


def causes(bundle: dict) -> list[tuple[str, str, str]]:
    """Return (id, certainty, endpoint) of each cause."""
    return sorted((item[0], *item[2:4]) for item in verdict(_judge.judge(bundle)) if item[1] == "cause")


def test_a_project_of_compose():
    """nginx and four applications in a lab: each has a fault of its own."""
    assert causes(recorded("containers-compose.json")) == [
        ("backend-not-running", "proven", "orders:3000"),
        ("container-loopback-bind", "proven", "172.19.0.2:3000"),
        ("container-network-mismatch", "proven", "search:3000"),
        ("container-port-mapping", "proven", "172.19.0.4:8080"),
    ]


def test_an_nginx_of_the_host_beside_one_in_a_container_with_an_engine_that_has_no_proxy():
    """Faults of both, beside routes that work: to published ports, by name, and to the host."""
    assert causes(recorded("containers-no-proxy.json")) == [
        ("backend-not-running", "proven", "127.0.0.1:3200"),
        ("backend-wrong-address", "likely", "172.19.0.99:3000"),
        ("backend-wrong-address", "proven", "172.19.0.1:4000"),
        ("container-localhost", "proven", "127.0.0.1:4001"),
        ("container-loopback-bind", "proven", "127.0.0.1:3100"),
        ("container-network-mismatch", "proven", "172.20.0.2:3000"),
        # The container had been started half a minute before.
        ("container-port-mapping", "likely", "172.19.0.5:3001"),
    ]


@pytest.mark.parametrize("name", ["containers-compose.json", "containers-no-proxy.json"])
def test_without_the_engines_word_nothing_of_these_hosts_is_said_to_be_proven_but_what_is(name):
    known = causes(recorded(name))
    bundle = recorded(name)
    bundle["answers"]["containers"] = evidence.no_answer("the API of Docker", "denied", "Permission denied")
    # That a name is not found, and that nobody has an address, is as true, and all that can be seen from outside.
    others = [item for item in causes(bundle) if item[1] == "proven" and item[0] not in ("dns-host-not-found", "network-unreachable")]
    assert [item for item in others if item not in known] == []


# --- the model


def test_whose_a_socket_is():
    host = Host.of(published().bundle())
    proxy = next(item for item in host.listeners if item.net == NET)
    inner = next(item for item in host.listeners if item.net != NET)
    assert host.net == NET
    assert [host.owner_of(item).label for item in (proxy, inner)] == [f"container {APP}"] * 2


def test_the_namespace_of_the_host_beside_an_nginx_in_a_container():
    host = Host.of(beside("http://127.0.0.1:3000").bundle())
    assert host.net == NET != host.instances[0].net
    assert host.container_of(host.instances[0]).name == WEB


# --- where the files of an nginx in a container are


def mounted(kind: str, path: str = "", target: str = "http://app:8080") -> World:
    """nginx in a container goes to the port of the host; its file comes from where kind and path say."""
    world = beside(target, ports=("0.0.0.0:8080:3000",)).resolve("app", "172.18.0.3")
    for file in world.instance["files"]:
        file["source"] = {"kind": kind, "path": path, "why": ""}
    return world


@pytest.mark.parametrize(("kind", "path", "where"), [
    ("host", "/srv/shop/nginx.conf", f"in container {WEB}; on the host /srv/shop/nginx.conf"),
    ("image", "", f"in container {WEB}, in its image"),
    ("elsewhere", "", f"in container {WEB}"),
])
def test_a_place_in_a_container_is_said_to_be_there(kind, path, where):
    finding = only(mounted(kind, path))
    assert (finding.id, finding.where, finding.fix.remedy) == ("container-port-mapping", where, "repoint_upstream")


def test_what_is_wrong_in_an_old_file_may_be_right_in_the_new_one():
    finding = only(mounted("replaced", "/srv/shop/nginx.conf"))
    assert (finding.id, finding.fix.safety, finding.next) == ("container-port-mapping", "manual", f"docker restart {WEB}")
    assert "/srv/shop/nginx.conf was replaced" in finding.evidence[-1].shows and "old file" in finding.where and "diagnose again" in finding.fix.summary


def test_two_nginx_in_containers_that_fail_alike_have_a_fix_each():
    """What is changed is changed in the files of one container."""
    world = mounted("host", "/srv/shop/nginx.conf")
    second = copy.deepcopy(world.instance)
    world.container("edge", "shop_default=172.18.0.9")
    second.update(id="/etc/nginx/nginx.conf (container edge)")
    second["master"].update(pid=200, container=world.contained("edge")["id"], net=world.contained("edge")["net"])
    for worker in second["workers"]:
        worker["net"] = world.contained("edge")["net"]
    world.contained("edge").update(pid=200, command=["nginx"])
    world.answers["nginx"]["value"]["instances"].append(second)
    found = [item for item in world.judge().findings if item.id == "container-port-mapping"]
    assert sorted(item.where for item in found) == [f"in container {name}; on the host /srv/shop/nginx.conf" for name in ("edge", WEB)]
    assert all(len(item.fix.changes) == 1 and not item.also for item in found)


def test_an_old_record_of_one_container_is_not_of_another_that_was_not_loaded_since():
    """Both number their processes by themselves; the one that wrote it has been loaded anew, and its line leads elsewhere."""
    world = beside("http://app:3000").resolve("app", "172.18.0.3")
    second = copy.deepcopy(World().passes("http://app:3000", name="second").instance)
    world.container("edge", "shop_default=172.18.0.9")
    second.update(id="/etc/nginx/nginx.conf (container edge)")
    second["master"].update(pid=200, container=world.contained("edge")["id"], net=world.contained("edge")["net"], own_root=True)
    world.contained("edge").update(pid=200, command=["nginx"])
    world.answers["nginx"]["value"]["instances"].append(second)
    world.logged("172.18.0.77:8080", "connect-refused", server="shop.example", pids=(9,), last=LOADED + 60)
    for worker in world.instance["workers"]:
        worker["started"] = LOADED + 120
    assert unknowns(world.judge()) == []


def test_a_place_on_the_host_needs_no_more_words():
    assert only(published("127.0.0.1:3000")).where == ""


def test_a_program_that_takes_ipv6_alone_in_a_container_without_it():
    world = published("")
    world.listen("[::]:3000", inside=APP, v6only=True)
    finding = only(world)
    assert (finding.id, finding.certainty, finding.fix.safety) == ("backend-wrong-address", "proven", "manual")
    assert "takes IPv6 alone" in finding.says and "0.0.0.0:3000" in finding.fix.summary


def test_one_that_takes_both_families_is_no_matter_of_its_address():
    world = published("")
    world.listen("[::]:3000", inside=APP, v6only=False)
    assert told(world) == []


# --- names that come and go, and names of several


def test_a_container_that_starts_again_and_again_has_no_name_in_between():
    """The engine was asked while it was up, the name while it was not."""
    world = beside("http://app:3000", "", restarts=7, started=NOW - 2).unresolved("app")
    finding = only(world)
    assert (finding.id, finding.kind) == ("backend-start-failing", "cause") and APP in finding.says


def test_two_containers_of_one_name_of_which_one_has_another_port():
    """To change the pass would break what works."""
    world = beside("http://app:3000", "0.0.0.0:8000").resolve("app", "172.18.0.3", "172.18.0.4")
    world.container("other-app", "shop_default=172.18.0.4", project="other", service="app").listen("0.0.0.0:3000", inside="other-app")
    finding = only(world)
    assert (finding.id, finding.kind, finding.fix.safety) == ("container-port-mapping", "risk", "manual") and "container other-app" in finding.fix.summary


def test_two_containers_of_one_name_that_are_alike():
    world = beside("http://app:3000", "0.0.0.0:8000").resolve("app", "172.18.0.3", "172.18.0.4")
    world.container("shop-app-2", "shop_default=172.18.0.4", service="app").listen("0.0.0.0:8000", inside="shop-app-2")
    assert {(item.id, item.fix.remedy) for item in world.judge().findings if item.kind == "cause"} == {("container-port-mapping", "repoint_upstream")}


# --- the engine itself


def without_engine(active: str = "inactive", enabled: str = "enabled", **more) -> World:
    """What was published is gone with the engine; a program of the host that no route uses speaks HTTP."""
    world = World().passes("http://127.0.0.1:8081")
    world.engine["engines"][0].update(status="absent", why="Docker does not run; its socket was not connected to, which would start it")
    world.unit("docker.service", active=active, enabled=enabled, **more)
    world.listen("127.0.0.1:4000", unit="legacy.service")
    return world.unit("legacy.service").reply("127.0.0.1:4000")


def test_with_the_engine_stopped_no_container_publishes_anything():
    finding = only(without_engine())
    assert (finding.id, finding.certainty, finding.next) == ("backend-not-running", "likely", "systemctl start docker.service")
    assert "docker.service" in finding.says and "not known while it does not run" in finding.says and "backend-wrong-port" in finding.alternatives


def test_an_engine_that_fails_to_start():
    assert only(without_engine("failed")).id == "backend-start-failing"


@pytest.mark.parametrize("change", [{"enabled": "disabled"}, {"active": "active"}])
def test_an_engine_that_runs_or_is_not_meant_to_is_no_reason(change):
    assert "docker.service" not in only(without_engine(**change)).says


def test_an_engine_that_is_stopped_beside_a_unit_that_claims_the_port():
    finding = only(without_engine().unit("shop.service", "127.0.0.1:8081", active="inactive"))
    assert (finding.id, finding.certainty) == ("backend-not-running", "proven") and "shop.service" in finding.says


def test_last_words_are_told_once():
    words = ["cannot open the database"] * 5
    finding = only(published("", state="exited", exit_code=1, restarts=9, words=words, started=NOW - 122, finished=NOW - 120))
    assert [item.shows for item in finding.evidence if item.from_.startswith("last words")] == ["cannot open the database"]


def test_a_name_is_looked_up_where_nginx_is():
    finding = only(beside("http://nobody:3000").unresolved("nobody").invalid('host not found in upstream "nobody"'))
    assert (finding.id, finding.next) == ("dns-host-not-found", f"docker exec {WEB} getent hosts nobody")
