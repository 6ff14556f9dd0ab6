# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one request through a server, step by step: rewrites, locations, hops, and what is asked of the backend.

What cannot be told from the configuration and the request alone is Unknown, never guessed. A file may or may
not be there, a client may or may not send a header: what go() takes for granted, it says in a step that is not sure.

Source: nginx's http/ngx_http_core_module.c (phases), http/ngx_http_script.c, http/ngx_http_variables.c,
http/ngx_http_special_response.c, http/modules/ngx_http_rewrite_module.c, ngx_http_try_files_module.c,
ngx_http_map_module.c, ngx_http_proxy_module.c (ngx_http_proxy_eval, ngx_http_proxy_create_request).

This module is private to the collection.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.webops.bad_gateway.plugins.module_utils._text import MARK
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import directives, locations, patterns, sent, target, variables
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.locations import Chosen, Location, Unknown
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import BadRequest, Request, escape, host_of, line_of, tls_name
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.request import unescape_redirect
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.site import Site
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.config import Configuration, Statement
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._nginx.place import Place

# How a passage ends.
PASS, ANSWER, REDIRECT, STATIC, HANDLER, BAD, UNKNOWN = "pass", "answer", "redirect", "static", "handler", "bad-request", "unknown"

# What is taken for granted: nothing; that there is no file; a plain request, without headers of its own, to which only the
# index of a folder is there as a file.
NOTHING, NO_FILES, PLAIN = "nothing", "no files", "plain"

_MAX_CHANGES = 10
_MAX_DEPTH = 10
_MOST_PARAMS = 128
_REWRITES = ("rewrite", "return", "set", "break", "if")
_FLAGS = {"redirect": 302, "permanent": 301}
_URLS = ("http://", "https://", "$scheme")
_REDIRECTS = (301, 302, 303, 307, 308)
_INTERNAL_ERROR, _NOT_FOUND = 500, 404
# Modules that lead a request, or answer it, by a program that is not read here.
_PROGRAMS = ("rewrite_by_lua", "rewrite_by_lua_block", "rewrite_by_lua_file", "access_by_lua", "access_by_lua_block", "access_by_lua_file")
_HANDLERS = ("stub_status", "empty_gif", "flv", "mp4", "js_content", "perl", "echo", "api", "content_by_lua", "content_by_lua_block", "content_by_lua_file")
_CALCULATED = ("js_set", "perl_set", "set_by_lua", "set_by_lua_block", "set_by_lua_file", "geoip_country", "split_clients", "geo", "auth_request_set")
# What a host puts in the place of a secret.
_MARK = re.compile(MARK + r"[0-9a-f]{8}")
_NAMED_CAPTURE = re.compile(r"\(\?(?:P?<|')([A-Za-z_]\w*)[>']", re.ASCII)
_BUILT_IN = frozenset(
    """uri document_uri request_uri args query_string is_args host http_host scheme https server_name server_port request_method
    server_protocol nginx_version""".split()
)


@dataclass(frozen=True)
class Step:
    """One thing that nginx does on the way.

    kind   "client", "rewrite", "return", "set", "if", "break", "location", "try_files", "error_page" or "index"
    says   one sentence
    at     where it is written, or None
    sure   False where it hangs on something that was not looked at
    """

    kind: str
    says: str
    at: Place | None = None
    sure: bool = True


