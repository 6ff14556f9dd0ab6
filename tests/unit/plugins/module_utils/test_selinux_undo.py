# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing settings of SELinux: the very records of before, conflicts with others, kills in the middle, and what is said where it cannot be."""

import os
import subprocess
import sys

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _restore
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local
from ansible_collections.webops.bad_gateway.plugins.modules import checkpoint, checkpoint_info
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils import fake_semanage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")

RELAY = "httpd_can_network_relay"
HTTP, CACHE = "system_u:object_r:http_port_t:s0", "system_u:object_r:http_cache_port_t:s0"
WORDS = {
    "relay": "SELinux boolean httpd_can_network_relay", "port": "SELinux type of port tcp 9998", "label": "SELinux label of /srv/shop(/.*)?",
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Undo only when the test says so."""
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))


@pytest.fixture
def kernel(tmp_path):
    return tmp_path / "selinux"


@pytest.fixture
def store(monkeypatch, kernel):
    """A host on which an administrator has labelled a port."""
    made = fake_semanage.selinux(monkeypatch, local, kernel, **{RELAY: False})
    made.records = dict(before())
    return made


@pytest.fixture
def root(tmp_path):
    return str(tmp_path / "state")


def before():
    return {("port", 9998, 9998, 1): CACHE}


def after():
    return {("port", 9998, 9998, 1): HTTP, ("bool", RELAY): 1, ("fcontext", "/srv/shop(/.*)?", 0): "a:b:c:s0"}


def change(store, kernel):
    """Do what the roles do, by hand."""
    (kernel / "booleans" / RELAY).write_text("1 1")
    store.records = dict(after())


def run(root, check=False, **given):
    """Run the module with the options that a task gives."""
    valid = ArgumentSpecValidator(checkpoint.OPTIONS).validate(given)
    assert not valid.error_messages
    return checkpoint.run(valid.validated_parameters, check, root)


def saved(root, **more):
    """Save all three."""
    wanted = {"booleans": [RELAY], "ports": [{"port": 9998}], "fcontexts": [{"pattern": "/srv/shop(/.*)?"}]}
    return run(root, **dict(wanted, state="saved", **more))["id"]


RESTORED = [
    WORDS["relay"] + " (off, no local record)", WORDS["label"] + " (no local record)", WORDS["port"] + " (local record {0})".format(CACHE),
]


def test_all_is_as_it_was_after_undoing(store, kernel, root):
    name = saved(root)
    change(store, kernel)
    assert run(root, state="confirmed", checkpoint=name)["kept"]
    would = run(root, check=True, state="rolled_back")
    assert sorted(would["restored"]) == sorted(
        [WORDS["relay"] + " (was off, no local record)", WORDS["label"] + " (was no local record)", WORDS["port"] + " (was local record {0})".format(CACHE)]
    )
    assert store.records == after() and store.commits == 0
    done = run(root, state="rolled_back")
    assert (done["restored"], done["conflicts"], done["unverified"]) == (RESTORED, [], [])
    assert (store.records, local.in_force(RELAY), store.commits) == (before(), False, 1)
    assert run(root, state="rolled_back")["id"] == ""


def test_the_list_names_them(store, kernel, root):
    saved(root)
    change(store, kernel)
    told = checkpoint_info.checkpoints(root)[0]
    assert sorted(told["settings"]) == sorted(WORDS.values())
    assert "would put back" in told["says"] and WORDS["relay"] in told["says"]


def test_what_changed_nothing_is_not_kept(store, root):
    name = run(root, state="open", booleans=[RELAY])["id"]
    assert run(root, state="confirmed", checkpoint=name)["kept"] is False


def test_what_somebody_else_changed_since_is_left(store, kernel, root):
    name = saved(root)
    change(store, kernel)
    run(root, state="confirmed", checkpoint=name)
    theirs = "system_u:object_r:mysqld_port_t:s0"
    store.records[("port", 9998, 9998, 1)] = theirs
    done = run(root, state="rolled_back")
    assert done["restored"] == RESTORED[:2]
    assert done["conflicts"] == [WORDS["port"] + ": somebody else has changed it since (local record {0})".format(theirs)]
    assert store.records == {("port", 9998, 9998, 1): theirs}
    done = run(root, state="rolled_back", force=True, checkpoint=name)
    assert (done["restored"], store.records) == (RESTORED[2:], before())


def test_a_run_that_was_killed_in_the_middle_is_undone(store, kernel, root):
    name = run(root, state="open", booleans=[RELAY], ports=[{"port": 9998}])["id"]
    # In force, and not yet recorded.
    (kernel / "booleans" / RELAY).write_text("1 1")
    done = run(root, state="rolled_back", checkpoint=name)
    assert done["restored"] == RESTORED[:1]
    assert (store.records, local.in_force(RELAY), store.commits) == (before(), False, 0)


def test_undoing_that_was_killed_in_the_middle_is_ended(store, kernel, root, monkeypatch):
    name = saved(root)
    change(store, kernel)
    run(root, state="confirmed", checkpoint=name)

    def killed(_values):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(local, "_set_in_force", killed)
        with pytest.raises(KeyboardInterrupt):
            run(root, state="rolled_back")
    assert store.records == before() and local.in_force(RELAY)
    # Neither what was nor what the change left, and ours all the same.
    done = run(root, state="rolled_back")
    assert (done["restored"], done["conflicts"], local.in_force(RELAY)) == (RESTORED[:1], [], False)


@pytest.mark.parametrize("lost", ["module", "commit"])
def test_what_cannot_be_put_back_is_named(store, kernel, root, monkeypatch, lost):
    name = saved(root)
    change(store, kernel)
    run(root, state="confirmed", checkpoint=name)
    if lost == "module":
        monkeypatch.setitem(sys.modules, "semanage", None)
    else:
        store.refuses = {"semanage_commit"}
    done = run(root, state="rolled_back", checkpoint=name)
    assert len(done["unverified"]) == 3 and done["restored"] == []
    for word in WORDS.values():
        assert any(line.startswith(word + ": it was ") for line in done["unverified"])
    assert checkpoint_info.checkpoints(root)[0]["state"] == "unverified"


@pytest.mark.parametrize("given", [{"booleans": ["gone"]}, {"ports": [{"port": 70000}]}])
def test_nothing_is_changed_where_it_could_not_be_undone(store, root, given):
    with pytest.raises(_checkpoint.CheckpointError, match="so a change could not be undone"):
        run(root, state="saved", **given)
    assert _checkpoint.listed(root) == []


def test_a_host_without_the_python_module_is_refused(store, root, monkeypatch):
    monkeypatch.setitem(sys.modules, "semanage", None)
    with pytest.raises(_checkpoint.CheckpointError, match="semanage is not there"):
        saved(root)
    with pytest.raises(_checkpoint.CheckpointError, match="semanage is not there"):
        run(root, state="open", booleans=[RELAY])
    assert _checkpoint.listed(root) == []


def test_the_oldest_state_is_put_back(store, kernel, root):
    name = run(root, state="open", booleans=[RELAY])["id"]
    change(store, kernel)
    saved(root, checkpoint=name)
    store.records[("port", 9998, 9998, 1)] = CACHE
    run(root, state="rolled_back", checkpoint=name)
    assert ("bool", RELAY) not in store.records and not local.in_force(RELAY)


def test_the_copy_that_undoes_alone_has_what_it_needs(store, kernel, root):
    folder = run(root, state="open", booleans=[RELAY])["folder"]
    change(store, kernel)
    code = [sys.executable, "-I", "-B", os.path.join(folder, "restore.pyz"), folder]
    ended = subprocess.run(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    # The real kernel here knows nothing of the fake one: it says so, of each setting, and does not break.
    assert ended.returncode == 1 and WORDS["relay"] in ended.stderr.decode()
    assert _restore.read(folder).state == _restore.UNVERIFIED
