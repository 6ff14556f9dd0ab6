# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role socket_access is told to open: what lets the worker in, and nothing more."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import WWW_DATA, World

PATH = "/run/shop/app.sock"
SOCK = f"unix:{PATH}"
PHP = "/run/php/php8.2-fpm.sock"
APP = 1000


def fix_of(world: World):
    (finding,) = (item for item in world.judge().findings if item.id in ("socket-permission", "socket-directory-permission"))
    return finding.fix


def items(world: World) -> tuple:
    fix = fix_of(world)
    assert (fix.remedy, fix.safety) == ("socket_access", "risky"), fix.summary
    assert "666" not in str(fix) and "777" not in str(fix)
    return fix.changes


def by_hand(world: World) -> str:
    fix = fix_of(world)
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())
    return fix.summary


# --- PHP-FPM


def pool(mode: str = "0600", gid: int = 0, uid: int = 0, acl=None, **more) -> World:
    return World().passes(f"fastcgi_pass unix:{PHP}").pool(f"unix:{PHP}", **more).socket(PHP, mode, uid, gid, acl).reply(f"unix:{PHP}", connect="denied")


def options(world: World) -> dict:
    (item,) = items(world)
    assert (item["option"]["unit"], item["option"]["apply"], item["option"]["endpoint"]) == ("php8.2-fpm.service", "restart", f"unix:{PHP}")
    return {option["name"]: option["value"] for option in item["option"]["ini"]["options"]}


def test_a_socket_of_a_pool_gets_a_group_of_the_worker():
    assert options(pool()) == {"listen.group": "33", "listen.mode": "0660"}


def test_the_group_has_a_name_where_a_path_shows_one():
    world = pool()
    world.paths[PHP]["walk"][1].update(gid=WWW_DATA, group="www-data")
    assert options(world)["listen.group"] == "www-data"


@pytest.mark.parametrize("more", [{"mode": "0640", "gid": WWW_DATA}, {"mode": "0460", "uid": WWW_DATA}])
def test_a_socket_that_has_the_group_or_the_owner_needs_the_mode_alone(more):
    assert options(pool(**more)) == {"listen.mode": "0660"}


def test_an_access_list_of_the_pool_goes_on():
    entries = [{"tag": tag, "id": number, "perm": perm} for tag, number, perm in (
        ("owner", None, "rw-"), ("user", 1001, "rw-"), ("owning_group", None, "---"), ("mask", None, "rw-"), ("other", None, "---"))]
    assert options(pool(acl=entries, acl_users=["deploy"])) == {"listen.acl_users": "deploy,www-data"}


def test_a_group_that_others_use_is_not_taken_away():
    world = pool(mode="0660", gid=50)
    world.paths[PHP]["walk"][-1].update(user="app", group="staff")
    assert "its group staff may use it already" in by_hand(world)


def test_the_private_group_of_the_owner_is_used_by_nobody_else():
    world = pool(mode="0660", gid=50, uid=50)
    world.paths[PHP]["walk"][-1].update(user="app", group="app")
    assert options(world)["listen.group"] == "33"


# --- what another user than root asks for


@pytest.mark.parametrize("change", [{"master": {"uid": 1000}}, {"file": {"uid": 1000}}, {"file": {"mode": "0646"}}])
def test_nothing_is_opened_that_another_user_has_nginx_ask_for(change):
    world = pool()
    world.instance["master"].update(change.get("master", {}))
    world.instance["files"][-1].update(change.get("file", {}))
    assert "would get at whatever nginx is made to ask for" in by_hand(world)


# --- units


def unit(mode: str = "0700", comm: str = "gunicorn", user: str = "app", acl=None, **step) -> World:
    world = World().passes(f"http://{SOCK}").service("shop.service", SOCK, comm=comm, pid=1500).socket(PATH, mode, APP, APP, acl).reply(SOCK, connect="denied")
    world.units[0]["user"] = user
    world.paths[PATH]["walk"][-1].update(user="app", group="app", **step)
    return world


def service(world: World) -> dict:
    (item,) = items(world)
    found = dict(item["service"])
    assert (found.pop("unit"), found.pop("group"), found.pop("keep"), found.pop("endpoint")) == ("shop.service", "33", ["app"], SOCK)
    return found


def test_a_unit_whose_group_may_write_needs_the_group_alone():
    assert service(unit(mode="0660", comm="node")) == {}


def test_a_mask_of_the_list_does_not_hide_what_the_group_may():
    entries = [{"tag": tag, "id": number, "perm": perm} for tag, number, perm in (
        ("owner", None, "rwx"), ("user", WWW_DATA, "rw-"), ("owning_group", None, "rwx"), ("mask", None, "r--"), ("other", None, "---"))]
    assert service(unit(mode="0740", acl=entries)) == {}


def test_a_program_gets_a_umask():
    assert service(unit(comm="node")) == {"umask": True}


