# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS from nginx to a backend: what is in force for a route, and what the probe's handshakes showed.

Source: the *_set_ssl functions of nginx's http/modules/ngx_http_{proxy,grpc,uwsgi}_module.c and
stream/ngx_stream_proxy_module.c, ngx_http_upstream_ssl_name() in http/ngx_http_upstream.c.

This module is private to the collection.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, sent
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.routes import Route
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.target import TLS_SCHEMES

_MOST_NAMES = 4
# How a record of the handshake begins, as the probe shows bytes; an alert has another type. What a server says first of all is its ServerHello.
_HANDSHAKE = "\\x16\\x03"
# "_" and the like are written where no name is meant.
_SERVER_NAME = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class Settings:
    """What is in force for TLS to a backend.

    prefix     of its directives: "proxy", "grpc" or "uwsgi"
    sends      the server name that goes into the handshake, or ""
    name       the name that the certificate must be for; "" when only a request tells
    trusted    the directive *_ssl_trusted_certificate, or None; protocols, ciphers, depth and crl likewise
    verify     whether the certificate is verified
    shows      whether nginx has a certificate of its own to show
    reuses     whether TLS sessions are taken up again
    unlike     in what nginx differs from what is told here, or ""
    names      server names that the backend may know, the likeliest first
    """

    prefix: str
    sends: str
    name: str
    protocols: directives.Directive
    ciphers: directives.Directive
    verify: bool
    depth: directives.Directive
    trusted: directives.Directive | None
    crl: directives.Directive | None
    shows: bool
    reuses: bool
    unlike: str
    names: tuple[str, ...]

    @property
    def directives(self) -> tuple[directives.Directive, ...]:
        """Return the directives, as far as they are there."""
        return tuple(item for item in (self.protocols, self.ciphers, self.depth, self.trusted, self.crl) if item)


def settings(route: Route, endpoint: Endpoint) -> Settings | None:
    """Return what is in force for TLS from a route to an endpoint; None when it speaks none."""
    site = route.site
    prefix = "proxy" if route.family == STREAM else route.family
    if route.family == STREAM:
        switch = site.in_force("proxy_ssl")
        if not switch or not switch[0].flag or any(listen.udp for listen in site.server.listens):
            return None
    elif route.scheme not in TLS_SCHEMES:
        return None

    def value(name: str) -> directives.Directive | None:
        found = site.in_force(f"{prefix}_ssl_{name}")
        return found[-1] if found else directives.default(f"{prefix}_ssl_{name}", site.configuration.version)

    def flag(name: str) -> bool:
        found = value(name)
        return bool(found and found.flag)

    def given(name: str) -> directives.Directive | None:
        found = value(name)
        return found if found and found.args and found.args[0] else None

    name = sent.tls_name(site, prefix, route.target)
    known = len(sent.tls_names(site, prefix, route.target)) == 1 and bool(name) and not _by_value(route, prefix)
    unlike = f"{prefix}_ssl_conf_command changes what nginx speaks" if site.in_force(f"{prefix}_ssl_conf_command") else ""
    if not known and flag("server_name"):
        unlike = unlike or "the server name that nginx sends depends on the request"
    return Settings(
        prefix=prefix,
        sends=sent.server_name(site, prefix, route.target),
        name=name if known else "",
        protocols=value("protocols"),
        ciphers=value("ciphers"),
        verify=flag("verify"),
        depth=value("verify_depth"),
        trusted=given("trusted_certificate"),
        crl=given("crl"),
        shows=given("certificate") is not None,
        reuses=flag("session_reuse") or value("session_reuse") is None,
        unlike=unlike,
        names=_names(route, endpoint, name),
    )


def _by_value(route: Route, prefix: str) -> bool:
    """Return whether the name is the host of the pass and the pass has several: each request goes to one of them."""
    written = route.site.in_force(f"{prefix}_ssl_name")
    default = not written or written[0].at is None
    return default and route.upstream is None and len({peer.written for peer in route.peers}) > 1


