# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux decides, asked of the kernel, and with what it would decide otherwise.

The kernel answers at selinuxfs (security/selinux/selinuxfs.c): a question is a write to a file there, which computes the answer and
changes nothing. It does not tell the type of a port, nor which boolean a decision hangs on: those are in its policy, see _selinux_policy.

A check is one decision that is wanted, see check(); settle() fills it in. All of them are settled together, in a child of our own that
may take as long as a policy takes to be read. On an emulated machine, some ten times slower than a real one, that is 1 s.

What Debian 12's policy lets httpd_t connect to by TCP, each seen with real connections of nginx: without a boolean none of 80, 389, 3000,
3306, 5000, 5432, 8080, 9999 and 11211. httpd_can_network_connect opens all of them; httpd_can_network_relay 80 and 8080 (http_port_t,
http_cache_port_t); httpd_graceful_shutdown 80; httpd_can_network_connect_db 3306 and 5432; httpd_can_network_connect_memcache 11211;
httpd_can_network_connect_ldap 389. Two that are made for something else open one too: authlogin_nsswitch_use_ldap 389 and allow_ypbind 9999
(unreserved_port_t). 3000 (ntop_port_t) and 5000 (commplex_main_port_t) are opened by httpd_can_network_connect alone.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_labels as labels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_policy as policies

FOLDER = "/sys/fs/selinux"
SECONDS = 60.0
MAX_PORTS = 70000
# What a port may be labelled as, by what is behind it: a web server, a cache of one, a database, memcached, a directory.
PORT_TYPES = (
    "http_port_t", "http_cache_port_t", "mysqld_port_t", "postgresql_port_t", "memcache_port_t", "redis_port_t", "mongod_port_t", "ldap_port_t",
)
# What a socket may be labelled as: what nginx and PHP-FPM make under /run, by the names of Debian's and Fedora's policies; what containers share.
SOCKET_TYPES = ("httpd_runtime_t", "httpd_var_run_t", "container_file_t")

# The kind of file that a check of a class is about.
_FILES = {"dir": "dir", "lnk_file": "link", "sock_file": "socket"}
_ROOTS = ("/var/lib/selinux/{0}/active", "/etc/selinux/{0}/active", "/etc/selinux/{0}/modules/active")
# user:role:type[:level]; the kernel splits the question at spaces.
_CONTEXT = re.compile(r"^[A-Za-z0-9_.]+:[A-Za-z0-9_.]+:[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.,:-]+)?$")
_NAME = re.compile(r"^[a-z0-9_]+$")
_PERMISSIVE = 1
_PORTS = re.compile(r"^(?P<type>\S+)\s+(?P<protocol>tcp|udp|sctp|dccp)\s+(?P<ports>[\d, -]+)$")
_LOCAL = re.compile(r"^\s*portcon\s+tcp\s+(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s")


def present(host):
    """Return where the kernel can be asked. Raises Unanswered: absent where it runs without SELinux, error where it cannot be asked from here."""
    if host.exists(FOLDER + "/enforce"):
        return
    try:
        registered = host.text("/proc/filesystems", 65536)
    except evidence.Unanswered:
        registered = ""
    if "selinuxfs" in registered.split():
        raise evidence.Unanswered(evidence.ERROR, "the kernel runs with SELinux, but selinuxfs is not mounted at {0} here, as in a container".format(FOLDER))
    raise evidence.Unanswered(evidence.ABSENT, "the kernel runs without SELinux")


def process_context(host, pid):
    """Return the context of a process. Raises Unanswered."""
    return text.decode(host.read("/proc/{0}/attr/current".format(pid), 4096)[0]).rstrip("\0\n")


def type_of(context):
    """Return the type of a context, "" of what is none."""
    return context.split(":")[2] if _CONTEXT.match(context) else ""


def with_type(context, kind):
    """Return the context of an object of a type, in the form in which a policy has that of a subject (context): with a level, or without."""
    # A policy without levels knows contexts of three fields alone.
    return "system_u:object_r:{0}{1}".format(kind, ":s0" if context.count(":") > 2 else "")


