# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux enforces on this host, what it lets nginx listen on, and what it said that it denied.

The kernel decides (see _selinux), its records are those of _selinux_denials. The policy is read only where a decision hangs on it: for a
port that nginx is to listen on and does not yet, or one that is asked about.

A port within net.ipv4.ip_local_port_range is never asked about when it is bound: selinux_socket_bind(), security/selinux/hooks.c.

This module is private to the collection.
"""

import os
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux as kernels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_denials as denials
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_labels as labels
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _selinux_policy as policies

KEY = "selinux"
ASKED = "/sys/fs/selinux, /etc/selinux, /proc/PID/attr/current, /var/log/audit/audit.log, the kernel's log and the journal"

MAX_QUESTIONS = 2000
MAX_LISTENS = 200
MAX_CONTEXTS = 2000

_PORT = re.compile(r"^port:\d{1,5}$")
_COMMAND_LENGTH = 15  # TASK_COMM_LEN without its end


def collect(host, nginx=None, listeners=None, network=None, since=None, questions=(), ports=(), paths=(), ask=None):
    """Return the `selinux` value of docs/architecture.md as a Partial.

    nginx, listeners and network are the values of those answers, None where there are none; since is the length in seconds of the
    window for denials, None for no look at the logs.
    questions are (source context, target context, class, permission), answered in `decisions` in
    their order. A target "port:3000" stands for the context of that TCP port; the decision names the
    context. ports are further TCP ports whose type is wanted; `ports` of the value has the types of
    both, and is null when types cannot be told (hidden says why). paths are (path, kind) whose label by file_contexts is wanted.
    ask(path, question bytes) -> reply bytes replaces the write to selinuxfs in tests.

    Raises Unanswered: "absent" when the kernel runs without SELinux, "error" when it cannot be asked from here.
    """
    kernels.present(host)
    kernel, hidden = kernels.Kernel(host, ask), []
    instances = (nginx or {}).get("instances", ())
    processes = _processes(instances, listeners)
    contexts = _contexts(host, processes, hidden)
    listens, truncated = _listens(host, kernel, instances, listeners, network, contexts, hidden)
    asked = [_question(*question) for question in list(questions)[:MAX_QUESTIONS]]
    checks, records, why = kernels.settle(host, listens + asked, ports, ask)
    if records is None:
        hidden.append(why)
    value = {
        "mode": "enforcing" if host.text(kernels.FOLDER + "/enforce", 64).strip() == "1" else "permissive",
        "boot": _boot(host),
        "policy": kernels.policy_name(host),
        "booleans": _booleans(host, hidden),
        "booleans_at_boot": _booleans_at_boot(host, hidden),
        "contexts": contexts,
        "permissive_domains": _permissive(kernel, contexts.values()),
        "listens": [_listen(item, listen) for item, listen in zip(checks, listens)],
        "denials": [],
        "ports": None if records is None else {port: record["type"] for port, record in records.items()},
        "records": records,
        "labels": _labels(host, paths, hidden),
        "decisions": [_decision(item, hidden) for item in checks[len(listens):]],
    }
    value["decisions"] = [decision for decision in value["decisions"] if decision]
    if since is not None:
        value["denials"], cut = denials.collect(host, host.now() - since, _commands(instances), hidden)
        truncated = truncated or cut
    return evidence.Partial(value, truncated or len(questions) > MAX_QUESTIONS, hidden)


def _boot(host):
    """Return the mode that the next boot has by /etc/selinux/config and the kernel's command line; "" where the former cannot be read."""
    mode = kernels.setting(host, "SELINUX").lower()
    try:
        words = host.text("/proc/cmdline", 65536).split()
    except evidence.Unanswered:
        words = []
    # The last of a word counts; libselinux (load_policy.c) lets the command line have its way.
    for word in words:
        if word == "selinux=0":
            return "disabled"
        if word in ("enforcing=0", "enforcing=1") and mode != "disabled":
            mode = "enforcing" if word.endswith("1") else "permissive"
    return mode if mode in ("enforcing", "permissive", "disabled") else ""


def _booleans(host, hidden):
    """Return {name: value in force}. A boolean's file is "current pending"."""
    found, failed = {}, 0
    for name in host.names(kernels.FOLDER + "/booleans"):
        try:
            found[text.harmless(name)] = host.text("{0}/booleans/{1}".format(kernels.FOLDER, name), 64).split()[0] == "1"
        except (evidence.Unanswered, OSError, IndexError):
            failed += 1
    if failed:
        hidden.append("{0} SELinux booleans could not be read".format(failed))
    return found


def _booleans_at_boot(host, hidden):
    """Return {name: value after the next boot}, or None: setsebool -P writes them into the policy that is loaded then."""
    try:
        newest = int(host.text(kernels.FOLDER + "/policyvers", 64).strip())
        return policies.at_boot(host, kernels.policy_name(host), newest)
    except (evidence.Unanswered, ValueError) as error:
        hidden.append("booleans after the next boot: {0}".format(getattr(error, "why", error)))
        return None


# --- processes

