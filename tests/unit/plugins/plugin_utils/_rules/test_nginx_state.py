# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx-not-running, config-invalid and reload-pending, judged by all rules."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, MAIN, MASTER, NOW, WORKERS, World, unknowns, verdict

SHOP = "/etc/nginx/sites-enabled/shop:3"
FILE = "/etc/nginx/sites-enabled/shop"
TCP = "127.0.0.1:3000"


def node(**options) -> World:
    return World().passes(f"http://{TCP}", **options).service("shop.service", TCP)


# --- not running


@pytest.mark.parametrize("enabled", ["enabled", "enabled-runtime", "linked"])
def test_nginx_is_stopped_and_should_run(enabled):
    result = node().stopped(enabled=enabled).judge()
    assert verdict(result) == [("nginx-not-running", "cause", "proven", "", MAIN)]
    assert (result.findings[0].fix.safety, result.findings[0].next) == ("safe", "systemctl start nginx.service")
    assert result.findings[0].fix.changes == ({"unit": "nginx.service"},)


def test_nginx_failed_although_it_is_disabled():
    result = node().stopped(enabled="disabled", active="failed").judge()
    assert verdict(result) == [("nginx-not-running", "cause", "proven", "", MAIN)]
    assert (result.findings[0].fix.safety, result.findings[0].fix.changes) == ("safe", ({"unit": "nginx.service"},))


def test_a_masked_unit_is_for_a_person_though_it_failed():
    fix = node().stopped(enabled="masked", active="failed").judge().findings[0].fix
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ())
    assert "masked nginx.service" in fix.summary


@pytest.mark.parametrize("options", [{"enabled": "disabled"}, {"enabled": "masked"}, {"enabled": "static"}, {"unit": False}])
def test_nginx_that_nobody_means_to_run_is_a_risk(options):
    result = node().stopped(**options).judge()
    assert verdict(result) == [("nginx-not-running", "risk", "proven", "", MAIN)]
    assert (result.findings[0].fix.safety, result.findings[0].fix.changes) == ("manual", ())


@pytest.mark.parametrize(
    ("held", "listens", "told"),
    [
        ("0.0.0.0:80", "80", "apache2"),
        ("127.0.0.1:80", "80", "apache2"),
        ("0.0.0.0:80", "10.0.0.5:80", "apache2"),
        ("[::]:80", "[::]:80", "apache2"),
        ("0.0.0.0:8080", "80", ""),
        ("127.0.0.1:80", "10.0.0.5:80", ""),
        ("[::1]:80", "80", ""),
        ("0.0.0.0:80", "[::]:80", ""),
        ("0.0.0.0:80", "80 reuseport", ""),
    ],
)
def test_somebody_else_has_the_port_of_a_stopped_nginx(held, listens, told):
    world = World().service("shop.service", TCP)
    world.file(FILE, f"server {{ listen {listens}; location / {{ proxy_pass http://{TCP}; }} }}").stopped(active="failed")
    world.service("apache2.service", held, comm="apache2")
    (finding,) = [finding for finding in world.judge().findings if finding.id == "nginx-not-running"]
    assert ("It cannot start: apache2" in finding.says) is bool(told)
    assert (finding.fix.safety, "systemctl disable --now apache2.service" in finding.fix.summary) == (("manual", True) if told else ("safe", False))
    assert finding.next == ("ss -ltnp 'sport = :80'" if told else "systemctl start nginx.service")


def test_an_address_of_both_families_is_in_the_way_of_one():
    world = node().stopped(active="failed")
    world.listen("[::]:80", comm="caddy", v6only=False)
    assert "caddy" in world.judge().findings[0].says


def test_without_the_test_it_is_likely():
    world = node().stopped()
    world.instance["test"] = {"status": "denied", "asked": "", "value": None, "why": "no overlay", "truncated": False, "hidden": []}
    result = world.judge()
    assert verdict(result) == [("nginx-not-running", "cause", "likely", "", MAIN)]
    assert ("config-invalid", "nginx.test", "denied") in unknowns(result)


def test_a_dead_backend_behind_a_stopped_nginx_is_a_risk():
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive").stopped()
    assert [item[:2] for item in verdict(world.judge())] == [("nginx-not-running", "cause"), ("backend-not-running", "risk")]


