# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backend-not-running and backend-start-failing, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
SOCK = "unix:/run/shop/app.sock"
PHP = "unix:/run/php/php8.2-fpm.sock"


def not_running(certainty="proven", kind="cause", endpoint=TCP, at=SHOP):
    return ("backend-not-running", kind, certainty, endpoint, at)


def start_failing(certainty="proven", kind="cause", endpoint=TCP, at=SHOP):
    return ("backend-start-failing", kind, certainty, endpoint, at)


def shop(**unit) -> World:
    return World().passes("http://127.0.0.1:3000").unit("shop.service", TCP, **unit)


# --- stopped


@pytest.mark.parametrize("claim", [TCP, "*:3000", "0.0.0.0:3000", "localhost:3000", "[::]:3000"])
def test_a_stopped_unit_that_claims_the_endpoint(claim):
    result = World().passes("http://127.0.0.1:3000").unit("shop.service", claim, active="inactive").judge()
    assert verdict(result) == [not_running()]
    assert unknowns(result) == []
    (finding,) = result.findings
    assert (finding.fix.remedy, finding.fix.safety, finding.next, finding.alternatives) == ("start_backend", "safe", "systemctl start shop.service", ())


def test_a_disabled_unit_is_started_and_enabled():
    (finding,) = shop(active="inactive", enabled="disabled").judge().findings
    assert finding.next == "systemctl enable --now shop.service"


@pytest.mark.parametrize(
    "unit",
    [
        {"active": "failed", "result": "signal", "started": NOW - 4000, "exited": NOW - 300, "code": "killed", "status": 11},
        {"active": "deactivating"},
        {"active": "activating", "sub": "start"},
        {"active": "activating", "sub": "start", "restarts": 1},
        {"active": "activating", "sub": "auto-restart", "started": NOW - 4000, "exited": NOW - 3},
    ],
)
def test_a_unit_that_is_down_although_it_did_start_once(unit):
    assert verdict(shop(**unit).judge()) == [not_running()]


def test_a_stopped_pool():
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, running=False).missing("/run/php/php8.2-fpm.sock", "/run/php")
    assert verdict(world.judge()) == [not_running(endpoint=PHP)]


def test_a_stopped_pool_beside_one_of_another_version_that_runs():
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, running=False).missing("/run/php/php8.2-fpm.sock")
    world.pool("unix:/run/php/php8.3-fpm.sock", version="8.3")
    (finding,) = world.judge().findings
    assert verdict(world.judge()) == [not_running(endpoint=PHP)]
    assert finding.next == "systemctl start php8.2-fpm.service"


def test_a_pool_that_its_running_master_did_not_load_is_not_mended_by_a_start():
    """The file of the pool is there, PHP-FPM was not reloaded; the other pool of the same master is not its socket."""
    world = World().passes("fastcgi_pass unix:/run/php/shop.sock").pool(PHP).pool("unix:/run/php/shop.sock", name="shop")
    world.listeners["unix"].pop()
    world.missing("/run/php/shop.sock")
    result = world.judge()
    assert verdict(result) == [not_running("likely", endpoint="unix:/run/php/shop.sock")]
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == (None, "manual")


@pytest.mark.parametrize("state", ["STOPPED", "EXITED"])
def test_a_stopped_supervisor_program(state):
    world = World().passes("http://127.0.0.1:3000").program("shop", state, "*:3000")
    assert verdict(world.judge()) == [not_running()]


def test_a_stopped_pm2_app():
    (finding,) = World().passes("http://127.0.0.1:3000").app("shop", "stopped", TCP).judge().findings
    assert (finding.id, finding.certainty, finding.next) == ("backend-not-running", "proven", "sudo -iu deploy pm2 start shop")


@pytest.mark.parametrize("kind", ["socket", "file"])
def test_what_lies_at_the_path_is_no_listener(kind):
    """A socket file of a killed process, and an ordinary file, refuse connections alike."""
    world = World().passes(f"http://{SOCK}").socket("/run/shop/app.sock", kind=kind).unit("shop.service", SOCK, active="inactive")
    assert verdict(world.judge()) == [not_running(endpoint=SOCK)]


