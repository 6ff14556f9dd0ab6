# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backend-wrong-port, backend-wrong-address, endpoint-kind-mismatch, socket-path-mismatch and socket-private-tmp, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import OTHER_MNT, OTHER_NET, NOW, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
TCP = "127.0.0.1:3000"
SOCK = "unix:/run/shop/app.sock"
SILENT = {"status": "closed", "code": None, "header_bytes": None}


def one(rule, certainty="proven", endpoint=TCP, kind="cause", at=SHOP):
    return [(rule, kind, certainty, endpoint, at)]


# --- wrong port


def test_the_manager_says_this_port_and_its_program_has_another():
    result = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3001", "*:3000").judge()
    assert verdict(result) == one("backend-wrong-port")
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == ("repoint_upstream", "risky")
    assert "Point /etc/nginx/sites-enabled/shop:3 at 127.0.0.1:3001 instead of 127.0.0.1:3000." == result.findings[0].fix.summary


def test_the_only_free_program_has_the_name_of_the_site_and_answers():
    assert verdict(World().passes("http://127.0.0.1:3000").service("shop.service", "0.0.0.0:3001", "*:3001").judge()) == one("backend-wrong-port")


def test_the_only_free_program_has_another_name():
    """A program that speaks HTTP need not be the one that was meant."""
    result = World().passes("http://127.0.0.1:3000").service("grafana.service", "127.0.0.1:3001").judge()
    assert verdict(result) == one("backend-wrong-port", "likely")
    assert result.findings[0].alternatives == ("backend-not-running",)


def test_several_programs_would_fit():
    world = World().passes("http://127.0.0.1:3000").service("a.service", "127.0.0.1:3001").service("b.service", "127.0.0.1:3002")
    result = world.judge()
    assert verdict(result) == one("backend-wrong-port", "possible")
    assert "b.service" in [item.shows for item in result.findings[0].evidence if item.from_ == "would fit too"][0]


def test_of_several_programs_one_has_the_name_of_the_site():
    world = World().passes("http://127.0.0.1:3000").service("a.service", "127.0.0.1:3001").service("shop.service", "127.0.0.1:3002")
    result = world.judge()
    assert verdict(result) == one("backend-wrong-port", "likely")
    assert "shop.service" in result.findings[0].says


@pytest.mark.parametrize("comm", ["postgres", "sshd", "nginx", "redis-server", "node_exporter", "php-fpm8.2", "systemd-resolve"])
def test_plumbing_is_nobodys_backend(comm):
    world = World().passes("http://127.0.0.1:3000")
    world.listen("127.0.0.1:3001", comm=comm)
    assert verdict(world.judge()) == one("backend-not-running", "likely")


def test_a_program_that_does_not_speak_what_the_pass_speaks():
    world = World().passes("http://127.0.0.1:3000").service("shop-debug.service", "127.0.0.1:3001").reply("127.0.0.1:3001", SILENT)
    assert verdict(world.judge()) == one("backend-not-running", "likely")


def test_a_program_that_another_route_uses_is_not_free():
    world = World().passes("http://127.0.0.1:3000").passes("http://127.0.0.1:3001", name="blog").service("shop-blog.service", "127.0.0.1:3001")
    assert verdict(world.judge()) == one("backend-not-running", "likely")


def test_the_port_of_a_running_owner_that_does_not_answer_is_not_where_it_moved():
    """A program that still starts has only its debug port open."""
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:9229", TCP).reply("127.0.0.1:9229", SILENT)
    assert verdict(world.judge()) == one("backend-not-running", "likely")


def test_a_running_owner_with_two_ports_leaves_a_choice():
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "127.0.0.1:3001", TCP)
    world.listen("127.0.0.1:3002", unit="shop.service")
    assert verdict(world.judge()) == one("backend-wrong-port", "likely")


def test_one_program_on_both_families_is_one_place():
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "0.0.0.0:3001", "*:3000", pid=77)
    world.listen("[::]:3001", pid=77, unit="shop.service", v6only=True)
    result = world.judge()
    assert verdict(result) == one("backend-wrong-port")
    assert result.findings[0].fix.summary.endswith("at 127.0.0.1:3001 instead of 127.0.0.1:3000.")


