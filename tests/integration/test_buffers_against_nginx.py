# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The buffers that nginx takes, and those that response-header-too-big proposes, held against a running nginx's own test.

Random buffers at each level: in http, in the server, in a location and in one within it. BAD_GATEWAY_BUFFERS is the number of
configurations, BAD_GATEWAY_SEED the first of them.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import buffers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx import config
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, World

COUNT = int(os.environ.get("BAD_GATEWAY_BUFFERS", "300"))
SEED = int(os.environ.get("BAD_GATEWAY_SEED", "1"))
PASS = {"proxy": "proxy_pass http://127.0.0.1:3000", **{name: f"{name}_pass 127.0.0.1:3000" for name in ("fastcgi", "uwsgi", "scgi")}}
SIZES = ["1000", "1k", "2k", "4k", "6000", "8k", "12k", "16k", "32k", "48k", "64k", "1m"]
LEVELS = ("http", "server", "location", "nested")


def random_own(chance: random.Random) -> dict[str, str]:
    """Return some directives with values that are more often right than not."""
    own = {}
    for name in buffers.NAMES:
        if chance.random() < 0.3:
            size = chance.choice(SIZES if name != "max_temp_file_size" else [*SIZES, "0", "0"])
            own[name] = f"{chance.choice([2, 3, 4, 4, 8, 8, 16, 100])} {size}" if name == "buffers" else size
    return own


def text_of(family: str, own: dict[str, dict[str, str]], folder) -> str:
    """Return a configuration, each block in a line of its own."""
    lines = {level: " ".join(f"{family}_{name} {value};" for name, value in own[level].items()) for level in LEVELS}
    return "\n".join(
        [
            f"pid {folder}/nginx.pid; error_log {folder}/error.log; events {{ }}",
            f"http {{ access_log off; {lines['http']}",
            f"server {{ listen 127.0.0.1:28998; {lines['server']}",
            f"location /a {{ {PASS[family]}; {lines['location']}",
            f"location /a/b {{ {PASS[family]}; {lines['nested']}",
            "} } } }",
            "",
        ]
    )


CONTEXTS = {4: "location", 5: "nested"}


class Nginx:
    """nginx's own test of a configuration."""

    def __init__(self, program: str, folder) -> None:
        self.program, self.folder = program, folder

    def takes(self, text: str) -> bool:
        path = self.folder / "nginx.conf"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run([self.program, "-q", "-t", "-p", f"{self.folder}/", "-c", str(path)], capture_output=True, text=True, check=False)
        assert not done.returncode or "buffer" in done.stderr or "temp_file" in done.stderr, done.stderr
        return not done.returncode


@pytest.fixture(name="nginx")
def _nginx(tmp_path) -> Nginx:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "install nginx for these tests: apt-get install nginx-light"
    return Nginx(program, tmp_path)


def of(text: str, family: str) -> dict[str, buffers.Buffers]:
    """Return the buffers at each level as the model has them."""
    instance = World().file(MAIN, text).instance
    page = os.sysconf("SC_PAGE_SIZE")
    found, statements = {}, config.load({**instance, "page_size": page}).statements
    here = buffers.Buffers(page, 8, page)
    for level, name in zip(LEVELS, ("http", "server", "location", "location")):
        block = next(statement for statement in statements if statement.name == name)
        statements = block.block
        here = found[level] = buffers.within(here, statements, family)
    return found


def test_the_model_takes_what_nginx_takes_and_the_fix_of_a_header_is_taken(nginx):
    taken = fixed = nested = 0
    for seed in range(SEED, SEED + COUNT):
        chance = random.Random(seed)
        family = chance.choice(buffers.FAMILIES)
        own = {level: random_own(chance) if chance.random() < 0.6 else {} for level in LEVELS}
        text = text_of(family, own, nginx.folder)
        found = of(text, family)
        accepted = nginx.takes(text)
        # What stands in http is looked at only with what a server has of its own.
        assert accepted == all(found[level].accepted for level in LEVELS[1:]), (seed, text)
        if not accepted:
            continue
        taken += 1
        header = chance.choice([1025, 4097, 8000, 8193, 16385, 32768])
        changes = changes_for(text, family, header)
        assert len({change["context"]["line"] for change in changes}) == len(changes), (seed, changes)
        for change in changes:
            level = CONTEXTS[change["context"]["line"]]
            assert change.get("replaces", {}) == {name: value for name, value in own[level].items() if name in change}, seed
            own[level].update({name: change[name] for name in buffers.NAMES if name in change})
            fixed, nested = fixed + (level == "location"), nested + (level == "nested")
        assert nginx.takes(text_of(family, own, nginx.folder)), (seed, text, changes)
        assert of(text_of(family, own, nginx.folder), family)["location"].header >= header
        assert changes_for(text_of(family, own, nginx.folder), family, header) == [], seed
    # What was compared is worth something: there were enough of each kind.
    assert min(taken, COUNT - taken) > COUNT // 10 and fixed > COUNT // 10 and nested > COUNT // 100


def changes_for(text: str, family: str, header: int) -> list[dict]:
    """Return what the rule wants changed for the outer location, whose backend sends a header of that many bytes."""
    world = World().file(MAIN, text).service("shop.service", "127.0.0.1:3000", comm="node").reply("127.0.0.1:3000", {"header_bytes": header})
    world.instance["page_size"] = os.sysconf("SC_PAGE_SIZE")
    result = world.judge(only=("response-header-too-big",))
    found = [finding for finding in result.findings if finding.route["location"] == "/a"]
    assert all(finding.fix.safety == "safe" for finding in found), found
    return [change for finding in found for change in finding.fix.changes]
