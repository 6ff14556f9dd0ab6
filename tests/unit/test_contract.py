# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised to be diagnosed: each id has a rule, a host on which it speaks, a look-alike on which it does not, a page, and a fault on a real host."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _rules
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils._rules.every_case import FIRING, SILENT

CHECKOUT = Path(__file__).resolve().parents[2]

CAUSES = """
    backend-not-running backend-start-failing startup-order
    backend-wrong-port backend-wrong-address endpoint-kind-mismatch socket-path-mismatch socket-private-tmp proxy-loop proxy-pass-uri-mismatch
    container-localhost container-loopback-bind container-network-mismatch container-port-mapping
    dns-stale-address dns-host-not-found dns-resolver-missing dns-resolver-failing
    firewall-blocked network-unreachable ephemeral-ports-exhausted tunnel-down
    socket-permission socket-directory-permission apparmor-denied selinux-network-connect selinux-socket-label proxy-temp-permission
    file-descriptors-exhausted worker-connections-exhausted
    nginx-not-running config-invalid reload-pending no-live-upstreams
    tls-to-plain-backend plain-to-tls-backend tls-sni-missing tls-certificate-untrusted tls-version-mismatch
    gateway-protocol-mismatch http2-protocol-mismatch websocket-headers-missing response-header-invalid
    response-header-too-big uwsgi-request-too-big
    backend-crashed backend-oom-killed backend-killed-by-manager backend-workers-exhausted backend-overloaded backend-closes-early keepalive-race
    upstream-timeout
""".split()
ADVICE = """
    single-backend no-failover-policy dns-cached-at-start timeouts-misaligned buffers-incoherent wrong-module-directive keepalive-incomplete
    descriptor-headroom no-rate-limit no-response-cache health-check-unavailable selinux-not-enforcing
""".split()
# No kernel of the lab's hosts has AppArmor or SELinux: their cases are made of recorded answers.
NOT_IN_THE_LAB = ("apparmor-denied", "selinux-not-enforcing")


def test_every_id_has_a_rule():
    assert sorted(CAUSES + ADVICE) == sorted(rule.id for rule in _rules.ALL)


@pytest.mark.parametrize("rule", CAUSES + ADVICE)
def test_every_id_has_a_host_and_a_look_alike(rule):
    assert rule in FIRING and rule in SILENT


def told_in_the_lab() -> set[str]:
    """Return the ids that faults are about: by the name of the folder, and each of several that are wrong with one host."""
    told = set()
    for file in (CHECKOUT / "tests" / "lab" / "faults").glob("*/*.yml"):
        expect = yaml.safe_load(file.read_text(encoding="utf-8"))["expect"]
        told |= {file.parent.name} | ({item["cause"] for item in expect if isinstance(item["cause"], str)} if isinstance(expect, list) else set())
    return told


def test_every_id_has_a_fault_in_the_lab():
    assert told_in_the_lab() == set(CAUSES + ADVICE) - set(NOT_IN_THE_LAB)


def test_every_page_says_what_its_rule_says():
    spec = importlib.util.spec_from_file_location("cause_pages", CHECKOUT / "scripts" / "cause_pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["cause_pages"] = module
    spec.loader.exec_module(module)
    there = {file.name: file.read_text(encoding="utf-8") for file in module.FOLDER.glob("*.md")}
    assert there == module.pages(), "run: .venv/bin/python scripts/cause_pages.py"
