# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a bundle to what is wrong with its host.

This module is private to the collection.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _mounted, _rules
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import (
    ADVICE,
    CAUSE,
    CERTAINTIES,
    DIAGNOSED,
    FAILED,
    KINDS,
    PROVEN,
    Finding,
    Fix,
    HostResult,
    Unknown,
)
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access_log, contained, loops, naming, servers, stale
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux import PERMISSIVE
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, route_of
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_group, times

# Questions to which "there is none on this host" is an answer that rules can work with.
_NONE_IS_AN_ANSWER = ("php_fpm", "backends.units", "paths", "selinux", "apparmor", "containers")
# Logs are read from their end, and SELinux is asked about each port by itself: what was found stands, whatever was not read or asked.
_NEWEST_SUFFICE = ("error_log", "backend_log", "selinux")
# Which of two causes on one leg stands: what keeps nginx from the backend before what the backend then does.
_FIRST = tuple("""nginx-not-running config-invalid reload-pending file-descriptors-exhausted worker-connections-exhausted proxy-loop
    container-localhost container-network-mismatch container-port-mapping container-loopback-bind
    dns-host-not-found dns-resolver-missing dns-resolver-failing dns-stale-address
    backend-oom-killed startup-order tunnel-down backend-start-failing backend-not-running
    socket-directory-permission socket-permission apparmor-denied selinux-socket-label selinux-network-connect
    ephemeral-ports-exhausted firewall-blocked network-unreachable
    gateway-protocol-mismatch http2-protocol-mismatch tls-to-plain-backend plain-to-tls-backend
    tls-version-mismatch tls-sni-missing tls-certificate-untrusted websocket-headers-missing
    response-header-invalid response-header-too-big uwsgi-request-too-big
    backend-killed-by-manager backend-crashed backend-workers-exhausted keepalive-race backend-closes-early backend-overloaded
    upstream-timeout proxy-temp-permission no-live-upstreams proxy-pass-uri-mismatch""".split())
# A backend that nginx may not connect to has its other fault all the same: of these and another proven cause, both are told,
_BESIDE = ("selinux-socket-label", "selinux-network-connect")
# unless nginx is to be led elsewhere.
_LEADS_ELSEWHERE = ("backend-wrong-port", "backend-wrong-address", "endpoint-kind-mismatch", "socket-path-mismatch", "socket-private-tmp", "proxy-loop")
# What a backend that is a gateway itself answers when its own backend fails. A 500 is the application's own.
_HANDED_ON = (502, 503, 504)
# Failures that end when the backend is back.
_PASSING = (
    "connect-refused",
    "connect-queue-full",
    "connect-no-socket",
    "connect-denied",
    "connect-timeout",
    "connect-unreachable",
    "no-live-upstreams",
    "name-not-resolved",
)


def judge(bundle: dict, only: tuple[str, ...] = (), skip: tuple[str, ...] = (), peer_at=None) -> HostResult:
    """Return what is wrong with a host; only and skip are ids of rules, empty for all and none.

    peer_at as in Host. Evidence in a shape that this version does not know fails its own host, not the run.
    """
    if bundle["status"] not in (_bundle.COLLECTED, _bundle.NO_NGINX):
        return _unjudged(bundle, bundle["status"], bundle["why"])
    try:
        if bundle["status"] == _bundle.NO_NGINX:
            return _without_nginx(bundle, only, skip)
        return _judge(bundle, only, skip, peer_at)
    except Exception as error:  # pylint: disable=broad-except
        return _unjudged(bundle, FAILED, f"the evidence cannot be judged: {type(error).__name__}: {error}")


def _unjudged(bundle: dict, status: str, why: str) -> HostResult:
    return HostResult(name=bundle["host"], status=status, why=why, nginx={}, findings=(), unknown=(), recovered=())


