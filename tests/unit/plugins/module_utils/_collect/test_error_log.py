# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading error logs: from the end, over a window, through rotation, within bounds, whatever stands in them."""

import gzip
import json
import os
import resource
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import error_log

RECORDED = os.path.join(os.path.dirname(__file__), os.pardir, "data", "recorded_lines.json")
NOW = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
LOG = "/var/log/nginx/error.log"


class Host(_host.Host):
    def now(self):
        return NOW


@pytest.fixture(name="host")
def _host_in_a_folder(tmp_path):
    (tmp_path / "var/log/nginx").mkdir(parents=True)
    return Host(str(tmp_path))


def write(host, content, path=LOG, age=0.0):
    place = host.path(path)
    with open(place, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8"))
    os.utime(place, (NOW - age, NOW - age))


def stamp(ago):
    return time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(NOW - ago))


def refused(ago=60, path="/api?token=hunter2secret", peer="127.0.0.1:3000", pid=12, method="GET", client="192.0.2.7"):
    return (
        '{0} [error] {1}#{1}: *7 connect() failed (111: Connection refused) while connecting to upstream, client: {2}, server: shop.example, '
        'request: "{3} {4} HTTP/1.1", upstream: "http://{5}{4}", host: "shop.example"\n'
    ).format(stamp(ago), pid, client, method, path, peer)


def collect(host, logs=(LOG,), **arguments):
    result = error_log.collect(host, [{"path": path} for path in logs], redactor=text.Redactor("key"), **arguments)
    json.dumps(result.value)
    return result


def test_groups(host):
    write(host, refused(90, "/a?x=1", pid=13) + refused(60, "/b", method="POST") + refused(30, "/a?x=2") + refused(20, peer="127.0.0.1:4000"))
    value = collect(host).value
    first, second = value["groups"]
    assert first["sample"].startswith(stamp(90))
    del first["sample"]
    assert first == {
        "message": "connect() failed", "class": "connect-refused", "level": "error", "errno": 111, "phase": "connecting to upstream", "scheme": "http",
        "peer": "127.0.0.1:3000", "upstream": "http://127.0.0.1:3000/a", "server": "shop.example", "methods": {"GET": 2, "POST": 1}, "paths": ["/a", "/b"],
        "status": 502, "count": 3, "first": NOW - 90, "last": NOW - 30, "moments": [NOW - 90, NOW - 60, NOW - 30], "pids": [12, 13], "detail": {},
    }
    assert (second["peer"], second["count"]) == ("127.0.0.1:4000", 1)
    assert value["since"] == NOW - 86400
    assert value["unrecognised"] == {"count": 0, "samples": []}
    entry = value["logs"][0]
    assert (entry["path"], entry["status"], entry["truncated"], entry["oldest"]) == (LOG, "ok", False, NOW - 90)


def test_quick_and_slow_way_agree(host):
    # The same records, once of the usual shape and once with a field that the quick expression does not take.
    usual = refused(50) + refused(40, "/b")
    odd = usual.replace("*7 connect() failed", "*7 connect() to 127.0.0.1:3000 failed").replace('", host: ', ' , "x", host: ')
    write(host, usual + odd.replace("HTTP/1.1\"", "HTTP/1.1 \""))
    groups = collect(host).value["groups"]
    assert [(group["class"], group["peer"], group["count"]) for group in groups] == [("connect-refused", "127.0.0.1:3000", 4)]


