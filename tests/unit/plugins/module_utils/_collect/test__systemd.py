# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units: what systemctl and journalctl 252 (Debian 12) said of running, failed, looping and stopped units."""

from pathlib import Path

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _systemd
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered

RECORDINGS = Path(__file__).parent / "recordings"
SHOW = (RECORDINGS / "systemctl-show-252-debian12-root.txt").read_bytes()
JOURNAL = (RECORDINGS / "journalctl-252-debian12-root.json").read_bytes()
# What list-units 252 says of units that are no backend, one of them failed.
PLUMBING = """auditd.service loaded active running Security Auditing Service
display-manager.service not-found inactive dead display-manager.service
\u25cf logrotate.service loaded failed failed Rotate log files
"""
# Of the host that was recorded: its clock when it booted is not recorded, so 1000.0 stands for it.
BOOTED = 1000.0


def listed_as(show):
    """Return what list-units says of the loaded units in what `show` says."""
    keys = ("Id", "LoadState", "ActiveState", "SubState")
    records = [[record.get(key, "") for key in keys] for record in _systemd.parse_show(show.decode()).values()]
    return "".join(" ".join(record + ["Some words"]) + "\n" for record in records if record[1] == "loaded" and record[2:] != ["inactive", "dead"])


class FakeHost(_host.Host):
    """A host whose systemctl and journalctl answer from recordings."""

    def __init__(self, root, show=SHOW, journal=JOURNAL, journal_rc=0, err=b"", listed=None):
        super().__init__(root)
        self.listed = (PLUMBING + listed_as(show)).encode() if listed is None else listed
        self.show, self.journal, self.journal_rc, self.err = show, journal, journal_rc, err
        self.asked = []

    def run(self, argv, timeout=10, limit=1 << 20):
        self.asked.append(list(argv))
        if argv[:2] == ["systemctl", "list-units"]:
            return _host.Output(0 if self.listed else 1, self.listed, self.err)
        if argv[0] == "systemctl":
            return _host.Output(0 if self.show else 1, self.show, self.err)
        return _host.Output(self.journal_rc, self.journal, self.err)

    def now(self):
        return BOOTED + 5000.0


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    own = tmp_path / "etc/systemd/system"
    (own / "multi-user.target.wants").mkdir(parents=True)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    packaged = tmp_path / "usr/lib/systemd/system"
    packaged.mkdir(parents=True)
    for name in ("shop", "loop", "bad", "api", "w@", "act", "limit", "job", "gunicorn"):
        (own / f"{name}.service").write_text("")
    (own / "act.socket").write_text("")
    (own / "-oops.service").write_text("")
    (own / "multi-user.target.wants/w@8307.service").write_text("")
    for name in ("php8.2-fpm", "cron", "redis-server", "obscure"):
        (packaged / f"{name}.service").write_text("")
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/api.js").write_text("const p = 1; app.listen(8305)\n")
    (tmp_path / "etc/default").mkdir()
    (tmp_path / "etc/default/api").write_text("# PORT=1\nPORT=8304\nDB_PASSWORD=hunter2\n")
    return tmp_path


def units(root, **kwargs):
    host = FakeHost(str(root), **kwargs)
    answer = _systemd.units(host, text.Redactor("key"), clock=lambda: 5000.0)
    return {unit["name"]: unit for unit in answer.value}, answer, host


def test_the_units_that_matter_are_shown_and_the_plumbing_is_not(root):
    found, answer, _host_ = units(root)
    assert sorted(found) == [
        "act.service", "act.socket", "api.service", "bad.service", "gunicorn.service", "job.service", "limit.service", "loop.service",
        "php8.2-fpm.service", "shop.service", "w@8307.service",
    ]
    assert answer.hidden == () and not answer.truncated


