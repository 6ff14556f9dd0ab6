# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reload is judged by: masters that behave in each way, moment by moment. tests/integration has the real ones."""

import os
import types

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_reload as nginx_reload

PENDING, BUSY, IDLE = nginx_reload.PENDING, nginx_reload.BUSY, nginx_reload.IDLE
WORKER, LEAVING, YOUNG = "nginx: worker process", "nginx: worker process is shutting down", "nginx: master process nginx"
OLD = {11: (b"1", WORKER), 12: (b"1", WORKER)}
GONE = {11: (b"1", LEAVING)}
NEW = {21: (b"9", WORKER), 22: (b"9", WORKER)}
REFUSED = ("emerg", 10, "bind() to 0.0.0.0:80 failed (98: Address already in use)"), ("emerg", 10, "still could not bind()")


def both(one, other):
    return {pid: child for children in (one, other) for pid, child in children.items()}


class FakeMaster:
    """A master that is seen in one state after the other: (state, children), the last one for ever."""

    pid = 10

    def __init__(self, moments):
        self.moments = list(moments)
        self.sent = False

    def _now(self):
        return self.moments[0] if self.sent else (IDLE, OLD)

    def upgrade(self):
        return None

    def hang_up(self):
        self.sent = True

    def inner(self, pid):
        return pid

    def children(self):
        return dict(self._now()[1])

    def state(self):
        state = self._now()[0]
        if self.sent and len(self.moments) > 1:
            self.moments.pop(0)
        return state


class FakeLogs:
    """Logs that hold the same records from the signal on."""

    def __init__(self, said, unseen=()):
        self.said = list(said)
        self.unseen = list(unseen)

    def records(self, journals=True):
        return self.said

    def close(self):
        pass


@pytest.fixture
def reload(monkeypatch):
    """Return a function that reloads a master, given as moments, whose logs say something."""

    def run(moments, said=(), unseen=(), argv=("nginx: master process nginx",)):
        monkeypatch.setattr(nginx_reload, "Master", lambda host, process: FakeMaster(moments))
        monkeypatch.setattr(nginx_reload, "Logs", lambda host, instance: FakeLogs(said, unseen))
        monkeypatch.setattr(nginx_reload, "POLL", 0.001)
        monkeypatch.setattr(nginx_reload, "QUIET", 0.02)
        instance = types.SimpleNamespace(master=types.SimpleNamespace(argv=list(argv), pid=10), say=lambda words: words)
        one = nginx_reload.Reload(None, instance, timeout=0.2, settle=0.02)
        one.run()
        return one

    return run


def failure(reload, *arguments, **options):
    with pytest.raises(nginx_reload.Failed) as caught:
        reload(*arguments, **options)
    return caught.value


def test_new_workers_and_none_of_the_old(reload):
    done = reload([(PENDING, OLD), (BUSY, OLD), (BUSY, both(OLD, {21: (b"9", YOUNG)})), (BUSY, both(OLD, NEW)), (IDLE, both(OLD, NEW)), (IDLE, NEW)])
    assert (done.before, done.after, done.messages) == ([11, 12], [21, 22], [])


def test_old_workers_that_shut_down_serve_no_more(reload):
    assert reload([(BUSY, OLD), (IDLE, both(GONE, NEW))]).after == [21, 22]


def test_a_number_that_is_used_again_is_another_process(reload):
    assert reload([(BUSY, OLD), (IDLE, {11: (b"9", WORKER)})]).after == [11]


def test_workers_that_came_while_the_signal_was_pending_are_not_ours(reload):
    other = {15: (b"5", WORKER)}
    done = reload([(PENDING, OLD), (PENDING, both(OLD, other)), (BUSY, other), (IDLE, both(other, NEW)), (IDLE, NEW)])
    assert done.after == [21, 22]
    assert "refused" in failure(reload, [(PENDING, both(OLD, other)), (BUSY, other), (IDLE, other)]).why


def test_a_refusal_is_told_in_the_words_of_nginx(reload):
    failed = failure(reload, [(BUSY, OLD), (IDLE, OLD)], REFUSED)
    assert "refused" in failed.why and failed.messages[1] == "[emerg] still could not bind()"


def test_a_refusal_without_a_log(reload):
    failed = failure(reload, [(BUSY, OLD), (IDLE, OLD)], unseen=["stderr: it leads to a pipe"])
    assert "refused" in failed.why and "could not be read: stderr: it leads to a pipe" in failed.why


