# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module nginx_directive: which nginx is meant, what it refuses before it edits, and what leaves the host."""

import os
import types

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _checkpoint
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _mount_sources
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
        self.own_root, self.pid, self.why, self.sources = False, None, None, {}
        parsed = {}
        self.loaded = _nginx_files.load(_host.Host(), self.conf_path, str(folder), parsed)
        self.main = nginx._Configuration(self.loaded, parsed, "")
        self.redaction = redact.Redaction(text.Redactor("key"), redact.needed_variables(self.main.texts()))

    def edited(self, context, name, *args):
        configuration = nginx_directive.load(self, None)
        configuration.apply(nginx_edit.Context(**context), nginx_edit.Directive(name, nginx_edit.encode(args)))
        changed = configuration.changed()
        return nginx_directive.differences(self, configuration, changed, nginx_directive.placed(self, configuration, changed))

    def source(self, path):
        return self.sources[path] if self.own_root else None


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
        {"why": evidence.Unanswered(evidence.DENIED, "Permission denied")},
        {"loaded": dict(files.loaded, truncated=True)},
        {"loaded": dict(files.loaded, files=[dict(files.loaded["files"][0], status=evidence.DENIED, why="Permission denied")])},
        {"loaded": dict(files.loaded, files=[dict(files.loaded["files"][0], truncated=True)])},
        {"loaded": dict(files.loaded, includes=[dict(files.loaded["includes"][0], status=evidence.DENIED, why="Permission denied")])},
    ):
        other = types.SimpleNamespace(**dict(vars(files), **change))
        with pytest.raises(nginx_edit.Refused):
            nginx_directive.load(other, None)


def tried(before, after):
    """Return an instance whose configuration is refused with these words, or taken where there are none, before a change and after it."""
    def test(changed=None, plain=False):
        messages = [{"level": "emerg", "text": words, "file": "/etc/nginx/nginx.conf", "line": 3} for words in (before if changed is None else after)]
        return {"valid": not messages, "messages": messages}
    return types.SimpleNamespace(test=test)


MISSING = 'host not found in upstream "orders"'


def test_in_check_mode_a_name_that_is_missing_anyway_is_told():
    (note,) = nginx_directive.check(tried([MISSING], [MISSING]), {}, only_told=True)
    assert MISSING in note and "could not be tested further" in note
    for before, after, told in (
        ([MISSING], [MISSING], False),
        ([], [MISSING], True),
        ([MISSING.replace("orders", "shop")], [MISSING], True),
        ([MISSING], [MISSING, 'unknown directive "x"'], True),
        (['unknown directive "x"'], ['unknown directive "x"'], True),
    ):
        with pytest.raises(nginx_edit.Refused):
            nginx_directive.check(tried(before, after), {}, only_told=told)
    assert nginx_directive.check(tried([MISSING], []), {}, only_told=True) == []


ID = "ab" * 32


def contained(tmp_path, **source):
    """Return the Files of a container, and its Configuration with a change in it; source is where its file comes from."""
    files = Files(tmp_path, {"nginx.conf": b"http { }"})
    files.own_root, files.pid, files.master = True, os.getpid(), types.SimpleNamespace(container=ID)
    files.sources = {files.conf_path: _mount_sources.Source(**source)}
    configuration = nginx_directive.load(files, None)
    configuration.apply(nginx_edit.Context(block="http"), nginx_edit.Directive("proxy_read_timeout", [b"120s"]))
    return files, configuration


def test_a_file_of_a_container_is_changed_where_it_is_mounted_from(tmp_path):
    place = tmp_path / "deploy" / "nginx.conf"
    place.parent.mkdir()
    place.write_bytes(b"http { }")
    (tmp_path / ".git").mkdir()
    files, configuration = contained(tmp_path, kind=_mount_sources.HOST, path=str(place), single=True)
    places = nginx_directive.placed(files, configuration, configuration.changed())
    assert places == {files.conf_path: (str(place), True)}
    (shown,) = nginx_directive.differences(files, configuration, configuration.changed(), places)
    assert shown["before_header"] == str(place)
    assert nginx_directive.mounted(files, places) == [
        "{0} of container abababababab is {1} here".format(files.conf_path, place),
        "{0} is a checkout of git: make the change there too, or the next one undoes it".format(tmp_path),
    ]
    place.unlink()
    os.mkfifo(str(place))
    with pytest.raises(nginx_edit.Refused, match="is not the file that container abababababab has"):
        nginx_directive.placed(files, configuration, configuration.changed())
    place.unlink()
    place.write_bytes(b"http { # another\n}")
    with pytest.raises(nginx_edit.Refused, match="is not the file that container abababababab has"):
        nginx_directive.placed(files, configuration, configuration.changed())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes checkpoints")
def test_root_of_a_container_does_not_lead_a_change_elsewhere(tmp_path, monkeypatch):
    """What it makes in a folder of the host belongs to root: a folder there becomes a link to one of the host's own, with the same bytes."""
    monkeypatch.setattr(_checkpoint, "ROOT", str(tmp_path / "state"))
    monkeypatch.setattr(_checkpoint, "_arm", lambda point, seconds: (True, "the test"))
    for folder in ("volume", "etc"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "nginx.conf").write_bytes(b"http { }")
    files, configuration = contained(tmp_path, kind=_mount_sources.HOST, path=str(tmp_path / "volume" / "nginx.conf"))
    files.master = None
    changed = configuration.changed()
    places = {path: (str(tmp_path / "volume" / "nginx.conf"), False) for path in changed}
    (tmp_path / "volume").rename(tmp_path / "was")
    (tmp_path / "volume").symlink_to("etc")
    with pytest.raises(_checkpoint.CheckpointError, match="volume is a link now"):
        nginx_directive.write(files, configuration, changed, places, None, False)
    assert (tmp_path / "etc" / "nginx.conf").read_bytes() == b"http { }"


@pytest.mark.parametrize(("source", "said"), [
    ({"kind": _mount_sources.IMAGE, "why": "it is in the image of the container"}, "the image of the container abababababab. The image must change"),
    ({"kind": _mount_sources.ELSEWHERE, "why": "it is kept by the engine"}, "of container abababababab cannot be changed here: it is kept by the engine"),
])
def test_what_no_file_of_the_host_is_behind_is_refused(tmp_path, source, said):
    files, configuration = contained(tmp_path, **source)
    with pytest.raises(nginx_edit.Refused, match=said):
        nginx_directive.placed(files, configuration, configuration.changed())


def test_the_edits_of_a_task_are_for_one_nginx():
    one, other = {"context": {"block": "http", "container": ID}}, {"context": {"block": "http"}}
    assert (nginx_directive.container_of([one, one]), nginx_directive.container_of([other])) == (ID, "")
    with pytest.raises(nginx_edit.Refused, match="several nginx"):
        nginx_directive.container_of([one, other])


def test_a_container_is_chosen_by_its_id():
    inner = types.SimpleNamespace(conf_path="/a", program="/b", own_root=True, master=types.SimpleNamespace(container=ID, uid=0, started=1.0))
    own = types.SimpleNamespace(conf_path="/a", program="/b", own_root=False, master=types.SimpleNamespace(container="", uid=0, started=1.0))
    assert nginx_directive.choose([own, inner], None, None, list, (), ID) is inner
    assert nginx_directive.choose([own, inner], None, None, list) is own
    with pytest.raises(nginx_edit.Refused, match="no nginx runs in container"):
        nginx_directive.choose([own], None, None, list, (), ID)


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
