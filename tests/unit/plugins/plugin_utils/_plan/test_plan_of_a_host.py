# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a host: what is done, in which order, what is left to a person, and what is held back and why."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding, Fix, HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Allowed, Plan, Undone, build, may_be_put_right
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, NOW, SITES, World

TCP = "127.0.0.1:3000"
SHOP = SITES + "shop"
ALL = Allowed("risky")


def at(line: int = 3, file: str = SHOP, words: str = "location /") -> dict:
    return {"file": file, "line": line, "expects": words}


def finding(name: str = "upstream-timeout", remedy: str | None = "upstream_timeout", *changes: dict, safety: str = "risky", **more) -> Finding:
    values = {
        "id": name, "kind": "cause", "certainty": "proven", "rank": 1, "at": Place(SHOP, 3), "says": f"{name} was seen.", "evidence": (),
        "route": {"listen": "*:80", "server": "shop.example", "location": "/", "pass": f"proxy_pass http://{TCP}", "endpoint": TCP},
        "alternatives": (), "next": "",
    }
    return Finding(**{**values, "fix": Fix(remedy, safety, f"Mend {name}.", "", changes), **more})


def start(**more) -> Finding:
    return finding("backend-not-running", "start_backend", {"manager": "systemd", "name": "shop.service", "endpoint": TCP}, safety="safe", **more)


def slow(read: str = "120s", line: int = 3, **more) -> Finding:
    return finding("upstream-timeout", "upstream_timeout", {"context": at(line), "module": "proxy", "read": read}, **more)


def plan(*findings: Finding, allowed: Allowed = ALL, world: World | None = None, undone: Undone = Undone()) -> Plan:
    world = world or World().passes(f"http://{TCP}")
    return build(HostResult("web1", "diagnosed", "", {}, findings, (), ()), Host.of(world.bundle()), allowed, undone)


def steps(made: Plan) -> dict[str, list[dict]]:
    return {step.remedy: [change.item for change in step.changes] for step in made.steps}


def test_the_steps_come_in_the_order_in_which_a_host_needs_them():
    reload = finding("reload-pending", "reload_nginx", {"path": MAIN}, safety="safe", route=None)
    point = finding("backend-wrong-port", "repoint_upstream", {"context": at(9), "at": {"file": SHOP, "line": 9}}, route=None)
    assert list(steps(plan(slow(), reload, point, start()))) == ["start_backend", "repoint_upstream", "upstream_timeout", "reload_nginx"]


def test_what_a_unit_needs_is_planned_from_what_was_judged():
    world = World().passes(f"http://{TCP}").unit("shop.service", TCP, active="inactive")
    made = build(world.judge(), Host.of(world.bundle()), Allowed())
    assert steps(made) == {"start_backend": [{"manager": "systemd", "name": "shop.service", "endpoint": TCP}]}
    assert (made.steps[0].safety, made.steps[0].ids, made.manual, made.held, made.reloads) == ("safe", ("backend-not-running",), (), (), ())


def test_a_healthy_host_has_nothing_to_do():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP)
    assert build(world.judge(), Host.of(world.bundle()), ALL) == Plan("web1", "diagnosed", "")


def test_the_same_change_for_two_findings_is_made_once():
    made = plan(start(), start(id="tunnel-down", rank=2))
    assert steps(made)["start_backend"] == [{"manager": "systemd", "name": "shop.service", "endpoint": TCP}]
    assert made.steps[0].ids == ("backend-not-running", "tunnel-down")


def test_changes_of_two_findings_of_one_remedy_are_one_step():
    assert [item["context"]["line"] for item in steps(plan(slow(), slow(line=7, rank=2)))["upstream_timeout"]] == [3, 7]


# --- what is allowed


@pytest.mark.parametrize(
    ("allowed", "done"),
    [
        (Allowed(), ["start_backend"]),
        (Allowed("risky"), ["start_backend", "upstream_timeout"]),
        (Allowed("safe", ("upstream-timeout",)), ["start_backend", "upstream_timeout"]),
        (Allowed("safe", ("keepalive-race",)), ["start_backend"]),
        (Allowed("none", ("upstream-timeout",)), []),
    ],
)
def test_what_is_allowed_is_done_and_the_rest_is_held_back(allowed, done):
    made = plan(start(), slow(), allowed=allowed)
    assert list(steps(made)) == done
    assert len(made.held) == 2 - len(done)


