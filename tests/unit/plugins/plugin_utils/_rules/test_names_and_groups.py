# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that fail, names that moved, and groups whose servers are put aside."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, MAIN, NOW, World, unknowns, verdict

NAME = "app.internal"
NOT_FOUND = f'host not found in upstream "{NAME}:3000"'
ADVICE = ("single-backend", "no-failover-policy", "dns-cached-at-start", "health-check-unavailable")


def told(world: World, *peers: World) -> list[tuple]:
    """Return (id, kind, certainty) of what is no advice of these rules, in order of rank."""
    result = world.judge(*peers)
    findings = sorted(result.findings, key=lambda finding: finding.rank)
    return [(finding.id, finding.kind, finding.certainty) for finding in findings if finding.id not in ADVICE]


def advised(world: World, rule: str) -> list:
    return [finding for finding in world.judge(only=(rule,)).findings if finding.id == rule]


def named(**more) -> World:
    """A pass to a name, resolved at start."""
    return World().passes(f"http://{NAME}:3000", **more)


def looked_up(*lines: str, to: str = f"http://{NAME}:3000") -> World:
    """A pass to a name that is looked up for each request."""
    return World().site("resolver 127.0.0.53;", *lines, f"set $to {to};", "location / { proxy_pass $to; }")


class TestHostNotFound:
    def test_nginx_is_down_for_it(self):
        world = named().unresolved(NAME).stopped(active="failed").invalid(NOT_FOUND)
        assert told(world) == [("dns-host-not-found", "cause", "proven")]
        (finding,) = world.judge().findings
        assert (finding.at.file, finding.at.line, finding.next) == ("/etc/nginx/sites-enabled/shop", 3, f"getent ahosts {NAME}")

    @pytest.mark.parametrize("status", ["timeout", "error"])
    def test_the_name_service_gives_no_answer(self, status):
        world = named().unresolved(NAME, status, "Temporary failure in name resolution").stopped().invalid(NOT_FOUND)
        assert told(world) == [("dns-host-not-found", "cause", "proven")]
        assert "gives no answer" in world.judge().findings[0].says

    def test_the_name_of_a_group_is_misspelt(self):
        world = World().passes("http://bakend", outside=["upstream backend { server 127.0.0.1:3000; }"]).unresolved("bakend").stopped()
        assert "upstream block backend" in world.invalid('host not found in upstream "bakend"').judge().findings[0].fix.summary

    def test_the_next_start_will_fail(self):
        assert told(named().unresolved(NAME).invalid(NOT_FOUND)) == [("dns-host-not-found", "risk", "proven")]

    def test_requests_fail_at_the_address_that_it_had(self):
        world = named().unresolved(NAME).invalid(NOT_FOUND).logged("10.0.0.9:3000")
        assert told(world) == [("dns-host-not-found", "cause", "proven")]
        assert unknowns(world.judge()) == []

    def test_nobody_means_nginx_to_run(self):
        assert told(named().unresolved(NAME).stopped(enabled="disabled").invalid(NOT_FOUND)) == [("dns-host-not-found", "risk", "proven")]

    def test_a_name_of_an_unused_group(self):
        world = World().site("location / { return 200; }", outside=[f"upstream old {{ server {NAME}:3000; }}"]).unresolved(NAME).stopped()
        assert told(world.invalid(NOT_FOUND, line=1)) == [("dns-host-not-found", "cause", "proven")]

    def test_without_a_test_the_name_itself_shows_it(self):
        world = named().unresolved(NAME).stopped()
        world.instance["test"] = evidence.no_answer("nginx -t", evidence.DENIED, "not root")
        assert told(world) == [("dns-host-not-found", "cause", "proven")]

    def test_without_the_answers_for_names_the_configuration_is_invalid(self):
        world = named().unresolved(NAME).stopped().invalid(NOT_FOUND)
        world.answers["names"] = evidence.no_answer("names", evidence.DENIED, "not root")
        assert told(world) == [("config-invalid", "cause", "likely")]

    def test_a_name_that_resolves_by_now_is_left_to_others(self):
        world = named().resolve(NAME, "127.0.0.1").service("shop.service", "127.0.0.1:3000").stopped().invalid(NOT_FOUND)
        assert told(world) == [("config-invalid", "cause", "proven")]

    @pytest.mark.parametrize("text", ['host not found in "app.internal:80" of the "listen" directive', 'host not found in resolver "app.internal"', "no such"])
    def test_another_fault_is_invalid_configuration(self, text):
        assert told(named().unresolved(NAME).stopped().invalid(text)) == [("config-invalid", "cause", "proven")]

    def test_nobody_knows_a_name_that_is_looked_up(self):
        world = looked_up().unresolved(NAME).dns("127.0.0.53", NAME, status="nxdomain")
        assert told(world) == [("dns-host-not-found", "cause", "proven")]
        assert unknowns(world.judge()) == []

    def test_the_host_was_not_heard(self):
        world = looked_up().unresolved(NAME, "timeout").dns("127.0.0.53", NAME, status="nxdomain")
        assert told(world) == [("dns-host-not-found", "cause", "likely")]


