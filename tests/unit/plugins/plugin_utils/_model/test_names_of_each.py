# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name that is another host in each container leads each nginx to its own."""

from __future__ import annotations

import copy

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World


def test_each_nginx_goes_where_its_own_name_leads():
    world = World().site("location / { proxy_pass http://app:3000; }").resolve("app", "172.18.0.2")
    world.answers["names"]["value"]["app"]["elsewhere"] = {"second": {"status": "ok", "addresses": ["172.19.0.2"], "why": ""}}
    second = copy.deepcopy(world.instance)
    second["id"] = "second"
    world.answers["nginx"]["value"]["instances"].append(second)
    host = Host.of(world.bundle())
    assert [[str(end) for peer in route.peers for end in peer.endpoints] for route in host.routes] == [["172.18.0.2:3000"], ["172.19.0.2:3000"]]
    assert host.names_of("third")["app"]["addresses"] == ["172.18.0.2"]
