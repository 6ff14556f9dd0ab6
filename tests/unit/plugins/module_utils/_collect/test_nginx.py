# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding nginx: titles, options, builds, paths, identities, and a whole host in a folder."""

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx

PROGRAM = b"\x7fELF\0nginx version: nginx/1.22.1\n\0configure arguments: --with-cc-opt='-g -O2' --prefix=/usr/share/nginx" \
    b" --conf-path=/etc/nginx/nginx.conf --error-log-path=/var/log/nginx/error.log --user=web\n\0"
CONFIGURATION = b"""user www-data;
error_log /var/log/nginx/error.log warn;
http {
    include sites/*;
    map $http_x_key $client { include keys; }
}
"""


def process(pid, ppid, argv, uid=0, exe="/usr/sbin/nginx"):
    one = _processes.Process()
    one.pid, one.ppid, one.comm, one.argv, one.exe, one.deleted = pid, ppid, "nginx", argv, exe, False
    one.uid, one.gid, one.groups, one.started = uid, uid, [uid], 1.0
    one.unit, one.container, one.net, one.mnt = "", "", "1", "2"
    return one


@pytest.fixture
def host(tmp_path, monkeypatch):
    files = {
        "usr/sbin/nginx": PROGRAM, "etc/nginx/nginx.conf": CONFIGURATION, "etc/nginx/sites/shop": b"server { error_log e.log; listen 80; }",
        "etc/nginx/keys": b"hunter22 shop;\n", "etc/passwd": b"www-data:x:33:33::/:/x\nweb:x:44:44::/:/x\n",
        "etc/group": b"www-data:x:33:\nssl:x:7:www-data\nweb:x:44:\n",
        "proc/10/exe": PROGRAM,
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "proc/10/cwd").symlink_to("/")
    (tmp_path / "proc/20").mkdir()
    monkeypatch.setattr(_inside, "same_root", lambda pid: True)
    return _host.Host(str(tmp_path))


def collect(host, *processes):
    found = _processes.Processes({one.pid: one for one in processes}, net="1", mnt="2")
    return nginx.collect(host, text.Redactor("key"), found, test=False).value["instances"]


def test_a_running_one(host):
    master = process(10, 1, ["nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"])
    workers = [process(11, 10, ["nginx: worker process"], 33), process(12, 10, ["nginx: worker process is shutting down"], 33)]
    (instance,) = collect(host, master, *(workers + [process(13, 10, ["nginx: cache manager process"], 33)]))
    assert (instance["id"], instance["running"], instance["prefix"]) == ("/etc/nginx/nginx.conf", True, "/usr/share/nginx")
    assert instance["master"]["argv"] == ["/usr/sbin/nginx", "-g", "daemon on; master_process on;"]
    assert [(worker["pid"], worker["shutting_down"]) for worker in instance["workers"]] == [(11, False), (12, True)]
    assert instance["identity"] == {"user": "www-data", "uid": 33, "gid": 33, "groups": [33], "from": "worker"}
    assert instance["groups_after_reload"] == [7, 33]
    assert instance["build"]["value"]["version"] == "1.22.1"
    assert [log["path"] for log in instance["error_logs"]] == ["/var/log/nginx/error.log", "/usr/share/nginx/e.log"]
    assert instance["error_logs"][1]["at"] == {"file": "/etc/nginx/sites/shop", "line": 1}
    keys = [file for file in instance["files"] if file["path"] == "/etc/nginx/keys"][0]
    assert b"hunter22" not in base64.b64decode(keys["content"])
    assert len(keys["sha256"]) == 64


def test_a_stopped_one(host):
    (instance,) = collect(host)
    assert (instance["running"], instance["master"], instance["workers"]) == (False, None, [])
    assert instance["identity"] == {"user": "www-data", "uid": 33, "gid": 33, "groups": [7, 33], "from": "configuration"}
    assert instance["groups_after_reload"] == []


