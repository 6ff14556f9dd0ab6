# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux enforces on this host, and what it would decide.

Asked of the kernel through selinuxfs (security/selinux/selinuxfs.c): its mode, booleans and classes, and
its decisions. A decision is asked for by a write to `access`, which is a question (AVC computation) and
changes nothing. The names of ports come from semanage, because the kernel does not tell them.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

KEY = "selinux"
ASKED = "/sys/fs/selinux, /etc/selinux/config, semanage port -l"

MAX_QUESTIONS = 2000
MAX_PORTS = 70000

_FOLDER = "/sys/fs/selinux"
# user:role:type[:level]; the kernel splits the question at spaces.
_CONTEXT = re.compile(r"^[A-Za-z0-9_.]+:[A-Za-z0-9_.]+:[A-Za-z0-9_.]+(?::[A-Za-z0-9_.,:-]+)?$")
_PORT = re.compile(r"^port:\d{1,5}$")
_NAME = re.compile(r"^[a-z0-9_]+$")
_POLICY = re.compile(r"^\s*SELINUXTYPE\s*=\s*([A-Za-z0-9_-]+)\s*$", re.MULTILINE)
_PORTS = re.compile(r"^(?P<type>\S+)\s+(?P<protocol>tcp|udp|sctp|dccp)\s+(?P<ports>[\d, -]+)$")


def collect(host, questions=(), ports=(), ask=None):
    """Return the `selinux` value of docs/architecture.md as a Partial.

    questions are (source context, target context, class, permission), answered in `decisions` in
    their order. A target "port:3000" stands for the context of that TCP port; the decision names the
    context. ports are further TCP ports whose type is wanted; `ports` of the value has the types of
    both, and is null when types cannot be told (hidden says why).
    ask(path, question bytes) -> reply bytes replaces the write to selinuxfs in tests.

    Raises Unanswered: "absent" when the kernel runs without SELinux.
    """
    ask = ask or transact
    questions = list(questions)
    ports = set(ports) | {int(question[1][5:]) for question in questions if _PORT.match(question[1])}
    if not host.exists(_FOLDER + "/enforce"):
        raise evidence.Unanswered(evidence.ABSENT, "the kernel runs without SELinux")
    hidden = []
    value = {
        "mode": "enforcing" if host.text(_FOLDER + "/enforce", 64).strip() == "1" else "permissive",
        "policy": _policy(host),
        "booleans": _booleans(host, hidden),
        "ports": _port_types(host, ports, hidden),
        "decisions": [],
    }
    numbers = {}
    for question in questions[:MAX_QUESTIONS]:
        decision = _decision(host, _with_context(question, value["ports"]), numbers, ask, hidden)
        if decision:
            value["decisions"].append(decision)
    return evidence.Partial(value, len(questions) > MAX_QUESTIONS, hidden)


def transact(path, question):
    """Write a question to a transaction file of selinuxfs and return the reply; raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(descriptor, question)
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _policy(host):
    """Return the policy's name, such as "targeted"; "" when the configuration does not tell it."""
    try:
        match = _POLICY.search(host.text("/etc/selinux/config", 65536))
    except evidence.Unanswered:
        return ""
    return match.group(1) if match else ""


def _booleans(host, hidden):
    """Return {name: value in force}. A boolean's file is "current pending"."""
    found, failed = {}, 0
    for name in host.names(_FOLDER + "/booleans"):
        try:
            found[text.harmless(name)] = host.text("{0}/booleans/{1}".format(_FOLDER, name), 64).split()[0] == "1"
        except (evidence.Unanswered, OSError, IndexError):
            failed += 1
    if failed:
        hidden.append("{0} SELinux booleans could not be read".format(failed))
    return found


def _port_types(host, ports, hidden):
    wanted = sorted(set(ports))
    if not wanted:
        return {}
    try:
        output = host.run(["semanage", "port", "-l", "-n"], timeout=20, limit=4 << 20)
    except evidence.Unanswered as error:
        hidden.append("types of ports: {0}".format(error.why))
        return None
    if output.rc != 0:
        hidden.append("types of ports: semanage: {0}".format(text.harmless(text.decode(output.err).strip(), 300) or "failed"))
        return None
    return port_types(text.decode(output.out), wanted)


def port_types(listing, wanted):
    """Return {port: type} for the wanted TCP ports from `semanage port -l`.

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
        kind = next((row[3] for row in ranges if row[1] <= port <= row[2]), None)
        if kind:
            found[str(port)] = text.harmless(kind)
    return found


def _with_context(question, types):
    """Put the context of a port in the place of "port:3000"; a port of unknown type stays as it is."""
    source, target, name, permission = question
    if _PORT.match(target) and (types or {}).get(target[5:]):
        # A policy without levels knows contexts of three fields alone.
        level = ":s0" if source.count(":") > 2 else ""
        target = "system_u:object_r:{0}{1}".format(types[target[5:]], level)
    return source, target, name, permission


def _decision(host, question, numbers, ask, hidden):
    source, target, name, permission = question
    try:
        allowed = _allowed(host, source, target, name, permission, numbers, ask)
    except (evidence.Unanswered, OSError) as error:
        why = getattr(error, "why", None) or getattr(error, "strerror", None) or "failed"
        hidden.append(text.harmless("decision {0} {1} {2} {3}: {4}".format(source, target, name, permission, why), 500))
        return None
    return {"source": text.harmless(source), "target": text.harmless(target), "class": name, "permission": permission, "allowed": allowed}


def _allowed(host, source, target, name, permission, numbers, ask):
    """Ask the kernel for one decision.

    The question is "source target class" with the class by number; the reply is "allowed decided
    auditallow auditdeny seqno flags", the vectors in hexadecimal, bit N-1 for permission N. Flag 1
    is SELINUX_AVD_FLAGS_PERMISSIVE: the domain is permissive, so nothing is refused to it.
    """
    if not (_CONTEXT.match(source) and _CONTEXT.match(target) and _NAME.match(name) and _NAME.match(permission)):
        raise evidence.Unanswered(evidence.ERROR, "not a context, class or permission, or the type of the port is unknown")
    folder = "{0}/class/{1}".format(_FOLDER, name)
    for path in (folder + "/index", folder + "/perms/" + permission):
        if path not in numbers:
            numbers[path] = int(host.text(path, 64).strip())
    number, bit = numbers[folder + "/index"], numbers[folder + "/perms/" + permission]
    fields = ask(host.path(_FOLDER + "/access"), "{0} {1} {2}".format(source, target, number).encode("ascii")).split()
    if len(fields) < 5:
        raise evidence.Unanswered(evidence.ERROR, "the kernel's reply has {0} fields".format(len(fields)))
    permissive = len(fields) > 5 and int(fields[5], 16) & 1
    return bool(permissive or int(fields[0], 16) & (1 << (bit - 1)))
