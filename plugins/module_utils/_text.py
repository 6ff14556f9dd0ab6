# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that came from a host, made harmless to look at and free of secrets.

Both sides import this file: the target before anything leaves the host, the controller before
anything reaches a terminal.

This module is private to the collection.
"""

import hashlib
import hmac
import re

# Control characters, and the characters that reorder or hide text on a terminal: C0, DEL, C1, zero
# width and bidirectional marks (Unicode TR 9 and TR 36), lone surrogates from surrogateescape.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

# What stands in the place of a secret begins so; see Redactor.
MARK = "redacted:"

# "name=value" and "name: value" whose name says that the value is a secret.
_SECRET_NAME = (
    r"(?:[\w.-]*(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key"
    r"|credential|authori[sz]ation|cookie|session(?:[_-]?id)?|jwt|bearer|signature|dsn)[\w.-]*)"
)
_ASSIGNED_SECRET = re.compile(r"(?i)(?P<name>\b" + _SECRET_NAME + r"[\"']?\s*[=:]\s*)(?P<value>\"[^\"]*\"|'[^']*'|(?:(?:basic|bearer)\s+)?[^\s,;&\"']+)")
_AUTHORIZATION = re.compile(r"(?i)\b(?P<name>basic|bearer)\s+(?P<value>[A-Za-z0-9+/=._~-]{8,})")
_USERINFO = re.compile(r"(?P<name>\b[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<value>[^\s/@\"']+)@")
_QUERY = re.compile(r"(?P<name>\?)(?P<value>[^\s\"'#]+)")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_SECRET_OPTION = re.compile(r"(?i)^--?" + _SECRET_NAME + r"$")


def decode(raw):
    """Return bytes as text; a byte that is not UTF-8 becomes its escape, such as \\xff."""
    return raw.decode("utf-8", "backslashreplace")


def harmless(text, limit=None):
    """Return text on one line without anything that a terminal would act on.

    Each harmful character becomes its Python escape; limit is a number of characters.
    """
    text = _HARMFUL.sub(_escape, text)
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 3)] + "..."
    return text


def _escape(match):
    code = ord(match.group())
    if code > 0xFFFF:
        return "\\U{0:08x}".format(code)
    return ("\\x{0:02x}" if code < 0x100 else "\\u{0:04x}").format(code)


class Redactor:
    """Replaces secrets by marks.

    The key is made anew for each run and is stored nowhere: within a run the same secret has the
    same mark on every host, and the mark tells nothing without the key.
    """

    def __init__(self, key):
        self._key = key.encode("utf-8")

    def mark(self, secret):
        """Return the mark of a secret (text): 'redacted:' and 8 hexadecimal digits."""
        raw = secret.encode("utf-8", "surrogateescape")
        return MARK + hmac.new(self._key, raw, hashlib.sha256).hexdigest()[:8]

    def text(self, text):
        """Return free text (a log line, a journal line) with its secrets marked."""
        text = _USERINFO.sub(self._userinfo, text)
        text = _JWT.sub(lambda match: self.mark(match.group()), text)
        text = _QUERY.sub(self._named, text)
        text = _ASSIGNED_SECRET.sub(self._named, text)
        return _AUTHORIZATION.sub(self._authorization, text)

    def argv(self, argv):
        """Return a command line with the values of secret options marked."""
        shown, hide_next = [], False
        for word in argv:
            shown.append(self.mark(word) if hide_next else self.text(word))
            hide_next = bool(_SECRET_OPTION.match(word))
        return shown

    def _named(self, match):
        value = match.group("value")
        if value.startswith(MARK):
            return match.group()
        return match.group("name") + self.mark(value)

    def _userinfo(self, match):
        return match.group("name") + self.mark(match.group("value")) + "@"

    def _authorization(self, match):
        return match.group("name") + " " + self.mark(match.group("value"))