def test_a_second_nginx_that_is_down_is_told_apart_from_the_first():
    world = node()
    second = copy.deepcopy(world.instance)
    second.update(id="/opt/nginx/nginx.conf", conf_path="/opt/nginx/nginx.conf", running=False, master=None, workers=[], unit=None)
    second["files"] = [dict(second["files"][0], path="/opt/nginx/nginx.conf", real_path="/opt/nginx/nginx.conf", content="")]
    world.answers["nginx"]["value"]["instances"].append(second)
    assert verdict(world.judge()) == [("nginx-not-running", "risk", "proven", "", "/opt/nginx/nginx.conf")]


@pytest.mark.parametrize(
    ("pids", "ports"),
    [((201, 202), ["*:8080"]), (WORKERS, ["*:80"]), ((102, 201), ["*:80", "*:8080"]), ((77, 201), ["*:80", "*:8080"])],
)
def test_a_record_is_of_the_nginx_whose_workers_wrote_it(pids, ports):
    """Two nginx serve one name from one backend; the log has both, or one that has been replaced since."""
    world = node()
    second = copy.deepcopy(World().passes(f"http://{TCP}", port=8080).instance)
    second.update(id="/opt/nginx/nginx.conf")
    second["master"]["pid"] = 200
    second["workers"] = [{**worker, "pid": pid} for worker, pid in zip(second["workers"], (201, 202))]
    world.answers["nginx"]["value"]["instances"].append(second)
    (finding,) = world.logged(TCP, "read-timeout", pids=pids).judge().of_kind("cause")
    assert sorted(route["listen"] for route in (finding.route, *finding.also)) == ports


@pytest.mark.parametrize(
    ("enabled", "active", "told"),
    [("disabled", "inactive", False), ("masked", "inactive", False), ("enabled", "inactive", True), ("disabled", "failed", True)],
)
def test_a_second_nginx_that_was_put_out_of_use_is_missed_by_nobody(enabled, active, told):
    world = node()
    second = copy.deepcopy(world.passes("http://127.0.0.1:9999").instance)
    second.update(id="/opt/nginx/nginx.conf", running=False, master=None, workers=[])
    second["unit"] = {"name": "nginx.service", "active": active, "sub": "dead", "result": "success", "enabled": enabled}
    world.passes(f"http://{TCP}").answers["nginx"]["value"]["instances"].append(second)
    assert bool(verdict(world.judge())) is told


# --- invalid


def test_an_invalid_configuration_of_a_stopped_nginx_is_the_cause():
    result = node().stopped().invalid().judge()
    assert verdict(result) == [("config-invalid", "cause", "proven", "", SHOP)]
    assert result.findings[0].fix.safety == "manual"


@pytest.mark.parametrize(("written", "placed"), [("/etc/ssl/shop.pem", True), ("../ssl/shop.pem", False), ("ssl/shop.pem", False)])
def test_a_certificate_that_is_gone_is_told_by_the_directive_that_names_it(written, placed):
    text = (
        'cannot load certificate "/etc/ssl/shop.pem": BIO_new_file() failed '
        "(SSL: error:80000002:system library::No such file or directory:calling fopen(/etc/ssl/shop.pem, r) error:10000080:BIO routines::no such file)"
    )
    world = node().site(f"ssl_certificate {written};", "location / { return 200; }", name="shop", port=443).stopped().invalid(text, file="", line=0)
    finding = world.judge().findings[0]
    assert (finding.id, finding.certainty, str(finding.at)) == ("config-invalid", "proven", SHOP if placed else MAIN)
    assert ("Put /etc/ssl/shop.pem back" in finding.fix.summary) is placed
    assert "start nginx" in finding.fix.summary


def test_an_invalid_configuration_of_a_nginx_that_nobody_means_to_run_is_a_risk():
    assert verdict(node().stopped(enabled="disabled").invalid().judge()) == [("config-invalid", "risk", "proven", "", SHOP)]


def test_an_invalid_configuration_under_a_running_nginx_is_a_risk():
    assert verdict(node().invalid().judge()) == [("config-invalid", "risk", "proven", "", SHOP)]


def test_an_invalid_configuration_that_keeps_the_old_upstream_is_a_cause():
    world = node(mtime=NOW - 600).logged("127.0.0.1:2999").invalid()
    assert verdict(world.judge()) == [("config-invalid", "cause", "proven", "", SHOP)]


