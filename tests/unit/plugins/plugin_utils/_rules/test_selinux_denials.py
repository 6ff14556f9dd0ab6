# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selinux-network-connect, selinux-socket-label, and ports that nginx may not bind, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _targets
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Finding, HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import (
    LOADED,
    MAIN,
    NOW,
    World,
    file_check,
    peer_check,
    port_check,
    unknowns,
    verdict,
)

TCP, REMOTE, SOCKET = "127.0.0.1:3000", "10.0.0.7:3000", "/run/shop/shop.sock"
CONNECT, LABEL, RELOAD, DOWN = "selinux-network-connect", "selinux-socket-label", "reload-pending", "nginx-not-running"
DENIED = port_check(3000, "ntop_port_t", ["httpd_can_network_connect"])


def tcp(endpoint: str = TCP, log: bool = True) -> World:
    world = World().passes(f"http://{endpoint}").selinux()
    if endpoint == TCP:
        world.service("shop.service", endpoint)
    else:
        world.reply(endpoint, {}).route("10.0.0.7")
    return world.logged(endpoint, "connect-denied", level="crit") if log else world


def unix(log: bool = True, mode: str = "0660") -> World:
    world = World().passes(f"http://unix:{SOCKET}").service("shop.service", f"unix:{SOCKET}").socket(SOCKET, mode=mode).selinux()
    world.units[-1]["runtime_directory"] = ["shop"]
    return world.logged(f"unix:{SOCKET}", "connect-denied", level="crit") if log else world


def way(kind: str = "var_run_t", allowed: bool | None = False, peer: str = "initrc_t", peer_allowed: bool | None = True) -> list[dict]:
    labels = [{"type": "httpd_runtime_t", "allowed": True, "booleans": []}]
    folder = file_check("/run/shop", "var_run_t", True, name="dir")
    return [folder, file_check(SOCKET, kind, allowed, labels=labels if allowed is False else []), peer_check(peer, peer_allowed)]


def told(host: World, *peers: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge(*peers))]


def first(result: HostResult, rule: str = "") -> Finding:
    return next(item for item in result.findings if item.kind != ADVICE and (not rule or item.id == rule))


# --- TCP


@pytest.mark.parametrize("endpoint", [TCP, REMOTE])
def test_a_port_is_denied(endpoint):
    finding = first(tcp(endpoint).decides(endpoint, DENIED).judge())
    assert (finding.id, finding.kind, finding.certainty) == (CONNECT, "cause", "proven")
    assert "httpd_t" in finding.says and "ntop_port_t" in finding.says
    assert any(item.from_ == "/sys/fs/selinux/access" for item in finding.evidence)
    assert "every program in httpd_t connect to any TCP port" in finding.fix.summary


def test_the_kernel_needs_no_log_to_be_believed():
    assert told(tcp(log=False).decides(TCP, DENIED)) == [(CONNECT, "cause", "proven")]


@pytest.mark.parametrize(
    "host",
    [
        tcp().decides(TCP, port_check(3000, "ntop_port_t", allowed=True)),
        tcp().decides(TCP, port_check(3000, "ntop_port_t", allowed=True), permissive=True),
        tcp().decides(TCP, DENIED, permissive=True),
        tcp(log=False).decides(TCP, port_check(3000, "ntop_port_t", allowed=True)),
        tcp(log=False),
        tcp().selinux(booleans=["httpd_can_network_connect"]),
        tcp().selinux("permissive"),
    ],
    ids=["allowed since", "a permissive domain", "a permissive domain that would be denied", "allowed", "no decision, no log", "a boolean is on", "permissive"],
)
def test_nothing_is_denied(host):
    assert told(host) == []


def test_a_host_without_selinux():
    host = World().passes(f"http://{TCP}").service("shop.service", TCP).logged(TCP, "connect-denied")
    assert told(host) == []
    assert host.judge().recovered


def test_what_was_denied_before_is_over_and_says_so():
    (said,) = tcp().decides(TCP, port_check(3000, "ntop_port_t", allowed=True)).judge().recovered
    assert "SELinux allows it" in said


def test_once_it_enforces():
    host = tcp(log=False).selinux("permissive", boot="enforcing").decides(TCP, DENIED)
    finding = first(host.judge())
    assert (finding.id, finding.kind, finding.certainty) == (CONNECT, "risk", "proven")
    assert "would deny" in finding.says and "next boot" in finding.says
    assert "selinux-not-enforcing" in [item.id for item in host.judge().findings]


def on_until_boot(later: bool | None, kind: str = "ntop_port_t", system: str = "debian") -> World:
    host = tcp(log=False).selinux(booleans=["httpd_can_network_connect"], system=system).decides(TCP, port_check(3000, kind, allowed=True))
    at_boot = dict(host.answers["selinux"]["value"]["booleans"], httpd_can_network_connect=later)
    host.answers["selinux"]["value"]["booleans_at_boot"] = None if later is None else at_boot
    return host


