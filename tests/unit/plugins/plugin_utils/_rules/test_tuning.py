# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the remedies of waiting, buffers, kept connections and limits are asked to do."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import SITES, World

TCP = "127.0.0.1:3000"
SHOP = SITES + "shop"
ROOT = {"file": SHOP, "line": 3, "expects": "location /"}


def fix_of(world: World, rule: str):
    """Return the fix of the only finding of a rule."""
    (finding,) = (item for item in world.judge().findings if item.id == rule)
    return finding.fix


# --- upstream-timeout


def slow(limit: str, *, measured: float | None = None, waited: float = 0.0, outside=(), around: str = "location / {{ {} }}", **pass_to) -> World:
    """Return a host whose backend answered after a time, or had not when the probe gave up."""
    lines = around.format(f"proxy_pass http://{TCP}; {limit}")
    tried = {"seconds": measured} if measured else {"status": "timeout", "code": None, "seconds": waited}
    return World().site(lines, outside=outside, **pass_to).service("shop.service", TCP).reply(TCP, tried)


@pytest.mark.parametrize(
    ("limit", "measured", "waited", "wanted"),
    [
        ("1s", 1.4, 0, "5s"),
        ("1s", 9.0, 0, "20s"),
        ("30s", 31.0, 0, "90s"),
        ("60s", 60.2, 0, "180s"),
        ("1m", 151.0, 0, "300s"),
        ("299s", 299.5, 0, "300s"),
        ("1s", None, 1.5, "60s"),
        ("59s", None, 59.5, "60s"),
        ("60s", None, 60.5, "300s"),
        ("120s", None, 120.5, "300s"),
    ],
)
def test_a_longer_time_follows_from_what_is_known(limit, measured, waited, wanted):
    fix = fix_of(slow(f"proxy_read_timeout {limit};", measured=measured, waited=waited), "upstream-timeout")
    (change,) = fix.changes
    assert change == {"context": ROOT, "module": "proxy", "read": wanted, "replaces": {"read": limit}}
    assert (fix.remedy, fix.safety) == ("upstream_timeout", "risky")
    assert fix.summary.startswith(f"Set proxy_read_timeout {wanted} in location / only (")


@pytest.mark.parametrize(("limit", "measured", "waited"), [("300s", None, 300.5), ("10s", 301.0, 0), ("10m", 601.0, 0)])
def test_a_time_that_is_not_for_a_request_is_left_to_a_person(limit, measured, waited):
    fix = fix_of(slow(f"proxy_read_timeout {limit};", measured=measured, waited=waited), "upstream-timeout")
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())
    assert "more than 300 s is not for a request" in fix.summary


@pytest.mark.parametrize(
    ("late", "wanted", "said"),
    [
        ({"status": "ok", "seconds": 8.2}, "20s", "twice the 8.2 s"),
        ({"status": "timeout", "seconds": 30.0}, None, "in 30 s no answer came either"),
        ({"status": "closed", "seconds": 12.0}, None, "no answer came either"),
    ],
)
def test_what_hangs_gets_no_longer_time(late, wanted, said):
    world = World().site(f"location / {{ proxy_pass http://{TCP}; proxy_read_timeout 4s; }}").service("shop.service", TCP)
    fix = fix_of(world.reply(TCP, {"status": "timeout", "code": None, "seconds": 4.5, "late": late}), "upstream-timeout")
    assert [change["read"] for change in fix.changes] == ([wanted] if wanted else [])
    assert said in fix.summary


def test_a_time_that_is_inherited_is_set_in_the_location_alone():
    world = World().site("proxy_read_timeout 1s;", f"location /a {{ proxy_pass http://{TCP}; }}").service("shop.service", TCP).reply(TCP, {"seconds": 1.4})
    assert fix_of(world, "upstream-timeout").changes == ({"context": {"file": SHOP, "line": 4, "expects": "location /a"}, "module": "proxy", "read": "5s"},)


