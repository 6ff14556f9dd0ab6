# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PHP-FPM: the layouts of packagers, the rules of its configuration (checked with php-fpm8.2 -tt), what runs."""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import php_fpm
from ansible_collections.webops.bad_gateway.plugins.module_utils._evidence import Unanswered
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self

WWW = """; pool
[www]
user = www-data
listen = /run/php/php8.2-fpm.sock ; where nginx looks
listen.owner = www-data
listen.mode = "0660"
listen.acl_users = nginx, www-data
pm = dynamic
pm.max_children = 5
request_terminate_timeout = 2m
ping.path = /ping
php_admin_value[memory_limit] = 32M
"""


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    add_self(tmp_path)
    add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    return tmp_path


def write(root, path, content):
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())


def debian(root, version="8.2", pool=WWW):
    write(root, f"/etc/php/{version}/fpm/php-fpm.conf", f"[global]\npid = /run/x.pid\ninclude=/etc/php/{version}/fpm/pool.d/*.conf\n")
    write(root, f"/etc/php/{version}/fpm/pool.d/www.conf", pool)


def collect(root):
    host = Host(str(root))
    return php_fpm.collect(host, _processes.scan(host, booted=0.0))


def test_a_pool_is_told_whole(root):
    debian(root)
    write(root, "/usr/sbin/php-fpm8.2", "")
    write(root, "/usr/lib/systemd/system/php8.2-fpm.service", "")
    add_process(root, 70, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)" + b" " * 40], exe=b"/usr/sbin/php-fpm8.2", uid=0)
    add_process(root, 71, [b"php-fpm: pool www"], exe=b"/usr/sbin/php-fpm8.2", ppid=70)
    answer = collect(root)
    assert answer.value["versions"] == [{
        "version": "8.2", "binary": "/usr/sbin/php-fpm8.2", "configuration": "/etc/php/8.2/fpm/php-fpm.conf",
        "unit": "php8.2-fpm.service", "running": True, "pid": 70, "error_log": "/var/log/php-fpm.log", "process_control_timeout": 0.0,
    }]
    assert answer.value["pools"] == [{
        "name": "www", "version": "8.2", "at": {"file": "/etc/php/8.2/fpm/pool.d/www.conf", "line": 2}, "roots": True,
        "listen": "unix:/run/php/php8.2-fpm.sock", "listen_at": {"file": "/etc/php/8.2/fpm/pool.d/www.conf", "line": 4},
        "owner": "www-data", "group": "", "mode": "0660", "acl_users": ["nginx", "www-data"], "acl_groups": [], "user": "www-data",
        "pm": "dynamic", "max_children": 5, "request_terminate_timeout": 120.0, "ping_path": "/ping", "status_path": "",
        "status_listen": "", "slowlog": "", "request_slowlog_timeout": 0.0,
        "unit": "php8.2-fpm.service", "running": True,
    }]
    assert answer.hidden == () and not answer.truncated


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_pool_in_a_file_of_another_user(root):
    debian(root)
    os.chown(str(root / "etc/php/8.2/fpm/pool.d/www.conf"), 1000, 1000)
    assert [pool["roots"] for pool in collect(root).value["pools"]] == [False]


def test_a_program_of_another_user_is_none_for_root_to_run(root):
    debian(root)
    write(root, "/usr/sbin/php-fpm8.2", "")
    write(root, "/home/x/fpm.conf", "include=/etc/php/8.2/fpm/pool.d/www.conf\n")
    add_process(root, 60, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], exe=b"/home/x/php-fpm8.2", uid=1000)
    add_process(root, 61, [b"php-fpm: master process (/home/x/fpm.conf)"], exe=b"/home/x/php-fpm8.2", uid=1000)
    add_process(root, 70, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], exe=b"/usr/sbin/php-fpm8.2", uid=0)
    versions = collect(root).value["versions"]
    assert [(version["binary"], version["pid"]) for version in versions] == [("/usr/sbin/php-fpm8.2", 70), ("", 61)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("pm.status_listen = 9001\nslowlog = /var/log/$pool.slow\nrequest_slowlog_timeout = 2s", ("*:9001", "/var/log/www.slow", 2.0)),
        ("pm.status_listen = /run/status.sock\nslowlog = log/slow", ("unix:/run/status.sock", "/usr/log/slow", 0.0)),
        ("prefix = /srv\nslowlog = slow", ("", "/srv/slow", 0.0)),
        ("slowlog = ${HOME}/slow", ("", "", 0.0)),
    ],
)
def test_where_a_pool_tells_of_itself(root, written, expected):
    debian(root, pool=WWW + "pm.status_path = /status\n" + written + "\n")
    (pool,) = collect(root).value["pools"]
    assert (pool["status_listen"], pool["slowlog"], pool["request_slowlog_timeout"]) == expected
    assert pool["status_path"] == "/status"


