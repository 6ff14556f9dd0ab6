# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing: what others changed is left, units, programs and groups are as they were, nginx reads its files again, and everything is proved."""

import grp
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint, _restore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Undo only when the test says so."""
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))


@pytest.fixture
def folder(tmp_path):
    """A folder with two files."""
    made = tmp_path / "etc"
    made.mkdir()
    (made / "a.conf").write_bytes(b"a")
    (made / "b.conf").write_bytes(b"b")
    return made


@pytest.fixture
def point(tmp_path):
    """An open checkpoint."""
    root = str(tmp_path / "state")
    with _checkpoint.locked(root):
        yield _checkpoint.open_new("test", root=root)[0]


def told(done):
    """Return what an undoing says."""
    return {key: done[key] for key in ("restored", "conflicts", "unverified") if done[key]}


def test_a_file_that_somebody_else_changed_is_left_and_taken_back_by_force(folder, point):
    point.write_file(f"{folder}/a.conf", b"ours")
    point.write_file(f"{folder}/b.conf", b"ours")
    (folder / "a.conf").write_bytes(b"theirs")
    assert told(point.roll_back()) == {
        "restored": [f"{folder}/b.conf (content)"], "conflicts": [f"{folder}/a.conf: somebody else has changed it since (content)"],
    }
    assert ((folder / "a.conf").read_bytes(), (folder / "b.conf").read_bytes(), point.state) == (b"theirs", b"b", "unverified")
    assert os.listdir(f"{point.folder}/saved") != []
    assert told(point.roll_back(force=True)) == {"restored": [f"{folder}/a.conf (content)"]}
    assert ((folder / "a.conf").read_bytes(), point.state) == (b"a", "rolled-back")


def test_an_owner_that_somebody_else_changed_is_left(folder, point):
    point.write_file(f"{folder}/a.conf", b"ours")
    os.chmod(folder / "a.conf", 0o600)
    assert told(point.roll_back()) == {"conflicts": [f"{folder}/a.conf: somebody else has changed it since (content, mode)"]}


def test_any_state_of_a_file_that_was_saved_for_others_is_theirs_until_it_is_confirmed(folder, point):
    point.save_file(f"{folder}/a.conf")
    (folder / "a.conf").write_bytes(b"by ini_file")
    point.confirm()
    (folder / "a.conf").write_bytes(b"by a person, later")
    assert list(told(point.roll_back())) == ["conflicts"]
    (folder / "a.conf").write_bytes(b"by ini_file")
    assert told(point.roll_back()) == {"restored": [f"{folder}/a.conf (content)"]}


def test_what_somebody_else_changed_before_it_was_confirmed_is_not_taken_for_ours(folder, point):
    point.write_file(f"{folder}/a.conf", b"ours")
    (folder / "a.conf").write_bytes(b"by a person")
    assert point.confirm()
    assert list(told(point.roll_back())) == ["conflicts"]


def test_a_change_long_after_a_state_that_was_saved_alone_is_somebody_elses(folder, point, monkeypatch):
    point.save_file(f"{folder}/a.conf")
    point.confirm(at_once=True)
    (folder / "a.conf").write_bytes(b"by the role")
    with monkeypatch.context() as later:
        later.setattr(_restore, "_CHANGING_SECONDS", -10)
        assert list(told(point.roll_back())) == ["conflicts"]
    assert told(point.roll_back()) == {"restored": [f"{folder}/a.conf (content)"]}


def test_a_state_that_was_saved_alone_is_sealed_by_confirming_it_again(folder, point):
    point.save_file(f"{folder}/a.conf")
    point.confirm(at_once=True)
    (folder / "a.conf").write_bytes(b"by the role")
    assert point.confirm()
    (folder / "a.conf").write_bytes(b"by a person")
    assert list(told(point.roll_back())) == ["conflicts"]


def test_a_new_folder_that_holds_files_of_others_is_left(folder, point):
    point.save_file(f"{folder}/x.d/ours.conf")
    (folder / "x.d").mkdir()
    (folder / "x.d" / "ours.conf").write_bytes(b"1")
    (folder / "x.d" / "theirs.conf").write_bytes(b"2")
    done = point.roll_back()
    assert done["conflicts"] == [f"{folder}/x.d: it was not there before, and holds files of others now"]
    assert os.listdir(folder / "x.d") == ["theirs.conf"]


def test_a_folder_that_leads_elsewhere_now_is_not_followed(folder, point, tmp_path):
    point.write_file(f"{folder}/a.conf", b"ours")
    folder.rename(tmp_path / "moved")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.conf").write_bytes(b"ours")
    folder.symlink_to(tmp_path / "other")
    assert told(point.roll_back())["conflicts"] == [f"{folder}/a.conf: its folder is a link to another one now"]
    assert (tmp_path / "other" / "a.conf").read_bytes() == b"ours"


def test_saved_bytes_that_are_damaged_are_never_written(folder, point):
    point.write_file(f"{folder}/a.conf", b"ours")
    (blob,) = os.listdir(f"{point.folder}/saved")
    with open(f"{point.folder}/saved/{blob}", "wb") as file:
        file.write(b"x")
    done = point.roll_back()
    assert "damaged" in done["unverified"][0] and (folder / "a.conf").read_bytes() == b"ours"


def test_a_file_that_could_not_be_put_back_does_not_keep_the_others(folder, point, monkeypatch):
    point.write_file(f"{folder}/a.conf", b"ours")
    point.write_file(f"{folder}/b.conf", b"ours")
    true = os.rename

    def rename(source, target, **kwargs):
        if target == b"b.conf":
            raise OSError(28, "No space left on device")
        true(source, target, **kwargs)

    monkeypatch.setattr(os, "rename", rename)
    done = point.roll_back()
    assert done["unverified"] == [f"{folder}/b.conf: No space left on device"] and (folder / "a.conf").read_bytes() == b"a"
    assert point.state == "unverified"
    monkeypatch.setattr(os, "rename", true)
    assert told(point.roll_back()) == {"restored": [f"{folder}/b.conf (content)"]}
    assert point.state == "rolled-back" and sorted(os.listdir(folder)) == ["a.conf", "b.conf"]


def test_a_journal_that_cannot_be_written_does_not_keep_the_host_broken(folder, point, monkeypatch):
    point.write_file(f"{folder}/a.conf", b"ours")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_restore.Journal, "add", full)
    done = _restore.undo(point.folder)
    assert done.unverified == ["the journal cannot be written: No space left on device"] and (folder / "a.conf").read_bytes() == b"a"


@pytest.mark.parametrize("end", [b'{"do": "wri', b'{"do": "write", "path": "/x"', b"\xff\x00", b"[1]\n"])
def test_a_record_that_was_cut_short_announces_nothing(folder, point, end):
    point.write_file(f"{folder}/a.conf", b"ours")
    with open(f"{point.folder}/journal", "ab") as file:
        file.write(end)
    point.book = _restore.read(point.folder)
    point.save_file(f"{folder}/b.conf")
    assert [record["do"] for record in _restore.read(point.folder).records] == ["open", "watched", "save", "write", "save"]
    assert told(point.roll_back()) == {"restored": [f"{folder}/a.conf (content)"]}


class Programs:
    """Stand-ins for programs of the host; each call is kept."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        folder.mkdir()
        monkeypatch.setitem(_restore._ENVIRONMENT, "PATH", f"{folder}:{os.environ['PATH']}")

    def put(self, name, body):
        """Make a program of a shell script."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.folder}/calls\ncd {self.folder}\n{textwrap.dedent(body)}', encoding="utf-8")
        os.chmod(path, 0o755)

    def said(self):
        """Return the calls that changed something."""
        calls = (self.folder / "calls").read_text(encoding="utf-8").splitlines() if (self.folder / "calls").exists() else []
        return [call for call in calls if " show " not in call and " status " not in call and " jlist" not in call]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A host whose programs are stand-ins."""
    return Programs(tmp_path / "bin", monkeypatch)


