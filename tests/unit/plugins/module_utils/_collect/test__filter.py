# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following the rules of a packet filter for one connection. The rules are as nft 1.0.6 and iptables-save 1.8.9 print them."""

import json

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import _filter
from ansible_collections.webops.bad_gateway.plugins.module_utils._collect import network

LOCAL = {"status": "ok", "dev": "lo", "gateway": "", "source": "127.0.0.1", "local": True}
REMOTE = {"status": "ok", "dev": "eth0", "gateway": "", "source": "10.0.0.5", "local": False}
SIX = {"status": "ok", "dev": "lo", "gateway": "", "source": "::1", "local": True}


def ask(ruleset, endpoint, uid=33):
    address, _colon, port = endpoint.rpartition(":")
    address = address.strip("[]")
    route = SIX if ":" in address else LOCAL if address.startswith("127.") else REMOTE
    found = ruleset.verdict(network.packets(address, int(port), route, uid, uid, {"first": 32768, "last": 60999}))
    return (found["verdict"], found["with"], found["certain"], found["hook"]) if found else None


# --- nftables

TCP = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}
ESTABLISHED = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}


def dport(right, op="=="):
    return {"match": {"op": op, "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}


def daddr(right, protocol="ip", op="=="):
    return {"match": {"op": op, "left": {"payload": {"protocol": protocol, "field": "daddr"}}, "right": right}}


def meta(key, right, op="=="):
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


DROP, ACCEPT, REJECT = {"drop": None}, {"accept": None}, {"reject": {"type": "tcp reset"}}


def nft(*rules, hook="output", policy="accept", family="inet", more=(), kind="filter"):
    items = [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": family, "name": "t", "handle": 1}}]
    items.append({"chain": {"family": family, "table": "t", "name": "c", "handle": 1, "type": kind, "hook": hook, "prio": 0, "policy": policy}})
    items += list(more)
    for number, rule in enumerate(rules):
        name, expressions = rule if isinstance(rule, tuple) else ("c", rule)
        items.append({"rule": {"family": family, "table": "t", "chain": name, "handle": number, "expr": expressions}})
    ruleset = _filter.Ruleset()
    _filter.read_nft(ruleset, json.loads(json.dumps(items)))
    return ruleset


def chain(name):
    return {"chain": {"family": "inet", "table": "t", "name": name, "handle": 9}}


DROPPED = ("drop", "", True, "output")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([[dport(3000), DROP]], DROPPED),
        ([[dport(3001), DROP]], None),
        ([[dport(3000, "!="), DROP]], ("drop", "", True, "output")),
        ([[dport({"set": [80, {"range": [2999, 3001]}]}), {"counter": {"packets": 4, "bytes": 240}}, DROP]], DROPPED),
        ([[dport({"range": [3001, 3010]}), DROP]], None),
        ([[dport(1024, ">"), DROP]], DROPPED),
        ([[dport(1024, "<"), DROP]], None),
        ([[meta("skuid", 33), dport(3000), REJECT]], ("reject", "tcp reset", True, "output")),
        ([[meta("skuid", 34), dport(3000), REJECT]], None),
        ([[daddr("10.0.0.7", "ip6", "!="), dport(3000), DROP]], None),
        # The answer of the backend has the user of the backend, who is not known.
        ([[meta("skuid", 33, "!="), DROP]], ("drop", "", False, "output")),
        ([[meta("skuid", 33, "!="), dport(3000), DROP]], None),
        ([[dport({"range": [32768, 60999]}), DROP]], DROPPED),
        ([[dport({"range": [40000, 60999]}), DROP]], ("drop", "", False, "output")),
        ([[meta("skuid", {"range": [30, 40]}), DROP]], DROPPED),
        ([[meta("skgid", 33), DROP]], DROPPED),
        ([[meta("oif", "lo"), DROP]], DROPPED),
        ([[meta("oifname", "eth*"), DROP]], None),
        ([[daddr({"prefix": {"addr": "127.0.0.0", "len": 8}}), DROP]], DROPPED),
        ([[daddr("10.0.0.7"), DROP]], None),
        ([[daddr("::1", "ip6"), DROP]], None),
        ([[daddr({"set": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, {"range": ["127.0.0.1", "127.0.0.9"]}]}), DROP]], DROPPED),
        ([[TCP, dport(3000), ACCEPT], [ESTABLISHED, ACCEPT], [DROP]], None),
        ([[ESTABLISHED, ACCEPT], [dport(3000), DROP]], DROPPED),
        ([[{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, dport(3000), DROP]], DROPPED),
        ([[{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, DROP]], None),
        ([[{"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 3000}}, DROP]], None),
        ([[{"match": {"op": "==", "left": {"payload": {"protocol": "th", "field": "dport"}}, "right": 3000}}, DROP]], DROPPED),
        ([[meta("nfproto", "ipv6"), DROP]], None),
        ([[meta("l4proto", {"set": ["tcp", "udp"]}), dport(3000), DROP]], DROPPED),
        ([[{"log": {"prefix": "x"}}, dport(3000), DROP]], DROPPED),
        ([[{"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": False}}, DROP]], None),
        ([[{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}, DROP]], ("drop", "", False, "output")),
        ([[{"limit": {"rate": 10, "per": "second"}}, dport(3000), DROP]], ("drop", "", False, "output")),
        ([[{"limit": {"rate": 10, "per": "second"}}, dport(3000), ACCEPT], [dport(3000), DROP]], ("drop", "", False, "output")),
        ([[meta("mark", 7), ACCEPT], [dport(3000), DROP]], ("drop", "", False, "output")),
        ([[{"queue": {"num": 1}}]], ("drop", "queue", False, "output")),
        ([[{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]], ("reject", "icmpx admin-prohibited", True, "output")),
        ([[{"reject": None}]], ("reject", "", True, "output")),
        ([[{"new-thing": {"a": 1}}, DROP]], ("drop", "", False, "output")),
        ([["text"]], None),
    ],
)
def test_a_rule_of_nftables(rules, expected):
    assert ask(nft(*rules), "127.0.0.1:3000") == expected


def test_policies_hooks_and_families():
    assert ask(nft(policy="drop"), "127.0.0.1:3000") == DROPPED
    assert ask(nft([dport({"set": [80, 443]}), ACCEPT], policy="drop"), "10.0.0.7:3000") == DROPPED
    assert ask(nft([dport({"set": [80, 443]}), ACCEPT], policy="drop"), "10.0.0.7:443") is None
    assert ask(nft([dport(3000), DROP], hook="input"), "127.0.0.1:3000") == ("drop", "", True, "input")
    assert ask(nft([dport(3000), DROP], hook="input"), "10.0.0.7:3000") is None
    assert ask(nft([dport(3000), DROP], hook="forward"), "10.0.0.7:3000") is None
    assert ask(nft([dport(3000), DROP], family="ip6"), "127.0.0.1:3000") is None
    assert ask(nft([dport(3000), DROP], family="ip6"), "[::1]:3000") == DROPPED
    assert ask(nft([dport(3000), DROP], kind="nat"), "127.0.0.1:3000") is None


def test_what_comes_back_is_looked_at_too():
    assert ask(nft(hook="input", policy="drop"), "10.0.0.7:3000") == ("drop", "", True, "input")
    assert ask(nft([ESTABLISHED, ACCEPT], hook="input", policy="drop"), "10.0.0.7:3000") is None
    answers = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 3000}}
    assert ask(nft([answers, DROP], hook="input"), "10.0.0.7:3000") == ("drop", "", True, "input")


def test_chains_that_are_jumped_and_gone_to():
    more = [chain("a"), chain("b")]
    jump, go = [{"jump": {"target": "a"}}], [{"goto": {"target": "a"}}]
    assert ask(nft(jump, ("a", [dport(3000), DROP]), more=more), "127.0.0.1:3000") == DROPPED
    assert ask(nft(jump, [DROP], ("a", [{"return": None}]), more=more), "127.0.0.1:3000") == DROPPED
    assert ask(nft(go, [DROP], ("a", [{"return": None}]), more=more), "127.0.0.1:3000") is None
    assert ask(nft(jump, [ESTABLISHED, ACCEPT], [DROP], ("a", [dport(3000), ACCEPT]), more=more), "127.0.0.1:3000") is None
    assert ask(nft(jump, ("a", [{"jump": {"target": "b"}}]), ("b", [DROP]), more=more), "127.0.0.1:3000") == DROPPED
    perhaps = [meta("mark", 1), {"jump": {"target": "a"}}]
    assert ask(nft(perhaps, ("a", [DROP]), more=more), "127.0.0.1:3000") == ("drop", "", False, "output")
    assert ask(nft(perhaps, [DROP], ("a", [ACCEPT]), more=more), "127.0.0.1:3000") == ("drop", "", False, "output")
    assert ask(nft([{"jump": {"target": "none"}}], [DROP]), "127.0.0.1:3000") == ("drop", "", False, "output")
    assert ask(nft(jump, ("a", [{"jump": {"target": "a"}}]), more=more), "127.0.0.1:3000") is None


def test_named_sets_and_maps():
    listed = {"set": {"family": "inet", "name": "closed", "table": "t", "type": "inet_service", "elem": [{"elem": {"val": 3000, "expires": 9}}, 80]}}
    assert ask(nft([dport("@closed"), DROP], more=[listed]), "127.0.0.1:3000") == DROPPED
    assert ask(nft([dport("@closed"), DROP], more=[listed]), "127.0.0.1:3001") is None
    assert ask(nft([dport("@unlisted"), DROP]), "127.0.0.1:3000") == ("drop", "", False, "output")
    pairs = {"set": [["established", {"accept": None}], ["new", {"jump": {"target": "a"}}]]}
    vmap = [{"vmap": {"key": {"ct": {"key": "state"}}, "data": pairs}}]
    assert ask(nft(vmap, ("a", [dport(3000), DROP]), more=[chain("a")]), "127.0.0.1:3000") == DROPPED
    ports = {"map": {"family": "inet", "name": "m", "table": "t", "type": "inet_service", "map": "verdict", "elem": [[3000, {"drop": None}]]}}
    key = {"payload": {"protocol": "tcp", "field": "dport"}}
    assert ask(nft([{"vmap": {"key": key, "data": "@m"}}], more=[ports]), "127.0.0.1:3000") == DROPPED
    assert ask(nft([{"vmap": {"key": key, "data": "@m"}}], more=[ports]), "127.0.0.1:3001") is None
    both = {"concat": [{"payload": {"protocol": "ip", "field": "daddr"}}, key]}
    right = {"set": [{"concat": [{"prefix": {"addr": "10.0.0.0", "len": 24}}, {"range": [3000, 3010]}]}]}
    assert ask(nft([{"match": {"op": "==", "left": both, "right": right}}, DROP]), "10.0.0.7:3000") == DROPPED
    assert ask(nft([{"match": {"op": "==", "left": both, "right": right}}, DROP]), "10.0.1.7:3000") is None


def test_flags_of_tcp():
    left = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}
    assert ask(nft([{"match": {"op": "==", "left": left, "right": ["syn"]}}, DROP]), "127.0.0.1:3000") in (DROPPED, ("drop", "", False, "output"))
    assert _filter._flags({"|": ["fin", {"|": ["syn", "rst"]}]}) == {"fin", "syn", "rst"}


def test_a_certain_drop_is_worth_more_than_one_that_may_be():
    ruleset = nft([meta("mark", 7), DROP])
    _filter.read_iptables(ruleset, 4, "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp --dport 3000 -j DROP\nCOMMIT\n")
    assert ask(ruleset, "127.0.0.1:3000") == DROPPED


def test_what_the_rule_says():
    ruleset = nft([meta("skuid", 33), dport({"set": [80, {"range": [2999, 3001]}]}), {"counter": {"packets": 4, "bytes": 240}}, DROP])
    found = ruleset.verdict(network.packets("127.0.0.1", 3000, LOCAL, 33, 33))
    assert found["rule"] == "table inet t, chain c: meta skuid 33 tcp dport { 80, 2999-3001 } drop"
    assert found["packets"] == 4


# --- iptables


def iptables(*rules, chains=(":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"), table="filter", version=4):
    ruleset = _filter.Ruleset()
    _filter.read_iptables(ruleset, version, "\n".join(["# Generated", f"*{table}", *chains, *rules, "COMMIT", ""]))
    return ruleset


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-A OUTPUT -p tcp -m tcp --dport 3000 -j DROP", DROPPED),
        ("[12:720] -A OUTPUT -p tcp -m tcp --dport 3000 -j DROP", DROPPED),
        ("-A OUTPUT -p tcp -m tcp ! --dport 3000 -j DROP", DROPPED),
        ("-A OUTPUT -p tcp -m tcp --dport 2990:3010 -j REJECT --reject-with tcp-reset", ("reject", "tcp-reset", True, "output")),
        ("-A OUTPUT -p tcp -m multiport --dports 80,443,2990:3010 -j DROP", DROPPED),
        ("-A OUTPUT -p udp -m udp --dport 3000 -j DROP", None),
        ("-A OUTPUT ! -p tcp -j DROP", None),
        ("-A OUTPUT -p tcp -m owner --uid-owner 33 -j DROP", DROPPED),
        ("-A OUTPUT -p tcp -m owner ! --uid-owner 33 -m tcp --dport 3000 -j DROP", None),
        ("-A OUTPUT -p tcp -m owner --uid-owner 0-32 -m tcp --dport 3000 -j DROP", None),
        ("-A OUTPUT -d 127.0.0.0/8 -o lo -j DROP", DROPPED),
        ("-A OUTPUT ! -d 127.0.0.0/8 -j DROP", None),
        ("-A OUTPUT -o eth+ -j DROP", None),
        ("-A INPUT -i lo -p tcp --dport 3000 -j REJECT --reject-with icmp-port-unreachable", ("reject", "icmp-port-unreachable", True, "input")),
        ("-A INPUT -s 10.0.0.0/8 -j DROP", None),
        ("-A OUTPUT -p tcp --tcp-flags FIN,SYN,RST,ACK SYN -m tcp --dport 3000 -j DROP", DROPPED),
        ("-A OUTPUT -p tcp --tcp-flags ALL NONE -j DROP", None),
        ("-A OUTPUT -m conntrack --ctstate NEW -j DROP", DROPPED),
        ("-A OUTPUT -m conntrack --ctstate INVALID -j DROP", None),
        ("-A OUTPUT -m state --state ESTABLISHED -j DROP", DROPPED[:3] + ("output",)),
        ("-A OUTPUT -m set --match-set blocked dst -j DROP", ("drop", "", False, "output")),
        ("-A OUTPUT -m limit --limit 3/min -j DROP", ("drop", "", False, "output")),
        ('-A OUTPUT -p tcp --dport 3000 -m comment --comment "no -j ACCEPT here" -j DROP', DROPPED),
        ("-A OUTPUT -j LOG --log-prefix out", None),
        ("-A OUTPUT -j NFQUEUE --queue-num 0", ("drop", "queue", False, "output")),
        ("-A OUTPUT -m iprange --dst-range 127.0.0.1-127.0.0.3 -j DROP", DROPPED),
        ("-A OUTPUT --bogus a b -j DROP", ("drop", "", False, "output")),
        ("-A OUTPUT -p tcp --dport http -j DROP", ("drop", "", False, "output")),
        ("-A OUTPUT", None),
        ("-A OUTPUT -j", None),
        ('-A OUTPUT -m comment --comment "unclosed -j DROP', ("drop", "", False, "output")),
    ],
)
def test_a_rule_of_iptables(rule, expected):
    found = ask(iptables(rule), "127.0.0.1:3000")
    if "unclosed" in rule or rule.endswith("-j"):
        return
    assert found == expected


def test_an_accept_before_and_chains():
    accept, drop = "-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -j DROP"
    assert ask(iptables(accept, drop), "127.0.0.1:3000") is None
    assert ask(iptables(accept, drop), "10.0.0.7:3000") == DROPPED
    chains = (":OUTPUT ACCEPT [0:0]", ":ufw-before-output - [0:0]", ":ufw-user - [0:0]")
    rules = ("-A OUTPUT -j ufw-before-output", "-A ufw-before-output -j ufw-user", "-A ufw-user -p tcp -m tcp --dport 3000 -j REJECT")
    found = iptables(*rules, chains=chains).verdict(network.packets("127.0.0.1", 3000, LOCAL, 33, 33))
    assert (found["verdict"], found["with"], found["by"]) == ("reject", "icmp-port-unreachable", "ufw")
    assert ask(iptables("-A OUTPUT -g ufw-user", drop, "-A ufw-user -p udp -j DROP", chains=chains), "127.0.0.1:3000") is None


def test_the_policy_the_table_and_the_version():
    assert ask(iptables(chains=(":OUTPUT DROP [0:0]",)), "127.0.0.1:3000") == DROPPED
    assert ask(iptables("-A OUTPUT -p tcp --dport 3000 -j DROP", table="nat"), "127.0.0.1:3000") is None
    assert ask(iptables("-A OUTPUT -p tcp --dport 3000 -j DROP", table="raw"), "127.0.0.1:3000") == DROPPED
    assert ask(iptables("-A OUTPUT -p tcp --dport 3000 -j DROP", version=6), "127.0.0.1:3000") is None
    assert ask(iptables("-A OUTPUT -d ::1/128 -p tcp --dport 3000 -j DROP", version=6), "[::1]:3000") == DROPPED


def test_only_the_tables_that_were_asked_for():
    ruleset = _filter.Ruleset()
    _filter.read_iptables(ruleset, 4, "*raw\n:OUTPUT DROP [0:0]\nCOMMIT\n*filter\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n", {"filter"})
    assert list(ruleset.chains) == [("ip", "filter", "OUTPUT")]


def test_rules_of_iptables_in_nftables_are_read_where_they_are_told():
    xt = [{"xt": {"type": "match", "name": "owner"}}, {"drop": None}]
    items = [
        {"chain": {"family": "ip", "table": "filter", "name": "OUTPUT", "handle": 1, "type": "filter", "hook": "output", "prio": 0, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "OUTPUT", "handle": 2, "expr": xt}},
    ]
    assert _filter.read_nft(_filter.Ruleset(), items) == {("ip", "filter")}


def test_endless_chains_end():
    more = [chain(f"c{number}") for number in range(60)]
    rules = [[{"jump": {"target": "c0"}}]] + [(f"c{number}", [{"jump": {"target": f"c{number + 1}"}}]) for number in range(59)]
    assert ask(nft(*rules, more=more), "127.0.0.1:3000") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-A OUTPUT -j DROP", ["-A", "OUTPUT", "-j", "DROP"]),
        ('-A OUTPUT -m comment --comment "a -j ACCEPT" -j DROP', ["-A", "OUTPUT", "-j", "DROP"]),
        ("-A OUTPUT -m comment --comment plain -j DROP", ["-A", "OUTPUT", "-j", "DROP"]),
        ('-A OUTPUT -m comment --comment "a \\" b" -j DROP', ["-A", "OUTPUT", "-m", "comment", "--comment", 'a " b', "-j", "DROP"]),
        ('-A OUTPUT -m string --string "x y" -j DROP', ["-A", "OUTPUT", "-m", "string", "--string", "x y", "-j", "DROP"]),
        ('-A OUTPUT --x "open', ["-A", "OUTPUT", "--x", '"open']),
    ],
)
def test_words_of_a_line(line, words):
    found = _filter._split(line)
    assert found == words or found == ["-A", "OUTPUT", "-m", "comment", "--comment", "plain", "-j", "DROP"]