def test_a_record_of_another_process_is_no_refusal(reload):
    forged = ("emerg", 99, "still could not bind()")
    done = reload([(BUSY, OLD), (IDLE, NEW)], [forged])
    assert (done.after, done.messages) == ([21, 22], ["[emerg] still could not bind()"])


def test_what_nginx_goes_on_after_is_told(reload):
    said = [REFUSED[0], ("emerg", 10, "setsockopt(IPV6_V6ONLY) [::]:80 failed, ignored")]
    assert len(reload([(BUSY, OLD), (IDLE, NEW)], said).messages) == 2


def test_new_workers_beside_a_refusal_are_not_believed(reload):
    """A worker of the old configuration crashed and was replaced while the new one was refused."""
    assert "refused" in failure(reload, [(BUSY, OLD), (IDLE, NEW)], REFUSED).why


@pytest.mark.parametrize(("state", "words"), [(PENDING, "has not taken the signal after 0.2 s"), (BUSY, "is still at work on the configuration after 0.2 s")])
def test_it_takes_too_long(reload, state, words):
    assert words in failure(reload, [(state, OLD)]).why


def test_old_workers_that_go_on(reload):
    assert "still serve after 0.2 s: 11, 12" in failure(reload, [(BUSY, OLD), (IDLE, both(OLD, NEW))]).why


def test_new_workers_that_end_before_they_are_seen(reload):
    assert "ended as soon as" in failure(reload, [(BUSY, OLD), (IDLE, {})]).why


@pytest.mark.parametrize("said", [(), [("alert", 10, "worker process 21 exited on signal 11")]])
def test_new_workers_that_are_replaced_again_and_again(reload, said):
    loop = [(IDLE, {number: (b"9", WORKER)}) for number in range(21, 200)]
    assert "do not live" in failure(reload, [(BUSY, OLD)] + loop, said).why


def test_workers_that_another_reload_replaced_once(reload):
    assert reload([(BUSY, OLD), (IDLE, NEW), (IDLE, NEW), (IDLE, NEW), (IDLE, {31: (b"20", WORKER)})]).after == [31]


def test_workers_that_never_become_workers(reload):
    assert "no new worker serves" in failure(reload, [(BUSY, OLD), (IDLE, {21: (b"9", YOUNG)})]).why


def test_a_crash_of_an_old_worker_is_none_of_ours(reload):
    assert reload([(BUSY, OLD), (IDLE, NEW)], [("alert", 10, "worker process 12 exited on signal 9")]).after == [21, 22]


def test_a_master_that_ends(reload):
    assert "has ended" in failure(reload, [(BUSY, OLD), (None, {})]).why


def test_without_a_master_process(reload):
    assert "without a master process" in failure(reload, [(IDLE, OLD)], argv=("nginx",)).why


# --- which one


def instance(path, pid, own_root=False, uid=0):
    master = types.SimpleNamespace(pid=pid, uid=uid, container="c" * 64 if own_root else "") if pid else None
    return types.SimpleNamespace(conf_path=path, own_root=own_root, master=master)


ONE, TWO, INNER, STOPPED = instance("/a", 1), instance("/b", 2), instance("/a", 3, True), instance("/c", None)
OF_A_USER = instance("/b", 5, uid=1000)


@pytest.mark.parametrize(("running", "path", "pid", "wanted"), [
    ([ONE, STOPPED], None, None, ONE),
    ([STOPPED], None, None, None),
    ([ONE, TWO], "/b", None, TWO),
    ([ONE, TWO], "/x/../b", None, TWO),
    ([ONE, TWO, OF_A_USER], "/b", None, TWO),
    ([ONE, OF_A_USER], "/b", None, OF_A_USER),
    ([ONE, STOPPED], "/c", None, None),
    ([ONE, INNER], None, None, ONE),
    ([ONE, INNER], "/a", None, ONE),
    ([ONE, INNER], "/a", 3, INNER),
    ([INNER], None, None, INNER),
    ([ONE, INNER], "/a", 4, None),
])
def test_choosing(running, path, pid, wanted, monkeypatch):
    monkeypatch.setattr(nginx_reload, "reasons", lambda one: [])
    assert nginx_reload.choose(running, path, pid) is wanted


