# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""socket-permission and socket-directory-permission, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import WWW_DATA, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
PATH = "/run/shop/app.sock"
SOCK = f"unix:{PATH}"


def acl(*entries):
    return [{"tag": tag, "id": number, "perm": perm} for tag, number, perm in entries]


def socket(connect="denied", **step) -> World:
    world = World().passes(f"http://{SOCK}").service("shop.service", SOCK, comm="gunicorn").socket(PATH, **step)
    return world.reply(SOCK, *([{}] if connect == "ok" else []), connect=connect)


def one(rule, certainty="proven"):
    return [(rule, "cause", certainty, SOCK, SHOP)]


CLOSED = {
    "owned by others": {"mode": "0600"},
    "the group may only read": {"mode": "0640"},
    "owned by the worker, who may not write": {"mode": "0460", "uid": WWW_DATA},
    "the group of the worker may not, others may": {"mode": "0606"},
    "the named user is masked": {
        "acl": acl(("owner", None, "rw-"), ("user", WWW_DATA, "rw-"), ("owning_group", None, "---"), ("mask", None, "r--"), ("other", None, "---"))
    },
    "the named user may not, its group may": {
        "acl": acl(("owner", None, "rw-"), ("user", WWW_DATA, "---"), ("owning_group", None, "rw-"), ("mask", None, "rw-"), ("other", None, "rw-"))
    },
    "the group is masked": {
        "acl": acl(("owner", None, "rw-"), ("owning_group", None, "rw-"), ("group", 7, "rw-"), ("mask", None, "---"), ("other", None, "rw-"))
    },
}
OPEN = {
    "the group may write": {"mode": "0660"},
    "everybody may write": {"mode": "0666", "gid": 0},
    "the worker owns it": {"mode": "0600", "uid": WWW_DATA, "gid": 0},
    "the owner is not masked": {
        "uid": WWW_DATA,
        "acl": acl(("owner", None, "rw-"), ("owning_group", None, "---"), ("user", 7, "rw-"), ("mask", None, "---"), ("other", None, "---")),
    },
    "a named user": {
        "gid": 0,
        "acl": acl(("owner", None, "rw-"), ("user", WWW_DATA, "rw-"), ("owning_group", None, "---"), ("mask", None, "rw-"), ("other", None, "---")),
    },
    "one of two groups": {
        "acl": acl(("owner", None, "rw-"), ("owning_group", None, "r--"), ("group", WWW_DATA, "rw-"), ("mask", None, "rw-"), ("other", None, "---"))
    },
    "others are not masked": {
        "gid": 0,
        "acl": acl(("owner", None, "rw-"), ("owning_group", None, "---"), ("user", 7, "rw-"), ("mask", None, "---"), ("other", None, "rw-")),
    },
}


@pytest.mark.parametrize("step", CLOSED.values(), ids=CLOSED)
def test_a_closed_socket(step):
    result = socket(**step).judge()
    assert verdict(result) == one("socket-permission")
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == ("socket_access", "risky")
    assert unknowns(result) == []


@pytest.mark.parametrize("step", OPEN.values(), ids=OPEN)
def test_an_open_socket_is_silent(step):
    assert verdict(socket("ok", **step).judge()) == []


@pytest.mark.parametrize("step", OPEN.values(), ids=OPEN)
def test_an_open_socket_that_denies_all_the_same_is_not_explained_by_its_mode(step):
    result = socket(**step).judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", SOCK, "open")])


@pytest.mark.parametrize("step", CLOSED.values(), ids=CLOSED)
def test_a_socket_that_lets_the_worker_in_is_not_closed_whatever_its_mode_says(step):
    assert verdict(socket("ok", **step).judge()) == []


def test_without_a_probe_a_closed_socket_is_likely():
    world = socket(mode="0600")
    world.probing = False
    assert verdict(world.judge()) == one("socket-permission", "likely")


def test_a_worker_that_is_root_may_do_anything():
    world = socket("ok", mode="0600")
    world.instance["identity"].update(user="root", uid=0, gid=0, groups=[0])
    assert verdict(world.judge()) == []


def test_a_supplementary_group_counts():
    world = socket("ok", mode="0660", gid=1000)
    world.instance["identity"]["groups"] = [WWW_DATA, 1000]
    assert verdict(world.judge()) == []


def test_without_the_ids_of_the_worker_nothing_is_computed():
    world = socket(mode="0600")
    world.instance["identity"] = {}
    assert verdict(world.judge()) == []


def test_the_fix_names_the_pool_and_its_access_list():
    php = "/run/php/php8.2-fpm.sock"
    world = World().passes(f"fastcgi_pass unix:{php}").pool(f"unix:{php}").reply(f"unix:{php}", connect="denied")
    assert "listen.group" in world.socket(php, mode="0600", gid=0).judge().findings[0].fix.summary
    world.php["pools"][0]["acl_users"] = ["app"]
    assert "listen.acl_users" in world.socket(php, **CLOSED["the group is masked"]).judge().findings[0].fix.summary


