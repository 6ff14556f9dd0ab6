# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the bundle of a host in a few words, in the shapes of docs/architecture.md, and has it judged.

A new World is a Debian host with a running nginx and nothing behind it. Everything that a test does
not say is healthy: a socket that listens answers its probe, a path has the permissions of its steps.
"""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterable

from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge, _targets
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import ADVICE, HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host

NOW = 1_700_000_000.0
LOADED = NOW - 3600
WRITTEN = NOW - 7200
NET, MNT = "4026531840", "4026531841"
OTHER_NET, OTHER_MNT = "4026532500", "4026532600"
MASTER, WORKERS = 100, (101, 102)
WWW_DATA = 33

# Of Debian's and Fedora's policies.
BOOLEANS = (
    "httpd_can_network_connect", "httpd_can_network_connect_db", "httpd_can_network_memcache", "httpd_can_network_connect_memcache",
    "httpd_can_network_relay", "httpd_graceful_shutdown", "httpd_enable_homedirs", "httpd_read_user_content", "nis_enabled",
)
ACCESS_LOG = "/var/log/nginx/access.log"
MAIN = "/etc/nginx/nginx.conf"
MAIN_TEXT = "user www-data;\nevents {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n"
SITES = "/etc/nginx/sites-enabled/"

_ANSWERED = {"status": "ok", "code": 200, "header_bytes": 180, "seconds": 0.01, "why": "", "start": "", "tls": None, "keep_alive": None}
_ERRNO = {
    "refused": (111, "Connection refused"),
    "absent": (2, "No such file or directory"),
    "denied": (13, "Permission denied"),
    "timeout": (110, "timed out"),
    "unreachable": (113, "No route to host"),
    "full": (11, "Resource temporarily unavailable"),
}
_CLASSES = {
    "connect-refused": ("connect() failed", 111, "connecting to upstream", 502),
    "connect-no-socket": ("connect() failed", 2, "connecting to upstream", 502),
    "connect-denied": ("connect() failed", 13, "connecting to upstream", 502),
    "header-too-big": ("upstream sent too big header", None, "reading response header from upstream", 502),
    "connect-queue-full": ("connect() failed", 11, "connecting to upstream", 502),
    "tls-handshake-timeout": ("upstream timed out", 110, "SSL handshaking to upstream", 504),
    "send-timeout": ("upstream timed out", 110, "sending request to upstream", 504),
    "reset-early": ("recv() failed", 104, "reading response header from upstream", 502),
    "read-timeout": ("upstream timed out", 110, "reading response header from upstream", 504),
    "tls-wrong-version": ("SSL_do_handshake() failed", None, "SSL handshaking to upstream", 502),
    "connect-timeout": ("upstream timed out", 110, "connecting to upstream", 504),
    "connect-setup-failed": ("socket() failed", 13, "connecting to upstream", 500),
    "connect-unreachable": ("connect() failed", 113, "connecting to upstream", 502),
    "connect-no-port-left": ("connect() failed", 99, "connecting to upstream", 502),
    "descriptors-exhausted": ("socket() failed", 24, "connecting to upstream", 500),
    "connections-exhausted": ("worker_connections are not enough", None, "connecting to upstream", 500),
    "connections-low": ("worker_connections are not enough, reusing connections", None, "", None),
    "disk-full": ("write() failed", 28, "", 500),
    "temp-file-denied": ("open() failed", 13, "", 500),
    "no-resolver": ("no resolver defined to resolve", None, "", 502),
    "name-not-resolved": ("could not be resolved", None, "", 502),
    "no-live-upstreams": ("no live upstreams", None, "connecting to upstream", 502),
    "tls-alert": ("SSL_do_handshake() failed", None, "SSL handshaking to upstream", 502),
    "tls-incompatible": ("SSL_do_handshake() failed", None, "SSL handshaking to upstream", 502),
    "tls-plain-response": ("upstream prematurely sent response", None, "reading response header from upstream", 502),
    "tls-verify": ("upstream SSL certificate verify error", None, "SSL handshaking to upstream", 502),
    "header-invalid": ("upstream sent invalid header", None, "reading response header from upstream", 502),
    "fastcgi-protocol": ("upstream sent unsupported FastCGI protocol version", None, "reading response header from upstream", 502),
    "http2-protocol": ("upstream sent an http2 frame that is not one", None, "reading response header from upstream", 502),
    "memcached-protocol": ("memcached sent invalid response", None, "reading response header from upstream", 502),
    "closed-early": ("upstream prematurely closed connection", None, "reading response header from upstream", 502),
}


class World:
    """A host. Its answers may be changed freely before it is judged."""

    def __init__(self, name: str = "web1", address: str = "10.0.0.5") -> None:
        self.name = name
        self.replies: dict[str, dict] = {}
        self.pages: dict[str, dict] = {}
        self.probing = True
        self.decisions: dict[str, dict] = {}
        self._pid = 1000
        self.instance = _instance()
        self.host = {"hostname": name, "uid": 0, "init": "systemd", "booted": NOW - 86400, "now": NOW, "addresses": ["127.0.0.1", "::1", address]}
        self.listeners: dict = {"tcp": [], "unix": []}
        self.log: dict = {
            "since": NOW - 86400,
            "logs": [{"path": "/var/log/nginx/error.log", "status": "ok", "why": "", "size": 0, "read": 0, "oldest": None, "truncated": False}],
            "groups": [],
            "configuration": [],
            "notices": [],
            "unseen": [],
            "unrecognised": {"count": 0, "samples": []},
        }
        self.visits: dict = {
            "since": NOW - 86400,
            "logs": [
                {
                    "path": ACCESS_LOG, "status": "ok", "why": "", "size": 0, "read": 0, "oldest": None, "truncated": False,
                    "format": "combined", "some": False, "requests": 0, "failed": 0, "unparsed": 0,
                }
            ],
            "groups": [],
        }
        self.php: dict = {"versions": [], "pools": []}
        self.units: list[dict] = []
        self.programs: list[dict] = []
        self.apps: list[dict] = []
        self.limits: dict = {
            "open_files": {"used": 2000, "max": 1_000_000},
            "processes": {
                str(MASTER): {"descriptors": 12, "sockets": None, "soft": 1024, "hard": 524288},
                **{str(pid): {"descriptors": 20, "sockets": 8, "soft": 1024, "hard": 524288} for pid in WORKERS},
            },
        }
        self.backend_log: dict = {
            "since": NOW - 86400,
            "sources": [{"owner": "", "source": "journal", "status": "ok", "why": "", "truncated": False}],
            "events": [],
            "kernel": evidence.answer("/dev/kmsg", {"source": "/dev/kmsg", "events": []}),
            "cores": evidence.no_answer("/var/lib/systemd/coredump", evidence.ABSENT, "No such file or directory"),
            "core_pattern": "core",
        }
        self.network: dict = {
            "ports": {"first": 32768, "last": 60999, "reserved": 0},
            "tw_reuse": 2,
            "conntrack": None,
            "links": [{"name": "eth0", "up": True, "carrier": True, "kind": "", "addresses": [f"{address}/24"]}],
            "routes": {},
            "neighbours": {},
            "sockets": {},
            "filter": evidence.answer("nft list ruleset, iptables-save", {}),
        }
        self.answers = {
            "host": evidence.answer("host", self.host),
            "nginx": evidence.answer("nginx", {"instances": [self.instance]}),
            "names": evidence.answer("names", {}),
            "resolvers": evidence.answer("DNS", {}),
            "paths": evidence.answer("paths", {}),
            "apparmor": evidence.no_answer("apparmor", evidence.ABSENT, "the kernel runs without AppArmor"),
            "temp_paths": evidence.answer("lstat and statvfs of temporary folders", {MAIN: []}),
            "network": evidence.answer("rtnetlink", {MAIN: self.network}),
            "limits": evidence.answer("/proc/PID/limits", self.limits),
            "listeners": evidence.answer("/proc/net", self.listeners),
            "error_log": evidence.answer("error logs", self.log),
            "access_log": evidence.answer("nginx access logs", self.visits),
            "php_fpm": evidence.answer("php-fpm", self.php),
            "backends": evidence.answer(
                "backends",
                {
                    "units": evidence.answer("systemctl show", self.units),
                    "supervisor": evidence.answer("supervisord", self.programs),
                    "pm2": evidence.answer("pm2", self.apps),
                    "processes": evidence.answer("/proc", []),
                },
            ),
            "backend_log": evidence.answer("backend logs", self.backend_log),
            "servers": evidence.answer("command lines and configuration files", []),
            "pressure": evidence.answer(
                "/proc/pressure",
                {
                    "cores": 4,
                    "load": [0.2, 0.2, 0.2],
                    "somaxconn": 4096,
                    "memory": {"total": 4 << 30, "available": 2 << 30},
                    "stalled": {name: {"some": [0.0, 0.0, 0.0], "full": [0.0, 0.0, 0.0]} for name in ("cpu", "memory", "io")},
                    "drops": [{"net": NET, "counter": name, "total": 0, "risen": 0} for name in ("ListenOverflows", "ListenDrops")],
                    "busy": [],
                    "seconds": 0.5,
                },
            ),
            "selinux": evidence.no_answer("selinux", evidence.ABSENT, "the kernel runs without SELinux"),
        }
        self.file(MAIN, MAIN_TEXT)

    # --- nginx

    def file(self, path: str, text: str, mtime: float = WRITTEN, ctime: float | None = None) -> World:
        """Write a configuration file; one of the same path is replaced."""
        self.instance["files"][:] = [item for item in self.instance["files"] if item["path"] != path]
        raw = text.encode("utf-8", "surrogateescape")
        self.instance["files"].append(
            {
                "path": path,
                "real_path": path,
                "sha256": "",
                "size": len(raw),
                "mtime": mtime,
                "ctime": mtime if ctime is None else ctime,
                "uid": 0,
                "gid": 0,
                "mode": "0644",
                "status": "ok",
                "why": "",
                "truncated": False,
                "content": base64.b64encode(raw).decode(),
            }
        )
        return self

    def site(self, *lines: str, name: str = "shop", outside: Iterable[str] = (), mtime: float = WRITTEN, port: int = 80) -> World:
        """Write a site: a server with these lines in it, the first in line 3, and others before it all in line 1."""
        text = " ".join(outside) + f"\nserver {{ listen {port}; server_name {name}.example;\n" + "\n".join(lines) + "\n}\n"
        return self.file(SITES + name, text, mtime)

    def passes(self, target: str, name: str = "shop", **options) -> World:
        """Write a site whose only location, in line 3, passes to a target: "http://..." or "fastcgi_pass unix:..."."""
        directive = target if "_pass " in target else f"proxy_pass {target}"
        return self.site(f"location / {{ {directive}; }}", name=name, **options)

    def stopped(self, enabled: str = "enabled", active: str = "inactive", unit: bool = True) -> World:
        """Stop nginx."""
        self.instance.update(running=False, master=None, workers=[])
        self.instance["unit"] = {"name": "nginx.service", "active": active, "sub": "dead", "result": "success", "enabled": enabled} if unit else None
        return self

    def invalid(self, text: str = 'unknown directive "prxy_pass"', file: str = SITES + "shop", line: int = 3) -> World:
        """Let the configuration test fail."""
        self.instance["test"] = evidence.answer(
            "nginx -t", {"valid": False, "messages": [{"level": "emerg", "text": text, "file": file, "line": line}], "how": "overlay"}
        )
        return self

    # --- what listens

    def listen(
        self,
        endpoint: str,
        comm: str = "node",
        unit: str = "",
        pid: int | None = None,
        net: str = NET,
        mnt: str = MNT,
        v6only: bool | None = None,
        argv: tuple[str, ...] = (),
        started: float = LOADED,
        exe: str = "",
        path: bool = True,
        inside: str = "",
    ) -> int:
        """Open a listening socket, inside a container by its name, and return its process's pid; a Unix socket gets its path too, unless path is false."""
        if pid is None:
            self._pid += 1
            pid = self._pid
        container = self.contained(inside) if inside else {}
        net = container.get("net") or net
        owner = {
            "pid": pid,
            "comm": comm,
            "exe": exe or f"/usr/bin/{comm}",
            "argv": list(argv or (f"/usr/bin/{comm}",)),
            "uid": 1000,
            "user": "app",
            "unit": unit,
            "container": container.get("id", ""),
            "net": net,
            "mnt": mnt,
            "started": started,
        }
        common = {"net": net, "inode": pid, "accept_queue": 0, "backlog": 511, "owners": [owner]}
        if endpoint.startswith("unix:"):
            self.listeners["unix"].append({"path": endpoint[5:], **common})
            if path:
                self.socket(endpoint[5:])
        else:
            address, _colon, port = endpoint.rpartition(":")
            address = address.strip("[]")
            self.listeners["tcp"].append({"address": address, "port": int(port), "family": "inet6" if ":" in address else "inet", "v6only": v6only, **common})
        return pid

    def listen_of_nginx(self, *endpoints: str) -> World:
        """Open listening sockets of nginx."""
        for endpoint in endpoints:
            self.listen(endpoint, comm="nginx", unit="nginx.service", pid=MASTER)
        return self

    def unit(
        self,
        name: str,
        *claims: str,
        active: str = "active",
        sub: str | None = None,
        pid: int | None = None,
        fragment: str | None = None,
        enabled: str = "enabled",
        source: str = "ExecStart",
        **more,
    ) -> World:
        """Add a systemd unit that says that it listens on some endpoints."""
        self.units.append(
            {
                "name": name,
                "description": name,
                "load": "loaded",
                "active": active,
                "result": "success",
                "enabled": enabled,
                "type": "simple",
                "main_pid": pid,
                "sub": sub or {"active": "running", "failed": "failed", "activating": "auto-restart"}.get(active, "dead"),
                "status": 0,
                "code": "",
                "restarts": 0,
                "restart": "no",
                "started": LOADED,
                "exited": 0.0,
                "changed": LOADED,
                "user": "app",
                "group": "",
                "private_tmp": False,
                "fragment": f"/etc/systemd/system/{name}" if fragment is None else fragment,
                "claims": [{"endpoint": item, "from": source} for item in claims],
                "entered": LOADED,
                "after": [],
                "logs": [],
                "memory": {"limit": None, "peak": None, "oom_kills": 0},
                "journal": [],
                "command": [],
                "working_directory": "",
                "runtime_directory": [],
                **more,
            }
        )
        return self

    def service(self, name: str, endpoint: str, *claims: str, comm: str = "node", **more) -> World:
        """Add a unit that runs and listens on an endpoint, and says so unless it claims something else."""
        pid = self.listen(endpoint, comm=comm, unit=name, **more)
        return self.unit(name, *(claims or (endpoint,)), pid=pid)

    def pool(self, listen: str, name: str = "www", version: str = "8.2", running: bool = True, **more) -> World:
        """Add a PHP-FPM pool and, once, the unit of its version. It listens when it runs."""
        unit = f"php{version}-fpm.service"
        known = next((item for item in self.units if item["name"] == unit), None)
        if not known:
            self._pid += 1
            self.unit(unit, active="active" if running else "inactive", pid=self._pid if running else None, fragment=f"/lib/systemd/system/{unit}")
            known = self.units[-1]
            self.php["versions"].append(
                {
                    "version": version,
                    "binary": f"/usr/sbin/php-fpm{version}",
                    "configuration": f"/etc/php/{version}/fpm/php-fpm.conf",
                    "unit": unit,
                    "error_log": f"/var/log/php{version}-fpm.log",
                    "process_control_timeout": 0.0,
                    "running": running,
                    "pid": known["main_pid"],
                }
            )
        at = {"file": f"/etc/php/{version}/fpm/pool.d/{name}.conf", "line": 36}
        self.php["pools"].append(
            {
                "name": name,
                "version": version,
                "at": {**at, "line": 4},
                "listen": listen,
                "listen_at": at,
                "roots": True,
                "owner": "www-data",
                "group": "www-data",
                "mode": "0660",
                "acl_users": [],
                "acl_groups": [],
                "user": "www-data",
                "pm": "dynamic",
                "max_children": 5,
                "request_terminate_timeout": 0.0,
                "ping_path": "",
                "status_path": "",
                "status_listen": "",
                "slowlog": "",
                "request_slowlog_timeout": 0.0,
                "unit": unit,
                "running": running,
                **more,
            }
        )
        if running:
            self.listen(listen, comm=f"php-fpm{version}", unit=unit, pid=known["main_pid"], argv=("php-fpm: master process (/etc/php/fpm/php-fpm.conf)",))
        return self

    def program(self, name: str, state: str, *claims: str, pid: int | None = None, why: str = "", autostart: bool = True) -> World:
        """Add a supervisor program."""
        self.programs.append(
            {
                "name": name,
                "state": state,
                "pid": pid,
                "why": why,
                "command": "",
                "at": {"file": f"/etc/supervisor/conf.d/{name}.conf", "line": 1},
                "autostart": autostart,
                "claims": [{"endpoint": item, "from": "environment"} for item in claims],
                "logs": [],
                "manager_log": "/var/log/supervisor/supervisord.log",
                "log": [],
            }
        )
        return self

    def app(self, name: str, status: str, *claims: str, pid: int | None = None, user: str = "deploy", **more) -> World:
        """Add a PM2 app."""
        self.apps.append(
            {
                "name": name,
                "status": status,
                "pid": pid,
                "restarts": 0,
                "exit_code": None,
                "script": f"/srv/{name}/app.js",
                "user": user,
                "claims": [{"endpoint": item, "from": "env PORT"} for item in claims],
                "logs": [],
                "home": f"/home/{user}/.pm2",
                "daemon": True,
                "program": "/usr/bin/pm2",
                "saved": True,
                "manager_log": f"/home/{user}/.pm2/pm2.log",
                "log": [],
                **more,
            }
        )
        return self

    # --- containers

    @property
    def engine(self) -> dict:
        """What the engines tell; a host that was asked nothing of it gets one of Docker without containers."""
        if "containers" not in self.answers:
            engine = {"socket": "/run/docker.sock", "kind": "docker", "version": "20.10.24", "api": "1.41", "uid": 0, "status": "ok", "why": ""}
            networks = [_network("bridge", "172.17.0.0/16"), _network("host", driver="host"), _network("none", driver="null")]
            self.answers["containers"] = evidence.answer("the API of Docker", {"engines": [engine], "containers": [], "networks": networks})
            self.host["addresses"].append("172.17.0.1")
        return self.answers["containers"]["value"]

    def contained(self, name: str) -> dict:
        """Return what the engine tells of a container."""
        return next(item for item in self.engine["containers"] if item["name"] == name)

    def docker_network(self, name: str, subnet: str, driver: str = "bridge") -> World:
        """Add a network of the engine; the host has its first address."""
        self.engine["networks"].append(_network(name, subnet, driver))
        if driver == "bridge":
            self.host["addresses"].append(subnet.rpartition(".")[0] + ".1")
        return self

    def container(
        self,
        name: str,
        *networks: str,
        state: str = "running",
        ports: Iterable[str] = (),
        service: str = "",
        project: str = "shop",
        needs: dict[str, str] | None = None,
        mode: str = "",
        **more,
    ) -> World:
        """Add a container on networks, each "name=address", with published ports, each "address:host port:port"; service is that of its Compose project."""
        number = len(self.engine["containers"]) + 1
        alive = state in ("running", "paused")
        attached = [item.partition("=")[::2] for item in networks]
        shared = next((item for item in self.engine["containers"] if mode == f"container:{item['id']}"), {})
        self._pid += 1
        compose = None
        if service:
            depends = [{"service": one, "condition": condition} for one, condition in (needs or {}).items()]
            compose = {"project": project, "service": service, "folder": f"/srv/{project}", "files": [f"/srv/{project}/compose.yaml"], "depends_on": depends}
        told = {
            "engine": "/run/docker.sock", "id": f"{number:02x}" * 32, "name": name, "image": f"{name}:1", "status": "ok", "why": "", "state": state,
            "exit_code": 0, "oom_killed": False, "error": "", "restarts": 0, "restart_policy": "unless-stopped", "health": "", "healthcheck": False,
            "health_log": [], "created": WRITTEN, "started": LOADED, "finished": None if alive else NOW - 120, "pid": self._pid if alive else None,
            "net": (NET if mode == "host" else shared.get("net") or f"40265329{number:02}") if alive else "",
            "network_mode": mode or (attached[0][0] if attached else "default"),
            "networks": [_attached(network, address, [service] if service else [], alive) for network, address in attached],
            "published": [_published(*item.rsplit(":", 2)) for item in ports], "exposed": [], "compose": compose, "mounts": [], "log_driver": "json-file",
            "log_path": "", "terminal": False, "command": [f"/bin/{name}"], "memory": {"limit": None, "peak": None, "oom_kills": 0}, "words": None,
        }
        self.engine["containers"].append({**told, **more})
        for item in told["published"] if alive and mode != "host" else ():
            self.listen(f"{item['address']}:{item['host_port']}", comm="docker-proxy", unit="docker.service")
        return self

    def nginx_in(self, name: str, alone: bool = True) -> World:
        """Let nginx run in a container: as its program, or beside others."""
        told = self.contained(name)
        self.instance["master"].update(net=told["net"], mnt=OTHER_MNT, unit="", container=told["id"], own_root=True)
        self.instance["unit"] = None
        for worker in self.instance["workers"]:
            worker.update(net=told["net"], mnt=OTHER_MNT)
        told.update(pid=MASTER if alone else MASTER - 1, command=["nginx", "-g", "daemon off;"] if alone else ["/usr/bin/supervisord", "-n"])
        if not any(item["net"] == NET for item in self.listeners["tcp"]):
            self.listen("0.0.0.0:22", comm="sshd", unit="ssh.service")
        return self

    # --- paths, names, log

    def socket(
        self, path: str, mode: str = "0660", uid: int = 1000, gid: int = WWW_DATA, acl=None, kind: str = "socket", folders: dict[str, dict] | None = None
    ) -> World:
        """Put a file at a path; its folders are of root and open, but for those that folders changes."""
        self.paths[path] = {"status": "ok", "why": "", "missing": "", "walk": _folders(path, folders or {}) + [_step(path, kind, mode, uid, gid, acl)]}
        return self

    def missing(self, path: str, first: str = "") -> World:
        """Let a path be absent, from its first missing part on."""
        self.paths[path] = {"status": "absent", "why": "No such file or directory", "missing": first or path, "walk": _folders(first or path, {})}
        return self

    @property
    def paths(self) -> dict:
        """The walks by path; nothing that is put there is kept when the question is unanswered."""
        value = self.answers["paths"]["value"]
        return {} if value is None else value

    def resolve(self, name: str, *addresses: str) -> World:
        """Answer a name."""
        self.answers["names"]["value"][name] = {"status": "ok", "addresses": list(addresses), "why": ""}
        return self

    def unresolved(self, name: str, status: str = "absent", why: str = "Name or service not known") -> World:
        """Let a name be resolved by nobody."""
        self.answers["names"]["value"][name] = {"status": status, "addresses": [], "why": why}
        return self

    def dns(self, server: str, name: str, *addresses: str, status: str = "ok", six: str = "empty", ttl: int | None = 60, system: bool = False) -> World:
        """Let a name server, as a "resolver" has it, say something of a name; system: it is one of resolv.conf."""
        seen = self._names_seen()
        place = server if server.rpartition(":")[2].isdigit() and "." in server.rpartition(":")[0] else f"{server}:53"
        if system:
            seen["system"]["servers"].append(place)
        else:
            seen["named"][server] = [place]
        four = {"status": status, "addresses": list(addresses), "ttl": ttl if addresses else None, "why": ""}
        other = {"status": status if status not in ("ok", "empty") else six, "addresses": [], "ttl": None, "why": ""}
        seen["servers"].setdefault(place, {})[name] = {"a": four, "aaaa": other}
        return self

    def hosts_row(self, name: str, *addresses: str, changed: float = WRITTEN) -> World:
        """Put a name into the hosts file."""
        seen = self._names_seen()
        seen["hosts"]["rows"][name] = list(addresses)
        seen["hosts"]["changed"] = changed
        return self.resolve(name, *addresses)

    def connection(self, address: str, port: int, state: str = "connecting") -> World:
        """Let the workers hold, or try, a connection."""
        self._names_seen()["connections"]["peers"].append({"address": address, "port": port, "state": state, "count": 1})
        return self

    def _names_seen(self) -> dict:
        return self.answers["resolvers"]["value"].setdefault(
            MAIN,
            {
                "hosts": {"status": "ok", "why": "", "changed": WRITTEN, "rows": {}},
                "system": {"status": "ok", "why": "", "changed": WRITTEN, "servers": [], "search": [], "ndots": 1},
                "named": {},
                "servers": {},
                "connections": {"status": "ok", "why": "", "peers": []},
            },
        )

    def logged(
        self,
        peer: str,
        what: str = "connect-refused",
        *,
        count: int = 5,
        server: str = "shop.example",
        path: str = "/",
        pids=WORKERS,
        last: float = NOW - 60,
        **more,
    ) -> World:
        """Add a group of error log records."""
        message, errno, phase, status = _CLASSES[what]
        self.log["groups"].append(
            {
                "message": message,
                "class": what,
                "level": "error",
                "errno": errno,
                "phase": phase,
                "scheme": "http",
                "peer": peer,
                "upstream": f"http://{peer}{path}",
                "server": server,
                "methods": {"GET": count},
                "paths": [path],
                "status": status,
                "count": count,
                "first": last - 600,
                "last": last,
                "moments": [last - 600, last],
                "pids": list(pids),
                "detail": {},
                "sample": message,
                **more,
            }
        )
        return self

    def visited(
        self, status: int = 502, upstream: str = "", *, made_by: str = "nginx", count: int = 5, total: int = 0, path: str = "/", last: float = NOW - 60, **more
    ) -> World:
        """Add a group of access log records that failed; total is how many requests the log holds."""
        self.visits["logs"][0]["requests"] = total or count
        self.visits["groups"].append(
            {
                "log": ACCESS_LOG,
                "server": "",
                "host": "shop.example",
                "prefix": path,
                "status": status,
                "upstream": upstream,
                "upstream_status": status if upstream else None,
                "made_by": made_by,
                "count": count,
                "first": last - 600,
                "last": last,
                "methods": {"GET": count},
                "paths": [path],
                "request_time": 0.01,
                "tries": 1 if upstream else 0,
                **more,
            }
        )
        return self

    def ended(
        self,
        owner: str,
        event: str,
        *,
        kind: str = "unit",
        by: str = "log",
        signal: int | None = None,
        code: int | None = None,
        at: Iterable[float] = (NOW - 60,),
        pids: Iterable[int] = (),
        source: str = "journal",
        **detail,
    ) -> World:
        """Add what a backend's log or its manager said of the end of a process."""
        moments = sorted(at)
        self.backend_log["events"].append(
            {
                "kind": kind,
                "owner": owner,
                "source": source,
                "by": by,
                "event": event,
                "signal": signal,
                "code": code,
                "count": len(moments),
                "first": moments[0],
                "last": moments[-1],
                "moments": moments,
                "pids": list(pids),
                "detail": detail,
                "sample": f"{owner}: {event}",
                "words": [],
            }
        )
        return self

    def killed_for_memory(self, unit: str = "", pid: int = 0, comm: str = "node", at: float = NOW - 60, constraint: str = "group") -> World:
        """Add the kernel's record that it killed a process."""
        line = f"Memory cgroup out of memory: Killed process {pid} ({comm}) total-vm:200000kB, anon-rss:65536kB"
        event = {"event": "oom-kill", "time": at, "pid": pid, "comm": comm, "unit": unit, "constraint": constraint, "memory": 65536 << 10, "port": None}
        self.backend_log["kernel"]["value"]["events"].append({**event, "sample": line})
        return self

    def refused_reload(self, text: str, pids=(MASTER,), last: float = NOW - 60) -> World:
        """Add an [emerg] record of a reload."""
        self.log["configuration"].append({"level": "emerg", "text": text, "file": "", "line": 0, "count": 1, "first": last, "last": last, "pids": list(pids)})
        return self

    def temp_path(self, directive: str, path: str, *, missing: str = "", folders: dict[str, dict] | None = None, **step) -> World:
        """Say what a temporary folder is like; it is the worker's, on a file system with room, unless step or space says otherwise."""
        space = {"bytes": 1 << 30, "inodes": 1 << 20, "read_only": False, **step.pop("space", {})}
        walk = {"status": "ok", "why": "", "missing": "", "walk": [*_folders(path, folders or {}), _step(path, **{"mode": "0700", "uid": WWW_DATA, **step})]}
        if missing:
            walk = {"status": "absent", "why": "No such file or directory", "missing": missing, "walk": _folders(missing, {})}
        self.answers["temp_paths"]["value"][MAIN].append({"directive": directive, "path": path, "walk": walk, "space": space})
        return self

    # --- AppArmor

    def apparmor(self, profile: str, mode: str = "enforce") -> World:
        """Let the processes of nginx run under a profile."""
        labels = {str(pid): {"profile": profile, "mode": mode} for pid in (MASTER, *WORKERS)}
        self.answers["apparmor"] = evidence.answer("/proc/PID/attr", {"labels": labels, "denials": []})
        return self

    def apparmor_denied(self, profile: str, operation: str = "connect", name: str = "", family: str = "", denied: str = "wr", last: float = NOW - 60) -> World:
        """Add a denial to the kernel's log."""
        denial = {"profile": profile, "operation": operation, "name": name, "family": family, "denied": denied, "comm": "nginx", "pid": WORKERS[0]}
        self.answers["apparmor"]["value"]["denials"].append({**denial, "time": last, "first": last, "count": 3})
        return self

    # --- SELinux

    def selinux(self, mode: str = "enforcing", *, booleans: Iterable[str] = (), system: str = "debian", **more) -> World:
        """Let the kernel run with SELinux; booleans are those that are on, domains are {pid: domain} of processes."""
        domains = {pid: "httpd_t" for pid in (MASTER, *WORKERS)} | more.pop("domains", {})
        value = {
            "mode": mode,
            "boot": mode,
            "policy": "default" if system == "debian" else "targeted",
            "booleans": {name: name in booleans for name in BOOLEANS},
            "booleans_at_boot": None,
            "contexts": {str(pid): f"system_u:system_r:{domain}:s0" for pid, domain in domains.items()},
            "permissive_domains": [],
            "listens": [],
            "denials": [],
            "ports": {},
            "records": {},
            "labels": {},
            "decisions": [],
        }
        self.host["os"] = {"id": system, "version_id": "", "pretty_name": system}
        self.answers["selinux"] = evidence.answer("/sys/fs/selinux", {**value, **more})
        return self

    def decides(self, endpoint: str, *checks: dict, status: str = "ok", permissive: bool = False, domain: str = "httpd_t") -> World:
        """Say what the kernel decides about nginx's connection to an endpoint."""
        why = "" if status == "ok" else "the policy cannot be read"
        source = f"system_u:system_r:{domain}:s0"
        self.decisions[endpoint] = {"status": status, "why": why, "source": source, "permissive": permissive, "checks": list(checks) if not why else []}
        return self

    def avc(self, permission: str, kind: str, name: str, *, port: int | None = None, path: str = "", last: float = NOW - 60, permissive: bool = False) -> World:
        """Add a denial of SELinux to the audit log."""
        source, target = "system_u:system_r:httpd_t:s0", f"system_u:object_r:{kind}:s0"
        denial = {"scontext": source, "tcontext": target, "tclass": name, "permissions": [permission], "comm": "nginx", "port": port, "path": path}
        denial.update({"count": 3, "first": last, "last": last, "permissive": permissive, "from": "audit log"})
        self.answers["selinux"]["value"]["denials"].append(denial)
        return self

    def may_not_bind(self, port: int, kind: str = "unreserved_port_t", allowed: bool = False, web: bool = True, **more) -> World:
        """Say what the kernel decides about a port on which nginx is to listen; web: it may bind those of web servers."""
        decision = {"instance": MAIN, "port": port, "protocol": "tcp", "type": kind, "record": [1024, 32767], "local": False, "why": ""}
        decision.update({"source": "system_u:system_r:httpd_t:s0", "allowed": allowed, "permissive": False, "booleans": []})
        decision["labels"] = [] if allowed else [{"type": "http_port_t", "allowed": web, "booleans": []}]
        self.answers["selinux"]["value"]["listens"].append({**decision, **more})
        return self

    # --- the way to a peer

    def route(self, address: str, status: str = "ok", gateway: str = "", neighbour: str = "reachable", dev: str = "eth0") -> World:
        """Say how the kernel would send to an address, and what is known of the next hop."""
        errno = {"none": 101, "unreachable": 113, "prohibit": 13, "blackhole": 22}.get(status)
        local = address in self.host["addresses"]
        self.network["routes"][address] = {"status": status, "errno": errno, "dev": dev, "gateway": gateway, "source": "10.0.0.5", "local": local}
        if status == "ok":
            self.network["neighbours"][address] = {"address": gateway or address, "state": neighbour}
        return self

    def filters(self, endpoint: str, verdict: str = "drop", with_: str = "", certain: bool = True, by: str = "") -> World:
        """Say what the packet filter does with connections to an endpoint."""
        rule = f"table inet filter, chain output: tcp dport {endpoint.rpartition(':')[2]} {verdict}"
        said = {"verdict": verdict, "with": with_, "certain": certain, "rule": rule, "packets": 3, "by": by, "hook": "output"}
        self.network["filter"]["value"][endpoint] = said
        return self

    def sockets_to(self, endpoint: str, time_wait: int = 0, established: int = 0) -> World:
        """Say how many sockets lead to an endpoint, each from a local port of its own."""
        counts = {"established": established, "syn_sent": 0, "time_wait": time_wait, "other": 0, "ports": time_wait + established}
        self.network["sockets"][endpoint] = counts
        return self

    # --- probes and judging

    def reply(
        self,
        endpoint: str,
        *tries: dict,
        connect: str = "ok",
        queue: dict | None = None,
        errno: int | None = None,
        seconds: float = 0.001,
        tls: dict | None = None,
        behind: bool = False,
    ) -> World:
        """Say what a probe of an endpoint gives, instead of what follows from the listeners.

        errno is that of the connection where it is not the usual one; tls is what further handshakes showed; behind: one before it was left unanswered.
        """
        given = {"connect": connect, "tries": list(tries), "queue": queue, "errno": errno, "seconds": seconds, "tls": tls, "behind": behind}
        self.replies[endpoint] = given
        return self

    def pool_says(self, name: str, version: str = "8.2", **said) -> World:
        """Say what the status page of a PHP-FPM pool gives."""
        self.pages[f"{name} (PHP {version})"] = {"pool": name, "process_manager": "dynamic", **said}
        return self

    def server(
        self,
        pid: int,
        kind: str,
        running: int = 1,
        name: str = "",
        told: dict | None = None,
        source: str = "",
        files: Iterable[str] = (),
        largest: int | None = None,
        not_roots: Iterable[str] = (),
    ) -> World:
        """Say what an application server was told; told is {setting: value} and was read from source, by default its command line."""
        given = {setting: {"value": value, "from": source or f"command line of process {pid}"} for setting, value in (told or {}).items()}
        unit = next((item["name"] for item in self.units if item["main_pid"] == pid), "")
        seen = {"pid": pid, "kind": kind, "name": name, "unit": unit, "running": running, "largest": largest, "set": given, "files": list(files)}
        seen["not_roots"] = list(not_roots)
        self.answers["servers"]["value"].append(seen)
        return self

    def bundle(self) -> dict:
        """Return the bundle as both visits would have left it."""
        # A copy: of plain data pickle makes one sooner than copy.deepcopy.
        bundle = pickle.loads(pickle.dumps(_bundle.new(self.name, _bundle.COLLECTED, "", self.answers)))
        if not self.probing:
            bundle["probes"] = evidence.no_answer("probes", evidence.ABSENT, "probing is off (bad_gateway_probe=false)")
            return bundle
        batches = _targets.batches(bundle, "", "GET", 10.0)
        asked = [target for batch in batches for target in batch["targets"]]
        decided = [{"endpoint": name, "selinux": self.decisions.get(name)} for batch in batches for name in batch.get("decide", ())]
        pools = {target["id"]: target.get("pool") for target in bundle["targets"]}
        made = [self._page(target, pools[target["id"]]) if pools[target["id"]] else self._probe(target) for target in asked]
        bundle["probes"] = evidence.answer("connections as nginx makes them", {"probes": made, "decided": decided})
        return bundle

    def judge(self, *peers: World, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> HostResult:
        """Judge this host; peers are the other hosts of the run."""
        known = {address: Host.of(peer.bundle()) for peer in peers for address in peer.host["addresses"][2:]}
        return _judge.judge(self.bundle(), only, skip, known.get)

    def _probe(self, target: dict) -> dict:
        said = self.replies.get(target["endpoint"]) or self._natural(target["endpoint"])
        errno, why = _ERRNO.get(said["connect"], (None, ""))
        connect = {"status": said["connect"], "errno": said.get("errno") or errno, "seconds": said.get("seconds", 0.001), "why": why}
        tries = [{**_ANSWERED, **({"speak": target["speak"]} if not number else {}), **given} for number, given in enumerate(said["tries"])]
        probe = {"id": target["id"], "endpoint": target["endpoint"], "connect": connect, "tries": tries}
        probe.update(queue=said.get("queue"), behind=said.get("behind", False))
        decided = self.decisions.get(target["endpoint"])
        return {**probe, **({"tls": said["tls"]} if said.get("tls") else {}), **({"selinux": decided} if decided else {})}

    def _page(self, target: dict, pool: str) -> dict:
        said = self.pages.get(pool)
        given = {"speak": target["speak"], "pool": said, **({} if said else {"status": "timeout", "code": None})}
        connect = {"status": "ok", "errno": None, "seconds": 0.001, "why": ""}
        return {"id": target["id"], "endpoint": target["endpoint"], "connect": connect, "tries": [{**_ANSWERED, **given}], "queue": None, "behind": False}

    def _natural(self, endpoint: str) -> dict:
        if endpoint.startswith("unix:"):
            walk = self.paths.get(endpoint[5:], {"status": "absent"})
            open_ = any(item["path"] == endpoint[5:] for item in self.listeners["unix"]) and walk["status"] == "ok"
            failure = "refused" if walk["status"] == "ok" else "absent"
        else:
            address, _colon, port = endpoint.rpartition(":")
            if "containers" in self.answers:
                return self._among_containers(address.strip("[]"), int(port))
            open_ = any(item["port"] == int(port) and item["net"] == NET and _takes(item, address.strip("[]")) for item in self.listeners["tcp"])
            failure = "refused"
        return {"connect": "ok", "tries": [{}]} if open_ else {"connect": failure, "tries": []}

    def _among_containers(self, address: str, port: int) -> dict:
        """Return what a connection gives on a host with containers, whose published ports the engine's proxy takes; what a user's says is not so."""
        every = [item for item in (self.answers["containers"]["value"] or {}).get("containers") or () if not item["engine"].startswith("/run/user/")]
        own = (self.instance["master"] or {}).get("net")
        mine = next((item for item in every if item["net"] == own and item["network_mode"] != "host"), None)
        there = next((item for item in every for network in item["networks"] if address in network["addresses"]), None)
        if there:
            apart = mine and not {item["name"] for item in mine["networks"]} & {item["name"] for item in there["networks"]}
            return self._in_namespace(there, address, port, "timeout" if apart else "refused")
        if address.startswith("127.") or address == "::1":
            net = own
        elif address in self.host["addresses"]:
            net = NET
        else:
            return {"connect": "unreachable", "tries": []}
        for item in every if net == NET else ():
            for mapped in item["published"] if item["net"] else ():
                if mapped["host_port"] == port and mapped["address"] in ("0.0.0.0", address):
                    inner = self._in_namespace(item, next(iter(item["networks"][0]["addresses"])), mapped["port"], "refused")
                    cut = {"connect": "ok", "tries": [{"status": "reset", "code": None, "why": "Connection reset by peer"}]}
                    return inner if inner["connect"] == "ok" else cut
        open_ = any(item["port"] == port and item["net"] == net and _takes(item, address) for item in self.listeners["tcp"])
        return {"connect": "ok", "tries": [{}]} if open_ else {"connect": "refused", "tries": []}

    def _in_namespace(self, container: dict, address: str, port: int, otherwise: str) -> dict:
        if container["state"] == "paused":
            return {"connect": "ok", "tries": [{"status": "timeout", "code": None, "why": "no answer", "seconds": 10.0}]}
        open_ = otherwise == "refused" and any(
            item["port"] == port and item["net"] == container["net"] and _takes(item, address) for item in self.listeners["tcp"]
        )
        return {"connect": "ok", "tries": [{}]} if open_ else {"connect": otherwise, "tries": []}


def _network(name: str, subnet: str = "", driver: str = "bridge") -> dict:
    subnets = [subnet] if subnet else []
    return {"engine": "/run/docker.sock", "name": name, "id": name, "driver": driver, "internal": False, "subnets": subnets}


def _attached(network: str, address: str, aliases: list[str], alive: bool) -> dict:
    gateway = address.rpartition(".")[0] + ".1" if address and alive else ""
    return {"name": network, "id": network, "addresses": [address] if address and alive else [], "aliases": aliases, "gateway": gateway}


def _published(address: str, host_port: str, port: str) -> dict:
    return {"port": int(port), "protocol": "tcp", "address": address, "host_port": int(host_port)}


def _takes(item: dict, address: str) -> bool:
    if item["address"] == "::":
        return ":" in address or not item["v6only"]
    return item["address"] == address or item["address"] == "0.0.0.0" and ":" not in address


def _instance() -> dict:
    worker = {"started": LOADED, "uid": WWW_DATA, "gid": WWW_DATA, "groups": [WWW_DATA], "net": NET, "mnt": MNT, "shutting_down": False}
    return {
        "id": MAIN,
        "running": True,
        "master": {
            "pid": MASTER,
            "started": LOADED,
            "exe": "/usr/sbin/nginx",
            "argv": ["nginx"],
            "uid": 0,
            "net": NET,
            "mnt": MNT,
            "unit": "nginx.service",
            "own_root": False,
        },
        "workers": [{"pid": pid, **worker} for pid in WORKERS],
        "identity": {"user": "www-data", "uid": WWW_DATA, "gid": WWW_DATA, "groups": [WWW_DATA], "from": "worker"},
        "binary": "/usr/sbin/nginx",
        "build": evidence.answer("nginx -V", {"version": "1.22.1", "product": "nginx", "arguments": [], "prefix": "/usr/share/nginx"}),
        "conf_path": MAIN,
        "prefix": "/usr/share/nginx",
        "files": [],
        "includes": [],
        "error_logs": [{"path": "/var/log/nginx/error.log", "level": "error", "at": None}],
        "test": evidence.answer("nginx -t", {"valid": True, "messages": [], "how": "overlay"}),
        "unit": {"name": "nginx.service", "active": "active", "sub": "running", "result": "success", "enabled": "enabled"},
    }


def _step(path: str, kind: str = "dir", mode: str = "0755", uid: int = 0, gid: int = 0, acl=None) -> dict:
    names = {0: "root", WWW_DATA: "www-data", 1000: "app"}
    return {
        "path": path,
        "type": kind,
        "mode": mode,
        "uid": uid,
        "gid": gid,
        "user": names.get(uid, str(uid)),
        "group": names.get(gid, str(gid)),
        "acl": acl,
        "label": "",
        "target": "",
    }


def _folders(path: str, changed: dict[str, dict]) -> list[dict]:
    parts = [part for part in path.split("/")[1:-1] if part]
    above = ["/"] + ["/" + "/".join(parts[: number + 1]) for number in range(len(parts))]
    return [_step(folder, **changed.get(folder, {})) for folder in above]


def port_check(port: int, kind: str, booleans: Iterable[str] | None = (), labels: Iterable[dict] = (), allowed: bool | None = False, **more) -> dict:
    """Return a decision about a TCP port."""
    check = {"class": "tcp_socket", "permission": "name_connect", "target": f"system_u:object_r:{kind}:s0", "allowed": allowed, "why": "", "path": ""}
    check["booleans"] = None if booleans is None else list(booleans)
    return {**check, "expected": "", "port": port, "port_type": kind, "record": [port, port], "local": False, "labels": list(labels), **more}


def file_check(path: str, kind: str, allowed: bool | None, expected: str = "", name: str = "", **more) -> dict:
    """Return a decision about the last step of the way to a socket, or about a folder above it (name "dir")."""
    name = name or "sock_file"
    permission = {"dir": "search", "lnk_file": "read", "sock_file": "write"}[name]
    check = {"class": name, "permission": permission, "target": f"system_u:object_r:{kind}:s0", "allowed": allowed, "booleans": [], "why": "", "path": path}
    check["expected"] = expected and f"system_u:object_r:{expected}:s0"
    return {**check, "port": None, "port_type": "", "record": None, "local": None, "labels": [], **more}


def peer_check(domain: str, allowed: bool | None) -> dict:
    """Return a decision about connecting to a program that listens on a socket."""
    return {**file_check("", domain, allowed), "class": "unix_stream_socket", "permission": "connectto", "target": f"system_u:system_r:{domain}:s0"}


def verdict(result: HostResult, advice: bool = False) -> list[tuple[str, str, str, str, str]]:
    """Return (id, kind, certainty, endpoint, place) of each finding, in the order of their ranks; of advice only where it is asked for."""
    ordered = sorted(result.findings, key=lambda finding: finding.rank)
    return [
        (finding.id, finding.kind, finding.certainty, finding.endpoint, str(finding.at or "")) for finding in ordered if advice or finding.kind != ADVICE
    ]


def unknowns(result: HostResult) -> list[tuple[str, str, str]]:
    """Return (id, needs, status) of what could not be judged."""
    return [(item.id, item.needs, item.status) for item in result.unknown]
