# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other labels SELinux is asked about, and endpoints about which nothing else is asked."""

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux, probes

HTTPD = "system_u:system_r:httpd_t:s0"
SOCKETS = list(_selinux.SOCKET_TYPES)


@pytest.mark.parametrize(
    ("name", "expected", "kinds"),
    [
        ("sock_file", "", SOCKETS),
        ("sock_file", "httpd_var_run_t", ["httpd_var_run_t"] + [kind for kind in SOCKETS if kind != "httpd_var_run_t"]),
        ("sock_file", "mysqld_runtime_t", ["mysqld_runtime_t"] + SOCKETS),
        ("dir", "", []),
        ("dir", "var_t", ["var_t"]),
        ("lnk_file", "var_t", ["var_t"]),
        ("unix_stream_socket", "", []),
    ],
)
def test_labels_of_files(name, expected, kinds):
    check = _selinux.check(HTTPD, name, "write", path="/run/x.sock")
    check["expected"] = expected and "system_u:object_r:{0}:s0".format(expected)
    assert list(_selinux._candidates(check)) == kinds


def test_labels_of_ports():
    assert _selinux._candidates(_selinux.check(HTTPD, "tcp_socket", "name_connect", port=3000)) == _selinux.PORT_TYPES


@pytest.fixture
def told(monkeypatch):
    """Say of each endpoint that it was asked about."""
    monkeypatch.setattr(probes.way, "add", lambda host, asked, pid, peers: [item.update(selinux={"endpoint": item["endpoint"]}) for item in asked])


def test_endpoints_that_are_not_connected_to(told):
    ends = ["10.0.0.7:5432", "unix:/run/x.sock"]
    value = probes.collect(None, [], decide=ends).value
    assert value["probes"] == []
    assert value["decided"] == [{"endpoint": endpoint, "selinux": {"endpoint": endpoint}} for endpoint in ends]
