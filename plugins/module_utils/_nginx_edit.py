# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change directives in the files of an nginx configuration, and nothing else: every other byte stays.

All is done in memory, on the true bytes; nothing here reads or writes a file. A change is a few byte
ranges of one file. After each the file is read again: its statements must be the old ones with just
that change, and its comments the same. What is not understood is refused.

How directives are handed down is from the merge functions of nginx's modules (ngx_conf_merge_*_value in
core/ngx_conf_file.h, ngx_http_*_merge_loc_conf in http/modules/*.c); how often one may stand in a block
from their setters.

This module is private to the collection.
"""

import fnmatch
import os
import re
import secrets

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_redact as redact
from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_text as nginx_text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

PRESENT = "present"
ABSENT = "absent"
APPENDED = "appended"

MAX_ENTRIES = 200000
MAX_DEPTH = 100
MAX_LISTED = 8
# nginx holds a word, its quotes and the byte after it in one buffer.
MAX_WORD = nginx_text.BUFFER - 4

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
_BARE = re.compile(rb"(?:\$\{\w+\}|[^\s;{}\"'#\0])+$")
_BLANK = b" \t\r\n"
_MODIFIER = re.compile(rb"(=|\^~|~\*|~)\s*(.*)$", re.DOTALL)

# For what is said of statements: their secrets stay here.
_REDACTION = redact.Redaction(text.Redactor(secrets.token_hex(16)), frozenset())

# Blocks whose rows are data, not directives.
_DATA = frozenset((b"map", b"geo", b"types", b"split_clients", b"charset_map", b"match"))
# An upstream group takes its method first: before "keepalive", which wraps it (ngx_http_upstream_init_keepalive()).
_METHODS = frozenset("hash ip_hash least_conn least_time random".split())

_FAMILIES = ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached")


def _each(*suffixes):
    return frozenset("{0}_{1}".format(family, suffix) for family in _FAMILIES for suffix in suffixes)


# How many leading arguments tell one statement of a name from its siblings. -1: all but the last; "x=": the one that begins so.
_FOLDED = _each("set_header", "hide_header", "pass_header") | frozenset("add_header add_trailer".split())
_KEYS = dict.fromkeys(_FOLDED | _each("param", "ssl_conf_command", "cookie_domain", "cookie_path", "cookie_flags", "cache_path"), 1)
_KEYS.update(dict.fromkeys((
    "server access_log error_log allow deny set rewrite listen include log_format limit_conn sub_filter mirror env load_module auth_request_set "
    "set_real_ip_from ssl_conf_command early_hints xslt_param xslt_string_param"
).split(), 1))
_KEYS.update(dict.fromkeys(_each("cache_valid") | frozenset(("error_page",)), -1))
_KEYS.update(dict.fromkeys("limit_req limit_req_zone limit_conn_zone".split(), "zone="))

# One of these at an inner level drops all of the outer levels: each is inherited if there is none of it at the level. The merge
# functions: ngx_http_proxy_merge_loc_conf() and its like (headers_source, params_source, hide_headers, pass_headers, cookie_*,
# redirects, cache_valid, cache_bypass, no_cache, ssl_conf_commands), ngx_http_headers_merge(), ngx_http_core_merge_loc_conf()
# (error_pages, error_log, early_hints), ngx_http_log_merge_loc_conf(), ngx_http_access_merge_loc_conf(),
# ngx_http_limit_req_merge_conf(), ngx_http_limit_conn_merge_conf(), ngx_http_index_merge_loc_conf(), ngx_http_sub_merge_conf(),
# ngx_http_mirror_merge_loc_conf(), ngx_http_auth_request_merge_conf(), ngx_http_realip_merge_loc_conf(),
# ngx_http_xslt_filter_merge_conf(), ngx_http_ssl_merge_srv_conf() (certificates, conf_commands), ngx_http_merge_types().
ARRAYS = _FOLDED | _each(
    "param", "ssl_conf_command", "cookie_domain", "cookie_path", "cookie_flags", "redirect", "cache_valid", "cache_bypass", "no_cache"
) | frozenset((
    "error_page access_log error_log allow deny limit_req limit_conn index sub_filter mirror auth_request_set set_real_ip_from early_hints "
    "xslt_param xslt_string_param ssl_certificate ssl_certificate_key ssl_session_ticket_key ssl_conf_command fastcgi_catch_stderr "
    "gzip_types sub_filter_types ssi_types charset_types addition_types xslt_types"
).split())
# These are handed down to no block inside.
_OWN = _each("pass") | frozenset("server include rewrite set return break try_files server_name listen keepalive".split())
# Where these stand among their siblings matters: they run one after the other.
_ORDERED = frozenset("rewrite set return break allow deny include".split())
# One list in nginx, in whose order the first that fits decides.
_RULES = ("allow", "deny")
# Names that fill one list.
_TOGETHER = dict({name: _RULES for name in _RULES}, xslt_param=("xslt_param", "xslt_string_param"), xslt_string_param=("xslt_param", "xslt_string_param"))
# Since 1.29.3 these say whether a level gets the outer ones besides its own.
_INHERIT = {"add_header": b"add_header_inherit", "add_trailer": b"add_trailer_inherit"}


class Refused(Exception):
    """An edit that is not made. The message says what was asked, what was found, and what to do; it is harmless to show."""


class Place:
    """A line of a file, as a task names it."""

    def __init__(self, file, line):
        self.file = file
        self.line = line


class Context:
    """The block that is meant.

    block        its name ("http", "if", ...), or "main"; with a name below: a block of that name directly inside
    server_name  one of the names of the server
    listen       one of its listens: "80", "127.0.0.1:80", "[::]:443", "unix:/run/x.sock"
    location     as it is written: "/api/", "~ \\.php$", "= /x", "@name"
    upstream     the name of the group
    file, line   of the first word of the block's opening statement; file alone narrows the others
    expects      the words of that statement, joined by one space; harmless or as they are
    """

    NAMES = ("block", "server_name", "listen", "location", "upstream", "file", "line", "expects")

    def __init__(self, **said):
        for name in self.NAMES:
            setattr(self, name, said.get(name))

    def __str__(self):
        return ", ".join("{0} {1}".format(name, text.harmless(str(getattr(self, name)), 200)) for name in self.NAMES if getattr(self, name) is not None)


class Directive:
    """What is wanted of one directive.

    name      its name
    args      its arguments ([bytes]), as nginx decodes them
    state     PRESENT, ABSENT or APPENDED
    replaces  the exact arguments that are to be there before ([bytes]), or None
    key       how many leading arguments tell it from its siblings, or None: see key_of()
    at        the Place of the statement itself, or None
    """

    def __init__(self, name, args=(), state=PRESENT, replaces=None, key=None, at=None):
        self.name = name
        self.args = list(args)
        self.state = state
        self.replaces = None if replaces is None else list(replaces)
        self.key = key
        self.at = at

    def __str__(self):
        return _shown([self.name.encode("ascii", "replace")] + self.args)


def key_of(name, args, key=None):
    """Return what tells a statement from its siblings of the same name, ready to compare."""
    key = _KEYS.get(name, 0) if key is None else key
    if isinstance(key, str):
        # Of "zone=name:10m" the name.
        found = [arg.partition(b":")[0] for arg in args if arg.startswith(key.encode("ascii"))][:1]
    else:
        found = list(args[:key])
    return [arg.lower() for arg in found] if name in _FOLDED else found


def quote(value, like=b""):
    """Return how a word is written so that nginx decodes it to value (bytes).

    like: the quote that is preferred, b"" for none. Raises Refused for what nginx cannot hold.
    """
    if b"\0" in value:
        raise Refused("a word has a NUL in it, which no nginx configuration can hold")
    for mark in (like, b"", b'"'):
        if mark or _BARE.match(value):
            raw = _written(value, mark)
            if len(raw) > MAX_WORD:
                raise Refused("a word of {0} bytes: nginx refuses words of {1} bytes and more".format(len(raw), nginx_text.BUFFER))
            if _reads_as(raw, value):
                return raw
    raise Refused("a word of {0} bytes cannot be written so that nginx reads it".format(len(value)))


def _written(value, mark):
    made, size = [], len(value)
    for at in range(size):
        byte, after = value[at:at + 1], value[at + 1:at + 2]
        if byte == b"\\":
            # Before one of these, before what gets a backslash itself, and before the end, a lone one would change what follows it.
            made.append(b"\\\\" if at + 1 == size or after in b"\"'\\trn\t\r\n" else byte)
        elif mark:
            made.append({mark: b"\\" + mark, b"\t": b"\\t", b"\r": b"\\r", b"\n": b"\\n"}.get(byte, byte))
        else:
            made.append(byte)
    return mark + b"".join(made) + mark


def _reads_as(raw, value):
    read = nginx_text.read(b"x " + raw + b" y;")
    return read.error is None and not read.comments and [statement.args for statement in read.statements] == [[value, b"y"]]


class _Entry:
    """A statement in a block as nginx reads it: the file (path) that it stands in, and the Block that it opens or None."""

    __slots__ = ("statement", "path", "inner")

    def __init__(self, statement, path):
        self.statement = statement
        self.path = path
        self.inner = None


class Block:
    """A block in one place of the configuration; one of an included file is there for each inclusion.

    statement  that opens it; None for the main level
    path       of the file that it is opened in
    outer      the Block around it; None for the main level
    entries    [_Entry] of what stands in it, with every include in its place
    """

    def __init__(self, statement, path, outer):
        self.statement = statement
        self.path = path
        self.outer = outer
        self.entries = []

    @property
    def name(self):
        """Return the name (bytes): b"main" for the main level."""
        return b"main" if self.statement is None else self.statement.name

    def simple(self, name):
        """Return [_Entry] of the directives of a name (str) that have no block of their own."""
        wanted = name.encode("ascii", "replace")
        return [entry for entry in self.entries if entry.statement.block is None and entry.statement.name == wanted]

    def blocks(self):
        """Yield the blocks directly inside."""
        return (entry.inner for entry in self.entries if entry.inner is not None)

    def walk(self):
        """Yield this block and all inside it."""
        waiting = [self]
        while waiting:
            block = waiting.pop()
            yield block
            waiting.extend(reversed(list(block.blocks())))

    def __str__(self):
        if self.statement is None:
            return "the main level of {0}".format(_path(self.path))
        return "{0} at {1}:{2}".format(_words(self.statement), _path(self.path), self.statement.line)


class _File:
    """One real file: its bytes now, what nginx reads in them, and what it read when places were told; before is None where there is none yet."""

    def __init__(self, raw, original, new=False):
        self.before = None if new else raw
        self.raw = raw
        self.text = nginx_text.read(raw)
        self.original = self.text if original is None or original == raw else nginx_text.read(original)


class Configuration:
    """The files of one nginx, to be changed.

    main       path of the main file
    raws       {path as nginx opens it: bytes}; paths are str with surrogateescape
    reals      {path: real path}; a path that is missing is its own
    matches    {pattern of an include, absolute: [path]}
    originals  {real path: bytes}: what a file held when lines were told, where that is not what it holds now
    """

    def __init__(self, main, raws, reals, matches, originals=None):
        self.main = main
        self.reals = dict((path, reals.get(path, path)) for path in raws)
        self.files = {}
        for path, raw in raws.items():
            real = self.reals[path]
            if real not in self.files:
                self.files[real] = _File(raw, (originals or {}).get(real))
        self._matches = dict((pattern, list(found)) for pattern, found in matches.items())
        self._prefix = os.path.dirname(main)
        self.notes = []
        self._expand()

    def add_file(self, path, raw, new):
        """Take in a file that no include leads to yet; new: nothing is at its path (absolute) so far. One that is there already stays."""
        if path in self.reals:
            return
        self.reals[path] = path
        self.files[path] = _File(raw, None, new)
        folder, name = os.path.split(path)
        self._matches.setdefault(path, [path])
        for pattern, matches in self._matches.items():
            # glob(3): a dot file is matched by a pattern that begins with a dot alone.
            if os.path.dirname(pattern) == folder and path not in matches and not name.startswith(".") and fnmatch.fnmatchcase(name, os.path.basename(pattern)):
                matches[:] = sorted(matches + [path])
        self._expand()

    # What there is

    def _expand(self):
        """Put every include in its place."""
        self.uses = {}
        self._count = 0
        self.root = Block(None, self.main, None)
        self._expand_file(self.root, self.main, ())

    def _expand_file(self, block, path, opened):
        real = self.reals.get(path)
        # A file that is missing, or includes itself, is for nginx -t to tell.
        if real is not None and real not in opened:
            self._expand_block(block, self.files[real].text.statements, path, opened + (real,))

    def _expand_block(self, block, statements, path, opened, depth=0):
        if depth > MAX_DEPTH or len(opened) > MAX_DEPTH:
            raise Refused("{0}: more than {1} blocks or files inside each other; this is not followed".format(_path(path), MAX_DEPTH))
        for statement in statements:
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise Refused("the configuration has more than {0} statements with its includes; this is not followed".format(MAX_ENTRIES))
            entry = _Entry(statement, path)
            block.entries.append(entry)
            if statement.block is not None:
                entry.inner = Block(statement, path, block)
                self._expand_block(entry.inner, statement.block, path, opened, depth + 1)
            elif statement.name == b"include" and len(statement.words) == 2:
                for match in self._included(statement.args[0]):
                    self.uses.setdefault(self.reals.get(match, match), []).append((path, statement.line))
                    self._expand_file(block, match, opened)

    def _included(self, written):
        """Return the paths that an include with this argument (bytes) leads to, as far as that is known."""
        pattern = os.path.join(self._prefix, os.fsdecode(written.partition(b"\0")[0]))
        return self._matches.get(pattern, [pattern] if pattern in self.reals else [])

    def _includes_already(self, block, written):
        """Return whether all that an include with this argument would lead to is read in a block, by a pattern perhaps."""
        wanted = {self.reals.get(path, path) for path in self._included(written)}
        there = {self.reals.get(path, path) for entry in block.simple("include") if len(entry.statement.args) == 1
                 for path in self._included(entry.statement.args[0])}
        return bool(wanted) and wanted <= there

    def _identity(self, path, statement):
        """Return what two readings of the same bytes of one file have in common."""
        return self.reals[path], -1 if statement is None else statement.words[0].start

    # Which block

    def find(self, context):
        """Return [Block], all readings of the one block that a Context names. Raises Refused."""
        if context.line is not None:
            return self._find_line(context)
        if context.expects is not None:
            raise Refused("{0}: `expects` goes with `file` and `line`".format(context))
        found = self._find_names(context)
        if context.file is not None:
            real = self._real(context.file)
            found = [block for block in found if self.reals[block.path] == real]
        one = {}
        for block in found:
            one.setdefault(self._identity(block.path, block.statement), []).append(block)
        if not one:
            raise Refused("no such block: {0}. {1}".format(context, self._what_there_is(context)))
        if len(one) > 1:
            listed = _listed([str(blocks[0]) for blocks in one.values()])
            raise Refused("{0} blocks are meant by {1}: {2}; say which one, by more names or by file and line".format(len(one), context, listed))
        return next(iter(one.values()))

    def _find_names(self, context):
        if context.upstream is not None:
            return [block for block in self._named(b"upstream") if block.statement.args == [_encode(context.upstream)]]
        if context.server_name is None and context.listen is None and context.location is None:
            if context.block is None:
                raise Refused("the context says no block: give server_name, location, upstream, block, or file and line")
            if context.block == "main":
                return [self.root]
            return list(self._named(_encode(context.block)))
        found = [block for block in self._named(b"server") if _has_name(block, context.server_name) and _has_listen(block, context.listen)]
        if context.location is not None:
            wanted = _location([_encode(context.location)])
            found = [
                block for server in found for block in server.walk()
                if block.name == b"location" and _location(block.statement.args) == wanted
            ]
        if context.block is not None:
            name = _encode(context.block)
            found = [inner for block in found for inner in ([block] if block.name == name else block.blocks()) if inner.name == name]
        return found

    def _named(self, name):
        return (block for block in self.root.walk() if block.statement is not None and block.name == name)

    def _real(self, path):
        """Return the real path of a file that a task names."""
        if path in self.reals:
            return self.reals[path]
        if path in self.files:
            return path
        raise Refused("{0} is no file of the configuration {1}".format(_path(path), _path(self.main)))

    def _find_line(self, context):
        if context.file is None:
            raise Refused("{0}: a line without a file".format(context))
        for name in ("server_name", "listen", "location", "upstream", "block"):
            if getattr(context, name) is not None:
                raise Refused("{0}: file and line name a block already; `{1}` does not go with them".format(context, name))
        real = self._real(context.file)
        file = self.files[real]
        told = _opened(file.original)
        fitting = [index for index, statement in enumerate(told) if statement.line == context.line and _expected(statement, context.expects)]
        if len(fitting) != 1:
            raise Refused(self._not_there(context, file.original, len(fitting)))
        now = _opened(file.text)
        if [_values(statement) for statement in now] != [_values(statement) for statement in told]:
            raise Refused("{0}: the blocks of the file are not those that were there when the line was told; look again".format(context))
        wanted = (real, now[fitting[0]].words[0].start)
        found = [block for block in self.root.walk() if self._identity(block.path, block.statement) == wanted]
        if not found:
            raise Refused("{0}: no include leads to this file".format(context))
        return found

    def _not_there(self, context, read, count):
        if count:
            return "{0}: {1} such blocks open in this line; put them on lines of their own".format(context, count)
        there = [_words(statement) for statement, _parents in read.walk() if statement.line == context.line]
        return "{0}: there is {1}; the file has changed, look again".format(context, _listed(there) or "no statement in this line")

    def _what_there_is(self, context):
        if context.upstream is not None:
            return "There is {0}".format(_listed([_words(block.statement) for block in self._named(b"upstream")]) or "no upstream")
        servers = [block for block in self._named(b"server") if _has_name(block, context.server_name) and _has_listen(block, context.listen)]
        if context.location is not None and servers:
            inside = [block for server in servers for block in server.walk() if block.name == b"location"]
            return "There is {0}".format(_listed([str(block) for block in inside]) or "no location")
        if context.server_name is not None or context.listen is not None:
            shown = ["{0} ({1})".format(block, " ".join(map(text.decode, _names(block))) or "no name") for block in self._named(b"server")]
            return "There is {0}".format(text.harmless(_listed(shown)) or "no server")
        return "There is {0}".format(_listed(sorted({text.harmless(text.decode(block.name), 60) for block in self.root.walk()})))

    # What is changed

    def apply(self, context, directive):
        """Do what one Directive wants in the block that a Context names; return whether anything changed. Raises Refused."""
        if not _NAME.match(directive.name) or directive.name.endswith("_by_lua_block"):
            raise Refused("{0} is no name of a directive that ends with a semicolon".format(text.harmless(directive.name, 100)))
        blocks = self.find(context)
        if blocks[0].name in _DATA or blocks[0].statement is not None and blocks[0].statement.code is not None:
            raise Refused("{0} holds no directives; it is not edited".format(blocks[0]))
        found = self._unique(entry for block in blocks for entry in block.simple(directive.name))
        if directive.at is not None:
            found = self._entry_at(blocks, found, directive)
        if directive.state == ABSENT:
            return self._remove(blocks, found, directive)
        did = self._append(blocks, found, directive) if directive.state == APPENDED else self._set(blocks, found, directive)
        if did and directive.name not in _OWN:
            self._note_inner(blocks, directive.name)
        return did

    def _unique(self, entries):
        """Return the entries without those that are the same bytes, read through another include."""
        found = {}
        for entry in entries:
            found.setdefault(self._identity(entry.path, entry.statement), entry)
        return list(found.values())

    def _entry_at(self, blocks, found, directive):
        """Return [_Entry] of what stands, or stood when the place was told, at a line; [] when it was to go, and is gone."""
        real = self._real(directive.at.file)
        file = self.files[real]
        name = directive.name.encode("ascii")
        place = "{0}:{1}".format(_path(directive.at.file), directive.at.line)
        told = [
            statement for statement, _parents in file.original.walk()
            if statement.line == directive.at.line and statement.name == name and statement.block is None
        ]
        if directive.replaces is not None and len(told) > 1:
            told = [statement for statement in told if statement.args == directive.replaces]
        if len(told) != 1:
            what = "{0} statements of this name are in this line".format(len(told)) if told else "none is in this line"
            raise Refused("{0} at {1}: {2}; the file has changed, look again".format(directive.name, place, what))
        inside = [entry for entry in found if self.reals[entry.path] == real]
        same = [entry for entry in inside if entry.statement.args == told[0].args]
        if len(same) > 1 and file.text is file.original:
            same = [entry for entry in same if entry.statement is told[0]]
        if not same and directive.state == PRESENT:
            same = [entry for entry in inside if entry.statement.args == directive.args]
        if not same and directive.state == ABSENT and file.text is not file.original:
            return []
        if len(same) != 1:
            deeper = [str(block) for outer in blocks for block in outer.walk() if block is not outer and any(
                self.reals[entry.path] == real and entry.statement.args == told[0].args for entry in block.simple(directive.name)
            )]
            where = "it stands in {0}; name that block".format(_listed(deeper)) if deeper else "it is not there in {0}".format(blocks[0])
            raise Refused("{0} at {1}: {2}".format(directive.name, place, "there are several that are the same" if same else where))
        return same

    def _set(self, blocks, found, directive):
        wanted = directive.args
        if directive.at is None:
            key = key_of(directive.name, wanted, directive.key)
            found = [entry for entry in found if key_of(directive.name, entry.statement.args, directive.key) == key]
            if directive.replaces is not None and len(found) != 1:
                # The old words tell which one is meant, whatever the key says.
                meant = [entry for entry in self._unique(entry for block in blocks for entry in block.simple(directive.name))
                         if entry.statement.args == directive.replaces]
                found = meant or found
        if found and all(entry.statement.args == wanted for entry in found):
            old = [entry for entry in self._unique(entry for block in blocks for entry in block.simple(directive.name))
                   if directive.replaces not in (None, wanted) and entry.statement.args == directive.replaces]
            if old:
                raise Refused("{0} in {1}: it is there already, and so is what it replaces: {2}; take one out".format(directive, blocks[0], self._places(old)))
            return False
        if len(found) > 1:
            raise Refused("{0} in {1}: {2} statements are meant: {3}; say which one by `at` or `replaces`".format(
                directive, blocks[0], len(found), self._places(found)))
        if not found:
            if directive.replaces is not None:
                raise Refused("{0} in {1}: {2} was expected and there is none; look again".format(
                    directive, blocks[0], _shown([directive.name.encode("ascii")] + directive.replaces)))
            return self._insert(blocks, directive, True)
        self._check_replaced(found[0], directive, blocks[0])
        file = self._editable(found[0].path)
        self._change(found[0].path, file, _new_args(found[0].statement, wanted, file), {found[0].statement.words[0].start: wanted})
        return True

    def _check_replaced(self, entry, directive, block):
        if directive.replaces is not None and entry.statement.args != directive.replaces:
            raise Refused("{0} in {1}: {2} was expected, and there is {3}; look again".format(
                directive, block, _shown([directive.name.encode("ascii")] + directive.replaces), self._places([entry])))

    def _remove(self, blocks, found, directive):
        if directive.at is None:
            if directive.replaces is not None and not directive.args:
                meant = [entry for entry in found if entry.statement.args == directive.replaces]
                found = meant or found
            elif directive.args:
                fold = bytes.lower if directive.name in _FOLDED else bytes
                wanted = [fold(arg) for arg in directive.args]
                found = [entry for entry in found if [fold(arg) for arg in entry.statement.args[:len(wanted)]] == wanted]
        if not found:
            return False
        if len(found) > 1 and not directive.args and any(entry.statement.args != found[0].statement.args for entry in found):
            raise Refused("{0} in {1} is to be absent, and there are {2}: {3}; say which by their first arguments or by `at`".format(
                directive.name, blocks[0], len(found), self._places(found)))
        for entry in found:
            self._check_replaced(entry, directive, blocks[0])
        places = sorted({self._identity(entry.path, entry.statement): entry for entry in found}.items(), reverse=True)
        # From the last to the first of a file: what stands before keeps its place.
        for (_real, start), entry in places:
            file = self._editable(entry.path)
            statement = next(statement for statement, _parents in file.text.walk() if statement.words[0].start == start)
            self._change(entry.path, file, [_deletion(file, statement)], {start: None})
        self._note_inherited_again(blocks, directive)
        return True

    def _note_inner(self, blocks, name):
        """Say which blocks inside do not get what is set around them."""
        inside = [one for block in blocks for one in block.walk() if one is not block and one.name not in _DATA and one.name != b"upstream"]
        inner = sorted({str(one) for one in inside if one.simple(name)})
        if inner:
            self._note("{0} is set in {1} {2} inside too, which keep{3} what {4}: {5}".format(
                name, len(inner), "block" if len(inner) == 1 else "blocks", "s" if len(inner) == 1 else "",
                "it has" if len(inner) == 1 else "they have", _listed(inner)))

    def _note_inherited_again(self, blocks, directive):
        if directive.name in ARRAYS:
            for outer, again in self._inherited(self.find_again(blocks[0]), directive.name):
                self._note("with none left in {0}, {1} {2} of {3} are in force there".format(blocks[0], len(again), directive.name, outer))

    def find_again(self, block):
        """Return the readings of a block after a change that did not move it; [] when it moved."""
        identity = self._identity(block.path, block.statement)
        return [one for one in self.root.walk() if self._identity(one.path, one.statement) == identity]

    def _append(self, blocks, found, directive):
        if any(entry.statement.args == directive.args for entry in found):
            return False
        return self._insert(blocks, directive, False)

    def _insert(self, blocks, directive, overrides):
        """Put a new directive into a block, after copies of those that it would else cut off."""
        block = blocks[0]
        if directive.name == "include" and len(directive.args) == 1 and all(self._includes_already(one, directive.args[0]) for one in blocks):
            return False
        new = [[directive.name.encode("ascii")] + directive.args]
        copied = self._cut_off(blocks, directive, overrides)
        if copied is None:
            return False
        file = self._editable(block.path)
        splice, before = _insertion(file, block.statement, copied + new)
        self._change(block.path, file, [splice], {}, (None if block.statement is None else block.statement.words[0].start, copied + new, before))
        return True

    def _cut_off(self, blocks, directive, overrides):
        """Return the words of the inherited directives that a first one in a block would cut off; None: it is in force already."""
        name = directive.name
        if name not in ARRAYS:
            return []
        answers = []
        for block in blocks:
            found = self._inherited([block], name)
            answers.append((found[0][0], [[entry.statement.name] + entry.statement.args for entry in found[0][1]]) if found else (None, []))
        if any(words != answers[0][1] for _outer, words in answers):
            raise Refused("{0}: a first {1} in {2} would cut off what it inherits, which is not the same in each place that the file is included in".format(
                directive, name, blocks[0]))
        outer, words = answers[0]
        if not words:
            return []
        if name in _RULES:
            raise Refused("{0}: a first rule in {1} would cut off those of {2}, and their order decides; write the whole list there first".format(
                directive, blocks[0], outer))
        own = name.encode("ascii")
        if [own] + directive.args in words:
            return None
        key = key_of(name, directive.args, directive.key)
        kept = [word for word in words if not overrides or word[0] != own or key_of(name, word[1:], directive.key) != key]
        if name == "error_page":
            _check_codes(directive, kept, outer)
        if name in ("access_log", "error_log"):
            kept = [word for word in kept if directive.args[:1] != [b"off"] and word[1:2] != [b"off"]]
        if kept:
            self._note("{0} {1} of {2} {3} copied into {4}, since a first one there would cut {5} off".format(
                len(kept), name, outer, "is" if len(kept) == 1 else "are", blocks[0], "it" if len(kept) == 1 else "them"))
        return kept

    def _inherited(self, blocks, name):
        """Return [(outer Block, [_Entry])] of what the first of blocks inherits of an array; [] when it has some of its own."""
        names = _TOGETHER.get(name, (name,))
        if not blocks or any(blocks[0].simple(one) for one in names):
            return []
        if name in _INHERIT and _in_force(blocks[0], _INHERIT[name]) in (b"off", b"merge"):
            return []
        block = blocks[0].outer
        while block is not None:
            found = [entry for entry in block.entries if entry.statement.block is None and entry.statement.name.decode("latin-1") in names]
            if found:
                return [(block, found)]
            block = block.outer
        return []

    def _editable(self, path):
        """Return the _File of a path. Raises Refused for one that nginx does not read to its end."""
        file = self.files[self.reals[path]]
        if file.text.error is not None:
            raise Refused("{0} is not edited: nginx does not read it, {1} in line {2}; put that right first".format(
                _path(path), text.harmless(file.text.error.text, 200), file.text.error.line))
        return file

    def _change(self, path, file, splices, changed, added=None):
        """Splice the bytes of a file, and hold what nginx reads then against what it should."""
        raw = _spliced(file.raw, splices)
        read = nginx_text.read(raw)
        expected = _flat_changed(file, changed, added)
        if read.error is not None or _flat(read, raw) != expected or _comments(read, raw) != _comments(file.text, file.raw):
            raise Refused("{0} is not edited: the change would not be read as it is meant; edit this line by hand".format(_path(path)))
        file.raw, file.text = raw, read
        self._expand()
        uses = self.uses.get(self.reals[path], [])
        if len(uses) > 1:
            where = _listed(sorted({"{0}:{1}".format(_path(user), line) for user, line in uses}))
            self._note("{0} is included in {1} places, which all get the change: {2}".format(_path(path), len(uses), where))

    def _note(self, note):
        if note not in self.notes:
            self.notes.append(note)

    def _places(self, entries):
        return _listed(["{0} at {1}:{2}".format(_words(entry.statement), _path(entry.path), entry.statement.line) for entry in entries])

    def changed(self):
        """Return {real path: bytes} of the files that are not as they were, or not there yet."""
        return dict((real, file.raw) for real, file in self.files.items() if file.raw != file.before)


def _has_name(server, name):
    return name is None or _encode(name).lower() in [one.lower() for one in _names(server)]


def _names(server):
    return [arg for entry in server.simple("server_name") for arg in entry.statement.args]


def _has_listen(server, listen):
    if listen is None:
        return True
    said = [entry.statement.args[0] for entry in server.simple("listen") if entry.statement.args]
    return _address(_encode(listen)) in [_address(one) for one in said or [b"80"]]


def _address(written):
    """Return an address of `listen` in one form: "80", "*:80" and "0.0.0.0:80" are the same (ngx_parse_inet_url())."""
    if written.startswith(b"unix:"):
        return written
    if written.isdigit():
        return b"*:" + written
    if b":" not in written.rpartition(b"]")[2]:
        written += b":80"
    host, _colon, port = written.rpartition(b":")
    return (b"*" if host == b"0.0.0.0" else host.lower()) + b":" + port


def _location(args):
    """Return (modifier, name) of a location, glued or not (ngx_http_core_location())."""
    match = _MODIFIER.match(b" ".join(args))
    return (match.group(1), match.group(2)) if match else (b"", b" ".join(args))


def _in_force(block, name):
    """Return the one argument of a directive (bytes, lower case) that is in force in a block, or None."""
    while block is not None:
        found = [entry.statement.args for entry in block.entries if entry.statement.block is None and entry.statement.name == name]
        if found:
            return b" ".join(found[-1]).lower()
        block = block.outer
    return None


def _check_codes(directive, kept, outer):
    """Refuse an error_page that shares some codes with one that is to be copied: the first of a level wins."""
    codes = {arg for arg in directive.args[:-1] if arg.isdigit()}
    for words in kept:
        if codes & set(words[1:-1]):
            raise Refused("{0}: some of its codes are in {1} of {2} too; write all pages of the level first".format(directive, _shown(words), outer))


def _opened(read):
    """Return the statements of a file that open a block, in order. No edit adds, removes or moves one."""
    return [statement for statement, _parents in read.walk() if statement.block is not None]


def _values(statement):
    return [word.value for word in statement.words]


def _expected(statement, expects):
    words = (" ".join(text.decode(value) for value in _values(statement)), _raw_words(statement))
    # What goes through a terminal on its way comes without what that would act on.
    return expects is None or expects in words + tuple(map(text.harmless, words))


def _raw_words(statement):
    return b" ".join(_values(statement)).decode("utf-8", "surrogateescape")


# Bytes


def _spliced(raw, splices):
    """Return raw with [(start, end, new)] put in; they do not overlap."""
    parts, at = [], 0
    for start, end, new in sorted(splices):
        parts += [raw[at:start], new]
        at = end
    return b"".join(parts) + raw[at:]


def _new_args(statement, wanted, file):
    """Return the splices that give a statement other arguments; words that stay keep their bytes."""
    old, raw, splices = statement.words[1:], file.raw, []
    for word, value in zip(old, wanted):
        if word.value != value:
            mark = raw[word.start:word.start + 1]
            new = quote(value, mark if mark in (b'"', b"'") else b"")
            # ")" may begin a word right after a quote; no other word may.
            glued = raw[word.start - 1:word.start] not in (b" ", b"\t", b"\r", b"\n")
            splices.append((word.start, word.end, b" " * glued + new))
    if len(wanted) > len(old):
        end = statement.words[-1].end
        splices.append((end, end, b"".join(b" " + quote(value) for value in wanted[len(old):])))
    comments = [(comment.start, comment.end) for comment in file.text.comments if statement.words[0].start < comment.start < statement.at]
    for before, word in zip(statement.words[len(wanted):], old[len(wanted):]):
        clear = not any(before.end <= start < word.start for start, _end in comments)
        splices.append((before.end if clear else word.start, word.end, b""))
    return splices


def _deletion(file, statement):
    """Return the splice that takes a statement out: with its line where it has that for itself."""
    raw, start, end = file.raw, statement.words[0].start, statement.end
    if any(start < comment.start < end for comment in file.text.comments):
        raise Refused("the {0} of line {1} has a comment inside; take it out by hand".format(_words(statement), statement.line))
    line_start = raw.rfind(b"\n", 0, start) + 1
    feed = raw.find(b"\n", end)
    line_end = len(raw) if feed < 0 else feed + 1
    first = not raw[line_start:start].strip(_BLANK)
    if first and not raw[end:line_end].strip(_BLANK):
        if feed < 0 and line_start:
            # The last line of a file without a line feed at its end: the one before becomes that.
            line_start -= 2 if raw[line_start - 2:line_start] == b"\r\n" else 1
        return line_start, line_end, b""
    if first:
        return start, end + len(raw[end:]) - len(raw[end:].lstrip(b" \t")), b""
    return len(raw[:start].rstrip(b" \t")), end, b""


def _insertion(file, block, new):
    """Return (splice, offset) that put statements ([[word]]) into a block, or the file for None, and of the statement that they stand before or None.

    They come after the last statement of their name, or else after the last that has no block of its own; where order matters, or there is none,
    at the end.
    """
    raw, name = file.raw, new[-1][0].decode("ascii")
    first, close = (0, len(raw)) if block is None else (block.at + 1, block.close)
    siblings = file.text.statements if block is None else block.block
    made = [b" ".join([words[0]] + [quote(word) for word in words[1:]]) + b";" for words in new]
    end, indent = _end_of_line(raw), _indent(raw, siblings, block)
    if block is not None and block.name == b"upstream" and name in _METHODS:
        wrapping = [sibling for sibling in siblings if sibling.name == b"keepalive"]
        if wrapping:
            at = wrapping[0].words[0].start
            own = _line_indent(raw, at)
            return (at, at, b"".join(one + (b" " if own is None else end + own) for one in made)), at
    simple = [index for index, sibling in enumerate(siblings) if sibling.block is None]
    simple = [index for index in simple if siblings[index].name == new[-1][0]] or simple
    following = siblings[simple[-1] + 1:] if simple and name not in _ORDERED else []
    if following:
        last, close = siblings[simple[-1]].end, following[0].words[0].start
        last = max([last] + [comment.end for comment in file.text.comments if last <= comment.start < close and b"\n" not in raw[last:comment.start]])
    else:
        last = max([first] + [sibling.end for sibling in siblings] + [comment.end for comment in file.text.comments if first <= comment.start < close])
    before = following[0].words[0].start if following else None
    feed = raw.find(b"\n", last, close)
    if feed >= 0:
        return (feed + 1, feed + 1, b"".join(indent + one + end for one in made)), before
    if block is not None or following:
        # What comes next is in the line of what stands before: so it stays.
        tail = b" " if first == close else b""
        return (last, last, b"".join(b" " + one for one in made) + tail), before
    if not raw.strip(_BLANK):
        return (len(raw), len(raw), b"".join(one + end for one in made)), None
    return (len(raw), len(raw), b"".join(end + indent + one for one in made)), None


def _end_of_line(raw):
    feed = raw.find(b"\n")
    return b"\r\n" if feed > 0 and raw[feed - 1:feed] == b"\r" else b"\n"


def _line_indent(raw, at):
    """Return the blanks before an offset when nothing else stands before it in its line, else None."""
    before = raw[raw.rfind(b"\n", 0, at) + 1:at]
    return None if before.strip(b" \t") else before


def _indent(raw, siblings, block):
    """Return the indentation of a block's content: of its last statement that begins a line, else one step more than its own."""
    for sibling in reversed(siblings):
        found = _line_indent(raw, sibling.words[0].start)
        if found is not None:
            return found
    if block is None:
        return b""
    line_start = raw.rfind(b"\n", 0, block.words[0].start) + 1
    own = raw[line_start:len(raw) - len(raw[line_start:].lstrip(b" \t"))]
    if b"\t" in own:
        return own + b"\t"
    steps = re.findall(rb"\{[ \t]*\r?\n(\t|  +)\S", raw)
    return own + (b"\t" if steps and not own and steps[0] == b"\t" else steps[0] if steps and not own else b"    ")


# Statements as a flat list: (depth, words, terminator, code)


def _flat(read, raw):
    return [_row(statement, len(parents), raw) for statement, parents in read.walk()]


def _comments(read, raw):
    """Return the comments; the first half of a line's end that is two bytes is a part of one for nginx, and not here."""
    return [raw[comment.start:comment.end].rstrip(b"\r") for comment in read.comments]


def _row(statement, depth, raw):
    code = raw[statement.code[0]:statement.code[1]] if statement.code else None
    return depth, _values(statement), statement.terminator, code


def _flat_changed(file, changed, added):
    """Return what _flat() must be after a change.

    changed  {offset of a statement: new arguments, or None when it goes}
    added    None or (offset of the block's statement or None for the file, [[word]], offset of the statement that they stand before or None)
    """
    rows, depth_of_block = [], None
    wanted, new, before = added or (None, [], None)
    if added is not None and wanted is None:
        depth_of_block = -1

    def put():
        rows.extend((depth_of_block + 1, list(words), ";", None) for words in new)

    waiting = added is not None
    for statement, parents in file.text.walk():
        start, depth = statement.words[0].start, len(parents)
        if waiting and depth_of_block is not None and (start == before if before is not None else depth <= depth_of_block):
            put()
            waiting = False
        if start == wanted and added is not None:
            depth_of_block = depth
        if start not in changed:
            rows.append(_row(statement, depth, file.raw))
        elif changed[start] is not None:
            rows.append((depth, [statement.name] + changed[start], statement.terminator, None))
    if waiting:
        put()
    return rows


# Words for a person


def _encode(said):
    try:
        return said.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Refused("{0} has a character that no file can hold".format(text.harmless(said, 200)))


def encode(words):
    """Return the arguments of a task ([str]) as bytes. Raises Refused."""
    return [_encode(word) for word in words]


def _path(path):
    return text.harmless(text.decode(os.fsencode(path)), 4096)


def _shown(words):
    """Return the words of a statement as a person reads them, without secrets."""
    said = b" ".join(_written(word, b"" if _BARE.match(word) else b'"') for word in words)
    said = _REDACTION.file(said + b";", nginx_text.read(said + b";"))
    return text.harmless(text.decode(said[:-1]), 300)


def _words(statement):
    return _shown(_values(statement))


def _listed(items):
    items = list(items)
    more = len(items) - MAX_LISTED
    return "; ".join(items[:MAX_LISTED]) + (" and {0} more".format(more) if more > 0 else "")
