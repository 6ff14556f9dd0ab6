# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A patch of a compose file means what was wanted and nothing else, keeps every other byte, and is not made where that cannot be told."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time

import pytest
import yaml

from ansible_collections.webops.bad_gateway.plugins.module_utils import _compose_text, _text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._compose import Wanted, for_service, patch

FILE = """\
version: "3.9"

services:
  web:
    image: nginx:1.22          # the front
    networks: [front]
    depends_on: [app, cache]
    environment:
      SECRET: hunter2

  app:
    image: shop:1.4
    command: gunicorn --bind 127.0.0.1:3000 shop:app
    # what the host sees
    ports:
      - "8080:3001"
      - 9000:9000
    environment:
      - SECRET=hunter2
  cache:
    image: redis
    depends_on:
      - app
networks:
  front: {}
"""


def collected(written: str, **more) -> dict:
    """Return a file as a host tells of it."""
    shown = _compose_text.shown(written, _text.Redactor("key"))
    return {"path": "compose.yml", "status": "ok", "why": "", "managed": "", "sha256": hashlib.sha256(written.encode()).hexdigest(), "text": shown, **more}


def patched(tmp_path, text: str, wanted: Wanted) -> str:
    """Return the true file after a person has used the patch."""
    made = patch(collected(text), wanted)
    assert made.diff, made.why
    assert "hunter2" not in made.diff
    file = tmp_path / "compose.yml"
    file.write_bytes(text.encode())
    subprocess.run(["patch", "--binary", "-p0", str(file)], input=made.diff + "\n", text=True, check=True, capture_output=True)
    return file.read_bytes().decode()


def service(text: str, name: str) -> dict:
    return yaml.safe_load(text)["services"][name]


WANTED = [
    (Wanted("app", ports=("127.0.0.1:3000:3000",)), {"ports": ["8080:3001", "9000:9000", "127.0.0.1:3000:3000"]}),
    (Wanted("app", ports=("8080:3000",), moves=3001), {"ports": ["8080:3000", "9000:9000"]}),
    (Wanted("cache", ports=("6379:6379",)), {"ports": ["6379:6379"]}),
    (Wanted("app", expose=(3000,)), {"expose": ["3000"]}),
    (Wanted("app", networks=("edge_default",)), {"networks": ["default", "edge_default"]}),
    (Wanted("web", networks=("edge_default",)), {"networks": ["front", "edge_default"]}),
    (Wanted("web", healthy=("app",)), {"depends_on": {"app": {"condition": "service_healthy"}, "cache": {"condition": "service_started"}}}),
    (Wanted("cache", healthy=("app",)), {"depends_on": {"app": {"condition": "service_healthy"}}}),
    (Wanted("app", healthy=("cache",)), {"depends_on": {"cache": {"condition": "service_healthy"}}}),
    (Wanted("app", bind=True), {"command": "gunicorn --bind 0.0.0.0:3000 shop:app"}),
]


@pytest.mark.skipif(not shutil.which("patch"), reason="no patch(1)")
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("wanted", "meant"), WANTED, ids=[f"{wanted.service}-{next(iter(meant))}-{at}" for at, (wanted, meant) in enumerate(WANTED)])
def test_the_file_means_what_was_wanted_and_nothing_else(tmp_path, wanted, meant, end):
    text = FILE.replace("\n", end)
    after = patched(tmp_path, text, wanted)
    expected = yaml.safe_load(text)
    expected["services"][wanted.service].update(meant)
    for name in wanted.networks:
        expected["networks"][name] = {"external": True}
    assert yaml.safe_load(after) == expected
    kept = [line for line in text.split(end) if line not in after.split(end)]
    assert len(kept) <= 1 and after.count("\n") == after.count(end) and "# the front" in after and "# what the host sees" in after


@pytest.mark.skipif(not shutil.which("patch"), reason="no patch(1)")
def test_several_things_are_one_patch(tmp_path):
    after = patched(tmp_path, FILE, Wanted("cache", ports=("1:1",), networks=("edge",), healthy=("web",)))
    assert service(after, "cache") == {
        "image": "redis", "ports": ["1:1"], "networks": ["default", "edge"],
        "depends_on": {"app": {"condition": "service_started"}, "web": {"condition": "service_healthy"}},
    }


@pytest.mark.skipif(not shutil.which("patch"), reason="no patch(1)")
def test_a_file_without_networks_gets_them_before_its_services(tmp_path):
    text = "services:\n  app:\n    image: x\n"
    after = patched(tmp_path, text, Wanted("app", networks=("edge",)))
    assert after == "networks:\n  edge:\n    external: true\n\nservices:\n  app:\n    networks:\n      - default\n      - edge\n    image: x\n"


