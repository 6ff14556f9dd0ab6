# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rules show their evidence: the same thing in the same words, whichever rule shows it.

This module is private to the collection.
"""

from __future__ import annotations

import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import (
    absence,
    access,
    access_log,
    contained,
    containers,
    directives,
    load,
    naming,
    pools,
    selinux,
    servers,
)
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

# Of the last ten seconds or the last minute, the share in which something waited, in percent.
_PRESSED = 40.0


def show_groups(leg: Leg, denied: access.Denial) -> list[Evidence]:
    """Show the groups of the workers beside those of their user, where a reload gives them others that let them reach a socket."""
    if not denied.outdated:
        return []
    more = ", ".join(map(str, sorted({*leg.instance.raw["groups_after_reload"]} - {*leg.instance.identity.get("groups", ())})))
    return [Evidence("groups of the workers", f"not in {more}, in which {denied.user} is by now")]


def show_absence(host: Host, found: absence.Absence) -> list[Evidence]:
    """Show that nothing listens on an endpoint, who should, and who listens elsewhere."""
    leg = found.leg
    place = f" on {found.seen_on.name}" if found.seen_on and found.seen_on is not host else ""
    shown = [show_config(leg)]
    if leg.endpoint.kind == "unix" and leg.walk and leg.walk["status"] == "absent":
        shown.append(Evidence(f"path walk{place}", f"{leg.walk['missing'] or leg.endpoint.path} does not exist for nginx"))
    elif found.behind:
        shown.append(Evidence("path walk", f"{leg.walk['walk'][-1]['path']} is a socket, and the path goes on behind it: {quote(found.behind, 200)}"))
    elif found.brief:
        shown.append(Evidence("listening sockets", leg.listeners[0].label if leg.listeners else f"nothing listened on {leg.endpoint}"))
    elif found.seen_on:
        shown.append(Evidence(f"listening sockets{place}", f"nothing listens on {leg.endpoint}"))
    shown += show_probe(leg)
    if found.owner:
        claim = found.owner.claim_on(leg.endpoint)
        if claim:
            shown.append(Evidence(claim.source, f"{found.owner.label} is to listen on {claim.endpoint}"))
        shown.append(Evidence(found.owner.source, f"{found.owner.label}: {found.owner.says}"))
    if found.elsewhere:
        shown.append(Evidence(f"listening sockets{place}", found.elsewhere.label))
        candidate = (found.seen_on or host).candidate_probe(absence.reachable_as(found.elsewhere))
        if candidate and candidate.asked and not found.behind:
            shown.append(Evidence(f"probe of {candidate.endpoint}", f"{candidate.asked['speak']}: {show_try(candidate.asked)}"))
    shown += [Evidence("would fit too", other) for other in found.others[:3]]
    return shown + show_log(leg, "connect-refused", "connect-no-socket", *(("closed-early", "reset-early") if found.brief else ()))


def show_verdict(found: contained.Verdict, *classes: str) -> list[Evidence]:
    """Show the containers on both sides of a leg, what listens there, and how the connection went."""
    leg, own, target = found.leg, found.own, found.target
    shown = [show_config(leg)]
    if own:
        joined = f", which has the network of {own.label}" if found.inside is not own else ""
        shown.append(Evidence(_inspect(found.inside), f"nginx runs in {found.inside.label}{joined}, {_networks(own)}"))
    if target:
        shown.append(Evidence(_inspect(target), f"{target.label} is {quote(target.says(found.home.now), 300)}, {_networks(target)}{_ports(target)}"))
    if found.listener:
        shown.append(Evidence("listening sockets", f"{found.listener.label}{f' in {target.label}' if target else ' on the host'}"))
    if found.leg.endpoint.kind == "name":
        said = found.home.names_of(leg.route.instance).get(leg.peer.host_name) or {}
        shown.append(Evidence("getaddrinfo where nginx is", f"{leg.peer.host_name}: {quote(said.get('why') or 'not found', 200)}"))
    shown += show_probe(leg)
    shown += [Evidence("would fit too", other) for other in found.others[:3]]
    return shown + show_log(leg, *(classes or ("connect-refused", "reset-early", "closed-early", "connect-timeout", "connect-unreachable")))


def _inspect(container: containers.Container) -> str:
    return f"{'podman' if 'podman' in container.engine else 'docker'} inspect {container.word}"


def _networks(container: containers.Container) -> str:
    """Return the networks of a container in words."""
    if not container.attachments:
        return f"network mode {container.network_mode or 'unknown'}"
    each = [item.name + (f" ({', '.join(item.addresses)})" if item.addresses else "") for item in container.attachments[:4]]
    return f"on network{'' if len(each) == 1 else 's'} {', '.join(each)}"


def _ports(container: containers.Container) -> str:
    """Return what is published of a container in words."""
    each = [f"{one.place} to its port {one.port}" for one in container.published if one.host_port and one.protocol == "tcp"]
    return f", publishes {', '.join(dict.fromkeys(each[:4]))}" if each else ", publishes no port"


def show_config(leg: Leg) -> Evidence:
    """Show where the endpoint is written."""
    if leg.route.group:
        return Evidence(str(leg.peer.at), f"server {leg.peer.written} of upstream {leg.route.group}")
    return Evidence(str(leg.peer.at), f"{leg.route.directive} {leg.route.written}")


def show_probe(leg: Leg, *protocols: str) -> list[Evidence]:
    """Show how the connection went, what the pass's own protocol gave, and what others gave; nothing when none was made."""
    if not leg.probe:
        return []
    connect = leg.probe.connect
    if connect["status"] != "ok":
        return [Evidence(_asked_as(leg), f"connect to {leg.endpoint}: {connect['why'] or connect['status']}")]
    shown = [attempt for attempt in leg.probe.tries if attempt is leg.probe.asked or attempt["speak"] in protocols]
    return [Evidence(_asked_as(leg), f"{attempt['speak']} to {leg.endpoint}: {show_try(attempt)}") for attempt in shown]