def test_a_failed_unit_of_that_name_goes_before_a_program_of_that_name():
    world = World().passes("http://127.0.0.1:3000").unit("shop.service", active="failed").service("shop-admin.service", "127.0.0.1:3001")
    assert verdict(world.judge()) == [("backend-start-failing", "cause", "likely", TCP, SHOP)]


def test_a_php_pool_on_another_port():
    world = World().passes("fastcgi_pass 127.0.0.1:9000").pool("127.0.0.1:9001")
    assert verdict(world.judge()) == one("backend-wrong-port", endpoint="127.0.0.1:9000")


@pytest.mark.parametrize("name", ["example.com", "www.app.org", "api.local"])
def test_words_that_every_name_has_make_no_kinship(name):
    world = World().site("location / { proxy_pass http://127.0.0.1:3000; }", name="default")
    world.site(f"server_name {name}; location / {{ proxy_pass http://127.0.0.1:3000; }}", name="default")
    world.listen("127.0.0.1:3001", comm="java", argv=("/usr/local/bin/java", "-jar", "/opt/com.example.app/www.jar"))
    assert world.judge().findings[0].certainty == "likely"


# --- wrong address


@pytest.mark.parametrize(
    ("target", "listener", "options"),
    [
        (TCP, "[::1]:3000", {}),
        (TCP, "10.0.0.5:3000", {}),
        (TCP, "[::]:3000", {"v6only": True}),
        ("10.0.0.5:3000", "127.0.0.1:3000", {}),
        ("[::1]:3000", "127.0.0.1:3000", {}),
        ("[::1]:3000", "0.0.0.0:3000", {}),
    ],
)
def test_the_same_port_at_another_address(target, listener, options):
    world = World().passes(f"http://{target}").service("shop.service", listener, **options)
    assert verdict(world.judge()) == one("backend-wrong-address", endpoint=target)


def test_two_programs_have_the_same_port_elsewhere():
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "[::1]:3000").service("other.service", "10.0.0.5:3000")
    assert verdict(world.judge())[0][:3] == ("backend-wrong-address", "cause", "likely")


def test_localhost_of_which_one_address_answers_is_a_risk():
    world = World().passes("http://localhost:3000").resolve("localhost", "::1", "127.0.0.1").service("shop.service", TCP)
    assert verdict(world.judge()) == one("backend-wrong-address", endpoint="[::1]:3000", kind="risk")


@pytest.mark.parametrize("comm", ["minio", "php-fpm8.2"])
def test_the_same_port_of_a_program_of_another_kind_is_not_proven_to_be_meant(comm):
    world = World().passes("fastcgi_pass 127.0.0.1:9000")
    world.listen("10.0.0.5:9000", comm=comm)
    (finding,) = [item for item in world.judge().findings if item.kind == "cause"]
    certainty, alternatives = ("proven", ()) if comm.startswith("php-fpm") else ("likely", ("backend-not-running",))
    assert (finding.id, finding.certainty, finding.alternatives) == ("backend-wrong-address", certainty, alternatives)


def test_the_same_port_of_a_program_that_does_not_answer_in_the_protocol_of_the_pass_is_not_proven_to_be_meant():
    world = World().passes("http://127.0.0.1:3000").service("queue.service", "10.0.0.5:3000").reply("10.0.0.5:3000", SILENT)
    assert verdict(world.judge()) == one("backend-wrong-address", "likely")


def test_localhost_of_which_only_the_other_family_is_tried_is_a_cause():
    world = World().passes("http://localhost:3000").resolve("localhost", "127.0.0.1").service("shop.service", "[::1]:3000")
    assert verdict(world.judge()) == one("backend-wrong-address")


def test_localhost_of_which_both_addresses_answer_is_silent():
    world = World().passes("http://localhost:3000").resolve("localhost", "::1", "127.0.0.1").service("shop.service", "[::]:3000", v6only=False)
    assert verdict(world.judge()) == []


