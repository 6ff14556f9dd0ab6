# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration on disk does not pass nginx's own test.

## What it is
A file has an error, so that nginx cannot start, or cannot load what was changed: a reload is refused in
silence and the workers go on with the configuration from before.

## How it is recognised
nginx -t, run in a private overlay of the host where it can change nothing, fails; its message names file and
line. It is a cause when nginx is down and its unit says that it should run, or when requests fail on an
upstream that the files on disk do not name any more; otherwise a risk: the next start will fail. Of nginx in a container that is down
there is only its last [emerg]: likely.

## Fix
Mend the line that the message names. Manual.

## When it stays silent
The test passes, or could not be made: then it is unknown. It stops at a host name alone that does not resolve now
either (dns-host-not-found).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, proxies, stale
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_group


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx whose configuration on disk is invalid."""
    for instance in host.instances:
        test = instance.test["value"]
        if not test or test["valid"] or naming.unfound(host, instance):
            continue
        message = _decisive(test.get("messages") or [])
        failing = stale.failures(host, instance)
        evidence = [Evidence("nginx -t in a private overlay", quote(message["text"], 300))]
        evidence += [Evidence("process table", "no master process runs")] if not instance.running else []
        evidence += stale_evidence(instance) if instance.running else []
        evidence += [show_group(group) for group in failing[:2]]
        effect = "nginx cannot start" if not instance.running else "what is on disk cannot be loaded, and the workers go on with what was there before"
        # A name that does not resolve is another fault; where names were not asked for, it may be that one.
        unsure = naming.may_be_unfound(host, instance)
        finding = on_instance(
            RULE.id,
            instance,
            CAUSE if failing or (instance.meant_to_run and not instance.running) else RISK,
            LIKELY if unsure else PROVEN,
            f"The configuration is invalid, so {effect}: {quote(message['text'], 200)}",
            evidence,
            by_hand("Mend the line that the message names; then test and reload."),
            "nginx -t",
            Place(message["file"], message.get("line") or 0) if message.get("file") else None,
        )
        yield dataclasses.replace(finding, alternatives=(naming.NOT_FOUND,)) if unsure else finding


def down(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx container that ended with an [emerg] at its start."""
    for found in proxies.down(host, RULE.id):
        own = found.container
        says = f"nginx in {own.label} did not start: {quote(found.said, 200)}"
        fix = by_hand(f"Mend what the message names, then: {_docking.program(own)} start {_docking.quoted(own)}")
        yield _docking.of_proxy(RULE.id, found, says, fix, f"{_docking.program(own)} logs --tail 20 {_docking.quoted(own)}", host)


def stale_evidence(instance: Instance) -> list[Evidence]:
    """Show that files changed after the workers started."""
    return [Evidence("file times", f"{file} is newer than the running workers") for file in instance.newer_files[:3]]


def _decisive(messages: list[dict]) -> dict:
    """Return the message that made the test fail: the first of the gravest level."""
    order = ("emerg", "alert", "crit", "error")
    graves = [message for level in order for message in messages if message["level"] == level]
    return graves[0] if graves else {"text": "nginx -t failed without a message", "file": "", "line": 0}


RULE = Rule(
    id="config-invalid",
    title="The configuration does not pass nginx's test",
    needs=("nginx", "nginx.test"),
    check=check,
    down=down,
)
