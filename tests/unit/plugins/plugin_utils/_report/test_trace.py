# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of the way of one URL, in trace.json and at a terminal."""

from __future__ import annotations

import json

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _text as text
from ansible_collections.webops.bad_gateway.plugins.plugin_utils import _bundle, _judge, _targets, _url
from ansible_collections.webops.bad_gateway.plugins.plugin_utils._report import columns, terminal, trace_document, trace_terminal
from ansible_collections.webops.bad_gateway.tests.unit.plugins.plugin_utils.build import MAIN, World

TCP = "127.0.0.1:3000"
URL = "http://shop.example/cart/a.json"


def bundle_of(world: World, url: _url.Url, probe: bool = True) -> dict:
    """Return the bundle that collect would write for a URL."""
    bundle = world.bundle()
    batches = _targets.batches(bundle, "", "GET", 10.0, url)
    made = [world._probe(target) for batch in batches for target in batch["targets"]]
    if probe:
        bundle["probes"] = {**bundle["probes"], "value": {**(bundle["probes"]["value"] or {}), "probes": made}}
    return json.loads(json.dumps(bundle))


def traced(*worlds: World, url: str = URL) -> tuple[dict, list[terminal.Line]]:
    """Return the document and the lines for hosts."""
    asked = _url.parse(url)
    return told([bundle_of(world, asked) for world in worlds], url)


def told(bundles: list[dict], url: str = URL) -> tuple[dict, list[terminal.Line]]:
    asked = _url.parse(url)
    pairs = [(trace_document.model_of(bundle), _judge.judge(bundle)) for bundle in bundles]
    trace = trace_document.build(asked, pairs, "1.2.3", 0.0)
    assert json.loads(json.dumps(trace)) == trace
    return trace, trace_terminal.render(trace, trace_document.findings(pairs, asked), "/r/trace.json")


def shown(lines: list[terminal.Line]) -> str:
    return "\n".join(line for _style, line in lines)


SITE = (
    "location / { proxy_pass http://127.0.0.1:3009; }",
    "location /cart/ {",
    "proxy_set_header Host $host;",
    "proxy_read_timeout 5s;",
    "rewrite ^/cart/(.*)$ /v1/$1 break;",
    "proxy_pass http://app;",
    "}",
)
GROUP = f"upstream app {{ server {TCP} weight=2; server 127.0.0.1:3001 backup; server 127.0.0.1:3002 down; }} proxy_set_header X-A b;"
GOLDEN = """\
http://shop.example/cart/a.json: 1 of 1 host takes it

web1: passes it on
  socket    *:80 (from 10.0.0.5, 127.0.0.1) of /etc/nginx/nginx.conf
  server    shop.example (/etc/nginx/sites-enabled/shop:2)
            by: only server
  location  /cart/a.json: /cart/ (/etc/nginx/sites-enabled/shop:4)
            by: longest prefix
            not / (/etc/nginx/sites-enabled/shop:3): a shorter prefix
  rewrite   ^/cart/(.*)$ matches /cart/a.json: now /v1/a.json; the location
              stays (/etc/nginx/sites-enabled/shop:7)
  pass      proxy_pass http://app (/etc/nginx/sites-enabled/shop:8)
  asks for  /v1/a.json HTTP/1.0, Host shop.example
  sends     Connection: close (by default)
            Host: $host = shop.example (/etc/nginx/sites-enabled/shop:5)
  drops     X-A: b (/etc/nginx/sites-enabled/shop:1), as an inner level has
              headers of its own
  in force  proxy_connect_timeout 60s (default)
            proxy_read_timeout 5s (/etc/nginx/sites-enabled/shop:6)
            proxy_buffer_size 4k (default)
            proxy_next_upstream error timeout (default)
            proxy_http_version 1.0 (default)
            client_max_body_size 1m (default)
  peer      127.0.0.1:3000 of app (/etc/nginx/sites-enabled/shop:1), weight 2
            http: answered 200 in 0.01 s with a header of 180 bytes
              (/v1/a.json)
            listening: 127.0.0.1:3000 by node (pid 1001, shop.service)
            127.0.0.1:3001 of app (/etc/nginx/sites-enabled/shop:1), backup
            http: answered 200 in 0.01 s with a header of 180 bytes
              (/v1/a.json)
            listening: 127.0.0.1:3001 by node (pid 1002, spare.service)
            127.0.0.1:3002 of app (/etc/nginx/sites-enabled/shop:1), down
            marked down: nginx sends it nothing

trace: /r/trace.json"""


