# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that secilc 3.4 made of recordings/selinux-policy.cil, for several versions; what an older version cannot hold was left out of it.

On a machine with SELinux the same reader was held against audit2why and setools: 329 decisions that Debian 12's policy denies, with and without
levels, and the records of all its 479 ports, without a difference.
"""

import os

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _host
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_policy as policies

FOLDER = os.path.join(os.path.dirname(__file__), "recordings")
VERSIONS = (24, 28, 30, 31, 33)


def raw(version):
    with open(os.path.join(FOLDER, "selinux-policy.{0}".format(version)), "rb") as file:
        return file.read()


@pytest.fixture(name="policy", params=VERSIONS)
def fixture_policy(request):
    return policies.Policy(raw(request.param))


def who(kind, user="system_u", role="system_r", level="s0"):
    return "{0}:{1}:{2}:{3}".format(user, role, kind, level)


def what(kind, level="s0"):
    return "system_u:object_r:{0}:{1}".format(kind, level)


def test_the_first_record_of_a_port_counts(policy):
    assert policy.port_records([80, 3000, 3001, 3306, 8080, 9999, 22]) == {
        "80": {"type": "http_port_t", "low": 80, "high": 80},
        "3000": {"type": "ntop_port_t", "low": 3000, "high": 3001},
        "3001": {"type": "ntop_port_t", "low": 3000, "high": 3001},
        "3306": {"type": "db_port_t", "low": 3306, "high": 3306},
        "8080": {"type": "cache_port_t", "low": 8080, "high": 8080},
        "9999": {"type": "unreserved_port_t", "low": 1024, "high": 65535},
    }


def test_booleans_have_their_states(policy):
    states = policy.states()
    assert states == {"can_connect": False, "can_relay": False, "can_db": True, "strange": False, "other": False, "off_to_allow": False}


@pytest.mark.parametrize(
    ("target", "name", "permission", "booleans"),
    [
        # By the type, by one of its attributes, by an alias.
        ("http_port_t", "tcp_socket", "name_connect", ["can_connect", "can_relay"]),
        ("www_port_t", "tcp_socket", "name_connect", ["can_connect", "can_relay"]),
        ("ntop_port_t", "tcp_socket", "name_connect", ["can_connect"]),
        # "can_db and strange": the other half is on. A dontaudit rule of can_relay allows nothing.
        ("db_port_t", "tcp_socket", "name_connect", ["can_connect", "strange"]),
        # In the branch for what is not so; with another permission; by a rule that has no boolean.
        ("app_t", "unix_stream_socket", "connectto", ["off_to_allow"]),
        ("var_t", "sock_file", "write", ["other"]),
        ("ntop_port_t", "tcp_socket", "name_bind", []),
        ("var_t", "dir", "search", []),
    ],
)
def test_each_boolean_that_alone_would_allow_it(policy, target, name, permission, booleans):
    assert policy.booleans_for(who("httpd_t"), what(target), name, permission) == booleans


def test_a_constraint_takes_away_what_a_boolean_would_give(policy):
    question = "tcp_socket", "name_connect"
    assert policy.booleans_for(who("caged_t"), what("http_port_t"), *question) == ["can_connect"]
    assert policy.booleans_for(who("caged_t"), what("http_port_t", "s0:c1"), *question) == []
    assert policy.booleans_for(who("caged_t", level="s0-s0:c0.c2"), what("http_port_t", "s0:c1"), *question) == ["can_connect"]
    assert policy.booleans_for(who("caged_t", level="s0:c0,c1"), what("http_port_t", "s0:c1"), *question) == ["can_connect"]
    # By user, by role, and by a type that is named.
    other = "user_u:user_r:app_t:s0"
    assert policy.booleans_for(who("httpd_t"), other, "unix_stream_socket", "connectto") == ["off_to_allow"]
    assert policy.booleans_for(who("init_t"), other, "unix_stream_socket", "connectto") == []


@pytest.mark.parametrize(
    ("source", "target", "name", "permission"),
    [
        # A type with bounds has no more than the one that bounds it.
        (who("child_t"), what("http_port_t"), "tcp_socket", "name_connect"),
        (who("unknown_t"), what("http_port_t"), "tcp_socket", "name_connect"),
        (who("httpd_t"), what("unknown_port_t"), "tcp_socket", "name_connect"),
        (who("httpd_t", level="s7"), what("http_port_t"), "tcp_socket", "name_connect"),
        (who("httpd_t", level="s0:c9"), what("http_port_t"), "tcp_socket", "name_connect"),
        (who("httpd_t"), what("http_port_t"), "no_class", "name_connect"),
        (who("httpd_t"), what("http_port_t"), "tcp_socket", "no_permission"),
        ("httpd_t", what("http_port_t"), "tcp_socket", "name_connect"),
        ("", "", "", ""),
    ],
)
def test_what_cannot_be_told_is_none(policy, source, target, name, permission):
    assert policy.booleans_for(source, target, name, permission) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_policy_that_is_cut_or_longer_is_an_error_and_no_guess(version):
    whole = raw(version)
    for length in list(range(0, len(whole), 37)) + [len(whole) - 1]:
        with pytest.raises(evidence.Unanswered):
            policies.Policy(whole[:length])
    with pytest.raises(evidence.Unanswered) as caught:
        policies.Policy(whole + b"\0")
    assert "1 bytes are left over" in caught.value.why


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_that_are_turned_never_hold_or_break_a_run(version):
    whole = raw(version)
    for place in range(0, len(whole), 23):
        try:
            policy = policies.Policy(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1:])
            policy.booleans_for(who("httpd_t"), what("http_port_t"), "tcp_socket", "name_connect")
        except evidence.Unanswered:
            continue


@pytest.mark.parametrize(("start", "why"), [(b"no policy", "policy"), (b"", "policy")])
def test_what_is_no_policy(start, why):
    with pytest.raises(evidence.Unanswered) as caught:
        policies.Policy(start)
    assert caught.value.status == "error" and why in caught.value.why


def as_version(version):
    """Return the policy in a newer version: 34 adds a kind of rule to conditions, 35 a bitmap behind the two at the begin."""
    whole, at = raw(33), 32
    for _number in range(2):
        at += 12 + 12 * int.from_bytes(whole[at + 8:at + 12], "little")
    added = (64).to_bytes(4, "little") + bytes(8) if version >= 35 else b""
    return whole[:16] + version.to_bytes(4, "little") + whole[20:at] + added + whole[at:]


@pytest.mark.parametrize("version", [34, 35])
def test_newer_versions(version):
    policy = policies.Policy(as_version(version))
    assert policy.version == version
    assert policy.booleans_for(who("httpd_t"), what("http_port_t"), "tcp_socket", "name_connect") == ["can_connect", "can_relay"]
    assert policy.port_records([3000]) == {"3000": {"type": "ntop_port_t", "low": 3000, "high": 3001}}


def test_a_version_of_tomorrow_is_said():
    head = raw(33)[:16]
    with pytest.raises(evidence.Unanswered) as caught:
        policies.Policy(head + b"\x24\0\0\0" + raw(33)[20:])
    assert caught.value.why == "policies of version 36 are not known here"


def place(root, path, content):
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_the_next_boot_loads_the_newest_version_that_the_kernel_knows(tmp_path):
    host = _host.Host(str(tmp_path))
    with pytest.raises(evidence.Unanswered):
        policies.at_boot(host, "targeted", 33)
    for version in (24, 33):
        place(tmp_path, "/etc/selinux/targeted/policy/policy.{0}".format(version), raw(version))
    place(tmp_path, "/etc/selinux/targeted/policy/policy.35", b"of another kernel")
    place(tmp_path, "/etc/selinux/targeted/policy/policy.kern", b"of nobody")
    assert policies.at_boot(host, "targeted", 33)["can_db"] is True
    with pytest.raises(evidence.Unanswered):
        policies.at_boot(host, "targeted", 23)


def test_a_policy_that_somebody_else_reads_is_waited_for(monkeypatch):
    waits = []

    class Busy(_host.Host):
        def read(self, path, limit=1 << 20):
            if len(waits) < 2:
                raise evidence.Unanswered("error", "/sys/fs/selinux/policy: Device or resource busy")
            return b"policy", False

    monkeypatch.setattr(policies.time, "sleep", waits.append)
    assert policies.loaded(Busy()) == b"policy" and waits == [0.1, 0.1]
