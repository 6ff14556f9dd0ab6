# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module nginx_directive: which nginx is meant, what it refuses before it edits, and what leaves the host."""

import os
import types

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_edit as nginx_edit
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_files
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_redact as redact
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import nginx
from ansible_collections.webops.bad_gateway.plugins.modules import nginx_directive


def found(conf="/etc/nginx/nginx.conf", program="/usr/sbin/nginx", runs=True, own_root=False, started=1.0, files=(), uid=0):
    loaded = {"files": [{"path": path, "real_path": path} for path in files]}
    master = types.SimpleNamespace(started=started, uid=uid) if runs else None
    return types.SimpleNamespace(conf_path=conf, program=program, master=master, own_root=own_root, loaded=loaded)


@pytest.mark.parametrize(
    ("instances", "path", "binary", "meant"),
    [
        ([found()], None, None, 0),
        ([found(own_root=True), found(runs=False)], None, None, 1),
        ([found(runs=False), found("/srv/a.conf")], None, None, 1),
        ([found(), found("/srv/a.conf")], "/srv/a.conf", None, 1),
        ([found(), found(program="/opt/nginx")], None, "/opt/nginx", 1),
        ([found(own_root=True)], None, None, 0),
        ([found(), found(started=2.0)], None, None, 1),
        ([found(), found(started=2.0, uid=1000)], None, None, 0),
        ([found("/home/x/a.conf", uid=1000), found()], None, None, 1),
        ([found("/home/x/a.conf", uid=1000)], None, None, 0),
        ([found(), found("/srv/a.conf")], None, None, None),
        ([], None, None, None),
    ],
)
def test_the_nginx_that_is_meant(instances, path, binary, meant):
    if meant is not None:
        assert nginx_directive.choose(instances, path, binary, list) is instances[meant]
        return
    with pytest.raises(nginx_edit.Refused):
        nginx_directive.choose(instances, path, binary, list)


def test_one_that_does_not_run_is_looked_for_where_it_is_said():
    other = found("/srv/b.conf", runs=False)
    assert nginx_directive.choose([found()], "/srv/b.conf", None, lambda: [other]) is other
    with pytest.raises(nginx_edit.Refused) as refused:
        nginx_directive.choose([found()], "/srv/b.conf", None, lambda: [other, found("/srv/b.conf", "/opt/nginx")])
    assert "/opt/nginx" in str(refused.value) and "binary" in str(refused.value)


@pytest.mark.parametrize(("files", "meant"), [(["/b/site"], 1), (["/a/site"], 0), (["/a/site", "/b/site"], None), (["/both"], None), (["/none"], None)])
def test_of_several_the_one_that_reads_the_files_is_meant(files, meant):
    instances = [found(files=["/a/site", "/both"]), found("/srv/b.conf", files=["/b/site", "/both"])]
    if meant is not None:
        assert nginx_directive.choose(instances, None, None, list, files) is instances[meant]
        return
    with pytest.raises(nginx_edit.Refused):
        nginx_directive.choose(instances, None, None, list, files)


class Files:
    """A configuration on disk, as the collector finds it."""

    def __init__(self, folder, files):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.conf_path = str(folder / "nginx.conf")
        self.own_root, self.pid, self.why = False, None, None
        parsed = {}
        self.loaded = _nginx_files.load(_host.Host(), self.conf_path, str(folder), parsed)
        self.main = nginx._Configuration(self.loaded, parsed, "")
        self.redaction = redact.Redaction(text.Redactor("key"), redact.needed_variables(self.main.texts()))

    def edited(self, context, name, *args):
        configuration = nginx_directive.load(self, None)
        configuration.apply(nginx_edit.Context(**context), nginx_edit.Directive(name, nginx_edit.encode(args)))
        return nginx_directive.differences(self, configuration, configuration.changed())


MAIN = b"""# token: c0mment
http {
    proxy_set_header Authorization "Basic c2VjcmV0";
    proxy_pass http://user:passw0rd@10.0.0.1;
    proxy_read_timeout 60s; # \x1b[31mred
    map $http_x $y { "k3y" "v4lue"; include rows; }
}
"""


def test_secrets_and_escapes_do_not_leave_the_host(tmp_path):
    files = Files(tmp_path, {"nginx.conf": MAIN, "rows": b"r0w s3cret;\n"})
    (shown,) = files.edited({"block": "http"}, "proxy_set_header", "Authorization", "Basic bmV3")
    said = shown["before"] + shown["after"]
    for secret in ("c2VjcmV0", "bmV3", "passw0rd", "k3y", "v4lue", "c0mment", "\x1b"):
        assert secret not in said
    assert shown["before"].count("\n") == shown["after"].count("\n") == MAIN.count(b"\n")
    changed = [pair for pair in zip(shown["before"].split("\n"), shown["after"].split("\n")) if pair[0] != pair[1]]
    assert len(changed) == 1 and "Authorization" in changed[0][0] and "redacted:" in changed[0][1]
    assert "proxy_read_timeout 60s;" in shown["after"] and shown["before_header"] == files.conf_path


def test_plain_values_are_shown(tmp_path):
    (shown,) = Files(tmp_path, {"nginx.conf": b"http {\r\n\tproxy_read_timeout 60s;\r\n}\r\n"}).edited({"block": "http"}, "proxy_read_timeout", "120s")
    assert shown["before"] == "http {\n\tproxy_read_timeout 60s;\n}\n" and shown["after"] == "http {\n\tproxy_read_timeout 120s;\n}\n"


def test_what_cannot_be_seen_whole_is_refused(tmp_path):
    files = Files(tmp_path, {"nginx.conf": b"http { include a; }", "a": b"x 1;\n"})
    assert nginx_directive.load(files, None).files
    for change in (
        {"own_root": True},
        {"why": evidence.Unanswered(evidence.DENIED, "Permission denied")},
        {"loaded": dict(files.loaded, truncated=True)},
        {"loaded": dict(files.loaded, files=[dict(files.loaded["files"][0], status=evidence.DENIED, why="Permission denied")])},
        {"loaded": dict(files.loaded, files=[dict(files.loaded["files"][0], truncated=True)])},
        {"loaded": dict(files.loaded, includes=[dict(files.loaded["includes"][0], status=evidence.DENIED, why="Permission denied")])},
    ):
        other = types.SimpleNamespace(**dict(vars(files), **change))
        with pytest.raises(nginx_edit.Refused):
            nginx_directive.load(other, None)


def test_files_that_are_others_where_nginx_runs_are_refused(tmp_path):
    files = Files(tmp_path, {"nginx.conf": b"http { }"})
    files.pid = os.getpid()
    assert nginx_directive.load(files, None).files
    (tmp_path / "nginx.conf").write_bytes(b"http { x; }")
    with pytest.raises(nginx_edit.Refused):
        nginx_directive.load(files, None)


def test_a_missing_include_is_for_nginx_to_tell(tmp_path):
    files = Files(tmp_path, {"nginx.conf": b"http { include missing; }"})
    assert list(nginx_directive.load(files, None).files) == [files.conf_path]
