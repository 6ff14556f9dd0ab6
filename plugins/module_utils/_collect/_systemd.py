# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units that can stand behind an endpoint: the UNIT shape of docs/architecture.md.

Asked: one `systemctl list-units` for the loaded service and socket units; one `systemctl show` of those
that may be told, and of those unit files that an administrator or a server package put there (a stopped
and disabled unit is not loaded, so it must be named); and one `journalctl` for the last lines of those
that are down. To be shown, a unit costs systemd some fifty times what it costs to be listed. Property
names: systemctl(1), org.freedesktop.systemd1(5).

This module is private to the collection.
"""

import json
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _claims
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _server_logs

ASKED = "systemctl list-units, systemctl show, journalctl -n"

MAX_UNITS = 500
MAX_NAMED = 400
MAX_LOADED = 1000
MAX_SHOW = 16 << 20
MAX_AFTER = 20
JOURNAL_UNITS = 8
# A trace of Node or Java, below the error that it is of, is longer than twenty.
JOURNAL_LINES = 40
JOURNAL_OF_MANAGER = 3
JOURNAL_WINDOW = 400

_PROPERTIES = (
    "Id", "Description", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "Type", "MainPID", "ExecMainCode",
    "ExecMainStatus", "NRestarts", "Restart", "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic",
    "StateChangeTimestampMonotonic", "ActiveExitTimestampMonotonic", "User", "Group", "PrivateTmp", "WorkingDirectory", "ExecStart",
    "FragmentPath", "Environment", "EnvironmentFiles", "Triggers", "Listen", "ControlGroup", "MemoryMax", "MemoryLimit", "StandardError", "After",
    "Requires", "Wants", "ActiveEnterTimestampMonotonic", "RuntimeDirectory",
)
_PROPERTY = re.compile("^(" + "|".join(_PROPERTIES) + ")=(.*)$", re.DOTALL)
# siginfo.h: si_code of SIGCHLD.
_CODES = {"1": "exited", "2": "killed", "3": "dumped", "4": "trapped", "5": "stopped", "6": "continued"}
# "infinity" is printed as the largest number by old versions.
_NO_LIMIT = 1 << 62
# Of version 2, then 1: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
_MEMORY_FILES = (("/sys/fs/cgroup", "memory.events", "memory.peak"), ("/sys/fs/cgroup/memory", "memory.oom_control", "memory.max_usage_in_bytes"))
_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=", re.DOTALL)

_OWN_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/transient", "/run/systemd/generator.late")
_PACKAGE_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system")
_UNIT_FILE = re.compile(r"^[A-Za-z0-9:_.@\\-]{1,250}\.(?:service|socket)$")
_SERVER = re.compile(
    r"^(?:php[\d.-]*-?fpm|php\d+-php-fpm|gunicorn|uwsgi|uvicorn|puma|unicorn|passenger|node|nodejs|pm2|supervisor|supervisord|tomcat|jetty|wildfly|jenkins|"
    r"apache2|httpd|lighttpd|caddy|traefik|haproxy|varnish|hitch|fcgiwrap|spawn-fcgi|memcached|redis|redis-server|docker|containerd|podman|"
    r"autossh|stunnel|stunnel4|cloudflared|grafana|"
    r"grafana-server|prometheus|gitea|gitlab|keycloak|nexus|sonarqube|kibana|elasticsearch|minio|vault|consul|matrix-synapse|mattermost)"
    r"(?:[-@.].*)?\.(?:service|socket)$"
)
_PLUMBING = re.compile(
    r"^(?:systemd-|dbus|getty|serial-getty|console-getty|container-getty|user@|user-runtime-dir@|polkit|cron|anacron|atd|rsyslog|syslog|ssh[.@]|sshd|udev|apt-|"
    r"dpkg-|e2scrub|fstrim|logrotate|man-db|networking|NetworkManager|ModemManager|ifup@|keyboard|console-setup|kmod|"
    r"modprobe@|plymouth|rc-local|rescue|emergency|"
    r"initrd|quota|unattended-|snapd|multipathd|lvm2|dm-event|blk-availability|accounts-daemon|packagekit|fwupd|udisks2|upower|colord|wpa_supplicant|avahi|"
    r"cloud-|chrony|ntp|auditd|firewalld|ufw|nftables|iptables|apparmor|selinux|tuned|irqbalance|rpcbind|nfs-|rpc-|gssproxy|sssd|nscd|rngd|kdump|"
    r"dnf-|yum-|raid-check|mdmonitor|smartd|qemu-guest|vmtoolsd|open-vm|vgauth|hv-|iscsi|pcscd|uuidd|debug-shell|autovt@|ctrl-alt-del|"
    r"display-manager|mail-transport)"
)


def units(host, redactor, clock=time.monotonic):
    """Return the UNITs worth showing as a Partial; raises Unanswered "absent" where systemd does not run.

    Shown are the units that an administrator made, those of known servers, those that claim an
    endpoint, and whatever failed or waits for its next start. A socket unit has the claims of its
    Listen lines, and so has the service that it starts. command is the first ExecStart, split at
    white space, which is how systemctl prints it. Lines of the journal are told for units that are
    down. started, exited and changed are null when it never happened.
    """
    if not host.exists("/run/systemd/system"):
        raise evidence.Unanswered(evidence.ABSENT, "systemd does not run here")
    own, named = _unit_files(host)
    listed = host.run(["systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", "--type=service,socket"], timeout=20)
    loaded = parse_list(text.decode(listed.out))
    if not loaded:
        raise _silent("systemctl list-units", listed)
    asked = [name for name, load, active, sub in loaded if load != "not-found" and (_is_stuck(active, sub) or not _PLUMBING.match(name))]
    # Without any name it would show systemd itself, so that the first unit is always among them.
    names = list(dict.fromkeys([loaded[0][0]] + asked[:MAX_LOADED] + named[:MAX_NAMED]))
    output = host.run(["systemctl", "show", "--all", "--no-pager", "--property=" + ",".join(_PROPERTIES), "--"] + names, timeout=20, limit=MAX_SHOW)
    records = parse_show(text.decode(output.out))
    if not records:
        raise _silent("systemctl show", output)
    booted = host.now() - clock()
    found = _worth_showing(host, records, own, booted, redactor)
    hidden = []
    _add_journal(host, redactor, found, hidden)
    truncated = listed.truncated or output.truncated or len(asked) > MAX_LOADED or len(named) > MAX_NAMED or len(found) > MAX_UNITS
    return evidence.Partial(found[:MAX_UNITS], truncated, hidden)


def _silent(asked, output):
    why = text.harmless(text.decode(output.err).strip(), 300) or "no units"
    return evidence.Unanswered(evidence.DENIED if "denied" in why else evidence.ERROR, "{0}: {1}".format(asked, why))


def _is_stuck(active, sub):
    return active == "failed" or sub == "auto-restart"


def _unit_files(host):
    """Return (names that an administrator put there, names to ask for besides the loaded units)."""
    own = set()
    for folder in _OWN_FOLDERS:
        names = _names(host, folder)
        own.update(name for name in names if _UNIT_FILE.match(name))
        for wants in (name for name in names if name.endswith(".wants")):
            # Instances of templates exist as links alone.
            own.update(name for name in _names(host, folder + "/" + wants) if _UNIT_FILE.match(name) and "@" in name)
    packaged = {name for folder in _PACKAGE_FOLDERS for name in _names(host, folder) if _UNIT_FILE.match(name) and _SERVER.match(name)}
    named = sorted(name for name in own | packaged if "@." not in name and not _PLUMBING.match(name))
    return own, named


def _names(host, folder):
    try:
        return host.names(folder)
    except evidence.Unanswered:
        return []


def parse_list(listed):
    """Return [(name, load, active, sub)] of `systemctl list-units`; a line may begin with a mark."""
    found = []
    for line in listed.split("\n"):
        words = line.split()
        if words and not _UNIT_FILE.match(words[0]):
            words = words[1:]
        if len(words) > 3 and _UNIT_FILE.match(words[0]):
            found.append(tuple(words[:4]))
    return found


def parse_show(shown):
    """Return {Id: {property: value}} of `systemctl show`; lines of a repeated property are joined.

    A line that names no property belongs to the value before it: an argument may hold newlines.
    """
    records, record, last = {}, {}, None
    for line in shown.split("\n") + [""]:
        match = _PROPERTY.match(line)
        if match:
            last, value = match.groups()
            record[last] = record[last] + "\n" + value if last in record else value
        elif line == "":
            if "Id" in record:
                records.setdefault(record["Id"], record)
                record, last = {}, None
        elif last:
            record[last] += "\n" + line
    return records


def _worth_showing(host, records, own, booted, redactor):
    claims = {name: _claims_of(host, record) for name, record in records.items() if not _PLUMBING.match(name)}
    _share_socket_claims(records, claims)
    found = []
    for name, record in sorted(records.items()):
        if record.get("LoadState") == "not-found":
            continue
        down = _is_stuck(record.get("ActiveState"), record.get("SubState"))
        made_here = name in own or record.get("FragmentPath", "").startswith("/etc/systemd/system/")
        plumbing = bool(_PLUMBING.match(name))
        if down or not plumbing and (made_here or _SERVER.match(name) or claims[name].items):
            found.append(_unit(host, record, claims.get(name), booted, redactor))
    return found


def _share_socket_claims(records, claims):
    """Give each service the claims of the socket units that start it."""
    for name in list(claims):
        if name.endswith(".socket"):
            for service in records[name].get("Triggers", "").split():
                if service in claims:
                    for claim in claims[name].items:
                        claims[service].add(claim["endpoint"], "{0} {1}".format(name, claim["from"]))


def _claims_of(host, record):
    claims = _claims.Claims()
    for line in record.get("Listen", "").split("\n"):
        address, _space, kind = line.rpartition(" ")
        if kind == "(Stream)":
            claims.add(_claims.endpoint_of(address), "ListenStream")
    folder = working_directory(record)
    variables = _variables(host, record, claims, folder)
    for argv in _commands(record):
        argv = [_expanded(word, variables) for word in argv]
        _claims.from_argv(claims, argv, "ExecStart", folder)
        _claims.from_files(claims, host, argv, folder)
        if argv[0].endswith("/uwsgi") and record["Id"].startswith("uwsgi"):
            _add_debian_uwsgi(claims, host)
    if record["Id"] == "uwsgi.service" and not claims.items:
        _add_debian_uwsgi(claims, host)
    return claims


def working_directory(record):
    """Return a unit's working directory; a leading "!" or "-" is no part of the path."""
    return record.get("WorkingDirectory", "").lstrip("!-") or "/"