def test_the_peer_of_the_fleet_listens_on_its_loopback_alone():
    peer = World("app1", "10.0.0.9").service("api.service", "127.0.0.1:8080")
    result = World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", connect="refused").judge(peer)
    assert verdict(result) == one("backend-wrong-address", endpoint="10.0.0.9:8080")
    assert "on app1" in result.findings[0].says
    assert (result.findings[0].fix.remedy, result.findings[0].fix.summary) == (None, "Let the backend listen on 10.0.0.9:8080.")


@pytest.mark.parametrize(
    ("listener", "summary"),
    [
        ("0.0.0.0:8081", f"Point {SHOP} at 10.0.0.9:8081 instead of 10.0.0.9:8080."),
        ("10.0.0.9:8081", f"Point {SHOP} at 10.0.0.9:8081 instead of 10.0.0.9:8080."),
        ("127.0.0.1:8081", "Let the backend listen on 10.0.0.9:8080."),
    ],
)
def test_the_peer_of_the_fleet_listens_on_another_port(listener, summary):
    """What is reached on the peer's own loopback is not reached from here."""
    peer = World("app1", "10.0.0.9").service("api.service", listener, "*:8080")
    result = World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", connect="refused").judge(peer)
    assert verdict(result) == one("backend-wrong-port", endpoint="10.0.0.9:8080")
    assert result.findings[0].fix.summary == summary


def test_a_wildcard_of_the_other_family_is_written_as_an_address():
    world = World().passes("http://127.0.0.1:3000").service("shop.service", "[::]:3000", v6only=True)
    assert world.judge().findings[0].fix.summary == f"Point {SHOP} at [::1]:3000 instead of 127.0.0.1:3000."


def test_the_same_port_of_another_network_namespace_is_not_at_another_address():
    world = World().passes("http://127.0.0.1:3000")
    world.listen("10.0.0.5:3000", net=OTHER_NET)
    assert verdict(world.judge()) == one("backend-not-running", "likely")


def test_a_claim_on_one_address_is_none_on_another():
    world = World().passes("http://10.0.0.5:3000").unit("other.service", "192.168.7.7:3000", active="inactive")
    result = world.judge()
    assert verdict(result) == one("backend-not-running", "likely", endpoint="10.0.0.5:3000")
    assert "other.service" not in result.findings[0].says


# --- kind of endpoint


def test_nginx_uses_a_port_and_the_backend_a_socket():
    world = World().passes("http://127.0.0.1:8000").service("shop.service", SOCK, "127.0.0.1:8000", comm="gunicorn")
    assert verdict(world.judge()) == one("endpoint-kind-mismatch", endpoint="127.0.0.1:8000")


def test_nginx_uses_a_socket_and_the_pool_a_port():
    world = World().passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock").pool("127.0.0.1:9000").missing("/run/php/php8.2-fpm.sock")
    assert verdict(world.judge()) == one("endpoint-kind-mismatch", endpoint="unix:/run/php/php8.2-fpm.sock")


def test_a_backend_with_both_kinds_of_which_the_right_one_is_up_is_silent():
    world = World().passes("http://127.0.0.1:8000").service("shop.service", SOCK, comm="gunicorn", pid=77)
    world.listen("127.0.0.1:8000", comm="gunicorn", pid=77, unit="shop.service")
    assert verdict(world.judge()) == []


def test_an_abstract_socket_is_no_place_to_go():
    world = World().passes("http://127.0.0.1:8000").unit("shop.service", "127.0.0.1:8000", pid=77)
    world.listen("unix:@shop", pid=77, unit="shop.service", path=False)
    assert verdict(world.judge()) == one("backend-not-running", "likely", endpoint="127.0.0.1:8000")


def test_the_socket_of_a_stopped_owner_is_not_replaced_by_a_port():
    world = World().passes(f"http://{SOCK}").unit("shop.service", SOCK, active="inactive").missing("/run/shop/app.sock", "/run/shop")
    world.listen("127.0.0.1:8000", comm="python3")
    assert verdict(world.judge()) == one("backend-not-running", endpoint=SOCK)


# --- path of the socket


def php(*pools: tuple[str, str]) -> World:
    world = World().passes("fastcgi_pass unix:/run/php/php8.1-fpm.sock").missing("/run/php/php8.1-fpm.sock")
    for version, name in pools:
        world.pool(f"unix:/run/php/php{version}-fpm.sock" if name == "www" else f"unix:/run/php/{name}.sock", name=name, version=version)
    return world


