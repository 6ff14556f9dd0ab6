# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux denies nginx the Unix socket of the backend.

## What it is
To connect to a Unix socket, nginx's domain (mostly httpd_t) must be allowed to search each folder above it, to write to the socket by its label, and to
connect to the domain of the program that listens. A socket under /srv, in a home, or made by a service without a policy of its own has
another label: "permission denied" (13) and a 502, whatever owner, mode and access list say.

## How it is recognised
The kernel is asked what it decides for the context of a worker and the labels of the folders, of the socket and of the listening program: it denies one
of them, and SELinux enforces. That is proof. A probe runs in another domain, and that it gets through says nothing. Without a decision
of the kernel, its record of a denial (AVC) is a likely sign, and nginx's log alone a possible one, where permissions do not explain it.

## Fix
A path that has lost the label which the policy has for it gets it back. A folder that is made for the socket gets the label of nginx's own sockets, and
with it each socket that is made there later. In a home, the boolean for homes besides, where that suffices. All else is for a person, and told: move
the socket below /run; where the domain of the program is what nginx may not connect to, no label helps. Risky. Never permissive, never a
module that allows what was logged.

## When it stays silent
The kernel allows it now, whatever an old log says. SELinux is permissive, or the domain is: then nothing is denied, and what would be once it enforces
is a risk. Permissions of the socket or of a folder are causes of their own (socket-permission, socket-directory-permission), and so is
an AppArmor profile (apparmor-denied).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _widening
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import access as permissions
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import selinux
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_hand, by_ways, on_leg, or_risk, other_ways
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_decision, show_denial, show_log, show_probe

_DENIED = "connect-denied"
_LOOK = "ausearch -m avc -ts recent"
_MODES, _FOLDERS = "socket-permission", "socket-directory-permission"


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each Unix socket that SELinux keeps nginx from."""
    for leg in host.legs:
        if leg.endpoint.kind != "unix":
            continue
        access = leg.selinux
        if access and access.refused:
            yield _decided(host, leg, access)
        elif host.selinux.enforcing and (not access or access.undecided):
            yield from _seen(host, leg)


def _decided(host: Host, leg: Leg, access: selinux.Access) -> Finding:
    ways = _widening.to_socket(host, leg, access)
    said = f"nginx, which runs in {access.domain}, the socket {leg.endpoint.path}: {_what(leg, access.refused)}"
    boot = ", which the next boot brings" if host.selinux.boot == selinux.ENFORCING else ""
    finding = on_leg(
        host,
        RULE.id,
        leg,
        PROVEN,
        f"SELinux denies {said}." if access.enforced else f"SELinux would deny {said}; it does as soon as it enforces{boot}.",
        [show_config(leg), *show_decision(access), *show_denial(_denial(host, leg)), *show_probe(leg), *show_log(leg, _DENIED), *other_ways(ways)],
        by_ways(ways),
        next((way.command for way in ways if way.command), f"ls -Zd {leg.endpoint.quoted_path}"),
    )
    return or_risk(finding, access.enforced)


def _what(leg: Leg, refused: tuple[selinux.Check, ...]) -> str:
    """Return in words what is denied."""
    words = []
    for check_ in refused:
        if check_.permission == selinux.CONNECT_TO:
            program = _widening.program_of(leg)
            words.append(f"{program.comm if program else 'the program that listens'} runs in {check_.kind}, to which it may not connect")
        else:
            what = "its label is" if check_.permission == selinux.WRITE else f"{check_.path} has the label"
            words.append(f"{what} {check_.kind}")
    return ", and ".join(words[-3:])


def _denial(host: Host, leg: Leg) -> selinux.Denial | None:
    steps = [step["path"] for step in (leg.walk or {}).get("walk") or () if step["type"] == "socket"]
    kinds = tuple(check_.kind for check_ in leg.selinux.checks) if leg.selinux else ()
    return host.selinux.denial_at(leg.endpoint, (leg.endpoint.path, *steps), leg.instance.loaded, kinds)


def _seen(host: Host, leg: Leg) -> Iterator[Finding]:
    """Yield what the logs say where there is no decision of the kernel and permissions do not explain them."""
    denial = _denial(host, leg)
    if not leg.logged(_DENIED) or leg.connect not in ("", "ok") or permissions.denial(leg):
        return
    yield on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if denial else POSSIBLE,
        f"SELinux enforces and {'denied' if denial else 'may deny'} nginx the socket {leg.endpoint.path}; what the kernel decides about it is not known.",
        [show_config(leg), *show_denial(denial), *show_probe(leg), *show_log(leg, _DENIED)],
        by_hand("Diagnose as root and with probes, so that the kernel can be asked; then the label or boolean that is missing is told."),
        _LOOK,
        (_MODES, _FOLDERS),
    )


RULE = Rule(
    id="selinux-socket-label",
    title="SELinux denies nginx the socket of the backend",
    needs=("nginx", "error_log", "selinux"),
    check=check,
)
