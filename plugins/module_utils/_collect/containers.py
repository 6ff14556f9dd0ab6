# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a host and their networks, as each container engine tells them: Docker, and Podman over its compatible socket.

Environment variables are never taken. Of the labels only those of Compose are.

Sources: Docker's api/swagger.yaml; Compose's pkg/api/labels.go; Podman's pkg/api/handlers/compat.

This module is private to the collection.
"""

import calendar
import hashlib
import os
import re
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _compose_text as compose_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _managed as managed
from ansible_collections.webops.bad_gateway.plugins.module_utils import _processes
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _engine_api as engine_api

KEY = "containers"
ASKED = "the APIs of Docker and Podman over their sockets"

MAX_ENGINES = 16
ENGINES_SECONDS = 60.0  # for all of them: each user may have one that is slow
MAX_CONTAINERS = 300
MAX_NETWORKS = 200
MAX_ITEMS = 64
MAX_INSPECTED = 2 << 20
MAX_COMPOSE_FILES = 32
MAX_COMPOSE_FILE = 64 << 10
SLOW = 2  # answers about single containers that may be late before no more are asked for
MAX_TALKERS = 12  # containers whose last lines are asked for
WORDS = 40
WORDS_BYTES = 256 << 10
HEALTH_ENTRIES = 3
HEALTH_LENGTH = 300

_ID = re.compile(r"[0-9a-f]{64}\Z")
_PORT = re.compile(r"([0-9]{1,5})/(tcp|udp|sctp)\Z")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_STATES = frozenset(("created", "running", "paused", "restarting", "removing", "exited", "dead"))
# Podman's own words for the same.
_SAME_STATE = {"configured": "created", "initialized": "created", "stopped": "exited", "stopping": "running", "unknown": "dead"}
_WITH_ADDRESS = ("running", "paused")
_DOWN = ("exited", "restarting", "dead")
_ALIVE = ("running", "restarting", "paused")
# Of control groups version 2, then 1: their file of events. As _systemd.py has them for units.
_EVENTS = (("/sys/fs/cgroup", "", "memory.events", "memory.peak"), ("/sys/fs/cgroup/memory", "memory", "memory.oom_control", "memory.max_usage_in_bytes"))


def collect(host, redactor, processes):
    """Return the `containers` value of docs/architecture.md as a Partial; Unanswered (absent) without any engine.

    processes is what _processes.scan() found. One engine that does not answer leaves the others' containers in the
    value: its entry says so, and that there may be more containers than are told.
    """
    collector = _Collector(host, redactor, processes)
    sockets = engine_api.sockets(host, collector.hidden)
    for path, holders in sockets[:MAX_ENGINES]:
        collector.engine(path, holders)
    if not collector.engines:
        raise evidence.Unanswered(evidence.ABSENT, "no container engine: no socket of Docker or Podman")
    value = {
        "engines": collector.engines, "containers": collector.containers, "networks": collector.networks, "compose_files": collector.compose_files(),
    }
    return evidence.Partial(value, collector.truncated or len(sockets) > MAX_ENGINES, collector.hidden)


def mark(processes, value):
    """Tell of the processes in which container they are, where their control groups do not: without root, Podman may have none.

    Below that of his own manager a user makes control groups of any name: they are in no container of root's engine. value is that of
    collect(), or None.
    """
    told = (value or {}).get("containers", ())
    of_root = {engine["socket"] for engine in (value or {}).get("engines", ()) if engine["uid"] == 0}
    of_root = {container["id"] for container in told if container["engine"] in of_root}
    for process in processes:
        if process.unit.startswith("user@") and process.container in of_root:
            process.container = ""
    inside = {}
    for container in told:
        first = processes.get(container["pid"]) if container["net"] else None
        if first is not None and not first.container and first.mnt not in ("", processes.mnt):
            inside[first.mnt] = container["id"]
    for process in processes:
        if not process.container:
            process.container = inside.get(process.mnt, "")


class _Collector:
    def __init__(self, host, redactor, processes):
        self.host = host
        self.redactor = redactor
        self.processes = processes
        self.engines = []
        self.containers = []
        self.networks = []
        self.hidden = []
        self.truncated = False
        self.end = time.monotonic() + ENGINES_SECONDS

    def engine(self, path, holders):
        """Ask the engine behind a socket."""
        api = engine_api.Engine(self.host.path(path), holders, seconds=min(engine_api.SECONDS, self.end - time.monotonic()))
        told = {"socket": path, "kind": "podman" if "podman" in path else "docker", "version": "", "api": "", "uid": None, "status": evidence.OK, "why": ""}
        self.engines.append(told)
        try:
            engine_api.check_runs(self.host, path, holders)
            api.introduce()
            told.update(kind=api.kind, version=api.version, api=api.api, uid=api.uid)
            self._containers(api, path)
            self._networks(api, path)
            self._join(path)
        except evidence.Unanswered as error:
            told.update(status=error.status, why=text.harmless(error.why, 300))
        finally:
            api.close()

    # --- containers

    def _containers(self, api, path):
        listed = [entry for entry in _list(api.get("/containers/json?all=1")) if _ID.match(_str(entry, "Id"))]
        listed.sort(key=lambda entry: (_state(_str(entry, "State")) not in _ALIVE, -(_int(entry, "Created") or 0)))
        if len(listed) > MAX_CONTAINERS:
            self.truncated = True
            self.hidden.append("{0}: {1} containers, {2} looked into".format(path, len(listed), MAX_CONTAINERS))
        slow, talkers = 0, 0
        for entry in listed[:MAX_CONTAINERS]:
            shown = self._listed(path, entry)
            try:
                if slow >= SLOW:
                    raise evidence.Unanswered(evidence.TIMEOUT, "not asked about: answers about others were late")
                self._inspected(api, shown, _dict(api.get("/containers/{0}/json".format(shown["id"]), limit=MAX_INSPECTED)))
                if shown["state"] in _DOWN and shown["exit_code"] != 0 and talkers < MAX_TALKERS:
                    talkers += 1
                    shown["words"] = self._words(api, shown["id"])
            except evidence.Unanswered as error:
                slow += error.status == evidence.TIMEOUT
                if error.status == evidence.ABSENT:
                    # Removed since it was listed.
                    continue
                shown.update(status=error.status, why=text.harmless(error.why, 300))
                self.hidden.append("container {0}: {1}".format(shown["name"], shown["why"]))
            self.containers.append(shown)

    def _listed(self, path, entry):
        """Return what the list tells of a container: enough to know that it is there."""
        names = [name.lstrip("/") for name in entry.get("Names") or () if isinstance(name, str)] if isinstance(entry.get("Names"), list) else []
        # A link of another container gives it a further name, "other/name".
        name = next((name for name in names if "/" not in name), "")
        mode = _str(_dict(entry.get("HostConfig")), "NetworkMode")
        ports = [port for port in _list(entry.get("Ports")) if _int(port, "PublicPort")]
        return {
            "engine": path, "id": _str(entry, "Id"), "name": _shown(name), "image": _shown(_str(entry, "Image")), "status": evidence.OK, "why": "",
            "state": _state(_str(entry, "State")), "exit_code": None, "oom_killed": None, "error": "", "restarts": None, "restart_policy": "",
            "health": "", "healthcheck": None, "health_log": [], "created": _float(_int(entry, "Created")), "started": None, "finished": None,
            "pid": None, "net": "", "network_mode": _shown(mode), "networks": _networks_of(entry, _state(_str(entry, "State"))),
            "published": [_publish(_int(port, "PrivatePort"), _str(port, "Type"), _str(port, "IP"), _int(port, "PublicPort")) for port in ports[:MAX_ITEMS]],
            "exposed": [], "compose": _compose(_dict(entry.get("Labels"))), "mounts": _mounts(entry), "log_driver": "", "log_path": "", "terminal": None,
            "command": [], "memory": None, "words": None,
        }

    def _process(self, api, pid, container):
        """Return the Process that an engine says is the first one of a container; None where it cannot be."""
        process = self.processes.get(pid) if pid else None
        if process is None or process.container not in ("", container):
            # The engine may count processes from elsewhere.
            return None
        if api.uid != 0:
            # What a user runs in containers is in a user namespace. Any other process is not the user's to speak for.
            try:
                if self.host.link("/proc/{0}/ns/user".format(pid)) == self.host.link("/proc/self/ns/user"):
                    return None
            except evidence.Unanswered:
                return None
        return process

    def _inspected(self, api, shown, said):
        """Put what the engine tells of one container into what the list told."""
        state, config, settings = _dict(said.get("State")), _dict(said.get("Config")), _dict(said.get("HostConfig"))
        health = _dict(state.get("Health") or state.get("Healthcheck"))
        policy, log = _dict(settings.get("RestartPolicy")), _dict(settings.get("LogConfig"))
        network = _dict(said.get("NetworkSettings"))
        running = _state(_str(state, "Status")) or shown["state"]
        pid = _int(state, "Pid") or None
        process = self._process(api, pid, shown["id"])
        check = _dict(config.get("Healthcheck")).get("Test")
        shown.update(
            name=_shown(_str(said, "Name").lstrip("/")) or shown["name"],
            image=_shown(_str(config, "Image")) or shown["image"],
            state=running,
            exit_code=_int(state, "ExitCode"),
            oom_killed=_bool(state, "OOMKilled"),
            error=text.harmless(self.redactor.text(_str(state, "Error", 4096)), 500),
            restarts=_int(said, "RestartCount") or 0,
            restart_policy=_shown(_str(policy, "Name")) or "no",
            health=_health(_str(health, "Status")),
            healthcheck=isinstance(check, list) and bool(check) and check[:1] != ["NONE"],
            health_log=[self._health_entry(entry) for entry in _list(health.get("Log"))[-HEALTH_ENTRIES:]],
            created=moment(_str(said, "Created")),
            started=moment(_str(state, "StartedAt")),
            finished=moment(_str(state, "FinishedAt")),
            pid=pid,
            net=process.net if process is not None else "",
            network_mode=_shown(_str(settings, "NetworkMode")) or shown["network_mode"],
            networks=_networks_of(said, running),
            published=_published(_dict(network.get("Ports")) if running in _WITH_ADDRESS else _dict(settings.get("PortBindings"))),
            exposed=sorted({port for port, protocol in map(_port, _dict(config.get("ExposedPorts"))) if protocol == "tcp"})[:MAX_ITEMS],
            compose=_compose(_dict(config.get("Labels"))),
            mounts=_mounts(said),
            log_driver=_shown(_str(log, "Type")),
            log_path=_shown(_str(said, "LogPath", 4096) or _str(log, "Path", 4096)),
            terminal=_bool(config, "Tty"),
            command=_processes.shown_argv([word for word in [_str(said, "Path", 4096)] if word] + _words(said.get("Args")), self.redactor),
            memory=self._memory(process, _int(settings, "Memory")),
        )

    def _words(self, api, container):
        """Return the last lines that a container wrote; None where they are not kept."""
        try:
            raw = api.raw("/containers/{0}/logs?stdout=1&stderr=1&tail={1}".format(container, WORDS), limit=WORDS_BYTES, cut=True)
        except evidence.Unanswered as error:
            if error.status == evidence.TIMEOUT:
                raise
            return None
        try:
            raw = b"".join(part for _stream, part in engine_api.pieces(raw))
        except ValueError:
            # Those of a terminal come as they are.
            pass
        lines = [line for line in text.decode(raw).splitlines() if line.strip()]
        return [text.harmless(self.redactor.text(line[:4096]), HEALTH_LENGTH) for line in lines[-WORDS:]]

    def _health_entry(self, entry):
        code, said = _int(entry, "ExitCode"), _str(entry, "Output", 4096)
        return "exit code {0}: {1}".format(code, text.harmless(self.redactor.text(said).strip(), HEALTH_LENGTH))

    def _memory(self, process, limit):
        """Return {"limit", "peak", "oom_kills"} as of a unit; null parts are not known. Its limit is the one that it was given."""
        found = {"limit": limit or None, "peak": None, "oom_kills": None}
        if process is None or not process.container:
            # It has no control group of its own.
            return found
        groups = _processes.control_groups(self.host, process.pid)
        for folder, controllers, events, peak in _EVENTS:
            group = next((path for names, path in groups.items() if controllers in names.split(",")), "")
            if not group.startswith("/") or "/../" in group + "/":
                continue
            try:
                lines = self.host.text("{0}{1}/{2}".format(folder, group, events), 4096).split("\n")
            except (evidence.Unanswered, OSError):
                continue
            found["oom_kills"] = next((_count(line.partition(" ")[2]) for line in lines if line.startswith("oom_kill ")), None)
            try:
                found["peak"] = _count(self.host.text("{0}{1}/{2}".format(folder, group, peak), 64))
            except (evidence.Unanswered, OSError):
                # memory.peak is there since Linux 5.19.
                pass
            break
        return found

    # --- Compose

    def compose_files(self):
        """Return the files that containers of Compose say they come from, without what is not to leave the host."""
        owners = {engine["socket"]: engine["uid"] for engine in self.engines}
        wanted = {}
        for container in self.containers:
            for path in container["compose"]["files"] if container["compose"] else ():
                wanted.setdefault(path, set()).add(owners.get(container["engine"]))
        self.truncated = self.truncated or len(wanted) > MAX_COMPOSE_FILES
        return [self._compose_file(path, users) for path, users in sorted(wanted.items())[:MAX_COMPOSE_FILES]]

    def _compose_file(self, path, users):
        told = {"path": path, "status": evidence.OK, "why": "", "sha256": "", "uid": None, "managed": "", "text": ""}
        try:
            if not path.startswith("/") or not path.endswith((".yml", ".yaml")):
                raise evidence.Unanswered(evidence.ERROR, "not the name of a file of Compose")
            told["uid"] = self.host.stat(path).st_uid
            if users - {0, told["uid"]}:
                # Whoever writes the labels of his containers says by them what root reads.
                raise evidence.Unanswered(evidence.DENIED, "it is not a file of the user whose engine names it")
            # He may put another file there meanwhile.
            raw, cut = self.host.read(path, MAX_COMPOSE_FILE, owners=(told["uid"],) if users - {0} else None)
            if cut:
                raise evidence.Unanswered(evidence.ERROR, "larger than {0} KiB".format(MAX_COMPOSE_FILE >> 10))
            written = raw.decode("utf-8")
        except evidence.Unanswered as error:
            told.update(status=error.status, why=text.harmless(error.why, 300))
            return told
        except UnicodeDecodeError:
            told.update(status=evidence.ERROR, why="not UTF-8")
            return told
        lines = compose_text.shown(written, self.redactor).split("\n")
        shown = "\n".join(text.harmless(line.rstrip("\r")) + ("\r" if line.endswith("\r") else "") for line in lines)
        told.update(sha256=hashlib.sha256(raw).hexdigest(), managed=managed.written_by(raw), text=shown)
        return told

    # --- networks

    def _networks(self, api, path):
        listed = [entry for entry in _list(api.get("/networks")) if _str(entry, "Name")]
        self.truncated = self.truncated or len(listed) > MAX_NETWORKS
        for entry in listed[:MAX_NETWORKS]:
            ranges = _list(_dict(entry.get("IPAM")).get("Config"))
            self.networks.append({
                "engine": path, "name": _shown(_str(entry, "Name")), "id": _shown(_str(entry, "Id")), "driver": _shown(_str(entry, "Driver")),
                "internal": entry.get("Internal") is True, "subnets": [_shown(_str(one, "Subnet")) for one in ranges[:MAX_ITEMS] if _str(one, "Subnet")],
            })

    def _join(self, path):
        """Put the ids of networks where an engine has their names in the place of ids, as Podman has."""
        ids = {network["name"]: network["id"] for network in self.networks if network["engine"] == path}
        for network in [one for shown in self.containers if shown["engine"] == path for one in shown["networks"]]:
            network["id"] = ids.get(network["name"], network["id"])


def moment(written):
    """Return the seconds since the epoch of a time of the API, or None; the year 1 stands for never."""
    match = _MOMENT.match(written)
    if match is None or match.group(1) == "0001":
        return None
    zone = match.group(8)
    shift = 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
    try:
        seconds = calendar.timegm(time.strptime(written[:19], "%Y-%m-%dT%H:%M:%S"))
    except (ValueError, OverflowError):
        return None
    return round(seconds - shift + float(match.group(7) or 0), 3)


def _published(bindings):
    """Return the published ports of {"80/tcp": [{"HostIp", "HostPort"}]}; a port that the engine chooses at the start is null."""
    found = []
    for written, places in bindings.items():
        port, protocol = _port(written)
        for place in _list(places):
            if port:
                number = _str(place, "HostPort")
                found.append(_publish(port, protocol, _str(place, "HostIp"), int(number) if number.isdecimal() and len(number) < 6 else None))
    return found[:MAX_ITEMS]


def _publish(port, protocol, address, host_port):
    return {"port": port, "protocol": protocol if protocol in ("tcp", "udp", "sctp") else "", "address": _shown(address), "host_port": host_port or None}


def _port(written):
    match = _PORT.match(written) if isinstance(written, str) else None
    return (int(match.group(1)), match.group(2)) if match else (0, "")


def _networks_of(said, state):
    """Return the networks that a container is connected to, by their names. One that does not run may keep an address that another has now."""
    found = []
    for name, entry in list(_dict(_dict(said.get("NetworkSettings")).get("Networks")).items())[:MAX_ITEMS]:
        entry = _dict(entry)
        addresses = [_str(entry, "IPAddress"), _str(entry, "GlobalIPv6Address")] if state in _WITH_ADDRESS else []
        # Since Docker 26 what the name server answers to stands beside what was asked for.
        aliases = _words(entry.get("Aliases")) + _words(entry.get("DNSNames"))
        found.append({
            "name": _shown(name), "id": _shown(_str(entry, "NetworkID")), "addresses": [_shown(address) for address in addresses if address],
            "aliases": [_shown(alias) for alias in dict.fromkeys(aliases)][:MAX_ITEMS], "gateway": _shown(_str(entry, "Gateway")),
        })
    return sorted(found, key=lambda network: network["name"])


def _mounts(said):
    return [
        {
            "kind": _shown(_str(entry, "Type")), "source": _shown(_str(entry, "Source", 4096)), "target": _shown(_str(entry, "Destination", 4096)),
            "rw": entry.get("RW") is True,
        }
        for entry in _list(said.get("Mounts"))[:MAX_ITEMS]
    ]


def _compose(labels):
    """Return where a container of Compose comes from, or None. Its labels are whatever who made it wrote."""
    project, service = _str(labels, "com.docker.compose.project"), _str(labels, "com.docker.compose.service")
    if not project or not service:
        return None
    folder = _str(labels, "com.docker.compose.project.working_dir", 4096)
    files = [file for file in _str(labels, "com.docker.compose.project.config_files", 16384).split(",") if file]
    # Compose 2 writes the label in any case, Compose 1 never.
    needed = None
    if "com.docker.compose.depends_on" in labels:
        parts = [part.split(":") for part in _str(labels, "com.docker.compose.depends_on", 16384).split(",") if part]
        needed = [{"service": _shown(part[0]), "condition": _shown(part[1]) if len(part) > 1 else ""} for part in parts[:MAX_ITEMS]]
    return {
        "project": _shown(project), "service": _shown(service), "folder": _shown(folder),
        "files": [_shown(os.path.join(folder, file)) for file in files[:MAX_ITEMS]],
        "depends_on": needed,
    }


def _state(word):
    word = _SAME_STATE.get(word, word)
    return word if word in _STATES else ""


def _health(word):
    return word if word in ("starting", "healthy", "unhealthy") else ""


# What an engine says is of any type.

def _dict(said):
    return said if isinstance(said, dict) else {}


def _list(said):
    return [entry for entry in said if isinstance(entry, dict)] if isinstance(said, list) else []


def _words(said):
    return [word[:4096] for word in said if isinstance(word, str)] if isinstance(said, list) else []


def _str(said, key, limit=1024):
    word = said.get(key)
    return word[:limit] if isinstance(word, str) else ""


def _int(said, key):
    number = said.get(key)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _bool(said, key):
    return said.get(key) if isinstance(said.get(key), bool) else None


def _float(number):
    return float(number) if number is not None else None


def _count(written):
    written = written.strip()
    return int(written) if written.isdecimal() and len(written) < 20 else None


def _shown(word):
    return text.harmless(word, 4096)
