# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make SELinux let nginx do what it denies: the ways that there are, the narrowest first, each with what it opens.

For a port: a boolean that is made for what listens there, then a label of the port together with the boolean that lets nginx connect to that label
(the label alone does mostly not), then httpd_can_network_connect. Of several booleans that would do, one that another port of the host cannot do
without comes first. For a socket: the label that the policy has for its path, then a label for a
folder that is made for it; and what only a person can do. A port keeps its label where a service of the host needs it.

SELinux is never switched off, no domain made permissive, no module generated.

This module is private to the collection.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import selinux, selinux_policies, starting
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg, Process
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux import Access, Bind, Check, Label
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.selinux_policies import BOOLEANS, NGINX, SOCKETS, UNCONFINED, WEB_PORT

BOOLEAN, PORT, FCONTEXT = "selinux_boolean", "selinux_port", "selinux_fcontext"

_NAME = re.compile(r"[A-Za-z0-9_]{1,128}", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9_./@+-]{1,1000}", re.ASCII)
# Folders that nobody makes for anything but sockets and the like.
_OF_SOCKETS = ("run", "sock", "socks", "socket", "sockets")
# Folders of the system, of which no service is the only user.
_SHARED = ("/", "/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm", "/var", "/srv", "/home", "/opt", "/usr", "/etc", "/root", "/var/lib", "/var/www")
_HOMES = ("httpd_enable_homedirs", "httpd_read_user_content")


@dataclass(frozen=True)
class Way:
    """One way to let nginx do what is denied.

    does      a clause: "turn on httpd_can_network_connect_db"
    opens     what it opens, a sentence without its full stop
    changes   pairs of a remedy and an item for it; () where a person has to do it
    command   what a person types
    why_not   why there are no changes, or ""
    """

    does: str
    opens: str
    changes: tuple[tuple[str, dict], ...] = ()
    command: str = ""
    why_not: str = ""


# --- ports


def to_connect(host: Host, leg: Leg, access: Access, check: Check) -> tuple[Way, ...]:
    """Return the ways to let nginx connect to the TCP port of a leg, the best first."""
    family = _family(host)
    known = access.domain == NGINX
    told = check.booleans is not None
    names = check.booleans if told else _by_source(host, check.kind, family, known)
    purpose = _narrow(host, names, check.kind) if known else ()
    wide, others = [], []
    for name in sorted(set(names) - set(purpose)):
        boolean = BOOLEANS.get(name) if known else None
        meant = boolean and boolean.meant and boolean.fits(check.kind)
        (wide if meant else others).append(_turn_on(access, name, told))
    labels = [way for way in (_relabel(host, access, check, label) for label in check.labels if label.type == _label_for(leg)) if way]
    ways = (*(_turn_on(access, name, told) for name in purpose), *sorted(labels, key=lambda way: not way.changes), *wide, *others)
    return tuple(_for_root(leg.instance, way) for way in ways)


def _for_root(instance: Instance | None, way: Way) -> Way:
    """Return a way, which only a person goes where root does not run the nginx: what a site's own program in nginx's domain calls itself, it chooses."""
    user = _user(instance)
    return replace(way, changes=(), why_not=way.why_not or f"this nginx is run by uid {user}, and any program may call itself one") if user else way


def _user(instance: Instance | None) -> int:
    """Return the id of the user who runs an nginx, 0 too where that is not known."""
    return ((instance.raw.get("master") if instance else None) or {}).get("uid") or 0


def met_since(leg: Leg) -> float:
    """Return when nginx was connected to the endpoint of a leg after it was last denied (epoch), or 0.0."""
    since = max((group["last"] or 0.0 for group in leg.logged("connect-denied")), default=0.0)
    after = max((group["last"] or 0.0 for group in leg.met_groups), default=0.0)
    return after if after > since else 0.0


def on_until_boot(host: Host, access: Access, kind: str) -> tuple[str, ...]:
    """Return the booleans that are on and by the source of the policy let nginx connect to a type of port, where all of them are off after the next boot."""
    later = host.selinux.booleans_at_boot
    if later is None or access.domain != NGINX:
        return ()
    on = [item.name for item in BOOLEANS.values() if item.fits(kind) and host.selinux.booleans.get(item.name)]
    return tuple(on) if not any(later.get(name, True) for name in on) else ()