def test_the_build_names_the_user_when_the_configuration_does_not(host):
    with open(host.path("/etc/nginx/nginx.conf"), "wb") as file:
        file.write(b"http { user_x y; }")
    (instance,) = collect(host)
    assert instance["identity"] == {"user": "web", "uid": 44, "gid": 44, "groups": [44], "from": "build"}
    assert instance["error_logs"] == [{"path": "/var/log/nginx/error.log", "level": "error", "at": None, "block": "main"}]


def test_no_nginx_is_absent(tmp_path):
    with pytest.raises(evidence.Unanswered) as caught:
        collect(_host.Host(str(tmp_path)))
    assert caught.value.status == evidence.ABSENT


def test_others_are_not_nginx(tmp_path):
    others = [process(5, 1, ["grep", "nginx: master process"], exe="/bin/grep")]
    others += [process(6, 1, ["/usr/sbin/nginx", "-s", "reload"]), process(7, 1, ["nginx", "-t"])]
    with pytest.raises(evidence.Unanswered):
        collect(_host.Host(str(tmp_path)), *others)


def test_a_broken_file_says_where(host):
    with open(host.path("/etc/nginx/nginx.conf"), "wb") as file:
        file.write(b"user www-data;\n}\nsecret_word hunter22;")
    (instance,) = collect(host)
    assert instance["files"][0]["error"] == {"text": 'unexpected "}"', "line": 2}
    assert b"hunter22" not in base64.b64decode(instance["files"][0]["content"])


def test_two_of_the_same_configuration_have_two_ids(host):
    one, two = process(10, 1, ["nginx: master process nginx"]), process(20, 10, ["nginx: master process nginx"])
    assert [instance["id"] for instance in collect(host, one, two)] == ["/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf (pid 20)"]


def test_of_containers_the_id_tells_which(host):
    """A pid would be another one each time that the container is started."""
    found = [process(pid, 1, ["nginx: master process nginx"]) for pid in (10, 20)]
    found[1].container = "ab" * 32
    assert [instance["id"] for instance in collect(host, *found)] == ["/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf (container abababababab)"]


def test_tests_that_take_long_are_not_made_for_all(host, monkeypatch):
    monkeypatch.setattr(nginx, "TESTS_SECONDS", 0.0)
    found = _processes.Processes({10: process(10, 1, ["nginx: master process nginx"])}, net="1", mnt="2")
    (instance,) = nginx.collect(host, text.Redactor("key"), found).value["instances"]
    assert instance["test"]["status"] == "timeout"


def test_one_that_ended_meanwhile_does_not_run(host):
    assert [instance["running"] for instance in collect(host, process(30, 1, ["nginx: master process nginx"]))] == [False]


def test_files_of_a_container_that_may_not_be_entered_are_not_ours(host, monkeypatch):
    def denied(*_args, **_kwargs):
        raise evidence.Unanswered(evidence.DENIED, "not root")

    monkeypatch.setattr(_inside, "same_root", denied)
    monkeypatch.setattr(_inside, "call", denied)
    master = process(10, 1, ["nginx: master process nginx"])
    master.container = "0123"
    (instance,) = collect(host, master)
    assert [(file["status"], file["content"]) for file in instance["files"]] == [("denied", "")]
    assert instance["master"]["own_root"]
    master.container = ""
    assert collect(host, master)[0]["files"][0]["status"] == "ok"


def test_a_single_process_is_its_own_worker(host):
    (instance,) = collect(host, process(10, 1, ["nginx", "-g", "daemon off; master_process off;"], 1000))
    assert [worker["pid"] for worker in instance["workers"]] == [10]
    assert instance["identity"]["uid"] == 1000


@pytest.mark.parametrize("rest, options", [
    ("/usr/sbin/nginx -g daemon on; master_process on;", {"g": "daemon on; master_process on;"}),
    ("nginx -p /srv/x -c conf/a.conf", {"p": "/srv/x", "c": "conf/a.conf"}),
    ("nginx -c /a b/c.conf -g daemon off;", {"c": "/a b/c.conf", "g": "daemon off;"}),
    ("./nginx -e stderr", {"e": "stderr"}),
    ("nginx", {}),
])
def test_titles(rest, options):
    assert nginx.parse_title(rest)[1] == options