def test_php_was_upgraded():
    result = php(("8.2", "www")).judge()
    assert verdict(result) == one("socket-path-mismatch", endpoint="unix:/run/php/php8.1-fpm.sock")
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == ("repoint_upstream", "safe")


def test_php_was_upgraded_and_another_site_already_uses_the_new_pool():
    world = php(("8.2", "www")).passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock", name="blog")
    assert verdict(world.judge()) == one("socket-path-mismatch", endpoint="unix:/run/php/php8.1-fpm.sock")


def test_two_versions_would_fit():
    result = php(("8.2", "www"), ("8.3", "www")).judge()
    assert verdict(result) == one("socket-path-mismatch", "possible", endpoint="unix:/run/php/php8.1-fpm.sock")
    assert result.findings[0].fix.safety == "risky"


def test_the_pool_of_another_site_is_no_safe_replacement():
    world = World().passes("fastcgi_pass unix:/run/intranet/app.sock", name="intranet").missing("/run/intranet/app.sock")
    world.passes("fastcgi_pass unix:/run/php/blog.sock", name="blog").pool("unix:/run/php/blog.sock", name="blog")
    result = world.judge()
    assert verdict(result) == one("socket-path-mismatch", "possible", endpoint="unix:/run/intranet/app.sock", at="/etc/nginx/sites-enabled/intranet:3")
    assert result.findings[0].fix.safety == "risky"


def test_a_unit_makes_its_socket_elsewhere():
    world = World().passes("http://unix:/run/shop.sock").service("shop.service", SOCK, "unix:/run/shop.sock", comm="gunicorn").missing("/run/shop.sock")
    assert verdict(world.judge()) == one("socket-path-mismatch", endpoint="unix:/run/shop.sock")


def test_a_pool_that_does_not_speak_fastcgi_now_is_not_offered():
    world = php(("8.2", "www")).reply("unix:/run/php/php8.2-fpm.sock", SILENT)
    assert verdict(world.judge()) == one("backend-not-running", "likely", endpoint="unix:/run/php/php8.1-fpm.sock")


def test_pools_that_several_sites_share_are_silent():
    world = World().passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock").passes("fastcgi_pass unix:/run/php/php8.2-fpm.sock", name="blog")
    assert verdict(world.pool("unix:/run/php/php8.2-fpm.sock").judge()) == []


# --- private /tmp


def private(path="/tmp/app.sock", mnt=OTHER_MNT, **unit) -> World:
    world = World().passes(f"http://unix:{path}")
    pid = world.listen(f"unix:{path}", comm="gunicorn", unit="shop.service", mnt=mnt, path=False)
    return world.unit("shop.service", f"unix:{path}", pid=pid, **unit).missing(path)


@pytest.mark.parametrize("path", ["/tmp/app.sock", "/var/tmp/app.sock"])
def test_the_socket_is_in_a_private_tmp(path):
    result = private(path, private_tmp=True).judge()
    assert verdict(result) == one("socket-private-tmp", endpoint=f"unix:{path}")
    assert result.findings[0].next == "systemctl show -p PrivateTmp,RuntimeDirectory shop.service"


def test_the_backend_is_in_another_mount_namespace_for_another_reason():
    result = private("/srv/app.sock").judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", "unix:/srv/app.sock", "open")])


def test_a_stale_socket_in_tmp_of_a_stopped_backend():
    world = World().passes("http://unix:/tmp/app.sock").socket("/tmp/app.sock").unit("shop.service", "unix:/tmp/app.sock", active="inactive", private_tmp=True)
    assert verdict(world.judge()) == one("backend-not-running", endpoint="unix:/tmp/app.sock")


def test_a_program_that_started_a_moment_ago_is_judged_like_any_other():
    world = World().passes("http://127.0.0.1:3000")
    pid = world.listen("127.0.0.1:3001", unit="shop.service", started=NOW - 1)
    assert verdict(world.unit("shop.service", "*:3000", pid=pid).judge()) == one("backend-wrong-port")


# --- what repoint_upstream is told


