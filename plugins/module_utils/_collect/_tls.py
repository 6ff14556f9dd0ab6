# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as nginx would speak it to one backend, and what the backend does otherwise.

A target's "tls" says what is in force for its route: versions, ciphers, whether and with what the
certificate is verified. The first handshake is made so. Only when it fails, it is made once more, and
when that fails too, a few further handshakes differ from it in one thing each: the server name, the
version, both. No request is sent in those.

The certificates that a route trusts are read as root in nginx's mount namespace, as nginx reads them
when it starts; of those files only certificates and revocation lists are kept. The certificate and
key that nginx shows to a backend are never read.

Sources: nginx src/event/ngx_event_openssl.c (ngx_ssl_create(), ngx_ssl_trusted_certificate(),
ngx_ssl_crl(), ngx_ssl_check_host()), src/http/ngx_http_upstream.c (ngx_http_upstream_ssl_handshake());
RFC 5246 (7.4 handshake messages); SSL_CTX_set_verify_depth(3).

This module is private to the collection.
"""

import hashlib
import os
import re
import tempfile
import time

try:
    import ssl
except ImportError:  # a Python built without OpenSSL
    ssl = None

from ansible_collections.webops.bad_gateway.plugins.module_utils import _certificate as certificate
from ansible_collections.webops.bad_gateway.plugins.module_utils import _evidence as evidence
from ansible_collections.webops.bad_gateway.plugins.module_utils import _inside as inside
from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.module_utils import _wire as wire

VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Below this level OpenSSL 3 has nothing for TLS 1.0 and 1.1; nginx has it only where it is told so.
OLD_CIPHERS = "DEFAULT:@SECLEVEL=0"
MAX_CHAIN = 10
MAX_FILE = 2 * 1024 * 1024
MAX_FILES = 32

# Numbers of OpenSSL's X509_V_ERR_*, as nginx logs them; nginx's own check of the name has the number that X509_verify_cert() would give.
CHAIN_TOO_LONG, NAME_DIFFERS = 22, 62

_OPTIONS = {"TLSv1": "OP_NO_TLSv1", "TLSv1.1": "OP_NO_TLSv1_1", "TLSv1.2": "OP_NO_TLSv1_2", "TLSv1.3": "OP_NO_TLSv1_3"}
_NAMES = {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
_PEM = re.compile(r"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE|X509 CRL)-----\s[A-Za-z0-9+/=\s]+?-----END \1-----")
# What this host's OpenSSL says when it does not even ask: nothing that the backend refused.
_OURS = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH", "LIBRARY_HAS_NO_CIPHERS")
_HANDSHAKE_RECORD, _CERTIFICATE_MESSAGE, _REQUEST_MESSAGE = 22, 11, 13
_DEFAULTS = {
    "protocols": list(VERSIONS), "ciphers": "DEFAULT", "verify": False, "depth": 1, "name": "", "trusted": "", "crl": "", "client_certificate": False,
    "unlike": "",
}


def settings(given):
    """Return the TLS settings of a target with every key."""
    found = dict(_DEFAULTS, names=[])
    found.update((key, value) for key, value in (given or {}).items() if value is not None)
    return found


class Trust:
    """The certificates that routes trust: read once, as root in nginx's mount namespace, before anybody becomes a worker."""

    def __init__(self, targets, pid):
        used = [settings(target.get("tls")) for target in targets]
        paths = sorted({path for item in used if item["verify"] for path in (item["trusted"], item["crl"]) if path})
        self._files = _read(paths[:MAX_FILES], pid)
        self._contexts = {}

    def context(self, versions, ciphers, alpn, trust):
        """Return context() of the same arguments, made once: a bundle of all public CAs takes its time."""
        key = tuple(versions), ciphers, alpn, trust and (trust["pem"], trust["crl"])
        if key not in self._contexts:
            self._contexts[key] = context(versions, ciphers, alpn, trust)
        return self._contexts[key]

    def of(self, tls):
        """Return {"pem": str, "crl": str, "why": "" or why it cannot be verified as nginx does, "changed": newest change of the files}."""
        found = {"pem": "", "crl": "", "why": "", "changed": None}
        for key, path in (("pem", tls["trusted"]), ("crl", tls["crl"])):
            file = self._files.get(path) if path else None
            if path and not file:
                found["why"] = "{0} was not read".format(path)
            elif file:
                found[key] = file["pem"]
                found["why"] = found["why"] or (file["why"] and "{0}: {1}".format(path, file["why"]))
                found["changed"] = max(found["changed"] or 0.0, file["changed"])
        if tls["verify"] and not found["pem"] and not found["why"]:
            found["why"] = "no certificate is trusted here"
        return found


