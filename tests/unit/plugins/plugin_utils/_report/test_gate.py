# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: when a run fails."""

from __future__ import annotations

import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Unknown
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import gate


def test_never_never_fails(make):
    assert gate.decision(make.fleet(), "never") == (False, "")
    assert gate.decision([], "never") == (False, "")


def test_a_cause_fails(make):
    assert gate.decision([make.result("web1", make.finding())], "cause") == (
        True,
        "bad_gateway_fail_on=cause: failed because 1 cause was found on 1 host.",
    )


@pytest.mark.parametrize("status", ["unreachable", "failed"])
def test_a_host_that_could_not_be_diagnosed_fails(make, status):
    failed, sentence = gate.decision([make.result("web1", status=status), make.result("web2")], "cause")
    assert failed
    assert sentence == "bad_gateway_fail_on=cause: failed because 1 host could not be diagnosed."


def test_a_risk_fails_only_the_gate_for_risks(make):
    results = [make.result("web1", make.finding(kind="risk"))]
    assert gate.decision(results, "cause") == (False, "bad_gateway_fail_on=cause: passed.")
    assert gate.decision(results, "risk") == (True, "bad_gateway_fail_on=risk: failed because 1 risk was found.")


def test_advice_fails_nothing(make):
    assert gate.decision([make.result("web1", make.advice())], "risk") == (False, "bad_gateway_fail_on=risk: passed.")


def test_a_partly_diagnosed_host_passes_and_is_named(make):
    assert gate.decision([make.result("web1", status="partial"), make.result("db1", status="no-nginx")], "cause") == (
        False,
        "bad_gateway_fail_on=cause: passed, with 1 host only partly diagnosed.",
    )


def test_a_failure_without_a_known_cause_passes_and_is_named(make):
    result = make.result("web1", unknown=(Unknown("unexplained", "127.0.0.1:3000", "open", ""),))
    assert gate.decision([result], "cause") == (False, "bad_gateway_fail_on=cause: passed, with 1 host failing without a known cause.")


def test_no_host_at_all_fails(make):
    assert gate.decision([], "cause") == (True, "bad_gateway_fail_on=cause: failed because there was no host to judge.")


def test_another_word_is_refused(make):
    with pytest.raises(ValueError, match="'causes'"):
        gate.decision([], "causes")