class TestResolverMissing:
    @pytest.mark.parametrize(
        "target",
        ["http://localhost:3000$request_uri", "http://localhost:3000$uri$is_args$args", "$scheme://localhost:3000", "http://localhost:3000/$arg_x"],
    )
    def test_a_variable_anywhere_in_the_pass(self, target):
        world = World().passes(target).service("shop.service", "127.0.0.1:3000").resolve("localhost", "127.0.0.1")
        assert told(world) == [("dns-resolver-missing", "cause", "proven")]
        assert unknowns(world.judge()) == []

    @pytest.mark.parametrize(
        ("outside", "target"),
        [
            ("", "http://127.0.0.1:3000$request_uri"),
            ("upstream app { server 127.0.0.1:3000; }", "http://app$request_uri"),
            ("upstream App { server 127.0.0.1:3000; } map $host $to { default app; }", "http://$to"),
            ("map $host $to { default 127.0.0.1:3000; }", "http://$to"),
            ("server { listen 81; location / { proxy_pass http://LOCALHOST:3000/x; } }", "http://localhost:3000$request_uri"),
            ("server { listen 81; location / { return 200; fastcgi_pass localhost:3000; } }", "http://localhost:3000$request_uri"),
        ],
    )
    def test_what_needs_no_look_up(self, outside, target):
        world = World().passes(target, outside=[outside]).service("shop.service", "127.0.0.1:3000").resolve("localhost", "127.0.0.1")
        assert [item for item in told(world) if item[0].startswith("dns")] == []

    @pytest.mark.parametrize("outside", ["server { location / { proxy_pass http://localhost:3001; } }", "upstream localhost { server 127.0.0.1:3000; }"])
    def test_another_port_and_a_group_without_one_do_not_serve_it(self, outside):
        world = World().passes("http://localhost:3000$request_uri", outside=[outside]).service("shop.service", "0.0.0.0:3000").resolve("localhost", "127.0.0.1")
        assert ("dns-resolver-missing", "cause", "proven") in told(world)

    @pytest.mark.parametrize("directive", ["fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"])
    def test_other_protocols(self, directive):
        scheme = "grpc://" if directive == "grpc_pass" else ""
        world = World().site(f"set $to {scheme}php:9000;", f"location / {{ {directive} $to; }}").resolve("php", "127.0.0.1")
        assert told(world) == [("dns-resolver-missing", "cause", "proven")]

    def test_stream(self):
        text = "stream { map $ssl_preread_server_name $to { default db.internal:5432; } server { listen 5432; proxy_pass $to; } }"
        world = World().file(MAIN, text).resolve("db.internal", "127.0.0.1")
        assert told(world) == [("dns-resolver-missing", "cause", "proven")]

    def test_a_route_that_is_not_loaded_yet(self):
        world = named().resolve(NAME, "127.0.0.1").service("shop.service", "127.0.0.1:3000")
        world.passes("http://localhost:3000$request_uri", mtime=NOW - 10)
        assert ("dns-resolver-missing", "risk", "proven") in told(world)

    def test_names_that_only_requests_tell(self):
        world = World().passes("http://$host").logged("", "no-resolver", detail={"name": "x.example"})
        assert ("dns-resolver-missing", "cause", "likely") in told(world)
        assert "x.example" in world.judge().findings[0].says

    @pytest.mark.parametrize(
        "lines",
        [
            ("resolver 127.0.0.53;", f"set $to http://{NAME}:3000;", "location / { proxy_pass $to; }"),
            ("location / { proxy_pass http://127.0.0.1:3000$request_uri; }",),
        ],
    )
    def test_a_resolver_was_set_and_not_loaded(self, lines):
        world = World().site(*lines, mtime=NOW - 10).resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, "127.0.0.1")
        world.service("shop.service", "127.0.0.1:3000").logged("", "no-resolver", detail={"name": NAME})
        assert told(world) == [("reload-pending", "cause", "proven")]
        assert unknowns(world.judge()) == []

    def test_names_that_only_requests_tell_and_none_failed(self):
        assert told(World().passes("http://$host")) == []

    def test_the_fix_names_a_nameserver_that_knows_the_name(self):
        world = World().site(f"set $to {NAME}:3000;", "location / { proxy_pass http://$to; }").resolve(NAME, "127.0.0.1").service("a.service", "127.0.0.1:3000")
        world.dns("10.0.0.2", NAME, "127.0.0.1", system=True)
        (finding,) = world.judge(only=("dns-resolver-missing",)).findings
        assert "10.0.0.2:53 knows app.internal" in finding.fix.summary