def test_what_is_held_back_names_the_setting_that_would_allow_it():
    (held,) = plan(slow(), allowed=Allowed()).held
    assert (held.why, held.setting) == ("it is risky", "bad_gateway_apply=risky, or bad_gateway_allow=upstream-timeout")
    (held,) = plan(start(), allowed=Allowed("none")).held
    assert (held.why, held.setting) == ("bad_gateway_apply is none", "bad_gateway_apply=safe")


@pytest.mark.parametrize("certainty", ["likely", "possible"])
def test_what_is_not_proven_is_never_done(certainty):
    made = plan(start(certainty=certainty), allowed=Allowed("risky", ("backend-not-running",)))
    assert not made.steps
    assert made.held[0].why == f"it is {certainty}, not proven"


def test_what_the_log_alone_tells_may_be_proven_by_asking_for_a_path_that_fails():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP).logged(TCP, "read-timeout", path="/report")
    (held,) = build(world.judge(), Host.of(world.bundle()), ALL).held
    assert held.why == "it is likely, not proven; where bad_gateway_probe_path is a path that fails, a probe may prove it"


@pytest.mark.parametrize("kind", ["risk", "advice"])
def test_a_risk_or_advice_is_done_only_where_its_id_is_allowed(kind):
    made = plan(slow(kind=kind))
    assert not made.steps and not made.manual
    assert made.held[0].setting == "bad_gateway_allow=upstream-timeout"
    assert list(steps(plan(slow(kind=kind), allowed=Allowed("safe", ("upstream-timeout",))))) == ["upstream_timeout"]
    assert not plan(slow(kind=kind, certainty="likely"), allowed=Allowed("safe", ("upstream-timeout",))).steps


def test_a_risk_that_only_a_person_can_mend_is_not_told():
    made = plan(finding("single-backend", None, safety="manual", kind="advice"))
    assert made == Plan("web1", "diagnosed", "")


@pytest.mark.parametrize("fix", [{"remedy": None}, {"remedy": "no_such_role"}])
def test_what_no_role_can_do_is_for_a_person(fix):
    made = plan(finding("config-invalid", fix["remedy"], {"a": 1}))
    assert not made.steps and made.manual[0].finding.id == "config-invalid"


def test_a_remedy_that_knows_too_little_is_for_a_person():
    made = plan(finding("socket-permission", "socket_access"))
    assert not made.steps and made.manual[0].finding.id == "socket-permission"


def test_a_hidden_word_is_never_part_of_a_change():
    made = plan(finding("upstream-timeout", "upstream_timeout", {"context": at(words="location /redacted:0123abcd"), "read": "120s"}))
    assert not made.steps and "hidden" in made.manual[0].why


@pytest.mark.parametrize("word", ["http://a\u202eb", "http://a\x1b[2J"])
def test_a_word_that_a_terminal_acts_on_is_never_part_of_a_change(word):
    made = plan(finding("backend-wrong-port", "repoint_upstream", {"context": at(9), "args": [word], "replaces": ["http://b"]}, route=None))
    assert not made.steps and "a terminal acts on" in made.manual[0].why


def test_what_was_undone_in_the_run_before_is_not_tried_again_unasked():
    made = plan(start(), slow(), undone=Undone(("start_backend",)))
    assert list(steps(made)) == ["upstream_timeout"]
    assert "tried in the run before" in made.held[0].why and made.held[0].setting == "bad_gateway_allow=backend-not-running"
    assert plan(start(), undone=Undone(("start_backend",)), allowed=Allowed("safe", ("backend-not-running",))).steps


def test_what_had_helped_before_all_was_undone_is_done_again():
    made = plan(start(), slow(), undone=Undone(("start_backend", "upstream_timeout"), ("backend-not-running",)))
    assert list(steps(made)) == ["start_backend"]
    assert [held.finding.id for held in made.held] == ["upstream-timeout"]


# --- conflicts


def tls(name: str, protocols: list[str], line: int = 3) -> Finding:
    return finding(name, "upstream_tls", {"context": at(line), "module": "proxy", "protocols": protocols})


def test_two_wishes_for_one_place_are_both_held_back():
    made = plan(tls("tls-version-mismatch", ["TLSv1.2"]), tls("tls-sni-missing", ["TLSv1.3"]))
    assert not made.steps
    assert [held.finding.id for held in made.held] == ["tls-sni-missing", "tls-version-mismatch"]
    assert made.held[0].why == "tls-version-mismatch (upstream_tls) wants the same place to be different; neither is done"
    assert len(steps(plan(tls("a", ["TLSv1.2"]), tls("b", ["TLSv1.3"], line=7)))["upstream_tls"]) == 2