def test_a_stopped_owner_beside_an_unrelated_listener():
    world = shop(active="inactive")
    world.listen("127.0.0.1:3001", comm="python3")
    world.listen("127.0.0.1:8080", comm="java")
    assert verdict(world.judge()) == [not_running()]


def test_a_stopped_owner_beside_another_program_on_the_same_port():
    """Which of them was meant cannot be seen; the one that says so is the likely one."""
    world = shop(active="inactive")
    world.listen("10.0.0.5:3000", comm="haproxy")
    (finding,) = world.judge().findings
    assert verdict(world.judge()) == [not_running("likely")]
    assert finding.alternatives == ("backend-wrong-address",)


def test_a_worker_that_shares_the_environment_of_the_stopped_owner_is_no_rival():
    """Both read PORT=3000; the worker runs and listens nowhere."""
    world = shop(active="inactive").unit("shop-worker.service", "*:3000", pid=77)
    assert verdict(world.judge()) == [not_running()]


def test_an_endpoint_of_a_nginx_that_is_down_is_no_stopped_program():
    world = World().passes("http://127.0.0.1:8080", name="front").site("location / { return 204; }", name="back", port=8080).stopped()
    assert [item[:2] for item in verdict(world.judge())] == [("nginx-not-running", "cause")]


def test_what_was_disabled_beside_one_that_may_have_taken_its_place_is_not_started():
    world = shop(active="inactive", enabled="disabled").service("shop-v2.service", "127.0.0.1:3001")
    (found,) = verdict(world.judge())
    assert found[:3] == ("backend-not-running", "cause", "likely")
    assert verdict(shop(active="inactive").service("shop-v2.service", "127.0.0.1:3001").judge()) == [not_running()]
    assert verdict(shop(active="inactive", enabled="disabled").service("stats.service", "127.0.0.1:3001").judge()) == [not_running()]


def test_two_that_claim_one_endpoint_of_which_the_enabled_one_is_meant():
    world = (
        World().passes("http://127.0.0.1:3000").unit("blue.service", TCP, active="inactive", enabled="disabled").unit("green.service", TCP, active="inactive")
    )
    assert world.judge().findings[0].next == "systemctl start green.service"


@pytest.mark.parametrize(
    "neighbour",
    [
        {"name": "apt-daily.service", "fragment": "/lib/systemd/system/apt-daily.service"},
        {"name": "shop-migrate.service", "type": "oneshot"},
        {"name": "shop-seed.service", "type": "oneshot", "claims": [{"endpoint": TCP, "from": "Environment"}]},
    ],
)
def test_a_failed_unit_that_serves_nobody_is_not_the_owner(neighbour):
    name = neighbour.pop("name")
    (finding,) = World().passes("http://127.0.0.1:3000").unit(name, active="failed", **neighbour).judge().findings
    assert (finding.id, finding.certainty) == ("backend-not-running", "likely")
    assert name not in finding.says + " ".join(item.shows for item in finding.evidence)


def test_a_failed_service_with_another_name_is_named_as_one_that_would_fit():
    result = World().passes("http://127.0.0.1:3000").unit("sync.service", active="failed").judge()
    assert verdict(result) == [not_running("possible")]
    assert "sync.service" not in result.findings[0].says
    assert ("would fit too", "systemd unit sync.service") in [(item.from_, item.shows) for item in result.findings[0].evidence]


def test_a_stopped_service_that_says_nothing_and_has_the_name_of_the_site():
    result = World().passes("http://127.0.0.1:3000").unit("shop.service", active="inactive").judge()
    assert verdict(result) == [not_running("likely")]
    assert result.findings[0].alternatives == ("backend-wrong-port",)


def test_nobody_is_known():
    result = World().passes("http://127.0.0.1:3000").judge()
    assert verdict(result) == [not_running("likely")]
    assert result.findings[0].fix.safety == "manual"


@pytest.mark.parametrize("manager", ["supervisor", "pm2"])
@pytest.mark.parametrize("status", ["denied", "timeout", "error"])
def test_nobody_is_known_and_not_everybody_was_asked(manager, status):
    world = World().passes("http://127.0.0.1:3000")
    world.answers["backends"]["value"][manager] = {"status": status, "asked": "", "value": None, "why": "", "truncated": False, "hidden": []}
    assert verdict(world.judge()) == [not_running("possible")]


