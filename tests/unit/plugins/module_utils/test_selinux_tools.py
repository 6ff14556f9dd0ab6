# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether SELinux's settings can be changed: the Python modules that are missing, their packages, and another interpreter that has them."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_local as local
from ansible_collections.webops.bad_gateway.plugins.module_utils import _selinux_tools as tools
from ansible_collections.webops.bad_gateway.tests.unit.plugins.module_utils import fake_semanage

SUBSTITUTES = "# path  instead\n/var/run /run\n/run/lock /var/lock\n/lib /usr/lib\n/lib/systemd /usr/lib/systemd\nbroken\n"


class Host(_host.Host):
    """A folder that stands for a host; able: the interpreters that have everything."""

    able = ()

    def run(self, argv, timeout=10, limit=1 << 20):
        if argv[0] not in self.able:
            raise evidence.Unanswered(evidence.ABSENT, "not installed")
        return _host.Output(0, b"", b"")


@pytest.fixture
def host(tmp_path):
    for path, held in {
        "sys/fs/selinux/enforce": "1", "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "etc/selinux/targeted/contexts/files/file_contexts.subs_dist": SUBSTITUTES,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(held)
    return Host(str(tmp_path))


def missing(*names):
    """Return what stands for the import of a module."""
    return lambda name: name not in names


@pytest.mark.parametrize(
    ("release", "packages"),
    [
        ("ID=debian\n", ["python3-semanage", "policycoreutils-python-utils"]),
        ("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n", ["python3-semanage", "policycoreutils-python-utils"]),
        ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", ["python3-libsemanage", "python3-policycoreutils"]),
        ("ID=fedora\n", ["python3-libsemanage", "python3-policycoreutils"]),
        ("ID=gentoo\n", []),
        ("", []),
    ],
)
def test_the_packages_of_the_distribution_are_named(host, tmp_path, release, packages):
    (tmp_path / "etc/os-release").write_text(release)
    value = tools.collect(host, able=missing("semanage", "seobject")).value
    assert (value["missing"], value["packages"], value["other"]) == (["semanage", "seobject"], packages, "")
    assert "cannot import semanage, seobject" in value["says"]
    assert ("bad_gateway_install_packages=true" in value["says"]) is bool(packages)
    assert ("not known" in value["says"]) is not bool(packages)


def test_no_package_helps_an_interpreter_that_is_not_the_distributions(host, tmp_path):
    (tmp_path / "etc/os-release").write_text("ID=fedora\n")
    host.able = ("/usr/libexec/platform-python",)
    value = tools.collect(host, able=missing("selinux", "semanage", "seobject")).value
    assert (value["packages"], value["other"]) == ([], "/usr/libexec/platform-python")
    assert value["says"].endswith("/usr/libexec/platform-python can: set ansible_python_interpreter to it")


def test_nothing_is_said_where_nothing_is_missing(host):
    value = tools.collect(host, able=missing()).value
    assert (value["missing"], value["packages"], value["says"], value["other"]) == ([], [], "", "")


def test_a_kernel_without_selinux_is_no_answer(tmp_path):
    with pytest.raises(evidence.Unanswered) as caught:
        tools.collect(Host(str(tmp_path)))
    assert caught.value.status == evidence.ABSENT


def test_settings_are_told(host, monkeypatch, tmp_path):
    fake_semanage.selinux(monkeypatch, local, tmp_path / "kernel", httpd_can_network_relay=True)
    told = tools.collect(Host(), ["httpd_can_network_relay"], [3000], ["/srv/shop(/.*)?"], able=missing())
    assert told.value["settings"] == [
        {"name": "SELinux boolean httpd_can_network_relay", "local": None, "value": True},
        {"name": "SELinux type of port tcp 3000", "local": None},
        {"name": "SELinux label of /srv/shop(/.*)?", "local": None},
    ]
    told = tools.collect(Host(), ["gone"], able=missing())
    assert told.value["settings"] is None and list(told.hidden) == ["SELinux has no boolean gone, or does not run here"]


@pytest.mark.parametrize(
    ("pattern", "recorded"),
    [
        ("/var/run/shop(/.*)?", "/run/shop(/.*)?"), ("/var/run(/.*)?", "/run(/.*)?"), ("/var/run", "/run"), ("/var/runner/x", "/var/runner/x"),
        ("/lib/systemd/x", "/usr/lib/systemd/x"), ("/srv/shop/app\\.sock", "/srv/shop/app\\.sock"),
    ],
)
def test_a_pattern_is_for_the_path_that_the_policy_looks_up(host, pattern, recorded):
    assert tools.collect(host, patterns=[pattern], able=missing()).value["patterns"] == {pattern: recorded}


def test_the_administrators_table_comes_first(host, tmp_path):
    (tmp_path / "etc/selinux/targeted/contexts/files/file_contexts.subs").write_text("/data/run /var/run\n")
    assert tools.collect(host, patterns=["/data/run/x"], able=missing()).value["patterns"] == {"/data/run/x": "/run/x"}