def test_locations_of_one_time_are_changed_each_for_itself():
    lines = ["proxy_read_timeout 1s;", *(f"location /{name} {{ proxy_pass http://{TCP}; }}" for name in "ab")]
    world = World().site(*lines).service("shop.service", TCP).reply(TCP, {"seconds": 1.4})
    fix = fix_of(world, "upstream-timeout")
    assert [(change["context"]["line"], change["read"]) for change in fix.changes] == [(4, "5s"), (5, "5s")]


def test_what_the_backend_itself_allows_is_enough():
    world = slow("proxy_read_timeout 10s;", waited=10.5)
    world.listeners["tcp"][0]["owners"][0].update(comm="gunicorn", pid=1500)
    world.server(1500, "gunicorn", told={"timeout": 90})
    fix = fix_of(world, "upstream-timeout")
    assert fix.changes[0]["read"] == "120s"
    assert "ends a request after 90 s" in fix.summary


def test_the_times_of_the_module_that_passes_on():
    php = "unix:/run/php/php8.2-fpm.sock"
    world = World().site(f"location ~ \\.php$ {{ fastcgi_pass {php}; fastcgi_read_timeout 2s; }}").pool(php)
    (change,) = fix_of(world.reply(php, {"seconds": 2.4}), "upstream-timeout").changes
    assert change == {
        "context": {"file": SHOP, "line": 3, "expects": "location ~ \\.php$"},
        "module": "fastcgi",
        "read": "5s",
        "replaces": {"read": "2s"},
    }


def test_a_pass_within_an_if_has_its_time_in_the_location():
    world = slow("", measured=61.0, around="location / {{ if ($slow) {{ {} }} }}")
    (change,) = fix_of(world, "upstream-timeout").changes
    assert change == {"context": ROOT, "module": "proxy", "read": "180s"}


def test_a_connection_that_is_slow():
    world = World().site(f"location / {{ proxy_pass http://{TCP}; proxy_connect_timeout 1s; }}").service("shop.service", TCP)
    world.reply(TCP, {"seconds": 2.0}, seconds=1.9)
    assert fix_of(world, "upstream-timeout").changes[0]["connect"] == "5s"


def test_a_time_of_a_file_that_others_include_is_said_to_be_theirs_too():
    world = World().file("/etc/nginx/slow", "proxy_read_timeout 1s;\n").site(
        f"location / {{ proxy_pass http://{TCP}; include slow; }}", "location /other { return 204; include slow; }"
    )
    fix = fix_of(world.service("shop.service", TCP).reply(TCP, {"seconds": 1.4}), "upstream-timeout")
    assert fix.summary.endswith("/etc/nginx/slow:1 is included in 2 places, which all get it.")


def test_locations_that_include_one_time_get_the_longer_one():
    world = World().file("/etc/nginx/slow", "proxy_read_timeout 1s;\n").site(
        f"location /a {{ proxy_pass http://{TCP}; include slow; }}", "location /b { proxy_pass http://127.0.0.1:3001; include slow; }"
    )
    world.service("a.service", TCP).service("b.service", "127.0.0.1:3001").reply(TCP, {"seconds": 1.4}).reply("127.0.0.1:3001", {"seconds": 9.0})
    found = [finding.fix for finding in world.judge().findings if finding.id == "upstream-timeout"]
    assert [change["read"] for fix in found for change in fix.changes] == ["20s", "20s"]


GROUP = ("upstream shop { server 127.0.0.1:3000; server 127.0.0.1:3001; }",)


def test_two_servers_of_one_location_get_the_longer_time_of_both():
    world = World().site("location / { proxy_pass http://shop; proxy_read_timeout 1s; }", outside=GROUP)
    world.service("a.service", TCP).service("b.service", "127.0.0.1:3001").reply(TCP, {"seconds": 1.4}).reply("127.0.0.1:3001", {"seconds": 9.0})
    found = [finding for finding in world.judge().findings if finding.id == "upstream-timeout"]
    assert [[change["read"] for change in finding.fix.changes] for finding in found] == [["20s"], ["20s"]]