def _processes(instances, listeners):
    """Return the ids of nginx's processes and of those behind listeners, in that order."""
    pids = [process["pid"] for instance in instances for process in ([instance["master"]] if instance["master"] else []) + instance["workers"]]
    for kind in ("tcp", "unix"):
        pids += [owner["pid"] for listener in (listeners or {}).get(kind, ()) for owner in listener["owners"]]
    return list(dict.fromkeys(pids))[:MAX_CONTEXTS]


def _contexts(host, pids, hidden):
    found, denied = {}, 0
    for pid in pids:
        try:
            found[str(pid)] = text.harmless(kernels.process_context(host, pid), 300)
        except (evidence.Unanswered, OSError) as error:
            denied += getattr(error, "status", evidence.ERROR) != evidence.ABSENT
    if denied:
        hidden.append("the contexts of {0} processes could not be read".format(denied))
    return found


def _permissive(kernel, contexts):
    found = set()
    for context in set(contexts):
        try:
            if kernel.permissive(context):
                found.add(kernels.type_of(context))
        except evidence.Unanswered:
            continue
    return sorted(found)


def _commands(instances):
    """Return the names that the processes of an nginx have: those of its programs."""
    programs = [instance["master"]["exe"] for instance in instances if instance["master"]] + [instance["binary"] for instance in instances]
    return {"nginx"} | {os.path.basename(program)[:_COMMAND_LENGTH] for program in programs if program}


# --- listens

def _listens(host, kernel, instances, listeners, network, contexts, hidden):
    """Return (the checks for the TCP listens of the files that no process of their nginx holds, whether some were left out)."""
    checks, truncated = [], False
    for instance in instances:
        wanted = sorted(passes.listens(instance) - _held(instance, listeners))
        if not wanted:
            continue
        try:
            source = _source(host, kernel, instance, contexts)
        except evidence.Unanswered as error:
            hidden.append("{0}: in which context nginx listens cannot be told: {1}".format(instance["id"], error.why))
            continue
        truncated = truncated or len(wanted) > MAX_LISTENS
        for port in wanted[:MAX_LISTENS]:
            item = kernels.check(source, "tcp_socket", "name_bind", port=port)
            item["instance"] = instance["id"]
            item["free"] = _free(host, port, (network or {}).get(instance["id"]))
            checks.append(item)
    return checks, truncated


def _held(instance, listeners):
    """Return the TCP ports that processes of an nginx listen on."""
    pids = {process["pid"] for process in ([instance["master"]] if instance["master"] else []) + instance["workers"]}
    return {listener["port"] for listener in (listeners or {}).get("tcp", ()) if pids & {owner["pid"] for owner in listener["owners"]}}


def _source(host, kernel, instance, contexts):
    """Return the context of a master, or that in which systemd would start the program."""
    if instance["master"]:
        if str(instance["master"]["pid"]) not in contexts:
            raise evidence.Unanswered(evidence.DENIED, "the context of its master could not be read")
        return contexts[str(instance["master"]["pid"])]
    if not instance["binary"]:
        raise evidence.Unanswered(evidence.ABSENT, "it does not run, and its program is not known")
    try:
        label = text.decode(os.getxattr(host.path(os.path.realpath(host.path(instance["binary"]))), "security.selinux")).rstrip("\0")
    except OSError as error:
        raise evidence.unanswered_by(error, instance["binary"])
    return kernel.started(kernels.process_context(host, 1), label)


def _free(host, port, network):
    """Return whether the kernel asks nobody about binding to a port: one of those that connections are given."""
    ports = (network or {}).get("ports")
    if ports is None:
        return False
    try:
        lowest = int(host.text("/proc/sys/net/ipv4/ip_unprivileged_port_start", 64).strip())
    except (evidence.Unanswered, ValueError):
        lowest = 1024
    return max(ports["first"], lowest) <= port <= ports["last"]


def _listen(item, listen):
    """Return a LISTEN of docs/architecture.md of a check that is settled, and as it was before."""
    free = listen["free"]
    return {
        "instance": listen["instance"], "port": item["port"], "protocol": "tcp", "type": item["port_type"], "record": item["record"], "local": item["local"],
        "source": item["source"], "allowed": True if free else item["allowed"], "permissive": item["permissive"],
        "booleans": [] if free else item["booleans"], "why": text.harmless(item["why"], 500), "labels": [] if free else item["labels"],
    }


# --- what a module's user asks

def _question(source, target, name, permission):
    if _PORT.match(target):
        return kernels.check(source, name, permission, port=int(target[5:]))
    return kernels.check(source, name, permission, target)


def _decision(item, hidden):
    target = item["target"] or "port:{0}".format(item["port"])
    if item["allowed"] is None:
        hidden.append(text.harmless("decision {0} {1} {2} {3}: {4}".format(item["source"], target, item["class"], item["permission"], item["why"]), 500))
        return None
    shown = {name: item[name] for name in ("class", "permission", "allowed", "permissive", "booleans", "labels")}
    return dict(shown, source=text.harmless(item["source"]), target=text.harmless(target))


def _labels(host, paths, hidden):
    if not paths:
        return {}
    try:
        contexts = labels.FileContexts(host, kernels.policy_name(host))
    except evidence.Unanswered as error:
        hidden.append("labels of paths: {0}".format(error.why))
        return {}
    return {path: text.harmless(contexts.expected(path, kind), 300) for path, kind in paths}