SYSTEMCTL = """
case "$1" in
  show) printf 'ActiveState=%s\\nUnitFileState=%s\\n' "$(cat active)" "$(cat enabled)" ;;
  start) echo active > active ;; stop) echo inactive > active ;;
  enable) echo enabled > enabled ;; disable) echo disabled > enabled ;; mask) echo masked > enabled ;; unmask) echo disabled > enabled ;;
esac
"""


def unit(programs, active, enabled):
    """Say how the unit is."""
    (programs.folder / "active").write_text(active + "\n", encoding="utf-8")
    (programs.folder / "enabled").write_text(enabled + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "calls"),
    [
        (("inactive", "disabled"), ("active", "enabled"), ["disable -- x.service", "stop -- x.service"]),
        (("active", "enabled"), ("failed", "disabled"), ["enable -- x.service", "start -- x.service"]),
        (("active", "enabled"), ("inactive", "masked"), ["unmask -- x.service", "enable -- x.service", "start -- x.service"]),
        (("inactive", "masked"), ("active", "enabled"), ["mask -- x.service", "stop -- x.service"]),
        (("failed", "static"), ("active", "static"), ["stop -- x.service"]),
        (("activating", "enabled"), ("inactive", "enabled"), ["start --no-block -- x.service"]),
        (("failed", "enabled"), ("inactive", "enabled"), []),
        (("active", "enabled"), ("active", "enabled"), []),
    ],
)
def test_a_unit_is_as_it_was(point, programs, before, after, calls):
    programs.put("systemctl", SYSTEMCTL)
    unit(programs, *before)
    point.save_unit("x.service")
    unit(programs, *after)
    assert point.roll_back()["unverified"] == []
    assert programs.said() == [f"systemctl {call}" for call in calls]
    assert point.roll_back()["restored"] == []