class TestResolverFailing:
    def test_a_dead_server(self):
        world = looked_up().resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, status="unreachable")
        assert told(world) == [("dns-resolver-failing", "cause", "proven")]

    @pytest.mark.parametrize("status", ["servfail", "refused", "notimp"])
    def test_a_server_that_refuses(self, status):
        assert told(looked_up().unresolved(NAME).dns("127.0.0.53", NAME, status=status)) == [("dns-resolver-failing", "cause", "proven")]

    def test_a_server_that_says_nothing_at_all(self):
        assert told(looked_up().unresolved(NAME).dns("127.0.0.53", NAME, status="timeout")) == [("dns-resolver-failing", "cause", "proven")]

    def test_a_server_that_is_slow_for_one_name(self):
        world = looked_up().unresolved(NAME).dns("127.0.0.53", NAME, status="timeout").dns("127.0.0.53", "other.internal", "10.0.0.1")
        assert told(world) == [("dns-resolver-failing", "cause", "likely")]
        assert told(world.logged("", "name-not-resolved", detail={"name": NAME, "code": 110})) == [("dns-resolver-failing", "cause", "proven")]

    def test_a_server_that_is_slow_for_a_name_that_the_host_knows(self):
        world = looked_up().resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, status="timeout").dns("127.0.0.53", "other.internal", "10.0.0.1")
        world.service("shop.service", "127.0.0.1:3000")
        assert told(world) == [("dns-resolver-failing", "risk", "likely")]
        assert told(world.logged("", "name-not-resolved", detail={"name": NAME, "code": 110})) == [("dns-resolver-failing", "cause", "proven")]

    def test_the_answer_for_ipv6_is_bad(self):
        world = looked_up().resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, "127.0.0.1", six="refused")
        assert told(world) == [("dns-resolver-failing", "cause", "proven")]
        assert "ipv6=off" in world.judge().findings[0].fix.summary

    @pytest.mark.parametrize("option", ["ipv6=off", "valid=10s ipv6=off status_zone=dns"])
    def test_it_is_not_asked_for_ipv6(self, option):
        world = World().site(f"resolver 127.0.0.53 {option};", f"set $to http://{NAME}:3000;", "location / { proxy_pass $to; }")
        world.resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, "127.0.0.1", six="refused").service("shop.service", "127.0.0.1:3000")
        assert told(world) == []

    def test_a_search_domain(self):
        world = looked_up(to="http://app:3000").resolve("app", "10.0.0.9").dns("127.0.0.53", "app", status="nxdomain")
        world.answers["resolvers"]["value"][MAIN]["system"]["search"] = ["corp.example"]
        (finding,) = world.judge().findings
        assert finding.id == "dns-resolver-failing" and "search domain" in finding.says and "full name" in finding.fix.summary

    def test_one_of_two_servers_does_not_know_the_name(self):
        def world():
            lines = ("resolver 127.0.0.53 127.0.0.54;", f"set $to http://{NAME}:3000;", "location / { proxy_pass $to; }")
            one = World().site(*lines).resolve(NAME, "127.0.0.1").service("shop.service", "127.0.0.1:3000")
            return one.dns("127.0.0.53", NAME, "127.0.0.1").dns("127.0.0.54", NAME, status="nxdomain")

        assert told(world()) == [("dns-resolver-failing", "risk", "proven")]
        assert told(world().logged("", "name-not-resolved", detail={"name": NAME, "code": 3})) == [("dns-resolver-failing", "cause", "proven")]

    def test_a_server_of_a_group_with_resolve(self):
        outside = [f"resolver 127.0.0.53; upstream shop {{ zone shop 64k; server {NAME}:3000 resolve; server 127.0.0.1:3001; }}"]
        world = World().passes("http://shop", outside=outside).resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, status="servfail")
        assert told(world.service("shop.service", "127.0.0.1:3001")) == [("dns-resolver-failing", "risk", "proven")]

    def test_the_resolver_of_the_group_counts(self):
        outside = [f"resolver 127.0.0.53; upstream shop {{ zone shop 64k; resolver 127.0.0.54; server {NAME}:3000 resolve; }}"]
        world = World().passes("http://shop", outside=outside).resolve(NAME, "127.0.0.1").service("shop.service", "127.0.0.1:3000")
        assert told(world.dns("127.0.0.53", NAME, status="servfail").dns("127.0.0.54", NAME, "127.0.0.1")) == []

    def test_the_address_is_that_of_the_resolver(self):
        world = looked_up().hosts_row(NAME, "127.0.0.1").dns("127.0.0.53", NAME, "127.0.0.2").service("shop.service", "127.0.0.2:3000")
        assert told(world) == []
        (leg,) = {str(target["endpoint"]) for target in world.bundle()["targets"]}
        assert leg == "127.0.0.2:3000"

    @pytest.mark.parametrize(("code", "certainty"), [(3, "possible"), (110, "likely"), (2, "likely")])
    def test_names_that_only_requests_tell(self, code, certainty):
        world = World().site("resolver 127.0.0.53;", "location / { proxy_pass http://$host; }").dns("127.0.0.53", "localhost", "127.0.0.1")
        assert told(world.logged("", "name-not-resolved", detail={"name": "x.example", "code": code})) == [("dns-resolver-failing", "cause", certainty)]

    def test_names_that_only_requests_tell_of_a_dead_server(self):
        world = World().site("resolver 127.0.0.53;", "location / { proxy_pass http://$host; }").dns("127.0.0.53", "localhost", status="unreachable")
        assert told(world.logged("", "name-not-resolved", detail={"name": "x.example", "code": 110})) == [("dns-resolver-failing", "cause", "proven")]

    @pytest.mark.parametrize(("server", "command"), [("127.0.0.1:5353", "dig @127.0.0.1 -p 5353 localhost"), ("127.0.0.53", "dig @127.0.0.53 -p 53 localhost")])
    def test_the_command_that_asks_the_server(self, server, command):
        world = World().site(f"resolver {server};", "location / { proxy_pass http://$host; }").dns(server, "localhost", status="unreachable")
        (finding,) = world.logged("", "name-not-resolved", detail={"name": "x.example", "code": 110}).judge(only=("dns-resolver-failing",)).findings
        assert finding.next == command

    def test_a_server_that_answers_again(self):
        world = looked_up().resolve(NAME, "127.0.0.1").dns("127.0.0.53", NAME, "127.0.0.1").service("shop.service", "127.0.0.1:3000")
        result = world.logged("", "name-not-resolved", detail={"name": NAME, "code": 110}).judge()
        assert (verdict(result), unknowns(result)) == ([], []) and "could not be resolved 5 times" in result.recovered[0]

    def test_a_dead_server_that_nobody_needs(self):
        world = World().site("resolver 127.0.0.53;", "location / { proxy_pass http://127.0.0.1:3000; }").service("shop.service", "127.0.0.1:3000")
        assert told(world.dns("127.0.0.53", "localhost", status="unreachable")) == []