def transact(path, question):
    """Write a question to a transaction file of selinuxfs and return the reply; raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(descriptor, question)
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


class Kernel:
    """The kernel's decisions. ask(path, question bytes) -> reply bytes stands for transact() in tests."""

    def __init__(self, host, ask=None):
        self._host = host
        self._ask = ask or transact
        self._numbers = {}
        self._replies = {}

    def decide(self, source, target, name, permission):
        """Return (whether it is let through, whether because the source's domain is permissive or would be). Raises Unanswered.

        The question is "source target class" with the class by number; the reply is "allowed decided
        auditallow auditdeny seqno flags", the vectors in hexadecimal, bit N-1 for permission N. Flag 1
        is SELINUX_AVD_FLAGS_PERMISSIVE: the domain is permissive, so nothing is refused to it.
        """
        if not (_CONTEXT.match(source) and _CONTEXT.match(target) and _NAME.match(name) and _NAME.match(permission)):
            raise evidence.Unanswered(evidence.ERROR, "not a context, class or permission, or the type of the port is unknown")
        bit = self._number("{0}/class/{1}/perms/{2}".format(FOLDER, name, permission))
        key = source, target, name
        if key not in self._replies:
            number = self._number("{0}/class/{1}/index".format(FOLDER, name))
            self._replies[key] = self._transact("access", "{0} {1} {2}".format(source, target, number)).split()
        fields = self._replies[key]
        if len(fields) < 5:
            raise evidence.Unanswered(evidence.ERROR, "the kernel's reply has {0} fields".format(len(fields)))
        permissive = len(fields) > 5 and bool(int(fields[5], 16) & _PERMISSIVE)
        return bool(permissive or int(fields[0], 16) & (1 << (bit - 1))), permissive

    def permissive(self, context):
        """Return whether the domain of a context is permissive. Raises Unanswered."""
        return self.decide(context, context, "process", "fork")[1]

    def knows(self, context):
        """Return whether the policy has a context."""
        try:
            self._transact("context", context)
        except evidence.Unanswered:
            return False
        return True

    def started(self, parent, label):
        """Return the context of a program of that label that a process in the context parent starts. Raises Unanswered."""
        if not (_CONTEXT.match(parent) and _CONTEXT.match(label)):
            raise evidence.Unanswered(evidence.ERROR, "the label of the program is not known")
        number = self._number("{0}/class/process/index".format(FOLDER))
        return text.decode(self._transact("create", "{0} {1} {2}".format(parent, label, number))).rstrip("\0\n")

    def _number(self, path):
        if path not in self._numbers:
            self._numbers[path] = int(self._host.text(path, 64).strip())
        return self._numbers[path]

    def _transact(self, file, question):
        try:
            return self._ask(self._host.path("{0}/{1}".format(FOLDER, file)), question.encode("ascii"))
        except OSError as error:
            raise evidence.unanswered_by(error, "{0}/{1}".format(FOLDER, file))


def check(source, name, permission, target="", port=None, path=""):
    """Return a CHECK of docs/architecture.md that is yet to be settled, and its source. The target of a port is found out."""
    return {
        "source": source, "class": name, "permission": permission, "target": target, "allowed": None, "permissive": False, "booleans": [], "why": "",
        "path": path, "expected": "", "port": port, "port_type": "", "record": None, "local": None, "labels": [],
    }


def settle(host, checks, ports=(), ask=None):
    """Return (the checks, settled, {"3000": {"type", "low", "high", "local"}} of their ports and of further ones or None, why None)."""
    wanted = sorted({item["port"] for item in checks if item["port"] is not None} | set(ports))
    if not checks and not wanted:
        return [], {}, ""
    try:
        settled, records, why = inside.call(_settle, (host, checks, wanted, ask), timeout=SECONDS)
    except evidence.Unanswered as error:
        return [dict(item, why=error.why) for item in checks], None, error.why
    return settled, records, why


def _settle(host, checks, ports, ask):
    """Settle checks; runs in a child."""
    kernel, reader = Kernel(host, ask), _Reader(host)
    records, why = _records(host, reader, ports) if ports else ({}, "")
    for item in checks:
        if item["port"] is not None:
            _set_port(item, (records or {}).get(str(item["port"])), why)
        if item["target"]:
            _decide(kernel, item)
        elif not item["why"]:
            item["why"] = "the label is not known"
    _expect(host, [item for item in checks if item["path"]])
    for item in checks:
        if item["allowed"] is False:
            _explain(kernel, reader, item)
    return checks, records, why


def _expect(host, checks):
    """Put into checks of files what their label is to be."""
    if not checks:
        return
    try:
        contexts = labels.FileContexts(host, policy_name(host))
    except evidence.Unanswered:
        return
    for item in checks:
        item["expected"] = contexts.expected(item["path"], _FILES[item["class"]])


class _Reader:
    """The policy that the kernel has loaded, read when it is first needed; why says why it could not be."""

    def __init__(self, host):
        self._host = host
        self._policy = None
        self.why = ""

    def policy(self):
        """Return the Policy, or None."""
        if self._policy is None and not self.why:
            try:
                self._policy = policies.Policy(policies.loaded(self._host))
            except evidence.Unanswered as error:
                self.why = error.why
        return self._policy

    def booleans(self, source, target, name, permission):
        """Return what Policy.booleans_for() does; None without a policy."""
        policy = self.policy()
        return policy.booleans_for(source, target, name, permission) if policy else None