def _read(paths, pid):
    if not paths:
        return {}
    try:
        value = inside.call(_read_all, (paths,), pid)
    except evidence.Unanswered as error:
        return {path: {"pem": "", "why": error.why, "changed": 0.0} for path in paths}
    return value.value if isinstance(value, evidence.Partial) else value


def _read_all(paths):
    return {path: _read_one(path) for path in paths}


def _read_one(path):
    """Return the certificates and revocation lists in a file, and nothing else of it: a key may stand there too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            changed = os.fstat(file.fileno()).st_mtime
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        return {"pem": "", "why": error.strerror or str(error), "changed": 0.0}
    if len(raw) > MAX_FILE:
        return {"pem": "", "why": "it is larger than {0} bytes".format(MAX_FILE), "changed": changed}
    blocks = [match.group() for match in _PEM.finditer(raw.decode("latin-1"))]
    return {"pem": "\n".join(blocks) + "\n" if blocks else "", "why": "" if blocks else "it holds no certificate", "changed": changed}


def context(versions, ciphers="DEFAULT", alpn="", trust=None):
    """Return an SSLContext for some versions of TLS; it verifies when it is given a trust. Raises ssl.SSLError, ValueError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    made.set_ciphers(ciphers)
    wanted = [version for version in VERSIONS if version in versions]
    if not wanted:
        raise ValueError("no version of TLS that is known")
    without = [version for version in VERSIONS if version not in wanted]
    if hasattr(ssl, "TLSVersion"):
        made.minimum_version = getattr(ssl.TLSVersion, _NAMES[wanted[0]])
        made.maximum_version = getattr(ssl.TLSVersion, _NAMES[wanted[-1]])
        # Only a hole between the two is left to be forbidden.
        without = [version for version in without if VERSIONS.index(wanted[0]) < VERSIONS.index(version) < VERSIONS.index(wanted[-1])]
    for version in without:
        made.options |= getattr(ssl, _OPTIONS[version], 0)
    if alpn:
        made.set_alpn_protocols([alpn])
    if trust:
        _load(made, trust)
    return made


def _load(made, trust):
    made.load_verify_locations(cadata=trust["pem"])
    if trust["crl"]:
        # OpenSSL takes revocation lists from a file alone: one without a name.
        with tempfile.TemporaryFile() as file:
            file.write(trust["crl"].encode("ascii", "replace"))
            file.flush()
            made.load_verify_locations(cafile="/proc/self/fd/{0}".format(file.fileno()))
        made.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def refused_by_us(reason):
    """Return whether a reason of OpenSSL means that this host's library did not even ask."""
    return any(word in (reason or "") for word in _OURS)


def verify_error(error):
    """Return (number, words) when an SSLError is a failed verification; the number is None before Python 3.7; else None."""
    if getattr(error, "reason", "") != "CERTIFICATE_VERIFY_FAILED":
        return None
    return getattr(error, "verify_code", None), getattr(error, "verify_message", "") or "certificate verify failed"


def objection(session, raw, tls, trust):
    """Return (number, words, intermediates) of what nginx still has against a certificate that was verified: the length of its chain, its name.

    The number is None where it has nothing, intermediates where their number cannot be told.
    """
    der = session.getpeercert(True) or b""
    between = _between(session, der, raw, trust)
    if between is not None and between > tls["depth"]:
        return CHAIN_TOO_LONG, "certificate chain too long", between
    details = certificate.details(der)
    # Without a name it depends on the request, and nobody knows it here.
    if details and tls["name"] and not certificate.is_for(tls["name"], details["names"]):
        return NAME_DIFFERS, 'the certificate is not for "{0}"'.format(tls["name"]), between
    return None, "", between


def _between(session, leaf, raw, trust):
    """Return the number of certificates between the backend's own and the trusted root, or None when that cannot be told."""
    inner = getattr(session, "_sslobj", None)
    try:
        return max(len(inner.get_verified_chain()) - 2, 0)
    except AttributeError:
        # Before Python 3.10: from what came, as long as it came unencrypted (before TLS 1.3).
        sent = _sent(raw)
    pool = [ssl.PEM_cert_to_DER_cert(match.group()) for match in _PEM.finditer(trust["pem"]) if match.group(1) == "CERTIFICATE"] + sent
    if not sent:
        return None
    current, count = certificate.identity(leaf), 0
    known = [identity for identity in (certificate.identity(der) for der in pool) if identity]
    while current and current[0] != current[1] and count <= MAX_CHAIN:
        current = next((identity for identity in known if identity[0] == current[1]), None)
        count += 1
    return count - 1 if current else None


