# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits and open descriptors, read from a /proc in a folder and from that of this process."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import limits

LINES = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            {0}                 {1}               files\n"


def add(root, pid, soft="1024", hard="524288", sockets=2, files=3):
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "limits").write_text(LINES.format(soft, hard))
    for number in range(sockets):
        os.symlink(f"socket:[{number}]", folder / "fd" / str(number))
    for number in range(files):
        os.symlink("/var/log/nginx/access.log", folder / "fd" / str(100 + number))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "proc/sys/fs").mkdir(parents=True)
    (tmp_path / "proc/sys/fs/file-nr").write_text("1984\t16\t9223372036854775807\n")
    return tmp_path


def ask(root, master=1, workers=(2,)):
    instance = {"id": "x", "master": {"pid": master} if master else None, "workers": [{"pid": pid} for pid in workers]}
    return evidence.ask(limits.ASKED, limits.collect, _host.Host(str(root)), {"instances": [instance]})


def test_descriptors_sockets_and_limits(root):
    add(root, 1, sockets=1, files=0)
    add(root, 2, soft="40", hard="unlimited")
    value = ask(root)["value"]
    assert value["open_files"] == {"used": 1968, "max": 9223372036854775807}
    assert value["processes"] == {
        "1": {"descriptors": 1, "sockets": None, "soft": 1024, "hard": 524288, "raises": None},
        "2": {"descriptors": 5, "sockets": 2, "soft": 40, "hard": None, "raises": None},
    }


@pytest.mark.parametrize(
    ("able", "ids", "raises"),
    [
        ("000001ffffffffff", "         0          0 4294967295\n", True),
        ("000001fffeffffff", "         0          0 4294967295\n", False),
        ("0000000000000000", "         0          0 4294967295\n", False),
        # In a user namespace of its own a capability does not count for limits.
        ("000001ffffffffff", "         0       1000          1\n", False),
    ],
)
def test_whether_the_master_may_go_above_its_hard_limit(root, able, ids, raises):
    add(root, 1)
    (root / "proc/1/status").write_text(f"Name:\tnginx\nCapPrm:\t0\nCapEff:\t{able}\n")
    (root / "proc/1/uid_map").write_text(ids)
    (root / "proc/sys/fs/nr_open").write_text("1048576\n")
    value = ask(root, 1, ())["value"]
    assert (value["processes"]["1"]["raises"], value["nr_open"]) == (raises, 1048576)


def test_the_fullest_are_looked_at_first(root, monkeypatch):
    monkeypatch.setattr(limits, "MAX_LINKS", 6)
    add(root, 2)
    add(root, 3, sockets=4, files=2)
    value = ask(root, None, (2, 3))["value"]["processes"]
    assert [value["2"]["sockets"], value["3"]["sockets"]] == [None, 4]


def test_a_worker_that_ended_is_left_out(root):
    add(root, 2)
    answer = ask(root, None, (2, 3))
    assert (list(answer["value"]["processes"]), answer["hidden"]) == (["2"], [])


def test_what_may_not_be_read_is_said(root, monkeypatch):
    add(root, 2)
    names = _host.Host.names

    def denied(self, path):
        if path.endswith("/fd"):
            raise evidence.Unanswered(evidence.DENIED, "no")
        return names(self, path)

    monkeypatch.setattr(_host.Host, "names", denied)
    answer = ask(root, None)
    assert answer["value"]["processes"]["2"]["descriptors"] is None
    assert answer["hidden"] == ["the open descriptors of process 2 may not be read"]


def test_many_processes_are_cut_and_it_is_said(root, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PROCESSES", 1)
    add(root, 2)
    add(root, 3)
    answer = ask(root, None, (2, 3))
    assert (answer["truncated"], list(answer["value"]["processes"])) == (True, ["2"])


def test_a_file_without_the_line_is_no_answer():
    with pytest.raises(evidence.Unanswered):
        limits.parse_limits("Max cpu time unlimited unlimited seconds\n")


def test_no_table_of_open_files_is_said(tmp_path):
    add(tmp_path, 2)
    answer = ask(tmp_path, None)
    assert answer["value"]["open_files"] is None and len(answer["hidden"]) == 1


def test_this_very_process():
    value = limits.collect(_host.Host(), {"instances": [{"id": "x", "master": None, "workers": [{"pid": os.getpid()}]}]}).value
    found = value["processes"][str(os.getpid())]
    assert found["descriptors"] > 2 and found["sockets"] is not None