def _set_port(item, record, why):
    if record is None:
        item["why"] = why or "the policy has no record of port {0}".format(item["port"])
        return
    item["port_type"], item["local"] = record["type"], record["local"]
    item["record"] = [record["low"], record["high"]] if record["low"] is not None else None
    item["target"] = with_type(item["source"], record["type"])


def _decide(kernel, item):
    try:
        item["allowed"], item["permissive"] = kernel.decide(item["source"], item["target"], item["class"], item["permission"])
    except evidence.Unanswered as error:
        item["why"] = error.why


def _explain(kernel, reader, item):
    """Say what would let a denied check through: a boolean, or for a port or a file another label."""
    item["booleans"] = reader.booleans(item["source"], item["target"], item["class"], item["permission"])
    if item["booleans"] is None:
        item["why"] = reader.why or "which boolean would allow it cannot be told from the policy"
    here = type_of(item["target"])
    for kind in _candidates(item):
        target = with_type(item["source"], kind)
        if kind == here or not kernel.knows(target):
            continue
        try:
            allowed = kernel.decide(item["source"], target, item["class"], item["permission"])[0]
        except evidence.Unanswered:
            continue
        booleans = [] if allowed else reader.booleans(item["source"], target, item["class"], item["permission"])
        item["labels"].append({"type": kind, "allowed": allowed, "booleans": booleans})


def _candidates(item):
    """Return the types that the target of a check may be given instead: of a file that which the policy has for it, of a socket those of others too."""
    if item["port"] is not None:
        return PORT_TYPES
    expected = type_of(item["expected"])
    kinds = ((expected,) if expected else ()) + (SOCKET_TYPES if item["class"] == "sock_file" else ())
    return list(dict.fromkeys(kinds)) if item["class"] in _FILES else ()


# --- ports

def _records(host, reader, ports):
    """Return ({"3000": {"type", "low", "high", "local"}}, ""), or (None, why the types of ports cannot be told)."""
    policy = reader.policy()
    if policy is None:
        try:
            return _listed(host, ports), ""
        except evidence.Unanswered as error:
            return None, "types of ports: {0}; {1}".format(reader.why, error.why)
    local = _local_records(host)
    records = policy.port_records(ports)
    for record in records.values():
        record["local"] = None if local is None else (record["low"], record["high"]) in local
    return records, ""


def _local_records(host):
    """Return {(low, high)} of the TCP ports that an administrator has labelled, as libsemanage keeps them; None where that cannot be seen."""
    try:
        name = policy_name(host)
        for root in _ROOTS:
            folder = root.format(name)
            if not name or not host.exists(folder):
                continue
            # libsemanage makes the file with the first record, and the folder is its own: what cannot be listed says nothing.
            if "ports.local" not in host.names(folder):
                return set()
            found = map(_LOCAL.match, host.text(folder + "/ports.local", 4 << 20).splitlines())
            return {(int(match.group(1)), int(match.group(2) or match.group(1))) for match in found if match}
    except evidence.Unanswered:
        return None
    return None


def policy_name(host):
    """Return the policy's name, such as "targeted"; "" when the configuration does not tell it."""
    return setting(host, "SELINUXTYPE")


def setting(host, name):
    """Return the value of a setting of /etc/selinux/config, "" where there is none."""
    try:
        written = host.text("/etc/selinux/config", 65536)
    except evidence.Unanswered:
        return ""
    found = re.findall(r"^\s*{0}\s*=\s*([A-Za-z0-9_-]+)\s*$".format(name), written, re.MULTILINE)
    return found[-1] if found else ""


def _listed(host, ports):
    """Return the records by `semanage port -l`, which needs a package and does not tell their order, nor which are local."""
    output = host.run(["semanage", "port", "-l", "-n"], timeout=20, limit=4 << 20)
    if output.rc != 0:
        raise evidence.Unanswered(evidence.ERROR, "semanage: {0}".format(text.harmless(text.decode(output.err).strip(), 300) or "failed"))
    return listed_ports(text.decode(output.out), ports)


def listed_ports(listing, wanted):
    """Return {"port": record} for the wanted TCP ports from `semanage port -l`.

    Its rows overlap: the kernel takes the first record that matches, which semanage does not show;
    policies order them from the narrow to the wide, so the narrowest row is taken.
    """
    ranges = []
    for line in listing.splitlines()[:MAX_PORTS]:
        match = _PORTS.match(line.strip())
        if not match or match.group("protocol") != "tcp":
            continue
        for part in match.group("ports").split(","):
            low, _dash, high = part.strip().partition("-")
            if low.isdigit() and (high.isdigit() or not high):
                ranges.append((int(high or low) - int(low), int(low), int(high or low), match.group("type")))
    ranges.sort(key=lambda row: row[0])
    found = {}
    for port in wanted:
        row = next((row for row in ranges if row[1] <= port <= row[2]), None)
        if row:
            found[str(port)] = {"type": text.harmless(row[3]), "low": row[1], "high": row[2], "local": None}
    return found
