# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules checkpoint and checkpoint_info: what they return, in check mode too."""

import os

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.modules import checkpoint, checkpoint_info

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Let no timer run."""
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the \x1b[31mtest"))


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture
def conf(tmp_path):
    """A file."""
    path = tmp_path / "a.conf"
    path.write_bytes(b"old")
    return path


def run(root, check=False, **given):
    """Run the module with the options that a task gives."""
    valid = ArgumentSpecValidator(checkpoint.OPTIONS).validate(given)
    assert not valid.error_messages
    return checkpoint.run(valid.validated_parameters, check, root)


def listed(root):
    """Return what checkpoint_info tells."""
    return checkpoint_info.checkpoints(root)


def test_a_change_from_open_to_rolled_back(root, conf):
    opened = run(root, state="open", reason="more \x1b[31m{{ workers }}", paths=[str(conf)], confirm_within=60)
    assert not opened["changed"] and opened["armed"] and opened["expires"] > 0 and opened["folder"] == f"{root}/{opened['id']}"
    conf.write_bytes(b"new")
    (told,) = listed(root)
    assert (told["id"], told["state"], told["overdue"], told["differs"]) == (opened["id"], "open", False, [f"{conf} (content)"])
    assert told["reason"] == "more \\x1b[31m{{ workers }}" and "\x1b" not in told["says"] + opened["watched_by"]
    kept = run(root, state="confirmed", checkpoint=opened["id"])
    assert (kept["changed"], kept["kept"], kept["armed"], kept["expires"]) == (False, True, False, 0.0)
    would = run(root, check=True, state="rolled_back")
    assert would["changed"] and would["restored"] == [f"{conf} (content)"] and conf.read_bytes() == b"new"
    done = run(root, state="rolled_back")
    assert (done["id"], done["changed"], done["restored"], done["conflicts"], done["unverified"]) == (opened["id"], True, [f"{conf} (content)"], [], [])
    assert conf.read_bytes() == b"old"
    (told,) = listed(root)
    assert told["state"] == "rolled-back" and told["differs"] == []
    again = run(root, state="rolled_back", checkpoint=opened["id"])
    assert (again["changed"], again["restored"]) == (False, [])
    assert run(root, state="rolled_back")["id"] == ""


def test_a_change_that_changed_nothing_leaves_nothing(root, conf):
    opened = run(root, state="open", paths=[str(conf)])
    kept = run(root, state="confirmed", checkpoint=opened["id"])
    assert (kept["kept"], kept["id"], kept["folder"]) == (False, "", "")
    assert listed(root) == []


def test_saving_without_a_checkpoint_makes_one_that_is_confirmed(root, conf):
    saved = run(root, state="saved", paths=[str(conf)], after=[{"unit": "shop.service", "action": "restart"}])
    assert not saved["armed"] and not saved["changed"]
    (told,) = listed(root)
    assert (told["state"], told["files"]) == ("confirmed", [str(conf)])
    conf.write_bytes(b"new")
    run(root, state="confirmed", checkpoint=saved["id"])
    assert run(root, state="rolled_back", checkpoint=saved["id"])["restored"] == [f"{conf} (content)"]


def test_what_was_saved_and_not_changed_is_not_kept_once_that_is_known(root, conf):
    """Else undoing it later would bring a state back that a change of another run has replaced."""
    saved = run(root, state="saved", paths=[str(conf)])
    assert run(root, state="confirmed", checkpoint=saved["id"])["kept"] is False
    assert listed(root) == []


def test_saving_in_an_open_checkpoint(root, conf, tmp_path):
    opened = run(root, state="open")
    assert run(root, state="saved", checkpoint=opened["id"], paths=[str(conf), str(tmp_path / "x" / "y")])["id"] == opened["id"]
    (told,) = listed(root)
    assert told["files"] == [str(conf), str(tmp_path / "x"), str(tmp_path / "x" / "y")]


@pytest.mark.parametrize("state", ["open", "saved"])
def test_what_cannot_be_saved_leaves_nothing_behind(root, conf, state):
    os.link(conf, f"{conf}.2")
    with pytest.raises(_checkpoint.CheckpointError, match="hard links"):
        run(root, state=state, paths=[str(conf)])
    assert listed(root) == []


@pytest.mark.parametrize("state", ["open", "saved", "confirmed"])
def test_check_mode_does_nothing(root, conf, state):
    assert run(root, check=True, state=state, checkpoint="20200101T000000-0000", paths=[str(conf)])["id"] == "20200101T000000-0000"
    assert not os.path.exists(root)


def test_what_somebody_else_changed_is_told(root, conf):
    opened = run(root, state="open", paths=[str(conf)])
    conf.write_bytes(b"new")
    run(root, state="confirmed", checkpoint=opened["id"])
    conf.write_bytes(b"of somebody else")
    done = run(root, state="rolled_back")
    assert done["conflicts"] == [f"{conf}: somebody else has changed it since (content)"]
    (told,) = listed(root)
    assert told["state"] == "unverified" and told["left"] == done["conflicts"]
    assert run(root, state="rolled_back", force=True)["restored"] == [f"{conf} (content)"]


def test_a_checkpoint_that_was_left_open_is_told(root, conf, monkeypatch):
    left = run(root, state="open", paths=[str(conf)])
    conf.write_bytes(b"new")
    monkeypatch.setattr(_checkpoint, "overdue", lambda point: True)
    opened = run(root, state="open")
    assert (opened["recovered"], opened["changed"], opened["restored"]) == (left["id"], True, [f"{conf} (content)"])


def test_info_without_root_says_so(monkeypatch, root):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    answer = checkpoint_info.evidence.ask("", checkpoint_info.checkpoints, root)
    assert (answer["status"], answer["value"]) == ("denied", None)


def test_info_on_a_host_without_any(root):
    assert listed(root) == []
