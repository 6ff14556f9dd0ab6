# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role start_backend is told to start, by backend-not-running and tunnel-down."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

TCP = "127.0.0.1:3000"
SOCK = "unix:/run/shop/app.sock"
PHP = "unix:/run/php/php8.2-fpm.sock"


def world() -> World:
    return World().passes(f"http://{TCP}")


def fix_of(host: World):
    (finding,) = host.judge().findings
    return finding.fix


def changes(host: World) -> tuple:
    fix = fix_of(host)
    assert (fix.remedy, bool(fix.changes)) == ("start_backend", True)
    return fix.changes


def by_hand(host: World) -> str:
    fix = fix_of(host)
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())
    return fix.summary


def test_a_unit_that_is_enabled_is_only_started():
    assert changes(world().unit("shop.service", TCP, active="inactive")) == ({"manager": "systemd", "name": "shop.service", "endpoint": TCP},)


def test_a_unit_that_is_disabled_is_enabled_too():
    (item,) = changes(world().unit("shop.service", TCP, active="inactive", enabled="disabled"))
    assert item == {"manager": "systemd", "name": "shop.service", "enabled": True, "endpoint": TCP}


@pytest.mark.parametrize("enabled", ["static", "indirect", "generated", "transient", "alias", "linked", "enabled-runtime", ""])
def test_a_unit_that_cannot_be_enabled_is_not(enabled):
    (item,) = changes(world().unit("shop.service", TCP, active="inactive", enabled=enabled))
    assert "enabled" not in item


@pytest.mark.parametrize("unit", [{"enabled": "masked", "load": "masked"}, {"enabled": "masked-runtime"}, {"load": "bad-setting", "enabled": "bad"}])
def test_a_unit_that_is_masked_or_broken_is_left_to_a_person(unit):
    assert "on purpose" in by_hand(world().unit("shop.service", TCP, active="inactive", **unit))


def test_a_unit_with_a_name_that_is_an_option_is_left_to_a_person():
    assert "systemd tells nothing of --now.service" in by_hand(world().unit("--now.service", TCP, active="inactive"))


def test_an_instance_of_a_template():
    (item,) = changes(world().unit("shop@a\\x2db.service", TCP, active="inactive"))
    assert item["name"] == "shop@a\\x2db.service"


def test_a_service_that_a_socket_starts_is_started_by_its_socket():
    host = World().passes(f"http://{SOCK}").unit("shop.socket", SOCK, active="inactive", enabled="disabled", source="ListenStream")
    host.unit("shop.service", SOCK, active="inactive", enabled="enabled", source="shop.socket ListenStream").missing(SOCK[5:])
    assert changes(host) == ({"manager": "systemd", "name": "shop.socket", "enabled": True, "endpoint": SOCK},)


def test_a_pool_is_started_by_its_unit():
    host = World().passes(f"fastcgi_pass {PHP}").pool(PHP, running=False).missing(PHP[5:])
    assert changes(host) == ({"manager": "systemd", "name": "php8.2-fpm.service", "endpoint": PHP},)


def test_a_supervisor_program():
    assert changes(world().program("shop:web_00", "STOPPED", TCP)) == ({"manager": "supervisor", "name": "shop:web_00", "endpoint": TCP},)


def test_a_supervisor_program_that_is_not_to_start_by_itself():
    (item,) = changes(world().program("shop", "STOPPED", TCP, autostart=False))
    assert item["autostart"] == {"file": "/etc/supervisor/conf.d/shop.conf", "section": "program:shop"}


def test_what_is_kept_besides_is_said():
    def said(host: World) -> str:
        return fix_of(host).summary

    assert said(world().program("shop", "STOPPED", TCP)) == "Start it: supervisorctl start shop"
    assert said(world().program("shop", "STOPPED", TCP, autostart=False)).endswith("autostart=true in /etc/supervisor/conf.d/shop.conf")
    assert said(world().app("shop", "stopped", TCP, saved=False)).endswith("and save PM2's list of apps: pm2 save")


def test_the_programs_of_a_supervisord_that_is_down_start_with_its_unit():
    host = world().unit("supervisor.service", active="inactive", fragment="/lib/systemd/system/supervisor.service")
    host.program("shop", "UNKNOWN", TCP, why="supervisord does not run")
    assert changes(host) == ({"manager": "systemd", "name": "supervisor.service", "endpoint": TCP},)


def test_the_programs_of_a_supervisord_that_nothing_starts_are_left_to_a_person():
    assert "no unit is known" in by_hand(world().program("shop", "UNKNOWN", TCP, why="supervisord does not run"))


def test_a_pm2_app():
    (item,) = changes(world().app("shop", "stopped", TCP))
    assert item == {"manager": "pm2", "name": "shop", "user": "deploy", "home": "/home/deploy/.pm2", "program": "/usr/bin/pm2", "endpoint": TCP}


def test_a_pm2_app_that_was_never_saved_is_saved():
    (item,) = changes(world().app("shop", "stopped", TCP, saved=False))
    assert item["save"] is True


@pytest.mark.parametrize("name", ["all", "0", "12", "/sh.*/", "-f", "a b"])
def test_a_name_that_pm2_takes_for_something_else_is_left_to_a_person(name):
    assert "something else" in by_hand(world().app(name, "stopped", TCP))


def test_the_apps_of_a_pm2_that_is_down_start_with_its_unit():
    host = world().unit("pm2-deploy.service", active="inactive").app("shop", "stopped", TCP, daemon=False)
    assert changes(host) == ({"manager": "systemd", "name": "pm2-deploy.service", "endpoint": TCP},)


def test_the_apps_of_a_pm2_that_nothing_starts_are_left_to_a_person():
    assert "pm2 resurrect" in by_hand(world().app("shop", "stopped", TCP, daemon=False))


@pytest.mark.parametrize("about", [{"program": ""}, {"home": "/home/a b/.pm2"}, {"user": "-x"}])
def test_an_app_whose_pm2_is_not_known_is_left_to_a_person(about):
    assert "not known" in by_hand(world().app("shop", "stopped", TCP, **about))


def test_what_runs_on_another_host_is_not_started_from_here():
    here = World().passes("http://10.0.0.9:8080").reply("10.0.0.9:8080", connect="refused")
    there = World("app1", "10.0.0.9").unit("api.service", "*:8080", active="inactive")
    (finding,) = (item for item in here.judge(there).findings if item.kind != "advice")
    assert (finding.fix.remedy, finding.fix.changes, finding.fix.summary) == (None, (), "Start it on app1: systemctl start api.service.")


def test_a_stopped_tunnel_is_risky_to_start():
    fix = fix_of(world().unit("office.service", TCP, active="inactive", command=["/usr/bin/ssh", "-N", "-L", "3000:localhost:3000", "office"]))
    assert (fix.safety, fix.changes) == ("risky", ({"manager": "systemd", "name": "office.service", "endpoint": TCP},))
