# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from nginx to a TCP peer, and what on it stops a connection.

One connection that fails on its way has one cause. It is decided here, in one place, so that the rules for a packet
filter, a missing route and used-up ports can never contradict each other:

1. no route: the kernel's own answer for the worker's user;
2. no free local port towards the peer: the sockets in use against the range;
3. the packet filter of this host stops it for certain, or its table of connections is full;
4. the filter of the peer's own host stops it (where that host is in the run);
5. the link is down, or nobody answers for the peer's address on the link;
6. it is refused, times out or is unreachable for a reason that this host cannot see: one of several.

Sources: connect(2), ip(7), tcp(7); icmp_err_convert in net/ipv4/icmp.c for what an ICMP answer becomes.

This module is private to the collection.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import contained
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg

FILTER = "firewall-blocked"
UNREACHABLE = "network-unreachable"
PORTS = "ephemeral-ports-exhausted"
OVERLOADED = "backend-overloaded"

PROVEN, LIKELY, POSSIBLE = "proven", "likely", "possible"

# So much of the range of local ports in use is "used up": the kernel gives up before the last one is taken, when several look for one at once.
_FULL = 0.98
_NEARLY = 0.8
# Address resolution gives up after three questions, a second apart (neigh(7): mcast_solicit, retrans_time).
_RESOLUTION = 0.9
# A record of the log is of now when it is not older, in seconds.
_RECENT = 600.0
# For how long a port that was used stays taken (TIME_WAIT), in seconds.
_LINGERS = 60.0
_UNANSWERED = ("failed", "incomplete")
_ANSWERED = ("reachable", "stale", "delay", "probe", "permanent", "noarp")
_EADDRNOTAVAIL, _ENETUNREACH, _EAGAIN = 99, 101, 11
_CLASSES = (
    "connect-timeout", "connect-unreachable", "connect-refused", "connect-denied", "connect-invalid-address", "connect-no-port-left", "connect-failed"
)


@dataclass(frozen=True)
class Way:
    """What is known of the way of a leg; an empty dictionary or None where nothing is.

    route      {"status", "errno", "dev", "gateway", "source", "local"}
    neighbour  {"address", "state"} of the next hop
    sockets    {"established", "syn_sent", "time_wait", "other", "ports"} towards the peer
    verdict    what the packet filter does: {"verdict", "with", "certain", "rule", "packets", "by", "hook"}
    facts      what is known of the whole namespace: "ports", "tw_reuse", "conntrack", "links"
    """

    route: dict
    neighbour: dict
    sockets: dict
    verdict: dict
    facts: dict

    @property
    def port_range(self) -> int:
        """Return how many local ports there are for connections; 0 when that is not known."""
        ports = self.facts.get("ports")
        return max(0, ports["last"] - ports["first"] + 1 - ports["reserved"]) if ports else 0

    @property
    def ports_blocked(self) -> int:
        """Return how many local ports towards the peer cannot be given out again (tcp_tw_reuse in ip-sysctl.rst: 2 is for loopback alone)."""
        reuse = self.facts.get("tw_reuse")
        waiting = self.sockets.get("time_wait", 0) if reuse == 1 or reuse == 2 and self.route.get("dev") == "lo" else 0
        return max(0, self.sockets.get("ports", 0) - waiting)

    @property
    def ports_used_up(self) -> bool:
        """Return whether hardly any local port towards the peer is free, those that only wait counted in."""
        return bool(self.port_range) and self.sockets.get("ports", 0) >= min(_FULL * self.port_range, self.port_range - 1)

    @property
    def ports_running_out(self) -> bool:
        """Return whether most local ports towards the peer are taken for good."""
        return bool(self.port_range) and self.ports_blocked >= _NEARLY * self.port_range

    @property
    def connections_full(self) -> bool:
        """Return whether the table of connection tracking is full: what is new is dropped."""
        table = self.facts.get("conntrack")
        return bool(table) and table["max"] > 0 and table["count"] >= table["max"]

    @property
    def own_link(self) -> dict:
        """Return the link that connections go out by, or {}."""
        return next((link for link in self.facts.get("links") or () if link["name"] == self.route.get("dev")), {})

    def down_link(self, address: str) -> dict:
        """Return the link that is down and has an address in the network of a peer, or {}."""
        for link in self.facts.get("links") or ():
            if not (link["up"] and link["carrier"]) and any(_in_network(address, own) for own in link["addresses"]):
                return link
        return {}