def _commands(record):
    """Return the argument lists of ExecStart={ path=... ; argv[]=/usr/bin/node /srv/app.js ; ... }."""
    return [argv.split() for argv in _ARGV.findall(record.get("ExecStart", "")) if argv.strip()]


def _variables(host, record, claims, folder):
    """Add the claims of a unit's environment and return the variables that may hold one."""
    inline = dict(_pairs(_claims.split(record.get("Environment", ""))))
    _claims.from_environment(claims, inline, "Environment", folder)
    variables = dict(inline)
    for line in record.get("EnvironmentFiles", "").split("\n"):
        path = line.rpartition(" (")[0] or line
        if not path.startswith("/"):
            continue
        try:
            content = text.decode(host.read(path, _claims.MAX_FILE)[0])
        except (evidence.Unanswered, OSError):
            continue
        words = [line.strip() for line in content.split("\n") if not line.lstrip().startswith(("#", ";"))]
        read = {name: value.strip().strip("\"'") for name, value in _pairs(words)}
        _claims.from_environment(claims, read, path, folder)
        variables.update(read)
    return variables


def _pairs(words):
    """Yield (name, value) of the assignments that may hold a claim; the others are not kept."""
    for word in words:
        name, equals, value = word.partition("=")
        if equals and _claims.is_environment_name(name.strip()):
            yield name.strip(), value