def _without_nginx(bundle: dict, only: tuple[str, ...], skip: tuple[str, ...]) -> HostResult:
    """Return what is wrong with a host on which no nginx runs or is installed: one in a container may be down."""
    host = Host.of(bundle)
    wanted = (rule for rule in _rules.ALL if rule.down and rule.id not in skip and (not only or rule.id in only))
    findings = _ranked(host, _folded(host, [finding for rule in wanted for finding in rule.down(host)]))
    unjudged = _unjudged(bundle, bundle["status"], bundle["why"])
    return dataclasses.replace(unjudged, status=DIAGNOSED, findings=tuple(findings)) if findings else unjudged


def _judge(bundle: dict, only: tuple[str, ...], skip: tuple[str, ...], peer_at) -> HostResult:
    host = Host.of(bundle, peer_at) if peer_at else Host.of(bundle)
    found, unknown = [], []
    for rule in _rules.ALL:
        if rule.id in skip or only and rule.id not in only:
            continue
        if host.proposed and not all(question.split(".")[0] in host.answers for question in rule.needs):
            # What a host alone can tell is no gap of a configuration.
            continue
        missing = _missing(host, rule)
        unknown += missing
        if not missing:
            try:
                found += list(rule.check(host))
            except Exception as error:  # pylint: disable=broad-except
                unknown.append(Unknown(rule.id, "", evidence.ERROR, f"this rule failed: {type(error).__name__}: {error}"))
        found += list(rule.down(host)) if rule.down else []
    findings = _ranked(host, _folded(host, [_mounted.placed(host, finding) for finding in _one_per_leg(host, found)]))
    unknown += [item for item in _closed_engines(host, findings) if item.id not in skip and (not only or item.id in only)]
    recovered, unexplained = _rest(host, findings) if not only else ([], [])
    unknown += unexplained + _gaps(host, findings)
    partial = bool(bundle["why"]) or any(item.status in (evidence.DENIED, evidence.TIMEOUT, evidence.ERROR, "truncated") for item in unknown)
    why = bundle["why"] or ("; ".join(sorted({item.why for item in unknown if item.status == evidence.DENIED})) if partial else "")
    return HostResult(
        name=bundle["host"],
        status="partial" if partial else "diagnosed",
        why=why,
        nginx=_nginx(host),
        findings=tuple(findings),
        unknown=tuple(unknown),
        recovered=tuple(recovered),
    )


def _missing(host: Host, rule: Rule) -> list[Unknown]:
    """Return the questions that a rule needs and that were not, or not wholly, answered."""
    missing = []
    for question in rule.needs:
        if question == "nginx.test":
            answers = [instance.test for instance in host.instances]
        elif question == "nginx.start":
            answers = [instance.test for instance in host.instances if not instance.running]
        elif question in ("probes", "listeners", "paths", "php_fpm", "backends.units", "containers") and not host.legs:
            answers = []
        elif question in ("names", "resolvers") and not any(peer.by_name for route in host.routes for peer in route.peers):
            answers = []
        else:
            answers = [host.answer(question)]
        for answer in answers:
            if answer["status"] == evidence.ABSENT and question in _NONE_IS_AN_ANSWER:
                continue
            if answer["status"] != evidence.OK:
                missing.append(Unknown(rule.id, question, answer["status"], answer["why"]))
            elif answer["truncated"] and question not in _NEWEST_SUFFICE:
                missing.append(Unknown(rule.id, question, "truncated", "the answer was cut short, so that absence proves nothing"))
    return missing


def _closed_engines(host: Host, found: list[Finding]) -> list[Unknown]:
    """Return the engines that told nothing, where something fails that may be in one of them: what the others told stands."""
    closed = [engine for engine in host.containers.engines if engine.status not in (evidence.OK, evidence.ABSENT)]
    causes = [finding for finding in found if finding.certainty == PROVEN and finding.kind == CAUSE and finding.route]
    proven = {(finding.instance, route["endpoint"]) for finding in causes for route in (finding.route, *finding.also)}
    if not any(contained.fails(leg) and (leg.route.instance, str(leg.endpoint)) not in proven for leg in host.legs if closed):
        return []
    rules = [rule for rule in _rules.ALL if "containers" in rule.needs]
    return [Unknown(rule.id, "containers", engine.status, f"{engine.socket}: {engine.why}") for rule in rules for engine in closed]


