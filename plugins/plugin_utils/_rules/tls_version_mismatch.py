# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx and the backend have no TLS version or cipher in common.

## What it is
nginx speaks to a backend the versions of proxy_ssl_protocols (grpc_, uwsgi_ likewise). Its default is TLS 1.0 to
1.2 before nginx 1.23.4, with TLS 1.3 since, without TLS 1.0 and 1.1 since 1.27.3. A backend that takes TLS 1.3
alone fails behind an old nginx, one of TLS 1.0 behind a new one, or behind an OpenSSL that has nothing for it any
more. The same with proxy_ssl_ciphers.

## How it is recognised
The handshake that nginx makes fails twice, and one in a version that nginx does not speak, or with the usual ciphers,
succeeds: proven. Where only a version that nginx may speak and its OpenSSL refuses is taken: likely. The alert
"protocol version" (70) alone, or nginx's own refusal, in a handshake or in the log of the configuration that runs: likely; "handshake failure"
(40) has several causes: possible, where no handshake could be tried.

## Fix
proxy_ssl_protocols with the version that the backend takes, or the ciphers that it has. Risky. A backend that knows
TLS 1.0 or 1.1 alone is to be updated.

## When it stays silent
The handshake succeeds as it is, now or at the second attempt; a server name alone makes it succeed; no version does. A version that
this host's OpenSSL cannot try is no version that the backend refuses.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import tls
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_directive, show_handshakes, show_log, show_probe

_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OLD = _VERSIONS[:2]
_VERSION, _FAILURE = 70, 40


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each TLS pass that has nothing in common with its backend."""
    for leg in host.legs:
        found = tls.settings(leg.route, leg.endpoint)
        if not found:
            continue
        taken = _taken(leg, found)
        versions = tuple(version for version in _VERSIONS if any(item["version"] == version for item in taken))
        certainty = _certainty(leg, found, versions, taken) if taken else _by_log(leg, found)
        if not certainty:
            continue
        directive = found.ciphers if _about_ciphers(found, versions) else found.protocols
        yield on_leg(
            host,
            RULE.id,
            leg,
            certainty,
            _says(leg, found, versions, taken),
            [
                show_config(leg),
                show_directive(directive),
                *show_probe(leg),
                *show_handshakes(leg, [item for item in tls.shaken(leg) if len(item["versions"]) == 1 or item in taken]),
                *show_log(leg, "tls-alert", "tls-incompatible", "tls-closed"),
                *_named(taken, found),
            ],
            _fix(host, leg, found, versions, taken),
            f"openssl s_client -connect {leg.endpoint}" if leg.endpoint.kind == "tcp" else "",
            alternatives=("tls-sni-missing", "the backend wants a certificate of nginx") if certainty == POSSIBLE else (),
            at=directive.at or leg.route.at,
        )


def _taken(leg: Leg, found: tls.Settings) -> list[dict]:
    """Return the handshakes of other versions or ciphers that succeeded where nginx's own failed: with its name, or else with another."""
    own = tls.own_again(leg, found)
    if not own or found.unlike or leg.probe.asked["status"] == "untrusted" or tls.greeted(leg):
        return []
    others = [item for item in tls.shaken(leg, status="ok") if item["versions"] != own["versions"] or item["ciphers"] != own["ciphers"]]
    if any(item["versions"] == own["versions"] and item["ciphers"] == own["ciphers"] for item in tls.shaken(leg, status="ok")):
        # A name alone does it.
        return []
    return [item for item in others if item["name"] == own["name"]] or [item for item in others if item["name"] in ("", *found.names)]


def _about_ciphers(found: tls.Settings, versions: tuple[str, ...]) -> bool:
    """Return whether a version is common, so that the ciphers are not."""
    return any(version in found.protocols.args and version not in _OLD for version in versions)


def _certainty(leg: Leg, found: tls.Settings, versions: tuple[str, ...], taken: list[dict]) -> str:
    if tls.own_again(leg, found)["status"] == "untestable":
        # The OpenSSL of this host's Python refuses, which need not be that of nginx.
        return PROVEN if leg.logged("tls-incompatible") else LIKELY
    if not any(version in found.protocols.args for version in versions):
        return PROVEN
    if _about_ciphers(found, versions) and any(item["ciphers"] == "DEFAULT" for item in taken):
        return PROVEN if found.ciphers.args != ("DEFAULT",) else LIKELY
    return PROVEN if leg.logged("tls-incompatible", "tls-alert") else LIKELY


