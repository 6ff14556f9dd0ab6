# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from nginx to its TCP peers: routes, neighbours, links, local ports in use, and the packet filter.

Asked of the kernel over netlink, in nginx's own network namespace. A program is run only where a packet filter
exists: nft, and iptables-save for the tables that nft cannot tell. Only what concerns the peers leaves the host, never the
rules as a whole.

This module is private to the collection.
"""

import errno
import json
import os
import socket
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _filter
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _netlink

KEY = "network"
ASKED = "rtnetlink, sock_diag, nft list ruleset, iptables-save"

MAX_PEERS = 256
MAX_LINKS = 32
MAX_RULES = 8 << 20
SECONDS = 10
FOLLOW_SECONDS = 2.0


def collect(host, nginx, names, own_net="", redactor=None):
    """Return the `network` value of docs/architecture.md as a Partial. nginx and names are the values of those answers."""
    value, hidden, truncated = {}, [], False
    for instance in nginx["instances"]:
        wanted = sorted(peers(instance, names))
        truncated = truncated or len(wanted) > MAX_PEERS
        master = instance["master"]
        pid = master["pid"] if master and master["net"] not in ("", own_net) else None
        try:
            found, cut = _netlink.call(pid, look, host, pid, wanted[:MAX_PEERS], instance["identity"], hidden)
        except (evidence.Unanswered, OSError) as error:
            failure = error if isinstance(error, evidence.Unanswered) else evidence.unanswered_by(error, "the network of nginx")
            hidden.append("{0}: {1}".format(instance["id"], failure.why))
            continue
        if redactor:
            # The comment of a rule is a person's text.
            for verdict in (found["filter"]["value"] or {}).values():
                verdict["rule"] = text.harmless(redactor.text(verdict["rule"]), 400)
        value[instance["id"]] = found
        truncated = truncated or cut
    if nginx["instances"] and not value:
        raise evidence.Unanswered(evidence.ERROR, "; ".join(hidden)[:500])
    return evidence.Partial(value, truncated, [text.harmless(line, 500) for line in dict.fromkeys(hidden)])


def peers(instance, names):
    """Return the TCP peers of an instance: a set of (address, port)."""
    found = set()
    for name, port in passes.places(instance):
        answer = names.get(name)
        answer = ((answer or {}).get("elsewhere") or {}).get(instance["id"], answer)
        for address in (answer["addresses"] if answer else [name]):
            try:
                found.add((socket.inet_ntop(*_family_and_bytes(address)), port))
            except (OSError, ValueError):
                # A name that was not resolved.
                continue
    return found


def _family_and_bytes(address):
    raw = _netlink.packed(address.partition("%")[0])
    return (socket.AF_INET if len(raw) == 4 else socket.AF_INET6), raw


def look(host, pid, wanted, identity, hidden):
    """Return (what is known of the way to some peers, whether it was cut short); called where nginx is."""
    value = {"ports": _ports(host), "tw_reuse": _number(host, "/proc/sys/net/ipv4/tcp_tw_reuse"), "conntrack": _conntrack(host),
             "links": [], "routes": {}, "neighbours": {}, "sockets": {}, "filter": None}
    truncated = False
    uid, gid = identity.get("uid"), identity.get("gid")
    with _netlink.route_channel() as channel:
        links = _netlink.links(channel)
        routes = {address: _netlink.route(channel, address, uid) for address in sorted({address for address, _port in wanted})}
        known = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            if any((":" in address) == (family == socket.AF_INET6) and not route["local"] for address, route in routes.items()):
                known.update(_netlink.neighbours(channel, family))
    for address, route in routes.items():
        index, route["dev"] = route["dev"], links.get(route["dev"], {}).get("name", "")
        if route["status"] == "ok" and not route["local"]:
            asked = route["gateway"] or address
            value["neighbours"][address] = {"address": asked, "state": known.get((index, asked), "none")}
    value["routes"] = routes
    used = {route["dev"] for route in routes.values()}
    told = [link for _index, link in sorted(links.items()) if link["name"] in used or link["addresses"] and not (link["up"] and link["carrier"])]
    value["links"] = told[:MAX_LINKS]
    if wanted:
        try:
            with _netlink.diag_channel() as channel:
                sockets, truncated = _netlink.connections(channel, [(_netlink.packed(address), port) for address, port in wanted])
            value["sockets"] = {endpoint(*place): counts for place, counts in sorted(sockets.items())}
        except (evidence.Unanswered, OSError) as error:
            hidden.append("sockets in use: {0}".format(getattr(error, "why", None) or error))
            truncated = True
    value["filter"] = evidence.ask("nft list ruleset, iptables-save", _filtered, host, pid, wanted, routes, (uid, gid, value["ports"]))
    return _harmless(value), truncated


def endpoint(address, port):
    """Return "10.0.0.7:3000" or "[::1]:3000"."""
    return ("[{0}]:{1}" if ":" in address else "{0}:{1}").format(address, port)


def _harmless(value):
    """Make the names that a host chose harmless."""
    for link in value["links"]:
        link["name"], link["kind"] = text.harmless(link["name"], 64), text.harmless(link["kind"], 64)
    for route in value["routes"].values():
        route["dev"] = text.harmless(route["dev"], 64)
    return value


def _ports(host):
    """Return {"first", "last", "reserved"} of the local ports that a connection may be given, or None."""
    try:
        first, last = host.text("/proc/sys/net/ipv4/ip_local_port_range", 256).split()
        reserved = 0
        for part in host.text("/proc/sys/net/ipv4/ip_local_reserved_ports", 65536).strip().split(","):
            low, _dash, high = part.partition("-")
            if low:
                reserved += max(0, min(int(high or low), int(last)) - max(int(low), int(first)) + 1)
        return {"first": int(first), "last": int(last), "reserved": reserved}
    except (evidence.Unanswered, OSError, ValueError):
        return None


def _number(host, path):
    try:
        return int(host.text(path, 256))
    except (evidence.Unanswered, OSError, ValueError):
        return None


def _conntrack(host):
    count = _number(host, "/proc/sys/net/netfilter/nf_conntrack_count")
    most = _number(host, "/proc/sys/net/netfilter/nf_conntrack_max")
    return None if count is None or most is None else {"count": count, "max": most}


# --- the packet filter

def _filtered(host, pid, wanted, routes, sender):
    """Return {endpoint: verdict} of the peers that the filter does not, or perhaps not, let through."""
    if os.geteuid() != 0 and not host.root:
        raise evidence.Unanswered(evidence.DENIED, "only root may read the packet filter")
    if not wanted:
        return {}
    ruleset, hidden, truncated = read_rules(host, pid)
    found = {}
    end = time.monotonic() + FOLLOW_SECONDS
    for address, port in wanted:
        route = routes[address]
        if time.monotonic() > end:
            truncated = True
            hidden.append("the rules are too many to follow them for all {0} peers".format(len(wanted)))
            break
        if route["status"] == "ok":
            verdict = ruleset.verdict(packets(address, port, route, *sender))
            if verdict:
                verdict["rule"] = text.harmless(verdict["rule"], 400)
                verdict["with"] = text.harmless(verdict["with"], 64)
                found[endpoint(address, port)] = verdict
    return evidence.Partial(found, truncated, hidden)


def packets(address, port, route, uid, gid, ports=None):
    """Return [(packet, hooks)] of a connection of a user to a peer and back. No socket of ours stands behind what comes in."""
    source = route["source"] or (address if route["local"] else "")
    near = _filter.Span(ports["first"], ports["last"]) if ports else _filter.Span(1024, 65535)
    nobody = _filter.NOBODY
    there = _filter.Packet(source, address, near, port, "", route["dev"], uid, gid, "new")
    back = _filter.Packet(address, source, port, near, route["dev"], "", nobody, nobody, "established")
    if not route["local"]:
        return [(there, ("output", "postrouting")), (back, ("prerouting", "input"))]
    comes = _filter.Packet(source, address, near, port, "lo", "", nobody, nobody, "new")
    answers = _filter.Packet(address, source, port, near, "", "lo", None, None, "established")
    return [(there, ("output", "postrouting")), (comes, ("prerouting", "input")), (answers, ("output", "postrouting")), (back, ("prerouting", "input"))]


def read_rules(host, pid=None):
    """Return (Ruleset, hidden, truncated) of the network namespace that this is called in, which is that of pid. Tools are run only where there are tables."""
    ruleset, hidden, truncated = _filter.Ruleset(), [], False
    foreign = set()
    if _has_nf_tables(host, hidden):
        foreign, truncated = _read_nft(host, ruleset, hidden)
    for version, names in ((4, "ip_tables_names"), (6, "ip6_tables_names")):
        tables = {table for family, table in foreign if family == ("ip" if version == 4 else "ip6")}
        if tables:
            _read_saved(host, ruleset, hidden, version, ("nft-save", "save"), tables)
        if _lines(host, "/proc/{0}/net/{1}".format(pid or "self", names)):
            _read_saved(host, ruleset, hidden, version, ("legacy-save", "save"), None)
    return ruleset, hidden, truncated


def _lines(host, path):
    try:
        return host.text(path, 4096).split()
    except (evidence.Unanswered, OSError):
        # The module is not loaded: no table.
        return []


def _has_nf_tables(host, hidden):
    """Return whether nf_tables has tables here. It is not asked where that would load the module."""
    if not _loaded(host, "nf_tables"):
        return False
    try:
        return _netlink.has_nf_tables()
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT, errno.ENOENT, errno.EOPNOTSUPP):
            return False
        hidden.append("nf_tables: {0}".format(error.strerror))
        return False


def _loaded(host, module):
    """Return whether the kernel has a module, loaded or built in; where that is not told, it may have it."""
    try:
        if any(line.startswith(module + " ") for line in host.text("/proc/modules", 1 << 20).split("\n")):
            return True
        built_in = host.text("/lib/modules/{0}/modules.builtin".format(os.uname().release), 4 << 20)
    except (evidence.Unanswered, OSError):
        return True
    return "/{0}.ko".format(module) in built_in


def _read_nft(host, ruleset, hidden):
    """Read what nft lists; without the elements of sets where these are too many. Return (foreign tables, truncated)."""
    terse = False
    try:
        output = host.run(["nft", "-j", "list", "ruleset"], timeout=SECONDS, limit=MAX_RULES)
        if output.truncated:
            terse = True
            output = host.run(["nft", "-j", "-t", "list", "ruleset"], timeout=SECONDS, limit=MAX_RULES)
        if output.rc != 0 or output.truncated:
            why = text.decode(output.err).strip()[:200] or "too many rules"
            hidden.append("nft list ruleset: {0}".format(why))
            return set(), True
        foreign = _filter.read_nft(ruleset, json.loads(text.decode(output.out)).get("nftables", []), terse)
    except evidence.Unanswered as error:
        hidden.append("the rules of nf_tables were not read: {0}".format(error.why))
        return set(), True
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hidden.append("nft list ruleset: {0}: {1}".format(type(error).__name__, error))
        return set(), True
    for family, table in foreign:
        for key in [key for key in ruleset.chains if key[:2] == (family, table)]:
            if family in ("ip", "ip6"):
                del ruleset.chains[key]
    return foreign, False


def _read_saved(host, ruleset, hidden, version, kinds, tables):
    prefix = "iptables" if version == 4 else "ip6tables"
    for kind in kinds:
        try:
            output = host.run(["{0}-{1}".format(prefix, kind), "-c"], timeout=SECONDS, limit=MAX_RULES)
        except evidence.Unanswered as error:
            failure = error.why
            continue
        if output.rc == 0 and not output.truncated:
            _filter.read_iptables(ruleset, version, text.decode(output.out), tables, "" if tables else " (legacy)")
            return
        failure = text.decode(output.err).strip()[:200] or "too many rules"
    hidden.append("{0}-save: {1}".format(prefix, failure))