def test_recorded_lines_give_the_same_through_the_collector(host):
    with open(RECORDED, encoding="utf-8") as file:
        rows = [row for row in json.load(file) if row[0] != "startup"]
    lines = [line for row in rows for line in row[4]]
    write(host, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    value = collect(host, since=30 * 86400.0).value
    known = 0
    for line in lines:
        record = error_log.nginx_log.parse(line.encode("utf-8", "surrogateescape"))
        known += record.level != "notice" and error_log.nginx_log.classify(record) is not None
    assert sum(group["count"] for group in value["groups"]) == known
    assert value["unrecognised"]["count"] == 0
    assert {"reconfiguring", "gracefully shutting down"} <= set(notice["text"] for notice in value["notices"])


def test_window(host):
    write(host, refused(7200) + refused(4000) + refused(1800) + refused(60))
    assert collect(host, since=3600.0).value["groups"][0]["count"] == 2


def test_clock_set_back_and_records_out_of_order(host):
    write(host, refused(100) + refused(86400 * 300) * 50 + refused(50) + refused(70) + refused(-600))
    group = collect(host, since=3600.0).value["groups"][0]
    assert (group["count"], group["first"], group["last"]) == (4, NOW - 100, NOW + 600)


def test_only_the_window_is_read(host):
    old = refused(86400 * 3) * 4000
    write(host, old + refused(60))
    value = collect(host).value
    assert value["logs"][0]["read"] < len(old)
    assert value["logs"][0]["truncated"] is False
    assert value["groups"][0]["count"] == 1


def test_limit(host):
    write(host, refused(600) * 5000 + refused(60, peer="127.0.0.1:4000"))
    result = collect(host, limit=300000)
    assert result.truncated
    assert result.value["logs"][0]["truncated"] and result.value["logs"][0]["read"] == 300000
    assert {group["peer"] for group in result.value["groups"]} == {"127.0.0.1:3000", "127.0.0.1:4000"}
    assert result.value["unrecognised"]["count"] == 0


def test_block_edges_lose_and_double_nothing(host, monkeypatch):
    stderr = (
        '{0} [error] 5#5: *1 FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Exception: boom\nStack trace:\n#0 {{main}}\n  thrown" '
        'while reading response header from upstream, client: 192.0.2.7, server: s, '
        'request: "GET /x.php HTTP/1.1", upstream: "fastcgi://unix:/run/x.sock:", host: "h"\n'
    ).format(stamp(60))
    write(host, (refused(60) + stderr) * 60)
    for block in (700, 997, 1500, 4096):
        monkeypatch.setattr(error_log.log_files, "BLOCK", block)
        counts = {group["class"]: group["count"] for group in collect(host).value["groups"]}
        assert counts == {"connect-refused": 60, "fastcgi-stderr": 60}


def test_rotated(host):
    write(host, refused(60))
    write(host, refused(3700) + refused(3600), LOG + ".1", age=3600)
    with gzip.open(host.path(LOG + ".2.gz"), "wb") as file:
        file.write((refused(90000) + refused(7200)).encode())
    os.utime(host.path(LOG + ".2.gz"), (NOW - 7200, NOW - 7200))
    write(host, refused(200000), LOG + ".3", age=190000)
    value = collect(host).value
    assert [entry["path"] for entry in value["logs"]] == [LOG, LOG + ".1", LOG + ".2.gz"]
    assert value["groups"][0]["count"] == 4


def test_rotated_by_date(host):
    write(host, b"")
    write(host, refused(3600), LOG + "-20261122", age=3600)
    write(host, refused(3600), LOG + "-old", age=3600)
    assert [entry["path"] for entry in collect(host).value["logs"]] == [LOG, LOG + "-20261122"]


def test_rotated_is_left_alone_when_the_window_is_covered(host):
    write(host, refused(7200) + refused(60))
    write(host, refused(7300), LOG + ".1", age=7200)
    assert len(collect(host, since=3600.0).value["logs"]) == 1


def test_damaged_and_huge_gzip(host):
    write(host, b"")
    packed = gzip.compress((refused(60) * 20000).encode())
    write(host, packed[: len(packed) // 2], LOG + ".1.gz")
    result = collect(host)
    assert result.truncated and "damaged" in result.value["logs"][1]["why"]
    write(host, packed, LOG + ".1.gz")
    result = collect(host, limit=1 << 20)
    assert result.truncated and result.value["logs"][1]["read"] == 1 << 20
    write(host, b"not gzip", LOG + ".1.gz")
    assert collect(host).truncated


@pytest.mark.parametrize("target", ["/dev/stderr", "/dev/stdout", "/proc/self/fd/2"])
def test_log_of_a_container(host, target):
    os.symlink(target, host.path(LOG))
    entry = collect(host).value["logs"][0]
    assert (entry["status"], entry["why"]) == ("absent", LOG + " is a link to " + target)


@pytest.mark.parametrize("path", ["stderr", "syslog:server=unix:/dev/log", "memory:32m", "off", "/dev/stderr", "/dev/stdout", "/dev/null", "relative.log"])
def test_logs_that_are_no_files(host, path):
    result = collect(host, [path])
    assert [(entry["status"], bool(entry["why"])) for entry in result.value["logs"]] == [("absent", True)]
    assert not result.hidden


def test_missing_log_beside_another(host):
    write(host, refused())
    value = collect(host, ["/var/log/nginx/none.log", LOG, LOG]).value
    assert [entry["status"] for entry in value["logs"]] == ["absent", "ok"]
    assert len(value["groups"]) == 1


def test_pipe_and_folder(host):
    os.mkfifo(host.path(LOG))
    os.mkdir(host.path("/var/log/nginx/folder.log"))
    start = time.time()
    result = collect(host, [LOG, "/var/log/nginx/folder.log"])
    assert [entry["status"] for entry in result.value["logs"]] == ["error", "error"]
    assert len(result.hidden) == 2 and time.time() - start < 5


def test_links(host, monkeypatch):
    write(host, refused(), "/var/log/nginx/real.log")
    os.symlink("real.log", host.path(LOG))
    assert collect(host).value["groups"][0]["count"] == 1
    os.symlink("loop.log", host.path("/var/log/nginx/loop.log"))
    assert collect(host, ["/var/log/nginx/loop.log"]).value["logs"][0]["status"] == "error"
    write(host, "root:x:0:0\n", "/var/log/nginx/secret")
    os.symlink("/var/log/nginx/secret", host.path("/var/log/nginx/trap.log"))
    if os.geteuid() == 0:
        os.chown(host.path("/var/log/nginx/trap.log"), 33, 33, follow_symlinks=False)
    else:
        monkeypatch.setattr(error_log.log_files.os, "geteuid", lambda: 4242)
    entry = collect(host, ["/var/log/nginx/trap.log"]).value["logs"][0]
    assert (entry["status"], entry["read"]) == ("denied", 0)
    assert "does not belong to root" in entry["why"]


def test_configuration_and_notices(host):
    write(host, (
        "{0} [notice] 5#5: signal 1 (SIGHUP) received from 99, reconfiguring\n{0} [notice] 5#5: reconfiguring\n"
        "{0} [notice] 5#5: using the \"epoll\" event method\n"
        "{0} [emerg] 5#5: host not found in upstream \"app\" in /etc/nginx/conf.d/x.conf:12\n"
        "{0} [emerg] 6#6: host not found in upstream \"app\" in /etc/nginx/conf.d/x.conf:12\n"
        "{0} [emerg] 6#6: bind() to 0.0.0.0:80 failed (98: Unknown error)\n"
        "{0} [alert] 6#6: worker process 7 exited with fatal code 2 and cannot be respawned\n{0} [alert] 6#6: worker process 8 exited on signal 11\n"
        "{0} [alert] 6#6: *9 open socket #3 left in connection 5\n"
        "nginx: [emerg] unknown directive \"proxy_paas\" in /etc/nginx/nginx.conf:3\nnginx: [warn] conflicting server name \"a\" on 0.0.0.0:80, ignored\n"
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
    ).format(stamp(60)))
    value = collect(host).value
    rows = [(row["level"], row["text"], row["file"], row["line"], row["count"], row["pids"]) for row in value["configuration"]]
    assert rows == [
        ("emerg", 'host not found in upstream "app" in /etc/nginx/conf.d/x.conf:12', "/etc/nginx/conf.d/x.conf", 12, 2, [5, 6]),
        ("emerg", "bind() to 0.0.0.0:80 failed (98: Address already in use)", "", 0, 1, [6]),
        ("alert", "worker process 7 exited with fatal code 2 and cannot be respawned", "", 0, 1, [6]),
        ("emerg", 'unknown directive "proxy_paas" in /etc/nginx/nginx.conf:3', "/etc/nginx/nginx.conf", 3, 1, []),
    ]
    assert value["configuration"][3]["last"] == NOW - 60
    assert [notice["text"] for notice in value["notices"]] == ["signal 1 (SIGHUP) received, reconfiguring", "reconfiguring"]
    assert [(group["class"], group["detail"]) for group in value["groups"]] == [("worker-killed", {"signal": 11})]


def test_nearly_ours_is_counted_and_ordinary_is_not(host):
    write(host, (
        '{0} [error] 5#5: *1 upstream did a thing of nginx 9 while reading response header from upstream, client: 192.0.2.7, server: s, '
        'request: "GET /?password=hunter2 HTTP/1.1", upstream: "http://127.0.0.1:1/", host: "h"\n'
        '{0} [error] 5#5: *1 open() "/var/www/upstream" failed (2: No such file or directory), '
        'client: 192.0.2.7, server: s, request: "GET /upstream HTTP/1.1", host: "h"\n'
        '{0} [error] 5#5: *1 access forbidden by rule, client: 192.0.2.7, server: s, request: "GET /x HTTP/1.1", host: "h"\n'
    ).format(stamp(60)) * 3)
    value = collect(host).value
    assert value["groups"] == []
    assert value["unrecognised"]["count"] == 3
    assert "hunter2" not in json.dumps(value)


def test_secrets_stay(host):
    write(host, refused(path="/a?token=hunter2secret") + refused(path="/u;password=hunter2secret") + refused(peer="user:hunter2secret@127.0.0.1:1"))
    assert "hunter2secret" not in json.dumps(collect(host).value)


def test_forged_record(host):
    # GET /x%0A<record>: nginx writes the decoded path, so the log holds a record that nginx never wrote.
    forged = refused(60, peer="127.0.0.1:6666").rstrip("\n")
    line = (
        '{0} [error] 5#5: *1 open() "/var/www/x\n{1}" failed (2: No such file or directory), client: 192.0.2.7, server: s, '
        'request: "GET /x%0A HTTP/1.1", host: "h"\n'
    )
    write(host, refused() + line.format(stamp(50), forged))
    groups = collect(host).value["groups"]
    assert sorted(group["peer"] for group in groups) == ["127.0.0.1:3000", "127.0.0.1:6666"]


HOSTILE = ["{{ lookup('pipe', 'id') }}", "\x1b]0;owned\x07", "<script>alert(1)</script>", "\x00", "\u202egnp.exe", "\u2066", "\x9b31m", "'; rm -rf /", "\r"]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text(host, words):
    noise = refused(path="/" + words) + refused(peer=words) + refused(client=words)
    noise += refused().replace("shop.example", words) + refused().replace("connect()", words)
    write(host, noise.encode("utf-8") + b"\xff\xfe upstream \xff\n" + words.encode() + b"\n" + refused().encode())
    shown = json.dumps(collect(host).value, ensure_ascii=False)
    for character in "\x1b\x00\x9b\u202e\u2066\x07\r":
        assert character not in shown
    assert '"peer": "127.0.0.1:3000"' in shown


def test_a_line_of_a_megabyte(host):
    write(host, refused() + stamp(50) + " [error] 1#1: *1 upstream " + "x" * (1 << 20) + "\n" + "upstream, " * (1 << 17) + "\n" + refused(40))
    start = time.process_time()
    value = collect(host).value
    assert [group["count"] for group in value["groups"]] == [2]
    assert len(json.dumps(value)) < 20000 and time.process_time() - start < 5


def test_stamps_that_are_no_times(host):
    others = ("9999/////// 99:99:99", "////////// ::::::::", "0000/00/00 00:00:00", "9999/19/39 29:59:69", "2026/13/45 25:61:61")
    bad = [refused().replace(stamp(60), other) for other in others]
    write(host, "".join(bad) + refused())
    group = collect(host).value["groups"][0]
    assert group["first"] is not None and group["first"] <= NOW - 60


def test_many_groups_are_bounded_and_the_frequent_ones_stay(host):
    write(host, "".join(refused(peer="10.0.{0}.{1}:1".format(number // 250, number % 250)) for number in range(3000)) + refused() * 5)
    result = collect(host)
    assert result.truncated
    assert len(result.value["groups"]) == error_log.GROUPS
    assert result.value["groups"][0]["peer"] == "127.0.0.1:3000"


def test_fields_of_a_group_are_bounded(host):
    write(host, "".join(refused(path="/" + "p" * 3000 + str(n), pid=n + 1, method="M" + chr(65 + n)) for n in range(20)))
    group = collect(host).value["groups"][0]
    assert len(group["methods"]) <= error_log.METHODS + 1 and sum(group["methods"].values()) == group["count"]
    assert len(group["pids"]) <= 8 and len(group["paths"]) <= 5 and all(len(path) <= 200 for path in group["paths"])


def test_unix_paths(host):
    write(host, (
        '{0} [error] 5#5: *1 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 192.0.2.7, server: s, '
        'request: "GET /other HTTP/1.1", upstream: "http://unix:/run/app/api/x", host: "h"\n'
    ).format(stamp(60)))
    group = collect(host, unix_paths=["/run", "/run/app"]).value["groups"][0]
    assert (group["peer"], group["class"], group["status"]) == ("unix:/run/app", "read-timeout", 504)


@pytest.mark.parametrize("since, seconds", [("24h", 86400), ("30m", 1800), ("2d", 172800), ("90", 90), ("1.5h", 5400), ("1w", 604800), (3600, 3600)])
def test_window_is_understood(since, seconds):
    assert error_log.window(since) == seconds


@pytest.mark.parametrize("since", ["", "h", "-1h", "24 hours", "0", "1e9", "9999999d", "24h; id", "\u0661h", None])
def test_window_is_refused(since):
    with pytest.raises(ValueError, match="length of time"):
        error_log.window(since)


def test_denied_is_not_empty(host, monkeypatch):
    def refuse(*_unused, **_also):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(error_log.log_files.os, "open", refuse)
    result = collect(host)
    assert result.value["logs"][0]["status"] == evidence.DENIED and result.hidden


def test_time_is_bounded(host, monkeypatch):
    write(host, refused())
    monkeypatch.setattr(error_log, "SECONDS", -1.0)
    result = collect(host)
    assert result.truncated and result.value["logs"][0]["why"]


def test_shapes_are_bounded(host):
    start = time.process_time()
    write(host, "".join(refused(pid=number).replace("connect()", "connect() " + "m" * 3000) for number in range(5000)))
    assert collect(host, limit=1 << 30).value["unrecognised"]["count"] == 5000
    assert time.process_time() - start < 20


def test_memory(host):
    write(host, (refused() * 300) * 200)
    collect(host, limit=1 << 30)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 400 * 1024


# --- lines that are nearly ours, and lines that belong together

CONNECT = (
    '{0} [error] 5#5: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, server: shop.example, '
    'request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:3000/", host: "h"\n'
)


@pytest.mark.parametrize("line", [
    CONNECT.format("2026-11-22 10:27:08"),
    CONNECT.format("2026-11-22T10:27:08.123+01:00"),
    CONNECT.format("26/11/22 10:27:08"),
    CONNECT.format("2026/11/22 10:27:08").replace("[error]", "[fatal]"),
    CONNECT.format("2026/11/22 10:27:08").replace("5#5: ", ""),
    CONNECT.format("2026/11/22 10:27:08").replace("connect() failed", "conect() failed").replace("2026/11/22 10:27:08", stamp(30)),
    CONNECT.format("2026/11/22 10027:08"),
    CONNECT.format(stamp(30)).replace(", client: ", ", clienx: "),
    CONNECT.format(stamp(30)).replace("connect() failed (111: Connection refused) while connecting", "SSL_do_handshake() failed (SSL: x) while SSL handshaking")
    .replace(", client: ", "\xffclient: "),
    CONNECT.format(stamp(30)).replace("[error]", "[alert]").replace("connect() failed (111: Connection refused)", "256 worker_connections are not enough")
    .replace(", client: ", " client: "),
    '2026-11-22 10:27:08 [error] 5#5: *1 limiting requests, excess: 5.1 by zone "a", client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h"\n',
])
def test_a_line_that_is_nearly_a_record_is_counted_and_takes_nothing_from_the_one_before(host, line):
    write(host, refused() + line + refused())
    value = collect(host).value
    assert [(group["class"], group["count"]) for group in value["groups"]] == [("connect-refused", 2)]
    assert value["unrecognised"]["count"] == 1 and value["unrecognised"]["samples"][0][:10] == line[:10]


def test_words_that_only_mention_an_upstream_are_none_of_ours(host):
    write(host, refused() + "dnsmasq: using nameserver of the upstream 10.0.0.2\n" + refused())
    value = collect(host).value
    assert (value["groups"][0]["count"], value["unrecognised"]["count"]) == (2, 0)


def test_crlf(host):
    write(host, (refused() * 3).replace("\n", "\r\n"))
    group = collect(host).value["groups"][0]
    assert (group["class"], group["peer"], group["count"]) == ("connect-refused", "127.0.0.1:3000", 3)


@pytest.mark.parametrize("frame", ["Nov 22 10:27:08 web1 nginx: ", "2026-11-22T10:27:08.123456+00:00 web1 nginx[5]: "])
def test_records_in_syslog_files(host, frame):
    noise = "Nov 22 10:27:08 web1 sshd[9]: Failed password for root from 192.0.2.1 port 22 ssh2\n"
    write(host, (frame + refused() + noise) * 2000)
    value = collect(host).value
    assert [(group["class"], group["count"], group["last"]) for group in value["groups"]] == [("connect-refused", 2000, NOW - 60)]
    assert value["unrecognised"]["count"] == 0


def test_records_in_the_log_of_a_container_engine(host):
    # The container has a zone of its own; the engine writes UTC.
    when = time.strftime("%Y-%m-%dT%H:%M:%S.1Z", time.gmtime(NOW - 60))
    line = json.dumps({"log": refused(60 + 9 * 3600), "stream": "stderr", "time": when}, separators=(",", ":")) + "\n"
    write(host, line * 2000 + '{"log":"broken\n')
    value = collect(host, since=3600.0).value
    assert [(group["class"], group["count"], group["last"]) for group in value["groups"]] == [("connect-refused", 2000, NOW - 60)]


def test_rotated_and_packed_logs_of_a_container_engine(host):
    path = os.path.dirname(LOG) + "/ab-json.log"

    def line(ago):
        return json.dumps({"log": refused(ago), "stream": "stderr", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - ago))}) + "\n"

    lines = [line(ago).replace('": ', '":').replace('", "', '","') for ago in (60, 3600, 7200)]
    write(host, lines[0], path)
    write(host, lines[1], path + ".1", age=3600)
    write(host, gzip.compress(lines[2].encode()), path + ".2.gz", age=7200)
    value = collect(host, logs=(path,)).value
    assert [entry["path"] for entry in value["logs"]] == [path, path + ".1", path + ".2.gz"]
    assert [(group["count"], group["first"], group["last"]) for group in value["groups"]] == [(3, NOW - 7200, NOW - 60)]


def test_records_in_the_log_of_a_container_runtime(host):
    when = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(NOW - 60))
    write(host, (when + " stderr F " + refused(60 - 5 * 3600)) * 2000 + when + ' stdout F 10.0.0.1 - - "GET / HTTP/1.1" 200\n')
    value = collect(host, since=3600.0).value
    assert [(group["class"], group["count"], group["last"]) for group in value["groups"]] == [("connect-refused", 2000, NOW - 60)]


# --- logs that are kept elsewhere

def test_journal(host, monkeypatch):
    os.makedirs(host.path("/proc/7/fd"))
    os.symlink("socket:[1]", host.path("/proc/7/fd/2"))
    said = "web1 nginx: " + refused() + "Started nginx.service - A high performance web server.\n" + refused()
    monkeypatch.setattr(host, "run", lambda argv, timeout, limit: _host.Output(0, said.encode(), b""))
    logs = [{"path": path, "pid": 7, "unit": "nginx.service", "level": "error", "block": path} for path in ("stderr", "/dev/stderr")]
    value = error_log.collect(host, logs).value
    assert [group["count"] for group in value["groups"]] == [2]
    assert [(entry["path"], entry["status"]) for entry in value["logs"]] == [("journal of nginx.service", "ok")]
    assert value["unseen"] == []


def test_journal_that_does_not_answer_is_said(host, monkeypatch):
    os.makedirs(host.path("/proc/7/fd"))
    os.symlink("socket:[1]", host.path("/proc/7/fd/2"))

    def run(argv, timeout, limit):
        raise evidence.Unanswered(evidence.TIMEOUT, "journalctl gave no answer in 10 s")
    monkeypatch.setattr(host, "run", run)
    result = error_log.collect(host, [{"path": "stderr", "pid": 7, "unit": "nginx.service"}])
    assert result.value["logs"][0]["status"] == "timeout" and result.hidden


def test_a_link_to_a_standard_stream_is_followed_to_where_that_leads(host):
    os.symlink("/dev/stderr", host.path(LOG))
    os.makedirs(host.path("/proc/7/fd"))
    write(host, refused(), "/var/log/nginx/out.log")
    os.symlink("/var/log/nginx/out.log", host.path("/proc/7/fd/2"))
    value = error_log.collect(host, [{"path": LOG, "pid": 7}]).value
    assert value["groups"][0]["count"] == 1


@pytest.mark.parametrize("logs, unseen", [
    ([("/dev/null", "crit", "a")], ["/dev/null"]),
    ([("memory:32m", "debug", "a")], ["memory:32m"]),
    ([(LOG, "crit", "a")], [LOG]),
    ([(LOG, "alert", "a"), ("/var/log/nginx/b.log", "emerg", "b")], [LOG, "/var/log/nginx/b.log"]),
    ([(LOG, "crit", "a"), ("/var/log/nginx/b.log", "warn", "a")], []),
    ([(LOG, "error", "a")], []),
])
def test_what_no_log_can_show_is_said(host, logs, unseen):
    write(host, refused())
    write(host, refused(), "/var/log/nginx/b.log")
    value = error_log.collect(host, [{"path": path, "level": level, "block": block} for path, level, block in logs]).value
    assert [item["path"] for item in value["unseen"]] == unseen and all(item["why"] for item in value["unseen"])


def test_only_rotated_files_are_there(host):
    with gzip.open(host.path(LOG + ".1.gz"), "wb") as file:
        file.write(refused(7200).encode())
    value = collect(host).value
    assert [(entry["path"], entry["status"]) for entry in value["logs"]] == [(LOG, "absent"), (LOG + ".1.gz", "ok")]
    assert value["groups"][0]["count"] == 1


def test_the_zone_of_a_container_is_its_own(host):
    os.makedirs(host.path("/proc/7/root/var/log/nginx"))
    there = "/proc/7/root" + LOG
    write(host, refused(7200 + 600) + refused(7200), there)
    os.utime(host.path(there), (NOW - 1, NOW - 1))
    value = error_log.collect(host, [{"path": LOG, "pid": 7, "root": "/proc/7/root"}], since=3600.0).value
    assert [(group["count"], group["last"]) for group in value["groups"]] == [(2, NOW)]


def test_every_message_of_the_catalogue_is_found_in_a_log(host):
    with open(RECORDED.replace("recorded_lines", "messages"), encoding="utf-8") as file:
        rows = json.load(file)
    expected, lines = {}, []
    for message, phase, kind, level, name, _status in rows:
        if name is None or level in ("notice", "emerg"):
            continue
        context = {
            "http": ', client: 192.0.2.7, server: s, request: "GET /api?x=1 HTTP/1.1"'
                    + (', upstream: "http://127.0.0.1:3000/api"' if phase else "") + ', host: "h"',
            "stream": ', client: 192.0.2.7, server: 0.0.0.0:1234, upstream: "127.0.0.1:7", bytes from/to client:0/0, bytes from/to upstream:0/0',
            "none": ", resolver: 127.0.0.1:53" if phase == "resolving" else "",
        }[kind]
        words = message + (" while " + phase if phase else "") + context
        lines.append("{0} [{1}] 5#5: {2}{3}\n".format(stamp(60), level, "" if kind == "none" else "*1 ", words))
        expected[name] = expected.get(name, 0) + 1
    write(host, "".join(lines))
    found = {}
    for group in collect(host).value["groups"]:
        found[group["class"]] = found.get(group["class"], 0) + group["count"]
    assert found == expected


def test_sessions_of_the_stream_module_and_debug_records_are_quick(host):
    session = (
        '{0} [error] 5#5: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, server: 0.0.0.0:1234, '
        'upstream: "{1}", bytes from/to client:0/0, bytes from/to upstream:0/0\n'
    )
    debug = "{0} [debug] 5#5: *1 http upstream request: \"/x?\"\n".format(stamp(60))
    write(host, (session.format(stamp(60), "127.0.0.1:7") + session.format(stamp(50), "unix:/run/x.sock") + debug * 3) * 20000)
    start = time.process_time()
    value = collect(host, limit=1 << 30).value
    rows = sorted((group["peer"], group["scheme"], group["status"], group["count"], group["methods"], group["paths"]) for group in value["groups"])
    assert rows == [("127.0.0.1:7", "stream", None, 20000, {}, []), ("unix:/run/x.sock", "stream", None, 20000, {}, [])]
    assert value["unrecognised"]["count"] == 0 and time.process_time() - start < 2


def test_logs_of_one_block_hold_the_same_records(host):
    write(host, refused())
    write(host, refused(), "/var/log/nginx/b.log")
    logs = [{"path": path, "level": "error", "block": "a"} for path in ("syslog:server=192.0.2.9:514", LOG, "/var/log/nginx/b.log")]
    value = error_log.collect(host, logs).value
    assert [group["count"] for group in value["groups"]] == [1]
    assert [entry["status"] for entry in value["logs"]] == ["ok", "absent", "absent"] and "same records" in value["logs"][1]["why"]
    assert value["unseen"] == []
    logs[1]["level"] = "crit"
    assert [group["count"] for group in error_log.collect(host, logs).value["groups"]] == [2]
    os.unlink(host.path(LOG))
    assert [group["count"] for group in error_log.collect(host, logs).value["groups"]] == [1]
