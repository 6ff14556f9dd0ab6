# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx verifies the backend's certificate, and it does not pass.

## What it is
With proxy_ssl_verify on (grpc_, uwsgi_ likewise, and in stream) nginx gives up a handshake whose certificate is not issued by what
proxy_ssl_trusted_certificate holds, is expired or not valid yet, is revoked, is for another name than proxy_ssl_name (the host of
the pass by default), or stands at the end of a chain with more intermediate certificates than proxy_ssl_verify_depth (1).

## How it is recognised
A handshake that verifies with the route's own files, name and depth fails in the verification: proven. The records
"upstream SSL certificate verify error" or "does not match" in the log of the configuration that runs: likely. So are two faults of nginx
whose certificate passes now: the trusted file was changed since nginx was loaded and nginx has not read it again; or another location
reaches the same upstream without this verification, and nginx takes over the verdict on its TLS session together with that session. A
certificate that passes and ends within 14 days is a risk.

## Fix
Never to turn the verification off. The right CA belongs into the trusted file (a person has to make sure that it is the
right one; "remediate" trusts those in the file that bad_gateway_ca_file names); an expired certificate is to be renewed at the
backend; the name (where the configuration has it) and the depth can be set, and sessions kept apart with
proxy_ssl_session_reuse off. Manual, or risky for those three and with the CA given.

## When it stays silent
Nothing is verified, whatever is wrong with the certificate; it passes; the backend shows the right certificate when it is sent a server name
(tls-sni-missing).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _docking, _pointing
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import LIKELY, POSSIBLE, PROVEN, Evidence, Finding, Fix
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model import tls
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.endpoint import NAME, Endpoint
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.host import Host, Leg
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._rule import MANUAL, SAFE, Rule, by_changes, by_hand, on_leg, or_risk
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._show import clock, quote, show_config, show_directive, show_log, show_probe, show_tls

_SOON = 14 * 86400
_LOGGED = "tls-verify"
# Numbers of OpenSSL's X509_V_ERR_*, as nginx logs them.
_ISSUER = (2, 18, 19, 20, 21)
_NOT_YET, _EXPIRED, _TOO_LONG, _REVOKED, _NAME = 9, 10, 22, 23, 62
_LISTS = (3, 11, 12, _REVOKED)


def check(host: Host) -> Iterator[Finding]:
    """Yield a finding for each route that verifies a certificate which does not pass, or soon will not."""
    for leg in host.legs:
        found = tls.settings(leg.route, leg.endpoint)
        if not found or not found.verify:
            continue
        asked = leg.probe.asked if leg.probe else {}
        if asked.get("status") == "untrusted":
            yield from _failing(host, leg, found)
        elif _waits_for_reload(leg):
            yield _stale(host, leg, found)
        elif _verdicts(leg) and _sharing(host, leg, found):
            yield _shared(host, leg, found, _sharing(host, leg, found))
        elif leg.logged(_LOGGED) and (tls.open_to_log(leg) or _not_seen(leg, found)):
            yield _logged(host, leg, found)
        elif asked.get("tls") and asked["tls"].get("verified"):
            yield from _ending(host, leg, found)


def _failing(host: Host, leg: Leg, found: tls.Settings) -> Iterator[Finding]:
    chain = leg.probe.tls.get("chain") or []
    own = chain[0] if chain else {}
    code = leg.probe.asked.get("code") or _code(own, chain, host.now)
    loaded = all(leg.runs_with(item) for item in found.directives) and not tls.trust_changed(leg)
    yield on_leg(
        host,
        RULE.id,
        leg,
        PROVEN if loaded or leg.logged(_LOGGED) else LIKELY,
        f"nginx verifies the certificate of {leg.endpoint} and refuses it: {_why(host.now, leg, found, code, chain)}.",
        [
            show_config(leg),
            *show_probe(leg),
            *show_log(leg, _LOGGED),
            *(Evidence(f"certificate of {leg.endpoint}" if item is own else "certificate of its chain", _shown(item)) for item in chain[:4]),
            *_in_force(leg, found),
        ],
        _fix(host, leg, found, code, chain),
        _command(leg),
        at=_at(leg, found, code),
    )


