# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as one: how many hosts are how, and what several of them share.

This module is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _finding as finding

# RFC 1123 names, with the underscore that service discovery uses.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_PORT = re.compile(r":\d{1,5}$")

# What a host is counted as, those in trouble first.
STATES = ("with_cause", "unexplained", "undiagnosed", "partial", "healthy", "no_nginx")


@dataclass(frozen=True)
class Shared:
    """A finding that several hosts have.

    key      what makes it the same, see place_key()
    hosts    their names, sorted
    count    how many findings it stands for
    certain  how many of them are how certain, the most certain first
    example  the most certain of them, and example_host where it was seen
    """

    key: tuple
    hosts: tuple[str, ...]
    count: int
    certain: dict[str, int]
    example: finding.Finding
    example_host: str


def summary(results: Iterable[finding.HostResult]) -> dict[str, int]:
    """Return the counts of a fleet.

    with_cause, unexplained, undiagnosed, partial, healthy and no_nginx add up to hosts: a host with a
    cause counts there whatever its status, and one of which something is unknown is never healthy.
    causes, risks and advice count findings.
    """
    counts = dict.fromkeys(("hosts", *STATES, "causes", "risks", "advice"), 0)
    for result in results:
        counts["hosts"] += 1
        counts[state(result)] += 1
        for kind, name in ((finding.CAUSE, "causes"), (finding.RISK, "risks"), (finding.ADVICE, "advice")):
            counts[name] += sum(1 for item in result.findings if item.kind == kind)
    return counts


def state(result: finding.HostResult) -> str:
    """Return one of STATES; "unexplained" is a host where requests fail and no cause was found."""
    if any(item.kind == finding.CAUSE for item in result.findings):
        return "with_cause"
    if not result.judged:
        return "undiagnosed"
    if any(item.id == finding.UNEXPLAINED for item in result.unknown):
        return "unexplained"
    if result.status == finding.PARTIAL or result.unknown:
        return "partial"
    return "no_nginx" if result.status == finding.NO_NGINX else "healthy"


def shared(results: Iterable[finding.HostResult]) -> tuple[Shared, ...]:
    """Return what several hosts share: causes first, then what most hosts have."""
    members: dict[tuple, list[tuple[str, finding.Finding]]] = {}
    for result in results:
        for item in result.findings:
            key = place_key(item)
            if key:
                members.setdefault(key, []).append((result.name, item))
    found = (_shared(key, group) for key, group in members.items() if len({name for name, _item in group}) > 1)
    return tuple(sorted(found, key=lambda item: (finding.order(item.example)[0], -len(item.hosts), item.key)))


def place_key(item: finding.Finding) -> tuple | None:
    """Return what is equal for findings of several hosts that are the same one, or None for a host's own.

    A remote endpoint is the same place from everywhere. Any other is the same only as a copy of
    one configuration: the same file, line and endpoint.
    """
    if is_remote(item.endpoint):
        return (item.kind, item.id, item.endpoint, "", 0)
    if item.at:
        return (item.kind, item.id, item.endpoint, item.at.file, item.at.line)
    return None


def is_remote(endpoint: str) -> bool:
    """Return whether an endpoint means the same place on every host.

    A Unix socket, a loopback or link-local address and the name localhost do not; neither does
    anything that is no address or name, such as a variable.
    """
    if endpoint.startswith("unix:"):
        return False
    place = _PORT.sub("", endpoint)
    try:
        address = ipaddress.ip_address(place.strip("[]"))
    except ValueError:
        return bool(_NAME.fullmatch(place)) and place.rstrip(".").lower() != "localhost"
    address = getattr(address, "ipv4_mapped", None) or address
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _shared(key: tuple, group: list[tuple[str, finding.Finding]]) -> Shared:
    host, example = min(group, key=lambda member: (_doubt(member[1]), member[0], finding.order(member[1])))
    certain = Counter(item.certainty for _name, item in sorted(group, key=lambda member: _doubt(member[1])))
    return Shared(key, tuple(sorted({name for name, _item in group})), len(group), dict(certain), example, host)


def _doubt(item: finding.Finding) -> int:
    return finding.CERTAINTIES.index(item.certainty) if item.certainty in finding.CERTAINTIES else len(finding.CERTAINTIES)