def _folded(host: Host, found: list[Finding]) -> list[Finding]:
    """Fold the findings that say the same of several routes into the first.

    Not those of another container, whose files are others, nor those of which a person has to put one right and a remedy the other.
    """
    containers = _containers(host)
    kept: dict[tuple, Finding] = {}
    for finding in found:
        place = containers.get(finding.instance) if finding.route else finding.at
        key = (finding.id, finding.kind, finding.certainty, finding.says, place, finding.fix and finding.fix.safety)
        first = kept.get(key)
        if not first:
            kept[key] = finding
        elif finding.route and finding.route not in (first.route, *first.also):
            kept[key] = dataclasses.replace(first, also=(*first.also, finding.route), fix=_both(first.fix, finding.fix))
    return list(kept.values())


def _containers(host: Host) -> dict[str, str]:
    """Return the container of each nginx by the id of the nginx; two of them may serve the same names from the same backends."""
    return {instance.id: instance.container for instance in host.instances}


def _both(first: Fix | None, other: Fix | None) -> Fix | None:
    """Return a fix that does what two of one remedy do."""
    if not first or not other or first.remedy != other.remedy:
        return first
    changes = first.changes + tuple(change for change in other.changes if change not in first.changes)
    return dataclasses.replace(first, changes=changes, more=first.more + tuple(pair for pair in other.more if pair not in first.more))


def _one_per_leg(host: Host, found: list[Finding]) -> list[Finding]:
    """Keep one cause for each route and endpoint; the others that the evidence allows become its alternatives.

    What SELinux provably denies stands beside another proven cause: mending one alone helps nobody.
    """
    kept: dict[tuple, Finding] = {}
    rest = []
    containers = _containers(host)
    for finding in sorted(found, key=_precedence):
        if finding.kind != CAUSE or not finding.route:
            rest.append(finding)
            continue
        beside = finding.id in _BESIDE and finding.certainty == PROVEN
        key = (containers.get(finding.instance), *finding.route.values(), beside)
        first = kept.get(key)
        if not first:
            kept[key] = finding
        elif first.certainty != PROVEN and finding.id not in first.alternatives and finding.id != first.id:
            kept[key] = dataclasses.replace(first, alternatives=(*first.alternatives, finding.id))
    return [finding for key, finding in kept.items() if _stands(finding, kept.get((*key[:-1], not key[-1])))] + rest


def _stands(finding: Finding, other: Finding | None) -> bool:
    """Return whether a cause stands although there is another one of its route and endpoint, of which one is what SELinux provably denies."""
    if not other:
        return True
    return other.id not in _LEADS_ELSEWHERE or other.certainty != PROVEN if finding.id in _BESIDE else finding.certainty == PROVEN


def _precedence(finding: Finding) -> tuple:
    return (CERTAINTIES.index(finding.certainty), _FIRST.index(finding.id) if finding.id in _FIRST else len(_FIRST))


def _ranked(host: Host, findings: list[Finding]) -> list[Finding]:
    """Number the findings: causes first, those of nginx as a whole before those of one route, the certain before the likely."""
    failed = {str(leg.endpoint): sum(group["count"] for group in leg.errors) for leg in host.legs}

    def order(finding: Finding) -> tuple:
        count = failed.get(finding.route["endpoint"], 0) if finding.route else 0
        return (
            KINDS.index(finding.kind),
            CERTAINTIES.index(finding.certainty),
            bool(finding.route),
            -count,
            _precedence(finding),
            str(finding.at),
            finding.says,
        )

    return [dataclasses.replace(finding, rank=rank) for rank, finding in enumerate(sorted(findings, key=order), 1)]