@dataclass(frozen=True)
class Blocked:
    """Why a connection of a leg does not get through; shown are pairs of a source and what it shows."""

    leg: Leg
    way: Way
    cause: str
    certainty: str
    why: str
    shown: tuple[tuple[str, str], ...] = ()
    alternatives: tuple[str, ...] = ()


def way_of(host: Host, leg: Leg) -> Way:
    """Return what is known of the way of a leg."""
    facts = (host.answer("network")["value"] or {}).get(leg.instance.id) or {}
    address, endpoint = leg.endpoint.address, str(leg.endpoint)
    return Way(
        route=(facts.get("routes") or {}).get(address) or {},
        neighbour=(facts.get("neighbours") or {}).get(address) or {},
        sockets=(facts.get("sockets") or {}).get(endpoint) or {},
        verdict=((facts.get("filter") or {}).get("value") or {}).get(endpoint) or {},
        facts=facts,
    )


def blocked(host: Host, cause: str) -> list[Blocked]:
    """Return the legs of a host whose connections fail for this cause."""
    return [found for found in _all(host) if found.cause == cause]


@functools.lru_cache(maxsize=8)
def _all(host: Host) -> tuple[Blocked, ...]:
    return tuple(found for found in (explain(host, leg) for leg in host.legs) if found)


def explain(host: Host, leg: Leg) -> Blocked | None:
    """Return why the connections of a leg fail on their way, or None when they do not, or that is not known."""
    if leg.endpoint.kind != "tcp" or contained.verdict(host, leg):
        # That a container is not there, or apart, shows in the same ways.
        return None
    way = way_of(host, leg)
    if leg.connect == "ok":
        # Ports come free by the second: that one connection got through does not mean that all do.
        return _logged_ports(host, leg, way) or _only_nginx(host, leg, way)
    if leg.connect:
        ours = _no_route(leg, way) or _no_port(leg, way) or _filtered(leg, way) or _into_host(host, leg, way)
        return ours or _of_peer(host, leg, way) or _nobody(host, leg, way) or _unseen(leg, way)
    if leg.logged(*_CLASSES):
        return _no_route(leg, way) or _logged_ports(host, leg, way) or _filtered(leg, way) or _logged(leg, way)
    return None


_ROUTES = {
    "none": "there is no route to {0}",
    "unreachable": "the route to {0} is of type unreachable",
    "prohibit": "the route to {0} is of type prohibit (\"permission denied\", 13, which is not SELinux here)",
    "blackhole": "the route to {0} is a blackhole",
    "error": "the kernel has no usable route to {0}",
}


def _no_route(leg: Leg, way: Way) -> Blocked | None:
    status = way.route.get("status", "ok")
    address = leg.endpoint.address
    if status != "ok" and leg.connect in ("", "unreachable", "denied", "error"):
        down = way.down_link(address)
        why = _ROUTES[status].format(address)
        shown = [(f"route lookup for {address}", f"{status}" + (f" (error {way.route['errno']})" if way.route.get("errno") else ""))]
        if down:
            why += f": {_down(down, address)}"
            shown.append((f"link {down['name']}", "up, but without a carrier" if down["up"] else "down"))
        return Blocked(leg, way, UNREACHABLE, PROVEN, why, tuple(shown))
    errno = leg.probe.connect.get("errno") if leg.probe else None
    if errno == _EADDRNOTAVAIL and ":" in address and not way.ports_used_up:
        # No address of our own to speak from: IPv6 is switched off, or only on other links.
        return Blocked(leg, way, UNREACHABLE, PROVEN, f"this host has no IPv6 address from which {address} could be reached")
    return None


def _down(link: dict, address: str) -> str:
    own = next(item for item in link["addresses"] if _in_network(address, item))
    what = "has no carrier: nothing is connected to it" if link["up"] else "is down"
    return f"the link {link['name']}, which has the address {own} in that network, {what}"


