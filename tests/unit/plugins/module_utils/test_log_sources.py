# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a log can be read back: files, deleted files, standard streams, the journal, syslog, containers."""

import json
import os
import shutil
import struct
import tempfile
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_files as log_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _log_sources as log_sources
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils._collect.engine_server import EngineServer, chunked

ID = "a" * 64
LOG = "/var/log/nginx/error.log"


class Fake(_host.Host):
    """A host in a folder that notes what would be run."""

    def __init__(self, root, out=b"", rc=0):
        super().__init__(root)
        self.out, self.rc, self.argv = out, rc, []

    def run(self, argv, timeout=10, limit=1 << 20):
        self.argv.append(list(argv))
        return _host.Output(self.rc, self.out, b"", False)


@pytest.fixture
def host(tmp_path):
    for folder in ("/var/log/nginx", "/proc/7/fd", "/proc/7/fdinfo"):
        os.makedirs(str(tmp_path) + folder)
    return Fake(str(tmp_path))


def fill(host, path, content=b"x\n"):
    os.makedirs(os.path.dirname(host.path(path)), exist_ok=True)
    with open(host.path(path), "wb") as file:
        file.write(content)


def found(host, path, **about):
    return log_sources.find(host, dict({"path": path, "pid": 7, "unit": "nginx.service"}, **about))


def described(sources):
    """Return each source as (kind, what it is)."""
    rows = []
    for source in sources:
        if isinstance(source, log_sources.Journal):
            rows.append(("journal",) + tuple(source.matches))
        else:
            rows.append((type(source).__name__.lower(), source.path))
    return rows


@pytest.mark.parametrize("path", ["stderr", "/dev/stderr", "/proc/self/fd/2"])
@pytest.mark.parametrize("target, expected", [
    ("socket:[12]", ("journal", "_SYSTEMD_UNIT=nginx.service")),
    ("/var/log/nohup.out", ("file", "/var/log/nohup.out")),
    ("/dev/null", ("unseen", None)),
    ("/dev/pts/0", ("unseen", None)),
    ("pipe:[12]", ("unseen", None)),
])
def test_standard_error_is_where_the_master_has_it(host, path, target, expected):
    os.symlink(target, host.path("/proc/7/fd/2"))
    assert described(found(host, path)) == [(expected[0], expected[1] or path)]


def test_standard_error_of_an_nginx_that_does_not_run(host):
    assert described(found(host, "stderr", pid=None)) == [("journal", "_SYSTEMD_UNIT=nginx.service")]
    assert described(found(host, "stderr", pid=None, unit="")) == [("unseen", "stderr")]


def test_standard_error_of_a_container(host):
    os.symlink("pipe:[12]", host.path("/proc/7/fd/2"))
    assert described(found(host, "stderr", container=ID)) == [("unseen", "stderr")]
    fill(host, "/run/systemd/journal/socket")
    assert described(found(host, "stderr", container=ID)) == [("journal", "CONTAINER_ID_FULL=" + ID)]
    pod = "/var/log/containers/web_shop_nginx-{0}.log".format(ID)
    fill(host, pod)
    assert described(found(host, "stderr", container=ID)) == [("file", pod)]
    kept = "/var/lib/docker/containers/{0}/{0}-json.log".format(ID)
    fill(host, kept)
    assert described(found(host, "stderr", container=ID)) == [("file", kept)]
    assert described(found(host, "stderr", container="../../etc")) == [("unseen", "stderr")]


@pytest.fixture(name="engine")
def _engine():
    """A host in a folder that is short enough for the socket of an engine, and its engine."""
    root = tempfile.mkdtemp(prefix="e", dir="/tmp")
    os.makedirs(root + "/proc/7/fd")
    os.symlink("pipe:[12]", root + "/proc/7/fd/2")
    server = EngineServer(root + "/run/docker.sock", {})
    server.host = Fake(root)
    yield server
    server.close()
    shutil.rmtree(root)


