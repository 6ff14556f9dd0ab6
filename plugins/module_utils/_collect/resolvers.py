# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What name servers say of the host names in the configuration, asked directly, and what this host itself says of them.

nginx resolves a name in a pass with variables by its own client, from the servers of its "resolver"
directive alone. Those are asked here, and beside them the nameservers of resolv.conf(5); hosts(5) is read
for the same names. All in nginx's own network and mount namespaces.

This module is private to the collection.
"""

import os
import socket
import stat

from ansible_collections.webops.bad_gateway.plugins.module_utils import _dns as dns
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "resolvers"
ASKED = "DNS to the servers of resolver and resolv.conf, /etc/hosts, in the namespaces of nginx"

SECONDS = 3.0
MAX_NAMES = 48
MAX_SERVERS = 8
MAX_FILE = 1 << 20
_PORT = 53


def collect(nginx, seconds=SECONDS):
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
        pid = instance["master"]["pid"] if instance["master"] else None
        try:
            found[instance["id"]] = _inside.call(look, (wanted, servers[:MAX_SERVERS], seconds), pid=pid, timeout=2 * seconds + 4)
        except evidence.Unanswered as failure:
            if len(nginx["instances"]) == 1:
                raise
            hidden.append("{0}: {1}".format(instance["id"], failure.why))
    return evidence.Partial(found, truncated, hidden)


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


def _addresses(word):
    """Return the servers that an argument of "resolver" stands for: nginx resolves a name there at start, by getaddrinfo(3)."""
    host, port = word, _PORT
    if word.startswith("["):
        host, _bracket, rest = word[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else _PORT
    elif word.count(":") == 1:
        host, _colon, port = word.partition(":")
    if not str(port).isdigit() or not 0 < int(port) < 65536:
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