def _no_port(leg: Leg, way: Way) -> Blocked | None:
    errno = leg.probe.connect.get("errno") if leg.probe else None
    if leg.connect != "error" or errno not in (_EADDRNOTAVAIL, _EAGAIN):
        return None
    ports = way.facts.get("ports")
    if ports and not way.port_range:
        why = f"no local port is left for connections: all of {ports['first']} to {ports['last']} are reserved"
        return Blocked(leg, way, PORTS, PROVEN, why)
    if not ports:
        return Blocked(leg, way, PORTS, LIKELY, f"no local port towards {leg.endpoint} could be had", alternatives=(UNREACHABLE,))
    if way.ports_used_up:
        return Blocked(leg, way, PORTS, PROVEN, _counted(leg, way))
    certainty = LIKELY if way.sockets.get("ports", 0) >= 0.5 * way.port_range else POSSIBLE
    return Blocked(leg, way, PORTS, certainty, f"no local port towards {leg.endpoint} could be had; {_counted(leg, way)}", alternatives=(UNREACHABLE,))


def _counted(leg: Leg, way: Way) -> str:
    return f"{way.sockets.get('ports', 0)} of {way.port_range} local ports are taken by sockets to {leg.endpoint}"


def _filtered(leg: Leg, way: Way) -> Blocked | None:
    """The packet filter of this host."""
    if leg.connect not in ("", "timeout", "refused", "unreachable", "denied", "error"):
        return None
    verdict = way.verdict
    if verdict and _shows(leg, verdict):
        does = "drops" if verdict["verdict"] == "drop" else "rejects"
        by = f" ({verdict['by']})" if verdict["by"] else ""
        why = f"the packet filter of this host{by} {does} connections to {leg.endpoint}: {verdict['rule']}"
        counted = f", matched {verdict['packets']} times" if verdict["packets"] else ""
        shown = ((f"packet filter, hook {verdict['hook']}", verdict["rule"] + counted),)
        if verdict["certain"]:
            return Blocked(leg, way, FILTER, PROVEN if leg.connect else LIKELY, why, shown, () if leg.connect else (UNREACHABLE,))
        if leg.connect != "refused" or leg.local and leg.listeners:
            return Blocked(leg, way, FILTER, LIKELY, why.replace(does, f"may {does[:-1]}", 1), shown, (UNREACHABLE, OVERLOADED))
    if way.connections_full and leg.connect == "timeout":
        table = way.facts["conntrack"]
        why = f"the table of connection tracking is full ({table['count']} of {table['max']}), so that new connections are dropped"
        return Blocked(leg, way, FILTER, PROVEN, why, (("nf_conntrack_count", f"{table['count']} of {table['max']}"),))
    if leg.connect == "refused" and leg.local and not verdict and any(not full(item) for item in leg.listeners):
        known = (way.facts.get("filter") or {}).get("status") == evidence.OK and not way.facts["filter"]["hidden"]
        if known:
            return None
        why = f"{leg.endpoint} is refused although {leg.listeners[0].label} listens there; the rules of the packet filter could not be read"
        return Blocked(leg, way, FILTER, POSSIBLE, why, alternatives=("backend-not-running",))
    return None


def _only_nginx(host: Host, leg: Leg, way: Way) -> Blocked | None:
    """A rule may match nginx's own processes alone, by their control group: then a connection of ours gets through."""
    verdict = way.verdict
    recent = [group for group in leg.logged("connect-timeout", "connect-unreachable", "connect-refused") if (group.get("last") or 0.0) >= host.now - _RECENT]
    if not verdict or verdict["certain"] or not recent or "cgroup" not in verdict["rule"]:
        return None
    why = f"the packet filter of this host may keep nginx's own processes from {leg.endpoint}: {verdict['rule']}"
    return Blocked(leg, way, FILTER, LIKELY, why, ((f"packet filter, hook {verdict['hook']}", verdict["rule"]),), (UNREACHABLE,))


def full(listener) -> bool:
    """Return whether the accept queue of a listener is full: Linux then lets new connections wait unanswered."""
    return listener.accept_queue is not None and bool(listener.backlog) and listener.accept_queue > listener.backlog


