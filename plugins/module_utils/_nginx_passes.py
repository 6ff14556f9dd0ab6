# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host names and Unix sockets that a configuration sends requests to, as words, not as routes.

The controller's model says what they mean; this only has to miss none, so that the host can be asked
about them in the same visit. It reads the redacted files of the `nginx` answer.

This module is private to the collection.
"""

import base64
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

_PASS = re.compile(r"\w+_pass$")
_SCHEME = re.compile(r"(?i)([a-z]{2,16})://")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$")
_NUMBERS = re.compile(r"[0-9.]+$")
# What the value of a variable must look like to be taken for an address.
_ADDRESS = re.compile(r"(?i)(?:[a-z]{2,16}://\S+|localhost|[a-z0-9_.-]+:[0-9]{1,5}(?:/\S*)?|[a-z0-9_-]+(?:\.[a-z0-9_-]+)+)$")
_ASSIGNING = frozenset(("map", "geo", "split_clients"))


def names(instance):
    """Return the host names (set of str) of one instance of the `nginx` answer."""
    groups, words = set(), []
    for statement, parents in _statements(instance):
        if statement.name == b"upstream" and statement.args:
            groups.add(text.decode(statement.args[0]).lower())
        words += _words(statement, parents)
    found = {host_of(word) for word in words} - {""}
    return {name for name in found if name.lower() not in groups}


def sockets(instance):
    """Return the paths (set of str) of the Unix sockets of one instance of the `nginx` answer."""
    return {path for statement, parents in _statements(instance) for word in _words(statement, parents) for path in (socket_of(word),) if path}


def host_of(word):
    """Return the host name in the argument of a pass or server, or "" when it holds none."""
    scheme = _SCHEME.match(word)
    rest = word[scheme.end():] if scheme else word
    host = re.split(r"[:/?]", rest, 1)[0]
    if rest.lower().startswith("unix:") or not _HOST.match(host) or _NUMBERS.match(host) or host == "redacted":
        return ""
    return host


def socket_of(word):
    """Return the path in the argument of a pass or server, or ""; a path with a variable is none."""
    scheme = _SCHEME.match(word)
    rest = word[scheme.end():] if scheme else word
    if not rest.lower().startswith("unix:"):
        return ""
    path = rest[len("unix:"):]
    if scheme and scheme.group(1).lower() in ("http", "https"):
        # Only proxy_pass takes a URI after the socket: ngx_parse_unix_domain_url() with uri_part.
        path = path.partition(":")[0]
    return "" if "$" in path or "redacted:" in path else path


def _statements(instance):
    for file in instance["files"]:
        if file["content"]:
            yield from nginx_text.read(base64.b64decode(file["content"])).walk()


def _words(statement, parents):
    """Return the words of a statement that may be addresses."""
    name = text.decode(statement.name)
    args = [text.decode(arg) for arg in statement.args]
    around = parents[-1].name if parents else b""
    if around.decode("latin-1") in _ASSIGNING:
        return _addresses(args[-1:])
    if name == "server" and statement.block is None or _PASS.match(name) or name == "pass":
        return args[:1]
    if name == "set":
        return _addresses(args[1:2])
    # A row of a map whose file is included from elsewhere: only sockets are told apart from anything else.
    return [arg for arg in args[-1:] if arg.startswith("unix:/")] if name != "listen" else []


def _addresses(args):
    return [arg for arg in args if arg.startswith("unix:") or _ADDRESS.match(arg)]
