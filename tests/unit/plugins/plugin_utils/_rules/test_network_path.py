# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewall-blocked, network-unreachable and ephemeral-ports-exhausted, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Finding, HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, NET, NOW, OTHER_NET, World, unknowns, verdict

LOCAL, REMOTE = "127.0.0.1:3000", "10.0.0.7:3000"
FILTER, UNREACHABLE, PORTS = "firewall-blocked", "network-unreachable", "ephemeral-ports-exhausted"


def local(**reply) -> World:
    host = World().passes(f"http://{LOCAL}").service("shop.service", LOCAL)
    return host.reply(LOCAL, **reply) if reply else host


def remote(name: str = "web1", status: str = "ok", gateway: str = "", neighbour: str = "reachable", **reply) -> World:
    host = World(name).passes(f"http://{REMOTE}").route("10.0.0.7", status, gateway, neighbour)
    return host.reply(REMOTE, **reply) if reply else host.reply(REMOTE, {})


def told(host: World, *peers: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge(*peers))]


def first(result: HostResult) -> Finding:
    """Return the only finding that is no advice."""
    (finding,) = [item for item in result.findings if item.kind != ADVICE]
    return finding


def one(rule: str, certainty: str = "proven", kind: str = "cause") -> list[tuple[str, str, str]]:
    return [(rule, kind, certainty)]


# --- a packet filter


@pytest.mark.parametrize(
    ("word", "with_", "connect", "found"),
    [
        ("drop", "", "timeout", True),
        ("reject", "tcp reset", "refused", True),
        ("reject", "icmp-port-unreachable", "refused", True),
        ("reject", "icmpx admin-prohibited", "unreachable", True),
        ("reject", "", "unreachable", True),
        ("drop", "", "refused", False),
        ("reject", "tcp reset", "timeout", False),
        ("drop", "", "ok", False),
    ],
)
def test_a_rule_of_this_host_and_how_the_connection_fails(word, with_, connect, found):
    host = local(connect=connect) if connect != "ok" else local()
    assert told(host.filters(LOCAL, word, with_)) == (one(FILTER) if found else [])


def test_a_rule_that_may_match_is_likely():
    host = local(connect="timeout").filters(LOCAL, certain=False)
    finding = first(host.judge())
    assert (finding.id, finding.certainty, finding.alternatives) == (FILTER, "likely", (UNREACHABLE, "backend-overloaded"))


def test_the_name_of_who_made_the_rule_and_the_command():
    finding = first(local(connect="timeout").filters(LOCAL, by="ufw").judge())
    assert "(ufw)" in finding.says and finding.next == "ufw status verbose"
    assert "tcp dport 3000 drop" in finding.says
    assert finding.fix.safety == "manual"


def test_a_dropped_connection_is_a_timeout_and_a_rejected_one_an_error():
    site = "upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }"

    def host(policy: str, connect: str, word: str, with_: str) -> World:
        made = World().site(f"location / {{ proxy_pass http://shop; proxy_next_upstream {policy}; }}", outside=(site,))
        made.service("a.service", LOCAL).service("b.service", "127.0.0.1:3001")
        return made.reply(LOCAL, connect=connect).filters(LOCAL, word, with_)

    assert told(host("timeout", "timeout", "drop", "")) == one(FILTER, kind="risk")
    assert told(host("error", "timeout", "drop", "")) == one(FILTER)
    assert told(host("error", "refused", "reject", "tcp reset")) == one(FILTER, kind="risk")


def test_a_stopped_backend_behind_a_rule_is_both_and_the_backend_comes_first():
    host = (
        World().passes(f"http://{LOCAL}").unit("shop.service", LOCAL, active="inactive").filters(LOCAL, "reject", "tcp reset").reply(LOCAL, connect="refused")
    )
    assert told(host) == one("backend-not-running")


def test_an_open_socket_that_refuses_is_unexplained_where_no_rule_does_it():
    host = local(connect="refused")
    assert (told(host), unknowns(host.judge())) == ([], [("unexplained", LOCAL, "open")])