def _rest(host: Host, findings: list[Finding]) -> tuple[list[str], list[Unknown]]:
    """Return what is over, and what fails and is not explained by any finding."""
    explained = {tuple(route.values()) for finding in findings if finding.kind != ADVICE for route in (finding.route, *finding.also) if route}
    # One without a place is about an nginx whose routes are not known.
    whole = any(finding.kind == CAUSE and not finding.route and finding.at for finding in findings)
    asked_first = [leg for leg in host.legs if _of_subrequests(leg)]
    over: dict[tuple[str, str], str] = {}
    open_ends: dict[tuple[str, str], Unknown] = {}
    for leg in host.legs:
        if tuple(route_of(leg).values()) in explained:
            continue
        groups = [group for group in leg.errors if group.get("status") in (500, 502, 504) or _session_failed(leg, group)]
        for group in groups:
            key = (str(leg.endpoint), show_group(group).shows)
            if group["class"] == "auth-request-failed":
                # It is about the place that was asked for leave, not about where the request would have gone.
                key = (f"auth_request of location {leg.route.location_label}", key[1])
                if not leg.instance.in_force_at(group["last"] or 0.0):
                    over[key] = f"{key[0]} was loaded anew since: {key[1]}"
                elif asked_first and all(other.serves for other in asked_first):
                    over[key] = f"{key[0]} has its answer again: {key[1]}"
                elif not whole and not any(tuple(route_of(other).values()) in explained for other in asked_first):
                    open_ends[key] = _unexplained(*key)
                continue
            if group["class"] == "connect-denied" and _selinux_may_deny(host, leg):
                if not whole:
                    open_ends[key] = _unexplained(key[0], f"{key[1]}; what SELinux denies nginx it does not deny the probe, and what it decides is not known")
            elif leg.serves and (group["class"] in _PASSING or not leg.instance.in_force_at(group["last"] or 0.0) or _restarted_since(host, leg, group)):
                how = "answers again" if leg.answers else "is listened on again"
                how += " and SELinux allows it" if group["class"] == "connect-denied" and host.selinux.enforcing else ""
                over[key] = f"{leg.endpoint} {how}: {group['message']} {times(group['count'])}, last {clock(group['last'])}"
            elif not whole:
                failed = leg.probe.asked.get("why") if leg.probe and not leg.answers and not leg.probe_was_unlike else ""
                open_ends[key] = _unexplained(key[0], key[1] + (f"; the probe failed ({failed})" if failed else ""))
        for key, seen in () if whole else _answered_so(host, leg):
            open_ends.setdefault(key, Unknown("unexplained", key[0], "open", seen))
        if not groups and leg.probe and not leg.answers and not leg.probe_gave_up and not leg.probe_was_unlike:
            why = leg.probe.connect["why"] if leg.connect != "ok" else leg.probe.asked.get("why") or leg.probe.asked.get("status")
            open_ends[(str(leg.endpoint), "")] = _unexplained(str(leg.endpoint), f"the probe failed ({why})")
    ends = {route["endpoint"] for finding in findings for route in (finding.route, *finding.also) if route}
    # Where a name does not resolve any more, the workers still go to the address that it had.
    ends |= {str(item.old) for item in naming.stale_addresses(host) if any(f"{name}:{item.old.port}" in ends for name in item.lost)}
    for instance in () if whole else host.instances:
        for group in stale.fresh_foreign(host, instance):
            if group["peer"] in ends:
                continue
            key = (group["peer"], show_group(group).shows)
            open_ends[key] = _unexplained(*key)
    return sorted(over.values()), [open_ends[key] for key in sorted(open_ends)]


def _of_subrequests(leg: Leg) -> bool:
    """Return whether subrequests failed on a leg, such as those of auth_request."""
    return any((group.get("detail") or {}).get("subrequest") for group in leg.errors)


