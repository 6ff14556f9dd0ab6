# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading access logs: in the format of the configuration, over a window, within bounds, whatever stands in them."""

import gzip
import json
import os
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import access_log

NOW = 1700000000.0
LOG = "/var/log/nginx/access.log"
TIMED = access_log.COMBINED + ' $upstream_addr $upstream_status $upstream_header_time $upstream_response_time $request_time'
JSON = (
    '{"at":"$time_iso8601","host":"$host","request":"$request","status":$status,"took":"$request_time","upstream":"$upstream_addr",'
    '"upstream_status":"$upstream_status","bytes":"$upstream_response_length","agent":"$http_user_agent"}'
)


class Host(_host.Host):
    def now(self):
        return NOW


@pytest.fixture
def host(tmp_path):
    (tmp_path / "var/log/nginx").mkdir(parents=True)
    return Host(str(tmp_path))


def write(host, content, path=LOG, age=0.0):
    place = host.path(path)
    with open(place, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8"))
    os.utime(place, (NOW - age, NOW - age))


def at(ago, zone=0):
    moment = time.gmtime(NOW - ago + zone * 3600)
    return time.strftime("%d/%b/%Y:%H:%M:%S ", moment) + "{0}{1:02d}00".format("-" if zone < 0 else "+", abs(zone))


def visit(status=502, ago=60, path="/cart/7?token=hunter2secret", tail="", method="GET", zone=0, agent="curl/8"):
    return '192.0.2.7 - - [{0}] "{1} {2} HTTP/1.1" {3} 157 "-" "{5}"{4}\n'.format(at(ago, zone), method, path, status, tail, agent)


def collect(host, written=None, since=3600.0, logs=None, **limits):
    log = {"path": LOG, "format": "x" if written else "combined", "text": written, "names": [], "some": False}
    result = access_log.collect(host, [dict(log, **each) for each in logs or [{}]], since, text.Redactor("key"), **limits)
    json.dumps(result.value)
    return result


def test_combined(host):
    write(host, visit(200) * 3 + visit(502, 90) + visit(502, 60, "/cart/8", method="POST") + visit(504, 30, "/report") + visit(404) + visit(200, path="/502"))
    value = collect(host).value
    rows = [(group["status"], group["prefix"], group["count"], group["methods"], group["made_by"], group["first"], group["last"]) for group in value["groups"]]
    assert rows == [(502, "/cart", 2, {"GET": 1, "POST": 1}, "", NOW - 90, NOW - 60), (504, "/report", 1, {"GET": 1}, "", NOW - 30, NOW - 30)]
    assert value["groups"][0]["paths"] == ["/cart/7", "/cart/8"]
    (log,) = value["logs"]
    assert (log["requests"], log["failed"], log["unparsed"], log["truncated"]) == (8, 3, 0, False)
    assert "hunter2secret" not in json.dumps(value)


@pytest.mark.parametrize("tail, made_by, upstream, upstream_status, tries", [
    (" 127.0.0.1:3000 502 0.004 0.004 0.004", "backend", "127.0.0.1:3000", 502, 1),
    (" 127.0.0.1:3000 502 - 0.000 0.000", "nginx", "127.0.0.1:3000", 502, 1),
    (" 127.0.0.1:3000, 127.0.0.1:3001 502, 502 -, 0.003 0.000, 0.003 0.003", "backend", "127.0.0.1:3001", 502, 2),
    (" 127.0.0.1:3000, unix:/run/a.sock : unix:/run/b.sock 502, 502 : 502 -, - : - 0.000, 0.000 : 0.000 0.003", "nginx", "unix:/run/b.sock", 502, 3),
    (" - - - - 0.000", "nginx", "", None, 1),
    (" shop 502 - 0.000 0.000", "nginx", "shop", 502, 1),
    (" 127.0.0.1:3000 200 0.004 0.004 0.004", "", "127.0.0.1:3000", 200, 1),
])
def test_who_made_it(host, tail, made_by, upstream, upstream_status, tries):
    write(host, visit(tail=tail))
    (group,) = collect(host, TIMED).value["groups"]
    assert (group["made_by"], group["upstream"], group["upstream_status"], group["tries"]) == (made_by, upstream, upstream_status, tries)


@pytest.mark.parametrize("length, made_by", [("157", "backend"), ("0", ""), ("", "")])
def test_json(host, length, made_by):
    line = json.dumps({
        "at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 60)), "host": "shop.example",
        "request": "GET /a HTTP/1.1", "status": 502, "took": "0.100",
        "upstream": "127.0.0.1:3000", "upstream_status": "502", "bytes": length, "agent": 'a "quoted" \\ one',
    }, separators=(",", ":")) + "\n"
    write(host, line)
    value = collect(host, JSON).value
    assert value["logs"][0]["unparsed"] == 0
    (group,) = value["groups"]
    assert (group["host"], group["last"], group["request_time"], group["made_by"]) == ("shop.example", NOW - 60, 0.1, made_by)


def test_zones_and_msec(host):
    write(host, visit(ago=60, zone=2) + visit(ago=90, zone=-7))
    (group,) = collect(host).value["groups"]
    assert (group["first"], group["last"]) == (NOW - 90, NOW - 60)
    write(host, "1699999940.123|502|GET /x HTTP/1.0\n")
    assert collect(host, "$msec|$status|$request").value["groups"][0]["last"] == 1699999940.123


def test_window(host):
    write(host, visit(200, 90000) * 5 + visit(502, 7200) * 5 + visit(200, 1800) * 4 + visit(502, 60))
    value = collect(host).value
    assert [group["count"] for group in value["groups"]] == [1]
    assert (value["logs"][0]["requests"], value["logs"][0]["failed"]) == (5, 1)


def test_rotated(host):
    write(host, visit(ago=60))
    write(host, visit(ago=1800) + visit(200, 1700), LOG + ".1", age=1700)
    with gzip.open(host.path(LOG + ".2.gz"), "wb") as file:
        file.write((visit(ago=9000) + visit(ago=2000)).encode())
    os.utime(host.path(LOG + ".2.gz"), (NOW - 2000, NOW - 2000))
    value = collect(host).value
    assert [log["path"] for log in value["logs"]] == [LOG, LOG + ".1", LOG + ".2.gz"]
    assert sum(group["count"] for group in value["groups"]) == 3


def test_bounds(host):
    write(host, visit() * 20000)
    result = collect(host, limit=100000)
    assert result.truncated and result.value["logs"][0]["read"] == 100000
    write(host, visit() * 20000, "/var/log/nginx/b.log")
    result = collect(host, logs=[{}, {"path": "/var/log/nginx/b.log"}], limit=100000, limit_of_all=150000)
    assert [log["read"] for log in result.value["logs"]] == [100000, 50000]
    write(host, "".join(visit(path="/p{0}/x".format(number)) for number in range(2000)))
    result = collect(host)
    assert result.truncated and len(result.value["groups"]) == access_log.GROUPS


@pytest.mark.parametrize("log, why", [
    ({"path": "/var/log/nginx/$host.log"}, "variables"), ({"path": "syslog:server=unix:/dev/log"}, "syslog"), ({"path": "/dev/null"}, "read back"),
    ({"text": "$remote_addr $request"}, "$status"),
])
def test_what_is_not_read_is_said(host, log, why):
    write(host, visit())
    (entry,) = collect(host, logs=[log]).value["logs"]
    assert entry["status"] == "absent" and why in entry["why"]


def test_server_of_a_log(host):
    write(host, visit())
    assert collect(host, logs=[{"names": ["shop.example", "www.shop.example"]}]).value["groups"][0]["server"] == "shop.example"
    assert collect(host, logs=[{"names": ["shop.example"]}, {"names": ["other.example"]}]).value["groups"][0]["server"] == ""


def test_formats_that_cannot_be_told_apart(host):
    for written in ("$status$request", "$request", "", "$remote_addr$remote_port $status"):
        assert access_log.compiled(written) is None or "$status$request" == written
    expression, names = access_log.compiled("${status}ms\t$request")
    assert names == {"status", "request"} and expression.match(b"502ms\tGET / HTTP/1.1")


@pytest.mark.parametrize("words", ["{{ lookup('pipe', 'id') }}", "\x1b]0;owned\x07", "\x00", "\u202egnp.exe", "'; rm -rf /", "\r", " 502 502 " * 300])
def test_hostile_text(host, words):
    noise = visit(path="/" + words) + visit(agent=words) + visit(method=words) + words + "\n"
    write(host, noise.encode("utf-8") + b"\xff\xfe 502 \xff\n" + visit().encode())
    start = time.process_time()
    shown = json.dumps(collect(host).value, ensure_ascii=False)
    for character in "\x1b\x00\x9b\u202e\x07\r":
        assert character not in shown
    assert '"/cart/7"' in shown and time.process_time() - start < 2


@pytest.mark.parametrize("word", [
    "99/Foo/0000:99:99:99 +9999", "00/Jan/0000:00:00:00 +0000", "31/Feb/2026:29:61:61 -9900", "0000-00-00T00:00:00+00:00", "9999-99-99T99:99:99-99:99",
    "1.2.3", ".",
])
def test_times_that_are_none(word):
    moment = access_log._time(word)
    assert moment is None or isinstance(moment, float)


@pytest.mark.parametrize("filler", ["a, ", "a : ", '"', " ", "\\", "502 ", "- "])
def test_hostile_repetition_is_quick(host, filler):
    start = time.process_time()
    write(host, (visit(tail=" " + filler * 1200) + visit(path="/" + filler * 1200, tail=" x")) * 20)
    collect(host, TIMED)
    collect(host, JSON)
    assert time.process_time() - start < 3


def test_a_link_of_another_user_is_not_followed(host, monkeypatch):
    write(host, "root:x 502\n", "/var/log/nginx/secret")
    os.symlink("/var/log/nginx/secret", host.path(LOG))
    if os.geteuid() == 0:
        os.chown(host.path(LOG), 33, 33, follow_symlinks=False)
    else:
        monkeypatch.setattr(access_log.log_files.os, "geteuid", lambda: 4242)
    result = collect(host)
    assert result.value["logs"][0]["status"] == "denied" and result.hidden


def test_standard_output_of_a_container(host):
    os.makedirs(host.path("/proc/7/fd"))
    os.symlink("pipe:[1]", host.path("/proc/7/fd/1"))
    os.symlink("/dev/stdout", host.path(LOG))
    name = "b" * 64
    kept = "/var/lib/docker/containers/{0}/{0}-json.log".format(name)
    os.makedirs(os.path.dirname(host.path(kept)))
    error = "2026/11/22 10:27:08 [error] 5#5: *1 connect() failed (111: x) while connecting to upstream\n"
    write(host, "".join(json.dumps({"log": line, "stream": "x"}, separators=(",", ":")) + "\n" for line in (visit(), error, visit(200))), kept)
    value = collect(host, logs=[{"pid": 7, "container": name}] * 2).value
    assert [(log["path"], log["status"], log["some"]) for log in value["logs"]] == [(LOG, "absent", False), (kept, "ok", True)]
    assert [group["count"] for group in value["groups"]] == [1]
