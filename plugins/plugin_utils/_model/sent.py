# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx sends to a backend for a request: URI, Host, TLS server name and parameters.

None, or a parameter that is left out, stands for what only a real request tells.

Source: ngx_http_proxy_create_request() and ngx_http_proxy_set_vars() in nginx's
http/modules/ngx_http_proxy_module.c, ngx_http_upstream_ssl_name() in http/ngx_http_upstream.c,
http/modules/ngx_http_fastcgi_module.c, ngx_http_map_uri_to_path() in http/ngx_http_core_module.c.

This module is private to the collection.
"""

from __future__ import annotations

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import patterns, target, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, UNIX, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import STREAM, Site

_MOST_PARAMS = 128


def mapped_uri(site: Site, directive: str, written: str, path: str) -> str | None:
    """Return the request URI for a path of the client's request line (no query), or None."""
    rewritten = _rewritten(site, path)
    if rewritten is None or directive != "proxy_pass":
        return rewritten
    dynamic = bool(variables.names_in(written))
    values = site.at_request(of_request(site, rewritten)).values(written) if dynamic else (variables.Value((written,)),)
    found = target.parse(directive, values[0])
    if len(values) > 1 or found.why or found.uri is None:
        return None
    if not found.uri or (rewritten != path and not dynamic):
        return rewritten
    if dynamic:
        return found.uri
    if not site.location or not path.startswith(site.location.path):
        return None
    return found.uri + path[len(site.location.path) :]


def _rewritten(site: Site, path: str) -> str | None:
    """Return the path after the "rewrite ... break" of the location; None when a rewrite leads elsewhere or is not understood."""
    if any(statement.name == "rewrite" for statement in site.server.statement.block or ()):
        return None
    for statement in site.location.statement.named("rewrite", "break") if site.location else ():
        if statement.name == "break":
            return path
        try:
            match = patterns.search(statement.args[0], path.encode("utf-8", "surrogateescape")) if len(statement.args) > 1 else None
        except patterns.Unmatchable:
            return None
        if match:
            if statement.args[2:] != ("break",):
                return None
            values = site.at_request({**of_request(site, path), **_captures(match)}).values(statement.args[1])
            changed = values[0].text if len(values) == 1 else None
            return changed.partition("?")[0] if changed and changed.startswith("/") else None
    return path


def _captures(match: re.Match[bytes]) -> dict[str, str]:
    found = {str(number): text.decode(group or b"") for number, group in enumerate(match.groups(), 1) if number < 10}
    return found | {name.lower(): text.decode(group or b"") for name, group in match.groupdict().items()}


def of_request(site: Site, path: str) -> dict[str, str]:
    """Return the variables that a GET request for a path, without a query, tells."""
    found = dict.fromkeys(("uri", "document_uri", "request_uri"), path)
    found |= dict.fromkeys(("args", "query_string", "is_args", "content_type", "content_length"), "")
    found |= {"request_method": "GET", "server_protocol": "HTTP/1.1", "https": "on" if site.tls == (True,) else ""}
    name = site.server.usable_name
    if name:
        found |= {"host": name, "http_host": name}
    location = site.location
    if location and location.is_regex:
        try:
            match = patterns.search(location.path, path.encode("utf-8", "surrogateescape"), location.modifier == "~*")
        except patterns.Unmatchable:
            match = None
        found |= _captures(match) if match else {}
    return found


def host_header(site: Site, family: str, route_target: target.Target, endpoint: Endpoint, asked: str = "") -> str:
    """Return the value of Host (":authority" of gRPC) that a backend at an endpoint gets when a client asks for a name, by default the server's own."""
    asked = asked or site.server.usable_name
    if family not in ("proxy", "grpc"):
        return asked or _authority(endpoint)
    default = proxy_host(route_target)
    headers = [item for item in site.in_force(f"{family}_set_header") if len(item.args) == 2 and item.args[0].lower() == "host"]
    if not headers:
        return default or asked or _authority(endpoint)
    given = {**of_request(site, "/"), "host": asked or _authority(endpoint), "http_host": asked or _authority(endpoint), "proxy_host": default}
    values = site.at_request(given).values(headers[-1].args[1])
    return next((value.text for value in values if value.text is not None), asked or _authority(endpoint))