def _not_seen(leg: Leg, found: tls.Settings) -> bool:
    """Return whether the probe's handshake leaves open what nginx refused: files were not read, the chain not measured, the name not known."""
    seen = (leg.probe.asked.get("tls") if leg.probe else None) or {}
    details = [group.get("detail") or {} for group in leg.logged(_LOGGED)]
    # nginx logs a chain that is too long as one without its issuer.
    if seen.get("intermediates") is None and any(str(detail.get("code")) in map(str, (*_ISSUER, _TOO_LONG)) for detail in details):
        return bool(seen)
    if not found.name and any(detail.get("name") for detail in details):
        return bool(seen)
    return seen.get("verified") is False


def _waits_for_reload(leg: Leg) -> bool:
    """Return whether the file that nginx trusts was changed after it was read, and the verification goes on failing since."""
    asked = leg.probe.asked if leg.probe else {}
    since = (asked.get("tls") or {}).get("trusted_since")
    if not since or not leg.instance.loaded or since <= leg.instance.loaded or not asked["tls"].get("verified"):
        return False
    return any((group["last"] or 0.0) > since for group in leg.logged(_LOGGED))


def _stale(host: Host, leg: Leg, found: tls.Settings) -> Finding:
    since = leg.probe.asked["tls"]["trusted_since"]
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY,
        f"nginx refuses the certificate of {leg.endpoint}, which passes with the trusted file as it is now: nginx read it before it was changed.",
        [
            show_config(leg),
            *_in_force(leg, found),
            Evidence("trusted file", f"changed {clock(since)}; nginx was loaded {clock(leg.instance.loaded)}"),
            *show_probe(leg),
            *show_log(leg, _LOGGED),
        ],
        Fix(remedy="reload_nginx", safety=SAFE, summary=f"Load it: {_docking.reload_command(host, leg.instance)}", changes=(leg.instance.reload(force=True),)),
        _docking.reload_command(host, leg.instance),
        at=found.trusted.at if found.trusted else None,
    )


def _verdicts(leg: Leg) -> list[dict]:
    """Return the records of a certificate without a trusted issuer, where the same certificate passes now."""
    asked = leg.probe.asked if leg.probe else {}
    passes = (asked.get("tls") or {}).get("verified")
    return [group for group in leg.logged(_LOGGED) if passes and str((group.get("detail") or {}).get("code")) in map(str, _ISSUER)]


def _sharing(host: Host, leg: Leg, found: tls.Settings) -> Leg | None:
    """Return a leg whose TLS sessions this one uses, and that verifies with something else or not at all, or None.

    nginx keeps the session with the upstream, whichever location made it, and the verdict is a part of the session.
    """
    if not found.reuses:
        return None
    for other in host.legs:
        same = other.instance is leg.instance and other.endpoint == leg.endpoint and other.route.group == leg.route.group
        theirs = tls.settings(other.route, other.endpoint) if same and other is not leg else None
        if theirs and theirs.reuses and (theirs.verify, theirs.trusted and theirs.trusted.args) != (found.verify, found.trusted and found.trusted.args):
            return other
    return None


def _shared(host: Host, leg: Leg, found: tls.Settings, other: Leg) -> Finding:
    same_life = _in_this_life(leg)
    place = f"location {other.route.location_label}" if other.route.location_label else str(other.route.at)
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY if same_life else POSSIBLE,
        f"nginx refuses the certificate of {leg.endpoint}, which passes, where it takes over a TLS session of {place}, which does not verify it so.",
        [
            show_config(leg),
            Evidence(str(other.route.at), f"{other.route.directive} {other.route.written} shares its sessions"),
            *show_probe(leg),
            *show_log(leg, _LOGGED),
            *_in_force(leg, found),
        ],
        _told(leg, found, f"At {leg.route.at}: {found.prefix}_ssl_session_reuse off; or verify in both places alike.", session_reuse=False),
        _command(leg),
        alternatives=() if same_life else ("the backend had another certificate when it was refused",),
        at=leg.route.at,
    )


