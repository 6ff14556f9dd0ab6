# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles backend_timeout, backend_workers and uwsgi_buffer are told to set, and where."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World

PHP = "unix:/run/php/shop.sock"
APP = "unix:/run/shop/app.sock"
POOL = "/etc/php/8.2/fpm/pool.d/shop.conf"
PHP_FPM = {"binary": "/usr/sbin/php-fpm8.2", "configuration": "/etc/php/8.2/fpm/php-fpm.conf"}
CUT = {"status": "reset", "seconds": 2.6, "why": "the backend reset the connection (104)"}
MIB = 1 << 20


def fix_of(world: World, rule: str):
    """Return the fix of the findings of a rule, which is one."""
    fixes = [item.fix for item in world.judge().findings if item.id == rule]
    assert fixes and all(fix == fixes[0] for fix in fixes)
    return fixes[0]


def change(world: World, rule: str) -> dict:
    fix = fix_of(world, rule)
    assert fix.safety == "risky", fix.summary
    (item,) = fix.changes
    return {"remedy": fix.remedy, **item}


def by_hand(world: World, rule: str) -> str:
    fix = fix_of(world, rule)
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())
    return fix.summary


# --- time-outs


def killed_pool(**pool) -> World:
    return World().passes(f"fastcgi_pass {PHP}").pool(PHP, name="shop", request_terminate_timeout=2.0, **pool).reply(PHP, CUT)


def killed_gunicorn(site: str = "", timeout: float = 2.0, **server) -> World:
    world = World().site(site or f"location / {{ proxy_pass http://{APP}; }}").service("shop.service", APP, comm="gunicorn", pid=1500)
    return world.server(1500, "gunicorn", told={"timeout": timeout}, **server).reply(APP, {**CUT, "seconds": timeout + 0.6})


def test_a_pool_ends_a_request_a_little_before_nginx_does():
    assert change(killed_pool(), "backend-killed-by-manager") == {
        "remedy": "backend_timeout",
        "unit": "php8.2-fpm.service",
        "apply": "reload",
        "ini": {"file": POOL, "section": "shop", "options": [{"name": "request_terminate_timeout", "value": "58s"}]},
        "php_fpm": PHP_FPM,
        "endpoint": PHP,
    }


def test_gunicorn_is_told_by_the_command_of_its_unit():
    assert change(killed_gunicorn(), "backend-killed-by-manager") == {
        "remedy": "backend_timeout",
        "unit": "shop.service",
        "apply": "restart",
        "command": {"program": "gunicorn", "option": "--timeout", "aliases": ["-t"], "value": "58"},
        "endpoint": APP,
    }


def test_the_slowest_route_to_the_server_counts():
    site = f"location / {{ proxy_pass http://{APP}; }}\nlocation /report {{ proxy_pass http://{APP}; proxy_read_timeout 120s; }}"
    assert change(killed_gunicorn(site), "backend-killed-by-manager")["command"]["value"] == "118"


def test_a_manager_that_waits_as_long_as_nginx_is_left_to_a_person():
    site = f"location / {{ proxy_pass http://{APP}; proxy_read_timeout 30s; }}"
    assert "nginx waits no longer" in by_hand(killed_gunicorn(site, timeout=28.5), "backend-killed-by-manager")


def test_a_unit_that_does_not_run_the_server_itself_is_left_to_a_person():
    world = killed_gunicorn()
    world.units[0]["main_pid"] = 7
    assert "does not run it itself" in by_hand(world, "backend-killed-by-manager")


def test_a_pool_in_two_files_is_left_to_a_person():
    world = killed_pool(listen_at={"file": "/etc/php/8.2/fpm/pool.d/zz.conf", "line": 2})
    assert "more than one file" in by_hand(world, "backend-killed-by-manager")


@pytest.mark.parametrize("name", ["a b", "[x", "shop]\nx=1", "-x"])
def test_a_pool_whose_name_is_no_plain_word_is_left_to_a_person(name):
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, name="shop", request_terminate_timeout=2.0).reply(PHP, CUT)
    world.php["pools"][0]["name"] = name
    assert "more than one file" in by_hand(world, "backend-killed-by-manager")


def test_a_php_fpm_that_cannot_be_tested_is_left_to_a_person():
    world = killed_pool()
    world.php["versions"][0]["binary"] = ""
    assert "not found" in by_hand(world, "backend-killed-by-manager")


def test_a_kill_for_memory_is_left_to_a_person():
    world = World().passes(f"uwsgi_pass {APP}").service("shop.service", APP, comm="uwsgi", pid=1500).server(1500, "uwsgi")
    world.logged(APP, "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    assert "reload-on-rss" in by_hand(world.ended("shop.service", "memory-reload", at=(NOW - 60,), what="rss"), "backend-killed-by-manager")


def test_a_reload_that_waits_for_nobody_is_told_to():
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, name="shop").logged(PHP, "closed-early", count=1, last=NOW - 60, moments=[NOW - 60])
    world.ended("php8.2-fpm.service", "reload", at=(NOW - 60,), what="Reloading in progress")
    found = change(world, "backend-killed-by-manager")
    assert found["ini"] == {"file": PHP_FPM["configuration"], "section": "global", "options": [{"name": "process_control_timeout", "value": "30s"}]}
    assert found["apply"] == "reload"