def to_listen(host: Host, bind: Bind) -> Way:
    """Return the way to let nginx listen on a port: the label of the ports of web servers, where its domain may bind them as it is."""
    domain, port = bind.domain, bind.port
    does = f"label TCP port {port} {WEB_PORT} instead of {bind.type}"
    opens = f"every program in {domain} may listen on it, and connect to it where it may connect to web servers"
    why_not = _on_purpose(bind.local, bind.type) or _needed(host, port, domain)
    if not any(label.type == WEB_PORT and label.allowed for label in bind.labels):
        why_not = f"that {domain} may listen on ports of that label is not known here"
    # The role has nginx load its configuration when the port may be bound.
    instance = next((instance for instance in host.instances if instance.id == bind.instance), None)
    listen = instance.raw.get("conf_path") or instance.id if instance and instance.running else ""
    item = {"port": port, "protocol": "tcp", "type": WEB_PORT, "booleans": [], **({"listen": listen} if listen else {})}
    return _for_root(instance, Way(does, opens, () if why_not else ((PORT, item),), _semanage(port, WEB_PORT, bind.record), why_not))


def _label_for(leg: Leg) -> str:
    """Return the label of ports for what nginx speaks with a backend."""
    return "memcache_port_t" if leg.route.directive == "memcached_pass" else WEB_PORT


def _narrow(host: Host, names: Iterable[str], kind: str) -> tuple[str, ...]:
    """Return those of some booleans that are made for a type of port and do not open all: first what is turned on anyway, then the narrower."""
    return tuple(sorted(_made_to_open(names, kind), key=lambda name: name not in _turned_on_anyway(host)))


def _made_to_open(names: Iterable[str], kind: str) -> list[str]:
    return [item.name for item in BOOLEANS.values() if item.name in names and item.meant and item.fits(kind) and not item.wide]


def _turned_on_anyway(host: Host) -> set[str]:
    """Return the booleans that a port which nginx is denied for sure leaves no choice about."""
    choices = [
        _made_to_open(check.booleans or (), check.kind)
        for leg in host.legs
        if leg.endpoint.kind == "tcp" and leg.selinux and leg.selinux.denies and leg.selinux.domain == NGINX and not met_since(leg) and not _user(leg.instance)
        for check in leg.selinux.refused[:1]
    ]
    return {names[0] for names in choices if len(names) == 1}


def _family(host: Host) -> str:
    return selinux_policies.family_of(((host.answer("host")["value"] or {}).get("os") or {}).get("id") or "")


def _by_source(host: Host, kind: str, family: str, known: bool) -> list[str]:
    """Return the booleans that are off here and by the source of the policy open a type of port."""
    off = {name for name, on in host.selinux.booleans.items() if not on}
    return [item.name for item in selinux_policies.named_for(kind, family) if item.name in off] if known else []


def _opened(domain: str, name: str) -> str:
    boolean = BOOLEANS.get(name) if domain == NGINX else None
    return f"lets every program in {domain} {boolean.opens}" if boolean else "opens more than this, which is not known here"


def _turn_on(access: Access, name: str, told: bool) -> Way:
    """Return the way by a boolean; told: the host's own policy says that it suffices."""
    boolean = BOOLEANS.get(name) if access.domain == NGINX else None
    why_not = ""
    if not told:
        why_not = "that it suffices is so by the source of this policy; the host could not tell"
    elif not boolean or not boolean.meant or not _NAME.fullmatch(name):
        why_not = "it is made for something else"
    changes = () if why_not else ((BOOLEAN, {"name": name, "value": True}),)
    return Way(f"turn on {name}", f"it {_opened(access.domain, name)}", changes, f"setsebool -P {shlex.quote(name)} on", why_not)


def _relabel(host: Host, access: Access, check: Check, label: Label) -> Way | None:
    """Return the way by another label for the port; None where that label would not let nginx connect, or only a boolean would that needs no label."""
    family = _family(host)
    told = label.allowed or label.booleans is not None
    names = () if label.allowed else label.booleans if label.booleans is not None else _by_source(host, label.type, family, access.domain == NGINX)
    fitting = _narrow(host, names, label.type)
    if access.domain != NGINX or not label.allowed and not fitting or check.port is None:
        return None
    # One that is on until the next boot alone is turned on for good with it.
    booleans = list((on_until_boot(host, access, label.type) if label.allowed else fitting)[:1])
    lasting = " for good" if booleans and label.allowed else ""
    does = f"label TCP port {check.port} {label.type} instead of {check.kind}" + (f" and turn on {booleans[0]}{lasting}" if booleans else "")
    opens = f"the port counts as one of {label.type} for every program" + (f", and the boolean {_opened(access.domain, booleans[0])}" if booleans else "")
    why_not = "" if told else "that the boolean suffices is so by the source of this policy; the host could not tell"
    why_not = why_not or _on_purpose(check.local, check.kind) or _needed(host, check.port, access.domain)
    item = {"port": check.port, "protocol": "tcp", "type": label.type, "booleans": booleans}
    command = _semanage(check.port, label.type, check.record) + "".join(f" && setsebool -P {shlex.quote(name)} on" for name in booleans)
    return Way(does, opens, () if why_not else ((PORT, item),), command, why_not)