def keeps(engine, driver, path="", terminal=False):
    about = {"HostConfig": {"LogConfig": {"Type": driver, "Config": {}}}, "LogPath": path, "Config": {"Tty": terminal}}
    engine.answers["/v1.41/containers/{0}/json".format(ID)] = about


@pytest.mark.parametrize("driver, path, expected", [
    ("json-file", "/data/containers/{0}/{0}-json.log".format(ID), ("file", "/data/containers/{0}/{0}-json.log".format(ID))),
    ("k8s-file", "/data/{0}/userdata/ctr.log".format(ID), ("file", "/data/{0}/userdata/ctr.log".format(ID))),
    ("json-file", "/etc/shadow", ("enginelog", "log of container aaaaaaaaaaaa")),
    ("local", "", ("enginelog", "log of container aaaaaaaaaaaa")),
    ("journald", "", ("journal", "CONTAINER_ID_FULL=" + ID)),
    ("none", "", ("unseen", "stderr")),
    (7, [], ("enginelog", "log of container aaaaaaaaaaaa")),
])
def test_an_engine_says_where_it_keeps_a_log(engine, monkeypatch, driver, path, expected):
    fill(engine.host, "/run/systemd/journal/socket")
    if isinstance(path, str) and path:
        fill(engine.host, path)
    keeps(engine, driver, path)
    root_is(monkeypatch, os.geteuid())
    assert described(found(engine.host, "stderr", container=ID)) == [expected]


def root_is(monkeypatch, uid):
    """Make the engine of the test, which runs as we do, look as if it ran as another user."""
    connected = log_sources.engine_api.Engine._connected

    def as_root(self, seconds):
        connection = connected(self, seconds)
        self.uid = 0 if uid == os.geteuid() else uid
        return connection

    monkeypatch.setattr(log_sources.engine_api.Engine, "_connected", as_root)


def test_the_word_of_a_users_engine_opens_no_file(engine, monkeypatch):
    path = "/home/x/{0}-json.log".format(ID)
    fill(engine.host, path)
    keeps(engine, "json-file", path)
    root_is(monkeypatch, 1000)
    assert described(found(engine.host, "stderr", container=ID)) == [("enginelog", "log of container aaaaaaaaaaaa")]


def test_a_container_that_no_engine_knows(engine):
    source, = found(engine.host, "stderr", container=ID)
    assert "no engine keeps container aaaaaaaaaaaa" in source.why
    fill(engine.host, "/run/systemd/journal/socket")
    assert described(found(engine.host, "stderr", container=ID)) == [("journal", "CONTAINER_ID_FULL=" + ID)]


def framed(*lines):
    return b"".join(struct.pack(">BxxxI", 2, len(line)) + line for line in lines)


TIMED = b"2026-11-27T05:45:08.084423241Z 2026/11/27 07:45:08 [error] 8#8: *5 connect() failed\n"