def _expanded(word, variables):
    """Put the variables that may hold a claim into a word, as systemd does: $NAME alone, ${NAME} anywhere."""
    if word.startswith("$") and word[1:] in variables:
        return variables[word[1:]]
    return re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match.group(1), match.group()), word)


def _add_debian_uwsgi(claims, host):
    """Add the applications of Debian's uwsgi package, which listen at a place of its own too.

    /usr/share/uwsgi/conf/default.ini: socket = /run/uwsgi/%(deb-confnamespace)/%(deb-confname)/socket
    """
    folder = "/etc/uwsgi/apps-enabled"
    for name in _names(host, folder)[:_claims.MAX_FILES]:
        path = folder + "/" + name
        claims.add("unix:/run/uwsgi/app/{0}/socket".format(name.rpartition(".")[0]), path)
        _claims.from_file(claims, host, path)


def _unit(host, record, claims, booted, redactor):
    commands = _commands(record)
    logs = _server_logs.paths(host, commands[0] if commands else (), working_directory(record))
    errors = re.match(r"^(?:file|append|truncate):(/.*)$", record.get("StandardError", ""))

    def shown(name, limit=1024):
        return text.harmless(record.get(name, ""), limit)

    return {
        "name": shown("Id"),
        "description": text.harmless(redactor.text(record.get("Description", "")), 300),
        "load": shown("LoadState"),
        "active": shown("ActiveState"),
        "sub": shown("SubState"),
        "result": shown("Result"),
        "enabled": shown("UnitFileState"),
        "type": shown("Type"),
        "main_pid": _number(record.get("MainPID")) or None,
        "status": _number(record.get("ExecMainStatus")),
        "code": _CODES.get(record.get("ExecMainCode"), ""),
        "restarts": _number(record.get("NRestarts")) or 0,
        "restart": shown("Restart"),
        "started": _time(record.get("ExecMainStartTimestampMonotonic"), booted),
        "exited": _time(record.get("ExecMainExitTimestampMonotonic"), booted),
        "changed": _time(record.get("StateChangeTimestampMonotonic"), booted),
        "entered": _time(record.get("ActiveEnterTimestampMonotonic"), booted),
        "after": _dependencies(record),
        "asked_to_stop": _asked_to_stop(record),
        "user": shown("User"),
        "group": shown("Group"),
        "private_tmp": record.get("PrivateTmp") not in (None, "", "no"),
        "working_directory": shown("WorkingDirectory"),
        "runtime_directory": shown("RuntimeDirectory").split(),
        "command": _processes.shown_argv(commands[0], redactor) if commands else [],
        "fragment": shown("FragmentPath"),
        "claims": claims.items if claims else [],
        "logs": logs + ([text.harmless(errors.group(1), 1024)] if errors else []),
        "memory": _memory(host, record) if claims is not None else None,
        "journal": [],
    }