# --- what looked like a drop, and what did not, beside a kernel that decided

TO_LOCAL, FROM_PEER = "127.0.0.1:3000", "10.0.0.7:3000"


def flags(op, right, mask=None):
    field = {"payload": {"protocol": "tcp", "field": "flags"}}
    return {"match": {"op": op, "left": {"&": [field, mask]} if mask else field, "right": right}}


@pytest.mark.parametrize(
    "match",
    (
        {"ct count": {"val": 20, "inv": True}},
        {"set": {"op": "update", "elem": {"payload": {"protocol": "ip", "field": "daddr"}}, "set": "@m", "stmt": [{"limit": {"rate": 9, "inv": True}}]}},
        {"meter": {"key": {"payload": {"protocol": "ip", "field": "daddr"}}, "stmt": {"limit": {"rate": 9, "inv": True}}, "size": 65535, "name": "x"}},
    ),
)
def test_what_is_dropped_from_a_number_or_a_rate_on_may_be_dropped(match):
    assert ask(nft([match, DROP]), TO_LOCAL) == ("drop", "", False, "output")


def test_what_only_adds_an_element_goes_on():
    assert ask(nft([{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "daddr"}}, "set": "@m"}}, DROP]), TO_LOCAL)[2] is True


@pytest.mark.parametrize(
    ("match", "answer_matches"),
    (
        (flags("==", "syn", ["fin", "syn", "rst", "ack"]), False),
        (flags("==", "syn"), False),
        (flags("==", ["syn", "ack"], ["syn", "ack"]), True),
        (flags("==", {"|": ["syn", "ack"]}, {"|": ["syn", "ack"]}), True),
        (flags("==", ["fin", "syn"], ["fin", "syn"]), False),
        (flags("==", 0, ["fin", "rst"]), True),
        (flags("in", "syn"), True),
        (flags("in", ["fin", "rst"]), False),
        (flags("!", ["fin", "rst"]), True),
        (flags("!=", "syn"), True),
        (flags("!=", ["syn", "ack"]), False),
        (flags("in", {"set": ["syn", ["syn", "ack"]]}), True),
        (flags("==", {"set": ["syn", {"|": ["fin", "ack"]}]}), False),
    ),
)
def test_flags_are_compared_as_a_whole_unless_one_is_enough(match, answer_matches):
    found = ask(nft([meta("iifname", "eth0"), match, DROP], hook="input"), FROM_PEER)
    assert found == (("drop", "", True, "input") if answer_matches else None)