def test_the_log_that_an_engine_gives_back(engine, monkeypatch):
    """Its records have the time of the container's zone; the engine's own is in UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    keeps(engine, "local")
    source, = found(engine.host, "stderr", container=ID)
    way = "/v1.41/containers/{0}/logs?stdout=0&stderr=1&timestamps=1&since=5&tail=8000".format(ID)
    engine.answers[way] = chunked(framed(TIMED[:40], TIMED[40:], b"2026-11-27T05:45:09.084423241Z PHP message: x\n"))
    raw, truncated = source.read(engine.host, 5.5)
    assert raw == b"2026/11/27 14:45:08 [error] 8#8: *5 connect() failed\nPHP message: x\n"
    assert not truncated
    # Of a terminal there is one stream, without heads.
    keeps(engine, "local", terminal=True)
    source, = found(engine.host, "stderr", container=ID)
    engine.answers[way.replace("stdout=0", "stdout=1")] = chunked(TIMED)
    assert source.read(engine.host, 5.5)[0].startswith(b"2026/11/27 14:45:08 [error]")
    monkeypatch.undo()
    time.tzset()


def test_of_a_log_that_is_too_large_the_newest_lines_are_taken(engine, monkeypatch):
    monkeypatch.setattr(log_sources, "ENGINE_LIMIT", 1000)
    keeps(engine, "local")
    source, = found(engine.host, "stderr", container=ID)
    for number, lines in ((8000, 900), (800, 800), (80, 3)):
        way = "/v1.41/containers/{0}/logs?stdout=0&stderr=1&timestamps=1&since=5&tail={1}".format(ID, number)
        engine.answers[way] = chunked(framed(*[TIMED] * lines), 4096)
    raw, truncated = source.read(engine.host, 5)
    assert raw.count(b"[error]") == 3 and truncated


def test_local_syslog_is_the_journal_and_then_its_files(host):
    fill(host, "/var/log/syslog")
    path = "syslog:server=unix:/dev/log,facility=local7,tag=shop_web,severity=info"
    assert described(found(host, path)) == [("file", "/var/log/syslog")]
    fill(host, "/run/systemd/journal/socket")
    expected = ("journal", "SYSLOG_IDENTIFIER=shop_web", "_SYSTEMD_UNIT=nginx.service")
    assert described(found(host, path)) == [expected, ("file", "/var/log/syslog")]
    assert described(found(host, "syslog:server=127.0.0.1:514,tag=x")) == [("file", "/var/log/syslog")]
    assert described(found(host, "syslog:server=192.0.2.9:514")) == [("unseen", "syslog:server=192.0.2.9:514")]


@pytest.mark.parametrize("path", ["memory:32m", "/dev/null", "/dev/console", "relative.log"])
def test_what_nobody_can_read_back(host, path):
    (source,) = found(host, path)
    assert isinstance(source, log_sources.Unseen) and source.why


def test_a_file_that_was_deleted_and_is_written_to(host):
    os.symlink(LOG + " (deleted)", host.path("/proc/7/fd/4"))
    os.symlink("socket:[9]", host.path("/proc/7/fd/5"))
    sources = found(host, LOG)
    assert [(source.path, source.held) for source in sources] == [(LOG, None), (LOG, (7, 4))]
    assert "deleted" in sources[1].note


def test_a_file_that_was_rotated_and_not_reopened(host):
    os.symlink(LOG + ".1", host.path("/proc/7/fd/4"))
    (source,) = found(host, LOG)
    assert LOG + ".1" in source.note


def test_journal_command(host):
    host.out = b"one\ntwo\n"
    journal = log_sources.Journal("journal", ("A=1", "B=2"))
    assert journal.read(host, 1700000000.9) == (b"one\ntwo\n", False)
    assert host.argv[0][0] == "journalctl" and host.argv[0][-3:] == ["A=1", "+", "B=2"] and "--since=@1700000000" in host.argv[0]
    host.rc = 1
    with pytest.raises(evidence.Unanswered):
        journal.read(host, 0.0)


def test_an_empty_journal_proves_nothing_without_root(host, monkeypatch):
    monkeypatch.setattr(log_sources.os, "geteuid", lambda: 1000)
    with pytest.raises(evidence.Unanswered) as caught:
        log_sources.Journal("journal", ("A=1",)).read(host, 0.0)
    assert caught.value.status == evidence.DENIED


def test_held_file_is_opened_only_when_it_is_written_to_and_has_no_name(tmp_path):
    path = str(tmp_path / "held.log")
    real = _host.Host()
    with open(path, "ab") as writer:
        writer.write(b"said\n")
        writer.flush()
        with pytest.raises(evidence.Unanswered):
            log_files.open_held(real, os.getpid(), writer.fileno(), path)
        os.unlink(path)
        file, info = log_files.open_held(real, os.getpid(), writer.fileno(), path)
        with file:
            assert file.read(10) == b"said\n" and info.st_size == 5
    other = tmp_path / "secret"
    other.write_text("x")
    held = os.open(str(other), os.O_PATH)
    other.unlink()
    try:
        with pytest.raises(evidence.Unanswered):
            log_files.open_held(real, os.getpid(), held, "secret")
    finally:
        os.close(held)


def test_no_link_leads_out_of_the_root_of_a_container(tmp_path):
    outside = tmp_path / "etc"
    outside.mkdir()
    (outside / "shadow").write_text("root:x\n")
    root = tmp_path / "rootfs"
    (root / "var/log/nginx").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "data/error.log").write_text("inside\n")
    (root / "var/log/nginx/error.log").symlink_to("/data/error.log")
    (root / "var/log/nginx/up.log").symlink_to("../../../../../../../../etc/shadow")
    (root / "var/log/nginx/abs.log").symlink_to(str(outside / "shadow"))
    (root / "var/log/away").symlink_to(str(outside))
    (root / "var/log/nginx/err.log").symlink_to("/dev/stderr")
    host = _host.Host()
    file, _info = log_files.open_log(host, "/var/log/nginx/error.log", str(root))
    with file:
        assert file.read(100) == b"inside\n"
    for path in ("/var/log/nginx/up.log", "/var/log/nginx/abs.log", "/var/log/away/shadow", "/../etc/shadow", "/var/log/nginx"):
        with pytest.raises(evidence.Unanswered):
            log_files.open_log(host, path, str(root))
    with pytest.raises(log_files.Elsewhere):
        log_files.open_log(host, "/var/log/nginx/err.log", str(root))


def test_a_second_name_in_a_folder_that_others_write_to(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("x")
    os.link(str(secret), str(folder / "error.log"))
    log_files.open_log(_host.Host(), str(folder / "error.log"))[0].close()
    folder.chmod(0o777)
    with pytest.raises(evidence.Unanswered) as caught:
        log_files.open_log(_host.Host(), str(folder / "error.log"))
    assert caught.value.status == evidence.DENIED


RECORD = b"2026/11/22 10:27:08 [error] 5#5: *1 connect() failed"


@pytest.mark.parametrize("before", [
    b"Nov 22 10:27:08 web1 nginx: ", b"Nov  2 10:27:08 web1 nginx[12]: ", b"<187>Nov 22 10:27:08 web1 nginx: ",
    b"2026-11-22T10:27:08.123456+00:00 web1 nginx: ",
    b"2026-11-22T10:27:08.123456789Z stderr F ", b"web1 nginx: ", b"web-1  | ", b"",
])
def test_frames_are_taken_off(before):
    assert log_files.bare(before + RECORD, log_files.LINE_FRAME) == RECORD
    assert log_files.frame_of([before + RECORD]) == (log_files.LINE_FRAME if before else None)


def test_a_record_in_a_request_is_no_frame():
    line = b'Nov 22 10:27:08 web1 app: request: "GET /x ' + RECORD + b'"'
    assert log_files.bare(line, log_files.LINE_FRAME) == line


@pytest.mark.parametrize("moment", ["2026-13-45T99:99:99.1Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.9Z", "", None, 5, [], "\u0662026-11-22T10:27:08Z"])
def test_times_of_an_engine_that_are_none(moment):
    line = json.dumps({"log": RECORD.decode() + "\n", "stream": "stderr", "time": moment}, separators=(",", ":")).encode()
    assert log_files.bare(line, log_files.JSON_FRAME).endswith(RECORD[19:])


@pytest.mark.parametrize("line", [b'{"log":5}', b'{"log":null}', b"[]", b"5", b"{", b'"x"', b"\xff", b'{"log":"\\ud800"}'])
def test_lines_of_an_engine_that_are_none(line):
    assert log_files.bare(line, log_files.JSON_FRAME) is not None