def _by_log(leg: Leg, found: tls.Settings) -> str:
    """Return how certain the log makes it; nothing where the probe's own handshakes say otherwise."""
    if not tls.open_to_log(leg):
        return ""
    alerts = tls.alerts(leg)
    if _VERSION in alerts or leg.logged("tls-incompatible"):
        return LIKELY
    # What the further handshakes did not find is not supposed.
    return POSSIBLE if _FAILURE in alerts and not tls.shaken(leg) and found.sends and not found.shows else ""


def _too_weak(found: tls.Settings, versions: tuple[str, ...], taken: list[dict]) -> bool:
    """Return whether the backend is taken at a lower security level alone, in a version that is not old."""
    return _about_ciphers(found, versions) and not any(item["ciphers"] == "DEFAULT" for item in taken)


def _says(leg: Leg, found: tls.Settings, versions: tuple[str, ...], taken: list[dict]) -> str:
    speaks = f"nginx speaks {' '.join(found.protocols.args)} to {leg.endpoint}"
    if not versions:
        return f"{speaks}, with which it has no version or cipher of TLS in common."
    if _too_weak(found, versions, taken):
        return f"{speaks}, whose keys or parameters in {' '.join(versions)} are too weak for OpenSSL's usual security level."
    if _about_ciphers(found, versions):
        return f"{speaks} with the ciphers {' '.join(found.ciphers.args)}, of which it has none; it takes {' '.join(versions)} with others."
    if any(version in found.protocols.args for version in versions):
        return f"{speaks}, which takes {' '.join(versions)} alone, and OpenSSL has no cipher for that at its usual security level."
    return f"{speaks}, which takes {' '.join(versions)}."


def _named(taken: list[dict], found: tls.Settings) -> list[Evidence]:
    names = {item["name"] for item in taken} - {found.sends}
    return [Evidence("TLS handshakes", f"taken with the server name {name} alone") for name in sorted(names) if name]


def _fix(host: Host, leg: Leg, found: tls.Settings, versions: tuple[str, ...], taken: list[dict]) -> Fix:
    if not versions:
        summary = f"Compare {found.prefix}_ssl_protocols and {found.prefix}_ssl_ciphers with what the backend takes."
        return by_hand(summary)
    if all(version in _OLD for version in versions):
        return by_hand(f"Update the backend: it takes {' '.join(versions)} alone, which is not safe any more.")
    if _too_weak(found, versions, taken):
        weak = f"{found.prefix}_ssl_ciphers DEFAULT:@SECLEVEL=0"
        summary = f"Give the backend keys and parameters of today's length; {weak} takes the weak ones, which is not safe."
        return by_hand(summary)
    if _about_ciphers(found, versions):
        where = _pointing.handshake_place(leg, found.prefix, "ciphers")
        summary = f"At {where}: {found.prefix}_ssl_ciphers DEFAULT; or ciphers that the backend has."
        return _told(host, leg, found, summary, ciphers="DEFAULT")
    protocols = [version for version in _VERSIONS if version not in _OLD and version in (*found.protocols.args, *versions)]
    wanted: dict[str, object] = {"protocols": protocols}
    lines = f"{found.prefix}_ssl_protocols {' '.join(protocols)};"
    name = next((item["name"] for item in taken if item["name"] != found.sends), "")
    if name:
        lines += f" {found.prefix}_ssl_server_name on; {found.prefix}_ssl_name {name};"
        wanted |= {"server_name": True, "name": name}
    return _told(host, leg, found, f"At {_pointing.handshake_place(leg, found.prefix, 'protocols')}: {lines}", **wanted)


def _told(host: Host, leg: Leg, found: tls.Settings, summary: str, **wanted: object) -> Fix:
    changes = _pointing.handshake(leg, found.prefix, **wanted) if _pointing.alike(host, leg) else ()
    return by_changes("upstream_tls", summary, changes)


RULE = Rule(
    id="tls-version-mismatch",
    title="nginx and the backend have no TLS version or cipher in common",
    needs=("nginx", "error_log"),
    check=check,
)
