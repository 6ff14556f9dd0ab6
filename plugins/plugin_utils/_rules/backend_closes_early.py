# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend answers or closes before it has read the whole request, and nginx is left with a broken connection.

## What it is
A backend that refuses a body (too large for it, not authenticated, wrong type) may answer and close with data unread. The
kernel then resets the connection; whether nginx still reads the answer is a race. It shows as 104 or 32 (EPIPE)
"while sending request to upstream", or 104 while reading the header, for requests with a body: a 502.

## How it is recognised
Records of a connection that was reset (104, 32), all of them of requests with a body, from a backend that answers otherwise and
whose processes ran through all of it: likely; only possible where nginx keeps connections open, since keepalive-race
looks the same, for a single one whose request nginx had sent, and for those of one minute
from a backend whose host was not looked at: that may have been a restart. No request with a body is sent to try: that could change something.

## Fix
In the backend: read or refuse the body as HTTP wants it (an early answer with "Connection: close" after the rest is drained), or
raise its own limit; or refuse earlier, with client_max_body_size in nginx at the size that the backend takes. Manual.

## When it stays silent
Requests without a body failed too, the backend was started again since (then it crashed or was restarted), or it does not answer now.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import ends, keepalive, servers
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_config, show_log, show_paths, show_probe

_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_RESET, _PIPE = 104, 32
_RESTART = 60.0


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend breaks off requests with a body."""
    for leg in host.legs:
        broken = [group for group in leg.logged("reset-early") if group.get("errno") in (_RESET, _PIPE)]
        if broken and _all_with_body(broken) and leg.serves and ends.lived_through(host, leg, broken):
            kept = keepalive.keeping(leg.route)
            yield _finding(host, leg, bool(kept) and not kept.undone, _tells(broken) and (_seen(host, leg) or _lasts(broken)))


def _all_with_body(groups: list[dict]) -> bool:
    methods = {method for group in groups for method in group.get("methods") or ()}
    return bool(methods) and methods <= _WITH_BODY


def _tells(groups: list[dict]) -> bool:
    """Return whether the records tell that the request was unread: nginx was still sending, or it is no single accident."""
    return sum(group["count"] for group in groups) > 1 or any((group.get("phase") or "").startswith("sending request") for group in groups)


def _seen(host: Host, leg: Leg) -> bool:
    """Return whether the processes of the backend are known, so that they are known to have run through it."""
    return any(process.started for item in servers.listeners_of(host, leg) for process in item.processes)


def _lasts(groups: list[dict]) -> bool:
    """Return whether the records are from more than one moment, as those of a restart are not."""
    return max(group.get("last") or 0.0 for group in groups) - min(group.get("first") or 0.0 for group in groups) > _RESTART


def _finding(host: Host, leg: Leg, kept: bool, tells: bool) -> Finding:
    limit = leg.route.value("client_max_body_size")
    evidence = [show_config(leg), *show_log(leg, "reset-early"), *show_paths(leg, "reset-early"), *show_probe(leg)]
    if limit:
        evidence.append(Evidence(str(limit.at or "nginx default"), f"{limit} is in force: nginx passes bodies of up to that size"))
    if any(group["class"] == "request-buffered" for group in leg.errors):
        evidence.append(Evidence("error log", "a client request body is buffered to a temporary file: bodies are large"))
    others = (*(("keepalive-race",) if kept else ()), "backend-crashed", "backend-killed-by-manager")
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if tells and not kept else POSSIBLE,
        f"{leg.endpoint} breaks off requests with a body before it has read them; it answers other requests.",
        evidence,
        by_hand("Look for the size or check at which the backend refuses a body; set client_max_body_size to what it takes, or let it read the rest."),
        "",
        others,
        failure=ANSWER,
    )


RULE = Rule(
    id="backend-closes-early",
    title="The backend closes before it has read the request",
    needs=("nginx", "listeners", "error_log"),
    check=check,
)