def test_of_two_times_for_one_place_the_longer_does_for_both():
    made = plan(slow("90s"), finding("network-unreachable", "upstream_timeout", {"context": at(words="x"), "module": "proxy", "read": "120s", "connect": "5s"}))
    assert steps(made) == {"upstream_timeout": [{"context": at(words="x"), "module": "proxy", "read": "120s", "connect": "5s"}]}
    assert set(made.steps[0].ids) == {"upstream-timeout", "network-unreachable"}


def test_of_two_buffers_for_one_place_the_larger_is_taken_with_what_belongs_to_it():
    small, large = ({"context": at(), "module": "proxy", "buffer_size": size, "buffers": f"8 {size}"} for size in ("8k", "16k"))
    made = plan(finding("a", "response_buffers", large), finding("b", "response_buffers", small))
    assert steps(made)["response_buffers"] == [large]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("upstream_keepalive", {"context": at(), "empty_connection": True}), ("websocket_headers", {"context": at(), "headers": True})),
        (
            ("upstream_group", {"context": at(1), "servers": [{"args": ["a"], "at": {"file": SHOP, "line": 2}}]}),
            ("repoint_upstream", {"context": at(1), "at": {"file": SHOP, "line": 2}, "args": ["127.0.0.1:3001"]}),
        ),
        (
            ("backend_timeout", {"unit": "a.service", "ini": {"file": "/a", "section": "uwsgi", "options": [{"name": "harakiri", "value": "60"}]}}),
            ("uwsgi_buffer", {"unit": "a.service", "ini": {"file": "/a", "section": "uwsgi", "options": [{"name": "harakiri", "value": "30"}]}}),
        ),
        (
            ("backend_timeout", {"unit": "a.service", "command": {"program": "gunicorn", "option": "--timeout", "value": "60"}}),
            ("backend_timeout", {"unit": "a.service", "command": {"program": "gunicorn", "option": "--timeout", "value": "90"}}),
        ),
        (("temp_path_owner", {"path": "/var/lib/nginx", "user": "www-data"}), ("temp_path_owner", {"path": "/var/lib/nginx", "user": "nginx"})),
    ],
)
def test_remedies_that_write_the_same_are_not_both_used(one, other):
    made = plan(finding("a", *one, route=None), finding("b", *other, route=None))
    assert not made.steps and {held.finding.id for held in made.held} == {"a", "b"}


def test_two_remedies_do_not_write_one_pass_anew():
    place = {"context": at(1, words="server"), "at": {"file": SHOP, "line": 3}}
    made = plan(
        finding("backend-wrong-port", "repoint_upstream", {**place, "args": ["http://127.0.0.1:3001"]}),
        finding("tls-to-plain-backend", "upstream_scheme", {**place, "args": ["http://127.0.0.1:3000"]}),
    )
    assert not made.steps and len(made.held) == 2


def test_a_backend_is_started_before_nginx_is_led_elsewhere():
    point = finding("backend-wrong-port", "repoint_upstream", {"context": at(1), "at": {"file": SHOP, "line": 3}})
    made = plan(start(), point)
    assert list(steps(made)) == ["start_backend"]
    assert made.held[0].why == "backend-not-running starts what listens there"


def test_what_is_wanted_for_a_finding_is_done_whole_or_not_at_all():
    both = finding("x", "upstream_tls", {"context": at(), "name": "a"}, {"context": at(7), "name": "a"})
    made = plan(both, finding("y", "upstream_tls", {"context": at(), "name": "b"}))
    assert not made.steps and {held.finding.id for held in made.held} == {"x", "y"}


# --- SELinux


def port(kind: str = "http_port_t", *booleans: str, **more) -> dict:
    return {"port": 3000, "protocol": "tcp", "type": kind, "booleans": list(booleans), **more}


def label(path: str, kind: str = "httpd_var_run_t", pattern: str = "/srv/shop/run(/.*)?", **more) -> dict:
    return {"path": path, "pattern": pattern, "type": kind, "restore": ["/srv/shop/run", path], **more}


@pytest.mark.parametrize(
    ("remedy", "one", "other", "both"),
    [
        ("selinux_boolean", {"name": "a", "value": True}, {"name": "a", "value": True}, {"name": "a", "value": True}),
        ("selinux_port", port("http_port_t", "a"), port("http_port_t", "b", "a"), port("http_port_t", "a", "b")),
        (
            "selinux_fcontext", label("/srv/shop/run/a"), label("/srv/shop/run/b"),
            {**label("/srv/shop/run/a"), "restore": ["/srv/shop/run", "/srv/shop/run/a", "/srv/shop/run/b"]},
        ),
    ],
)
def test_what_two_routes_want_of_selinux_is_one_step(remedy, one, other, both):
    made = plan(finding("a", remedy, one, route=None), finding("b", remedy, other, route=None))
    assert steps(made) == {remedy: [both]} and not made.held


