# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the second visit to a host connects to: the endpoints that its configuration names.

For an endpoint on which nothing listens, the sockets where its backend might be are asked too, in
the protocol of the pass.

This module is private to the collection.
"""

from __future__ import annotations

import re

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _url
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import absence, asked, keepalive, loops, other_path, pools, tls, upgrade
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Instance, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.passage import Passage

# The schemes of a pass, in the words of the probe.
_SPEAK = {
    ("proxy", "http"): "http",
    ("proxy", "https"): "https",
    ("grpc", "grpc"): "grpc",
    ("grpc", "grpcs"): "grpcs",
    ("uwsgi", "suwsgi"): "suwsgi",
}
_ONE_SCHEME = ("fastcgi", "uwsgi", "scgi", "memcached")
_MOST = 64
# What the bundle keeps of a target.
_NOTED = ("id", "endpoint", "path", "wait", "routes", "otherwise", "given", "pool")
_REQUEST_TARGET = re.compile(r"[\x21-\x7e]+")
# A little longer than nginx would wait, to see that it is longer.
_BEYOND = 0.5


def batches(bundle: dict, path: str, method: str, longest: float, url: _url.Url | None = None) -> list[dict]:
    """Return one batch for each nginx: its identity and its targets, as probe_info takes them.

    path is what the user wants asked, or ""; longest bounds each wait, in seconds. The targets are
    noted in the bundle too, with the routes that each stands for. With a url, only what it leads to is
    asked, and exactly as nginx would ask for it.
    """
    host = Host.of(bundle)
    going = {} if url is None else {id(leg): entry.passage for entry in asked.entries(host, url) for leg in entry.legs}
    bundle["targets"] = []
    found = []
    for instance in host.instances:
        targets: dict[str, dict] = {}
        for leg in host.legs:
            # A request that comes back would come back to ours too, until the worker has no connection left.
            if leg.instance is instance and (url is None or id(leg) in going) and not _goes_round(host, leg):
                _add(targets, leg, path, method, longest, going.get(id(leg)))
        for leg in host.legs:
            if leg.instance is instance and (url is None or id(leg) in going) and leg.local and absence.absent(leg):
                _add_candidates(targets, host, leg, method)
        for leg in host.legs:
            # The last of all: a pool is asked about itself when what is asked of it for a route waits already.
            if leg.instance is instance and (url is None or id(leg) in going):
                _add_status(targets, host, leg)
        kept = list(targets.values())[:_MOST]
        bundle["targets"] += [{key: target[key] for key in _NOTED if key in target} for target in kept]
        decide = _only_decided(host, instance, kept) if url is None else []
        if kept or decide:
            identity = {key: instance.identity.get(key) for key in ("uid", "gid", "groups")}
            if (host.answer("host")["value"] or {}).get("uid") == 0:
                # Only root enters the namespaces of a worker; others connect over TCP from where they are.
                identity["pid"] = (instance.workers or [instance.raw.get("master") or {}])[0].get("pid")
            found.append({"identity": identity, "targets": [_as_asked(target) for target in kept], **({"decide": decide} if decide else {})})
    return found


def _only_decided(host: Host, instance: Instance, kept: list[dict]) -> list[str]:
    """Return the endpoints to which no probe goes and nginx does, where SELinux may deny it them."""
    if not host.selinux.mode:
        return []
    ends = {str(leg.endpoint) for leg in host.legs if leg.instance is instance and leg.route.family == "stream" and leg.endpoint.kind in ("tcp", "unix")}
    return sorted(ends - {target["endpoint"] for target in kept})[:_MOST]


def _as_asked(target: dict) -> dict:
    """Return a target as the module takes it: the other paths of its routes, each once."""
    other = list(dict.fromkeys(target["otherwise"].values()))
    return {**{key: value for key, value in target.items() if key not in ("routes", "given", "pool")}, "otherwise": other}


def _add(targets: dict[str, dict], leg: Leg, path: str, method: str, longest: float, going: Passage | None = None) -> None:
    speak = _speak(leg)
    if not speak or leg.endpoint.kind not in ("tcp", "unix"):
        return
    route, client_path = leg.route, ""
    given = bool(path) and route.takes(path)
    if going:
        uri, host = _exactly(leg, going)
        params = going.params
        if not uri:
            return
    else:
        client_path = path if given else route.sample_path or "/"
        uri, host = route.upstream_uri(client_path) or "/", route.host_header(leg.endpoint)
        params = route.params(client_path) if speak in ("fastcgi", "uwsgi", "suwsgi", "scgi") else {}
    version = route.value("http_version")
    timeout = route.value("read_timeout")
    wait = min(longest, timeout.seconds + _BEYOND) if timeout and timeout.seconds else longest
    kept = keepalive.keeping(route)
    keep = bool(kept) and kept.works and route.family == "proxy"
    settings = tls.as_target(route, leg.endpoint)
    name = "|".join((str(leg.endpoint), speak, host, uri, route.sni or "", f"{wait:g} {route.patience(longest):g}", str(keep), repr(settings)))
    target = targets.setdefault(
        name,
        {
            "id": f"{leg.instance.id}#{len(targets)}",
            "endpoint": str(leg.endpoint),
            "speak": speak,
            "host": host,
            "method": method,
            "path": uri,
            "version": version.args[0] if version and version.args[0] in ("1.0", "1.1") else "1.0",
            "sni": route.sni or "",
            "tls": settings,
            "nginx": ".".join(str(number) for number in route.site.configuration.version or ()),
            "params": params,
            "wait": wait,
            "patience": route.patience(longest),
            "keep": keep,
            "upgrade": [],
            "otherwise": {},
            "given": given,
            "routes": [],
        },
    )
    if route.key not in target["routes"]:
        target["routes"].append(route.key)
        target["upgrade"] += [item for item in upgrade.versions_to_ask(route) if item not in target["upgrade"]]
        other = other_path.of(route, client_path, given) if client_path else ""
        if other:
            target["otherwise"][route.key] = other


def _exactly(leg: Leg, going: Passage) -> tuple[str, str]:
    """Return the URI and Host that a backend gets on a passage; no URI where the request line would be none."""
    uri = (going.uri or b"").decode("utf-8", "surrogateescape")
    plain = uri.startswith("/") and _REQUEST_TARGET.fullmatch(uri)
    host = going.host.decode("utf-8", "surrogateescape") if going.host else leg.route.host_header(leg.endpoint)
    return uri if plain else "", host


def _add_candidates(targets: dict[str, dict], host: Host, leg: Leg, method: str) -> None:
    speak = _speak(leg)
    if not speak:
        return
    for item in absence.candidates(host, leg):
        endpoint = str(absence.reachable_as(item))
        targets.setdefault(
            f"candidate|{endpoint}|{speak}",
            {
                "id": f"{leg.instance.id}#{len(targets)}",
                "endpoint": endpoint,
                "speak": speak,
                "host": leg.route.host_header(leg.endpoint),
                "method": method,
                "path": "/",
                "sni": "",
                "params": {},
                "wait": 2.0,
                # It may be anybody's: it is asked once, in the protocol of the pass.
                "identify": False,
                "otherwise": {},
                "given": False,
                "routes": [],
            },
        )


def _add_status(targets: dict[str, dict], host: Host, leg: Leg) -> None:
    target = pools.status_target(host, leg)
    if target:
        targets.setdefault(f"pool|{target['pool']}|{target['endpoint']}", {"id": f"{leg.instance.id}#{len(targets)}", **target})


def _goes_round(host: Host, leg: Leg) -> bool:
    found = loops.of(host, leg)
    return bool(found) and found.sure


def _speak(leg: Leg) -> str:
    if leg.route.family == "stream":
        return "tls" if tls.settings(leg.route, leg.endpoint) else ""
    found = _SPEAK.get((leg.route.family, leg.route.scheme), "")
    version = leg.route.value("http_version") if leg.route.family == "proxy" else None
    if version and version.args[:1] == ("2",):
        # HTTP/2 to a backend, since 1.29.4, is the same in both modules as far as a greeting goes.
        return {"http": "grpc", "https": "grpcs"}.get(found, found)
    return found or (leg.route.family if leg.route.family in _ONE_SCHEME else "")