# --- response-header-too-big


def header(size: int, *lines: str, page: int = 4096) -> World:
    """Return a host whose backend sends a response header of that many bytes to a site of these lines."""
    world = World().site(*(lines or (f"location / {{ proxy_pass http://{TCP}; }}",))).service("shop.service", TCP).reply(TCP, {"header_bytes": size})
    world.instance["page_size"] = page
    return world


@pytest.mark.parametrize(
    ("size", "has", "wanted"),
    [
        (4097, "", {"buffer_size": "8k", "buffers": "4 8k"}),
        (9000, "", {"buffer_size": "16k", "buffers": "4 16k"}),
        (32768, "", {"buffer_size": "32k", "buffers": "4 32k"}),
        (9000, "proxy_buffers 8 16k;", {"buffer_size": "16k"}),
        (9000, "proxy_buffers 64 8k;", {"buffer_size": "16k", "buffers": "32 16k"}),
        (9000, "proxy_buffers 8 8k; proxy_buffer_size 8k;", {"buffer_size": "16k", "buffers": "4 16k"}),
        (9000, "proxy_busy_buffers_size 8k;", {"buffer_size": "16k", "buffers": "4 16k", "busy_buffers_size": "32k"}),
        (9000, "proxy_busy_buffers_size 24k;", {"buffer_size": "16k", "buffers": "4 16k"}),
        (9000, "proxy_temp_file_write_size 8k;", {"buffer_size": "16k", "buffers": "4 16k", "temp_file_write_size": "32k"}),
        (9000, "proxy_max_temp_file_size 8k;", {"buffer_size": "16k", "buffers": "4 16k", "max_temp_file_size": "16k"}),
        (9000, "proxy_max_temp_file_size 0;", {"buffer_size": "16k", "buffers": "4 16k"}),
    ],
)
def test_buffers_that_go_with_the_header(size, has, wanted):
    fix = fix_of(header(size, f"location / {{ proxy_pass http://{TCP}; {has} }}"), "response-header-too-big")
    (change,) = fix.changes
    own = {line.split()[0][6:]: line.split(None, 1)[1] for line in has.split("; ") for line in [line.strip("; ")] if line}
    replaced = {name: own[name] for name in wanted if name in own}
    assert change == {"context": ROOT, "module": "proxy", **wanted, **({"replaces": replaced} if replaced else {})}
    assert (fix.remedy, fix.safety) == ("response_buffers", "safe")
    assert fix.summary == f"In location /: {' '.join(f'proxy_{name} {value};' for name, value in wanted.items())}"


@pytest.mark.parametrize(("family", "target"), [("grpc", f"grpc_pass grpc://{TCP}"), ("memcached", f"memcached_pass {TCP}")])
def test_modules_that_have_a_size_and_nothing_else(family, target):
    world = header(9000, f"location / {{ {target}; {family}_buffer_size 8k; }}")
    (change,) = fix_of(world, "response-header-too-big").changes
    assert change == {"context": ROOT, "module": family, "buffer_size": "16k", "replaces": {"buffer_size": "8k"}}


def test_what_is_inherited_is_written_where_the_header_needs_it():
    world = header(9000, "proxy_buffers 4 8k; proxy_busy_buffers_size 8k;", f"location / {{ proxy_pass http://{TCP}; }}")
    (change,) = fix_of(world, "response-header-too-big").changes
    assert change == {"context": {**ROOT, "line": 4}, "module": "proxy", "buffer_size": "16k", "buffers": "4 16k", "busy_buffers_size": "32k"}


def test_a_location_within_is_put_in_order_too():
    world = header(9000, f"location / {{ proxy_pass http://{TCP};", "location /a { proxy_buffers 8 4k;", "location /a/b { return 204; } } }")
    changes = fix_of(world, "response-header-too-big").changes
    assert changes == (
        {"context": ROOT, "module": "proxy", "buffer_size": "16k", "buffers": "4 16k"},
        {
            "context": {"file": SHOP, "line": 4, "expects": "location /a"},
            "module": "proxy",
            "buffer_size": "16k",
            "buffers": "4 16k",
            "replaces": {"buffers": "8 4k"},
        },
    )


