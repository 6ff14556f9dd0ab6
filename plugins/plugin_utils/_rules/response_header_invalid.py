# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend sends a response header that nginx refuses.

## What it is
nginx reads the response header of a backend strictly, and more so with each version: a space or a control
character in a header name (since 1.21.1), two Content-Length lines, Content-Length together with
Transfer-Encoding, a Content-Length that is no number, an unknown Transfer-Encoding (all since 1.23.0), a NUL
byte, a Status that is no number. It answers 502 then. An application may work for years and break with an
update of nginx. A broken HTTP status line is no 502: nginx hands the bytes on as they are, and no client
understands them.

## How it is recognised
The probe reads the header and judges it as this version of nginx does: proven. Records such as "upstream sent
invalid header" or "upstream sent duplicate header line" within the log window, made under the configuration that
runs and since the backend was started, about another path than the probe asked for: likely.

## Fix
None in nginx: no directive makes it take such a header. The application, or what stands before it, has to send a
correct one.

## When it stays silent
The header is correct, or wrong in a way that this version takes; the answer is not HTTP at all; the backend
was started after the last record.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, PROVEN, Evidence, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import ANSWER, INVALID_HEADER, Rule, by_hand, on_leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import quote, show_config, show_group, show_paths, show_probe

_FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi")
_LOGGED = "header-invalid"


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route whose backend sends such a header."""
    for leg in host.legs:
        if leg.route.family not in _FAMILIES:
            continue
        refused, broken = _refused(leg), _broken_status_line(leg)
        records = _records(leg)
        if not refused and not broken and not records:
            continue
        version = leg.route.site.configuration.version
        yield on_leg(
            host,
            RULE.id,
            leg,
            # Without its version nobody knows how strict this nginx is.
            PROVEN if broken or refused and version else LIKELY,
            _says(leg, refused, broken, records),
            [
                show_config(leg),
                Evidence("nginx", "version " + (".".join(str(number) for number in version) if version else "unknown")),
                *show_probe(leg),
                *(show_group(group) for group in records[:2]),
                *(show_paths(leg, _LOGGED) if records else ()),
            ],
            by_hand("Let the backend send a correct response header: nginx has no directive that takes this one."),
            f"curl -s -D - -o /dev/null http://{leg.endpoint}/" if leg.endpoint.kind == "tcp" and leg.route.scheme == "http" else "",
            at=leg.route.at,
            failure=ANSWER if broken else INVALID_HEADER,
        )


def _refused(leg: Leg) -> str:
    """Return why nginx refuses the header that the probe got, or ""; a header that is whole has a status and a size."""
    asked = leg.probe.asked if leg.probe else {}
    whole = asked.get("status") == "invalid" and asked.get("code") and asked.get("header_bytes")
    return asked["why"] if whole else ""


def _broken_status_line(leg: Leg) -> bool:
    """Return whether the answer is HTTP but for its status line."""
    asked = leg.probe.asked if leg.probe else {}
    return leg.route.scheme in ("http", "https") and asked.get("status") == "invalid" and not asked.get("code") and asked.get("start", "").startswith("HTTP/")


def _records(leg: Leg) -> list[dict]:
    """Return the records that the probe's answer does not contradict and that the backend's present life may have caused."""
    answered = leg.probe.path if leg.probe and leg.answers else None
    started = leg.listening_since
    return [group for group in leg.logged(_LOGGED) if (group["last"] or 0.0) >= started and list(group["paths"]) != [answered]]


def _says(leg: Leg, refused: str, broken: bool, records: list[dict]) -> str:
    if broken:
        return f"{leg.endpoint} sends a status line that is not HTTP ({quote(leg.probe.asked['start'], 60)}); nginx hands the bytes on as they are."
    if refused:
        return f"{leg.endpoint} sends a response header that nginx refuses: {refused}."
    return f"{leg.endpoint} sent a response header that nginx refused: {records[0]['message']}."


RULE = Rule(
    id="response-header-invalid",
    title="The backend sends a response header that nginx refuses",
    needs=("nginx", "error_log"),
    check=check,
)