@pytest.mark.parametrize(
    ("remedy", "one", "other"),
    [
        ("selinux_port", port("http_port_t"), port("memcache_port_t")),
        ("selinux_fcontext", label("/srv/shop/run/a"), label("/srv/shop/run/b", "httpd_sys_content_t")),
        ("selinux_fcontext", label("/srv/shop/run/a", pattern=""), label("/srv/shop/run/a", "httpd_sys_content_t", "")),
        ("selinux_boolean", {"name": "a", "value": True}, {"name": "a", "value": False}),
    ],
)
def test_a_port_or_path_gets_one_label_alone(remedy, one, other):
    made = plan(finding("a", remedy, one, route=None), finding("b", remedy, other, route=None))
    assert not made.steps and {held.finding.id for held in made.held} == {"a", "b"}


def test_other_ports_and_paths_are_other_steps():
    made = plan(
        finding("a", "selinux_port", port(), {**port("memcache_port_t"), "port": 3001}, route=None),
        finding("b", "selinux_fcontext", label("/a", pattern=""), label("/b", "httpd_sys_content_t", "", restore=["/b"]), route=None),
    )
    assert [len(found) for found in steps(made).values()] == [2, 2]


def test_a_port_to_listen_on_waits_while_nginx_refuses_its_configuration():
    world = World().passes(f"http://{TCP}").invalid()
    assert not plan(finding("reload-pending", "selinux_port", port(listen=MAIN), route=None), world=world).steps
    assert plan(finding("selinux-network-connect", "selinux_port", port(), route=None), world=world).steps


# --- files that are not ours to edit


def with_file(**more) -> World:
    world = World().passes(f"http://{TCP}")
    world.instance["files"][-1].update(more)
    return world


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"managed": "Ansible"}, "says that it is written by Ansible"),
        ({"real_path": "/srv/shop/releases/20260101/nginx.conf"}, "is /srv/shop/releases/20260101/nginx.conf, in a folder that is replaced as a whole"),
        ({"real_path": "/nix/store/abc-nginx.conf"}, "in a folder that is replaced"),
        ({"real_path": "/etc/nginx/..2026_01_01/shop"}, "in a folder that is replaced"),
        ({"read_only": True}, "is on a file system that is read-only"),
    ],
)
def test_a_file_that_comes_from_elsewhere_is_for_a_person(entry, why):
    made = plan(slow(), world=with_file(**entry))
    assert not made.steps
    assert why in made.manual[0].why and "change it where it comes from" in made.manual[0].why


def test_the_outermost_level_of_a_file_that_comes_from_elsewhere_is_for_a_person_too():
    world = World().passes(f"http://{TCP}").file(MAIN, "events {}\nhttp { include sites-enabled/*; }\n")
    limits = finding("descriptor-headroom", "nginx_limits", {"context": {"block": "main", "file": MAIN}, "worker_rlimit_nofile": 2048})
    (step,) = plan(limits, world=world).steps
    assert "+worker_rlimit_nofile 2048;" in step.diff.splitlines()
    next(entry for entry in world.instance["files"] if entry["path"] == MAIN)["managed"] = "Ansible"
    made = plan(limits, world=world)
    assert not made.steps and "Ansible" in made.manual[0].why


def test_a_header_can_be_overruled_and_a_release_folder_cannot():
    allowed = Allowed("risky", edit_managed=True)
    assert plan(slow(), world=with_file(managed="Ansible"), allowed=allowed).steps
    assert not plan(slow(), world=with_file(real_path="/srv/shop/releases/1/nginx.conf"), allowed=allowed).steps


def test_a_file_in_a_container_is_for_a_person():
    world = World().passes(f"http://{TCP}")
    world.instance["master"]["own_root"] = True
    assert "container" in plan(slow(), world=world).manual[0].why


@pytest.mark.parametrize("path", ["/etc/nginx/sites-available/shop", "/usr/local/nginx/conf/shop", "/srv/releases.conf"])
def test_a_link_to_a_file_of_the_host_itself_is_followed(path):
    assert plan(slow(), world=with_file(real_path=path)).steps


def test_a_backend_is_started_whoever_wrote_the_configuration():
    assert plan(start(), world=with_file(managed="Ansible")).steps


