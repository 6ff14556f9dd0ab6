# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one URL through each host, for a person at a terminal.

It tells what trace.json has, in the order in which nginx works: socket, server, rewrites, location, pass, peers. Then
what is wrong with that way. Lines are as in terminal.py.

This module is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import CAUSE, Finding
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.gate import number
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report.terminal import BAD, GOOD, HEADING, PLAIN, QUIET, WARNING, Line, block, told

_LABEL = 10
_INDENT = "  "
_PARAGRAPH = 600
_WORD = 300
_HOSTS = 50
_ENTRIES = 6
_CANDIDATES = 6
_STEPS = 20
_HEADERS = 12
_PEERS = 16
_LOG = 5
_NOTES = 5
_PORTS = 300

# What is told of the directives in force where they are nginx's own; the others are told only where they are written.
_ALWAYS = ("connect_timeout", "read_timeout", "next_upstream", "http_version", "buffer_size", "client_max_body_size")
_ENDS = {
    "pass": "passes it on",
    "answer": "answers it itself",
    "redirect": "redirects it",
    "static": "serves it from files",
    "handler": "answers it by a module",
}
_ENDS |= {"bad-request": "refuses it", "unknown": "leads it where this cannot tell", "stream": "hands the connection on"}


def render(trace: dict, findings: Mapping[str, Sequence[Finding]], file: str = "") -> list[Line]:
    """Return the lines; findings are those of each host, with names as in the document."""
    hosts = trace["hosts"]
    takers = [name for name, host in hosts.items() if host["entries"]]
    takes = "takes" if len(takers) == 1 else "take"
    lines: list[Line] = list(block(HEADING, "", f"{columns.clean(trace['url'], _PARAGRAPH)}: {len(takers)} of {number(len(hosts), 'host')} {takes} it", "  "))
    for name in [*takers, *[name for name in hosts if name not in takers]][:_HOSTS]:
        lines.append((PLAIN, ""))
        lines += _host(name, hosts[name], findings.get(name, ()))
    if len(hosts) > _HOSTS:
        lines += [(PLAIN, ""), (QUIET, f"... and {len(hosts) - _HOSTS} more hosts in trace.json")]
    lines.append((PLAIN, ""))
    if file:
        lines += block(PLAIN, "trace: ", columns.clean(file, _PARAGRAPH), "")
    return lines


def _host(name: str, host: dict, findings: Sequence[Finding]) -> Iterator[Line]:
    shown = columns.clean(name, 40)
    if host["status"] in ("unreachable", "failed"):
        yield from block(BAD, "", f"{shown}: not traced ({host['status']}): {columns.clean(host['why'], _PARAGRAPH)}", "  ")
        return
    if host["status"] == "no-nginx":
        yield QUIET, f"{shown}: there is no nginx"
        return
    if not host["entries"]:
        yield from block(WARNING, "", f"{shown}: no nginx of this host takes it", "  ")
        yield from _said(QUIET, "listens", columns.listed(host["listens"], _PORTS) or "no nginx listens anywhere")
        if host["hint"]:
            yield from _said(PLAIN, "hint", host["hint"])
        yield from _judged(host, findings)
        return
    causes = [f"{item.id} ({item.certainty})" for item in findings if item.kind == CAUSE]
    ends = ", ".join(dict.fromkeys(_ENDS[entry["end"]] for entry in host["entries"]))
    ends = ends if any(entry["running"] for entry in host["entries"]) else f"nginx does not run; its configuration {ends}"
    yield from block(BAD if causes else GOOD, "", f"{shown}: {ends}" + (f"; {', '.join(causes)}" if causes else ""), "  ")
    if host["why"]:
        yield from _said(WARNING, "partial", host["why"])
    if host["foreign_address"]:
        yield from _said(QUIET, "note", "the address in the URL is none of this host's; every socket of the port is told")
    for place, entry in enumerate(host["entries"][:_ENTRIES]):
        if place:
            yield PLAIN, ""
        yield from _once(_entry(entry))
    yield from _more(len(host["entries"]) - _ENTRIES, "way in", "ways in")
    yield from _judged(host, findings)