def chain(session, raw):
    """Return the certificates (DER) that a backend sent, as far as they can be seen; its own first."""
    leaf = session.getpeercert(True)
    inner = getattr(session, "_sslobj", None)
    try:
        # 2: _ssl.ENCODING_DER.
        sent = [item.public_bytes(2) for item in inner.get_unverified_chain() or ()]
    except AttributeError:
        sent = _sent(raw)
    return (sent or ([leaf] if leaf else []))[:MAX_CHAIN]


def wants_certificate(raw):
    """Return whether the backend asked for a client certificate, as far as that is seen: before TLS 1.3."""
    return any(kind == _REQUEST_MESSAGE for kind, _content in _messages(raw))


def _sent(raw):
    """Return the certificates (DER) in an unencrypted handshake."""
    found = []
    for kind, content in _messages(raw):
        if kind == _CERTIFICATE_MESSAGE:
            position = 3
            while position + 3 <= len(content):
                size = int.from_bytes(content[position:position + 3], "big")
                found.append(content[position + 3:position + 3 + size])
                position += 3 + size
    return found


def _messages(raw):
    """Return [(type, content)] of the handshake messages in unencrypted records."""
    joined, position = b"", 0
    while wire.looks_like_tls(raw[position:]) and len(raw) >= position + 5:
        size = int.from_bytes(raw[position + 3:position + 5], "big")
        if raw[position] != _HANDSHAKE_RECORD:
            break
        joined += raw[position + 5:position + 5 + size]
        position += 5 + size
    found, position = [], 0
    while position + 4 <= len(joined):
        size = int.from_bytes(joined[position + 1:position + 4], "big")
        if position + 4 + size > len(joined):
            break
        found.append((joined[position], joined[position + 4:position + 4 + size]))
        position += 4 + size
    return found


class Explanation:
    """What the further handshakes of one failed target show; known is shared by the targets of one endpoint.

    ask(context or None, why not, server name) makes one handshake and returns {"status", "code", "why", "version", "chain", "requested"}.
    """

    def __init__(self, target, trusts, trust, alpn, ask, deadline):
        self._trusts = trusts
        self._tls = settings(target.get("tls"))
        self._name = target["sni"]
        self._trust = trust
        self._alpn = alpn
        self._ask = ask
        self._deadline = deadline
        self.value = {"handshakes": [], "chain": [], "requested": False}

    def make(self, tried):
        """Return the explanation of a failed try; the shape is in docs/architecture.md."""
        tls = self._tls
        versions, ciphers = tls["protocols"], tls["ciphers"]
        # A handshake that fails once and then succeeds shows a backend that comes or goes, and nothing else.
        again = self._shake(self._name, versions, ciphers)
        if tried["status"] == "untrusted":
            self._names(versions, ciphers, verify=True)
        elif not again and not (tried["code"] != 70 and self._names(versions, ciphers)) and not self._versions():
            self._names(VERSIONS, "DEFAULT")
        return self.value

    def _names(self, versions, ciphers, verify=False):
        """Try other server names, and none; return whether one of them is taken."""
        others = [name for name in dict.fromkeys(self._tls["names"] + [""]) if name != self._name]
        return any(self._shake(name, versions, ciphers, verify) for name in others[:4])

    def _versions(self):
        """Try each version alone; return whether one of them is taken."""
        taken = False
        for version in reversed(VERSIONS):
            old = version in ("TLSv1", "TLSv1.1")
            good = self._shake(self._name, (version,), OLD_CIPHERS if old else "DEFAULT")
            if not good and not old and self.value["handshakes"] and self.value["handshakes"][-1]["status"] == "error":
                # This side's OpenSSL refused what came: keys or parameters that are too short for its usual level.
                good = self._shake(self._name, (version,), OLD_CIPHERS)
            taken = good or taken
        return taken

    def _shake(self, name, versions, ciphers, verify=False):
        if time.monotonic() >= self._deadline:
            return False
        trust = self._trust if verify and self._tls["verify"] and not self._trust["why"] else None
        made, why = None, ""
        try:
            made = self._trusts.context(versions, ciphers, self._alpn, trust)
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", "") or str(error)
        found = self._ask(made, why, name, dict(self._tls, name=name or self._tls["name"]), trust)
        handshake = {"name": text.harmless(name, 255), "versions": list(versions), "ciphers": ciphers, "verified": bool(trust)}
        handshake["leaf"] = hashlib.sha256(found["chain"][0]).hexdigest()[:16] if found["chain"] else ""
        handshake.update((key, found[key]) for key in ("status", "code", "why", "version"))
        self.value["handshakes"].append(handshake)
        self.value["requested"] = self.value["requested"] or found["requested"]
        if found["chain"] and not self.value["chain"]:
            self.value["chain"] = [_shown(details) for details in map(certificate.details, found["chain"]) if details]
        return found["status"] == "ok"


def _shown(details):
    return dict(details, names=details["names"][:certificate.MAX_NAMES])
