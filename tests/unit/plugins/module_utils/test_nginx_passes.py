# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a configuration that are addresses."""

import base64

import pytest

from ansible_collections.webops.bad_gateway.plugins.module_utils import _nginx_passes as passes


def instance(*contents):
    return {"files": [{"content": base64.b64encode(content).decode("ascii")} for content in contents]}


@pytest.mark.parametrize(
    "word, host, socket",
    [
        ("http://app.internal:8080/x", "app.internal", ""),
        ("https://app", "app", ""),
        ("localhost:9000", "localhost", ""),
        ("127.0.0.1:3000", "", ""),
        ("http://[::1]:3000", "", ""),
        ("http://$backend", "", ""),
        ("http://unix:/run/a.sock:/uri", "", "/run/a.sock"),
        ("unix:/run/a:b.sock", "", "/run/a:b.sock"),
        ("unix:/run/$x.sock", "", ""),
        ("unix:///run/a.sock", "", "///run/a.sock"),
        ("http://unix:///run/a.sock:/uri", "", "///run/a.sock"),
        ("http://redacted:12345678@h/", "", ""),
        ("http://h\x1b[31m/", "", ""),
        ("", "", ""),
    ],
)
def test_words(word, host, socket):
    assert (passes.host_of(word), passes.socket_of(word)) == (host, socket)


def test_names_and_sockets():
    one = instance(
        b"upstream App { server a.internal:1; server unix:/run/u.sock; server 10.0.0.1; }",
        b"server { listen unix:/run/l.sock; server_name not.this; location / { proxy_pass http://app/x; } location /b { fastcgi_pass php:9000; } }",
        b"map $host $p { default m.internal:80; b unix:/run/m.sock; c plain; } set $s http://s.internal; set $t on; error_log syslog:server=unix:/dev/log;",
        b"a.example unix:/run/row.sock;",
        b"",
    )
    assert passes.names(one) == {"a.internal", "php", "m.internal", "s.internal"}
    assert passes.sockets(one) == {"/run/u.sock", "/run/m.sock", "/run/row.sock"}


@pytest.mark.parametrize("contents", [
    (b"upstream app { server app:3000; } server { location / { proxy_pass http://app; } }",),
    (b"upstream app { include servers; } server { location / { proxy_pass http://app; } }", b"server app:3000;"),
])
def test_a_group_may_be_called_as_the_host_of_its_server_is(contents):
    assert passes.names(instance(*contents)) == {"app"}


@pytest.mark.parametrize(
    "content, names, sockets",
    [
        (b"set $app shop; set $port 8080; set $proto http; location / { proxy_pass $proto://$app:$port; }", {"shop"}, set()),
        (b"set $app shop; set $url http://${app}:1$request_uri; proxy_pass $url;", {"shop"}, set()),
        (b"map $host $pool { default one; b two; } proxy_pass http://$pool/x;", {"one", "two"}, set()),
        (b"upstream one { server a:1; } map $host $pool { default one; b two; } proxy_pass http://$pool;", {"a", "two"}, set()),
        (b"set $name app; fastcgi_pass unix:/run/$name.sock;", set(), {"/run/app.sock"}),
        (b"set $app $arg_to; proxy_pass http://$app;", set(), set()),
        (b"set $a $b; set $b $a; proxy_pass http://$a;", set(), set()),
        (b"set $a a$a$a$a; proxy_pass http://$a;", set(), set()),
    ],
)
def test_variables_are_followed(content, names, sockets):
    assert (passes.names(instance(content)), passes.sockets(instance(content))) == (names, sockets)


def test_a_table_of_many_values_is_not_multiplied():
    rows = b"".join(b"r%d v%d;" % (row, row) for row in range(1000))
    assert passes.names(instance(b"map $a $x { " + rows + b"} map $b $y { " + rows + b"} proxy_pass http://$x$y;")) == set()


def test_ports_of_names():
    one = instance(b"proxy_pass http://a:81/x; proxy_pass https://b; fastcgi_pass c:9000; upstream g { server d; server 10.0.0.1:99; } grpc_pass grpcs://e;")
    assert passes.named_ports(one) == {81, 443, 9000, 80}


def test_name_servers():
    assert passes.resolvers(instance(b"resolver 127.0.0.53 [::1]:5353 valid=30s ipv6=off; resolver dns.internal;")) == {
        "127.0.0.53",
        "[::1]:5353",
        "dns.internal",
    }


@pytest.mark.parametrize("word", ["http://app$request_uri", "http://app${request_uri}", "$scheme://app:80", "http://app$uri$is_args$args", "http://app/$x"])
def test_a_name_before_variables(word):
    assert passes.host_of(word) == "app"


@pytest.mark.parametrize(
    "content, ports",
    [
        (b"http { server { listen 80; listen 127.0.0.1:8080; listen [::]:8081 default_server; listen *:8082; listen h:8083; } }", {80, 8080, 8081, 8082, 8083}),
        (b"http { server { listen 10.0.0.1; listen [::1]; listen app.example; } }", {80}),
        (b"stream { server { listen 9000-9003; listen 127.0.0.1:9100-9101; listen 5300 udp; } }", {9000, 9001, 9002, 9003, 9100, 9101}),
        (b"http { server { listen unix:/run/x.sock; listen 443 ssl; listen 444 quic; } }", {443}),
        (b"http { server { location / { } } }", {80}),
        (b"http { server { include listen.conf; } } stream { server { proxy_pass x:1; } }", set()),
        (b"http { server { listen 0; listen 65536; listen 99999999; listen $port; listen 127.0.0.1:1-65535; listen; } }", set()),
        (b"", set()),
    ],
)
def test_ports_that_are_listened_on(content, ports):
    assert passes.listens(instance(content)) == ports
