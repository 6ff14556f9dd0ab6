# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host names and Unix sockets that a configuration sends requests to, as words, not as routes.

The controller's model says what they mean; this only has to miss none, so that the host can be asked
about them in the same visit. It reads the redacted files of the `nginx` answer.

This module is private to the collection.
"""

import base64
import functools
import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

_PASS = re.compile(r"\w+_pass$")
# "unix:///run/x.sock" has none: it is a path with three slashes.
_SCHEME = re.compile(r"(?i)(?!unix:)([a-z]{2,16}|\$scheme)://")
# What ends the host: the URI, which some variables hold.
_HOST_END = re.compile(r"[:/?]|\$\{?(?:request_uri|uri|document_uri|is_args)\b", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$")
_PORT = re.compile(r":([0-9]{1,5})(?![0-9])")
_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}))(?::([0-9]{1,5}))?$")
_DEFAULT_PORTS = {"https": 443, "grpcs": 443, "suwsgi": 443, "memcached": 11211}
_NUMBERS = re.compile(r"[0-9.]+$")
_LISTEN = re.compile(r"(?!unix:)(?:([0-9]{1,5})(?:-([0-9]{1,5}))?|(?:\[[0-9a-fA-F:.]+\]|\*|(?![0-9]+$)[A-Za-z0-9_.-]+)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?)$")
_MOST_PORTS = 1024
# What the value of a variable must look like to be taken for an address.
_ADDRESS = re.compile(r"(?i)(?:[a-z]{2,16}://\S+|localhost|[a-z0-9_.-]+:[0-9]{1,5}(?:/\S*)?|[a-z0-9_-]+(?:\.[a-z0-9_-]+)+)$")
_ASSIGNING = frozenset(("map", "geo", "split_clients"))
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
# A pass whose variables have more values than these is not taken apart: of a table of thousands of hosts, the rows that look like addresses are known anyway.
_MOST_WORDS = 64
_MOST_STEPS = 8
# Files up to this many characters, in base64, are kept as they were read.
_SMALL = 1 << 16


def names(instance):
    """Return the host names (set of str) of one instance of the `nginx` answer."""
    groups, servers = set(), set()
    for statement, _parents in statements(instance):
        if statement.name == b"upstream" and statement.args:
            groups.add(text.decode(statement.args[0]).lower())
        elif statement.name == b"server" and statement.args and statement.block is None:
            servers.add(host_of(text.decode(statement.args[0])))
    found = {host_of(word) for word in _all_words(instance)}
    # A pass goes to the group of that name; a server of a group never does, even where the group is called as its host is.
    return ({name for name in found if name.lower() not in groups} | servers) - {""}


def named_ports(instance):
    """Return the ports (set of int) of the passes and servers that name a host; 80 and 443 where none is written."""
    found = set()
    for word in _all_words(instance):
        host = host_of(word)
        if host:
            scheme = _SCHEME.match(word)
            rest = word[scheme.end():] if scheme else word
            port = _PORT.match(rest[len(host):])
            found.add(int(port.group(1)) if port else 443 if scheme and scheme.group(1).lower() in ("https", "grpcs") else 80)
    return {port for port in found if 0 < port < 65536}


def resolvers(instance):
    """Return the name servers (set of str) of every "resolver" of one instance of the `nginx` answer, as they are written."""
    found = set()
    for statement, _parents in statements(instance):
        if statement.name == b"resolver" and statement.block is None:
            found |= {arg for arg in map(text.decode, statement.args) if "=" not in arg and "$" not in arg and "redacted" not in arg}
    return found


def sockets(instance):
    """Return the paths (set of str) of the Unix sockets of one instance of the `nginx` answer."""
    return {socket_of(word) for word in _all_words(instance)} - {""}


def ports(instance):
    """Return the TCP ports (set of int) that one instance of the `nginx` answer sends requests to, or None when a variable may name any."""
    found = set()
    for statement, parents in statements(instance):
        for word in _words(statement, parents):
            scheme = _SCHEME.match(word)
            rest = re.split(r"[/?]", word[scheme.end():] if scheme else word, 1)[0]
            if "$" in rest:
                return None
            port = re.search(r":([0-9]{1,5})$", rest)
            found.add(int(port.group(1)) if port else 443 if scheme and scheme.group(1).lower() in ("https", "grpcs") else 80)
    return found


def listens(instance):
    """Return the TCP ports (set of int) that the files of one instance of the `nginx` answer have it listen on.

    A server of HTTP without "listen" takes 80, where root starts nginx: ngx_http_core_server().
    """
    found = set()
    for statement, parents in statements(instance):
        args = [text.decode(arg) for arg in statement.args]
        if statement.name == b"listen" and args and not {"udp", "quic"} & set(args[1:]):
            found |= listen_ports(args[0])
        elif statement.name == b"server" and statement.block is not None and parents and parents[-1].name == b"http":
            found |= {80} if not any(child.name in (b"listen", b"include") for child in statement.block) else set()
    return found


def listen_ports(word):
    """Return the ports (set of int) of the first argument of "listen": an address, a port or a range of ports, or both; none of a Unix socket.

    An address alone has port 80: ngx_parse_inet_url().
    """
    match = _LISTEN.match(word)
    if match is None:
        return set()
    low = int(match.group(1) or match.group(3) or 80)
    high = int(match.group(2) or match.group(4) or low)
    return set(range(max(low, 1), min(high, 65535) + 1)) if high - low < _MOST_PORTS else set()


def places(instance):
    """Return the (name or address, port) pairs (set) that the passes and servers of one instance name over TCP."""
    return {place_of(word) for word in _all_words(instance)} - {None}


def place_of(word):
    """Return (name or address, port) of the argument of a pass or server, or None; without a port it is that of the scheme."""
    scheme = _SCHEME.match(word)
    rest = word[scheme.end():] if scheme else word
    match = _PLACE.match(re.split(r"[/?]", rest, 1)[0])
    if match is None or "redacted" in rest[:16]:
        return None
    written = match.group(3)
    port = int(written) if written else _DEFAULT_PORTS.get(scheme.group(1).lower() if scheme else "", 80)
    return (match.group(1) or match.group(2), port) if 0 < port < 65536 else None


def host_of(word):
    """Return the host name in the argument of a pass or server, or "" when it holds none."""
    scheme = _SCHEME.match(word)
    rest = word[scheme.end():] if scheme else word
    host = _HOST_END.split(rest, 1)[0]
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
    if scheme and scheme.group(1).lower() in ("http", "https", "$scheme"):
        # Only proxy_pass takes a URI after the socket: ngx_parse_unix_domain_url() with uri_part.
        path = path.partition(":")[0]
    return "" if "$" in path or "redacted:" in path else path


def statements(instance):
    """Yield (statement, the blocks around it) of all files of one instance of the `nginx` answer."""
    for file in instance["files"]:
        if file["content"]:
            yield from (_read_once if len(file["content"]) <= _SMALL else _read)(file["content"]).walk()


def _read(content):
    return nginx_text.read(base64.b64decode(content))


# Several questions need the same files one after the other.
_read_once = functools.lru_cache(maxsize=256)(_read)


def _all_words(instance):
    """Return the words (set of str) that may be addresses, those of variables with what the configuration itself puts into them."""
    words, values = set(), {}
    for statement, parents in statements(instance):
        words.update(_words(statement, parents))
        for variable, value in _assigned(statement, parents):
            values.setdefault(variable, set()).add(value)
    return set().union(*(_expanded(word, values) for word in words)) if words else set()


def _assigned(statement, parents):
    """Yield (variable, value) of a "set", or of a row of a map, geo or split_clients block."""
    around = parents[-1] if parents else None
    if statement.name == b"set" and len(statement.args) == 2:
        yield text.decode(statement.args[0]).lstrip("$"), text.decode(statement.args[1])
    elif around is not None and around.name.decode("latin-1") in _ASSIGNING and around.args and statement.args:
        yield text.decode(around.args[-1]).lstrip("$"), text.decode(statement.args[-1])


def _expanded(word, values):
    """Return a word for each combination of the known values of its variables; what only a request tells stays a variable."""
    known = {word}
    for _step in range(_MOST_STEPS):
        made = set()
        for item in known:
            variable = next((match for match in _VARIABLE.finditer(item) if (match.group(1) or match.group(2)) in values), None)
            if variable is None:
                made.add(item)
                continue
            for value in values[variable.group(1) or variable.group(2)]:
                made.add(item[:variable.start()] + value + item[variable.end():])
        if made == known or len(made) > _MOST_WORDS:
            break
        known = made
    return known


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
