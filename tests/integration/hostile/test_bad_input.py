# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong settings and inventories: one sentence, said once, an exit status that is not 0, and no host is touched."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.release import __version__
from running import Run, play

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _settings

# Our checks of values do not depend on the series of ansible-core: all are tried with the newest, some of each kind with the others.
NEWEST = __version__.startswith("2.19.")


class Trap:
    """A port of this machine that stands in for every host of an inventory, and knows whether anyone came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]

    def visits(self) -> int:
        """Return how many connections were made."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


@pytest.fixture()
def trap() -> Iterator[Trap]:
    """Return a trap in which nobody was when the test ends."""
    trap = Trap()
    yield trap
    visits = trap.visits()
    trap.close()
    assert visits == 0


@pytest.fixture()
def hosts(tmp_path: Path, trap: Trap) -> Path:
    """Return an inventory of three hosts behind the trap; web3 is in a group of its own."""
    file = tmp_path / "inventory" / "hosts.json"
    file.parent.mkdir()
    reach = {"ansible_host": "127.0.0.1", "ansible_port": trap.port, "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}
    file.write_text(json.dumps({"all": {"hosts": {"web1": reach, "web2": reach}, "children": {"other": {"hosts": {"web3": reach}}}}}), encoding="utf-8")
    return file


def assert_refused(run: Run, *words: str) -> None:
    """Fail unless the run ended with an error and said the words, not once for each host.

    ansible-core 2.19 shows the error of a task twice by itself: as an error and as the result of the task.
    """
    assert run.code not in (0, 4), run.said
    for word in words:
        assert word in run.said, run.said
    assert run.said.count("fatal: [") <= 1, run.said
    assert all(line.count(words[0]) <= 1 for line in run.said.splitlines()), run.said
    assert run.said.count(words[0]) <= 2, run.said
    assert "Traceback" not in run.said
    assert not (run.folder / "report.json").is_file()


VALUES = [
    ("bad_gateway_since", "yesterday", "'yesterday'"),
    ("bad_gateway_since", "99999999999d", "99999999999d"),
    ("bad_gateway_since", ["1h"], "1h"),
    ("bad_gateway_fail_on", "always", "always"),
    ("bad_gateway_probe", "perhaps", "perhaps"),
    ("bad_gateway_probe_method", "POST", "POST"),
    ("bad_gateway_probe_path", "/a\r\nX-Injected: 1", "X-Injected"),
    ("bad_gateway_probe_timeout", "long", "long"),
    ("bad_gateway_probe_timeout", 0, "0"),
    ("bad_gateway_probe_timeout", "nan", "nan"),
    ("bad_gateway_only", "backend-not-runing", "backend-not-running"),
    ("bad_gateway_only", ["backend-not-running", "{{ 7*7 }}"], ""),
    ("bad_gateway_skip", {"a": 1}, ""),
    ("bad_gateway_report_dir", "", ""),
    ("bad_gateway_report_dir", "/dev/null/report", "/dev/null/report"),
]


@pytest.mark.parametrize(("name", "value", "says"), VALUES if NEWEST else VALUES[::4])
def test_a_wrong_value(hosts: Path, tmp_path: Path, name: str, value: object, says: str) -> None:
    """The sentence names the variable and what was set."""
    refused = play(tmp_path / "report", hosts, "-e", json.dumps({name: value}))
    assert_refused(refused, name, says)


@pytest.mark.parametrize("pattern", ["no_such_group", "", ["no_such_host"], "all:!all"])
def test_a_pattern_that_matches_nothing(hosts: Path, tmp_path: Path, pattern: object) -> None:
    """Nothing to diagnose is an error, not a success."""
    refused = play(tmp_path / "report", hosts, "-e", json.dumps({"bad_gateway_hosts": pattern}))
    assert_refused(refused, "bad_gateway_hosts matches no host")


@pytest.mark.parametrize("where", ["extra", "group", "host"])
def test_a_misspelt_variable(hosts: Path, tmp_path: Path, where: str) -> None:
    """It is found wherever it was set, for whichever host, and the right name is offered."""
    words = []
    if where == "extra":
        words = ["-e", "bad_gateway_sinse=2h"]
    else:
        folder = hosts.parent / f"{where}_vars"
        folder.mkdir()
        (folder / ("other.yml" if where == "group" else "web2.yml")).write_text("bad_gateway_sinse: 2h\n", encoding="utf-8")
    refused = play(tmp_path / "report", hosts, *words)
    assert_refused(refused, "bad_gateway_sinse is not a variable", "Did you mean bad_gateway_since?")


def test_a_report_folder_in_place_of_a_file(hosts: Path, tmp_path: Path) -> None:
    """A file is never replaced by the report folder."""
    file = tmp_path / "report"
    file.write_text("mine", encoding="utf-8")
    refused = play(file, hosts)
    assert_refused(refused, "bad_gateway_report_dir is", str(file))
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("content", [None, "", "all:\n  hosts: {}\n", "all:\n\t- [\n", "[web\nhost1\n"])
def test_no_host(tmp_path: Path, content: str | None) -> None:
    """An inventory that names no host is an error, not a success with nothing to say."""
    file = tmp_path / "inventory.yml"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    refused = play(tmp_path / "report", file)
    assert_refused(refused, "names no host")


def test_a_report_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder of somebody else is refused; only root writes anywhere, so root becomes nobody for a moment."""
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(_settings.BadSetting, match="Permission denied"):
            _settings.report_folder(str(tmp_path / "report"))
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)


def test_no_inventory(tmp_path: Path) -> None:
    """The same where no inventory is given at all."""
    assert_refused(play(tmp_path / "report", os.devnull), "names no host")


def test_a_limit_that_matches_nothing(hosts: Path, tmp_path: Path) -> None:
    """Ansible's own error stands."""
    assert_refused(play(tmp_path / "report", hosts, "--limit", "no_such_host"), "no hosts to target")
