# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make SELinux let nginx do what it denies: the order of the ways, what each opens, and what is left to a person."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux_policies import BOOLEANS, FEDORA, REFPOLICY, named_for
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._widening import Way
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, file_check, peer_check, port_check

TCP = "127.0.0.1:3000"
ANY, RELAY, GRACEFUL, DB = "httpd_can_network_connect", "httpd_can_network_relay", "httpd_graceful_shutdown", "httpd_can_network_connect_db"
WEB = {"type": "http_port_t", "allowed": False, "booleans": [ANY, GRACEFUL, RELAY]}
# The labels as a host tells them: all that a port might be.
LABELS = (WEB, {"type": "http_cache_port_t", "allowed": False, "booleans": [ANY, RELAY]}, {"type": "mysqld_port_t", "allowed": False, "booleans": [ANY, DB]})


def ways(world: World) -> tuple[Way, ...]:
    host = Host.of(world.bundle())
    (leg,) = host.legs
    if leg.endpoint.kind == "unix":
        return _widening.to_socket(host, leg, leg.selinux)
    return _widening.to_connect(host, leg, leg.selinux, leg.selinux.refused[0])


def to_port(port: int, kind: str, booleans, labels=LABELS, *, domain: str = "initrc_t", target: str = "http://{0}", system: str = "debian", **check) -> World:
    """Return a host whose nginx may not connect to a local port; domain is that of what listens there, "" for one that is not known."""
    endpoint = f"127.0.0.1:{port}"
    world = World().passes(target.format(endpoint)).service("shop.service", endpoint)
    pid = world.units[-1]["main_pid"]
    world.selinux(domains={pid: domain} if domain else {}, system=system)
    return world.decides(endpoint, port_check(port, kind, booleans, labels, **check))


def names(found: tuple[Way, ...]) -> list[str]:
    return [way.does.partition(" instead")[0].replace("turn on ", "").replace("label TCP port ", "") for way in found]


@pytest.mark.parametrize(
    ("port", "kind", "booleans", "order"),
    [
        (3000, "ntop_port_t", [ANY], ["3000 http_port_t", ANY]),
        (9999, "unreserved_port_t", [ANY], ["9999 http_port_t", ANY]),
        (8080, "http_cache_port_t", [ANY, RELAY], [RELAY, "8080 http_port_t", ANY]),
        (8009, "http_port_t", [ANY, GRACEFUL, RELAY], [GRACEFUL, RELAY, ANY]),
        (5432, "postgresql_port_t", [ANY, DB], [DB, "5432 http_port_t", ANY]),
        (6379, "redis_port_t", [ANY, "httpd_can_network_redis"], ["httpd_can_network_redis", "6379 http_port_t", ANY]),
        (1636, "ldap_port_t", [ANY, "httpd_can_connect_ldap"], ["httpd_can_connect_ldap", "1636 http_port_t", ANY]),
        (25, "smtp_port_t", [ANY, "httpd_can_sendmail"], ["25 http_port_t", ANY, "httpd_can_sendmail"]),
        (111, "portmap_port_t", [ANY, "nis_enabled"], ["111 http_port_t", ANY, "nis_enabled"]),
        (40000, "ephemeral_port_t", [ANY, "httpd_can_connect_ftp", RELAY], [RELAY, "40000 http_port_t", ANY, "httpd_can_connect_ftp"]),
    ],
)
def test_the_narrowest_comes_first(port, kind, booleans, order):
    labels = [label for label in LABELS if label["type"] != kind]
    assert names(ways(to_port(port, kind, booleans, labels))) == order


def test_what_is_made_for_something_else_is_never_taken():
    label, wide, other = ways(to_port(111, "portmap_port_t", [ANY, "nis_enabled"]))
    assert label.changes and wide.changes and not other.changes
    (unknown,) = [way for way in ways(to_port(3000, "ntop_port_t", ["shop_port_access", ANY])) if "shop" in way.does]
    assert not unknown.changes and "not known here" in unknown.opens


def test_a_label_goes_with_what_lets_nginx_connect_to_it():
    way = ways(to_port(3000, "ntop_port_t", [ANY], record=[3000, 3001]))[0]
    assert way.changes == (("selinux_port", {"port": 3000, "protocol": "tcp", "type": "http_port_t", "booleans": [GRACEFUL]}),)
    assert way.command == f"semanage port -a -t http_port_t -p tcp 3000 && setsebool -P {GRACEFUL} on"
    assert "every program in httpd_t connect to the ports of web servers" in way.opens


