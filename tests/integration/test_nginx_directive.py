# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the editor writes, read by a real nginx: it accepts it, sees the very words, and answers as it should.

Needs root and nginx; everything listens on 127.0.0.1.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as nginx_edit
from ansible_collections.webops.bad_gateway.plugins.module_utils import _overlay as overlay
from ansible_collections.webops.bad_gateway.plugins.modules import nginx_directive

NGINX = "/usr/sbin/nginx"
TEMP = "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;"


@pytest.fixture(autouse=True)
def needs():
    assert os.geteuid() == 0, "run these tests as root: they make mount namespaces"
    assert os.path.exists(NGINX), "install nginx for these tests: apt-get install nginx-light"


@pytest.fixture(autouse=True)
def checkpoints(monkeypatch, tmp_path):
    """Checkpoints of the test's own."""
    root = str(tmp_path / "checkpoints")
    monkeypatch.setattr(_checkpoint, "ROOT", root)
    return root


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Site:
    """An nginx of the test's own: a main file, and sites that it includes; one of them through a link, as on Debian."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.path = folder + "/nginx.conf"
        self.process = None
        for name in ("enabled", "available"):
            os.mkdir(f"{folder}/{name}")
        self.write("nginx.conf", (
            f"user www-data;\npid nginx.pid;\nerror_log error.log crit;\ndaemon off;\nevents {{ }}\nhttp {{\n\t{TEMP}\n\taccess_log off;\n"
            f"\tproxy_set_header Host $host;\n\tproxy_set_header X-Outer yes;\n\tproxy_set_header Authorization \"Basic Zm9vOmJhcnNlY3JldA==\";\n"
            f"\tupstream app {{\n\t\tserver 127.0.0.1:{self.port + 1 if self.port < 65000 else 1};\n\t}}\n\tinclude enabled/*;\n}}\n"
        ))
        self.write("available/shop", (
            f"server {{\r\n    listen 127.0.0.1:{self.port};\r\n    server_name shop.example; # ours\r\n    include common.inc;\r\n"
            "    location / { return 200 \"old\"; }\r\n    location /app/ {\r\n        proxy_pass http://app;\r\n    }\r\n}"
        ))
        self.write("common.inc", "client_max_body_size 1m;\n")
        os.symlink("../available/shop", folder + "/enabled/shop")

    def write(self, name, content):
        (pathlib.Path(self.folder) / name).write_bytes(content.encode())

    def read(self, name):
        return (pathlib.Path(self.folder) / name).read_bytes().decode()

    def edit(self, context, *directives, check=False, **more):
        """Run the module in this process, for one context."""
        return self.run(check, edits=[{"context": context, "directives": [whole(one) for one in directives]}], **more)

    def run(self, check=False, **more):
        params = {"path": self.path, "binary": NGINX, "edits": None, "files": [], "checkpoint": None, "plain_test": False}
        return nginx_directive.run(dict(params, **more), check)

    def start(self):
        self.process = subprocess.Popen([NGINX, "-p", self.folder, "-c", self.path, "-e", self.folder + "/error.log"])
        deadline = time.monotonic() + 10
        while not self.listens():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def listens(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def answer(self, path="/"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.read()

    def dump(self):
        """Return every file that nginx reads, as "nginx -T" says."""
        ran = subprocess.run([NGINX, "-T", "-q", "-p", self.folder, "-c", self.path, "-e", self.folder + "/error.log"], capture_output=True, check=True)
        return ran.stdout

    def state(self):
        """Return everything that a change would show in."""
        seen = {}
        for path in sorted(pathlib.Path(self.folder).rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            seen[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_mtime_ns, content)
        return seen


@pytest.fixture
def site():
    folder = tempfile.mkdtemp(prefix="directive-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    one = Site(folder)
    yield one
    one.stop()
    shutil.rmtree(folder)


SHOP = {"server_name": "shop.example"}


def whole(directive):
    return dict({"args": [], "state": "present", "replaces": None, "key": None, "at": None}, **directive)


def test_nginx_serves_the_very_words(site):
    """Every value that nginx does not take for a variable comes back byte for byte."""
    rng = random.Random(7)
    alphabet = " \t\n;{}\"'#\\()ab~*^trn|\u00e9"
    values = ["", " ", "\\", "\\n", '"', "'", "a\\", "}", "#", "x" * 4000, "\r\n", "\\\t"]
    values += ["".join(rng.choice(alphabet) for _two in range(rng.randrange(1, 12))) for _one in range(200)]
    words = ["old", "'x y'", '""', '"x y"']
    site.write("common.inc", "".join(f"location /v{number} {{ return 200 {rng.choice(words)}; }}\n" for number in range(len(values))))
    edits = [
        {"context": {"location": f"/v{number}"}, "directives": [whole({"name": "return", "args": ["200", f"<{value}>"]})]}
        for number, value in enumerate(values)
    ]
    assert site.run(edits=edits)["files"] == [site.folder + "/common.inc"]
    assert not site.run(edits=edits)["changed"]
    site.start()
    for number, value in enumerate(values):
        assert site.answer(f"/v{number}") == b"<" + value.encode() + b">"


def test_many_edits_are_one_change_that_can_be_undone(site):
    site.start()
    before = site.state()
    checked = site.edit(dict(SHOP, location="/app/"), {"name": "proxy_set_header", "args": ["Connection", ""]}, check=True)
    assert checked["changed"] and site.state() == before
    result = site.edit(
        dict(SHOP, location="/app/"),
        {"name": "proxy_set_header", "args": ["Connection", ""]},
        {"name": "proxy_http_version", "args": ["1.1"]},
        {"name": "proxy_read_timeout", "args": ["90s"]},
    )
    assert result["changed"] and result["files"] == [site.folder + "/available/shop"]
    assert site.read("available/shop").endswith(
        "    location /app/ {\r\n        proxy_pass http://app;\r\n        proxy_set_header Host $host;\r\n        proxy_set_header X-Outer yes;\r\n"
        "        proxy_set_header Authorization \"Basic Zm9vOmJhcnNlY3JldA==\";\r\n        proxy_set_header Connection \"\";\r\n"
        "        proxy_http_version 1.1;\r\n        proxy_read_timeout 90s;\r\n    }\r\n}"
    )
    assert os.path.islink(site.folder + "/enabled/shop")
    assert site.dump()
    assert "Zm9v" not in json.dumps(result)
    again = site.edit(dict(SHOP, location="/app/"), {"name": "proxy_set_header", "args": ["Connection", ""]}, {"name": "proxy_read_timeout", "args": ["90s"]})
    assert not again["changed"] and again["checkpoint"] == "" and again["diff"] == []
    with _checkpoint.locked(_checkpoint.ROOT):
        done = _checkpoint.find(result["checkpoint"], _checkpoint.ROOT).roll_back()
    assert not done["conflicts"] and site.read("available/shop").encode() == before[site.folder + "/available/shop"][-1]


def test_what_nginx_does_not_accept_is_not_written(site):
    before = site.state()
    for directive in (
        {"name": "proxy_buffer_size", "args": ["16k"]},
        {"name": "no_such_directive", "args": ["1"]},
        {"name": "proxy_read_timeout", "args": ["60z"]},
        {"name": "proxy_pass", "args": ["http://no-such-host.invalid"]},
        {"name": "proxy_pass", "args": ["http://app/x"], "state": "appended"},
        {"name": "client_max_body_size", "args": ["1m", "2m"]},
    ):
        with pytest.raises(nginx_edit.Refused) as refused:
            site.edit(dict(SHOP, location="/app/"), {"name": "proxy_connect_timeout", "args": ["5s"]}, directive)
        assert "nginx -t does not accept" in str(refused.value)
    assert site.state() == before


def test_several_directives_that_only_fit_together(site):
    site.edit(dict(SHOP, location="/app/"), {"name": "proxy_buffer_size", "args": ["16k"]}, {"name": "proxy_buffers", "args": ["8", "16k"]})
    assert site.dump()


def test_a_directive_of_an_included_file_is_changed_there(site):
    result = site.edit(SHOP, {"name": "client_max_body_size", "args": ["8m"]})
    assert result["files"] == [site.folder + "/common.inc"] and site.read("common.inc") == "client_max_body_size 8m;\n"
    assert site.dump()


def test_a_configuration_that_fails_already_is_only_put_right(site):
    site.write("common.inc", "client_max_body_size 1m;\nbroken on;\n")
    with pytest.raises(nginx_edit.Refused) as refused:
        site.edit(SHOP, {"name": "client_max_body_size", "args": ["8m"]})
    assert "Without the change it does not either" in str(refused.value) and "broken" in str(refused.value)
    result = site.edit(SHOP, {"name": "broken", "state": "absent"}, {"name": "client_max_body_size", "args": ["8m"]})
    assert result["changed"] and site.read("common.inc") == "client_max_body_size 8m;\n"


def test_a_file_that_is_changed_meanwhile_is_left(site, monkeypatch):
    real = nginx_directive.check

    def meanwhile(*args, **named):
        site.write("common.inc", "client_max_body_size 3m;\n")
        return real(*args, **named)

    monkeypatch.setattr(nginx_directive, "check", meanwhile)
    before = site.read("available/shop")
    with pytest.raises(_checkpoint.CheckpointError) as failed:
        site.edit(SHOP, {"name": "client_max_body_size", "args": ["8m"]}, {"name": "keepalive_timeout", "args": ["5s"]})
    assert "common.inc" in str(failed.value)
    assert site.read("common.inc") == "client_max_body_size 3m;\n" and site.read("available/shop") == before


def test_under_a_checkpoint_of_another(site):
    """Lines are those of before its first change; a failure takes back only what the failed task did."""
    with _checkpoint.locked(_checkpoint.ROOT):
        point, _recovered = _checkpoint.open_new("test", root=_checkpoint.ROOT, watch=False)
    first = site.edit({"file": site.folder + "/enabled/shop", "line": 1}, {"name": "keepalive_timeout", "args": ["5s"]}, checkpoint=point.id)
    assert first["checkpoint"] == point.id
    at = {"file": site.folder + "/enabled/shop", "line": 6, "expects": "location /app/"}
    second = site.edit(at, {"name": "proxy_read_timeout", "args": ["90s"]}, checkpoint=point.id)
    assert second["changed"] and "proxy_read_timeout 90s;\r\n    }" in site.read("available/shop")
    with pytest.raises(nginx_edit.Refused):
        site.edit(dict(at, line=7), {"name": "proxy_read_timeout", "args": ["9s"]}, checkpoint=point.id)
    with _checkpoint.locked(_checkpoint.ROOT):
        _checkpoint.find(point.id, _checkpoint.ROOT).roll_back()
    assert "keepalive_timeout" not in site.read("available/shop") and "proxy_read_timeout" not in site.read("available/shop")


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_killed_while_it_writes_it_is_undone(site, monkeypatch, moment):
    before = {name: site.read(name) for name in ("nginx.conf", "available/shop", "common.inc")}
    child = os.fork()
    if child == 0:
        real, calls = _checkpoint.Checkpoint.write_file, []

        def write(*args, **named):
            calls.append(args)
            if (moment, len(calls)) in (("before", 1), ("between", 2)):
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args, **named)
            if moment == "after" and len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(_checkpoint.Checkpoint, "write_file", write)
        try:
            site.edit(SHOP, {"name": "client_max_body_size", "args": ["8m"]}, {"name": "keepalive_timeout", "args": ["5s"]})
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    changed = [name for name in before if site.read(name) != before[name]]
    assert len(changed) == {"before": 0, "between": 1, "after": 2}[moment]
    with _checkpoint.locked(_checkpoint.ROOT):
        (point,) = _checkpoint.listed(_checkpoint.ROOT)
        assert point.state == "open" and not point.roll_back()["conflicts"]
    assert {name: site.read(name) for name in before} == before


def refuse_overlay(*_args, **_more):
    raise evidence.Unanswered(evidence.DENIED, "mounting / in the private overlay: Operation not permitted")


def test_without_an_overlay_nothing_is_changed_unless_it_is_allowed(site, monkeypatch):
    monkeypatch.setattr(overlay, "test", refuse_overlay)
    before = site.read("available/shop")
    with pytest.raises(evidence.Unanswered):
        site.edit(SHOP, {"name": "keepalive_timeout", "args": ["5s"]})
    assert site.read("available/shop") == before
    with pytest.raises(nginx_edit.Refused) as refused:
        site.edit(SHOP, {"name": "keepalive_timeout", "args": ["5z"]}, plain_test=True)
    assert "keepalive_timeout" in str(refused.value) and site.read("available/shop") == before
    result = site.edit(SHOP, {"name": "keepalive_timeout", "args": ["5s"]}, plain_test=True)
    assert result["changed"] and any("cannot be made" in note for note in result["notes"])
    assert "keepalive_timeout 5s;" in site.read("available/shop")


def test_what_nginx_newly_warns_of_is_said(site):
    site.write("enabled/other", f"server {{ listen 127.0.0.1:{site.port}; server_name other.example; }}")
    result = site.edit({"server_name": "other.example"}, {"name": "server_name", "args": ["shop.example"]}, check=True)
    assert any("conflicting server name" in note for note in result["notes"])


def test_a_file_that_others_could_exchange_is_refused_in_check_mode_too(site):
    os.chmod(site.folder + "/available", 0o777)
    for check in (True, False):
        with pytest.raises(nginx_edit.Refused) as refused:
            site.edit(dict(SHOP, location="/"), {"name": "return", "args": ["204"]}, check=check)
        assert "others may write" in str(refused.value)


def test_the_running_one_is_found_and_its_options_are_used(site):
    site.start()
    result = site.edit(SHOP, {"name": "keepalive_timeout", "args": ["5s"]}, check=True, binary=None)
    assert result["conf_path"] == site.path


def test_the_copied_headers_reach_the_backend(site):
    """A first header of a location changes nothing of the others."""
    site.write("available/back", f"server {{ listen 127.0.0.1:{site.port + 1}; return 200 \"$http_host|$http_x_outer|$http_connection|$http_x_new\"; }}")
    os.symlink("../available/back", site.folder + "/enabled/back")
    site.start()
    assert site.answer("/app/") == b"127.0.0.1|yes|close|"
    site.edit(dict(SHOP, location="/app/"), {"name": "proxy_set_header", "args": ["X-New", "$request_method \"q\""]})
    site.stop()
    site.start()
    assert site.answer("/app/") == b"127.0.0.1|yes|close|GET \"q\""


def test_nginx_reads_what_random_edits_leave(site):
    """Edits in every state, some of them in vain: nginx accepts each file that they leave."""
    rng, changes = random.Random(11), 0
    for _number in range(6):
        edits = [
            {
                "name": "add_header", "args": [f"X-{rng.randrange(8)}", "".join(rng.choice(" ;{}\"'#\\ab") for _two in range(8))],
                "state": rng.choice(["present", "present", "absent"]),
            }
            for _one in range(10)
        ]
        context = dict(SHOP, location=rng.choice(["/", "/app/"]))
        changes += site.edit(context, *edits)["changed"]
        assert site.read("available/shop").encode() in site.dump()
    assert changes > 3


def test_the_module_by_its_arguments(site):
    """As Ansible runs it; in check mode, so that no checkpoint of the host is made."""
    arguments = {
        "path": site.path, "binary": NGINX, "_ansible_check_mode": True, "_ansible_diff": True,
        "context": dict(SHOP, location="/"), "directives": [{"name": "return", "args": ["200", "new"]}],
    }
    result = as_ansible_does(arguments)
    assert result["changed"] and result["diff"][0]["before"] != result["diff"][0]["after"]
    arguments["directives"] = [{"name": "return", "args": ["200", "\x1b]0;x"], "replaces": ["404"]}]
    result = as_ansible_does(arguments)
    assert result["failed"] and "was expected" in result["msg"] and "\x1b" not in result["msg"]


def as_ansible_does(arguments):
    ran = subprocess.run(
        [sys.executable, "-m", "ansible_collections.webops.bad_gateway.plugins.modules.nginx_directive"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), capture_output=True, text=True, timeout=60, check=False,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)),
    )
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)