def test_configuration_left_behind_by_a_removed_version_has_no_program(root):
    debian(root, "8.1")
    assert [(version["binary"], version["unit"], version["running"]) for version in collect(root).value["versions"]] == [("", "", False)]


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/etc/php-fpm.conf", ""),
        ("/etc/opt/remi/php82/php-fpm.conf", "8.2"),
        ("/etc/php83/php-fpm.conf", "8.3"),
        ("/usr/local/etc/php-fpm.conf", ""),
    ],
)
def test_the_layouts_of_other_packagers(root, path, version):
    write(root, path, "include=" + path.rpartition("/")[0] + "/php-fpm.d/*.conf\n")
    write(root, path.rpartition("/")[0] + "/php-fpm.d/www.conf", "[www]\nlisten = 9000\n")
    value = collect(root).value
    assert [entry["version"] for entry in value["versions"]] == [version]
    assert [pool["listen"] for pool in value["pools"]] == ["*:9000"]


def test_a_master_with_a_configuration_of_its_own_is_found(root):
    write(root, "/srv/fpm.conf", "[a]\nlisten = 127.0.0.1:9001\n")
    add_process(root, 70, [b"php-fpm: master process (/srv/fpm.conf)"], exe=b"/opt/php/sbin/php-fpm8.3", cgroup="0::/system.slice/my-fpm.service", uid=0)
    value = collect(root).value
    assert value["versions"][0] == {
        "version": "8.3", "binary": "/opt/php/sbin/php-fpm8.3", "configuration": "/srv/fpm.conf", "unit": "my-fpm.service", "running": True, "pid": 70,
        "error_log": "/opt/php/var/log/php-fpm.log", "process_control_timeout": 0.0,
    }
    assert value["pools"][0]["unit"] == "my-fpm.service"


def test_a_title_alone_makes_no_master(root):
    write(root, "/etc/shadow.conf", "[a]\nlisten = 1\n")
    add_process(root, 70, [b"php-fpm: master process (/etc/shadow.conf)"], exe=b"/home/eve/liar")
    with pytest.raises(Unanswered) as caught:
        collect(root)
    assert caught.value.status == "absent"


def test_a_master_in_a_container_is_said_and_not_read(root):
    add_process(root, 70, [b"php-fpm: master process (/usr/local/etc/php-fpm.conf)"], exe=b"/usr/local/sbin/php-fpm", cgroup="0::/docker/" + "ab" * 32)
    answer = collect(root)
    assert answer.value == {"versions": [], "pools": []}
    assert "in container abababababab" in answer.hidden[0]


def test_the_rules_of_the_configuration(root):
    debian(root, pool="""
[a]
listen = /run/first.sock
#listen = /run/comment.sock
listen = run/$pool.sock
prefix = /srv
[global]
listen = /run/none.sock
[b]
listen = [::1]:9002
[a]
pm.max_children = many
[empty]
[env]
listen = ${FPM_LISTEN}
""")
    answer = collect(root)
    pools = {pool["name"]: pool for pool in answer.value["pools"]}
    assert list(pools) == ["a", "b", "empty", "env"]
    assert pools["a"]["listen"] == "unix:/srv/run/a.sock" and pools["a"]["listen_at"]["line"] == 5 and pools["a"]["max_children"] is None
    assert pools["b"]["listen"] == "[::1]:9002"
    assert pools["empty"]["listen"] == "" and pools["env"]["listen"] == ""
    assert answer.hidden == ("pool env: listen = ${FPM_LISTEN} cannot be told from the configuration alone",)


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [
        ("9000", "*:9000"),
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("[::]:9000", "[::]:9000"),
        ("/run/a b.sock", "unix:/run/a b.sock"),
        ("x.sock", "unix:/usr/x.sock"),
        ("", ""),
    ],
)
def test_a_listen_becomes_an_endpoint(listen, endpoint):
    assert php_fpm.endpoint(listen) == endpoint


def test_an_include_that_goes_in_a_circle_ends(root):
    write(root, "/etc/php/8.2/fpm/php-fpm.conf", "[a]\nlisten = 1\ninclude=/etc/php/8.2/fpm/*.conf\n")
    answer = collect(root)
    assert answer.truncated and [pool["name"] for pool in answer.value["pools"]] == ["a"]


def test_a_pool_file_that_cannot_be_read_is_said(root):
    debian(root)
    (root / "etc/php/8.2/fpm/pool.d/broken.conf").symlink_to("/nowhere")
    write(root, "/etc/php/8.2/fpm/pool.d/dir.conf/x", "")
    answer = collect(root)
    assert len(answer.value["pools"]) == 1 and answer.hidden == ("/etc/php/8.2/fpm/pool.d/broken.conf: No such file or directory",)


def test_hostile_text_is_made_harmless(root):
    debian(root, pool=b"[\xff\x1b[2J{{x}}]\nlisten = /run/\xe2\x80\xae\xff.sock\nuser = a\x07b\n" + b"x" * 100000 + b"\n[ok]\nlisten = 9000\n")
    pools = collect(root).value["pools"]
    assert pools[0]["name"] == "\\xff\\x1b[2J{{x}}" or pools[0]["name"].startswith("\\xff\\x1b[2J")
    assert pools[0]["listen"] == "unix:/run/\\u202e\\xff.sock" and pools[0]["user"] == "a\\x07b"
    assert pools[1]["listen"] == "*:9000"


def test_no_php_fpm_is_absent(root):
    with pytest.raises(Unanswered) as caught:
        collect(root)
    assert caught.value.status == "absent"