class TestStaleAddress:
    def test_the_record_of_a_name_server_changed(self):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000")
        assert told(world) == [("dns-stale-address", "cause", "likely")]
        result = world.judge()
        (finding,) = [item for item in result.findings if item.kind == "cause"]
        assert (finding.endpoint, finding.fix.remedy, finding.fix.safety) == ("127.0.0.2:3000", "reload_nginx", "safe")
        assert finding.fix.changes == ({"path": "/etc/nginx/nginx.conf", "force": True},)
        assert unknowns(result) == []

    @pytest.mark.parametrize("state", ["established", "connecting"])
    def test_a_connection_proves_what_the_log_says(self, state):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000").connection("127.0.0.2", 3000, state)
        assert told(world) == [("dns-stale-address", "cause", "proven")]

    def test_a_failure_in_the_second_of_the_start(self):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000", last=LOADED)
        for worker in world.instance["workers"]:
            worker["started"] = LOADED + 0.4
        assert told(world) == [("dns-stale-address", "cause", "likely")]

    def test_one_of_several_addresses_was_lost(self):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000")
        assert told(world.connection("127.0.0.3", 3000, "established")) == [("dns-stale-address", "risk", "likely")]
        world.passes("http://127.0.0.3:3000", name="two")
        assert told(world) == [("dns-stale-address", "cause", "likely")]

    def test_it_may_have_been_the_address_of_a_name_that_stands_for_none_now(self):
        group = ("upstream shop { server one.internal:3000; server two.internal:3000; }",)
        world = World().site("location / { proxy_pass http://shop; }", outside=group).service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000")
        world.resolve("one.internal", "127.0.0.3").resolve("two.internal", "127.0.0.4")
        assert ("dns-stale-address", "cause", "likely") in told(world)
        assert all(item[0] != "dns-stale-address" for item in told(world.unresolved("two.internal")))

    def test_a_connection_that_is_being_tried_needs_no_log(self):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").connection("127.0.0.2", 3000)
        assert told(world) == [("dns-stale-address", "cause", "proven")]
        world.answers["error_log"]["value"]["groups"].clear()
        assert told(world) == [("dns-stale-address", "cause", "proven")]

    @pytest.mark.parametrize(
        "change",
        [
            lambda world: world.connection("127.0.0.2", 3000, "established"),
            lambda world: world.connection("127.0.0.2", 3000, "established").connection("127.0.0.2", 3000),
            lambda world: world.connection("127.0.0.3", 3000),
            lambda world: world.connection("127.0.0.2", 3001),
            lambda world: world.connection("127.0.0.2", 3000).passes("http://$host:3000", name="any"),
            lambda world: world.connection("127.0.0.2", 3000).passes("http://second.internal:3000", name="two").resolve("second.internal", "127.0.0.3"),
            lambda world: world.connection("127.0.0.2", 3000).passes("http://127.0.0.2:3000", name="two").service("b.service", "127.0.0.2:3000"),
            lambda world: world.connection("127.0.0.2", 3000).file("/etc/nginx/sites-enabled/new", "# new", NOW - 1),
        ],
    )
    def test_other_connections(self, change):
        world = named().resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000")
        assert [item for item in told(change(world)) if item[0] == "dns-stale-address"] == []

    def test_stream(self):
        text = "stream { server { listen 5432; proxy_pass db.internal:5432; } }"
        world = World().file(MAIN, text).resolve("db.internal", "127.0.0.3").service("db.service", "127.0.0.3:5432", comm="postgres")
        world.logged("127.0.0.2:5432", server="0.0.0.0:5432", scheme="stream", status=None, paths=[])
        assert told(world) == [("dns-stale-address", "cause", "likely")]

    def test_a_reload_would_be_refused(self):
        world = named().hosts_row(NAME, "127.0.0.3", changed=LOADED + 9).service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000").invalid()
        (finding,) = [item for item in world.judge().findings if item.id == "dns-stale-address"]
        assert finding.fix.remedy is None

    @pytest.mark.parametrize(
        "change",
        [
            {"pids": (9999,)},
            {"last": LOADED - 10},
            {"peer": "127.0.0.2:4000"},
            {"server": "other.example"},
            {"status": None},
        ],
    )
    def test_other_records(self, change):
        world = named().hosts_row(NAME, "127.0.0.3", changed=LOADED + 9).service("shop.service", "127.0.0.3:3000")
        assert told(world.logged(change.pop("peer", "127.0.0.2:3000"), **change)) == []

    def test_the_old_address_is_written_down_elsewhere(self):
        world = World().site(f"location / {{ proxy_pass http://{NAME}:3000; }}", "location /b { proxy_pass http://127.0.0.2:3000; }")
        world.hosts_row(NAME, "127.0.0.3", changed=LOADED + 9).service("a.service", "127.0.0.3:3000").service("b.service", "127.0.0.2:3000")
        assert told(world.logged("127.0.0.2:3000", path="/")) == [("dns-stale-address", "cause", "proven")]
        assert told(world) == [("dns-stale-address", "cause", "proven")]

    def test_the_file_was_changed_too(self):
        world = named(mtime=NOW - 30).resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000").logged("127.0.0.2:3000")
        assert ("dns-stale-address", "cause", "likely") in told(world)

    def test_a_name_that_is_looked_up_at_run_time(self):
        world = looked_up().dns("127.0.0.53", NAME, "127.0.0.3").resolve(NAME, "127.0.0.3").service("shop.service", "127.0.0.3:3000")
        assert [item for item in told(world.logged("127.0.0.2:3000")) if item[0] == "dns-stale-address"] == []


