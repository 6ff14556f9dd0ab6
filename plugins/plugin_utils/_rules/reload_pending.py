# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs is not what is on disk.

## What it is
Files were changed after the workers were started, and never loaded: nobody reloaded, or the reload was
refused (nginx -t passes and nginx -s reload succeeds all the same when a new port is taken or a shared zone
was redefined). Requests still go where the old configuration says.

A port that SELinux does not let nginx bind is refused so as well: nginx -t, which runs in another domain, and nginx -s reload succeed,
and the master logs "bind() ... (13: Permission denied)".

## How it is recognised
The workers are older than a file, and requests that they took fail on an upstream that no file names any
more: a cause, proven by the workers' age. With newer files alone, or with a port that the files name and the
master does not hold because the log says that a reload was refused, it is a risk. That SELinux is why, the kernel's own decision says for the
context of the master and the type of the port; that it would be why, also before anybody tried. A port below 1024 takes root besides.

## Fix
Reload, when the test passes. Safe. Where SELinux denies a port: label it as one of web servers (http_port_t), which nginx may bind as it is, then
reload. Risky. Where a confined service of the host listens on that port, or somebody of the host labelled it, a person decides.

## When it stays silent
No file is newer than the workers; the test fails (config-invalid).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking, _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, LIKELY, POSSIBLE, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import stale
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux import Bind
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import SAFE, Rule, by_each, by_hand, on_instance
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_bind, show_group


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each nginx whose workers run another configuration than the one on disk."""
    for instance in host.instances:
        if not instance.running or not (instance.test["value"] or {}).get("valid", True):
            continue
        failing = stale.failures(host, instance)
        unheld = stale.unheld_listens(host, instance)
        refused = stale.refused_reloads(host, instance)
        denied = [bind for bind in stale.unbindable(host, instance) if any(listen.endswith(f":{bind.port}") for listen in unheld)]
        if not (instance.newer_files or (failing and instance.touched_files) or (unheld and refused)):
            continue
        files = instance.newer_files or instance.touched_files
        evidence = [Evidence("workers", f"running since {clock(instance.loaded)}")]
        evidence += [Evidence("file times", f"{file} was changed later") for file in files[:3]]
        evidence += [Evidence("listening sockets", f"the master does not hold {listen}, which the files name") for listen in unheld[:3]]
        evidence += [item for bind in denied[:3] for item in show_bind(bind)]
        evidence += [Evidence("error log", quote(f"[emerg] {record['text']}, last {clock(record['last'])}", 300)) for record in refused[:2]]
        evidence += [show_group(group) for group in failing[:2]]
        yield on_instance(
            RULE.id,
            instance,
            CAUSE if failing else RISK,
            PROVEN if instance.newer_files or unheld else LIKELY if failing else POSSIBLE,
            _says(instance, failing, refused, denied),
            evidence,
            _fix(host, instance, refused, denied),
            next((_widening.to_listen(host, bind).command for bind in denied), _docking.reload_command(host, instance)),
            Place(files[0], 0) if files else None,
        )


def _says(instance: Instance, failing: list[dict], refused: list[dict], denied: list[Bind]) -> str:
    why = "the last reload was refused" if refused else "it was changed after they were started and not loaded"
    if denied:
        ports = ", ".join(f"TCP port {bind.port} ({bind.type})" for bind in denied[:3])
        why += f"{',' if refused else '; a reload would be refused,'} because SELinux does not let nginx, which runs in {denied[0].domain}, bind {ports}"
    elif refused and any(stale.privileged(instance, stale.not_bound(record)) for record in refused if stale.not_bound(record)):
        why += ", because only root may bind ports below 1024 and its master is not root"
    peers = sorted({group["peer"] for group in failing if group["peer"]})
    where = f" Requests still go to {', '.join(peers[:3])}, which no file names any more." if peers else " Requests still find no resolver." if failing else ""
    return f"The running workers do not use the configuration on disk: {why}.{where}"


def _fix(host: Host, instance: Instance, refused: list[dict], denied: list[Bind]) -> Fix:
    ports = [stale.not_bound(record) for record in refused]
    if denied and all(port in [bind.port for bind in denied] for port in ports):
        return by_each([_widening.to_listen(host, bind) for bind in denied], f" Then nginx loads it: {_docking.reload_command(host, instance)}.")
    if refused and any(stale.privileged(instance, port) for port in ports if port):
        return by_hand("Let it listen on a port from 1024 on, or start it as root; then reload.")
    unknown = _undecided(host, instance, ports)
    if unknown:
        what = f"nginx was not permitted to bind TCP port {unknown[0]}, and what SELinux decides about it is not known"
        return by_hand(f"{what}: ausearch -m avc -ts recent may show that it was denied. Let it, or take the port out of the files; then reload.")
    if refused and not _allowed_since(host, instance, ports):
        return by_hand("Remove what the refused reload names in the error log; then reload.")
    return Fix(remedy="reload_nginx", safety=SAFE, summary=f"Load it: {_docking.reload_command(host, instance)}", changes=(instance.reload(),))


def _undecided(host: Host, instance: Instance, ports: list[int]) -> list[int]:
    """Return the ports of the files that nginx was not permitted to bind and about which the kernel gave no decision, where SELinux enforces."""
    decided = {bind.port for bind in host.selinux.listens if bind.instance == instance.id and bind.allowed is not None}
    wanted = {int(listen.rpartition(":")[2]) for listen in stale.unheld_listens(host, instance) if listen.rpartition(":")[2].isdigit()}
    return [port for port in ports if port in wanted - decided and host.selinux.enforcing]


def _allowed_since(host: Host, instance: Instance, ports: list[int]) -> bool:
    """Return whether all that a reload was refused for are ports that SELinux lets nginx bind by now."""
    allowed = [bind.port for bind in host.selinux.listens if bind.instance == instance.id and bind.allowed]
    return bool(ports) and all(port in allowed for port in ports)


RULE = Rule(
    id="reload-pending",
    title="What runs is not what is on disk",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