def taken(*ports: tuple[int, str, list[str]], met: str = "") -> dict[int, dict]:
    """Return what the best way changes for each of several ports of a host; met: an endpoint to which nginx was connected since."""
    world = World().site(*[f"location /{port} {{ proxy_pass http://127.0.0.1:{port}; }}" for port, _kind, _booleans in ports]).selinux()
    for port, kind, booleans in ports:
        end = f"127.0.0.1:{port}"
        world.service(f"app{port}.service", end).decides(end, port_check(port, kind, booleans, LABELS))
        world.answers["selinux"]["value"]["contexts"][str(world.units[-1]["main_pid"])] = "system_u:system_r:initrc_t:s0"
    host = Host.of((world.logged(met, "closed-early") if met else world).bundle())
    return {leg.endpoint.port: _widening.to_connect(host, leg, leg.selinux, leg.selinux.refused[0])[0].changes[0][1] for leg in host.legs}


SHOP, CACHE, WEB_SERVER = (3000, "ntop_port_t", [ANY]), (8080, "http_cache_port_t", [ANY, RELAY]), (8009, "http_port_t", [ANY, GRACEFUL, RELAY])


def test_a_boolean_that_another_port_needs_does_for_a_label_too():
    made = taken(SHOP, CACHE, WEB_SERVER)
    assert made[3000]["booleans"] == [RELAY]
    assert made[8080]["name"] == made[8009]["name"] == RELAY


def test_a_boolean_that_only_may_be_needed_does_not():
    made = taken(SHOP, WEB_SERVER)
    assert made[3000]["booleans"] == [made[8009]["name"]] == [GRACEFUL]
    # That a port is denied to which nginx was connected since is no more than likely.
    assert taken(SHOP, CACHE, met="127.0.0.1:8080")[3000]["booleans"] == [GRACEFUL]


def test_a_label_that_suffices_turns_nothing_on():
    way = ways(to_port(5000, "commplex_main_port_t", [ANY], [{"type": "http_port_t", "allowed": True, "booleans": []}]))[0]
    assert way.changes[0][1]["booleans"] == []
    assert way.command == "semanage port -m -t http_port_t -p tcp 5000"


@pytest.mark.parametrize(("later", "booleans"), [(False, [GRACEFUL]), (True, []), (None, [])], ids=str)
def test_a_label_that_suffices_until_the_next_boot_alone(later, booleans):
    world = to_port(3000, "ntop_port_t", [ANY], [{"type": "http_port_t", "allowed": True, "booleans": []}])
    told = world.answers["selinux"]["value"]
    told["booleans"][GRACEFUL] = True
    told["booleans_at_boot"] = None if later is None else {**told["booleans"], GRACEFUL: later}
    way = ways(world)[0]
    assert way.changes[0][1]["booleans"] == booleans and ("for good" in way.does) == bool(booleans) == ("setsebool -P" in way.command)


@pytest.mark.parametrize("booleans", [[], [ANY]], ids=["none", "the widest"])
def test_a_label_that_would_help_nothing_is_no_way(booleans):
    assert names(ways(to_port(3000, "ntop_port_t", [ANY], [{"type": "http_port_t", "allowed": False, "booleans": booleans}]))) == [ANY]


@pytest.mark.parametrize(
    ("domain", "kept"), [("initrc_t", False), ("unconfined_service_t", False), ("httpd_t", False), ("ntop_t", True), ("", True)], ids=str
)
def test_a_port_keeps_the_label_that_its_service_needs(domain, kept):
    found = ways(to_port(3000, "ntop_port_t", [ANY], domain=domain))
    label = next(way for way in found if "label" in way.does)
    assert bool(label.why_not) == kept == (not label.changes)
    taken = next(way for way in found if way.changes)
    assert ("httpd_can_network_connect" in taken.does) == kept


def test_a_port_of_another_host_may_be_labelled():
    world = World().passes("http://10.0.0.7:3000").selinux().decides("10.0.0.7:3000", port_check(3000, "ntop_port_t", [ANY], LABELS))
    assert ways(world)[0].changes