def test_an_open_socket_that_refuses_and_rules_that_could_not_be_read():
    host = local(connect="refused")
    host.network["filter"] = evidence.no_answer("nft", "denied", "only root may read the packet filter")
    assert told(host) == one(FILTER, "possible")


def test_a_full_table_of_connections_drops_what_is_new():
    host = remote(connect="timeout")
    host.network["conntrack"] = {"count": 65536, "max": 65536}
    assert told(host) == one(FILTER)
    host.network["conntrack"] = {"count": 65000, "max": 65536}
    assert told(host) == one(FILTER, "possible")


@pytest.mark.parametrize(
    ("connect", "seconds", "neighbour", "gateway", "expected"),
    [
        ("unreachable", 0.001, "reachable", "", one(FILTER, "likely")),
        ("unreachable", 0.001, "stale", "", one(FILTER, "likely")),
        ("unreachable", 3.06, "reachable", "", one(FILTER, "likely")),
        ("unreachable", 0.001, "reachable", "10.0.0.1", one(FILTER, "likely")),
        ("unreachable", 3.06, "reachable", "10.0.0.1", one(UNREACHABLE, "likely")),
        ("unreachable", 3.06, "none", "", one(UNREACHABLE)),
        ("unreachable", 0.01, "failed", "", one(UNREACHABLE)),
        ("unreachable", 3.06, "incomplete", "10.0.0.1", one(UNREACHABLE)),
        ("unreachable", 0.001, "none", "", one(FILTER, "possible")),
        ("timeout", 5.0, "reachable", "", one(FILTER, "possible")),
        ("timeout", 5.0, "none", "10.0.0.1", one(FILTER, "possible")),
        ("timeout", 5.0, "failed", "", one(UNREACHABLE)),
    ],
)
def test_what_fails_beyond_this_host(connect, seconds, neighbour, gateway, expected):
    assert told(remote(connect=connect, seconds=seconds, neighbour=neighbour, gateway=gateway)) == expected


def test_a_router_that_has_no_route():
    assert told(remote(connect="unreachable", errno=101, gateway="10.0.0.1")) == one(UNREACHABLE, "likely")


def test_the_other_host_of_the_run_says_that_its_socket_is_open():
    peer = World("app1", "10.0.0.7").service("api.service", "0.0.0.0:3000")
    result = remote(connect="timeout").judge(peer)
    finding = first(result)
    assert (finding.id, finding.certainty) == (FILTER, "likely")
    assert "open on app1" in finding.says
    assert ("listening sockets on app1", "0.0.0.0:3000 by node (pid 1001, api.service)") in [(item.from_, item.shows) for item in finding.evidence]


def test_a_full_accept_queue_over_there_is_no_filter():
    peer = World("app1", "10.0.0.7").service("api.service", "0.0.0.0:3000")
    peer.listeners["tcp"][0].update(accept_queue=512, backlog=511)
    result = remote(connect="timeout").judge(peer)
    assert [item for item in verdict(result) if item[0] == FILTER and item[2] != "possible"] == []


def test_without_a_probe_the_rule_is_likely_where_the_log_says_that_it_fails():
    host = local().filters(LOCAL)
    host.probing = False
    assert told(host) == []
    assert told(host.logged(LOCAL, "connect-timeout")) == one(FILTER, "likely")


# --- no way


@pytest.mark.parametrize(
    ("status", "connect", "errno"), [("none", "unreachable", 101), ("unreachable", "unreachable", 113), ("prohibit", "denied", 13), ("blackhole", "error", 22)]
)
def test_a_route_that_leads_nowhere(status, connect, errno):
    host = remote(status=status, connect=connect, errno=errno)
    assert told(host) == one(UNREACHABLE)
    host = remote(status=status, connect=connect, errno=errno)
    host.probing = False
    assert told(host) == []
    assert told(host.logged(REMOTE, "connect-unreachable", errno=errno)) == one(UNREACHABLE)


def test_permission_denied_by_a_route_is_not_called_selinux():
    finding = first(remote(status="prohibit", connect="denied").judge())
    assert "not SELinux" in finding.says and finding.next == "ip route get 10.0.0.7"