def show_try(attempt: dict) -> str:
    """Return what one try of a protocol gave, in words."""
    if attempt["status"] == "ok":
        parts = ["answered"]
        if attempt.get("code"):
            parts.append(f"{attempt['code']}")
        if attempt.get("seconds") is not None:
            parts.append(f"in {attempt['seconds']:.2f} s")
        if attempt.get("header_bytes"):
            parts.append(f"with a header of {attempt['header_bytes']} bytes")
        return " ".join(parts)
    return attempt.get("why") or attempt["status"]


def _asked_as(leg: Leg) -> str:
    user = leg.instance.identity.get("user") or leg.instance.identity.get("uid")
    return f"probe as {user}"


def show_log(leg: Leg, *classes: str) -> list[Evidence]:
    """Show what the error log says of the leg in these classes."""
    return [show_group(group) for group in leg.logged(*classes)[:2]]


def show_lookup(lookup: naming.Lookup) -> list[Evidence]:
    """Show what the servers of nginx's resolver say of a name, and what the host itself makes of it."""
    shown = [Evidence(f"DNS query to {one.server}", f"{lookup.name}: {quote(one.says, 200)}") for one in lookup.said[:4]]
    if lookup.hosts:
        shown.append(Evidence("/etc/hosts", f"{lookup.name} is {', '.join(lookup.hosts[:4])}"))
    elif lookup.here:
        said = ", ".join(lookup.here.get("addresses") or ()) or lookup.here.get("why") or lookup.here["status"]
        shown.append(Evidence("getaddrinfo where nginx is", f"{lookup.name}: {quote(said, 200)}"))
    return shown


def show_access(host: Host, leg: Leg) -> list[Evidence]:
    """Show how many requests of the leg failed, as the access logs have it; nothing when they have none."""
    shown = []
    for found in access_log.failures(host, leg)[:1]:
        of_all = f", of {found.total}" if found.total > found.count else ""
        since = f" from {clock(found.first)} to {clock(found.last)}" if found.first and found.last else ""
        shown.append(Evidence("access log", f"{found.count} request{'' if found.count == 1 else 's'} ended with {found.status}{of_all}{since}"))
    return shown


# Where the paths of failed requests are from.
PATHS = "error log, paths"


