# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request that comes to a route."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import reach
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.reach import Way
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, SITES, World

TCP = "http://127.0.0.1:3000"


def ways(world: World, path: str = "", method: str = "GET") -> list[tuple[Way | None, str]]:
    host = Host.of(_bundle.new("web1", _bundle.COLLECTED, "", world.answers))
    return [reach.way_to(host, route, path, method) for route in host.routes]


def way(world: World, path: str = "", method: str = "GET") -> Way | None:
    ((found, why),) = ways(world, path, method)
    assert bool(found) != bool(why)
    return found


def server(*lines: str) -> World:
    """Return a host with one server of these lines, which has no listen and no name of its own."""
    return World().file(SITES + "shop", "server {\n" + "\n".join(lines) + "\n}\n")


def test_a_plain_location():
    assert way(World().passes(TCP)) == Way("127.0.0.1:80", server_name="shop.example", path="/")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/api/", "/api/"),
        ("= /health", "/health"),
        ("^~ /static/", "/static/"),
        (r"~ \.php$", "/index.php"),
        (r"~* ^/v1/", "/v1/"),
    ],
)
def test_a_path_that_comes_to_the_location(location, path):
    assert way(World().site(f"location {location} {{ proxy_pass {TCP}; }}")).path == path


def test_the_path_of_the_user_is_taken_where_it_leads_there():
    world = World().site(f"location / {{ proxy_pass {TCP}; }}", f"location /api/ {{ proxy_pass {TCP}; }}")
    assert [found.path for found, _why in ways(world, path="/health")] == ["/health", "/api/"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("listen 80;", "server_name shop.example;"), Way("127.0.0.1:80", server_name="shop.example", path="/")),
        (("listen [::]:80;", "server_name shop.example;"), Way("[::1]:80", server_name="shop.example", path="/")),
        (("listen 10.0.0.5:8080;", "server_name shop.example;"), Way("10.0.0.5:8080", server_name="shop.example", path="/")),
        (("listen unix:/run/n.sock;", "server_name shop.example;"), Way("unix:/run/n.sock", server_name="shop.example", path="/")),
        (("listen 443 ssl;", "server_name shop.example;"), Way("127.0.0.1:443", tls=True, server_name="shop.example", path="/")),
        (("listen 443;", "ssl on;", "server_name shop.example;"), Way("127.0.0.1:443", tls=True, server_name="shop.example", path="/")),
        (("listen 443 ssl http2;", "server_name shop.example;"), Way("127.0.0.1:443", tls=True, server_name="shop.example", path="/")),
        (("listen 80 proxy_protocol;", "server_name shop.example;"), Way("127.0.0.1:80", proxy_protocol=True, server_name="shop.example", path="/")),
        (("listen 80;", "server_name *.shop.example;"), Way("127.0.0.1:80", server_name="www.shop.example", path="/")),
        (("listen 80 default_server;", "server_name _;"), Way("127.0.0.1:80", server_name="_", path="/")),
        (("listen 80;",), Way("127.0.0.1:80", server_name="localhost", path="/")),
    ],
)
def test_the_socket_and_the_name(lines, expected):
    assert way(server(*lines, f"location / {{ proxy_pass {TCP}; }}")) == expected


def test_http2_alone_is_not_spoken():
    world = server("listen 80 http2;", f"location / {{ proxy_pass {TCP}; }}")
    assert way(world) is None
    world = server("listen 80 http2;", "listen 81;", f"location / {{ proxy_pass {TCP}; }}")
    assert way(world).endpoint == "127.0.0.1:81"


def test_the_parameters_of_a_socket_are_those_of_all_its_servers():
    first = "server { listen 80 proxy_protocol; server_name a.example; }\n"
    world = World().file(SITES + "shop", first + f"server {{ listen 80; server_name b.example; location / {{ proxy_pass {TCP}; }} }}\n")
    assert way(world) == Way("127.0.0.1:80", proxy_protocol=True, server_name="b.example", path="/")


