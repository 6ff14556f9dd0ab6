# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local settings of SELinux: what they are, and that each is put back to the very record, or none, that there was."""

import sys

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils import fake_semanage

RELAY = ("boolean", "httpd_can_network_relay")
PORT = ("port", "tcp", 5000, 5000)
RANGE = ("port", "udp", 3000, 3001)
LABEL = ("fcontext", "/srv/shop(/.*)?", "a")
HTTP, CACHE = "system_u:object_r:http_port_t:s0", "system_u:object_r:http_cache_port_t:s0"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "selinux"


@pytest.fixture
def store(monkeypatch, folder):
    return fake_semanage.selinux(monkeypatch, local, folder, httpd_can_network_relay=False)


def test_what_has_no_record_says_so(store):
    assert local.states([RELAY, PORT, RANGE, LABEL]) == {
        RELAY: {"local": None, "value": False}, PORT: {"local": None}, RANGE: {"local": None}, LABEL: {"local": None},
    }
    assert store.open == 0 and store.commits == 0


def test_records_are_told(store, folder):
    store.records = {
        ("bool", RELAY[1]): 1, ("port", 5000, 5000, store.SEMANAGE_PROTO_TCP): HTTP, ("fcontext", LABEL[1], store.SEMANAGE_FCONTEXT_ALL): None,
    }
    (folder / "booleans" / RELAY[1]).write_text("1 1")
    assert local.states([RELAY, PORT, LABEL]) == {RELAY: {"local": True, "value": True}, PORT: {"local": HTTP}, LABEL: {"local": "<<none>>"}}


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({RELAY: {"local": None, "value": False}, PORT: {"local": None}, LABEL: {"local": None}}, {}),
        ({PORT: {"local": CACHE}}, {"bool": 1, "port": CACHE, "fcontext": "x:y:z:s0"}),
        ({RELAY: {"local": False, "value": False}}, {"bool": 0, "port": HTTP, "fcontext": "x:y:z:s0"}),
        ({LABEL: {"local": "<<none>>"}}, {"bool": 1, "port": HTTP, "fcontext": None}),
        ({LABEL: {"local": "a:b:c:s0"}}, {"bool": 1, "port": HTTP, "fcontext": "a:b:c:s0"}),
    ],
)
def test_each_gets_its_record_back_in_one_change(store, folder, wanted, there):
    keys = {"bool": ("bool", RELAY[1]), "port": ("port", 5000, 5000, store.SEMANAGE_PROTO_TCP), "fcontext": ("fcontext", LABEL[1], 0)}
    store.records = {keys["bool"]: 1, keys["port"]: HTTP, keys["fcontext"]: "x:y:z:s0"}
    (folder / "booleans" / RELAY[1]).write_text("1 1")
    local.put_back(wanted)
    assert store.records == {keys[kind]: value for kind, value in there.items()}
    assert (store.commits, store.open) == (1, 0)
    assert local.in_force(RELAY[1]) is (RELAY not in wanted)
    assert (folder / "commit_pending_bools").read_text() == ("1" if RELAY in wanted else "")
    local.put_back(wanted)
    assert store.commits == 1


def test_a_value_in_force_alone_makes_no_policy_anew(store, folder):
    (folder / "booleans" / RELAY[1]).write_text("1 1")
    local.put_back({RELAY: {"local": None, "value": False}})
    assert store.commits == 0 and not local.in_force(RELAY[1])


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (("boolean", "gone"), "no boolean gone"), (("boolean", "../enforce"), "no name of a boolean"), (("port", "tcp", 70000, 70000), "is no port"),
        (("port", "icmp", 1, 1), "is no port"),
    ],
)
def test_what_is_none_is_refused(store, key, why):
    with pytest.raises(local.LocalError, match=why):
        local.states([key])
    assert store.open == 0


def test_a_store_that_does_not_answer_is_an_error(store):
    store.refuses = {"semanage_port_query_local"}
    store.records = {("port", 5000, 5000, store.SEMANAGE_PROTO_TCP): HTTP}
    with pytest.raises(local.LocalError, match="semanage_port_query_local failed"):
        local.states([PORT])
    store.refuses = {"semanage_connect"}
    with pytest.raises(local.LocalError, match="cannot be opened"):
        local.states([PORT])
    store.managed = 0
    with pytest.raises(local.LocalError, match="not there, or only root"):
        local.states([PORT])
    assert store.open == 0


@pytest.mark.parametrize("function", ["semanage_begin_transaction", "semanage_port_del_local", "semanage_commit"])
def test_a_change_that_is_refused_changes_nothing(store, function):
    records = {("port", 5000, 5000, store.SEMANAGE_PROTO_TCP): HTTP}
    store.records, store.refuses = dict(records), {function}
    with pytest.raises(local.LocalError):
        local.put_back({PORT: {"local": None}})
    assert (store.records, store.open) == (records, 0)


def test_without_the_python_module_nothing_is_known(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "semanage", None)
    with pytest.raises(local.LocalError, match="semanage is not there"):
        local.states([PORT])


def test_words():
    assert [local.told(key) for key in (RELAY, PORT, RANGE, LABEL, LABEL[:2] + ("s",))] == [
        "SELinux boolean httpd_can_network_relay", "SELinux type of port tcp 5000", "SELinux type of port udp 3000-3001",
        "SELinux label of /srv/shop(/.*)?", "SELinux label of /srv/shop(/.*)? (sock)",
    ]
    assert [local.described(state) for state in ({"local": None, "value": True}, {"local": False, "value": False}, {"local": None}, {"local": HTTP})] == [
        "on, no local record", "off, local record off", "no local record", f"local record {HTTP}",
    ]