def _memory(host, record):
    """Return the memory limit and the OOM killer's count of a unit's control group, of version 2 or 1; null parts are not known."""
    group = record.get("ControlGroup", "")
    limits = [_number(record.get(name)) for name in ("MemoryMax", "MemoryLimit")]
    found = {"limit": next((limit for limit in limits if limit is not None and limit < _NO_LIMIT), None), "peak": None, "oom_kills": None}
    if not group.startswith("/") or "/../" in group + "/":
        return found
    for folder, events, peak in _MEMORY_FILES:
        try:
            lines = host.text("{0}{1}/{2}".format(folder, group, events), 4096).split("\n")
        except (evidence.Unanswered, OSError):
            continue
        found["oom_kills"] = next((_number(line.partition(" ")[2]) for line in lines if line.startswith("oom_kill ")), None)
        try:
            found["peak"] = _number(host.text("{0}{1}/{2}".format(folder, group, peak), 64).strip())
        except (evidence.Unanswered, OSError):
            pass
        break
    return found


def _asked_to_stop(record):
    """Return whether a unit left "active" before its process ended: a stop job does that, a process that ends by itself cannot.

    What was left before this process started was an earlier life of the unit.
    """
    names = ("ExecMainStartTimestampMonotonic", "ActiveExitTimestampMonotonic", "ExecMainExitTimestampMonotonic")
    started, left, ended = (_number(record.get(name)) for name in names)
    return bool(started and left and ended) and started < left < ended


