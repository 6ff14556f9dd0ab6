# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an X.509 certificate says of itself, from its DER bytes, and whether it is for a name.

The ssl module tells them only of a certificate that it has verified, and a probe looks at those that
fail too. Sources: RFC 5280 (4.1 Certificate, 4.2.1.6 subjectAltName), RFC 8017 (A.1
RSA keys), X.690 (DER); X509_check_host() in OpenSSL's crypto/x509/v3_utl.c.

This module is private to the collection.
"""

import _strptime  # noqa: F401  pylint: disable=unused-import  # time.strptime() loads it at its first call: see _inside
import calendar
import re
import socket
import time

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text

MAX_NAMES = 32
MAX_COMPARED = 1000

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


_RSA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
_KEYS = {b"\x2a\x86\x48\xce\x3d\x02\x01": "EC", b"\x2b\x65\x70": "Ed25519", b"\x2b\x65\x71": "Ed448", b"\x2a\x86\x48\xce\x38\x04\x01": "DSA"}
# Attributes of a distinguished name that are shown, by the last byte of 2.5.4.n.
_ATTRIBUTES = {3: "CN", 6: "C", 7: "L", 8: "ST", 10: "O", 11: "OU"}
_LABEL_PART = re.compile(r"[0-9a-z-]*\Z")


def describe(der):
    """Return (names, not_after): a list of str, and seconds since the epoch (float).

    The names are those of subjectAltName (DNS names, addresses), or else the common names, harmless
    and at most MAX_NAMES. Bytes that are no certificate give ([], None).
    """
    try:
        return _describe(der)
    except (IndexError, ValueError):
        return [], None


def details(der):
    """Return what the contract tells of a certificate; None when the bytes are none.

    {"subject", "issuer", "names", "addresses", "not_before", "not_after", "key", "self_issued"}: names are those that a
    host name is compared with, as X509_check_host() takes them: DNS names, or the common names where there are none.
    """
    try:
        return _details(der)
    except (IndexError, ValueError):
        return None


def identity(der):
    """Return (subject, issuer) as bytes that can be compared; None when the bytes are no certificate."""
    try:
        fields = _fields(der)
        return fields[4][1], fields[2][1]
    except (IndexError, ValueError):
        return None


def is_for(name, names):
    """Return whether a certificate with these names is for a host name, as X509_check_host() without flags says.

    An address is a name like any other there: those of the certificate's addresses do not count.
    """
    name = name.lower()
    return bool(name) and any(_fits(pattern.lower(), name) for pattern in names)


def _fits(pattern, name):
    """Return whether one name of a certificate covers a host name; "*" stands for a part of the first label."""
    if name.startswith("."):
        return pattern.endswith(name) and len(pattern) > len(name)
    first, dot, rest = pattern.partition(".")
    if first.count("*") != 1 or not dot or "." not in rest or "*" in rest or first.startswith("xn--"):
        return pattern == name
    before, _star, after = first.partition("*")
    label, _dot, others = name.partition(".")
    if before and after or others != rest or len(label) < len(before) + len(after):
        return pattern == name
    middle = label[len(before):len(label) - len(after)]
    if not label.startswith(before) or not label.endswith(after) or not _LABEL_PART.match(middle):
        return False
    # A star that is the whole label stands for something; one that is a part of it, never for a part of a name in another script.
    return not label.startswith("xn--") if before or after else bool(middle)


def _fields(der):
    """Return the elements of the part that is signed: serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, ..."""
    fields = _items(_items(_items(der)[0][1])[0][1])
    return fields[1:] if fields[0][0] == _VERSION else fields


def _details(der):
    fields = _fields(der)
    not_before, not_after = (_time(item) for item in _items(fields[3][1])[:2])
    names, addresses = [], []
    for tag, content in fields[6:]:
        if tag == _EXTENSIONS:
            found = _general_names(content)
            names = [text.decode(value) for tag, value in found if tag == _DNS_NAME]
            addresses = [_general_name(tag, value) for tag, value in found if tag == _IP_ADDRESS]
    names = names or _common_names(fields[4][1])
    return {
        "subject": text.harmless(_distinguished(fields[4][1]), 255),
        "issuer": text.harmless(_distinguished(fields[2][1]), 255),
        "names": [text.harmless(name, 255) for name in names[:MAX_COMPARED]],
        "addresses": [name for name in addresses[:MAX_NAMES] if name],
        "not_before": not_before,
        "not_after": not_after,
        "key": _key(fields[5][1]),
        "self_issued": fields[2][1] == fields[4][1],
    }


def _distinguished(raw):
    parts = []
    for _tag, relative in _items(raw):
        for tag, attribute in _items(relative):
            pair = _items(attribute) if tag == _SEQUENCE else []
            if len(pair) == 2 and len(pair[0][1]) == 3 and pair[0][1][:2] == _COMMON_NAME[:2] and pair[0][1][2] in _ATTRIBUTES:
                parts.append("{0}={1}".format(_ATTRIBUTES[pair[0][1][2]], text.decode(pair[1][1])))
    return ", ".join(parts)


def _key(content):
    """Return "RSA 2048", "EC" or another kind of key; "" for one that is not known."""
    algorithm, bits = _items(content)[:2]
    kind = _items(algorithm[1])[0][1]
    if kind == _RSA:
        modulus = _items(_items(bits[1][1:])[0][1])[0][1]
        return "RSA {0}".format(int.from_bytes(modulus, "big").bit_length())
    return _KEYS.get(kind, "")


def _describe(der):
    fields = _fields(der)
    not_after = _time(_items(fields[3][1])[1])
    names = []
    for tag, content in fields[6:]:
        if tag == _EXTENSIONS:
            names = [name for name in (_general_name(tag, value) for tag, value in _general_names(content)) if name]
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


def _general_names(content):
    """Return [(tag, value)] of subjectAltName."""
    for _tag, extension in _items(_items(content)[0][1]):
        parts = _items(extension)
        if parts[0] == (_OID, _SUBJECT_ALT_NAME) and parts[-1][0] == _OCTETS:
            return _items(_items(parts[-1][1])[0][1])
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
