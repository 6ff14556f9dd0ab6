# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may set, and what is said to one who set it wrongly."""

from __future__ import annotations

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _settings


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600), (" 1.5 h ", 5400), ("1s", 1)])
def test_a_window(written, seconds):
    assert _settings.seconds(written) == seconds


@pytest.mark.parametrize("written", ["", "0", "0h", "-1h", "1y", "h", "1h30m", "24 hours", "1e3", "٣h", "1h\n2h", "{{ x }}"])
def test_a_window_that_is_none(written):
    with pytest.raises(_settings.BadSetting, match="bad_gateway_since"):
        _settings.seconds(written)


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant():
    with pytest.raises(_settings.BadSetting, match="Did you mean bad_gateway_report_dir"):
        _settings.check_names(["bad_gateway_report_dr", "ansible_host"])
    _settings.check_names([*_settings.VARIABLES, "ansible_host", "my_bad_gateway"])


def test_an_id_that_no_rule_has():
    with pytest.raises(_settings.BadSetting, match="Did you mean backend-not-running"):
        _settings.check_ids("bad_gateway_only", ["backend-not-runing"], ["backend-not-running", "upstream-timeout"])
    _settings.check_ids("bad_gateway_only", [], [])


@pytest.mark.parametrize("path", ["health", "/a b", "/a\r\nHost: x", "/\x7f", "http://x/"])
def test_a_probe_path_that_is_none(path):
    with pytest.raises(_settings.BadSetting, match="bad_gateway_probe_path"):
        _settings.check_probe(path, 10.0)


@pytest.mark.parametrize("timeout", [0, -1, 301, float("nan"), float("inf")])
def test_a_timeout_that_nobody_would_wait_for(timeout):
    with pytest.raises(_settings.BadSetting, match="bad_gateway_probe_timeout"):
        _settings.check_probe("", timeout)


def test_the_report_folder_is_made_and_left_without_a_trace(tmp_path):
    folder = _settings.report_folder(str(tmp_path / "a" / "b"))
    assert os.listdir(folder) == ["bundles"]


def test_a_report_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(_settings.BadSetting, match="bad_gateway_report_dir"):
        _settings.report_folder(str(tmp_path / "file" / "x"))


@pytest.mark.parametrize("written", ["", "last", "../20261127T021836-cf25", "20261127T021836-cf25\n", "20261127", "{{ x }}", "NEWEST"])
def test_a_checkpoint_that_is_none(written):
    with pytest.raises(_settings.BadSetting, match="bad_gateway_checkpoint"):
        _settings.check_checkpoint(written)


@pytest.mark.parametrize("written", ["newest", "list", "20261127T021836-cf25"])
def test_a_checkpoint(written):
    _settings.check_checkpoint(written)


KNOWN = ["backend-not-running", "upstream-timeout"]


def test_what_is_allowed_on_a_host_by_default():
    assert _settings.allowed({}, KNOWN) == {"apply": "safe", "allow": [], "edit_managed": False, "install_packages": False, "ca_file": ""}


@pytest.mark.parametrize("written", [["upstream-timeout", "backend-not-running"], "upstream-timeout, backend-not-running"])
def test_ids_are_allowed_as_a_list_or_with_commas(written):
    assert _settings.allowed({"bad_gateway_allow": written}, KNOWN)["allow"] == ["upstream-timeout", "backend-not-running"]


@pytest.mark.parametrize(("written", "meant"), [(True, True), ("yes", True), ("False", False), (0, False)])
def test_a_switch_is_on_or_off(written, meant):
    assert _settings.allowed({"bad_gateway_edit_managed": written}, KNOWN)["edit_managed"] is meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apply", "all"),
        ("apply", True),
        ("apply", None),
        ("allow", {"a": 1}),
        ("allow", [1]),
        ("allow", 7),
        ("allow", "no-such-id"),
        ("edit_managed", "perhaps"),
        ("ca_file", 1),
    ],
)
def test_a_wrong_allowance_is_named(name, value):
    with pytest.raises(_settings.BadSetting, match=f"bad_gateway_{name}"):
        _settings.allowed({f"bad_gateway_{name}": value}, KNOWN)


@pytest.mark.parametrize("sizes", [[0], ["0"], ["101%"], ["half"], [True], [-1], [], ["1.5"], ["{{ x }}"]])
def test_a_batch_that_nobody_can_count(sizes):
    with pytest.raises(_settings.BadSetting, match="bad_gateway_serial"):
        _settings.check_serial(sizes)


def test_batches_that_can_be_counted():
    _settings.check_serial([1, "2", "10%", "100%"])


@pytest.mark.parametrize(("hosts", "seconds"), [(0, 600), (-1, 600), (50, 59), (50, 86401)])
def test_a_run_that_could_change_or_verify_nothing(hosts, seconds):
    with pytest.raises(_settings.BadSetting):
        _settings.check_limits(hosts, seconds)
    _settings.check_limits(1, 60)


def test_a_proposed_configuration_is_a_folder_with_a_place(tmp_path):
    _settings.check_config(str(tmp_path), "/etc/nginx/nginx.conf")
    for folder, path, words in (
        (str(tmp_path / "gone"), "/etc/nginx/nginx.conf", "bad_gateway_config is"),
        (str(tmp_path), "nginx.conf", "bad_gateway_config_path is"),
        (str(tmp_path), "/nginx.conf", "such as /etc/nginx/nginx.conf"),
    ):
        with pytest.raises(_settings.BadSetting, match=words):
            _settings.check_config(folder, path)
