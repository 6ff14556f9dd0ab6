# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which response headers nginx refuses with "502 Bad Gateway", by its version.

Sources: nginx src/http/ngx_http_parse.c (ngx_http_parse_header_line(), stricter since 1.21.1),
ngx_http_upstream.c (ngx_http_upstream_process_content_length() and _transfer_encoding(), which
refuse since 1.23.0), the process_header functions of ngx_http_fastcgi_module.c,
ngx_http_uwsgi_module.c and ngx_http_scgi_module.c (Status).

This module is private to the collection.
"""

import re

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

# The first version that refuses spaces and control characters in names, and the first that refuses doubtful lengths.
STRICT_NAMES = (1, 21, 1)
STRICT_LENGTHS = (1, 23, 0)
_NEWEST = (9999,)

_STRICT = re.compile(rb"[^\x00-\x20\x7f:][^\x00-\x20\x7f:]*(?::[^\x00\r]*)?\r*\Z")
_LENIENT = re.compile(rb"[^\x00\r][^\x00\r:]*(?::[^\x00\r]*)?\r*\Z")
_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
_STATUS = re.compile(rb"[0-9]{3}")
_SHOWN = 100


def version(written):
    """Return (1, 22, 1) of "1.22.1"; None when nothing is known, which means the newest."""
    numbers = re.findall(r"[0-9]{1,6}", written or "")
    return tuple(int(number) for number in numbers[:3]) if numbers else None


def refusal(lines, known=None, cgi=False):
    """Return why nginx refuses header lines (bytes, up to and with the empty one), or "".

    known  version of the nginx as version() returns it
    cgi    whether "Status" gives the status, as it does without a status line
    """
    known = known or _NEWEST
    shape = _STRICT if known >= STRICT_NAMES else _LENIENT
    fields = []
    for line in lines.split(b"\n")[:-1]:
        if line == b"\r" or not line:
            break
        # IIS may send its status line twice: nginx skips such lines.
        if line.startswith(b"HTTP/"):
            continue
        if not shape.match(line):
            return _why_line(line)
        name, _colon, value = line.rstrip(b"\r").partition(b":")
        fields.append((name.lower(), value.strip(b" ")))
    return (_why_length(fields) if known >= STRICT_LENGTHS else "") or (_why_status(fields) if cgi else "")


def _why_line(line):
    """Return what is wrong with a header line; its value is not shown: it may be a cookie."""
    name = line.partition(b":")[0]
    shown = '"{0}"'.format(_shown(name))
    if b"\0" in line:
        return "the header line of {0} holds a NUL byte".format(shown)
    if b"\r" in line.rstrip(b"\r"):
        return "the header line of {0} holds a carriage return before its end".format(shown)
    if not name:
        what = "a header line has no name"
    elif b" " in name:
        what = "the header name {0} holds a space".format(shown)
    else:
        what = "the header name {0} holds a control character".format(shown)
    return "{0}; nginx {1} and later refuse that".format(what, ".".join(str(number) for number in STRICT_NAMES))


def _why_length(fields):
    """Return what is wrong with Content-Length and Transfer-Encoding, in the order in which nginx meets them."""
    seen = {}
    for name, value in fields:
        if name not in (b"content-length", b"transfer-encoding"):
            continue
        shown = "Content-Length" if name == b"content-length" else "Transfer-Encoding"
        if name in seen:
            return 'the header has two lines of {0}: "{1}" and "{2}"'.format(shown, _shown(seen[name]), _shown(value))
        if seen:
            return "the header has both Content-Length and Transfer-Encoding"
        seen[name] = value
        if shown == "Content-Length" and not _LENGTH.match(value):
            return 'the header has a Content-Length that is no number: "{0}"'.format(_shown(value))
        if shown == "Transfer-Encoding" and value.lower() != b"chunked":
            return 'the header has a Transfer-Encoding other than "chunked": "{0}"'.format(_shown(value))
    return ""


def _why_status(fields):
    for name, value in fields:
        if name == b"status":
            return "" if _STATUS.match(value) else 'the header has a Status that does not begin with three digits: "{0}"'.format(_shown(value))
    return ""


def _shown(raw):
    return text.harmless(text.decode(raw.rstrip(b"\r")), _SHOWN)