def _needed(host: Host, port: int, domain: str) -> str:
    """Return who on this host needs the label that a port has, or "": a confined service may bind its own label alone."""
    for listener in host.listeners:
        if listener.endpoint.kind != "tcp" or listener.endpoint.port != port:
            continue
        for process in listener.processes:
            runs_in = host.selinux.domain_of(process.pid)
            if not runs_in:
                return f"{process.label} listens on it, in a domain that is not known and that may need its label"
            if runs_in not in (*UNCONFINED, domain):
                return f"{process.label} listens on it in {runs_in}, which could not any more"
        if not listener.processes:
            return "what listens on it is not known, and may need its label"
    return ""


def _on_purpose(local: bool, kind: str) -> str:
    return f"somebody of this host gave the port the label {kind} on purpose" if local else ""


def _semanage(port: int, kind: str, record: tuple[int, ...]) -> str:
    """Return the command that labels a port. One of which the policy has a record of its own could only be modified before SELinux userspace 3.7."""
    return f"semanage port {'-m' if record == (port, port) else '-a'} -t {shlex.quote(kind)} -p tcp {port}"


# --- sockets


def to_socket(host: Host, leg: Leg, access: Access) -> tuple[Way, ...]:
    """Return the ways to let nginx use the Unix socket of a leg, the best first."""
    refused = access.refused
    peers = [check for check in refused if check.permission == selinux.CONNECT_TO]
    if peers:
        return tuple(_for_root(leg.instance, way) for way in _other_domain(host, leg, access, peers[0]))
    ways = [_unproven(access, way) for way in _other_label(host, leg, access)]
    return tuple(_for_root(leg.instance, way) for way in ways)


def _unproven(access: Access, way: Way) -> Way:
    """Return a way, which is for a person where the probe did not get as far as to the program: that nginx may connect to that is not known."""
    if any(check.permission == selinux.CONNECT_TO for check in access.checks):
        return way
    why_not = way.why_not or "no connection reached what listens there, so that it may have a domain that nginx may not connect to"
    return replace(way, changes=(), why_not=why_not)


def _other_domain(host: Host, leg: Leg, access: Access, check: Check) -> Iterator[Way]:
    """Yield what a person can do where the domain of the listening program is one that nginx may not connect to, whatever label the socket has."""
    for name in check.booleans or ():
        yield _turn_on(access, name, True)
    program = program_of(leg)
    why_not = f"no label of the socket lets {access.domain} connect to a program in {check.kind}"
    yield Way(
        f"let {program.comm if program else 'the program'} listen on a TCP port of 127.0.0.1 that nginx may connect to, and point the pass there",
        "every user of this host can then connect to it",
        why_not=why_not,
    )
    yield Way(
        f"let it run in {access.domain}: label the file that its unit starts httpd_exec_t and its own files httpd_sys_content_t, and restart it",
        f"it may then do what nginx may, and no more of what {check.kind} could",
        why_not=why_not,
    )


def program_of(leg: Leg) -> Process | None:
    """Return the program that listens; systemd, which holds a socket that it made, comes last."""
    held = [process for listener in leg.listeners for process in listener.processes]
    return next((process for process in held if process.comm != "systemd"), held[0] if held else None)


def _other_label(host: Host, leg: Leg, access: Access) -> Iterator[Way]:
    socket = next((check for check in access.refused if check.permission == selinux.WRITE), None)
    above = [check for check in access.refused if check is not socket]
    path = (leg.walk or {}).get("walk") or []
    real = path[-1]["path"] if path else leg.endpoint.plain_path
    home = real.rpartition("/")[0]
    lost = _lost(access)
    if lost:
        # A new socket gets the label of its folder: a wrong one there would be back with the next start.
        restore = [check.path for check in lost]
        does = f"give {' and '.join(restore)} the label that the policy has for {'them' if len(lost) > 1 else 'it'} ({selinux.kind_of(lost[-1].expected)})"
        opens = "nothing is opened by what it should have anyway"
        items = [{"path": check.path, "pattern": "", "type": selinux.kind_of(check.expected), "restore": [check.path]} for check in lost]
        yield _labelled(items, "", does, opens, f"restorecon -v {_quoted(restore)}")
        return
    through = _for_homes(above)
    if through and not socket:
        yield _turn_on(access, through, True)
    kinds = _usable(host, access, socket)
    made = _made_for(host, leg, home)
    elsewhere = [check for check in above if not (made and check.path == home)]
    boolean = _for_homes(elsewhere)
    if made and kinds and (not elsewhere or boolean):
        kind = kinds[0]
        pattern = f"{re.escape(home)}(/.*)?"
        does = f"label {home}, {made}, and what is in it {kind}" + (f", and turn on {boolean}" if boolean else "")
        opens = f"every program in {access.domain} may change what is in {home}" + (f", and the boolean {_opened(access.domain, boolean)}" if boolean else "")
        command = f"semanage fcontext -a -t {kind} {shlex.quote(pattern)} && restorecon -Rv {shlex.quote(home)}"
        command += f" && setsebool -P {boolean} on" if boolean else ""
        yield _labelled([{"path": real, "pattern": pattern, "type": kind, "restore": [home, real]}], boolean, does, opens, command)
    yield _move(host, leg, access, kinds)