def test_a_boolean_that_is_on_until_the_next_boot():
    finding = first(on_until_boot(False).judge())
    assert (finding.id, finding.kind, finding.certainty) == (CONNECT, "risk", "likely")
    assert "only until the next boot" in finding.says and finding.fix.changes == ({"name": "httpd_can_network_connect", "value": True},)
    assert told(on_until_boot(True)) == told(on_until_boot(None)) == []


def test_another_boolean_that_stays():
    host = on_until_boot(False, "http_port_t")
    for when in ("booleans", "booleans_at_boot"):
        host.answers["selinux"]["value"][when]["httpd_can_network_relay"] = True
    assert told(host) == []


def test_a_log_that_says_otherwise_makes_it_doubtful():
    host = tcp().decides(TCP, DENIED).logged(TCP, "connect-refused", last=NOW - 5)
    finding = first(host.judge())
    assert (finding.id, finding.certainty) == (CONNECT, "likely") and finding.alternatives


@pytest.mark.parametrize("what", [{"last": LOADED - 60}, {"last": NOW - 600}])
def test_a_log_of_before_says_nothing_against_it(what):
    host = tcp().decides(TCP, DENIED).logged(TCP, "connect-refused", **what)
    assert told(host) == [(CONNECT, "cause", "proven")]


def test_the_record_of_a_denial_alone_is_likely_and_the_log_alone_possible():
    assert told(tcp().avc("name_connect", "ntop_port_t", "tcp_socket", port=3000)) == [(CONNECT, "cause", "likely")]
    assert told(tcp()) == [(CONNECT, "cause", "possible")]
    assert told(tcp().avc("name_connect", "ntop_port_t", "tcp_socket", port=3001)) == [(CONNECT, "cause", "possible")]
    assert told(tcp().avc("name_connect", "ntop_port_t", "tcp_socket", port=3000, permissive=True)) == [(CONNECT, "cause", "possible")]
    assert told(tcp(log=False).avc("name_connect", "ntop_port_t", "tcp_socket", port=3000)) == []
    assert first(tcp().judge()).fix.safety == "manual"


def test_without_probes_the_logs_are_all_there_is():
    host = tcp().avc("name_connect", "ntop_port_t", "tcp_socket", port=3000)
    host.probing = False
    assert told(host) == [(CONNECT, "cause", "likely")]


def test_a_prohibited_route_is_none_of_selinux():
    host = tcp(REMOTE).route("10.0.0.7", "prohibit").reply(REMOTE, connect="denied").decides(REMOTE, port_check(3000, "http_port_t", allowed=True))
    assert told(host) == [("network-unreachable", "cause", "proven")]
    host.decisions.clear()
    assert told(host) == [("network-unreachable", "cause", "proven")]


def test_a_decision_that_there_is_not_is_said():
    host = tcp(log=False).decides(TCP, status="error")
    assert told(host) == [] and ("selinux", TCP, "error") in unknowns(host.judge())
    host = tcp(log=False).decides(TCP, port_check(3000, "", allowed=None))
    assert told(host) == [] and ("selinux", TCP, "error") in unknowns(host.judge())
    assert ("selinux", TCP, "error") not in unknowns(tcp(log=False).selinux("permissive").decides(TCP, status="error").judge())


def test_a_port_is_denied_and_nothing_listens_there():
    host = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive").selinux().decides(TCP, DENIED).logged(TCP, "connect-denied")
    assert sorted(told(host)) == [("backend-not-running", "cause", "proven"), (CONNECT, "cause", "proven")]


def test_a_port_that_is_the_wrong_one_is_not_opened():
    host = World().passes("http://127.0.0.1:3001").service("shop.service", TCP, TCP).selinux()
    host.decides("127.0.0.1:3001", port_check(3001, "ntop_port_t", ["httpd_can_network_connect"]))
    assert [item[0] for item in told(host)] == ["backend-wrong-port"]


def test_a_backend_that_nginx_may_not_connect_to_saves_no_other():
    other = "127.0.0.1:3001"
    host = World().site("location / { proxy_pass http://pool; }", outside=(f"upstream pool {{ server {TCP}; server {other}; }}",))
    host.service("one.service", TCP).service("two.service", other).selinux().decides(TCP, DENIED).decides(other, port_check(3001, "ntop_port_t"))
    assert [item[1] for item in told(host)] == ["cause", "cause"]
    host.decides(other, port_check(3001, "ntop_port_t", allowed=True))
    assert told(host) == [(CONNECT, "risk", "proven")]


