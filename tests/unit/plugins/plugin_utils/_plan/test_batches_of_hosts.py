# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are changed together: all of them once, no two that stand for one another at a time, never more than is allowed."""

from __future__ import annotations

import random

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan import batches
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Plan, Step
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

GROWING = [1, "10%", "50%", "100%"]


def names(count: int) -> list[str]:
    return [f"web{number}" for number in range(1, count + 1)]


def sizes(count: int, serial=tuple(GROWING), widest: int = 1000) -> list[int]:
    return [len(batch) for batch in batches.cut(names(count), serial, (), widest)]


@pytest.mark.parametrize(
    ("count", "cut"), [(0, []), (1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (10, [1, 1, 5, 3]), (40, [1, 4, 20, 15]), (100, [1, 10, 50, 39])]
)
def test_batches_grow(count, cut):
    assert sizes(count) == cut


def test_the_last_size_holds_for_all_further_batches():
    assert sizes(10, [2, 3]) == [2, 3, 3, 2]


def test_a_batch_is_never_wider_than_its_limit():
    assert max(sizes(1000, widest=20)) == 20


def test_two_members_of_a_pool_are_never_changed_together():
    cut = batches.cut(names(5), ["100%"], [frozenset({"web1", "web2"}), frozenset({"web2", "web3"})], 50)
    assert cut == (("web1", "web3", "web4", "web5"), ("web2",))


def test_any_cut_has_each_host_once_and_keeps_pools_apart():
    chance = random.Random(1)
    for _round in range(300):
        hosts = names(chance.randint(0, 30))
        pools = [frozenset(chance.sample(hosts, chance.randint(2, len(hosts)))) for _pool in range(chance.randint(0, 4)) if len(hosts) > 1]
        serial = [chance.choice([1, 2, 7, "10%", "50%", "100%"]) for _size in range(chance.randint(1, 4))]
        cut = batches.cut(hosts, serial, pools, chance.randint(1, 10))
        assert sorted(host for batch in cut for host in batch) == sorted(hosts)
        assert all(len(pool & set(batch)) < 2 for batch in cut for pool in pools)


def test_the_peers_of_a_group_are_a_pool():
    world = World("lb", "10.0.0.1").site("location / { proxy_pass http://shop; }", outside=["upstream shop { server 10.0.0.2:80; server 10.0.0.3:80; }"])
    known = {"10.0.0.1": "lb", "10.0.0.2": "web2", "10.0.0.3": "web3", "10.0.0.4": "web4"}
    assert batches.pools([Host.of(world.bundle())], known) == {frozenset({"web2", "web3"})}


@pytest.mark.parametrize("known", [{}, {"10.0.0.2": "web2"}, {"10.0.0.2": "web2", "10.0.0.3": ""}, {"10.0.0.2": "web2", "10.0.0.3": "web2"}])
def test_a_group_of_which_one_host_is_known_is_no_pool(known):
    world = World("lb", "10.0.0.1").site("location / { proxy_pass http://shop; }", outside=["upstream shop { server 10.0.0.2:80; server 10.0.0.3:80; }"])
    assert not batches.pools([Host.of(world.bundle())], known)


def test_only_so_many_hosts_are_changed():
    plans = [Plan(name, "diagnosed", "", steps=(Step("start_backend", ()),) if name != "web2" else ()) for name in names(4)]
    capped = batches.capped(plans, 2)
    assert [bool(plan.steps) for plan in capped] == [True, False, True, False]
