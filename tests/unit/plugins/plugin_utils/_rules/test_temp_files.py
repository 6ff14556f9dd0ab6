# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxy-temp-permission, judged by all rules."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Finding, HostResult
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import LOADED, MAIN, MAIN_TEXT, World, verdict

TCP, BODY, PROXY, RULE = "127.0.0.1:3000", "/var/lib/nginx/body", "/var/lib/nginx/proxy", "proxy-temp-permission"


def world(directive: str = "client_body_temp_path", path: str = BODY, log: str = "", **step) -> World:
    host = World().passes(f"http://{TCP}").service("shop.service", TCP).temp_path(directive, path, **step)
    return host.logged("", log, sample=f'open() "{path}/0000000001" failed') if log else host


def told(host: World) -> list[tuple[str, str, str]]:
    return [item[:3] for item in verdict(host.judge())]


def first(result: HostResult) -> Finding:
    return next(item for item in result.findings if item.kind != ADVICE)


@pytest.mark.parametrize(
    ("step", "words", "safety"),
    [
        ({"uid": 0}, "owned by root:root with mode 0700", "safe"),
        ({"mode": "0500"}, "owned by www-data:root with mode 0500", "safe"),
        ({"mode": "0600"}, "mode 0600", "safe"),
        ({"folders": {"/var/lib/nginx": {"mode": "0700"}}}, "/var/lib/nginx above it is owned by root:root with mode 0700", "manual"),
        ({"missing": BODY}, "/var/lib/nginx/body does not exist", "safe"),
        ({"missing": "/var/lib/nginx"}, "/var/lib/nginx does not exist", "manual"),
        ({"space": {"read_only": True}}, "read-only", "manual"),
        ({"space": {"bytes": 0}}, "no space left", "manual"),
        ({"space": {"inodes": 0}}, "no inode left", "manual"),
    ],
)
def test_what_keeps_the_worker_from_writing(step, words, safety):
    assert told(world(**step)) == [(RULE, "risk", "proven")]
    finding = first(world(log="temp-file-denied", **step).judge())
    assert (finding.id, finding.kind, finding.certainty, finding.fix.safety) == (RULE, "cause", "proven", safety)
    assert finding.fix.changes == (({"path": BODY, "user": "www-data"},) if safety == "safe" else ())
    assert words in finding.says and "gets a 500" in finding.says


@pytest.mark.parametrize("change", [{"master": {"uid": 1000}}, {"file": {"uid": 1000}}, {"file": {"mode": "0666"}}, {"file": {"mode": "0664", "gid": 50}}])
def test_a_folder_that_another_user_names_is_not_given_away(change):
    host = world(uid=0).file("/etc/nginx/sites-enabled/tenant", f"client_body_temp_path {BODY};")
    host.instance["master"].update(change.get("master", {}))
    host.instance["files"][-1].update(change.get("file", {}))
    fix = first(host.judge()).fix
    assert (fix.remedy, fix.safety, fix.changes) == (None, "manual", ()) and "decides which folder it is" in fix.summary


def test_a_folder_in_a_container_is_for_a_person():
    host = world(uid=0)
    host.instance["master"]["own_root"] = True
    fix = first(host.judge()).fix
    assert (fix.safety, fix.changes) == ("manual", ()) and fix.summary.startswith("In its container: ")


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"uid": 0, "gid": 33, "mode": "0770"},
        {"uid": 0, "mode": "0777"},
        {"space": {"inodes": None}},
        {"uid": 0, "acl": [{"tag": "user", "id": 33, "perm": "rwx"}]},
    ],
)
def test_a_folder_that_the_worker_may_write_to(step):
    assert told(world(**step)) == []
    assert told(world(log="temp-file-denied", **step)) == []


def test_a_file_that_did_not_fit_and_is_gone():
    finding = first(world(log="disk-full", space={"bytes": 131072}).judge())
    assert (finding.id, finding.kind, finding.certainty, finding.fix.safety) == (RULE, "cause", "likely", "manual")
    assert "128 KiB left now" in finding.says
    assert told(world(space={"bytes": 131072})) == []


def test_a_response_is_cut_and_keeps_its_status():
    finding = first(world("proxy_temp_path", PROXY, uid=0).judge())
    assert "cut short, with the status of the backend" in finding.says


def test_folders_of_what_no_route_uses():
    assert told(world("uwsgi_temp_path", "/var/lib/nginx/uwsgi", uid=0)) == []
    host = World().temp_path("client_body_temp_path", BODY, uid=0)
    assert told(host) == []


@pytest.mark.parametrize(
    ("directives", "path", "used"),
    [
        ("", PROXY, True),
        ("proxy_buffering off;", PROXY, False),
        ("proxy_max_temp_file_size 0;", PROXY, False),
        ("proxy_request_buffering off;", BODY, False),
        ("proxy_buffering off;", BODY, True),
    ],
)
def test_folders_that_the_route_never_writes_to(directives, path, used):
    host = World().site(f"location / {{ proxy_pass http://{TCP}; {directives} }}").service("shop.service", TCP)
    host.temp_path("proxy_temp_path" if path == PROXY else "client_body_temp_path", path, uid=0)
    assert told(host) == ([(RULE, "risk", "proven")] if used else [])


def test_a_worker_that_is_root_may_write_anywhere():
    host = world(uid=1000)
    host.instance["identity"].update(user="root", uid=0, gid=0, groups=[0])
    assert told(host) == []


def test_a_stopped_nginx_makes_its_folders_at_start():
    assert [item for item in told(world(uid=0).stopped()) if item[0] == RULE] == []


def test_records_of_another_folder_and_of_another_configuration():
    assert told(world(uid=0).logged("", "temp-file-denied", sample='open() "/other/0000000001" failed')) == [(RULE, "risk", "proven")]
    host = world(uid=0).file(MAIN, MAIN_TEXT, mtime=LOADED - 30)
    host.logged("", "temp-file-denied", last=LOADED - 60, sample=f'open() "{BODY}/0000000001" failed')
    assert told(host) == [(RULE, "risk", "proven")]


@pytest.mark.parametrize(("where", "missed"), [("http {", False), ("http {\n server {", True)])
def test_the_built_in_folder_of_a_directive_that_an_included_file_sets(where, missed):
    host = world(uid=0).file("/etc/nginx/uploads.conf", "client_body_temp_path /srv/up 1 2;")
    end = " }" if where.endswith("server {") else ""
    host.file(MAIN, MAIN_TEXT.replace("http {", f"{where}\n include /etc/nginx/uploads.conf;{end}"))
    host.temp_path("client_body_temp_path", "/srv/up")
    assert told(host) == ([(RULE, "risk", "proven")] if missed else [])


def test_what_shows_that_no_inode_is_left():
    assert first(world(space={"bytes": 1 << 30, "inodes": 0}).judge()).next == f"df -i {BODY}"
    assert first(world(missing=BODY).judge()).next == f"namei -l {BODY}"


def test_the_place_where_it_is_written():
    host = world(path="/srv/up", uid=0).file(MAIN, MAIN_TEXT.replace("http {", "http {\n client_body_temp_path /srv/up 1 2;"))
    assert str(first(host.judge()).at) == f"{MAIN}:4"
    assert str(first(world(uid=0).judge()).at) == MAIN