def stream(*checks: dict, log: bool = True, **more) -> World:
    target = "10.0.0.7:5432"
    text = f"user www-data;\nevents {{}}\nstream {{\n    server {{ listen 5433; proxy_pass {target}; }}\n}}\n"
    host = World().file(MAIN, text).selinux().decides(target, *checks, **more)
    return host.logged(target, "connect-denied", scheme="stream", status=None, server="0.0.0.0:5433") if log else host


def test_a_stream_is_decided_about_without_a_probe():
    host = stream(port_check(5432, "postgresql_port_t", ["httpd_can_network_connect", "httpd_can_network_connect_db"]))
    assert [batch["decide"] for batch in _targets.batches(host.bundle(), "", "GET", 10.0)] == [["10.0.0.7:5432"]]
    finding = first(host.judge())
    assert (finding.id, finding.kind, finding.certainty) == (CONNECT, "cause", "proven")
    assert finding.fix.changes == ({"name": "httpd_can_network_connect_db", "value": True},)
    assert told(stream(port_check(5432, "postgresql_port_t", allowed=True), log=False)) == []
    assert told(stream(port_check(5432, "postgresql_port_t"), log=False, domain="other_t")) == []


def test_no_stream_is_asked_about_where_there_is_no_selinux():
    host = stream(log=False)
    host.answers["selinux"] = World().answers["selinux"]
    assert _targets.batches(host.bundle(), "", "GET", 10.0) == []


# --- sockets


def test_the_label_of_a_socket():
    finding = first(unix().decides(f"unix:{SOCKET}", *way()).judge())
    assert (finding.id, finding.kind, finding.certainty, finding.fix.remedy) == (LABEL, "cause", "proven", "selinux_fcontext")
    assert "its label is var_run_t" in finding.says


def test_the_domain_of_the_program():
    finding = first(unix().decides(f"unix:{SOCKET}", *way("httpd_runtime_t", True, peer_allowed=False)).judge())
    assert (finding.id, finding.certainty, finding.fix.safety) == (LABEL, "proven", "manual")
    assert "node runs in initrc_t" in finding.says
    assert any("httpd_exec_t" in item.shows for item in finding.evidence)


@pytest.mark.parametrize(
    "host",
    [
        unix().decides(f"unix:{SOCKET}", *way(allowed=True)),
        unix().decides(f"unix:{SOCKET}", *way(), permissive=True),
        unix(log=False).decides(f"unix:{SOCKET}", *way(allowed=True)),
        unix(log=False),
        unix().selinux("permissive"),
    ],
    ids=["allowed since", "a permissive domain", "allowed", "no decision, no log", "permissive"],
)
def test_nothing_of_a_socket_is_denied(host):
    assert told(host) == []


def test_a_socket_once_it_enforces():
    assert told(unix(log=False).selinux("permissive").decides(f"unix:{SOCKET}", *way())) == [(LABEL, "risk", "proven")]


def test_permissions_are_a_cause_of_their_own():
    host = unix(mode="0600").reply(f"unix:{SOCKET}", connect="denied").decides(f"unix:{SOCKET}", *way(allowed=True)[:2])
    assert told(host) == [("socket-permission", "cause", "proven")]
    host.decisions.clear()
    assert told(host) == [("socket-permission", "cause", "proven")]


def test_permissions_and_label_are_two_causes():
    host = unix(mode="0600").reply(f"unix:{SOCKET}", connect="denied").decides(f"unix:{SOCKET}", *way()[:2])
    assert sorted(told(host)) == [(LABEL, "cause", "proven"), ("socket-permission", "cause", "proven")]


def test_an_apparmor_profile_is_none_of_selinux():
    host = unix(mode="0666").apparmor("nginx").apparmor_denied("nginx", name=SOCKET)
    host.answers["selinux"] = World().answers["selinux"]
    assert told(host) == [("apparmor-denied", "cause", "proven")]


def test_the_records_of_a_socket_without_a_decision():
    assert told(unix().avc("write", "var_run_t", "sock_file", path="shop.sock")) == [(LABEL, "cause", "likely")]
    assert told(unix().avc("connectto", "initrc_t", "unix_stream_socket", path=SOCKET)) == [(LABEL, "cause", "likely")]
    assert told(unix().avc("search", "user_home_t", "dir", path="/run/shop")) == [(LABEL, "cause", "likely")]
    assert told(unix().avc("write", "var_run_t", "sock_file", path="other.sock")) == [(LABEL, "cause", "possible")]
    assert told(unix().avc("read", "var_run_t", "file", path=SOCKET)) == [(LABEL, "cause", "possible")]
    assert told(unix().avc("write", "var_run_t", "sock_file", path="shop.sock", last=LOADED - 60)) == [(LABEL, "cause", "possible")]