def test_a_file_that_two_parsers_read_differently_is_not_edited():
    world = World().file(SHOP, "server { listen 80; location / { proxy_pass http://127.0.0.1:3000; } if ($a = '}') { return 204; } set $b {; }\n")
    host = Host.of(world.bundle())
    assert SHOP in host.instances[0].configuration.doubtful
    made = plan(slow(), world=world)
    assert not made.steps and "two parsers" in made.held[0].why


# --- loading


def test_the_nginx_that_is_edited_is_loaded_anew_once():
    assert plan(slow(), slow(line=7)).reloads == ({"path": MAIN},)


def test_a_backend_alone_needs_no_reload():
    assert plan(start()).reloads == ()


def test_nothing_is_edited_or_loaded_while_nginx_refuses_its_configuration():
    made = plan(start(), slow(), world=World().passes(f"http://{TCP}").invalid())
    assert list(steps(made)) == ["start_backend"]
    assert "nginx refuses" in made.held[0].why


def test_nothing_is_loaded_with_what_would_fail_then():
    world = World().passes(f"http://{TCP}").service("shop.service", TCP).passes("http://127.0.0.1:3999", name="pay", mtime=NOW - 60)
    made = plan(slow(), start(), world=world)
    assert list(steps(made)) == ["start_backend"]
    assert "pay:" in made.held[0].why and "leads to 127.0.0.1:3999, where nothing listens" in made.held[0].why
    failing = {"listen": "*:80", "server": "pay.example", "location": "/", "pass": "proxy_pass http://127.0.0.1:3999", "endpoint": "127.0.0.1:3999"}
    assert list(steps(plan(slow(route=failing), world=world))) == ["upstream_timeout"], "what fails already is no reason to wait"


def test_what_a_reload_loads_besides_is_said():
    made = plan(slow(), world=World().passes(f"http://{TCP}").file(MAIN, "events {}\nhttp { include sites-enabled/*; }\n", mtime=NOW - 60))
    assert made.steps[0].notes == (f"the reload also loads what was changed since nginx read its configuration: {MAIN}",)


def test_the_places_that_are_edited_are_named_where_no_diff_shows_them():
    def pointed(line: int) -> dict:
        return {"context": at(line), "directive": "proxy_pass", "args": ["http://127.0.0.1:3001"], "at": {"file": SHOP, "line": line + 1}}

    (step,) = plan(finding("backend-wrong-port", "repoint_upstream", pointed(3), pointed(7))).steps
    assert (step.diff, step.notes) == ("", (f"it edits {SHOP}:4, {SHOP}:8; --check --diff shows the lines",))
    (step,) = plan(finding("backend-wrong-port", "repoint_upstream", pointed(3))).steps
    assert step.notes == ()


def test_a_host_without_a_model_gets_nothing_done():
    assert not build(HostResult("web1", "diagnosed", "", {}, (start(),), (), ()), None, ALL).steps


# --- authorities that the user gives


def untrusted(**more) -> Finding:
    change = {"context": at(), "module": "proxy", "trusted_certificate": ""}
    return finding("tls-certificate-untrusted", "upstream_tls", change, safety="manual", **more)


def test_a_certificate_without_its_authority_is_for_a_person():
    made = plan(untrusted())
    assert not made.steps and made.manual[0].finding.id == "tls-certificate-untrusted"


def test_authorities_that_the_user_gives_are_trusted():
    made = plan(untrusted(), allowed=Allowed("risky", ca_file="/etc/ssl/our-ca.pem"))
    assert steps(made) == {"upstream_tls": [{"context": at(), "module": "proxy", "trusted_certificate": "/etc/ssl/our-ca.pem"}]}
    assert (made.steps[0].safety, made.manual) == ("risky", ())
    assert not plan(untrusted(), allowed=Allowed("safe", ca_file="/etc/ssl/our-ca.pem")).steps
    assert not plan(untrusted(certainty="likely"), allowed=Allowed("risky", ca_file="/etc/ssl/our-ca.pem")).steps


def test_the_model_of_a_host_is_needed_where_authorities_are_given():
    assert not may_be_put_right([untrusted()], Allowed("risky"))
    assert may_be_put_right([untrusted()], Allowed("risky", ca_file="/etc/ssl/our-ca.pem"))
    assert may_be_put_right([slow()], Allowed())


def test_other_work_for_a_person_stays_that():
    other = finding("tls-certificate-untrusted", "upstream_tls", {"context": at(), "module": "proxy", "name": "x"}, safety="manual")
    assert not plan(other, allowed=Allowed("risky", ca_file="/etc/ssl/our-ca.pem")).steps
