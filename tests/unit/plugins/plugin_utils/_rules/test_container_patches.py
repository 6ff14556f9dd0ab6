# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding about a container of compose has the patch of its file, where one can be told."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._plan.plan import Allowed, build
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import World

FILE = "/srv/shop/compose.yaml"
TEXT = "services:\n  shop:\n    image: shop:1\n    command: serve --host 127.0.0.1\n"


def world(text: str | None = TEXT, service: str = "shop") -> World:
    """Return a host whose nginx goes to a port that the container of a compose file does not publish."""
    made = World().docker_network("shop_default", "172.18.0.0/16").container("shop-shop-1", "shop_default=172.18.0.2", service=service)
    made.listen("0.0.0.0:3000", inside="shop-shop-1")
    made.passes("http://127.0.0.1:3000")
    if text is not None:
        made.engine["compose_files"] = [{"path": FILE, "status": "ok", "why": "", "sha256": "", "uid": 0, "managed": "", "text": text}]
    return made


def only(made: World) -> Finding:
    (found,) = [item for item in made.judge().findings if item.id == "container-port-mapping"]
    return found


def test_a_port_to_publish_is_a_patch_that_the_plan_shows_too():
    fix = only(world()).fix
    assert fix.diff == f'--- {FILE}\n+++ {FILE}\n@@ -2,0 +3,2 @@\n+    ports:\n+      - "127.0.0.1:3000:3000"'
    assert f"docker compose --file {FILE} config --quiet" in fix.summary
    made = build(world().judge(), Host.of(world().bundle()), Allowed("risky"))
    assert [item.patch for item in made.manual if item.finding.id == "container-port-mapping"] == [fix.diff]


def test_where_no_patch_can_be_told_it_is_said_why():
    fix = only(world("services:\n  other:\n    image: x\n")).fix
    assert fix.diff == "" and "There is no patch: the file does not have the service." in fix.summary and 'ports: ["127.0.0.1:3000:3000"]' in fix.summary


def test_a_host_that_tells_no_compose_files_has_the_words_alone():
    fix = only(world(None)).fix
    assert fix.diff == "" and "patch" not in fix.summary