def changes(world: World, *others: World) -> list[dict]:
    return [change for finding in world.judge(*others).findings if finding.fix.remedy == "repoint_upstream" for change in finding.fix.changes]


def moved_to(world: World, listener: str = "127.0.0.1:3001", claim: str = "*:3000", **more) -> list[dict]:
    return changes(world.service("shop.service", listener, claim, **more))


def test_the_pass_is_told_with_its_block_and_its_old_words():
    assert moved_to(World().passes("http://127.0.0.1:3000/api/")) == [
        {
            "context": {"file": "/etc/nginx/sites-enabled/shop", "line": 3, "expects": "location /"},
            "directive": "proxy_pass",
            "args": ["http://127.0.0.1:3001/api/"],
            "replaces": ["http://127.0.0.1:3000/api/"],
            "at": {"file": "/etc/nginx/sites-enabled/shop", "line": 3},
        }
    ]


@pytest.mark.parametrize(
    ("target", "listener", "claim", "written"),
    [
        ("http://127.0.0.1:3000", "127.0.0.1:3001", "*:3000", "http://127.0.0.1:3001"),
        ("HTTP://127.0.0.1:3000?x", "127.0.0.1:3001", "*:3000", "HTTP://127.0.0.1:3001?x"),
        ("http://127.0.0.1:3000", "[::1]:3001", "*:3000", "http://[::1]:3001"),
        ("http://127.0.0.1:3000/api", SOCK, TCP, f"http://{SOCK}:/api"),
        ("http://127.0.0.1:3000", SOCK, TCP, f"http://{SOCK}"),
        ("http://unix:/run/shop.sock:/api", SOCK, "unix:/run/shop.sock", f"http://{SOCK}:/api"),
        ("http://unix:/run/shop.sock:/api", "127.0.0.1:3001", "unix:/run/shop.sock", "http://127.0.0.1:3001/api"),
        ("http://unix:/run/shop.sock", "127.0.0.1:3001", "unix:/run/shop.sock", "http://127.0.0.1:3001"),
        ("grpc_pass grpc://127.0.0.1:3000", "127.0.0.1:3001", "*:3000", "grpc://127.0.0.1:3001"),
        ("grpc_pass 127.0.0.1:3000", "127.0.0.1:3001", "*:3000", "127.0.0.1:3001"),
        ("https://127.0.0.1:3000", "127.0.0.1:3001", "*:3000", "https://127.0.0.1:3001"),
    ],
)
def test_the_rest_of_the_pass_stays(target, listener, claim, written):
    world = World().passes(target)
    if "unix:/run/shop.sock" in target:
        world.missing("/run/shop.sock")
    assert [change["args"] for change in moved_to(world, listener, claim)] == [[written]]


@pytest.mark.parametrize("path", ["/run/a b.sock", "/run/a:b.sock", "/run/$x.sock", '/run/a"b.sock'])
def test_a_path_that_a_pass_does_not_hold_is_left_to_a_person(path):
    found = World().passes("http://127.0.0.1:3000").service("shop.service", f"unix:{path}", TCP).judge().findings
    assert [(finding.fix.remedy, finding.fix.safety, finding.fix.changes) for finding in found] == [(None, "manual", ())]


def test_a_server_of_a_group_keeps_its_parameters():
    world = World().site("location / { proxy_pass http://shop/x; }", outside=["upstream shop { server 127.0.0.1:3000 weight=2 max_fails=3; keepalive 8; }"])
    assert moved_to(world) == [
        {
            "context": {"file": "/etc/nginx/sites-enabled/shop", "line": 1, "expects": "upstream shop"},
            "directive": "server",
            "args": ["127.0.0.1:3001", "weight=2", "max_fails=3"],
            "replaces": ["127.0.0.1:3000", "weight=2", "max_fails=3"],
            "at": {"file": "/etc/nginx/sites-enabled/shop", "line": 1},
        }
    ]


def test_a_server_that_a_group_has_twice_in_one_line_is_left_to_a_person():
    world = World().site("location / { proxy_pass http://shop; }", outside=["upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3000; }"])
    assert moved_to(world) == []


