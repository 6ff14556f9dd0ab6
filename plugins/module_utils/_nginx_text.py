# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's own reading of one configuration file, over bytes, with the place of everything.

The rules are those of ngx_conf_read_token() and ngx_conf_parse() in nginx's core/ngx_conf_file.c, and
for the body of a "*_by_lua_block" those of the Lua module's block lexer. Nothing is looked up: a
directive that nginx does not know, or takes elsewhere, or with other arguments, reads well here.

Both sides import this file: the host to follow includes, to redact and to edit, the controller to
find byte ranges. raw[word.start:word.end] is what stands in the file, quotes included.

This module is private to the collection.
"""

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

# NGX_CONF_BUFFER: what nginx cannot hold whole, it refuses.
BUFFER = 4096

BRACE = "{"

_SPACE = re.compile(rb"[ \t\r\n]*")
_COMMENT = re.compile(rb"#[^\n]*")
# A backslash protects one byte; "{" is ordinary after "$", and stays so: "${{".
_WORD = re.compile(rb"(?:[^ \t\r\n;{\\$]+|\\.|\$\{*)+", re.DOTALL)
_QUOTED = {
    b'"': re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
    b"'": re.compile(rb"'[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL),
}
_ESCAPE = re.compile(rb"\\([\"'\\trn])")
_ESCAPED = {b"t": b"\t", b"r": b"\r", b"n": b"\n"}
_LUA_BLOCK = b"_by_lua_block"
_LUA_TOKEN = re.compile(
    rb"(?P<left>\{)|(?P<right>\})|(?:--)?\[(?P<level>=*)\[|--[^\n]*"
    rb"|\"[^\"\\\n]*(?:\\[^\n][^\"\\\n]*)*\"|'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*'"
)


class Error:
    """Why nginx does not read on.

    text    nginx's own words, without the place: 'unexpected "}"'
    line    the line that nginx names
    offset  of the byte where reading stopped
    """

    def __init__(self, text_, line, offset):
        self.text = text_
        self.line = line
        self.offset = offset


class Word:
    """One word: value (bytes, as nginx decodes it), start and end of its raw bytes, its first line."""

    __slots__ = ("value", "start", "end", "line")

    def __init__(self, value, start, end, line):
        self.value = value
        self.start = start
        self.end = end
        self.line = line


class Comment:
    """One comment: from its "#" up to and without its line feed."""

    __slots__ = ("start", "end", "line")

    def __init__(self, start, end, line):
        self.start = start
        self.end = end
        self.line = line


class Statement:
    """One directive.

    words       [Word]; the first is the name
    terminator  ";" or "{"
    at          offset of the terminator
    line        of the name
    end_line    of the terminator, the line that nginx gives in its messages
    block       [Statement] of a "{", else None
    close       offset of the "}", or None: no block, or the file ends or fails inside
    code        (start, end) of the opaque body of a "*_by_lua_block", else None; its block is empty
    """

    __slots__ = ("words", "terminator", "at", "line", "end_line", "block", "close", "code")

    def __init__(self, words, terminator, at, end_line):
        self.words = words
        self.terminator = terminator
        self.at = at
        self.line = words[0].line
        self.end_line = end_line
        self.block = [] if terminator == BRACE else None
        self.close = None
        self.code = None

    @property
    def name(self):
        """Return the decoded name (bytes)."""
        return self.words[0].value

    @property
    def args(self):
        """Return the decoded arguments ([bytes])."""
        return [word.value for word in self.words[1:]]

    @property
    def end(self):
        """Return the offset after the statement: after ";" or "}"; after "{" when it is not closed."""
        return self.at + 1 if self.close is None else self.close + 1


class Text:
    """What was read of a file.

    statements  [Statement] of the top level
    comments    [Comment], in order, wherever they stand
    dangling    [Word] of a statement that has no end, because of the error
    error       Error, or None. What stands before it is read as nginx reads it.
    """

    def __init__(self):
        self.statements = []
        self.comments = []
        self.dangling = []
        self.error = None

    def walk(self):
        """Yield (statement, parents) in the order of the file; parents is a tuple, outermost first."""
        waiting = [(statement, ()) for statement in reversed(self.statements)]
        while waiting:
            statement, parents = waiting.pop()
            yield statement, parents
            inside = parents + (statement,) if statement.block else ()
            waiting.extend((child, inside) for child in reversed(statement.block or ()))


def decode_word(raw):
    """Return the bytes between quotes, or of a bare word, as nginx decodes them."""
    if b"\\" not in raw:
        return raw
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match.group(1), match.group(1)), raw)


def read(raw):
    """Read the bytes of one file and return its Text. A bad file is no exception: see Text.error."""
    return _Reader(raw).read()


class _Stop(Exception):
    """Reading ends here, with an Error."""

    def __init__(self, error):
        super().__init__(error.text)
        self.error = error


class _Reader:
    """Reads one file from its first byte to its last."""

    def __init__(self, raw):
        self.raw = raw
        self.size = len(raw)
        self.at = 0
        self.line = 1
        self.text = Text()
        self.open = []

    def read(self):
        try:
            while self._statement():
                pass
        except _Stop as stop:
            self.text.error = stop.error
        return self.text

    def _statement(self):
        """Read one statement, or one "}"; return False at the end of the file."""
        words = self.text.dangling = []
        while True:
            self._advance(_SPACE.match(self.raw, self.at).end())
            if self.at == self.size:
                return self._end_of_file(words)
            byte = self.raw[self.at:self.at + 1]
            if byte == b"#":
                self._comment()
            elif byte == b"}":
                return self._close(words)
            elif byte in b";{":
                if not words:
                    raise self._unexpected(byte)
                return self._finish(words, byte)
            elif byte in _QUOTED:
                self._quoted_word(words, byte)
            else:
                self._bare_word(words)

    def _advance(self, to):
        self.line += self.raw.count(b"\n", self.at, to)
        self.at = to

    def _comment(self):
        end = _COMMENT.match(self.raw, self.at).end()
        self._check_length(self.at, end, end)
        self.text.comments.append(Comment(self.at, end, self.line))
        self._advance(end)

    def _bare_word(self, words):
        start, line = self.at, self.line
        # A first byte that opens nothing (")", or "}" later on) is a part of the word like any other.
        match = _WORD.match(self.raw, start)
        end = match.end() if match else start
        if end == self.size or self.raw[end:end + 1] == b"\\":
            raise self._unfinished(start, start)
        # nginx looks at the byte after a space before it lets go of the word.
        self._check_length(start, end if self.raw[end:end + 1] in b";{" else end + 1, self.size)
        words.append(Word(decode_word(self.raw[start:end]), start, end, line))
        self._advance(end)

    def _quoted_word(self, words, quote):
        start, line = self.at, self.line
        match = _QUOTED[quote].match(self.raw, start)
        if match is None:
            raise self._unfinished(start, start + 1, quote)
        end = match.end()
        after = self.raw[end:end + 1]
        self._check_length(start + 1, end + 1 if after and after in b" \t\r\n" else end, end, quote)
        words.append(Word(decode_word(self.raw[start + 1:end - 1]), start, end, line))
        self._advance(end)
        if after and after not in b" \t\r\n;{)":
            raise self._unexpected(after)

    def _check_length(self, start, until, closed, quote=b""):
        """Refuse what fills nginx's buffer: the bytes from start are held until the byte at "until" is read.

        closed: where the closing quote was passed, which changes the message.
        """
        full = start + BUFFER
        if full > until or full >= self.size:
            return
        if quote and full < closed:
            message = 'too long parameter, probably missing terminating "{0}" character'.format(quote.decode("ascii"))
        else:
            message = 'too long parameter "{0}..." started'.format(text.decode(self.raw[start:start + 10]))
        raise _Stop(Error(message, self.line, start))

    def _unfinished(self, start, held, quote=b""):
        """Return the failure of a word that the end of the file cuts off."""
        self._check_length(held, self.size, self.size, quote)
        self.text.dangling.append(Word(decode_word(self.raw[held:]), start, self.size, self.line))
        self._advance(self.size)
        return self._failure('unexpected end of file, expecting ";" or "}"')

    def _end_of_file(self, words):
        if words:
            raise self._failure('unexpected end of file, expecting ";" or "}"')
        if self.open:
            raise self._failure('unexpected end of file, expecting "}"')
        return False

    def _failure(self, message):
        return _Stop(Error(message, self.line, self.at))

    def _unexpected(self, byte):
        return self._failure('unexpected "{0}"'.format(text.decode(byte)))

    def _close(self, words):
        if words or not self.open:
            raise self._unexpected(b"}")
        self.open.pop().close = self.at
        self.at += 1
        return True

    def _finish(self, words, byte):
        statement = Statement(words, byte.decode("ascii"), self.at, self.line)
        self.text.dangling = []
        siblings = self.open[-1].block if self.open else self.text.statements
        siblings.append(statement)
        self.at += 1
        if statement.block is not None:
            self._enter(statement)
        return True

    def _enter(self, statement):
        if not statement.name.endswith(_LUA_BLOCK):
            self.open.append(statement)
            return
        statement.close = self._lua_end(statement)
        statement.code = (statement.at + 1, statement.close)
        self._advance(statement.close + 1)

    def _lua_end(self, statement):
        """Return the offset of the "}" that ends a body of Lua; comments, strings and inner braces are passed over."""
        at, depth = self.at, 1
        while True:
            match = _LUA_TOKEN.search(self.raw, at)
            if match is None:
                statement.code = (statement.at + 1, self.size)
                raise self._failure("unexpected end of file, expecting terminating characters for lua code block")
            at = match.end()
            if match.group("level") is not None:
                at = self._lua_bracket_end(statement, match)
            elif match.group("left"):
                depth += 1
            elif match.group("right"):
                depth -= 1
                if depth == 0:
                    return match.start()

    def _lua_bracket_end(self, statement, match):
        closing = b"]" + match.group("level") + b"]"
        end = self.raw.find(closing, match.end())
        if end >= 0:
            return end + len(closing)
        statement.code = (statement.at + 1, self.size)
        self._advance(match.start())
        message = 'Lua code block missing the closing long bracket "{0}", the inlined Lua code may be too long'
        raise self._failure(message.format(closing.decode("ascii")))
