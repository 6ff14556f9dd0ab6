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
import posixpath
import re
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import naming, proxies, stale
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_group


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx whose configuration on disk is invalid."""
    for instance in host.instances:
        test = instance.test["value"]
        if not test or test["valid"] or naming.unfound(host, instance):
            continue
        message = _decisive(test.get("messages") or [])
        named = None if message.get("file") else _naming(instance, message["text"])
        at = Place(message["file"], message.get("line") or 0) if message.get("file") else named.at if named else None
        failing = stale.failures(host, instance)
        evidence = [Evidence("nginx -t in a private overlay", quote(message["text"], 300))]
        evidence += [Evidence(str(named.at), quote(f"{named.name} {' '.join(named.args)}", 300))] if named else []
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
            _fix(instance, message, named),
            _docking.test_command(host, instance),
            at,
        )
        yield dataclasses.replace(finding, alternatives=(naming.NOT_FOUND,)) if unsure else finding


# How nginx names a file that a directive asks for, where it names no line: of a certificate or key, or one that it opens.
_FILE = re.compile(r'(?:cannot load certificate(?: key)?|open\(\)|SSL_CTX_\w+\(|PEM_read_bio\w*\(|BIO_new_file\()\s*"(?P<path>/[^"]+)"')
_MISSING = ("(2: No such file or directory)", "No such file or directory:calling fopen(")


def _naming(instance: Instance, said: str) -> Statement | None:
    """Return the directive that names the file of a message, or None."""
    match = _FILE.search(said)

    # A relative path begins at the folder of the configuration.
    folder = posixpath.dirname(instance.raw["conf_path"])
    every = instance.configuration.everywhere() if match else ()
    return next((item for item in every if any(posixpath.join(folder, word) == match["path"] for word in item.args)), None)


def _fix(instance: Instance, message: dict, named: Statement | None) -> Fix:
    after = "then test and reload." if instance.running else "then test and start nginx."
    if named and any(words in message["text"] for words in _MISSING):
        path = _FILE.search(message["text"])["path"]
        return by_hand(f"Put {quote(path, 200)} back, or take it out of {named.name} at {named.at}; {after}")
    return by_hand(f"Mend {'the line that' if message.get('line') else 'what'} the message names; {after}")


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