def _session_failed(leg: Leg, group: dict) -> bool:
    """Return whether a group is of stream sessions that got no backend: they have no status."""
    return leg.route.family == "stream" and (group["class"] in _PASSING or group["class"].startswith("tls-"))


def _selinux_may_deny(host: Host, leg: Leg) -> bool:
    """Return whether SELinux enforces, or that is not known, and neither the kernel nor a boolean is known to allow nginx the connection."""
    if host.answer("selinux")["status"] == evidence.ABSENT or leg.selinux and leg.selinux.allows:
        return False
    allowed = leg.endpoint.kind == "tcp" and host.selinux.booleans.get("httpd_can_network_connect")
    return host.selinux.mode != PERMISSIVE and not allowed


def _restarted_since(host: Host, leg: Leg, group: dict) -> bool:
    """Return whether every program on the endpoint was started after the last of these failures, and answers."""
    started = [process.started for item in servers.listeners_of(host, leg) for process in item.processes]
    return leg.answers and bool(started) and min(started) > (group["last"] or 0.0)


def _answered_so(host: Host, leg: Leg) -> Iterator[tuple[tuple[str, str], str]]:
    """Return the failures that the backend itself answers with: nginx hands them on, and nothing of nginx is wrong."""
    endpoint = str(leg.endpoint)
    code = leg.probe.asked.get("code") if leg.answers else None
    for found in access_log.failures(host, leg, access_log.BACKEND):
        if found.status in _HANDED_ON:
            said = f"the backend itself answered {found.status} {times(found.count)} ({', '.join(found.paths)}), last {clock(found.last)}"
            now = f", and does so now ({leg.probe.path})" if code == found.status else ""
            yield (endpoint, f"answered {found.status}"), f"{said}{now}; nginx only hands its answer on: look at what is behind {endpoint}"
    if code in _HANDED_ON:
        said = f"the backend itself answers {code} to {leg.probe.path}; nginx only hands its answer on: look at what is behind {endpoint}"
        yield (endpoint, f"answered {code}"), said


def _unexplained(endpoint: str, seen: str) -> Unknown:
    return Unknown("unexplained", endpoint, "open", f"{seen}; no rule of this version explains it")


def _gaps(host: Host, findings: list[Finding]) -> list[Unknown]:
    """Return what could not be read or asked, although its question was answered: files, logs, socket paths, routes, probes.

    A name that does not resolve is no gap where a finding says so.
    """
    told = {(route["server"], route["location"], route["pass"]) for finding in findings for route in (finding.route, *finding.also) if route}
    unfound = {(instance.id, found.name) for instance in host.instances for found in naming.unfound(host, instance)}
    gaps = [Unknown("configuration", gap.path, gap.status, gap.why) for instance in host.instances for gap in instance.configuration.gaps]
    targets = {
        route.key: Unknown("route", f"{route.directive} {route.written}", "unresolved", f"{route.at}: {route.unresolved}")
        for route in host.routes
        if route.unresolved and not _names_told(route, told, unfound)
    }
    gaps += [Unknown("error log", log["path"], log["status"], log["why"]) for log in _unread_logs(host)]
    gaps += [Unknown("backend log", source["source"], source["status"], source["why"]) for source in _unread_sources(host)]
    gaps += _unrecognised(host)
    gaps += [Unknown("error log", log["path"], evidence.ABSENT, log["why"]) for log in (host.answer("error_log")["value"] or {}).get("unseen") or ()]
    return gaps + list(targets.values()) + list(dict.fromkeys(gap for leg in host.legs for gap in _gaps_of(host, leg)))


