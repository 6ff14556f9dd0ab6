# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule is.

A rule is one file in _rules, named by its fault. Its docstring is the fault's manual page. Its
check sees a Host and yields findings; it is run only when the host answered every question that
the rule needs, so that a rule can neither guess nor stay silent for want of evidence.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _edit, _pointing, _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, CAUSE, PROVEN, RISK, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, access, fallback, opening, settings, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.owners import Owner
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_access

SAFE, RISKY, MANUAL = "safe", "risky", "manual"
# How a fault shows itself to nginx, in the words of proxy_next_upstream; ANSWER is one that it hands on to the client.
ERROR, TIMEOUT, INVALID_HEADER, ANSWER = "error", "timeout", "invalid_header", ""
# Methods that nginx sends once only, when any of it was sent (ngx_http_upstream_next()).
ONCE = ("POST", "LOCK", "PATCH")


@dataclass(frozen=True)
class Rule:
    """One fault that can be found.

    id      the fault's id in reports, settings and documentation
    title   the fault in one line
    needs   the questions without whose answers nothing can be said
    check   yields the findings on a host
    down    yields those about nginx in containers that are down; it needs the containers alone, and so is asked of a host without nginx, too
    """

    id: str
    title: str
    needs: tuple[str, ...]
    check: Callable[[Host], Iterable[Finding]]
    down: Callable[[Host], Iterable[Finding]] | None = None


def on_leg(
    host: Host,
    rule: str,
    leg: Leg,
    certainty: str,
    says: str,
    evidence: Iterable[Evidence],
    fix: Fix,
    command: str = "",
    alternatives: Iterable[str] = (),
    at: Place | None = None,
    failure: str = ERROR,
) -> Finding:
    """Return a finding about one leg; at is where the fix belongs, by default where the endpoint is written; failure as for strikes()."""
    kind = CAUSE if strikes(host, leg, failure) else RISK
    shown = (*evidence, *(show_access(host, leg) if kind == CAUSE else ()))
    return of_route(rule, leg.route, kind, certainty, says, shown, fix, command, alternatives, at or leg.peer.at, str(leg.endpoint))


def or_risk(finding: Finding, failing: bool) -> Finding:
    """Return a finding as a risk where its evidence shows nothing that fails yet."""
    return finding if failing else replace(finding, kind=RISK)


def by_hand(summary: str) -> Fix:
    """Return the fix that a person makes."""
    return Fix(remedy=None, safety=MANUAL, summary=summary)


def by_changes(remedy: str, summary: str, changes: tuple[dict, ...]) -> Fix:
    """Return the fix that a role makes with these changes, which is risky; without any, a person does the same."""
    return Fix(remedy=remedy, safety=RISKY, summary=summary, changes=changes) if changes else by_hand(summary)


def advise(rule: str, leg: Leg, says: str, evidence: Iterable[Evidence], fix: Fix | str, at: Place | None = None) -> Finding:
    """Return a piece of advice on one leg; it is about the configuration as it stands, and so proven. fix may be a sentence for a person."""
    fix = by_hand(fix) if isinstance(fix, str) else fix
    return of_route(rule, leg.route, ADVICE, PROVEN, says, evidence, fix, at=at, endpoint=str(leg.endpoint))


def repoint(found: absence.Absence, safety: str) -> Fix:
    """Return the fix of a pass that leads where its backend is not."""
    leg, real = found.leg, found.reachable
    if not real:
        return by_hand(f"Let the backend listen on {leg.endpoint}.")
    changes = _pointing.moved(leg, real, found.elsewhere)
    summary = f"Point {leg.peer.at} at {real} instead of {leg.endpoint}."
    if not changes:
        return by_hand(f"{summary} What is written there leaves open how: a person has to choose.")
    also = _edit.shared(leg.route.site.configuration, (leg.peer.at,))
    return Fix(remedy="repoint_upstream", safety=safety, summary=f"{summary} {also}".strip(), changes=changes)


def start(host: Host, found: absence.Absence, safety: str) -> tuple[Fix, str]:
    """Return the fix of a backend that is stopped, and the command with which a person does the same."""
    owner, leg = found.owner, found.leg
    if found.seen_on is not host:
        where = f" on {found.seen_on.name}" if found.seen_on else ""
        return by_hand(f"Start it{where}: {owner.start or owner.label}."), owner.start or owner.look
    return start_owner(host, owner, leg, safety)