@dataclass(frozen=True, eq=False)
class Passage:
    """Where a request goes.

    end        one of the ends above
    why        why it is unknown or a bad request, or ""
    status     the status that nginx answers with, whatever the backend says; None where the backend or a file decides
    uri        what the backend is asked for, the target of a redirect, or the text of an answer; None where there is none
    path       the path in the end; args its query
    looked_up  the path that the last location was found with
    method     the method that counts in the end: an error page is asked for by GET
    host       Host as the backend gets it, None where none is sent or it is not known
    chosen     the server and the rule that decided, or None
    found      the last choice of a location, or None
    site       where the pass or the answer stands, or None
    statement  the pass, or what answers
    goal       what the pass means for this request, or None
    params     parameters of FastCGI, uwsgi or SCGI, as far as they are known
    """

    end: str
    why: str = ""
    status: int | None = None
    uri: bytes | None = None
    path: bytes = b""
    looked_up: bytes = b""
    args: bytes = b""
    method: str = "GET"
    host: bytes | None = None
    chosen: Chosen | None = None
    found: locations.Found | None = None
    site: Site | None = field(default=None, repr=False)
    statement: Statement | None = field(default=None, repr=False)
    goal: target.Target | None = None
    steps: tuple[Step, ...] = ()
    params: dict[str, str] = field(default_factory=dict)

    @property
    def sure(self) -> bool:
        """Return whether nothing on the way was taken for granted."""
        return all(step.sure for step in self.steps)


class _Answered(Exception):
    """nginx has an answer of its own.

    page    whether an error page may take its place
    direct  whether it is sent as a response, so that an error page before it keeps its status
    """

    def __init__(self, end: str, status: int, uri: bytes | None = None, statement: Statement | None = None, page: bool = True, direct: bool = False):
        super().__init__(status)
        self.end, self.status, self.uri, self.statement = end, status, uri, statement
        self.page, self.direct = page, direct


@dataclass(frozen=True)
class Surroundings:
    """What a passage needs beside the request: the servers of the socket and how a place in them is looked at.

    listen  the address of the socket, as its "listen" has it: "*:80"
    site    returns the Site of a server, location and inner block
    port    of the socket
    """

    servers: tuple[locations.Server, ...]
    listen: str
    site: Callable[[locations.Server, Location | None, Statement | None], Site]
    port: int = 80


def go(around: Surroundings, request: Request, granted: str = PLAIN) -> Passage:
    """Return the passage of a request; granted is what is taken for granted."""
    return _Traveller(around, request, granted).go()