def test_one_of_two_peers_is_a_risk_and_two_are_a_cause():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    world = World().passes("http://shop", outside=group).service("b.service", "127.0.0.1:3001").unit("a.service", TCP, active="inactive")
    assert verdict(world.judge()) == [not_running(kind="risk", at="/etc/nginx/sites-enabled/shop:1")]
    world = World().passes("http://shop", outside=group).unit("a.service", TCP, active="inactive").unit("b.service", "127.0.0.1:3001", active="inactive")
    at = "/etc/nginx/sites-enabled/shop:1"
    assert verdict(world.judge()) == [not_running(at=at), not_running(endpoint="127.0.0.1:3001", at=at)]


@pytest.mark.parametrize("directive", ["proxy_next_upstream off;", "proxy_next_upstream timeout http_503;"])
def test_one_of_two_peers_is_a_cause_where_nginx_does_not_go_on(directive):
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    world = (
        World()
        .site(f"location / {{ proxy_pass http://shop; {directive} }}", outside=group)
        .service("b.service", "127.0.0.1:3001")
        .unit("a.service", TCP, active="inactive")
    )
    assert verdict(world.judge()) == [not_running(at="/etc/nginx/sites-enabled/shop:1")]


@pytest.mark.parametrize(("first", "kind"), [("127.0.0.1:3000", "risk"), ("127.0.0.1:3002", "cause")])
def test_a_dead_backup_of_one_of_the_groups_that_a_map_chooses(first, kind):
    groups = (
        "map $host $pool { default web; api.example api; }",
        "upstream web { server 127.0.0.1:3003; }",
        f"upstream api {{ server {first}; server 127.0.0.1:3001 backup; }}",
    )
    world = World().site("location / { proxy_pass http://$pool; }", outside=groups).service("web.service", "127.0.0.1:3003")
    world.service("api.service", "127.0.0.1:3000").unit("spare.service", "127.0.0.1:3001", active="inactive")
    kinds = {finding.kind for finding in world.judge().findings if finding.route and finding.route["endpoint"] == "127.0.0.1:3001" and finding.kind != "advice"}
    assert kinds == {kind}


def test_a_dead_backup_is_a_risk():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001 backup; }",)
    world = World().passes("http://shop", outside=group).service("a.service", TCP).unit("b.service", "127.0.0.1:3001", active="inactive")
    assert verdict(world.judge()) == [not_running(kind="risk", endpoint="127.0.0.1:3001", at="/etc/nginx/sites-enabled/shop:1")]


def test_a_living_peer_that_was_not_probed_counts_as_one_that_listens():
    group = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)
    world = World().passes("http://shop", outside=group).service("b.service", "127.0.0.1:3001").unit("a.service", TCP, active="inactive")
    world.probing = False
    assert verdict(world.judge()) == [not_running(kind="risk", at="/etc/nginx/sites-enabled/shop:1")]


def test_a_living_peer_on_a_socket_of_another_network_namespace_counts():
    group = ("upstream shop { server 127.0.0.1:3000; server unix:/run/b.sock; }",)
    world = World().passes("http://shop", outside=group).service("b.service", "unix:/run/b.sock", net="4026532500").unit("a.service", TCP, active="inactive")
    world.probing = False
    assert verdict(world.judge()) == [not_running(kind="risk", at="/etc/nginx/sites-enabled/shop:1")]


def test_a_route_that_the_workers_have_not_read_is_a_risk_until_the_log_shows_it():
    world = World().passes("http://127.0.0.1:3000", mtime=NOW - 60).unit("shop.service", TCP, active="inactive")
    pending = ("reload-pending", "risk", "proven", "", "/etc/nginx/sites-enabled/shop")
    assert verdict(world.judge()) == [pending, not_running(kind="risk")]
    assert verdict(world.logged(TCP).judge()) == [not_running(), pending]


def test_routes_that_fail_alike_are_one_finding():
    world = World().passes("http://127.0.0.1:3000", name="a").passes("http://127.0.0.1:3000", name="b").unit("shop.service", TCP, active="inactive")
    (finding,) = world.judge().findings
    assert [finding.route["server"], *(route["server"] for route in finding.also)] == ["a.example", "b.example"]