def test_a_dead_backend_beside_an_invalid_configuration_stays_the_cause():
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive").logged(TCP).invalid()
    assert [item[:3] for item in verdict(world.judge())] == [("backend-not-running", "cause", "proven"), ("config-invalid", "risk", "proven")]


def test_a_file_that_cannot_be_understood_does_not_make_its_upstreams_foreign():
    """The route to the failing upstream is in the part that is missing."""
    world = World().file(FILE, "server { listen 80;\n location / { proxy_pass http://127.0.0.1:3000;").logged(TCP).invalid("unexpected end of file")
    result = world.judge()
    assert [item[:2] for item in verdict(result) if item[0] == "config-invalid"] == [("config-invalid", "risk")]
    assert any(item[0] == "configuration" for item in unknowns(result))


def test_a_message_without_a_place():
    world = node().invalid("cannot load certificate", file="", line=0)
    assert verdict(world.judge()) == [("config-invalid", "risk", "proven", "", MAIN)]
    world.instance["test"]["value"]["messages"] = []
    assert "without a message" in world.judge().findings[0].says


@pytest.mark.parametrize("level", ["warn", "notice"])
def test_a_valid_configuration_with_warnings_is_silent(level):
    world = node()
    world.instance["test"]["value"]["messages"] = [{"level": level, "text": "conflicting server name", "file": FILE, "line": 2}]
    assert verdict(world.judge()) == []


# --- pending


PENDING = ("reload-pending", "risk", "proven", "", FILE)


def test_a_file_is_newer_than_the_workers():
    result = node(mtime=NOW - 60).judge()
    assert verdict(result) == [PENDING]
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == ("reload_nginx", "safe")
    assert result.findings[0].fix.changes == ({"path": MAIN},)
    assert result.findings[0].next == "nginx -t && systemctl reload nginx.service"


def test_one_in_a_container_is_told_by_its_master():
    world = node(mtime=NOW - 60)
    world.instance["master"]["own_root"] = True
    assert world.judge().findings[0].fix.changes == ({"path": MAIN, "master": MASTER},)


def test_requests_still_go_where_no_file_leads_any_more():
    result = node(mtime=NOW - 600).logged("127.0.0.1:2999").judge()
    assert verdict(result) == [("reload-pending", "cause", "proven", "", FILE)]
    assert "127.0.0.1:2999" in result.findings[0].says
    assert unknowns(result) == []


@pytest.mark.parametrize(
    "record",
    [
        {"pids": (77,)},
        {"pids": ()},
        {"last": LOADED - 60},
        {"status": None},
        {"status": 503},
    ],
)
def test_records_that_no_running_worker_met_make_no_cause(record):
    """Another process's, an older one with a pid that came round again, a cut response."""
    assert verdict(node(mtime=NOW - 600).logged("127.0.0.1:2999", **record).judge()) == [PENDING]


def test_where_a_file_could_not_be_read_it_may_name_the_upstream():
    world = node(mtime=NOW - 600).logged("127.0.0.1:2999")
    world.instance["files"].append(
        dict(world.instance["files"][0], path="/etc/nginx/sites-enabled/secret", real_path="", status="denied", why="no", content="")
    )
    assert [item[:2] for item in verdict(world.judge())] == [("reload-pending", "risk")]


def test_a_forged_record_without_a_newer_file_makes_no_finding():
    result = node().logged("127.0.0.1:2999").judge()
    assert (verdict(result), unknowns(result)) == ([], [("unexplained", "127.0.0.1:2999", "open")])


def test_a_moved_file_makes_it_likely():
    world = node(mtime=LOADED - 9000)
    world.instance["files"][-1]["ctime"] = NOW - 60
    assert verdict(world.judge()) == []
    assert verdict(world.logged("127.0.0.1:2999").judge()) == [("reload-pending", "cause", "likely", "", FILE)]


def test_a_target_that_only_a_request_tells_may_go_anywhere():
    world = World().site("location / { proxy_pass http://$arg_to; }", mtime=NOW - 600).logged("127.0.0.1:2999")
    assert [item[:2] for item in verdict(world.judge())] == [("reload-pending", "risk")]


def listening(world: World) -> World:
    world.listen("0.0.0.0:80", comm="nginx", pid=MASTER)
    return world


