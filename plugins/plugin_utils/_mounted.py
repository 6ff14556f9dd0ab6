# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what a finding is about is on the host, for an nginx in a container.

A person at the host has no /etc/nginx of a container: he needs the path that is mounted into it. And a file that was replaced on the host is not
what the container has: whatever it says now, nginx does not see it before the container is started again.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.webops.bad_gateway.plugins.module_utils._mount_sources import HOST, IMAGE, REPLACED
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.containers import Container
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import by_hand


def placed(host: Host, finding: Finding) -> Finding:
    """Return a finding that says in which container its place is; where that is an old file, with the restart that comes before any other fix."""
    instance = next((item for item in host.instances if item.id == finding.instance), None)
    if not finding.at or not instance or not instance.container:
        return finding
    source = instance.file(finding.at.file).get("source") or {}
    container = host.containers.by_id(instance.container)
    label = container.label if container else f"container {instance.container[:12]}"
    places = {HOST: f"; on the host {source.get('path')}", IMAGE: ", in its image", REPLACED: ", which has an old file"}
    shown = replace(finding, where=f"in {label}{places.get(source.get('kind'), '')}")
    return _of_old_file(shown, container, label, source) if source.get("kind") == REPLACED and finding.kind != ADVICE else shown


def _of_old_file(finding: Finding, container: Container | None, label: str, source: dict) -> Finding:
    file = source.get("path") or "its file on the host"
    shows = f"{finding.at.file} of {label} is an old file: {file} was replaced since the container was started, by an editor or a checkout"
    restart = f"{_docking.program(container)} restart {_docking.quoted(container)}" if container else ""
    says = f"Restart {label} first, so that it sees the new {file}: {restart}." if restart else f"Restart {label} first, so that it sees the new {file}."
    fix = by_hand(f"{says} Then diagnose again: the new file may be right already.")
    return replace(finding, evidence=(*finding.evidence, Evidence("mounts of the container", shows)), fix=fix, next=restart or finding.next)