def _in_this_life(leg: Leg) -> bool:
    """Return whether the backend that runs now was refused, not one before it.

    The log has whole seconds: in that of the backend's start, a worker of nginx that was started after it tells.
    """
    started = leg.listening_since
    younger = {worker["pid"] for worker in leg.instance.workers if (worker.get("started") or 0.0) > started and not leg.instance.container}
    return bool(started) and any((group["last"] or 0.0) > started or younger & set(group.get("pids") or ()) for group in _verdicts(leg))


def _logged(host: Host, leg: Leg, found: tls.Settings) -> Finding:
    group = leg.logged(_LOGGED)[0]
    detail = group.get("detail") or {}
    code = int(detail["code"]) if str(detail.get("code", "")).isdigit() else _NAME if detail.get("name") else 0
    why = _why(host.now, leg, found, code, [], str(detail.get("reason", "")), str(detail.get("name", "")))
    return on_leg(
        host,
        RULE.id,
        leg,
        LIKELY,
        f"nginx verifies the certificate of {leg.endpoint} and refused it: {why}.",
        [show_config(leg), *show_probe(leg), *show_log(leg, _LOGGED), *_in_force(leg, found)],
        _fix(host, leg, found, code, []),
        _command(leg),
        at=_at(leg, found, code),
    )


def _ending(host: Host, leg: Leg, found: tls.Settings) -> Iterator[Finding]:
    """Yield a risk for a certificate that passes and ends soon."""
    ends = leg.probe.asked["tls"].get("not_after")
    if not ends or not host.now or not host.now < ends < host.now + _SOON:
        return
    finding = on_leg(
        host,
        RULE.id,
        leg,
        PROVEN,
        f"The certificate of {leg.endpoint}, which nginx verifies, ends on {clock(ends)}; nginx refuses it from then on.",
        [show_config(leg), *_in_force(leg, found), *show_probe(leg)],
        by_hand("Renew the certificate at the backend."),
        _command(leg),
    )
    yield or_risk(finding, False)


def _code(own: dict, chain: list[dict], now: float) -> int:
    """Return the number of what is wrong, for a Python that does not tell it (before 3.7)."""
    if own and now and now > own["not_after"]:
        return _EXPIRED
    if own and now and now < own["not_before"]:
        return _NOT_YET
    return 18 if own.get("self_issued") and len(chain) == 1 else 20


def _why(now: float, leg: Leg, found: tls.Settings, code: int, chain: list[dict], reason: str = "", name: str = "") -> str:
    own = chain[0] if chain else {}
    trusted = found.trusted.args[0] if found.trusted else "its trusted certificates"
    said = quote(reason or (leg.probe.asked.get("why") if leg.probe else "") or "", 120)
    if code == _NAME:
        is_for = ", ".join((*own.get("names", ()), *own.get("addresses", ()))[:5]) if own else ""
        address = " (nginx compares an address with names alone)" if found.name in own.get("addresses", ()) else ""
        return f"it is not for {found.name or quote(name) or 'the name that nginx asks for'}" + (f" but for {quote(is_for)}{address}" if is_for else "")
    if code in (_EXPIRED, _NOT_YET):
        wrong = next((item for item in chain if _dated(item, code, now)), own) if chain else {}
        which = "it" if not wrong or wrong is own else f"the certificate {wrong['subject']} of its chain"
        if code == _EXPIRED:
            return f"{which} expired" + (f" on {clock(wrong['not_after'])}" if wrong else "")
        return f"{which} is not valid" + (f" before {clock(wrong['not_before'])}" if wrong else " yet")
    if code == _TOO_LONG:
        return f"its chain is longer than {found.depth} allows" + (f" ({_between(chain)} certificates between it and its root)" if _between(chain) else "")
    if code in _ISSUER:
        if own.get("self_issued") and len(chain) == 1:
            return f"it is signed by itself ({own['subject']}) and {trusted} does not hold it"
        if not chain:
            return f"{trusted} does not hold its issuer, or its chain is longer than {found.depth} allows ({said})"
        return f"it is issued by {chain[-1]['issuer']}, which {trusted} does not hold ({said})"
    if code in _LISTS:
        return "it is revoked" if code == _REVOKED else f"it cannot be held against {found.crl.args[0] if found.crl else 'the revocation lists'} ({said})"
    return said or "its verification fails"


