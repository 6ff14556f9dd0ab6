# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes say of TLS handshakes, in a few words."""

from __future__ import annotations

from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import NOW

OLD = ("TLSv1", "TLSv1.1", "TLSv1.2")
EVERY = (*OLD, "TLSv1.3")
DAY = 86400


def shaken(
    name: str, status: str = "ok", versions=OLD, version: str = "TLSv1.2", ciphers: str = "DEFAULT", leaf: str = "aa", verified: bool = False, code=None
) -> dict:
    """Return one further handshake; the versions are those of an nginx before 1.23.4."""
    good = status == "ok"
    return {
        "name": name,
        "versions": list(versions),
        "ciphers": ciphers,
        "verified": verified,
        "status": status,
        "code": code,
        "why": "" if good else f"TLS alert {code}",
        "version": version if good else "",
        "leaf": leaf if good else "",
    }


def explained(*handshakes: dict, chain=(), requested: bool = False, changed: float | None = None) -> dict:
    """Return what the further handshakes with an endpoint showed."""
    return {"handshakes": list(handshakes), "chain": list(chain), "requested": requested, "trust": {"changed": changed, "why": ""}}


def issued(
    subject: str = "CN=shop.example", issuer: str = "CN=Some CA", names=("shop.example",), begins: float = NOW - DAY, ends: float = NOW + 90 * DAY
) -> dict:
    """Return a certificate."""
    return {
        "subject": subject,
        "issuer": issuer,
        "names": list(names),
        "addresses": [],
        "not_before": begins,
        "not_after": ends,
        "key": "RSA 2048",
        "self_issued": subject == issuer,
    }


def failed(status: str = "tls-alert", code: int | None = 40, speak: str = "https", why: str = "") -> dict:
    """Return a try whose handshake failed."""
    return {"speak": speak, "status": status, "code": code, "header_bytes": None, "tls": None, "why": why or f"TLS alert {code}"}


def passed(verified: bool = True, ends: float = NOW + 90 * DAY, since: float | None = None, between: int | None = 0, **more) -> dict:
    """Return a try that was answered."""
    tls = {"version": "TLSv1.2", "cipher": "x", "names": ["shop.example"], "not_after": ends}
    return {"speak": "https", "tls": {**tls, **({"verified": True, "why": "", "intermediates": between, "trusted_since": since} if verified else {})}, **more}
