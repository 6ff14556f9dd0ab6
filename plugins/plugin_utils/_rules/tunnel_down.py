# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint is the near end of a tunnel, and the tunnel is down.

## What it is
nginx passes to a local port that an SSH forwarding (ssh -L, autossh), stunnel, socat or kubectl port-forward should hold
open. The program is stopped, failing, or runs without its port: connection refused (111), a 502. Or it runs, takes
the connection and closes it at once, because its far end does not get to the backend: "prematurely closed", a 502 too.

## How it is recognised
Nothing listens at the endpoint, and the unit or program whose command line names it as the near end of a tunnel is stopped
or failing: proven. It runs without listening there: likely. A tunnel program holds the port and closes every
connection without a byte, whatever is spoken: likely.

## Fix
Start the tunnel; let it notice a dead far end (ServerAliveInterval, ExitOnForwardFailure=yes, Restart=always). Risky: it
opens a way to another host.

## When it stays silent
The tunnel answers, another program holds the port, or a stopped tunnel leads from a port that nginx does not use.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg, Process
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import FAILING, RUNNING, tunnel_of
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import RISKY, Rule, by_hand, on_leg, start
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_absence, show_config, show_log, show_probe

_KEEPALIVE = "ServerAliveInterval=15, ServerAliveCountMax=3 and ExitOnForwardFailure=yes, under a unit with Restart=always"


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each endpoint whose tunnel is down."""
    for found in absence.absences(host, absence.TUNNEL_DOWN):
        yield _absent(host, found)
    for leg in host.legs:
        holder = _holder(leg)
        if holder and _closes(leg):
            yield _closing(host, leg, holder)


def _absent(host: Host, found: absence.Absence) -> Finding:
    leg, owner = found.leg, found.owner
    tunnel = owner.tunnel_at(leg.endpoint)
    evidence = show_absence(host, found)
    fix, command = start(host, found, RISKY)
    if owner.state in (RUNNING, FAILING):
        command = owner.look
        summary = f"See why {tunnel} does not hold the port open, then restart it"
        fix = by_hand(f"{summary}; with ssh: {_KEEPALIVE}.")
        evidence += [Evidence(f"log of {owner.label}", quote(line)) for line in owner.lines[-2:]]
    does = "runs, but does not listen there" if owner.state == RUNNING else "fails" if owner.state == FAILING else "is stopped"
    says = f"{leg.endpoint} is the near end of a tunnel ({tunnel}), and {owner.label} {does}: it is {owner.says}."
    return on_leg(host, RULE.id, leg, found.certainty, says, evidence, fix, command, found.alternatives)


def _holder(leg: Leg) -> Process | None:
    """Return the tunnel program that holds the port of a leg, or None."""
    for listener in leg.listeners if leg.local else ():
        for process in listener.processes:
            if process.comm in ("ssh", "autossh") or tunnel_of(process.argv):
                return process
    return None


def _closes(leg: Leg) -> bool:
    """Return whether every connection is taken and closed without a byte, whatever is spoken."""
    return leg.connect == "ok" and bool(leg.probe.tries) and all(item["status"] in ("closed", "reset") and not item.get("start") for item in leg.probe.tries)


def _closing(host: Host, leg: Leg, holder: Process) -> Finding:
    look = f"journalctl -u {holder.quoted_unit} -n 50 --no-pager" if holder.unit else f"ss -tnp dport = :{leg.endpoint.port}"
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY,
        f"{leg.endpoint} is the near end of a tunnel held by {holder.label}, which closes every connection at once: its far end does not reach the backend.",
        [
            show_config(leg),
            Evidence("listening sockets", f"{leg.endpoint} by {holder.label}: {quote(' '.join(holder.argv))}"),
            *show_probe(leg),
            *show_log(leg, "closed-early", "reset-early"),
        ],
        by_hand(f"Look at the backend at the far end, and at what the tunnel says; with ssh: {_KEEPALIVE}."),
        look,
        ("backend-not-running", "backend-crashed"),
    )


RULE = Rule(
    id="tunnel-down",
    title="The tunnel to the backend is down",
    needs=("nginx", "listeners", "php_fpm", "backends.units"),
    check=check,
)