def test_a_reload_that_was_refused():
    world = listening(node(port=8080)).refused_reload("bind() to 0.0.0.0:8080 failed (98: Address already in use)")
    result = world.judge()
    assert [item[:3] for item in verdict(result)] == [("reload-pending", "risk", "proven")]
    assert (result.findings[0].fix.remedy, result.findings[0].fix.safety) == (None, "manual")
    assert "refused" in result.findings[0].says


@pytest.mark.parametrize("record", [{"pids": (77,)}, {"last": LOADED - 60}])
def test_a_refusal_of_another_process_or_before_the_load_is_none(record):
    world = listening(node(port=8080)).refused_reload("bind() to 0.0.0.0:8080 failed (98: Address already in use)", **record)
    assert verdict(world.judge()) == []


@pytest.mark.parametrize("listen", ["80", "0.0.0.0:80", "*:80"])
def test_a_socket_that_is_held_under_another_writing_is_held(listen):
    world = World().site(f"location / {{ proxy_pass http://{TCP}; }}", port=listen).service("shop.service", TCP)
    listening(world).refused_reload("something else")
    assert verdict(world.judge()) == []


def test_a_newer_file_that_is_invalid_is_config_invalid_alone():
    assert [item[0] for item in verdict(node(mtime=NOW - 60).invalid().judge())] == ["config-invalid"]


def test_workers_that_are_shutting_down_do_not_count():
    world = node()
    old = dict(world.instance["workers"][0], pid=55, started=LOADED - 9000, shutting_down=True)
    world.instance["workers"].append(old)
    assert verdict(world.judge()) == []


def test_two_nginx_with_newer_files_are_two_findings():
    world = node(mtime=NOW - 60)
    second = copy.deepcopy(world.instance)
    second.update(id="/opt/nginx.conf", conf_path="/opt/nginx.conf")
    second["files"] = [dict(second["files"][0], path="/opt/nginx.conf", real_path="/opt/nginx.conf", mtime=NOW - 60, content="")]
    world.answers["nginx"]["value"]["instances"].append(second)
    assert sorted(verdict(world.judge())) == [
        ("reload-pending", "risk", "proven", "", "/etc/nginx/sites-enabled/shop"),
        ("reload-pending", "risk", "proven", "", "/opt/nginx.conf"),
    ]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, ""),
        ({"binary": "/opt/nginx/sbin/nginx"}, None),
        ({"conf_path": "/opt/nginx/conf/nginx.conf"}, " -c /opt/nginx/conf/nginx.conf"),
        ({"prefix": "/opt/nginx", "conf_path": "/opt/nginx/conf/nginx.conf"}, " -p /opt/nginx -c /opt/nginx/conf/nginx.conf"),
    ],
)
def test_the_command_tests_the_files_of_that_nginx(changes, options):
    world = node(mtime=NOW - 60)
    world.instance.update(changes)
    expected = f"nginx -t{options}" if options is not None else "/opt/nginx/sbin/nginx -t"
    assert world.judge().findings[0].next == f"{expected} && systemctl reload nginx.service"
    assert world.invalid().judge().findings[0].next == expected
    world = node(mtime=NOW - 60)
    world.instance.update(changes, unit=None)
    assert world.judge().findings[0].next == f"{expected} && {expected.replace('nginx -t', 'nginx -s reload')}"


def test_the_name_of_a_unit_does_not_reach_a_shell():
    world = node(mtime=NOW - 60)
    world.instance["unit"]["name"] = "x; reboot"
    assert world.judge().findings[0].next == "nginx -t && systemctl reload 'x; reboot'"
    world.stopped().instance["unit"]["name"] = "x; reboot"
    assert world.judge().findings[0].next == "systemctl start 'x; reboot'"


# --- a proposed configuration in a folder


def proposed(world: World) -> World:
    """Return a world of which only a proposed configuration is known."""
    world.stopped(unit=False).instance["proposed"] = True
    for question in [question for question in world.answers if question not in ("host", "nginx")]:
        del world.answers[question]
    return world


def test_a_proposed_configuration_is_judged_without_a_host():
    result = proposed(node()).judge()
    assert [item for item in verdict(result) if item[1] != "advice"] == [] and unknowns(result) == []


def test_a_proposed_configuration_that_nginx_refuses_is_a_cause():
    assert verdict(proposed(node()).invalid().judge())[0][:3] == ("config-invalid", "cause", "proven")