def _authority(endpoint: Endpoint) -> str:
    return "localhost" if endpoint.kind == UNIX else str(endpoint)


def proxy_host(route_target: target.Target) -> str:
    """Return $proxy_host: host and port as they are written, without the default port; "localhost" for a Unix socket; "" when not known."""
    host = route_target.host
    if host[:5].lower() == "unix:":
        return "localhost"
    name, colon, port = host.rpartition(":")
    return name if colon and port == str(route_target.port) else host


def server_name(site: Site, family: str, route_target: target.Target) -> str:
    """Return the name that nginx sends in a TLS handshake (SNI), or "": none is sent, or it is not known."""
    switch = site.in_force(f"{family}_ssl_server_name")
    if route_target.scheme not in (*target.TLS_SCHEMES, STREAM) or not switch or not switch[0].flag:
        return ""
    name = tls_name(site, family, route_target)
    # An address is never sent as a name (RFC 6066); the path of a socket is.
    return name if Endpoint.parse(name).kind == NAME or name.startswith("/") else ""


def tls_name(site: Site, family: str, route_target: target.Target) -> str:
    """Return the name that the certificate of a backend must be for, and that is sent where *_ssl_server_name is on; "" when it is not known."""
    name = next((value.text for value in tls_names(site, family, route_target) if value.text is not None), "")
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def tls_names(site: Site, family: str, route_target: target.Target) -> tuple[variables.Value, ...]:
    """Return all that this name can be, with its port. By default it is the host of the pass: an address, a name, a group, the path of a Unix socket."""
    written = site.in_force(f"{family}_ssl_name")
    if not written or written[0].at is None or not written[0].args:
        path = route_target.host[5:] if route_target.host[:5].lower() == "unix:" else ""
        return (variables.Value((path or proxy_host(route_target),)),)
    return site.at_request({**of_request(site, "/"), "proxy_host": proxy_host(route_target)}).values(written[0].args[0])


def params(site: Site, family: str, path: str) -> dict[str, str]:
    """Return the parameters of FastCGI, uwsgi or SCGI for a path, as far as they are known."""
    if family not in ("fastcgi", "uwsgi", "scgi"):
        return {}
    scope = site.at_request({**of_request(site, path), **script(site, path)})
    found = {}
    for item in site.in_force(f"{family}_param")[:_MOST_PARAMS]:
        values = scope.values(item.args[1]) if len(item.args) > 1 else ()
        if len(values) == 1 and values[0].text is not None and (values[0].text or "if_not_empty" not in item.args[2:]):
            found[item.args[0]] = values[0].text
    return found


def script(site: Site, path: str) -> dict[str, str]:
    """Return the variables that say which file a path stands for."""
    script, info = path, ""
    for item in site.in_force("fastcgi_split_path_info")[:1]:
        try:
            match = patterns.search(item.args[0], path.encode("utf-8", "surrogateescape"))
        except (patterns.Unmatchable, IndexError):
            match = None
        if match and len(match.groups()) >= 2:
            script, info = text.decode(match.group(1) or b""), text.decode(match.group(2) or b"")
    if script.endswith("/"):
        script += next((item.args[0] for item in site.in_force("fastcgi_index") if item.args), "")
    found = {"fastcgi_script_name": script, "fastcgi_path_info": info}
    if site.folder:
        folder, alias = site.folder
        folder = folder.rstrip("/") if not alias else folder
        found |= {"document_root": folder, "realpath_root": folder}
        found["request_filename"] = folder + (path[len(site.location.path) :] if alias and site.location and not site.location.is_regex else path)
    return found
