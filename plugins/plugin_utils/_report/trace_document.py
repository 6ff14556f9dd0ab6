# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""trace.json: the way of one URL through each host, for programs. docs/trace.md has its shape.

Keys may be added to schema 1; none changes its meaning. No text in it holds a character that a terminal would
act on, or a secret of the URL.

This module is private to the collection.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _url
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import DIAGNOSED, FAILED, PARTIAL, UNEXPLAINED, Finding, HostResult
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import asked, directives, passage, routes, target
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import document
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import route_of
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import show_group, show_try

SCHEMA = 1
NAME = "trace.json"

_TIMES = ("connect_timeout", "send_timeout", "read_timeout")
_FAMILY = (
    *_TIMES,
    "buffering",
    "buffer_size",
    "buffers",
    "busy_buffers_size",
    "request_buffering",
    "next_upstream",
    "next_upstream_tries",
    "next_upstream_timeout",
    "http_version",
    "socket_keepalive",
    "keep_conn",
    "intercept_errors",
    "ignore_client_abort",
    "method",
    "bind",
    "cache",
    "cache_use_stale",
)
_TLS = (
    "ssl_server_name",
    "ssl_name",
    "ssl_protocols",
    "ssl_ciphers",
    "ssl_verify",
    "ssl_verify_depth",
    "ssl_trusted_certificate",
    "ssl_session_reuse",
    "ssl_certificate",
)
_CLIENT = (
    "client_max_body_size",
    "client_body_timeout",
    "client_body_buffer_size",
    "large_client_header_buffers",
    "send_timeout",
    "keepalive_timeout",
    "limit_rate",
)
_CONDITIONS = ("limit_req", "limit_conn", "allow", "deny", "auth_basic", "auth_request", "satisfy", "mirror", "error_page")
_PARAMS = ("SCRIPT_FILENAME", "SCRIPT_NAME", "REQUEST_URI", "DOCUMENT_ROOT", "PATH_INFO")
_STREAM = ("connect_timeout", "timeout", "next_upstream", "buffer_size", "ssl", "protocol")
# nginx's own, which are in force where no line of the kind is.
_HEADERS = {"proxy": (("Host", "$proxy_host"), ("Connection", "close")), "grpc": (("Content-Length", "$content_length"), ("TE", "trailers"))}


def build(url: _url.Url, pairs: Iterable[tuple[Host | None, HostResult]], collection: str, now: float) -> dict:
    """Return the document; a host without evidence has no model."""
    hosts = {result.name: url.masked(_told(url, host, result)) for host, result in sorted(pairs, key=lambda pair: pair[1].name)}
    return {
        "schema": SCHEMA,
        "generated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "collection": collection,
        "url": document.safe(url.shown),
        "hosts": {document.safe(name): told for name, told in hosts.items()},
    }


def write(folder: str, trace: dict) -> str:
    """Write the document into a folder, whole or not at all, readable by its owner alone; return its file."""
    file = os.path.join(folder, NAME)
    _bundle.write_json(file, trace, indent=1)
    return file


def model_of(bundle: dict) -> Host | None:
    """Return the model of a bundle, or None: what is wrong with its evidence is said where it is judged."""
    if bundle["status"] != _bundle.COLLECTED:
        return None
    try:
        return Host.of(bundle)
    except Exception:  # pylint: disable=broad-except
        return None


def findings(pairs: Iterable[tuple[Host | None, HostResult]], url: _url.Url) -> dict[str, tuple[Finding, ...]]:
    """Return the findings about the way of a URL by the names of the hosts, as the document has them."""
    found = {}
    for host, result in pairs:
        try:
            found[document.safe(result.name)] = _findings_of(host, result, url)
        except Exception:  # pylint: disable=broad-except
            # The document says so.
            found[document.safe(result.name)] = ()
    return found


def _findings_of(host: Host | None, result: HostResult, url: _url.Url) -> tuple[Finding, ...]:
    """Return the findings that are about the way of a URL, those about nginx as a whole among them."""
    wanted = [route_of(leg) for entry in _entries(host, url) for leg in entry.legs]
    return tuple(
        item
        for kind in ("cause", "risk", "advice")
        for item in result.of_kind(kind)
        if any(route in wanted for route in (item.route, *item.also) if route) or (item.route is None and bool(_entries(host, url)))
    )


def _entries(host: Host | None, url: _url.Url) -> tuple[asked.Entry, ...]:
    return asked.entries(host, url) if host else ()


def _told(url: _url.Url, host: Host | None, result: HostResult) -> dict:
    try:
        return _host(url, host, result)
    except Exception as error:  # pylint: disable=broad-except
        # Evidence of a shape that this version does not know fails its own host, not the run.
        failed = dataclasses.replace(result, status=FAILED, why=f"the evidence cannot be traced: {type(error).__name__}: {error}", findings=(), unknown=())
        return _host(url, None, failed)