def test_the_same_route_is_judged_for_a_nginx_in_a_namespace_of_its_own():
    world = World().passes("http://127.0.0.1:3000").unit("shop.service", TCP, active="inactive")
    world.listen(TCP, net="4026532500")
    assert verdict(world.judge()) == [not_running()]


# --- remote


def remote(connect="refused") -> World:
    return World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", connect=connect)


def test_a_remote_endpoint_that_refuses_is_likely_down_and_its_host_was_not_seen():
    result = remote().judge()
    assert verdict(result) == [not_running("likely", endpoint="10.0.0.9:8080")]
    assert "Nothing listens" not in result.findings[0].says
    assert "firewall-blocked" in result.findings[0].alternatives


@pytest.mark.parametrize("connect", ["timeout", "unreachable", "error", "full"])
def test_a_remote_endpoint_that_does_not_refuse_is_no_stopped_backend(connect):
    result = remote(connect).judge()
    expected = [("firewall-blocked", "cause", "possible", "10.0.0.9:8080")] if connect in ("timeout", "unreachable") else []
    assert [item[:4] for item in verdict(result)] == expected


def test_the_peer_of_the_fleet_says_that_its_unit_is_stopped():
    peer = World("app1", "10.0.0.9").unit("api.service", "*:8080", active="inactive")
    result = remote().judge(peer)
    assert verdict(result) == [not_running(endpoint="10.0.0.9:8080")]
    assert "api.service" in result.findings[0].says
    assert ("listening sockets on app1", "nothing listens on 10.0.0.9:8080") in [(item.from_, item.shows) for item in result.findings[0].evidence]


def test_the_peer_of_the_fleet_listens_and_refuses_all_the_same():
    peer = World("app1", "10.0.0.9").service("api.service", "0.0.0.0:8080")
    result = remote().judge(peer)
    assert [item[:4] for item in verdict(result)] == [("firewall-blocked", "cause", "likely", "10.0.0.9:8080")]


@pytest.mark.parametrize("answer", [{"status": "denied", "value": None, "why": "no"}, {"truncated": True}])
def test_a_peer_whose_listeners_are_not_known_proves_nothing(answer):
    peer = World("app1", "10.0.0.9").unit("api.service", "*:8080", active="inactive")
    peer.answers["listeners"].update(answer)
    assert verdict(remote().judge(peer)) == [not_running("likely", endpoint="10.0.0.9:8080")]


def test_an_unrelated_program_on_the_peer_is_not_taken_for_the_backend():
    peer = World("app1", "10.0.0.9")
    peer.listen("0.0.0.0:9300", comm="java", unit="search.service")
    assert verdict(remote().judge(peer)) == [not_running("likely", endpoint="10.0.0.9:8080")]


# --- fails to start


@pytest.mark.parametrize(
    "unit",
    [
        {"active": "failed", "result": "exit-code", "code": "exited", "status": 1, "started": NOW - 10, "exited": NOW - 9},
        {"active": "failed", "result": "exit-code", "restarts": 5, "started": NOW - 400, "exited": NOW - 300},
        {"active": "activating", "sub": "auto-restart", "restarts": 7, "started": NOW - 1, "exited": NOW},
        {"active": "activating", "sub": "auto-restart"},
        {"active": "activating", "sub": "start", "restarts": 4},
        {"active": "active", "restarts": 4, "started": NOW - 1},
    ],
)
def test_a_unit_that_fails_to_start(unit):
    result = shop(journal=["one", "Error: no \x1b[31mmodule"], **unit).judge()
    assert verdict(result) == [start_failing()]
    (finding,) = result.findings
    assert (finding.fix.remedy, finding.fix.safety, finding.next) == (None, "manual", "journalctl -u shop.service -n 50 --no-pager")
    assert ("last words of shop.service", "Error: no \\x1b[31mmodule") in [(item.from_, item.shows) for item in finding.evidence]


@pytest.mark.parametrize("state", ["FATAL", "BACKOFF"])
def test_a_supervisor_program_that_fails_to_start(state):
    assert verdict(World().passes("http://127.0.0.1:3000").program("shop", state, TCP).judge()) == [start_failing()]