def test_several_locations_of_one_backend_are_one_finding_with_all_changes():
    world = header(9000, *(f"location /{name} {{ proxy_pass http://{TCP}; }}" for name in "ab"))
    assert [change["context"]["expects"] for change in fix_of(world, "response-header-too-big").changes] == ["location /a", "location /b"]


def test_two_servers_of_one_location_get_the_larger_buffer_of_both():
    world = World().site("location / { proxy_pass http://shop; }", outside=GROUP).service("a.service", TCP).service("b.service", "127.0.0.1:3001")
    world.reply(TCP, {"header_bytes": 5000}).reply("127.0.0.1:3001", {"header_bytes": 9000})
    found = [finding for finding in world.judge().findings if finding.id == "response-header-too-big"]
    assert [[change["buffer_size"] for change in finding.fix.changes] for finding in found] == [["16k"], ["16k"]]


@pytest.mark.parametrize(
    ("page", "size", "wanted"),
    [(16384, 16384, None), (16384, 16385, {"buffer_size": "32k", "buffers": "4 32k"}), (65536, 40000, None), (65536, 65537, {})],
)
def test_other_pages_of_memory(page, size, wanted):
    found = [item.fix for item in header(size, page=page).judge().findings if item.id == "response-header-too-big"]
    assert [fix.changes for fix in found] == ([] if wanted is None else [({"context": ROOT, "module": "proxy", **wanted},) if wanted else ()])


def test_a_header_that_is_larger_than_any_sensible_buffer_is_left_to_a_person():
    fix = fix_of(header(32769), "response-header-too-big")
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())


# --- keepalive-race, ephemeral-ports-exhausted, keepalive-incomplete

UPSTREAM = {"file": SHOP, "line": 1, "expects": "upstream shop"}
NEEDED = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def kept(group: str, location: str = NEEDED, version: str = "1.22.1", servers: int = 1) -> World:
    """Return a host with a group of some servers, the first of them at TCP, and a location that leads to it."""
    lines = " ".join(f"server 127.0.0.1:{3000 + number};" for number in range(servers))
    world = World().site(f"location / {{ proxy_pass http://shop; {location} }}", outside=(f"upstream shop {{ {lines} {group} }}",))
    world.instance["build"]["value"]["version"] = version
    for number in range(servers):
        world.service(f"app{number}.service", f"127.0.0.1:{3000 + number}")
    return world


@pytest.mark.parametrize(
    ("group", "seconds", "wanted"),
    [
        ("keepalive 16;", 5.0, {"timeout": "4s"}),
        ("keepalive 16; keepalive_timeout 60s;", 5.0, {"timeout": "4s", "replaces": {"timeout": "60s"}}),
        ("keepalive 16; keepalive_timeout 5s;", 5.0, {"timeout": "4s", "replaces": {"timeout": "5s"}}),
        ("keepalive 16;", 2.0, {"timeout": "1s"}),
        ("keepalive 16;", 1.5, {"timeout": "1s"}),
        ("keepalive 16;", 1.0, None),
    ],
)
def test_nginx_lets_go_before_the_backend_does(group, seconds, wanted):
    fix = fix_of(kept(group).reply(TCP, {"keep_alive": {"kept": True, "seconds": seconds}}), "keepalive-race")
    assert fix.changes == (({"context": UPSTREAM, **wanted},) if wanted else ())
    assert (fix.remedy, fix.safety) == (("upstream_keepalive", "risky") if wanted else (None, "manual"))