def _host(url: _url.Url, host: Host | None, result: HostResult) -> dict:
    entries = _entries(host, url)
    endpoints = {str(leg.endpoint) for entry in entries for leg in entry.legs}
    told = {
        "status": _status(result, endpoints),
        "why": result.why,
        "listens": list(asked.ports(host)) if host else [],
        "hint": _hint(host, url) if host and not entries else "",
        "foreign_address": bool(host and url.address and host.addresses and url.address not in host.addresses),
        "entries": [_entry(host, entry) for entry in entries],
        "unexplained": [f"{item.needs}: {item.why}" for item in result.unknown if item.id == UNEXPLAINED and item.needs in endpoints],
    }
    return {**document.safe(told), "findings": [document.finding_of(item) for item in _findings_of(host, result, url)]}


def _hint(host: Host, url: _url.Url) -> str:
    """Return what else to trace where a host takes no TLS but plain HTTP: something in front of it may end TLS."""
    plain = [Endpoint.parse(listen) for listen in asked.ports(host) if not listen.endswith((" udp", " (TLS)"))]
    port = next((endpoint.port for endpoint in plain if endpoint.kind == "tcp"), 0)
    if not url.tls or not port:
        return ""
    return f"where something in front of this host ends TLS, it asks for http://{url.host}{'' if port == 80 else f':{port}'}{url.target}: trace that"


def _status(result: HostResult, endpoints: set[str]) -> str:
    """Return the status of a host; an endpoint to which the URL does not lead was not probed on purpose."""
    if result.status != PARTIAL or result.why:
        return result.status
    open_ends = [item for item in result.unknown if not (item.id == "probe" and item.needs not in endpoints)]
    return PARTIAL if any(item.status in ("denied", "timeout", "error", "truncated") for item in open_ends) else DIAGNOSED


def _entry(host: Host, entry: asked.Entry) -> dict:
    going = entry.passage
    chosen = going.chosen if going else None
    site = going.site if going else entry.route.site if entry.route else None
    location = site.location if site else None
    pending = bool(entry.route) and entry.route.at.file in entry.instance.newer_files
    return {
        "instance": entry.instance.id,
        "running": entry.instance.running,
        "pending": pending,
        "listens": list(entry.listens),
        "addresses": sorted(set(entry.addresses)),
        "end": going.end if going else "stream",
        "status": going.status if going else None,
        "why": going.why if going else "",
        "sure": going.sure if going else True,
        "path": _text(going.looked_up) if going else "",
        "target": _text(going.uri) if going and going.uri is not None and going.end in (passage.REDIRECT, passage.ANSWER) else "",
        "answer": _line(going.statement) if going and going.statement and going.end != passage.PASS else None,
        "server": {"names": list(chosen.server.names), "rule": chosen.rule, "name": chosen.name, "at": _at(chosen.server.at)} if chosen else None,
        "server_candidates": [_candidate(item) for item in entry.server_candidates()],
        "location": {"label": location.label, "rule": asked.location_rule(going) if going else "", "at": _at(location.at)} if location else None,
        "location_rule": asked.location_rule(going) if going and going.chosen and going.found else "",
        "location_candidates": [_candidate(item) for item in entry.location_candidates()],
        "inner": {"label": f"{site.inner.name} {' '.join(site.inner.args)}", "at": _at(site.inner.at)} if site and site.inner else None,
        "steps": [{"kind": step.kind, "says": step.says, "at": _at(step.at), "sure": step.sure} for step in going.steps] if going else [],
        "conditions": [_directive(item) for name in _CONDITIONS for item in site.in_force(name)] if site else [],
        "pass": _pass(entry) if entry.route or (going and going.end == passage.PASS) else None,
        "peers": list(_peers(host, entry)),
        "log": [{"endpoint": endpoint, "says": says} for endpoint, says in _log(entry)],
    }


def _line(statement: Any) -> dict:
    return {"text": " ".join((statement.name, *statement.args)), "at": _at(statement.at)}


def _candidate(item: asked.Candidate) -> dict:
    return {"label": item.label, "at": _at(item.at), "taken": item.taken, "says": item.says}