def test_an_address_of_another_server_is_not_taken_for_the_wildcard():
    other = "server { listen 127.0.0.1:80; server_name other.example; }\n"
    world = World().file(SITES + "shop", other + f"server {{ listen 80; server_name shop.example; location / {{ proxy_pass {TCP}; }} }}\n")
    assert way(world) == Way("10.0.0.5:80", server_name="shop.example", path="/")


def test_a_server_that_no_name_leads_to_is_not_asked():
    first = "server { listen 80 default_server; server_name a.example; }\n"
    world = World().file(SITES + "shop", first + f"server {{ listen 80; location / {{ proxy_pass {TCP}; }} }}\n")
    assert way(world) is None


def test_the_socket_on_which_the_request_is_not_led_elsewhere():
    lines = ("listen 80;", "listen 443 ssl;", "server_name shop.example;", "if ($scheme = http) { return 301 https://shop.example$request_uri; }")
    assert way(server(*lines, f"location / {{ proxy_pass {TCP}; }}")) == Way("127.0.0.1:443", tls=True, server_name="shop.example", path="/")


def test_a_named_location_is_reached_through_what_leads_there():
    found = way(World().site("root /srv;", "location / { try_files $uri @app; }", f"location @app {{ proxy_pass {TCP}; }}"))
    assert found == Way("127.0.0.1:80", server_name="shop.example", path="/")


def test_a_front_controller_is_reached():
    world = World().site(
        "root /srv;",
        "index index.php;",
        "location / { try_files $uri $uri/ /index.php?$args; }",
        r"location ~ \.php$ { fastcgi_pass unix:/run/php.sock; }",
    )
    assert way(world).path == "/index.php"


def test_what_is_not_known_makes_it_unsure():
    world = World().site(f"location / {{ if ($geoip_city = x) {{ return 403; }} proxy_pass {TCP}; }}")
    assert way(world) == Way("127.0.0.1:80", server_name="shop.example", path="/", sure=False)
    world = World().site(f"location / {{ if ($geoip_city = x) {{ proxy_pass {TCP}; }} root /srv; }}")
    assert way(world) is None


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((f"location /x/ {{ internal; proxy_pass {TCP}; }}",), "only nginx itself"),
        (("location / { return 204; }", f"location @late {{ proxy_pass {TCP}; }}"), "only nginx itself"),
        ((f"location ~ ^/(?!a)\\d+/[b-f]{{3}} {{ proxy_pass {TCP}; }}",), "regular expression"),
        ((f"location / {{ limit_except GET HEAD {{ proxy_pass {TCP}; }} return 204; }}",), ""),
        ((f"location / {{ if ($request_method = POST) {{ proxy_pass {TCP}; }} root /srv; }}",), "no plain GET"),
    ],
)
def test_why_there_is_none(lines, why):
    for found, said in ways(World().site(*lines)):
        assert found is None
        assert why in said


def test_a_failure_page_is_not_asked_for():
    world = World().site(
        f"location / {{ proxy_pass {TCP}; error_page 502 = @late; }}",
        "location @late { proxy_pass http://127.0.0.1:3001; }",
    )
    assert [bool(found) for found, _why in ways(world)] == [True, False]


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("5432", Way("127.0.0.1:5432", stream=True)), ("127.0.0.1:5432 ssl", Way("127.0.0.1:5432", stream=True, tls=True))],
)
def test_a_stream_is_connected_to(listen, expected):
    world = World().file(MAIN, f"events {{}}\nstream {{ server {{ listen {listen}; proxy_pass 10.0.0.7:5432; }} }}\n")
    assert way(world) == expected


def test_datagrams_are_not_sent():
    world = World().file(MAIN, "events {}\nstream { server { listen 53 udp; proxy_pass 10.0.0.7:53; } }\n")
    assert ways(world) == [(None, "it takes datagrams alone")]