def test_advice_on_time_outs_is_carried_out_too():
    world = World().site(f"location / {{ proxy_pass http://{APP}; proxy_read_timeout 300s; }}").service("shop.service", APP, comm="gunicorn", pid=1500)
    assert change(world.server(1500, "gunicorn", told={"timeout": 30.0}), "timeouts-misaligned")["command"]["value"] == "298"


# --- workers


def exhausted_pool(largest: int | None = 40 * MIB, children: int = 10, available: int | None = 2048 * MIB, limit: int | None = None) -> World:
    world = World().passes(f"fastcgi_pass {PHP}").pool(PHP, name="shop", max_children=children)
    world.units[0]["memory"] = {"limit": limit, "peak": None, "oom_kills": 0}
    world.server(world.units[0]["main_pid"], "php-fpm", running=children, name="shop", largest=largest)
    world.answers["pressure"]["value"]["memory"] = {"total": 4096 * MIB, "available": available}
    return world.reply(PHP, connect="full", queue={"accepted": False, "length": 129, "backlog": 128})


def children(world: World) -> str:
    found = change(world, "backend-workers-exhausted")
    assert (found["remedy"], found["apply"]) == ("backend_workers", "reload")
    (option,) = found["ini"]["options"]
    assert option["name"] == "pm.max_children"
    return option["value"]


def test_as_many_again_where_memory_allows():
    assert children(exhausted_pool()) == "20"


def test_what_fits_into_half_of_the_memory_that_is_free():
    assert children(exhausted_pool(largest=200 * MIB)) == "15"


def test_a_child_that_has_just_begun_is_taken_for_a_larger_one():
    assert children(exhausted_pool(largest=MIB, available=200 * MIB)) == "15"


def test_the_memory_limit_of_the_unit_counts():
    assert children(exhausted_pool(limit=800 * MIB)) == "15"


@pytest.mark.parametrize("more", [{"largest": None}, {"available": None}])
def test_without_a_measure_a_person_decides(more):
    assert "is not known" in by_hand(exhausted_pool(**more), "backend-workers-exhausted")


@pytest.mark.parametrize("more", [{"largest": 900 * MIB}, {"limit": 500 * MIB}])
def test_without_memory_a_person_decides(more):
    assert "memory does not allow more" in by_hand(exhausted_pool(**more), "backend-workers-exhausted")


def test_a_pool_of_a_user_is_not_edited():
    world = exhausted_pool()
    world.answers["php_fpm"]["value"]["pools"][0]["roots"] = False
    assert "is not a plain file of root's" in by_hand(world, "backend-workers-exhausted")


def test_workers_of_gunicorn():
    world = World().passes(f"http://{APP}").service("shop.service", APP, comm="gunicorn", pid=1500)
    world.server(1500, "gunicorn", told={"workers": 2.0}, largest=30 * MIB).reply(APP, connect="full", queue={"accepted": False, "length": 5, "backlog": 4})
    assert change(world, "backend-workers-exhausted")["command"] == {"program": "gunicorn", "option": "--workers", "aliases": ["-w"], "value": "4"}


# --- uWSGI


def too_big(**server) -> World:
    world = World().passes(f"uwsgi_pass {APP}").service("shop.service", APP, comm="uwsgi", pid=1500).server(1500, "uwsgi", **server)
    world.logged(APP, "reset-early", count=1, last=NOW - 60, moments=[NOW - 60])
    return world.ended("shop.service", "request-too-big", at=(NOW - 59.5,), size=5120, limit=4096)


def test_a_buffer_that_nobody_set_is_set_in_the_only_file():
    found = change(too_big(files=["/etc/uwsgi/shop.ini"]), "uwsgi-request-too-big")
    assert (found["remedy"], found["unit"], found["apply"]) == ("uwsgi_buffer", "shop.service", "restart")
    assert found["ini"] == {"file": "/etc/uwsgi/shop.ini", "section": "uwsgi", "options": [{"name": "buffer-size", "value": "8192"}]}


def test_a_buffer_is_set_where_it_stands():
    server = {"told": {"buffer_size": 4096.0}, "source": "/etc/uwsgi/b.ini:3", "files": ["/etc/uwsgi/a.ini", "/etc/uwsgi/b.ini"]}
    assert change(too_big(**server), "uwsgi-request-too-big")["ini"]["file"] == "/etc/uwsgi/b.ini"


def test_a_file_that_a_user_decides_on_is_not_edited():
    server = {"files": ["/home/x/shop.ini"], "not_roots": ["/home/x/shop.ini"]}
    assert "/home/x/shop.ini is not a plain file of root's" in by_hand(too_big(**server), "uwsgi-request-too-big")


@pytest.mark.parametrize("server", [{}, {"told": {"buffer_size": 4096.0}, "files": ["/etc/uwsgi/a.ini"]}])
def test_a_buffer_of_the_command_line_is_set_there(server):
    command = {"program": "uwsgi", "option": "--buffer-size", "aliases": ["-b"], "value": "8192"}
    assert change(too_big(**server), "uwsgi-request-too-big")["command"] == command


@pytest.mark.parametrize("files", [["/etc/uwsgi/a.xml"], ["/etc/uwsgi/a.ini", "/etc/uwsgi/b.ini"], ["/etc/uwsgi/a b.ini"]])
def test_a_buffer_in_other_files_is_left_to_a_person(files):
    assert "not in one ini file" in by_hand(too_big(files=files), "uwsgi-request-too-big")