def _judged(host: dict, findings: Sequence[Finding]) -> Iterator[Line]:
    causes = [item for item in findings if item.kind == CAUSE]
    for place, item in enumerate(causes, 1):
        yield from block(BAD, f"{_INDENT}{place}. ", f"{item.id} ({item.certainty})", "     ")
        yield from told("     ", item)
    for sentence in host["unexplained"][:_NOTES]:
        yield from _said(BAD, "open", sentence)
    for item in [item for item in findings if item.kind != CAUSE][:_NOTES]:
        yield from _said(WARNING if item.kind == "risk" else PLAIN, item.kind, f"{item.id}: {item.says}")


def _entry(entry: dict) -> Iterator[Line]:
    many = len(entry["addresses"]) > 4
    local = f"{len(entry['addresses'])} local addresses" if many else ", ".join(entry["addresses"])
    yield from _said(PLAIN, "socket", ", ".join(entry["listens"]) + (f" (from {local})" if local else "") + f" of {entry['instance']}")
    if not entry["running"]:
        yield from _said(BAD, "", "this nginx does not run")
    if entry["pending"]:
        yield from _said(WARNING, "", "the file of the pass changed after nginx was started: what runs may be another configuration")
    yield from _server(entry)
    yield from _steps(entry)
    yield from _pass(entry)
    yield from _end(entry)


def _server(entry: dict) -> Iterator[Line]:
    server = entry["server"]
    candidates = entry["server_candidates"]
    if not server:
        return
    named = " ".join(server["names"]) or "no name"
    yield from _said(PLAIN, "server", f"{named} ({_at(server['at'])})")
    deciding = f" {server['name']}" if server["name"] and server["rule"] != "exact name" else ""
    others = len(candidates) - 1
    yield from _said(QUIET, "", f"by: {server['rule']}{deciding}" + (f"; {number(others, 'other server')} on this socket" if others else ""))
    for item in [item for item in candidates if not item["taken"]][:_CANDIDATES]:
        yield from _said(QUIET, "", f"not {item['label']} ({_at(item['at'])})" + (f", {item['says']}" if item["says"] else ""))
    yield from _more(others - _CANDIDATES, "server")


def _steps(entry: dict) -> Iterator[Line]:
    """Tell each step; the last location is told with what speaks for it."""
    last = max((place for place, step in enumerate(entry["steps"]) if step["kind"] == "location"), default=-1)
    for place, step in enumerate(entry["steps"][:_STEPS]):
        sure = "" if step["sure"] else " (assumed)"
        where = f" ({_at(step['at'])})" if step["at"] else ""
        yield from _said(PLAIN if step["sure"] else WARNING, step["kind"], f"{step['says']}{where}{sure}")
        if place == last and entry["location_rule"]:
            yield from _why(entry)
    yield from _more(len(entry["steps"]) - _STEPS, "step")
    if entry["inner"]:
        yield from _said(PLAIN, "within", f"{entry['inner']['label']} ({_at(entry['inner']['at'])})")
    for item in entry["conditions"][:_STEPS]:
        yield from _said(QUIET, "first" if item["name"] != "error_page" else "on error", f"{item['name']} {item['value']} ({_at(item['at'])})")


def _why(entry: dict) -> Iterator[Line]:
    yield from _said(QUIET, "", f"by: {entry['location_rule']}")
    others = [item for item in entry["location_candidates"] if not item["taken"]]
    for item in others[:_CANDIDATES]:
        yield from _said(QUIET, "", f"not {item['label']} ({_at(item['at'])}): {item['says']}")
    yield from _more(len(others) - _CANDIDATES, "location")


def _pass(entry: dict) -> Iterator[Line]:
    going = entry["pass"]
    if not going:
        return
    yield from _said(PLAIN, "pass", f"{going['directive']} {going['argument']} ({_at(going['at'])})")
    if going["unresolved"]:
        yield from _said(WARNING, "", f"where that goes is not known: {going['unresolved']}")
    elif going["target"] and going["target"] not in going["argument"]:
        yield from _said(PLAIN, "", f"for this request to {going['target']}")
    if going["uri"] is not None:
        version = next((item["value"] for item in going["directives"] if item["name"].endswith("http_version")), "")
        asks = f"{going['uri']}" + (f" HTTP/{version}" if version else "") + (f", Host {going['host']}" if going["host"] else "")
        yield from _said(PLAIN, "asks for", asks + (f", TLS name {going['sni']}" if going["sni"] else ""))
    for name, value in going["params"].items():
        yield from _said(QUIET, "", f"{name} {value}")
    for item in going["headers"][:_HEADERS]:
        sent = f" = {item['sent']}" if "sent" in item and item["sent"] != item["value"] else ""
        yield from _said(QUIET, "sends", f"{item['name']}: {item['value']}{sent} ({_at(item['at']) if item['at'] else 'by default'})")
    yield from _more(len(going["headers"]) - _HEADERS, "header")
    for item in going["dropped"][:_HEADERS]:
        yield from _said(WARNING, "drops", f"{item['name']}: {item['value']} ({_at(item['at'])}), as an inner level has headers of its own")
    shown = [item for item in going["directives"] if item["at"] or item["name"].partition("_")[2] in _ALWAYS or item["name"] in _ALWAYS]
    for item in shown:
        yield from _said(QUIET, "in force", f"{item['name']} {item['value']} ({_at(item['at']) if item['at'] else 'default'})")
    yield from _peers(entry)


