# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request's header does not fit into uWSGI's buffer.

## What it is
uWSGI reads the variables of a request (over its own protocol) or its header (over HTTP) into a buffer of buffer-size bytes, 4096 by default. A request
with large cookies, a long query or many parameters does not fit: uWSGI drops the connection without a word to nginx, which says "reset by peer" (104)
and answers 502. Small requests on the same route work.

## How it is recognised
uWSGI's log says "invalid request block size: N (max M)" or "invalid HTTP request size (max M)" within seconds of requests that were cut off on that
route: likely. Proven when, besides, the route's own probe is cut off, so that even a bare request does not fit. The limit is compared with the
buffer-size of its command line and configuration.

## Fix
Raise buffer-size above what the log says was needed; at most 65535. Risky: uWSGI is restarted, and each worker needs that memory.

## When it stays silent
The message stands for a client that speaks HTTP on a socket of the uwsgi protocol (gateway-protocol-mismatch), no request of this endpoint was lost at
its time, or the buffer is larger now.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, servers, settings
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import Rule, by_role, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_config, show_event, show_group, show_paths, show_probe, times

_SIZES = (8192, 16384, 32768, 65535)


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose requests uWSGI dropped for their size."""
    for leg in host.legs:
        side = ends.side_of(host, leg)
        events = [event for event in side.events("request-too-big") if _fits(leg, event)] if side else []
        joined = ends.join(leg, events) if events else None
        if joined and not joined.hits and joined.groups:
            # uWSGI's own log has no times by default: what is in it now may be of any time since it was begun.
            joined = dataclasses.replace(joined, events=tuple(event for event in events if not event["moments"]))
        if not joined or not joined.events:
            continue
        limit = max(event["detail"].get("limit") or 0 for event in joined.events)
        size = max(event["detail"].get("size") or 0 for event in joined.events)
        server = servers.server_of(host, leg)
        buffer = server.setting("buffer_size") if server else None
        if buffer and buffer.value > limit:
            # It was raised since.
            continue
        certainty = (PROVEN if ends.fails_now(leg) else LIKELY) if joined.mostly else POSSIBLE
        count = sum(event["count"] for event in joined.events)
        needed = f"{size} bytes" if size else "more"
        enough = next((number for number in _SIZES if number > max(size, limit) * 1.3), _SIZES[-1])
        evidence = [show_config(leg), *(show_group(group) for group in joined.groups[:2]), *(show_event(event) for event in joined.events[:3])]
        if buffer:
            evidence.append(Evidence(quote(buffer.place), f"buffer-size is {buffer.value:.0f}"))
        place = f" (now set in {quote(buffer.at)})" if buffer and buffer.at else ""
        change = settings.change(host, leg, server, "buffer_size", enough) if server else settings.Change(None, "its process is not seen")
        yield on_leg(
            host,
            RULE.id,
            leg,
            certainty,
            f"uWSGI drops requests of {leg.endpoint} whose header needs {needed}: its buffer has {limit} bytes ({times(count)}).",
            evidence + show_paths(leg, *ends.CUT) + show_probe(leg),
            by_role("uwsgi_buffer", f"Set buffer-size = {enough} in uWSGI{place} and restart it.", change),
            side.first.look,
            () if certainty == PROVEN else ("gateway-protocol-mismatch", "backend-crashed"),
        )


def _fits(leg: Leg, event: dict) -> bool:
    """Return whether the message is of the protocol that the route speaks: only that of uwsgi gives a size."""
    return leg.route.family == "uwsgi" if event["detail"].get("size") else leg.route.family == "proxy"


RULE = Rule(
    id="uwsgi-request-too-big",
    title="The request's header does not fit into uWSGI's buffer",
    needs=("nginx", "error_log", "listeners", "backends.units", "backend_log"),
    check=check,
)
