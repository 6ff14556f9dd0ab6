# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packet filter of this host does with one connection: the rules of nftables and iptables, followed for it.

The rules are read as the tools print them (libnftables-json(5), iptables-save(8)) and followed as the kernel does:
hook by hook, base chains by priority, rule by rule, into chains and back. What a rule asks that is not understood, or
that a connection alone does not tell (a mark, a rate, a list of the kernel's), is "perhaps"; a verdict that hangs on it is not
certain and says so. A drop counts for the connection's own packets; for those that come back, too.

This module is private to the collection.
"""

import ipaddress
import re
import shlex

MAX_DEPTH = 32
MAX_STEPS = 20000
MAX_SHOWN = 300

# Priorities of the built-in tables, include/uapi/linux/netfilter_ipv4.h.
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_BUILTIN = {"PREROUTING": "prerouting", "INPUT": "input", "OUTPUT": "output", "POSTROUTING": "postrouting"}
_GOES_ON = frozenset(("LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "SET", "TRACE", "CT", "TCPMSS", "CHECKSUM", "DSCP", "TOS", "CLASSIFY", "AUDIT",
                      "SECMARK", "CONNSECMARK", "HL", "TTL", "RATEEST", "TEE"))
_BY = (
    (re.compile(r"firewalld", re.IGNORECASE), "firewalld"), (re.compile(r"\bufw6?-"), "ufw"), (re.compile(r"\bf2b-|fail2ban", re.IGNORECASE), "fail2ban"),
    (re.compile(r"\bDOCKER"), "Docker"), (re.compile(r"\bKUBE-|\bcali-|\bCILIUM"), "Kubernetes"), (re.compile(r"crowdsec", re.IGNORECASE), "CrowdSec"),
    (re.compile(r"\bIN_public|\bIN_ZONES"), "firewalld"),
)


class Span:
    """A number that is somewhere from low to high."""

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def within(self, low, high):
        """Return whether it is from low to high, both counted in; None for perhaps."""
        if self.high < low or self.low > high:
            return False
        return True if low <= self.low and self.high <= high else None


NOBODY = object()


class Packet:
    """One packet of a TCP connection, as rules see it. None is "not known".

    source, target   IP addresses
    sport, dport     ports, or a Span of those that it may have
    into, out        names of the links that it comes in by and goes out by; "" where there is none
    uid, gid         of the socket that sends it from here; NOBODY when none does
    flags            of TCP, of the first packet of a side
    state            "new" or "established" for connection tracking; "untracked" by a rule
    """

    def __init__(self, source, target, sport, dport, into, out, uid, gid, state):
        self.source = ipaddress.ip_address(source) if source else None
        self.target = ipaddress.ip_address(target) if target else None
        self.sport = sport
        self.dport = dport
        self.into = into
        self.out = out
        self.uid = uid
        self.gid = gid
        self.state = state
        self.flags = frozenset(("syn",) if state == "new" else ("syn", "ack"))
        self.version = (self.target or self.source).version


class Chain:
    """A chain: its table, name, hook ("" when only jumped to), priority, policy ("accept" or "drop"), rules, and whether it may not be in use."""

    def __init__(self, family, table, name, hook="", priority=0, policy="accept"):
        self.family = family
        self.table = table
        self.name = name
        self.hook = hook
        self.priority = priority
        self.policy = policy
        self.doubt = False
        self.rules = []


class Rule:
    """A rule: matches (functions of a packet: True, False or None for perhaps), its verdict, what it says and how often it matched.

    verdict is (word, argument): ("drop", ""), ("reject", "tcp reset"), ("accept", ""), ("return", ""), ("jump", chain),
    ("goto", chain), ("untracked", ""), ("elsewhere", "") where the address or port that it goes to is changed, ("table", function
    of a packet that gives such verdicts) or ("", "") for none.
    """

    def __init__(self, matches, verdict, says, packets=None):
        self.matches = matches
        self.verdict = verdict
        self.says = says
        self.packets = packets


class Ruleset:
    """The chains of a host: {(family, table, name): Chain}."""

    def __init__(self):
        self.chains = {}

    def add(self, chain):
        """Add a chain and return it."""
        return self.chains.setdefault((chain.family, chain.table, chain.name), chain)

    def verdict(self, packets):
        """Return what becomes of packets, [(Packet, hooks)], the first that is not let through: {"verdict", ...} or None.

        A certain drop anywhere is worth more than one that may be. None is certain where the packet may get another target on its way, for
        the rules behind see that one.
        """
        doubtful, untracked = None, False
        elsewhere = self._elsewhere(packets[0][0])
        for packet, hooks in packets:
            if untracked:
                # What connection tracking makes of one whose other half it does not see is left open.
                packet.state = None
            for hook in hooks:
                for chain in self._base_chains(hook, packet.version):
                    found = _Walk(self, packet).base(chain)
                    if found and elsewhere:
                        found["certain"] = False
                    if found and found["certain"]:
                        return dict(found, hook=hook)
                    if found and doubtful is None:
                        doubtful = dict(found, hook=hook)
            untracked = untracked or packet.state in (None, "untracked")
        return doubtful

    def _elsewhere(self, packet):
        """Return whether the translation of addresses may lead a packet that is sent from here to another address or port."""
        for chain in self._base_chains("nat output", packet.version):
            walk = _Walk(self, packet)
            walk.base(chain)
            if walk.elsewhere:
                return True
        return False

    def _base_chains(self, hook, version):
        families = ("inet", "ip" if version == 4 else "ip6")
        found = [chain for chain in self.chains.values() if chain.hook == hook and chain.family in families]
        return sorted(found, key=lambda chain: chain.priority)


class _Walk:
    """One way of a packet through a base chain."""

    def __init__(self, ruleset, packet):
        self.ruleset = ruleset
        self.packet = packet
        self.doubt = False
        self.perhaps = None
        self.elsewhere = False
        self.steps = 0

    def base(self, chain):
        """Return what stops the packet, or None when it is let through."""
        self.doubt = chain.doubt
        verdict = self._chain(chain, 0)
        if verdict in (None, "return") and chain.policy == "drop":
            return _found("drop", "", chain, None, not self.doubt)
        if isinstance(verdict, dict):
            return verdict
        return self.perhaps

    def _chain(self, chain, depth):
        """Return a dict (stopped), "accept", "return" or None at the end of the chain."""
        if depth > MAX_DEPTH:
            self.doubt = True
            return None
        for rule in chain.rules:
            self.steps += 1
            if self.steps > MAX_STEPS:
                self.doubt = True
                return "accept"
            match = _all(rule.matches, self.packet)
            if match is False:
                continue
            verdicts = rule.verdict[1](self.packet) if rule.verdict[0] == "table" else [(rule.verdict, True)]
            for verdict, sure in verdicts:
                result = self._apply(chain, rule, verdict, match is True and sure, depth)
                if result is not None:
                    return result
        return None

    def _apply(self, chain, rule, verdict, sure, depth):
        """Return what _chain() returns, or None to go on with the next rule."""
        word, argument = verdict
        if word in ("drop", "reject"):
            found = _found(word, argument, chain, rule, sure and not self.doubt)
            if sure:
                return found
            self.perhaps = self.perhaps or found
        elif word in ("accept", "return"):
            if sure:
                return word
            self.doubt = True
        elif word == "untracked":
            self.packet.state = "untracked" if sure and not self.doubt else None
        elif word == "elsewhere":
            self.elsewhere = True
            return "accept" if sure else None
        elif word in ("jump", "goto"):
            target = self.ruleset.chains.get((chain.family, chain.table, argument))
            if target is None:
                self.doubt = True
                return None
            before = self.doubt
            self.doubt = self.doubt or not sure
            result = self._chain(target, depth + 1)
            if sure:
                if result == "accept" or isinstance(result, dict):
                    return result
                # What a chain that was gone to leaves open is decided by the policy, as by a return.
                return "return" if word == "goto" else None
            if isinstance(result, dict):
                self.perhaps = self.perhaps or result
            self.doubt = before or self.doubt if result != "return" else before
            if result == "accept":
                self.doubt = True
        return None


def _found(word, argument, chain, rule, certain):
    where = "table {0} {1}, chain {2}".format(chain.family, chain.table, chain.name)
    says = rule.says if rule else "policy drop"
    return {
        "verdict": word, "with": argument, "certain": certain, "rule": "{0}: {1}".format(where, says)[:MAX_SHOWN],
        "packets": rule.packets if rule else None, "by": next((name for pattern, name in _BY if pattern.search(where + " " + says)), ""),
    }


def _all(matches, packet):
    """Return the logical and of three-valued matches."""
    result = True
    for match in matches:
        value = match(packet)
        if value is False:
            return False
        if value is None:
            result = None
    return result


def _not(match):
    def negated(packet):
        value = match(packet)
        return None if value is None else not value
    return negated


def _perhaps(_packet):
    return None


# --- nftables

_SKIPPED = frozenset(("counter", "log", "mangle", "comment", "last", "flow", "ct helper", "ct timeout", "ct expectation", "secmark", "dup"))
# Flags of a table that is in use. Some versions of nft, as 1.0.6, print other words for all flags, which leave it open whether the table sleeps.
_AWAKE = frozenset(("owner", "persist"))


def read_nft(ruleset, items, terse=False):
    """Add the chains of `nft -j list ruleset` to a ruleset; items is its list. Return the tables (family, name) that need iptables-save to be read.

    terse: the elements of sets and maps that have a name were left out, so that these are not known.
    """
    sets, foreign, flags = {}, set(), {}
    for item in items:
        (kind, body), = item.items()
        if kind == "table":
            flags[(body.get("family"), body.get("name"))] = set(_listed(body.get("flags")))
        elif kind in ("set", "map") and not terse:
            sets[(body.get("family"), body.get("table"), body.get("name"))] = body.get("elem", [])
        elif kind == "chain" and body.get("family") in ("inet", "ip", "ip6"):
            hook = body.get("hook", "")
            if body.get("type") == "nat":
                # It changes addresses; what it lets through or not is decided elsewhere.
                hook = "nat " + hook
            told = flags.get((body["family"], body["table"]), set())
            if "dormant" in told:
                hook = ""
            chain = ruleset.add(Chain(body["family"], body["table"], body["name"], hook, body.get("prio", 0), body.get("policy", "accept")))
            chain.doubt = bool(told - _AWAKE)
    for item in items:
        body = item.get("rule")
        chain = body and ruleset.chains.get((body.get("family"), body.get("table"), body.get("chain")))
        if not chain:
            continue
        if any("xt" in expression for expression in body.get("expr", ()) if isinstance(expression, dict)):
            foreign.add((chain.family, chain.table))
        chain.rules.append(_nft_rule(body.get("expr", ()), chain, sets))
    return foreign


def _listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def _nft_rule(expressions, chain, sets):
    matches, verdict, words, packets = [], ("", ""), [], None
    for expression in expressions:
        if not isinstance(expression, dict) or not expression:
            matches.append(_perhaps)
            continue
        (kind, body), = list(expression.items())[:1]
        if kind == "match":
            matches.append(_nft_match(body, chain, sets))
            words.append(_say_match(body))
        elif kind == "counter":
            packets = body.get("packets") if isinstance(body, dict) else None
        elif kind in ("accept", "drop", "return"):
            verdict = (kind, "")
        elif kind == "reject":
            body = body or {}
            verdict = ("reject", " ".join(str(part) for part in (body.get("type", ""), body.get("expr", "")) if part))
        elif kind in ("jump", "goto"):
            verdict = (kind, body.get("target", ""))
        elif kind == "vmap":
            verdict = ("table", _nft_vmap(body, chain, sets))
            words.append("{0} vmap".format(_say(body.get("key"))))
        elif kind == "notrack":
            verdict = ("untracked", "")
        elif kind in ("dnat", "redirect"):
            verdict = ("elsewhere", "")
        elif kind in ("set", "map", "meter"):
            # An element is added to a set; what is counted or limited for it decides whether the rule goes on.
            if not isinstance(body, dict) or any(not isinstance(item, dict) or set(item) - {"counter"} for item in _listed(body.get("stmt"))):
                matches.append(_perhaps)
                words.append(kind)
        elif kind == "queue":
            # A program decides.
            matches.append(_perhaps)
            verdict = ("drop", "queue")
        elif kind not in _SKIPPED:
            matches.append(_perhaps)
            words.append(kind)
    if verdict[0] != "table":
        words += [part for part in verdict[:1] if part]
        words += [part for part in verdict[1:] if part]
    return Rule(matches, verdict, " ".join(words), packets)


def _nft_match(body, chain, sets):
    left, right, operator = body.get("left"), body.get("right"), body.get("op", "==")
    if isinstance(left, dict) and left.get("fib", {}).get("result") == "oif" and right is False and operator == "==":
        # Reverse path filters: the route back of a peer that was found by a route is there.
        return lambda packet: False
    if isinstance(left, dict) and "exthdr" in left:
        # nginx sends no extension headers: none exists, and a field of one matches nothing.
        return lambda packet: isinstance(right, bool) and right == (operator == "!=")
    value = _nft_value(left)
    if value is None:
        return _perhaps

    def match(packet):
        found = value(packet)
        if found is _UNKNOWN:
            return None
        if found is NOBODY:
            # The kernel leaves the rule, whatever it compares with.
            return False
        if operator in ("<", ">", "<=", ">="):
            return _ordered(found, operator, right)
        if isinstance(found, frozenset):
            return _flagged(found, operator, right)
        result = _contains(right, found, chain, sets)
        if result is None:
            return None
        return not result if operator == "!=" else result
    return match


class _Unknown:
    """What a packet does not tell."""


_UNKNOWN = _Unknown()


def _nft_value(left):
    """Return a function that gives the value of an expression for a packet (or _UNKNOWN), or None when it is not understood."""
    if not isinstance(left, dict) or len(left) != 1:
        return None
    (kind, body), = left.items()
    if kind == "payload" and isinstance(body, dict):
        return _payload(body.get("protocol"), body.get("field"))
    if kind == "meta" and isinstance(body, dict):
        return _META.get(body.get("key"))
    if kind == "ct" and isinstance(body, dict) and body.get("key") == "state":
        return lambda packet: _known(packet.state)
    if kind == "&" and isinstance(body, list) and len(body) == 2:
        inner = body[0]
        if isinstance(inner, dict) and inner.get("payload", {}).get("field") == "flags" and inner["payload"].get("protocol") == "tcp":
            mask = _flags(body[1])
            return (lambda packet: frozenset(packet.flags & mask)) if mask is not None else None
        return None
    if kind == "concat" and isinstance(body, list):
        parts = [_nft_value(part) for part in body]
        if any(part is None for part in parts):
            return None
        return lambda packet: _tuple([part(packet) for part in parts])
    return None


def _tuple(values):
    return NOBODY if any(value is NOBODY for value in values) else tuple(values)


def _flagged(found, operator, right):
    """Return whether flags are those, or ("in") among those, that a rule names; None when that is not understood."""
    if isinstance(right, dict) and "set" in right:
        result = _any(_flagged(found, "==", item) for item in _listed(right["set"]))
    else:
        wanted = _flags(right)
        if wanted is None:
            return None
        if operator in ("in", "!"):
            return bool(found & wanted) == (operator == "in")
        result = found == wanted
    return not result if operator == "!=" and result is not None else result


def _flags(written):
    if written == 0:
        return set()
    if isinstance(written, str):
        return {written}
    if isinstance(written, list):
        return set(written) if all(isinstance(item, str) for item in written) else None
    if isinstance(written, dict) and "|" in written:
        parts = [_flags(part) for part in written["|"]]
        return None if any(part is None for part in parts) else set().union(*parts)
    return None


def _payload(protocol, field):
    if protocol in ("tcp", "th") and field in ("dport", "sport"):
        return lambda packet: _known(getattr(packet, field))
    if protocol == "tcp" and field == "flags":
        return lambda packet: frozenset(packet.flags)
    if protocol in ("ip", "ip6") and field in ("saddr", "daddr"):
        version = 4 if protocol == "ip" else 6
        name = "source" if field == "saddr" else "target"
        return lambda packet: NOBODY if packet.version != version else _known(getattr(packet, name))
    if protocol == "ip" and field == "protocol" or protocol == "ip6" and field == "nexthdr":
        return lambda packet: "tcp"
    if protocol in ("udp", "udplite", "icmp", "icmpv6", "sctp", "dccp", "ah", "esp", "comp", "igmp", "arp", "vlan"):
        return lambda packet: NOBODY
    return None


def _known(value):
    return _UNKNOWN if value is None else value


_META = {
    "l4proto": lambda packet: "tcp",
    "nfproto": lambda packet: "ipv{0}".format(packet.version),
    "protocol": lambda packet: "ip" if packet.version == 4 else "ip6",
    "iifname": lambda packet: _known(packet.into),
    "iif": lambda packet: _known(packet.into),
    "oifname": lambda packet: _known(packet.out),
    "oif": lambda packet: _known(packet.out),
    "skuid": lambda packet: _known(packet.uid),
    "skgid": lambda packet: _known(packet.gid),
}


def _ordered(found, operator, right):
    if isinstance(found, Span) and isinstance(right, int):
        low, high = {"<": (0, right - 1), ">": (right + 1, 65535), "<=": (0, right), ">=": (right, 65535)}[operator]
        return found.within(low, high)
    if not isinstance(found, int) or not isinstance(right, int):
        return None
    return {"<": found < right, ">": found > right, "<=": found <= right, ">=": found >= right}[operator]


def _contains(right, found, chain, sets):
    """Return whether a value is (in) what a rule names: a value, a range, a prefix, a set, a named set; None when that is not known."""
    if right == "*":
        return True
    if found is _UNKNOWN:
        return None
    if isinstance(right, list):
        return _any(_contains(item, found, chain, sets) for item in right)
    if isinstance(right, dict):
        if "set" in right:
            return _any(_contains(item, found, chain, sets) for item in (right["set"] if isinstance(right["set"], list) else [right["set"]]))
        if "range" in right:
            return _within(found, right["range"])
        if "prefix" in right:
            return _in_prefix(found, right["prefix"])
        if "elem" in right:
            return _contains(right["elem"].get("val"), found, chain, sets)
        if "concat" in right:
            parts = right["concat"]
            if not isinstance(found, tuple) or len(parts) != len(found):
                return None
            values = [_contains(part, value, chain, sets) for part, value in zip(parts, found)]
            return False if False in values else None if None in values else True
        return None
    if isinstance(right, str) and right.startswith("@"):
        elements = sets.get((chain.family, chain.table, right[1:]))
        return None if elements is None else _any(_contains(item, found, chain, sets) for item in elements)
    return _same(right, found)


def _any(values):
    result = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def _same(right, found):
    if isinstance(found, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        try:
            return ipaddress.ip_address(right) == found
        except ValueError:
            return None
    if isinstance(found, (int, Span)):
        if not isinstance(right, int):
            return None
        return right == found if isinstance(found, int) else found.within(right, right)
    if isinstance(found, str) and isinstance(right, str):
        if right.endswith("*"):
            return found.startswith(right[:-1])
        return right == found
    if isinstance(found, str) and found == "tcp" and isinstance(right, int):
        return right == 6
    return None


def _within(found, limits):
    low, high = limits[0], limits[1]
    if isinstance(found, int) and isinstance(low, int) and isinstance(high, int):
        return low <= found <= high
    if isinstance(found, Span) and isinstance(low, int) and isinstance(high, int):
        return found.within(low, high)
    if isinstance(found, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        try:
            return ipaddress.ip_address(low) <= found <= ipaddress.ip_address(high)
        except (ValueError, TypeError):
            return None
    return None


def _in_prefix(found, prefix):
    if not isinstance(found, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return None
    try:
        return found in ipaddress.ip_network("{0}/{1}".format(prefix.get("addr"), prefix.get("len")), strict=False)
    except ValueError:
        return None


def _nft_vmap(body, chain, sets):
    """Return a function of a packet that gives [(verdict, sure)] of a verdict map."""
    value = _nft_value(body.get("key"))
    data = body.get("data")
    if isinstance(data, str) and data.startswith("@"):
        pairs = sets.get((chain.family, chain.table, data[1:]))
    else:
        pairs = (data or {}).get("set") if isinstance(data, dict) else None

    def verdicts(packet):
        if pairs is None:
            return [(("accept", ""), False)]
        found = value(packet) if value else _UNKNOWN
        if found is NOBODY:
            return []
        given = []
        # What takes all the rest comes last, wherever it stands.
        for pair in sorted(pairs, key=lambda pair: _is_rest(pair[0])):
            match = _contains(pair[0], found, chain, sets)
            if match is False:
                continue
            given.append((_nft_verdict(pair[1]), match is True))
            if match is True:
                break
        return given
    return verdicts


def _is_rest(key):
    return (key["elem"].get("val") if isinstance(key, dict) and "elem" in key else key) == "*"


def _nft_verdict(body):
    (kind, inner), = list(body.items())[:1]
    if kind in ("jump", "goto"):
        return kind, inner.get("target", "")
    return (kind, "") if kind in ("accept", "drop", "return") else ("", "")


def _say_match(body):
    operator = body.get("op", "==")
    return " ".join(part for part in (_say(body.get("left")), operator if operator not in ("==", "in") else "", _say(body.get("right"))) if part)


def _say(value):
    """Return an expression as nft would print it, roughly."""
    if isinstance(value, dict) and len(value) == 1:
        (kind, body), = value.items()
        if kind == "payload" and isinstance(body, dict):
            return "{0} {1}".format(body.get("protocol", ""), body.get("field", ""))
        if kind in ("meta", "ct") and isinstance(body, dict):
            return "{0} {1}".format(kind, body.get("key", ""))
        if kind == "prefix":
            return "{0}/{1}".format(body.get("addr"), body.get("len"))
        if kind == "range":
            return "{0}-{1}".format(body[0], body[1])
        if kind == "set":
            items = body if isinstance(body, list) else [body]
            return "{ " + ", ".join(_say(item) for item in items[:8]) + (", ..." if len(items) > 8 else "") + " }"
        if kind == "elem":
            return _say(body.get("val"))
        if kind == "concat":
            return " . ".join(_say(part) for part in body)
        return kind
    if isinstance(value, list):
        return ",".join(_say(item) for item in value[:8])
    return str(value)


# --- iptables

_TABLE = re.compile(r"^\*(\w+)$")
_POLICY = re.compile(r"^:(\S+) (\S+)")
_COMMENT = re.compile(r" -m comment --comment (?:\"[^\"\\]*\"|[^\s\"'\\]+)(?= |$)")
_COUNTED = re.compile(r"^\[(\d+):\d+\] (-A .*)$")


def read_iptables(ruleset, version, saved, tables=None, suffix=""):
    """Add the chains of iptables-save or ip6tables-save (version 4 or 6) to a ruleset; tables are the only ones wanted, None for all.

    suffix is added to the names of tables, for those of xtables stand beside those of nf_tables with the same names.
    """
    family = "ip" if version == 4 else "ip6"
    plain = table = ""
    for line in saved.split("\n"):
        found = _TABLE.match(line)
        if found:
            plain = found.group(1)
            table = plain + suffix
        if plain not in _PRIORITIES or tables is not None and plain not in tables:
            continue
        found = _POLICY.match(line)
        if found:
            name, policy = found.groups()
            hook = _BUILTIN.get(name, "")
            hook = "nat " + hook if hook and plain == "nat" else hook
            chain = Chain(family, table, name, hook, _PRIORITIES[plain], policy.lower() if policy != "-" else "accept")
            ruleset.chains[(family, table, name)] = chain
            continue
        counted = _COUNTED.match(line)
        packets, line = (int(counted.group(1)), counted.group(2)) if counted else (None, line)
        if line.startswith("-A "):
            words = _split(line)
            chain = ruleset.chains.get((family, table, words[1]))
            if chain:
                chain.rules.append(_iptables_rule(words[2:], line, packets, ruleset, family, table))


def _split(line):
    """Split a line as a shell would, which few of many thousand lines need."""
    if '"' not in line and "'" not in line and "\\" not in line:
        return line.split()
    plain = _COMMENT.sub("", line)
    if '"' not in plain and "'" not in plain and "\\" not in plain:
        return plain.split()
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _iptables_rule(words, line, packets, ruleset, family, table):
    matches, verdict, reject = [], ("", ""), "icmp-port-unreachable"
    at, negated = 0, False
    while at < len(words):
        word = words[at]
        argument = words[at + 1] if at + 1 < len(words) else ""
        at += 1
        if word == "!":
            negated = True
            continue
        if word in ("-j", "-g"):
            verdict = _target(word, argument, ruleset, family, table)
            at += 1
        elif word == "--reject-with":
            reject = argument
            at += 1
        elif word == "-m":
            at += 1
            if argument in _NEVER:
                matches.append(lambda packet: False)
            elif argument not in _UNDERSTOOD:
                matches.append(_perhaps)
        elif word == "--notrack":
            verdict = ("untracked", "")
        elif word in _FLAGS_OF_TARGETS:
            at += 1
        else:
            match, taken = _iptables_match(word, words[at:])
            at += taken
            if match is not None:
                matches.append(_not(match) if negated else match)
        negated = False
    if verdict[0] == "perhaps":
        matches.append(_perhaps)
        verdict = ("drop", "queue")
    if verdict[0] == "reject":
        verdict = ("reject", reject)
    return Rule(matches, verdict, line, packets)


_UNDERSTOOD = frozenset(("tcp", "udp", "icmp", "icmp6", "comment", "multiport", "conntrack", "state", "owner", "addrtype", "iprange"))
# Headers that no packet of nginx has; these modules match nothing without them, negated or not.
_NEVER = frozenset(("rt", "frag", "hbh", "dst", "mh", "ah", "esp", "sctp", "dccp"))
_FLAGS_OF_TARGETS = frozenset(("--log-prefix", "--log-level", "--nflog-prefix", "--nflog-group", "--set-mark", "--set-xmark", "--comment", "--to-ports"))


def _target(word, name, ruleset, family, table):
    if name in ("ACCEPT", "DROP", "RETURN"):
        return name.lower(), ""
    if name == "REJECT":
        return "reject", ""
    if name == "NOTRACK":
        return "untracked", ""
    if name in ("DNAT", "REDIRECT"):
        return "elsewhere", ""
    if name in _GOES_ON:
        return "", ""
    if (family, table, name) in ruleset.chains:
        return ("goto" if word == "-g" else "jump"), name
    return "perhaps", ""


def _iptables_match(word, rest):
    """Return (match, words taken) of an option; an unknown one is "perhaps" and takes its words up to the next option."""
    value = rest[0] if rest else ""
    if word in ("-s", "-d", "--source", "--destination"):
        return _network("source" if word in ("-s", "--source") else "target", value), 1
    if word in ("-i", "-o"):
        return _link("into" if word == "-i" else "out", value), 1
    if word in ("-p", "--protocol"):
        return (lambda packet: value in ("tcp", "6", "all", "0")), 1
    if word in ("--dport", "--dports", "--destination-port", "--sport", "--sports", "--source-port"):
        return _ports("dport" if word.startswith("--d") else "sport", value), 1
    if word in ("--ctstate", "--state"):
        return (lambda packet: None if packet.state is None else packet.state in value.lower().split(",")), 1
    if word in ("--uid-owner", "--gid-owner"):
        return _owner("uid" if word == "--uid-owner" else "gid", value), 1
    if word == "--syn":
        return (lambda packet: packet.flags == {"syn"}), 0
    if word == "--tcp-flags" and len(rest) >= 2:
        return _tcp_flags(rest[0], rest[1]), 2
    if word in ("--src-range", "--dst-range"):
        return _address_range("source" if word == "--src-range" else "target", value), 1
    taken = 0
    while taken < len(rest) and not rest[taken].startswith("-") and rest[taken] != "!":
        taken += 1
    return _perhaps, taken


def _network(name, written):
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return _perhaps

    def match(packet):
        address = getattr(packet, name)
        return None if address is None else address in network
    return match


def _link(name, written):
    def match(packet):
        link = getattr(packet, name)
        if link is None:
            return None
        return link.startswith(written[:-1]) if written.endswith("+") else link == written
    return match


def _ports(name, written):
    ranges = []
    for part in written.split(","):
        low, colon, high = part.partition(":")
        if not (low or "0").isdigit() or not (high or "65535").isdigit():
            return _perhaps
        ranges.append((int(low or 0), int(high or 65535) if colon else int(low)))

    def match(packet):
        port = getattr(packet, name)
        if isinstance(port, Span):
            return _any(port.within(low, high) for low, high in ranges)
        return any(low <= port <= high for low, high in ranges)
    return match


def _owner(name, written):
    low, _dash, high = written.partition("-")
    if not low.isdigit() or not (high or "0").isdigit():
        return _perhaps

    def match(packet):
        number = getattr(packet, name)
        if number is NOBODY:
            return False
        return None if number is None else int(low) <= number <= int(high or low)
    return match


def _tcp_flags(mask, wanted):
    every = {"fin", "syn", "rst", "psh", "ack", "urg"}

    def parse(written):
        words = set(written.lower().split(","))
        return every if "all" in words else set() if "none" in words else words

    mask, wanted = parse(mask), parse(wanted)
    return lambda packet: packet.flags & mask == wanted


def _address_range(name, written):
    low, _dash, high = written.partition("-")
    try:
        low, high = ipaddress.ip_address(low), ipaddress.ip_address(high)
    except ValueError:
        return _perhaps

    def match(packet):
        address = getattr(packet, name)
        return None if address is None or address.version != low.version else low <= address <= high
    return match
