# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pass speaks another protocol than its backend.

## What it is
HTTP, FastCGI, uwsgi, SCGI and the protocol of memcached are different languages. A proxy_pass to a PHP-FPM pool, a
fastcgi_pass to a web server, a uwsgi_pass to uWSGI's --http-socket or a pass to the port of some other service
reaches a program that does not understand the request. What the client gets depends on that program: a 502 when it closes or
resets, a 504 when it waits for more, its own 400, or bytes that are no HTTP at all.

## How it is recognised
The endpoint does not answer in the protocol of the pass and answers in another one: proven. So does one that
answers with the words of another protocol (HTTP, SSH, SMTP, Redis, MySQL). Where the probe found nothing out, records in the error log whose
numbers are letters of HTTP or TLS ("unsupported FastCGI protocol version: 72" is the H of HTTP) make it likely.

## Fix
Write the pass directive of the protocol that the backend speaks, with what belongs to it (include fastcgi_params and
SCRIPT_FILENAME, include uwsgi_params), or let the backend open a socket of the protocol of the pass
(uWSGI: --socket for uwsgi, --http-socket for HTTP). A person decides which side is wrong.

## When it stays silent
The endpoint answers in the protocol of the pass; it answers in none that is known here. TLS against plain text, and HTTP/2
against HTTP/1, are causes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import spoken
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ERROR, INVALID_HEADER, TIMEOUT, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

_WEB = (spoken.HTTP, spoken.HTTPS, spoken.HTTP2, spoken.HTTP2_TLS)
_PASS = {
    spoken.HTTP: "proxy_pass http://{0};",
    spoken.HTTPS: "proxy_pass https://{0};",
    spoken.HTTP2: "grpc_pass grpc://{0};",
    spoken.HTTP2_TLS: "grpc_pass grpcs://{0};",
    spoken.FASTCGI: "include fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass {0};",
    spoken.UWSGI: "include uwsgi_params; uwsgi_pass {0};",
    spoken.SCGI: "include scgi_params; scgi_pass {0};",
    spoken.MEMCACHED: "memcached_pass {0};",
}
_LOGGED = ("fastcgi-protocol", "memcached-protocol", "not-http", "header-invalid", "http2-protocol", "reset-early", "closed-early", "read-timeout")


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend speaks another protocol."""
    for leg in host.legs:
        wanted = spoken.wanted(leg)
        found = spoken.spoken(leg.probe) if leg.probe else None
        if not wanted:
            continue
        if found and (found.protocol == wanted or found.protocol in _WEB and wanted in _WEB):
            continue
        if found:
            yield _finding(host, leg, wanted, found.protocol, PROVEN, show_probe(leg, found.attempt["speak"]) + _begins(found))
        elif not leg.answers:
            told = _told(leg)
            if told:
                protocol = spoken.HTTP if "HTTP" in told.shows else spoken.HTTPS if "TLS" in told.shows else "another protocol"
                yield _finding(host, leg, wanted, protocol, LIKELY, [*show_probe(leg), told])


def _finding(host: Host, leg: Leg, wanted: str, protocol: str, certainty: str, shown: list[Evidence]) -> Finding:
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        f"nginx speaks {wanted} to {leg.endpoint} ({leg.route.directive}), which speaks {protocol}.",
        [show_config(leg), *shown, *_backend(host, leg), *show_log(leg, *_LOGGED)],
        by_hand(_summary(leg, wanted, protocol)),
        f"grep -n _pass {leg.route.at.quoted_file}",
        alternatives=() if certainty == PROVEN else ("backend-wrong-port",),
        at=leg.route.at,
        failure=_failure(leg.probe.asked if leg.probe else {}),
    )


def _begins(found: spoken.Spoken) -> list[Evidence]:
    """Show the bytes, where they are what shows the protocol."""
    return [Evidence(f"first bytes to {found.attempt['speak']}", found.attempt["start"])] if found.by_bytes else []


def _backend(host: Host, leg: Leg) -> list[Evidence]:
    """Show who listens there, and what it says of the requests."""
    shown = []
    for listener in leg.listeners[:1]:
        shown.append(Evidence("listening sockets", listener.label))
        owner = host.owner_of(listener)
        told = spoken.told_by_uwsgi(owner.lines) if owner else ""
        if told:
            shown.append(Evidence(f"log of {owner.label}", told))
    return shown


def _told(leg: Leg) -> Evidence | None:
    """Return what the numbers in the error log tell."""
    for group in leg.logged("fastcgi-protocol", "memcached-protocol"):
        version = str((group.get("detail") or {}).get("version") or "")
        told = spoken.fastcgi_version(int(version)) if version.isdecimal() else ""
        if group["class"] == "memcached-protocol" and '"HTTP/' in (group.get("sample") or ""):
            told = 'the answer begins with "HTTP/": the backend answers in HTTP'
        if told:
            return Evidence("error log", f"{group['message']}: {told}")
    return None


def _summary(leg: Leg, wanted: str, protocol: str) -> str:
    # A group's name stays in the pass; so does the path of a Unix socket, which ends at a colon for proxy_pass alone.
    to = leg.route.group or str(leg.endpoint)
    written = _PASS.get(protocol)
    if not written:
        return f"Point {leg.route.at} at the port of a backend that speaks {wanted}; {leg.endpoint} belongs to another service."
    return f"At {leg.route.at}: {written.format(to)} Or let the backend speak {wanted} there."


def _failure(asked: dict) -> str:
    """Return how the mismatch shows itself to nginx: proxy_pass takes what is no HTTP for the answer (ngx_http_proxy_process_status_line())."""
    if asked.get("status") == "timeout":
        return TIMEOUT
    if asked.get("status") == "invalid":
        return ANSWER if asked["speak"] in ("http", "https", "https-sni") else INVALID_HEADER
    return ANSWER if asked.get("status") == "ok" else ERROR


RULE = Rule(
    id="gateway-protocol-mismatch",
    title="The pass speaks another protocol than its backend",
    needs=("nginx", "probes"),
    check=check,
)
