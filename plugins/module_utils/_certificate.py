# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and end date of an X.509 certificate, from its DER bytes.

The ssl module tells them only of a certificate that it has verified, and a probe looks at those that
fail too. Sources: RFC 5280 (4.1 Certificate, 4.2.1.6 subjectAltName), X.690 (DER).

This module is private to the collection.
"""

import _strptime  # noqa: F401  pylint: disable=unused-import  # time.strptime() loads it at its first call: see _inside
import calendar
import socket
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_NAMES = 32

_SEQUENCE = 0x30
_OID = 0x06
_OCTETS = 0x04
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_VERSION = 0xA0  # [0] of TBSCertificate
_EXTENSIONS = 0xA3  # [3] of TBSCertificate
_DNS_NAME = 0x82  # [2] of GeneralName
_IP_ADDRESS = 0x87  # [7] of GeneralName
_COMMON_NAME = b"\x55\x04\x03"
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"


def describe(der):
    """Return (names, not_after): a list of str, and seconds since the epoch (float).

    The names are those of subjectAltName (DNS names, addresses), or else the common names, harmless
    and at most MAX_NAMES. Bytes that are no certificate give ([], None).
    """
    try:
        return _describe(der)
    except (IndexError, ValueError):
        return [], None


def _describe(der):
    fields = _items(_items(_items(der)[0][1])[0][1])
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, ...
    not_after = _time(_items(fields[3][1])[1])
    names = []
    for tag, content in fields[6:]:
        if tag == _EXTENSIONS:
            names = _alternative_names(content)
    names = names or _common_names(fields[4][1])
    return [text.harmless(name, 255) for name in names[:MAX_NAMES]], not_after


def _items(raw):
    """Return [(tag, content)] of the elements that follow each other in raw."""
    items, position = [], 0
    while position < len(raw):
        tag, size = raw[position], raw[position + 1]
        position += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("length of {0} bytes".format(count))
            size = int.from_bytes(raw[position:position + count], "big")
            position += count
        if position + size > len(raw):
            raise ValueError("element longer than its surroundings")
        items.append((tag, raw[position:position + size]))
        position += size
    return items


def _time(item):
    """Return seconds since the epoch; DER allows one form of each kind of time, in UTC."""
    tag, content = item
    form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(tag, "")
    written = time.strptime(content.decode("ascii"), form)
    year = written.tm_year
    if tag == _UTC_TIME:
        # RFC 5280 4.1.2.5.1: 50 to 99 are of the last century; strptime begins at 69.
        year = 1900 + year % 100 if year % 100 >= 50 else 2000 + year % 100
    return float(calendar.timegm((year,) + written[1:]))


def _alternative_names(content):
    for _tag, extension in _items(_items(content)[0][1]):
        parts = _items(extension)
        if parts[0] == (_OID, _SUBJECT_ALT_NAME) and parts[-1][0] == _OCTETS:
            names = _items(_items(parts[-1][1])[0][1])
            return [name for name in (_general_name(tag, value) for tag, value in names) if name]
    return []


def _general_name(tag, value):
    if tag == _DNS_NAME:
        return text.decode(value)
    if tag == _IP_ADDRESS and len(value) in (4, 16):
        return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
    return ""


def _common_names(subject):
    names = []
    for _tag, relative in _items(subject):
        for tag, attribute in _items(relative):
            parts = _items(attribute) if tag == _SEQUENCE else []
            if len(parts) == 2 and parts[0] == (_OID, _COMMON_NAME):
                names.append(text.decode(parts[1][1]))
    return names