class TestNoLiveUpstreams:
    GROUP = "upstream shop {{ server 127.0.0.1:3000 {0}; server 127.0.0.1:3001 {0}; }}"

    def world(self, options: str = "fail_timeout=60s", second: str = "0.0.0.0:3001", last: float = NOW - 5) -> World:
        world = World().passes("http://shop", outside=[self.GROUP.format(options)]).service("a.service", "127.0.0.1:3000").service("b.service", second)
        return world.logged("shop", "no-live-upstreams", last=last).visited(last=last)

    def test_both_answer(self):
        result = self.world().judge()
        assert verdict(result)[0][:3] == ("no-live-upstreams", "cause", "proven") and len(verdict(result)) == 1
        assert (unknowns(result), result.recovered) == ([], ())

    @pytest.mark.parametrize("upstream", ("", "shop", "127.0.0.1:3000"))
    def test_a_failed_request_bears_it_out(self, upstream):
        world = self.world()
        world.visits["groups"].clear()
        assert told(world.visited(upstream=upstream, last=NOW - 5)) == [("no-live-upstreams", "cause", "proven")]

    @pytest.mark.parametrize("change", ({"last": NOW - 900}, {"status": 404}, {"path": "/other"}))
    def test_a_record_that_no_failed_request_bears_out_may_be_a_clients(self, change):
        world = self.world()
        world.visits["groups"].clear()
        assert told(world) == [("no-live-upstreams", "cause", "likely")]
        status = change.pop("status", 502)
        if change.get("path"):
            world.site("location / { proxy_pass http://shop; } location /other { return 502; }", outside=[self.GROUP.format("fail_timeout=60s")])
        assert told(world.visited(status, **change)) == [("no-live-upstreams", "cause", "likely")]

    def test_one_answers_and_the_other_is_dead(self):
        assert told(self.world(second="0.0.0.0:4001"))[0] == ("no-live-upstreams", "cause", "proven")

    def test_without_probes_a_listener_speaks(self):
        world = self.world()
        world.probing = False
        assert told(world) == [("no-live-upstreams", "cause", "likely")]

    def test_none_answers(self):
        world = self.world().reply("127.0.0.1:3000", connect="timeout").reply("127.0.0.1:3001", connect="timeout")
        assert "no-live-upstreams" not in {item[0] for item in told(world)}

    @pytest.mark.parametrize("change", [{"last": NOW - 90}, {"options": "", "last": NOW - 20}])
    def test_it_is_over_and_will_come_again(self, change):
        assert told(self.world(**change)) == [("no-live-upstreams", "risk", "likely")]

    def test_it_was_in_another_life(self):
        assert told(self.world(last=LOADED - 5, options="fail_timeout=3d")) == []

    def test_a_server_that_is_alone_is_never_put_aside(self):
        world = World().passes("http://shop", outside=["upstream shop { server 127.0.0.1:3000 fail_timeout=60s; }"]).service("a.service", "127.0.0.1:3000")
        assert told(world.logged("shop", "no-live-upstreams", last=NOW - 5)) == []

    def test_a_server_that_may_fail_as_it_likes_is_never_put_aside(self):
        assert told(self.world("max_fails=0")) == []

    def test_the_workers_hold_old_addresses(self):
        group = f"upstream shop {{ server {NAME}:3000; server second.internal:3000; }}"
        world = World().passes("http://shop", outside=[group]).resolve(NAME, "127.0.0.1").resolve("second.internal", "127.0.0.1")
        world.service("a.service", "127.0.0.1:3000").logged("127.0.0.7:3000").logged("shop", "no-live-upstreams", last=NOW - 5)
        assert told(world) == [("dns-stale-address", "cause", "likely")]
        assert f"{NAME} or second.internal" in world.judge(only=("dns-stale-address",)).findings[0].says

    @pytest.mark.parametrize("second", ["server 127.0.0.1:3001 down;", "server 127.0.0.1:3001 backup down;"])
    def test_a_server_that_is_marked_down_beside_it(self, second):
        world = World().passes("http://shop", outside=[f"upstream shop {{ server 127.0.0.1:3000; {second} }}"]).service("a.service", "127.0.0.1:3000")
        assert told(world.logged("shop", "no-live-upstreams", last=NOW - 5).visited(last=NOW - 5)) == [("no-live-upstreams", "cause", "proven")]

    def test_limits_of_connections(self):
        (finding,) = [item for item in self.world("max_conns=2").judge().findings if item.kind == "cause"]
        assert "max_conns is 2" in finding.says and "max_conns" in finding.fix.summary

    def test_every_server_is_marked_down(self):
        world = World().passes("http://shop", outside=[self.GROUP.format("down")])
        assert told(world) == [("no-live-upstreams", "cause", "proven")]

    def test_localhost_is_a_group_of_two(self):
        world = World().passes("http://localhost:3000").resolve("localhost", "::1", "127.0.0.1").service("a.service", "127.0.0.1:3000")
        assert told(world) == [("backend-wrong-address", "risk", "proven")]
        world.logged("localhost", "no-live-upstreams", last=NOW - 5).visited(last=NOW - 5)
        assert told(world)[0] == ("no-live-upstreams", "cause", "proven")