def _names_told(route: Route, told: set[tuple], unfound: set[tuple[str, str]]) -> bool:
    """Return whether all that is not known of a route are names that findings are about."""
    open_ = [peer for peer in route.peers if any(endpoint.kind == NAME for endpoint in peer.endpoints)]
    if not open_ or not all(peer.by_name and peer.endpoints for peer in open_):
        return False
    said = (route.server, route.location_label, f"{route.directive} {route.written}") in told
    return said or all((route.instance, peer.host_name) in unfound for peer in open_)


def _unrecognised(host: Host) -> list[Unknown]:
    """Return what the error log holds about upstreams that this version does not understand."""
    found = (host.answer("error_log")["value"] or {}).get("unrecognised") or {"count": 0, "samples": []}
    if not found["count"]:
        return []
    number = "1 record" if found["count"] == 1 else f"{found['count']} records"
    such = f", such as {quote(found['samples'][0])}" if found["samples"] else ""
    return [Unknown("error log", "error log", "not recognised", f"{number} about an upstream that this version does not know{such}")]


def _unread_logs(host: Host) -> list[dict]:
    logs = (host.answer("error_log")["value"] or {}).get("logs") or []
    return [log for log in logs if log["status"] not in (evidence.OK, evidence.ABSENT)]


def _unread_sources(host: Host) -> list[dict]:
    sources = (host.answer("backend_log")["value"] or {}).get("sources") or []
    return [source for source in sources if source["status"] not in (evidence.OK, evidence.ABSENT)]


def _gaps_of(host: Host, leg: Leg) -> Iterator[Unknown]:
    walked = leg.walk or {"status": evidence.ERROR, "why": "the path was not looked at"}
    # Behind a socket there is nothing to look at.
    through = bool(walked.get("walk")) and walked["walk"][-1]["type"] == "socket"
    if leg.endpoint.kind == "unix" and host.answer("paths")["status"] == evidence.OK and walked["status"] not in (evidence.OK, evidence.ABSENT) and not through:
        yield Unknown("socket path", leg.endpoint.path, walked["status"], walked["why"])
    if leg.probe and leg.probe_gave_up:
        behind = "no answer behind an earlier probe of this endpoint that was not answered either"
        said = behind if leg.waited is None else f"no answer within {leg.waited:.1f} s; nginx waits longer"
        yield Unknown("probe", str(leg.endpoint), evidence.TIMEOUT, said)
    if leg.probe and leg.probe_was_unlike:
        yield Unknown("probe", str(leg.endpoint), evidence.DENIED, leg.probe.asked["why"])
    if leg.probe and leg.probe.decided and host.selinux.enforcing and (not leg.selinux or leg.selinux.undecided):
        yield Unknown("selinux", str(leg.endpoint), *_undecided(leg))
    loop = loops.of(host, leg) if not leg.probe else None
    if (
        not leg.probe
        and not (loop and loop.sure)
        and host.answer("probes")["status"] == evidence.OK
        and leg.route.family != "stream"
        and leg.endpoint.kind in ("tcp", "unix")
    ):
        yield Unknown("probe", str(leg.endpoint), "truncated", "it was not probed, because of a limit or because only root may connect as nginx does")


def _undecided(leg: Leg) -> tuple[str, str]:
    """Return the status and the reason of what SELinux was not known to decide about a leg."""
    said = leg.probe.decided
    if said["status"] != evidence.OK:
        return said["status"], said.get("why") or "the kernel was not asked"
    return evidence.ERROR, f"no decision about {', '.join(check.question for check in leg.selinux.undecided)}"


def _nginx(host: Host) -> dict:
    """Return what the report tells of the host's nginx."""
    found = []
    for instance in host.instances:
        build = (instance.raw.get("build") or {}).get("value") or {}
        found.append(
            {
                "configuration": instance.id,
                "version": build.get("version", ""),
                "product": build.get("product", ""),
                "running": instance.running,
                "worker_user": instance.identity.get("user", ""),
                "routes": sum(route.instance == instance.id for route in host.routes),
            }
        )
    return {"instances": found}