@pytest.mark.parametrize(
    ("lines", "replaces", "written"),
    [
        (("set $b http://127.0.0.1:3000;", "location / { proxy_pass $b; }"), ["$b", "http://127.0.0.1:3000"], ["$b", "http://127.0.0.1:3001"]),
        (("set $b 127.0.0.1:3000;", "location / { proxy_pass http://$b$request_uri; }"), ["$b", "127.0.0.1:3000"], ["$b", "127.0.0.1:3001"]),
        (("location / {", "set $B http://127.0.0.1:3000/x;", "proxy_pass $b; }"), ["$B", "http://127.0.0.1:3000/x"], ["$B", "http://127.0.0.1:3001/x"]),
    ],
)
def test_the_value_of_a_variable_in_the_pass(lines, replaces, written):
    told = moved_to(World().site(*lines))
    assert [(change["directive"], change["replaces"], change["args"]) for change in told] == [("set", replaces, written)]


@pytest.mark.parametrize(
    ("lines", "outside"),
    [
        (("set $port 3000;", "location / { proxy_pass http://127.0.0.1:$port; }"), ()),
        (("location / { proxy_pass http://$b; }",), ("map $host $b { default 127.0.0.1:3000; }",)),
        (("set $a 127.0.0.1:3000;", "set $b http://$a;", "location / { proxy_pass $b; }"), ()),
    ],
)
def test_a_variable_that_does_not_hold_the_address_itself_is_left_to_a_person(lines, outside):
    result = World().site(*lines, outside=outside).service("shop.service", "127.0.0.1:3001", "*:3000").judge()
    assert [(finding.id, finding.fix.remedy, finding.fix.safety) for finding in result.findings] == [("backend-wrong-port", None, "manual")]


def test_a_variable_does_not_change_to_a_socket_in_the_middle_of_a_pass():
    assert moved_to(World().site("set $b 127.0.0.1:3000;", "location / { proxy_pass http://$b$request_uri; }"), SOCK, TCP) == []
    told = moved_to(World().site("set $b http://127.0.0.1:3000/x;", "location / { proxy_pass $b; }"), SOCK, TCP)
    assert [change["args"] for change in told] == [["$b", f"http://{SOCK}:/x"]]


def test_a_name_stays_where_it_leads_to_the_backend():
    world = World().passes("http://localhost:3000").resolve("localhost", "127.0.0.1")
    assert [change["args"] for change in moved_to(world)] == [["http://localhost:3001"]]
    world = World().passes("http://localhost:3000").resolve("localhost", "127.0.0.1", "::1")
    assert [change["args"] for change in moved_to(world)] == [["http://127.0.0.1:3001"]]


@pytest.mark.parametrize(("addresses", "told"), [(("10.0.0.9",), [["http://app1:8081"]]), (("10.0.0.9", "10.0.0.10"), [])])
def test_the_name_of_other_hosts_never_becomes_an_address(addresses, told):
    peer = World("app1", "10.0.0.9").service("api.service", "0.0.0.0:8081", "*:8080")
    world = World().passes("http://app1:8080").resolve("app1", *addresses).reply("10.0.0.9:8080", connect="refused").reply("10.0.0.10:8080")
    assert [change["args"] for change in changes(world, peer)] == told


def test_a_name_that_goes_into_the_handshake_is_left_to_a_person():
    tls = "proxy_ssl_server_name on; "
    world = World().site(f"location / {{ {tls}proxy_pass https://localhost:3000; }}").resolve("localhost", "127.0.0.1", "::1")
    assert moved_to(world) == []
    world = World().site(f"location / {{ {tls}proxy_ssl_name shop.example; proxy_pass https://localhost:3000; }}").resolve("localhost", "127.0.0.1", "::1")
    assert len(moved_to(world)) == 1


def test_what_was_taken_out_on_the_host_is_not_written_back():
    world = World().site("location / { proxy_pass http://shop; }", outside=["upstream shop { server 127.0.0.1:3000 route=redacted:1234; }"])
    assert moved_to(world) == []


