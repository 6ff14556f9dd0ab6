# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AppArmor keeps nginx from: the profile of each of its processes, and what the kernel denied under them.

The label of a process is /proc/PID/attr/apparmor/current, or attr/current where AppArmor is the only such module
(Documentation/admin-guide/LSM/apparmor.rst). A denial is an audit record (security/apparmor/audit.c): auditd has it where it
runs, otherwise the kernel's log. The logs are read only where a profile is enforced.

This module is private to the collection.
"""

import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import backend_log

KEY = "apparmor"
ASKED = "/proc/PID/attr, /dev/kmsg, /var/log/audit/audit.log"

MAX_DENIALS = 100
MAX_LOG = 1 << 20

_ENABLED = "/sys/module/apparmor/parameters/enabled"
_LABEL = re.compile(r"^(?P<profile>.*) \((?P<mode>enforce|complain|kill|prompt|mixed|unconfined)\)$", re.DOTALL)
_HINT = "apparmor=\"DENIED\""
_STAMP = re.compile(r"audit\((?P<time>\d{1,12}\.\d{1,6}):\d+\)")
# Values that hold a space or a quote are printed in hexadecimal (audit_log_untrustedstring()).
_FIELD = re.compile(r"\b(?P<name>[a-z_]+)=(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>\S+))")
_PID = re.compile(r"[0-9]{1,10}\Z")
_HEXADECIMAL = frozenset(("name", "profile", "comm", "addr", "peer_addr"))


def collect(host, nginx, since):
    """Return the `apparmor` value of docs/architecture.md as a Partial; nginx is the value of that answer, since the length of the window in seconds."""
    try:
        enabled = host.text(_ENABLED, 16).strip() == "Y"
    except evidence.Unanswered as error:
        if error.status == evidence.ABSENT:
            raise evidence.Unanswered(evidence.ABSENT, "the kernel runs without AppArmor")
        raise
    if not enabled:
        raise evidence.Unanswered(evidence.ABSENT, "the kernel runs without AppArmor")
    labels, hidden = {}, []
    for instance in nginx["instances"]:
        for process in ([instance["master"]] if instance["master"] else []) + instance["workers"]:
            try:
                labels[str(process["pid"])] = _label(host, process["pid"])
            except evidence.Unanswered as error:
                if error.status != evidence.ABSENT:
                    hidden.append("label of process {0}: {1}".format(process["pid"], error.why))
    denials = []
    if any(label["mode"] in ("enforce", "kill") for label in labels.values()):
        denials = _denials(host, {label["profile"] for label in labels.values()}, host.now() - since, hidden)
    return evidence.Partial({"labels": labels, "denials": denials[-MAX_DENIALS:]}, len(denials) > MAX_DENIALS, hidden)


def _label(host, pid):
    for name in ("apparmor/current", "current"):
        try:
            return parse_label(text.decode(host.read("/proc/{0}/attr/{1}".format(pid, name), 4096)[0]))
        except evidence.Unanswered as error:
            failure = error
        except OSError as error:
            failure = evidence.unanswered_by(error, "/proc/{0}/attr".format(pid))
    raise failure


def parse_label(shown):
    """Return {"profile", "mode"} of "nginx (enforce)" or "unconfined"."""
    shown = shown.rstrip("\0\n")
    match = _LABEL.match(shown)
    if match is None:
        return {"profile": text.harmless(shown, 300), "mode": "unconfined"}
    return {"profile": text.harmless(match.group("profile"), 300), "mode": match.group("mode")}


def _denials(host, profiles, begin, hidden):
    """Return the denials under some profiles since a moment, the oldest first, those that are alike once."""
    lines = []
    booted = host.now() - time.clock_gettime(time.CLOCK_MONOTONIC)
    try:
        found, _whole = backend_log.ring(host, booted, _HINT)
        lines += [line for _moment, line in found]
    except evidence.Unanswered as error:
        hidden.append("the kernel's log: {0}".format(error.why))
    try:
        lines += text.decode(host.tail("/var/log/audit/audit.log", MAX_LOG)).split("\n")
    except evidence.Unanswered as error:
        if error.status != evidence.ABSENT:
            hidden.append("/var/log/audit/audit.log: {0}".format(error.why))
    kept = {}
    for line in lines:
        denial = parse_denial(line)
        if denial and denial["profile"] in profiles and denial["time"] >= begin:
            key = tuple(denial[name] for name in ("profile", "operation", "name", "family", "denied"))
            first = kept.setdefault(key, dict(denial, count=0, first=denial["time"]))
            first.update(count=first["count"] + 1, time=max(first["time"], denial["time"]), first=min(first["first"], denial["time"]), pid=denial["pid"])
    return sorted(kept.values(), key=lambda denial: denial["time"])


def parse_denial(line):
    """Return a denial of a line of the kernel's log or of auditd, or None when it holds none."""
    stamp = _STAMP.search(line)
    if _HINT not in line or stamp is None:
        return None
    fields = {match.group("name"): _value(match) for match in _FIELD.finditer(line)}
    return {
        "time": float(stamp.group("time")),
        "profile": text.harmless(fields.get("profile", ""), 300),
        "operation": text.harmless(fields.get("operation", ""), 64),
        "name": text.harmless(fields.get("name") or fields.get("addr") or "", 1000),
        "family": text.harmless(fields.get("family", ""), 32),
        "denied": text.harmless(fields.get("denied_mask", "") or fields.get("denied", ""), 64),
        "comm": text.harmless(fields.get("comm", ""), 64),
        "pid": int(fields["pid"]) if _PID.match(fields.get("pid", "")) else None,
    }


def _value(match):
    if match.group("quoted") is not None:
        return match.group("quoted")
    bare = match.group("bare")
    if match.group("name") in _HEXADECIMAL and re.match(r"(?:[0-9A-F]{2})+\Z", bare):
        return text.decode(bytes.fromhex(bare))
    return bare