def _shows(leg: Leg, verdict: dict) -> bool:
    """Return whether a connection fails as a verdict would have it: a dropped one times out, a rejected one is refused or unreachable."""
    if not leg.connect:
        return True
    if verdict["verdict"] == "drop":
        # EPERM of a filter on the control group reads as denied.
        return leg.connect in ("timeout", "denied")
    if "proto" in verdict["with"]:
        return leg.connect == "error"
    if "reset" in verdict["with"] or "port" in verdict["with"]:
        return leg.connect == "refused"
    return leg.connect in ("unreachable", "refused", "denied")


def _into_host(host: Host, leg: Leg, way: Way) -> Blocked | None:
    """From nginx's container to an open socket of the host: the host filters what comes from containers, by rules that are not those of the container."""
    there = host.lands_in(leg.instance, leg.endpoint)
    if leg.connect not in ("timeout", "unreachable") or not leg.instance.net or not there or there == leg.instance.net or there != host.net:
        return None
    taking = [item for item in leg.listeners if item.net == there and not host.container_behind(item) and not full(item)]
    if not taking:
        return None
    why = f"{leg.endpoint} is open on the host ({taking[0].label}), but a connection from nginx's container is {_WORDS[leg.connect]}: its filter stops it"
    shown = (("packet filter of the host", "what comes from a container passes it (hook input); its rules were not read"),)
    return Blocked(leg, way, FILTER, LIKELY, why, shown, (UNREACHABLE,))


def _of_peer(host: Host, leg: Leg, way: Way) -> Blocked | None:
    """The peer's host is in the run: its socket is open there, and yet we do not get to it."""
    if leg.local or leg.connect not in ("timeout", "refused", "unreachable"):
        return None
    peer = host.peer_at(leg.endpoint.address)
    if not peer or peer.answer("listeners")["status"] != evidence.OK:
        return None
    # A container's port that is not published is no port of its host.
    own = {item.net for item in peer.listeners if any(not process.container for process in item.processes)}
    listening = [item for item in peer.listening_at(leg.endpoint, "") if item.net in own or not all(process.container for process in item.processes)]
    if not listening or all(full(item) for item in listening):
        return None
    why = f"{leg.endpoint} is open on {peer.name} ({listening[0].label}), but a connection from here is {_WORDS[leg.connect]}: something between stops it"
    shown = ((f"listening sockets on {peer.name}", listening[0].label),)
    return Blocked(leg, way, FILTER, LIKELY, why, shown, (UNREACHABLE,))


_WORDS = {"timeout": "not answered", "refused": "refused", "unreachable": "answered with \"unreachable\"", "denied": "denied"}


def _nobody(host: Host, leg: Leg, way: Way) -> Blocked | None:
    """The link to the peer is down, or nobody answers on it for the address of the peer, or of the router to it."""
    if leg.connect not in ("unreachable", "timeout"):
        return None
    own = way.own_link
    if own and not own["up"]:
        # Routes to addresses of this host stay when lo goes down.
        why = f"the link {own['name']}, by which connections to {leg.endpoint.address} go, is down"
        return Blocked(leg, way, UNREACHABLE, PROVEN, why, ((f"link {own['name']}", "down"),))
    if leg.local:
        return None
    if any(item.endpoint == leg.endpoint for item in leg.listeners):
        why = f"this host has a socket on {leg.endpoint}, but no link of it has the address {leg.endpoint.address} any more"
        shown = (("listening sockets", leg.listeners[0].label), ("addresses", ", ".join(sorted(host.addresses)[:8])))
        return Blocked(leg, way, UNREACHABLE, PROVEN, why, shown)
    down = way.down_link(leg.endpoint.address)
    if down:
        shown = ((f"link {down['name']}", "up, but without a carrier" if down["up"] else "down"),)
        return Blocked(leg, way, UNREACHABLE, PROVEN, _down(down, leg.endpoint.address), shown)
    if not way.neighbour:
        return None
    hop, state = way.neighbour["address"], way.neighbour["state"]
    errno, seconds = leg.probe.connect.get("errno"), leg.probe.connect.get("seconds") or 0.0
    slow = leg.connect == "unreachable" and errno != _ENETUNREACH and seconds >= _RESOLUTION and state not in _ANSWERED
    if not (slow or state in _UNANSWERED):
        return None
    who = f"the router {hop}" if way.route.get("gateway") else f"the host {hop}"
    why = f"{who} does not answer on {way.route.get('dev') or 'its link'} (no link-layer address): it is down, or not on this network"
    shown = ((f"neighbour {hop}", f"{state}; the connection failed after {seconds:.1f} s"),)
    return Blocked(leg, way, UNREACHABLE, PROVEN, why, shown)