def test_a_label_that_somebody_gave_stays():
    way = next(way for way in ways(to_port(3000, "ntop_port_t", [ANY], local=True)) if "label" in way.does)
    assert not way.changes and "on purpose" in way.why_not


def test_memcached():
    labels = [*LABELS, {"type": "memcache_port_t", "allowed": False, "booleans": [ANY, "httpd_can_network_connect_memcache"]}]
    way = ways(to_port(11311, "unreserved_port_t", [ANY], labels, target="memcached_pass {0}"))[0]
    assert way.changes[0][1] == {"port": 11311, "protocol": "tcp", "type": "memcache_port_t", "booleans": ["httpd_can_network_connect_memcache"]}


def test_nothing_allows_it():
    assert ways(to_port(3000, "ntop_port_t", [], [])) == ()


@pytest.mark.parametrize("system", ["debian", "rhel"])
def test_where_the_host_could_not_tell_the_source_of_the_policy_does_but_changes_nothing(system):
    found = ways(to_port(5432, "postgresql_port_t", None, [], system=system))
    assert names(found) == [DB, ANY] and not any(way.changes for way in found)
    assert "by the source of this policy" in found[0].why_not
    assert ways(to_port(5432, "postgresql_port_t", None, [], system="opensuse")) == ()


def test_a_domain_that_is_not_that_of_nginx():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP).selinux()
    world.decides(TCP, port_check(3000, "ntop_port_t", [ANY], LABELS), domain="container_t")
    (way,) = ways(world)
    assert not way.changes and "not known here" in way.opens


def test_the_families_name_things_differently():
    assert [item.name for item in named_for("memcache_port_t", REFPOLICY)] == ["httpd_can_network_connect_memcache", RELAY, ANY]
    assert [item.name for item in named_for("memcache_port_t", FEDORA)] == ["httpd_can_network_memcache", RELAY, ANY]
    assert [item.name for item in named_for("ntop_port_t", FEDORA)] == [ANY]
    assert all(name == item.name for name, item in BOOLEANS.items())


# --- sockets

RIGHT = {"type": "httpd_runtime_t", "allowed": True, "booleans": []}


def to_path(path: str, *checks: dict, unit_folder: str = "", comm: str = "node", system: str = "debian") -> World:
    world = World().passes(f"http://unix:{path}").service("shop.service", f"unix:{path}", comm=comm).selinux(system=system)
    world.units[-1]["runtime_directory"] = [unit_folder] if unit_folder else []
    return world.decides(f"unix:{path}", *checks)


def test_a_folder_that_its_unit_makes():
    path = "/run/shop-1/shop.sock"
    folder = file_check("/run/shop-1", "var_run_t", True, name="dir")
    found = ways(to_path(path, folder, file_check(path, "initrc_runtime_t", False, labels=[RIGHT]), peer_check("httpd_t", True), unit_folder="shop-1"))
    item = {"path": path, "pattern": "/run/shop\\-1(/.*)?", "type": "httpd_runtime_t", "restore": ["/run/shop-1", path]}
    assert found[0].changes == (("selinux_fcontext", item),)
    assert "the RuntimeDirectory of shop.service" in found[0].does
    assert found[0].command.endswith("restorecon -Rv /run/shop-1")


def test_a_folder_that_holds_more_than_sockets_keeps_its_label():
    path = "/srv/shop/shop.sock"
    (way,) = ways(to_path(path, file_check(path, "var_t", False, "var_t", labels=[RIGHT]), peer_check("httpd_t", True)))
    assert not way.changes and "RuntimeDirectory=shop" in way.does and "/run/shop/shop.sock" in way.does


def test_the_pool_of_php_is_led_where_the_label_is_right():
    for system, place in (("debian", "/run/php/"), ("rhel", "/run/php-fpm/")):
        world = to_path("/srv/shop.sock", file_check("/srv/shop.sock", "var_t", False, "var_t"), peer_check("httpd_t", True), comm="php-fpm8.2", system=system)
        (way,) = ways(world)
        assert f"{place}shop.sock" in way.does and not way.changes


