# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx speaks TLS to a port that does not.

## What it is
The pass says https:// (grpcs://, suwsgi://, or proxy_ssl on in stream), and the backend answers in plain text. The
handshake fails with "wrong version number" and the client gets a 502. Before nginx 1.28.2 and 1.29.5 a backend that
answers very early may have its plain 400 handed on to the client.

## How it is recognised
A TLS handshake with the endpoint, made as nginx makes it, does not get a TLS answer, and a plain request to
the same endpoint is answered; in stream, whose protocol nobody knows, the answer that is not TLS is enough. Records of
such a handshake, made under the configuration that runs, make it likely.

## Fix
Write http:// (grpc://, uwsgi://), or proxy_ssl off. Risky: the traffic to the backend is then not encrypted.

## When it stays silent
The handshake succeeds, with or without a server name; it fails with a TLS alert; the plain request is
refused with a 400, as TLS ports do; the endpoint speaks neither.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import tls
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_changes, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

_PLAIN = {"https": ("http", ("http",)), "grpcs": ("grpc", ("http2",)), "suwsgi": ("uwsgi", ("uwsgi", "uwsgi-ping"))}
_LOGGED = ("tls-wrong-version", "tls-plain-response")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each TLS pass whose endpoint speaks plain text."""
    for leg in host.legs:
        stream = leg.route.family == "stream" and tls.settings(leg.route, leg.endpoint) is not None
        if leg.route.scheme not in _PLAIN and not stream:
            continue
        scheme, protocols = _PLAIN.get(leg.route.scheme, ("", ("http",)))
        asked = leg.probe.asked if leg.probe else {}
        plain = leg.probe.spoke(*protocols) if leg.probe else {}
        proven = stream and asked.get("status") == "not-tls" or _is_plain(asked, plain) and not _takes_tls(leg)
        if not proven and (leg.answers or asked.get("tls") or _answers_neither(leg, protocols) or not leg.logged(*_LOGGED)):
            continue
        speaks = f" ({leg.route.scheme}://)" if scheme else ""
        yield on_leg(
            host,
            RULE.id,
            leg,
            PROVEN if proven else LIKELY,
            f"nginx speaks TLS to {leg.endpoint}{speaks}, which answers in plain text.",
            [show_config(leg), *show_probe(leg, *protocols), *show_log(leg, *_LOGGED, "tls-closed")],
            _fix(host, leg, scheme),
            f"curl -sI http://{leg.endpoint}/" if leg.endpoint.kind == "tcp" and scheme == "http" else "",
            at=leg.route.at,
        )


def _fix(host: Host, leg: Leg, scheme: str) -> Fix:
    if not scheme:
        return by_hand(f"Write proxy_ssl off; for {leg.route.at}.")
    summary = f"Write {scheme}:// instead of {leg.route.scheme}:// at {leg.route.at}."
    changes = _pointing.spoken(leg, scheme) if _pointing.alike(host, leg) else ()
    return by_changes("upstream_scheme", summary, changes)


def _takes_tls(leg: Leg) -> bool:
    """Return whether any handshake succeeded."""
    return any(item.get("tls") for item in leg.probe.tries) or bool(leg.probe.spoke("https", "https-sni")) or bool(tls.shaken(leg, status="ok"))


def _answers_neither(leg: Leg, protocols: tuple[str, ...]) -> bool:
    """Return whether a plain request was made too, and did not help: it is another protocol, or none."""
    tried = [item for item in leg.probe.tries if item["speak"] in protocols] if leg.probe else []
    return bool(tried) and not any(item["status"] == "ok" for item in tried)


def _is_plain(asked: dict, plain: dict) -> bool:
    """Return whether an endpoint took a plain request and no handshake; a TLS port refuses plain text with a 400."""
    if not plain:
        return False
    return asked.get("status") == "not-tls" or asked.get("status") in ("closed", "reset", "timeout") and plain.get("code") != 400


RULE = Rule(
    id="tls-to-plain-backend",
    title="nginx speaks TLS to a plain backend",
    needs=("nginx", "probes"),
    check=check,
)
