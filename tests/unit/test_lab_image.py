# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab's images that build none: where the packages of the one with an engine come from."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "lab"
KEPT = "deb http://packages.example/debian bookworm main\n"
OWN = "deb http://own.example/debian bookworm main"


@pytest.fixture
def image(monkeypatch, tmp_path):
    """The module, with a list of what it would have run, and its files in a folder of the test."""
    monkeypatch.setattr(sys, "path", [str(LAB), *sys.path])
    module = importlib.import_module("lab_image")
    monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr(module, "SOURCES", tmp_path / "sources.list")
    monkeypatch.setattr(module, "fetch_pm2", lambda: "/pm2")
    monkeypatch.setattr(module, "mirrors", list)
    monkeypatch.setattr(module, "attempt", lambda _argv: (0, ""))
    module.ran = []

    def run(argv, timeout=0):
        module.ran.append(argv)
        if argv[0] == "mmdebstrap":
            module.SOURCES.write_text(KEPT, encoding="utf-8")
        return "id\n"

    monkeypatch.setattr(module, "run", run)
    return module


def sources(image):
    """Return the sources of packages that the builder was given."""
    (created,) = [argv for argv in image.ran if argv[:2] == ["docker", "create"]]
    return created[created.index("/recipe/finish.sh") + 1]


def test_the_first_image_leaves_where_its_packages_came_from(image):
    image.build("lab:1")
    (built,) = [argv for argv in image.ran if argv[0] == "mmdebstrap"]
    hooks = [word for word in built if word.startswith("--customize-hook=")]
    # Before the list is emptied.
    assert str(image.SOURCES) in hooks[0] and "finish.sh" in hooks[1]


def test_packages_come_from_where_this_machine_has_its_own(image, monkeypatch):
    monkeypatch.setattr(image, "mirrors", lambda: [OWN])
    image.build_engine("engine:1", "lab:1")
    assert sources(image) == OWN and not image.SOURCES.exists()


@pytest.mark.parametrize("kept", [True, False])
def test_else_from_where_those_of_the_first_image_came(image, kept):
    if kept:
        image.SOURCES.write_text(KEPT, encoding="utf-8")
    image.build_engine("engine:1", "lab:1")
    assert sources(image) == KEPT
    assert ("mmdebstrap" in [argv[0] for argv in image.ran]) is not kept