def test_a_lost_label_comes_back_with_that_of_its_folder():
    path = "/run/php/shop.sock"
    folder = file_check("/run/php", "var_run_t", True, "httpd_runtime_t", "dir")
    (way,) = ways(to_path(path, folder, file_check(path, "var_run_t", False, "httpd_runtime_t", labels=[RIGHT]), peer_check("httpd_t", True)))
    assert [item["path"] for _name, item in way.changes] == ["/run/php", path]
    assert all(item["pattern"] == "" and item["restore"] == [item["path"]] for _name, item in way.changes)


@pytest.mark.parametrize("labels", [[], [{"type": "var_t", "allowed": False, "booleans": []}]], ids=["not asked", "denied too"])
def test_a_label_of_the_policy_that_nginx_may_not_use_is_no_way(labels):
    path = "/srv/shop.sock"
    (way,) = ways(to_path(path, file_check(path, "user_home_t", False, "var_t", labels=labels), peer_check("httpd_t", True)))
    assert not way.changes


def test_a_socket_in_a_home():
    path = "/home/deploy/shop/run/shop.sock"
    home = [file_check(f"/home/deploy{more}", "user_home_t", False, "user_home_t", "dir") for more in ("/shop", "/shop/run")]
    for check in home:
        check["booleans"] = ["httpd_read_user_content"]
    socket = file_check(path, "user_home_t", False, "user_home_t", labels=[RIGHT])
    way = ways(to_path(path, *home, socket, peer_check("httpd_t", True)))[0]
    assert [name for name, _item in way.changes] == ["selinux_fcontext", "selinux_boolean"]
    assert "read the files in the homes of users" in way.opens
    home[0]["booleans"] = []
    assert not ways(to_path(path, *home, socket, peer_check("httpd_t", True)))[0].changes


def test_a_home_that_alone_is_closed():
    path = "/home/deploy/shop.sock"
    home = file_check("/home/deploy", "user_home_dir_t", False, "user_home_dir_t", "dir")
    home["booleans"] = ["httpd_enable_homedirs", "httpd_read_user_content"]
    way = ways(to_path(path, home, file_check(path, "httpd_user_rw_content_t", True), peer_check("httpd_t", True)))[0]
    assert way.changes == (("selinux_boolean", {"name": "httpd_enable_homedirs", "value": True}),)
    home["booleans"] = ["some_other"]
    assert not ways(to_path(path, home, file_check(path, "httpd_user_rw_content_t", True), peer_check("httpd_t", True)))[0].changes


def test_the_domain_of_the_program_is_for_a_person():
    path = "/run/shop/shop.sock"
    found = ways(to_path(path, file_check(path, "initrc_runtime_t", False, labels=[RIGHT]), peer_check("initrc_t", False), unit_folder="shop"))
    assert len(found) == 2 and not any(way.changes for way in found)
    assert "127.0.0.1" in found[0].does and "httpd_exec_t" in found[1].does


def test_an_odd_path_is_for_a_person():
    path = "/run/sh~op/run/shop.sock"
    found = ways(to_path(path, file_check(path, "var_run_t", False, labels=[RIGHT]), peer_check("httpd_t", True)))
    assert not found[0].changes and "no plain path" in found[0].why_not


def test_a_program_of_a_site_that_calls_itself_nginx_opens_nothing():
    """PHP of a site runs in nginx's domain, and may run a program of that name with a configuration of its own."""
    path = "/run/php/shop.sock"
    folder = file_check("/run/php", "var_run_t", True, "httpd_runtime_t", "dir")
    socket = to_path(path, folder, file_check(path, "var_run_t", False, "httpd_runtime_t", labels=[RIGHT]), peer_check("httpd_t", True))
    port = to_port(3000, "ntop_port_t", [ANY])
    assert ways(port)[0].changes and ways(socket)[0].changes
    listening = World().selinux().may_not_bind(8088)
    for world in (port, socket, listening):
        world.instance["master"]["uid"] = 33
    assert not any(way.changes for way in (*ways(port), *ways(socket))) and "run by uid 33" in ways(port)[0].why_not
    host = Host.of(listening.bundle())
    (bind,) = host.selinux.listens
    assert "run by uid 33" in _widening.to_listen(host, bind).why_not
    listening.instance["master"]["uid"] = 0
    assert _widening.to_listen(Host.of(listening.bundle()), bind).changes