def test_the_servers_of_a_group_share_the_shortest_time():
    world = kept("keepalive 16;", servers=2).reply(TCP, {"keep_alive": {"kept": True, "seconds": 30.0}})
    world.reply("127.0.0.1:3001", {"keep_alive": {"kept": True, "seconds": 5.0}})
    found = [finding for finding in world.judge().findings if finding.id == "keepalive-race"]
    assert [finding.fix.changes for finding in found] == [({"context": UPSTREAM, "timeout": "4s"},)] * 2


def test_a_version_without_the_directive_is_left_to_a_person():
    world = kept("keepalive 16;", version="1.14.2").reply(TCP, {"keep_alive": {"kept": True, "seconds": 5.0}})
    assert fix_of(world, "keepalive-race").changes == ()


@pytest.mark.parametrize(
    ("group", "location", "version", "wanted"),
    [
        ("", "", "1.22.1", [{"keepalive": 32, "timeout": "4s"}, {"http_version": "1.1", "empty_connection": True}]),
        ("", NEEDED, "1.22.1", [{"keepalive": 32, "timeout": "4s"}]),
        ("keepalive 16;", "", "1.22.1", [{"http_version": "1.1", "empty_connection": True}]),
        ("keepalive 16;", "proxy_http_version 1.0;", "1.31.0", [{"http_version": "1.1", "replaces": {"http_version": "1.0"}}]),
        ("keepalive 0;", NEEDED, "1.31.0", [{"keepalive": 32, "timeout": "4s", "replaces": {"keepalive": "0"}}]),
        ("keepalive 16;", NEEDED, "1.22.1", []),
        ("", "", "1.31.0", []),
    ],
)
def test_a_backend_without_ports_gets_kept_connections(group, location, version, wanted):
    world = kept(group, location, version).sockets_to(TCP, time_wait=28232).reply(TCP, connect="error", errno=99)
    fix = fix_of(world, "ephemeral-ports-exhausted")
    assert [{key: value for key, value in change.items() if key != "context"} for change in fix.changes] == wanted
    contexts = [UPSTREAM if "keepalive" in change else ROOT for change in fix.changes]
    assert [change["context"] for change in fix.changes] == contexts
    assert fix.safety == ("risky" if wanted else "manual")


@pytest.mark.parametrize(
    ("kind", "told", "wanted"),
    [("gunicorn", {}, None), ("gunicorn", {"threads": 4.0}, "1s"), ("uvicorn", {"keepalive": 65.0}, "64s"), ("uvicorn", {"keepalive": None}, "4s")],
)
def test_kept_connections_go_by_what_the_backend_keeps(kind, told, wanted):
    world = kept("", NEEDED).sockets_to(TCP, time_wait=28232).reply(TCP, connect="error", errno=99)
    world.listeners["tcp"][0]["owners"][0].update(comm=kind, pid=1500)
    fix = fix_of(world.server(1500, kind, told=told), "ephemeral-ports-exhausted")
    assert [change["timeout"] for change in fix.changes] == ([wanted] if wanted else [])


def test_what_undoes_a_keepalive_can_be_put_right_by_name():
    fix = fix_of(kept("keepalive 16;", "proxy_set_header Host $host; proxy_http_version 1.1;"), "keepalive-incomplete")
    assert fix.changes == ({"context": ROOT, "empty_connection": True},)
    assert (fix.remedy, fix.safety) == ("upstream_keepalive", "risky")


def test_every_route_of_a_group_is_put_right():
    world = World().site(
        "location / { proxy_pass http://shop; }", "location /a { proxy_pass http://shop; }", outside=(f"upstream shop {{ server {TCP}; keepalive 4; }}",)
    )
    changes = fix_of(world.service("shop.service", TCP), "keepalive-incomplete").changes
    assert [change["context"]["line"] for change in changes] == [3, 4]


def test_fastcgi_that_keeps_no_connection():
    world = World().site("location / { fastcgi_pass app; }", outside=("upstream app { server 127.0.0.1:9000; keepalive 4; }",))
    (change,) = fix_of(world.service("app.service", "127.0.0.1:9000"), "keepalive-incomplete").changes
    assert change == {"context": ROOT, "keep_conn": "on"}