@pytest.mark.skipif(not shutil.which("patch"), reason="no patch(1)")
def test_a_network_of_the_file_itself_has_the_name_that_the_file_gives_it(tmp_path):
    after = yaml.safe_load(patched(tmp_path, FILE, Wanted("app", networks=("shop_front",), project="shop")))
    assert (after["services"]["app"]["networks"], after["networks"]) == (["default", "front"], {"front": {}})
    after = yaml.safe_load(patched(tmp_path, FILE, Wanted("web", networks=("shop_default",), project="shop")))
    assert (after["services"]["web"]["networks"], after["networks"]) == (["front", "default"], {"front": {}})


def test_lines_around_are_shown_only_where_nothing_was_left_out():
    text = "services:\n  app:\n    image: x\n"
    wanted = Wanted("app", expose=(80,))
    assert "\n   app:\n" in patch(collected(text), wanted).diff and "\n   app:\n" not in patch(collected(text + "# note\n"), wanted).diff


@pytest.mark.parametrize(("text", "why"), [
    ("services:\n  app:\n    image: x\n    extends:\n      service: y\n", "extends"),
    ("services:\n  app:\n    <<: {a: b}\n    image: x\n", "<<"),
    ("services:\n  y: &y\n    image: x\n  app:\n    image: x\n", "anchors"),
    ("services:\n  app:\n    image: '{{ image }}'\n", "template"),
    ("services:\n  app: {image: x}\n", "flow style"),
    ("services: {app: {image: x}}\n", "flow style"),
    ("{\"services\": {\"app\": {\"image\": \"x\"}}}\n", ""),
    ("services:\n  other:\n    image: x\n", "does not have the service"),
    ("services:\n  app:\n    image: x\n    ports: !override\n      - 80:80\n", "tags"),
    ("services:\n  app:\n    image: x\n    ports:\n      - target: 80\n        published: 80\n", "long form"),
    ("services:\n  app:\n    image: x\n    ports: [\n      '80:80']\n", "several lines"),
    ("services:\n  app:\n    image: x\n    image: y\n    ports:\n      - '81:81'\n    ports:\n      - '80:80'\n", "twice"),
    ("services:\n  app:\n    image: x\n    ports:\n      - '3000:3000'\n", "already"),
    ("services:\n  app:\n    image: x\n    ports: ['80:80'] # why\n", "comment"),
    ("root:x:0:0\n", ""),
    ("\t\n", ""),
    ("", ""),
    ("a: " + "[" * 5000, ""),
])
def test_what_cannot_be_edited_exactly_is_told_in_words(text, why):
    made = patch(collected(text), Wanted("app", ports=("3000:3000",)))
    assert made.diff == "" and why in made.why and made.why
    assert made.words == 'services:\n  app:\n    ports:\n      - "3000:3000"'


@pytest.mark.parametrize(("wanted", "why"), [
    (Wanted("web", bind=True), "not in the command"),
    (Wanted("app", networks=("x: {}\n",)), "not a plain one"),
])
def test_what_is_not_there_to_be_changed(wanted, why):
    made = patch(collected(FILE), wanted)
    assert made.diff == "" and why in made.why


def test_a_service_on_the_network_of_the_host_joins_no_other():
    assert "network_mode" in patch(collected("services:\n  app:\n    network_mode: host\n"), Wanted("app", networks=("edge",))).why


@pytest.mark.parametrize(("more", "why"), [
    ({"managed": "Ansible"}, "written by Ansible"), ({"status": "denied", "why": "Permission denied", "text": ""}, "Permission denied"),
])
def test_a_file_that_is_not_a_persons_gets_no_patch(more, why):
    assert why in patch(collected(FILE, **more), Wanted("app", expose=(1,))).why


def test_of_several_files_the_one_that_has_the_service():
    files = [collected("services:\n  web:\n    image: x\n", path="a.yml"), collected("services:\n  app:\n    image: x\n", path="b.yml")]
    assert "--- b.yml" in for_service(files, ("a.yml", "b.yml"), Wanted("app", expose=(1,))).diff
    assert "not collected" in for_service([], ("a.yml",), Wanted("app", expose=(1,))).why


@pytest.mark.parametrize("odd", ["[" * 60000, "{" + "a: {" * 15000, "- " * 30000, "[" + "a, " * 20000 + "]", "? " * 30000])
def test_a_file_that_is_made_to_be_slow_is_not_read(odd):
    begin = time.monotonic()
    made = patch(collected(f"services:\n  app:\n    image: shop\n    ports:\n      {odd}\n"), Wanted("app", ports=("1:2",)))
    assert not made.diff and made.why and time.monotonic() - begin < 20
