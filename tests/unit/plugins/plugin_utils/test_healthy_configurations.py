# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as people write them, each on a host where every backend answers: nothing fails, nothing will, nothing is unknown.

A file of healthy/ stands in http{}, or is a main configuration when its first line says so. A comment "resolves: NAME ADDRESS" answers a name.
"""

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, MASTER, SITES, World, unknowns, verdict

FOLDER = pathlib.Path(__file__).with_name("healthy")
CONFIGURATIONS = sorted(FOLDER.glob("*.conf"))
MAIN_CONTEXT = "# context: main\n"
_SPEAKS = {"https": "https", "grpc": "http2", "fastcgi": "fastcgi-ping", "uwsgi": "uwsgi-ping", "scgi": "scgi", "memcached": "memcached"}
_COMM = {"fastcgi": "php-fpm8.2", "uwsgi": "uwsgi", "memcached": "memcached"}


def world_of(file: pathlib.Path) -> World:
    """Return a host with a configuration, before anything listens on it."""
    text = file.read_text(encoding="utf-8")
    world = World().resolve("localhost", "127.0.0.1")
    for name, address in re.findall(r"^# resolves: (\S+) (\S+)$", text, re.MULTILINE):
        world.resolve(name, address)
    for name in ("uwsgi_params", "fastcgi_params", "scgi_params"):
        world.file(f"/etc/nginx/{name}", "")
    if text.startswith(MAIN_CONTEXT):
        return world.file(MAIN, "user www-data;\nevents {}\n" + text)
    return world.file(SITES + file.stem, text)


def serve(world: World, leg: Leg) -> None:
    """Let something answer where a leg ends, in the protocol of its pass."""
    endpoint = str(leg.endpoint)
    if leg.local and not leg.listeners and not any(endpoint == f"{item['address']}:{item['port']}" for item in world.listeners["tcp"]):
        own = any(endpoint in listen or f"*:{leg.endpoint.port}" in listen for route in Host.of(world.bundle()).routes for listen in route.listens)
        world.listen(endpoint, comm="nginx" if own else _COMM.get(leg.route.family, "node"), pid=MASTER if own else None)
    world.reply(endpoint, {"speak": _SPEAKS.get(leg.route.scheme, "http")})


def healthy(file: pathlib.Path) -> World:
    """Return the host with all of its backends."""
    world = world_of(file)
    for leg in Host.of(world.bundle()).legs:
        serve(world, leg)
    return world


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.stem)
def test_a_healthy_configuration_has_no_cause_and_no_risk(file):
    world = healthy(file)
    result = world.judge()
    assert verdict(result) == []
    assert unknowns(result) == []
    assert result.status == "diagnosed"


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.stem)
def test_every_pass_of_a_configuration_is_a_route(file):
    """None is overlooked: silence about a route that the model does not see would be no silence."""
    passes = len(re.findall(r"\b(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass ", file.read_text(encoding="utf-8")))
    assert len(Host.of(world_of(file).bundle()).routes) == passes


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.stem)
def test_the_same_configuration_with_nothing_behind_it_is_not_silent(file):
    """The silence above is not that of a judge who sees nothing."""
    assert [item for item in verdict(world_of(file).judge()) if item[0].startswith("backend-")]
