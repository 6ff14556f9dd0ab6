# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts judged together: the evidence of one explains what another sees of it, and never hurts it."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _fleet
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World, verdict

REMOTE = "10.0.0.9:8080"
AT = "/etc/nginx/sites-enabled/shop:3"


@pytest.fixture(name="judge")
def make_judge(tmp_path):
    (tmp_path / "bundles").mkdir()

    def judge(*bundles, **settings):
        for bundle in bundles:
            _bundle.write(str(tmp_path), bundle)
        return _fleet.judge(_bundle.files(str(tmp_path), [bundle["host"] for bundle in bundles]), **settings)

    return judge


def web() -> World:
    return World("web1", "10.0.0.5").passes(f"http://{REMOTE}").reply(REMOTE, connect="refused")


def app(name="app1", address="10.0.0.9") -> World:
    return World(name, address).unit("api.service", "*:8080", active="inactive")


def test_the_host_of_the_backend_says_why(judge):
    first, second = judge(web().bundle(), app().bundle())
    assert verdict(first) == [("backend-not-running", "cause", "proven", REMOTE, AT)]
    assert verdict(second) == []


def test_a_backend_host_without_nginx_is_asked_too(judge):
    backend = app().bundle()
    backend["status"] = _bundle.NO_NGINX
    first, second = judge(web().bundle(), backend)
    assert verdict(first)[0][2] == "proven"
    assert second.status == "no-nginx"


def test_two_hosts_with_one_address_are_not_told_apart(judge):
    assert verdict(judge(web().bundle(), app().bundle(), app("app2").bundle())[0])[0][2] == "likely"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "172.17.0.1", "fe80::1", "0.0.0.0", "::"])
def test_an_address_that_every_host_has_names_none(judge, address):
    bundle = app().bundle()
    bundle["answers"]["host"]["value"]["addresses"] = [address]
    world = World("web1", "10.0.0.5").passes(f"http://{'[' + address + ']' if ':' in address else address}:8080")
    assert all("app1" not in finding.says for finding in judge(world.bundle(), bundle)[0].findings)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answers: answers.update(host={"status": "ok", "value": ["10.0.0.9"]}),
        lambda answers: answers["host"]["value"].update(addresses=[None, 5, "10.0.0.9"]),
        lambda answers: answers["host"]["value"].update(addresses="10.0.0.9"),
        lambda answers: answers["listeners"]["value"].update(tcp=[{}]),
        lambda answers: answers.update(backends={"status": "ok", "value": 7}),
        lambda answers: answers.clear(),
    ],
)
def test_broken_evidence_of_one_host_does_not_reach_another(judge, spoil):
    bundle = app().bundle()
    spoil(bundle["answers"])
    first, _second = judge(web().bundle(), bundle)
    assert first.status == "diagnosed"
    assert [item[0] for item in verdict(first)] == ["backend-not-running"]


def test_a_host_that_gave_nothing_does_not_hide_the_others(judge, tmp_path):
    judge(web().bundle())
    results = _fleet.judge(_bundle.files(str(tmp_path), ["web1", "web9"]))
    assert [(result.name, result.status) for result in results] == [("web1", "diagnosed"), ("web9", "failed")]


def test_only_and_skip_reach_the_rules(judge):
    assert verdict(judge(web().bundle(), app().bundle(), skip=("backend-not-running",))[0]) == []
