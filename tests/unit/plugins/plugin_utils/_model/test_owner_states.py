# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manager's words mean: whether a backend runs, was stopped, or fails to start; and which endpoint a claim covers."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import owners
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW, World

LIVED = {"started": NOW - 4000, "exited": NOW - 30}
DIED = {"started": NOW - 31, "exited": NOW - 30}


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        ({"active": "active", "sub": "running"}, owners.RUNNING),
        ({"active": "reloading", "sub": "reload"}, owners.RUNNING),
        ({"active": "active", "sub": "running", "restarts": 2, "started": NOW - 1}, owners.RUNNING),
        ({"active": "active", "sub": "running", "restarts": 3, "started": NOW - 1}, owners.FAILING),
        ({"active": "active", "sub": "running", "restarts": 300, "started": NOW - 60}, owners.RUNNING),
        ({"active": "inactive", "sub": "dead"}, owners.STOPPED),
        ({"active": "deactivating", "sub": "stop-sigterm"}, owners.STOPPED),
        ({"active": "failed", **LIVED}, owners.STOPPED),
        ({"active": "failed", **LIVED, "restarts": 5}, owners.FAILING),
        ({"active": "failed", **DIED}, owners.FAILING),
        ({"active": "failed", **DIED, "asked_to_stop": True}, owners.STOPPED),
        ({"active": "failed", **DIED, "code": "killed", "status": 9}, owners.STOPPED),
        ({"active": "failed"}, owners.FAILING),
        ({"active": "activating", "sub": "start"}, owners.STARTING),
        ({"active": "activating", "sub": "start", "restarts": 1}, owners.STARTING),
        ({"active": "activating", "sub": "start", "restarts": 3}, owners.FAILING),
        ({"active": "activating", "sub": "auto-restart", **LIVED}, owners.STARTING),
        ({"active": "activating", "sub": "auto-restart", **DIED}, owners.FAILING),
        ({"active": "activating", "sub": "auto-restart", **LIVED, "restarts": 1}, owners.FAILING),
        ({"active": "maintenance"}, owners.UNKNOWN),
        ({}, owners.UNKNOWN),
    ],
)
def test_the_state_of_a_unit(unit, state):
    assert owners.unit_state(unit, NOW) == state


@pytest.mark.parametrize(
    ("claim", "endpoint", "covered"),
    [
        ("127.0.0.1:3000", "127.0.0.1:3000", True),
        ("*:3000", "10.0.0.5:3000", True),
        ("0.0.0.0:3000", "127.0.0.1:3000", True),
        ("[::]:3000", "127.0.0.1:3000", True),
        ("localhost:3000", "[::1]:3000", True),
        ("127.0.0.1:3000", "[::1]:3000", True),
        ("127.0.0.1:3000", "127.0.0.1:3001", False),
        ("127.0.0.1:3000", "10.0.0.5:3000", False),
        ("10.0.0.5:3000", "10.0.0.6:3000", False),
        ("10.0.0.5:3000", "127.0.0.1:3000", False),
        ("unix:/run/a.sock", "unix:/run/a.sock", True),
        ("unix:/run/a.sock", "unix:/run/b.sock", False),
        ("*:3000", "unix:/run/a.sock", False),
        ("backend.internal:3000", "127.0.0.1:3000", False),
    ],
)
def test_what_a_claim_covers(claim, endpoint, covered):
    (owner,) = owners.owners_of(World().unit("x.service", claim).answers)
    assert bool(owner.claim_on(Endpoint.parse(endpoint))) == covered


def test_what_runs_once_claims_nothing():
    (owner,) = owners.owners_of(World().unit("x.service", "*:3000", type="oneshot").answers)
    assert owner.claims == ()


def test_every_manager_is_told_in_one_form():
    world = World().pool("unix:/run/php/x.sock").program("shop", "FATAL", why="can't find command").app("api", "online", "*:4000", pid=7)
    found = {owner.label: (owner.state, owner.says) for owner in owners.owners_of(world.answers)}
    assert found == {
        "systemd unit php8.2-fpm.service": ("running", "active (running), enabled"),
        "PHP-FPM pool www (PHP 8.2)": ("running", "running: systemd unit php8.2-fpm.service is active (running), enabled"),
        "supervisor program shop": ("failing", "FATAL (can't find command)"),
        "PM2 app api": ("running", "online"),
    }


@pytest.mark.parametrize("name", ["a b", "x;reboot", "$(id)", "'", "-rf", "a\nb"])
def test_a_name_is_one_word_of_a_command(name):
    world = World().unit(name).program(name, "STOPPED").app(name, "stopped", user=name)
    for owner in owners.owners_of(world.answers):
        assert name in shlex.split(owner.start)
        assert name in shlex.split(owner.look)
