# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File contexts: lines of Debian 12's policy, with the labels that libselinux 3.4 gave these paths on a machine with that policy (2563 paths of it and
made up ones were compared there, without a difference).
"""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_labels as labels

BASE = """
# a comment
/.*	system_u:object_r:default_t:s0
/run/.*	<<none>>
/run/.*\\.*pid	<<none>>
/run/php(/.*)?	system_u:object_r:httpd_runtime_t:s0
/run/chronyd\\.sock	-s	system_u:object_r:chronyd_runtime_t:s0
/var/lib(/.*)?	system_u:object_r:var_lib_t:s0
/var/www(/.*)?	system_u:object_r:httpd_sys_content_t:s0
/usr/lib64?/nginx/.+	--	system_u:object_r:lib_t:s0
/run	-d	system_u:object_r:var_run_t:s0
/run	-l	system_u:object_r:var_run_t:s0
/	-d	system_u:object_r:root_t:s0
/srv/app/(a|b)\\.sock	-s	system_u:object_r:httpd_runtime_t:s0
/broken/([	system_u:object_r:lib_t:s0
one
"""
HOMES = """
/home/[^/]+/.+	unconfined_u:object_r:user_home_t:s0
/home/[^/]+	-d	unconfined_u:object_r:user_home_dir_t:s0
"""
LOCAL = "/srv/app(/.*)?    system_u:object_r:httpd_sys_rw_content_t:s0\n"
SUBS_DIST = "/var/run /run\n/var/local/lib /var/lib\n"
SUBS = "/data/www /var/www\n"
NAMES = {"": BASE, ".homedirs": HOMES, ".local": LOCAL, ".subs_dist": SUBS_DIST, ".subs": SUBS}


def contexts(root, names=tuple(NAMES)):
    folder = root / "etc/selinux/default/contexts/files"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / ("file_contexts" + name)).write_text(NAMES[name])
    return labels.FileContexts(_host.Host(str(root)), "default")


@pytest.mark.parametrize(
    ("path", "kind", "kind_of_label"),
    [
        ("/run/php/php8.2-fpm.sock", "socket", "httpd_runtime_t"),
        ("/run/php", "dir", "httpd_runtime_t"),
        ("/run/php/", "dir", "httpd_runtime_t"),
        ("/run//php/x.sock", "socket", "httpd_runtime_t"),
        ("/run/phpx", "socket", None),
        ("/run/app.sock", "socket", None),
        ("/run/chronyd.sock", "socket", "chronyd_runtime_t"),
        ("/run/chronyd.sock", "file", None),
        ("/run", "dir", "var_run_t"),
        ("/", "dir", "root_t"),
        ("/", "link", "default_t"),
        ("/opt/x.sock", "socket", "default_t"),
        ("/usr/lib/nginx/x.so", "file", "default_t"),
        ("/usr/lib64/nginx/x.so", "file", "lib_t"),
        ("/usr/lib6/nginx/x.so", "file", "lib_t"),
        ("/usr/lib6/nginx/x.so", "socket", "default_t"),
        # The administrator's come last, so they count.
        ("/srv/app/a.sock", "socket", "httpd_sys_rw_content_t"),
        ("/home/bob/app.sock", "socket", "user_home_t"),
        ("/home/bob", "dir", "user_home_dir_t"),
        # Aliases.
        ("/var/run/php/x.sock", "socket", "httpd_runtime_t"),
        ("/var/running", "socket", "default_t"),
        ("/data/www/index.html", "file", "httpd_sys_content_t"),
        ("/data/www", "dir", "httpd_sys_content_t"),
    ],
)
def test_the_label_that_a_path_is_to_have(tmp_path, path, kind, kind_of_label):
    expected = contexts(tmp_path).expected(path, kind)
    assert expected.split(":")[2:3] == ([kind_of_label] if kind_of_label else [])


def test_a_specification_without_a_pattern_counts_before_the_others(tmp_path):
    local = LOCAL + "/run/.+	system_u:object_r:any_t:s0\n"
    contexts(tmp_path)
    (tmp_path / "etc/selinux/default/contexts/files/file_contexts.local").write_text(local)
    found = labels.FileContexts(_host.Host(str(tmp_path)), "default")
    assert found.expected("/run/chronyd.sock", "socket").split(":")[2] == "chronyd_runtime_t"
    assert found.expected("/run/app.sock", "socket").split(":")[2] == "any_t"


def test_the_policy_s_own_alone_is_enough(tmp_path):
    assert contexts(tmp_path, ("",)).expected("/home/bob/app.sock", "socket").split(":")[2] == "default_t"


@pytest.mark.parametrize("policy", ["", "targeted"])
def test_a_policy_without_file_contexts_is_said(tmp_path, policy):
    contexts(tmp_path)
    with pytest.raises(evidence.Unanswered) as caught:
        labels.FileContexts(_host.Host(str(tmp_path)), policy)
    assert caught.value.status == "absent"