def _labelled(items: list[dict], boolean: str, does: str, opens: str, command: str) -> Way:
    odd = next((item["path"] for item in items if not _PATH.fullmatch(item["path"]) or not _NAME.fullmatch(item["type"])), "")
    changes = [(FCONTEXT, item) for item in items] + ([(BOOLEAN, {"name": boolean, "value": True})] if boolean else [])
    return Way(does, opens, () if odd else tuple(changes), command, f"{odd} is no plain path" if odd else "")


def _lost(access: Access) -> tuple[Check, ...]:
    """Return the files that have lost the label that the policy has for them, the topmost first, where nginx may use all of them with it; else ()."""
    lost = [check for check in access.checks if check.path and check.expected and selinux.kind_of(check.expected) != check.kind]
    if not all(check in lost and _may_use(check, selinux.kind_of(check.expected)) for check in access.refused):
        return ()
    last = access.refused[-1]
    # Of the folders that it may use as they are, the one that a socket is made in counts too.
    home = last.path.rpartition("/")[0] if last.permission == selinux.WRITE else ""
    return tuple(check for check in lost if check in access.refused or check.path == home and home not in _SHARED)


def _may_use(check: Check, kind: str) -> bool:
    return any(label.type == kind and label.allowed for label in check.labels)


def _usable(host: Host, access: Access, socket: Check | None) -> tuple[str, ...]:
    """Return the labels of a socket to which nginx may write, by the kernel where it was asked, else by the source of the policy."""
    if socket and socket.labels:
        return tuple(label.type for label in socket.labels if label.allowed and label.type in SOCKETS.values())
    kind = SOCKETS.get(_family(host), "")
    return (kind,) if access.domain == NGINX and kind else ()


def _made_for(host: Host, leg: Leg, folder: str) -> str:
    """Return why a folder is one that is made for sockets, in words, or ""."""
    if folder in _SHARED:
        return ""
    for name in sorted({process.unit for listener in leg.listeners for process in listener.processes if process.unit}):
        made = starting.unit_named(host, name).get("runtime_directory") or ()
        if starting.UNIT.fullmatch(name) and folder in [f"/run/{one}" for one in made]:
            return f"the RuntimeDirectory of {name}"
    return "a folder of sockets by its name" if folder.rpartition("/")[2] in _OF_SOCKETS else ""


def _for_homes(folders: Iterable[Check]) -> str:
    """Return the boolean for homes that lets nginx through all of some folders, the narrower first, or ""."""
    given = [set(check.booleans or ()) for check in folders]
    common = set.intersection(*given) if given else set()
    return next((name for name in _HOMES if name in common), "")


def _move(host: Host, leg: Leg, access: Access, kinds: tuple[str, ...]) -> Way:
    """Return how a person moves a socket to where nginx may use it."""
    program = program_of(leg)
    php = bool(program and program.comm.startswith("php-fpm"))
    kind = kinds[0] if kinds else "httpd_var_run_t"
    name = leg.endpoint.plain_path.rpartition("/")[2]
    if php:
        place = "/run/php-fpm" if _family(host) == selinux_policies.FEDORA else "/run/php"
        does = f"let the pool listen on {place}/{name}, a folder that has the right label, and point the pass there"
        return Way(does, "nothing more is opened", why_not="a socket gets the label of the folder that it is made in")
    unit = program.unit.rpartition(".")[0] if program and starting.UNIT.fullmatch(program.unit) else "NAME"
    place = f"/run/{unit}"
    label = f"semanage fcontext -a -t {kind} {shlex.quote(re.escape(place) + '(/.*)?')}"
    does = f"give the unit RuntimeDirectory={unit}, label that folder ({label}), let the program listen on {place}/{name}, and point the pass there"
    return Way(does, f"every program in {access.domain} may change what is in {place}", why_not="a socket gets the label of the folder that it is made in")


def _quoted(paths: Iterable[str]) -> str:
    return " ".join(shlex.quote(path) for path in paths)