def test_a_link_that_is_down_is_named():
    host = remote(status="none", connect="unreachable", errno=101)
    host.network["links"].append({"name": "eth1", "up": False, "carrier": False, "kind": "", "addresses": ["10.0.0.1/24"]})
    finding = first(host.judge())
    assert "eth1, which has the address 10.0.0.1/24 in that network, is down" in finding.says and finding.fix.summary == "Bring eth1 up."


def test_a_link_that_is_down_beside_another_way_that_does_not_lead_there():
    host = remote(connect="timeout", gateway="192.0.2.1")
    host.network["links"].append({"name": "eth1", "up": True, "carrier": False, "kind": "", "addresses": ["10.0.0.1/24"]})
    assert told(host) == one(UNREACHABLE)
    host.reply(REMOTE, {})
    assert told(host) == []


def test_a_bridge_without_a_carrier_is_not_brought_up():
    host = remote(connect="unreachable", seconds=3.0, neighbour="failed")
    host.network["links"].append({"name": "docker0", "up": True, "carrier": False, "kind": "bridge", "addresses": ["10.0.0.1/24"]})
    finding = first(host.judge())
    assert "docker0" in finding.says and "has no carrier" in finding.says and "container or virtual machine that has 10.0.0.7" in finding.fix.summary


def test_a_network_of_its_own_that_does_not_run():
    host = remote(status="none", connect="unreachable", errno=101).unit("wg-quick@wg0.service", active="inactive", type="oneshot")
    finding = first(host.judge())
    assert "wg-quick@wg0.service" in finding.fix.summary
    assert ("systemctl show wg-quick@wg0.service", "systemd unit wg-quick@wg0.service: inactive (dead), enabled") in [
        (i.from_, i.shows) for i in finding.evidence
    ]


def test_no_address_of_ipv6_to_speak_from():
    host = World().passes("http://[2001:db8::7]:3000").reply("[2001:db8::7]:3000", connect="error", errno=99)
    assert told(host) == one(UNREACHABLE)


@pytest.mark.parametrize(("net", "blamed"), [(OTHER_NET, False), (NET, True)])
def test_a_port_of_a_container_that_is_not_published_is_not_filtered(net, blamed):
    peer = World("app1", "10.0.0.7").service("ssh.service", "0.0.0.0:22", comm="sshd")
    peer.listen("0.0.0.0:3000", net=net)
    peer.listeners["tcp"][1]["owners"][0]["container"] = "5" * 64
    assert (FILTER in str(told(remote(connect="refused"), peer))) is blamed


def test_a_peer_that_answers_again_is_no_fault():
    host = remote().logged(REMOTE, "connect-unreachable")
    result = host.judge()
    assert (verdict(result), len(result.recovered)) == ([], 1)


# --- local ports

RANGE = 60999 - 32768 + 1


def test_all_ports_taken():
    host = remote(connect="error", errno=99).sockets_to(REMOTE, time_wait=RANGE)
    finding = first(host.judge())
    assert (finding.id, finding.certainty, finding.fix.safety) == (PORTS, "proven", "manual")
    assert f"{RANGE} of {RANGE} local ports" in finding.says
    assert any(f"{RANGE} time-wait" in item.shows for item in finding.evidence)


def test_error_99_with_few_sockets_is_only_possible():
    assert told(remote(connect="error", errno=99).sockets_to(REMOTE, established=3)) == one(PORTS, "possible")
    assert told(remote(connect="error", errno=99).sockets_to(REMOTE, established=20000)) == one(PORTS, "likely")


def test_another_error_is_not_of_ports():
    host = remote(connect="error", errno=92).sockets_to(REMOTE, established=RANGE)
    assert [item for item in told(host) if item[0] == PORTS] == []


def test_ports_come_and_go_while_the_log_fills():
    host = remote().sockets_to(REMOTE, time_wait=RANGE).logged(REMOTE, "connect-no-port-left")
    assert told(host) == one(PORTS)
    assert told(remote().logged(REMOTE, "connect-no-port-left")) == one(PORTS, "likely")
    assert told(remote().sockets_to(REMOTE, time_wait=3).logged(REMOTE, "connect-no-port-left", last=NOW - 5)) == one(PORTS, "possible")
    assert told(remote().sockets_to(REMOTE, time_wait=3).logged(REMOTE, "connect-no-port-left", last=NOW - 90)) == one(PORTS, "likely")
    assert told(remote().logged(REMOTE, "connect-no-port-left", last=NOW - 5)) == one(PORTS, "possible")
    uncounted = remote().logged(REMOTE, "connect-no-port-left", last=NOW - 5)
    uncounted.answers["network"]["hidden"] = ["sockets in use: not told"]
    assert told(uncounted) == one(PORTS, "likely")


