# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx makes of the answers of its name servers, and which resolver is in force."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import resolvers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

AT = Place("x", 1)


def said(status: str, *addresses: str, ttl: int | None = None) -> dict:
    return {"status": status, "addresses": list(addresses), "ttl": ttl, "why": ""}


def answers(four: dict, six: dict) -> resolvers.Answers:
    return resolvers.Answers.of(
        {"servers": {"127.0.0.1:53": {"app.internal": {"a": four, "aaaa": six}}}, "named": {"127.0.0.1": ["127.0.0.1:53"]}, "system": {"servers": []}}
    )


@pytest.mark.parametrize(
    ("four", "six", "expected"),
    [
        (said("ok", "10.0.0.1", ttl=9), said("ok", "fd00::1", ttl=5), ("ok", ("10.0.0.1", "fd00::1"), 5)),
        (said("ok", "10.0.0.1", ttl=9), said("empty"), ("ok", ("10.0.0.1",), 9)),
        (said("empty"), said("ok", "fd00::1"), ("ok", ("fd00::1",), None)),
        (said("empty"), said("empty"), ("nxdomain", (), None)),
        (said("ok", "10.0.0.1"), said("refused"), ("refused", (), None)),
        (said("servfail"), said("ok", "fd00::1"), ("servfail", (), None)),
        (said("ok", "10.0.0.1"), said("timeout"), ("timeout", (), None)),
        (said("nxdomain"), said("timeout"), ("timeout", (), None)),
        (said("nxdomain"), said("nxdomain"), ("nxdomain", (), None)),
        (said("ok", "no address", "10.0.0.1"), said("empty"), ("ok", ("10.0.0.1",), None)),
    ],
)
def test_both_answers_count(four, six, expected):
    (lookup,) = answers(four, six).ask(resolvers.Resolver(AT, ("127.0.0.1",)), "App.internal.")
    assert (lookup.status, lookup.addresses, lookup.ttl) == expected


@pytest.mark.parametrize(("ipv4", "ipv6", "status"), [(True, False, "ok"), (False, True, "refused")])
def test_one_kind_alone(ipv4, ipv6, status):
    (lookup,) = answers(said("ok", "10.0.0.1"), said("refused")).ask(resolvers.Resolver(AT, ("127.0.0.1",), ipv4, ipv6), "app.internal")
    assert lookup.status == status


def test_what_was_not_asked():
    nobody = resolvers.Answers.of(None)
    assert nobody.ask(resolvers.Resolver(AT, ("127.0.0.1",)), "app.internal") == () == nobody.ask_system("app.internal")
    assert nobody.alive(resolvers.Resolver(AT, ("127.0.0.1",))) is None
    assert answers(said("timeout"), said("timeout")).alive(resolvers.Resolver(AT, ("127.0.0.1",))) is False
    assert answers(said("refused"), said("timeout")).alive(resolvers.Resolver(AT, ("127.0.0.1",))) is True


def test_the_innermost_resolver_is_in_force():
    outer = Statement("resolver", ("10.0.0.1", "valid=1m", "ipv6=off", "status_zone=dns"), AT, None)
    inner = Statement("resolver", ("[::1]:53", "10.0.0.2"), Place("x", 2), None)
    assert resolvers.resolver_of(((outer,), ())) == resolvers.Resolver(AT, ("10.0.0.1",), True, False)
    assert resolvers.resolver_of(((outer,), (inner,), ())) == resolvers.Resolver(Place("x", 2), ("[::1]:53", "10.0.0.2"))
    assert resolvers.resolver_of(((), ())) is None