class TestAdvice:
    def test_one_backend_of_many_routes_is_said_once(self):
        world = World().site("location / { proxy_pass http://10.0.0.9:3000; }", "location /b { proxy_pass http://10.0.0.9:3000; }")
        (finding,) = advised(world.reply("10.0.0.9:3000", {}), "single-backend")
        assert finding.says.startswith("Routes have 10.0.0.9:3000 as")

    def test_many_are_said_together(self):
        for number in range(6):
            world = World() if not number else world
            world.passes(f"http://10.0.1.{number}:3000", name=f"s{number}").passes(f"http://n{number}.internal:3000", name=f"n{number}")
            world.resolve(f"n{number}.internal", "10.0.0.9").dns("10.0.0.2", f"n{number}.internal", "10.0.0.9", system=not number)
        world.answers["resolvers"]["value"][MAIN]["system"]["servers"] = ["10.0.0.2:53"]
        (finding,) = advised(world, "single-backend")
        assert "and 3 more" in finding.says
        (finding,) = advised(world, "dns-cached-at-start")
        assert "(and 5 more names like it)" in finding.says

    @pytest.mark.parametrize(
        "target", ["http://127.0.0.1:3000", "http://10.0.0.5:3000", "http://unix:/run/a.sock", "http://many.internal:3000", "http://$host"]
    )
    def test_what_is_not_alone_on_the_network(self, target):
        world = World().passes(target).resolve("many.internal", "10.0.0.9", "10.0.0.10")
        assert advised(world, "single-backend") == []

    @pytest.mark.parametrize(
        ("lines", "count"),
        [
            (["proxy_next_upstream off;"], 1),
            (["proxy_next_upstream_tries 1;"], 1),
            (["proxy_next_upstream off;", "proxy_next_upstream_tries 1;"], 1),
            (["proxy_next_upstream error;"], 0),
            (["fastcgi_next_upstream off;"], 0),
            ([], 0),
        ],
    )
    def test_going_on_to_the_next(self, lines, count):
        group = "upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }"
        world = World().site(*lines, "location / { proxy_pass http://shop; }", "location /b { proxy_pass http://shop; }", outside=[group])
        assert len(advised(world, "no-failover-policy")) == count

    @pytest.mark.parametrize(
        ("servers", "count"), [("server 127.0.0.1:3000 max_fails=0; server 127.0.0.1:3001 max_fails=0;", 1), ("server 127.0.0.1:3000;", 0)]
    )
    def test_servers_that_are_never_left_out(self, servers, count):
        world = World().site("proxy_next_upstream error;", "location / { proxy_pass http://shop; }", outside=[f"upstream shop {{ {servers} }}"])
        assert len(advised(world, "no-failover-policy")) == count

    def test_passive_checks_are_told_when_clients_paid_for_them(self):
        group = "upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }"
        world = World().passes("http://shop", outside=[group]).service("a.service", "127.0.0.1:3000").service("b.service", "127.0.0.1:3001")
        assert advised(world, "health-check-unavailable") == []
        assert advised(world.logged("127.0.0.1:3000", "closed-early"), "health-check-unavailable") == []
        assert len(advised(world.logged("127.0.0.1:3000"), "health-check-unavailable")) == 1

    @pytest.mark.parametrize(
        ("server", "addresses", "ttl", "count"),
        [
            ("10.0.0.2", ["10.0.0.9"], 300, 1),
            ("10.0.0.2", ["10.0.0.9"], 301, 0),
            ("10.0.0.2", ["10.0.0.9", "10.0.0.10"], 86400, 1),
            ("127.0.0.11", ["10.0.0.9"], 600, 1),
        ],
    )
    def test_names_that_change(self, server, addresses, ttl, count):
        world = named().resolve(NAME, *addresses).dns(server, NAME, *addresses, ttl=ttl, system=True)
        assert len(advised(world, "dns-cached-at-start")) == count

    def test_a_name_of_the_hosts_file_stays(self):
        assert advised(named().hosts_row(NAME, "10.0.0.9").dns("10.0.0.2", NAME, "10.0.0.9", system=True), "dns-cached-at-start") == []

    def test_a_newer_nginx_has_resolve(self):
        world = named().resolve(NAME, "10.0.0.9").dns("10.0.0.2", NAME, "10.0.0.9", system=True)
        assert "variable" in advised(world, "dns-cached-at-start")[0].fix.summary
        world.instance["build"]["value"]["version"] = "1.28.0"
        assert '"resolve"' in advised(world, "dns-cached-at-start")[0].fix.summary