def _dependencies(record):
    """Return the services and sockets that a unit is ordered after, needs or wants."""
    names = {name for key in ("After", "Requires", "Wants") for name in record.get(key, "").split()}
    return sorted(text.harmless(name, 256) for name in names if name.endswith((".service", ".socket")) and not _PLUMBING.match(name))[:MAX_AFTER]


def _number(value):
    return int(value) if value and value.isdigit() else None


def _time(microseconds, booted):
    number = _number(microseconds)
    return round(booted + number / 1e6, 2) if number else None


def _add_journal(host, redactor, found, hidden):
    """Add the last lines of the journal to the units that are down, failed ones first."""
    down = [unit for unit in found if unit["name"].endswith(".service") and _is_down(unit)]
    down.sort(key=lambda unit: (unit["active"] == "inactive", -(unit["changed"] or 0)))
    wanted = {unit["name"]: unit for unit in down[:JOURNAL_UNITS]}
    if not wanted:
        return
    try:
        lines = _journal(host, list(wanted), JOURNAL_WINDOW)
        # One unit that talks much may leave no room for the others.
        for name in wanted:
            if len(wanted) > 1 and not lines.get(name) and sum(map(len, lines.values())) >= JOURNAL_WINDOW:
                lines.update(_journal(host, [name], JOURNAL_LINES))
    except evidence.Unanswered as error:
        hidden.append("journal: {0}".format(error.why))
        return
    for name, unit in wanted.items():
        unit["journal"] = [text.harmless(redactor.text(line), 500) for line in telling(lines.get(name, ()))]


def telling(records):
    """Return the last lines of [(of the unit itself, line)], few of which are systemd's own.

    A unit that is started again and again has five lines of systemd for each of its own.
    """
    kept, managers = [], 0
    for own, line in reversed(records):
        managers += not own
        if own or managers <= JOURNAL_OF_MANAGER:
            kept.append(line)
        if len(kept) == JOURNAL_LINES:
            break
    return kept[::-1]


def _is_down(unit):
    return _is_stuck(unit["active"], unit["sub"]) or unit["active"] in ("inactive", "activating") and unit["claims"]


def _journal(host, names, count):
    """Return {unit: [(of the unit itself, message)]}, oldest first, of the last records of some units."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=json", "-n", str(count)]
    for name in names:
        argv += ["-u", name]
    output = host.run(argv, timeout=5, limit=8 << 20)
    if output.rc != 0:
        raise evidence.Unanswered(evidence.ERROR, "journalctl: " + (text.harmless(text.decode(output.err).strip(), 300) or "failed"))
    lines = {}
    for raw in output.out.split(b"\n"):
        try:
            record = json.loads(text.decode(raw))
        except ValueError:
            continue
        if not isinstance(record, dict):
            continue
        # UNIT is the unit that systemd itself speaks about.
        name = next((record[key] for key in ("UNIT", "_SYSTEMD_UNIT") if record.get(key) in names), None)
        if name is not None:
            lines.setdefault(name, []).append(("UNIT" not in record, _message(record.get("MESSAGE"))))
    return lines


def _message(message):
    """Return MESSAGE of a record: journalctl prints bytes that are not UTF-8 as a list of numbers."""
    if isinstance(message, list):
        return text.decode(bytes(number for number in message if isinstance(number, int) and 0 <= number < 256))
    return message if isinstance(message, str) else ""