def _pass(entry: asked.Entry) -> dict:
    going, route = entry.passage, entry.route
    site = going.site if going else route.site
    statement_name = going.statement.name if going else route.directive
    written = going.statement.args[0] if going else route.written
    family = "stream" if not going else statement_name.partition("_")[0]
    goal = going.goal if going else route.target
    return {
        "directive": statement_name,
        "argument": written,
        "at": _at(going.statement.at if going else route.at),
        "scheme": goal.scheme,
        "target": goal.host,
        "group": route.group if route else None,
        "unresolved": goal.why or (route.unresolved if route and not entry.legs else ""),
        "uri": _text(going.uri) if going and family != "stream" else None,
        "host": _text(going.host) if going and going.host is not None else None,
        "sni": route.sni if route else "",
        "params": {name: value for name, value in sorted(going.params.items()) if name in _PARAMS} if going else {},
        "directives": [_directive(item) for item in _in_force(site, family, goal)],
        "headers": _headers(site, family, going),
        "dropped": _dropped(site, family),
    }


def _in_force(site: Any, family: str, goal: target.Target) -> Iterator[directives.Directive]:
    if family == "stream":
        names = [f"proxy_{name}" for name in _STREAM]
    else:
        names = [f"{family}_{name}" for name in _FAMILY]
        names += [f"{family}_{name}" for name in _TLS] if goal.scheme in target.TLS_SCHEMES else []
        names += _CLIENT
    for name in (*names, "resolver", "resolver_timeout"):
        if name == "resolver_timeout" and not site.in_force("resolver"):
            continue
        yield from site.in_force(name)


def _headers(site: Any, family: str, going: passage.Passage | None) -> list[dict]:
    if family not in ("proxy", "grpc"):
        return []
    written = [item for item in site.in_force(f"{family}_set_header") if len(item.args) == 2]
    names = {item.args[0].lower() for item in written}
    found = [{"name": item.args[0], "value": item.args[1], "at": _at(item.at)} for item in written]
    own = [{"name": name, "value": value, "at": None} for name, value in _HEADERS[family] if name.lower() not in names]
    for item in found + own:
        if item["name"].lower() == "host" and going and going.host is not None:
            item["sent"] = _text(going.host)
    return own + found


def _dropped(site: Any, family: str) -> list[dict]:
    """Return the headers of outer levels that count no more, because an inner level has some of its own."""
    if family not in ("proxy", "grpc"):
        return []
    name = f"{family}_set_header"
    kept = {item.at for item in site.in_force(name)}
    found = []
    for level in site.levels:
        found += [item for item in level if item.name == name and item.at not in kept and len(item.args) == 2]
    return [{"name": item.args[0], "value": item.args[1], "at": _at(item.at)} for item in found] if kept else []


def _directive(item: directives.Directive) -> dict:
    return {"name": item.name, "value": " ".join(item.args), "at": _at(item.at)}


def _peers(host: Host, entry: asked.Entry) -> Iterator[dict]:
    legs = {(id(leg.peer), str(leg.endpoint)): leg for leg in entry.legs}
    wanted = {id(leg.peer) for leg in entry.legs}
    route = entry.route
    for peer in route.peers if route else ():
        if wanted and id(peer) not in wanted and not peer.down:
            continue
        for endpoint in peer.endpoints:
            leg = legs.get((id(peer), str(endpoint)))
            if leg or peer.down:
                yield _peer(host, peer, str(endpoint), leg)


def _peer(host: Host, peer: routes.Peer, endpoint: str, leg: Leg | None) -> dict:
    listeners = [item.label for item in leg.listeners] if leg and leg.local and host.answer("listeners")["status"] == "ok" else []
    return {
        "written": peer.written,
        "endpoint": endpoint,
        "at": _at(peer.at),
        "weight": peer.weight,
        "max_fails": peer.max_fails,
        "fail_timeout": peer.fail_timeout,
        "backup": peer.backup,
        "down": peer.down,
        "listeners": listeners,
        "probe": _probe(leg) if leg and leg.probe else None,
    }


def _probe(leg: Leg) -> dict:
    probe = leg.probe
    connect = probe.connect
    if connect["status"] != "ok":
        says = f"connect: {connect['why'] or connect['status']}"
    else:
        says = f"{probe.asked['speak']}: {show_try(probe.asked)}" if probe.asked else "connect: ok"
    if leg.kept_out:
        says += "; SELinux denies nginx itself the connection"
    return {
        "path": probe.path,
        "connect": connect["status"],
        "code": probe.asked.get("code"),
        "seconds": probe.asked.get("seconds"),
        "says": says,
        "answers": leg.answers and not leg.kept_out,
    }


def _log(entry: asked.Entry) -> Sequence[tuple[str, str]]:
    found = {}
    for leg in entry.legs:
        for group in sorted(leg.errors, key=lambda group: -group["count"]):
            found.setdefault(id(group), (str(leg.endpoint), show_group(group).shows))
    return list(found.values())[:20]


def _at(at: Place | None) -> dict | None:
    return {"file": at.file, "line": at.line or None} if at else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