CLOSED_FOLDERS = {
    "a home folder": {"/run/shop": {"mode": "0750", "uid": 1000, "gid": 1000}},
    "two, of which the first counts": {"/run": {"mode": "0700"}, "/run/shop": {"mode": "0700"}},
    "readable, not to be crossed": {"/run/shop": {"mode": "0744"}},
    "masked": {
        "/run/shop": {
            "acl": acl(("owner", None, "rwx"), ("user", WWW_DATA, "--x"), ("owning_group", None, "r-x"), ("mask", None, "r--"), ("other", None, "r-x"))
        }
    },
}
OPEN_FOLDERS = {
    "to be crossed, not to be read": {"/run/shop": {"mode": "0711"}},
    "by its group": {"/run/shop": {"mode": "0710", "gid": WWW_DATA}},
    "by its owner": {"/run/shop": {"mode": "0100", "uid": WWW_DATA}},
    "by an access list": {
        "/run/shop": {
            "mode": "0750",
            "acl": acl(("owner", None, "rwx"), ("user", WWW_DATA, "--x"), ("owning_group", None, "---"), ("mask", None, "--x"), ("other", None, "---")),
        }
    },
}


@pytest.mark.parametrize("folders", CLOSED_FOLDERS.values(), ids=CLOSED_FOLDERS)
def test_a_closed_folder(folders):
    result = socket(folders=folders).judge()
    assert verdict(result) == one("socket-directory-permission")
    assert next(iter(folders)) in result.findings[0].says


@pytest.mark.parametrize("folders", OPEN_FOLDERS.values(), ids=OPEN_FOLDERS)
def test_an_open_folder_is_silent(folders):
    assert verdict(socket("ok", folders=folders).judge()) == []


def test_a_closed_folder_hides_that_the_socket_is_not_there():
    world = World().passes(f"http://{SOCK}").missing(PATH).reply(SOCK, connect="denied")
    world.paths[PATH]["walk"][-1].update(mode="0700")
    assert verdict(world.judge()) == one("socket-directory-permission")


def test_a_closed_socket_of_one_peer_is_a_risk():
    group = (f"upstream shop {{ server {SOCK}; server 127.0.0.1:3000; }}",)
    world = World().passes("http://shop", outside=group).service("a.service", SOCK).socket(PATH, mode="0600").reply(SOCK, connect="denied")
    assert verdict(world.service("b.service", "127.0.0.1:3000").judge()) == [("socket-permission", "risk", "proven", SOCK, "/etc/nginx/sites-enabled/shop:1")]


@pytest.mark.parametrize("status", ["denied", "error"])
def test_a_path_that_could_not_be_walked_is_unknown(status):
    world = socket()
    world.paths[PATH] = {"status": status, "why": "Permission denied", "missing": "", "walk": []}
    result = world.judge()
    assert verdict(result) == []
    assert ("socket path", PATH, status) in unknowns(result)
    assert result.status == "partial"


# --- nginx's user was put into the group since the workers were started


def regrouped(*after: int, **step) -> World:
    world = socket(**{"mode": "0660", "gid": 990, **step})
    world.instance["groups_after_reload"] = [WWW_DATA, *after]
    return world


def test_workers_that_are_older_than_their_user_s_new_group_are_started_anew():
    result = regrouped(990).judge()
    assert verdict(result) == one("socket-permission")
    (finding,) = result.findings
    assert (finding.fix.remedy, finding.fix.safety) == ("reload_nginx", "safe") and "www-data was put into a group" in finding.fix.summary
    assert finding.fix.changes == ({"path": "/etc/nginx/nginx.conf", "force": True},)
    assert ("groups of the workers", "not in 990, in which www-data is by now") in [(item.from_, item.shows) for item in finding.evidence]


def test_so_it_is_with_a_folder_above():
    world = World().passes(f"http://{SOCK}").service("shop.service", SOCK, comm="gunicorn").socket(PATH, mode="0660", gid=990)
    world.paths[PATH]["walk"][-2].update(mode="0750", gid=990)
    world.reply(SOCK, connect="denied")
    assert [item.fix.remedy for item in world.judge().findings] != ["reload_nginx"]
    world.instance["groups_after_reload"] = [WWW_DATA, 990]
    (finding,) = world.judge().findings
    assert (finding.id, finding.certainty, finding.fix.remedy) == ("socket-directory-permission", "proven", "reload_nginx")


@pytest.mark.parametrize("world", [regrouped(), regrouped(7), regrouped(990, mode="0640"), regrouped(990, mode="0600", uid=1)])
def test_a_group_that_would_not_let_it_in_either_is_no_reason_to_reload(world):
    (finding,) = world.judge().findings
    assert finding.id == "socket-permission" and finding.fix.remedy != "reload_nginx"
    assert not any(item.from_ == "groups of the workers" for item in finding.evidence)