def test_a_pm2_app_that_fails_to_start():
    assert verdict(World().passes("http://127.0.0.1:3000").app("shop", "errored", TCP, restarts=15).judge()) == [start_failing()]


def test_a_pool_whose_master_fails_to_start():
    world = World().passes(f"fastcgi_pass {PHP}").unit("php8.2-fpm.service", active="failed", fragment="/lib/systemd/system/php8.2-fpm.service")
    world.pool(PHP, running=False).missing("/run/php/php8.2-fpm.sock")
    assert verdict(world.judge()) == [start_failing(endpoint=PHP)]


@pytest.mark.parametrize("restarts", [0, 2, 4000])
def test_a_unit_that_was_restarted_and_serves_is_silent(restarts):
    world = World().passes("http://127.0.0.1:3000").service("shop.service", TCP)
    world.units[0]["restarts"] = restarts
    assert verdict(world.judge()) == []


# --- started again and again, and open for a moment each time


RESET = {"status": "reset", "code": None, "why": "Connection reset by peer"}
CLOSED = {"status": "closed", "code": None, "why": "closed"}
ANSWERED = {"status": "ok", "code": 200, "why": ""}
UP = {"active": "active", "started": NOW - 1}
DOWN = {"active": "activating", "sub": "auto-restart", "result": "exit-code", "started": NOW - 4, "exited": NOW - 2}


def looping(listens: bool, claims: tuple = (TCP,), **unit) -> World:
    """gunicorn, which listens before its workers boot, and ends when they do not."""
    world = World().passes("http://127.0.0.1:3000")
    pid = world.listen(TCP, comm="gunicorn", unit="shop.service", started=NOW - 1) if listens else None
    return world.unit("shop.service", *claims, pid=pid, restarts=9, journal=["Worker failed to boot."], **unit)


@pytest.mark.parametrize("claims", [(TCP,), ()])
def test_a_socket_that_was_there_and_whose_port_refuses(claims):
    result = looping(True, claims, **UP).reply(TCP, connect="refused").judge()
    assert verdict(result) == [start_failing("likely")]
    (finding,) = result.findings
    assert "open for a moment at a time" in finding.says and any("Worker failed to boot" in item.shows for item in finding.evidence)
    assert not any("nothing listen" in item.shows for item in finding.evidence)


@pytest.mark.parametrize("reply", [RESET, CLOSED])
def test_a_socket_that_was_not_there_and_whose_port_cuts_off(reply):
    assert verdict(looping(False, **DOWN).reply(TCP, reply).judge()) == [start_failing("likely")]


def test_one_that_cuts_off_while_it_is_up_fails_to_start_where_others_were_refused():
    world = looping(True, **UP).reply(TCP, RESET)
    assert verdict(world.judge()) == []
    every = tuple(NOW - 60 + 4 * number for number in range(15))
    world.logged(TCP, "connect-refused", moments=[every[3] + 2, every[9] + 2]).ended("shop.service", "exit", by="systemd", code=3, at=every)
    assert verdict(world.judge()) == [start_failing("likely")]


def busy(lost: bool = True, code: int = 3) -> World:
    """It ends every four seconds, whatever it gets; a request is lost with each of the last ends, and none is refused."""
    every = tuple(NOW - 60 + 4 * number for number in range(15))
    world = looping(True, **UP).reply(TCP, RESET).ended("shop.service", "exit", by="systemd", code=code, at=every)
    return world.logged(TCP, "reset-early", moments=[float(int(moment)) for moment in every], last=every[-1]) if lost else world


def test_one_whose_workers_fail_to_boot_did_not_end_by_the_requests_that_it_lost():
    every = tuple(NOW - 60.2 + 4 * number for number in range(15))
    for lost in (True, False):
        assert verdict(busy(lost).ended("shop.service", "boot-failed", at=every).judge()) == [start_failing("likely")]
        worker = busy(lost).ended("shop.service", "boot-failed", at=every).ended("shop.service", "worker-exit", code=3, at=every)
        assert verdict(worker.judge()) == [start_failing("likely")]