@functools.lru_cache(maxsize=128)
def _declared(configuration: Configuration, kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the variables that "set" or a capture makes anywhere in http{}, and those that a program or a list of addresses makes."""
    made, calculated = set(), set()
    waiting = list(configuration.blocks(kind))
    while waiting:
        for statement in waiting.pop().block or ():
            for word in (statement.name, *statement.args):
                made.update(name.lower() for name in _NAMED_CAPTURE.findall(word))
            words = [word[1:].lower() for word in statement.args if word.startswith("$")]
            if statement.name == "set" and words:
                made.add(words[0])
            elif statement.name in _CALCULATED and words:
                calculated.add(words[-1] if statement.block is not None else words[0])
            if statement.block:
                waiting.append(statement)
    return frozenset(made), frozenset(calculated)


class _Traveller:
    """The state of one request; the names are those of ngx_http_request_t."""

    def __init__(self, around: Surroundings, request: Request, granted: str):
        self.around, self.request, self.granted = around, request, granted
        self.steps: list[Step] = []
        self.chosen: Chosen | None = None
        self.found: locations.Found | None = None
        self.location: Location | None = None
        self.inner: Statement | None = None
        self.host = b""
        self.uri = self.args = self.looked_up = b""
        self.valid_unparsed = self.valid_location = True
        self.internal = self.changed = self.paged = False
        self.changes = _MAX_CHANGES + 1
        self.captures: re.Match[bytes] | None = None
        self.variables: dict[str, bytes] = {}
        self.cached: dict[str, bytes] = {}
        self.handler: Statement | None = None
        self.method = request.method
        self.forced: int | None = None
        # Of the engine that carries out rewrites.
        self.quote = False
        self.in_args = False

    # Ends.

    def go(self) -> Passage:
        try:
            self._arrive()
        except BadRequest as error:
            return self._end(BAD, why=str(error), status=400)
        except Unknown as error:
            return self._end(UNKNOWN, why=str(error))
        enter: Callable[[], Passage] = self._rewrite_server
        while True:
            try:
                return enter()
            except _Answered as answer:
                enter = functools.partial(self._answered, answer)
            except Unknown as error:
                return self._end(UNKNOWN, why=str(error))

    def _answered(self, answer: _Answered) -> Passage:
        hop = self._error_page(answer) if answer.page else None
        if hop:
            return hop()
        status = self.forced or answer.status if answer.direct else answer.status
        return self._end(answer.end, status=status, uri=answer.uri, statement=answer.statement)

    def _end(self, end: str, **more: object) -> Passage:
        site = self._site() if self.chosen else None
        if end in (PASS, HANDLER):
            # An error page keeps the status that led to it.
            more["status"] = self.forced
        return Passage(
            end,
            path=self.uri,
            looked_up=self.looked_up,
            args=self.args,
            method=self.method,
            chosen=self.chosen,
            found=self.found,
            site=site,
            steps=tuple(self.steps),
            **more,
        )

    def _site(self) -> Site:
        return self.around.site(self.chosen.server, self.location, self.inner)

    def _say(self, kind: str, says: str, at: Place | None = None, sure: bool = True) -> None:
        self.steps.append(Step(kind, says, at, sure))

    # From the socket to a server.

    def _arrive(self) -> None:
        line = line_of(self.request.target)
        self.line = line
        group = locations.servers_on(self.around.servers, self.around.listen)
        if not group:
            raise Unknown("no server has this address")
        first = locations.default_of(group, self.around.listen).server
        name = tls_name(host_of(self.request.host)) if self.request.tls and self.request.host is not None else None
        if name:
            # The name of the TLS handshake chooses before the request line is read.
            first = locations.choose_server(group, self.around.listen, _text(name)).server
        self.uri, self.args = line.uri(first.merges_slashes), line.args
        self.valid_unparsed = line.as_it_came
        named = None if line.host is None else host_of(line.host)
        if self.request.host is None and self.request.version == "1.1":
            raise BadRequest("an HTTP/1.1 request has no Host")
        header = None if self.request.host is None else host_of(self.request.host)
        self.host = named or header or b""
        self.chosen = locations.choose_server(group, self.around.listen, _text(self.host))
        if self.chosen.match:
            self._matched(self.chosen.match)
        if "$hostname" in self.chosen.server.names[:1] and not self.host:
            raise Unknown("the server's name is $hostname")

    # Rewrites.

    def _rewrite_server(self) -> Passage:
        self.location = self.inner = None
        self._foreign()
        self._program(self.chosen.server.statement.block or (), server=True)
        self.changed = False
        return self._find_location()

    def _find_location(self) -> Passage:
        while True:
            self.handler, self.changed = None, False
            self.location = self.inner = None
            self.found = locations.location_of(self.chosen.server, self.uri)
            for _location, match in self.found.tried:
                if match:
                    self._matched(match)
            self.location, self.looked_up = self.found.location, self.uri
            self._say("location", f"{_shown(self.uri)}: {self.location.label if self.location else 'no location'}", self.location.at if self.location else None)
            if not self.internal and self.location and self._flag("internal"):
                raise _Answered(ANSWER, _NOT_FOUND)
            self._enter()
            if self.found.redirected:
                where = escape(self.location.raw_path, "uri") + (b"?" + self.args if self.args else b"")
                raise _Answered(REDIRECT, 301, uri=where, statement=self.location.statement)
            if self._rewrite_location():
                continue
            return self._content()

    def _enter(self) -> None:
        """Take over what stands in the location: its handler, and "limit_except" for the method."""
        self._foreign()
        block = self.location.statement if self.location else self.chosen.server.statement
        self._take_handler(block)
        limited = next(block.named("limit_except"), None)
        if self.location and limited:
            allowed = {word.upper() for word in limited.args}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            if self.method not in allowed:
                self.inner = limited
                self._take_handler(limited)

    def _take_handler(self, block: Statement) -> None:
        found = [statement for statement in block.named(*locations.PASSES, *_HANDLERS) if statement.name not in locations.PASSES or len(statement.args) == 1]
        self.handler = found[-1] if found else self.handler

    def _take_if(self, statement: Statement) -> None:
        """Take over an "if" that holds: one without a pass has that of the location, not that of an "if" before it."""
        before = self.handler
        self.inner, self.handler = statement, None
        self._take_handler(statement)
        if self.handler is not None or before is None:
            return
        if self.location:
            self._take_handler(self.location.statement)
        if self.handler is None or self.handler.name != before.name:
            raise Unknown(f"what answers is set by another if than that at {statement.at}")

    def _foreign(self) -> None:
        site = self._site()
        for name in _PROGRAMS:
            if any(statement.name == name for level in site.levels for statement in level):
                raise Unknown(f"{name} leads the request, and its program is not read")

    def _rewrite_location(self) -> bool:
        """Carry out the rewrites of the location; return whether another one is to be found."""
        if self.location and not (self.inner and self.inner.name == "limit_except"):
            # To a "limit_except" no rewrite is handed down.
            self._program(self.location.statement.block or (), server=False)
        if not self.changed:
            return False
        self._count()
        return True

    def _count(self) -> None:
        self.changes -= 1
        if self.changes == 0:
            raise _Answered(ANSWER, _INTERNAL_ERROR)

    def _program(self, statements: Sequence[Statement], server: bool) -> None:
        self.quote, self.in_args = True, False
        self._run(statements, server)

    def _run(self, statements: Sequence[Statement], server: bool, depth: int = 0) -> bool:
        """Carry out rewrites in order; return whether they ended before the last."""
        for statement in statements:
            if statement.name not in _REWRITES:
                continue
            if statement.name == "if" and statement.block is not None:
                if self._condition(statement):
                    self._say("if", f"{' '.join(statement.args)} holds", statement.at)
                    if not server:
                        if depth:
                            raise Unknown(f"an if stands in another at {statement.at}")
                        self._take_if(statement)
                    if self._run(statement.block, server, depth + 1):
                        return True
            elif statement.name == "break" and not statement.args:
                self._say("break", "no rewrite after this one counts", statement.at)
                if self.changed:
                    self.valid_location = self.changed = False
                return True
            elif statement.name == "set" and len(statement.args) == 2:
                self._set(statement)
            elif statement.name == "return" and statement.args:
                self._return(statement)
            elif statement.name == "rewrite" and len(statement.args) >= 2 and self._rewrite(statement, server):
                return True
        return False

    def _set(self, statement: Statement) -> None:
        name = statement.args[0][1:].lower()
        value = self._value(statement.args[1], self.quote)
        if name == "args":
            self.args, self.valid_unparsed = value, False
        elif name in _BUILT_IN or name in ("limit_rate",):
            raise Unknown(f"${name} is set at {statement.at}")
        else:
            self.variables[name] = value
        self._say("set", f"${name} is {_shown(value)}", statement.at)

    def _return(self, statement: Statement) -> None:
        first, *rest = statement.args
        if not first.isdecimal():
            raise _Answered(REDIRECT, 302, uri=self._value(first), statement=statement)
        status = int(first)
        self._say("return", f"answers {status}" + (f" {_shown(self._value(rest[0]))}" if rest else ""), statement.at)
        if status in _REDIRECTS and rest:
            raise _Answered(REDIRECT, status, uri=self._value(rest[0]), statement=statement)
        plain = status >= 400 and not (rest and rest[0])
        raise _Answered(ANSWER, status, page=plain, direct=not plain, uri=None if plain else self._value(rest[0]) if rest else b"", statement=statement)

    def _rewrite(self, statement: Statement, server: bool) -> bool:
        """Carry out a rewrite; return whether no other follows."""
        pattern, written, *flags = statement.args
        flag = flags[0] if flags else ""
        match = self._search(pattern, self.uri)
        if not match:
            return False
        keep_args = not written.endswith("?")
        written = written if keep_args else written[:-1]
        redirect = flag in _FLAGS or written.startswith(_URLS)
        self.internal, self.valid_unparsed = True, False
        if flag == "break":
            self.valid_location = self.changed = False
        else:
            self.changed = True
        if redirect:
            where = unescape_redirect(self._value(written, True))
            if keep_args and self.args:
                # nginx looks for "?" in what is written, not in what it became.
                where += (b"&" if "?" in written else b"?") + self.args
            self._say("rewrite", f"{pattern} matches {_shown(self.uri)}: redirect to {_shown(where)}", statement.at)
            raise _Answered(REDIRECT, _FLAGS.get(flag, 302), uri=where, statement=statement)
        before = self.uri
        path, mark, args = _split_args(written)
        uri = self._value(path, self.in_args)
        if mark:
            self.in_args = True
            new = self._value(args, True)
            self.args = new + (b"&" + self.args if keep_args and self.args else b"")
        elif not keep_args:
            self.args = b""
        self.quote = False
        self.uri = uri
        if not uri:
            raise _Answered(ANSWER, _INTERNAL_ERROR, statement=statement)
        query = f", query {_shown(self.args)}" if self.args else ""
        then = {"last": "a location is looked for anew", "break": "the location stays"}.get(flag, "the next rewrite follows")
        then = "no other rewrite of the server counts" if server and flag in ("last", "break") else then
        self._say("rewrite", f"{pattern} matches {_shown(before)}: now {_shown(uri)}{query}; {then}", statement.at)
        return flag in ("last", "break")

    def _search(self, pattern: str, subject: bytes, caseless: bool = False) -> re.Match[bytes] | None:
        try:
            match = patterns.search(pattern, subject, caseless)
        except patterns.Unmatchable as error:
            raise Unknown(str(error)) from error
        if match:
            self._matched(match)
        else:
            self.captures = None
        return match

    def _matched(self, match: re.Match[bytes]) -> None:
        self.captures = match
        for name, value in match.groupdict().items():
            if name.lower() in _BUILT_IN:
                raise Unknown(f"a regular expression captures ${name}")
            self.variables[name.lower()] = value or b""

    def _condition(self, statement: Statement) -> bool:
        words = " ".join(statement.args)
        args = list(statement.args)
        args = [args[0][1:], *args[1:]] if args and args[0].startswith("(") else args
        args = [*args[:-1], args[-1][:-1]] if args and args[-1].endswith(")") else args
        args = args[1:] if args and not args[0] else args
        args = args[:-1] if len(args) in (2, 4) and not args[-1] and args[0].startswith("$") else args
        if args and re.fullmatch(r"!?-[fdex]", args[0]):
            if self.granted == NOTHING:
                raise Unknown(f"if {words} at {statement.at}: files are not looked at")
            holds = args[0].startswith("!")
            self._say("if", f"{words}: files are not looked at; taken as absent", statement.at, sure=False)
            return holds
        if not args or not args[0].startswith("$") or len(args) not in (1, 3):
            raise Unknown(f"the condition {words} at {statement.at} is not understood")
        value = self._variable(args[0][1:].lower())
        if len(args) == 1:
            return value not in (b"", b"0")
        how, wanted = args[1], args[2]
        if value and _MARK.search(args[2]):
            raise Unknown(f"a secret that stays on the host decides at {statement.at}")
        if how in ("=", "!="):
            return (value == self._value(wanted, self.quote)) == (how == "=")
        if how in ("~", "~*", "!~", "!~*"):
            return (self._search(wanted, value, how.endswith("*")) is not None) != how.startswith("!")
        raise Unknown(f"the condition {words} at {statement.at} is not understood")

    # Variables.

    def _value(self, word: str, escaped: bool = False, depth: int = 0) -> bytes:
        """Return what a word stands for; escaped: captures stand in a query or a redirect."""
        found = b""
        for part in variables.parts_of(word):
            if not isinstance(part, variables.Variable):
                found += part.encode("utf-8", "surrogateescape")
            elif part.name in "123456789":
                found += self._capture(int(part.name), escaped)
            else:
                found += self._variable(part.name.lower(), depth)
        return found

    def _capture(self, number: int, escaped: bool) -> bytes:
        match = self.captures
        value = (match.group(number) or b"") if match and number <= (match.re.groups or 0) else b""
        if not (self.line.quoted or self.line.plus):
            return value
        if self.in_args and not escaped and escape(value, "args") != value:
            # What ngx_http_script_start_args_code() begins, only later versions end with the rewrite that it stands in.
            raise Unknown("a capture after a query in an earlier rewrite is escaped by some versions")
        return escape(value, "args") if escaped else value

    def _variable(self, name: str, depth: int = 0) -> bytes:
        if depth > _MAX_DEPTH:
            raise Unknown(f"${name} is defined through too many others")
        if name in self.variables:
            return self.variables[name]
        known = self._built_in(name)
        if known is not None:
            return known
        site = self._site()
        if name in site.definitions.maps:
            return self._map(name, site.definitions.maps[name], depth)
        made, calculated = _declared(site.configuration, site.block.name)
        if name in made and name not in calculated:
            return b""
        if self.granted == PLAIN and name.startswith(("http_", "cookie_")):
            if not any(step.kind == "client" and step.says.startswith(f"${name}:") for step in self.steps):
                self._say("client", f"${name}: taken as not sent", sure=False)
            return b""
        raise Unknown(f"only a request tells ${name}")

    def _built_in(self, name: str) -> bytes | None:
        request = self.request
        given = request.given or {}
        if name in given:
            return given[name]
        if name in ("uri", "document_uri"):
            return self.uri
        if name in ("args", "query_string"):
            return self.args
        if name == "is_args":
            return b"?" if self.args else b""
        if name == "request_uri":
            return self.line.unparsed
        if name in ("host", "server_name"):
            return self.host if name == "host" and self.host else self.chosen.server.log_name.encode("utf-8", "surrogateescape")
        if name == "http_host":
            return request.host or b""
        if name == "scheme":
            return b"https" if request.tls else b"http"
        if name == "https":
            return b"on" if request.tls else b""
        if name == "server_port":
            return b"%d" % self.around.port
        if name == "request_method":
            return self.method.encode()
        if name == "server_protocol":
            return b"HTTP/" + request.version.encode()
        if name.startswith("arg_"):
            return _argument(self.args, name[4:].encode())
        if name.startswith("http_") and request.headers is not None:
            return request.headers.get(name[5:].replace("_", "-"), b"")
        return None

    def _map(self, name: str, statement: Statement, depth: int) -> bytes:
        rows = [row for row in statement.block or () if row.args]
        words = {row.name for row in statement.block or () if not row.args}
        if name in self.cached and "volatile" not in words:
            return self.cached[name]
        if "hostnames" in words or any(row.name == "include" for row in rows):
            raise Unknown(f"${name} is a map of host names")
        source = self._value(statement.args[0], depth=depth + 1)
        default = next((row.args[-1] for row in rows if row.name == "default"), "")
        found = self._map_row(rows, source)
        value = self._value(default if found is None else found, depth=depth + 1)
        self.cached[name] = value
        return value

    def _map_row(self, rows: Sequence[Statement], source: bytes) -> str | None:
        lower = _text(source.lower())
        for row in rows:
            key = row.name[1:] if row.name.startswith("\\") else row.name
            if not row.name.startswith("~") and row.name != "default" and _text(key.encode("utf-8", "surrogateescape").lower()) == lower:
                return row.args[-1]
        if source and any(_MARK.search(row.name) for row in rows):
            raise Unknown("a secret that stays on the host decides in a map")
        for row in rows:
            if row.name.startswith("~") and source:
                pattern, caseless = (row.name[2:], True) if row.name.startswith("~*") else (row.name[1:], False)
                try:
                    match = patterns.search(pattern, source, caseless)
                except patterns.Unmatchable as error:
                    raise Unknown(str(error)) from error
                if match:
                    self._matched(match)
                    return row.args[-1]
        return None

    # From the location to an answer.

    def _flag(self, name: str) -> bool:
        return any(directives.in_force(name, self._site().levels))

    def _content(self) -> Passage:
        hop = self._try_files()
        if hop:
            return hop()
        handler = self.handler
        if handler is None:
            return self._static()
        if handler.name not in locations.PASSES:
            return self._end(HANDLER, statement=handler)
        return self._pass(handler)

    def _static(self) -> Passage:
        site = self._site()
        folder = self.uri.endswith(b"/")
        if folder and self.granted == PLAIN:
            for item in site.in_force("index"):
                for word in item.args:
                    inner = locations.location_of(self.chosen.server, self.uri + word.encode("utf-8", "surrogateescape"))
                    if inner.location and any(inner.location.statement.named(*locations.PASSES)) and "$" not in word:
                        self._say("index", f"the index of the folder, {word}, is asked for if it is there", item.at, sure=False)
                        return self._redirect_to(self.uri + word.encode("utf-8", "surrogateescape"), self.args)()
        return self._end(STATIC)

    def _try_files(self) -> Callable[[], Passage] | None:
        # It is handed down only to "if" and "limit_except" that have none of their own.
        block = self.location.statement if self.location else self.chosen.server.statement
        statement = next(iter(block.named("try_files")), None)
        if statement is None or len(statement.args) < 2:
            return None
        if self.inner is not None:
            # An "if" of a location is a block of its own, to which nothing of the kind is handed down.
            return None
        if self.granted == NOTHING:
            raise Unknown(f"try_files at {statement.at}: files are not looked at")
        last = statement.args[-1]
        self._say("try_files", f"{' '.join(statement.args[:-1])}: files are not looked at; taken as absent, so {last}", statement.at, sure=False)
        if last.startswith("="):
            raise _Answered(ANSWER, int(last[1:]) if last[1:].isdecimal() else _NOT_FOUND, statement=statement)
        value = self._value(last)
        if value.startswith(b"@"):
            return self._named(value)
        path, _mark, args = value.partition(b"?")
        return self._redirect_to(path, args)

    def _error_page(self, answer: _Answered) -> Callable[[], Passage] | None:
        """Return where an error page leads, or None when the answer stands."""
        site = self._site()
        if self.paged or not self.changes:
            return None
        pages = directives.in_force("error_page", site.levels)
        recursive = site.in_force("recursive_error_pages")
        if pages and not (recursive and recursive[-1].flag):
            self.paged = True
        for page in pages:
            codes = [word for word in page.args[:-1] if word.isdecimal()]
            if str(answer.status) not in codes:
                continue
            value = self._value(page.args[-1])
            changed = next((word[1:] for word in page.args[:-1] if word.startswith("=")), None)
            self.forced = answer.status if changed is None else int(changed) if changed.isdecimal() else None
            self._say("error_page", f"{answer.status} leads to {_shown(value)}", page.at)
            if value.startswith(b"@"):
                return self._named(value)
            if value.startswith(b"/"):
                path, _mark, args = value.partition(b"?")
                self.method = self.method if self.method == "HEAD" else "GET"
                return self._redirect_to(path, args)
            status = self.forced if self.forced in _REDIRECTS and changed else 302
            raise _Answered(REDIRECT, status, uri=value, statement=answer.statement, page=False)
        return None

    def _redirect_to(self, path: bytes, args: bytes) -> Callable[[], Passage]:
        self._count()
        self.uri, self.args = path, args
        self.internal, self.valid_unparsed, self.valid_location = True, False, True
        return self._rewrite_server

    def _named(self, name: bytes) -> Callable[[], Passage]:
        self._count()
        label = _text(name)
        found = next((location for location in self.chosen.server.locations if location.modifier == locations.NAMED and location.path == label), None)
        if found is None:
            self._say("location", f"there is no {label}: nginx answers 500")
            raise _Answered(ANSWER, _INTERNAL_ERROR)
        self.internal, self.handler, self.changed = True, None, False
        self.location, self.inner = found, None
        self.found, self.looked_up = locations.Found(found), self.uri
        self._say("location", f"{_shown(self.uri)}: {found.label}", found.at)

        def enter() -> Passage:
            self._enter()
            return self._find_location() if self._rewrite_location() else self._content()

        return enter

    # The pass.

    def _pass(self, statement: Statement) -> Passage:
        family = statement.name.partition("_")[0]
        written = statement.args[0]
        dynamic = bool(variables.names_in(written))
        value = self._value(written)
        goal = target.parse(statement.name, variables.Value((_text(value),)))
        uri = self._asked(goal, dynamic) if statement.name == "proxy_pass" else None
        if family == "grpc":
            uri = self.line.unparsed if self.valid_unparsed else self._own_uri(b"", 0)
        if uri is None:
            uri = escape(self.uri, "uri") + (b"?" + self.args if self.args else b"")
        return self._end(PASS, statement=statement, goal=goal, uri=uri, host=self._host_header(family, goal), params=self._params(family))

    def _asked(self, goal: target.Target, dynamic: bool) -> bytes:
        uri = (goal.uri or "").encode("utf-8", "surrogateescape")
        if dynamic and uri:
            return b"/" + uri if uri.startswith(b"?") else uri
        if not uri and self.valid_unparsed:
            return self.line.unparsed
        length = len(self.location.raw_path) if self.location and self.valid_location and uri and self.location.modifier != locations.NAMED else 0
        return self._own_uri(uri if self.valid_location else b"", length)

    def _own_uri(self, uri: bytes, length: int) -> bytes:
        rest = self.uri[length:]
        rest = escape(rest, "uri") if self.line.quoted or self.internal else rest
        return uri + rest + (b"?" + self.args if self.args else b"")

    def _params(self, family: str) -> dict[str, str]:
        if family not in ("fastcgi", "uwsgi", "scgi"):
            return {}
        site, kept = self._site(), dict(self.variables)
        self.variables |= {name: value.encode("utf-8", "surrogateescape") for name, value in sent.script(site, _text(self.uri)).items()}
        found = {}
        for item in site.in_force(f"{family}_param")[:_MOST_PARAMS]:
            try:
                value = _text(self._value(item.args[1])) if len(item.args) > 1 else None
            except Unknown:
                continue
            if value is not None and (value or "if_not_empty" not in item.args[2:]):
                found[item.args[0]] = value
        self.variables = kept
        return found

    def _host_header(self, family: str, goal: target.Target) -> bytes | None:
        if family not in ("proxy", "grpc"):
            return None
        default = _proxy_host(goal)
        written = [item for item in self._site().in_force(f"{family}_set_header") if len(item.args) == 2 and item.args[0].lower() == "host"]
        if not written:
            return default
        try:
            self.variables["proxy_host"] = default
            return self._value(written[-1].args[1]) or None
        except Unknown:
            return None
        finally:
            del self.variables["proxy_host"]


def _proxy_host(goal: target.Target) -> bytes:
    host = goal.host
    if host[:5].lower() == "unix:":
        return b"localhost"
    name, colon, port = host.rpartition(":")
    return (name if colon and port == str(goal.port) else host).encode("utf-8", "surrogateescape")


def _split_args(written: str) -> tuple[str, str, str]:
    """Return what stands before and after the first "?" that is written, not in a variable's value."""
    path, mark, args = written.partition("?")
    return path, mark, args


def _argument(args: bytes, name: bytes) -> bytes:
    """Return an argument of the query, its first occurrence (ngx_http_arg())."""
    for pair in args.split(b"&"):
        key, mark, value = pair.partition(b"=")
        if mark and key.lower() == name.lower():
            return value
    return b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace") or '""'
