# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for real sockets."""

import socket

import pytest

from ansible_collections.webops.bad_gateway.plugins.modules import endpoint_wait


def addresses(*endpoints: str) -> dict:
    return {endpoint: endpoint_wait.address_of(endpoint) for endpoint in endpoints}


@pytest.fixture(name="port")
def a_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_an_open_port_is_taken_at_once(port):
    assert endpoint_wait.wait(addresses(f"127.0.0.1:{port}"), 0) == {}


def test_a_socket_file_without_a_listener_does_not_count(tmp_path):
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(path))
    assert path.exists()
    assert endpoint_wait.wait(addresses(f"unix:{path}"), 0) == {f"unix:{path}": "Connection refused"}


def test_what_opens_later_is_waited_for(tmp_path):
    path = tmp_path / "app.sock"
    late = socket.socket(socket.AF_UNIX)

    def pause(_seconds):
        if not path.exists():
            late.bind(str(path))
            late.listen()

    assert endpoint_wait.wait(addresses(f"unix:{path}"), 5, pause=pause) == {}
    late.close()


def test_each_that_refuses_is_told(port, tmp_path):
    refusing = endpoint_wait.wait(addresses(f"127.0.0.1:{port}", f"unix:{tmp_path}/none.sock"), 0.2)
    assert refusing == {f"unix:{tmp_path}/none.sock": "No such file or directory"}


@pytest.mark.parametrize(("endpoint", "family", "address"), [("[::1]:80", socket.AF_INET6, ("::1", 80)), ("unix:/run/x", socket.AF_UNIX, "/run/x")])
def test_the_address_of_an_endpoint(endpoint, family, address):
    assert endpoint_wait.address_of(endpoint) == (family, address)


@pytest.mark.parametrize("written", ["", "localhost:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "unix:x", "[127.0.0.1]:80"])
def test_what_is_no_endpoint_is_refused(written):
    with pytest.raises(ValueError, match="is no endpoint"):
        endpoint_wait.address_of(written)