def _names(route: Route, endpoint: Endpoint, name: str) -> tuple[str, ...]:
    candidates = [name, route.host_header(endpoint) if route.family != STREAM else "", *route.names]
    candidates += [peer.written for peer in route.peers if peer.by_name and endpoint in peer.endpoints]
    parsed = (Endpoint.parse(candidate) for candidate in candidates if candidate)
    known = [item.name for item in parsed if item.kind == NAME and _SERVER_NAME.fullmatch(item.name)]
    # A group of one word is not what a certificate is for.
    group = (route.group or "").lower()
    return tuple(dict.fromkeys(name for name in known if name != group or "." in name))[:_MOST_NAMES]


def as_target(route: Route, endpoint: Endpoint) -> dict | None:
    """Return the settings as probe_info takes them, or None."""
    found = settings(route, endpoint)
    if not found:
        return None
    return {
        "protocols": list(found.protocols.args),
        "ciphers": found.ciphers.args[0],
        "verify": found.verify,
        "depth": int(found.depth.args[0]) if found.depth.args[0].isdigit() else 1,
        "name": found.name,
        "trusted": _path(route, found.trusted),
        "crl": _path(route, found.crl),
        "client_certificate": found.shows,
        "unlike": found.unlike,
        "names": list(found.names),
    }


def _path(route: Route, directive: directives.Directive | None) -> str:
    """Return a file of the configuration as an absolute path: they are relative to the configuration file's folder."""
    if not directive:
        return ""
    return posixpath.join(posixpath.dirname(route.site.configuration.id) or "/", directive.args[0])


def shaken(leg: Leg, **wanted: object) -> list[dict]:
    """Return the further handshakes of a leg's probe in which the wanted keys are so."""
    made = leg.probe.tls.get("handshakes") or () if leg.probe else ()
    return [item for item in made if all(item.get(key) == value for key, value in wanted.items())]


def failed(leg: Leg) -> bool:
    """Return whether the leg's own handshake failed, before any request: not for what nginx's own certificate would have changed."""
    asked = leg.probe.asked if leg.probe else {}
    return bool(asked) and not asked.get("tls") and asked["status"] in ("tls-alert", "closed", "reset", "error", "untrusted")


def alerts(leg: Leg) -> set[int]:
    """Return the numbers of the TLS alerts that the log has for a leg, and that of the leg's own handshake."""
    logged = {int(group["detail"]["alert"]) for group in leg.logged("tls-alert") if str((group.get("detail") or {}).get("alert", "")).isdigit()}
    asked = leg.probe.asked if failed(leg) else {}
    return logged | ({asked["code"]} if asked.get("status") == "tls-alert" and asked.get("code") else set())


def trust_changed(leg: Leg) -> bool:
    """Return whether the trusted certificates on disk are newer than what the workers have read."""
    changed = (leg.probe.tls.get("trust") or {}).get("changed") if leg.probe else None
    return bool(changed and leg.instance.loaded and changed > leg.instance.loaded)


def own_again(leg: Leg, found: Settings) -> dict:
    """Return the handshake that repeats the leg's own: it fails again, or is refused for its certificate alone; {} when it was not made or differs."""
    if not failed(leg):
        return {}
    made = shaken(leg, name=found.sends, versions=list(found.protocols.args), ciphers=found.ciphers.args[0], verified=False)
    untrusted = leg.probe.asked["status"] == "untrusted"
    return next((item for item in made if (item["status"] == "ok") == untrusted), {})


def greeted(leg: Leg) -> bool:
    """Return whether the backend chose a version and a cipher of those offered, asked for a certificate, and refused only then: none was shown to it."""
    asked = leg.probe.asked if failed(leg) else {}
    chosen = asked.get("status") in ("tls-alert", "closed", "reset") and (asked.get("start") or "").startswith(_HANDSHAKE)
    return chosen and bool(leg.probe.tls.get("requested"))


def open_to_log(leg: Leg) -> bool:
    """Return whether the log may speak for a leg: where no probe was made, or its handshake fails for a reason that the probe does not see."""
    if not leg.probe:
        return True
    if leg.connect != "ok" or not (failed(leg) or leg.probe_was_unlike):
        return False
    made = shaken(leg)
    return not leg.probe.tls.get("requested") and not any(item["status"] == "ok" for item in made)