def show_paths(leg: Leg, *classes: str) -> list[Evidence]:
    """Show which paths failed so, as the error log has them; nothing when it has none."""
    paths = ", ".join(path for group in leg.logged(*classes)[:1] for path in group["paths"][:3])
    return [Evidence(PATHS, paths)] if paths else []


def show_waiting(found: load.Struggle) -> list[Evidence]:
    """Show the queue, and how many workers there are."""
    shown = []
    if found.waiting:
        shown.append(Evidence("accept queue", f"{found.waiting[0]} wait at {found.leg.endpoint}, the backlog is {found.waiting[1]}"))
    if found.how == load.NOT_TAKEN:
        shown.append(Evidence("sock_diag", f"no process accepted the connection of the probe in {found.seconds:.1f} s"))
    if found.server and found.server.running is not None and found.of_workers:
        shown.append(Evidence("/proc", f"{found.server.label} has {found.server.running} worker{'' if found.server.running == 1 else 's'}"))
    for name in ("workers", "threads", "backlog") if found.server else ():
        setting = found.server.setting(name)
        if setting and setting.at:
            shown.append(Evidence(setting.at, f"{found.server.option(name)} is {setting.value:g}"))
    return shown + [show_event(event) for event in found.events[:2]]


def show_pool(host: Host, leg: Leg) -> list[Evidence]:
    """Show what the PHP-FPM pool of a leg says of itself; nothing when it has no status page."""
    said = pools.status(host, leg)
    if not said:
        return []
    pool, words = pools.pool_of(host, leg), []
    for name in ("active_processes", "idle_processes", "total_processes", "listen_queue", "max_children_reached", "slow_requests"):
        if name in said:
            words.append(f"{said[name]} {name.replace('_', ' ')}")
    since = f" since {clock(said['start_time'])}" if said.get("start_time") else ""
    most = f", pm.max_children is {pool['max_children']}" if pool.get("max_children") else ""
    return [Evidence(f"status page of PHP-FPM pool {quote(pool['name'])}", f"{', '.join(words)}{since}{most}")]


def show_slow(host: Host, leg: Leg) -> list[Evidence]:
    """Show where the slow requests of the PHP-FPM pool of a leg were, as its slow log has it."""
    found = pools.slow(host, leg)
    if not found:
        return []
    detail = found.events[0]["detail"]
    mostly = f", mostly in {quote(str(detail['function']))} {quote(str(detail['at']))}" if detail.get("at") else ""
    script = f" ({quote(str(detail['script']))})" if detail.get("script") and mostly else ""
    number = f"{found.count} request{'' if found.count == 1 else 's'}"
    longer = f" longer than {found.pool['request_slowlog_timeout']:g} s" if found.pool.get("request_slowlog_timeout") else ""
    last = max((event["last"] for event in found.events if event["last"]), default=None)
    return [Evidence(quote(found.pool["slowlog"]), f"slow log: {number}{longer}{mostly}{script}, last {clock(last)}")]


def show_pressure(host: Host, leg: Leg) -> list[Evidence]:
    """Show what presses the host of a backend; nothing when it has room."""
    home = servers.home_of(host, leg)
    value = (home.answer("pressure")["value"] or {}) if home else {}
    shown = []
    used = load.saturation(host, leg)
    if used:
        seconds = value.get("seconds") or 0.0
        shown.append(
            Evidence(
                "/proc/PID/stat, schedstat", f"{leg.endpoint}: its program used or waited for {used:.1f} cores in the {seconds:.1f} s before it was asked"
            )
        )
    for resource, shares in sorted((value.get("stalled") or {}).items()):
        share = max((shares.get("some") or [0.0])[:2])
        if share >= _PRESSED:
            shown.append(Evidence(f"/proc/pressure/{resource}", f"something waits for {resource} in {share:.0f} % of the time"))
    average, cores = value.get("load") or [], value.get("cores") or 0
    if average and cores and average[0] >= 2 * cores:
        shown.append(Evidence("/proc/loadavg", f"a load of {average[0]:g} on {cores} core{'' if cores == 1 else 's'}"))
    return shown


