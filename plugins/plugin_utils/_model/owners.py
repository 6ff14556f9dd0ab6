# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs, or should run, the program behind an endpoint.

systemd units, PHP-FPM pools, supervisor programs, PM2 apps and containers are told in one form, so that a rule
need not know which manager it was.

This module is private to the collection.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import containers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint

RUNNING = "running"
STOPPED = "stopped"
FAILING = "failing"
STARTING = "starting"
UNKNOWN = "unknown"

# A program that lived this long, in seconds, did start; one that died sooner did not.
_LIVED = 10.0
# SIGHUP, SIGINT, SIGKILL and SIGTERM come from outside; a program that fails by itself exits or dumps (signal(7)).
_KILLS = ("1", "2", "9", "15", "HUP", "INT", "KILL", "TERM")
# So many restarts by its manager are a loop, even when it happens to be up at the moment of asking.
_LOOPING = 3


# Programs whose listening socket is the near end of a tunnel, and the word of the command line that makes them one.
_TUNNELS = {
    "ssh": r"-[A-Za-z]*[LD]\S*|LocalForward",
    "autossh": r"-[A-Za-z]*[LD]\S*|LocalForward",
    "stunnel": "",
    "stunnel4": "",
    "socat": "",
    "kubectl": "port-forward",
    "cloudflared": "access",
    "chisel": "client",
    "wstunnel": "client",
    "cloud-sql-proxy": "",
}


def tunnel_of(command: str | Sequence[str]) -> str:
    """Return the name of the tunnel program that a command line starts, or ""; a shell or a wrapper around it is looked through."""
    words = re.split(r"\s+", command if isinstance(command, str) else " ".join(command))
    for at, word in enumerate(words):
        name = word.strip("\"'").rpartition("/")[2]
        if name in _TUNNELS and (not _TUNNELS[name] or any(re.match(_TUNNELS[name], other) for other in words[at + 1 :])):
            return name
    return ""


@dataclass(frozen=True)
class Claim:
    """Where a manager's own configuration says that its program listens, and where it says so."""

    endpoint: Endpoint
    source: str
    tunnel: str = ""


@dataclass(frozen=True)
class Owner:
    """A unit, pool, program, app or container, and the state that its manager gives. container is the id of the last, else ""."""

    kind: str
    name: str
    state: str
    says: str
    source: str
    claims: tuple[Claim, ...] = ()
    pids: tuple[int, ...] = ()
    unit: str = ""
    lines: tuple[str, ...] = ()
    start: str = ""
    look: str = ""
    at: str = ""
    enabled: bool = False
    private_tmp: bool = False
    custom: bool = False
    tunnel: str = ""
    container: str = ""

    @property
    def label(self) -> str:
        """Return the owner as a person calls it: "systemd unit shop.service"."""
        return f"{self.kind} {self.name}"

    def tunnel_at(self, endpoint: Endpoint) -> str:
        """Return the program that makes an endpoint the near end of a tunnel, or ""."""
        claim = self.claim_on(endpoint)
        return (claim.tunnel or self.tunnel) if claim else self.tunnel

    def claim_on(self, endpoint: Endpoint) -> Claim | None:
        """Return the claim that covers an endpoint, or None."""
        for claim in self.claims:
            if _covers(claim.endpoint, endpoint):
                return claim
        return None


def owners_of(answers: dict) -> tuple[Owner, ...]:
    """Return every owner that the answers tell of."""
    backends = (answers.get("backends") or {}).get("value") or {}
    units = _items(backends.get("units"))
    now = ((answers.get("host") or {}).get("value") or {}).get("now") or 0.0
    found = [_unit(unit, now) for unit in units]
    by_name = {owner.name: owner for owner in found}
    found += [_program(program) for program in _items(backends.get("supervisor"))]
    found += [_app(app) for app in _items(backends.get("pm2"))]
    php = (answers.get("php_fpm") or {}).get("value") or {}
    found += [_pool(pool, by_name.get(pool.get("unit"))) for pool in php.get("pools") or ()]
    found += [container_owner(item, now) for item in containers.Containers.of(answers.get("containers") or {}).every]
    return tuple(found)


def _items(answer: dict | None) -> list:
    value = (answer or {}).get("value") or []
    return value if isinstance(value, list) else []