@pytest.mark.parametrize(
    ("time_wait", "established", "reuse", "expected"),
    [
        (0, 23000, 2, one(PORTS, kind="risk")),
        (23000, 0, 0, one(PORTS, kind="risk")),
        (23000, 0, 2, one(PORTS, kind="risk")),
        (23000, 0, 1, []),
        (14000, 0, 0, []),
    ],
)
def test_most_ports_taken_is_a_risk_unless_the_kernel_gives_them_out_again(time_wait, established, reuse, expected):
    host = remote().sockets_to(REMOTE, time_wait, established)
    host.network["tw_reuse"] = reuse
    assert told(host) == expected


def test_ports_that_wait_on_loopback_are_given_out_again():
    host = local().route("127.0.0.1", dev="lo").sockets_to(LOCAL, time_wait=RANGE)
    assert told(host) == []


def test_reserved_ports_are_not_in_the_range():
    host = remote(connect="error", errno=99).sockets_to(REMOTE, established=100)
    host.network["ports"] = {"first": 40000, "last": 40199, "reserved": 100}
    assert told(host) == one(PORTS)


def test_a_range_that_is_reserved_as_a_whole():
    host = remote(connect="error", errno=99)
    host.network["ports"] = {"first": 40000, "last": 40010, "reserved": 11}
    finding = first(host.judge())
    assert (finding.id, finding.certainty) == (PORTS, "proven") and "40000 to 40010 are reserved" in finding.says


def test_records_from_before_the_configuration_changed_say_nothing():
    host = World().passes(f"http://{REMOTE}", mtime=LOADED - 5).route("10.0.0.7").reply(REMOTE, {})
    host.logged(REMOTE, "connect-no-port-left", last=LOADED - 60)
    assert told(host) == []


def test_a_network_that_was_not_looked_at_is_unknown():
    host = remote(connect="timeout")
    host.answers["network"] = evidence.no_answer("rtnetlink", "error", "no")
    assert {(FILTER, "network", "error"), (UNREACHABLE, "network", "error"), (PORTS, "network", "error")} <= set(unknowns(host.judge()))


def test_sockets_of_files_have_no_way():
    host = World().passes("http://unix:/run/x.sock").socket("/run/x.sock")
    assert [item for item in told(host) if item[0] in (FILTER, UNREACHABLE, PORTS)] == []


def test_loopback_that_is_down():
    host = local(connect="timeout").route("127.0.0.1", dev="lo")
    host.network["links"].append({"name": "lo", "up": False, "carrier": False, "kind": "", "addresses": ["127.0.0.1/8"]})
    finding = first(host.judge())
    assert (finding.id, finding.certainty, finding.fix.summary) == (UNREACHABLE, "proven", "Bring lo up.")


def test_an_address_that_this_host_lost():
    host = remote(connect="timeout")
    host.listen(REMOTE, unit="api.service")
    finding = first(host.judge())
    assert (finding.id, finding.certainty) == (UNREACHABLE, "proven")
    assert "no link of it has the address 10.0.0.7 any more" in finding.says
    host = remote(connect="timeout")
    host.listen("0.0.0.0:3000", unit="api.service")
    assert told(host) == one(FILTER, "possible")


def test_a_rule_for_the_control_group_of_nginx():
    host = local().filters(LOCAL, certain=False).logged(LOCAL, "connect-timeout")
    host.network["filter"]["value"][LOCAL]["rule"] = "table ip filter, chain OUTPUT: -A OUTPUT -m cgroup --path system.slice/nginx.service -j DROP"
    assert told(host) == one(FILTER, "likely")
    host = local().filters(LOCAL, certain=False).logged(LOCAL, "connect-timeout")
    assert told(host) == []