def test_gunicorn_has_a_umask_of_its_own():
    assert service(unit().server(1500, "gunicorn")) == {"command": {"program": "gunicorn", "option": "--umask", "aliases": ["-m"], "value": "007"}}


def test_uwsgi_is_told_in_its_file():
    found = service(unit(comm="uwsgi").server(1500, "uwsgi", files=["/etc/uwsgi/shop.ini"]))
    assert found == {"ini": {"file": "/etc/uwsgi/shop.ini", "section": "uwsgi", "options": [{"name": "chmod-socket", "value": "660"}]}}


def test_uwsgi_in_another_file_is_left_to_a_person():
    assert "not in one ini file" in by_hand(unit(comm="uwsgi").server(1500, "uwsgi", files=["/etc/uwsgi/shop.xml"]))


def test_a_unit_of_root_is_left_to_a_person():
    assert "runs as root" in by_hand(unit(user=""))


def test_a_unit_that_does_not_run_the_program_itself_is_left_to_a_person():
    world = unit()
    world.units[0]["main_pid"] = 7
    assert "no unit is known" in by_hand(world)


def test_a_socket_of_systemd_is_given_the_group_without_a_restart():
    world = World().passes(f"http://{SOCK}").unit("shop.socket", SOCK, source="ListenStream").unit("shop.service", SOCK, source="shop.socket ListenStream")
    world.listen(SOCK, comm="systemd", unit="init.scope", pid=1)
    world.socket(PATH, "0600", 0, 0).reply(SOCK, connect="denied")
    assert items(world) == ({"socket": {"unit": "shop.socket", "path": PATH, "group": "33"}},)
    world.paths[PATH]["walk"][-2].update(uid=APP)
    assert "others than root can put another file" in by_hand(world)


# --- folders


def folders(path: str = "/srv/shop/app.sock", mode: str = "0660", made: list[str] | None = None, **changed) -> World:
    world = World().passes(f"http://unix:{path}").service("shop.service", f"unix:{path}", comm="gunicorn", pid=1500)
    world.units[0].update(user="app", runtime_directory=made or [])
    return world.socket(path, mode, APP, WWW_DATA, folders=changed["closed"]).reply(f"unix:{path}", connect="denied")


CLOSED = {"mode": "0700", "uid": APP, "gid": APP}


def test_a_folder_is_opened_to_the_user_of_the_worker_alone():
    assert items(folders(closed={"/srv/shop": CLOSED})) == ({"directory": {"path": "/srv/shop", "user": "www-data"}},)


def test_a_folder_that_a_unit_makes_anew_is_opened_each_time():
    (item,) = items(folders(PATH, made=["shop"], closed={"/run/shop": CLOSED}))
    assert item == {"directory": {"path": "/run/shop", "user": "www-data", "unit": "shop.service"}}


@pytest.mark.parametrize("path", ["/run/shop", "/run"])
def test_a_folder_that_is_made_anew_by_nobody_who_is_known_is_left_to_a_person(path):
    assert "made anew at each boot" in by_hand(folders(PATH, closed={path: CLOSED}))


def test_a_folder_that_another_can_be_put_in_the_place_of_is_left_to_a_person():
    closed = {"/home/deploy": {"mode": "0755", "uid": APP, "gid": APP}, "/home/deploy/run": CLOSED}
    assert "others than root" in by_hand(folders("/home/deploy/run/app.sock", closed=closed))
    closed = {"/srv": {"mode": "0775"}, "/srv/shop": CLOSED}
    assert "others than root" in by_hand(folders(closed=closed))


def test_the_home_of_root_is_not_opened():
    assert "home of root" in by_hand(folders("/root/app.sock", closed={"/root": {"mode": "0700"}}))


def test_a_mask_is_not_opened():
    entries = [{"tag": tag, "id": number, "perm": perm} for tag, number, perm in (
        ("owner", None, "rwx"), ("user", WWW_DATA, "--x"), ("owning_group", None, "r-x"), ("mask", None, "r--"), ("other", None, "---"))]
    assert "mask" in by_hand(folders(closed={"/srv/shop": {"acl": entries}}))


def test_every_step_that_denies_is_opened():
    world = folders(mode="0600", closed={"/srv/shop": CLOSED})
    world.paths["/srv/shop/app.sock"]["walk"][-1].update(gid=APP, user="app", group="app")
    first, second = items(world)
    assert first == {"directory": {"path": "/srv/shop", "user": "www-data"}}
    assert second["service"]["command"]["option"] == "--umask"


def test_nothing_is_opened_where_a_later_step_has_to_be_opened_by_hand():
    world = folders(mode="0600", closed={"/srv/shop": CLOSED})
    world.paths["/srv/shop/app.sock"]["walk"][-1].update(gid=APP, user="app", group="app")
    world.units[0]["user"] = "root"
    assert "runs as root" in by_hand(world)
