# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules say of a host, and what the report is made of.

This module is private to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place

CAUSE = "cause"
RISK = "risk"
ADVICE = "advice"
KINDS = (CAUSE, RISK, ADVICE)

PROVEN = "proven"
LIKELY = "likely"
POSSIBLE = "possible"
CERTAINTIES = (PROVEN, LIKELY, POSSIBLE)

DIAGNOSED = "diagnosed"
PARTIAL = "partial"
NO_NGINX = "no-nginx"
UNREACHABLE = "unreachable"
FAILED = "failed"

UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Evidence:
    """One thing that was seen: from_ is its source ("systemd", "error log"), shows what it said."""

    from_: str
    shows: str


@dataclass(frozen=True)
class Fix:
    """What would put it right.

    remedy   the role that does it, or None when a person has to
    safety   "safe", "risky" or "manual"
    summary  one sentence
    diff     the change as a unified diff, or ""
    changes  what the role is to do: items of its argument <remedy>_changes, as its argument specification has them; empty
             where what is known does not suffice to do it without a person
    more     pairs of another role and an item for it: what has to be done besides
    """

    remedy: str | None
    safety: str
    summary: str
    diff: str = ""
    changes: tuple[dict, ...] = ()
    more: tuple[tuple[str, dict], ...] = ()

    @property
    def steps(self) -> tuple[tuple[str, dict], ...]:
        """Return every pair of a role and an item for it."""
        return (*((self.remedy, item) for item in self.changes), *self.more) if self.remedy else ()


@dataclass(frozen=True)
class Finding:
    """A cause, a risk or a piece of advice.

    id            the fault's id
    kind          one of KINDS
    certainty     one of CERTAINTIES
    rank          1 is what to look at first; 0 before the findings of a host are ranked
    route         {"listen", "server", "location", "pass", "endpoint"}, or None for nginx as a whole
    at            where it is written (line 0: the file as a whole), or None
    says          one sentence with values
    evidence      what shows it
    alternatives  what the same evidence would allow, in sentences; empty when proven
    fix           what would put it right, or None
    next          the next command that a person runs, or ""
    also          further routes of which the same is true
    instance      id of the nginx that it is about, or ""
    where         of a file of a container: which, and where the file is on the host; "" for one of the host
    """

    id: str
    kind: str
    certainty: str
    rank: int
    route: dict[str, str] | None
    at: Place | None
    says: str
    evidence: tuple[Evidence, ...]
    alternatives: tuple[str, ...]
    fix: Fix | None
    next: str
    also: tuple[dict[str, str], ...] = ()
    instance: str = ""
    where: str = ""

    @property
    def endpoint(self) -> str:
        """Return where the route ends, or "" for a finding about nginx as a whole."""
        return self.route["endpoint"] if self.route else ""


@dataclass(frozen=True)
class Unknown:
    """Something that could not be judged.

    id      the fault's id; or "unexplained" for a failure that no rule explains, "configuration" for a
            file that could not be read, "route" for a target that is not known, "error log", "backend log", "socket path"
            and "probe" for a log that was not read, a socket that was not looked at, an endpoint that was not asked
    needs   what is missing: the question, such as "listeners"; the endpoint, file or pass for the other ids
    status  how it went: "absent", "denied", "timeout", "error" or "truncated"; "open" or "unresolved"
    why     one sentence
    """

    id: str
    needs: str
    status: str
    why: str


@dataclass(frozen=True)
class HostResult:
    """The verdict on one host.

    name       as in the inventory
    status     "diagnosed"; "partial" when something is unknown; "no-nginx"; "unreachable" or "failed"
    why        why there is no verdict, or ""
    nginx      what nginx is there; goes into report.json as it is
    findings   in any order; the report sorts them by kind and rank
    unknown    what could not be judged
    recovered  sentences about what failed in the log window and works now
    """

    name: str
    status: str
    why: str
    nginx: dict
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    recovered: tuple[str, ...]

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of a kind, the first to look at first."""
        return tuple(sorted((finding for finding in self.findings if finding.kind == kind), key=order))

    @property
    def judged(self) -> bool:
        """Return whether the host could be diagnosed, wholly or in part."""
        return self.status in (DIAGNOSED, PARTIAL, NO_NGINX)


def order(finding: Finding) -> tuple:
    """Return the sort key of a finding among those of its host."""
    place = (finding.at.file, finding.at.line) if finding.at else ("", 0)
    kind = KINDS.index(finding.kind) if finding.kind in KINDS else len(KINDS)
    return (kind, finding.rank, finding.id, finding.endpoint, place, finding.says)
