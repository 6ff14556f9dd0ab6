# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of the host."""

import socket
import struct

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import host_facts


def message(kind, body):
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def address(family, *attributes):
    body = struct.pack("=BBBBI", family, 24, 0, 0, 1)
    for kind, packed in attributes:
        body += struct.pack("=HH", 4 + len(packed), kind) + packed
    return message(20, body)


def test_this_host():
    answer = host_facts.collect(_host.Host())
    assert "127.0.0.1" in answer.value["addresses"]
    assert answer.value["booted"] < answer.value["now"]
    assert answer.value["kernel"] and answer.value["hostname"]


def test_addresses():
    found = set()
    raw = address(socket.AF_INET, (1, b"\x0a\0\0\x02"), (2, b"\x0a\0\0\x01")) + address(socket.AF_INET6, (1, b"\0" * 15 + b"\x01")) + message(3, b"\0" * 4)
    assert host_facts.parse_addresses(raw, found)
    assert found == {"10.0.0.1", "::1"}


def test_a_refusal_is_an_error():
    with pytest.raises(OSError):
        host_facts.parse_addresses(message(2, struct.pack("=i", -13)), set())


def test_no_addresses_are_not_an_empty_answer(monkeypatch):
    def refused():
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(host_facts, "addresses", refused)
    answer = host_facts.collect(_host.Host())
    assert answer.truncated and "local addresses: Permission denied" in answer.hidden


def test_a_cut_message_ends(monkeypatch):
    assert not host_facts.parse_addresses(b"\x10\0\0", set())
    assert host_facts.parse_addresses(b"\0" * 16, set())


def test_os_release():
    assert host_facts.parse_os_release('ID=debian\nNAME="A \\"b\\""\n# c=d\nbroken="\nVERSION_ID=\n') == {"ID": "debian", "NAME": 'A "b"', "VERSION_ID": ""}