def start_owner(host: Host, owner: Owner, leg: Leg, safety: str) -> tuple[Fix, str]:
    """Return the fix of an owner of this host that is stopped, and the command with which a person does the same."""
    way = starting.start_of(host, owner, leg.endpoint)
    if not way.item:
        return by_hand(f"Start {owner.label} by hand; {way.why_not}."), owner.start or owner.look
    off, unsaved = way.item.get("autostart"), way.item.get("save")
    kept = f", and let it start with supervisord: autostart=true in {off['file']}" if off else ", and save PM2's list of apps: pm2 save" if unsaved else ""
    kept += f"; it has no restart policy and stays down after a boot: docker update --restart=unless-stopped {owner.name}" if _stays_down(host, owner) else ""
    return Fix(remedy=way.remedy, safety=safety, summary=f"Start it: {way.command}{kept}", changes=(way.item,)), way.command


def _stays_down(host: Host, owner: Owner) -> bool:
    container = host.containers.by_id(owner.container)
    return bool(container) and container.restart_policy == "no" and "podman" not in container.engine


def by_role(remedy: str, summary: str, change: settings.Change, safety: str = RISKY) -> Fix:
    """Return the fix that a role makes where it is known how, else the one of a person."""
    if not change.item:
        return by_hand(f"{summary} By hand: {change.why_not}.")
    return Fix(remedy=remedy, safety=safety, summary=summary, changes=(change.item,))


def let_in(host: Host, leg: Leg, denied: access.Denial, otherwise: str) -> Fix:
    """Return the fix of a socket that is closed to the worker; otherwise is what a person does. A worker has the groups that its user had at its start."""
    if denied.outdated:
        summary = f"Reload nginx: {denied.user} was put into a group that lets it in since these workers were started. {leg.instance.reload_command}"
        return Fix(remedy="reload_nginx", safety=SAFE, summary=summary, changes=(leg.instance.reload(force=True),))
    way = opening.opening(host, leg)
    if not way.items:
        return by_hand(f"{otherwise} By hand: {way.why_not}.")
    return Fix(remedy="socket_access", safety=RISKY, summary=f"{way.how[:1].upper()}{way.how[1:]}.", changes=way.items)


def by_ways(ways: Iterable[_widening.Way]) -> Fix:
    """Return the fix that takes the first of some ways that a role can go, else the first that a person can."""
    ways = tuple(ways)
    if not ways:
        return by_hand("No boolean and no label that is known here allows it; whoever maintains the policy has to. Switching SELinux off is no remedy.")
    way = _taken(ways)
    summary = f"{_upper(way.does)}; {way.opens}."
    if not way.changes:
        return by_hand(f"{summary} By hand: {way.why_not}.")
    remedy = way.changes[0][0]
    changes = tuple(item for name, item in way.changes if name == remedy)
    return Fix(remedy=remedy, safety=RISKY, summary=summary, changes=changes, more=tuple(pair for pair in way.changes if pair[0] != remedy))


def other_ways(ways: Iterable[_widening.Way]) -> list[Evidence]:
    """Show the ways that by_ways() does not take, with what each opens, and why where it comes before the one that is taken."""
    ways = tuple(ways)
    shown = []
    for way in ways[:5]:
        if way is not _taken(ways):
            why_not = f"; not done here: {way.why_not}" if way.why_not and any(other.changes for other in ways) else ""
            shown.append(Evidence("another way", f"{way.does}; {way.opens}{why_not}"))
    return shown


def _taken(ways: tuple[_widening.Way, ...]) -> _widening.Way:
    return next((way for way in ways if way.changes), ways[0])