def test_a_line_that_two_servers_include_is_one_change():
    world = World().site("include /etc/nginx/app.conf;").site("include /etc/nginx/app.conf;", name="blog")
    world.file("/etc/nginx/app.conf", "location / { proxy_pass http://127.0.0.1:3000; }\n")
    findings = world.service("shop.service", "127.0.0.1:3001", "*:3000").judge().findings
    assert findings[0].fix.summary.endswith("/etc/nginx/app.conf:1 is included in 2 places, which all get it.")
    told = changes(world)
    assert {change["context"]["file"] for change in told} == {"/etc/nginx/app.conf"} and all(change == told[0] for change in told)


# --- behind a socket


def behind(given: str, pass_: str, socket: str = "/run/shop/app.sock", status: str = "error", made: str = "") -> World:
    world = World().passes(pass_).service("shop.service", f"unix:{made or socket}", comm="gunicorn").socket(socket)
    world.paths[given] = {**world.paths[socket], "status": status, "why": "Not a directory"}
    return world.reply(f"unix:{given}", connect="error", errno=20).logged(f"unix:{given}", "connect-no-socket")


@pytest.mark.parametrize(
    ("socket", "made", "rest", "fix"),
    [
        ("/run/shop/app.sock", "", "/", ("repoint_upstream", "risky")),
        ("/run/shop/app.sock", "/var/run/shop/app.sock", "/", ("repoint_upstream", "risky")),
        ("/run/shop/app.sock", "", "/api/", (None, "manual")),
    ],
)
def test_the_colon_is_missing_that_ends_the_path(socket, made, rest, fix):
    result = behind(f"{socket}{rest}", f"http://unix:{socket}{rest}", made=made, status="ok" if rest == "/" else "error").judge()
    assert verdict(result) == one("socket-path-mismatch", endpoint=f"unix:{socket}{rest}")
    assert unknowns(result) == []
    (finding,) = result.findings
    assert (finding.fix.remedy, finding.fix.safety) == fix
    assert finding.fix.summary.endswith(f"write a colon: unix:{made or socket}:{rest}")
    assert any(f"{socket} is a socket, and the path goes on behind it: {rest}" == item.shows for item in finding.evidence)


def test_the_colon_is_missing_behind_a_link():
    """The walk ends at the real path."""
    given = "/var/www/shop/tmp/app.sock/"
    world = behind(given, f"http://unix:{given}", socket="/srv/shop/app.sock")
    assert verdict(world.judge()) == one("socket-path-mismatch", endpoint=f"unix:{given}")


def test_a_pass_without_a_path_to_ask_for_has_no_colon():
    (finding,) = behind("/run/shop/app.sock/", "uwsgi_pass unix:/run/shop/app.sock/", status="ok").judge().findings
    assert finding.id == "socket-path-mismatch" and "colon" not in finding.fix.summary
    assert [change["args"] for change in finding.fix.changes] == [["unix:/run/shop/app.sock"]]


def test_a_path_behind_a_socket_that_nobody_has_is_left_open():
    world = behind("/run/shop/app.sock/", "http://unix:/run/shop/app.sock/", status="ok")
    world.listeners["unix"].clear()
    assert [finding.id for finding in world.judge().findings] != ["socket-path-mismatch"]


@pytest.mark.parametrize(("claim", "asked"), [("/var/run/shop/app.sock", "/run/shop/app.sock"), ("/run/shop/app.sock", "/var/run/shop/app.sock")])
def test_the_old_path_of_run_is_the_same_place(claim, asked):
    """/var/run is a link to /run: it is no other path, and its unit does not claim another one."""
    world = World().passes(f"http://unix:{asked}").unit("shop.service", f"unix:{claim}", active="inactive").missing(asked)
    assert [finding.id for finding in world.judge().findings] == ["backend-not-running"]
    assert world.judge().findings[0].certainty == "proven"


def test_both_addresses_of_localhost_are_one_backend_on_another_port():
    world = World().passes("http://localhost:3000").resolve("localhost", "::1", "127.0.0.1").service("shop.service", "127.0.0.1:3001", "*:3001")
    (finding,) = world.judge().findings
    assert (finding.id, finding.route["endpoint"], len(finding.also), len(finding.fix.changes)) == ("backend-wrong-port", TCP, 1, 1)
    assert finding.says.startswith("Nothing listens on localhost:3000 (127.0.0.1 and ::1); ")