def world(name: str = "web1") -> World:
    return World(name).site(*SITE, outside=(GROUP,)).service("shop.service", TCP).service("spare.service", "127.0.0.1:3001")


def test_word_for_word():
    trace, lines = traced(world())
    assert [line for line in shown(lines).split("\n") if not line.startswith(("  advice", "  risk"))] == GOLDEN.split("\n")
    (entry,) = trace["hosts"]["web1"]["entries"]
    assert (entry["end"], entry["pass"]["uri"], entry["pass"]["host"], entry["path"]) == ("pass", "/v1/a.json", "shop.example", "/cart/a.json")
    assert [peer["endpoint"] for peer in entry["peers"]] == [TCP, "127.0.0.1:3001", "127.0.0.1:3002"]


def test_the_cause_of_the_way_alone():
    """What is wrong with another route is no part of the way."""
    host = World().site(*SITE, outside=(GROUP.replace("server 127.0.0.1:3001 backup; ", ""),)).service("other.service", "127.0.0.1:3009")
    host.unit("shop.service", TCP, active="inactive", sub="dead")
    trace, lines = traced(host)
    assert [item["id"] for item in trace["hosts"]["web1"]["findings"] if item["kind"] == "cause"] == ["backend-not-running"]
    said = shown(lines)
    assert "web1: passes it on; backend-not-running (proven)" in said and "next   systemctl start shop.service" in said
    trace, _lines = traced(host, url="http://shop.example/other")
    assert not [item for item in trace["hosts"]["web1"]["findings"] if item["kind"] == "cause"]


def test_only_what_the_url_leads_to_is_asked():
    bundle = world().bundle()
    (batch,) = _targets.batches(bundle, "", "GET", 10.0, _url.parse(URL + "?q=%20"))
    asked = {(target["endpoint"], target["path"], target["host"], target["version"]) for target in batch["targets"]}
    assert asked == {(TCP, "/v1/a.json?q=%20", "shop.example", "1.0"), ("127.0.0.1:3001", "/v1/a.json?q=%20", "shop.example", "1.0")}
    assert _targets.batches(world().bundle(), "", "GET", 10.0, _url.parse("https://shop.example/")) == []


PHP = "fastcgi_pass 127.0.0.1:9000;"


def test_parameters_of_fastcgi():
    php = World().site(
        "root /srv;", "location ~ \\.php$ {", "fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;", "fastcgi_param QUERY_STRING $args;", PHP, "}"
    )
    (batch,) = _targets.batches(php.bundle(), "", "GET", 10.0, _url.parse("http://shop.example/a/b.php?x=1"))
    assert batch["targets"][0]["params"] == {"SCRIPT_FILENAME": "/srv/a/b.php", "QUERY_STRING": "x=1"}


