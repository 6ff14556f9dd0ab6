# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All questions at once, each by its real collector: none may break over what another one hands it.

evidence.ask() turns a defect of a collector into an "error" answer, so that the others are still heard. Nobody would notice.
"""

import os
import re
import sys
import time

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _questions
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import host_facts
from ansible_collections.webops.bad_gateway.plugins.module_utils._host import Host
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils.fake_proc import add_process, add_self

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="collectors are for Linux")

SECONDS = 86400.0
LINES = 1000
# What evidence.ask() says of an exception that is neither Unanswered nor OSError: its type and its text.
DEFECT = re.compile(r"(^|: )[A-Za-z_.]*(Error|Exception|StopIteration): ")

PROGRAM = b"\x7fELF\0nginx version: nginx/1.22.1\n\0configure arguments: --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf" \
    b" --error-log-path=/var/log/nginx/error.log --user=www-data\n\0"
CONFIGURATION = b"""user www-data;
events { worker_connections 768; }
http {
    log_format timed '$remote_addr [$time_local] "$request" $status $upstream_addr $upstream_response_time';
    access_log /var/log/nginx/access.log timed;
    resolver 127.0.0.1:9 valid=5s;
    upstream shop { server 127.0.0.1:9; server unix:/run/shop.sock; keepalive 4; }
    server {
        listen 127.0.0.1:8099;
        set $name localhost;
        location / { proxy_pass http://shop; }
        location /named { proxy_pass http://localhost:9; }
        location /later { proxy_pass http://$name:9; }
        location /php { fastcgi_pass unix:/run/php/php8.2-fpm.sock; }
        location /tls { proxy_pass https://127.0.0.1:9; proxy_temp_path /var/lib/nginx/tls; }
    }
}
"""
POOL = b"[www]\nuser = www-data\nlisten = /run/php/php8.2-fpm.sock\npm = static\npm.max_children = 5\n"
UNIT = b"[Service]\nExecStart=/usr/bin/gunicorn shop:app\n"


@pytest.fixture(name="host")
def _host(tmp_path):
    """A host in a folder that runs nginx, PHP-FPM and gunicorn. nginx has our own process, for what the kernel is asked."""
    now = time.time()
    failed = "[error] 9#9: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.1.1, server: , " \
        'request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:9/", host: "shop"\n'
    files = {
        "usr/sbin/nginx": PROGRAM, "etc/nginx/nginx.conf": CONFIGURATION, "etc/passwd": b"www-data:x:33:33::/:/x\n", "etc/group": b"www-data:x:33:\n",
        "etc/php/8.2/fpm/php-fpm.conf": b"[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n", "etc/php/8.2/fpm/pool.d/www.conf": POOL,
        "usr/sbin/php-fpm8.2": b"", "usr/lib/systemd/system/php8.2-fpm.service": b"", "etc/systemd/system/shop.service": UNIT,
        "var/log/nginx/error.log": (time.strftime("%Y/%m/%d %H:%M:%S ", time.localtime(now)) + failed).encode(),
        "var/log/nginx/access.log": time.strftime('10.1.1.1 [%d/%b/%Y:%H:%M:%S +0000] "GET / HTTP/1.1" 502 127.0.0.1:9 0.001\n', time.gmtime(now)).encode(),
        "var/log/php8.2-fpm.log": time.strftime("[%d-%b-%Y %H:%M:%S] WARNING: [pool www] server reached pm.max_children setting (5)\n").encode(),
        "var/lib/nginx/tls/x": b"", "proc/uptime": b"%d.00 1.00\n" % now, "proc/stat": b"cpu 1 2\nbtime %d\n" % (now - 9000),
        "proc/loadavg": b"0.1 0.1 0.1 1/2 3\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    add_self(tmp_path)
    # Its namespaces are ours, so that nobody need be root to look into them.
    spaces = {kind: os.readlink("/proc/self/ns/" + kind) for kind in ("net", "mnt")}
    for kind, space in spaces.items():
        (tmp_path / "proc/self/ns" / kind).unlink()
        (tmp_path / "proc/self/ns" / kind).symlink_to(space)
    ours = {kind: space[len(kind) + 2:-1] for kind, space in spaces.items()}
    if os.getppid() != 1:
        add_process(tmp_path, 1, [b"/sbin/init"], uid=0)
    add_process(tmp_path, os.getppid(), [b"nginx: master process /usr/sbin/nginx"], comm=b"nginx", exe=b"/usr/sbin/nginx", uid=0,
                cgroup="0::/system.slice/nginx.service", **ours)
    (tmp_path / "proc" / str(os.getppid()) / "exe").unlink()
    (tmp_path / "proc" / str(os.getppid()) / "exe").write_bytes(PROGRAM)
    add_process(tmp_path, os.getpid(), [b"nginx: worker process"], comm=b"nginx", exe=b"/usr/sbin/nginx", ppid=os.getppid(), sockets=(5, 6), **ours)
    for pid in (os.getpid(), os.getppid()):
        (tmp_path / "proc" / str(pid) / "limits").write_text("Max open files            1024                 524288               files\n")
    add_process(tmp_path, 70, [b"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], comm=b"php-fpm8.2", exe=b"/usr/sbin/php-fpm8.2", uid=0)
    add_process(tmp_path, 71, [b"php-fpm: pool www"], comm=b"php-fpm8.2", exe=b"/usr/sbin/php-fpm8.2", ppid=70)
    add_process(tmp_path, 80, [b"/usr/bin/python3", b"/usr/bin/gunicorn", b"--timeout", b"30", b"shop:app"], comm=b"gunicorn", exe=b"/usr/bin/python3.11",
                cgroup="0::/system.slice/shop.service", sockets=(7,))
    return Host(str(tmp_path))


def answers_in(value, way=""):
    """Yield (way, answer) of each answer in a value, at any depth."""
    if isinstance(value, dict):
        if {"status", "why"} <= set(value):
            yield way, value
        for key, inner in value.items():
            yield from answers_in(inner, f"{way}/{key}")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from answers_in(inner, f"{way}/{number}")


def defects(answers):
    """Return the sentences that name an exception, of what failed and of what stayed hidden."""
    found = [(way, sentence) for way, answer in answers_in(answers) for sentence in (answer["why"], *answer.get("hidden", ()))]
    return [f"{way}: {sentence}" for way, sentence in found if DEFECT.search(sentence)]


def every_key():
    return {host_facts.KEY, *_questions._unasked({}, {"asked": "", "status": "", "why": ""})}


@pytest.mark.parametrize("error", [AttributeError("x has no y"), KeyError("pid"), NameError("name"), TypeError("2 arguments"), ValueError("x"), IndexError()])
def test_a_defect_of_ours_is_known_by_its_words(error):
    def broken():
        raise error

    assert defects({"question": {"value": [evidence.ask("x", broken)]}})


def test_what_a_host_refuses_is_no_defect():
    def refused():
        raise evidence.Unanswered(evidence.ERROR, "nft: no such table")

    assert not defects({"question": evidence.ask("x", refused)})


def test_every_collector_answers_on_a_host_with_nginx_and_backends(host):
    answers = _questions.ask_all(host, text.Redactor("key"), SECONDS, LINES, True)
    assert set(answers) == every_key()
    assert not defects(answers)
    # What is asked about what another answer names was asked of something.
    value = {key: answer["value"] for key, answer in answers.items()}
    (nginx,) = value["nginx"]["instances"]
    main = nginx["id"]
    assert nginx["running"] and nginx["workers"]
    assert list(value["names"]) == ["localhost"]
    assert value["resolvers"][main]["servers"] and value["resolvers"][main]["connections"]["status"] != evidence.ERROR
    assert value["network"][main]["routes"] and value["temp_paths"][main] and value["limits"]["processes"]
    assert value["paths"] and value["error_log"] and value["access_log"] and value["pressure"]
    assert [pool["name"] for pool in value["php_fpm"]["pools"]] == ["www"]
    assert [server["kind"] for server in value["servers"]] == ["php-fpm", "gunicorn"]
    assert value["backend_log"] and value["backends"] and value["listeners"]


def test_every_collector_answers_on_this_host():
    answers = _questions.ask_all(Host(), text.Redactor("key"), SECONDS, LINES, False)
    assert set(answers) <= every_key()
    assert not defects(answers)