def test_a_unit_that_does_not_come_up_again_is_told(point, programs):
    programs.put("systemctl", SYSTEMCTL.replace("start) echo active > active", "start) echo no way; exit 1"))
    unit(programs, "active", "enabled")
    point.save_unit("x.service")
    unit(programs, "inactive", "enabled")
    assert point.roll_back()["unverified"] == ["x.service: systemctl start -- x.service: no way"]
    assert point.state == "unverified"


def test_a_unit_of_which_systemd_says_nothing_is_refused(point, programs):
    programs.put("systemctl", "exit 1")
    with pytest.raises(_checkpoint.CheckpointError, match="could not be put back"):
        point.save_unit("x.service")


def test_what_belongs_after_the_files_is_done_once_and_only_when_they_were_changed(folder, point, programs):
    programs.put("systemctl", SYSTEMCTL)
    unit(programs, "active", "enabled")
    point.save_file(f"{folder}/a.conf")
    point.add_after("x.service", "restart")
    assert told(point.roll_back()) == {} and programs.said() == []
    (folder / "a.conf").write_bytes(b"by others")
    point.roll_back()
    assert programs.said() == ["systemctl restart -- x.service"]
    point.roll_back()
    assert programs.said() == ["systemctl restart -- x.service"]


def test_a_unit_that_does_not_run_is_not_restarted(folder, point, programs):
    programs.put("systemctl", SYSTEMCTL)
    unit(programs, "inactive", "enabled")
    point.add_after("x.service", "reload")
    point.write_file(f"{folder}/a.conf", b"ours")
    point.roll_back()
    assert programs.said() == []