def _covers(claim: Endpoint, endpoint: Endpoint) -> bool:
    if claim.kind != endpoint.kind:
        return False
    if claim.kind == "unix":
        return claim.usual_path == endpoint.usual_path
    same = claim.address in ("*", "0.0.0.0", "::", endpoint.address) or _loopback(claim.address) and _loopback(endpoint.address)
    return claim.port == endpoint.port and same


def _loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


def _claims(item: dict) -> tuple[Claim, ...]:
    return tuple(Claim(_local(Endpoint.parse(claim["endpoint"])), claim["from"], claim.get("tunnel") or "") for claim in item.get("claims") or ())


def _local(endpoint: Endpoint) -> Endpoint:
    """Return "localhost" as the loopback address that it is on every host."""
    return Endpoint.tcp("127.0.0.1", endpoint.port) if endpoint.kind == "name" and endpoint.name == "localhost" else endpoint


def unit_state(unit: dict, now: float) -> str:
    """Return the state of a systemd unit.

    A unit that is "failed" after it served for a while, or because somebody stopped or killed it (a
    program may end with an error even then), was started and then stopped; one that is "failed" at once,
    waits for its next start after a short life, or is started again and again, fails to start.
    """
    active, sub, restarts = unit.get("active"), unit.get("sub"), unit.get("restarts") or 0
    started, exited = unit.get("started") or 0.0, unit.get("exited") or 0.0
    lived = bool(started) and bool(exited) and exited - started >= _LIVED
    if active == "failed":
        killed = unit.get("code") == "killed" and str(unit.get("status")) in _KILLS
        stopped = unit.get("asked_to_stop") or not restarts and (lived or killed)
        return STOPPED if stopped else FAILING
    if sub == "auto-restart":
        return STARTING if lived and not restarts else FAILING
    if active == "activating" and restarts >= _LOOPING:
        return FAILING
    if active in ("active", "reloading"):
        return FAILING if restarts >= _LOOPING and started and now - started < _LIVED else RUNNING
    if active == "activating":
        return STARTING
    return STOPPED if active in ("inactive", "deactivating") else UNKNOWN


def _unit(unit: dict, now: float) -> Owner:
    name = unit["name"]
    words = f"{unit.get('active')} ({unit.get('sub')})"
    if unit.get("result") not in (None, "", "success"):
        words += f", result {unit['result']}"
        if unit.get("status") and unit.get("code") in ("exited", "killed", "dumped"):
            words += f", {unit['code']} with status {unit['status']}" if unit["code"] == "exited" else f", {unit['code']} by signal {unit['status']}"
    if unit.get("restarts"):
        words += f", restarted {unit['restarts']} times"
    if unit.get("enabled"):
        words += f", {unit['enabled']}"
    quoted = shlex.quote(name)
    return Owner(
        kind="systemd unit",
        name=name,
        state=unit_state(unit, now),
        says=words,
        source=f"systemctl show {name}",
        # What runs once and ends serves nobody, whatever port its environment names.
        claims=() if unit.get("type") == "oneshot" else _claims(unit),
        pids=(unit["main_pid"],) if unit.get("main_pid") else (),
        unit=name,
        lines=tuple(unit.get("journal") or ()),
        start=f"systemctl enable --now {quoted}" if unit.get("enabled") == "disabled" else f"systemctl start {quoted}",
        look=f"journalctl -u {quoted} -n 50 --no-pager",
        at=unit.get("fragment") or "",
        enabled=unit.get("enabled") in ("enabled", "enabled-runtime"),
        private_tmp=bool(unit.get("private_tmp")),
        custom=(unit.get("fragment") or "").startswith(("/etc/systemd/system/", "/run/systemd/", "/usr/local/")) and unit.get("type") != "oneshot",
        tunnel=tunnel_of(unit.get("command") or ()),
    )