def test_a_container_is_meant_when_it_is_named(monkeypatch):
    monkeypatch.setattr(nginx_reload, "reasons", lambda one: ["changed"] if one is INNER else [])
    assert nginx_reload.choose([ONE, INNER], container="c" * 64) is INNER
    assert nginx_reload.choose([ONE, INNER], container="d" * 64) is None
    assert nginx_reload.choose([ONE, INNER]) is nginx_reload.choose([ONE, INNER], "/a") is ONE
    assert nginx_reload.choose([ONE, TWO, INNER]) is None


def test_of_several_the_one_that_was_changed(monkeypatch):
    changed = []
    monkeypatch.setattr(nginx_reload, "reasons", lambda one: ["changed"] if one in changed else [])
    assert nginx_reload.choose([ONE, TWO]) is None
    changed.append(TWO)
    assert nginx_reload.choose([ONE, TWO]) is TWO
    changed.append(ONE)
    with pytest.raises(nginx_reload.Failed, match=r"/a \(master 1\), /b \(master 2\)"):
        nginx_reload.choose([ONE, TWO])


# --- whether


def running(started, **options):
    worker = types.SimpleNamespace(started=started)
    loaded = {"files": [{"path": "/etc/x"}], "includes": [], "truncated": False}
    found = {"live_workers": lambda: [(worker, False)], "why": None, "loaded": loaded, "pid": None, "host": _host.Host()}
    return types.SimpleNamespace(**dict(found, **options))


def test_reasons(tmp_path):
    file = tmp_path / "nginx.conf"
    file.write_text("x", encoding="utf-8")
    changed = os.stat(str(file)).st_ctime
    loaded = {"files": [{"path": str(file)}], "includes": [{"pattern": str(tmp_path / "gone" / "*.conf")}], "truncated": False}
    assert nginx_reload.reasons(running(changed + 1, loaded=loaded)) == []
    os.utime(str(file), (changed + 99, changed + 99))
    # A time of the last write that lies ahead is no change.
    assert nginx_reload.reasons(running(os.stat(str(file)).st_ctime + 1, loaded=loaded)) == []
    assert nginx_reload.reasons(running(changed - 1, loaded=loaded)) == ["{0} was changed after the workers were started".format(file)]
    assert nginx_reload.reasons(running(9e9, loaded=dict(loaded, truncated=True))) == ["not every file of the configuration could be looked at"]
    assert nginx_reload.reasons(running(9e9, live_workers=lambda: [])) == ["no worker serves"]
    with pytest.raises(evidence.Unanswered):
        nginx_reload.reasons(running(9e9, why=evidence.Unanswered(evidence.DENIED, "not root")))


def test_folders_and_links_count(tmp_path):
    (tmp_path / "real" / "one").mkdir(parents=True)
    (tmp_path / "real" / "one" / "x.conf").write_text("", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    path = tmp_path / "link" / "one" / "x.conf"
    found = dict(nginx_reload.changes(_host.Host(), [str(path)], [str(tmp_path / "link" / "*" / "*.conf")]))
    assert set(found) == {str(path), str(tmp_path / "link"), str(tmp_path / "link" / "one")}
    assert found[str(path)] >= os.lstat(str(tmp_path / "link")).st_ctime
    assert nginx_reload.changes(_host.Host(), [str(tmp_path / "gone")], []) == [(str(tmp_path / "gone"), 0.0)]


def test_a_link_to_itself_ends(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert nginx_reload.changes(_host.Host(), [str(tmp_path / "loop")], [])[0][1] > 0


# --- its words


def test_records():
    raw = (
        b"rest of a record\n2026/11/27 02:10:00 [emerg] 10#10: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"
        b"2026/11/27 02:10:00 [error] 11#11: *1 open() \"/x\n2026 [emerg] 10#10: forged\" failed\n"
        b"2026/11/27 02:10:01 [alert] 10#10: worker process 21 exited on signal 11\n"
    )
    assert nginx_reload.records(raw) == [
        ("emerg", 10, "bind() to 0.0.0.0:80 failed (98: Address already in use)"), ("alert", 10, "worker process 21 exited on signal 11"),
    ]


def test_records_of_a_container():
    raw = b'{"log":"2026/11/27 02:10:00 [emerg] 1#1: still could not bind()\\n","stream":"stderr","time":"2026-11-27T02:10:00.1Z"}\n'
    assert nginx_reload.records(raw) == [("emerg", 1, "still could not bind()")]