def _dated(item: dict, code: int, now: float) -> bool:
    """Return whether a certificate of the chain is the one whose date is wrong."""
    return now > item["not_after"] if code == _EXPIRED else now < item["not_before"]


def _between(chain: list[dict]) -> int:
    return sum(not item["self_issued"] for item in chain[1:])


def _shown(item: dict) -> str:
    names = ", ".join(item["names"][:5])
    dates = f"{clock(item['not_before'])} to {clock(item['not_after'])}"
    return f"{item['subject']}; issued by {item['issuer']}; {f'for {names}; ' if names else ''}{dates}; {item['key']}"


def _in_force(leg: Leg, found: tls.Settings) -> list[Evidence]:
    return [*show_tls(leg, found.prefix, "verify", "trusted_certificate", "name", "server_name", "crl"), show_directive(found.depth)]


def _at(leg: Leg, found: tls.Settings, code: int):
    if code == _TOO_LONG and found.depth.at:
        return found.depth.at
    if code in _ISSUER and found.trusted and found.trusted.at:
        return found.trusted.at
    return leg.route.at


def _fix(host: Host, leg: Leg, found: tls.Settings, code: int, chain: list[dict]) -> Fix:
    trusted = found.trusted.args[0] if found.trusted else f"{found.prefix}_ssl_trusted_certificate"
    own = chain[0] if chain else {}
    if code == _TOO_LONG:
        needed = max(_between(chain), int(found.depth.args[0]) + 1 if found.depth.args[0].isdigit() else 2)
        where = _pointing.handshake_place(leg, found.prefix, "verify_depth")
        return _told(leg, found, f"At {where}: {found.prefix}_ssl_verify_depth {needed};", verify_depth=needed)
    if code == _NAME:
        # What the backend calls itself goes into a configuration only as the name that it has to be.
        names = [item for item in own.get("names", ()) if Endpoint.parse(item).kind == NAME and Endpoint.parse(item).name == item.lower()]
        known = [name for name in names if name.lower() in found.names]
        if known:
            return _told(leg, found, f"At {leg.route.at}: {found.prefix}_ssl_name {quote(known[0])};", name=known[0])
        if names:
            # A name that only the backend itself gives proves nothing of who it is: that it has to have it, a person says.
            return by_hand(f"If that is the backend's name: at {leg.route.at}, {found.prefix}_ssl_name {quote(names[0])};")
        summary = f"Set {found.prefix}_ssl_name to a name that the certificate has, or give the backend one for {found.name or 'the name'}."
        return by_hand(summary)
    if code in _ISSUER:
        issuer = chain[-1]["issuer"] if chain else "the CA that issued it"
        summary = f"Make sure that {issuer} is to be trusted and add its certificate to {trusted}"
        if not chain or not chain[-1]["self_issued"]:
            summary += "; or let the backend send its intermediate certificates too"
        summary += f". Or put the right authorities into a file on this host and name it (bad_gateway_ca_file); {trusted} is then left."
        # Which they are, only the user knows: the plan puts that file in.
        changes = _pointing.handshake(leg, found.prefix, trusted_certificate="") if _pointing.alike(host, leg) else ()
        return Fix(remedy="upstream_tls" if changes else None, safety=MANUAL, summary=summary, changes=changes)
    if code in (_EXPIRED, _NOT_YET):
        return by_hand("Renew the certificate at the backend; where it looks valid, set this host's clock.")
    if code in _LISTS and code != _REVOKED:
        return by_hand("Put the present revocation list of each CA of the chain into the file and reload nginx.")
    return by_hand("Give the backend a certificate that passes; do not turn the verification off.")


def _told(leg: Leg, found: tls.Settings, summary: str, **wanted: object) -> Fix:
    changes = _pointing.handshake(leg, found.prefix, **wanted)
    return by_changes("upstream_tls", summary, changes)


def _command(leg: Leg) -> str:
    return f"openssl s_client -connect {leg.endpoint} -showcerts" if leg.endpoint.kind == "tcp" else ""


RULE = Rule(
    id="tls-certificate-untrusted",
    title="nginx verifies the backend's certificate, and it does not pass",
    needs=("nginx", "error_log"),
    check=check,
)