def test_the_record_of_another_socket_of_the_same_name_is_not_shown():
    host = unix().decides(f"unix:{SOCKET}", *way())
    kind = next(check["target"] for check in way() if check["class"] == "sock_file").split(":")[2]
    mine = host.avc("write", kind, "sock_file", path="shop.sock")
    assert any(kind in item.shows for item in first(mine.judge()).evidence if item.from_ == "audit log")
    other = unix().decides(f"unix:{SOCKET}", *way()).avc("write", "tmp_t", "sock_file", path="shop.sock")
    assert [item for item in first(other.judge()).evidence if item.from_ == "audit log"] == []


# --- ports to listen on


def refused(port: int = 8088, text: str = "", running: bool = True) -> World:
    world = World().site(f"listen {port};", "location / { return 200; }", mtime=LOADED - 3600 if running else NOW, port=80).selinux()
    world.listen_of_nginx("0.0.0.0:80")
    return world.refused_reload(text or f"bind() to 0.0.0.0:{port} failed (13: Permission denied)")


def test_a_reload_was_refused_because_of_a_label():
    finding = first(refused().may_not_bind(8088).judge())
    assert (finding.id, finding.kind, finding.certainty, finding.fix.remedy, finding.fix.safety) == (RELOAD, "risk", "proven", "selinux_port", "risky")
    assert finding.fix.changes == ({"port": 8088, "protocol": "tcp", "type": "http_port_t", "booleans": [], "listen": MAIN},)
    assert "the last reload was refused, because SELinux does not let nginx, which runs in httpd_t, bind TCP port 8088 (unreserved_port_t)" in finding.says


def test_a_reload_would_be_refused():
    world = World().site("listen 8088;", "location / { return 200; }", mtime=NOW - 10).selinux().may_not_bind(8088).listen_of_nginx("0.0.0.0:80")
    finding = first(world.judge())
    assert (finding.id, finding.kind, finding.fix.remedy) == (RELOAD, "risk", "selinux_port")
    assert "a reload would be refused" in finding.says


def test_a_port_that_may_be_bound_by_now():
    finding = first(refused().may_not_bind(8088, allowed=True).judge())
    assert (finding.id, finding.fix.remedy) == (RELOAD, "reload_nginx")
    assert "SELinux" not in finding.says


@pytest.mark.parametrize(
    "host", [refused(), refused().may_not_bind(8088, permissive=True), refused().selinux("permissive").may_not_bind(8088)], ids=["none", "domain", "permissive"]
)
def test_a_port_whose_refusal_selinux_does_not_explain(host):
    finding = first(host.judge())
    assert (finding.id, finding.fix.safety) == (RELOAD, "manual") and "SELinux" not in finding.says


def test_a_port_about_which_the_kernel_gave_no_decision():
    for host in (refused(), refused().may_not_bind(8088, allowed=None)):
        fix = first(host.judge()).fix
        assert fix.safety == "manual" and "bind TCP port 8088, and what SELinux decides about it is not known" in fix.summary
    assert "SELinux" not in first(refused().selinux("permissive").judge()).fix.summary


def test_a_reload_that_was_refused_for_something_else_too():
    host = refused().may_not_bind(8088).refused_reload("bind() to 0.0.0.0:80 failed (98: Address already in use)")
    assert first(host.judge()).fix.safety == "manual"


def test_a_port_that_only_root_may_bind():
    host = refused(81)
    host.instance["master"]["uid"] = 1000
    finding = first(host.judge())
    assert "only root may bind ports below 1024" in finding.says and finding.fix.safety == "manual"


def test_a_port_that_somebody_of_the_host_needs():
    host = refused().may_not_bind(8088, "radan_http_port_t")
    host.listen("127.0.0.1:8088", pid=4000)
    host.answers["selinux"]["value"]["contexts"]["4000"] = "system_u:system_r:radan_t:s0"
    finding = first(host.judge())
    assert finding.fix.safety == "manual" and "radan_t" in finding.fix.summary


def test_nginx_that_could_not_start_for_a_port():
    host = World().site("listen 8088;", "location / { return 200; }").selinux().may_not_bind(8088).stopped(active="failed")
    finding = first(host.judge())
    assert (finding.id, finding.certainty, finding.fix.remedy) == (DOWN, "proven", "selinux_port")
    assert finding.fix.more == (("start_nginx", {"unit": "nginx.service"}),)
    assert "listen" not in finding.fix.changes[0]
    assert "SELinux does not let it, in httpd_t, bind TCP port 8088" in finding.says


def test_a_label_is_no_remedy_where_nobody_knows_what_listens_behind_the_permissions():
    """The mode of the socket keeps the probe out, so that the domain of the program was not told: a label of the socket may not suffice."""
    world = unix(mode="0600").decides(f"unix:{SOCKET}", *way()[:2])
    found = {item.id: item for item in world.judge().findings if item.kind == "cause"}
    assert found[LABEL].certainty == "proven" and found[LABEL].fix.safety == "manual" and "no connection reached" in found[LABEL].fix.summary