def by_each(ways: Iterable[_widening.Way], after: str = "") -> Fix:
    """Return the fix that goes each of some ways, and what is said after it; where a role cannot go all of them, a person does."""
    ways = tuple(ways)
    stuck = next((way for way in ways if not way.changes), None)
    summary = " ".join(f"{_upper(way.does)}; {way.opens}." for way in ways) + after
    if stuck:
        return by_hand(f"{summary} By hand: {stuck.why_not}.")
    pairs = [pair for way in ways for pair in way.changes]
    return Fix(remedy=pairs[0][0], safety=RISKY, summary=summary, changes=tuple(item for _name, item in pairs))


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def strikes(host: Host, leg: Leg, failure: str) -> bool:
    """Return whether a fault on a leg fails requests now.

    It does not yet when nginx is down, when the route stands in a file that the workers have not read
    and the log shows no failure on its endpoint, when requests come there only once another backend failed and none did, or when nginx goes on to
    another peer that answers. On which failures it goes on, *_next_upstream says: ERROR, TIMEOUT or INVALID_HEADER; on ANSWER, never.
    It does not either where only copies of requests go there, or another location gives its answer instead.
    """
    if not leg.instance.running or fallback.only_copies(leg.route):
        return False
    if failure != ANSWER and fallback.taken_over(host, leg, 504 if failure == TIMEOUT else 502):
        return False
    log = host.answer("error_log")
    unmet = not leg.errors and log["status"] == "ok" and not log["value"].get("unseen")
    if unmet and (leg.pending or fallback.only_for_failures(leg.route)):
        return False
    next_upstream = leg.route.value("next_upstream")
    goes_on = next_upstream is not None and ("on" in next_upstream.args or failure in next_upstream.args)
    tries = leg.route.value("next_upstream_tries")
    if tries and tries.args[:1] == ("1",):
        goes_on = False
    rescues = [other for other in host.legs if other.serves and other is not leg and _tried_after(leg, other)]
    if failure in (TIMEOUT, INVALID_HEADER):
        # That it answers the probe does not say that it answers where this one fails.
        rescues = [other for other in rescues if not _fails_alike(leg, other)]
    return not (goes_on and rescues)


def _fails_alike(leg: Leg, other: Leg) -> bool:
    """Return whether the log has the same failure of both for the same path."""
    met = {(group["class"], path) for group in other.errors for path in group.get("paths") or () if other.instance.in_force_for(group)}
    return any((group["class"], path) in met for group in leg.errors for path in group.get("paths") or () if leg.instance.in_force_for(group))


def _tried_after(leg: Leg, other: Leg) -> bool:
    """Return whether nginx can go on from one leg to another: within a group or a name, not between the values of a variable."""
    if other.route is not leg.route:
        return False
    return other.peer is leg.peer or any(leg.peer in group.peers and other.peer in group.peers for group in leg.route.groups)


def on_instance(
    rule: str, instance: Instance, kind: str, certainty: str, says: str, evidence: Iterable[Evidence], fix: Fix, command: str = "", at: Place | None = None
) -> Finding:
    """Return a finding about an nginx as a whole."""
    return Finding(
        id=rule,
        kind=kind,
        certainty=certainty,
        rank=0,
        route=None,
        at=at or Place(instance.raw["conf_path"], 0),
        says=says,
        evidence=tuple(evidence),
        alternatives=(),
        fix=fix,
        next=command,
        instance=instance.id,
    )


def of_route(
    rule: str,
    route: Route,
    kind: str,
    certainty: str,
    says: str,
    evidence: Iterable[Evidence],
    fix: Fix,
    command: str = "",
    alternatives: Iterable[str] = (),
    at: Place | None = None,
    endpoint: str = "",
) -> Finding:
    """Return a finding about a route; endpoint is where it ends, also one to which no line of it leads, or "" where none is known."""
    return Finding(
        id=rule,
        kind=kind,
        certainty=certainty,
        rank=0,
        route=_route(route, endpoint),
        at=at or route.at,
        says=says,
        evidence=tuple(evidence),
        alternatives=tuple(alternatives),
        fix=fix,
        next=command,
        instance=route.instance,
    )


def route_of(leg: Leg) -> dict:
    """Return the route of a leg as report.json has it."""
    return _route(leg.route, str(leg.endpoint))


def _route(route: Route, endpoint: str) -> dict:
    return {
        "listen": ", ".join(route.listens),
        "server": route.server,
        "location": route.location_label,
        "pass": f"{route.directive} {route.written}",
        "endpoint": endpoint,
    }
