# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporary folders of a configuration and of a build, and what is seen of them."""

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import temp_paths

BUILD = ("--prefix=/usr/share/nginx", "--http-client-body-temp-path=/var/lib/nginx/body", "--without-http_scgi_module")


def instance(text=b"http { }", build=BUILD, master=None):
    answer = evidence.answer("nginx -V", {"arguments": list(build)}) if build is not None else evidence.no_answer("nginx -V", "denied", "no")
    return {"id": "x", "files": [{"content": base64.b64encode(text).decode()}], "prefix": "/usr/share/nginx", "build": answer, "master": master}


def ask(tmp_path, *args, **kwargs):
    return evidence.ask("x", temp_paths.collect, _host.Host(str(tmp_path)), {"instances": [instance(*args, **kwargs)]})


def pairs(answer):
    return [(item["directive"], item["path"]) for item in answer["value"]["x"]]


def test_what_is_built_in(tmp_path):
    assert pairs(ask(tmp_path)) == [
        ("client_body_temp_path", "/var/lib/nginx/body"),
        ("proxy_temp_path", "/usr/share/nginx/proxy_temp"),
        ("fastcgi_temp_path", "/usr/share/nginx/fastcgi_temp"),
        ("uwsgi_temp_path", "/usr/share/nginx/uwsgi_temp"),
    ]


def test_what_is_configured(tmp_path):
    text = b"""http { client_body_temp_path /srv/up 1 2; proxy_cache_path /srv/cache keys_zone=a:1m; proxy_temp_path pt; fastcgi_temp_path /f;
        server { location / { uwsgi_temp_path /srv/u; scgi_temp_path /x/$host; } } }"""
    assert pairs(ask(tmp_path, text)) == [
        ("client_body_temp_path", "/srv/up"),
        ("proxy_cache_path", "/srv/cache"),
        ("proxy_temp_path", "/usr/share/nginx/pt"),
        ("fastcgi_temp_path", "/f"),
        ("uwsgi_temp_path", "/srv/u"),
        ("uwsgi_temp_path", "/usr/share/nginx/uwsgi_temp"),
    ]


def test_a_folder_and_its_room(tmp_path):
    (tmp_path / "var/lib/nginx/body").mkdir(parents=True, mode=0o700)
    found = ask(tmp_path)["value"]["x"]
    assert [step["path"] for step in found[0]["walk"]["walk"]] == ["/", "/var", "/var/lib", "/var/lib/nginx", "/var/lib/nginx/body"]
    assert found[0]["space"]["bytes"] > 0 and found[0]["space"]["read_only"] is False
    assert (found[1]["walk"]["status"], found[1]["space"]) == ("absent", None)


def test_without_a_build_only_what_is_configured(tmp_path):
    assert pairs(ask(tmp_path, b"http { proxy_temp_path /p; }", build=None)) == [("proxy_temp_path", "/p")]


def test_many_paths_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(temp_paths, "MAX_PATHS", 2)
    answer = ask(tmp_path)
    assert (answer["truncated"], len(answer["value"]["x"])) == (True, 2)


@pytest.mark.parametrize("own_root", [True, False])
def test_a_root_or_mounts_of_its_own(tmp_path, monkeypatch, own_root):
    called = []
    monkeypatch.setattr(_inside, "call", lambda function, args, pid, timeout: called.append(pid) or {path: {"walk": {}, "space": None} for path in args[0]})
    ask(tmp_path, master={"pid": 7, "own_root": own_root, "mnt": "1"})
    assert called == [7]


def test_namespaces_that_may_not_be_entered(tmp_path, monkeypatch):
    def denied(*_args, **_more):
        raise evidence.Unanswered(evidence.DENIED, "no")

    monkeypatch.setattr(_inside, "call", denied)
    answer = ask(tmp_path, master={"pid": 7, "own_root": True, "mnt": "1"})
    assert (answer["value"], answer["hidden"]) == ({}, ["x: no"])
