# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of nginx without their secrets; what is left has every line where it was.

Default deny: an argument stays when its directive is on a list of those that tell where requests go,
or when it is a plain number, size, time, flag or variable. Everything else becomes a mark, followed by
as many line feeds as the word had; so does a word of more than one line. Names of directives stay, comments and Lua code are emptied. In
what stays, user:password@, literal query values, JSON web tokens and name=secret pairs are marked.

Inside "map" and its like the first words are data, not names: see Inside. An included file is read as
the block that includes it.

Where nginx stops reading a file, so does this: what stands before is treated as above, the byte that
nginx rejects stays, and of the rest only line feeds, spaces, ";", "{", "}" and names of listed
directives. So the file still fails at the same line.

A missing ";" makes a directive the argument of the one before. A word on a new line that reads like
the name of a directive is therefore treated as one.

This module is private to the collection.
"""

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK

_FAMILY = r"(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached|tunnel)_"

# Their arguments stay: addresses, files, names of hosts, zones and headers; none is a place for a secret.
_KEPT = frozenset((
    "http events server location upstream stream mail types limit_except "
    "listen server_name server_name_in_redirect port_in_redirect absolute_redirect include root alias index internal "
    "user pid daemon master_process load_module use multi_accept accept_mutex working_directory lock_file error_log access_log log_format "
    "worker_processes worker_connections worker_rlimit_nofile worker_rlimit_core worker_shutdown_timeout worker_cpu_affinity worker_priority "
    "resolver resolver_timeout default_type keepalive keepalive_requests keepalive_time keepalive_timeout keepalive_disable "
    "client_body_temp_path client_max_body_size large_client_header_buffers sendfile aio thread_pool "
    "zone state hash ip_hash least_conn least_time random ntlm satisfy allow deny real_ip_header set_real_ip_from real_ip_recursive "
    "ssl_certificate ssl_protocols ssl_ciphers ssl_session_cache ssl_verify_client ssl_preread ssl_trusted_certificate ssl_client_certificate "
    "ssl_ecdh_curve ssl_alpn ssl_reject_handshake http2 http3 proxy_protocol "
    "limit_req limit_req_zone limit_conn limit_conn_zone open_file_cache open_log_file_cache charset gzip_types gzip_proxied"
).split())
# Where a secret is, not the secret: nginx's messages name the file.
_FILES = frozenset("auth_basic_user_file ssl_certificate_key ssl_password_file ssl_dhparam ssl_session_ticket_key ssl_crl".split())
_FILES_FAMILY = re.compile(_FAMILY + r"ssl_(?:certificate_key|password_file)$")
_PATH = re.compile(r"[\w./*$-]+$")
_KEPT_FAMILY = re.compile(
    _FAMILY + r"(?:bind|buffers|http_version|next_upstream|ssl_name|ssl_protocols|ssl_ciphers|ssl_verify|ssl_server_name|ssl_certificate"
    r"|ssl_trusted_certificate|ssl_crl|ssl_alpn|temp_path|hide_header|pass_header|ignore_headers|split_path_info|index|cache|cache_use_stale"
    r"|cache_valid|cache_methods|cache_path|method|limit_rate|store_access)$"
)
_URLS = frozenset("rewrite return error_page try_files auth_request mirror post_action pass".split())
_URL_FAMILY = re.compile(r"(?:" + _FAMILY + r"(?:pass|redirect)|\w+_pass)$")
_FIELDS = frozenset("add_header add_trailer".split())
_FIELD_FAMILY = re.compile(_FAMILY + r"(?:set_header|param)$")
_HARMLESS_FIELD = re.compile(
    r"(?i)(?:host|connection|upgrade|x-forwarded-(?:for|host|proto|port|server|prefix|ssl|scheme|by)|x-real-ip|x-scheme|x-script-name|te"
    r"|accept-encoding|content-length|content-type|early-data|x-accel-(?:redirect|expires|buffering)|cache-control|strict-transport-security"
    r"|x-frame-options|x-content-type-options|alt-svc|vary"
    r"|script_filename|script_name|path_info|path_translated|document_root|document_uri|request_uri|request_method"
    r"|content_type|content_length|server_protocol|server_software|server_name|server_port|server_addr|remote_addr|remote_port"
    r"|gateway_interface|request_scheme|https|redirect_status|http_host|http_proxy|uwsgi_scheme|url_scheme)$"
)

# Sources of a map whose keys tell nothing: what a request asks for, not what it knows.
_HARMLESS_SOURCE = re.compile(
    r"\$\{?(?:host|http_host|server_name|server_port|scheme|https|uri|document_uri|request_method|remote_addr|http_upgrade|http_connection"
    r"|http_x_forwarded_[a-z]+|http_accept|http_user_agent|http2|ssl_server_name|ssl_preread_server_name|ssl_preread_protocol"
    r"|ssl_preread_alpn_protocols|proxy_protocol_addr|status|geoip\w*|request_uri|msec|connection|hostname|server_addr)\}?$"
)
_SECRET_NAME = re.compile(r"(?i)passw|passwd|secret|token|api_?key|access_?key|private_?key|credential|auth|cookie|session|jwt|bearer|signature|dsn")

_PLAIN = re.compile(r"(?:on|off|default|any|none|auto|-?[0-9]{1,9}(?:\.[0-9]{1,6})?(?:[kKmMgGrs%]|r/s|r/m|[smhdwMy]|ms)?(?:[0-9]{1,6}(?:ms|[smhdwMy]))*)?$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_VARIABLES_ONLY = re.compile(r"(?:\$\{?\w+\}?|[/:,;=.\s\"'()-])*$")
_NETWORK = re.compile(
    r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?:/[0-9]{1,3}|-[0-9]{1,3}(?:\.[0-9]{1,3}){3})?$"
)
_DIRECTIVE = re.compile(r"[a-z][a-z0-9_]{0,63}$")
_COMPOUND = re.compile(r"(?!http_[0-9]+$|non_idempotent$|invalid_header$)[a-z][a-z0-9]*(?:_[a-z0-9]+)+$")
_OPERATORS = frozenset("~ ~* !~ !~* = != -f !-f -d !-d -e !-e -x !-x".split())
_QUOTED = re.compile(r'(?<=")[^"]*(?=")')
_TOO_LONG = re.compile(r'(?<=too long parameter ").{1,80}(?=\.\.\." started)', re.DOTALL)
_WEB = re.compile(r"(?:https?://|/|\$|@|=[0-9]*$)")
_USERINFO = re.compile(r"(://)([^\s/@\"'$]+)@")
_QUERY_VALUE = re.compile(r"([?&](?:[\w.\[\]-]{1,64}=)?)([^&#\s\"'?]+)")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_PAIR = re.compile(r"(?i)([\w.-]*(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key|credential|signature|jwt)[\w.-]*[=:])([^\s&;,\"'$]+)")
_BEARER = re.compile(r"(?i)\b((?:basic|bearer)\s+)([A-Za-z0-9+/=._~-]{8,})")
_REST = re.compile(rb"[^\s;{}]+")
_MAPS = frozenset("map geo split_clients".split())
_MAP_WORDS = frozenset("default hostnames volatile proxy proxy_recursive ranges delete".split())


class Inside:
    """How the statements of a block, or of a file included there, are to be read.

    directives  they are directives; else data: rows of a map and the like
    keys        the first words of rows stay
    values      the other words of rows stay, as URLs do
    """

    def __init__(self, directives=True, keys=False, values=False):
        self.directives = directives
        self.keys = keys
        self.values = values

    def stricter(self, other):
        """Return what holds for a file that is included in two places."""
        return Inside(self.directives and other.directives, self.keys and other.keys, self.values and other.values)


DIRECTIVES = Inside()


def needed_variables(texts):
    """Return the names (str) of the variables that decide where requests go.

    texts are all the files of a configuration (_nginx_text.Text). Counted are the variables in the
    address and path of a pass, in a group's server and in the path of a rewrite, and those that they
    are made of by set, map, geo and split_clients. What only stands in a query is not counted.
    """
    sources, wanted = {}, set()
    for parsed in texts:
        for statement, _parents in parsed.walk():
            _count_variables(statement, sources, wanted)
    waiting = list(wanted)
    while waiting:
        for name in sources.get(waiting.pop(), ()):
            if name not in wanted:
                wanted.add(name)
                waiting.append(name)
    return frozenset(name for name in wanted if not _SECRET_NAME.search(name))


def _count_variables(statement, sources, wanted):
    name = _decode(statement.name)
    args = [_decode(arg) for arg in statement.args]
    if _URL_FAMILY.match(name) or name in ("server", "rewrite", "pass"):
        for arg in args:
            wanted.update(_variables(arg.partition("?")[0]))
    elif name == "set" and len(args) == 2:
        sources.setdefault(args[0].lstrip("$"), set()).update(_variables(args[1]))
    elif name in _MAPS and args:
        found = sources.setdefault(args[-1].lstrip("$"), set())
        found.update(variable for arg in args[:-1] for variable in _variables(arg))
        for row in statement.block or ():
            found.update(variable for arg in row.args for variable in _variables(_decode(arg)))


def _variables(word):
    return [one or other for one, other in _VARIABLE.findall(word)]


def inside(parents, outer, needed):
    """Return the Inside of a place: parents are the blocks around it, outer the Inside of its file."""
    here = outer
    for parent in parents:
        here = _inside_block(parent, here, needed)
    return here


def _inside_block(block, outer, needed):
    if not outer.directives:
        return Inside(False)
    name = _decode(block.name)
    args = [_decode(arg) for arg in block.args]
    if name == "types":
        return Inside(False, True, True)
    if name == "if" or name in _KEPT:
        return DIRECTIVES
    if name not in _MAPS or not args:
        return Inside(False)
    keep = args[-1].lstrip("$") in needed
    source_is_harmless = name != "map" or all(map(_HARMLESS_SOURCE.match, args[:-1]))
    return Inside(False, keep and source_is_harmless, keep)


class Redaction:
    """Redacts the files of one configuration.

    redactor is a _text.Redactor, needed what needed_variables() returned.
    """

    def __init__(self, redactor, needed):
        self._redactor = redactor
        self.needed = needed
        self._marked = set()

    def file(self, raw, parsed, outer=DIRECTIVES):
        """Return the redacted bytes of a file; parsed is its Text, outer how it is included."""
        changes = [(comment.start, comment.end, b"#") for comment in parsed.comments]
        unclosed = []
        for statement, parents in parsed.walk():
            changes += self._statement(raw, statement.words, inside(parents, outer, self.needed))
            if statement.code:
                start, end = statement.code
                changes.append((start, end, b"\n" * raw.count(b"\n", start, end)))
            if statement.block is not None and statement.close is None:
                unclosed.append(statement)
        if parsed.error is None:
            return _changed(raw, changes)
        if unclosed and unclosed[-1].code:
            # The body of Lua that does not end is the rest of the file, and is emptied.
            return _changed(raw, changes)
        changes += self._statement(raw, parsed.dangling, inside(unclosed, outer, self.needed))
        rest = min(len(raw), max([parsed.error.offset + 1] + [end for _start, end, _new in changes]))
        return _changed(raw[:rest], changes) + _REST.sub(_listed_name, raw[rest:])

    def say(self, message):
        """Return a message (str) of nginx about this configuration without the words that were marked."""
        message = _TOO_LONG.sub("redacted", message)
        return self._redactor.text(_QUOTED.sub(self._said, message))

    def _said(self, match):
        said = match.group()
        for word in sorted(self._marked, key=len, reverse=True):
            if said == word or len(word) > 5 and word in said:
                said = said.replace(word, self._redactor.mark(word))
        return said

    def _statement(self, raw, words, here):
        """Return [(start, end, new bytes)] for the words of one statement."""
        changes = []
        for part in _split_unfinished(words) if here.directives else [words]:
            kinds = _directive_kinds(part, self.needed) if here.directives else _row_kinds(part, here)
            for word, kind in zip(part, kinds):
                old = raw[word.start:word.end]
                new = self._new(old, _decode(word.value), kind)
                if new != old:
                    changes.append((word.start, word.end, new))
        return changes

    def _new(self, old, value, kind):
        if kind not in (_hide, _address) and _PLAIN.match(value):
            return old
        shown = _decode(old)
        if "\n" in shown:
            # Perhaps a quote is missing, and the word holds lines that are no part of it.
            kind = _hide
        new = kind(self, shown, value)
        if new == shown:
            return old
        if "\\" in shown:
            # A backslash may protect what stands behind the part that was marked.
            new = _hide(self, shown, value)
        new = _encode(new)
        feeds = b"\n" * (old.count(b"\n") - new.count(b"\n"))
        # Before the closing quote, which nginx may reject for what follows it.
        return new[:-1] + feeds + new[-1:] if new[-1:] in (b"'", b'"') else new + feeds

    def mark(self, value):
        """Return the mark of a secret (str), and remember the secret for say()."""
        if not _is_listed(value):
            self._marked.add(value)
        return self._redactor.mark(value)


# How a word is treated: f(redaction, shown, value) returns what stands there instead. shown is the
# word as it stands in the file, quotes included, value as nginx decodes it. str with surrogateescape.


def _stay(_redaction, shown, _value):
    return shown


def _hide(redaction, shown, value):
    if shown.startswith(")"):
        # It may stand right after a closing quote, where nginx takes nothing else.
        return ")" + redaction.mark(value[1:])
    quote = shown[:1] if shown[:1] in ("'", '"') else ""
    closing = quote if quote and len(shown) > 1 and shown.endswith(quote) else ""
    return quote + redaction.mark(value) + closing


def _mark(redaction, shown, value):
    """As _hide; but a plain value stays, as with every kind."""
    return _hide(redaction, shown, value)


def _keep(redaction, shown, _value):
    def second(match):
        return match.group() if match.group(2).startswith(MARK) else match.group(1) + redaction.mark(match.group(2))

    shown = _USERINFO.sub(lambda match: second(match) + "@", shown)
    shown = _JWT.sub(lambda match: redaction.mark(match.group()), shown)
    return _PAIR.sub(second, _BEARER.sub(second, shown))


def _url(redaction, shown, value):
    def literal(match):
        if _VARIABLES_ONLY.match(match.group(2)) or _PLAIN.match(match.group(2)):
            return match.group()
        return match.group(1) + redaction.mark(match.group(2))

    head, question, query = shown.partition("?")
    return _keep(redaction, head, value) + _QUERY_VALUE.sub(literal, question + query)


def _target(redaction, shown, value):
    return _url(redaction, shown, value) if _WEB.match(value) else _hide(redaction, shown, value)


def _file(redaction, shown, value):
    return shown if _PATH.match(value) else _hide(redaction, shown, value)


def _variables_only(redaction, shown, value):
    return shown if _VARIABLES_ONLY.match(value) else _hide(redaction, shown, value)


def _address(redaction, shown, value):
    return shown if _NETWORK.match(value) or value in _MAP_WORDS else _hide(redaction, shown, value)


def _condition(redaction, shown, value):
    if _VARIABLES_ONLY.match(value) or value.strip("()") in _OPERATORS:
        return shown
    if shown[:1] in ("'", '"'):
        return _hide(redaction, shown, value)
    before = value[:1] if value[:1] in ("(", ")") else ""
    after = ")" if value.endswith(")") else ""
    return before + redaction.mark(value[len(before):len(value) - len(after)]) + after


def _assignment(redaction, shown, value):
    name, equals, secret = value.partition("=")
    return shown if not equals else "{0}={1}".format(name, redaction.mark(secret))


def _directive_kinds(words, needed):
    """Return how each word of a directive is treated."""
    name = _decode(words[0].value) if words else ""
    args = [_decode(word.value) for word in words[1:]]
    first = _stay if _DIRECTIVE.match(name) else _hide
    return [first] + _argument_kinds(name, args, needed)


def _argument_kinds(name, args, needed):
    count = len(args)
    if name in _KEPT or _KEPT_FAMILY.match(name):
        return [_keep] * count
    if name in _FILES or _FILES_FAMILY.match(name):
        return [_file] * count
    if name == "rewrite":
        return ([_keep] + [_url] * count)[:count]
    if name in ("return", "error_page"):
        return [_target] * count
    if name in _URLS or _URL_FAMILY.match(name):
        return [_url] * count
    if name in _FIELDS or _FIELD_FAMILY.match(name):
        harmless = bool(args) and _HARMLESS_FIELD.match(args[0])
        return ([_keep] + [_keep if harmless else _variables_only] * count)[:count]
    if name == "set":
        return ([_keep] + [_url if args[0].lstrip("$") in needed else _variables_only] * count)[:count] if args else []
    if name in _MAPS:
        return [_variables_only] * count
    if name == "if":
        return [_keep if args and _HARMLESS_SOURCE.match(args[0].lstrip("(")) else _condition] * count
    if name == "env":
        return [_assignment] * count
    return [_mark] * count


def _row_kinds(words, here):
    """Return how each word of a row of a map and the like is treated."""
    if words and words[0].value == b"include":
        return [_stay] + [_keep] * (len(words) - 1)
    return [_keep if here.keys else _address] + [_url if here.values else _mark] * (len(words) - 1)


def _split_unfinished(words):
    """Return words in parts: one on a new line that reads like a directive begins a part."""
    parts = [[]]
    for word in words:
        bare = len(word.value) == word.end - word.start
        if parts[-1] and bare and word.line > parts[-1][-1].line:
            name = _decode(word.value)
            if _is_listed(name) or _COMPOUND.match(name):
                parts.append([])
        parts[-1].append(word)
    return parts


def _is_listed(name):
    return name in _KEPT or name in _URLS or name in _FIELDS or bool(_KEPT_FAMILY.match(name) or _URL_FAMILY.match(name) or _FIELD_FAMILY.match(name))


def _listed_name(match):
    return match.group() if _is_listed(_decode(match.group())) else b"redacted"


def _changed(raw, changes):
    """Return raw with [(start, end, new)] applied; they do not overlap."""
    parts, at = [], 0
    for start, end, new in sorted(changes):
        parts += [raw[at:start], new]
        at = end
    return b"".join(parts) + raw[at:]


def _decode(raw):
    return raw.decode("utf-8", "surrogateescape")


def _encode(text):
    return text.encode("utf-8", "surrogateescape")