def show_group(group: dict) -> Evidence:
    """Show one group of error log records."""
    errno = f" ({group['errno']})" if group.get("errno") else _particular(group)
    phase = f" while {group['phase']}" if group.get("phase") else ""
    return Evidence("error log", f"{group['message']}{errno}{phase}: {times(group['count'])}, last {clock(group['last'])}")


def show_event(event: dict) -> Evidence:
    """Show one event of a backend's log."""
    source = f"journal of {event['owner']}" if event["source"] == "journal" else event["source"]
    last = f", last {clock(event['last'])}" if event["last"] else ""
    return Evidence(source, f"{quote(event['sample'])} ({times(event['count'])}{last})")


_PARTICULARS = {"http2-protocol": "error", "auth-request-failed": "status", "header-invalid": "header"}


def _particular(group: dict) -> str:
    """Return what the message is about, such as what TLS said: " (20: unable to get local issuer certificate)", " (404)"."""
    detail = group.get("detail") or {}
    name = _PARTICULARS.get(group["class"], "")
    if detail.get(name):
        return f" ({quote(str(detail[name]))})"
    if not group["class"].startswith("tls-") or not detail.get("reason"):
        return ""
    code = str(detail.get("code", ""))
    return f" ({code}: {quote(str(detail['reason']))})" if code else f" ({quote(str(detail['reason']))})"


def times(count: int) -> str:
    """Return "once" or "12 times"."""
    return "once" if count == 1 else f"{count} times"


def clock(seconds: float | None) -> str:
    """Return a moment in UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds)) if seconds else "at an unknown time"


def quote(said: str, limit: int = 160) -> str:
    """Return a host's own words, on one harmless line."""
    return text.harmless(said, limit)


def show_directive(directive: directives.Directive) -> Evidence:
    """Show a directive that is in force, and where it is written."""
    return Evidence(str(directive.at or "nginx default"), f"{directive} is in force")


def show_tls(leg: Leg, prefix: str, *names: str) -> list[Evidence]:
    """Show directives of *_ssl_ that are in force for a leg, as far as they are."""
    found = [leg.route.site.in_force(f"{prefix}_ssl_{name}") for name in names]
    return [show_directive(items[-1]) for items in found if items]


def show_handshakes(leg: Leg, handshakes: list[dict]) -> list[Evidence]:
    """Show what further TLS handshakes gave."""
    shown = []
    for item in handshakes[:6]:
        name = f"server name {item['name']}" if item["name"] else "no server name"
        gave = f"succeeds in {item['version']}" if item["status"] == "ok" else item["why"] or item["status"]
        if item["status"] == "untestable":
            gave = f"cannot be tried by this host's OpenSSL ({item['why']})"
        shown.append(Evidence(_asked_as(leg), f"TLS handshake with {leg.endpoint}, {' '.join(item['versions'])}, {name}: {gave}"))
    return shown


def show_decision(access: selinux.Access) -> list[Evidence]:
    """Show what the kernel decides about a connection of nginx: what is denied, and for ports the record that says what they are."""
    shown = []
    for check in access.refused[:3]:
        shown.append(Evidence("/sys/fs/selinux/access", quote(f"{check.question} for {access.domain}: denied")))
        if check.port is not None and check.record:
            low, high = check.record[0], check.record[-1]
            whose = "a record of this host" if check.local else "the policy"
            shown.append(Evidence("SELinux policy", f"{whose} labels TCP port{f's {low} to {high}' if low != high else f' {low}'} {quote(check.kind)}"))
    return shown


def show_denial(denial: selinux.Denial | None) -> list[Evidence]:
    """Show what the kernel logged as denied; nothing where it did not, which proves nothing: rules of the policy silence it."""
    return [Evidence(denial.logged_in, f"AVC: {quote(denial.says)}: {times(denial.count)}, last {clock(denial.last)}")] if denial else []


def show_bind(bind: selinux.Bind) -> list[Evidence]:
    """Show what the kernel decides about a port on which nginx is to listen, and what the port is."""
    return [Evidence("/sys/fs/selinux/access", quote(f"name_bind of tcp_socket on {bind.type} (TCP port {bind.port}) for {bind.domain}: denied"))]