@pytest.mark.parametrize(
    ("lines", "url", "says"),
    [
        (("return 301 https://$host$request_uri;",), URL, ["redirects it", "Location https://shop.example/cart/a.json"]),
        (("location / { return 403; }",), URL, ["answers it itself", "nginx answers 403 by return 403"]),
        (("location / { root /srv; }",), URL, ["serves it from files", "nginx serves a file"]),
        (
            ("location / { if ($remote_addr) { return 403; } proxy_pass http://127.0.0.1:3000; }",),
            URL,
            ["this cannot tell", "only a request tells $remote_addr"],
        ),
        (("location / { if ($http_x) { return 403; } proxy_pass http://127.0.0.1:3000; }",), URL, ["$http_x: taken as not sent (assumed)"]),
        (("location / { proxy_pass http://127.0.0.1:3000; }",), "https://shop.example:80/", ["refuses it", "a TLS handshake fails"]),
        (
            ("location / { proxy_pass http://127.0.0.1:3000; }",),
            "https://shop.example/",
            ["no nginx of this host takes it", "listens *:80", "asks for http://shop.example/: trace that"],
        ),
        (("location / { proxy_pass http://127.0.0.1:3000; }",), "http://192.0.2.1/", ["none of this host's"]),
        (("location / { proxy_pass http://$remote_addr:3000; }",), URL, ["only a request tells $remote_addr"]),
        (
            ("location /a { try_files $uri @n; }", "location @n { proxy_pass http://127.0.0.1:3000; }"),
            "http://shop.example/a",
            ["(assumed)", "what is assumed may be otherwise"],
        ),
        (("error_page 418 @n; location / { return 418; }", "location @n { proxy_pass http://127.0.0.1:3000; }"), URL, ["the client gets status 418"]),
        (("location / { auth_request /auth; limit_req zone=x; proxy_pass http://127.0.0.1:3000; }",), URL, ["first     limit_req", "auth_request /auth"]),
    ],
)
def test_other_ends(lines, url, says):
    _trace, told_lines = traced(World().site(*lines).service("shop.service", TCP), url=url)
    joined = " ".join(shown(told_lines).split())
    for words in says:
        assert " ".join(words.split()) in joined, shown(told_lines)


def test_several_sockets_are_told_apart():
    host = World().site("listen 127.0.0.1:80;", "location / { proxy_pass http://127.0.0.1:3000; }").service("shop.service", TCP)
    host.file("/etc/nginx/sites-enabled/zz", "server { listen 80; server_name shop.example; return 403; }\n")
    trace, lines = traced(host)
    entries = {tuple(entry["listens"]): entry for entry in trace["hosts"]["web1"]["entries"]}
    assert {listens: entry["end"] for listens, entry in entries.items()} == {("127.0.0.1:80",): "pass", ("*:80",): "pass"}
    assert entries[("127.0.0.1:80",)]["server"]["rule"] == "only server" and entries[("*:80",)]["server"]["rule"] == "exact name"
    assert "web1: passes it on" in shown(lines)


def test_hosts_that_were_not_traced():
    asked = [
        bundle_of(world("web1"), _url.parse(URL)),
        _bundle.new("web2", _bundle.UNREACHABLE, "Connection timed out"),
        _bundle.new("web3", _bundle.FAILED, "no Python"),
        _bundle.new("web4", _bundle.NO_NGINX),
    ]
    trace, lines = told(asked)
    said = shown(lines)
    assert "1 of 4 hosts takes it" in said
    assert "web2: not traced (unreachable): Connection timed out" in said and "web3: not traced (failed): no Python" in said
    assert "web4: there is no nginx" in said
    assert [host["status"] for host in trace["hosts"].values()][1:] == ["unreachable", "failed", "no-nginx"]


def test_evidence_of_an_unknown_shape_fails_its_own_host(monkeypatch):
    bundles = [bundle_of(world("web1"), _url.parse(URL)), bundle_of(world("web2"), _url.parse(URL))]
    original = trace_document.asked.entries

    def entries(host, url):
        if host.name == "web2":
            raise KeyError("listens")
        return original(host, url)

    monkeypatch.setattr(trace_document.asked, "entries", entries)
    trace, lines = told(bundles)
    assert trace["hosts"]["web2"]["status"] == "failed" and "cannot be traced: KeyError" in shown(lines)
    assert trace["hosts"]["web1"]["entries"]


def test_a_stopped_nginx_and_a_pending_file():
    trace, lines = traced(world().stopped())
    assert "this nginx does not run" in shown(lines) and "nginx-not-running (proven)" in shown(lines)
    assert trace["hosts"]["web1"]["entries"][0]["running"] is False


def test_secrets_of_the_url():
    url = "http://me:hunter22@shop.example/cart/a.json?token=s3cr3tvalue&x=1"
    asked = _url.parse(url)
    bundle = bundle_of(world(), asked)
    bundle.update({part: asked.masked(bundle[part]) for part in ("probes", "targets")})
    trace, lines = told([bundle], url)
    for said in (json.dumps(trace), shown(lines), json.dumps(bundle["targets"])):
        assert "s3cr3tvalue" not in said and "hunter22" not in said
        assert "token=***&x=1" in said