def test_of_one_that_ends_again_and_again_while_requests_are_lost_it_is_not_proven_that_they_end_it():
    result = busy(code=1).judge()
    assert verdict(result) == [("backend-crashed", "cause", "likely", TCP, SHOP)]
    assert result.findings[0].alternatives == ("backend-start-failing",)


def test_ends_without_a_lost_request_near_them_are_not_by_requests():
    """Each of them is within four seconds of one, and most are not within the second."""
    every = tuple(NOW - 60 + 4 * number for number in range(15))
    world = looping(True, **UP).reply(TCP, RESET).ended("shop.service", "exit", by="systemd", code=1, at=every)
    world.logged(TCP, "connect-refused", moments=[every[9] + 2]).logged(TCP, "reset-early", moments=[moment - 2 for moment in every[::2]], last=every[14] - 2)
    assert verdict(world.judge()) == [start_failing("likely")]


def test_one_that_ends_by_the_requests_that_it_gets_did_start():
    ends = (NOW - 40, NOW - 20, NOW - 2)
    world = looping(True, **UP).reply(TCP, connect="refused").logged(TCP, "closed-early", moments=list(ends), last=NOW - 2)
    world.logged(TCP, "connect-refused", moments=[NOW - 39, NOW - 19]).ended("shop.service", "exit", by="systemd", code=1, at=ends)
    assert [item[0] for item in verdict(world.judge())] == ["backend-crashed"]


@pytest.mark.parametrize(("listens", "unit"), [(True, UP), (False, DOWN)])
def test_one_that_is_up_in_the_end_is_well(listens, unit):
    assert verdict(looping(listens, **unit).reply(TCP, ANSWERED).judge()) == []


def test_one_whose_socket_somebody_else_has_is_not_judged_by_its_state():
    world = looping(False, **DOWN).reply(TCP, CLOSED)
    world.service("other.service", TCP, comm="java")
    assert "backend-start-failing" not in [item[0] for item in verdict(world.judge())]


# --- both addresses of localhost


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_addresses_of_localhost_are_one_backend_that_is_stopped(address):
    told = f"[{address}]:3000" if ":" in address else f"{address}:3000"
    world = World().passes("http://localhost:3000").resolve("localhost", "::1", "127.0.0.1").unit("shop.service", told, active="inactive")
    result = world.logged("[::1]:3000").logged(TCP).judge()
    assert verdict(result) == [not_running(endpoint=told)]
    (finding,) = result.findings
    assert finding.says == "Nothing listens on localhost:3000 (127.0.0.1 and ::1): systemd unit shop.service is inactive (dead), enabled."
    assert unknowns(result) == [] and len(finding.also) == 1


# --- its place is another's


IN_USE = ("Error: listen EADDRINUSE: address already in use 127.0.0.1:3001", "}", "Node.js v18.20.4")


def ousted(*journal: str, name: str = "shop.service", holder: bool = True) -> World:
    failed = {"active": "failed", "result": "exit-code", "code": "exited", "status": 1, "started": NOW - 20, "exited": NOW - 19.8, "journal": list(journal)}
    world = World().passes("http://127.0.0.1:3000").unit(name, "127.0.0.1:3001", **failed)
    return world.service("orders.service", "127.0.0.1:3001").site("location / { proxy_pass http://127.0.0.1:3001; }", name="orders") if holder else world


def test_a_program_that_finds_its_port_taken_may_be_meant_for_another():
    (finding,) = [item for item in ousted(*IN_USE).judge().findings if item.kind == "cause"]
    assert (finding.id, finding.certainty, finding.route["endpoint"]) == ("backend-start-failing", "likely", TCP)
    assert finding.alternatives == ("backend-wrong-port",)
    assert ("last words of shop.service", IN_USE[0]) in [(item.from_, item.shows) for item in finding.evidence]


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(ousted("Killed"), id="it says nothing of its port"),
        pytest.param(ousted(*IN_USE, holder=False), id="nobody has its port"),
        pytest.param(ousted(*IN_USE, name="grafana.service"), id="it has another name"),
    ],
)
def test_a_program_that_fails_for_itself_is_not_meant_for_another_port(world):
    (finding,) = [item for item in world.judge().findings if item.kind == "cause"]
    assert (finding.id, finding.route["endpoint"]) == ("backend-not-running", TCP)