def test_a_program_of_supervisor_is_as_it_was(point, programs):
    programs.put("supervisorctl", 'case "$1" in status) echo "web:a  $(cat state)  x" ;; start) echo RUNNING > state ;; stop) echo STOPPED > state ;; esac')
    state = programs.folder / "state"
    state.write_text("STOPPED", encoding="utf-8")
    point.save_program("supervisor", "web:a")
    state.write_text("RUNNING", encoding="utf-8")
    assert told(point.roll_back()) == {"restored": ["web:a is stopped again"]}
    assert programs.said() == ["supervisorctl stop web:a"] and state.read_text(encoding="utf-8") == "STOPPED\n"


def test_an_app_of_pm2_is_as_it_was_and_no_daemon_is_started(point, programs, tmp_path):
    body = """
    case "$1" in
      jlist) echo ">>>> In-memory PM2 is out-of-date"; printf '[{"name":"shop","env":"%04000d","pm2_env":{"status":"%s"}}]\\nan advert\\n' 0 "$(cat state)" ;;
      start) echo online > state ;; stop) echo stopped > state ;;
    esac
    """
    programs.put("pm2", body)
    home, state = tmp_path / "pm2", programs.folder / "state"
    home.mkdir()
    state.write_text("online", encoding="utf-8")
    point.save_program("pm2", "shop", home=str(home))
    assert not (programs.folder / "calls").exists()
    (home / "pm2.pid").write_text(str(os.getpid()), encoding="utf-8")
    assert told(point.roll_back()) == {"restored": ["shop is stopped again"]}
    assert programs.said() == ["pm2 stop shop"]


def test_a_member_of_a_group_is_as_before(point, programs, monkeypatch):
    programs.put("gpasswd", 'case "$1" in --add) echo "$2" > members ;; --delete) : > members ;; esac')
    members = programs.folder / "members"
    members.write_text("", encoding="utf-8")

    def named(name):
        if name != "sockets":
            raise KeyError(name)
        return grp.struct_group((name, "x", 4242, members.read_text(encoding="utf-8").split()))

    monkeypatch.setattr(grp, "getgrnam", named)
    point.save_member("www-data", "sockets")
    members.write_text("www-data", encoding="utf-8")
    assert told(point.roll_back()) == {"restored": ["www-data is no longer a member of sockets"]}
    assert programs.said() == ["gpasswd --delete www-data sockets"]
    with pytest.raises(_checkpoint.CheckpointError, match="no group"):
        point.save_member("www-data", "nobody has it")


MASTER = """
import os, signal, sys, time
def worker():
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        time.sleep(60)
        os._exit(0)
    return pid
workers = [worker()]
def reload(*_):
    if sys.argv[1] == "takes":
        os.kill(workers[-1], signal.SIGKILL)
        os.waitpid(workers[-1], 0)
        workers.append(worker())
signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGTERM, lambda *_: (os.kill(workers[-1], signal.SIGKILL), os._exit(0)))
print("up", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def master():
    """Start processes that behave as nginx's master does when it is told to read its configuration."""
    started = []

    def start(kind):
        process = subprocess.Popen([sys.executable, "-c", MASTER, kind], stdout=subprocess.PIPE)
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def test_nginx_reads_its_files_again_when_they_are_back(folder, point, master):
    process = master("takes")
    point.write_file(f"{folder}/a.conf", b"ours")
    point.record_reload(process.pid)
    done = point.roll_back()
    assert done["restored"][1:] == [f"nginx (process {process.pid}) has read its configuration again"] and done["unverified"] == []


@pytest.mark.parametrize("reloaded", [True, False])
def test_nginx_reads_its_files_again_when_others_had_it_read_the_change(folder, point, master, reloaded):
    process = master("takes")
    point.record_master(process.pid)
    point.write_file(f"{folder}/a.conf", b"ours")
    if reloaded:
        before = _restore.workers(process.pid)
        process.send_signal(signal.SIGHUP)
        while _restore.workers(process.pid) in (before, []):
            time.sleep(0.01)
    again = [f"nginx (process {process.pid}) has read its configuration again"] if reloaded else []
    assert told(point.roll_back()) == {"restored": [f"{folder}/a.conf (content)", *again]}