def _unseen(leg: Leg, way: Way) -> Blocked | None:
    """What fails beyond this host: one of several."""
    if leg.local:
        return None
    errno, seconds = leg.probe.connect.get("errno"), leg.probe.connect.get("seconds") or 0.0
    if leg.connect == "unreachable":
        known = way.neighbour.get("state") in _ANSWERED
        if errno == _ENETUNREACH:
            why = f"{leg.endpoint} is unreachable: a router on the way says that it has no route there"
            return Blocked(leg, way, UNREACHABLE, LIKELY, why, alternatives=(FILTER,))
        if known and not way.route.get("gateway") or seconds < _RESOLUTION:
            why = f"{leg.endpoint} is answered with \"host unreachable\" at once, as a packet filter of the peer or on the way does that rejects it"
            return Blocked(leg, way, FILTER, LIKELY if known else POSSIBLE, why, alternatives=(UNREACHABLE,))
        why = f"{leg.endpoint} is unreachable: a router on the way does not reach its host"
        return Blocked(leg, way, UNREACHABLE, LIKELY, why, alternatives=(FILTER,))
    if leg.connect == "timeout":
        up = way.neighbour.get("state") in ("reachable", "delay", "probe") and not way.route.get("gateway")
        why = f"connections to {leg.endpoint} are not answered at all, as a packet filter of the peer or on the way does that drops them"
        if up:
            why += "; the peer's host itself is up"
        return Blocked(leg, way, FILTER, POSSIBLE, why, alternatives=(OVERLOADED,) if up else (UNREACHABLE, OVERLOADED))
    return None


def _logged_ports(host: Host, leg: Leg, way: Way) -> Blocked | None:
    groups = leg.logged("connect-no-port-left")
    if not groups:
        return None
    if way.port_range and way.ports_blocked >= min(_FULL * way.port_range, way.port_range - 1):
        return Blocked(leg, way, PORTS, PROVEN, _counted(leg, way))
    if ":" in leg.endpoint.address and not way.ports_running_out:
        return None
    why = f"nginx found no free local port towards {leg.endpoint} (99)"
    answer = host.answer("network")
    counted = bool(way.sockets) or not (answer["hidden"] or answer["truncated"])
    lately = max(group["last"] for group in groups) > host.now - _LINGERS
    if lately and counted and way.sockets.get("ports", 0) < 0.5 * way.port_range:
        # All of them cannot have come free by now.
        return Blocked(leg, way, PORTS, POSSIBLE, f"{why}, but now {_counted(leg, way)}", alternatives=(UNREACHABLE,))
    return Blocked(leg, way, PORTS, LIKELY, why, alternatives=(UNREACHABLE,))


def _logged(leg: Leg, way: Way) -> Blocked | None:
    """The log alone: the endpoint was not probed."""
    if leg.local or not leg.logged("connect-timeout", "connect-unreachable"):
        return None
    group = leg.logged("connect-timeout", "connect-unreachable")[0]
    if group["class"] == "connect-timeout":
        why = f"nginx's connections to {leg.endpoint} were not answered"
        return Blocked(leg, way, FILTER, POSSIBLE, why, alternatives=(UNREACHABLE, OVERLOADED))
    why = f"nginx's connections to {leg.endpoint} ended with \"{'network' if group.get('errno') == _ENETUNREACH else 'host'} unreachable\""
    cause, other = (UNREACHABLE, FILTER) if group.get("errno") == _ENETUNREACH or way.neighbour.get("state") in _UNANSWERED else (FILTER, UNREACHABLE)
    return Blocked(leg, way, cause, POSSIBLE, why, alternatives=(other,))


def _in_network(address: str, own: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_interface(own).network
    except ValueError:
        return False