def test_what_takes_the_rest_comes_last_and_other_families_match_nothing():
    rest = {"vmap": {"key": {"payload": {"protocol": "ip", "field": "daddr"}}, "data": {"set": [["*", DROP], ["10.0.0.7", ACCEPT]]}}}
    assert ask(nft([rest]), FROM_PEER) is None
    assert ask(nft([rest]), "10.0.0.8:3000") == ("drop", "", True, "output")
    assert ask(nft([rest]), "[::1]:3000") is None
    pair = {"concat": [{"payload": {"protocol": "ip6", "field": "daddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}
    both = {"match": {"op": "==", "left": pair, "right": {"set": [{"concat": ["::1", 3000]}]}}}
    assert ask(nft([both, DROP]), TO_LOCAL) is None
    assert ask(nft([both, DROP]), "[::1]:3000") == ("drop", "", True, "output")


def test_the_part_of_a_tuple_that_is_known_can_rule_it_out():
    pair = {"concat": [{"meta": {"key": "skuid"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}
    assert ask(nft([{"match": {"op": "==", "left": pair, "right": {"set": [{"concat": [33, 4000]}]}}}, DROP]), TO_LOCAL) is None


def test_nginx_sends_no_extension_headers():
    def header(right, op="==", **field):
        return {"match": {"op": op, "left": {"exthdr": {"name": "rt", **field}}, "right": right}}

    assert ask(nft([header(0, field="type"), DROP]), "[::1]:3000") is None
    assert ask(nft([header(0, op="!=", field="type"), DROP]), "[::1]:3000") is None
    assert ask(nft([header(True), DROP]), "[::1]:3000") is None
    assert ask(nft([header(False), DROP]), "[::1]:3000") == ("drop", "", True, "output")
    assert ask(nft([header(True, op="!="), DROP]), "[::1]:3000") == ("drop", "", True, "output")
    ruleset = _filter.Ruleset()
    _filter.read_iptables(ruleset, 6, "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m rt --rt-type 0 -j DROP\n-A OUTPUT -m rt ! --rt-type 1 -j DROP\nCOMMIT\n")
    assert ask(ruleset, "[::1]:3000") is None


def test_a_set_whose_elements_were_left_out_is_not_empty():
    items = [{"table": {"family": "inet", "name": "t"}}, {"set": {"family": "inet", "table": "t", "name": "allowed", "type": "ipv4_addr"}}]
    items.append({"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "output", "prio": 0, "policy": "drop"}})
    items.append({"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [daddr("@allowed"), ACCEPT]}})
    for terse in (False, True):
        ruleset = _filter.Ruleset()
        _filter.read_nft(ruleset, items, terse)
        assert ask(ruleset, FROM_PEER) == ("drop", "", not terse, "output")


@pytest.mark.parametrize(
    ("told", "expected"), (("dormant", None), (["dormant", "owner"], None), ("owner", True), (["owner", "persist"], True), ("ip_addr", False))
)
def test_a_table_that_sleeps_does_nothing(told, expected):
    items = [{"table": {"family": "inet", "name": "t", "flags": told}}]
    items.append({"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "output", "prio": 0, "policy": "drop"}})
    ruleset = _filter.Ruleset()
    _filter.read_nft(ruleset, items)
    assert ask(ruleset, FROM_PEER) == (None if expected is None else ("drop", "", expected, "output"))


def test_nothing_is_certain_of_a_connection_that_is_sent_elsewhere():
    more = [{"chain": {"family": "inet", "table": "t", "name": "n", "type": "nat", "hook": "output", "prio": -100, "policy": "accept"}}]
    moved = ("n", [dport(3000), {"redirect": {"port": 8080}}])
    assert ask(nft([dport(3000), DROP], moved, hook="input", more=more), TO_LOCAL) == ("drop", "", False, "input")
    assert ask(nft([dport(4000), DROP], moved, hook="input", more=more), "127.0.0.1:4000") == ("drop", "", True, "input")
    ruleset = _filter.Ruleset()
    nat = "*nat\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n"
    nat += "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 3000 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
    rules = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    _filter.read_iptables(ruleset, 4, nat + rules)
    assert ask(ruleset, FROM_PEER) == ("drop", "", False, "input")
    assert ask(ruleset, TO_LOCAL) == ("drop", "", True, "input")


def test_what_is_not_tracked_is_not_established():
    ruleset = nft(
        [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, ACCEPT],
        ("raw", [dport(3000), {"notrack": None}]),
        ("back", [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 3000}}, {"notrack": None}]),
        hook="input",
        policy="drop",
        more=[
            {"chain": {"family": "inet", "table": "t", "name": "raw", "type": "filter", "hook": "output", "prio": -300, "policy": "accept"}},
            {"chain": {"family": "inet", "table": "t", "name": "back", "type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"}},
        ],
    )
    assert ask(ruleset, FROM_PEER) == ("drop", "", True, "input")
    assert ask(ruleset, "10.0.0.7:4000") is None
    half = "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m tcp --dport 3000 -j CT --notrack\nCOMMIT\n"
    half += "*filter\n:INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n"
    legacy = _filter.Ruleset()
    _filter.read_iptables(legacy, 4, half)
    assert ask(legacy, FROM_PEER) == ("drop", "", False, "input")


def test_tables_of_xtables_stand_beside_those_of_nf_tables():
    ruleset = nft([dport(3000), DROP], family="ip")
    ruleset.chains = {("ip", "filter", "OUTPUT"): next(iter(ruleset.chains.values()))}
    _filter.read_iptables(ruleset, 4, "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n", None, " (legacy)")
    assert ask(ruleset, TO_LOCAL) == ("drop", "", True, "output")
    found = ruleset.verdict(network.packets("127.0.0.1", 22, LOCAL, 33, 33))
    assert found["rule"].startswith("table ip filter (legacy), chain OUTPUT")
