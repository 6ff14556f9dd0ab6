# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One URL through hosts of every kind: each says what becomes of it there, and nothing of a URL or a host does harm."""

from __future__ import annotations

import json
from pathlib import Path

import conftest
import content
import pytest
from conftest import Fleet
from running import PLAYBOOK, Run, assert_harmless, assert_no_secret, play, texts
from test_bad_input import Trap

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

TRACE = PLAYBOOK.with_name("trace.yml")
SECRET = "Yk93mQz7Ld20"
URL = f"http://me:{SECRET}@shop.example/$(touch%20{content.MARKER})/%1b[31m%0a%E2%80%AE<script>?token={SECRET}"


def trace(folder: Path, inventory: Path | str, url: object, *words: str) -> Run:
    """Run the playbook for a URL."""
    return play(folder, inventory, "-e", json.dumps({"bad_gateway_url": url}), *words, playbook=TRACE)


def document(run: Run) -> dict:
    """Return trace.json."""
    return json.loads((run.folder / "trace.json").read_text(encoding="ascii"))


@pytest.fixture(scope="module", name="told")
def _told(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trace a hostile URL through hosts that are out of order in every way."""
    folder = tmp_path_factory.mktemp("trace")
    hosts = {
        "edge": {"ansible_port": fleet.edge.ssh_port},
        "site": {"ansible_port": fleet.site.ssh_port},
        "plain": {"ansible_port": fleet.plain.ssh_port},
        "bare": {"ansible_port": fleet.bare.ssh_port},
        "nameless": {"ansible_host": "no-such-host.invalid"},
    }
    return trace(folder / "report", fleet.inventory(folder / "hosts.json", hosts), URL, "--forks=4")


def test_each_host_says_what_becomes_of_it(told: Run) -> None:
    """No host fails the run, and none hides another."""
    assert told.code == 0, told.said[-4000:]
    hosts = document(told)["hosts"]
    assert {name: host["status"] for name, host in hosts.items()} == {
        "edge": "diagnosed",
        "site": hosts["site"]["status"],
        "plain": "no-nginx",
        "bare": "failed",
        "nameless": "unreachable",
    }
    (entry,) = hosts["edge"]["entries"]
    assert (entry["end"], entry["pass"]["target"], entry["server"]["rule"]) == ("pass", "127.0.0.1:3000", "only server")
    assert [peer["probe"]["connect"] for peer in entry["peers"]] == ["refused"]
    assert [item["id"] for item in hosts["edge"]["findings"] if item["kind"] == "cause"] == ["backend-not-running"]
    for words in ("2 of 5 hosts take it", "nameless: not traced (unreachable)", "bare: not traced (failed)", "plain: there is no nginx"):
        assert words in told.said, told.said[-4000:]


def test_nothing_of_it_does_harm(told: Run) -> None:
    """No secret of the URL or of a host is told or kept, nothing is evaluated, and nothing that a terminal acts on is printed."""
    assert_harmless(told.out + told.err)
    kept = [(told.folder / "trace.json").read_bytes(), *(file.read_bytes() for file in (told.folder / "bundles").iterdir())]
    for said in (told.out, told.err, *kept):
        assert SECRET.encode() not in said
        assert_no_secret("trace", said)
    for said in texts(document(told)):
        assert text.harmless(said.replace("\n", "")) == said.replace("\n", "")


def test_no_host_was_touched(fleet: Fleet, told: Run) -> None:
    """What the URL and the host say was run nowhere."""
    assert told.code == 0
    assert not conftest.marker_on(fleet.edge) and not conftest.marker_on(fleet.site)


def test_a_url_that_no_host_takes(fleet: Fleet, tmp_path: Path) -> None:
    """It is said, with what nginx does listen on, and it is no failure."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}})
    run = trace(tmp_path / "report", hosts, "https://shop.example/")
    assert run.code == 0, run.said[-4000:]
    assert "0 of 1 host take it" in run.said and "edge: no nginx of this host takes it" in run.said and "*:80" in run.said
    assert document(run)["hosts"]["edge"]["entries"] == []


def test_without_a_probe(fleet: Fleet, tmp_path: Path) -> None:
    """No backend is asked where the user says so."""
    hosts = fleet.inventory(tmp_path / "hosts.json", {"edge": {"ansible_port": fleet.edge.ssh_port}})
    run = trace(tmp_path / "report", hosts, "http://shop.example/", "-e", "bad_gateway_probe=false")
    assert run.code == 0, run.said[-4000:]
    assert [peer["probe"] for entry in document(run)["hosts"]["edge"]["entries"] for peer in entry["peers"]] == [None]
    assert "not asked" in run.said


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "bad_gateway_url is not set"),
        ("", "bad_gateway_url is not set"),
        ("shop.example/cart", "begin with http:// or https://"),
        ("ftp://shop.example/", "begin with http:// or https://"),
        ("http://shop.example:99999/", "port between 1 and 65535"),
        ("http://$(touch x)/", "letters, digits, dots and hyphens"),
        ("http://shop.example/\r\nX-Injected: 1", "no control character"),
    ],
)
def test_a_url_that_is_none(tmp_path: Path, url: object, says: str) -> None:
    """One sentence says what was set and what to do, and no host is asked."""
    trap = Trap()
    try:
        file = tmp_path / "hosts.json"
        file.write_text(json.dumps({"all": {"hosts": {"web1": {"ansible_host": "127.0.0.1", "ansible_port": trap.port}}}}), encoding="utf-8")
        run = play(tmp_path / "report", file, *([] if url is None else ["-e", json.dumps({"bad_gateway_url": url})]), playbook=TRACE)
        assert run.code not in (0, 4), run.said
        assert says in run.said and "Traceback" not in run.said, run.said
        assert trap.visits() == 0 and not (run.folder / "trace.json").exists()
    finally:
        trap.close()
