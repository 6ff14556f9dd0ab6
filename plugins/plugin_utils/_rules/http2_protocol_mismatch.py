# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pass speaks HTTP/2 to a backend that speaks HTTP/1, or the reverse.

## What it is
grpc_pass, and proxy_pass with proxy_http_version 2 (nginx 1.29.4 and later), speak HTTP/2 from the first byte; nobody negotiates it in plain
text. A backend that speaks HTTP/1 answers with words that are no HTTP/2 frame, and the client gets a 502. The other way
round, proxy_pass speaks HTTP/1 to a server that only takes HTTP/2, as gRPC servers do: the client gets a 502, or the
bytes of the server's first frame without a status.

## How it is recognised
The endpoint does not answer in the version of the pass and does in the other: proven. Where a plain
HTTP/1 request was closed or not answered and HTTP/2 is spoken too, it is likely: a server of both may have failed at that request.
Records "upstream sent too large http2 frame: 4740180" (the letters HTT) make it likely where the probe found nothing out.

## Fix
proxy_pass for a backend that speaks HTTP/1, grpc_pass (or proxy_http_version 2) for one that speaks HTTP/2. A person decides
whether the directive or the port is wrong: many servers have both on different ports.

## When it stays silent
The endpoint answers in the version of the pass. TLS where there should be none, or none where it should be, is a cause
of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import spoken
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, ERROR, INVALID_HEADER, TIMEOUT, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_probe

# What the pass speaks, what the endpoint speaks instead, and the pass that would do.
_PAIRS = {
    (spoken.HTTP, spoken.HTTP2): "grpc_pass grpc://{0};",
    (spoken.HTTPS, spoken.HTTP2_TLS): "grpc_pass grpcs://{0};",
    (spoken.HTTPS, spoken.HTTP2): "grpc_pass grpc://{0};",
    (spoken.HTTP2, spoken.HTTP): "proxy_pass http://{0};",
    (spoken.HTTP2, spoken.HTTPS): "proxy_pass https://{0};",
    (spoken.HTTP2_TLS, spoken.HTTP): "proxy_pass http://{0};",
    (spoken.HTTP2_TLS, spoken.HTTPS): "proxy_pass https://{0};",
}
_LOGGED = ("http2-protocol", "not-http", "closed-early", "reset-early")
_FAILURES = {"timeout": TIMEOUT, "invalid": INVALID_HEADER}


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend speaks the other version of HTTP."""
    for leg in host.legs:
        wanted = spoken.wanted(leg)
        found = spoken.spoken(leg.probe) if leg.probe else None
        if found and (wanted, found.protocol) in _PAIRS and not _may_be_both(leg, wanted, found.protocol):
            yield _finding(host, leg, wanted, found.protocol, _certainty(leg, wanted), show_probe(leg, found.attempt["speak"]))
        elif not found and wanted in (spoken.HTTP2, spoken.HTTP2_TLS) and not leg.answers:
            told = _told(leg)
            if told:
                protocol = spoken.HTTP if wanted == spoken.HTTP2 else spoken.HTTPS
                yield _finding(host, leg, wanted, protocol, LIKELY, [*show_probe(leg), told])


def _may_be_both(leg: Leg, wanted: str, protocol: str) -> bool:
    """Return whether what answered in TLS may speak HTTP/2 there too, because it was not asked: then TLS is what is missing."""
    return wanted == spoken.HTTP2 and protocol == spoken.HTTPS and not any(item["speak"] == "http2-tls" for item in leg.probe.tries)


def _certainty(leg: Leg, wanted: str) -> str:
    """A frame of HTTP/2 in answer to HTTP/1, and HTTP/1 in answer to HTTP/2, say it all; a server that speaks both may have closed or hung."""
    first = leg.probe.asked
    return PROVEN if wanted in (spoken.HTTP2, spoken.HTTP2_TLS) or first["status"] in ("invalid", "not-tls") else LIKELY


def _finding(host: Host, leg: Leg, wanted: str, protocol: str, certainty: str, shown: list[Evidence]) -> Finding:
    asked = leg.probe.asked if leg.probe else {}
    to = leg.route.group or str(leg.endpoint)
    answered = wanted in (spoken.HTTP, spoken.HTTPS) and asked.get("status") == "invalid"
    return on_leg(
        host,
        RULE.id,
        leg,
        certainty,
        f"nginx speaks {wanted} to {leg.endpoint} ({leg.route.directive}), which speaks {protocol}.",
        [show_config(leg), *shown, *show_log(leg, *_LOGGED)],
        by_hand(f"At {leg.route.at}: {_PAIRS[(wanted, protocol)].format(to)} Or use the port on which the backend speaks {wanted}."),
        f"curl -sI --http2-prior-knowledge http://{leg.endpoint}/" if leg.endpoint.kind == "tcp" else "",
        alternatives=() if certainty == PROVEN else ("backend-closes-early", "backend-crashed"),
        at=leg.route.at,
        # What is no HTTP is the answer for proxy_pass, not a failure (ngx_http_proxy_process_status_line()).
        failure=ANSWER if answered else _FAILURES.get(asked.get("status") or "", ERROR),
    )


def _told(leg: Leg) -> Evidence | None:
    """Return what the length of a frame in the error log tells."""
    for group in leg.logged("http2-protocol"):
        frame = str((group.get("detail") or {}).get("frame") or "")
        told = spoken.frame_length(int(frame)) if frame.isdecimal() else ""
        if told:
            return Evidence("error log", f"{group['message']}: {told}")
    return None


RULE = Rule(
    id="http2-protocol-mismatch",
    title="HTTP/2 to a backend that speaks HTTP/1, or the reverse",
    needs=("nginx", "probes"),
    check=check,
)