HOSTILE = "\x1b[31m\u202e{{ 7*7 }}$(touch /x)"


def test_hostile_text_and_width():
    host = World("web\x1b[1m").site(
        f'location / {{ proxy_set_header X-Long "{HOSTILE}{"x" * 300}"; proxy_set_header Host "{HOSTILE}"; set $y "{HOSTILE}";',
        f"proxy_pass http://{'n' * 200}.example; }}",
        f'location "~^{"/" * 3}{HOSTILE[1:6]}" {{ return 403; }}',
        name="shop",
        outside=(f'server {{ listen 80; server_name "{HOSTILE}" {" ".join(f"name{index}.example" for index in range(90))}; }}',),
    )
    trace, lines = traced(host, url="http://shop.example/" + "a/" * 300 + "?" + "q" * 600)
    for _style, line in lines:
        assert columns.width(line) <= terminal.WIDTH and text.harmless(line) == line, line
    for said in _texts(trace):
        assert text.harmless(said.replace("\n", "")) == said.replace("\n", "")
    assert "49" not in shown(lines)


def _texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in (key, *_texts(item))]
    return [found for item in value for found in _texts(item)] if isinstance(value, list) else []


def test_many_hosts_and_many_candidates_stay_short():
    servers = tuple(f"server {{ listen 80; server_name n{index}.example; }}" for index in range(60))
    expressions = (f"location ~ ^/{index}$ {{ return 403; }}" for index in range(60))
    host = World().site(*expressions, "location / { proxy_pass http://127.0.0.1:3000; }", outside=servers)
    trace, lines = traced(host)
    assert len(lines) < 80 and "... and 54 more servers in trace.json" in shown(lines)
    assert len(trace["hosts"]["web1"]["entries"][0]["location_candidates"]) == 61
    bundles = [_bundle.new(f"web{index}", _bundle.UNREACHABLE, "x") for index in range(60)]
    assert "... and 10 more hosts in trace.json" in shown(told(bundles)[1])


def test_a_stream_server():
    host = World().service("shop.service", TCP)
    text = "user www-data; events {} stream { upstream app { server 127.0.0.1:3000; } server { listen 443; proxy_timeout 5s; proxy_pass app; } }\n"
    host.file(MAIN, text)
    trace, lines = traced(host, url="https://shop.example/")
    (entry,) = trace["hosts"]["web1"]["entries"]
    assert (entry["end"], entry["pass"]["directive"], [peer["endpoint"] for peer in entry["peers"]]) == ("stream", "proxy_pass", [TCP])
    assert "web1: hands the connection on" in shown(lines) and "proxy_timeout 5s" in shown(lines)


def in_container(*ports: str) -> World:
    """nginx in a container, whose port 80 has other numbers on the host."""
    world = World().docker_network("shop_default", "172.18.0.0/16").container("edge", "shop_default=172.18.0.2", ports=ports)
    return world.container("app", "shop_default=172.18.0.3").listen("0.0.0.0:3000", inside="app") and world


@pytest.mark.parametrize(("url", "taken"), [
    ("http://shop.example:8092/", True),
    ("http://127.0.0.1:8092/", True),
    ("http://shop.example/", False),
    ("http://10.0.0.5:8093/", False),
    ("http://127.0.0.1:8093/", True),
])
def test_an_nginx_in_a_container_is_reached_where_it_is_published(url, taken):
    world = in_container("0.0.0.0:8092:80", "127.0.0.1:8093:80").nginx_in("edge").passes("http://172.18.0.3:3000")
    trace, lines = traced(world, url=url)
    assert trace["hosts"]["web1"]["entries"] if taken else not trace["hosts"]["web1"]["entries"]
    if not taken:
        assert "*:80 of container edge, published at 0.0.0.0:8092 and 127.0.0.1:8093" in " ".join(shown(lines).split())


def test_one_that_publishes_nothing_may_have_an_address_that_others_reach():
    trace, _lines = traced(in_container().nginx_in("edge").passes("http://172.18.0.3:3000"), url="http://shop.example/")
    assert trace["hosts"]["web1"]["entries"]