def test_only_units_that_may_be_told_are_shown_loaded_or_not(root):
    _found, _answer, host = units(root)
    listed, shown = [argv for argv in host.asked if argv[0] == "systemctl"]
    assert listed[1] == "list-units" and "--all" in listed and len(host.asked) == 3
    names = shown[shown.index("--") + 1:]
    assert {"shop.service", "logrotate.service", "api.service", "w@8307.service", "php8.2-fpm.service", "redis-server.service"} <= set(names)
    assert not {"w@.service", "cron.service", "obscure.service", "display-manager.service"} & set(names) and len(names) == len(set(names))


def test_where_nothing_may_be_told_systemd_itself_is_not_shown(tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    found, answer, host = units(tmp_path, listed=PLUMBING.splitlines()[0].encode(), show=b"Id=auditd.service\nLoadState=loaded\nActiveState=active\n")
    assert found == {} and not answer.truncated
    assert host.asked[1][-2:] == ["--", "auditd.service"]


def test_a_running_unit(root):
    shop = units(root)[0]["shop.service"]
    assert [shop[key] for key in ("active", "sub", "result", "type", "user", "private_tmp")] == ["active", "running", "success", "simple", "www-data", True]
    assert shop["command"] == ["/usr/bin/python3", "-m", "http.server", "8301", "--bind", "127.0.0.1"] and shop["main_pid"] == 73
    assert shop["started"] > BOOTED and shop["exited"] is None
    assert shop["claims"] == [{"endpoint": "127.0.0.1:8301", "from": "ExecStart"}] and shop["journal"] == []
    assert shop["description"].startswith("The shop token=redacted:")


def test_a_unit_in_a_crash_loop(root):
    loop = units(root)[0]["loop.service"]
    assert [loop[key] for key in ("active", "sub", "result", "code", "status", "restart")] == ["activating", "auto-restart", "exit-code", "exited", 3, "always"]
    assert loop["restarts"] >= 1 and loop["exited"] >= loop["started"] > BOOTED and loop["main_pid"] is None
    assert loop["claims"] == [{"endpoint": "*:8302", "from": "Environment"}]
    assert len([line for line in loop["journal"] if line.startswith("password=redacted:")]) == 2
    assert len(loop["journal"]) == 2 + _systemd.JOURNAL_OF_MANAGER
    assert "hunter2" not in str(loop) and "zzz" not in str(loop)


def test_units_that_failed_at_once_or_too_often(root):
    found = units(root)[0]
    bad = found["bad.service"]
    assert (bad["active"], bad["status"], bad["claims"]) == ("failed", 203, [{"endpoint": "*:8303", "from": "ExecStart"}])
    assert (found["limit.service"]["active"], found["limit.service"]["restarts"] > 1) == ("failed", True)
    instance = found["w@8307.service"]
    assert (instance["active"], instance["enabled"], instance["claims"][0]["endpoint"]) == ("failed", "enabled", "127.0.0.1:8307")


def test_a_stopped_and_disabled_unit_claims_from_its_environment_file_and_its_script(root):
    api = units(root)[0]["api.service"]
    assert (api["active"], api["enabled"], api["started"], api["exited"]) == ("inactive", "disabled", None, None)
    assert api["claims"] == [
        {"endpoint": "*:8304", "from": "/etc/default/api"}, {"endpoint": "*:8304", "from": "ExecStart"}, {"endpoint": "*:8305", "from": "/srv/api.js:1"},
    ]
    assert "hunter2" not in str(api)


def test_a_socket_unit_claims_for_itself_and_for_its_service(root):
    found = units(root)[0]
    assert [claim["endpoint"] for claim in found["act.socket"]["claims"]] == ["unix:/run/act.sock", "127.0.0.1:8306"]
    assert [claim["from"] for claim in found["act.service"]["claims"]] == ["act.socket ListenStream"] * 2


def test_a_masked_unit(root):
    assert (units(root)[0]["gunicorn.service"]["load"], units(root)[0]["gunicorn.service"]["active"]) == ("masked", "inactive")


def test_a_journal_that_may_not_be_read_hides_no_unit(root):
    found, answer, _host_ = units(root, journal=b"", journal_rc=1, err=b"No journal files were opened due to insufficient permissions.\n")
    assert found["loop.service"]["journal"] == []
    assert answer.hidden == ("journal: journalctl: No journal files were opened due to insufficient permissions.",)


def test_a_system_manager_that_does_not_answer_is_no_empty_list(root):
    with pytest.raises(Unanswered) as caught:
        units(root, listed=b"", err=b"Failed to connect to bus: No such file or directory\n")
    assert caught.value.status == "error" and "Failed to connect to bus" in caught.value.why
    with pytest.raises(Unanswered) as caught:
        units(root, show=b"", err=b"Failed to connect to bus: No such file or directory\n")
    assert caught.value.status == "error" and "Failed to connect to bus" in caught.value.why


def test_without_systemd_the_answer_is_absent(tmp_path):
    with pytest.raises(Unanswered) as caught:
        units(tmp_path)
    assert caught.value.status == "absent"


def test_values_with_newlines_stay_in_their_value():
    start = "ExecStart={ path=/bin/sh ; argv[]=/bin/sh -c one\ntwo ; ignore_errors=no ; }\n"
    records = _systemd.parse_show("Id=a.service\n" + start + "Listen=/a (Stream)\nListen=/b (Stream)\n\n\nId=b.service\n")
    assert records["a.service"]["ExecStart"].split("\n")[1] == "two ; ignore_errors=no ; }"
    assert records["a.service"]["Listen"] == "/a (Stream)\n/b (Stream)" and "b.service" in records


def test_a_journal_that_is_hostile_or_broken_does_no_harm(root):
    journal = b'[1]\nnot json\n{"UNIT": ["x"], "_SYSTEMD_UNIT": {"a": 1}}\n'
    journal += b'{"_SYSTEMD_UNIT": "bad.service", "MESSAGE": [27, 91, 50, 74, 999, "x", 255]}\n{"UNIT": "bad.service", "MESSAGE": null}\n'
    assert units(root, journal=journal)[0]["bad.service"]["journal"] == ["\\x1b[2J\\xff", ""]


def test_debian_uwsgi_applications_listen_at_a_place_of_their_own(root):
    (root / "etc/uwsgi/apps-enabled").mkdir(parents=True)
    (root / "etc/uwsgi/apps-enabled/blog.ini").write_text("[uwsgi]\nsocket = 127.0.0.1:3031\n")
    show = b"Id=uwsgi.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\n"
    show += b"ExecStart={ path=/etc/init.d/uwsgi ; argv[]=/etc/init.d/uwsgi start ; ignore_errors=no ; }\n"
    assert units(root, show=show)[0]["uwsgi.service"]["claims"] == [
        {"endpoint": "unix:/run/uwsgi/app/blog/socket", "from": "/etc/uwsgi/apps-enabled/blog.ini"},
        {"endpoint": "127.0.0.1:3031", "from": "/etc/uwsgi/apps-enabled/blog.ini:2"},
    ]


@pytest.mark.parametrize(
    ("started", "left", "ended", "asked"),
    [
        ("3919100543", "3920708464", "3920712466", True),  # systemctl stop: the stop job begins, then the process ends
        ("3919100543", "3920712470", "3920712466", False),  # the process ended by itself
        ("7109828547", "7109808759", "7109911123", False),  # systemctl restart: the earlier life was stopped, this one failed
        ("3919100543", "0", "3920712466", False),  # it never became active
        ("3919100543", "3920708464", "0", False),  # it has not ended
        (None, None, None, False),
    ],
)
def test_a_stop_that_was_asked_for_is_told_from_an_end(started, left, ended, asked):
    record = {
        "ExecMainStartTimestampMonotonic": started,
        "ActiveExitTimestampMonotonic": left,
        "ExecMainExitTimestampMonotonic": ended,
    }
    assert _systemd._asked_to_stop(record) is asked