def _peers(entry: dict) -> Iterator[Line]:
    group = entry["pass"]["group"]
    for item in entry["peers"][:_PEERS]:
        marks = [f"weight {item['weight']}"] if item["weight"] != 1 else []
        marks += [word for word in ("backup", "down") if item[word]]
        where = f" of {group} ({_at(item['at'])})" if group else ""
        name = "" if item["written"] == item["endpoint"] else f" ({item['written']})"
        probe = item["probe"]
        yield from _said(PLAIN, "peer", f"{item['endpoint']}{name}{where}" + (f", {', '.join(marks)}" if marks else ""))
        if probe:
            yield from _said(GOOD if probe["answers"] else BAD, "", f"{probe['says']} ({probe['path']})")
        elif item["down"]:
            yield from _said(QUIET, "", "marked down: nginx sends it nothing")
        else:
            yield from _said(QUIET, "", "not asked")
        for listener in item["listeners"][:1]:
            yield from _said(QUIET, "", f"listening: {listener}")
    yield from _more(len(entry["peers"]) - _PEERS, "peer")
    for item in entry["log"][:_LOG]:
        yield from _said(QUIET, "log", f"{item['endpoint']}: {item['says']}")
    yield from _more(len(entry["log"]) - _LOG, "group of the log", "groups of the log")


def _end(entry: dict) -> Iterator[Line]:
    answer = f" by {entry['answer']['text']} ({_at(entry['answer']['at'])})" if entry["answer"] else ""
    if entry["end"] == "answer":
        yield from _said(PLAIN, "end", f"nginx answers {entry['status']}{answer}; no backend is asked")
    elif entry["end"] == "redirect":
        yield from _said(PLAIN, "end", f"nginx answers {entry['status']} with Location {entry['target']}{answer}; no backend is asked")
    elif entry["end"] == "static":
        yield from _said(PLAIN, "end", "nginx serves a file, or answers 403 or 404; no backend is asked")
    elif entry["end"] == "handler":
        yield from _said(PLAIN, "end", f"nginx answers{answer}; no backend is asked")
    elif entry["end"] in ("bad-request", "unknown"):
        yield from _said(WARNING, "end" if entry["end"] == "bad-request" else "unknown", entry["why"])
    elif entry["end"] == "pass" and entry["status"]:
        yield from _said(WARNING, "end", f"the client gets status {entry['status']}, whatever the backend answers, as error_page leads here")
    if not entry["sure"]:
        yield from _said(WARNING, "assumed", "what is assumed may be otherwise: a file that is there, or a header that the client sends, can lead elsewhere")


def _once(lines: Iterator[Line]) -> Iterator[Line]:
    """Leave a label out where the lines above have the same."""
    last = ""
    for style, line in lines:
        label = line[len(_INDENT) : len(_INDENT) + _LABEL]
        yield style, line if label != last else _INDENT + " " * _LABEL + line[len(_INDENT) + _LABEL :]
        last = label if label.strip() else last


def _at(at: dict | None) -> str:
    """Return a place, as terminal.py shows it."""
    return f"{at['file']}:{at['line']}" if at and at["line"] else at["file"] if at else ""


def _said(style: str, label: str, shown: str) -> Iterator[Line]:
    indent = _INDENT + " " * _LABEL
    return block(style, f"{_INDENT}{label:<{_LABEL}}", columns.clean(shown, _PARAGRAPH), indent + "  ")


def _more(count: int, noun: str, nouns: str = "") -> Iterator[Line]:
    if count > 0:
        yield QUIET, f"{_INDENT}{'':<{_LABEL}}... and {count} more {noun if count == 1 else nouns or noun + 's'} in trace.json"