class TestToldToRoles:
    """What upstream_resolver and repoint_upstream are told of names."""

    SITE = "/etc/nginx/sites-enabled/shop"

    @staticmethod
    def told(world: World, rule: str) -> list[tuple]:
        return [(finding.fix.remedy, finding.fix.safety, list(finding.fix.changes)) for finding in world.judge().findings if finding.id == rule]

    def variable(self, *lines) -> World:
        world = World().site(*lines, f"set $to {NAME}:3000;", "location / { proxy_pass http://$to; }").resolve(NAME, "127.0.0.1")
        return world.service("a.service", "127.0.0.1:3000")

    def test_a_nameserver_of_the_host_that_knows_the_name(self):
        world = self.variable().dns("10.0.0.2", NAME, "127.0.0.1", system=True)
        context = {"file": self.SITE, "line": 4, "expects": "location /"}
        change = {"context": context, "servers": ["10.0.0.2"], "valid": "30s"}
        assert self.told(world, "dns-resolver-missing") == [("upstream_resolver", "risky", [change])]

    def test_localhost_becomes_the_address_on_which_something_listens(self):
        def world(listener):
            return World().passes("http://localhost:3000$request_uri").resolve("localhost", "127.0.0.1", "::1").service("shop.service", listener)

        for listener, written in (("127.0.0.1:3000", "127.0.0.1"), ("[::1]:3000", "[::1]")):
            ((remedy, safety, (change,)),) = self.told(world(listener), "dns-resolver-missing")
            assert (remedy, safety, change["args"]) == ("repoint_upstream", "risky", [f"http://{written}:3000$request_uri"])
        assert self.told(world("127.0.0.1:3001"), "dns-resolver-missing") == [(None, "manual", [])]

    @pytest.mark.parametrize(("rows", "args"), [(["10.0.0.9"], ["$to", "10.0.0.9:3000"]), (["10.0.0.9", "10.0.0.10"], None)])
    def test_a_name_of_the_hosts_file_becomes_its_address(self, rows, args):
        world = self.variable().hosts_row(NAME, *rows)
        ((remedy, _safety, changes),) = self.told(world, "dns-resolver-missing")
        assert (remedy, [change["args"] for change in changes]) == (("repoint_upstream", [args]) if args else (None, []))

    @pytest.mark.parametrize(("row", "args"), [("10.0.0.9", ["$to", "10.0.0.9"]), ("fd00::9", ["$to", "[fd00::9]"])])
    def test_a_variable_that_holds_the_name_alone_holds_the_address_then(self, row, args):
        world = World().site(f"set $to {NAME};", "location / { proxy_pass http://$to:3000; }").resolve(NAME, row).hosts_row(NAME, row)
        ((remedy, _safety, changes),) = self.told(world, "dns-resolver-missing")
        assert (remedy, [change["args"] for change in changes]) == ("repoint_upstream", [args])

    @pytest.mark.parametrize(
        ("written", "more"),
        [
            ("127.0.0.53", {}),
            ("127.0.0.53 valid=10s ipv6=off", {"valid": "10s", "ipv6": False}),
            ("127.0.0.53 ipv6=on", {}),
        ],
    )
    def test_another_nameserver_keeps_the_options(self, written, more):
        world = self.variable(f"resolver {written};").dns("127.0.0.53", NAME, status="refused").dns("10.0.0.2:5353", NAME, "127.0.0.1", system=True)
        context = {"file": self.SITE, "line": 2, "expects": "server"}
        change = {"context": context, "servers": ["10.0.0.2:5353"], "replaces": written.split(), **more}
        assert self.told(world, "dns-resolver-failing") == [("upstream_resolver", "risky", [change])]

    def test_options_that_are_not_known_are_left_to_a_person(self):
        world = self.variable("resolver 127.0.0.53 status_zone=x;").dns("127.0.0.53", NAME, status="refused").dns("10.0.0.2", NAME, "127.0.0.1", system=True)
        assert self.told(world, "dns-resolver-failing") == [(None, "manual", [])]

    def test_only_the_answer_for_ipv6_is_bad(self):
        world = self.variable("resolver 127.0.0.53;").dns("127.0.0.53", NAME, "127.0.0.1", six="refused")
        ((remedy, _safety, (change,)),) = self.told(world, "dns-resolver-failing")
        assert (remedy, change["servers"], change["ipv6"], change["replaces"]) == ("upstream_resolver", ["127.0.0.53"], False, ["127.0.0.53"])

    def cached(self, world: World, version="1.22.1") -> list:
        world.resolve(NAME, "10.0.0.9").dns("10.0.0.2", NAME, "10.0.0.9", ttl=60, system=True)
        world.instance["build"]["value"]["version"] = version
        ((remedy, _safety, changes),) = self.told(world, "dns-cached-at-start")
        assert (remedy is None) == (not changes)
        return changes

    def test_a_pass_without_uri_gets_a_variable(self):
        context = {"file": self.SITE, "line": 3, "expects": "location /"}
        lines = [
            {"name": "set", "args": ["$bad_gateway_app_internal", NAME]},
            {
                "name": "proxy_pass", "args": ["http://$bad_gateway_app_internal:3000"], "replaces": [f"http://{NAME}:3000"],
                "at": {"file": self.SITE, "line": 3},
            },
            {"name": "proxy_redirect", "args": [f"http://{NAME}:3000/", "/"]},
        ]
        also = [{"context": context, "directives": lines}]
        assert self.cached(World().passes(f"http://{NAME}:3000")) == [{"context": context, "servers": ["10.0.0.2"], "valid": "30s", "also": also}]
        (change,) = self.cached(World().site("resolver 10.0.0.2;", "proxy_redirect off;", f"location / {{ proxy_pass http://{NAME}; }}"))
        assert "servers" not in change and [line["args"] for line in change["also"][0]["directives"]] == [
            ["$bad_gateway_app_internal", NAME], ["http://$bad_gateway_app_internal"]
        ]

    @pytest.mark.parametrize(
        "location",
        [
            f"location /a/ {{ proxy_pass http://{NAME}:3000/; }}",
            f"location / {{ rewrite ^/x /y break; proxy_pass http://{NAME}:3000; }}",
            f"location / {{ if ($arg_x) {{ proxy_pass http://{NAME}:3000; }} }}",
            f"location / {{ proxy_redirect default; proxy_pass http://{NAME}:3000; }}",
            f"location / {{ proxy_pass http://{NAME}:3000; }} location /b/ {{ proxy_pass http://{NAME}:3000/b/; }}",
            f"location / {{ fastcgi_pass {NAME}:9000; }}",
        ],
    )
    def test_a_pass_that_would_ask_for_something_else_is_left_to_a_person(self, location):
        assert self.cached(World().site(location)) == []

    def test_a_group_gets_resolve_where_nginx_has_it(self):
        def world():
            return World().passes("http://shop", outside=[f"upstream shop {{ server {NAME}:3000 weight=2; }}"])

        assert self.cached(world()) == []
        (change,) = self.cached(world(), "1.28.0")
        assert change["context"] == {"file": self.SITE, "line": 1, "expects": "upstream shop"} and change["servers"] == ["10.0.0.2"]
        assert [(line["name"], line["args"]) for line in change["also"][0]["directives"]] == [
            ("server", [f"{NAME}:3000", "weight=2", "resolve"]), ("zone", ["shop", "64k"])
        ]

    def group_told(self, servers: str, *lines: str, rule="no-failover-policy", stream=False) -> list[dict]:
        group = f"upstream shop {{ {servers} }}"
        if stream:
            world = World().file(MAIN, f"stream {{ {group}\nserver {{ listen 5432; proxy_pass shop; {' '.join(lines)} }} }}")
        else:
            world = World().site(*lines, "location / { proxy_pass http://shop; }", outside=[group])
        return [change for _remedy, _safety, changes in self.told(world, rule) for change in changes]

    TWO = "server 127.0.0.1:3000; server 127.0.0.1:3001;"

    @pytest.mark.parametrize(
        ("line", "change"),
        [
            ("proxy_next_upstream off;", {"next_upstream": ["error", "timeout"], "replaces": {"next_upstream": ["off"]}}),
            ("proxy_next_upstream_tries 1;", {"tries": 2, "replaces": {"tries": ["1"]}}),
        ],
    )
    def test_what_keeps_nginx_from_the_next_server_is_changed_where_it_stands(self, line, change):
        context = {"file": self.SITE, "line": 2, "expects": "server"}
        assert self.group_told(self.TWO, line) == [{"context": context, "module": "proxy", **change}]

    def test_no_request_that_changes_something_is_repeated(self):
        assert "non_idempotent" not in str(self.group_told(self.TWO, "proxy_next_upstream off;"))

    def test_a_stream_goes_on_or_not(self):
        (change,) = self.group_told(self.TWO, "proxy_next_upstream off;", stream=True)
        assert change["next_upstream"] == ["on"]

    def test_servers_that_are_never_left_out_are_after_some_failures(self):
        (change,) = self.group_told("server 127.0.0.1:3000 max_fails=0 weight=2; server 127.0.0.1:3001 max_fails=0 fail_timeout=60s;")
        assert change["context"] == {"file": self.SITE, "line": 1, "expects": "upstream shop"}
        assert [(server["args"], server["replaces"]) for server in change["servers"]] == [
            (["127.0.0.1:3000", "weight=2", "max_fails=3"], ["127.0.0.1:3000", "max_fails=0", "weight=2"]),
            (["127.0.0.1:3001", "max_fails=3", "fail_timeout=10s"], ["127.0.0.1:3001", "max_fails=0", "fail_timeout=60s"]),
        ]

    def test_a_group_that_was_put_aside_bears_more(self):
        group = "upstream shop { server 127.0.0.1:3000 fail_timeout=60s; server 127.0.0.1:3001 max_fails=5; server 127.0.0.1:3002 down; }"
        world = World().passes("http://shop", outside=[group]).service("a.service", "127.0.0.1:3000").service("b.service", "127.0.0.1:3001")
        world.logged("shop", "no-live-upstreams", last=NOW - 5).visited(last=NOW - 5)
        ((remedy, safety, (change,)), *_more) = self.told(world, "no-live-upstreams")
        assert (remedy, safety, [server["args"] for server in change["servers"]]) == (
            "upstream_group", "risky", [["127.0.0.1:3000", "max_fails=3", "fail_timeout=10s"]]
        )

    @pytest.mark.parametrize("options", ["max_conns=2", "max_fails=3 fail_timeout=10s"])
    def test_a_group_that_bears_enough_is_left_to_a_person(self, options):
        group = f"upstream shop {{ server 127.0.0.1:3000 {options}; server 127.0.0.1:3001 {options}; }}"
        world = World().passes("http://shop", outside=[group]).service("a.service", "127.0.0.1:3000").service("b.service", "127.0.0.1:3001")
        world.logged("shop", "no-live-upstreams", last=NOW - 5).visited(last=NOW - 5)
        assert {(remedy, safety) for remedy, safety, _changes in self.told(world, "no-live-upstreams")} == {(None, "manual")}