def test_nginx_reads_its_files_again_before_containers_whose_names_it_looks_up_are_stopped(folder, point, monkeypatch):
    point.write_file(f"{folder}/a.conf", b"new")
    point.journal.add("container", engine="/run/docker.sock", id="ab" * 32, name="orders", connects=[], running=False)
    point.journal.add("reload", pid=1, started=1, exe="/usr/sbin/nginx", title="", container="")
    point.journal.add("unit", name="shop.service", active="inactive", enabled="disabled")
    done = []
    for name in ("unit", "nginx", "container"):
        monkeypatch.setattr(_restore.Undoing, name, lambda _undoing, _record, name=name: done.append((name, (folder / "a.conf").read_bytes())))
    point.roll_back()
    assert done == [("unit", b"a"), ("nginx", b"a"), ("container", b"a")]


def test_nginx_that_does_not_take_its_files_is_told(folder, point, master, monkeypatch):
    monkeypatch.setattr(_restore, "_RELOAD_SECONDS", 0.5)
    process = master("refuses")
    point.write_file(f"{folder}/a.conf", b"ours")
    point.record_reload(process.pid)
    assert "has no new workers" in point.roll_back()["unverified"][0]


def test_an_nginx_that_was_started_anew_is_found_and_one_that_is_stopped_is_left_so(folder, point, master):
    first = master("takes")
    point.write_file(f"{folder}/a.conf", b"ours")
    point.record_reload(first.pid)
    first.send_signal(signal.SIGTERM)
    first.wait()
    second = master("takes")
    # The old process id may be anybody's by now.
    assert point.roll_back()["restored"][1:] == [f"nginx (process {second.pid}) has read its configuration again"]
    second.send_signal(signal.SIGTERM)
    second.wait()
    assert told(point.roll_back()) == {}


def test_the_code_in_the_folder_waits_for_the_lock_and_undoes_without_the_collection(folder, tmp_path):
    root = str(tmp_path / "state")
    with _checkpoint.locked(root):
        point, _recovered = _checkpoint.open_new("test", 0, root)
        point.write_file(f"{folder}/a.conf", b"ours")
        command = [sys.executable, "-I", "-B", f"{point.folder}/restore.pyz", point.folder, "--unless-confirmed"]
        process = subprocess.Popen(command, env={}, cwd="/", stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        assert process.poll() is None and (folder / "a.conf").read_bytes() == b"ours"
    assert process.wait(20) == 0
    assert (folder / "a.conf").read_bytes() == b"a"


def test_a_change_that_is_confirmed_is_not_undone_by_the_timer(folder, tmp_path):
    root = str(tmp_path / "state")
    with _checkpoint.attach(None, "test", root) as point:
        point.write_file(f"{folder}/a.conf", b"ours")
    command = [sys.executable, "-I", "-B", f"{point.folder}/restore.pyz", point.folder]
    subprocess.run([*command, "--unless-confirmed"], env={}, cwd="/", check=True)
    assert (folder / "a.conf").read_bytes() == b"ours"
    said = subprocess.run(command, env={}, cwd="/", check=True, stderr=subprocess.PIPE).stderr
    assert (folder / "a.conf").read_bytes() == b"a" and f"{folder}/a.conf (content)" in said.decode()
    with open(f"{point.folder}/journal", encoding="utf-8") as file:
        assert json.loads(file.read().splitlines()[-1])["do"] == "undone"


def test_of_what_a_program_prints_without_end_the_last_bytes_are_held():
    code, said = _restore.run(["yes"], timeout=1, limit=100)
    assert code is None and "longer than 1 s" in said
    assert _restore.run(["sh", "-c", "yes | head -c 1000000; echo end"], limit=8) == (0, "y\ny\nend")
    assert _restore.run(["sh", "-c", "exit 3"]) == (3, "")
