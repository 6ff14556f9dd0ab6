# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles on disk: written whole, read back, and refused when they are not what they should be."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet


@pytest.fixture(name="folder")
def make_folder(tmp_path):
    (tmp_path / "bundles").mkdir()
    return str(tmp_path)


def test_what_is_written_is_read(folder):
    bundle = _bundle.new("web1", _bundle.COLLECTED, "", {"nginx": {"status": "denied", "value": None, "why": "naïve \udc80"}})
    file = _bundle.write(folder, bundle)
    assert _bundle.read(_bundle.path(folder, "web1"), "web1") == bundle
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert os.listdir(os.path.dirname(file)) == ["web1.json"]


@pytest.mark.parametrize("host", ["../../etc/passwd", "a/b", "..", "", ".hidden", "x\ny", "ü", "h" * 300, "web1 "])
def test_a_name_never_leaves_the_folder(folder, host):
    file = _bundle.path(folder, host)
    assert os.path.dirname(os.path.normpath(file)) == os.path.join(folder, "bundles")
    _bundle.write(folder, _bundle.new(host, _bundle.FAILED, "x"))
    assert _bundle.read(_bundle.path(folder, host), host)["host"] == host


def test_names_that_look_alike_have_files_of_their_own(folder):
    assert len({_bundle.path(folder, host) for host in ("a/b", "a_b", "a\\b", "a b", ".a_b")}) == 5


def test_a_host_without_a_file_failed(folder):
    bundle = _bundle.read(_bundle.path(folder, "web9"), "web9")
    assert (bundle["status"], bundle["host"]) == ("failed", "web9")
    assert "before this host gave any evidence" in bundle["why"]


GOOD = _bundle.new("web1", _bundle.COLLECTED)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"x"',
        "[" * 100_000,
        b"\xff\xfe",
        json.dumps({**GOOD, "schema": 2}),
        json.dumps({**GOOD, "schema": "1"}),
        json.dumps({**GOOD, "status": "fine"}),
        json.dumps({**GOOD, "answers": []}),
        json.dumps({**GOOD, "answers": {"host": None}}),
        json.dumps({**GOOD, "answers": {"host": {"status": "great"}}}),
        json.dumps({**GOOD, "probes": None}),
        json.dumps({**GOOD, "host": 3}),
        json.dumps({**GOOD, "why": None}),
    ],
)
def test_what_is_no_bundle_is_a_failed_one(folder, content):
    with open(_bundle.path(folder, "web1"), "wb") as stream:
        stream.write(content if isinstance(content, bytes) else content.encode())
    bundle = _bundle.read(_bundle.path(folder, "web1"), "web1")
    assert (bundle["host"], bundle["status"], bundle["answers"]) == ("web1", "failed", {})


def test_what_an_earlier_run_saw_is_forgotten(folder):
    _bundle.write(folder, GOOD)
    _bundle.remove(folder, "web1")
    _bundle.remove(folder, "web1")
    assert _bundle.read(_bundle.path(folder, "web1"), "web1")["status"] == "failed"


def test_a_bundle_that_cannot_be_written_leaves_nothing(folder):
    with pytest.raises(TypeError):
        _bundle.write(folder, _bundle.new("web1", _bundle.FAILED, why={1, 2}))
    assert os.listdir(os.path.join(folder, "bundles")) == []


def test_a_newer_format_asks_for_a_newer_collection(folder):
    file = _bundle.write(folder, {**GOOD, "schema": 2})
    assert _bundle.read(file, "web1")["why"].endswith("has format 2; this version knows formats up to 1: update the collection")


def test_the_bundles_of_a_folder_are_found_by_the_names_in_them(folder, tmp_path):
    odd = _bundle.write(folder, _bundle.new("a/b", _bundle.COLLECTED))
    web = _bundle.write(folder, GOOD)
    (tmp_path / "bundles" / "notes.txt").write_text("no bundle")
    (tmp_path / "bundles" / ".half.json").write_text("{")
    (tmp_path / "report.json").write_text("{}")
    assert _bundle.found(folder) == _bundle.found(os.path.join(folder, "bundles")) == {"a/b": odd, "web1": web}


def test_a_file_that_is_no_bundle_is_a_host_that_failed(folder, tmp_path):
    (tmp_path / "bundles" / "web7.json").write_text("{}")
    found = _bundle.found(folder)
    assert list(found) == ["web7"]
    assert _bundle.read(found["web7"], "web7")["status"] == "failed"


@pytest.mark.parametrize(("files", "says"), [([], "there is no bundle"), (["one.json", "two.json"], "are both of the host 'web1'")])
def test_a_folder_of_which_no_fleet_can_be_made(folder, tmp_path, files, says):
    for name in files:
        (tmp_path / "bundles" / name).write_text(json.dumps(GOOD))
    with pytest.raises(ValueError, match=says):
        _bundle.found(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        _bundle.found(str(tmp_path / "nothing"))


def test_a_bundle_of_an_older_version_is_judged():
    """It was recorded by 0.1.0 on a host whose site still names the socket of a PHP that was replaced."""
    file = os.path.join(os.path.dirname(__file__), "data", "bundle-0.1.0.json")
    (result,) = _fleet.judge({"rec1": file})
    causes = [finding for finding in result.findings if finding.kind == "cause"]
    assert [(finding.id, finding.certainty, finding.endpoint) for finding in causes] == [("socket-path-mismatch", "proven", "unix:/run/php/php8.1-fpm.sock")]
    assert not [item for item in result.unknown if "failed:" in item.why or item.status == "error"], result.unknown
