# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drop-in sets an option in the command of a unit."""

from pathlib import Path

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.modules import unit_command

FRAGMENT = "/etc/systemd/system/billing.service"
OURS = f"{FRAGMENT}.d/zz-bad-gateway.conf"
NAMES = ["--timeout", "-t"]


def put(root, path, content):
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def change(root: Path, files: list, value: str = "58"):
    return unit_command.change(_host.Host(str(root)), "billing.service", files, "gunicorn", NAMES, value)


def test_the_first_time(tmp_path):
    put(tmp_path, FRAGMENT, "[Service]\nExecStart=/usr/bin/gunicorn app\n")
    before, after, path = change(tmp_path, [FRAGMENT])
    assert (before, path) == ("", OURS)
    assert after.endswith("[Service]\nExecStart=\nExecStart=/usr/bin/gunicorn app --timeout 58\n")


def test_the_second_time_nothing_is_to_be_done_even_before_systemd_has_read_it(tmp_path):
    put(tmp_path, FRAGMENT, "[Service]\nExecStart=/usr/bin/gunicorn app\n")
    put(tmp_path, OURS, change(tmp_path, [FRAGMENT])[1])
    assert change(tmp_path, [FRAGMENT])[1] is None
    assert change(tmp_path, [FRAGMENT, OURS])[1] is None
    before, after, _path = change(tmp_path, [FRAGMENT, OURS], "90")
    assert after == before.replace("58", "90")


def test_a_drop_in_of_somebody_else_is_the_base(tmp_path):
    put(tmp_path, FRAGMENT, "[Service]\nExecStart=/usr/bin/gunicorn app\n")
    put(tmp_path, f"{FRAGMENT}.d/mine.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/gunicorn -w 4 app\n")
    assert "-w 4 app --timeout 58" in change(tmp_path, [FRAGMENT, f"{FRAGMENT}.d/mine.conf"])[1]


def test_a_drop_in_that_is_read_later_is_a_refusal(tmp_path):
    put(tmp_path, FRAGMENT, "[Service]\nExecStart=/usr/bin/gunicorn app\n")
    put(tmp_path, f"{FRAGMENT}.d/zzz.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/gunicorn -w 4 app\n")
    with pytest.raises(unit_command.Refused, match="read later"):
        change(tmp_path, [FRAGMENT, f"{FRAGMENT}.d/zzz.conf"])


@pytest.mark.parametrize("content", ["[Service]\n", "[Service]\nExecStart=/usr/bin/gunicorn a\nExecStart=/usr/bin/gunicorn b\n"])
def test_a_unit_without_one_command_is_a_refusal(tmp_path, content):
    put(tmp_path, FRAGMENT, content)
    with pytest.raises(unit_command.Refused, match="commands"):
        change(tmp_path, [FRAGMENT])


def test_bytes_that_would_not_come_back_are_a_refusal(tmp_path):
    put(tmp_path, FRAGMENT, b"[Service]\nExecStart=/usr/bin/gunicorn caf\xe9\n")
    with pytest.raises(unit_command.Refused, match="UTF-8"):
        change(tmp_path, [FRAGMENT])


def test_the_diff_shows_no_secret(tmp_path):
    put(tmp_path, FRAGMENT, "[Service]\nExecStart=/usr/bin/gunicorn --env API_TOKEN=hunter2 --password hunter3 app\n")
    before, after, path = change(tmp_path, [FRAGMENT])
    diff = unit_command.shown(path, before, after)
    assert "hunter2" in after and "hunter3" in after
    assert "hunter" not in str(diff)
    assert "--timeout 58" in diff["after"]