def _program(program: dict) -> Owner:
    states = {"RUNNING": RUNNING, "STOPPED": STOPPED, "EXITED": STOPPED, "STOPPING": STOPPED, "STARTING": STARTING, "FATAL": FAILING, "BACKOFF": FAILING}
    quoted = shlex.quote(program["name"])
    why = f" ({program['why']})" if program.get("why") else ""
    return Owner(
        kind="supervisor program",
        name=program["name"],
        state=states.get(program.get("state"), STOPPED if "not run" in why else UNKNOWN),
        says=f"{program.get('state')}{why}",
        source="supervisorctl status",
        claims=_claims(program),
        pids=(program["pid"],) if program.get("pid") else (),
        lines=tuple(program.get("log") or ()),
        start=f"supervisorctl start {quoted}",
        look=f"supervisorctl tail {quoted} stderr",
        at=(program.get("at") or {}).get("file", ""),
        enabled=True,
        tunnel=tunnel_of(program.get("command") or ""),
    )


def _app(app: dict) -> Owner:
    states = {"online": RUNNING, "launching": STARTING, "stopped": STOPPED, "stopping": STOPPED, "errored": FAILING, "waiting restart": FAILING}
    quoted = shlex.quote(app["name"])
    words = str(app.get("status"))
    if app.get("restarts"):
        words += f", restarted {app['restarts']} times"
    if app.get("exit_code"):
        words += f", exit code {app['exit_code']}"
    return Owner(
        kind="PM2 app",
        name=app["name"],
        state=states.get(app.get("status"), UNKNOWN),
        says=words,
        source="pm2 jlist",
        claims=_claims(app),
        pids=(app["pid"],) if app.get("pid") else (),
        lines=tuple(app.get("log") or ()),
        start=f"sudo -iu {shlex.quote(app.get('user') or 'root')} pm2 start {quoted}",
        look=f"sudo -iu {shlex.quote(app.get('user') or 'root')} pm2 logs {quoted} --lines 50 --nostream",
        at=app.get("script") or "",
        enabled=True,
    )


def _pool(pool: dict, unit: Owner | None) -> Owner:
    listen_at = pool.get("listen_at") or pool.get("at") or {}
    place = f"{listen_at.get('file', '')}:{listen_at.get('line', 0)}"
    state = RUNNING if pool.get("running") else STOPPED
    if not pool.get("running") and unit and unit.state in (FAILING, STARTING):
        state = unit.state
    name = f"{pool['name']} (PHP {pool['version']})" if pool.get("version") else pool["name"]
    why = "its master process runs" if pool.get("running") else "no PHP-FPM master process runs for it"
    if unit:
        why = f"{unit.label} is {unit.says}"
    return Owner(
        kind="PHP-FPM pool",
        name=name,
        state=state,
        says=f"{state}: {why}",
        source=unit.source if unit else "PHP-FPM processes",
        claims=(Claim(Endpoint.parse(pool["listen"]), place),) if pool.get("listen") else (),
        pids=unit.pids if unit else (),
        unit=unit.name if unit else "",
        lines=unit.lines if unit else (),
        start=unit.start if unit else "",
        look=unit.look if unit else "",
        at=place,
        enabled=bool(unit and unit.enabled),
    )


def container_owner(container: containers.Container, now: float) -> Owner:
    """Return a container as the owner of the ports of the host that lead into it."""
    program = "podman" if "podman" in container.engine else "docker"
    states = {"running": RUNNING, "paused": STOPPED, "exited": STOPPED, "created": STOPPED, "dead": FAILING, "restarting": FAILING, "removing": STOPPED}
    quoted = shlex.quote(container.word)
    ports = [port for port in container.published if port.host_port and port.protocol == "tcp"]
    claims = [Claim(Endpoint.tcp(port.address or "0.0.0.0", port.host_port), f"published ports of {container.label}") for port in ports]
    return Owner(
        kind="container",
        name=container.name or container.id[:12],
        state=FAILING if container.failing(now) else states.get(container.state, UNKNOWN),
        says=container.says(now),
        source=f"{program} inspect {quoted}",
        claims=tuple(claims),
        pids=(container.pid,) if container.pid else (),
        lines=container.words or container.health_log,
        start=f"{program} {'unpause' if container.paused else 'start'} {quoted}",
        look=f"{program} logs --tail 50 {quoted}",
        at=container.compose.file if container.compose else "",
        # What its engine starts again by itself is meant to run; without a policy nothing is known of that.
        enabled=container.restart_policy in ("always", "unless-stopped", "on-failure"),
        container=container.id,
    )