@pytest.mark.parametrize("words, options", [
    (["-c", "/x", "-p", "/y"], {"c": "/x", "p": "/y"}),
    (["-c/x"], {"c": "/x"}),
    (["-qc", "/x"], {"q": "", "c": "/x"}),
    (["-s", "reload"], {"s": "reload"}),
    (["-c"], {}),
])
def test_options(words, options):
    assert nginx.parse_options(words) == options


@pytest.mark.parametrize("says, product, version", [
    (b"nginx version: openresty/1.21.4.1\n", "openresty", "1.21.4.1"),
    (b"Angie version: Angie/1.4.0\n", "Angie", "1.4.0"),
    (b"Tengine version: Tengine/2.3.3\n", "Tengine", "2.3.3"),
    (b"nginx version: nginx/1.26.0 (Ubuntu)\n", "nginx", "1.26.0 (Ubuntu)"),
])
def test_builds(says, product, version):
    build = nginx.read_build(b"\0" + says + b"\0configure arguments:\n\0")
    assert (build["product"], build["version"], build["conf_path"], build["user"]) == (product, version, "conf/nginx.conf", "nobody")


def test_a_program_without_a_version_is_an_error():
    with pytest.raises(evidence.Unanswered):
        nginx.read_build(b"\x7fELF")


def test_units():
    unit = nginx._unit({
        "Id": "nginx.service", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "UnitFileState": "enabled",
        "ExecStart": "{ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -c /etc/x.conf -g daemon on; master_process on; ; ignore_errors=no ; pid=0 }",
    })
    assert unit["command"][:3] == ["/usr/sbin/nginx", "-c", "/etc/x.conf"]
    assert (unit["active"], unit["result"]) == ("failed", "exit-code")


def test_access_logs_and_formats(host):
    files = {
        "/etc/nginx/nginx.conf": b"http { log_format timed escape=json '$status\t' '$request'; include sites/*; access_log /var/log/nginx/all.log; }\n"
                                 b"stream { log_format timed '$bytes'; access_log /var/log/nginx/tcp.log timed; }\n",
        "/etc/nginx/sites/shop": b"server { listen 80; server_name shop.example www.shop.example; access_log logs/shop.log timed buffer=32k;\n"
                                 b"location /a { access_log off; }\nlocation /b { access_log syslog:server=unix:/dev/log timed if=$slow; } }\n",
    }
    for path, content in files.items():
        with open(host.path(path), "wb") as file:
            file.write(content)
    (instance,) = collect(host)
    assert instance["log_formats"] == {"timed": "$status\\t$request"}
    rows = {(log["path"], log["format"], log["some"], tuple(log["names"])) for log in instance["access_logs"]}
    names = ("shop.example", "www.shop.example")
    assert rows == {
        ("/var/log/nginx/all.log", "combined", False, ()), ("/usr/share/nginx/logs/shop.log", "timed", False, names),
        ("syslog:server=unix:/dev/log", "timed", True, names),
    }


def test_the_access_log_of_the_build(host):
    with open(host.path("/etc/nginx/nginx.conf"), "wb") as file:
        file.write(b"http { server { listen 80; access_log /a.log; } }")
    (instance,) = collect(host)
    default = instance["build"]["value"]["http_log_path"]
    assert [log["path"].endswith(path) for log, path in zip(instance["access_logs"], ("/a.log", default))] == [True, True]


def test_blocks_of_error_logs(host):
    with open(host.path("/etc/nginx/nginx.conf"), "wb") as file:
        file.write(b"error_log /m.log;\nhttp {\nerror_log /h.log crit; error_log /h2.log;\nserver { error_log /dev/null; } }")
    (instance,) = collect(host)
    path = "/etc/nginx/nginx.conf:"
    assert [(log["path"], log["block"]) for log in instance["error_logs"]] == [
        ("/m.log", "main"), ("/h.log", path + "2"), ("/h2.log", path + "2"), ("/dev/null", path + "4")]
