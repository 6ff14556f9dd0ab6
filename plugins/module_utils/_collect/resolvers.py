# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What name servers say of the host names in the configuration, asked directly, and what this host itself says of them.

nginx resolves a name in a pass with variables by its own client, from the servers of its "resolver"
directive alone. Those are asked here, and beside them the nameservers of resolv.conf(5); hosts(5) is read
for the same names. All in nginx's own network and mount namespaces. To which addresses the workers hold
connections on the ports of those names shows what a name was resolved to when nginx started.

This module is private to the collection.
"""

import os
import re
import socket
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _dns as dns
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _sock_diag

KEY = "resolvers"
ASKED = "DNS to the servers of resolver and resolv.conf, /etc/hosts, in the namespaces of nginx"

SECONDS = 3.0
MAX_NAMES = 48
MAX_SERVERS = 8
MAX_FILE = 1 << 20
MAX_PORTS = 8
MAX_CONNECTIONS = 64
MAX_DESCRIPTORS = 20000
_PORT = 53


def collect(host, nginx, seconds=SECONDS):
    """Return the `resolvers` value of docs/architecture.md as a Partial. nginx is the value of that answer.

    An instance that names no host but localhost, and no resolver, is not asked about.
    """
    found, hidden, truncated = {}, [], False
    for instance in nginx["instances"]:
        names = sorted(name.lower() for name in passes.names(instance))
        servers = sorted(passes.resolvers(instance))
        if not servers and not [name for name in names if name != "localhost"]:
            continue
        truncated = truncated or len(names) > MAX_NAMES or len(servers) > MAX_SERVERS
        # A server of which nothing is known that it will be asked for is asked for the name that each must know (RFC 6761).
        wanted = names[:MAX_NAMES] or ["localhost"]
        try:
            seen = _look(instance, (wanted, servers[:MAX_SERVERS], seconds), hidden)
        except evidence.Unanswered as failure:
            if len(nginx["instances"]) == 1:
                raise
            hidden.append("{0}: {1}".format(instance["id"], failure.why))
            continue
        found[instance["id"]] = dict(seen, connections=_connections(host, instance))
    return evidence.Partial(found, truncated, hidden)


def _look(instance, args, hidden):
    """Look where nginx is; where we may not go there, from where we are."""
    pid, seconds = instance["master"]["pid"] if instance["master"] else None, 2 * args[2] + 4
    # Only getaddrinfo(3) could keep us waiting without end: a server that is written as a name.
    if _is_here(pid) and all(_literal(word) for word in args[1]):
        return look(*args)
    try:
        return _inside.call(look, args, pid=pid, timeout=seconds)
    except evidence.Unanswered as failure:
        if pid is None or failure.status != evidence.DENIED:
            raise
        hidden.append("{0}: name servers were asked from our own namespaces ({1})".format(instance["id"], failure.why))
    return _inside.call(look, args, timeout=seconds)


def _is_here(pid):
    """Return whether a process sees the network and the files that we see."""
    try:
        same = pid is None or all(_inside.namespace(pid, kind) == _inside.namespace("self", kind) for kind in ("net", "mnt"))
        return same and (pid is None or _inside.same_root(pid))
    except evidence.Unanswered:
        return False


def _connections(host, instance):
    """Return {"status", "why", "peers"}: to what the workers hold, or try, connections on the ports of names."""
    workers = [worker["pid"] for worker in instance.get("workers") or () if not worker.get("shutting_down")]
    if not workers:
        return {"status": evidence.ABSENT, "why": "no worker runs", "peers": []}
    try:
        peers = _peers(host, workers, sorted(passes.named_ports(instance))[:MAX_PORTS])
    except evidence.Unanswered as failure:
        return {"status": failure.status, "why": failure.why, "peers": []}
    except OSError as error:
        failure = evidence.unanswered_by(error, "sock_diag")
        return {"status": failure.status, "why": failure.why, "peers": []}
    return {"status": evidence.OK, "why": "", "peers": peers}


def _peers(host, workers, ports):
    found = _sock_diag.connected(ports, workers[0])[0] if ports else []
    held = _held(host, workers) if found else set()
    counts = {}
    for address, port, state, inode in found:
        if inode in held:
            key = (socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address), port, state)
            counts[key] = counts.get(key, 0) + 1
    kept = sorted(counts, key=lambda key: -counts[key])[:MAX_CONNECTIONS]
    return [{"address": key[0], "port": key[1], "state": key[2], "count": counts[key]} for key in kept]


def _held(host, workers):
    """Return the inodes of the sockets that some processes hold."""
    held, seen = set(), 0
    for pid in workers:
        folder = "/proc/{0}/fd".format(pid)
        for name in host.names(folder):
            seen += 1
            if seen > MAX_DESCRIPTORS:
                return held
            held.add(_processes.socket_at(host, folder + "/" + name))
    return held


def look(names, written, seconds):
    """Return what is known of the names where we are; written are the servers as the configuration has them."""
    hosts = _read("/etc/hosts")
    system = _read("/etc/resolv.conf")
    rows = parse_hosts(hosts.pop("content"), names)
    servers, search, ndots = parse_resolv_conf(system.pop("content"))
    named = dict((word, _addresses(word)) for word in written)
    wanted = []
    for server in [server for word in written for server in named[word]] + servers:
        if server not in wanted:
            wanted.append(server)
    said = dns.ask(wanted[:2 * MAX_SERVERS], names, seconds) if wanted else {}
    return {
        "hosts": dict(hosts, rows=rows),
        "system": dict(system, servers=[_written(server) for server in servers], search=search, ndots=ndots),
        "named": dict((word, [_written(server) for server in found]) for word, found in named.items()),
        "servers": dict((_written(server), _harmless(answers)) for server, answers in said.items()),
    }


def _read(path):
    """Return {"status", "why", "changed", "content"} of a file where we are."""
    failed = {"changed": 0.0, "content": ""}
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        failure = evidence.unanswered_by(error, path)
        return dict(failed, status=failure.status, why=failure.why)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return dict(failed, status=evidence.ERROR, why="{0} is not a regular file".format(path))
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_FILE).decode("ascii", "backslashreplace")
    return {"status": evidence.OK, "why": "", "changed": status.st_mtime, "content": content}


def parse_hosts(content, names):
    """Return {name: [address]} of the rows of hosts(5) for some names."""
    wanted, rows = set(names), {}
    for line in content.splitlines():
        words = line.partition("#")[0].split()
        for name in words[1:]:
            if name.lower() in wanted and _is_address(words[0]):
                found = rows.setdefault(name.lower(), [])
                if words[0] not in found and len(found) < dns.MAX_ADDRESSES:
                    found.append(words[0])
    return rows


def parse_resolv_conf(content):
    """Return (servers as (address, port), search domains, ndots) of resolv.conf(5); without a server, its default."""
    servers, search, ndots = [], [], 1
    for line in content.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith(("#", ";")):
            continue
        if words[0] == "nameserver" and _is_address(words[1]) and len(servers) < 3:
            servers.append((words[1], _PORT))
        elif words[0] in ("search", "domain"):
            search = [text.harmless(word, 253) for word in words[1:7]]
        elif words[0] == "options":
            counts = [word[len("ndots:"):] for word in words[1:] if word.startswith("ndots:")]
            ndots = int(counts[-1]) if counts and counts[-1].isdigit() and len(counts[-1]) < 3 else ndots
    return servers or [("127.0.0.1", _PORT)], search, ndots


def _is_address(word):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, word)
        except (OSError, ValueError):
            continue
        return True
    return False


def _split(word):
    """Return (host, port as it is written)."""
    if word.startswith("["):
        host, _bracket, rest = word[1:].partition("]")
        return host, rest[1:] if rest.startswith(":") else _PORT
    host, colon, port = word.partition(":") if word.count(":") == 1 else (word, "", "")
    return host, port if colon else _PORT


def _literal(word):
    return _is_address(_split(word)[0])


def _addresses(word):
    """Return the servers that an argument of "resolver" stands for: nginx resolves a name there at start, by getaddrinfo(3)."""
    host, port = _split(word)
    if not re.match(r"[0-9]{1,5}\Z", str(port)) or not 0 < int(port) < 65536:
        return []
    if _is_address(host):
        return [(host, int(port))]
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(item[4][:2] for item in found))[:MAX_SERVERS]


def _written(server):
    address, port = server
    return "[{0}]:{1}".format(address, port) if ":" in address else "{0}:{1}".format(address, port)


def _harmless(answers):
    for kinds in answers.values():
        for said in kinds.values():
            said["why"] = text.harmless(said["why"], 200)
    return answers
