# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json: its contract, byte for byte where others build on it."""

from __future__ import annotations

import json
import os
import random
import stat
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document

NOW = 1769860800.9


def test_the_contract(make):
    report = document.build(make.fleet(), "0.1.0", NOW)
    assert {key: report[key] for key in ("schema", "generated_at", "collection")} == {
        "schema": 1,
        "generated_at": "2026-01-31T12:00:00Z",
        "collection": "0.1.0",
    }
    assert list(report["hosts"]) == ["db1", "web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"]
    assert report["hosts"]["web1"]["status"] == "diagnosed"
    assert report["hosts"]["web1"]["nginx"] == {"version": "1.22.1"}
    assert report["hosts"]["web1"]["findings"][0] == {
        "id": "backend-not-running",
        "kind": "cause",
        "certainty": "proven",
        "rank": 1,
        "route": {
            "listen": "0.0.0.0:80",
            "server": "shop.example",
            "location": "/api",
            "pass": "proxy_pass http://127.0.0.1:3000",
            "endpoint": "127.0.0.1:3000",
        },
        "at": {"file": "/etc/nginx/sites-enabled/shop", "line": 12},
        "where": "",
        "says": "Nothing listens on 127.0.0.1:3000: the systemd unit shop.service is inactive (dead).",
        "evidence": [
            {"from": "listening sockets", "shows": "nothing listens on 127.0.0.1:3000"},
            {"from": "systemd", "shows": "shop.service: inactive (dead) since 2026-01-31 02:58:11 UTC"},
            {"from": "error log", "shows": "connect() failed (111) while connecting to upstream: 212 times, last 2026-01-31 03:01:40 UTC"},
        ],
        "alternatives": [],
        "fix": {"remedy": "start_backend", "safety": "safe", "summary": "Start it: systemctl start shop.service", "diff": "", "changes": [], "more": []},
        "next": "systemctl start shop.service",
        "also": [],
    }
    assert report["hosts"]["web7"]["unknown"][0] == {
        "id": "backend-wrong-port",
        "needs": "listeners",
        "status": "denied",
        "why": "/proc/net/tcp: Permission denied",
    }
    assert report["hosts"]["web8"]["why"] == "Failed to connect to the host via ssh: Connection timed out"
    assert report["fleet"]["shared"] == [
        {
            "id": "backend-not-running",
            "kind": "cause",
            "hosts": ["web2", "web3"],
            "endpoint": "10.0.0.9:8080",
            "at": {"file": "/etc/nginx/sites-enabled/shop", "line": 12},
            "says": "Nothing listens on 10.0.0.9:8080, and no unit, pool or program that is known on 10.0.0.9 says that it should.",
            "count": 2,
        }
    ]


def test_findings_are_sorted_by_kind_and_rank(make):
    result = make.result("web1", make.advice(), make.finding(rank=2), make.finding(rank=1), make.finding(kind="risk"))
    found = document.build([result], "0.1.0", NOW)["hosts"]["web1"]["findings"]
    assert [(item["kind"], item["rank"]) for item in found] == [("cause", 1), ("cause", 2), ("risk", 1), ("advice", 2)]


def test_what_is_not_there_is_null(make):
    bare = make.finding(route=None, at=None, fix=None)
    (found,) = document.build([make.result("web1", bare)], "0.1.0", NOW)["hosts"]["web1"]["findings"]
    assert (found["route"], found["at"], found["fix"]) == (None, None, None)


def test_what_another_role_has_to_do_is_told_too(make):
    fix = Fix("selinux_fcontext", "risky", "Label it.", changes=({"path": "/srv/a.sock"},), more=(("selinux_boolean", {"name": "x", "value": True}),))
    (found,) = document.build([make.result("web1", make.finding(fix=fix))], "0.1.0", NOW)["hosts"]["web1"]["findings"]
    assert found["fix"]["changes"] == [{"path": "/srv/a.sock"}]
    assert found["fix"]["more"] == [{"remedy": "selinux_boolean", "change": {"name": "x", "value": True}}]


def test_order_does_not_matter(make):
    expected = json.dumps(document.build(make.fleet(), "0.1.0", NOW))
    for seed in range(5):
        results = make.fleet()
        random.Random(seed).shuffle(results)
        assert json.dumps(document.build(results, "0.1.0", NOW)) == expected


def test_hostile_text_is_harmless_and_a_diff_keeps_its_lines(make):
    hostile = "\x1b]0;x\x07\n\u202e\udcff"
    item = make.finding(says=hostile, fix=Fix("x", "safe", hostile, "-a\x1b\n+b\n"))
    report = document.build([make.result(hostile, item, nginx={hostile: [hostile]})], "0.1.0", NOW)
    ((name, host),) = report["hosts"].items()
    safe = "\\x1b]0;x\\x07\\x0a\\u202e\\udcff"
    assert name == safe
    assert host["nginx"] == {safe: [safe]}
    assert host["findings"][0]["says"] == safe
    assert host["findings"][0]["fix"]["diff"] == "-a\\x1b\n+b\n"


def test_it_is_written_whole_for_its_owner_alone(make, tmp_path):
    report = document.build(make.fleet(), "0.1.0", NOW)
    (tmp_path / "report.json").write_text("an older one", encoding="utf-8")
    file = document.write(str(tmp_path), report)
    assert file == str(tmp_path / "report.json")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with open(file, "rb") as stream:
        raw = stream.read()
    assert raw.isascii()
    assert json.loads(raw) == report
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_failed_write_leaves_the_older_report(tmp_path):
    (tmp_path / "report.json").write_text("an older one", encoding="utf-8")
    with pytest.raises(TypeError):
        document.write(str(tmp_path), {"schema": object()})
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == "an older one"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_thousand_hosts_are_quick(make, tmp_path):
    results = [make.result(f"web{number:04}", *(make.finding(),) * 5, make.advice()) for number in range(1000)]
    started = time.process_time()
    document.write(str(tmp_path), document.build(results, "0.1.0", NOW))
    assert time.process_time() - started < 4
